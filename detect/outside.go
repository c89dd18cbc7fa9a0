package detect

import (
	"math"

	"lushao/geo"
)

// Being outside of where a vehicle must stay is followed by one machine for bound fences and for routes: it opens with two
// fixes in a row outside that are 60 s apart, and closes with two in a row back inside.

// outsideCase is one vehicle outside of its bounds, or of its routes.
type outsideCase struct {
	kind   Kind
	phase  outsidePhase
	count  uint8   // fixes in a row back inside
	backAt tally   // while returning: where it ends if the next fixes are inside too
	until  int64   // when the last of what bounds the vehicle ends to be valid, as known at the last fix; 0: open
	id     string  // of the fence or route that was nearest at the start
	permit string  // number of the permit that gave it; "": other papers or the register
	worst  float64 // metres from the nearest centre line
	half   float64 // half width of the route there
	span   span
}

type outsidePhase uint8

const (
	outsideCandidate outsidePhase = iota
	outsideOpen
	outsideReturning
)

// bound is one of the places that a vehicle must stay in: a fence, or the corridor of a route.
type bound struct {
	shape  *geo.Shape
	id     string
	permit *Permit // that gives it; nil for other papers and the register
	until  int64   // when it ends to bound the vehicle; 0 open
}

// whereabouts is where a fix lies in respect of all bounds together.
type whereabouts uint8

const (
	unbounded whereabouts = iota // nothing bounds the vehicle: not judged
	within
	atBorder // outside of all, but not far enough
	beyond
)

// outsideFix takes a fix through the machine. b are the bounds at the fix's time.
func (e *Engine) outsideFix(m *moment, kind Kind, s *OutsideSettings, b []bound) {
	v, f := m.v, m.f
	c := e.outsideCaseOf(v, kind)
	if len(b) == 0 && c == nil {
		return
	}
	gap := int64(e.snap.Settings.Movement.RunGapS) * 1000
	if c != nil && m.broken {
		e.backInside(v, c, c.span.held)
		c = nil
	}
	at, until := whereIs(m.place, b, s.Outside), lastEnd(b)
	free := int64(0)
	if c != nil {
		free = e.freeSince(v, c, f.time)
	}
	if c != nil && c.phase == outsideCandidate && (at != beyond || f.time-c.span.held.time > gap) {
		e.dropOutside(v, kind)
		c = nil
	}
	if c != nil && free != 0 {
		if f.time-c.span.held.time > gap { // it may have been back long before
			e.backInside(v, c, c.span.held)
		} else {
			e.backInside(v, c, c.span.at(free))
		}
		c = nil
	}
	if c == nil {
		if at != beyond {
			return
		}
		sd := e.placesOf(v)
		sd.outside = append(e.spare.outside.room(sd.outside), outsideCase{kind: kind, until: until, span: e.beginSpan(v, f)})
		c = &sd.outside[len(sd.outside)-1]
		n := nearestBound(m.place, b, kind)
		c.id = n.id
		if n.permit != nil {
			c.permit = n.permit.Number
		}
		c.farther(m.place, b)
	} else {
		switch at {
		case unbounded: // what bounded the vehicle was taken back
			e.backInside(v, c, c.span.held)
			return
		case within:
			if c.phase != outsideReturning {
				c.phase, c.count, c.backAt = outsideReturning, 0, c.span.now
				if f.time-c.span.held.time > gap {
					c.backAt = c.span.held
				}
			}
			if c.count++; int(c.count) >= s.Fixes {
				e.backInside(v, c, c.backAt)
			}
			return
		default:
			if c.phase == outsideReturning {
				c.phase = outsideOpen
			}
			c.until = until
			c.span.hold()
			c.farther(m.place, b)
		}
	}
	if c.phase == outsideCandidate && int(c.span.held.fixes) >= s.Fixes && c.span.held.time-c.span.start >= int64(s.SustainedS)*1000 {
		c.phase = outsideOpen
		e.recordOutside(v, c, StateOpen, c.span.held)
	}
}

// whereIs tells where a place lies in respect of the bounds.
func whereIs(p geo.Point, b []bound, far float64) whereabouts {
	if len(b) == 0 {
		return unbounded
	}
	at := beyond
	for i := range b {
		switch {
		case b[i].shape.Contains(p):
			return within
		case far > 0 && !b[i].shape.OutsideBy(p, far):
			at = atBorder
		}
	}
	return at
}

// lastEnd returns when the last of some bounds ends to bound the vehicle; 0: never, or there are none.
func lastEnd(b []bound) (until int64) {
	for i := range b {
		if b[i].until == 0 {
			return 0
		}
		until = max(until, b[i].until)
	}
	return until
}

// nearestBound returns the bound that a place is nearest to: of routes by their centre lines; of equal ones the first.
func nearestBound(p geo.Point, b []bound, kind Kind) *bound {
	best, nearest := &b[0], math.Inf(1)
	for i := range b {
		d := 0.0
		if kind == KindRouteDeviation {
			d = b[i].shape.DistanceToLine(p)
		} else {
			d = b[i].shape.DistanceToBorder(p)
		}
		if d < nearest {
			best, nearest = &b[i], d
		}
	}
	return best
}

