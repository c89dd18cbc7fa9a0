//go:build unix

// Package testport reserves addresses for tests whose servers need one before they listen, or end and listen on it again.
package testport

import (
	"net"
	"strconv"
	"syscall"
	"testing"
)

// Reserve is a TCP address of the loopback, host:port, that is the test's until it ends: it may listen on it as often as it
// wants, in its own process or another.
//
// A port that was only looked for and let go is free for whoever asks the system for any. Here a socket stays bound to it that
// does not listen: the system gives the port to nobody then, neither to listen nor to connect from, and who names it gets it, as
// Go's listeners set SO_REUSEADDR.
func Reserve(t testing.TB) string {
	t.Helper()
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	a, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.(*syscall.SockaddrInet4).Port))
}
