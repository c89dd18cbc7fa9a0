// Package sim drives a fleet that does not exist: vehicles on the roads of a county that does not exist either, whose terminals speak
// JT/T 808 over TCP and whose weigh stations post records over HTTP. Now and then a trip is made for a violation; which ones is known
// exactly and written down, by the rule book and from what was sent, so that a platform can be checked against it. Everything else is
// within the law.
//
// On request terminals misbehave (Faults): they send what is broken beside what they report, and keep connections badly.
//
// What is driven depends on the seed, the start and the vehicle's number alone, not on sockets or time: the same configuration gives the
// same positions and the same truth. Driving costs about 2 µs of a core for a position. With sockets a position costs about 6 µs when
// the fleet sends as fast as it can, and 13 µs at 10,000 positions/s; where every position wakes its terminal alone it is 0.1 to 0.3 ms,
// so that 1,000 vehicles in real time, one position every 10 s each, take 1 to 3 % of a core and 30 to 60 MB.
package sim

import (
	"bufio"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/eventfile"
)

// Report says what a run sent. Positions count as often as they are different, not as they were sent.
type Report struct {
	Positions   Count
	Cards       Count
	Weighings   Count
	Resent      int64 // messages and records sent again after a break
	Connections int64
	Breaks      int64                 // connections that ended before their work was done
	Registered  int64                 // answers to 0x0100 that let a terminal in
	Prompts     int64                 // texts for drivers, 0x8300
	Planned     map[detect.Kind]int64 // violations that trips were made for
	Violations  map[detect.Kind]int64 // violations proven and written to Truth
	Unfinished  int64                 // violations that had not ended with the run
	Faults      map[Fault]int64       // how often terminals misbehaved on purpose, and how
}

// Count is how many of something were sent, and what became of them.
type Count struct {
	Sent         int64
	Acknowledged int64
	Refused      int64 // by an answer that no sending again would change
}

// Sim is a fleet. Make one with New.
type Sim struct {
	cfg   Config
	log   *slog.Logger
	world *world
	fleet []*vehicle

	n      counters
	out    sink
	began  time.Time
	dials  chan struct{}
	posts  chan posting
	warned sync.Map
	fail   context.CancelCauseFunc
}

type counters struct {
	positions, cards, weighings                              struct{ sent, acked, refused atomic.Int64 }
	resent, connections, breaks, registered, prompts, linked atomic.Int64
	planned, found                                           [len(violationOrder)]atomic.Int64
	unfinished                                               atomic.Int64
	faults                                                   [len(faultOrder)]atomic.Int64
}

