package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"lushao/ingest"
)

// ErrTooMany says that there is more than was allowed to be read.
var ErrTooMany = errors.New("more than may be read at once")

// Box is a rectangle, borders included, 1e-6 degree.
type Box struct{ MinLat, MinLon, MaxLat, MaxLon int32 }

// Presence is a vehicle that was in a place.
type Presence struct {
	Vehicle     ingest.Vehicle
	Positions   uint64 // in any of the boxes
	First, Last int64  // of these, Unix ms
}

// VehiclesIn returns the vehicles with a position in any of the boxes from one time to another, both inclusive, Unix ms, those
// with most positions there first, at most limit of them, and how many there are in all. Positions that the gate refused do not
// count. It reads the positions of all vehicles in that time: the caller bounds it.
func (s *Store) VehiclesIn(ctx context.Context, boxes []Box, from, to int64, limit int) (list []Presence, all uint64, err error) {
	if limit <= 0 {
		return nil, 0, fmt.Errorf("store: limit: %d; must be greater than 0", limit)
	}
	if len(boxes) == 0 {
		return nil, 0, nil
	}
	c := new(conditions)
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	c.text = append(c.text, plausible, "quality IN ('ok', '')")
	var any []string
	for _, b := range boxes {
		any = append(any, "(lat BETWEEN "+c.param("Int32", b.MinLat)+" AND "+c.param("Int32", b.MaxLat)+
			" AND lon BETWEEN "+c.param("Int32", b.MinLon)+" AND "+c.param("Int32", b.MaxLon)+")")
	}
	c.text = append(c.text, "("+strings.Join(any, " OR ")+")")
	rows, err := s.db.Query(ctx, `SELECT plate, color, uniqExact(time, digest) AS n, toUnixTimestamp64Milli(min(time)), toUnixTimestamp64Milli(max(time)), count() OVER ()
FROM positions`+c.where()+" GROUP BY plate, color ORDER BY n DESC, plate, color LIMIT {n:UInt64}", append(c.params, clickhouse.Named("n", uint64(limit)))...)
	if err != nil {
		return nil, 0, fmt.Errorf("store: look for vehicles in a place: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Presence
		var plate string
		var color uint8
		if err := rows.Scan(&plate, &color, &p.Positions, &p.First, &p.Last, &all); err != nil {
			return nil, 0, fmt.Errorf("store: look for vehicles in a place: %w", err)
		}
		if p.Vehicle, err = ingest.NewVehicle(plate, ingest.Color(color)); err != nil {
			return nil, 0, err
		}
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("store: look for vehicles in a place: %w", err)
	}
	return list, all, nil
}

// EventsFilter says which events of vehicles are asked for.
type EventsFilter struct {
	Vehicles []ingest.Vehicle
	From, To int64 // Unix ms, both inclusive
	// Lead is how much earlier, in ms, events other than positions begin: a driver's card may be in since the morning.
	Lead int64
	// MaxPositions is how many positions may be read; of other events it bounds each kind. 0: no limit.
	MaxPositions int
}

// Events returns what vehicles reported, each event once, in order of time, then vehicle, receipt and the log, and the weighings of that
// time whose plate could not be read, which may be theirs. Additional items of
// positions are left out: they are most of the memory. With more than MaxPositions it is ErrTooMany.
func (s *Store) Events(ctx context.Context, f EventsFilter) ([]ingest.Event, error) {
	wanted := make(map[ingest.Vehicle]bool, len(f.Vehicles))
	var plates []string
	for _, v := range f.Vehicles {
		if !wanted[v] {
			wanted[v] = true
			plates = append(plates, v.Plate())
		}
	}
	if len(plates) == 0 {
		return nil, nil
	}
	slices.Sort(plates)
	plates = slices.Compact(plates)
	during := func(from int64, plates []string) *conditions {
		c := new(conditions)
		c.in("plate", plates)
		c.time("time", ">=", from)
		c.time("time", "<=", f.To)
		return c
	}
	var list []ArchivedEvent
	take := func(e ArchivedEvent) error {
		if !wanted[e.Event.Vehicle] && !e.Event.Unread() {
			return nil
		}
		if f.MaxPositions > 0 && len(list) == f.MaxPositions {
			return ErrTooMany
		}
		e.Event.Position.Extras = nil
		list = append(list, e)
		return nil
	}
	c := during(f.From, plates)
	if err := s.eachPosition(ctx, func(p TrackPosition, _ uint64) error { return take(ArchivedEvent{p.Event, p.Place}) }, positionSelect+" FINAL"+c.where(), c.params...); err != nil {
		return nil, err
	}
	for _, k := range rareKinds {
		c = during(f.From-f.Lead, plates)
		if k.kind == ingest.KindWeighing {
			c = during(f.From-f.Lead, append([]string{""}, plates...))
		}
		before := list
		list = nil
		err := s.eachRare(ctx, take, k, c)
		list = append(before, list...)
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, func(a, b ArchivedEvent) int {
		return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), a.Event.Vehicle.Compare(&b.Event.Vehicle), cmp.Compare(a.Event.Received, b.Event.Received),
			cmp.Compare(a.Place.Offset, b.Place.Offset))
	})
	out := make([]ingest.Event, len(list))
	for i := range list {
		out[i] = list[i].Event
	}
	return out, nil
}
