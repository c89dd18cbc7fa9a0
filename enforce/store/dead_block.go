package store

import (
	"github.com/cespare/xxhash/v2"
)

var deadLetterTable = newTable("dead_letters", "topic LowCardinality(String)", "log_partition UInt32", "log_offset UInt64",
	"position UInt32", "digest UInt64", "written DateTime64(3, 'UTC')", "reason String", "raw String")

// DeadLetter is something from the log that can't be read.
type DeadLetter struct {
	Topic    string
	At       Place
	Position int   // byte in the message's value at which Raw begins
	Written  int64 // when the message was written to the log; Unix ms
	Reason   string
	Raw      []byte
}

// DeadLetterBlock is rows for dead_letters. The zero value is ready.
type DeadLetterBlock struct {
	topic, reason, raw []string
	partition          []uint32
	offset, digest     []uint64
	position           []uint32
	written            []int64
	bytes              int
}

// Add appends a dead letter. What d points to is copied.
func (b *DeadLetterBlock) Add(d DeadLetter) {
	b.topic, b.reason, b.raw = append(b.topic, d.Topic), append(b.reason, d.Reason), append(b.raw, string(d.Raw))
	b.partition, b.offset = append(b.partition, uint32(d.At.Partition)), append(b.offset, uint64(d.At.Offset))
	b.digest, b.position = append(b.digest, xxhash.Sum64(d.Raw)), append(b.position, uint32(d.Position))
	b.written = append(b.written, min(max(d.Written, minTime), maxTime-1)) // of the log's clock, which may be wrong too
	b.bytes += len(d.Topic) + len(d.Reason) + len(d.Raw) + 88
}

// Table is dead_letters.
func (b *DeadLetterBlock) Table() string { return deadLetterTable.name }

// Rows is the number of rows in the block.
func (b *DeadLetterBlock) Rows() int { return len(b.topic) }

// Size is about how many bytes the rows take in memory.
func (b *DeadLetterBlock) Size() int { return b.bytes }

// Reset empties the block.
func (b *DeadLetterBlock) Reset() { *b = DeadLetterBlock{} }

func (b *DeadLetterBlock) table() *table { return deadLetterTable }

func (b *DeadLetterBlock) columns() []any {
	return []any{b.topic, b.partition, b.offset, b.position, b.digest, b.written, b.reason, b.raw}
}

// Letters returns what is in the block.
func (b *DeadLetterBlock) Letters() []DeadLetter {
	var out []DeadLetter
	for i := range b.topic {
		out = append(out, DeadLetter{Topic: b.topic[i], At: Place{int(b.partition[i]), int64(b.offset[i])}, Position: int(b.position[i]),
			Written: b.written[i], Reason: b.reason[i], Raw: []byte(b.raw[i])})
	}
	return out
}
