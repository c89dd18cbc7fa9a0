package platform

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/internal/httpx"
)

// asked is what all that is asked of a peer begins with.
type asked struct {
	peer Peer
	side Side
	ed   jt809.Edition
	wait time.Duration
}

// begin reads the parameters and the body of a POST to a peer.
func (d *Desk) begin(w http.ResponseWriter, r *http.Request, body any) (a asked, err error) {
	p := httpx.ReadParams(r)
	want := role(&p)
	a.wait = waitOf(&p)
	if err := p.Finish(); err != nil {
		return a, err
	}
	if a.peer, a.side, err = d.peer(r, want); err != nil {
		return a, err
	}
	if err := httpx.ReadJSON(w, r, maxDeskBody, body); err != nil {
		return a, err
	}
	ed, ok := jt809.ParseEdition(a.peer.Edition)
	if !ok || ed == jt809.EditionAuto {
		return a, httpx.Refuse(http.StatusServiceUnavailable, "offline", "the edition of the platform is not known before it has logged in; set it, or try again later", "")
	}
	a.ed = ed
	return a, nil
}

// vehicleOf reads plate and color of a body; nil without a plate.
func vehicleOf(plate string, color *uint8) (*ingest.Vehicle, error) {
	if plate == "" {
		if color != nil {
			return nil, httpx.BadParameter("plate", "missing, and color is there")
		}
		return nil, nil
	}
	if color == nil {
		return nil, httpx.BadParameter("color", "missing; a number of JT/T 697.7 such as 1 blue, 2 yellow")
	}
	v, err := ingest.NewVehicle(plate, ingest.Color(*color))
	if err != nil {
		return nil, httpx.BadParameter("plate", "%s", strings.TrimPrefix(err.Error(), "plate: "))
	}
	return &v, nil
}

// parseMessage reads an id such as 0x9301, or the name that `lushao decode` prints, with blanks or underscores.
func parseMessage(s string) (jt809.MessageID, bool) {
	if n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 16); err == nil {
		return jt809.MessageID(n), true
	}
	name := strings.ReplaceAll(strings.ToLower(s), "_", " ")
	for _, id := range jt809.MessageIDs() {
		if id.Name() == name {
			return id, true
		}
	}
	return 0, false
}

// postRequest sends any message that may be sent by hand.
func (d *Desk) postRequest(w http.ResponseWriter, r *http.Request) error {
	var m struct {
		Message string          `json:"message"`
		Plate   string          `json:"plate"`
		Color   *uint8          `json:"color"`
		Body    json.RawMessage `json:"body"`
		Within  string          `json:"within"`
	}
	a, err := d.begin(w, r, &m)
	if err != nil {
		return err
	}
	id, ok := parseMessage(m.Message)
	if !ok {
		return httpx.BadParameter("message", "%.64q; an id such as 0x9301, or a name such as inspection", m.Message)
	}
	if err := mayAsk(id, a.peer.Role); err != nil {
		return httpx.BadParameter("message", "%v", err)
	}
	if info, _ := id.Info(); info.Since > a.ed {
		return httpx.BadParameter("message", "%s (%s) is of edition %s; the platform speaks %s", id, info.Name, info.Since, a.ed)
	}
	v, err := vehicleOf(m.Plate, m.Color)
	if err != nil {
		return err
	}
	switch needs, may := aboutVehicle(id, a.ed); {
	case needs && v == nil:
		return httpx.BadParameter("plate", "missing; %s is about a vehicle", id)
	case !may && v != nil:
		return httpx.BadParameter("plate", "%s is about no vehicle", id)
	}
	within, err := within(m.Within, 10*time.Minute)
	if err != nil {
		return err
	}
	body := jt809.NewBody(id, a.ed, -1)
	if body == nil {
		return httpx.BadParameter("message", "%s has no layout in edition %s", id, a.ed)
	}
	if len(m.Body) > 0 && string(m.Body) != "null" {
		if err := jt809.FillBody(body, a.ed, m.Body); err != nil {
			return httpx.Refuse(http.StatusBadRequest, "bad_parameter", err.Error(), "body")
		}
	}
	return d.ask(w, r, a, v, id, body, within, "")
}

// ask has a side send a message, and answers with what the book has of it.
func (d *Desk) ask(w http.ResponseWriter, r *http.Request, a asked, v *ingest.Vehicle, id jt809.MessageID, body jt809.Body, within time.Duration, violation string) error {
	req, err := a.side.Do(r.Context(), a.peer.Name, v, id, body, d.Now().Add(within))
	if err != nil {
		return err
	}
	if violation != "" && req.Violation == "" {
		if req, err = d.Book.Update(r.Context(), req.ID, func(r *Request) error { r.Violation = violation; return nil }); err != nil {
			return err
		}
	}
	d.Logger.Info("a platform was asked by hand", "platform", a.peer.Name, "role", a.peer.Role, "message", id.String(), "request", req.ID)
	return d.respond(w, r, req, a.wait)
}

