package detect

import (
	"encoding/hex"
	"math"
	"slices"

	"lushao/ingest"
)

// What the rules about weighings share: which weighing is a new one, what a permit allows, and the record of a violation
// that a weighing proves.

// admitWeighing remembers a weighing, and reports whether it is a new one: of a station's record number the first stands.
func (e *Engine) admitWeighing(v *vehicle, ev *ingest.Event) bool {
	record := recordHash(ev.Weighing.Station, ev.Weighing.Record)
	repeated := false
	for at := &v.weighed; *at != 0; {
		n := *at
		o := &e.weighings[n-1]
		if ev.Time-o.time > yearMs {
			*at = o.next
			*o = weighed{}
			e.freeWeighings = append(e.freeWeighings, n)
			continue
		}
		repeated = repeated || o.record == record
		at = &o.next
	}
	if repeated {
		e.stats.Repeated++
		return false
	}
	e.rememberWeighed(v, weighed{record: record, station: stationHash(ev.Weighing.Station), time: ev.Time})
	return true
}

// rememberWeighed makes a weighing the vehicle's last. Weighings are a list of their own, since of most vehicles there are some, and
// nothing else.
func (e *Engine) rememberWeighed(v *vehicle, o weighed) {
	o.next = v.weighed
	if k := len(e.freeWeighings); k > 0 {
		v.weighed = e.freeWeighings[k-1]
		e.freeWeighings = e.freeWeighings[:k-1]
		e.weighings[v.weighed-1] = o
		return
	}
	e.weighings = append(e.weighings, o)
	v.weighed = uint32(len(e.weighings))
}

func (e *Engine) writeWeighed(w *stateWriter, v *vehicle) {
	count := uint32(0)
	for n := v.weighed; n != 0; n = e.weighings[n-1].next {
		count++
	}
	w.u32(count)
	for n := v.weighed; n != 0; n = e.weighings[n-1].next {
		o := &e.weighings[n-1]
		w.u64(o.record)
		w.u64(o.station)
		w.u64(uint64(o.time))
		w.truth(o.overload)
	}
}

func (e *Engine) readWeighed(r *stateReader, v *vehicle) {
	var list []weighed
	for n := r.count(); n > 0 && r.err == nil; n-- {
		list = append(list, weighed{record: r.u64(), station: r.u64(), time: int64(r.u64()), overload: r.truth()})
	}
	for _, o := range slices.Backward(list) {
		e.rememberWeighed(v, o)
	}
}

// beginWeighing makes the record of a violation that a weighing proves, but for what its kind adds. It is over at once.
func (e *Engine) beginWeighing(v *vehicle, kind Kind, ev *ingest.Event) *Violation {
	w := ev.Weighing
	at := span{start: ev.Time, driver: v.driver}
	o := e.begin(v, kind, &at, w.Station+"\x00"+w.Record)
	o.State = StateClosed
	o.End = ptr(Time(ev.Time))
	lat, lon := w.Lat, w.Lon
	if s := e.snap.stations[w.Station]; s != nil && (s.Lat != 0 || s.Lon != 0) {
		lat, lon = s.Lat, s.Lon
	}
	if lat != 0 || lon != 0 {
		o.StartLat, o.StartLon, o.EndLat, o.EndLon = degrees(lat), degrees(lon), degrees(lat), degrees(lon)
	}
	o.Station = ptr(w.Station) // the event's own field is used again
	hash := weighingEvidence(ev)
	o.EvidenceHash = hex.EncodeToString(hash[:])
	o.Detail["record"] = w.Record
	o.Detail["parties"] = e.parties(v, o)
	if axles, _, _ := e.build(v, w); axles != 0 {
		o.Detail["axles"] = axles
	}
	if w.Method != ingest.MethodUnknown {
		o.Detail["method"] = w.Method.String()
	}
	return o
}

// massOver reports whether a mass is over a limit by more than the tolerance, which is in 0.01 percent: in 1e-4, so that a
// tolerance with two decimals is exact.
func massOver(gross, limit, tolerance int64) bool { return gross*10000 > limit*(10000+tolerance) }

// coversMass reports whether a permit allows a mass; one without a mass does not limit it.
func (p *Permit) coversMass(gross, tolerance int64) bool {
	return p.GrossKg == 0 || !massOver(gross, int64(p.GrossKg), tolerance)
}

// dimension is one of the three of a vehicle's outline, in mm.
type dimension struct {
	name      string
	measured  int64 // 0 unknown
	limit     int64
	tolerance int64
}

// over is by how much the dimension exceeds its limit; 0 where it does not by more than the tolerance.
func (d *dimension) over() int64 {
	if d.measured-d.limit > d.tolerance {
		return d.measured - d.limit
	}
	return 0
}

// outline returns what was measured of a vehicle's outline, with the limits of the regulation and the tolerance of the station: its
// own for all three, else the settings'.
func (e *Engine) outline(w *ingest.Weighing) [3]dimension {
	s := &e.snap.Settings.Oversize
	t, high := int64(s.ToleranceMm), int64(s.HeightToleranceMm)
	if st := e.snap.stations[w.Station]; st != nil && st.SizeToleranceMm >= 0 {
		t, high = int64(st.SizeToleranceMm), int64(st.SizeToleranceMm)
	}
	return [3]dimension{
		{"length", int64(w.LengthMm), int64(s.LengthMm), t},
		{"width", int64(w.WidthMm), int64(s.WidthMm), t},
		{"height", int64(w.HeightMm), int64(s.HeightMm), high},
	}
}

// permitted returns the outline with the limits of a permit instead of the regulation's; what it does not name is not limited.
func (p *Permit) permitted(o [3]dimension) [3]dimension {
	for i, mm := range [3]uint32{p.LengthMm, p.WidthMm, p.HeightMm} {
		o[i].limit = int64(mm)
		if mm == 0 {
			o[i].limit = math.MaxUint32
		}
	}
	return o
}
