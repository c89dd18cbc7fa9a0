package geo

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// CrossingError says where the border of a polygon crosses or overlaps itself. Ring 0 is the outer ring; edge i leads from
// vertex i of the ring to the next, after repeated vertices were dropped and after rounding to 1e-6 degree.
type CrossingError struct {
	Ring1, Edge1 int
	Ring2, Edge2 int
	At           Point // where, to 1e-6 degree
	Overlap      bool  // the edges share more than a point
}

func (e *CrossingError) Error() string {
	verb := "crosses"
	if e.Overlap {
		verb = "overlaps"
	}
	return fmt.Sprintf("%s edge %d %s %s edge %d at %v (latitude,longitude): the border must not cross itself; correct the vertices there",
		ringName(e.Ring1), e.Edge1, verb, ringName(e.Ring2), e.Edge2, e.At)
}

// checkSimple refuses rings that cross or overlap themselves or each other; that they touch at single points is allowed. All
// arithmetic is exact.
//
// It is the sweep of Shamos and Hoey from west to east (of equal longitude, from south to north). The edges that the sweep
// line meets are kept in order from south to north; before two edges cross they are neighbours in that order. Where a vertex is on
// other edges or vertices the ways through that point are compared in pairs. The order is a plain slice: it is short for
// real borders, and a hostile one of MaxVertices costs seconds, not hours.
func checkSimple(rings [][]Point) error {
	return new(sweep).check(rings)
}

// check is checkSimple in the room of a sweep before.
func (sw *sweep) check(rings [][]Point) error {
	sw.begin(rings)
	for i := 0; i < len(sw.events); {
		j := i + 1
		for j < len(sw.events) && sw.events[j].key == sw.events[i].key {
			j++
		}
		if err := sw.step(sw.events[i:j]); err != nil {
			return err
		}
		sw.pace.did(j - i)
		i = j
	}
	return nil
}

// sweepEdge is an edge from its lesser to its greater end.
type sweepEdge struct {
	l, r Point
	ring int32
	edge int32
}

type sweep struct {
	rings  [][]Point
	base   []int32     // number of the first edge of each ring
	edges  []sweepEdge // of all rings; edge i of a ring leads from vertex i to i+1
	events []vertex    // every vertex in the order of the sweep
	order  []int32     // edges that the line meets, from south to north
	passes []pass      // scratch
	pace   pace
}

// vertex is a vertex by the number of the edge that begins there. The order of keys is that of the sweep.
type vertex struct {
	key  uint64
	edge int32
}

// pass is a way through a point: from the vertex before to the vertex after, by an edge and perhaps the one before it.
type pass struct {
	from, to Point
	edge     int32
}

// less is the order of the sweep.
func less(a, b Point) bool {
	return a.Lon < b.Lon || (a.Lon == b.Lon && a.Lat < b.Lat)
}

func (sw *sweep) begin(rings [][]Point) {
	sw.rings, sw.order = rings, sw.order[:0]
	sw.base = append(sw.base[:0], 0)
	n := 0
	for _, r := range rings {
		n += len(r) - 1
		sw.base = append(sw.base, int32(n))
	}
	sw.edges, sw.events = slices.Grow(sw.edges[:0], n), slices.Grow(sw.events[:0], n)
	for i, r := range rings {
		for k := 0; k+1 < len(r); k++ {
			e := sweepEdge{l: r[k], r: r[k+1], ring: int32(i), edge: int32(k)}
			if less(e.r, e.l) {
				e.l, e.r = e.r, e.l
			}
			// The sign bits are turned so that unsigned keys order as the coordinates do.
			sw.events = append(sw.events, vertex{
				key:  uint64(uint32(r[k].Lon)^1<<31)<<32 | uint64(uint32(r[k].Lat)^1<<31),
				edge: int32(len(sw.edges)),
			})
			sw.edges = append(sw.edges, e)
		}
	}
	slices.SortFunc(sw.events, func(a, b vertex) int { return cmp.Compare(a.key, b.key) })
}

// point returns the vertex at which edge e of its ring begins.
func (sw *sweep) point(e int32) Point {
	x := &sw.edges[e]
	return sw.rings[x.ring][x.edge]
}

// before returns the edge that leads to the vertex at which e begins.
func (sw *sweep) before(e int32) int32 {
	x := &sw.edges[e]
	if x.edge > 0 {
		return e - 1
	}
	return sw.base[x.ring+1] - 1
}

