package recheck

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/ingest"
)

// Archive is what is read of the record; *store.Store has it.
type Archive interface {
	Licenses(ctx context.Context, list []store.Span) ([][]string, error)
	Histories(ctx context.Context, of []store.HistoryFilter, most int) ([][]store.ArchivedEvent, error)
	EventsOfEach(ctx context.Context, list []store.Span, lead int64, most int) (map[ingest.Vehicle][]store.ArchivedEvent, error)
	ViolationsSince(ctx context.Context, list []store.Since) (map[ingest.Vehicle][]store.Record, error)
	VisitsSince(ctx context.Context, list []store.Since) (map[ingest.Vehicle][]store.VisitRecord, error)
	SegmentsSince(ctx context.Context, list []store.Since) (map[ingest.Vehicle][]detect.DrivingSegment, error)
	CardUses(ctx context.Context, licenses []string, from, to int64) ([]store.CardUse, error)
	WeighedAt(ctx context.Context, stations []string, from, to int64) ([]store.Weighed, error)
	VehiclesAt(ctx context.Context, scenes []store.Scene, limit int) ([][]ingest.Vehicle, error)
	StopsAt(ctx context.Context, scenes []store.Scene) ([]store.Stop, error)
	DriverTotals(ctx context.Context, since int64, l store.DriverLimits) ([]store.DriverTotal, error)
}

var _ Archive = (*store.Store)(nil)

// narrowKinds are those that a weighing or an alarm that came late can touch, or others beside it.
var narrowKinds = []detect.Kind{detect.KindOverload, detect.KindHundredTonne, detect.KindOversize, detect.KindPermitMismatch, detect.KindUnmonitoredRunning,
	detect.KindWeighEvasion, detect.KindPositionConflict, detect.KindFenceStop, detect.KindDriverBehavior, detect.KindCollisionRisk}

const (
	hour = int64(time.Hour / time.Millisecond)
	// What is narrow is decided within two hours of a weighing.
	narrowContext = 6 * hour
	narrowSince   = 3 * hour
	// A station is at fault when too many vehicles contradict it within an hour, and fixes count within two hours of a weighing.
	stationWindow = hour
	fixWindow     = 2 * hour
	// Who stands in a jam has stood there for a while.
	crowdLead = hour / 2
)

// correction is what judging a vehicle again changes.
type correction struct {
	recorded    []detect.Violation
	corrections []detect.Violation
	stays       []detect.Visit
	driven      []detect.DrivingSegment
	left        int
}

// judge judges vehicles again and writes what is to be corrected. It returns those of whom all could be read, one at least.
func (q *queue) judge(ctx context.Context, batch []*request) ([]*review, error) {
	snap := q.snapshots.Current()
	if snap == nil {
		return nil, errNoSnapshot
	}
	// What is only tried is not corrected: a shadow knows nothing of what was before it, and has no end of its own when it goes.
	snap = snap.InForce()
	ctx = store.WithThreads(ctx, q.workers)
	var reading time.Duration
	begun := q.now()
	list, err := q.read(ctx, snap, batch)
	if err != nil {
		return nil, err
	}
	if err := q.readDrivers(ctx, list); err != nil {
		return nil, err
	}
	reading += q.now().Sub(begun)
	rejudge := func(list []*review) error {
		return q.sideBySide(ctx, len(list), func(i int) {
			c := list[i]
			c.violations, c.visits = detect.Rejudge(snap, c.all(), c.Clock, c.vehicle)
		})
	}
	if err := rejudge(list); err != nil {
		return nil, err
	}
	begun = q.now()
	for _, c := range list {
		c.alone = only(c.violations, isConflict)
	}
	more, err := q.readPresent(ctx, snap, list)
	if err != nil {
		return nil, err
	}
	before, err := q.readRecord(ctx, list)
	if err != nil {
		return nil, err
	}
	q.metrics.reading.Observe((reading + q.now().Sub(begun)).Seconds())
	if err := rejudge(more); err != nil {
		return nil, err
	}
	changed := q.inForceSince(snap)
	if err := q.sideBySide(ctx, len(list), func(i int) { list[i].compare(snap, before, changed) }); err != nil {
		return nil, err
	}
	if err := q.write(ctx, list); err != nil {
		return nil, err
	}
	if err := q.askDrivers(ctx, list); err != nil {
		return nil, err
	}
	return list, q.askJointly(ctx, snap, list)
}

// record is what stands of the vehicles of a batch.
type record struct {
	violations map[ingest.Vehicle][]store.Record
	visits     map[ingest.Vehicle][]store.VisitRecord
	segments   map[ingest.Vehicle][]detect.DrivingSegment
}

func (q *queue) readRecord(ctx context.Context, list []*review) (r record, err error) {
	var all, wide, driven []store.Since
	for _, c := range list {
		s := store.Since{Vehicle: c.vehicle, From: c.since}
		all = append(all, s)
		if c.Wide {
			wide = append(wide, s)
		}
		if c.drives() {
			driven = append(driven, s)
		}
	}
	if r.violations, err = q.archive.ViolationsSince(ctx, all); err != nil {
		return r, err
	}
	if r.visits, err = q.archive.VisitsSince(ctx, wide); err != nil {
		return r, err
	}
	r.segments, err = q.archive.SegmentsSince(ctx, driven)
	return r, err
}

// drives reports whether what was driven in the vehicle is corrected too.
func (c *review) drives() bool { return c.Wide && !c.Linked }

