//go:build unix

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseFileLimit lets the process open as many files as its hard limit allows, and returns how many those are. Every connection of a
// terminal is one.
func raiseFileLimit() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	if limit.Cur >= limit.Max {
		return uint64(limit.Cur), nil
	}
	before := limit.Cur
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return uint64(before), fmt.Errorf("limit of open files: %w", err)
	}
	return uint64(limit.Cur), nil
}
