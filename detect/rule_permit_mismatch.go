package detect

import "lushao/ingest"

// Permit mismatch (大件车证不符): the mass or the size that a valid oversize permit allows is exceeded, by more than the station's
// tolerance. Too great a mass is an overload against the permit's mass too; a way off the permit's route is a route_deviation.
// Basis: 超限运输车辆行驶公路管理规定 art. 44.

func permitMismatchWeighing(e *Engine, v *vehicle, ev *ingest.Event) {
	if !e.snap.Settings.PermitMismatch.Enabled {
		return
	}
	permits := e.snap.validPermits(e.idOf(v), PermitOversize, ev.Time)
	if len(permits) == 0 {
		return
	}
	gross := int64(ev.Weighing.GrossKg)
	tolerance := e.tolerance(ev.Weighing, e.snap.stations[ev.Weighing.Station])
	outline := e.outline(ev.Weighing)
	// Of several the one that covers most. Mass comes first: where none covers it, it is the one that overload is judged by.
	p, heavy, large := permits[0], false, 0
	for i, q := range permits {
		h, l := !q.coversMass(gross, tolerance), 0
		for _, d := range q.permitted(outline) {
			if d.over() > 0 {
				l++
			}
		}
		better := i == 0
		switch {
		case better:
		case h != heavy:
			better = heavy
		case h && q.GrossKg != p.GrossKg:
			better = q.GrossKg > p.GrossKg
		case l != large:
			better = l < large
		}
		if better {
			p, heavy, large = q, h, l
		}
	}
	if !heavy && large == 0 {
		return
	}
	o := e.beginWeighing(v, KindPermitMismatch, ev)
	o.Permit = &p.Number
	o.Basis = []string{"overlimit-permit"}
	exceeded := []any{}
	if heavy {
		exceeded = append(exceeded, map[string]any{"mass": "gross", "measured_kg": gross, "limit_kg": int64(p.GrossKg),
			"over_kg": gross - int64(p.GrossKg), "tolerance_pct": float64(tolerance) / 100})
	}
	for _, d := range p.permitted(outline) {
		if d.over() > 0 {
			exceeded = append(exceeded, d.exceeded())
		}
	}
	o.Detail["exceeded"] = exceeded
	e.emit(o)
}
