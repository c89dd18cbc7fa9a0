// Package superior is the superior platform (上级平台) of JT/T 809: inferior platforms log in to it and report, it dials
// their sub links back, asks, inspects and supervises.
//
//	superior.go   what it stands on, listening, limits, the clock, shutting down
//	config.go     settings
//	peer.go       an inferior platform: its links, sending over whichever is up
//	login.go      0x1001 and why it is refused
//	main.go       a main link; sub.go: a sub link, dialled again and again
//	work.go       what one read brought: events to the log, then the answers that wait for it
//	position.go   positions, the way that must be fast
//	take*.go      the other messages up, by family
//	exchange.go   vehicles of other peers, that a peer applies for
//	serial.go     serials of 2019: gaps, what is asked again, what is sent again
//	outage.go     times without any link
//	request.go    requests down and their answers
//	inspect.go    inspections on schedule; supervise.go: supervision of violations, follow.go: where they come from
//	peers.go      what is told of the peers
//
// What must always hold: 0x1006, 0x1004, 0x9201 and 0x9101 go out only when the log has everything that was read before
// on that link. Memory is bounded: a link reads no more until the log has taken what it read, and whoever does not take
// what we write is cut off.
package superior

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/media"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
	"lushao/ingest/platform/register"
)

// Batch and Log are the events topic, as of ingest/gateway. Append copies the payload and blocks while the log is slow;
// Wait returns nil once all are in the log, and then the batch can be used again. An error that is not the context's means
// that the log refuses for good.
type (
	Batch = interface {
		Append(ctx context.Context, partition int, payload []byte) error
		Wait(ctx context.Context) error
	}
	Log interface {
		Partitions() int
		NewBatch() Batch
	}
)

// Book keeps what was asked and what became of it: *platform.Book.
type Book interface {
	Put(ctx context.Context, r *platform.Request) error
	Get(id string) (platform.Request, bool)
	Find(fn func(*platform.Request) bool) (platform.Request, bool)
	List(f platform.Filter) []platform.Request
	Update(ctx context.Context, id string, fn func(r *platform.Request) error) (platform.Request, error)
	Answer(ctx context.Context, id string, answer json.RawMessage, message string, at time.Time) (platform.Request, error)
	Progress(ctx context.Context, id string, answer json.RawMessage, message, note string) (platform.Request, error)
	Fail(ctx context.Context, id, why string) (platform.Request, error)
	Expire(ctx context.Context, now time.Time) ([]platform.Request, error)
}

// Violations is the topic of the violations. Follow hands over every record that is new to the follower, in JSON, until
// ctx ends or fn fails; a record whose fn returned nil need not come again.
type Violations interface {
	Follow(ctx context.Context, fn func(ctx context.Context, record []byte) error) error
}

// Files keeps photos and recorder data: *media.Store. Put returns once the record is on the disk.
type Files interface {
	Put(r *media.Record) (e media.Entry, repeated bool, err error)
}

// Vehicles is what is known of vehicles, also by what platforms made known: *register.Register. Put returns once it is kept.
type Vehicles interface {
	Known(v ingest.Vehicle) bool
	Put(ctx context.Context, r register.Report) error
}

var (
	_ Book          = (*platform.Book)(nil)
	_ Vehicles      = (*register.Register)(nil)
	_ Files         = (*media.Store)(nil)
	_ platform.Side = (*Superior)(nil)
)

// History hands over the archived positions of a vehicle in order of time, from and to in Unix ms.
type History func(ctx context.Context, v ingest.Vehicle, from, to int64, fn func(e *ingest.Event) error) error

// Deps are what the superior platform stands on.
type Deps struct {
	Log        Log
	Book       Book
	Violations Violations // nil: nothing is supervised
	Files      Files      // nil: photos and recorder data are answers only
	Vehicles   Vehicles   // nil: static data are dropped
	History    History    // nil: 0x1209 is answered with "no such data"
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time // nil: time.Now
}

// Superior takes the main links of inferior platforms.
type Superior struct {
	cfg        Config
	deps       Deps
	now        func() time.Time
	logger     *slog.Logger
	metrics    *metrics
	links      *link.Vectors
	log        Log
	partitions int
	peers      []*peer
	byCentre   map[uint32]*peer
	byName     map[string]*peer
	unknown    *link.Metrics // of connections that have not logged in
	number     atomic.Uint32 // of questions, texts and supervisions
	watches    watches
	answers    waiters
	listener   net.Listener

	ctx      context.Context // ends when waiting for the log is given up
	cancel   context.CancelFunc
	closing  context.Context // ends when Shutdown begins
	close    context.CancelFunc
	running  sync.WaitGroup
	expiring atomic.Bool

	mu        sync.Mutex
	conns     map[*link.Conn]struct{}
	addresses map[netip.Addr]int
	pending   int
	stopped   bool
}

// Errors of requests.
var (
	ErrUnknown   = errors.New("no platform has reported the vehicle")
	ErrBusy      = errors.New("the same request for the vehicle still waits for its answer")
	ErrDirection = errors.New("a superior platform does not send this message")
	ErrNoAnswer  = errors.New("no answer in time")
)

