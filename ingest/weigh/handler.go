package weigh

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"lushao/ingest"
)

// Answer is the body of every answer. It is sent after the log has the records that it calls taken.
type Answer struct {
	Taken     int             `json:"taken"`
	Duplicate int             `json:"duplicate"`
	Refused   []RefusedRecord `json:"refused"`
	Error     string          `json:"error,omitempty"` // why the request, or the rest of it, was not taken
}

// RefusedRecord is one record that was not taken. Index counts from 0 in the order of the body.
type RefusedRecord struct {
	Index  int    `json:"index"`
	Record string `json:"record"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// flushSize is how many bytes of events are gathered for a partition before the log gets them.
const flushSize = 64 << 10

// retryAfter is what a sender is told to wait when the door is full or the log does not answer.
const retryAfter = 5 * time.Second

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// ServeHTTP implements POST /v1/weighings. Statuses: 200 every record is answered for; 400 the body is not JSON from some
// place on; 401 no or a wrong token; 403 the token is for other stations than all of these; 405; 408 the body came too
// slowly; 413 too long; 415; 429 too many requests at a time; 503 the log does not take records: nothing is claimed, send
// all again. After 400, 408 and 413 the answer says what was taken before the break.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, answer := d.serve(w, r)
	if answer.Refused == nil {
		answer.Refused = []RefusedRecord{}
	}
	h := w.Header()
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="weighings"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusRequestTimeout:
		h.Set("Connection", "close")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	h.Set("Content-Type", "application/json")
	// A writer without deadlines, as in a test or behind some middleware, is no fault of the request.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d.cfg.WriteTimeout))
	d.metrics.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // who has gone will send the records again
}

func (d *Door) serve(w http.ResponseWriter, r *http.Request) (int, Answer) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, Answer{Error: r.Method + " is not known here: POST records"}
	}
	if !d.ready.Load() { // before it the tokens are not read
		return http.StatusServiceUnavailable, Answer{Error: "starting or ending: try again"}
	}
	grant := d.authorize(r)
	if grant == nil {
		return http.StatusUnauthorized, Answer{Error: "want the header Authorization: Bearer and a token of this platform"}
	}
	lines, err := bodyForm(r)
	if err != nil {
		return http.StatusUnsupportedMediaType, Answer{Error: err.Error()}
	}
	if r.ContentLength > d.cfg.MaxBody {
		return http.StatusRequestEntityTooLarge, Answer{Error: fmt.Sprintf("body: %d bytes, at most %d: send fewer records at once", r.ContentLength, d.cfg.MaxBody)}
	}
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
	default:
		return http.StatusTooManyRequests, Answer{Error: "too many requests at a time: try again"}
	}
	// Looked at once more with a place taken: Shutdown takes all places and so waits for who passed.
	if !d.ready.Load() {
		return http.StatusServiceUnavailable, Answer{Error: "starting or ending: try again"}
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(d.cfg.ReadTimeout))
	body := bufioOf(http.MaxBytesReader(w, r.Body, d.cfg.MaxBody))
	defer func() {
		body.Reset(nil)
		readers.Put(body)
	}()
	// Who hangs up in the middle of the log's acknowledgement leaves the records to be sent again, known or not: the
	// request's own context must not tear what is being written.
	t := &transaction{door: d, grant: grant, received: d.now().UnixMilli(), claim: newClaim(),
		cut: cutter{r: body, lines: lines}, pending: map[int][]byte{}, codes: map[string]int{}}
	t.bodyRead = func() { _ = control.SetReadDeadline(time.Time{}) }
	return t.run(context.WithoutCancel(r.Context()))
}

func bufioOf(r io.Reader) *bufio.Reader {
	b := readers.Get().(*bufio.Reader)
	b.Reset(r)
	return b
}

// authorize finds the token of a request. All tokens are compared, each in constant time.
func (d *Door) authorize(r *http.Request) (found *grant) {
	header := r.Header.Get("Authorization")
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	for i := range d.tokens {
		if subtle.ConstantTimeCompare(hash[:], d.tokens[i].hash[:]) == 1 {
			found = &d.tokens[i]
		}
	}
	if header == "" && d.cfg.Anonymous {
		return &grant{name: "anonymous"}
	}
	return found
}

// bodyForm says by the Content-Type whether each line is a record of its own. What command-line tools send by default is
// taken as JSON.
func bodyForm(r *http.Request) (lines bool, err error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return false, fmt.Errorf("Content-Encoding: %q; send the body as it is", enc)
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return false, nil
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		return false, fmt.Errorf("Content-Type: %q: %w", header, err)
	}
	if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "utf8") {
		return false, fmt.Errorf("Content-Type: charset %q; send UTF-8", cs)
	}
	switch kind {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines":
		return true, nil
	case "application/json", "text/json", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded":
		return false, nil
	}
	return false, fmt.Errorf("Content-Type: %q; one of application/json, application/x-ndjson", kind)
}

// transaction is one request on its way to the log: all of its records are taken, or none is claimed to be.
type transaction struct {
	door     *Door
	grant    *grant
	received int64
	claim    *claim
	cut      cutter
	batch    Batch
	pending  map[int][]byte // events by partition that the log has not been given yet
	marks    []Mark
	answer   Answer
	later    []laterRecord
	count    int // of records seen
	good     int // of those that could be read
	denied   int // of those that the token may not send
	unread   int // of those that were taken without a plate
	codes    map[string]int
	bodyRead func() // takes the deadline off a connection whose body was read; else the server still has the rest to skip
}

// laterRecord waits for another request that is about to take a record under the same number.
type laterRecord struct {
	index  int
	record string
	key    recordKey
	digest [16]byte
	other  *claim
}

// errNotTaken is the outcome of a record that another request was about to take and did not.
var errNotTaken = errors.New("a request with the same record failed")

func (t *transaction) run(ctx context.Context) (int, Answer) {
	d := t.door
	t.batch = d.log.NewBatch()
	status := http.StatusOK
	settled := false
	defer func() {
		if !settled { // a panic: without this the records would stay claimed until the process ends
			d.memory.settle(t.claim, false)
		}
	}()

	err := t.readAll(ctx)
	if err == nil {
		t.bodyRead()
	}
	var brk *breakError
	if errors.As(err, &brk) {
		status, t.answer.Error, err = brk.status, brk.text, nil
	}
	d.metrics.bodyBytes.Add(float64(t.cut.at))
	if err == nil {
		err = t.write(ctx)
	}
	settled = true
	d.memory.settle(t.claim, err == nil)
	if err == nil {
		err = t.resolve(ctx)
	}
	if err != nil {
		d.logger.Error("weighing records were not taken: the log does not answer", "records", t.count, "err", err)
		return http.StatusServiceUnavailable, Answer{Error: "the log does not take records now; nothing is claimed: send all again"}
	}
	d.metrics.taken.Add(float64(t.answer.Taken))
	d.metrics.unread.Add(float64(t.unread))
	d.metrics.duplicate.Add(float64(t.answer.Duplicate))
	for code, n := range t.codes {
		d.metrics.refused[code].Add(float64(n))
	}
	switch {
	case status != http.StatusOK:
	case t.count > 0 && t.good == 0:
		status, t.answer.Error = http.StatusBadRequest, "body: no line of it is JSON"
	case t.count > 0 && t.denied == t.count:
		status, t.answer.Error = http.StatusForbidden, "the token is for other stations"
	}
	return status, t.answer
}

// readAll checks the records and hands them to the log. The error is a *breakError, or the log's.
func (t *transaction) readAll(ctx context.Context) error {
	d := t.door
	latest := t.received + d.cfg.ClockTolerance.Milliseconds()
	partitions := d.log.Partitions()
	var e ingest.Event
	for ; ; t.count++ {
		raw, refusal, err := t.cut.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if t.count == d.cfg.MaxRecords {
			return &breakError{http.StatusRequestEntityTooLarge, fmt.Sprintf("body: more than %d records: send the rest by itself", d.cfg.MaxRecords)}
		}
		if refusal == nil || refusal.Code != CodeNotJSON {
			t.good++
		}
		if refusal == nil {
			refusal = Parse(raw, t.received, latest, &e)
		}
		if refusal == nil {
			refusal = t.allowed(e.Weighing)
		}
		if refusal == nil {
			refusal, err = t.take(ctx, &e, partitions)
		}
		if err != nil {
			return err
		}
		if refusal != nil {
			t.refuse(t.count, refusal)
		}
	}
}

func (t *transaction) refuse(index int, r *Refusal) {
	t.codes[r.Code]++
	t.answer.Refused = append(t.answer.Refused, RefusedRecord{Index: index, Record: r.Record, Field: r.Field, Reason: r.Reason()})
}

func (t *transaction) allowed(w *ingest.Weighing) *Refusal {
	if t.grant.stations != nil && !t.grant.stations[w.Station] {
		t.denied++
		return &Refusal{Record: w.Record, Field: "station", Code: CodeNotAllowed, Text: "the token is for other stations"}
	}
	if t.door.cfg.UnknownStations == Accept {
		return nil
	}
	if register := *t.door.stations.Load(); register != nil && !register.Known(w.Station) {
		return &Refusal{Record: w.Record, Field: "station", Code: CodeStation, Text: fmt.Sprintf("%q is not in the register of stations", w.Station)}
	}
	return nil
}

func conflictOf(record string) *Refusal {
	return &Refusal{Record: record, Field: "record", Code: CodeConflict, Text: "the first record stands"}
}

// take hands a good record to the log, unless it is known.
func (t *transaction) take(ctx context.Context, e *ingest.Event, partitions int) (*Refusal, error) {
	w := e.Weighing
	key, digest := keyOf(w.Station, w.Record), Digest(e)
	switch v, other := t.door.memory.ask(key, digest, t.claim); v {
	case duplicate:
		t.answer.Duplicate++
		return nil, nil
	case conflict:
		return conflictOf(w.Record), nil
	case underway:
		t.later = append(t.later, laterRecord{t.count, w.Record, key, digest, other})
		return nil, nil
	}
	t.answer.Taken++
	if t.door.marks != nil {
		t.marks = append(t.marks, Mark{Key: topicKey(w.Station, w.Record), Value: appendValue(nil, digest, t.received)})
	}
	if !e.Unread() {
		return nil, t.hand(ctx, e.Vehicle.Partition(partitions), e)
	}
	// It may have been any vehicle: whoever judges one must know of it.
	t.unread++
	for p := range partitions {
		if err := t.hand(ctx, p, e); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// hand gathers an event for a partition, and gives the log what has become enough.
func (t *transaction) hand(ctx context.Context, partition int, e *ingest.Event) error {
	t.pending[partition] = ingest.AppendEvent(t.pending[partition], e)
	if len(t.pending[partition]) < flushSize {
		return nil
	}
	return t.flush(ctx, partition)
}

func (t *transaction) flush(ctx context.Context, partition int) error {
	ctx, cancel := context.WithTimeout(ctx, t.door.cfg.AckTimeout)
	defer cancel()
	err := t.batch.Append(ctx, partition, t.pending[partition])
	t.pending[partition] = t.pending[partition][:0]
	return err
}

// write waits until the log has everything, then writes the marks.
func (t *transaction) write(ctx context.Context) error {
	if t.answer.Taken == 0 {
		return nil
	}
	begun := time.Now()
	for p, b := range t.pending {
		if len(b) > 0 {
			if err := t.flush(ctx, p); err != nil {
				return err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, t.door.cfg.AckTimeout)
	defer cancel()
	if err := t.batch.Wait(ctx); err != nil {
		return err
	}
	t.door.metrics.ackTime.Observe(time.Since(begun).Seconds())
	if t.door.marks != nil {
		return t.door.marks.Write(ctx, t.marks)
	}
	return nil
}

// resolve answers for the records that other requests were about to take. It runs after this request's own claim is
// settled, so that two requests can't wait for each other.
func (t *transaction) resolve(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.door.cfg.AckTimeout)
	defer cancel()
	for _, l := range t.later {
		select {
		case <-l.other.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !l.other.ok {
			return errNotTaken
		}
		// A claim of its own: should the memory be so small that the record is forgotten already, it must not stay claimed.
		c := newClaim()
		v, _ := t.door.memory.ask(l.key, l.digest, c)
		t.door.memory.settle(c, false)
		switch v {
		case duplicate:
			t.answer.Duplicate++
		case conflict:
			t.refuse(l.index, conflictOf(l.record))
		default:
			return errNotTaken
		}
	}
	return nil
}
