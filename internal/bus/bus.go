// Package bus is the log between the parts: Kafka through kafka-go. It knows topics, partitions, offsets and bytes, and
// nothing of what the bytes mean.
//
// Writing is at least once: a batch whose answer was lost is sent again, so that readers must take duplicates. Reading is
// by partition from an explicit offset; who reads decides when an offset is done.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafka "github.com/segmentio/kafka-go"
)

// Config says where the log is. Durations are Go durations.
type Config struct {
	Brokers     []string       `yaml:"brokers"`      // host:port
	ClientID    string         `yaml:"client_id"`    // shown in the broker's logs
	TopicPrefix string         `yaml:"topic_prefix"` // put before every topic, to share a cluster
	Timeout     time.Duration  `yaml:"timeout"`      // of one request
	Producer    ProducerConfig `yaml:"producer"`
}

// ProducerConfig bounds what a Producer holds back.
type ProducerConfig struct {
	Linger      time.Duration `yaml:"linger"`      // longest wait for more payloads of the same partition
	MaxPending  int           `yaml:"max_pending"` // bytes not yet acknowledged by the log; over it Append blocks
	MaxBatch    int           `yaml:"max_batch"`   // bytes in one request to one partition
	Compression string        `yaml:"compression"` // none, lz4, zstd, snappy, gzip
}

// DefaultConfig returns settings for a log on the same machine.
func DefaultConfig() Config {
	return Config{
		ClientID: "lushao",
		Timeout:  10 * time.Second,
		Producer: ProducerConfig{Linger: 5 * time.Millisecond, MaxPending: 64 << 20, MaxBatch: 1 << 20, Compression: "lz4"},
	}
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("bus.brokers: empty; give at least one host:port")
	case c.Timeout <= 0:
		return errors.New("bus.timeout: must be greater than 0")
	case c.Producer.MaxPending < MaxPayload:
		return fmt.Errorf("bus.producer.max_pending: %d bytes; must be at least %d", c.Producer.MaxPending, MaxPayload)
	case c.Producer.MaxBatch < MaxPayload || c.Producer.MaxBatch > 16<<20:
		return fmt.Errorf("bus.producer.max_batch: %d bytes; must be from %d to %d", c.Producer.MaxBatch, MaxPayload, 16<<20)
	case c.Producer.Linger < 0:
		return errors.New("bus.producer.linger: must not be negative")
	}
	_, err := parseCompression(c.Producer.Compression)
	return err
}

func parseCompression(s string) (kafka.Compression, error) {
	switch s {
	case "", "none":
		return 0, nil
	case "gzip":
		return kafka.Gzip, nil
	case "snappy":
		return kafka.Snappy, nil
	case "lz4":
		return kafka.Lz4, nil
	case "zstd":
		return kafka.Zstd, nil
	}
	return 0, fmt.Errorf("bus.producer.compression: %q; one of none, lz4, zstd, snappy, gzip", s)
}

// Client reaches the log.
type Client struct {
	cfg       Config
	kafka     *kafka.Client
	transport *kafka.Transport
	log       *slog.Logger
	metrics   *metrics
}

// Open makes a client. It connects when it is used.
func Open(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	// Metadata are asked again as soon as an answer shows them stale; the TTL only bounds how long a topic that was
	// created elsewhere stays unknown.
	tr := &kafka.Transport{ClientID: cfg.ClientID, MetadataTTL: time.Second, IdleTimeout: time.Minute}
	return &Client{
		cfg:       cfg,
		kafka:     &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Timeout: cfg.Timeout, Transport: tr},
		transport: tr,
		log:       log,
		metrics:   newMetrics(reg),
	}, nil
}

// Close drops idle connections. Producers and consumers are ended by themselves before.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Topic is how a topic is to be.
type Topic struct {
	Name        string
	Partitions  int
	Replication int               // -1: the broker's default
	Config      map[string]string // such as cleanup.policy
}

