package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/bus"
	"lushao/internal/sim"
)

// arriving puts a fleet's events into an order of arrival as networks and blind areas make it: some vehicles store an hour or two and
// send it later, some reports overtake others, some come twice.
func arriving(rng *rand.Rand, events []ingest.Event) []ingest.Event {
	type hole struct{ from, to, until int64 }
	holes := map[ingest.Vehicle]hole{}
	var out []ingest.Event
	first, last := events[0].Time, events[len(events)-1].Time
	for _, e := range events {
		h, ok := holes[e.Vehicle]
		if !ok {
			if rng.IntN(2) == 0 {
				h.from = first + rng.Int64N(last-first)
				h.to = h.from + rng.Int64N(2*3600_000)
				h.until = h.to + rng.Int64N(1800_000)
			}
			holes[e.Vehicle] = h
		}
		e.Received = e.Time + 1000
		if h.from <= e.Time && e.Time <= h.to {
			e.Received = h.until
		}
		if rng.IntN(500) == 0 {
			e.Received += rng.Int64N(120_000)
		}
		out = append(out, e)
		if rng.IntN(500) == 0 {
			e.Received += rng.Int64N(600_000)
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b ingest.Event) int { return cmp.Compare(a.Received, b.Received) })
	return out
}

// Half of a fleet reports hours late, in bunches, twice and out of order. What stands in ClickHouse when the vehicles have been judged
// again is what a replay of the same events finds, to the last field but for the note that data came late; meanwhile wrong
// records have been added, amended and retracted.
func TestLateDataCorrectTheRecord(t *testing.T) {
	dir := t.TempDir()
	c := testConfig(dir)
	c.Recheck.Quiet, c.Recheck.Longest = 300*time.Millisecond, 5*time.Second
	fleet := testFleet(t, 80, 2*time.Hour)
	fleet.Violations = sim.Mix{detect.KindSpeeding: 1, detect.KindFenceEntry: 1, detect.KindOverload: 0.5}
	writeFleetReference(t, c.Reference.Dir, fleet)
	var sent bytes.Buffer
	fleet.Gateway, fleet.WeighURL, fleet.Events, fleet.Logger = "", "", &sent, testLogger()
	s, err := sim.New(fleet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, err := readEvents(&sent, "-", nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(events, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) })
	events = arriving(rand.New(rand.NewPCG(3, 4)), events)
	if len(events) < 10_000 {
		t.Fatalf("the fleet reported %d events only", len(events))
	}

	a, stop := startApp(t, c)
	ctx := t.Context()
	producer, err := a.bus.NewProducer(ctx, worker.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	write := func(events []ingest.Event) {
		t.Helper()
		var ack bus.Ack
		for i := range events {
			e := &events[i]
			if err := producer.Append(ctx, e.Vehicle.Partition(producer.Partitions()), ingest.AppendEvent(nil, e), &ack); err != nil {
				t.Fatal(err)
			}
		}
		if err := ack.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	caught := func() {
		t.Helper()
		// The requests come before the corrections, and these before they are stored.
		for range 2 {
			caughtUpGroups(t, a.cfg.Bus.Brokers, "", [2]string{worker.Group, worker.EventsTopic}, [2]string{"archive", worker.EventsTopic},
				[2]string{"recheck", worker.RechecksTopic}, [2]string{"violations-sink", worker.ViolationsTopic}, [2]string{"visits-sink", worker.VisitsTopic})
		}
	}
	// In parts, so that what was found too early is in the record when the rest comes.
	for len(events) > 0 {
		n := min(len(events), 5000)
		write(events[:n])
		last := events[n-1].Received
		if events = events[n:]; len(events) > 0 {
			continue
		}
		caught()
		// Half an hour later the clock of every partition has passed what is decided by it, and vehicles are judged again.
		var ticks []ingest.Event
		for p, plate := 0, 0; p < producer.Partitions(); plate++ {
			v, err := ingest.NewVehicle(fmt.Sprintf("晋F%05d", plate), 2)
			if err != nil {
				t.Fatal(err)
			}
			if v.Partition(producer.Partitions()) != p {
				continue
			}
			p++
			e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: last + 3*3600_000, Received: last + 3*3600_000, Source: ingest.SourceJT808}
			e.Position = ingest.Position{Lat: 35_500_000, Lon: 112_850_000, Located: true, ACC: true, Speed: 0, RecorderSpeed: ingest.NoSpeed, Course: ingest.NoCourse,
				Altitude: ingest.NoAltitude, Mileage: ingest.NoMileage, Fuel: ingest.NoFuel, Satellites: ingest.NoSatellites}
			ticks = append(ticks, e)
		}
		write(ticks)
	}
	caught()
	if err := producer.Close(ctx); err != nil {
		t.Fatal(err)
	}

	normal := func(vs []detect.Violation) (out []string) {
		for i := range vs {
			v := vs[i]
			if v.State == detect.StateOpen { // its record is that of when it was written last
				v = detect.Violation{ID: v.ID, State: v.State, Kind: v.Kind, Plate: v.Plate, Color: v.Color, Start: v.Start}
			}
			v.Notes = slices.DeleteFunc(slices.Clone(v.Notes), func(n string) bool { return n == "late_data" })
			out = append(out, wholeRecordsOf(t, []detect.Violation{v})...)
		}
		return out
	}
	found := allViolations(t, "http://"+a.http.Addr().String())
	late, retracted := 0, 0
	for i := range found {
		if slices.Contains(found[i].Notes, "late_data") {
			late++
		}
	}
	page, err := a.store.ListViolations(ctx, store.ViolationFilter{States: []detect.State{detect.StateRetracted}, Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Violations {
		if slices.Contains(page.Violations[i].Notes, "late_data") {
			retracted++
		}
	}
	t.Logf("%d violations, %d of them added or amended; %d retracted", len(found), late, retracted)
	if late < 5 || retracted < 5 {
		t.Errorf("only %d corrections and %d retractions: the test proves little", late, retracted)
	}
	dump := dumpEvents(t, a)
	stop()
	var replayed bytes.Buffer
	if err := replay(nil, &replayed, io.Discard, replayOptions{dir: c.Reference.Dir}, []string{dump}); err != nil {
		t.Fatal(err)
	}
	sameSets(t, "record", normal(found), normal(violationsOf(t, replayed.Bytes())))
}
