package inferior

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// peer is one superior platform. Lock order: asking, mu. Neither is held while the log or a socket is waited for, but
// asking, which is there to do so.
type peer struct {
	i        *Inferior
	cfg      PeerConfig
	edition  jt809.Edition
	version  [3]byte
	countID  jt809.MessageID
	password string
	choice   *choice
	serials  *link.Serials
	log      *slog.Logger
	metrics  *peerMetrics
	counts   [2]*link.Metrics // of the main and the sub link
	flows    []*flow
	senders  map[int]*sender // by partition of the events; each is the run's reader's
	ring     *ring
	stats    stats

	tasks     chan func(ctx context.Context)
	control   chan struct{} // a token for each request that is on its way to a vehicle
	commits   chan struct{} // something is proven that is not committed
	finished  chan struct{} // closed when no task will come any more
	asking    sync.Mutex    // between sending a request and having it in the book
	forwarded chan struct{} // closed when forwardLoop has ended

	data    atomic.Pointer[link.Conn] // the link that carries data now; nil: both are down
	changes atomic.Uint64             // grows when the choice of a vehicle may have changed

	mu        sync.Mutex
	main, sub *link.Conn    // logged in; nil otherwise
	gone      [2]bool       // main, sub: closed, as who sends found, though it is not taken away yet
	changed   chan struct{} // closed and made anew when a link comes or goes
	logins    uint64
	waiting   bool // for 0x1002
	code      uint32
	hasCode   bool
	session   *mainLink
	run       *run // the last that was started
	states    [2]platform.LinkState
	exchange  map[ingest.Vehicle]string // asked for by 0x9205: id of the request in the book
	visitors  map[ingest.Vehicle]int64  // came from the peer: when it was noted, Unix ms
	facts     map[ingest.Vehicle]*facts
	stored    []message // answers that wait for a link
	received  map[jt809.MessageID]serialAt
	alarms    alarmMemory
	lastLogin int64 // Unix ms
	failedAt  int64
	failedWhy string
	counted   uint64 // by its last 0x9101
	cutAt     int64  // when both links were down; 0: they are not
	gaps      []platform.Gap
}

// facts is what was last seen of a vehicle, for 0x920A and 0x920B.
type facts struct {
	driver  *ingest.DriverCard
	waybill *ingest.Waybill
}

// message is one that could not be sent.
type message struct {
	envelope jt809.Envelope
	body     jt809.Body
}

type serialAt struct {
	serial uint32
	time   int64 // Unix s
}

func newPeer(i *Inferior, cfg PeerConfig, vectors *link.Vectors) (*peer, error) {
	p := &peer{i: i, cfg: cfg, log: i.log.With("peer", cfg.Name), metrics: i.metrics.of(cfg.Name),
		counts:  [2]*link.Metrics{vectors.Of(cfg.Name, link.Main), vectors.Of(cfg.Name, link.Sub)},
		senders: map[int]*sender{}, tasks: make(chan func(context.Context), 256), control: make(chan struct{}, i.cfg.MaxControl),
		commits: make(chan struct{}, 1), finished: make(chan struct{}), forwarded: make(chan struct{}), changed: make(chan struct{}),
		exchange: map[ingest.Vehicle]string{}, visitors: map[ingest.Vehicle]int64{}, facts: map[ingest.Vehicle]*facts{},
		received: map[jt809.MessageID]serialAt{}}
	var err error
	if p.edition, err = cfg.edition(); err != nil {
		return nil, err
	}
	if p.version, err = cfg.version(); err != nil {
		return nil, err
	}
	if p.countID, err = cfg.countID(); err != nil {
		return nil, err
	}
	if p.password, err = cfg.password(); err != nil {
		return nil, err
	}
	if p.choice, err = newChoice(cfg.Forward); err != nil {
		return nil, err
	}
	p.serials = link.NewSerials(p.edition)
	if p.edition == jt809.Edition2019 && i.cfg.RetransmitBytes > 0 {
		p.ring = newRing(i.cfg.RetransmitBytes)
	}
	p.alarms.limit = i.cfg.RememberAlarms
	p.flows = []*flow{{source: i.deps.Events, group: ForwardGroup(cfg.Name), take: p.takeEvents, from: cfg.From}}
	if i.deps.Violations != nil && len(cfg.Alarms.Kinds) > 0 {
		p.flows = append(p.flows, &flow{source: i.deps.Violations, group: AlarmsGroup(cfg.Name), take: p.takeViolations, from: FromNow})
	}
	now := platform.Time(i.now().UnixMilli())
	p.states[0] = platform.LinkState{State: platform.LinkDown, Since: now}
	p.states[1] = platform.LinkState{State: platform.LinkDown, Since: now}
	if i.cfg.Listen == "" {
		p.states[1].State = platform.LinkOff
	}
	return p, nil
}

