package detect_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// The slow reading of the rules about weighings: overload, hundred_tonne, oversize, permit_mismatch and the evaded record. All weighings in
// memory, one question after another.

// slowOver says by how much x exceeds limit where that is more than pct percent, in whole units.
func slowPctOver(x, limit int64, pct float64) bool {
	return float64(x)*100 > float64(limit)*(100+pct)+1e-6
}

type slowScale struct {
	data *detect.ReferenceData
}

func (s *slowScale) station(id string) *detect.Station {
	for i := range s.data.Stations {
		if s.data.Stations[i].ID == id {
			return &s.data.Stations[i]
		}
	}
	return nil
}

// pct is the tolerance of a weighing in percent.
func (s *slowScale) pct(w *ingest.Weighing) float64 {
	st := s.station(w.Station)
	if st != nil && st.TolerancePct >= 0 {
		return st.TolerancePct
	}
	if w.Method == ingest.MethodStatic || w.Method == ingest.MethodUnknown && st != nil && st.Method == ingest.MethodStatic {
		return 0
	}
	return 5
}

func (s *slowScale) permits(e *ingest.Event) (out []detect.Permit) {
	for _, p := range s.data.Permits {
		if p.Vehicle == e.Vehicle && p.Kind == detect.PermitOversize && p.Start <= e.Time && (p.End == 0 || e.Time < p.End) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b detect.Permit) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// sizes returns the dimensions that exceed three limits by more than the station's tolerance: "name over". A limit of 0 is none.
func (s *slowScale) sizes(w *ingest.Weighing, length, width, height uint32) (out []string, most int64) {
	tolerances := [3]int64{100, 100, 20}
	if st := s.station(w.Station); st != nil && st.SizeToleranceMm >= 0 {
		for i := range tolerances {
			tolerances[i] = int64(st.SizeToleranceMm)
		}
	}
	limits := [3]uint32{length, width, height}
	for i, mm := range [3]uint32{w.LengthMm, w.WidthMm, w.HeightMm} {
		if over := int64(mm) - int64(limits[i]); limits[i] != 0 && over > tolerances[i] {
			out = append(out, fmt.Sprintf("%s %d", [3]string{"length", "width", "height"}[i], over))
			most = max(most, over)
		}
	}
	return out, most
}

func (s *slowScale) read(events []ingest.Event) (out []string) {
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received))
	})
	known := map[string]bool{}
	var overloads []ingest.Event
	for i := range events {
		e := &events[i]
		w := e.Weighing
		name := fmt.Sprint(e.Vehicle, w.Station, w.Record)
		if known[name] {
			continue
		}
		known[name] = true
		found := func(kind string, format string, args ...any) {
			out = append(out, fmt.Sprintf("%s %s %s %s at %d: ", e.Vehicle, kind, w.Station, w.Record, (e.Time-firstMs)/1000)+fmt.Sprintf(format, args...))
		}
		var rec *detect.VehicleRecord
		for i := range s.data.Vehicles {
			if s.data.Vehicles[i].Vehicle == e.Vehicle {
				rec = &s.data.Vehicles[i]
			}
		}
		permits, pct, gross := s.permits(e), s.pct(w), int64(w.GrossKg)

		// The mass limit.
		limit, permit := int64(0), "-"
		for _, p := range permits {
			if int64(p.GrossKg) > limit {
				limit, permit = int64(p.GrossKg), p.Number
			}
		}
		axles, comb, single := w.Axles, w.Combination, w.SingleDriveAxle
		if rec != nil {
			if axles == 0 {
				axles = rec.Axles
			}
			if comb == ingest.Unknown {
				comb = rec.Combination
			}
			if single == ingest.Unknown {
				single = rec.SingleDriveAxle
			}
		}
		if limit == 0 && axles >= 2 && comb != ingest.Unknown {
			table := map[int]int64{2: 18000, 3: 25000, 4: 31000, 5: 43000, 6: 49000}
			if comb == ingest.Yes {
				table = map[int]int64{2: 27000, 3: 27000, 4: 36000, 5: 43000, 6: 49000}
			}
			limit = table[min(int(axles), 6)]
			if comb == ingest.Yes && axles >= 6 && single == ingest.Yes {
				limit = 46000
			}
			if comb == ingest.No && axles == 2 && rec != nil && rec.GrossLimitKg != 0 {
				limit = min(limit, int64(rec.GrossLimitKg))
			}
		}
		if limit != 0 && slowPctOver(gross, limit, pct) {
			fine := int64(0)
			if over := gross - limit; over > 1000 {
				fine = min(over/1000*500, 30000)
			}
			year := 0
			for _, o := range overloads {
				if o.Vehicle == e.Vehicle && e.Time-o.Time <= 365*86400_000 {
					year++
				}
			}
			found("overload", "%d / %d permit %s fine %d before %d", gross, limit, permit, fine, year)
			overloads = append(overloads, *e)
		}

		// A hundred tonnes.
		if gross >= 100000 && !slices.ContainsFunc(permits, func(p detect.Permit) bool {
			return p.GrossKg == 0 || !slowPctOver(gross, int64(p.GrossKg), pct)
		}) {
			found("hundred_tonne", "%d / 100000", gross)
		}

		// The outline, without a permit.
		if large, most := s.sizes(w, 18100, 2550, 4000); len(large) > 0 && len(permits) == 0 {
			for i, l := range large { // the first of the greatest
				if strings.HasSuffix(l, fmt.Sprintf(" %d", most)) {
					large = append([]string{l}, slices.Delete(slices.Clone(large), i, i+1)...)
					break
				}
			}
			found("oversize", "%s", strings.Join(large, ", "))
		}

		// The permits: the one that covers most.
		type reading struct {
			detect.Permit
			exceeded []string
		}
		var readings []reading
		for _, p := range permits {
			r := reading{Permit: p}
			if p.GrossKg != 0 && slowPctOver(gross, int64(p.GrossKg), pct) {
				r.exceeded = append(r.exceeded, fmt.Sprintf("mass %d", gross-int64(p.GrossKg)))
			}
			large, _ := s.sizes(w, p.LengthMm, p.WidthMm, p.HeightMm)
			r.exceeded = append(r.exceeded, large...)
			readings = append(readings, r)
		}
		light := func(r reading) bool { return len(r.exceeded) == 0 || !strings.HasPrefix(r.exceeded[0], "mass") }
		if slices.ContainsFunc(readings, light) { // some cover the mass: only they count
			readings = slices.DeleteFunc(readings, func(r reading) bool { return !light(r) })
		} else if len(readings) > 0 { // none: those of the greatest mass
			top := slices.MaxFunc(readings, func(a, b reading) int { return cmp.Compare(a.GrossKg, b.GrossKg) }).GrossKg
			readings = slices.DeleteFunc(readings, func(r reading) bool { return r.GrossKg != top })
		}
		if len(readings) > 0 {
			best := slices.MinFunc(readings, func(a, b reading) int {
				return cmp.Or(cmp.Compare(len(a.exceeded), len(b.exceeded)), cmp.Compare(a.Number, b.Number))
			})
			if len(best.exceeded) > 0 {
				found("permit_mismatch", "%s: %s", best.Number, strings.Join(best.exceeded, ", "))
			}
		}
	}
	slices.Sort(out)
	return out
}

