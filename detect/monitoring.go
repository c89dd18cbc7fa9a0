package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"lushao/geo"
	"lushao/ingest"
)

// What the rules about monitoring share: who must be monitored, where nothing can be received, and the record of a violation
// that is proved by a weighing and by what positions there are, or are not, around it.

// monitored reports whether the vehicle must be monitored all the time.
func (e *Engine) monitored(v *vehicle) bool { return e.snap.monitored.Has(v.class) }

// blindAt reports whether a place lies in a fence in which nothing can be received.
func (e *Engine) blindAt(v *vehicle, p geo.Point, t int64) bool {
	e.near = e.snap.index.Lookup(p, e.near[:0])
	return e.blindAmong(v, e.near, t)
}

// blindAmong reports whether one of the fences around a place is such a fence.
func (e *Engine) blindAmong(v *vehicle, hits []int32, t int64) bool {
	return slices.ContainsFunc(hits, func(n int32) bool {
		fc := &e.snap.fences[n]
		return fc.Kind == FenceBlind && fc.applies(e, v) && fc.inForceAt(t)
	})
}

// admitted shows a fix to the rules that must know when it was received, or can't wait until it is judged; what is in the vehicle is
// still of the fix before.
func (e *Engine) admitted(v *vehicle, f *fix, received int64) {
	goneDarkAdmitted(e, v, f, received)
	offlineAdmitted(e, v, f, received)
	if v.side != 0 && len(e.sides[v.side-1].conflicts) > 0 {
		conflictAdmitted(e, v, f)
	}
}

// weighedAt is what is kept of a weighing that can't be judged yet.
type weighedAt struct {
	station, record string
	time            int64
	lat, lon        int32 // of the station; both 0 unknown
	driver          uint32
	evidence        [sha256.Size]byte
}

// credible reports whether the station's clock can be believed: by the gate's first test.
func (e *Engine) credible(ev *ingest.Event) bool { return e.snap.gate.believes(ev) }

func (e *Engine) weighedAt(v *vehicle, ev *ingest.Event) weighedAt {
	w := ev.Weighing
	o := weighedAt{station: w.Station, record: w.Record, time: ev.Time, lat: w.Lat, lon: w.Lon, driver: v.driver, evidence: weighingEvidence(ev)}
	if s := e.snap.stations[w.Station]; s != nil && (s.Lat != 0 || s.Lon != 0) {
		o.lat, o.lon = s.Lat, s.Lon
	}
	return o
}

func (w *weighedAt) placed() bool     { return w.lat != 0 || w.lon != 0 }
func (w *weighedAt) point() geo.Point { return geo.Point{Lat: w.lat, Lon: w.lon} }

// beginWeighed makes the record of a violation that a weighing proves, but for what its kind adds.
func (e *Engine) beginWeighed(v *vehicle, kind Kind, w *weighedAt, state State) *Violation {
	at := span{start: w.time, driver: w.driver}
	o := e.begin(v, kind, &at, w.station+"\x00"+w.record)
	o.State, o.End = state, ptr(Time(w.time))
	if w.placed() {
		o.StartLat, o.StartLon, o.EndLat, o.EndLon = degrees(w.lat), degrees(w.lon), degrees(w.lat), degrees(w.lon)
	}
	o.Station = ptr(w.station)
	o.EvidenceHash = hex.EncodeToString(w.evidence[:])
	o.Detail["record"] = w.record
	return o
}

func (e *Engine) writeWeighedAt(w *stateWriter, c *weighedAt) {
	w.text(c.station)
	w.text(c.record)
	w.u64(uint64(c.time))
	w.u32(uint32(c.lat))
	w.u32(uint32(c.lon))
	e.writeDriver(w, c.driver)
	w.b = append(w.b, c.evidence[:]...)
}

func (e *Engine) readWeighedAt(r *stateReader) (c weighedAt) {
	c.station, c.record, c.time = r.text(), r.text(), int64(r.u64())
	c.lat, c.lon = int32(r.u32()), int32(r.u32())
	c.driver = e.readDriver(r)
	copy(c.evidence[:], r.take(len(c.evidence)))
	return c
}

func (w *stateWriter) mark(m *mark) {
	w.u64(uint64(m.time))
	w.u32(uint32(m.lat))
	w.u32(uint32(m.lon))
	w.u16(m.speed)
}

func (r *stateReader) mark() mark {
	return mark{int64(r.u64()), int32(r.u32()), int32(r.u32()), r.u16()}
}
