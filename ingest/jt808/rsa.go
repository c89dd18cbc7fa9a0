package jt808

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Encrypted bodies (4.4.3, bits 10 to 12 of the properties; keys by 0x8A00 and 0x0A00). The standard says RSA with a
// modulus of 1,024 bits and leaves padding and blocks open. What is used here is the usual: PKCS #1 v1.5, each block of
// at most 117 bytes becomes one of 128. The body length of the header is that of the cipher text. Blocks follow one
// another, so that it is the same whether a long body is encrypted before it is cut into sub-packages or each of them is.

// Lengths in bytes.
const (
	RSABlock    = 128
	rsaMaxPlain = RSABlock - 11
)

// ErrDecrypt says that a body is not encrypted for the key: its length is no multiple of RSABlock, or the padding of a
// block is wrong. Which it is is not said, because the answer would help to break the cipher.
var ErrDecrypt = errors.New("jt808: body is not encrypted for this key")

// PublicKeyOf is the body of 0x8A00 or 0x0A00 for a key of 1,024 bits.
func PublicKeyOf(k *rsa.PublicKey) (m PublicKey, err error) {
	if k.N.BitLen() != 8*RSABlock {
		return m, fmt.Errorf("jt808: RSA key of %d bits; the standard has room for %d", k.N.BitLen(), 8*RSABlock)
	}
	m.E = uint32(k.E)
	k.N.FillBytes(m.N[:])
	return m, nil
}

// RSA is the key, checked as far as a public one can be.
func (m *PublicKey) RSA() (*rsa.PublicKey, error) {
	n := new(big.Int).SetBytes(m.N[:])
	switch {
	case n.BitLen() != 8*RSABlock:
		return nil, &Error{ErrValue, "n", 4, fmt.Sprintf("modulus of %d bits, want %d", n.BitLen(), 8*RSABlock)}
	case n.Bit(0) == 0:
		return nil, &Error{ErrValue, "n", 4, "even modulus"}
	case m.E < 3 || m.E&1 == 0 || m.E > 1<<31-1:
		return nil, &Error{ErrValue, "e", 0, fmt.Sprintf("exponent %d, want an odd one from 3 to 2147483647", m.E)}
	}
	return &rsa.PublicKey{N: n, E: int(m.E)}, nil
}

// EncryptBody appends the cipher text of a body to dst.
func EncryptBody(dst []byte, random io.Reader, key *rsa.PublicKey, body []byte) ([]byte, error) {
	for len(body) > 0 {
		n := min(len(body), rsaMaxPlain)
		//lint:ignore SA1019 terminals know no other padding
		block, err := rsa.EncryptPKCS1v15(random, key, body[:n])
		if err != nil {
			return dst, err
		}
		dst = append(dst, block...)
		body = body[n:]
	}
	return dst, nil
}

// DecryptBody appends the text of an encrypted body to dst. Every block is decrypted, also after one that is wrong, so
// that the time does not tell which one was. On ErrDecrypt dst is returned as it was.
func DecryptBody(dst []byte, key *rsa.PrivateKey, body []byte) ([]byte, error) {
	if len(body)%RSABlock != 0 {
		return dst, ErrDecrypt
	}
	from, failed := len(dst), false
	for ; len(body) > 0; body = body[RSABlock:] {
		//lint:ignore SA1019 terminals know no other padding
		plain, err := rsa.DecryptPKCS1v15(nil, key, body[:RSABlock])
		failed = failed || err != nil
		dst = append(dst, plain...)
	}
	if failed {
		clear(dst[from:])
		return dst[:from], ErrDecrypt
	}
	return dst, nil
}
