package sim

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	platform "lushao/ingest/gateway"
	"lushao/ingest/jt808"
)

func TestParseFaults(t *testing.T) {
	f, err := ParseFaults("half=0.01, relay=1,storm=0")
	if want := (Faults{FaultHalf: 0.01, FaultRelay: 1, FaultStorm: 0}); err != nil || !maps.Equal(f, want) {
		t.Errorf("%v, %v", f, err)
	}
	for _, s := range []string{"", "none"} {
		if f, err := ParseFaults(s); err != nil || len(f) != 0 {
			t.Errorf("%q: %v, %v", s, f, err)
		}
	}
	for s, want := range map[string]string{
		"half":          `"half": want fault=share`,
		"half=x":        `"half=x": want fault=share`,
		"half=1,half=1": "half: named twice",
		"half=-0.1":     "half: share -0.1; want 0 to 1",
		"half=NaN":      "half: share NaN",
		"rain=0.1":      "rain: not a fault; want some of half, checksum, oversize",
		"half=0.1,,":    `"": want`,
	} {
		if _, err := ParseFaults(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", s, err, want)
		}
	}
}

// faulty is a fleet that misbehaves towards a platform that knows its kind.
func faulty(t *testing.T, f Faults, vehicles int, d time.Duration) (*gateway, Config) {
	g := newGateway(t)
	g.tolerant = true
	c := online(g, vehicles, d, 5)
	c.Faults, c.FaultPause = f, time.Millisecond
	return g, c
}

// TestEachFault proves that each fault reaches the platform, and that every position and the whole truth arrive all the same.
func TestEachFault(t *testing.T) {
	const vehicles, each = 12, 12 * 60
	for fault, share := range (Faults{FaultHalf: 0.1, FaultChecksum: 0.3, FaultOversize: 0.1, FaultGarbage: 0.3, FaultDuplicate: 0.3, FaultOrder: 0.3, FaultClock: 0.3,
		FaultParts: 0.5, FaultExtras: 0.3, FaultTwo: 0.01, FaultSlow: 0.01, FaultUnauthenticated: 0.5, FaultStorm: 0.5, FaultNever: 0.3, FaultRelay: 0.7}) {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			g, c := faulty(t, Faults{fault: share}, vehicles, 2*time.Hour)
			var truth bytes.Buffer
			c.Truth = &truth
			_, wait, _ := start(t, c)
			r, err := wait()
			if err != nil {
				t.Fatal(err)
			}
			n := r.Faults[fault]
			honest := int64(vehicles)
			if fault == FaultNever {
				honest -= n
			}
			if r.Positions != (Count{honest * each, honest * each, 0}) || n == 0 || r.Cards.Sent != r.Cards.Acknowledged {
				t.Errorf("report %+v", r)
			}
			for other, k := range r.Faults {
				if other != fault && k != 0 {
					t.Errorf("%d of %s", k, other)
				}
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			seen := map[Fault]int64{
				FaultHalf:      int64(g.bad[jt808.ErrChecksum] + g.bad[jt808.ErrShort] + g.bad[jt808.ErrEscape] + g.bad[jt808.ErrLength]),
				FaultChecksum:  int64(g.bad[jt808.ErrChecksum]),
				FaultOversize:  int64(g.bad[jt808.ErrTooLong]),
				FaultDuplicate: int64(g.repeated),
				FaultExtras:    int64(g.cutExtras),
			}
			if got, counted := seen[fault]; counted && (got == 0 || got > n || got < n/2) { // not every fault suits every message
				t.Errorf("the platform saw %d of %d", got, n)
			}
			strangers, rejoined := 0, 0
			for _, k := range g.strangers {
				strangers += k
			}
			for _, k := range g.rejoined {
				rejoined += k
			}
			switch {
			case fault == FaultGarbage && len(g.bad) == 0,
				fault == FaultParts && (g.whole == 0 || g.filled == 0),
				fault == FaultTwo && (int64(rejoined) < vehicles+n || r.Breaks == 0),
				fault == FaultSlow && (g.frames[jt808.IDHeartbeat] == 0 || r.Breaks == 0),
				fault == FaultUnauthenticated && strangers == 0,
				fault == FaultStorm && (r.Breaks != n || int64(rejoined) != vehicles+n),
				fault == FaultNever && strangers == 0,
				fault == FaultRelay && (g.relays < 2 || g.accepted >= vehicles):
				t.Errorf("the platform saw too little: bad frames %v, whole %d, filled %d, rejoined %d, strangers %d, relayed %d, connections %d, breaks %d of %d",
					g.bad, g.whole, g.filled, rejoined, strangers, g.relays, g.accepted, r.Breaks, n)
			}
			// What came is what an honest fleet sends, and of wrong clocks a little more.
			c.Faults, c.Gateway = nil, ""
			want := run(t, c)
			if fault != FaultNever && truth.Len() != len(want.truth) {
				t.Error("another truth than that of an honest fleet")
			}
			events, missing := byVehicle(t, want.events), int64(0)
			for v, list := range events {
				have := map[int64]bool{}
				for _, e := range g.taken[v] {
					have[e.Time] = true
				}
				if len(have) == 0 {
					missing++
					continue
				}
				for _, e := range positions(list) {
					if !have[e.Time] {
						t.Errorf("%v: the position of %s is lost", v, clockText(e.Time))
					}
				}
				if fault == FaultClock && len(have) == each {
					t.Errorf("%v: no wrong clock", v)
				}
				if fault != FaultClock && len(have) != each {
					t.Errorf("%v: %d times, want %d", v, len(have), each)
				}
			}
			if missing != int64(vehicles)-honest {
				t.Errorf("nothing of %d vehicles", missing)
			}
			ordered := true
			for v, list := range sentOrder(t, c) {
				came := slices.DeleteFunc(times(g.taken[v]), func(at int64) bool { return !slices.Contains(list, at) })
				ordered = ordered && (len(came) == 0 || slices.Equal(came, list))
			}
			if ordered == (fault == FaultOrder) {
				t.Errorf("in order: %v", ordered)
			}
		})
	}
}

