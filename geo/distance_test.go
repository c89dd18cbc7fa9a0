package geo

import (
	"math"
	"math/rand/v2"
	"testing"
)

// vincenty is the inverse formula of Vincenty (1975), exact to a millimetre; ok is false where it does not converge.
func vincenty(a, b Point) (s float64, ok bool) {
	const f, major = 1 / 298.257223563, 6378137.0
	const minor = major * (1 - f)
	rad := func(v int32) float64 { return float64(v) / 1e6 * math.Pi / 180 }
	l := rad(b.Lon) - rad(a.Lon)
	u1, u2 := math.Atan((1-f)*math.Tan(rad(a.Lat))), math.Atan((1-f)*math.Tan(rad(b.Lat)))
	s1, c1 := math.Sincos(u1)
	s2, c2 := math.Sincos(u2)
	lambda := l
	for range 200 {
		sl, cl := math.Sincos(lambda)
		ss := math.Hypot(c2*sl, c1*s2-s1*c2*cl)
		if ss == 0 {
			return 0, a == b || math.Abs(l) < 1e-12
		}
		cs := s1*s2 + c1*c2*cl
		sigma := math.Atan2(ss, cs)
		sa := c1 * c2 * sl / ss
		ca2 := 1 - sa*sa
		c2m := 0.0
		if ca2 > 0 {
			c2m = cs - 2*s1*s2/ca2
		}
		c := f / 16 * ca2 * (4 + f*(4-3*ca2))
		next := l + (1-c)*f*sa*(sigma+c*ss*(c2m+c*cs*(2*c2m*c2m-1)))
		if math.Abs(next-lambda) < 1e-13 {
			uu := ca2 * (major*major - minor*minor) / (minor * minor)
			aa := 1 + uu/16384*(4096+uu*(-768+uu*(320-175*uu)))
			bb := uu / 1024 * (256 + uu*(-128+uu*(74-47*uu)))
			d := bb * ss * (c2m + bb/4*(cs*(2*c2m*c2m-1)-bb/6*c2m*(4*ss*ss-3)*(4*c2m*c2m-3)))
			return minor * aa * (sigma - d), true
		}
		lambda = next
	}
	return 0, false
}

func TestDistance(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var worstNear, worstFar, worstWorld float64
	for range 200_000 {
		a := Point{3_850_000 + rnd.Int32N(49_710_000), 73_550_000 + rnd.Int32N(61_550_000)}
		d := math.Exp(rnd.Float64() * 16) // to 80 degrees
		b := Point{a.Lat + int32(d*rnd.NormFloat64()/3), a.Lon + int32(d*rnd.NormFloat64()/3)}
		if b.Lat > 55_000_000 || b.Lat < 0 {
			continue
		}
		want, ok := vincenty(a, b)
		if !ok {
			t.Fatalf("no reference for %v to %v", a, b)
		}
		got := Distance(a, b)
		if back := Distance(b, a); back != got {
			t.Fatalf("%v to %v: %v m there, %v m back", a, b, got, back)
		}
		off := math.Abs(got-want) / max(want, 0.1)
		switch {
		case want < 500_000:
			worstNear = max(worstNear, off)
			if off > 1e-4 {
				t.Fatalf("%v to %v: %v m, want %v", a, b, got, want)
			}
		default:
			worstFar = max(worstFar, off)
			if off > 1e-3 {
				t.Fatalf("%v to %v: %v m, want %v", a, b, got, want)
			}
		}
	}
	for range 50_000 {
		a := Point{rnd.Int32N(2*maxLat+1) - maxLat, rnd.Int32N(2*maxLon) - maxLon}
		b := Point{rnd.Int32N(2*maxLat+1) - maxLat, rnd.Int32N(2*maxLon) - maxLon}
		if want, ok := vincenty(a, b); ok && want > 1 {
			off := math.Abs(Distance(a, b)-want) / want
			if worstWorld = max(worstWorld, off); off > 1e-2 {
				t.Fatalf("%v to %v: %v m, want %v", a, b, Distance(a, b), want)
			}
		}
	}
	t.Logf("worst: %.2g up to 500 km, %.2g farther, %.2g anywhere", worstNear, worstFar, worstWorld)
}

// Known distances: a degree along the equator and the quarter of the meridian (10,001,965.7 m); across the antimeridian.
func TestDistanceKnown(t *testing.T) {
	for _, c := range []struct {
		a, b Point
		want float64
	}{
		{Point{0, 0}, Point{0, 1_000_000}, 111319.4908},
		{Point{0, 0}, Point{90_000_000, 0}, 10001965.729},
		{Point{0, 179_500_000}, Point{0, -179_500_000}, 111319.4908},
		{Point{35_000_000, 112_000_000}, Point{35_000_000, 112_000_000}, 0},
	} {
		if got := Distance(c.a, c.b); math.Abs(got-c.want) > c.want*1e-5 {
			t.Errorf("%v to %v: %v m, want %v", c.a, c.b, got, c.want)
		}
	}
}

// The distance must not jump by more than its error where the long formula takes over.
func TestDistanceFormulasMeet(t *testing.T) {
	for _, lat := range []int32{4_000_000, 20_000_000, 35_000_000, 45_000_000} {
		for _, b := range []Point{{lat + nearLimit, 112_000_000}, {lat, 112_000_000 + nearLimit}, {lat + nearLimit, 112_000_000 + nearLimit}} {
			a := Point{lat, 112_000_000}
			near, far := Distance(a, b), Distance(a, Point{b.Lat + sign(b.Lat-a.Lat), b.Lon + sign(b.Lon-a.Lon)})
			if math.Abs(far-near) > near*1e-4 {
				t.Errorf("%v to %v: %v m, a step farther %v m", a, b, near, far)
			}
		}
	}
}

