package detect_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// randomPlaces is a small town with fences of every kind, routes, sections and papers, and its vehicles.
func randomPlaces(t *testing.T, rng *rand.Rand) *slowWorld {
	t.Helper()
	w := &slowWorld{data: &detect.ReferenceData{}}
	d := w.data
	one := func(of ...string) string { return of[rng.IntN(len(of))] }
	classes := []detect.Class{detect.ClassHazmat, detect.ClassHazmat, detect.ClassHazmat, detect.ClassTruck, detect.ClassCoachCharter}
	count := 1
	if rng.IntN(3) == 0 {
		count = 2 + rng.IntN(5)
	}
	for i := range count {
		rec := detect.VehicleRecord{Vehicle: vehicleOf(t, fmt.Sprint("晋E1234", i)), Class: classes[rng.IntN(len(classes))],
			Region: one("", "140502", "140500", "140000", "370100", "370200")}
		d.Vehicles = append(d.Vehicles, rec)
	}
	any := func() ingest.Vehicle { return d.Vehicles[rng.IntN(count)].Vehicle }
	point := func(spread float64) orb.Point {
		return orb.Point{112.8 + (rng.Float64()-0.5)*spread, 35.5 + (rng.Float64()-0.5)*spread}
	}
	line := func() orb.LineString {
		l := orb.LineString{point(0.03)}
		at, heading := l[0], rng.Float64()*360
		for range 1 + rng.IntN(3) {
			heading += rng.Float64()*90 - 45
			lat, lon := shift(at[1], at[0], 500+rng.Float64()*2500, heading)
			at = orb.Point{lon, lat}
			l = append(l, at)
		}
		return l
	}
	for i := range rng.IntN(3) {
		d.Routes = append(d.Routes, detect.Route{ID: fmt.Sprint("R", i), Line: line(), WidthM: 40 + rng.Float64()*800})
	}
	for i := range rng.IntN(3) {
		s := detect.Section{ID: fmt.Sprint("S", i), Line: line(), GateRadiusM: 20 + rng.Float64()*130, SpeedLimit: uint16(100 + rng.IntN(400))}
		switch rng.IntN(4) {
		case 0:
			s.LengthM = 300 + math.Round(rng.Float64()*3000)
		case 1:
			s.Classes = detect.ClassSet(0).With(detect.ClassHazmat)
		case 2: // hardly longer than its gates are wide
			s.Line = s.Line[:2]
			lat, lon := shift(s.Line[0][1], s.Line[0][0], 2.1*s.GateRadiusM, rng.Float64()*360)
			s.Line[1] = orb.Point{lon, lat}
		}
		d.Sections = append(d.Sections, s)
	}
	kinds := []detect.FenceKind{detect.FenceForbidden, detect.FenceBound, detect.FenceNoStop, detect.FenceMaxStay, detect.FenceJurisdiction, detect.FenceRegion}
	for i := range 1 + rng.IntN(6) {
		f := detect.Fence{ID: fmt.Sprint("F", i), Kind: kinds[rng.IntN(len(kinds))]}
		switch f.Kind {
		case detect.FenceMaxStay:
			f.MaxStayS = uint32(rng.IntN(3) * 300)
		case detect.FenceJurisdiction:
			f.Region = one("140502", "140500", "140000", "370100")
		}
		at := point(0.05)
		switch rng.IntN(4) {
		case 0:
			f.Geometry, f.RadiusM = at, 60+rng.Float64()*2000
		case 1:
			f.Geometry, f.WidthM = line(), 50+rng.Float64()*200
		default:
			half := 0.0004 + rng.Float64()*0.02
			if rng.IntN(2) == 0 {
				half = 0.0004 + rng.Float64()*0.004 // crossed between two fixes
			}
			f.Geometry = square(at[1], at[0], half)
		}
		if f.Kind == detect.FenceNoStop && rng.IntN(2) == 0 {
			f.Geometry, f.RadiusM, f.WidthM = orb.Point{112.8, 35.5}, 3000, 0
		}
		for range max(0, rng.IntN(6)-3) {
			f.Schedule = append(f.Schedule, detect.Window{Days: uint8(16 | rng.IntN(128)), From: uint16(rng.IntN(100)), To: uint16(rng.IntN(300))})
		}
		if rng.IntN(5) == 0 {
			f.Classes = detect.ClassSet(0).With(detect.ClassHazmat)
		}
		if rng.IntN(8) == 0 {
			f.Vehicles = []ingest.Vehicle{any()}
		}
		d.Fences = append(d.Fences, f)
	}
	validity := func() (start, end int64) { // on whole minutes, or 17 s after: see w60
		odd := func() int64 { return int64(rng.IntN(2)) * 17000 }
		start = firstMs + int64(rng.IntN(200))*60000 + odd()
		if end = start + int64(1+rng.IntN(120))*60000; rng.IntN(4) == 0 {
			end = 0
		}
		if rng.IntN(3) == 0 {
			start = 0
		}
		return start, end
	}
	for i := range rng.IntN(5) {
		f := detect.Filing{Vehicle: any(), Region: one("", "140500", "140502", "140000"), Number: fmt.Sprint("N", i)}
		f.Start, f.End = validity()
		d.Filings = append(d.Filings, f)
	}
	route := func() string {
		if len(d.Routes) == 0 {
			return ""
		}
		return d.Routes[rng.IntN(len(d.Routes))].ID
	}
	for i := range rng.IntN(4) {
		b := detect.WaybillRecord{Number: fmt.Sprint("W", i), Vehicle: any(), Route: route()}
		b.Start, b.End = validity()
		d.Waybills = append(d.Waybills, b)
	}
	for i := range rng.IntN(4) {
		p := detect.Permit{Number: fmt.Sprint("P", i), Vehicle: any(), Kind: detect.PermitOversize, Route: route()}
		if rng.IntN(2) == 0 {
			p.Kind, p.Fence = detect.PermitCharter, d.Fences[rng.IntN(len(d.Fences))].ID
		}
		p.Start, p.End = validity()
		d.Permits = append(d.Permits, p)
	}
	for i := range d.Vehicles {
		if r := route(); r != "" && rng.IntN(4) == 0 {
			d.Vehicles[i].Routes = []string{r}
		}
	}
	for i := range d.Fences {
		s, err := geo.Compile(d.Fences[i].Geometry, d.Fences[i].RadiusM, d.Fences[i].WidthM)
		if err != nil {
			t.Fatal(err)
		}
		w.shapes = append(w.shapes, s)
	}
	for i := range d.Routes {
		s, err := geo.CompileCorridor(d.Routes[i].Line, d.Routes[i].WidthM)
		if err != nil {
			t.Fatal(err)
		}
		w.routes = append(w.routes, s)
	}
	for i := range d.Sections {
		l, err := geo.CompileLine(d.Sections[i].Line)
		if err != nil {
			t.Fatal(err)
		}
		w.sections = append(w.sections, l)
	}
	return w
}

