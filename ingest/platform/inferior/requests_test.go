package inferior

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// request waits until the book has the request and f is true of it.
func (x *inferiorTest) request(message jt809.MessageID, f func(r *platform.Request) bool) platform.Request {
	x.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		changed := x.book.next()
		if r, ok := x.book.Find(func(r *platform.Request) bool { return r.Message == message.String() && (f == nil || f(r)) }); ok {
			return r
		}
		select {
		case <-changed:
		case <-timeout:
			x.t.Fatalf("no request %v in the book: %+v", message, x.book.List(platform.Filter{}))
		}
	}
}

func TestLoginRefused(t *testing.T) {
	x := start(t, options{prepare: func(x *inferiorTest) { x.superior.result = 1 }})
	s := x.superior
	for result := uint8(1); result <= 6; result++ {
		s.mu.Lock()
		s.result = result
		s.mu.Unlock()
		want := fmt.Sprintf("result %d", result)
		for timeout := time.After(20 * time.Second); ; {
			x.mu.Lock()
			changed := x.codes // after every try
			x.mu.Unlock()
			if strings.Contains(x.Peers()[0].FailedWhy, want) {
				break
			}
			select {
			case <-changed:
			case <-timeout:
				t.Fatalf("%s is not told: %+v", want, x.Peers()[0])
			}
		}
		if p := x.Peers()[0]; p.Main.State == platform.LinkUp || p.Sub.State == platform.LinkUp {
			t.Errorf("after result %d: %+v", result, p)
		}
	}
	s.mu.Lock()
	s.result = 0
	s.mu.Unlock()
	s.up()
}

// deaf is a handler that takes nothing.
type deaf struct{}

func (deaf) Frame(*jt809.Header, []byte) error { return nil }
func (deaf) Drained() error                    { return nil }

