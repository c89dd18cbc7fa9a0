package sim809

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lushao/detect"
	"lushao/ingest/jt809"
	"lushao/internal/sim"
)

// Report says what a run did and saw. Messages are counted by the id of the sub-message, or by their own where they have none.
type Report struct {
	Fleet sim.Report // of an inferior: positions count as acknowledged when a heartbeat's answer has proven them

	Logins    int64 // main links that stood
	SubLinks  int64 // sub links that stood
	Refused   int64 // logins that were refused, of either link
	LetIn     int64 // logins with a wrong password or verify code that were accepted: a fault of the other side
	Breaks    int64 // main links that ended before their work was done
	SubBreaks int64 // sub links likewise
	BadFrames int64 // frames that were dropped

	Sent     map[jt809.MessageID]int64 // without those of faults
	Received map[jt809.MessageID]int64
	Resent   int64 // positions and cards that were sent again
	Proofs   int64 // heartbeats that proved something

	// Of a superior.
	Positions    int64 // different ones: by vehicle and second
	Duplicates   int64 // positions that had come before
	Disordered   int64 // live ones (0x1202) older than the vehicle's last, and batches that go back in time
	Encrypted    int64 // marked so
	Undated      int64 // without a date: not written
	Empty        int64 // without coordinates
	Gaps         int64 // serials that never came
	Repeated     int64 // serials that came again
	Unregistered int64 // vehicles that reported without 0x1201

	Asked      map[jt809.MessageID]int64 // requests
	Answered   map[jt809.MessageID]int64 // requests that were answered, by the request
	Unmatched  int64                     // answers to no open request
	Unanswered int64                     // requests that were never answered

	Faults map[Fault]int64
}

type counters struct {
	logins, subLinks, refused, letIn, breaks, subBreaks, bad, resent, proofs                          atomic.Int64
	positions, duplicates, disordered, encrypted, undated, empty, unmatched, unregistered, unanswered atomic.Int64
}

// Sim plays platforms. Make one with New.
type Sim struct {
	cfg     Config
	edition jt809.Edition
	log     *slog.Logger
	chaos   *chaos
	fleet   *sim.Sim
	n       counters
	work    sync.WaitGroup // of connections

	mu       sync.Mutex
	out, in  map[jt809.MessageID]int64
	asked    map[jt809.MessageID]int64
	answered map[jt809.MessageID]int64
}

// New prepares platforms. It opens nothing.
func New(cfg Config) (*Sim, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sim809: %w", err)
	}
	s := &Sim{cfg: cfg, log: cfg.Logger, chaos: newChaos(cfg.Faults, cfg.Fleet.Seed), out: map[jt809.MessageID]int64{},
		in: map[jt809.MessageID]int64{}, asked: map[jt809.MessageID]int64{}, answered: map[jt809.MessageID]int64{}}
	s.edition, _ = cfg.edition() // Validate has seen it
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Side == Inferior {
		var err error
		if s.fleet, err = sim.New(s.cfg.fleet()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Reference is the county and the fleet of an inferior side as reference data; nil of a superior.
func (s *Sim) Reference() *detect.ReferenceData {
	if s.fleet == nil {
		return nil
	}
	return s.fleet.Reference()
}

// Run plays until an inferior side's fleet has driven and everything is proven to have arrived, a superior's time is over, or ctx ends:
// an inferior's error is then that of ctx. Platforms that are away are waited for without end. It runs once.
func (s *Sim) Run(ctx context.Context) (Report, error) {
	if s.cfg.Side == Inferior {
		return s.runInferior(ctx)
	}
	return s.runSuperior(ctx)
}

// sent counts a message that goes out.
func (s *Sim) sent(id, sub jt809.MessageID) {
	if sub == 0 {
		sub = id
	}
	s.mu.Lock()
	s.out[sub]++
	s.mu.Unlock()
}

// got counts a message that came.
func (s *Sim) got(sub jt809.MessageID) {
	s.mu.Lock()
	if s.in[sub] > 0 || len(s.in) < 1000 { // ids of rubbish are without end
		s.in[sub]++
	}
	s.mu.Unlock()
}

func (s *Sim) report() Report {
	n := &s.n
	s.mu.Lock()
	defer s.mu.Unlock()
	return Report{Logins: n.logins.Load(), SubLinks: n.subLinks.Load(), Refused: n.refused.Load(), LetIn: n.letIn.Load(),
		Breaks: n.breaks.Load(), SubBreaks: n.subBreaks.Load(), BadFrames: n.bad.Load(), Sent: s.out, Received: s.in,
		Resent: n.resent.Load(), Proofs: n.proofs.Load(), Positions: n.positions.Load(), Duplicates: n.duplicates.Load(),
		Disordered: n.disordered.Load(), Encrypted: n.encrypted.Load(), Undated: n.undated.Load(), Empty: n.empty.Load(),
		Unregistered: n.unregistered.Load(), Asked: s.asked, Answered: s.answered, Unmatched: n.unmatched.Load(), Unanswered: n.unanswered.Load(), Faults: s.chaos.report()}
}

// now is the present as the protocol has it.
func now() jt809.Seconds { return jt809.SecondsOf(time.Now().UnixMilli()) }

// sleep waits, or says that ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
