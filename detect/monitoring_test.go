package detect_test

import (
	"fmt"
	"maps"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// What a running clock says of a lorry that falls silent, and when.
func TestGoneDarkByTheClock(t *testing.T) {
	v, other := vehicleOf(t, "晋E12345"), vehicleOf(t, "晋E99999")
	snap := compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHeavyTruck}}}, 1)
	at := func(s, received int64, lon float64) ingest.Event {
		e := position(v, s, 35.5, lon, 60)
		e.Received = position(v, received, 0, 0, 0).Time
		return e
	}
	tick := func(s int64) ingest.Event { return position(other, s, 35.4, 112.8, 0) }
	unlocated := at(1400, 1401, 112.8)
	unlocated.Position.Located = false
	jump := at(700, 701, 118)
	for _, c := range []struct {
		name  string
		steps []ingest.Event
		want  []string // of each step
	}{
		{"opens 10 min after it came, closes with the next position", []ingest.Event{at(0, 5, 112.8), tick(604), tick(605), at(1400, 1401, 112.9), tick(1500)},
			[]string{"", "", "[gone_dark  open 0..- 1 fixes []]", "[gone_dark  closed 0..1400 2 fixes []]", ""}},
		{"a report was under way", []ingest.Event{at(0, 5, 112.8), tick(900), at(599, 901, 112.87)},
			[]string{"", "[gone_dark  open 0..- 1 fixes []]", "[gone_dark  retracted 0..- 1 fixes [heard_within_the_time]]"}},
		{"found where it was", []ingest.Event{at(0, 5, 112.8), tick(900), at(1400, 1401, 112.801)},
			[]string{"", "[gone_dark  open 0..- 1 fixes []]", "[gone_dark  retracted 0..- 1 fixes [found_near]]"}},
		{"closed by a position without place, retracted by the next fix", []ingest.Event{at(0, 5, 112.8), tick(900), unlocated, at(1430, 1431, 112.801)},
			[]string{"", "[gone_dark  open 0..- 1 fixes []]", "[gone_dark  closed 0..1400 1 fixes []]", "[gone_dark  retracted 0..- 1 fixes [found_near]]"}},
		{"a jump is a position, the one after it no fix either", []ingest.Event{at(0, 500, 112.8), jump, unlocated, at(1430, 1431, 112.9)},
			[]string{"", "", "[gone_dark  closed 0..700 1 fixes []]", "[gone_dark  closed 0..700 1 fixes []]"}},
		{"goes on: asked again 10 min after the last", []ingest.Event{at(0, 5, 112.8), at(300, 301, 112.85), tick(605), tick(900), tick(901)},
			[]string{"", "", "", "", "[gone_dark  open 300..- 1 fixes []]"}},
	} {
		e := detect.New(snap)
		for i := range c.steps {
			got := short(e.Process(c.steps[i:i+1], uint64(i)))
			if want := c.want[i]; got != want && !(want == "" && got == "[]") {
				t.Errorf("%s: step %d makes %s, want %s", c.name, i, got, want)
			}
		}
	}
}

// Four vehicles in conflict make it the station's fault: what was told of the first three is taken back. When a fix that was stored shows
// that the fourth had been there after all, it stands again.
func TestStationIsBlamedAndCleared(t *testing.T) {
	data := &detect.ReferenceData{Stations: []detect.Station{{ID: "S1", Lat: 35500000, Lon: 112800000, TolerancePct: -1, SizeToleranceMm: -1}}}
	e := detect.New(compile(t, data, 1))
	states := map[string]detect.State{}
	feed := func(events ...ingest.Event) {
		t.Helper()
		for _, v := range e.Process(events, 1) {
			if v.Kind == detect.KindPositionConflict {
				states[v.Plate] = v.State
			}
		}
	}
	want := func(faults uint64, states, now map[string]detect.State) {
		t.Helper()
		if !maps.Equal(states, now) || e.Stats().StationFaults["S1"] != faults {
			t.Errorf("%v, %d at fault; want %v, %d", now, e.Stats().StationFaults["S1"], states, faults)
		}
	}
	var vs []ingest.Vehicle
	for i := range 4 {
		vs = append(vs, vehicleOf(t, fmt.Sprint("晋E1234", i)))
		feed(position(vs[i], int64(i), 35.5, 113.2, 0)) // 36 km away
	}
	weigh := func(i int) {
		p := position(vs[i], 900+int64(i), 0, 0, 0)
		feed(ingest.Event{Kind: ingest.KindWeighing, Vehicle: vs[i], Time: p.Time, Received: p.Time, Weighing: &ingest.Weighing{Station: "S1", Record: fmt.Sprint("R", i)}})
	}
	for i := range 3 {
		weigh(i)
	}
	closed := map[string]detect.State{"晋E12340": detect.StateClosed, "晋E12341": detect.StateClosed, "晋E12342": detect.StateClosed}
	want(0, closed, states)
	weigh(3)
	retracted := maps.Clone(closed)
	for k := range retracted {
		retracted[k] = detect.StateRetracted
	}
	want(4, retracted, states)
	stored := position(vs[3], 800, 35.5, 112.81, 0)
	stored.Received += 600_000
	feed(stored)
	want(0, closed, states)

	// An engine that is restarted in between judges the same.
	state, _ := e.AppendState(nil, 0, 1<<20)
	e = detect.New(compile(t, data, 1))
	if err := e.LoadState(state); err != nil {
		t.Fatal(err)
	}
	p := position(vs[3], 1500, 35.5, 113.2, 0) // 35 km in 700 s
	feed(p, ingest.Event{Kind: ingest.KindWeighing, Vehicle: vs[3], Time: p.Time, Received: p.Time, Weighing: &ingest.Weighing{Station: "S1", Record: "R4"}})
	want(5, retracted, states) // with the first weighing of the fourth, after which it was too far away again
}
