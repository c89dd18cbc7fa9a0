package inferior

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
	"lushao/internal/testport"
)

// superior is a superior platform by script. What it reads on a main link is lost unless it answers a 0x1005 afterwards;
// half of what it reads on a sub link is lost.
type superior struct {
	t       *testing.T
	l       net.Listener
	options link.Options

	mu       sync.Mutex
	changed  chan struct{}
	result   uint8  // of 0x1002
	noSub    bool   // the sub link is not dialled
	wrong    uint32 // added to the verify code
	silent   bool   // 0x1005 is not answered
	hold     chan struct{}
	code     uint32
	logins   int
	main     *link.Conn
	sub      *link.Conn
	sockets  [2]net.Conn
	arrived  map[string]int
	packets  [][]string // positions of each 0x1203
	messages []got
	random   *rand.Rand
}

// got is a message that came from the inferior.
type got struct {
	link   string
	id     jt809.MessageID
	serial uint32
	plate  string
	body   jt809.Body
}

func newSuperior(t *testing.T, ed jt809.Edition, encrypt bool) *superior {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &superior{t: t, l: l, changed: make(chan struct{}), arrived: map[string]int{}, random: rand.New(rand.NewPCG(1, 2)),
		options: link.Options{Name: "test", Edition: ed, Centre: centre, Cipher: cipher, Encrypt: encrypt, Logger: slog.New(slog.DiscardHandler)}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			nc.(*net.TCPConn).SetReadBuffer(128 << 10) // so that a test can fill it
			all.Go(func() { s.serve(nc, "main") })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.kill(true, true)
		s.mu.Lock()
		s.noSub = true
		if s.hold != nil {
			close(s.hold)
		}
		s.mu.Unlock()
		all.Wait()
	})
	return s
}

const centre = 20211230

var cipher = jt809.Cipher{M1: 10000000, IA1: 20000000, IC1: 30000000}

// kill cuts links without a goodbye.
func (s *superior) kill(main, sub bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, do := range []bool{main, sub} {
		if nc := s.sockets[n]; do && nc != nil {
			nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		}
	}
}

// tell wakes who waits. mu is held.
func (s *superior) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until f, which is called with mu held, is true.
func (s *superior) await(what string, f func() bool) {
	s.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		ok, changed := f(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.mu.Lock()
			defer s.mu.Unlock()
			came := map[string]int{}
			for _, m := range s.messages {
				came[m.link+" "+m.id.String()]++
			}
			s.t.Fatalf("did not come: %s; came %v; %d positions", what, came, len(s.arrived))
		}
	}
}

// message waits for the n-th message of an id, from 1 on.
func (s *superior) message(id jt809.MessageID, n int) (m got) {
	s.t.Helper()
	s.await(fmt.Sprintf("%v, the %d.", id, n), func() bool {
		seen := 0
		for _, g := range s.messages {
			if g.id == id {
				if seen++; seen == n {
					m = g
					return true
				}
			}
		}
		return false
	})
	return m
}

func (s *superior) up() {
	s.t.Helper()
	s.await("both links", func() bool { return s.main != nil && s.sub != nil })
}

// send sends a message down on the sub link.
func (s *superior) send(id jt809.MessageID, v *ingest.Vehicle, m jt809.Body) uint32 {
	s.t.Helper()
	e := envelope(id)
	if v != nil {
		e.SetVehicle(*v)
	}
	s.mu.Lock()
	c := s.sub
	s.mu.Unlock()
	serial, err := c.Send(&e, m)
	if err != nil {
		s.t.Fatal(err)
	}
	return serial
}

// side is a connection of the superior.
type side struct {
	s       *superior
	c       *link.Conn
	nc      net.Conn
	name    string
	pending []string
	packets [][]string
}

func (s *superior) serve(nc net.Conn, name string) {
	h := &side{s: s, nc: nc, name: name, c: link.New(nc, s.options)}
	if name == "sub" {
		s.mu.Lock()
		code := s.code + s.wrong
		s.sockets[1] = nc
		s.mu.Unlock()
		h.c.Send(&jt809.Envelope{ID: jt809.IDSubLogin}, &jt809.SubLogin{VerifyCode: code})
	}
	h.c.Run(context.Background(), h)
	s.mu.Lock()
	if s.main == h.c {
		s.main = nil
	}
	if s.sub == h.c {
		s.sub = nil
	}
	s.tell()
	s.mu.Unlock()
}

