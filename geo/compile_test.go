package geo

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"
)

// small makes a ring of grid coordinates x, y, x, y … near a place.
func small(xy ...int64) orb.Ring {
	var r orb.Ring
	for i := 0; i < len(xy); i += 2 {
		r = append(r, degrees(112_000_000+xy[i], 35_000_000+xy[i+1]))
	}
	return r
}

func TestCompileRefuses(t *testing.T) {
	many := make(orb.LineString, MaxVertices+1)
	for i := range many {
		many[i] = degrees(int64(i), 0)
	}
	for _, c := range []struct {
		name          string
		g             orb.Geometry
		radius, width float64
		want          string
	}{
		{"nothing", nil, 0, 0, "no geometry"},
		{"wrong type", orb.MultiPoint{{1, 2}}, 0, 0, "MultiPoint is no fence"},
		{"radius 0", orb.Point{112, 35}, 0, 0, "radius 0 m: must be over 0"},
		{"radius negative", orb.Point{112, 35}, -1, 0, "radius -1 m"},
		{"radius NaN", orb.Point{112, 35}, math.NaN(), 0, "radius NaN m"},
		{"radius infinite", orb.Point{112, 35}, math.Inf(1), 0, "radius +Inf m"},
		{"radius absurd", orb.Point{112, 35}, 1e7, 0, "at most 1000000"},
		{"centre out of range", orb.Point{35, 112}, 10, 0, "centre: latitude 112 is outside of -90 to 90 degrees (longitude comes first)"},
		{"circle over the antimeridian", orb.Point{179.9999, 35}, 100, 0, "antimeridian"},
		{"circle over a pole", orb.Point{112, 89}, 100, 0, "reaches latitude 89.0"},
		{"width 0", orb.LineString{{112, 35}, {113, 35}}, 0, 0, "width 0 m: must be over 0"},
		{"width absurd", orb.LineString{{112, 35}, {113, 35}}, 0, 1e6, "width 1e+06 m"},
		{"line of a point", orb.LineString{{112, 35}, {112, 35}}, 0, 10, "1 distinct vertices: a line needs 2"},
		{"empty line", orb.LineString{}, 0, 10, "0 distinct vertices"},
		{"line over the antimeridian", orb.LineString{{170, 35}, {-170, 35}}, 0, 10, "vertex 0 to 1: crosses the antimeridian"},
		{"line with NaN", orb.LineString{{112, 35}, {math.NaN(), 35}}, 0, 10, "vertex 1: longitude NaN"},
		{"line too long", many, 0, 10, "200001 vertices: at most 200000"},
		{"no ring", orb.Polygon{}, 0, 0, "no outer ring"},
		{"empty ring", orb.Polygon{{}}, 0, 0, "outer ring: 0 distinct vertices: a ring needs 3"},
		{"two vertices", orb.Polygon{small(0, 0, 5, 5, 0, 0, 5, 5, 0, 0)}, 0, 0, "outer ring: 2 distinct vertices"},
		{"three within the grid", orb.Polygon{{{112, 35}, {112.0000001, 35}, {112.0000001, 35.0000001}}}, 0, 0, "1 distinct vertices"},
		{"line as ring", orb.Polygon{small(0, 0, 5, 5, 10, 10, 0, 0)}, 0, 0, "outer ring: has no area"},
		{"ring over the antimeridian", orb.Polygon{{{170, 0}, {-170, 0}, {-170, 10}, {170, 10}, {170, 0}}}, 0, 0, "outer ring: vertex 0 to 1: crosses the antimeridian"},
		{"closing over the antimeridian", orb.Polygon{{{-170, 0}, {0, 0}, {170, 10}}}, 0, 0, "vertex 2 to 0: crosses the antimeridian"},
		{"infinite", orb.Polygon{{{112, 35}, {112, math.Inf(-1)}, {113, 35}}}, 0, 0, "outer ring: vertex 1: latitude -Inf"},
		{"bow-tie", orb.Polygon{small(0, 0, 10, 10, 10, 0, 0, 10, 0, 0)}, 0, 0, "outer ring edge 0 crosses outer ring edge 2 at 35.000005,112.000005"},
		{"bow-tie at a vertex", orb.Polygon{small(0, 0, 5, 5, 10, 10, 10, 0, 5, 5, 0, 10, 0, 0)}, 0, 0, "crosses outer ring edge"},
		{"twice round", orb.Polygon{small(0, 0, 10, 0, 10, 10, 0, 0, 10, 0, 10, 10, 0, 0)}, 0, 0, "overlaps"},
		{"bridge to a hole", orb.Polygon{small(0, 0, 20, 0, 20, 20, 0, 20, 0, 10, 5, 10, 5, 15, 10, 10, 5, 5, 5, 10, 0, 10)}, 0, 0, "overlaps"},
		{"hole outside", orb.Polygon{small(0, 0, 10, 0, 10, 10, 0, 10), small(20, 0, 30, 0, 30, 10)}, 0, 0, "hole 1: lies outside of the outer ring"},
		{"hole in a bay", orb.Polygon{small(0, 0, 30, 0, 30, 30, 15, 5, 0, 30), small(14, 20, 16, 20, 15, 22)}, 0, 0, "hole 1: lies outside"},
		{"hole crosses", orb.Polygon{small(0, 0, 10, 0, 10, 10, 0, 10), small(5, 5, 15, 4, 5, 6)}, 0, 0, "outer ring edge 1 crosses hole 1 edge"},
		{"hole is the ring", orb.Polygon{small(0, 0, 10, 0, 10, 10, 0, 10), small(0, 0, 10, 0, 10, 10, 0, 10)}, 0, 0, "overlaps"},
		{"holes cross", orb.Polygon{small(0, 0, 30, 0, 30, 30, 0, 30), small(5, 5, 15, 5, 15, 15, 5, 15), small(10, 10, 20, 10, 20, 20, 10, 20)}, 0, 0, "hole 1 edge"},
		{"hole in a hole", orb.Polygon{small(0, 0, 30, 0, 30, 30, 0, 30), small(5, 5, 25, 5, 25, 25, 5, 25), small(10, 10, 20, 10, 20, 20, 10, 20)}, 0, 0, "hole 2: lies inside of hole 1"},
		{"no polygons", orb.MultiPolygon{}, 0, 0, "no polygon"},
		{"too many polygons", make(orb.MultiPolygon, maxParts+1), 0, 0, "8192 polygons"},
		{"second polygon bad", orb.MultiPolygon{{small(0, 0, 9, 0, 9, 9)}, {small(0, 0, 9, 0)}}, 0, 0, "polygon 1: outer ring: 2 distinct"},
	} {
		s, err := Compile(c.g, c.radius, c.width)
		if err == nil {
			t.Errorf("%s: compiled to %d vertices", c.name, s.Vertices())
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q, want %q", c.name, err, c.want)
		}
	}
}

