// Package link is one TCP connection of JT/T 809 between two platforms, whichever side dialled it: it reads frames and
// hands them on decrypted, and writes messages in order from a queue with a bound.
//
//	conn.go     options, the life of a connection, reading
//	write.go    the queue and its one writer
//	serials.go  msg_sn: one counter for both links of a peer, or one for each message in 2019
//	metrics.go  by role, peer and link
//
// What a connection means, who has logged in and when silence is too long is its owner's business: LastRead and LastWrite
// say how long it is silent.
package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"lushao/ingest/jt809"
)

// Errors of a connection. Run wraps ErrClosed with the reason that Close was given.
var (
	ErrFull       = errors.New("the queue of what the peer has not taken yet is full")
	ErrClosed     = errors.New("connection closed")
	ErrSlowReader = errors.New("the peer did not take what was written within the write time-out")
)

// Defaults of Options.
const (
	DefaultMaxFrame     = 4 << 20
	DefaultMaxQueue     = 4 << 20
	DefaultWriteTimeout = 10 * time.Second
)

// Options of a connection. Zero values stand for the defaults.
type Options struct {
	Name    string        // of the peer, for the log
	Edition jt809.Edition // EditionAuto: learnt from the login
	Centre  uint32        // access code, in every header
	Version [3]byte
	Cipher  jt809.Cipher // zero: bodies that are encrypted can't be read
	Encrypt bool         // what is sent, with a new key for each frame
	// CipherOf finds the constants by the centre of the header while Cipher is zero: who accepts a connection does not know
	// the peer before its first frame.
	CipherOf func(centre uint32) jt809.Cipher

	MaxFrame     int // bytes between two flags
	MaxQueue     int // bytes that wait to be written
	WriteTimeout time.Duration
	Serials      *Serials // nil: of this connection alone
	Now          func() time.Time
	Logger       *slog.Logger
	Metrics      *Metrics // nil: nothing is counted
}

// Handler takes what a connection reads. Both methods are called by the goroutine of Run.
type Handler interface {
	// Frame takes a message. The body is decrypted; both are valid during the call. An error ends the connection.
	Frame(h *jt809.Header, body []byte) error
	// Drained is called after the frames of one read: what they brought can be passed on in one go.
	Drained() error
}

// Conn is one TCP connection. Send and its sisters, Close and the getters may be called by any goroutine.
type Conn struct {
	nc      net.Conn
	address netip.Addr
	now     func() time.Time

	head      jt809.Header // of the frame at hand; the reader's
	busy      atomic.Bool  // the handler is at work
	lastRead  atomic.Int64 // Unix ns, of the last good frame
	lastWrite atomic.Int64

	mu      sync.Mutex
	o       Options
	out     outgoing
	cause   error // why it ended or is to end; the first counts
	closing bool  // Close was called
	ended   bool
}

// New makes a connection of a socket, which it owns from now on. Nothing is read or written before Run.
func New(nc net.Conn, o Options) *Conn {
	c := &Conn{nc: nc, o: withDefaults(o)}
	c.now = c.o.Now
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.address = a.AddrPort().Addr().Unmap()
	}
	c.out.init()
	now := c.now().UnixNano()
	c.lastRead.Store(now)
	c.lastWrite.Store(now)
	return c
}

func withDefaults(o Options) Options {
	if o.MaxFrame <= 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	if o.MaxQueue <= 0 {
		o.MaxQueue = DefaultMaxQueue
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = DefaultWriteTimeout
	}
	if o.Serials == nil {
		o.Serials = NewSerials(o.Edition)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics
	}
	return o
}

// Adopt gives the connection the options of the peer that it has turned out to be: name, edition (unless it is
// EditionAuto), centre, version, constants, serials, metrics. Limits, clock and logger stay.
func (c *Conn) Adopt(o Options) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.o.Name, c.o.Centre, c.o.Version = o.Name, o.Centre, o.Version
	c.o.Cipher, c.o.Encrypt, c.o.CipherOf = o.Cipher, o.Encrypt, nil
	if o.Edition != jt809.EditionAuto {
		c.o.Edition = o.Edition
	}
	if o.Serials != nil {
		c.o.Serials = o.Serials
	}
	c.o.Serials.SetEdition(c.o.Edition)
	if o.Metrics != nil {
		c.o.Metrics = o.Metrics
	}
}

// SetEdition sets the edition of what is read and written from now on.
func (c *Conn) SetEdition(ed jt809.Edition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.o.Edition = ed
	c.o.Serials.SetEdition(ed)
}

// Edition is the edition that was set or learnt; EditionAuto before that.
func (c *Conn) Edition() jt809.Edition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.o.Edition
}

// LastRead is when the last good frame was read: bad ones are no sign of life. While the handler is at work, which may
// wait for a slow log, it is now, because the wait is ours.
func (c *Conn) LastRead() time.Time {
	if c.busy.Load() {
		return c.now()
	}
	return time.Unix(0, c.lastRead.Load())
}

// LastWrite is when a frame was written last.
func (c *Conn) LastWrite() time.Time { return time.Unix(0, c.lastWrite.Load()) }

// RemoteAddr is the address of the peer, without a port; invalid where the connection has none.
func (c *Conn) RemoteAddr() netip.Addr { return c.address }

// Close lets the connection write what waits, within the write time-out, and end. Frames that were read already are
// handled, nothing more is read. The first reason counts. Any goroutine may call it, the handler too.
func (c *Conn) Close(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(fmt.Errorf("%w: %s", ErrClosed, reason))
	if !c.closing {
		c.closing = true
		c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes a read that waits
	}
}

// Ending reports whether the connection has ended, or is to end: Close was called, or a read or a write has failed.
func (c *Conn) Ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause != nil
}

