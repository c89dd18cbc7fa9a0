package detect

import "lushao/ingest"

// NewFrozen makes an engine as Replay has one: its clock stands still until FinishAt.
func NewFrozen(snap *Snapshot) *Engine {
	e := New(snap)
	e.frozen = true
	return e
}

// FinishAt ends what NewFrozen began.
func (e *Engine) FinishAt(version uint64, close bool, events []ingest.Event) []Violation {
	return e.finishAt(version, close, e.lastClock(events))
}
