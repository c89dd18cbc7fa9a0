package detect

import "lushao/ingest"

// The stream's clock of an engine is the greatest received so far. Rules that must notice that nothing came ask to be woken at a
// time of it. An event moves the clock first, then what is due fires, then the event is applied.
//
// Replay has all events in order of time, in which received goes to and fro: there the clock stands still until the end, where
// it is the greatest received of all. So a rule that fires by the clock must find the same from what comes afterwards: what it
// would have opened early it finds when the next position is there, and what it has opened too early it takes back then.

// wake says what a vehicle is woken for.
type wake uint8

const (
	wakeDark        wake = iota + 1 // nothing has come for long
	wakeOffline                     // a displacement is decided
	wakeUnmonitored                 // a weighing without positions is decided, or forgotten
	wakeConflict                    // a conflict with a station is forgotten
	wakeSafety                      // the last start of an assistance system's alarm runs out
	wakeLate                        // it is to be judged again, see late.go
	wakeEvasion                     // an evasion of the scales is decided, or forgotten
)

// timer asks for a vehicle to be looked at when the clock has come to a time. Of equal times the one that was asked for first fires
// first. Nearly every vehicle has one, so that they are small.
type timer struct {
	after uint32 // ms after the queue's base
	order uint32
	whom  uint32 // slot, and in the upper four bits what for
}

func (t *timer) slot() uint32 { return t.whom & slotMask }
func (t *timer) what() wake   { return wake(t.whom >> slotBits) }

func (t *timer) before(o *timer) bool {
	return t.after < o.after || t.after == o.after && t.order < o.order
}

// timers is a heap of what is due within seven weeks of its base, and a list of what is due later than all that.
type timers struct {
	base  int64 // Unix ms
	heap  slabs[timer]
	later []laterTimer
	asked uint32
}

type laterTimer struct {
	timer
	at int64 // Unix ms
}

// timerReach is how long after the base what is in the heap can be due, ms.
const timerReach = 1<<32 - 1

// timerSlack is how much earlier than the earliest the base is, ms, so that it rarely has to go back.
const timerSlack = dayMs

// push asks for a wake at a time.
func (q *timers) push(at int64, whom uint32) {
	q.asked++
	t := timer{order: q.asked, whom: whom}
	switch {
	case q.heap.count == 0 && len(q.later) == 0:
		q.base = at - timerSlack
	case at < q.base:
		q.rebase(at - timerSlack)
	}
	q.put(laterTimer{t, at})
}

func (q *timers) put(l laterTimer) {
	if l.at-q.base > timerReach {
		q.later = append(q.later, l)
		return
	}
	l.after = uint32(l.at - q.base)
	q.insert(l.timer)
}

// rebase counts from another base, which is no later than anything that is asked for, and takes in what is near enough then.
func (q *timers) rebase(base int64) {
	all := q.later
	q.later = nil
	if base >= q.base { // their order stays
		for i := range uint32(q.heap.count) {
			q.heap.at(i).after -= uint32(base - q.base)
		}
	} else {
		for i := range uint32(q.heap.count) {
			t := *q.heap.at(i)
			all = append(all, laterTimer{t, q.base + int64(t.after)})
		}
		q.heap.cut(0)
	}
	q.base = base
	for _, l := range all {
		q.put(l)
	}
}

// due takes out the first timer that is due at a time.
func (q *timers) due(now int64) (t timer, at int64, ok bool) {
	if q.heap.count > 0 {
		if t = *q.heap.at(0); q.base+int64(t.after) <= now {
			at = q.base + int64(t.after)
			q.pop()
			return t, at, true
		}
	}
	if len(q.later) == 0 || now-q.base <= timerReach/2 {
		return t, 0, false
	}
	base := now
	for i := range q.later {
		base = min(base, q.later[i].at)
	}
	q.rebase(base)
	return q.due(now)
}

func (q *timers) insert(t timer) {
	i := q.heap.add()
	for i > 0 {
		up := q.heap.at((i - 1) / 2)
		if !t.before(up) {
			break
		}
		*q.heap.at(i) = *up
		i = (i - 1) / 2
	}
	*q.heap.at(i) = t
}

// pop takes out the first.
func (q *timers) pop() {
	last := uint32(q.heap.count - 1)
	t := *q.heap.at(last)
	q.heap.cut(last)
	if last == 0 {
		return
	}
	i := uint32(0)
	for {
		c := 2*i + 1
		if c >= last {
			break
		}
		least := q.heap.at(c)
		if c+1 < last {
			if o := q.heap.at(c + 1); o.before(least) {
				c, least = c+1, o
			}
		}
		if !least.before(&t) {
			break
		}
		*q.heap.at(i) = *least
		i = c
	}
	*q.heap.at(i) = t
}

// wakeAt asks for the rules' due functions to be called with the vehicle when the clock has come to a time. A rule that asks at
// every position asks once and looks again when it is woken: that costs next to nothing.
func (e *Engine) wakeAt(v *vehicle, what wake, at int64) {
	e.timers.push(at, v.slot|uint32(what)<<slotBits)
}

// advance moves the clock by an event, and fires what is due. Times that fail the gate's first test do not move it.
func (e *Engine) advance(ev *ingest.Event) {
	if e.frozen || ev.Received <= e.clock || !e.snap.gate.believes(ev) {
		return
	}
	e.fire(ev.Received)
}

// fire sets the clock and calls what is due by then.
func (e *Engine) fire(now int64) {
	e.clock = max(e.clock, now)
	for {
		t, at, ok := e.timers.due(e.clock)
		if !ok {
			return
		}
		if e.trace != nil {
			e.trace.due(at)
		}
		v := e.store.at(t.slot())
		e.turnTo(v)
		e.lateDue(v, t.what(), at)
		for i := range e.snap.rules {
			if e.snap.rules[i].due != nil {
				e.snap.rules[i].due(e, v, t.what(), at)
			}
		}
		e.tidy(v)
	}
}

// lastClock is where the clock stands at the end of a file: the greatest received of what passes the gate's first test. Where no
// event has a received of its own, a vehicle whose times run ahead of all others does not move it beyond the second greatest.
func (e *Engine) lastClock(events []ingest.Event) int64 {
	var clock int64
	own := false
	latest := map[ingest.Vehicle]int64{}
	for i := range events {
		ev := &events[i]
		if !e.whole.forVehicle(&ev.Vehicle).gate.believes(ev) {
			continue
		}
		own = own || ev.Received != ev.Time
		clock = max(clock, ev.Received)
		latest[ev.Vehicle] = max(latest[ev.Vehicle], ev.Received)
	}
	if own || len(latest) < 2 {
		return clock
	}
	var first, second int64
	for _, t := range latest {
		switch {
		case t > first:
			first, second = t, first
		case t > second:
			second = t
		}
	}
	return second
}
