package detect

// Speeding (超速驾驶): speed over the effective limit at every one of two or more fixes in a row, for 30 s at least. A run
// belongs to one limit, source and fence. Basis: 道路交通安全法 art. 42; 危险货物道路运输安全管理办法 art. 46 for hazmat.

// speedCase is a run of speeding of one vehicle. A vehicle has at most one that is candidate or open, and those closed ones
// that a new run may still extend.
type speedCase struct {
	key   speedLimit
	phase speedPhase
	top   uint16 // 0.1 km/h
	end   tally  // while cooling: where it closed
	span  span
}

type speedPhase uint8

const (
	speedCandidate speedPhase = iota // over the limit, not yet for long enough
	speedOpen
	speedCooling // closed; a run of the same key that begins within the merge time extends it
)

func speedingFix(e *Engine, m *moment) {
	s := &e.snap.Settings.Speeding
	v, f := m.v, m.f
	merge := int64(s.MergeS) * 1000
	if v.side != 0 && len(e.sides[v.side-1].speeding) > 0 {
		e.coolDown(v, f.time, merge)
	}
	gap := int64(e.snap.Settings.Movement.RunGapS) * 1000
	run := e.speedRun(v)
	if run != nil && (!s.Enabled || m.broken || f.time-run.span.held.time > gap) {
		e.endSpeeding(v, run, run.span.held)
		run = nil
	}
	if !s.Enabled || m.spike || !speedKnown(f.speed) {
		return
	}
	limit := e.effectiveLimit(m)
	over := limit.source != limitNone && uint32(f.speed)*10 > limit.limit
	if run != nil && (!over || run.key != limit) {
		e.endSpeeding(v, run, run.span.now)
		run = nil
	}
	if !over {
		return
	}
	if run == nil {
		sd := e.sideOf(v)
		sd.speeding = append(e.spare.speeding.room(sd.speeding), speedCase{key: limit, top: f.speed, span: e.beginSpan(v, f)})
		run = &sd.speeding[len(sd.speeding)-1]
	} else {
		run.top = max(run.top, f.speed)
		run.span.hold()
	}
	if run.phase == speedCandidate && run.span.held.fixes >= 2 && run.span.held.time-run.span.start >= int64(s.SustainedS)*1000 {
		if before := e.extendable(v, run, merge); before != nil {
			before.phase, before.top = speedOpen, max(before.top, run.top)
			before.span.hold()
			e.dropSpeed(v, run)
			run = e.speedRun(v)
		} else {
			run.phase = speedOpen
		}
		e.emitSpeeding(v, run, StateOpen, run.span.held)
	}
}

// speedRun returns the run that is candidate or open.
func (e *Engine) speedRun(v *vehicle) *speedCase {
	if v.side == 0 {
		return nil
	}
	cases := e.sides[v.side-1].speeding
	for i := range cases {
		if cases[i].phase != speedCooling {
			return &cases[i]
		}
	}
	return nil
}

// extendable returns the closed run that a new one extends.
func (e *Engine) extendable(v *vehicle, run *speedCase, merge int64) *speedCase {
	cases := e.sides[v.side-1].speeding
	for i := range cases {
		if c := &cases[i]; c.phase == speedCooling && c.key == run.key && run.span.start-c.end.time < merge {
			return c
		}
	}
	return nil
}

// coolDown forgets closed runs that nothing can extend any more.
func (e *Engine) coolDown(v *vehicle, now, merge int64) {
	run := e.speedRun(v)
	first := now // when the earliest run that may still extend something began
	if run != nil && run.phase == speedCandidate {
		first = run.span.start
	}
	sd := e.sides[v.side-1]
	kept := sd.speeding[:0]
	for i := range sd.speeding {
		if c := &sd.speeding[i]; c.phase != speedCooling || first-c.end.time < merge {
			kept = append(kept, *c)
		}
	}
	sd.speeding = kept
}

func (e *Engine) dropSpeed(v *vehicle, run *speedCase) {
	sd := e.sides[v.side-1]
	for i := range sd.speeding {
		if &sd.speeding[i] == run {
			sd.speeding = append(sd.speeding[:i], sd.speeding[i+1:]...)
			return
		}
	}
}

// endSpeeding closes an open run at a tally, or forgets a candidate.
func (e *Engine) endSpeeding(v *vehicle, run *speedCase, at tally) {
	if run.phase == speedCandidate {
		e.dropSpeed(v, run)
		return
	}
	run.phase, run.end = speedCooling, at
	e.emitSpeeding(v, run, StateClosed, at)
}

func (e *Engine) emitSpeeding(v *vehicle, run *speedCase, state State, at tally, notes ...string) {
	e.recordSpeeding(v, run, e.snap.fenceID(run.key.fence), state, at, notes...)
}

func (e *Engine) recordSpeeding(v *vehicle, run *speedCase, fence string, state State, at tally, notes ...string) {
	o := e.begin(v, KindSpeeding, &run.span, fence)
	o.Measured = tenthsOf(int64(run.top), 1)
	o.Limit = tenthsOf(int64(run.key.limit), 10)
	o.Unit = ptr("km/h")
	over := int64(run.top)*10 - int64(run.key.limit)
	o.OverPct, o.Band = overPct(over, int64(run.key.limit))
	o.LimitSource = ptr(run.key.source.String())
	if fence != "" {
		o.Fence = &fence
	}
	o.Basis = speedingBasis(v.class, run.key.source)
	e.finish(o, state, &run.span, at, notes)
}

func speedingBasis(c Class, source limitSource) []string {
	switch source {
	case limitClassCap:
		switch {
		case c == ClassHazmat:
			return []string{"haz-speed"}
		default:
			return []string{"road-speed-cap"}
		}
	case limitNight:
		return []string{"coach-night-speed"}
	}
	return []string{"road-speed"}
}

// speedingRebase finds the speed zones of the old snapshot in the new one by their ids. What went on in one that is gone
// ends at the last fix at which it held.
func speedingRebase(e *Engine, v *vehicle, sd *side, old *Snapshot) {
	kept := sd.speeding[:0]
	for i := range sd.speeding {
		c := &sd.speeding[i]
		if c.rebase(e, v, old.fenceID(c.key.fence)) {
			kept = append(kept, *c)
		}
	}
	sd.speeding = kept
}

func (c *speedCase) rebase(e *Engine, v *vehicle, fence string) bool {
	if fence == "" {
		return true
	}
	n, ok := e.snap.fenceByID[fence]
	if !ok {
		if c.phase == speedOpen {
			e.recordSpeeding(v, c, fence, StateClosed, c.span.held, noteFenceRemoved)
		}
		return false
	}
	c.key.fence = n
	return true
}

func speedingEnd(e *Engine, v *vehicle, close bool) {
	run := e.speedRun(v)
	if run == nil || run.phase != speedOpen {
		return
	}
	if close {
		e.emitSpeeding(v, run, StateClosed, run.span.held, noteEndOfData)
	} else {
		e.emitSpeeding(v, run, StateOpen, run.span.held)
	}
}
