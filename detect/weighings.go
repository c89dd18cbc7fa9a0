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
	for before, n := uint32(0), e.weighedOf(v); n != 0; {
		o := e.weighings.at(n - 1)
		next := o.next
		switch {
		case ev.Time-o.time.ms() <= yearMs:
			repeated = repeated || o.record == record
			before = n
		case before != 0:
			e.weighings.at(before - 1).next = next
			e.freeWeighed(n)
		case next != 0:
			e.lastWeighed.set(v.slot, next)
			e.freeWeighed(n)
		default:
			e.lastWeighed.drop(v.slot)
			e.freeWeighed(n)
		}
		n = next
	}
	if repeated {
		e.stats.Repeated++
		return false
	}
	e.rememberWeighed(v, weighed{record: record, station: e.stationNumber(stationHash(ev.Weighing.Station)), time: stampOf(ev.Time)})
	return true
}

// rememberWeighed makes a weighing the vehicle's last. Weighings are a list of their own, since of most vehicles there are some, and
// nothing else.
func (e *Engine) rememberWeighed(v *vehicle, o weighed) {
	o.next = e.weighedOf(v)
	n := e.freeWeighing
	if n != 0 {
		e.freeWeighing = e.weighings.at(n - 1).next
	} else {
		n = e.weighings.add() + 1
	}
	*e.weighings.at(n - 1) = o
	e.lastWeighed.set(v.slot, n)
}

// weighedOf returns the number of the vehicle's last weighing; 0 none.
func (e *Engine) weighedOf(v *vehicle) uint32 { return e.lastWeighed.get(v.slot) }

// freeWeighed makes room for another weighing: what is free is a list.
func (e *Engine) freeWeighed(n uint32) {
	*e.weighings.at(n - 1) = weighed{next: e.freeWeighing}
	e.freeWeighing = n
}

// stationNumber returns the number of a station, by its hash; weighings name stations by it.
func (e *Engine) stationNumber(hash uint64) uint32 {
	n, ok := e.stationNumbers[hash]
	if !ok {
		n = uint32(len(e.stationHashes))
		e.stationNumbers[hash] = n
		e.stationHashes = append(e.stationHashes, hash)
	}
	return n
}

func (e *Engine) writeWeighed(w *stateWriter, v *vehicle) {
	count := uint32(0)
	for n := e.weighedOf(v); n != 0; n = e.weighings.at(n - 1).next {
		count++
	}
	w.u32(count)
	for n := e.weighedOf(v); n != 0; n = e.weighings.at(n - 1).next {
		o := e.weighings.at(n - 1)
		w.u64(o.record)
		w.u64(e.stationHashes[o.station])
		w.u64(uint64(o.time.ms()))
		w.truth(o.overload)
	}
}

func (e *Engine) readWeighed(r *stateReader, v *vehicle) {
	var list []weighed
	for n := r.count(); n > 0 && r.err == nil; n-- {
		list = append(list, weighed{record: r.u64(), station: e.stationNumber(r.u64()), time: stampOf(int64(r.u64())), overload: r.truth()})
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
