package geo

import "math"

// The WGS-84 ellipsoid (NIMA TR8350.2, table 3.1).
const (
	semiMajor  = 6378137.0         // m
	flattening = 1 / 298.257223563 //
	ecc2       = (2 - flattening) * flattening
	meanRadius = 6371008.8                      // m
	radians    = math.Pi / (180 * microDegrees) // of 1e-6 degree
)

// The metres of 1e-6 degree of latitude and of longitude are tabulated by latitude and interpolated linearly; with steps of
// 2^17 (0.13 degrees) they are right to 1e-6 of their value at the latitudes where people drive.
const (
	scaleShift = 17
	scaleStep  = 1 << scaleShift
	scaleCount = maxLat/scaleStep + 2
)

type scaleEntry struct{ lat, lon float64 }

var scaleTable = makeScaleTable()

func makeScaleTable() (t [scaleCount]scaleEntry) {
	for i := range t {
		sin, cos := sinCos(min(float64(i*scaleStep), maxLat) * radians)
		w := 1 - float64(ecc2*float64(sin*sin))
		n := semiMajor / math.Sqrt(w)
		t[i] = scaleEntry{lat: n * (1 - ecc2) / w * radians, lon: n * cos * radians}
	}
	return t
}

// scale returns the metres of 1e-6 degree of latitude and of longitude at a latitude in 1e-6 degree.
func scale(lat float64) (perLat, perLon float64) {
	lat = math.Abs(lat)
	if !(lat < maxLat) {
		lat = maxLat
	}
	i := int(lat) >> scaleShift
	f := (lat - float64(i<<scaleShift)) * (1.0 / scaleStep)
	a, b := &scaleTable[i], &scaleTable[i+1]
	return a.lat + float64(f*(b.lat-a.lat)), a.lon + float64(f*(b.lon-a.lon))
}

// nearLimit is the difference of latitude or longitude, 8.4 degrees, up to which the short formula is used.
const nearLimit = 1 << 23

// Distance returns the metres between a and b on the WGS-84 ellipsoid: to 0.01 % up to 500 km at latitudes up to 55 degrees,
// to 0.1 % farther (but for nearly antipodal places, 1 %). It is symmetric, and the same on every platform.
func Distance(a, b Point) float64 {
	return metres(float64(a.Lat), float64(a.Lon), float64(b.Lat), float64(b.Lon))
}

// metres is Distance for places between the grid, in 1e-6 degree.
//
// The short formula is the haversine in its form of the middle latitude,
//
//	sin²(d/2) = sin²(Δφ/2) cos²(Δλ/2) + cos²(φm) sin²(Δλ/2),
//
// with the radii of the ellipsoid at the middle latitude for the unit sphere and the sines as series.
func metres(lat1, lon1, lat2, lon2 float64) float64 {
	dLat, dLon := lat2-lat1, lon2-lon1
	if dLon > maxLon {
		dLon -= 2 * maxLon
	} else if dLon < -maxLon {
		dLon += 2 * maxLon
	}
	if math.Abs(dLat) > nearLimit || math.Abs(dLon) > nearLimit {
		return farMetres(lat1, lat2, dLon)
	}
	perLat, perLon := scale((lat1 + lat2) * 0.5)
	f2, l2 := float64(dLat*dLat)*(radians*radians), float64(dLon*dLon)*(radians*radians)
	y := perLat * dLat * (1 - float64(f2*(1.0/24)) - float64(l2*(1.0/8)))
	x := perLon * dLon * (1 - float64(l2*(1.0/24)))
	d2 := float64(x*x) + float64(y*y)
	return math.Sqrt(d2) * (1 + float64(d2*(1.0/(24*meanRadius*meanRadius))))
}

// farMetres is the formula of Andoyer and Lambert on reduced latitudes.
func farMetres(lat1, lat2, dLon float64) float64 {
	s1, c1 := reduced(lat1)
	s2, c2 := reduced(lat2)
	sinHalf, _ := sinCos(min(math.Abs(dLon), maxLon) * radians / 2)
	sum := float64(c1*c2) - float64(s1*s2)  // cos(β1 + β2)
	diff := float64(c1*c2) + float64(s1*s2) // cos(β1 - β2)
	sin2P, cos2P := (1-sum)/2, (1+sum)/2
	sin2Q, cos2Q := (1-diff)/2, (1+diff)/2
	h := min(max(sin2Q, 0)+float64(c1*c2*float64(sinHalf*sinHalf)), 1)
	if h == 0 {
		return 0
	}
	sigma := 2 * asin(math.Sqrt(h))
	if 1-h < 1e-3 { // within 3.6 degrees of the antipode the correction diverges
		return semiMajor * (1 - flattening/2) * sigma
	}
	sinSigma := 2 * math.Sqrt(h*(1-h))
	x := (sigma - sinSigma) * sin2P * cos2Q / (1 - h)
	y := (sigma + sinSigma) * cos2P * sin2Q / h
	return semiMajor * (sigma - float64(flattening/2*(x+y)))
}

