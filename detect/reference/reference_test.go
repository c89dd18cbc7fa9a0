package reference

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
)

func vehicle(t testing.TB, plate string, color ingest.Color) ingest.Vehicle {
	v, err := ingest.NewVehicle(plate, color)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ms(t testing.TB, s string) int64 {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// fullData is testdata/full.good.
func fullData(t testing.TB) *detect.ReferenceData {
	truck, tanker := vehicle(t, "晋E12345", 2), vehicle(t, "晋ED00001", 93)
	stranger := vehicle(t, "豫A00001", 2)
	return &detect.ReferenceData{
		Operators: []detect.Operator{{ID: "O17", Name: `晋城"平安"运输, 有限公司`, Region: "140502"}, {ID: "O18"}},
		Stations: []detect.Station{
			{ID: "S001", Name: "金匠超限检测站", Lat: 35500000, Lon: 112850000, Method: ingest.MethodDynamic, TolerancePct: 5, SizeToleranceMm: 100},
			{ID: "S002", TolerancePct: -1, SizeToleranceMm: -1},
			{ID: "S003", Lat: -35490712, Lon: 112850000, Method: ingest.MethodStatic}},
		Routes: []detect.Route{{ID: "R1", Name: "晋城至阳城", Line: orb.LineString{{112.85, 35.5}, {112.9, 35.6}}, WidthM: 200},
			{ID: "R2", Line: orb.LineString{{112, 35}, {112.5, 35}}, WidthM: 60.5}},
		Fences: []detect.Fence{
			{ID: "F1", Name: "市区", Kind: detect.FenceForbidden, Geometry: orb.Polygon{{{112.8, 35.4}, {112.9, 35.4}, {112.9, 35.5}, {112.8, 35.4}}},
				Classes:  detect.ClassSet(0).With(detect.ClassHazmat).With(detect.ClassHeavyTruck),
				Vehicles: []ingest.Vehicle{truck, tanker},
				Schedule: []detect.Window{{Days: 0b0011111, From: 1320, To: 300}, {Days: 0b1000000, From: 0, To: 1440}}},
			{ID: "F2", Kind: detect.FenceSpeed, Geometry: orb.LineString{{112.8, 35.4}, {112.9, 35.4}}, WidthM: 40,
				SpeedLimit: 800, NightSpeedLimit: 605, Road: detect.RoadExpressway},
			{ID: "F3", Kind: detect.FenceMaxStay, Geometry: orb.Point{112.8, 35.4}, RadiusM: 300.25, MaxStayS: 3600, Road: detect.RoadOther},
			{ID: "F4", Kind: detect.FenceJurisdiction, Region: "1405", Geometry: orb.MultiPolygon{{{{1, 2}, {3, 2}, {3, 4}, {1, 2}}},
				{{{5, 6}, {7, 6}, {7, 8}, {5, 6}}, {{5.5, 6.1}, {6, 6.2}, {6, 6.3}, {5.5, 6.1}}}}},
			{ID: "F5", Kind: detect.FenceApproach, Geometry: orb.Point{112.8, 35.4}, RadiusM: 1, Station: "S001"}},
		Sections: []detect.Section{{ID: "Q1", Name: "隧道", Line: orb.LineString{{112.85, 35.5}, {112.9, 35.6}}, LengthM: 5120.5,
			SpeedLimit: 800, GateRadiusM: 50, Classes: detect.ClassSet(0).With(detect.ClassCoachLine)}},
		Vehicles: []detect.VehicleRecord{
			{Vehicle: truck, Class: detect.ClassHeavyTruck, Operator: "O17", Region: "140502", Axles: 6, Combination: ingest.Yes,
				SingleDriveAxle: ingest.No, GrossLimitKg: 49000, MaxSpeed: 900, Phone: "13800138000", Routes: []string{"R1", "R2"}},
			{Vehicle: tanker, Class: detect.ClassHazmat, MaxSpeed: 805, NightExempt: true},
			{Vehicle: vehicle(t, "LSVAA4182E2123456", 0)}},
		Filings: []detect.Filing{
			{Vehicle: stranger, Region: "1405", Start: ms(t, "2026-01-01T00:00:00+08:00"), End: ms(t, "2027-01-01T00:00:00+08:00"), Number: "B1"},
			{Vehicle: stranger, Region: "1405", Start: ms(t, "2027-01-01T00:00:00+08:00"), Number: "B1"}},
		Waybills: []detect.WaybillRecord{{Number: "W1", Vehicle: tanker, Start: ms(t, "2026-05-01T00:00:00.5Z"),
			End: ms(t, "2026-05-02T00:00:00Z"), CargoClass: "3", Route: "R1"}},
		Permits: []detect.Permit{
			{Number: "P1", Vehicle: truck, Kind: detect.PermitOversize, Start: ms(t, "2026-05-01T00:00:00+08:00"),
				End: ms(t, "2026-05-10T00:00:00+08:00"), GrossKg: 90000, LengthMm: 25000, WidthMm: 3200, HeightMm: 4500, Route: "R2"},
			{Number: "P1", Vehicle: truck, Kind: detect.PermitRelay, Fence: "F1"}},
	}
}

// copyDir copies the files of a directory, changed by edit, into a new one.
func copyDir(t testing.TB, from string, edit func(text string) string) string {
	dir := t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, e.Name(), edit(string(b)))
	}
	return dir
}

