package httpx_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"lushao/internal/httpx"
)

func start(t *testing.T, change func(c *httpx.Config)) (*httpx.Server, string) {
	t.Helper()
	c := httpx.DefaultConfig()
	c.Listen = "127.0.0.1:0"
	if change != nil {
		change(&c)
	}
	s := httpx.New(c, slog.New(slog.DiscardHandler))
	s.Mux.HandleFunc("GET /v1/thing", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "thing") })
	s.Mux.HandleFunc("GET /v1/panic", func(http.ResponseWriter, *http.Request) { panic("a mistake") })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s, "http://" + s.Addr().String()
}

func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, strings.TrimSpace(string(b))
}

func TestHealth(t *testing.T) {
	s, base := start(t, nil)
	check := func(path string, status int, text string) {
		t.Helper()
		if code, body := ask(t, base+path); code != status || !strings.Contains(body, text) {
			t.Errorf("%s: %d %q, want %d %q", path, code, body, status, text)
		}
	}
	check("/healthz", 200, "ok")
	check("/readyz", 503, "starting")
	check("/v1/thing", 503, `"not_ready"`)
	s.Health.Ready()
	check("/readyz", 200, "ready")
	check("/v1/thing", 200, "thing")
	s.Health.NotReady("stopping")
	check("/readyz", 503, "stopping")
	check("/v1/thing", 503, "stopping")
	check("/healthz", 200, "ok")
}

// A mistake in one handler costs that request only.
func TestPanic(t *testing.T) {
	s, base := start(t, nil)
	s.Health.Ready()
	if res, err := http.Get(base + "/v1/panic"); err == nil {
		res.Body.Close()
		t.Errorf("a request that panicked was answered with %s", res.Status)
	}
	if code, _ := ask(t, base+"/v1/thing"); code != 200 {
		t.Errorf("the next one: %d", code)
	}
}

// A client that does not send its head is closed, and meanwhile others are answered.
func TestSlowHead(t *testing.T) {
	s, base := start(t, func(c *httpx.Config) { c.ReadHeaderTimeout = 200 * time.Millisecond })
	s.Health.Ready()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	if code, _ := ask(t, base+"/v1/thing"); code != 200 {
		t.Errorf("beside a slow client: %d", code)
	}
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && !strings.Contains(line, "408") && !strings.Contains(line, "400") {
		t.Errorf("answered with %q", line)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("the slow client was not closed")
	}
}

func TestValidate(t *testing.T) {
	for want, change := range map[string]func(c *httpx.Config){
		"http.listen":              func(c *httpx.Config) { c.Listen = "" },
		"http.read_header_timeout": func(c *httpx.Config) { c.ReadHeaderTimeout = 0 },
		"http.idle_timeout":        func(c *httpx.Config) { c.IdleTimeout = 0 },
		"http.max_header_bytes":    func(c *httpx.Config) { c.MaxHeaderBytes = 1 },
		"http.max_connections":     func(c *httpx.Config) { c.MaxConnections = 0 },
	} {
		c := httpx.DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
