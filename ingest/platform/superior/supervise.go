package superior

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// violation is what is read of a record of the violations topic.
type violation struct {
	ID     string        `json:"id"`
	State  string        `json:"state"` // open, closed, retracted
	Kind   string        `json:"kind"`
	Shadow string        `json:"shadow"` // settings on trial found it; empty: those in force
	Plate  string        `json:"plate"`
	Color  ingest.Color  `json:"color"`
	Start  platform.Time `json:"start"`
	End    platform.Time `json:"end"`
}

// alarm is a 0x1402 that a peer has sent.
type alarm struct {
	v      ingest.Vehicle
	kind   uint16
	at     int64 // Unix ms, of the alarm
	serial uint32
	info   uint32 // 2011
}

// alarms are the last alarms of a peer.
type alarms struct {
	mu   sync.Mutex
	max  int
	list list.List // of *alarm, latest first
	by   map[alarmKey]*list.Element
}

type alarmKey struct {
	v    ingest.Vehicle
	kind uint16
}

// add remembers an alarm; of a vehicle and kind the last.
func (a *alarms) add(n *alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[alarmKey]*list.Element{}
	}
	key := alarmKey{n.v, n.kind}
	if e := a.by[key]; e != nil {
		a.list.Remove(e)
	}
	a.by[key] = a.list.PushFront(n)
	if a.list.Len() > a.max {
		old := a.list.Remove(a.list.Back()).(*alarm)
		delete(a.by, alarmKey{old.v, old.kind})
	}
}

// near is how far an alarm and a violation may lie apart to be the same, ms.
const near = 5 * 60 * 1000

// find returns the alarm of the vehicle and kind about a time.
func (a *alarms) find(v ingest.Vehicle, kind uint16, at int64) (alarm, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.by[alarmKey{v, kind}]; e != nil {
		if n := e.Value.(*alarm); max(n.at-at, at-n.at) <= near {
			return *n, true
		}
	}
	return alarm{}, false
}

// info returns the alarm with an info_id, as the editions before 2019 have it.
func (a *alarms) info(id uint32) (alarm, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for e := a.list.Front(); e != nil; e = e.Next() {
		if n := e.Value.(*alarm); n.info == id {
			return *n, true
		}
	}
	return alarm{}, false
}

// takeAlarm takes 0x1402: an event of the vehicle, remembered for supervision.
func takeAlarm(w *worker, m *up) error {
	r := m.body.(*jt809.AlarmReport)
	if v := w.alarmVehicle(m, r.VehicleNo, r.VehicleColor); v != nil {
		n := &alarm{v: v.Vehicle, kind: r.WarnType, at: r.WarnTime.UnixMilli(), serial: m.h.Serial, info: r.InfoID}
		if n.at == 0 {
			n.at = w.received
		}
		w.p.alarms.add(n)
		id := r.InfoID
		if m.ed == jt809.Edition2019 {
			id = m.h.Serial
		}
		return w.eventOf(v, &ingest.Event{Kind: ingest.KindSafety, Time: r.WarnTime.UnixMilli(),
			Safety: &ingest.Safety{System: "platform", Kind: jt809.WarnName(r.WarnType), AlarmID: id, Speed: ingest.NoSpeed}})
	}
	w.p.s.logger.Info("a platform's alarm about no vehicle", "peer", w.p.cfg.Name, "type", jt809.WarnName(r.WarnType), "text", r.InfoContent.String())
	return nil
}

// alarmVehicle is the vehicle of an alarm: in the container, or in the body (2019); nil where it is about none.
func (w *worker) alarmVehicle(m *up, plate jt809.Text, color uint8) *vehicle {
	if m.v != nil {
		return m.v
	}
	e := jt809.Envelope{Plate: plate.Trimmed(), Color: color, HasVehicle: true}
	if e.Plate == "" {
		return nil
	}
	return w.p.vehicles.at(&e, w.p.s.partitions)
}

// takeAlarmResult takes 0x1403: in 2013 what became of an alarm, in 2019 a hint.
func takeAlarmResult(w *worker, m *up) error {
	r, ok := m.body.(*jt809.AlarmResult)
	if !ok {
		return takeNotice(w, m)
	}
	return w.handled(m, r.InfoID, r.Result)
}

