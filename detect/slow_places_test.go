package detect_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// The slow reading of the rules about places. As in slow_test.go: whole tracks, one pass for each question.

// slowWorld is a case: what is known beforehand, and the fixes of every vehicle.
type slowWorld struct {
	data     *detect.ReferenceData
	shapes   []*geo.Shape // of data.Fences
	routes   []*geo.Shape // of data.Routes
	sections [][]geo.Point
	vehicles []*slowVehicle // in the order of data.Vehicles
}

type slowVehicle struct {
	rec   *detect.VehicleRecord
	fixes []slowFix
	stops []slowStop
}

// slowStop is a stop: its fixes, lone moving ones among them, and the moving fix after it.
type slowStop struct {
	place geo.Point
	of    []int // indices of fixes
	next  int   // the fix that ends it; -1: none
}

func slowStops(fixes []slowFix) (out []slowStop) {
	in := false
	var place geo.Point
	for i, f := range fixes {
		if f.broken && in {
			out[len(out)-1].next, in = i, false
		}
		switch {
		case f.speed < 0: // neither moving nor stopped
		case f.speed < 50 && in && geo.Distance(place, f.p) <= 200:
			out[len(out)-1].of = append(out[len(out)-1].of, i)
		case f.speed < 50:
			if in {
				out[len(out)-1].next = i
			}
			in, place = true, f.p
			out = append(out, slowStop{place: place, of: []int{i}, next: -1})
		case in && geo.Distance(place, f.p) <= 200 && i+1 < len(fixes) && !fixes[i+1].broken && fixes[i+1].speed >= 0 && fixes[i+1].speed < 50:
			out[len(out)-1].of = append(out[len(out)-1].of, i)
		case in:
			out[len(out)-1].next, in = i, false
		}
	}
	return out
}

// slowPlace is a violation of a rule about places.
type slowPlace struct {
	vehicle         ingest.Vehicle
	kind, subject   string
	start, end      int64 // ms
	measured, limit string
	fixes           int
	metres          float64
	atEnd           bool
}

func (v slowPlace) String() string {
	return fmt.Sprintf("%s %s %s %.3f..%.3f measured %s limit %s, %d fixes %.0f m end_of_data=%v", v.vehicle, v.kind, v.subject,
		float64(v.start-firstMs)/1000, float64(v.end-firstMs)/1000, v.measured, v.limit, v.fixes, v.metres, v.atEnd)
}

const firstMs = 1777564800000 // of position

// minutes of whole seconds with one decimal, half to even.
func minutes(s int64) string {
	tenths, rest := s/6, s%6
	if rest > 3 || rest == 3 && tenths%2 == 1 {
		tenths++
	}
	return fmt.Sprintf("%d.%d", tenths/10, tenths%10)
}

// found makes a violation from start to end in seconds.
func (v *slowVehicle) found(kind, subject string, start, end int64) slowPlace {
	o := slowPlace{vehicle: v.rec.Vehicle, kind: kind, subject: subject, start: start * 1000, end: end * 1000, measured: "-", limit: "-"}
	last := -1
	for i, f := range v.fixes {
		if f.t < start || f.t > end {
			continue
		}
		if last >= 0 && !f.broken {
			o.metres += geo.Distance(v.fixes[last].p, f.p)
		}
		o.fixes++
		last = i
	}
	return o
}

// slowInForce asks whether a schedule holds at second t.
func slowInForce(windows []detect.Window, t int64) bool {
	at := time.Unix(t, 0).In(detect.Beijing)
	for back := range 2 {
		day := time.Date(at.Year(), at.Month(), at.Day()-back, 0, 0, 0, 0, detect.Beijing)
		for _, w := range windows {
			from, to := day.Add(time.Duration(w.From)*time.Minute), day.Add(time.Duration(w.To)*time.Minute)
			if w.To <= w.From {
				to = to.Add(24 * time.Hour)
			}
			if w.Days&(1<<((int(day.Weekday())+6)%7)) != 0 && !at.Before(from) && at.Before(to) {
				return true
			}
		}
	}
	return len(windows) == 0
}

// slowUntil returns the first second after t, which is in force, at which the schedule no longer is; far away if it never ends.
func slowUntil(windows []detect.Window, t int64) int64 {
	for u := t - t%60 + 60; u < t+2*86400 && len(windows) > 0; u += 60 {
		if !slowInForce(windows, u) {
			return u
		}
	}
	return math.MaxInt64
}

