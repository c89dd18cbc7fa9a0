package geo

import (
	"math"
	"unsafe"
)

// Limits of what compiles. They are far beyond any real fence and keep hostile input from costing memory or hours.
const (
	MaxVertices = 200_000   // of one shape
	MaxRadius   = 1_000_000 // m, of a circle
	MaxWidth    = 100_000   // m, of a corridor
	maxParts    = 8191      // of a multi-polygon: the windings of a place fit the index's 14 bits
	maxReachLat = 88 * microDegrees
)

// Shape is one compiled fence. It is immutable and may be used by many goroutines. Shapes come from Compile and its kin;
// the zero value contains nothing.
//
// A shape is an area, closed rings, or a buffer, the places nearer than a half width to a line; a circle is the buffer
// of a line of one point.
type Shape struct {
	verts []Point // area: closed rings (first vertex again at the end) one after another; buffer: the line
	rings []ring  // area only
	half  float64 // buffer: half width or radius in metres; 0 marks an area
	parts int     // polygons of an area
	reach Point   // buffer: half in 1e-6 degree, rounded up and some
	box   box     // of all places that can be inside
	bands bands
}

// ring is one closed ring of an area: verts[start:end], the first vertex again at end-1. Outer rings run counter-clockwise
// (left of the way is inside), holes clockwise, so that the winding number counts the polygons round a place.
type ring struct {
	start, end int32
	part       int32 // number of the polygon
	hole       bool
}

// isArea reports whether s is made of rings.
func (s *Shape) isArea() bool { return s.half == 0 }

// Bounds returns the least rectangle, south-west and north-east corner, that has every place inside of s.
func (s *Shape) Bounds() (min, max Point) { return s.box.min, s.box.max }

// Vertices returns the number of vertices of s.
func (s *Shape) Vertices() int { return len(s.verts) - len(s.rings) }

// HalfWidth returns the half width of a corridor or the radius of a circle in metres, 0 for a polygon.
func (s *Shape) HalfWidth() float64 { return s.half }

// Bytes returns the memory of s.
func (s *Shape) Bytes() int {
	return int(unsafe.Sizeof(*s)) + cap(s.verts)*int(unsafe.Sizeof(Point{})) + cap(s.rings)*int(unsafe.Sizeof(ring{})) + s.bands.bytes()
}

// Contains reports whether p is inside. A point on the border is outside. Of a multi-polygon whose polygons overlap, a
// point is inside that is inside of any of them. For areas it is exact.
func (s *Shape) Contains(p Point) bool {
	if !s.box.contains(p) || len(s.verts) == 0 {
		return false
	}
	if !s.isArea() {
		return s.bufferContains(p)
	}
	w, on := 0, false
	for _, e := range s.bands.at(p.Lat) {
		d, o := winding(s.verts[e], s.verts[e+1], p)
		w += d
		on = on || o
	}
	if on {
		return s.parts > 1 && s.anyPartContains(p)
	}
	return w > 0
}

// winding returns what the edge from a to b adds to the winding number of p, by a ray from p to the west that runs just above
// p's latitude, and whether p is on the edge.
func winding(a, b, p Point) (w int, on bool) {
	if (a.Lat <= p.Lat) == (b.Lat <= p.Lat) { // does not cross the ray
		if a.Lat != p.Lat && b.Lat != p.Lat {
			return 0, false
		}
		return 0, (a.Lat == p.Lat && a.Lon == p.Lon) || (b.Lat == p.Lat && b.Lon == p.Lon) ||
			(a.Lat == b.Lat && (a.Lon < p.Lon) != (b.Lon < p.Lon))
	}
	c := cross(a, b, p)
	switch {
	case c == 0:
		return 0, true
	case a.Lat <= p.Lat && c < 0: // upwards, west of p
		return -1, false
	case a.Lat > p.Lat && c > 0: // downwards, west of p
		return 1, false
	}
	return 0, false
}

// anyPartContains is the way for points on a border of a multi-polygon: they are inside where they are inside of another
// of its polygons.
func (s *Shape) anyPartContains(p Point) bool {
	for i := 0; i < len(s.rings); {
		part, w, on := s.rings[i].part, 0, false
		for ; i < len(s.rings) && s.rings[i].part == part; i++ {
			r := s.rings[i]
			for e := r.start; e+1 < r.end; e++ {
				d, o := winding(s.verts[e], s.verts[e+1], p)
				w += d
				on = on || o
			}
		}
		if !on && w > 0 {
			return true
		}
	}
	return false
}

