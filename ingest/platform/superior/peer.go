package superior

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// peer is an inferior platform of the settings.
//
// Lock order: asking, then mu; vehicles.mu and serials are taken last.
type peer struct {
	s        *Superior
	cfg      PeerConfig
	password string
	prefixes []netip.Prefix
	metrics  peerMetrics
	mainLink *link.Metrics
	subLink  *link.Metrics
	serials  *link.Serials // of what we send, over both links
	vehicles vehicles
	seen     received // serials of what it sends
	alarms   alarms

	asking sync.Mutex // a request is being sent and noted: its answer waits

	// Counts of positions, since the start.
	positions, backfill, bad atomic.Uint64
	lastPosition             atomic.Int64 // Unix ms
	counted                  atomic.Uint64
	serving                  atomic.Bool // a 0x1209

	mu         sync.Mutex
	edition    jt809.Edition // learnt or set; EditionAuto before the first login
	main       *mainLink     // logged in
	sub        *subLink      // logged in
	mainState  platform.LinkState
	subState   platform.LinkState
	verify     uint32             // code of the last login
	subAddress string             // where the sub link is dialled
	stopDial   context.CancelFunc // ends the dialling of the login before
	mainLost   time.Time          // while the sub link is alone
	lastLogin  time.Time
	lastFailed time.Time
	failedWhy  string
	left       bool // Shutdown has said goodbye
	sent       sentRing
	outages    outages
	rate       rate
	nextAsk    time.Time // of the inspection on schedule
	inspecting bool
	staticLeft float64 // 0x9601 that may be sent now
	staticAt   time.Time
	tokens     map[string]tokens // by platform id
	count      positionCount
}

// positionCount is what the next 0x9101 tells.
type positionCount struct {
	n     int
	since int64 // Unix ms
}

// tokens are those of the day for video (0x1701).
type tokens struct {
	home, other jt808.Text
	at          int64 // Unix ms
}

func newPeer(s *Superior, cfg PeerConfig) *peer {
	p := &peer{s: s, cfg: cfg, edition: cfg.edition(), serials: &link.Serials{}, metrics: s.metrics.of(cfg.Name),
		mainLink: s.links.Of(cfg.Name, link.Main), subLink: s.links.Of(cfg.Name, link.Sub), tokens: map[string]tokens{}}
	p.serials.SetEdition(p.edition)
	p.prefixes, _ = cfg.prefixes() // Validate has read them
	p.vehicles.max = s.cfg.MaxVehicles
	p.alarms.max = s.cfg.RememberAlarms
	p.sent.max = s.cfg.Resend
	now := platform.Time(s.now().UnixMilli())
	p.mainState = platform.LinkState{State: platform.LinkDown, Since: now}
	p.subState = platform.LinkState{State: platform.LinkOff, Since: now}
	p.staticLeft, p.staticAt = float64(s.cfg.MaxStatic), s.now()
	return p
}

// options are those of the peer's links.
func (p *peer) options(m *link.Metrics) link.Options {
	return link.Options{Name: p.cfg.Name, Edition: p.ed(), Centre: p.cfg.AccessCode, Version: [3]byte{1, 2, 15}, Cipher: p.cfg.cipher(), Encrypt: p.cfg.Encrypt,
		MaxFrame: p.s.cfg.MaxFrame, MaxQueue: p.s.cfg.MaxQueue, WriteTimeout: p.s.cfg.WriteTimeout, Serials: p.serials, Now: p.s.now, Logger: p.s.logger, Metrics: m}
}

func (p *peer) ed() jt809.Edition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.edition
}

// learn takes the edition that the peer has turned out to have, unless the settings say it.
func (p *peer) learn(ed jt809.Edition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cfg.edition() != jt809.EditionAuto || p.edition == ed || ed == jt809.EditionAuto {
		return
	}
	p.edition = ed
	p.serials.SetEdition(ed)
	for _, c := range []*worker{p.main.worker(), p.sub.worker()} {
		if c != nil {
			c.conn.SetEdition(ed)
		}
	}
}

