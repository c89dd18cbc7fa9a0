//go:build !(linux && amd64)

package chengine

import (
	"fmt"
	"runtime"
)

// errPlatform: libchdb is fetched for linux/amd64 only.
var errPlatform = fmt.Errorf("the embedded ClickHouse engine has no build for %s/%s (linux/amd64 only); configure an outside ClickHouse",
	runtime.GOOS, runtime.GOARCH)

func loadLibrary(string) error { return errPlatform }

// conn keeps the rest of the package compiling; none is ever made.
type conn struct{}

func connect([]string) (*conn, error) { return nil, errPlatform }

func (*conn) close() {}

func (*conn) query(string, string, map[string]string) ([]byte, error) { return nil, errPlatform }

func (*conn) stream(string, string, map[string]string, func() error, func([]byte) error) error {
	return errPlatform
}

func (*conn) insert(string, string, func() ([]byte, error)) error { return errPlatform }
