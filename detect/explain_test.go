package detect_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every violation of every scenario can be explained, and what is explained is what was found.
func TestExplainScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	kinds := make(chan detect.Kind, 100_000)
	t.Run("all", func(t *testing.T) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
				t.Parallel()
				s := readScenario(t, file)
				snap := s.snapshot(t)
				events := s.events(t)
				want, _ := detect.Replay(snap, slices.Clone(events), s.AtEnd != "leave")
				found := detect.Explain(snap, slices.Clone(events), detect.ExplainOptions{Close: s.AtEnd != "leave"})
				standing := slices.DeleteFunc(slices.Clone(found.Violations()), func(v detect.Violation) bool { return v.State == detect.StateRetracted })
				if a, b := asJSON(t, want), asJSON(t, standing); !bytes.Equal(a, b) {
					t.Fatalf("watched, the engine finds something else:\n%s\nwant\n%s", b, a)
				}
				for i := range found.Violations() {
					v := &found.Violations()[i]
					kinds <- v.Kind
					checkExplanation(t, v, found.Explanation(v))
				}
			})
		}
	})
	close(kinds)
	seen := map[detect.Kind]bool{}
	for k := range kinds {
		seen[k] = true
	}
	for _, k := range detect.Kinds() {
		if !seen[k] {
			t.Errorf("no scenario has a violation of kind %s to explain", k)
		}
	}
}

func checkExplanation(t *testing.T, v *detect.Violation, x *detect.Explanation) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s at %s: "+format, append([]any{v.Kind, v.Start.Std()}, args...)...)
	}
	if x.ID != v.ID || x.Kind != v.Kind || x.RuleVersion != v.RuleVersion {
		fail("explains %s %s by %s", x.Kind, x.ID, x.RuleVersion)
	}
	if !x.Evidence.Equal {
		fail("evidence: %+v", x.Evidence)
	}
	if x.Evidence.Of == "fixes" && int64(x.Evidence.Fixes) != v.Fixes {
		fail("%d fixes in the evidence, want %d", x.Evidence.Fixes, v.Fixes)
	}
	switch {
	case v.Limit == nil:
		if x.Limit != nil && x.Limit.Value != nil {
			fail("a limit of %v, want none", *x.Limit.Value)
		}
	case x.Limit == nil || x.Limit.Value == nil || *x.Limit.Value != *v.Limit:
		fail("limit %+v, want %v", x.Limit, *v.Limit)
	case v.Kind == detect.KindSpeeding:
		checkApplied(t, v, x)
	}
	if len(x.Basis) != len(v.Basis) || len(x.Notes) != len(v.Notes) || len(x.Rule) == 0 || len(x.Facts) == 0 && len(v.Basis) > 0 {
		fail("%d of basis, %d notes, %d rules, %d facts", len(x.Basis), len(x.Notes), len(x.Rule), len(x.Facts))
	}
	for _, text := range everyText(t, x) {
		if text.Zh == "" || text.En == "" || strings.Contains(text.Zh+text.En, "%!") {
			fail("a text of one language, or a bad one: %q", text)
		}
	}
	checkMoments(t, v, x)
	checkTimeline(t, v, x)
	checkDriving(t, v, x)
}

// checkApplied compares the limits that are told with the record's: the least counts.
func checkApplied(t *testing.T, v *detect.Violation, x *detect.Explanation) {
	t.Helper()
	n := 0
	for _, a := range x.Limit.Applied {
		if a.Value < *v.Limit-0.05 {
			t.Errorf("speeding at %s: a limit of %v applied, and %v counts", v.Start.Std(), a.Value, *v.Limit)
		}
		if !a.Counts {
			continue
		}
		n++
		if math.Abs(a.Value-*v.Limit) > 0.05 || a.Source != *v.LimitSource || v.Fence != nil && a.Fence != *v.Fence || v.Fence == nil && a.Fence != "" {
			t.Errorf("speeding at %s: %+v counts, want %v by %s", v.Start.Std(), a, *v.Limit, *v.LimitSource)
		}
	}
	if n != 1 {
		t.Errorf("speeding at %s: %d limits count", v.Start.Std(), n)
	}
}

func checkMoments(t *testing.T, v *detect.Violation, x *detect.Explanation) {
	t.Helper()
	opened, closed, retracted := 0, 0, 0
	for i, m := range x.Moments {
		if i > 0 && m.Time < x.Moments[i-1].Time {
			t.Errorf("%s at %s: moments out of order: %+v", v.Kind, v.Start.Std(), x.Moments)
		}
		switch m.What {
		case "opened":
			opened++
			if m.Time < v.Start {
				t.Errorf("%s at %s: opened at %s", v.Kind, v.Start.Std(), m.Time.Std())
			}
		case "closed":
			closed++
		case "retracted":
			retracted++
		}
	}
	if opened == 0 || (v.State == detect.StateClosed) != (closed > 0) && v.State != detect.StateRetracted || v.State == detect.StateRetracted && retracted == 0 {
		t.Errorf("%s at %s (%s): moments %+v", v.Kind, v.Start.Std(), v.State, x.Moments)
	}
}

