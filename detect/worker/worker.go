// Package worker is the shell around the engine: it reads the events of its partitions, hands them to an engine for each,
// writes the violations, and keeps checkpoints, so that a worker that dies is followed by another that goes on where it
// was.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/bus"
)

// Names in the log.
const (
	EventsTopic      = "events"
	ViolationsTopic  = "violations"
	VisitsTopic      = "visits"      // as many partitions as violations
	DrivingTopic     = "driving"     // what drivers with a card have driven; as many partitions as violations
	CheckpointsTopic = "checkpoints" // compacted; as many partitions as events
	Group            = "detect"
)

// versionBits is how much room a violation's version has for the number of the event in its message. A message of
// bus.MaxPayload bytes holds fewer events, as none is smaller than 48 bytes; versions stay below 2^53, which JSON readers
// keep exact, for 2^40 messages a partition.
const versionBits = 13

var _ [1<<versionBits - bus.MaxPayload/48]struct{}

// Config of the workers.
type Config struct {
	// CheckpointInterval is how often state is written; after a crash at most this much is judged again.
	CheckpointInterval time.Duration `yaml:"checkpoint_interval"`
	// Shared lets several processes share the partitions by Kafka's group protocol. Without, all are this process's.
	Shared bool `yaml:"shared"`
	// Prompts are the kinds of violations that the driver is told of when they begin, and those with _ahead that he is warned of before;
	// see prompts.go.
	Prompts []string `yaml:"prompts"`
}

// DefaultConfig returns the settings of one process.
func DefaultConfig() Config {
	return Config{CheckpointInterval: 10 * time.Second, Prompts: []string{string(detect.KindSpeeding), string(detect.KindFenceEntry),
		ahead(detect.KindFatigueContinuous), ahead(detect.KindFatigueNight)}}
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	if c.CheckpointInterval < 100*time.Millisecond {
		return fmt.Errorf("detect.checkpoint_interval: %v; at least 100ms", c.CheckpointInterval)
	}
	return checkPrompts(c.Prompts)
}

// Snapshots gives the snapshot that is in force.
type Snapshots interface{ Current() *detect.Snapshot }

// Worker runs engines on the partitions that it is given.
type Worker struct {
	cfg       Config
	bus       *bus.Client
	snapshots Snapshots
	log       *slog.Logger
	metrics   *metrics
	prompts   *prompts
	stations  *stationFaults
}

// New makes a worker that does nothing until Run.
func New(cfg Config, client *bus.Client, snapshots Snapshots, log *slog.Logger, reg prometheus.Registerer) *Worker {
	m := newMetrics(reg)
	return &Worker{cfg: cfg, bus: client, snapshots: snapshots, log: log, metrics: m, prompts: newPrompts(cfg.Prompts, m), stations: newStationFaults(log, m.stationFaults)}
}

// Run works until ctx ends; then it writes last checkpoints and returns.
func (w *Worker) Run(ctx context.Context) error {
	telling, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		w.prompts.run(telling, w.bus, func(err error) {
			w.log.Warn("prompts could not be written to the log; their drivers are not told", "err", err)
		})
	}()
	defer func() { stop(); <-told }()
	violations, err := w.bus.Partitions(ctx, ViolationsTopic)
	if err != nil {
		return err
	}
	partitions, err := w.bus.Partitions(ctx, EventsTopic)
	if err != nil {
		return err
	}
	return w.bus.Assign(ctx, Group, EventsTopic, w.cfg.Shared, func(ctx context.Context, a bus.Assignment) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		done := make(chan error)
		for _, n := range a.Partitions {
			p := &partition{Worker: w, number: n, partitions: partitions, violations: violations, commit: a.Commit}
			go func() { done <- p.run(ctx) }()
		}
		var failed error
		for range a.Partitions {
			if err := <-done; err != nil && failed == nil {
				failed = err
				cancel(err)
			}
		}
		return failed
	})
}

