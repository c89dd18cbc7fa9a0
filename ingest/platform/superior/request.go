package superior

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// kindOf is the kind of a request.
func kindOf(id jt809.MessageID) string {
	switch {
	case id == jt809.IDInspection:
		return platform.KindInspection
	case id == jt809.IDSupervision:
		return platform.KindSupervision
	case id == jt809.IDPlatformText:
		return platform.KindText
	case id == jt809.IDStaticQuery:
		return platform.KindStatic
	case id&0xff00 == jt809.IDAlarmDown, id == jt809.IDVehicleInfo, id == jt809.IDRouteExchange:
		return platform.KindReport
	case id&0xff00 == jt809.IDControlDown:
		return platform.KindControl
	case id&0xff00 >= jt809.IDTokenDown:
		return platform.KindVideo
	}
	return platform.KindExchange
}

// unsent reports whether a supervision waits for the platform's next login. One that was sent, but not noted as such for a
// crash between, is sent again.
func unsent(r *platform.Request) bool {
	return r.Kind == platform.KindSupervision && r.Violation != "" && r.State == platform.StateWaiting && r.Serial == 0
}

// Do sends a message to a peer and returns what is noted of it: v is nil where it is about no vehicle. The answer, or that
// none came by the deadline, is noted later; without a deadline it is the one of the settings. What can't be sent is noted
// as failed, with the error.
func (s *Superior) Do(ctx context.Context, peerName string, v *ingest.Vehicle, id jt809.MessageID, m jt809.Body, deadline time.Time) (platform.Request, error) {
	p := s.byName[peerName]
	if p == nil {
		return platform.Request{}, fmt.Errorf("%w: %q", platform.ErrNoPeer, peerName)
	}
	info, ok := id.Info()
	if !ok || info.Up || id < 0x9102 || id.IsContainer() {
		return platform.Request{}, fmt.Errorf("%w: %v", ErrDirection, id)
	}
	r := platform.Request{}
	if deadline.IsZero() {
		deadline = s.now().Add(s.cfg.AnswerTimeout)
	}
	r.Deadline = deadline.UnixMilli()
	if b, ok := m.(*jt809.Inspection); ok && b.AnswerTime == 0 {
		b.AnswerTime = seconds(deadline.Sub(s.now()))
	}
	if b, ok := m.(*jt809.Supervision); ok && v != nil && b.Source.Serial == 0 && p.ed() == jt809.Edition2019 && p.route() != nil {
		if err := p.refer(v, b.WarnType, jt809.WarnName(b.WarnType), b.WarnTime.UnixMilli(), 0, b); err != nil {
			return platform.Request{}, err
		}
	}
	err := p.ask(ctx, &r, v, id, m, nil)
	return r, err
}

// Answer implements platform.Side: a superior platform is asked nothing that staff answers.
func (s *Superior) Answer(context.Context, string, json.RawMessage) error {
	return platform.ErrUnsupported
}

// fill gives a message what only the sender knows: the number that its answer repeats.
func (s *Superior) fill(m jt809.Body) (number uint32) {
	next := func(n *uint32) uint32 {
		if *n == 0 {
			*n = s.number.Add(1)
		}
		return *n
	}
	switch m := m.(type) {
	case *jt809.Inspection:
		return next(&m.InfoID)
	case *jt809.PlatformText:
		return next(&m.InfoID)
	case *jt809.Supervision:
		return next(&m.SupervisionID)
	case *jt809.VehicleText:
		return next(&m.MsgSequence)
	case *jt809.DownloadControl:
		return uint32(m.SessionID)
	}
	return 0
}

// ask notes a request, sends it, and notes under which serial. r has what is special to it; what is common is filled in.
// heard is told the answer, where it is not nil.
func (p *peer) ask(ctx context.Context, r *platform.Request, v *ingest.Vehicle, id jt809.MessageID, m jt809.Body, heard chan<- heardAnswer) error {
	s := p.s
	// Answers are taken when the request is noted with its serial, so none is missed.
	p.asking.Lock()
	defer p.asking.Unlock()
	ed := p.ed()
	info, _ := id.Info()
	r.Role, r.Platform, r.Kind, r.Message = platform.RoleSuperior, p.cfg.Name, kindOf(id), id.String()
	r.Asked = s.now().UnixMilli()
	if v != nil {
		r.Plate, r.Color = v.Plate(), v.Color
	}
	if n := s.fill(m); n != 0 && r.Number == 0 {
		r.Number = n
	}
	if m != nil {
		r.Body = jt809.AppendBodyJSON(nil, ed, m)
	}
	if info.Answer != 0 && v != nil && ed != jt809.Edition2019 && id&0xff00 != jt809.IDAlarmDown && id != jt809.IDVehicleText && p.open(r) {
		return ErrBusy // nothing in the answer would tell which of them it is of
	}
	if info.Answer == 0 {
		r.Deadline = 0
	}
	if err := s.deps.Book.Put(ctx, r); err != nil {
		return fmt.Errorf("the request could not be noted: %w", err)
	}
	if heard != nil {
		s.answers.add(r.ID, heard)
	}
	return p.transmit(ctx, r, v, id, m)
}

