package superior

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/register"
)

const patience = 15 * time.Second

// fakeLog is the events topic in memory; it can be stalled, and refuse.
type fakeLog struct {
	mu      sync.Mutex
	events  []ingest.Event
	bytes   int
	stalled chan struct{} // not nil: Wait waits until it is closed
	waiting chan struct{} // gets a value when a Wait begins to wait
	refuse  error
	keep    bool
	parts   int
}

func newLog() *fakeLog { return &fakeLog{keep: true, parts: 4, waiting: make(chan struct{}, 1000)} }

func (l *fakeLog) Partitions() int { return l.parts }
func (l *fakeLog) NewBatch() Batch { return &fakeBatch{l: l} }

type fakeBatch struct {
	l *fakeLog
	n int
}

func (b *fakeBatch) Append(_ context.Context, partition int, payload []byte) error {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	b.n++
	b.l.bytes += len(payload)
	if !b.l.keep {
		return nil
	}
	for rest := slices.Clone(payload); len(rest) > 0; {
		var e ingest.Event
		var err error
		if rest, err = ingest.DecodeEvent(rest, &e); err != nil {
			return err
		}
		if e.Vehicle.Partition(b.l.parts) != partition {
			return errors.New("a vehicle in the wrong partition")
		}
		b.l.events = append(b.l.events, e)
	}
	return nil
}

func (b *fakeBatch) Wait(ctx context.Context) error {
	b.l.mu.Lock()
	stalled, refuse := b.l.stalled, b.l.refuse
	b.l.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	if stalled != nil {
		b.l.waiting <- struct{}{}
		select {
		case <-stalled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *fakeLog) of(kind ingest.Kind) (out []ingest.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// pages is the topic of requests in memory.
type pages struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (p *pages) Load(_ context.Context, fn func(key, value []byte) error) error { return nil }
func (p *pages) Write(_ context.Context, key, value []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m = map[string][]byte{}
	}
	p.m[string(key)] = slices.Clone(value)
	return nil
}

type fakeVehicles struct {
	mu    sync.Mutex
	known map[ingest.Vehicle]bool
	put   []register.Report
}

func (f *fakeVehicles) Known(v ingest.Vehicle) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[v]
}

func (f *fakeVehicles) Put(_ context.Context, r register.Report) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put = append(f.put, r)
	return nil
}

// hub is a superior platform under test, with everything that it stands on.
type hub struct {
	*Superior
	log      *fakeLog
	book     *platform.Book
	vehicles *fakeVehicles
	deps     Deps
}

const (
	centre   = uint32(20211230)
	user     = uint32(610023)
	password = "Wk7#pq2z"
)

// testConfig has short times where a test waits for them, and long ones where it must not come to it.
func testConfig(peers ...PeerConfig) Config {
	c := DefaultConfig()
	c.Listen = "127.0.0.1:0"
	c.Tick = 10 * time.Millisecond
	c.RefusedDelay = 0
	c.RedialDelay, c.RedialSlow = 10*time.Millisecond, 20*time.Millisecond
	if len(peers) == 0 {
		peers = []PeerConfig{onePeer()}
	}
	c.Peers = peers
	return c
}

func onePeer() PeerConfig {
	return PeerConfig{Name: "alpha", AccessCode: centre, User: user, Password: password, AskStatic: true, PlatformID: "53010000001"}
}

func start(t *testing.T, cfg Config, change func(d *Deps)) *hub {
	t.Helper()
	h := &hub{log: newLog(), vehicles: &fakeVehicles{known: map[ingest.Vehicle]bool{}}}
	logger := slog.New(slog.DiscardHandler)
	reg := prometheus.NewRegistry()
	h.book = platform.NewBook(&pages{}, logger, reg)
	h.deps = Deps{Log: h.log, Book: h.book, Vehicles: h.vehicles, Logger: logger, Registerer: reg}
	if change != nil {
		change(&h.deps)
	}
	var err error
	if h.Superior, err = New(cfg, h.deps); err != nil {
		t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		h.Shutdown(ctx)
	})
	return h
}

