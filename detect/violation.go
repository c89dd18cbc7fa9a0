package detect

import (
	"encoding/json"
	"time"

	"lushao/ingest"
)

// Kind is the code of a kind of violation in the rule book.
type Kind string

// The kinds that the engine finds.
const (
	KindSpeeding        Kind = "speeding"
	KindSectionSpeeding Kind = "section_speeding"
	KindFenceEntry      Kind = "fence_entry"
	KindFenceCrossing   Kind = "fence_crossing"
	KindFenceExit       Kind = "fence_exit"
	KindFenceStop       Kind = "fence_stop"
	KindFenceStay       Kind = "fence_stay"
	KindRouteDeviation  Kind = "route_deviation"
	KindUnfiledEntry    Kind = "unfiled_entry"
	KindOverload        Kind = "overload"
	KindHundredTonne    Kind = "hundred_tonne"
	KindOversize        Kind = "oversize"
	KindPermitMismatch  Kind = "permit_mismatch"
	KindWeighEvasion    Kind = "weigh_evasion"
	KindNoWaybill       Kind = "no_waybill"

	KindGoneDark            Kind = "gone_dark"
	KindOfflineDisplacement Kind = "offline_displacement"
	KindUnmonitoredRunning  Kind = "unmonitored_running"
	KindPositionConflict    Kind = "position_conflict"
	KindFrozenPosition      Kind = "frozen_position"
)

// Bits of the terminal and alarms of assistance systems.
const (
	KindTampering      Kind = "tampering"
	KindOvercrowding   Kind = "overcrowding"
	KindDriverBehavior Kind = "driver_behavior"
	KindCollisionRisk  Kind = "collision_risk"
	KindTerminalAlarm  Kind = "terminal_alarm"
)

// Driving time.
const (
	KindFatigueContinuous Kind = "fatigue_continuous"
	KindFatigueNight      Kind = "fatigue_night"
	KindFatigueDaily      Kind = "fatigue_daily"
	KindFatigueWeekly     Kind = "fatigue_weekly"
	KindFatigueSevere     Kind = "fatigue_severe"
	KindNightDriving      Kind = "night_driving"
)

// State is where a violation stands.
type State string

const (
	StateOpen      State = "open"
	StateClosed    State = "closed"
	StateRetracted State = "retracted"
)

// Driver is who drove, by the card.
type Driver struct {
	License string `json:"license"`
	Name    string `json:"name"`
}

// Violation is the record of one violation, in the JSON form of the violations topic, the API and `lushao replay`.
// A nil pointer is null: not known, or not of this kind.
type Violation struct {
	ID       string       `json:"id"`      // 32 hex digits: hash of vehicle, kind, start and subject
	Version  uint64       `json:"version"` // grows with the log; the highest is the record
	State    State        `json:"state"`
	Kind     Kind         `json:"kind"`
	Shadow   string       `json:"shadow,omitempty"` // name of the shadow that found it; empty: it is in force
	Plate    string       `json:"plate"`
	Color    ingest.Color `json:"color"`
	Class    string       `json:"class"`
	Operator *string      `json:"operator"`
	Region   *string      `json:"region"`
	Driver   *Driver      `json:"driver"`

	Start    Time     `json:"start"`
	End      *Time    `json:"end"`
	StartLat *float64 `json:"start_lat"` // degrees
	StartLon *float64 `json:"start_lon"`
	EndLat   *float64 `json:"end_lat"`
	EndLon   *float64 `json:"end_lon"`

	Measured    *float64 `json:"measured"`
	Limit       *float64 `json:"limit"`
	Unit        *string  `json:"unit"`
	OverPct     *float64 `json:"over_pct"`
	Band        *string  `json:"band"`
	LimitSource *string  `json:"limit_source"`
	Fence       *string  `json:"fence"`
	Station     *string  `json:"station"`
	Section     *string  `json:"section"`
	Permit      *string  `json:"permit"`

	DurationS int64 `json:"duration_s"`
	DistanceM int64 `json:"distance_m"`
	Fixes     int64 `json:"fixes"`

	Basis        []string       `json:"basis"`
	RuleVersion  string         `json:"rule_version"`
	EvidenceHash string         `json:"evidence_hash"` // hex SHA-256; see evidence.go
	Notes        []string       `json:"notes"`
	Detail       map[string]any `json:"detail"`
}

// Time is an instant in Unix ms, written in Beijing time with whole seconds.
type Time int64

// Beijing is the zone of every time that is shown: China has one zone and no summer time.
var Beijing = time.FixedZone("CST", 8*3600)

// Std returns t as a time.Time in Beijing time, milliseconds kept.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).In(Beijing) }

// MarshalJSON writes RFC 3339 with +08:00 and whole seconds.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.Std().AppendFormat(nil, `"2006-01-02T15:04:05-07:00"`), nil
}

// UnmarshalJSON reads RFC 3339.
func (t *Time) UnmarshalJSON(b []byte) error {
	var v time.Time
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*t = Time(v.UnixMilli())
	return nil
}