// A main link may end between the answer to its login and the first that is sent over it. What waited for a login goes on waiting then,
// and the platform dials again.
func TestAnswersWaitWhileALinkEndsAtOnce(t *testing.T) {
	x := start(t, options{prepare: func(x *inferiorTest) { x.superior.result = 2 }}) // nobody lets us in
	p := x.peers[0]
	if _, err := p.reply(envelope(jt809.IDInspectionReply), &jt809.InspectionReply{InfoID: 7}); !errors.Is(err, platform.ErrOffline) {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	theirs.Close()
	ended := &mainLink{conn: link.New(ours, p.options(0))}
	ended.conn.Run(t.Context(), deaf{})
	up := make(chan struct{})
	go func() { p.mainUp(ended, 1); close(up) }() // as the one who dials
	select {
	case <-up:
	case <-time.After(20 * time.Second):
		t.Fatal("who runs the link waits for its end")
	}
	p.mainDown(ended, "ended")
	p.mu.Lock()
	stored := len(p.stored)
	p.mu.Unlock()
	if stored != 1 {
		t.Errorf("%d answers wait, want 1", stored)
	}
	x.superior.mu.Lock()
	x.superior.result = 0
	x.superior.mu.Unlock()
	x.superior.message(jt809.IDInspectionReply, 1)
}

func TestWrongVerifyCode(t *testing.T) {
	x := start(t, options{prepare: func(x *inferiorTest) { x.superior.wrong = 1000 }})
	m := x.superior.message(jt809.IDSubLoginReply, 1)
	if r := m.body.(*jt809.SubLoginReply); r.Result != subWrongCode {
		t.Errorf("%+v", r)
	}
	if p := x.Peers()[0]; p.Sub.State == platform.LinkUp {
		t.Errorf("%+v", p.Sub)
	}
	x.superior.mu.Lock()
	x.superior.wrong = 0
	x.superior.mu.Unlock()
	x.superior.kill(true, true)
	x.superior.up()
}

// Before 0x9001 anything else is passed over, garbage too; a second connection with the right code replaces the first.
func TestSubLinkIsReplaced(t *testing.T) {
	x := start(t, options{})
	s := x.superior
	s.up()
	s.mu.Lock()
	first := s.sub
	s.mu.Unlock()
	nc, err := net.Dial("tcp", x.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc.Write([]byte("garbage\x5b\x00\x01\x5d"))
	c := link.New(nc, s.options)
	c.Send(&jt809.Envelope{ID: jt809.IDSubHeartbeat}, nil)
	c.Close("done")
	c.Run(context.Background(), &side{s: s, c: c, name: "guest"})
	s.mu.Lock()
	for _, m := range s.messages {
		if m.link == "guest" {
			t.Errorf("an answer before the login: %v", m)
		}
	}
	s.mu.Unlock()
	nc, err = net.Dial("tcp", x.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.serve(nc, "sub") }()
	s.await("another sub link", func() bool { return s.sub != nil && s.sub != first })
	s.send(jt809.IDPlatformText, nil, &jt809.PlatformText{InfoID: 9, InfoContent: jt808.GBK("通知")})
	s.message(jt809.IDPlatformTextReply, 1)
	s.kill(false, true)
	<-done
}

func TestSubLinkHeartbeatAndLogout(t *testing.T) {
	x := start(t, options{})
	s := x.superior
	s.up()
	s.mu.Lock()
	sub, code := s.sub, s.code
	s.mu.Unlock()
	sub.Send(&jt809.Envelope{ID: jt809.IDSubHeartbeat}, nil)
	s.message(jt809.IDSubHeartbeatReply, 1)
	sub.Send(&jt809.Envelope{ID: jt809.IDSubLogout}, &jt809.SubLogout{VerifyCode: code})
	s.message(jt809.IDSubLogoutReply, 1)
	s.await("the end of the sub link", func() bool { return s.sub == nil })
}

func TestInspectionAuto(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		x := start(t, options{edition: ed, encrypt: encrypt})
		s := x.superior
		s.up()
		for n, c := range []struct{ question, want string }{{"17加25等于多少？", "42"}, {"值班员姓名？", "在岗"}} {
			ask := &jt809.Inspection{ObjectType: 1, ObjectID: "53010000417", AnswerTime: 60, InfoID: uint32(7 + n), InfoContent: jt808.GBK(c.question)}
			serial := s.send(jt809.IDInspection, nil, ask)
			m := s.message(jt809.IDInspectionReply, n+1)
			r := m.body.(*jt809.InspectionReply)
			if m.link != "main" || r.InfoContent.String() != c.want {
				t.Errorf("%q: %+v on %s", c.question, r, m.link)
			}
			if ed != jt809.Edition2019 && r.InfoID != ask.InfoID || ed == jt809.Edition2019 && (r.Source != jt809.Source{Type: jt809.IDInspection, Serial: serial} || r.Responder.String() != "李四") ||
				ed != jt809.Edition2011 && (r.ObjectID.String() != "53010000417" || r.ObjectType != 1) {
				t.Errorf("%+v", r)
			}
		}
		r := x.request(jt809.IDInspection, func(r *platform.Request) bool { return r.Number == 7 })
		if r.State != platform.StateAnswered || r.Kind != platform.KindInspection || !strings.Contains(string(r.Answer), `"42"`) {
			t.Errorf("%+v", r)
		}
	})
}

func TestInspectionByStaff(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		x := start(t, options{edition: ed, encrypt: encrypt, peer: func(p *PeerConfig) { p.Inspection.Answer = AnswerStaff }})
		s := x.superior
		s.up()
		serial := s.send(jt809.IDInspection, nil, &jt809.Inspection{ObjectType: 2, ObjectID: "530100123", AnswerTime: 30, InfoID: 77, InfoContent: jt808.GBK("1加1")})
		r := x.request(jt809.IDInspection, nil)
		if r.State != platform.StateWaiting || r.Number != 77 || r.Serial != serial || r.Deadline == 0 {
			t.Fatalf("%+v", r)
		}
		// Also after a restart in between.
		x.crash()
		x.run()
		s.up()
		if err := x.Answer(t.Context(), r.ID, json.RawMessage(`{"responder":"王五","text":"在岗，一切正常"}`)); err != nil {
			t.Fatal(err)
		}
		reply := s.message(jt809.IDInspectionReply, 1).body.(*jt809.InspectionReply)
		if reply.InfoContent.String() != "在岗，一切正常" || ed == jt809.Edition2019 && (reply.Serial != serial || reply.Responder.String() != "王五") ||
			ed != jt809.Edition2019 && reply.InfoID != 77 || ed != jt809.Edition2011 && reply.ObjectID.String() != "530100123" {
			t.Errorf("%+v", reply)
		}
		if r, _ = x.book.Get(r.ID); r.State != platform.StateAnswered {
			t.Errorf("%+v", r)
		}
		if err := x.Answer(t.Context(), r.ID, json.RawMessage(`{"text":"x"}`)); !errors.Is(err, platform.ErrAnswered) {
			t.Errorf("a second answer: %v", err)
		}
	})
}

