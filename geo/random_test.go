package geo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
)

// degrees converts grid coordinates (longitude, latitude in 1e-6 degree) to a place of orb.
func degrees(lon, lat int64) orb.Point {
	return orb.Point{float64(lon) / microDegrees, float64(lat) / microDegrees}
}

// star makes a simple ring of n vertices round a centre with radii up to r (1e-6 degree).
func star(rnd *rand.Rand, lon, lat int64, r float64, n int) orb.Ring {
	ring := make(orb.Ring, 0, n+1)
	least := 0.3 + 0.6*rnd.Float64()
	for i := range n {
		a := 2 * math.Pi * (float64(i) + 0.8*rnd.Float64()) / float64(n)
		d := r * (least + (1-least)*rnd.Float64())
		ring = append(ring, degrees(lon+int64(math.Round(d*math.Cos(a))), lat+int64(math.Round(d*math.Sin(a)))))
	}
	return append(ring, ring[0])
}

// starPolygon makes a star, now and then with a hole. Of those that rounding has spoilt, as it does with details of a few steps
// of the grid, it makes another one with fewer vertices.
func starPolygon(rnd *rand.Rand, lon, lat int64, r float64, n int) orb.Polygon {
	for ; ; n = max(3, n*3/4) {
		p := orb.Polygon{star(rnd, lon, lat, r, n)}
		if n > 6 && rnd.IntN(4) == 0 {
			p = append(p, star(rnd, lon, lat, r*0.2, n/2))
		}
		if _, err := CompilePolygon(p); err == nil {
			return p
		}
	}
}

// comb makes a ring with n teeth that nearly touch, upright or lying.
func comb(rnd *rand.Rand, lon, lat int64, n int, length int64) orb.Ring {
	var ring orb.Ring
	add := func(x, y int64) { ring = append(ring, degrees(lon+x, lat+y)) }
	turned := rnd.IntN(2) == 0
	point := add
	if turned {
		point = func(x, y int64) { add(y, x) }
	}
	point(0, -10)
	for i := range int64(n) {
		point(4*i, 0)
		point(4*i+1+int64(rnd.IntN(2)), length)
		point(4*i+3, length-int64(rnd.IntN(5)))
		point(4*i+3, 0)
	}
	point(4*int64(n), -10)
	return append(ring, ring[0])
}

// spiral makes a ring that winds round itself n times.
func spiral(lon, lat int64, n int, step int64) orb.Ring {
	var out, back []orb.Point
	for i := range int64(4 * n) {
		d := (i/4 + 1) * 2 * step
		x, y := [4]int64{d, d, -d, -d - 2*step}[i%4], [4]int64{-d, d, d, -d}[i%4]
		sx, sy := [4]int64{1, 1, -1, -1}[i%4], [4]int64{-1, 1, 1, -1}[i%4]
		out = append(out, degrees(lon+x, lat+y))
		back = append(back, degrees(lon+x-sx*step/2, lat+y-sy*step/2))
	}
	ring := orb.Ring(out)
	for i := len(back) - 1; i >= 0; i-- {
		ring = append(ring, back[i])
	}
	return append(ring, ring[0])
}

// corridor makes a line of n vertices that wanders from a place with steps up to step.
func corridor(rnd *rand.Rand, lon, lat int64, n int, step float64) orb.LineString {
	var line orb.LineString
	x, y, a := float64(lon), float64(lat), 2*math.Pi*rnd.Float64()
	for range n {
		line = append(line, degrees(int64(x), int64(y)))
		a += rnd.NormFloat64() * 0.5
		x += step * (0.1 + rnd.Float64()) * math.Cos(a)
		y += step * (0.1 + rnd.Float64()) * math.Sin(a)
	}
	return line
}

func mustCompile(t testing.TB, g orb.Geometry, radius, width float64) *Shape {
	t.Helper()
	s, err := Compile(g, radius, width)
	if err != nil {
		t.Fatalf("compile %v: %v", g, err)
	}
	return s
}

// areaReference tells inside and on the border by the text book, from the geometry as given: for every polygon the rings are
// looked at one by one with the even-odd rule.
func areaReference(polygons orb.MultiPolygon, p Point) bool {
	for _, polygon := range polygons {
		inside, on := false, false
		for i, ring := range polygon {
			in, o := ringReference(ring, p)
			on = on || o
			if i == 0 {
				inside = in
			} else if in {
				inside = false
			}
		}
		if inside && !on {
			return true
		}
	}
	return false
}

func ringReference(ring orb.Ring, p Point) (inside, on bool) {
	px, py := int64(p.Lon), int64(p.Lat)
	at := func(i int) (x, y int64) {
		return int64(math.Round(ring[i][0] * microDegrees)), int64(math.Round(ring[i][1] * microDegrees))
	}
	for i := range ring {
		ax, ay := at(i)
		bx, by := at((i + 1) % len(ring))
		side := (bx-ax)*(py-ay) - (by-ay)*(px-ax)
		if side == 0 && px >= min(ax, bx) && px <= max(ax, bx) && py >= min(ay, by) && py <= max(ay, by) {
			on = true
		}
		if (ay > py) != (by > py) && (side > 0) == (by > ay) { // crossed by a ray to the east
			inside = !inside
		}
	}
	return inside, on
}

// probes returns points worth asking for a shape: at random in its rectangle, at vertices, on edges, and next to these.
func probes(rnd *rand.Rand, s *Shape, n int) []Point {
	lo, hi := s.Bounds()
	at := func(lo, hi int32) int32 { return lo - 2 + rnd.Int32N(hi-lo+5) }
	var ps []Point
	for range n {
		ps = append(ps, Point{at(lo.Lat, hi.Lat), at(lo.Lon, hi.Lon)})
		i := rnd.IntN(len(s.verts))
		v, w := s.verts[i], s.verts[(i+1)%len(s.verts)]
		ps = append(ps, v, Point{v.Lat + rnd.Int32N(3) - 1, v.Lon + rnd.Int32N(3) - 1})
		m := Interpolate(v, w, rnd.Float64())
		ps = append(ps, m, Point{m.Lat + rnd.Int32N(3) - 1, m.Lon + rnd.Int32N(3) - 1}, Point{v.Lat, at(lo.Lon, hi.Lon)})
		if dx, dy := w.Lon-v.Lon, w.Lat-v.Lat; dx%2 == 0 && dy%2 == 0 {
			ps = append(ps, Point{v.Lat + dy/2, v.Lon + dx/2}) // on the edge exactly
		}
	}
	return ps
}
