package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// JT/T 808 over UDP. A datagram holds whole frames. Each remote address and port is a connection like those of TCP, with
// the same limits, sessions and replies; one whose terminals are not authenticated lives for first_frame_timeout, any
// other for idle_timeout after its last good frame. The replies to a datagram go back in one, or in a few where they are
// long. Addresses of datagrams can be forged, so nothing but a frame's first byte makes one, and floods of an address
// are dropped before.
type datagrams struct {
	g    *Gateway
	pc   *net.UDPConn
	seed maphash.Seed

	buckets []bucket // by hash of the address, so that forged ones can't make more of them; the reader's own
	mu      sync.Mutex
	peers   map[netip.AddrPort]*datagramPeer
	queued  int // bytes in all queues
}

const (
	datagramBuckets  = 4096
	maxQueued        = 16       // datagrams of one address that wait
	maxQueuedTotal   = 64 << 20 // bytes of all
	maxReplyDatagram = 1400     // bytes: what no network on the way fragments
)

// Why a datagram was dropped.
const (
	datagramGarbage = "garbage"
	datagramRate    = "rate"
	datagramQueue   = "queue"
	datagramLimit   = "connections"
)

var datagramDrops = []string{datagramGarbage, datagramRate, datagramQueue, datagramLimit}

// datagramPeer is what a connection writes to, and the datagrams that wait for it.
type datagramPeer struct {
	d     *datagrams
	to    netip.AddrPort
	queue chan []byte // sent to under datagrams.mu
}

// startUDP listens for datagrams where that is set.
func (g *Gateway) startUDP() error {
	if g.cfg.ListenUDP == "" {
		return nil
	}
	addr, err := net.ResolveUDPAddr("udp", g.cfg.ListenUDP)
	if err == nil {
		var pc *net.UDPConn
		if pc, err = net.ListenUDP("udp", addr); err == nil {
			g.udp = &datagrams{g: g, pc: pc, seed: maphash.MakeSeed(), buckets: make([]bucket, datagramBuckets), peers: map[netip.AddrPort]*datagramPeer{}}
			for i := range g.udp.buckets {
				g.udp.buckets[i] = bucket{rate: g.cfg.MaxDatagramRate, burst: 2 * g.cfg.MaxDatagramRate}
			}
			g.running.Go(g.udp.read)
			return nil
		}
	}
	return fmt.Errorf("gateway.listen_udp: %w", err)
}

// AddrUDP is where the gateway takes datagrams, nil where it does not.
func (g *Gateway) AddrUDP() net.Addr {
	if g.udp == nil {
		return nil
	}
	return g.udp.pc.LocalAddr()
}

// stop ends the reader. What is queued is still taken and replied to.
func (d *datagrams) stop() {
	if d != nil {
		d.pc.SetReadDeadline(time.Unix(1, 0))
	}
}

func (d *datagrams) close() {
	if d != nil {
		d.pc.Close()
	}
}

func (d *datagrams) read() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := d.pc.ReadFromUDPAddrPort(buf)
		if err == nil {
			d.g.metrics.readBytes.Add(float64(n))
			if drop := d.take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), time.Now()); drop != "" {
				d.g.metrics.droppedDatagrams[drop].Inc()
			}
			continue
		}
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		d.g.metrics.acceptErrors.Inc()
		t := time.NewTimer(acceptPauseMin)
		select {
		case <-t.C:
		case <-d.g.ctx.Done():
		}
		t.Stop()
	}
}

