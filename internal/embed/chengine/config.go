package chengine

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where the engine keeps its data and how much of the machine it may take.
type Config struct {
	// DataDir is the folder of the data; one process at a time. Below it: clickhouse/ (the data), engine.xml (written at every
	// start), engine.log (errors of the engine's background work).
	DataDir string `yaml:"data_dir"`
	// Library is the path of libchdb.so; empty is DefaultLibrary().
	Library string `yaml:"library"`
	// MaxConcurrent is how many statements run at once; more wait for their turn. A result that is being read counts.
	MaxConcurrent int `yaml:"max_concurrent"`
	// MaxMemoryBytes is what the engine may take for all statements and merges together; beyond it statements fail with code 241.
	// 0 is half of the machine or of its cgroup.
	MaxMemoryBytes int64 `yaml:"max_memory_bytes"`
	// Threads is how many threads a statement uses at most; 0 is the number of cores.
	Threads int `yaml:"threads"`
	// BackgroundThreads is how many threads merge data in the background.
	BackgroundThreads int `yaml:"background_threads"`
	// SyncWrites makes an insert durable (fsync) before it is acknowledged. Without it, a power cut can take the last seconds;
	// the end of the process alone takes nothing in either case.
	SyncWrites bool `yaml:"sync_writes"`

	Logger     *slog.Logger          `yaml:"-"` // nil: silent
	Registerer prometheus.Registerer `yaml:"-"` // nil: no metrics
}

// DefaultConfig is for a small machine that the engine shares with the rest of lushao. DataDir is left to the caller.
func DefaultConfig() Config {
	return Config{MaxConcurrent: 16, BackgroundThreads: 2, SyncWrites: true}
}

// Validate names every field that is out of its range.
func (c Config) Validate() error {
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("data_dir: empty; set the folder of the data"))
	}
	if c.MaxConcurrent < 1 || c.MaxConcurrent > 1000 {
		errs = append(errs, fmt.Errorf("max_concurrent: %d; 1 to 1000 statements at once", c.MaxConcurrent))
	}
	// Below this the engine cannot merge: its caches and the merge buffers alone take more.
	if c.MaxMemoryBytes != 0 && c.MaxMemoryBytes < 256<<20 {
		errs = append(errs, fmt.Errorf("max_memory_bytes: %d; at least %d (256 MiB), or 0 for half of the machine", c.MaxMemoryBytes, 256<<20))
	}
	if c.Threads < 0 || c.Threads > 1024 {
		errs = append(errs, fmt.Errorf("threads: %d; 0 (all cores) to 1024", c.Threads))
	}
	if c.BackgroundThreads < 1 || c.BackgroundThreads > 256 {
		errs = append(errs, fmt.Errorf("background_threads: %d; 1 to 256", c.BackgroundThreads))
	}
	return errors.Join(errs...)
}

// engineLogLimit: the engine's log only grows; at a start it is set aside once it has this many bytes.
const engineLogLimit = 8 << 20

// engineFile writes the engine's own configuration and returns the arguments of the engine. A file of our own is always given:
// otherwise the engine reads a config.xml in the working directory or in the home folder.
func (c Config) engineFile() ([]string, error) {
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	logFile := filepath.Join(dir, "engine.log")
	if info, err := os.Stat(logFile); err == nil && info.Size() > engineLogLimit {
		if err := os.Rename(logFile, logFile+".1"); err != nil {
			return nil, fmt.Errorf("data_dir: %w", err)
		}
	}
	var b bytes.Buffer
	element := func(name string, value any) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, fmt.Append(nil, value)) // a bytes.Buffer gives no error
		b.WriteString("</" + name + ">\n")
	}
	b.WriteString("<!-- written by lushao at every start; changes are lost -->\n<clickhouse>\n")
	element("log-level", "error")
	b.WriteString("<logger>")
	element("log", logFile)
	b.WriteString("</logger>\n")
	if c.MaxMemoryBytes > 0 {
		element("max_server_memory_usage", c.MaxMemoryBytes)
	} else {
		element("max_server_memory_usage_to_ram_ratio", "0.5")
	}
	// Hold the limit against what the engine itself has allocated. By default its memory worker takes the figure of the cgroup, which
	// holds the rest of this process, and of every other.
	element("memory_worker_use_cgroup", 0)
	element("mark_cache_size", 128<<20)
	element("background_pool_size", c.BackgroundThreads)
	element("background_merges_mutations_concurrency_ratio", 2)
	element("background_schedule_pool_size", 8)
	element("background_common_pool_size", 2)
	for _, pool := range []string{"background_fetches_pool_size", "background_move_pool_size", // replication, storage tiers,
		"background_message_broker_schedule_pool_size", "background_distributed_schedule_pool_size"} { // Kafka tables, Distributed: unused
		element(pool, 1)
	}
	if c.SyncWrites {
		b.WriteString("<merge_tree>\n")
		element("fsync_after_insert", 1)
		element("fsync_part_directory", 1)
		b.WriteString("</merge_tree>\n")
	}
	b.WriteString("</clickhouse>\n")
	file := filepath.Join(dir, "engine.xml")
	if err := os.WriteFile(file+".new", b.Bytes(), 0o640); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	return []string{"--path=" + filepath.Join(dir, "clickhouse"), "--config-file=" + file}, nil
}

// baseSettings are set in every session below those of the request, so that a session behaves as one of a ClickHouse server.
func (c Config) baseSettings() map[string]string {
	threads := c.Threads
	if threads == 0 {
		threads = runtime.NumCPU()
	}
	return map[string]string{
		"async_insert":    "0", // an insert is acknowledged when it is stored, not when it is queued
		"implicit_select": "0", // the library's default takes `1 + 1` for a statement
		"max_threads":     strconv.Itoa(threads),
	}
}
