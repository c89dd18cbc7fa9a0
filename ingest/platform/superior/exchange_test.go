package superior

import (
	"context"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// neighbours are two peers with both links up.
func neighbours(t *testing.T, ed jt809.Edition, change func(d *Deps)) (h *hub, a, b *platformScript) {
	beta := PeerConfig{Name: "beta", AccessCode: 77, User: 1, Password: "x", PlatformID: "2"}
	h = start(t, testConfig(onePeer(), beta), change)
	a, b = newScript(t, h, ed), newScript(t, h, ed)
	a.both()
	b.centre, b.user, b.password = 77, 1, "x"
	if r := b.login(); r != 0 {
		t.Fatal(r)
	}
	b.sub = b.takeSub(0)
	eventually(t, "beta's sub link is up", func() bool { return h.Peers()[1].Sub.State == platform.LinkUp })
	return h, a, b
}

func TestAVehicleOfAnotherPeer(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		_, a, b := neighbours(t, ed, nil)
		v := plateOf(t, 1)
		apply := func(id, answer jt809.MessageID, m jt809.Body) uint8 {
			t.Helper()
			serial := b.send(b.main, id, &v, m)
			var r jt809.ApplyReply
			b.sub.get(answer, ed, &r)
			if ed == jt809.Edition2019 && r.Source != (jt809.Source{Type: id, Serial: serial}) {
				t.Errorf("source %+v", r.Source)
			}
			return r.Result
		}
		forever := &jt809.Period{Start: jt809.SecondsOf(noon), End: jt809.SecondsOf(time.Now().Add(time.Hour).UnixMilli())}
		if r := apply(jt809.IDApplyStart, jt809.IDApplyStartReply, forever); r != jt809.ApplyNoData {
			t.Errorf("of an unknown vehicle: %d", r)
		}
		a.position(a.main, v, noon)
		a.proof()
		if r := apply(jt809.IDApplyStart, jt809.IDApplyStartReply, &jt809.Period{Start: jt809.SecondsOf(noon), End: jt809.SecondsOf(noon)}); r != applyWrongPeriod {
			t.Errorf("of a time that is over: %d", r)
		}
		if r := apply(jt809.IDApplyEnd, jt809.IDApplyEndReply, nil); r != jt809.ApplyNoData {
			t.Errorf("cancelled before: %d", r)
		}
		if r := apply(jt809.IDApplyStart, jt809.IDApplyStartReply, forever); r != jt809.ApplyGranted {
			t.Fatalf("result %d", r)
		}
		a.position(a.main, v, noon+1000)
		x := b.sub.get(jt809.IDPositionDown, ed, nil)
		var r jt809.PositionReader
		var e ingest.Event
		if err := r.Reset(x.env.Sub, x.env.Data, ed); err != nil {
			t.Fatal(err)
		}
		if ok, err := r.Next(&e); !ok || err != nil || e.Time != noon+1000 || e.Position.Lat != 25_040_678 {
			t.Errorf("%v %v %+v", ok, err, e)
		}
		b.position(b.main, v, noon+2000) // what it reports itself does not come back
		b.proof()
		if r := apply(jt809.IDApplyEnd, jt809.IDApplyEndReply, nil); r != jt809.ApplyGranted {
			t.Errorf("cancelled: %d", r)
		}
		a.position(a.main, v, noon+3000)
		a.proof()
		if r := apply(jt809.IDApplyHistory, jt809.IDApplyHistoryReply, forever); r != jt809.HistoryNoData {
			t.Errorf("without an archive: %d", r)
		}
		for _, k := range b.sub.kept {
			if k.env.Message() == jt809.IDPositionDown {
				t.Error("a position came that was not applied for")
			}
		}
	}
}

