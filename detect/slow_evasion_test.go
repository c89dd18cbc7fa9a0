package detect_test

import (
	"bytes"
	"cmp"
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

// slowEvasion is a violation of weigh_evasion.
type slowEvasion struct {
	vehicle        ingest.Vehicle
	station, cause string
	subject        string // fence, or record
	start          int64  // s
	approach       string
}

func (o slowEvasion) String() string {
	return fmt.Sprintf("%s %s %s %s at %d after %s", o.vehicle, o.cause, o.station, o.subject, o.start-firstMs/1000, o.approach)
}

// slowWeighbridge is a country with stations that can be gone round, and everything that was reported of it.
type slowWeighbridge struct {
	data   *detect.ReferenceData
	shapes []*geo.Shape
	events []ingest.Event
}

// slowEntered is a vehicle that has entered a fence of a station.
type slowEntered struct {
	fence, opened int
	t             int64 // s, of the first fix inside
}

// entered lists the entries of a vehicle into a station's fences of a kind, in the order in which they are proved.
func (w *slowWeighbridge) entered(rec *detect.VehicleRecord, fixes []slowFix, kind detect.FenceKind, station string) (out []slowEntered) {
	for i := range w.data.Fences {
		if f := &w.data.Fences[i]; f.Kind == kind && f.Station == station && slowMeans(f, rec) {
			for _, s := range slowVisits(fixes, f, w.shapes[i]) {
				out = append(out, slowEntered{i, s.opened, fixes[s.first].t})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b slowEntered) int { return cmp.Compare(a.opened, b.opened) })
	return out
}

// weighings lists the records of a plate, of each number the first; or those without a plate.
func (w *slowWeighbridge) weighings(v ingest.Vehicle) (out []ingest.Event) {
	all := slices.Clone(w.events)
	slices.SortStableFunc(all, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received))
	})
	for _, e := range all {
		if e.Kind == ingest.KindWeighing && e.Vehicle == v && (e.Unread() || !slices.ContainsFunc(out, func(o ingest.Event) bool {
			return o.Weighing.Station == e.Weighing.Station && o.Weighing.Record == e.Weighing.Record
		})) {
			out = append(out, e)
		}
	}
	return out
}

func (w *slowWeighbridge) read() (out []slowEvasion) {
	clock := int64(0)
	var ids []ingest.Vehicle
	for _, e := range w.events {
		if e.Time <= e.Received+300_000 {
			clock = max(clock, e.Received)
		}
		if !e.Unread() && !slices.Contains(ids, e.Vehicle) {
			ids = append(ids, e.Vehicle)
		}
	}
	unread := slices.DeleteFunc(w.weighings(ingest.Vehicle{}), func(e ingest.Event) bool { return e.Time > e.Received+300_000 })
	for _, id := range ids {
		own := w.weighings(id)
		for _, e := range own {
			if e.Weighing.Evaded {
				out = append(out, slowEvasion{id, e.Weighing.Station, "marked", e.Weighing.Record, e.Time / 1000, "-"})
			}
		}
		n := slices.IndexFunc(w.data.Vehicles, func(r detect.VehicleRecord) bool { return r.Vehicle == id })
		if n < 0 || w.data.Vehicles[n].Class != detect.ClassHeavyTruck {
			continue
		}
		rec := &w.data.Vehicles[n]
		fixes := slowGate(slices.DeleteFunc(slices.Clone(w.events), func(e ingest.Event) bool { return e.Vehicle != id || e.Kind != ingest.KindPosition }))
		slowMotion(fixes)
		for _, station := range []string{"S0", "S1"} {
			approaches := w.entered(rec, fixes, detect.FenceApproach, station)
			used := map[int]bool{}
			for _, b := range w.entered(rec, fixes, detect.FenceBypass, station) {
				from := -1
				for i, a := range approaches {
					if a.t < b.t && a.opened <= b.opened && !used[i] {
						used[i] = true
						if b.t-a.t <= 1800 && (from < 0 || a.t > approaches[from].t) {
							from = i
						}
					}
				}
				there := func(e ingest.Event) bool {
					return e.Weighing.Station == station && e.Time >= (b.t-1800)*1000 && e.Time <= (b.t+1800)*1000
				}
				if from < 0 || clock < (b.t+1800)*1000 || slices.ContainsFunc(own, there) || slices.ContainsFunc(unread, there) {
					continue
				}
				out = append(out, slowEvasion{id, station, "bypassed", w.data.Fences[b.fence].ID, b.t, w.data.Fences[approaches[from].fence].ID})
			}
		}
	}
	return out
}

