package superior

import (
	"lushao/ingest"
	"lushao/ingest/jt809"
)

// maxCache bounds the vehicles that a link finds without a lock.
const maxCache = 1 << 16

// vehicle finds the vehicle of the message at hand; nil where the plate can't be one.
func (w *worker) vehicle() *vehicle {
	key := w.env.Key()
	if v := w.cache[key]; v != nil {
		return v
	}
	v := w.p.vehicles.at(&w.env, w.p.s.partitions)
	if v == nil {
		return nil
	}
	if w.cache == nil || len(w.cache) >= maxCache {
		w.cache = map[[22]byte]*vehicle{}
	}
	w.cache[key] = v
	return v
}

// position takes 0x1202 and 0x1203, and 0x9202 and 0x9203 from who sends these. It allocates nothing.
func (w *worker) position(ed jt809.Edition) error {
	v := w.vehicle()
	if v == nil {
		w.refuse(refusedVehicle, 1)
		return nil
	}
	if err := w.reader.Reset(w.env.Sub, w.env.Data, ed); err != nil {
		w.refuse(refusedMalformed, 1)
		return nil
	}
	e := &w.event
	e.Vehicle, e.Received = v.Vehicle, w.received
	for {
		ok, err := w.reader.Next(e)
		if err != nil {
			w.refuse(refusedMalformed, 1)
		}
		if !ok {
			break
		}
		if err != nil {
			continue
		}
		if e.Time == 0 {
			w.refuse(refusedNoDate, 1)
			continue
		}
		w.n++
		if e.Flags&ingest.FlagBackfill != 0 {
			w.late++
			w.p.backfilled(e.Time)
		}
		if w.p.s.watches.any.Load() {
			w.p.s.watches.pass(w.p, e)
		}
		if err := w.add(e, v.partition); err != nil {
			return err
		}
	}
	v.seen.Store(w.received)
	return nil
}

// refuse counts positions, or messages, that were not taken.
func (w *worker) refuse(why string, n uint64) {
	w.bad += n
	w.p.metrics.refused[why].Add(float64(n))
}
