package detect_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// record is what stands in the store: of each violation the record with the highest version.
type record struct {
	stands  map[string]detect.Violation
	written map[string]int // by what
}

func newRecord() *record {
	return &record{stands: map[string]detect.Violation{}, written: map[string]int{}}
}

func (r *record) put(vs []detect.Violation) {
	for _, v := range vs {
		if old, ok := r.stands[v.ID]; !ok || v.Version >= old.Version {
			r.stands[v.ID] = v
		}
	}
}

// of returns what stands of a vehicle.
func (r *record) of(v ingest.Vehicle) (out []detect.Violation) {
	for _, o := range r.stands {
		if o.Plate == v.Plate() && o.Color == v.Color {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, detect.InList)
	return out
}

// correct judges a vehicle again over all that has arrived, as enforce/recheck does.
func (r *record) correct(snap *detect.Snapshot, arrived []ingest.Event, clock int64, v ingest.Vehicle) {
	judged, _ := detect.Rejudge(snap, slices.Clone(arrived), clock, v)
	lived, _ := detect.Relive(snap, arrived, clock, v)
	r.use(arrived, judged, lived, v)
}

func (r *record) use(arrived []ingest.Event, judged, lived []detect.Violation, v ingest.Vehicle) {
	corrections, _ := detect.Correct(r.of(v), judged, lived, detect.Correction{Version: uint64(len(arrived))<<13 | 8191, Since: math.MinInt64})
	for _, c := range corrections {
		what := "amended"
		old, known := r.stands[c.ID]
		switch {
		case c.State == detect.StateRetracted:
			what = "retracted"
		case !known || old.State == detect.StateRetracted:
			what = "added"
		}
		r.written[what]++
	}
	r.put(corrections)
}

// arrive gives events their time of reception and puts them into that order: most come at once, some are stored for a while and come
// in a bunch, a few overtake each other, some come twice.
func arrive(rng *rand.Rand, events []ingest.Event) []ingest.Event {
	slices.SortStableFunc(events, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) })
	if len(events) == 0 {
		return nil
	}
	first, last := events[0].Time, events[len(events)-1].Time
	type hole struct{ from, to, until int64 }
	var holes []hole
	hostile := rng.IntN(3) > 0
	for range rng.IntN(4) {
		if !hostile {
			break
		}
		from := first + rng.Int64N(last-first+1)
		to := from + rng.Int64N(max(1, (last-first)/3))
		holes = append(holes, hole{from, to, to + rng.Int64N(max(1, (last-first)/2))})
	}
	out := make([]ingest.Event, 0, len(events))
	for _, e := range events {
		e.Received = e.Time + 1000
		if hostile && rng.IntN(40) == 0 {
			e.Received += rng.Int64N(400_000)
		}
		for _, h := range holes {
			if e.Time >= h.from && e.Time <= h.to && rng.IntN(10) > 0 {
				e.Received = max(e.Received, h.until)
			}
		}
		out = append(out, e)
		if hostile && rng.IntN(60) == 0 {
			e.Received += 1 + rng.Int64N(900_000)
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b ingest.Event) int { return cmp.Compare(a.Received, b.Received) })
	return out
}

