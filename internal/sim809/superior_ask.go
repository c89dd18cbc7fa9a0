package sim809

import (
	"context"
	"slices"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
)

// request is what was asked and waits for its answer.
type request struct {
	sub     jt809.MessageID
	vehicle ingest.Vehicle
	serial  uint32
	number  uint32 // info_id, supervision_id, msg_sequence
}

// maxOpen bounds the requests to a platform that wait for their answer.
const maxOpen = 10_000

// answerOf is the answer that each request wants.
var answerOf = map[jt809.MessageID]jt809.MessageID{
	jt809.IDInspection: jt809.IDInspectionReply, jt809.IDPlatformText: jt809.IDPlatformTextReply, jt809.IDSupervision: jt809.IDSupervisionReply,
	jt809.IDExchangeStart: jt809.IDExchangeStartReply, jt809.IDExchangeEnd: jt809.IDExchangeEndReply, jt809.IDDriverQuery: jt809.IDDriverReply,
	jt809.IDWaybillQuery: jt809.IDWaybillReply, jt809.IDMonitorCall: jt809.IDMonitorCallReply, jt809.IDPhotoRequest: jt809.IDPhotoReply,
	jt809.IDVehicleText: jt809.IDVehicleTextReply, jt809.IDRecorderRequest: jt809.IDRecorderReply,
	jt809.IDEmergencyAccess: jt809.IDEmergencyAccessReply, jt809.IDStaticQuery: jt809.IDStaticData,
	jt809.IDTransferQuery: jt809.IDTransferReport, jt809.IDRouteQuery: jt809.IDRouteReport,
	jt809.IDVideoStart: jt809.IDVideoStartReply, jt809.IDVideoStop: jt809.IDVideoStopReply,
}

// ask asks the platform at intervals.
func (q *peer) ask(ctx context.Context) {
	c := &q.p.s.cfg
	control := []jt809.MessageID{jt809.IDVehicleText, jt809.IDPhotoRequest, jt809.IDMonitorCall, jt809.IDRecorderRequest, jt809.IDDriverQuery,
		jt809.IDWaybillQuery, jt809.IDStaticQuery, jt809.IDEmergencyAccess, jt809.IDVideoStart, jt809.IDVideoStop}
	inspections := []jt809.MessageID{jt809.IDInspection, jt809.IDPlatformText}
	if q.p.s.edition == jt809.Edition2019 {
		control = append(control, jt809.IDRouteQuery)
		inspections = append(inspections, jt809.IDTransferQuery)
	}
	var turns sync.WaitGroup
	for _, t := range []struct {
		every time.Duration
		of    []jt809.MessageID
	}{
		{c.InspectEvery, inspections},
		{c.SuperviseEvery, []jt809.MessageID{jt809.IDSupervision}},
		{c.ExchangeEvery, []jt809.MessageID{jt809.IDExchangeStart, jt809.IDExchangeEnd}},
		{c.ControlEvery, control},
	} {
		if t.every == 0 {
			continue
		}
		turns.Go(func() {
			for i := 0; sleep(ctx, t.every); {
				q.mu.Lock()
				v, known := q.check.pick(i / len(t.of))
				q.mu.Unlock()
				if known && q.request(t.of[i%len(t.of)], v) {
					i++
				}
			}
		})
	}
	turns.Wait()
}

// request asks one thing; false when there is no link.
func (q *peer) request(sub jt809.MessageID, v ingest.Vehicle) bool {
	s := q.p.s
	e := jt809.Envelope{ID: container(sub), Sub: sub}
	e.SetVehicle(v)
	q.mu.Lock()
	defer q.mu.Unlock()
	link := q.data()
	if link == nil {
		return false
	}
	q.number++
	n := q.number
	r := &request{sub: sub, vehicle: v, number: n}
	var err error
	// With mu held, so that no answer comes before its request is known.
	if r.serial, err = link.send(&e, s.question(sub, v, n), spoiled); err != nil {
		return false
	}
	if len(q.open) == maxOpen {
		q.open = slices.Delete(q.open, 0, 1)
		s.n.unanswered.Add(1)
	}
	q.open = append(q.open, r)
	s.mu.Lock()
	s.asked[sub]++
	s.mu.Unlock()
	if s.chaos.strikes(FaultSubCut) && q.sub != nil {
		q.sub.cut()
	}
	if s.chaos.strikes(FaultMainCut) && q.main != nil {
		q.main.cut()
	}
	if s.chaos.strikes(FaultBothCut) {
		for _, w := range [...]*wire{q.main, q.sub} {
			if w != nil {
				w.cut()
			}
		}
	}
	return true
}

