package jt808

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"testing"
)

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEncryptedBody(t *testing.T) {
	key, other := rsaKey(t, 1024), rsaKey(t, 1024)
	m, err := PublicKeyOf(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var back PublicKey
	if err := Decode(AppendBody(nil, Edition2013, &m), Edition2013, &back); err != nil {
		t.Fatal(err)
	}
	public, err := back.RSA()
	if err != nil || !public.Equal(&key.PublicKey) {
		t.Fatalf("%v: the key is another after its way through 0x8A00", err)
	}
	for _, n := range []int{0, 1, 28, 116, 117, 118, 234, 500, 5000} {
		plain := make([]byte, n)
		rand.Read(plain)
		c, err := EncryptBody([]byte("head"), rand.Reader, public, plain)
		if err != nil || len(c) != 4+(n+116)/117*128 {
			t.Fatalf("%d bytes become %d, %v", n, len(c), err)
		}
		c = c[4:]
		got, err := DecryptBody([]byte("head"), key, c)
		if err != nil || !bytes.Equal(got, append([]byte("head"), plain...)) {
			t.Errorf("%d bytes: %x %v", n, got, err)
		}
		if n == 0 {
			continue
		}
		for what, bad := range map[string][]byte{"cut": c[:len(c)-1], "longer": append(bytes.Clone(c), 0), "changed": flip(c, 5),
			"zeros": make([]byte, len(c)), "ones": bytes.Repeat([]byte{0xff}, len(c))} {
			if got, err := DecryptBody([]byte("head"), key, bad); err != ErrDecrypt || string(got) != "head" {
				t.Errorf("%d bytes, %s: %x %v", n, what, got, err)
			}
		}
		if _, err := DecryptBody(nil, other, c); err != ErrDecrypt {
			t.Errorf("%d bytes with another key: %v", n, err)
		}
	}
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x10
	return b
}

func TestPublicKeyIsChecked(t *testing.T) {
	if _, err := PublicKeyOf(&rsaKey(t, 2048).PublicKey); err == nil {
		t.Error("a key of 2,048 bits is taken")
	}
	good, err := PublicKeyOf(&rsaKey(t, 1024).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*PublicKey){
		"exponent 0": func(m *PublicKey) { m.E = 0 }, "exponent 1": func(m *PublicKey) { m.E = 1 }, "even exponent": func(m *PublicKey) { m.E = 65536 },
		"exponent too large": func(m *PublicKey) { m.E = 0xFFFFFFFF }, "short modulus": func(m *PublicKey) { m.N[0] &= 0x7f },
		"even modulus": func(m *PublicKey) { m.N[127] &= 0xfe }, "no modulus": func(m *PublicKey) { m.N = [128]byte{} },
	} {
		m := good
		change(&m)
		if _, err := m.RSA(); KindOf(err) != ErrValue {
			t.Errorf("%s: %v", name, err)
		}
	}
}