// compare finds what is to be corrected of a vehicle. changed is since when the rules and places are those of snap, Unix ms.
func (c *review) compare(snap *detect.Snapshot, before record, changed int64) {
	narrow := func(v detect.Violation) bool { return !slices.Contains(narrowKinds, v.Kind) }
	for _, o := range before.violations[c.vehicle] {
		if o.Shadow == "" && (c.Wide || !narrow(o.Violation)) {
			c.recorded = append(c.recorded, o.Violation)
		}
	}
	violations := c.violations
	if !c.Wide {
		violations = slices.DeleteFunc(violations, narrow)
	}
	// What the live engine would find is asked for only where that decides.
	live := sync.OnceValues(func() ([]detect.Violation, []detect.Visit) {
		slices.SortStableFunc(c.archived, func(a, b store.ArchivedEvent) int {
			return cmp.Or(cmp.Compare(a.Place.Offset, b.Place.Offset), cmp.Compare(a.Event.Received, b.Event.Received)) // a message holds many events
		})
		lived, visits := detect.Relive(snap, store.EventsOf(c.archived), c.Clock, c.vehicle)
		if !c.Wide {
			lived = slices.DeleteFunc(lived, narrow)
		}
		return lived, visits
	})
	version := worker.CorrectionVersion(c.Offset)
	ever := detect.Correction{Version: version, Since: c.since}
	if c.joint {
		ever.Note = detect.NoteJointly
	}
	since := ever
	since.Changed = changed
	rest := c.recorded
	if c.Papers { // they are what has changed: about their kinds they are right from ever
		onPapers := func(v detect.Violation) bool { return slices.Contains(detect.PaperKinds, v.Kind) }
		others := func(v detect.Violation) bool { return !onPapers(v) }
		c.corrections, _ = detect.Correct(only(c.recorded, onPapers), only(violations, onPapers), nil, ever)
		rest, violations = only(c.recorded, others), only(violations, others)
	}
	if c.late {
		more, left := detect.Correct(rest, violations, nil, ever)
		if slices.ContainsFunc(more, func(v detect.Violation) bool { return int64(v.Start) < changed }) {
			lived, _ := live()
			more, left = detect.Correct(rest, violations, lived, since)
		}
		c.corrections, c.left = append(c.corrections, more...), left
	}
	if c.Wide {
		var old []detect.Visit
		for _, o := range before.visits[c.vehicle] {
			old = append(old, o.Visit)
		}
		stays, left := detect.CorrectVisits(old, c.visits, nil, ever)
		// Where papers have changed they are right from ever: visits name their filing.
		if !c.Papers && slices.ContainsFunc(stays, func(v detect.Visit) bool { return int64(v.Entered) < changed }) {
			_, lived := live()
			stays, left = detect.CorrectVisits(old, c.visits, lived, since)
		}
		c.stays, c.left = stays, c.left+left
	}
	if c.drives() {
		old := before.segments[c.vehicle]
		if events := c.all(); len(old) > 0 || slices.ContainsFunc(events, putIn) {
			c.driven = detect.CorrectSegments(old, detect.RejudgeSegments(snap, events, c.vehicle), ever)
		}
	}
}

// putIn reports whether an event is a card that was put in.
func putIn(e ingest.Event) bool {
	return e.Kind == ingest.KindDriverCard && e.Driver.On && e.Driver.License != ""
}

// inForceSince returns since when, as far as this process knows, the rules and the reference data are those of a snapshot, Unix ms.
func (r *Rechecker) inForceSince(snap *detect.Snapshot) int64 {
	r.inForce.Lock()
	defer r.inForce.Unlock()
	if is := snap.Digest + " " + snap.RuleVersion; is != r.inForce.is {
		r.inForce.is, r.inForce.since = is, r.now().UnixMilli()
	}
	return r.inForce.since
}

// only returns those that are meant.
func only(list []detect.Violation, meant func(detect.Violation) bool) (out []detect.Violation) {
	for i := range list {
		if meant(list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}

// askDrivers asks for the other vehicles of the drivers, whose driving time has changed too. These ask for no further ones.
func (q *queue) askDrivers(ctx context.Context, list []*review) error {
	var asked []worker.Recheck
	for _, c := range list {
		if c.Linked {
			continue
		}
		for _, v := range c.drivers {
			asked = append(asked, worker.Recheck{Plate: v.Plate(), Color: v.Color, From: c.From, To: c.To, Wide: true, Linked: true, Why: "driver"})
		}
	}
	return q.ask(ctx, asked)
}

// count tells metrics and, where something was corrected, the log of the process what came of it.
func (q *queue) count(c *review) {
	recorded, corrections, visits := c.recorded, c.corrections, c.stays
	q.metrics.left.Add(float64(c.left))
	outcome := "right"
	known := map[string]detect.State{}
	for i := range recorded {
		known[recorded[i].ID] = recorded[i].State
	}
	counts := map[string]int{}
	for i := range corrections {
		what := "amended"
		switch old, ok := known[corrections[i].ID]; {
		case corrections[i].State == detect.StateRetracted:
			what = "retracted"
		case !ok || old == detect.StateRetracted:
			what = "added"
		}
		counts[what]++
		q.metrics.corrections.WithLabelValues(what).Inc()
	}
	q.metrics.corrections.WithLabelValues("visit").Add(float64(len(visits)))
	if len(corrections)+len(visits) > 0 {
		outcome = "corrected"
		q.logger.Info("the record was corrected, because data came late", "vehicle", c.vehicle.String(), "from", detect.Time(c.From).Std().Format(time.RFC3339),
			"to", detect.Time(c.To).Std().Format(time.RFC3339), "added", counts["added"], "amended", counts["amended"], "retracted", counts["retracted"], "visits", len(visits))
	}
	q.metrics.judged.WithLabelValues(outcome).Inc()
}
