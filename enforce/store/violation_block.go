package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lushao/detect"
)

var violationTable = newTable("violations", "id String", "version UInt64", "state LowCardinality(String)",
	"kind LowCardinality(String)", "counted Bool", "plate String", "color UInt8", "class LowCardinality(String)", "operator String",
	"region LowCardinality(String)", "driver_license String", "driver_name String", "start DateTime64(3, 'UTC')",
	"end Nullable(DateTime64(3, 'UTC'))", "start_lat Nullable(Float64)", "start_lon Nullable(Float64)",
	"end_lat Nullable(Float64)", "end_lon Nullable(Float64)", "measured Nullable(Float64)", "limit Nullable(Float64)",
	"unit LowCardinality(String)", "over_pct Nullable(Float64)", "band LowCardinality(String)",
	"limit_source LowCardinality(String)", "fence String", "station String", "section String", "permit String",
	"duration_s Int64", "distance_m Int64", "fixes Int64", "basis Array(LowCardinality(String))",
	"rule_version LowCardinality(String)", "evidence_hash String", "notes Array(LowCardinality(String))", "detail String",
	"json String", "shadow LowCardinality(String)", "written DateTime64(3, 'UTC')", "log_partition UInt32", "log_offset UInt64")

// ViolationBlock is rows for violations. The zero value is ready.
type ViolationBlock struct {
	id, state, kind, plate, class, operator, region, license, driver []string
	unit, band, limitSource, fence, station, section, permit         []string
	ruleVersion, evidenceHash, detail, json, shadow                  []string
	version, offset                                                  []uint64
	counted                                                          []bool
	color                                                            []uint8
	start, duration, distance, fixes, written                        []int64
	end                                                              []*int64
	startLat, startLon, endLat, endLon, measured, limit, overPct     []*float64
	basis, notes                                                     [][]string
	partition                                                        []uint32
	bytes                                                            int
}

// maxViolationJSON bounds a violation's message: a case that needs more is no case.
const maxViolationJSON = 1 << 20

// Add reads a violation as the detector wrote it on the topic and appends it; written is when that was, Unix ms. What is
// no violation is an error that names the field, and leaves the block as it was. raw is copied.
func (b *ViolationBlock) Add(raw []byte, written int64, at Place) error {
	if len(raw) > maxViolationJSON {
		return fmt.Errorf("violation: %d bytes; at most %d", len(raw), maxViolationJSON)
	}
	var v detect.Violation
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("violation: %w", err)
	}
	if err := checkViolation(&v); err != nil {
		return fmt.Errorf("violation: %w", err)
	}
	detail, err := json.Marshal(v.Detail)
	if err != nil {
		return fmt.Errorf("violation: detail: %w", err)
	}
	b.id, b.version, b.state = append(b.id, v.ID), append(b.version, v.Version), append(b.state, string(v.State))
	b.kind, b.counted = append(b.kind, string(v.Kind)), append(b.counted, Counted(&v))
	b.plate, b.color, b.class = append(b.plate, v.Plate), append(b.color, uint8(v.Color)), append(b.class, v.Class)
	b.operator, b.region = append(b.operator, text(v.Operator)), append(b.region, text(v.Region))
	var d detect.Driver
	if v.Driver != nil {
		d = *v.Driver
	}
	b.license, b.driver = append(b.license, d.License), append(b.driver, d.Name)
	b.start, b.end = append(b.start, int64(v.Start)), append(b.end, (*int64)(v.End))
	b.startLat, b.startLon = append(b.startLat, v.StartLat), append(b.startLon, v.StartLon)
	b.endLat, b.endLon = append(b.endLat, v.EndLat), append(b.endLon, v.EndLon)
	b.measured, b.limit, b.unit = append(b.measured, v.Measured), append(b.limit, v.Limit), append(b.unit, text(v.Unit))
	b.overPct, b.band = append(b.overPct, v.OverPct), append(b.band, text(v.Band))
	b.limitSource, b.fence = append(b.limitSource, text(v.LimitSource)), append(b.fence, text(v.Fence))
	b.station, b.section, b.permit = append(b.station, text(v.Station)), append(b.section, text(v.Section)), append(b.permit, text(v.Permit))
	b.duration, b.distance, b.fixes = append(b.duration, v.DurationS), append(b.distance, v.DistanceM), append(b.fixes, v.Fixes)
	b.basis, b.notes = append(b.basis, v.Basis), append(b.notes, v.Notes)
	b.ruleVersion, b.evidenceHash = append(b.ruleVersion, v.RuleVersion), append(b.evidenceHash, v.EvidenceHash)
	b.detail, b.json = append(b.detail, string(detail)), append(b.json, string(raw))
	b.shadow = append(b.shadow, v.Shadow)
	b.written = append(b.written, min(max(written, minTime), maxTime-1))
	b.partition, b.offset = append(b.partition, uint32(at.Partition)), append(b.offset, uint64(at.Offset))
	b.bytes += 3*len(raw) + 512
	return nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func checkViolation(v *detect.Violation) error {
	switch {
	case v.ID == "" || len(v.ID) > 64:
		return fmt.Errorf("id: %d bytes; want 1 to 64", len(v.ID))
	case v.Kind == "":
		return errors.New("kind: empty")
	case v.Plate == "":
		return errors.New("plate: empty")
	case v.Shadow != "" && !detect.IsShadowName(v.Shadow):
		return fmt.Errorf("shadow: %.80q is no name of a shadow", v.Shadow)
	case v.State != detect.StateOpen && v.State != detect.StateClosed && v.State != detect.StateRetracted:
		return fmt.Errorf("state: %q; one of open, closed, retracted", v.State)
	}
	if err := checkTime("start", int64(v.Start)); err != nil {
		return err
	}
	if v.Start == 0 {
		return errors.New("start: missing")
	}
	if v.End != nil {
		return checkTime("end", int64(*v.End))
	}
	return nil
}