func sign(v int32) int32 {
	if v == 0 {
		return 0
	}
	return 1
}

func TestSinCosAsin(t *testing.T) {
	for i := -1000; i <= 1000; i++ {
		a := float64(i) / 1000 * math.Pi / 2
		sin, cos := sinCos(a)
		if math.Abs(sin-math.Sin(a)) > 1e-15 || math.Abs(cos-math.Cos(a)) > 1e-15 {
			t.Errorf("sinCos(%v) = %v, %v", a, sin, cos)
		}
		if x := math.Abs(float64(i) / 1000); math.Abs(asin(x)-math.Asin(x)) > 1e-12 {
			t.Errorf("asin(%v) = %v, want %v", x, asin(x), math.Asin(x))
		}
	}
}

// The nearest point of a segment is compared with the least geodesic distance to places all along it.
func TestSegmentPoint(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		a := Point{5_000_000 + rnd.Int32N(45_000_000), 75_000_000 + rnd.Int32N(55_000_000)}
		near := func() Point {
			d := math.Exp(2 + rnd.Float64()*12.5) // to 2 degrees
			return Point{a.Lat + int32(d*rnd.NormFloat64()), a.Lon + int32(d*rnd.NormFloat64())}
		}
		b, p := near(), near()
		const steps = 100
		want, at := math.Inf(1), 0.0
		for lo, hi := 0.0, 1.0; hi-lo > 1e-7; { // ever finer round the best
			step := (hi - lo) / steps
			from := lo
			for i := range steps + 1 {
				f := from + step*float64(i)
				q := Interpolate(a, b, f)
				if d, _ := vincenty(p, q); d < want {
					want, at = d, f
				}
			}
			lo, hi = max(at-step, 0), min(at+step, 1)
		}
		got, f := SegmentPoint(p, a, b)
		// The reference's places are on the grid: 0.12 m.
		if math.Abs(got-want) > want*1e-3+0.12 {
			t.Fatalf("%v from %v-%v: %v m at %v, want %v at %v", p, a, b, got, f, want, at)
		}
		if on, _ := vincenty(p, Interpolate(a, b, f)); math.Abs(on-got) > got*1e-3+0.12 {
			t.Fatalf("%v from %v-%v: the place at %v is %v m away, not %v", p, a, b, f, on, got)
		}
	}
}

func TestLinePoint(t *testing.T) {
	line := []Point{{35_000_000, 112_000_000}, {35_000_000, 112_010_000}, {35_010_000, 112_010_000}}
	m, i, f := LinePoint(Point{35_005_000, 112_010_000}, line)
	if m != 0 || i != 1 || math.Abs(f-0.5) > 1e-9 {
		t.Errorf("half-way up: %v m, segment %d at %v", m, i, f)
	}
	m, i, f = LinePoint(Point{35_000_000, 111_999_000}, line)
	if want := Distance(Point{35_000_000, 111_999_000}, line[0]); m != want || i != 0 || f != 0 {
		t.Errorf("before the line: %v m, segment %d at %v", m, i, f)
	}
	if m, _, _ = LinePoint(Point{}, nil); !math.IsInf(m, 1) {
		t.Errorf("no line: %v m", m)
	}
	if m, _, _ = LinePoint(line[1], line[:1]); m != Distance(line[0], line[1]) {
		t.Errorf("line of a point: %v m", m)
	}
	if got, want := Length(line), Distance(line[0], line[1])+Distance(line[1], line[2]); got != want {
		t.Errorf("length %v, want %v", got, want)
	}
}

func TestGatePass(t *testing.T) {
	gate := Point{35_000_000, 112_000_000}
	a, b := Point{35_000_100, 111_990_000}, Point{35_000_100, 112_030_000}
	f, m, ok := GatePass(a, b, gate, 50)
	want := Distance(gate, Point{35_000_100, 112_000_000})
	if !ok || math.Abs(f-0.25) > 1e-6 || math.Abs(m-want) > 1e-3 {
		t.Errorf("passed %v at %v, %v m away; want at 0.25, %v m", ok, f, m, want)
	}
	if _, m, ok := GatePass(a, b, gate, want+1e-3); !ok {
		t.Errorf("missed at %v m, a millimetre within the radius", m)
	}
	if _, _, ok := GatePass(a, b, gate, want-1e-3); ok {
		t.Error("passed a millimetre beyond the radius")
	}
	if f, m, ok := GatePass(a, a, gate, 2000); !ok || f != 0 || m != Distance(a, gate) {
		t.Errorf("standing: %v at %v, %v m", ok, f, m)
	}
}

func TestPointOf(t *testing.T) {
	if p, err := PointOf([2]float64{112.8512745, -35.4907125}); err != nil || p != (Point{-35_490_713, 112_851_275}) && p != (Point{-35_490_712, 112_851_274}) {
		t.Errorf("%v, %v", p, err)
	}
	for _, bad := range [][2]float64{{math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}, {180.1, 0}, {-180.1, 0}, {0, 90.1}, {35, 112}} {
		if p, err := PointOf(bad); err == nil {
			t.Errorf("%v gave %v", bad, p)
		}
	}
	if got := (Point{35_490_712, -112_851_274}).String(); got != "35.490712,-112.851274" {
		t.Error(got)
	}
}
