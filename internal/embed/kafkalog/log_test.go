package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"lushao/internal/embed/datadir"
)

func TestFeatures(t *testing.T) {
	l := openLog(t, testConfig(t.TempDir()))
	c := client(l, t)
	must(t, createTopic(c, "events", 4, "retention.ms", "1000"))
	if err := createTopic(c, "events", 4); !errors.Is(err, kafka.TopicAlreadyExists) {
		t.Errorf("topic twice: %v", err)
	}
	m, err := c.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{"events"}})
	if err != nil || len(m.Topics[0].Partitions) != 4 || len(m.Brokers) != 1 || net.JoinHostPort(m.Brokers[0].Host, fmt.Sprint(m.Brokers[0].Port)) != l.Addr() {
		t.Fatalf("metadata %+v, %v", m, err)
	}
	total := 0
	for _, compression := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		w := &kafka.Writer{Addr: kafka.TCP(l.Addr()), Topic: "events", Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchSize: 100, BatchTimeout: time.Millisecond,
			Compression: compression, Transport: c.Transport}
		var messages []kafka.Message
		for i := range 200 {
			messages = append(messages, kafka.Message{Key: fmt.Appendf(nil, "k%d", i%50), Value: fmt.Appendf(nil, "%s %d", compression, i), Headers: []kafka.Header{{Key: "h", Value: []byte("v")}}})
		}
		if err := w.WriteMessages(t.Context(), messages...); err != nil {
			t.Errorf("%s: %v", compression, err)
		}
		must(t, w.Close())
		total += len(messages)
	}
	count := 0
	for p := range 4 {
		got, err := read(c, "events", p, 0)
		must(t, err)
		count += len(got)
	}
	if count != total {
		t.Errorf("%d of %d records came back", count, total)
	}

	// Two members of a group share the partitions and commit.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{l.Addr()}, GroupID: "g", Topic: "events", MaxWait: 50 * time.Millisecond, StartOffset: kafka.FirstOffset})
			defer r.Close()
			for {
				m, err := r.FetchMessage(ctx)
				if err == nil {
					err = r.CommitMessages(ctx, m)
				}
				mu.Lock()
				if err != nil {
					if len(seen) < total {
						t.Error(err)
					}
					mu.Unlock()
					return
				}
				seen[fmt.Sprint(m.Partition, "/", m.Offset)] = true
				if len(seen) == total {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()

	// Large batches up to the limit, and beyond.
	must(t, createTopic(c, "large", 1))
	if _, err := produce(c, "large", 0, record("", string(make([]byte, 8<<20-1000)))); err != nil {
		t.Errorf("a batch of nearly 8 MiB: %v", err)
	}
	if _, err := produce(c, "large", 0, record("", string(make([]byte, 8<<20)))); !errors.Is(err, kafka.MessageSizeTooLarge) {
		t.Errorf("a batch of more than 8 MiB: %v", err)
	}

	// No topic is made by asking for it.
	if _, err := produce(c, "nope", 0, record("", "x")); err == nil {
		t.Error("a topic that nobody made takes records")
	}
	if _, err := c.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{"nope"}}); err != nil {
		t.Error(err)
	}
	if l.broker.TopicInfo("nope") != nil {
		t.Error("a metadata request made a topic")
	}
}

func TestReopen(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Registerer = prometheus.NewRegistry()
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "events", 2))
	next := fill(t, c, "events", 1, 5)
	commit(t, c, "g", "events", 1, 33)
	if _, err := Open(cfg); !errors.Is(err, datadir.ErrInUse) {
		t.Errorf("a log that is open: %v", err)
	}
	must(t, l.Close())
	must(t, l.Close())
	l = openLog(t, cfg)
	c = client(l, t)
	wantBounds(t, c, "events", 1, 0, next)
	if got := committed(t, c, "g", "events", 1); got != 33 {
		t.Errorf("committed offset %d", got)
	}
	got, err := read(c, "events", 1, 0)
	if err != nil || int64(len(got)) != next {
		t.Errorf("%d of %d records, %v", len(got), next, err)
	}
	if after := fill(t, c, "events", 1, 1); after != next+10 {
		t.Errorf("appended up to %d after %d", after, next)
	}
}

