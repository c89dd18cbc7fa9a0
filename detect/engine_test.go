package detect_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
)

func compile(t testing.TB, data *detect.ReferenceData, generation uint32) *detect.Snapshot {
	t.Helper()
	snap, err := detect.Compile(data, detect.DefaultSettings(), "", generation, 1)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func vehicleOf(t testing.TB, plate string) ingest.Vehicle {
	t.Helper()
	v, err := ingest.NewVehicle(plate, 2)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// position at second s after the beginning of 2026-05-01 in Beijing.
func position(v ingest.Vehicle, s int64, lat, lon, kmh float64) ingest.Event {
	e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: 1777564800000 + s*1000, Received: 1777564800000 + s*1000}
	e.Position.Reset()
	e.Position.Lat, e.Position.Lon = int32(math.Round(lat*1e6)), int32(math.Round(lon*1e6))
	e.Position.Speed = uint16(math.Round(kmh * 10))
	e.Position.Located, e.Position.ACC, e.Position.Status = true, true, 3
	return e
}

func square(lat, lon, half float64) orb.Polygon {
	return orb.Polygon{orb.Ring{{lon - half, lat - half}, {lon + half, lat - half}, {lon + half, lat + half}, {lon - half, lat + half}, {lon - half, lat - half}}}
}

// A fence that is taken out of the reference data while a vehicle is inside ends the violation, at the last fix inside; one
// that only moves in the list goes on; and after a restart with other data the same happens.
func TestFenceRemovedWhileInside(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	a := detect.Fence{ID: "A", Kind: detect.FenceForbidden, Geometry: square(35.5, 112.8, 0.01)}
	b := detect.Fence{ID: "B", Kind: detect.FenceForbidden, Geometry: square(35.5, 112.8, 0.02)}
	zone := detect.Fence{ID: "Z", Kind: detect.FenceSpeed, SpeedLimit: 300, Geometry: square(35.5, 112.8, 0.05)}
	both := compile(t, &detect.ReferenceData{Fences: []detect.Fence{a, b, zone}}, 1)
	onlyB := compile(t, &detect.ReferenceData{Fences: []detect.Fence{b}}, 2)

	for _, restart := range []bool{false, true} {
		e := detect.New(both)
		open := e.Process([]ingest.Event{position(v, 0, 35.5, 112.8, 40), position(v, 30, 35.5001, 112.8, 40)}, 1)
		if len(open) != 3 {
			t.Fatalf("opened %s", dump(open))
		}
		if restart {
			state, next := e.AppendState(nil, 0, math.MaxInt)
			if next != 1 {
				t.Fatal(next)
			}
			e = detect.New(onlyB)
			if err := e.LoadState(state); err != nil {
				t.Fatal(err)
			}
		} else {
			e.Use(onlyB)
		}
		closed := slices.Clone(e.Process(nil, 77))
		var got []string
		for _, c := range closed {
			got = append(got, fmt.Sprintf("%s %s %v %v v%d %d", c.Kind, *c.Fence, c.State, c.Notes, c.Version, int64(*c.End)/1000-1777564800))
		}
		slices.Sort(got)
		want := "[fence_entry A closed [fence_removed] v77 30 speeding Z closed [fence_removed] v77 30]"
		if fmt.Sprint(got) != want {
			t.Errorf("restart %v: closed %v\nwant %s", restart, got, want)
		}
		rest := e.Process([]ingest.Event{position(v, 180, 35.5, 112.85, 40), position(v, 210, 35.5, 112.855, 40)}, 100)
		if len(rest) != 1 || *rest[0].Fence != "B" || rest[0].State != detect.StateClosed || int64(*rest[0].End)/1000-1777564800 != 180 {
			t.Errorf("restart %v: then %s", restart, dump(rest))
		}
	}
}

func dump(vs []detect.Violation) string {
	b, _ := json.Marshal(vs)
	return string(b)
}

// The vehicle's record may change: the class of the next fix counts.
func TestRegisterChanges(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	as := func(c detect.Class, generation uint32) *detect.Snapshot {
		return compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: c}}}, generation)
	}
	e := detect.New(as(detect.ClassTruck, 1))
	if out := e.Process([]ingest.Event{position(v, 0, 35.5, 112.8, 90), position(v, 30, 35.5, 112.808, 90)}, 1); len(out) != 0 {
		t.Fatalf("a truck at 90: %s", dump(out))
	}
	e.Use(as(detect.ClassHazmat, 2))
	if out := e.Process([]ingest.Event{position(v, 60, 35.5, 112.816, 90), position(v, 90, 35.5, 112.824, 90)}, 3); len(out) != 1 || *out[0].Limit != 80 {
		t.Errorf("a hazmat truck at 90: %s", dump(out))
	}
}

