package main

import (
	"bytes"
	"testing"
	"time"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/internal/sim"
)

// A fleet whose terminals misbehave in every way that leaves the truth exact drives into everything in one process: the violations
// found are those that were driven, and every acknowledged position is stored.
func TestMisbehavingFleet(t *testing.T) {
	dir := t.TempDir()
	c := testConfig(dir)
	c.Recheck.Quiet, c.Recheck.Longest = 300*time.Millisecond, 5*time.Second
	fleet := testFleet(t, 40, 90*time.Minute)
	writeFleetReference(t, c.Reference.Dir, fleet)
	a, stop := startApp(t, c)
	base := "http://" + a.http.Addr().String()

	var truth bytes.Buffer
	acked := newAckSet()
	fleet.Gateway, fleet.WeighURL, fleet.WeighToken = a.gateway.Addr().String(), base+"/v1/weighings", weighToken(t, dir)
	fleet.Truth, fleet.OnAck, fleet.Logger = &truth, acked.add, testLogger()
	fleet.BackoffMin, fleet.BackoffMax, fleet.FaultPause = 5*time.Millisecond, 100*time.Millisecond, 5*time.Millisecond
	fleet.Faults = sim.Faults{sim.FaultHalf: 0.01, sim.FaultChecksum: 0.05, sim.FaultOversize: 0.02, sim.FaultGarbage: 0.05, sim.FaultDuplicate: 0.05,
		sim.FaultClock: 0.02, sim.FaultParts: 0.05, sim.FaultExtras: 0.05, sim.FaultTwo: 0.003, sim.FaultSlow: 0.002, sim.FaultUnauthenticated: 0.5,
		sim.FaultStorm: 0.2, sim.FaultRelay: 0.3}
	s, err := sim.New(fleet)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Positions.Acknowledged != r.Positions.Sent || r.Positions.Sent == 0 || r.Unfinished != 0 {
		t.Fatalf("the fleet reports %+v", r)
	}
	for f := range fleet.Faults {
		if r.Faults[f] == 0 {
			t.Errorf("no %s: the test would prove nothing of it", f)
		}
	}
	for k, n := range r.Violations {
		if n == 0 {
			t.Errorf("the fleet drove no %s: the test would prove nothing of it", k)
		}
	}
	for range 2 { // who reported late is judged again, which must find the same
		caughtUpGroups(t, a.cfg.Bus.Brokers, "", [2]string{worker.Group, worker.EventsTopic}, [2]string{"archive", worker.EventsTopic},
			[2]string{"recheck", worker.RechecksTopic}, [2]string{"violations-sink", worker.ViolationsTopic})
	}
	if scrape(t, base+"/metrics")["lushao_recheck_vehicles_total"] == 0 {
		t.Error("nobody was judged again: the test would prove nothing of it")
	}
	found := allViolations(t, base)
	var got []string
	for i := range found {
		got = append(got, keyOf(&found[i]))
	}
	sameSets(t, "violations in ClickHouse", got, truthKeys(t, truth.Bytes()))
	// A position is there twice where it also came with broken additional items: then it was reported in two ways.
	for v, times := range acked.set {
		have := map[int64]bool{}
		track := store.TrackFilter{Vehicle: v, From: fleet.Start.UnixMilli(), To: fleet.Start.Add(fleet.Duration + time.Hour).UnixMilli(), Limit: 5000}
		page, err := a.store.Track(t.Context(), track)
		if err != nil || page.Next != "" {
			t.Fatalf("track of %s: %v, more %q", v, err, page.Next)
		}
		for i := range page.Positions {
			have[page.Positions[i].Event.Time] = true
		}
		for at := range times {
			if !have[at] {
				t.Errorf("%s: the acknowledged position of %s is not in the record", v, detect.Time(at).Std())
			}
		}
	}
	stop()
}
