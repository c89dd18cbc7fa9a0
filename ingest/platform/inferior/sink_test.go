package inferior

import (
	"context"
	"net"
	"sync"
	"testing"

	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
)

// sink is a superior that answers logins and heartbeats, and looks at nothing else.
type sink struct{ addr string }

func newSink(b *testing.B, ed jt809.Edition) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				c := link.New(nc, link.Options{Edition: ed, Centre: 1})
				c.Run(ctx, &sinkConn{c})
			})
		}
	})
	b.Cleanup(func() { l.Close(); stop(); all.Wait() })
	return &sink{l.Addr().String()}
}

type sinkConn struct{ c *link.Conn }

func (s *sinkConn) Drained() error { return nil }

func (s *sinkConn) Frame(h *jt809.Header, _ []byte) error {
	switch h.ID {
	case jt809.IDLogin:
		s.c.Send(&jt809.Envelope{ID: jt809.IDLoginReply}, &jt809.LoginReply{})
	case jt809.IDHeartbeat:
		s.c.Send(&jt809.Envelope{ID: jt809.IDHeartbeatReply}, nil)
	case jt809.IDLogout:
		s.c.Send(&jt809.Envelope{ID: jt809.IDLogoutReply}, nil)
	}
	return nil
}