// targets are the places that a vehicle of the town may drive to, one after another: along lines, through fences.
func (w *slowWorld) targets(rng *rand.Rand) (out []geo.Point) {
	for len(out) < 12 {
		switch n := rng.IntN(4); {
		case n == 0 && len(w.sections) > 0:
			out = append(out, w.sections[rng.IntN(len(w.sections))]...)
		case n == 1 && len(w.data.Routes) > 0:
			l, _ := geo.CompileLine(w.data.Routes[rng.IntN(len(w.data.Routes))].Line)
			out = append(out, l...)
		case n == 2:
			lo, hi := w.shapes[rng.IntN(len(w.shapes))].Bounds()
			at := geo.Interpolate(lo, hi, rng.Float64()*1.4-0.2)
			out = append(out, at, geo.Point{Lat: at.Lat + int32(rng.IntN(20000)-10000), Lon: at.Lon + int32(rng.IntN(20000)-10000)})
		default:
			out = append(out, geo.Point{Lat: 35500000 + int32(rng.IntN(40000)-20000), Lon: 112800000 + int32(rng.IntN(40000)-20000)})
		}
	}
	return out
}

// drivenTrack drives straight from target to target at honest speeds, and stops now and then; a few positions are spoilt.
func (w *slowWorld) drivenTrack(rng *rand.Rand, v ingest.Vehicle) (out []ingest.Event) {
	intervals := []int64{5, 10, 30, 30, 30, 59, 60, 61, 120, 300, 301}
	steady := intervals[rng.IntN(6)]
	targets := w.targets(rng)
	at := targets[0]
	s := int64(rng.IntN(1200))
	next, standing := 1, 0
	kmh := 20 + rng.Float64()*60
	for range 60 + rng.IntN(150) {
		dt := steady
		if rng.IntN(8) == 0 {
			dt = intervals[rng.IntN(len(intervals))]
		}
		s += dt
		speed := kmh
		switch {
		case standing > 0:
			standing--
			speed = rng.Float64() * 5.4
			at.Lat, at.Lon = at.Lat+int32(rng.IntN(400)-200), at.Lon+int32(rng.IntN(400)-200)
		case rng.IntN(25) == 0:
			standing = 1 + rng.IntN(16)
			speed = 0
		default:
			if rng.IntN(5) == 0 {
				kmh = 15 + rng.Float64()*75
				speed = kmh
			}
			way := kmh / 3.6 * float64(dt)
			for {
				to := targets[next%len(targets)]
				left := geo.Distance(at, to)
				if way < left {
					at = geo.Interpolate(at, to, way/left)
					break
				}
				way -= left
				at = to
				if next++; next > 40 || rng.IntN(6) == 0 {
					break
				}
			}
		}
		p := at
		if rng.IntN(3) == 0 {
			p.Lat, p.Lon = p.Lat+int32(rng.IntN(200)-100), p.Lon+int32(rng.IntN(200)-100)
		}
		e := position(v, s, float64(p.Lat)/1e6, float64(p.Lon)/1e6, speed)
		switch rng.IntN(120) {
		case 0:
			e.Position.Speed = ingest.NoSpeed
		case 1:
			e.Position.Lat += 900000
		case 2:
			e.Position.Located = false
		case 3:
			at.Lat += 300000 // carried away
		case 4:
			at = targets[0]
		case 5:
			s += int64(rng.IntN(3000)) // silent
		}
		out = append(out, e)
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// jamTrack stands in the middle of the town, and moves on a little now and then.
func jamTrack(rng *rand.Rand, v ingest.Vehicle) (out []ingest.Event) {
	lat, lon := shift(35.5, 112.8, rng.Float64()*600, rng.Float64()*360)
	s := int64(rng.IntN(300))
	for range 80 {
		kmh := rng.Float64() * 5.2
		if rng.IntN(12) == 0 {
			kmh = 5 + rng.Float64()*60
			lat, lon = shift(lat, lon, rng.Float64()*400, rng.Float64()*360)
		}
		e := position(v, s, lat, lon, kmh)
		if rng.IntN(60) == 0 {
			e.Position.Speed = ingest.NoSpeed
		}
		out = append(out, e)
		s += []int64{20, 30, 30, 60, 60, 290, 301}[rng.IntN(7)]
		if rng.IntN(50) == 0 {
			s += 700
		}
	}
	return out
}

// placeKinds are the kinds that the slow reading of places finds.
var placeKinds = []detect.Kind{detect.KindSectionSpeeding, detect.KindFenceEntry, detect.KindFenceStay, detect.KindUnfiledEntry, detect.KindFenceCrossing,
	detect.KindFenceExit, detect.KindRouteDeviation, detect.KindFenceStop}

// placesOf makes what the slow reading compares of the violations that the engine found.
func placesOf(t *testing.T, found []detect.Violation) (out []slowPlace) {
	t.Helper()
	for i := range found {
		f := &found[i]
		if !slices.Contains(placeKinds, f.Kind) {
			continue
		}
		v, err := ingest.NewVehicle(f.Plate, f.Color)
		if err != nil {
			t.Fatal(err)
		}
		o := slowPlace{vehicle: v, kind: string(f.Kind), start: int64(f.Start), end: int64(*f.End), measured: "-", limit: "-",
			fixes: int(f.Fixes), metres: float64(f.DistanceM), atEnd: slices.Contains(f.Notes, "end_of_data")}
		permit := ""
		if f.Permit != nil {
			permit = *f.Permit
		}
		switch {
		case f.Kind == detect.KindFenceExit:
			o.subject = *f.Fence + " " + permit
		case f.Kind == detect.KindRouteDeviation:
			o.subject = fmt.Sprint(f.Detail["route"], " ", permit)
		case f.Fence != nil:
			o.subject = *f.Fence
		case f.Section != nil:
			o.subject = *f.Section
		}
		if f.Measured != nil {
			o.measured = fmt.Sprintf("%.1f", *f.Measured)
		}
		if f.Limit != nil {
			o.limit = fmt.Sprintf("%.1f", *f.Limit)
		}
		if f.DurationS != int64(math.RoundToEven(float64(o.end-o.start)/1000)) {
			t.Errorf("%s lasts %d s", o, f.DurationS)
		}
		out = append(out, o)
	}
	return out
}

func TestPlacesAgreeWithASlowReading(t *testing.T) {
	worlds := many(2500, 600)
	seen := map[string]int{}
	for n := range worlds {
		rng := rand.New(rand.NewPCG(uint64(n), 7))
		w := randomPlaces(t, rng)
		jam := len(w.data.Vehicles) > 2 && rng.IntN(2) == 0
		var events []ingest.Event
		for i := range w.data.Vehicles {
			v := w.data.Vehicles[i].Vehicle
			switch {
			case jam:
				events = append(events, jamTrack(rng, v)...)
			case rng.IntN(4) == 0:
				events = append(events, randomTrack(rng, v)...)
			default:
				events = append(events, w.drivenTrack(rng, v)...)
			}
		}
		want := w.read(t, events)
		snap := compile(t, w.data, 1)
		found, _ := detect.Replay(snap, slices.Clone(events), true)
		if n%100 == 0 {
			restarted, _ := viaCheckpoints(t, snap, slices.Clone(events), true)
			if a, b := asJSON(t, found), asJSON(t, restarted); !bytes.Equal(a, b) {
				t.Fatalf("world %d: with a checkpoint after every event:\n%s\nwithout:\n%s", n, b, a)
			}
		}
		got := placesOf(t, found)
		for _, o := range got {
			seen[o.kind]++
		}
		if d := differences(got, want); d != "" {
			t.Fatalf("world %d:\n%s", n, d)
		}
	}
	t.Logf("%d worlds: %v", worlds, seen)
	for _, k := range placeKinds {
		if seen[string(k)] < worlds/20 {
			t.Errorf("the worlds made only %d of %s: they prove little", seen[string(k)], k)
		}
	}
}
