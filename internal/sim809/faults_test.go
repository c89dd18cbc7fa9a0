package sim809

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"lushao/ingest/jt809"
	"lushao/internal/sim"
)

// truthOf is what the fleet does without any platform.
func truthOf(t *testing.T, c sim.Config) map[string]bool {
	t.Helper()
	var truth bytes.Buffer
	c.Gateway, c.Truth = "", &truth
	s, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return lines(t, truth.Bytes())
}

// TestFaults lets everything go wrong that can: whatever counts as acknowledged has arrived, and in the end all has.
func TestFaults(t *testing.T) {
	var mu sync.Mutex
	happened := map[Fault]int64{}
	t.Run("editions", func(t *testing.T) {
		for _, edition := range []string{"2011", "2013", "2019"} {
			t.Run(edition, func(t *testing.T) {
				t.Parallel()
				m := meet(t, edition, edition != "2013", func(c *Config) {
					// Few may wait for their proof: all others are sent while a link stands, and not stored while none does.
					c.Fleet.Duration, c.Window = 20*time.Minute, 100
					c.Silence = 500 * time.Millisecond
					c.FaultPause = 2 * time.Millisecond
					c.Faults = Faults{FaultMainCut: 0.003, FaultSubCut: 0.002, FaultBothCut: 0.002, FaultHalfFrame: 0.02, FaultBadChecksum: 0.03,
						FaultBadEscape: 0.03, FaultGarbage: 0.03, FaultWrongKey: 0.03, FaultWrongLength: 0.03, FaultDuplicate: 0.03, FaultChopped: 0.02,
						FaultUnknown: 0.03, FaultDeviation: 0.05, FaultMilliseconds: 0.5, FaultTextLength: 0.5, FaultSlowReader: 0.01,
						FaultNoHeartbeat: 0.3, FaultWrongPassword: 1, FaultWrongVerify: 0.3}
				}, nil)
				m.same(t)
				if m.up.LetIn+m.down.LetIn != 0 {
					t.Errorf("%d and %d were let in with wrong words", m.up.LetIn, m.down.LetIn)
				}
				if m.up.Resent == 0 || m.up.Breaks == 0 || m.down.BadFrames == 0 || m.up.Refused == 0 {
					t.Errorf("up: %+v\ndown: %+v", m.up, m.down)
				}
				if m.down.Received[jt809.IDAlarmReport] == 0 {
					t.Error("no alarm was reported")
				}
				mu.Lock()
				defer mu.Unlock()
				for _, r := range []Report{m.up, m.down} {
					for f, n := range r.Faults {
						happened[f] += n
					}
				}
			})
		}
	})
	for _, f := range faultOrder {
		if happened[f] == 0 {
			t.Errorf("fault %s never happened", f)
		}
	}
}

// TestTruthWithFaults: cut links change when violations are proven, and not which.
func TestTruthWithFaults(t *testing.T) {
	m := meet(t, "2011", true, func(c *Config) {
		c.Fleet.Duration = 4 * time.Hour
		c.Faults = Faults{FaultMainCut: 0.0005, FaultBothCut: 0.0005, FaultDuplicate: 0.01, FaultGarbage: 0.01}
	}, nil)
	c := fast(Inferior, "2011", false).Fleet
	c.Duration, c.Carrier = 4*time.Hour, sim.CarrierCoarse
	want, got := truthOf(t, c), lines(t, m.truth.Bytes())
	if len(want) == 0 || len(got) != len(want) {
		t.Errorf("%d violations, want %d and some", len(got), len(want))
	}
	for l := range want {
		if !got[l] {
			t.Errorf("missing: %s", l)
		}
	}
}

// TestUnprovenIsNotAcknowledged: a superior that takes everything and answers no heartbeat acknowledges nothing.
func TestUnprovenIsNotAcknowledged(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := fast(Inferior, "2019", false)
	c.Gateway, c.Platforms = ln.Addr().String(), 1
	c.AckTimeout = 100 * time.Millisecond
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan Report, 1)
	go func() {
		r, _ := s.Run(ctx)
		ended <- r
	}()
	// Until a connection brings what another one had brought already.
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	first, again := map[string]int{}, 0 // connections that brought a batch first
	for n := 0; again == 0; n++ {
		nc, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		front := s.newWire(nc, c.AccessCode, newSerials(s.edition))
		front.read(ctx, func(f *frame) error {
			switch f.sub() {
			case jt809.IDLogin:
				return front.say(jt809.IDLoginReply, &jt809.LoginReply{VerifyCode: 7})
			case jt809.IDPositionBatch:
				batch := string(f.Plate) + string(f.Data)
				if k, known := first[batch]; !known {
					first[batch] = n
				} else if k < n {
					again++
				}
			}
			return nil
		})
	}
	stop()
	if r := <-ended; r.Fleet.Positions.Acknowledged != 0 || r.Fleet.Positions.Sent == 0 {
		t.Errorf("%+v", r)
	}
}