// reduced returns sine and cosine of the reduced latitude of a latitude in 1e-6 degree.
func reduced(lat float64) (sin, cos float64) {
	s, c := sinCos(max(min(lat, maxLat), -maxLat) * radians)
	s *= 1 - flattening
	r := math.Sqrt(float64(s*s) + float64(c*c))
	return s / r, c / r
}

// sinCos returns sine and cosine of an angle in [-π/2, π/2] rad, to 1e-15. The functions of package math are not used: they
// are fused, or assembly, on some platforms, and their last bit differs.
func sinCos(a float64) (sin, cos float64) {
	a2 := a * a
	sin, cos = 1, 1
	for k := 20.0; k >= 2; k -= 2 { // Horner's scheme of the two series
		sin = 1 - float64(a2/(k*(k+1))*sin)
		cos = 1 - float64(a2/(k*(k-1))*cos)
	}
	return a * sin, cos
}

// asin returns the arc sine of x in [0, 1], to 1e-12.
func asin(x float64) float64 {
	if x > 0.5 {
		return math.Pi/2 - 2*asin(math.Sqrt(max((1-x)/2, 0)))
	}
	x2 := x * x
	sum, term := 1.0, 1.0
	for k := 1.0; k <= 20; k++ {
		term *= x2 * (2*k - 1) / (2 * k)
		sum += term / (2*k + 1)
	}
	return x * sum
}

// SegmentPoint returns the metres from p to the nearest point of the straight way (in longitude and latitude) from a to b,
// and how far along that point lies: 0 at a, 1 at b.
func SegmentPoint(p, a, b Point) (metres, fraction float64) {
	return segmentPoint(float64(p.Lat), float64(p.Lon), a, b)
}

// segmentPoint is SegmentPoint for a place between the grid. The nearest point is sought in the plane that has the scales of
// p's latitude, where the segment stays straight; farther than a degree away once more with those of the middle latitude.
func segmentPoint(lat, lon float64, a, b Point) (m, fraction float64) {
	aLat, aLon := float64(a.Lat), float64(a.Lon)
	if a == b {
		return metres(lat, lon, aLat, aLon), 0
	}
	dLat, dLon := float64(b.Lat)-aLat, float64(b.Lon)-aLon
	perLat, perLon := scale(lat)
	t := along(lat-aLat, lon-aLon, dLat, dLon, perLat, perLon)
	qLat, qLon := aLat+float64(t*dLat), aLon+float64(t*dLon)
	if math.Abs(qLat-lat) > microDegrees {
		perLat, perLon = scale((lat + qLat) * 0.5)
		t = along(lat-aLat, lon-aLon, dLat, dLon, perLat, perLon)
		qLat, qLon = aLat+float64(t*dLat), aLon+float64(t*dLon)
	}
	return metres(lat, lon, qLat, qLon), t
}

// along returns the fraction of the nearest point on a segment of extent dLat, dLon for a place pLat, pLon from its start.
func along(pLat, pLon, dLat, dLon, perLat, perLon float64) float64 {
	py, px, dy, dx := pLat*perLat, pLon*perLon, dLat*perLat, dLon*perLon
	t := (float64(px*dx) + float64(py*dy)) / (float64(dx*dx) + float64(dy*dy))
	if !(t > 0) { // also where both are 0, at a pole
		return 0
	}
	return min(t, 1)
}

// LinePoint returns the metres from p to the nearest point of a line, the number of the segment that has it (from 0; of equals
// the first), and how far along that segment it lies. An empty line is infinitely far, a single point has fraction 0.
func LinePoint(p Point, line []Point) (metres float64, segment int, fraction float64) {
	if len(line) == 1 {
		return Distance(p, line[0]), 0, 0
	}
	metres = math.Inf(1)
	for i := 0; i+1 < len(line); i++ {
		if m, f := SegmentPoint(p, line[i], line[i+1]); m < metres {
			metres, segment, fraction = m, i, f
		}
	}
	return metres, segment, fraction
}

// Length returns the metres of a line.
func Length(line []Point) float64 {
	sum := 0.0
	for i := 0; i+1 < len(line); i++ {
		sum += Distance(line[i], line[i+1])
	}
	return sum
}

// Interpolate returns the place at a fraction of the straight way from a to b, rounded to the grid: 0 is a, 1 is b.
func Interpolate(a, b Point, fraction float64) Point {
	at := func(a, b int32) int32 {
		return int32(math.Round(float64(a) + float64(fraction*(float64(b)-float64(a)))))
	}
	return Point{Lat: at(a.Lat, b.Lat), Lon: at(a.Lon, b.Lon)}
}
