package inferior

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/internal/bus"
)

// violation is what is read of a record of the violations topic.
type violation struct {
	ID       string       `json:"id"`
	State    string       `json:"state"`
	Kind     string       `json:"kind"`
	Shadow   string       `json:"shadow"` // settings on trial found it; empty: those in force
	Plate    string       `json:"plate"`
	Color    ingest.Color `json:"color"`
	Start    time.Time    `json:"start"`
	End      *time.Time   `json:"end"`
	Measured *float64     `json:"measured"`
	Limit    *float64     `json:"limit"`
	Unit     *string      `json:"unit"`
}

// alarm is a violation that was reported.
type alarm struct {
	violation string
	vehicle   ingest.Vehicle
	kind      uint16 // warn_type
	info      uint32 // info_id
	serial    uint32 // msg_sn of its 0x1402
	at        int64  // warn_time, Unix s
	offset    int64  // of its record in the log
}

// alarmMemory holds the alarms that were reported last, oldest first. Its lock is the last in the order: nothing is locked or
// waited for while it is held.
type alarmMemory struct {
	mu    sync.Mutex
	limit int
	list  []alarm
	by    map[string]bool // violations in list
}

func (m *alarmMemory) add(a alarm) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[string]bool{}
	}
	if m.by[a.violation] { // sent again: the serial is another
		m.list = slices.DeleteFunc(m.list, func(b alarm) bool { return b.violation == a.violation })
	}
	if len(m.list) >= m.limit {
		for _, old := range m.list[:len(m.list)-m.limit+1] {
			delete(m.by, old.violation)
		}
		m.list = append(m.list[:0], m.list[len(m.list)-m.limit+1:]...)
	}
	m.list = append(m.list, a)
	m.by[a.violation] = true
}

// find returns the latest alarm that fits.
func (m *alarmMemory) find(fits func(a *alarm) bool) (alarm, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := len(m.list) - 1; n >= 0; n-- {
		if fits(&m.list[n]) {
			return m.list[n], true
		}
	}
	return alarm{}, false
}

// takeViolations reports the violations of a batch that have opened.
func (p *peer) takeViolations(ctx context.Context, r *run, part partition, batch []bus.Message) error {
	for n := range batch {
		m := &batch[n]
		if len(m.Value) == 0 {
			continue
		}
		var v violation
		if err := json.Unmarshal(m.Value, &v); err != nil {
			p.i.metrics.undecodable.Inc()
			p.log.Error("a violation of the log can't be read and is passed over", "partition", m.Partition, "offset", m.Offset, "err", err)
			continue
		}
		if v.State != "open" || v.Shadow != "" || // what is only tried is nobody's alarm
			!slices.Contains(p.cfg.Alarms.Kinds, "all") && !slices.Contains(p.cfg.Alarms.Kinds, v.Kind) {
			continue
		}
		vehicle, err := ingest.NewVehicle(v.Plate, v.Color)
		if err != nil {
			continue
		}
		if chosen, _ := p.chosen(&vehicle); !chosen {
			continue
		}
		if err := p.reportAlarm(ctx, r, &v, vehicle, m.Offset); err != nil {
			return err
		}
	}
	return nil
}

// infoID is the alarm's id for the superior: of the violation's, so that it is the same when it is sent again.
func infoID(violation string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(violation))
	return h.Sum32()
}

// reportAlarm sends 0x1402. A later record of a violation that is open says that it has opened again, or was written twice:
// it was reported already. The same record again means that its report was not proven.
func (p *peer) reportAlarm(ctx context.Context, r *run, v *violation, vehicle ingest.Vehicle, offset int64) error {
	a := alarm{violation: v.ID, vehicle: vehicle, kind: p.warnType(v.Kind), info: infoID(v.ID), at: v.Start.Unix(), offset: offset}
	old, again := p.alarms.find(func(b *alarm) bool { return b.violation == v.ID })
	if again && old.offset < offset {
		return nil
	}
	at := jt809.SecondsOf(v.Start.UnixMilli())
	m := &jt809.AlarmReport{WarnSrc: warnSrcPlatform, SrcPlatformID: jt808.Text(p.cfg.PlatformID), WarnType: a.kind, WarnTime: at, StartTime: at, EndTime: at,
		VehicleNo: jt809.PlateOf(vehicle), VehicleColor: uint8(vehicle.Color), InfoID: a.info, InfoContent: jt808.GBK(alarmText(v))}
	if v.End != nil {
		m.EndTime = jt809.SecondsOf(v.End.UnixMilli())
	}
	e := envelope(jt809.IDAlarmReport)
	if !p.edition.Has(jt809.FeatureBareAlarms) {
		e.SetVehicle(vehicle)
	}
	// It is remembered before it leaves: a quick superior supervises it at once.
	_, err := r.sendBodyThen(ctx, e, m, func(serial uint32) {
		a.serial = serial
		p.alarms.add(a)
	})
	if err == nil {
		p.metrics.alarms.Inc()
	}
	return err
}

// warnSrcPlatform is warn_src 2: the enterprise's platform.
const warnSrcPlatform = 2

