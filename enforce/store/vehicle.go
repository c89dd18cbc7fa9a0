package store

import (
	"context"
	"fmt"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"lushao/ingest"
)

// Seen is a vehicle of the record, and when it was seen.
type Seen struct {
	Vehicle     ingest.Vehicle
	First, Last int64 // Unix ms, event time
}

// VehicleSummary is what the record knows of a vehicle.
type VehicleSummary struct {
	Seen
	Last    *TrackPosition    // the latest position that is not refused; nil: it reported none
	Days30  map[string]uint64 // violations by kind that began in the last 30 days; only those that are in counts
	Days365 map[string]uint64
	Recent  []Record // the latest violations, at most 20
}

const recentViolations = 20

// plausible leaves out what a wrong clock reported: the first test of the quality gate with its usual bounds.
const plausible = "time BETWEEN received - INTERVAL 366 DAY AND received + INTERVAL 5 MINUTE"

// isPlausible is that for an event.
func isPlausible(e *ingest.Event) bool {
	return e.Time >= e.Received-366*dayMs && e.Time <= e.Received+300_000
}

// Colors returns the vehicles of a plate, by colour: with another colour it is another vehicle. Empty: it was never seen.
func (s *Store) Colors(ctx context.Context, plate string) ([]Seen, error) {
	rows, err := s.db.Query(ctx, `SELECT color, toUnixTimestamp64Milli(min(first)), toUnixTimestamp64Milli(max(last)) FROM (
  SELECT color, min(time) AS first, max(time) AS last FROM positions WHERE plate = {plate:String} AND `+plausible+` GROUP BY color
  UNION ALL SELECT color, min(time), max(time) FROM weighings WHERE plate = {plate:String} AND `+plausible+` GROUP BY color
  UNION ALL SELECT color, min(start), max(start) FROM violations WHERE plate = {plate:String} GROUP BY color
) GROUP BY color ORDER BY color`, clickhouse.Named("plate", plate))
	if err != nil {
		return nil, fmt.Errorf("store: look for a plate: %w", err)
	}
	defer rows.Close()
	var out []Seen
	for rows.Next() {
		var v Seen
		var color uint8
		if err := rows.Scan(&color, &v.First, &v.Last); err != nil {
			return nil, fmt.Errorf("store: look for a plate: %w", err)
		}
		if v.Vehicle, err = ingest.NewVehicle(plate, ingest.Color(color)); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: look for a plate: %w", err)
	}
	return out, nil
}

// Vehicle returns what the record knows of a vehicle, or ErrNotFound. now ends the days that are counted.
func (s *Store) Vehicle(ctx context.Context, v ingest.Vehicle, now time.Time) (*VehicleSummary, error) {
	seen, err := s.Colors(ctx, v.Plate())
	if err != nil {
		return nil, err
	}
	var out VehicleSummary
	for _, c := range seen {
		if c.Vehicle == v {
			out.Seen = c
		}
	}
	if out.Vehicle.IsZero() {
		return nil, ErrNotFound
	}
	if out.Last, err = s.lastPosition(ctx, v); err != nil {
		return nil, err
	}
	f := ViolationFilter{Plate: v.Plate(), Color: &v.Color, Limit: recentViolations}
	page, err := s.ListViolations(ctx, f)
	if err != nil {
		return nil, err
	}
	out.Recent = page.Violations
	for days, dst := range map[int]*map[string]uint64{30: &out.Days30, 365: &out.Days365} {
		f.From = now.AddDate(0, 0, -days).UnixMilli()
		if *dst, err = s.CountViolations(ctx, f); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// lastPosition takes the first in the log of the latest instant, which is the one that counts as the fix. It reads the end
// of the vehicle's rows only; FINAL would read them all.
func (s *Store) lastPosition(ctx context.Context, v ingest.Vehicle) (*TrackPosition, error) {
	c := new(conditions)
	c.vehicle(v)
	c.text = append(c.text, plausible, "quality IN ('ok', '')")
	var found []TrackPosition
	_, err := s.readPositions(ctx, &found, positionSelect+c.where()+" ORDER BY time DESC, log_offset LIMIT 1", c.params...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}
