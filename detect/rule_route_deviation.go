package detect

import (
	"slices"

	"lushao/ingest"
)

// Route deviation (不按规定线路行驶): outside of the corridors of all routes that are assigned to the vehicle: by the register, by a
// valid waybill, by a valid permit. Where none is assigned nothing is judged. Basis: 晋城市城区方案三.7; 临县方案附件7（六）2.

func routeDeviationFix(e *Engine, m *moment) {
	s := &e.snap.Settings.RouteDeviation
	if !m.v.has(flagRouted) && (m.v.side == 0 || len(e.sides[m.v.side-1].outside)+len(e.sides[m.v.side-1].waybills) == 0) || !s.Enabled {
		return
	}
	e.bounds = e.routesOf(m.v, m.f.time, e.bounds[:0])
	e.outsideFix(m, KindRouteDeviation, s, e.bounds)
}

// routesOf appends the corridors that are assigned to a vehicle at t.
func (e *Engine) routesOf(v *vehicle, t int64, dst []bound) []bound {
	add := func(id string, p *Permit, until int64) {
		if r := e.snap.routes[id]; r != nil {
			dst = append(dst, bound{shape: r.shape, id: id, permit: p, until: until})
		}
	}
	own := e.idOf(v)
	if r := e.snap.register[own]; r != nil {
		for _, id := range r.Routes {
			add(id, nil, 0)
		}
	}
	for _, w := range e.snap.waybills[own] {
		if w.Route != "" && validAt(w.Start, w.End, t) {
			add(w.Route, nil, w.End)
		}
	}
	if v.side != 0 {
		for i := range e.sides[v.side-1].waybills {
			if w := &e.sides[v.side-1].waybills[i]; w.route != "" && validAt(w.start, w.end, t) {
				add(w.route, nil, w.end)
			}
		}
	}
	for _, p := range e.snap.permits[own] {
		if p.Route != "" && validAt(p.Start, p.End, t) {
			add(p.Route, p, p.End)
		}
	}
	return dst
}

// isRouted reports whether the reference data may assign a route to a vehicle.
func (e *Engine) isRouted(v *vehicle) bool {
	s, id := e.snap, e.idOf(v)
	if r := s.register[id]; r != nil && len(r.Routes) > 0 {
		return true
	}
	for _, w := range s.waybills[id] {
		if w.Route != "" {
			return true
		}
	}
	for _, p := range s.permits[id] {
		if p.Route != "" {
			return true
		}
	}
	return false
}

// waybill is a waybill that the vehicle itself reported, as far as rules need it.
type waybill struct {
	number     string
	start, end int64
	route      string
}

// maxWaybills bounds the waybills of one vehicle that are remembered: a tanker has one, a parcel truck some.
const maxWaybills = 16

// waybill takes a waybill that a vehicle reports; one of the same number replaces the one before. A waybill without a number
// or without a beginning can't be told from others, or says nothing of when it is valid: it is archived only.
func (e *Engine) waybill(v *vehicle, ev *ingest.Event) {
	w := ev.Waybill
	if w.Number == "" || w.Start == 0 || e.frozen { // foreseen
		return
	}
	sd := e.papersOf(v)
	kept := e.spare.waybills.room(sd.waybills)[:0]
	for _, o := range sd.waybills {
		if o.number != w.Number && (o.end == 0 || ev.Time-o.end < weekMs) {
			kept = append(kept, o)
		}
	}
	if len(kept) == maxWaybills {
		kept = append(kept[:0], kept[1:]...)
	}
	sd.waybills = append(kept, waybill{number: w.Number, start: w.Start, end: w.End, route: w.Route})
	noWaybillPapers(e, v)
	e.tidy(v)
}

// foresee tells an engine whose clock stands still of all waybills that events bring, because a paper is valid from its start on and not
// from when it became known. The events are in order of time.
func (e *Engine) foresee(events []ingest.Event) {
	for i := range events {
		ev := &events[i]
		if ev.Kind != ingest.KindWaybill || ev.Waybill.Number == "" || ev.Waybill.Start == 0 {
			continue
		}
		hash := ev.Vehicle.Hash()
		slot, ok := e.store.find(&ev.Vehicle, hash)
		if !ok {
			slot = e.store.add(&ev.Vehicle, hash)
		}
		w := ev.Waybill
		sd := e.papersOf(e.store.at(slot))
		sd.waybills = slices.DeleteFunc(sd.waybills, func(o waybill) bool { return o.number == w.Number })
		sd.waybills = append(sd.waybills, waybill{number: w.Number, start: w.Start, end: w.End, route: w.Route})
	}
	for _, sh := range e.shadows {
		sh.foresee(events)
	}
}

const weekMs = 7 * dayMs
