package api

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Config of the interface for reading the record.
type Config struct {
	// Tokens are bearer tokens, any of which allows reading. With none, and no file, everybody may read.
	Tokens     []string `yaml:"tokens"`
	TokensFile string   `yaml:"tokens_file"` // one token a line; blank lines and lines with # are passed over
	// AllowAnonymous says that reading without a token is meant, also where others than this machine can reach it.
	AllowAnonymous bool          `yaml:"allow_anonymous"`
	Timeout        time.Duration `yaml:"timeout"`        // of one request; the statements end with it
	MaxConcurrent  int           `yaml:"max_concurrent"` // requests answered at once; more are told to come again
	// ChangeTimeout bounds a change of the reference data, whose body may be large.
	ChangeTimeout time.Duration     `yaml:"change_timeout"`
	MaxBody       int64             `yaml:"max_body"` // bytes of such a body, compressed and not
	Trial         TrialConfig       `yaml:"trial"`
	Explanation   ExplanationConfig `yaml:"explanation"`
}

// TrialConfig bounds what is asked for by a trial of new fences over old tracks.
type TrialConfig struct {
	MaxHours     int           `yaml:"max_hours"`     // from its start to its end
	MaxVehicles  int           `yaml:"max_vehicles"`  // that are looked at
	MaxPositions int           `yaml:"max_positions"` // of all of them; a million take some 1.5 s
	Timeout      time.Duration `yaml:"timeout"`
}

// ExplanationConfig bounds what is judged again in order to explain a violation.
type ExplanationConfig struct {
	MaxPositions int           `yaml:"max_positions"` // about 300 bytes of memory each; a week at one in 30 s is 20,000
	Timeout      time.Duration `yaml:"timeout"`
}

// DefaultConfig returns settings for readers on the same machine.
func DefaultConfig() Config {
	return Config{Timeout: 15 * time.Second, MaxConcurrent: 16, ChangeTimeout: 2 * time.Minute, MaxBody: 64 << 20,
		Trial:       TrialConfig{MaxHours: 72, MaxVehicles: 500, MaxPositions: 1_000_000, Timeout: 2 * time.Minute},
		Explanation: ExplanationConfig{MaxPositions: 300_000, Timeout: time.Minute}}
}

// minToken is the shortest token in bytes: what is shorter can be tried out.
const minToken = 16

// Validate names the first setting that can't be used. listen is the address that the interface is served on: without
// tokens it must be of this machine alone, unless allow_anonymous says otherwise.
func (c *Config) Validate(listen string) error {
	switch {
	case c.Timeout <= 0:
		return errors.New("api.timeout: must be greater than 0")
	case c.MaxConcurrent < 1:
		return fmt.Errorf("api.max_concurrent: %d; must be at least 1", c.MaxConcurrent)
	case c.ChangeTimeout <= 0:
		return errors.New("api.change_timeout: must be greater than 0")
	case c.MaxBody < 1<<20 || c.MaxBody > 1<<30:
		return fmt.Errorf("api.max_body: %d; from 1 MiB to 1 GiB", c.MaxBody)
	case c.Trial.MaxHours < 1 || c.Trial.MaxHours > 24*31:
		return fmt.Errorf("api.trial.max_hours: %d; from 1 to 744", c.Trial.MaxHours)
	case c.Trial.MaxVehicles < 1:
		return fmt.Errorf("api.trial.max_vehicles: %d; must be at least 1", c.Trial.MaxVehicles)
	case c.Trial.MaxPositions < 1:
		return fmt.Errorf("api.trial.max_positions: %d; must be at least 1", c.Trial.MaxPositions)
	case c.Trial.Timeout <= 0:
		return errors.New("api.trial.timeout: must be greater than 0")
	case c.Explanation.MaxPositions < 1:
		return fmt.Errorf("api.explanation.max_positions: %d; must be at least 1", c.Explanation.MaxPositions)
	case c.Explanation.Timeout <= 0:
		return errors.New("api.explanation.timeout: must be greater than 0")
	}
	tokens, err := c.tokens()
	if err != nil {
		return err
	}
	if len(tokens) == 0 && !c.AllowAnonymous && !loopback(listen) {
		return fmt.Errorf("api.tokens: empty, and %s can be reached from other machines; set tokens, listen on 127.0.0.1, or set api.allow_anonymous", listen)
	}
	return nil
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		host = listen
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// tokens returns the hashes of the tokens: they are compared by these, so that the time taken says nothing of a token.
func (c *Config) tokens() ([][sha256.Size]byte, error) {
	list := c.Tokens
	if c.TokensFile != "" {
		b, err := os.ReadFile(c.TokensFile)
		if err != nil {
			return nil, fmt.Errorf("api.tokens_file: %w", err)
		}
		before := len(list)
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				list = append(list[:len(list):len(list)], line)
			}
		}
		if len(list) == before {
			return nil, fmt.Errorf("api.tokens_file: %s holds no token", c.TokensFile)
		}
	}
	var out [][sha256.Size]byte
	for i, t := range list {
		if len(t) < minToken {
			return nil, fmt.Errorf("api.tokens: number %d has %d bytes; at least %d", i+1, len(t), minToken)
		}
		out = append(out, sha256.Sum256([]byte(t)))
	}
	return out, nil
}
