package detect

import (
	"math"

	"lushao/ingest"
)

// Overload (超限超载): gross × 100 > limit × (100 + tolerance). Basis: 超限运输车辆行驶公路管理规定 art. 3 (limits), art. 43
// (fines), art. 44 (permits).

// weighed remembers a weighing: by its record number, because the first record of a number stands, and by its time, because
// overloads are counted over a year.
type weighed struct {
	record   uint64 // hash of station and record number
	station  uint32 // its number, see stationNumber
	next     uint32 // number of the vehicle's weighing before; 0 none
	time     stamp
	overload bool
}

const yearMs = 365 * dayMs

func overloadWeighing(e *Engine, v *vehicle, ev *ingest.Event) {
	s := &e.snap.Settings.Overload
	w := ev.Weighing
	if !s.Enabled {
		return
	}
	limit, source, permit := e.massLimit(v, ev)
	if limit == 0 {
		e.stats.Unjudged++
		return
	}
	tolerance := e.tolerance(w, e.snap.stations[w.Station])
	gross := int64(w.GrossKg)
	if !massOver(gross, limit, tolerance) {
		return
	}
	record := recordHash(w.Station, w.Record)
	earlier := 0
	for n := e.weighedOf(v); n != 0; n = e.weighings.at(n - 1).next {
		switch o := e.weighings.at(n - 1); {
		case o.record == record:
			o.overload = true
		case o.overload && o.time.ms() <= ev.Time:
			earlier++
		}
	}
	o := e.beginWeighing(v, KindOverload, ev)
	over := gross - limit
	o.Measured, o.Limit, o.Unit = ptr(float64(gross)), ptr(float64(limit)), ptr("kg")
	o.OverPct, o.Band = overPct(over, limit)
	o.LimitSource = &source
	o.Basis = []string{"overlimit", "overlimit-fine"}
	if permit != nil {
		o.Permit = &permit.Number
		o.Basis = append(o.Basis, "overlimit-permit")
	}
	o.Detail["over_kg"] = over
	o.Detail["fine_cny"] = s.fine(over)
	o.Detail["tolerance_pct"] = float64(tolerance) / 100
	o.Detail["overloads_last_year"] = earlier
	e.emit(o)
}

func recordHash(station, record string) uint64 { return textHash(station, "\x00", record) }

func stationHash(station string) uint64 { return textHash(station) }

func textHash(texts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range texts {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	return h
}

// build returns axles and kind of vehicle: the record's, else the register's.
func (e *Engine) build(v *vehicle, w *ingest.Weighing) (axles uint8, combination, single ingest.Tri) {
	axles, combination, single = w.Axles, w.Combination, w.SingleDriveAxle
	if r := e.snap.register[e.idOf(v)]; r != nil {
		if axles == 0 {
			axles = r.Axles
		}
		if combination == ingest.Unknown {
			combination = r.Combination
		}
		if single == ingest.Unknown {
			single = r.SingleDriveAxle
		}
	}
	return axles, combination, single
}

// massLimit returns the limit in kg and where it comes from; 0 where the data don't tell.
func (e *Engine) massLimit(v *vehicle, ev *ingest.Event) (limit int64, source string, permit *Permit) {
	s := &e.snap.Settings.Overload
	// Of several permits the one that covers most.
	for _, p := range e.snap.validPermits(e.idOf(v), PermitOversize, ev.Time) {
		if p.GrossKg != 0 && (permit == nil || p.GrossKg > permit.GrossKg) {
			permit = p
		}
	}
	if permit != nil {
		return int64(permit.GrossKg), "permit", permit
	}
	axles, combination, single := e.build(v, ev.Weighing)
	if axles < 2 || combination == ingest.Unknown {
		return 0, "", nil
	}
	n := min(int(axles), 6)
	if combination == ingest.Yes {
		limit = int64(s.Combination[n])
		// Where nobody knows, the driver has the benefit: two drive axles.
		if n == 6 && single == ingest.Yes {
			limit = int64(s.SingleDriveAxle)
		}
		return limit, "axles", nil
	}
	limit, source = int64(s.Truck[n]), "axles"
	if r := e.snap.register[e.idOf(v)]; n == 2 && r != nil && r.GrossLimitKg != 0 && int64(r.GrossLimitKg) < limit {
		return int64(r.GrossLimitKg), "vehicle", nil
	}
	return limit, source, nil
}

// tolerance returns the tolerance in 0.01 percent: the station's, else that of the method. Where the method is not known,
// the driver has the benefit.
func (e *Engine) tolerance(w *ingest.Weighing, station *Station) int64 {
	if station != nil && station.TolerancePct >= 0 {
		return int64(math.Round(station.TolerancePct * 100))
	}
	method := w.Method
	if method == ingest.MethodUnknown && station != nil {
		method = station.Method
	}
	if method == ingest.MethodStatic {
		return int64(math.Round(e.snap.Settings.Overload.StaticPct * 100))
	}
	return int64(math.Round(e.snap.Settings.Overload.DynamicPct * 100))
}

// fine is an estimate of the fine in yuan: a warning up to fine_free_kg, else so much for each full 1,000 kg.
func (s *OverloadSettings) fine(over int64) int64 {
	if over <= int64(s.FineFreeKg) {
		return 0
	}
	return min(over/1000*int64(s.FinePerTonne), int64(s.FineMax))
}

// parties are the four of 一超四罚 as far as they are known; who loaded the goods no weigh record says.
func (e *Engine) parties(v *vehicle, o *Violation) map[string]any {
	p := map[string]any{"vehicle": e.idOf(v).String()}
	if o.Driver != nil {
		p["driver"] = o.Driver.License
	}
	if o.Operator != nil {
		p["operator"] = *o.Operator
		if op := e.snap.operators[*o.Operator]; op != nil && op.Name != "" {
			p["operator_name"] = op.Name
		}
	}
	return p
}
