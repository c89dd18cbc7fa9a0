package store

import (
	"context"
	"fmt"

	"lushao/ingest"
)

// What judging vehicles again asks of the record beside what they reported.

// Since is a vehicle and from when on its record is asked for, Unix ms.
type Since struct {
	Vehicle ingest.Vehicle
	From    int64
}

func sinceSpans(list []Since) []Span {
	out := make([]Span, len(list))
	for i := range list {
		out[i] = Span{Vehicle: list[i].Vehicle, From: list[i].From, To: maxTime}
	}
	return out
}

// ViolationsSince returns what stands in the record of the violations of vehicles, of which none is in the list twice, each from its time on, in
// their last version; what was retracted too.
func (s *Store) ViolationsSince(ctx context.Context, list []Since) (map[ingest.Vehicle][]Record, error) {
	out := make(map[ingest.Vehicle][]Record, len(list))
	if len(list) == 0 {
		return out, nil
	}
	c := new(conditions)
	c.spans("start", sinceSpans(list), 0)
	var found []Record
	if err := s.readRecords(ctx, &found, "SELECT json FROM violations FINAL"+c.where()+" ORDER BY start, id", c.params...); err != nil {
		return nil, err
	}
	for i := range found {
		v, err := ingest.NewVehicle(found[i].Plate, found[i].Color)
		if err != nil {
			return nil, fmt.Errorf("store: violation %s in the record: %w", found[i].ID, err)
		}
		out[v] = append(out[v], found[i])
	}
	return out, nil
}

// VisitsSince is ViolationsSince for visits, by their entry.
func (s *Store) VisitsSince(ctx context.Context, list []Since) (map[ingest.Vehicle][]VisitRecord, error) {
	out := make(map[ingest.Vehicle][]VisitRecord, len(list))
	if len(list) == 0 {
		return out, nil
	}
	c := new(conditions)
	c.spans("entered", sinceSpans(list), 0)
	found, err := s.readVisits(ctx, "SELECT json FROM visits FINAL"+c.where()+" ORDER BY entered, id", c.params...)
	if err != nil {
		return nil, err
	}
	for i := range found {
		v, err := ingest.NewVehicle(found[i].Plate, found[i].Color)
		if err != nil {
			return nil, fmt.Errorf("store: visit %s in the record: %w", found[i].ID, err)
		}
		out[v] = append(out[v], found[i])
	}
	return out, nil
}

// CardUse is a card that was put into a vehicle.
type CardUse struct {
	License string
	Vehicle ingest.Vehicle
	At      int64 // Unix ms
}

// CardUses returns when any of some cards was put into which vehicle in a time, both ends inclusive, Unix ms, by plate and colour.
func (s *Store) CardUses(ctx context.Context, licenses []string, from, to int64) ([]CardUse, error) {
	if len(licenses) == 0 {
		return nil, nil
	}
	c := new(conditions)
	c.in("license", licenses)
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	c.text = append(c.text, "on_duty")
	var out []CardUse
	err := s.eachPlate(ctx, func(v ingest.Vehicle, license string, at int64) { out = append(out, CardUse{license, v, at}) },
		"SELECT DISTINCT plate, color, license, toUnixTimestamp64Milli(time) AS at FROM driver_cards"+c.where()+" ORDER BY plate, color, at", c.params...)
	return out, err
}

// Weighed is a vehicle that a station weighed.
type Weighed struct {
	Station string
	Vehicle ingest.Vehicle
	At      int64 // Unix ms
}

// WeighedAt returns the vehicles that any of some stations weighed in a time, both ends inclusive, Unix ms, by plate and colour.
func (s *Store) WeighedAt(ctx context.Context, stations []string, from, to int64) ([]Weighed, error) {
	if len(stations) == 0 {
		return nil, nil
	}
	c := new(conditions)
	c.in("station", stations)
	c.text = append(c.text, "plate != ''")
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	var out []Weighed
	err := s.eachPlate(ctx, func(v ingest.Vehicle, station string, at int64) { out = append(out, Weighed{station, v, at}) },
		"SELECT DISTINCT plate, color, station, toUnixTimestamp64Milli(time) AS at FROM weighings"+c.where()+" ORDER BY plate, color, at", c.params...)
	return out, err
}

// eachPlate calls fn for rows of plate, color, a text and a time.
func (s *Store) eachPlate(ctx context.Context, fn func(v ingest.Vehicle, text string, at int64), query string, params ...any) error {
	rows, err := s.db.Query(ctx, query, params...)
	if err != nil {
		return fmt.Errorf("store: look for vehicles: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var plate, text string
		var color uint8
		var at int64
		if err := rows.Scan(&plate, &color, &text, &at); err != nil {
			return fmt.Errorf("store: look for vehicles: %w", err)
		}
		v, err := ingest.NewVehicle(plate, ingest.Color(color))
		if err != nil {
			return fmt.Errorf("store: look for vehicles: %w", err)
		}
		fn(v, text, at)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: look for vehicles: %w", err)
	}
	return nil
}
