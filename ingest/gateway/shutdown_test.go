package gateway

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lushao/ingest/jt808"
)

func TestShutdownInGroups(t *testing.T) {
	cfg := testConfig()
	cfg.ShutdownSpread, cfg.ShutdownGroups = time.Hour, 2 // ends with the context
	log := newFakeLog()
	g, _ := startGateway(t, cfg, log, nil)
	const n = 4
	var cs []*terminal
	for i := range n {
		c := dial(t, g.Addr().String(), fmt.Sprint(i+1), jt808.Edition2013)
		c.login(vehicle(fmt.Sprintf("晋E0000%d", i), 2))
		cs = append(cs, c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var stopping sync.WaitGroup
	stopping.Go(func() {
		if err := g.Shutdown(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	// The first group goes at once.
	log.await(func() bool { return len(log.linksLocked()) == n+n/2 })
	served := 0
	for i, c := range cs {
		if sessionOf(g, c) == nil {
			c.wantEnd()
			continue
		}
		c.ping(int64(i)) // the second is served until its turn comes
		served++
	}
	if served != n/2 {
		t.Errorf("%d are served, want %d", served, n/2)
	}
	cancel()
	stopping.Wait()
}

// A spread that is longer than the time to stop is cut: nobody is hung up on without an acknowledgement for it.
func TestShutdownSpreadFitsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.ShutdownSpread, cfg.ShutdownGroups = time.Hour, 5
		log := newFakeLog()
		g := startWithoutSockets(t, cfg, log)
		for i := range 5 {
			pipe(t, g, fmt.Sprint(i+1), jt808.Edition2013).login(vehicle(fmt.Sprintf("晋E0000%d", i), 2))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		begun := time.Now()
		if err := g.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took != 30*time.Second { // of the bubble's clock
			t.Errorf("it took %v of 40 s, want three quarters", took)
		}
		if n := len(log.links()); n != 10 {
			t.Errorf("%d link events, want 10", n)
		}
	})
}
