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
// first.
type timer struct {
	at    int64 // Unix ms
	order uint32
	whom  uint32 // slot, and in the upper four bits what for: nearly every vehicle has a timer, so that they are small
}

const wakeShift = 28

func (t *timer) slot() uint32 { return t.whom & (1<<wakeShift - 1) }
func (t *timer) what() wake   { return wake(t.whom >> wakeShift) }

func (t *timer) before(o *timer) bool { return t.at < o.at || t.at == o.at && t.order < o.order }

// timers is a heap.
type timers struct {
	heap  []timer
	asked uint32
}

func (q *timers) push(t timer) {
	q.asked++
	t.order = q.asked
	q.heap = append(q.heap, t)
	for i := len(q.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.heap[i].before(&q.heap[up]) {
			return
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

func (q *timers) pop() timer {
	top := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < last && q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if least == i {
			return top
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}

// wakeAt asks for the rules' due functions to be called with the vehicle when the clock has come to a time. A rule that asks at
// every position asks once and looks again when it is woken: that costs next to nothing.
func (e *Engine) wakeAt(v *vehicle, what wake, at int64) {
	e.timers.push(timer{at: at, whom: v.slot | uint32(what)<<wakeShift})
}

// advance moves the clock by an event, and fires what is due. Times that fail the gate's first test do not move it.
func (e *Engine) advance(ev *ingest.Event) {
	if e.frozen || ev.Received <= e.clock || ev.Time > ev.Received+e.snap.gate.future {
		return
	}
	e.fire(ev.Received)
}

// fire sets the clock and calls what is due by then.
func (e *Engine) fire(now int64) {
	e.clock = max(e.clock, now)
	for len(e.timers.heap) > 0 && e.timers.heap[0].at <= e.clock {
		t := e.timers.pop()
		if e.trace != nil {
			e.trace.due(t.at)
		}
		v := e.store.at(t.slot())
		e.turnTo(v)
		e.lateDue(v, t.what(), t.at)
		for i := range e.snap.rules {
			if e.snap.rules[i].due != nil {
				e.snap.rules[i].due(e, v, t.what(), t.at)
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
		if ev.Time > ev.Received+e.whole.forVehicle(&ev.Vehicle).gate.future {
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
