package detect

import (
	"slices"

	"lushao/geo"
)

// Being inside of a fence is followed by one machine for all rules that ask for it: entered with two fixes in a row inside,
// left with two in a row that are 20 m or more outside. What that means, the kind of the fence says.

// fenceCase is one vehicle inside of one fence.
type fenceCase struct {
	fence   int32 // number in the snapshot
	phase   fencePhase
	count   uint8     // fixes in a row: inside while candidate, far enough outside while leaving
	opened  bool      // its violation is open
	over    bool      // its violation has ended, or can't open any more, though the vehicle is inside
	leaveAt tally     // while leaving: where it ends if the next fixes are outside too; of a candidate: at the first fix inside
	until   int64     // end of the schedule's window at the last fix that was inside; 0: no schedule
	before  fix       // of a candidate: the fix before the first one inside; time 0: no segment leads from it
	from    geo.Point // where fences judge that fix
	span    span
}

type fencePhase uint8

const (
	fenceCandidate fencePhase = iota
	fenceInside
	fenceLeaving
)

// insideRule is what being inside of a kind of fence means. enabled is there always, record where a violation can open or a visit be; the
// others are nil where the rule has no use for them.
type insideRule struct {
	enabled func(s *Settings) bool
	// means narrows whom the fence means, beyond its classes and plates.
	means func(e *Engine, v *vehicle, fc *fence) bool
	// opens reports at a fix inside, the vehicle having entered, whether the violation opens; never says that it will not
	// open in this stay.
	opens func(e *Engine, v *vehicle, fc *fence, c *fenceCase) (now, never bool)
	// ends is the instant, at or before now, at which an open violation ended although the vehicle is inside; 0: it goes on.
	ends func(e *Engine, v *vehicle, fc *fence, c *fenceCase, now int64) int64
	// visit follows the stay itself.
	visit bool
	// record makes the record of the violation up to a tally. id is the fence's, which may have gone; fc is nil then.
	record func(e *Engine, v *vehicle, c *fenceCase, fc *fence, id string, state State, at tally, notes []string)
}

// insideRuleOf returns the rule about being inside of a kind of fence; nil where there is none.
func insideRuleOf(k FenceKind) *insideRule {
	switch k {
	case FenceForbidden:
		return &fenceEntryRule
	case FenceMaxStay:
		return &fenceStayRule
	case FenceJurisdiction:
		return &unfiledEntryRule
	case FenceApproach:
		return &approachRule
	case FenceBypass:
		return &bypassRule
	}
	return nil
}

// inForceFor reports whether a fence means a vehicle and is in force at a time, and the end of its window.
func (e *Engine) inForceFor(v *vehicle, fc *fence, t int64) (ok bool, until int64) {
	if !fc.applies(e, v) || fc.inside.means != nil && !fc.inside.means(e, v, fc) {
		return false, 0
	}
	return inForce(fc.Schedule, t)
}

func insideFix(e *Engine, m *moment) {
	v, f := m.v, m.f
	if v.side != 0 && len(e.sides[v.side-1].fences) > 0 {
		e.goOn(m)
	}
	if v.side != 0 && len(e.sides[v.side-1].approaches) > 0 {
		e.forgetApproaches(e.sides[v.side-1], f.time)
	}
	for _, n := range m.hits {
		fc := &e.snap.fences[n]
		if fc.inside == nil || !fc.inside.enabled(&e.snap.Settings) {
			continue
		}
		in, until := e.inForceFor(v, fc, f.time)
		if !in {
			continue
		}
		sd := e.placesOf(v)
		if slices.ContainsFunc(sd.fences, func(c fenceCase) bool { return c.fence == n }) { // goOn has seen it
			continue
		}
		c := fenceCase{fence: n, count: 1, until: until, span: e.beginSpan(v, f)}
		c.leaveAt = c.span.held
		if fc.Kind == FenceForbidden && !m.broken {
			c.before, c.from = v.judged, m.from
		}
		if e.snap.Settings.FenceEntry.Fixes == 1 {
			e.entered(v, fc, &c)
		}
		sd.fences = append(e.spare.fences.room(sd.fences), c)
	}
}

// entered says that the vehicle is inside beyond doubt.
func (e *Engine) entered(v *vehicle, fc *fence, c *fenceCase) {
	c.phase = fenceInside
	if fc.inside.visit {
		e.recordVisit(v, c, fc, fc.ID, StateOpen, c.span.held, nil)
	}
	e.stays(v, fc, c)
}

// stays looks at a fix inside, which the span holds, whether the violation opens at it.
func (e *Engine) stays(v *vehicle, fc *fence, c *fenceCase) {
	if c.opened || c.over {
		return
	}
	if fc.inside.opens == nil {
		c.opened = true
	} else {
		c.opened, c.over = fc.inside.opens(e, v, fc, c)
	}
	if c.opened {
		fc.inside.record(e, v, c, fc, fc.ID, StateOpen, c.span.held, nil)
	}
}

// leaves ends the stay, and with it the violation where it is open. fc is nil where the fence is gone.
func (e *Engine) leaves(v *vehicle, r *insideRule, fc *fence, id string, c *fenceCase, state State, at tally, notes ...string) {
	if c.phase == fenceCandidate {
		return
	}
	if c.opened && !c.over {
		r.record(e, v, c, fc, id, state, at, notes)
	}
	if r.visit {
		e.recordVisit(v, c, fc, id, state, at, notes)
	}
}

