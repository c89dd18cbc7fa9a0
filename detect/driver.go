package detect

import "lushao/ingest"

// cardWindow is how long before a card is put in a stopped fix makes the change of drivers credible.
const cardWindow = 5 * minuteMs

// card takes a driver's card. A card that is pulled changes nothing: its driver stays until another card is put in. A
// change counts where the vehicle stood: a stopped fix within 5 minutes before, or the first one after; else it counts at
// the next stop.
func (e *Engine) card(v *vehicle, ev *ingest.Event) {
	d := ev.Driver
	if !d.On || d.Result != 0 || d.License == "" && d.Name == "" {
		return
	}
	n := e.driverNumber(Driver{License: d.License, Name: d.Name})
	if n == v.driver {
		v.set(flagPending, false)
		return
	}
	v.pending = n
	v.set(flagPending, true)
	if v.stoppedAt != 0 && ev.Time >= v.stoppedAt && ev.Time-v.stoppedAt <= cardWindow {
		v.takePendingCard()
	}
}

// takePendingCard makes the driver whose card waits for a stop the driver.
func (v *vehicle) takePendingCard() {
	if v.has(flagPending) {
		v.driver = v.pending
		v.set(flagPending, false)
	}
}

// driverNumber returns the number of a driver, from 1.
func (e *Engine) driverNumber(d Driver) uint32 {
	if n, ok := e.driverByCard[d]; ok {
		return n
	}
	e.drivers = append(e.drivers, d)
	n := uint32(len(e.drivers))
	e.driverByCard[d] = n
	return n
}
