package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"lushao/detect"
	"lushao/ingest"
)

var drivingTable = newTable("driving_segments", "license String", "name String", "cell DateTime64(3, 'UTC')", "plate String", "color UInt8",
	"class LowCardinality(String)", "start DateTime64(3, 'UTC')", "end DateTime64(3, 'UTC')", "driven_ms UInt32", "version UInt64",
	"written DateTime64(3, 'UTC')", "log_partition UInt32", "log_offset UInt64")

// DrivingBlock is rows for what drivers have driven. The zero value is ready.
type DrivingBlock struct {
	license, name, plate, class []string
	cell, start, end, written   []int64
	color                       []uint8
	driven, partition           []uint32
	version, offset             []uint64
	bytes                       int
}

// Add reads a driving segment as the detector wrote it on the topic and appends it; written is when that was, Unix ms. What is none is
// an error that names the field, and leaves the block as it was.
func (b *DrivingBlock) Add(raw []byte, written int64, at Place) error {
	var s detect.DrivingSegment
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("driving segment: %w", err)
	}
	if err := checkSegment(&s); err != nil {
		return fmt.Errorf("driving segment: %w", err)
	}
	b.license, b.name = append(b.license, s.License), append(b.name, s.Name)
	b.plate, b.color, b.class = append(b.plate, s.Plate), append(b.color, uint8(s.Color)), append(b.class, s.Class)
	b.cell, b.start, b.end = append(b.cell, s.Cell), append(b.start, s.Start), append(b.end, s.End)
	b.driven, b.version = append(b.driven, uint32(s.DrivenMs)), append(b.version, s.Version)
	b.written = append(b.written, min(max(written, minTime), maxTime-1))
	b.partition, b.offset = append(b.partition, uint32(at.Partition)), append(b.offset, uint64(at.Offset))
	b.bytes += len(raw) + 128
	return nil
}

// maxDriven bounds what is driven in a segment: ten minutes.
const maxDriven = 600_000

func checkSegment(s *detect.DrivingSegment) error {
	switch {
	case s.License == "" && s.Name == "" || len(s.License) > 256 || len(s.Name) > 256:
		return errors.New("license, name: empty, or more than 256 bytes")
	case s.Plate == "":
		return errors.New("plate: empty")
	case s.DrivenMs < 0 || s.DrivenMs > maxDriven:
		return fmt.Errorf("driven_ms: %d; from 0 to %d", s.DrivenMs, maxDriven)
	}
	for name, t := range map[string]int64{"cell": s.Cell, "start": s.Start, "end": s.End} {
		if err := checkTime(name, t); err != nil {
			return err
		}
	}
	return nil
}

// Table is driving_segments.
func (b *DrivingBlock) Table() string { return drivingTable.name }

// Rows is the number of rows in the block.
func (b *DrivingBlock) Rows() int { return len(b.license) }

// Size is about how many bytes the rows take in memory.
func (b *DrivingBlock) Size() int { return b.bytes }

// Reset empties the block.
func (b *DrivingBlock) Reset() { *b = DrivingBlock{} }

func (b *DrivingBlock) table() *table { return drivingTable }

func (b *DrivingBlock) columns() []any {
	return []any{b.license, b.name, b.cell, b.plate, b.color, b.class, b.start, b.end, b.driven, b.version, b.written, b.partition, b.offset}
}

