package detect

import (
	"errors"

	"lushao/geo"
)

// Tampering (人为干扰、屏蔽信号): the vehicle moves or its ignition is on, and for 60 s at least its main power is lost; or its antenna
// is open or short, or its receiver faulty, while it is not located; or it is not located while the recorder has a speed, outside of
// blind fences. One violation for each of these causes, until 60 s are clear of it.
// Basis: 道路运输车辆动态监督管理办法; JT/T 808 0x0200 alarm bits 4, 5, 6 and 8.

type tamperCause uint8

const (
	causeMainPower tamperCause = iota
	causeAntenna
	causeNoFix
	causeCount
)

var causeNames = [causeCount]string{"main_power", "antenna", "no_fix"}

const (
	alarmsOfAntenna uint32 = 1<<4 | 1<<5 | 1<<6
	alarmMainPower  uint32 = 1 << 8
)

type tamperPhase uint8

const (
	tamperNone      tamperPhase = iota // what it was before it began, or a candidate that came to nothing
	tamperCandidate                    // holds, not yet for long enough
	tamperOpen
	tamperClearing // open, and clear since not long enough
	tamperClosed   // waits for fixes from before its end
)

// tamperState is one cause as of a position.
type tamperState struct {
	phase   tamperPhase
	cleared int64 // while clearing: time of the first clear position
	reach   reach
}

// tamperCase is one cause of one vehicle. A second position of the same time can change what the first has shown, so the state
// before that time is kept.
type tamperCase struct {
	cause tamperCause
	told  State // as which it was handed out last; empty: not
	tamperState
	before tamperState
}

// tampering takes a position, as far as it is known: same says that it adds to the one before.
func (e *Engine) tampering(v *vehicle, t int64, alarm uint32, said uint8, same bool) {
	var holds [causeCount]bool
	some := false
	if said&saidRunning != 0 && e.snap.Settings.Tampering.Enabled {
		lost := said&saidLocated == 0
		holds[causeMainPower] = alarm&alarmMainPower != 0
		holds[causeAntenna] = lost && alarm&alarmsOfAntenna != 0
		holds[causeNoFix] = lost && said&saidRecorder != 0 && !e.lastFixBlind(v, t)
		some = holds[causeMainPower] || holds[causeAntenna] || holds[causeNoFix]
	}
	if !some && (v.side == 0 || len(e.sides[v.side-1].tampering) == 0) {
		return
	}
	sd := e.rareOf(v)
	kept := sd.tampering[:0]
	for i := range sd.tampering {
		c := &sd.tampering[i]
		if same {
			c.tamperState = c.before
		} else {
			if c.phase == tamperNone || c.phase == tamperClosed && !e.mayGrow(v, &c.reach) {
				continue
			}
			c.before = c.tamperState
		}
		kept = append(kept, *c)
	}
	sd.tampering = kept
	for cause, on := range holds {
		if on && !sd.tampers(tamperCause(cause)) {
			c := tamperCase{cause: tamperCause(cause)}
			c.reach = e.beginReach(v, t)
			c.before = c.tamperState
			sd.tampering = append(sd.tampering, c)
		}
	}
	for i := range sd.tampering {
		e.tamper(v, &sd.tampering[i], t, holds[sd.tampering[i].cause])
	}
}

// tampers reports whether a cause is followed.
func (s *side) tampers(cause tamperCause) bool {
	for i := range s.tampering {
		if c := &s.tampering[i]; c.cause == cause && c.phase != tamperClosed {
			return true
		}
	}
	return false
}

// tamper takes a case to the next position.
func (e *Engine) tamper(v *vehicle, c *tamperCase, t int64, on bool) {
	s := &e.snap.Settings.Tampering
	gap := int64(e.snap.Settings.Movement.RunGapS) * 1000
	r := &c.reach
	switch c.phase {
	case tamperNone, tamperCandidate:
		switch {
		case !on:
			c.phase = tamperNone
		case c.phase == tamperNone || t-r.held.time > gap:
			c.phase, *r = tamperCandidate, e.beginReach(v, t)
		default:
			r.hold(t)
			if t-r.start >= int64(s.SustainedS)*1000 {
				c.phase = tamperOpen
			}
		}
	case tamperOpen, tamperClearing:
		switch {
		case on:
			c.phase, c.cleared, r.end = tamperOpen, 0, tally{}
			r.hold(t)
		case c.phase == tamperOpen:
			c.phase, c.cleared = tamperClearing, t
			if t-r.held.time > gap {
				r.endAt(r.held.time)
			} else {
				r.endAt(t)
			}
		}
		if c.phase == tamperClearing && t-c.cleared >= int64(s.ClearS)*1000 {
			c.phase = tamperClosed
		}
	}
	e.tellTampering(v, c)
}