func checkTimeline(t *testing.T, v *detect.Violation, x *detect.Explanation) {
	t.Helper()
	l := x.Timeline
	if len(l.Entries)+l.LeftOut != l.Total || len(l.Entries) > 200 {
		t.Errorf("%s at %s: %d entries and %d left out of %d", v.Kind, v.Start.Std(), len(l.Entries), l.LeftOut, l.Total)
	}
	for i := range l.Entries {
		if i > 0 && l.Entries[i].Time < l.Entries[i-1].Time {
			t.Errorf("%s at %s: the timeline goes back at %s", v.Kind, v.Start.Std(), l.Entries[i].Time.Std())
		}
	}
}

// checkDriving adds up the driving that is shown.
func checkDriving(t *testing.T, v *detect.Violation, x *detect.Explanation) {
	t.Helper()
	if len(x.Driving) == 0 {
		if strings.HasPrefix(string(v.Kind), "fatigue_") {
			t.Errorf("%s at %s: no driving", v.Kind, v.Start.Std())
		}
		return
	}
	var sum int64
	for i, p := range x.Driving {
		sum += p.DrivingS
		if p.What == "rest" && p.To-p.From < 20*60*1000 || p.What == "stop" && p.To-p.From >= 20*60*1000 || i > 0 && p.From != x.Driving[i-1].To {
			t.Errorf("%s at %s: %+v", v.Kind, v.Start.Std(), p)
		}
	}
	want, _ := v.Detail["driving_s"].(int64)
	if math.Abs(float64(sum-want)) > float64(len(x.Driving)) { // each part is rounded to a second
		t.Errorf("%s at %s: the driving that is shown is %d s, the record says %d", v.Kind, v.Start.Std(), sum, want)
	}
}

// everyText returns every text of an explanation.
func everyText(t *testing.T, x *detect.Explanation) (out []detect.Text) {
	t.Helper()
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(n any) {
		switch n := n.(type) {
		case []any:
			for _, e := range n {
				walk(e)
			}
		case map[string]any:
			zh, isZh := n["zh"].(string)
			en, isEn := n["en"].(string)
			if isZh || isEn || len(n) == 0 {
				out = append(out, detect.Text{Zh: zh, En: en})
				return
			}
			for _, e := range n {
				walk(e)
			}
		}
	}
	walk(tree)
	return out
}

// The words for one scenario of each kind, as a person reads them.
func TestExplainGolden(t *testing.T) {
	for kind, name := range map[detect.Kind]string{
		detect.KindSpeeding: "speeding_zone", detect.KindSectionSpeeding: "section_speeding", detect.KindFatigueContinuous: "fatigue_continuous_worked_example_2",
		detect.KindFatigueNight: "fatigue_night_worked_example_3", detect.KindFatigueDaily: "fatigue_daily_over", detect.KindFatigueWeekly: "fatigue_weekly_over",
		detect.KindFatigueSevere: "fatigue_severe_repeated", detect.KindNightDriving: "night_driving_5_min", detect.KindFenceEntry: "fence_entry",
		detect.KindFenceCrossing: "fence_crossing", detect.KindFenceExit: "fence_exit", detect.KindFenceStop: "fence_stop", detect.KindFenceStay: "fence_stay",
		detect.KindRouteDeviation: "route_deviation", detect.KindUnfiledEntry: "unfiled_entry", detect.KindOverload: "overload_worked_example_4",
		detect.KindHundredTonne: "hundred_tonne", detect.KindOversize: "oversize", detect.KindPermitMismatch: "permit_mismatch", detect.KindNoWaybill: "no_waybill",
		detect.KindWeighEvasion: "weigh_evasion", detect.KindGoneDark: "gone_dark", detect.KindOfflineDisplacement: "offline_displacement", detect.KindUnmonitoredRunning: "unmonitored_running",
		detect.KindPositionConflict: "position_conflict", detect.KindFrozenPosition: "frozen_position", detect.KindTampering: "tampering_antenna",
		detect.KindOvercrowding: "overcrowding", detect.KindTerminalAlarm: "terminal_alarm", detect.KindDriverBehavior: "driver_behavior", detect.KindCollisionRisk: "collision_risk",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := readScenario(t, filepath.Join("testdata", "scenarios", name+".yaml"))
			found := detect.Explain(s.snapshot(t), s.events(t), detect.ExplainOptions{Close: s.AtEnd != "leave", Entries: 12})
			i := slices.IndexFunc(found.Violations(), func(v detect.Violation) bool { return v.Kind == kind })
			if i < 0 {
				t.Fatalf("the scenario %s has no %s", name, kind)
			}
			v := &found.Violations()[i]
			got := found.Explanation(v).AppendPage(nil, detect.BothLanguages)
			got = bytes.ReplaceAll(got, []byte(v.RuleVersion), []byte("RULES")) // any new setting changes it
			file := filepath.Join("testdata", "explanations", string(kind)+".txt")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the words of %s differ from %s (go test ./detect -run TestExplainGolden -update writes it anew):\n%s", kind, file, got)
			}
		})
	}
}