// State of another version is refused, and so is every prefix of good state.
func TestLoadStateRefuses(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	fences := []detect.Fence{{ID: "A", Kind: detect.FenceForbidden, Geometry: square(35.5, 112.8, 0.01)}}
	data := &detect.ReferenceData{Fences: fences, Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}}
	snap := compile(t, data, 1)
	e := detect.New(snap)
	e.Process([]ingest.Event{
		{Kind: ingest.KindDriverCard, Vehicle: v, Driver: &ingest.DriverCard{On: true, License: "1", Name: "张三"}},
		position(v, 0, 35.5, 112.8, 0), position(v, 30, 35.5, 112.803, 90), position(v, 60, 35.5, 112.806, 90), position(v, 70, 36.5, 112.8, 90),
		{Kind: ingest.KindWeighing, Vehicle: v, Weighing: &ingest.Weighing{Station: "S", Record: "R"}},
	}, 1)
	state, _ := e.AppendState(nil, 0, math.MaxInt)
	for n := range state {
		if n == 10 { // version, clock and no shadows alone: no vehicles
			continue
		}
		if err := detect.New(snap).LoadState(state[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(state))
		}
	}
	if err := detect.New(snap).LoadState(append([]byte{99}, state[1:]...)); err != detect.ErrStateVersion {
		t.Errorf("another version: %v", err)
	}
	again := detect.New(snap)
	if err := again.LoadState(state); err != nil {
		t.Fatal(err)
	}
	if b, _ := again.AppendState(nil, 0, math.MaxInt); string(b) != string(state) {
		t.Error("state that was read is written differently")
	}
	if err := again.LoadState(state); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("the same vehicle twice: %v", err)
	}
}

func FuzzLoadState(f *testing.F) {
	v := vehicleOf(f, "晋E12345")
	snap := compile(f, &detect.ReferenceData{Fences: []detect.Fence{{ID: "A", Kind: detect.FenceForbidden, Geometry: square(35.5, 112.8, 0.01)}}}, 1)
	e := detect.New(snap)
	e.Process([]ingest.Event{position(v, 0, 35.5, 112.8, 40), position(v, 30, 35.5001, 112.8, 40)}, 1)
	state, _ := e.AppendState(nil, 0, math.MaxInt)
	f.Add(state)
	f.Fuzz(func(t *testing.T, b []byte) {
		e := detect.New(snap)
		if e.LoadState(b) == nil {
			// Whatever was taken must work.
			e.Process([]ingest.Event{position(v, 60, 35.5, 112.8, 40)}, 1)
			e.Finish(2, true)
		}
	})
}

// Without a change of state nothing is allocated: not for a vehicle that drives, nor for one inside of fences or over a
// limit.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	snap := compile(t, &detect.ReferenceData{
		Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}},
		Fences:   []detect.Fence{{ID: "A", Kind: detect.FenceForbidden, Geometry: square(35.5, 112.8, 0.5)}},
	}, 1)
	for name, kmh := range map[string]float64{"legal": 50, "speeding": 90} {
		e := detect.New(snap)
		s := int64(0)
		next := func() []ingest.Event {
			s += 10
			return []ingest.Event{position(v, s, 35.5, 112.8+float64(s%1000)*1e-6, kmh)}
		}
		for range 20 {
			e.Process(next(), 1)
		}
		batches := make([][]ingest.Event, 200)
		for i := range batches {
			batches[i] = next()
		}
		i := 0
		if n := testing.AllocsPerRun(100, func() { e.Process(batches[i], 1); i++ }); n != 0 {
			t.Errorf("%s: %v allocations a position", name, n)
		}
	}
}

