package mapfile

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"lushao/detect/reference"
	"lushao/detect/reference/edit"
)

// Options say what places become.
type Options struct {
	Layer Layer
	// Kind, RadiusM and WidthM are for places that do not say so themselves.
	Kind            string
	RadiusM, WidthM float64
	// IDProperty and NameProperty are attributes that are taken instead of id and name.
	IDProperty, NameProperty string
	Datum                    string // wgs84, gcj02, bd09; empty: WGS-84, and a shapefile must say so
	Repair                   bool
	Replace                  bool // what is there before goes away
	SkipBad                  bool
	DryRun                   bool
	Who, Comment             string
}

// Layer is edit.Layer.
type Layer = edit.Layer

// origin is where a feature came from.
type origin struct {
	file  *File
	place *Place
	id    string
	name  string
}

// converted is a set of files as features.
type converted struct {
	features []edit.Feature
	origins  []origin // by the index of the feature
	refused  []Problem
	passed   map[string]int // attributes that have no meaning here, by how many have them
}

// convert makes features of places. Their index is their number in origins.
func convert(files []File, o *Options) *converted {
	c := &converted{passed: map[string]int{}}
	ids := map[string]origin{}
	known := reference.Properties(o.Layer.File())
	for i := range files {
		f := &files[i]
		stem := stemOf(f.Name)
		for j := range f.Places {
			c.place(f, &f.Places[j], stem, known, ids, o)
		}
	}
	return c
}

// stemOf is the name of a file without folder and ending.
func stemOf(name string) string {
	base := filepath.Base(filepath.ToSlash(name))
	return strings.TrimSpace(strings.TrimSuffix(base, filepath.Ext(base)))
}

func (c *converted) refuse(o origin, field, format string, args ...any) {
	c.refused = append(c.refused, problemAt(o, edit.Problem{Index: -1, ID: o.id, Field: field, Message: fmt.Sprintf(format, args...)}))
}

func (c *converted) place(f *File, p *Place, stem string, known []string, ids map[string]origin, opt *Options) {
	props := c.properties(p, known, opt)
	o := origin{file: f, place: p, id: textOf(props["id"]), name: textOf(props["name"])}
	if o.name == "" {
		if o.name = strings.TrimSpace(p.Name); o.name != "" && opt.NameProperty == "" {
			props["name"] = o.name
		}
	}
	if opt.IDProperty != "" && o.id == "" {
		c.refuse(o, opt.IDProperty, "is missing or empty, and it was to be the id")
		return
	}
	if o.id == "" {
		if o.id = strings.TrimSpace(p.ID); o.id == "" {
			o.id = fmt.Sprintf("%s-%d", stem, p.Number)
		}
	}
	if p.Bad != "" {
		c.refuse(o, "geometry", "%s", p.Bad)
		return
	}
	parts := together(p.Geometries)
	if len(parts) == 0 {
		c.refuse(o, "geometry", "has no geometry")
		return
	}
	if opt.Layer != edit.Fences && len(parts) > 1 {
		c.refuse(o, "geometry", "is %d parts; a %s is one line", len(parts), strings.TrimSuffix(string(opt.Layer), "s"))
		return
	}
	for i, g := range parts {
		one := o
		if len(parts) > 1 {
			one.id = fmt.Sprintf("%s-%d", o.id, i+1)
		}
		if first, twice := ids[one.id]; twice {
			c.refuse(one, "id", "is there twice, first at place %d of %s", first.place.Number, first.file.Name)
			continue
		}
		ids[one.id] = one
		mine := make(map[string]any, len(props)+3)
		for k, v := range props {
			mine[k] = v
		}
		mine["id"] = one.id
		if why := size(g, mine, opt); why != "" {
			c.refuse(one, "geometry", "%s", why)
			continue
		}
		c.features = append(c.features, edit.Feature{Index: len(c.origins), ID: one.id, Raw: encode(mine, known, g)})
		c.origins = append(c.origins, one)
	}
}

