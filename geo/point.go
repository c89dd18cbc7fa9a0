// Package geo answers where a vehicle is: distances on the WGS-84 ellipsoid, fences (circles, polygons, corridors)
// compiled to exact integer tests, an index over a hundred thousand of them, passes of gates, and the datums of Chinese
// maps.
//
// Places of vehicles are Points in 1e-6 degree, as the terminals report them. Fences come as orb geometry in degrees of
// WGS-84, longitude first, and are rounded to the same grid of 1e-6 degree (0.11 m) when they are compiled; from then on
// inside and outside of a polygon is integer arithmetic. An edge is straight in longitude and latitude (RFC 7946, 3.1.1).
// A point on a border is outside.
//
// The package is pure: no clock, no input or output, no goroutine but inside Build, and the same figures on every
// platform, but for the conversions of datums, which only maps need. Products are written float64(x*y) where a sum follows, which forbids the compiler to fuse the two.
package geo

import (
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// Point is a place in 1e-6 degree of WGS-84; south and west are negative.
type Point struct {
	Lat, Lon int32
}

const (
	microDegrees = 1_000_000 // of a degree
	maxLat       = 90 * microDegrees
	maxLon       = 180 * microDegrees
)

// PointOf rounds degrees (longitude first) to the nearest Point. It fails where a coordinate is no number or out of range.
func PointOf(p orb.Point) (Point, error) {
	lon, lat := p[0], p[1]
	// Written so that NaN fails as well.
	if !(lon >= -180 && lon <= 180) {
		return Point{}, fmt.Errorf("longitude %v is outside of -180 to 180 degrees", lon)
	}
	if !(lat >= -90 && lat <= 90) {
		return Point{}, fmt.Errorf("latitude %v is outside of -90 to 90 degrees (longitude comes first)", lat)
	}
	return Point{Lat: int32(math.Round(lat * microDegrees)), Lon: int32(math.Round(lon * microDegrees))}, nil
}

// Degrees returns p in degrees, longitude first.
func (p Point) Degrees() orb.Point {
	return orb.Point{float64(p.Lon) / microDegrees, float64(p.Lat) / microDegrees}
}

// String returns latitude and longitude in degrees with six decimals.
func (p Point) String() string {
	return fmt.Sprintf("%.6f,%.6f", float64(p.Lat)/microDegrees, float64(p.Lon)/microDegrees)
}

// onEarth reports whether p's coordinates are within 90 and 180 degrees.
func (p Point) onEarth() bool {
	return p.Lat >= -maxLat && p.Lat <= maxLat && p.Lon >= -maxLon && p.Lon <= maxLon
}

// cross is the cross product of (b - a) and (p - a): positive where p lies left of the way from a to b. Coordinates within
// 180 degrees make factors below 2^29 and a result below 2^59; a hostile p, any int32, keeps it below 2^63.
func cross(a, b, p Point) int64 {
	return (int64(b.Lon)-int64(a.Lon))*(int64(p.Lat)-int64(a.Lat)) - (int64(b.Lat)-int64(a.Lat))*(int64(p.Lon)-int64(a.Lon))
}

// box is a closed rectangle of Points.
type box struct{ min, max Point }

func emptyBox() box {
	return box{min: Point{math.MaxInt32, math.MaxInt32}, max: Point{math.MinInt32, math.MinInt32}}
}

func (b box) contains(p Point) bool {
	return p.Lat >= b.min.Lat && p.Lat <= b.max.Lat && p.Lon >= b.min.Lon && p.Lon <= b.max.Lon
}

func (b box) meets(o box) bool {
	return b.min.Lat <= o.max.Lat && o.min.Lat <= b.max.Lat && b.min.Lon <= o.max.Lon && o.min.Lon <= b.max.Lon
}

func (b box) with(p Point) box {
	b.min.Lat, b.max.Lat = min(b.min.Lat, p.Lat), max(b.max.Lat, p.Lat)
	b.min.Lon, b.max.Lon = min(b.min.Lon, p.Lon), max(b.max.Lon, p.Lon)
	return b
}
