package kafkalog

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where the log lives and how much of it is kept.
type Config struct {
	// DataDir is the folder of the log; one process at a time.
	DataDir string `yaml:"data_dir"`
	// Listen is the loopback address of the Kafka protocol; port 0 takes a free one, see Log.Addr.
	Listen string `yaml:"listen"`
	// SyncWrites makes every produced batch durable (fsync) before it is acknowledged; it costs 30 to 45 % of the rate. Without it a
	// power cut can take the last seconds; the end of the process alone takes nothing in either case.
	SyncWrites bool `yaml:"sync_writes"`
	// SegmentBytes is the size of a segment file, and with it the step in which space comes free. A start reads a segment of every
	// partition at once: the memory that it takes is about twice that.
	SegmentBytes int64 `yaml:"segment_bytes"`
	// RetainBytes is how much of a topic is kept, over all its partitions; 0 sets no limit. What a following group has not committed yet
	// is kept beyond it.
	RetainBytes int64 `yaml:"retain_bytes"`
	// RetainAge is how long records are kept; 0 sets no limit. What a following group has not committed yet is kept beyond it.
	RetainAge time.Duration `yaml:"retain_age"`
	// MaxMessageBytes is the largest batch that is taken.
	MaxMessageBytes int `yaml:"max_message_bytes"`
	// TrimInterval is the time between two passes of the janitor.
	TrimInterval time.Duration `yaml:"trim_interval"`
	// CompactInterval is the time between two cleanings of the compacted topics.
	CompactInterval time.Duration `yaml:"compact_interval"`

	Logger     *slog.Logger          `yaml:"-"` // nil: silent
	Registerer prometheus.Registerer `yaml:"-"` // nil: no metrics
}

// DefaultConfig is for one machine. DataDir is left to the caller.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:0", SegmentBytes: 8 << 20, RetainBytes: 4 << 30, RetainAge: 72 * time.Hour, MaxMessageBytes: 8 << 20,
		TrimInterval: 30 * time.Second, CompactInterval: 5 * time.Minute}
}

// Validate names every field that is out of its range.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, arguments ...any) { errs = append(errs, fmt.Errorf(format, arguments...)) }
	if c.DataDir == "" {
		bad("data_dir: empty; set the folder of the log")
	}
	// The log knows no users and no encryption, and the broker tells clients the address that it listens on.
	if host, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen: %v; write host:port, as 127.0.0.1:0", err)
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		bad("listen: %s is no loopback address; the embedded log is for one machine, use Apache Kafka across machines", c.Listen)
	}
	if c.MaxMessageBytes < 1<<10 || c.MaxMessageBytes > 1<<30 {
		bad("max_message_bytes: %d; 1 KiB to 1 GiB", c.MaxMessageBytes)
	}
	if c.SegmentBytes < 1<<10 || c.SegmentBytes > 1<<31 {
		bad("segment_bytes: %d; 1 KiB to 2 GiB", c.SegmentBytes)
	}
	if c.RetainBytes < 0 {
		bad("retain_bytes: %d; 0 (no limit) or more", c.RetainBytes)
	}
	if c.RetainAge < 0 {
		bad("retain_age: %s; 0 (no limit) or more", c.RetainAge)
	}
	if c.TrimInterval < 10*time.Millisecond {
		bad("trim_interval: %s; at least 10ms", c.TrimInterval)
	}
	if c.CompactInterval < time.Second {
		bad("compact_interval: %s; at least 1s", c.CompactInterval)
	}
	return errors.Join(errs...)
}
