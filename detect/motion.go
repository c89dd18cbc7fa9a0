package detect

import (
	"lushao/geo"
	"lushao/ingest"
)

// Two questions of the rule book about a fix are answered by the fix after it: whether a high speed is a spike, and whether
// a lone moving fix belongs to the stop around it. Only a fix that raises one of them is held until its successor is there;
// every other is judged at once.

// moment is a fix as the rules see it.
type moment struct {
	v       *vehicle
	f       *fix
	segment float64   // metres from the fix judged before; 0 where no segment leads here
	broken  bool      // no segment leads here: believed jumps; every run ends before
	spike   bool      // the speed is not to be believed
	lone    bool      // a moving fix that belongs to the stop around it
	newStop bool      // a stop begins with it
	stood   bool      // the fix before belongs to a stop, and a segment leads here
	stopped bool      // the fix before belonged to a stop
	place   geo.Point // where fences judge it: the place of the stop for a fix of a stop
	from    geo.Point // where they judged the fix before
	hits    []int32   // the fences that hold place, by number in the snapshot
}

// step takes the next fix of a vehicle: it judges the one that was held, now that its successor is known, and judges or
// holds this one.
func (e *Engine) step(v *vehicle, f *fix, broken bool) {
	s := e.snap
	if v.has(flagHeld) {
		h := e.release(v)
		spike := !broken && speedKnown(f.speed) && f.time-h.time <= e.snap.spikeWindow && int(h.speed) > int(f.speed)+int(s.spike) && e.maySpike(v, h)
		lone := !broken && speedKnown(f.speed) && f.speed < s.moving && e.mayBeLone(v, h)
		e.judge(v, h, spike, lone, false)
	}
	if !broken && (e.maySpike(v, f) || e.mayBeLone(v, f)) {
		e.hold(v, f)
		e.stats.Held++
		return
	}
	e.judge(v, f, false, false, broken)
}

// flush judges a held fix that will have no successor.
func (e *Engine) flush(v *vehicle) {
	if v.has(flagHeld) {
		e.judge(v, e.release(v), false, false, false)
	}
}

func speedKnown(speed uint16) bool { return speed != ingest.NoSpeed }

// maySpike reports whether a fix is far faster than the one before it.
func (e *Engine) maySpike(v *vehicle, f *fix) bool {
	p := &v.judged
	return p.time != 0 && speedKnown(p.speed) && speedKnown(f.speed) && f.time-p.time <= e.snap.spikeWindow &&
		int(f.speed) > int(p.speed)+int(e.snap.spike)
}

// mayBeLone reports whether a moving fix is near the stop before it.
func (e *Engine) mayBeLone(v *vehicle, f *fix) bool {
	return v.has(flagStopped) && speedKnown(f.speed) && f.speed >= e.snap.moving &&
		geo.Distance(geo.Point{Lat: v.stopLat, Lon: v.stopLon}, f.point()) <= e.snap.Settings.Movement.StopRadius
}

// judge shows a fix to the rules.
func (e *Engine) judge(v *vehicle, f *fix, spike, lone, broken bool) {
	s := e.snap
	m := &e.moment
	*m = moment{v: v, f: f, broken: broken, spike: spike, lone: lone, place: f.point(), hits: m.hits[:0]}
	if v.judged.time != 0 && !broken {
		m.stood = v.has(flagStopped)
		m.segment = geo.Distance(v.judged.point(), m.place)
		if m.from = v.judged.point(); v.has(flagStopped) && speedKnown(v.judged.speed) {
			m.from = geo.Point{Lat: v.stopLat, Lon: v.stopLon}
		}
	}
	m.stopped = !broken && v.has(flagStopped) && speedKnown(v.judged.speed)
	e.settleCards(v, f, speedKnown(f.speed) && f.speed < s.moving)
	if broken {
		e.leaveCrowd(v)
		v.set(flagStopped, false)
	}
	switch {
	case !speedKnown(f.speed): // neither moving nor stopped
	case f.speed < s.moving:
		stop := geo.Point{Lat: v.stopLat, Lon: v.stopLon}
		if !v.has(flagStopped) || geo.Distance(stop, m.place) > s.Settings.Movement.StopRadius {
			e.leaveCrowd(v)
			v.set(flagStopped, true)
			v.stopLat, v.stopLon = f.lat, f.lon
			m.newStop = true
			e.joinCrowd(v)
		}
		v.stoppedAt = stampOf(f.time)
		m.place = geo.Point{Lat: v.stopLat, Lon: v.stopLon}
	case lone:
		m.place = geo.Point{Lat: v.stopLat, Lon: v.stopLon}
	default:
		e.leaveCrowd(v)
		v.set(flagStopped, false)
	}
	m.hits = s.index.Lookup(m.place, m.hits)
	if e.trace != nil {
		e.trace.judging(e, m)
	}
	if v.side != 0 {
		e.sides[v.side-1].extend(f, m.segment)
	}
	for i := range e.snap.rules {
		if e.snap.rules[i].fix != nil {
			e.snap.rules[i].fix(e, m)
		}
	}
	v.judged = *f
	e.tidy(v)
}
