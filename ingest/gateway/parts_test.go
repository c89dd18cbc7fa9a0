package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/jt808"
)

// message reads the next message of the platform, whatever it is; the body is the caller's.
func (c *terminal) message() (h jt808.Header, body []byte) {
	c.t.Helper()
	for {
		frame, n, err := c.framer.Next(c.buf)
		if err != nil {
			c.t.Fatal(err)
		}
		if frame != nil {
			b, err := h.Decode(frame)
			if err != nil {
				c.t.Fatal(err)
			}
			body = bytes.Clone(b)
			c.buf = bytes.Clone(c.buf[n:])
			return h, body
		}
		c.buf = bytes.Clone(c.buf[n:])
		chunk := make([]byte, 64<<10)
		c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err = c.nc.Read(chunk)
		if n == 0 && err != nil {
			c.t.Fatal(err)
		}
		c.buf = append(c.buf, chunk[:n]...)
	}
}

// batchParts are the frames of a batch of n positions, in sub-packages.
func (c *terminal) batchParts(n int) (first uint16, parts [][]byte) {
	ls := make([]jt808.Location, n)
	for i := range ls {
		ls[i] = locationAt(int64(i))
	}
	first = c.serial
	return first, splitFrames(c.frame(jt808.IDBatch, jt808.AppendBatch(nil, jt808.BatchBlindSpots, ls)))
}

func TestMissingPartsAreAskedFor(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2013, jt808.Edition2019} {
		t.Run(ed.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newFakeLog()
				g := startWithoutSockets(t, testConfig(), log)
				c := pipe(t, g, "1", ed)
				c.login(v1)
				first, parts := c.batchParts(150)
				c.send(parts[0], parts[2])
				h, body := c.message()
				var m jt808.Resend
				if err := jt808.Decode(body, ed, &m); err != nil || h.ID != jt808.IDPlatformResend || h.Phone != c.phone {
					t.Fatalf("%v %x: %v", h.ID, body, err)
				}
				var want []uint16
				for no := range uint16(len(parts)) {
					if no != 0 && no != 2 {
						want = append(want, no+1)
					}
				}
				if m.FirstSerial != first || !slices.Equal(m.Packages, want) {
					t.Errorf("asked for %v of %d, want %v of %d", m.Packages, m.FirstSerial, want, first)
				}
				go c.nc.Write(slices.Concat(parts[1], bytes.Join(parts[3:], nil))) // while the answers are read
				for i := range parts {
					c.want(first+uint16(i), jt808.IDBatch, jt808.ResultOK)
				}
				if got := log.positions(v1); len(got) != 150 {
					t.Errorf("%d positions", len(got))
				}
				if n := testutil.ToFloat64(g.metrics.droppedPartials); n != 0 {
					t.Errorf("%v messages given up", n)
				}
			})
		})
	}
}