// setState notes the state of a link. mu is held.
func (p *peer) setState(l *platform.LinkState, state, address, note string) {
	if l.State == platform.LinkUp && state != platform.LinkUp {
		l.Breaks++
	}
	if l.State != state {
		l.Since = platform.Time(p.s.now().UnixMilli())
	}
	l.State, l.Address, l.Note = state, address, note
	p.metrics.mainUp.Set(truth(p.mainState.State == platform.LinkUp))
	p.metrics.subUp.Set(truth(p.subState.State == platform.LinkUp))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// route is the connection for what goes down: the sub link, or the main link while that is not there (7.5).
func (p *peer) route() *link.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.sub != nil:
		return p.sub.conn
	case p.main != nil:
		return p.main.conn
	}
	return nil
}

// containerOf is the message that a sub-message goes in; that of the link itself is its own.
func containerOf(id jt809.MessageID) (message, sub jt809.MessageID) {
	if id >= 0x9200 || id >= 0x1200 && id < 0x9000 {
		return id &^ 0xff, id
	}
	switch id {
	case jt809.IDTransferQuery, jt809.IDSerialNoticeDown:
		return id, id
	}
	return id, 0
}

// envelope makes an envelope for a message to the peer.
func envelope(id jt809.MessageID, v *ingest.Vehicle) *jt809.Envelope {
	e := &jt809.Envelope{}
	e.ID, e.Sub = containerOf(id)
	if v != nil && !v.IsZero() {
		e.SetVehicle(*v)
		e.HasVehicle = true
	}
	return e
}

// send sends a message down over whichever link is up, and keeps it for 0x1303. It never blocks; whoever lets the queue
// fill up is cut off.
func (p *peer) send(id jt809.MessageID, v *ingest.Vehicle, m jt809.Body) (serial uint32, err error) {
	return p.sendOver(p.route(), id, v, m)
}

func (p *peer) sendOver(c *link.Conn, id jt809.MessageID, v *ingest.Vehicle, m jt809.Body) (serial uint32, err error) {
	if c == nil {
		return 0, platform.ErrOffline
	}
	e := envelope(id, v)
	if m != nil {
		e.Data = jt809.AppendBody(nil, p.ed(), m)
	}
	return p.sendEnvelope(c, e)
}

func (p *peer) sendEnvelope(c *link.Conn, e *jt809.Envelope) (serial uint32, err error) {
	serial, err = c.Send(e, nil)
	if errors.Is(err, link.ErrFull) {
		c.Close(reasonSlowReader)
	}
	if err == nil {
		p.mu.Lock()
		if p.edition == jt809.Edition2019 && e.ID >= 0x9200 {
			p.sent.add(e, serial, p.s.now().Unix())
		}
		p.mu.Unlock()
	}
	return serial, err
}

// leave says goodbye on both links, for Shutdown.
func (p *peer) leave() {
	p.mu.Lock()
	p.left = true
	main, sub := p.main, p.sub
	if p.stopDial != nil {
		p.stopDial()
	}
	p.mu.Unlock()
	if main != nil {
		main.conn.Send(&jt809.Envelope{ID: jt809.IDSuperiorCloses}, &jt809.SuperiorCloses{})
		main.conn.Close(reasonShutdown)
	}
	if sub != nil {
		sub.conn.Close(reasonShutdown)
	}
}

// closeBoth closes both links.
func (p *peer) closeBoth(reason string) {
	p.mu.Lock()
	main, sub := p.main, p.sub
	if p.stopDial != nil {
		p.stopDial()
	}
	p.mu.Unlock()
	if main != nil {
		main.conn.Close(reason)
	}
	if sub != nil {
		sub.conn.Close(reason)
	}
}

