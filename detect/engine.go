// Package detect is the detector: the quality gate, the state of every vehicle and the rules. It is pure and
// deterministic: state × events × snapshot → violations. It starts no goroutine, reads no clock and opens nothing; time is
// the events' own.
//
// An Engine belongs to one goroutine, as do the events of its vehicles: one engine for each partition of the log.
package detect

import (
	"maps"

	"lushao/ingest"
)

// Engine finds violations in events.
type Engine struct {
	whole *Snapshot
	snap  *Snapshot // whole with the settings of the vehicle that is judged: see turnTo
	store store

	// By slot, of those vehicles that have one.
	newest      few[int64]  // time of the newest event of any kind, where that is no position: see late.go
	pending     few[uint32] // number of the driver whose card counts at the next stop
	lastWeighed few[uint32] // number of the last weighing

	weighings      slabs[weighed] // of each vehicle a list, the last first
	freeWeighing   uint32         // number of one that is not used; the others follow by next
	stationNumbers map[uint64]uint32
	stationHashes  []uint64 // of each station, by number

	sides   []*side
	spare   spare
	drivers drivers
	sumsOf  map[uint32]*dutySums     // of vehicles without a card by slot, where the settings want them
	crowd   map[crowdCell][]*vehicle // who stands near fences in which stopping is forbidden

	clock  int64 // greatest received so far
	frozen bool  // the clock stands still until the end: see clock.go
	timers timers

	stats Stats

	// What follows is used within a call and kept for its room.
	slots    []uint32
	warmed   uint32 // means nothing: see processBatch
	hashes   []uint64
	fixes    []fix
	released fix // was held, is judged
	moment   moment
	out      []Violation
	mark     int // where the records of the current event begin in out
	version  uint64
	rebased  []Violation // closed by a new snapshot, not yet handed out
	bounds   []bound
	later    []bound
	passing  passing
	near     []int32
	changes  []driverChange
	gapFrom  int64 // since when the gap that leads to the fix is taken for standing

	conflicts map[string][]stationConflict // by station: of vehicles with their weighings there
	late      []uint32                     // slots of vehicles to be judged again
	unread    map[string]*unreadAt         // by station that fences lead round: weighings whose plate could not be read
	evaded    map[string][]evasionAt       // by station: evasions that may still be taken back

	shadows  []*Engine     // in the order of their names; see shadow.go
	closing  bool          // what is closed was recorded, though it is recorded no more
	recorded map[Kind]bool // while a state is read: the kinds that who wrote it recorded; nil: all

	warnings      []Warning
	visits        []Visit
	rebasedVisits []Visit
	segments      []DrivingSegment

	trace *tracer // nil but while something is explained
}

// Stats counts what the engine has seen since it was made.
type Stats struct {
	Positions [qualityCount]uint64 // by quality
	Believed  uint64               // jumps that became fixes after all
	Held      uint64               // fixes that waited for the next one
	Weighings uint64
	Unjudged  uint64 // weighings without axles or build
	Repeated  uint64 // weighings whose station and record number were there before
	Unread    uint64 // weighings whose plate could not be read; each partition has them all
	Cards     uint64
	Waybills  uint64
	Safety    uint64 // alarms of assistance systems
	Other     uint64 // events that no rule uses

	// StationFaults counts by station the conflicts of position that were its own fault, also those of a state that was read back.
	StationFaults map[string]uint64
}

// New makes an engine without state.
func New(snap *Snapshot) *Engine {
	e := &Engine{store: newStore(), sumsOf: map[uint32]*dutySums{}, drivers: newDrivers(), crowd: map[crowdCell][]*vehicle{}, stationNumbers: map[uint64]uint32{}}
	e.use(snap)
	e.useShadows()
	return e
}

func (e *Engine) use(snap *Snapshot) {
	before := e.whole
	e.whole, e.snap = snap, snap
	e.watchStations(before)
}

// Use makes the engine go on with another snapshot. Violations that this ends come out of the next call of Process or
// Finish. It costs time by the number of side records, not of vehicles.
func (e *Engine) Use(snap *Snapshot) {
	if snap == e.whole {
		return
	}
	old := e.whole
	e.use(snap)
	e.out, e.mark, e.visits = e.out[:0], 0, e.visits[:0]
	for i := range e.sides {
		sd := e.sides[i]
		if sd == nil {
			continue
		}
		v := sd.owner
		e.resolve(v)
		e.turnTo(v)
		for _, r := range snap.rules {
			if r.rebase != nil {
				r.rebase(e, v, sd, old)
			}
		}
		e.closeSwitchedOff(v, sd, old.records)
		e.tidy(v)
	}
	e.keepRebased()
	e.useShadows()
}

