package main

import (
	"testing"
	"time"

	"lushao/internal/sim"
)

// BenchmarkPipeline is the way of a position through everything in one process: from the fleet's sockets over the log, the
// detector and the archive into ClickHouse. An operation is one position, from the first byte sent to the last row stored;
// the fleet that sends them is in the same process and counted too.
func BenchmarkPipeline(b *testing.B) {
	dir := b.TempDir()
	c := testConfig(dir)
	c.Embedded.Log.SyncWrites = false
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
