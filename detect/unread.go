package detect

import (
	"errors"
	"slices"

	"lushao/ingest"
)

// A weighing whose plate could not be read may be that of any vehicle. It is no vehicle, and makes none; it is remembered by its
// station and time, because it speaks for whoever is said to have gone round the station then.

// unreadAt is when plates could not be read at a station that fences lead round.
type unreadAt struct {
	since int64   // Unix ms: of what was before it, not all is known; 0: of all
	times []int64 // Unix ms, in order
}

// unreadKeepMs is how long they are remembered, so that positions which a terminal had stored find them: as long as a violation can be
// taken back. In a replay, whose clock stands still, all are.
const unreadKeepMs = backfillKeepMs

// nobody applies an event without a vehicle.
func (e *Engine) nobody(ev *ingest.Event) {
	e.snap = e.whole
	e.advance(ev)
	e.snap = e.whole // vehicles may have been woken
	if !ev.Unread() {
		e.stats.Other++
		return
	}
	e.stats.Unread++
	if !e.credible(ev) { // nothing is known of that moment
		return
	}
	if u := e.unread[ev.Weighing.Station]; u != nil {
		u.forget(e.clock - unreadKeepMs)
		u.add(ev.Time, e.whole.unreadSpan())
	}
	e.excuse(ev.Weighing.Station, ev.Time)
}

// unreadSpan is how wide the question is that is asked of these times, in ms: was there one within so long on either side?
func (s *Snapshot) unreadSpan() int64 { return 2 * int64(s.Settings.WeighEvasion.RecordS) * 1000 }

// add remembers a time. Of three within the span the one in the middle is let go: who asks for a span that holds it finds one of the
// others. So a flood leaves at most two for each span.
func (u *unreadAt) add(t, span int64) {
	if t < u.since {
		return
	}
	i, found := slices.BinarySearch(u.times, t)
	if found || u.between(i-1, i, span) {
		return
	}
	u.times = slices.Insert(u.times, i, t)
	for _, n := range [2]int{i + 1, i - 1} {
		if u.between(n-1, n+1, span) {
			u.times = slices.Delete(u.times, n, n+1)
		}
	}
}

// between reports whether the times at two places are there and within a span.
func (u *unreadAt) between(i, j int, span int64) bool {
	return i >= 0 && j < len(u.times) && u.times[j]-u.times[i] <= span
}

// forget lets go of what was before a time.
func (u *unreadAt) forget(t int64) {
	if t <= u.since {
		return
	}
	u.since = t
	n, _ := slices.BinarySearch(u.times, t)
	u.times = slices.Delete(u.times, 0, n)
}

// maybeUnread reports whether a plate could not be read at a station from one time to another, both inclusive, or nobody knows.
func (e *Engine) maybeUnread(station string, from, to int64) bool {
	u := e.unread[station]
	if u == nil || from < u.since {
		return true
	}
	i, _ := slices.BinarySearch(u.times, from)
	return i < len(u.times) && u.times[i] <= to
}

// watchStations remembers from now on what is unread at the stations that fences of the snapshot lead round; other stations nobody asks
// about. What an engine without a snapshot before does not know is in no log.
func (e *Engine) watchStations(before *Snapshot) {
	if len(e.whole.bypassed)+len(e.unread) == 0 {
		return
	}
	now := int64(0)
	if before != nil {
		now = e.clock + e.whole.gate.future + 1 // what came until now was before that
	}
	watched := make(map[string]*unreadAt, len(e.whole.bypassed))
	for station := range e.whole.bypassed {
		u := e.unread[station]
		if u == nil {
			u = &unreadAt{since: now}
		}
		if before != nil && before.unreadSpan() > e.whole.unreadSpan() { // more was let go than such a question allows
			u.forget(now)
		}
		watched[station] = u
	}
	e.unread = watched
}

func (e *Engine) writeUnread(w *stateWriter) {
	w.u64(uint64(e.whole.unreadSpan()))
	w.u32(uint32(len(e.unread)))
	for _, station := range e.whole.bypassedInOrder() {
		u := e.unread[station]
		w.text(station)
		w.u64(uint64(u.since))
		w.u32(uint32(len(u.times)))
		for _, t := range u.times {
			w.u64(uint64(t))
		}
	}
}

// readUnread adds what writeUnread wrote, of the stations that are watched now; of those that were not then, nothing is known until now.
func (e *Engine) readUnread(r *stateReader) {
	now := e.clock + e.whole.gate.future + 1
	span := e.whole.unreadSpan()
	coarse := int64(r.u64()) > span
	there := map[string]bool{}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		station, since := r.text(), int64(r.u64())
		u := e.unread[station]
		if u != nil {
			u.forget(since)
		}
		last := int64(-1 << 63)
		for k := r.count(); k > 0 && r.err == nil; k-- {
			t := int64(r.u64())
			if t <= last {
				r.fail(errors.New("weighings in no order"))
			}
			if last = t; u != nil {
				u.add(t, span)
			}
		}
		if u != nil && coarse {
			u.forget(now)
		}
		there[station] = true
	}
	for station, u := range e.unread {
		if !there[station] {
			u.forget(now)
		}
	}
}

// bypassedInOrder returns the stations that fences lead round, by name.
func (s *Snapshot) bypassedInOrder() []string {
	out := make([]string, 0, len(s.bypassed))
	for station := range s.bypassed {
		out = append(out, station)
	}
	slices.Sort(out)
	return out
}
