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
	// Workers is how many cores judging again takes in a process: vehicles that are judged at the same time, and threads of each statement in
	// ClickHouse. 0: half of those that Go uses, one at least, so that the live detector always has some.
	Workers int `yaml:"workers"`
	// Share is how much of the time judging again is at work, at most: after a batch it rests, so that vehicles that are asked for again and again
	// do not take those cores for ever. 1: always; 0: who makes the Rechecker says.
	Share float64 `yaml:"share"`
	// Batch bounds the vehicles that are read and judged together.
	Batch int `yaml:"batch"`
	// Timeout bounds one batch; after it, half as many are tried.
	Timeout time.Duration `yaml:"timeout"`
	// Context is how much before the late data the vehicle's events are read, SumsContext where a driver's card was put in, because
	// sums go back seven days.
	Context     time.Duration `yaml:"context"`
	SumsContext time.Duration `yaml:"sums_context"`
	// MaxPositions bounds what is held in memory of a batch: of the vehicles, and as much again of others that help to judge them. What does not
	// fit is of the next batch; where one vehicle has more, less context is taken. Each takes about 200 bytes, and twice that while its vehicle
	// is judged.
	MaxPositions int `yaml:"max_positions"`
	// MaxOthers bounds the other vehicles that are read to judge one: those of its drivers, those that stood around it, those that a
	// station weighed.
	MaxOthers int `yaml:"max_others"`
	// TotalsInterval is how often the driving times of drivers of several vehicles are summed up.
	TotalsInterval time.Duration `yaml:"totals_interval"`
}

// DefaultConfig returns the usual settings.
func DefaultConfig() Config {
	return Config{Enabled: true, Group: "recheck", Quiet: 3 * time.Second, Longest: time.Minute, Batch: 256, Timeout: 2 * time.Minute,
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
	case c.Workers < 0 || c.Workers > 64:
		return fmt.Errorf("recheck.workers: %d; from 1 to 64, or 0 for half of the cores", c.Workers)
	case c.Share != 0 && !(c.Share >= 0.01 && c.Share <= 1):
		return fmt.Errorf("recheck.share: %v; from 0.01 to 1, or 0 for 0.5 beside a live detector and else 1", c.Share)
	case c.Batch < 1 || c.Batch > 1000: // their names and times go into each question
		return fmt.Errorf("recheck.batch: %d; from 1 to 1000", c.Batch)
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
