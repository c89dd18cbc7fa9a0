package detect

import (
	"errors"
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

// testdata/rules holds files that are good, and files that are bad with all that is said of them, a line each.
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
		golden := strings.TrimSuffix(file, ".yaml") + ".txt"
		if err != nil && os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, readErr := os.ReadFile(golden)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err == nil || strings.TrimSpace(err.Error()) != strings.TrimSpace(string(want)) {
			t.Errorf("%s:\n%v\nwant\n%s", file, err, want)
		}
	}
}

// Every problem says where it is.
func TestSettingProblemsHavePlaces(t *testing.T) {
	_, err := ParseSettingsFile("dir/rules.yaml", []byte("speeding:\n  sustained_s: 20\n  merge_s: 700000\n"))
	var list SettingProblems
	if !errors.As(err, &list) || len(list) != 1 {
		t.Fatalf("%v", err)
	}
	if p := list[0]; p.File != "dir/rules.yaml" || p.Line != 3 || p.Column != 12 || p.Path != "speeding.merge_s" {
		t.Errorf("%+v", p)
	}
	s := DefaultSettings()
	s.Speeding.MergeS = -1
	if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), "rules: speeding.merge_s: -1;") {
		t.Errorf("%v", err)
	}
}

// However long, deep or twisted a file is, it is read or refused, and soon.
func TestRulesFilesThatMeanHarm(t *testing.T) {
	for name, text := range map[string]string{
		"long":       "# " + strings.Repeat("x", maxRulesFile),
		"deep":       "speeding: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"itself":     "speeding: &a {class_cap_kmh: *a}",
		"merges":     "x: &a {<<: [*a, *a, *a]}\nspeeding: {<<: *a}",
		"many":       strings.Repeat("speeding: {sustained_s: x}\n", 5000),
		"long names": strings.Repeat("s", 50000) + ": 1",
		"no text":    "\x00\xff\xfe",
	} {
		s, err := ParseSettings([]byte(text))
		if err == nil || s != nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if n := len(err.Error()); n > 200*maxRulesProblems+100_000 {
			t.Errorf("%s: %d bytes are said about it", name, n)
		}
	}
}

func FuzzParseSettings(f *testing.F) {
	files, err := filepath.Glob("testdata/rules/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSettings(b)
		if (s == nil) != (err != nil) {
			t.Fatalf("%v %v", s, err)
		}
		if s != nil {
			if err := s.Validate(); err != nil {
				t.Fatalf("read and not valid: %v", err)
			}
		}
	})
}
