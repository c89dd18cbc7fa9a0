package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/enforce/store"
	"lushao/internal/bus"
)

// start runs a sink; stop ends it and returns what Run said.
func start(t *testing.T, s *Sink) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func TestEverythingArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newFakeLog(3), &fakeStore{}
		for i := range 90 {
			l.write("events", i%3, append(position("晋E00001", base+int64(i)), position("晋E00002", base+int64(i))...))
		}
		for i := range 10 {
			l.write("violations", 0, violation(fmt.Sprint("v", i)))
		}
		l.write("violations", 0, nil) // a tombstone
		sink := newSink(t, testConfig(), l, s)
		stop := start(t, sink)
		l.waitDone(t, "events", "violations")
		l.write("events", 2, position("晋E00003", base)) // and what comes later
		l.waitDone(t, "events")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if s.count("positions") != 181 || s.count("violations") != 10 || s.count("dead_letters") != 0 {
			t.Errorf("rows %v", s.rows)
		}
		if n := testutil.ToFloat64(sink.pipelines[0].metrics.all.rows.WithLabelValues("events", "positions")); n != 181 {
			t.Errorf("metric of rows %v", n)
		}
	})
}

// A full block is written at once, a block that is not full after max_delay.
func TestBlocksBySizeAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog(1)
		var mu sync.Mutex
		var list []int
		s := &fakeStore{insert: func(_ context.Context, b store.Block) error {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, b.Rows())
			return nil
		}}
		sizes := func() string {
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(list)
		}
		cfg := testConfig()
		cfg.Archive.MaxRows, cfg.Archive.MaxDelay, cfg.Archive.Writers = 10, time.Minute, 1
		stop := start(t, newSink(t, cfg, l, s))
		for i := range 25 {
			l.write("events", 0, position("晋E00001", base+int64(i)))
		}
		synctest.Wait()
		if sizes() != "[10 10]" {
			t.Errorf("blocks %v", sizes())
		}
		time.Sleep(59 * time.Second) // of the bubble's clock
		synctest.Wait()
		if sizes() != "[10 10]" {
			t.Errorf("blocks before max_delay %v", sizes())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if sizes() != "[10 10 5]" {
			t.Errorf("blocks after max_delay %v", sizes())
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// While ClickHouse hangs the sink stops reading, holds a few blocks, and commits nothing; then it goes on.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog(2)
		hang := make(chan struct{})
		s := &fakeStore{insert: func(ctx context.Context, _ store.Block) error {
			select {
			case <-hang:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		for i := range 10_000 {
			l.write("events", i%2, position("晋E00001", base+int64(i)))
		}
		cfg := testConfig()
		cfg.Archive.MaxRows, cfg.Archive.Writers = 10, 2
		stop := start(t, newSink(t, cfg, l, s))
		synctest.Wait()
		time.Sleep(10 * time.Minute) // through timeouts of tries too
		synctest.Wait()
		// Two blocks in the writers, one waiting, one filling, and a batch in the hand of each reader.
		if most := 4*10 + 2*4; l.delivered == 0 || l.delivered > most {
			t.Errorf("%d messages read while nothing can be written, want at most %d", l.delivered, most)
		}
		if len(l.committed["events"]) != 0 || s.count("positions") != 0 {
			t.Errorf("committed %v", l.committed)
		}
		close(hang)
		l.waitDone(t, "events")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if s.count("positions") != 10_000 {
			t.Errorf("rows %v", s.rows)
		}
	})
}

// A stop writes and commits what was read, also where no block is full.
func TestStopDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newFakeLog(1), &fakeStore{}
		cfg := testConfig()
		cfg.Archive.MaxDelay = time.Hour
		stop := start(t, newSink(t, cfg, l, s))
		l.write("events", 0, position("晋E00001", base))
		synctest.Wait()
		if s.count("positions") != 0 {
			t.Fatal("written before its time")
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if ok, _ := l.done("events"); !ok || s.count("positions") != 1 {
			t.Errorf("committed %v, rows %v", l.committed, s.rows)
		}
	})
}

