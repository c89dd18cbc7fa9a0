package geo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
)

// areas are polygons of every sort that has gone wrong somewhere.
func areas(rnd *rand.Rand) []orb.MultiPolygon {
	var all []orb.MultiPolygon
	place := func() (lon, lat int64) {
		return 110_000_000 + rnd.Int64N(3_000_000), 34_000_000 + rnd.Int64N(3_000_000)
	}
	for range 60 {
		lon, lat := place()
		all = append(all, orb.MultiPolygon{starPolygon(rnd, lon, lat, 20+math.Exp(rnd.Float64()*12), 3+rnd.IntN(40))})
	}
	for range 6 {
		lon, lat := place()
		all = append(all,
			orb.MultiPolygon{starPolygon(rnd, lon, lat, 50000, 1000)},
			orb.MultiPolygon{{comb(rnd, lon, lat, 1+rnd.IntN(200), 1000)}},
			orb.MultiPolygon{{spiral(lon, lat, 1+rnd.IntN(20), 10)}})
		// Several that overlap, one that shares an edge, one in the hole of another.
		many := orb.MultiPolygon{}
		for range 2 + rnd.IntN(6) {
			many = append(many, starPolygon(rnd, lon+rnd.Int64N(2000), lat+rnd.Int64N(2000), 3000, 20))
		}
		all = append(all, many, orb.MultiPolygon{{box4(lon, lat, 10, 10)}, {box4(lon+10, lat, 10, 10)}},
			orb.MultiPolygon{{box4(lon, lat, 30, 30), box4(lon+10, lat+10, 10, 10)}, {box4(lon+12, lat+12, 6, 6)}},
			orb.MultiPolygon{{box4(lon, lat, 30, 30), box4(lon+10, lat+10, 10, 10)}, {box4(lon+5, lat+5, 10, 10)}})
	}
	// A hole that touches the outer ring, and a ring that touches itself, at a vertex.
	all = append(all,
		orb.MultiPolygon{{box4(0, 0, 20, 20), {degrees(0, 10), degrees(5, 5), degrees(5, 15), degrees(0, 10)}}},
		orb.MultiPolygon{{{degrees(0, 0), degrees(20, 0), degrees(20, 20), degrees(10, 0), degrees(0, 20), degrees(0, 0)}}})
	return all
}

// box4 is a rectangle.
func box4(lon, lat, width, height int64) orb.Ring {
	return orb.Ring{degrees(lon, lat), degrees(lon+width, lat), degrees(lon+width, lat+height), degrees(lon, lat+height), degrees(lon, lat)}
}

func TestAreaContains(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	asked, in := 0, 0
	for i, g := range areas(rnd) {
		s := mustCompile(t, g, 0, 0)
		for _, p := range probes(rnd, s, 600) {
			want := areaReference(g, p)
			if got := s.Contains(p); got != want {
				t.Fatalf("area %d, %v: inside %v, want %v; %v", i, p, got, want, g)
			}
			asked++
			if want {
				in++
			}
			// Far from the border orb must say the same; on it orb says inside, and closer than its rounding anything.
			if s.DistanceToBorder(p) > 0.001 {
				if got := planar.MultiPolygonContains(g, p.Degrees()); got != want {
					t.Fatalf("area %d, %v: orb says %v, want %v", i, p, got, want)
				}
			}
		}
	}
	if asked < 300_000 || in < asked/10 || in > asked*9/10 {
		t.Fatalf("%d points asked, %d inside: the test has lost its teeth", asked, in)
	}
}