// uncountedAlarms are the alarm bits of JT/T 808 0x0200 that double rules of our own.
var uncountedAlarms = []int{1, 2, 18, 20, 21, 22, 23}

// Counted reports whether a violation belongs into counts, by the rule book: what a shadow finds does not; collision_risk is a warning, and some
// alarms of a terminal double rules of our own. detail.alarm holds the number of the bit, alone or with its name.
func Counted(v *detect.Violation) bool {
	if v.Shadow != "" {
		return false
	}
	switch v.Kind {
	case "collision_risk":
		return false
	case "terminal_alarm":
		bit, ok := alarmBit(v.Detail["alarm"])
		return !ok || !slices.Contains(uncountedAlarms, bit)
	}
	return true
}

func alarmBit(v any) (int, bool) {
	switch v := v.(type) {
	case float64:
		return int(v), true
	case int:
		return v, true
	case string: // "18 timeout"
		n, err := strconv.Atoi(v[:len(v)-len(strings.TrimLeft(v, "0123456789"))])
		return n, err == nil
	case map[string]any:
		for _, k := range []string{"bit", "number"} {
			if n, ok := alarmBit(v[k]); ok {
				return n, true
			}
		}
	case []any:
		if len(v) > 0 {
			return alarmBit(v[0])
		}
	}
	return 0, false
}

// Table is violations.
func (b *ViolationBlock) Table() string { return violationTable.name }

// Rows is the number of rows in the block.
func (b *ViolationBlock) Rows() int { return len(b.id) }

// Size is about how many bytes the rows take in memory.
func (b *ViolationBlock) Size() int { return b.bytes }

// Reset empties the block.
func (b *ViolationBlock) Reset() { *b = ViolationBlock{} }

func (b *ViolationBlock) table() *table { return violationTable }

func (b *ViolationBlock) columns() []any {
	return []any{b.id, b.version, b.state, b.kind, b.counted, b.plate, b.color, b.class, b.operator, b.region, b.license, b.driver,
		b.start, b.end, b.startLat, b.startLon, b.endLat, b.endLon, b.measured, b.limit, b.unit, b.overPct, b.band,
		b.limitSource, b.fence, b.station, b.section, b.permit, b.duration, b.distance, b.fixes, b.basis, b.ruleVersion,
		b.evidenceHash, b.notes, b.detail, b.json, b.shadow, b.written, b.partition, b.offset}
}
