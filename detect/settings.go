package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// ruleBook names the rule book that the code implements; it is part of every violation's rule_version.
const ruleBook = "2026.1"

// Settings are the numbers of the rule book: rules.yaml. The defaults are the rule book's own. Speeds are in km/h,
// durations in seconds, lengths in metres, masses in kg, shares in percent.
type Settings struct {
	Gate       GateSettings       `yaml:"gate"`
	Movement   MovementSettings   `yaml:"movement"`
	Night      NightSettings      `yaml:"night"`
	Speeding   SpeedingSettings   `yaml:"speeding"`
	FenceEntry FenceEntrySettings `yaml:"fence_entry"`

	FenceCrossing   FenceCrossingSettings   `yaml:"fence_crossing"`
	FenceExit       OutsideSettings         `yaml:"fence_exit"`
	FenceStop       FenceStopSettings       `yaml:"fence_stop"`
	FenceStay       SwitchSettings          `yaml:"fence_stay"`
	RouteDeviation  OutsideSettings         `yaml:"route_deviation"`
	UnfiledEntry    SwitchSettings          `yaml:"unfiled_entry"`
	SectionSpeeding SectionSpeedingSettings `yaml:"section_speeding"`

	Driving           DrivingSettings       `yaml:"driving"`
	FatigueContinuous FatigueSettings       `yaml:"fatigue_continuous"`
	FatigueNight      FatigueSettings       `yaml:"fatigue_night"`
	FatigueDaily      FatigueSumSettings    `yaml:"fatigue_daily"`
	FatigueWeekly     FatigueSumSettings    `yaml:"fatigue_weekly"`
	FatigueSevere     FatigueSevereSettings `yaml:"fatigue_severe"`
	NightDriving      NightDrivingSettings  `yaml:"night_driving"`

	Overload       OverloadSettings     `yaml:"overload"`
	HundredTonne   HundredTonneSettings `yaml:"hundred_tonne"`
	Oversize       OversizeSettings     `yaml:"oversize"`
	PermitMismatch SwitchSettings       `yaml:"permit_mismatch"`
	WeighEvasion   WeighEvasionSettings `yaml:"weigh_evasion"`
	NoWaybill      NoWaybillSettings    `yaml:"no_waybill"`

	Monitoring          MonitoringSettings          `yaml:"monitoring"`
	GoneDark            GoneDarkSettings            `yaml:"gone_dark"`
	OfflineDisplacement OfflineDisplacementSettings `yaml:"offline_displacement"`
	UnmonitoredRunning  UnmonitoredRunningSettings  `yaml:"unmonitored_running"`
	PositionConflict    PositionConflictSettings    `yaml:"position_conflict"`
	FrozenPosition      FrozenPositionSettings      `yaml:"frozen_position"`

	Tampering      TamperingSettings `yaml:"tampering"`
	Overcrowding   SwitchSettings    `yaml:"overcrowding"`
	TerminalAlarm  AlarmSettings     `yaml:"terminal_alarm"`
	DriverBehavior SafetySettings    `yaml:"driver_behavior"`
	CollisionRisk  SafetySettings    `yaml:"collision_risk"`

	// Classes are the whole settings of each class that has some of its own, by name.
	Classes map[string]*Settings `yaml:"-" json:",omitempty"`
	// Shadows are tried beside what is in force, in the order of their names; see shadow.go.
	Shadows []ShadowSettings `yaml:"-" json:"-"`
}

// GateSettings say when a position is a fix.
type GateSettings struct {
	FutureS       int     `yaml:"future_s"` // a position may be this much ahead of when it was received
	PastS         int     `yaml:"past_s"`   // and this much older; what is older still has a wrong clock. 0: no bound. The rule book has none
	MinLon        float64 `yaml:"min_lon"`  // degrees; the box is inclusive
	MaxLon        float64 `yaml:"max_lon"`
	MinLat        float64 `yaml:"min_lat"`
	MaxLat        float64 `yaml:"max_lat"`
	MaxSpeed      float64 `yaml:"max_speed_kmh"`   // reported
	JumpSpeed     float64 `yaml:"jump_speed_kmh"`  // mean speed from the last fix
	JumpsToAccept int     `yaml:"jumps_to_accept"` // so many jumps in a row, near each other, are believed
}

