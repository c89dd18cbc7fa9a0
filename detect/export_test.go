package detect

import (
	"cmp"
	"slices"

	"lushao/ingest"
)

// NewFrozen makes an engine as Replay has one: its clock stands still until FinishAt.
func NewFrozen(snap *Snapshot) *Engine {
	e := New(snap)
	e.frozen = true
	return e
}

// Foresee tells an engine of NewFrozen of the papers that events bring; the events are in order of time.
func (e *Engine) Foresee(events []ingest.Event) { e.foresee(events) }

// FinishAt ends what NewFrozen began.
func (e *Engine) FinishAt(version uint64, close bool, events []ingest.Event) []Violation {
	return e.finishAt(version, close, e.lastClock(events))
}

// InList is the order of Replay.
var InList = inList

// InOrder sorts events as Replay does.
func InOrder(events []ingest.Event) {
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Vehicle.Compare(&b.Vehicle), cmp.Compare(a.Received, b.Received))
	})
}

// WithGeneration is the snapshot under another number.
func WithGeneration(s *Snapshot, n uint32) *Snapshot {
	o := *s
	o.generation = n
	for c := range o.of {
		own := *s.of[c]
		own.generation = n
		o.of[c] = &own
	}
	return &o
}
