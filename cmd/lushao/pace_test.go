package main

import (
	"sync"
	"testing"
	"time"

	"lushao/internal/sim"
)

// pace is how far a fleet that drives as fast as it is acknowledged may go, so that what a test does to the platform
// meanwhile falls into the drive of every vehicle, however long it takes and whichever vehicle comes to the processor most.
// Shares are those of the drive.
type pace struct {
	start, length int64 // Unix ms; ms

	mu      sync.Mutex
	changed *sync.Cond
	hold    int64         // who was acknowledged a position after it waits, Unix ms
	mark    int64         // Unix ms
	reached chan struct{} // closed by the first position from mark on that is acknowledged
	ended   bool
}

// newPace holds all vehicles of a fleet at their start.
func newPace(t *testing.T, fleet sim.Config) *pace {
	p := &pace{start: fleet.Start.UnixMilli(), length: fleet.Duration.Milliseconds()}
	p.changed = sync.NewCond(&p.mu)
	p.hold = p.start
	t.Cleanup(p.release)
	return p
}

// acked keeps the terminal waiting to which the position at the time was acknowledged, where it has come to the hold.
func (p *pace) acked(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reached != nil && at >= p.mark {
		close(p.reached)
		p.reached = nil
	}
	for at > p.hold && !p.ended {
		p.changed.Wait()
	}
}

// drive lets all go on to the share hold, and returns a channel that is closed when the first has come to the share mark,
// which must not be greater.
func (p *pace) drive(mark, hold float64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	reached := make(chan struct{})
	p.mark, p.hold, p.reached = p.start+int64(mark*float64(p.length)), p.start+int64(hold*float64(p.length)), reached
	p.changed.Broadcast()
	return reached
}

// release lets all drive to their end.
func (p *pace) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.changed.Broadcast()
}

// outcome is how a drive ended.
type outcome struct {
	report sim.Report
	err    error
}

// await waits for a channel of drive; a drive that ends before it fails the test.
func (p *pace) await(t *testing.T, reached <-chan struct{}, driven <-chan outcome, what string) {
	t.Helper()
	const patience = 5 * time.Minute // without a position: the platform hangs
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-reached:
	case o := <-driven:
		t.Fatalf("the drive ended before %s: %+v %v", what, o.report, o.err)
	case <-timer.C:
		t.Fatalf("no vehicle has come to %s within %v", what, patience)
	}
}
