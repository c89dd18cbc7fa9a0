package detect

import "lushao/ingest"

// Oversize (超限, 外廓尺寸): longer than 18.1 m, wider than 2.55 m or higher than 4 m by more than the station's tolerance, without a
// valid oversize permit. One violation: the greatest excess; the others stand in detail. Basis: 超限运输车辆行驶公路管理规定 art. 3
// and 43.

func oversizeWeighing(e *Engine, v *vehicle, ev *ingest.Event) {
	if !e.snap.Settings.Oversize.Enabled {
		return
	}
	outline := e.outline(ev.Weighing)
	worst := -1
	for i := range outline {
		if over := outline[i].over(); over > 0 && (worst < 0 || over > outline[worst].over()) {
			worst = i
		}
	}
	if worst < 0 || len(e.snap.validPermits(e.idOf(v), PermitOversize, ev.Time)) > 0 {
		return
	}
	d := &outline[worst]
	o := e.beginWeighing(v, KindOversize, ev)
	o.Measured, o.Limit, o.Unit = ptr(float64(d.measured)), ptr(float64(d.limit)), ptr("mm")
	o.OverPct, o.Band = overPct(d.over(), d.limit)
	o.Basis = []string{"overlimit", "overlimit-fine"}
	o.Detail["dimension"] = d.name
	o.Detail["over_mm"] = d.over()
	o.Detail["tolerance_mm"] = d.tolerance
	others := []any{}
	for i := range outline {
		if i != worst && outline[i].over() > 0 {
			others = append(others, outline[i].exceeded())
		}
	}
	o.Detail["others"] = others
	e.emit(o)
}

// exceeded is a dimension that is too great, as detail shows it.
func (d *dimension) exceeded() map[string]any {
	return map[string]any{"dimension": d.name, "measured_mm": d.measured, "limit_mm": d.limit, "over_mm": d.over(), "tolerance_mm": d.tolerance}
}
