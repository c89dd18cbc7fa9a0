package detect_test

import (
	"fmt"
	"slices"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

func cardOf(v ingest.Vehicle, s int64, license string) ingest.Event {
	return ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: firstMs + s*1000, Received: firstMs + s*1000,
		Driver: &ingest.DriverCard{On: true, License: license, Name: "张三"}}
}

// Ten spells of 4 h and a minute, half a minute of it before the first moving fix and half after the last; with 3 h 50 min more they
// are 44 h in 7 days to the second. A minute more is too much.
func TestWeeklyAt44Hours(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	for over, last := range []int64{3*3600 + 49*60, 3*3600 + 50*60} {
		var events []ingest.Event
		lon := 112.8
		for day := range int64(6) {
			begin, long := day*86400+7*3600, int64(4*3600)
			for part := range int64(2) {
				if day == 5 {
					long = last
				}
				for s := int64(-60); s <= long+1800; s += 60 {
					e := position(v, begin+s, 35.5, lon, 60)
					if s < 0 || s > long {
						e.Position.Speed = 0
					}
					lon += float64(e.Position.Speed) * 1e-5 / 2
					events = append(events, e)
				}
				if begin += 6 * 3600; part == 0 && day == 5 {
					break
				}
			}
			lon = 112.8 + float64(day)*0.001
		}
		events = append(events, cardOf(v, 7*3600-59, "1"))
		snap := compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassCoachLine}}}, 1)
		found, _ := detect.Replay(snap, events, true)
		found = slices.DeleteFunc(found, func(o detect.Violation) bool { return o.Kind != detect.KindFatigueWeekly })
		if len(found) != over {
			t.Fatalf("%d s on the last day: %s", last, dump(found))
		}
		if over == 0 {
			continue
		}
		if start := int64(found[0].Start-firstMs)/1000 - 5*86400; start != 7*3600+last || *found[0].Limit != 44 || *found[0].Measured != 44.02 {
			t.Errorf("opens at second %d of the sixth day: %s", start, dump(found))
		}
	}
}

// A relay permit that comes late takes back what was found without it.
func TestLateRelayPermit(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	data := &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassCoachLine}}}
	e := detect.New(compile(t, data, 1))
	var opened []detect.Violation
	for s := int64(0); s <= 600; s += 60 {
		opened = append(opened, e.Process([]ingest.Event{position(v, 7200+s, 35.5, 112.8+float64(s)*1e-4, 50)}, 1)...)
	}
	if len(opened) != 1 || opened[0].Kind != detect.KindNightDriving || opened[0].State != detect.StateOpen {
		t.Fatalf("opened %s", dump(opened))
	}
	data.Permits = []detect.Permit{{Number: "P1", Vehicle: v, Kind: detect.PermitRelay, Start: firstMs}}
	e.Use(compile(t, data, 2))
	taken := e.Process(nil, 2)
	if len(taken) != 1 || taken[0].ID != opened[0].ID || taken[0].State != detect.StateRetracted || !slices.Contains(taken[0].Notes, "late_paper") {
		t.Errorf("with the permit: %s", dump(taken))
	}
}

// A coach with a card that drives and stops allocates nothing, once the lists have their room.
func TestDrivingTimeAllocatesNothing(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	e := detect.New(compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassCoachLine, NightExempt: true}}}, 1))
	e.Process([]ingest.Event{position(v, 0, 35.5, 112.8, 0), cardOf(v, 1, "1")}, 1)
	s := int64(0)
	next := func() []ingest.Event {
		s += 30
		e := position(v, s, 35.5, 112.8+float64(s%1000)*1e-5, 50)
		if s%1200 == 0 {
			e.Position.Speed = 0
		}
		return []ingest.Event{e}
	}
	for range 8 * 2880 { // the list of pieces is full after a week
		e.Process(next(), 1)
	}
	batches := make([][]ingest.Event, 201)
	for i := range batches {
		batches[i] = next()
	}
	i := 0
	if n := testing.AllocsPerRun(200, func() { e.Process(batches[i], 1); i++ }); n != 0 {
		t.Errorf("%v allocations a position", n)
	}
}

// The driver goes from coach to coach within an engine, also over a restart, whichever vehicle's state is read first.
func TestDriversSumSurvivesARestart(t *testing.T) {
	a, b := vehicleOf(t, "晋E11111"), vehicleOf(t, "晋E22222")
	snap := compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: a, Class: detect.ClassCoachLine}, {Vehicle: b, Class: detect.ClassCoachLine}}}, 1)
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		e := detect.New(snap)
		drive := func(v ingest.Vehicle, from, long int64) (out []detect.Violation) {
			for s := int64(-60); s <= long+1800; s += 60 {
				kmh := 60.0
				if s < 0 || s > long {
					kmh = 0
				}
				out = append(out, e.Process([]ingest.Event{position(v, from+s, 35.5, 112.8+float64(s)*1e-4, kmh)}, 1)...)
			}
			return out
		}
		e.Process([]ingest.Event{position(a, 21600-120, 35.5, 112.8, 0), cardOf(a, 21600-100, "1")}, 1)
		drive(a, 21600, 3*3600)
		drive(a, 21600+4*3600, 3*3600)
		e.Process([]ingest.Event{position(b, 60000-120, 35.5, 112.8, 0), cardOf(b, 60000-100, "1"), cardOf(a, 60000-90, "2")}, 1)
		var chunks [][]byte
		for from := 0; from < e.Vehicles(); {
			var chunk []byte
			chunk, from = e.AppendState(nil, from, 1)
			chunks = append(chunks, chunk)
		}
		e = detect.New(snap)
		for _, n := range order {
			if err := e.LoadState(chunks[n]); err != nil {
				t.Fatal(err)
			}
		}
		found := slices.DeleteFunc(drive(b, 60000, 3*3600), func(o detect.Violation) bool { return o.Kind != detect.KindFatigueDaily })
		if len(found) == 0 || found[0].Plate != "晋E22222" || found[0].Driver.License != "1" {
			t.Errorf("read in the order %v: %s", order, fmt.Sprint(dump(found)))
		}
	}
}