// New makes the fleet. It opens nothing.
func New(cfg Config) (*Sim, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	editions, err := cfg.editions()
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	if cfg.Start.IsZero() {
		cfg.Start = time.Now()
		if p := cfg.pace(); p == 0 || p > 1 {
			cfg.Start = cfg.Start.Add(-cfg.Duration)
		}
	}
	cfg.Start = cfg.Start.Truncate(time.Second)
	s := &Sim{cfg: cfg, log: cfg.Logger, world: newWorld(cfg.Stations), dials: make(chan struct{}, 64), posts: make(chan posting, 256)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.fleet, err = newFleet(cfg.Vehicles, cfg.Seed, editions, int64(cfg.Interval/time.Second)); err != nil {
		return nil, err
	}
	if err := s.n.register(cfg.Registerer); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	return s, nil
}

// Reference is the county and the fleet as reference data: what the platform must know to find what is written as truth. It depends on
// the numbers of vehicles and stations, the editions and the seed only.
func (s *Sim) Reference() *detect.ReferenceData { return referenceOf(s.world, s.fleet) }

// Start is the simulated time at which the run begins.
func (s *Sim) Start() time.Time { return s.cfg.Start }

// Run drives the fleet until the simulated time is over and everything is acknowledged, or ctx ends: then the error is that of ctx.
// A platform that is away is waited for without end. It runs once.
func (s *Sim) Run(ctx context.Context) (Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.fail = cancel
	s.began = time.Now()
	s.out.open(s)
	var err error
	if s.cfg.Gateway == "" && s.cfg.WeighURL == "" {
		err = s.write(ctx)
	} else {
		err = s.connect(ctx)
	}
	return s.report(), errors.Join(err, s.out.flush())
}

// connect drives every vehicle in a goroutine of its own.
func (s *Sim) connect(ctx context.Context) error {
	var terminals, stations sync.WaitGroup
	if s.cfg.WeighURL != "" {
		stations.Go(func() { s.postAll(ctx) })
	}
	// Who never authenticates reports as long as others drive.
	var intruders sync.WaitGroup
	driving, driven := context.WithCancel(ctx)
	defer driven()
	var relays []*relay
	honest, relayed := 0, 0
	for _, v := range s.fleet {
		c := newChaos(s, v)
		if s.cfg.Gateway != "" && c.strikes(FaultNever) {
			intruders.Go(func() { newTerminal(s, v).intrude(ctx, driving) })
			continue
		}
		var r *relay
		if s.cfg.Gateway != "" && c.strikes(FaultRelay) {
			if relayed%relaySize == 0 {
				relays = append(relays, &relay{s: s})
			}
			r = relays[len(relays)-1]
			relayed++
		}
		honest++
		terminals.Go(func() {
			t := newTerminal(s, v)
			t.chaos, t.relay = c, r
			t.run(ctx)
			s.finish(t.track)
		})
	}
	terminals.Wait()
	for _, r := range relays {
		r.running.Wait()
	}
	if honest > 0 {
		driven()
	}
	intruders.Wait()
	close(s.posts)
	stations.Wait()
	return context.Cause(ctx)
}

// finish takes over the counts of a vehicle that drives no more.
func (s *Sim) finish(t *track) {
	for i, n := range t.planned {
		s.n.planned[i].Add(int64(n))
	}
	s.n.unfinished.Add(int64(t.judge.open()))
}

// write drives the fleet without sockets and writes down what it would send, in the order of sending.
func (s *Sim) write(ctx context.Context) error {
	h := make(tracks, 0, len(s.fleet))
	tracksOf := make([]*track, len(s.fleet))
	for i, v := range s.fleet {
		t := newTrack(s.world, v, &s.cfg)
		tracksOf[i] = t
		if it, ok := t.next(); ok {
			h = append(h, queued{it, t})
		}
	}
	heap.Init(&h)
	for n := 0; len(h) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		it, v := &h[0].it, h[0].t.v
		s.sent(it, v)
		s.acked(it, v)
		if next, ok := h[0].t.next(); ok {
			h[0].it = next
			heap.Fix(&h, 0)
		} else {
			heap.Pop(&h)
		}
	}
	for _, t := range tracksOf {
		s.finish(t)
	}
	return context.Cause(ctx)
}

// queued is what a vehicle sends next.
type queued struct {
	it item
	t  *track
}

// tracks is a heap of vehicles by what they send next.
type tracks []queued

func (h tracks) Len() int { return len(h) }
func (h tracks) Less(i, j int) bool {
	return h[i].it.at < h[j].it.at || h[i].it.at == h[j].it.at && h[i].t.v.index < h[j].t.v.index
}
func (h tracks) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *tracks) Push(x any)   { *h = append(*h, x.(queued)) }
func (h *tracks) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// due is the real time at which an item may be sent.
func (s *Sim) due(it *item) time.Time {
	t := time.Unix(it.latest(), 0)
	if p := s.cfg.pace(); p > 0 {
		gone := time.Duration(it.at)*time.Millisecond - time.Duration(s.cfg.Start.UnixMilli())*time.Millisecond
		if paced := s.began.Add(time.Duration(float64(gone) / p)); paced.After(t) {
			t = paced
		}
	}
	return t
}

// sent counts and writes down an item that is sent for the first time.
func (s *Sim) sent(it *item, v *vehicle) {
	switch it.kind {
	case itemPosition, itemBatch:
		s.n.positions.sent.Add(int64(len(it.fixes())))
	case itemCard:
		s.n.cards.sent.Add(1)
	case itemWeighing:
		s.n.weighings.sent.Add(1)
	}
	s.out.events(it, v)
}