// live feeds an engine in order of arrival, judges again whom it names, and restarts it now and then. It returns the record and the
// vehicles to which something came late.
func live(t *testing.T, rng *rand.Rand, snap *detect.Snapshot, events []ingest.Event) (r *record, clock int64, late map[ingest.Vehicle]bool) {
	t.Helper()
	r, late = newRecord(), map[ingest.Vehicle]bool{}
	e := detect.New(snap)
	for at := 0; at < len(events); {
		k := min(len(events)-at, 1+rng.IntN(40))
		for i := range k { // each event has its own version, as each has its own place in the log
			r.put(e.Process(events[at+i:at+i+1], uint64(at+i)<<13))
		}
		at += k
		if !e.SharedIsEmpty() {
			t.Fatalf("event %d: what vehicles share holds something of one", at)
		}
		if rng.IntN(12) == 0 {
			state, _ := e.AppendState(nil, 0, math.MaxInt)
			e = detect.New(snap)
			if err := e.LoadState(state); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range e.TakeLate(nil) {
			late[l.Vehicle] = true
			if rng.IntN(3) == 0 { // others are asked for again
				r.correct(snap, events[:at], e.Clock(), l.Vehicle)
			}
		}
	}
	return r, e.Clock(), late
}

// compare tells how a vehicle's record differs from what judging all its events in order of time finds.
func (r *record) compare(t *testing.T, want []detect.Violation, v ingest.Vehicle) string {
	t.Helper()
	final := func(vs []detect.Violation) (out []detect.Violation) {
		for _, o := range vs {
			if o.State == detect.StateRetracted {
				continue
			}
			if o.State == detect.StateOpen { // its record is that of when it was written last
				o = detect.Violation{ID: o.ID, State: o.State, Kind: o.Kind, Plate: o.Plate, Color: o.Color, Start: o.Start, Notes: []string{}, Detail: map[string]any{}}
			}
			o.Version = 0
			o.Notes = slices.DeleteFunc(slices.Clone(o.Notes), func(n string) bool { return n == "late_data" })
			out = append(out, o)
		}
		return out
	}
	got, wanted := plain(t, final(r.of(v))), plain(t, final(want))
	if len(got)+len(wanted) == 0 || reflect.DeepEqual(got, wanted) {
		return ""
	}
	var diff []string
	lines := func(vs []map[string]any) (out []string) {
		for _, o := range vs {
			out = append(out, fmt.Sprint(o))
		}
		return out
	}
	g, w := lines(got), lines(wanted)
	for _, l := range g {
		if !slices.Contains(w, l) {
			diff = append(diff, "record: "+l)
		}
	}
	for _, l := range w {
		if !slices.Contains(g, l) {
			diff = append(diff, "wanted: "+l)
		}
	}
	return strings.Join(diff, "\n")
}

// lateWorld is one vehicle with reference data of one of the worlds of the slow readings, and its events in order of arrival.
func lateWorld(t *testing.T, rng *rand.Rand) (*detect.ReferenceData, []ingest.Event) {
	t.Helper()
	w := randomPlaces(t, rng)
	data := w.data
	v := data.Vehicles[0].Vehicle
	data.Vehicles = data.Vehicles[:1]
	rec := &data.Vehicles[0]
	var track []ingest.Event
	switch rng.IntN(6) {
	case 0:
		track = w.drivenTrack(rng, v)
	case 1:
		rec.Class = []detect.Class{detect.ClassCoachLine, detect.ClassHeavyTruck}[rng.IntN(2)]
		track = longTrack(rng, v, int64(rng.IntN(86400)), int64(86400+rng.IntN(86400)))
	case 2:
		rec.Class = detect.ClassHazmat
		track = haulTrack(rng, v, rng.IntN(2) == 0)
	case 3:
		track = alarmingTrack(rng, v)
	case 4:
		rec.Class = detect.ClassHeavyTruck
		data.Stations = []detect.Station{{ID: "S0", TolerancePct: -1, SizeToleranceMm: -1, Lat: 35_500_000, Lon: 112_800_000}, {ID: "S1", TolerancePct: -1, SizeToleranceMm: -1}}
		track = watchedTrack(rng, v, 35.5, 112.8)
	default:
		track = randomTrack(rng, v)
	}
	for range rng.IntN(4) {
		at := track[rng.IntN(len(track))].Time + 500
		track = append(track, ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: at,
			Driver: &ingest.DriverCard{On: rng.IntN(4) > 0, License: fmt.Sprint("D", rng.IntN(3)), Name: "甲"}})
	}
	for i := range rng.IntN(3) {
		at := track[rng.IntN(len(track))].Time
		start := at + rng.Int64N(7200_000) - 3600_000
		track = append(track, ingest.Event{Kind: ingest.KindWaybill, Vehicle: v, Time: at,
			Waybill: &ingest.Waybill{Number: fmt.Sprint("E", i), Start: start, End: start + rng.Int64N(7200_000)}})
	}
	return data, arrive(rng, track)
}

// Where nothing came late, the live record is that of a replay; and where something did, it is after the vehicle has been judged again.
func TestLateDataEndAsIfAllHadComeInOrder(t *testing.T) {
	worlds := many(1500, 400)
	seen := map[string]int{}
	for n := range worlds {
		rng := rand.New(rand.NewPCG(uint64(n), 77))
		data, events := lateWorld(t, rng)
		snap := compile(t, data, 1)
		v := data.Vehicles[0].Vehicle
		r, clock, late := live(t, rng, snap, events)
		want, _ := detect.Rejudge(snap, slices.Clone(events), clock, v)
		if !late[v] {
			seen["in order"]++
			if d := r.compare(t, want, v); d != "" {
				t.Fatalf("world %d: nothing was said to be late, but\n%s", n, d)
			}
			continue
		}
		if r.compare(t, want, v) != "" {
			seen["to be mended"]++
		}
		r.correct(snap, events, clock, v)
		if d := r.compare(t, want, v); d != "" {
			t.Fatalf("world %d: after the correction\n%s", n, d)
		}
		for what, k := range r.written {
			seen[what] += k
		}
	}
	t.Logf("%d worlds: %v", worlds, seen)
	for _, what := range []string{"in order", "to be mended", "added", "amended", "retracted"} {
		if seen[what] < worlds/20 {
			t.Errorf("the worlds made only %d %s: they prove little", seen[what], what)
		}
	}
}

