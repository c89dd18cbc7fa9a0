package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lushao/detect"
)

// replay --explain says of each violation why, also of one that was retracted, and gives the same bytes again.
func TestReplayExplain(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("vehicles.csv", "plate,color,class\n晋E12345,2,hazmat\n晋E00001,2,heavy_truck\n")
	write("stations.csv", "id,name,lat,lon\nS001,北石店,35.5,112.8\n")
	// The second is in conflict with the station by the fix before the weighing, and a fix at the weighing's own time agrees with it.
	events := write("events.ndjson", `{"type":"position","plate":"晋E12345","color":2,"time":"2026-05-01T08:00:00+08:00","lat":35.5,"lon":112.8,"speed_kmh":90}
{"type":"position","plate":"晋E12345","color":2,"time":"2026-05-01T08:00:30+08:00","lat":35.5,"lon":112.808,"speed_kmh":90}
{"type":"position","plate":"晋E12345","color":2,"time":"2026-05-01T08:01:00+08:00","lat":35.5,"lon":112.816,"speed_kmh":70}
{"type":"weighing","plate":"晋E00001","color":2,"time":"2026-05-01T09:00:00+08:00","station":"S001","record":"R1","gross_kg":1000}
{"type":"position","plate":"晋E00001","color":2,"time":"2026-05-01T09:00:00+08:00","received":"2026-05-01T09:30:00+08:00","lat":35.5,"lon":112.8,"speed_kmh":0}
{"type":"position","plate":"晋E00001","color":2,"time":"2026-05-01T08:40:00+08:00","lat":36.1,"lon":112.8,"speed_kmh":0}
`)
	run := func(args ...string) (string, error) {
		cmd := newReplay()
		cmd.SetArgs(append([]string{"--reference", dir}, args...))
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		var out bytes.Buffer
		cmd.SetOut(&out)
		err := cmd.Execute()
		return out.String(), err
	}
	plain, err := run(events)
	if err != nil {
		t.Fatal(err)
	}
	got, err := run("--explain", events)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := run("--explain", events); err != nil || again != got {
		t.Errorf("explained again it differs: %v\n%s\n%s", err, got, again)
	}
	retracted, standing := 0, ""
	var id string
	for line := range strings.Lines(got) {
		var e struct {
			Violation   json.RawMessage
			Explanation struct {
				ID      string
				Moments []struct{ What string }
				Rule    []detect.Text
			}
		}
		var v detect.Violation
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(e.Violation, &v); err != nil {
			t.Fatal(err)
		}
		if e.Explanation.ID != v.ID || len(e.Explanation.Rule) == 0 || e.Explanation.Rule[0].Zh == "" || e.Explanation.Rule[0].En == "" {
			t.Errorf("%s", line)
		}
		if v.State == detect.StateRetracted {
			retracted++
			if m := e.Explanation.Moments; m[len(m)-1].What != "retracted" {
				t.Errorf("retracted: %s", line)
			}
			continue
		}
		id = v.ID
		standing += string(e.Violation) + "\n"
	}
	if standing != plain || retracted == 0 {
		t.Errorf("%d retracted; what stands is\n%swant\n%s", retracted, standing, plain)
	}
	one, err := run("--explain", "--id", id, events)
	if err != nil || strings.Count(one, "\n") != 1 || !strings.Contains(got, one) {
		t.Errorf("%v %s", err, one)
	}
	if _, err := run("--explain", "--id", "0123", events); err == nil || !strings.Contains(err.Error(), "0123") {
		t.Errorf("an unknown id: %v", err)
	}
	if _, err := run("--id", id, events); err == nil || !strings.Contains(err.Error(), "--explain") {
		t.Errorf("--id without --explain: %v", err)
	}
}