func TestParseFaults(t *testing.T) {
	f, err := ParseFaults("all=0.01,main_cut=0.5")
	if err != nil || f[FaultMainCut] != 0.5 || f[FaultGarbage] != 0.01 || len(f) != len(faultOrder) {
		t.Errorf("%v, %v", f, err)
	}
	for s, want := range map[string]string{
		"main_cut": "want fault=share", "main_cut=2": "from 0 to 1", "main_cut=nan": "from 0 to 1", "storm=0.1": "not a fault",
		"garbage=0.1,garbage=0.2": "twice", "all=0,all=1": "twice",
	} {
		if _, err := ParseFaults(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", s, err, want)
		}
	}
}

// TestBroken: every frame that is made broken is refused by the codec, and what is only strange is not.
func TestBroken(t *testing.T) {
	h := jt809.Header{Serial: 0x5a5b5d5e, ID: 0x1200, Centre: 0x5d, Version: [3]byte{1, 2, 15}, Edition: jt809.Edition2011}
	good := jt809.AppendFrame(nil, &h, jt809.Cipher{}, []byte{0x5b, 1, 2, 0x5e, 2, 0x5d, 0x5a, 0, 9})
	if got := outside(reseal(inside(good))); !bytes.Equal(got, good) {
		t.Fatalf("taken apart and put together: % x, want % x", got, good)
	}
	open := func(b []byte) bool {
		var f jt809.Framer
		frame, _, err := f.Next(bytes.Clone(b))
		return frame != nil && err == nil
	}
	if !open(good) {
		t.Fatal("the good frame is refused")
	}
	for at := range good {
		if b := badEscape(good, at); open(b) {
			t.Errorf("with an escape that is none at %d: taken: % x", at, b)
		}
	}
}

func TestSerials(t *testing.T) {
	r := newReceived(jt809.Edition2013)
	for _, n := range []uint32{10, 11, 15, 13, 13, 16} {
		r.note(0x1200, 0x1202, n)
	}
	if r.gaps() != 2 || r.repeated != 1 {
		t.Errorf("%d gaps, %d repeated; want 2 (12, 14) and 1 (13)", r.gaps(), r.repeated)
	}
	r = newReceived(jt809.Edition2019)
	r.note(0x1200, 0x1202, 1)
	r.note(0x1200, 0x1203, 1)
	r.note(0x1200, 0x1202, 0xffffffff)
	if r.gaps() != 0 || r.repeated != 1 {
		t.Errorf("2019 counts by sub-message: %d gaps, %d repeated", r.gaps(), r.repeated)
	}
	r.note(0x1200, 0x1202, 100_000)
	if r.gaps() != 99_998 {
		t.Errorf("%d gaps after a great leap", r.gaps())
	}
	s := newSerials(jt809.Edition2019)
	s.reach(0x1202, 41)
	if n := s.next(0x1200, 0x1202); n != 42 {
		t.Errorf("after 41 comes %d", n)
	}
	s.reach(0x1202, 5)
	if n := s.next(0x1200, 0x1202); n != 43 {
		t.Errorf("serials went back to %d", n)
	}
}

func TestValidate(t *testing.T) {
	for _, side := range []Side{Inferior, Superior} {
		c := fast(side, "2019", true)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", side, err)
		}
	}
	for field, change := range map[string]func(*Config){
		"side": func(c *Config) { c.Side = "both" }, "gateway": func(c *Config) { c.Gateway = "x" }, "sub_listen": func(c *Config) { c.SubListen = "1.2.3.4:x" },
		"platforms": func(c *Config) { c.Platforms = 21 }, "password": func(c *Config) { c.Password = "123456789" },
		"edition": func(c *Config) { c.Edition = "auto" }, "encrypt": func(c *Config) { c.Cipher = jt809.Cipher{} },
		"window": func(c *Config) { c.Window = 0 }, "prove": func(c *Config) { c.Prove = 0 }, "backoff_max": func(c *Config) { c.BackoffMax = 1 },
		"inspect_every": func(c *Config) { c.InspectEvery = -1 }, "faults": func(c *Config) { c.Faults = Faults{"x": 1} },
		"vehicles": func(c *Config) { c.Fleet.Vehicles = 0 }, "alarm_every": func(c *Config) { c.AlarmEvery = -1 },
	} {
		c := fast(Inferior, "2019", true)
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
