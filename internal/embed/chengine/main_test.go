//go:build linux && amd64

package chengine

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
)

// A process holds one engine: the tests share this one. What opens and closes engines runs in children of the test binary.
var (
	engine   *Engine
	registry = prometheus.NewRegistry()
)

// childVariable names the part that a child of the test binary plays.
const childVariable = "LUSHAO_TEST_CHILD"

var children = map[string]func(arguments []string) error{"crash": crashChild, "lifecycle": lifecycleChild, "locked": lockedChild, "signals": signalsChild}

func TestMain(m *testing.M) {
	if play, ok := children[os.Getenv(childVariable)]; ok {
		if err := play(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) (status int) {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "FAIL: these tests need the engine:", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "chengine")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	cfg := testConfig(filepath.Join(dir, "data"))
	cfg.Registerer = registry
	if engine, err = Open(cfg); err != nil {
		return fail(err)
	}
	status = m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := engine.Close(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: Close:", err)
		return 1
	}
	return status
}

func testConfig(dir string) Config {
	cfg := DefaultConfig()
	cfg.DataDir, cfg.MaxConcurrent, cfg.MaxMemoryBytes = dir, 8, 1<<30
	return cfg
}

// transports are the two ways to an Engine.
var transports = []string{"roundtrip", "loopback"}

// options of clickhouse-go for a transport.
func options(t *testing.T, e *Engine, transport string) *clickhouse.Options {
	t.Helper()
	o := &clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded"}, Auth: clickhouse.Auth{Database: "default", Username: "default"}, MaxOpenConns: 10}
	if transport == "roundtrip" {
		o.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return e, nil }
		return o
	}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	o.Addr = []string{s.Listener.Addr().String()}
	return o
}

func open(t *testing.T, o *clickhouse.Options) driver.Conn {
	t.Helper()
	c, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// database makes a database of the test's own and returns a connection to it, with its name.
func database(t *testing.T, transport string) (driver.Conn, *clickhouse.Options) {
	t.Helper()
	o := options(t, engine, transport)
	name := fmt.Sprintf("test_%d", engine.seq.Add(1))
	admin := open(t, o)
	execute(t, admin, "CREATE DATABASE "+name)
	t.Cleanup(func() { _ = admin.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" SYNC") })
	own := *o
	own.Auth.Database = name
	return open(t, &own), &own
}

func execute(t *testing.T, c driver.Conn, statement string) {
	t.Helper()
	if err := c.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func number(t *testing.T, c driver.Conn, query string) (n uint64) {
	t.Helper()
	if err := c.QueryRow(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