// EnsureTopics creates the topics that are missing and checks the number of partitions of those that are there: the
// partition of a vehicle depends on it, so a topic with another number is an error.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error {
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		tc := kafka.TopicConfig{Topic: c.name(t.Name), NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		for k, v := range t.Config {
			tc.ConfigEntries = append(tc.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
		}
		req.Topics = append(req.Topics, tc)
	}
	err := c.retry(ctx, "create topics", func() error {
		res, err := c.kafka.CreateTopics(ctx, req)
		if err != nil {
			return err
		}
		for _, t := range topics {
			if e := res.Errors[c.name(t.Name)]; e != nil && !errors.Is(e, kafka.TopicAlreadyExists) {
				return fmt.Errorf("topic %s: %w", t.Name, e)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range topics {
		n, err := c.Partitions(ctx, t.Name)
		if err != nil {
			return err
		}
		if n != t.Partitions {
			return fmt.Errorf("topic %s has %d partitions, the configuration says %d: set the number that is there, or begin with a new topic_prefix", t.Name, n, t.Partitions)
		}
	}
	return nil
}

// Partitions returns the number of partitions of a topic; it waits until the topic is known.
func (c *Client) Partitions(ctx context.Context, topic string) (n int, err error) {
	err = c.retry(ctx, "metadata of "+topic, func() error {
		m, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.name(topic)}})
		if err != nil {
			return err
		}
		if len(m.Topics) != 1 {
			return fmt.Errorf("topic %s: no metadata", topic)
		}
		if m.Topics[0].Error != nil {
			return fmt.Errorf("topic %s: %w", topic, m.Topics[0].Error)
		}
		if n = len(m.Topics[0].Partitions); n == 0 {
			return fmt.Errorf("topic %s: %w", topic, kafka.UnknownTopicOrPartition)
		}
		return nil
	})
	return n, err
}

// Bounds returns the first offset that is there and the next that will be written, by partition.
func (c *Client) Bounds(ctx context.Context, topic string) (first, next map[int]int64, err error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	var ask []kafka.OffsetRequest
	for p := range n {
		ask = append(ask, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	err = c.retry(ctx, "offsets of "+topic, func() error {
		res, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{c.name(topic): ask}})
		if err != nil {
			return err
		}
		first, next = map[int]int64{}, map[int]int64{}
		for _, p := range res.Topics[c.name(topic)] {
			if errors.Is(p.Error, kafka.Unknown) {
				// Each offset is a request of its own to kafka-go, which says so of one that did not get through. It is no refusal.
				return fmt.Errorf("topic %s partition %d: the request did not get through", topic, p.Partition)
			}
			if p.Error != nil {
				return fmt.Errorf("topic %s partition %d: %w", topic, p.Partition, p.Error)
			}
			first[p.Partition], next[p.Partition] = p.FirstOffset, p.LastOffset
		}
		if len(first) != n {
			return fmt.Errorf("topic %s: offsets of %d of %d partitions", topic, len(first), n)
		}
		return nil
	})
	return first, next, err
}

// CommittedOffsets returns the next offset that a group has to read, by partition; -1 where it has none yet.
func (c *Client) CommittedOffsets(ctx context.Context, group, topic string) (map[int]int64, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	parts := make([]int, n)
	for i := range parts {
		parts[i] = i
	}
	out := map[int]int64{}
	err = c.retry(ctx, "committed offsets of "+group, func() error {
		res, err := c.kafka.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{c.name(topic): parts}})
		if err != nil {
			return err
		}
		for _, p := range parts {
			out[p] = -1
		}
		if errors.Is(res.Error, kafka.GroupIdNotFound) { // some brokers say so of a group that has committed nothing yet
			return nil
		}
		if res.Error != nil {
			return res.Error
		}
		for _, p := range res.Topics[c.name(topic)] {
			if p.Error != nil {
				return fmt.Errorf("topic %s partition %d: %w", topic, p.Partition, p.Error)
			}
			out[p.Partition] = p.CommittedOffset
		}
		return nil
	})
	return out, err
}

// CommitOffsets stores the next offsets that a group has to read, outside of the group protocol: for partitions that
// were assigned by configuration.
func (c *Client) CommitOffsets(ctx context.Context, group, topic string, next map[int]int64) error {
	if len(next) == 0 {
		return nil
	}
	var commits []kafka.OffsetCommit
	for p, o := range next {
		commits = append(commits, kafka.OffsetCommit{Partition: p, Offset: o})
	}
	return c.retry(ctx, "commit of "+group, func() error {
		res, err := c.kafka.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{c.name(topic): commits}})
		if err != nil {
			return err
		}
		for _, p := range res.Topics[c.name(topic)] {
			if p.Error != nil {
				return fmt.Errorf("topic %s partition %d: %w", topic, p.Partition, p.Error)
			}
		}
		return nil
	})
}

func (c *Client) name(topic string) string { return c.cfg.TopicPrefix + topic }

// temporary reports whether it makes sense to try again: everything but what the broker refuses for good.
func temporary(err error) bool {
	var ke kafka.Error
	if errors.As(err, &ke) {
		return ke.Temporary() || ke.Timeout()
	}
	return !errors.Is(err, context.Canceled)
}

const (
	backoffMin = 20 * time.Millisecond
	backoffMax = 2 * time.Second
)

// retry calls f until it succeeds, is refused for good, or ctx ends.
func (c *Client) retry(ctx context.Context, what string, f func() error) error {
	for wait := backoffMin; ; wait = min(2*wait, backoffMax) {
		err := f()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("log: %s: %w (last: %v)", what, ctx.Err(), err)
		}
		if !temporary(err) {
			return fmt.Errorf("log: %s: %w", what, err)
		}
		c.metrics.retries.Inc()
		c.log.Warn("the log does not answer as it should, trying again", "what", what, "err", err, "wait", wait)
		if !pause(ctx, wait) {
			return fmt.Errorf("log: %s: %w (last: %v)", what, ctx.Err(), err)
		}
	}
}

// pause waits d and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
