package mapfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"golang.org/x/text/encoding/simplifiedchinese"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/reference/edit"
	"lushao/geo"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func gbk(t testing.TB, s string) string {
	t.Helper()
	out, err := simplifiedchinese.GBK.NewEncoder().String(s)
	must(t, err)
	return out
}

// pack makes a zip of names and contents.
func pack(t testing.TB, files ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i].(string))
		must(t, err)
		switch c := files[i+1].(type) {
		case string:
			_, err = w.Write([]byte(c))
		case []byte:
			_, err = w.Write(c)
		}
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

// take imports contents as a file of a name and returns what the reference directory then has.
func take(t testing.TB, name string, data []byte, o Options) (*Report, *detect.ReferenceData, error) {
	t.Helper()
	dir := t.TempDir()
	if o.Layer == "" {
		o.Layer = edit.Fences
	}
	files, err := Read(Source{Name: name, Data: data})
	if err != nil {
		return nil, nil, err
	}
	rep, err := Import(edit.New(dir, edit.MinKeep, 1), files, o)
	data2, _, loadErr := reference.Load(dir)
	must(t, loadErr)
	return rep, data2, err
}

func TestGeoJSON(t *testing.T) {
	text := `{"type":"FeatureCollection","features":[
{"type":"Feature","id":7,"properties":{"kind":"no_stop","name":"桥","fill":"#f00","classes":["hazmat"],"plates":"晋E12345/2;晋E23456/93","schedule":[{"days":[1],"from":"22:00","to":"05:00"}]},"geometry":{"type":"LineString","coordinates":[[112,35],[112.1,35]]}},
{"type":"Feature","properties":{"speed_limit_kmh":"60","kind":"speed"},"geometry":{"type":"Polygon","coordinates":[[[112,35],[112.01,35],[112.01,35.01],[112,35]]]}},
{"type":"Feature","properties":{"id":"two"},"geometry":{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[112,35,800]},{"type":"MultiPoint","coordinates":[[113,35]]}]}},
{"type":"Feature","properties":{"id":"multi"},"geometry":{"type":"MultiPolygon","coordinates":[[[[112,35],[112.01,35],[112.01,35.01],[112,35]]],[[[113,35],[113.01,35],[113.01,35.01],[113,35]]]]}}]}`
	rep, data, err := take(t, "dir/places.geojson", []byte(text), Options{Kind: "forbidden", RadiusM: 50, WidthM: 40})
	must(t, err)
	if rep.Taken != 5 || len(data.Fences) != 5 {
		t.Fatalf("%+v", rep)
	}
	f := data.Fences
	if f[0].ID != "7" || f[0].Name != "桥" || f[0].Kind != detect.FenceNoStop || f[0].WidthM != 40 || !f[0].Classes.Has(detect.ClassHazmat) || len(f[0].Vehicles) != 2 || len(f[0].Schedule) != 1 {
		t.Errorf("%+v", f[0])
	}
	if f[1].ID != "places-2" || f[1].SpeedLimit != 600 {
		t.Errorf("%+v", f[1])
	}
	if f[2].ID != "two-1" || f[3].ID != "two-2" || f[2].RadiusM != 50 || f[2].Kind != detect.FenceForbidden || f[3].Geometry != (orb.Point{113, 35}) {
		t.Errorf("%+v %+v", f[2], f[3])
	}
	if _, ok := f[4].Geometry.(orb.MultiPolygon); !ok {
		t.Errorf("%+v", f[4])
	}
	if len(rep.Remarks) == 0 || !strings.Contains(rep.Remarks[0], `"fill" of 1`) {
		t.Errorf("%q", rep.Remarks)
	}
}

