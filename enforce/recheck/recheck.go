// Package recheck corrects the record where data came late. The detector names vehicles to which something came late, in the topic
// rechecks; what they reported is read from the archive, judged again by a fresh engine in order of time, and compared with what stands:
// violations are added, amended or retracted by new records in the topic of violations. The live engine is not disturbed.
//
// Everything can be done twice: a correction has the version of the place in the log up to which the events were judged.
package recheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect/worker"
	"lushao/ingest"
	"lushao/internal/bus"
)

// Log is what is needed of the bus; *bus.Client has it.
type Log interface {
	Assign(ctx context.Context, group, topic string, shared bool, work func(ctx context.Context, a bus.Assignment) error) error
	ConsumeOrIdle(ctx context.Context, topic string, partition int, offset int64, fn func(ctx context.Context, batch []bus.Message) error, idle func(ctx context.Context) error) error
	CommittedOffsets(ctx context.Context, group, topic string) (map[int]int64, error)
	Bounds(ctx context.Context, topic string) (first, next map[int]int64, err error)
	Partitions(ctx context.Context, topic string) (int, error)
	WriteKeyed(ctx context.Context, topic string, messages ...bus.KeyedMessage) error
}

var _ Log = (*bus.Client)(nil)

// Sinks are the groups by whose offsets is seen what has reached the archive.
type Sinks struct {
	Events, Violations, Visits string // groups
}

// Rechecker judges vehicles again.
type Rechecker struct {
	cfg       Config
	log       Log
	archive   Archive
	snapshots worker.Snapshots
	sinks     Sinks
	logger    *slog.Logger
	metrics   *metrics
	now       func() time.Time
	workers   int

	batching
	longest struct { // since when vehicles wait, by partition
		sync.Mutex
		since map[int]time.Time
	}
	clock   atomic.Int64 // the greatest of the partitions' clocks that is known, Unix ms
	inForce struct {
		sync.Mutex
		is    string // digest and version of the snapshot
		since int64
	}
	partitions int // of events and rechecks
	records    int // partitions of violations and visits
}