func put(t testing.TB, dir, name, text string) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	want := fullData(t)
	for how, edit := range map[string]func(string) string{
		"as it is":   func(s string) string { return s },
		"BOM, CR LF": func(s string) string { return "\ufeff" + strings.ReplaceAll(s, "\n", "\r\n") },
		"no end":     func(s string) string { return strings.TrimRight(s, "\n") },
	} {
		got, info, err := Load(copyDir(t, "testdata/full.good", edit))
		if err != nil {
			t.Errorf("%s: %v", how, err)
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", how, got, want)
		}
		if len(info.Warnings) > 0 {
			t.Errorf("%s: %q", how, info.Warnings)
		}
	}
}

func TestInfo(t *testing.T) {
	_, info, err := Load("testdata/full.good")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{Operators: 2, Stations: 3, Routes: 2, Fences: 5, Sections: 1, Vehicles: 3, Filings: 2, Waybills: 1, Permits: 2, Rules: 0}
	for i, f := range info.Files {
		stat, err := os.Stat(filepath.Join("testdata/full.good", f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if f.Name != FileNames[i] || f.Rows != rows[f.Name] || f.Size != stat.Size() || !f.ModTime.Equal(stat.ModTime()) {
			t.Errorf("%+v", f)
		}
	}
	if len(info.Files) != len(FileNames) {
		t.Errorf("%d files", len(info.Files))
	}
	// printf 'speeding: {}\n' | sha256sum
	if got := info.File(Rules).SHA256; got != "c979d6368e7822bd89045eff1c3b1f72326e2fabefa5d6292ea79a8c2acf9be4" {
		t.Errorf("rules.yaml: %s", got)
	}
	// Every file counts for the version, and nothing else does.
	same := copyDir(t, "testdata/full.good", func(s string) string { return s })
	put(t, same, "README.txt", "not ours")
	if _, other, err := Load(same); err != nil || other.Digest != info.Digest {
		t.Errorf("a copy has another digest: %v", err)
	}
	for _, name := range FileNames {
		dir := copyDir(t, "testdata/full.good", func(s string) string { return s })
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, name, string(b)+"\n")
		if _, other, err := Load(dir); err != nil || other.Digest == info.Digest {
			t.Errorf("%s is changed and the digest the same, %v", name, err)
		}
	}
	if info.File("other.csv") != nil {
		t.Error("a file that is none")
	}
}

func TestLoadSparse(t *testing.T) {
	data, info, err := Load(t.TempDir())
	if err != nil || !reflect.DeepEqual(data, new(detect.ReferenceData)) || len(info.Files) != 0 || len(info.Digest) != 64 {
		t.Errorf("an empty directory: %+v, %+v, %v", data, info, err)
	}
	data, info, err = Load("testdata/sparse.good")
	if err != nil {
		t.Fatal(err)
	}
	want := &detect.ReferenceData{
		Vehicles: []detect.VehicleRecord{{Vehicle: vehicle(t, "晋E1", 2), Operator: "O1", Routes: []string{"R9"}}},
		Permits:  []detect.Permit{{Vehicle: vehicle(t, "晋E1", 2), Kind: detect.PermitCharter}},
		Fences:   []detect.Fence{{ID: "F1", Kind: detect.FenceMaxStay, Geometry: orb.Polygon(nil)}},
	}
	if !reflect.DeepEqual(data, want) {
		t.Errorf("got %+v, want %+v", data, want)
	}
	wantWarnings := []string{
		"testdata/sparse.good/vehicle.csv: not a file of the reference directory; passed over",
		`testdata/sparse.good/fences.geojson:1: feature 1 ("F1"): max_stay_s is absent: a fence of kind max_stay does nothing without it`,
		"testdata/sparse.good/vehicles.csv: mentions records of operators.csv, which is not there: not checked",
		"testdata/sparse.good/vehicles.csv: mentions records of routes.geojson, which is not there: not checked",
	}
	if !slices.Equal(info.Warnings, wantWarnings) {
		t.Errorf("%q", info.Warnings)
	}
}

// Every bad directory has the expected errors in errors.txt.
func TestLoadBad(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*.bad")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		want, err := os.ReadFile(filepath.Join(dir, "errors.txt"))
		if err != nil {
			t.Fatal(err)
		}
		data, info, err := Load(dir)
		if err == nil {
			t.Errorf("%s: no error", dir)
			continue
		}
		if data != nil || info != nil {
			t.Errorf("%s: data with an error", dir)
		}
		if got := strings.ReplaceAll(err.Error(), dir+"/", "") + "\n"; got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", dir, got, want)
		}
		if at, ok := errors.AsType[*Error](err); !ok || at.File == "" || at.Reason == "" {
			t.Errorf("%s: %#v", dir, at)
		}
	}
	if len(dirs) < 5 {
		t.Errorf("%d bad directories", len(dirs))
	}
}