func slowMeans(f *detect.Fence, rec *detect.VehicleRecord) bool {
	return f.Classes.Empty() && len(f.Vehicles) == 0 || f.Classes.Has(rec.Class) || slices.Contains(f.Vehicles, rec.Vehicle)
}

// slowVisit is one stay inside of a fence.
type slowVisit struct {
	first, opened int   // the two fixes that prove it
	held          int   // the last fix before it was left
	end           int64 // s
	atEnd         bool
}

// slowVisits finds the stays of a vehicle in a fence, by the rule of entering.
func slowVisits(fixes []slowFix, f *detect.Fence, shape *geo.Shape) (out []slowVisit) {
	inside := func(i int) bool { return shape.Contains(fixes[i].place) && slowInForce(f.Schedule, fixes[i].t) }
	for i := 0; i+1 < len(fixes); i++ {
		if !inside(i) || fixes[i+1].broken || !inside(i+1) || slowUntil(f.Schedule, fixes[i].t) <= fixes[i+1].t {
			continue
		}
		until := slowUntil(f.Schedule, fixes[i].t)
		v := slowVisit{first: i, opened: i + 1, held: i + 1, end: -1}
		leaving := -1
		j := i + 2
		for ; j < len(fixes) && v.end < 0; j++ {
			outside := shape.OutsideBy(fixes[j].place, 20)
			switch {
			case fixes[j].broken:
				v.end = fixes[v.held].t
			case outside && leaving >= 0 && fixes[leaving].t-fixes[v.held].t > 300:
				v.end = fixes[v.held].t
			case outside && leaving >= 0:
				v.end = fixes[leaving].t
			case fixes[j].t >= until && outside && fixes[j].t-fixes[v.held].t > 300:
				v.end = fixes[v.held].t
			case fixes[j].t >= until:
				v.end = until
			case outside:
				leaving = j
			default:
				v.held, leaving = j, -1
			}
		}
		if v.atEnd = v.end < 0; v.atEnd {
			v.end = fixes[v.held].t
		}
		out = append(out, v)
		i = j - 2 // the fix that ended it may begin another
		if v.atEnd {
			break
		}
	}
	return out
}

func (w *slowWorld) eachFence(v *slowVehicle, kind detect.FenceKind, fn func(f *detect.Fence, shape *geo.Shape)) {
	for i := range w.data.Fences {
		if f := &w.data.Fences[i]; f.Kind == kind && slowMeans(f, v.rec) {
			fn(f, w.shapes[i])
		}
	}
}

func (w *slowWorld) entries(v *slowVehicle) (out []slowPlace) {
	w.eachFence(v, detect.FenceForbidden, func(f *detect.Fence, shape *geo.Shape) {
		for _, s := range slowVisits(v.fixes, f, shape) {
			o := v.found("fence_entry", f.ID, v.fixes[s.first].t, s.end)
			o.atEnd = s.atEnd
			out = append(out, o)
		}
	})
	return out
}

func (w *slowWorld) stays(v *slowVehicle) (out []slowPlace) {
	w.eachFence(v, detect.FenceMaxStay, func(f *detect.Fence, shape *geo.Shape) {
		for _, s := range slowVisits(v.fixes, f, shape) {
			start := v.fixes[s.first].t
			// That it was inside for longer is proved by a fix before it left, or by the end of the window.
			long := s.end-start > int64(f.MaxStayS) && s.end != v.fixes[s.held].t && !slowInForce(f.Schedule, s.end)
			if !long && v.fixes[s.held].t-start <= int64(f.MaxStayS) {
				continue
			}
			o := v.found("fence_stay", f.ID, start, s.end)
			o.measured, o.limit, o.atEnd = minutes(s.end-start), minutes(int64(f.MaxStayS)), s.atEnd
			out = append(out, o)
		}
	})
	return out
}