// text reads a text that has most bytes in GBK.
func text(field, s string, most int) (jt808.Text, error) {
	t := jt808.GBK(s)
	if len(t) > most {
		return "", httpx.BadParameter(field, "%d bytes of GBK; at most %d", len(t), most)
	}
	if strings.ContainsRune(s, 0) {
		return "", httpx.BadParameter(field, "has a zero character in it")
	}
	return t, nil
}

// maxQuestion bounds a question: staff read it on a screen.
const maxQuestion = 1000

func (d *Desk) postInspection(w http.ResponseWriter, r *http.Request) error {
	var m struct {
		Question   string `json:"question"`
		ObjectType *uint8 `json:"object_type"` // 1 when absent: the platform
		ObjectID   string `json:"object_id"`
		Within     string `json:"within"`
	}
	a, err := d.begin(w, r, &m)
	if err != nil {
		return err
	}
	if err := mayAsk(jt809.IDInspection, a.peer.Role); err != nil {
		return httpx.BadParameter("name", "%v", err)
	}
	if strings.TrimSpace(m.Question) == "" {
		return httpx.BadParameter("question", "empty")
	}
	body := jt809.Inspection{ObjectType: jt809.ObjectPlatform}
	if m.ObjectType != nil {
		body.ObjectType = *m.ObjectType
	}
	if body.ObjectType < jt809.ObjectPlatform || body.ObjectType > jt809.ObjectOperators {
		return httpx.BadParameter("object_type", "%d; 1 the platform, 2 an operator, 3 all operators", body.ObjectType)
	}
	most := 20
	if a.ed != jt809.Edition2019 {
		most = 12
	}
	if body.InfoContent, err = text("question", m.Question, maxQuestion); err != nil {
		return err
	}
	if body.ObjectID, err = text("object_id", m.ObjectID, most); err != nil {
		return err
	}
	within, err := within(m.Within, time.Minute)
	if err != nil {
		return err
	}
	body.AnswerTime = uint8(min(within/time.Second, 255))
	if body.InfoID, err = number(); err != nil {
		return err
	}
	return d.ask(w, r, a, nil, jt809.IDInspection, &body, within, "")
}

func (d *Desk) postSupervision(w http.ResponseWriter, r *http.Request) error {
	var m struct {
		Violation       string  `json:"violation"`
		Plate           string  `json:"plate"`
		Color           *uint8  `json:"color"`
		Kind            string  `json:"kind"`
		Time            Time    `json:"time"`
		Within          string  `json:"within"`
		Level           *uint8  `json:"level"`        // 0 urgent, 1 normal; 1 when absent
		WarnType        *uint16 `json:"warn_type"`    // instead of the one of the kind
		AlarmSerial     uint32  `json:"alarm_serial"` // msg_sn of the 0x1402 that it is about; 2019
		SrcPlatformID   string  `json:"src_platform_id"`
		Supervisor      string  `json:"supervisor"`
		SupervisorTel   string  `json:"supervisor_tel"`
		SupervisorEmail string  `json:"supervisor_email"`
	}
	a, err := d.begin(w, r, &m)
	if err != nil {
		return err
	}
	if err := mayAsk(jt809.IDSupervision, a.peer.Role); err != nil {
		return httpx.BadParameter("name", "%v", err)
	}
	v, err := vehicleOf(m.Plate, m.Color)
	if err != nil {
		return err
	}
	kind, at := m.Kind, int64(m.Time)
	switch {
	case m.Violation != "" && (v != nil || kind != "" || at != 0):
		return httpx.BadParameter("violation", "it says vehicle, kind and time already; leave those out")
	case m.Violation != "":
		found, err := d.violation(r, m.Violation)
		if err != nil {
			return err
		}
		v, kind, at = &found.Vehicle, found.Kind, found.Time
		for _, req := range d.Book.List(Filter{Platform: a.peer.Name, Kinds: []string{KindSupervision}, Violation: m.Violation}) {
			if req.Role == RoleSuperior && req.State != StateFailed {
				return httpx.Refuse(http.StatusConflict, "conflict", "the platform was asked about this violation already: request "+req.ID, "violation")
			}
		}
	case v == nil:
		return httpx.BadParameter("violation", "missing; give its id, or plate, color, kind and time")
	case at == 0:
		return httpx.BadParameter("time", "missing; when it happened")
	case kind == "" && m.WarnType == nil:
		return httpx.BadParameter("kind", "missing; such as speeding")
	}
	within, err := within(m.Within, 24*time.Hour)
	if err != nil {
		return err
	}
	body := jt809.Supervision{WarnSrc: 3, WarnType: 0x00FF, WarnTime: jt809.SecondsOf(at)} // a government platform; another alarm
	if d.WarnType != nil {
		body.WarnType = d.WarnType(kind)
	}
	if m.WarnType != nil {
		body.WarnType = *m.WarnType
	}
	body.Source = jt809.Source{Type: jt809.IDAlarmReport, Serial: m.AlarmSerial}
	body.SupervisionLevel = 1
	if m.Level != nil {
		body.SupervisionLevel = *m.Level
	}
	if body.SupervisionLevel > 1 {
		return httpx.BadParameter("level", "%d; 0 urgent, 1 normal", body.SupervisionLevel)
	}
	body.SupervisionEndTime = jt809.SecondsOf(d.Now().Add(within).UnixMilli())
	for _, t := range []struct {
		field string
		value string
		most  int
		into  *jt808.Text
	}{{"src_platform_id", m.SrcPlatformID, 11, &body.SrcPlatformID}, {"supervisor", m.Supervisor, 16, &body.Supervisor},
		{"supervisor_tel", m.SupervisorTel, 20, &body.SupervisorTel}, {"supervisor_email", m.SupervisorEmail, 32, &body.SupervisorEmail}} {
		if *t.into, err = text(t.field, t.value, t.most); err != nil {
			return err
		}
	}
	if body.SupervisionID, err = number(); err != nil {
		return err
	}
	return d.ask(w, r, a, v, jt809.IDSupervision, &body, within, m.Violation)
}

