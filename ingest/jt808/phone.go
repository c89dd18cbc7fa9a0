package jt808

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Phone is the number that identifies a terminal: 6 bytes of BCD in the header of 2011 and 2013, 10 in that of 2019.
// It is comparable. Terminals whose bytes are not decimal (a binary IMEI) are kept as they are.
type Phone struct {
	bcd  [10]byte // left-aligned
	size uint8    // 6 or 10
}

const (
	shortPhone = 6
	longPhone  = 10
)

// ParsePhone makes the phone of an edition from its digits; missing leading zeros are added.
func ParsePhone(s string, ed Edition) (Phone, error) {
	p := Phone{size: shortPhone}
	if ed.Has(FeatureVersionFlag) {
		p.size = longPhone
	}
	n := 2 * int(p.size)
	if s == "" || len(s) > n {
		return Phone{}, fmt.Errorf("jt808: phone %q: want 1 to %d digits", s, n)
	}
	b, err := hex.DecodeString(strings.Repeat("0", n-len(s)) + s)
	if err != nil {
		return Phone{}, fmt.Errorf("jt808: phone %q: a character that is no digit", s)
	}
	copy(p.bcd[:], b)
	return p, nil
}

func phoneOf(b []byte) (p Phone) {
	p.size = uint8(copy(p.bcd[:], b))
	return p
}

// String returns all digits, 12 or 20, leading zeros kept.
func (p Phone) String() string { return hex.EncodeToString(p.bcd[:p.size]) }

// AppendDigits appends all digits to dst.
func (p Phone) AppendDigits(dst []byte) []byte { return hex.AppendEncode(dst, p.bcd[:p.size]) }

// Trimmed returns the digits without leading zeros, the form in which phones of different editions are equal.
func (p Phone) Trimmed() string { return strings.TrimLeft(p.String(), "0") }

// Canonical returns p with 20 digits, so that a terminal is the same key under every edition.
func (p Phone) Canonical() Phone {
	if p.size == longPhone {
		return p
	}
	c := Phone{size: longPhone}
	copy(c.bcd[longPhone-int(p.size):], p.bcd[:p.size])
	return c
}

// IsZero reports whether every digit is 0.
func (p Phone) IsZero() bool { return p.bcd == [10]byte{} }

// BCD returns the bytes of the header, 6 or 10.
func (p Phone) BCD() []byte { return append([]byte(nil), p.bcd[:p.size]...) }
