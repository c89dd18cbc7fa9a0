package gateway

import (
	"strings"
	"testing"
)

func TestTransportConfig(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"gateway.resend_after: must":      func(c *Config) { c.ResendAfter = 0 },
		"gateway.resend_tries: must":      func(c *Config) { c.ResendTries = 0 },
		"gateway.partial_timeout: must":   func(c *Config) { c.PartialTimeout = -1 },
		"gateway.tls.cert_file: give it":  func(c *Config) { c.ListenTLS = ":1" },
		"gateway.proxy_protocol: \"on\"":  func(c *Config) { c.ProxyProtocol = "on" },
		"gateway.proxy_from: empty":       func(c *Config) { c.ProxyProtocol = ProxyRequired },
		"gateway.proxy_from: \"10.0.0\"":  func(c *Config) { c.ProxyFrom = []string{"10.0.0"} },
		"gateway.max_datagram_rate: must": func(c *Config) { c.MaxDatagramRate = -1 },
		"gateway.shutdown_spread: must":   func(c *Config) { c.ShutdownSpread = -1 },
		"gateway.shutdown_groups: must":   func(c *Config) { c.ShutdownGroups = 0 },
		"gateway.remember_terminals: mus": func(c *Config) { c.RememberTerminals = -1 },
	} {
		cfg := testConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	cfg := testConfig()
	cfg.ProxyProtocol, cfg.ProxyFrom = ProxyRequired, []string{"10.1.2.3/8", "2001:db8::1", "192.0.2.1"}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