func TestBufferContains(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 40 {
		line := corridor(rnd, 112_000_000, 35_000_000, 2+rnd.IntN(200), 3000)
		width := 10 + 200*rnd.Float64()
		s := mustCompile(t, line, 0, width)
		points, err := CompileLine(line)
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			i := rnd.IntN(len(points) - 1)
			p := Interpolate(points[i], points[i+1], rnd.Float64())
			p.Lat += int32(rnd.NormFloat64() * 1000)
			p.Lon += int32(rnd.NormFloat64() * 1000)
			m, _, _ := LinePoint(p, points)
			if got := s.Contains(p); got != (m < width/2) {
				t.Fatalf("%v: inside %v at %v m of a corridor %v m wide", p, got, m, width)
			}
			if d := s.DistanceToBorder(p); d != math.Abs(m-width/2) {
				t.Fatalf("%v: %v m to the border, want %v", p, d, math.Abs(m-width/2))
			}
		}
	}
	for range 200 {
		c := Point{rnd.Int32N(50_000_000), 80_000_000 + rnd.Int32N(40_000_000)}
		r := math.Exp(rnd.Float64() * 13)
		s := mustCompile(t, c.Degrees(), r, 0)
		for range 300 {
			a := 2 * math.Pi * rnd.Float64()
			d := r * 2 * rnd.Float64()
			perLat, perLon := scale(float64(c.Lat))
			p := Point{c.Lat + int32(d*math.Sin(a)/perLat), c.Lon + int32(d*math.Cos(a)/perLon)}
			if got, want := s.Contains(p), Distance(c, p) < r; got != want {
				t.Fatalf("circle %v m at %v, %v at %v m: inside %v", r, c, p, Distance(c, p), got)
			}
		}
	}
}

// On the border is outside, also for a circle whose border is met exactly.
func TestBorderIsOutside(t *testing.T) {
	c, p := Point{35_000_000, 112_000_000}, Point{35_001_000, 112_001_000}
	r := Distance(c, p)
	if s := mustCompile(t, c.Degrees(), r, 0); s.Contains(p) {
		t.Error("a point at exactly the radius is inside")
	}
	if s := mustCompile(t, c.Degrees(), math.Nextafter(r, 1e9), 0); !s.Contains(p) {
		t.Error("a point nearer than the radius is outside")
	}
}

func TestDistanceToBorder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	for _, g := range areas(rnd) {
		s := mustCompile(t, g, 0, 0)
		lo, hi := s.Bounds()
		for range 30 {
			p := Point{lo.Lat - 500 + rnd.Int32N(hi.Lat-lo.Lat+1001), lo.Lon - 500 + rnd.Int32N(hi.Lon-lo.Lon+1001)}
			if rnd.IntN(4) == 0 { // from far away
				p.Lat += rnd.Int32N(6_000_000) - 3_000_000
				p.Lon += rnd.Int32N(6_000_000) - 3_000_000
			}
			want := math.Inf(1)
			for _, r := range s.rings {
				m, _, _ := LinePoint(p, s.verts[r.start:r.end])
				want = min(want, m)
			}
			if got := s.DistanceToBorder(p); got != want {
				t.Fatalf("%v: %v m to the border, want %v", p, got, want)
			}
			inside := s.Contains(p)
			for _, m := range []float64{want * 0.9, want, want * 1.1, 20} {
				if got := s.OutsideBy(p, m); got != (!inside && want >= m) {
					t.Fatalf("%v, inside %v, %v m from the border: outside by %v m is %v", p, inside, want, m, got)
				}
			}
		}
	}
}

// The length inside is compared with the share of ten thousand places on the way.
func TestInsideLength(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	var shapes []*Shape
	for _, g := range areas(rnd) {
		shapes = append(shapes, mustCompile(t, g, 0, 0))
	}
	for range 20 {
		shapes = append(shapes, mustCompile(t, corridor(rnd, 112_000_000, 35_000_000, 2+rnd.IntN(30), 3000), 0, 20+500*rnd.Float64()),
			mustCompile(t, degrees(112_000_000, 35_000_000+rnd.Int64N(1000)), 10+5000*rnd.Float64(), 0))
	}
	const steps = 10_000
	some := 0
	for i, s := range shapes {
		lo, hi := s.Bounds()
		if hi.Lat-lo.Lat < 2000 {
			continue // too small for places on the grid
		}
		for range 4 {
			a := Point{lo.Lat - 100 + rnd.Int32N(hi.Lat-lo.Lat+200), lo.Lon - 100 + rnd.Int32N(hi.Lon-lo.Lon+200)}
			b := Point{lo.Lat - 100 + rnd.Int32N(hi.Lat-lo.Lat+200), lo.Lon - 100 + rnd.Int32N(hi.Lon-lo.Lon+200)}
			in, changes, last := 0, 0, false
			for k := range steps {
				inside := s.Contains(Interpolate(a, b, (float64(k)+0.5)/steps))
				if inside {
					in++
				}
				if inside != last {
					changes++
				}
				last = inside
			}
			got, want := s.InsideLength(a, b), Distance(a, b)*float64(in)/steps
			// Every change of side is known to a step or to the grid, whose step is 0.16 m across and more where the way grazes.
			if tolerance := (Distance(a, b)/steps + 1) * float64(changes+2); math.Abs(got-want) > tolerance {
				t.Fatalf("shape %d, %v to %v: %v m inside, want %v ± %v", i, a, b, got, want, tolerance)
			}
			if want > 0 {
				some++
			}
		}
	}
	if some < 100 {
		t.Fatalf("only %d ways inside", some)
	}
}

