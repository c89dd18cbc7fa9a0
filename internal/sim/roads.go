package sim

import (
	"fmt"
	"math"
)

// roadKind says how fast a road is made to be driven.
type roadKind uint8

const (
	expressway roadKind = iota
	national
	county
	street
	ramp
)

// design is the speed in m/s that suits the road.
var design = [...]float64{expressway: 100 / 3.6, national: 72 / 3.6, county: 56 / 3.6, street: 42 / 3.6, ramp: 40 / 3.6}

// wave is how a road winds: amplitude and length of a bend in metres.
var wave = [...]struct{ amplitude, length float64 }{expressway: {180, 9000}, national: {120, 3600}, county: {70, 1100},
	street: {0, 1}, ramp: {25, 600}}

// node is a junction, or, with depot set, a place where vehicles park.
type node struct {
	name  string
	at    point
	depot bool
	roads []int // edges that end here
}

// edge is a road between two nodes, driven both ways.
type edge struct {
	a, b      int // nodes
	kind      roadKind
	pts       []point   // from a to b, equally spaced
	step      float64   // metres between them
	bend      []float64 // m/s that each vertex allows
	forbidden int       // fence that the road goes through, -1 none
	blind     int       // fence without radio, -1 none
	stations  []stop    // weigh stations on it
	caps      [2][]capTable
}

// stop is a weigh station on a road or on a trip; vertices count from the beginning of the one or the other.
type stop struct{ vertex, station int }

func (e *edge) length() float64 { return e.step * float64(len(e.pts)-1) }

// spacing is the distance in metres between the vertices of a road.
const spacing = 50

// The county, in kilometres from its centre. It is nowhere: names and roads are made up.
var nodeTable = []struct {
	name  string
	x, y  float64
	depot bool
}{
	{"XA", -27, -7, true}, {"X1", -15, -5, false}, {"V1", -8, -4.6, true}, {"X2", -1.5, -6, false}, {"X3", 12, -8, false}, {"XB", 26, -6, true},
	{"GA", -4, 27, true}, {"G1", -3, 15, false}, {"G2", -1, 6, false}, {"J2", -1.2, -5.2, false}, {"G3", 1, -14, false}, {"GB", 4, -27, true},
	{"TNW", -1.2, 1.2, false}, {"TN", 0, 1.2, false}, {"TNE", 1.2, 1.2, false},
	{"TW", -1.2, 0, false}, {"TC", 0, 0, true}, {"TE", 1.2, 0, false},
	{"TSW", -1.2, -1.2, false}, {"TS", 0, -1.2, false}, {"TSE", 1.2, -1.2, false},
	{"PA", -25, 14, true}, {"P1", -13, 16, false}, {"P2", 10, 17, false}, {"PB", 25, 13, true},
	{"C1", 22, 4, false}, {"C2", 11, 1.5, false}, {"J3", 12.4, -7.2, false}, {"J1", -15.2, -4.2, false}, {"W1", -22, 2, false},
	{"S1", -14, -16, false}, {"S2", 15, -17, false}, {"M1", -20, -12, true}, {"M2", 17, 9, true}, {"K1", 6, -3, true}, {"L1", 4, 4, true},
}

var roadTable = []struct {
	a, b string
	kind roadKind
	via  []point // kilometres
}{
	{"XA", "X1", expressway, nil}, {"X1", "V1", expressway, nil}, {"V1", "X2", expressway, nil}, {"X2", "X3", expressway, nil}, {"X3", "XB", expressway, nil},
	{"J1", "X1", ramp, nil}, {"J2", "X2", ramp, nil}, {"J3", "X3", ramp, nil},
	{"GA", "G1", national, nil}, {"G1", "G2", national, nil}, {"G2", "TN", national, nil}, {"TS", "J2", national, nil}, {"J2", "G3", national, []point{{-1.6, -7}}}, {"G3", "GB", national, nil},
	{"PA", "P1", national, nil}, {"P1", "G1", national, nil}, {"G1", "P2", national, nil}, {"P2", "PB", national, nil}, {"P1", "TNW", national, nil},
	{"PB", "C1", county, nil}, {"C1", "C2", county, nil}, {"C2", "TE", county, nil}, {"C2", "J3", county, nil}, {"C1", "J3", county, nil},
	{"J1", "TW", county, nil}, {"J1", "W1", county, nil}, {"W1", "PA", county, nil}, {"J1", "S1", county, nil}, {"S1", "G3", county, nil},
	{"G3", "S2", county, nil}, {"S2", "J3", county, nil}, {"S1", "M1", county, nil}, {"C2", "M2", county, nil}, {"M2", "P2", county, nil},
	{"TSE", "K1", county, nil}, {"K1", "C2", county, nil}, {"TNE", "L1", county, nil}, {"L1", "G2", county, nil},
	{"TNW", "TN", street, nil}, {"TN", "TNE", street, nil}, {"TW", "TC", street, nil}, {"TC", "TE", street, nil}, {"TSW", "TS", street, nil}, {"TS", "TSE", street, nil},
	{"TNW", "TW", street, nil}, {"TW", "TSW", street, nil}, {"TN", "TC", street, nil}, {"TC", "TS", street, nil}, {"TNE", "TE", street, nil}, {"TE", "TSE", street, nil},
	{"TSW", "J2", street, []point{{-3.2, -1.9}, {-4.6, -3}, {-4.2, -4.2}}},
}

