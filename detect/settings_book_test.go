package detect

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// ruleBookDefaults are the numbers as the rule book writes them, by the path of their setting. The settings at the end are what the
// rule book says in words, or leaves open.
var ruleBookDefaults = []struct{ path, value, book string }{
	{"gate.future_s", "300", "time ≤ received + 5 min"},
	{"gate.past_s", "31622400", "no bound: a local addition"},
	{"gate.min_lon", "73.55", "within lon 73.55–135.1"},
	{"gate.max_lon", "135.1", "within lon 73.55–135.1"},
	{"gate.min_lat", "3.85", "lat 3.85–53.56"},
	{"gate.max_lat", "53.56", "lat 3.85–53.56"},
	{"gate.max_speed_kmh", "220", "speed ≤ 220 km/h"},
	{"gate.jump_speed_kmh", "200", "mean speed from the last fix ≤ 200 km/h"},
	{"gate.jumps_to_accept", "3", "three jumps in a row become fixes"},
	{"movement.moving_kmh", "5", "moving: speed ≥ 5 km/h"},
	{"movement.stop_radius_m", "200", "a lone moving fix within 200 m of the place"},
	{"movement.run_gap_s", "300", "none over 5 min from the next; a gap over 5 min"},
	{"night.from", "22:00", "night: [22:00, 06:00)"},
	{"night.to", "06:00", "night: [22:00, 06:00)"},
	{"speeding.sustained_s", "30", "sustained 30 s"},
	{"speeding.merge_s", "60", "merge: 60 s for speeding"},
	{"speeding.spike_kmh", "30", "over 30 km/h above both neighbours'"},
	{"speeding.spike_window_s", "60", "within 60 s"},
	{"speeding.class_cap_kmh.coach_line", "100", "coaches, heavy_truck, truck and dump_truck 100"},
	{"speeding.class_cap_kmh.coach_charter", "100", "coaches, heavy_truck, truck and dump_truck 100"},
	{"speeding.class_cap_kmh.coach_tour", "100", "coaches, heavy_truck, truck and dump_truck 100"},
	{"speeding.class_cap_kmh.heavy_truck", "100", "coaches, heavy_truck, truck and dump_truck 100"},
	{"speeding.class_cap_kmh.truck", "100", "coaches, heavy_truck, truck and dump_truck 100"},
	{"speeding.class_cap_kmh.dump_truck", "100", "coaches, heavy_truck, truck and dump_truck 100"},
	{"speeding.hazmat_cap_kmh.expressway", "80", "hazmat: 80 km/h inside road: expressway"},
	{"speeding.hazmat_cap_kmh.other", "60", "60 inside road: other"},
	{"speeding.hazmat_cap_kmh.unknown", "80", "80 where the road is unknown"},
	{"speeding.coach_night_pct", "80", "coaches at night: 0.8 × the least day limit"},
	{"fence_entry.fixes", "2", "2 consecutive fixes inside; outside for 2 fixes"},
	{"fence_entry.leave_m", "20", "outside by 20 m or more"},
	{"fence_crossing.segment_s", "60", "each at most 60 s"},
	{"fence_crossing.ratio_pct", "10", "0.9 to 1.1 times as long"},
	{"fence_crossing.slack_m", "30", "(± 30 m)"},
	{"fence_crossing.least_m", "50", "with ≥ 50 m inside"},
	{"fence_exit.fixes", "2", "2 fixes and 60 s, 20 m or more; back inside for 2 fixes"},
	{"fence_exit.sustained_s", "60", "2 fixes and 60 s"},
	{"fence_exit.outside_m", "20", "20 m or more"},
	{"fence_stop.stop_s", "300", "stopped ≥ 5 min"},
	{"fence_stop.crowd", "3", "not while more than 3 vehicles stand"},
	{"fence_stop.crowd_radius_m", "500", "within 500 m"},
	{"route_deviation.fixes", "2", "for 2 fixes and 60 s; back inside for 2 fixes"},
	{"route_deviation.sustained_s", "60", "for 2 fixes and 60 s"},
	{"route_deviation.outside_m", "0", "outside every corridor"},
	{"section_speeding.segment_s", "60", "a gate is passed on a segment of at most 60 s"},
	{"section_speeding.off_line_m", "200", "every fix between within 200 m of the line"},
	{"driving.gap_s", "600", "gap: fixes more than 10 min apart"},
	{"driving.gap_speed_kmh", "100", "least driving = straight distance at 100 km/h"},
	{"driving.rest_s", "1200", "rest: 20 min or more"},
	{"driving.card_window_s", "300", "a stopped fix lies within 5 min before it"},
	{"driving.sums_without_card", "false", "setting sums_without_card, false"},
	{"driving.classes", "[coach_line coach_charter coach_tour hazmat heavy_truck truck dump_truck school_bus]", "driving time: every class but other"},
	{"fatigue_continuous.limit_s", "14400", "stretch > 4 h"},
	{"fatigue_continuous.classes", "[coach_line coach_charter coach_tour hazmat heavy_truck truck dump_truck school_bus]", "every class but other"},
	{"fatigue_continuous.prewarn_s", "1800", "30 minutes before"},
	{"fatigue_night.prewarn_s", "1800", "30 minutes before"},
	{"fatigue_night.limit_s", "7200", "inside one night > 2 h"},
	{"fatigue_night.classes", "[coach_line coach_charter coach_tour]", "coaches"},
	{"fatigue_daily.limit_s", "28800", "in a rolling 24 h > 8 h"},
	{"fatigue_daily.window_s", "86400", "rolling 24 h"},
	{"fatigue_daily.classes", "[coach_line coach_charter coach_tour]", "coaches"},
	{"fatigue_weekly.limit_s", "158400", "in rolling 7 days > 44 h"},
	{"fatigue_weekly.window_s", "604800", "rolling 7 days"},
	{"fatigue_weekly.classes", "[coach_line coach_charter coach_tour]", "coaches"},
	{"fatigue_severe.limit_s", "28800", "stretch > 8 h"},
	{"fatigue_severe.repeated_s", "86400", "within 24 h after the first opened"},
	{"fatigue_severe.classes", "[heavy_truck]", "heavy_truck"},
	{"night_driving.speed_kmh", "20", "≥ 20 km/h"},
	{"night_driving.sustained_s", "300", "sustained 5 min"},
	{"night_driving.light_s", "300", "stops at lights under 5 min"},
	{"night_driving.stop_s", "1200", "20 min stopped"},
	{"night_driving.windows.coach_line", "{02:00 05:00}", "inside [02:00, 05:00)"},
	{"night_driving.windows.coach_charter", "{02:00 05:00}", "inside [02:00, 05:00)"},
	{"night_driving.windows.coach_tour", "{02:00 05:00}", "inside [02:00, 05:00)"},
	{"overload.truck_kg.2", "18000", "mass limits"}, {"overload.truck_kg.3", "25000", "mass limits"}, {"overload.truck_kg.4", "31000", "mass limits"},
	{"overload.truck_kg.5", "43000", "mass limits"}, {"overload.truck_kg.6", "49000", "mass limits"},
	{"overload.combination_kg.2", "27000", "mass limits"}, {"overload.combination_kg.3", "27000", "mass limits"}, {"overload.combination_kg.4", "36000", "mass limits"},
	{"overload.combination_kg.5", "43000", "mass limits"}, {"overload.combination_kg.6", "49000", "mass limits"},
	{"overload.six_axles_single_drive_kg", "46000", "46000 with a single drive axle"},
	{"overload.dynamic_tolerance_pct", "5", "5 for dynamic"},
	{"overload.static_tolerance_pct", "0", "0 for static"},
	{"overload.fine_free_kg", "1000", "≤ 1,000 kg over: 0, a warning"},
	{"overload.fine_per_1000_kg_cny", "500", "500 for each full 1,000 kg"},
	{"overload.fine_max_cny", "30000", "at most 30,000"},
	{"hundred_tonne.limit_kg", "100000", "gross ≥ 100,000 kg"},
	{"oversize.length_mm", "18100", "length > 18.1 m"},
	{"oversize.width_mm", "2550", "width > 2.55 m"},
	{"oversize.height_mm", "4000", "height > 4 m"},
	{"oversize.tolerance_mm", "100", "100 mm"},
	{"oversize.height_tolerance_mm", "20", "height 20 mm"},
	{"weigh_evasion.approach_s", "1800", "within 30 min"},
	{"weigh_evasion.record_s", "1800", "30 min either side of entering the bypass"},
	{"weigh_evasion.classes", "[heavy_truck]", "a heavy truck's"},
	{"no_waybill.moving_s", "600", "moving time ≥ 10 min"},
	{"no_waybill.stop_s", "7200", "the last 2 h stop; 2 h stopped"},
	{"monitoring.classes", "[coach_line coach_charter coach_tour hazmat heavy_truck dump_truck]", "coaches, hazmat, heavy_truck, dump_truck"},
	{"gone_dark.silent_s", "600", "until the clock is 10 min past its received"},
	{"gone_dark.min_speed_kmh", "20", "last fix moving ≥ 20 km/h"},
	{"gone_dark.least_m", "1000", "the next fix is ≥ 1 km away"},
	{"offline_displacement.silent_s", "1800", "≥ 30 min apart"},
	{"offline_displacement.least_m", "20000", "> 20 km apart"},
	{"offline_displacement.decide_s", "7200", "decided when the clock is 2 h past"},
	{"unmonitored_running.silent_s", "600", "no position within 10 min on either side"},
	{"position_conflict.window_s", "7200", "within 2 h"},
	{"position_conflict.least_m", "5000", "farther than 5 km"},
	{"position_conflict.speed_kmh", "120", "farther than 120 km/h can reach"},
	{"position_conflict.station_vehicles", "3", "more than 3 vehicles at one station"},
	{"position_conflict.station_window_s", "3600", "within an hour"},
	{"frozen_position.place_deg", "1e-05", "within 1e-5 degree"},
	{"frozen_position.sustained_s", "300", "for 5 min"},
	{"frozen_position.min_speed_kmh", "20", "every fix shows ≥ 20 km/h"},
	{"frozen_position.mileage_km", "2", "mileage ≥ 2 km above the first's"},
	{"tampering.sustained_s", "60", "sustained 60 s"},
	{"tampering.clear_s", "60", "first clear position of 60 s clear"},
	{"terminal_alarm.merge_s", "60", "merge: terminal_alarm"},
	{"driver_behavior.last_s", "60", "else last start of the same word + 60 s"},
	{"driver_behavior.merge_s", "60", "merge: driver_behavior"},
	{"collision_risk.last_s", "60", "likewise"},
	{"collision_risk.merge_s", "60", "merge: collision_risk"},
	// Left open.
	{"fence_stop.crowd_silent_s", "600", ""},
	{"driver_behavior.flag_s", "3600", ""},
	{"collision_risk.flag_s", "3600", ""},
}