// takeAlarmHandled takes 0x1412: what became of an alarm, 2019.
func takeAlarmHandled(w *worker, m *up) error {
	r := m.body.(*jt809.AlarmHandled)
	return w.handled(m, r.Serial, r.Result)
}

// handled notes what became of an alarm with the supervision that is about it, if there is one.
func (w *worker) handled(m *up, alarm uint32, result uint8) error {
	p := w.p
	p.asking.Lock()
	defer p.asking.Unlock()
	if alarm == 0 {
		return nil
	}
	about := func(r *platform.Request) bool { return bodyOf(r).Serial == alarm }
	if m.ed != jt809.Edition2019 { // a supervision does not name the alarm: vehicle, type and time tell
		a, known := p.alarms.info(alarm)
		about = func(r *platform.Request) bool {
			b := bodyOf(r)
			v, ok := r.Vehicle()
			return known && ok && v == a.v && b.Type == a.kind && max(a.at-int64(b.Time), int64(b.Time)-a.at) <= near
		}
	}
	r, ok := p.s.deps.Book.Find(func(r *platform.Request) bool { return p.urges(r) && about(r) })
	if !ok {
		p.s.logger.Debug("a platform has handled an alarm", "peer", p.cfg.Name, "alarm", alarm, "result", result)
		return nil
	}
	return p.supervised(&r, m, result)
}

// urges reports whether a request is a supervision that may be answered.
func (p *peer) urges(r *platform.Request) bool {
	return (r.State == platform.StateWaiting || r.State == platform.StateOverdue) && p.mine(r) && r.Kind == platform.KindSupervision
}

// supervisionBody is what a supervision says of its alarm: the serial in 2019, type and time before.
type supervisionBody struct {
	Serial uint32        `json:"src_msg_sn"`
	Type   uint16        `json:"warn_type"`
	Time   platform.Time `json:"warn_time"`
}

func bodyOf(r *platform.Request) (b supervisionBody) {
	if json.Unmarshal(r.Body, &b) != nil {
		return supervisionBody{}
	}
	return b
}

// takeSupervisionReply takes 0x1401.
func takeSupervisionReply(w *worker, m *up) error {
	b := m.body.(*jt809.SupervisionReply)
	p := w.p
	p.asking.Lock()
	defer p.asking.Unlock()
	var v *ingest.Vehicle
	if m.v != nil {
		v = &m.v.Vehicle
	}
	r, ok := p.find(m, v)
	if !ok && b.Source.Serial != 0 { // it names the alarm
		r, ok = p.s.deps.Book.Find(func(r *platform.Request) bool {
			return p.urges(r) && bodyOf(r).Serial == b.Source.Serial
		})
	}
	if !ok {
		p.s.logger.Info("an answer to no supervision of ours", "peer", p.cfg.Name, "supervision", b.SupervisionID)
		return nil
	}
	return p.supervised(&r, m, b.Result)
}

// supervised notes an answer to a supervision: "in progress" and "later" are not the last word. asking is held.
func (p *peer) supervised(r *platform.Request, m *up, result uint8) error {
	switch result {
	case jt809.HandlingDone, jt809.HandlingNotNeeded:
		return p.note(r, m, "")
	}
	text := jt809.AppendBodyJSON(nil, m.ed, m.body)
	note := "in progress"
	if result == jt809.HandlingLater {
		note = "to be handled later"
	} else if result != jt809.HandlingInProgress {
		note = "not handled"
	}
	if _, err := p.s.deps.Book.Progress(p.s.ctx, r.ID, text, m.id.String(), note); err != nil && p.s.ctx.Err() != nil {
		return err
	}
	return nil
}

// followViolations supervises what is found.
func (s *Superior) followViolations() {
	for s.closing.Err() == nil {
		err := s.deps.Violations.Follow(s.closing, s.takeViolation)
		if s.closing.Err() != nil {
			return
		}
		s.logger.Error("the violations can't be followed; trying again", "err", err)
		t := time.NewTimer(s.cfg.RedialDelay)
		select {
		case <-t.C:
		case <-s.closing.Done():
		}
		t.Stop()
	}
}

