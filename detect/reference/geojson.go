package reference

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"lushao/ingest/eventfile/textform"
)

// node is a value of a GeoJSON text, and where it stands.
type node struct {
	raw []byte
	at  int // offset in the text
}

func (n node) null() bool   { return len(n.raw) == 0 || n.raw[0] == 'n' }
func (n node) object() bool { return n.raw[0] == '{' }
func (n node) array() bool  { return n.raw[0] == '[' }

// elements calls fn for every element of an array, until it returns false.
func (n node) elements(fn func(i int, e node) bool) {
	for i, at := 0, 0; ; i++ {
		m, next, ok := textform.NextElement(n.raw, at)
		if !ok || !fn(i, node{m.Value, n.at + m.At}) {
			return
		}
		at = next
	}
}

// geojson is a file of features while it is read.
type geojson struct {
	*file
	text []byte

	// Features come in order, so their lines are counted on from the last one.
	counted, lines int

	now *feature // that is being read; nil: none

	// Scratch.
	points []orb.Point
	rings  orb.Polygon
}

// fail notes an error at an offset of the text.
func (g *geojson) fail(at int, field, format string, args ...any) {
	if g.problems.full() { // to find the column of one more costs time by the length of its line
		return
	}
	before := g.text[:at]
	begin := bytes.LastIndexByte(before, '\n') + 1
	e := &Error{File: g.path, Line: g.line(at), Column: 1 + utf8.RuneCount(before[begin:]), Field: field,
		Reason: fmt.Sprintf(format, args...)}
	if f := g.now; f != nil {
		e.Feature, e.ID, e.Property = f.n, f.id, strings.TrimPrefix(field, f.name(""))
	}
	g.problems.add(e)
}

// line is the number of the line at an offset of the text.
func (g *geojson) line(at int) int {
	if at < g.counted {
		g.counted, g.lines = 0, 0
	}
	g.lines += bytes.Count(g.text[g.counted:at], []byte{'\n'})
	g.counted = at
	return 1 + g.lines
}

// object is the members of an object, in the order in which they stand.
type object []member

type member struct {
	key []byte
	node
}

// find returns a member; ok is false where there is none.
func (o object) find(key string) (n node, ok bool) {
	for i := range o {
		if string(o[i].key) == key {
			return o[i].node, true
		}
	}
	return node{}, false
}

// get returns a member, null where there is none.
func (o object) get(key string) node {
	n, _ := o.find(key)
	return n
}

// fewMembers is up to how many members are looked through one by one for one that is there twice.
const fewMembers = 32

// members returns the members of an object in the room of dst. A key that is there twice is an error, of which twice is told:
// which of the two counts would be a guess.
func (g *geojson) members(dst object, n node, twice func(at int, key []byte)) object {
	all := dst[:0]
	var seen map[string]bool // of many
	for at := 0; ; {
		m, next, ok := textform.NextMember(n.raw, at)
		if !ok {
			return all
		}
		at = next
		key, v := m.Key, node{m.Value, n.at + m.At}
		if bytes.IndexByte(key, '\\') >= 0 {
			key = []byte(textform.Text(key))
		}
		again := false
		if len(all) < fewMembers {
			_, again = all.find(string(key))
		} else {
			if seen == nil {
				seen = make(map[string]bool)
				for i := range all {
					seen[string(all[i].key)] = true
				}
			}
			again = seen[string(key)]
			seen[string(key)] = true
		}
		if again {
			twice(v.at, key)
			continue
		}
		all = append(all, member{key, v})
	}
}

