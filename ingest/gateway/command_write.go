package gateway

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// outgoing is what a connection writes. Replies are written by the connection's own goroutine, commands by one that lives
// as long as there is something in the queue, so that an idle connection costs nothing and who sends a command never waits
// for a terminal. Both write whole frames under mu.
type outgoing struct {
	mu  sync.Mutex // of the socket's writing side; not held together with another lock
	err error      // of the first write that failed: what was cut off must not be followed by anything

	queueMu  sync.Mutex
	queued   []byte         // frames of commands
	held     int            // bytes in the queue, and those that are being written
	draining bool           // a goroutine writes the queue
	closed   bool           // the connection ended
	drains   sync.WaitGroup // of that goroutine
}

// write writes whole frames, alone. Whoever does not take them within the write time-out is cut off.
func (c *conn) write(b []byte) error {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	c.nc.SetWriteDeadline(time.Now().Add(c.g.cfg.WriteTimeout))
	n, err := c.nc.Write(b)
	c.g.metrics.writtenBytes.Add(float64(n))
	o.err = err
	return err
}

// writeReason is why a connection ends whose write failed.
func writeReason(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return reasonSlowReader
	case errors.Is(err, net.ErrClosed):
		return reasonShutdown
	}
	return reasonError
}

// queue puts the frames of a command, at most size bytes, in the queue; make makes them once there is room. It returns why
// there is none. It does not block.
func (c *conn) queue(make func() []byte, size int) CommandState {
	o := &c.out
	o.queueMu.Lock()
	defer o.queueMu.Unlock()
	limit := c.g.cfg.MaxWriteQueue
	switch {
	case o.closed:
		return CommandOffline
	case size > limit:
		return CommandTooLong
	case o.held+size > limit:
		return CommandBusy
	}
	b := make()
	o.queued = append(o.queued, b...)
	o.held += len(b)
	if !o.draining {
		o.draining = true
		o.drains.Add(1)
		go c.drain()
	}
	return ""
}

// drain writes the queue until it is empty.
func (c *conn) drain() {
	o := &c.out
	defer o.drains.Done()
	for {
		o.queueMu.Lock()
		b := o.queued
		o.queued = nil
		if len(b) == 0 {
			o.draining = false
			o.queueMu.Unlock()
			return
		}
		o.queueMu.Unlock()
		err := c.write(b)
		o.queueMu.Lock()
		o.held -= len(b)
		o.queueMu.Unlock()
		if err != nil {
			c.stop(writeReason(err))
		}
	}
}

// closeQueue refuses commands from now on and waits for the one that is being written; the socket is closed already.
func (c *conn) closeQueue() {
	o := &c.out
	o.queueMu.Lock()
	o.closed = true
	o.queued = nil
	o.queueMu.Unlock()
	o.drains.Wait()
}
