// Package platform holds what the two roles of JT/T 809 share: the book of requests that wait for an answer, what is told
// of the platforms on the other side, and the HTTP interface to both.
package platform

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

// Roles of this process towards a platform.
const (
	RoleSuperior = "superior" // the platform reports to us; in a Request: we asked it
	RoleInferior = "inferior" // we report to the platform; in a Request: it asked us, or we asked it for something
)

// Kinds of requests.
const (
	KindInspection  = "inspection"  // 查岗: 0x9301
	KindSupervision = "supervision" // 督办: 0x9401
	KindText        = "text"        // 0x9302
	KindControl     = "control"     // 0x95xx
	KindVideo       = "video"       // 0x97xx to 0x9Bxx
	KindExchange    = "exchange"    // 0x12xx, 0x92xx, 0x9303
	KindStatic      = "static"      // 0x9601
	KindReport      = "report"      // what the other side tells and nobody answers: 0x9204, 0x9402, 0x9403
)

// Kinds lists every kind.
var Kinds = []string{KindInspection, KindSupervision, KindText, KindControl, KindVideo, KindExchange, KindStatic, KindReport}

// States of a request.
const (
	StateWaiting  = "waiting"
	StateAnswered = "answered"
	StateLate     = "late"    // answered after the deadline
	StateOverdue  = "overdue" // the deadline has passed; an answer may still come
	StateFailed   = "failed"  // it could not be sent, or the other side refused it; the note says why
)

// States lists every state.
var States = []string{StateWaiting, StateAnswered, StateLate, StateOverdue, StateFailed}

// stateRank orders states by how far they are. A request never goes back, and of two records the further one counts.
var stateRank = map[string]int{StateWaiting: 0, StateOverdue: 1, StateFailed: 2, StateAnswered: 3, StateLate: 3}

// Request is what one side asked the other and what became of it. It is kept in the compacted topic "platform-requests"
// under its id.
type Request struct {
	ID            string
	Role          string // RoleSuperior, RoleInferior
	Platform      string // name of the peer in the settings
	Kind          string
	Message       string // id of the message that asks, such as 0x9301
	AnswerMessage string // id of the message that answered; empty before
	Plate         string // empty where no vehicle is meant
	Color         ingest.Color
	Violation     string // id of the violation that it is about, if it is about one
	Serial        uint32 // msg_sn of the message that asks
	Number        uint32 // info_id or supervision_id
	Asked         int64  // Unix ms, as all times here
	Deadline      int64  // 0: none
	Answered      int64  // 0: not yet
	State         string
	Body          json.RawMessage // fields of the message that asks
	Answer        json.RawMessage // fields of the answer, also of one that is not final
	Note          string          // for people: why it failed, who answered
	Revision      uint32          // grows with every change; the Book gives it
}

// Done reports whether nothing is expected any more. What is overdue is not done: a late answer is still taken.
func (r *Request) Done() bool {
	return r.State == StateAnswered || r.State == StateLate || r.State == StateFailed
}

// Vehicle returns the vehicle that the request means; ok is false where it means none.
func (r *Request) Vehicle() (v ingest.Vehicle, ok bool) {
	v, err := ingest.NewVehicle(r.Plate, r.Color)
	return v, err == nil
}

// Time is Unix milliseconds, in JSON RFC 3339 with +08:00; 0 is null.
type Time int64

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	if y := time.UnixMilli(int64(t)).UTC().Year(); y < 1 || y > 9998 {
		return nil, fmt.Errorf("time: %d ms is in the year %d", int64(t), y)
	}
	return append(textform.AppendTime([]byte{'"'}, int64(t)), '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" {
		*t = 0
		return nil
	}
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return fmt.Errorf("time: %.40s; want a text such as \"2026-05-01T08:00:00+08:00\"", s)
	}
	ms, err := textform.ParseTime([]byte(s[1 : len(s)-1]))
	if err != nil {
		return fmt.Errorf("time: %.40s: %w", s, err)
	}
	*t = Time(ms)
	return nil
}

