package detect_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/geo"
	"lushao/ingest"
	"lushao/ingest/eventfile"
)

// A scenario is a file of testdata/scenarios that a person who knows the rules can read: what is known beforehand, what
// vehicles report, and which violations that makes. testdata/scenarios/README.md says how to write one.
type scenario struct {
	Title     string            `yaml:"title"`
	Why       string            `yaml:"why"`
	Date      string            `yaml:"date"`      // of the times of day; 2026-05-01 if absent
	Reference map[string]string `yaml:"reference"` // files of the reference directory
	Changes   []change          `yaml:"changes"`   // of the reference directory, while vehicles are on the road
	Tracks    map[string]string `yaml:"tracks"`    // by plate/colour
	Events    string            `yaml:"events"`    // NDJSON, after the tracks
	AtEnd     string            `yaml:"at_end"`    // close (default) or leave
	Kinds     []detect.Kind     `yaml:"kinds"`     // which it is about; others are not compared. All if absent
	Expect    []map[string]any  `yaml:"expect"`    // exactly these, by start; of each the fields that are named
	Visits    []map[string]any  `yaml:"visits"`    // where it stands: exactly these visits, by entry
}

// change is other reference data that come into force at a time, before the events of that time: the files that are named.
type change struct {
	At        string            `yaml:"at"`
	Reference map[string]string `yaml:"reference"`
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			s := readScenario(t, file)
			snap := s.snapshot(t)
			events := s.events(t)
			if len(s.Changes) > 0 {
				s.checkChanging(t, snap, events)
				return
			}
			got, _ := detect.Replay(snap, slices.Clone(events), s.AtEnd != "leave")
			about := slices.DeleteFunc(slices.Clone(got), func(v detect.Violation) bool { return s.Kinds != nil && !slices.Contains(s.Kinds, v.Kind) })
			s.check(t, "violation", records(t, about), s.Expect)

			// The same bytes again.
			again, _ := detect.Replay(snap, slices.Clone(events), s.AtEnd != "leave")
			if a, b := asJSON(t, got), asJSON(t, again); !bytes.Equal(a, b) {
				t.Errorf("a second replay differs:\n%s\n%s", a, b)
			}
			// The same when the engine is written to a checkpoint and read back after every single event.
			restarted, visits := viaCheckpoints(t, snap, slices.Clone(events), s.AtEnd != "leave")
			if a, b := asJSON(t, got), asJSON(t, restarted); !bytes.Equal(a, b) {
				t.Errorf("with a checkpoint after every event:\n%s\nwithout:\n%s", b, a)
			}
			if s.Visits != nil {
				s.check(t, "visit", records(t, visits), s.Visits)
			}
		})
	}
}

// checkChanging runs a scenario in which reference data change, in order of time, as an engine that is given other data while it runs:
// also one that is written to a checkpoint before every event and read back, with the data of then.
func (s *scenario) checkChanging(t *testing.T, first *detect.Snapshot, events []ingest.Event) {
	t.Helper()
	detect.InOrder(events)
	var before []byte
	for _, restarted := range []bool{false, true} {
		snap, changes := first, s.Changes
		e := detect.NewFrozen(snap)
		e.Foresee(events)
		final := map[string]detect.Violation{}
		keep := func(vs []detect.Violation) {
			for _, v := range vs {
				v.Version = 1
				final[v.ID] = v
			}
		}
		for i := range events {
			for len(changes) > 0 && events[i].Time >= s.clock(t, changes[0].At) {
				after := *s
				after.Reference = maps.Clone(s.Reference)
				for done := range len(s.Changes) - len(changes) + 1 {
					maps.Copy(after.Reference, s.Changes[done].Reference)
				}
				snap = detect.WithGeneration(after.snapshot(t), uint32(2+len(s.Changes)-len(changes)))
				e.Use(snap)
				changes = changes[1:]
			}
			if restarted {
				keep(e.Process(nil, 1)) // what the change has closed
				state, _ := e.AppendState(nil, 0, math.MaxInt)
				e = detect.NewFrozen(snap)
				if err := e.LoadState(state); err != nil {
					t.Fatal(err)
				}
			}
			keep(e.Process(events[i:i+1], 1))
		}
		if len(changes) > 0 {
			t.Fatalf("the change at %s comes after all events", changes[0].At)
		}
		keep(e.FinishAt(1, s.AtEnd != "leave", events))
		got := slices.DeleteFunc(slices.Collect(maps.Values(final)), func(v detect.Violation) bool {
			return v.State == detect.StateRetracted || s.Kinds != nil && !slices.Contains(s.Kinds, v.Kind)
		})
		slices.SortFunc(got, detect.InList)
		s.check(t, "violation", records(t, got), s.Expect)
		text := asJSON(t, got)
		if restarted && !bytes.Equal(text, before) {
			t.Errorf("with a checkpoint before every event:\n%s\nwithout:\n%s", text, before)
		}
		before = text
	}
}

