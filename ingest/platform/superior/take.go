package superior

import (
	"strings"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform/register"
)

// up is a message from a peer that has been read.
type up struct {
	h    *jt809.Header
	id   jt809.MessageID // of the sub-message, or of the message
	v    *vehicle        // nil where it is about none, or its plate can't be one
	body jt809.Body
	ed   jt809.Edition
}

// take takes a data message, on either link. An error ends the link; what can't be read is counted and logged only.
func (w *worker) take(h *jt809.Header, body []byte) error {
	w.begin()
	err := w.env.Decode(h.ID, body, h.Edition)
	if h.Edition == jt809.Edition2019 {
		w.p.track(h.ID, w.env.Sub, h.Serial, w.received)
	}
	if err != nil {
		w.unknown(h, err)
		return nil
	}
	switch w.env.Sub {
	case jt809.IDPosition, jt809.IDPositionBatch, jt809.IDPositionDown, jt809.IDPositionBatchDown:
		return w.position(h.Edition)
	}
	id := w.env.Message()
	m := up{h: h, id: id, ed: h.Edition}
	if id == jt809.IDAlarmResult && len(w.env.Data) > 5 && h.Edition != jt809.Edition2019 {
		m.ed = jt809.Edition2019 // a tip, whatever the header
	}
	take := takes[id]
	m.body = jt809.NewBody(id, m.ed, len(w.env.Data))
	if take == nil || m.body == nil {
		w.unknown(h, nil)
		return nil
	}
	if err := jt809.Decode(w.env.Data, m.ed, m.body); err != nil {
		w.refuse(refusedMalformed, 1)
		w.unknown(h, err)
		return nil
	}
	if w.env.HasVehicle {
		m.v = w.vehicle()
	}
	return take(w, &m)
}

func (w *worker) unknown(h *jt809.Header, err error) {
	w.metrics.Unknown()
	w.p.s.logger.Info("a message that is not known or can't be read; it is not answered", "peer", w.p.cfg.Name, "id", h.ID, "sub_id", w.env.Sub,
		"bytes", len(w.env.Data), "err", err)
}

// takes is what is done with each message but positions. The error of a function ends the link.
var takes = map[jt809.MessageID]func(w *worker, m *up) error{
	jt809.IDRegistration:  takeRegistration,
	jt809.IDDriverReport:  takeDriver,
	jt809.IDDriverReply:   takeDriver,
	jt809.IDWaybillReport: takeWaybill,
	jt809.IDWaybillReply:  takeWaybill,
	jt809.IDRouteReport:   takeRoute,
	jt809.IDRouteReply:    takeRoute,
	jt809.IDStaticData:    takeStatic,

	jt809.IDApplyStart:   takeApplyStart,
	jt809.IDApplyEnd:     takeApplyEnd,
	jt809.IDApplyHistory: takeApplyHistory,

	jt809.IDAlarmReport:         takeAlarm,
	jt809.IDAlarmResult:         takeAlarmResult,
	jt809.IDAlarmHandled:        takeAlarmHandled,
	jt809.IDSupervisionReply:    takeSupervisionReply,
	jt809.IDSupervisionAnswered: takeNotice,
	jt809.IDSupervisionSent:     takeNotice,

	jt809.IDPositionCount:   takeCount,
	jt809.IDPositionCountUp: takeCount,
	jt809.IDSerialNoticeUp:  takeSerials,
	jt809.IDRetransmitUp:    takeRetransmit,
	jt809.IDTransferReport:  takeAnswer,

	jt809.IDExchangeStartReply:   takeAnswer,
	jt809.IDExchangeEndReply:     takeAnswer,
	jt809.IDInspectionReply:      takeAnswer,
	jt809.IDPlatformTextReply:    takeAnswer,
	jt809.IDMonitorCallReply:     takeAnswer,
	jt809.IDPhotoReply:           takePhoto,
	jt809.IDVehicleTextReply:     takeAnswer,
	jt809.IDRecorderReply:        takeRecorder,
	jt809.IDEmergencyAccessReply: takeAnswer,

	jt809.IDTokens:               takeTokens,
	jt809.IDTokenQuery:           takeTokenQuery,
	jt809.IDVideoStartReply:      takeAnswer,
	jt809.IDVideoStopReply:       takeAnswer,
	jt809.IDRecordingList:        takeRecordings,
	jt809.IDRecordingQueryReply:  takeAnswer,
	jt809.IDPlaybackStartReply:   takeAnswer,
	jt809.IDPlaybackControlReply: takeAnswer,
	jt809.IDDownloadStartReply:   takeAnswer,
	jt809.IDDownloadControlReply: takeAnswer,
	jt809.IDDownloadDone:         takeDownload,
}

// source is what an answer of 2019 names its request by.
func (m *up) source() jt809.Source { return jt809.Source{Type: m.id, Serial: m.h.Serial} }

// event takes an event of the vehicle for the log.
func (w *worker) eventOf(v *vehicle, e *ingest.Event) error {
	e.Source, e.Vehicle, e.Received = ingest.SourceJT809, v.Vehicle, w.received
	if e.Time == 0 {
		e.Time = w.received
	}
	return w.add(e, v.partition)
}