// A violation that opens is reported as an alarm; its supervision waits for the case's outcome, which goes up.
func TestAlarmAndSupervision(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		v := vehicle(t, "云H00001")
		x := start(t, options{edition: ed, encrypt: encrypt})
		s := x.superior
		s.up()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		forwarded := func() {
			t.Helper()
			if !x.violations.await(ctx, func() bool { return x.violations.done("forward-alarms-city") }) {
				t.Fatalf("offsets of the violations: %v", x.violations.committed)
			}
		}
		forwarded() // it begins at the end
		at := time.UnixMilli(epoch)
		write := func(id, state, kind, plate string) {
			x.violations.append(0, fmt.Appendf(nil, `{"id":%q,"state":%q,"kind":%q,"plate":%q,"color":2,"start":%q,"end":null,"measured":95.5,"limit":80,"unit":"km/h"}`,
				id, state, kind, plate, at.Format(time.RFC3339)))
		}
		x.violations.append(0, []byte(`{"id":"v0","state":"open","kind":"speeding","shadow":"strict","plate":"云H00001","color":2,"start":"2024-06-05T14:30:00+08:00"}`))
		write("v1", "open", "speeding", "云H00001")
		write("v2", "open", "speeding", "云T00001")    // not forwarded
		write("v3", "open", "fence_entry", "云H00001") // not of the kinds
		write("v1", "closed", "speeding", "云H00001")
		write("v1", "open", "speeding", "云H00001") // opened again
		m := s.message(jt809.IDAlarmReport, 1)
		a := m.body.(*jt809.AlarmReport)
		if a.WarnType != 1 || a.WarnTime.UnixMilli() != epoch || a.InfoContent.String() != "超速驾驶，实测95.5km/h，限值80.0km/h" {
			t.Errorf("%+v", a)
		}
		if ed == jt809.Edition2019 && (a.VehicleNo.String() != "云H00001" || a.SrcPlatformID.String() != "53010000417") || ed != jt809.Edition2019 && (m.plate != "云H00001" || a.InfoID != infoID("v1")) {
			t.Errorf("%+v of %q", a, m.plate)
		}
		ask := &jt809.Supervision{WarnSrc: 2, WarnType: 1, WarnTime: jt809.SecondsOf(epoch), SupervisionID: 4711, Source: jt809.Source{Type: jt809.IDAlarmReport, Serial: m.serial},
			SupervisionEndTime: jt809.SecondsOf(time.Now().Add(time.Hour).UnixMilli()), Supervisor: jt808.GBK("赵六")}
		var about *ingest.Vehicle
		if ed != jt809.Edition2019 {
			about = &v
		}
		serial := s.send(jt809.IDSupervision, about, ask)
		id := uint32(4711)
		if ed == jt809.Edition2019 {
			id = serial
		}
		check := func(m got, result uint8) {
			t.Helper()
			r := m.body.(*jt809.SupervisionReply)
			if r.SupervisionID != id || r.Result != result || ed == jt809.Edition2019 && r.Source != ask.Source || ed != jt809.Edition2019 && m.plate != "云H00001" {
				t.Errorf("%+v of %q, want result %d", r, m.plate, result)
			}
		}
		check(s.message(jt809.IDSupervisionReply, 1), 0)
		r := x.request(jt809.IDSupervision, nil)
		if r.State != platform.StateWaiting || r.Violation != "v1" || r.Plate != "云H00001" || r.Deadline == 0 {
			t.Errorf("%+v", r)
		}
		if err := x.Answer(t.Context(), r.ID, json.RawMessage(`{"result":"done","note":"已处罚"}`)); err != nil {
			t.Fatal(err)
		}
		check(s.message(jt809.IDSupervisionReply, 2), 1)
		switch ed {
		case jt809.Edition2013:
			if o := s.message(jt809.IDAlarmResult, 1).body.(*jt809.AlarmResult); o.InfoID != infoID("v1") || o.Result != 1 {
				t.Errorf("%+v", o)
			}
		case jt809.Edition2019:
			if o := s.message(jt809.IDAlarmHandled, 1).body.(*jt809.AlarmHandled); o.Source != ask.Source || o.Result != 1 {
				t.Errorf("%+v", o)
			}
		}
		if r, _ = x.book.Get(r.ID); r.State != platform.StateAnswered {
			t.Errorf("%+v", r)
		}
		forwarded()
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(slices.DeleteFunc(slices.Clone(s.messages), func(m got) bool { return m.id != jt809.IDAlarmReport })); n != 1 {
			t.Errorf("%d alarms", n)
		}
	})
}

