package geo

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/paulmach/orb"
)

// A Compiler makes the same shapes as Compile, whatever it has compiled or refused before, and leaves alone those that it has made.
func TestCompilerIsCompile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	at := func() (lon, lat int64) {
		return 110_000_000 + rnd.Int64N(1_000_000), 35_000_000 + rnd.Int64N(1_000_000)
	}
	star := func(n int) orb.Polygon {
		lon, lat := at()
		return starPolygon(rnd, lon, lat, 20_000, n)
	}
	draw := func() (g orb.Geometry, radius, width float64) {
		lon, lat := at()
		switch rnd.IntN(8) {
		case 0:
			return degrees(lon, lat), 1 + 500*rnd.Float64(), 0
		case 1:
			line := orb.LineString{}
			for range 1 + rnd.IntN(40) { // one vertex is refused
				lon, lat = lon+rnd.Int64N(2000)-800, lat+rnd.Int64N(2000)-800
				line = append(line, degrees(lon, lat))
			}
			return line, 0, 30
		case 2:
			return orb.MultiPolygon{star(3 + rnd.IntN(20)), star(3 + rnd.IntN(200))}, 0, 0
		case 3: // crosses itself, more often than not
			ring := orb.Ring{}
			for range 3 + rnd.IntN(5) {
				ring = append(ring, degrees(lon+rnd.Int64N(1000), lat+rnd.Int64N(1000)))
			}
			return orb.Polygon{append(ring, ring[0])}, 0, 0
		case 4: // a way there and back, repeated vertices, clockwise
			return orb.Polygon{{degrees(lon, lat), degrees(lon, lat), degrees(lon, lat+900), degrees(lon, lat+2000), degrees(lon, lat+900), degrees(lon+900, lat+900), degrees(lon, lat)}}, 0, 0
		case 5:
			return orb.Polygon{starPolygon(rnd, lon, lat, 90_000, 50)[0], starPolygon(rnd, lon, lat, 2_000, 9)[0]}, 0, 0
		case 6:
			return star(3 + rnd.IntN(9000)), 0, 0
		}
		return star(3 + rnd.IntN(40)), 0, 0
	}
	c := NewCompiler()
	var made, want []*Shape
	refused := 0
	for range 1500 {
		g, radius, width := draw()
		s, err := c.Compile(g, radius, width)
		alone, errAlone := Compile(g, radius, width)
		if (err == nil) != (errAlone == nil) || err != nil && err.Error() != errAlone.Error() {
			t.Fatalf("%v: %v, alone %v", g, err, errAlone)
		}
		if err != nil {
			refused++
			continue
		}
		if s.Bytes() != alone.Bytes() {
			t.Errorf("%d vertices: %d bytes, alone %d", s.Vertices(), s.Bytes(), alone.Bytes())
		}
		made, want = append(made, s), append(want, alone)
	}
	if refused < 25 || len(made) < 500 {
		t.Errorf("%d made, %d refused", len(made), refused)
	}
	for i := range made {
		if !reflect.DeepEqual(made[i], want[i]) {
			t.Fatalf("shape %d of %d vertices is another now", i, want[i].Vertices())
		}
	}
}

// The steady state of a Compiler is the shapes themselves, a piece at a time.
func TestCompilerAllocatesLittle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	polygons := make([]orb.Geometry, 1000)
	for i := range polygons {
		polygons[i] = starPolygon(rnd, 110_000_000, 35_000_000, 20_000, 20)
	}
	c := NewCompiler()
	if n := testing.AllocsPerRun(5, func() {
		for _, g := range polygons {
			if _, err := c.Compile(g, 0, 0); err != nil {
				t.Fatal(err)
			}
		}
	}); n > 50 {
		t.Errorf("%v allocations for %d shapes", n, len(polygons))
	}
}