// randomWeighbridge is two stations with their approaches and bypasses, lorries that drive through them, and what the stations saw.
// Positions come in order, records as they like.
func randomWeighbridge(t *testing.T, rng *rand.Rand) *slowWeighbridge {
	t.Helper()
	w := &slowWeighbridge{data: &detect.ReferenceData{}}
	station := func() string { return fmt.Sprint("S", rng.IntN(2)) }
	var centres []geo.Point
	for i := range 2 + rng.IntN(6) {
		f := detect.Fence{ID: fmt.Sprint("F", i), Kind: detect.FenceBypass, Station: station()}
		if i%2 == 0 {
			f.Kind = detect.FenceApproach
		}
		lat, lon := 35.5+(rng.Float64()-0.5)*0.1, 112.8+(rng.Float64()-0.5)*0.1
		if i > 0 && rng.IntN(5) == 0 { // one upon the other
			lat, lon = float64(centres[i-1].Lat)/1e6, float64(centres[i-1].Lon)/1e6
		}
		f.Geometry = square(lat, lon, 0.004+rng.Float64()*0.012)
		switch rng.IntN(12) {
		case 0:
			f.Classes = detect.ClassSet(0).With(detect.ClassHazmat)
		case 1:
			f.Schedule = []detect.Window{{Days: 127, From: uint16(rng.IntN(200)), To: uint16(rng.IntN(400))}}
		case 2:
			f.Station = ""
		case 3:
			f.Kind = detect.FenceForbidden
		}
		shape, err := geo.Compile(f.Geometry, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		w.data.Fences, w.shapes = append(w.data.Fences, f), append(w.shapes, shape)
		centres = append(centres, geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)})
	}
	record := 0
	weigh := func(v ingest.Vehicle, s int64, station string) {
		record++
		e := ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Time: firstMs + s*1000,
			Weighing: &ingest.Weighing{Station: station, Record: fmt.Sprint("R", record), Speed: ingest.NoSpeed, Evaded: rng.IntN(15) == 0}}
		switch rng.IntN(6) {
		case 0:
			e.Received = e.Time + int64(rng.IntN(20000))*1000
		case 1:
			e.Received = e.Time - int64(299+rng.IntN(3))*1000
		default:
			e.Received = e.Time + int64(rng.IntN(30))*1000
		}
		w.events = append(w.events, e)
		if rng.IntN(5) == 0 { // a copy, as after a crash
			e.Received += int64(rng.IntN(9000)) * 1000
			w.events = append(w.events, e)
		}
	}
	classes := []detect.Class{detect.ClassHeavyTruck, detect.ClassHeavyTruck, detect.ClassHeavyTruck, detect.ClassTruck, detect.ClassHazmat}
	steps := []int64{60, 60, 120, 300, 300, 299, 301}
	for i := range 1 + rng.IntN(4) {
		v := vehicleOf(t, fmt.Sprint("晋E1234", i))
		if rng.IntN(10) > 0 {
			w.data.Vehicles = append(w.data.Vehicles, detect.VehicleRecord{Vehicle: v, Class: classes[rng.IntN(len(classes))]})
		}
		steady, s, delayed := steps[rng.IntN(len(steps))], int64(rng.IntN(3600)), int64(0)
		begun := len(w.events)
		last := int64(0)
		for range 5 + rng.IntN(10) { // from fence to fence, some fixes in each
			c := centres[rng.IntN(len(centres))]
			for range 1 + rng.IntN(4) {
				if s += steady; rng.IntN(8) == 0 {
					s += steps[rng.IntN(len(steps))]
				}
				if rng.IntN(60) == 0 {
					s += int64(rng.IntN(4000))
				}
				e := position(v, s, float64(c.Lat)/1e6+(rng.Float64()-0.5)*0.012, float64(c.Lon)/1e6+(rng.Float64()-0.5)*0.012, 30+rng.Float64()*20)
				if rng.IntN(40) == 0 {
					delayed = s + int64(rng.IntN(9000))
				}
				e.Received = max(e.Time+int64(rng.IntN(20))*1000, firstMs+delayed*1000, last)
				if last = e.Received; rng.IntN(60) == 0 {
					e.Position.Lat += 900000
				}
				w.events = append(w.events, e)
			}
			if rng.IntN(4) == 0 {
				s += int64(rng.IntN(1500))
			}
		}
		// Records about when it came into a fence, at the threshold and beside it.
		fixes := slowGate(slices.Clone(w.events[begun:]))
		slowMotion(fixes)
		for k := range w.data.Fences {
			for _, visit := range slowVisits(fixes, &w.data.Fences[k], w.shapes[k]) {
				if rng.IntN(3) > 0 {
					continue
				}
				at := fixes[visit.first].t - firstMs/1000 + [...]int64{-1801, -1800, -1799, -600, 0, 900, 1799, 1800, 1801, int64(rng.IntN(9000)) - 4500}[rng.IntN(10)]
				who := v
				if rng.IntN(2) == 0 {
					who = ingest.Vehicle{}
				}
				if weigh(who, at, w.data.Fences[k].Station); rng.IntN(10) == 0 { // a camera that fails
					for range rng.IntN(40) {
						weigh(ingest.Vehicle{}, at+int64(rng.IntN(4000)), w.data.Fences[k].Station)
					}
				}
			}
		}
	}
	slices.SortStableFunc(w.events, func(a, b ingest.Event) int { return cmp.Compare(a.Received, b.Received) })
	end := position(vehicleOf(t, "晋E99999"), int64(rng.IntN(30000)), 36, 113, 0)
	w.events = append(w.events, end)
	slices.SortStableFunc(w.events, func(a, b ingest.Event) int { return cmp.Compare(a.Received, b.Received) })
	return w
}