// A kind, a note or a citation that is added must be given words.
func TestEverythingHasWords(t *testing.T) {
	for _, k := range detect.Kinds() {
		if !detect.HasWords(k) {
			t.Errorf("kind %s has no words", k)
		}
	}
	for _, b := range detect.Bases() {
		if text := detect.BasisText(b.Code); text.Zh != b.Citation || text.En == b.Code {
			t.Errorf("basis %s: %+v", b.Code, text)
		}
	}
	notes := 0
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "note") {
				return true
			}
			lit, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			code, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			notes++
			if text := detect.NoteText(code); text.Zh == code || text.En == code {
				t.Errorf("note %s (%s in %s) has no words", code, spec.Names[0].Name, file)
			}
			return true
		})
	}
	if notes < 10 {
		t.Errorf("found %d notes only", notes)
	}
}

// A record that the events do not give again is explained by what it says itself and by what the vehicle reported; evidence that was
// tampered with shows.
func TestExplainOfAnotherRecord(t *testing.T) {
	s := readScenario(t, "testdata/scenarios/speeding_zone.yaml")
	snap, events := s.snapshot(t), s.events(t)
	found := detect.Explain(snap, slices.Clone(events), detect.ExplainOptions{Close: true})
	v := found.Violations()[0]
	for i := range events {
		if detect.Time(events[i].Time) == v.Start {
			events[i].Position.Lat++
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var read detect.Violation // as out of an archive: times in whole seconds, details as JSON
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatal(err)
	}
	x := detect.Explain(snap, events, detect.ExplainOptions{Close: true}).Explanation(&read)
	if x.Evidence.Equal || x.Evidence.Recorded != v.EvidenceHash || x.Evidence.Computed == "" {
		t.Errorf("a fix was changed: %+v", x.Evidence)
	}
	for _, k := range detect.Kinds() {
		read.ID, read.Kind = "0123", k
		x = detect.Explain(snap, nil, detect.ExplainOptions{}).Explanation(&read)
		if len(x.Moments) == 0 || x.Timeline.Total != 0 || x.Evidence.Equal || len(x.Rule) == 0 {
			t.Errorf("%s without events: %+v", k, x)
		}
	}
	read.Kind, read.Notes, read.Basis = "a_later_kind", []string{"a_later_note"}, []string{"a-later-law"}
	x = detect.Explain(snap, nil, detect.ExplainOptions{}).Explanation(&read)
	if x.Title.En != "a_later_kind" || x.Notes[0].Text.Zh != "a_later_note" || x.Basis[0].Text.En != "a-later-law" {
		t.Errorf("a record of a later version: %+v", x)
	}
}

// Of a long violation the deciding moments are shown whole.
func TestTimelineIsThinned(t *testing.T) {
	s := readScenario(t, "testdata/scenarios/fatigue_continuous_worked_example_2.yaml")
	found := detect.Explain(s.snapshot(t), s.events(t), detect.ExplainOptions{Close: true, Margin: 6 * 3600_000, Entries: 60})
	v := &found.Violations()[0]
	x := found.Explanation(v)
	if len(x.Timeline.Entries) > 60 || x.Timeline.LeftOut == 0 || len(x.Timeline.Entries)+x.Timeline.LeftOut != x.Timeline.Total {
		t.Fatalf("%d entries, %d left out of %d", len(x.Timeline.Entries), x.Timeline.LeftOut, x.Timeline.Total)
	}
	for _, at := range []detect.Time{v.Start, *v.End} {
		for _, near := range []detect.Time{at - 30_000, at, at + 30_000} {
			if !slices.ContainsFunc(x.Timeline.Entries, func(e detect.TimelineEntry) bool { return e.Time == near }) {
				t.Errorf("%s is left out, %s decides", near.Std(), at.Std())
			}
		}
	}
}

// Nobody who does not watch pays with memory for those who do.
func TestWatchingCostsNothingWhenOff(t *testing.T) {
	s := readScenario(t, "testdata/scenarios/speeding_zone.yaml")
	snap := s.snapshot(t)
	e := detect.New(snap)
	events := make([]ingest.Event, 1)
	all := s.events(t)
	events[0] = all[0]
	at := events[0].Time
	step := func() {
		at += 15_000
		events[0].Time, events[0].Received = at, at
		events[0].Position.Speed = 300
		e.Process(events, 1)
	}
	for range 50 {
		step()
	}
	if n := testing.AllocsPerRun(200, step); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}
