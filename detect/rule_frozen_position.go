package detect

import (
	"slices"

	"lushao/ingest"
)

// Frozen position (定位冻结): the place does not change by more than 1e-5 degree for 5 minutes, though every fix shows 20 km/h or more, or
// the mileage has grown by 2 km. It ends when the place changes.
//
// A run begins with the last fix before the sign: the first of two fast ones at one place, or the one after which the mileage began
// to grow. In a blind fence, where a receiver repeats what it knew last, none begins.

// frozenCase is a run of fixes at one place. There is at most one for each sign, and only one once it is open.
type frozenCase struct {
	byMileage bool // else by speed
	opened    bool
	mileage   uint32 // of the first fix, 0.1 km
	span      span
}

// causes as they stand in detail.
var frozenCauses = map[bool]string{false: "speed", true: "mileage"}

func frozenFix(e *Engine, m *moment) {
	s := &e.snap.Settings.FrozenPosition
	v, f := m.v, m.f
	p := &v.judged
	linked := p.time != 0 && !m.broken && f.time-p.time <= int64(e.snap.Settings.Movement.RunGapS)*1000
	if v.side != 0 && len(e.sides[v.side-1].frozen) > 0 && e.frozenGoesOn(m, linked) {
		return
	}
	if !s.Enabled || !linked || !e.samePlace(p.lat, p.lon, f) || !e.monitored(v) {
		return
	}
	for _, byMileage := range [2]bool{false, true} {
		if byMileage && p.mileage >= f.mileage || e.hasFrozen(v, byMileage) || !e.frozenSign(p, byMileage) || !e.frozenStep(p, f, byMileage) {
			continue
		}
		if e.blindAt(v, m.from, p.time) {
			return
		}
		c := frozenCase{byMileage: byMileage, mileage: p.mileage, span: e.beginSpan(v, p)}
		c.span.extend(f, m.segment)
		c.span.hold()
		sd := e.rareOf(v)
		sd.frozen = append(sd.frozen, c)
		e.openFrozen(v, f) // at once where the setting is 0
	}
}

// frozenGoesOn takes what there is to the next fix. It reports whether a run was open: then this fix begins no other one.
func (e *Engine) frozenGoesOn(m *moment, linked bool) (open bool) {
	v, f := m.v, m.f
	p := &v.judged
	sd := e.sides[v.side-1]
	kept := sd.frozen[:0]
	for i := range sd.frozen {
		c := &sd.frozen[i]
		same := linked && e.samePlace(c.span.startLat, c.span.startLon, f)
		switch {
		case c.opened && same:
			c.span.hold()
		case c.opened && linked:
			e.recordFrozen(v, c, StateClosed, c.span.now)
		case c.opened:
			e.recordFrozen(v, c, StateClosed, c.span.held)
		case same && e.frozenStep(p, f, c.byMileage):
			c.span.hold()
		default:
			continue
		}
		if open = open || c.opened; !c.opened || same {
			kept = append(kept, *c)
		}
	}
	sd.frozen = kept
	if open {
		return true
	}
	return e.openFrozen(v, f)
}

// openFrozen opens the run that has become long enough. Of two it is the first in the list: the one that began first, and of these
// the one by speed.
func (e *Engine) openFrozen(v *vehicle, f *fix) bool {
	s := &e.snap.Settings.FrozenPosition
	sd := e.sides[v.side-1]
	i := slices.IndexFunc(sd.frozen, func(c frozenCase) bool {
		return f.time-c.span.start >= int64(s.SustainedS)*1000 && (!c.byMileage || f.mileage-c.mileage >= e.snap.frozenMileage)
	})
	if i < 0 {
		return false
	}
	sd.frozen[0] = sd.frozen[i]
	sd.frozen = sd.frozen[:1]
	c := &sd.frozen[0]
	c.opened = true
	e.recordFrozen(v, c, StateOpen, c.span.held)
	return true
}

func (e *Engine) hasFrozen(v *vehicle, byMileage bool) bool {
	if v.side == 0 {
		return false
	}
	for i := range e.sides[v.side-1].frozen {
		if c := &e.sides[v.side-1].frozen[i]; c.opened || c.byMileage == byMileage {
			return true
		}
	}
	return false
}

// samePlace reports whether a fix is where a run began.
func (e *Engine) samePlace(lat, lon int32, f *fix) bool {
	d := e.snap.frozenPlace
	return max(f.lat-lat, lat-f.lat) <= d && max(f.lon-lon, lon-f.lon) <= d
}

// frozenSign reports whether a run may begin with a fix.
func (e *Engine) frozenSign(f *fix, byMileage bool) bool {
	if byMileage {
		return f.mileage != ingest.NoMileage
	}
	return speedKnown(f.speed) && f.speed >= e.snap.frozenSpeed
}

// frozenStep reports whether the sign still holds at a fix: it is fast too; or its mileage is not less than at the fix before, nor
// greater by more than any speed that the gate believes allows. The odometer counts tenths of a km.
func (e *Engine) frozenStep(p, f *fix, byMileage bool) bool {
	if !byMileage {
		return e.frozenSign(f, false)
	}
	if p.mileage == ingest.NoMileage || f.mileage == ingest.NoMileage || f.mileage < p.mileage {
		return false
	}
	return (int64(f.mileage)-int64(p.mileage)-1)*3_600_000 <= int64(e.snap.gate.speed)*(f.time-p.time)
}

func (e *Engine) recordFrozen(v *vehicle, c *frozenCase, state State, at tally, notes ...string) {
	o := e.begin(v, KindFrozenPosition, &c.span, "")
	o.Measured, o.Unit = tenthsOf(at.time-c.span.start, minuteMs/10), ptr("min")
	o.Basis = []string{}
	o.Detail["sign"] = frozenCauses[c.byMileage]
	e.finish(o, state, &c.span, at, notes)
}

func frozenEnd(e *Engine, v *vehicle, close bool) {
	for i := range e.sides[v.side-1].frozen {
		switch c := &e.sides[v.side-1].frozen[i]; {
		case !c.opened:
		case close:
			e.recordFrozen(v, c, StateClosed, c.span.held, noteEndOfData)
		default:
			e.recordFrozen(v, c, StateOpen, c.span.held)
		}
	}
}
