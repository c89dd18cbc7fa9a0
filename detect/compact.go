package detect

import "encoding/binary"

// What keeps the state of a million vehicles small: times of six bytes, and lists that neither move nor keep a
// reserve.

// stamp is a time in Unix ms, in 48 bits: good for some four thousand years either way.
type stamp [3]uint16

func stampOf(ms int64) stamp { return stamp{uint16(ms), uint16(ms >> 16), uint16(ms >> 32)} }

func (s stamp) ms() int64 {
	return int64(int16(s[2]))<<32 | int64(s[1])<<16 | int64(s[0])
}

// isZero reports whether the time is 0, which stands for none.
func (s stamp) isZero() bool { return s == stamp{} }

// slabSize is the number of elements in one allocation of a list that never moves.
const slabSize = 1024

// slabs is a list that grows without moving: nothing is copied, nothing is kept in reserve, and pointers into it stay good.
type slabs[T any] struct {
	list  [][]T
	count int
}

func (s *slabs[T]) at(i uint32) *T { return &s.list[i/slabSize][i%slabSize] }

// add appends an element, which is zero unless one was cut off there, and returns its number.
func (s *slabs[T]) add() uint32 {
	if s.count == len(s.list)*slabSize {
		s.list = append(s.list, make([]T, slabSize))
	}
	s.count++
	return uint32(s.count - 1)
}

// cut drops the elements from n on, and keeps a slab for what comes next.
func (s *slabs[T]) cut(n uint32) {
	s.count = int(n)
	if keep := int(n)/slabSize + 2; keep < len(s.list) {
		clear(s.list[keep:])
		s.list = s.list[:keep]
	}
}

// few holds something for a few of all slots. A map never gives room back; this one does after a burst.
type few[T any] struct {
	m    map[uint32]T
	most int // that there were since the map was made
}

// fewKept is how many may come and go without the room being given back.
const fewKept = 1024

// get returns what a slot has, or zero.
func (f *few[T]) get(slot uint32) T { return f.m[slot] }

func (f *few[T]) set(slot uint32, x T) {
	if f.m == nil {
		f.m = map[uint32]T{}
	}
	f.m[slot] = x
	f.most = max(f.most, len(f.m))
}

func (f *few[T]) drop(slot uint32) {
	delete(f.m, slot)
	if f.most > fewKept && len(f.m) < f.most/8 {
		m := make(map[uint32]T, len(f.m)) // a clone would have the old one's room
		for k, x := range f.m {
			m[k] = x
		}
		f.m, f.most = m, len(m)
	}
}

// table leads from hashes to numbers: open addressing, four bytes an entry. It holds nothing to compare: who asks compares what the
// numbers stand for, of which four bits of the hash in the entry rule out most that are wrong.
type table struct {
	entries []uint32 // upper four bits: those of the hash; else the number + 1; 0 free
	mask    uint64
}

const (
	slotBits = 28
	slotMask = 1<<slotBits - 1
)

func newTable() table { return table{entries: make([]uint32, 1024), mask: 1023} }

// probe is where a search stands.
type probe struct {
	i   uint64
	tag uint32
}

func hashTag(hash uint64) uint32 { return uint32(hash >> (32 + slotBits)) }

func (t *table) probe(hash uint64) probe { return probe{t.home(hash), hashTag(hash)} }

// home is where the search for a hash begins. The lowest bits say little: the vehicles of one partition may have them in common.
func (t *table) home(hash uint64) uint64 { return hash >> 24 & t.mask }

// next returns the next number that may be the one; ok is false when there is no other.
func (t *table) next(p *probe) (n uint32, ok bool) {
	for {
		e := t.entries[p.i]
		p.i = (p.i + 1) & t.mask
		if e == 0 {
			return 0, false
		}
		if e>>slotBits == p.tag {
			return e&slotMask - 1, true
		}
	}
}

// put adds a number; hashes gives the hash of every number before it, for when the table grows.
func (t *table) put(hash uint64, n uint32, hashes func(n uint32) uint64) {
	if uint64(n)*4 >= (t.mask+1)*3 {
		t.entries = make([]uint32, 2*len(t.entries))
		t.mask = uint64(len(t.entries) - 1)
		for i := range n {
			t.insert(hashes(i), i)
		}
	}
	t.insert(hash, n)
}

func (t *table) insert(hash uint64, n uint32) {
	i := t.home(hash)
	for t.entries[i] != 0 {
		i = (i + 1) & t.mask
	}
	t.entries[i] = hashTag(hash)<<slotBits | (n + 1)
}

// texts keeps texts one after the other. They are known by where they are and stay.
type texts struct {
	chunks [][]byte
}

const textChunk = 1 << 16

// add keeps two texts and returns where they are.
func (t *texts) add(a, b string) uint32 {
	n := len(a) + len(b) + 2*binary.MaxVarintLen32
	last := len(t.chunks) - 1
	if last < 0 || len(t.chunks[last]) >= textChunk || len(t.chunks[last])+n > cap(t.chunks[last]) {
		t.chunks = append(t.chunks, make([]byte, 0, max(n, textChunk)))
		last++
	}
	c := t.chunks[last]
	at := uint32(last*textChunk + len(c))
	c = append(binary.AppendUvarint(c, uint64(len(a))), a...)
	t.chunks[last] = append(binary.AppendUvarint(c, uint64(len(b))), b...)
	return at
}

// at returns the two texts that are at a place; they must not be changed.
func (t *texts) at(at uint32) (a, b []byte) {
	rest := t.chunks[at/textChunk][at%textChunk:]
	take := func() []byte {
		n, k := binary.Uvarint(rest)
		s := rest[k : k+int(n)]
		rest = rest[k+int(n):]
		return s
	}
	a = take()
	return a, take()
}
