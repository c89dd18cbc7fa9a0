package detect_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"lushao/detect"
	"lushao/ingest"
)

// otherRules are settings that make a difference in many scenarios.
var otherRules = []string{
	`speeding: {sustained_s: 10, merge_s: 0, class_cap_kmh: {truck: 60, heavy_truck: 60}}`,
	`{speeding: {sustained_s: 10, merge_s: 0, spike_kmh: 5}, section_speeding: {off_line_m: 1000}}`,
	`movement: {moving_kmh: 12, stop_radius_m: 50, run_gap_s: 60}`,
	`{fatigue_continuous: {limit_s: 7200}, fatigue_night: {limit_s: 3600}}`,
	`fatigue_severe: {limit_s: 10800, repeated_s: 3600}`,
	`gate: {max_speed_kmh: 100, jump_speed_kmh: 90, jumps_to_accept: 2, future_s: 10}`,
	`{fence_entry: {fixes: 1, leave_m: 0}, fence_stop: {stop_s: 60}, fence_crossing: {least_m: 1}}`,
	`{tampering: {sustained_s: 10}, terminal_alarm: {merge_s: 0}, driver_behavior: {last_s: 5}, collision_risk: {merge_s: 0}}`,
	`{gone_dark: {silent_s: 120, min_speed_kmh: 5}, offline_displacement: {silent_s: 600, least_m: 1000}, unmonitored_running: {silent_s: 60}}`,
	`{frozen_position: {sustained_s: 60}, position_conflict: {least_m: 100, speed_kmh: 30}}`,
	`{overload: {dynamic_tolerance_pct: 0, truck_kg: {2: 10000}}, oversize: {tolerance_mm: 0}, hundred_tonne: {limit_kg: 30000}}`,
	`{night: {from: "18:00", to: "08:00"}, night_driving: {speed_kmh: 5, sustained_s: 60}}`,
	`{no_waybill: {moving_s: 60}, route_deviation: {sustained_s: 0}, fence_exit: {fixes: 1, sustained_s: 0}}`,
	`driving: {gap_s: 120, card_window_s: 10}`,
	`{speeding: {enabled: false}, fatigue_daily: {enabled: false}, tampering: {enabled: false}, fence_entry: {enabled: false}, gone_dark: {enabled: false}}`,
	`{fence_stop: {enabled: false}, fatigue_continuous: {enabled: false}, terminal_alarm: {enabled: false}, no_waybill: {enabled: false}, night_driving: {enabled: false}}`,
}

// overlaid returns the settings of a with those of b over them.
func overlaid(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range b {
		was, _ := out[k].(map[string]any)
		if is, ok := v.(map[string]any); ok {
			v = overlaid(was, is)
		}
		out[k] = v
	}
	return out
}

func mapOf(t *testing.T, text string) (out map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// withRules is the scenario's snapshot with other rules.
func (s *scenario) withRules(t *testing.T, rules map[string]any) (*detect.Snapshot, *detect.Settings) {
	t.Helper()
	b, err := yaml.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	set, err := detect.ParseSettings(b)
	if err != nil {
		t.Fatalf("%s\n%s", err, b)
	}
	o := *s
	o.Reference = maps.Clone(s.Reference)
	if o.Reference == nil {
		o.Reference = map[string]string{}
	}
	o.Reference["rules.yaml"] = string(b)
	return o.snapshot(t), set
}

// What tells a record from that of the same violation under the same numbers, given otherwise.
func unnamed(vs []detect.Violation) []detect.Violation {
	out := slices.Clone(vs)
	for i := range out {
		out[i].ID, out[i].Shadow, out[i].RuleVersion = "", "", ""
	}
	return out
}

// sorted is the order of the records without their ids, which differ.
func sorted(t *testing.T, vs []detect.Violation) string {
	lines := strings.Split(string(asJSON(t, unnamed(vs))), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func eachScenario(t *testing.T, f func(t *testing.T, n int, s *scenario, rules map[string]any)) {
	files, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for n, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			s := readScenario(t, file)
			rules := mapOf(t, s.Reference["rules.yaml"])
			delete(rules, "shadow")
			f(t, n, s, rules)
		})
	}
}

// rounds is how many sets of rules are tried on a scenario: one where it is long.
func rounds(t *testing.T, s *scenario) int {
	t.Helper()
	if len(s.events(t)) > 300 {
		return 1
	}
	return 2
}

