package platform

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type page struct{ key, value []byte }

// memoryLog is a compacted topic in memory, of which several books may read.
type memoryLog struct {
	mu     sync.Mutex
	pages  []page
	grown  chan struct{} // closed and made anew with every page
	stall  chan struct{} // Write waits while it is open
	failed error
}

func newMemoryLog() *memoryLog { return &memoryLog{grown: make(chan struct{})} }

func (m *memoryLog) Load(_ context.Context, fn func(key, value []byte) error) error {
	m.mu.Lock()
	pages := m.pages
	m.mu.Unlock()
	for _, p := range pages {
		if err := fn(p.key, p.value); err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryLog) Write(ctx context.Context, key, value []byte) error {
	m.mu.Lock()
	stall, failed := m.stall, m.failed
	m.mu.Unlock()
	if stall != nil {
		select {
		case <-stall:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if failed != nil {
		return failed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages = append(m.pages, page{append([]byte(nil), key...), append([]byte(nil), value...)})
	close(m.grown)
	m.grown = make(chan struct{})
	return nil
}

func (m *memoryLog) Follow(ctx context.Context, fn func(key, value []byte) error) error {
	for n := 0; ; {
		m.mu.Lock()
		pages, grown := m.pages, m.grown
		m.mu.Unlock()
		for ; n < len(pages); n++ {
			if err := fn(pages[n].key, pages[n].value); err != nil {
				return err
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil
		}
	}
}

// compacted is what the log would hold after its compaction.
func (m *memoryLog) compacted() *memoryLog {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := map[string]int{}
	for n, p := range m.pages {
		last[string(p.key)] = n
	}
	c := newMemoryLog()
	for n, p := range m.pages {
		if last[string(p.key)] == n && len(p.value) > 0 {
			c.pages = append(c.pages, p)
		}
	}
	return c
}

func (m *memoryLog) set(stall chan struct{}, failed error) {
	m.mu.Lock()
	m.stall, m.failed = stall, failed
	m.mu.Unlock()
}

// noFollow hides Follow.
type noFollow struct{ Pages }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newBook(t *testing.T, pages Pages) *Book {
	t.Helper()
	b := NewBook(pages, quiet(), prometheus.NewRegistry())
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var errLog = errors.New("the log is gone")

// t0 is the time of the tests.
var t0 = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)

func ask(platform, kind string, at time.Time, within time.Duration) Request {
	r := Request{Role: RoleSuperior, Platform: platform, Kind: kind, Message: "0x9301", Asked: at.UnixMilli(), Body: []byte(`{"info_id":7}`), Number: 7}
	if within > 0 {
		r.Deadline = at.Add(within).UnixMilli()
	}
	return r
}
