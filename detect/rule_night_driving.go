package detect

// Night driving (凌晨2至5时违规运行): a coach that is neither exempt nor in a relay (接驳) drives at 20 km/h or more within the hours
// of its class, for 5 min at least; stops at lights under 5 min do not break it. Basis: 国发〔2012〕30号; 接驳运输管理办法 art. 32.

// nightRun is one run of a vehicle within one night's window.
type nightRun struct {
	open     bool
	until    int64 // end of the window
	seen     int64 // the last fix with a speed
	stop     int64 // the first fix of the stop that goes on; 0: none
	stopAt   tally // at it
	standing int64 // time of the first fix since which it has stood, over stops that follow each other; 0: it moves
	stood    int64 // ms of the stops that have ended
	held     int64 // of these, those before the last fix at which it held
	span     span
}

// nightRules are the settings in the units of events.
type nightRules struct {
	speed            uint16
	sustained        int64 // ms
	stop, light, gap int64 // ms
	windows          [classCount]struct {
		judged bool
		hours  hours
	}
}

func compileNightDriving(s *Settings) (r nightRules) {
	n := &s.NightDriving
	ms := func(seconds int) int64 { return int64(seconds) * 1000 }
	r.speed, r.sustained, r.stop, r.light, r.gap = uint16(n.Speed*10+0.5), ms(n.SustainedS), ms(n.StopS), ms(n.LightS), ms(s.Movement.RunGapS)
	for name, w := range n.Windows {
		c, ok := ParseClass(name)
		if !ok || !n.Enabled {
			continue
		}
		of := &r.windows[c]
		of.judged = true
		of.hours.from, _ = parseClock(w.From)
		of.hours.to, _ = parseClock(w.To)
	}
	return r
}

// nightWindow returns the end of the window in which a vehicle must not drive at t; 0: it may.
func (e *Engine) nightWindow(v *vehicle, t int64) int64 {
	w := &e.snap.resting.windows[v.class]
	if !w.judged {
		return 0
	}
	from, until := w.hours.around(t)
	if t < from {
		return 0
	}
	if r := e.snap.register[e.idOf(v)]; r == nil || r.NightExempt {
		return 0
	}
	return until
}

// relayPermit returns the earliest beginning of the relay permits that are valid somewhere in (after, t]; 0: none.
func (e *Engine) relayPermit(v *vehicle, after, t int64) (at int64) {
	for _, p := range e.snap.permits[e.idOf(v)] {
		if p.Kind == PermitRelay && p.Start <= t && (p.End == 0 || p.End > after) && (at == 0 || p.Start < at) {
			at = max(p.Start, 1) // 0 is open
		}
	}
	return at
}

// inRelay reports whether the place of a fix is inside of a relay fence that means the vehicle and is in force.
func (e *Engine) inRelay(m *moment) bool {
	for _, n := range m.hits {
		if fc := &e.snap.fences[n]; fc.Kind == FenceRelay && fc.applies(e, m.v) {
			if in, _ := inForce(fc.Schedule, m.f.time); in {
				return true
			}
		}
	}
	return false
}

func nightDrivingFix(e *Engine, m *moment) {
	s, v, f := &e.snap.resting, m.v, m.f
	if v.side != 0 && len(e.sides[v.side-1].nights) > 0 {
		if e.nightGoesOn(m, &e.sides[v.side-1].nights[0]) {
			return
		}
		e.sides[v.side-1].nights = e.sides[v.side-1].nights[:0]
	}
	if !s.windows[v.class].judged || !speedKnown(f.speed) || f.speed < s.speed || v.has(flagStopped) {
		return
	}
	until := e.nightWindow(v, f.time)
	if until == 0 || e.inRelay(m) || e.relayPermit(v, f.time-1, f.time) != 0 {
		return
	}
	sd := e.rareOf(v)
	sd.nights = append(sd.nights, nightRun{until: until, seen: f.time, span: e.beginSpan(v, f)})
	if s.sustained == 0 {
		e.openNight(v, &sd.nights[0])
	}
}