// take hands a datagram, which it copies, to the connection of its sender. It returns why it was dropped.
func (d *datagrams) take(b []byte, from netip.AddrPort, now time.Time) (drop string) {
	if len(b) == 0 || b[0] != 0x7e {
		return datagramGarbage
	}
	k := &d.buckets[maphash.Comparable(d.seed, from.Addr())%datagramBuckets]
	if k.take(1, now.UnixMilli()) > 0 {
		k.tokens++ // what is dropped costs nothing, so that who slows down is heard again at once
		return datagramRate
	}
	d.mu.Lock()
	p := d.peers[from]
	d.mu.Unlock()
	if p == nil { // only this goroutine makes one
		p = &datagramPeer{d: d, to: from, queue: make(chan []byte, maxQueued)}
		if !d.g.admitDatagrams(p) {
			return datagramLimit
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peers[from] != p { // it ended meanwhile; the terminal sends again
		return datagramQueue
	}
	if len(p.queue) == cap(p.queue) || d.queued+len(b) > maxQueuedTotal {
		return datagramQueue
	}
	p.queue <- bytes.Clone(b)
	d.queued += len(b)
	return ""
}

// admitDatagrams starts the connection of an address, unless a limit is reached.
func (g *Gateway) admitDatagrams(p *datagramPeer) bool {
	c := newConn(g, p, p.to.Addr())
	c.counted = true
	g.mu.Lock()
	refused := ""
	switch {
	case g.closing:
		refused = reasonShutdown
	case len(g.conns) >= g.cfg.MaxConnections:
		refused = turnedAwayFull
	case g.addresses[c.address] >= g.cfg.MaxConnectionsPerAddress:
		refused = turnedAwayAddress
	default:
		g.conns[c] = struct{}{}
		g.addresses[c.address]++
		g.running.Add(1)
	}
	g.mu.Unlock()
	if refused != "" {
		if m := g.metrics.turnedAway[refused]; m != nil {
			m.Inc()
		}
		return false
	}
	p.d.mu.Lock()
	p.d.peers[p.to] = p
	p.d.mu.Unlock()
	g.metrics.connections.Inc()
	go func() {
		defer g.running.Done()
		reason := c.serveDatagrams(p)
		p.end()
		c.end(reason)
		g.release(c)
	}()
	return true
}

// serveDatagrams takes datagrams until the connection ends and returns why.
func (c *conn) serveDatagrams(p *datagramPeer) string {
	t := time.NewTimer(c.g.cfg.FirstFrameTimeout)
	defer t.Stop()
	for {
		t.Reset(time.Until(c.datagramDeadline()))
		select {
		case b := <-p.queue:
			if reason := c.takeDatagram(p, b); reason != "" {
				return reason
			}
		case <-c.stopCh:
			reason := c.stopReason()
			for reason == reasonShutdown && len(p.queue) > 0 {
				if r := c.takeDatagram(p, <-p.queue); r != "" {
					break
				}
			}
			return reason
		case <-t.C:
			if again, reason := c.woken(time.Now()); again {
				continue
			} else if reason != "" {
				return reason
			}
			if time.Now().Before(c.datagramDeadline()) { // it was set before the last datagram
				continue
			}
			if p.endIdle() {
				return reasonTimeout
			}
		}
	}
}

// datagramDeadline is when the connection ends, or missing parts are to be looked after.
func (c *conn) datagramDeadline() time.Time {
	deadline := c.lastFrame.Add(c.g.cfg.IdleTimeout)
	if c.lastFrame.IsZero() || !c.authenticated() {
		deadline = c.opened.Add(c.g.cfg.FirstFrameTimeout)
	}
	if ask := time.UnixMilli(c.ask); c.ask != 0 && ask.Before(deadline) {
		deadline = ask
	}
	return deadline
}

func (c *conn) authenticated() bool {
	for _, p := range c.peers {
		if p.session != nil {
			return true
		}
	}
	return false
}

// takeDatagram handles the frames of a datagram. What is left of it is no frame and never will be.
func (c *conn) takeDatagram(p *datagramPeer, b []byte) string {
	p.d.mu.Lock()
	p.d.queued -= len(b)
	p.d.mu.Unlock()
	c.buf, c.held = b, len(b)
	reason := c.take(time.Now())
	skipped := c.framer.Skipped + uint64(c.held)
	c.framer.Reset()
	c.framer.Skipped = skipped
	c.buf, c.held = nil, 0
	return reason
}

// end takes no more datagrams and drops those that wait.
func (p *datagramPeer) end() {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if p.d.peers[p.to] == p {
		delete(p.d.peers, p.to)
	}
	for len(p.queue) > 0 {
		p.d.queued -= len(<-p.queue)
	}
}

// endIdle is end where no datagram waits, and false where one does.
func (p *datagramPeer) endIdle() bool {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if len(p.queue) > 0 {
		return false
	}
	delete(p.d.peers, p.to)
	return true
}

// Write sends whole frames, as many in one datagram as go without being fragmented.
func (p *datagramPeer) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		end := len(b)
		if end > maxReplyDatagram {
			end = 0
			for end < len(b) {
				frame := bytes.IndexByte(b[end+1:], 0x7e) + 2
				if frame < 2 { // not to be expected: only whole frames are written
					frame = len(b) - end
				}
				if end > 0 && end+frame > maxReplyDatagram {
					break
				}
				end += frame
			}
		}
		if _, err = p.d.pc.WriteToUDPAddrPort(b[:end], p.to); err != nil {
			return n, err
		}
		n += end
		b = b[end:]
	}
	return n, nil
}

func (p *datagramPeer) Read([]byte) (int, error)         { return 0, errors.ErrUnsupported }
func (p *datagramPeer) Close() error                     { return nil }
func (p *datagramPeer) LocalAddr() net.Addr              { return p.d.pc.LocalAddr() }
func (p *datagramPeer) RemoteAddr() net.Addr             { return net.UDPAddrFromAddrPort(p.to) }
func (p *datagramPeer) SetDeadline(time.Time) error      { return nil }
func (p *datagramPeer) SetReadDeadline(time.Time) error  { return nil }
func (p *datagramPeer) SetWriteDeadline(time.Time) error { return nil }
