package sim809

import (
	"sync"

	"lushao/ingest/jt809"
)

// kind is what serials are counted by in 2019: message and sub-message.
type kind struct{ id, sub jt809.MessageID }

// serials numbers what a platform sends to one other, over both links: in 2011 and 2013 with one counter, in 2019 with one for each
// message and sub-message.
type serials struct {
	ed jt809.Edition
	mu sync.Mutex
	n  map[kind]uint32
}

func newSerials(ed jt809.Edition) *serials { return &serials{ed: ed, n: map[kind]uint32{}} }

func (s *serials) key(id, sub jt809.MessageID) kind {
	if s.ed != jt809.Edition2019 {
		return kind{}
	}
	return kind{id, sub}
}

// next is the serial of a message; the first one is 1.
func (s *serials) next(id, sub jt809.MessageID) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.key(id, sub)
	s.n[k]++
	return s.n[k]
}

// reach makes the counters of a sub-message go on behind the serial, where they have not got there.
func (s *serials) reach(sub jt809.MessageID, serial uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.key(container(sub), sub)
	if d := serial - s.n[k]; d != 0 && d < 1<<31 {
		s.n[k] = serial
	}
}

// container is the message that a sub-message travels in: 0x1200 of 0x1202. Messages of links and statistics are their own.
func container(sub jt809.MessageID) jt809.MessageID {
	if hi := sub >> 8; hi == 0x10 || hi == 0x90 || hi == 0x11 || hi == 0x91 {
		return sub
	}
	return sub &^ 0xff
}

// maxMissing bounds the serials of one kind that are remembered as missing.
const maxMissing = 4096

// received watches the serials of a peer: which are missing, which came twice. One counter is shared by two links that overtake each
// other, so a serial that comes late is missing no more.
type received struct {
	ed       jt809.Edition
	last     map[kind]uint32
	missing  map[kind]map[uint32]bool
	lost     int64 // missing and not remembered any more
	repeated int64
}

func newReceived(ed jt809.Edition) *received {
	return &received{ed: ed, last: map[kind]uint32{}, missing: map[kind]map[uint32]bool{}}
}

// note takes the serial of a frame; fresh says that it was not seen before.
func (r *received) note(id, sub jt809.MessageID, serial uint32) (fresh bool) {
	k := kind{id, sub}
	if r.ed != jt809.Edition2019 {
		k = kind{}
	}
	last, known := r.last[k]
	if !known {
		r.last[k] = serial
		return true
	}
	switch d := serial - last; {
	case d == 0 || d >= 1<<31:
		if r.missing[k][serial] {
			delete(r.missing[k], serial)
			return true
		}
		r.repeated++
		return false
	case d > 1:
		m := r.missing[k]
		if m == nil {
			m = map[uint32]bool{}
			r.missing[k] = m
		}
		for s := last + 1; s != serial; s++ {
			if len(m) >= maxMissing {
				r.lost += int64(serial - s)
				break
			}
			m[s] = true
		}
	}
	r.last[k] = serial
	return true
}

// gaps counts the serials that never came.
func (r *received) gaps() int64 {
	n := r.lost
	for _, m := range r.missing {
		n += int64(len(m))
	}
	return n
}

// notice is 0x1103 or 0x9103: the last serial that came of each sub-message. 2019.
func (r *received) notice(now jt809.Seconds) *jt809.SerialNotice {
	m := &jt809.SerialNotice{}
	for k, serial := range r.last {
		if k.sub != 0 && container(k.sub) == k.id && len(m.Items) < 255 {
			m.Items = append(m.Items, jt809.SerialItem{SubType: k.sub, MsgSN: serial, Time: now})
		}
	}
	return m
}
