package detect

// Fence exit (驶出限定区域): outside of all bound fences that mean the vehicle and are in force, taken together, the area of a
// valid charter permit being one of them. Basis: 临县方案附件7（五）1.

func fenceExitFix(e *Engine, m *moment) {
	s := &e.snap.Settings.FenceExit
	if !m.v.has(flagBound) && (m.v.side == 0 || len(e.sides[m.v.side-1].outside) == 0) || !s.Enabled {
		return
	}
	e.bounds = e.boundsOf(m.v, m.f.time, e.bounds[:0])
	e.outsideFix(m, KindFenceExit, s, e.bounds)
}

// boundsOf appends the bound fences that mean a vehicle and are in force at t.
func (e *Engine) boundsOf(v *vehicle, t int64, dst []bound) []bound {
	for _, n := range e.snap.bound {
		fc := &e.snap.fences[n]
		if !fc.applies(e, v) {
			continue
		}
		if in, until := inForce(fc.Schedule, t); in {
			dst = append(dst, bound{shape: fc.shape, id: fc.ID, until: until})
		}
	}
	for _, p := range e.snap.permits[e.idOf(v)] {
		if p.Kind != PermitCharter || p.Fence == "" || !validAt(p.Start, p.End, t) {
			continue
		}
		if n, ok := e.snap.fenceByID[p.Fence]; ok {
			fc := &e.snap.fences[n]
			dst = append(dst, bound{shape: fc.shape, id: fc.ID, permit: p, until: p.End})
		}
	}
	return dst
}

// validAt reports whether a validity [start, end) holds t; 0 is open.
func validAt(start, end, t int64) bool { return start <= t && (end == 0 || t < end) }

// isBound reports whether any fence or permit may bound a vehicle: the hot path asks no further where none does.
func (e *Engine) isBound(v *vehicle) bool {
	for _, n := range e.snap.bound {
		if e.snap.fences[n].applies(e, v) {
			return true
		}
	}
	for _, p := range e.snap.permits[e.idOf(v)] {
		if p.Kind == PermitCharter && p.Fence != "" {
			return true
		}
	}
	return false
}
