package reference

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
)

func names(t testing.TB, dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "register")
	want := fullData(t)
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, first, err := Load(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, want)
	}
	put(t, dir, Rules, "speeding: {}\n")

	// The same data give the same version; less data leave no file behind, and nothing of the writing.
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	if changed, err := Changed(dir, first); !changed || err != nil {
		t.Errorf("written again: changed %t, %v", changed, err)
	}
	want = &detect.ReferenceData{Operators: want.Operators}
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, _, err = Load(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	if list := names(t, dir); !slices.Equal(list, []string{Operators, Rules}) {
		t.Errorf("left over: %q", list)
	}
}

func TestWriteSameDigest(t *testing.T) {
	var digests []string
	for range 2 {
		dir := t.TempDir()
		if err := Write(dir, fullData(t)); err != nil {
			t.Fatal(err)
		}
		_, info, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, info.Digest)
	}
	if digests[0] != digests[1] {
		t.Error("the same data are written in two ways")
	}
}

// What Load would refuse is not written, and the directory stays as it was.
func TestWriteRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*detect.ReferenceData){
		"line break":            func(d *detect.ReferenceData) { d.Operators[0].Name = "a\nb" },
		"white space":           func(d *detect.ReferenceData) { d.Operators[0].Name = " a" },
		"not UTF-8":             func(d *detect.ReferenceData) { d.Operators[0].Name = "\xff" },
		"is there twice":        func(d *detect.ReferenceData) { d.Vehicles[1].Vehicle = d.Vehicles[0].Vehicle },
		"plate: missing":        func(d *detect.ReferenceData) { d.Vehicles[1].Vehicle = ingest.Vehicle{} },
		"is not in fences":      func(d *detect.ReferenceData) { d.Permits[0].Fence = "F99" },
		"geometry <nil>":        func(d *detect.ReferenceData) { d.Fences[0].Geometry = nil },
		"geometry orb.Ring":     func(d *detect.ReferenceData) { d.Fences[0].Geometry = orb.Ring{} },
		"no day":                func(d *detect.ReferenceData) { d.Fences[0].Schedule[0].Days = 0 },
		"no time of day":        func(d *detect.ReferenceData) { d.Fences[0].Schedule[0].From = 1441 },
		"radius_m: missing":     func(d *detect.ReferenceData) { d.Fences[2].RadiusM = 0 },
		"no JSON":               func(d *detect.ReferenceData) { d.Fences[0].Geometry = orb.Polygon{{{math.NaN(), 0}}} },
		"no longitude":          func(d *detect.ReferenceData) { d.Routes[0].Line[0][0] = 181 },
		"tolerance_pct":         func(d *detect.ReferenceData) { d.Stations[0].TolerancePct = math.NaN() },
		"id: missing":           func(d *detect.ReferenceData) { d.Sections[0].ID = "" },
		"semicolon":             func(d *detect.ReferenceData) { d.Routes[0].ID = "a;b" },
		"kind: missing":         func(d *detect.ReferenceData) { d.Fences[0].Kind = "" },
		`"forbiden" is unknown`: func(d *detect.ReferenceData) { d.Fences[0].Kind = "forbiden" },
	} {
		dir := t.TempDir()
		put(t, dir, Operators, "id\nO99\n")
		data := fullData(t)
		spoil(data)
		err := Write(dir, data)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if list := names(t, dir); !slices.Equal(list, []string{Operators}) {
			t.Errorf("%s: left %q", want, list)
		}
		if b, err := os.ReadFile(filepath.Join(dir, Operators)); string(b) != "id\nO99\n" {
			t.Errorf("%s: %q, %v", want, b, err)
		}
	}
}

func TestWriteLoadRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	dir := t.TempDir()
	for i := range 60 {
		want := randomData(t, rnd)
		if err := Write(dir, want); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		got, _, err := Load(dir)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%d:\n got %+v\nwant %+v", i, got, want)
		}
	}
}

