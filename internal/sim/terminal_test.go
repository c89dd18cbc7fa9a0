package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// start runs a fleet in the background.
func start(t *testing.T, c Config) (s *Sim, wait func() (Report, error), cancel context.CancelFunc) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var r Report
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s, func() (Report, error) { <-done; return r, err }, cancel
}

// sameAs compares what the gateway has with what the same fleet writes without sockets: every position, first come in the order of
// sending.
func sameAs(t *testing.T, g *gateway, c Config) {
	t.Helper()
	want := sentOrder(t, c)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.taken) != len(want) {
		t.Errorf("positions of %d vehicles, want %d", len(g.taken), len(want))
	}
	for v, w := range want {
		if got := times(g.taken[v]); !slices.Equal(got, w) {
			t.Errorf("%v: %d positions, want %d; or in another order", v, len(got), len(w))
		}
	}
}

// sentOrder are the times of each vehicle's positions in the order in which an honest terminal sends them.
func sentOrder(t *testing.T, c Config) map[ingest.Vehicle][]int64 {
	t.Helper()
	c.Gateway, c.OnAck = "", nil
	want := map[ingest.Vehicle][]int64{}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.fleet {
		tr := newTrack(s.world, v, &s.cfg)
		for it, ok := tr.next(); ok; it, ok = tr.next() {
			for _, f := range it.fixes() {
				want[v.Vehicle] = append(want[v.Vehicle], f.t*1000)
			}
		}
	}
	return want
}

// TestSockets compares a run over sockets with one without: the same events and the same truth, all acknowledged.
func TestSockets(t *testing.T) {
	g := newGateway(t)
	c := online(g, 25, 90*time.Minute, 5)
	var events, truth bytes.Buffer
	var mu sync.Mutex
	acked := map[ingest.Vehicle]int{}
	c.Events, c.Truth = &events, &truth
	c.OnAck = func(v ingest.Vehicle, time int64) {
		mu.Lock()
		defer mu.Unlock()
		acked[v]++
	}
	_, wait, _ := start(t, c)
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	n := int64(25 * 90 * 6)
	if r.Positions != (Count{n, n, 0}) || r.Cards.Sent != r.Cards.Acknowledged || r.Cards.Sent == 0 || r.Breaks != 0 || r.Connections != 25 || r.Registered != 25 {
		t.Errorf("report %+v", r)
	}
	for v, k := range acked {
		if k != 540 {
			t.Errorf("%v: %d positions called acknowledged", v, k)
		}
	}
	sameAs(t, g, c)
	c.Gateway = ""
	want := run(t, c)
	sorted := func(b []byte) []string {
		var out []string
		for _, l := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
			out = append(out, string(l))
		}
		slices.Sort(out)
		return out
	}
	if !slices.Equal(sorted(events.Bytes()), sorted(want.events)) {
		t.Error("other events than without sockets")
	}
	if !slices.Equal(sorted(truth.Bytes()), sorted(want.truth)) || truth.Len() == 0 {
		t.Error("other truth than without sockets")
	}
}

// TestBreaks closes connections all the time, with messages taken and not acknowledged, and with messages lost.
func TestBreaks(t *testing.T) {
	g := newGateway(t)
	rng := rand.New(rand.NewPCG(1, 2))
	g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
		switch rng.IntN(25) {
		case 0:
			return verdict{take: true, close: true}
		case 1:
			return verdict{close: true}
		case 2:
			return verdict{answer: true, result: jt808.ResultFailed}
		}
		return honest
	}
	c := online(g, 10, time.Hour, 8)
	c.OnAck = func(v ingest.Vehicle, time int64) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if !slices.ContainsFunc(g.taken[v], func(e ingest.Event) bool { return e.Time == time }) {
			t.Errorf("%v: a position is called acknowledged that the platform has not", v)
		}
	}
	_, wait, _ := start(t, c)
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(10 * 360); r.Positions != (Count{n, n, 0}) || r.Resent == 0 || r.Breaks < 20 || r.Registered != 10 {
		t.Errorf("report %+v", r)
	}
	g.mu.Lock()
	g.script = nil
	g.mu.Unlock()
	sameComplete(t, g, 360)
}

