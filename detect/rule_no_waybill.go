package detect

import (
	"errors"

	"lushao/ingest"
)

// No waybill (危货无电子运单运行): a hazmat vehicle that is not known to be empty has moved for 10 min since its last stop of 2 h or its
// last valid waybill. It starts with the first moving fix of that sum, and ends when a waybill becomes valid or with the first fix of
// a stop of 2 h; also at the first fix at which the vehicle is known to be empty. Basis: 晋城市城区方案; 岳阳市云溪区工作要点.

// billCase is what a hazmat vehicle has moved without a waybill. A vehicle has at most one.
type billCase struct {
	loadSince int64 // time of the first position that reported a load: from then on no load means empty; 0: none yet, or flagLoad says so
	driven    int64 // ms moved
	standing  int64 // since when it stands in one piece; 0: it does not, or nothing was driven before
	stopAt    tally // where a violation ends if it stands for long enough
	summing   bool  // there was a moving fix: span begins with it
	open      bool
	opened    int64 // time of the fix that proved it
	span      span
}

func (c *billCase) reset() { *c = billCase{loadSince: c.loadSince} }

// empty reports whether a vehicle was known to be empty at a fix.
func (c *billCase) empty(v *vehicle, f *fix) bool {
	return (v.has(flagLoad) || c.loadSince != 0 && f.time >= c.loadSince) && loadOf(f.status) == 0
}

// loadOf is bits 8 and 9 of the status of JT/T 808 0x0200: 0 empty, 1 half, 3 full.
func loadOf(status uint32) uint32 { return status >> 8 & 3 }

// LoadsMatter reports whether a rule asks what a vehicle carried before: when it reported a load last, however long ago.
func (s *Snapshot) LoadsMatter(v ingest.Vehicle) bool {
	r := s.register[v]
	return r != nil && r.Class == ClassHazmat && s.forVehicle(&v).Settings.NoWaybill.Enabled
}

func noWaybillPosition(e *Engine, v *vehicle, ev *ingest.Event) {
	if v.class != ClassHazmat || v.has(flagLoad) || loadOf(ev.Position.Status) == 0 || !e.snap.Settings.NoWaybill.Enabled {
		return
	}
	if c := e.billOf(v); c == nil {
		sd := e.papersOf(v)
		sd.bills = append(e.spare.bills.room(sd.bills), billCase{loadSince: ev.Time})
	} else if c.loadSince == 0 {
		c.loadSince = ev.Time
	}
}

func noWaybillFix(e *Engine, m *moment) {
	s := &e.snap.Settings.NoWaybill
	v, f := m.v, m.f
	c := e.billOf(v)
	if v.class != ClassHazmat || !s.Enabled {
		v.set(flagLoad, false)
		if c != nil {
			e.endNoWaybill(v, c, c.span.held)
			e.dropBill(v)
		}
		return
	}
	b := e.billsBetween(v, v.judged.time, f.time)
	if c == nil {
		if b.valid {
			return
		}
		sd := e.papersOf(v)
		sd.bills = append(e.spare.bills.room(sd.bills), billCase{})
		c = &sd.bills[len(sd.bills)-1]
	}
	var p passage
	if m.broken {
		e.endNoWaybill(v, c, c.span.held)
	} else if v.judged.time != 0 {
		p = e.passageOf(m)
	}

	late := f.time-c.span.held.time > int64(e.snap.Settings.Movement.RunGapS)*1000
	rest := int64(s.StopS) * 1000
	rested := c.standing != 0 && p.until-c.standing >= rest // before it moved
	if rested {
		e.endNoWaybill(v, c, c.stopAt)
	}
	if !p.same {
		c.standing = 0
	}
	if p.since != 0 {
		c.standing, c.stopAt = p.since, c.span.now
		if p.gap {
			c.stopAt = c.span.before
		}
		if f.time-p.since >= rest { // after it moved
			if !rested {
				e.endNoWaybill(v, c, c.stopAt)
			}
			p.from, p.to = 0, 0
		}
		if !v.has(flagStopped) {
			c.standing = 0
		}
	}

	if b.first != 0 || b.last != 0 || b.valid {
		switch {
		case b.first == 0 || late:
			e.endNoWaybill(v, c, c.span.held)
		default:
			e.endNoWaybill(v, c, c.span.at(b.first))
		}
		p.from = max(p.from, b.last)
	}
	empty := c.empty(v, f)
	if empty || c.empty(v, &v.judged) {
		if late {
			e.endNoWaybill(v, c, c.span.held)
		} else {
			e.endNoWaybill(v, c, c.span.now)
		}
		p.from, p.to = 0, 0
	}
	if !b.valid {
		c.driven += max(0, p.to-p.from)
	}

	switch {
	case b.valid || empty:
	case c.summing:
		c.span.hold()
	case !v.has(flagStopped) && speedKnown(f.speed):
		c.summing, c.span = true, e.beginSpan(v, f)
	}
	if c.summing && !c.open && c.driven >= int64(s.MovingS)*1000 {
		c.open, c.opened = true, f.time
		e.recordNoWaybill(v, c, StateOpen, c.span.held)
	}
	if c.loadSince != 0 && f.time >= c.loadSince { // no earlier fix will be asked about
		v.set(flagLoad, true)
		c.loadSince = 0
	}
	if c.driven == 0 && !c.summing {
		if c.reset(); c.loadSince == 0 {
			e.dropBill(v)
		}
	}
}

