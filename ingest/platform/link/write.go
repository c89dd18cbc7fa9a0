package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"lushao/ingest/jt809"
)

// outgoing is the queue of frames. What waits for room waits on the channel room, which is closed and made anew whenever
// the writer has written something.
type outgoing struct {
	queued []byte
	frames int
	held   int // bytes in the queue, and those that are being written
	spare  []byte
	room   chan struct{}
	work   chan struct{} // of capacity 1
	shut   bool          // the writer has gone
}

func (o *outgoing) init() {
	o.room = make(chan struct{})
	o.work = make(chan struct{}, 1)
}

func (o *outgoing) wake() {
	select {
	case o.work <- struct{}{}:
	default:
	}
}

// keepBuffer is the largest buffer of the queue that is kept for the next round.
const keepBuffer = 256 << 10

// pieceSize is what is written with one deadline: a slow peer is cut off only where it does not take as much in time.
const pieceSize = 64 << 10

// Pending is how many bytes wait to be written.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.held
}

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// Send queues the message of the body m, or of e.Data where m is nil, in the container that e says: e.ID, e.Sub and the
// vehicle are given. Serial, centre, version, time and encryption are filled in. It never blocks: where more than MaxQueue
// bytes would wait, it fails with ErrFull. It returns the serial, msg_sn, of the message.
func (c *Conn) Send(e *jt809.Envelope, m jt809.Body) (serial uint32, err error) {
	return c.send(context.Background(), false, e, m, nil)
}

// SendWait is Send that waits for room while the peer reads slowly.
func (c *Conn) SendWait(ctx context.Context, e *jt809.Envelope, m jt809.Body) (serial uint32, err error) {
	return c.send(ctx, true, e, m, nil)
}

// SendData is SendWait of a payload that is encoded already: e.Data.
func (c *Conn) SendData(ctx context.Context, e *jt809.Envelope) (serial uint32, err error) {
	return c.send(ctx, true, e, nil, nil)
}

// SendDataThen is SendData that calls queued with the serial before the message can leave, so that what is noted of it is there
// when the answer comes. queued must not use the connection, nor wait.
func (c *Conn) SendDataThen(ctx context.Context, e *jt809.Envelope, queued func(serial uint32)) (serial uint32, err error) {
	return c.send(ctx, true, e, nil, queued)
}

// Resend queues a message again under the serial that it had, as 0x1303 and 0x9303 ask for.
func (c *Conn) Resend(e *jt809.Envelope, serial uint32) error {
	body := scratch.Get().(*[]byte)
	defer scratch.Put(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	*body = e.Append((*body)[:0], c.writeEdition())
	if err := c.mayQueue(len(*body)); err != nil {
		return err
	}
	c.enqueue(e, *body, serial)
	return nil
}

func (c *Conn) send(ctx context.Context, wait bool, e *jt809.Envelope, m jt809.Body, queued func(serial uint32)) (serial uint32, err error) {
	data, body := scratch.Get().(*[]byte), scratch.Get().(*[]byte)
	defer scratch.Put(data)
	defer scratch.Put(body)
	c.mu.Lock()
	ed := c.writeEdition()
	c.mu.Unlock()
	env := *e // the caller's stays as it is
	if m != nil {
		*data = jt809.AppendBody((*data)[:0], ed, m)
		env.Data = *data
	}
	*body = env.Append((*body)[:0], ed)
	for {
		c.mu.Lock()
		err := c.mayQueue(len(*body))
		if err == nil {
			serial = c.o.Serials.Next(env.ID, env.Sub)
			c.enqueue(&env, *body, serial)
			if queued != nil {
				queued(serial)
			}
			c.mu.Unlock()
			return serial, nil
		}
		room := c.out.room
		c.mu.Unlock()
		if !wait || !errors.Is(err, ErrFull) {
			return 0, err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// writeEdition is the edition of what is sent; 2011 while it is not known. mu is held.
func (c *Conn) writeEdition() jt809.Edition {
	if c.o.Edition == jt809.EditionAuto {
		return jt809.Edition2011
	}
	return c.o.Edition
}

// frameOverhead is flags, longest header and CRC.
const frameOverhead = 34

// mayQueue says why a body of n bytes can't be queued. One that is longer than the queue goes alone. mu is held.
func (c *Conn) mayQueue(n int) error {
	switch {
	case c.ended || c.out.shut: // after Close, what was read before may still be answered
		return ErrClosed
	case c.out.held > 0 && c.out.held+n+frameOverhead > c.o.MaxQueue:
		return ErrFull
	}
	return nil
}

// enqueue puts the frame of the body in the queue. mu is held, so that frames go out in the order of their serials.
func (c *Conn) enqueue(e *jt809.Envelope, body []byte, serial uint32) {
	h := jt809.Header{Serial: serial, ID: e.ID, Centre: c.o.Centre, Version: c.o.Version, Edition: c.writeEdition(), Time: c.now().Unix()}
	if c.o.Encrypt {
		h.Encrypted, h.Key = true, rand.Uint32()
	}
	before := len(c.out.queued)
	c.out.queued = jt809.AppendFrame(c.out.queued, &h, c.o.Cipher, body)
	c.out.held += len(c.out.queued) - before
	c.out.frames++
	c.out.wake()
}

// writeLoop writes the queue until the connection has ended and the queue is empty, or a write fails.
func (c *Conn) writeLoop() {
	for {
		c.mu.Lock()
		b, frames, m := c.out.queued, c.out.frames, c.o.Metrics
		if len(b) == 0 {
			ended := c.ended
			if ended {
				c.shut()
			}
			c.mu.Unlock()
			if ended {
				return
			}
			<-c.out.work
			continue
		}
		c.out.queued, c.out.spare, c.out.frames = c.out.spare, nil, 0
		c.mu.Unlock()
		err := c.write(b, m)
		c.mu.Lock()
		if cap(b) <= keepBuffer {
			c.out.spare = b[:0]
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrSlowReader
			}
			c.fail(err)
			c.shut()
			c.mu.Unlock()
			c.nc.Close() // ends the reading
			return
		}
		c.mu.Unlock()
		m.wrote(frames, 0)
		c.lastWrite.Store(c.now().UnixNano())
	}
}

// shut refuses what would be sent from now on, and wakes who waits for room. mu is held.
func (c *Conn) shut() {
	c.out.shut = true
	close(c.out.room)
	c.out.room = make(chan struct{})
	c.out.queued, c.out.held = nil, 0
}

func (c *Conn) write(b []byte, m *Metrics) error {
	for len(b) > 0 {
		piece := b[:min(len(b), pieceSize)]
		c.nc.SetWriteDeadline(time.Now().Add(c.o.WriteTimeout)) // the socket's clock, whatever Now is
		n, err := c.nc.Write(piece)
		m.wrote(0, n)
		c.mu.Lock()
		c.out.held -= n
		close(c.out.room)
		c.out.room = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