// transmit sends a request that is noted. asking is held.
func (p *peer) transmit(ctx context.Context, r *platform.Request, v *ingest.Vehicle, id jt809.MessageID, m jt809.Body) error {
	s := p.s
	info, _ := id.Info()
	serial, err := p.send(id, v, m)
	switch {
	case errors.Is(err, platform.ErrOffline) && unsent(r):
		return nil
	case err != nil:
		if failed, e := s.deps.Book.Fail(ctx, r.ID, err.Error()); e == nil {
			*r = failed
		}
	default:
		s.metrics.requests.WithLabelValues(p.cfg.Name, r.Kind).Inc()
		r.Serial = serial
		if info.Answer == 0 {
			r.State, r.Answered = platform.StateAnswered, s.now().UnixMilli()
		}
		err = s.deps.Book.Put(ctx, r)
	}
	return err
}

// open reports whether a request of the same message for the same vehicle waits.
func (p *peer) open(r *platform.Request) bool {
	_, ok := p.s.deps.Book.Find(func(o *platform.Request) bool {
		return o.State == platform.StateWaiting && p.mine(o) && o.Message == r.Message && o.Plate == r.Plate && o.Color == r.Color
	})
	return ok
}

func (p *peer) mine(r *platform.Request) bool {
	return r.Role == platform.RoleSuperior && r.Platform == p.cfg.Name
}

// requestsOf are the messages that an answer may answer.
func requestsOf(answer jt809.MessageID) []string {
	switch answer {
	case jt809.IDRouteReport, jt809.IDRouteReply:
		return []string{jt809.IDRouteQuery.String()}
	case jt809.IDDownloadControlReply:
		return []string{jt809.IDDownloadControl.String()}
	case jt809.IDDriverReport, jt809.IDWaybillReport: // unasked, and sent as an answer by some
		return []string{(answer - 0x120C + 0x920A).String()}
	}
	for _, id := range jt809.MessageIDs() {
		if m, _ := id.Info(); m.Answer == answer && !m.Up {
			return []string{id.String()}
		}
	}
	return nil
}

// find finds the request that an answer is of, by 7.9: in 2019 by the serial of the request, before that, and where that
// is not known, by number or vehicle. What is overdue may be answered still.
func (p *peer) find(m *up, v *ingest.Vehicle) (platform.Request, bool) {
	messages := requestsOf(m.id)
	if len(messages) == 0 {
		return platform.Request{}, false
	}
	source, number, byVehicle := keyOf(m.body)
	plate, color := "", ingest.Color(0)
	if v != nil {
		plate, color = v.Plate(), v.Color
	}
	try := func(fit func(r *platform.Request) bool) (platform.Request, bool) {
		return p.s.deps.Book.Find(func(r *platform.Request) bool {
			return (r.State == platform.StateWaiting || r.State == platform.StateOverdue) && p.mine(r) && r.Message == messages[0] && fit(r)
		})
	}
	if source.Serial != 0 {
		if r, ok := try(func(r *platform.Request) bool { return r.Serial == source.Serial }); ok {
			return r, true
		}
	}
	if number != 0 {
		if r, ok := try(func(r *platform.Request) bool { return r.Number == number }); ok || !byVehicle {
			return r, ok
		}
	}
	if byVehicle && (plate != "" || source.Serial == 0) {
		return try(func(r *platform.Request) bool { return r.Plate == plate && r.Color == color })
	}
	return platform.Request{}, false
}

// keyOf is what an answer names its request by.
func keyOf(b jt809.Body) (source jt809.Source, number uint32, byVehicle bool) {
	switch b := b.(type) {
	case *jt809.InspectionReply:
		return b.Source, b.InfoID, false
	case *jt809.PlatformTextReply:
		return b.Source, b.InfoID, false
	case *jt809.VehicleTextReply:
		return b.Source, b.MsgID, false
	case *jt809.SupervisionReply:
		return jt809.Source{Serial: b.SupervisionID}, b.SupervisionID, false
	case *jt809.ExchangeReply:
		return b.Source, 0, true
	case *jt809.DriverReply:
		return b.Source, 0, true
	case *jt809.WaybillReply:
		return b.Source, 0, true
	case *jt809.ControlReply:
		return b.Source, 0, true
	case *jt809.PhotoReply:
		return b.Source, 0, true
	case *jt809.RecorderReply:
		return b.Source, 0, true
	case *jt809.StaticData:
		return b.Source, 0, true
	}
	return jt809.Source{}, 0, true
}