func (h *side) Drained() error { return nil }

func (h *side) Frame(head *jt809.Header, body []byte) error {
	s := h.s
	var e jt809.Envelope
	if err := e.Decode(head.ID, body, s.options.Edition); err != nil {
		s.t.Errorf("%v: %v", head.ID, err)
		return nil
	}
	id := e.Message()
	g := got{link: h.name, id: id, serial: head.Serial}
	if v, err := e.Vehicle(); err == nil {
		g.plate = v.Plate()
	}
	if g.body = jt809.NewBody(id, s.options.Edition, len(e.Data)); g.body != nil {
		if err := jt809.Decode(bytes.Clone(e.Data), s.options.Edition, g.body); err != nil {
			s.t.Errorf("%v: %v", id, err)
		}
	}
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil && id != jt809.IDLogin {
		<-hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, g)
	defer s.tell()
	switch id {
	case jt809.IDLogin:
		m := g.body.(*jt809.Login)
		result := s.result
		if m.UserID != 610023 || m.Password.String() != "Wk7#pq2z" {
			result = 4
		}
		s.code++
		h.c.Send(&jt809.Envelope{ID: jt809.IDLoginReply}, &jt809.LoginReply{Result: result, VerifyCode: s.code})
		if result != 0 {
			h.c.Close("refused")
			return nil
		}
		s.logins++
		s.main, s.sockets[0] = h.c, h.nc
		if !s.noSub {
			address := net.JoinHostPort(m.DownLinkIP.String(), fmt.Sprint(m.DownLinkPort))
			go func() {
				if nc, err := net.Dial("tcp", address); err == nil {
					s.serve(nc, "sub")
				}
			}()
		}
	case jt809.IDHeartbeat:
		if s.silent {
			return nil
		}
		h.take(h.pending, h.packets)
		h.pending, h.packets = nil, nil
		h.c.Send(&jt809.Envelope{ID: jt809.IDHeartbeatReply}, nil)
	case jt809.IDLogout:
		h.c.Send(&jt809.Envelope{ID: jt809.IDLogoutReply}, nil)
	case jt809.IDSubLoginReply:
		if g.body.(*jt809.SubLoginReply).Result == 0 {
			s.sub = h.c
		}
	case jt809.IDPosition, jt809.IDPositionBatch:
		var r jt809.PositionReader
		var ev ingest.Event
		var packet []string
		err := r.Reset(id, e.Data, s.options.Edition)
		for err == nil {
			var ok bool
			if ok, err = r.Next(&ev); !ok {
				break
			}
			packet = append(packet, key(g.plate, ev.Time))
		}
		if err != nil {
			s.t.Errorf("positions: %v", err)
		}
		if h.name == "sub" {
			if s.random.IntN(2) == 0 {
				h.take(packet, nil)
			}
			return nil
		}
		h.pending = append(h.pending, packet...)
		if id == jt809.IDPositionBatch {
			h.packets = append(h.packets, packet)
		}
	}
	return nil
}

// take is the superior's log. mu is held.
func (h *side) take(positions []string, packets [][]string) {
	for _, k := range positions {
		h.s.arrived[k]++
	}
	h.s.packets = append(h.s.packets, packets...)
}

func key(plate string, ms int64) string { return fmt.Sprintf("%s %d", plate, ms/1000) }

// inferiorTest is an inferior platform with one peer, and what it stands on.
type inferiorTest struct {
	*Inferior
	t          *testing.T
	superior   *superior
	events     *topic
	violations *topic
	visiting   *topic
	book       *watchedBook
	deps       Deps
	cfg        Config
}

type options struct {
	edition jt809.Edition
	encrypt bool
	peer    func(p *PeerConfig)
	config  func(c *Config)
	router  Router
	prepare func(x *inferiorTest)
}

