package detect

import (
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

// RejudgeAtEnd is Rejudge at the end of all data, as Replay ends: nothing waits for a successor any more.
func RejudgeAtEnd(snap *Snapshot, events []ingest.Event, of ingest.Vehicle) []Violation {
	vs, _ := rejudge(snap, events, of, func(e *Engine) []Violation { return e.finishAt(0, false, e.lastClock(events)) })
	return vs
}

// HasWords reports whether a kind can be told.
func HasWords(k Kind) bool { return kindTexts[k] != nil }

// BasisText and NoteText are a citation and a note in words.
var (
	BasisText = basisText
	NoteText  = noteText
)

// InOrder sorts events as Replay does.
func InOrder(events []ingest.Event) {
	sortByTime(events)
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

// SharedIsEmpty reports whether what vehicles without such records share holds nothing.
func (e *Engine) SharedIsEmpty() bool {
	return e.spare.noPlaces.empty() && e.spare.noPapers.empty() && e.spare.noRare.empty()
}