// A vehicle that is in no list is forwarded from 0x9205 until 0x9206, over a restart too.
func TestExchangeOnRequest(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		v := vehicle(t, "云T00001")
		x := start(t, options{edition: ed, encrypt: encrypt})
		s := x.superior
		s.up()
		serial := s.send(jt809.IDExchangeStart, &v, &jt809.ExchangeStart{ReasonCode: 2})
		m := s.message(jt809.IDExchangeStartReply, 1)
		if r := m.body.(*jt809.ExchangeReply); m.plate != "云T00001" || ed == jt809.Edition2019 && (r.Source != jt809.Source{Type: jt809.IDExchangeStart, Serial: serial}) {
			t.Errorf("%+v %q", r, m.plate)
		}
		x.events.put(position(v, 1))
		x.proven()
		x.crash()
		x.run()
		s.up()
		x.events.put(position(v, 2))
		x.proven()
		s.await("two positions", func() bool { return len(s.arrived) == 2 })
		s.up()
		s.send(jt809.IDExchangeEnd, &v, &jt809.ExchangeEnd{})
		s.message(jt809.IDExchangeEndReply, 1)
		x.events.put(position(v, 3))
		x.proven()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.arrived) != 2 {
			t.Errorf("arrived: %v", s.arrived)
		}
		if r := x.request(jt809.IDExchangeStart, nil); r.State != platform.StateAnswered {
			t.Errorf("%+v", r)
		}
	})
}

// fakeRouter answers for one vehicle.
type fakeRouter struct{ v ingest.Vehicle }

func (f fakeRouter) Do(_ context.Context, v ingest.Vehicle, id jt809.MessageID, _ jt809.Edition, m jt809.Body) (jt809.Body, jt809.MessageID, error) {
	if v != f.v {
		return nil, 0, errors.New("unknown vehicle")
	}
	switch m := m.(type) {
	case *jt809.VehicleText:
		return &jt809.VehicleTextReply{Result: 0}, jt809.IDVehicleTextReply, nil
	case *jt809.PhotoRequest:
		return &jt809.PhotoReply{PhotoRspFlag: jt809.PhotoDone, LensID: m.LensID, SizeType: 1, Type: 1, Photo: []byte{0xff, 0xd8, 0x5b, 0x5d}}, jt809.IDPhotoReply, nil
	}
	return nil, 0, errors.New("unsupported")
}

