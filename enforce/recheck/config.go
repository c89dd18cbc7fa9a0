package recheck

import (
	"errors"
	"fmt"
	"time"
)

// Config of judging again.
type Config struct {
	Enabled bool   `yaml:"enabled"`
	Group   string `yaml:"group"`
	// Shared lets several processes share the partitions by Kafka's group protocol. Without, all are this process's.
	Shared bool `yaml:"shared"`
	// Quiet is how long nothing more must have been asked about a vehicle before it is judged: what a terminal had stored comes in many
	// reports. It does not wait longer than Longest.
	Quiet   time.Duration `yaml:"quiet"`
	Longest time.Duration `yaml:"longest"`
	// Workers judge vehicles at the same time, in each partition.
	Workers int `yaml:"workers"`
	// Timeout bounds one vehicle; after it, it is tried again.
	Timeout time.Duration `yaml:"timeout"`
	// Context is how much before the late data the vehicle's events are read, SumsContext where a driver's card was put in, because
	// sums go back seven days.
	Context     time.Duration `yaml:"context"`
	SumsContext time.Duration `yaml:"sums_context"`
	// MaxPositions bounds what is read for a vehicle; where there are more, less context is taken. Each takes half a kilobyte while it is
	// judged.
	MaxPositions int `yaml:"max_positions"`
	// MaxOthers bounds the other vehicles that are read to judge one: those of its drivers, those that stood around it, those that a
	// station weighed.
	MaxOthers int `yaml:"max_others"`
	// TotalsInterval is how often the driving times of drivers of several vehicles are summed up.
	TotalsInterval time.Duration `yaml:"totals_interval"`
}

// DefaultConfig returns the usual settings.
func DefaultConfig() Config {
	return Config{Enabled: true, Group: "recheck", Quiet: 3 * time.Second, Longest: time.Minute, Workers: 2, Timeout: 2 * time.Minute,
		Context: 48 * time.Hour, SumsContext: 9 * 24 * time.Hour, MaxPositions: 300_000, MaxOthers: 50,
		TotalsInterval: time.Minute}
}

// settled is how long before the late data violations are still corrected: what began earlier is not touched by them, and may look
// different because the context begins in the middle of it.
const settled = 24 * time.Hour

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	switch {
	case c.Group == "":
		return errors.New("recheck.group: empty")
	case c.Quiet < 0 || c.Longest < c.Quiet:
		return fmt.Errorf("recheck.longest: %v; at least recheck.quiet (%v)", c.Longest, c.Quiet)
	case c.Workers < 1 || c.Workers > 64:
		return fmt.Errorf("recheck.workers: %d; from 1 to 64", c.Workers)
	case c.Timeout < time.Second:
		return fmt.Errorf("recheck.timeout: %v; at least 1s", c.Timeout)
	case c.Context < settled+time.Hour:
		return fmt.Errorf("recheck.context: %v; at least %v", c.Context, settled+time.Hour)
	case c.SumsContext < c.Context:
		return fmt.Errorf("recheck.sums_context: %v; at least recheck.context (%v)", c.SumsContext, c.Context)
	case c.MaxPositions < 10_000:
		return fmt.Errorf("recheck.max_positions: %d; at least 10000", c.MaxPositions)
	case c.TotalsInterval < time.Second:
		return fmt.Errorf("recheck.totals_interval: %v; at least 1s", c.TotalsInterval)
	case c.MaxOthers < 0:
		return fmt.Errorf("recheck.max_others: %d; at least 0", c.MaxOthers)
	}
	return nil
}