const kmlText = `<?xml version="1.0" encoding="%s"?><kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"><Document><name>图层</name><Folder>
<Placemark id="P1"><name>学校</name><description><![CDATA[<b>x</b>]]></description><Point><coordinates>112.5,35.5,0</coordinates></Point></Placemark>
<Placemark><name>湖</name><ExtendedData><Data name="id"><value>LAKE</value></Data><Data name="kind"><displayName>k</displayName><value>no_stop</value></Data>
<SchemaData schemaUrl="#s"><SimpleData name="classes">hazmat,truck</SimpleData></SchemaData></ExtendedData>
<Polygon><tessellate>1</tessellate><outerBoundaryIs><LinearRing><coordinates>112,35 112.1,35
 112.1,35.1	112 , 35.1 112,35</coordinates></LinearRing></outerBoundaryIs><innerBoundaryIs><LinearRing><coordinates>112.04,35.04 112.06,35.04 112.06,35.06 112.04,35.04</coordinates></LinearRing></innerBoundaryIs></Polygon></Placemark>
</Folder><Placemark><name>M</name><MultiGeometry><LineString><coordinates>112,35 112.1,35</coordinates></LineString><MultiGeometry><Polygon><outerBoundaryIs><LinearRing><coordinates>112,35 112.1,35 112.1,35.1 112,35</coordinates></LinearRing></outerBoundaryIs></Polygon>
<Polygon><outerBoundaryIs><LinearRing><coordinates>113,35 113.1,35 113.1,35.1 113,35</coordinates></LinearRing></outerBoundaryIs></Polygon></MultiGeometry></MultiGeometry></Placemark>
<NetworkLink><Link><href>http://example.org/x.kml</href></Link></NetworkLink></Document></kml>`

func TestKML(t *testing.T) {
	utf8Text := fmt.Sprintf(kmlText, "UTF-8")
	for name, data := range map[string][]byte{
		"a.kml":      []byte(utf8Text),
		"bom.kml":    []byte("\ufeff" + utf8Text),
		"gbk.kml":    []byte(gbk(t, fmt.Sprintf(kmlText, "GBK"))),
		"packed.kmz": pack(t, "files/x.png", "\x89PNG", "doc.kml", utf8Text, "__MACOSX/doc.kml", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			rep, data, err := take(t, name, data, Options{Kind: "forbidden", RadiusM: 100, WidthM: 30})
			must(t, err)
			f := data.Fences
			if len(f) != 4 {
				t.Fatalf("%+v", rep)
			}
			if f[0].ID != "P1" || f[0].Name != "学校" || f[0].RadiusM != 100 || f[0].Geometry != (orb.Point{112.5, 35.5}) {
				t.Errorf("%+v", f[0])
			}
			if g, ok := f[1].Geometry.(orb.Polygon); !ok || len(g) != 2 || len(g[0]) != 5 || f[1].ID != "LAKE" || f[1].Kind != detect.FenceNoStop || !f[1].Classes.Has(detect.ClassTruck) || f[1].Name != "湖" {
				t.Errorf("%+v", f[1])
			}
			stem, _, _ := strings.Cut(name, ".")
			if name == "packed.kmz" {
				stem = "doc"
			}
			if g, ok := f[2].Geometry.(orb.MultiPolygon); !ok || len(g) != 2 || f[2].ID != stem+"-3-1" || f[3].ID != stem+"-3-2" {
				t.Errorf("%+v %+v", f[2], f[3])
			}
			if len(rep.Files) != 1 || len(rep.Files[0].Remarks) != 1 || !strings.Contains(rep.Files[0].Remarks[0], "1 links") {
				t.Errorf("%+v", rep.Files)
			}
		})
	}
}

var roadColumns = []column{{"ID", 'N', 6}, {"NAME", 'C', 24}, {"KIND", 'C', 10}, {"SPEED_LIMI", 'N', 6}, {"MADE", 'D', 8}, {"类别", 'C', 8}}

