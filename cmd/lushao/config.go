package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lushao/detect/worker"
	"lushao/enforce/api"
	"lushao/enforce/recheck"
	"lushao/enforce/sink"
	"lushao/enforce/store"
	"lushao/ingest/gateway"
	"lushao/ingest/media"
	"lushao/ingest/platform/inferior"
	"lushao/ingest/platform/superior"
	"lushao/ingest/weigh"
	"lushao/internal/bus"
	"lushao/internal/config"
	"lushao/internal/embed/chengine"
	"lushao/internal/embed/kafkalog"
	"lushao/internal/httpx"
)

// Config is everything that can be set. The file's names are the yaml tags; LUSHAO_ and the names in capitals, joined by _,
// are those of the environment.
type Config struct {
	// Data is the folder of everything that is kept on this machine.
	Data      string                 `yaml:"data"`
	Log       LogConfig              `yaml:"log"`
	HTTP      httpx.Config           `yaml:"http"`
	Bus       bus.Config             `yaml:"bus"`
	Topics    TopicsConfig           `yaml:"topics"`
	Store     store.Config           `yaml:"store"`
	Embedded  EmbeddedConfig         `yaml:"embedded"`
	Reference worker.ReferenceConfig `yaml:"reference"`
	Gateway   gateway.Config         `yaml:"gateway"`
	Media     media.Config           `yaml:"media"`
	Weighings weigh.Config           `yaml:"weighings"`
	Prompts   gateway.PromptsConfig  `yaml:"prompts"`
	Superior  superior.Config        `yaml:"superior"`
	Inferior  inferior.Config        `yaml:"inferior"`
	Detect    worker.Config          `yaml:"detect"`
	Sink      sink.Config            `yaml:"sink"`
	Recheck   recheck.Config         `yaml:"recheck"`
	API       api.Config             `yaml:"api"`
	// StopTimeout bounds the clean stop; what is not done by then is done again after the next start.
	StopTimeout time.Duration `yaml:"stop_timeout"`
}

// LogConfig says what is logged, to stderr.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// TopicsConfig says how topics are made.
type TopicsConfig struct {
	// Partitions of events, and of what follows them. A vehicle's partition depends on it: it can't be changed later.
	Partitions  int  `yaml:"partitions"`
	Replication int  `yaml:"replication"` // -1: the broker's default
	Create      bool `yaml:"create"`      // make the topics that are missing
}

// EmbeddedConfig is for the engines inside the process, which are used where no brokers or no ClickHouse are named.
type EmbeddedConfig struct {
	Log        kafkalog.Config `yaml:"log"`
	ClickHouse chengine.Config `yaml:"clickhouse"`
}

// DefaultConfig is where every default comes together.
func DefaultConfig() Config {
	log := kafkalog.DefaultConfig()
	// One machine has no replicas: what is acknowledged must outlive a power cut by itself.
	log.SyncWrites = true
	return Config{
		Data:        "data",
		Log:         LogConfig{Level: "info", Format: "text"},
		HTTP:        httpx.DefaultConfig(),
		Bus:         bus.DefaultConfig(),
		Topics:      TopicsConfig{Partitions: 4, Replication: -1, Create: true},
		Store:       store.DefaultConfig(),
		Embedded:    EmbeddedConfig{Log: log, ClickHouse: chengine.DefaultConfig()},
		Reference:   worker.DefaultReferenceConfig(),
		Gateway:     gateway.DefaultConfig(),
		Media:       media.DefaultConfig(),
		Weighings:   weigh.DefaultConfig(),
		Prompts:     gateway.DefaultPromptsConfig(),
		Superior:    superior.DefaultConfig(),
		Inferior:    inferior.DefaultConfig(),
		Detect:      worker.DefaultConfig(),
		Sink:        sink.DefaultConfig(),
		Recheck:     recheck.DefaultConfig(),
		API:         api.DefaultConfig(),
		StopTimeout: 30 * time.Second,
	}
}

// loadConfig reads the file and the environment onto the defaults. Flags come after, then settle.
func loadConfig(path string) (*Config, error) {
	c := DefaultConfig()
	// These two say where the engine's library is, to the tools that fetch it too.
	if err := config.Load(&c, path, os.Environ(), "LUSHAO_ENGINE", "LUSHAO_CACHE"); err != nil {
		return nil, err
	}
	return &c, nil
}

