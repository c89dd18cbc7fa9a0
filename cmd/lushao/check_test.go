package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runCheck runs lushao check and returns what it prints.
func runCheck(args ...string) (string, error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs(append([]string{"check"}, args...))
	err := root.Execute()
	return out.String(), err
}

// testdata/check holds pairs of rules and what check says of the change from the first to the second, word for word.
func TestCheckExplains(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.new.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		base := strings.TrimSuffix(file, ".new.yaml")
		args := []string{"--rules", file}
		if _, err := os.Stat(base + ".old.yaml"); err == nil {
			args = append(args, "--against", base+".old.yaml")
		}
		got, err := runCheck(args...)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(base+".txt", []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want := string(readFile(t, base+".txt")); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
}

func TestCheckRulesFails(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, bad := write("good.yaml", "speeding: {sustained_s: 60}\n"), write("bad.yaml", "speeding:\n  sustained_s: 1 min\n  merg_s: 5\n")
	one := write("one.yaml", "speeding: {merge_s: -1}\n")
	write("rules.yaml", "speeding: {sustained_s: 60}\n")
	var usage usageError
	for _, c := range []struct {
		args       string
		usage      bool
		err, print string
	}{
		{"--rules " + bad, false, bad + ": 2 settings can't be used", bad + ":2:16: speeding.sustained_s: \"1 min\"; want a whole number of seconds, without a unit: 60\n" + bad + ":3:3: speeding.merg_s: unknown; did you mean merge_s?\n"},
		{"--rules " + one, false, one + ":1:21: speeding.merge_s: -1; from 0 to 604800 seconds", ""},
		{"--rules " + filepath.Join(dir, "none.yaml"), false, "no such file", ""},
		{"--rules " + good + " --against " + bad, false, "the rules to compare with: " + bad + ":2:16", ""},
		{"--rules " + good + " --reference " + filepath.Join(dir, "none"), false, "no such file", ""},
		{"--against " + good, true, "--rules", ""},
		{"--rules " + good + " --against " + good + " --reference " + dir, true, "one of the two", ""},
		{"--rules " + good + " more", true, "unknown command", ""},
	} {
		out, err := runCheck(strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.err) || errors.As(err, &usage) != c.usage || out != c.print {
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
	}
	for _, args := range [][]string{{"--rules", good, "--reference", dir}, {"--rules", good, "--against", good}} {
		if out, err := runCheck(args...); err != nil || !strings.Contains(out, "No setting in force differs.") {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
	config := write("lushao.yaml", "reference: {dir: "+dir+"}\n")
	if out, err := runCheck("--config", config, "--rules", good); err != nil || !strings.Contains(out, "compared with "+filepath.Join(dir, "rules.yaml")) || !strings.Contains(out, "No setting in force differs.") {
		t.Errorf("%v\n%s", err, out)
	}
}
