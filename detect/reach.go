package detect

import "encoding/hex"

// reach is the extent of a violation that bits or assistance systems prove: its start and end are times of positions or alarms, which
// need not be fixes, and a fix of that time, or before, may come out of the gate later. So fixes are counted by their time, and a
// violation that has ended is kept until none of its fixes can come any more. (span is that of what fixes prove.)
type reach struct {
	start              int64
	startLat, startLon int32 // of the last fix up to the start
	placed             bool  // there is one
	driver             uint32
	now                tally // of the fixes since the start; its place is the last fix's, also of one before
	held               tally // of those up to held.time, the last time at which it held
	end                tally // of those up to end.time; time 0: it has not ended
}

func (e *Engine) beginReach(v *vehicle, t int64) reach {
	id := e.idOf(v)
	r := reach{start: t, driver: v.driver}
	r.now.evidence = evidenceSeed(&id)
	r.hold(t)
	if v.judged.time != 0 {
		r.count(&v.judged, 0)
	}
	return r
}

// copyNow makes t the tally of all fixes so far, and keeps its time.
func (r *reach) copyNow(t *tally) {
	at := t.time
	*t = r.now
	t.time = at
}

// hold says that it holds at a time that is not before any fix so far.
func (r *reach) hold(t int64) {
	r.held.time = t
	r.copyNow(&r.held)
}

// endAt says that it has ended at the last time at which it held, or at a time after that, which is not before any fix so far.
func (r *reach) endAt(t int64) {
	if t == r.held.time {
		r.end = r.held
		return
	}
	r.end.time = t
	r.copyNow(&r.end)
}

// count takes the next fix of the vehicle and reports whether that changes what has been said of the violation: where it began, or
// what lies between its start and its end.
func (r *reach) count(f *fix, segment float64) (changed bool) {
	r.now.time, r.now.lat, r.now.lon = f.time, f.lat, f.lon
	if f.time <= r.start {
		r.startLat, r.startLon, r.placed = f.lat, f.lon, true
		changed = true
	}
	if f.time >= r.start {
		if r.now.fixes > 0 {
			r.now.metres += segment
		}
		r.now.fixes++
		r.now.evidence = chainEvidence(r.now.evidence, f)
	}
	if f.time <= r.held.time {
		r.copyNow(&r.held)
	}
	if r.end.time != 0 && f.time <= r.end.time {
		r.copyNow(&r.end)
		changed = true
	}
	return changed
}

// mayGrow reports whether a fix may still come that lies before the end.
func (e *Engine) mayGrow(v *vehicle, r *reach) bool {
	if held := e.heldOf(v); held != nil && held.time <= r.end.time {
		return true
	}
	for _, j := range e.jumpsOf(v) {
		if j.time <= r.end.time {
			return true
		}
	}
	return false
}

// recordReach begins the record of a violation.
func (e *Engine) recordReach(v *vehicle, kind Kind, r *reach, subject string) *Violation {
	return e.begin(v, kind, &span{start: r.start, driver: r.driver}, subject)
}

// finishReach completes the record of a violation and hands it out.
func (e *Engine) finishReach(o *Violation, state State, r *reach, at *tally, notes ...string) {
	o.State = state
	if r.placed {
		o.StartLat, o.StartLon = degrees(r.startLat), degrees(r.startLon)
	}
	if state == StateClosed {
		o.End = ptr(Time(at.time))
		if r.placed || at.fixes > 0 {
			o.EndLat, o.EndLon = degrees(at.lat), degrees(at.lon)
		}
	}
	o.DurationS = seconds(at.time - r.start)
	o.DistanceM = int64(at.metres + 0.5)
	o.Fixes = int64(at.fixes)
	o.EvidenceHash = hex.EncodeToString(at.evidence[:])
	o.Notes = append(o.Notes, notes...)
	e.emit(o)
}

func (e *Engine) writeReach(w *stateWriter, r *reach) {
	w.u64(uint64(r.start))
	w.u32(uint32(r.startLat))
	w.u32(uint32(r.startLon))
	w.truth(r.placed)
	e.writeDriver(w, r.driver)
	w.tally(&r.now)
	w.tally(&r.held)
	w.tally(&r.end)
}

func (e *Engine) readReach(rd *stateReader, r *reach) {
	r.start, r.startLat, r.startLon, r.placed = int64(rd.u64()), int32(rd.u32()), int32(rd.u32()), rd.truth()
	r.driver = e.readDriver(rd)
	rd.tally(&r.now)
	rd.tally(&r.held)
	rd.tally(&r.end)
}
