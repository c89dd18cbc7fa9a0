package detect

import (
	"lushao/geo"
	"lushao/ingest"
)

// Gone dark (脱离动态监控): the last position is a fix at 20 km/h or more outside of blind fences, and then nothing comes, located or
// not, until the clock is 10 minutes past its received. The next position closes it. It stands if that position is 10 minutes later
// by the vehicle's own times, and the next fix 1 km away or more: so the next position finds by itself what the clock would have
// opened, and disproves what it opened because reports were under way. A jump is no last fix, though others that come later make it one.

// darkCase is a silence of a vehicle; there is at most one.
type darkCase struct {
	end  int64 // time of the next position; 0: the silence goes on. The next fix then decides
	told bool  // its record was handed out
	span span  // begins with the last fix
}

// Why a silence was none.
const (
	noteHeard = "heard_within_the_time" // reports were under way
	noteNear  = "found_near"            // the next fix is too near
	noteStop  = "belongs_to_a_stop"     // the last fix was a lone moving one of a stop
)

// fastEnough reports whether a fix moves fast enough that a silence after it is one of a vehicle on the road.
func (e *Engine) fastEnough(speed uint16) bool {
	return speedKnown(speed) && speed >= e.snap.moving && speed >= e.snap.darkSpeed
}

func (e *Engine) darkAfter() int64 { return int64(e.snap.Settings.GoneDark.SilentS) * 1000 }

// goneDarkAdmitted asks to be woken, once for a vehicle: the position that is then the last tells whether to ask again.
func goneDarkAdmitted(e *Engine, v *vehicle, f *fix, received int64) {
	if v.has(flagDarkWake) || !e.fastEnough(f.speed) || !e.snap.Settings.GoneDark.Enabled || !e.monitored(v) {
		return
	}
	v.set(flagDarkWake, true)
	e.wakeAt(v, wakeDark, received+e.darkAfter())
}

// silentSince returns the fix after which silence is suspicious: it is the last position of all.
func (e *Engine) silentSince(v *vehicle) *fix {
	if !e.snap.Settings.GoneDark.Enabled || !e.monitored(v) || v.heard.isZero() || v.heard.ms() != e.lastOf(v).time {
		return nil
	}
	if held := e.heldOf(v); held != nil {
		if !e.fastEnough(held.speed) || e.blindAt(v, held.point(), held.time) {
			return nil
		}
		return held
	}
	if !v.has(flagDark) {
		return nil
	}
	return &v.judged
}

func goneDarkDue(e *Engine, v *vehicle, what wake, _ int64) {
	if what != wakeDark {
		return
	}
	v.set(flagDarkWake, false)
	f := e.silentSince(v)
	if f == nil {
		return // the next fast fix asks again
	}
	if at := v.received.ms() + e.darkAfter(); at > e.clock {
		v.set(flagDarkWake, true)
		e.wakeAt(v, wakeDark, at)
		return
	}
	if sd := e.rareOf(v); len(sd.dark) == 0 {
		sd.dark = append(sd.dark, darkCase{told: true, span: e.beginSpan(v, f)})
		e.recordDark(v, &sd.dark[0], StateOpen)
	}
}

func goneDarkLoad(e *Engine, v *vehicle) {
	if v.has(flagDarkWake) {
		e.wakeAt(v, wakeDark, v.received.ms()+e.darkAfter())
	}
}

func goneDarkPosition(e *Engine, v *vehicle, ev *ingest.Event) {
	if c := e.darkCaseOf(v); c != nil {
		switch {
		case c.end == 0 && ev.Time <= c.span.start: // the fix once more
		case c.end == 0 && ev.Time-c.span.start < e.darkAfter():
			e.disproveDark(v, c, noteHeard)
		case c.end == 0:
			c.end = ev.Time
			e.recordDark(v, c, StateClosed)
		case !c.told && ev.Time > c.end: // no fix has come so far
			c.told = true
			e.recordDark(v, c, StateClosed)
		}
		return
	}
	if v.heard.isZero() || ev.Time-v.heard.ms() < e.darkAfter() {
		return
	}
	f := e.silentSince(v)
	if f == nil {
		return
	}
	sd := e.rareOf(v)
	sd.dark = append(sd.dark, darkCase{end: ev.Time, span: e.beginSpan(v, f)})
	if e.snap.gate.stateless(ev) != QualityOK { // no fix: that may take long to come
		c := &sd.dark[0]
		c.told = true
		e.recordDark(v, c, StateClosed)
	}
}

func goneDarkFix(e *Engine, m *moment) {
	v, f := m.v, m.f
	if c := e.darkCaseOf(v); c != nil {
		last := geo.Point{Lat: c.span.startLat, Lon: c.span.startLon}
		switch {
		case f.time < c.span.start:
		case f.time == c.span.start: // was held until now
			if m.lone {
				e.disproveDark(v, c, noteStop)
			}
		case geo.Distance(last, f.point()) < e.snap.Settings.GoneDark.Least:
			e.disproveDark(v, c, noteNear)
		default:
			if f.time == c.end {
				c.span.extend(f, m.segment)
			}
			e.recordDark(v, c, StateClosed)
			e.dropDark(v)
		}
	}
	v.set(flagDark, e.fastEnough(f.speed) && !m.lone && !e.blindAmong(v, m.hits, f.time))
}

func goneDarkEnd(e *Engine, v *vehicle, close bool) {
	c := e.darkCaseOf(v)
	switch {
	case c == nil:
	case c.end != 0: // its end is known; no fix has come to disprove it
		e.recordDark(v, c, StateClosed)
	case close:
		e.recordDark(v, c, StateClosed, noteEndOfData)
	default:
		e.recordDark(v, c, StateOpen)
	}
}

func (e *Engine) darkCaseOf(v *vehicle) *darkCase {
	if v.side == 0 || len(e.sides[v.side-1].dark) == 0 {
		return nil
	}
	return &e.sides[v.side-1].dark[0]
}

func (e *Engine) dropDark(v *vehicle) { e.sides[v.side-1].dark = e.sides[v.side-1].dark[:0] }

func (e *Engine) disproveDark(v *vehicle, c *darkCase, note string) {
	if c.told {
		e.recordDark(v, c, StateRetracted, note)
	}
	e.dropDark(v)
}

// recordDark makes the record of a silence: up to the next position, else, as long as it goes on, up to the clock.
func (e *Engine) recordDark(v *vehicle, c *darkCase, state State, notes ...string) {
	o := e.begin(v, KindGoneDark, &c.span, "")
	at, until := c.span.now, e.clock
	if c.end != 0 {
		at.time, until = c.end, c.end
	}
	o.Measured, o.Unit = tenthsOf(until-c.span.start, minuteMs/10), ptr("min")
	o.Basis = []string{"plan-jincheng-monitoring"}
	e.finish(o, state, &c.span, at, notes)
}