// platformScript is an inferior platform that does what a test says.
type platformScript struct {
	t        *testing.T
	hub      *hub
	ed       jt809.Edition
	cipher   jt809.Cipher
	key      uint32 // not 0: what it sends is encrypted
	centre   uint32
	user     uint32
	password string
	listener net.Listener
	main     *scriptLink
	sub      *scriptLink
	verify   uint32
	serial   uint32
}

// scriptLink is one of its connections.
type scriptLink struct {
	t      *testing.T
	nc     net.Conn
	frames chan scriptFrame
	done   chan struct{}
	kept   []scriptFrame // read and not asked for yet

	stopped atomic.Bool
}

// stop lets it read no more after the next frame.
func (l *scriptLink) stop() { l.stopped.Store(true) }

type scriptFrame struct {
	h   jt809.Header
	env jt809.Envelope
}

func newScript(t *testing.T, h *hub, ed jt809.Edition) *platformScript {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &platformScript{t: t, hub: h, ed: ed, centre: centre, user: user, password: password, listener: l}
}

func (s *platformScript) open(nc net.Conn) *scriptLink {
	l := &scriptLink{t: s.t, nc: nc, frames: make(chan scriptFrame, 100_000), done: make(chan struct{})}
	s.t.Cleanup(func() { nc.Close() })
	go func() {
		defer close(l.done)
		defer nc.Close()
		var f jt809.Framer
		buf, held := make([]byte, 1<<20), 0
		for {
			if l.stopped.Load() {
				return
			}
			n, err := nc.Read(buf[held:])
			held += n
			at := 0
			for {
				frame, used, ferr := f.Next(buf[at:held])
				at += used
				if ferr != nil {
					s.t.Errorf("the superior wrote a bad frame: %v", ferr)
					continue
				}
				if frame == nil {
					break
				}
				var x scriptFrame
				body, err := x.h.Decode(frame, s.ed)
				if err != nil {
					s.t.Error(err)
					continue
				}
				body = slices.Clone(body)
				if x.h.Encrypted {
					s.cipher.Apply(x.h.Key, body)
				}
				if err := x.env.Decode(x.h.ID, body, s.ed); err != nil {
					s.t.Error(err)
				}
				x.env.Data = slices.Clone(x.env.Data)
				l.frames <- x
			}
			held = copy(buf, buf[at:held])
			if err != nil {
				return
			}
		}
	}()
	return l
}

// dial opens a main link.
func (s *platformScript) dial() *platformScript {
	nc, err := net.Dial("tcp", s.hub.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.main = s.open(nc)
	return s
}

func (s *platformScript) frame(serial uint32, e *jt809.Envelope, m jt809.Body) []byte {
	env := *e
	if m != nil {
		env.Data = jt809.AppendBody(nil, s.ed, m)
	}
	h := jt809.Header{ID: e.ID, Serial: serial, Centre: s.centre, Version: [3]byte{1, 2, 15}, Edition: s.ed, Time: 1717569012, Encrypted: s.key != 0, Key: s.key}
	return jt809.AppendFrame(nil, &h, s.cipher, env.Append(nil, s.ed))
}

// send sends a message on a link and returns its serial.
func (s *platformScript) send(l *scriptLink, id jt809.MessageID, v *ingest.Vehicle, m jt809.Body) uint32 {
	s.t.Helper()
	s.serial++
	if _, err := l.nc.Write(s.frame(s.serial, envelope(id, v), m)); err != nil {
		s.t.Fatal(err)
	}
	return s.serial
}

// login logs in and returns the result of 0x1002.
func (s *platformScript) login() uint8 {
	s.t.Helper()
	s.dial()
	addr := s.listener.Addr().(*net.TCPAddr)
	m := &jt809.Login{UserID: s.user, Password: jt808.Text(s.password), DownLinkIP: jt808.Text(addr.IP.String()), DownLinkPort: uint16(addr.Port)}
	if s.ed == jt809.Edition2019 {
		m.CentreID = s.centre
	}
	s.send(s.main, jt809.IDLogin, nil, m)
	var r jt809.LoginReply
	s.main.get(jt809.IDLoginReply, s.ed, &r)
	s.verify = r.VerifyCode
	return r.Result
}

// takeSub answers the superior's dialling of the sub link with a result. What it had dialled for an earlier login is
// refused.
func (s *platformScript) takeSub(result uint8) *scriptLink {
	s.t.Helper()
	s.listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			s.t.Fatal(err)
		}
		l := s.open(nc)
		var x scriptFrame
		select {
		case x = <-l.frames:
		case <-l.done:
			if len(l.frames) == 0 {
				continue
			}
			x = <-l.frames
		}
		var m jt809.SubLogin
		if err := jt809.Decode(x.env.Data, s.ed, &m); err != nil || x.h.ID != jt809.IDSubLogin {
			s.t.Fatalf("%v came first: %v", x.h.ID, err)
		}
		if m.VerifyCode != s.verify {
			nc.Write(s.frame(1, envelope(jt809.IDSubLoginReply, nil), &jt809.SubLoginReply{Result: jt809.SubLoginBadCode})) // it may be closed already
			continue
		}
		s.send(l, jt809.IDSubLoginReply, nil, &jt809.SubLoginReply{Result: result})
		return l
	}
}

