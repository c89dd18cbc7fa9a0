package recheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/ingest"
)

// fleet makes vehicles with a run of speeding each, to which something came late, and what asks for them.
func fleet(t *testing.T, b *bench, n int) (vehicles []ingest.Vehicle, asked []any) {
	for i := range n {
		v := vehicle(t, fmt.Sprintf("晋E%05d", n-i)) // in no order of plates
		vehicles = append(vehicles, v)
		b.archive.events = append(b.archive.events, drive(v, 0, 70, 90, 91, 70, 60)...)
		asked = append(asked, late(v, 30, 60, int64(i+1)))
	}
	return vehicles, asked
}

func fleetData(t *testing.T, n int) *detect.ReferenceData {
	var all []ingest.Vehicle
	for i := range n {
		all = append(all, vehicle(t, fmt.Sprintf("晋E%05d", i+1)))
	}
	return hazmat(all...)
}

// corrected lists the plates in corrections that were written since the last call.
func (b *bench) corrected() (out []string) {
	for _, m := range b.log.written[worker.ViolationsTopic] {
		_, plate, _ := strings.Cut(string(m.Value), `"plate":"`)
		plate, _, _ = strings.Cut(plate, `"`)
		out = append(out, plate)
	}
	b.log.written[worker.ViolationsTopic] = nil
	slices.Sort(out)
	return out
}

// All that wait are read at once; what doesn't fit is read next, and nobody twice.
func TestBatches(t *testing.T) {
	const n = 100
	for _, c := range []struct {
		batch, room int
		want        string
	}{{256, 0, "[32 64 4]"}, {50, 0, "[32 50 18]"}, {1, 0, "[1 1"}, {256, 10, "[32 10 20 10 20"}} {
		b := newBench(t, fleetData(t, n), func(cfg *Config, _ *detect.Settings) { cfg.Batch, cfg.Workers = c.batch, 3 })
		b.log.archived, b.archive.room = 1000, c.room
		vehicles, asked := fleet(t, b, n)
		b.ask(asked...)
		if b.after(2 * time.Second); len(b.archive.batches) > 0 {
			t.Fatal("judged before it was quiet")
		}
		b.after(time.Second)
		var want []string
		for _, v := range vehicles {
			want = append(want, v.Plate())
		}
		slices.Sort(want)
		same(t, "corrected", b.corrected(), want)
		if got := fmt.Sprint(b.archive.batches); !strings.HasPrefix(got, c.want) {
			t.Errorf("batches of %d, room for %d: %s, want %s", c.batch, c.room, got, c.want)
		}
		if len(b.committed) == 0 || b.committed[len(b.committed)-1] != n || !slices.IsSorted(b.committed) {
			t.Errorf("committed %v", b.committed)
		}
		if testutil.ToFloat64(b.metrics.waiting) != 0 || testutil.ToFloat64(b.metrics.judged.WithLabelValues("corrected")) != n || b.oldest() != 0 {
			t.Error("the metrics say otherwise")
		}
		if len(b.order) > 0 {
			t.Errorf("%v are still in the queue", b.order)
		}
	}
}

// A vehicle that can't be read holds up itself and the commit, and no other.
func TestOneThatCannotBeReadIsFoundInABatch(t *testing.T) {
	const n = 40
	b := newBench(t, fleetData(t, n), nil)
	b.log.archived = 1000
	vehicles, asked := fleet(t, b, n)
	b.archive.damaged = vehicles[17]
	b.ask(asked...)
	b.after(3 * time.Second)
	b.after(time.Second)
	if got := b.corrected(); len(got) != n-1 || slices.Contains(got, vehicles[17].Plate()) {
		t.Errorf("%d were corrected", len(got))
	}
	if last := b.committed[len(b.committed)-1]; last != 17 {
		t.Errorf("committed %v", b.committed)
	}
	if got := b.oldest(); got != 4 {
		t.Errorf("the oldest waits for %v s", got)
	}
	b.archive.damaged = ingest.Vehicle{}
	b.archive.batches = nil
	w := late(vehicles[3], 30, 60, 100) // it is not tried together with others
	b.ask(w)
	b.after(time.Minute)
	same(t, "corrected", b.corrected(), []string{vehicles[17].Plate(), vehicles[3].Plate()})
	same(t, "batches", []string{fmt.Sprint(b.archive.batches)}, []string{"[1 1]"})
	if last := b.committed[len(b.committed)-1]; last != n+1 {
		t.Errorf("committed %v", b.committed)
	}
}