func randomData(t testing.TB, rnd *rand.Rand) *detect.ReferenceData {
	text := func() string {
		runes := []rune(`晋E1 ",;'{}<\/é🚚`)
		s := ""
		for range rnd.IntN(6) {
			s += string(runes[rnd.IntN(len(runes))])
		}
		return strings.TrimSpace(s)
	}
	maybe := func() bool { return rnd.IntN(2) == 0 }
	// id is one of ids, or none where there are none.
	id := func(ids []string) string {
		if len(ids) == 0 || maybe() {
			return ""
		}
		return ids[rnd.IntN(len(ids))]
	}
	u32 := func() uint32 { return uint32([]uint64{0, 1, 49000, math.MaxUint32}[rnd.IntN(4)]) }
	speed := func() uint16 { return uint16([]uint64{0, 1, 605, math.MaxUint16}[rnd.IntN(4)]) }
	metres := func() float64 { return rnd.Float64()*1000 + 1e-9 }
	classes := func() detect.ClassSet { return detect.ClassSet(rnd.IntN(1<<9) * rnd.IntN(2)) }
	region := func() string { return []string{"", "1405", "140502"}[rnd.IntN(3)] }
	colors := []ingest.Color{0, 1, 2, 3, 4, 5, 9, 91, 92, 93, 94}
	car := func(i int) ingest.Vehicle {
		return vehicle(t, fmt.Sprintf(`晋E,"/%04d`, i), colors[i%len(colors)])
	}
	validity := func() (start, end int64) {
		start, end = rnd.Int64N(4e12)+1, 0
		if maybe() {
			end = start + 1 + rnd.Int64N(1e11)
		}
		if maybe() {
			start = 0
		}
		return start, end
	}
	point := func() orb.Point { return orb.Point{rnd.Float64()*360 - 180, rnd.Float64()*180 - 90} }
	points := func() []orb.Point {
		list := []orb.Point{point(), point()}
		for range rnd.IntN(4) {
			list = append(list, point())
		}
		return list
	}
	polygon := func() orb.Polygon {
		p := orb.Polygon{orb.Ring(points())}
		for range rnd.IntN(3) {
			p = append(p, orb.Ring(points()))
		}
		return p
	}

	d := new(detect.ReferenceData)
	var operators, stations, routes, fences []string
	for i := range rnd.IntN(4) {
		operators = append(operators, fmt.Sprintf("O,%d", i))
		d.Operators = append(d.Operators, detect.Operator{ID: operators[i], Name: text(), Region: region()})
	}
	for i := range rnd.IntN(4) {
		stations = append(stations, fmt.Sprintf("S %d", i))
		s := detect.Station{ID: stations[i], Name: text(), TolerancePct: -1, SizeToleranceMm: -1, Method: ingest.Method(rnd.IntN(3))}
		if maybe() {
			s.Lat, s.Lon, s.TolerancePct, s.SizeToleranceMm = rnd.Int32N(180e6)-90e6, rnd.Int32N(360e6)-180e6, rnd.Float64()*100, rnd.Int32()
		}
		d.Stations = append(d.Stations, s)
	}
	for i := range rnd.IntN(4) {
		routes = append(routes, fmt.Sprintf(`R"%d`, i))
		d.Routes = append(d.Routes, detect.Route{ID: routes[i], Name: text(), Line: orb.LineString(points()), WidthM: metres()})
	}
	for i := range rnd.IntN(8) {
		fences = append(fences, fmt.Sprintf(`F\%d`, i))
		f := detect.Fence{ID: fences[i], Name: text(), Kind: detect.FenceKinds[rnd.IntN(len(detect.FenceKinds))], Classes: classes(),
			SpeedLimit: speed(), NightSpeedLimit: speed(), MaxStayS: u32(), Road: detect.Road(rnd.IntN(3)), Region: region(),
			Station: id(stations)}
		switch rnd.IntN(4) {
		case 0:
			f.Geometry, f.RadiusM = point(), metres()
		case 1:
			f.Geometry, f.WidthM = orb.LineString(points()), metres()
		case 2:
			f.Geometry = polygon()
		case 3:
			f.Geometry = orb.MultiPolygon{polygon(), polygon()}
		}
		for i := range rnd.IntN(3) {
			f.Vehicles = append(f.Vehicles, car(i))
		}
		for range rnd.IntN(3) {
			f.Schedule = append(f.Schedule, detect.Window{Days: uint8(1 + rnd.IntN(127)), From: uint16(rnd.IntN(1441)), To: uint16(rnd.IntN(1441))})
		}
		d.Fences = append(d.Fences, f)
	}
	for i := range rnd.IntN(3) {
		d.Sections = append(d.Sections, detect.Section{ID: fmt.Sprintf("Q%d", i), Name: text(), Line: orb.LineString(points()),
			LengthM: metres(), SpeedLimit: speed(), GateRadiusM: metres(), Classes: classes()})
	}
	for i := range rnd.IntN(20) {
		v := detect.VehicleRecord{Vehicle: car(i), Class: detect.Class(rnd.IntN(9)), Operator: id(operators), Region: region(),
			Axles: uint8(rnd.IntN(256)), Combination: ingest.Tri(rnd.IntN(3)), SingleDriveAxle: ingest.Tri(rnd.IntN(3)), GrossLimitKg: u32(),
			MaxSpeed: speed(), NightExempt: maybe()}
		if maybe() {
			v.Phone = fmt.Sprint(1 + rnd.Uint64())
		}
		if len(routes) > 0 && maybe() {
			v.Routes = slices.Clone(routes[:1+rnd.IntN(len(routes))])
		}
		d.Vehicles = append(d.Vehicles, v)
	}
	for i := range rnd.IntN(4) {
		f := detect.Filing{Vehicle: car(i), Region: region(), Number: text()}
		f.Start, f.End = validity()
		w := detect.WaybillRecord{Vehicle: car(i), Number: text(), CargoClass: text(), Route: id(routes)}
		w.Start, w.End = validity()
		p := detect.Permit{Vehicle: car(i), Number: text(), Kind: []detect.PermitKind{"oversize", "charter", "relay"}[rnd.IntN(3)],
			GrossKg: u32(), LengthMm: u32(), WidthMm: u32(), HeightMm: u32(), Route: id(routes), Fence: id(fences)}
		p.Start, p.End = validity()
		d.Filings, d.Waybills, d.Permits = append(d.Filings, f), append(d.Waybills, w), append(d.Permits, p)
	}
	return d
}

