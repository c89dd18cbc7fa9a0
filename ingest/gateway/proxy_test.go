package gateway

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/jt808"
)

// proxy2 is a header of version 2.
func proxy2(command, family byte, addresses ...byte) []byte {
	b := append(bytes.Clone(proxySignature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(addresses)))
	return append(b, addresses...)
}

var (
	proxyFour = []byte{10, 1, 2, 3, 10, 9, 9, 9, 0x1f, 0x90, 0x1d, 0xbb}
	proxySix  = append(append(netip.MustParseAddr("2001:db8::7").AsSlice(), make([]byte, 16)...), 0x1f, 0x90, 0x1d, 0xbb)
)

func TestParseProxy(t *testing.T) {
	for _, c := range []struct {
		in   string
		want string // the address; "-" none; else the beginning of the error
	}{
		{"PROXY TCP4 10.1.2.3 10.9.9.9 8080 7611\r\n", "10.1.2.3"},
		{"PROXY TCP6 2001:db8::7 2001:db8::8 8080 7611\r\n", "2001:db8::7"},
		{"PROXY TCP6 ::ffff:10.1.2.3 ::ffff:10.9.9.9 8080 7611\r\n", "10.1.2.3"},
		{"PROXY UNKNOWN\r\n", "-"},
		{"PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", "-"},
		{"PROXY \r\n", "PROXY protocol: \"PROXY \""},
		{"PROXY TCP4 10.1.2.3\r\n", "PROXY protocol: \"PROXY TCP4"},
		{"PROXY TCP4 2001:db8::7 10.9.9.9 8080 7611\r\n", "PROXY protocol: source"},
		{"PROXY TCP6 fe80::1%eth0 fe80::2 8080 7611\r\n", "PROXY protocol: source"},
		{"PROXY TCP4 300.1.2.3 10.9.9.9 8080 7611\r\n", "PROXY protocol: source"},
		{"PROXY TCP4 " + strings.Repeat("1", 200), "PROXY protocol: no end of line"},
		{string(proxy2(0x21, 0x11, proxyFour...)), "10.1.2.3"},
		{string(proxy2(0x21, 0x12, proxyFour...)), "10.1.2.3"},
		{string(proxy2(0x21, 0x21, proxySix...)), "2001:db8::7"},
		{string(proxy2(0x21, 0x11, append(bytes.Clone(proxyFour), 3, 0, 1, 9)...)), "10.1.2.3"}, // an extension follows
		{string(proxy2(0x20, 0)), "-"},
		{string(proxy2(0x21, 0x31, make([]byte, 216)...)), "-"}, // a UNIX socket
		{string(proxy2(0x31, 0x11, proxyFour...)), "PROXY protocol: version 3"},
		{string(proxy2(0x22, 0x11, proxyFour...)), "PROXY protocol: command 2"},
		{string(proxy2(0x21, 0x11, proxyFour[:11]...)), "PROXY protocol: 11 bytes"},
		{string(proxy2(0x21, 0x11, make([]byte, 60000)...)), "PROXY protocol: header of 60016 bytes"},
		{"~\x02\x00", "PROXY protocol: no header"},
		{"PROXX", "PROXY protocol: no header"},
		{"\r\n\r\n\x00\r\nQUIX\n", "PROXY protocol: no header"},
	} {
		source, n, err := parseProxy([]byte(c.in + "~frame"))
		switch {
		case err != nil:
			if c.want == "" || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%q: %v, want %q", c.in, err, c.want)
			}
			continue
		case n != len(c.in):
			t.Errorf("%q: %d bytes, want %d", c.in, n, len(c.in))
		case source.IsValid() != (c.want != "-") || source.IsValid() && source.String() != c.want:
			t.Errorf("%q: %v, want %q", c.in, source, c.want)
		}
		for i := range len(c.in) { // every prefix wants more
			if _, n, err := parseProxy([]byte(c.in[:i])); i > 0 && (n != 0 || err != nil) {
				t.Errorf("%q: %d bytes, %v", c.in[:i], n, err)
			}
		}
	}
}

func FuzzParseProxy(f *testing.F) {
	f.Add([]byte("PROXY TCP4 10.1.2.3 10.9.9.9 8080 7611\r\n"))
	f.Add(proxy2(0x21, 0x21, proxySix...))
	f.Add(proxy2(0x21, 0x11, proxyFour...))
	f.Fuzz(func(t *testing.T, b []byte) {
		source, n, err := parseProxy(b)
		if n < 0 || n > len(b) || n > maxProxyHeader || err != nil && (n != 0 || source.IsValid()) {
			t.Errorf("%v %d %v", source, n, err)
		}
		if err == nil && n == 0 && len(b) >= maxProxyHeader {
			t.Error("wants more than it may")
		}
	})
}

