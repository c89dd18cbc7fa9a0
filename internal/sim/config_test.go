package sim

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
)

func TestConfig(t *testing.T) {
	if c := DefaultConfig(); c.Validate() != nil {
		t.Errorf("the defaults: %v", c.Validate())
	}
	for want, spoil := range map[string]func(*Config){
		"vehicles: 0; want 1 to 100000":              func(c *Config) { c.Vehicles = 0 },
		"vehicles: 100001":                           func(c *Config) { c.Vehicles = 100_001 },
		"stations: -1":                               func(c *Config) { c.Stations = -1 },
		"stations: 61; want 0 to 60":                 func(c *Config) { c.Stations = 61 },
		"interval: 1.5s; want whole seconds":         func(c *Config) { c.Interval = 1500 * time.Millisecond },
		"interval: 0s":                               func(c *Config) { c.Interval = 0 },
		"interval: 1m1s":                             func(c *Config) { c.Interval = 61 * time.Second },
		"duration: -1s":                              func(c *Config) { c.Duration = -time.Second },
		"duration: 0 has no end":                     func(c *Config) { c.Duration, c.Gateway = 0, "" },
		"start: 1999":                                func(c *Config) { c.Start = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) },
		"rate: -1":                                   func(c *Config) { c.Rate = -1 },
		"rate: NaN":                                  func(c *Config) { c.Rate = math.NaN() },
		"window: 0; want 1 to 1000":                  func(c *Config) { c.Window = 0 },
		"heartbeat: 0s; want more than 0":            func(c *Config) { c.Heartbeat = 0 },
		"ack_timeout: 0s":                            func(c *Config) { c.AckTimeout = 0 },
		"backoff_max: 1ms; want backoff_min":         func(c *Config) { c.BackoffMax = time.Millisecond },
		"editions: none":                             func(c *Config) { c.Editions = nil },
		`editions: "2020"; want 2011, 2013 or 2019`:  func(c *Config) { c.Editions = []string{"2020"} },
		`editions: "auto"`:                           func(c *Config) { c.Editions = []string{"auto"} },
		"violations: speeding: share 2; want 0 to 1": func(c *Config) { c.Violations = Mix{detect.KindSpeeding: 2} },
		"violations: fatigue: not a kind":            func(c *Config) { c.Violations = Mix{"fatigue": 0.1} },
		"faults: half: share 2; want 0 to 1":         func(c *Config) { c.Faults = Faults{FaultHalf: 2} },
		"faults: rain: not a fault":                  func(c *Config) { c.Faults = Faults{"rain": 0.1} },
		"fault_pause: 0s; want more than 0":          func(c *Config) { c.FaultPause = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestParseMix(t *testing.T) {
	m, err := ParseMix("speeding=0.1, overload=1")
	if err != nil || len(m) != 2 || m[detect.KindSpeeding] != 0.1 || m[detect.KindOverload] != 1 {
		t.Errorf("%v, %v", m, err)
	}
	for _, s := range []string{"", "none"} {
		if m, err := ParseMix(s); err != nil || len(m) != 0 {
			t.Errorf("%q: %v, %v", s, m, err)
		}
	}
	for s, want := range map[string]string{"speeding": "want kind=share", "speeding=x": "want kind=share", "speeding=-1": "0 to 1", "speeding=NaN": "0 to 1",
		"gone_dark=0.1": "not a kind", "speeding=0.1,speeding=0.2": "twice", ",": "want kind=share"} {
		if _, err := ParseMix(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
}

// TestStart chooses the beginning where none is given.
func TestStart(t *testing.T) {
	for _, x := range []struct {
		rate float64
		past bool
	}{{10, false}, {1, false}, {1000, true}, {0, true}} {
		c := DefaultConfig()
		c.Rate = x.rate
		before := time.Now()
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		ago := before.Sub(s.Start())
		if past := ago > 30*time.Minute; past != x.past || ago < -time.Hour {
			t.Errorf("rate %v: begins %v ago", x.rate, ago)
		}
	}
}

// TestReferenceIsStable gives the same register at any time.
func TestReferenceIsStable(t *testing.T) {
	a, err := New(offline(40, 1, 7))
	if err != nil {
		t.Fatal(err)
	}
	c := offline(40, 9, 7)
	c.Start, c.Violations = c.Start.Add(50*time.Hour), nil
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	x, y := a.Reference(), b.Reference()
	if len(x.Vehicles) != 40 || len(x.Stations) != 4 || len(x.Waybills) == 0 || len(x.Operators) == 0 || len(x.Fences) < 10 {
		t.Fatalf("%d vehicles, %d stations, %d waybills, %d operators, %d fences", len(x.Vehicles), len(x.Stations), len(x.Waybills), len(x.Operators), len(x.Fences))
	}
	for i := range x.Vehicles {
		if x.Vehicles[i].Vehicle != y.Vehicles[i].Vehicle || x.Vehicles[i].Phone != y.Vehicles[i].Phone || x.Vehicles[i].Class != y.Vehicles[i].Class {
			t.Errorf("vehicle %d differs", i)
		}
	}
	ids := map[string]bool{}
	for _, f := range x.Fences {
		if ids[f.ID] {
			t.Errorf("fence %s twice", f.ID)
		}
		ids[f.ID] = true
	}
}

type fullDisk struct{ room int }

var errFull = errors.New("disk full")

func (w *fullDisk) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestWriterFails ends the run with the writer's error.
func TestWriterFails(t *testing.T) {
	for name, set := range map[string]func(*Config, io.Writer){
		"events": func(c *Config, w io.Writer) { c.Events = w },
		"truth":  func(c *Config, w io.Writer) { c.Truth = w },
	} {
		c := offline(20, 2, 1)
		set(&c, &fullDisk{100})
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(context.Background()); !errors.Is(err, errFull) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestMetrics has one golden list of names and help.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := offline(2, 0.5, 1)
	c.Registerer = reg
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	sent := 0.0
	for _, f := range families {
		got = append(got, f.GetName()+": "+f.GetHelp())
		if f.GetName() == "lushao_sim_positions_total" {
			for _, m := range f.GetMetric() {
				if m.GetLabel()[0].GetValue() == "sent" {
					sent = m.GetCounter().GetValue()
				}
			}
		}
	}
	const want = `lushao_sim_breaks_total: Connections that ended before their work was done.
lushao_sim_cards_total: Driver cards of the simulated fleet by what became of them.
lushao_sim_connections_total: Connections that terminals opened.
lushao_sim_faults_total: How often terminals misbehaved on purpose, by fault.
lushao_sim_positions_total: Positions of the simulated fleet by what became of them.
lushao_sim_prompts_total: Texts for drivers that terminals received.
lushao_sim_resent_total: Messages and weigh records that were sent again.
lushao_sim_sessions: Terminals that are authenticated now.
lushao_sim_violations_total: Violations that were driven and acknowledged, by kind.
lushao_sim_weighings_total: Weigh records of the simulated fleet by what became of them.`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
	if sent != 360 {
		t.Errorf("%v positions on the page, want 360", sent)
	}
	if _, err := New(c); err == nil {
		t.Error("a second fleet on the same page is no error")
	}
}