// step handles all vertices at one point: edges that end there leave the order, edges that pass through are looked at, edges
// that begin there enter.
func (sw *sweep) step(vertices []vertex) error {
	v := sw.point(vertices[0].edge)
	// The edges that touch v stand together.
	lo := sort.Search(len(sw.order), func(i int) bool { return sw.side(sw.order[i], v) <= 0 })
	hi := lo
	sw.passes = sw.passes[:0]
	kept := lo
	for ; hi < len(sw.order) && sw.side(sw.order[hi], v) == 0; hi++ {
		e := sw.order[hi]
		if sw.edges[e].r == v {
			continue
		}
		sw.passes = append(sw.passes, pass{from: sw.edges[e].l, to: sw.edges[e].r, edge: e})
		sw.order[kept] = e
		kept++
	}
	if kept < hi {
		sw.order = slices.Delete(sw.order, kept, hi)
		if err := sw.neighbours(lo-1, lo); err != nil {
			return err
		}
		if err := sw.neighbours(kept-1, kept); err != nil {
			return err
		}
	}
	for i := range vertices {
		e := vertices[i].edge
		sw.passes = append(sw.passes, pass{from: sw.point(sw.before(e)), to: sw.rings[sw.edges[e].ring][sw.edges[e].edge+1], edge: e})
	}
	for i := range sw.passes {
		for j := range i {
			if e, f, cross := passesCross(v, &sw.passes[i], &sw.passes[j]); cross {
				return sw.errorAt(e, f, v, false)
			}
		}
	}
	for i := range vertices {
		out := vertices[i].edge
		for _, e := range [2]int32{sw.before(out), out} {
			if sw.edges[e].l == v {
				if err := sw.insert(e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// side tells where v lies from edge e, which the line meets: north 1, south -1, on it 0. (An edge runs west to east, or upwards;
// what lies left of it comes later in the order.)
func (sw *sweep) side(e int32, v Point) int {
	x := &sw.edges[e]
	return cmp.Compare(cross(x.l, x.r, v), 0)
}

// insert puts edge e into the order and compares it with its new neighbours.
func (sw *sweep) insert(e int32) error {
	x := &sw.edges[e]
	overlap := int32(-1)
	at := sort.Search(len(sw.order), func(i int) bool {
		f := sw.order[i]
		s := sw.side(f, x.l)
		if s == 0 {
			s = sw.side(f, x.r)
		}
		if s == 0 {
			overlap = f
		}
		return s <= 0
	})
	if overlap >= 0 {
		return sw.errorAt(e, overlap, x.l, true)
	}
	sw.order = slices.Insert(sw.order, at, e)
	if err := sw.neighbours(at-1, at); err != nil {
		return err
	}
	return sw.neighbours(at, at+1)
}

// neighbours compares two edges of the order, if both are there.
func (sw *sweep) neighbours(i, j int) error {
	if i < 0 || j >= len(sw.order) {
		return nil
	}
	e, f := sw.order[i], sw.order[j]
	a, b := &sw.edges[e], &sw.edges[f]
	if sw.side(e, b.l)*sw.side(e, b.r) < 0 && sw.side(f, a.l)*sw.side(f, a.r) < 0 {
		t := float64(cross(a.l, b.l, b.r)) // twice the area on either side of the crossing, as shares of a
		u := float64(cross(a.r, b.r, b.l))
		return sw.errorAt(e, f, Interpolate(a.l, a.r, t/(t+u)), false)
	}
	return nil
}

func (sw *sweep) errorAt(e, f int32, at Point, overlap bool) error {
	if f < e {
		e, f = f, e
	}
	a, b := &sw.edges[e], &sw.edges[f]
	return &CrossingError{Ring1: int(a.ring), Edge1: int(a.edge), Ring2: int(b.ring), Edge2: int(b.edge), At: at, Overlap: overlap}
}

// passesCross reports whether two ways through v change sides: whether the ends of one lie on different sides of the other.
// Where an end of each goes the same way the edges overlap, which insert finds.
func passesCross(v Point, a, b *pass) (e, f int32, crossing bool) {
	for _, p := range [2]Point{a.from, a.to} {
		for _, q := range [2]Point{b.from, b.to} {
			if cross(v, p, q) == 0 && sameWay(v, p, q) {
				return 0, 0, false
			}
		}
	}
	return a.edge, b.edge, between(v, a.from, a.to, b.from) != between(v, a.from, a.to, b.to)
}

// between reports whether the direction from v to p is met when turning left from the direction to a before that to b, all
// three different.
func between(v, a, b, p Point) bool {
	switch turn := cross(v, a, b); {
	case turn > 0: // less than half a turn
		return cross(v, a, p) > 0 && cross(v, p, b) > 0
	case turn < 0: // more: not on the short way from b to a
		return !(cross(v, b, p) > 0 && cross(v, p, a) > 0)
	}
	return cross(v, a, p) > 0
}

// sameWay reports whether a and b, on one line with v, lie on the same side of it.
func sameWay(v, a, b Point) bool {
	return (int64(a.Lon)-int64(v.Lon))*(int64(b.Lon)-int64(v.Lon))+(int64(a.Lat)-int64(v.Lat))*(int64(b.Lat)-int64(v.Lat)) > 0
}
