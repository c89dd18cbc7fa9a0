package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"lushao/ingest"
)

// eventSelect begins every query for events of a rare kind; the columns of the kind follow.
const eventSelect = "SELECT plate, color, toUnixTimestamp64Milli(time), toUnixTimestamp64Milli(received), flags, source, log_partition, log_offset, "

// ArchivedEvent is an event as it came through the log.
type ArchivedEvent struct {
	Event ingest.Event
	Place Place
}

// VehicleEvents returns everything that a vehicle reported from one time to another, both inclusive, Unix ms: all kinds
// of events, each once, in order of time, then receipt, then the log; and the weighings of that time whose plate could not be read, which
// may be its own; with additional items, and where each stands in the log. The caller bounds the time; a week of a vehicle is some 20,000
// events. History is what judging again needs.
func (s *Store) VehicleEvents(ctx context.Context, v ingest.Vehicle, from, to int64) ([]ArchivedEvent, error) {
	c := new(conditions)
	c.vehicle(v)
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	var positions []TrackPosition
	if _, err := s.readPositions(ctx, &positions, positionSelect+" FINAL"+c.where(), c.params...); err != nil {
		return nil, err
	}
	out := make([]ArchivedEvent, 0, len(positions))
	for i := range positions {
		out = append(out, ArchivedEvent{positions[i].Event, positions[i].Place})
	}
	for _, k := range rareKinds {
		asked := c
		if k.kind == ingest.KindWeighing {
			asked = new(conditions)
			asked.text = append(asked.text, "(plate = "+asked.param("String", v.Plate())+" AND color = "+asked.param("UInt8", uint8(v.Color))+" OR plate = '')")
			asked.time("time", ">=", from)
			asked.time("time", "<=", to)
		}
		err := s.eachRare(ctx, func(e ArchivedEvent) error {
			out = append(out, e)
			return nil
		}, k, asked)
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b ArchivedEvent) int {
		return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), cmp.Compare(a.Event.Received, b.Event.Received),
			cmp.Compare(a.Place.Offset, b.Place.Offset))
	})
	return out, nil
}

// rareKind says how a kind of event is read back: its table, its columns, and where they go.
type rareKind struct {
	kind    ingest.Kind
	table   string
	columns string
	fields  func(e *ingest.Event) []any
}

var rareKinds = []rareKind{
	{ingest.KindWeighing, "weighings", "station, record, lat, lon, axles, combination, single_drive_axle, gross_kg, axle_kg, length_mm, width_mm, height_mm, speed, lane, method, evaded",
		func(e *ingest.Event) []any {
			w := new(ingest.Weighing)
			e.Weighing = w
			return []any{&w.Station, &w.Record, &w.Lat, &w.Lon, &w.Axles, (*uint8)(&w.Combination), (*uint8)(&w.SingleDriveAxle), &w.GrossKg, &w.AxleKg,
				&w.LengthMm, &w.WidthMm, &w.HeightMm, &w.Speed, &w.Lane, (*uint8)(&w.Method), &w.Evaded}
		}},
	{ingest.KindDriverCard, "driver_cards", "on_duty, license, name, org, result",
		func(e *ingest.Event) []any {
			d := new(ingest.DriverCard)
			e.Driver = d
			return []any{&d.On, &d.License, &d.Name, &d.Org, &d.Result}
		}},
	{ingest.KindWaybill, "waybills", "number, valid_start, valid_end, cargo_class, route, text",
		func(e *ingest.Event) []any {
			w := new(ingest.Waybill)
			e.Waybill = w
			return []any{&w.Number, &w.Start, &w.End, &w.CargoClass, &w.Route, &w.Text}
		}},
	{ingest.KindSafety, "safety_events", "system, kind, level, flag, alarm_id, speed",
		func(e *ingest.Event) []any {
			a := new(ingest.Safety)
			e.Safety = a
			return []any{&a.System, &a.Kind, &a.Level, &a.Flag, &a.AlarmID, &a.Speed}
		}},
	{ingest.KindLink, "links", "online, reason",
		func(e *ingest.Event) []any {
			l := new(ingest.Link)
			e.Link = l
			return []any{&l.Online, &l.Reason}
		}},
}

// eachRare calls fn for every event of a kind until it fails. order may say in which order, and how many.
func (s *Store) eachRare(ctx context.Context, fn func(ArchivedEvent) error, k rareKind, c *conditions, order ...string) error {
	rows, err := s.db.Query(ctx, eventSelect+k.columns+" FROM "+k.table+" FINAL"+c.where()+strings.Join(order, ""), c.params...)
	if err != nil {
		return fmt.Errorf("store: read %s: %w", k.table, err)
	}
	defer rows.Close()
	for rows.Next() {
		a := ArchivedEvent{Event: ingest.Event{Kind: k.kind}}
		err := scanRare(rows, &a, k)
		if err == nil {
			err = fn(a)
		}
		if err != nil {
			return fmt.Errorf("store: read %s: %w", k.table, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: read %s: %w", k.table, err)
	}
	return nil
}

func scanRare(rows driver.Rows, a *ArchivedEvent, k rareKind) (err error) {
	var plate, source string
	var color, flags uint8
	var partition uint32
	var offset uint64
	e := &a.Event
	if err := rows.Scan(append([]any{&plate, &color, &e.Time, &e.Received, &flags, &source, &partition, &offset}, k.fields(e)...)...); err != nil {
		return err
	}
	if plate != "" || k.kind != ingest.KindWeighing { // else it could not be read
		if e.Vehicle, err = ingest.NewVehicle(plate, ingest.Color(color)); err != nil {
			return err
		}
	}
	e.Flags, e.Source = ingest.Flags(flags), sourceOf(source)
	a.Place = Place{int(partition), int64(offset)}
	return nil
}
