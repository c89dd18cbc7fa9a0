package store

import (
	"context"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
)

func TestConfigValidate(t *testing.T) {
	good := DefaultConfig()
	good.Addresses = []string{"127.0.0.1:8123"}
	must(t, good.Validate(false))
	for want, change := range map[string]func(*Config){
		"store.addresses":             func(c *Config) { c.Addresses = nil },
		"store.protocol":              func(c *Config) { c.Protocol = "grpc" },
		"store.database":              func(c *Config) { c.Database = "a; DROP DATABASE b" },
		"store.cluster":               func(c *Config) { c.Cluster = "c' x" },
		"store.password_file":         func(c *Config) { c.Password, c.PasswordFile = "a", "b" },
		"store.max_connections":       func(c *Config) { c.MaxConnections = 1 },
		"store.dial_timeout":          func(c *Config) { c.DialTimeout = 0 },
		"store.read_timeout":          func(c *Config) { c.ReadTimeout = -1 },
		"store.positions_keep_months": func(c *Config) { c.PositionsKeepMonths = 5 },
		"store.tls.cert_file":         func(c *Config) { c.TLS.CertFile = "x" },
		"store.compression":           func(c *Config) { c.Compression = "zip" },
		"store.settings":              func(c *Config) { c.Settings = map[string]string{"a=1, b": "1"} },
	} {
		c := good
		change(&c)
		if err := c.Validate(false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	embedded := DefaultConfig()
	must(t, embedded.Validate(true))
	embedded.Protocol = "native"
	if err := embedded.Validate(true); err == nil {
		t.Error("the embedded engine does not speak native")
	}
}

func TestConfigOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte("secret\n"), 0o600))
	c := DefaultConfig()
	c.Addresses, c.Protocol, c.PasswordFile = []string{"a:9440", "b:9440"}, "native", file
	c.TLS = TLSConfig{Enabled: true, ServerName: "ch"}
	c.Settings = map[string]string{"insert_quorum": "auto"}
	o, err := c.options(nil)
	must(t, err)
	if o.Protocol != clickhouse.Native || o.Auth.Password != "secret" || o.TLS == nil || o.TLS.ServerName != "ch" ||
		len(o.Addr) != 2 || o.Settings["insert_quorum"] != "auto" || o.Settings["async_insert"] != 0 || o.Compression == nil {
		t.Errorf("options %+v", o)
	}
	c.PasswordFile = filepath.Join(t.TempDir(), "none")
	if _, err := c.options(nil); err == nil || !strings.Contains(err.Error(), "store.password_file") {
		t.Errorf("got %v", err)
	}
	c.PasswordFile, c.TLS.CAFile = "", file
	if _, err := c.options(nil); err == nil || !strings.Contains(err.Error(), "store.tls.ca_file") {
		t.Errorf("got %v", err)
	}
}

// An outside ClickHouse is reached by its address, with each way of compression.
func TestOverTheNetwork(t *testing.T) {
	server := httptest.NewServer(engine)
	defer server.Close()
	for _, compression := range []string{"none", "lz4", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Addresses, cfg.Compression = []string{server.Listener.Addr().String()}, compression
			s, err := Open(t.Context(), cfg, nil)
			must(t, err)
			t.Cleanup(func() {
				s.server.Exec(context.Background(), "DROP DATABASE IF EXISTS "+cfg.Database+" SYNC")
				s.Close()
			})
			must(t, s.Migrate(t.Context()))
			v := vehicle(t, "晋E00001", 2)
			r := rand.New(rand.NewPCG(1, 2))
			s.insertPositions(t, randomPosition(r, v, base), randomPosition(r, v, base+1))
			if n := len(s.track(t, v)); n != 2 {
				t.Errorf("%d positions", n)
			}
		})
	}
}

func TestOpenRefusesDeadServer(t *testing.T) {
	c := DefaultConfig()
	c.Addresses = []string{"127.0.0.1:1"}
	if _, err := Open(t.Context(), c, nil); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1 does not answer") {
		t.Errorf("got %v", err)
	}
}
