package detect

import (
	"slices"
	"strings"
)

// Effect says what a greater number, true, or a longer list does to what is found.
type Effect uint8

const (
	Unclear Effect = iota // some more, some less
	More                  // at least as much is found, but for what a border between two limits cuts in pieces
	Fewer                 // at most as much is found, likewise
	Same                  // the same is found; what its record says differs
	Longer                // what would be several goes on as one
	Shorter               // what would be one is several
)

// Setting says what a setting of rules.yaml means. A setting by class or by axles stands in the table without the last name.
type Setting struct {
	Path  string
	Means string // in plain words
	Raise Effect
	Kinds []Kind // that it affects
	Also  []Kind // that it affects too, one way or the other
	Whole string // why it can't differ by class; "": it can
	None  bool   // 0 stands for none: it is beyond every other number
}

// Why some settings can't differ by class.
const (
	wholeCrowd   = "a traffic jam is made by vehicles of all classes"
	wholeStation = "a station is judged by vehicles of all classes"
	wholeDriver  = "what a driver has driven goes with his card from vehicle to vehicle, whatever their class"
)

var (
	kindsOfPlaces  = []Kind{KindFenceEntry, KindFenceStay, KindUnfiledEntry, KindFenceCrossing, KindWeighEvasion}
	kindsOfStretch = []Kind{KindFatigueContinuous, KindFatigueNight, KindFatigueSevere}
	kindsOfSums    = []Kind{KindFatigueDaily, KindFatigueWeekly}
	kindsOfDriving = slices.Concat(kindsOfStretch, kindsOfSums)
	kindsOfRuns    = slices.Concat(kindsOfPlaces, kindsOfDriving, []Kind{KindSpeeding, KindSectionSpeeding, KindFenceExit, KindRouteDeviation, KindFenceStop,
		KindNightDriving, KindNoWaybill, KindFrozenPosition, KindTampering})
	kindsOfMoving = slices.Concat(kindsOfRuns, []Kind{KindGoneDark, KindOfflineDisplacement})
	kindsOfFixes  = slices.Concat(kindsOfMoving, []Kind{KindPositionConflict})
	kindsOfMass   = []Kind{KindOverload, KindHundredTonne, KindPermitMismatch}
	kindsOfSize   = []Kind{KindOversize, KindPermitMismatch}
	kindsOnline   = []Kind{KindGoneDark, KindOfflineDisplacement, KindUnmonitoredRunning, KindFrozenPosition}
)

func only(k ...Kind) []Kind { return k }