// billsBetween is what the waybills of a vehicle say of the time from after one instant up to another.
type billsBetween struct {
	first int64 // the first instant at which one became valid; 0: none did
	last  int64 // the last instant at which one ended; 0: none did
	valid bool  // one is valid at the end of the time
}

func (b *billsBetween) add(start, end, from, to int64) {
	if start > to || end != 0 && (end <= from || end <= start) {
		return
	}
	if start > from && (b.first == 0 || start < b.first) {
		b.first = start
	}
	if end == 0 || end > to {
		b.valid = true
	} else {
		b.last = max(b.last, end)
	}
}

func (e *Engine) billsBetween(v *vehicle, from, to int64) (b billsBetween) {
	for _, w := range e.snap.waybills[e.idOf(v)] {
		b.add(w.Start, w.End, from, to)
	}
	if v.side != 0 {
		for i := range e.sides[v.side-1].waybills {
			w := &e.sides[v.side-1].waybills[i]
			b.add(w.start, w.end, from, to)
		}
	}
	return b
}

func (e *Engine) billOf(v *vehicle) *billCase {
	if v.side == 0 || len(e.sides[v.side-1].bills) == 0 {
		return nil
	}
	return &e.sides[v.side-1].bills[0]
}

func (e *Engine) dropBill(v *vehicle) {
	sd := e.sides[v.side-1]
	sd.bills = sd.bills[:0]
}

// endNoWaybill forgets the sum, and closes its violation at a tally where there is one.
func (e *Engine) endNoWaybill(v *vehicle, c *billCase, at tally) {
	if c.open {
		e.recordNoWaybill(v, c, StateClosed, at)
	}
	c.driven, c.summing, c.open = 0, false, false
}

func (e *Engine) recordNoWaybill(v *vehicle, c *billCase, state State, at tally, notes ...string) {
	o := e.begin(v, KindNoWaybill, &c.span, "")
	o.Measured, o.Unit = tenthsOf(at.time-c.span.start, minuteMs/10), ptr("min")
	o.Basis = []string{"plan-jincheng-waybill", "plan-yunxi-waybill"}
	o.Detail["load_known"] = v.has(flagLoad) || c.loadSince != 0
	e.finish(o, state, &c.span, at, notes)
}

// noWaybillPapers looks whether a waybill that came late disproves what was found without it: what was found before it became valid
// stands, and ends here.
func noWaybillPapers(e *Engine, v *vehicle) {
	c := e.billOf(v)
	if c == nil || !c.summing {
		return
	}
	b := e.billsBetween(v, c.span.start, c.span.held.time)
	first := b.first
	if first == 0 && (b.valid || b.last != 0) { // at its start already
		first = c.span.start
	}
	if first == 0 {
		return
	}
	if c.open {
		if first > c.opened {
			e.recordNoWaybill(v, c, StateClosed, c.span.held, noteLatePaper)
		} else {
			e.recordNoWaybill(v, c, StateRetracted, c.span.held, noteLatePaper)
		}
	}
	c.reset()
}

func noWaybillRebase(e *Engine, v *vehicle, _ *side, _ *Snapshot) { noWaybillPapers(e, v) }

func noWaybillEnd(e *Engine, v *vehicle, close bool) {
	c := e.billOf(v)
	if c == nil || !c.open {
		return
	}
	if close {
		e.recordNoWaybill(v, c, StateClosed, c.span.held, noteEndOfData)
	} else {
		e.recordNoWaybill(v, c, StateOpen, c.span.held)
	}
}

func (e *Engine) writeBills(w *stateWriter, sd *side) {
	w.u32(uint32(len(sd.bills)))
	for i := range sd.bills {
		c := &sd.bills[i]
		w.u64(uint64(c.loadSince))
		w.u64(uint64(c.driven))
		w.u64(uint64(c.standing))
		w.tally(&c.stopAt)
		w.truth(c.summing)
		w.truth(c.open)
		w.u64(uint64(c.opened))
		e.writeSpan(w, &c.span)
	}
}

func (e *Engine) readBills(r *stateReader, sd *side) {
	n := r.count()
	if n > 1 {
		r.fail(errors.New("more than one sum without a waybill"))
	}
	for ; n > 0 && r.err == nil; n-- {
		c := billCase{loadSince: int64(r.u64()), driven: int64(r.u64()), standing: int64(r.u64())}
		r.tally(&c.stopAt)
		c.summing, c.open, c.opened = r.truth(), r.truth(), int64(r.u64())
		e.readSpan(r, &c.span)
		if c.open && !c.summing {
			r.fail(errors.New("a violation without a beginning"))
		}
		sd.bills = append(sd.bills, c)
	}
}
