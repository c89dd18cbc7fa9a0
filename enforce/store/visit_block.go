package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"lushao/detect"
)

var visitTable = newTable("visits", "id String", "version UInt64", "state LowCardinality(String)", "plate String", "color UInt8",
	"region LowCardinality(String)", "operator String", "fence String", "jurisdiction LowCardinality(String)", "filing String",
	"entered DateTime64(3, 'UTC')", "left Nullable(DateTime64(3, 'UTC'))", "json String", "written DateTime64(3, 'UTC')",
	"log_partition UInt32", "log_offset UInt64")

// VisitBlock is rows for visits. The zero value is ready.
type VisitBlock struct {
	id, state, plate, region, operator, fence, jurisdiction, filing, json []string
	version, offset                                                       []uint64
	color                                                                 []uint8
	entered, written                                                      []int64
	left                                                                  []*int64
	partition                                                             []uint32
	bytes                                                                 int
}

// Add reads a visit as the detector wrote it on the topic and appends it; written is when that was, Unix ms. What is no
// visit is an error that names the field, and leaves the block as it was. raw is copied.
func (b *VisitBlock) Add(raw []byte, written int64, at Place) error {
	if len(raw) > maxViolationJSON {
		return fmt.Errorf("visit: %d bytes; at most %d", len(raw), maxViolationJSON)
	}
	var v detect.Visit
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("visit: %w", err)
	}
	if err := checkVisit(&v); err != nil {
		return fmt.Errorf("visit: %w", err)
	}
	b.id, b.version, b.state = append(b.id, v.ID), append(b.version, v.Version), append(b.state, string(v.State))
	b.plate, b.color = append(b.plate, v.Plate), append(b.color, uint8(v.Color))
	b.region, b.operator = append(b.region, text(v.Region)), append(b.operator, text(v.Operator))
	b.fence, b.jurisdiction, b.filing = append(b.fence, v.Fence), append(b.jurisdiction, v.Jurisdiction), append(b.filing, text(v.Filing))
	b.entered, b.left = append(b.entered, int64(v.Entered)), append(b.left, (*int64)(v.Left))
	b.json, b.written = append(b.json, string(raw)), append(b.written, min(max(written, minTime), maxTime-1))
	b.partition, b.offset = append(b.partition, uint32(at.Partition)), append(b.offset, uint64(at.Offset))
	b.bytes += 2*len(raw) + 256
	return nil
}

func checkVisit(v *detect.Visit) error {
	switch {
	case v.ID == "" || len(v.ID) > 64:
		return fmt.Errorf("id: %d bytes; want 1 to 64", len(v.ID))
	case v.Plate == "":
		return errors.New("plate: empty")
	case v.State != detect.StateOpen && v.State != detect.StateClosed && v.State != detect.StateRetracted:
		return fmt.Errorf("state: %q; one of open, closed, retracted", v.State)
	case v.Entered == 0:
		return errors.New("entered: missing")
	}
	if err := checkTime("entered", int64(v.Entered)); err != nil {
		return err
	}
	if v.Left != nil {
		return checkTime("left", int64(*v.Left))
	}
	return nil
}

// Table is visits.
func (b *VisitBlock) Table() string { return visitTable.name }

// Rows is the number of rows in the block.
func (b *VisitBlock) Rows() int { return len(b.id) }

// Size is about how many bytes the rows take in memory.
func (b *VisitBlock) Size() int { return b.bytes }

// Reset empties the block.
func (b *VisitBlock) Reset() { *b = VisitBlock{} }

func (b *VisitBlock) table() *table { return visitTable }

func (b *VisitBlock) columns() []any {
	return []any{b.id, b.version, b.state, b.plate, b.color, b.region, b.operator, b.fence, b.jurisdiction, b.filing, b.entered, b.left,
		b.json, b.written, b.partition, b.offset}
}