func (w *slowWorld) crossings(v *slowVehicle) (out []slowPlace) {
	believed := func(a, b slowFix) bool {
		way := float64(a.speed+b.speed) / 2 / 36 * float64(b.t-a.t)
		long := geo.Distance(a.place, b.place)
		return !b.broken && b.t-a.t <= 60 && a.speed >= 0 && b.speed >= 0 && long >= 0.9*way-30 && long <= 1.1*way+30
	}
	w.eachFence(v, detect.FenceForbidden, func(f *detect.Fence, shape *geo.Shape) {
		report := func(a, b slowFix, metres float64) {
			if !slowInForce(f.Schedule, a.t) || slowUntil(f.Schedule, a.t) <= b.t || metres < 50 {
				return
			}
			o := v.found("fence_crossing", f.ID, a.t, b.t)
			o.measured = fmt.Sprintf("%.1f", metres)
			out = append(out, o)
		}
		for i := 0; i+1 < len(v.fixes); i++ {
			a, b := v.fixes[i], v.fixes[i+1]
			if shape.Contains(a.place) || !believed(a, b) {
				continue
			}
			if !shape.Contains(b.place) {
				report(a, b, shape.InsideLength(a.place, b.place))
			} else if i+2 < len(v.fixes) {
				if c := v.fixes[i+2]; !shape.Contains(c.place) && believed(b, c) {
					report(a, c, shape.InsideLength(a.place, b.place)+shape.InsideLength(b.place, c.place))
				}
			}
		}
	})
	return out
}

// slowArea is what a vehicle must stay in at a moment.
type slowArea struct {
	id, permit string
	shape      *geo.Shape
}

// outside finds where a vehicle is outside of all areas for 2 fixes and 60 s, until it is back for 2 fixes. at returns the
// areas that count at second t; none: not judged. by is how far outside.
func (v *slowVehicle) outside(at func(t int64) []slowArea, by float64, report func(first, held int, end int64, atEnd bool)) {
	out := func(i int) bool {
		areas := at(v.fixes[i].t)
		for _, a := range areas {
			if !a.shape.OutsideBy(v.fixes[i].place, by) {
				return false
			}
		}
		return len(areas) > 0
	}
	in := func(i int) bool {
		return slices.ContainsFunc(at(v.fixes[i].t), func(a slowArea) bool { return a.shape.Contains(v.fixes[i].place) })
	}
	// free returns the first second after that of fix i, up to that of fix i+1, at which nothing is to be kept to.
	free := func(i int) (int64, bool) {
		for t := v.fixes[i].t + 1; t <= v.fixes[i+1].t; t++ {
			if (t%60 == 0 || t == v.fixes[i+1].t || w60(t)) && len(at(t)) == 0 {
				return t, true
			}
		}
		return 0, false
	}
	for i := 0; i < len(v.fixes); i++ {
		if !out(i) {
			continue
		}
		j := i
		for j+1 < len(v.fixes) && v.fixes[j].t-v.fixes[i].t < 60 && out(j+1) && !v.fixes[j+1].broken && v.fixes[j+1].t-v.fixes[j].t <= 300 {
			if _, ok := free(j); ok {
				break
			}
			j++
		}
		if v.fixes[j].t-v.fixes[i].t < 60 {
			continue
		}
		held, back, end := j, -1, int64(-1)
		k := j + 1
		for ; k < len(v.fixes) && end < 0; k++ {
			t, isFree := free(k - 1)
			switch {
			case v.fixes[k].broken:
				end = v.fixes[held].t
			case isFree:
				end = t
			case in(k) && back >= 0 && v.fixes[back].t-v.fixes[held].t > 300:
				end = v.fixes[held].t
			case in(k) && back >= 0:
				end = v.fixes[back].t
			case in(k):
				back = k
			default:
				held, back = k, -1
			}
		}
		if end < 0 {
			report(i, held, v.fixes[held].t, true)
			return
		}
		report(i, held, end, false)
		i = k - 2 // the fix that ended it may begin another
	}
}

// w60 is where papers of the random worlds begin and end besides whole minutes.
func w60(t int64) bool { return t%60 == 17 }

func (w *slowWorld) exits(v *slowVehicle) (out []slowPlace) {
	at := func(t int64) (areas []slowArea) {
		w.eachFence(v, detect.FenceBound, func(f *detect.Fence, shape *geo.Shape) {
			if slowInForce(f.Schedule, t) {
				areas = append(areas, slowArea{id: f.ID, shape: shape})
			}
		})
		for _, p := range w.data.Permits {
			for i, f := range w.data.Fences {
				if p.Vehicle == v.rec.Vehicle && p.Kind == detect.PermitCharter && slowValid(p.Start, p.End, t) && p.Fence == f.ID {
					areas = append(areas, slowArea{f.ID, p.Number, w.shapes[i]})
				}
			}
		}
		return areas
	}
	v.outside(at, 20, func(first, held int, end int64, atEnd bool) {
		o := v.found("fence_exit", "", v.fixes[first].t, end)
		o.atEnd = atEnd
		out = append(out, o)
	})
	return out
}

