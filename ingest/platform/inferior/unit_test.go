package inferior

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/relay"
	"lushao/internal/bus"
)

var (
	_ platform.Side = (*Inferior)(nil)
	_ Book          = (*platform.Book)(nil)
	_ Router        = (*relay.Router)(nil)
)

func goodConfig() Config {
	c := DefaultConfig()
	c.Listen = "127.0.0.1:7810"
	c.Peers = []PeerConfig{{Name: "city", Address: "10.0.0.1:7809", AccessCode: 1, User: 2, Password: "secret", PlatformID: "53010000417", SubAddress: "10.0.0.2:7810",
		Forward: Forward{Plates: []string{"云A8K216/2"}}}}
	return c
}

func TestConfig(t *testing.T) {
	c := goodConfig()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *Config){
		"inferior.listen: ":                       func(c *Config) { c.Listen = "7810" },
		"inferior.heartbeat: ":                    func(c *Config) { c.Heartbeat = 0 },
		"inferior.silence: ":                      func(c *Config) { c.Silence = c.Heartbeat },
		"inferior.backoff_max: ":                  func(c *Config) { c.BackoffMax = 1 },
		"inferior.max_frame: ":                    func(c *Config) { c.MaxFrame = 10 },
		"inferior.max_unproven: ":                 func(c *Config) { c.MaxUnproven = 0 },
		"inferior.peers[0].name: ":                func(c *Config) { c.Peers[0].Name = "the city" },
		"inferior.peers[1].name: ":                func(c *Config) { c.Peers = append(c.Peers, c.Peers[0]) },
		"inferior.peers[0].address: ":             func(c *Config) { c.Peers[0].Address = "city" },
		"inferior.peers[0].password: ":            func(c *Config) { c.Peers[0].Password = "longer than 8" },
		"inferior.peers[0].password_file: ":       func(c *Config) { c.Peers[0].Password = "" },
		"inferior.peers[0].platform_id: ":         func(c *Config) { c.Peers[0].PlatformID = "530100004170" },
		"inferior.peers[0].edition: ":             func(c *Config) { c.Peers[0].Edition = "auto" },
		"inferior.peers[0].version: ":             func(c *Config) { c.Peers[0].Version = "1.2.300" },
		"inferior.peers[0].encrypt: ":             func(c *Config) { c.Peers[0].Encrypt = true },
		"inferior.peers[0].sub_address: ":         func(c *Config) { c.Peers[0].SubAddress = "platform.example:7810" },
		"inferior.peers[0].forward.plates[0]: ":   func(c *Config) { c.Peers[0].Forward.Plates[0] = "云A8K216" },
		"inferior.peers[0].from: ":                func(c *Config) { c.Peers[0].From = "yesterday" },
		"inferior.peers[0].inspection.answer: ":   func(c *Config) { c.Peers[0].Inspection.Answer = "never" },
		"inferior.peers[0].count_id: ":            func(c *Config) { c.Peers[0].CountID = "0x1202" },
		"inferior.retransmit_bytes: ":             func(c *Config) { c.RetransmitBytes = -1 },
		"inferior.login_timeout: must be greater": func(c *Config) { c.LoginTimeout = -1 },
	} {
		c := goodConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestPasswordFile(t *testing.T) {
	c := goodConfig()
	file := filepath.Join(t.TempDir(), "password")
	c.Peers[0].Password, c.Peers[0].PasswordFile = "", file
	make := func() (*Inferior, error) {
		return New(c, Deps{Events: newTopic(1), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	}
	if _, err := make(); err == nil || !strings.HasPrefix(err.Error(), "inferior.peers[0].password_file: ") {
		t.Errorf("no file: %v", err)
	}
	os.WriteFile(file, []byte("Wk7#pq2z\n"), 0o600)
	i, err := make()
	if err != nil || i.peers[0].password != "Wk7#pq2z" {
		t.Errorf("%v", err)
	}
	os.WriteFile(file, []byte("much too long"), 0o600)
	if _, err := make(); err == nil {
		t.Error("a long password was taken")
	}
	if err := i.Shutdown(context.Background()); err != nil { // never started
		t.Error(err)
	}
}

func TestChoice(t *testing.T) {
	v := vehicle(t, "云A8K216")
	hazmat := Record{Class: "hazmat", Operator: "op1", Region: "530102"}
	for _, c := range []struct {
		f     Forward
		known bool
		want  bool
	}{
		{Forward{}, true, false},
		{Forward{All: true}, false, true},
		{Forward{Classes: []string{"hazmat"}}, true, true},
		{Forward{Classes: []string{"hazmat"}}, false, false},
		{Forward{Classes: []string{"truck"}}, true, false},
		{Forward{Classes: []string{"hazmat"}, Operators: []string{"op2"}}, true, false},
		{Forward{Classes: []string{"hazmat"}, Operators: []string{"op1"}, Regions: []string{"53"}}, true, true},
		{Forward{Regions: []string{"5303", "5301"}}, true, true},
		{Forward{Regions: []string{""}}, true, false},
		{Forward{Plates: []string{"云A8K216/2"}}, false, true},
		{Forward{Plates: []string{"云A8K216/1"}}, true, false},
		{Forward{Plates: []string{"云A8K216/2"}, Classes: []string{"truck"}}, true, true},
	} {
		choice, err := newChoice(c.f)
		if err != nil {
			t.Fatal(err)
		}
		if got := choice.has(&v, &hazmat, c.known); got != c.want {
			t.Errorf("%+v known %v: %v", c.f, c.known, got)
		}
	}
}

func TestWarnTypes(t *testing.T) {
	p := &peer{edition: jt809.Edition2011, cfg: PeerConfig{Alarms: Alarms{Types: map[string]uint16{"overload": 0xE001}}}}
	for kind, want := range map[string]uint16{"speeding": 1, "fatigue_severe": 2, "fence_entry": 4, "fence_exit": 5, "fence_crossing": 8, "route_deviation": 0xB,
		"night_driving": 0xD, "overcrowding": 0x105, "driver_behavior": 0x106, "gone_dark": 0xFF, "something": 0xFF, "overload": 0xE001} {
		if got := p.warnType(kind); got != want {
			t.Errorf("%s: %#x, want %#x", kind, got, want)
		}
	}
	p.edition = jt809.Edition2019
	if p.warnType("gone_dark") != 0x14 || p.warnType("collision_risk") != 0x11 || p.warnType("speeding") != 1 {
		t.Error("2019")
	}
}

func TestRing(t *testing.T) {
	r := newRing(10 * (ringOverhead + 10))
	e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDPosition}
	for n := range uint32(1000) {
		r.add(&e, fmt.Appendf(nil, "%010d", n), n, int64(n))
		if r.bytes > r.limit || len(r.items) > 200 {
			t.Fatalf("%d bytes, %d items", r.bytes, len(r.items))
		}
	}
	r.add(&e, make([]byte, 5000), 1000, 1000) // larger than the ring
	r.add(&jt809.Envelope{ID: jt809.IDPlatformUp, Sub: jt809.IDPlatformTextReply}, []byte("text"), 7, 1001)
	serials := func(found []ringItem) (s string) {
		for _, i := range found {
			s += fmt.Sprintf("%d:%s ", i.serial, i.data)
		}
		return s
	}
	if got := serials(r.find(jt809.IDPlatformTextReply, 7, 7, 0)); got != "7:text " {
		t.Errorf("by message: %q", got)
	}
	for n := range uint32(5) {
		r.add(&e, fmt.Appendf(nil, "%010d", 2000+n), 0xFFFFFFFE+n, 1002) // round the largest serial
	}
	if got := serials(r.find(jt809.IDPosition, 0xFFFFFFFF, 1, 0)); got != "4294967295:0000002001 0:0000002002 1:0000002003 " {
		t.Errorf("round the end: %q", got)
	}
	if got := len(r.find(0, 0, 0, 1002)); got != 5 {
		t.Errorf("since: %d", got)
	}
	if got := r.find(0, 0, 0, 0); len(got) != 0 {
		t.Errorf("nothing asked: %d", len(got))
	}
}

func TestBreaksOfAPeriod(t *testing.T) {
	var s stats
	at := func(n int64) time.Time { return time.UnixMilli(n * 1000) }
	s.linkUp(at(0))
	s.linkDown(at(100))
	s.linkUp(at(110))
	s.lose(at(120), 5)
	s.linkDown(at(200)) // lasts
	for _, c := range []struct {
		from, to int64
		breaks   int
		broken   time.Duration
		lost     uint64
	}{{0, 90, 0, 0, 0}, {0, 105, 1, 5 * time.Second, 0}, {0, 150, 1, 10 * time.Second, 5}, {105, 250, 2, 5*time.Second + 50*time.Second, 5}, {130, 190, 0, 0, 0}} {
		breaks, broken, lost := s.between(c.from*1000, c.to*1000, 300_000)
		if breaks != c.breaks || broken != c.broken || lost != c.lost {
			t.Errorf("%d to %d: %d breaks, %v, %d lost", c.from, c.to, breaks, broken, lost)
		}
	}
}

func TestRate(t *testing.T) {
	var r rate
	r.add(time.Unix(1000, 0), 60)
	r.add(time.Unix(1030, 0), 120)
	if got := r.perSecond(time.Unix(1030, 0)); got != 3 {
		t.Errorf("%v", got)
	}
	if got := r.perSecond(time.Unix(1075, 0)); got != 2 {
		t.Errorf("the first minute has gone: %v", got)
	}
	if got := r.perSecond(time.Unix(2000, 0)); got != 0 {
		t.Errorf("long after: %v", got)
	}
}

// A superior that says nothing, or that does not answer heartbeats, is left and dialled again.
func TestSilence(t *testing.T) {
	x := start(t, options{prepare: func(x *inferiorTest) { x.superior.silent = true },
		config: func(c *Config) { c.Heartbeat, c.Silence = 5*time.Millisecond, 60*time.Millisecond }})
	x.superior.await("three logins", func() bool { return x.superior.logins >= 3 })
	x.superior.mu.Lock()
	x.superior.silent = false
	x.superior.mu.Unlock()
	v := vehicle(t, "云H00001")
	x.events.put(position(v, 1))
	x.proven()
}

// A log that has dropped what was not forwarded yet is told of.
func TestLostMessages(t *testing.T) {
	f := &flow{source: newTopic(1), group: "g", from: FromBeginning}
	log := f.source.(*topic)
	for range 10 {
		log.append(0, nil)
	}
	begin, live, lost, err := f.open(t.Context())
	if err != nil || begin[0] != 0 || live[0] != 10 || lost != 0 {
		t.Fatalf("%v %v %d %v", begin, live, lost, err)
	}
	f.prove([]int64{4})
	log.first = 7
	if begin, _, lost, _ = f.open(t.Context()); begin[0] != 7 || lost != 3 {
		t.Errorf("begins at %v, lost %d", begin, lost)
	}
	if got := fmt.Sprint(f.uncommitted()); got != "map[0:7]" {
		t.Errorf("to commit: %s", got)
	}
}

// Making messages of positions allocates nothing for the positions themselves.
func TestPositionsDoNotAllocate(t *testing.T) {
	x := start(t, options{})
	v := vehicle(t, "云H00001")
	s := &sender{p: x.peers[0], known: map[ingest.Vehicle]*known{}}
	e := position(v, 1)
	s.data = s.appendPosition(s.data[:0], &e)
	if n := testing.AllocsPerRun(100, func() { s.data = s.appendPosition(s.data[:0], &e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	k := s.look(&v, nil, 1, 1)
	if n := testing.AllocsPerRun(100, func() {
		if s.known[v] != k {
			t.Fatal("forgotten")
		}
	}); n != 0 {
		t.Errorf("%v allocations of a look-up", n)
	}
}

// BenchmarkForward is the way from the log to the socket, proof included.
func BenchmarkForward(b *testing.B) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		b.Run(ed.String(), func(b *testing.B) { benchmarkForward(b, ed) })
	}
}

func benchmarkForward(b *testing.B, ed jt809.Edition) {
	const perMessage = 100
	var vehicles []ingest.Vehicle
	for n := range 1000 {
		v, err := ingest.NewVehicle(fmt.Sprintf("云H%05d", n), 2)
		if err != nil {
			b.Fatal(err)
		}
		vehicles = append(vehicles, v)
	}
	var payload []byte
	for n := range perMessage {
		e := position(vehicles[n*10], n)
		payload = ingest.AppendEvent(payload, &e)
	}
	sink := newSink(b, ed)
	c := goodConfig()
	c.Listen = ""
	c.Peers[0].Address, c.Peers[0].Edition, c.Peers[0].Forward, c.Peers[0].From = sink.addr, ed.String(), Forward{All: true}, FromNow
	c.Heartbeat = 10 * time.Millisecond
	log := newTopic(1)
	i, err := New(c, Deps{Events: log, Book: platform.NewBook(&pages{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	if err := i.Start(); err != nil {
		b.Fatal(err)
	}
	defer i.Shutdown(b.Context())
	if !log.await(b.Context(), func() bool { return log.done("forward-city") }) {
		b.Fatal("did not begin")
	}
	b.ReportAllocs()
	b.ResetTimer()
	log.mu.Lock()
	for n := range (b.N + perMessage - 1) / perMessage {
		log.parts[0] = append(log.parts[0], bus.Message{Offset: int64(n), Value: payload})
	}
	log.tell()
	log.mu.Unlock()
	log.await(b.Context(), func() bool { return log.done("forward-city") })
}
