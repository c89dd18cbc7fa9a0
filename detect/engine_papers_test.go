package detect_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// A waybill that comes late, by an event, by a new snapshot or by one after a restart: what was found before it was valid stands, and
// ends when it is known; else it is retracted.
func TestWaybillThatComesLate(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	with := func(generation uint32, bills ...detect.WaybillRecord) *detect.Snapshot {
		return compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}, Waybills: bills}, generation)
	}
	at := func(s int64) int64 { return firstMs + s*1000 }
	for _, c := range []struct {
		name       string
		start, end int64 // s
		want       string
	}{
		{"valid all the time", -3600, 7200, "retracted 0 [late_paper]"},
		{"valid at the beginning", -3600, 120, "retracted 0 [late_paper]"},
		{"valid before it was proven", 300, 7200, "retracted 0 [late_paper]"},
		{"valid after it was proven", 660, 7200, "closed 720 [late_paper]"},
		{"valid before", -3600, 0, ""},
		{"valid afterwards", 900, 7200, ""},
	} {
		for _, way := range []string{"event", "snapshot", "restart"} {
			e := detect.New(with(1))
			var out []detect.Violation
			keep := func(vs []detect.Violation) {
				for _, o := range vs {
					if o.Kind == detect.KindNoWaybill {
						out = append(out, o)
					}
				}
			}
			for s := int64(0); s <= 720; s += 30 {
				keep(e.Process([]ingest.Event{position(v, s, 35.5, 112.8+float64(s)*1e-4, 33)}, uint64(s+1)))
			}
			if len(out) != 1 || out[0].State != detect.StateOpen || out[0].Version != 601 {
				t.Fatalf("%s: opened %s", c.name, dump(out))
			}
			out = out[:0]
			bill := detect.WaybillRecord{Number: "W1", Vehicle: v, Start: at(c.start), End: at(c.end)}
			switch way {
			case "event":
				w := &ingest.Waybill{Number: "W1", Start: bill.Start, End: bill.End}
				keep(e.Process([]ingest.Event{{Kind: ingest.KindWaybill, Vehicle: v, Time: at(725), Received: at(725), Waybill: w}}, 726))
			case "snapshot":
				e.Use(with(2, bill))
			case "restart":
				state, _ := e.AppendState(nil, 0, math.MaxInt)
				e = detect.New(with(2, bill))
				if err := e.LoadState(state); err != nil {
					t.Fatal(err)
				}
			}
			keep(e.Process(nil, 726))
			got := ""
			for _, o := range out {
				end := int64(0)
				if o.End != nil {
					end = (int64(*o.End) - firstMs) / 1000
				}
				got += fmt.Sprintf("%s %d %v", o.State, end, o.Notes)
			}
			if got != c.want {
				t.Errorf("%s, by %s: %q, want %q", c.name, way, got, c.want)
			}
		}
	}
}

// A vehicle that is no longer one for dangerous goods needs no waybill: the violation ends where it last held.
func TestNoWaybillEndsWithTheClass(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	as := func(c detect.Class, generation uint32) *detect.Snapshot {
		return compile(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: c}}}, generation)
	}
	e := detect.New(as(detect.ClassHazmat, 1))
	for s := int64(0); s <= 720; s += 30 {
		e.Process([]ingest.Event{position(v, s, 35.5, 112.8+float64(s)*1e-4, 33)}, 1)
	}
	e.Use(as(detect.ClassTruck, 2))
	out := slices.DeleteFunc(slices.Clone(e.Process([]ingest.Event{position(v, 750, 35.5, 112.875, 33)}, 2)), func(o detect.Violation) bool { return o.Kind != detect.KindNoWaybill })
	if len(out) != 1 || out[0].State != detect.StateClosed || int64(*out[0].End) != firstMs+720_000 {
		t.Errorf("as a truck: %s", dump(out))
	}
}
