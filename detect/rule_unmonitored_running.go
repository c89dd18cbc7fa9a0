package detect

import "lushao/ingest"

// Running without being monitored (未上线运行): a weighing, and no position, located or not, within 10 minutes on either side. It is decided
// when the clock is 10 minutes past the weighing and its received; a position that comes later disproves it.

// unmonitoredCase is a weighing near which no position is known.
type unmonitoredCase struct {
	weighedAt
	at      int64 // when it is decided
	told    bool
	settled bool // positions have come so far that none can disprove it
}

// backfillKeepMs is how long a violation is remembered, so that positions which the terminal had stored can take it back. In a replay
// they have come before.
const backfillKeepMs = 7 * dayMs

func unmonitoredWeighing(e *Engine, v *vehicle, ev *ingest.Event) {
	s := &e.snap.Settings.UnmonitoredRunning
	near := int64(s.SilentS) * 1000
	// A weighing that comes after later positions is late: what was before it is no longer known.
	if !s.Enabled || !e.monitored(v) || !e.credible(ev) || !v.heard.isZero() && ev.Time-v.heard.ms() <= near {
		return
	}
	sd := e.rareOf(v)
	c := unmonitoredCase{weighedAt: e.weighedAt(v, ev), at: max(ev.Time, ev.Received) + near}
	sd.unmonitored = append(sd.unmonitored, c)
	e.wakeAt(v, wakeUnmonitored, c.at)
}

func unmonitoredPosition(e *Engine, v *vehicle, ev *ingest.Event) {
	if v.side == 0 || len(e.sides[v.side-1].unmonitored) == 0 {
		return
	}
	near := int64(e.snap.Settings.UnmonitoredRunning.SilentS) * 1000
	sd := e.sides[v.side-1]
	kept := sd.unmonitored[:0]
	for i := range sd.unmonitored {
		c := &sd.unmonitored[i]
		switch {
		case c.settled || ev.Time < c.time-near:
		case ev.Time <= c.time+near:
			if c.told {
				e.recordUnmonitored(v, c, StateRetracted, noteHeard)
			}
			continue
		case c.told:
			continue
		default:
			c.settled = true
		}
		kept = append(kept, *c)
	}
	sd.unmonitored = kept
}

func unmonitoredDue(e *Engine, v *vehicle, what wake, _ int64) {
	if what != wakeUnmonitored || v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	kept := sd.unmonitored[:0]
	for i := range sd.unmonitored {
		c := &sd.unmonitored[i]
		switch {
		case c.at > e.clock:
		case !c.told:
			c.told = true
			e.recordUnmonitored(v, c, StateClosed)
			if c.settled {
				continue
			}
			e.wakeAt(v, wakeUnmonitored, c.at+backfillKeepMs)
		case c.at+backfillKeepMs <= e.clock:
			continue
		}
		kept = append(kept, *c)
	}
	sd.unmonitored = kept
}

func unmonitoredLoad(e *Engine, v *vehicle) {
	if v.side == 0 {
		return
	}
	for i := range e.sides[v.side-1].unmonitored {
		c := &e.sides[v.side-1].unmonitored[i]
		at := c.at
		if c.told {
			at += backfillKeepMs
		}
		e.wakeAt(v, wakeUnmonitored, at)
	}
}

func (e *Engine) recordUnmonitored(v *vehicle, c *unmonitoredCase, state State, notes ...string) {
	o := e.beginWeighed(v, KindUnmonitoredRunning, &c.weighedAt, state)
	o.Basis = []string{"plan-linxian-monitoring", "monitoring-online"}
	o.Notes = append(o.Notes, notes...)
	e.emit(o)
}
