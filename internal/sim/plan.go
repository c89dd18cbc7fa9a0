package sim

import (
	"math"

	"lushao/detect"
)

// plan decides at time now what a parked vehicle does next: it begins a trip and returns now, or stays where it is until the time
// that it returns.
func (t *track) plan(now int64) (until int64) {
	coach := t.v.Class.Coach()
	if m := minuteOfDay(now); coach && m < 6*60 {
		return t.rest(now + int64(6*60-m)*60 + t.rng.Int64N(1800))
	}
	p := t.choose(now)
	if p == nil {
		return now + shortStopLow
	}
	need := p.seconds(p.vertices())
	if coach {
		curfew := int64(21*60 + 40)
		if t.v.Class == detect.ClassCoachLine {
			curfew = 23*60 + 30
		}
		if m := int64(minuteOfDay(now)); m+need/60 >= curfew {
			return t.rest(now + (24*60-m+6*60)*60 + t.rng.Int64N(1800))
		}
	}
	if t.driven+need > stintLimit {
		return t.rest(now + restLow + t.rng.Int64N(restHigh-restLow))
	}
	t.driven += need
	t.begin(p)
	return now
}

// nightNear reports whether any of the time from a to b is night, and whether any other of it is not.
func nightNear(a, b int64) (changes, night bool) {
	for u := a; u <= b; u += 300 {
		night = night || isNight(u)
		changes = changes || isNight(u) != isNight(a)
	}
	return changes, night
}

const (
	longestTrip  = 10800 // bounds how long a trip can take, in seconds
	clearOfNight = 900   // seconds between a trip for speeding and a change of day and night; a trip may take longer than was planned
)

// choose lays out a trip from where the vehicle stands, now and then one that is made for a violation.
func (t *track) choose(now int64) *trip {
	_, night := nightNear(now-clearOfNight, now+longestTrip)
	if now >= t.blindUntil+clearOfBlind {
		for _, kind := range violationOrder {
			if !t.due[kind] {
				continue
			}
			dark := night
			if kind == detect.KindSpeeding {
				dark = isNight(now)
			}
			for range 16 {
				if p := t.violating(kind, dark); p != nil && t.fits(p, now) {
					return p
				}
			}
		}
	}
	for range 8 {
		legs := t.w.route(t.node, t.destination(), t.costs(now >= t.violatedUntil+clearOfBlind))
		if legs == nil {
			continue
		}
		p := &trip{}
		t.load(p)
		t.layout(p, legs, night)
		return p
	}
	return nil
}

// fits reports whether a trip made for a violation has the time that it needs. A trip for speeding is laid out for one limit: it
// keeps clear of where night begins and ends.
func (t *track) fits(p *trip, now int64) bool {
	need := p.seconds(p.vertices())
	if need > longestTrip || t.end != 0 && now+p.seconds(p.over) > t.end-clearOfEnd {
		return false
	}
	if p.kind != detect.KindSpeeding {
		return true
	}
	changes, _ := nightNear(now-clearOfNight, now+need+clearOfNight)
	return !changes
}

// draw decides for each kind whether the next trip is to be made for it. What finds no room stays due.
func (t *track) draw() {
	for _, kind := range violationOrder {
		hit := t.rng.Float64() < t.mix[kind] // drawn for everybody, so that the stream is used alike
		switch kind {
		case detect.KindFenceEntry:
			hit = hit && t.v.Class == detect.ClassHazmat
		case detect.KindOverload:
			hit = hit && t.v.weighed() && len(t.w.stations) > 0
		}
		if hit {
			t.due[kind] = true
		}
	}
}

// violating lays out a trip made for one violation, or returns nil where this try found no room for it.
func (t *track) violating(kind detect.Kind, night bool) *trip {
	p := &trip{kind: kind}
	var legs []leg
	to := t.destination()
	if kind == detect.KindFenceEntry {
		legs = t.through(to)
	} else {
		legs = t.w.route(t.node, to, t.costs(false))
	}
	if legs == nil {
		return nil
	}
	t.load(p)
	t.layout(p, legs, night)
	switch kind {
	case detect.KindFenceEntry:
		for k, l := range legs {
			if l.forbidden >= 0 {
				p.over = p.first[k] + len(l.pts)
			}
		}
	case detect.KindSpeeding:
		if !t.speed(p, night) {
			return nil
		}
	case detect.KindOverload:
		if len(p.gates) == 0 {
			return nil
		}
		// Over the limit by 12 % at least, which no station lets pass, and under the hundred tonnes that are a kind of their own.
		limit := t.v.massLimit()
		gross := uint32(float64(limit) * (1.12 + 0.75*t.rng.Float64()*t.rng.Float64()))
		p.loadKg = min(gross, 98000) - t.v.tareKg
	}
	return p
}

// through finds a way to a place over a forbidden road that takes long enough for several fixes inside.
func (t *track) through(to int) []leg {
	var roads []int
	for i, e := range t.w.edges {
		if e.forbidden >= 0 && t.w.insideLength(e)/(design[e.kind]*0.8) > 4.5*float64(t.interval) {
			roads = append(roads, i)
		}
	}
	if len(roads) == 0 {
		return nil
	}
	n := roads[t.rng.IntN(len(roads))]
	e := t.w.edges[n]
	cost := t.costs(false)
	a, b, back := e.a, e.b, false
	if t.rng.IntN(2) == 1 {
		a, b, back = b, a, true
	}
	var before, after []leg
	if t.node != a {
		if before = t.w.route(t.node, a, cost); before == nil {
			return nil
		}
	}
	if b != to {
		if after = t.w.route(b, to, cost); after == nil {
			return nil
		}
	}
	legs := append(append(before, leg{e, back}), after...)
	for i := 1; i < len(legs); i++ {
		if legs[i].edge == legs[i-1].edge {
			return nil // it would turn round on the road
		}
	}
	return legs
}

// insideLength is how many metres of a forbidden road are inside its fence.
func (w *world) insideLength(e *edge) float64 {
	n := 0
	for _, p := range e.pts {
		if w.fences[e.forbidden].shape.contains(coordOf(p)) {
			n++
		}
	}
	return float64(n) * e.step
}

// destination is a depot other than where the vehicle stands.
func (t *track) destination() int {
	for {
		if d := t.w.depots[t.rng.IntN(len(t.w.depots))]; d != t.node {
			return d
		}
	}
}

// costs is the time in seconds that each road takes, by this driver's taste; what must not be driven is infinite. Forbidden roads are
// closed to hazmat trucks, areas without radio where a violation is near.
func (t *track) costs(blindAllowed bool) []float64 {
	cost := make([]float64, len(t.w.edges))
	for i, e := range t.w.edges {
		cost[i] = e.length() / design[e.kind] * (0.7 + 0.9*t.rng.Float64())
		if e.forbidden >= 0 && t.v.Class == detect.ClassHazmat || e.blind >= 0 && !blindAllowed {
			cost[i] = math.Inf(1)
		}
	}
	return cost
}

// load chooses what the vehicle carries: nothing, or a lawful load.
func (t *track) load(p *trip) {
	if !t.v.weighed() || t.rng.IntN(3) == 0 {
		return
	}
	full := t.v.massLimit()
	full -= full / 33
	if full > t.v.tareKg {
		room := full - t.v.tareKg
		p.loadKg = room/2 + uint32(t.rng.IntN(int(room/2)+1))
	}
}
