package recheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/geo"
	"lushao/ingest"
	"lushao/internal/bus"
)

// Archive is what is read of the record; *store.Store has it.
type Archive interface {
	History(ctx context.Context, f store.HistoryFilter) ([]store.ArchivedEvent, error)
	Events(ctx context.Context, f store.EventsFilter, fn func(e *ingest.Event) error) error
	VehicleViolations(ctx context.Context, v ingest.Vehicle, since int64) ([]store.Record, error)
	VehicleVisits(ctx context.Context, v ingest.Vehicle, since int64) ([]store.VisitRecord, error)
	CardVehicles(ctx context.Context, licenses []string, from, to int64) ([]ingest.Vehicle, error)
	WeighedVehicles(ctx context.Context, station string, from, to int64) ([]ingest.Vehicle, error)
	VehicleSegments(ctx context.Context, v ingest.Vehicle, since int64) ([]detect.DrivingSegment, error)
	DriverTotals(ctx context.Context, since int64, l store.DriverLimits) ([]store.DriverTotal, error)
	VehiclesIn(ctx context.Context, boxes []store.Box, from, to int64, limit int) ([]store.Presence, uint64, error)
}

var _ Archive = (*store.Store)(nil)

// narrowKinds are those that a weighing or an alarm that came late can touch.
var narrowKinds = []detect.Kind{detect.KindOverload, detect.KindHundredTonne, detect.KindOversize, detect.KindPermitMismatch, detect.KindUnmonitoredRunning,
	detect.KindWeighEvasion, detect.KindPositionConflict, detect.KindDriverBehavior, detect.KindCollisionRisk}

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

// judge judges one vehicle again and writes what is to be corrected.
func (q *queue) judge(ctx context.Context, r *request) error {
	snap := q.snapshots.Current()
	if snap == nil {
		return errNoSnapshot
	}
	// What is only tried is not corrected: a shadow knows nothing of what was before it, and has no end of its own when it goes.
	snap = snap.InForce()
	archived, since, err := q.history(ctx, r)
	if err != nil {
		return err
	}
	events := store.EventsOf(archived)
	slices.SortStableFunc(archived, func(a, b store.ArchivedEvent) int {
		return cmp.Or(cmp.Compare(a.Place.Offset, b.Place.Offset), cmp.Compare(a.Event.Received, b.Event.Received)) // a message holds many events
	})
	lived, livedVisits := detect.Relive(snap, store.EventsOf(archived), r.Clock, r.vehicle)
	others, theirs, err := q.driversVehicles(ctx, r, events)
	if err != nil {
		return err
	}
	events = append(events, theirs...)
	violations, visits := detect.Rejudge(snap, events, r.Clock, r.vehicle)
	more, err := q.company(ctx, violations, since, r)
	if err != nil {
		return err
	}
	if len(more) > 0 {
		events = append(events, more...)
		violations, visits = detect.Rejudge(snap, events, r.Clock, r.vehicle)
	}
	records, err := q.archive.VehicleViolations(ctx, r.vehicle, since)
	if err != nil {
		return err
	}
	recorded := make([]detect.Violation, 0, len(records))
	for i := range records {
		if records[i].Shadow == "" {
			recorded = append(recorded, records[i].Violation)
		}
	}
	if !r.Wide {
		narrow := func(v detect.Violation) bool { return !slices.Contains(narrowKinds, v.Kind) }
		recorded, violations, lived = slices.DeleteFunc(recorded, narrow), slices.DeleteFunc(violations, narrow), slices.DeleteFunc(lived, narrow)
	}
	version := worker.CorrectionVersion(r.Offset)
	c := detect.Correction{Version: version, Since: since, Changed: q.inForceSince(snap)}
	var corrections []detect.Violation
	rest, left := recorded, 0
	if r.Papers { // they are what has changed: about their kinds they are right from ever
		onPapers := func(v detect.Violation) bool { return slices.Contains(detect.PaperKinds, v.Kind) }
		others := func(v detect.Violation) bool { return !onPapers(v) }
		ever := c
		ever.Changed = 0
		corrections, _ = detect.Correct(only(recorded, onPapers), only(violations, onPapers), nil, ever)
		rest, violations = only(recorded, others), only(violations, others)
		c = ever // also of visits, which name their filing
	}
	if r.late {
		of := c
		of.Changed = q.inForceSince(snap)
		more, n := detect.Correct(rest, violations, lived, of)
		corrections, left = append(corrections, more...), n
	}
	var stays []detect.Visit
	if r.Wide {
		old, err := q.archive.VehicleVisits(ctx, r.vehicle, since)
		if err != nil {
			return err
		}
		before := make([]detect.Visit, len(old))
		for i := range old {
			before[i] = old[i].Visit
		}
		var n int
		stays, n = detect.CorrectVisits(before, visits, livedVisits, c)
		left += n
	}
	q.metrics.left.Add(float64(left))
	var driven []detect.DrivingSegment
	if r.Wide && !r.Linked {
		if driven, err = q.segments(ctx, snap, events, since, version, r); err != nil {
			return err
		}
	}
	if err := q.write(ctx, corrections, stays, driven); err != nil {
		return err
	}
	if err := q.askOthers(ctx, r, others); err != nil {
		return err
	}
	q.count(r, recorded, corrections, stays)
	return nil
}

