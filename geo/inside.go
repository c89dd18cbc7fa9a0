package geo

import "math"

// InsideLength returns the metres of the straight way (in longitude and latitude) from a to b that lie inside of s. What runs
// along the border is outside. Ways over the antimeridian or from places that are none have 0.
func (s *Shape) InsideLength(a, b Point) float64 {
	if len(s.verts) == 0 || a == b || !a.onEarth() || !b.onEarth() || crossesAntimeridian(a, b) || !s.box.meets(emptyBox().with(a).with(b)) {
		return 0
	}
	var f float64
	if s.isArea() {
		f = s.areaFraction(a, b)
	} else {
		f = s.bufferFraction(a, b)
	}
	return f * Distance(a, b)
}

// crossing is where the line through a and b meets an edge: the fraction from a, and what the winding number changes by for a
// line shifted by next to nothing to the left and to the right.
type crossing struct {
	t           float64
	left, right int32
}

// areaFraction walks along the line through a and b. Every edge that the line crosses changes the winding number. A line that meets
// vertices or runs along edges is taken twice, shifted to either side, and is inside where both are. Which edges are crossed is
// decided in integers; only where is rounded.
//
// Where a is on no edge its winding number is that of both shifted lines there, and only the edges at the latitudes of the way are
// looked at. Else the walk begins west of everything, where the number is 0, and looks at all.
func (s *Shape) areaFraction(a, b Point) float64 {
	var few [32]crossing
	cs := few[:0]
	w := walk{a: a, b: b, dLat: float64(b.Lat) - float64(a.Lat), dLon: float64(b.Lon) - float64(a.Lon)}
	w.length2 = float64(w.dLat*w.dLat) + float64(w.dLon*w.dLon)
	start, on := s.windingAt(a)
	if on {
		start = 0
		for _, r := range s.rings {
			for e := r.start; e+1 < r.end; e++ {
				if c, ok := w.crosses(s.verts[e], s.verts[e+1]); ok {
					cs = append(cs, c)
				}
			}
		}
	} else {
		lo, hi := s.bands.index(min(a.Lat, b.Lat)), s.bands.index(max(a.Lat, b.Lat))
		for i := lo; i <= hi; i++ {
			for _, e := range s.bands.band(i) {
				v, u := s.verts[e], s.verts[e+1]
				if first, _ := s.bands.span(v, u); i != max(first, lo) { // seen in a band before
					continue
				}
				if c, ok := w.crosses(v, u); ok && w.ahead(v, u) {
					cs = append(cs, c)
				}
			}
		}
	}
	sortCrossings(cs)
	inside, from := 0.0, 0.0
	left, right := start, start
	for _, c := range cs {
		to := min(max(c.t, 0), 1)
		if left > 0 && right > 0 {
			inside += to - from
		}
		from = to
		left += c.left
		right += c.right
	}
	if left > 0 && right > 0 {
		inside += 1 - from
	}
	return min(inside, 1)
}

// windingAt returns the winding number of p, and whether p is on an edge.
func (s *Shape) windingAt(p Point) (w int32, on bool) {
	if !s.box.contains(p) {
		return 0, false
	}
	for _, e := range s.bands.at(p.Lat) {
		d, o := winding(s.verts[e], s.verts[e+1], p)
		w += int32(d)
		on = on || o
	}
	return w, on
}

// walk is a straight way from a to b.
type walk struct {
	a, b                Point
	dLat, dLon, length2 float64
}

// crosses tells where the endless line through the way meets the edge from v to u, if it does.
func (w *walk) crosses(v, u Point) (crossing, bool) {
	sv, su := cross(w.a, w.b, v), cross(w.a, w.b, u)
	// The line shifted to the left has what is on the line on its right, and the other way round.
	left, right := sideStep(sv > 0, su > 0), sideStep(sv >= 0, su >= 0)
	if left == 0 && right == 0 {
		return crossing{}, false
	}
	// Fractions of v and u along the line, weighted by their distances from it.
	tv := float64((float64(v.Lat)-float64(w.a.Lat))*w.dLat) + float64((float64(v.Lon)-float64(w.a.Lon))*w.dLon)
	tu := float64((float64(u.Lat)-float64(w.a.Lat))*w.dLat) + float64((float64(u.Lon)-float64(w.a.Lon))*w.dLon)
	f := float64(sv) / (float64(sv) - float64(su))
	return crossing{t: (tv + float64(f*(tu-tv))) / w.length2, left: left, right: right}, true
}

