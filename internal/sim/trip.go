package sim

import (
	"math"

	"lushao/detect"
)

// trip is one drive from a place to another: the way, and how fast each part of it is driven.
type trip struct {
	legs  []leg
	first []int     // number of each leg's first vertex, counted along the whole way
	vmax  []float32 // m/s that each vertex allows, braking for what follows included
	caps  []float32 // m/s that each piece allows; one fewer than vertices
	halts []halt    // at lights
	gates []stop    // weigh stations on the way
	dest  int       // node

	kind   detect.Kind // violation that the trip is made for; empty: none
	over   int         // vertex at which it is over
	loadKg uint32
}

// halt is a wait inside a trip.
type halt struct {
	vertex  int
	seconds int64
}

// How vehicles are driven.
const (
	brake         = 0.7 // m/s²
	lawful        = 0.9 // share of a limit that is driven at most
	slowStation   = 32 / 3.6
	shortStopLow  = 360 // s, stops between trips
	shortStopHigh = 900
	restLow       = 1500 // s, rests: over the 20 minutes of the law
	restHigh      = 2400
	stintLimit    = 12600 // s of driving after which a rest is due: half an hour short of the law's four hours

	// clearOfBlind keeps violations away from areas without radio, so that what is late never matters to them.
	clearOfBlind = 660 // s
	// clearOfEnd keeps them away from the end of the run.
	clearOfEnd = 180 // s
)

// vertices is the count of vertices of the trip.
func (p *trip) vertices() int { return len(p.vmax) }

// layout fills in legs, and everything else for a drive within the law.
func (t *track) layout(p *trip, legs []leg, night bool) {
	v := t.v
	n := 1
	p.legs, p.first = legs, make([]int, len(legs))
	for i, l := range legs {
		p.first[i] = n - 1
		n += len(l.pts) - 1
	}
	p.vmax, p.caps = make([]float32, n), make([]float32, n-1)
	table := 0
	if night {
		table = 1
	}
	hurry := 0.84 + 0.16*t.rng.Float64()
	for k, l := range legs {
		pieces := len(l.pts) - 1
		caps := l.caps[table][v.Class]
		pace := design[l.kind] * hurry * (0.94 + 0.06*t.rng.Float64())
		if l.forbidden >= 0 {
			pace *= 0.8 // off his way, looking for it; and in enough fixes
		}
		for i := range pieces {
			a, b := l.vertex(i), l.vertex(i+1)
			speed := pace
			for _, c := range [...]uint16{caps[a], caps[b], v.MaxSpeed} {
				if c != 0 {
					speed = min(speed, float64(c)/36*lawful)
				}
			}
			for _, s := range l.stations {
				if v.weighed() && (max(a, b)-s.vertex)*(min(a, b)-s.vertex) <= 1 {
					speed = min(speed, slowStation)
				}
			}
			p.caps[p.first[k]+i] = float32(speed)
			p.vmax[p.first[k]+i] = float32(min(l.bend[a], 60))
		}
		for _, s := range l.stations {
			if v.weighed() {
				p.gates = append(p.gates, stop{p.first[k] + l.vertex(s.vertex), s.station})
			}
		}
		if k > 0 {
			speed, light := junction(legs[k-1], l)
			at := p.first[k]
			p.vmax[at] = float32(min(speed, 60))
			if light && t.rng.IntN(3) == 0 {
				p.halts = append(p.halts, halt{at, 8 + t.rng.Int64N(38)})
				p.vmax[at] = 0
			}
		}
	}
	sortGates(p.gates)
	p.dest = legs[len(legs)-1].to()
	p.settle()
}

func sortGates(g []stop) {
	for i := 1; i < len(g); i++ {
		for j := i; j > 0 && g[j].vertex < g[j-1].vertex; j-- {
			g[j], g[j-1] = g[j-1], g[j]
		}
	}
}

// junction is the speed in m/s at which a vehicle goes over from one road to the next, and whether there are lights. There are none
// at the ends of forbidden roads: a stop is judged at its place, and places of stops stay well away from such ground.
func junction(from, to leg) (speed float64, light bool) {
	a := turn(from.at(len(from.pts)-1).sub(from.at(len(from.pts)-2)), to.at(1).sub(to.at(0)))
	switch {
	case a <= 2 && (from.kind == ramp || to.kind == ramp):
		return 30 / 3.6, false
	case from.kind == expressway && to.kind == expressway:
		speed = 60
	case a > 2:
		speed = 8 / 3.6
	case a > 0.9:
		speed = 18 / 3.6
	case a > 0.35:
		speed = 32 / 3.6
	default:
		speed = 70 / 3.6
	}
	light = from.kind == street && to.kind == street && from.forbidden < 0 && to.forbidden < 0
	return speed, light
}

