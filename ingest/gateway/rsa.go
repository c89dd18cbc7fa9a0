package gateway

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"lushao/ingest/jt808"
)

// rsaCost is what a block to decrypt costs of a connection's frame rate: a private key's work is that of many frames.
const rsaCost = 10

// EnsureRSAKey writes a new platform key, PKCS #8 in PEM, to a file that is not there yet, readable by its owner only.
func EnsureRSAKey(path string) error {
	return ensureFile(path, func() ([]byte, error) {
		key, err := rsa.GenerateKey(rand.Reader, 8*jt808.RSABlock)
		if err != nil {
			return nil, err
		}
		b, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}), nil
	})
}

// rsaKey reads the platform's key, nil where none is set.
func (c *Config) rsaKey() (*rsa.PrivateKey, error) {
	if c.RSAKeyFile == "" {
		return nil, nil
	}
	b, err := os.ReadFile(c.RSAKeyFile)
	if err != nil {
		return nil, fmt.Errorf("gateway.rsa_key_file: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("gateway.rsa_key_file: %s is no PEM", c.RSAKeyFile)
	}
	var key *rsa.PrivateKey
	if any, e := x509.ParsePKCS8PrivateKey(block.Bytes); e == nil {
		key, _ = any.(*rsa.PrivateKey)
	} else {
		key, _ = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if key == nil {
		return nil, fmt.Errorf("gateway.rsa_key_file: %s holds no RSA private key in PKCS #8 or PKCS #1", c.RSAKeyFile)
	}
	if _, err := jt808.PublicKeyOf(&key.PublicKey); err != nil {
		return nil, fmt.Errorf("gateway.rsa_key_file: %s: %w", c.RSAKeyFile, err)
	}
	return key, nil
}

// decrypts reports whether bodies with the encryption can be read.
func (g *Gateway) decrypts(encryption uint8) bool {
	return encryption == jt808.EncryptionRSA && g.rsa != nil
}

// takeKey stores the terminal's key and answers with the platform's (0x0A00, 0x8A00).
func takeKey(w *work, p *peer, h *jt808.Header, body []byte) answer {
	g := w.c.g
	if g.rsa == nil {
		return answer{result: jt808.ResultNotSupported, refused: refusedEncrypted}
	}
	var m jt808.PublicKey
	if err := jt808.Decode(body, h.Edition, &m); err != nil {
		return malformed
	}
	if _, err := m.RSA(); err != nil {
		return malformed
	}
	if p.session.memory != nil {
		p.session.memory.setKey(&m)
	}
	own, err := jt808.PublicKeyOf(&g.rsa.PublicKey)
	if err != nil { // Start has made sure that it fits
		return answer{result: jt808.ResultFailed, refused: refusedEncrypted}
	}
	w.replies = append(w.replies, reply{head: h.Answer(jt808.IDPlatformKey, w.nextSerial(p)), body: jt808.AppendBody(nil, h.Edition, &own)})
	return answer{custom: true}
}

func (m *memory) setKey(k *jt808.PublicKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.key = k
}