// bufferContains reports whether p is nearer to the line than the half width.
func (s *Shape) bufferContains(p Point) bool {
	if len(s.verts) == 1 {
		return Distance(p, s.verts[0]) < s.half
	}
	lo, hi := s.bands.index(p.Lat-s.reach.Lat), s.bands.index(p.Lat+s.reach.Lat)
	for i := lo; i <= hi; i++ {
		for _, e := range s.bands.band(i) {
			a, b := s.verts[e], s.verts[e+1]
			if s.mayReach(a, b, p) {
				if m, _ := SegmentPoint(p, a, b); m < s.half {
					return true
				}
			}
		}
	}
	return false
}

// mayReach reports whether p is inside the rectangle round the segment a-b widened by the reach.
func (s *Shape) mayReach(a, b, p Point) bool {
	return p.Lat >= min(a.Lat, b.Lat)-s.reach.Lat && p.Lat <= max(a.Lat, b.Lat)+s.reach.Lat &&
		p.Lon >= min(a.Lon, b.Lon)-s.reach.Lon && p.Lon <= max(a.Lon, b.Lon)+s.reach.Lon
}

// DistanceToLine returns the metres from p to the centre line of a corridor or the centre of a circle; for a polygon, to its
// nearest edge.
func (s *Shape) DistanceToLine(p Point) float64 {
	return s.nearest(p, math.Inf(1))
}

// DistanceToBorder returns the metres from p to the border. Outside of a shape they are exact; inside of a corridor they are the
// half width less the distance to the centre line (behind a bend the border may be farther), inside of overlapping polygons
// the nearest edge counts even where another polygon covers it.
func (s *Shape) DistanceToBorder(p Point) float64 {
	m := s.nearest(p, math.Inf(1))
	if s.isArea() {
		return m
	}
	return math.Abs(m - s.half)
}

// OutsideBy reports whether p is outside and at least metres away from the border. It costs much less than DistanceToBorder.
func (s *Shape) OutsideBy(p Point, metres float64) bool {
	if len(s.verts) == 0 {
		return true
	}
	if s.isArea() {
		return !s.Contains(p) && s.nearest(p, metres) >= metres
	}
	return s.nearest(p, s.half+metres) >= s.half+metres
}

// nearest returns the least distance from p to an edge or segment, if it is less than limit, else limit or more.
func (s *Shape) nearest(p Point, limit float64) float64 {
	if len(s.verts) == 1 {
		return Distance(p, s.verts[0])
	}
	// The scale of longitude at the highest latitude in play is the least: a bound from below for every edge.
	top := max(math.Abs(float64(p.Lat)), math.Abs(float64(s.box.min.Lat)), math.Abs(float64(s.box.max.Lat)))
	_, perLon := scale(top)
	perLon *= 0.99
	best := limit
	consider := func(band []uint32) {
		for _, e := range band {
			a, b := s.verts[e], s.verts[e+1]
			dLat := gap(p.Lat, a.Lat, b.Lat) * leastPerLat
			dLon := gap(p.Lon, a.Lon, b.Lon)
			if dLat >= best || (dLon < nearLimit && dLon*perLon >= best) {
				continue
			}
			if m, _ := SegmentPoint(p, a, b); m < best {
				best = m
			}
		}
	}
	// From the band of p outwards, until the bands are farther away than what was found.
	n := s.bands.count()
	up := s.bands.index(p.Lat)
	down := up - 1
	for up < n || down >= 0 {
		if up < n {
			if s.bands.metresTo(up, p.Lat) >= best {
				up = n
			} else {
				consider(s.bands.band(up))
				up++
			}
		}
		if down >= 0 {
			if s.bands.metresTo(down, p.Lat) >= best {
				down = -1
			} else {
				consider(s.bands.band(down))
				down--
			}
		}
	}
	return best
}

// leastPerLat is a little less than the metres of 1e-6 degree of latitude anywhere (0.110574 at the equator).
const leastPerLat = 0.1105

// gap returns how far v lies outside of the span from a to b.
func gap(v, a, b int32) float64 {
	lo, hi := min(a, b), max(a, b)
	switch {
	case v < lo:
		return float64(lo) - float64(v)
	case v > hi:
		return float64(v) - float64(hi)
	}
	return 0
}
