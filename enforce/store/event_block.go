package store

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// Place is where in the log a row came from.
type Place struct {
	Partition int
	Offset    int64
}

// The times that the record can hold, Unix ms: from 1970 up to before 2200. A time outside is no time of a vehicle.
const (
	minTime = 0
	maxTime = 7258118400000
)

// TimeError says that an event's time can't be stored.
type TimeError struct {
	Field string
	Value int64 // Unix ms
}

func (e *TimeError) Error() string {
	return fmt.Sprintf("%s: %d ms since 1970 is outside of the years 1970 to 2199", e.Field, e.Value)
}

func checkTime(field string, ms int64) error {
	if ms < minTime || ms >= maxTime {
		return &TimeError{field, ms}
	}
	return nil
}

// head is the columns that all kinds of events have.
type head struct {
	plate     texts
	color     []uint8
	time      []int64
	digest    []uint64
	received  []int64
	flags     []uint8
	source    []string
	partition []uint32
	offset    []uint64
	extra     int // bytes of what the kind adds
}

// The names of the columns of a head, around those of the kind.
var (
	headFirst = []string{"plate String", "color UInt8", "time DateTime64(3, 'UTC')", "digest UInt64", "received DateTime64(3, 'UTC')"}
	headLast  = []string{"flags UInt8", "source LowCardinality(String)", "log_partition UInt32", "log_offset UInt64"}
)

func eventTable(name string, columns ...string) *table {
	all := append(append(append([]string(nil), headFirst...), columns...), headLast...)
	return newTable(name, all...)
}

func (h *head) add(e *ingest.Event, digest uint64, at Place) {
	h.plate.buf = e.Vehicle.AppendPlate(h.plate.buf)
	h.plate.ends = append(h.plate.ends, len(h.plate.buf))
	h.color = append(h.color, uint8(e.Vehicle.Color))
	h.time = append(h.time, e.Time)
	h.digest = append(h.digest, digest)
	h.received = append(h.received, e.Received)
	h.flags = append(h.flags, uint8(e.Flags))
	h.source = append(h.source, e.Source.String())
	h.partition = append(h.partition, uint32(at.Partition))
	h.offset = append(h.offset, uint64(at.Offset))
}

func (h *head) with(columns ...any) []any {
	out := append([]any{h.plate.strings(), h.color, h.time, h.digest, h.received}, columns...)
	return append(out, h.flags, h.source, h.partition, h.offset)
}

func (h *head) reset() {
	h.plate.reset()
	h.color, h.time, h.digest, h.received = h.color[:0], h.time[:0], h.digest[:0], h.received[:0]
	h.flags, h.source, h.partition, h.offset = h.flags[:0], h.source[:0], h.partition[:0], h.offset[:0]
	h.extra = 0
}

// Rows is the number of rows in the block.
func (h *head) Rows() int { return len(h.color) }

// Size is about how many bytes the rows take in memory.
func (h *head) Size() int { return len(h.plate.buf) + 72*len(h.color) + h.extra }

// positionDigest is a hash of what every protocol carries exactly of a position, so that a report that comes directly by
// JT/T 808 and once more through a platform by JT/T 809 is one row. With the vehicle and the time it is the identity in the
// table, so its layout must never change.
//
// The 36 bytes of JT/T 809-2011 (table 15) have coordinates, course, altitude and the words of state and alarm as JT/T 808
// has them. They round speeds to whole km/h and mileage to whole km, have no additional items (video alarms, fuel,
// satellites, signal) and say 0 for what is not known of those; so none of these is in it, nor how, when, from where, or how
// often the report came. Which of equal rows stays, the table decides: the first in the log, which is the one that was judged.
func positionDigest(e *ingest.Event) uint64 {
	p := &e.Position
	var b [21]byte
	binary.LittleEndian.PutUint32(b[0:], uint32(p.Lat))
	binary.LittleEndian.PutUint32(b[4:], uint32(p.Lon))
	binary.LittleEndian.PutUint32(b[8:], p.Alarm)
	binary.LittleEndian.PutUint32(b[12:], statusWord(p))
	binary.LittleEndian.PutUint16(b[16:], p.Course)
	binary.LittleEndian.PutUint16(b[18:], uint16(p.Altitude))
	b[20] = byte(e.Flags & ingest.FlagEncrypted)
	return xxhash.Sum64(b[:])
}

// statusWord is the state word without the hemispheres, which the signs of the coordinates say, and with the bits of what
// other fields say: a position of a file may have those alone.
func statusWord(p *ingest.Position) uint32 {
	s := p.Status &^ (jt808.StatusSouth | jt808.StatusWest | jt808.StatusLocated | jt808.StatusACC)
	if p.Located {
		s |= jt808.StatusLocated
	}
	if p.ACC {
		s |= jt808.StatusACC
	}
	return s
}

// hasher makes digests of the kinds whose content is in texts and lists: fields in the order of the struct, each text
// with its length before it. The order must never change, for the reason above.
type hasher struct {
	d xxhash.Digest
	b [8]byte
}

func newHasher() *hasher {
	h := new(hasher)
	h.d.Reset()
	return h
}

func (h *hasher) number(v uint64) {
	binary.LittleEndian.PutUint64(h.b[:], v)
	h.d.Write(h.b[:])
}

func (h *hasher) numbers(v ...uint64) {
	for _, n := range v {
		h.number(n)
	}
}

func (h *hasher) texts(v ...string) {
	for _, s := range v {
		h.number(uint64(len(s)))
		h.d.WriteString(s)
	}
}

func (h *hasher) truth(v bool) {
	if v {
		h.number(1)
	} else {
		h.number(0)
	}
}