// SegmentsSince returns what was driven in vehicles, of which none is in the list twice, in ten minutes that began at the time of each or
// later.
func (s *Store) SegmentsSince(ctx context.Context, list []Since) (map[ingest.Vehicle][]detect.DrivingSegment, error) {
	out := make(map[ingest.Vehicle][]detect.DrivingSegment, len(list))
	if len(list) == 0 {
		return out, nil
	}
	c := new(conditions)
	c.spans("cell", sinceSpans(list), 0)
	rows, err := s.db.Query(ctx, "SELECT license, name, plate, color, class, toUnixTimestamp64Milli(cell), toUnixTimestamp64Milli(start), toUnixTimestamp64Milli(`end`), toInt64(driven_ms), version FROM driving_segments FINAL"+
		c.where()+" ORDER BY cell, license, name", c.params...)
	if err != nil {
		return nil, fmt.Errorf("store: read driving segments: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d detect.DrivingSegment
		var color uint8
		if err := rows.Scan(&d.License, &d.Name, &d.Plate, &color, &d.Class, &d.Cell, &d.Start, &d.End, &d.DrivenMs, &d.Version); err != nil {
			return nil, fmt.Errorf("store: read driving segments: %w", err)
		}
		d.Color = ingest.Color(color)
		v, err := ingest.NewVehicle(d.Plate, d.Color)
		if err != nil {
			return nil, fmt.Errorf("store: read driving segments: %w", err)
		}
		out[v] = append(out[v], d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: read driving segments: %w", err)
	}
	return out, nil
}

// DriverLimits are the driving times beyond which a driver's is looked at.
type DriverLimits struct {
	StretchMs, NightMs, DailyMs, WeeklyMs int64 // over these
	RestMs                                int64 // not driving for so long ends a stretch
	DailyWindowMs, WeeklyWindowMs         int64
	NightFrom, NightTo                    int // minutes of the day in Beijing time
}

// DriverTotal is the driving time of a driver who has driven several vehicles, up to the end of his last driving.
type DriverTotal struct {
	License, Name string
	Vehicle       ingest.Vehicle // the last
	Vehicles      uint64         // in the weekly window
	End           int64          // of the last driving, Unix ms
	StretchMs     int64          // since he last had not driven for as long as a rest
	NightMs       int64          // of the stretch within the last night
	DailyMs       int64
	WeeklyMs      int64
	Over          bool // any of them
}

// DriverTotals sums up what drivers have driven in several vehicles, of those who have driven since a time, Unix ms, by license. Sums take
// pieces of ten minutes that begin outside of their window whole: they are never too small.
func (s *Store) DriverTotals(ctx context.Context, since int64, l DriverLimits) (out []DriverTotal, err error) {
	const cell = 600_000
	// A day begins at 00:00 of Beijing time, 8 h ahead of UTC; the night that counts is the last that has begun.
	query := `WITH arrayFilter((p, i) -> i >= stretch_from, pieces, arrayEnumerate(pieces)) AS stretch,
    last + 28800000 - {night_from:Int64} AS shifted,
    shifted - shifted % 86400000 + {night_from:Int64} - 28800000 AS night
SELECT license, name, pieces[-1].3, pieces[-1].4, vehicles, last,
    arraySum(p -> p.5, stretch),
    arraySum(p -> if(p.2 > night AND p.1 < night + {night_length:Int64}, p.5, 0), stretch),
    arraySum(p -> if(p.2 > last - {daily:Int64}, p.5, 0), pieces),
    arraySum(p -> if(p.2 > last - {weekly:Int64}, p.5, 0), pieces)
FROM
(
    SELECT license, name, uniqExact(plate, color) AS vehicles,
        arraySort(p -> (p.1, p.2), groupArray((toUnixTimestamp64Milli(start), toUnixTimestamp64Milli(` + "`end`" + `), plate, color, toInt64(driven_ms)))) AS pieces,
        pieces[-1].2 AS last,
        arrayLastIndex((p, i) -> i = 1 OR p.1 - pieces[i - 1].2 >= {rest:Int64}, pieces, arrayEnumerate(pieces)) AS stretch_from
    FROM
    (
        SELECT * FROM driving_segments FINAL
        WHERE cell >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND driven_ms > 0
            AND (license, name) IN (SELECT license, name FROM driving_segments WHERE cell >= fromUnixTimestamp64Milli({since:Int64}, 'UTC'))
    )
    GROUP BY license, name
    HAVING vehicles > 1
)
ORDER BY license, name`
	night := int64((l.NightTo-l.NightFrom+1439)%1440 + 1)
	rows, err := s.db.Query(ctx, query, clickhouse.Named("rest", l.RestMs), clickhouse.Named("daily", l.DailyWindowMs), clickhouse.Named("weekly", l.WeeklyWindowMs),
		clickhouse.Named("night_from", int64(l.NightFrom)*60_000), clickhouse.Named("night_length", night*60_000),
		clickhouse.Named("since", min(max(since-cell, minTime), maxTime)), clickhouse.Named("from", min(max(since-l.WeeklyWindowMs-cell, minTime), maxTime)))
	if err != nil {
		return nil, fmt.Errorf("store: sum up driving times: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d DriverTotal
		var plate string
		var color uint8
		if err := rows.Scan(&d.License, &d.Name, &plate, &color, &d.Vehicles, &d.End, &d.StretchMs, &d.NightMs, &d.DailyMs, &d.WeeklyMs); err != nil {
			return nil, fmt.Errorf("store: sum up driving times: %w", err)
		}
		if d.Vehicle, err = ingest.NewVehicle(plate, ingest.Color(color)); err != nil {
			return nil, fmt.Errorf("store: sum up driving times: %w", err)
		}
		d.Over = d.StretchMs > l.StretchMs || d.NightMs > l.NightMs || d.DailyMs > l.DailyMs || d.WeeklyMs > l.WeeklyMs
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: sum up driving times: %w", err)
	}
	return out, nil
}