// The defaults are the rule book's, every number of it has its setting, and every setting is a number of it or a switch.
func TestDefaultsAreTheRuleBooks(t *testing.T) {
	d := DefaultSettings()
	have := d.leaves()
	for _, k := range Kinds() { // every kind has a switch, which is on
		path := string(k) + ".enabled"
		if have[path] != true {
			t.Errorf("%s is %v", path, have[path])
		}
		delete(have, path)
	}
	for _, n := range ruleBookDefaults {
		got, ok := have[n.path]
		if !ok {
			t.Errorf("%s (%s) is no setting, or stands here twice", n.path, n.book)
		} else if fmt.Sprint(got) != n.value {
			t.Errorf("%s is %v; the rule book says %s: %s", n.path, got, n.value, n.book)
		}
		delete(have, n.path)
	}
	for path := range have {
		t.Errorf("%s is in no rule", path)
	}
}

// Every setting has its line in the table, with kinds that there are, and every line is of a setting.
func TestSettingTable(t *testing.T) {
	d := DefaultSettings()
	leaves := d.leaves()
	used := map[string]bool{}
	for path := range leaves {
		s := settingOf(path)
		if s == nil {
			t.Errorf("%s has no line in settingTable: what it means, and which kinds it affects", path)
			continue
		}
		used[s.Path] = true
	}
	for i := range settingTable {
		s := &settingTable[i]
		if !used[s.Path] {
			t.Errorf("%s of settingTable is no setting", s.Path)
		}
		if s.Means == "" || len(s.Kinds) == 0 || strings.HasSuffix(s.Means, ".") {
			t.Errorf("%+v", s)
		}
		for _, k := range slices.Concat(s.Kinds, s.Also) {
			if !slices.Contains(Kinds(), k) {
				t.Errorf("%s affects %s, which is no kind", s.Path, k)
			}
			if strings.HasSuffix(s.Path, ".enabled") && s.Path == string(k)+".enabled" && s.Raise != More {
				t.Errorf("%s: %v", s.Path, s.Raise)
			}
		}
	}
	for _, k := range Kinds() {
		if d.switchOf(k) == nil {
			t.Errorf("%s has no switch: a section of its name with enabled", k)
		}
	}
}

