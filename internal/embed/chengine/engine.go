// Package chengine is ClickHouse inside the process: libchdb.so, bound without cgo, behind ClickHouse's HTTP interface. Engine is an
// http.RoundTripper for clickhouse-go (clickhouse.Options{Protocol: clickhouse.HTTP, TransportFunc: …}), so that the code above it is the
// same as with an outside ClickHouse, and an http.Handler, for a loopback listener.
//
// What differs from a server: no users (whoever reaches the Handler may do everything: bind it to loopback), no external tables, no
// sessions (session_id is ignored), no native protocol, and no system.*_log tables. Times without a zone are UTC.
//
// An insert is stored whole or not at all up to the engine's block of 1,048,449 rows or 256 MB; a larger one is stored block by block.
package chengine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lushao/internal/embed/datadir"
)

// Engine is an open ClickHouse. All methods may be called at the same time.
type Engine struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	lock      *datadir.Lock
	arguments []string
	base      map[string]string // settings of every session
	version   string            // of ClickHouse, "26.7.2.1"
	timezone  string
	slots     chan struct{}
	seq       atomic.Uint64
	abort     context.CancelFunc // ends every statement that runs
	aborted   context.Context

	controlMu sync.Mutex
	control   *conn // for KILL QUERY: must be free while every session is busy

	mu      sync.Mutex
	idle    []*session // the least recently used first
	active  int        // statements under way
	closing bool
	closed  bool
	drained chan struct{} // closed once closing and nothing is active
}

// The library serves one data path in a process at a time.
var opened struct {
	sync.Mutex
	dir string
}

// Open locks the data folder and starts the engine in this process. A process holds one Engine at a time; after Close another can be
// opened, on the same folder or on another.
func Open(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded ClickHouse: %w", err)
	}
	if cfg.Library == "" {
		cfg.Library = DefaultLibrary()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	opened.Lock()
	defer opened.Unlock()
	if opened.dir != "" {
		return nil, fmt.Errorf("embedded ClickHouse: a process holds one engine; this one has %s open, close it first", opened.dir)
	}
	e := &Engine{cfg: cfg, log: cfg.Logger.With("component", "chengine"), base: cfg.baseSettings(), slots: make(chan struct{}, cfg.MaxConcurrent),
		drained: make(chan struct{})}
	e.aborted, e.abort = context.WithCancel(context.Background())
	if err := e.open(); err != nil {
		e.abort()
		if e.metrics != nil {
			e.metrics.unregister()
		}
		return nil, errors.Join(fmt.Errorf("embedded ClickHouse: %w", err), e.lock.Release())
	}
	opened.dir = cfg.DataDir
	return e, nil
}

func (e *Engine) open() (err error) {
	start := time.Now()
	// Before the folder is touched: without a library there is nothing to keep in it.
	if err = loadLibrary(e.cfg.Library); err != nil {
		return err
	}
	if e.lock, err = datadir.Acquire(e.cfg.DataDir); err != nil {
		return err
	}
	if e.arguments, err = e.cfg.engineFile(); err != nil {
		return err
	}
	if e.metrics, err = newMetrics(e.cfg.Registerer); err != nil {
		return err
	}
	if e.control, err = connect(e.arguments); err != nil {
		return err
	}
	row, err := e.control.query("SELECT version(), timezone() FORMAT TSV", "TSV", nil)
	if err != nil {
		e.control.close()
		return err
	}
	e.version, e.timezone, _ = strings.Cut(strings.TrimSpace(string(row)), "\t")
	e.log.Info("embedded ClickHouse is open", "version", e.version, "data", filepath.Join(e.cfg.DataDir, "clickhouse"),
		"took", time.Since(start).Round(time.Millisecond))
	return nil
}

// Version is that of ClickHouse.
func (e *Engine) Version() string { return e.version }

// abortPatience is how long Close waits for statements that it has killed.
const abortPatience = 10 * time.Second

// Close refuses new statements, waits for those that run, and stops the engine. When ctx ends first, it kills them. When they do not
// even end then, it returns an error, and the engine and the lock of its folder stay; Close can be called again. A further Close of a
// closed engine returns nil.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if !e.closing {
		e.closing = true
		if e.active == 0 {
			close(e.drained)
		}
	}
	e.mu.Unlock()
	select {
	case <-e.drained:
	case <-ctx.Done():
		e.abort()
		patience := time.NewTimer(abortPatience)
		defer patience.Stop()
		select {
		case <-e.drained:
		case <-patience.C:
			e.mu.Lock()
			n := e.active
			e.mu.Unlock()
			return fmt.Errorf("embedded ClickHouse: %d statements did not end %s after they were killed; the engine stays open: %w", n, abortPatience, ctx.Err())
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.abort()
	start := time.Now()
	for _, s := range e.idle {
		s.close()
	}
	e.idle = nil
	e.controlMu.Lock() // a last KILL may be under way
	e.control.close()  // the last connection stops the engine: parts under way are finished, files closed
	e.controlMu.Unlock()
	e.metrics.unregister()
	opened.Lock()
	opened.dir = ""
	opened.Unlock()
	err := e.lock.Release()
	e.log.Info("embedded ClickHouse is closed", "took", time.Since(start).Round(time.Millisecond))
	return err
}

// begin takes a turn for a statement; end gives it back. The context that it returns ends with ctx and with Close.
func (e *Engine) begin(ctx context.Context) (context.Context, func(), error) {
	e.mu.Lock()
	if e.closing {
		e.mu.Unlock()
		return nil, nil, ErrClosed
	}
	e.active++
	e.mu.Unlock()
	e.metrics.running.Inc()
	ctx, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(e.aborted, func() { cancel(ErrClosed) })
	end := func() {
		unlink()
		cancel(nil)
		e.metrics.running.Dec()
		e.mu.Lock()
		e.active--
		if e.closing && e.active == 0 {
			close(e.drained)
		}
		e.mu.Unlock()
	}
	select {
	case e.slots <- struct{}{}:
		return ctx, func() { <-e.slots; end() }, nil
	case <-ctx.Done():
		err := context.Cause(ctx)
		end()
		return nil, nil, err
	}
}

// killEvery: a statement can be cancelled before the engine knows it; the kill is repeated until the statement is gone.
const killEvery = 50 * time.Millisecond

// watch kills the statements that begin with mark as soon as ctx ends, until the function that it returns is called.
func (e *Engine) watch(ctx context.Context, mark string) (done func()) {
	finished := make(chan struct{})
	gone := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(gone)
		timer := time.NewTicker(killEvery)
		defer timer.Stop()
		for {
			e.controlMu.Lock()
			_, err := e.control.query("KILL QUERY WHERE startsWith(query, "+quote(mark)+") ASYNC FORMAT Null", "Null", nil)
			e.controlMu.Unlock()
			if err != nil {
				e.log.Warn("kill of a cancelled statement failed; it is tried again", "error", err)
			}
			select {
			case <-finished:
				return
			case <-timer.C:
			}
		}
	})
	return func() {
		close(finished)
		if !stop() { // it runs: wait for it, so that nothing touches the control connection after the last statement
			<-gone
		}
	}
}
