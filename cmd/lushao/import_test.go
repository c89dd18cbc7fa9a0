package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lushao/detect/reference"
)

// runImport runs the command and returns what it printed and how it ended.
func runImport(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append([]string{"import"}, args...))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestImportCommand(t *testing.T) {
	dir, drawings := t.TempDir(), t.TempDir()
	file := filepath.Join(drawings, "校区.kml")
	kml := `<kml><Placemark id="E"><name>东校区</name><Polygon><outerBoundaryIs><LinearRing><coordinates>112,35 112.02,35.02 112.02,35 112,35.02 112,35</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>
<Placemark id="P"><name>西门</name><Point><coordinates>112,35</coordinates></Point></Placemark></kml>`
	if err := os.WriteFile(file, []byte(kml), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(err error, out string, fails bool, want ...string) {
		t.Helper()
		if (err != nil) != fails {
			t.Errorf("%v", err)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s\nlacks %q", out, w)
			}
		}
	}
	out, err := runImport(t, file, "--into", dir, "--kind", "forbidden", "--radius", "50")
	check(err, out, true, `校区.kml: KML, 2 places`, `refused: `+file+`: place 1 ("E", 东校区): geometry: outer ring edge`)
	if _, err := os.Stat(filepath.Join(dir, reference.Fences)); err == nil {
		t.Error("something was written")
	}
	out, err = runImport(t, file, "--into", dir, "--kind", "forbidden", "--radius", "50", "--skip-bad", "--dry-run")
	check(err, out, false, "1 taken as fences: 1 new, 0 changed, 0 removed; 1 refused; nothing is written")
	out, err = runImport(t, file, "--into", dir, "--kind", "forbidden", "--radius", "50", "--repair", "--datum", "gcj02")
	check(err, out, false, "cut into 2 polygons", "2 taken as fences: 2 new, 0 changed, 0 removed; 0 refused; version 1")
	out, err = runImport(t, file, "--into", dir, "--kind", "forbidden", "--radius", "50", "--repair", "--datum", "gcj02")
	check(err, out, false, "nothing is different")
	data, _, err := reference.Load(dir)
	if err != nil || len(data.Fences) != 2 || data.Fences[1].Name != "西门" || data.Fences[1].RadiusM != 50 {
		t.Errorf("%+v %v", data, err)
	}
	for _, wrong := range [][]string{{file}, {"--into", dir}, {file, "--into", dir, "--as", "roads"}, {file, "--into", dir, "--datum", "mars"}, {file, "--into", dir, "--versions", "5"}} {
		if status := run(t.Context(), append([]string{"import"}, wrong...)); status != exitUsage {
			t.Errorf("%v: status %d", wrong, status)
		}
	}
	if status := run(t.Context(), []string{"import", file + "x", "--into", dir}); status != exitFailed {
		t.Errorf("a file that is not there: status %d", status)
	}
}
