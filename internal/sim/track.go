package sim

import (
	"math"
	"math/rand/v2"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// track drives one vehicle second by second and yields what its terminal and the weigh stations say. Everything in it comes from the
// seed and the vehicle's number: it knows no socket and no clock.
type track struct {
	w     *world
	v     *vehicle
	rng   *rand.Rand
	mix   Mix
	by    Carrier
	judge judge

	start, end, interval int64 // Unix s; end 0: never
	now                  int64 // driven up to here

	// On the way.
	trip  *trip
	leg   int
	piece int     // of the trip, counted along the whole way
	into  float64 // metres into the piece
	pace  float64 // m/s
	wait  int64   // s left at a light
	side  point   // metres to the right of the middle of the road
	gate  int     // next weigh station of the trip

	// At rest.
	node            int
	until           int64
	resting         bool
	cardOut, cardIn int64 // when the cards change during the rest

	driver int
	loadKg uint32
	driven int64 // s since the last rest, as planned
	due    map[detect.Kind]bool
	odo    float64 // metres
	fuel   float64 // litres
	course uint16
	noise  point // metres, of the receiver
	decay  float64

	blindUntil    int64 // last position that was stored without radio
	violatedUntil int64 // end of the last trip made for a violation
	wasBlind      bool  // the last position was inside an area without radio
	backlog       []fix
	backlogTruth  []*Truth
	live          int // positions sent since the radio came back

	queue   []item // in the order of sending; all that can still come is later
	planned [3]int // violations that trips were made for, by the order of violationOrder
}

// violationOrder is the order in which trips are tried for the kinds that are due.
var violationOrder = [...]detect.Kind{detect.KindFenceEntry, detect.KindOverload, detect.KindSpeeding}

func newTrack(w *world, v *vehicle, c *Config) *track {
	t := &track{w: w, v: v, mix: c.Violations, by: c.Carrier, interval: int64(c.Interval.Seconds()), start: c.Start.Unix(), due: map[detect.Kind]bool{}}
	t.rng = rand.New(rand.NewPCG(c.Seed, uint64(v.index)<<1|1))
	t.judge = judge{w: w, v: v}
	t.now = t.start - 1
	if c.Duration > 0 {
		t.end = t.start + int64(c.Duration.Seconds())
	}
	t.node = w.depots[t.rng.IntN(len(w.depots))]
	t.until = t.start + 30 + t.interval + t.rng.Int64N(240)
	t.odo = float64(20_000_000 + t.rng.IntN(400_000_000))
	t.fuel = 100 + 300*t.rng.Float64()
	t.course = uint16(t.rng.IntN(360))
	t.decay = math.Exp(-float64(t.interval) / 60)
	t.noise = point{t.rng.NormFloat64(), t.rng.NormFloat64()}
	t.cardIn = t.start + v.phase
	t.draw()
	return t
}

// next returns what is sent next; ok is false once the run is over.
func (t *track) next() (it item, ok bool) {
	for len(t.queue) == 0 || t.queue[0].at >= (t.now+1)*1000 {
		if t.end != 0 && t.now+1 >= t.end {
			if len(t.backlog) > 0 {
				t.flush(t.end*1000+t.v.jitter, len(t.backlog))
			}
			if len(t.queue) == 0 {
				return item{}, false
			}
			break
		}
		t.second()
	}
	it = t.queue[0]
	t.queue = t.queue[1:]
	return it, true
}

func (t *track) send(it item) {
	i := len(t.queue)
	t.queue = append(t.queue, it)
	for ; i > 0 && t.queue[i-1].at > it.at; i-- { // a weigh record takes a moment longer than a position
		t.queue[i] = t.queue[i-1]
	}
	t.queue[i] = it
}

// second lives through one more second.
func (t *track) second() {
	t.now++
	if t.trip != nil {
		t.drive()
	} else if t.now >= t.until {
		t.resting = false
		t.until = t.plan(t.now)
	}
	if t.now == t.cardOut {
		t.card(false)
		t.driver = (t.driver + 1) % len(t.v.drivers)
	}
	if t.now == t.cardIn {
		t.card(true)
	}
	if (t.now-t.start)%t.interval == t.v.phase {
		t.report()
	}
}

// begin starts a trip.
func (t *track) begin(p *trip) {
	t.trip, t.leg, t.piece, t.into, t.gate = p, 0, 0, 0, 0
	t.loadKg = p.loadKg
	if p.kind != "" {
		t.due[p.kind] = false
		t.violatedUntil = math.MaxInt64 - clearOfBlind // until it arrives
	}
	switch p.kind {
	case detect.KindFenceEntry:
		t.planned[0]++
	case detect.KindSpeeding:
		t.planned[2]++
	}
}

// rest parks the vehicle for longer, and changes the driver where there are several.
func (t *track) rest(until int64) int64 {
	t.resting, t.driven = true, 0
	t.fuel = max(t.fuel, 250+100*t.rng.Float64())
	if len(t.v.drivers) > 1 && until-t.now > 300 {
		t.cardOut, t.cardIn = t.now+60, until-60
	}
	return until
}

// drive moves the vehicle on for a second.
func (t *track) drive() {
	if t.wait > 0 {
		t.wait--
		return
	}
	p := t.trip
	l := p.legs[t.leg]
	rest := l.step - t.into
	next := float64(p.vmax[t.piece+1])
	v := min(t.pace+t.v.pull, float64(p.caps[t.piece]), math.Sqrt(next*next+2*brake*rest))
	way := v
	for way >= rest {
		way -= rest
		t.odo += rest
		t.piece++
		t.into = 0
		v = min(v, float64(p.vmax[t.piece]))
		if t.gate < len(p.gates) && p.gates[t.gate].vertex == t.piece {
			t.weigh(p.gates[t.gate].station, v)
			t.gate++
		}
		if t.piece == len(p.caps) {
			t.arrive()
			return
		}
		if t.leg+1 < len(p.first) && p.first[t.leg+1] == t.piece {
			t.leg++
			l = p.legs[t.leg]
		}
		rest = l.step
		if len(p.halts) > 0 && p.halts[0].vertex == t.piece {
			t.wait, t.pace = p.halts[0].seconds, 0
			p.halts = p.halts[1:]
			return
		}
	}
	t.into += way
	t.odo += way
	t.pace = v
	t.fuel -= v * 0.00028
	i := t.piece - p.first[t.leg]
	dir := l.at(i + 1).sub(l.at(i))
	dir = dir.times(1 / dir.norm())
	t.side = between(t.side, point{dir.y * 3.5, -dir.x * 3.5}, 0.25)
	t.course = uint16(math.Round(math.Atan2(dir.x, dir.y)*180/math.Pi)+360) % 360
}

// arrive ends the trip.
func (t *track) arrive() {
	p := t.trip
	t.node, t.trip, t.pace, t.wait = p.dest, nil, 0, 0
	t.until = t.now + shortStopLow + t.rng.Int64N(shortStopHigh-shortStopLow)
	if p.kind != "" {
		t.violatedUntil = t.now
	}
	t.draw()
}

// place is where the vehicle is.
func (t *track) place() point {
	if t.trip == nil {
		return t.w.nodes[t.node].at.add(t.side)
	}
	l := t.trip.legs[t.leg]
	i := t.piece - t.trip.first[t.leg]
	return between(l.at(i), l.at(i+1), t.into/l.step).add(t.side)
}

// report makes the position that is due, and sends or stores it.
func (t *track) report() {
	f := t.fix()
	t.by.coarsen(&f)
	truths := t.judge.position(&f, nil)
	blind := t.w.blindAt(coord{f.lat, f.lon})
	stored := blind && t.wasBlind
	t.wasBlind = blind
	if stored {
		t.blindUntil, t.live = t.now, 0
		t.backlog = append(t.backlog, f)
		t.backlogTruth = append(t.backlogTruth, truths...)
		return
	}
	at := t.now*1000 + t.v.jitter
	t.send(item{kind: itemPosition, at: at, fix: f, truths: truths})
	if t.live++; len(t.backlog) > 0 && t.live >= 2 {
		t.flush(at, batchSize)
	}
}

// batchSize is how many stored positions go at once: as many as one frame takes.
const batchSize = 14

// flush sends n stored positions at most: in a batch, or, by an edition that has none, one after another.
func (t *track) flush(at int64, n int) {
	for n > 0 && len(t.backlog) > 0 {
		k := min(n, len(t.backlog), batchSize)
		if !batches(t.v.edition) {
			k = 1
		}
		it := item{kind: itemBatch, at: at, batch: t.backlog[:k:k]}
		if !batches(t.v.edition) {
			it.kind, it.fix, it.batch = itemPosition, t.backlog[0], nil
		}
		t.backlog = t.backlog[k:]
		if len(t.backlog) == 0 {
			it.truths, t.backlog, t.backlogTruth = t.backlogTruth, nil, nil
		}
		t.send(it)
		n -= k
	}
}

// batches reports whether the edition has the message 0x0704.
func batches(e jt808.Edition) bool { return e != jt808.Edition2011 }

// blindAt reports whether there is no radio at p.
func (w *world) blindAt(p coord) bool {
	for i := range w.fences {
		if f := &w.fences[i]; f.Kind == detect.FenceBlind && f.shape.contains(p) {
			return true
		}
	}
	return false
}

// fix is a position as the terminal sees it.
func (t *track) fix() fix {
	f := fix{t: t.now, mileage: uint32(t.odo / 100), fuel: uint16(t.fuel * 10), course: t.course}
	moving := t.trip != nil && t.wait == 0 && t.pace > 0
	spread := 2.2
	if !moving {
		spread = 1
	}
	step := func(old float64) float64 {
		return min(7, max(-7, old*t.decay+spread*math.Sqrt(1-t.decay*t.decay)*t.rng.NormFloat64()))
	}
	t.noise = point{step(t.noise.x), step(t.noise.y)}
	here := t.place()
	c := t.clear(here.add(t.noise))
	f.lat, f.lon = c.lat, c.lon
	f.alt = height(here) + int16(t.rng.IntN(5)) - 2
	blur := func() float64 { return min(9, max(-9, 3*t.rng.NormFloat64())) }
	if moving {
		f.speed = uint16(max(0, math.Round(t.pace*36+blur())))
		f.rec = uint16(max(0, math.Round(t.pace*36+blur())))
	}
	f.sats, f.rssi = uint8(11+t.rng.IntN(9)), uint8(18+t.rng.IntN(12))
	f.status = 1 << 1
	if t.trip != nil || !t.resting {
		f.status |= 1
	}
	if t.v.edition != jt808.Edition2011 {
		f.status |= 1<<18 | 1<<19
		if t.loadKg > 0 {
			f.status |= 3 << 8
		}
		if night := isNight(t.now); night && f.status&1 != 0 {
			f.signals |= 1 // low beam
		}
		if moving && t.trip != nil && float64(t.trip.vmax[t.piece+1]) < t.pace-1 {
			f.signals |= 1 << 4 // brake
		}
	}
	if moving && t.v.edition == jt808.Edition2019 {
		f.status |= 1 << 22
	}
	return f
}

// clear places a position of a hazmat truck so that nobody can doubt on which side of a border it is, or of the line 20 m outside
// that ends an entry: near one of them it is moved along the road by some metres, as the receiver's noise might do.
func (t *track) clear(p point) coord {
	c := coordOf(p)
	if t.v.Class != detect.ClassHazmat || t.trip == nil {
		return c
	}
	angle := float64(t.course) * math.Pi / 180
	dir := point{math.Sin(angle), math.Cos(angle)}
	for _, d := range [...]float64{0, 5, -5, 10, -10, 15, -15} {
		c = coordOf(p.add(dir.times(d)))
		doubt := false
		for i := range t.w.fences {
			f := &t.w.fences[i]
			if f.Kind == detect.FenceForbidden && f.shape.near(c) {
				s := f.shape.signed(c)
				doubt = doubt || math.Abs(s) < f.shape.uncertain || math.Abs(s-leaveDistance) < f.shape.uncertain
			}
		}
		if !doubt {
			break
		}
	}
	return c
}

// card reports that the driver's card was put in or pulled. The message of 2011 has no time: it means now, which a fleet
// that drives in the past can't say.
func (t *track) card(on bool) {
	if !t.v.edition.Has(jt808.FeatureCardEvent) {
		return
	}
	t.send(item{kind: itemCard, at: t.now*1000 + t.v.jitter, card: cardEvent{t.now, on, t.v.drivers[t.driver]}})
}

// weigh makes the record of a weigh station that the vehicle passes.
func (t *track) weigh(station int, speed float64) {
	s, v := &t.w.stations[station], t.v
	gross := float64(v.tareKg+t.loadKg) * (1 + 0.01*(2*t.rng.Float64()-1))
	if s.Method == ingest.MethodDynamic {
		gross = math.Round(gross/10) * 10
	} else {
		gross = math.Round(gross/20) * 20
	}
	r := weighRecord{t: t.now, station: s, number: s.ID + beijing(t.now).Format("20060102150405") + number5(v.index), grossKg: uint32(gross),
		axles: v.Axles, combination: v.Combination, singleDrive: v.SingleDriveAxle, lane: uint8(1 + t.rng.IntN(2)), sizeMm: v.sizeMm,
		speed: uint16(math.Round(speed * 36))}
	left := r.grossKg
	for i := range v.Axles {
		kg := r.grossKg / uint32(v.Axles)
		if i == 0 {
			kg = kg * 7 / 10
		}
		if i == v.Axles-1 {
			kg = left
		}
		left -= kg
		r.axleKg = append(r.axleKg, kg)
	}
	if t.rng.IntN(4) == 0 { // some stations count axles and leave the build to the register
		r.combination, r.singleDrive = ingest.Unknown, ingest.Unknown
	}
	it := item{kind: itemWeighing, at: t.now*1000 + t.v.jitter + 3000, weigh: &r, truths: t.judge.weighing(&r, nil)}
	if t.trip.kind == detect.KindOverload {
		t.planned[1]++
	}
	t.send(it)
}

func number5(i int) string {
	b := [5]byte{}
	for k := len(b) - 1; k >= 0; k-- {
		b[k] = byte('0' + i%10)
		i /= 10
	}
	return string(b[:])
}