// settle makes vmax obey the caps of the pieces beside each vertex and the brakes, from the end backwards.
func (p *trip) settle() {
	n := p.vertices()
	p.vmax[n-1] = 0
	k := len(p.legs) - 1
	for i := n - 2; i >= 0; i-- {
		for p.first[k] > i {
			k--
		}
		v := min(p.vmax[i], p.caps[i])
		if i > 0 {
			v = min(v, p.caps[i-1])
		}
		next := float64(p.vmax[i+1])
		p.vmax[i] = min(v, float32(math.Sqrt(next*next+2*brake*p.legs[k].step)))
	}
}

// seconds estimates how long the trip takes up to a vertex, rather too long than too short.
func (p *trip) seconds(vertex int) int64 {
	s, k := 60.0, 0
	for i, c := range p.caps[:min(vertex, len(p.caps))] {
		for k+1 < len(p.first) && p.first[k+1] <= i {
			k++
		}
		v := (float64(p.vmax[i]) + float64(p.vmax[i+1]) + float64(c)) / 3
		s += p.legs[k].step / max(3, v)
	}
	for _, h := range p.halts {
		if h.vertex <= vertex {
			s += float64(h.seconds) + 25
		}
	}
	return int64(s * 1.2)
}

// speed makes the trip drive over the limit somewhere: a stretch on which limit, source and fence are the same all along, long enough
// to reach the speed, to hold it until the violation is sustained, and to slow down again. It reports whether there is room.
func (t *track) speed(p *trip, night bool) bool {
	n := p.vertices()
	at := make([]limit, n)
	ok := make([]bool, n)
	designs := make([]float64, n)
	steps := make([]float64, n)
	for k, l := range p.legs {
		for i := range l.pts {
			j := p.first[k] + i
			at[j] = t.w.limitAt(t.v.Class, t.v.MaxSpeed, coordOf(l.at(i)), night)
			ok[j] = at[j].value != 0 && l.forbidden < 0
			designs[j], steps[j] = design[l.kind], l.step
		}
	}
	for _, h := range p.halts {
		ok[h.vertex] = false
	}
	for _, g := range p.gates {
		for j := max(0, g.vertex-2); j <= min(n-1, g.vertex+2); j++ {
			ok[j] = false
		}
	}
	bend := t.bendsOf(p)
	hold := float64(40 + 2*t.interval)
	shares := [...]float64{1.5 + 0.15*t.rng.Float64(), 1.22 + 0.2*t.rng.Float64(), 1.09 + 0.09*t.rng.Float64()}
	from := t.rng.IntN(len(shares))
	for k := range shares {
		share := shares[(from+k)%len(shares)]
		var starts, ends []int
		for i := margin; i < n-margin; i++ {
			if !ok[i] {
				continue
			}
			target := math.Round(float64(at[i].value)*share) / 36
			if target > 165/3.6 || target > 1.8*designs[i] {
				continue
			}
			v0, v1 := float64(p.vmax[i])*0.6, float64(p.caps[i])*0.8
			need := (target*target-v0*v0)/(2*t.v.pull) + target*(hold+4) + (target*target-v1*v1)/(2*brake)
			same := func(j int) bool { return j >= 0 && j < n && ok[j] && at[j] == at[i] && bend[j] >= target }
			j := i - margin
			for j < i && same(j) {
				j++
			}
			for ; j >= i && need > 0 && same(j); j++ {
				need -= steps[j]
			}
			if j < i || need > 0 {
				continue
			}
			end := j
			for j < end+margin && same(j) {
				j++
			}
			if j == end+margin {
				starts, ends = append(starts, i), append(ends, end)
			}
		}
		if len(starts) == 0 {
			continue
		}
		c := t.rng.IntN(len(starts))
		target := float32(math.Round(float64(at[starts[c]].value)*share) / 36)
		for i := starts[c]; i < ends[c]; i++ {
			p.caps[i] = target
		}
		for i := starts[c]; i <= ends[c]; i++ {
			p.vmax[i] = float32(bend[i])
		}
		p.settle()
		p.over = ends[c]
		return true
	}
	return false
}

// bendsOf returns what bends and junctions alone allow at each vertex of the trip, in m/s.
func (t *track) bendsOf(p *trip) []float64 {
	out := make([]float64, p.vertices())
	for k, l := range p.legs {
		for i := range l.pts {
			j := p.first[k] + i
			out[j] = l.bend[l.vertex(i)]
		}
	}
	for k := 1; k < len(p.legs); k++ {
		speed, _ := junction(p.legs[k-1], p.legs[k])
		out[p.first[k]] = speed
	}
	for _, h := range p.halts {
		out[h.vertex] = 0
	}
	out[len(out)-1] = 0
	return out
}
