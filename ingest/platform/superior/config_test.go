package superior

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestConfig(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	d := yaml.NewDecoder(bytes.NewReader([]byte(`
listen: 127.0.0.1:7809
peers:
  - {name: alpha, access_code: 1, user: 2, password: secret}
  - name: beta
    access_code: 2
    user: 3
    password_file: /etc/lushao/beta
    addresses: [10.1.0.0/16, 203.0.113.9, "2001:db8::/32"]
    edition: "2019"
    m1: 10000000
    ia1: 20000000
    ic1: 30000000
    encrypt: true
    operator: "5301"
    region: "530100"
    sub_link: {dial: "10.1.0.9:9101"}
    ask_static: true
    retransmit: true
    count_every: 10000
    inspections: {every: 4h, answer_time: 5m, object_type: 1, object_id: "53010000417", between: "08:00-20:00"}
    supervise: {kinds: [speeding], within: 30m, level: 1, supervisor: "王五", supervisor_tel: "0871", supervisor_email: a@b.cn}
`)))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if !c.Peers[1].supervises("speeding") || c.Peers[1].supervises("overload") || c.Peers[0].supervises("speeding") {
		t.Error("kinds that are supervised")
	}
	for want, change := range map[string]func(*Config){
		"superior.listen: ":                                    func(c *Config) { c.Listen = "" },
		"superior.heartbeat: ":                                 func(c *Config) { c.Heartbeat = c.Silence },
		"superior.silence: must":                               func(c *Config) { c.Silence = 0 },
		"superior.refused_delay: ":                             func(c *Config) { c.RefusedDelay = -1 },
		"superior.max_queue: ":                                 func(c *Config) { c.MaxQueue = 10 },
		"superior.max_frame: ":                                 func(c *Config) { c.MaxFrame = 10 },
		"superior.tick: must":                                  func(c *Config) { c.Tick = -1 },
		"superior.peers[1].name: ":                             func(c *Config) { c.Peers[1].Name = "alpha" },
		"superior.peers[1].name: \"a b\"":                      func(c *Config) { c.Peers[1].Name = "a b" },
		"superior.peers[0].name: \"\"":                         func(c *Config) { c.Peers[0].Name = "" },
		"superior.peers[1].access_code: 1 is that":             func(c *Config) { c.Peers[1].AccessCode = 1 },
		"superior.peers[0].access_code: must":                  func(c *Config) { c.Peers[0].AccessCode = 0 },
		"superior.peers[0].password: give":                     func(c *Config) { c.Peers[0].PasswordFile = "x" },
		"superior.peers[0].password: 9 bytes":                  func(c *Config) { c.Peers[0].Password = "123456789" },
		"superior.peers[0].encrypt: ":                          func(c *Config) { c.Peers[0].Encrypt = true },
		"superior.peers[0].edition: \"2017\"":                  func(c *Config) { c.Peers[0].Edition = "2017" },
		"superior.peers[1].addresses[1]: \"here\"":             func(c *Config) { c.Peers[1].Addresses = []string{"10.0.0.1", "here"} },
		"superior.peers[0].sub_link.dial: \"sometimes\"":       func(c *Config) { c.Peers[0].SubLink.Dial = "sometimes" },
		"superior.peers[0].region: ":                           func(c *Config) { c.Peers[0].Region = "云南" },
		"superior.peers[0].platform_id: ":                      func(c *Config) { c.Peers[0].PlatformID = "530100004170" },
		"superior.peers[0].count_every: ":                      func(c *Config) { c.Peers[0].CountEvery = -1 },
		"superior.peers[0].inspections.every: ":                func(c *Config) { c.Peers[0].Inspections.Every = -1 },
		"superior.peers[0].inspections.between: \"8 to 20\"":   func(c *Config) { c.Peers[0].Inspections.Between = "8 to 20" },
		"superior.peers[0].inspections.object_type: 4":         func(c *Config) { c.Peers[0].Inspections.ObjectType = 4 },
		"superior.peers[0].inspections.answer_time: ":          func(c *Config) { c.Peers[0].Inspections.AnswerTime = time.Millisecond },
		"superior.peers[0].supervise.level: 2":                 func(c *Config) { c.Peers[0].Supervise.Level = 2 },
		"superior.peers[0].supervise.within: 1ms; at least 1s": func(c *Config) { c.Peers[0].Supervise.Within = time.Millisecond },
	} {
		b := c
		b.Peers = append([]PeerConfig(nil), c.Peers...)
		change(&b)
		if err := b.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
}

func TestPasswordFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	p := PeerConfig{PasswordFile: file}
	if _, err := p.password(); err == nil || !strings.HasPrefix(err.Error(), "password_file: ") {
		t.Error(err)
	}
	for content, want := range map[string]string{"secret\n": "secret", "  \n": "", "123456789": ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := p.password()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
}

func TestWithoutPeersNothingListens(t *testing.T) {
	cfg := testConfig()
	cfg.Peers = nil
	h := start(t, cfg, nil)
	if h.Addr() != nil || !h.Ready() || len(h.Peers()) != 0 {
		t.Error("it listens without peers")
	}
}
