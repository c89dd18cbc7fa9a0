package store

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"lushao/ingest"
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

// positionDigest is a hash of what the vehicle reported: not of how it came, nor when, nor whether it was sent again from
// a blind area. It is part of the identity in the table, so its layout must never change.
func positionDigest(e *ingest.Event) uint64 {
	p := &e.Position
	var b [40]byte
	binary.LittleEndian.PutUint32(b[0:], uint32(p.Lat))
	binary.LittleEndian.PutUint32(b[4:], uint32(p.Lon))
	binary.LittleEndian.PutUint32(b[8:], p.Alarm)
	binary.LittleEndian.PutUint32(b[12:], p.Status)
	binary.LittleEndian.PutUint32(b[16:], p.VideoAlarm)
	binary.LittleEndian.PutUint32(b[20:], p.Mileage)
	binary.LittleEndian.PutUint16(b[24:], p.Speed)
	binary.LittleEndian.PutUint16(b[26:], p.RecorderSpeed)
	binary.LittleEndian.PutUint16(b[28:], p.Course)
	binary.LittleEndian.PutUint16(b[30:], uint16(p.Altitude))
	binary.LittleEndian.PutUint16(b[32:], p.Fuel)
	b[34], b[35] = p.Satellites, p.RSSI
	if p.Located {
		b[36] |= 1
	}
	if p.ACC {
		b[36] |= 2
	}
	b[37] = byte(e.Flags & ingest.FlagEncrypted)
	if len(p.Extras) == 0 {
		return xxhash.Sum64(b[:])
	}
	var d xxhash.Digest
	d.Reset()
	d.Write(b[:])
	d.Write(p.Extras)
	return d.Sum64()
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
