package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lushao/ingest/jt808"
)

// What to do with who is not known.
const (
	Accept = "accept"
	Refuse = "refuse"
)

// Config is the section gateway of the configuration. Durations are Go durations, sizes are bytes.
type Config struct {
	Listen           string `yaml:"listen"`             // host:port of JT/T 808 over TCP
	UnknownTerminals string `yaml:"unknown_terminals"`  // accept or refuse terminals whose phone is in no register
	ForeignAuthCodes string `yaml:"foreign_auth_codes"` // accept or refuse codes of another platform, of terminals in the register
	AuthSecret       string `yaml:"auth_secret"`        // of the authentication codes, at least 16 bytes; every gateway has the same
	AuthSecretFile   string `yaml:"auth_secret_file"`   // instead of auth_secret

	MaxConnections           int           `yaml:"max_connections"`
	MaxConnectionsPerAddress int           `yaml:"max_connections_per_address"`
	MaxSessions              int           `yaml:"max_sessions"`        // terminals on one connection
	MaxUnauthenticated       int           `yaml:"max_unauthenticated"` // frames of terminals that are not authenticated, until the connection is closed
	MaxGarbage               int           `yaml:"max_garbage"`         // bytes that are in no good frame, from one good frame to the next
	MaxFrame                 int           `yaml:"max_frame"`           // between two delimiters, escapes included
	MaxPartial               int           `yaml:"max_partial"`         // bytes of messages of which parts are missing, of one terminal
	MaxPartialFile           int           `yaml:"max_partial_file"`    // the same for messages that are kept as files
	MaxPartialTotal          int           `yaml:"max_partial_total"`   // and of all together; files may use half of it
	MaxFrameRate             float64       `yaml:"max_frame_rate"`      // frames a second of one connection, on average; over it is read more slowly; 0 no limit
	MaxFrameBurst            int           `yaml:"max_frame_burst"`     // frames that may come at once
	FirstFrameTimeout        time.Duration `yaml:"first_frame_timeout"` // from the connection to its first good frame
	IdleTimeout              time.Duration `yaml:"idle_timeout"`        // from one good frame to the next: longer than the terminals' heartbeat
	WriteTimeout             time.Duration `yaml:"write_timeout"`       // for the replies of one read
	ResendAfter              time.Duration `yaml:"resend_after"`        // from the last part of a message until the missing ones are asked for
	ResendTries              int           `yaml:"resend_tries"`        // times that they are asked for, until the message is given up
	PartialTimeout           time.Duration `yaml:"partial_timeout"`     // from the first part of a message until it is given up

	ListenTLS         string        `yaml:"listen_tls"` // host:port of JT/T 808 over TLS; empty: none
	TLS               TLSConfig     `yaml:"tls"`
	ListenUDP         string        `yaml:"listen_udp"`        // host:port of JT/T 808 over UDP; empty: none
	MaxDatagramRate   float64       `yaml:"max_datagram_rate"` // datagrams a second of one address, on average; others are dropped; 0 no limit
	ProxyProtocol     string        `yaml:"proxy_protocol"`    // off, optional, required
	ProxyFrom         []string      `yaml:"proxy_from"`        // addresses and networks whose PROXY headers are believed
	ShutdownSpread    time.Duration `yaml:"shutdown_spread"`   // connections are closed in groups over this time; 0 all at once
	ShutdownGroups    int           `yaml:"shutdown_groups"`
	RememberTerminals int           `yaml:"remember_terminals"` // whose last messages are remembered, to tell repeated ones, about 700 bytes each; 0 none
	RSAKeyFile        string        `yaml:"rsa_key_file"`       // the platform's key of 1,024 bits, PEM, for encrypted bodies; every gateway has the same; empty: none are taken

	CommandTimeout         time.Duration `yaml:"command_timeout"`           // from a command to the terminal's answer
	MaxCommands            int           `yaml:"max_commands"`              // that wait for their answer
	MaxCommandsPerTerminal int           `yaml:"max_commands_per_terminal"` // of one terminal
	MaxWriteQueue          int           `yaml:"max_write_queue"`           // bytes of commands that a connection has not taken yet
}