// TestEverythingAtOnce has every fault of messages with every message.
func TestEverythingAtOnce(t *testing.T) {
	f := Faults{FaultHalf: 1, FaultChecksum: 1, FaultOversize: 1, FaultGarbage: 1, FaultDuplicate: 1, FaultOrder: 1, FaultClock: 1, FaultParts: 1, FaultExtras: 1,
		FaultUnauthenticated: 1, FaultStorm: 1}
	_, c := faulty(t, f, 3, 20*time.Minute)
	_, wait, _ := start(t, c)
	r, err := wait()
	if n := int64(3 * 120); err != nil || r.Positions != (Count{n, n, 0}) {
		t.Errorf("%+v, %v", r, err)
	}
	if r.Faults[FaultHalf] < 360 || r.Faults[FaultStorm] == 0 {
		t.Errorf("faults %v", r.Faults)
	}
}

// TestFaultsFromSeed gives the same faults of messages twice.
func TestFaultsFromSeed(t *testing.T) {
	var first map[Fault]int64
	for range 2 {
		_, c := faulty(t, Faults{FaultChecksum: 0.2, FaultGarbage: 0.2, FaultParts: 0.1, FaultExtras: 0.3, FaultRelay: 0.5}, 6, 30*time.Minute)
		_, wait, _ := start(t, c)
		r, err := wait()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r.Faults
		} else if !maps.Equal(first, r.Faults) {
			t.Errorf("%v, then %v", first, r.Faults)
		}
	}
	if first[FaultRelay] == 0 {
		t.Error("no relay")
	}
}

