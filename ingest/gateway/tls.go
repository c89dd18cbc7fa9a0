package gateway

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// TLSConfig is the section gateway.tls: PEM files, read again when they change.
type TLSConfig struct {
	CertFile string `yaml:"cert_file"` // the certificate and those between it and the root
	KeyFile  string `yaml:"key_file"`
}

// certificates serves the certificate of two files. A change that can't be read is told once, and what was there before
// stays in use.
type certificates struct {
	cfg    TLSConfig
	logger *slog.Logger

	mu      sync.Mutex
	looked  time.Time
	stamp   [2]fileStamp
	current *tls.Certificate
}

type fileStamp struct {
	changed time.Time
	size    int64
}

// certificatePoll is how often the files are looked at, at most.
const certificatePoll = time.Second

func newCertificates(cfg TLSConfig, logger *slog.Logger) (*certificates, error) {
	c := &certificates{cfg: cfg, logger: logger}
	c.stamp = c.stamps()
	pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("gateway.tls: %w", err)
	}
	c.current, c.looked = &pair, time.Now()
	return c, nil
}

func (c *certificates) stamps() (s [2]fileStamp) {
	for i, f := range []string{c.cfg.CertFile, c.cfg.KeyFile} {
		if info, err := os.Stat(f); err == nil {
			s[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

// get returns the certificate for a connection that begins at the time now.
func (c *certificates) get(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < certificatePoll {
		return c.current
	}
	c.looked = now
	s := c.stamps()
	if s == c.stamp {
		return c.current
	}
	pair, err := tls.LoadX509KeyPair(c.cfg.CertFile, c.cfg.KeyFile)
	if err != nil {
		// Maybe one of the two was written so far: the next look tells. stamp stays, so that it is read again.
		c.logger.Warn("the changed certificate can't be used yet; the one before stays", "cert_file", c.cfg.CertFile, "err", err)
		return c.current
	}
	c.current, c.stamp = &pair, s
	c.logger.Info("the certificate was read again", "cert_file", c.cfg.CertFile)
	return c.current
}

// config is what connections are served with.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.get(time.Now()), nil
	}}
}

// hangUp closes a connection at once: TLS would say goodbye first to who may not listen.
func hangUp(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	nc.Close()
}