func evasionsOf(t *testing.T, found []detect.Violation) (out []slowEvasion) {
	t.Helper()
	for i := range found {
		f := &found[i]
		if f.Kind != detect.KindWeighEvasion {
			continue
		}
		v, err := ingest.NewVehicle(f.Plate, f.Color)
		if err != nil {
			t.Fatal(err)
		}
		o := slowEvasion{v, *f.Station, f.Detail["cause"].(string), "", int64(f.Start) / 1000, "-"}
		if o.cause == "bypassed" {
			o.subject, o.approach = *f.Fence, f.Detail["approach"].(string)
			if f.Fixes != 1 || f.StartLat == nil {
				t.Errorf("%s has %d fixes, place %v", o, f.Fixes, f.StartLat)
			}
		} else {
			o.subject = f.Detail["record"].(string)
		}
		if f.State != detect.StateClosed || f.End == nil || *f.End != f.Start || f.DurationS != 0 || f.EvidenceHash == "" || len(f.Basis) == 0 || f.Measured != nil || f.Limit != nil {
			t.Errorf("%s is no complete record: %+v", o, f)
		}
		out = append(out, o)
	}
	return out
}

func TestWeighEvasionAgreesWithASlowReading(t *testing.T) {
	worlds := many(4000, 800)
	seen := map[string]int{}
	for n := range worlds {
		rng := rand.New(rand.NewPCG(uint64(n), 42))
		w := randomWeighbridge(t, rng)
		snap := compile(t, w.data, 1)
		found, stats := detect.Replay(snap, slices.Clone(w.events), true)
		got := evasionsOf(t, found)
		for _, o := range got {
			seen[o.cause]++
		}
		if d := differences(got, w.read()); d != "" {
			t.Fatalf("world %d:\n%s", n, d)
		}
		unread := 0
		for i := range w.events {
			if w.events[i].Unread() {
				unread++
			}
		}
		if stats.Unread != uint64(unread) {
			t.Fatalf("world %d: %d unread of %d", n, stats.Unread, unread)
		}
		plated := slices.DeleteFunc(slices.Clone(w.events), func(e ingest.Event) bool { return e.Unread() })
		accused, _ := detect.Replay(snap, plated, true)
		seen["excused by what was unread"] += len(evasionsOf(t, accused)) - len(got)
		if n%100 == 0 {
			restarted, _ := viaCheckpoints(t, snap, slices.Clone(w.events), true)
			if a, b := asJSON(t, found), asJSON(t, restarted); !bytes.Equal(a, b) {
				t.Fatalf("world %d: with a checkpoint after every event:\n%s\nwithout:\n%s", n, b, a)
			}
		}
	}
	t.Logf("%d worlds: %v", worlds, seen)
	for _, k := range []string{"bypassed", "marked", "excused by what was unread"} {
		if seen[k] < worlds/20 {
			t.Errorf("the worlds made only %d of %s: they prove little", seen[k], k)
		}
	}
}

