package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// What to do with the header of the PROXY protocol (HAProxy, versions 1 and 2), which names the address that a proxy in
// front speaks for.
const (
	ProxyOff      = "off"
	ProxyOptional = "optional" // taken from the addresses of proxy_from where it is there
	ProxyRequired = "required" // nobody is served without it
)

// maxProxyHeader bounds a header of version 2, whose extensions are skipped. Version 1 has at most 107 bytes.
const (
	maxProxyHeader  = 1024
	maxProxyHeader1 = 107
)

var proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")

var errNoProxyHeader = errors.New("PROXY protocol: no header")

// parseProxy reads the header at the start of b and returns the address that it names, the zero one where it names none
// (version 1 UNKNOWN, version 2 LOCAL or not IP), and its length. 0 bytes without an error: more must be read first.
// errNoProxyHeader says that b begins otherwise, any other error that it is a broken header.
func parseProxy(b []byte) (source netip.Addr, n int, err error) {
	if k := min(len(b), len(proxySignature)); bytes.Equal(b[:k], proxySignature[:k]) {
		return parseProxy2(b)
	}
	const word = "PROXY "
	if k := min(len(b), len(word)); string(b[:k]) != word[:k] {
		return source, 0, errNoProxyHeader
	}
	line, _, whole := bytes.Cut(b[:min(len(b), maxProxyHeader1)], []byte("\r\n"))
	if !whole {
		if len(b) >= maxProxyHeader1 {
			return source, 0, fmt.Errorf("PROXY protocol: no end of line in %d bytes", maxProxyHeader1)
		}
		return source, 0, nil
	}
	n = len(line) + 2
	f := strings.Split(string(line), " ")
	if f[1] == "UNKNOWN" {
		return source, n, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return source, 0, fmt.Errorf("PROXY protocol: %q; want PROXY TCP4 or TCP6, two addresses and two ports", line)
	}
	source, err = netip.ParseAddr(f[2])
	if err != nil || source.Zone() != "" || source.Is4() != (f[1] == "TCP4") {
		return netip.Addr{}, 0, fmt.Errorf("PROXY protocol: source %q is no address of %s", f[2], f[1])
	}
	return source.Unmap(), n, nil
}

// parseProxy2 reads a header of version 2, of which b has at least the beginning.
func parseProxy2(b []byte) (source netip.Addr, n int, err error) {
	const fixed = 16
	if len(b) < fixed {
		return source, 0, nil
	}
	n = fixed + int(binary.BigEndian.Uint16(b[14:]))
	command := b[12]
	switch {
	case command>>4 != 2:
		return source, 0, fmt.Errorf("PROXY protocol: version %d", command>>4)
	case command&15 > 1:
		return source, 0, fmt.Errorf("PROXY protocol: command %d", command&15)
	case n > maxProxyHeader:
		return source, 0, fmt.Errorf("PROXY protocol: header of %d bytes, at most %d are taken", n, maxProxyHeader)
	case len(b) < n:
		return source, 0, nil
	case command&15 == 0: // LOCAL: the proxy speaks for itself
		return source, n, nil
	}
	addresses := b[fixed:n]
	size := map[byte]int{1: 4, 2: 16}[b[13]>>4]
	switch {
	case size == 0:
		return source, n, nil
	case len(addresses) < 2*size+4:
		return source, 0, fmt.Errorf("PROXY protocol: %d bytes of addresses, want %d", len(addresses), 2*size+4)
	}
	source, _ = netip.AddrFromSlice(addresses[:size])
	return source.Unmap(), n, nil
}

// trusts reports whether the header of the PROXY protocol is taken from an address.
func (g *Gateway) trusts(a netip.Addr) bool {
	for _, p := range g.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// proxies reads the setting proxy_from: addresses and CIDRs.
func (c *Config) proxies() (list []netip.Prefix, err error) {
	for _, s := range c.ProxyFrom {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, e := netip.ParseAddr(s)
			if e != nil {
				return nil, fmt.Errorf("gateway.proxy_from: %q; give addresses or networks such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// proxied is a connection from a proxy. Its header is read before anything else, what was read with it is kept.
type proxied struct {
	net.Conn
	rest []byte
}

func (p *proxied) Read(b []byte) (int, error) {
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	p.rest = nil
	return p.Conn.Read(b)
}

// header reads the header. Where there is none and none is needed, the address is the zero one.
func (p *proxied) header(required bool) (netip.Addr, error) {
	buf := make([]byte, 0, maxProxyHeader)
	for {
		// A first byte that no header has is enough to tell.
		if len(buf) > 0 {
			source, n, err := parseProxy(buf)
			if err == errNoProxyHeader && !required {
				p.rest = buf
				return source, nil
			}
			if n > 0 || err != nil {
				p.rest = buf[n:]
				return source, err
			}
		}
		n, err := p.Conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n == 0 && err != nil {
			return netip.Addr{}, err
		}
	}
}

// greet reads the header of a proxied connection and counts it for the address that it names. It returns why the
// connection must end, if it must.
func (c *conn) greet() string {
	if c.proxy == nil {
		return ""
	}
	if reason := c.mayRead(); reason != "" {
		return reason
	}
	source, err := c.proxy.header(c.g.cfg.ProxyProtocol == ProxyRequired)
	if err != nil {
		if reason := c.stopReason(); reason != "" {
			return reason
		}
		c.g.metrics.turnedAway[turnedAwayProxy].Inc()
		c.g.logger.Debug("bad header of a proxy", "address", c.nc.RemoteAddr(), "err", err)
		return reasonError
	}
	if source.IsValid() {
		c.address = source
	}
	if !c.g.count(c) {
		c.g.metrics.turnedAway[turnedAwayAddress].Inc()
		return reasonError
	}
	return ""
}

// count counts a proxied connection for its address, false where that has too many.
func (g *Gateway) count(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.addresses[c.address] >= g.cfg.MaxConnectionsPerAddress {
		return false
	}
	g.addresses[c.address]++
	c.counted = true
	return true
}