func TestMissingPartsAreGivenUp(t *testing.T) {
	cfg := testConfig()
	cfg.ResendAfter, cfg.ResendTries = 10*time.Millisecond, 2
	g, _ := startGateway(t, cfg, newFakeLog(), nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	_, parts := c.batchParts(150)
	c.send(parts[1])
	// Media is asked for with the message that the terminals of 2011 know too, where its first part tells the id.
	media := slices.Concat([]byte{0, 0, 0, 7, 0, 0, 0, 1}, make([]byte, 4000))
	mediaParts := splitFrames(c.frame(jt808.IDMediaData, media))
	known := routeOf[jt808.IDMediaData] != nil
	c.send(mediaParts[0])
	asked := map[jt808.MessageID]int{}
	for testutil.ToFloat64(g.metrics.droppedPartials) < 1 || known && testutil.ToFloat64(g.metrics.droppedPartials) < 2 {
		c.send(c.frame(jt808.IDHeartbeat, nil))
		for {
			h, body := c.message()
			if h.ID == jt808.IDMediaAck {
				if want := "0000000704" + "0002000300040005"; fmt.Sprintf("%x", body) != want {
					t.Fatalf("asked for media with %x, want %s", body, want)
				}
			}
			asked[h.ID]++
			if h.ID == jt808.IDPlatformAck && body[3] == byte(jt808.IDHeartbeat) {
				break
			}
		}
	}
	if n := asked[jt808.IDPlatformResend]; n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
	if n := asked[jt808.IDMediaAck]; known && n != 2 {
		t.Errorf("asked %d times for media, want 2", n)
	}
	if b := g.partial.Load(); b != 0 {
		t.Errorf("%d bytes are held of what was given up", b)
	}
	c.ping(1)
}

// A part that is repeated without end keeps a message no longer than the time-out from its first part.
func TestPartialTimeout(t *testing.T) {
	cfg := testConfig()
	cfg.ResendAfter, cfg.PartialTimeout = time.Hour, 50*time.Millisecond
	g, _ := startGateway(t, cfg, newFakeLog(), nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	_, parts := c.batchParts(150)
	for testutil.ToFloat64(g.metrics.droppedPartials) == 0 {
		c.send(parts[0], c.frame(jt808.IDHeartbeat, nil))
		c.want(c.serial-1, jt808.IDHeartbeat, jt808.ResultOK)
	}
}

// What a terminal sends in parts takes no room from another on the same connection, and goes with it.
func TestPartsBelongToTheTerminal(t *testing.T) {
	cfg := testConfig()
	g, _ := startGateway(t, cfg, newFakeLog(), nil)
	a := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	b := onConn(t, a.nc, "2", jt808.Edition2013)
	a.login(v1)
	b.login(v2)
	first, parts := a.batchParts(60)
	a.send(parts[0])
	for range 20 { // more messages than a terminal may have
		_, p := b.batchParts(60)
		b.send(p[0])
	}
	a.send(bytes.Join(parts[1:], nil))
	for i := range parts {
		a.want(first+uint16(i), jt808.IDBatch, jt808.ResultOK)
	}
	if g.partial.Load() == 0 {
		t.Error("nothing is held of the second terminal")
	}
	b.send(b.frame(jt808.IDDeregister, nil))
	b.want(b.serial-1, jt808.IDDeregister, jt808.ResultOK)
	if n := g.partial.Load(); n != 0 {
		t.Errorf("%d bytes are held of a terminal that went", n)
	}
	a.ping(1)
}

// A repeated part of a message that was refused is refused again: its positions are not in the log.
func TestRepeatedPartOfARefusedMessage(t *testing.T) {
	g, _ := startGateway(t, testConfig(), newFakeLog(), nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	first := c.serial
	parts := splitFrames(c.frame(jt808.IDLocation, bytes.Repeat([]byte{0}, 1100))) // a time that is no date
	c.send(parts...)
	c.want(first, jt808.IDLocation, jt808.ResultMalformed)
	c.want(first+1, jt808.IDLocation, jt808.ResultMalformed)
	c.send(parts[1])
	c.want(first+1, jt808.IDLocation, jt808.ResultMalformed)
}

func TestTerminalAsksForPartsAgain(t *testing.T) {
	g, _ := startGateway(t, testConfig(), newFakeLog(), nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2019)
	c.login(v1)
	s := sessionOf(g, c)
	h := jt808.Header{ID: jt808.IDSetPolygon, Edition: jt808.Edition2019, Version: 1, Phone: c.phone, Serial: 65535}
	stream := jt808.AppendFrame(nil, &h, bytes.Repeat([]byte{0x7e, 1, 2}, 1100))
	s.sent.keep(g, 65535, stream)
	ask := func(first uint16, numbers ...uint16) {
		c.send(c.frame(jt808.IDTerminalResend, jt808.AppendBody(nil, jt808.Edition2019, &jt808.Resend{FirstSerial: first, Packages: numbers})))
	}
	ask(65535, 2, 4, 2, 0, 9)
	for _, no := range []uint16{2, 4} {
		h, body := c.message()
		if h.ID != jt808.IDSetPolygon || h.PackageNo != no || h.PackageTotal != 4 || h.Serial != 65535+no-1 || len(body) == 0 {
			t.Errorf("%+v, want part %d", h, no)
		}
	}
	for _, first := range []uint16{1, 65535} { // not held; held, without such a part
		ask(first, 77)
		c.want(c.serial-1, jt808.IDTerminalResend, jt808.ResultFailed)
	}
	c.send(c.frame(jt808.IDTerminalResend, []byte{0xff, 0xff, 0xff, 0xff, 0}))
	c.want(c.serial-1, jt808.IDTerminalResend, jt808.ResultMalformed)
	// Only the last ones are held, and none of a terminal that went.
	for i := range 50 {
		s.sent.keep(g, uint16(i), stream)
	}
	if n := g.partial.Load(); n <= 0 || n > maxSentBytes || len(s.sent.held) > maxSentMessages {
		t.Errorf("%d bytes of %d messages are held", n, len(s.sent.held))
	}
	s.sent.keep(g, 99, make([]byte, maxSentBytes+1))
	c.send(c.frame(jt808.IDDeregister, nil))
	c.want(c.serial-1, jt808.IDDeregister, jt808.ResultOK)
	s.sent.keep(g, 100, stream)
	if n := g.partial.Load(); n != 0 {
		t.Errorf("%d bytes are held of a terminal that went", n)
	}
}

func sessionOf(g *Gateway, c *terminal) *session {
	g.sessions.mu.Lock()
	defer g.sessions.mu.Unlock()
	return g.sessions.byPhone[c.phone.Canonical()]
}