// An engine with a running clock, fed in order of arrival, ends with what Replay finds: also where records come late, what was unread is
// there in many copies, and the engine is restarted in between.
func TestWeighEvasionByTheClock(t *testing.T) {
	worlds := many(3000, 600)
	seen := map[string]int{}
	for n := range worlds {
		rng := rand.New(rand.NewPCG(uint64(n), 43))
		w := randomWeighbridge(t, rng)
		snap := compile(t, w.data, 1)
		want, _ := detect.Replay(snap, slices.Clone(w.events), true)
		want = slices.DeleteFunc(want, func(v detect.Violation) bool { return v.Kind != detect.KindWeighEvasion })
		e := detect.New(snap)
		latest := map[string]detect.Violation{}
		keep := func(vs []detect.Violation) {
			for _, v := range vs {
				if v.Kind != detect.KindWeighEvasion {
					continue
				}
				if v.State == detect.StateRetracted {
					seen["taken back: "+strings.Join(v.Notes, " ")]++
				}
				v.Version = 1
				latest[v.ID] = v
			}
		}
		for rest := w.events; len(rest) > 0; {
			k := min(len(rest), 1+rng.IntN(20))
			keep(e.Process(rest[:k], 1))
			rest = rest[k:]
			if rng.IntN(10) == 0 {
				state, _ := e.AppendState(nil, 0, math.MaxInt)
				e = detect.New(snap)
				if err := e.LoadState(state); err != nil {
					t.Fatal(err)
				}
			}
		}
		keep(e.Finish(1, true))
		got := slices.DeleteFunc(slices.Collect(maps.Values(latest)), func(v detect.Violation) bool { return v.State == detect.StateRetracted })
		slices.SortFunc(got, detect.InList)
		seen["stands"] += len(got)
		if len(got)+len(want) > 0 && !reflect.DeepEqual(plain(t, got), plain(t, want)) {
			t.Fatalf("world %d: %s\n%s\nReplay finds\n%s", n, differences(evasionsOf(t, got), evasionsOf(t, want)), asJSON(t, got), asJSON(t, want))
		}
	}
	t.Logf("%d worlds: %v", worlds, seen)
	for _, what := range []string{"stands", "taken back: weighed", "taken back: plate_unread"} {
		if seen[what] < worlds/100 {
			t.Errorf("the worlds made only %d of %s: they prove little", seen[what], what)
		}
	}
}