func start(t *testing.T, o options) *inferiorTest {
	t.Helper()
	if o.edition == 0 {
		o.edition = jt809.Edition2011
	}
	x := &inferiorTest{t: t, superior: newSuperior(t, o.edition, o.encrypt), events: newTopic(3), violations: newTopic(1), visiting: newTopic(3)}
	listen := testport.Reserve(t)
	c := DefaultConfig()
	c.Listen = listen
	c.Heartbeat, c.BackoffMin, c.BackoffMax = 20*time.Millisecond, 5*time.Millisecond, 20*time.Millisecond
	c.RefusedBackoff, c.BusyBackoff, c.VerifyGrace = 10*time.Millisecond, 5*time.Millisecond, time.Minute
	p := PeerConfig{Name: "city", Address: x.superior.l.Addr().String(), AccessCode: centre, User: 610023, Password: "Wk7#pq2z", PlatformID: "53010000417",
		Edition: o.edition.String(), M1: cipher.M1, IA1: cipher.IA1, IC1: cipher.IC1, Encrypt: o.encrypt, SubAddress: listen, From: FromBeginning,
		Forward: Forward{Classes: []string{"hazmat"}}, OnRequest: true, Alarms: Alarms{Kinds: []string{"speeding"}},
		Inspection: Inspection{Responder: "李四", ResponderTel: "0871-1234"}}
	if o.peer != nil {
		o.peer(&p)
	}
	c.Peers = []PeerConfig{p}
	if o.config != nil {
		o.config(&c)
	}
	x.cfg = c
	x.book = &watchedBook{Book: platform.NewBook(&pages{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry()), changed: make(chan struct{})}
	x.deps = Deps{Events: x.events, Violations: x.violations, Log: x.visiting, Register: register{}, Book: x.book, Router: o.router, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if o.prepare != nil {
		o.prepare(x)
	}
	x.run()
	return x
}

// run starts a process.
func (x *inferiorTest) run() {
	x.t.Helper()
	x.deps.Registerer = prometheus.NewRegistry()
	i, err := New(x.cfg, x.deps)
	if err != nil {
		x.t.Fatal(err)
	}
	if err := i.Start(); err != nil {
		x.t.Fatal(err)
	}
	x.Inferior = i
	x.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		i.Shutdown(ctx)
	})
}

// crash ends the process without a goodbye.
func (x *inferiorTest) crash() {
	x.Inferior.kill()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x.Inferior.Shutdown(ctx)
	x.superior.await("the end of both links", func() bool { return x.superior.main == nil && x.superior.sub == nil })
}

// proven waits until everything in the log is proven and committed.
func (x *inferiorTest) proven() {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if !x.events.await(ctx, func() bool { return x.events.done("forward-city") }) {
		x.t.Fatalf("offsets were not committed: %v; %+v", x.events.committed, x.Peers())
	}
}

// register knows the vehicles 云H…: hazmat, and 云T…: truck.
type register struct{}

func (register) Version() uint64 { return 1 }

func (register) Vehicle(v *ingest.Vehicle) (Record, bool) {
	switch v.Plate()[:4] {
	case "云H":
		return Record{Class: "hazmat", Operator: "op1", OperatorName: "昆明危运", Region: "530102", Phone: "13987650042"}, true
	case "云T":
		return Record{Class: "truck", Operator: "op2", Region: "530300"}, true
	}
	return Record{}, false
}

func vehicle(t *testing.T, plate string) ingest.Vehicle {
	t.Helper()
	v, err := ingest.NewVehicle(plate, 2)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// epoch is the time of the first position.
var epoch = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// position is the n-th position of a vehicle.
func position(v ingest.Vehicle, n int) ingest.Event {
	e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT808, Vehicle: v, Time: epoch + int64(n)*10_000, Received: epoch + int64(n)*10_000 + 500}
	e.Position.Reset()
	e.Position.Lat, e.Position.Lon, e.Position.Status, e.Position.Located, e.Position.ACC = 25_040_678+int32(n), 102_712_345, 3, true, true
	e.Position.Speed, e.Position.Course, e.Position.Altitude, e.Position.Mileage = 600, 90, 1893, 1_000_000
	return e
}
