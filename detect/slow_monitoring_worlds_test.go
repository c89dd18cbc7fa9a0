package detect_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// randomWatch is a country with tunnels and weigh stations, and what its vehicles and stations report, in order of arrival.
func randomWatch(t *testing.T, rng *rand.Rand) (data *detect.ReferenceData, blind []*geo.Shape, events []ingest.Event) {
	t.Helper()
	data = &detect.ReferenceData{}
	near := func(spread float64) (lat, lon float64) {
		return 35.5 + (rng.Float64()-0.5)*spread, 112.8 + (rng.Float64()-0.5)*spread
	}
	for i := range rng.IntN(4) {
		f := detect.Fence{ID: fmt.Sprint("F", i), Kind: detect.FenceBlind}
		lat, lon := near(0.4)
		f.Geometry = square(lat, lon, 0.005+rng.Float64()*0.05)
		switch rng.IntN(4) {
		case 0:
			f.Kind = detect.FenceRegion
		case 1:
			f.Classes = detect.ClassSet(0).With(detect.ClassHazmat)
		case 2:
			f.Schedule = []detect.Window{{Days: 127, From: uint16(rng.IntN(200)), To: uint16(rng.IntN(400))}}
		}
		shape, err := geo.Compile(f.Geometry, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		data.Fences, blind = append(data.Fences, f), append(blind, shape)
	}
	for i := range 2 {
		s := detect.Station{ID: fmt.Sprint("S", i), TolerancePct: -1, SizeToleranceMm: -1}
		if rng.IntN(3) > 0 {
			lat, lon := near(0.2)
			if rng.IntN(3) == 0 {
				lat += 0.5 // the register is wrong
			}
			s.Lat, s.Lon = int32(lat*1e6), int32(lon*1e6)
		}
		data.Stations = append(data.Stations, s)
	}
	classes := []detect.Class{detect.ClassHazmat, detect.ClassHeavyTruck, detect.ClassDumpTruck, detect.ClassCoachLine, detect.ClassTruck}
	for i := range 1 + rng.IntN(7) {
		v := vehicleOf(t, fmt.Sprint("晋E1234", i))
		if rng.IntN(8) > 0 {
			data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: v, Class: classes[rng.IntN(len(classes))]})
		}
		lat, lon := near(0.2)
		events = append(events, watchedTrack(rng, v, lat, lon)...)
	}
	slices.SortStableFunc(events, func(a, b ingest.Event) int { return cmp.Compare(a.Received, b.Received) })
	return data, blind, events
}

// watchedTrack is a vehicle that falls silent, stands still on the map, reports late, and is weighed here or elsewhere.
func watchedTrack(rng *rand.Rand, v ingest.Vehicle, lat, lon float64) (out []ingest.Event) {
	steps := []int64{30, 30, 60, 60, 120, 299, 300, 301}
	silences := []int64{599, 600, 601, 900, 1799, 1800, 1801, 2400, 3600}
	steady := steps[rng.IntN(len(steps))]
	s := int64(rng.IntN(3600))
	heading, kmh := rng.Float64()*360, 20+rng.Float64()*60
	mileage, counts := 1000.0, rng.IntN(3) > 0
	standing, frozen, quiet := 0, 0, 0
	stored := int64(0) // until then reports are stored
	record := 0
	weigh := func() {
		w := &ingest.Weighing{Station: fmt.Sprint("S", rng.IntN(2)), Record: fmt.Sprint(v.Plate(), record), Speed: ingest.NoSpeed}
		if rng.IntN(6) > 0 {
			record++
		}
		if rng.IntN(2) == 0 { // where the record says, unless the register does
			w.Lat, w.Lon = int32(lat*1e6), int32(lon*1e6)
			switch rng.IntN(4) {
			case 0:
				w.Lat += 45000 // 5 km
			case 1:
				w.Lat += int32(rng.IntN(400000))
			}
		}
		e := ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Weighing: w}
		e.Time = firstMs + (s+int64(rng.IntN(3)-1)*int64(rng.IntN(700)))*1000
		if e.Received = e.Time + int64(rng.IntN(30))*1000; rng.IntN(10) == 0 {
			e.Received = e.Time + int64(rng.IntN(9000)-1000)*1000
		}
		out = append(out, e)
	}
	if rng.IntN(6) == 0 { // no terminal
		for range 1 + rng.IntN(4) {
			s += int64(rng.IntN(3000))
			weigh()
		}
		return out
	}
	for range 30 + rng.IntN(80) {
		dt := steady
		if rng.IntN(10) == 0 {
			dt = steps[rng.IntN(len(steps))]
		}
		silent := rng.IntN(12) == 0
		if silent {
			dt = silences[rng.IntN(len(silences))]
		}
		if rng.IntN(12) == 0 {
			weigh()
		}
		s += dt
		switch {
		case standing > 0:
			standing--
			kmh = rng.Float64() * 5.2
		case rng.IntN(15) == 0:
			standing, kmh = 1+rng.IntN(6), 0
		case rng.IntN(2) == 0:
			kmh = 10 + rng.Float64()*80
		}
		if kmh < 5 && standing == 0 {
			kmh = 15 + rng.Float64()*60
		}
		way := kmh / 3.6 * float64(dt)
		if silent {
			switch rng.IntN(3) {
			case 0:
				way = rng.Float64() * 2000
			case 1:
				way = 18000 + rng.Float64()*4000
			}
			if frozen == 0 && rng.IntN(5) == 0 {
				frozen = 3 + rng.IntN(12)
			}
		}
		if rng.IntN(25) == 0 {
			frozen = 3 + rng.IntN(12)
		}
		if way = min(way, 40*float64(dt)); frozen > 0 {
			frozen--
			lat, lon = lat+float64(rng.IntN(5)-2)*4e-6*float64(rng.IntN(2)), lon+float64(rng.IntN(5)-2)*4e-6*float64(rng.IntN(2))
		} else {
			heading += rng.Float64()*40 - 20
			lat, lon = shift(lat, lon, way, heading)
			if math.Abs(lat-35.5)+math.Abs(lon-112.8) > 0.5 {
				heading = math.Atan2(112.8-lon, 35.5-lat) * 180 / math.Pi
			}
		}
		if rng.IntN(4) > 0 {
			mileage += way / 100
		}
		shown := kmh
		if standing > 0 && rng.IntN(15) == 0 {
			shown = 30 // a lone moving fix
		}
		e := position(v, s, lat, lon, shown)
		if counts {
			e.Position.Mileage = uint32(mileage)
		}
		switch e.Received = e.Time + int64(rng.IntN(20))*1000; {
		case s < stored:
			e.Received = firstMs + stored*1000
		case rng.IntN(30) == 0:
			stored = s + int64(rng.IntN(4000))
			e.Received = firstMs + stored*1000
		}
		if quiet > 0 { // no satellites
			quiet--
			e.Position.Located = false
		}
		switch rng.IntN(60) {
		case 0:
			e.Position.Speed = ingest.NoSpeed
		case 1:
			e.Position.Lat += 900000
		case 2:
			quiet = 1 + rng.IntN(8)
		case 3:
			e.Received = e.Time - 301_000
		case 4:
			lat += 0.5 // carried away
		case 5:
			e.Position.Mileage = 1
		case 6:
			again := e
			again.Received += 400_000
			again.Position.Located = rng.IntN(2) == 0
			out = append(out, again)
		}
		out = append(out, e)
	}
	return out
}

