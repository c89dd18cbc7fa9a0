// Package kafkalog is the event log inside the process: a broker of the Kafka protocol on a loopback address, with its segments on disk,
// for installations of one machine. Clients are those of Apache Kafka, which takes its place unchanged on more than one machine.
//
// The broker is franz-go's kfake. Its package comment calls it a fake for tests; with a data folder it keeps segment files, topics and
// committed offsets through clean ends and kill -9. This package adds what it lacks for that use: a lock on the folder, retention that
// waits for the groups that follow a topic, compaction that can be killed, recovery that does not load the whole log into memory, and a
// guard against frames of absurd sizes. It has one replica and no authentication, and handles requests one at a time.
package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"lushao/internal/embed/datadir"
)

// Log is an open log. All methods may be called at the same time.
type Log struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	lock    *datadir.Lock
	dir     string // of the broker, below DataDir
	broker  *kfake.Cluster
	addr    string
	now     func() time.Time

	stop   context.CancelFunc
	done   chan struct{} // the janitor has ended
	closed sync.Once

	mu        sync.Mutex
	followers map[string][]string // topic to groups

	// The janitor's.
	compactedAt    time.Time
	compactedBytes int64           // of the compacted topics after the last compaction
	compactions    chan compaction // from the request that compacts
	afterCompact   func()          // for tests: damages what the broker wrote
}

// offsetMinutes is how long committed offsets are kept after the last commit of a group without members: about a century. The broker's
// default of a week would let a log forget where its readers were while the machine was switched off.
const offsetMinutes = 50_000_000

// Open locks the data folder, reads the log, and listens. The first pass of the janitor comes after Config.TrimInterval: call Follow for
// every group before.
func Open(cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("embedded log: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{cfg: cfg, log: cfg.Logger.With("component", "kafkalog"), dir: filepath.Join(cfg.DataDir, "kafka"), now: time.Now,
		done: make(chan struct{}), followers: map[string][]string{}, compactions: make(chan compaction, 1)}
	if err := l.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded log: %w", err), l.lock.Release())
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go l.janitor(ctx)
	return l, nil
}

func (l *Log) open() (err error) {
	start := time.Now()
	if l.lock, err = datadir.Acquire(l.cfg.DataDir); err != nil {
		return err
	}
	// The broker would bring back the members of groups from before a clean end. They lived in this process or lost their connection:
	// new members would wait for them until their session times out.
	if err := os.Remove(filepath.Join(l.dir, "session_state.json")); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := errors.Join(l.restore(), l.recover()); err != nil {
		return err
	}
	options := []kfake.Opt{
		kfake.NumBrokers(1), kfake.ClusterID("lushao"), kfake.DataDir(l.dir), kfake.WithLogger(brokerLog{l.log}),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			ln, err := net.Listen(network, l.cfg.Listen)
			if err != nil {
				return nil, fmt.Errorf("listen %s: %w", l.cfg.Listen, err)
			}
			return &guardedListener{Listener: ln, limit: uint32(l.cfg.MaxMessageBytes) + frameOverhead, log: l.log}, nil
		}),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes":         strconv.Itoa(l.cfg.MaxMessageBytes),
			"log.segment.bytes":         strconv.FormatInt(l.cfg.SegmentBytes, 10),
			"log.retention.ms":          "-1", // retention is the janitor's
			"log.retention.bytes":       "-1",
			"log.cleaner.backoff.ms":    strconv.Itoa(offsetMinutes * 60_000), // never: see compact.go
			"offsets.retention.minutes": strconv.Itoa(offsetMinutes),
		}),
	}
	if l.cfg.SyncWrites {
		options = append(options, kfake.SyncWrites())
	}
	if l.broker, err = kfake.NewCluster(options...); err != nil {
		return err
	}
	l.keepRetention()
	l.keepCompaction()
	l.addr = l.broker.ListenAddrs()[0]
	if l.metrics, err = newMetrics(l.cfg.Registerer); err != nil {
		l.broker.Close()
		return err
	}
	debug.FreeOSMemory() // the segments that were read: often more than the log will need again
	l.log.Info("embedded log is open", "address", l.addr, "data", l.dir, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// Addr is the bootstrap address, host:port. It is another one after every start where Config.Listen leaves the port open.
func (l *Log) Addr() string { return l.addr }

// Follow makes the log keep every record of the topic until the group has committed past it. A group that never committed holds
// everything. Topics and groups need not exist yet.
func (l *Log) Follow(topic, group string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.followers[topic], group) {
		l.followers[topic] = append(l.followers[topic], group)
	}
}

// Close stops the janitor and the broker, flushes the log to disk, and unlocks the folder. Clients lose their connections. A second
// call returns nil.
func (l *Log) Close() (err error) {
	l.closed.Do(func() {
		l.stop()
		<-l.done
		start := time.Now()
		l.broker.Close()
		l.metrics.unregister()
		err = l.lock.Release()
		l.log.Info("embedded log is closed", "took", time.Since(start).Round(time.Millisecond))
	})
	return err
}

// brokerLog hands the broker's messages on. What it calls info is one line a request.
type brokerLog struct{ log *slog.Logger }

func (b brokerLog) Logf(level kfake.LogLevel, format string, arguments ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	case kfake.LogLevelDebug, kfake.LogLevelNone:
		return
	}
	if ctx := context.Background(); b.log.Enabled(ctx, to) {
		b.log.Log(ctx, to, fmt.Sprintf(format, arguments...))
	}
}
