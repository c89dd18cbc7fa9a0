package detect

import "lushao/ingest"

// PaperKinds are the kinds of violations on which papers decide: permits, filings and waybills.
var PaperKinds = []Kind{KindNoWaybill, KindUnfiledEntry, KindRouteDeviation, KindFenceExit, KindNightDriving, KindOverload, KindHundredTonne, KindOversize, KindPermitMismatch}

// PapersChanged returns the vehicles whose papers in the reference data differ between two snapshots, with the time that these papers
// cover, Unix ms: papers are valid from their start on, whenever they became known, so what was found without them is to be judged
// again. What begins after now changes nothing yet. Order is by vehicle.
func (s *Snapshot) PapersChanged(old *Snapshot, now int64) []Late {
	found := map[ingest.Vehicle]*Late{}
	differ(found, old.permits, s.permits, now, func(p *Permit) (int64, int64) { return p.Start, p.End })
	differ(found, old.filings, s.filings, now, func(f *Filing) (int64, int64) { return f.Start, f.End })
	differ(found, old.waybills, s.waybills, now, func(w *WaybillRecord) (int64, int64) { return w.Start, w.End })
	out := make([]Late, 0, len(found))
	for _, l := range found {
		out = append(out, *l)
	}
	sortLate(out)
	return out
}

// differ adds the vehicles whose papers of a kind are not the same.
func differ[P comparable](found map[ingest.Vehicle]*Late, old, now map[ingest.Vehicle][]*P, at int64, validity func(*P) (start, end int64)) {
	add := func(v ingest.Vehicle, p *P) {
		start, end := validity(p)
		if start >= at {
			return
		}
		if end == 0 || end > at {
			end = at
		}
		l := found[v]
		if l == nil {
			l = &Late{Vehicle: v, From: start, To: end, Wide: true}
			found[v] = l
		}
		l.From, l.To = min(l.From, start), max(l.To, end)
	}
	missing := func(from, in []*P, v ingest.Vehicle) {
		for _, p := range from {
			there := false
			for _, o := range in {
				there = there || *o == *p
			}
			if !there {
				add(v, p)
			}
		}
	}
	for v, list := range now {
		missing(list, old[v], v)
	}
	for v, list := range old {
		missing(list, now[v], v)
	}
}
