package link

import (
	"cmp"
	"slices"
	"sync"

	"lushao/ingest/jt809"
)

// Serials numbers what one side sends to one peer, on both links together (msg_sn, 4.5.2 of JT/T 809). In 2011 and 2013
// it is one counter; in 2019 each message, by id and sub-message, has its own, and they go on after a reconnection. The
// first number is 1; after the largest comes 0. The zero value is ready and counts as 2011.
type Serials struct {
	mu     sync.Mutex
	single uint32
	by     map[Message]uint32 // nil: one counter
}

// Message names a message by its id, and its sub-message id, 0 where it has none.
type Message struct{ ID, Sub jt809.MessageID }

// Serial is the last serial of a message.
type Serial struct {
	Message
	Last uint32
}

// NewSerials makes the counters of an edition.
func NewSerials(ed jt809.Edition) *Serials {
	s := &Serials{}
	s.SetEdition(ed)
	return s
}

// SetEdition says how to count from now on. What was counted is kept where the way stays the same.
func (s *Serials) SetEdition(ed jt809.Edition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch each := ed == jt809.Edition2019; {
	case each && s.by == nil:
		s.by = map[Message]uint32{}
	case !each && ed != jt809.EditionAuto:
		s.by = nil
	}
}

// Next returns the serial of the next message.
func (s *Serials) Next(id, sub jt809.MessageID) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.single++
		return s.single
	}
	n := s.by[Message{id, sub}] + 1
	s.by[Message{id, sub}] = n
	return n
}

// Set says what the last serial of the message was. Where there is one counter, it is that of all.
func (s *Serials) Set(id, sub jt809.MessageID, last uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.single = last
		return
	}
	s.by[Message{id, sub}] = last
}

// Snapshot lists the last serials in the order of the ids; where there is one counter, it is that alone, with id 0.
func (s *Serials) Snapshot() []Serial {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		return []Serial{{Last: s.single}}
	}
	list := make([]Serial, 0, len(s.by))
	for m, n := range s.by {
		list = append(list, Serial{m, n})
	}
	slices.SortFunc(list, func(a, b Serial) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Sub, b.Sub))
	})
	return list
}
