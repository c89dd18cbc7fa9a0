// Package weigh is the door for weigh stations: POST /v1/weighings takes their records as JSON, checks them, writes them
// to the log as weighing events and answers once the log has them.
//
//	record.go   one record: fields, units, checks (pure)
//	cutter.go   a body cut into records with bounded memory
//	memory.go   which records were taken before
//	handler.go  a request from its token to its answer
//
// A record whose plate could not be read belongs to no vehicle, but shows that one was there which is not known: it is taken, and
// written to every partition, because any vehicle may be the one.
//
// A record is known by its station and number. Sent again unchanged it counts as a duplicate and does not go to the log a
// second time; another content under the same number is refused, because a record that became evidence must not change.
// That memory is written to a compacted topic after the events and before the answer, so that it survives a restart.
// Between a crash and the next start, and between doors that run side by side, an event may be in the log twice: readers
// of the log know weighings by station and number too.
package weigh

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What to do with records of stations that are in no register.
const (
	Accept = "accept"
	Refuse = "refuse"
)

// Config is the section weighings of the configuration. Durations are Go durations, sizes are bytes.
type Config struct {
	Tokens          []Token       `yaml:"tokens"`
	Anonymous       bool          `yaml:"anonymous"`        // take records without a token: for trying out, behind a proxy that checks
	UnknownStations string        `yaml:"unknown_stations"` // accept or refuse; empty: refuse when a register of stations is given
	MaxBody         int64         `yaml:"max_body"`
	MaxRecords      int           `yaml:"max_records"`    // in one request
	MaxConcurrent   int           `yaml:"max_concurrent"` // requests at a time; more are answered 429
	ReadTimeout     time.Duration `yaml:"read_timeout"`   // for a whole body
	WriteTimeout    time.Duration `yaml:"write_timeout"`  // for an answer
	AckTimeout      time.Duration `yaml:"ack_timeout"`    // for the log; then 503
	ClockTolerance  time.Duration `yaml:"clock_tolerance"`
	Memory          int           `yaml:"memory"` // records known for telling repeated ones; the oldest are forgotten
}

// Token lets its bearer send records.
type Token struct {
	Name     string   `yaml:"name"` // for the log
	Token    string   `yaml:"token"`
	File     string   `yaml:"token_file"` // instead of token: white space around it does not count
	Stations []string `yaml:"stations"`   // the only ones it may send for; empty: all
}

// DefaultConfig returns settings without a token: one must be given, or anonymous be set.
func DefaultConfig() Config {
	return Config{
		MaxBody:        8 << 20,
		MaxRecords:     10_000,
		MaxConcurrent:  32,
		ReadTimeout:    30 * time.Second,
		WriteTimeout:   10 * time.Second,
		AckTimeout:     15 * time.Second,
		ClockTolerance: 5 * time.Minute,
		Memory:         1_000_000,
	}
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	if len(c.Tokens) == 0 && !c.Anonymous {
		return errors.New("weighings.tokens: empty; give at least one, or set weighings.anonymous: true")
	}
	for i, t := range c.Tokens {
		if (t.Token == "") == (t.File == "") {
			return fmt.Errorf("weighings.tokens[%d]: give token or token_file, one of them", i)
		}
	}
	switch c.UnknownStations {
	case "", Accept, Refuse:
	default:
		return fmt.Errorf("weighings.unknown_stations: %q; one of accept, refuse", c.UnknownStations)
	}
	for name, v := range map[string]int64{"max_body": c.MaxBody, "max_records": int64(c.MaxRecords), "max_concurrent": int64(c.MaxConcurrent),
		"read_timeout": int64(c.ReadTimeout), "write_timeout": int64(c.WriteTimeout), "ack_timeout": int64(c.AckTimeout), "memory": int64(c.Memory)} {
		if v <= 0 {
			return fmt.Errorf("weighings.%s: must be greater than 0", name)
		}
	}
	if c.ClockTolerance < 0 {
		return errors.New("weighings.clock_tolerance: must not be negative")
	}
	return nil
}

// Batch gathers payloads of one request. Append copies the payload and blocks while the log is slow; Wait returns nil
// once all are in the log, and then the batch can be used again. After an error the batch is dropped.
type Batch = interface {
	Append(ctx context.Context, partition int, payload []byte) error
	Wait(ctx context.Context) error
}