// While ClickHouse is away one vehicle is tried at a time; when it is back, all go on at once.
func TestAnOutageOfTheArchive(t *testing.T) {
	const n = 100
	b := newBench(t, fleetData(t, n), nil)
	b.log.archived = 1000
	_, asked := fleet(t, b, n)
	b.ask(asked...)
	b.archive.err = errors.New("ClickHouse is away")
	b.after(3 * time.Second)
	same(t, "batches", []string{fmt.Sprint(b.archive.batches)}, []string{"[32 16 8 4 2 1]"})
	b.archive.batches = nil
	b.after(500 * time.Millisecond)
	same(t, "batches", []string{fmt.Sprint(b.archive.batches)}, []string{"[1]"})
	if len(b.committed) > 0 {
		t.Fatalf("committed %v", b.committed)
	}
	b.archive.err, b.archive.batches = nil, nil
	b.after(500 * time.Millisecond)
	same(t, "batches", []string{fmt.Sprint(b.archive.batches)}, []string{"[1 2 4 8 16 32 35]"})
	b.after(time.Minute)
	if got := b.corrected(); len(got) != n || b.committed[len(b.committed)-1] != n {
		t.Errorf("%d corrected, committed %v", len(got), b.committed)
	}
}

// A batch whose time is up lets others go first, and is tried by halves.
func TestAnArchiveThatHangs(t *testing.T) {
	const n = 10
	b := newBench(t, fleetData(t, n), nil)
	b.log.archived, b.archive.hangs, b.cfg.Timeout = 1000, true, time.Millisecond
	_, asked := fleet(t, b, n)
	b.ask(asked...)
	b.after(3 * time.Second)
	for range 4 {
		b.after(0)
	}
	same(t, "batches", []string{fmt.Sprint(b.archive.batches)}, []string{"[10 5 2 1 1]"})
	if len(b.committed) > 0 || len(b.turn) > 0 || testutil.ToFloat64(b.metrics.judged.WithLabelValues("failed")) != 2 {
		t.Errorf("committed %v, turn taken: %d", b.committed, len(b.turn))
	}
	b.archive.hangs, b.cfg.Timeout = false, time.Minute
	b.after(time.Minute)
	if got := b.corrected(); len(got) != n || b.committed[len(b.committed)-1] != n {
		t.Errorf("%d corrected, committed %v", len(got), b.committed)
	}
}

// What is asked for while others are worked off waits behind them, and counts once.
func TestAskedAgainMeanwhile(t *testing.T) {
	b := newBench(t, fleetData(t, 3), func(cfg *Config, _ *detect.Settings) { cfg.Batch = 1 })
	b.log.archived = 1000
	vehicles, asked := fleet(t, b, 3)
	b.ask(asked...)
	batches := 0
	b.queue.snapshots = snapshotFunc(func() *detect.Snapshot {
		if batches++; batches == 1 { // the first takes long
			b.clock = b.clock.Add(pass + time.Second)
		}
		return b.snapshot.snap
	})
	b.after(3 * time.Second) // a pass ends, and the topic is read
	if len(b.archive.asked) != 1 {
		t.Fatalf("%d judged in a pass", len(b.archive.asked))
	}
	b.ask(late(vehicles[0], 30, 60, 20), late(vehicles[2], 0, 60, 21))
	b.after(time.Minute)
	var order []string
	for _, f := range b.archive.asked {
		order = append(order, fmt.Sprint(slices.Index(vehicles, f.Vehicle), " ", f.Before.Offset))
	}
	same(t, "judged", order, []string{"0 1", "1 2", "2 21", "0 20"})
}

type snapshotFunc func() *detect.Snapshot

func (f snapshotFunc) Current() *detect.Snapshot { return f() }

// Drivers with too many vehicles for a batch are judged with fewer others each, and a single one with as many as fit.
func TestTooManyOthers(t *testing.T) {
	const n = 8
	data := fleetData(t, n)
	b := newBench(t, data, nil)
	b.log.archived = 1000
	_, asked := fleet(t, b, n)
	for i := range 30 {
		v := vehicle(t, fmt.Sprintf("晋E%05d", i+1))
		b.archive.events = append(b.archive.events, ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: base, Received: base,
			Driver: &ingest.DriverCard{On: true, License: "D1", Name: "甲"}})
	}
	b.archive.mostOthers = 20 // of 29
	b.ask(asked...)
	b.after(3 * time.Second)
	if got := b.corrected(); len(got) != n {
		t.Errorf("corrected %v", got)
	}
	if got := testutil.ToFloat64(b.metrics.shortened); got != n {
		t.Errorf("%v were shortened", got)
	}
}