// supervision takes 0x9401 (督办): it waits in the book for what staff makes of it; the superior hears at once that it is
// in progress.
func (r *request) supervision(ctx context.Context) error {
	m, ok := r.body.(*jt809.Supervision)
	if !ok {
		return errors.New("not a supervision")
	}
	p, now := r.p, r.p.i.now()
	b := r.entry()
	b.Number = m.SupervisionID
	if b.Number == 0 {
		b.Number = r.serial
	}
	b.Deadline = now.Add(p.i.cfg.AnswerWithin).UnixMilli()
	if m.SupervisionEndTime > 0 && m.SupervisionEndTime.UnixMilli() < maxTime {
		b.Deadline = m.SupervisionEndTime.UnixMilli()
	}
	if a, ok := p.alarmOf(m, r); ok {
		b.Violation, b.Plate, b.Color = a.violation, a.vehicle.Plate(), a.vehicle.Color
	}
	reply := supervisionReply(m, r.serial, platform.SupervisionInProgress)
	b.AnswerMessage, b.Answer = jt809.IDSupervisionReply.String(), jt809.AppendBodyJSON(nil, p.edition, reply)
	if err := p.i.deps.Book.Put(ctx, &b); err != nil {
		return err
	}
	p.log.Info("a supervision waits for an answer of staff", "request", b.ID, "plate", b.Plate, "violation", b.Violation)
	return p.replySupervision(r.has, r.vehicle, reply)
}

// maxTime is the end of the year 9000: a deadline beyond it is no time.
const maxTime = 221845392000000

// replySupervision sends 0x1401, with a vehicle in the container where the edition has one.
func (p *peer) replySupervision(has bool, v ingest.Vehicle, m *jt809.SupervisionReply) error {
	e := envelope(jt809.IDSupervisionReply)
	if has && !p.edition.Has(jt809.FeatureBareAlarms) {
		e.SetVehicle(v)
	}
	_, err := p.reply(e, m)
	return err
}

func supervisionReply(m *jt809.Supervision, serial uint32, result platform.SupervisionResult) *jt809.SupervisionReply {
	id := m.SupervisionID
	if id == 0 {
		id = serial
	}
	return &jt809.SupervisionReply{SupervisionID: id, Source: m.Source, Result: uint8(result)}
}

// alarmOf finds the alarm that is supervised: by the serial of its 0x1402, else by vehicle, type and time.
func (p *peer) alarmOf(m *jt809.Supervision, r *request) (alarm, bool) {
	if p.edition == jt809.Edition2019 && m.Source.Type == jt809.IDAlarmReport && m.Source.Serial != 0 {
		if a, ok := p.alarms.find(func(a *alarm) bool { return a.serial == m.Source.Serial }); ok {
			return a, true
		}
	}
	at := m.WarnTime.UnixMilli() / 1000
	if a, ok := p.alarms.find(func(a *alarm) bool { return r.has && a.vehicle == r.vehicle && a.info == m.SupervisionID }); ok {
		return a, true
	}
	return p.alarms.find(func(a *alarm) bool {
		return r.has && a.vehicle == r.vehicle && (m.WarnType == 0 || a.kind == m.WarnType) && max(a.at-at, at-a.at) <= sameAlarm
	})
}

// sameAlarm is how far apart in seconds the times of an alarm may be for the superior and for us.
const sameAlarm = 1

// answerSupervision sends the case's outcome: 0x1401, and where the alarm is ours its result too (0x1403 in 2013, 0x1412
// in 2019).
func (p *peer) answerSupervision(ctx context.Context, b *platform.Request, raw json.RawMessage) error {
	var a platform.SupervisionAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	m := &jt809.Supervision{}
	if err := jt809.FillBody(m, p.edition, b.Body); err != nil {
		return fmt.Errorf("the supervision in the book can't be read: %w", err)
	}
	v, has := b.Vehicle()
	reply := supervisionReply(m, b.Serial, a.Result)
	e := envelope(jt809.IDSupervisionReply)
	if has && !p.edition.Has(jt809.FeatureBareAlarms) {
		e.SetVehicle(v)
	}
	if _, err := p.send(ctx, &e, reply); err != nil {
		return err
	}
	answer := jt809.AppendBodyJSON(nil, p.edition, reply)
	if a.Result == platform.SupervisionInProgress {
		// Not the end: the request goes on waiting.
		_, err := p.i.deps.Book.Progress(ctx, b.ID, answer, jt809.IDSupervisionReply.String(), a.Note)
		return err
	}
	if b.Violation != "" {
		if err := p.sendOutcome(ctx, b, m, v, uint8(a.Result)); err != nil {
			return err
		}
	}
	_, err := p.i.deps.Book.Answer(ctx, b.ID, answer, jt809.IDSupervisionReply.String(), p.i.now())
	return err
}

// sendOutcome reports what became of an alarm of ours.
func (p *peer) sendOutcome(ctx context.Context, b *platform.Request, m *jt809.Supervision, v ingest.Vehicle, result uint8) error {
	switch p.edition {
	case jt809.Edition2013:
		e := envelope(jt809.IDAlarmResult)
		e.SetVehicle(v)
		_, err := p.send(ctx, &e, &jt809.AlarmResult{InfoID: infoID(b.Violation), Result: result})
		return err
	case jt809.Edition2019:
		source := m.Source
		if source.Serial == 0 {
			a, ok := p.alarms.find(func(a *alarm) bool { return a.violation == b.Violation })
			if ok {
				source = jt809.Source{Type: jt809.IDAlarmReport, Serial: a.serial}
			}
		}
		e := envelope(jt809.IDAlarmHandled)
		_, err := p.send(ctx, &e, &jt809.AlarmHandled{Source: source, Result: result})
		return err
	}
	return nil
}
