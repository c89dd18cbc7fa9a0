package detect

// side holds what few vehicles have at a time. What even fewer have is in records of its own, which all others share empty: who adds to
// one asks for it with the function of its name. Records and the room of lists are used again.
type side struct {
	owner    *vehicle
	held     *fix // waits for the fix after it, see motion.go; nil: none
	speeding []speedCase
	alarms   []alarmCase
	*places  // placesOf
	*papers  // papersOf
	*rare    // rareOf
}

// places holds what goes on with fences and sections.
type places struct {
	fences   []fenceCase
	outside  []outsideCase
	stops    []stopCase
	sections []sectionCase
}

// papers holds what hazmat vehicles carry, and what they lack.
type papers struct {
	waybills []waybill
	bills    []billCase
}

// rare holds what hardly any vehicle has at a time.
type rare struct {
	jumps   []fix
	cards   []cardChange
	fatigue []fatigueCase
	nights  []nightRun

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
	return s.held == nil && len(s.speeding) == 0 && len(s.alarms) == 0 && s.places.empty() && s.papers.empty() && s.rare.empty()
}

func (p *places) empty() bool {
	return len(p.fences) == 0 && len(p.outside) == 0 && len(p.stops) == 0 && len(p.sections) == 0
}

func (p *papers) empty() bool { return len(p.waybills) == 0 && len(p.bills) == 0 }