// ahead reports whether the line meets an edge that it crosses, and that a is not on, in the direction of b.
func (w *walk) ahead(v, u Point) bool {
	return (cross(v, u, w.a) < 0) == (cross(w.a, w.b, v) > cross(w.a, w.b, u))
}

// sideStep returns the change of the winding number where the line is crossed by an edge whose ends are left of it or not. Left of a
// counter-clockwise edge is inside: an edge that goes from the right of the line to its left leads the line out.
func sideStep(from, to bool) int32 {
	switch {
	case from == to:
		return 0
	case to:
		return -1
	}
	return 1
}

// sortCrossings sorts by t: few by insertion, many by halves of a heap.
func sortCrossings(cs []crossing) {
	if len(cs) <= 32 {
		for i := 1; i < len(cs); i++ {
			for j := i; j > 0 && cs[j].t < cs[j-1].t; j-- {
				cs[j], cs[j-1] = cs[j-1], cs[j]
			}
		}
		return
	}
	sink := func(i, n int) {
		for {
			c := 2*i + 1
			if c >= n {
				return
			}
			if c+1 < n && cs[c+1].t > cs[c].t {
				c++
			}
			if cs[i].t >= cs[c].t {
				return
			}
			cs[i], cs[c] = cs[c], cs[i]
			i = c
		}
	}
	for i := len(cs)/2 - 1; i >= 0; i-- {
		sink(i, len(cs))
	}
	for n := len(cs) - 1; n > 0; n-- {
		cs[0], cs[n] = cs[n], cs[0]
		sink(0, n)
	}
}

// bufferFraction joins the pieces of the way that are near enough to each segment. Along a straight way the distance to a segment
// falls and then rises, so that each piece is one interval: its deepest place is found by golden section, its ends by halving.
func (s *Shape) bufferFraction(a, b Point) float64 {
	var few [32]crossing
	cs := few[:0]
	way := emptyBox().with(a).with(b)
	for i := range max(len(s.verts)-1, 1) {
		v, w := s.verts[i], s.verts[min(i+1, len(s.verts)-1)]
		near := emptyBox().with(v).with(w)
		near.min.Lat -= s.reach.Lat
		near.max.Lat += s.reach.Lat
		near.min.Lon -= s.reach.Lon
		near.max.Lon += s.reach.Lon
		if !near.meets(way) {
			continue
		}
		if from, to := insideInterval(a, b, v, w, s.half); from < to {
			cs = append(cs, crossing{t: from, left: 1}, crossing{t: to, left: -1})
		}
	}
	sortCrossings(cs)
	inside, from, depth := 0.0, 0.0, int32(0)
	for _, c := range cs {
		if depth > 0 {
			inside += c.t - from
		}
		from = c.t
		depth += c.left
	}
	return min(inside, 1)
}

// insideInterval returns the fractions of the way from a to b between which it is nearer than half metres to the segment v-w.
func insideInterval(a, b, v, w Point, half float64) (from, to float64) {
	dLat, dLon := float64(b.Lat)-float64(a.Lat), float64(b.Lon)-float64(a.Lon)
	at := func(t float64) float64 {
		m, _ := segmentPoint(float64(a.Lat)+float64(t*dLat), float64(a.Lon)+float64(t*dLon), v, w)
		return m - half
	}
	const golden = 0.6180339887498949
	lo, hi := 0.0, 1.0
	x, y := hi-float64(golden*(hi-lo)), lo+float64(golden*(hi-lo))
	fx, fy := at(x), at(y)
	for hi-lo > 1e-9 && fx >= 0 && fy >= 0 { // any place inside will do
		if fx < fy {
			hi, y, fy = y, x, fx
			x = hi - float64(golden*(hi-lo))
			fx = at(x)
		} else {
			lo, x, fx = x, y, fy
			y = lo + float64(golden*(hi-lo))
			fy = at(y)
		}
	}
	deep, f := x, fx
	if fy < f {
		deep, f = y, fy
	}
	for _, end := range [2]float64{0, 1} { // where the way falls or rises throughout
		if g := at(end); g < f {
			deep, f = end, g
		}
	}
	if f >= 0 {
		return 0, 0
	}
	return border(at, 0, deep), border(at, 1, deep)
}

// border returns where at changes sign between an outer fraction and one inside; outer itself where that is inside too.
func border(at func(float64) float64, outer, inner float64) float64 {
	if at(outer) < 0 {
		return outer
	}
	for range 40 {
		mid := (outer + inner) / 2
		if at(mid) < 0 {
			inner = mid
		} else {
			outer = mid
		}
	}
	return math.Max(0, math.Min(1, inner))
}
