//go:build !unix

package datadir

import (
	"errors"
	"os"
	"runtime"
)

// lockFile refuses: without a lock the stores would be at the mercy of a second process.
func lockFile(*os.File) error {
	return errors.New("data folders cannot be locked on " + runtime.GOOS + "; use outside stores there")
}
