package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// childVariable makes the test binary play a process that is killed.
const childVariable = "LUSHAO_TEST_CHILD"

func TestMain(m *testing.M) {
	if play, ok := map[string]func([]string) error{"produce": produceChild, "compact": compactChild}[os.Getenv(childVariable)]; ok {
		fmt.Fprintln(os.Stderr, "child:", play(os.Args[1:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func testConfig(dir string) Config {
	cfg := DefaultConfig()
	cfg.DataDir, cfg.SegmentBytes = dir, 16<<10
	cfg.TrimInterval = time.Hour // the tests make the passes themselves
	return cfg
}

func openLog(t *testing.T, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// client of a log, whose connections end with the test.
func client(l *Log, t *testing.T) *kafka.Client {
	tr := &kafka.Transport{}
	if t != nil {
		t.Cleanup(tr.CloseIdleConnections)
	}
	return &kafka.Client{Addr: kafka.TCP(l.Addr()), Transport: tr, Timeout: 10 * time.Second}
}

func createTopic(c *kafka.Client, topic string, partitions int, configs ...string) error {
	spec := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	for i := 0; i < len(configs); i += 2 {
		spec.ConfigEntries = append(spec.ConfigEntries, kafka.ConfigEntry{ConfigName: configs[i], ConfigValue: configs[i+1]})
	}
	r, err := c.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{spec}})
	if err != nil {
		return err
	}
	return r.Errors[topic]
}

// produce appends one batch, acknowledged by all, and returns the offset behind it.
func produce(c *kafka.Client, topic string, partition int, records ...kafka.Record) (next int64, err error) {
	r, err := c.Produce(context.Background(), &kafka.ProduceRequest{Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...)})
	if err != nil {
		return 0, err
	}
	return r.BaseOffset + int64(len(records)), r.Error
}

func record(key, value string) kafka.Record {
	r := kafka.Record{Value: kafka.NewBytes([]byte(value))}
	if key != "" {
		r.Key = kafka.NewBytes([]byte(key))
	}
	return r
}

// fill appends batches of ten records with a kilobyte each.
func fill(t *testing.T, c *kafka.Client, topic string, partition, batches int) (next int64) {
	t.Helper()
	for range batches {
		var records []kafka.Record
		for range 10 {
			records = append(records, record("", string(make([]byte, 1024))))
		}
		var err error
		if next, err = produce(c, topic, partition, records...); err != nil {
			t.Fatal(err)
		}
	}
	return next
}

type message struct {
	offset     int64
	key, value string
}

// read returns what a partition holds from an offset to its end, in order.
func read(c *kafka.Client, topic string, partition int, from int64) (all []message, err error) {
	_, end, err := bounds(c, topic, partition)
	if err != nil {
		return nil, err
	}
	for from < end {
		f, err := c.Fetch(context.Background(), &kafka.FetchRequest{Topic: topic, Partition: partition, Offset: from, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
		if err == nil {
			err = f.Error
		}
		if err != nil {
			return nil, err
		}
		n := len(all)
		for {
			r, err := f.Records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			m := message{offset: r.Offset}
			if r.Key != nil {
				b, _ := kafka.ReadAll(r.Key)
				m.key = string(b)
			}
			if r.Value != nil {
				b, _ := kafka.ReadAll(r.Value)
				m.value = string(b)
			}
			if r.Offset >= from {
				all = append(all, m)
				from = r.Offset + 1
			}
		}
		if len(all) == n {
			return all, fmt.Errorf("no record at offset %d of %d", from, end)
		}
	}
	return all, nil
}

func bounds(c *kafka.Client, topic string, partition int) (first, next int64, err error) {
	r, err := c.ListOffsets(context.Background(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)}}})
	if err != nil {
		return 0, 0, err
	}
	p := r.Topics[topic][0]
	return p.FirstOffset, p.LastOffset, p.Error
}

func wantBounds(t *testing.T, c *kafka.Client, topic string, partition int, first, next int64) {
	t.Helper()
	f, n, err := bounds(c, topic, partition)
	if err != nil || f != first || n != next {
		t.Fatalf("%s/%d holds %d to %d, %v; want %d to %d", topic, partition, f, n, err, first, next)
	}
}

func commit(t *testing.T, c *kafka.Client, group, topic string, partition int, offset int64) {
	t.Helper()
	r, err := c.OffsetCommit(context.Background(), &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: partition, Offset: offset}}}})
	if err == nil {
		err = r.Topics[topic][0].Error
	}
	if err != nil {
		t.Fatal(err)
	}
}

func committed(t *testing.T, c *kafka.Client, group, topic string, partition int) int64 {
	t.Helper()
	r, err := c.OffsetFetch(context.Background(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {partition}}})
	if err == nil {
		err = r.Topics[topic][0].Error
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Topics[topic][0].CommittedOffset
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
