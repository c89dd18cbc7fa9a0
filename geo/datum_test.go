package geo

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
)

// Tian'anmen: GCJ-02 and BD-09 lie some 550 m and 1.3 km off, by figures that map sites show for the same place.
func TestDatumsKnown(t *testing.T) {
	wgs := orb.Point{116.391283, 39.907333}
	gcj := GCJ02FromWGS84(wgs)
	if math.Abs(gcj[0]-116.397526) > 2e-5 || math.Abs(gcj[1]-39.908736) > 2e-5 {
		t.Errorf("GCJ-02 %v", gcj)
	}
	bd := BD09FromWGS84(wgs)
	if math.Abs(bd[0]-116.403899) > 2e-5 || math.Abs(bd[1]-39.915083) > 2e-5 {
		t.Errorf("BD-09 %v", bd)
	}
}

func TestDatumsThereAndBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		p := orb.Point{72.1 + rnd.Float64()*65.6, 0.9 + rnd.Float64()*54.8}
		for name, back := range map[string]orb.Point{
			"GCJ-02": WGS84FromGCJ02(GCJ02FromWGS84(p)),
			"BD-09":  WGS84FromBD09(BD09FromWGS84(p)),
			"both":   GCJ02FromBD09(BD09FromGCJ02(p)),
		} {
			if d := math.Hypot(back[0]-p[0], back[1]-p[1]); !(d < 1e-9) { // 0.1 mm
				t.Fatalf("%s: %v came back as %v, %v degrees off", name, p, back, d)
			}
		}
		// The shift is that of the datum, not something else.
		from, _ := PointOf(p)
		gcj, _ := PointOf(GCJ02FromWGS84(p))
		if d := Distance(from, gcj); d > 2500 {
			t.Fatalf("GCJ-02 is %v m off at %v", d, p)
		}
	}
}

func TestDatumsOutside(t *testing.T) {
	for _, p := range []orb.Point{{0, 0}, {-0.1276, 51.5072}, {139.69, 35.69}, {72.003, 30}, {110, 0.8}, {110, 56}, {math.NaN(), 30}, {math.Inf(1), 30}} {
		for _, f := range []func(orb.Point) orb.Point{GCJ02FromWGS84, WGS84FromGCJ02, BD09FromGCJ02, GCJ02FromBD09, BD09FromWGS84, WGS84FromBD09} {
			if q := f(p); q != p && p[0] == p[0] {
				t.Errorf("%v became %v", p, q)
			}
		}
	}
}
