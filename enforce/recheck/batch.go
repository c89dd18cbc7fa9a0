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

	alone      []detect.Violation // conflicts with stations, as they are without those of others
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
	defer func() { <-q.turn }()
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
		late := bounded.Err() != nil
		cancel()
		took := q.now().Sub(begun)
		q.metrics.seconds.Observe(took.Seconds())
		if err == nil {
			q.finish(batch, done)
			q.rest(ctx, took)
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
		q.logger.Warn("vehicles could not be judged again together; trying half of them", "vehicles", len(batch), "partition", q.partition, "err", err)
		if late { // other partitions go first
			return false
		}
		batch = batch[:q.size]
	}
}

// rest lets the live detector have the cores for a while after so much work.
func (r *Rechecker) rest(ctx context.Context, worked time.Duration) {
	if r.cfg.Share == 0 || r.cfg.Share == 1 || worked <= 0 {
		return
	}
	t := time.NewTimer(min(time.Duration(float64(worked)*(1/r.cfg.Share-1)), pass))
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