// keepRebased keeps what Use and LoadState closed for the next call.
func (e *Engine) keepRebased() {
	e.rebased = append(e.rebased, e.out...)
	e.rebasedVisits = append(e.rebasedVisits, e.visits...)
}

// takeRebased begins what a call hands out with what Use and LoadState closed.
func (e *Engine) takeRebased(version uint64) {
	e.visits, e.warnings = e.visits[:0], e.warnings[:0]
	for i := range e.rebasedVisits {
		e.rebasedVisits[i].Version = version
		e.visits = append(e.visits, e.rebasedVisits[i])
	}
	e.rebasedVisits = e.rebasedVisits[:0]
	for i := range e.rebased {
		e.rebased[i].Version = version
		e.out = append(e.out, e.rebased[i])
	}
	e.rebased = e.rebased[:0]
}

// Snapshot returns the snapshot in use.
func (e *Engine) Snapshot() *Snapshot { return e.whole }

// Vehicles returns the number of vehicles that the engine has state of.
func (e *Engine) Vehicles() int { return e.store.count }

// Stats returns the counts so far.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.StationFaults = maps.Clone(s.StationFaults)
	return s
}

// maxBatch is the most events that are looked up together: enough to hide the latency of memory, few enough that what was
// looked up is still in the cache when it is used.
const maxBatch = 256

// maxOut is how much room for records is kept from call to call.
const maxOut = 1024

// Process applies events in order and returns the records of violations that they open, change or close. first is the
// version of the records of events[0]; the next event has the next one. The returned slice is valid until the next call.
//
// Nothing of the events is kept.
func (e *Engine) Process(events []ingest.Event, first uint64) []Violation {
	if cap(e.out) > maxOut { // once there was a burst
		e.out = nil
	}
	e.out, e.segments = e.out[:0], e.segments[:0]
	e.packSides()
	e.takeRebased(first)
	all, begin := events, first
	for len(events) > 0 {
		n := min(len(events), maxBatch)
		e.processBatch(events[:n], first)
		events, first = events[n:], first+uint64(n)
	}
	e.shadowsProcess(all, begin)
	return e.out
}

func (e *Engine) processBatch(events []ingest.Event, first uint64) {
	e.hashes, e.slots = e.hashes[:0], e.slots[:0]
	for i := range events {
		e.hashes = append(e.hashes, events[i].Vehicle.Hash())
	}
	// The look-ups do not depend on each other, so their cache misses overlap.
	for i := range events {
		if events[i].Vehicle.IsZero() {
			e.slots = append(e.slots, 0) // not used
			continue
		}
		slot, ok := e.store.find(&events[i].Vehicle, e.hashes[i])
		if !ok {
			slot = e.store.add(&events[i].Vehicle, e.hashes[i])
		}
		e.slots = append(e.slots, slot)
	}
	// Nor do the misses on the rest of a vehicle and on its driving time, which are in other lines: they too are taken together.
	for _, slot := range e.slots {
		if slot < uint32(e.store.count) {
			e.warmed += uint32(e.store.at(slot).said) + uint32(e.store.dutyAt(slot).warned)
		}
	}
	for i := range events {
		e.version, e.mark = first+uint64(i), len(e.out)
		if events[i].Vehicle.IsZero() {
			e.nobody(&events[i])
			continue
		}
		e.apply(e.store.at(e.slots[i]), &events[i])
	}
}

