package weigh

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
)

// recordKey stands for a station and a record's number. A hash keeps the memory flat: a million are some 80 MB.
type recordKey [16]byte

func keyOf(station, record string) (k recordKey) {
	sum := sha256.Sum256(topicKey(station, record))
	copy(k[:], sum[:])
	return k
}

// topicKey is the key of a record in the topic. Names are printable, so that the separator can't be in them.
func topicKey(station, record string) []byte { return append(append([]byte(station), 0), record...) }

const (
	valueVersion = 1
	valueSize    = 1 + 16 + 8
)

// appendValue appends the value of a record in the topic: version, digest, and when it was received in Unix ms, big-endian.
func appendValue(dst []byte, digest [16]byte, received int64) []byte {
	dst = append(dst, valueVersion)
	dst = append(dst, digest[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(received))
}

func parseValue(b []byte) (digest [16]byte, err error) {
	if len(b) != valueSize || b[0] != valueVersion {
		return digest, fmt.Errorf("value: %d bytes, want %d of version %d", len(b), valueSize, valueVersion)
	}
	copy(digest[:], b[1:])
	return digest, nil
}

// verdict says what is known of a record.
type verdict uint8

const (
	fresh     verdict = iota // claimed for the asking request
	duplicate                // the same was taken before, or earlier in this request
	conflict                 // another was taken under this number
	underway                 // another request is about to take one under this number
)

// memory knows the records that were taken, the last so many of them, and those that requests are about to take.
type memory struct {
	mu      sync.Mutex
	limit   int
	taken   map[recordKey][16]byte
	order   []recordKey // a ring once it is full
	oldest  int
	pending map[recordKey]claimed
}

type claimed struct {
	digest [16]byte
	by     *claim
}

// claim is what one request is about to take. done is closed when that is decided; ok then says how.
type claim struct {
	keys []recordKey
	done chan struct{}
	ok   bool
}

func newClaim() *claim { return &claim{done: make(chan struct{})} }

func newMemory(limit int) *memory {
	return &memory{limit: limit, taken: map[recordKey][16]byte{}, pending: map[recordKey]claimed{}}
}

// ask returns what is known of a record and claims it for c when it is fresh. For underway the other request is returned.
func (m *memory) ask(k recordKey, digest [16]byte, c *claim) (verdict, *claim) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.taken[k]
	if !ok {
		p, ok := m.pending[k]
		switch {
		case !ok:
			m.pending[k] = claimed{digest, c}
			c.keys = append(c.keys, k)
			return fresh, nil
		case p.by != c:
			return underway, p.by
		}
		known = p.digest
	}
	if known == digest {
		return duplicate, nil
	}
	return conflict, nil
}

// settle ends a claim: its records are known from now on, or free again.
func (m *memory) settle(c *claim, ok bool) {
	m.mu.Lock()
	for _, k := range c.keys {
		if ok {
			m.add(k, m.pending[k].digest)
		}
		delete(m.pending, k)
	}
	m.mu.Unlock()
	c.ok = ok
	close(c.done)
}

// learn is for records of before the start.
func (m *memory) learn(k recordKey, digest [16]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(k, digest)
}

func (m *memory) add(k recordKey, digest [16]byte) {
	if _, there := m.taken[k]; !there {
		if len(m.order) < m.limit {
			m.order = append(m.order, k)
		} else {
			delete(m.taken, m.order[m.oldest])
			m.order[m.oldest] = k
			m.oldest = (m.oldest + 1) % m.limit
		}
	}
	m.taken[k] = digest
}

func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.taken)
}