// MovementSettings say when a vehicle moves and what a stop is.
type MovementSettings struct {
	Moving     float64 `yaml:"moving_kmh"`
	StopRadius float64 `yaml:"stop_radius_m"`
	RunGapS    int     `yaml:"run_gap_s"` // fixes farther apart in time end what must be sustained
}

// NightSettings are the hours of night in Beijing time, [from, to), for speed and driving time.
type NightSettings struct {
	From string `yaml:"from"` // hh:mm
	To   string `yaml:"to"`
}

// SpeedingSettings are those of the kind speeding and of the effective limit.
type SpeedingSettings struct {
	Enabled      bool               `yaml:"enabled"`
	SustainedS   int                `yaml:"sustained_s"`
	MergeS       int                `yaml:"merge_s"`
	Spike        float64            `yaml:"spike_kmh"`
	SpikeWindowS int                `yaml:"spike_window_s"`
	ClassCap     map[string]float64 `yaml:"class_cap_kmh"` // by class; hazmat has its own below
	HazmatCap    HazmatCap          `yaml:"hazmat_cap_kmh"`
	CoachNight   float64            `yaml:"coach_night_pct"` // of the day limit
}

// HazmatCap is the limit of hazmat vehicles by the road they are on.
type HazmatCap struct {
	Expressway float64 `yaml:"expressway"`
	Other      float64 `yaml:"other"`
	Unknown    float64 `yaml:"unknown"`
}

// FenceEntrySettings are those of the kind fence_entry. When a fence is entered and left, they say for fence_stay and
// unfiled_entry too.
type FenceEntrySettings struct {
	Enabled bool    `yaml:"enabled"`
	Fixes   int     `yaml:"fixes"`   // in a row inside, to enter; outside, to leave
	Leave   float64 `yaml:"leave_m"` // outside by at least this counts as outside
}

// FenceCrossingSettings are those of the kind fence_crossing.
type FenceCrossingSettings struct {
	Enabled  bool    `yaml:"enabled"`
	SegmentS int     `yaml:"segment_s"` // the longest segment that is believed to be straight
	Least    float64 `yaml:"least_m"`   // inside
	Ratio    float64 `yaml:"ratio_pct"` // by which a segment may differ from the mean of its speeds × its time
	Slack    float64 `yaml:"slack_m"`   // and so many metres more
}

// OutsideSettings are those of the kinds fence_exit and route_deviation.
type OutsideSettings struct {
	Enabled    bool    `yaml:"enabled"`
	Fixes      int     `yaml:"fixes"` // in a row outside, to open; inside, to close
	SustainedS int     `yaml:"sustained_s"`
	Outside    float64 `yaml:"outside_m"` // outside by at least this counts as outside
}

// FenceStopSettings are those of the kind fence_stop.
type FenceStopSettings struct {
	Enabled      bool    `yaml:"enabled"`
	StopS        int     `yaml:"stop_s"`
	Crowd        int     `yaml:"crowd"`          // more vehicles than this that stand make a traffic jam, in which nothing is found
	CrowdRadius  float64 `yaml:"crowd_radius_m"` // so near
	CrowdSilentS int     `yaml:"crowd_silent_s"` // one that was last heard of longer ago is not counted
}

// SwitchSettings are those of a kind that has no numbers of its own.
type SwitchSettings struct {
	Enabled bool `yaml:"enabled"`
}

// SectionSpeedingSettings are those of the kind section_speeding.
type SectionSpeedingSettings struct {
	Enabled  bool    `yaml:"enabled"`
	SegmentS int     `yaml:"segment_s"` // the longest segment on which a gate is passed
	OffLine  float64 `yaml:"off_line_m"`
}

// DrivingSettings say what driving, a rest and a driver are, for all kinds of driving time.
type DrivingSettings struct {
	GapS            int      `yaml:"gap_s"`         // fixes farther apart are a gap
	GapSpeed        float64  `yaml:"gap_speed_kmh"` // at which the way of a gap is taken to be driven
	RestS           int      `yaml:"rest_s"`
	CardWindowS     int      `yaml:"card_window_s"`     // a card counts that is put in so long after a stopped fix at most
	SumsWithoutCard bool     `yaml:"sums_without_card"` // daily and weekly, of vehicles
	Classes         []string `yaml:"classes"`           // whose driving time is counted
}

