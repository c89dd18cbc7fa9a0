package platform

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/internal/bus"
	"lushao/internal/embed/kafkalog"
)

func TestBookOnTheLog(t *testing.T) {
	ctx := testContext(t)
	cfg := kafkalog.DefaultConfig()
	cfg.DataDir = t.TempDir()
	log, err := kafkalog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	busConfig := bus.DefaultConfig()
	busConfig.Brokers = []string{log.Addr()}
	client, err := bus.Open(busConfig, quiet(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(ctx, bus.Topic{Name: RequestsTopic, Partitions: 1, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
		t.Fatal(err)
	}
	open := func() *Book { return newBook(t, &BusPages{Client: client, Topic: RequestsTopic}) }
	a, b := open(), open()
	follow, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- b.Run(follow) }()
	r := ask("city", KindInspection, t0, time.Minute)
	if err := a.Put(ctx, &r); err != nil {
		t.Fatal(err)
	}
	for { // until the other process has read it
		if _, err := b.Answer(ctx, r.ID, json.RawMessage(`1`), "0x1301", t0); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if got, ok := open().Get(r.ID); !ok || got.State != StateAnswered {
		t.Errorf("loaded: %+v, %v", got, ok)
	}
	if _, err := b.Expire(ctx, t0.Add(2*365*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := open().List(Filter{}); len(got) != 0 {
		t.Errorf("after its deletion: %+v", got)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