func TestShapefile(t *testing.T) {
	shapes := shp(shapePolygon,
		orb.Polygon{ring(112, 35, 0.1, true), ring(112.02, 35.02, 0.01, false)},
		orb.Polygon{ring(112, 35, 0.1, true), ring(113, 35, 0.1, true)}, // two outer rings
		orb.Polygon{ring(114, 35, 0.1, true)})
	table := func(encode func(testing.TB, string) string) []byte {
		cols := append([]column{}, roadColumns...)
		cols[5].name = encode(t, cols[5].name)
		return dbf(cols,
			[]string{"1", encode(t, "晋城隧道"), "speed", "60", "20260501", encode(t, "甲")},
			[]string{"2", encode(t, "水源地"), "forbidden", "0", "", encode(t, "乙")},
			[]string{"*", "3", "", "", "", "", ""})
	}
	plain := func(_ testing.TB, s string) string { return s }
	marked := table(gbk)
	marked[29] = 0x4d
	for name, x := range map[string]struct {
		dbf, cpg []byte
		prj      string
	}{
		"utf-8":       {table(plain), []byte("UTF-8\r\n"), wgs84},
		"gbk":         {table(gbk), []byte("GBK"), cgcs2000},
		"936":         {table(gbk), []byte("OEM 936"), wgs84},
		"mark":        {marked, nil, wgs84},
		"nothing":     {table(gbk), nil, wgs84},
		"nothing utf": {table(plain), nil, `GEOGCRS["CGCS2000",DATUM["China 2000",ELLIPSOID["CGCS2000",6378137,298.257222101]],PRIMEM["Greenwich",0,ANGLEUNIT["degree",0.0174532925199433]],CS[ellipsoidal,2]]`},
	} {
		t.Run(name, func(t *testing.T) {
			files := []any{"道路/Roads.shp", shapes, "道路/Roads.DBF", x.dbf, "道路/roads.prj", x.prj}
			if x.cpg != nil {
				files = append(files, "道路/Roads.cpg", x.cpg)
			}
			rep, data, err := take(t, "roads.zip", pack(t, files...), Options{})
			must(t, err)
			f := data.Fences
			if len(f) != 2 || f[0].ID != "1" || f[0].Name != "晋城隧道" || f[0].SpeedLimit != 600 || f[1].Name != "水源地" || f[1].SpeedLimit != 0 || f[1].Kind != detect.FenceForbidden {
				t.Fatalf("%+v\n%+v", rep, f)
			}
			if g, ok := f[0].Geometry.(orb.Polygon); !ok || len(g) != 2 {
				t.Errorf("%v", f[0].Geometry)
			}
			if g, ok := f[1].Geometry.(orb.MultiPolygon); !ok || len(g) != 2 {
				t.Errorf("%v", f[1].Geometry)
			}
			if !strings.Contains(fmt.Sprint(rep.Remarks), "类别") || !strings.Contains(fmt.Sprint(rep.Files[0].Remarks), "deleted") {
				t.Errorf("%q %q", rep.Remarks, rep.Files[0].Remarks)
			}
		})
	}
}

func TestShapefileLinesAndPoints(t *testing.T) {
	lines := shp(shapeLine, orb.LineString{{112, 35}, {112.1, 35}}, orb.MultiLineString{{{112, 35}, {112.1, 35}}, {{113, 35}, {113.1, 35}}}, nil)
	z := pack(t, "r.shp", lines, "r.prj", wgs84)
	rep, _, err := take(t, "r.zip", z, Options{Layer: edit.Routes, WidthM: 60})
	var refused *RefusedError
	if !errors.As(err, &refused) || len(rep.Refused) != 2 || rep.Refused[0].Place != 2 || rep.Refused[1].Message != "has no geometry" {
		t.Fatalf("%+v %v", rep, err)
	}
	rep, data, err := take(t, "r.zip", z, Options{Layer: edit.Routes, WidthM: 60, SkipBad: true})
	if err != nil || len(data.Routes) != 1 || data.Routes[0].WidthM != 60 || len(rep.Refused) != 2 {
		t.Fatalf("%+v %v", rep, err)
	}
	_, data, err = take(t, "r.zip", pack(t, "r.shp", shp(shapeLine, orb.MultiLineString{{{112, 35}, {112.1, 35}}, {{113, 35}, {113.1, 35}}}), "r.prj", wgs84), Options{Kind: "no_stop", WidthM: 30})
	if err != nil || len(data.Fences) != 2 || data.Fences[1].ID != "r-1-2" {
		t.Errorf("%+v %v", data, err)
	}
	_, data, err = take(t, "p.zip", pack(t, "p.shp", shp(shapePoint, orb.Point{112, 35}), "p.prj", wgs84, "q.shp", shp(shapePoints, orb.MultiPoint{{112, 35}, {113, 35}}), "q.prj", wgs84), Options{Kind: "no_stop", RadiusM: 30})
	if err != nil || len(data.Fences) != 3 {
		t.Errorf("%+v %v", data, err)
	}
	_, data, err = take(t, "s.zip", pack(t, "s.shp", shp(shapeLine, orb.LineString{{112, 35}, {112.1, 35}}), "s.prj", wgs84), Options{Layer: edit.Sections})
	if err != nil || len(data.Sections) != 1 {
		t.Errorf("%+v %v", data, err)
	}
}