func TestLoadHostileFiles(t *testing.T) {
	if _, _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	for name, text := range map[string]string{
		Vehicles: "plate,color\n" + strings.Repeat("x", 2<<20),
		Fences:   strings.Repeat("[", 1<<20),
		Routes:   "\x00",
		Sections: `{"type":"FeatureCollection","features":{}}`,
		Permits:  "\xff\xfep\x00l\x00",
		Stations: " \n\n",
	} {
		dir := t.TempDir()
		put(t, dir, name, text)
		if _, _, err := Load(dir); err == nil || !strings.Contains(err.Error(), name) || len(err.Error()) > 1000 {
			t.Errorf("%s: %.2000v", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, Vehicles), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, Rules), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := Load(dir)
	if want := dir + "/vehicles.csv: not a regular file\n" + dir + "/rules.yaml: not a regular file"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// A beginning of a file is loaded or refused, and never panics; one that is cut within a feature is refused.
func TestLoadPrefixes(t *testing.T) {
	for _, name := range []string{Fences, Vehicles, Permits} {
		text, err := os.ReadFile(filepath.Join("testdata/full.good", name))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for n := 0; n < len(text); n += 7 {
			put(t, dir, name, string(text[:n]))
			_, _, err := Load(dir)
			if err == nil && name == Fences && strings.TrimSpace(string(text[n:])) != "" {
				t.Errorf("%s is taken when cut after %d bytes", name, n)
			}
		}
	}
}

func TestChanged(t *testing.T) {
	same := func(s string) string { return s }
	edits := map[string]func(dir string) error{
		"nothing": func(string) error { return nil },
		"a file of others": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644)
		},
		"removed": func(dir string) error { return os.Remove(filepath.Join(dir, Permits)) },
		"longer": func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, Rules), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("\n")
			return errors.Join(err, f.Close())
		},
		"touched": func(dir string) error {
			return os.Chtimes(filepath.Join(dir, Fences), time.Time{}, time.Unix(1777593600, 0))
		},
		"renamed over, same size and time": func(dir string) error {
			path := filepath.Join(dir, Vehicles)
			stat, err := os.Stat(path)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+".new", b, 0o644); err != nil {
				return err
			}
			if err := os.Chtimes(path+".new", time.Time{}, stat.ModTime()); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	}
	for name, edit := range edits {
		dir := copyDir(t, "testdata/full.good", same)
		_, info, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := edit(dir); err != nil {
			t.Fatal(err)
		}
		changed, err := Changed(dir, info)
		if want := name != "nothing" && name != "a file of others"; changed != want || err != nil {
			t.Errorf("%s: %t, %v", name, changed, err)
		}
	}
	dir := t.TempDir()
	_, info, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, Filings, "plate,color\n")
	if changed, err := Changed(dir, info); !changed || err != nil {
		t.Errorf("added: %t, %v", changed, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Changed(dir, info); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory gone: %v", err)
	}
}

// A directory that changes between the opening of a file and the end is not taken.
func TestLoadWhileChanging(t *testing.T) {
	dir := copyDir(t, "testdata/full.good", func(s string) string { return s })
	l := newLoader(dir)
	l.load(Operators, func(f *file) {
		l.loadOperators(f)
		put(t, dir, Operators, "id\nO99\n")
	})
	if err := l.finish(); !errors.Is(err, ErrChanged) {
		t.Errorf("%v", err)
	}
}
