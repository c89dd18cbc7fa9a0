package main

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect/worker"
	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/superior"
	"lushao/internal/bus"
	"lushao/internal/embed/kafkalog"
	"lushao/internal/sim"
)

// BenchmarkPipeline is the way of a position through everything in one process: from the fleet's sockets over the log, the
// detector and the archive into ClickHouse. An operation is one position, from the first byte sent to the last row stored;
// the fleet that sends them is in the same process and counted too.
//
// With fsync, the default, every batch of the log is on the disk before it is acknowledged.
func BenchmarkPipeline(b *testing.B) {
	for _, fsync := range []bool{true, false} {
		b.Run(fmt.Sprintf("fsync=%v", fsync), func(b *testing.B) { benchmarkPipeline(b, fsync) })
	}
}

func benchmarkPipeline(b *testing.B, fsync bool) {
	dir := b.TempDir()
	c := testConfig(dir)
	c.Embedded.Log.SyncWrites = fsync
	const vehicles = 200
	fleet := sim.DefaultConfig()
	fleet.Vehicles, fleet.Rate = vehicles, 0
	fleet.Duration = (time.Duration(b.N/vehicles+1) * fleet.Interval).Truncate(time.Second)
	fleet.Start = time.Now().Add(-fleet.Duration - time.Hour).Truncate(time.Second)
	writeFleetReference(b, c.Reference.Dir, fleet)
	a, _ := startApp(b, c)
	fleet.Gateway, fleet.WeighURL = a.gateway.Addr().String(), "http://"+a.http.Addr().String()+"/v1/weighings"
	fleet.WeighToken, fleet.Logger = weighToken(b, dir), testLogger()
	s, err := sim.New(fleet)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	r, err := s.Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	acknowledged := b.Elapsed()
	caughtUp(b, a.cfg.Bus.Brokers)
	b.StopTimer()
	n := float64(r.Positions.Acknowledged)
	b.ReportMetric(n/acknowledged.Seconds(), "acknowledged/s")
	b.ReportMetric(n/b.Elapsed().Seconds(), "stored/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPlatform is the way of a position from a platform's socket to the log on the disk: over loopback, one main link, the
// embedded log in the same process. An operation is one position; the last is in the log when its heartbeat is answered.
func BenchmarkPlatform(b *testing.B) {
	for _, edition := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		b.Run(edition.String(), func(b *testing.B) { benchmarkPlatform(b, edition) })
	}
}

func benchmarkPlatform(b *testing.B, edition jt809.Edition) {
	c := testConfig(b.TempDir())
	c.Embedded.Log.Registerer = prometheus.NewRegistry()
	c.Embedded.Log.Logger = testLogger()
	log, err := kafkalog.Open(c.Embedded.Log)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	c.Bus.Brokers = []string{log.Addr()}
	client, err := bus.Open(c.Bus, testLogger(), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(b.Context(), bus.Topic{Name: worker.EventsTopic, Partitions: 4, Replication: -1},
		bus.Topic{Name: platform.RequestsTopic, Partitions: 1, Replication: -1}); err != nil {
		b.Fatal(err)
	}
	events, err := client.NewProducer(b.Context(), worker.EventsTopic)
	if err != nil {
		b.Fatal(err)
	}
	defer events.Close(context.Background())
	book := platform.NewBook(&platform.BusPages{Client: client, Topic: platform.RequestsTopic}, testLogger(), prometheus.NewRegistry())
	c.Superior.Listen = "127.0.0.1:0"
	c.Superior.Peers = []superior.PeerConfig{{Name: "p", AccessCode: 1001, User: 7, Password: "secret", Edition: edition.String(), SubLink: superior.SubLink{Dial: superior.DialNever}}}
	s, err := superior.New(c.Superior, superior.Deps{Log: &gateway.BusLog{Producer: events}, Book: book, Logger: testLogger(), Registerer: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	h := jt809.Header{ID: jt809.IDLogin, Centre: 1001, Edition: edition}
	login := jt809.Login{UserID: 7, Password: "secret", CentreID: 1001, DownLinkIP: "127.0.0.1", DownLinkPort: 1}
	answered := func(send []byte) { // sends and waits for an answer: there is one at a time
		if _, err := conn.Write(send); err != nil {
			b.Error(err)
		}
		if _, err := conn.Read(make([]byte, 256)); err != nil {
			b.Error(err)
		}
	}
	answered(jt809.AppendFrame(nil, &h, jt809.Cipher{}, jt809.AppendBody(nil, edition, &login)))
	const vehicles = 1000
	second := time.Now().Add(-24 * time.Hour).Unix()
	var stream []byte
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		b.StopTimer()
		stream = stream[:0]
		n := min(b.N-sent, 100*vehicles)
		for i := range n {
			if i%vehicles == 0 {
				second += 10
			}
			v, err := ingest.NewVehicle(fmt.Sprintf("晋E%05d", i%vehicles), 2)
			if err != nil {
				b.Fatal(err)
			}
			e := ingest.Event{Kind: ingest.KindPosition, Time: second * 1000}
			e.Position.Reset()
			e.Position.Lat, e.Position.Lon, e.Position.Speed, e.Position.Located, e.Position.Status = 35_500_000, 112_800_000, 600, true, 3
			envelope := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDPosition, Data: jt809.AppendPositionData(nil, edition, &e)}
			envelope.SetVehicle(v)
			h.ID = jt809.IDExchangeUp
			stream = jt809.AppendFrame(stream, &h, jt809.Cipher{}, envelope.Append(nil, edition))
		}
		h.ID = jt809.IDHeartbeat
		stream = jt809.AppendFrame(stream, &h, jt809.Cipher{}, nil)
		b.StartTimer()
		answered(stream)
		sent += n
	}
	b.StopTimer()
	if got := s.Peers()[0].Positions; got != uint64(b.N) {
		b.Fatalf("%d positions of %d", got, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "positions/s")
	b.ReportMetric(0, "ns/op")
}
