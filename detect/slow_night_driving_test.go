package detect_test

import (
	"fmt"
	"math"
	"slices"

	"lushao/detect"
	"lushao/geo"
)

// nights finds where coaches drove when they should have stood.
func (w *slowFleet) nights(data *detect.ReferenceData) (out []slowDriving) {
	for _, d := range w.duties {
		window, ok := w.set.NightDriving.Windows[d.rec.Class.String()]
		if !ok || d.rec.NightExempt {
			continue
		}
		hour := func(s string) int64 {
			var h, m int64
			fmt.Sscanf(s, "%d:%d", &h, &m)
			return (h*60 + m) * 60_000
		}
		inWindow := func(t int64) (until int64, in bool) {
			const day = 86400_000
			midnight := (t+8*3600_000)/day*day - 8*3600_000
			for _, m := range []int64{midnight - day, midnight} {
				from, to := m+hour(window.From), m+hour(window.To)
				if to <= from {
					to += day
				}
				if t >= from && t < to {
					return to, true
				}
			}
			return 0, false
		}
		relay := func(i int) bool {
			return slices.ContainsFunc(data.Fences, func(f detect.Fence) bool {
				shape, _ := geo.Compile(f.Geometry, f.RadiusM, f.WidthM)
				return f.Kind == detect.FenceRelay && slowMeans(&f, d.rec) && slowInForce(f.Schedule, d.fixes[i].t) && shape.Contains(d.fixes[i].place)
			})
		}
		// permit returns the beginning of a relay permit that is valid somewhere in (a, b].
		permit := func(a, b int64) (at int64) {
			at = math.MaxInt64
			for _, p := range data.Permits {
				if p.Kind == detect.PermitRelay && p.Vehicle == d.rec.Vehicle && p.Start <= b && (p.End == 0 || p.End > a) {
					at = min(at, p.Start)
				}
			}
			return at
		}
		fast := func(i int) bool {
			_, in := inWindow(d.ms(i))
			return d.stop[i] < 0 && d.fixes[i].speed >= 200 && in && !relay(i) && permit(d.ms(i)-1, d.ms(i)) == math.MaxInt64
		}
		for i := 0; i < len(d.fixes); i++ {
			if !fast(i) {
				continue
			}
			until, _ := inWindow(d.ms(i))
			open, held, end := false, i, int64(-1)
			atEnd := false
			prev := i // the last fix with a speed
			stopFirst := -1
			k := i + 1
			for ; k < len(d.fixes); k++ {
				f := d.fixes[k]
				gap := d.ms(k)-d.ms(prev) > 300_000
				if f.broken || gap {
					end = d.ms(held)
					break
				}
				at := min(permit(d.ms(k-1), d.ms(k)), until)
				if at <= d.ms(k) {
					end = at
					break
				}
				if relay(k) {
					end = d.ms(k)
					break
				}
				if f.speed < 0 {
					continue
				}
				prev = k
				if d.stop[k] >= 0 {
					if stopFirst < 0 || d.stop[k] != d.stop[stopFirst] {
						stopFirst = k
					}
					if open && f.speed < 50 && d.ms(k)-d.ms(stopFirst) >= 1200_000 {
						end = d.ms(stopFirst)
						break
					}
					continue
				}
				if stopFirst >= 0 {
					if !open && d.ms(k)-d.ms(stopFirst) >= 300_000 {
						break
					}
					if open && d.ms(k)-d.ms(stopFirst) >= 1200_000 {
						end = d.ms(stopFirst)
						break
					}
					stopFirst = -1
				}
				if !fast(k) {
					if !open {
						break
					}
					continue
				}
				held = k
				open = open || d.ms(k)-d.ms(i) >= 300_000
			}
			if open {
				if k == len(d.fixes) {
					end, atEnd = d.ms(held), true
				}
				o := slowDriving{plate: d.rec.Vehicle.Plate(), kind: "night_driving", start: d.ms(i), end: end}
				if atEnd {
					o.notes = "end_of_data"
				}
				stood := int64(0)
				for _, s := range slowStops(d.fixes) {
					from, to := d.ms(s.of[0]), end
					if s.next >= 0 {
						to = min(to, d.ms(s.next))
					}
					if from >= o.start && to > from {
						stood += to - from
					}
				}
				o.hours = oneDecimal(end-o.start-stood, 6000)
				for j := range d.fixes {
					if d.ms(j) >= o.start && d.ms(j) <= o.end {
						o.fixes++
					}
				}
				out = append(out, o)
				i = max(i, k-1) // the fix that ended it may begin another
				continue
			}
			i = max(i, k-1)
		}
	}
	return out
}