// partition is one partition's engine and where it stands. One goroutine owns it.
type partition struct {
	*Worker
	number     int
	partitions int // of the events topic
	violations int // partitions of the violations topic
	commit     func(ctx context.Context, next map[int]int64) error

	engine  *detect.Engine
	next    int64 // offset to read next
	saved   int64 // offset of the last checkpoint; -1: none yet
	savedAt time.Time
	slots   slotCycle
	stats   detect.Stats // as exported last
	since   time.Time    // when the batch that is judged was begun

	events  []ingest.Event
	out     []bus.KeyedMessage // violations
	visits  []bus.KeyedMessage
	driving []bus.KeyedMessage
	late    []detect.Late
	joint   []Recheck // of records on which vehicles of other partitions may decide
}

func (p *partition) run(ctx context.Context) error {
	begun := time.Now()
	if err := p.restore(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("partition %d: %w", p.number, err)
	}
	p.log.Info("partition ready", "partition", p.number, "offset", p.next, "vehicles", p.engine.Vehicles(), "took", time.Since(begun).Round(time.Millisecond))
	p.savedAt = time.Now()
	defer func() { p.stations.set(p.number, nil, p.engine.Snapshot().HasStation) }()
	err := p.bus.ConsumeOrIdle(ctx, EventsTopic, p.number, p.next, p.take, p.checkpointWhenDue)
	if err != nil {
		return fmt.Errorf("partition %d: %w", p.number, err)
	}
	// The context is gone; what was judged is worth a last checkpoint all the same.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := p.checkpoint(last); err != nil {
		p.log.Warn("no last checkpoint; what came after the one before will be judged again", "partition", p.number, "err", err)
	}
	return nil
}

// take judges a batch of messages and writes what came of it before it goes on.
func (p *partition) take(ctx context.Context, batch []bus.Message) error {
	p.since = time.Now()
	if snap := p.snapshots.Current(); snap != p.engine.Snapshot() {
		p.engine.Use(snap)
		p.put(p.engine.Process(nil, uint64(batch[0].Offset)<<versionBits))
		p.putVisits(p.engine.Visits())
	}
	for i := range batch {
		m := &batch[i]
		p.judge(m)
		p.next = m.Offset + 1
	}
	for _, o := range []struct {
		topic    string
		messages *[]bus.KeyedMessage
	}{{ViolationsTopic, &p.out}, {VisitsTopic, &p.visits}, {DrivingTopic, &p.driving}} {
		if len(*o.messages) == 0 {
			continue
		}
		if err := p.bus.WriteKeyed(ctx, o.topic, *o.messages...); err != nil {
			return err
		}
		*o.messages = (*o.messages)[:0]
	}
	if err := p.askAgain(ctx); err != nil {
		return err
	}
	p.export()
	return p.checkpointWhenDue(ctx)
}

func (p *partition) checkpointWhenDue(ctx context.Context) error {
	if time.Since(p.savedAt) < p.cfg.CheckpointInterval {
		return nil
	}
	return p.checkpoint(ctx)
}

// batchEvents is how many events are decoded before they are judged: as many as the engine looks up at once.
const batchEvents = 256

func (p *partition) judge(m *bus.Message) {
	if p.events == nil {
		p.events = make([]ingest.Event, batchEvents)
	}
	version := uint64(m.Offset) << versionBits
	for rest := m.Value; len(rest) > 0; {
		n := 0
		for n < batchEvents && len(rest) > 0 {
			var err error
			if rest, err = ingest.DecodeEvent(rest, &p.events[n]); err != nil {
				p.metrics.undecodable.Inc()
				p.log.Error("an event of the log can't be read; it and the rest of its message are passed over", "partition", p.number, "offset", m.Offset, "err", err)
				break
			}
			n++
		}
		vs := p.engine.Process(p.events[:n], version)
		p.put(vs)
		p.putVisits(p.engine.Visits())
		p.putDriving(p.engine.DrivingSegments())
		p.prompts.put(vs, p.events[:n], version)
		p.prompts.warn(p.engine.Warnings(), p.events[:n], version)
		version += uint64(n)
		now := time.Now()
		p.metrics.batchTime.Observe(now.Sub(p.since).Seconds())
		p.since = now
	}
}

