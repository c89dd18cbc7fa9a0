package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseSettings(t *testing.T) {
	s, err := ParseSettings([]byte("speeding: {sustained_s: 60, class_cap_kmh: {truck: 90.5}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Speeding.SustainedS != 60 || s.Speeding.ClassCap["truck"] != 90.5 || s.Speeding.ClassCap["coach_line"] != 100 || s.Speeding.MergeS != 60 {
		t.Errorf("%+v", s.Speeding)
	}
	d := DefaultSettings()
	if s.Version() == d.Version() {
		t.Error("other settings have the same version")
	}
	if empty, err := ParseSettings(nil); err != nil || empty.Version() != d.Version() {
		t.Errorf("an empty file: %v", err)
	}
}

// testdata/rules holds files that are good, and files that are bad with what is said of them.
func TestRulesFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseSettings(b)
		if strings.HasSuffix(file, ".good.yaml") {
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			continue
		}
		want, readErr := os.ReadFile(strings.TrimSuffix(file, ".yaml") + ".txt")
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(string(want))) {
			t.Errorf("%s: %v\nwant %s in it", file, err, want)
		}
	}
}
