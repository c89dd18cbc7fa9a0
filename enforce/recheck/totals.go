package recheck

import (
	"context"
	"time"

	"lushao/detect/worker"
	"lushao/enforce/store"
)

// A driver who changes vehicles takes his driving time with him. Where the vehicles are in one partition, the engine knows; for the
// others ClickHouse sums up the driving segments of all, and whoever comes to be over a limit in several vehicles is judged again in
// the last of them, with what he did in the others: that finds the same kinds as if one engine had seen all.

// driverState is what is remembered of a driver who is over a limit.
type driverState struct {
	total store.DriverTotal
	asked int64 // end of his last driving when he was asked for last, Unix ms
	step  int   // of what follows, after his last driving
}

// After the last driving a stretch ends, then what was driven leaves the daily sum, then the weekly: then a violation has ended that only
// judging again can close.
var totalSteps = [...]int64{25 * hour / 60, 12 * hour, 25 * hour, 7*24*hour + hour}

// totalStep is how much more driving asks for a driver again, ms.
const totalStep = 10 * hour / 60

// sumDrivers works until ctx ends.
func (r *Rechecker) sumDrivers(ctx context.Context) {
	tick := time.NewTicker(r.cfg.TotalsInterval)
	defer tick.Stop()
	t := totals{Rechecker: r, over: map[[2]string]*driverState{}}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := t.sum(ctx); err != nil && ctx.Err() == nil {
			r.metrics.sums.WithLabelValues("failed").Inc()
			r.logger.Warn("driving times of drivers of several vehicles could not be summed up; trying again", "err", err)
		} else if err == nil {
			r.metrics.sums.WithLabelValues("done").Inc()
		}
	}
}

type totals struct {
	*Rechecker
	over map[[2]string]*driverState // by license and name
	seen int64                      // the clock of the last sum that succeeded
}

// sum sums up once, and asks for who is to be judged again.
func (t *totals) sum(ctx context.Context) error {
	clock, snap := t.clock.Load(), t.snapshots.Current()
	if clock == 0 || snap == nil {
		return nil
	}
	l := snap.DriverLimits()
	since := t.seen - hour // pieces come late
	if t.seen == 0 {
		since = clock - l.WeeklyWindow // whoever may still have something open
	}
	list, err := t.archive.DriverTotals(ctx, since, store.DriverLimits{StretchMs: l.Stretch, NightMs: l.Night, DailyMs: l.Daily, WeeklyMs: l.Weekly, RestMs: l.Rest,
		DailyWindowMs: l.DailyWindow, WeeklyWindowMs: l.WeeklyWindow, NightFrom: l.NightFrom, NightTo: l.NightTo})
	if err != nil {
		return err
	}
	for _, d := range list {
		k := [2]string{d.License, d.Name}
		if t.over[k] == nil && d.Over {
			t.over[k] = &driverState{}
		}
		if s := t.over[k]; s != nil {
			if d.End > s.total.End {
				s.step = 0
			}
			s.total = d
		}
	}
	for k, s := range t.over {
		due := s.total.Over && s.total.End >= s.asked+totalStep
		for s.step < len(totalSteps) && clock >= s.total.End+totalSteps[s.step] {
			s.step++
			due = true
		}
		if due {
			if err := t.ask(ctx, &s.total); err != nil {
				return err
			}
			s.asked = s.total.End
			t.metrics.drivers.Inc()
		}
		if s.step == len(totalSteps) {
			delete(t.over, k)
		}
	}
	t.seen = clock
	return nil
}

// ask asks for the vehicle in which a driver drove last.
func (t *totals) ask(ctx context.Context, d *store.DriverTotal) error {
	ask := worker.Recheck{Plate: d.Vehicle.Plate(), Color: d.Vehicle.Color, From: d.End - 12*hour, To: d.End, Wide: true, Linked: true, Why: "driver"}
	m, err := ask.Message(t.partitions)
	if err != nil {
		return err
	}
	return t.log.WriteKeyed(ctx, worker.RechecksTopic, m)
}

// advance takes a partition's clock.
func (r *Rechecker) advance(clock int64) {
	for {
		old := r.clock.Load()
		if clock <= old || r.clock.CompareAndSwap(old, clock) {
			return
		}
	}
}