func (e *Engine) apply(v *vehicle, ev *ingest.Event) {
	e.turnTo(v)
	e.advance(ev)
	if !e.frozen && e.whole.shadow == "" {
		e.order(v, ev)
	}
	if e.trace != nil {
		e.trace.event(ev)
	}
	e.turnTo(v) // others may have been woken
	switch ev.Kind {
	case ingest.KindPosition:
		e.hear(v, ev)
		q, broken := e.admit(v, ev)
		if e.trace != nil {
			e.trace.gated(e, v, q, e.fixes)
		}
		e.stats.Positions[q]++
		if q != QualityOK {
			e.tidy(v)
			return
		}
		e.stats.Believed += uint64(len(e.fixes) - 1)
		for i := range e.fixes {
			e.admitted(v, &e.fixes[i], ev.Received)
			e.step(v, &e.fixes[i], broken && i == 0)
		}
	case ingest.KindDriverCard:
		e.stats.Cards++
		e.card(v, ev)
	case ingest.KindWaybill:
		e.stats.Waybills++
		e.waybill(v, ev)
	case ingest.KindWeighing:
		e.stats.Weighings++
		if !e.admitWeighing(v, ev) {
			return
		}
		for i := range e.snap.rules {
			if e.snap.rules[i].weighing != nil {
				e.snap.rules[i].weighing(e, v, ev)
			}
		}
	case ingest.KindSafety:
		e.stats.Safety++
		for i := range e.snap.rules {
			if e.snap.rules[i].safety != nil {
				e.snap.rules[i].safety(e, v, ev)
			}
		}
		e.tidy(v)
	default:
		e.stats.Other++
	}
}

// hear shows a position to the rules that judge alarm and status bits, ignition and recorder speed: of every position that passes
// the gate's first test, located or not, in order of time.
func (e *Engine) hear(v *vehicle, ev *ingest.Event) {
	heard := v.heard.ms()
	if !e.snap.gate.believes(ev) || ev.Time < heard {
		return
	}
	for i := range e.snap.rules {
		if e.snap.rules[i].position != nil {
			e.snap.rules[i].position(e, v, ev)
		}
	}
	if ev.Time > heard { // of several at one time the first
		v.received = stampOf(ev.Received)
	}
	alarm := ev.Position.Alarm
	if ev.Time == heard { // of several at one time the bits of all
		alarm |= v.alarm
	}
	e.outlive(v, ev.Time)
	v.heard, v.alarm, v.status = stampOf(ev.Time), alarm, ev.Position.Status
}

// idOf returns the identity of a vehicle.
func (e *Engine) idOf(v *vehicle) ingest.Vehicle { return e.store.id(v) }

// turnTo makes a vehicle the one that is judged: by the settings of its class. It must be called before anything is asked of
// another vehicle than the last.
func (e *Engine) turnTo(v *vehicle) {
	if v.generation != e.whole.generation {
		e.resolve(v)
	}
	e.snap = e.whole.of[v.class]
}

// resolve looks up in the snapshot what the hot path needs of the vehicle's record.
func (e *Engine) resolve(v *vehicle) {
	v.generation = e.snap.generation
	r := e.snap.register[e.idOf(v)]
	v.set(flagRegistered, r != nil)
	if r == nil {
		v.class, v.maxSpeed = ClassOther, 0
	} else {
		v.class, v.maxSpeed = r.Class, r.MaxSpeed
	}
	v.set(flagBound, e.isBound(v))
	v.set(flagRouted, e.isRouted(v))
	e.leaveCrowd(v)
	if v.has(flagStopped) {
		e.joinCrowd(v)
	}
}

// Finish judges what waits for a successor and, with close set, closes what is open with the note end_of_data; without, it
// returns what is open as open. The vehicles are visited in the order in which they were first heard of.
func (e *Engine) Finish(version uint64, close bool) []Violation {
	return e.finishAt(version, close, 0)
}

// finishAt is Finish with the clock moved to the end of the data between the two.
func (e *Engine) finishAt(version uint64, close bool, clock int64) []Violation {
	e.out = e.out[:0]
	e.takeRebased(version)
	for slot := range e.store.count {
		v := e.store.at(uint32(slot))
		e.turnTo(v)
		e.version, e.mark = version, len(e.out)
		e.flush(v)
	}
	e.version, e.mark = version, len(e.out)
	e.fire(clock)
	if e.trace != nil {
		e.trace.ending()
	}
	e.endAll(version, close)
	e.shadowsFinish(version, close, clock)
	return e.out
}

// endAll calls what closes, or shows as open, what goes on.
func (e *Engine) endAll(version uint64, close bool) {
	for slot := range e.store.count {
		v := e.store.at(uint32(slot))
		e.version, e.mark = version, len(e.out)
		if v.side == 0 {
			continue
		}
		e.turnTo(v)
		for i := range e.snap.rules {
			if e.snap.rules[i].end != nil && v.side != 0 {
				e.snap.rules[i].end(e, v, close)
			}
		}
	}
}