func readScenario(t *testing.T, file string) *scenario {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{Date: "2026-05-01"}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scenario) snapshot(t *testing.T) *detect.Snapshot {
	t.Helper()
	dir := t.TempDir()
	for name, text := range s.Reference {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, info, err := reference.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := detect.ParseSettings([]byte(s.Reference["rules.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := detect.Compile(data, *settings, info.Digest, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func (s *scenario) events(t *testing.T) []ingest.Event {
	t.Helper()
	var out []ingest.Event
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range s.Tracks {
			if !yield(k) {
				return
			}
		}
	}) {
		plate, color, _ := strings.Cut(name, "/")
		n, err := strconv.Atoi(color)
		if err != nil {
			t.Fatalf("track %q: want plate/colour", name)
		}
		v, err := ingest.NewVehicle(plate, ingest.Color(n))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s.track(t, v, s.Tracks[name])...)
	}
	r := eventfile.NewReader(strings.NewReader(s.Events), "events")
	for strings.TrimSpace(s.Events) != "" {
		var e ingest.Event
		if err := r.Read(&e); err != nil {
			if err.Error() == "EOF" {
				break
			}
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// track reads lines of "time speed place [word…]": see the README beside the scenarios.
func (s *scenario) track(t *testing.T, v ingest.Vehicle, text string) []ingest.Event {
	t.Helper()
	var out []ingest.Event
	lat, lon, last := 35.5, 112.8, int64(0)
	lastSpeed := 0.0
	course := 90.0
	add := func(ms int64, speed float64, moved bool, words []string) {
		if moved && last != 0 {
			mean := (lastSpeed + max(speed, 0)) / 2 / 3.6
			metres := mean * float64(ms-last) / 1000
			lat, lon = shift(lat, lon, metres, course)
		}
		e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceFile, Vehicle: v, Time: ms, Received: ms}
		e.Position.Reset()
		e.Position.Lat, e.Position.Lon = int32(math.Round(lat*1e6)), int32(math.Round(lon*1e6))
		e.Position.Located, e.Position.ACC, e.Position.Status = true, true, 3
		if speed >= 0 {
			e.Position.Speed = uint16(math.Round(speed * 10))
		}
		for _, w := range words {
			switch k, val, _ := strings.Cut(w, "="); k {
			case "unlocated":
				e.Position.Located, e.Position.Status = false, 1
			case "received":
				e.Received = s.clock(t, val)
			case "alarm":
				e.Position.Alarm = bitsOf(t, val)
			case "video":
				e.Position.VideoAlarm = bitsOf(t, val)
			case "recorder": // km/h
				e.Position.RecorderSpeed = uint16(math.Round(number(t, val) * 10))
			case "acc":
				e.Position.ACC = val == "on"
			case "mileage": // km
				e.Position.Mileage = uint32(math.Round(number(t, val) * 10))
			case "load":
				e.Position.Status |= uint32(number(t, val)) << 8
			default:
				t.Fatalf("track of %s: unknown word %q", v, w)
			}
		}
		out = append(out, e)
		last, lastSpeed = ms, max(speed, 0)
	}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "heading":
			course = number(t, f[1])
		case f[0] == "at": // at LAT LON: go on from there
			lat, lon = number(t, f[1]), number(t, f[2])
		case f[0] == "move": // move METRES: along the heading
			lat, lon = shift(lat, lon, number(t, f[1]), course)
		case f[0] == "until": // until TIME every SECONDS at SPEED
			if len(f) != 6 || f[2] != "every" || f[4] != "at" {
				t.Fatalf("track of %s line %d: want until TIME every SECONDS at SPEED: %s", v, i+1, line)
			}
			end, step := s.clock(t, f[1]), int64(number(t, f[3]))*1000
			for ms := last + step; ms <= end; ms += step {
				add(ms, number(t, f[5]), true, nil)
			}
		case len(f) >= 3 && slices.Contains([]string{"adas", "bsd", "dsm"}, f[1]):
			out = append(out, s.safety(t, v, f))
		case len(f) >= 3 && f[2] == ">":
			add(s.clock(t, f[0]), speedOf(t, f[1]), true, f[3:])
		case len(f) >= 3 && f[2] == "=":
			add(s.clock(t, f[0]), speedOf(t, f[1]), false, f[3:])
		case len(f) >= 4:
			lat, lon = number(t, f[2]), number(t, f[3])
			add(s.clock(t, f[0]), speedOf(t, f[1]), false, f[4:])
		default:
			t.Fatalf("track of %s line %d: %q", v, i+1, line)
		}
	}
	return out
}

func shift(lat, lon, metres, course float64) (float64, float64) {
	rad := course * math.Pi / 180
	perLat := geo.Distance(geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)}, geo.Point{Lat: int32(lat*1e6) + 10000, Lon: int32(lon * 1e6)}) * 100
	perLon := geo.Distance(geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)}, geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon*1e6) + 10000}) * 100
	return lat + metres*math.Cos(rad)/perLat, lon + metres*math.Sin(rad)/perLon
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func speedOf(t *testing.T, s string) float64 {
	if s == "-" { // not reported
		return -1
	}
	return number(t, s)
}

