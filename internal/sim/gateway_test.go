package sim

import (
	"net"
	"sync"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// gateway is a platform for tests: it lets every terminal in, keeps what it takes, and does what its script says.
type gateway struct {
	t  *testing.T
	ln net.Listener
	wg sync.WaitGroup

	// script decides about each message after authentication. It is called with mu held.
	script func(g *gateway, c *caller, h *jt808.Header, body []byte) verdict
	// greet, if set, has the connection before any byte is read; true means that it is done with.
	greet func(c *caller) bool

	mu       sync.Mutex
	conns    map[net.Conn]bool
	accepted int
	codes    map[string]string // by phone
	issued   int
	vehicles map[string]ingest.Vehicle // by phone
	taken    map[ingest.Vehicle][]ingest.Event
	frames   map[jt808.MessageID]int
	acks     []jt808.Ack // of terminals

	// tolerant: broken frames, strangers and sub-packages are what the test is about. The last connection of a phone wins then.
	tolerant  bool
	bad       map[jt808.ErrorKind]int // frames
	repeated  int                     // messages with the serial of the one before on their connection
	strangers map[string]int          // messages before authentication, by phone
	rejoined  map[string]int          // authentications, by phone
	whole     int                     // messages put together from sub-packages
	filled    int                     // of which a part was asked for
	cutExtras int                     // positions whose additional items end in a broken one
	owners    map[string]*caller      // by phone
	relays    int                     // most terminals on one connection
}

// caller is one connection.
type caller struct {
	net.Conn
	number  int // of the connection, from 1
	vehicle ingest.Vehicle
	edition jt808.Edition
	frames  int // after authentication
	serial  uint16

	online   map[string]ingest.Vehicle // by phone
	editions map[string]jt808.Edition
	last     jt808.Header
	parts    jt808.Reassembler
	asked    map[uint16]bool // first serials of messages of which parts were asked for
}

// verdict is what becomes of a message.
type verdict struct {
	take   bool  // keep it
	answer bool  // acknowledge it with result
	result uint8 //
	close  bool  // close the connection after it
}

var honest = verdict{take: true, answer: true}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, ln: ln, conns: map[net.Conn]bool{}, codes: map[string]string{}, vehicles: map[string]ingest.Vehicle{},
		taken: map[ingest.Vehicle][]ingest.Event{}, frames: map[jt808.MessageID]int{}, bad: map[jt808.ErrorKind]int{},
		strangers: map[string]int{}, rejoined: map[string]int{}, owners: map[string]*caller{}}
	g.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			g.accepted++
			c := &caller{Conn: conn, number: g.accepted, online: map[string]ingest.Vehicle{}, editions: map[string]jt808.Edition{}, asked: map[uint16]bool{}}
			g.conns[conn] = true
			g.mu.Unlock()
			g.wg.Go(func() { g.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		g.mu.Lock()
		for c := range g.conns {
			c.Close()
		}
		g.mu.Unlock()
		g.wg.Wait()
	})
	return g
}

func (g *gateway) addr() string { return g.ln.Addr().String() }

func (g *gateway) serve(c *caller) {
	defer c.Close()
	if g.greet != nil && g.greet(c) {
		return
	}
	var f jt808.Framer
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if n == 0 && err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		rest := buf
		for {
			frame, used, err := f.Next(rest)
			rest = rest[used:]
			if err != nil && g.tolerant {
				g.mu.Lock()
				g.bad[jt808.KindOf(err)]++
				g.mu.Unlock()
				continue
			}
			if err != nil {
				g.t.Errorf("a terminal sent a bad frame: %v", err)
				return
			}
			if frame == nil {
				break
			}
			if !g.message(c, frame) {
				return
			}
		}
		buf = buf[:copy(buf, rest)]
	}
}

// reply sends a message to the terminal.
func (c *caller) reply(h *jt808.Header, id jt808.MessageID, m jt808.Body) bool {
	c.serial++
	a := h.Answer(id, c.serial)
	_, err := c.Write(jt808.AppendFrame(nil, &a, jt808.AppendBody(nil, c.edition, m)))
	return err == nil
}