func TestCompileMends(t *testing.T) {
	for _, c := range []struct {
		name     string
		g        orb.Polygon
		vertices int
	}{
		{"closed", orb.Polygon{small(0, 0, 10, 0, 10, 10, 0, 10, 0, 0)}, 4},
		{"not closed", orb.Polygon{small(0, 0, 10, 0, 10, 10, 0, 10)}, 4},
		{"clockwise", orb.Polygon{small(0, 0, 0, 10, 10, 10, 10, 0, 0, 0)}, 4},
		{"repeated vertices", orb.Polygon{small(0, 0, 0, 0, 10, 0, 10, 0, 10, 0, 10, 10, 0, 10, 0, 0, 0, 0)}, 4},
		{"spike", orb.Polygon{small(0, 0, 10, 0, 10, 10, 20, 20, 10, 10, 0, 10)}, 4},
		{"spike on an edge, of several vertices", orb.Polygon{small(0, 0, 10, 0, 10, 10, 5, 10, 5, 15, 5, 20, 5, 12, 5, 10, 0, 10)}, 5},
		{"spike at the seam", orb.Polygon{small(-5, -5, 0, 0, 10, 0, 10, 10, 0, 10, 0, 0)}, 4},
		{"vertices on an edge", orb.Polygon{small(0, 0, 5, 0, 7, 0, 10, 0, 10, 10, 0, 10)}, 6},
	} {
		s, err := CompilePolygon(c.g)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if s.Vertices() != c.vertices {
			t.Errorf("%s: %d vertices, want %d", c.name, s.Vertices(), c.vertices)
		}
		for y := int32(-6); y <= 21; y++ {
			for x := int32(-6); x <= 21; x++ {
				want := x > 0 && x < 10 && y > 0 && y < 10
				if got := s.Contains(Point{35_000_000 + y, 112_000_000 + x}); got != want {
					t.Errorf("%s: inside %v at %d,%d", c.name, got, x, y)
				}
			}
		}
	}
}

// simpleReference judges a ring by trying everything: no two edges cross or share more than a point, and nowhere is the winding number
// other than 0 or one same value of 1 or -1. Where ways cross in a vertex the sectors round it have three different values.
func simpleReference(r []Point) bool {
	n := len(r) - 1
	for i := range n {
		a, b := r[i], r[i+1]
		for j := range i {
			c, d := r[j], r[j+1]
			s1, s2, s3, s4 := sgn(cross(a, b, c)), sgn(cross(a, b, d)), sgn(cross(c, d, a)), sgn(cross(c, d, b))
			if s1*s2 < 0 && s3*s4 < 0 {
				return false
			}
			if s1 == 0 && s2 == 0 { // on one line: shares by the longer of the two extents
				lo := max(min(a.Lat, b.Lat), min(c.Lat, d.Lat))
				hi := min(max(a.Lat, b.Lat), max(c.Lat, d.Lat))
				lo2 := max(min(a.Lon, b.Lon), min(c.Lon, d.Lon))
				hi2 := min(max(a.Lon, b.Lon), max(c.Lon, d.Lon))
				if lo <= hi && lo2 <= hi2 && (lo < hi || lo2 < hi2) {
					return false
				}
			}
		}
	}
	values := map[int]bool{}
	for _, v := range r[:n] {
		for k := range 720 {
			sin, cos := math.Sincos((float64(k) + 0.123) * math.Pi / 360)
			x, y, w := float64(v.Lon)+1e-4*cos, float64(v.Lat)+1e-4*sin, 0
			for i := range n {
				ax, ay, bx, by := float64(r[i].Lon), float64(r[i].Lat), float64(r[i+1].Lon), float64(r[i+1].Lat)
				if (ay <= y) != (by <= y) && ((bx-ax)*(y-ay)-(by-ay)*(x-ax) > 0) == (by > ay) {
					if by > ay {
						w++
					} else {
						w--
					}
				}
			}
			values[w] = true
		}
	}
	for w := range values {
		if w < -1 || w > 1 || (w != 0 && values[-w]) {
			return false
		}
	}
	return true
}

