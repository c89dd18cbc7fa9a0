package inferior

import (
	"sync"

	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
)

// ring keeps what was sent last, within a bound of bytes, so that a superior of 2019 can ask for it again (0x9303).
type ring struct {
	mu    sync.Mutex
	limit int
	bytes int
	items []ringItem // oldest first, from head on
	head  int
}

type ringItem struct {
	id, sub    jt809.MessageID
	hasVehicle bool
	color      uint8
	plate      jt808.Text
	serial     uint32
	time       int64 // Unix s
	data       []byte
}

// ringOverhead is about what an item costs beside its data.
const ringOverhead = 96

func newRing(limit int) *ring { return &ring{limit: limit} }

func (r *ring) add(e *jt809.Envelope, data []byte, serial uint32, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b []byte
	for r.bytes+len(data)+ringOverhead > r.limit && r.head < len(r.items) {
		old := &r.items[r.head]
		r.bytes -= len(old.data) + ringOverhead
		if b == nil || cap(old.data) > cap(b) {
			b = old.data // used again
		}
		*old = ringItem{}
		r.head++
	}
	if r.bytes+len(data)+ringOverhead > r.limit {
		return // larger than the ring
	}
	if r.head > len(r.items)/2 && r.head > 64 {
		n := copy(r.items, r.items[r.head:])
		clear(r.items[n:])
		r.items, r.head = r.items[:n], 0
	}
	r.items = append(r.items, ringItem{e.ID, e.Sub, e.HasVehicle, e.Color, e.Plate, serial, now, append(b[:0], data...)})
	r.bytes += len(data) + ringOverhead
}

// find returns what was sent with the serials from begin to end, round their largest value, of the message sub; 0: of any.
// With begin and end 0 it returns what was sent since the time.
func (r *ring) find(sub jt809.MessageID, begin, end uint32, since int64) (found []ringItem) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.items[r.head:] {
		switch {
		case sub != 0 && m.sub != sub && m.id != sub:
		case begin == 0 && end == 0 && (since == 0 || m.time < since):
		case (begin != 0 || end != 0) && m.serial-begin > end-begin:
		default:
			m.data = append([]byte(nil), m.data...)
			found = append(found, m)
		}
	}
	return found
}
