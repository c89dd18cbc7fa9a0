package gateway

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/jt808"
)

// Each of these connections is bad in its own way. Beside every one an honest terminal reports, and must lose nothing.
func TestHostileBesideHonest(t *testing.T) {
	bad := func(c *terminal) []byte { // a frame with a wrong checksum
		f := c.position(9)
		f[len(f)-2] ^= 0x01
		return f
	}
	for _, h := range []struct {
		name string
		act  func(c *terminal)
		kind jt808.ErrorKind // counted, 0 none
		ends bool            // the platform hangs up, or he does
	}{
		{"a megabyte of 0x7d", func(c *terminal) { c.nc.Write(append([]byte{0x7e}, bytes.Repeat([]byte{0x7d}, 1<<20)...)) }, jt808.ErrTooLong, true},
		{"a megabyte without a delimiter", func(c *terminal) { c.nc.Write(make([]byte, 1<<20)) }, 0, true},
		{"a megabyte of delimiters", func(c *terminal) { c.nc.Write(bytes.Repeat([]byte{0x7e}, 1<<20)) }, 0, false},
		{"HTTP", func(c *terminal) { c.nc.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 1<<13)) }, 0, true},
		{"wrong checksum", func(c *terminal) { c.send(bad(c), bad(c)) }, jt808.ErrChecksum, false},
		{"bad escape", func(c *terminal) { c.send([]byte("\x7e0123456789012345\x7d\x05\x7e")) }, jt808.ErrEscape, false},
		{"longer than its header says", func(c *terminal) {
			c.send([]byte{0x7e, 2, 0, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0x7e})
		}, jt808.ErrLength, false},
		{"too short", func(c *terminal) { c.send([]byte{0x7e, 2, 0, 0, 0x7e}) }, jt808.ErrShort, false},
		{"too long", func(c *terminal) { c.send([]byte{0x7e}, bytes.Repeat([]byte{1}, 3000), []byte{0x7e}) }, jt808.ErrTooLong, false},
		{"half a frame and silence", func(c *terminal) { c.send(c.position(1)[:20]); c.nc.(*net.TCPConn).CloseWrite() }, 0, true},
		{"frames without end, none authenticated", func(c *terminal) {
			for range 100 {
				if _, err := c.nc.Write(c.position(1)); err != nil {
					return
				}
			}
		}, 0, true},
	} {
		t.Run(h.name, func(t *testing.T) {
			log := newFakeLog()
			cfg := testConfig()
			cfg.FirstFrameTimeout = time.Minute // none of them is to be ended by it
			g, _ := startGateway(t, cfg, log, nil)
			honest := dial(t, g.Addr().String(), "1", jt808.Edition2013)
			honest.login(v1)
			c := dial(t, g.Addr().String(), "2", jt808.Edition2013)
			var acting sync.WaitGroup
			acting.Go(func() { h.act(c) })
			for i := range 20 {
				honest.ping(int64(i))
			}
			acting.Wait()
			if h.ends {
				c.wantEnd()
			} else { // it may mend its ways on the same connection
				c.login(v2)
				c.ping(100)
			}
			if n := len(log.positions(v1)); n != 20 {
				t.Errorf("%d positions of the honest terminal, want 20", n)
			}
			if h.kind != 0 && testutil.ToFloat64(g.metrics.frameErrors[h.kind]) == 0 {
				t.Errorf("%v is not counted", h.kind)
			}
			if n := len(log.positions(v2)); (n == 1) == h.ends {
				t.Errorf("%d positions of the hostile one", n)
			}
		})
	}
}

func TestSlowReaderIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		g := startWithoutSockets(t, testConfig(), log)
		honest := pipe(t, g, "1", jt808.Edition2013)
		honest.login(v1)
		c := pipe(t, g, "2", jt808.Edition2013) // a reply blocks at once
		c.login(v2)
		c.send(c.position(1)) // and never reads
		honest.ping(1)
		log.await(func() bool { return len(log.linksLocked()) == 3 })
		if got, want := log.links()[2], "晋E54321 online=false error"; got != want {
			t.Errorf("link %q, want %q", got, want)
		}
		if n := len(log.positions(v2)); n != 1 {
			t.Errorf("%d positions, want the one that was read", n)
		}
		honest.ping(2)
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.FirstFrameTimeout, cfg.IdleTimeout = 4*time.Second, 15*time.Second // less than a terminal of these tests waits
		log := newFakeLog()
		g := startWithoutSockets(t, cfg, log)
		silent := pipe(t, g, "1", jt808.Edition2013)
		silent.wantEnd()
		half := pipe(t, g, "1", jt808.Edition2013)
		half.send(half.position(1)[:15])
		half.wantEnd()

		// Bytes that never become a frame keep nothing alive.
		c := pipe(t, g, "1", jt808.Edition2013)
		c.login(v1)
		c.send([]byte{0x7e, 0x02})
		stop := make(chan struct{})
		var dripping sync.WaitGroup
		dripping.Go(func() {
			tick := time.NewTicker(2 * time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					c.nc.Write([]byte{0})
				case <-stop:
					return
				}
			}
		})
		c.wantEnd()
		close(stop)
		dripping.Wait()
		log.await(func() bool { return len(log.linksLocked()) == 2 })
		if got, want := log.links()[1], "晋E12345 online=false timeout"; got != want {
			t.Errorf("link %q, want %q", got, want)
		}
		if n := testutil.ToFloat64(g.metrics.closed[reasonTimeout]); n < 2 {
			t.Errorf("%v connections counted as timed out", n)
		}
	})
}

// The time that the log takes is not the terminal's silence.
func TestStallLongerThanTheIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		log := newFakeLog()
		g := startWithoutSockets(t, cfg, log)
		c := pipe(t, g, "1", jt808.Edition2013)
		c.login(v1)
		resume := log.stall()
		c.send(c.position(1))
		log.await(func() bool { return log.waiting == 1 })
		second := c.position(2)
		go c.nc.Write(second) // waits until it is read
		time.Sleep(5 * cfg.IdleTimeout / 2)
		resume()
		c.want(c.serial-2, jt808.IDLocation, jt808.ResultOK)
		c.want(c.serial-1, jt808.IDLocation, jt808.ResultOK)
	})
}

func TestConnectionLimits(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections, cfg.MaxConnectionsPerAddress = 3, 2
	g, _ := startGateway(t, cfg, newFakeLog(), nil)
	a := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	a.login(v1)
	b := dial(t, g.Addr().String(), "2", jt808.Edition2013)
	b.login(v2)
	third := dial(t, g.Addr().String(), "3", jt808.Edition2013)
	third.wantEnd()
	if n := testutil.ToFloat64(g.metrics.turnedAway[turnedAwayAddress]); n != 1 {
		t.Errorf("%v turned away for their address", n)
	}
	for range 2 { // a pipe has no address of its own
		here, there := net.Pipe()
		defer here.Close()
		g.admit(there)
	}
	if n := testutil.ToFloat64(g.metrics.turnedAway[turnedAwayFull]); n != 1 {
		t.Errorf("%v turned away for the number", n)
	}
	a.ping(1)
	b.ping(2)
}

func TestManyPhonesOnOneConnection(t *testing.T) {
	cfg := testConfig()
	cfg.MaxSessions = 2
	g, _ := startGateway(t, cfg, newFakeLog(), nil)
	first := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	first.login(v1)
	second := onConn(t, first.nc, "2", jt808.Edition2013)
	second.login(v2)
	third := onConn(t, first.nc, "3", jt808.Edition2013)
	third.send(third.frame(jt808.IDRegister, make([]byte, 40)))
	third.want(0, jt808.IDRegister, jt808.ResultFailed)
	first.ping(1)
}