// buildRoads makes the network.
func (w *world) buildRoads() {
	number := make(map[string]int, len(nodeTable))
	for i, n := range nodeTable {
		number[n.name] = i
		w.nodes = append(w.nodes, node{name: n.name, at: point{n.x * 1000, n.y * 1000}, depot: n.depot})
	}
	for _, r := range roadTable {
		a, b := number[r.a], number[r.b]
		line := []point{w.nodes[a].at}
		for _, p := range r.via {
			line = append(line, p.times(1000))
		}
		line = append(line, w.nodes[b].at)
		e := &edge{a: a, b: b, kind: r.kind, forbidden: -1, blind: -1}
		e.pts, e.step = equallySpaced(winding(line, r.kind))
		e.bend = bends(e.pts, e.step)
		w.nodes[a].roads = append(w.nodes[a].roads, len(w.edges))
		w.nodes[b].roads = append(w.nodes[b].roads, len(w.edges))
		w.edges = append(w.edges, e)
	}
}

// road returns the edge between two named nodes.
func (w *world) road(a, b string) *edge {
	for _, e := range w.edges {
		if n, m := w.nodes[e.a].name, w.nodes[e.b].name; n == a && m == b || n == b && m == a {
			return e
		}
	}
	panic(fmt.Sprintf("sim: no road from %s to %s", a, b))
}

// winding rounds the corners of a line (Catmull-Rom) and bends it as roads of its kind are bent. Points are a few metres apart.
func winding(line []point, kind roadKind) []point {
	at := func(i int) point { return line[min(max(i, 0), len(line)-1)] }
	var smooth []point
	for i := 0; i+1 < len(line); i++ {
		p0, p1, p2, p3 := at(i-1), at(i), at(i+1), at(i+2)
		n := int(p1.distance(p2)/5) + 1
		for k := range n {
			t := float64(k) / float64(n)
			a := p1.times(2)
			b := p2.sub(p0).times(t)
			c := p0.times(2).sub(p1.times(5)).add(p2.times(4)).sub(p3).times(t * t)
			d := p1.times(3).sub(p0).sub(p2.times(3)).add(p3).times(t * t * t)
			smooth = append(smooth, a.add(b).add(c).add(d).times(0.5))
		}
	}
	smooth = append(smooth, line[len(line)-1])
	total := 0.0
	for i := 1; i < len(smooth); i++ {
		total += smooth[i].distance(smooth[i-1])
	}
	// Whole bends only, and flat at both ends, so that roads meet in their nodes.
	bend := wave[kind]
	count := math.Round(total / bend.length)
	if bend.amplitude == 0 || count < 1 {
		return smooth
	}
	out := make([]point, len(smooth))
	gone := 0.0
	for i, p := range smooth {
		if i > 0 {
			gone += p.distance(smooth[i-1])
		}
		dir := smooth[min(i+1, len(smooth)-1)].sub(smooth[max(i-1, 0)])
		dir = dir.times(1 / dir.norm())
		f := gone / total
		off := bend.amplitude * math.Sin(2*math.Pi*count*f) * min(1, 8*f, 8*(1-f))
		out[i] = p.add(point{-dir.y * off, dir.x * off})
	}
	return out
}

// equallySpaced cuts a line into equal pieces of about the spacing and returns their length.
func equallySpaced(line []point) ([]point, float64) {
	total := 0.0
	for i := 1; i < len(line); i++ {
		total += line[i].distance(line[i-1])
	}
	n := max(2, int(math.Round(total/spacing)))
	step := total / float64(n)
	out := []point{line[0]}
	gone, next := 0.0, step
	for i := 1; i < len(line); i++ {
		d := line[i].distance(line[i-1])
		for len(out) < n && gone+d >= next {
			out = append(out, between(line[i-1], line[i], (next-gone)/d))
			next += step
		}
		gone += d
	}
	return append(out, line[len(line)-1]), step
}

// sideways is the acceleration in m/s² to the side that drivers of heavy vehicles accept.
const sideways = 1.4

// bends returns the speed in m/s that each vertex allows by the bend in it.
func bends(pts []point, step float64) []float64 {
	out := make([]float64, len(pts))
	for i := range pts {
		out[i] = 60
		if i > 0 && i+1 < len(pts) {
			if a := turn(pts[i].sub(pts[i-1]), pts[i+1].sub(pts[i])); a > 1e-6 {
				out[i] = min(60, math.Sqrt(sideways*step/a))
			}
		}
	}
	return out
}

// turn is the angle between two directions, 0 to π.
func turn(a, b point) float64 {
	return math.Abs(math.Atan2(a.x*b.y-a.y*b.x, a.x*b.x+a.y*b.y))
}