// eachFeature calls fn for every feature of the file (RFC 7946). It returns false if features are lost.
func (f *file) eachFeature(properties []string, fn func(*feature)) (whole bool) {
	text, release, err := readAll(f.r, f.size)
	defer release() // nothing of the text is kept: records and errors have copies
	if err != nil {
		f.unread = true
		f.problems.add(fmt.Errorf("%s: %w", f.path, err))
		return false
	}
	g := &geojson{file: f, text: bytes.TrimPrefix(text, []byte("\ufeff"))}
	if bad := notUTF8(g.text); bad >= 0 {
		g.fail(bad, "", "not UTF-8; convert the file, from GB18030 for example")
		return false
	}
	if len(bytes.TrimSpace(g.text)) == 0 {
		f.problems.add(&Error{File: f.path, Reason: "empty; remove the file where nothing is known"})
		return false
	}
	frame, err := checkJSON(g.text)
	if err != nil {
		if e, ok := err.(*textform.JSONError); ok {
			g.fail(max(e.Offset-1, 0), "", "no JSON: %s", e.Reason)
		}
		return false
	}
	start := bytes.IndexFunc(g.text, func(r rune) bool { return !strings.ContainsRune(" \t\r\n", r) })
	top := node{bytes.TrimSpace(frame.text), start}
	if !top.object() {
		g.fail(top.at, "", "want an object of type FeatureCollection")
		return false
	}
	collection := g.members(nil, top, func(at int, key []byte) { g.fail(frame.offset(at), string(key), "is there twice") })
	for i := range collection {
		collection[i].at = frame.offset(collection[i].at)
	}
	if t := collection.get("type"); string(t.raw) != `"FeatureCollection"` {
		g.fail(max(t.at, top.at), "type", `want "FeatureCollection"`)
		return false
	}
	// Tools write the older member crs. Coordinates in another system would be taken for WGS-84.
	if crs := collection.get("crs"); !crs.null() && !bytes.Contains(crs.raw, []byte("CRS84")) && !bytes.Contains(crs.raw, []byte("EPSG:4326")) &&
		!bytes.Contains(crs.raw, []byte("EPSG::4326")) {
		g.fail(crs.at, "crs", "%.80s: want WGS-84; save the file as RFC 7946 GeoJSON", crs.raw)
		return false
	}
	list := collection.get("features")
	if list.null() || !list.array() {
		g.fail(max(list.at, top.at), "features", "want a list of features")
		return false
	}
	if frame.features > 0 {
		list.raw = g.text[list.at : frame.to+1]
	}
	if f.grow != nil {
		const least = 80 // bytes of a feature, nothing but an id and a point
		f.grow(min(frame.features, len(list.raw)/least))
	}
	whole = true
	var pace pace
	ft := &feature{g: g}
	g.now = ft
	list.elements(func(i int, e node) bool {
		f.rows++
		pace.did(len(e.raw))
		ft.n, ft.at, ft.id, ft.geometry = i+1, e.at, "", node{}
		if ft.open(e, properties) {
			fn(ft)
		} else {
			whole = false
		}
		return !f.problems.full()
	})
	return whole && !f.problems.full()
}

// feature is one feature of a file while its record is made; the next one takes its place.
type feature struct {
	g          *geojson
	n          int // from 1
	at         int
	id         string
	properties object
	geometry   node

	members object // scratch
}

// name is the feature in front of a property's name.
func (f *feature) name(property string) string {
	if f.id == "" {
		return fmt.Sprintf("feature %d: %s", f.n, property)
	}
	return fmt.Sprintf("feature %d (%q): %s", f.n, f.id, property)
}

func (f *feature) fail(at int, property, format string, args ...any) {
	f.g.fail(at, f.name(property), format, args...)
}

// where is the offset of a property, or that of the feature if it is not there.
func (f *feature) where(property string) int {
	if p, ok := f.properties.find(property); ok {
		return p.at
	}
	return f.at
}

// open takes a feature apart.
func (f *feature) open(e node, known []string) bool {
	if !e.object() {
		f.fail(e.at, "type", `want an object of type "Feature"`)
		return false
	}
	f.properties = f.properties[:0]
	f.members = f.g.members(f.members, e, func(at int, key []byte) { f.fail(at, "member: "+string(key), "is there twice") })
	if t := f.members.get("type"); string(t.raw) != `"Feature"` {
		f.fail(max(t.at, e.at), "type", `want "Feature"`)
		return false
	}
	p := f.members.get("properties")
	if p.null() || !p.object() {
		f.fail(max(p.at, e.at), "properties", "want an object")
		return false
	}
	f.properties = f.g.members(f.properties, p, func(at int, key []byte) { f.fail(at, "properties: "+string(key), "is there twice") })
	if id, ok := f.properties.find("id"); ok && id.raw[0] == '"' {
		f.id = textform.Text(id.raw[1 : len(id.raw)-1])
	}
	for i := range f.properties {
		if name := f.properties[i].key; !slices.ContainsFunc(known, func(k string) bool { return k == string(name) }) {
			f.fail(f.properties[i].at, string(name), "unknown property; want some of %s", strings.Join(known, ", "))
		}
	}
	f.geometry = f.members.get("geometry")
	if f.geometry.null() || !f.geometry.object() {
		f.fail(max(f.geometry.at, e.at), "geometry", "want an object")
		return false
	}
	return true
}

// text returns a property that is a text; unknown where it is absent or null.
func text[T any](f *feature, property string, parse parser[T], unknown T) T {
	p := f.properties.get(property)
	if p.null() {
		return unknown
	}
	return textOf(f, p, property, parse, unknown)
}

// textOf reads a JSON string. An empty one is unknown.
func textOf[T any](f *feature, p node, property string, parse parser[T], unknown T) T {
	if p.raw[0] != '"' {
		f.fail(p.at, property, "want a text in quotes, got %.40s", p.raw)
		return unknown
	}
	s := textform.Text(p.raw[1 : len(p.raw)-1])
	if s == "" {
		return unknown
	}
	v, reason := parse(s)
	if reason != "" {
		f.fail(p.at, property, "%s", reason)
		return unknown
	}
	return v
}

// number returns a property that is a number; unknown where it is absent or null.
func number[T any](f *feature, property string, parse parser[T], unknown T) T {
	p := f.properties.get(property)
	if p.null() {
		return unknown
	}
	return numberOf(f, p, property, parse, unknown)
}