func TestProjections(t *testing.T) {
	for wkt, want := range map[string]string{
		gauss: "projected", beijing: "datum", "": "no coordinate system", "garbage": "no coordinate system",
		strings.Replace(wgs84, `"Greenwich",0.0`, `"Paris",2.337`, 1):      "Greenwich",
		strings.Replace(wgs84, `0.0174532925199433`, `0.0157079632679`, 1): "degree",
	} {
		z := pack(t, "r.shp", shp(shapePoint, orb.Point{112, 35}), "r.prj", wkt)
		if _, err := Read(Source{Name: "r.zip", Data: z}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "EPSG:4326") {
			t.Errorf("%.30q: %v", wkt, err)
		}
	}
	z := pack(t, "r.shp", shp(shapePoint, orb.Point{112, 35}))
	if _, _, err := take(t, "r.zip", z, Options{Kind: "bound", RadiusM: 10}); err == nil || !strings.Contains(err.Error(), "no .prj") {
		t.Errorf("%v", err)
	}
	if _, _, err := take(t, "r.zip", z, Options{Kind: "bound", RadiusM: 10, Datum: "wgs84"}); err != nil {
		t.Error(err)
	}
}

// Drawn on a shifted map, taken, and where it belongs to half a metre.
func TestDatum(t *testing.T) {
	for _, datum := range []edit.Datum{edit.GCJ02, edit.BD09} {
		real := orb.LineString{{112.85, 35.49}, {112.86, 35.5}, {121.47, 31.23}}
		var drawn strings.Builder
		for _, p := range real {
			q := datum.FromWGS84(p)
			fmt.Fprintf(&drawn, "%.8f,%.8f ", q[0], q[1])
		}
		text := `<kml><Placemark><LineString><coordinates>` + drawn.String() + `</coordinates></LineString></Placemark></kml>`
		_, data, err := take(t, "d.kml", []byte(text), Options{Kind: "bound", WidthM: 50, Datum: string(datum)})
		must(t, err)
		for i, p := range data.Fences[0].Geometry.(orb.LineString) {
			a, err := geo.PointOf(p)
			must(t, err)
			b, err := geo.PointOf(real[i])
			must(t, err)
			if m := geo.Distance(a, b); m > 0.5 {
				t.Errorf("%s: %v is %v m off", datum, p, m)
			}
		}
	}
}