// A stop while ClickHouse is away gives up after drain_timeout, says so, and commits nothing.
func TestStopGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog(1)
		s := &fakeStore{insert: func(context.Context, store.Block) error { return errDown }}
		cfg := testConfig()
		stop := start(t, newSink(t, cfg, l, s))
		for i := range 100 {
			l.write("events", 0, position("晋E00001", base+int64(i)))
		}
		synctest.Wait()
		began := time.Now()
		err := stop()
		if !errors.Is(err, errDrain) || !errors.Is(err, errDown) || !strings.Contains(err.Error(), "sink of events") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took < cfg.DrainTimeout || took > cfg.DrainTimeout+time.Second { // of the bubble's clock
			t.Errorf("gave up after %v", took)
		}
		if len(l.committed["events"]) != 0 {
			t.Errorf("committed %v", l.committed)
		}
	})
}

// Of two blocks that are written at once, the second is not committed before the first.
func TestCommitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog(1)
		first := make(chan struct{})
		s := &fakeStore{insert: func(_ context.Context, b store.Block) error {
			if b.Rows() == 3 { // the first message
				<-first
			}
			return nil
		}}
		cfg := testConfig()
		cfg.Archive.MaxRows, cfg.Archive.Writers = 1, 2
		stop := start(t, newSink(t, cfg, l, s))
		l.write("events", 0, concat(position("晋E00001", base), position("晋E00001", base+1), position("晋E00001", base+2)))
		for i := range 2 {
			l.write("events", 0, position("晋E00001", base+10+int64(i)))
		}
		synctest.Wait()
		if s.count("positions") == 0 || len(l.committed["events"]) != 0 {
			t.Errorf("%d rows, committed %v", s.count("positions"), l.committed)
		}
		close(first)
		l.waitDone(t, "events")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Reading and committing that fail are tried again, from the right place.
func TestLogFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newFakeLog(2), &fakeStore{}
		var n, m atomic.Int32
		l.consumeErr = func() error {
			if n.Add(1)%3 == 0 {
				return errDown
			}
			return nil
		}
		l.commitErr = func() error {
			if m.Add(1)%2 == 1 {
				return errDown
			}
			return nil
		}
		for i := range 50 {
			l.write("events", i%2, position("晋E00001", base+int64(i)))
		}
		sink := newSink(t, testConfig(), l, s)
		stop := start(t, sink)
		l.waitDone(t, "events")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if s.count("positions") != 50 {
			t.Errorf("%d rows of 50: some were read twice, or not at all", s.count("positions"))
		}
		mt := sink.pipelines[0].metrics
		if testutil.ToFloat64(mt.retryRead) == 0 || testutil.ToFloat64(mt.retryCommit) == 0 {
			t.Error("the retries are not counted")
		}
	})
}

// A partition that is added while the sink runs is read too, and the lag is told.
func TestNewPartitionAndLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newFakeLog(1), &fakeStore{}
		sink := newSink(t, testConfig(), l, s)
		stop := start(t, sink)
		synctest.Wait()
		l.mu.Lock()
		l.topics["events"] = append(l.topics["events"], nil)
		l.mu.Unlock()
		l.write("events", 1, position("晋E00001", base))
		l.waitDone(t, "events")
		var hang atomic.Bool
		hang.Store(true)
		s.insert = func(context.Context, store.Block) error {
			if hang.Load() {
				return errDown
			}
			return nil
		}
		for i := range 7 {
			l.write("events", 1, position("晋E00001", base+int64(i)))
		}
		time.Sleep(2 * sink.cfg.PollInterval)
		synctest.Wait()
		if n := testutil.ToFloat64(sink.pipelines[0].metrics.all.lag.WithLabelValues("events", "1")); n != 7 {
			t.Errorf("lag %v, want 7", n)
		}
		hang.Store(false)
		l.waitDone(t, "events")
		time.Sleep(2 * sink.cfg.PollInterval)
		synctest.Wait()
		if n := testutil.ToFloat64(sink.pipelines[0].metrics.all.lag.WithLabelValues("events", "1")); n != 0 {
			t.Errorf("lag %v, want 0", n)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A log that was lost and made anew is read from its beginning, though the group stands beyond its end.
func TestLogMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newFakeLog(1), &fakeStore{}
		for i := range 5 {
			l.write("events", 0, position("晋E00001", base+int64(i)))
		}
		l.committed["events"][0] = 1000
		l.onCommit = func(string, map[int]int64) { l.mu.Lock(); l.committed["events"][0] = 0; l.mu.Unlock() }
		stop := start(t, newSink(t, testConfig(), l, s))
		l.waitDone(t, "events")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if s.count("positions") != 5 {
			t.Errorf("%d rows", s.count("positions"))
		}
	})
}

