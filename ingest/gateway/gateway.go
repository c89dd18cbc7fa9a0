// Package gateway is the door for terminals: JT/T 808 over TCP, TLS and UDP. It keeps connections and sessions, authenticates
// terminals, writes what they report to the log as events, and acknowledges it once the log has it.
//
//	gateway.go   listening, limits, shutting down
//	conn.go      one connection: reading, timeouts, throttling
//	work.go      what one read brought: events to the log, then all replies in one write
//	dispatch.go  the table of messages, and what each does
//	session.go   who is online where; a terminal's later connection wins
//	parts.go     messages in sub-packages: asking for what is missing, giving up, sending again
//	repeat.go    reports that the log has already
//	proxy.go     the header of a proxy in front; tls.go encryption below 808, rsa.go that of bodies
//	udp.go       datagrams
//	shutdown.go  closing in groups
//	authcode.go  authentication codes that need no store
//	register.go  what is known of terminals, and who is let in
//	bus.go       the log on internal/bus
//	take_*.go    messages that are more than a few lines: events, files, answers
//	command*.go  messages down to terminals and what they answer; prompt*.go texts to the driver; control.go orders from above
//
// What must always hold: no reply with result 0 for a message whose events are not in the log. Memory is bounded
// everywhere: a connection holds one read buffer of at most 64 KiB and reads no more until the log has taken what it
// read, so that a slow log slows the terminals down and nothing else grows.
package gateway

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Batch gathers the payloads of one read. Append copies the payload and blocks while the log is slow; Wait returns nil
// once all are in the log, and then the batch can be used again. After an error the batch is dropped.
type Batch = interface {
	Append(ctx context.Context, partition int, payload []byte) error
	Wait(ctx context.Context) error
}

// Log is the events topic. An error that is not the context's means that the log refuses for good.
type Log interface {
	Partitions() int
	NewBatch() Batch
}

// Deps are what the gateway stands on.
type Deps struct {
	Log        Log
	Register   Register // nil: nobody is known beforehand
	Files      Files    // nil: what would be kept as a file is answered with result 3
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Gateway takes JT/T 808 over TCP, TLS and UDP.
type Gateway struct {
	cfg        Config
	log        Log
	partitions int
	register   atomic.Pointer[Register]
	logger     *slog.Logger
	metrics    *metrics
	signer     signer
	sessions   *sessions
	commands   commands
	listener   net.Listener
	listenTLS  net.Listener
	certs      *certificates
	udp        *datagrams // nil: none are taken
	memories   *memories
	rsa        *rsa.PrivateKey // the platform's; nil: encrypted bodies are not taken
	proxies    []netip.Prefix  // whose headers name others
	ctx        context.Context // ends when waiting for the log is given up
	cancel     context.CancelFunc
	refusing   atomic.Bool // the log refused what it was given last
	files      Files
	shots      shots        // those who wait for photos
	partial    atomic.Int64 // bytes of messages of which parts are missing
	// partialFiles are those of partial that will be files, and those that are being written.
	partialFiles atomic.Int64
	running      sync.WaitGroup // of the accept loop and every connection

	mu        sync.Mutex
	conns     map[*conn]struct{}
	addresses map[netip.Addr]int
	closing   bool
}

// New makes a gateway that does not listen yet.
func New(cfg Config, deps Deps) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.UnknownTerminals == Refuse && deps.Register == nil {
		return nil, errors.New("gateway.unknown_terminals: refuse, but there is no register: give reference data with vehicles.csv, or set accept")
	}
	g := &Gateway{cfg: cfg, log: deps.Log, files: deps.Files, logger: deps.Logger, metrics: newMetrics(deps.Registerer),
		conns: map[*conn]struct{}{}, addresses: map[netip.Addr]int{}}
	g.sessions = newSessions(g.metrics.sessions)
	g.commands = commands{maxTotal: cfg.MaxCommands, maxTerminal: cfg.MaxCommandsPerTerminal, metrics: newCommandMetrics(deps.Registerer)}
	g.SetRegister(deps.Register)
	g.memories = newMemories(cfg.RememberTerminals)
	g.proxies, _ = cfg.proxies() // Validate has read them
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g, nil
}

// SetRegister puts another register in place for what comes from now on. Who is online stays so.
func (g *Gateway) SetRegister(r Register) { g.register.Store(&r) }

// Start reads the secret and listens.
func (g *Gateway) Start() error {
	secret, err := g.cfg.secret()
	if err != nil {
		return err
	}
	g.signer = signer{secret}
	if g.rsa, err = g.cfg.rsaKey(); err != nil {
		return err
	}
	if g.partitions = g.log.Partitions(); g.partitions <= 0 {
		return fmt.Errorf("gateway: the log has %d partitions", g.partitions)
	}
	g.listener, err = net.Listen("tcp", g.cfg.Listen)
	if err != nil {
		return fmt.Errorf("gateway.listen: %w", err)
	}
	if err := g.startTLS(); err != nil {
		g.listener.Close()
		return err
	}
	if err := g.startUDP(); err != nil {
		g.listener.Close()
		if g.listenTLS != nil {
			g.listenTLS.Close()
		}
		return err
	}
	g.running.Go(func() { g.accept(g.listener, nil) })
	if g.listenTLS != nil {
		g.running.Go(func() { g.accept(g.listenTLS, g.certs.config()) })
	}
	return nil
}

