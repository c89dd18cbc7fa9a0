package sink

import (
	"encoding/binary"

	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/bus"
)

// contents are the rows that a pipeline gathers from messages.
type contents interface {
	// add takes a message and returns how many pieces of it became dead letters. What it needs of the message is copied.
	add(m *bus.Message) (dead int)
	// blocks are the tables' blocks; empty ones too.
	blocks() []store.Block
}

func size(c contents) (rows, bytes int) {
	for _, b := range c.blocks() {
		rows += b.Rows()
		bytes += b.Size()
	}
	return rows, bytes
}

// archiveContents takes messages of packed events.
type archiveContents struct {
	topic   string
	quality Quality
	events  store.EventBlocks
	dead    store.DeadLetterBlock
	event   ingest.Event // decoded into again and again
	all     []store.Block
}

func newArchiveContents(topic string, quality Quality) *archiveContents {
	c := &archiveContents{topic: topic, quality: quality}
	c.all = append(c.events.All(), &c.dead)
	return c
}

func (c *archiveContents) add(m *bus.Message) (dead int) {
	at := store.Place{Partition: m.Partition, Offset: m.Offset}
	for b := m.Value; len(b) > 0; {
		rest, err := ingest.DecodeEvent(b, &c.event)
		if err == nil {
			quality := ""
			if c.quality != nil && c.event.Kind == ingest.KindPosition {
				quality = c.quality(&c.event)
			}
			err = c.events.Add(&c.event, quality, at)
		} else {
			rest = afterBadEvent(b)
		}
		if err != nil {
			dead++
			c.dead.Add(store.DeadLetter{Topic: c.topic, At: at, Position: len(m.Value) - len(b), Written: m.Time.UnixMilli(),
				Reason: err.Error(), Raw: b[:len(b)-len(rest)]})
		}
		b = rest
	}
	return dead
}

// afterBadEvent looks for the event after one that can't be decoded, so that the vehicles packed behind it do not suffer.
// Its size can be trusted where it leads to the end or to a good event; else nothing is left.
func afterBadEvent(b []byte) (rest []byte) {
	if len(b) < 4 {
		return nil
	}
	size := binary.LittleEndian.Uint32(b)
	if size < 4 || uint64(size) >= uint64(len(b)) {
		return nil
	}
	var e ingest.Event
	if _, err := ingest.DecodeEvent(b[size:], &e); err != nil {
		return nil
	}
	return b[size:]
}

func (c *archiveContents) blocks() []store.Block { return c.all }

// recordContents takes messages of one record in JSON each.
type recordContents[T any, P recordBlock[T]] struct {
	topic   string
	records T
	dead    store.DeadLetterBlock
	all     []store.Block
}

// recordBlock is the block of a kind of records.
type recordBlock[T any] interface {
	*T
	store.Block
	Add(raw []byte, written int64, at store.Place) error
}

func newRecordContents[T any, P recordBlock[T]](topic string) *recordContents[T, P] {
	c := &recordContents[T, P]{topic: topic}
	c.all = []store.Block{P(&c.records), &c.dead}
	return c
}

func (c *recordContents[T, P]) add(m *bus.Message) (dead int) {
	if len(m.Value) == 0 {
		return 0 // a tombstone: somebody compacts the topic; it says nothing of the record
	}
	at := store.Place{Partition: m.Partition, Offset: m.Offset}
	if err := P(&c.records).Add(m.Value, m.Time.UnixMilli(), at); err != nil {
		c.dead.Add(store.DeadLetter{Topic: c.topic, At: at, Written: m.Time.UnixMilli(), Reason: err.Error(), Raw: m.Value})
		return 1
	}
	return 0
}

func (c *recordContents[T, P]) blocks() []store.Block { return c.all }