func (d *Desk) violation(r *http.Request, id string) (Violation, error) {
	if d.Violation == nil {
		return Violation{}, httpx.BadParameter("violation", "the record can't be read here; give plate, color, kind and time")
	}
	if len(id) > 64 {
		return Violation{}, httpx.BadParameter("violation", "%d bytes; at most 64", len(id))
	}
	v, ok, err := d.Violation(r.Context(), id)
	switch {
	case err != nil:
		return v, err
	case !ok:
		return v, httpx.Refuse(http.StatusNotFound, "not_found", "there is no such violation in the record", "violation")
	}
	return v, nil
}

// postAnswer sends what staff answers to a request of a superior platform.
func (d *Desk) postAnswer(w http.ResponseWriter, r *http.Request) error {
	p := httpx.ReadParams(r)
	if err := p.Finish(); err != nil {
		return err
	}
	id := r.PathValue("id")
	req, ok := d.Book.Get(id)
	if !ok {
		return ErrUnknown
	}
	var raw json.RawMessage
	if err := httpx.ReadJSON(w, r, maxDeskBody, &raw); err != nil {
		return err
	}
	switch {
	case req.Role != RoleInferior || d.Inferior == nil:
		return httpx.Refuse(http.StatusConflict, "conflict", "the request was not asked of us: its answer comes from the other side", "id")
	case req.Done():
		return ErrAnswered
	}
	answer, err := answerOf(req.Kind, raw)
	if err != nil {
		return err
	}
	if err := d.Inferior.Answer(r.Context(), id, answer); err != nil {
		return err
	}
	if now, ok := d.Book.Get(id); ok {
		req = now
	}
	d.Logger.Info("a platform was answered by hand", "platform", req.Platform, "kind", req.Kind, "request", id)
	httpx.WriteJSON(w, http.StatusOK, req)
	return nil
}

// answerOf checks an answer by the kind of the request and writes it in its one form.
func answerOf(kind string, raw json.RawMessage) (json.RawMessage, error) {
	strict := func(into any) error {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			return httpx.Refuse(http.StatusBadRequest, "bad_json", strings.TrimPrefix(err.Error(), "json: "), "")
		}
		return nil
	}
	switch kind {
	case KindInspection:
		var a InspectionAnswer
		if err := strict(&a); err != nil {
			return nil, err
		}
		if strings.TrimSpace(a.Text) == "" {
			return nil, httpx.BadParameter("text", "empty; the answer to the question")
		}
		_, err := text("text", a.Text, maxQuestion)
		_, err2 := text("responder", a.Responder, 16)
		_, err3 := text("responder_tel", a.ResponderTel, 20)
		if err := errors.Join(err, err2, err3); err != nil {
			var first *httpx.Error
			errors.As(err, &first)
			return nil, first
		}
		return json.Marshal(a)
	case KindSupervision:
		a := struct {
			Result *SupervisionResult `json:"result"`
			Note   string             `json:"note"`
		}{}
		if err := strict(&a); err != nil {
			return nil, err
		}
		if a.Result == nil {
			return nil, httpx.BadParameter("result", "missing; one of in_progress, done, no_need, later")
		}
		if len(a.Note) > maxNote {
			return nil, httpx.BadParameter("note", "%d bytes; at most %d", len(a.Note), maxNote)
		}
		return json.Marshal(SupervisionAnswer{*a.Result, a.Note})
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil || object == nil {
		return nil, httpx.Refuse(http.StatusBadRequest, "bad_json", "want an object with the fields of the answering message", "")
	}
	return raw, nil
}
