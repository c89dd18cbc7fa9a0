package gateway

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"lushao/ingest/jt808"
)

// conn is one connection. Its goroutine owns it, but for stop and what sessions.mu guards.
type conn struct {
	g       *Gateway
	nc      net.Conn
	address netip.Addr // the one that limits count for
	proxy   *proxied   // nil where no header of a proxy is to be read
	counted bool       // among the connections of address
	framer  jt808.Framer
	buf     []byte // read buffer of a size of bufferClass
	held    int    // bytes in buf that belong to a frame that is not complete
	short   int    // reads one after another that used little of buf
	bucket  bucket

	opened    time.Time
	lastFrame time.Time // zero before the first good frame
	swept     int64     // Unix ms
	skipped   uint64    // framer.Skipped as counted in the metrics
	clean     uint64    // framer.Skipped at the last good frame
	strikes   int       // frames of terminals that are not authenticated
	peers     map[jt808.Phone]*peer
	last      *peer // nearly every connection has one terminal
	serial    uint16
	batch     Batch
	ask       int64 // when missing parts are to be looked after, Unix ms; 0 none are missing

	out outgoing // see command_write.go

	live int // sessions that are online; guarded by sessions.mu

	stopMu  sync.Mutex
	stopped string // the reason; empty while it goes on
	stopCh  chan struct{}
}

// peer is a terminal that spoke on a connection.
type peer struct {
	phone   jt808.Phone   // canonical
	digits  string        // without leading zeros
	session *session      // nil before it is authenticated
	serial  atomic.Uint32 // of the platform's next message to it; its low 16 bits count
	edition jt808.Edition // of its registration on this connection, which tells 2011 from 2013
	seen    int64         // Unix ms
	parts   *parts        // nil until a sub-package comes
}

func newConn(g *Gateway, nc net.Conn, address netip.Addr) *conn {
	return &conn{g: g, nc: nc, address: address, framer: jt808.Framer{MaxFrame: g.cfg.MaxFrame}, opened: time.Now(),
		bucket: bucket{rate: g.cfg.MaxFrameRate, burst: float64(g.cfg.MaxFrameBurst)}, stopCh: make(chan struct{})}
}

// stop lets the connection finish what it has read and end. Anyone may call it; the first reason counts.
func (c *conn) stop(reason string) {
	c.stopMu.Lock()
	defer c.stopMu.Unlock()
	if c.stopped == "" {
		c.stopped = reason
		close(c.stopCh)
		c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes a read that waits
	}
}

// mayRead sets the deadline of the next read, unless the connection is to end: then it returns why.
func (c *conn) mayRead() string {
	deadline := c.lastFrame.Add(c.g.cfg.IdleTimeout)
	if c.lastFrame.IsZero() {
		deadline = c.opened.Add(c.g.cfg.FirstFrameTimeout)
	}
	if c.ask != 0 {
		if ask := time.UnixMilli(c.ask); ask.Before(deadline) {
			deadline = ask
		}
	}
	c.stopMu.Lock() // so that the deadline of stop is not overwritten
	defer c.stopMu.Unlock()
	if c.stopped == "" {
		c.nc.SetReadDeadline(deadline)
	}
	return c.stopped
}

func (c *conn) stopReason() string {
	c.stopMu.Lock()
	defer c.stopMu.Unlock()
	return c.stopped
}

func (c *conn) run() {
	c.buf = getBuffer(minBuffer)
	reason := c.greet()
	if reason == "" {
		reason = c.loop()
	}
	putBuffer(c.buf)
	c.buf = nil
	c.end(reason)
}

// end closes the connection and takes its terminals offline.
func (c *conn) end(reason string) {
	c.nc.Close()
	c.closeQueue()
	c.leaveAll(reason)
	c.g.metrics.closed[reason].Inc()
	c.g.logger.Debug("connection ended", "address", c.nc.RemoteAddr(), "reason", reason)
}

// loop reads until the connection ends and returns why.
func (c *conn) loop() string {
	for {
		if reason := c.mayRead(); reason != "" {
			return reason
		}
		n, err := c.nc.Read(c.buf[c.held:])
		if n > 0 {
			c.g.metrics.readBytes.Add(float64(n))
			c.held += n
			full := c.held == len(c.buf)
			if reason := c.take(time.Now()); reason != "" {
				return reason
			}
			c.fit(n, full)
		}
		if err != nil {
			if reason := c.stopReason(); reason != "" {
				return reason
			}
			switch {
			case errors.Is(err, io.EOF):
				return reasonClosed
			case errors.Is(err, os.ErrDeadlineExceeded):
				if again, reason := c.woken(time.Now()); again {
					continue
				} else if reason != "" {
					return reason
				}
				return reasonTimeout
			}
			return reasonError
		}
	}
}

