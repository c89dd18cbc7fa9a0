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
	name ingest.ShortVehicle // zero where the plate is too long: see store.id

	judged fix // the last fix that the rules have seen; time 0: none

	stopLat, stopLon int32 // place of the stop, while stopped
	stoppedAt        stamp // time of the last stopped fix; 0 none

	// Of the last position that passed the gate's first test, located or not; heard 0: none yet.
	heard    stamp  // its time
	received stamp  // when it came
	maxSpeed uint16 // 0.1 km/h, of the register; 0 unknown
	alarm    uint32
	status   uint32

	generation uint32 // of the snapshot that class, maxSpeed and some flags were looked up in
	slot       uint32 // where it is in the store
	side       uint32 // number of the side record; 0 none
	driver     uint32 // number of the driver in Engine.drivers; 0 unknown
	flags      uint16
	class      Class
	said       uint8 // what the last position that was heard said, see rule_terminal_alarm.go
}

const (
	flagStopped    uint16 = 1 << iota // the last judged fix belongs to a stop
	flagPending                       // a driver's card counts at the next stop: see Engine.pending
	flagRegistered                    // in the register of the snapshot
	flagBound                         // fences or permits of the snapshot may bound it
	flagRouted                        // the snapshot may assign routes to it
	flagCrowd                         // its stop is in Engine.crowd
	flagPassing                       // a gate of a section may be passed on the segment to the last judged fix
	flagDark                          // the last judged fix is one after which silence is suspicious
	flagDarkWake                      // a wake for that was asked for
	flagHeld                          // the side record holds a fix back
	flagLoad                          // it has reported a load, so that no load means empty
	flagNewer                         // something newer than the last position was there: see Engine.newest
)

func (v *vehicle) has(f uint16) bool { return v.flags&f != 0 }
func (v *vehicle) set(f uint16, on bool) {
	if on {
		v.flags |= f
	} else {
		v.flags &^= f
	}
}

// store finds the state of vehicles: a table leads to slabs, in which state never moves. Measured against a Go map it saves most of the
// cache misses, which are what a look-up among a million vehicles costs.
type store struct {
	slabs[vehicle]
	duties slabs[duty] // what each vehicle has driven without a card
	table  table
	long   few[ingest.Vehicle] // those without a short form
}

func newStore() store { return store{table: newTable()} }

func (s *store) dutyAt(slot uint32) *duty { return s.duties.at(slot) }

// id returns the identity of a vehicle.
func (s *store) id(v *vehicle) ingest.Vehicle {
	if v.name.IsZero() {
		return s.long.get(v.slot)
	}
	return v.name.Vehicle()
}

// find returns the slot of a vehicle.
func (s *store) find(id *ingest.Vehicle, hash uint64) (slot uint32, ok bool) {
	name, short := id.Short()
	for p := s.table.probe(hash); ; {
		slot, ok := s.table.next(&p)
		if !ok {
			return 0, false
		}
		if v := s.at(slot); short && v.name == name || !short && s.id(v) == *id {
			return slot, true
		}
	}
}

// add makes the state of a vehicle that find did not find.
func (s *store) add(id *ingest.Vehicle, hash uint64) uint32 {
	slot := s.slabs.add()
	s.duties.add()
	name, short := id.Short()
	if !short {
		s.long.set(slot, *id)
	}
	v := s.at(slot)
	v.name, v.slot = name, slot
	s.table.put(hash, slot, func(n uint32) uint64 {
		id := s.id(s.at(n))
		return id.Hash()
	})
	return slot
}