// settingTable is every setting of rules.yaml, in the order of the file.
var settingTable = []Setting{
	{Path: "gate.future_s", Means: "how far a position's time may be ahead of when it was received", Kinds: Kinds()},
	{Path: "gate.past_s", Means: "how much older than that it may be; what is older has a wrong clock. 0: no bound", Kinds: Kinds()},
	{Path: "gate.min_lon", Means: "western edge of the box in which a position must lie", Kinds: kindsOfFixes},
	{Path: "gate.max_lon", Means: "eastern edge of that box", Kinds: kindsOfFixes},
	{Path: "gate.min_lat", Means: "southern edge of that box", Kinds: kindsOfFixes},
	{Path: "gate.max_lat", Means: "northern edge of that box", Kinds: kindsOfFixes},
	{Path: "gate.max_speed_kmh", Means: "the greatest reported speed that is believed", Kinds: kindsOfFixes},
	{Path: "gate.jump_speed_kmh", Means: "the greatest mean speed from the last fix that is believed", Kinds: kindsOfFixes},
	{Path: "gate.jumps_to_accept", Means: "how many jumps in a row, each near the one before, are believed", Kinds: kindsOfFixes},
	{Path: "movement.moving_kmh", Means: "the speed from which a vehicle moves", Kinds: kindsOfMoving},
	{Path: "movement.stop_radius_m", Means: "how far a vehicle may drift and still stand at the same stop", Kinds: kindsOfMoving},
	{Path: "movement.run_gap_s", Means: "reports farther apart than this end whatever must be sustained", Kinds: slices.Concat(kindsOfRuns, only(KindTerminalAlarm, KindOvercrowding))},
	{Path: "night.from", Means: "when night begins, for the coaches' night limit and night driving time", Kinds: only(KindSpeeding, KindFatigueNight)},
	{Path: "night.to", Means: "when night ends", Kinds: only(KindSpeeding, KindFatigueNight)},

	{Path: "speeding.enabled", Means: "whether speeding is looked for", Raise: More, Kinds: only(KindSpeeding)},
	{Path: "speeding.sustained_s", Means: "how long a vehicle must be over its limit at every report", Raise: Fewer, Kinds: only(KindSpeeding)},
	{Path: "speeding.merge_s", Means: "a run that begins sooner than this after the last one ended goes on with it", Raise: Longer, Kinds: only(KindSpeeding)},
	{Path: "speeding.spike_kmh", Means: "a single report faster than both its neighbours by more than this is not believed", Kinds: only(KindSpeeding)},
	{Path: "speeding.spike_window_s", Means: "how near in time those neighbours must be", Kinds: only(KindSpeeding)},
	{Path: "speeding.class_cap_kmh", Means: "speed limit of the class, whatever the road; 0 is none", Raise: Fewer, Kinds: only(KindSpeeding), None: true},
	{Path: "speeding.hazmat_cap_kmh.expressway", Means: "speed limit of hazmat vehicles on expressways; 0 is none", Raise: Fewer, Kinds: only(KindSpeeding), None: true},
	{Path: "speeding.hazmat_cap_kmh.other", Means: "speed limit of hazmat vehicles on other roads; 0 is none", Raise: Fewer, Kinds: only(KindSpeeding), None: true},
	{Path: "speeding.hazmat_cap_kmh.unknown", Means: "speed limit of hazmat vehicles where the road is not known; 0 is none", Raise: Fewer, Kinds: only(KindSpeeding), None: true},
	{Path: "speeding.coach_night_pct", Means: "share of the day limit that coaches may drive at night", Raise: Fewer, Kinds: only(KindSpeeding)},

	{Path: "fence_entry.enabled", Means: "whether entries into forbidden areas are looked for", Raise: More, Kinds: only(KindFenceEntry), Also: only(KindFenceCrossing)},
	{Path: "fence_entry.fixes", Means: "how many reports in a row inside make an entry, and outside an exit", Kinds: kindsOfPlaces},
	{Path: "fence_entry.leave_m", Means: "how far outside a report must be to count as outside", Kinds: kindsOfPlaces},
	{Path: "fence_crossing.enabled", Means: "whether crossings of forbidden areas are looked for", Raise: More, Kinds: only(KindFenceCrossing)},
	{Path: "fence_crossing.segment_s", Means: "the longest time between two reports over which the way is believed to be straight", Raise: More, Kinds: only(KindFenceCrossing)},
	{Path: "fence_crossing.least_m", Means: "how much of the way must lie inside", Raise: Fewer, Kinds: only(KindFenceCrossing)},
	{Path: "fence_crossing.ratio_pct", Means: "by how much the way may differ from what the speeds say", Raise: More, Kinds: only(KindFenceCrossing)},
	{Path: "fence_crossing.slack_m", Means: "and by how many metres more", Raise: More, Kinds: only(KindFenceCrossing)},
	{Path: "fence_exit.enabled", Means: "whether leaving an area that must not be left is looked for", Raise: More, Kinds: only(KindFenceExit)},
	{Path: "fence_exit.fixes", Means: "how many reports in a row outside open it, and inside close it", Kinds: only(KindFenceExit)},
	{Path: "fence_exit.sustained_s", Means: "how long the vehicle must be outside", Raise: Fewer, Kinds: only(KindFenceExit)},
	{Path: "fence_exit.outside_m", Means: "how far outside a report must be to count", Raise: Fewer, Kinds: only(KindFenceExit)},
	{Path: "fence_stop.enabled", Means: "whether stops where stopping is forbidden are looked for", Raise: More, Kinds: only(KindFenceStop)},
	{Path: "fence_stop.stop_s", Means: "how long a vehicle may stop there", Raise: Fewer, Kinds: only(KindFenceStop)},
	{Path: "fence_stop.crowd", Means: "more vehicles than this that stand together are a traffic jam, which excuses them", Raise: More, Kinds: only(KindFenceStop), Whole: wholeCrowd},
	{Path: "fence_stop.crowd_radius_m", Means: "how near to each other they stand", Raise: Fewer, Kinds: only(KindFenceStop), Whole: wholeCrowd},
	{Path: "fence_stop.crowd_silent_s", Means: "a vehicle that was last heard of longer ago than this is not counted", Raise: Fewer, Kinds: only(KindFenceStop), Whole: wholeCrowd},
	{Path: "fence_stay.enabled", Means: "whether staying too long in an area is looked for", Raise: More, Kinds: only(KindFenceStay)},
	{Path: "route_deviation.enabled", Means: "whether leaving the assigned route is looked for", Raise: More, Kinds: only(KindRouteDeviation)},
	{Path: "route_deviation.fixes", Means: "how many reports in a row off the route open it, and on it close it", Kinds: only(KindRouteDeviation)},
	{Path: "route_deviation.sustained_s", Means: "how long the vehicle must be off its route", Raise: Fewer, Kinds: only(KindRouteDeviation)},
	{Path: "route_deviation.outside_m", Means: "how far outside of the corridor a report must be to count", Raise: Fewer, Kinds: only(KindRouteDeviation)},
	{Path: "unfiled_entry.enabled", Means: "whether hazmat vehicles of other regions without a filing are looked for", Raise: More, Kinds: only(KindUnfiledEntry)},
	{Path: "section_speeding.enabled", Means: "whether mean speeds over sections are looked at", Raise: More, Kinds: only(KindSectionSpeeding)},
	{Path: "section_speeding.segment_s", Means: "the longest time between two reports within which a gate is passed", Kinds: only(KindSectionSpeeding)},
	{Path: "section_speeding.off_line_m", Means: "how far from the line a report may be", Raise: More, Kinds: only(KindSectionSpeeding)},

	{Path: "driving.gap_s", Means: "reports farther apart than this are a gap, of which only the least driving counts", Kinds: kindsOfDriving, Also: only(KindNoWaybill)},
	{Path: "driving.gap_speed_kmh", Means: "the speed at which the way over a gap is taken to be driven", Raise: Fewer, Kinds: kindsOfStretch, Also: slices.Concat(kindsOfSums, only(KindNoWaybill))},
	{Path: "driving.rest_s", Means: "how long a stop must be to be a rest", Raise: More, Kinds: kindsOfStretch, Also: kindsOfSums, Whole: wholeDriver},
	{Path: "driving.card_window_s", Means: "a card counts at once if it is put in so long after a stopped report at most", Kinds: kindsOfDriving},
	{Path: "driving.sums_without_card", Means: "whether daily and weekly sums are kept of vehicles without a driver's card", Raise: More, Kinds: kindsOfSums},
	{Path: "driving.classes", Means: "whose driving time is counted", Raise: More, Kinds: kindsOfDriving},
	{Path: "fatigue_continuous.enabled", Means: "whether driving too long without a rest is looked for", Raise: More, Kinds: only(KindFatigueContinuous), Also: only(KindFatigueSevere)},
	{Path: "fatigue_continuous.limit_s", Means: "how long a driver may drive without a rest", Raise: Fewer, Kinds: only(KindFatigueContinuous), Also: only(KindFatigueSevere)},
	{Path: "fatigue_continuous.prewarn_s", Means: "how long before the limit the driver is warned; 0: never", Raise: Same, Kinds: only(KindFatigueContinuous)},
	{Path: "fatigue_continuous.classes", Means: "for whom", Raise: More, Kinds: only(KindFatigueContinuous), Also: only(KindFatigueSevere)},
	{Path: "fatigue_night.enabled", Means: "whether driving too long in one night is looked for", Raise: More, Kinds: only(KindFatigueNight)},
	{Path: "fatigue_night.limit_s", Means: "how long a driver may drive in one night without a rest", Raise: Fewer, Kinds: only(KindFatigueNight)},
	{Path: "fatigue_night.prewarn_s", Means: "how long before the limit the driver is warned; 0: never", Raise: Same, Kinds: only(KindFatigueNight)},
	{Path: "fatigue_night.classes", Means: "for whom", Raise: More, Kinds: only(KindFatigueNight)},
	{Path: "fatigue_daily.enabled", Means: "whether driving too much in a day is looked for", Raise: More, Kinds: only(KindFatigueDaily), Also: only(KindFatigueWeekly)},
	{Path: "fatigue_daily.limit_s", Means: "how much a driver may drive in that time", Raise: Fewer, Kinds: only(KindFatigueDaily), Whole: wholeDriver},
	{Path: "fatigue_daily.window_s", Means: "the time that is looked at", Raise: More, Kinds: only(KindFatigueDaily), Whole: wholeDriver},
	{Path: "fatigue_daily.classes", Means: "for whom", Raise: More, Kinds: only(KindFatigueDaily), Also: only(KindFatigueWeekly)},
	{Path: "fatigue_weekly.enabled", Means: "whether driving too much in a week is looked for", Raise: More, Kinds: only(KindFatigueWeekly), Also: only(KindFatigueDaily)},
	{Path: "fatigue_weekly.limit_s", Means: "how much a driver may drive in that time", Raise: Fewer, Kinds: only(KindFatigueWeekly), Whole: wholeDriver},
	{Path: "fatigue_weekly.window_s", Means: "the time that is looked at", Raise: More, Kinds: only(KindFatigueWeekly), Whole: wholeDriver},
	{Path: "fatigue_weekly.classes", Means: "for whom", Raise: More, Kinds: only(KindFatigueWeekly), Also: only(KindFatigueDaily)},
	{Path: "fatigue_severe.enabled", Means: "whether severe fatigue is looked for", Raise: More, Kinds: only(KindFatigueSevere)},
	{Path: "fatigue_severe.limit_s", Means: "how long a driver may drive without a rest before it is severe", Raise: Fewer, Kinds: only(KindFatigueSevere)},
	{Path: "fatigue_severe.repeated_s", Means: "a second fatigue_continuous so long after the first at most is severe too", Raise: More, Kinds: only(KindFatigueSevere)},
	{Path: "fatigue_severe.classes", Means: "for whom", Raise: More, Kinds: only(KindFatigueSevere)},
	{Path: "night_driving.enabled", Means: "whether driving in forbidden hours is looked for", Raise: More, Kinds: only(KindNightDriving)},
	{Path: "night_driving.speed_kmh", Means: "the speed from which a vehicle drives", Raise: Fewer, Kinds: only(KindNightDriving)},
	{Path: "night_driving.sustained_s", Means: "how long it must drive", Raise: Fewer, Kinds: only(KindNightDriving)},
	{Path: "night_driving.light_s", Means: "a stop as long as this breaks what is not yet sustained", Raise: More, Kinds: only(KindNightDriving)},
	{Path: "night_driving.stop_s", Means: "a stop as long as this ends it", Raise: Longer, Kinds: only(KindNightDriving)},
	{Path: "night_driving.windows", Means: "the hours in which the class must not drive", Kinds: only(KindNightDriving)},

	{Path: "overload.enabled", Means: "whether overloads are looked for", Raise: More, Kinds: only(KindOverload)},
	{Path: "overload.truck_kg", Means: "greatest total mass of a single vehicle with so many axles (6: and more)", Raise: Fewer, Kinds: only(KindOverload)},
	{Path: "overload.combination_kg", Means: "greatest total mass of a combination with so many axles (6: and more)", Raise: Fewer, Kinds: only(KindOverload)},
	{Path: "overload.six_axles_single_drive_kg", Means: "the same with six axles and a single drive axle", Raise: Fewer, Kinds: only(KindOverload)},
	{Path: "overload.dynamic_tolerance_pct", Means: "tolerance of stations that weigh moving vehicles and have none of their own", Raise: Fewer, Kinds: kindsOfMass},
	{Path: "overload.static_tolerance_pct", Means: "tolerance of stations that weigh standing vehicles and have none of their own", Raise: Fewer, Kinds: kindsOfMass},
	{Path: "overload.fine_free_kg", Means: "up to this much over, the estimate of the fine is 0", Raise: Same, Kinds: only(KindOverload)},
	{Path: "overload.fine_per_1000_kg_cny", Means: "the estimate of the fine for each full 1,000 kg over", Raise: Same, Kinds: only(KindOverload)},
	{Path: "overload.fine_max_cny", Means: "the greatest estimate of the fine", Raise: Same, Kinds: only(KindOverload)},
	{Path: "hundred_tonne.enabled", Means: "whether vehicles of a hundred tonnes are looked for", Raise: More, Kinds: only(KindHundredTonne)},
	{Path: "hundred_tonne.limit_kg", Means: "the total mass from which it is one", Raise: Fewer, Kinds: only(KindHundredTonne)},
	{Path: "oversize.enabled", Means: "whether oversize vehicles are looked for", Raise: More, Kinds: only(KindOversize)},
	{Path: "oversize.length_mm", Means: "greatest length", Raise: Fewer, Kinds: only(KindOversize)},
	{Path: "oversize.width_mm", Means: "greatest width", Raise: Fewer, Kinds: only(KindOversize)},
	{Path: "oversize.height_mm", Means: "greatest height", Raise: Fewer, Kinds: only(KindOversize)},
	{Path: "oversize.tolerance_mm", Means: "tolerance of length and width at stations that have none of their own", Raise: Fewer, Kinds: kindsOfSize},
	{Path: "oversize.height_tolerance_mm", Means: "tolerance of height at stations that have none of their own", Raise: Fewer, Kinds: kindsOfSize},
	{Path: "permit_mismatch.enabled", Means: "whether loads beyond their permit are looked for", Raise: More, Kinds: only(KindPermitMismatch)},
	{Path: "weigh_evasion.enabled", Means: "whether evasion of the scales is looked for", Raise: More, Kinds: only(KindWeighEvasion)},
	{Path: "weigh_evasion.approach_s", Means: "how long after the approach of a station a bypass must be entered", Raise: More, Kinds: only(KindWeighEvasion)},
	{Path: "weigh_evasion.record_s", Means: "how long before and after entering the bypass there must be no record", Raise: Fewer, Kinds: only(KindWeighEvasion), Whole: wholeStation},
	{Path: "weigh_evasion.classes", Means: "who evades by going round", Raise: More, Kinds: only(KindWeighEvasion)},
	{Path: "no_waybill.enabled", Means: "whether hazmat loads without a waybill are looked for", Raise: More, Kinds: only(KindNoWaybill)},
	{Path: "no_waybill.moving_s", Means: "how long a vehicle may move without one, summed", Raise: Fewer, Kinds: only(KindNoWaybill)},
	{Path: "no_waybill.stop_s", Means: "a stop as long as this ends it and begins the sum anew", Kinds: only(KindNoWaybill)},

	{Path: "monitoring.classes", Means: "who must be monitored all the time", Raise: More, Kinds: kindsOnline},
	{Path: "gone_dark.enabled", Means: "whether vehicles that fall silent on the road are looked for", Raise: More, Kinds: only(KindGoneDark)},
	{Path: "gone_dark.silent_s", Means: "how long a moving vehicle may be silent", Raise: Fewer, Kinds: only(KindGoneDark)},
	{Path: "gone_dark.min_speed_kmh", Means: "how fast its last report must be", Raise: Fewer, Kinds: only(KindGoneDark)},
	{Path: "gone_dark.least_m", Means: "a vehicle that is found nearer than this was not gone", Raise: Fewer, Kinds: only(KindGoneDark)},
	{Path: "offline_displacement.enabled", Means: "whether ways made without reports are looked for", Raise: More, Kinds: only(KindOfflineDisplacement)},
	{Path: "offline_displacement.silent_s", Means: "how long there must be no report", Raise: Fewer, Kinds: only(KindOfflineDisplacement)},
	{Path: "offline_displacement.least_m", Means: "how far the vehicle must have come meanwhile", Raise: Fewer, Kinds: only(KindOfflineDisplacement)},
	{Path: "offline_displacement.decide_s", Means: "how long to wait for reports that the terminal had stored", Kinds: only(KindOfflineDisplacement)},
	{Path: "unmonitored_running.enabled", Means: "whether vehicles that are weighed and report nothing are looked for", Raise: More, Kinds: only(KindUnmonitoredRunning)},
	{Path: "unmonitored_running.silent_s", Means: "how long before and after the weighing there must be no report", Raise: Fewer, Kinds: only(KindUnmonitoredRunning)},
	{Path: "position_conflict.enabled", Means: "whether weighings are compared with where the vehicle says it is", Raise: More, Kinds: only(KindPositionConflict)},
	{Path: "position_conflict.window_s", Means: "how near in time a report must be to be compared", Kinds: only(KindPositionConflict)},
	{Path: "position_conflict.least_m", Means: "how far from the station it must be", Kinds: only(KindPositionConflict)},
	{Path: "position_conflict.speed_kmh", Means: "the speed at which the vehicle may have come from there", Kinds: only(KindPositionConflict)},
	{Path: "position_conflict.station_vehicles", Means: "more vehicles than this in conflict with one station, and the station is at fault", Raise: More, Kinds: only(KindPositionConflict), Whole: wholeStation},
	{Path: "position_conflict.station_window_s", Means: "within how long", Raise: Fewer, Kinds: only(KindPositionConflict), Whole: wholeStation},
	{Path: "frozen_position.enabled", Means: "whether positions that stay the same on the road are looked for", Raise: More, Kinds: only(KindFrozenPosition)},
	{Path: "frozen_position.place_deg", Means: "by how much a place may change and be the same, in latitude and in longitude", Kinds: only(KindFrozenPosition)},
	{Path: "frozen_position.sustained_s", Means: "how long the place must stay the same", Raise: Fewer, Kinds: only(KindFrozenPosition)},
	{Path: "frozen_position.min_speed_kmh", Means: "how fast every report must be meanwhile", Raise: Fewer, Kinds: only(KindFrozenPosition)},
	{Path: "frozen_position.mileage_km", Means: "or how far the odometer must have gone on", Raise: Fewer, Kinds: only(KindFrozenPosition)},

	{Path: "tampering.enabled", Means: "whether interference with the terminal is looked for", Raise: More, Kinds: only(KindTampering)},
	{Path: "tampering.sustained_s", Means: "how long it must last", Raise: Fewer, Kinds: only(KindTampering)},
	{Path: "tampering.clear_s", Means: "how long there must be no sign of it for it to end", Raise: Longer, Kinds: only(KindTampering)},
	{Path: "overcrowding.enabled", Means: "whether too many passengers are looked for", Raise: More, Kinds: only(KindOvercrowding)},
	{Path: "terminal_alarm.enabled", Means: "whether alarms of the terminal are recorded", Raise: More, Kinds: only(KindTerminalAlarm)},
	{Path: "terminal_alarm.merge_s", Means: "an alarm that comes again sooner than this goes on", Raise: Longer, Kinds: only(KindTerminalAlarm)},
	{Path: "driver_behavior.enabled", Means: "whether what the driver monitor sees is recorded", Raise: More, Kinds: only(KindDriverBehavior)},
	{Path: "driver_behavior.last_s", Means: "how long a start lasts whose end is not reported", Raise: Longer, Kinds: only(KindDriverBehavior)},
	{Path: "driver_behavior.flag_s", Means: "how long after the last start the report of its end is believed", Raise: Longer, Kinds: only(KindDriverBehavior)},
	{Path: "driver_behavior.merge_s", Means: "a start that comes sooner than this after the end goes on with it", Raise: Longer, Kinds: only(KindDriverBehavior)},
	{Path: "collision_risk.enabled", Means: "whether warnings of a collision are recorded", Raise: More, Kinds: only(KindCollisionRisk)},
	{Path: "collision_risk.last_s", Means: "how long a start lasts whose end is not reported", Raise: Longer, Kinds: only(KindCollisionRisk)},
	{Path: "collision_risk.flag_s", Means: "how long after the last start the report of its end is believed", Raise: Longer, Kinds: only(KindCollisionRisk)},
	{Path: "collision_risk.merge_s", Means: "a start that comes sooner than this after the end goes on with it", Raise: Longer, Kinds: only(KindCollisionRisk)},
}