// FatigueSettings are those of a kind that looks at the stretch.
type FatigueSettings struct {
	Enabled bool `yaml:"enabled"`
	LimitS  int  `yaml:"limit_s"`
	// PrewarnS is how long before the limit the driver is warned; 0, or no less than the limit: never.
	PrewarnS int      `yaml:"prewarn_s"`
	Classes  []string `yaml:"classes"`
}

// FatigueSumSettings are those of a rolling sum.
type FatigueSumSettings struct {
	Enabled bool     `yaml:"enabled"`
	LimitS  int      `yaml:"limit_s"`
	WindowS int      `yaml:"window_s"`
	Classes []string `yaml:"classes"`
}

// FatigueSevereSettings are those of the kind fatigue_severe.
type FatigueSevereSettings struct {
	Enabled   bool     `yaml:"enabled"`
	LimitS    int      `yaml:"limit_s"`
	RepeatedS int      `yaml:"repeated_s"` // the second fatigue_continuous so long after the first at most
	Classes   []string `yaml:"classes"`
}

// NightDrivingSettings are those of the kind night_driving.
type NightDrivingSettings struct {
	Enabled    bool                     `yaml:"enabled"`
	Speed      float64                  `yaml:"speed_kmh"`
	SustainedS int                      `yaml:"sustained_s"`
	LightS     int                      `yaml:"light_s"` // a stop as long breaks what is not yet sustained
	StopS      int                      `yaml:"stop_s"`  // a stop as long ends it
	Windows    map[string]NightSettings `yaml:"windows"` // by class
}

// OverloadSettings are those of the kind overload. Limits are by number of axles; 6 stands for 6 and more.
type OverloadSettings struct {
	Enabled         bool        `yaml:"enabled"`
	Truck           map[int]int `yaml:"truck_kg"`
	Combination     map[int]int `yaml:"combination_kg"`
	SingleDriveAxle int         `yaml:"six_axles_single_drive_kg"`
	DynamicPct      float64     `yaml:"dynamic_tolerance_pct"` // where the station has none of its own
	StaticPct       float64     `yaml:"static_tolerance_pct"`
	FineFreeKg      int         `yaml:"fine_free_kg"` // up to this over: a warning
	FinePerTonne    int         `yaml:"fine_per_1000_kg_cny"`
	FineMax         int         `yaml:"fine_max_cny"`
}

// HundredTonneSettings are those of the kind hundred_tonne.
type HundredTonneSettings struct {
	Enabled bool `yaml:"enabled"`
	LimitKg int  `yaml:"limit_kg"` // from this on
}

// WeighEvasionSettings are those of the kind weigh_evasion.
type WeighEvasionSettings struct {
	Enabled   bool     `yaml:"enabled"`
	ApproachS int      `yaml:"approach_s"` // from entering the approach to entering the bypass, at most
	RecordS   int      `yaml:"record_s"`   // a record so long before or after entering the bypass speaks against it
	Classes   []string `yaml:"classes"`    // who evades by going round; a record that is marked names whom it will
}

// NoWaybillSettings are those of the kind no_waybill.
type NoWaybillSettings struct {
	Enabled bool `yaml:"enabled"`
	MovingS int  `yaml:"moving_s"` // summed
	StopS   int  `yaml:"stop_s"`   // a stop that ends it
}

// OversizeSettings are those of the kind oversize. The tolerances, which hold for permit_mismatch too, are for stations that have none
// of their own.
type OversizeSettings struct {
	Enabled           bool `yaml:"enabled"`
	LengthMm          int  `yaml:"length_mm"`
	WidthMm           int  `yaml:"width_mm"`
	HeightMm          int  `yaml:"height_mm"`
	ToleranceMm       int  `yaml:"tolerance_mm"` // of length and width
	HeightToleranceMm int  `yaml:"height_tolerance_mm"`
}

