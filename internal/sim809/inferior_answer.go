package sim809

import (
	"encoding/binary"
	"fmt"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/internal/sim"
)

// take does what the superior asks, on whichever link it asks it. Answers go up on the link of data (7.1).
func (p *platform) take(f *frame) {
	p.mu.Lock()
	p.got.note(f.Header.ID, f.Envelope.Sub, f.Header.Serial)
	link := p.data()
	p.mu.Unlock()
	if link == nil {
		link = f.w
	}
	switch f.sub() {
	case jt809.IDHeartbeatReply:
		p.proof(f.w)
	case jt809.IDLogoutReply:
		select {
		case p.left <- struct{}{}:
		default:
		}
	case jt809.IDSubHeartbeat:
		f.w.say(jt809.IDSubHeartbeatReply, &jt809.Empty{})
	case jt809.IDSubLogout:
		f.w.say(jt809.IDSubLogoutReply, &jt809.Empty{})
		f.w.finish()
	case jt809.IDSuperiorCloses:
		p.mu.Lock()
		main, sub := p.main, p.sub
		p.mu.Unlock()
		for _, w := range [...]*wire{main, sub} {
			if w != nil {
				w.finish()
			}
		}
	case jt809.IDSerialNoticeDown:
		var m jt809.SerialNotice
		if f.decode(&m) == nil {
			for _, it := range m.Items {
				p.serials.reach(it.SubType, it.MsgSN)
			}
		}
	case jt809.IDRetransmitDown:
		p.retransmit(f, link)
	case jt809.IDTransferQuery:
		var m jt809.TransferQuery
		if f.decode(&m) == nil {
			link.send(&jt809.Envelope{ID: jt809.IDTransferReport, Sub: jt809.IDTransferReport}, &jt809.TransferReport{PlatformID: m.PlatformID,
				StartTime: m.StartTime, EndTime: m.EndTime, DisconnectNum: uint8(min(255, p.s.n.breaks.Load()))}, plainly)
		}
	case jt809.IDInspection, jt809.IDPlatformText:
		p.answerPlatform(f, link)
	case jt809.IDSupervision:
		p.answerSupervision(f, link)
	default:
		if f.HasVehicle {
			p.answerVehicle(f, link)
		}
	}
}

// answerPlatform answers inspections and texts between platforms.
func (p *platform) answerPlatform(f *frame, link *wire) {
	switch f.sub() {
	case jt809.IDInspection:
		var m jt809.Inspection
		if f.decode(&m) == nil {
			link.send(&jt809.Envelope{ID: jt809.IDPlatformUp, Sub: jt809.IDInspectionReply}, &jt809.InspectionReply{ObjectType: m.ObjectType,
				ObjectID: m.ObjectID, InfoID: m.InfoID, Source: f.request(), Responder: jt808.GBK("值班员"), ResponderTel: "03555550000",
				InfoContent: jt808.GBK("在岗")}, plainly)
		}
	case jt809.IDPlatformText:
		var m jt809.PlatformText
		if f.decode(&m) == nil {
			link.send(&jt809.Envelope{ID: jt809.IDPlatformUp, Sub: jt809.IDPlatformTextReply},
				&jt809.PlatformTextReply{InfoID: m.InfoID, Source: f.request()}, plainly)
		}
	}
}

// answerSupervision says that the alarm has been dealt with, and reports it (督办; 7.8).
func (p *platform) answerSupervision(f *frame, link *wire) {
	m := jt809.NewBody(jt809.IDSupervision, p.s.edition, len(f.Data)).(*jt809.Supervision)
	if f.decode(m) != nil {
		return
	}
	e := jt809.Envelope{ID: jt809.IDAlarmUp, Sub: jt809.IDSupervisionReply, Plate: f.Plate, Color: f.Color, HasVehicle: f.HasVehicle}
	reply := jt809.SupervisionReply{SupervisionID: m.SupervisionID, Source: m.Source, Result: 1}
	if p.s.edition == jt809.Edition2019 {
		reply.SupervisionID = f.Header.Serial
	}
	link.send(&e, &reply, plainly)
	switch p.s.edition {
	case jt809.Edition2013:
		e.Sub = jt809.IDAlarmResult
		link.send(&e, &jt809.AlarmResult{InfoID: m.SupervisionID, Result: 1}, plainly)
	case jt809.Edition2019:
		e.Sub = jt809.IDAlarmHandled
		link.send(&e, &jt809.AlarmHandled{Source: m.Source, Result: 1}, plainly)
	}
}

// picture is the smallest JPEG there is: one grey point.
var picture = []byte("\xff\xd8\xff\xdb\x00\x43\x00\x03\x02\x02\x02\x02\x02\x03\x02\x02\x02\x03\x03\x03\x03\x04\x06\x04\x04\x04\x04\x04\x08\x06\x06\x05" +
	"\x06\x09\x08\x0a\x0a\x09\x08\x09\x09\x0a\x0c\x0f\x0c\x0a\x0b\x0e\x0b\x09\x09\x0d\x11\x0d\x0e\x0f\x10\x10\x11\x10\x0a\x0c\x12\x13" +
	"\x12\x10\x13\x0f\x10\x10\x10\xff\xc9\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00\xff\xcc\x00\x06\x00\x10\x10\x05\xff\xda\x00\x08" +
	"\x01\x01\x00\x00\x3f\x00\xd2\xcf\x20\xff\xd9")

