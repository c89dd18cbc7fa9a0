package edit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect/reference"
	"lushao/geo"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// square is a forbidden fence 0.01 degree wide.
func square(id string, lon, lat float64, more ...string) string {
	return fmt.Sprintf(`{"type":"Feature","properties":{"id":%q,"kind":"forbidden"%s},"geometry":{"type":"Polygon","coordinates":[[[%[3]v,%[4]v],[%[5]v,%[4]v],[%[5]v,%[6]v],[%[3]v,%[6]v],[%[3]v,%[4]v]]]}}`,
		id, strings.Join(append([]string{""}, more...), ","), lon, lat, lon+0.01, lat+0.01)
}

const eight = `{"type":"Feature","properties":{"id":"eight","kind":"forbidden"},"geometry":{"type":"Polygon","coordinates":[[[112,35],[112.02,35.02],[112.02,35],[112,35.02],[112,35]]]}}`

func collection(features ...string) []byte {
	return []byte(`{"type":"FeatureCollection","features":[` + strings.Join(features, ",") + `]}`)
}

func parse(t testing.TB, features ...string) []Feature {
	t.Helper()
	out, err := ParseFeatures(collection(features...))
	must(t, err)
	return out
}

func newDir(t testing.TB) *Dir { return New(t.TempDir(), MinKeep, 1) }

func (d *Dir) add(t testing.TB, features ...string) *Result {
	t.Helper()
	r, err := d.Apply(Change{Layer: Fences, Features: parse(t, features...), Who: "张三", How: HowAPI})
	must(t, err)
	return r
}

func ids(features []Feature) string {
	var out []string
	for _, f := range features {
		out = append(out, f.ID)
	}
	return strings.Join(out, " ")
}

func (d *Dir) ids(t testing.TB, version uint64) string {
	t.Helper()
	f, _, err := d.Read(Fences, version)
	must(t, err)
	return ids(f)
}

func TestVersions(t *testing.T) {
	d := newDir(t)
	if f, v, err := d.Read(Fences, 0); err != nil || v.Number != 0 || len(f) != 0 {
		t.Fatalf("an empty directory: %v %+v %v", f, v, err)
	}
	r := d.add(t, square("A", 112, 35), square("B", 113, 35))
	if v := r.Version; v == nil || v.Number != 1 || v.Who != "张三" || v.How != HowAPI || !slices.Equal(v.Added, []string{"A", "B"}) || v.Features != 2 {
		t.Fatalf("%+v", r.Version)
	}
	r = d.add(t, square("B", 114, 35), square("C", 113, 35))
	if v := r.Version; v.Number != 2 || !slices.Equal(v.Added, []string{"C"}) || !slices.Equal(v.Changed, []string{"B"}) || len(v.Removed) != 0 {
		t.Fatalf("%+v", r.Version)
	}
	// The same again, in other white space, is no change.
	if r = d.add(t, strings.ReplaceAll(square("C", 113, 35), ":[", ": [")); r.Version != nil || r.Present != 2 {
		t.Fatalf("%+v", r)
	}
	r, err := d.Apply(Change{Layer: Fences, Remove: []string{"A"}})
	must(t, err)
	if !slices.Equal(r.Version.Removed, []string{"A"}) || d.ids(t, 0) != "B C" {
		t.Fatalf("%+v, left %s", r.Version, d.ids(t, 0))
	}
	if _, err := d.Apply(Change{Layer: Fences, Remove: []string{"A"}}); !errors.Is(err, ErrNoFeature) {
		t.Errorf("removed twice: %v", err)
	}
	route := `{"type":"Feature","properties":{"id":"R1","width_m":50},"geometry":{"type":"LineString","coordinates":[[112,35],[112.1,35]]}}`
	_, err = d.Apply(Change{Layer: Routes, Features: parse(t, route), Replace: true})
	must(t, err)
	if d.ids(t, 1) != "A B" || d.ids(t, 2) != "A B C" || d.ids(t, 4) != "B C" {
		t.Errorf("read back: %q %q %q", d.ids(t, 1), d.ids(t, 2), d.ids(t, 4))
	}
	for _, n := range []uint64{5, 99} {
		if _, _, err := d.Read(Fences, n); !errors.Is(err, ErrNoVersion) {
			t.Errorf("version %d: %v", n, err)
		}
	}
	if r, err = d.Restore(1, nil, "李四", "wrong", false); err != nil || r.Version.Number != 5 || r.Version.Restored != 1 || d.ids(t, 0) != "A B" {
		t.Fatalf("%+v %v", r, err)
	}
	data, _, err := reference.Load(d.Path())
	if err != nil || len(data.Fences) != 2 || len(data.Routes) != 1 {
		t.Errorf("%d fences, %d routes, %v", len(data.Fences), len(data.Routes), err)
	}
	// Another process sees the same, in pages.
	other := New(d.Path(), MinKeep, 1)
	list, more, err := other.Versions(0, 2)
	if err != nil || !more || len(list) != 2 || list[0].Number != 5 {
		t.Fatalf("%v %v %v", list, more, err)
	}
	list, more, err = other.Versions(list[1].Number, 10)
	if err != nil || more || len(list) != 3 || list[0].Number != 3 || list[2].Number != 1 {
		t.Fatalf("%v %v %v", list, more, err)
	}
	if v, err := other.Version(4); err != nil || v.Layer != Routes {
		t.Errorf("%+v %v", v, err)
	}
	if r, err = d.Restore(5, nil, "", "", false); err != nil || r.Version != nil {
		t.Errorf("the present restored: %+v %v", r, err)
	}
}