// Whatever is judged together, with those who decide on it, the outcome is that of each alone.
func TestBatchesFindWhatEachAloneFinds(t *testing.T) {
	const n = 24
	data := &detect.ReferenceData{Fences: []detect.Fence{{ID: "F1", Kind: detect.FenceNoStop, Geometry: orb.Point{112.826, 35.5}, RadiusM: 9000}}}
	for _, id := range []string{"S1", "S2"} { // the first is at fault
		data.Stations = append(data.Stations, detect.Station{ID: id, Lat: 35_900_000, Lon: 112_800_000, TolerancePct: -1, SizeToleranceMm: -1})
	}
	var events []ingest.Event
	var asked []any
	for i := range n {
		v := vehicle(t, fmt.Sprintf("晋E%05d", i+1))
		class := detect.ClassHeavyTruck
		if i%4 == 0 {
			class = detect.ClassCoachLine
		}
		data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: v, Class: class, Axles: 6, Combination: ingest.Yes})
		track := drive(v, int64(i), 0, 101+float64(i%3), 110, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60)
		for j := range track {
			p := &track[j].Position
			p.Lat += int32(i/11) * 12_000 // some stand where others do, and some with few
			if j > 3 {
				p.Lon = track[3].Position.Lon + int32(j/18)*6000
			}
		}
		events = append(events, track...)
		if i%4 == 0 {
			events = append(events, ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: base, Received: base, Driver: &ingest.DriverCard{On: true, License: fmt.Sprint("D", i/8), Name: "甲"}})
		}
		if i%5 < 2 {
			events = append(events, ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Time: base + 60_000, Received: base + 60_000,
				Weighing: &ingest.Weighing{Station: []string{"S1", "S2"}[i/20], Record: fmt.Sprint(i), GrossKg: 61_000, Method: ingest.MethodDynamic, Speed: ingest.NoSpeed}})
		}
		r := late(v, 30, 60, int64(i+1))
		r.Wide, r.Clock = i%7 > 0, base+2*hour
		asked = append(asked, r)
	}
	run := func(batch, workers int) (out []string) {
		b := newBench(t, data, func(cfg *Config, set *detect.Settings) {
			cfg.Batch, cfg.Workers = batch, workers
			set.FatigueDaily.LimitS = 60
		})
		b.log.archived = 1000
		b.archive.events = events
		// Something stands already: some of it as it is found again, some otherwise, and what is not found again.
		found, _ := detect.Replay(b.snapshot.snap, slices.Clone(events), false)
		for i, o := range found {
			switch i % 4 {
			case 0:
				o.Fixes++
			case 1:
				o.ID = "gone-" + o.ID
			case 2:
				continue
			}
			b.archive.record[o.ID] = o
		}
		b.ask(asked...)
		b.after(3 * time.Second)
		for topic, messages := range b.log.written {
			for _, m := range messages {
				out = append(out, fmt.Sprintf("%s %s %s", topic, m.Key, m.Value))
			}
		}
		slices.Sort(out)
		return out
	}
	alone := run(1, 1)
	for _, kind := range []string{"fence_stop", "position_conflict", "speeding", "overload", "fatigue_daily", "retracted", worker.DrivingTopic + " ", worker.RechecksTopic + " "} {
		if !slices.ContainsFunc(alone, func(s string) bool { return strings.Contains(s, kind) }) {
			t.Errorf("no %s among %d records: the test proves little", kind, len(alone))
		}
	}
	for _, batch := range []int{2, 7, 256} {
		same(t, fmt.Sprint("batches of ", batch), run(batch, 4), alone)
	}
}

// It rests for as long as the share says, and an end does not wait for that.
func TestRests(t *testing.T) {
	for _, share := range []float64{0, 1} {
		b := newBench(t, fleetData(t, 1), func(cfg *Config, _ *detect.Settings) { cfg.Share = share })
		b.rest(t.Context(), 24*time.Hour) // never
	}
	b := newBench(t, fleetData(t, 1), func(cfg *Config, _ *detect.Settings) { cfg.Share = 0.25 })
	begun := time.Now()
	if b.rest(t.Context(), 5*time.Millisecond); time.Since(begun) < 15*time.Millisecond {
		t.Errorf("it rested for %v", time.Since(begun))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	b.rest(ended, 24*time.Hour)

	// The time of a batch counts, and the turn is given back after it.
	b.log.archived = 1000
	_, asked := fleet(t, b, 1)
	b.ask(asked...)
	b.clock = b.clock.Add(3 * time.Second)
	b.queue.snapshots = snapshotFunc(func() *detect.Snapshot { b.clock = b.clock.Add(5 * time.Millisecond); return b.snapshot.snap })
	begun = time.Now()
	if err := b.work(t.Context()); err != nil || time.Since(begun) < 15*time.Millisecond || len(b.turn) > 0 || len(b.corrected()) != 1 {
		t.Errorf("%v after %v, turn taken: %d", err, time.Since(begun), len(b.turn))
	}
}
