package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"lushao/ingest"
)

// HistoryFilter says how far a vehicle's history is asked for.
type HistoryFilter struct {
	Vehicle  ingest.Vehicle
	From, To int64 // Unix ms of positions and alarms, both inclusive
	// Before is the place in the log before which events count, in the partition of the vehicle. 0: all.
	Before Place
	// MaxPositions bounds what is read; more is ErrTooMany. 0: no limit.
	MaxPositions int
}

const (
	dayMs = 86400 * 1000
	// A waybill is sent when the goods are loaded; one that is older than that is none of this trip.
	waybillLead = 31 * dayMs
	// Overloads of the last year are counted.
	weighingLead = 365 * dayMs
)

// History returns what judging a vehicle's events again needs: all that it reported from From to To, and of what was before the
// card that was put in last, the waybills that may still be valid, the weighings of a year, and the last position with a load; and the
// weighings from From to To whose plate could not be read. The events stand in the order of time, then of receipt and of the log. Additional items of positions are left out.
func (s *Store) History(ctx context.Context, f HistoryFilter) ([]ArchivedEvent, error) {
	during := func(from int64) *conditions {
		c := new(conditions)
		c.vehicle(f.Vehicle)
		c.time("time", ">=", from)
		c.time("time", "<=", f.To)
		if f.Before.Offset > 0 {
			c.text = append(c.text, fmt.Sprintf("(log_partition != %d OR log_offset < %d)", f.Before.Partition, f.Before.Offset))
		}
		return c
	}
	var list []ArchivedEvent
	take := func(e ArchivedEvent) error {
		if f.MaxPositions > 0 && len(list) == f.MaxPositions {
			return ErrTooMany
		}
		e.Event.Position.Extras = nil
		list = append(list, e)
		return nil
	}
	position := func(p TrackPosition, _ uint64) error { return take(ArchivedEvent{p.Event, p.Place}) }
	c := during(f.From)
	if err := s.eachPosition(ctx, position, positionSelect+" FINAL"+c.where(), c.params...); err != nil {
		return nil, err
	}
	earlier := new(conditions)
	earlier.vehicle(f.Vehicle)
	earlier.time("time", "<", f.From)
	earlier.time("time", ">=", f.From-31*dayMs)
	loaded := *earlier
	loaded.text = append(slices.Clone(loaded.text), "bitAnd(status, 768) != 0", plausible)
	if err := s.eachPosition(ctx, position, positionSelect+" FINAL"+loaded.where()+" ORDER BY time DESC LIMIT 1", loaded.params...); err != nil {
		return nil, err
	}
	for _, k := range rareKinds {
		from := f.From
		switch k.kind {
		case ingest.KindWaybill:
			from -= waybillLead
		case ingest.KindWeighing:
			from -= weighingLead
		case ingest.KindLink:
			continue // no rule uses it
		}
		if err := s.eachRare(ctx, take, k, during(from)); err != nil {
			return nil, err
		}
		if k.kind == ingest.KindWeighing { // those whose plate could not be read may be its own
			unread := new(conditions)
			unread.text = append(unread.text, "plate = ''")
			unread.time("time", ">=", f.From)
			unread.time("time", "<=", f.To)
			if err := s.eachRare(ctx, take, k, unread); err != nil {
				return nil, err
			}
		}
		if k.kind == ingest.KindDriverCard {
			last := *earlier
			last.text = append(slices.Clone(last.text), "on_duty")
			if err := s.eachRare(ctx, take, k, &last, " ORDER BY time DESC LIMIT 1"); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(list, func(a, b ArchivedEvent) int {
		return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), cmp.Compare(a.Event.Received, b.Event.Received), cmp.Compare(a.Place.Offset, b.Place.Offset))
	})
	return list, nil
}

// EventsOf returns the events without their places in the log.
func EventsOf(list []ArchivedEvent) []ingest.Event {
	out := make([]ingest.Event, len(list))
	for i := range list {
		out[i] = list[i].Event
	}
	return out
}

// VehicleViolations returns what stands in the record of a vehicle's violations that began at a time, Unix ms, or later, in their last
// version; what was retracted too.
func (s *Store) VehicleViolations(ctx context.Context, v ingest.Vehicle, since int64) ([]Record, error) {
	c := new(conditions)
	c.vehicle(v)
	c.time("start", ">=", since)
	var out []Record
	err := s.readRecords(ctx, &out, "SELECT json FROM violations FINAL"+c.where()+" ORDER BY start, id", c.params...)
	return out, err
}

// VehicleVisits is VehicleViolations for visits.
func (s *Store) VehicleVisits(ctx context.Context, v ingest.Vehicle, since int64) ([]VisitRecord, error) {
	c := new(conditions)
	c.vehicle(v)
	c.time("entered", ">=", since)
	return s.readVisits(ctx, "SELECT json FROM visits FINAL"+c.where()+" ORDER BY entered, id", c.params...)
}

// CardVehicles returns the vehicles into which any of some cards was put in a time, both ends inclusive, Unix ms, by plate.
func (s *Store) CardVehicles(ctx context.Context, licenses []string, from, to int64) ([]ingest.Vehicle, error) {
	if len(licenses) == 0 {
		return nil, nil
	}
	c := new(conditions)
	c.in("license", licenses)
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	c.text = append(c.text, "on_duty")
	return s.vehicles(ctx, "SELECT DISTINCT plate, color FROM driver_cards"+c.where()+" ORDER BY plate, color", c.params...)
}

// WeighedVehicles returns the vehicles that a station weighed in a time, both ends inclusive, Unix ms, by plate.
func (s *Store) WeighedVehicles(ctx context.Context, station string, from, to int64) ([]ingest.Vehicle, error) {
	c := new(conditions)
	c.compare("station", "=", "String", station)
	c.text = append(c.text, "plate != ''")
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	return s.vehicles(ctx, "SELECT DISTINCT plate, color FROM weighings"+c.where()+" ORDER BY plate, color", c.params...)
}

func (s *Store) vehicles(ctx context.Context, query string, params ...any) (out []ingest.Vehicle, err error) {
	rows, err := s.db.Query(ctx, query, params...)
	if err != nil {
		return nil, fmt.Errorf("store: look for vehicles: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var plate string
		var color uint8
		if err := rows.Scan(&plate, &color); err != nil {
			return nil, fmt.Errorf("store: look for vehicles: %w", err)
		}
		v, err := ingest.NewVehicle(plate, ingest.Color(color))
		if err != nil {
			return nil, fmt.Errorf("store: look for vehicles: %w", err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: look for vehicles: %w", err)
	}
	return out, nil
}
