package detect

import (
	"math"
	"slices"

	"lushao/geo"
)

// Fence crossing (穿越禁行区域): a forbidden fence is crossed between two fixes outside of it, or between two with a single one inside,
// with 50 m or more inside. A segment counts only where it is short in time and as long as the speeds at its ends say: then the
// vehicle has driven straight. Basis: as fence_entry.

func fenceCrossingFix(e *Engine, m *moment) {
	s := &e.snap.Settings.FenceCrossing
	v := m.v
	if !s.Enabled || m.broken || v.judged.time == 0 || e.snap.forbidden == nil {
		return
	}
	from := &v.judged
	a, b := m.from, m.place // a fix of a stop is judged at its place
	if a == b || e.snap.forbidden.Clear(a, b) || !s.straight(from, m.f, geo.Distance(a, b)) {
		return
	}
	e.near = e.snap.forbidden.Crossed(a, b, e.near[:0])
	for _, i := range e.near {
		n := e.snap.forbiddenAt[i]
		fc := &e.snap.fences[n]
		if fc.shape.Contains(a) || fc.shape.Contains(b) || !fc.applies(e, v) ||
			!fc.inForceAt(from.time) || !fc.inForceAt(m.f.time) || e.isInside(v, n) {
			continue
		}
		if inside := fc.shape.InsideLength(a, b); inside >= s.Least {
			c := e.beginSpan(v, from)
			c.extend(m.f, m.segment)
			e.recordCrossing(v, fc, &c, inside)
		}
	}
}

// crossedWithOneFixInside judges a stay that was a single fix: c is the candidate, and this fix is outside.
func (e *Engine) crossedWithOneFixInside(m *moment, fc *fence, c *fenceCase) {
	s := &e.snap.Settings.FenceCrossing
	v := m.v
	inside := &v.judged
	if !s.Enabled || inside.time != c.span.start || fc.Kind != FenceForbidden || !fc.applies(e, v) {
		return
	}
	a, p, b := c.from, m.from, m.place
	if fc.shape.Contains(a) || !fc.shape.Contains(p) || fc.shape.Contains(b) ||
		!s.straight(&c.before, inside, geo.Distance(a, p)) || !s.straight(inside, m.f, geo.Distance(p, b)) ||
		!fc.inForceAt(c.before.time) || !fc.inForceAt(inside.time) || !fc.inForceAt(m.f.time) {
		return
	}
	length := fc.shape.InsideLength(a, p) + fc.shape.InsideLength(p, b)
	if length < s.Least {
		return
	}
	x := e.beginSpan(v, &c.before)
	x.extend(inside, geo.Distance(c.before.point(), inside.point()))
	x.extend(m.f, m.segment)
	e.recordCrossing(v, fc, &x, length)
}

// straight reports whether the way between two fixes can be taken for the straight line between them.
func (s *FenceCrossingSettings) straight(a, b *fix, metres float64) bool {
	dt := b.time - a.time
	if dt <= 0 || dt > int64(s.SegmentS)*1000 || !speedKnown(a.speed) || !speedKnown(b.speed) {
		return false
	}
	driven := float64(int(a.speed)+int(b.speed)) / 2 / 36 * float64(dt) / 1000
	return math.Abs(metres-driven) <= float64(driven*s.Ratio/100)+s.Slack
}

// isInside reports whether the vehicle's stay in a fence is being followed.
func (e *Engine) isInside(v *vehicle, fence int32) bool {
	return v.side != 0 && slices.ContainsFunc(e.sides[v.side-1].fences, func(c fenceCase) bool { return c.fence == fence })
}

func (e *Engine) recordCrossing(v *vehicle, fc *fence, s *span, inside float64) {
	o := e.begin(v, KindFenceCrossing, s, fc.ID)
	o.Fence = ptr(fc.ID)
	o.Measured, o.Unit = ptr(tenth(inside)), ptr("m")
	o.Basis = restrictedAreaBasis(v.class)
	e.finish(o, StateClosed, s, s.now, nil)
}