// TestFaultyCancel ends a run in which terminals pause, wait and knock in vain.
func TestFaultyCancel(t *testing.T) {
	g, c := faulty(t, Faults{FaultHalf: 1, FaultNever: 0.5, FaultRelay: 0.5}, 8, time.Hour)
	c.FaultPause = time.Hour
	reached := make(chan struct{}, 1)
	g.greet = func(*caller) bool {
		select {
		case reached <- struct{}{}:
		default:
		}
		return false
	}
	_, wait, cancel := start(t, c)
	<-reached
	cancel()
	if _, err := wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// eventLog is a log that takes everything.
type eventLog struct {
	mu    sync.Mutex
	times map[ingest.Vehicle]map[int64]int
}

func (l *eventLog) Partitions() int          { return 4 }
func (l *eventLog) NewBatch() platform.Batch { return &eventBatch{log: l} }

type eventBatch struct {
	log  *eventLog
	held []byte
}

func (b *eventBatch) Append(_ context.Context, _ int, payload []byte) error {
	b.held = append(b.held, payload...)
	return nil
}

func (b *eventBatch) Wait(context.Context) error {
	b.log.mu.Lock()
	defer b.log.mu.Unlock()
	for rest := b.held; len(rest) > 0; {
		var e ingest.Event
		var err error
		if rest, err = ingest.DecodeEvent(rest, &e); err != nil {
			return err
		}
		if e.Kind == ingest.KindPosition {
			if b.log.times[e.Vehicle] == nil {
				b.log.times[e.Vehicle] = map[int64]int{}
			}
			b.log.times[e.Vehicle][e.Time]++
		}
	}
	b.held = b.held[:0]
	return nil
}

// TestHonestBesideFaulty lets a fleet with every fault and an honest one report to the gateway of this project. The honest one must not
// notice, and of the other every acknowledged position must be in the log.
func TestHonestBesideFaulty(t *testing.T) {
	log := &eventLog{times: map[ingest.Vehicle]map[int64]int{}}
	cfg := platform.DefaultConfig()
	cfg.Listen, cfg.AuthSecret = "127.0.0.1:0", "a secret of the tests, long enough"
	g, err := platform.New(cfg, platform.Deps{Log: log, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	defer g.Shutdown(context.Background())

	fleet := func(seed uint64) Config {
		c := offline(30, 1, seed)
		c.Gateway, c.BackoffMin, c.BackoffMax = g.Addr().String(), time.Millisecond, 20*time.Millisecond
		c.FaultPause = 2 * time.Millisecond
		return c
	}
	var mu sync.Mutex
	acked := map[ingest.Vehicle][]int64{}
	bad, good := fleet(1), fleet(2)
	bad.Faults = Faults{FaultHalf: 0.05, FaultChecksum: 0.1, FaultOversize: 0.05, FaultGarbage: 0.1, FaultDuplicate: 0.1, FaultOrder: 0.1, FaultClock: 0.1, FaultParts: 0.1,
		FaultExtras: 0.1, FaultTwo: 0.01, FaultSlow: 0.005, FaultUnauthenticated: 0.5, FaultStorm: 0.3, FaultNever: 0.2, FaultRelay: 0.4}
	bad.OnAck = func(v ingest.Vehicle, at int64) {
		mu.Lock()
		defer mu.Unlock()
		acked[v] = append(acked[v], at)
	}
	_, waitBad, _ := start(t, bad)
	_, waitGood, _ := start(t, good)
	r, err := waitGood()
	if n := int64(30 * 360); err != nil || r.Positions != (Count{n, n, 0}) || r.Breaks != 0 || r.Connections != 30 || r.Resent != 0 {
		t.Errorf("honest: %+v, %v", r, err)
	}
	r, err = waitBad()
	if err != nil || r.Positions.Acknowledged != r.Positions.Sent || r.Positions.Sent == 0 {
		t.Errorf("faulty: %+v, %v", r, err)
	}
	for f, n := range r.Faults {
		if n == 0 {
			t.Errorf("no %s: the test would prove nothing of it", f)
		}
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	for v, list := range acked {
		for _, at := range list {
			if log.times[v][at] == 0 {
				t.Errorf("%v: the position of %s is acknowledged and not in the log", v, clockText(at))
			}
		}
	}
	good.Gateway = ""
	for v, list := range byVehicle(t, run(t, good).events) {
		want := positions(list)
		for _, e := range want {
			if log.times[v][e.Time] != 1 {
				t.Errorf("%v: the position of %s is %d times in the log", v, clockText(e.Time), log.times[v][e.Time])
			}
		}
		if len(log.times[v]) != len(want) {
			t.Errorf("%v: %d positions, want %d", v, len(log.times[v]), len(want))
		}
	}
}
