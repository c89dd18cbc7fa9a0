package detect

import (
	"lushao/geo"
	"lushao/ingest"
)

// Quality says what became of a position: accepted as a fix, or why not.
type Quality uint8

const (
	QualityOK        Quality = iota
	QualityFuture            // ahead of when it was received
	QualityPast              // older than anything that a terminal stores
	QualityEncrypted         // coordinates encrypted by the sender
	QualityUnlocated         // the receiver had no fix
	QualityPlace             // outside of the country's box
	QualitySpeed             // reported speed is impossible
	QualityDuplicate         // a position of the same vehicle and time was there before
	QualityLate              // older than the vehicle's last fix
	QualityJump              // farther from the last fix than any road allows
	qualityCount
)

var qualityNames = [qualityCount]string{"ok", "future", "past", "encrypted", "unlocated", "place", "speed", "duplicate", "late", "jump"}

func (q Quality) String() string { return qualityNames[q] }

// Qualities lists every quality.
func Qualities() []Quality {
	out := make([]Quality, qualityCount)
	for i := range out {
		out[i] = Quality(i)
	}
	return out
}

// gateLimits are the gate's settings in the units of events.
type gateLimits struct {
	future, past                   int64 // ms; past 0: no bound
	minLat, maxLat, minLon, maxLon int32 // 1e-6 degree, inclusive
	speed                          uint16
	jump                           float64 // m/s
	jumps                          int
}

// believes reports whether the clock by which an event has its time can be right. The rule book's first test is that it is not ahead of
// when the event was received; one that is years behind, as receivers are that lost count of the weeks or have no fix yet, is no better.
func (g *gateLimits) believes(ev *ingest.Event) bool {
	return ev.Time <= ev.Received+g.future && (g.past == 0 || ev.Time >= ev.Received-g.past)
}

// stateless makes the tests that need no other position, in the order of the rule book.
func (g *gateLimits) stateless(e *ingest.Event) Quality {
	p := &e.Position
	switch {
	case e.Time > e.Received+g.future:
		return QualityFuture
	case !g.believes(e):
		return QualityPast
	case e.Flags&ingest.FlagEncrypted != 0:
		return QualityEncrypted
	case !p.Located:
		return QualityUnlocated
	case p.Lon < g.minLon || p.Lon > g.maxLon || p.Lat < g.minLat || p.Lat > g.maxLat:
		return QualityPlace
	case p.Speed != ingest.NoSpeed && p.Speed > g.speed:
		return QualitySpeed
	}
	return QualityOK
}

// CheckPosition makes the gate's tests that need no other position: what an archive can say of a position by itself.
func (s *Snapshot) CheckPosition(e *ingest.Event) Quality {
	return s.forVehicle(&e.Vehicle).gate.stateless(e)
}

// near reports whether the way between two places and times is possible on a road.
func (g *gateLimits) near(a, b *fix) bool {
	d := geo.Distance(a.point(), b.point())
	dt := float64(b.time-a.time) / 1000
	if dt < 0 {
		dt = -dt
	}
	return d <= g.jump*dt
}

// maxJumps bounds the setting jumps_to_accept: so many positions less one wait in the state.
const maxJumps = 8

// admit puts a position through the gate. It returns the fixes that come out, at most jumps_to_accept of them, in e.fixes;
// with broken set, no segment leads to the first of them.
func (e *Engine) admit(v *vehicle, ev *ingest.Event) (q Quality, broken bool) {
	g := &e.snap.gate
	e.fixes = e.fixes[:0]
	if q := g.stateless(ev); q != QualityOK {
		return q, false
	}
	f := fixOf(ev)
	last := e.lastOf(v)
	if last.time == 0 { // the first one
		e.fixes = append(e.fixes, f)
		return QualityOK, false
	}
	jumps := e.jumpsOf(v)
	switch {
	case f.time == last.time:
		return QualityDuplicate, false
	case f.time < last.time:
		return QualityLate, false
	}
	for i := range jumps {
		if jumps[i].time == f.time {
			return QualityDuplicate, false
		}
	}
	if g.near(last, &f) {
		e.dropJumps(v)
		e.fixes = append(e.fixes, f)
		return QualityOK, false
	}
	if n := len(jumps); n > 0 && (f.time < jumps[n-1].time || !g.near(&jumps[n-1], &f)) {
		e.dropJumps(v)
		jumps = nil
	}
	if len(jumps)+1 < g.jumps {
		s := e.rareOf(v)
		s.jumps = append(e.spare.jumps.room(s.jumps), f)
		return QualityJump, false
	}
	e.fixes = append(append(e.fixes, jumps...), f)
	e.dropJumps(v)
	return QualityOK, true
}