// What is wrong is said of the place by its name, and nothing is taken.
func TestRefusals(t *testing.T) {
	place := func(coordinates string) string {
		return `<Placemark><name>东门</name><Polygon><outerBoundaryIs><LinearRing><coordinates>` + coordinates + `</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>`
	}
	point := `<Placemark><name>东门</name><Point><coordinates>112,35</coordinates></Point></Placemark>`
	good := `<Placemark id="G"><Polygon><outerBoundaryIs><LinearRing><coordinates>112,35 112.1,35 112.1,35.1 112,35</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>`
	for name, x := range map[string]struct {
		place, want string
		o           Options
	}{
		"antimeridian":      {place("179,1 -179,1 -179,2 179,1"), "antimeridian", Options{Kind: "bound"}},
		"two vertices":      {place("112,35 113,35 112,35"), "ring needs 3", Options{Kind: "bound"}},
		"on one line":       {place("112,35 113,36 114,37 112,35"), "no area", Options{Kind: "bound"}},
		"crosses itself":    {place("112,35 112.02,35.02 112.02,35 112,35.02 112,35"), "must not cross itself", Options{Kind: "bound"}},
		"projected":         {place("38512345,3912345 38512445,3912345 38512445,3912445 38512345,3912345"), "no longitude and latitude", Options{Kind: "bound"}},
		"no number":         {place("112,x"), "want longitude,latitude", Options{Kind: "bound"}},
		"NaN":               {place("NaN,NaN 1,1 2,1 NaN,NaN"), "no longitude and latitude", Options{Kind: "bound"}},
		"nothing":           {place(""), "ring needs 3", Options{Kind: "bound"}},
		"no radius":         {point, "give one with --radius", Options{Kind: "bound"}},
		"no kind":           {point, "missing; want forbidden", Options{RadiusM: 1}},
		"unknown kind":      {point, `"tunnel" is unknown`, Options{RadiusM: 1, Kind: "tunnel"}},
		"no id":             {point, "was to be the id", Options{RadiusM: 1, Kind: "bound", IDProperty: "code"}},
		"no line":           {point, "a route is a line", Options{RadiusM: 1, Layer: edit.Routes}},
		"same id":           {strings.Replace(point, "<Placemark>", `<Placemark id="G">`, 1), "is there twice, first at place 1", Options{RadiusM: 1, Kind: "bound"}},
		"no geometry":       {`<Placemark><name>东门</name></Placemark>`, "has no geometry", Options{Kind: "bound"}},
		"a track":           {`<Placemark><name>东门</name><gx:Track xmlns:gx="x"/></Placemark>`, "is not taken", Options{Kind: "bound"}},
		"two outer":         {`<Placemark><name>东门</name><Polygon/></Placemark>`, "0 outer boundaries", Options{Kind: "bound"}},
		"too many vertices": {place(strings.Repeat("112,35 112.1,35 ", geo.MaxVertices/2+1)), "simplify", Options{Kind: "bound"}},
	} {
		t.Run(name, func(t *testing.T) {
			rep, data, err := take(t, "f.kml", []byte("<kml>"+good+x.place+"</kml>"), x.o)
			var refused *RefusedError
			if !errors.As(err, &refused) || len(data.Fences)+len(data.Routes) != 0 {
				t.Fatalf("%v", err)
			}
			found := false
			for _, p := range rep.Refused {
				found = found || p.Place == 2 && p.Name == "东门" && strings.Contains(p.Message, x.want)
			}
			if !found {
				t.Errorf("%+v", rep.Refused)
			}
			if x.o.Layer == "" && x.o.Kind == "bound" && x.o.IDProperty == "" {
				x.o.SkipBad = true
				if rep, data, err = take(t, "f.kml", []byte("<kml>"+good+x.place+"</kml>"), x.o); err != nil || rep.Taken != 1 || len(data.Fences) != 1 || data.Fences[0].ID != "G" {
					t.Errorf("with SkipBad: %+v %v", rep, err)
				}
			}
		})
	}
}

func TestRepairIsTold(t *testing.T) {
	text := `<kml><Placemark id="E"><name>八</name><Polygon><outerBoundaryIs><LinearRing><coordinates>112,35 112.02,35.02 112.02,35 112,35.02 112,35</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></kml>`
	rep, data, err := take(t, "f.kml", []byte(text), Options{Kind: "bound", Repair: true})
	must(t, err)
	want := `f.kml: place 1 ("E", 八): its outline crossed itself at 112.010000,35.010000 (longitude,latitude): cut into 2 polygons`
	if len(rep.Repaired) != 1 || rep.Repaired[0].String() != want || len(data.Fences) != 1 {
		t.Errorf("%v", rep.Repaired)
	}
}