// Each scenario gives the same violations when its events arrive late and in any order.
func TestScenariosArriveLate(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for n, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			s := readScenario(t, file)
			snap := s.snapshot(t)
			inOrder := s.events(t)
			want, _ := detect.Replay(snap, slices.Clone(inOrder), false)
			vehicles := map[ingest.Vehicle]bool{}
			for i := range inOrder {
				vehicles[inOrder[i].Vehicle] = true
			}
			for seed := range uint64(3) {
				rng := rand.New(rand.NewPCG(uint64(n), seed))
				events := slices.Clone(inOrder)
				for i := range events { // each is overtaken by those after it, now and then by many
					j := i - rng.IntN(2+rng.IntN(3)*rng.IntN(1+i))
					if j >= 0 && !sameMoment(events[j:i+1]) {
						e := events[i]
						copy(events[j+1:i+1], events[j:i])
						events[j] = e
					}
				}
				r, clock, _ := live(t, rng, snap, events)
				for v := range vehicles {
					lived, _ := detect.Relive(snap, events, clock, v)
					r.use(events, detect.RejudgeAtEnd(snap, slices.Clone(events), v), lived, v)
				}
				for v := range vehicles {
					of := slices.DeleteFunc(slices.Clone(want), func(o detect.Violation) bool { return o.Plate != v.Plate() || o.Color != v.Color })
					if d := r.compare(t, of, v); d != "" {
						t.Errorf("seed %d, %s:\n%s", seed, v, d)
					}
				}
			}
		})
	}
}

// sameMoment reports whether the last of some events has the time of another one of its vehicle: of these the order of arrival counts.
func sameMoment(events []ingest.Event) bool {
	last := &events[len(events)-1]
	return slices.ContainsFunc(events[:len(events)-1], func(e ingest.Event) bool { return e.Vehicle == last.Vehicle && e.Time == last.Time })
}

// A vehicle to which something came late is named at once, whenever a record of it is written, and by the clock for a week.
func TestLateVehiclesAreNamedAgain(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	other := vehicleOf(t, "晋E99999")
	e := detect.New(compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}}, 1))
	at := func(v ingest.Vehicle, s, received int64, kmh float64) {
		p := position(v, s, 35.5+float64(s)*1e-4, 112.8, kmh)
		p.Received = firstMs + received*1000
		e.Process([]ingest.Event{p}, 1)
	}
	named := func() []detect.Late { return e.TakeLate(nil) }
	for s := range int64(4) {
		at(v, s*30, s*30, 40)
	}
	if got := named(); len(got) != 0 {
		t.Fatalf("nothing is late, but %v", got)
	}
	at(v, 45, 100, 40)
	at(v, 15, 100, 40)
	want := []detect.Late{{Vehicle: v, From: firstMs + 15_000, To: firstMs + 45_000, Wide: true}}
	if got := named(); !slices.Equal(got, want) {
		t.Fatalf("named %v, want %v", got, want)
	}
	if got := named(); len(got) != 0 {
		t.Fatalf("named twice: %v", got)
	}
	at(v, 120, 120, 90) // speeding opens at the second
	at(v, 150, 150, 90)
	if got := named(); !slices.Equal(got, want) {
		t.Fatalf("a record was written, but named are %v", got)
	}
	// Others move the clock. It is named again after 1, 5, 15 minutes …, and not for ever.
	times := 0
	for s := int64(160); s < 10*86400; s += 30 {
		at(other, s, s, 0)
		if s == 86400 { // also after a restart
			state, _ := e.AppendState(nil, 0, math.MaxInt)
			e = detect.New(e.Snapshot())
			if err := e.LoadState(state); err != nil {
				t.Fatal(err)
			}
			if got := named(); !slices.Equal(got, want) {
				t.Fatalf("after a restart are named %v", got)
			}
		}
		if got := named(); slices.Equal(got, want) {
			times++
		} else if len(got) > 0 {
			t.Fatalf("named %v", got)
		}
	}
	if times < 15 || times > 20 {
		t.Errorf("named %d times in ten days", times)
	}
	// A weighing that comes after later positions touches a few hours only.
	w := ingest.Event{Kind: ingest.KindWeighing, Vehicle: other, Time: firstMs + 86400_000, Received: firstMs + 864000_000, Weighing: &ingest.Weighing{Station: "S", Record: "1"}}
	e.Process([]ingest.Event{w}, 1)
	if got := named(); len(got) != 1 || got[0].Wide || got[0].Vehicle != other {
		t.Errorf("after a late weighing are named %v", got)
	}
}

