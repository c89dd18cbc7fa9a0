package detect

import "slices"

// Fence entry (驶入禁行区域): two fixes in a row inside a forbidden fence that means the vehicle and is in force. It is left
// with two fixes in a row that are 20 m or more outside. Basis: 危险货物道路运输安全管理办法 art. 49; 公路安全保护条例 art. 42.

// fenceCase is one vehicle inside of one fence.
type fenceCase struct {
	fence   int32 // number in the snapshot
	phase   fencePhase
	count   uint8 // fixes in a row: inside while candidate, far enough outside while leaving
	leaveAt tally // while leaving: where it ends if the next fixes are outside too
	until   int64 // end of the schedule's window at the last fix that was inside; 0: no schedule
	span    span
}

type fencePhase uint8

const (
	fenceCandidate fencePhase = iota
	fenceOpen
	fenceLeaving
)

func fenceEntryFix(e *Engine, m *moment) {
	s := &e.snap.Settings.FenceEntry
	v, f := m.v, m.f
	if v.side != 0 && len(e.sides[v.side-1].fences) > 0 {
		e.goOn(m)
	}
	if !s.Enabled {
		return
	}
	for _, n := range m.hits {
		fc := &e.snap.fences[n]
		if fc.Kind != FenceForbidden || !fc.applies(&v.id, v.class) {
			continue
		}
		in, until := inForce(fc.Schedule, f.time)
		if !in {
			continue
		}
		sd := e.sideOf(v)
		i := slices.IndexFunc(sd.fences, func(c fenceCase) bool { return c.fence == n })
		if i >= 0 { // goOn has seen it
			continue
		}
		sd.fences = append(sd.fences, fenceCase{fence: n, count: 1, until: until, span: beginSpan(v, f)})
		if s.Fixes == 1 {
			c := &sd.fences[len(sd.fences)-1]
			c.phase = fenceOpen
			e.emitFence(v, c, StateOpen, c.span.held, 0)
		}
	}
}

// goOn takes the fences that the vehicle is inside of to the next fix.
func (e *Engine) goOn(m *moment) {
	s := &e.snap.Settings.FenceEntry
	v, f := m.v, m.f
	gap := int64(e.snap.Settings.Movement.RunGapS) * 1000
	sd := &e.sides[v.side-1]
	kept := sd.fences[:0]
	for i := range sd.fences {
		c := &sd.fences[i]
		fc := &e.snap.fences[c.fence]
		hit := slices.Contains(m.hits, c.fence)
		in, until := false, int64(0)
		if hit && fc.applies(&v.id, v.class) {
			in, until = inForce(fc.Schedule, f.time)
		}
		// A window that ended at or before this fix ended the visit, unless another goes on from there.
		ended := c.until != 0 && f.time >= c.until && !fc.inForceAt(c.until)
		switch {
		case c.phase == fenceCandidate:
			if m.broken || !in || ended {
				continue
			}
			c.count++
			c.until = until
			c.span.hold()
			if int(c.count) >= s.Fixes {
				c.phase = fenceOpen
				e.emitFence(v, c, StateOpen, c.span.held, 0)
			}
		case m.broken: // nobody knows the way here: it ended before
			e.emitFence(v, c, StateClosed, c.span.held, 0)
			continue
		case in && !ended:
			c.phase, c.until = fenceOpen, until
			c.span.hold()
		case c.phase == fenceLeaving && fc.shape.OutsideBy(m.place, s.Leave):
			c.count++
			if int(c.count) >= s.Fixes {
				e.emitFence(v, c, StateClosed, c.leaveAt, 0)
				continue
			}
		case ended:
			end := c.until
			if f.time-c.span.held.time > gap { // it may have left long before
				end = 0
			}
			e.emitFence(v, c, StateClosed, c.span.held, end)
			continue
		case hit: // inside, but the fence means the vehicle no longer
			e.emitFence(v, c, StateClosed, c.span.held, 0)
			continue
		case !fc.shape.OutsideBy(m.place, s.Leave): // on the border: not yet left
			c.phase = fenceOpen
			c.span.hold()
		default:
			c.phase, c.count, c.leaveAt = fenceLeaving, 1, c.span.now
			if f.time-c.span.held.time > gap {
				c.leaveAt = c.span.held
			}
			if s.Fixes == 1 {
				e.emitFence(v, c, StateClosed, c.leaveAt, 0)
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

// emitFence records an entry up to a tally; with until set it ended at that instant, after the
// tally's fix.
func (e *Engine) emitFence(v *vehicle, c *fenceCase, state State, at tally, until int64) {
	e.recordFence(v, c, e.snap.fences[c.fence].ID, state, at, until)
}

func (e *Engine) recordFence(v *vehicle, c *fenceCase, id string, state State, at tally, until int64, notes ...string) {
	o := e.begin(v, KindFenceEntry, &c.span, id)
	o.Fence = &id
	if v.class == ClassHazmat {
		o.Basis = []string{"haz-restricted-area", "road-protection"}
	} else {
		o.Basis = []string{"restricted-area"}
	}
	if until != 0 {
		at.time = until
	}
	e.finish(o, state, &c.span, at, notes)
}

// fenceEntryRebase finds the fences of the old snapshot in the new one by their ids. An entry into one that is gone, or no
// longer forbidden, ends at the last fix at which it held.
func fenceEntryRebase(e *Engine, v *vehicle, sd *side, old *Snapshot) {
	kept := sd.fences[:0]
	for i := range sd.fences {
		c := sd.fences[i]
		if c.rebase(e, v, old.fences[c.fence].ID) {
			kept = append(kept, c)
		}
	}
	sd.fences = kept
}

func (c *fenceCase) rebase(e *Engine, v *vehicle, id string) bool {
	n, ok := e.snap.fenceByID[id]
	if !ok || e.snap.fences[n].Kind != FenceForbidden {
		if c.phase != fenceCandidate {
			e.recordFence(v, c, id, StateClosed, c.span.held, 0, noteFenceRemoved)
		}
		return false
	}
	c.fence = n
	return true
}

func fenceEntryEnd(e *Engine, v *vehicle, close bool) {
	for i := range e.sides[v.side-1].fences {
		c := &e.sides[v.side-1].fences[i]
		id := e.snap.fences[c.fence].ID
		switch {
		case c.phase == fenceCandidate:
		case close:
			e.recordFence(v, c, id, StateClosed, c.span.held, 0, noteEndOfData)
		default:
			e.recordFence(v, c, id, StateOpen, c.span.held, 0)
		}
	}
}
