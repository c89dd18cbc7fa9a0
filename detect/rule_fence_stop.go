package detect

import "slices"

// Stopping where it is forbidden (禁停区域停车): a stop of 5 min or more whose place is inside a no_stop fence that means the vehicle
// and is in force. While more than 3 vehicles stand within 500 m nobody is to blame: the time until then is not counted. It starts
// with the first fix of the stop that counts, and ends when the vehicle moves or the stop is another. Basis: 道路交通安全法 art. 56; 临县方案附件3.

// stopCase is one stop inside of one fence.
type stopCase struct {
	fence  int32
	opened bool
	until  int64 // end of the schedule's window at the last fix; 0: no schedule
	span   span
}

func fenceStopFix(e *Engine, m *moment) {
	s := &e.snap.Settings.FenceStop
	v, f := m.v, m.f
	stopped := v.has(flagStopped) && (m.lone || speedKnown(f.speed))
	if v.side != 0 && len(e.sides[v.side-1].stops) > 0 {
		e.stopsGoOn(m, stopped)
	}
	if !s.Enabled || !stopped || m.lone || e.snap.noStop == nil {
		return
	}
	for _, n := range m.hits {
		fc := &e.snap.fences[n]
		if fc.Kind != FenceNoStop || !fc.applies(e, v) {
			continue
		}
		in, until := inForce(fc.Schedule, f.time)
		if !in || v.side != 0 && slices.ContainsFunc(e.sides[v.side-1].stops, func(c stopCase) bool { return c.fence == n }) {
			continue
		}
		if e.standing(m.place, f.time) > s.Crowd {
			return
		}
		sd := e.placesOf(v)
		sd.stops = append(e.spare.stops.room(sd.stops), stopCase{fence: n, until: until, span: e.beginSpan(v, f)})
	}
}

// stopsGoOn takes the stops that are followed to the next fix.
func (e *Engine) stopsGoOn(m *moment, stopped bool) {
	s := &e.snap.Settings.FenceStop
	v, f := m.v, m.f
	gap := int64(e.snap.Settings.Movement.RunGapS) * 1000
	sd := e.sides[v.side-1]
	kept := sd.stops[:0]
	for i := range sd.stops {
		c := &sd.stops[i]
		fc := &e.snap.fences[c.fence]
		in, until := inForce(fc.Schedule, f.time)
		ended := c.until != 0 && f.time >= c.until && !fc.inForceAt(c.until)
		late := f.time-c.span.held.time > gap
		unknown := !m.broken && !speedKnown(f.speed) && v.has(flagStopped)
		switch {
		case unknown && !ended: // neither moving nor stopped: the next fix tells
			kept = append(kept, *c)
			continue
		case m.broken || !s.Enabled:
			e.endStop(v, c, c.span.held)
			continue
		case !stopped || m.newStop:
			switch {
			case late:
				e.endStop(v, c, c.span.held)
			case ended && c.until < f.time:
				e.endStop(v, c, c.span.at(c.until))
			default:
				e.endStop(v, c, c.span.now)
			}
			continue
		case ended || !in:
			if ended { // it stood, however long nothing was heard of it
				e.endStop(v, c, c.span.at(c.until))
			} else {
				e.endStop(v, c, c.span.held)
			}
			continue
		case !fc.applies(e, v) || !slices.Contains(m.hits, c.fence):
			e.endStop(v, c, c.span.held)
			continue
		}
		c.until = until
		c.span.hold()
		if !c.opened && !m.lone {
			if e.standing(m.place, f.time) > s.Crowd { // what was before is not counted
				continue
			}
			if f.time-c.span.start >= int64(s.StopS)*1000 {
				c.opened = true
				e.recordStop(v, c, fc.ID, StateOpen, c.span.held)
			}
		}
		kept = append(kept, *c)
	}
	sd.stops = kept
}

func (e *Engine) endStop(v *vehicle, c *stopCase, at tally, notes ...string) {
	if c.opened {
		e.recordStop(v, c, e.snap.fences[c.fence].ID, StateClosed, at, notes...)
	}
}

func (e *Engine) recordStop(v *vehicle, c *stopCase, id string, state State, at tally, notes ...string) {
	o := e.begin(v, KindFenceStop, &c.span, id)
	o.Fence = &id
	most := int64(e.snap.Settings.FenceStop.StopS) * 1000
	stopped := at.time - c.span.start
	o.Measured, o.Limit, o.Unit = tenthsOf(stopped, minuteMs/10), tenthsOf(most, minuteMs/10), ptr("min")
	o.OverPct, o.Band = overPct(stopped-most, most)
	o.Basis = []string{"parking", "plan-linxian-stop"}
	e.finish(o, state, &c.span, at, notes)
}

func stopsRebase(e *Engine, v *vehicle, sd *side, old *Snapshot) {
	kept := sd.stops[:0]
	for i := range sd.stops {
		c := &sd.stops[i]
		if c.rebase(e, v, old.fences[c.fence].ID) {
			kept = append(kept, *c)
		}
	}
	sd.stops = kept
}

func (c *stopCase) rebase(e *Engine, v *vehicle, id string) bool {
	n, ok := e.snap.fenceByID[id]
	if !ok || e.snap.fences[n].Kind != FenceNoStop {
		if c.opened {
			e.recordStop(v, c, id, StateClosed, c.span.held, noteFenceRemoved)
		}
		return false
	}
	c.fence = n
	if in, until := inForce(e.snap.fences[n].Schedule, c.span.held.time); in { // else the next fix ends it
		c.until = until
	}
	return true
}

func stopsEnd(e *Engine, v *vehicle, close bool) {
	for i := range e.sides[v.side-1].stops {
		c := &e.sides[v.side-1].stops[i]
		switch {
		case !c.opened:
		case close:
			e.endStop(v, c, c.span.held, noteEndOfData)
		default:
			e.recordStop(v, c, e.snap.fences[c.fence].ID, StateOpen, c.span.held)
		}
	}
}
