package detect

import (
	"strings"

	"lushao/ingest"
)

// Unfiled entry (外籍危货车辆未备案入境): a hazmat vehicle of another region enters a jurisdiction without a valid filing. It ends
// when the vehicle leaves, or a filing becomes valid. The stay itself is a visit, filed or not. Basis: 岳阳市云溪区工作要点 十一.
var unfiledEntryRule = insideRule{
	enabled: func(s *Settings) bool { return s.UnfiledEntry.Enabled },
	visit:   true,
	means: func(e *Engine, v *vehicle, fc *fence) bool {
		r := e.snap.register[e.idOf(v)]
		// Where the home of the vehicle or the fence's region is not known, nobody can say that it is a visitor; nor where only the
		// city of a vehicle is known and the fence is one of its districts.
		return r != nil && r.Class == ClassHazmat && r.Region != "" && fc.Region != "" && !regionHolds(fc.Region, r.Region) && !regionHolds(r.Region, fc.Region)
	},
	opens: func(e *Engine, v *vehicle, fc *fence, c *fenceCase) (now, never bool) {
		filed := e.filedWhileEntering(v, fc, c)
		return !filed, filed
	},
	ends: func(e *Engine, v *vehicle, fc *fence, c *fenceCase, now int64) int64 {
		var first int64
		for _, f := range e.snap.filings[e.idOf(v)] {
			if f.covers(fc.Region) && f.Start > c.span.start && f.Start <= now && (f.End == 0 || f.Start < f.End) && (first == 0 || f.Start < first) {
				first = f.Start
			}
		}
		return first
	},
	record: func(e *Engine, v *vehicle, c *fenceCase, _ *fence, id string, state State, at tally, notes []string) {
		o := e.recordInside(v, KindUnfiledEntry, c, id)
		o.Basis = []string{"plan-yunxi-filing"}
		e.finish(o, state, &c.span, at, notes)
	},
}

// filedWhileEntering reports whether a filing is valid at any moment of the entry, from the first fix inside to the one that
// proves it.
func (e *Engine) filedWhileEntering(v *vehicle, fc *fence, c *fenceCase) bool {
	for _, f := range e.snap.filings[e.idOf(v)] {
		if f.covers(fc.Region) && f.Start <= c.span.held.time && (f.End == 0 || c.span.start < f.End && f.Start < f.End) {
			return true
		}
	}
	return false
}

// filed returns the vehicle's filing for a region that is valid at t; of several the one with the least number.
func (s *Snapshot) filed(v ingest.Vehicle, region string, t int64) *Filing {
	var found *Filing
	for _, f := range s.filings[v] {
		if f.covers(region) && f.Start <= t && (f.End == 0 || t < f.End) && (found == nil || f.Number < found.Number) {
			found = f
		}
	}
	return found
}

// covers reports whether the filing is good for a region; one that names none is good for all.
func (f *Filing) covers(region string) bool { return f.Region == "" || regionHolds(f.Region, region) }

// regionHolds reports whether a region of GB/T 2260 is, or holds, another: 140500 (the city) holds 140502 (a district of it).
func regionHolds(region, part string) bool {
	prefix := region
	for len(prefix) > 2 && strings.HasSuffix(prefix, "00") {
		prefix = prefix[:len(prefix)-2]
	}
	return strings.HasPrefix(part, prefix)
}