// farther remembers how far the vehicle was from the nearest centre line.
func (c *outsideCase) farther(p geo.Point, b []bound) {
	if c.kind != KindRouteDeviation {
		return
	}
	n := nearestBound(p, b, c.kind)
	if d := n.shape.DistanceToLine(p); d > c.worst {
		c.worst, c.half = d, n.shape.HalfWidth()
	}
}

func (e *Engine) outsideCaseOf(v *vehicle, kind Kind) *outsideCase {
	if v.side == 0 {
		return nil
	}
	list := e.sides[v.side-1].outside
	for i := range list {
		if list[i].kind == kind {
			return &list[i]
		}
	}
	return nil
}

func (e *Engine) dropOutside(v *vehicle, kind Kind) {
	sd := e.sides[v.side-1]
	for i := range sd.outside {
		if sd.outside[i].kind == kind {
			sd.outside = append(sd.outside[:i], sd.outside[i+1:]...)
			return
		}
	}
}

// freeSince returns the first instant up to now at which nothing bounded the vehicle any more, though something did at its last
// fix outside; 0: there was none. A fence or paper that takes over from another at once goes on.
func (e *Engine) freeSince(v *vehicle, c *outsideCase, now int64) int64 {
	for t := c.until; t != 0 && t <= now; {
		if e.later = e.boundsAt(v, c.kind, t, e.later[:0]); len(e.later) == 0 {
			return t
		}
		t = lastEnd(e.later)
	}
	return 0
}

// boundsAt appends what bounds a vehicle at t: its bound fences or its routes.
func (e *Engine) boundsAt(v *vehicle, kind Kind, t int64, dst []bound) []bound {
	if kind == KindRouteDeviation {
		return e.routesOf(v, t, dst)
	}
	return e.boundsOf(v, t, dst)
}

// backInside ends a case at a tally.
func (e *Engine) backInside(v *vehicle, c *outsideCase, at tally) {
	if c.phase != outsideCandidate {
		e.recordOutside(v, c, StateClosed, at)
	}
	e.dropOutside(v, c.kind)
}

func (e *Engine) recordOutside(v *vehicle, c *outsideCase, state State, at tally, notes ...string) {
	subject := c.id
	if c.kind == KindRouteDeviation && c.permit != "" {
		subject = c.permit
	}
	o := e.begin(v, c.kind, &c.span, subject)
	if c.permit != "" {
		o.Permit = ptr(c.permit)
	}
	if c.kind == KindFenceExit {
		o.Fence = ptr(c.id)
	} else {
		o.Detail["route"] = c.id
	}
	if c.kind == KindRouteDeviation {
		o.Measured, o.Limit, o.Unit = ptr(tenth(c.worst)), ptr(tenth(c.half)), ptr("m")
		o.OverPct, o.Band = overPct(int64(math.Round((c.worst-c.half)*1000)), int64(math.Round(c.half*1000)))
		o.Basis = []string{"plan-jincheng-route", "plan-linxian-route"}
	} else {
		o.Basis = []string{"plan-linxian-bound"}
	}
	e.finish(o, state, &c.span, at, notes)
}

// tenth rounds to one decimal, half to even.
func tenth(v float64) float64 { return math.RoundToEven(v*10) / 10 }

// outsideRebase takes what is outside to another snapshot.
func outsideRebase(e *Engine, v *vehicle, sd *side, _ *Snapshot) {
	kept := sd.outside[:0]
	for i := range sd.outside {
		c := &sd.outside[i]
		if c.rebase(e, v) {
			kept = append(kept, *c)
		}
	}
	sd.outside = kept
}

// rebase looks what bounded the vehicle at the last fix at which it was outside. Where that is nothing any more, the violation
// ends there; else the next fix tells.
func (c *outsideCase) rebase(e *Engine, v *vehicle) bool {
	e.bounds = e.boundsAt(v, c.kind, c.span.held.time, e.bounds[:0])
	if len(e.bounds) > 0 {
		c.until = lastEnd(e.bounds)
		return true
	}
	if c.phase != outsideCandidate {
		var notes []string
		if _, ok := e.snap.fenceByID[c.id]; !ok && c.kind == KindFenceExit {
			notes = append(notes, noteFenceRemoved)
		} else if e.snap.routes[c.id] == nil && c.kind == KindRouteDeviation {
			notes = append(notes, noteRouteRemoved)
		}
		e.recordOutside(v, c, StateClosed, c.span.held, notes...)
	}
	return false
}

func outsideEnd(e *Engine, v *vehicle, close bool) {
	for i := range e.sides[v.side-1].outside {
		c := &e.sides[v.side-1].outside[i]
		switch {
		case c.phase == outsideCandidate:
		case close:
			e.recordOutside(v, c, StateClosed, c.span.held, noteEndOfData)
		default:
			e.recordOutside(v, c, StateOpen, c.span.held)
		}
	}
}