// clock reads hh:mm:ss of the scenario's day, or +1 hh:mm:ss of the next.
func (s *scenario) clock(t *testing.T, text string) int64 {
	t.Helper()
	day, text, next := 0, text, false
	if d, rest, ok := strings.Cut(text, "+"); ok && d == "" {
		text, next = rest, true
	}
	if next {
		day = 1
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", s.Date+" "+text, detect.Beijing)
	if err != nil {
		t.Fatal(err)
	}
	return at.AddDate(0, 0, day).UnixMilli()
}

// records returns violations or visits as the objects that they are outside.
func records[T any](t *testing.T, list []T) []map[string]any {
	t.Helper()
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *scenario) check(t *testing.T, what string, got, expect []map[string]any) {
	t.Helper()
	for i, m := range got {
		if i >= len(expect) {
			b, _ := json.Marshal(m)
			t.Errorf("%s found and not expected: %s", what, b)
			continue
		}
		m["vehicle"] = fmt.Sprintf("%v/%v", m["plate"], m["color"])
		for k, want := range expect[i] {
			have, ok := m[k]
			if !ok && k == "shadow" { // absent in what is in force
				ok = true
			}
			if !ok {
				t.Errorf("%s %d: expects a field %q that none has", what, i+1, k)
				continue
			}
			if w, isText := want.(string); isText && slices.Contains([]string{"start", "end", "entered", "left"}, k) {
				want = detect.Time(s.clock(t, w)).Std().Format(time.RFC3339)
			}
			if n, isInt := want.(int); isInt {
				want = float64(n)
			}
			if want, isMap := want.(map[string]any); isMap { // of an object the fields that are named
				have, _ := have.(map[string]any)
				for sub, w := range want {
					if n, isInt := w.(int); isInt {
						w = float64(n)
					}
					if inner, isMap := w.(map[string]any); isMap {
						w = records(t, []map[string]any{inner})[0] // numbers as in JSON
					}
					if !reflect.DeepEqual(have[sub], w) {
						t.Errorf("%s %d (%v at %v): %s.%s is %v, want %v", what, i+1, m["kind"], m["start"], k, sub, have[sub], w)
					}
				}
				continue
			}
			if !reflect.DeepEqual(have, want) {
				t.Errorf("%s %d (%v at %v): %s is %v, want %v", what, i+1, m["kind"], m["start"], k, have, want)
			}
		}
	}
	for _, e := range expect[min(len(got), len(expect)):] {
		t.Errorf("%s expected and not found: %v", what, e)
	}
}

func asJSON(t *testing.T, vs []detect.Violation) []byte {
	t.Helper()
	var out []byte
	for i := range vs {
		b, err := json.Marshal(vs[i])
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, b...), '\n')
	}
	return out
}

// viaCheckpoints does what Replay does with a fresh engine after every event. It returns the visits too, in their final state.
func viaCheckpoints(t *testing.T, snap *detect.Snapshot, events []ingest.Event, close bool) ([]detect.Violation, []detect.Visit) {
	t.Helper()
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Vehicle.Compare(&b.Vehicle), cmp.Compare(a.Received, b.Received))
	})
	e := detect.NewFrozen(snap)
	e.Foresee(events)
	latest := map[string]detect.Violation{}
	visits := map[string]detect.Visit{}
	keep := func(vs []detect.Violation) {
		for _, v := range vs {
			v.Version = 1
			latest[v.ID] = v
		}
		for _, v := range e.Visits() {
			visits[v.ID] = v
		}
	}
	for i := range events {
		keep(e.Process(events[i:i+1], 1))
		if !e.SharedIsEmpty() {
			t.Fatalf("event %d: what vehicles share holds something of one", i)
		}
		var chunks [][]byte
		for from, first := 0, true; first || from < e.Vehicles(); first = false {
			var b []byte
			b, from = e.AppendState(nil, from, 1) // a vehicle a chunk
			chunks = append(chunks, b)
		}
		e = detect.NewFrozen(snap)
		for _, b := range chunks {
			if err := e.LoadState(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	keep(e.FinishAt(1, close, events))
	latestOnly := slices.DeleteFunc(slices.Collect(maps.Values(latest)), func(v detect.Violation) bool { return v.State == detect.StateRetracted })
	slices.SortFunc(latestOnly, detect.InList)
	stays := slices.Collect(maps.Values(visits))
	slices.SortFunc(stays, func(a, b detect.Visit) int {
		return cmp.Or(cmp.Compare(a.Entered, b.Entered), strings.Compare(a.ID, b.ID))
	})
	return latestOnly, stays
}