func TestExpectedVersion(t *testing.T) {
	d := newDir(t)
	zero, one := uint64(0), uint64(1)
	c := Change{Layer: Fences, Features: parse(t, square("A", 112, 35)), If: &zero}
	if _, err := d.Apply(c); err != nil {
		t.Fatal(err)
	}
	c.Features = parse(t, square("B", 112, 35))
	var moved *MovedError
	if _, err := d.Apply(c); !errors.As(err, &moved) || moved.Now != 1 {
		t.Fatalf("%v", err)
	}
	c.If = &one
	if _, err := d.Apply(c); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Restore(1, &one, "", "", false); !errors.As(err, &moved) {
		t.Errorf("%v", err)
	}
}

// What is refused names feature and property, and changes nothing.
func TestRefused(t *testing.T) {
	d := newDir(t)
	must(t, os.WriteFile(filepath.Join(d.Path(), reference.Stations), []byte("id,name,lat,lon,method,tolerance_pct,size_tolerance_mm\nS1,,,,,,\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(d.Path(), reference.Permits), []byte("number,plate,color,kind,start,end,gross_kg,length_mm,width_mm,height_mm,route,fence\nP1,晋E12345,2,charter,,,,,,,,A\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(d.Path(), reference.Fences), collection(square("A", 112, 35)), 0o644))
	before := d.ids(t, 0)
	good := square("G", 115, 35)
	for _, tt := range []struct {
		name, feature, field, message string
		index                         int
		remove                        string
	}{
		{name: "unknown kind", feature: strings.Replace(square("X", 112, 35), "forbidden", "forbiden", 1), index: 1, field: "kind", message: `"forbiden" is unknown`},
		{name: "unknown property", feature: square("X", 112, 35, `"colour":"red"`), index: 1, field: "colour", message: "unknown property"},
		{name: "no id", feature: strings.Replace(square("X", 112, 35), `"id":"X",`, "", 1), index: 1, field: "id", message: "missing"},
		{name: "twice", feature: square("G", 112, 35), index: 1, field: "id", message: "is there twice, first at feature 0"},
		{name: "no such station", feature: square("X", 112, 35, `"station":"S2"`), index: 1, field: "station", message: `"S2" is not in stations.csv`},
		{name: "crosses itself", feature: eight, index: 1, field: "geometry", message: "must not cross itself"},
		{name: "antimeridian", feature: `{"type":"Feature","properties":{"id":"X","kind":"bound"},"geometry":{"type":"Polygon","coordinates":[[[179,1],[-179,1],[-179,2],[179,1]]]}}`, index: 1, field: "geometry", message: "antimeridian"},
		{name: "no area", feature: `{"type":"Feature","properties":{"id":"X","kind":"bound"},"geometry":{"type":"Polygon","coordinates":[[[1,1],[2,2],[3,3],[1,1]]]}}`, index: 1, field: "geometry", message: "no area"},
		{name: "a text for coordinates", feature: strings.Replace(square("X", 112, 35), "[112,35]", `["112",35]`, 1), index: 1, field: "coordinates", message: "want a number"},
		{name: "no feature", feature: `{"type":"Fetaure"}`, index: 1, field: "type", message: `want "Feature"`},
		{name: "a permit names it", feature: good, remove: "A", index: -1, message: `"A" is not in fences.geojson`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Change{Layer: Fences, Features: parse(t, good, tt.feature)}
			if tt.remove != "" {
				c.Features, c.Remove = nil, []string{tt.remove}
			}
			_, err := d.Apply(c)
			var refused *RefusedError
			if !errors.As(err, &refused) || len(refused.Problems) != 1 {
				t.Fatalf("%v", err)
			}
			p := refused.Problems[0]
			if p.Index != tt.index || p.Field != tt.field || !strings.Contains(p.Message, tt.message) {
				t.Errorf("%+v", p)
			}
			if tt.field == "geometry" && tt.name == "crosses itself" && (p.At == nil || math.Abs(p.At[0]-112.01) > 1e-6 || math.Abs(p.At[1]-35.01) > 1e-6) {
				t.Errorf("the crossing is at %v", p.At)
			}
		})
	}
	if list, _, err := d.Versions(0, 10); err != nil || len(list) != 1 || d.ids(t, 0) != before {
		t.Errorf("%v %v", list, err)
	}
	// One by one.
	r, err := d.Apply(Change{Layer: Fences, SkipBad: true, Features: parse(t, eight, good, square("X", 112, 35, `"colour":"red"`), square("Y", 112, 35, `"station":"S2"`), square("G", 1, 1), square("Z", 112, 35, `"station":"S1"`))})
	must(t, err)
	var refused []int
	for _, p := range r.Refused {
		refused = append(refused, p.Index)
	}
	if !slices.Equal(refused, []int{0, 2, 3, 4}) || d.ids(t, 0) != "A G Z" {
		t.Errorf("%+v, now %s", r.Refused, d.ids(t, 0))
	}
}

