package geo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paulmach/orb"
)

// mixture makes shapes of all sorts and sizes, from 2 m to a province, crowded round some towns; every tenth is repeated.
func mixture(t testing.TB, rnd *rand.Rand, n int) []*Shape {
	towns := make([]orb.Point, 1+n/100)
	for i := range towns {
		towns[i] = degrees(108_000_000+rnd.Int64N(8_000_000), 32_000_000+rnd.Int64N(6_000_000))
	}
	var shapes []*Shape
	for len(shapes) < n {
		town := towns[rnd.IntN(len(towns))]
		lon := int64(town[0]*microDegrees + rnd.NormFloat64()*20_000)
		lat := int64(town[1]*microDegrees + rnd.NormFloat64()*20_000)
		size := 20 * math.Exp(rnd.Float64()*rnd.Float64()*11) // 1e-6 degree, to 1.2 degrees
		var s *Shape
		switch rnd.IntN(12) {
		case 0:
			s = mustCompile(t, degrees(lon, lat), size*0.1, 0)
		case 1, 2:
			s = mustCompile(t, corridor(rnd, lon, lat, 2+rnd.IntN(60), size), 0, min(0.02*size+5, 3000))
		case 3:
			s = mustCompile(t, orb.MultiPolygon{starPolygon(rnd, lon, lat, size, 12), starPolygon(rnd, lon+int64(size), lat, size, 30)}, 0, 0)
		case 4:
			s = mustCompile(t, orb.Polygon{comb(rnd, lon, lat, 1+rnd.IntN(30), int64(size)+20)}, 0, 0)
		case 5:
			s = mustCompile(t, orb.Polygon{box4(lon, lat, 1+int64(size), 1+int64(size))}, 0, 0)
		default:
			s = mustCompile(t, starPolygon(rnd, lon, lat, size, 3+rnd.IntN(100)), 0, 0)
		}
		shapes = append(shapes, s)
		if len(shapes)%10 == 0 {
			shapes = append(shapes, shapes[rnd.IntN(len(shapes))])
		}
		if len(shapes)%97 == 0 {
			shapes = append(shapes, nil)
		}
	}
	return shapes
}

func linear(shapes []*Shape, ask func(*Shape) bool) (found []int32) {
	for i, s := range shapes {
		if s != nil && ask(s) {
			found = append(found, int32(i))
		}
	}
	return found
}

func checkIndex(t *testing.T, x *Index, rnd *rand.Rand, shapes []*Shape, perShape int) {
	t.Helper()
	dst := make([]int32, 0, 1000)
	for _, s := range shapes {
		if s == nil {
			continue
		}
		for _, p := range probes(rnd, s, perShape) {
			dst = x.Lookup(p, dst[:0])
			if want := linear(shapes, func(s *Shape) bool { return s.Contains(p) }); !slices.Equal(dst, want) {
				t.Fatalf("at %v found %v, want %v", p, dst, want)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		n := []int{1, 2, 10, 100, 400, 1200}[seed]
		shapes := mixture(t, rnd, n)
		checkIndex(t, Build(shapes, 2), rnd, shapes, max(1, 2000/n))
	}
}

// Every area of the tests of shapes, alone and all together.
func TestLookupAreas(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 6))
	var shapes []*Shape
	for _, g := range areas(rnd) {
		s := mustCompile(t, g, 0, 0)
		shapes = append(shapes, s)
		checkIndex(t, Build([]*Shape{s}, 1), rnd, []*Shape{s}, 300)
	}
	checkIndex(t, Build(shapes, 1), rnd, shapes, 60)
}

// Small leaves put every vertex and crossing of a small world to the test, at each of its points.
func TestLookupEveryPoint(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 40 {
		var shapes []*Shape
		for range 1 + rnd.IntN(30) {
			shapes = append(shapes, mustCompile(t, starPolygon(rnd, rnd.Int64N(60), rnd.Int64N(60), 10+rnd.Float64()*30, 8), 0, 0))
		}
		p := plan{shapes: shapes, leafEdges: 1 + rnd.IntN(8), limit: maxUnits}
		x, _ := p.build(1)
		var dst []int32
		for lat := int32(-45); lat < 105; lat++ {
			for lon := int32(-45); lon < 105; lon++ {
				dst = x.Lookup(Point{lat, lon}, dst[:0])
				if want := linear(shapes, func(s *Shape) bool { return s.Contains(Point{lat, lon}) }); !slices.Equal(dst, want) {
					t.Fatalf("at %d,%d found %v, want %v", lat, lon, dst, want)
				}
			}
		}
	}
}

func TestNear(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 8))
	shapes := mixture(t, rnd, 300)
	x := Build(shapes, 1)
	for range 1200 {
		s := shapes[rnd.IntN(len(shapes))]
		if s == nil {
			continue
		}
		p := probes(rnd, s, 1)[0]
		metres := math.Exp(rnd.Float64()*13) - 1
		got := x.Near(p, metres, []int32{-7})
		want := append([]int32{-7}, linear(shapes, func(s *Shape) bool { return s.Contains(p) || s.DistanceToBorder(p) < metres })...)
		if !slices.Equal(got, want) {
			t.Fatalf("within %v m of %v: %v, want %v", metres, p, got, want)
		}
	}
}

