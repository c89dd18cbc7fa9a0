package detect

import (
	"cmp"
	"slices"
	"strings"

	"lushao/ingest"
)

// Replay judges events that are all there, whatever the order in which they arrived: in order of time, because a rule may ask
// who else stood there, and of equal times of a vehicle in order of (received, arrival). It returns every violation once, in its final state, by start and then
// id. With close set, what is open at the end is closed with the note end_of_data.
//
// events stand in the order of arrival; the slice is sorted in place.
func Replay(snap *Snapshot, events []ingest.Event, close bool) ([]Violation, Stats) {
	e := New(snap)
	out := e.replay(events, close, 0)
	out = slices.DeleteFunc(out, func(v Violation) bool { return v.State == StateRetracted })
	slices.SortFunc(out, inList)
	return out, e.Stats()
}

// replay is Replay with an engine that has seen nothing, and with what was retracted, in the order in which it was found. The clock stands at
// least at clock in the end, Unix ms.
func (e *Engine) replay(events []ingest.Event, close bool, clock int64) []Violation {
	sortByTime(events)
	e.frozen = true
	clock = max(clock, e.lastClock(events))
	e.foresee(events)
	final := map[string]int{}
	var out []Violation
	keep := func(vs []Violation) {
		for i := range vs {
			v := vs[i]
			v.Version = 1
			if n, ok := final[v.ID]; ok {
				out[n] = v
				continue
			}
			final[v.ID] = len(out)
			out = append(out, v)
		}
	}
	for len(events) > 0 {
		n := min(len(events), maxBatch)
		keep(e.Process(events[:n], 0))
		events = events[n:]
	}
	keep(e.finishAt(0, close, clock))
	return out
}

// sortByTime puts events, which stand in the order of arrival, into the order in which they are judged.
func sortByTime(events []ingest.Event) {
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Vehicle.Compare(&b.Vehicle), cmp.Compare(a.Received, b.Received))
	})
}

// inList orders violations by start and then id; of those that begin at one time an emergency is the first.
func inList(a, b Violation) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(notEmergency(&a), notEmergency(&b)), strings.Compare(a.ID, b.ID))
}

func notEmergency(v *Violation) int {
	if alarm, ok := v.Detail["alarm"].(map[string]any); ok && v.Kind == KindTerminalAlarm && alarm["bit"] == 0 {
		return 0
	}
	return 1
}