func TestByHand(t *testing.T) {
	d := newDir(t)
	path := filepath.Join(d.Path(), reference.Fences)
	must(t, os.WriteFile(path, collection(square("A", 112, 35)), 0o644))
	if d.ids(t, 0) != "A" {
		t.Fatal(d.ids(t, 0))
	}
	d.add(t, square("B", 113, 35))
	must(t, os.WriteFile(path, collection(square("B", 113, 36), square("C", 113, 35)), 0o644))
	list, _, err := d.Versions(0, 10)
	must(t, err)
	if v := list[0]; len(list) != 3 || v.Who != ByHand || v.How != HowHand || !slices.Equal(v.Added, []string{"C"}) || !slices.Equal(v.Changed, []string{"B"}) || !slices.Equal(v.Removed, []string{"A"}) {
		t.Fatalf("%+v", list)
	}
	must(t, os.WriteFile(path, []byte("{half"), 0o644))
	if _, _, err := d.Read(Fences, 0); err == nil || !strings.Contains(err.Error(), "written by hand") {
		t.Errorf("%v", err)
	}
	if _, err := d.Apply(Change{Layer: Fences, Features: parse(t, square("D", 1, 1))}); err == nil {
		t.Error("added to what can't be read")
	}
	if v, err := d.Version(4); err != nil || v.Broken == "" {
		t.Errorf("%+v %v", v, err)
	}
	if r, err := d.Restore(3, nil, "x", "", false); err != nil || r.Version.Number != 5 || d.ids(t, 0) != "B C" {
		t.Errorf("%+v %v", r, err)
	}
	must(t, os.Remove(path))
	if f, v, err := d.Read(Fences, 0); err != nil || !v.Absent || v.Number != 6 || len(f) != 0 || !slices.Equal(v.Removed, []string{"B", "C"}) {
		t.Errorf("%+v %v", v, err)
	}
	d.add(t, square("E", 1, 1))
	if r, err := d.Restore(6, nil, "x", "", false); err != nil || !r.Version.Absent {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file was restored as %v", err)
	}
}

