package sink

import (
	"fmt"
	"time"
)

// Config of the way from the log into the record. Durations are Go durations.
type Config struct {
	Archive    PipelineConfig `yaml:"archive"`    // topic of events
	Violations PipelineConfig `yaml:"violations"` // topic of violations
	Visits     PipelineConfig `yaml:"visits"`     // topic of visits
	Driving    PipelineConfig `yaml:"driving"`    // topic of driving, what drivers have driven
	// DrainTimeout is how long a stop waits for what was read to be written. What is not written by then is read again
	// after the next start.
	DrainTimeout  time.Duration `yaml:"drain_timeout"`
	InsertTimeout time.Duration `yaml:"insert_timeout"` // of one try to write one block
	RetryMin      time.Duration `yaml:"retry_min"`      // wait after a try that failed, doubled up to retry_max
	RetryMax      time.Duration `yaml:"retry_max"`
	// PollInterval is how often the ends of the topics are asked for: for the lag, and for new partitions.
	PollInterval time.Duration `yaml:"poll_interval"`
}

// PipelineConfig is for one topic.
type PipelineConfig struct {
	Topic    string        `yaml:"topic"`
	Group    string        `yaml:"group"`     // offsets are committed under this name
	MaxRows  int           `yaml:"max_rows"`  // a block is written when it has so many rows,
	MaxBytes int           `yaml:"max_bytes"` // or takes so many bytes in memory,
	MaxDelay time.Duration `yaml:"max_delay"` // or its first row is so old
	Writers  int           `yaml:"writers"`   // blocks written at the same time
}

// DefaultConfig returns the settings that fit from one machine to a cluster. At most writers + 2 blocks of max_bytes are
// in memory for each topic.
func DefaultConfig() Config {
	return Config{
		Archive: PipelineConfig{Topic: "events", Group: "archive", MaxRows: 50_000, MaxBytes: 32 << 20,
			MaxDelay: time.Second, Writers: 2},
		// Violations are rare, and somebody waits for them.
		Violations: PipelineConfig{Topic: "violations", Group: "violations-sink", MaxRows: 10_000, MaxBytes: 16 << 20,
			MaxDelay: 250 * time.Millisecond, Writers: 1},
		Driving: PipelineConfig{Topic: "driving", Group: "driving-sink", MaxRows: 50_000, MaxBytes: 16 << 20,
			MaxDelay: time.Second, Writers: 1},
		Visits: PipelineConfig{Topic: "visits", Group: "visits-sink", MaxRows: 10_000, MaxBytes: 16 << 20,
			MaxDelay: time.Second, Writers: 1},
		DrainTimeout:  15 * time.Second,
		InsertTimeout: time.Minute,
		RetryMin:      100 * time.Millisecond,
		RetryMax:      10 * time.Second,
		PollInterval:  5 * time.Second,
	}
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	for name, d := range map[string]time.Duration{"drain_timeout": c.DrainTimeout, "insert_timeout": c.InsertTimeout,
		"retry_min": c.RetryMin, "poll_interval": c.PollInterval} {
		if d <= 0 {
			return fmt.Errorf("sink.%s: must be greater than 0", name)
		}
	}
	if c.RetryMax < c.RetryMin {
		return fmt.Errorf("sink.retry_max: %v; must not be less than sink.retry_min, %v", c.RetryMax, c.RetryMin)
	}
	if err := c.Archive.validate("archive"); err != nil {
		return err
	}
	if err := c.Violations.validate("violations"); err != nil {
		return err
	}
	if err := c.Driving.validate("driving"); err != nil {
		return err
	}
	return c.Visits.validate("visits")
}

func (c *PipelineConfig) validate(name string) error {
	switch {
	case c.Topic == "":
		return fmt.Errorf("sink.%s.topic: empty", name)
	case c.Group == "":
		return fmt.Errorf("sink.%s.group: empty", name)
	case c.MaxRows < 1 || c.MaxRows > 1_000_000:
		return fmt.Errorf("sink.%s.max_rows: %d; must be from 1 to 1000000", name, c.MaxRows)
	case c.MaxBytes < 1<<20 || c.MaxBytes > 1<<30:
		return fmt.Errorf("sink.%s.max_bytes: %d; must be from %d to %d", name, c.MaxBytes, 1<<20, 1<<30)
	case c.MaxDelay <= 0:
		return fmt.Errorf("sink.%s.max_delay: must be greater than 0", name)
	case c.Writers < 1 || c.Writers > 64:
		return fmt.Errorf("sink.%s.writers: %d; must be from 1 to 64", name, c.Writers)
	}
	return nil
}
