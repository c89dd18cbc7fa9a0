// Package sim809 plays platforms that do not exist: operators' platforms that log in to a superior platform and report the simulated
// fleet to it over JT/T 809 (Inferior), or a superior platform that takes the logins of such, asks things of them, and checks what they
// report (Superior). Both sides speak both editions, plain and encrypted, and misbehave on request (Faults).
//
// It shares nothing with the platforms of the product but the codec, so that each side of them can be tried against it.
package sim809

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/internal/sim"
)

// Side is which of the two platforms is played.
type Side string

const (
	// Inferior platforms dial a superior one and report vehicles.
	Inferior Side = "inferior"
	// Superior is one platform that inferior ones dial.
	Superior Side = "superior"
)

// MaxPlatforms bounds how many inferior platforms there are.
const MaxPlatforms = 1000

// Config says which side is played and how.
type Config struct {
	Side Side `yaml:"side"`

	// Fleet is what drives, of the side Inferior: vehicles, seed, time, truth, events, OnAck. Its Gateway, Faults and terminals'
	// settings are not used; its Window is ours.
	Fleet sim.Config `yaml:"fleet"`

	Gateway   string `yaml:"gateway"`    // host:port of the superior platform that inferior ones dial
	SubListen string `yaml:"sub_listen"` // host:port where an inferior platform waits for its sub link; the ports of several count up, 0 is any
	Listen    string `yaml:"listen"`     // host:port where a superior platform waits for inferior ones

	// Platforms is the number of inferior ones. Access codes and users of several count up; their password is the same. Vehicle i is
	// with platform i modulo Platforms.
	Platforms  int    `yaml:"platforms"`
	AccessCode uint32 `yaml:"access_code"`
	User       uint32 `yaml:"user"`
	Password   string `yaml:"password"` // 8 bytes at most

	Edition string       `yaml:"edition"` // 2011, 2013, 2019
	Cipher  jt809.Cipher `yaml:"-"`
	Encrypt bool         `yaml:"encrypt"` // every frame with a body; frames that come are decrypted in any case

	Faults     Faults        `yaml:"faults"`
	FaultPause time.Duration `yaml:"fault_pause"` // half a frame on the line; a reader that sleeps

	Heartbeat  time.Duration `yaml:"heartbeat"`   // between two heartbeats at most, on each link by its own side
	Prove      time.Duration `yaml:"prove"`       // between two heartbeats of an inferior while positions wait for their proof
	AckTimeout time.Duration `yaml:"ack_timeout"` // for answers to logins and heartbeats
	Silence    time.Duration `yaml:"silence"`     // without a frame after which a link is given up
	BackoffMin time.Duration `yaml:"backoff_min"` // first wait before dialling again; doubles
	BackoffMax time.Duration `yaml:"backoff_max"`
	Window     int           `yaml:"window"` // positions and cards of a platform that may wait for their proof

	// AlarmEvery is how many positions come to one alarm report (0x1402), beside those for each violation; 0: none.
	AlarmEvery int `yaml:"alarm_every"`

	// What a superior asks each platform, and how often; 0: never.
	InspectEvery   time.Duration `yaml:"inspect_every"`   // 0x9301, 0x9302 and in 2019 0x9102 in turn
	SuperviseEvery time.Duration `yaml:"supervise_every"` // 0x9401
	ExchangeEvery  time.Duration `yaml:"exchange_every"`  // 0x9205 and 0x9206 in turn
	ControlEvery   time.Duration `yaml:"control_every"`   // 0x9501 to 0x9505, 0x920A, 0x920B, 0x920C, 0x9601, 0x9801, 0x9802 in turn
	CountEvery     int           `yaml:"count_every"`     // positions between two 0x9101, 2011 and 2013; 0: none
	AskStatic      bool          `yaml:"ask_static"`      // 0x9601 after each 0x1201
	Duration       time.Duration `yaml:"duration"`        // real time that a superior works; 0: until stopped

	Events io.Writer `yaml:"-"` // of a superior: every position once, as NDJSON, in the order in which they came
	// OnTake is called with every position that a superior takes, repeated ones too, one at a time for each platform. The event is valid
	// during the call.
	OnTake func(e *ingest.Event) `yaml:"-"`
	// OnListen is called with the address of a superior, and with those of inferior ones' sub links.
	OnListen func(net.Addr) `yaml:"-"`
	Logger   *slog.Logger   `yaml:"-"`
}