// takeRegistration takes 0x1201: the terminal of the vehicle has come online at the peer.
func takeRegistration(w *worker, m *up) error {
	r := m.body.(*jt809.Registration)
	result := jt809.RecordApproved
	if m.v == nil {
		result = jt809.RecordWrong
		w.refuse(refusedVehicle, 1)
	} else {
		if m.ed == jt809.Edition2011 && len(w.env.Data) == 61 {
			w.p.learn(jt809.Edition2013)
		}
		if err := w.eventOf(m.v, &ingest.Event{Kind: ingest.KindLink, Link: &ingest.Link{Online: true, Reason: "registered"}}); err != nil {
			return err
		}
		err := w.put(m.v, register.Report{PlatformID: r.PlatformID.String(), ProducerID: r.ProducerID.String(), Model: r.TerminalModelType.String(),
			IMEI: r.TerminalIMEI.String(), TerminalID: r.TerminalID.String(), Phone: strings.TrimLeft(r.TerminalSimcode.String(), "0")})
		if err != nil {
			return err
		}
	}
	if m.ed == jt809.Edition2019 {
		var v ingest.Vehicle
		if m.v != nil {
			v = m.v.Vehicle
		}
		if err := w.answer(reply{id: jt809.IDRegistrationReply, v: v, body: &jt809.RegistrationReply{Source: m.source(), Result: result}}); err != nil {
			return err
		}
	}
	if m.v != nil {
		w.askStatic(m.v)
	}
	return nil
}

// put hands what is known of a vehicle to the register.
func (w *worker) put(v *vehicle, r register.Report) error {
	if w.p.s.deps.Vehicles == nil {
		return nil
	}
	r.Vehicle, r.Platform, r.Operator, r.Region, r.Received = v.Vehicle, w.p.cfg.Name, w.p.cfg.Operator, w.p.cfg.Region, w.received
	if err := w.p.s.deps.Vehicles.Put(w.p.s.ctx, r); err != nil {
		if w.p.s.ctx.Err() != nil {
			return err
		}
		w.p.s.logger.Error("what a platform says of a vehicle could not be kept", "peer", w.p.cfg.Name, "vehicle", v.Vehicle, "err", err)
	}
	return nil
}

// staticAgain is how long a vehicle whose static data did not come is not asked for again.
const staticAgain = time.Hour

// askStatic asks for the static data of a vehicle that the register does not know (0x9601), at a bounded rate.
func (w *worker) askStatic(v *vehicle) {
	p := w.p
	if !p.cfg.AskStatic || p.s.deps.Vehicles == nil || p.s.deps.Vehicles.Known(v.Vehicle) {
		return
	}
	if at := v.asked.Load(); at != 0 && w.received-at < staticAgain.Milliseconds() {
		return
	}
	now := p.s.now()
	p.mu.Lock()
	most := float64(p.s.cfg.MaxStatic)
	p.staticLeft = min(most, p.staticLeft+max(0, now.Sub(p.staticAt).Minutes())*most)
	p.staticAt = now
	ok := p.staticLeft >= 1
	if ok {
		p.staticLeft--
	}
	p.mu.Unlock()
	if ok {
		v.asked.Store(w.received)
		p.send(jt809.IDStaticQuery, &v.Vehicle, nil)
	}
}

// takeStatic takes 0x1601.
func takeStatic(w *worker, m *up) error {
	d := m.body.(*jt809.StaticData)
	if m.v == nil {
		w.refuse(refusedVehicle, 1)
		return nil
	}
	if err := w.put(m.v, register.Report{Info: d.Info}); err != nil {
		return err
	}
	return takeAnswer(w, m)
}

// takeRoute takes 0x120E, which 0x920D answers, and 0x1602.
func takeRoute(w *worker, m *up) error {
	r := m.body.(*jt809.Route)
	if m.v == nil {
		w.refuse(refusedVehicle, 1)
		return nil
	}
	result := jt809.RecordNoted
	if r.Raw != nil {
		result = jt809.RecordWrong
	} else if err := w.put(m.v, register.Report{Route: r}); err != nil {
		return err
	}
	if m.id == jt809.IDRouteReport {
		ack := &jt809.RouteAck{DrvlineID: r.Drvline.ID, Result: result}
		if result == jt809.RecordWrong {
			ack.Reason = jt808.GBK("路线数据有误")
		}
		if err := w.answer(reply{id: jt809.IDRouteAck, v: m.v.Vehicle, body: ack}); err != nil {
			return err
		}
	}
	return takeAnswer(w, m)
}

// takeCount takes 0x9101 or 0x1101 of 2019: how many positions the peer has sent.
func takeCount(w *worker, m *up) error {
	c := m.body.(*jt809.PositionCount)
	w.p.counted.Store(uint64(c.Total))
	w.p.s.logger.Debug("a platform counts its positions", "peer", w.p.cfg.Name, "total", c.Total, "from", c.Start, "to", c.End)
	return nil
}

// takeNotice takes what only informs.
func takeNotice(w *worker, m *up) error {
	w.p.s.logger.Debug("a platform's notice", "peer", w.p.cfg.Name, "id", m.id, "name", m.id.Name())
	return nil
}