// sameComplete proves that nothing is missing; with lost messages between others the order is that of each try.
func sameComplete(t *testing.T, g *gateway, each int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for v, list := range g.taken {
		if got := len(times(list)); got != each {
			t.Errorf("%v: %d positions, want %d", v, got, each)
		}
	}
}

// TestOrderAfterBreaks lets a platform stop in the middle and come back: what it had not taken comes in order.
func TestOrderAfterBreaks(t *testing.T) {
	g := newGateway(t)
	g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
		if c.frames == 40 { // this one is taken, but nobody learns of it
			return verdict{take: true, close: true}
		}
		return honest
	}
	c := online(g, 5, 40*time.Minute, 3)
	_, wait, _ := start(t, c)
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Breaks < 25 || r.Resent == 0 {
		t.Errorf("report %+v", r)
	}
	sameAs(t, g, c)
}

// TestCodeForgotten takes the codes of authentication away: terminals register again.
func TestCodeForgotten(t *testing.T) {
	g := newGateway(t)
	forgotten := 0
	g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
		if c.number <= 4 && c.frames == 10 {
			clear(g.codes)
			forgotten++
			return verdict{close: true}
		}
		return honest
	}
	c := online(g, 4, 20*time.Minute, 2)
	_, wait, _ := start(t, c)
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	if forgotten == 0 || r.Registered <= 4 {
		t.Errorf("forgotten %d times, report %+v", forgotten, r)
	}
	sameAs(t, g, c)
}

// TestHostilePlatform has every kind of platform that does not do its work for the first connections, then an honest one.
func TestHostilePlatform(t *testing.T) {
	const vehicles = 3
	for name, set := range map[string]func(*gateway){
		"closes at once": func(g *gateway) {
			g.greet = func(c *caller) bool { return c.number <= vehicles }
		},
		"sends garbage": func(g *gateway) {
			g.greet = func(c *caller) bool {
				if c.number > vehicles {
					return false
				}
				junk := bytes.Repeat([]byte{0x7d, 0x00, 0x41}, 200<<10)
				_, _ = c.Write(junk) // the terminal hangs up in the middle
				return true
			}
		},
		"sends delimiters and never ends a frame": func(g *gateway) {
			g.greet = func(c *caller) bool {
				if c.number > vehicles {
					return false
				}
				_, _ = c.Write(append(bytes.Repeat([]byte{0x7e}, 1000), bytes.Repeat([]byte{0x41}, 300<<10)...))
				return true
			}
		},
		"is silent": func(g *gateway) {
			g.greet = func(c *caller) bool {
				if c.number > vehicles {
					return false
				}
				_, _ = io.Copy(io.Discard, c)
				return true
			}
		},
		"never acknowledges": func(g *gateway) {
			g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
				if c.number <= vehicles {
					return verdict{}
				}
				return honest
			}
		},
		"acknowledges what was not sent": func(g *gateway) {
			g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
				if c.number <= vehicles {
					c.reply(h, jt808.IDPlatformAck, &jt808.Ack{Serial: h.Serial + 777, ID: h.ID})
					c.reply(h, jt808.IDPlatformAck, &jt808.Ack{Serial: h.Serial, ID: jt808.IDMediaData})
					return verdict{}
				}
				return honest
			}
		},
		"asks without end": func(g *gateway) {
			g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
				if c.number <= vehicles {
					for range 50 {
						c.reply(h, jt808.IDQueryLocation, &jt808.Empty{})
					}
					return verdict{}
				}
				return honest
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			set(g)
			c := online(g, vehicles, 10*time.Minute, 6)
			c.AckTimeout = 300 * time.Millisecond
			_, wait, _ := start(t, c)
			r, err := wait()
			if err != nil {
				t.Fatal(err)
			}
			if n := int64(vehicles * 60); r.Positions.Acknowledged != n || r.Breaks < vehicles {
				t.Errorf("report %+v", r)
			}
			sameAs(t, g, c)
		})
	}
}

// TestRefused counts what the platform calls malformed or unsupported, and does not send it again.
func TestRefused(t *testing.T) {
	g := newGateway(t)
	g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
		if h.ID == jt808.IDDriverIdentity {
			return verdict{answer: true, result: jt808.ResultNotSupported}
		}
		if c.frames%10 == 3 {
			return verdict{answer: true, result: jt808.ResultMalformed}
		}
		return honest
	}
	_, wait, _ := start(t, online(g, 3, 10*time.Minute, 6))
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Cards.Refused != r.Cards.Sent || r.Positions.Refused != 18 || r.Positions.Acknowledged != 162 || r.Resent != 0 || r.Breaks != 0 {
		t.Errorf("report %+v", r)
	}
}