// weighingText is a violation as the slow reading writes it.
func weighingText(t *testing.T, o *detect.Violation) string {
	t.Helper()
	v, err := ingest.NewVehicle(o.Plate, o.Color)
	if err != nil {
		t.Fatal(err)
	}
	if o.State != detect.StateClosed || *o.End != o.Start || o.Measured != nil && (o.Limit == nil || o.OverPct == nil || o.Band == nil) || o.EvidenceHash == "" || len(o.Basis) == 0 {
		t.Errorf("%+v is no complete record of a weighing", o)
	}
	text := fmt.Sprintf("%s %s %s %s at %d: ", v, o.Kind, *o.Station, o.Detail["record"], (int64(o.Start)-firstMs)/1000)
	var large []string
	list := func(key string) {
		for _, x := range o.Detail[key].([]any) {
			switch m := x.(map[string]any); {
			case m["mass"] != nil:
				large = append(large, fmt.Sprint("mass ", m["over_kg"]))
			default:
				large = append(large, fmt.Sprint(m["dimension"], " ", m["over_mm"]))
			}
		}
	}
	switch o.Kind {
	case detect.KindOverload:
		permit := "-"
		if o.Permit != nil {
			permit = *o.Permit
		}
		text += fmt.Sprintf("%.0f / %.0f permit %s fine %v before %v", *o.Measured, *o.Limit, permit, o.Detail["fine_cny"], o.Detail["overloads_last_year"])
	case detect.KindHundredTonne:
		text += fmt.Sprintf("%.0f / %.0f", *o.Measured, *o.Limit)
	case detect.KindOversize:
		large = append(large, fmt.Sprint(o.Detail["dimension"], " ", o.Detail["over_mm"]))
		if over := *o.Measured - *o.Limit; fmt.Sprint(over) != fmt.Sprint(o.Detail["over_mm"]) {
			t.Errorf("%s: over by %v", text, over)
		}
		list("others")
		text += strings.Join(large, ", ")
	case detect.KindPermitMismatch:
		list("exceeded")
		text += *o.Permit + ": " + strings.Join(large, ", ")
	}
	return text
}