// fail notes why the connection ends. mu is held.
func (c *Conn) fail(err error) {
	if c.cause == nil {
		c.cause = err
	}
}

// Run reads until the connection ends, the handler fails, Close is called, or ctx ends, and closes it. It returns why;
// io.EOF where the peer has closed. After Close, and where the handler fails, what waits to be written is written first;
// when ctx ends it is not.
func (c *Conn) Run(ctx context.Context, h Handler) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		c.fail(ctx.Err())
		c.mu.Unlock()
		c.nc.Close()
	})
	defer stop()
	var writer sync.WaitGroup
	writer.Go(c.writeLoop)
	err := c.read(h)
	c.mu.Lock()
	c.fail(err)
	c.ended = true
	c.out.wake()
	c.mu.Unlock()
	writer.Wait()
	c.linger()
	c.nc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// lingerTime and lingerBytes bound the wait for the peer to close too.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 64 << 10
)

// linger lets the peer read what was written last, such as why it was refused: a socket that is closed with bytes that
// nobody has read resets the connection, and the peer may never see them.
func (c *Conn) linger() {
	c.mu.Lock()
	closing := c.closing && !errors.Is(c.cause, context.Canceled)
	c.mu.Unlock()
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !closing || !ok || half.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, c.nc, lingerBytes)
}

// Read buffers. A frame of a photo needs a large one, positions are read best in pieces of readSize.
const (
	minBuffer = 4 << 10
	readSize  = 128 << 10
)

func (c *Conn) read(h Handler) error {
	f := jt809.Framer{MaxFrame: c.o.MaxFrame}
	buf := make([]byte, minBuffer)
	held, short, skipped := 0, 0, uint64(0)
	for {
		c.mu.Lock()
		closing := c.closing
		c.mu.Unlock()
		if closing {
			return ErrClosed
		}
		n, err := c.nc.Read(buf[held:])
		if n > 0 {
			c.metrics().read(0, n)
			held += n
			full := held == len(buf)
			used, herr := c.take(&f, h, buf[:held])
			if herr != nil {
				return herr
			}
			if f.Skipped != skipped {
				c.metrics().garbage.Add(float64(f.Skipped - skipped))
				skipped = f.Skipped
			}
			held = copy(buf, buf[used:held])
			size := len(buf)
			switch {
			case held == len(buf): // one frame is longer than the buffer
				size, short = min(2*size, c.o.MaxFrame+2), 0
			case full && size < readSize:
				size, short = min(2*size, readSize), 0
			case n < size/4 && held < size/4 && size > minBuffer:
				// Shrunk when reads of late were short, so that a link that idles between bursts does not swing.
				if short++; short >= 16 {
					size, short = max(size/2, minBuffer), 0
				}
			default:
				short = 0
			}
			if size != len(buf) {
				b := make([]byte, size)
				copy(b, buf[:held])
				buf = b
			}
		}
		if err != nil {
			c.mu.Lock()
			closing := c.closing
			c.mu.Unlock()
			if closing {
				return ErrClosed
			}
			if errors.Is(err, io.EOF) {
				return io.EOF
			}
			return err
		}
	}
}

func (c *Conn) metrics() *Metrics {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.o.Metrics
}

// take hands over the frames of b and returns how much of it is used up.
func (c *Conn) take(f *jt809.Framer, handler Handler, b []byte) (used int, err error) {
	c.mu.Lock()
	o := c.o // a handler may change them; see below
	c.mu.Unlock()
	c.busy.Store(true)
	defer c.busy.Store(false)
	good := 0
	h := &c.head
	for {
		frame, n, ferr := f.Next(b[used:])
		used += n
		if ferr != nil {
			c.bad(&o, ferr)
			continue
		}
		if frame == nil {
			break
		}
		body, herr := h.Decode(frame, o.Edition)
		if herr != nil {
			c.bad(&o, herr)
			continue
		}
		if h.Encrypted && len(body) > 0 {
			cipher := o.Cipher
			if cipher == (jt809.Cipher{}) && o.CipherOf != nil {
				cipher = o.CipherOf(h.Centre)
			}
			if cipher == (jt809.Cipher{}) {
				o.Metrics.badFrame(KindNoKey)
				o.Logger.Warn("a body is encrypted and there are no constants for it; set m1, ia1 and ic1 of the platform", "peer", o.Name, "id", h.ID, "centre", h.Centre)
				continue
			}
			cipher.Apply(h.Key, body)
		}
		good++
		err = handler.Frame(h, body)
		if good == 1 || h.ID < firstData {
			// A login makes a connection a peer's, and may tell the edition; data messages change nothing.
			c.mu.Lock()
			if o.Edition == jt809.EditionAuto && c.o.Edition == jt809.EditionAuto && h.ID == jt809.IDLogin {
				c.o.Edition = h.Edition
				c.o.Serials.SetEdition(h.Edition)
			}
			o = c.o
			c.mu.Unlock()
		}
		if err != nil {
			break
		}
	}
	if good > 0 {
		o.Metrics.read(good, 0)
		c.lastRead.Store(c.now().UnixNano())
	}
	if err == nil {
		err = handler.Drained()
	}
	if good > 0 { // the handler's wait, for the log, was ours
		c.lastRead.Store(c.now().UnixNano())
	}
	return used, err
}

// firstData is the first id of the containers; below are those of the link itself.
const firstData = jt809.MessageID(0x1100)

func (c *Conn) bad(o *Options, err error) {
	kind := jt809.KindOf(err)
	o.Metrics.badFrame(kind.String())
	o.Logger.Debug("a bad frame was dropped", "peer", o.Name, "address", c.address, "err", err)
}
