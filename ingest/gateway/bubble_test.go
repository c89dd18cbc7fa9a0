package gateway

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest/jt808"
)

// startWithoutSockets starts a gateway that listens nowhere, for tests of its times in a bubble of testing/synctest: there a
// second passes when all wait for it and not before, whereas what waits for a socket would let no time pass. Terminals are
// admitted by pipe.
func startWithoutSockets(t *testing.T, cfg Config, log Log) *Gateway {
	t.Helper()
	g, err := New(cfg, Deps{Log: log, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	g.signer, g.partitions = signer{[]byte(cfg.AuthSecret)}, log.Partitions()
	t.Cleanup(func() { g.Shutdown(context.Background()) })
	return g
}

// pipe is a terminal on a connection without buffers: who writes waits for who reads.
func pipe(t *testing.T, g *Gateway, phone string, ed jt808.Edition) *terminal {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close() })
	g.admit(there)
	return onConn(t, here, phone, ed)
}