func TestInsideLengthOnBorders(t *testing.T) {
	square := mustCompile(t, orb.Polygon{box4(112_000_000, 35_000_000, 1000, 1000), box4(112_000_400, 35_000_400, 200, 200)}, 0, 0)
	at := func(x, y int32) Point { return Point{35_000_000 + y, 112_000_000 + x} }
	for _, c := range []struct {
		name string
		a, b Point
		want float64 // share
	}{
		{"through", at(-1000, 100), at(2000, 100), 1.0 / 3},
		{"through and back", at(2000, 100), at(-1000, 100), 1.0 / 3},
		{"along the border", at(-1000, 0), at(2000, 0), 0},
		{"along the upper border", at(-1000, 1000), at(2000, 1000), 0},
		{"along the border of the hole", at(0, 400), at(1000, 400), 0.8},
		{"through the hole", at(0, 500), at(1000, 500), 0.8},
		{"diagonal through vertices", at(-1000, -1000), at(2000, 2000), (1000.0 - 200) / 3000},
		{"touching a vertex", at(-500, 500), at(500, -500), 0},
		{"inside", at(100, 100), at(200, 300), 1},
		{"ends on the border", at(0, 100), at(1000, 100), 1},
		{"outside", at(-10, 100), at(-20, 100), 0},
		{"nowhere", at(100, 100), at(100, 100), 0},
	} {
		if got, want := square.InsideLength(c.a, c.b), c.want*Distance(c.a, c.b); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v m, want %v", c.name, got, want)
		}
	}
}

func TestHostilePoints(t *testing.T) {
	shapes := []*Shape{
		mustCompile(t, orb.Polygon{box4(-180_000_000, -90_000_000, 180_000_000, 180_000_000)}, 0, 0),
		mustCompile(t, degrees(112_000_000, 35_000_000), MaxRadius, 0),
		mustCompile(t, orb.LineString{degrees(70_000_000, 3_000_000), degrees(135_000_000, 53_000_000)}, 0, MaxWidth),
	}
	x := Build(append(shapes, nil, &Shape{}), 1)
	values := []int32{math.MinInt32, math.MinInt32 + 1, -180_000_001, -180_000_000, -90_000_000, -1, 0, 1, 35_000_000, 112_000_000, 180_000_000, math.MaxInt32}
	for _, lat := range values {
		for _, lon := range values {
			p := Point{lat, lon}
			for i, s := range append(shapes, &Shape{}) {
				inside := s.Contains(p)
				if inside && !p.onEarth() {
					t.Errorf("shape %d contains %v", i, p)
				}
				if d := s.DistanceToBorder(p); math.IsNaN(d) || d < 0 {
					t.Errorf("shape %d: %v m to %v", i, d, p)
				}
				for _, q := range []Point{{0, 0}, {math.MaxInt32, math.MinInt32}, {35_000_000, 112_000_000}} {
					if l := s.InsideLength(p, q); !(l >= 0 && l <= Distance(p, q)*1.000001) {
						t.Errorf("shape %d: %v m of %v inside from %v to %v", i, l, Distance(p, q), p, q)
					}
				}
			}
			x.Lookup(p, nil)
			x.Near(p, 1e7, nil)
			x.Crossed(p, Point{0, 0}, nil)
		}
	}
}
