package detect_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// The slow reading of the rules about monitoring. As in slow_test.go: whole tracks, one pass for each question.

// slowWatch is a case: what is known beforehand, and all that vehicles and stations reported.
type slowWatch struct {
	data     *detect.ReferenceData
	blind    []*geo.Shape // of data.Fences
	clock    int64        // s, at the end
	vehicles []*slowWatched
}

type slowWatched struct {
	id        ingest.Vehicle
	class     detect.Class
	heard     []slowReport // every position that passes the gate's first test, in order of time
	fixes     []slowSeen
	weighings []ingest.Event // in order of time; of equal ones the first
}

// slowReport is a position, located or not.
type slowReport struct{ t, received int64 }

type slowSeen struct {
	slowFix
	received int64 // of the position with which it became a fix
	mileage  int   // 0.1 km; -1 unknown
	lone     bool
}

// slowSilence is a violation of a rule about monitoring.
type slowSilence struct {
	vehicle       ingest.Vehicle
	kind, subject string
	start, end    int64 // s; end -1: open
	measured      string
	fixes         int
	metres        float64
	atEnd         bool
}

func (o slowSilence) String() string {
	return fmt.Sprintf("%s %s %s %d..%d measured %s, %d fixes %.0f m end_of_data=%v", o.vehicle, o.kind, o.subject, o.start-firstMs/1000, o.end-firstMs/1000, o.measured, o.fixes, o.metres, o.atEnd)
}

func slowMonitored(c detect.Class) bool {
	return c.Coach() || c == detect.ClassHazmat || c == detect.ClassHeavyTruck || c == detect.ClassDumpTruck
}

// newSlowWatch sorts what was reported by vehicle.
func newSlowWatch(data *detect.ReferenceData, blind []*geo.Shape, events []ingest.Event) *slowWatch {
	w := &slowWatch{data: data, blind: blind}
	var ids []ingest.Vehicle
	for _, e := range events {
		if !slices.Contains(ids, e.Vehicle) {
			ids = append(ids, e.Vehicle)
		}
		if e.Time <= e.Received+300_000 {
			w.clock = max(w.clock, e.Received/1000)
		}
	}
	for _, id := range ids {
		v := &slowWatched{id: id}
		for _, r := range data.Vehicles {
			if r.Vehicle == id {
				v.class = r.Class
			}
		}
		var positions []ingest.Event
		for _, e := range events {
			switch {
			case e.Vehicle != id:
			case e.Kind == ingest.KindPosition:
				positions = append(positions, e)
			case e.Kind == ingest.KindWeighing:
				v.weighings = append(v.weighings, e)
			}
		}
		byTime := func(a, b ingest.Event) int {
			return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received))
		}
		slices.SortStableFunc(positions, byTime)
		slices.SortStableFunc(v.weighings, byTime)
		var once []ingest.Event
		for _, e := range v.weighings {
			if !slices.ContainsFunc(once, func(o ingest.Event) bool {
				return o.Weighing.Station == e.Weighing.Station && o.Weighing.Record == e.Weighing.Record
			}) {
				once = append(once, e)
			}
		}
		v.weighings = once
		for _, e := range positions {
			if e.Time <= e.Received+300_000 {
				v.heard = append(v.heard, slowReport{e.Time / 1000, e.Received / 1000})
			}
		}
		fixes := slowGate(slices.Clone(positions))
		slowMotion(fixes)
		for _, f := range fixes {
			s := slowSeen{slowFix: f, mileage: -1}
			for _, e := range positions {
				if e.Time/1000 == f.t && e.Time <= e.Received+300_000 && e.Position.Located && (e.Position.Speed == ingest.NoSpeed || e.Position.Speed <= 2200) {
					s.received = e.Received / 1000
					if e.Position.Mileage != ingest.NoMileage {
						s.mileage = int(e.Position.Mileage)
					}
					break
				}
			}
			v.fixes = append(v.fixes, s)
		}
		for i := range v.fixes {
			if v.fixes[i].broken { // three jumps in a row became fixes with the third
				v.fixes[i].received, v.fixes[i+1].received = v.fixes[i+2].received, v.fixes[i+2].received
			}
		}
		slowLone(v.fixes)
		w.vehicles = append(w.vehicles, v)
	}
	return w
}

// slowLone finds the moving fixes that belong to the stop around them.
func slowLone(fixes []slowSeen) {
	stopped := false
	var place geo.Point
	for i := range fixes {
		f := &fixes[i]
		if f.broken {
			stopped = false
		}
		switch {
		case f.speed < 0:
		case f.speed < 50:
			if !stopped || geo.Distance(place, f.p) > 200 {
				stopped, place = true, f.p
			}
		case stopped && geo.Distance(place, f.p) <= 200 && i+1 < len(fixes) && !fixes[i+1].broken && fixes[i+1].speed >= 0 && fixes[i+1].speed < 50:
			f.lone = true
		default:
			stopped = false
		}
	}
}

