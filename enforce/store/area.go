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

// Scene is a box in a time, both ends inclusive, Unix ms.
type Scene struct {
	Box
	From, To int64
}

// VehiclesAt is VehiclesIn for several scenes, at most limit vehicles of each, with one pass over the positions of their time.
func (s *Store) VehiclesAt(ctx context.Context, scenes []Scene, limit int) ([][]ingest.Vehicle, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("store: limit: %d; must be greater than 0", limit)
	}
	out := make([][]ingest.Vehicle, len(scenes))
	if len(scenes) == 0 {
		return out, nil
	}
	c := new(conditions)
	all, from, to := scenes[0].Box, scenes[0].From, scenes[0].To
	for i := range scenes {
		x := &scenes[i]
		all = Box{min(all.MinLat, x.MinLat), min(all.MinLon, x.MinLon), max(all.MaxLat, x.MaxLat), max(all.MaxLon, x.MaxLon)}
		from, to = min(from, x.From), max(to, x.To)
	}
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	c.text = append(c.text, plausible, "quality IN ('ok', '')", "lat BETWEEN "+c.param("Int32", all.MinLat)+" AND "+c.param("Int32", all.MaxLat),
		"lon BETWEEN "+c.param("Int32", all.MinLon)+" AND "+c.param("Int32", all.MaxLon))
	of := func(typ string, number func(x *Scene) int64) string {
		list := make([]int64, len(scenes))
		for i := range scenes {
			list[i] = number(&scenes[i])
		}
		return c.param("Array("+typ+")", list)
	}
	// The scenes that a position is in, by their numbers from 1.
	in := "arrayJoin(arrayFilter((i, t1, t2, a1, a2, o1, o2) -> toUnixTimestamp64Milli(time) BETWEEN t1 AND t2 AND lat BETWEEN a1 AND a2 AND lon BETWEEN o1 AND o2, range(1, " +
		c.param("UInt64", uint64(len(scenes))+1) + "), " + of("Int64", func(x *Scene) int64 { return x.From }) + ", " + of("Int64", func(x *Scene) int64 { return x.To }) + ", " +
		of("Int64", func(x *Scene) int64 { return int64(x.MinLat) }) + ", " + of("Int64", func(x *Scene) int64 { return int64(x.MaxLat) }) + ", " +
		of("Int64", func(x *Scene) int64 { return int64(x.MinLon) }) + ", " + of("Int64", func(x *Scene) int64 { return int64(x.MaxLon) }) + "))"
	rows, err := s.db.Query(ctx, "SELECT toUInt64(scene), plate, color FROM (SELECT "+in+" AS scene, plate, color, time, digest FROM positions"+c.where()+
		") GROUP BY scene, plate, color ORDER BY scene, uniqExact(time, digest) DESC, plate, color LIMIT {n:UInt64} BY scene", append(c.params, clickhouse.Named("n", uint64(limit)))...)
	if err != nil {
		return nil, fmt.Errorf("store: look for vehicles in places: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n uint64
		var plate string
		var color uint8
		if err := rows.Scan(&n, &plate, &color); err != nil {
			return nil, fmt.Errorf("store: look for vehicles in places: %w", err)
		}
		v, err := ingest.NewVehicle(plate, ingest.Color(color))
		if err != nil {
			return nil, err
		}
		out[n-1] = append(out[n-1], v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: look for vehicles in places: %w", err)
	}
	return out, nil
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

// eventsSelect is positionSelect without the additional items, which no rule uses and which are most of a row.
var eventsSelect = strings.Replace(positionSelect, " extras,", " '',", 1)

// sortBytes is how much ClickHouse sorts in memory before it goes on on disk.
const sortBytes = 512 << 20

// Events calls fn for what vehicles reported, each event once, in order of time, then vehicle, receipt and the log, until fn fails, and
// for the weighings of that time whose plate could not be read, which may be theirs; an event is valid until fn returns. Additional items of positions are left out. Positions are passed on as they come, so that a day of
// a fleet takes no memory here. With more than MaxPositions it is ErrTooMany, at the latest before the last of them.
func (s *Store) Events(ctx context.Context, f EventsFilter, fn func(e *ingest.Event) error) error {
	if len(f.Vehicles) == 0 {
		return nil
	}
	var plates, names []string
	for _, v := range f.Vehicles {
		plates, names = append(plates, v.Plate()), append(names, fmt.Sprintf("%s/%d", v.Plate(), v.Color))
	}
	during := func(from int64, kind ingest.Kind) *conditions {
		c := new(conditions)
		plates, names := plates, names
		if kind == ingest.KindWeighing { // also those of nobody
			plates, names = append(slices.Clone(plates), ""), append(slices.Clone(names), "/0")
		}
		c.in("plate", plates) // for the index
		c.in("concat(plate, '/', toString(color))", names)
		c.time("time", ">=", from)
		c.time("time", "<=", f.To)
		return c
	}
	rare, err := s.rareEvents(ctx, func(kind ingest.Kind) *conditions { return during(f.From-f.Lead, kind) }, f.MaxPositions)
	if err != nil {
		return err
	}
	c := during(f.From, ingest.KindPosition)
	query := eventsSelect + " FINAL" + c.where()
	if f.MaxPositions > 0 { // so that what will be refused is not sorted
		query = "SELECT * FROM (" + query + " LIMIT " + c.param("UInt64", uint64(f.MaxPositions)+1) + ")"
	}
	// The columns are those of eventsSelect by number: 3 is the time, 1 and 2 the vehicle, 5 the receipt, 26 the offset, 4 the digest.
	query += fmt.Sprintf(" ORDER BY 3, 1, 2, 5, 26, 4 SETTINGS max_bytes_before_external_sort = %d", sortBytes)
	positions := 0
	err = s.eachPosition(ctx, func(p TrackPosition, _ uint64) error {
		if positions++; f.MaxPositions > 0 && positions > f.MaxPositions {
			return ErrTooMany
		}
		at := ArchivedEvent{p.Event, p.Place}
		for len(rare) > 0 && compareArchived(rare[0], at) < 0 {
			if err := fn(&rare[0].Event); err != nil {
				return err
			}
			rare = rare[1:]
		}
		at.Event.Position.Extras = nil
		return fn(&at.Event)
	}, query, c.params...)
	for i := 0; err == nil && i < len(rare); i++ {
		err = fn(&rare[i].Event)
	}
	return err
}

// rareEvents returns all events but positions in their order, at most most of each kind.
func (s *Store) rareEvents(ctx context.Context, of func(kind ingest.Kind) *conditions, most int) ([]ArchivedEvent, error) {
	var list []ArchivedEvent
	for _, k := range rareKinds {
		n := 0
		err := s.eachRare(ctx, func(e ArchivedEvent) error {
			if n++; most > 0 && n > most {
				return ErrTooMany
			}
			list = append(list, e)
			return nil
		}, k, of(k.kind))
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, compareArchived)
	return list, nil
}

// compareArchived orders by time, then vehicle, receipt and the log.
func compareArchived(a, b ArchivedEvent) int {
	return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), a.Event.Vehicle.Compare(&b.Event.Vehicle), cmp.Compare(a.Event.Received, b.Event.Received),
		cmp.Compare(a.Place.Offset, b.Place.Offset))
}
