package recheck

import (
	"context"
	"slices"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/geo"
	"lushao/ingest"
)

// Vehicles decide on each other: more than a few that stand together make a jam, and more than a few that contradict a station show that it is
// at fault. So what is found of one vehicle, or what came late of it, can change what stands of others.

func isConflict(v detect.Violation) bool {
	return v.Kind == detect.KindPositionConflict && v.Station != nil
}

// askJointly asks for the other vehicles whose record may not stand because of those that were judged. These ask for no further ones.
func (q *queue) askJointly(ctx context.Context, snap *detect.Snapshot, list []*review) error {
	if q.cfg.MaxOthers == 0 {
		return nil
	}
	asks := map[ingest.Vehicle]worker.Recheck{}
	ask := func(v ingest.Vehicle, start int64) {
		r, ok := asks[v]
		if !ok {
			r = worker.Recheck{Plate: v.Plate(), Color: v.Color, From: start, To: start, Linked: true, Why: worker.WhyJointly}
		}
		r.From, r.To = min(r.From, start), max(r.To, start)
		asks[v] = r
	}
	if err := q.stationsAtFault(ctx, list, ask); err != nil {
		return err
	}
	if err := q.jams(ctx, snap, list, ask); err != nil {
		return err
	}
	vehicles := make([]ingest.Vehicle, 0, len(asks))
	for v := range asks {
		vehicles = append(vehicles, v)
	}
	slices.SortFunc(vehicles, func(a, b ingest.Vehicle) int { return a.Compare(&b) })
	asked := make([]worker.Recheck, len(vehicles))
	for i, v := range vehicles {
		asked[i] = asks[v]
	}
	return q.ask(ctx, asked)
}

// stationsAtFault asks for those who still stand accused of being in conflict with a station that was found to be at fault: one that is in
// conflict with it is not held against the vehicle any more, because of others.
func (q *queue) stationsAtFault(ctx context.Context, list []*review, ask func(v ingest.Vehicle, start int64)) error {
	type fault struct {
		station  string
		from, to int64
	}
	faults := map[ingest.Vehicle][]fault{} // by those who were weighed there too
	for _, c := range list {
		if c.Linked {
			continue
		}
		for i := range c.alone {
			v := &c.alone[i]
			if slices.ContainsFunc(c.violations, func(o detect.Violation) bool { return o.ID == v.ID }) {
				continue
			}
			f := fault{*v.Station, int64(v.Start) - stationWindow, int64(v.Start) + stationWindow}
			for n := range c.others {
				o := &c.others[n]
				if !slices.Contains(faults[o.Vehicle], f) {
					faults[o.Vehicle] = append(faults[o.Vehicle], f)
				}
			}
		}
	}
	var since []store.Since
	for v, of := range faults {
		s := store.Since{Vehicle: v, From: of[0].from}
		for _, f := range of {
			s.From = min(s.From, f.from)
		}
		since = append(since, s)
	}
	stands, err := q.archive.ViolationsSince(ctx, since)
	if err != nil {
		return err
	}
	for v, records := range stands {
		for i := range records {
			o := &records[i].Violation
			if o.Shadow != "" || o.State == detect.StateRetracted || !isConflict(*o) {
				continue
			}
			if slices.ContainsFunc(faults[v], func(f fault) bool {
				return f.station == *o.Station && int64(o.Start) >= f.from && int64(o.Start) <= f.to
			}) {
				ask(v, int64(o.Start))
			}
		}
	}
	return nil
}

// maxScenes bounds the places at which one vehicle is looked for others.
const maxScenes = 8

// jams asks for those who are blamed for stopping where one of the vehicles stood too, as only what came late of it shows.
func (q *queue) jams(ctx context.Context, snap *detect.Snapshot, list []*review, ask func(v ingest.Vehicle, start int64)) error {
	var scenes []store.Scene
	judged := map[ingest.Vehicle]bool{}
	for _, c := range list {
		judged[c.vehicle] = true // with all that is archived
		if c.Wide && c.late && !c.Linked {
			scenes = append(scenes, c.stood(snap)...)
		}
	}
	stops, err := q.archive.StopsAt(ctx, scenes)
	if err != nil {
		return err
	}
	for _, s := range stops {
		if !judged[s.Vehicle] {
			ask(s.Vehicle, s.Start)
		}
	}
	return nil
}

// stood returns where and when the vehicle stood near fences in which stopping is forbidden, in the time of what came late.
func (c *review) stood(snap *detect.Snapshot) (out []store.Scene) {
	radius := snap.Settings.FenceStop.CrowdRadius
	silent := int64(snap.Settings.FenceStop.CrowdSilentS) * 1000
	var at geo.Point // of the last scene
	for i := range c.archived {
		e := &c.archived[i].Event
		if e.Time < c.From || e.Time > c.To || !snap.StandsWhereForbidden(e) {
			continue
		}
		p := geo.Point{Lat: e.Position.Lat, Lon: e.Position.Lon}
		if n := len(out); n > 0 && geo.Distance(at, p) <= radius {
			s := &out[n-1]
			s.From, s.To = min(s.From, e.Time-silent), max(s.To, e.Time+silent)
			continue
		}
		if len(out) == maxScenes {
			break
		}
		at = p
		out = append(out, store.Scene{Box: around(float64(p.Lat)/1e6, float64(p.Lon)/1e6, 2*radius), From: e.Time - silent, To: e.Time + silent})
	}
	return out
}