// together puts all polygons of a place into one geometry; points and lines stay by themselves.
func together(in []orb.Geometry) (out []orb.Geometry) {
	var area orb.MultiPolygon
	for _, g := range in {
		switch g := g.(type) {
		case orb.Polygon:
			area = append(area, g)
		case orb.MultiPolygon:
			area = append(area, g...)
		default:
			out = append(out, g)
		}
	}
	switch len(area) {
	case 0:
		return out
	case 1:
		return append([]orb.Geometry{area[0]}, out...)
	}
	return append([]orb.Geometry{area}, out...)
}

// size gives a point its radius and a line its width, and says what is wrong with a geometry for the layer.
func size(g orb.Geometry, props map[string]any, opt *Options) string {
	need := func(property, flag string, given float64) string {
		if props[property] == nil && given > 0 {
			props[property] = given
		}
		if props[property] == nil {
			return fmt.Sprintf("is a %s without %s; give one with %s", g.GeoJSONType(), property, flag)
		}
		return ""
	}
	_, line := g.(orb.LineString)
	_, point := g.(orb.Point)
	switch {
	case opt.Layer != edit.Fences && !line:
		return fmt.Sprintf("is a %s; a %s is a line", g.GeoJSONType(), strings.TrimSuffix(string(opt.Layer), "s"))
	case opt.Layer == edit.Sections:
		return ""
	case line:
		return need("width_m", "--width", opt.WidthM)
	case point:
		return need("radius_m", "--radius", opt.RadiusM)
	}
	return ""
}

// encode writes a feature, its properties in the order in which the format lists them.
func encode(props map[string]any, known []string, g orb.Geometry) []byte {
	b := []byte(`{"type":"Feature","properties":{`)
	first := true
	for _, name := range known {
		v, ok := props[name]
		if !ok || v == nil {
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil { // no number, such as NaN: the loader says what it wants
			raw = strconv.AppendQuote(nil, fmt.Sprint(v))
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = strconv.AppendQuote(b, name)
		b = append(append(b, ':'), raw...)
	}
	b = append(b, `},"geometry":`...)
	return append(edit.AppendGeometry(b, g), '}')
}

// dbfName is how many characters the name of a column has in a shapefile's table.
const dbfName = 10

// properties takes the attributes that mean something, as the values that the format wants. Values that do not fit are left as they
// are: the loader says what it wants.
func (c *converted) properties(p *Place, known []string, opt *Options) map[string]any {
	props := map[string]any{}
	for _, name := range sortedKeys(p.Attributes) {
		v := p.Attributes[name]
		if v == nil || v == "" {
			continue
		}
		target := ""
		for _, k := range known {
			if strings.EqualFold(name, k) || len(k) > dbfName && strings.EqualFold(name, k[:dbfName]) {
				target = k
			}
		}
		if name == opt.IDProperty && name != "" {
			props["id"] = strings.TrimSpace(textOf(v))
		}
		if name == opt.NameProperty && name != "" {
			props["name"] = strings.TrimSpace(textOf(v))
		}
		switch {
		case target == "id" && opt.IDProperty != "", target == "name" && opt.NameProperty != "":
		case target != "":
			if v = valueOf(target, v); v != nil {
				props[target] = v
			}
		case name != opt.IDProperty && name != opt.NameProperty:
			c.passed[name]++
		}
	}
	if opt.Layer == edit.Fences && props["kind"] == nil && opt.Kind != "" {
		props["kind"] = opt.Kind
	}
	return props
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// valueOf makes an attribute what a property is: texts, numbers, lists. nil: not known.
func valueOf(property string, v any) any {
	text, isText := v.(string)
	text = strings.TrimSpace(text)
	switch property {
	case "id", "name", "kind", "road", "region", "station":
		if s := strings.TrimSpace(textOf(v)); s != "" {
			return s
		}
		if isText {
			return nil
		}
		return v
	case "classes", "plates", "operators", "regions":
		if !isText {
			return v
		}
		list := []string{}
		for _, s := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(";,，；、", r) }) {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
		if len(list) == 0 {
			return nil
		}
		return list
	case "schedule":
		if isText && json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
		return v
	}
	// Numbers. Tables have 0 where nothing is known, and KML has texts.
	if isText {
		if text == "" {
			return nil
		}
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return v
		}
		v = json.Number(text)
	}
	if n, err := strconv.ParseFloat(fmt.Sprint(v), 64); err == nil {
		if n == 0 {
			return nil
		}
		return n
	}
	return v
}
