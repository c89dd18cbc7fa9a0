package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/paulmach/orb"

	"lushao/geo"
)

// Datum is the map that coordinates were drawn on.
type Datum string

// The datums.
const (
	WGS84 Datum = "wgs84"
	GCJ02 Datum = "gcj02"
	BD09  Datum = "bd09"
)

// ParseDatum returns the datum of a name; the empty one is WGS84.
func ParseDatum(s string) (Datum, error) {
	switch d := Datum(s); d {
	case WGS84, GCJ02, BD09:
		return d, nil
	case "":
		return WGS84, nil
	}
	return "", fmt.Errorf("%q is no datum; want wgs84, gcj02 (Amap, Tencent) or bd09 (Baidu)", s)
}

// ToWGS84 converts degrees, longitude first.
func (d Datum) ToWGS84(p orb.Point) orb.Point {
	switch d {
	case GCJ02:
		return geo.WGS84FromGCJ02(p)
	case BD09:
		return geo.WGS84FromBD09(p)
	}
	return p
}

// FromWGS84 converts degrees, longitude first.
func (d Datum) FromWGS84(p orb.Point) orb.Point {
	switch d {
	case GCJ02:
		return geo.GCJ02FromWGS84(p)
	case BD09:
		return geo.BD09FromWGS84(p)
	}
	return p
}

// Geometry returns the geometry of a feature as it stands: orb.Point, LineString, Polygon or MultiPolygon; nil where it is
// none of these, which is the loader's to explain.
func (f *Feature) Geometry() orb.Geometry {
	var v struct {
		Geometry struct {
			Type        string
			Coordinates json.RawMessage
		}
	}
	if json.Unmarshal(f.Raw, &v) != nil {
		return nil
	}
	c := v.Geometry.Coordinates
	switch v.Geometry.Type {
	case "Point":
		return decoded(c, func(p position) orb.Geometry { return p.point() })
	case "LineString":
		return decoded(c, func(l []position) orb.Geometry { return orb.LineString(points(l)) })
	case "Polygon":
		return decoded(c, func(p [][]position) orb.Geometry { return polygon(p) })
	case "MultiPolygon":
		return decoded(c, func(list [][][]position) orb.Geometry {
			out := make(orb.MultiPolygon, len(list))
			for i := range list {
				out[i] = polygon(list[i])
			}
			return out
		})
	}
	return nil
}

func decoded[T any](raw json.RawMessage, fn func(T) orb.Geometry) orb.Geometry {
	var v T
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return fn(v)
}

// position is a position of GeoJSON: longitude, latitude, and an altitude that is passed over.
type position orb.Point

func (p *position) UnmarshalJSON(b []byte) error {
	var v []float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if len(v) < 2 || len(v) > 3 {
		return errors.New("want [longitude, latitude]")
	}
	if math.Abs(v[0]) > 180 || math.Abs(v[1]) > 90 {
		return errors.New("out of range")
	}
	p[0], p[1] = v[0], v[1]
	return nil
}

func (p position) point() orb.Point { return orb.Point(p) }

func points(list []position) []orb.Point {
	out := make([]orb.Point, len(list))
	for i, p := range list {
		out[i] = orb.Point(p)
	}
	return out
}

func polygon(rings [][]position) orb.Polygon {
	out := make(orb.Polygon, len(rings))
	for i, r := range rings {
		out[i] = orb.Ring(points(r))
	}
	return out
}

// transform applies fn to every point and returns a new geometry.
func transform(g orb.Geometry, fn func(orb.Point) orb.Point) orb.Geometry {
	list := func(in []orb.Point) []orb.Point {
		out := make([]orb.Point, len(in))
		for i, p := range in {
			out[i] = fn(p)
		}
		return out
	}
	area := func(in orb.Polygon) orb.Polygon {
		out := make(orb.Polygon, len(in))
		for i, r := range in {
			out[i] = list(r)
		}
		return out
	}
	switch g := g.(type) {
	case orb.Point:
		return fn(g)
	case orb.LineString:
		return orb.LineString(list(g))
	case orb.Polygon:
		return area(g)
	case orb.MultiPolygon:
		out := make(orb.MultiPolygon, len(g))
		for i := range g {
			out[i] = area(g[i])
		}
		return out
	}
	return g
}

