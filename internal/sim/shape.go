package sim

import (
	"math"

	"github.com/paulmach/orb"

	"lushao/detect"
)

// coord is a point on the earth in 1e-6 degree, WGS-84: what a terminal can say.
type coord struct{ lat, lon int32 }

// point is a point of the county in metres east and north of its centre.
type point struct{ x, y float64 }

func (p point) add(q point) point         { return point{p.x + q.x, p.y + q.y} }
func (p point) sub(q point) point         { return point{p.x - q.x, p.y - q.y} }
func (p point) times(f float64) point     { return point{p.x * f, p.y * f} }
func (p point) norm() float64             { return math.Hypot(p.x, p.y) }
func (p point) distance(q point) float64  { return p.sub(q).norm() }
func between(p, q point, f float64) point { return point{p.x + (q.x-p.x)*f, p.y + (q.y-p.y)*f} }

// The centre of the county, in degrees.
const (
	centreLat = 35.5
	centreLon = 112.85
)

// metresPerDegree returns the length of a degree of latitude and of longitude on the WGS-84 ellipsoid at a latitude.
func metresPerDegree(lat float64) (north, east float64) {
	const a, e2 = 6378137.0, 6.69437999014e-3
	s, c := math.Sincos(lat * math.Pi / 180)
	w := 1 - e2*s*s
	return a * (1 - e2) / (w * math.Sqrt(w)) * math.Pi / 180, a / math.Sqrt(w) * c * math.Pi / 180
}

var perLat, perLon = metresPerDegree(centreLat)

// coordOf places a point of the county on the earth. The map is linear, so that what is straight in metres is straight
// in degrees too; over the 30 km from the centre to the border lengths east to west are off by 0.4 % at most.
func coordOf(p point) coord {
	return coord{int32(math.Round((centreLat + p.y/perLat) * 1e6)), int32(math.Round((centreLon + p.x/perLon) * 1e6))}
}

func (c coord) orb() orb.Point { return orb.Point{float64(c.lon) / 1e6, float64(c.lat) / 1e6} }

func coordsOf(line []point) []coord {
	out := make([]coord, len(line))
	for i, p := range line {
		out[i] = coordOf(p)
	}
	return out
}

// local returns q in metres from p, exact to a millionth over some kilometres: the scale is that of the middle latitude.
func local(p, q coord) point {
	north, east := metresPerDegree(float64(p.lat)/2e6 + float64(q.lat)/2e6)
	return point{float64(q.lon-p.lon) / 1e6 * east, float64(q.lat-p.lat) / 1e6 * north}
}

// toSegment is the distance in metres from the origin to the segment from a to b.
func toSegment(a, b point) float64 {
	d := b.sub(a)
	n := d.x*d.x + d.y*d.y
	if n == 0 {
		return a.norm()
	}
	f := min(1, max(0, -(a.x*d.x+a.y*d.y)/n))
	return between(a, b, f).norm()
}

// shape is the ground of a fence: a polygon without holes (ring), or all points nearer than reach to a line; a line of one point
// makes a circle.
type shape struct {
	ring      []coord // not closed
	line      []coord
	reach     float64 // metres
	lo, hi    coord   // bounding box, widened by farAway
	uncertain float64 // metres: how far another right implementation may see the border elsewhere
}

// farAway is a distance in metres from which a shape only says that one is outside.
const farAway = 200

func polygon(corners []coord) shape { return shape{ring: corners, uncertain: 1}.boxed() }

func circle(centre coord, radius float64) shape {
	return shape{line: []coord{centre}, reach: radius, uncertain: 1 + radius*0.0015}.boxed()
}

func corridor(line []coord, width float64) shape {
	return shape{line: line, reach: width / 2, uncertain: 1 + width/2*0.0015}.boxed()
}

func (s shape) boxed() shape {
	all := s.ring
	if len(all) == 0 {
		all = s.line
	}
	s.lo, s.hi = all[0], all[0]
	for _, c := range all[1:] {
		s.lo = coord{min(s.lo.lat, c.lat), min(s.lo.lon, c.lon)}
		s.hi = coord{max(s.hi.lat, c.lat), max(s.hi.lon, c.lon)}
	}
	lat, lon := int32((s.reach+farAway)/perLat*1e6), int32((s.reach+farAway)/perLon*1e6)
	s.lo = coord{s.lo.lat - lat, s.lo.lon - lon}
	s.hi = coord{s.hi.lat + lat, s.hi.lon + lon}
	return s
}

func (s *shape) near(p coord) bool {
	return p.lat >= s.lo.lat && p.lat <= s.hi.lat && p.lon >= s.lo.lon && p.lon <= s.hi.lon
}

// contains reports whether p is inside; on the border is outside.
func (s *shape) contains(p coord) bool {
	if !s.near(p) {
		return false
	}
	if s.ring == nil {
		return s.toLine(p) < s.reach
	}
	in := false
	for i, a := range s.ring {
		b := s.ring[(i+1)%len(s.ring)]
		// cross is exact in 64 bits: the differences have at most 29 bits.
		cross := int64(b.lon-a.lon)*int64(p.lat-a.lat) - int64(b.lat-a.lat)*int64(p.lon-a.lon)
		if cross == 0 && p.lat >= min(a.lat, b.lat) && p.lat <= max(a.lat, b.lat) && p.lon >= min(a.lon, b.lon) && p.lon <= max(a.lon, b.lon) {
			return false
		}
		if (a.lat > p.lat) != (b.lat > p.lat) && (cross > 0) == (b.lat > a.lat) {
			in = !in
		}
	}
	return in
}

// signed is the distance in metres from p to the border, negative inside; farAway or more where p is far outside.
func (s *shape) signed(p coord) float64 {
	if !s.near(p) {
		return farAway
	}
	if s.ring == nil {
		return s.toLine(p) - s.reach
	}
	d := math.Inf(1)
	for i, a := range s.ring {
		d = min(d, toSegment(local(p, a), local(p, s.ring[(i+1)%len(s.ring)])))
	}
	if s.contains(p) {
		return -d
	}
	return d
}

func (s *shape) toLine(p coord) float64 {
	a := local(p, s.line[0])
	if len(s.line) == 1 {
		return a.norm()
	}
	d := math.Inf(1)
	for _, c := range s.line[1:] {
		b := local(p, c)
		d = min(d, toSegment(a, b))
		a = b
	}
	return d
}

// fence is a fence of the reference data and its ground.
type fence struct {
	detect.Fence
	shape shape
}

// newFence fills in the geometry from the shape.
func newFence(f detect.Fence, s shape) fence {
	switch {
	case s.ring != nil:
		ring := make(orb.Ring, 0, len(s.ring)+1)
		for _, c := range s.ring {
			ring = append(ring, c.orb())
		}
		f.Geometry = orb.Polygon{append(ring, ring[0])}
	case len(s.line) == 1:
		f.Geometry, f.RadiusM = s.line[0].orb(), s.reach
	default:
		line := make(orb.LineString, len(s.line))
		for i, c := range s.line {
			line[i] = c.orb()
		}
		f.Geometry, f.WidthM = line, 2*s.reach
	}
	return fence{f, s}
}

// means reports whether the fence applies to a class.
func (f *fence) means(c detect.Class) bool { return f.Classes.Empty() || f.Classes.Has(c) }
