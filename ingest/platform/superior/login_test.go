package superior

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

var constants = jt809.Cipher{M1: 10000000, IA1: 20000000, IC1: 30000000}

// editions runs a test in both layouts, plain and encrypted.
func editions(t *testing.T, test func(t *testing.T, h *hub, s *platformScript)) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		for _, encrypted := range []bool{false, true} {
			name := ed.String()
			if encrypted {
				name += " encrypted"
			}
			t.Run(name, func(t *testing.T) {
				p := onePeer()
				p.M1, p.IA1, p.IC1, p.Encrypt = constants.M1, constants.IA1, constants.IC1, encrypted
				h := start(t, testConfig(p), nil)
				s := newScript(t, h, ed)
				if encrypted {
					s.cipher, s.key = constants, 15241
				}
				test(t, h, s)
			})
		}
	}
}

func TestLoginPositionsAndProof(t *testing.T) {
	editions(t, func(t *testing.T, h *hub, s *platformScript) {
		s.both()
		if got := h.Peers()[0]; got.Main.State != platform.LinkUp || got.Edition != s.ed.String() || got.LastLogin == 0 {
			t.Errorf("%+v", got)
		}
		v := plateOf(t, 1)
		for i := range int64(100) {
			s.position(s.main, v, noon+i*1000)
		}
		s.proof()
		got := h.log.of(ingest.KindPosition)
		if len(got) != 100 {
			t.Fatalf("%d positions in the log when 0x1006 came, want 100", len(got))
		}
		e := got[99]
		if e.Vehicle != v || e.Time != noon+99_000 || e.Source != ingest.SourceJT809 || e.Flags != 0 || e.Received == 0 || e.Position.Lat != 25_040_678 {
			t.Errorf("%+v", e)
		}
		// The other way: a request goes down over the sub link, encrypted where we encrypt.
		if _, err := h.Do(context.Background(), "alpha", &v, jt809.IDVehicleText, &jt809.VehicleText{MsgContent: jt808.GBK("前方雾区")}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		var m jt809.VehicleText
		x := s.sub.get(jt809.IDVehicleText, s.ed, &m)
		if m.MsgContent.String() != "前方雾区" || x.h.Encrypted != (s.key != 0) || x.h.Centre != centre {
			t.Errorf("%+v %q", x.h, m.MsgContent.String())
		}
	})
}

func TestLoginResults(t *testing.T) {
	p := onePeer()
	p.Addresses = []string{"127.0.0.0/8"}
	far := PeerConfig{Name: "far", AccessCode: 77, User: 1, Password: "x", Addresses: []string{"203.0.113.0/24"}}
	h := start(t, testConfig(p, far), nil)
	for _, c := range []struct {
		name   string
		change func(s *platformScript)
		want   uint8
	}{
		{"another's address", func(s *platformScript) { s.centre = 77 }, jt809.LoginBadAddress},
		{"centre", func(s *platformScript) { s.centre = 5 }, jt809.LoginBadCentre},
		{"user", func(s *platformScript) { s.user = 5 }, jt809.LoginBadUser},
		{"password", func(s *platformScript) { s.password = "wrong" }, jt809.LoginBadPassword},
		{"empty password", func(s *platformScript) { s.password = "" }, jt809.LoginBadPassword},
	} {
		s := newScript(t, h, jt809.Edition2011)
		c.change(s)
		if got := s.login(); got != c.want {
			t.Errorf("%s: result %d, want %d", c.name, got, c.want)
		}
		s.main.ended()
	}
	if got := h.Peers()[0]; got.FailedWhy != "wrong password" || got.LastFailed == 0 || got.Main.State != platform.LinkDown {
		t.Errorf("%+v", got)
	}
}

func TestNoAddressAllowed(t *testing.T) {
	p := onePeer()
	p.Addresses = []string{"203.0.113.0/24"}
	h := start(t, testConfig(p), nil)
	s := newScript(t, h, jt809.Edition2011)
	s.centre = 5 // unknown; the address comes first
	if got := s.login(); got != jt809.LoginBadAddress {
		t.Errorf("result %d", got)
	}
}

func TestASecondLoginIsRefusedWhileTheFirstIsAliveAndReplacesASilentOne(t *testing.T) {
	cfg := testConfig()
	cfg.ReplaceGrace = time.Millisecond
	h := start(t, cfg, nil)
	first := newScript(t, h, jt809.Edition2011)
	first.both()
	second := newScript(t, h, jt809.Edition2011)
	if got := second.login(); got != jt809.LoginBusy {
		t.Errorf("result %d while the first is alive", got)
	}
	first.proof()

	cfg.ReplaceAfter = time.Nanosecond // any link is silent now
	h = start(t, cfg, nil)
	first = newScript(t, h, jt809.Edition2011)
	first.both()
	second = newScript(t, h, jt809.Edition2011)
	second.both()
	first.main.ended()
	first.sub.ended()
	second.proof()
	if got := h.Peers()[0]; got.Main.State != platform.LinkUp || got.Sub.State != platform.LinkUp {
		t.Errorf("%+v", got)
	}
}

func TestNothingIsTakenBeforeTheLogin(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2011).dial()
	s.position(s.main, plateOf(t, 1), noon)
	s.send(s.main, jt809.IDHeartbeat, nil, nil)
	addr := s.listener.Addr().(*net.TCPAddr)
	s.send(s.main, jt809.IDLogin, nil, &jt809.Login{UserID: user, Password: password, DownLinkIP: "127.0.0.1", DownLinkPort: uint16(addr.Port)})
	s.main.get(jt809.IDLoginReply, s.ed, nil)
	if len(s.main.kept) != 0 {
		t.Errorf("answered before the login: %v", s.main.kept[0].h)
	}
	s.proof()
	if n := len(h.log.of(ingest.KindPosition)); n != 0 {
		t.Errorf("%d positions were taken", n)
	}
}

