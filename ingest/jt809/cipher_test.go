package jt809

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// slowApply is the cipher as the standard prints it.
func slowApply(c Cipher, key uint32, b []byte) {
	if key == 0 {
		key = 1
	}
	if c.M1 == 0 {
		c.M1 = 1
	}
	for i := range b {
		key = c.IA1*(key%c.M1) + c.IC1
		b[i] ^= byte(key >> 20)
	}
}

// The steps of one key, computed by hand.
func TestCipherSteps(t *testing.T) {
	b := unhex(t, "00 00 30 39 48 65 6c 6c")
	workedCipher.Apply(12345, b)
	if want := unhex(t, "e2 80 51 d7 aa 43 c5 a2"); !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
	workedCipher.Apply(12345, b)
	if want := unhex(t, "00 00 30 39 48 65 6c 6c"); !bytes.Equal(b, want) {
		t.Errorf("and back: %x, want %x", b, want)
	}
	workedCipher.Apply(1, nil)
}

func TestCipherAgainstTheStandard(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	edges := []uint32{0, 1, 2, 3, 255, 256, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 - 2, 1<<32 - 1, 56107078, 37382110, 50361430}
	pick := func() uint32 {
		if rng.IntN(3) == 0 {
			return edges[rng.IntN(len(edges))]
		}
		return rng.Uint32() >> rng.IntN(32)
	}
	for range 20_000 {
		c, key := Cipher{pick(), pick(), pick()}, pick()
		got, want := make([]byte, 40), make([]byte, 40)
		c.Apply(key, got)
		slowApply(c, key, want)
		if !bytes.Equal(got, want) {
			t.Fatalf("%v, key %d: %x, want %x", c, key, got, want)
		}
	}
}

func TestParseCipher(t *testing.T) {
	for s, want := range map[string]Cipher{
		"10000000,20000000,30000000": workedCipher,
		" 0x989680, 20000000 ,0xFF":  {M1: 10000000, IA1: 20000000, IC1: 255},
		"0,0,4294967295":             {IC1: 1<<32 - 1},
		workedCipher.String():        workedCipher,
	} {
		if c, err := ParseCipher(s); err != nil || c != want {
			t.Errorf("%q: %v, %v", s, c, err)
		}
	}
	for s, want := range map[string]string{"": "three", "1,2": "three", "1,2,3,4": "three", "1,x,3": "IA1", "1,2,4294967296": "IC1",
		"-1,2,3": "M1", "0x,2,3": "M1"} {
		if _, err := ParseCipher(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", s, err, want)
		}
	}
}

func TestCRC(t *testing.T) {
	if got := crc([]byte("123456789")); got != 0x29b1 {
		t.Errorf("check value %04x, want 29b1", got)
	}
	slow := func(b []byte) uint16 {
		c := uint16(0xffff)
		for _, v := range b {
			for i := 7; i >= 0; i-- {
				bit := c>>15 ^ uint16(v>>i&1)
				c <<= 1
				if bit != 0 {
					c ^= 0x1021
				}
			}
		}
		return c
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for n := range 300 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if got, want := crc(b), slow(b); got != want {
			t.Fatalf("%d bytes: %04x, want %04x", n, got, want)
		}
	}
}