// slowValid reports whether a paper is valid at second t.
func slowValid(start, end, t int64) bool { return start <= t*1000 && (end == 0 || t*1000 < end) }

func (w *slowWorld) deviations(v *slowVehicle) (out []slowPlace) {
	at := func(t int64) (areas []slowArea) {
		add := func(id, permit string) {
			for i, r := range w.data.Routes {
				if r.ID == id {
					areas = append(areas, slowArea{id, permit, w.routes[i]})
				}
			}
		}
		for _, id := range v.rec.Routes {
			add(id, "")
		}
		for _, b := range w.data.Waybills {
			if b.Vehicle == v.rec.Vehicle && slowValid(b.Start, b.End, t) {
				add(b.Route, "")
			}
		}
		for _, p := range w.data.Permits {
			if p.Vehicle == v.rec.Vehicle && slowValid(p.Start, p.End, t) {
				add(p.Route, p.Number)
			}
		}
		return areas
	}
	v.outside(at, 0, func(first, held int, end int64, atEnd bool) {
		o := v.found("route_deviation", "", v.fixes[first].t, end)
		o.atEnd = atEnd
		most := -1.0
		for i := first; i <= held; i++ {
			near, half := math.Inf(1), 0.0
			for _, a := range at(v.fixes[i].t) {
				if m := a.shape.DistanceToLine(v.fixes[i].place); m < near {
					near, half = m, a.shape.HalfWidth()
				}
			}
			if near > most && !math.IsInf(near, 1) {
				most, o.measured, o.limit = near, fmt.Sprintf("%.1f", near), fmt.Sprintf("%.1f", half)
			}
		}
		out = append(out, o)
	})
	return out
}

// standing counts the vehicles that stand within 500 m of a place at second t.
func (w *slowWorld) standing(place geo.Point, t int64) (n int) {
	for _, v := range w.vehicles {
		for _, s := range v.stops {
			if v.fixes[s.of[0]].t > t || s.next >= 0 && v.fixes[s.next].t <= t || geo.Distance(place, s.place) > 500 {
				continue
			}
			heard := int64(math.MinInt64)
			for _, f := range v.fixes {
				if f.t <= t {
					heard = f.t
				}
			}
			if t-heard <= 600 {
				n++
			}
		}
	}
	return n
}

func (w *slowWorld) stopsInNoStop(v *slowVehicle) (out []slowPlace) {
	w.eachFence(v, detect.FenceNoStop, func(f *detect.Fence, shape *geo.Shape) {
		for _, s := range v.stops {
			if !shape.Contains(s.place) {
				continue
			}
			for n := 0; n < len(s.of); n++ {
				start := v.fixes[s.of[n]].t
				if !slowInForce(f.Schedule, start) {
					continue
				}
				until := slowUntil(f.Schedule, start)
				last, open := n, false
				for ; last < len(s.of) && v.fixes[s.of[last]].t < until; last++ {
					t := v.fixes[s.of[last]].t
					open = open || t-start >= 300 && w.standing(s.place, t) <= 3
				}
				held := v.fixes[s.of[last-1]].t
				n = last - 1
				if !open {
					continue
				}
				end, atEnd := held, false
				switch {
				case last < len(s.of): // still stopped when the window ends
					end = until
				case s.next < 0:
					atEnd = true
				case !v.fixes[s.next].broken && v.fixes[s.next].t-held <= 300:
					end = min(v.fixes[s.next].t, until)
				}
				o := v.found("fence_stop", f.ID, start, end)
				o.measured, o.limit, o.atEnd = minutes(end-start), "5.0", atEnd
				out = append(out, o)
			}
		}
	})
	return out
}

// slowCovers reports whether a GB/T 2260 region has another within: 140500 has 140502, and is it itself.
func slowCovers(region, part string) bool {
	switch {
	case len(region) == 6 && region[2:] == "0000":
		return region[:2] == part[:min(2, len(part))]
	case len(region) == 6 && region[4:] == "00":
		return region[:4] == part[:min(4, len(part))]
	}
	return region == part
}