func (g *gateway) message(c *caller, frame []byte) (open bool) {
	var h jt808.Header
	body, err := h.Decode(frame)
	if err != nil {
		g.t.Errorf("header: %v", err)
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frames[h.ID]++
	phone := h.Phone.Trimmed()
	c.vehicle, c.edition = c.online[phone], c.editions[phone]
	if h == c.last {
		g.repeated++
	}
	c.last = h
	if g.tolerant {
		serial, parted := h.Serial-h.PackageNo+1, h.Packaged()
		msg, whole, err := c.parts.Add(&h, body, 0)
		if err != nil || !whole {
			return err == nil
		}
		if body = msg; parted {
			g.whole++
			if c.asked[serial] {
				g.filled++
			}
		}
		for p := range c.parts.Waiting {
			if !c.asked[p.Header.Serial] {
				c.asked[p.Header.Serial] = true
				c.reply(&h, jt808.IDPlatformResend, &jt808.Resend{FirstSerial: p.Header.Serial, Packages: p.Missing(nil, 100)})
			}
		}
	}
	switch {
	case h.ID == jt808.IDRegister:
		c.edition = jt808.GuessEdition(&h, body)
		c.editions[phone] = c.edition
		var m jt808.Register
		if err := jt808.Decode(body, c.edition, &m); err != nil {
			g.t.Errorf("registration: %v", err)
			return false
		}
		v, err := m.Vehicle()
		if err != nil {
			g.t.Errorf("registration: %v", err)
			return false
		}
		g.issued++
		g.codes[phone] = phone + string(rune('A'+g.issued%26))
		g.vehicles[phone] = v
		return c.reply(&h, jt808.IDRegisterReply, &jt808.RegisterReply{Serial: h.Serial, AuthCode: jt808.Text(g.codes[phone])})
	case h.ID == jt808.IDAuthenticate:
		if c.edition == jt808.EditionAuto {
			c.edition = h.Edition // enough for the bodies here
			c.editions[phone] = c.edition
		}
		var m jt808.Authenticate
		if err := jt808.Decode(body, c.edition, &m); err != nil {
			g.t.Errorf("authentication: %v", err)
			return false
		}
		ack := jt808.Ack{Serial: h.Serial, ID: h.ID, Result: jt808.ResultFailed}
		if code := g.codes[phone]; code != "" && string(m.AuthCode) == code {
			ack.Result, c.vehicle = jt808.ResultOK, g.vehicles[phone]
			c.online[phone] = c.vehicle
			g.rejoined[phone]++
			if old := g.owners[phone]; old != nil && old != c && g.tolerant {
				if delete(old.online, phone); len(old.online) == 0 {
					old.Close()
				}
			}
			g.owners[phone] = c
			g.relays = max(g.relays, len(c.online))
		}
		return c.reply(&h, jt808.IDPlatformAck, &ack)
	case c.vehicle.IsZero() && g.tolerant:
		g.strangers[phone]++
		return c.reply(&h, jt808.IDPlatformAck, &jt808.Ack{Serial: h.Serial, ID: h.ID, Result: jt808.ResultFailed}) && g.strangers[phone]%5 != 0
	case c.vehicle.IsZero():
		g.t.Errorf("%v before authentication", h.ID)
		return false
	case h.ID == jt808.IDTerminalAck:
		var a jt808.Ack
		if err := jt808.Decode(body, c.edition, &a); err != nil {
			g.t.Error(err)
		}
		g.acks = append(g.acks, a)
		return true
	}
	c.frames++
	v := honest
	if g.script != nil {
		v = g.script(g, c, &h, body)
	}
	if v.take {
		g.take(c, &h, body)
	}
	if v.answer && !c.reply(&h, jt808.IDPlatformAck, &jt808.Ack{Serial: h.Serial, ID: h.ID, Result: v.result}) {
		return false
	}
	return !v.close
}

func (g *gateway) take(c *caller, h *jt808.Header, body []byte) {
	add := func(l *jt808.Location) {
		e := ingest.Event{Kind: ingest.KindPosition, Vehicle: c.vehicle}
		if !l.Event(&e) {
			g.t.Errorf("a position without a time")
		}
		if l.ExtrasErr != nil {
			g.cutExtras++
		}
		e.Position.Extras = nil
		g.taken[c.vehicle] = append(g.taken[c.vehicle], e)
	}
	var l jt808.Location
	switch h.ID {
	case jt808.IDLocation:
		if err := jt808.DecodeLocation(body, &l); err != nil {
			g.t.Error(err)
		}
		add(&l)
	case jt808.IDBatch:
		var b jt808.Batch
		if err := b.Decode(body); err != nil {
			g.t.Error(err)
		}
		for b.Next(&l) {
			add(&l)
		}
	}
}

// times are those of a vehicle's positions in the order in which they first came.
func times(list []ingest.Event) (out []int64) {
	seen := map[int64]bool{}
	for _, e := range list {
		if e.Kind == ingest.KindPosition && !seen[e.Time] {
			seen[e.Time] = true
			out = append(out, e.Time)
		}
	}
	return out
}

// online is a fleet that reports to g as fast as it can. It is patient, so that a machine that stands still for a while breaks no connection.
func online(g *gateway, vehicles int, d time.Duration, seed uint64) Config {
	c := offline(vehicles, 1, seed)
	c.Gateway, c.Duration = g.addr(), d
	c.AckTimeout, c.BackoffMin, c.BackoffMax = time.Minute, time.Millisecond, 20*time.Millisecond
	return c
}