func numberOf[T any](f *feature, p node, property string, parse parser[T], unknown T) T {
	if c := p.raw[0]; c != '-' && (c < '0' || c > '9') {
		f.fail(p.at, property, "want a number, got %.40s", p.raw)
		return unknown
	}
	v, reason := parse(string(p.raw))
	if reason != "" {
		f.fail(p.at, property, "%s", reason)
		return unknown
	}
	return v
}

// list calls fn for every element of a property that is a list.
func (f *feature) list(property string, fn func(i int, e node)) {
	p := f.properties.get(property)
	if p.null() {
		return
	}
	if !p.array() {
		f.fail(p.at, property, "want a list, got %.40s", p.raw)
		return
	}
	p.elements(func(i int, e node) bool {
		fn(i, e)
		return true
	})
}

// key returns the id of the feature and notes it in set.
func (f *feature) key(set idSet, parse parser[string]) string {
	before := len(f.g.problems.list)
	id := text(f, "id", parse, "")
	switch line, twice := set[id]; {
	case id == "":
		if len(f.g.problems.list) == before {
			f.fail(f.where("id"), "id", "missing")
		}
	case twice:
		f.fail(f.where("id"), "id", "is there twice, first in line %d", line)
	default:
		set[id] = f.g.line(f.at)
	}
	return id
}

// mention returns the id of a record of another file.
func (f *feature) mention(property string, of idSet, in string) string {
	id := text(f, property, parseText, "")
	if !f.g.mentioned(id, of, in) {
		f.fail(f.where(property), property, "%q is not in %s", id, in)
	}
	return id
}

// shape returns the geometry, of one of some types; nil with an error noted.
func (f *feature) shape(types ...string) orb.Geometry {
	f.members = f.g.members(f.members, f.geometry, func(at int, key []byte) { f.fail(at, "geometry: "+string(key), "is there twice") })
	t, c := f.members.get("type"), f.members.get("coordinates")
	kind := ""
	for _, want := range types {
		if string(bytes.Trim(t.raw, `"`)) == want {
			kind = want
		}
	}
	if kind == "" {
		f.fail(max(t.at, f.geometry.at), "geometry", "type %.40s; want %s", t.raw, oneOf(types))
		return nil
	}
	if c.null() {
		f.fail(f.geometry.at, "geometry", "no coordinates")
		return nil
	}
	r := coordinates{f: f}
	var g orb.Geometry
	switch kind {
	case "Point":
		g = r.point(c)
	case "LineString":
		g = orb.LineString(r.points(c))
	case "Polygon":
		g = r.polygon(c)
	case "MultiPolygon":
		var all orb.MultiPolygon
		r.each(c, func(e node) { all = append(all, r.polygon(e)) })
		g = all
	}
	if r.bad {
		return nil
	}
	return g
}

// coordinates reads the nested lists of a geometry up to the first error.
type coordinates struct {
	f   *feature
	bad bool
}

func (r *coordinates) fail(at int, format string, args ...any) {
	if !r.bad {
		r.f.fail(at, "coordinates", format, args...)
	}
	r.bad = true
}

func (r *coordinates) each(n node, fn func(node)) {
	if !n.array() {
		r.fail(n.at, "want a list, got %.40s", n.raw)
		return
	}
	n.elements(func(_ int, e node) bool {
		fn(e)
		return !r.bad
	})
}

func (r *coordinates) polygon(n node) orb.Polygon {
	rings := r.f.g.rings[:0]
	r.each(n, func(e node) { rings = append(rings, orb.Ring(r.points(e))) })
	r.f.g.rings = rings
	return slices.Clone(rings)
}

func (r *coordinates) points(n node) []orb.Point {
	points := r.f.g.points[:0]
	r.each(n, func(e node) { points = append(points, r.point(e)) })
	r.f.g.points = points
	return slices.Clone(points)
}

// point reads a position: longitude, latitude, and an altitude that nothing uses.
func (r *coordinates) point(n node) orb.Point {
	var p orb.Point
	if !n.array() {
		r.fail(n.at, "want a list, got %.40s", n.raw)
		return p
	}
	count := 0
	for at := 0; ; {
		m, next, ok := textform.NextElement(n.raw, at)
		if !ok || r.bad {
			break
		}
		at = next
		count++
		e := node{m.Value, n.at + m.At}
		if c := e.raw[0]; c != '-' && (c < '0' || c > '9') {
			r.fail(e.at, "want a number, got %.40s", e.raw)
			break
		}
		if count > 2 {
			continue
		}
		v, err := strconv.ParseFloat(string(e.raw), 64) // JSON has been checked, so its form is good
		what, most := "longitude", 180.0
		if count == 2 {
			what, most = "latitude", 90
		}
		if err != nil || v < -most || v > most {
			r.fail(e.at, "%s is no %s (-%v to %v); a position is [longitude, latitude]", e.raw, what, most, most)
			break
		}
		p[count-1] = v
	}
	if !r.bad && (count < 2 || count > 3) {
		r.fail(n.at, "%.60s is no position; want [longitude, latitude]", n.raw)
	}
	return p
}