func (r *rare) empty() bool {
	return len(r.jumps) == 0 && len(r.cards) == 0 && len(r.fatigue) == 0 && len(r.nights) == 0 && len(r.dark) == 0 && len(r.offline) == 0 &&
		len(r.frozen) == 0 && len(r.unmonitored) == 0 && len(r.conflicts) == 0 && len(r.approaches) == 0 && len(r.evasions) == 0 &&
		len(r.tampering) == 0 && len(r.safety) == 0 && len(r.late) == 0
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

// spare is what side records are made of and what they give back, so that nothing is allocated for what comes and goes all the time.
type spare struct {
	noPlaces places // these three are always empty
	noPapers papers
	noRare   rare

	numbers []uint32 // of side records that are not used
	sides   pool[side]
	fixes   pool[fix]
	places  pool[places]
	papers  pool[papers]
	rare    pool[rare]

	speeding lists[speedCase]
	alarms   lists[alarmCase]
	fences   lists[fenceCase]
	outside  lists[outsideCase]
	stops    lists[stopCase]
	sections lists[sectionCase]
	waybills lists[waybill]
	bills    lists[billCase]
	jumps    lists[fix]
	cards    lists[cardChange]
	safety   lists[safetyCase]
}

// maxSpare is how many of a sort are kept to be used again: enough for what comes and goes all the time, few after a burst.
const maxSpare = 1024

type pool[T any] struct{ free []*T }

func (p *pool[T]) take() *T {
	n := len(p.free)
	if n == 0 {
		return new(T)
	}
	x := p.free[n-1]
	p.free = p.free[:n-1]
	return x
}

func (p *pool[T]) give(x *T) {
	if len(p.free) < maxSpare {
		p.free = append(p.free, x)
	}
}

// lists is the room of lists.
type lists[T any] struct{ free [][]T }

// maxRoom is how long a list can be whose room is kept.
const maxRoom = 4

// room returns a list with room for one more, where there is some to spare.
func (p *lists[T]) room(list []T) []T {
	n := len(p.free)
	if cap(list) > 0 || n == 0 {
		return list
	}
	list = p.free[n-1]
	p.free = p.free[:n-1]
	return list
}

// give takes the room of a list that is empty.
func (p *lists[T]) give(list *[]T) {
	if len(*list) > 0 || cap(*list) == 0 {
		return
	}
	if cap(*list) <= maxRoom && len(p.free) < maxSpare {
		p.free = append(p.free, *list)
	}
	*list = nil
}

// sideOf returns the side record of a vehicle and makes one where there is none.
func (e *Engine) sideOf(v *vehicle) *side {
	if v.side == 0 {
		if n := len(e.spare.numbers); n > 0 {
			v.side = e.spare.numbers[n-1]
			e.spare.numbers = e.spare.numbers[:n-1]
		} else {
			e.sides = append(e.sides, nil)
			v.side = uint32(len(e.sides))
		}
		sd := e.spare.sides.take()
		*sd = side{owner: v, places: &e.spare.noPlaces, papers: &e.spare.noPapers, rare: &e.spare.noRare}
		e.sides[v.side-1] = sd
	}
	return e.sides[v.side-1]
}

// placesOf returns the side record of a vehicle with a record of its own for what goes on with fences and sections.
func (e *Engine) placesOf(v *vehicle) *side {
	sd := e.sideOf(v)
	if sd.places == &e.spare.noPlaces {
		sd.places = e.spare.places.take()
	}
	return sd
}

// papersOf returns the side record of a vehicle with a record of its own for papers.
func (e *Engine) papersOf(v *vehicle) *side {
	sd := e.sideOf(v)
	if sd.papers == &e.spare.noPapers {
		sd.papers = e.spare.papers.take()
	}
	return sd
}

// rareOf returns the side record of a vehicle with a record of its own for what is rare.
func (e *Engine) rareOf(v *vehicle) *side {
	sd := e.sideOf(v)
	if sd.rare == &e.spare.noRare {
		sd.rare = e.spare.rare.take()
	}
	return sd
}

// tidy gives back what is empty.
func (e *Engine) tidy(v *vehicle) {
	if v.side == 0 {
		return
	}
	s, p := e.sides[v.side-1], &e.spare
	p.speeding.give(&s.speeding)
	p.alarms.give(&s.alarms)
	if s.places != &p.noPlaces && s.places.empty() {
		p.fences.give(&s.fences)
		p.outside.give(&s.outside)
		p.stops.give(&s.stops)
		p.sections.give(&s.sections)
		p.places.give(s.places)
		s.places = &p.noPlaces
	}
	if s.papers != &p.noPapers && s.papers.empty() {
		p.waybills.give(&s.waybills)
		p.bills.give(&s.bills)
		p.papers.give(s.papers)
		s.papers = &p.noPapers
	}
	if s.rare != &p.noRare && s.rare.empty() {
		p.jumps.give(&s.jumps)
		p.cards.give(&s.cards)
		p.safety.give(&s.safety)
		*s.rare = rare{}
		p.rare.give(s.rare)
		s.rare = &p.noRare
	}
	if s.empty() {
		e.sides[v.side-1] = nil
		p.sides.give(s)
		p.numbers = append(p.numbers, v.side)
		v.side = 0
	}
}

// packSides numbers the side records anew where hardly any is left of a burst, as there is one when many vehicles set out at a time.
func (e *Engine) packSides() {
	n := len(e.spare.numbers)
	if n < packAt || n < len(e.sides)/8*7 {
		return
	}
	packed := make([]*side, 0, 2*(len(e.sides)-n))
	for _, sd := range e.sides {
		if sd != nil {
			packed = append(packed, sd)
			sd.owner.side = uint32(len(packed))
		}
	}
	e.sides, e.spare.numbers = packed, nil
}

// packAt is from how many unused numbers on that is worth it.
const packAt = 8192

// hold keeps a fix until its successor is there.
func (e *Engine) hold(v *vehicle, f *fix) {
	sd := e.sideOf(v)
	if sd.held == nil {
		sd.held = e.spare.fixes.take()
	}
	*sd.held = *f
	v.set(flagHeld, true)
}

// heldOf returns the fix that waits for its successor; nil where none does.
func (e *Engine) heldOf(v *vehicle) *fix {
	if !v.has(flagHeld) {
		return nil
	}
	return e.sides[v.side-1].held
}

// release takes the held fix out of the state. The pointer is good until the next call.
func (e *Engine) release(v *vehicle) *fix {
	sd := e.sides[v.side-1]
	e.released = *sd.held
	e.spare.fixes.give(sd.held)
	sd.held = nil
	v.set(flagHeld, false)
	return &e.released
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
