package gateway

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"

	"lushao/ingest/jt808"
)

// A terminal sends a report again when it did not see the acknowledgement, often on a new connection. Where the log has
// the first one, the second is acknowledged and not written. What counts is the same id, serial and body of the same
// terminal and vehicle, among the last messages of it that the log acknowledged.

// rememberedMessages is how many messages of a terminal are remembered.
const rememberedMessages = 64

// memory is what is kept of a terminal over its connections.
type memory struct {
	phone jt808.Phone

	mu   sync.Mutex
	sums []uint64 // of the last messages in the log, a ring
	next int
	key  *jt808.PublicKey // the terminal's own (0x0A00)
}

func (m *memory) has(sum uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.sums, sum)
}

func (m *memory) add(sum uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.sums) < rememberedMessages {
		m.sums = append(m.sums, sum)
		return
	}
	m.sums[m.next] = sum
	m.next = (m.next + 1) % rememberedMessages
}

// memories are those of the terminals that came or went last, at most limit. A terminal whose memory made room for others
// while it is online keeps it until it goes.
type memories struct {
	limit int
	seed  maphash.Seed

	mu      sync.Mutex
	byPhone map[jt808.Phone]*list.Element // of *memory
	order   list.List                     // the latest first
}

func newMemories(limit int) *memories {
	return &memories{limit: limit, seed: maphash.MakeSeed(), byPhone: map[jt808.Phone]*list.Element{}}
}

// of returns the memory of a terminal that comes, nil where nothing is to be remembered.
func (r *memories) of(phone jt808.Phone) *memory {
	if r.limit <= 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.byPhone[phone]; e != nil {
		r.order.MoveToFront(e)
		return e.Value.(*memory)
	}
	m := &memory{phone: phone}
	r.put(m)
	return m
}

// keep keeps the memory of a terminal that goes.
func (r *memories) keep(m *memory) {
	if m == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.byPhone[m.phone]; e == nil {
		r.put(m)
	} else {
		r.order.MoveToFront(e)
	}
}

func (r *memories) put(m *memory) {
	for r.order.Len() >= r.limit {
		e := r.order.Back()
		delete(r.byPhone, e.Value.(*memory).phone)
		r.order.Remove(e)
	}
	r.byPhone[m.phone] = r.order.PushFront(m)
}

// mark is a message that is remembered once the log has it.
type mark struct {
	memory *memory
	sum    uint64
}

// repeatable reports whether a message is a report for the log and nothing else: taking it twice has no other effect, so
// the second may be left out.
func repeatable(id jt808.MessageID) bool {
	switch id {
	case jt808.IDLocation, jt808.IDBatch, jt808.IDDriverIdentity, jt808.IDWaybill:
		return true
	}
	return false
}

// handle takes a whole message, which it decrypts, unless the log has it already.
func (w *work) handle(r *route, p *peer, h *jt808.Header, body []byte) answer {
	if h.Encryption != jt808.EncryptionNone {
		w.cost += (len(body) + jt808.RSABlock - 1) / jt808.RSABlock * rsaCost
		plain, err := jt808.DecryptBody(nil, w.c.g.rsa, body)
		if err != nil {
			return answer{result: jt808.ResultMalformed, refused: refusedDecryption}
		}
		body = plain
	}
	if p == nil || p.session == nil || p.session.memory == nil || !repeatable(h.ID) {
		return r.handle(w, p, h, body)
	}
	g, memory := w.c.g, p.session.memory
	var head [4]byte
	binary.BigEndian.PutUint16(head[:], uint16(h.ID))
	binary.BigEndian.PutUint16(head[2:], h.Serial)
	var sum maphash.Hash
	sum.SetSeed(g.memories.seed)
	sum.Write(head[:])
	sum.Write(body)
	key := sum.Sum64() ^ p.session.vehicle.Hash()
	if memory.has(key) {
		g.metrics.repeated.Inc()
		return done
	}
	a := r.handle(w, p, h, body)
	if a.logged && a.result == jt808.ResultOK {
		w.marks = append(w.marks, mark{memory, key})
	}
	return a
}
