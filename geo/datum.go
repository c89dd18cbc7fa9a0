package geo

import (
	"math"

	"github.com/paulmach/orb"
)

// Chinese maps are drawn in GCJ-02, WGS-84 shifted by up to 700 m, or in BD-09, GCJ-02 twisted once more. Positions and
// fences are WGS-84 throughout; these conversions are for showing them on such maps and for taking fences drawn there.
// The formulas are those that public map libraries agree on, there is no public standard. Outside of the box
// 72.004–137.8347 E, 0.8293–55.8271 N all three are taken for the same.
const (
	gcjA    = 6378245.0              // m, semi-major axis of Krasovsky 1940
	gcjEcc2 = 0.00669342162296594323 // of the same
	bdTwist = math.Pi * 3000 / 180
)

// inChina reports whether the datums differ at p, degrees, longitude first.
func inChina(p orb.Point) bool {
	return p[0] >= 72.004 && p[0] <= 137.8347 && p[1] >= 0.8293 && p[1] <= 55.8271
}

// GCJ02FromWGS84 converts degrees, longitude first.
func GCJ02FromWGS84(p orb.Point) orb.Point {
	if !inChina(p) {
		return p
	}
	d := gcjShift(p)
	return orb.Point{p[0] + d[0], p[1] + d[1]}
}

// gcjShift is what GCJ-02 adds at p.
func gcjShift(p orb.Point) orb.Point {
	x, y := p[0]-105, p[1]-35
	root := math.Sqrt(math.Abs(x))
	common := (20*math.Sin(6*x*math.Pi) + 20*math.Sin(2*x*math.Pi)) * 2 / 3
	lat := -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*root + common +
		(20*math.Sin(y*math.Pi)+40*math.Sin(y/3*math.Pi))*2/3 +
		(160*math.Sin(y/12*math.Pi)+320*math.Sin(y*math.Pi/30))*2/3
	lon := 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*root + common +
		(20*math.Sin(x*math.Pi)+40*math.Sin(x/3*math.Pi))*2/3 +
		(150*math.Sin(x/12*math.Pi)+300*math.Sin(x/30*math.Pi))*2/3
	sin, cos := math.Sincos(p[1] / 180 * math.Pi)
	w := 1 - gcjEcc2*sin*sin
	root = math.Sqrt(w)
	return orb.Point{
		lon * 180 / (gcjA / root * cos * math.Pi),
		lat * 180 / (gcjA * (1 - gcjEcc2) / (w * root) * math.Pi),
	}
}

// WGS84FromGCJ02 converts degrees, longitude first: the inverse of GCJ02FromWGS84 by iteration, to much less than a
// millimetre. Within 700 m of the edges of the box, where the forward conversion jumps, it takes p as unshifted where no
// place inside of the box leads to p.
func WGS84FromGCJ02(p orb.Point) orb.Point {
	q := p
	for range 10 { // each turn leaves a hundredth of the error or less
		d := gcjShift(q)
		next := orb.Point{p[0] - d[0], p[1] - d[1]}
		done := math.Abs(next[0]-q[0]) < 1e-11 && math.Abs(next[1]-q[1]) < 1e-11
		q = next
		if done {
			break
		}
	}
	if !inChina(q) {
		return p
	}
	return q
}

// BD09FromGCJ02 converts degrees, longitude first.
func BD09FromGCJ02(p orb.Point) orb.Point {
	if !inChina(p) {
		return p
	}
	return bdFrom(p)
}

func bdFrom(p orb.Point) orb.Point {
	z := math.Hypot(p[0], p[1]) + 0.00002*math.Sin(p[1]*bdTwist)
	theta := math.Atan2(p[1], p[0]) + 0.000003*math.Cos(p[0]*bdTwist)
	sin, cos := math.Sincos(theta)
	return orb.Point{z*cos + 0.0065, z*sin + 0.006}
}

// GCJ02FromBD09 converts degrees, longitude first: the inverse of BD09FromGCJ02 by iteration.
func GCJ02FromBD09(p orb.Point) orb.Point {
	q := orb.Point{p[0] - 0.0065, p[1] - 0.006}
	for range 20 {
		b := bdFrom(q)
		dx, dy := p[0]-b[0], p[1]-b[1]
		q[0] += dx
		q[1] += dy
		if math.Abs(dx) < 1e-11 && math.Abs(dy) < 1e-11 {
			break
		}
	}
	if !inChina(q) {
		return p
	}
	return q
}

// BD09FromWGS84 converts degrees, longitude first.
func BD09FromWGS84(p orb.Point) orb.Point {
	if !inChina(p) {
		return p
	}
	return bdFrom(GCJ02FromWGS84(p))
}

// WGS84FromBD09 converts degrees, longitude first: the inverse of BD09FromWGS84.
func WGS84FromBD09(p orb.Point) orb.Point {
	q := WGS84FromGCJ02(GCJ02FromBD09(p))
	if !inChina(q) {
		return p
	}
	return q
}