// A shadow finds exactly what its settings would find alone, of the kinds that they can affect; the other kinds they do not affect;
// and what is in force finds the same as without it.
func TestShadowsAgainstRulesInForce(t *testing.T) {
	eachScenario(t, func(t *testing.T, n int, s *scenario, rules map[string]any) {
		for k := range rounds(t, s) {
			other := mapOf(t, otherRules[(n+5*k)%len(otherRules)])
			with, set := s.withRules(t, overlaid(rules, map[string]any{"shadow": map[string]any{"try": other}}))
			without, _ := s.withRules(t, rules)
			alone, _ := s.withRules(t, overlaid(rules, other))
			replay := func(snap *detect.Snapshot) []detect.Violation {
				out, _ := detect.Replay(snap, s.events(t), s.AtEnd != "leave")
				return out
			}
			var inForce, tried []detect.Violation
			for _, v := range replay(with) {
				if v.Shadow == "" {
					inForce = append(inForce, v)
				} else {
					tried = append(tried, v)
				}
			}
			before := replay(without)
			if a, b := asJSON(t, before), asJSON(t, inForce); !bytes.Equal(a, b) {
				t.Fatalf("with the shadow %v:\n%s\nwithout:\n%s", other, b, a)
			}
			kinds := set.Shadows[0].Kinds(set)
			affected := func(v detect.Violation) bool { return slices.Contains(kinds, v.Kind) }
			would := replay(alone)
			if a, b := sorted(t, slices.DeleteFunc(slices.Clone(would), func(v detect.Violation) bool { return !affected(v) })), sorted(t, tried); a != b {
				t.Fatalf("the shadow %v found\n%s\nin force it would find\n%s", other, b, a)
			}
			if a, b := sorted(t, slices.DeleteFunc(before, affected)), sorted(t, slices.DeleteFunc(would, affected)); a != b {
				t.Fatalf("%v affects more than %v:\n%s\nwithout\n%s", other, kinds, b, a)
			}
			// Also with a checkpoint after every event.
			if k == 0 && rounds(t, s) > 1 {
				restarted, _ := viaCheckpoints(t, with, s.events(t), s.AtEnd != "leave")
				if a, b := asJSON(t, replay(with)), asJSON(t, restarted); !bytes.Equal(a, b) {
					t.Fatalf("shadow %v with a checkpoint after every event:\n%s\nwithout:\n%s", other, b, a)
				}
			}
		}
	})
}

// Numbers that every class has of its own are the same as numbers for all.
func TestSettingsOfEveryClass(t *testing.T) {
	eachScenario(t, func(t *testing.T, n int, s *scenario, rules map[string]any) {
		for k := range rounds(t, s) {
			other := mapOf(t, otherRules[(n+7*k)%len(otherRules)])
			if c, ok := other["speeding"].(map[string]any); ok {
				delete(c, "class_cap_kmh") // is by class as it is
			}
			classes := map[string]any{}
			for _, c := range []string{"other", "coach_line", "coach_charter", "coach_tour", "hazmat", "heavy_truck", "truck", "dump_truck", "school_bus"} {
				classes[c] = other
			}
			delete(rules, "classes")
			forAll, _ := s.withRules(t, overlaid(rules, other))
			byClass, _ := s.withRules(t, overlaid(rules, map[string]any{"classes": classes}))
			a, _ := detect.Replay(forAll, s.events(t), s.AtEnd != "leave")
			b, _ := detect.Replay(byClass, s.events(t), s.AtEnd != "leave")
			if a, b := asJSON(t, versionless(a)), asJSON(t, versionless(b)); !bytes.Equal(a, b) {
				t.Fatalf("%v by class:\n%s\nfor all:\n%s", other, b, a)
			}
		}
	})
}

func versionless(vs []detect.Violation) []detect.Violation {
	for i := range vs {
		vs[i].RuleVersion = ""
	}
	return vs
}