// tellTampering hands out what has changed of a violation.
func (e *Engine) tellTampering(v *vehicle, c *tamperCase) {
	var state State
	switch c.phase {
	case tamperOpen, tamperClearing:
		state = StateOpen
	case tamperClosed:
		state = StateClosed
	}
	if state == c.told {
		return
	}
	c.told = state
	switch state {
	case StateOpen:
		e.recordTampering(v, c, StateOpen, &c.reach.held)
	case StateClosed:
		e.recordTampering(v, c, StateClosed, &c.reach.end)
	default:
		e.recordTampering(v, c, StateRetracted, &c.reach.held, noteSameTime)
	}
}

// noteSameTime: retracted because another position of the same time disproves it.
const noteSameTime = "position_of_same_time"

// lastFixBlind reports whether the last fix lies in a blind fence that is in force now. Whether a moving fix at a stop belongs to
// the stop, the fix after it will say: until then either place will do.
func (e *Engine) lastFixBlind(v *vehicle, t int64) bool {
	last, held := e.lastOf(v), e.heldOf(v)
	if last.time == 0 {
		return false
	}
	stop := geo.Point{Lat: v.stopLat, Lon: v.stopLon}
	if held == nil && v.has(flagStopped) && speedKnown(last.speed) {
		return e.blindAt(v, stop, t)
	}
	return e.blindAt(v, last.point(), t) || held != nil && e.mayBeLone(v, held) && e.blindAt(v, stop, t)
}

func (e *Engine) tamperingFix(v *vehicle, sd *side, f *fix, segment float64) {
	for i := range sd.tampering {
		c := &sd.tampering[i]
		c.before.reach.count(f, segment)
		if !c.reach.count(f, segment) {
			continue
		}
		switch c.told {
		case StateOpen:
			e.recordTampering(v, c, StateOpen, &c.reach.held)
		case StateClosed:
			e.recordTampering(v, c, StateClosed, &c.reach.end)
		}
	}
}

func tamperingEnd(e *Engine, v *vehicle, close bool) {
	sd := e.sides[v.side-1]
	for i := range sd.tampering {
		switch c := &sd.tampering[i]; {
		case c.told != StateOpen:
		case close:
			e.recordTampering(v, c, StateClosed, &c.reach.held, noteEndOfData)
		default:
			e.recordTampering(v, c, StateOpen, &c.reach.held)
		}
	}
}

func (e *Engine) recordTampering(v *vehicle, c *tamperCase, state State, at *tally, notes ...string) {
	o := e.recordReach(v, KindTampering, &c.reach, causeNames[c.cause])
	o.Measured, o.Unit = tenthsOf(at.time-c.reach.start, 100), ptr("s")
	o.Basis = []string{"monitoring-tampering", "plan-linxian-tampering"}
	o.Detail["cause"] = causeNames[c.cause]
	e.finishReach(o, state, &c.reach, at, notes...)
}

func (e *Engine) writeTampering(w *stateWriter, sd *side) {
	w.u32(uint32(len(sd.tampering)))
	for i := range sd.tampering {
		c := &sd.tampering[i]
		w.u8(byte(c.cause))
		w.text(string(c.told))
		for _, s := range [...]*tamperState{&c.tamperState, &c.before} {
			w.u8(byte(s.phase))
			w.u64(uint64(s.cleared))
			e.writeReach(w, &s.reach)
		}
	}
}

func (e *Engine) readTampering(r *stateReader, sd *side) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := tamperCase{cause: tamperCause(r.u8()), told: State(r.text())}
		for _, s := range [...]*tamperState{&c.tamperState, &c.before} {
			s.phase, s.cleared = tamperPhase(r.u8()), int64(r.u64())
			e.readReach(r, &s.reach)
			if s.phase > tamperClosed {
				r.fail(errors.New("tampering in an unknown phase"))
			}
		}
		if c.cause >= causeCount || c.told != "" && c.told != StateOpen && c.told != StateClosed {
			r.fail(errors.New("tampering of an unknown kind"))
		}
		if r.err == nil {
			sd.tampering = append(sd.tampering, c)
		}
	}
}
