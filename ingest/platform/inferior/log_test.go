package inferior

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/platform"
	"lushao/internal/bus"
)

// topic is a topic in memory.
type topic struct {
	mu        sync.Mutex
	parts     [][]bus.Message
	committed map[string]map[int]int64
	first     int64
	read      int // messages that were handed out
	changed   chan struct{}
}

func newTopic(partitions int) *topic {
	return &topic{parts: make([][]bus.Message, partitions), committed: map[string]map[int]int64{}, changed: make(chan struct{})}
}

// tell wakes who waits. mu is held.
func (t *topic) tell() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *topic) append(partition int, payload []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts[partition] = append(t.parts[partition], bus.Message{Partition: partition, Offset: int64(len(t.parts[partition])), Value: payload})
	t.tell()
}

// put appends events, each to the partition of its vehicle.
func (t *topic) put(events ...ingest.Event) {
	for n := range events {
		t.append(events[n].Vehicle.Partition(len(t.parts)), ingest.AppendEvent(nil, &events[n]))
	}
}

func (t *topic) Bounds(context.Context) (first, next map[int]int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, next = map[int]int64{}, map[int]int64{}
	for n := range t.parts {
		first[n], next[n] = t.first, int64(len(t.parts[n]))
	}
	return first, next, nil
}

func (t *topic) Committed(_ context.Context, group string) (map[int]int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := map[int]int64{}
	for n := range t.parts {
		m[n] = -1
	}
	maps.Copy(m, t.committed[group])
	return m, nil
}

func (t *topic) Commit(_ context.Context, group string, next map[int]int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.committed[group] == nil {
		t.committed[group] = map[int]int64{}
	}
	maps.Copy(t.committed[group], next)
	t.tell()
	return nil
}

func (t *topic) Follow(ctx context.Context, partition int, offset int64, fn func(ctx context.Context, batch []bus.Message) error) error {
	for {
		t.mu.Lock()
		if offset > int64(len(t.parts[partition])) {
			t.mu.Unlock()
			return errors.New("not the log that was read before")
		}
		batch := t.parts[partition][offset:]
		if len(batch) > 50 {
			batch = batch[:50]
		}
		t.read += len(batch)
		changed := t.changed
		t.mu.Unlock()
		if len(batch) > 0 {
			if err := fn(ctx, batch); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			offset += int64(len(batch))
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// done reports whether the group has committed everything.
func (t *topic) done(group string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range t.parts {
		if c, ok := t.committed[group][n]; !ok || c != int64(len(t.parts[n])) {
			return false
		}
	}
	return true
}

// await waits until f is true of the topic; false when ctx ends first.
func (t *topic) await(ctx context.Context, f func() bool) bool {
	for {
		t.mu.Lock()
		changed := t.changed
		t.mu.Unlock()
		if f() {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Partitions and NewBatch make it a Log.
func (t *topic) Partitions() int { return len(t.parts) }
func (t *topic) NewBatch() Batch { return &topicBatch{t: t} }

type topicBatch struct {
	t       *topic
	pending []bus.Message
}

func (b *topicBatch) Append(_ context.Context, partition int, payload []byte) error {
	b.pending = append(b.pending, bus.Message{Partition: partition, Value: append([]byte(nil), payload...)})
	return nil
}

func (b *topicBatch) Wait(context.Context) error {
	for _, m := range b.pending {
		b.t.append(m.Partition, m.Value)
	}
	b.pending = nil
	return nil
}

// watchedBook tells of its changes.
type watchedBook struct {
	*platform.Book
	mu      sync.Mutex
	changed chan struct{}
}

func (b *watchedBook) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *watchedBook) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *watchedBook) Put(ctx context.Context, r *platform.Request) error {
	defer b.tell()
	return b.Book.Put(ctx, r)
}

func (b *watchedBook) Answer(ctx context.Context, id string, answer json.RawMessage, message string, at time.Time) (platform.Request, error) {
	defer b.tell()
	return b.Book.Answer(ctx, id, answer, message, at)
}

// pages are the book's log in memory.
type pages struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (p *pages) Load(_ context.Context, fn func(key, value []byte) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, v := range p.m {
		if err := fn([]byte(k), v); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) Write(_ context.Context, key, value []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m = map[string][]byte{}
	}
	p.m[string(key)] = append([]byte(nil), value...)
	return nil
}