// Log is the events topic.
type Log interface {
	Partitions() int
	NewBatch() Batch
}

// Mark is a message of the topic weighing-records.
type Mark struct{ Key, Value []byte }

// Marks is the compacted topic weighing-records, of one partition: its order is the age of the records.
type Marks interface {
	// Load hands over every mark, oldest first.
	Load(ctx context.Context, fn func(m Mark) error) error
	// Write returns once all are in the log.
	Write(ctx context.Context, marks []Mark) error
}

// Stations is the register of weigh stations. It must be safe for concurrent use.
type Stations interface {
	Known(station string) bool
}

// Deps are what the door stands on.
type Deps struct {
	Log        Log
	Marks      Marks    // nil: repeated records are known until the process ends
	Stations   Stations // nil: there is no register
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time // of the records' receipt; nil: time.Now
}

// Door is the http.Handler of POST /v1/weighings.
type Door struct {
	cfg      Config
	log      Log
	marks    Marks
	stations atomic.Pointer[Stations]
	logger   *slog.Logger
	now      func() time.Time
	metrics  *metrics
	memory   *memory
	tokens   []grant // set by Start, before ready
	ready    atomic.Bool
	room     chan struct{} // a slot for each request under way
}

// grant is a token in the form in which it is compared.
type grant struct {
	name     string
	hash     [sha256.Size]byte
	stations map[string]bool // nil: all
}

// New makes a door that answers 503 until Start.
func New(cfg Config, deps Deps) (*Door, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.UnknownStations == Refuse && deps.Stations == nil {
		return nil, errors.New("weighings.unknown_stations: refuse, but there is no register of stations: give reference data with stations.csv, or set accept")
	}
	d := &Door{cfg: cfg, log: deps.Log, marks: deps.Marks, logger: deps.Logger, now: deps.Now, memory: newMemory(cfg.Memory),
		room: make(chan struct{}, cfg.MaxConcurrent)}
	if d.now == nil {
		d.now = time.Now
	}
	d.SetStations(deps.Stations)
	d.metrics = newMetrics(deps.Registerer, func() float64 { return float64(d.memory.size()) })
	return d, nil
}

// SetStations replaces the register of stations for the records that come from now on.
func (d *Door) SetStations(s Stations) { d.stations.Store(&s) }

// Start reads the token files and the records of before, and opens the door.
func (d *Door) Start(ctx context.Context) error {
	for i, t := range d.cfg.Tokens {
		secret := t.Token
		if t.File != "" {
			b, err := os.ReadFile(t.File)
			if err != nil {
				return fmt.Errorf("weighings.tokens[%d].token_file: %w", i, err)
			}
			if secret = strings.TrimSpace(string(b)); secret == "" {
				return fmt.Errorf("weighings.tokens[%d].token_file: %s is empty", i, t.File)
			}
		}
		g := grant{name: t.Name, hash: sha256.Sum256([]byte(secret))}
		for _, s := range t.Stations {
			if g.stations == nil {
				g.stations = map[string]bool{}
			}
			g.stations[s] = true
		}
		d.tokens = append(d.tokens, g)
	}
	if d.marks != nil {
		bad := 0
		err := d.marks.Load(ctx, func(m Mark) error {
			digest, err := parseValue(m.Value)
			station, record, ok := strings.Cut(string(m.Key), "\x00")
			if err != nil || !ok {
				bad++
				return nil
			}
			d.memory.learn(keyOf(station, record), digest)
			return nil
		})
		if err != nil {
			return fmt.Errorf("weighings: records of before: %w", err)
		}
		if bad > 0 {
			d.logger.Warn("marks of weighing records passed over: they are not of this version", "count", bad)
		}
	}
	d.ready.Store(true)
	return nil
}

// Shutdown answers 503 from now on and waits for the requests under way.
func (d *Door) Shutdown(ctx context.Context) error {
	d.ready.Store(false)
	for i := range cap(d.room) {
		select {
		case d.room <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("weighings: %d requests still under way: %w", cap(d.room)-i, ctx.Err())
		}
	}
	return nil
}
