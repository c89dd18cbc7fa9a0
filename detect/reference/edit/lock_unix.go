//go:build unix

package edit

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits until the file is this holder's. The kernel drops the lock when the file is closed.
func lockFile(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
