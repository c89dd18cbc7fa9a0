//go:build linux && amd64

package chengine

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// dispositions are those of the handled signals.
func dispositions() ([]disposition, error) {
	libc, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW)
	if err != nil {
		return nil, err
	}
	var sigaction func(sig int32, act, old unsafe.Pointer) int32
	purego.RegisterLibFunc(&sigaction, libc, "sigaction")
	list := make([]disposition, len(handled))
	for i, s := range handled {
		if sigaction(int32(s), nil, unsafe.Pointer(&list[i][0])) != 0 {
			return nil, fmt.Errorf("sigaction of %s", s)
		}
	}
	return list, nil
}

func sameDispositions(before []disposition) error {
	now, err := dispositions()
	for i := range now {
		if !now[i].same(&before[i]) {
			err = errors.Join(err, fmt.Errorf("the handler of %s changed from %x to %x", handled[i], before[i][:16], now[i][:16]))
		}
	}
	return err
}
