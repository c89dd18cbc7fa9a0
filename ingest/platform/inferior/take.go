package inferior

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// taker takes what the superior sends on one connection; every data message is taken on both links (7.5). The goroutine
// that reads the connection owns it.
type taker struct {
	p         *peer
	counts    *link.Metrics
	envelope  jt809.Envelope
	positions jt809.PositionReader
	batch     Batch // of positions that are not in the log yet; nil without a log
	pending   int
	event     ingest.Event
	payload   []byte
}

func (t *taker) init(p *peer, n int) {
	t.p, t.counts = p, p.counts[n]
	if p.i.deps.Log != nil {
		t.batch = p.i.deps.Log.NewBatch()
	}
}

// request is a message of the superior that is worked on apart from the reading.
type request struct {
	p       *peer
	id      jt809.MessageID // of the sub-message
	serial  uint32
	vehicle ingest.Vehicle
	has     bool // it means vehicle
	time    int64
	body    jt809.Body
	source  jt809.Source // for the answer
}

// take handles a data message.
func (t *taker) take(h *jt809.Header, body []byte) error {
	e, p := &t.envelope, t.p
	if err := e.Decode(h.ID, body, p.edition); err != nil {
		t.unknown(h, err)
		return nil
	}
	id := e.Message()
	p.receive(id, h)
	if id == jt809.IDPositionDown || id == jt809.IDPositionBatchDown {
		return t.takePositions(id)
	}
	m := jt809.NewBody(id, p.edition, len(e.Data))
	if m == nil {
		t.unknown(h, errors.New("the message is not known"))
		return nil
	}
	// What is decoded may alias the bytes, and outlives the call.
	if err := jt809.Decode(bytes.Clone(e.Data), p.edition, m); err != nil {
		t.unknown(h, err)
		return nil
	}
	r := &request{p: p, id: id, serial: h.Serial, time: h.Time, body: m, source: jt809.Source{Type: id, Serial: h.Serial}}
	if e.HasVehicle {
		var err error
		if r.vehicle, err = e.Vehicle(); err == nil {
			r.has = true
		} else if e.Plate.Trimmed() != "" {
			t.unknown(h, err)
			return nil
		}
	}
	if !r.known() {
		t.unknown(h, errors.New("the message is none that a superior sends"))
		return nil
	}
	p.metrics.requests.WithLabelValues(kindOf(id)).Inc()
	p.do(r.do)
	return nil
}

// unknown counts what can't be read; the link stays open (section 24 of the field reference).
func (t *taker) unknown(h *jt809.Header, err error) {
	t.counts.Unknown()
	t.p.log.Debug("a message of the superior was passed over", "message", t.envelope.Message(), "id", h.ID, "serial", h.Serial, "err", err)
}

// describe is a small body for the log.
func (t *taker) describe(h *jt809.Header, body []byte) string {
	m := jt809.NewBody(h.ID, t.p.edition, len(body))
	if m == nil || jt809.Decode(body, t.p.edition, m) != nil {
		return ""
	}
	return string(jt809.AppendBodyJSON(nil, t.p.edition, m))
}

// receive remembers the last serial of each message, for 0x1103.
func (p *peer) receive(id jt809.MessageID, h *jt809.Header) {
	if p.edition != jt809.Edition2019 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.received[id]; ok || len(p.received) < maxReceived {
		p.received[id] = serialAt{h.Serial, h.Time}
	}
}

// maxReceived bounds the messages whose serials are remembered; 0x1103 counts them in one byte.
const maxReceived = 255

// takePositions writes positions of visiting vehicles to the log.
func (t *taker) takePositions(id jt809.MessageID) error {
	p, e := t.p, &t.envelope
	v, err := e.Vehicle()
	if err != nil {
		t.counts.Unknown()
		return nil
	}
	if err := p.visit(v); err != nil {
		return err
	}
	now := p.i.now().UnixMilli()
	for err = t.positions.Reset(id, e.Data, p.edition); err == nil; {
		var ok bool
		if ok, err = t.positions.Next(&t.event); !ok {
			break
		}
		if t.event.Time == 0 {
			p.stats.bad.Add(1)
			continue
		}
		p.metrics.visiting.Inc()
		if t.batch == nil {
			continue
		}
		t.event.Vehicle, t.event.Received = v, now
		t.payload = ingest.AppendEvent(t.payload[:0], &t.event)
		if err := t.batch.Append(p.i.hard, v.Partition(p.i.deps.Log.Partitions()), t.payload); err != nil {
			return err
		}
		t.pending++
	}
	if err != nil {
		t.counts.Unknown()
		p.log.Debug("positions of the superior can't be read", "vehicle", v, "err", err)
	}
	return nil
}

// Drained waits until the positions of one read are in the log: so its slowness slows the superior.
func (t *taker) Drained() error {
	if t.pending == 0 {
		return nil
	}
	t.pending = 0
	return t.batch.Wait(t.p.i.hard)
}

