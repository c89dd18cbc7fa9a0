package detect

import (
	"lushao/geo"
	"lushao/ingest"
)

// fix is a position that passed the gate, or waits in it: what the rules and the evidence need of it.
type fix struct {
	time     int64 // Unix ms
	lat, lon int32 // 1e-6 degree
	alarm    uint32
	status   uint32
	mileage  uint32
	speed    uint16
	recorder uint16
	course   uint16
	altitude int16
	bits     uint8 // 1 located, 2 ACC on
}

func (f *fix) point() geo.Point { return geo.Point{Lat: f.lat, Lon: f.lon} }

func fixOf(e *ingest.Event) fix {
	p := &e.Position
	f := fix{time: e.Time, lat: p.Lat, lon: p.Lon, alarm: p.Alarm, status: p.Status, mileage: p.Mileage, speed: p.Speed,
		recorder: p.RecorderSpeed, course: p.Course, altitude: p.Altitude}
	if p.Located {
		f.bits |= 1
	}
	if p.ACC {
		f.bits |= 2
	}
	return f
}

// mark is a fix of which only place, time and speed are still needed.
type mark struct {
	time     int64
	lat, lon int32
	speed    uint16
}

func (m *mark) point() geo.Point { return geo.Point{Lat: m.lat, Lon: m.lon} }

// vehicle is the state of one vehicle: flat, without pointers, of a fixed size. What only few vehicles have at a time is
// in a side record.
type vehicle struct {
	id ingest.Vehicle

	judged fix // the last fix that the rules have seen; time 0: none

	stopLat, stopLon int32 // place of the stop, while stopped

	generation uint32 // of the snapshot that the next fields were looked up in
	maxSpeed   uint16 // 0.1 km/h, of the register; 0 unknown
	class      Class
	said       uint8 // what the last position that was heard said, see rule_terminal_alarm.go
	flags      uint16
	slot       uint32 // where it is in the store
	side       uint32 // number of the side record; 0 none
	weighed    uint32 // number of the last weighing, see weighings.go; 0 none
	driver     uint32 // number of the driver in Engine.drivers; 0 unknown
	pending    uint32 // number of the driver whose card counts at the next stop
	stoppedAt  int64  // time of the last stopped fix; 0 none

	// Of the last position that passed the gate's first test, located or not; heard 0: none yet.
	heard    int64 // its time
	received int64 // when it came
	alarm    uint32
	status   uint32

	newest int64 // time of the newest event of any kind, see late.go
}

const (
	flagStopped    uint16 = 1 << iota // the last judged fix belongs to a stop
	flagPending                       // pending is set
	flagRegistered                    // in the register of the snapshot
	flagBound                         // fences or permits of the snapshot may bound it
	flagRouted                        // the snapshot may assign routes to it
	flagCrowd                         // its stop is in Engine.crowd
	flagPassing                       // a gate of a section may be passed on the segment to the last judged fix
	flagDark                          // the last judged fix is one after which silence is suspicious
	flagDarkWake                      // a wake for that was asked for
	flagHeld                          // the side record holds a fix back
	flagLoad                          // it has reported a load, so that no load means empty
)

func (v *vehicle) has(f uint16) bool { return v.flags&f != 0 }
func (v *vehicle) set(f uint16, on bool) {
	if on {
		v.flags |= f
	} else {
		v.flags &^= f
	}
}

// side holds what few vehicles have at a time. Records are used again, with the room that their lists have.
type side struct {
	owner    *vehicle // nil: not used
	held     fix      // waits for the fix after it, see motion.go; time 0: none
	speeding []speedCase
	fences   []fenceCase
	outside  []outsideCase
	stops    []stopCase
	waybills []waybill
	fatigue  []fatigueCase
	bills    []billCase
	alarms   []alarmCase
	*rare    // Engine.noRare where there is nothing in it: who adds to it asks rareOf for the record
}

// rare holds what hardly any vehicle has at a time.
type rare struct {
	jumps    []fix
	sections []sectionCase
	cards    []cardChange
	nights   []nightRun

	dark        []darkCase
	offline     []offlineCase
	frozen      []frozenCase
	unmonitored []unmonitoredCase
	conflicts   []conflictCase
	approaches  []approach
	evasions    []evasionCase

	tampering []tamperCase
	safety    []safetyCase

	late []lateCase
}

func (s *side) empty() bool {
	return s.held.time == 0 && len(s.speeding) == 0 && len(s.fences) == 0 && len(s.outside) == 0 && len(s.stops) == 0 && len(s.waybills) == 0 &&
		len(s.fatigue) == 0 && len(s.bills) == 0 && len(s.alarms) == 0 && s.rare.empty()
}

func (r *rare) empty() bool {
	return len(r.jumps) == 0 && len(r.sections) == 0 && len(r.cards) == 0 && len(r.nights) == 0 && len(r.dark) == 0 && len(r.offline) == 0 && len(r.frozen) == 0 &&
		len(r.unmonitored) == 0 && len(r.conflicts) == 0 && len(r.approaches) == 0 && len(r.evasions) == 0 && len(r.tampering) == 0 && len(r.safety) == 0 && len(r.late) == 0
}