func TestFloodIsThrottledAndLosesNothing(t *testing.T) {
	cfg := testConfig()
	cfg.MaxFrameRate, cfg.MaxFrameBurst = 200, 4
	log := newFakeLog()
	g, _ := startGateway(t, cfg, log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	var frames []byte
	for i := range 30 {
		frames = append(frames, c.position(int64(i))...)
	}
	c.send(frames)
	for i := range 30 {
		c.want(c.serial-30+uint16(i), jt808.IDLocation, jt808.ResultOK)
	}
	c.ping(30)
	if testutil.ToFloat64(g.metrics.throttled) == 0 {
		t.Error("a flood was not throttled")
	}
	if n := len(log.positions(v1)); n != 31 {
		t.Errorf("%d positions, want 31", n)
	}
}

func TestBucket(t *testing.T) {
	b := bucket{rate: 10, burst: 5}
	for i, c := range []struct {
		n    int
		at   int64 // ms
		want float64
	}{
		{5, 1000, 0},    // the burst
		{1, 1000, 0.1},  // overdrawn by one
		{0, 1100, 0},    // made good
		{1, 1200, 0},    // one came in, one goes out
		{10, 9000, 0.5}, // no more than the burst was saved up
		{1, 8000, 0.6},  // a clock that was set back gives nothing
		{0, 8600, 0},
	} {
		if got := b.take(c.n, c.at); max(got-c.want, c.want-got) > 1e-9 {
			t.Errorf("step %d: %v s, want %v s", i, got, c.want)
		}
	}
	none := bucket{}
	if none.take(1<<20, 1) != 0 {
		t.Error("no limit limits")
	}
}

// failingListener fails as a process without file descriptors does, then ends.
type failingListener struct {
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}
func (l *failingListener) Close() error   { return nil }
func (l *failingListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptErrorsAreSurvived(t *testing.T) {
	g, err := New(testConfig(), Deps{Log: newFakeLog(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	full := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	g.listener = &failingListener{errs: []error{full, full, errors.New("odd"), net.ErrClosed}}
	g.accept(g.listener, nil) // returns at the last
	if n := testutil.ToFloat64(g.metrics.acceptErrors); n != 3 {
		t.Errorf("%v errors counted, want 3", n)
	}
}

// Buffers grow for who sends much at once, and shrink again.
func TestReadBufferFits(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	g, _ := startGateway(t, testConfig(), newFakeLog(), nil)
	c := newConn(g, there, netip.Addr{})
	c.buf = getBuffer(minBuffer)
	var sizes []int
	for _, n := range []int{2048, 4096, 8192, 16384, 32768, 65536, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100} {
		n = min(n, len(c.buf))
		c.fit(n, n == len(c.buf))
		sizes = append(sizes, len(c.buf)>>10)
	}
	if want := []int{4, 8, 16, 32, 64, 64, 64, 32, 32, 16, 16, 8, 8, 4, 4, 2, 2, 2}; !slices.Equal(sizes, want) {
		t.Errorf("sizes in KiB %v, want %v", sizes, want)
	}
}

// FuzzConn sends anything, chopped anyhow, on a connection that is authenticated and on one that is not. The fake log
// checks that every event is whole and in its partition.
func FuzzConn(f *testing.F) {
	cfg := testConfig()
	cfg.MaxFrameRate = 0
	log := newFakeLog()
	g, _ := startGateway(f, cfg, log, nil)
	phone, _ := jt808.ParsePhone("1", jt808.Edition2013)
	seed := &terminal{t: f, phone: phone, ed: jt808.Edition2013}
	auth := seed.authFrame(g.signer.code("1", v1))
	f.Add(seed.position(1), uint8(1), true)
	f.Add(append(seed.position(1), seed.frame(jt808.IDHeartbeat, nil)...), uint8(5), false)
	var ls []jt808.Location
	for i := range 60 {
		ls = append(ls, locationAt(int64(i)))
	}
	f.Add(seed.frame(jt808.IDBatch, jt808.AppendBatch(nil, 1, ls)), uint8(200), true)
	f.Add(seed.frame(jt808.IDDriverIdentity, []byte{2, 0x26, 5, 1, 8, 0, 0}), uint8(3), true)
	f.Add(bytes.Repeat([]byte{0x7e, 0x7d}, 50), uint8(0), true)
	f.Fuzz(func(t *testing.T, data []byte, chop uint8, authenticated bool) {
		here, there := net.Pipe()
		g.admit(there)
		var reading sync.WaitGroup
		reading.Go(func() {
			if _, err := readAll(here); err != nil && isTimeout(err) {
				t.Error("the platform does not hang up")
			}
		})
		if authenticated {
			here.Write(auth)
		}
		step := int(chop) + 1
		for at := 0; at < len(data); at += step {
			if _, err := here.Write(data[at:min(at+step, len(data))]); err != nil {
				break // the platform hung up: it may
			}
		}
		here.Close()
		reading.Wait()
		log.mu.Lock()
		log.events, log.places = nil, nil
		log.mu.Unlock()
	})
}
