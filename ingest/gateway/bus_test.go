package gateway

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/weigh"
	"lushao/internal/bus"
)

// The whole way on a real log protocol: a terminal's position and a weighing's mark are there to be read.
func TestOnTheBus(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cfg := bus.DefaultConfig()
	cfg.Brokers = cluster.ListenAddrs()
	client, err := bus.Open(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(ctx, bus.Topic{Name: "events", Partitions: 3, Replication: 1},
		bus.Topic{Name: "weighing-records", Partitions: 1, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}}); err != nil {
		t.Fatal(err)
	}
	producer, err := client.NewProducer(ctx, "events")
	if err != nil {
		t.Fatal(err)
	}
	g, _ := startGateway(t, testConfig(), &BusLog{producer}, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2019)
	c.login(v1)
	c.ping(7)
	if err := g.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if err := producer.Close(ctx); err != nil {
		t.Fatal(err)
	}
	var kinds []ingest.Kind
	err = client.ReadAll(ctx, "events", func(m bus.Message) error {
		for b := m.Value; len(b) > 0; {
			var e ingest.Event
			var err error
			if b, err = ingest.DecodeEvent(b, &e); err != nil {
				return err
			}
			if m.Partition != v1.Partition(3) || e.Vehicle != v1 {
				t.Errorf("%v in partition %d", e.Vehicle, m.Partition)
			}
			kinds = append(kinds, e.Kind)
		}
		return nil
	})
	if err != nil || len(kinds) != 3 || kinds[0] != ingest.KindLink || kinds[1] != ingest.KindPosition || kinds[2] != ingest.KindLink {
		t.Errorf("events in the log: %v, %v", kinds, err)
	}

	marks := &BusMarks{client, "weighing-records"}
	if err := marks.Write(ctx, []weigh.Mark{{Key: []byte("S\x001"), Value: []byte("a")}, {Key: []byte("S\x002"), Value: []byte("b")}}); err != nil {
		t.Fatal(err)
	}
	got := ""
	if err := marks.Load(ctx, func(m weigh.Mark) error { got += string(m.Key) + string(m.Value); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := "S\x001aS\x002b"; got != want {
		t.Errorf("marks %q, want %q", got, want)
	}
}