// options of a connection of the peer; n is 0 for the main link and 1 for the sub link.
func (p *peer) options(n int) link.Options {
	c := &p.i.cfg
	return link.Options{Name: p.cfg.Name, Edition: p.edition, Centre: p.cfg.AccessCode, Version: p.version, Cipher: p.cfg.cipher(),
		Encrypt: p.cfg.Encrypt, MaxFrame: c.MaxFrame, MaxQueue: c.MaxQueue, WriteTimeout: c.WriteTimeout, Serials: p.serials,
		Now: p.i.now, Logger: p.log, Metrics: p.counts[n]}
}

// setState notes the state of a link. mu is held.
func (p *peer) setState(n int, state, note string) {
	s := &p.states[n]
	if s.State != state {
		if s.State == platform.LinkUp {
			s.Breaks++
			if c := [2]*link.Conn{p.main, p.sub}[n]; c != nil {
				s.LastRead, s.LastWrite = platform.Time(c.LastRead().UnixMilli()), platform.Time(c.LastWrite().UnixMilli())
			}
		}
		s.State, s.Since = state, platform.Time(p.i.now().UnixMilli())
	}
	s.Note = note
	p.metrics.up[n].Set(truth(state == platform.LinkUp))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// linksChanged chooses the link for data (7.5) and tells who waits. mu is held.
func (p *peer) linksChanged() {
	c := p.main
	if c == nil || p.gone[0] {
		if c = p.sub; p.gone[1] {
			c = nil
		}
	}
	now := p.i.now().UnixMilli()
	switch before := p.data.Swap(c); {
	case c == nil && before != nil:
		p.cutAt = now
		p.gaps = append(p.gaps, platform.Gap{From: platform.Time(now)})
		if len(p.gaps) > maxGaps {
			p.gaps = append(p.gaps[:0], p.gaps[1:]...)
		}
	case c != nil && before == nil && len(p.gaps) > 0 && p.gaps[len(p.gaps)-1].To == 0:
		p.gaps[len(p.gaps)-1].To = platform.Time(now)
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

// maxGaps is how many outages are told of.
const maxGaps = 100

// mainUp notes a login.
func (p *peer) mainUp(s *mainLink, code uint32) {
	p.mu.Lock()
	p.main, p.session, p.code, p.hasCode = s.conn, s, code, true
	p.gone[0] = false
	p.logins++
	s.login = p.logins
	p.lastLogin = p.i.now().UnixMilli()
	p.states[0].Address = s.address
	p.setState(0, platform.LinkUp, "")
	p.linksChanged()
	stored := p.stored
	p.stored = nil
	p.mu.Unlock()
	p.metrics.logins.Inc()
	p.stats.linkUp(p.i.now())
	for n := range stored {
		m := &stored[n]
		p.reply(m.envelope, m.body)
	}
}

// mainDown notes the end of a main link that was logged in, and tells the peer over the sub link.
func (p *peer) mainDown(s *mainLink, why string) {
	p.mu.Lock()
	if p.main != s.conn {
		p.mu.Unlock()
		return
	}
	p.setState(0, platform.LinkDown, why)
	if why == noteLogout { // as we wanted it
		p.states[0].Breaks--
	}
	p.main, p.session = nil, nil
	p.gone[0] = false
	p.states[0].Address = ""
	sub := p.sub
	p.linksChanged()
	p.mu.Unlock()
	if why == noteLogout {
		return
	}
	p.metrics.breaks[0].Inc()
	p.stats.linkDown(p.i.now())
	if sub != nil && p.i.soft.Err() == nil {
		// 7.4: the superior is to know that data come over the sub link for now.
		sub.Send(&jt809.Envelope{ID: jt809.IDMainBroken}, &jt809.MainBroken{})
	}
}

// subUp makes c the sub link; one that is there gives way.
func (p *peer) subUp(c *link.Conn, address string) {
	p.mu.Lock()
	old := p.sub
	p.sub = c
	p.gone[1] = false
	p.states[1].Address = address
	p.setState(1, platform.LinkUp, "")
	alone := p.main == nil
	p.linksChanged()
	p.mu.Unlock()
	if alone && p.i.soft.Err() == nil { // the main link broke while this one was being made
		c.Send(&jt809.Envelope{ID: jt809.IDMainBroken}, &jt809.MainBroken{})
	}
	if old != nil && old != c {
		old.Close("replaced by a new sub link")
	}
}

func (p *peer) subDown(c *link.Conn, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != c {
		return
	}
	p.setState(1, platform.LinkDown, why)
	p.sub = nil
	p.gone[1] = false
	p.states[1].Address = ""
	p.linksChanged()
	p.metrics.breaks[1].Inc()
}

func (p *peer) closeSub() {
	p.mu.Lock()
	sub, main := p.sub, p.main
	p.mu.Unlock()
	if sub == nil {
		return
	}
	if main == nil && !p.loggedOut() {
		// There was no main link to log out on: 7.4.
		sub.Send(&jt809.Envelope{ID: jt809.IDInferiorCloses}, &jt809.InferiorCloses{})
	}
	sub.Close("shutdown")
}

// loggedOut reports whether the last main link ended with a logout.
func (p *peer) loggedOut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[0].Note == noteLogout
}

// await returns the channel that is closed at the next change of the links, and what they are now.
func (p *peer) await() (changed <-chan struct{}, data *link.Conn, logins uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed, p.data.Load(), p.logins
}

// send sends a message on the link that carries data.
func (p *peer) send(ctx context.Context, e *jt809.Envelope, m jt809.Body) (serial uint32, err error) {
	for {
		c := p.data.Load()
		if c == nil {
			return 0, platform.ErrOffline
		}
		wait, cancel := context.WithTimeout(ctx, p.i.cfg.WriteTimeout)
		serial, err = c.SendWait(wait, e, m)
		cancel()
		if err == nil {
			p.keep(e, m, serial)
			return serial, nil
		}
		if !errors.Is(err, link.ErrClosed) {
			return 0, err
		}
		p.leave(c)
	}
}

// leave takes c, which is closed, for one that carries no data any more. Who runs the link may notice later, and must not be
// waited for: it may be the one who sends, or wait for him.
func (p *peer) leave(c *link.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.data.Load() != c {
		return
	}
	for n, l := range [...]*link.Conn{p.main, p.sub} {
		p.gone[n] = p.gone[n] || l == c
	}
	p.linksChanged()
}

// carried waits until a link carries data.
func (p *peer) carried(ctx context.Context) error {
	for {
		changed, data, _ := p.await()
		if data != nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reply sends an answer; while both links are down it waits for the next login.
func (p *peer) reply(e jt809.Envelope, m jt809.Body) (serial uint32, err error) {
	serial, err = p.send(p.i.hard, &e, m)
	if err == nil {
		return serial, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.stored) >= p.i.cfg.MaxStored {
		p.stored = append(p.stored[:0], p.stored[1:]...)
		p.metrics.unsent.Inc()
	}
	p.stored = append(p.stored, message{e, m})
	p.log.Warn("an answer could not be sent; it waits for the next login", "message", e.Message(), "err", err)
	return 0, err
}

// keep puts a message into the ring of what 0x9303 may ask for.
func (p *peer) keep(e *jt809.Envelope, m jt809.Body, serial uint32) {
	if p.ring == nil {
		return
	}
	data := e.Data
	if m != nil {
		data = jt809.AppendBody(nil, p.edition, m)
	}
	p.ring.add(e, data, serial, p.i.now().Unix())
}

// commitLoop commits what is proven, until the peer is finished.
func (p *peer) commitLoop() {
	for last := false; !last; {
		select {
		case <-p.commits:
		case <-p.finished:
			last = true
		}
		for _, f := range p.flows {
			for {
				next := f.uncommitted()
				if len(next) == 0 {
					break
				}
				if err := f.source.Commit(p.i.hard, f.group, next); err != nil {
					if p.i.hard.Err() != nil {
						return
					}
					p.log.Error("offsets could not be committed; what they cover would be sent again after a restart", "group", f.group, "err", err)
					if last || !pause(p.i.soft, time.Second) {
						break
					}
					continue
				}
				f.committedTo(next)
			}
		}
	}
}

// work does the tasks in their order until the peer is finished.
func (p *peer) work() {
	for {
		select {
		case f := <-p.tasks:
			f(p.i.hard)
		case <-p.finished:
			for {
				select {
				case f := <-p.tasks:
					f(p.i.hard)
				default:
					return
				}
			}
		}
	}
}

// do puts a task behind those that wait; a full queue slows the reading of the link.
func (p *peer) do(f func(ctx context.Context)) {
	select {
	case p.tasks <- f:
	case <-p.i.hard.Done():
	}
}

// pause waits d and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
