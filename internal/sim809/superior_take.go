package sim809

import (
	"lushao/ingest"
	"lushao/ingest/jt809"
)

// take does what a message of the inferior platform wants, on whichever link it came.
func (q *peer) take(f *frame) error {
	q.note(f)
	q.mu.Lock()
	link := q.data()
	q.mu.Unlock()
	if link == nil {
		link = f.w
	}
	switch sub := f.sub(); sub {
	case jt809.IDPosition, jt809.IDPositionBatch:
		q.positions(f, link)
	case jt809.IDHeartbeat:
		// Everything that came before on this link has been taken: it is taken where it is read.
		f.w.say(jt809.IDHeartbeatReply, &jt809.Empty{})
	case jt809.IDLogout:
		f.w.say(jt809.IDLogoutReply, &jt809.Empty{})
		f.w.finish()
	case jt809.IDMainBroken: // the inferior dials again
	case jt809.IDInferiorCloses:
		q.mu.Lock()
		main := q.main
		q.mu.Unlock()
		if main != nil {
			main.finish()
		}
		return errLeft
	case jt809.IDRegistration:
		q.registered(f, link)
	case jt809.IDSerialNoticeUp:
		var m jt809.SerialNotice
		if f.decode(&m) == nil {
			for _, it := range m.Items {
				q.serials.reach(it.SubType, it.MsgSN)
			}
		}
	case jt809.IDApplyStart, jt809.IDApplyEnd, jt809.IDApplyHistory:
		q.applied(f, link)
	case jt809.IDDriverReport, jt809.IDWaybillReport, jt809.IDAlarmReport, jt809.IDAlarmResult, jt809.IDAlarmHandled, jt809.IDPositionCount,
		jt809.IDPositionCountUp, jt809.IDSubHeartbeatReply, jt809.IDSubLoginReply, jt809.IDSubLogoutReply:
		// Known, counted, and nothing to do. What can't be read is a bad frame.
		if m := jt809.NewBody(sub, q.p.s.edition, len(f.Data)); m == nil || f.decode(m) != nil {
			q.p.s.n.bad.Add(1)
		}
	default:
		q.answered(f)
	}
	return nil
}

// positions takes 0x1202 and 0x1203.
func (q *peer) positions(f *frame, link *wire) {
	s := q.p.s
	v, err := f.Vehicle()
	if err != nil {
		s.n.bad.Add(1)
		return
	}
	var r jt809.PositionReader
	if err := r.Reset(f.sub(), f.Data, s.edition); err != nil {
		s.n.bad.Add(1)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var e ingest.Event
	q.check.begin(v)
	n := 0
	for {
		ok, err := r.Next(&e)
		if err != nil {
			s.n.bad.Add(1)
		}
		if !ok {
			break
		}
		if err != nil {
			continue // of this position alone
		}
		e.Vehicle, e.Received = v, now().UnixMilli()
		q.check.position(&e, f.sub() == jt809.IDPosition)
		n++
	}
	q.counted += n
	q.total += uint32(n)
	if every := s.cfg.CountEvery; every > 0 && q.counted >= every && s.edition != jt809.Edition2019 {
		until := now()
		m := jt809.PositionCount{Total: q.total, Start: q.since, End: until}
		q.counted, q.total, q.since = 0, 0, until
		link.say(jt809.IDPositionCount, &m)
	}
}

// registered answers a registration (2019), and asks for what else is known of the vehicle.
func (q *peer) registered(f *frame, link *wire) {
	s := q.p.s
	v, err := f.Vehicle()
	m := jt809.NewBody(jt809.IDRegistration, s.edition, len(f.Data))
	if err != nil || f.decode(m) != nil {
		s.n.bad.Add(1)
		return
	}
	if s.edition == jt809.Edition2019 {
		link.send(&jt809.Envelope{ID: jt809.IDExchangeDown, Sub: jt809.IDRegistrationReply},
			&jt809.RegistrationReply{Source: f.request(), Result: jt809.RecordApproved}, plainly)
	}
	q.mu.Lock()
	first := q.check.register(v)
	q.mu.Unlock()
	if first && s.cfg.AskStatic {
		q.request(jt809.IDStaticQuery, v)
	}
}

// applied answers an inferior that wants positions of a vehicle. This superior has none to give.
func (q *peer) applied(f *frame, link *wire) {
	v, err := f.Vehicle()
	if err != nil {
		return
	}
	e := jt809.Envelope{ID: jt809.IDExchangeDown}
	e.SetVehicle(v)
	m := jt809.ApplyReply{Source: f.request()}
	switch f.sub() {
	case jt809.IDApplyStart:
		e.Sub, m.Result = jt809.IDApplyStartReply, jt809.ApplyNoData
	case jt809.IDApplyEnd:
		e.Sub, m.Result = jt809.IDApplyEndReply, 1
	default:
		e.Sub, m.Result = jt809.IDApplyHistoryReply, jt809.HistoryNoData
	}
	link.send(&e, &m, plainly)
}