func (w *slowWatch) inBlind(v *slowWatched, p geo.Point, t int64) bool {
	for i := range w.data.Fences {
		f := &w.data.Fences[i]
		if f.Kind == detect.FenceBlind && slowMeans(f, &detect.VehicleRecord{Vehicle: v.id, Class: v.class}) && slowInForce(f.Schedule, t) && w.blind[i].Contains(p) {
			return true
		}
	}
	return false
}

// extent counts fixes and metres of fixes from start to end.
func (v *slowWatched) extent(o *slowSilence, end int64) {
	last := -1
	for i, f := range v.fixes {
		if f.t < o.start || f.t > end {
			continue
		}
		if last >= 0 && !f.broken {
			o.metres += geo.Distance(v.fixes[last].p, f.p)
		}
		o.fixes++
		last = i
	}
}

func (w *slowWatch) goneDark(v *slowWatched) (out []slowSilence) {
	if !slowMonitored(v.class) {
		return nil
	}
	for i, f := range v.fixes {
		if f.speed < 200 || f.lone || w.inBlind(v, f.p, f.t) {
			continue
		}
		if f.broken || i > 0 && v.fixes[i-1].broken { // a jump, until the third one came: not known where it was
			continue
		}
		next := slices.IndexFunc(v.heard, func(h slowReport) bool { return h.t > f.t })
		o := slowSilence{vehicle: v.id, kind: "gone_dark", start: f.t, end: -1}
		if next < 0 {
			came := v.heard[slices.IndexFunc(v.heard, func(h slowReport) bool { return h.t == f.t })].received
			if w.clock-came < 600 {
				continue
			}
			o.measured, o.atEnd = minutes(w.clock-f.t), true
			v.extent(&o, f.t)
			out = append(out, o)
			continue
		}
		o.end = v.heard[next].t
		if o.end-f.t < 600 || i+1 < len(v.fixes) && geo.Distance(f.p, v.fixes[i+1].p) < 1000 {
			continue
		}
		o.measured = minutes(o.end - f.t)
		v.extent(&o, o.end)
		out = append(out, o)
	}
	return out
}

func (w *slowWatch) offlineDisplacement(v *slowWatched) (out []slowSilence) {
	if !slowMonitored(v.class) {
		return nil
	}
	for i := 1; i < len(v.fixes); i++ {
		a, b := v.fixes[i-1], v.fixes[i]
		d := geo.Distance(a.p, b.p)
		if b.broken || b.t-a.t < 1800 || d <= 20000 || w.inBlind(v, a.place, a.t) || w.inBlind(v, b.place, b.t) || w.clock < b.received+7200 {
			continue
		}
		o := slowSilence{vehicle: v.id, kind: "offline_displacement", start: a.t, end: b.t, measured: fmt.Sprintf("%.1f", math.RoundToEven(d/100)/10)}
		v.extent(&o, b.t)
		out = append(out, o)
	}
	return out
}

// frozenFrom finds the first fix that proves from others after from, the first of which is i, that the place is frozen.
func (w *slowWatch) frozenFrom(v *slowWatched, from int, byMileage bool) (i, proof int) {
	step := func(i, j int) bool { // from fix j-1 to j, in a run that begins with i
		a, f, b := v.fixes[i], v.fixes[j-1], v.fixes[j]
		if b.broken || b.t-f.t > 300 || !slowSame(a.p, b.p) {
			return false
		}
		if !byMileage {
			return b.speed >= 200
		}
		return f.mileage >= 0 && b.mileage >= f.mileage && float64(b.mileage-f.mileage-1)*0.1 <= 220*float64(b.t-f.t)/3600
	}
	for i = from; i+1 < len(v.fixes); {
		first, second := v.fixes[i], v.fixes[i+1]
		begins := step(i, i+1) && !w.inBlind(v, first.place, first.t)
		if byMileage {
			begins = begins && second.mileage > first.mileage
		} else {
			begins = begins && first.speed >= 200
		}
		if !begins {
			i++
			continue
		}
		j := i + 1
		for ; j < len(v.fixes) && step(i, j); j++ {
			if v.fixes[j].t-first.t >= 300 && (!byMileage || v.fixes[j].mileage-first.mileage >= 20) {
				return i, j
			}
		}
		i = j - 1
	}
	return 0, math.MaxInt
}

func slowSame(a, b geo.Point) bool {
	return math.Abs(float64(a.Lat-b.Lat)) <= 10 && math.Abs(float64(a.Lon-b.Lon)) <= 10
}

