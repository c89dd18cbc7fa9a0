package gateway

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lushao/ingest/jt808"
)

// writeCertificate writes a certificate with its own signature and its key.
func writeCertificate(t *testing.T, cfg TLSConfig, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"gateway"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cfg.CertFile: {Type: "CERTIFICATE", Bytes: der}, cfg.KeyFile: {Type: "PRIVATE KEY", Bytes: k}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig()
	cfg.ListenTLS = "127.0.0.1:0"
	cfg.TLS = TLSConfig{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	writeCertificate(t, cfg.TLS, 1)
	cfg.ProxyProtocol, cfg.ProxyFrom = ProxyOptional, []string{"127.0.0.1"}
	cfg.ResendAfter = 20 * time.Millisecond
	log := newFakeLog()
	g, _ := startGateway(t, cfg, log, nil)
	plain := dial(t, g.Addr().String(), "2", jt808.Edition2013)
	plain.login(v2)
	for _, header := range []string{"", "PROXY TCP4 10.1.2.3 10.9.9.9 8080 7611\r\n"} {
		raw := dial(t, g.AddrTLS().String(), "1", jt808.Edition2019)
		raw.send([]byte(header))
		nc := tls.Client(raw.nc, &tls.Config{InsecureSkipVerify: true})
		c := onConn(t, nc, "1", jt808.Edition2019)
		c.login(v1)
		if n := nc.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); n != 1 {
			t.Errorf("certificate %d", n)
		}
		c.ping(1)
		// A read that ended for missing parts does the connection no harm.
		_, parts := c.batchParts(60)
		c.send(parts[1])
		if h, _ := c.message(); h.ID != jt808.IDPlatformResend {
			t.Errorf("%v", h.ID)
		}
		c.send(c.frame(jt808.IDDeregister, nil))
		for {
			if h, body := c.message(); h.ID == jt808.IDPlatformAck && body[3] == byte(jt808.IDDeregister) {
				break
			}
		}
	}
	// Who does not speak TLS is not served.
	c := dial(t, g.AddrTLS().String(), "3", jt808.Edition2013)
	c.send(c.frame(jt808.IDHeartbeat, nil))
	rest, _ := readAll(c.nc)
	if bytes.Contains(rest, []byte{0x7e}) {
		t.Errorf("served: %x", rest)
	}
	plain.ping(2)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := TLSConfig{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	if _, err := newCertificates(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "gateway.tls: ") {
		t.Errorf("no files: %v", err)
	}
	writeCertificate(t, cfg, 1)
	c, err := newCertificates(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serial := func(now time.Time) int64 {
		x, err := x509.ParseCertificate(c.get(now).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return x.SerialNumber.Int64()
	}
	now := c.looked
	key, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, cfg, 2)
	newKey, _ := os.ReadFile(cfg.KeyFile)
	os.WriteFile(cfg.KeyFile, append(key, "\n\n"...), 0o600) // the old key beside the new certificate
	os.Chtimes(cfg.CertFile, now.Add(time.Second), now.Add(time.Second))
	if n := serial(now.Add(2 * time.Second)); n != 1 {
		t.Errorf("certificate %d, want the one before", n)
	}
	os.WriteFile(cfg.KeyFile, newKey, 0o600)
	if n := serial(now.Add(2500 * time.Millisecond)); n != 1 {
		t.Errorf("certificate %d: looked again too soon", n)
	}
	if n := serial(now.Add(4 * time.Second)); n != 2 {
		t.Errorf("certificate %d, want the new one", n)
	}
	os.Remove(cfg.KeyFile)
	if n := serial(now.Add(6 * time.Second)); n != 2 {
		t.Errorf("certificate %d, want the last good one", n)
	}
}