// extend counts a fix for everything that goes on.
func (s *side) extend(f *fix, segment float64) {
	for i := range s.bills {
		if s.bills[i].summing {
			s.bills[i].span.extend(f, segment)
		}
	}
	for i := range s.speeding {
		s.speeding[i].span.extend(f, segment)
	}
	for i := range s.fences {
		s.fences[i].span.extend(f, segment)
	}
	for i := range s.outside {
		s.outside[i].span.extend(f, segment)
	}
	for i := range s.stops {
		s.stops[i].span.extend(f, segment)
	}
	for i := range s.sections {
		s.sections[i].span.extend(f, segment)
	}
	for i := range s.fatigue {
		s.fatigue[i].span.extend(f, segment)
	}
	for i := range s.nights {
		s.nights[i].span.extend(f, segment)
	}
	for i := range s.frozen {
		s.frozen[i].span.extend(f, segment)
	}
}

// slabSize is the number of vehicles in one allocation. State never moves: a bigger table is a bigger list of slabs.
const slabSize = 1024

// store finds the state of vehicles: an open-addressing table of 8 bytes an entry leads to slabs. Measured against a Go
// map it saves most of the cache misses, which are what a look-up among a million vehicles costs.
type store struct {
	slabs   [][]vehicle
	duties  [][]duty // what each vehicle has driven without a card, slab by slab
	count   int
	entries []uint64 // upper half: upper half of the hash; lower half: slot + 1; 0 free
	mask    uint64
}

func newStore() store { return store{entries: make([]uint64, 1024), mask: 1023} }

func (s *store) at(slot uint32) *vehicle { return &s.slabs[slot/slabSize][slot%slabSize] }

func (s *store) dutyAt(slot uint32) *duty { return &s.duties[slot/slabSize][slot%slabSize] }

// find returns the slot of a vehicle.
func (s *store) find(id *ingest.Vehicle, hash uint64) (slot uint32, ok bool) {
	for i := hash & s.mask; ; i = (i + 1) & s.mask {
		e := s.entries[i]
		if e == 0 {
			return 0, false
		}
		if e>>32 == hash>>32 {
			slot := uint32(e) - 1
			if s.at(slot).id == *id {
				return slot, true
			}
		}
	}
}

// add makes the state of a vehicle that find did not find.
func (s *store) add(id *ingest.Vehicle, hash uint64) uint32 {
	if s.count*4 >= len(s.entries)*3 {
		s.grow()
	}
	if s.count == len(s.slabs)*slabSize {
		s.slabs = append(s.slabs, make([]vehicle, slabSize))
		s.duties = append(s.duties, make([]duty, slabSize))
	}
	slot := uint32(s.count)
	s.count++
	s.at(slot).id, s.at(slot).slot = *id, slot
	s.put(hash, slot)
	return slot
}

func (s *store) put(hash uint64, slot uint32) {
	i := hash & s.mask
	for s.entries[i] != 0 {
		i = (i + 1) & s.mask
	}
	s.entries[i] = hash>>32<<32 | uint64(slot+1)
}

func (s *store) grow() {
	s.entries = make([]uint64, 2*len(s.entries))
	s.mask = uint64(len(s.entries) - 1)
	for slot := range s.count {
		s.put(s.at(uint32(slot)).id.Hash(), uint32(slot))
	}
}

// sideOf returns the side record of a vehicle and makes one where there is none.
func (e *Engine) sideOf(v *vehicle) *side {
	if v.side == 0 {
		if n := len(e.freeSides); n > 0 {
			v.side = e.freeSides[n-1]
			e.freeSides = e.freeSides[:n-1]
		} else {
			if len(e.sideRoom) == 0 {
				e.sideRoom = make([]side, 64)
			}
			e.sides, e.sideRoom = append(e.sides, &e.sideRoom[0]), e.sideRoom[1:]
			v.side = uint32(len(e.sides))
		}
		sd := e.sides[v.side-1]
		sd.owner, sd.rare = v, &e.noRare
	}
	return e.sides[v.side-1]
}

// rareOf returns the side record of a vehicle with a record of its own for what is rare.
func (e *Engine) rareOf(v *vehicle) *side {
	sd := e.sideOf(v)
	if sd.rare == &e.noRare {
		if n := len(e.freeRares); n > 0 {
			sd.rare = e.freeRares[n-1]
			e.freeRares = e.freeRares[:n-1]
		} else {
			sd.rare = new(rare)
		}
	}
	return sd
}

// maxFreeRares is how many are kept to be used again: enough for what comes and goes all the time, few after a burst.
const maxFreeRares = 4096

// tidy gives the side record back when nothing is in it.
func (e *Engine) tidy(v *vehicle) {
	if v.side == 0 {
		return
	}
	s := e.sides[v.side-1]
	if s.rare != &e.noRare && s.rare.empty() {
		if len(e.freeRares) < maxFreeRares {
			e.freeRares = append(e.freeRares, s.rare)
		}
		s.rare = &e.noRare
	}
	if s.empty() {
		s.owner = nil
		e.freeSides = append(e.freeSides, v.side)
		v.side = 0
	}
}

// heldOf returns the fix that waits for its successor; nil where none does.
func (e *Engine) heldOf(v *vehicle) *fix {
	if !v.has(flagHeld) {
		return nil
	}
	return &e.sides[v.side-1].held
}

// lastOf returns the last fix that came out of the gate; its time is 0 where there is none yet.
func (e *Engine) lastOf(v *vehicle) *fix {
	if held := e.heldOf(v); held != nil {
		return held
	}
	return &v.judged
}

func (e *Engine) jumpsOf(v *vehicle) []fix {
	if v.side == 0 {
		return nil
	}
	return e.sides[v.side-1].jumps
}

func (e *Engine) dropJumps(v *vehicle) {
	if v.side != 0 {
		e.sides[v.side-1].jumps = e.sides[v.side-1].jumps[:0]
	}
}
