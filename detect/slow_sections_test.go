package detect_test

import (
	"fmt"
	"math"

	"lushao/geo"
)

// The slow reading of section speeding: see slow_places_test.go.

func (w *slowWorld) sectionSpeeding(v *slowVehicle) (out []slowPlace) {
	for n, line := range w.sections {
		sec := &w.data.Sections[n]
		if sec.SpeedLimit == 0 || !sec.Classes.Empty() && !sec.Classes.Has(v.rec.Class) {
			continue
		}
		length := sec.LengthM
		if length == 0 {
			length = geo.Length(line)
		}
		length = math.Round(length*1000) / 1000
		may := func(i int) bool { // a gate is passed on the segment that leads to fix i
			return i > 0 && i < len(v.fixes) && !v.fixes[i].broken && v.fixes[i].t-v.fixes[i-1].t <= 60 && v.fixes[i-1].speed >= 50 && v.fixes[i].speed >= 50
		}
		near := func(i int, gate geo.Point) (float64, bool) {
			at, _, ok := geo.GatePass(v.fixes[i-1].p, v.fixes[i].p, gate, sec.GateRadiusM)
			return at, ok
		}
		type pass struct {
			to   int     // the fix to which the segment leads
			at   float64 // ms
			miss float64 // m: nearest at a fix, it may have turned round there
		}
		passes := func(gate geo.Point, last bool) (all []pass) {
			for i := range v.fixes {
				if !may(i) {
					continue
				}
				at, ok := near(i, gate)
				if !ok || at == 0 && may(i-1) { // it was nearer before
					continue
				}
				if at == 1 && last && may(i+1) { // it comes nearer
					if next, ok := near(i+1, gate); ok && next > 0 {
						continue
					}
				}
				p := pass{to: i, at: float64(v.fixes[i-1].t*1000) + float64(at*float64((v.fixes[i].t-v.fixes[i-1].t)*1000))}
				if at == 0 || at == 1 {
					_, p.miss, _ = geo.GatePass(v.fixes[i-1].p, v.fixes[i].p, gate, sec.GateRadiusM)
				}
				all = append(all, p)
			}
			return all
		}
		used := math.Inf(-1)
		firsts := passes(line[0], false)
		for _, q := range passes(line[len(line)-1], true) {
			p := pass{to: -1}
			for _, o := range firsts {
				if o.at < q.at && o.at >= used {
					p = o
				}
			}
			if p.to < 0 {
				continue
			}
			used = q.at
			good := true
			for k := p.to; k < q.to; k++ {
				off, _, _ := geo.LinePoint(v.fixes[k].p, line)
				good = good && off <= 200 && !v.fixes[k+1].broken && v.fixes[k+1].t-v.fixes[k].t <= 300
			}
			o := v.found("section_speeding", sec.ID, 0, -1)
			o.start, o.end = int64(math.RoundToEven(p.at)), int64(math.RoundToEven(q.at))
			kmh := length * 3600 / float64(o.end-o.start)
			if !good || o.end <= o.start || (length-p.miss-q.miss)/length*kmh <= float64(sec.SpeedLimit)/10 {
				continue
			}
			o.measured, o.limit = oneDecimal(36*int64(math.Round(length*1000)), o.end-o.start), fmt.Sprintf("%.1f", float64(sec.SpeedLimit)/10)
			for i, f := range v.fixes {
				if f.t*1000 >= o.start && f.t*1000 <= o.end {
					o.fixes++
				}
				if i > 0 && i >= p.to && i <= q.to { // the part of the segment between the gates
					a, b := float64(v.fixes[i-1].t*1000), float64(f.t*1000)
					o.metres += geo.Distance(v.fixes[i-1].p, f.p) * (min(b, q.at) - max(a, p.at)) / (b - a)
				}
			}
			out = append(out, o)
		}
	}
	return out
}
