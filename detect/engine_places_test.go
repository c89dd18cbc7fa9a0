package detect_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
)

// changed is a change of the reference data while something goes on.
type changed struct {
	name          string
	before, after detect.ReferenceData
	open, then    []ingest.Event
	opened        string // what is open before the change
	atOnce        string // what the change itself ends
	atLast        string // what then, and the end of the data, make
	visits        string // of the change and after
}

const day = int64(1777564800) // s, of position

// short is a violation in few words.
func short(vs []detect.Violation) string {
	var out []string
	for _, v := range vs {
		subject, end := "", "-"
		for _, s := range []*string{v.Fence, v.Section, v.Permit} {
			if s != nil && subject == "" {
				subject = *s
			}
		}
		if r, ok := v.Detail["route"].(string); ok {
			subject = r
		}
		if v.End != nil {
			end = fmt.Sprint(int64(*v.End)/1000 - day)
		}
		out = append(out, fmt.Sprintf("%s %s %s %d..%s %d fixes %v", v.Kind, subject, v.State, int64(v.Start)/1000-day, end, v.Fixes, v.Notes))
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

func shortVisits(vs []detect.Visit) string {
	var out []string
	for _, v := range vs {
		end, filing := "-", "-"
		if v.Left != nil {
			end = fmt.Sprint(int64(*v.Left)/1000 - day)
		}
		if v.Filing != nil {
			filing = *v.Filing
		}
		out = append(out, fmt.Sprintf("%s %s %d..%s filing %s %v", v.Fence, v.State, int64(v.Entered)/1000-day, end, filing, v.Notes))
	}
	return fmt.Sprint(out)
}

// What is open when the reference data change goes on, ends or is retracted: the same whether the engine takes the change
// while it runs or finds it after a restart from a checkpoint.
func TestPlacesChangeWhileInside(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	at := func(s int64, lat, lon, kmh float64) ingest.Event { return position(v, s, lat, lon, kmh) }
	// in and out are driven 30 s apart; the middle of the places is 35.5, 112.8.
	track := func(from, to, every int64, lat, lon, kmh float64) (out []ingest.Event) {
		for s := from; s <= to; s += every {
			out = append(out, at(s, lat, lon+float64(s%7)*1e-5, kmh))
		}
		return out
	}
	fence := func(kind detect.FenceKind, set ...func(f *detect.Fence)) []detect.Fence {
		f := detect.Fence{ID: "A", Kind: kind, Geometry: square(35.5, 112.8, 0.01)}
		for _, s := range set {
			s(&f)
		}
		return []detect.Fence{{ID: "other", Kind: detect.FenceRegion, Geometry: square(35.5, 112.8, 0.3)}, f}
	}
	away := func(f *detect.Fence) { f.Geometry = square(35.6, 112.8, 0.01) }
	only := []detect.Fence{{ID: "other", Kind: detect.FenceRegion, Geometry: square(35.5, 112.8, 0.3)}}
	reversed := func(f []detect.Fence) []detect.Fence { f = slices.Clone(f); slices.Reverse(f); return f }
	register := func(set func(r *detect.VehicleRecord)) []detect.VehicleRecord {
		r := detect.VehicleRecord{Vehicle: v, Class: detect.ClassHazmat, Region: "420100"}
		if set != nil {
			set(&r)
		}
		return []detect.VehicleRecord{r}
	}
	stay := func(f *detect.Fence) { f.MaxStayS = 60 }
	city := func(f *detect.Fence) { f.Region = "140500" }
	inside, outside := track(0, 120, 30, 35.5, 112.8, 40), track(0, 120, 30, 35.52, 112.8, 40)
	leave := []ingest.Event{at(150, 35.5, 112.8, 40), at(210, 35.5, 112.82, 40), at(240, 35.5, 112.823, 40)}
	ret := []ingest.Event{at(150, 35.52, 112.8, 40), at(300, 35.5, 112.8, 40), at(330, 35.5, 112.8, 40)}
	stopped := track(0, 360, 60, 35.5, 112.8, 0)
	on := []ingest.Event{at(390, 35.5, 112.8, 2), at(420, 35.5, 112.803, 30)}
	routed := func(r *detect.VehicleRecord) { r.Routes = []string{"R"} }
	route := func(lat, width float64) []detect.Route {
		return []detect.Route{{ID: "R", Line: orb.LineString{{112.7, lat}, {112.9, lat}}, WidthM: width}}
	}
	section := func(limit uint16, end float64) []detect.Section {
		return []detect.Section{{ID: "S", Line: orb.LineString{{112.8, 35.5}, {end, 35.5}}, SpeedLimit: limit, GateRadiusM: 50, LengthM: 5000}}
	}
	between := []ingest.Event{at(0, 35.5, 112.795, 60), at(30, 35.5, 112.8, 60), at(60, 35.5, 112.807, 70), at(90, 35.5, 112.814, 70)}
	through := []ingest.Event{at(120, 35.5, 112.821, 70), at(180, 35.5, 112.835, 70), at(240, 35.5, 112.849, 70), at(260, 35.5, 112.8555, 70)}
	line := 112.855109 // 5 km on
	charter := []detect.Permit{{Number: "P", Vehicle: v, Kind: detect.PermitCharter, Fence: "A"}}

	for _, c := range []changed{
		{name: "an entry: the fence is moved away", before: detect.ReferenceData{Fences: fence(detect.FenceForbidden)},
			after: detect.ReferenceData{Fences: fence(detect.FenceForbidden, away)}, open: inside, then: leave,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..150 6 fixes []]"},
		{name: "an entry: the fence means others now", before: detect.ReferenceData{Fences: fence(detect.FenceForbidden)},
			after: detect.ReferenceData{Fences: fence(detect.FenceForbidden, func(f *detect.Fence) { f.Classes = detect.ClassSet(0).With(detect.ClassTruck) })}, open: inside, then: leave,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..120 5 fixes []]"},
		{name: "a stay: the fence is another in the list", before: detect.ReferenceData{Fences: fence(detect.FenceMaxStay, stay)},
			after: detect.ReferenceData{Fences: reversed(fence(detect.FenceMaxStay, stay))}, open: inside, then: leave,
			opened: "[fence_stay A open 0..- 4 fixes []]", atOnce: "[]", atLast: "[fence_stay A closed 0..210 7 fixes []]"},
		{name: "a stay: the fence is gone", before: detect.ReferenceData{Fences: fence(detect.FenceMaxStay, stay)},
			after: detect.ReferenceData{Fences: only}, open: inside, then: leave,
			opened: "[fence_stay A open 0..- 4 fixes []]", atOnce: "[fence_stay A closed 0..120 5 fixes [fence_removed]]", atLast: "[]"},
		{name: "a stay: the fence is forbidden now", before: detect.ReferenceData{Fences: fence(detect.FenceMaxStay, stay)},
			after: detect.ReferenceData{Fences: fence(detect.FenceForbidden)}, open: inside, then: append(track(150, 180, 30, 35.5, 112.8, 40), at(240, 35.5, 112.82, 40), at(270, 35.5, 112.823, 40)),
			opened: "[fence_stay A open 0..- 4 fixes []]", atOnce: "[fence_stay A closed 0..120 5 fixes [fence_removed]]",
			atLast: "[fence_entry A closed 150..240 3 fixes [] fence_entry A open 150..- 2 fixes []]"},
		{name: "an unfiled entry: the fence is gone", before: detect.ReferenceData{Vehicles: register(nil), Fences: fence(detect.FenceJurisdiction, city)},
			after: detect.ReferenceData{Vehicles: register(nil), Fences: only}, open: inside, then: leave,
			opened: "[unfiled_entry A open 0..- 2 fixes []]", atOnce: "[unfiled_entry A closed 0..120 5 fixes [fence_removed]]", atLast: "[]",
			visits: "[A closed 0..120 filing - [fence_removed]]"},
		{name: "an unfiled entry: the filing comes late", before: detect.ReferenceData{Vehicles: register(nil), Fences: fence(detect.FenceJurisdiction, city)},
			after: detect.ReferenceData{Vehicles: register(nil), Fences: fence(detect.FenceJurisdiction, city), Filings: []detect.Filing{{Vehicle: v, Region: "140500", Number: "N"}}},
			open:  inside, then: leave, opened: "[unfiled_entry A open 0..- 2 fixes []]",
			atOnce: "[unfiled_entry A retracted 0..- 5 fixes [late_paper]]", atLast: "[]", visits: "[A closed 0..210 filing N []]"},
		{name: "an unfiled entry: a filing from now on", before: detect.ReferenceData{Vehicles: register(nil), Fences: fence(detect.FenceJurisdiction, city)},
			after: detect.ReferenceData{Vehicles: register(nil), Fences: fence(detect.FenceJurisdiction, city), Filings: []detect.Filing{{Vehicle: v, Number: "N", Start: (day + 140) * 1000}}},
			open:  inside, then: leave, opened: "[unfiled_entry A open 0..- 2 fixes []]",
			atOnce: "[]", atLast: "[unfiled_entry A closed 0..140 5 fixes []]", visits: "[A closed 0..210 filing - []]"},
		{name: "a stop: the fence is gone", before: detect.ReferenceData{Fences: fence(detect.FenceNoStop)},
			after: detect.ReferenceData{Fences: only}, open: stopped, then: on,
			opened: "[fence_stop A open 0..- 6 fixes []]", atOnce: "[fence_stop A closed 0..360 7 fixes [fence_removed]]", atLast: "[]"},
		{name: "a stop: the fence is moved away", before: detect.ReferenceData{Fences: fence(detect.FenceNoStop)},
			after: detect.ReferenceData{Fences: fence(detect.FenceNoStop, away)}, open: stopped, then: on,
			opened: "[fence_stop A open 0..- 6 fixes []]", atOnce: "[]", atLast: "[fence_stop A closed 0..360 7 fixes []]"},
		{name: "a stop: nothing of it changes", before: detect.ReferenceData{Fences: fence(detect.FenceNoStop)},
			after: detect.ReferenceData{Fences: reversed(fence(detect.FenceNoStop))}, open: stopped, then: on,
			opened: "[fence_stop A open 0..- 6 fixes []]", atOnce: "[]", atLast: "[fence_stop A closed 0..420 9 fixes []]"},
		{name: "an exit: the fence is gone", before: detect.ReferenceData{Fences: fence(detect.FenceBound)},
			after: detect.ReferenceData{Fences: only}, open: outside, then: ret,
			opened: "[fence_exit A open 0..- 3 fixes []]", atOnce: "[fence_exit A closed 0..120 5 fixes [fence_removed]]", atLast: "[]"},
		{name: "an exit: the fence is wider now", before: detect.ReferenceData{Fences: fence(detect.FenceBound)},
			after: detect.ReferenceData{Fences: fence(detect.FenceBound, func(f *detect.Fence) { f.Geometry = square(35.5, 112.8, 0.05) })}, open: outside, then: ret,
			opened: "[fence_exit A open 0..- 3 fixes []]", atOnce: "[]", atLast: "[fence_exit A closed 0..150 6 fixes []]"},
		{name: "an exit: of two fences one is gone", before: detect.ReferenceData{Fences: append(fence(detect.FenceBound), detect.Fence{ID: "B", Kind: detect.FenceBound, Geometry: square(35.4, 112.8, 0.01)})},
			after: detect.ReferenceData{Fences: []detect.Fence{{ID: "B", Kind: detect.FenceBound, Geometry: square(35.4, 112.8, 0.01)}}}, open: outside, then: ret,
			opened: "[fence_exit A open 0..- 3 fixes []]", atOnce: "[]", atLast: "[fence_exit A closed 0..330 8 fixes [end_of_data]]"},
		{name: "an exit: the permit is withdrawn", before: detect.ReferenceData{Fences: fence(detect.FenceRegion), Permits: charter},
			after: detect.ReferenceData{Fences: fence(detect.FenceRegion)}, open: outside, then: ret,
			opened: "[fence_exit A open 0..- 3 fixes []]", atOnce: "[fence_exit A closed 0..120 5 fixes []]", atLast: "[]"},
		{name: "an exit: the permit ends sooner", before: detect.ReferenceData{Fences: fence(detect.FenceRegion), Permits: charter},
			after: detect.ReferenceData{Fences: fence(detect.FenceRegion), Permits: []detect.Permit{{Number: "P", Vehicle: v, Kind: detect.PermitCharter, Fence: "A", End: (day + 140) * 1000}}}, open: outside, then: ret,
			opened: "[fence_exit A open 0..- 3 fixes []]", atOnce: "[]", atLast: "[fence_exit A closed 0..140 5 fixes []]"},
		{name: "a deviation: the route is gone", before: detect.ReferenceData{Vehicles: register(routed), Routes: route(35.5, 100)},
			after: detect.ReferenceData{Vehicles: register(nil)}, open: outside, then: ret,
			opened: "[route_deviation R open 0..- 3 fixes []]", atOnce: "[route_deviation R closed 0..120 5 fixes [route_removed]]", atLast: "[]"},
		{name: "a deviation: the route is another road now", before: detect.ReferenceData{Vehicles: register(routed), Routes: route(35.5, 100)},
			after: detect.ReferenceData{Vehicles: register(routed), Routes: route(35.52, 100)}, open: outside, then: append(track(150, 180, 30, 35.52, 112.8, 40), ret[1:]...),
			opened: "[route_deviation R open 0..- 3 fixes []]", atOnce: "[]", atLast: "[route_deviation R closed 0..150 6 fixes []]"},
		{name: "a section: nothing changes", before: detect.ReferenceData{Sections: section(600, line)}, after: detect.ReferenceData{Sections: section(600, line)},
			open: between, then: through, opened: "[]", atOnce: "[]", atLast: "[section_speeding S closed 30..258 6 fixes []]"},
		{name: "a section: another limit", before: detect.ReferenceData{Sections: section(600, line)}, after: detect.ReferenceData{Sections: section(900, line)},
			open: between, then: through, opened: "[]", atOnce: "[]", atLast: "[]"},
		{name: "a section: another line", before: detect.ReferenceData{Sections: section(600, line)}, after: detect.ReferenceData{Sections: section(600, line-0.01)},
			open: between, then: through, opened: "[]", atOnce: "[]", atLast: "[]"},
		{name: "a section: gone", before: detect.ReferenceData{Sections: section(600, line)},
			open: between, then: through, opened: "[]", atOnce: "[]", atLast: "[]"},
	} {
		c.check(t)
	}
}

// check takes the change while the engine runs, and over a restart.
func (c *changed) check(t *testing.T) {
	t.Helper()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("%s, restart %v", c.name, restart), func(t *testing.T) {
			before, after := compile(t, &c.before, 1), compile(t, &c.after, 2)
			e := detect.New(before)
			if got := short(e.Process(slices.Clone(c.open), 1)); got != c.opened {
				t.Fatalf("before the change\n%s\nwant %s", got, c.opened)
			}
			if restart {
				state, _ := e.AppendState(nil, 0, math.MaxInt)
				e = detect.New(after)
				if err := e.LoadState(state); err != nil {
					t.Fatal(err)
				}
			} else {
				e.Use(after)
			}
			var visits []detect.Visit
			if got := short(e.Process(nil, 50)); got != c.atOnce {
				t.Errorf("the change makes\n%s\nwant %s", got, c.atOnce)
			}
			visits = append(visits, e.Visits()...)
			vs := slices.Clone(e.Process(slices.Clone(c.then), 100))
			visits = append(visits, e.Visits()...)
			vs = append(vs, e.Finish(200, true)...)
			visits = append(visits, e.Visits()...)
			if got := short(vs); got != c.atLast {
				t.Errorf("then\n%s\nwant %s", got, c.atLast)
			}
			if got := shortVisits(visits); c.visits != "" && got != c.visits {
				t.Errorf("visits\n%s\nwant %s", got, c.visits)
			}
		})
	}
}