// segments returns what is to be corrected of what was driven in the vehicle, where drivers have cards.
func (q *queue) segments(ctx context.Context, snap *detect.Snapshot, events []ingest.Event, since int64, version uint64, r *request) ([]detect.DrivingSegment, error) {
	before, err := q.archive.VehicleSegments(ctx, r.vehicle, since)
	if err != nil || len(before) == 0 && len(licenses(events)) == 0 {
		return nil, err
	}
	return detect.CorrectSegments(before, detect.RejudgeSegments(snap, events, r.vehicle), detect.Correction{Version: version, Since: since}), nil
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

// history reads what the vehicle reported. since is from when on violations can be corrected by it.
func (q *queue) history(ctx context.Context, r *request) (events []store.ArchivedEvent, since int64, err error) {
	f := store.HistoryFilter{Vehicle: r.vehicle, To: r.Clock + hour, Before: store.Place{Partition: q.partition, Offset: r.Offset}, MaxPositions: q.cfg.MaxPositions}
	back, settle := narrowContext, narrowSince
	if r.Wide {
		back, settle = q.cfg.Context.Milliseconds(), settled.Milliseconds()
	}
	read := func() error {
		for {
			f.From = r.From - back
			events, err = q.archive.History(ctx, f)
			if !errors.Is(err, store.ErrTooMany) {
				return err
			}
			if back < hour/4 {
				return fmt.Errorf("more than %d events since %s: raise recheck.max_positions", q.cfg.MaxPositions, detect.Time(f.From).Std().Format(time.RFC3339))
			}
			q.metrics.shortened.Inc()
			back, settle = back/2, settle/2
		}
	}
	if err := read(); err != nil {
		return nil, 0, err
	}
	if r.Wide && back == q.cfg.Context.Milliseconds() && len(licenses(store.EventsOf(events))) > 0 && q.cfg.SumsContext > q.cfg.Context {
		back = q.cfg.SumsContext.Milliseconds()
		if err := read(); err != nil {
			return nil, 0, err
		}
	}
	return events, r.From - settle, nil
}

// licenses lists the cards that were put in.
func licenses(events []ingest.Event) (out []string) {
	for i := range events {
		if d := events[i].Driver; events[i].Kind == ingest.KindDriverCard && d.On && d.License != "" && !slices.Contains(out, d.License) {
			out = append(out, d.License)
		}
	}
	return out
}

// driversVehicles returns the other vehicles of the vehicle's drivers, and what these reported.
func (q *queue) driversVehicles(ctx context.Context, r *request, events []ingest.Event) (list []ingest.Vehicle, theirs []ingest.Event, err error) {
	cards := licenses(events)
	if !r.Wide || len(cards) == 0 || q.cfg.MaxOthers == 0 {
		return nil, nil, nil
	}
	from := r.From - q.cfg.SumsContext.Milliseconds()
	if list, err = q.archive.CardVehicles(ctx, cards, from, r.Clock); err != nil {
		return nil, nil, err
	}
	list = slices.DeleteFunc(list, func(v ingest.Vehicle) bool { return v == r.vehicle })
	list = list[:min(len(list), q.cfg.MaxOthers)]
	if len(list) == 0 {
		return nil, nil, nil
	}
	err = q.archive.Events(ctx, store.EventsFilter{Vehicles: list, From: from, To: r.Clock + hour, Lead: 24 * hour, MaxPositions: q.cfg.MaxPositions}, gather(&theirs))
	return list, theirs, err
}

// gather appends events of vehicles to a list. Those of nobody are in the history already.
func gather(out *[]ingest.Event) func(e *ingest.Event) error {
	return func(e *ingest.Event) error {
		if !e.Unread() {
			*out = append(*out, *e)
		}
		return nil
	}
}

// company reads what others reported whose presence decides on what was found: a jam, a station that is at fault.
func (q *queue) company(ctx context.Context, found []detect.Violation, since int64, r *request) (out []ingest.Event, err error) {
	if q.cfg.MaxOthers == 0 {
		return nil, nil
	}
	seen := map[ingest.Vehicle]bool{r.vehicle: true}
	add := func(list []ingest.Vehicle, from, to int64) error {
		list = slices.DeleteFunc(list, func(v ingest.Vehicle) bool { return seen[v] })
		if len(list) == 0 {
			return nil
		}
		list = list[:min(len(list), q.cfg.MaxOthers)]
		for _, v := range list {
			seen[v] = true
		}
		return q.archive.Events(ctx, store.EventsFilter{Vehicles: list, From: from, To: to, MaxPositions: q.cfg.MaxPositions}, gather(&out))
	}
	for i := range found {
		v := &found[i]
		if int64(v.Start) < since {
			continue
		}
		switch {
		case v.Kind == detect.KindFenceStop && v.StartLat != nil && v.StartLon != nil:
			end := r.Clock
			if v.End != nil {
				end = int64(*v.End)
			}
			from, to := int64(v.Start)-crowdLead, end
			radius := q.snapshots.Current().Settings.FenceStop.CrowdRadius
			near, _, err := q.archive.VehiclesIn(ctx, []store.Box{around(*v.StartLat, *v.StartLon, 2*radius)}, from, to, q.cfg.MaxOthers)
			if err != nil {
				return nil, err
			}
			var list []ingest.Vehicle
			for _, p := range near {
				list = append(list, p.Vehicle)
			}
			if err := add(list, from, to); err != nil {
				return nil, err
			}
		case v.Kind == detect.KindPositionConflict && v.Station != nil:
			list, err := q.archive.WeighedVehicles(ctx, *v.Station, int64(v.Start)-stationWindow, int64(v.Start)+stationWindow)
			if err != nil {
				return nil, err
			}
			if err := add(list, int64(v.Start)-stationWindow-fixWindow, int64(v.Start)+stationWindow+fixWindow); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// around is a box that holds a circle, in m.
func around(lat, lon, radius float64) store.Box {
	at := geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)}
	dLat := int32(radius / 0.11) // a degree has at least 110.5 km from south to north
	dLon := 2 * dLat             // and more than half as much from west to east as far north as the country goes
	return store.Box{MinLat: at.Lat - dLat, MaxLat: at.Lat + dLat, MinLon: at.Lon - dLon, MaxLon: at.Lon + dLon}
}

// askOthers asks for the other vehicles of the drivers, whose driving time has changed too. These ask for no further ones.
func (q *queue) askOthers(ctx context.Context, r *request, others []ingest.Vehicle) error {
	if r.Linked || len(others) == 0 {
		return nil
	}
	var messages []bus.KeyedMessage
	for _, v := range others {
		ask := worker.Recheck{Plate: v.Plate(), Color: v.Color, From: r.From, To: r.To, Wide: true, Linked: true, Why: "driver"}
		m, err := ask.Message(q.partitions)
		if err != nil {
			return err
		}
		messages = append(messages, m)
	}
	return q.log.WriteKeyed(ctx, worker.RechecksTopic, messages...)
}

// count tells metrics and, where something was corrected, the log of the process what came of it.
func (q *queue) count(r *request, recorded, corrections []detect.Violation, visits []detect.Visit) {
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
		q.logger.Info("the record was corrected, because data came late", "vehicle", r.vehicle.String(), "from", detect.Time(r.From).Std().Format(time.RFC3339),
			"to", detect.Time(r.To).Std().Format(time.RFC3339), "added", counts["added"], "amended", counts["amended"], "retracted", counts["retracted"], "visits", len(visits))
	}
	q.metrics.judged.WithLabelValues(outcome).Inc()
}