// TestObeys sends a prompt and something unknown to a terminal, which answers both.
func TestObeys(t *testing.T) {
	g := newGateway(t)
	g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
		switch c.frames {
		case 2:
			a := h.Answer(jt808.IDText, 4001)
			_, _ = c.Write(jt808.AppendFrame(nil, &a, []byte("\x04slow down")))
		case 4:
			a := h.Answer(0x8F42, 4002)
			_, _ = c.Write(jt808.AppendFrame(nil, &a, []byte{1, 2, 3}))
		}
		return honest
	}
	_, wait, _ := start(t, online(g, 2, 10*time.Minute, 6))
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Prompts != 2 {
		t.Errorf("%d prompts, want 2", r.Prompts)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, want := range []jt808.Ack{{Serial: 4001, ID: jt808.IDText, Result: jt808.ResultOK}, {Serial: 4002, ID: 0x8F42, Result: jt808.ResultNotSupported}} {
		n := 0
		for _, a := range g.acks {
			if a == want {
				n++
			}
		}
		if n != 2 {
			t.Errorf("answered %d times with %+v, want 2 in %+v", n, want, g.acks)
		}
	}
}

// TestHeartbeat paces the fleet so slowly that it has nothing to say but that it is there. Then the run is ended from outside.
func TestHeartbeat(t *testing.T) {
	g := newGateway(t)
	beats := make(chan struct{}, 100)
	g.script = func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict {
		if h.ID == jt808.IDHeartbeat {
			select {
			case beats <- struct{}{}:
			default:
			}
		}
		return honest
	}
	c := online(g, 2, time.Hour, 6)
	c.Rate, c.Heartbeat = 0.001, 5*time.Millisecond
	_, wait, cancel := start(t, c)
	for range 6 {
		<-beats
	}
	cancel()
	if _, err := wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// TestCancel ends a run while the platform says nothing.
func TestCancel(t *testing.T) {
	g := newGateway(t)
	reached := make(chan struct{}, 100)
	g.script = func(*gateway, *caller, *jt808.Header, []byte) verdict {
		reached <- struct{}{}
		return verdict{}
	}
	c := online(g, 4, time.Hour, 6)
	c.AckTimeout, c.Window = time.Hour, 2
	_, wait, cancel := start(t, c)
	for range 8 { // every terminal waits, its window full
		<-reached
	}
	cancel()
	r, err := wait()
	if !errors.Is(err, context.Canceled) || r.Positions.Acknowledged != 0 || r.Positions.Sent == 0 {
		t.Errorf("error %v, report %+v", err, r)
	}
}

// TestPace computes when items are due: by the rate, and never before they happen.
func TestPace(t *testing.T) {
	c := offline(100, 1, 1)
	start := c.Start
	began := start.Add(1000 * time.Hour)
	it := func(after time.Duration) *item {
		return &item{at: start.Add(after).UnixMilli(), fix: fix{t: start.Add(after).Unix()}}
	}
	for _, x := range []struct {
		rate  float64
		began time.Time
		after time.Duration
		want  time.Time
	}{
		{0, began, 10 * time.Minute, start.Add(10 * time.Minute)},                 // long past: at once
		{10, began, 10 * time.Minute, began.Add(10 * time.Minute)},                // real time
		{100, began, 10 * time.Minute, began.Add(time.Minute)},                    // ten times as fast
		{1, began, 10 * time.Minute, began.Add(100 * time.Minute)},                // ten times as slow
		{100, start, 10 * time.Minute, start.Add(10 * time.Minute)},               // as fast, but it has not happened yet
		{0, start.Add(-time.Hour), 10 * time.Minute, start.Add(10 * time.Minute)}, // a start to come
	} {
		c.Rate = x.rate
		s := &Sim{cfg: c, began: x.began}
		if got := s.due(it(x.after)); !got.Equal(x.want) {
			t.Errorf("rate %v: due %v, want %v", x.rate, got, x.want)
		}
	}
}