func TestHistory(t *testing.T) {
	v := plateOf(t, 1)
	history := func(_ context.Context, _ ingest.Vehicle, from, to int64, fn func(e *ingest.Event) error) error {
		for at := from; at < to; at += 1000 {
			if err := fn(fix(v, at)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		_, a, b := neighbours(t, ed, func(d *Deps) { d.History = history })
		a.position(a.main, v, noon)
		a.proof()
		b.send(b.main, jt809.IDApplyHistory, &v, &jt809.Period{Start: jt809.SecondsOf(noon), End: jt809.SecondsOf(noon + 12_000)})
		var r jt809.ApplyReply
		b.sub.get(jt809.IDApplyHistoryReply, ed, &r)
		if r.Result != 0 {
			t.Fatalf("result %d", r.Result)
		}
		var got []int64
		for len(got) < 12 {
			x := b.sub.get(jt809.IDPositionBatchDown, ed, nil)
			if n := x.env.Data[0]; n < 1 || n > 5 {
				t.Errorf("gnss_cnt %d", n)
			}
			var p jt809.PositionReader
			if err := p.Reset(x.env.Sub, x.env.Data, ed); err != nil {
				t.Fatal(err)
			}
			var e ingest.Event
			for {
				ok, err := p.Next(&e)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				got = append(got, e.Time)
			}
		}
		for i, at := range got {
			if at != noon+int64(i)*1000 {
				t.Fatalf("position %d at %d", i, at)
			}
		}
		b.send(b.main, jt809.IDApplyHistory, &v, &jt809.Period{Start: jt809.SecondsOf(noon), End: jt809.SecondsOf(noon - 1000)})
		b.sub.get(jt809.IDApplyHistoryReply, ed, &r)
		if r.Result != jt809.HistoryWrong {
			t.Errorf("wrong period: %d", r.Result)
		}
	}
}

func TestTokens(t *testing.T) {
	_, a, b := neighbours(t, jt809.Edition2011, nil)
	v := plateOf(t, 1)
	a.position(a.main, v, noon)
	a.send(a.main, jt809.IDTokens, nil, &jt809.Tokens{PlatformID: "9", AuthorizeCode1: "home", AuthorizeCode2: "other"})
	a.proof()
	b.send(b.main, jt809.IDTokenQuery, &v, nil)
	var r jt809.TokenReply
	b.sub.get(jt809.IDTokenReply, b.ed, &r)
	if r.AuthorizeCode.String() != "other" || r.PlatformID.String() != "9" {
		t.Errorf("%+v", r)
	}
	b.send(b.main, jt809.IDRecordingList, &v, &jt809.RecordingList{ItemList: make([]jt809.Recording, 3)})
	var l jt809.RecordingListReply
	b.sub.get(jt809.IDRecordingListReply, b.ed, &l)
	if l.ItemNumber != 3 {
		t.Errorf("%+v", l)
	}
	b.send(b.main, jt809.IDDownloadDone, &v, &jt809.DownloadDone{SessionID: 12})
	var d jt809.DownloadDoneReply
	b.sub.get(jt809.IDDownloadDoneReply, b.ed, &d)
	if d.SessionID != 12 {
		t.Errorf("%+v", d)
	}
}

func TestSerials2019(t *testing.T) {
	p := onePeer()
	p.Retransmit = true
	cfg := testConfig(p)
	var clock fakeClock
	clock.set(time.Now())
	h := start(t, cfg, func(d *Deps) { d.Now = clock.now })
	s := newScript(t, h, jt809.Edition2019).both()
	v := plateOf(t, 1)
	// Each message has its own serials: 1, 2, then 6.
	for _, n := range []uint32{1, 2, 6} {
		env := envelope(jt809.IDPosition, &v)
		env.Data = jt809.AppendPositionData(nil, s.ed, fix(v, noon+int64(n)*1000))
		s.main.nc.Write(s.frame(n, env, nil))
	}
	s.serial = 1
	s.proof()
	if got := h.Peers()[0].SerialGaps; got != 3 {
		t.Errorf("%d messages are missing, want 3", got)
	}
	clock.add(askAfter + time.Second)
	var m jt809.Retransmit
	s.sub.get(jt809.IDRetransmitDown, s.ed, &m)
	if m.BeginMsgSN != 3 || m.EndMsgSN != 5 {
		t.Errorf("%+v", m)
	}
	for _, n := range []uint32{3, 4, 5} { // sent again
		env := envelope(jt809.IDPosition, &v)
		env.Data = jt809.AppendPositionData(nil, s.ed, fix(v, noon+int64(n)*1000))
		s.main.nc.Write(s.frame(n, env, nil))
	}
	s.proof()
	if got := h.Peers()[0].SerialGaps; got != 0 {
		t.Errorf("%d messages are missing after they came", got)
	}
	// What we sent is sent again under its serial.
	for range 3 {
		h.do(t, &v, jt809.IDVehicleText, &jt809.VehicleText{MsgContent: "x"})
	}
	first := s.sub.get(jt809.IDVehicleText, s.ed, nil)
	second := s.sub.get(jt809.IDVehicleText, s.ed, nil)
	s.sub.get(jt809.IDVehicleText, s.ed, nil)
	if second.h.Serial != first.h.Serial+1 {
		t.Errorf("serials %d, %d", first.h.Serial, second.h.Serial)
	}
	s.send(s.main, jt809.IDRetransmitUp, nil, &jt809.Retransmit{RetranDataType: jt809.IDVehicleText, SerialCount: 1, BeginMsgSN: second.h.Serial, EndMsgSN: second.h.Serial})
	if again := s.sub.get(jt809.IDVehicleText, s.ed, nil); again.h.Serial != second.h.Serial || string(again.env.Data) != string(second.env.Data) {
		t.Errorf("%+v", again.h)
	}
	// Serials go on from what the peer says.
	s.send(s.main, jt809.IDSerialNoticeUp, nil, &jt809.SerialNotice{Items: []jt809.SerialItem{{SubType: jt809.IDVehicleText, MsgSN: 500}, {SubType: 0xFFFF, MsgSN: 9}}})
	s.proof()
	if r := h.do(t, &v, jt809.IDVehicleText, &jt809.VehicleText{MsgContent: "x"}); r.Serial != 501 {
		t.Errorf("serial %d, want 501", r.Serial)
	}
	// After a new login the peer is told what came.
	s.main.nc.Close()
	eventually(t, "main is down", func() bool { return h.Peers()[0].Main.State == platform.LinkDown })
	s.both()
	var notice jt809.SerialNotice
	s.sub.get(jt809.IDSerialNoticeDown, s.ed, &notice)
	found := false
	for _, i := range notice.Items {
		found = found || i.SubType == jt809.IDPosition && i.MsgSN == 6
	}
	if !found {
		t.Errorf("%+v", notice)
	}
}

func TestOneCounterForAllIsNoLoss(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2019).both()
	v := plateOf(t, 1)
	for i := range int64(20) {
		s.position(s.main, v, noon+i*1000)
		if i%3 == 0 {
			s.send(s.main, jt809.IDWaybillReport, &v, &jt809.WaybillReport{EwaybillInfo: "x"})
		}
	}
	s.proof()
	if got := h.Peers()[0].SerialGaps; got != 0 {
		t.Errorf("%d messages are missing", got)
	}
}

func TestAnOutageWithoutBackfillIsAskedFor(t *testing.T) {
	cfg := testConfig()
	cfg.BackfillWithin = time.Minute
	var clock fakeClock
	clock.set(time.Now())
	h := start(t, cfg, func(d *Deps) { d.Now = clock.now })
	s := newScript(t, h, jt809.Edition2019).both()
	s.main.nc.Close()
	s.sub.nc.Close()
	eventually(t, "a gap began", func() bool { return len(h.Peers()[0].Gaps) == 1 })
	inside := clock.now().UnixMilli()/1000*1000 + 2000
	clock.add(4 * time.Second)
	s.both()
	// Of the second outage something is back-filled: it is not asked for.
	s.main.nc.Close()
	s.sub.nc.Close()
	eventually(t, "a second gap began", func() bool { return len(h.Peers()[0].Gaps) == 2 })
	clock.add(4 * time.Second)
	s.both()
	v := plateOf(t, 1)
	env := envelope(jt809.IDPositionBatch, &v)
	env.Data = jt809.AppendPositionData([]byte{1}, s.ed, fix(v, inside+4000))
	s.main.nc.Write(s.frame(99, env, nil))
	s.proof()
	if g := h.Peers()[0].Gaps; g[0].Positions != 0 || g[1].Positions != 1 {
		t.Errorf("%+v", g)
	}
	clock.add(time.Minute + time.Second)
	var m jt809.Retransmit
	s.sub.get(jt809.IDRetransmitDown, s.ed, &m)
	if m.Time == 0 || m.BeginMsgSN != 0 {
		t.Errorf("%+v", m)
	}
	eventually(t, "it is shown", func() bool { return h.Peers()[0].Gaps[0].Asked })
	if h.Peers()[0].Gaps[1].Asked {
		t.Error("what was back-filled was asked for")
	}
}