func TestCrossed(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	shapes := mixture(t, rnd, 300)
	x := Build(shapes, 1)
	some := 0
	for range 2000 {
		s := shapes[rnd.IntN(len(shapes))]
		if s == nil {
			continue
		}
		ps := probes(rnd, s, 2)
		a, b := ps[0], ps[len(ps)/2]
		got := x.Crossed(a, b, []int32{-7})
		want := append([]int32{-7}, linear(shapes, func(s *Shape) bool { return s.InsideLength(a, b) > 0 })...)
		if !slices.Equal(got, want) {
			t.Fatalf("from %v to %v: %v, want %v", a, b, got, want)
		}
		some += len(want) - 1
	}
	if some < 2000 {
		t.Fatalf("only %d crossings", some)
	}
}

// The index must not depend on the number of workers, nor lose anything where it has to do with less memory.
func TestBuildVariants(t *testing.T) {
	rnd := rand.New(rand.NewPCG(10, 10))
	shapes := mixture(t, rnd, 400)
	one, four := Build(shapes, 1), Build(shapes, 4)
	if one.root != four.root || !slices.Equal(one.words, four.words) {
		t.Error("one worker and four build different indexes")
	}
	for _, limit := range []uint64{uint64(len(one.words)) / unitWords / 2, 1} {
		x := build(shapes, 1, limit)
		if len(x.words) >= len(one.words) {
			t.Errorf("limit %d: %d words, without %d", limit, len(x.words), len(one.words))
		}
		checkIndex(t, x, rnd, shapes, 2)
	}
	empty := Build(nil, 4)
	if got := empty.Lookup(Point{}, nil); got != nil || empty.Len() != 0 || len(empty.Near(Point{}, 1e9, nil)) != 0 {
		t.Errorf("the empty index found %v", got)
	}
}

// Thousands in one place: the same town again and again, nested rings, big rectangles, and all of it under a province.
func TestLookupCrowded(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 11))
	var shapes []*Shape
	for i := range int64(3000) {
		lon, lat := 112_000_000+rnd.Int64N(3000), 35_000_000+rnd.Int64N(3000)
		switch i % 4 {
		case 0:
			shapes = append(shapes, mustCompile(t, orb.Polygon{star(rand.New(rand.NewPCG(1, 1)), 112_000_000, 35_000_000, 8000, 60)}, 0, 0))
		case 1:
			shapes = append(shapes, mustCompile(t, orb.Polygon{box4(112_000_000-i, 35_000_000-i, 2*i, 2*i)}, 0, 0))
		case 2:
			shapes = append(shapes, mustCompile(t, degrees(lon, lat), 1000, 0))
		default:
			shapes = append(shapes, mustCompile(t, starPolygon(rnd, lon, lat, 20000, 16), 0, 0))
		}
	}
	shapes = append(shapes, mustCompile(t, orb.Polygon{star(rnd, 112_000_000, 35_000_000, 3_000_000, 10_000)}, 0, 0),
		mustCompile(t, orb.Polygon{box4(112_000_000, 35_000_000, 180, 180)}, 0, 0))
	x := Build(shapes, 2)
	vertices := 0
	for _, s := range shapes {
		vertices += s.Vertices()
	}
	if x.Bytes() > 1000*vertices {
		t.Errorf("%d bytes for %d vertices", x.Bytes(), vertices)
	}
	t.Logf("%d shapes, %d vertices: %d bytes", len(shapes), vertices, x.Bytes())
	checkIndex(t, x, rnd, shapes[:100], 0)
	var dst []int32
	for range 2000 {
		p := Point{35_000_000 + int32(rnd.NormFloat64()*8000), 112_000_000 + int32(rnd.NormFloat64()*8000)}
		dst = x.Lookup(p, dst[:0])
		if want := linear(shapes, func(s *Shape) bool { return s.Contains(p) }); !slices.Equal(dst, want) {
			t.Fatalf("at %v found %d shapes, want %d", p, len(dst), len(want))
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(12, 12))
	shapes := mixture(t, rnd, 500)
	x := Build(shapes, 1)
	var ps []Point
	for _, s := range shapes {
		if s != nil {
			ps = append(ps, probes(rnd, s, 1)...)
		}
	}
	dst := make([]int32, 0, 4096)
	i := 0
	for name, f := range map[string]func(p, q Point){
		"Lookup":  func(p, q Point) { dst = x.Lookup(p, dst[:0]) },
		"Near":    func(p, q Point) { dst = x.Near(p, 20, dst[:0]) },
		"Crossed": func(p, q Point) { dst = x.Crossed(p, q, dst[:0]) },
		"Shape": func(p, q Point) {
			if s := shapes[i%len(shapes)]; s != nil {
				s.Contains(p)
				s.OutsideBy(p, 20)
			}
		},
	} {
		if n := testing.AllocsPerRun(1000, func() {
			i++
			f(ps[i%len(ps)], ps[(i+1)%len(ps)])
		}); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func ExampleIndex_Lookup() {
	depot, _ := CompileCircle(orb.Point{112.85, 35.49}, 300)
	road, _ := CompileCorridor(orb.LineString{{112.80, 35.49}, {112.90, 35.49}}, 100)
	index := Build([]*Shape{depot, road}, 1)
	fmt.Println(index.Lookup(Point{Lat: 35_490_100, Lon: 112_851_000}, nil))
	fmt.Println(index.Lookup(Point{Lat: 35_490_100, Lon: 112_881_000}, nil))
	// Output:
	// [0 1]
	// [1]
}
