package detect

import (
	"cmp"
	"errors"
	"slices"

	"lushao/ingest"
)

// Late data. An event that happened before another one of its vehicle that was judged already is never applied to live state as if
// it were new; what it changes is found by judging the vehicle's events again, all of them, in order of time, with Rejudge. An engine
// says whose: vehicles to which something came late, and again for as long as that can still matter, since what the live engine
// knows of them has a hole. It says so at once, whenever it hands out a record of such a vehicle, and from time to time by its clock,
// because a violation of which it knows too little to see it must be found too.

// Late is a vehicle whose events are to be judged again.
type Late struct {
	Vehicle ingest.Vehicle
	From    int64 // Unix ms: when the earliest happened of what came late
	To      int64 // and the latest
	// Wide says that its way, its driver or its papers were not known right; else only weighings or alarms are concerned, which touch
	// a few hours.
	Wide bool
}

// lateCase is what came late to a vehicle. A vehicle has at most one.
type lateCase struct {
	from, to int64
	wide     bool
	listed   bool  // in Engine.late
	begun    int64 // the clock when the last of it came
	next     int64 // when to judge again
	step     uint8 // of the following
}

// When a vehicle is judged again after the last that came late, in ms: often at first, and at the end when the sums of seven days hold
// nothing more of that time. What is narrow touches what is decided two hours after.
var (
	lateStepsWide = [...]int64{1 * minuteMs, 5 * minuteMs, 15 * minuteMs, 30 * minuteMs, 1 * hourMs, 2 * hourMs, 4 * hourMs, 8 * hourMs, 16 * hourMs,
		1 * dayMs, 2 * dayMs, 3 * dayMs, 4 * dayMs, 5 * dayMs, 6 * dayMs, 7*dayMs + hourMs}
	lateStepsNarrow = [...]int64{1 * minuteMs, 12 * minuteMs, 35 * minuteMs, 2*hourMs + 5*minuteMs}
)

const hourMs = 60 * minuteMs

func (c *lateCase) steps() []int64 {
	if c.wide {
		return lateStepsWide[:]
	}
	return lateStepsNarrow[:]
}

// order keeps the newest time of a vehicle's events, and takes note of one that is older.
func (e *Engine) order(v *vehicle, ev *ingest.Event) {
	heard := v.heard.ms()
	switch ev.Kind {
	case ingest.KindPosition, ingest.KindDriverCard, ingest.KindWeighing, ingest.KindSafety:
	case ingest.KindWaybill: // counts from the beginning of its validity
		if w := ev.Waybill; w.Number != "" && w.Start != 0 && w.Start < heard {
			e.cameLate(v, max(w.Start, heard-7*dayMs), heard, true)
		}
		return
	default:
		return
	}
	if !e.snap.gate.believes(ev) {
		return
	}
	if ev.Time >= e.newestOf(v) {
		if ev.Time > heard && ev.Kind != ingest.KindPosition {
			e.setNewest(v, ev.Time)
		}
		return
	}
	wide := ev.Time < heard && ev.Kind == ingest.KindPosition || ev.Kind == ingest.KindDriverCard
	e.cameLate(v, ev.Time, ev.Time, wide)
}

// newestOf returns the time of the vehicle's newest event of any kind: nearly always that of its last position.
func (e *Engine) newestOf(v *vehicle) int64 {
	if v.has(flagNewer) {
		return e.newest.get(v.slot)
	}
	return v.heard.ms()
}

// setNewest says that there was an event of any kind that is newer than the last position.
func (e *Engine) setNewest(v *vehicle, t int64) {
	e.newest.set(v.slot, t)
	v.set(flagNewer, true)
}

// outlive forgets that, when a position is as new.
func (e *Engine) outlive(v *vehicle, t int64) {
	if v.has(flagNewer) && t >= e.newest.get(v.slot) {
		e.newest.drop(v.slot)
		v.set(flagNewer, false)
	}
}

func (e *Engine) cameLate(v *vehicle, from, to int64, wide bool) {
	sd := e.rareOf(v)
	if len(sd.late) == 0 {
		sd.late = append(sd.late, lateCase{from: from, to: to})
	}
	c := &sd.late[0]
	c.from, c.to, c.wide = min(c.from, from), max(c.to, to), c.wide || wide
	c.begun, c.step = e.clock, 0
	e.scheduleLate(v, c)
	e.askAgain(v, c)
}

// scheduleLate asks for the next wake. One that was asked for before and is later is passed over when it comes.
func (e *Engine) scheduleLate(v *vehicle, c *lateCase) {
	at := c.begun + c.steps()[c.step]
	if c.next > e.clock && c.next <= at {
		return
	}
	c.next = at
	e.wakeAt(v, wakeLate, at)
}

func (e *Engine) askAgain(v *vehicle, c *lateCase) {
	if !c.listed {
		c.listed = true
		e.late = append(e.late, v.slot)
	}
}

// touched is called when a record of a vehicle is handed out: what the engine says of one to which something came late is to be
// looked at again.
func (e *Engine) touched(v *vehicle) {
	if v.side == 0 {
		return
	}
	if sd := e.sides[v.side-1]; len(sd.late) > 0 {
		e.askAgain(v, &sd.late[0])
	}
}

// lateDue is no rule's: it is called for every vehicle that is woken.
func (e *Engine) lateDue(v *vehicle, what wake, at int64) {
	if what != wakeLate || v.side == 0 || len(e.sides[v.side-1].late) == 0 {
		return
	}
	sd := e.sides[v.side-1]
	c := &sd.late[0]
	if c.next != at {
		return
	}
	steps := c.steps()
	for int(c.step) < len(steps) && c.begun+steps[c.step] <= e.clock {
		c.step++
	}
	e.askAgain(v, c)
	if int(c.step) < len(steps) {
		e.scheduleLate(v, c)
	}
}