// SettingTable returns what every setting means, in the order of the file.
func SettingTable() []Setting { return slices.Clone(settingTable) }

// settingOf returns the line of the table for a setting, of a class or a number of axles too; nil where there is none.
func settingOf(path string) *Setting {
	for i := range settingTable {
		if p := settingTable[i].Path; p == path || strings.HasPrefix(path, p+".") {
			return &settingTable[i]
		}
	}
	return nil
}

// units are what the numbers are in, by the end of their names.
var units = []struct{ suffix, unit, word string }{{"_s", "s", "seconds"}, {"_kmh", "km/h", "km/h"}, {"_m", "m", "metres"}, {"_km", "km", "kilometres"},
	{"_mm", "mm", "millimetres"}, {"_kg", "kg", "kg"}, {"_pct", "%", "percent"}, {"_deg", "°", "degrees"}, {"_lon", "°", "degrees"}, {"_lat", "°", "degrees"},
	{"_cny", "CNY", "yuan"}}

// UnitOf returns the unit of a setting, short and as a word; empty where it has none.
func UnitOf(path string) (unit, word string) {
	name, parent := path, ""
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	for _, u := range units {
		if strings.HasSuffix(name, u.suffix) {
			return u.unit, u.word
		}
	}
	if parent != "" { // by class, by axles, by road
		return UnitOf(parent)
	}
	return "", ""
}
