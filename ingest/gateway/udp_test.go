package gateway

import (
	"bytes"
	"context"
	"hash/maphash"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/jt808"
)

func startUDP(t *testing.T, change func(*Config)) (*Gateway, *fakeLog) {
	t.Helper()
	cfg := testConfig()
	cfg.ListenUDP = "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	log := newFakeLog()
	g, _ := startGateway(t, cfg, log, nil)
	return g, log
}

func dialUDP(t *testing.T, g *Gateway, phone string, ed jt808.Edition) *terminal {
	t.Helper()
	nc, err := net.Dial("udp", g.AddrUDP().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return onConn(t, nc, phone, ed)
}

func TestUDP(t *testing.T) {
	g, log := startUDP(t, nil)
	c := dialUDP(t, g, "1", jt808.Edition2013)
	d := dialUDP(t, g, "2", jt808.Edition2019)
	c.login(v1)
	d.login(v2)
	c.ping(1)
	d.ping(2)
	// Several frames in one datagram are replied to in one. The rest, which is no whole frame, is nothing to come back to.
	half := c.position(9)[:20]
	c.send(c.position(3), c.position(4), c.frame(jt808.IDHeartbeat, nil), half)
	buf := make([]byte, 2048)
	c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := c.nc.Read(buf)
	if err != nil || len(splitFrames(buf[:n])) != 3 {
		t.Errorf("%x %v, want three replies", buf[:n], err)
	}
	c.ping(5)
	// Sub-packages, one in each datagram, and the platform's long messages in several.
	first, parts := c.batchParts(60)
	for _, p := range parts {
		c.send(p)
	}
	for i := range parts {
		c.want(first+uint16(i), jt808.IDBatch, jt808.ResultOK)
	}
	// On TCP it is the same terminal: the later connection wins.
	tcp := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	tcp.login(v1)
	for len(addressesOf(g)) > 1 { // until the old one has ended; what came before is lost, as datagrams may be
		runtime.Gosched()
	}
	c.send(c.position(6))
	c.want(c.serial-1, jt808.IDLocation, jt808.ResultFailed)
	tcp.ping(7)
	d.ping(8)
	want := []string{"晋E12345 online=true authenticated", "晋E54321 online=true authenticated", "晋E12345 online=false replaced", "晋E12345 online=true authenticated"}
	if got := log.links(); !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}
	if got := log.positions(v1); !slices.Equal(got[:4], []int64{1, 3, 4, 5}) {
		t.Errorf("positions %v", got)
	}
}

func TestUDPRepliesAreCutAtFrames(t *testing.T) {
	g, _ := startUDP(t, nil)
	here, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	p := &datagramPeer{d: g.udp, to: here.LocalAddr().(*net.UDPAddr).AddrPort()}
	frame := append(append([]byte{0x7e}, bytes.Repeat([]byte{1}, 598)...), 0x7e)
	long := append(append([]byte{0x7e}, bytes.Repeat([]byte{2}, 2000)...), 0x7e)
	all := slices.Concat(frame, frame, frame, long, frame)
	if n, err := p.Write(all); n != len(all) || err != nil {
		t.Fatal(n, err)
	}
	buf := make([]byte, 4096)
	for _, want := range []int{1200, 600, 2002, 600} {
		here.SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, _, err := here.ReadFromUDP(buf); n != want || err != nil {
			t.Errorf("%d bytes, want %d; %v", n, want, err)
		}
	}
}

func TestUDPLimits(t *testing.T) {
	g, _ := startUDP(t, func(c *Config) {
		c.MaxConnectionsPerAddress, c.FirstFrameTimeout = 2, 50*time.Millisecond
		c.MaxDatagramRate = 0 // the waiting below may be long
	})
	c := dialUDP(t, g, "1", jt808.Edition2013)
	c.login(v1)
	dropped := func(reason string) float64 { return testutil.ToFloat64(g.metrics.droppedDatagrams[reason]) }
	taken := func() { // everything that was sent before
		t.Helper()
		c.send(c.frame(jt808.IDHeartbeat, nil))
		c.want(c.serial-1, jt808.IDHeartbeat, jt808.ResultOK)
	}
	// What does not begin as a frame makes no connection.
	for _, bad := range []string{"GET / HTTP/1.1\r\n", "\x00"} {
		nc := dialUDP(t, g, "9", jt808.Edition2013).nc
		nc.Write([]byte(bad))
	}
	for dropped(datagramGarbage) < 2 {
		taken()
	}
	// One of these two has the second place, and the other none.
	a, b := dialUDP(t, g, "2", jt808.Edition2013), dialUDP(t, g, "3", jt808.Edition2013)
	for dropped(datagramLimit) < 1 {
		a.send([]byte{0x7e, 1, 2})
		b.send([]byte{0x7e, 1, 2})
		taken()
	}
	// A connection of nobody ends soon, and gives its place to another; the one that is somebody's stays.
	for testutil.ToFloat64(g.metrics.closed[reasonTimeout]) < 1 || testutil.ToFloat64(g.metrics.connections) > 1 {
		taken()
	}
	b.send(b.position(1))
	b.want(b.serial-1, jt808.IDLocation, jt808.ResultFailed)
	b.login(v2)
	b.ping(2)
	c.ping(2)
}

