package recheck

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/geo"
	"lushao/ingest"
)

// A batch is vehicles that are judged together: ClickHouse is asked once for each kind of data about all of them. One batch is under way in a
// process at a time, of whatever partition, so that recheck.max_positions bounds what all of them hold in memory and recheck.workers the cores
// that they take, those of ClickHouse's statements among them: the live detector keeps the others.

// batching is what the partitions of a process share.
type batching struct {
	turn chan struct{} // holds a token while a batch is under way
	size int           // vehicles to take next; whoever has the turn may change it
}

// firstBatch is how many vehicles are taken before it is known how much they have.
const firstBatch = 32

// filled is how much of recheck.max_positions a batch is meant to fill, so that few of those that are read are left for the next.
const filled = 0.8

// grown is how many vehicles to take after a batch of n that had so many events.
func (r *Rechecker) grown(n, events int) int {
	fit := 2 * n
	if events > 0 {
		fit = min(fit, int(float64(n)*filled*float64(r.cfg.MaxPositions)/float64(events)))
	}
	return min(max(fit, 1), r.cfg.Batch)
}

// review is a vehicle that is judged again.
type review struct {
	*request
	since    int64 // from when on violations are corrected, Unix ms
	archived []store.ArchivedEvent
	drivers  []ingest.Vehicle // other vehicles of the drivers
	others   []part           // of the events of others that help to judge it

	violations []detect.Violation
	visits     []detect.Visit
	correction
}

// part is the events of another vehicle in a time, which for those other than positions begins lead ms earlier.
type part struct {
	store.Span
	lead   int64
	events []store.ArchivedEvent
}

// all appends what the vehicle reported and what others did.
func (c *review) all() []ingest.Event {
	events := store.EventsOf(c.archived)
	for i := range c.others {
		p := &c.others[i]
		for j := range p.events {
			e := &p.events[j].Event
			from := p.From
			if e.Kind != ingest.KindPosition {
				from -= p.lead
			}
			if from <= e.Time && e.Time <= p.To {
				events = append(events, *e)
			}
		}
	}
	return events
}

// judgeSome judges as many of some requests as make a batch, and reports whether nothing failed. What could not be taken waits on.
func (q *queue) judgeSome(ctx context.Context, ready []*request) bool {
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	began := q.now()
	defer func() {
		q.rest(ctx, q.now().Sub(began))
		<-q.turn
	}()
	batch := ready[:1]
	if batch[0].fails == 0 { // one that failed is tried alone
		for len(batch) < min(len(ready), q.size) && ready[len(batch)].fails == 0 {
			batch = ready[:len(batch)+1]
		}
	}
	for {
		begun := q.now()
		bounded, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
		done, err := q.judge(bounded, batch)
		cancel()
		q.metrics.seconds.Observe(q.now().Sub(begun).Seconds())
		if err == nil {
			q.finish(batch, done)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if len(batch) == 1 {
			q.failed(batch[0], err)
			return false
		}
		// There may be too much of them, or one that can't be judged holds up the others.
		q.size = len(batch) / 2
		batch = batch[:q.size]
	}
}

// rest lets the live detector have the cores for a while after so much work.
func (r *Rechecker) rest(ctx context.Context, worked time.Duration) {
	if r.cfg.Share == 0 || r.cfg.Share == 1 || worked <= 0 {
		return
	}
	t := time.NewTimer(time.Duration(float64(worked) * (1/r.cfg.Share - 1)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// finish takes those that were judged out of what waits.
func (q *queue) finish(batch []*request, done []*review) {
	events := 0
	for _, c := range done {
		events += len(c.archived)
		delete(q.waiting, c.vehicle)
		q.metrics.waiting.Dec()
		q.metrics.waited.Observe(q.now().Sub(c.asked).Seconds())
		q.count(c)
	}
	q.order = slices.DeleteFunc(q.order, func(v ingest.Vehicle) bool { return q.waiting[v] == nil })
	q.tellOldest()
	q.metrics.batch.Observe(float64(len(done)))
	switch {
	case len(done) < len(batch):
		q.size = len(done)
	case len(batch) >= q.size:
		q.size = q.grown(len(batch), events)
	}
}

// failed lets one wait, longer each time.
func (q *queue) failed(r *request, err error) {
	r.fails++
	r.again = q.now().Add(min(time.Second<<min(r.fails, 9), 5*time.Minute))
	q.metrics.judged.WithLabelValues("failed").Inc()
	q.logger.Warn("a vehicle could not be judged again; trying again", "plate", r.vehicle.String(), "fails", r.fails, "at", r.again.Format(time.RFC3339), "err", err)
}

// sideBySide calls fn for the numbers from 0 to n, on as many goroutines as there are workers, until ctx ends.
func (r *Rechecker) sideBySide(ctx context.Context, n int, fn func(i int)) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(r.workers, n) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				fn(i)
				runtime.Gosched() // whoever judges live goes first
			}
		})
	}
	workers.Wait()
	return ctx.Err()
}