// handlers are what is done with the messages down, in order and apart from the reading.
var handlers = map[jt809.MessageID]func(r *request, ctx context.Context) error{
	jt809.IDInspection:     (*request).inspection,
	jt809.IDPlatformText:   (*request).platformText,
	jt809.IDRetransmitDown: (*request).retransmit,

	jt809.IDSupervision:   (*request).supervision,
	jt809.IDAlarmTip:      (*request).report,
	jt809.IDAlarmExchange: (*request).report,

	jt809.IDRegistrationReply: (*request).registrationReply,
	jt809.IDVehicleInfo:       (*request).report,
	jt809.IDExchangeStart:     (*request).exchangeStart,
	jt809.IDExchangeEnd:       (*request).exchangeEnd,
	jt809.IDApplyStartReply:   (*request).answered,
	jt809.IDApplyEndReply:     (*request).answered,
	jt809.IDApplyHistoryReply: (*request).answered,
	jt809.IDDriverQuery:       (*request).driverQuery,
	jt809.IDWaybillQuery:      (*request).waybillQuery,
	jt809.IDRouteQuery:        (*request).routeQuery,
	jt809.IDRouteAck:          (*request).answered,
	jt809.IDRouteExchange:     (*request).report,

	jt809.IDStaticQuery: (*request).staticQuery,

	jt809.IDTokenReply:         (*request).answered,
	jt809.IDRecordingListReply: (*request).answered,
	jt809.IDDownloadDoneReply:  (*request).answered,

	jt809.IDPositionCount:    (*request).counted,
	jt809.IDPositionCountUp:  (*request).counted,
	jt809.IDTransferQuery:    (*request).transferQuery,
	jt809.IDSerialNoticeDown: (*request).serialNotice,
}

// routed reports whether the message is a request for a vehicle that is carried to it.
func routed(id jt809.MessageID) bool {
	info, ok := id.Info()
	if !ok || info.Answer == 0 || info.Up {
		return false
	}
	c := id.Container()
	return c == jt809.IDControlDown || c >= jt809.IDVideoDown && c <= jt809.IDDownloadDown
}

func (r *request) known() bool { return handlers[r.id] != nil || routed(r.id) }

func (r *request) do(ctx context.Context) {
	if routed(r.id) {
		r.route()
		return
	}
	if err := handlers[r.id](r, ctx); err != nil {
		r.p.log.Error("a request of the superior could not be handled", "message", r.id, "name", r.id.Name(), "err", err)
	}
}

// entry is the request for the book.
func (r *request) entry() platform.Request {
	b := platform.Request{Role: platform.RoleInferior, Platform: r.p.cfg.Name, Kind: kindOf(r.id), Message: r.id.String(), Serial: r.serial,
		Asked: r.p.i.now().UnixMilli(), State: platform.StateWaiting, Body: jt809.AppendBodyJSON(nil, r.p.edition, r.body)}
	if r.has {
		b.Plate, b.Color = r.vehicle.Plate(), r.vehicle.Color
	}
	return b
}

// put writes a request to the book with the answer that it got already; m nil: none is due.
func (r *request) put(ctx context.Context, b platform.Request, id jt809.MessageID, m jt809.Body) error {
	b.State, b.Answered = platform.StateAnswered, r.p.i.now().UnixMilli()
	if m != nil {
		b.AnswerMessage, b.Answer = id.String(), jt809.AppendBodyJSON(nil, r.p.edition, m)
	}
	return r.p.i.deps.Book.Put(ctx, &b)
}

// report notes what the superior tells and nobody answers.
func (r *request) report(ctx context.Context) error {
	b := r.entry()
	b.Kind = platform.KindReport
	return r.put(ctx, b, 0, nil)
}

// reply answers with the vehicle of the request.
func (r *request) reply(id jt809.MessageID, m jt809.Body) error {
	e := envelope(id)
	if r.has {
		e.SetVehicle(r.vehicle)
	}
	_, err := r.p.reply(e, m)
	return err
}

// answered finds the request of ours that the message answers, and notes the answer.
func (r *request) answered(ctx context.Context) error {
	r.p.asking.Lock() // a request that was just sent is in the book after this
	//lint:ignore SA2001 only the wait for who holds it is wanted
	r.p.asking.Unlock()
	asked := jt809.MessageID(0)
	for _, id := range jt809.MessageIDs() {
		if info, _ := id.Info(); info.Answer == r.id && info.Up {
			asked = id
		}
	}
	source, bySerial := sourceOf(r.body)
	plate := ""
	if r.has {
		plate = r.vehicle.Plate()
	}
	find := func(exact bool) (platform.Request, bool) {
		return r.p.i.deps.Book.Find(func(b *platform.Request) bool {
			return b.Role == platform.RoleInferior && b.Platform == r.p.cfg.Name && strings.EqualFold(b.Message, asked.String()) && !b.Done() &&
				(!exact || b.Serial == source.Serial) && (!r.has || b.Plate == plate && b.Color == r.vehicle.Color)
		})
	}
	b, ok := platform.Request{}, false
	if bySerial && r.p.edition == jt809.Edition2019 {
		b, ok = find(true)
	}
	if !ok {
		b, ok = find(false)
	}
	if !ok {
		r.p.log.Debug("an answer of the superior belongs to no request", "message", r.id, "vehicle", r.vehicle)
		return nil
	}
	_, err := r.p.i.deps.Book.Answer(ctx, b.ID, jt809.AppendBodyJSON(nil, r.p.edition, r.body), r.id.String(), r.p.i.now())
	return err
}