// answerVehicle does what is asked about a vehicle. Who asks for a stranger is answered too: with the result that says so.
func (p *platform) answerVehicle(f *frame, link *wire) {
	v, err := f.Vehicle()
	if err != nil {
		return
	}
	member := p.members[v]
	unknown := uint8(0)
	if member == nil {
		unknown = 1
	}
	answer := func(id, sub jt809.MessageID, m jt809.Body) {
		e := jt809.Envelope{ID: id, Sub: sub}
		e.SetVehicle(v)
		link.send(&e, m, plainly)
	}
	src := f.request()
	switch f.sub() {
	case jt809.IDExchangeStart:
		answer(jt809.IDExchangeUp, jt809.IDExchangeStartReply, &jt809.ExchangeReply{Source: src})
	case jt809.IDExchangeEnd:
		answer(jt809.IDExchangeUp, jt809.IDExchangeEndReply, &jt809.ExchangeReply{Source: src})
	case jt809.IDDriverQuery:
		reply := jt809.DriverReply{Source: src}
		if member != nil && len(member.Drivers) > 0 {
			reply.Driver = *driverOf(&member.Drivers[0], member.IDCards[0])
		}
		answer(jt809.IDExchangeUp, jt809.IDDriverReply, &reply)
	case jt809.IDWaybillQuery:
		answer(jt809.IDExchangeUp, jt809.IDWaybillReply, &jt809.WaybillReply{Source: src, EwaybillInfo: jt808.GBK("运单YD" + v.Plate())})
	case jt809.IDMonitorCall:
		answer(jt809.IDControlUp, jt809.IDMonitorCallReply, &jt809.ControlReply{Source: src, Result: unknown})
	case jt809.IDEmergencyAccess:
		answer(jt809.IDControlUp, jt809.IDEmergencyAccessReply, &jt809.ControlReply{Source: src, Result: unknown})
	case jt809.IDPhotoRequest:
		var m jt809.PhotoRequest
		if f.decode(&m) != nil {
			return
		}
		reply := jt809.PhotoReply{Source: src, PhotoRspFlag: jt809.PhotoDone, LensID: m.LensID, SizeType: m.SizeType, Type: 1, Photo: picture}
		if member == nil {
			reply = jt809.PhotoReply{Source: src, PhotoRspFlag: 9, LensID: m.LensID}
		}
		answer(jt809.IDControlUp, jt809.IDPhotoReply, &reply)
	case jt809.IDVehicleText:
		var m jt809.VehicleText
		if f.decode(&m) == nil {
			answer(jt809.IDControlUp, jt809.IDVehicleTextReply, &jt809.VehicleTextReply{MsgID: m.MsgSequence, Source: src, Result: unknown})
		}
	case jt809.IDRecorderRequest:
		var m jt809.RecorderRequest
		if f.decode(&m) == nil {
			// GB/T 19056: 55 7A, command, length, a reserved byte, checksum: an empty answer.
			info := []byte{0x55, 0x7a, m.CommandType, 0, 0, 0, 0x55 ^ 0x7a ^ m.CommandType}
			answer(jt809.IDControlUp, jt809.IDRecorderReply, &jt809.RecorderReply{Source: src, CommandType: m.CommandType, TraveldataInfo: info})
		}
	case jt809.IDStaticQuery:
		if member != nil {
			answer(jt809.IDStaticUp, jt809.IDStaticData, &jt809.StaticData{Source: src, Info: infoOf(member, p.s.edition)})
		}
	case jt809.IDRouteQuery:
		answer(jt809.IDExchangeUp, jt809.IDRouteReport, routeOf(v))
	case jt809.IDVideoStart:
		answer(jt809.IDVideoUp, jt809.IDVideoStartReply, &jt809.VideoStartReply{Result: 2})
	case jt809.IDVideoStop:
		answer(jt809.IDVideoUp, jt809.IDVideoStopReply, &jt809.VideoResult{Result: 1})
	}
}

// routeOf is a route through the county: from the depot in the south-west to the one in the north-east.
func routeOf(v ingest.Vehicle) *jt809.Route {
	r := jt808.Route{ID: uint32(v.Hash()), Name: jt808.GBK("路哨县城—东沟")}
	for i := range uint32(3) {
		r.Points = append(r.Points, jt808.RoutePoint{ID: i + 1, SectionID: i + 1, Lat: 35_250_000 + i*50_000, Lon: 112_890_000 + i*60_000, Width: 20})
	}
	return &jt809.Route{Drvline: r}
}

