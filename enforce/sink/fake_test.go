package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/bus"
)

// fakeLog is a log in memory, with one group a topic.
type fakeLog struct {
	mu        sync.Mutex
	topics    map[string][][]bus.Message
	committed map[string]map[int]int64
	delivered int // messages handed to readers
	grown     chan struct{}
	batch     int
	// consumeErr and commitErr may fail a call; onCommit sees what is about to be committed.
	consumeErr, commitErr func() error
	onCommit              func(topic string, next map[int]int64)
}

func newFakeLog(eventPartitions int) *fakeLog {
	return &fakeLog{
		topics:    map[string][][]bus.Message{"events": make([][]bus.Message, eventPartitions), "violations": make([][]bus.Message, 1)},
		committed: map[string]map[int]int64{"events": {}, "violations": {}},
		grown:     make(chan struct{}), batch: 4,
	}
}

func (l *fakeLog) write(topic string, partition int, value []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[topic]
	t[partition] = append(t[partition], bus.Message{Partition: partition, Offset: int64(len(t[partition])), Value: value, Time: time.UnixMilli(base)})
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *fakeLog) Bounds(_ context.Context, topic string) (first, next map[int]int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, next = map[int]int64{}, map[int]int64{}
	for p, m := range l.topics[topic] {
		first[p], next[p] = 0, int64(len(m))
	}
	return first, next, nil
}

func (l *fakeLog) CommittedOffsets(_ context.Context, _, topic string) (map[int]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[int]int64{}
	for p := range l.topics[topic] {
		out[p] = -1
	}
	maps.Copy(out, l.committed[topic])
	return out, nil
}

func (l *fakeLog) CommitOffsets(_ context.Context, group, topic string, next map[int]int64) error {
	if want := map[string]string{"events": "archive", "violations": "violations-sink", "visits": "visits-sink"}[topic]; group != want {
		panic("group " + group)
	}
	if l.commitErr != nil {
		if err := l.commitErr(); err != nil {
			return err
		}
	}
	if l.onCommit != nil {
		l.onCommit(topic, next)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, n := range next {
		if n < l.committed[topic][p] {
			panic(fmt.Sprintf("commit of %s/%d goes back from %d to %d", topic, p, l.committed[topic][p], n))
		}
		l.committed[topic][p] = n
	}
	close(l.grown)
	l.grown = make(chan struct{})
	return nil
}

func (l *fakeLog) Consume(ctx context.Context, topic string, partition int, offset int64, fn func(context.Context, []bus.Message) error) error {
	for ctx.Err() == nil {
		if l.consumeErr != nil {
			if err := l.consumeErr(); err != nil {
				return err
			}
		}
		l.mu.Lock()
		m := l.topics[topic][partition]
		grown := l.grown
		batch := slices.Clone(m[min(offset, int64(len(m))):min(offset+int64(l.batch), int64(len(m)))])
		l.delivered += len(batch)
		l.mu.Unlock()
		if len(batch) == 0 {
			select {
			case <-grown:
			case <-ctx.Done():
			}
			continue
		}
		offset += int64(len(batch))
		// What the reader does not copy is spoiled after the call.
		for i := range batch {
			batch[i].Value = slices.Clone(batch[i].Value)
		}
		err := fn(ctx, batch)
		for i := range batch {
			for j := range batch[i].Value {
				batch[i].Value[j] = 0xEE
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return nil
}

// done reports whether all of a topic is committed, and a channel that is closed when that may have changed.
func (l *fakeLog) done(topic string) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, m := range l.topics[topic] {
		if l.committed[topic][p] != int64(len(m)) {
			return false, l.grown
		}
	}
	return true, nil
}

func (l *fakeLog) waitDone(t *testing.T, topics ...string) {
	t.Helper()
	for _, topic := range topics {
		for {
			ok, changed := l.done(topic)
			if ok {
				break
			}
			select {
			case <-changed:
			case <-time.After(time.Minute): // a guard, so that a fault does not hang; in a bubble no real minute
				t.Fatal("not all is committed after a minute")
			}
		}
	}
}

// fakeStore counts rows; insert may stand in for the answer.
type fakeStore struct {
	mu     sync.Mutex
	rows   map[string]int
	insert func(ctx context.Context, b store.Block) error
}

func (s *fakeStore) Insert(ctx context.Context, b store.Block) error {
	rows := b.Rows()
	if s.insert != nil {
		if err := s.insert(ctx, b); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		s.rows = map[string]int{}
	}
	s.rows[b.Table()] += rows
	return nil
}

func (s *fakeStore) count(table string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[table]
}

const base = int64(1777593600000) // 2026-05-01 08:00 Beijing time

var errDown = errors.New("ClickHouse is down")

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.RetryMin, cfg.RetryMax = time.Millisecond, 4*time.Millisecond
	cfg.Archive.MaxDelay, cfg.Violations.MaxDelay = 5*time.Millisecond, 5*time.Millisecond
	return cfg
}

func newSink(t *testing.T, cfg Config, l Log, s Store) *Sink {
	t.Helper()
	out, err := New(cfg, l, s, func(*ingest.Event) string { return "ok" }, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func position(plate string, at int64) []byte {
	v, err := ingest.NewVehicle(plate, 2)
	if err != nil {
		panic(err)
	}
	e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT808, Vehicle: v, Time: at, Received: at}
	e.Position.Reset()
	e.Position.Extras = []byte{0x30, 1, 31}
	return ingest.AppendEvent(nil, &e)
}

func violation(id string) []byte {
	return []byte(`{"id":"` + id + `","version":1,"state":"closed","kind":"speeding","plate":"晋E00001","color":2,"start":"2026-05-01T08:00:00+08:00"}`)
}
