package detect

import "lushao/ingest"

// Hundred tonnes (百吨王): a gross mass of 100 t or more without a valid permit that covers it, in addition to overload. Whether
// it is covered is judged with the tolerance of the weighing, the 100 t are not. Basis: 临县方案; 超限运输车辆行驶公路管理规定 art. 3.

func hundredTonneWeighing(e *Engine, v *vehicle, ev *ingest.Event) {
	s := &e.snap.Settings.HundredTonne
	gross, limit := int64(ev.Weighing.GrossKg), int64(s.LimitKg)
	if !s.Enabled || gross < limit {
		return
	}
	tolerance := e.tolerance(ev.Weighing, e.snap.stations[ev.Weighing.Station])
	for _, p := range e.snap.validPermits(e.idOf(v), PermitOversize, ev.Time) {
		if p.coversMass(gross, tolerance) {
			return
		}
	}
	o := e.beginWeighing(v, KindHundredTonne, ev)
	o.Measured, o.Limit, o.Unit = ptr(float64(gross)), ptr(float64(limit)), ptr("kg")
	o.OverPct, o.Band = overPct(gross-limit, limit)
	o.Basis = []string{"overlimit", "plan-linxian-hundred-tonne"}
	o.Detail["over_kg"] = gross - limit
	e.emit(o)
}