// infoOf is what a platform knows of a vehicle (18.1). Codes of transport business: JT/T 415-2006 5.2.1.
func infoOf(m *sim.Member, ed jt809.Edition) jt809.Info {
	trans := "020" // freight
	switch {
	case m.Class.Coach():
		trans = "010"
	case m.Class == detect.ClassHazmat:
		trans = "030"
	}
	info := jt809.Info{{Key: jt809.InfoPlate, Value: m.Vehicle.Plate()}, {Key: jt809.InfoColor, Value: fmt.Sprint(uint8(m.Vehicle.Color))},
		{Key: jt809.InfoVehicleType, Value: "40"}, {Key: jt809.InfoTransType, Value: trans}, {Key: jt809.InfoNationality, Value: m.Region}}
	if ed == jt809.Edition2019 {
		info = append(info, jt809.InfoItem{Key: jt809.InfoScope, Value: trans})
	}
	return append(info, jt809.InfoItem{Key: jt809.InfoOperatorID, Value: m.Operator}, jt809.InfoItem{Key: jt809.InfoOperatorName, Value: m.OperatorName},
		jt809.InfoItem{Key: jt809.InfoOperatorTel, Value: "0355" + m.Phone[4:]})
}

// driverOf is a driver as 809 has him.
func driverOf(d *ingest.DriverCard, identity string) *jt809.Driver {
	return &jt809.Driver{DriverName: jt808.GBK(d.Name), DriverID: jt808.Text(identity), Licence: jt808.Text(d.License), OrgName: jt808.GBK(d.Org),
		ValidDate: 2082672000} // the end of 2035
}

// retransmit sends again what the superior misses, of what is not proven to have arrived anyway (0x9303).
func (p *platform) retransmit(f *frame, link *wire) {
	m, known := jt809.NewBody(jt809.IDRetransmitDown, p.s.edition, len(f.Data)).(*jt809.Retransmit)
	if !known || f.decode(m) != nil {
		return
	}
	p.mu.Lock()
	var items []said
	for _, w := range p.waiting {
		lost := w.serial-m.BeginMsgSN <= m.EndMsgSN-m.BeginMsgSN && (m.RetranDataType == 0 || m.RetranDataType == w.sub)
		if m.Time != 0 {
			lost = w.item.Time() >= m.Time.UnixMilli()
		}
		if w.serial != 0 && lost {
			items = append(items, w)
		}
	}
	p.mu.Unlock()
	for _, w := range items {
		if w.item.Kind() == ingest.KindPosition {
			p.batches(w.item.Vehicle(), []*sim.Item{w.item}, link)
		}
	}
}

// alarm reports an alarm (0x1402).
func (p *platform) alarm(v ingest.Vehicle, warn uint16, end, start int64, text string, link *wire) {
	p.alarms++
	scale := jt809.Seconds(1)
	if p.s.chaos.strikes(FaultMilliseconds) {
		scale = 1000
	}
	m := jt809.AlarmReport{WarnSrc: 2, SrcPlatformID: jt808.Text(p.id), WarnType: warn, WarnTime: jt809.Seconds(end) * scale, InfoID: p.alarms,
		StartTime: jt809.Seconds(start) * scale, EndTime: jt809.Seconds(end) * scale, VehicleNo: jt809.PlateOf(v), VehicleColor: uint8(v.Color),
		InfoContent: jt808.GBK(text)}
	e := jt809.Envelope{ID: jt809.IDAlarmUp, Sub: jt809.IDAlarmReport}
	e.SetVehicle(v)
	e.Data = jt809.AppendBody(nil, p.s.edition, &m)
	body := e.Append(nil, p.s.edition)
	if p.s.chaos.strikes(FaultTextLength) {
		// info_length stands right before the text, and data_length before the data.
		const more = 4
		for _, at := range [...]int{len(body) - len(m.InfoContent) - 4, len(body) - len(e.Data) - 4} {
			binary.BigEndian.PutUint32(body[at:], binary.BigEndian.Uint32(body[at:])+more)
		}
	}
	link.sendBody(e.ID, e.Sub, body, patient)
}

// deviate makes a position of 2019 what real platforms send, and sends one without coordinates beside it.
func (p *platform) deviate(v ingest.Vehicle, data []byte, link *wire) []byte {
	if p.s.edition != jt809.Edition2019 || !p.s.chaos.strikes(FaultDeviation) {
		return data
	}
	n := binary.BigEndian.Uint32(data[1:])
	out := append([]byte(nil), data...)
	switch p.s.chaos.below(4) {
	case 0: // a byte FF behind the items
		out = append(append(append([]byte(nil), data[:5+n]...), 0xff), data[5+n:]...)
		binary.BigEndian.PutUint32(out[1:], n+1)
	case 1: // a province without city platforms fills the id with 01
		for i := range 11 {
			out[5+int(n)+15+i] = 1
		}
	case 2: // no position, only alarms, beside it
		e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDPosition, Data: make([]byte, 50)}
		e.SetVehicle(v)
		link.send(&e, nil, patient)
	default: // "0" as the enterprise's id
		copy(out[5+n:], "0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	}
	return out
}
