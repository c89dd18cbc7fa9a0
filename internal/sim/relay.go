package sim

import (
	"context"
	"net"
	"sync"
	"time"

	"lushao/ingest/jt808"
)

// relaySize is how many terminals speak over one connection.
const relaySize = 20

// relayQueue is how many messages may wait for a terminal behind a relay; one that reads no more is cut off.
const relayQueue = 256

// relay carries the terminals of several vehicles over one connection, as the forwarder of an operator's own platform does. A terminal
// has a pipe to it in place of its connection.
type relay struct {
	s       *Sim
	running sync.WaitGroup

	mu      sync.Mutex
	conn    net.Conn // nil while nobody needs it
	members map[jt808.Phone]*member
	writing sync.Mutex // what a terminal sends at once stays together
}

// member is a terminal behind a relay.
type member struct {
	far  net.Conn // the relay's end of the pipe
	down chan []byte
}

// relayed is what a terminal behind a relay has in place of its connection: it reads from a pipe and writes to the relay's own.
type relayed struct {
	net.Conn
	relay *relay
	to    net.Conn
	phone jt808.Phone
	m     *member
}

func (c *relayed) Write(b []byte) (int, error) {
	c.relay.writing.Lock()
	defer c.relay.writing.Unlock()
	if err := c.to.SetWriteDeadline(time.Now().Add(c.relay.s.cfg.AckTimeout)); err != nil {
		return 0, err
	}
	n, err := c.to.Write(b)
	if err != nil {
		c.to.Close() // half a frame of one is the end for all: receive cuts them
	}
	return n, err
}

func (c *relayed) Close() error {
	c.relay.leave(c.phone, c.m)
	return c.Conn.Close()
}

// dial connects a terminal, and the relay where it is not.
func (r *relay) dial(ctx context.Context, phone jt808.Phone) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == nil {
		conn, err := r.s.dial(ctx)
		if err != nil {
			return nil, err
		}
		r.conn, r.members = conn, map[jt808.Phone]*member{}
		r.running.Go(func() { r.receive(conn) })
	}
	near, far := net.Pipe()
	m := &member{far, make(chan []byte, relayQueue)}
	if old := r.members[phone]; old != nil {
		r.cut(old)
	}
	r.members[phone] = m
	r.running.Go(func() {
		for frame := range m.down {
			if _, err := m.far.Write(frame); err != nil {
				m.far.Close() // what follows fails at once
			}
		}
	})
	return &relayed{near, r, r.conn, phone, m}, nil
}

// cut ends a member. It is called with mu held, once for each.
func (r *relay) cut(m *member) {
	m.far.Close()
	close(m.down)
}

// leave takes a member out, and the connection with the last one.
func (r *relay) leave(phone jt808.Phone, m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[phone] != m {
		return
	}
	delete(r.members, phone)
	r.cut(m)
	if len(r.members) == 0 && r.conn != nil {
		r.conn.Close()
		r.conn = nil
	}
}

// receive hands each frame to the terminal that it is for, until the connection ends.
func (r *relay) receive(conn net.Conn) {
	var framer jt808.Framer
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		rest := buf
		for {
			frame, used, bad := framer.Next(rest)
			rest = rest[used:]
			if frame == nil && bad == nil {
				break
			}
			var h jt808.Header
			if bad != nil {
				continue
			}
			if body, bad := h.Decode(frame); bad == nil {
				r.deliver(conn, h.Phone.Canonical(), jt808.AppendFrame(nil, &h, body))
			}
		}
		buf = buf[:copy(buf, rest)]
		if err != nil {
			break
		}
	}
	conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != conn {
		return
	}
	for phone, m := range r.members {
		delete(r.members, phone)
		r.cut(m)
	}
	r.conn = nil
}

func (r *relay) deliver(conn net.Conn, phone jt808.Phone, frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[phone]
	if m == nil || r.conn != conn {
		return
	}
	select {
	case m.down <- frame:
	default:
		delete(r.members, phone)
		r.cut(m)
	}
}
