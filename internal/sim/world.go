package sim

import (
	"math"

	"lushao/detect"
)

// world is the county: roads, fences, weigh stations. It never changes once built.
type world struct {
	nodes    []node
	edges    []*edge
	fences   []fence
	stations []detect.Station
	depots   []int // nodes where vehicles park
}

// classCount is the number of classes of package detect.
const classCount = int(detect.ClassSchoolBus) + 1

// capTable holds the least limit (0.1 km/h, 0 none) near each vertex of an edge, for one class by day or by night.
type capTable []uint16

// margin is how many vertices before and behind a place the limits count that a lawful driver keeps to.
const margin = 4

// newWorld builds the county with the first stations of its weigh stations.
func newWorld(stations int) *world {
	w := &world{}
	w.buildRoads()
	w.buildFences()
	w.buildStations(stations)
	for i := range w.nodes {
		if w.nodes[i].depot {
			w.depots = append(w.depots, i)
		}
	}
	for _, e := range w.edges {
		at := coordsOf(e.pts)
		for night := range e.caps {
			e.caps[night] = make([]capTable, classCount)
			for c := range classCount {
				e.caps[night][c] = w.caps(detect.Class(c), at, night == 1)
			}
		}
	}
	return w
}

func (w *world) caps(class detect.Class, at []coord, night bool) capTable {
	here := make(capTable, len(at))
	for i, p := range at {
		here[i] = w.limitAt(class, 0, p, night).value
	}
	out := make(capTable, len(at))
	for i := range out {
		for j := max(0, i-margin); j <= min(len(at)-1, i+margin); j++ {
			if v := here[j]; v != 0 && (out[i] == 0 || v < out[i]) {
				out[i] = v
			}
		}
	}
	return out
}

func (w *world) named(name string) *node {
	for i := range w.nodes {
		if w.nodes[i].name == name {
			return &w.nodes[i]
		}
	}
	panic("sim: no node " + name)
}

// leg is an edge driven one way.
type leg struct {
	*edge
	back bool // from b to a
}

func (l leg) from() int {
	if l.back {
		return l.b
	}
	return l.a
}

func (l leg) to() int {
	if l.back {
		return l.a
	}
	return l.b
}

// vertex turns a vertex counted along the leg into one of the edge.
func (l leg) vertex(i int) int {
	if l.back {
		return len(l.pts) - 1 - i
	}
	return i
}

func (l leg) at(i int) point { return l.pts[l.vertex(i)] }

// route finds the quickest way over edges whose cost in seconds is finite; nil when there is none.
func (w *world) route(from, to int, cost []float64) []leg {
	dist := make([]float64, len(w.nodes))
	via := make([]int, len(w.nodes))
	done := make([]bool, len(w.nodes))
	for i := range dist {
		dist[i], via[i] = math.Inf(1), -1
	}
	dist[from] = 0
	for {
		u := -1
		for i, d := range dist {
			if !done[i] && !math.IsInf(d, 1) && (u < 0 || d < dist[u]) {
				u = i
			}
		}
		if u < 0 {
			return nil
		}
		if u == to {
			break
		}
		done[u] = true
		for _, n := range w.nodes[u].roads {
			v := w.edges[n].a + w.edges[n].b - u
			if d := dist[u] + cost[n]; d < dist[v] {
				dist[v], via[v] = d, n
			}
		}
	}
	var legs []leg
	for u := to; u != from; {
		e := w.edges[via[u]]
		legs = append(legs, leg{e, e.a == u})
		u = e.a + e.b - u
	}
	for i, j := 0, len(legs)-1; i < j; i, j = i+1, j-1 {
		legs[i], legs[j] = legs[j], legs[i]
	}
	return legs
}

// height is the ground's height above the sea in metres: hills, highest in the north.
func height(p point) int16 {
	return int16(math.Round(780 + 4*p.y/1000 + 90*math.Sin(p.x/5200)*math.Cos(p.y/6100)))
}