func TestControl(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		v, gone := vehicle(t, "云H00001"), vehicle(t, "云H00002")
		x := start(t, options{edition: ed, encrypt: encrypt, router: fakeRouter{v}})
		s := x.superior
		s.up()
		serial := s.send(jt809.IDVehicleText, &v, &jt809.VehicleText{MsgSequence: 88, MsgContent: jt808.GBK("前方雾区")})
		m := s.message(jt809.IDVehicleTextReply, 1)
		if r := m.body.(*jt809.VehicleTextReply); r.Result != 0 || m.plate != "云H00001" || ed == jt809.Edition2019 && (r.Source != jt809.Source{Type: jt809.IDVehicleText, Serial: serial}) || ed != jt809.Edition2019 && r.MsgID != 88 {
			t.Errorf("%+v", r)
		}
		s.send(jt809.IDPhotoRequest, &v, &jt809.PhotoRequest{LensID: 2, SizeType: 1})
		if r := s.message(jt809.IDPhotoReply, 1).body.(*jt809.PhotoReply); string(r.Photo) != "\xff\xd8[]" || r.LensID != 2 {
			t.Errorf("%+v", r)
		}
		s.send(jt809.IDVehicleText, &gone, &jt809.VehicleText{MsgSequence: 89})
		if r := s.message(jt809.IDVehicleTextReply, 2).body.(*jt809.VehicleTextReply); r.Result != 1 {
			t.Errorf("%+v", r)
		}
		s.send(jt809.IDMonitorCall, &gone, &jt809.MonitorCall{MonitorTel: "110"})
		if r := s.message(jt809.IDMonitorCallReply, 1).body.(*jt809.ControlReply); r.Result != 1 {
			t.Errorf("%+v", r)
		}
		s.send(jt809.IDVideoStart, &gone, &jt809.VideoStart{ChannelID: 1})
		if r := s.message(jt809.IDVideoStartReply, 1).body.(*jt809.VideoStartReply); r.Result != jt809.VideoFailed {
			t.Errorf("%+v", r)
		}
		if r := x.request(jt809.IDPhotoRequest, nil); r.State != platform.StateAnswered || r.Kind != platform.KindControl {
			t.Errorf("%+v", r)
		}
		if r := x.request(jt809.IDVideoStart, nil); r.State != platform.StateFailed || r.Kind != platform.KindVideo {
			t.Errorf("%+v", r)
		}
	})
}

func TestStaticDataDriverAndWaybill(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		v := vehicle(t, "云H00001")
		x := start(t, options{edition: ed, encrypt: encrypt})
		s := x.superior
		s.up()
		x.events.put(ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: epoch, Driver: &ingest.DriverCard{On: true, Name: "张三", License: "530123", Org: "昆明"}},
			ingest.Event{Kind: ingest.KindWaybill, Vehicle: v, Time: epoch, Waybill: &ingest.Waybill{Number: "D-1", Text: "运单:=D-1"}}, position(v, 1))
		x.proven()
		if ed != jt809.Edition2011 {
			if d := s.message(jt809.IDDriverReport, 1).body.(*jt809.Driver); d.DriverName.String() != "张三" || d.Licence.String() != "530123" {
				t.Errorf("%+v", d)
			}
			if w := s.message(jt809.IDWaybillReport, 1).body.(*jt809.WaybillReport); w.EwaybillInfo.String() != "运单:=D-1" {
				t.Errorf("%+v", w)
			}
		}
		s.send(jt809.IDDriverQuery, &v, &jt809.DriverQuery{})
		if d := s.message(jt809.IDDriverReply, 1).body.(*jt809.DriverReply); d.DriverName.String() != "张三" || ed == jt809.Edition2019 && d.Source.Type != jt809.IDDriverQuery {
			t.Errorf("%+v", d)
		}
		s.send(jt809.IDWaybillQuery, &v, nil)
		if w := s.message(jt809.IDWaybillReply, 1).body.(*jt809.WaybillReply); w.EwaybillInfo.String() != "运单:=D-1" {
			t.Errorf("%+v", w)
		}
		s.send(jt809.IDStaticQuery, &v, nil)
		d := s.message(jt809.IDStaticData, 1).body.(*jt809.StaticData)
		info := d.Info
		if len(info) == 0 {
			info = jt809.ParseInfo(d.CarInfo)
		}
		if info.Get(jt809.InfoPlate) != "云H00001" || info.Get(jt809.InfoTransType) != "030" || info.Get(jt809.InfoOperatorName) != "昆明危运" || info.Get(jt809.InfoNationality) != "530102" {
			t.Errorf("%+v", info)
		}
	})
}