// takeAnswer takes what answers a request and is nothing else.
func takeAnswer(w *worker, m *up) error { return w.answered(m, "") }

// answered notes an answer with its request; more are members of its JSON besides. It blocks while the log is slow, as
// events do.
func (w *worker) answered(m *up, more string) error {
	p := w.p
	p.asking.Lock()
	defer p.asking.Unlock()
	var v *ingest.Vehicle
	if m.v != nil {
		v = &m.v.Vehicle
	}
	r, ok := p.find(m, v)
	if !ok {
		p.s.logger.Debug("an answer to nothing that was asked", "peer", p.cfg.Name, "id", m.id)
		return nil
	}
	return p.note(&r, m, more)
}

// note notes the final answer of a request.
func (p *peer) note(r *platform.Request, m *up, more string) error {
	text := jt809.AppendBodyJSON(nil, m.ed, m.body)
	if more != "" && len(text) > 1 && text[len(text)-1] == '}' {
		text = text[:len(text)-1]
		if !bytes.HasSuffix(text, []byte("{")) {
			text = append(text, ',')
		}
		text = append(append(text, more...), '}')
	}
	_, err := p.s.deps.Book.Answer(p.s.ctx, r.ID, text, m.id.String(), p.s.now())
	if err != nil {
		if p.s.ctx.Err() != nil {
			return err
		}
		p.s.logger.Warn("a platform's answer could not be noted", "peer", p.cfg.Name, "request", r.ID, "id", m.id, "err", err)
	}
	p.s.answers.tell(r.ID, heardAnswer{m.body, m.id})
	return nil
}

// heardAnswer is an answer as it came, for who waits for it.
type heardAnswer struct {
	body jt809.Body
	id   jt809.MessageID
}

// waiters are those who wait for the answer to a request.
type waiters struct {
	mu sync.Mutex
	by map[string]chan<- heardAnswer
}

func (ws *waiters) add(id string, c chan<- heardAnswer) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.by == nil {
		ws.by = map[string]chan<- heardAnswer{}
	}
	ws.by[id] = c
}

// tell hands over the answer; the channel has room for it.
func (ws *waiters) tell(id string, a heardAnswer) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if c := ws.by[id]; c != nil {
		c <- a
		delete(ws.by, id)
	}
}

func (ws *waiters) drop(id string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.by, id)
}

// DoVehicle sends a request to the peer that reported the vehicle last, and waits for the answer. ed is the edition that
// the message came in; it goes in that of the peer.
func (s *Superior) DoVehicle(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, _ jt809.Edition, m jt809.Body) (jt809.Body, jt809.MessageID, error) {
	p := s.reporter(v, nil)
	if p == nil {
		return nil, 0, ErrUnknown
	}
	info, ok := id.Info()
	if !ok || info.Up || info.Answer == 0 || id < 0x9200 {
		return nil, 0, fmt.Errorf("%w: %v", ErrDirection, id)
	}
	deadline := s.now().Add(s.cfg.AnswerTimeout)
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AnswerTimeout)
	defer cancel()
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	heard := make(chan heardAnswer, 1)
	r := platform.Request{Deadline: deadline.UnixMilli()}
	if err := p.ask(ctx, &r, &v, id, m, heard); err != nil {
		s.answers.drop(r.ID)
		return nil, 0, err
	}
	select {
	case a := <-heard:
		return a.body, a.id, nil
	case <-ctx.Done():
		s.answers.drop(r.ID)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, 0, ErrNoAnswer
		}
		return nil, 0, ctx.Err()
	}
}

// sendStored sends the supervisions that waited for the peer's login.
func (p *peer) sendStored() {
	for p.s.closing.Err() == nil {
		p.asking.Lock()
		r, ok := p.s.deps.Book.Find(func(r *platform.Request) bool {
			return p.mine(r) && unsent(r)
		})
		if !ok {
			p.asking.Unlock()
			return
		}
		err := p.sendOne(&r)
		p.asking.Unlock()
		if err != nil {
			p.s.logger.Warn("a request that waited for a platform's login could not be sent", "peer", p.cfg.Name, "request", r.ID, "err", err)
			return
		}
		if unsent(&r) {
			return // the link is gone again
		}
	}
}

func (p *peer) sendOne(r *platform.Request) error {
	v, _ := r.Vehicle()
	m := &jt809.Supervision{}
	if err := jt809.FillBody(m, p.ed(), r.Body); err != nil {
		_, err = p.s.deps.Book.Fail(p.s.closing, r.ID, "the edition of the platform has changed: "+err.Error())
		return err
	}
	if p.ed() == jt809.Edition2019 {
		if err := p.tip(&v, m, r); err != nil {
			return err
		}
	}
	return p.transmit(p.s.closing, r, &v, jt809.IDSupervision, m)
}