// randomScale is a weigh station's bad day: masses and sizes at and about every limit, permits that overlap, numbers used twice.
func randomScale(t *testing.T, rng *rand.Rand) (*detect.ReferenceData, []ingest.Event) {
	d := &detect.ReferenceData{}
	about := func(steps []uint32, of ...uint32) uint32 {
		x := of[rng.IntN(len(of))]
		if rng.IntN(2) == 0 {
			x += steps[rng.IntN(len(steps))]
		}
		return x + uint32(rng.IntN(3)) - 1
	}
	tri := func() ingest.Tri { return ingest.Tri(rng.IntN(3)) }
	vehicles := []ingest.Vehicle{vehicleOf(t, "晋E10000"), vehicleOf(t, "晋E10001"), vehicleOf(t, "晋E10002")}
	for _, v := range vehicles[:2] {
		d.Vehicles = append(d.Vehicles, detect.VehicleRecord{Vehicle: v, Class: detect.ClassHeavyTruck, Axles: uint8(rng.IntN(8)), Combination: tri(),
			SingleDriveAxle: tri(), GrossLimitKg: uint32(rng.IntN(2)) * 16000})
	}
	for i := range 2 {
		s := detect.Station{ID: fmt.Sprint("S", i), Method: ingest.Method(rng.IntN(3)), TolerancePct: -1, SizeToleranceMm: -1}
		if rng.IntN(2) == 0 {
			s.TolerancePct = float64(rng.IntN(4)) * 1.25
		}
		if rng.IntN(2) == 0 {
			s.SizeToleranceMm = int32(rng.IntN(4)) * 20
		}
		d.Stations = append(d.Stations, s)
	}
	instant := func() int64 { return firstMs + int64(rng.IntN(20))*600_000 }
	some := func(x uint32) uint32 { return x * uint32(min(1, rng.IntN(4))) }
	for i := range rng.IntN(6) {
		p := detect.Permit{Number: fmt.Sprint("P", 9-i), Vehicle: vehicles[rng.IntN(3)], Kind: detect.PermitOversize, Start: instant(), End: instant(),
			GrossKg: some(about([]uint32{0}, 55000, 80000, 80000, 100000, 120000)), LengthMm: some(about([]uint32{0}, 20000, 25000)),
			WidthMm: some(about([]uint32{0}, 3000, 3500)), HeightMm: some(about([]uint32{0}, 4200, 4500))}
		if rng.IntN(6) == 0 {
			p.Kind = detect.PermitRelay
		}
		if rng.IntN(3) == 0 {
			p.End = 0
		}
		if rng.IntN(3) == 0 {
			p.Start = 0
		}
		d.Permits = append(d.Permits, p)
	}
	var events []ingest.Event
	for range 5 + rng.IntN(30) {
		w := &ingest.Weighing{Station: fmt.Sprint("S", rng.IntN(3)), Record: fmt.Sprint("R", rng.IntN(25)), Axles: uint8(rng.IntN(8)), Combination: tri(), SingleDriveAxle: tri(),
			Method: ingest.Method(rng.IntN(3)), Speed: ingest.NoSpeed}
		w.GrossKg = about([]uint32{500, 1000, 2000, 2450, 4000, 5000}, 18000, 27000, 31000, 49000, 51450, 80000, 99999, 100000, 120000)
		sizes := []uint32{1, 20, 40, 60, 100, 101}
		w.LengthMm = some(about(sizes, 16000, 18100, 18100, 20000, 25000))
		w.WidthMm = some(about(sizes, 2500, 2550, 2550, 3000, 3500))
		w.HeightMm = some(about(sizes, 3900, 4000, 4000, 4200, 4500))
		e := ingest.Event{Kind: ingest.KindWeighing, Vehicle: vehicles[rng.IntN(3)], Time: instant(), Weighing: w}
		e.Received = e.Time + int64(rng.IntN(3))*1000
		events = append(events, e)
	}
	return d, events
}

func TestWeighingsAgreeWithASlowReading(t *testing.T) {
	scales := many(5000, 500)
	seen := map[string]int{}
	for n := range scales {
		rng := rand.New(rand.NewPCG(uint64(n), 31))
		data, events := randomScale(t, rng)
		want := (&slowScale{data}).read(slices.Clone(events))
		found, _ := detect.Replay(compile(t, data, 1), events, true)
		var got []string
		for i := range found {
			switch k := found[i].Kind; k {
			case detect.KindOverload, detect.KindHundredTonne, detect.KindOversize, detect.KindPermitMismatch:
				got = append(got, weighingText(t, &found[i]))
				seen[string(k)]++
			}
		}
		slices.Sort(got)
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Fatalf("scale %d: the engine finds\n%s\nthe slow reading\n%s", n, g, w)
		}
	}
	for _, k := range []detect.Kind{detect.KindOverload, detect.KindHundredTonne, detect.KindOversize, detect.KindPermitMismatch} {
		if seen[string(k)] < scales/5 {
			t.Errorf("the scales made only %v: they prove little", seen)
		}
	}
	t.Logf("%d scales: %v", scales, seen)
}
