package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Replay judges by weighings without a plate, in as many copies as `lushao tail` prints; it names stations that are at fault on stderr,
// and prints nothing of warnings.
func TestReplayOfStations(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	register := "plate,color,class\n晋E00001,2,heavy_truck\n晋E00002,2,heavy_truck\n"
	write("vehicles.csv", register)
	write("stations.csv", "id,name,lat,lon\nS001,北石店,35.5,112.8\nS002,巴公,35.6,112.8\nS003,凤台,36.5,112.8\n")
	fence := `{"type":"Feature","properties":{"id":%q,"kind":%q,"station":%q,"radius_m":500},"geometry":{"type":"Point","coordinates":[%v,35.5]}}`
	write("fences.geojson", `{"type":"FeatureCollection","features":[`+fmt.Sprintf(fence, "A1", "approach", "S001", 112.80)+","+fmt.Sprintf(fence, "B1", "bypass", "S001", 112.83)+","+
		fmt.Sprintf(fence, "A2", "approach", "S002", 112.90)+","+fmt.Sprintf(fence, "B2", "bypass", "S002", 112.93)+"]}")

	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	position := func(plate string, minute int, lat, lon float64) {
		at := fmt.Sprintf("2026-05-01T%02d:%02d:0", 8+minute/60, minute%60)
		add(`{"type":"position","plate":%q,"color":2,"time":"%s0+08:00","received":"%s1+08:00","lat":%v,"lon":%v,"speed_kmh":40}`, plate, at, at, lat, lon)
	}
	for plate, west := range map[string]float64{"晋E00001": 112.80, "晋E00002": 112.90} {
		for i, lon := range []float64{west, west + 0.003, west + 0.03, west + 0.033, west + 0.045} {
			position(plate, i*4, 35.5, lon)
		}
	}
	for range 3 {
		add(`{"type":"weighing","plate":"","color":0,"time":"2026-05-01T08:20:00+08:00","station":"S001","record":"U1","gross_kg":20000}`)
	}
	for i := range 4 { // where none of them can have been
		plate := fmt.Sprint("晋F0000", i)
		position(plate, 30, 35.5, 112.8)
		add(`{"type":"weighing","plate":%q,"color":2,"time":"2026-05-01T08:31:00+08:00","station":"S003","record":"R%d","gross_kg":20000}`, plate, i)
	}
	for minute := 60; minute <= 60+215; minute++ { // long enough to be warned
		position("晋E00002", minute, 35.5, 112.95+float64(minute-60)*0.007)
	}
	events := write("events.ndjson", strings.Join(lines, "\n")+"\n")
	write("rules.yaml", "fatigue_continuous: {classes: [heavy_truck]}\n")

	var out, told bytes.Buffer
	if err := replay(nil, &out, &told, replayOptions{dir: dir, close: true}, []string{events}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), `"kind":"weigh_evasion"`); n != 1 || !strings.Contains(out.String(), `"fence":"B2"`) || strings.Contains(out.String(), "position_conflict") ||
		strings.Contains(out.String(), "fatigue") || strings.Contains(out.String(), "ahead") {
		t.Errorf("found\n%s", &out)
	}
	want := "weigh station S003 contradicts the positions of more than 3 vehicles within 1h0m0s (4 weighings), which is held against none of them: check its clock, and its place in stations.csv\n"
	if told.String() != want {
		t.Errorf("on stderr %q, want %q", &told, want)
	}
}