func sgn(v int64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// Random rings on a tiny grid meet every degenerate case there is.
func TestCheckSimple(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 9))
	good, bad := 0, 0
	for range 6000 {
		var points []Point
		size := 3 + rnd.Int32N(4)
		for range 3 + rnd.IntN(7) {
			p := Point{rnd.Int32N(size), rnd.Int32N(size)}
			if n := len(points); n == 0 || points[n-1] != p {
				points = append(points, p)
			}
		}
		if points = dropSpikes(points); len(points) < 3 {
			continue
		}
		ring := append(points, points[0])
		err := checkSimple([][]Point{ring})
		want := simpleReference(ring)
		if (err == nil) != want {
			t.Fatalf("%v: %v, simple %v", ring, err, want)
		}
		if want {
			good++
		} else {
			bad++
			var crossing *CrossingError
			if !errors.As(err, &crossing) {
				t.Fatalf("error of type %T", err)
			}
			for _, e := range []int{crossing.Edge1, crossing.Edge2} { // the place named is on both edges
				if m, _ := SegmentPoint(crossing.At, ring[e], ring[e+1]); m > 0.2 {
					t.Fatalf("%v: %v is %v m from edge %d", ring, err, m, e)
				}
			}
		}
	}
	if good < 500 || bad < 500 {
		t.Fatalf("%d good, %d bad: the test has lost its teeth", good, bad)
	}
}

// Large rings must not take the sweep long, whatever their form.
func TestCompileLarge(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, r := range []orb.Ring{
		star(rnd, 112_000_000, 35_000_000, 3_000_000, 20_000),
		comb(rand.New(rand.NewPCG(1, 1)), 112_000_000, 35_000_000, 10_000, 100_000),
		comb(rand.New(rand.NewPCG(4, 4)), 112_000_000, 35_000_000, 10_000, 100_000),
		spiral(112_000_000, 35_000_000, 5_000, 10),
	} {
		s := mustCompile(t, orb.Polygon{r}, 0, 0)
		if s.Bytes() > 40*s.Vertices() {
			t.Errorf("%d bytes for %d vertices", s.Bytes(), s.Vertices())
		}
		for _, p := range probes(rnd, s, 20) {
			if got, want := s.Contains(p), areaReference(orb.MultiPolygon{{r}}, p); got != want {
				t.Errorf("%v: inside %v", p, got)
			}
		}
	}
}

// FuzzCompile makes a polygon of any bytes: it must compile or be refused, and then agree with the reference and its own index.
func FuzzCompile(f *testing.F) {
	f.Add([]byte{0, 0, 10, 0, 10, 10, 0, 10})
	f.Add([]byte{0, 0, 10, 10, 10, 0, 0, 10})
	f.Add([]byte{0, 0, 30, 0, 30, 30, 0, 30, 255, 255, 10, 10, 20, 10, 15, 20})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 400 {
			return
		}
		polygon := orb.Polygon{nil}
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] == 255 && b[i+1] == 255 {
				polygon = append(polygon, nil)
				continue
			}
			last := &polygon[len(polygon)-1]
			*last = append(*last, degrees(int64(b[i]), int64(b[i+1])))
		}
		s, err := CompilePolygon(polygon)
		if err != nil {
			return
		}
		// What was dropped as spikes is no border: the reference takes the rings as compiled.
		compiled := orb.Polygon{}
		for _, r := range s.rings {
			var ring orb.Ring
			for _, v := range s.verts[r.start:r.end] {
				ring = append(ring, v.Degrees())
			}
			compiled = append(compiled, ring)
		}
		p := plan{shapes: []*Shape{s}, leafEdges: 3, limit: maxUnits}
		x, _ := p.build(1)
		for lat := s.box.min.Lat - 1; lat <= s.box.max.Lat+1; lat++ {
			for lon := s.box.min.Lon - 1; lon <= s.box.max.Lon+1; lon++ {
				q := Point{lat, lon}
				want := areaReference(orb.MultiPolygon{compiled}, q)
				if got := s.Contains(q); got != want {
					t.Fatalf("%v: inside %v, want %v", q, got, want)
				}
				if got := len(x.Lookup(q, nil)) > 0; got != want {
					t.Fatalf("%v: the index says inside %v, want %v", q, got, want)
				}
			}
		}
	})
}