// What the superior tells and nobody answers is in the book.
func TestReports(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{})
	x.superior.up()
	x.superior.send(jt809.IDAlarmTip, &v, &jt809.AlarmTip{WarnSrc: 3, WarnType: 2, WarnTime: jt809.SecondsOf(epoch), WarnContent: jt808.GBK("请注意")})
	x.superior.send(jt809.IDVehicleInfo, &v, &jt809.VehicleInfo{CarInfo: jt808.GBK("VIN:=云H00001")})
	for _, id := range []jt809.MessageID{jt809.IDAlarmTip, jt809.IDVehicleInfo} {
		if r := x.request(id, nil); r.Kind != platform.KindReport || r.State != platform.StateAnswered || r.Plate != "云H00001" {
			t.Errorf("%+v", r)
		}
	}
}

func TestDo(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		v, w := vehicle(t, "云T00001"), vehicle(t, "云T00002")
		x := start(t, options{edition: ed, encrypt: encrypt})
		s := x.superior
		s.up()
		var asked []platform.Request
		for _, v := range []ingest.Vehicle{v, w} {
			r, err := x.Do(t.Context(), "city", &v, jt809.IDApplyStart, &jt809.Period{Start: jt809.SecondsOf(epoch), End: jt809.SecondsOf(epoch + 3600_000)}, time.Now().Add(time.Minute))
			if err != nil || r.State != platform.StateWaiting {
				t.Fatalf("%+v %v", r, err)
			}
			asked = append(asked, r)
		}
		m := s.message(jt809.IDApplyStart, 2)
		s.send(jt809.IDApplyStartReply, &w, &jt809.ApplyReply{Source: jt809.Source{Type: jt809.IDApplyStart, Serial: m.serial}, Result: 1})
		r := x.request(jt809.IDApplyStart, (*platform.Request).Done)
		if r.ID != asked[1].ID || !strings.Contains(string(r.Answer), `"result":1`) || r.AnswerMessage != jt809.IDApplyStartReply.String() {
			t.Errorf("%+v", r)
		}
		if r, _ := x.book.Get(asked[0].ID); r.State != platform.StateWaiting {
			t.Errorf("the other one: %+v", r)
		}
		if _, err := x.Do(t.Context(), "nobody", &v, jt809.IDApplyStart, &jt809.Period{}, time.Time{}); !errors.Is(err, platform.ErrNoPeer) {
			t.Errorf("unknown peer: %v", err)
		}
		if _, err := x.Do(t.Context(), "city", &v, jt809.IDExchangeStart, &jt809.ExchangeStart{}, time.Time{}); !errors.Is(err, platform.ErrUnsupported) {
			t.Errorf("a message down: %v", err)
		}
	})
}