// underRules compiles data with rules.
func underRules(t *testing.T, data *detect.ReferenceData, generation uint32, rules string) *detect.Snapshot {
	t.Helper()
	set, err := detect.ParseSettings([]byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := detect.Compile(data, *set, "", generation, 1)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

const twoShadows = `
shadow:
  a: {speeding: {sustained_s: 10}}
  b: {speeding: {sustained_s: 20}}
`

// speeders are vehicles at 100 km/h every 10 s, from second from to second to.
func speeders(vs []ingest.Vehicle, from, to int) (out []ingest.Event) {
	for s := from; s <= to; s += 10 {
		for _, v := range vs {
			out = append(out, position(v, int64(s), 35.5, 112.8+float64(s)*0.0003, 100))
		}
	}
	return out
}

// told says of records who found what in which state.
func told(vs []detect.Violation) string {
	var out []string
	for _, v := range vs {
		s := fmt.Sprintf("%s:%s:%s", v.Shadow, v.Kind, v.State)
		if len(v.Notes) > 0 {
			s += ":" + strings.Join(v.Notes, "+")
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// Shadows come, change and go with the rules: a new one begins without state, one that changes goes on under its new numbers, what is
// open in one that is gone closes; and the same over a checkpoint.
func TestShadowsChange(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	data := &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}}
	rules := twoShadows
	open := func() *detect.Engine {
		e := detect.New(underRules(t, data, 1, rules))
		if got := told(e.Process(speeders([]ingest.Vehicle{v}, 0, 20), 1)); got != "a:speeding:open b:speeding:open" {
			t.Fatalf("%s", got)
		}
		return e
	}
	for _, c := range []struct{ name, rules, at, later string }{
		{"the same", rules, "", ":speeding:open"},
		{"one is gone", "shadow: {b: {speeding: {sustained_s: 20}}}", "a:speeding:closed:switched_off", ":speeding:open"},
		{"all are gone", "", "a:speeding:closed:switched_off b:speeding:closed:switched_off", ":speeding:open"},
		{"one is new", rules + "  c: {speeding: {sustained_s: 5}}\n", "", ":speeding:open c:speeding:open"},
		{"another name", "shadow: {z: {speeding: {sustained_s: 10}}}", "a:speeding:closed:switched_off b:speeding:closed:switched_off", ":speeding:open z:speeding:open"},
		{"other numbers", "shadow: {a: {speeding: {sustained_s: 500}}, b: {speeding: {sustained_s: 20}}}", "", ":speeding:open"},
		{"other kinds", "shadow: {a: {fence_stop: {stop_s: 1}}, b: {speeding: {sustained_s: 20}}}", "a:speeding:closed:switched_off", ":speeding:open"},
		{"switched off in one", "shadow: {a: {speeding: {enabled: false}}, b: {speeding: {sustained_s: 20}}}", "a:speeding:closed:switched_off", ":speeding:open"},
		{"switched off for all", "speeding: {enabled: false}\n" + rules, "a:speeding:closed:switched_off b:speeding:closed:switched_off", ""},
		{"adopted", "speeding: {sustained_s: 20}\n" + rules, "b:speeding:closed:switched_off", ":speeding:open"},
	} {
		next := underRules(t, data, 2, c.rules)
		run := func(how string, e *detect.Engine) {
			t.Helper()
			if got := told(e.Process(nil, 7)); got != c.at {
				t.Errorf("%s, %s: %s, want %s", c.name, how, got, c.at)
			}
			if got := told(e.Process(speeders([]ingest.Vehicle{v}, 30, 40), 8)); got != c.later {
				t.Errorf("%s, %s: later %s, want %s", c.name, how, got, c.later)
			}
		}
		e := open()
		e.Use(next)
		run("used", e)
		e = open()
		state, _ := e.AppendState(nil, 0, 1<<30)
		again := detect.New(next)
		if err := again.LoadState(state); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		run("loaded", again)
		none, _ := detect.New(e.Snapshot()).AppendState(nil, 0, 1<<30)
		for n := range state { // no prefix but the empty list of vehicles
			if err := detect.New(next).LoadState(state[:n]); err == nil && n != len(none) {
				t.Errorf("%s: %d of %d bytes are taken", c.name, n, len(state))
			}
		}
	}
}

// What is open when rules.yaml changes goes on under the new numbers, by class too.
func TestOpenUnderNewNumbers(t *testing.T) {
	a, b := vehicleOf(t, "晋E00001"), vehicleOf(t, "晋E00002")
	data := &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: a, Class: detect.ClassHazmat}, {Vehicle: b, Class: detect.ClassTruck}}}
	e := detect.New(underRules(t, data, 1, "speeding: {class_cap_kmh: {truck: 80}}"))
	both := []ingest.Vehicle{a, b}
	if got := told(e.Process(speeders(both, 0, 30), 1)); got != ":speeding:open :speeding:open" {
		t.Fatal(got)
	}
	first := e.Snapshot().RuleVersion
	e.Use(underRules(t, data, 2, "speeding: {class_cap_kmh: {truck: 80}}\nclasses: {truck: {speeding: {enabled: false}}}"))
	out := e.Process(nil, 9)
	if told(out) != ":speeding:closed:switched_off" || out[0].Plate != b.Plate() || out[0].RuleVersion == first {
		t.Errorf("%s", dump(out))
	}
	out = e.Process(append(speeders(both, 40, 50), position(a, 60, 35.5, 112.818, 20)), 10)
	if told(out) != ":speeding:closed" || out[0].Plate != a.Plate() || out[0].DurationS != 60 {
		t.Errorf("%s", dump(out))
	}
}