// goOn takes the fences that the vehicle is inside of to the next fix.
func (e *Engine) goOn(m *moment) {
	s := &e.snap.Settings.FenceEntry
	v, f := m.v, m.f
	gap := int64(e.snap.Settings.Movement.RunGapS) * 1000
	sd := e.sides[v.side-1]
	kept := sd.fences[:0]
	for i := range sd.fences {
		c := &sd.fences[i]
		fc := &e.snap.fences[c.fence]
		r := fc.inside
		hit := slices.Contains(m.hits, c.fence)
		in, until := false, int64(0)
		if hit {
			in, until = e.inForceFor(v, fc, f.time)
		}
		// A window that ended at or before this fix ended the stay, unless another goes on from there.
		ended := c.until != 0 && f.time >= c.until && !fc.inForceAt(c.until)
		outside := c.phase != fenceCandidate && !m.broken && !(in && !ended) && fc.shape.OutsideBy(m.place, s.Leave)
		if c.opened && !c.over && r.ends != nil && !m.broken && !(outside && c.phase == fenceLeaving) {
			if at := r.ends(e, v, fc, c, f.time); at != 0 && (!ended || at < c.until) {
				c.over = true
				if f.time-c.span.held.time > gap { // it may have left long before
					r.record(e, v, c, fc, fc.ID, StateClosed, c.span.held, nil)
				} else {
					r.record(e, v, c, fc, fc.ID, StateClosed, c.span.at(at), nil)
				}
			}
		}
		switch {
		case c.phase == fenceCandidate:
			if m.broken || !in || ended {
				if !hit && !m.broken && c.before.time != 0 {
					e.crossedWithOneFixInside(m, fc, c)
				}
				continue
			}
			c.count++
			c.until = until
			c.span.hold()
			if int(c.count) >= s.Fixes {
				e.entered(v, fc, c)
			}
		case m.broken: // nobody knows the way here: it ended before
			e.leaves(v, r, fc, fc.ID, c, StateClosed, c.span.held)
			continue
		case in && !ended:
			c.phase, c.until = fenceInside, until
			c.span.hold()
			e.stays(v, fc, c)
		case c.phase == fenceLeaving && outside:
			c.count++
			if int(c.count) >= s.Fixes || ended {
				e.leaves(v, r, fc, fc.ID, c, StateClosed, c.leaveAt)
				continue
			}
		case ended:
			if f.time-c.span.held.time > gap { // it may have left long before
				e.leaves(v, r, fc, fc.ID, c, StateClosed, c.span.held)
			} else {
				e.leaves(v, r, fc, fc.ID, c, StateClosed, c.span.at(c.until))
			}
			continue
		case hit: // inside, but the fence means the vehicle no longer
			e.leaves(v, r, fc, fc.ID, c, StateClosed, c.span.held)
			continue
		case !outside: // on the border: not yet left
			c.phase = fenceInside
			c.span.hold()
		default:
			c.phase, c.count, c.leaveAt = fenceLeaving, 1, c.span.now
			if f.time-c.span.held.time > gap {
				c.leaveAt = c.span.held
			}
			if s.Fixes == 1 {
				e.leaves(v, r, fc, fc.ID, c, StateClosed, c.leaveAt)
				continue
			}
		}
		kept = append(kept, *c)
	}
	sd.fences = kept
}

// inForceAt reports whether the fence's schedule holds an instant.
func (f *fence) inForceAt(t int64) bool {
	in, _ := inForce(f.Schedule, t)
	return in
}

// insideRebase finds the fences of the old snapshot in the new one by their ids. A stay in one that is gone, or of another
// kind now, ends at the last fix at which it held.
func insideRebase(e *Engine, v *vehicle, sd *side, old *Snapshot) {
	kept := sd.fences[:0]
	for i := range sd.fences {
		c := &sd.fences[i]
		was := &old.fences[c.fence]
		if c.rebase(e, v, was.ID, was.Kind) {
			kept = append(kept, *c)
		}
	}
	sd.fences = kept
}

func (c *fenceCase) rebase(e *Engine, v *vehicle, id string, kind FenceKind) bool {
	n, ok := e.snap.fenceByID[id]
	if !ok || e.snap.fences[n].Kind != kind {
		if r := insideRuleOf(kind); r != nil {
			e.leaves(v, r, nil, id, c, StateClosed, c.span.held, noteFenceRemoved)
		}
		return false
	}
	c.fence = n
	fc := &e.snap.fences[n]
	if in, until := inForce(fc.Schedule, c.span.held.time); in { // else the next fix ends it
		c.until = until
	}
	// A paper that comes late disproves what was opened without it.
	if c.opened && !c.over && fc.Kind == FenceJurisdiction && e.snap.filed(e.idOf(v), fc.Region, c.span.start) != nil {
		fc.inside.record(e, v, c, fc, id, StateRetracted, c.span.held, []string{noteLatePaper})
		c.over = true
	}
	return true
}

func insideEnd(e *Engine, v *vehicle, close bool) {
	for i := range e.sides[v.side-1].fences {
		c := &e.sides[v.side-1].fences[i]
		fc := &e.snap.fences[c.fence]
		if close {
			e.leaves(v, fc.inside, fc, fc.ID, c, StateClosed, c.span.held, noteEndOfData)
		} else {
			e.leaves(v, fc.inside, fc, fc.ID, c, StateOpen, c.span.held)
		}
	}
}

// recordInside makes the record of a violation about being inside, but for what its own kind adds.
func (e *Engine) recordInside(v *vehicle, kind Kind, c *fenceCase, id string) *Violation {
	o := e.begin(v, kind, &c.span, id)
	o.Fence = &id
	return o
}