// FuzzFences: any text is loaded or refused with a place, and what is loaded can be written and loaded again unchanged.
func FuzzFences(f *testing.F) {
	for _, dir := range []string{"full.good", "sparse.good", "fences.bad", "geometry.bad", "broken.bad"} {
		b, err := os.ReadFile(filepath.Join("testdata", dir, Fences))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	fuzzFile(f, Fences, (*loader).loadFences, func(w *writer, d *detect.ReferenceData) { w.fences(d.Fences) })
}

// FuzzVehicles is FuzzFences for a CSV file.
func FuzzVehicles(f *testing.F) {
	for _, dir := range []string{"full.good", "sparse.good", "tables.bad", "broken.bad"} {
		b, err := os.ReadFile(filepath.Join("testdata", dir, Vehicles))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	fuzzFile(f, Vehicles, (*loader).loadVehicles, func(w *writer, d *detect.ReferenceData) { w.vehicles(d.Vehicles) })
}

// fuzzFile works in memory: the disk would be what takes the time.
func fuzzFile(f *testing.F, name string, load func(*loader, *file), write func(*writer, *detect.ReferenceData)) {
	read := func(text string) (*detect.ReferenceData, []error) {
		l := newLoader("fuzz")
		load(l, &file{loader: l, path: name, name: name, r: strings.NewReader(text)})
		return l.data, l.problems.list
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, errs := read(text)
		for _, err := range errs {
			if at, ok := err.(*Error); !ok || at.File != name || at.Reason == "" || at.Line == 0 && !strings.HasPrefix(at.Reason, "empty") {
				t.Fatalf("%#v", err)
			}
		}
		if len(errs) > 0 {
			return
		}
		var out bytes.Buffer
		w := &writer{out: bufio.NewWriter(&out)}
		write(w, data)
		if w.err != nil {
			t.Fatal(w.err)
		}
		w.out.Flush()
		again, errs := read(out.String())
		if len(errs) > 0 || !reflect.DeepEqual(again, data) {
			t.Fatalf("%v\n got %+v\nwant %+v", errs, again, data)
		}
	})
}

func BenchmarkLoadVehicles(b *testing.B) {
	dir := b.TempDir()
	var text strings.Builder
	text.WriteString("plate,color,class,operator,region,axles,combination,gross_limit_kg,max_speed_kmh,phone\n")
	const count = 100000
	for i := range count {
		fmt.Fprintf(&text, "晋E%06d,2,heavy_truck,O%d,140502,6,true,49000,90,%d\n", i, i%500, 13800000000+i)
	}
	put(b, dir, Vehicles, text.String())
	for b.Loop() {
		data, _, err := Load(dir)
		if err != nil || len(data.Vehicles) != count {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/vehicle")
}
