package detect_test

import (
	"math"
	"slices"

	"lushao/detect"
	"lushao/geo"
)

// The slow reading of stops and crowds: see slow_places_test.go.

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

// slowKnown says for each fix when it can be judged: at its own time, but a fix that may be a spike or a lone moving one only with
// the next, and believed jumps with the third of them. Who stands near is asked at that moment.
func slowKnown(fixes []slowFix, stops []slowStop) []int64 {
	known := make([]int64, len(fixes))
	for i := len(fixes) - 1; i >= 0; i-- {
		f := fixes[i]
		known[i] = f.t
		for k := max(0, i-2); k <= i; k++ {
			if fixes[k].broken {
				known[i] = fixes[k+2].t
			}
		}
		if i == 0 || f.broken || f.speed < 50 {
			continue
		}
		spike := fixes[i-1].speed >= 0 && f.t-fixes[i-1].t <= 60 && f.speed > fixes[i-1].speed+300
		lone := slices.ContainsFunc(stops, func(s slowStop) bool {
			return s.of[0] < i && (s.next < 0 || s.next >= i) && geo.Distance(s.place, f.p) <= 200
		})
		if spike || lone {
			if known[i] = math.MaxInt64; i+1 < len(fixes) {
				known[i] = fixes[i+1].t
				for k := max(0, i-1); k <= i+1; k++ {
					if fixes[k].broken {
						known[i] = fixes[k+2].t
					}
				}
			}
		}
	}
	return known
}

// standing counts the vehicles that are known to stand within 500 m of a place when fix i of a vehicle is judged, and were heard
// of in the 10 min before.
func (w *slowWorld) standing(place geo.Point, asks *slowVehicle, i int) (n int) {
	now := asks.known[i]
	later := false // of equal times the vehicles are judged in their order
	for _, v := range w.vehicles {
		judged := func(k int) bool {
			if v == asks {
				return k <= i
			}
			return v.known[k] < now || v.known[k] == now && !later
		}
		for _, s := range v.stops {
			if !judged(s.of[0]) || s.next >= 0 && judged(s.next) || geo.Distance(place, s.place) > 500 {
				continue
			}
			for _, k := range slices.Backward(s.of) {
				if v.fixes[k].speed < 50 && judged(k) {
					if d := asks.fixes[i].t - v.fixes[k].t; d <= 600 && d >= -600 {
						n++
					}
					break
				}
			}
		}
		later = later || v == asks
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
				crowd := func(n int) bool { return w.standing(s.place, v, s.of[n]) > 3 }
				if !slowInForce(f.Schedule, start) || v.fixes[s.of[n]].speed >= 50 || crowd(n) {
					continue
				}
				until := slowUntil(f.Schedule, start)
				last, open := n, false
				for ; last < len(s.of) && v.fixes[s.of[last]].t < until; last++ {
					if open || v.fixes[s.of[last]].speed >= 50 {
						continue
					}
					if crowd(last) { // what was before it is not counted
						break
					}
					open = v.fixes[s.of[last]].t-start >= 300
				}
				held := v.fixes[s.of[last-1]].t
				n = last - 1
				if !open {
					continue
				}
				end, atEnd := held, false
				reached := s.of[last-1] // the fix that tells that the window has ended
				for reached < len(v.fixes) && v.fixes[reached].t < until {
					reached++
				}
				switch {
				case reached < len(v.fixes) && v.fixes[reached].speed < 0 && !v.fixes[reached].broken && (s.next < 0 || reached < s.next):
					if v.fixes[reached].t-held <= 300 {
						end = until
					}
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
