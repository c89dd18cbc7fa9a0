package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"lushao/internal/bus"
	"lushao/internal/embed/kafkalog"
	"lushao/internal/testport"
)

// broker is the embedded log behind a door that can be shut.
type broker struct {
	log  *kafkalog.Log
	dir  string
	addr string
}

func openBroker(t *testing.T, dir, listen string) *broker {
	t.Helper()
	c := kafkalog.DefaultConfig()
	c.DataDir, c.Listen = dir, listen
	l, err := kafkalog.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return &broker{log: l, dir: dir, addr: l.Addr()}
}

func client(t *testing.T, addr string, change ...func(*bus.Config)) *bus.Client {
	t.Helper()
	cfg := bus.DefaultConfig()
	cfg.Brokers = []string{addr}
	for _, f := range change {
		f(&cfg)
	}
	c, err := bus.Open(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func ctxOf(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestProduceConsumeCommit(t *testing.T) {
	b := openBroker(t, t.TempDir(), "127.0.0.1:0")
	defer b.log.Close()
	c, ctx := client(t, b.addr), ctxOf(t)
	topic := bus.Topic{Name: "events", Partitions: 3, Replication: 1}
	if err := c.EnsureTopics(ctx, topic); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureTopics(ctx, topic); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	if err := c.EnsureTopics(ctx, bus.Topic{Name: "events", Partitions: 4, Replication: 1}); err == nil || !strings.Contains(err.Error(), "has 3 partitions") {
		t.Fatalf("another number of partitions: %v", err)
	}
	if got, err := c.CommittedOffsets(ctx, "g", "events"); err != nil || got[0] != -1 || got[2] != -1 {
		t.Fatalf("offsets of a group that committed nothing: %v, %v", got, err)
	}
	p, err := c.NewProducer(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	var ack bus.Ack
	want := map[int]string{}
	for i := range 300 {
		part := i % 3
		payload := fmt.Sprintf("<%d>", i)
		want[part] += payload
		if err := p.Append(ctx, part, []byte(payload), &ack); err != nil {
			t.Fatal(err)
		}
	}
	if err := ack.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Append(ctx, 0, make([]byte, bus.MaxPayload+1), &ack); !errors.Is(err, bus.ErrPayloadSize) {
		t.Errorf("a payload that is too large: %v", err)
	}
	for part := range 3 {
		got, messages := "", 0
		readCtx, stop := context.WithCancel(ctx)
		err := c.Consume(readCtx, "events", part, 0, func(_ context.Context, batch []bus.Message) error {
			for _, m := range batch {
				got += string(m.Value)
				messages++
			}
			if got == want[part] {
				stop()
			}
			return nil
		})
		stop()
		if err != nil || got != want[part] {
			t.Errorf("partition %d: %v, %q, want %q", part, err, got, want[part])
		}
		if messages > 50 {
			t.Errorf("partition %d: 100 payloads in %d messages; they are not packed", part, messages)
		}
	}
	if err := c.CommitOffsets(ctx, "g", "events", map[int]int64{1: 7}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.CommittedOffsets(ctx, "g", "events"); err != nil || got[1] != 7 || got[0] != -1 {
		t.Errorf("committed: %v, %v", got, err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Append(ctx, 0, []byte("x"), &ack); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	// A handler's error ends the reading and comes back.
	boom := errors.New("boom")
	if err := c.Consume(ctx, "events", 0, 0, func(context.Context, []bus.Message) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("the handler's error: %v", err)
	}
	// An offset beyond the end is another log's.
	err = c.Consume(ctx, "events", 0, 1<<40, func(context.Context, []bus.Message) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "not the log that was read before") {
		t.Errorf("beyond the end: %v", err)
	}
}

// An ack must not come while the log is away, and must come once it is back; nothing is lost, and the order is kept.
func TestLogGoesAwayAndComesBack(t *testing.T) {
	dir := t.TempDir()
	b := openBroker(t, dir, testport.Reserve(t))
	c, ctx := client(t, b.addr, func(c *bus.Config) { c.Timeout = time.Second }), ctxOf(t)
	if err := c.EnsureTopics(ctx, bus.Topic{Name: "events", Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	var ack bus.Ack
	send := func(s string) {
		t.Helper()
		if err := p.Append(ctx, 0, []byte(s), &ack); err != nil {
			t.Fatal(err)
		}
	}
	send("a")
	if err := ack.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.log.Close(); err != nil {
		t.Fatal(err)
	}
	send("b")
	waited := make(chan error, 1)
	go func() { waited <- ack.Wait(ctx) }()
	var other bus.Ack
	if err := p.Append(ctx, 0, []byte("c"), &other); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := other.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("acknowledged without a log: %v", err)
	}
	select {
	case err := <-waited:
		t.Fatalf("acknowledged without a log: %v", err)
	default:
	}
	b = openBroker(t, dir, b.addr)
	defer func() { b.log.Close() }()
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil { // writes c too
		t.Fatal(err)
	}
	got := ""
	if err := c.ReadAll(ctx, "events", func(m bus.Message) error { got += string(m.Value); return nil }); err != nil {
		t.Fatal(err)
	}
	// A request whose answer was lost is repeated, so a letter may be there more than once; none may be missing or late.
	squeezed := ""
	for _, r := range got {
		if !strings.HasSuffix(squeezed, string(r)) {
			squeezed += string(r)
		}
	}
	if squeezed != "abc" {
		t.Errorf("the log holds %q", got)
	}
}

// While the log stalls, what is pending is bounded: Append blocks, and ends with its context.
func TestBackpressure(t *testing.T) {
	b := openBroker(t, t.TempDir(), "127.0.0.1:0")
	c, ctx := client(t, b.addr, func(c *bus.Config) { c.Producer.MaxPending = bus.MaxPayload; c.Timeout = 500 * time.Millisecond }), ctxOf(t)
	if err := c.EnsureTopics(ctx, bus.Topic{Name: "events", Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	p, err := c.NewProducer(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	b.log.Close()
	var ack bus.Ack
	if err := p.Append(ctx, 0, make([]byte, bus.MaxPayload), &ack); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := p.Append(short, 0, []byte("more"), &ack); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Append over the bound: %v", err)
	}
	given, cancel2 := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel2()
	if err := p.Close(given); err == nil {
		t.Error("Close says that everything was written")
	}
	if err := ack.Wait(ctx); err == nil {
		t.Error("acknowledged what was given up")
	}
}

// A connection that breaks under a question about offsets is no refusal: it is asked again.
func TestOffsetsOverBrokenConnections(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c, ctx := client(t, cluster.ListenAddrs()[0]), ctxOf(t)
	if err := c.EnsureTopics(ctx, bus.Topic{Name: "events", Partitions: 3, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteKeyed(ctx, "events", bus.KeyedMessage{Partition: 1, Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	var broken atomic.Int32
	const listOffsets = 2 // the request's key
	for range 3 {
		cluster.ControlKey(listOffsets, func(kmsg.Request) (kmsg.Response, error, bool) {
			broken.Add(1)
			return nil, errors.New("cut"), true
		})
	}
	first, next, err := c.Bounds(ctx, "events")
	if err != nil || fmt.Sprint(first, next) != "map[0:0 1:0 2:0] map[0:0 1:1 2:0]" {
		t.Errorf("%v %v %v", first, next, err)
	}
	if broken.Load() != 3 {
		t.Errorf("%d connections broke: the test would prove nothing", broken.Load())
	}
}

func TestKeyedAndCompacted(t *testing.T) {
	b := openBroker(t, t.TempDir(), "127.0.0.1:0")
	defer b.log.Close()
	c, ctx := client(t, b.addr), ctxOf(t)
	if err := c.EnsureTopics(ctx, bus.Topic{Name: "state", Partitions: 2, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
		t.Fatal(err)
	}
	var ms []bus.KeyedMessage
	for i := range 100 {
		ms = append(ms, bus.KeyedMessage{Partition: i % 2, Key: fmt.Append(nil, "k", i%4), Value: fmt.Append(nil, i)})
	}
	if err := c.WriteKeyed(ctx, "state", ms...); err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	if err := c.ReadAll(ctx, "state", func(m bus.Message) error { last[string(m.Key)] = string(m.Value); return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(last) != "map[k0:96 k1:97 k2:98 k3:99]" {
		t.Errorf("last values: %v", last)
	}
	first, next, err := c.Bounds(ctx, "state")
	if err != nil || first[0] != 0 || next[0] != 50 || next[1] != 50 {
		t.Errorf("bounds %v %v %v", first, next, err)
	}
	boom := errors.New("boom")
	if err := c.ReadAll(ctx, "state", func(bus.Message) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("the handler's error: %v", err)
	}
}

// Two members of a group share the partitions, and when one leaves the other has them all.
func TestSharedAssignment(t *testing.T) {
	b := openBroker(t, t.TempDir(), "127.0.0.1:0")
	defer b.log.Close()
	c, ctx := client(t, b.addr), ctxOf(t)
	if err := c.EnsureTopics(ctx, bus.Topic{Name: "events", Partitions: 4, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	type change struct {
		who        int
		partitions []int
	}
	changes := make(chan change, 100)
	var wg sync.WaitGroup
	member := func(who int) context.CancelFunc {
		mctx, cancel := context.WithCancel(ctx)
		wg.Go(func() {
			err := c.Assign(mctx, "g", "events", true, func(ctx context.Context, a bus.Assignment) error {
				changes <- change{who, a.Partitions}
				if err := a.Commit(ctx, map[int]int64{a.Partitions[0]: int64(who)}); err != nil {
					t.Logf("commit of %d: %v", who, err) // the partition may just have moved
				}
				<-ctx.Done()
				return nil
			})
			if err != nil {
				t.Errorf("member %d: %v", who, err)
			}
		})
		return cancel
	}
	stop1 := member(1)
	await := func(want map[int]int) {
		t.Helper()
		have := map[int]int{}
		for {
			select {
			case ch := <-changes:
				have[ch.who] = len(ch.partitions)
				if fmt.Sprint(have) == fmt.Sprint(want) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("assignment %v, want %v", have, want)
			}
		}
	}
	await(map[int]int{1: 4})
	stop2 := member(2)
	await(map[int]int{1: 2, 2: 2})
	stop1()
	await(map[int]int{2: 4})
	stop2()
	wg.Wait()
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(*bus.Config){
		"bus.brokers":              func(c *bus.Config) { c.Brokers = nil },
		"bus.timeout":              func(c *bus.Config) { c.Timeout = 0 },
		"bus.producer.max_pending": func(c *bus.Config) { c.Producer.MaxPending = 1 },
		"bus.producer.max_batch":   func(c *bus.Config) { c.Producer.MaxBatch = 1 },
		"bus.producer.linger":      func(c *bus.Config) { c.Producer.Linger = -1 },
		"bus.producer.compression": func(c *bus.Config) { c.Producer.Compression = "rar" },
	} {
		c := bus.DefaultConfig()
		c.Brokers = []string{"x:1"}
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
