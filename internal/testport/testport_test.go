//go:build unix

package testport_test

import (
	"net"
	"testing"

	"lushao/internal/testport"
)

// Who has reserved a port listens on it again and again; who asks for any port gets another.
func TestReserve(t *testing.T) {
	reserved := map[string]bool{}
	for range 50 {
		addr := testport.Reserve(t)
		if reserved[addr] {
			t.Fatalf("%s is reserved twice", addr)
		}
		reserved[addr] = true
	}
	for addr := range reserved {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			t.Fatalf("somebody listens on %s", addr)
		}
		for range 2 {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			near, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			far.Close()
			near.Close()
			l.Close()
		}
	}
	for range 2000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if addr := l.Addr().String(); reserved[addr] {
			t.Fatalf("%s was given away", addr)
		}
	}
}
