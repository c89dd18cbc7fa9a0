// Package sink carries the log into the record: every event of the topic of events into the archive, every violation and
// every visit of theirs into a table each.
//
// Delivery is at least once: offsets are committed after ClickHouse has taken the rows, and the tables make one of what
// comes twice. While ClickHouse is away the sink holds a few blocks, stops reading, and tries for ever; the log is the
// buffer. What can't be read is kept as it came in dead_letters and holds nothing up.
package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/bus"
)

// Log is what the sink needs of the log; *bus.Client has it.
type Log interface {
	Bounds(ctx context.Context, topic string) (first, next map[int]int64, err error)
	CommittedOffsets(ctx context.Context, group, topic string) (map[int]int64, error)
	CommitOffsets(ctx context.Context, group, topic string, next map[int]int64) error
	Consume(ctx context.Context, topic string, partition int, offset int64, fn func(ctx context.Context, batch []bus.Message) error) error
}

// Store is what the sink needs of the record; *store.Store has it.
type Store interface {
	Insert(ctx context.Context, b store.Block) error
}

var (
	_ Log   = (*bus.Client)(nil)
	_ Store = (*store.Store)(nil)
)

// Quality says what the gate thinks of a position by itself: "ok", or why it is refused.
type Quality func(e *ingest.Event) string

// Sink is all pipelines.
type Sink struct {
	cfg       Config
	log       *slog.Logger
	pipelines []*pipeline
}

// New makes a sink; Run makes it work. With no quality the archive says nothing of positions.
func New(cfg Config, l Log, s Store, quality Quality, log *slog.Logger, reg prometheus.Registerer) (*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := newMetrics(reg)
	out := &Sink{cfg: cfg, log: log}
	for _, p := range []struct {
		cfg   PipelineConfig
		block func() contents
	}{
		{cfg.Archive, func() contents { return newArchiveContents(cfg.Archive.Topic, quality) }},
		{cfg.Violations, func() contents { return newRecordContents[store.ViolationBlock](cfg.Violations.Topic) }},
		{cfg.Driving, func() contents { return newRecordContents[store.DrivingBlock](cfg.Driving.Topic) }},
		{cfg.Visits, func() contents { return newRecordContents[store.VisitBlock](cfg.Visits.Topic) }},
	} {
		out.pipelines = append(out.pipelines, &pipeline{
			cfg: p.cfg, common: cfg, source: l, store: s, newContents: p.block,
			log: log.With("topic", p.cfg.Topic), metrics: m.of(p.cfg.Topic),
		})
	}
	return out, nil
}

// Run works until ctx ends; then it stops reading, writes and commits what was read, and returns nil. An error says that
// something was not written within the drain time: it is still in the log and will be read again.
func (s *Sink) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(s.pipelines))
	for i, p := range s.pipelines {
		wg.Go(func() {
			if err := p.run(ctx); err != nil {
				errs[i] = fmt.Errorf("sink of %s: %w", p.cfg.Topic, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