// requestJSON is a Request in the log and to the outside. A member may be added; none may get another meaning.
type requestJSON struct {
	ID            string          `json:"id"`
	Role          string          `json:"role"`
	Platform      string          `json:"platform"`
	Kind          string          `json:"kind"`
	Message       string          `json:"message"`
	AnswerMessage string          `json:"answer_message"`
	Plate         string          `json:"plate"`
	Color         ingest.Color    `json:"color"`
	Violation     string          `json:"violation"`
	Serial        uint32          `json:"serial"`
	Number        uint32          `json:"number"`
	Asked         Time            `json:"asked"`
	Deadline      Time            `json:"deadline"`
	Answered      Time            `json:"answered"`
	State         string          `json:"state"`
	Body          json.RawMessage `json:"body"`
	Answer        json.RawMessage `json:"answer"`
	Note          string          `json:"note"`
	Revision      uint32          `json:"revision"`
}

// MarshalJSON writes every member; body and answer are null where there is none.
func (r Request) MarshalJSON() ([]byte, error) { return json.Marshal(r.json()) }

func (r *Request) json() requestJSON {
	return requestJSON{r.ID, r.Role, r.Platform, r.Kind, r.Message, r.AnswerMessage, r.Plate, r.Color, r.Violation,
		r.Serial, r.Number, Time(r.Asked), Time(r.Deadline), Time(r.Answered), r.State, r.Body, r.Answer, r.Note, r.Revision}
}

// UnmarshalJSON passes over members that it does not know: they are of a later version.
func (r *Request) UnmarshalJSON(b []byte) error {
	var j requestJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if string(j.Body) == "null" {
		j.Body = nil
	}
	if string(j.Answer) == "null" {
		j.Answer = nil
	}
	*r = Request{j.ID, j.Role, j.Platform, j.Kind, j.Message, j.AnswerMessage, j.Plate, j.Color, j.Violation,
		j.Serial, j.Number, int64(j.Asked), int64(j.Deadline), int64(j.Answered), j.State, j.Body, j.Answer, j.Note, j.Revision}
	return nil
}

// Bounds of a Request.
const (
	maxID      = 64
	maxName    = 64
	maxNote    = 4 << 10
	maxContent = 256 << 10 // of body and of answer
)

// Validate names the first member that can't be right.
func (r *Request) Validate() error {
	for _, c := range []struct{ field, value string }{{"id", r.ID}, {"platform", r.Platform}} {
		if c.value == "" || len(c.value) > maxName || strings.ContainsFunc(c.value, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return fmt.Errorf("%s: %.80q; want a word of at most %d bytes", c.field, c.value, maxName)
		}
	}
	known := func(list []string, s string) bool {
		for _, k := range list {
			if k == s {
				return true
			}
		}
		return false
	}
	switch {
	case r.Role != RoleSuperior && r.Role != RoleInferior:
		return fmt.Errorf("role: %.40q; superior or inferior", r.Role)
	case !known(Kinds, r.Kind):
		return fmt.Errorf("kind: %.40q; one of %s", r.Kind, strings.Join(Kinds, ", "))
	case !known(States, r.State):
		return fmt.Errorf("state: %.40q; one of %s", r.State, strings.Join(States, ", "))
	case len(r.Note) > maxNote:
		return fmt.Errorf("note: %d bytes; at most %d", len(r.Note), maxNote)
	case len(r.Body) > maxContent || len(r.Body) > 0 && !json.Valid(r.Body):
		return fmt.Errorf("body: no JSON of at most %d bytes", maxContent)
	case len(r.Answer) > maxContent || len(r.Answer) > 0 && !json.Valid(r.Answer):
		return fmt.Errorf("answer: no JSON of at most %d bytes", maxContent)
	}
	for _, t := range []struct {
		field string
		ms    int64
	}{{"asked", r.Asked}, {"deadline", r.Deadline}, {"answered", r.Answered}} {
		if _, err := Time(t.ms).MarshalJSON(); err != nil {
			return fmt.Errorf("%s: %w", t.field, err)
		}
	}
	if r.Plate != "" {
		if _, err := ingest.NewVehicle(r.Plate, r.Color); err != nil {
			return err
		}
	}
	return nil
}

// recordJSON is a Request in the log.
type recordJSON struct {
	requestJSON
	Writer string `json:"writer"` // the process that wrote it
}

// before orders requests by when they were asked, then by id.
func (r *Request) before(asked int64, id string) bool {
	if r.Asked != asked {
		return r.Asked < asked
	}
	return r.ID < id
}

// clone copies what callers could change through a shared slice.
func (r *Request) clone() Request {
	c := *r
	c.Body = append(json.RawMessage(nil), r.Body...)
	c.Answer = append(json.RawMessage(nil), r.Answer...)
	return c
}