// acked counts an item that the platform has, and writes down what it proves.
func (s *Sim) acked(it *item, v *vehicle) {
	switch it.kind {
	case itemPosition, itemBatch:
		s.n.positions.acked.Add(int64(len(it.fixes())))
		if s.cfg.OnAck != nil {
			for _, f := range it.fixes() {
				s.cfg.OnAck(v.Vehicle, f.t*1000)
			}
		}
	case itemCard:
		s.n.cards.acked.Add(1)
	case itemWeighing:
		s.n.weighings.acked.Add(1)
	}
	for _, t := range it.truths {
		for i, k := range violationOrder {
			if k == t.Kind {
				s.n.found[i].Add(1)
			}
		}
		s.out.truth(t)
	}
}

// refused counts an item that the platform will never take.
func (s *Sim) refused(it *item) {
	switch it.kind {
	case itemPosition, itemBatch:
		s.n.positions.refused.Add(int64(len(it.fixes())))
	case itemCard:
		s.n.cards.refused.Add(1)
	case itemWeighing:
		s.n.weighings.refused.Add(1)
	}
}

// warn logs what many vehicles may meet alike only once.
func (s *Sim) warn(msg string, args ...any) {
	if _, known := s.warned.LoadOrStore(msg, true); !known {
		s.log.Warn(msg+"; logged once for all vehicles", args...)
	}
}

func (s *Sim) report() Report {
	count := func(c *struct{ sent, acked, refused atomic.Int64 }) Count {
		return Count{c.sent.Load(), c.acked.Load(), c.refused.Load()}
	}
	n := &s.n
	r := Report{Positions: count(&n.positions), Cards: count(&n.cards), Weighings: count(&n.weighings), Resent: n.resent.Load(),
		Connections: n.connections.Load(), Breaks: n.breaks.Load(), Registered: n.registered.Load(), Prompts: n.prompts.Load(),
		Faults: map[Fault]int64{}, Planned: map[detect.Kind]int64{}, Violations: map[detect.Kind]int64{}, Unfinished: n.unfinished.Load()}
	for i, k := range violationOrder {
		r.Planned[k], r.Violations[k] = n.planned[i].Load(), n.found[i].Load()
	}
	for i, f := range faultOrder {
		r.Faults[f] = n.faults[i].Load()
	}
	return r
}

// sink writes events and truth for all vehicles. A writer that fails ends the run.
type sink struct {
	mu               sync.Mutex
	sim              *Sim
	eventsTo, truths *bufio.Writer
	buf              []byte
}

func (o *sink) open(s *Sim) {
	o.sim = s
	buffered := func(w io.Writer) *bufio.Writer {
		if w == nil {
			return nil
		}
		return bufio.NewWriterSize(w, 64<<10)
	}
	o.eventsTo, o.truths = buffered(s.cfg.Events), buffered(s.cfg.Truth)
}

func (o *sink) events(it *item, v *vehicle) {
	if o.eventsTo == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = o.buf[:0]
	it.events(v, func(e *ingest.Event) {
		if o.sim.shape(e) {
			o.buf = append(eventfile.AppendJSON(o.buf, e), '\n')
		}
	})
	o.put(o.eventsTo, "events")
}

func (o *sink) truth(t *Truth) {
	if o.truths == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(t.AppendJSON(o.buf[:0]), '\n')
	o.put(o.truths, "truth")
	// Truth is little and precious: it is there when the process is killed.
	if err := o.truths.Flush(); err != nil {
		o.sim.fail(fmt.Errorf("sim: truth: %w", err))
	}
}

func (o *sink) put(w *bufio.Writer, what string) {
	if _, err := w.Write(o.buf); err != nil {
		o.sim.fail(fmt.Errorf("sim: %s: %w", what, err))
	}
}

func (o *sink) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range [...]struct {
		*bufio.Writer
		what string
	}{{o.eventsTo, "events"}, {o.truths, "truth"}} {
		if w.Writer != nil {
			if err := w.Flush(); err != nil {
				return fmt.Errorf("sim: %s: %w", w.what, err)
			}
		}
	}
	return nil
}
