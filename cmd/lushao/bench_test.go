package main

import (
	"fmt"
	"testing"
	"time"

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