// One bad event costs itself, where its size leads on; else the rest of its message.
func TestBadEvents(t *testing.T) {
	good := position("晋E00001", base)
	kind9 := position("晋E00002", base)
	kind9[5] = 9
	size := position("晋E00002", base)
	size[0], size[1], size[2], size[3] = 0xFF, 0xFF, 0xFF, 0x7F
	clock := position("晋E00002", base)
	clock[15] = 0x7F // a time far beyond any
	for _, c := range []struct {
		name       string
		value      []byte
		rows, dead int
		position   int
		reason     string
		raw        int
	}{
		{"good", good, 1, 0, 0, "", 0},
		{"unknown kind between", concat(good, kind9, good), 2, 1, len(good), "kind", len(kind9)},
		{"unknown kind last", concat(good, kind9), 1, 1, len(good), "kind", len(kind9)},
		{"time that can't be stored", concat(clock, good), 1, 1, 0, "time", len(clock)},
		{"wild size", concat(good, size, good), 1, 1, len(good), "size", len(size) + len(good)},
		{"cut", concat(good, good[:50]), 1, 1, len(good), "size", 50},
		{"cut in the size", concat(good, good[:3]), 1, 1, len(good), "head", 3},
		{"rubbish", []byte(strings.Repeat("\x01rubbish", 100)), 0, 1, 0, "size", 800},
		{"empty", nil, 0, 0, 0, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newArchiveContents("events", nil)
			dead := a.add(&bus.Message{Partition: 1, Offset: 7, Value: c.value, Time: time.UnixMilli(base)})
			if a.events.Positions.Rows() != c.rows || dead != c.dead || a.dead.Rows() != c.dead {
				t.Fatalf("%d rows, %d dead letters, %d told", a.events.Positions.Rows(), a.dead.Rows(), dead)
			}
			if dead == 1 {
				d := a.dead.Letters()[0]
				if d.Position != c.position || !strings.Contains(d.Reason, c.reason) || len(d.Raw) != c.raw || d.Topic != "events" || d.At != (store.Place{Partition: 1, Offset: 7}) {
					t.Errorf("dead letter %+v", d)
				}
			}
		})
	}
}

func concat(list ...[]byte) (out []byte) {
	for _, b := range list {
		out = append(out, b...)
	}
	return out
}

func FuzzArchive(f *testing.F) {
	f.Add(concat(position("晋E00001", base), position("晋E00002", base)))
	f.Add([]byte("rubbish"))
	f.Fuzz(func(t *testing.T, value []byte) {
		a := newArchiveContents("events", nil)
		a.add(&bus.Message{Value: value, Time: time.UnixMilli(base)})
		// Every byte is in a row or in a dead letter: dead letters do not overlap and lie in the message.
		at := 0
		for _, d := range a.dead.Letters() {
			if d.Position < at || string(value[d.Position:d.Position+len(d.Raw)]) != string(d.Raw) {
				t.Fatalf("dead letter at %d after %d", d.Position, at)
			}
			at = d.Position + len(d.Raw)
		}
	})
}

func TestViolationsThatCantBeRead(t *testing.T) {
	c := newRecordContents[store.ViolationBlock]("violations")
	for i, v := range []string{"rubbish", `{"id":1}`, string(violation("a")), `{}`, strings.Repeat("[", 1<<21)} {
		c.add(&bus.Message{Offset: int64(i), Value: []byte(v), Time: time.UnixMilli(base)})
	}
	if c.records.Rows() != 1 || c.dead.Rows() != 4 {
		t.Errorf("%d rows, %d dead letters", c.records.Rows(), c.dead.Rows())
	}
}

