package bus_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"lushao/internal/bus"
)

// Apache Kafka takes what the embedded log takes; make kafka runs this with a broker.
func TestKafka(t *testing.T) {
	addr := os.Getenv("TEST_KAFKA")
	if addr == "" {
		t.Skip("needs Apache Kafka: run it with make kafka")
	}
	c, ctx := client(t, addr, func(c *bus.Config) { c.TopicPrefix = fmt.Sprintf("bus-%d.", time.Now().UnixNano()) }), ctxOf(t)
	compacted := map[string]string{"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "100"}
	if err := c.EnsureTopics(ctx, bus.Topic{Name: "events", Partitions: 3, Replication: -1}, bus.Topic{Name: "state", Partitions: 1, Replication: -1, Config: compacted}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.CommittedOffsets(ctx, "g-"+t.Name(), "events"); err != nil || got[0] != -1 {
		t.Fatalf("offsets of a group that committed nothing: %v, %v", got, err)
	}
	p, err := c.NewProducer(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	var ack bus.Ack
	want := ""
	for i := range 1000 {
		s := fmt.Sprintf("<%d>", i)
		want += s
		if err := p.Append(ctx, 1, []byte(s), &ack); err != nil {
			t.Fatal(err)
		}
	}
	if err := ack.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	got := ""
	readCtx, stop := context.WithCancel(ctx)
	defer stop()
	if err := c.Consume(readCtx, "events", 1, 0, func(_ context.Context, batch []bus.Message) error {
		for _, m := range batch {
			got += string(m.Value)
		}
		if got == want {
			stop()
		}
		return nil
	}); err != nil || got != want {
		t.Fatalf("%v, %d of %d bytes", err, len(got), len(want))
	}
	if err := c.CommitOffsets(ctx, "g-"+t.Name(), "events", map[int]int64{1: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.CommittedOffsets(ctx, "g-"+t.Name(), "events"); err != nil || got[1] != 1 {
		t.Errorf("committed %v %v", got, err)
	}

	// Holes that compaction leaves, at the end of batches too, hide nothing that comes after them.
	for round := range 30 {
		var ms []bus.KeyedMessage
		for i := range 10 {
			ms = append(ms, bus.KeyedMessage{Key: fmt.Append(nil, "k", i), Value: fmt.Append(nil, round*10+i)})
		}
		ms = append(ms, bus.KeyedMessage{Key: fmt.Append(nil, "once", round), Value: []byte("x")})
		if err := c.WriteKeyed(ctx, "state", ms...); err != nil {
			t.Fatal(err)
		}
	}
	last := map[string]string{}
	if err := c.ReadAll(ctx, "state", func(m bus.Message) error { last[string(m.Key)] = string(m.Value); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if last[fmt.Sprint("k", i)] != fmt.Sprint(290+i) {
			t.Errorf("k%d is %q", i, last[fmt.Sprint("k", i)])
		}
	}
	for round := range 30 {
		if last[fmt.Sprint("once", round)] != "x" {
			t.Errorf("once%d is missing", round)
		}
	}
}
