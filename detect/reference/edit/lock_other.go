//go:build !unix

package edit

import (
	"errors"
	"os"
)

func lockFile(*os.File) error {
	return errors.New("changing a reference directory needs file locks, which this system lacks")
}
