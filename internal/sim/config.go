package sim

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// Config says which fleet drives and where it reports.
type Config struct {
	Gateway    string `yaml:"gateway"`     // host:port of a JT/T 808 gateway; empty: no sockets, events are only written
	WeighURL   string `yaml:"weigh_url"`   // URL that takes weigh records; empty: they are only written
	WeighToken string `yaml:"weigh_token"` // bearer token for it

	Vehicles int    `yaml:"vehicles"`
	Stations int    `yaml:"stations"` // weigh stations
	Seed     uint64 `yaml:"seed"`
	// Start is the simulated time of the beginning, in whole seconds. Zero: now where the fleet drives in real time or slower, else so
	// long ago that the simulated time ends now.
	Start    time.Time     `yaml:"start"`
	Duration time.Duration `yaml:"duration"` // simulated; 0: until the context ends
	Interval time.Duration `yaml:"interval"` // between two positions of a vehicle, simulated
	// Rate is how many positions the fleet sends in a second of real time; simulated time then runs Rate·Interval/Vehicles times as fast
	// as real time. 0: as fast as the platform acknowledges. No position is sent before its time in either case.
	Rate       float64  `yaml:"rate"`
	Violations Mix      `yaml:"violations"`
	Editions   []string `yaml:"editions"` // of JT/T 808 that the terminals speak: 2011, 2013, 2019

	Faults     Faults        `yaml:"faults"`      // how often terminals misbehave on purpose; none without a gateway
	FaultPause time.Duration `yaml:"fault_pause"` // real time of half a message on the line, and of answers that nobody reads

	Window     int           `yaml:"window"`      // messages of a terminal that may wait for their acknowledgement
	Heartbeat  time.Duration `yaml:"heartbeat"`   // real time without a message after which a terminal sends 0x0002, also where it stores positions
	AckTimeout time.Duration `yaml:"ack_timeout"` // real time after which a terminal gives up its connection
	BackoffMin time.Duration `yaml:"backoff_min"` // first wait before connecting again; doubles
	BackoffMax time.Duration `yaml:"backoff_max"`

	// Carrier is the way that positions take to the platform, where it isn't the terminal's own connection. Truth and events follow it.
	Carrier Carrier `yaml:"-"`

	Truth  io.Writer `yaml:"-"` // violations as NDJSON, each once the platform has acknowledged all that proves it
	Events io.Writer `yaml:"-"` // every event as NDJSON, once, when it is first sent
	// OnAck is called with every position that the platform acknowledged and its time in Unix ms, from many goroutines at a time.
	OnAck      func(v ingest.Vehicle, time int64) `yaml:"-"`
	Logger     *slog.Logger                       `yaml:"-"`
	Registerer prometheus.Registerer              `yaml:"-"`
}

// DefaultConfig is a fleet of 100 vehicles in real time.
func DefaultConfig() Config {
	return Config{
		Gateway: "127.0.0.1:7611", Vehicles: 100, Stations: 4, Seed: 1, Duration: time.Hour, Interval: 10 * time.Second, Rate: 10,
		Violations: Mix{detect.KindSpeeding: 0.1, detect.KindFenceEntry: 0.15, detect.KindOverload: 0.2},
		Editions:   []string{"2011", "2013", "2019"},
		FaultPause: 200 * time.Millisecond,
		Window:     8, Heartbeat: time.Minute, AckTimeout: 30 * time.Second, BackoffMin: 200 * time.Millisecond, BackoffMax: 10 * time.Second,
	}
}

// Mix is the share of trips, 0 to 1, that are made for a violation: of all trips for speeding, of those of hazmat trucks for
// fence_entry, of those of trucks for overload. A trip that has no room for it leaves it to the next.
type Mix map[detect.Kind]float64

// ParseMix reads "speeding=0.1,fence_entry=0.2"; kinds that are not named have none, "none" and the empty text name none.
func ParseMix(s string) (Mix, error) {
	m := Mix{}
	if s == "" || s == "none" {
		return m, nil
	}
	for _, part := range strings.Split(s, ",") {
		name, share, ok := strings.Cut(strings.TrimSpace(part), "=")
		v, err := strconv.ParseFloat(share, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("violations: %q: want kind=share, as in speeding=0.1", part)
		}
		if _, twice := m[detect.Kind(name)]; twice {
			return nil, fmt.Errorf("violations: %s: named twice", name)
		}
		m[detect.Kind(name)] = v
	}
	return m, m.validate()
}

func (m Mix) validate() error {
	for k, v := range m {
		if !slices.Contains(violationOrder[:], k) {
			return fmt.Errorf("violations: %s: not a kind that can be driven; want one of speeding, fence_entry, overload", k)
		}
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("violations: %s: share %g; want 0 to 1", k, v)
		}
	}
	return nil
}

// Validate names every field that cannot be used.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Vehicles < 1 || c.Vehicles > MaxVehicles {
		bad("vehicles: %d; want 1 to %d", c.Vehicles, MaxVehicles)
	}
	if c.Stations < 0 || c.Stations > maxStations {
		bad("stations: %d; want 0 to %d", c.Stations, maxStations)
	}
	if c.Interval < time.Second || c.Interval > time.Minute || c.Interval%time.Second != 0 {
		bad("interval: %v; want whole seconds from 1s to 60s", c.Interval)
	}
	if c.Duration < 0 || c.Duration%time.Second != 0 {
		bad("duration: %v; want whole seconds, or 0 for no end", c.Duration)
	}
	if c.Duration == 0 && c.Gateway == "" {
		bad("duration: 0 has no end, and without a gateway nothing slows it down; give one of them")
	}
	if !c.Start.IsZero() && (c.Start.Year() < 2000 || c.Start.Year() > 2098) {
		bad("start: %v; the protocol has the years 2000 to 2099", c.Start)
	}
	if !(c.Rate >= 0) || math.IsInf(c.Rate, 0) {
		bad("rate: %g; want 0 or more positions a second", c.Rate)
	}
	if c.Window < 1 || c.Window > 1000 {
		bad("window: %d; want 1 to 1000 messages", c.Window)
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"heartbeat", c.Heartbeat}, {"ack_timeout", c.AckTimeout}, {"backoff_min", c.BackoffMin}, {"backoff_max", c.BackoffMax}, {"fault_pause", c.FaultPause}} {
		if d.v <= 0 {
			bad("%s: %v; want more than 0", d.name, d.v)
		}
	}
	if c.BackoffMax < c.BackoffMin {
		bad("backoff_max: %v; want backoff_min (%v) or more", c.BackoffMax, c.BackoffMin)
	}
	if _, err := c.editions(); err != nil {
		errs = append(errs, err)
	}
	if err := c.Violations.validate(); err != nil {
		errs = append(errs, err)
	}
	if err := c.Faults.validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Config) editions() ([]jt808.Edition, error) {
	var out []jt808.Edition
	for _, s := range c.Editions {
		e, ok := jt808.ParseEdition(s)
		if !ok || e == jt808.EditionAuto {
			return nil, fmt.Errorf("editions: %q; want 2011, 2013 or 2019", s)
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, errors.New("editions: none; want some of 2011, 2013, 2019")
	}
	return out, nil
}

// pace is how many times as fast as real time simulated time runs; 0 as fast as can be.
func (c *Config) pace() float64 { return c.Rate * c.Interval.Seconds() / float64(c.Vehicles) }