// read reads what the vehicles of a batch reported, of as many as may be held in memory.
func (q *queue) read(ctx context.Context, snap *detect.Snapshot, batch []*request) (list []*review, err error) {
	back, settle := make([]int64, len(batch)), make([]int64, len(batch))
	var wide []store.Span
	var ofWide []int
	span := func(i int) store.Span {
		r := batch[i]
		return store.Span{Vehicle: r.vehicle, From: r.From - back[i], To: r.Clock + hour, Before: store.Place{Partition: q.partition, Offset: r.Offset}}
	}
	for i, r := range batch {
		back[i], settle[i] = narrowContext, narrowSince
		if r.Wide {
			back[i], settle[i] = q.cfg.Context.Milliseconds(), settled.Milliseconds()
			wide, ofWide = append(wide, span(i)), append(ofWide, i)
		}
	}
	if q.cfg.SumsContext > q.cfg.Context {
		cards, err := q.archive.Licenses(ctx, wide)
		if err != nil {
			return nil, err
		}
		for n, i := range ofWide {
			if len(cards[n]) > 0 {
				back[i] = q.cfg.SumsContext.Milliseconds()
			}
		}
	}
	filters := make([]store.HistoryFilter, len(batch))
	for {
		for i, r := range batch {
			filters[i] = store.HistoryFilter{Span: span(i), Loads: snap.LoadsMatter(r.vehicle)}
		}
		histories, err := q.archive.Histories(ctx, filters, q.cfg.MaxPositions)
		if errors.Is(err, store.ErrTooMany) && len(batch) == 1 {
			if back[0] < hour/4 {
				return nil, fmt.Errorf("more than %d events since %s: raise recheck.max_positions", q.cfg.MaxPositions, detect.Time(filters[0].From).Std().Format(time.RFC3339))
			}
			q.metrics.shortened.Inc()
			back[0], settle[0] = back[0]/2, settle[0]/2
			continue
		}
		if err != nil {
			return nil, err
		}
		for i, h := range histories {
			if h != nil {
				list = append(list, &review{request: batch[i], since: batch[i].From - settle[i], archived: h})
			}
		}
		return list, nil
	}
}

// licenses lists the cards that were put in.
func licenses(events []store.ArchivedEvent) (out []string) {
	for i := range events {
		e := &events[i].Event
		if d := e.Driver; e.Kind == ingest.KindDriverCard && d.On && d.License != "" && !slices.Contains(out, d.License) {
			out = append(out, d.License)
		}
	}
	return out
}

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

// readOthers reads the parts of others' events that are not there yet, which begin in each list at a number; lead is that of all. Where they are too much for one vehicle, fewer of
// the others are taken.
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

// readCompany reads what others reported whose presence decides on what was found: a jam, a station that is at fault. It returns those of
// whom there is more to judge.
func (q *queue) readCompany(ctx context.Context, snap *detect.Snapshot, list []*review) (more []*review, err error) {
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
	conflict := func(v *detect.Violation) bool { return v.Kind == detect.KindPositionConflict && v.Station != nil }
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