// Convert returns the feature with its geometry from one datum in another.
func (f Feature) Convert(from, to Datum) Feature {
	if from == to {
		return f
	}
	g := f.Geometry()
	if g == nil {
		return f
	}
	return f.with(transform(g, func(p orb.Point) orb.Point { return to.FromWGS84(from.ToWGS84(p)) }))
}

// with returns the feature with another geometry, all else as it was.
func (f Feature) with(g orb.Geometry) Feature {
	var members map[string]json.RawMessage
	if json.Unmarshal(f.Raw, &members) != nil {
		return f
	}
	var b bytes.Buffer
	b.WriteString(`{"type":"Feature"`)
	member := func(name string, raw []byte) {
		b.WriteString(`,"` + name + `":`)
		b.Write(raw)
	}
	if raw, ok := members["properties"]; ok {
		member("properties", compact(raw))
	}
	member("geometry", AppendGeometry(nil, g))
	b.WriteByte('}')
	f.Raw = b.Bytes()
	return f
}

// AppendGeometry appends a geometry of GeoJSON. Coordinates have 7 decimals, a centimetre.
func AppendGeometry(dst []byte, g orb.Geometry) []byte {
	dst = fmt.Appendf(dst, `{"type":"%s","coordinates":`, g.GeoJSONType())
	switch g := g.(type) {
	case orb.Point:
		dst = appendPoint(dst, g)
	case orb.LineString:
		dst = appendList(dst, g, appendPoint)
	case orb.Polygon:
		dst = appendPolygon(dst, g)
	case orb.MultiPolygon:
		dst = appendList(dst, g, appendPolygon)
	}
	return append(dst, '}')
}

func appendPolygon(dst []byte, p orb.Polygon) []byte {
	return appendList(dst, p, func(dst []byte, r orb.Ring) []byte { return appendList(dst, r, appendPoint) })
}

func appendPoint(dst []byte, p orb.Point) []byte {
	for i, v := range p {
		dst = append(dst, "[,"[i])
		dst = strconv.AppendFloat(dst, math.Round(v*1e7)/1e7, 'f', -1, 64)
	}
	return append(dst, ']')
}

func appendList[S ~[]T, T any](dst []byte, list S, item func([]byte, T) []byte) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item(dst, v)
	}
	return append(dst, ']')
}

// Repair says what was made of an outline that crossed itself.
type Repair struct {
	Index     int          `json:"index"`
	ID        string       `json:"id"`
	Crossings [][2]float64 `json:"crossings"` // where it crossed itself, WGS-84 degrees, longitude first
	Polygons  int          `json:"polygons"`  // that it was cut into
}

// repaired returns the feature with outlines that do not cross themselves, and what was done; nil where nothing was.
func (f Feature) repaired() (Feature, *Repair, error) {
	var in orb.MultiPolygon
	switch g := f.Geometry().(type) {
	case orb.Polygon:
		in = orb.MultiPolygon{g}
	case orb.MultiPolygon:
		in = g
	default:
		return f, nil, nil
	}
	rep := &Repair{Index: f.Index, ID: f.ID}
	var out orb.MultiPolygon
	for _, p := range in {
		parts, crossings, err := geo.Repair(p)
		if err != nil {
			return f, nil, err
		}
		for _, c := range crossings {
			rep.Crossings = append(rep.Crossings, degrees(c))
		}
		out = append(out, parts...)
	}
	if len(rep.Crossings) == 0 {
		return f, nil, nil
	}
	rep.Polygons = len(out)
	if len(out) == 1 {
		return f.with(out[0]), rep, nil
	}
	return f.with(out), rep, nil
}

func degrees(p geo.Point) [2]float64 {
	d := p.Degrees()
	return [2]float64{d[0], d[1]}
}
