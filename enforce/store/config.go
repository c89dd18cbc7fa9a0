package store

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
)

// Config says where ClickHouse is and how the record is kept in it.
type Config struct {
	Addresses    []string  `yaml:"addresses"`     // host:port, tried in order; empty with the embedded engine
	Protocol     string    `yaml:"protocol"`      // native (port 9000, TLS 9440) or http (port 8123, TLS 8443)
	Database     string    `yaml:"database"`      // made by Migrate where it is missing
	Username     string    `yaml:"username"`      //
	Password     string    `yaml:"password"`      //
	PasswordFile string    `yaml:"password_file"` // read once, by Open; instead of password
	TLS          TLSConfig `yaml:"tls"`
	// Cluster names a ClickHouse cluster of one shard: tables are made ON CLUSTER and Replicated. Empty: one server.
	Cluster        string            `yaml:"cluster"`
	MaxConnections int               `yaml:"max_connections"`
	DialTimeout    time.Duration     `yaml:"dial_timeout"`
	ReadTimeout    time.Duration     `yaml:"read_timeout"` // longest silence of the server in one statement
	Compression    string            `yaml:"compression"`  // none, lz4 or zstd, on the way to the server
	Settings       map[string]string `yaml:"settings"`     // ClickHouse settings of every statement, such as insert_quorum
	// PositionsKeepMonths is how long positions, links and safety events are kept after they were received.
	PositionsKeepMonths int `yaml:"positions_keep_months"`
}

// TLSConfig secures the way to an outside ClickHouse.
type TLSConfig struct {
	Enabled            bool   `yaml:"enabled"`
	CAFile             string `yaml:"ca_file"` // PEM; empty: the system's authorities
	CertFile           string `yaml:"cert_file"`
	KeyFile            string `yaml:"key_file"`
	ServerName         string `yaml:"server_name"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
}

// MinPositionsKeepMonths is the shortest time that positions must be kept, by the Measures for the Supervision of Dynamic
// Monitoring of Road Transport Vehicles (道路运输车辆动态监督管理办法), article 25: at least six months.
const MinPositionsKeepMonths = 6

// DefaultConfig returns settings for the embedded engine.
func DefaultConfig() Config {
	return Config{
		Protocol:            "http",
		Database:            "lushao",
		Username:            "default",
		MaxConnections:      8,
		DialTimeout:         5 * time.Second,
		ReadTimeout:         5 * time.Minute,
		Compression:         "lz4",
		PositionsKeepMonths: 12,
	}
}

var nameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Validate names the first setting that can't be used. With the embedded engine the addresses are not needed.
func (c *Config) Validate(embedded bool) error {
	switch {
	case !embedded && len(c.Addresses) == 0:
		return errors.New("store.addresses: empty; give at least one host:port of ClickHouse, or use the embedded engine")
	case c.Protocol != "native" && c.Protocol != "http":
		return fmt.Errorf("store.protocol: %q; one of native, http", c.Protocol)
	case embedded && c.Protocol != "http":
		return fmt.Errorf("store.protocol: %q; the embedded engine speaks http only", c.Protocol)
	case !nameRE.MatchString(c.Database):
		return fmt.Errorf("store.database: %q; letters, digits and underscores, at most 63, not beginning with a digit", c.Database)
	case c.Cluster != "" && !nameRE.MatchString(c.Cluster):
		return fmt.Errorf("store.cluster: %q; letters, digits and underscores, at most 63, not beginning with a digit", c.Cluster)
	case embedded && c.Cluster != "":
		return errors.New("store.cluster: the embedded engine is one server; leave it empty")
	case c.Password != "" && c.PasswordFile != "":
		return errors.New("store.password_file: there is a store.password too; give one of the two")
	case c.MaxConnections < 2:
		return fmt.Errorf("store.max_connections: %d; must be at least 2, one to write and one to read", c.MaxConnections)
	case c.DialTimeout <= 0:
		return errors.New("store.dial_timeout: must be greater than 0")
	case c.ReadTimeout <= 0:
		return errors.New("store.read_timeout: must be greater than 0")
	case c.PositionsKeepMonths < MinPositionsKeepMonths:
		return fmt.Errorf("store.positions_keep_months: %d; the law asks for at least %d", c.PositionsKeepMonths, MinPositionsKeepMonths)
	case (c.TLS.CertFile == "") != (c.TLS.KeyFile == ""):
		return errors.New("store.tls.cert_file and store.tls.key_file: give both or none")
	}
	for k := range c.Settings {
		if !nameRE.MatchString(k) {
			return fmt.Errorf("store.settings: %q is no name of a ClickHouse setting", k)
		}
	}
	_, err := c.compression()
	return err
}

func (c *Config) compression() (*clickhouse.Compression, error) {
	switch c.Compression {
	case "", "none":
		return nil, nil
	case "lz4":
		return &clickhouse.Compression{Method: clickhouse.CompressionLZ4}, nil
	case "zstd":
		return &clickhouse.Compression{Method: clickhouse.CompressionZSTD, Level: 1}, nil
	}
	return nil, fmt.Errorf("store.compression: %q; one of none, lz4, zstd", c.Compression)
}

// options are the driver's options; transport, where there is one, is the embedded engine.
func (c *Config) options(transport http.RoundTripper) (*clickhouse.Options, error) {
	if err := c.Validate(transport != nil); err != nil {
		return nil, err
	}
	o := &clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     c.Addresses,
		Auth:     clickhouse.Auth{Database: c.Database, Username: c.Username, Password: c.Password},
		// Offsets are committed once an insert is answered, so the answer must mean "written".
		Settings:     clickhouse.Settings{"async_insert": 0},
		DialTimeout:  c.DialTimeout,
		ReadTimeout:  c.ReadTimeout,
		MaxOpenConns: c.MaxConnections,
		MaxIdleConns: c.MaxConnections,
	}
	for k, v := range c.Settings {
		o.Settings[k] = v
	}
	if transport != nil {
		o.Addr = []string{"embedded"}
		o.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return transport, nil }
		return o, nil // never compressed: nothing leaves the process
	}
	if c.Protocol == "native" {
		o.Protocol = clickhouse.Native
	}
	o.Compression, _ = c.compression() // checked by Validate
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("store.password_file: %w", err)
		}
		o.Auth.Password = strings.TrimRight(string(b), "\r\n")
	}
	var err error
	o.TLS, err = c.TLS.config()
	return o, err
}

func (t *TLSConfig) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.CAFile != "" {
		b, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("store.tls.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("store.tls.ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("store.tls.cert_file, store.tls.key_file: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}