// 2019: figures, serials, and what was lost is sent again under its old serial.
func TestSerialsAndFigures(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{edition: jt809.Edition2019, config: func(c *Config) { c.CountInterval = 10 * time.Millisecond }})
	s := x.superior
	s.up()
	s.message(jt809.IDSerialNoticeUp, 1)
	for n := range 5 {
		x.events.put(position(v, n))
	}
	x.proven()
	total := uint32(0)
	s.await("a count of 5", func() bool {
		total = 0
		for _, m := range s.messages {
			if c, ok := m.body.(*jt809.PositionCount); ok && m.id == jt809.IDPositionCount {
				total += c.Total
			}
		}
		return total == 5
	})
	var serial uint32
	var id jt809.MessageID
	s.mu.Lock()
	for _, m := range s.messages {
		if m.id == jt809.IDPosition || m.id == jt809.IDPositionBatch {
			serial, id = m.serial, m.id
		}
	}
	before := len(s.messages)
	s.mu.Unlock()
	s.send(jt809.IDRetransmitDown, nil, &jt809.Retransmit{RetranDataType: id, SerialCount: 1, BeginMsgSN: serial, EndMsgSN: serial})
	s.await("it again", func() bool {
		return slices.ContainsFunc(s.messages[before:], func(m got) bool { return m.id == id && m.serial == serial })
	})
	s.mu.Lock()
	old := s.sub
	s.mu.Unlock()
	s.kill(true, false)
	s.await("the next login", func() bool { return s.logins == 2 && s.main != nil && s.sub != nil && s.sub != old })
	s.send(jt809.IDTransferQuery, nil, &jt809.TransferQuery{PlatformID: "53010000417", StartTime: jt809.SecondsOf(time.Now().Add(-time.Hour).UnixMilli()), EndTime: jt809.SecondsOf(time.Now().Add(time.Hour).UnixMilli())})
	if r := s.message(jt809.IDTransferReport, 1).body.(*jt809.TransferReport); r.DisconnectNum != 1 || r.LostDynamicSum != 0 || r.PlatformID.String() != "53010000417" {
		t.Errorf("%+v", r)
	}
	s.send(jt809.IDSerialNoticeDown, nil, &jt809.SerialNotice{Items: []jt809.SerialItem{{SubType: jt809.IDPosition, MsgSN: 5000}, {SubType: jt809.IDPositionBatch, MsgSN: 5000}}})
	s.send(jt809.IDPlatformText, nil, &jt809.PlatformText{}) // handled after it
	s.message(jt809.IDPlatformTextReply, 1)
	x.events.put(position(v, 100))
	s.await("a position with the next serial", func() bool { // which of the two it is depends on how far the login has come
		return slices.ContainsFunc(s.messages, func(m got) bool {
			return (m.id == jt809.IDPosition || m.id == jt809.IDPositionBatch) && m.serial == 5001
		})
	})
}

// Unknown and broken messages are counted; the links stay.
func TestUnknownMessages(t *testing.T) {
	x := start(t, options{})
	s := x.superior
	s.up()
	v := vehicle(t, "云H00001")
	e := jt809.Envelope{ID: jt809.IDExchangeDown, Sub: 0x920F, Data: []byte{1, 2, 3}}
	e.SetVehicle(v)
	s.sub.Send(&e, nil)
	e.Sub, e.Data = jt809.IDPositionDown, []byte{1}
	s.sub.Send(&e, nil)
	s.sub.Send(&jt809.Envelope{ID: jt809.IDPlatformDown, Data: []byte{1}}, nil)
	s.sub.Send(&jt809.Envelope{ID: jt809.IDPlatformDown, Sub: jt809.IDInspection, Data: []byte{1}}, nil)
	s.sub.Send(&jt809.Envelope{ID: 0x7777}, nil)
	s.send(jt809.IDPlatformText, nil, &jt809.PlatformText{InfoID: 5})
	if r := s.message(jt809.IDPlatformTextReply, 1).body.(*jt809.PlatformTextReply); r.InfoID != 5 {
		t.Errorf("%+v", r)
	}
	if r := x.request(jt809.IDPlatformText, nil); r.Kind != platform.KindText {
		t.Errorf("%+v", r)
	}
}

// Answers wait for the next login while both links are down.
func TestAnswersAreStored(t *testing.T) {
	v := vehicle(t, "云H00001")
	wait := make(chan struct{})
	x := start(t, options{router: slowRouter{wait}, config: func(c *Config) { c.BackoffMin, c.BackoffMax = 300*time.Millisecond, 300*time.Millisecond }})
	s := x.superior
	s.up()
	s.send(jt809.IDVehicleText, &v, &jt809.VehicleText{MsgSequence: 3})
	wait <- struct{}{} // it is on its way to the vehicle
	s.kill(true, true)
	for {
		changed, data, _ := x.peers[0].await()
		if data == nil {
			break
		}
		<-changed
	}
	close(wait)
	if m := s.message(jt809.IDVehicleTextReply, 1); m.body.(*jt809.VehicleTextReply).MsgID != 3 {
		t.Errorf("%+v", m)
	}
}

type slowRouter struct{ wait chan struct{} }

func (r slowRouter) Do(context.Context, ingest.Vehicle, jt809.MessageID, jt809.Edition, jt809.Body) (jt809.Body, jt809.MessageID, error) {
	<-r.wait
	<-r.wait
	return &jt809.VehicleTextReply{}, jt809.IDVehicleTextReply, nil
}