// DefaultConfig returns settings without a secret: one must be given.
func DefaultConfig() Config {
	return Config{
		Listen:                   ":7611",
		UnknownTerminals:         Accept,
		ForeignAuthCodes:         Refuse,
		MaxConnections:           100_000,
		MaxConnectionsPerAddress: 20_000, // mobile networks hide many terminals behind one address
		MaxSessions:              1000,
		MaxUnauthenticated:       10,
		MaxGarbage:               64 << 10,
		MaxFrame:                 jt808.MaxFrameSize,
		MaxPartial:               256 << 10,
		MaxPartialFile:           16 << 20,
		MaxPartialTotal:          256 << 20,
		MaxFrameRate:             1000,
		MaxFrameBurst:            5000,
		FirstFrameTimeout:        10 * time.Second,
		IdleTimeout:              5 * time.Minute,
		WriteTimeout:             10 * time.Second,
		ResendAfter:              5 * time.Second,
		ResendTries:              3,
		PartialTimeout:           5 * time.Minute,
		MaxDatagramRate:          2000,
		ProxyProtocol:            ProxyOff,
		ShutdownGroups:           10,
		RememberTerminals:        100_000,
		CommandTimeout:           30 * time.Second,
		MaxCommands:              20_000,
		MaxCommandsPerTerminal:   16,
		MaxWriteQueue:            128 << 10,
	}
}

// minSecret is the shortest secret in bytes that a person may set.
const minSecret = 16

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	for name, v := range map[string]string{"unknown_terminals": c.UnknownTerminals, "foreign_auth_codes": c.ForeignAuthCodes} {
		if v != Accept && v != Refuse {
			return fmt.Errorf("gateway.%s: %q; one of accept, refuse", name, v)
		}
	}
	for name, v := range map[string]int64{"max_connections": int64(c.MaxConnections), "max_connections_per_address": int64(c.MaxConnectionsPerAddress),
		"max_sessions": int64(c.MaxSessions), "max_unauthenticated": int64(c.MaxUnauthenticated), "max_garbage": int64(c.MaxGarbage),
		"max_partial": int64(c.MaxPartial), "max_partial_total": int64(c.MaxPartialTotal), "max_partial_file": int64(c.MaxPartialFile),
		"first_frame_timeout": int64(c.FirstFrameTimeout), "idle_timeout": int64(c.IdleTimeout), "write_timeout": int64(c.WriteTimeout),
		"command_timeout": int64(c.CommandTimeout), "max_commands": int64(c.MaxCommands), "max_commands_per_terminal": int64(c.MaxCommandsPerTerminal),
		"max_write_queue": int64(c.MaxWriteQueue)} {
		if v <= 0 {
			return fmt.Errorf("gateway.%s: must be greater than 0", name)
		}
	}
	if err := c.validateTransport(); err != nil {
		return err
	}
	switch {
	case c.Listen == "":
		return errors.New("gateway.listen: empty; give host:port")
	case (c.AuthSecret == "") == (c.AuthSecretFile == ""):
		return errors.New("gateway.auth_secret_file: give it, or gateway.auth_secret, one of them")
	case c.AuthSecret != "" && len(c.AuthSecret) < minSecret:
		return fmt.Errorf("gateway.auth_secret: %d bytes; at least %d", len(c.AuthSecret), minSecret)
	case c.MaxFrame < 64 || c.MaxFrame > maxBuffer/2:
		return fmt.Errorf("gateway.max_frame: %d bytes; from 64 to %d", c.MaxFrame, maxBuffer/2)
	case c.MaxFrameRate < 0:
		return errors.New("gateway.max_frame_rate: must not be negative")
	case c.MaxFrameRate > 0 && c.MaxFrameBurst <= 0:
		return errors.New("gateway.max_frame_burst: must be greater than 0 where max_frame_rate is set")
	}
	return nil
}

// secret reads the secret of the authentication codes.
func (c *Config) secret() ([]byte, error) {
	if c.AuthSecretFile == "" {
		return []byte(c.AuthSecret), nil
	}
	b, err := os.ReadFile(c.AuthSecretFile)
	if err != nil {
		return nil, fmt.Errorf("gateway.auth_secret_file: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if len(s) < minSecret {
		return nil, fmt.Errorf("gateway.auth_secret_file: %s has %d bytes; at least %d", c.AuthSecretFile, len(s), minSecret)
	}
	return []byte(s), nil
}

// EnsureSecret writes a random secret to a file that is not there yet, readable by its owner only.
func EnsureSecret(path string) error {
	return ensureFile(path, func() ([]byte, error) {
		var b [32]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("random bytes for %s: %w", path, err)
		}
		return []byte(hex.EncodeToString(b[:]) + "\n"), nil
	})
}

// ensureFile writes what content returns to a file that is not there yet, readable by its owner only.
func ensureFile(path string, content func() ([]byte, error)) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	b, err := content()
	if err != nil {
		return err
	}
	// Written beside and renamed, so that a crash leaves no empty secret behind.
	f, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