func TestPrune(t *testing.T) {
	d := newDir(t)
	route := `{"type":"Feature","properties":{"id":"R1","width_m":50},"geometry":{"type":"LineString","coordinates":[[112,35],[112.1,35]]}}`
	_, err := d.Apply(Change{Layer: Routes, Features: parse(t, route)})
	must(t, err)
	for i := range MinKeep + 20 {
		d.add(t, square("A", 100+float64(i)/100, 35))
	}
	list, more, err := d.Versions(0, 1000)
	must(t, err)
	last := list[len(list)-1]
	if len(list) != MinKeep+1 || more || last.Layer != Routes || last.Number != 1 || list[0].Number != MinKeep+21 {
		t.Errorf("%d versions, the oldest %+v", len(list), last)
	}
	if d.ids(t, list[len(list)-2].Number) != "A" {
		t.Error("the oldest can't be read")
	}
	if _, _, err := d.Read(Fences, 15); !errors.Is(err, ErrNoVersion) {
		t.Errorf("%v", err)
	}
	files, err := filepath.Glob(d.historyPath("*.gz"))
	if err != nil || len(files) != MinKeep+1 {
		t.Errorf("%d files, %v", len(files), err)
	}
	if f, _, err := d.Read(Routes, 0); err != nil || len(f) != 1 {
		t.Errorf("%v %v", f, err)
	}
}

// Writers of several processes wait for each other; none undoes what another did.
func TestSeveralWriters(t *testing.T) {
	path := t.TempDir()
	var wg sync.WaitGroup
	const writers, each = 4, 5
	errs := make(chan error, writers*each)
	for w := range writers {
		d := New(path, MinKeep, 1) // of its own, as another process has
		wg.Go(func() {
			for i := range each {
				f, err := ParseFeatures([]byte(square(fmt.Sprintf("%d-%d", w, i), 112, 35)))
				if err == nil {
					_, err = d.Apply(Change{Layer: Fences, Features: f})
				}
				errs <- err
			}
		})
	}
	wg.Wait()
	for range writers * each {
		must(t, <-errs)
	}
	d := New(path, MinKeep, 1)
	list, _, err := d.Versions(0, 1000)
	must(t, err)
	features, _, err := d.Read(Fences, 0)
	must(t, err)
	if len(list) != writers*each || len(features) != writers*each {
		t.Errorf("%d versions, %d features", len(list), len(features))
	}
	for i, v := range list {
		if v.Number != uint64(len(list)-i) || v.How == HowHand || len(v.Added) != 1 {
			t.Errorf("%+v", v)
		}
	}
}

func TestDatum(t *testing.T) {
	centre := orb.Point{112.85, 35.49}
	for _, datum := range []Datum{WGS84, GCJ02, BD09} {
		d := newDir(t)
		drawn := datum.FromWGS84(centre)
		f := fmt.Sprintf(`{"type":"Feature","properties":{"id":"P","kind":"forbidden","radius_m":50},"geometry":{"type":"Point","coordinates":[%v,%v,12]}}`, drawn[0], drawn[1])
		_, err := d.Apply(Change{Layer: Fences, Features: parse(t, f), Datum: datum})
		must(t, err)
		data, _, err := reference.Load(d.Path())
		must(t, err)
		got := data.Fences[0].Geometry.(orb.Point)
		if off := distance(t, got, centre); off > 0.5 {
			t.Errorf("%s: stored %v m off", datum, off)
		}
		list, _, err := d.Read(Fences, 0)
		must(t, err)
		back := list[0].Convert(WGS84, datum)
		if off := distance(t, back.Geometry().(orb.Point), drawn); off > 0.5 {
			t.Errorf("%s: shown %v m off", datum, off)
		}
	}
	if _, err := ParseDatum("gcj-02"); err == nil {
		t.Error("gcj-02 is taken")
	}
}