func TestProxiedConnections(t *testing.T) {
	start := func(mode, from string) (*Gateway, *fakeLog) {
		cfg := testConfig()
		cfg.ProxyProtocol, cfg.ProxyFrom = mode, []string{from}
		cfg.MaxConnectionsPerAddress = 1
		log := newFakeLog()
		g, _ := startGateway(t, cfg, log, nil)
		return g, log
	}
	one := "PROXY TCP4 10.1.2.3 10.9.9.9 8080 7611\r\n"
	t.Run("required", func(t *testing.T) {
		g, _ := start(ProxyRequired, "127.0.0.0/8")
		// The real addresses count: two behind one proxy, and the second of the same address is turned away.
		a := dial(t, g.Addr().String(), "1", jt808.Edition2013)
		a.send([]byte(one)[:9])
		a.send([]byte(one)[9:], a.frame(jt808.IDHeartbeat, nil)) // a frame comes with the header
		a.want(a.serial-1, jt808.IDHeartbeat, jt808.ResultFailed)
		a.login(v1)
		b := dial(t, g.Addr().String(), "2", jt808.Edition2019)
		b.send(proxy2(0x21, 0x21, proxySix...))
		b.login(v2)
		third := dial(t, g.Addr().String(), "3", jt808.Edition2013)
		third.send([]byte(one))
		third.wantEnd()
		if n := testutil.ToFloat64(g.metrics.turnedAway[turnedAwayAddress]); n != 1 {
			t.Errorf("%v turned away for their address", n)
		}
		for _, bad := range []string{"~~", "PROXY TCP4 nonsense\r\n", strings.Repeat("PROXY ", 100), string(proxy2(0x21, 0x11)),
			string(proxy2(0x21, 0x11, make([]byte, 60000)...)), "GET / HTTP/1.1\r\n\r\n"} {
			c := dial(t, g.Addr().String(), "4", jt808.Edition2013)
			c.nc.Write([]byte(bad))
			c.wantEnd()
		}
		if n := testutil.ToFloat64(g.metrics.turnedAway[turnedAwayProxy]); n != 6 {
			t.Errorf("%v turned away for their header, want 6", n)
		}
		a.ping(1)
		b.ping(2)
		a.nc.Close()
		for testutil.ToFloat64(g.metrics.connections) > 1 { // until the place of the first is free
			runtime.Gosched()
		}
		third = dial(t, g.Addr().String(), "3", jt808.Edition2013)
		third.send([]byte(one))
		third.login(v1)
	})
	t.Run("required from elsewhere", func(t *testing.T) {
		g, _ := start(ProxyRequired, "10.0.0.0/8")
		c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
		c.nc.Write([]byte(one))
		c.wantEnd()
	})
	t.Run("optional", func(t *testing.T) {
		g, _ := start(ProxyOptional, "127.0.0.1")
		c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
		c.login(v1)
		d := dial(t, g.Addr().String(), "2", jt808.Edition2013)
		d.send([]byte(one))
		d.login(v2)
		c.ping(1)
		d.ping(2)
	})
	t.Run("optional from elsewhere is no header", func(t *testing.T) {
		g, _ := start(ProxyOptional, "10.0.0.0/8")
		c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
		c.send([]byte(one))
		c.login(v1)
		if n := testutil.ToFloat64(g.metrics.garbage); n < float64(len(one)) {
			t.Errorf("%v bytes of garbage, want the header", n)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.addresses[netip.MustParseAddr("127.0.0.1")] != 1 {
			t.Errorf("counted for %v", g.addresses)
		}
	})
	t.Run("silent", func(t *testing.T) {
		cfg := testConfig()
		cfg.ProxyProtocol, cfg.ProxyFrom, cfg.FirstFrameTimeout = ProxyRequired, []string{"127.0.0.1"}, 30*time.Millisecond
		g, _ := startGateway(t, cfg, newFakeLog(), nil)
		nc, err := net.Dial("tcp", g.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.Write([]byte("PROX"))
		if b, err := readAll(nc); len(b) > 0 || isTimeout(err) {
			t.Errorf("%q %v", b, err)
		}
	})
}
