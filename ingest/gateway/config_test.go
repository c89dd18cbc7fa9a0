package gateway

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := EnsureSecret(file); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(file)
	if err != nil || len(first) < 64 {
		t.Fatalf("%q %v", first, err)
	}
	if err := EnsureSecret(file); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(file); !bytes.Equal(first, again) {
		t.Error("a secret that was there is another now")
	}
	for want, change := range map[string]func(*Config){
		"gateway.auth_secret_file: give": func(c *Config) { c.AuthSecret = "" },
		"gateway.auth_secret: 5 bytes":   func(c *Config) { c.AuthSecret = "short" },
		"gateway.unknown_terminals: \"x": func(c *Config) { c.UnknownTerminals = "x" },
		"gateway.unknown_terminals: ref": func(c *Config) { c.UnknownTerminals = Refuse },
		"gateway.foreign_auth_codes: ":   func(c *Config) { c.ForeignAuthCodes = "" },
		"gateway.max_connections: must":  func(c *Config) { c.MaxConnections = 0 },
		"gateway.idle_timeout: must":     func(c *Config) { c.IdleTimeout = 0 },
		"gateway.max_frame: 1 bytes":     func(c *Config) { c.MaxFrame = 1 },
		"gateway.max_frame_burst: must":  func(c *Config) { c.MaxFrameBurst = 0 },
		"gateway.listen: empty":          func(c *Config) { c.Listen = "" },
	} {
		cfg := testConfig()
		change(&cfg)
		if _, err := New(cfg, Deps{Log: newFakeLog(), Registerer: prometheus.NewRegistry()}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	if _, err := NewRegister([]Terminal{{v1, "1"}, {v2, "01"}}); err == nil {
		t.Error("a phone with two vehicles is taken")
	}
	if r, err := NewRegister([]Terminal{{v1, ""}, {v2, ""}}); err != nil {
		t.Error(err)
	} else if _, ok := r.ByPhone(""); ok {
		t.Error("the empty phone has a vehicle")
	}
}