// A waybill that the vehicle itself reports bounds it too, and is there after a restart.
func TestReportedWaybillSurvivesARestart(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	snap := compile(t, &detect.ReferenceData{Routes: []detect.Route{{ID: "R", Line: orb.LineString{{112.7, 35.5}, {112.9, 35.5}}, WidthM: 100}}}, 1)
	e := detect.New(snap)
	bill := ingest.Event{Kind: ingest.KindWaybill, Vehicle: v, Time: day * 1000, Received: day * 1000,
		Waybill: &ingest.Waybill{Number: "W", Start: day * 1000, End: (day + 200) * 1000, Route: "R"}}
	out := e.Process([]ingest.Event{bill, position(v, 0, 35.52, 112.8, 40), position(v, 60, 35.52, 112.801, 40)}, 1)
	if got := short(out); got != "[route_deviation R open 0..- 2 fixes []]" {
		t.Fatalf("opened %s", got)
	}
	state, _ := e.AppendState(nil, 0, math.MaxInt)
	e = detect.New(snap)
	if err := e.LoadState(state); err != nil {
		t.Fatal(err)
	}
	if out := e.Process(nil, 2); len(out) != 0 {
		t.Errorf("the restart makes %s", short(out))
	}
	out = e.Process([]ingest.Event{position(v, 120, 35.52, 112.802, 40), position(v, 240, 35.52, 112.803, 40)}, 3)
	if got := short(out); got != "[route_deviation R closed 0..200 3 fixes []]" {
		t.Errorf("then %s", got)
	}
}