// DefaultSettings returns the rule book's own numbers.
func DefaultSettings() Settings {
	s := Settings{
		Gate:     GateSettings{FutureS: 300, PastS: 366 * 86400, MinLon: 73.55, MaxLon: 135.1, MinLat: 3.85, MaxLat: 53.56, MaxSpeed: 220, JumpSpeed: 200, JumpsToAccept: 3},
		Movement: MovementSettings{Moving: 5, StopRadius: 200, RunGapS: 300},
		Night:    NightSettings{From: "22:00", To: "06:00"},
		Speeding: SpeedingSettings{Enabled: true, SustainedS: 30, MergeS: 60, Spike: 30, SpikeWindowS: 60,
			ClassCap:  map[string]float64{"coach_line": 100, "coach_charter": 100, "coach_tour": 100, "heavy_truck": 100, "truck": 100, "dump_truck": 100},
			HazmatCap: HazmatCap{Expressway: 80, Other: 60, Unknown: 80}, CoachNight: 80},
		FenceEntry:      FenceEntrySettings{Enabled: true, Fixes: 2, Leave: 20},
		FenceCrossing:   FenceCrossingSettings{Enabled: true, SegmentS: 60, Least: 50, Ratio: 10, Slack: 30},
		FenceExit:       OutsideSettings{Enabled: true, Fixes: 2, SustainedS: 60, Outside: 20},
		FenceStop:       FenceStopSettings{Enabled: true, StopS: 300, Crowd: 3, CrowdRadius: 500, CrowdSilentS: 600},
		FenceStay:       SwitchSettings{Enabled: true},
		RouteDeviation:  OutsideSettings{Enabled: true, Fixes: 2, SustainedS: 60, Outside: 0},
		UnfiledEntry:    SwitchSettings{Enabled: true},
		SectionSpeeding: SectionSpeedingSettings{Enabled: true, SegmentS: 60, OffLine: 200},
		Driving: DrivingSettings{GapS: 600, GapSpeed: 100, RestS: 1200, CardWindowS: 300,
			Classes: []string{"coach_line", "coach_charter", "coach_tour", "hazmat", "heavy_truck", "truck", "dump_truck", "school_bus"}},
		FatigueContinuous: FatigueSettings{Enabled: true, LimitS: 4 * 3600, PrewarnS: 1800,
			Classes: []string{"coach_line", "coach_charter", "coach_tour", "hazmat", "heavy_truck", "truck", "dump_truck", "school_bus"}},
		FatigueNight:  FatigueSettings{Enabled: true, LimitS: 2 * 3600, PrewarnS: 1800, Classes: []string{"coach_line", "coach_charter", "coach_tour"}},
		FatigueDaily:  FatigueSumSettings{Enabled: true, LimitS: 8 * 3600, WindowS: 86400, Classes: []string{"coach_line", "coach_charter", "coach_tour"}},
		FatigueWeekly: FatigueSumSettings{Enabled: true, LimitS: 44 * 3600, WindowS: 7 * 86400, Classes: []string{"coach_line", "coach_charter", "coach_tour"}},
		FatigueSevere: FatigueSevereSettings{Enabled: true, LimitS: 8 * 3600, RepeatedS: 86400, Classes: []string{"heavy_truck"}},
		NightDriving: NightDrivingSettings{Enabled: true, Speed: 20, SustainedS: 300, LightS: 300, StopS: 1200,
			Windows: map[string]NightSettings{"coach_line": {From: "02:00", To: "05:00"}, "coach_charter": {From: "02:00", To: "05:00"}, "coach_tour": {From: "02:00", To: "05:00"}}},
		Overload: OverloadSettings{Enabled: true,
			Truck:           map[int]int{2: 18000, 3: 25000, 4: 31000, 5: 43000, 6: 49000},
			Combination:     map[int]int{2: 27000, 3: 27000, 4: 36000, 5: 43000, 6: 49000},
			SingleDriveAxle: 46000, DynamicPct: 5, StaticPct: 0, FineFreeKg: 1000, FinePerTonne: 500, FineMax: 30000},
		HundredTonne:   HundredTonneSettings{Enabled: true, LimitKg: 100000},
		Oversize:       OversizeSettings{Enabled: true, LengthMm: 18100, WidthMm: 2550, HeightMm: 4000, ToleranceMm: 100, HeightToleranceMm: 20},
		PermitMismatch: SwitchSettings{Enabled: true},
		WeighEvasion:   WeighEvasionSettings{Enabled: true, ApproachS: 1800, RecordS: 1800, Classes: []string{"heavy_truck"}},
		NoWaybill:      NoWaybillSettings{Enabled: true, MovingS: 600, StopS: 7200},
	}
	s.defaultMonitoring()
	s.defaultAlarms()
	return s
}

// Validate names every setting that can't be used; the error is SettingProblems.
func (s *Settings) Validate() error {
	if p := s.problems(); len(p) > 0 {
		p.sort()
		return p
	}
	return nil
}