func distance(t testing.TB, a, b orb.Point) float64 {
	t.Helper()
	p, err := geo.PointOf(a)
	must(t, err)
	q, err := geo.PointOf(b)
	must(t, err)
	return geo.Distance(p, q)
}

func TestRepair(t *testing.T) {
	d := newDir(t)
	r, err := d.Apply(Change{Layer: Fences, Features: parse(t, square("A", 112, 36), eight), Repair: true})
	must(t, err)
	if len(r.Repaired) != 1 || r.Repaired[0].Index != 1 || r.Repaired[0].ID != "eight" || r.Repaired[0].Polygons != 2 || len(r.Repaired[0].Crossings) != 1 {
		t.Fatalf("%+v", r.Repaired)
	}
	list, _, err := d.Read(Fences, 0)
	must(t, err)
	if g, ok := list[1].Geometry().(orb.MultiPolygon); !ok || len(g) != 2 {
		t.Errorf("%s", list[1].Raw)
	}
	if string(list[0].Raw) != square("A", 112, 36) {
		t.Errorf("what needed no repair has changed: %s", list[0].Raw)
	}
	bad := `{"type":"Feature","properties":{"id":"h","kind":"forbidden"},"geometry":{"type":"Polygon","coordinates":[[[112,35],[112.02,35.02],[112.02,35],[112,35.02],[112,35]],[[112.001,35.005],[112.002,35.005],[112.001,35.006],[112.001,35.005]]]}}`
	var refused *RefusedError
	if _, err := d.Apply(Change{Layer: Fences, Features: parse(t, bad), Repair: true}); !errors.As(err, &refused) || refused.Problems[0].ID != "h" {
		t.Errorf("holes in an outline that crosses itself: %v", err)
	}
}

func TestPreviewChangesNothing(t *testing.T) {
	d := newDir(t)
	d.add(t, square("A", 112, 35))
	data, _, r, err := d.Preview(Change{Layer: Fences, Features: parse(t, square("A", 113, 35), square("B", 113, 35))})
	must(t, err)
	if len(data.Fences) != 2 || !slices.Equal(r.Changed, []string{"A"}) || !slices.Equal(r.Added, []string{"B"}) {
		t.Errorf("%d fences, %+v", len(data.Fences), r)
	}
	r, err = d.Apply(Change{Layer: Fences, Features: parse(t, square("B", 113, 35)), DryRun: true})
	if err != nil || r.Version != nil || !slices.Equal(r.Added, []string{"B"}) || d.ids(t, 0) != "A" {
		t.Errorf("%+v %v", r, err)
	}
}

func TestParseFeaturesHostile(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "1", `{"type":"FeatureCollection"}`, `{"type":"Polygon"}`, "\xff\xfe{}", `{"type":"FeatureCollection","features":{}}`,
		`{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:2385"}},"features":[]}`, strings.Repeat("[", 20000)} {
		if f, err := ParseFeatures([]byte(text)); err == nil {
			t.Errorf("%.40q gives %v", text, f)
		}
	}
	for _, raw := range []string{`{}`, `null`, `[]`, `{"geometry":{"type":"Polygon","coordinates":[[1]]}}`, `{"geometry":{"type":"Point","coordinates":[1e300,1]}}`, `{"geometry":{"type":"Point"}}`} {
		f := Feature{Raw: json.RawMessage(raw)}
		if g := f.Geometry(); g != nil {
			t.Errorf("%s is %v", raw, g)
		}
		if got := f.Convert(GCJ02, WGS84); string(got.Raw) != raw {
			t.Errorf("%s became %s", raw, got.Raw)
		}
	}
}