func TestGarbageAndNoLogin(t *testing.T) {
	cfg := testConfig()
	cfg.LoginTimeout = 50 * time.Millisecond
	cfg.MaxConnectionsPerAddress = 3
	h := start(t, cfg, nil)
	s := newScript(t, h, jt809.Edition2011)
	for range 3 {
		s.dial()
		s.main.nc.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n[[[]]]"), 1000))
	}
	// The limit of the address is reached: the next is closed at once, or when the others have timed out it is let in.
	s.main.ended()
	cfg.LoginTimeout = time.Minute
	h = start(t, cfg, nil)
	s = newScript(t, h, jt809.Edition2011)
	if s.login() != 0 {
		t.Fatal("no login")
	}
	s.main.nc.Write([]byte("garbage[half a frame"))
	s.proof() // the link stays
	s.dial()
	s.dial()
	s.dial()
	s.main.ended()
}

func TestTheEditionOfTheSettingsAndUnknownMessages(t *testing.T) {
	p := onePeer()
	p.Edition = "2013"
	h := start(t, testConfig(p), nil)
	s := newScript(t, h, jt809.Edition2013)
	s.both()
	v := plateOf(t, 1)
	env := envelope(0x1240, &v)
	env.Data = []byte("safety-terminal data")
	s.main.nc.Write(s.frame(9, env, nil))
	s.main.nc.Write(s.frame(9, &jt809.Envelope{ID: jt809.IDExchangeUp, Data: []byte("short")}, nil))
	s.main.nc.Write(s.frame(9, &jt809.Envelope{ID: 0x1C00, Sub: 0x1C01, Data: []byte("vendor")}, nil))
	s.proof()
	if len(s.main.kept) > 0 {
		t.Errorf("an unknown message was answered by %v", s.main.kept[0].h.ID)
	}
	r, err := h.Do(context.Background(), "alpha", nil, jt809.IDInspection, &jt809.Inspection{ObjectType: 1, ObjectID: "53010000417", InfoContent: "1+1"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var q jt809.Inspection
	s.sub.get(jt809.IDInspection, jt809.Edition2013, &q)
	if q.ObjectID.String() != "53010000417" || q.InfoID == 0 || q.InfoID != r.Number {
		t.Errorf("%+v", q)
	}
}

func TestLogout(t *testing.T) {
	editions(t, func(t *testing.T, h *hub, s *platformScript) {
		s.both()
		s.position(s.main, plateOf(t, 1), noon)
		s.send(s.main, jt809.IDLogout, nil, &jt809.Logout{UserID: user, Password: "wrong"})
		s.proof()
		s.send(s.main, jt809.IDLogout, nil, &jt809.Logout{UserID: user, Password: password})
		s.main.get(jt809.IDLogoutReply, s.ed, nil)
		if len(h.log.of(ingest.KindPosition)) != 1 {
			t.Error("0x1004 came before the log had the position")
		}
		s.main.ended()
		s.sub.ended()
		eventually(t, "both links are down", func() bool {
			p := h.Peers()[0]
			return p.Main.State == platform.LinkDown && p.Sub.State != platform.LinkUp
		})
		s.both() // and again
	})
}
