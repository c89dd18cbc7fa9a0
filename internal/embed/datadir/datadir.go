// Package datadir keeps a data folder to one process at a time. Neither of the embedded stores does it itself, and two
// processes on one folder destroy it.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// lockName is the file in the folder that is locked. It stays when the folder is unlocked: removing it would let two processes
// hold locks on two files of the same name.
const lockName = "lushao.lock"

// ErrInUse is what Lock returns for a folder that another holder has locked, in this process or in another.
var ErrInUse = errors.New("already in use by another lushao")

var errWouldBlock = errors.New("would block")

// Lock is a locked folder.
type Lock struct{ file *os.File }

// Acquire creates the folder where it is missing and locks it without waiting. The kernel drops the lock when the process ends,
// however it ends. It does not keep off another machine that mounts the folder over a network.
func Acquire(dir string) (*Lock, error) {
	if dir == "" {
		return nil, errors.New("data folder: empty; set a path")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	name := filepath.Join(dir, lockName)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := lockFile(f); err != nil {
		holder, _ := os.ReadFile(name)
		f.Close()
		if !errors.Is(err, errWouldBlock) {
			return nil, fmt.Errorf("data folder %s: lock: %w", dir, err)
		}
		who := ""
		if s := strings.TrimSpace(string(holder)); s != "" {
			who = fmt.Sprintf(" (process %s)", s)
		}
		return nil, fmt.Errorf("data folder %s: %w%s; stop it first, or choose another folder", dir, ErrInUse, who)
	}
	// The process id is for the message above only; the lock is the kernel's.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return &Lock{file: f}, nil
}

// Release unlocks the folder. A nil Lock and a second call do nothing.
func (l *Lock) Release() error {
	if l == nil || l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}