// TakeLate appends the vehicles to judge again since the last call, in the order in which they came to be.
func (e *Engine) TakeLate(dst []Late) []Late {
	for _, slot := range e.late {
		v := e.store.at(slot)
		sd := e.sides[v.side-1]
		c := &sd.late[0]
		c.listed = false
		dst = append(dst, Late{e.idOf(v), c.from, c.to, c.wide})
		if int(c.step) >= len(c.steps()) { // that was the last time
			sd.late = sd.late[:0]
			e.tidy(v)
		}
	}
	e.late = e.late[:0]
	return dst
}

// sortLate puts vehicles into their order.
func sortLate(list []Late) {
	slices.SortFunc(list, func(a, b Late) int { return a.Vehicle.Compare(&b.Vehicle) })
}

// Clock returns the stream's clock: the greatest time of reception so far, Unix ms.
func (e *Engine) Clock() int64 { return e.clock }

// Rejudge judges the events of a vehicle again, and finds what an engine would have found by now if all had come in order of time: clock
// is its stream's clock. What goes on is open. Events of other vehicles help to judge it; of them nothing is returned. Violations are in
// the order of Replay, visits in that of their entries; what was opened and taken back is left out.
//
// events stand in the order of arrival; the slice is sorted in place.
func Rejudge(snap *Snapshot, events []ingest.Event, clock int64, of ingest.Vehicle) ([]Violation, []Visit) {
	return rejudge(snap, events, of, func(e *Engine) []Violation { return e.standAt(0, clock) })
}

// Relive finds what an engine finds that has the rules and places of now and hears of the events of a vehicle in the order in which they
// arrived: what came late it leaves out. The difference between this and Rejudge is what late data change; what they have in common, and
// the record has not, other rules or places have changed since.
//
// events stand in the order of arrival.
func Relive(snap *Snapshot, events []ingest.Event, clock int64, of ingest.Vehicle) ([]Violation, []Visit) {
	e := New(snap)
	return collect(e, events, of, func() []Violation { return e.standAt(0, clock) })
}

// rejudge judges events and what end says of what goes on after them.
func rejudge(snap *Snapshot, events []ingest.Event, of ingest.Vehicle, end func(e *Engine) []Violation) ([]Violation, []Visit) {
	sortByTime(events)
	e := New(snap)
	e.frozen = true
	e.foresee(events)
	return collect(e, events, of, func() []Violation { return end(e) })
}

// collect gives events to an engine and returns what it finds of a vehicle in its final state.
func collect(e *Engine, events []ingest.Event, of ingest.Vehicle, end func() []Violation) ([]Violation, []Visit) {
	violations, visits := map[string]Violation{}, map[string]Visit{}
	keep := func(vs []Violation) {
		for i := range vs {
			if vs[i].Plate == of.Plate() && vs[i].Color == of.Color {
				violations[vs[i].ID] = vs[i]
			}
		}
		for _, v := range e.Visits() {
			if v.Plate == of.Plate() && v.Color == of.Color {
				visits[v.ID] = v
			}
		}
	}
	for len(events) > 0 {
		n := min(len(events), maxBatch)
		keep(e.Process(events[:n], 0))
		events = events[n:]
	}
	keep(end())
	var out []Violation
	for _, v := range violations {
		if v.State != StateRetracted {
			out = append(out, v)
		}
	}
	var stays []Visit
	for _, v := range visits {
		if v.State != StateRetracted {
			stays = append(stays, v)
		}
	}
	slices.SortFunc(out, inList)
	slices.SortFunc(stays, func(a, b Visit) int {
		return cmp.Or(cmp.Compare(a.Entered, b.Entered), cmp.Compare(a.ID, b.ID))
	})
	return out, stays
}

// standAt returns what is open when the clock stands at a time. What waits for its successor goes on waiting.
func (e *Engine) standAt(version uint64, clock int64) []Violation {
	e.out, e.visits = e.out[:0], e.visits[:0]
	e.version, e.mark = version, len(e.out)
	e.fire(clock)
	e.endAll(version, false)
	for _, sh := range e.shadows {
		sh.frozen = e.frozen
		e.out = append(e.out, sh.standAt(version, clock)...)
	}
	return e.out
}

func (e *Engine) writeLate(w *stateWriter, sd *side) {
	w.u32(uint32(len(sd.late)))
	for i := range sd.late {
		c := &sd.late[i]
		for _, t := range [...]int64{c.from, c.to, c.begun, c.next} {
			w.u64(uint64(t))
		}
		w.truth(c.wide)
		w.u8(c.step)
	}
}

func (e *Engine) readLate(r *stateReader, v *vehicle, sd *side) {
	n := r.count()
	for ; n > 0 && r.err == nil; n-- {
		c := lateCase{from: int64(r.u64()), to: int64(r.u64()), begun: int64(r.u64()), next: int64(r.u64()), wide: r.truth(), step: r.u8()}
		if len(sd.late) > 0 || int(c.step) > len(c.steps()) {
			r.fail(errors.New("late data of an unknown kind"))
			return
		}
		sd.late = append(sd.late, c)
	}
	if len(sd.late) > 0 && r.err == nil {
		c := &sd.late[0]
		if int(c.step) < len(c.steps()) {
			e.wakeAt(v, wakeLate, c.next)
		}
		// What was asked for after the checkpoint may not have been heard.
		e.askAgain(v, c)
	}
}