// tick looks at the peer's clocks.
func (p *peer) tick(now time.Time) {
	p.mu.Lock()
	main, sub := p.main, p.sub
	alone := sub != nil && main == nil && !p.mainLost.IsZero() && now.Sub(p.mainLost) > p.s.cfg.SubAlone
	p.rate.tick(now, p.positions.Load())
	ask := p.outages.due(now, p.s.cfg.BackfillWithin)
	inspect := p.inspectionDue(now)
	p.mu.Unlock()
	if main != nil && now.Sub(main.conn.LastRead()) > p.s.cfg.Silence {
		main.conn.Close(reasonSilence)
	}
	if sub != nil {
		switch {
		case now.Sub(sub.conn.LastRead()) > p.s.cfg.Silence:
			sub.conn.Close(reasonSilence)
		case alone:
			sub.conn.Send(&jt809.Envelope{ID: jt809.IDSubLogout}, &jt809.SubLogout{VerifyCode: sub.code})
			sub.conn.Close(reasonAlone)
		case now.Sub(sub.lastAsk()) >= p.s.cfg.Heartbeat:
			sub.asked(now)
			if _, err := sub.conn.Send(&jt809.Envelope{ID: jt809.IDSubHeartbeat}, nil); errors.Is(err, link.ErrFull) {
				sub.conn.Close(reasonSlowReader)
			}
		}
	}
	for _, g := range ask {
		p.askOutage(g)
	}
	p.askSerials(now)
	if inspect {
		p.s.running.Go(func() { p.inspect(now) })
	}
}

// vehicles are those that a peer has reported.
type vehicles struct {
	mu    sync.RWMutex
	max   int
	byKey map[[22]byte]*vehicle
	by    map[ingest.Vehicle]*vehicle
}

// vehicle is one of them. What does not change is read without a lock.
type vehicle struct {
	ingest.Vehicle
	partition int
	seen      atomic.Int64 // last position received, Unix ms
	asked     atomic.Int64 // last 0x9601, Unix ms
}

// at returns the vehicle of raw plate and colour, made by who has it as an envelope; nil where the plate can't be one.
func (vs *vehicles) at(e *jt809.Envelope, partitions int) *vehicle {
	key := e.Key()
	vs.mu.RLock()
	v := vs.byKey[key]
	vs.mu.RUnlock()
	if v != nil {
		return v
	}
	id, err := e.Vehicle()
	if err != nil {
		return nil
	}
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.by == nil {
		vs.byKey, vs.by = map[[22]byte]*vehicle{}, map[ingest.Vehicle]*vehicle{}
	}
	if v = vs.by[id]; v == nil { // the same plate may be padded in several ways
		if len(vs.by) >= vs.max {
			for old := range vs.by {
				delete(vs.by, old)
				break
			}
		}
		v = &vehicle{Vehicle: id, partition: id.Partition(partitions)}
		vs.by[id] = v
	}
	if len(vs.byKey) >= vs.max {
		for old := range vs.byKey {
			delete(vs.byKey, old)
			break
		}
	}
	vs.byKey[key] = v
	return v
}

func (vs *vehicles) get(v ingest.Vehicle) *vehicle {
	vs.mu.RLock()
	defer vs.mu.RUnlock()
	return vs.by[v]
}

func (vs *vehicles) len() int {
	vs.mu.RLock()
	defer vs.mu.RUnlock()
	return len(vs.by)
}

// reporter is the peer that reported the vehicle last; nil where none has, or but the one that is left out.
func (s *Superior) reporter(v ingest.Vehicle, but *peer) *peer {
	var best *peer
	var at int64
	for _, p := range s.peers {
		if p == but {
			continue
		}
		if seen := p.vehicles.get(v); seen != nil {
			if t := seen.seen.Load(); best == nil || t > at {
				best, at = p, t
			}
		}
	}
	return best
}

// rate is positions a second over the last minute, from samples of 5 s.
type rate struct {
	at     [13]time.Time
	n      [13]uint64
	filled int
}

func (r *rate) tick(now time.Time, n uint64) {
	if r.filled > 0 && now.Sub(r.at[r.filled-1]) < 5*time.Second {
		return
	}
	if r.filled == len(r.at) {
		copy(r.at[:], r.at[1:])
		copy(r.n[:], r.n[1:])
		r.filled--
	}
	r.at[r.filled], r.n[r.filled] = now, n
	r.filled++
}

// perSecond is the rate at the time now.
func (r *rate) perSecond(now time.Time, n uint64) float64 {
	if r.filled == 0 {
		return 0
	}
	d := now.Sub(r.at[0]).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(n-r.n[0]) / d
}

// timeOf is a time for people, null where it has not been.
func timeOf(t time.Time) platform.Time {
	if t.IsZero() {
		return 0
	}
	return platform.Time(t.UnixMilli())
}