var watchKinds = []detect.Kind{detect.KindGoneDark, detect.KindOfflineDisplacement, detect.KindFrozenPosition, detect.KindUnmonitoredRunning, detect.KindPositionConflict}

// silencesOf makes what the slow reading compares of the violations that the engine found.
func silencesOf(t *testing.T, found []detect.Violation) (out []slowSilence) {
	t.Helper()
	for i := range found {
		f := &found[i]
		if !slices.Contains(watchKinds, f.Kind) {
			continue
		}
		v, err := ingest.NewVehicle(f.Plate, f.Color)
		if err != nil {
			t.Fatal(err)
		}
		o := slowSilence{vehicle: v, kind: string(f.Kind), start: int64(f.Start) / 1000, end: -1, measured: "-", fixes: int(f.Fixes), metres: float64(f.DistanceM)}
		if f.End != nil {
			o.end = int64(*f.End) / 1000
		}
		if f.Measured != nil {
			o.measured = fmt.Sprintf("%.1f", *f.Measured)
		}
		if f.Station != nil {
			o.subject = *f.Station + " " + f.Detail["record"].(string)
		}
		o.atEnd = slices.Contains(f.Notes, "end_of_data")
		if o.atEnd && f.Kind == detect.KindGoneDark {
			if o.end != o.start {
				t.Errorf("ends %d and starts %d", o.end, o.start)
			}
			o.end = -1
		}
		out = append(out, o)
	}
	return out
}

func differences[T fmt.Stringer](got, want []T) string {
	var g, s, diff []string
	for _, o := range got {
		g = append(g, o.String())
	}
	for _, o := range want {
		s = append(s, o.String())
	}
	for _, l := range g {
		if !slices.Contains(s, l) {
			diff = append(diff, "engine: "+l)
		}
	}
	for _, l := range s {
		if !slices.Contains(g, l) {
			diff = append(diff, "slow:   "+l)
		}
	}
	if len(g) != len(s) {
		diff = append(diff, fmt.Sprintf("%d and %d", len(g), len(s)))
	}
	slices.Sort(diff)
	return strings.Join(diff, "\n")
}

