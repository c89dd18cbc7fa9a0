package superior

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

func TestRegistration(t *testing.T) {
	editions(t, func(t *testing.T, h *hub, s *platformScript) {
		s.both()
		v := plateOf(t, 1)
		r := &jt809.Registration{PlatformID: "53010000417", TerminalModelType: "KX-900B", TerminalID: "T0A19F3", TerminalSimcode: "13987650042"}
		serial := s.send(s.main, jt809.IDRegistration, &v, r)
		if s.ed == jt809.Edition2019 {
			var a jt809.RegistrationReply
			s.sub.get(jt809.IDRegistrationReply, s.ed, &a)
			if a.Source != (jt809.Source{Type: jt809.IDRegistration, Serial: serial}) || a.Result != jt809.RecordApproved {
				t.Errorf("%+v", a)
			}
		}
		// The register does not know it: it is asked for, once.
		x := s.sub.get(jt809.IDStaticQuery, s.ed, nil)
		if got, _ := x.env.Vehicle(); got != v {
			t.Errorf("asked for %v", got)
		}
		s.send(s.main, jt809.IDRegistration, &v, r)
		s.send(s.main, jt809.IDStaticData, &v, &jt809.StaticData{Source: s.source(x), Info: jt809.Info{{Key: "TRANS_TYPE", Value: "030"}}})
		s.proof()
		links := h.log.of(ingest.KindLink)
		if len(links) != 2 || !links[0].Link.Online || links[0].Vehicle != v || links[0].Time == 0 {
			t.Errorf("%+v", links)
		}
		h.vehicles.mu.Lock()
		defer h.vehicles.mu.Unlock()
		put := h.vehicles.put
		if len(put) != 3 || put[0].TerminalID != "T0A19F3" || put[0].Phone != "13987650042" || put[2].Info.Get("TRANS_TYPE") != "030" || put[2].Platform != "alpha" {
			t.Errorf("%+v", put)
		}
		for _, k := range s.sub.kept {
			if k.env.Message() == jt809.IDStaticQuery {
				t.Error("asked twice")
			}
		}
	})
}

func TestStaticQueriesHaveARate(t *testing.T) {
	cfg := testConfig()
	cfg.MaxStatic = 2
	h := start(t, cfg, nil)
	s := newScript(t, h, jt809.Edition2011).both()
	for i := range 10 {
		v := plateOf(t, i)
		s.send(s.main, jt809.IDRegistration, &v, &jt809.Registration{})
	}
	s.proof()
	v := plateOf(t, 99)
	h.do(t, &v, jt809.IDVehicleText, &jt809.VehicleText{MsgContent: "end"})
	s.sub.get(jt809.IDVehicleText, s.ed, nil)
	if n := len(s.sub.kept); n != 2 {
		t.Errorf("%d queries, want 2", n)
	}
}

func TestDriversWaybillsAndAlarmsAreEvents(t *testing.T) {
	editions(t, func(t *testing.T, h *hub, s *platformScript) {
		s.both()
		v := plateOf(t, 1)
		s.send(s.main, jt809.IDDriverReport, &v, &jt809.Driver{DriverName: jt808.GBK("李四"), DriverID: "530101", OrgName: "org"})
		s.send(s.main, jt809.IDDriverReport, &v, &jt809.Driver{})
		s.send(s.main, jt809.IDWaybillReport, &v, &jt809.WaybillReport{EwaybillInfo: jt808.GBK("运单号:=D-1;start:=20260501080000")})
		alarm := &jt809.AlarmReport{WarnSrc: 2, WarnType: jt809.WarnFatigue, WarnTime: jt809.SecondsOf(noon), VehicleNo: jt809.PlateOf(v), VehicleColor: 2, InfoID: 41, InfoContent: "x"}
		serial := s.send(s.main, jt809.IDAlarmReport, &v, alarm)
		s.proof()
		if d := h.log.of(ingest.KindDriverCard); len(d) != 1 || d[0].Driver.Name != "李四" || d[0].Driver.License != "530101" || !d[0].Driver.On {
			t.Errorf("%+v", d)
		}
		if b := h.log.of(ingest.KindWaybill); len(b) != 1 || b[0].Waybill.Number != "D-1" || b[0].Waybill.Start == 0 {
			t.Errorf("%+v", b)
		}
		id := uint32(41)
		if s.ed == jt809.Edition2019 {
			id = serial
		}
		if a := h.log.of(ingest.KindSafety); len(a) != 1 || *a[0].Safety != (ingest.Safety{System: "platform", Kind: "fatigue", AlarmID: id, Speed: ingest.NoSpeed}) || a[0].Time != noon || a[0].Vehicle != v {
			t.Errorf("%+v", a)
		}
	})
}