// fit grows the buffer when a read of n bytes filled it, and shrinks it when reads of late were short.
func (c *conn) fit(n int, full bool) {
	size := len(c.buf)
	switch {
	case full:
		c.short = 0
		size = min(2*size, maxBuffer)
	case n < size/2 && size > minBuffer:
		if c.short++; c.short >= 2 && c.held < size/2 {
			c.short = 0
			size /= 2
		}
	default:
		c.short = 0
	}
	c.buf = resize(c.buf, size, c.held)
}

// take handles the frames of what was read at the time now, and returns why the connection must end, if it must.
func (c *conn) take(now time.Time) (reason string) {
	w := getWork(c, now.UnixMilli())
	defer w.put()
	frames, at := 0, 0
	for reason == "" {
		frame, n, err := c.framer.Next(c.buf[at:c.held])
		at += n
		if err != nil {
			if m := c.g.metrics.frameErrors[jt808.KindOf(err)]; m != nil {
				m.Inc()
			}
		} else if frame == nil {
			break
		} else {
			frames++
			c.clean = c.framer.Skipped
			reason = w.frame(frame)
		}
	}
	if reason == "" && c.framer.Skipped-c.clean > uint64(c.g.cfg.MaxGarbage) {
		reason = reasonGarbage
	}
	if reason == "" {
		w.askMissing()
	}
	// The frames alias buf; what is left of it moves only when they are done with.
	if committed := w.commit(); committed != "" {
		reason = committed
	}
	if frames > 0 {
		c.lastFrame = time.Now() // not now: what the log took its time for is not the terminal's silence
	}
	c.held = copy(c.buf, c.buf[at:c.held])
	c.g.metrics.garbage.Add(float64(c.framer.Skipped - c.skipped))
	c.skipped = c.framer.Skipped
	if reason != "" {
		return reason
	}
	c.sweep(now.UnixMilli())
	c.throttle(c.bucket.take(frames+w.cost, now.UnixMilli()))
	return ""
}

// throttle waits before the next read: who sends too fast is read more slowly, and his own buffers fill.
func (c *conn) throttle(seconds float64) {
	if seconds <= 0 {
		return
	}
	c.g.metrics.throttled.Add(seconds)
	t := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.stopCh:
	}
	c.lastFrame = time.Now() // the wait was ours
}

// sweep ends the sessions of terminals that fell silent on a connection that others keep alive.
func (c *conn) sweep(now int64) {
	idle := c.g.cfg.IdleTimeout.Milliseconds()
	if len(c.peers) < 2 || now-c.swept < idle/2 {
		return
	}
	c.swept = now
	w := getWork(c, now)
	defer w.put()
	for _, p := range c.peers {
		if now-p.seen > idle {
			w.offline(p, reasonTimeout)
			c.forget(p)
		}
	}
	w.commit()
}

// peer returns the terminal of a phone, nil where it has not spoken yet.
func (c *conn) peer(phone jt808.Phone) *peer {
	if c.last == nil || c.last.phone != phone {
		c.last = c.peers[phone]
	}
	return c.last
}

// meet returns the terminal of a phone, nil where there are too many.
func (c *conn) meet(phone jt808.Phone, now int64) *peer {
	p := c.peer(phone)
	if p == nil {
		if len(c.peers) >= c.g.cfg.MaxSessions {
			return nil
		}
		if c.peers == nil {
			c.peers = map[jt808.Phone]*peer{}
		}
		p = &peer{phone: phone, digits: phone.Trimmed()}
		c.peers[phone] = p
		c.last = p
	}
	p.seen = now
	return p
}

func (c *conn) forget(p *peer) {
	p.dropParts(c.g)
	delete(c.peers, p.phone)
	if c.last == p {
		c.last = nil
	}
}

// leaveAll takes every session of the connection offline.
func (c *conn) leaveAll(reason string) {
	if len(c.peers) == 0 {
		return
	}
	w := getWork(c, time.Now().UnixMilli())
	defer w.put()
	for _, p := range c.peers {
		p.dropParts(c.g)
		w.offline(p, linkReason(reason))
	}
	w.commit()
}