// Members of a group from before a clean end do not keep new ones waiting: the session of the old member is a minute.
func TestReopenGroup(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := openLog(t, cfg)
	must(t, createTopic(client(l, t), "events", 1))
	join := func(l *Log) *kafka.ConsumerGroup {
		g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: "g", Brokers: []string{l.Addr()}, Topics: []string{"events"}, SessionTimeout: time.Minute, RebalanceTimeout: time.Minute})
		must(t, err)
		return g
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	g := join(l)
	if _, err := g.Next(ctx); err != nil {
		t.Fatal(err)
	}
	must(t, l.Close()) // with the member in it
	_ = g.Close()
	l = openLog(t, cfg)
	g = join(l)
	defer g.Close()
	if _, err := g.Next(ctx); err != nil {
		t.Fatalf("a new member waits for one that is gone: %v", err)
	}
}

func TestValidate(t *testing.T) {
	good := DefaultConfig()
	good.DataDir = "x"
	must(t, good.Validate())
	bad := Config{Listen: "0.0.0.0:9092", RetainBytes: -1, RetainAge: -1}
	err := bad.Validate()
	for _, field := range []string{"data_dir", "listen", "segment_bytes", "retain_bytes", "retain_age", "max_message_bytes", "trim_interval", "compact_interval"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	for listen, ok := range map[string]bool{"127.0.0.1:0": true, "localhost:9092": true, "[::1]:0": true, ":9092": false, "10.0.0.1:9092": false, "127.0.0.1": false, "example.org:1": false} {
		good.Listen = listen
		if err := good.Validate(); (err == nil) != ok {
			t.Errorf("listen %q: %v", listen, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	cfg := testConfig(t.TempDir())
	cfg.Listen = busy.Addr().String()
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), cfg.Listen) {
		t.Errorf("an address in use: %v", err)
	}
	cfg.Listen = "127.0.0.1:0"
	l := openLog(t, cfg) // the folder is free again after the error
	must(t, l.Close())
	must(t, os.WriteFile(filepath.Join(cfg.DataDir, "kafka", "meta.json"), []byte("{"), 0o600))
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "meta.json") {
		t.Errorf("a damaged folder: %v", err)
	}
}

// What is no Kafka client is shown the door before the broker makes room for it.
func TestStrangers(t *testing.T) {
	l := openLog(t, testConfig(t.TempDir()))
	if resp, err := http.Get("http://" + l.Addr() + "/"); err == nil {
		resp.Body.Close()
		t.Error("an HTTP request has an answer")
	}
	for _, hostile := range []string{"\xff\xff\xff\xff", "\x00\x00\x00\x00", "\x00\x00\x00\x04\x00\x00\x00\x00", "\x7f\xff\xff\xff" + strings.Repeat("x", 1000), "\x00\x00\x00\x0a\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"} {
		c, err := net.Dial("tcp", l.Addr())
		must(t, err)
		_, _ = io.WriteString(c, hostile)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c) // until the broker closes
		c.Close()
	}
	c := client(l, t)
	must(t, createTopic(c, "events", 1))
	fill(t, c, "events", 0, 1)
}

// The guard follows frames through reads of any size.
func TestGuardChopped(t *testing.T) {
	stream := "\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x05hello\x00\x00\x00\x0bx"
	for size := 1; size <= len(stream); size++ {
		left, right := net.Pipe()
		go func() {
			_, _ = io.WriteString(left, stream)
			left.Close()
		}()
		g := &guardedConn{Conn: right, limit: 10, log: l0}
		var got []byte
		b := make([]byte, size)
		for {
			n, err := g.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				if errors.Is(err, io.EOF) {
					t.Errorf("reads of %d: the frame over the limit passed", size)
				}
				break
			}
		}
		if !strings.HasPrefix(stream, string(got)) || len(got) > len(stream)-1 {
			t.Errorf("reads of %d: %q came through", size, got)
		}
		left.Close()
	}
}