// DefaultConfig is one inferior platform with 100 vehicles in real time.
func DefaultConfig() Config {
	return Config{
		Side: Inferior, Fleet: sim.DefaultConfig(), Gateway: "127.0.0.1:7809", SubListen: "127.0.0.1:0", Listen: "127.0.0.1:7809",
		Platforms: 1, AccessCode: 11000001, User: 110001, Password: "lushao", Edition: "2019",
		FaultPause: 200 * time.Millisecond, Heartbeat: time.Minute, Prove: time.Second, AckTimeout: 30 * time.Second,
		Silence: 3 * time.Minute, BackoffMin: 200 * time.Millisecond, BackoffMax: 10 * time.Second, Window: 20_000, AlarmEvery: 1000,
		InspectEvery: 30 * time.Second, SuperviseEvery: 45 * time.Second, ExchangeEvery: time.Minute, ControlEvery: 20 * time.Second,
		CountEvery: 10_000, AskStatic: true,
	}
}

// Validate names every field that cannot be used.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	address := func(name, s string) {
		if _, port, err := net.SplitHostPort(s); err != nil {
			bad("%s: %q; want host:port", name, s)
		} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			bad("%s: port %q; want a number below 65536", name, port)
		}
	}
	switch c.Side {
	case Inferior:
		address("gateway", c.Gateway)
		address("sub_listen", c.SubListen)
		fleet := c.fleet()
		if err := fleet.Validate(); err != nil {
			errs = append(errs, err)
		}
	case Superior:
		address("listen", c.Listen)
	default:
		bad("side: %q; want inferior or superior", c.Side)
	}
	if c.Platforms < 1 || c.Platforms > MaxPlatforms {
		bad("platforms: %d; want 1 to %d", c.Platforms, MaxPlatforms)
	}
	if c.Side == Inferior && c.Platforms > c.Fleet.Vehicles {
		bad("platforms: %d; want no more than vehicles (%d)", c.Platforms, c.Fleet.Vehicles)
	}
	if c.Password == "" || len(c.Password) > 8 {
		bad("password: %d bytes; want 1 to 8", len(c.Password))
	}
	if _, err := c.edition(); err != nil {
		errs = append(errs, err)
	}
	if c.Encrypt && c.Cipher == (jt809.Cipher{}) {
		bad("encrypt: without a key; give M1,IA1,IC1")
	}
	if c.Window < 1 || c.Window > 10_000_000 {
		bad("window: %d; want 1 to 10000000 messages", c.Window)
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"fault_pause", c.FaultPause}, {"heartbeat", c.Heartbeat}, {"prove", c.Prove}, {"ack_timeout", c.AckTimeout}, {"silence", c.Silence},
		{"backoff_min", c.BackoffMin}, {"backoff_max", c.BackoffMax}} {
		if d.v <= 0 {
			bad("%s: %v; want more than 0", d.name, d.v)
		}
	}
	if c.BackoffMax < c.BackoffMin {
		bad("backoff_max: %v; want backoff_min (%v) or more", c.BackoffMax, c.BackoffMin)
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"inspect_every", c.InspectEvery}, {"supervise_every", c.SuperviseEvery}, {"exchange_every", c.ExchangeEvery},
		{"control_every", c.ControlEvery}, {"duration", c.Duration}} {
		if d.v < 0 {
			bad("%s: %v; want 0 or more", d.name, d.v)
		}
	}
	if c.AlarmEvery < 0 || c.CountEvery < 0 {
		bad("alarm_every, count_every: %d, %d; want 0 or more", c.AlarmEvery, c.CountEvery)
	}
	if err := c.Faults.validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Config) edition() (jt809.Edition, error) {
	ed, ok := jt809.ParseEdition(c.Edition)
	if !ok || ed == jt809.EditionAuto {
		return 0, fmt.Errorf("edition: %q; want 2011, 2013 or 2019", c.Edition)
	}
	return ed, nil
}

// fleet is the fleet as an inferior side drives it.
func (c *Config) fleet() sim.Config {
	f := c.Fleet
	f.Gateway, f.Faults, f.Carrier = c.Gateway, nil, sim.CarrierCoarse
	if c.Edition == jt809.Edition2019.String() {
		f.Carrier = sim.CarrierFull
	}
	if f.Logger == nil {
		f.Logger = c.Logger
	}
	return f
}