// New makes a superior platform that does not listen yet.
func New(cfg Config, deps Deps) (*Superior, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil || deps.Book == nil {
		return nil, errors.New("superior: it needs the log and the book of requests")
	}
	s := &Superior{cfg: cfg, deps: deps, now: deps.Now, logger: deps.Logger, log: deps.Log, byCentre: map[uint32]*peer{},
		byName: map[string]*peer{}, conns: map[*link.Conn]struct{}{}, addresses: map[netip.Addr]int{}}
	if s.now == nil {
		s.now = time.Now
	}
	s.metrics = newMetrics(deps.Registerer)
	s.links = link.NewVectors(deps.Registerer, platform.RoleSuperior)
	s.unknown = s.links.Of("", link.Main)
	s.number.Store(rand.Uint32N(1 << 30)) // so that numbers of before a restart are not used again soon
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.closing, s.close = context.WithCancel(s.ctx)
	for i := range cfg.Peers {
		p := newPeer(s, cfg.Peers[i].withDefaults())
		s.peers = append(s.peers, p)
		s.byCentre[p.cfg.AccessCode], s.byName[p.cfg.Name] = p, p
	}
	return s, nil
}

// Start reads the passwords and listens. Without peers it does neither.
func (s *Superior) Start() error {
	if len(s.peers) == 0 {
		return nil
	}
	for i, p := range s.peers {
		var err error
		if p.password, err = p.cfg.password(); err != nil {
			return fmt.Errorf("superior.peers[%d].%w", i, err)
		}
	}
	if s.partitions = s.log.Partitions(); s.partitions <= 0 {
		return fmt.Errorf("superior: the log has %d partitions", s.partitions)
	}
	listener, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("superior.listen: %w", err)
	}
	s.mu.Lock()
	s.listener = listener
	s.mu.Unlock()
	s.running.Go(s.accept)
	s.running.Go(s.tickLoop)
	if s.deps.Violations != nil {
		s.running.Go(s.followViolations)
	}
	return nil
}

// Addr is where the main links are taken, after Start; nil without peers.
func (s *Superior) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Ready reports whether platforms are let in.
func (s *Superior) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.peers) == 0 || s.listener != nil && !s.stopped
}

// Shutdown stops to accept, tells every peer (0x9008), lets the links finish what they have read, and closes them. When
// ctx ends first, the rest is closed without the log's acknowledgement.
func (s *Superior) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	listener := s.listener
	s.mu.Unlock()
	s.close()
	if listener != nil {
		listener.Close()
	}
	for _, p := range s.peers {
		p.leave()
	}
	s.mu.Lock()
	for c := range s.conns {
		c.Close(reasonShutdown)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		s.cancel()
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	<-done
	return fmt.Errorf("superior: links were closed without the log's acknowledgement: %w", ctx.Err())
}

// Limits of the pause after the system refused to accept.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

func (s *Superior) accept() {
	for pause := acceptPauseMin; ; {
		nc, err := s.listener.Accept()
		if err == nil {
			pause = acceptPauseMin
			s.admit(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.logger.Warn("a platform's connection could not be accepted; raise the limit of open files if it says so", "err", err, "pause", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.closing.Done():
		}
		t.Stop()
		pause = min(2*pause, acceptPauseMax)
	}
}

// admit starts a main link, unless a limit is reached.
func (s *Superior) admit(nc net.Conn) {
	c := link.New(nc, link.Options{MaxFrame: s.cfg.MaxFrame, MaxQueue: s.cfg.MaxQueue, WriteTimeout: s.cfg.WriteTimeout, Now: s.now,
		Logger: s.logger, Metrics: s.unknown, CipherOf: s.cipherOf})
	address := c.RemoteAddr()
	s.mu.Lock()
	refused := ""
	switch {
	case s.stopped:
		refused = reasonShutdown
	case len(s.conns) >= s.cfg.MaxConnections:
		refused = turnedAwayFull
	case s.addresses[address] >= s.cfg.MaxConnectionsPerAddress:
		refused = turnedAwayAddress
	case s.pending >= s.cfg.MaxPending:
		refused = turnedAwayPending
	default:
		s.conns[c] = struct{}{}
		s.addresses[address]++
		s.pending++
		s.running.Add(1)
	}
	s.mu.Unlock()
	if refused != "" {
		s.metrics.turnedAway.WithLabelValues(refused).Inc()
		nc.Close()
		return
	}
	s.metrics.connections.Inc()
	go func() {
		defer s.running.Done()
		s.runMain(c)
		s.mu.Lock()
		delete(s.conns, c)
		if s.addresses[address]--; s.addresses[address] <= 0 {
			delete(s.addresses, address)
		}
		s.mu.Unlock()
		s.metrics.connections.Dec()
	}()
}

// cipherOf finds the constants of a peer whose first frame is encrypted.
func (s *Superior) cipherOf(centre uint32) jt809.Cipher {
	if p := s.byCentre[centre]; p != nil {
		return p.cfg.cipher()
	}
	return jt809.Cipher{}
}

func (s *Superior) tickLoop() {
	t := time.NewTicker(s.cfg.Tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.tick(s.now())
		case <-s.closing.Done():
			return
		}
	}
}

// tick looks at the clocks of all peers. It never waits for the log.
func (s *Superior) tick(now time.Time) {
	for _, p := range s.peers {
		p.tick(now)
	}
	s.watches.expire(now.Unix())
	if !s.expiring.Swap(true) {
		s.running.Go(func() {
			defer s.expiring.Store(false)
			overdue, err := s.deps.Book.Expire(s.closing, now)
			for i := range overdue {
				if r := &overdue[i]; r.Role == platform.RoleSuperior {
					s.metrics.overdue.WithLabelValues(r.Platform, r.Kind).Inc()
					s.logger.Warn("a platform has not answered in time", "peer", r.Platform, "kind", r.Kind, "request", r.ID, "plate", r.Plate)
				}
			}
			if err != nil && s.closing.Err() == nil {
				s.logger.Error("overdue requests could not be noted", "err", err)
			}
		})
	}
}