// sourceOf returns the field of an answer that names its request.
func sourceOf(m jt809.Body) (s jt809.Source, ok bool) {
	if p := source(m); p != nil {
		return *p, true
	}
	return s, false
}

// source is the place of that field; nil where the message has none.
func source(m jt809.Body) *jt809.Source {
	switch m := m.(type) {
	case *jt809.ApplyReply:
		return &m.Source
	case *jt809.RegistrationReply:
		return &m.Source
	case *jt809.ExchangeReply:
		return &m.Source
	case *jt809.DriverReply:
		return &m.Source
	case *jt809.WaybillReply:
		return &m.Source
	case *jt809.StaticData:
		return &m.Source
	case *jt809.ControlReply:
		return &m.Source
	case *jt809.PhotoReply:
		return &m.Source
	case *jt809.VehicleTextReply:
		return &m.Source
	case *jt809.RecorderReply:
		return &m.Source
	}
	return nil
}

// registrationReply is the answer of 2019 to 0x1201; a refusal is worth telling.
func (r *request) registrationReply(context.Context) error {
	if m, ok := r.body.(*jt809.RegistrationReply); ok && m.Result > 1 {
		r.p.log.Warn("the superior did not register a vehicle", "result", m.Result, "serial", m.Serial)
	}
	return nil
}

// counted is how many positions the superior says it has received.
func (r *request) counted(context.Context) error {
	if m, ok := r.body.(*jt809.PositionCount); ok {
		r.p.mu.Lock()
		r.p.counted = uint64(m.Total)
		r.p.mu.Unlock()
	}
	return nil
}

func (r *request) transferQuery(context.Context) error {
	if m, ok := r.body.(*jt809.TransferQuery); ok {
		r.p.takeTransferQuery(m)
	}
	return nil
}

// serialNotice goes on after the serials that the superior received last, where ours have begun anew.
func (r *request) serialNotice(context.Context) error {
	m, ok := r.body.(*jt809.SerialNotice)
	if !ok || r.p.edition != jt809.Edition2019 {
		return nil
	}
	have := map[link.Message]uint32{}
	for _, s := range r.p.serials.Snapshot() {
		have[s.Message] = s.Last
	}
	for _, i := range m.Items {
		key := link.Message{ID: i.SubType.Container(), Sub: i.SubType}
		if key.ID == 0 || key.ID == i.SubType {
			key = link.Message{ID: i.SubType}
		}
		if have[key] < i.MsgSN {
			r.p.serials.Set(key.ID, key.Sub, i.MsgSN)
		}
	}
	return nil
}

// announce tells a superior of 2019 the serials that were received last (step 5 of 7.2), asks for the positions of
// visiting vehicles that an outage has cost, and begins to count.
func (s *mainLink) announce() {
	p := s.p
	if p.edition == jt809.Edition2019 {
		m := &jt809.SerialNotice{}
		p.mu.Lock()
		for _, id := range jt809.MessageIDs() {
			if at, ok := p.received[id]; ok && len(m.Items) < maxReceived {
				m.Items = append(m.Items, jt809.SerialItem{SubType: id, MsgSN: at.serial, Time: jt809.Seconds(max(at.time, 0))})
			}
		}
		p.mu.Unlock()
		s.conn.Send(&jt809.Envelope{ID: jt809.IDSerialNoticeUp}, m)
	}
	p.mu.Lock()
	cut := p.cutAt
	p.cutAt = 0
	var missed []ingest.Vehicle
	if cut != 0 {
		for v := range p.visitors {
			if len(missed) < maxMissedVisitors {
				missed = append(missed, v)
			}
		}
	}
	p.mu.Unlock()
	if len(missed) == 0 {
		return
	}
	now := p.i.now()
	p.do(func(ctx context.Context) {
		for n := range missed {
			m := &jt809.Period{Start: jt809.SecondsOf(cut), End: jt809.SecondsOf(now.UnixMilli())}
			if _, err := p.i.Do(ctx, p.cfg.Name, &missed[n], jt809.IDApplyHistory, m, now.Add(p.i.cfg.AnswerWithin)); err != nil {
				p.log.Warn("the positions of a visiting vehicle could not be asked for", "vehicle", missed[n], "err", err)
				return
			}
		}
	})
}

// maxMissedVisitors bounds the 0x1209 after an outage.
const maxMissedVisitors = 1000
