package detect_test

import (
	"fmt"
	"math"
	"slices"

	"lushao/detect"
	"lushao/geo"
)

// The slow reading of leaving bound fences and routes: see slow_places_test.go.

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
			case isFree && v.fixes[k].t-v.fixes[held].t > 300:
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
		subject, near := "", math.Inf(1)
		for _, a := range at(v.fixes[first].t) {
			if m := a.shape.DistanceToBorder(v.fixes[first].place); m < near {
				subject, near = a.id+" "+a.permit, m
			}
		}
		o := v.found("fence_exit", subject, v.fixes[first].t, end)
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
			near, half, subject, inside := math.Inf(1), 0.0, "", false
			for _, a := range at(v.fixes[i].t) {
				if m := a.shape.DistanceToLine(v.fixes[i].place); m < near {
					near, half, subject = m, a.shape.HalfWidth(), a.id+" "+a.permit
				}
				inside = inside || a.shape.Contains(v.fixes[i].place)
			}
			if i == first {
				o.subject = subject
			}
			if near > most && !inside && !math.IsInf(near, 1) {
				most, o.measured, o.limit = near, fmt.Sprintf("%.1f", near), fmt.Sprintf("%.1f", half)
			}
		}
		out = append(out, o)
	})
	return out
}