// An import is a version, and --replace with nothing good does not empty the layer.
func TestImportIsAVersion(t *testing.T) {
	dir := edit.New(t.TempDir(), edit.MinKeep, 1)
	read := func(id, kind string) []File {
		files, err := Read(Source{Name: "x.geojson", Data: fmt.Appendf(nil, `{"type":"Feature","properties":{"id":%q,"kind":%q,"radius_m":5},"geometry":{"type":"Point","coordinates":[112,35]}}`, id, kind)})
		must(t, err)
		return files
	}
	o := Options{Layer: edit.Fences, Who: "张三"}
	for i, id := range []string{"A", "B"} {
		rep, err := Import(dir, read(id, "bound"), o)
		if err != nil || rep.Result.Version.Number != uint64(i+1) || rep.Result.Version.How != edit.HowImport || rep.Result.Version.Comment != "x.geojson" {
			t.Fatalf("%+v %v", rep, err)
		}
	}
	o.DryRun = true
	if rep, err := Import(dir, read("C", "bound"), o); err != nil || rep.Taken != 1 || rep.Result.Version != nil {
		t.Errorf("%+v %v", rep, err)
	}
	o.DryRun, o.Replace, o.SkipBad = false, true, true
	var refused *RefusedError
	if _, err := Import(dir, read("C", "bad"), o); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	if rep, err := Import(dir, read("C", "bound"), o); err != nil || len(rep.Result.Removed) != 2 {
		t.Errorf("%+v %v", rep, err)
	}
	files, err := Read(Source{Name: "e.kml", Data: []byte("<kml/>")})
	must(t, err)
	var bad *FileError
	if _, err := Import(dir, files, o); !errors.As(err, &bad) {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestHostile(t *testing.T) {
	var deep, laughs strings.Builder
	deep.WriteString("<kml>" + strings.Repeat("<Folder>", 100000))
	laughs.WriteString(`<!DOCTYPE kml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>`)
	whole := shp(shapePolygon, orb.Polygon{ring(112, 35, 0.1, true)})
	table := dbf(roadColumns, []string{"1", "x", "bound", "", "20260501", ""})
	claims := bytes.Clone(table)
	binary.LittleEndian.PutUint32(claims[4:], math.MaxUint32)
	huge := bytes.Clone(whole)
	binary.BigEndian.PutUint32(huge[104:], 0x7fffffff)
	for name, x := range map[string]struct {
		data []byte
		want string
	}{
		"empty":              {nil, "empty"},
		"something else":     {[]byte("%PDF-1.7"), "neither"},
		"cut off zip":        {pack(t, "a.kml", "<kml/>")[:40], "archive"},
		"zip of nothing":     {pack(t, "a.txt", "x"), "holds no"},
		"zip in zip":         {pack(t, "a.kml", pack(t, "b.kml", "<kml/>")), "archive in an archive"},
		"deep XML":           {[]byte(deep.String()), "deeper than 64"},
		"deep MultiGeometry": {[]byte("<kml><Placemark>" + strings.Repeat("<MultiGeometry>", 100000)), "deeper than 64"},
		"entities":           {[]byte(laughs.String() + `<kml><Placemark><name>&b;</name></Placemark></kml>`), "entity"},
		"outside entity":     {[]byte(laughs.String() + `<kml><Placemark><name>&f;</name></Placemark></kml>`), "entity"},
		"cut off KML":        {[]byte("<kml><Placemark><name>x"), "line 1"},
		"HTML":               {[]byte("<html><body/></html>"), "want kml"},
		"only a comment":     {[]byte("<!-- x -->"), "no KML"},
		"deep JSON":          {[]byte(strings.Repeat(`{"a":`, 100000)), "JSON"},
		"cut off JSON":       {[]byte(`{"type":"FeatureCollection","features":[`), "JSON"},
		"projected GeoJSON":  {[]byte(`{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"EPSG:4527"}},"features":[]}`), "crs"},
		"cut off shapes":     {pack(t, "a.shp", whole[:len(whole)-10], "a.prj", wgs84), ".shp"},
		"header only":        {pack(t, "a.shp", whole[:50], "a.prj", wgs84), ".shp"},
		"a record of 4 GiB":  {pack(t, "a.shp", huge, "a.prj", wgs84), "cut off"},
		"cut off table":      {pack(t, "a.shp", whole, "a.prj", wgs84, "a.dbf", table[:40]), ".dbf"},
		"empty table":        {pack(t, "a.shp", whole, "a.prj", wgs84, "a.dbf", ""), ".dbf"},
		"a table of 4G rows": {pack(t, "a.shp", whole, "a.prj", wgs84, "a.dbf", claims), "cut off"},
		"table of another":   {pack(t, "a.shp", whole, "a.prj", wgs84, "a.dbf", dbf(roadColumns)), "do not belong together"},
		"unknown encoding":   {pack(t, "a.shp", whole, "a.prj", wgs84, "a.dbf", table, "a.cpg", "KLINGON"), "KLINGON"},
		"another encoding":   {pack(t, "a.shp", whole, "a.prj", wgs84, "a.dbf", dbf([]column{{"NAME", 'C', 8}}, []string{"\xff\xfe\xff\xfe"}), "a.cpg", "UTF-8"), "is not utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(Source{Name: "file", Data: x.data})
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v; want %q", err, x.want)
			}
		})
	}
	if testing.Short() {
		return
	}
	t.Run("bomb", func(t *testing.T) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		zeros := make([]byte, 1<<20)
		for _, n := range []string{"a.json", "b.json", "c.json"} {
			w, err := z.Create(n)
			must(t, err)
			must2(t, w, []byte(`{"type":"FeatureCollection","features":[]}`))
			for range 200 {
				for i := range zeros {
					zeros[i] = ' '
				}
				must2(t, w, zeros)
			}
		}
		must(t, z.Close())
		if _, err := Read(Source{Name: "b.zip", Data: b.Bytes()}); err == nil || !strings.Contains(err.Error(), "unpacks to more than") {
			t.Errorf("%d bytes: %v", b.Len(), err)
		}
	})
}