// problems are those of all numbers, also by class and of shadows.
func (s *Settings) problems() SettingProblems {
	out := s.ownProblems()
	same := map[string]bool{}
	for _, p := range out {
		same[p.Error()] = true
	}
	add := func(prefix string, of *Settings) {
		for _, p := range of.problems() {
			if !same[p.Error()] { // else it is not its own
				out = append(out, &SettingProblem{Path: prefix + p.Path, Text: p.Text})
			}
		}
	}
	for _, c := range classNames {
		if own := s.Classes[c]; own != nil {
			add("classes."+c+".", own)
		}
	}
	for i := range s.Shadows {
		add("shadow."+s.Shadows[i].Name+".", &s.Shadows[i].Settings)
	}
	return out
}

// ownProblems are those of the numbers themselves.
func (s *Settings) ownProblems() (errs SettingProblems) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			path, text, _ := strings.Cut(fmt.Sprintf(format, args...), ": ")
			errs = append(errs, &SettingProblem{Path: path, Text: text})
		}
	}
	// Speeds travel in 0.1 km/h: a finer number would be judged by something else than what the file says.
	speed := func(name string, v float64) {
		check(v >= 0 && v <= 1000 && tenths(v), "%s: %v; a speed from 0 to 1000 km/h with at most one decimal", name, v)
	}
	seconds := func(name string, v int) {
		check(v >= 0 && v <= 7*86400, "%s: %d; from 0 to %d seconds", name, v, 7*86400)
	}
	seconds("gate.future_s", s.Gate.FutureS)
	check(s.Gate.PastS == 0 || s.Gate.PastS >= 86400 && s.Gate.PastS <= 10*366*86400, "gate.past_s: %d; from %d to %d seconds, or 0 for no bound", s.Gate.PastS, 86400, 10*366*86400)
	check(s.Gate.MinLon < s.Gate.MaxLon && s.Gate.MinLon >= -180 && s.Gate.MaxLon <= 180, "gate.min_lon, gate.max_lon: %v to %v is no range of degrees", s.Gate.MinLon, s.Gate.MaxLon)
	check(s.Gate.MinLat < s.Gate.MaxLat && s.Gate.MinLat >= -90 && s.Gate.MaxLat <= 90, "gate.min_lat, gate.max_lat: %v to %v is no range of degrees", s.Gate.MinLat, s.Gate.MaxLat)
	speed("gate.max_speed_kmh", s.Gate.MaxSpeed)
	speed("gate.jump_speed_kmh", s.Gate.JumpSpeed)
	check(s.Gate.JumpsToAccept >= 2 && s.Gate.JumpsToAccept <= maxJumps, "gate.jumps_to_accept: %d; from 2 to %d", s.Gate.JumpsToAccept, maxJumps)
	speed("movement.moving_kmh", s.Movement.Moving)
	check(s.Movement.StopRadius >= 0 && s.Movement.StopRadius <= 10000, "movement.stop_radius_m: %v; from 0 to 10000", s.Movement.StopRadius)
	seconds("movement.run_gap_s", s.Movement.RunGapS)
	for name, v := range map[string]string{"night.from": s.Night.From, "night.to": s.Night.To} {
		_, err := parseClock(v)
		check(err == nil, "%s: %q; hh:mm", name, v)
	}
	seconds("speeding.sustained_s", s.Speeding.SustainedS)
	seconds("speeding.merge_s", s.Speeding.MergeS)
	speed("speeding.spike_kmh", s.Speeding.Spike)
	seconds("speeding.spike_window_s", s.Speeding.SpikeWindowS)
	for c, v := range s.Speeding.ClassCap {
		class, ok := ParseClass(c)
		check(ok, "speeding.class_cap_kmh: %s", noClass(c))
		check(!ok || class != ClassHazmat, "speeding.class_cap_kmh.%s: hazmat has hazmat_cap_kmh, by road", c)
		speed("speeding.class_cap_kmh."+c, v)
	}
	speed("speeding.hazmat_cap_kmh.expressway", s.Speeding.HazmatCap.Expressway)
	speed("speeding.hazmat_cap_kmh.other", s.Speeding.HazmatCap.Other)
	speed("speeding.hazmat_cap_kmh.unknown", s.Speeding.HazmatCap.Unknown)
	check(s.Speeding.CoachNight > 0 && s.Speeding.CoachNight <= 100 && s.Speeding.CoachNight == math.Trunc(s.Speeding.CoachNight), "speeding.coach_night_pct: %v; a whole number from 1 to 100", s.Speeding.CoachNight)
	check(s.FenceEntry.Fixes >= 1 && s.FenceEntry.Fixes <= 100, "fence_entry.fixes: %d; from 1 to 100", s.FenceEntry.Fixes)
	metres := func(name string, v float64) {
		check(v >= 0 && v <= 10000, "%s: %v; from 0 to 10000", name, v)
	}
	metres("fence_entry.leave_m", s.FenceEntry.Leave)
	seconds("fence_crossing.segment_s", s.FenceCrossing.SegmentS)
	metres("fence_crossing.least_m", s.FenceCrossing.Least)
	check(s.FenceCrossing.Ratio >= 0 && s.FenceCrossing.Ratio <= 100, "fence_crossing.ratio_pct: %v; from 0 to 100", s.FenceCrossing.Ratio)
	metres("fence_crossing.slack_m", s.FenceCrossing.Slack)
	for _, o := range []struct {
		name string
		s    *OutsideSettings
	}{{"fence_exit", &s.FenceExit}, {"route_deviation", &s.RouteDeviation}} {
		check(o.s.Fixes >= 1 && o.s.Fixes <= 100, "%s.fixes: %d; from 1 to 100", o.name, o.s.Fixes)
		seconds(o.name+".sustained_s", o.s.SustainedS)
		metres(o.name+".outside_m", o.s.Outside)
	}
	seconds("fence_stop.stop_s", s.FenceStop.StopS)
	seconds("fence_stop.crowd_silent_s", s.FenceStop.CrowdSilentS)
	check(s.FenceStop.Crowd >= 0, "fence_stop.crowd: %d; 0 or more vehicles", s.FenceStop.Crowd)
	check(s.FenceStop.CrowdRadius >= 0 && s.FenceStop.CrowdRadius <= maxCrowdRadius, "fence_stop.crowd_radius_m: %v; from 0 to %d", s.FenceStop.CrowdRadius, maxCrowdRadius)
	seconds("section_speeding.segment_s", s.SectionSpeeding.SegmentS)
	metres("section_speeding.off_line_m", s.SectionSpeeding.OffLine)
	seconds("driving.gap_s", s.Driving.GapS)
	seconds("driving.rest_s", s.Driving.RestS)
	check(s.Driving.RestS != 0, "driving.rest_s: 0; greater than 0")
	seconds("driving.card_window_s", s.Driving.CardWindowS)
	speed("driving.gap_speed_kmh", s.Driving.GapSpeed)
	check(s.Driving.GapSpeed >= 1, "driving.gap_speed_kmh: %v; 1 km/h or more", s.Driving.GapSpeed)
	classes := func(name string, list []string) {
		for _, c := range list {
			_, ok := ParseClass(c)
			check(ok, "%s: %s", name, noClass(c))
		}
	}
	classes("driving.classes", s.Driving.Classes)
	for _, f := range []struct {
		name    string
		limit   int
		classes []string
	}{{"fatigue_continuous", s.FatigueContinuous.LimitS, s.FatigueContinuous.Classes}, {"fatigue_night", s.FatigueNight.LimitS, s.FatigueNight.Classes},
		{"fatigue_daily", s.FatigueDaily.LimitS, s.FatigueDaily.Classes}, {"fatigue_weekly", s.FatigueWeekly.LimitS, s.FatigueWeekly.Classes},
		{"fatigue_severe", s.FatigueSevere.LimitS, s.FatigueSevere.Classes}} {
		seconds(f.name+".limit_s", f.limit)
		classes(f.name+".classes", f.classes)
	}
	for name, f := range map[string]*FatigueSettings{"fatigue_continuous": &s.FatigueContinuous, "fatigue_night": &s.FatigueNight} {
		seconds(name+".prewarn_s", f.PrewarnS)
	}
	seconds("fatigue_daily.window_s", s.FatigueDaily.WindowS)
	seconds("fatigue_weekly.window_s", s.FatigueWeekly.WindowS)
	seconds("fatigue_severe.repeated_s", s.FatigueSevere.RepeatedS)
	speed("night_driving.speed_kmh", s.NightDriving.Speed)
	seconds("night_driving.sustained_s", s.NightDriving.SustainedS)
	seconds("night_driving.light_s", s.NightDriving.LightS)
	seconds("night_driving.stop_s", s.NightDriving.StopS)
	for c, w := range s.NightDriving.Windows {
		_, ok := ParseClass(c)
		check(ok, "night_driving.windows: %s", noClass(c))
		for name, v := range map[string]string{"from": w.From, "to": w.To} {
			_, err := parseClock(v)
			check(err == nil, "night_driving.windows.%s.%s: %q; hh:mm", c, name, v)
		}
	}
	for name, table := range map[string]map[int]int{"truck_kg": s.Overload.Truck, "combination_kg": s.Overload.Combination} {
		for axles, kg := range table {
			check(axles >= 2 && axles <= 6, "overload.%s.%d: %[2]d axles; from 2 to 6, 6 standing for 6 and more", name, axles)
			check(kg > 0 && kg <= 1_000_000, "overload.%s.%d: %d kg; from 1 to 1000000", name, axles, kg)
		}
	}
	check(s.Overload.SingleDriveAxle > 0 && s.Overload.SingleDriveAxle <= 1_000_000, "overload.six_axles_single_drive_kg: %d kg; from 1 to 1000000", s.Overload.SingleDriveAxle)
	for name, v := range map[string]float64{"dynamic_tolerance_pct": s.Overload.DynamicPct, "static_tolerance_pct": s.Overload.StaticPct} {
		check(v >= 0 && v <= 100, "overload.%s: %v; from 0 to 100", name, v)
	}
	for name, v := range map[string]int{"fine_free_kg": s.Overload.FineFreeKg, "fine_per_1000_kg_cny": s.Overload.FinePerTonne, "fine_max_cny": s.Overload.FineMax} {
		check(v >= 0 && v <= 1_000_000_000, "overload.%s: %d; from 0 to 1000000000", name, v)
	}
	check(s.HundredTonne.LimitKg > 0 && s.HundredTonne.LimitKg <= 1_000_000, "hundred_tonne.limit_kg: %d kg; from 1 to 1000000", s.HundredTonne.LimitKg)
	for _, mm := range []struct {
		name string
		v    int
	}{{"length_mm", s.Oversize.LengthMm}, {"width_mm", s.Oversize.WidthMm}, {"height_mm", s.Oversize.HeightMm}} {
		check(mm.v > 0 && mm.v <= 100_000, "oversize.%s: %d mm; from 1 to 100000", mm.name, mm.v)
	}
	for name, v := range map[string]int{"approach_s": s.WeighEvasion.ApproachS, "record_s": s.WeighEvasion.RecordS} {
		check(v >= 1 && v <= 86400, "weigh_evasion.%s: %d; from 1 to 86400 seconds", name, v)
	}
	classes("weigh_evasion.classes", s.WeighEvasion.Classes)
	seconds("no_waybill.moving_s", s.NoWaybill.MovingS)
	seconds("no_waybill.stop_s", s.NoWaybill.StopS)
	check(s.NoWaybill.StopS > 0, "no_waybill.stop_s: 0; greater than 0")
	check(s.Oversize.ToleranceMm >= 0 && s.Oversize.ToleranceMm <= 10_000, "oversize.tolerance_mm: %d; from 0 to 10000", s.Oversize.ToleranceMm)
	check(s.Oversize.HeightToleranceMm >= 0 && s.Oversize.HeightToleranceMm <= 10_000, "oversize.height_tolerance_mm: %d; from 0 to 10000", s.Oversize.HeightToleranceMm)
	s.validateMonitoring(check)
	s.validateAlarms(seconds)
	return errs
}

func tenths(v float64) bool { return math.Abs(v*10-math.Round(v*10)) < 1e-9 }

// Version identifies the rule book and the numbers that are in force.
func (s *Settings) Version() string {
	b, err := json.Marshal(s) // maps come out sorted
	if err != nil {
		panic(err) // numbers and texts only
	}
	sum := sha256.Sum256(b)
	return ruleBook + "-" + hex.EncodeToString(sum[:4])
}

// parseClock returns the minutes of the day of "hh:mm"; "24:00" is allowed.
func parseClock(s string) (uint16, error) {
	var h, m int
	if len(s) != 5 || s[2] != ':' {
		return 0, fmt.Errorf("%q is not hh:mm", s)
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%q is not hh:mm", s)
		}
	}
	h, m = int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	if m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, fmt.Errorf("%q is not hh:mm", s)
	}
	return uint16(h*60 + m), nil
}
