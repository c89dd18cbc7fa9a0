//go:build unix

package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A process that was started with a small limit of open files raises it to what it may have.
func TestRaiseFileLimit(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if was.Max <= 512 {
		t.Skipf("the hard limit of open files is %d: there is nothing to lower", was.Max)
	}
	low := was
	low.Cur = was.Max - 256
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
	got, err := raiseFileLimit()
	if err != nil || got != uint64(was.Max) {
		t.Errorf("%d, %v; want %d", got, err, was.Max)
	}
	var is unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &is); err != nil || is != (unix.Rlimit{Cur: was.Max, Max: was.Max}) {
		t.Errorf("the limit is %+v, %v", is, err)
	}
	if again, err := raiseFileLimit(); err != nil || again != got {
		t.Errorf("a second time: %d, %v", again, err)
	}
}