func TestMonitoringAgreesWithASlowReading(t *testing.T) {
	worlds := many(2000, 400)
	seen := map[string]int{}
	for n := range worlds {
		rng := rand.New(rand.NewPCG(uint64(n), 63))
		data, blind, events := randomWatch(t, rng)
		want, faults := newSlowWatch(data, blind, events).read()
		snap := compile(t, data, 1)
		found, stats := detect.Replay(snap, slices.Clone(events), true)
		got := silencesOf(t, found)
		for _, o := range got {
			seen[o.kind]++
		}
		if d := differences(got, want); d != "" {
			t.Fatalf("world %d:\n%s", n, d)
		}
		if len(faults)+len(stats.StationFaults) > 0 && !maps.Equal(faults, stats.StationFaults) {
			t.Fatalf("world %d: stations at fault %v, the slow reading finds %v", n, stats.StationFaults, faults)
		}
		seen["faults"] += len(faults)
		if n%100 == 0 {
			restarted, _ := viaCheckpoints(t, snap, slices.Clone(events), true)
			if a, b := asJSON(t, found), asJSON(t, restarted); !bytes.Equal(a, b) {
				t.Fatalf("world %d: with a checkpoint after every event:\n%s\nwithout:\n%s", n, b, a)
			}
		}
	}
	t.Logf("%d worlds: %v", worlds, seen)
	for _, k := range append([]string{"faults"}, kindNames(watchKinds)...) {
		if seen[k] < worlds/20 {
			t.Errorf("the worlds made only %d of %s: they prove little", seen[k], k)
		}
	}
}

func kindNames(kinds []detect.Kind) (out []string) {
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return out
}

// inTime leaves out what comes late: positions older than one of the vehicle that came before, and weighings older than its positions
// or weighings.
func inTime(events []ingest.Event) (out []ingest.Event) {
	heard, weighed := map[ingest.Vehicle]int64{}, map[ingest.Vehicle]int64{}
	for _, e := range events {
		switch {
		case e.Kind == ingest.KindPosition && e.Time > e.Received+300_000: // in no one's way
		case e.Time < heard[e.Vehicle], e.Kind == ingest.KindWeighing && e.Time < weighed[e.Vehicle]:
			continue
		case e.Kind == ingest.KindWeighing:
			weighed[e.Vehicle] = e.Time
		default:
			heard[e.Vehicle] = e.Time
		}
		out = append(out, e)
	}
	return out
}

// An engine with a running clock, which is fed in order of arrival, ends with what Replay finds, though it opened and retracted on the
// way: also where it is restarted from checkpoints.
func TestRunningClockEndsAsReplayDoes(t *testing.T) {
	worlds := many(1500, 400)
	seen := map[string]int{}
	for n := range worlds {
		rng := rand.New(rand.NewPCG(uint64(n), 64))
		data, _, events := randomWatch(t, rng)
		events = inTime(events)
		close := n%2 == 0
		snap := compile(t, data, 1)
		want, _ := detect.Replay(snap, slices.Clone(events), close)
		want = slices.DeleteFunc(want, func(v detect.Violation) bool { return !slices.Contains(watchKinds, v.Kind) })

		e := detect.New(snap)
		latest := map[string]detect.Violation{}
		version := uint64(1)
		keep := func(vs []detect.Violation) {
			for _, v := range vs {
				if !slices.Contains(watchKinds, v.Kind) {
					continue
				}
				before, known := latest[v.ID]
				switch {
				case v.State == detect.StateRetracted && before.State != detect.StateRetracted:
					seen["retracted "+string(v.Kind)]++
				case v.State == detect.StateOpen && !known:
					seen["opened "+string(v.Kind)]++
				}
				v.Version = 1
				latest[v.ID] = v
			}
		}
		for rest := events; len(rest) > 0; {
			k := min(len(rest), 1+rng.IntN(20))
			keep(e.Process(rest[:k], version))
			version += uint64(k)
			rest = rest[k:]
			if rng.IntN(10) == 0 {
				state, _ := e.AppendState(nil, 0, math.MaxInt)
				e = detect.New(snap)
				if err := e.LoadState(state); err != nil {
					t.Fatal(err)
				}
			}
		}
		keep(e.Finish(version, close))
		got := slices.DeleteFunc(slices.Collect(maps.Values(latest)), func(v detect.Violation) bool { return v.State == detect.StateRetracted })
		slices.SortFunc(got, func(a, b detect.Violation) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), strings.Compare(a.ID, b.ID))
		})
		for _, v := range got {
			seen[string(v.State)+" "+string(v.Kind)]++
		}
		if len(got)+len(want) > 0 && !reflect.DeepEqual(plain(t, got), plain(t, want)) {
			t.Fatalf("world %d, close %v: %s\n%s\nReplay finds\n%s", n, close, differences(silencesOf(t, got), silencesOf(t, want)), asJSON(t, got), asJSON(t, want))
		}
	}
	t.Logf("%d worlds: %v", worlds, seen)
	for _, what := range []string{"opened gone_dark", "retracted gone_dark", "open gone_dark", "retracted unmonitored_running", "retracted position_conflict"} {
		if seen[what] < worlds/100 {
			t.Errorf("the worlds made only %d of %s: they prove little", seen[what], what)
		}
	}
}

// plain makes records comparable: numbers in detail as they are outside.
func plain(t *testing.T, vs []detect.Violation) (out []map[string]any) {
	t.Helper()
	b, err := json.Marshal(vs)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