// A changed number of a class changes the version, and so does every other change; comments, order and shadows do not.
func TestVersion(t *testing.T) {
	version := func(text string) string {
		t.Helper()
		s, err := ParseSettings([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s.Version()
	}
	plain := version("")
	for _, same := range []string{"# nothing", "speeding: {sustained_s: 30}", "classes: {hazmat: {speeding: {sustained_s: 30}}}", "classes: {hazmat: }",
		"shadow: {a: {speeding: {sustained_s: 10}}}"} {
		if version(same) != plain {
			t.Errorf("%q has another version than the defaults", same)
		}
	}
	seen := map[string]string{plain: ""}
	for _, other := range []string{"speeding: {sustained_s: 20}", "classes: {hazmat: {speeding: {sustained_s: 20}}}", "classes: {truck: {speeding: {sustained_s: 20}}}",
		"classes: {hazmat: {speeding: {sustained_s: 21}}}", "classes: {hazmat: {speeding: {sustained_s: 20}}, truck: {speeding: {sustained_s: 20}}}"} {
		v := version(other)
		if was, ok := seen[v]; ok {
			t.Errorf("%q and %q have one version", other, was)
		}
		seen[v] = other
	}
	a := version("classes: {hazmat: {speeding: {sustained_s: 20}}, truck: {fence_stop: {stop_s: 1}}}")
	if a != version("classes:\n  truck: {fence_stop: {stop_s: 1}}\n  hazmat: {speeding: {sustained_s: 20}} # other order\n") {
		t.Error("the order of classes makes a version")
	}
}

// deploy/reference/rules.yaml shows every setting with its default, unit and meaning.
func TestReferenceRulesShowTheDefaults(t *testing.T) {
	const file = "../deploy/reference/rules.yaml"
	want := rulesFile()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != want {
		t.Errorf("%s is not what the settings are; run this test with UPDATE_GOLDEN=1", file)
	}
	s, err := ParseSettings(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := DefaultSettings(); !reflect.DeepEqual(*s, d) {
		t.Errorf("it gives %+v", s)
	}
}

// rulesFile writes the defaults with what the table says of them.
func rulesFile() string {
	var b strings.Builder
	b.WriteString(`# Every setting of the rules with its default, which is the rule book's. A rules.yaml names only what differs. Speeds are in km/h,
# durations in seconds, lengths in metres unless the name says another unit. "classes" and "shadow" at the end are examples.
# What differs is explained by: lushao check --rules FILE
`)
	d := DefaultSettings()
	leaves := d.leaves()
	section, parent := "", ""
	for _, path := range leafOrder(d.leavesByClass()) {
		parts := strings.Split(path, ".")
		if parts[0] != section {
			section, parent = parts[0], ""
			fmt.Fprintf(&b, "\n%s:\n", section)
		}
		s := settingOf(path)
		indent := "  "
		if len(parts) == 3 {
			indent = "    "
			if parts[1] != parent {
				parent = parts[1]
				fmt.Fprintf(&b, "  %s:", parent)
				if s.Path == section+"."+parent {
					fmt.Fprintf(&b, " # %s", about(s))
				}
				b.WriteByte('\n')
			}
		}
		value := fmt.Sprint(leaves[path])
		switch v := leaves[path].(type) {
		case string:
			value = fmt.Sprintf("%q", v)
		case NightSettings:
			value = fmt.Sprintf("{from: %q, to: %q}", v.From, v.To)
		case []string:
			value = "[" + strings.Join(v, ", ") + "]"
		}
		fmt.Fprintf(&b, "%s%s: %s", indent, parts[len(parts)-1], value)
		if s.Path == path {
			fmt.Fprintf(&b, " # %s", about(s))
		}
		b.WriteByte('\n')
	}
	b.WriteString(`
# Numbers that differ by class of vehicle:
# classes:
#   hazmat: {speeding: {sustained_s: 20}, fence_stop: {stop_s: 180}}
#   coach_tour: {fatigue_continuous: {limit_s: 12600}}

# Settings that are tried: recorded with their name, nobody is prompted or charged. 8 at most.
# shadow:
#   stricter-stretch: {fatigue_continuous: {limit_s: 12600}}
#   try-night-trucks: {night_driving: {windows: {heavy_truck: {from: "22:00", to: "05:00"}}}}
`)
	return b.String()
}

func about(s *Setting) string {
	text := s.Means
	if _, unit := UnitOf(s.Path); unit != "" {
		text += "; " + unit
	}
	if s.Whole != "" {
		text += "; the same for every class"
	}
	return text
}