// New makes a Rechecker that does nothing until Run.
func New(cfg Config, log Log, archive Archive, snapshots worker.Snapshots, sinks Sinks, logger *slog.Logger, reg prometheus.Registerer) (*Rechecker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Rechecker{cfg: cfg, log: log, archive: archive, snapshots: snapshots, sinks: sinks, logger: logger, now: time.Now, workers: cfg.Workers,
		batching: batching{turn: make(chan struct{}, 1), size: min(firstBatch, cfg.Batch)}}
	if r.workers == 0 {
		r.workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	r.longest.since = map[int]time.Time{}
	r.metrics = newMetrics(reg, r.oldest)
	return r, nil
}

// oldest is how long the vehicle that has waited longest does so, s.
func (r *Rechecker) oldest() float64 {
	r.longest.Lock()
	defer r.longest.Unlock()
	var longest time.Duration
	for _, since := range r.longest.since {
		longest = max(longest, r.now().Sub(since))
	}
	return longest.Seconds()
}

// Run works until ctx ends. What was asked for and not done is asked for again by the log.
func (r *Rechecker) Run(ctx context.Context) (err error) {
	if r.partitions, err = r.log.Partitions(ctx, worker.RechecksTopic); err != nil {
		return err
	}
	if r.records, err = r.log.Partitions(ctx, worker.ViolationsTopic); err != nil {
		return err
	}
	return r.log.Assign(ctx, r.cfg.Group, worker.RechecksTopic, r.cfg.Shared, func(ctx context.Context, a bus.Assignment) error {
		first, next, err := r.log.Bounds(ctx, worker.RechecksTopic)
		if err != nil {
			return orEnded(ctx, err)
		}
		committed, err := r.log.CommittedOffsets(ctx, r.cfg.Group, worker.RechecksTopic)
		if err != nil {
			return orEnded(ctx, err)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		done := make(chan error)
		for _, n := range a.Partitions {
			from, ok := committed[n]
			if !ok || from < first[n] || from > next[n] {
				from = first[n]
			}
			q := &queue{Rechecker: r, partition: n, commit: a.Commit, next: from, committed: from, waiting: map[ingest.Vehicle]*request{}}
			go func() { done <- r.log.ConsumeOrIdle(ctx, worker.RechecksTopic, n, from, q.take, q.work) }()
		}
		var watching sync.WaitGroup
		if slices.Contains(a.Partitions, 0) { // one process of all
			watching.Go(func() { r.sumDrivers(ctx) })
			watching.Go(func() { r.watchPapers(ctx) })
		}
		defer func() { cancel(nil); watching.Wait() }()
		var failed error
		for range a.Partitions {
			if err := <-done; err != nil && failed == nil {
				failed = err
				cancel(err)
			}
		}
		r.metrics.waiting.Set(0)
		r.longest.Lock()
		clear(r.longest.since)
		r.longest.Unlock()
		return failed
	})
}

func orEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// request is a vehicle that waits to be judged again.
type request struct {
	worker.Recheck
	vehicle      ingest.Vehicle
	late         bool      // something else came late than papers in files
	joint        bool      // nothing came late at all: others may decide on what was found
	offset       int64     // of the oldest message that asked for it
	archived     int64     // the archive is known to have as much as was asked for up to this Offset, and the record what was found in it
	asked, again time.Time // when it was asked for first and last; or when it is tried again
	fails        int
}

// queue is one partition of the topic. One goroutine owns it.
type queue struct {
	*Rechecker
	partition int
	commit    func(ctx context.Context, next map[int]int64) error

	next      int64 // offset to read next
	committed int64
	waiting   map[ingest.Vehicle]*request
	order     []ingest.Vehicle // of the requests, as they came
	place     worker.Recheck   // how far the partition's engine has come, at least
}

// take takes messages of the topic in.
func (q *queue) take(ctx context.Context, batch []bus.Message) error {
	now := q.now()
	for i := range batch {
		m := &batch[i]
		q.next = m.Offset + 1
		var r worker.Recheck
		if err := json.Unmarshal(m.Value, &r); err != nil {
			q.bad(m, err)
			continue
		}
		if r.Offset > q.place.Offset {
			q.place = worker.Recheck{Offset: r.Offset, Clock: r.Clock}
			q.advance(r.Clock)
		}
		if r.Plate == "" {
			continue
		}
		v, err := r.Vehicle()
		if err != nil {
			q.bad(m, err)
			continue
		}
		old := q.waiting[v]
		if old == nil {
			q.waiting[v] = &request{Recheck: r, vehicle: v, late: !r.Papers, joint: r.Why == worker.WhyJointly, offset: m.Offset, asked: now, again: now.Add(q.cfg.Quiet)}
			q.order = append(q.order, v)
			q.metrics.waiting.Inc()
			q.tellOldest()
			continue
		}
		old.merge(&r)
		old.again = min2(now.Add(q.cfg.Quiet), old.asked.Add(q.cfg.Longest))
	}
	return q.work(ctx)
}

// tellOldest keeps since when the first of the vehicles waits.
func (q *queue) tellOldest() {
	q.longest.Lock()
	defer q.longest.Unlock()
	if len(q.order) == 0 {
		delete(q.longest.since, q.partition)
		return
	}
	q.longest.since[q.partition] = q.waiting[q.order[0]].asked
}

func (q *queue) bad(m *bus.Message, err error) {
	q.metrics.bad.Inc()
	q.logger.Error("a message of the topic rechecks can't be read and is passed over", "partition", m.Partition, "offset", m.Offset, "err", err)
}

func min2(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// merge makes one request of two.
func (r *request) merge(o *worker.Recheck) {
	if o.From < r.From {
		r.From = o.From
	}
	r.To, r.Wide, r.Linked = max(r.To, o.To), r.Wide || o.Wide, r.Linked && o.Linked
	r.Papers, r.late = r.Papers || o.Papers, r.late || !o.Papers
	r.joint = r.joint && o.Why == worker.WhyJointly
	if o.Offset > r.Offset {
		r.Offset, r.Clock = o.Offset, o.Clock
	}
}

// pass is how long work may go on before the topic is read again, so that vehicles that are asked for again meanwhile count once.
const pass = 10 * time.Second

// work judges those whose time has come and whose events have reached the archive, batch by batch, and commits what is done.
func (q *queue) work(ctx context.Context) error {
	for end := q.now().Add(pass); len(q.waiting) > 0; {
		due, err := q.due(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			q.logger.Warn("what has reached the archive is not known; trying again", "partition", q.partition, "err", err)
			return nil
		}
		if len(due) == 0 {
			break
		}
		ok := q.judgeSome(ctx, due)
		if ctx.Err() != nil {
			return nil
		}
		if err := q.commitDone(ctx); err != nil {
			return err
		}
		if !ok || q.now().After(end) {
			break
		}
	}
	return q.commitDone(ctx)
}

// due returns the requests that can be worked on now, the oldest first. Of those that were found to be, all are worked on before others are
// looked at.
func (q *queue) due(ctx context.Context) (out []*request, err error) {
	now := q.now()
	var unknown []*request
	for _, v := range q.order {
		r := q.waiting[v]
		if r.Offset == 0 && q.place.Offset > 0 {
			r.Offset, r.Clock = q.place.Offset, q.place.Clock
		}
		switch {
		case r.again.After(now) || r.Offset == 0:
		case r.archived >= r.Offset:
			out = append(out, r)
		default:
			unknown = append(unknown, r)
		}
	}
	if len(out) > 0 || len(unknown) == 0 {
		return out, nil
	}
	archived, err := q.log.CommittedOffsets(ctx, q.sinks.Events, worker.EventsTopic)
	if err != nil {
		return nil, err
	}
	for _, r := range unknown {
		if archived[q.partition] >= r.Offset {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	// The engine wrote its records before it asked: when they have all reached the store, none that is to be corrected is missing. Where others
	// decide, what these reported until now must be in the archive too.
	topics := []struct{ topic, group string }{{worker.ViolationsTopic, q.sinks.Violations}, {worker.VisitsTopic, q.sinks.Visits}}
	if slices.ContainsFunc(out, func(r *request) bool { return r.joint }) {
		topics = append(topics, struct{ topic, group string }{worker.EventsTopic, q.sinks.Events})
	}
	for _, t := range topics {
		_, end, err := q.log.Bounds(ctx, t.topic)
		if err != nil {
			return nil, err
		}
		if err := q.reached(ctx, t.topic, t.group, end); err != nil {
			return nil, err
		}
	}
	for _, r := range out {
		r.archived = r.Offset
	}
	return out, nil
}

// reached waits until a group has committed as far as is said.
func (q *queue) reached(ctx context.Context, topic, group string, end map[int]int64) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		committed, err := q.log.CommittedOffsets(ctx, group, topic)
		if err != nil {
			return err
		}
		behind := false
		for p, n := range end {
			behind = behind || n > 0 && committed[p] < n
		}
		if !behind {
			return nil
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// commitDone commits all before the oldest message that is not worked off.
func (q *queue) commitDone(ctx context.Context) error {
	to := q.next
	for _, r := range q.waiting {
		to = min(to, r.offset)
	}
	if to <= q.committed {
		return nil
	}
	if err := q.commit(ctx, map[int]int64{q.partition: to}); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("recheck: commit: %w", err)
	}
	q.committed = to
	return nil
}

// ask writes which vehicles are to be judged again, in the order of the list.
func (r *Rechecker) ask(ctx context.Context, list []worker.Recheck) error {
	if len(list) == 0 {
		return nil
	}
	messages := make([]bus.KeyedMessage, len(list))
	for i := range list {
		var err error
		if messages[i], err = list[i].Message(r.partitions); err != nil {
			return err
		}
	}
	return r.log.WriteKeyed(ctx, worker.RechecksTopic, messages...)
}

var errNoSnapshot = errors.New("no reference data in force")

// write hands corrections to the log.
func (q *queue) write(ctx context.Context, list []*review) error {
	var all correction
	for _, c := range list {
		all.corrections, all.stays, all.driven = append(all.corrections, c.corrections...), append(all.stays, c.stays...), append(all.driven, c.driven...)
	}
	if err := writeRecords(ctx, q.Rechecker, worker.ViolationsTopic, all.corrections, worker.ViolationMessage); err != nil {
		return err
	}
	if err := writeRecords(ctx, q.Rechecker, worker.VisitsTopic, all.stays, worker.VisitMessage); err != nil {
		return err
	}
	return writeRecords(ctx, q.Rechecker, worker.DrivingTopic, all.driven, worker.DrivingMessage)
}

func writeRecords[T any](ctx context.Context, r *Rechecker, topic string, records []T, message func(*T, int) (bus.KeyedMessage, error)) error {
	if len(records) == 0 {
		return nil
	}
	messages := make([]bus.KeyedMessage, len(records))
	for i := range records {
		var err error
		if messages[i], err = message(&records[i], r.records); err != nil {
			return err
		}
	}
	return r.log.WriteKeyed(ctx, topic, messages...)
}
