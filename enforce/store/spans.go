package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"lushao/ingest"
)

// Span is what is asked of a vehicle.
type Span struct {
	Vehicle  ingest.Vehicle
	From, To int64 // Unix ms, both inclusive
	// Before is the place in the log before which events count, in the partition of the vehicle. Offset 0: all.
	Before Place
}

// WithThreads bounds the threads that ClickHouse takes for each statement with this context.
func WithThreads(ctx context.Context, threads int) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": threads}))
}

// spanName is the vehicle of a row, as Vehicle.String writes it.
const spanName = "concat(plate, '/', toString(color))"

// spans asks for vehicles, of which none is in the list twice, each in its own time, which begins lead ms before its From. For the table of
// positions that is a question about columns of the key alone.
func (c *conditions) spans(column string, list []Span, lead int64) {
	if len(list) == 1 {
		c.vehicle(list[0].Vehicle)
		c.time(column, ">=", list[0].From-lead)
		c.time(column, "<=", list[0].To)
		return
	}
	var plates []string
	from, to := int64(maxTime), int64(minTime)
	for i := range list {
		plates = append(plates, list[i].Vehicle.Plate())
		from, to = min(from, list[i].From-lead), max(to, list[i].To)
	}
	c.in("plate", plates) // for the index
	c.time(column, ">=", from)
	c.time(column, "<=", to)
	ms := "toUnixTimestamp64Milli(" + column + ")"
	c.text = append(c.text, ms+" >= "+c.each(list, math.MaxInt64, func(s *Span) int64 { return max(s.From, math.MinInt64+lead) - lead }),
		ms+" <= "+c.each(list, math.MinInt64, func(s *Span) int64 { return s.To }))
}

// each is a number that every vehicle of a list has; other is that of the others.
func (c *conditions) each(list []Span, other int64, number func(s *Span) int64) string {
	names, numbers := make([]string, len(list)), make([]int64, len(list))
	for i := range list {
		names[i], numbers[i] = list[i].Vehicle.String(), number(&list[i])
	}
	return "transform(" + spanName + ", " + c.param("Array(String)", names) + ", " + c.param("Array(Int64)", numbers) + ", toInt64(" + c.param("Int64", other) + "))"
}

// before asks for what stands before the place of each span.
func (c *conditions) before(list []Span) {
	if !slices.ContainsFunc(list, func(s Span) bool { return s.Before.Offset > 0 }) {
		return
	}
	if len(list) == 1 {
		c.text = append(c.text, fmt.Sprintf("(log_partition != %d OR log_offset < %d)", list[0].Before.Partition, list[0].Before.Offset))
		return
	}
	c.text = append(c.text, "(log_partition != "+c.each(list, -1, func(s *Span) int64 { return int64(s.Before.Partition) })+
		" OR log_offset < "+c.each(list, math.MaxInt64, func(s *Span) int64 {
		if s.Before.Offset == 0 {
			return math.MaxInt64
		}
		return s.Before.Offset
	})+")")
}

// spanPositions calls fn for the positions of vehicles, in order of vehicle and time, until it fails; limit bounds their number, 0 does not.
// Additional items are left out.
func (s *Store) spanPositions(ctx context.Context, list []Span, limit int, fn func(p TrackPosition, digest uint64) error) error {
	keys, rest := new(conditions), new(conditions)
	keys.spans("time", list, 0)
	rest.params = keys.params
	rest.before(list)
	// What is asked about the key alone may be asked before FINAL has merged equals, and spares most of the reading.
	query := eventsSelect + " FINAL PREWHERE" + keys.and() + rest.where() + " ORDER BY plate, color, time, digest"
	if limit > 0 {
		query += " LIMIT " + rest.param("UInt64", uint64(limit))
	}
	// Merging in the order of the key costs more than sorting what little passes.
	query += fmt.Sprintf(" SETTINGS optimize_read_in_order = 0, max_bytes_before_external_sort = %d", sortBytes)
	return s.eachPosition(ctx, fn, query, rest.params...)
}

// indexOf finds the spans by their vehicles.
func indexOf(list []Span) map[ingest.Vehicle]int {
	index := make(map[ingest.Vehicle]int, len(list))
	for i := range list {
		index[list[i].Vehicle] = i
	}
	return index
}
