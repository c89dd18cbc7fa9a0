package jt809

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	wire "lushao/ingest/fields"
)

// layoutSize chooses between the layouts of one message by the length of their data, since peers send those of other
// editions: usual is the edition's own, sizes are all that there are, in ascending order. v keeps another than the usual,
// and is 0 for that. Data longer than the usual have a tail, and are of the longest layout that they hold; shorter ones
// that are none of the layouts are cut off.
func (f *fields) layoutSize(v *uint16, usual int, sizes ...int) int {
	switch f.Mode {
	case wire.Decoding:
		n := f.Left()
		size := usual
		if slices.Contains(sizes, n) {
			size = n
		} else if n > usual {
			for _, s := range sizes {
				if s <= n {
					size = s
				}
			}
		}
		f.keepLayout(v, usual, size)
	default:
		f.describeLayout(v)
	}
	if !slices.Contains(sizes, int(*v)) {
		return usual
	}
	return int(*v)
}

func (f *fields) keepLayout(v *uint16, usual, size int) {
	*v = uint16(size)
	if size == usual {
		*v = 0
	}
}

// describeLayout is the member layout, in JSON only, where it is not the edition's.
func (f *fields) describeLayout(v *uint16) {
	if f.Mode == wire.Filling || f.Mode == wire.Describing && *v != 0 {
		f.U16("layout", v)
	}
}

const platformIDSize = 11

// PlatformIDText is the id of a platform as it is meant: eleven digits. A few peers send them as one number in the eleven
// bytes, which reads as its digits; what is neither is hex, with 0x in front.
func PlatformIDText(t Text) string {
	s := t.Trimmed()
	switch {
	case printable(s):
		return s.String()
	case len(t) == platformIDSize && [3]byte([]byte(t[:3])) == [3]byte{}:
		if n := binary.BigEndian.Uint64([]byte(t[3:])); n <= maxPlatformID {
			return strconv.FormatUint(n, 10)
		}
	}
	return "0x" + hex.EncodeToString([]byte(t))
}

const maxPlatformID = 99999999999

// platformID is the id of a platform.
func (f *fields) platformID(name string, v *Text) {
	switch f.Mode {
	default:
		f.Text(name, platformIDSize, zeroEnd, v)
	case wire.Describing:
		f.Note(name, PlatformIDText(*v))
	case wire.Filling:
		s, ok := f.MemberText(name)
		if !ok {
			return
		}
		if digits, ok := strings.CutPrefix(s, "0x"); ok && len(digits) == 2*platformIDSize {
			if b, err := hex.DecodeString(digits); err == nil {
				*v = Text(b)
				return
			}
		}
		f.Text(name, platformIDSize, zeroEnd, v)
	}
}

func printable(t Text) bool {
	for i := range len(t) {
		if t[i] < ' ' || t[i] > '~' {
			return false
		}
	}
	return true
}
