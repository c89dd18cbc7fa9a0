package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"lushao/ingest"
)

// TrackPosition is a position of the archive.
type TrackPosition struct {
	Event   ingest.Event // of KindPosition
	Quality string       // "ok", or why the gate refused it; empty: not judged
	Place   Place        // in the topic of events
}

// TrackFilter says which positions of a vehicle are asked for.
type TrackFilter struct {
	Vehicle ingest.Vehicle
	From    int64  // Unix ms, event time
	To      int64  // Unix ms, inclusive
	Limit   int    // rows in a page; must be greater than 0
	Cursor  string // TrackPage.Next of the page before
}

// TrackPage is a part of a track, in order of time.
type TrackPage struct {
	Positions []TrackPosition
	Next      string // cursor of the next page; empty: this is the last
}

const positionSelect = `SELECT plate, color, toUnixTimestamp64Milli(time), digest, toUnixTimestamp64Milli(received), lat, lon, speed, recorder_speed,
course, altitude, mileage, fuel, satellites, rssi, located, acc, alarm, status, video_alarm, extras, flags, source, quality, log_partition, log_offset
FROM positions`

// Track returns a page of everything that a vehicle reported in a time, also what the gate refused, each once.
func (s *Store) Track(ctx context.Context, f TrackFilter) (TrackPage, error) {
	if f.Limit <= 0 {
		return TrackPage{}, fmt.Errorf("store: limit: %d; must be greater than 0", f.Limit)
	}
	question, err := questionHash("track", []any{f.Vehicle.String(), f.From, f.To})
	if err != nil {
		return TrackPage{}, err
	}
	c := new(conditions)
	c.vehicle(f.Vehicle)
	c.time("time", ">=", f.From)
	c.time("time", "<=", f.To)
	if f.Cursor != "" {
		ms, key, err := decodeCursor(f.Cursor, question)
		if err != nil || len(key) != 8 {
			return TrackPage{}, ErrCursor
		}
		c.after("time", ">", ms, "digest", "UInt64", binary.BigEndian.Uint64([]byte(key)))
	}
	var out TrackPage
	digests, err := s.readPositions(ctx, &out.Positions, positionSelect+" FINAL"+c.where()+" ORDER BY time, digest LIMIT {n:UInt64}",
		append(c.params, clickhouse.Named("n", uint64(f.Limit+1)))...)
	if err != nil {
		return TrackPage{}, err
	}
	if len(out.Positions) > f.Limit {
		out.Positions = out.Positions[:f.Limit]
		last := binary.BigEndian.AppendUint64(nil, digests[f.Limit-1])
		out.Next = encodeCursor(question, out.Positions[f.Limit-1].Event.Time, string(last))
	}
	return out, nil
}

// vehicle asks for one vehicle.
func (c *conditions) vehicle(v ingest.Vehicle) {
	c.compare("plate", "=", "String", v.Plate())
	c.compare("color", "=", "UInt8", uint8(v.Color))
}

func (s *Store) readPositions(ctx context.Context, dst *[]TrackPosition, query string, params ...any) (digests []uint64, err error) {
	err = s.eachPosition(ctx, func(p TrackPosition, digest uint64) error {
		*dst = append(*dst, p)
		digests = append(digests, digest)
		return nil
	}, query, params...)
	return digests, err
}

// eachPosition calls fn for every row until it fails.
func (s *Store) eachPosition(ctx context.Context, fn func(p TrackPosition, digest uint64) error, query string, params ...any) error {
	rows, err := s.db.Query(ctx, query, params...)
	if err != nil {
		return fmt.Errorf("store: read positions: %w", err)
	}
	defer rows.Close()
	row := newPositionRow()
	for rows.Next() {
		err := row.scan(rows)
		if err == nil {
			err = fn(row.position, row.digest)
		}
		if err != nil {
			return fmt.Errorf("store: read positions: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: read positions: %w", err)
	}
	return nil
}

// positionRow is where rows of positionSelect go, one after another.
type positionRow struct {
	position TrackPosition
	digest   uint64

	plate, extras, source string
	color, flags          uint8
	partition             uint32
	offset                uint64
	columns               []any
}

func newPositionRow() *positionRow {
	r := new(positionRow)
	e := &r.position.Event
	p := &e.Position
	r.columns = []any{&r.plate, &r.color, &e.Time, &r.digest, &e.Received, &p.Lat, &p.Lon, &p.Speed, &p.RecorderSpeed, &p.Course, &p.Altitude,
		&p.Mileage, &p.Fuel, &p.Satellites, &p.RSSI, &p.Located, &p.ACC, &p.Alarm, &p.Status, &p.VideoAlarm, &r.extras, &r.flags, &r.source,
		&r.position.Quality, &r.partition, &r.offset}
	return r
}

func (r *positionRow) scan(rows driver.Rows) (err error) {
	if err := rows.Scan(r.columns...); err != nil {
		return err
	}
	e := &r.position.Event
	if v := &e.Vehicle; v.IsZero() || v.Color != ingest.Color(r.color) || v.Plate() != r.plate {
		if *v, err = ingest.NewVehicle(r.plate, ingest.Color(r.color)); err != nil {
			return err
		}
	}
	e.Kind, e.Flags, e.Source, e.Position.Extras = ingest.KindPosition, ingest.Flags(r.flags), sourceOf(r.source), nil
	if r.extras != "" {
		e.Position.Extras = []byte(r.extras)
	}
	r.position.Place = Place{int(r.partition), int64(r.offset)}
	return nil
}

// sourceOf is the reverse of Source.String, also for sources that this binary does not know.
func sourceOf(name string) ingest.Source {
	for s := ingest.SourceUnknown; s <= ingest.SourceFile; s++ {
		if s.String() == name {
			return s
		}
	}
	var n uint8
	if _, err := fmt.Sscanf(name, "unknown(%d)", &n); err == nil && strings.HasSuffix(name, ")") {
		return ingest.Source(n)
	}
	return ingest.SourceUnknown
}