func addressesOf(g *Gateway) (list []netip.AddrPort) {
	g.udp.mu.Lock()
	defer g.udp.mu.Unlock()
	for a := range g.udp.peers {
		list = append(list, a)
	}
	return list
}

// The flood of one address is dropped before it costs anything, and others are served.
func TestUDPFlood(t *testing.T) {
	g, _ := startUDP(t, func(c *Config) { c.MaxDatagramRate = 10 })
	g.udp.stop()
	at := time.Now()
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")
	d := &datagrams{g: g, pc: g.udp.pc, seed: g.udp.seed, buckets: make([]bucket, datagramBuckets), peers: map[netip.AddrPort]*datagramPeer{}}
	for i := range d.buckets {
		d.buckets[i] = bucket{rate: 10, burst: 20}
	}
	place := func(a netip.AddrPort) uint64 { return maphash.Comparable(d.seed, a.Addr()) % datagramBuckets }
	for place(a) == place(b) {
		b = netip.AddrPortFrom(b.Addr().Next(), 1)
	}
	// Peers that nobody reads: their queues fill.
	for _, x := range []netip.AddrPort{a, b} {
		d.peers[x] = &datagramPeer{d: d, to: x, queue: make(chan []byte, maxQueued)}
	}
	drops := map[string]int{}
	for range 1000 {
		drops[d.take([]byte{0x7e}, a, at)]++
	}
	if drops[""] != maxQueued || drops[datagramQueue] != 20-maxQueued || drops[datagramRate] != 980 {
		t.Errorf("%v", drops)
	}
	if drop := d.take([]byte{0x7e}, b, at); drop != "" {
		t.Errorf("%q: another address is dropped too", drop)
	}
	if drop := d.take([]byte{0x7e}, a, at.Add(time.Second)); drop != datagramQueue {
		t.Errorf("%q: not heard again after a second", drop)
	}
	d.queued = maxQueuedTotal
	<-d.peers[a].queue
	if drop := d.take([]byte{0x7e}, a, at.Add(2*time.Second)); drop != datagramQueue {
		t.Errorf("%q: queues without end", drop)
	}
}

func TestUDPIdleAndShutdown(t *testing.T) {
	g, log := startUDP(t, func(c *Config) { c.IdleTimeout = 60 * time.Millisecond })
	c := dialUDP(t, g, "1", jt808.Edition2013)
	c.login(v1)
	log.await(func() bool { return len(log.linksLocked()) == 2 })
	if got := log.links()[1]; got != "晋E12345 online=false timeout" {
		t.Errorf("link %q", got)
	}
	g, log = startUDP(t, nil)
	c = dialUDP(t, g, "1", jt808.Edition2013)
	c.login(v1)
	resume := log.stall()
	c.send(c.position(1))
	log.await(func() bool { return log.waiting == 1 })
	c.send(c.position(2)) // waits in the queue
	queued := func() bool {
		g.udp.mu.Lock()
		defer g.udp.mu.Unlock()
		return g.udp.queued > 0
	}
	for !queued() {
		time.Sleep(time.Millisecond)
	}
	var stopping sync.WaitGroup
	stopping.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	for g.Ready() {
		time.Sleep(time.Millisecond)
	}
	resume()
	c.want(c.serial-2, jt808.IDLocation, jt808.ResultOK)
	c.want(c.serial-1, jt808.IDLocation, jt808.ResultOK)
	stopping.Wait()
	if got := log.positions(v1); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("positions %v", got)
	}
}
