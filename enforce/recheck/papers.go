package recheck

import (
	"context"
	"time"

	"lushao/detect"
	"lushao/detect/worker"
)

// Permits, filings and waybills count from the beginning of their validity, whenever they became known. Those that the reference data bring
// late ask for their vehicles here; those that vehicles report are seen by the engine. What changed while no process ran is not seen.

// papersInterval is how often the reference data in force are looked at.
const papersInterval = 2 * time.Second

// maxPapers is how far back a paper that comes late asks, ms: farther back the archive is long and the case closed.
const maxPapers = 31 * 24 * hour

// watchPapers works until ctx ends.
func (r *Rechecker) watchPapers(ctx context.Context) {
	tick := time.NewTicker(papersInterval)
	defer tick.Stop()
	seen := r.snapshots.Current()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		snap := r.snapshots.Current()
		if snap == seen || snap == nil {
			continue
		}
		if seen != nil {
			if err := r.askForPapers(ctx, seen, snap); err != nil {
				if ctx.Err() == nil {
					r.logger.Warn("vehicles whose papers have changed could not be asked for; trying again", "err", err)
				}
				continue
			}
		}
		seen = snap
	}
}

func (r *Rechecker) askForPapers(ctx context.Context, old, snap *detect.Snapshot) error {
	now := r.now().UnixMilli()
	var asked []worker.Recheck
	for _, l := range snap.PapersChanged(old, now) {
		from := max(l.From, now-maxPapers)
		if l.To < from {
			continue
		}
		asked = append(asked, worker.Recheck{Plate: l.Vehicle.Plate(), Color: l.Vehicle.Color, From: from, To: l.To, Wide: true, Linked: true, Papers: true, Why: "papers"})
	}
	return r.ask(ctx, asked)
}