// question is the body of a request with the number.
func (s *Sim) question(sub jt809.MessageID, v ingest.Vehicle, n uint32) jt809.Body {
	present := now()
	switch sub {
	case jt809.IDInspection:
		return &jt809.Inspection{ObjectType: jt809.ObjectPlatform, ObjectID: "14059800001", AnswerTime: 60, InfoID: n,
			InfoContent: jt808.GBK("值班员在岗吗？")}
	case jt809.IDPlatformText:
		return &jt809.PlatformText{ObjectType: 1, ObjectID: "14059800001", InfoID: n, InfoContent: jt808.GBK("今夜有雪，注意安全")}
	case jt809.IDSupervision:
		return &jt809.Supervision{WarnSrc: 3, WarnType: 1, WarnTime: present, SupervisionID: n, SupervisionEndTime: present + 3600,
			SrcPlatformID: "14059800001", Source: jt809.Source{Type: jt809.IDAlarmReport, Serial: n}, SupervisionLevel: 1,
			Supervisor: jt808.GBK("监督员"), SupervisorTel: "03555550001", SupervisorEmail: "duty@example.org"}
	case jt809.IDExchangeStart:
		return &jt809.ExchangeStart{ReasonCode: jt809.StartByHand}
	case jt809.IDExchangeEnd:
		return &jt809.ExchangeEnd{ReasonCode: jt809.EndByHand}
	case jt809.IDDriverQuery:
		return &jt809.DriverQuery{Flag: jt809.DriverLast}
	case jt809.IDMonitorCall:
		return &jt809.MonitorCall{MonitorTel: "03555550002"}
	case jt809.IDPhotoRequest:
		return &jt809.PhotoRequest{LensID: 1, SizeType: 1}
	case jt809.IDVehicleText:
		return &jt809.VehicleText{MsgSequence: n, MsgPriority: jt809.TextNormal, MsgContent: jt808.GBK("前方雾区，请减速")}
	case jt809.IDRecorderRequest:
		return &jt809.RecorderRequest{StartTime: present - 3600, EndTime: present, CommandType: 3}
	case jt809.IDTransferQuery:
		return &jt809.TransferQuery{PlatformID: "14059800001", StartTime: present - 3600, EndTime: present}
	case jt809.IDVideoStart:
		return &jt809.VideoStart{ChannelID: 1}
	case jt809.IDVideoStop:
		return &jt809.VideoStop{ChannelID: 1}
	case jt809.IDEmergencyAccess:
		return &jt809.EmergencyAccess{AuthenticationCode: [10]byte{'L', 'U', 'S', 'H', 'A', 'O'}, ServerIP: "192.0.2.1", TCPPort: 7611,
			EndTime: present + 600}
	}
	return &jt809.Empty{}
}

// answered finds the request that a message answers (7.9).
func (q *peer) answered(f *frame) {
	sub := f.sub()
	var want jt809.MessageID
	for asked, answer := range answerOf {
		if answer == sub {
			want = asked
		}
	}
	if want == 0 {
		return // unknown: logged by the counts, not answered
	}
	s := q.p.s
	m := jt809.NewBody(sub, s.edition, len(f.Data))
	if m == nil || f.decode(m) != nil {
		s.n.bad.Add(1)
		return
	}
	var source jt809.Source
	var number uint32
	named := s.edition == jt809.Edition2019 // the answer says which message it answers
	switch m := m.(type) {
	case *jt809.InspectionReply:
		source, number = m.Source, m.InfoID
	case *jt809.PlatformTextReply:
		source, number = m.Source, m.InfoID
	case *jt809.SupervisionReply:
		// 2019: the number is the serial of the 0x9401; the source names the alarm.
		source, number = jt809.Source{Serial: m.SupervisionID}, m.SupervisionID
	case *jt809.VehicleTextReply:
		source, number = m.Source, m.MsgID
	case *jt809.ExchangeReply:
		source = m.Source
	case *jt809.DriverReply:
		source = m.Source
	case *jt809.WaybillReply:
		source = m.Source
	case *jt809.ControlReply:
		source = m.Source
	case *jt809.PhotoReply:
		source = m.Source
	case *jt809.RecorderReply:
		source = m.Source
	case *jt809.StaticData:
		source = m.Source
	default: // routes, transfer figures and video name no request (7.9)
		named = false
	}
	v, _ := f.Vehicle()
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, r := range q.open {
		if r.sub != want || f.HasVehicle && r.vehicle != v {
			continue
		}
		if named && r.serial != source.Serial || !named && number != 0 && r.number != number {
			continue
		}
		q.open = slices.Delete(q.open, i, i+1)
		s.mu.Lock()
		s.answered[want]++
		s.mu.Unlock()
		if route, ok := m.(*jt809.Route); ok {
			q.acknowledge(r.vehicle, route)
		}
		return
	}
	s.n.unmatched.Add(1)
}

// acknowledge answers a route (0x920D). With mu held.
func (q *peer) acknowledge(v ingest.Vehicle, m *jt809.Route) {
	if link := q.data(); link != nil {
		e := jt809.Envelope{ID: jt809.IDExchangeDown, Sub: jt809.IDRouteAck}
		e.SetVehicle(v)
		link.send(&e, &jt809.RouteAck{DrvlineID: m.Drvline.ID, Result: jt809.RecordApproved}, plainly)
	}
}
