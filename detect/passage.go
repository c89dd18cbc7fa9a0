package detect

import "math"

// passage is what a vehicle did on the way from the fix judged before to this one, by the ground terms: a segment is moving, standing, or
// half of each; of a gap the least driving is at its beginning and all else is standing. Times are Unix ms.
type passage struct {
	from, to int64 // moved; equal where it did not
	until    int64 // until when the stop went on that the fix before belongs to
	since    int64 // since when it stood in another piece; 0: it did not
	same     bool  // one stop holds both fixes
	gap      bool  // since is the remainder of a gap
}

// passageOf returns the passage that leads to a fix; there is a fix before, and a segment or gap leads from it. A fix with no speed is
// neither moving nor stopped, but does not end a stop.
func (e *Engine) passageOf(m *moment) (p passage) {
	s, v := &e.snap.driving, m.v
	a, b := v.judged.time, m.f.time
	long := b - a
	stands := v.has(flagStopped)
	moved := !m.stood && speedKnown(v.judged.speed)
	moves := !stands && speedKnown(m.f.speed)
	p.from, p.to = b, b
	switch {
	case m.stood && stands && !m.newStop:
		p.until, p.same = b, true
	case long > s.gap:
		least := min(int64(math.Round(m.segment*s.perMetre)), long)
		p.until, p.since, p.gap = a, a+least, true
		if long-least < s.rest {
			p.from, p.to = a, a+least
		}
	case m.stood && stands: // from one stop to another
		p.from, p.to = a+long/4, b-long/4
		p.until, p.since = p.from, p.to
	case m.stood:
		p.from, p.until = a+long/2, a+long/2
		if !moves {
			p.to = p.from
		}
	case stands:
		p.since = a + long/2
		if moved {
			p.from, p.to = a, p.since
		}
	case moved && moves:
		p.from = a
	case moved:
		p.from, p.to = a, a+long/2
	case moves:
		p.from = a + long/2
	}
	return p
}