// A new snapshot is taken over between two batches, which wait for it: no vehicle inside of fences, over a limit or standing costs an
// allocation.
func TestUseDoesNotAllocate(t *testing.T) {
	data := detect.ReferenceData{Fences: []detect.Fence{
		{ID: "A", Kind: detect.FenceForbidden, Geometry: square(35.5, 112.8, 0.1)}, {ID: "S", Kind: detect.FenceSpeed, SpeedLimit: 300, Geometry: square(35.5, 112.8, 0.1)},
		{ID: "N", Kind: detect.FenceNoStop, Geometry: square(35.5, 112.8, 0.1)}, {ID: "B", Kind: detect.FenceBound, Geometry: square(30, 110, 0.1)}}}
	snaps := []*detect.Snapshot{compile(t, &data, 1), compile(t, &data, 2)}
	e := detect.New(snaps[0])
	const vehicles = 500
	opened := 0
	for s := int64(0); s <= 600; s += 60 {
		for i := range vehicles {
			kmh := 40.0
			if i%2 == 0 {
				kmh = 0
			}
			opened += len(e.Process([]ingest.Event{position(vehicleOf(t, fmt.Sprintf("晋E%05d", i)), s, 35.5, 112.8+float64(i)*1e-5, kmh)}, 1))
		}
	}
	if opened < 2*vehicles {
		t.Fatalf("only %d violations are open", opened)
	}
	n := 0
	if allocs := testing.AllocsPerRun(10, func() { n++; e.Use(snaps[n%2]) }); allocs != 0 {
		t.Errorf("%v allocations for %d vehicles", allocs, vehicles)
	}
}
