package superior

import (
	"context"
	"errors"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

func TestNoProofWhileTheLogIsStalled(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	stall := make(chan struct{})
	h.log.mu.Lock()
	h.log.stalled = stall
	h.log.mu.Unlock()
	s.position(s.main, plateOf(t, 1), noon)
	s.send(s.main, jt809.IDHeartbeat, nil, nil)
	<-h.log.waiting // the superior waits for the log
	select {
	case x := <-s.main.frames:
		t.Fatalf("%v came although the log has nothing", x.h.ID)
	default:
	}
	close(stall)
	s.main.get(jt809.IDHeartbeatReply, s.ed, nil)
}

func TestALogThatRefusesEndsTheLinkWithoutProof(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	h.log.mu.Lock()
	h.log.refuse = errors.New("the topic is gone")
	h.log.mu.Unlock()
	s.position(s.main, plateOf(t, 1), noon)
	s.send(s.main, jt809.IDHeartbeat, nil, nil)
	s.main.ended()
	for len(s.main.frames) > 0 {
		if x := <-s.main.frames; x.h.ID == jt809.IDHeartbeatReply {
			t.Error("0x1006 came")
		}
	}
}

func TestASubLinkThatIsRefusedIsDialledAgainAndTold(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011)
	s.login()
	for range 3 {
		s.takeSub(2).ended()
	}
	var m jt809.SubBroken
	s.main.get(jt809.IDSubBroken, s.ed, &m)
	if m.ErrorCode != jt809.SubUnreachable {
		t.Errorf("error_code %d", m.ErrorCode)
	}
	s.takeSub(1).ended() // goes on
	s.sub = s.takeSub(0)
	eventually(t, "the sub link is up", func() bool { return h.Peers()[0].Sub.State == platform.LinkUp })
	// Killed when it was up: told with the other code.
	s.listener.Close()
	s.sub.nc.Close()
	s.main.get(jt809.IDSubBroken, s.ed, &m)
	if m.ErrorCode != jt809.SubDisconnected {
		t.Errorf("error_code %d", m.ErrorCode)
	}
	// What goes down goes over the main link now.
	v := plateOf(t, 1)
	if _, err := h.Do(context.Background(), "alpha", &v, jt809.IDVehicleText, &jt809.VehicleText{MsgContent: "x"}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	s.main.get(jt809.IDVehicleText, s.ed, nil)
}

func TestTheSubLinkCarriesEverythingWhileTheMainLinkIsDown(t *testing.T) {
	editions(t, func(t *testing.T, h *hub, s *platformScript) {
		s.both()
		v := plateOf(t, 1)
		s.main.nc.Close()
		eventually(t, "the main link is down", func() bool { return h.Peers()[0].Main.State == platform.LinkDown })
		s.send(s.sub, jt809.IDMainBroken, nil, &jt809.MainBroken{})
		s.position(s.sub, v, noon)
		if _, err := h.Do(context.Background(), "alpha", &v, jt809.IDVehicleText, &jt809.VehicleText{MsgContent: "x"}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		s.sub.get(jt809.IDVehicleText, s.ed, nil)
		eventually(t, "the position is in the log", func() bool { return len(h.log.of(ingest.KindPosition)) == 1 })
		if n := len(h.Peers()[0].Gaps); n != 0 {
			t.Errorf("%d gaps though a link was up", n)
		}
		s.sub.nc.Close()
		eventually(t, "a gap began", func() bool { g := h.Peers()[0].Gaps; return len(g) == 1 && g[0].To == 0 })
		if _, err := h.Do(context.Background(), "alpha", &v, jt809.IDVehicleText, &jt809.VehicleText{MsgContent: "y"}, time.Time{}); !errors.Is(err, platform.ErrOffline) {
			t.Errorf("Do without a link: %v", err)
		}
		s.both()
		gap := h.Peers()[0].Gaps[0]
		if gap.To < gap.From || gap.From == 0 {
			t.Errorf("%+v", gap)
		}
		env := envelope(jt809.IDPositionBatch, &v)
		env.Data = jt809.AppendPositionData([]byte{1}, s.ed, fix(v, noon))
		s.main.nc.Write(s.frame(99, env, nil))
		s.proof()
		got := h.log.of(ingest.KindPosition)
		if e := got[len(got)-1]; e.Flags&ingest.FlagBackfill == 0 {
			t.Errorf("%+v is not marked as back-fill", e)
		}
		if h.Peers()[0].BackfillPositions != 1 {
			t.Errorf("%+v", h.Peers()[0])
		}
	})
}

func TestAMainLinkThatThePeerHasLostIsGivenUp(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	s.send(s.sub, jt809.IDMainBroken, nil, &jt809.MainBroken{})
	s.main.ended()
	eventually(t, "the main link is down", func() bool { return h.Peers()[0].Main.State == platform.LinkDown })
	s.both() // and its new login is not refused
}

func TestInferiorClosesBoth(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	s.send(s.sub, jt809.IDInferiorCloses, nil, &jt809.InferiorCloses{})
	s.main.ended()
	s.sub.ended()
	s.both()
	_ = h
}

func TestSilenceAndHeartbeats(t *testing.T) {
	cfg := testConfig()
	var clock fakeClock
	clock.set(time.Now())
	h := start(t, cfg, func(d *Deps) { d.Now = clock.now })
	s := newScript(t, h, jt809.Edition2011).both()
	for range 3 {
		s.proof()
		clock.add(cfg.Heartbeat)
		s.sub.get(jt809.IDSubHeartbeat, s.ed, nil)
		s.send(s.sub, jt809.IDSubHeartbeatReply, nil, nil)
	}
	// Now it falls silent on both. What it sent last may be read after the clock has moved.
	eventually(t, "both are closed", func() bool {
		clock.add(cfg.Silence)
		select {
		case <-s.sub.done:
		default:
			return false
		}
		p := h.Peers()[0]
		return p.Main.State == platform.LinkDown && p.Main.Breaks == 1
	})
	s.main.ended()
}

func TestTheSubLinkAloneIsClosedAfterAWhile(t *testing.T) {
	cfg := testConfig()
	cfg.SubAlone = 30 * time.Millisecond
	h := start(t, cfg, nil)
	s := newScript(t, h, jt809.Edition2011).both()
	s.main.nc.Close()
	var m jt809.SubLogout
	s.sub.get(jt809.IDSubLogout, s.ed, &m)
	if m.VerifyCode != s.verify {
		t.Errorf("verify_code %d", m.VerifyCode)
	}
	s.sub.ended()
	_ = h
}

func TestShutdownSaysGoodbye(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	s.position(s.main, plateOf(t, 1), noon)
	s.proof()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	s.main.get(jt809.IDSuperiorCloses, s.ed, nil)
	s.main.ended()
	s.sub.ended()
	if h.Ready() {
		t.Error("ready after Shutdown")
	}
}

func TestShutdownDoesNotWaitForAStalledLog(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).both()
	h.log.mu.Lock()
	h.log.stalled = make(chan struct{})
	h.log.mu.Unlock()
	s.position(s.main, plateOf(t, 1), noon)
	s.send(s.main, jt809.IDHeartbeat, nil, nil)
	<-h.log.waiting
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := h.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all was acknowledged")
	}
	for len(s.main.frames) > 0 {
		if x := <-s.main.frames; x.h.ID == jt809.IDHeartbeatReply {
			t.Error("0x1006 came")
		}
	}
}

func TestAPeerThatDoesNotReadIsCutOff(t *testing.T) {
	cfg := testConfig()
	cfg.MaxQueue, cfg.WriteTimeout = 32<<10, 200*time.Millisecond
	p := onePeer()
	p.SubLink.Dial = DialNever
	cfg.Peers = []PeerConfig{p}
	h := start(t, cfg, nil)
	s := newScript(t, h, jt809.Edition2011)
	s.login()
	v := plateOf(t, 1)
	text := &jt809.VehicleText{MsgContent: jt808.Text(make([]byte, 1024))}
	s.main.stop()
	eventually(t, "it is cut off", func() bool {
		for range 100 {
			h.Do(context.Background(), "alpha", &v, jt809.IDVehicleText, text, time.Time{})
			text.MsgSequence = 0
		}
		return h.Peers()[0].Main.State == platform.LinkDown
	})
}
