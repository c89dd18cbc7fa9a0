package kafkalog

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
)

// frameOverhead is what a request may have beyond its batch: headers, names, and several partitions' worth of them.
const frameOverhead = 1 << 20

// guardedListener hands out connections that are closed at the first frame that is too large. The broker allocates what the four bytes in
// front of a frame say: an HTTP request that gets lost to the port would cost 1.2 GB ("GET " is 0x47455420).
type guardedListener struct {
	net.Listener
	limit uint32
	log   *slog.Logger
}

func (l *guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c, limit: l.limit, log: l.log}, nil
}

// guardedConn follows the frames of what is read: a big-endian length of four bytes, then as many bytes.
type guardedConn struct {
	net.Conn
	limit  uint32
	log    *slog.Logger
	header [4]byte
	have   int    // bytes of header
	left   uint32 // bytes of the frame still to come
}

func (c *guardedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for rest := b[:n]; len(rest) > 0; {
		if c.left > 0 {
			skip := min(c.left, uint32(len(rest)))
			c.left -= skip
			rest = rest[skip:]
			continue
		}
		k := copy(c.header[c.have:], rest)
		c.have += k
		rest = rest[k:]
		if c.have < len(c.header) {
			continue
		}
		c.have = 0
		if c.left = binary.BigEndian.Uint32(c.header[:]); c.left > c.limit {
			c.log.Warn("connection to the embedded log closed: frame too large; not a Kafka client, or a batch over max_message_bytes",
				"remote", c.RemoteAddr(), "frame_bytes", c.left, "limit_bytes", c.limit)
			c.Conn.Close()
			return 0, fmt.Errorf("frame of %d bytes, limit %d", c.left, c.limit)
		}
	}
	return n, err
}