// nightGoesOn takes a run to the next fix and reports whether it goes on.
func (e *Engine) nightGoesOn(m *moment, r *nightRun) bool {
	s, v, f := &e.snap.resting, m.v, m.f
	if m.broken || f.time-r.seen > s.gap || e.nightWindow(v, r.span.start) == 0 {
		e.endNight(v, r, r.span.held)
		return false
	}
	at := r.until
	if p := e.relayPermit(v, v.judged.time, f.time); p != 0 {
		at = min(at, p)
	}
	if at <= f.time {
		if at <= v.judged.time { // a paper that is known only now
			e.endNight(v, r, r.span.held)
		} else {
			e.endNight(v, r, r.span.at(at))
		}
		return false
	}
	if e.inRelay(m) {
		e.endNight(v, r, r.span.now)
		return false
	}
	if !speedKnown(f.speed) {
		return true
	}
	r.seen = f.time
	if v.has(flagStopped) {
		if r.stop == 0 || m.newStop {
			r.stop, r.stopAt = f.time, r.span.now
		}
		if r.standing == 0 {
			r.standing = f.time
		}
		if !r.open || f.time-r.stop < s.stop {
			return true
		}
		e.endNight(v, r, r.stopAt)
		return false
	}
	if r.stop != 0 {
		stood := f.time - r.stop
		switch {
		case r.open && stood >= s.stop:
			e.endNight(v, r, r.stopAt)
			return false
		case !r.open && stood >= s.light:
			return false
		}
		r.stood += f.time - r.standing
		r.stop, r.standing = 0, 0
	}
	if f.speed < s.speed {
		return r.open
	}
	r.span.hold()
	r.held = r.stood
	if !r.open && f.time-r.span.start >= s.sustained {
		e.openNight(v, r)
	}
	return true
}

func (e *Engine) openNight(v *vehicle, r *nightRun) {
	r.open = true
	e.recordNight(v, r, StateOpen, r.span.held)
}

func (e *Engine) endNight(v *vehicle, r *nightRun, at tally, notes ...string) {
	if r.open {
		e.recordNight(v, r, StateClosed, at, notes...)
	}
}

func (e *Engine) recordNight(v *vehicle, r *nightRun, state State, at tally, notes ...string) {
	o := e.begin(v, KindNightDriving, &r.span, "")
	stood := r.stood
	switch {
	case at.time == r.span.held.time:
		stood = r.held
	case r.standing != 0:
		stood += at.time - r.standing
	}
	o.Measured, o.Limit, o.Unit = tenthsOf(at.time-r.span.start-stood, minuteMs/10), ptr(0.0), ptr("min")
	o.Basis = []string{"night-stop", "relay"}
	o.Detail["stopped_s"] = seconds(stood)
	e.finish(o, state, &r.span, at, notes)
}

// nightDrivingRebase takes back what a paper that came late allows, and ends what the new register or settings do not know.
func nightDrivingRebase(e *Engine, v *vehicle, sd *side, _ *Snapshot) {
	if len(sd.nights) == 0 {
		return
	}
	r := &sd.nights[0]
	switch {
	case e.relayPermit(v, r.span.start-1, r.span.start) != 0:
		if r.open {
			e.recordNight(v, r, StateRetracted, r.span.held, noteLatePaper)
		}
	case !e.snap.enabled[KindNightDriving]: // closeSwitchedOff
		return
	case e.nightWindow(v, r.span.start) == 0:
		e.endNight(v, r, r.span.held)
	default:
		return
	}
	sd.nights = sd.nights[:0]
}

func nightDrivingEnd(e *Engine, v *vehicle, close bool) {
	sd := e.sides[v.side-1]
	switch {
	case len(sd.nights) == 0 || !sd.nights[0].open:
	case close:
		e.endNight(v, &sd.nights[0], sd.nights[0].span.held, noteEndOfData)
	default:
		e.recordNight(v, &sd.nights[0], StateOpen, sd.nights[0].span.held)
	}
}