func (w *slowWatch) frozen(v *slowWatched) (out []slowSilence) {
	if !slowMonitored(v.class) {
		return nil
	}
	for from := 0; ; {
		i, proof := w.frozenFrom(v, from, false)
		if i2, proof2 := w.frozenFrom(v, from, true); proof2 < proof || proof2 == proof && i2 < i {
			i, proof = i2, proof2
		}
		if proof == math.MaxInt {
			return out
		}
		k := proof + 1
		for ; k < len(v.fixes) && !v.fixes[k].broken && v.fixes[k].t-v.fixes[k-1].t <= 300 && slowSame(v.fixes[i].p, v.fixes[k].p); k++ {
		}
		o := slowSilence{vehicle: v.id, kind: "frozen_position", start: v.fixes[i].t, end: v.fixes[k-1].t, atEnd: k == len(v.fixes)}
		if k < len(v.fixes) && !v.fixes[k].broken && v.fixes[k].t-v.fixes[k-1].t <= 300 {
			o.end = v.fixes[k].t
		}
		o.measured = minutes(o.end - o.start)
		v.extent(&o, o.end)
		out = append(out, o)
		from = k
	}
}

// place is where a weighing was made; false where nobody knows.
func (w *slowWatch) place(e *ingest.Event) (geo.Point, bool) {
	for _, s := range w.data.Stations {
		if s.ID == e.Weighing.Station && (s.Lat != 0 || s.Lon != 0) {
			return geo.Point{Lat: s.Lat, Lon: s.Lon}, true
		}
	}
	p := geo.Point{Lat: e.Weighing.Lat, Lon: e.Weighing.Lon}
	return p, p.Lat != 0 || p.Lon != 0
}

func (w *slowWatch) unmonitored(v *slowWatched) (out []slowSilence) {
	if !slowMonitored(v.class) {
		return nil
	}
	for _, e := range v.weighings {
		t := e.Time / 1000
		near := slices.ContainsFunc(v.heard, func(h slowReport) bool { return h.t >= t-600 && h.t <= t+600 })
		if near || e.Time > e.Received+300_000 || w.clock < max(t, e.Received/1000)+600 {
			continue
		}
		out = append(out, slowSilence{vehicle: v.id, kind: "unmonitored_running", subject: e.Weighing.Station + " " + e.Weighing.Record, start: t, end: t, measured: "-"})
	}
	return out
}

func (w *slowWatch) conflict(v *slowWatched) (out []slowSilence) {
	for _, e := range v.weighings {
		p, known := w.place(&e)
		if !known || e.Time > e.Received+300_000 {
			continue
		}
		t := e.Time / 1000
		var before, after *slowSeen
		for i := range v.fixes {
			switch f := &v.fixes[i]; {
			case f.t <= t:
				before = f
			case after == nil:
				after = f
			}
		}
		far := 0.0
		for _, f := range []*slowSeen{before, after} {
			if f == nil {
				continue
			}
			dt := math.Abs(float64(f.t - t))
			if d := geo.Distance(p, f.p); dt <= 7200 && d > 5000 && d > 120/3.6*dt {
				far = max(far, d)
			}
		}
		if far > 0 {
			out = append(out, slowSilence{vehicle: v.id, kind: "position_conflict", subject: e.Weighing.Station + " " + e.Weighing.Record, start: t, end: t,
				measured: fmt.Sprintf("%.1f", math.RoundToEven(far/100)/10)})
		}
	}
	return out
}

// notTheStations leaves out the conflicts that are a station's own fault, and counts those.
func (w *slowWatch) notTheStations(all []slowSilence) (out []slowSilence, faults map[string]uint64) {
	faults = map[string]uint64{}
	station := func(o slowSilence) string { return o.subject[:2] }
	for _, o := range all {
		fault := false
		for _, first := range all {
			if station(first) != station(o) || first.start > o.start || o.start > first.start+3600 {
				continue
			}
			together := map[ingest.Vehicle]bool{}
			for _, c := range all {
				if station(c) == station(o) && c.start >= first.start && c.start <= first.start+3600 {
					together[c.vehicle] = true
				}
			}
			fault = fault || len(together) > 3
		}
		if fault {
			faults[station(o)]++
		} else {
			out = append(out, o)
		}
	}
	return out, faults
}

// read finds everything.
func (w *slowWatch) read() (out []slowSilence, faults map[string]uint64) {
	var conflicts []slowSilence
	for _, v := range w.vehicles {
		for _, question := range []func(*slowWatched) []slowSilence{w.goneDark, w.offlineDisplacement, w.frozen, w.unmonitored} {
			out = append(out, question(v)...)
		}
		conflicts = append(conflicts, w.conflict(v)...)
	}
	conflicts, faults = w.notTheStations(conflicts)
	return append(out, conflicts...), faults
}