// both logs in on both links.
func (s *platformScript) both() *platformScript {
	s.t.Helper()
	if r := s.login(); r != 0 {
		s.t.Fatalf("login: result %d", r)
	}
	s.sub = s.takeSub(0)
	eventually(s.t, "the sub link is up", func() bool { return s.hub.Peers()[0].Sub.State == platform.LinkUp })
	return s
}

// get waits for a message and reads it into m; what came before it is kept.
func (l *scriptLink) get(id jt809.MessageID, ed jt809.Edition, m jt809.Body) scriptFrame {
	l.t.Helper()
	read := func(x scriptFrame) scriptFrame {
		if m != nil {
			if err := jt809.Decode(x.env.Data, ed, m); err != nil {
				l.t.Fatalf("%v: %v", id, err)
			}
		}
		return x
	}
	for i, x := range l.kept {
		if x.env.Message() == id {
			l.kept = slices.Delete(l.kept, i, i+1)
			return read(x)
		}
	}
	timeout := time.After(patience)
	for {
		select {
		case x := <-l.frames:
			if x.env.Message() == id {
				return read(x)
			}
			l.kept = append(l.kept, x)
		case <-l.done:
			if len(l.frames) == 0 {
				l.t.Fatalf("the link ended; %v did not come", id)
			}
		case <-timeout:
			l.t.Fatalf("%v did not come", id)
		}
	}
}

// ended waits until the superior has closed the link.
func (l *scriptLink) ended() {
	l.t.Helper()
	select {
	case <-l.done:
	case <-time.After(patience):
		l.t.Fatal("the superior did not close the link")
	}
}

// proof sends a heartbeat and waits for its answer: everything before has been taken.
func (s *platformScript) proof() {
	s.t.Helper()
	s.send(s.main, jt809.IDHeartbeat, nil, nil)
	s.main.get(jt809.IDHeartbeatReply, s.ed, nil)
}

// eventually waits until something is so. It looks again whenever the scheduler lets it.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
}

func plateOf(t testing.TB, n int) ingest.Vehicle {
	v, err := ingest.NewVehicle("云A"+strconv.Itoa(10000+n), 2)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fix is a position event.
func fix(v ingest.Vehicle, at int64) *ingest.Event {
	e := &ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: at}
	e.Position.Reset()
	e.Position.Lat, e.Position.Lon, e.Position.Speed, e.Position.Course, e.Position.Altitude = 25_040_678, 102_712_345, 610, 274, 1893
	e.Position.Status, e.Position.Located, e.Position.ACC = 3, true, true
	return e
}

// noon is a time of the positions.
const noon = int64(1717569000_000)

func (s *platformScript) position(l *scriptLink, v ingest.Vehicle, at int64) {
	s.t.Helper()
	env := envelope(jt809.IDPosition, &v)
	env.Data = jt809.AppendPositionData(nil, s.ed, fix(v, at))
	s.serial++
	if _, err := l.nc.Write(s.frame(s.serial, env, nil)); err != nil {
		s.t.Fatal(err)
	}
}

// fakeClock is a clock that a test sets.
type fakeClock struct{ ns atomic.Int64 }

func (c *fakeClock) set(t time.Time)     { c.ns.Store(t.UnixNano()) }
func (c *fakeClock) add(d time.Duration) { c.ns.Add(int64(d)) }
func (c *fakeClock) now() time.Time      { return time.Unix(0, c.ns.Load()) }