// takeViolation takes a record of the violations topic. A record that can't be read is passed over.
func (s *Superior) takeViolation(ctx context.Context, record []byte) error {
	var v violation
	if err := json.Unmarshal(record, &v); err != nil {
		s.logger.Warn("a violation that can't be read is not supervised", "err", err)
		return nil
	}
	if v.State == "retracted" || v.ID == "" || v.Shadow != "" { // what is only tried charges nobody
		return nil
	}
	id, err := ingest.NewVehicle(v.Plate, v.Color)
	if err != nil {
		return nil
	}
	for _, p := range s.peers {
		if !p.cfg.supervises(v.Kind) || p.vehicles.get(id) == nil {
			continue
		}
		if err := p.supervise(ctx, &v, id); err != nil {
			if ctx.Err() != nil || !errors.Is(err, platform.ErrOffline) {
				return fmt.Errorf("the supervision of violation %s by %s: %w", v.ID, p.cfg.Name, err)
			}
		}
	}
	return nil
}

// supervise has a peer handle a violation, once.
func (p *peer) supervise(ctx context.Context, v *violation, id ingest.Vehicle) error {
	if _, ok := p.s.deps.Book.Find(func(r *platform.Request) bool {
		return r.Violation == v.ID && p.mine(r) && r.Kind == platform.KindSupervision
	}); ok {
		return nil
	}
	c := &p.cfg.Supervise
	ed := p.ed()
	deadline := p.s.now().Add(c.Within)
	m := &jt809.Supervision{WarnSrc: jt809.WarnByGovernment, WarnType: platform.WarnType(v.Kind, ed), SrcPlatformID: jt808.GBK(p.cfg.PlatformID),
		WarnTime: jt809.SecondsOf(int64(v.Start)), SupervisionEndTime: jt809.SecondsOf(deadline.UnixMilli()), SupervisionLevel: c.Level,
		Supervisor: jt808.GBK(c.Supervisor), SupervisorTel: jt808.GBK(c.SupervisorTel), SupervisorEmail: jt808.GBK(c.SupervisorEmail)}
	r := platform.Request{Violation: v.ID, Deadline: deadline.UnixMilli(), Note: v.Kind}
	if ed == jt809.Edition2019 && p.route() != nil {
		if err := p.refer(&id, platform.WarnType(v.Kind, ed), v.Kind, int64(v.Start), int64(v.End), m); err != nil {
			p.s.logger.Debug("no hint of a violation could be sent", "peer", p.cfg.Name, "err", err)
		}
	}
	err := p.ask(ctx, &r, &id, jt809.IDSupervision, m, nil)
	if err != nil && r.ID != "" && ctx.Err() == nil { // it is noted as failed
		p.s.logger.Warn("a supervision could not be sent", "peer", p.cfg.Name, "violation", v.ID, "err", err)
		return nil
	}
	return err
}

// refer names the alarm that a supervision of 2019 is about, where there is no vehicle in it: the one that the peer has
// reported of the vehicle, or a hint (0x9402) that is sent before.
func (p *peer) refer(v *ingest.Vehicle, t uint16, kind string, start, end int64, m *jt809.Supervision) error {
	if a, ok := p.alarms.find(*v, t, start); ok {
		m.Source = jt809.Source{Type: jt809.IDAlarmReport, Serial: a.serial}
		return nil
	}
	tip := &jt809.AlarmTip{SrcPlatformID: m.SrcPlatformID, WarnType: t, WarnTime: m.WarnTime, StartTime: jt809.SecondsOf(start), EndTime: jt809.SecondsOf(end),
		VehicleNo: jt809.PlateOf(*v), VehicleColor: uint8(v.Color), WarnContent: jt808.GBK(kind)}
	serial, err := p.send(jt809.IDAlarmTip, nil, tip)
	if err == nil {
		m.Source = jt809.Source{Type: jt809.IDAlarmTip, Serial: serial}
	}
	return err
}

// tip is refer for a supervision that waited for the peer's login, whose note is the kind of the violation. asking is held.
func (p *peer) tip(v *ingest.Vehicle, m *jt809.Supervision, r *platform.Request) error {
	if m.Source.Serial != 0 || v.IsZero() {
		return nil
	}
	if err := p.refer(v, platform.WarnType(r.Note, jt809.Edition2019), r.Note, m.WarnTime.UnixMilli(), 0, m); err != nil {
		return err
	}
	r.Body = jt809.AppendBodyJSON(nil, jt809.Edition2019, m)
	return nil
}