// world is a country for benchmarks: vehicles that drive, and fences clustered like towns.
type world struct {
	events []ingest.Event // one of every vehicle; each round moves them on
	snap   *detect.Snapshot
	rng    *rand.Rand
}

func newWorld(t testing.TB, vehicles, fences int) *world {
	w := &world{rng: rand.New(rand.NewPCG(1, 2))}
	data := &detect.ReferenceData{}
	classes := []detect.Class{detect.ClassHazmat, detect.ClassHeavyTruck, detect.ClassCoachLine, detect.ClassTruck}
	for i := range vehicles {
		v := vehicleOf(t, fmt.Sprintf("晋%c%05d", 'A'+rune(i/100000), i%100000))
		data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: v, Class: classes[i%len(classes)]})
		w.events = append(w.events, position(v, 0, 30+10*w.rng.Float64(), 105+12*w.rng.Float64(), 50+45*w.rng.Float64()))
	}
	for i := range fences {
		town := orb.Point{105 + 12*w.rng.Float64(), 30 + 10*w.rng.Float64()}
		f := detect.Fence{ID: fmt.Sprint("F", i), Kind: detect.FenceForbidden, Classes: detect.ClassSet(0).With(detect.ClassHazmat)}
		if i%3 == 0 {
			f = detect.Fence{ID: f.ID, Kind: detect.FenceSpeed, SpeedLimit: 600}
		}
		n := 16
		ring := orb.Ring{}
		r := 0.002 + 0.02*w.rng.Float64()
		for k := range n {
			a := 2 * math.Pi * float64(k) / float64(n)
			ring = append(ring, orb.Point{town[0] + r*math.Cos(a), town[1] + r*math.Sin(a)*(0.7+0.3*w.rng.Float64())})
		}
		f.Geometry = orb.Polygon{append(ring, ring[0])}
		data.Fences = append(data.Fences, f)
	}
	w.snap = compile(t, data, 1)
	// Vehicles come in no order.
	w.rng.Shuffle(len(w.events), func(i, j int) { w.events[i], w.events[j] = w.events[j], w.events[i] })
	return w
}

// drive moves events on by 30 s along their own headings.
func (w *world) drive(events []ingest.Event) {
	for i := range events {
		p := &events[i].Position
		h := events[i].Vehicle.Hash()
		step := int32(float64(p.Speed) / 36 * 30 / 0.111)
		p.Lat += step * int32(h%3-1) / 2
		p.Lon += step * int32(h>>8%3-1) / 2
		p.Speed = uint16(max(0, min(1000, int32(p.Speed)+w.rng.Int32N(41)-20)))
		events[i].Time += 30000
		events[i].Received = events[i].Time
	}
}

// BenchmarkEngine is the engine with all of its rules on one core: a million vehicles, 10,000 fences, a report of each every
// 30 s, in no order. Moving the vehicles on is not counted.
func BenchmarkEngine(b *testing.B) {
	for _, size := range []struct{ vehicles, fences int }{{100_000, 1_000}, {1_000_000, 10_000}} {
		b.Run(fmt.Sprintf("vehicles=%d/fences=%d", size.vehicles, size.fences), func(b *testing.B) {
			w := newWorld(b, size.vehicles, size.fences)
			e := detect.New(w.snap)
			for range 2 {
				e.Process(w.events, 0)
				w.drive(w.events)
			}
			const batch = 4096
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			violations := 0
			for at := 0; n < b.N; at += batch {
				if at+batch > len(w.events) {
					at = 0
				}
				part := w.events[at:min(at+batch, at+b.N-n)]
				violations += len(e.Process(part, 0))
				n += len(part)
				b.StopTimer()
				w.drive(part)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "positions/s")
			b.ReportMetric(float64(violations)/float64(b.N)*1e6, "violations/Mpos")
		})
	}
}