// put makes messages of violations.
func (p *partition) put(vs []detect.Violation) {
	for i := range vs {
		v := &vs[i]
		m, err := ViolationMessage(v, p.violations)
		if err != nil {
			// Numbers are finite and texts are texts: this can't happen, and a silent loss would be the worst answer.
			panic(err)
		}
		if v.Shadow == "" {
			p.metrics.violations.WithLabelValues(string(v.Kind), string(v.State)).Inc()
		} else {
			p.metrics.shadowed.WithLabelValues(v.Shadow, string(v.Kind), string(v.State)).Inc()
		}
		p.out = append(p.out, m)
		p.askJointly(v)
	}
}

// putVisits makes messages of visits.
func (p *partition) putVisits(vs []detect.Visit) {
	for i := range vs {
		m, err := VisitMessage(&vs[i], p.violations)
		if err != nil {
			panic(err) // as in put
		}
		p.metrics.visits.WithLabelValues(string(vs[i].State)).Inc()
		p.visits = append(p.visits, m)
	}
}

// putDriving makes messages of what drivers have driven.
func (p *partition) putDriving(list []detect.DrivingSegment) {
	for i := range list {
		m, err := DrivingMessage(&list[i], p.violations)
		if err != nil {
			panic(err) // as in put
		}
		p.driving = append(p.driving, m)
	}
}

// export adds what the engine counted since the last time to the metrics.
func (p *partition) export() {
	now := p.engine.Stats()
	for _, q := range detect.Qualities() {
		p.metrics.positions[q].Add(float64(now.Positions[q] - p.stats.Positions[q]))
	}
	p.metrics.believed.Add(float64(now.Believed - p.stats.Believed))
	p.metrics.weighings.Add(float64(now.Weighings - p.stats.Weighings))
	p.metrics.unread.Add(float64(now.Unread - p.stats.Unread))
	p.metrics.unjudged.Add(float64(now.Unjudged - p.stats.Unjudged))
	p.metrics.repeated.Add(float64(now.Repeated - p.stats.Repeated))
	p.stats = now
	p.stations.set(p.number, now.StationFaults, p.engine.Snapshot().HasStation)
	label := fmt.Sprint(p.number)
	p.metrics.vehicles.WithLabelValues(label).Set(float64(p.engine.Vehicles()))
	p.metrics.offset.WithLabelValues(label).Set(float64(p.next))
}

var errNoState = errors.New("no checkpoint")

// restore makes the engine from the newest whole checkpoint, or an empty one that begins at the start of the log.
func (p *partition) restore(ctx context.Context) error {
	c, err := p.readCheckpoint(ctx)
	switch {
	case err == nil:
		engine := detect.New(p.snapshots.Current())
		for _, chunk := range c.chunks {
			if err = engine.LoadState(chunk); err != nil {
				break
			}
		}
		if err == nil {
			p.engine, p.next, p.saved = engine, c.Offset, c.Offset
			p.slots.after(c.commitRecord)
			return nil
		}
		// Older state can't be read: what the log still holds is judged again. Violations keep their ids, so none is
		// recorded twice.
		p.log.Warn("the checkpoint can't be used; judging what the log still holds", "partition", p.number, "err", err)
	case !errors.Is(err, errNoState):
		return err
	}
	first, _, err := p.bus.Bounds(ctx, EventsTopic)
	if err != nil {
		return err
	}
	p.engine, p.next, p.saved = detect.New(p.snapshots.Current()), first[p.number], -1
	return nil
}
