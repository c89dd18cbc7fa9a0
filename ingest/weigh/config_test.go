package weigh

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMemoryForgetsTheOldest(t *testing.T) {
	m := newMemory(2)
	for i := range 5 {
		c := newClaim()
		if v, _ := m.ask(recordKey{byte(i)}, [16]byte{1}, c); v != fresh {
			t.Fatalf("record %d: verdict %d", i, v)
		}
		m.settle(c, true)
	}
	if m.size() != 2 || len(m.pending) != 0 {
		t.Errorf("%d known, %d claimed; want 2, 0", m.size(), len(m.pending))
	}
	for i, want := range []verdict{fresh, fresh, fresh, duplicate, duplicate} {
		c := newClaim()
		if v, _ := m.ask(recordKey{byte(i)}, [16]byte{1}, c); v != want {
			t.Errorf("record %d: verdict %d, want %d", i, v, want)
		}
		m.settle(c, false)
	}
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Tokens = []Token{{Name: "file", File: file}}
	_, srv, _ := serveDoor(t, cfg, Deps{Log: newFakeLog()})
	if status, _, _ := post(t, srv.URL, "from-a-file", "", record("S", "1", 20000)); status != 200 {
		t.Errorf("token of a file: %d", status)
	}
	if status, _, _ := post(t, srv.URL, "", "", record("S", "1", 20000)); status != 401 {
		t.Errorf("no token: %d", status)
	}
	for want, change := range map[string]func(*Config){
		"weighings.tokens: empty":                    func(c *Config) { c.Tokens = nil },
		"weighings.tokens[0]: give token":            func(c *Config) { c.Tokens = []Token{{Name: "x"}} },
		"weighings.unknown_stations: \"perhaps\"":    func(c *Config) { c.UnknownStations = "perhaps" },
		"weighings.unknown_stations: refuse, but":    func(c *Config) { c.UnknownStations = Refuse },
		"weighings.max_body: must be greater than 0": func(c *Config) { c.MaxBody = 0 },
		"weighings.clock_tolerance":                  func(c *Config) { c.ClockTolerance = -1 },
	} {
		cfg := testConfig()
		change(&cfg)
		if _, err := New(cfg, Deps{Log: newFakeLog()}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	cfg.Tokens[0].File = file + ".gone"
	d, err := New(cfg, Deps{Log: newFakeLog(), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "token_file") {
		t.Errorf("missing token file: %v", err)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/weighings", nil))
	if w.Code != 503 {
		t.Errorf("before Start: %d", w.Code)
	}
	anonymous := DefaultConfig()
	anonymous.Anonymous = true
	_, srv, _ = serveDoor(t, anonymous, Deps{Log: newFakeLog()})
	if status, _, _ := post(t, srv.URL, "", "", record("S", "1", 20000)); status != 200 {
		t.Errorf("anonymous: %d", status)
	}
	if status, _, _ := post(t, srv.URL, "wrong", "", record("S", "2", 20000)); status != 401 {
		t.Errorf("a wrong token where none is needed: %d", status)
	}
}
