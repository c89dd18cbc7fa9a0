package recheck

import (
	"context"
	"errors"
	"slices"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/geo"
	"lushao/ingest"
)

// What others reported decides on some of what a vehicle did: its drivers' other vehicles, who stood around it, who was weighed where it was.

// readDrivers reads what the other vehicles of the vehicles' drivers reported.
func (q *queue) readDrivers(ctx context.Context, list []*review) error {
	if q.cfg.MaxOthers == 0 {
		return nil
	}
	cards := make([][]string, len(list))
	var all []string
	var from, to int64
	begin := func(c *review) int64 { return c.From - q.cfg.SumsContext.Milliseconds() }
	for i, c := range list {
		if !c.Wide {
			continue
		}
		if cards[i] = licenses(c.archived); len(cards[i]) == 0 {
			continue
		}
		if len(all) == 0 {
			from, to = begin(c), c.Clock
		}
		from, to = min(from, begin(c)), max(to, c.Clock)
		all = append(all, cards[i]...)
	}
	slices.Sort(all)
	uses, err := q.archive.CardUses(ctx, slices.Compact(all), from, to)
	if err != nil || len(uses) == 0 {
		return err
	}
	by := map[string][]store.CardUse{} // each in the order of vehicles
	for _, u := range uses {
		by[u.License] = append(by[u.License], u)
	}
	for i, c := range list {
		var found []ingest.Vehicle
		for _, license := range cards[i] {
			for _, u := range by[license] {
				if u.At >= begin(c) && u.At <= c.Clock && u.Vehicle != c.vehicle && !slices.Contains(found, u.Vehicle) {
					found = append(found, u.Vehicle)
				}
			}
		}
		slices.SortFunc(found, func(a, b ingest.Vehicle) int { return a.Compare(&b) })
		c.drivers = found[:min(len(found), q.cfg.MaxOthers)]
		for _, v := range c.drivers {
			c.others = append(c.others, part{Span: store.Span{Vehicle: v, From: begin(c), To: c.Clock + hour}, lead: 24 * hour})
		}
	}
	return q.readOthers(ctx, list, 24*hour, make([]int, len(list)))
}

// readOthers reads the parts of others' events that are not there yet, which begin in each list at a number; lead is that of all. Where they
// are too much for one vehicle, fewer of the others are taken.
func (q *queue) readOthers(ctx context.Context, list []*review, lead int64, begin []int) error {
	for {
		spans := map[ingest.Vehicle]int{}
		var asked []store.Span
		for i, c := range list {
			for _, p := range c.others[begin[i]:] {
				n, ok := spans[p.Vehicle]
				if !ok {
					n = len(asked)
					spans[p.Vehicle] = n
					asked = append(asked, p.Span)
				}
				asked[n].From, asked[n].To = min(asked[n].From, p.From), max(asked[n].To, p.To)
			}
		}
		if len(asked) == 0 {
			return nil
		}
		events, err := q.archive.EventsOfEach(ctx, asked, lead, q.cfg.MaxPositions)
		if errors.Is(err, store.ErrTooMany) && len(list) == 1 {
			q.metrics.shortened.Inc()
			c := list[0]
			c.others = c.others[:begin[0]+(len(c.others)-begin[0])/2]
			continue
		}
		if err != nil {
			return err
		}
		for i, c := range list {
			for n := begin[i]; n < len(c.others); n++ {
				c.others[n].events = events[c.others[n].Vehicle]
			}
		}
		return nil
	}
}

// readPresent reads what others reported whose presence decides on what was found: a jam, a station that is at fault. It returns those of
// whom there is more to judge.
func (q *queue) readPresent(ctx context.Context, snap *detect.Snapshot, list []*review) (more []*review, err error) {
	if q.cfg.MaxOthers == 0 {
		return nil, nil
	}
	var scenes []store.Scene
	var stations []string
	var from, to int64
	each := func(fn func(c *review, i int, v *detect.Violation)) {
		for i, c := range list {
			for n := range c.violations {
				if v := &c.violations[n]; int64(v.Start) >= c.since {
					fn(c, i, v)
				}
			}
		}
	}
	stop := func(v *detect.Violation) bool {
		return v.Kind == detect.KindFenceStop && v.StartLat != nil && v.StartLon != nil
	}
	conflict := func(v *detect.Violation) bool { return isConflict(*v) }
	each(func(c *review, _ int, v *detect.Violation) {
		switch start := int64(v.Start); {
		case stop(v):
			end := c.Clock
			if v.End != nil {
				end = int64(*v.End)
			}
			scenes = append(scenes, store.Scene{Box: around(*v.StartLat, *v.StartLon, 2*snap.Settings.FenceStop.CrowdRadius), From: start - crowdLead, To: end})
		case conflict(v):
			if len(stations) == 0 {
				from, to = start-stationWindow, start+stationWindow
			}
			from, to = min(from, start-stationWindow), max(to, start+stationWindow)
			if !slices.Contains(stations, *v.Station) {
				stations = append(stations, *v.Station)
			}
		}
	})
	if len(scenes)+len(stations) == 0 {
		return nil, nil
	}
	near, err := q.archive.VehiclesAt(ctx, scenes, q.cfg.MaxOthers)
	if err != nil {
		return nil, err
	}
	weighed, err := q.archive.WeighedAt(ctx, stations, from, to)
	if err != nil {
		return nil, err
	}
	begin := make([]int, len(list))
	seen := make([]map[ingest.Vehicle]bool, len(list))
	for i, c := range list {
		begin[i], seen[i] = len(c.others), map[ingest.Vehicle]bool{c.vehicle: true}
	}
	scene := 0
	each(func(c *review, i int, v *detect.Violation) {
		var found []ingest.Vehicle
		var of store.Span
		switch start := int64(v.Start); {
		case stop(v):
			found, of = near[scene], store.Span{From: scenes[scene].From, To: scenes[scene].To}
			scene++
		case conflict(v):
			for _, w := range weighed {
				if w.Station == *v.Station && w.At >= start-stationWindow && w.At <= start+stationWindow && !slices.Contains(found, w.Vehicle) {
					found = append(found, w.Vehicle)
				}
			}
			of = store.Span{From: start - stationWindow - fixWindow, To: start + stationWindow + fixWindow}
		}
		taken := 0
		for _, w := range found {
			if seen[i][w] || taken == q.cfg.MaxOthers {
				continue
			}
			taken++
			seen[i][w] = true
			of.Vehicle = w
			c.others = append(c.others, part{Span: of})
		}
	})
	if err := q.readOthers(ctx, list, 0, begin); err != nil {
		return nil, err
	}
	for i, c := range list {
		if len(c.others) > begin[i] {
			more = append(more, c)
		}
	}
	return more, nil
}

// around is a box that holds a circle, in m.
func around(lat, lon, radius float64) store.Box {
	at := geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)}
	dLat := int32(radius / 0.11) // a degree has at least 110.5 km from south to north
	dLon := 2 * dLat             // and more than half as much from west to east as far north as the country goes
	return store.Box{MinLat: at.Lat - dLat, MaxLat: at.Lat + dLat, MinLon: at.Lon - dLon, MaxLon: at.Lon + dLon}
}