func TestCountsOfPositions(t *testing.T) {
	p := onePeer()
	p.CountEvery = 10
	h := start(t, testConfig(p), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	for i := range int64(25) {
		s.position(s.main, plateOf(t, 1), noon+i*1000)
	}
	total := uint32(0)
	for total < 16 { // at most nine of the 25 wait for the next count
		var m jt809.PositionCount
		s.sub.get(jt809.IDPositionCount, s.ed, &m)
		if total += m.Total; m.Total < 10 || m.End < m.Start || m.Start == 0 {
			t.Errorf("%+v", m)
		}
	}
	// 2019: the peer counts.
	s = newScript(t, start(t, testConfig(p), nil), jt809.Edition2019).both()
	s.send(s.main, jt809.IDPositionCountUp, nil, &jt809.PositionCount{Total: 77})
	s.proof()
	if got := s.hub.Peers()[0].CountedByPeer; got != 77 {
		t.Errorf("counted %d", got)
	}
	_ = h
}

func TestBadPositions(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	v := plateOf(t, 1)
	e := fix(v, noon)
	e.Flags = ingest.FlagEncrypted
	env := envelope(jt809.IDPosition, &v)
	env.Data = jt809.AppendPositionData(nil, s.ed, e)
	s.main.nc.Write(s.frame(1, env, nil))
	for _, data := range [][]byte{nil, make([]byte, 5), make([]byte, 36)} { // the last has no date
		env.Data = data
		s.main.nc.Write(s.frame(1, env, nil))
	}
	env.Plate = ""
	env.Data = jt809.AppendPositionData(nil, s.ed, e)
	s.main.nc.Write(s.frame(1, env, nil)) // without a plate
	s.position(s.main, v, noon)
	s.proof()
	got := h.log.of(ingest.KindPosition)
	if len(got) != 2 || got[0].Flags != ingest.FlagEncrypted || got[1].Flags != 0 {
		t.Errorf("%+v", got)
	}
	if p := h.Peers()[0]; p.BadPositions != 4 || p.Positions != 2 || p.Vehicles != 1 {
		t.Errorf("%+v", p)
	}
}

// violations is the topic of violations.
type violations chan []byte

func (v violations) Follow(ctx context.Context, fn func(ctx context.Context, record []byte) error) error {
	for {
		select {
		case r := <-v:
			if err := fn(ctx, r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func violationOf(id, kind, state string, v ingest.Vehicle) []byte {
	b, _ := json.Marshal(map[string]any{"id": id, "kind": kind, "state": state, "plate": v.Plate(), "color": v.Color, "start": "2024-06-05T14:30:00+08:00", "end": nil, "version": 3})
	return b
}

func supervised(t *testing.T, h *hub, id string) (r platform.Request) {
	t.Helper()
	eventually(t, "the violation is supervised", func() (ok bool) {
		r, ok = h.book.Find(func(r *platform.Request) bool { return r.Violation == id })
		return ok
	})
	return r
}

func TestSupervision(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		p := onePeer()
		p.Supervise = Supervise{Kinds: []string{"speeding"}, Within: time.Hour, Level: 1, Supervisor: "王", SupervisorTel: "110"}
		topic := make(violations)
		h := start(t, testConfig(p), func(d *Deps) { d.Violations = topic })
		s := newScript(t, h, ed).both()
		v := plateOf(t, 1)
		s.position(s.main, v, noon)
		s.proof()
		topic <- []byte("no JSON")
		topic <- violationOf("0", "speeding", "open", plateOf(t, 5)) // not the peer's
		topic <- violationOf("0", "overload", "open", v)             // not asked for
		topic <- violationOf("0", "speeding", "retracted", v)
		topic <- bytes.Replace(violationOf("0", "speeding", "open", v), []byte(`"id"`), []byte(`"shadow":"strict","id"`), 1)
		topic <- violationOf("1", "speeding", "open", v)
		topic <- violationOf("1", "speeding", "closed", v) // once
		var m jt809.Supervision
		x := s.sub.get(jt809.IDSupervision, ed, &m)
		if m.SupervisorTel.String() != "110" || m.SupervisionLevel != 1 || m.WarnTime.UnixMilli() != noon || m.SupervisionEndTime.UnixMilli() < time.Now().UnixMilli() {
			t.Errorf("%+v", m)
		}
		number := m.SupervisionID
		if ed == jt809.Edition2019 {
			var tip jt809.AlarmTip
			y := s.sub.get(jt809.IDAlarmTip, ed, &tip)
			if m.Source != (jt809.Source{Type: jt809.IDAlarmTip, Serial: y.h.Serial}) || tip.VehicleNo.String() != v.Plate() || tip.WarnType != jt809.WarnOverspeed {
				t.Errorf("%+v %+v", m.Source, tip)
			}
			number = x.h.Serial
		} else if m.WarnType != jt809.WarnOverspeed {
			t.Errorf("warn_type %d", m.WarnType)
		}
		// In progress, then done.
		reply := &jt809.SupervisionReply{SupervisionID: number, Source: m.Source, Result: 0}
		s.send(s.main, jt809.IDSupervisionReply, &v, reply)
		s.proof()
		if r := supervised(t, h, "1"); r.State != platform.StateWaiting || r.Note != "in progress" {
			t.Errorf("%v: %+v", ed, r)
		}
		reply.Result = 1
		s.send(s.main, jt809.IDSupervisionReply, &v, reply)
		s.proof()
		if r := supervised(t, h, "1"); r.State != platform.StateAnswered || r.Plate != v.Plate() {
			t.Errorf("%v: %+v", ed, r)
		}
		// Of an alarm that the peer has reported itself: no hint is needed.
		w := plateOf(t, 2)
		s.position(s.main, w, noon)
		serial := s.send(s.main, jt809.IDAlarmReport, &w, &jt809.AlarmReport{WarnType: jt809.WarnOverspeed, WarnTime: jt809.SecondsOf(noon + 60_000), VehicleNo: jt809.PlateOf(w), VehicleColor: 2, InfoID: 9})
		s.proof()
		topic <- violationOf("2", "speeding", "open", w)
		s.sub.get(jt809.IDSupervision, ed, &m)
		if ed == jt809.Edition2019 {
			if m.Source != (jt809.Source{Type: jt809.IDAlarmReport, Serial: serial}) {
				t.Errorf("%+v", m.Source)
			}
			s.send(s.main, jt809.IDAlarmHandled, nil, &jt809.AlarmHandled{Source: m.Source, Result: 1})
		} else { // 2013's 0x1403
			s.send(s.main, jt809.IDAlarmResult, &w, &jt809.AlarmResult{InfoID: 8, Result: 1}) // of nothing
			s.send(s.main, jt809.IDAlarmResult, &w, &jt809.AlarmResult{InfoID: 9, Result: 1})
		}
		s.proof()
		if r := supervised(t, h, "2"); r.State != platform.StateAnswered || r.Answered == 0 {
			t.Errorf("%v: %+v", ed, r)
		}
		// By hand.
		byHand := h.do(t, &v, jt809.IDSupervision, &jt809.Supervision{WarnType: jt809.WarnFatigue, WarnTime: jt809.SecondsOf(noon)})
		s.sub.get(jt809.IDSupervision, ed, &m)
		if ed == jt809.Edition2019 {
			var tip jt809.AlarmTip
			y := s.sub.get(jt809.IDAlarmTip, ed, &tip)
			if m.Source.Serial != y.h.Serial || tip.WarnType != jt809.WarnFatigue || tip.VehicleNo.String() != v.Plate() {
				t.Errorf("%+v %+v", m.Source, tip)
			}
		} else if m.SupervisionID != byHand.Number {
			t.Errorf("%+v", m)
		}
		// With no link it waits for the next login.
		s.main.nc.Close()
		s.sub.nc.Close()
		eventually(t, "no link", func() bool { return h.Superior.peers[0].route() == nil })
		topic <- violationOf("3", "speeding", "open", v)
		if r := supervised(t, h, "3"); r.State != platform.StateWaiting || r.Serial != 0 {
			t.Errorf("%+v", r)
		}
		s.login()
		s.main.get(jt809.IDSupervision, ed, &m)
		if ed == jt809.Edition2019 && m.Source.Serial == 0 {
			t.Error("the supervision that waited names no alarm")
		}
		eventually(t, "it is noted as sent", func() bool { return supervised(t, h, "3").Serial != 0 })
	}
}
