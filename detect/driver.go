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
	n := e.drivers.number(Driver{License: d.License, Name: d.Name})
	waiting := v.side != 0 && len(e.sides[v.side-1].cards) > 0 && !e.sides[v.side-1].cards[len(e.sides[v.side-1].cards)-1].done
	if n == v.driver && !waiting {
		e.setPending(v, 0)
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
		e.setPending(v, 0)
	}
	sd.cards = append(e.spare.cards.room(sd.cards), c)
}

// maxCards bounds the cards that wait for a fix.
const maxCards = 64

// cardCredible reports whether the vehicle stood within 5 min before a card was put in.
func (e *Engine) cardCredible(v *vehicle, at int64) bool {
	stopped := v.stoppedAt.ms()
	return stopped != 0 && at >= stopped && at-stopped <= e.snap.driving.cardWindow
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
				e.setPending(v, 0)
			case stopped || e.cardCredible(v, c.at):
				e.changeCard(v, max(c.at, v.judged.time), c.to)
			default:
				e.setPending(v, c.to)
			}
		}
		sd.cards = append(sd.cards[:0], sd.cards[n:]...)
	}
	if stopped && v.has(flagPending) {
		e.changeCard(v, f.time, e.pending.get(v.slot))
	}
}

func (e *Engine) changeCard(v *vehicle, at int64, to uint32) {
	e.changes = append(e.changes, driverChange{at, v.driver, to})
	v.driver = to
	e.setPending(v, 0)
}

// setPending says whose card counts at the vehicle's next stop; 0: nobody's.
func (e *Engine) setPending(v *vehicle, driver uint32) {
	switch {
	case driver != 0:
		e.pending.set(v.slot, driver)
	case v.has(flagPending):
		e.pending.drop(v.slot)
	}
	v.set(flagPending, driver != 0)
}

// drivers are those whose cards were seen, with what they have driven. Their numbers begin with 1.
type drivers struct {
	list  slabs[driver]
	table table
	names texts
	homes few[uint32] // by slot the first of those whose home the vehicle is; the others follow by next
}

// driver is what is known of a driver with a card: his duty goes with him from vehicle to vehicle.
type driver struct {
	duty
	name    uint32    // where his names are
	home    uint32    // slot + 1 of the vehicle in which he drove last, with whose state his is kept; 0: none
	next    uint32    // the next driver of the same home
	segment segment   // in his home
	sums    *dutySums // nil: none are kept
}

func newDrivers() drivers { return drivers{table: newTable()} }

// of returns a driver by his number.
func (ds *drivers) of(n uint32) *driver { return ds.list.at(n - 1) }

// card returns who a driver is.
func (ds *drivers) card(n uint32) Driver {
	license, name := ds.names.at(ds.of(n).name)
	return Driver{License: string(license), Name: string(name)}
}

func cardHash(d *Driver) uint64 {
	h := textHash(d.License, "\x00", d.Name)
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	return h ^ h>>33
}

// find returns the number of a driver; 0: his card was not seen.
func (ds *drivers) find(d Driver) uint32 {
	for p := ds.table.probe(cardHash(&d)); ; {
		n, ok := ds.table.next(&p)
		if !ok {
			return 0
		}
		if license, name := ds.names.at(ds.list.at(n).name); string(license) == d.License && string(name) == d.Name {
			return n + 1
		}
	}
}

// number returns the number of a driver, also of one who is new.
func (ds *drivers) number(d Driver) uint32 {
	if n := ds.find(d); n != 0 {
		return n
	}
	n := ds.list.add()
	ds.list.at(n).name = ds.names.add(d.License, d.Name)
	ds.table.put(cardHash(&d), n, func(n uint32) uint64 {
		o := ds.card(n + 1)
		return cardHash(&o)
	})
	return n + 1
}

// settle makes a vehicle the home of a driver who has none, after those whose home it is already.
func (ds *drivers) settle(n, slot uint32) {
	d := ds.of(n)
	d.home, d.next = slot+1, 0
	at := ds.homes.get(slot)
	if at == 0 {
		ds.homes.set(slot, n)
		return
	}
	for ds.of(at).next != 0 {
		at = ds.of(at).next
	}
	ds.of(at).next = n
}

// leave takes a driver's home from him.
func (ds *drivers) leave(n uint32) {
	d := ds.of(n)
	slot := d.home - 1
	switch at := ds.homes.get(slot); {
	case at != n:
		for ds.of(at).next != n {
			at = ds.of(at).next
		}
		ds.of(at).next = d.next
	case d.next != 0:
		ds.homes.set(slot, d.next)
	default:
		ds.homes.drop(slot)
	}
	d.home, d.next = 0, 0
}
