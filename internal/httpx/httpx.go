// Package httpx is the HTTP server of a process: its limits, its health and how it ends.
package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Config of the server.
type Config struct {
	Listen            string        `yaml:"listen"`              // host:port
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout"` // against slow senders; bodies are their handlers' matter
	IdleTimeout       time.Duration `yaml:"idle_timeout"`
	MaxHeaderBytes    int           `yaml:"max_header_bytes"`
	MaxConnections    int           `yaml:"max_connections"` // more wait in the system's queue
}

// DefaultConfig listens on this machine only: what is served says where vehicles are.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:8080", ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, MaxConnections: 4096}
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	switch {
	case c.Listen == "":
		return errors.New("http.listen: empty; give host:port")
	case c.ReadHeaderTimeout <= 0:
		return errors.New("http.read_header_timeout: must be greater than 0")
	case c.IdleTimeout <= 0:
		return errors.New("http.idle_timeout: must be greater than 0")
	case c.MaxHeaderBytes < 1024:
		return fmt.Errorf("http.max_header_bytes: %d; at least 1024", c.MaxHeaderBytes)
	case c.MaxConnections < 1:
		return fmt.Errorf("http.max_connections: %d; at least 1", c.MaxConnections)
	}
	return nil
}

// Server serves a mux until Shutdown.
type Server struct {
	Mux      *http.ServeMux
	Health   *Health
	server   *http.Server
	listener net.Listener
	log      *slog.Logger
	done     chan error
	cfg      Config
}

// New makes a server with /healthz and /readyz.
func New(cfg Config, log *slog.Logger) *Server {
	s := &Server{Mux: http.NewServeMux(), Health: &Health{}, log: log, cfg: cfg, done: make(chan error, 1)}
	s.Mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.Mux.HandleFunc("GET /readyz", s.Health.serve)
	s.server = &http.Server{Handler: recovering(s.whenReady(s.Mux), log), ReadHeaderTimeout: cfg.ReadHeaderTimeout, IdleTimeout: cfg.IdleTimeout,
		MaxHeaderBytes: cfg.MaxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	return s
}

// whenReady answers 503 for everything below /v1/ until the process is ready: what serves it may not be there yet, and a
// client must not take that for "no such path".
func (s *Server) whenReady(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ready, reason := s.Health.state(); !ready && strings.HasPrefix(r.URL.Path, "/v1/") {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, `{"error":{"code":"not_ready","message":%q}}`+"\n", reason)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// recovering keeps a mistake in one request from ending the process, and says where it is.
func recovering(h http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				log.Error("a request failed by a mistake in the program", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				panic(http.ErrAbortHandler)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// Start listens and serves.
func (s *Server) Start() error {
	l, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("http.listen: %w", err)
	}
	s.listener = netutil.LimitListener(l, s.cfg.MaxConnections)
	go func() {
		err := s.server.Serve(s.listener)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.done <- err
	}()
	return nil
}

// Addr is where the server listens, after Start.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Shutdown waits for the requests under way.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.listener == nil {
		return nil
	}
	err := s.server.Shutdown(ctx)
	if err != nil {
		s.server.Close()
	}
	return errors.Join(err, <-s.done)
}

// Health says whether a process is ready for work. It is not at first.
type Health struct {
	mu     sync.Mutex
	reason string
	ready  bool
}

// Ready says that it is ready.
func (h *Health) Ready() { h.set(true, "") }

// NotReady says why it is not.
func (h *Health) NotReady(reason string) { h.set(false, reason) }

func (h *Health) set(ready bool, reason string) {
	h.mu.Lock()
	h.ready, h.reason = ready, reason
	h.mu.Unlock()
}

func (h *Health) state() (ready bool, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ready && h.reason == "" {
		return false, "starting"
	}
	return h.ready, h.reason
}

func (h *Health) serve(w http.ResponseWriter, _ *http.Request) {
	if ready, reason := h.state(); !ready {
		http.Error(w, reason, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
