package detect

import "lushao/ingest"

// The driver of a vehicle is who put in the last card; a card that is pulled changes nothing. A change counts at its own time where
// the vehicle stood: a stopped fix within 5 min before, or the first fix after it; else the driver goes on, and it counts at the next
// stop. Fixes are judged after later ones are there, where it must be so: so cards wait for the first fix after them.

// cardChange is a card that waits for the first fix after it.
type cardChange struct {
	at       int64
	from, to uint32 // numbers of drivers
	done     bool   // it counts already: from is who drove before
}

// driverChange is a change of drivers that counts on the way to the fix that is judged.
type driverChange struct {
	at       int64
	from, to uint32
}

// card takes a driver's card.
func (e *Engine) card(v *vehicle, ev *ingest.Event) {
	d := ev.Driver
	if !d.On || d.Result != 0 || d.License == "" && d.Name == "" {
		return
	}
	n := e.driverNumber(Driver{License: d.License, Name: d.Name})
	waiting := v.side != 0 && len(e.sides[v.side-1].cards) > 0 && !e.sides[v.side-1].cards[len(e.sides[v.side-1].cards)-1].done
	if n == v.driver && !waiting {
		v.set(flagPending, false)
		return
	}
	sd := e.rareOf(v)
	if len(sd.cards) >= maxCards { // who puts in so many without driving is nobody's driver: the last counts
		sd.cards = append(sd.cards[:0], sd.cards[1:]...)
	}
	c := cardChange{at: ev.Time, to: n}
	if !waiting && !v.has(flagHeld) && len(sd.jumps) == 0 && e.cardCredible(v, ev.Time) {
		c.from, c.done = v.driver, true
		v.driver = n
		v.set(flagPending, false)
	}
	sd.cards = append(sd.cards, c)
}

// maxCards bounds the cards that wait for a fix.
const maxCards = 64

// cardCredible reports whether the vehicle stood within 5 min before a card was put in.
func (e *Engine) cardCredible(v *vehicle, at int64) bool {
	return v.stoppedAt != 0 && at >= v.stoppedAt && at-v.stoppedAt <= e.snap.driving.cardWindow
}

// settleCards judges at a fix the cards that were put in before it. stopped says that it is a stopped fix.
func (e *Engine) settleCards(v *vehicle, f *fix, stopped bool) {
	e.changes = e.changes[:0]
	if v.side != 0 && len(e.sides[v.side-1].cards) > 0 {
		sd := e.sides[v.side-1]
		n := 0
		for ; n < len(sd.cards) && sd.cards[n].at <= f.time; n++ {
			c := &sd.cards[n]
			switch {
			case c.done:
				e.changes = append(e.changes, driverChange{max(c.at, v.judged.time), c.from, c.to})
			case c.to == v.driver:
				v.set(flagPending, false)
			case stopped || e.cardCredible(v, c.at):
				e.changeCard(v, max(c.at, v.judged.time), c.to)
			default:
				v.pending = c.to
				v.set(flagPending, true)
			}
		}
		sd.cards = append(sd.cards[:0], sd.cards[n:]...)
	}
	if stopped && v.has(flagPending) {
		e.changeCard(v, f.time, v.pending)
	}
}

func (e *Engine) changeCard(v *vehicle, at int64, to uint32) {
	e.changes = append(e.changes, driverChange{at, v.driver, to})
	v.driver = to
	v.set(flagPending, false)
}

// driverNumber returns the number of a driver, from 1.
func (e *Engine) driverNumber(d Driver) uint32 {
	if n, ok := e.driverByCard[d]; ok {
		return n
	}
	e.drivers = append(e.drivers, d)
	e.duties = append(e.duties, driverDuty{})
	n := uint32(len(e.drivers))
	e.driverByCard[d] = n
	return n
}
