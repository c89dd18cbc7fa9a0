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
	known []int64 // when each fix can be judged
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

// oneDecimal writes a/b in tenths with one decimal, half to even.
func oneDecimal(a, b int64) string {
	tenths, rest := a/b, a%b
	if 2*rest > b || 2*rest == b && tenths%2 == 1 {
		tenths++
	}
	return fmt.Sprintf("%d.%d", tenths/10, tenths%10)
}

func minutes(s int64) string { return oneDecimal(s, 6) }

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
	lone          int   // a lone fix outside after held, where nothing more is known of the stay; 0: there is none
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
				v.end, v.lone = fixes[v.held].t, max(leaving, 0)
			case outside && leaving >= 0 && fixes[leaving].t-fixes[v.held].t > 300:
				v.end = fixes[v.held].t
			case outside && leaving >= 0:
				v.end = fixes[leaving].t
			case fixes[j].t >= until && fixes[j].t-fixes[v.held].t > 300:
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
			v.end, v.lone = fixes[v.held].t, max(leaving, 0)
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
		if f.MaxStayS == 0 { // not known
			return
		}
		for _, s := range slowVisits(v.fixes, f, shape) {
			start := v.fixes[s.first].t
			long := false // a fix inside must prove it
			for k := s.first; k <= s.held; k++ {
				long = long || shape.Contains(v.fixes[k].place) && v.fixes[k].t-start > int64(f.MaxStayS)
			}
			if !long {
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
		visits := slowVisits(v.fixes, f, shape)
		report := func(a, b slowFix, metres float64) {
			// What lies within a stay is the stay's.
			if slices.ContainsFunc(visits, func(s slowVisit) bool { return a.t >= v.fixes[s.first].t && (s.atEnd || a.t < s.end) }) {
				return
			}
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
		if f.Region == "" || slowCovers(f.Region, v.rec.Region) || slowCovers(v.rec.Region, f.Region) {
			return
		}
		filed := func(t int64) bool {
			return slices.ContainsFunc(w.data.Filings, func(p detect.Filing) bool {
				return p.Vehicle == v.rec.Vehicle && slowValid(p.Start, p.End, t) && (p.Region == "" || slowCovers(p.Region, f.Region))
			})
		}
		for _, s := range slowVisits(v.fixes, f, shape) {
			start := v.fixes[s.first].t
			if slices.ContainsFunc(w.data.Filings, func(p detect.Filing) bool {
				return p.Start/1000 <= v.fixes[s.opened].t && p.Start/1000 > start && filed(p.Start/1000)
			}) || filed(start) {
				continue // filed while it entered
			}
			end, atEnd := s.end, s.atEnd
			from := int64(math.MaxInt64)
			for _, p := range w.data.Filings {
				if p.Start/1000 > start && filed(p.Start/1000) {
					from = min(from, p.Start/1000)
				}
			}
			switch lone := v.fixes[s.lone].t; {
			case s.lone > 0 && from > end && from <= lone && lone-end <= 300:
				end, atEnd = from, false
			case from < end:
				end, atEnd = from, false
				// After a gap it ended with the last fix before.
				held := s.first
				for k := s.first; v.fixes[k].t < from; k++ {
					if !shape.OutsideBy(v.fixes[k].place, 20) {
						held = k
					}
				}
				next := held + 1
				for v.fixes[next].t < from {
					next++
				}
				if v.fixes[next].t-v.fixes[held].t > 300 {
					end = v.fixes[held].t
				}
			}
			o := v.found("unfiled_entry", f.ID, start, end)
			o.atEnd = atEnd
			out = append(out, o)
		}
	})
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
		v.known = slowKnown(v.fixes, v.stops)
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