// What a driver drives is told in pieces of ten minutes of the clock, when these are over or the vehicle stands.
func TestDrivingSegments(t *testing.T) {
	v, w := vehicleOf(t, "晋E12345"), vehicleOf(t, "晋E99999")
	data := &detect.ReferenceData{}
	for _, x := range []ingest.Vehicle{v, w} {
		data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: x, Class: detect.ClassCoachLine})
	}
	snap := compile(t, data, 1)
	var events []ingest.Event
	card := func(v ingest.Vehicle, s int64) {
		at := firstMs + s*1000
		events = append(events, ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: at, Received: at, Driver: &ingest.DriverCard{On: true, License: "D1", Name: "甲"}})
	}
	lon := 112.8
	drive := func(v ingest.Vehicle, from, to int64) { // standing at both ends
		for s := from; s <= to+60; s += 60 {
			kmh := 60.0
			if s == from || s >= to {
				kmh = 0
			}
			if s <= to {
				lon += 0.011
			}
			events = append(events, position(v, s, 35.5, lon, kmh))
		}
	}
	card(v, 0)
	drive(v, 60, 60+25*60) // half of the first and of the last minute count
	card(w, 2000)
	drive(w, 2040, 2040+5*60)
	e := detect.New(snap)
	final := map[string]int64{}
	told := 0
	for i := range events {
		e.Process(events[i:i+1], uint64(i+1))
		for _, s := range e.DrivingSegments() {
			if s.License != "D1" || s.Cell%600_000 != 0 || s.Start < s.Cell || s.End > s.Cell+600_000 || s.Version != uint64(i+1) {
				t.Errorf("%+v", s)
			}
			final[fmt.Sprintf("%s %d", s.Plate, (s.Cell-firstMs)/60_000)] = s.DrivenMs / 1000
			told++
		}
	}
	// firstMs is a full hour.
	want := map[string]int64{"晋E12345 0": 510, "晋E12345 10": 600, "晋E12345 20": 330, "晋E99999 30": 240}
	if !reflect.DeepEqual(final, want) || told != 4 {
		t.Errorf("in %d records %v, want %v", told, final, want)
	}
	got := map[string]int64{}
	for _, x := range []ingest.Vehicle{v, w} {
		for _, s := range detect.RejudgeSegments(snap, slices.Clone(events), x) {
			got[fmt.Sprintf("%s %d", s.Plate, (s.Cell-firstMs)/60_000)] = s.DrivenMs / 1000
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("judged again %v", got)
	}
}

func TestCorrectSegments(t *testing.T) {
	s := func(cell, driven int64, version uint64) detect.DrivingSegment {
		return detect.DrivingSegment{License: "D", Cell: cell, Start: cell, End: cell + driven, DrivenMs: driven, Version: version}
	}
	recorded := []detect.DrivingSegment{s(0, 5, 1), s(10, 5, 1), s(20, 5, 1), s(30, 5, 99), s(40, 5, 1), s(50, 0, 1)}
	judged := []detect.DrivingSegment{s(10, 5, 0), s(20, 6, 0), s(30, 7, 0), s(60, 8, 0)}
	got := detect.CorrectSegments(recorded, judged, detect.Correction{Version: 50, Since: 10})
	want := []detect.DrivingSegment{s(20, 6, 50), s(60, 8, 50), s(40, 0, 50)}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// A terminal whose clock shows the year 2000 until its receiver has a fix: nothing is found, nothing is judged again, and no silence of
// twenty-six years begins; its weighings and alarms of then are no better.
func TestAClockThatIsYearsBehind(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	snap := compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}}, 1)
	const then = int64(946684800000) // 2000-01-01
	var events []ingest.Event
	for s := range int64(40) {
		e := position(v, s*30, 35.5+float64(s)*0.005, 112.8, 60)
		if s%10 < 3 {
			e.Time = then + s*30_000
		}
		events = append(events, e)
		if s%10 == 5 {
			a := ingest.Event{Kind: ingest.KindSafety, Vehicle: v, Time: then + s*30_000, Received: e.Received, Safety: &ingest.Safety{System: "dsm", Kind: "phone", Level: 2, Speed: ingest.NoSpeed}}
			events = append(events, a)
		}
	}
	e := detect.New(snap)
	found := slices.Clone(e.Process(events, 1))
	found = append(found, e.Finish(1, true)...)
	for _, o := range found {
		if o.Kind != detect.KindNoWaybill { // it is on the road without one
			t.Errorf("%s from %s", o.Kind, o.Start.Std())
		}
	}
	if late := e.TakeLate(nil); len(late) > 0 {
		t.Errorf("to be judged again: %v", late)
	}
	if n := e.Stats().Positions[detect.QualityPast]; n != 12 {
		t.Errorf("%d positions of the past, want 12", n)
	}
	if again := detect.RejudgeAtEnd(snap, slices.Clone(events), v); slices.ContainsFunc(again, func(o detect.Violation) bool { return o.Kind != detect.KindNoWaybill }) {
		t.Errorf("judged again: %d violations", len(again))
	}
}
