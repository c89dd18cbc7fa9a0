package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/jt808"
)

func TestSeveralTerminalsOnOneConnection(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	a := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	b := onConn(t, a.nc, "2", jt808.Edition2019)
	a.login(v1)
	b.login(v2)
	a.ping(1)
	b.ping(2)
	// The second goes to a connection of its own: the first stays.
	b2 := dial(t, g.Addr().String(), "2", jt808.Edition2019)
	b2.login(v2)
	b.send(b.position(3))
	b.want(b.serial-1, jt808.IDLocation, jt808.ResultFailed)
	a.ping(4)
	b2.ping(5)
	if got := fmt.Sprint(log.positions(v1), log.positions(v2)); got != "[1 4] [2 5]" {
		t.Errorf("positions %s", got)
	}
}

func TestLaterConnectionWins(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	old := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	old.login(v1)
	old.ping(1)
	young := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	young.send(young.authFrame(old.code))
	young.want(0, jt808.IDAuthenticate, jt808.ResultOK)
	old.wantEnd()
	young.ping(2)
	young.send(young.frame(jt808.IDDeregister, nil))
	young.want(young.serial-1, jt808.IDDeregister, jt808.ResultOK)
	want := []string{"晋E12345 online=true authenticated", "晋E12345 online=false replaced", "晋E12345 online=true authenticated", "晋E12345 online=false deregistered"}
	if got := log.links(); !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
	if n := testutil.ToFloat64(g.metrics.sessions); n != 0 {
		t.Errorf("%v sessions", n)
	}
}

func TestLeaveAndComeBackInOneRead(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	c.send(c.frame(jt808.IDDeregister, nil), c.authFrame(c.code), c.position(1), c.authFrame(c.code))
	c.want(c.serial-4, jt808.IDDeregister, jt808.ResultOK)
	c.want(c.serial-3, jt808.IDAuthenticate, jt808.ResultOK)
	c.want(c.serial-2, jt808.IDLocation, jt808.ResultOK)
	c.want(c.serial-1, jt808.IDAuthenticate, jt808.ResultOK)
	want := []string{"晋E12345 online=true authenticated", "晋E12345 online=false deregistered", "晋E12345 online=true authenticated"}
	if got := log.links(); !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
	// The unit moved to another vehicle: the same phone, another code.
	c.login(v2)
	if got, want := log.links()[3:], []string{"晋E12345 online=false replaced", "晋E54321 online=true authenticated"}; !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
	c.ping(2)
	if got := log.positions(v2); !slices.Equal(got, []int64{2}) {
		t.Errorf("positions of the other vehicle %v", got)
	}
}

// A terminal that falls silent on a connection that another keeps alive goes offline.
func TestSilentOnASharedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		log := newFakeLog()
		g := startWithoutSockets(t, cfg, log)
		a := pipe(t, g, "1", jt808.Edition2013)
		a.login(v1)
		b := onConn(t, a.nc, "2", jt808.Edition2019)
		b.login(v2)
		for silent := time.Duration(0); len(log.links()) < 3 && silent < 2*cfg.IdleTimeout; silent += cfg.IdleTimeout / 4 {
			time.Sleep(cfg.IdleTimeout / 4)
			a.ping(1)
		}
		if got, want := log.links()[2], "晋E54321 online=false timeout"; got != want {
			t.Errorf("link %q, want %q", got, want)
		}
		b.send(b.position(1))
		b.want(b.serial-1, jt808.IDLocation, jt808.ResultFailed)
		a.ping(2)
	})
}

// Connections of one terminal that come and go at once must leave the log with an order that makes sense: online and
// offline take turns, however they are interleaved.
func TestLinkEventsTakeTurns(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	first := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	first.register(v1)
	for range 30 {
		c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
		c.send(c.authFrame(first.code))
		c.want(0, jt808.IDAuthenticate, jt808.ResultOK)
		c.nc.Close()
	}
	log.await(func() bool { return len(log.linksLocked()) == 60 })
	for i, l := range log.links() {
		if strings.Contains(l, "online=true") != (i%2 == 0) {
			t.Fatalf("link events %q", log.links())
		}
	}
}

// Who comes while the session before him is on its way out waits until its offline event was handed to the log.
func TestEnterWaitsForWhoLeaves(t *testing.T) {
	g, _ := startGateway(t, testConfig(), newFakeLog(), nil)
	phone, _ := jt808.ParsePhone("1", jt808.Edition2019)
	a := &session{conn: newConn(g, discard{}, netip.Addr{}), phone: phone, vehicle: v1}
	b := &session{conn: newConn(g, discard{}, netip.Addr{}), phone: phone, vehicle: v1}
	r := g.sessions
	if r.enter(a, nil) != nil || !r.leave(a) || r.leave(a) {
		t.Fatal("a session does not enter and leave once")
	}
	givenUp := make(chan struct{})
	close(givenUp)
	if old := r.enter(b, givenUp); old != nil || r.byPhone[phone] != a {
		t.Fatal("a session took the place of one whose offline event is not written")
	}
	entered := make(chan *session)
	go func() { entered <- r.enter(b, nil) }()
	r.left(a)
	if old := <-entered; old != nil || r.byPhone[phone] != b || a.conn.live != 0 || b.conn.live != 1 {
		t.Errorf("after it left: old %v, live %d and %d", old, a.conn.live, b.conn.live)
	}
	if n := testutil.ToFloat64(g.metrics.sessions); n != 1 {
		t.Errorf("%v sessions", n)
	}
}
