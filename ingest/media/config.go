package media

import (
	"errors"
	"fmt"
)

// Config is the section media of the configuration. Sizes are bytes.
type Config struct {
	Dir           string `yaml:"dir"`             // the folder; of one process. Empty: below data
	MaxFile       int64  `yaml:"max_file"`        // of one file
	MaxVehicleDay int64  `yaml:"max_vehicle_day"` // of a vehicle's files of one day: what comes on top is refused
	MaxTotal      int64  `yaml:"max_total"`       // of all files: the oldest day goes first
	KeepDays      int    `yaml:"keep_days"`       // days that files are kept, today included
}

// DefaultConfig keeps files for ninety days, in at most 20 GiB.
func DefaultConfig() Config {
	return Config{MaxFile: 16 << 20, MaxVehicleDay: 256 << 20, MaxTotal: 20 << 30, KeepDays: 90}
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("media.dir: empty; give the folder that files are kept in")
	case c.MaxFile < blockSize:
		return fmt.Errorf("media.max_file: %d bytes; at least %d", c.MaxFile, blockSize)
	case c.MaxVehicleDay < c.MaxFile+2*blockSize:
		return fmt.Errorf("media.max_vehicle_day: %d bytes; at least media.max_file and %d, so that a file finds room", c.MaxVehicleDay, 2*blockSize)
	case c.MaxTotal < c.MaxVehicleDay:
		return fmt.Errorf("media.max_total: %d bytes; at least media.max_vehicle_day, which is %d", c.MaxTotal, c.MaxVehicleDay)
	case c.KeepDays < 1 || c.KeepDays > 3650:
		return fmt.Errorf("media.keep_days: %d; from 1 to 3650", c.KeepDays)
	}
	return nil
}
