package platform

import "lushao/ingest/jt809"

// warnTypes are the alarm types (warn_type; JT/T 809, table of alarm types, and JT/T 1078-2016) that kinds of violations are
// reported and supervised as. A kind that is not here is WarnOther.
var warnTypes = map[string]uint16{
	"speeding":           jt809.WarnOverspeed,
	"section_speeding":   jt809.WarnOverspeed,
	"fatigue_continuous": jt809.WarnFatigue,
	"fatigue_night":      jt809.WarnFatigue,
	"fatigue_severe":     jt809.WarnFatigue,
	"fatigue_daily":      jt809.WarnOvertimeDriving,
	"fatigue_weekly":     jt809.WarnOvertimeDriving,
	"night_driving":      jt809.WarnOvertimeDriving,
	"fence_entry":        jt809.WarnEnterArea,
	"fence_exit":         jt809.WarnLeaveArea,
	"fence_crossing":     jt809.WarnOutOfBounds,
	"route_deviation":    jt809.WarnOffRoute,
	"overcrowding":       jt809.WarnOvercrowded,
	"driver_behavior":    jt809.WarnAbnormalDriving,
}

// warnTypes2019 are those that 2019 added.
var warnTypes2019 = map[string]uint16{
	"collision_risk":       jt809.WarnForwardCollision,
	"gone_dark":            jt809.WarnAbnormalData,
	"tampering":            jt809.WarnAbnormalData,
	"offline_displacement": jt809.WarnAbnormalData,
	"frozen_position":      jt809.WarnAbnormalData,
	"position_conflict":    jt809.WarnAbnormalData,
}

// WarnType is the alarm type of a kind of violation in an edition.
func WarnType(kind string, ed jt809.Edition) uint16 {
	if n, ok := warnTypes2019[kind]; ok && ed == jt809.Edition2019 {
		return n
	}
	if n, ok := warnTypes[kind]; ok {
		return n
	}
	return jt809.WarnOther
}
