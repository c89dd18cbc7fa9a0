package gateway

import (
	"context"
	"time"
)

// stopInGroups stops connections in groups over shutdown_spread, so that a fleet does not come back at once: each
// connection acknowledges what it has read and goes on to report until its turn comes. Of what time ctx leaves a quarter
// is kept for the last group. When ctx ends all are stopped.
func (g *Gateway) stopInGroups(ctx context.Context, conns []*conn) {
	spread := g.cfg.ShutdownSpread
	if end, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(end)*3/4)
	}
	groups := min(g.cfg.ShutdownGroups, len(conns))
	if spread <= 0 || groups < 2 {
		groups = 1
	}
	for i := range groups {
		if i > 0 {
			t := time.NewTimer(spread / time.Duration(groups-1))
			select {
			case <-t.C:
			case <-ctx.Done():
			}
			t.Stop()
		}
		// The order is that of a map: no address or vehicle is always the last.
		for _, c := range conns[i*len(conns)/groups : (i+1)*len(conns)/groups] {
			c.stop(reasonShutdown)
		}
	}
}
