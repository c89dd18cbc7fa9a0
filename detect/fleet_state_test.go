package detect_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
)

// fleetState runs a fleet as a province has it through an engine with all rules, and returns the bytes of state for each vehicle: 55 % heavy
// trucks, 23 % other trucks, 16 % coaches, 6 % hazmat, four in five of these with a valid waybill. They stand, and then drive at 20 to
// 95 km/h; one in five does not. With laden set, one in four has a driver's card put in besides, before it drives, one in five is weighed
// twice on the road, one in fifty has an alarm bit that is always set.
func fleetState(t testing.TB, vehicles, fences, rounds int, laden bool) (perVehicle float64, violations int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(11, 12))
	data := &detect.ReferenceData{}
	events := make([]ingest.Event, 0, vehicles)
	speeds := make([]uint16, vehicles) // on the road; 0: stands
	var rare []ingest.Event
	for i := range vehicles {
		v := vehicleOf(t, fmt.Sprintf("晋%c%05d", 'A'+rune(i/100000), i%100000))
		rec := detect.VehicleRecord{Vehicle: v, Axles: 6, Combination: ingest.Yes, Region: "140500"}
		switch p := rng.IntN(100); {
		case p < 55:
			rec.Class = detect.ClassHeavyTruck
		case p < 70:
			rec.Class = detect.ClassTruck
		case p < 78:
			rec.Class = detect.ClassDumpTruck
		case p < 86:
			rec.Class = detect.ClassCoachLine
		case p < 91:
			rec.Class = detect.ClassCoachCharter
		case p < 94:
			rec.Class = detect.ClassCoachTour
		default:
			rec.Class = detect.ClassHazmat
			if rng.IntN(5) > 0 {
				data.Waybills = append(data.Waybills, detect.WaybillRecord{Number: fmt.Sprint("W", i), Vehicle: v, Start: firstMs - 3600_000})
			}
		}
		data.Vehicles = append(data.Vehicles, rec)
		if rng.IntN(5) > 0 {
			speeds[i] = 200 + uint16(rng.IntN(750))
		}
		e := position(v, 0, 34.5+6*rng.Float64(), 110+4*rng.Float64(), 0)
		if laden && rng.IntN(50) == 0 {
			e.Position.Alarm = 1 << 14
		}
		if rec.Class == detect.ClassHazmat {
			e.Position.Status = 3 << 8
		}
		events = append(events, e)
		if laden && rng.IntN(4) == 0 {
			at := int64(firstMs + 10_000)
			rare = append(rare, ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: at, Received: at,
				Driver: &ingest.DriverCard{On: true, License: fmt.Sprint("1405", i), Name: "甲"}})
		}
		if laden && rng.IntN(5) == 0 {
			for k := range int64(2) {
				at := firstMs + int64(rng.IntN(rounds-2))*30_000 + 10_500 + k*30_000
				rare = append(rare, ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Time: at, Received: at,
					Weighing: &ingest.Weighing{Station: "S1", Record: fmt.Sprint(i, "/", k), GrossKg: 40_000 + uint32(rng.IntN(12_000)), Method: ingest.MethodDynamic, Speed: ingest.NoSpeed}})
			}
		}
	}
	for i := range fences {
		f := detect.Fence{ID: fmt.Sprint("F", i), Kind: []detect.FenceKind{detect.FenceForbidden, detect.FenceSpeed, detect.FenceNoStop, detect.FenceRegion, detect.FenceBlind}[i%5],
			SpeedLimit: 800, Geometry: orb.Point{110 + 4*rng.Float64(), 34.5 + 6*rng.Float64()}, RadiusM: 100 + 1500*rng.Float64()}
		if f.Kind == detect.FenceForbidden {
			f.Classes = detect.ClassSet(0).With(detect.ClassHazmat)
		}
		if f.Kind != detect.FenceSpeed {
			f.SpeedLimit = 0
		}
		data.Fences = append(data.Fences, f)
	}
	snap := compile(t, data, 1)
	slices.SortStableFunc(rare, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) })
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	all := rare
	before := heap()
	e := detect.New(snap)
	for round := range rounds {
		for len(rare) > 0 && rare[0].Time < firstMs+int64(round)*30_000 { // what is weighed is on the road
			n := 1
			for n < min(len(rare), 256) && rare[n].Time < firstMs+int64(round)*30_000 {
				n++
			}
			violations += len(e.Process(rare[:n], 1))
			rare = rare[n:]
		}
		for at := 0; at < len(events); at += 256 {
			violations += len(e.Process(events[at:min(at+256, len(events))], 1))
		}
		for i := range events {
			p := &events[i].Position
			if round == 0 {
				p.Speed = speeds[i]
			}
			if p.Speed > 0 {
				step := int32(float64(p.Speed) / 36 * 30 / 0.111)
				h := events[i].Vehicle.Hash()
				p.Lat, p.Lon = p.Lat+step*int32(h%2*2-1)/2, p.Lon+step*int32(h>>8%3-1)/2
				p.Speed = uint16(max(200, min(950, int32(p.Speed)+rng.Int32N(41)-20)))
			}
			events[i].Time += 30000
			events[i].Received = events[i].Time
		}
	}
	used := heap() - before
	runtime.KeepAlive(e)
	runtime.KeepAlive(snap)
	runtime.KeepAlive(all)
	runtime.KeepAlive(events)
	runtime.KeepAlive(data)
	if e.Vehicles() != vehicles {
		t.Fatalf("%d vehicles", e.Vehicles())
	}
	return float64(used) / float64(vehicles), violations
}

// A vehicle's state stays small with all rules on. Its own record, its driving time, the table and its timer take some 175 bytes; the rest
// is what some have at a time. Drivers, weighings and alarms that are always there come on top.
func TestStateOfAFleetIsSmall(t *testing.T) {
	for _, c := range []struct {
		laden bool
		most  float64
	}{{false, 225}, {true, 285}} {
		bytes, violations := fleetState(t, 100_000, 1000, 25, c.laden)
		t.Logf("laden %v: %.0f bytes a vehicle, %d records", c.laden, bytes, violations)
		if bytes > c.most || bytes < 150 {
			t.Errorf("laden %v: %.0f bytes a vehicle, at most %.0f", c.laden, bytes, c.most)
		}
		if violations < 1000 {
			t.Errorf("%d records: the fleet does too little", violations)
		}
	}
}

// BenchmarkState measures the memory of a million vehicles with all rules on and 10,000 fences, after 20 minutes on the road.
func BenchmarkState(b *testing.B) {
	for _, laden := range []bool{false, true} {
		b.Run(fmt.Sprintf("laden=%v", laden), func(b *testing.B) {
			for b.Loop() {
				bytes, violations := fleetState(b, 1_000_000, 10_000, 40, laden)
				b.ReportMetric(bytes, "B/vehicle")
				b.ReportMetric(float64(violations), "records")
			}
		})
	}
}