func TestVisitsThatCantBeRead(t *testing.T) {
	c := newRecordContents[store.VisitBlock]("visits")
	const visit = `{"id":"v1","version":1,"state":"open","plate":"湘F00001","color":2,"fence":"J","jurisdiction":"430603","entered":"2026-05-01T08:00:00+08:00"}`
	for i, v := range []string{"rubbish", `{"id":"v1"}`, visit, strings.Replace(visit, `"open"`, `"half"`, 1), strings.Replace(visit, "2026", "9999", 1)} {
		c.add(&bus.Message{Offset: int64(i), Value: []byte(v), Time: time.UnixMilli(base)})
	}
	if c.records.Rows() != 1 || c.dead.Rows() != 4 {
		t.Errorf("%d rows, %d dead letters", c.records.Rows(), c.dead.Rows())
	}
}

// The names and labels of the metrics, which dashboards and alerts rely on.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := New(DefaultConfig(), newFakeLog(1), &fakeStore{}, nil, slog.New(slog.DiscardHandler), reg); err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	want := `
# HELP lushao_sink_blocks_total Blocks whose offsets are committed.
# TYPE lushao_sink_blocks_total counter
lushao_sink_blocks_total{topic="driving"} 0
lushao_sink_blocks_total{topic="events"} 0
lushao_sink_blocks_total{topic="violations"} 0
lushao_sink_blocks_total{topic="visits"} 0
# HELP lushao_sink_dead_letters_total Pieces of messages that could not be read and went to the table dead_letters.
# TYPE lushao_sink_dead_letters_total counter
lushao_sink_dead_letters_total{topic="driving"} 0
lushao_sink_dead_letters_total{topic="events"} 0
lushao_sink_dead_letters_total{topic="violations"} 0
lushao_sink_dead_letters_total{topic="visits"} 0
# HELP lushao_sink_pending_blocks Blocks that are full and not yet committed.
# TYPE lushao_sink_pending_blocks gauge
lushao_sink_pending_blocks{topic="driving"} 0
lushao_sink_pending_blocks{topic="events"} 0
lushao_sink_pending_blocks{topic="violations"} 0
lushao_sink_pending_blocks{topic="visits"} 0
# HELP lushao_sink_retries_total Tries that failed and were made again, by what was tried: insert, commit, read.
# TYPE lushao_sink_retries_total counter
lushao_sink_retries_total{operation="commit",topic="driving"} 0
lushao_sink_retries_total{operation="commit",topic="events"} 0
lushao_sink_retries_total{operation="commit",topic="violations"} 0
lushao_sink_retries_total{operation="commit",topic="visits"} 0
lushao_sink_retries_total{operation="insert",topic="driving"} 0
lushao_sink_retries_total{operation="insert",topic="events"} 0
lushao_sink_retries_total{operation="insert",topic="violations"} 0
lushao_sink_retries_total{operation="insert",topic="visits"} 0
lushao_sink_retries_total{operation="read",topic="driving"} 0
lushao_sink_retries_total{operation="read",topic="events"} 0
lushao_sink_retries_total{operation="read",topic="violations"} 0
lushao_sink_retries_total{operation="read",topic="visits"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "lushao_sink_blocks_total", "lushao_sink_dead_letters_total", "lushao_sink_pending_blocks", "lushao_sink_retries_total"); err != nil {
		t.Error(err)
	}
}

func TestConfigValidate(t *testing.T) {
	good := DefaultConfig()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"sink.drain_timeout":        func(c *Config) { c.DrainTimeout = 0 },
		"sink.retry_max":            func(c *Config) { c.RetryMax = 1 },
		"sink.archive.topic":        func(c *Config) { c.Archive.Topic = "" },
		"sink.violations.group":     func(c *Config) { c.Violations.Group = "" },
		"sink.archive.max_rows":     func(c *Config) { c.Archive.MaxRows = 0 },
		"sink.archive.max_bytes":    func(c *Config) { c.Archive.MaxBytes = 1 },
		"sink.driving.topic":        func(c *Config) { c.Driving.Topic = "" },
		"sink.violations.max_delay": func(c *Config) { c.Violations.MaxDelay = 0 },
		"sink.archive.writers":      func(c *Config) { c.Archive.Writers = 0 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