func must2(t testing.TB, w interface{ Write([]byte) (int, error) }, b []byte) {
	t.Helper()
	_, err := w.Write(b)
	must(t, err)
}

// A broken shape costs itself only.
func TestBrokenShape(t *testing.T) {
	b := shp(shapePolygon, orb.Polygon{ring(112, 35, 0.1, true)}, orb.Polygon{orb.Ring{{1, 1}, {2, 1}, {1, 1}, {1, 1}}}, orb.Polygon{ring(114, 35, 0.1, true)})
	rep, data, err := take(t, "a.zip", pack(t, "a.shp", b, "a.prj", cgcs2000), Options{Kind: "bound", SkipBad: true})
	if err != nil || len(data.Fences) != 2 || len(rep.Refused) != 1 || rep.Refused[0].Place != 2 {
		t.Errorf("%+v %v", rep, err)
	}
	l := shp(shapeLine, orb.MultiLineString{{{1, 1}, {2, 1}}, {{3, 1}, {4, 1}}, {{5, 1}, {6, 1}}})
	binary.LittleEndian.PutUint32(l[100+8+44+4:], 3) // the parts begin at 0, 3, 4
	binary.LittleEndian.PutUint32(l[100+8+44+8:], 1) // and now at 0, 3, 1
	rep, _, err = take(t, "l.zip", pack(t, "l.shp", l, "l.prj", wgs84), Options{Kind: "bound", WidthM: 5, SkipBad: true})
	if err == nil || len(rep.Refused) != 1 || !strings.Contains(rep.Refused[0].Message, "out of order") {
		t.Errorf("%+v %v", rep, err)
	}
}

func FuzzRead(f *testing.F) {
	whole := shp(shapePolygon, orb.Polygon{ring(112, 35, 0.1, true)})
	f.Add(whole, dbf(roadColumns, []string{"1", "x", "bound", "", "20260501", ""}))
	f.Add(shp(shapePoint, orb.Point{1, 2}), []byte(nil))
	f.Add(fmt.Appendf(nil, kmlText, "UTF-8"), []byte(nil))
	f.Add([]byte(`{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[1,2]]]}}`), []byte(nil))
	f.Fuzz(func(t *testing.T, data, table []byte) {
		files, err := Read(Source{Name: "f", Data: data, Beside: func(ext string) ([]byte, error) {
			switch ext {
			case ".dbf":
				return table, nil
			case ".prj":
				return []byte(wgs84), nil
			}
			return nil, nil
		}})
		if err != nil {
			return
		}
		for _, o := range []Options{{Layer: edit.Fences, Kind: "bound", RadiusM: 5, WidthM: 5}, {Layer: edit.Routes, WidthM: 5}, {Layer: edit.Sections}} {
			c := convert(files, &o)
			if len(c.features) != len(c.origins) {
				t.Fatal("features and origins differ")
			}
			// Whatever was read is JSON that the loader can judge.
			if _, err := edit.ParseFeatures(edit.Compose(c.features)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
