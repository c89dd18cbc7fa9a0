package jt809

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Cipher holds the constants that two platforms have agreed upon for encrypting bodies (4.5.5). The zero value is a
// cipher too, though a useless one.
type Cipher struct{ M1, IA1, IC1 uint32 }

// Apply encrypts b in place, or decrypts it: the cipher is its own inverse. The key is that of the frame's header; 0 is
// taken as 1, and so is M1.
func (c Cipher) Apply(key uint32, b []byte) {
	if key == 0 {
		key = 1
	}
	if c.M1 <= 1 {
		// Everything is 0 modulo 1.
		mask := byte(c.IC1 >> 20)
		for i := range b {
			b[i] ^= mask
		}
		return
	}
	// k' = IA1*(k mod M1) + IC1 is computed as IA1*k + IC1 - IA1*M1*(k div M1), all modulo 2^32: the two multiplications
	// of k run side by side, and the division is one by the reciprocal, which is exact for 32 bits.
	reciprocal := math.MaxUint64/uint64(c.M1) + 1
	step := c.IA1 * c.M1
	k := key
	for i := range b {
		q, _ := bits.Mul64(reciprocal, uint64(k))
		k = c.IA1*k + c.IC1 - step*uint32(q)
		b[i] ^= byte(k >> 20)
	}
}

// String is the form that ParseCipher reads.
func (c Cipher) String() string { return fmt.Sprintf("%d,%d,%d", c.M1, c.IA1, c.IC1) }

// ParseCipher reads "M1,IA1,IC1": three numbers of 32 bits, decimal or with 0x in front.
func ParseCipher(s string) (Cipher, error) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return Cipher{}, fmt.Errorf("cipher: %d numbers, want three: M1,IA1,IC1", len(parts))
	}
	var v [3]uint32
	for i, p := range parts {
		p = strings.TrimSpace(p)
		digits, base := p, 10
		if h, ok := strings.CutPrefix(strings.ToLower(p), "0x"); ok {
			digits, base = h, 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil {
			name := [...]string{"M1", "IA1", "IC1"}[i]
			if errors.Is(err, strconv.ErrRange) {
				return Cipher{}, fmt.Errorf("cipher: %s: %q is more than 32 bits have", name, p)
			}
			return Cipher{}, fmt.Errorf("cipher: %s: %q is no number", name, p)
		}
		v[i] = uint32(n)
	}
	return Cipher{M1: v[0], IA1: v[1], IC1: v[2]}, nil
}
