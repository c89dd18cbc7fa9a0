package detect

import (
	"errors"
	"slices"
)

// The state of driving time in a checkpoint. A driver's is written with his home: the vehicle in which his card was last.

// writeDuties writes what a vehicle has driven, and the drivers whose home it is.
func (e *Engine) writeDuties(w *stateWriter, v *vehicle) {
	d := e.store.dutyAt(v.slot)
	w.duty(d)
	w.sums(e.sumsOf[v.slot])
	n, first := uint32(0), e.drivers.homes.get(v.slot)
	for at := first; at != 0; at = e.drivers.of(at).next {
		n++
	}
	w.u32(n)
	for at := first; at != 0; at = e.drivers.of(at).next {
		o := e.drivers.of(at)
		e.writeDriver(w, at)
		w.duty(&o.duty)
		w.sums(o.sums)
		w.segment(&o.segment)
	}
}

func (e *Engine) readDuties(r *stateReader, v *vehicle) {
	own := e.store.dutyAt(v.slot)
	r.duty(own)
	if sums := r.sums(); sums != nil {
		e.sumsOf[v.slot] = sums
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		driver := e.readDriver(r)
		var d duty
		r.duty(&d)
		sums := r.sums()
		var s segment
		r.segment(&s)
		switch {
		case r.err != nil:
			return
		case driver == 0:
			r.fail(errors.New("driving of no driver"))
			return
		}
		o := e.drivers.of(driver)
		if o.home != 0 { // two engines had state of him: the later is right
			if d.to.ms() > o.to.ms() {
				o.duty, o.sums, o.segment = d, sums, segment{}
			}
			continue
		}
		o.duty, o.sums, o.segment = d, sums, s
		e.drivers.settle(driver, v.slot)
	}
}

func (w *stateWriter) duty(d *duty) {
	for _, t := range [...]stamp{d.from, d.to, d.continuous} {
		w.u64(uint64(t.ms()))
	}
	for _, t := range [...]uint32{uint32(d.driven), uint32(d.atNight), uint32(d.restBefore), d.night} {
		w.u32(t)
	}
	w.u8(d.stops)
	w.u8(d.gaps)
	w.truth(d.counted)
	w.u8(d.warned)
}

func (r *stateReader) duty(d *duty) {
	for _, t := range [...]*stamp{&d.from, &d.to, &d.continuous} {
		*t = stampOf(int64(r.u64()))
	}
	d.driven, d.atNight, d.restBefore, d.night = brief(r.u32()), brief(r.u32()), brief(r.u32()), r.u32()
	d.stops, d.gaps, d.counted, d.warned = r.u8(), r.u8(), r.truth(), r.u8()
}

func (w *stateWriter) sums(s *dutySums) {
	w.truth(s != nil)
	if s == nil {
		return
	}
	for _, t := range s.over {
		w.u64(uint64(t))
	}
	w.u64(uint64(s.log.base))
	w.u32(uint32(len(s.log.list)))
	for _, p := range s.log.list {
		w.u32(p.from)
		w.u32(p.to)
	}
}

func (r *stateReader) sums() *dutySums {
	if !r.truth() || r.err != nil {
		return nil
	}
	s := new(dutySums)
	for i := range s.over {
		s.over[i] = int64(r.u64())
	}
	s.log.base = int64(r.u64())
	n := r.count()
	if n > maxDutyPieces {
		r.fail(errors.New("more pieces of driving than are kept"))
		return nil
	}
	last := dutyPiece{}
	for ; n > 0 && r.err == nil; n-- {
		p := dutyPiece{from: r.u32(), to: r.u32(), before: last.before + last.length()}
		if p.to <= p.from || p.from < last.to {
			r.fail(errors.New("pieces of driving in no order"))
		}
		s.log.list = append(s.log.list, p)
		last = p
	}
	return s
}

// writeDriving and readDriving are the part of the side record.
func (e *Engine) writeDriving(w *stateWriter, sd *side) {
	w.u32(uint32(len(sd.cards)))
	for i := range sd.cards {
		c := &sd.cards[i]
		w.u64(uint64(c.at))
		e.writeDriver(w, c.from)
		e.writeDriver(w, c.to)
		w.truth(c.done)
	}
	w.u32(uint32(len(sd.fatigue)))
	for i := range sd.fatigue {
		c := &sd.fatigue[i]
		w.u8(byte(c.kind))
		e.writeDriver(w, c.driver)
		for _, t := range c.numbers() {
			w.u64(uint64(*t))
		}
		w.u8(c.stops)
		w.u8(c.gaps)
		w.tally(&c.stop)
		w.truth(c.gap)
		w.truth(c.cardMoved)
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.nights)))
	for i := range sd.nights {
		c := &sd.nights[i]
		w.truth(c.open)
		for _, t := range c.numbers() {
			w.u64(uint64(*t))
		}
		w.tally(&c.stopAt)
		e.writeSpan(w, &c.span)
	}
}

func (c *fatigueCase) numbers() [8]*int64 {
	return [...]*int64{&c.driven, &c.total, &c.from, &c.restBefore, &c.rests, &c.until, &c.over, &c.drove}
}

func (c *nightRun) numbers() [6]*int64 {
	return [...]*int64{&c.until, &c.seen, &c.stop, &c.standing, &c.stood, &c.held}
}

func (e *Engine) readDriving(r *stateReader, v *vehicle, sd *side) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		sd.cards = append(sd.cards, cardChange{at: int64(r.u64()), from: e.readDriver(r), to: e.readDriver(r), done: r.truth()})
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := fatigueCase{kind: fatigueKind(r.u8()), driver: e.readDriver(r)}
		for _, t := range c.numbers() {
			*t = int64(r.u64())
		}
		c.stops, c.gaps = r.u8(), r.u8()
		r.tally(&c.stop)
		c.gap, c.cardMoved = r.truth(), r.truth()
		e.readSpan(r, &c.span)
		if c.kind >= fatigueCount {
			r.fail(errors.New("driving time of an unknown kind"))
		}
		sd.fatigue = append(sd.fatigue, c)
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := nightRun{open: r.truth()}
		for _, t := range c.numbers() {
			*t = int64(r.u64())
		}
		r.tally(&c.stopAt)
		e.readSpan(r, &c.span)
		sd.nights = append(sd.nights, c)
	}
	if r.err == nil && len(sd.nights) > 1 {
		r.fail(errors.New("more than one run of a night"))
	}
	if slices.ContainsFunc(sd.cards, func(c cardChange) bool { return c.to == 0 }) {
		r.fail(errors.New("a card of nobody"))
	}
	if r.err == nil {
		fatigueRebase(e, v, sd, nil)
		nightDrivingRebase(e, v, sd, nil)
	}
}