// settle fills in what depends on other settings: places below the data folder.
func (c *Config) settle() {
	below := func(p *string, name ...string) {
		if *p == "" {
			*p = filepath.Join(append([]string{c.Data}, name...)...)
		}
	}
	below(&c.Reference.Dir, "reference")
	below(&c.Media.Dir, "media")
	below(&c.Embedded.Log.DataDir, "log")
	below(&c.Embedded.ClickHouse.DataDir, "clickhouse")
	if c.Gateway.AuthSecret == "" {
		below(&c.Gateway.AuthSecretFile, "secrets", "terminals")
	}
	below(&c.Gateway.RSAKeyFile, "secrets", "rsa.pem")
	if len(c.Weighings.Tokens) == 0 && !c.Weighings.Anonymous {
		c.Weighings.Tokens = []weigh.Token{{Name: "default", File: c.weighTokenFile()}}
	}
}

func (c *Config) weighTokenFile() string { return filepath.Join(c.Data, "secrets", "weighings") }

func (c *Config) embeddedLog() bool   { return len(c.Bus.Brokers) == 0 }
func (c *Config) embeddedStore() bool { return len(c.Store.Addresses) == 0 }

// role is a part of the work that a process does.
type role string

const (
	roleGateway role = "gateway"
	roleDetect  role = "detect"
	roleEnforce role = "enforce"
)

// validate names every setting that can't be used for the given roles.
func (c *Config) validate(roles ...role) error {
	var errs []error
	check := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	prefixed := func(prefix string, err error) {
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				errs = append(errs, errors.New(prefix+line))
			}
		}
	}
	if c.Data == "" {
		check(errors.New("data: empty; give the folder that everything is kept in"))
	}
	_, err := c.Log.level()
	check(err)
	if c.Log.Format != "text" && c.Log.Format != "json" {
		check(fmt.Errorf("log.format: %q; one of text, json", c.Log.Format))
	}
	if c.StopTimeout <= 0 {
		check(errors.New("stop_timeout: must be greater than 0"))
	}
	if c.Topics.Partitions < 1 || c.Topics.Partitions > 10000 {
		check(fmt.Errorf("topics.partitions: %d; from 1 to 10000", c.Topics.Partitions))
	}
	if c.Topics.Replication == 0 || c.Topics.Replication < -1 {
		check(fmt.Errorf("topics.replication: %d; -1 for the broker's default, or the number of copies", c.Topics.Replication))
	}
	check(c.HTTP.Validate())
	if c.embeddedLog() {
		if len(roles) < 3 {
			check(errors.New("bus.brokers: empty; a role of its own needs the log that the others use"))
		}
		prefixed("embedded.log.", c.Embedded.Log.Validate())
	} else {
		check(c.Bus.Validate())
	}
	for _, r := range roles {
		switch r {
		case roleGateway:
			check(c.Gateway.Validate())
			check(c.Media.Validate())
			check(c.Prompts.Validate())
			check(c.Superior.Validate())
			check(c.Inferior.Validate())
			check(c.API.Validate(c.HTTP.Listen)) // its tokens are those of the commands to terminals
			check(c.Weighings.Validate())
			check(c.Reference.Validate())
		case roleDetect:
			check(c.Detect.Validate())
			check(c.Reference.Validate())
		case roleEnforce:
			check(c.Store.Validate(c.embeddedStore()))
			check(c.Sink.Validate())
			check(c.Recheck.Validate())
			check(c.API.Validate(c.HTTP.Listen))
			check(c.Reference.Validate())
			if c.embeddedStore() {
				prefixed("embedded.clickhouse.", c.Embedded.ClickHouse.Validate())
			}
		}
	}
	return errors.Join(unique(errs)...)
}

// unique leaves out an error that another role has too.
func unique(errs []error) []error {
	seen := map[string]bool{}
	var out []error
	for _, err := range errs {
		if !seen[err.Error()] {
			seen[err.Error()] = true
			out = append(out, err)
		}
	}
	return out
}

func (c *LogConfig) level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Level)); err != nil {
		return l, fmt.Errorf("log.level: %q; one of debug, info, warn, error", c.Level)
	}
	return l, nil
}

// logger makes the process's logger. Everything goes to stderr: stdout is for what a command answers.
func (c *LogConfig) logger() *slog.Logger {
	level, _ := c.level()
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts))
}