// Addr is where the gateway listens, after Start.
func (g *Gateway) Addr() net.Addr { return g.listener.Addr() }

// AddrTLS is where the gateway listens for encrypted connections, nil where it does not.
func (g *Gateway) AddrTLS() net.Addr {
	if g.listenTLS == nil {
		return nil
	}
	return g.listenTLS.Addr()
}

// startTLS listens for encrypted connections where that is set.
func (g *Gateway) startTLS() (err error) {
	if g.cfg.ListenTLS == "" {
		return nil
	}
	if g.certs, err = newCertificates(g.cfg.TLS, g.logger); err != nil {
		return err
	}
	if g.listenTLS, err = net.Listen("tcp", g.cfg.ListenTLS); err != nil {
		return fmt.Errorf("gateway.listen_tls: %w", err)
	}
	return nil
}

// Ready reports whether terminals are let in.
func (g *Gateway) Ready() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listener != nil && !g.closing
}

// Shutdown stops to accept, lets every connection finish what it has read, acknowledges that, and closes. When ctx ends
// first the rest is closed without an acknowledgement: terminals will send it again.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	g.closing = true
	conns := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	if g.listener != nil {
		g.listener.Close()
	}
	if g.listenTLS != nil {
		g.listenTLS.Close()
	}
	g.stopInGroups(ctx, conns)
	g.udp.stop()
	defer g.udp.close()
	done := make(chan struct{})
	go func() {
		g.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		g.cancel()
		return nil
	case <-ctx.Done():
	}
	g.cancel()
	g.mu.Lock()
	left := len(g.conns)
	for c := range g.conns {
		hangUp(c.nc) // ends a write to who does not read
	}
	g.mu.Unlock()
	<-done
	return fmt.Errorf("gateway: %d connections were closed without the log's acknowledgement: %w", left, ctx.Err())
}

// Limits of the pause after the system refused to accept, such as for want of file descriptors.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

func (g *Gateway) accept(listener net.Listener, secure *tls.Config) {
	for pause := acceptPauseMin; ; {
		nc, err := listener.Accept()
		if err == nil {
			pause = acceptPauseMin
			g.admitVia(nc, secure)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		g.metrics.acceptErrors.Inc()
		g.logger.Warn("a connection could not be accepted; raise the limit of open files if it says so", "err", err, "pause", pause)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-g.ctx.Done():
		}
		pause = min(2*pause, acceptPauseMax)
	}
}

// admit starts a connection, unless a limit is reached.
func (g *Gateway) admit(nc net.Conn) { g.admitVia(nc, nil) }

// admitVia is admit, for a connection that is encrypted where secure is set.
func (g *Gateway) admitVia(nc net.Conn, secure *tls.Config) {
	var address netip.Addr
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		address = a.AddrPort().Addr().Unmap()
	}
	// The header of a proxy comes before encryption. Until it is read, the connection counts for no address.
	mode := g.cfg.ProxyProtocol
	trusted := mode != ProxyOff && g.trusts(address)
	var proxy *proxied
	if trusted {
		proxy = &proxied{Conn: nc}
		nc = proxy
	}
	if secure != nil {
		nc = tls.Server(nc, secure)
	}
	c := newConn(g, nc, address)
	c.proxy, c.counted = proxy, !trusted
	g.mu.Lock()
	refused := ""
	switch {
	case g.closing:
		refused = reasonShutdown
	case mode == ProxyRequired && !trusted:
		refused = turnedAwayProxy
	case len(g.conns) >= g.cfg.MaxConnections:
		refused = turnedAwayFull
	case c.counted && g.addresses[address] >= g.cfg.MaxConnectionsPerAddress:
		refused = turnedAwayAddress
	default:
		g.conns[c] = struct{}{}
		if c.counted {
			g.addresses[address]++
		}
		g.running.Add(1)
	}
	g.mu.Unlock()
	if refused != "" {
		if m := g.metrics.turnedAway[refused]; m != nil {
			m.Inc()
		}
		hangUp(nc)
		return
	}
	g.metrics.connections.Inc()
	go func() {
		defer g.running.Done()
		c.run()
		g.release(c)
	}()
}

func (g *Gateway) release(c *conn) {
	g.mu.Lock()
	delete(g.conns, c)
	if c.counted {
		if g.addresses[c.address]--; g.addresses[c.address] <= 0 {
			delete(g.addresses, c.address)
		}
	}
	g.mu.Unlock()
	g.metrics.connections.Dec()
}