func (w *slowWorld) unfiled(v *slowVehicle) (out []slowPlace) {
	if v.rec.Class != detect.ClassHazmat || v.rec.Region == "" {
		return nil
	}
	w.eachFence(v, detect.FenceJurisdiction, func(f *detect.Fence, shape *geo.Shape) {
		if f.Region == "" || slowCovers(f.Region, v.rec.Region) {
			return
		}
		filed := func(t int64) bool {
			return slices.ContainsFunc(w.data.Filings, func(p detect.Filing) bool {
				return p.Vehicle == v.rec.Vehicle && slowValid(p.Start, p.End, t) && (p.Region == "" || slowCovers(p.Region, f.Region))
			})
		}
		for _, s := range slowVisits(v.fixes, f, shape) {
			start := v.fixes[s.first].t
			if filed(start) || filed(v.fixes[s.opened].t) {
				continue
			}
			end, atEnd := s.end, s.atEnd
			for _, p := range w.data.Filings {
				if from := p.Start / 1000; from > start && from < end && filed(from) {
					end, atEnd = from, false
				}
			}
			o := v.found("unfiled_entry", f.ID, start, end)
			o.atEnd = atEnd
			out = append(out, o)
		}
	})
	return out
}

func (w *slowWorld) sectionSpeeding(v *slowVehicle) (out []slowPlace) {
	for n, line := range w.sections {
		sec := &w.data.Sections[n]
		if !sec.Classes.Empty() && !sec.Classes.Has(v.rec.Class) {
			continue
		}
		length := sec.LengthM
		if length == 0 {
			length = geo.Length(line)
		}
		// pass returns when the way to fix i passes a gate, in seconds.
		pass := func(i int, gate geo.Point) (float64, bool) {
			a, b := v.fixes[i-1], v.fixes[i]
			if b.broken || b.t-a.t > 60 || a.speed < 50 || b.speed < 50 {
				return 0, false
			}
			at, _, ok := geo.GatePass(a.p, b.p, gate, sec.GateRadiusM)
			return float64(a.t) + at*float64(b.t-a.t), ok
		}
		entered := -1 // the fix to which the last pass of the first gate leads
		var since float64
		for i := 1; i < len(v.fixes); i++ {
			start, first := pass(i, line[0])
			end, last := pass(i, line[len(line)-1])
			if first && last && start < end {
				entered, since = i, start
			}
			if last && entered >= 0 && since < end {
				good := true
				for k := entered; k < i; k++ {
					off, _, _ := geo.LinePoint(v.fixes[k].p, line)
					good = good && off <= 200 && !v.fixes[k+1].broken && v.fixes[k+1].t-v.fixes[k].t <= 300
				}
				if kmh := length / (end - since) * 3.6; good && kmh > float64(sec.SpeedLimit)/10 {
					o := v.found("section_speeding", sec.ID, 0, -1)
					o.start, o.end = int64(math.Round(since*1000)), int64(math.Round(end*1000))
					o.measured, o.limit = fmt.Sprintf("%.1f", kmh), fmt.Sprintf("%.1f", float64(sec.SpeedLimit)/10)
					out = append(out, o)
				}
				entered = -1
			}
			if first && !(last && start < end) {
				entered, since = i, start
			}
		}
	}
	return out
}

// read finds everything.
func (w *slowWorld) read(t *testing.T, events []ingest.Event) (out []slowPlace) {
	t.Helper()
	w.vehicles = nil
	for i := range w.data.Vehicles {
		rec := &w.data.Vehicles[i]
		own := slices.DeleteFunc(slices.Clone(events), func(e ingest.Event) bool { return e.Vehicle != rec.Vehicle })
		v := &slowVehicle{rec: rec, fixes: slowGate(own)}
		slowMotion(v.fixes)
		v.stops = slowStops(v.fixes)
		w.vehicles = append(w.vehicles, v)
	}
	for _, v := range w.vehicles {
		for _, question := range []func(*slowVehicle) []slowPlace{w.entries, w.crossings, w.exits, w.stopsInNoStop, w.stays, w.deviations, w.unfiled, w.sectionSpeeding} {
			out = append(out, question(v)...)
		}
	}
	slices.SortFunc(out, func(a, b slowPlace) int { return cmp.Compare(a.String(), b.String()) })
	return out
}
