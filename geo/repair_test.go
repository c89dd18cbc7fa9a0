package geo

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"
)

func ringOf(at ...float64) orb.Ring {
	var r orb.Ring
	for i := 0; i+1 < len(at); i += 2 {
		r = append(r, orb.Point{112 + at[i]/1000, 35 + at[i+1]/1000})
	}
	return append(r, r[0])
}

func at(x, y float64) Point { return Point{Lat: int32(35e6 + y*1000), Lon: int32(112e6 + x*1000)} }

func TestRepair(t *testing.T) {
	for _, c := range []struct {
		name      string
		polygon   orb.Polygon
		parts     int
		crossings int
		in, out   []Point
	}{
		{"nothing to repair", orb.Polygon{ringOf(0, 0, 10, 0, 10, 10, 0, 10)}, 1, 0, []Point{at(5, 5)}, []Point{at(11, 5)}},
		{"with a hole", orb.Polygon{ringOf(0, 0, 10, 0, 10, 10, 0, 10), ringOf(4, 4, 6, 4, 6, 6, 4, 6)}, 1, 0, []Point{at(2, 2)}, []Point{at(5, 5)}},
		{"a figure of eight", orb.Polygon{ringOf(0, 0, 10, 10, 10, 0, 0, 10)}, 2, 1, []Point{at(1, 5), at(9, 5)}, []Point{at(5, 1), at(5, 9)}},
		{"an end that overshoots", orb.Polygon{ringOf(0, 0, 10, 0, 10, 10, 0, 10, 1, -2)}, 2, 1, []Point{at(5, 5)}, []Point{at(11, 5)}},
		{"a star", orb.Polygon{ringOf(0, 10, 6, -8, -9, 3, 9, 3, -6, -8)}, 0, 0, []Point{at(0, 0), at(0, 8), at(4.5, -6)}, []Point{at(0, -9)}},
		{"there and back on the same line", orb.Polygon{ringOf(0, 0, 10, 0, 10, 10, 0, 10, 0, 0, 10, 0, 10, -10, 0, -10)}, 0, 0, []Point{at(5, 5), at(5, -5)}, []Point{at(-1, 0)}},
	} {
		got, crossings, err := Repair(c.polygon)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.parts != 0 && (len(got) != c.parts || len(crossings) != c.crossings) {
			t.Errorf("%s: %d parts, crossings at %v", c.name, len(got), crossings)
		}
		s, err := CompileMultiPolygon(got)
		if err != nil {
			t.Errorf("%s: the repaired one: %v", c.name, err)
			continue
		}
		for _, p := range c.in {
			if !s.Contains(p) {
				t.Errorf("%s: %v is outside", c.name, p)
			}
		}
		for _, p := range c.out {
			if s.Contains(p) {
				t.Errorf("%s: %v is inside", c.name, p)
			}
		}
	}
}

func TestRepairRefuses(t *testing.T) {
	for want, p := range map[string]orb.Polygon{
		"no outer ring":                        nil,
		"an outline with holes is not":         {ringOf(0, 0, 10, 10, 10, 0, 0, 10), ringOf(1, 4, 1, 6, 2, 5)},
		"crosses":                              {ringOf(0, 0, 10, 0, 10, 10, 0, 10), ringOf(5, 5, 15, 5, 15, 6, 5, 6)},
		"outer ring: 2 distinct":               {ringOf(0, 0, 10, 0, 0, 0)},
		"outer ring: has no area: all its ver": {ringOf(0, 0, 10, 0, 5, 0, 7, 0)},
	} {
		if _, _, err := Repair(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// Every place round which a random outline winds is inside of what Repair makes of it, but for the slivers that it drops; and where the
// outline does not reach nothing is inside.
func TestRepairCoversWhatTheOutlineWindsRound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	repaired := 0
	for range 400 {
		n := 4 + rng.IntN(12)
		var c []float64
		for range n {
			c = append(c, rng.Float64()*20, rng.Float64()*20)
		}
		polygon := orb.Polygon{ringOf(c...)}
		got, crossings, err := Repair(polygon)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if len(crossings) > 0 {
			repaired++
		}
		s, err := CompileMultiPolygon(got)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		ring, err := compileRing(polygon[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			p := at(rng.Float64()*24-2, rng.Float64()*24-2)
			w, near := 0, false
			for i := 0; i+1 < len(ring); i++ {
				d, on := winding(ring[i], ring[i+1], p)
				w += d
				m, _ := SegmentPoint(p, ring[i], ring[i+1])
				near = near || on || m < 1 // crossings are rounded to the grid
			}
			if near {
				continue
			}
			if w != 0 && !s.Contains(p) {
				t.Fatalf("%v: %v has the winding number %d and is outside of %v", c, p, w, got)
			}
			if (p.Lat < 35e6 || p.Lat > 35020000 || p.Lon < 112e6 || p.Lon > 112020000) && s.Contains(p) {
				t.Fatalf("%v: %v is beyond the outline and inside of %v", c, p, got)
			}
		}
	}
	if repaired < 300 {
		t.Errorf("only %d outlines crossed themselves", repaired)
	}
}