// The rules change while everything of all scenarios is open: every kind that is switched off closes, and nothing of it stays.
func TestEveryKindCloses(t *testing.T) {
	var off strings.Builder
	for _, k := range detect.Kinds() {
		fmt.Fprintf(&off, "%s: {enabled: false}\n", k)
	}
	closed := make(chan detect.Kind, 10_000)
	t.Run("scenarios", func(t *testing.T) {
		eachScenario(t, func(t *testing.T, _ int, s *scenario, rules map[string]any) {
			snap, _ := s.withRules(t, rules)
			silent, _ := s.withRules(t, mapOf(t, off.String()))
			events := s.events(t)
			detect.InOrder(events)
			// After which event each kind is open for the first time; and after the last event.
			at := map[detect.Kind]int{"": len(events) - 1}
			e := detect.New(snap)
			e.Foresee(events)
			for n := range events {
				for _, v := range e.Process(events[n:n+1], 1) {
					if _, ok := at[v.Kind]; !ok && v.State == detect.StateOpen {
						at[v.Kind] = n
					}
				}
			}
			for _, n := range slices.Sorted(maps.Values(at)) {
				e := detect.New(snap)
				e.Foresee(events)
				state := map[string]detect.State{}
				keep := func(vs []detect.Violation, last bool) {
					for _, v := range vs {
						if last && state[v.ID] == detect.StateOpen && v.State == detect.StateClosed {
							closed <- v.Kind
						}
						if last && state[v.ID] == "" {
							t.Errorf("after event %d the rules are off, and %s is found", n, v.Kind)
						}
						state[v.ID] = v.State
					}
				}
				keep(e.Process(events[:n+1], 1), false)
				e.Use(detect.WithGeneration(silent, 2))
				keep(e.Process(nil, 5), true)
				for id, st := range state {
					if st == detect.StateOpen {
						t.Errorf("after event %d: %s is still open", n, id)
					}
				}
				keep(e.Finish(9, true), true)
			}
		})
	})
	close(closed)
	seen := map[detect.Kind]bool{}
	for k := range closed {
		seen[k] = true
	}
	for _, k := range []detect.Kind{detect.KindSpeeding, detect.KindFenceEntry, detect.KindFenceStay, detect.KindUnfiledEntry, detect.KindFenceExit, detect.KindRouteDeviation,
		detect.KindFenceStop, detect.KindNoWaybill, detect.KindGoneDark, detect.KindFrozenPosition, detect.KindTampering, detect.KindOvercrowding, detect.KindTerminalAlarm,
		detect.KindDriverBehavior, detect.KindCollisionRisk, detect.KindFatigueContinuous, detect.KindFatigueNight, detect.KindFatigueDaily, detect.KindFatigueWeekly,
		detect.KindFatigueSevere, detect.KindNightDriving} {
		if !seen[k] {
			t.Errorf("no %s was open when its kind was switched off", k)
		}
	}
}

// With shadows and settings by class, too, nothing is allocated for an event that finds nothing.
func TestShadowsAllocateNothing(t *testing.T) {
	v, w := vehicleOf(t, "晋E00001"), vehicleOf(t, "晋E00002")
	data := &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}, {Vehicle: w, Class: detect.ClassTruck}}}
	e := detect.New(underRules(t, data, 1, twoShadows+"classes: {hazmat: {fence_stop: {stop_s: 100}}}\n"))
	events, s := make([]ingest.Event, 2), 0
	if n := testing.AllocsPerRun(2000, func() {
		s += 10
		events[0], events[1] = position(v, int64(s), 35.5, 112.8+float64(s)*0.0001, 40), position(w, int64(s), 35.5, 112.8+float64(s)*0.0001, 40)
		e.Process(events, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
