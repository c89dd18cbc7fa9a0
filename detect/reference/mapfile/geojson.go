package mapfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"lushao/detect/reference/edit"
)

// readGeoJSON reads RFC 7946: a FeatureCollection or a Feature.
func readGeoJSON(text []byte) (*File, error) {
	features, err := edit.ParseFeatures(text)
	if err != nil {
		return nil, err
	}
	f := &File{Format: "GeoJSON", Places: make([]Place, 0, len(features))}
	for i := range features {
		p := Place{Number: i + 1}
		if err := p.fromJSON(features[i].Raw); err != nil {
			p.Bad = err.Error()
		}
		f.Places = append(f.Places, p)
	}
	return f, nil
}

func (p *Place) fromJSON(raw []byte) error {
	var v struct {
		Type       string
		ID         any
		Properties map[string]any
		Geometry   json.RawMessage
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil || v.Type != "Feature" {
		return errors.New(`want a GeoJSON object of type "Feature"`)
	}
	p.Attributes = v.Properties
	p.ID = textOf(v.ID)
	if name, ok := v.Properties["name"].(string); ok {
		p.Name = name
	}
	if len(v.Geometry) == 0 || string(v.Geometry) == "null" {
		return errors.New("has no geometry")
	}
	return p.geometry(v.Geometry, 0)
}

// geometry adds a geometry, a collection's one by one.
func (p *Place) geometry(raw json.RawMessage, depth int) error {
	var v struct {
		Type        string
		Coordinates json.RawMessage
		Geometries  []json.RawMessage
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return errors.New("geometry: want a GeoJSON geometry")
	}
	switch {
	case v.Type == "GeometryCollection":
		if depth == maxDepth {
			return errors.New("geometry: collections in collections, too deep")
		}
		for _, g := range v.Geometries {
			if err := p.geometry(g, depth+1); err != nil {
				return err
			}
		}
		return nil
	case len(v.Coordinates) == 0:
		return fmt.Errorf("geometry: %.40q has no coordinates", v.Type)
	}
	bad := func(err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("geometry: %s: the coordinates can't be read: %w", v.Type, err)
	}
	switch v.Type {
	case "Point":
		var c point
		err := json.Unmarshal(v.Coordinates, &c)
		p.Geometries = append(p.Geometries, orb.Point(c))
		return bad(err)
	case "MultiPoint":
		var c []point
		err := json.Unmarshal(v.Coordinates, &c)
		for _, x := range c {
			p.Geometries = append(p.Geometries, orb.Point(x))
		}
		return bad(err)
	case "LineString":
		var c []point
		err := json.Unmarshal(v.Coordinates, &c)
		p.Geometries = append(p.Geometries, orb.LineString(points(c)))
		return bad(err)
	case "MultiLineString":
		var c [][]point
		err := json.Unmarshal(v.Coordinates, &c)
		for _, x := range c {
			p.Geometries = append(p.Geometries, orb.LineString(points(x)))
		}
		return bad(err)
	case "Polygon":
		var c [][]point
		err := json.Unmarshal(v.Coordinates, &c)
		p.Geometries = append(p.Geometries, polygon(c))
		return bad(err)
	case "MultiPolygon":
		var c [][][]point
		err := json.Unmarshal(v.Coordinates, &c)
		var all orb.MultiPolygon
		for _, x := range c {
			all = append(all, polygon(x))
		}
		p.Geometries = append(p.Geometries, all)
		return bad(err)
	}
	return fmt.Errorf("geometry: type %.40q is not taken", v.Type)
}

// point is a position of GeoJSON, whose altitude is passed over.
type point orb.Point

func (p *point) UnmarshalJSON(b []byte) error {
	var v []float64
	if err := json.Unmarshal(b, &v); err != nil || len(v) < 2 {
		return fmt.Errorf("%.60s; want [longitude, latitude]", b)
	}
	*p = point{v[0], v[1]}
	return inRange(orb.Point(*p))
}

// inRange refuses what is no longitude and latitude, such as metres of a projection.
func inRange(p orb.Point) error {
	if !(math.Abs(p[0]) <= 180 && math.Abs(p[1]) <= 90) { // also what is no number
		return fmt.Errorf("%v, %v is no longitude and latitude in degrees", p[0], p[1])
	}
	return nil
}

func points(list []point) []orb.Point {
	out := make([]orb.Point, len(list))
	for i := range list {
		out[i] = orb.Point(list[i])
	}
	return out
}

func polygon(rings [][]point) orb.Polygon {
	out := make(orb.Polygon, len(rings))
	for i := range rings {
		out[i] = points(rings[i])
	}
	return out
}

// textOf is an attribute as a text; empty where it is none.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		if utf8.ValidString(v) {
			return v
		}
	case json.Number:
		return v.String()
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return fmt.Sprintf("%d", int64(v))
		}
		return fmt.Sprint(v)
	case int:
		return fmt.Sprint(v)
	case bool:
		return fmt.Sprint(v)
	}
	return ""
}
