package kafkalog

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
)

var l0 = slog.New(slog.DiscardHandler)

// later lets the log believe that time has passed.
func later(l *Log, d time.Duration) { l.now = func() time.Time { return time.Now().Add(d) } }

func segmentsOf(t *testing.T, l *Log, topic string, partition int) []segment {
	t.Helper()
	s, err := listSegments(filepath.Join(l.dir, "partitions", fmt.Sprintf("%s-%d", topic, partition)))
	must(t, err)
	return s
}

// boundary is the largest beginning of a segment that is not beyond the offset.
func boundary(segments []segment, offset int64) (base int64) {
	for _, s := range segments {
		if s.base <= offset {
			base = s.base
		}
	}
	return base
}

func TestTrimByAgeNeverPassesGroups(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.RetainBytes, cfg.RetainAge = 0, time.Hour
	cfg.Registerer = prometheus.NewRegistry()
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "events", 2))
	next := fill(t, c, "events", 0, 20)
	l.Follow("events", "detect")
	l.Follow("events", "archive")
	l.Follow("events", "archive")
	segments := segmentsOf(t, l, "events", 0)
	if len(segments) < 5 {
		t.Fatalf("%d segments", len(segments))
	}

	l.trim(t.Context()) // young
	wantBounds(t, c, "events", 0, 0, next)
	later(l, 2*time.Hour)
	l.trim(t.Context()) // nobody committed
	wantBounds(t, c, "events", 0, 0, next)
	if held := testutil.ToFloat64(l.metrics.held.WithLabelValues("events")); held <= 0 {
		t.Errorf("held_bytes %v", held)
	}
	commit(t, c, "detect", "events", 0, next)
	l.trim(t.Context()) // one of two
	wantBounds(t, c, "events", 0, 0, next)
	commit(t, c, "archive", "events", 0, 95)
	l.trim(t.Context()) // up to the slowest
	first := boundary(segments, 95)
	if first == 0 {
		t.Fatal("no segment begins before the commit")
	}
	wantBounds(t, c, "events", 0, first, next)
	if got, err := read(c, "events", 0, 95); err != nil || int64(len(got)) != next-95 {
		t.Fatalf("%d records from the commit on, %v", len(got), err)
	}

	// The start survives a clean end, and so do the offsets; the groups hold on as soon as they are named.
	must(t, l.Close())
	l = openLog(t, cfg)
	later(l, 2*time.Hour)
	l.Follow("events", "detect")
	l.Follow("events", "archive")
	l.trim(t.Context())
	c = client(l, t)
	wantBounds(t, c, "events", 0, first, next)
	if got := committed(t, c, "archive", "events", 0); got != 95 {
		t.Errorf("committed offset %d", got)
	}

	// All read: the segment that is written to stays, with it the offsets.
	commit(t, c, "archive", "events", 0, next)
	commit(t, c, "detect", "events", 0, next)
	l.trim(t.Context())
	first = segments[len(segments)-1].base
	wantBounds(t, c, "events", 0, first, next)
	must(t, l.Close())
	l = openLog(t, cfg)
	c = client(l, t)
	wantBounds(t, c, "events", 0, first, next)
	if after := fill(t, c, "events", 0, 1); after != next+10 {
		t.Errorf("offsets went on at %d after %d", after, next)
	}
}

func TestTrimBySize(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.RetainBytes, cfg.RetainAge = 200<<10, 0
	cfg.Registerer = prometheus.NewRegistry()
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "events", 2))
	next := []int64{fill(t, c, "events", 0, 30), fill(t, c, "events", 1, 4)}
	l.trim(t.Context())
	kept := int64(0)
	for _, s := range segmentsOf(t, l, "events", 0) {
		kept += s.bytes
	}
	// A topic of two partitions: half of the limit for each, and not more than a segment below it.
	if half := cfg.RetainBytes / 2; kept > half || kept < half-2*cfg.SegmentBytes-16<<10 {
		t.Errorf("%d bytes are kept of a partition that may have %d", kept, half)
	}
	first, end, err := bounds(c, "events", 0)
	if err != nil || first == 0 || end != next[0] {
		t.Errorf("bounds %d %d %v", first, end, err)
	}
	wantBounds(t, c, "events", 1, 0, next[1])
	if n := testutil.ToFloat64(l.metrics.trims); n != 1 {
		t.Errorf("trims_total %v", n)
	}
	if n := testutil.ToFloat64(l.metrics.bytes.WithLabelValues("events")); n <= float64(kept) {
		t.Errorf("bytes %v", n)
	}
	if n := testutil.ToFloat64(l.metrics.start.WithLabelValues("events", "0")); n != float64(first) {
		t.Errorf("start_offset %v", n)
	}
	if n := testutil.ToFloat64(l.metrics.next.WithLabelValues("events", "1")); n != float64(next[1]) {
		t.Errorf("next_offset %v", n)
	}
	if problems, err := testutil.GatherAndLint(cfg.Registerer.(*prometheus.Registry)); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// The janitor works by itself.
func TestJanitorRuns(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.RetainBytes, cfg.TrimInterval = 1, 10*time.Millisecond
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "events", 1))
	next := fill(t, c, "events", 0, 10)
	for {
		first, end, err := bounds(c, "events", 0)
		must(t, err)
		if end != next {
			t.Fatalf("end %d", end)
		}
		if first > 0 {
			return // a janitor that does not work keeps the test until its deadline
		}
	}
}

// The broker's own retention would pass groups and drop the last record. Topics cannot turn it on.
func TestTopicRetentionIsNotTheBrokers(t *testing.T) {
	l := openLog(t, testConfig(t.TempDir()))
	c := client(l, t)
	must(t, createTopic(c, "events", 1, "retention.ms", "1", "retention.bytes", "1", "segment.bytes", "20000"))
	next := fill(t, c, "events", 0, 10)
	entry := func(name string) kafka.IncrementalAlterConfigsRequestConfig {
		return kafka.IncrementalAlterConfigsRequestConfig{Name: name, Value: "1", ConfigOperation: kafka.ConfigOperationSet}
	}
	if _, err := c.IncrementalAlterConfigs(t.Context(), &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: "events", Configs: []kafka.IncrementalAlterConfigsRequestConfig{entry("retention.ms"), entry("retention.bytes")}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AlterConfigs(t.Context(), &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: "events",
		Configs: []kafka.AlterConfigRequestConfig{{Name: "retention.ms", Value: "1"}}}}}); err != nil {
		t.Fatal(err)
	}
	l.broker.ApplyRetention()
	wantBounds(t, c, "events", 0, 0, next)
}

// writeKeys appends rounds of values for keys and returns the last of each.
func writeKeys(t *testing.T, c *kafka.Client, topic string, partition, keys, from, rounds int) map[string]string {
	t.Helper()
	last := map[string]string{}
	for r := from; r < from+rounds; r++ {
		var records []kafka.Record
		for k := range keys {
			key, value := fmt.Sprintf("key %d", k), fmt.Sprintf("round %d %0512d", r, k)
			records = append(records, record(key, value))
			last[key] = value
		}
		if _, err := produce(c, topic, partition, records...); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

func wantKeys(t *testing.T, c *kafka.Client, topic string, partition int, want map[string]string) (records int) {
	t.Helper()
	first, _, err := bounds(c, topic, partition)
	must(t, err)
	all, err := read(c, topic, partition, first)
	must(t, err)
	got := map[string]string{}
	for _, m := range all {
		got[m.key] = m.value
	}
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("%s/%d: %s is %.20q; want %.20q", topic, partition, k, got[k], v)
		}
	}
	return len(all)
}

func TestCompaction(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.RetainBytes = 1 // must not count for compacted topics
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "checkpoints", 2, "cleanup.policy", "compact", "segment.bytes", "65536"))
	must(t, createTopic(c, "events", 1))
	once, err := produce(c, "checkpoints", 0, record("once", "kept"))
	must(t, err)
	last := writeKeys(t, c, "checkpoints", 0, 20, 0, 60)
	last["once"] = "kept"
	one := writeKeys(t, c, "checkpoints", 1, 1, 0, 1) // too little to be compacted
	events := fill(t, c, "events", 0, 2)
	var next int64
	_, _, err = bounds(c, "checkpoints", 0)
	must(t, err)
	before := wantKeys(t, c, "checkpoints", 0, last)
	later(l, time.Hour)
	l.trim(t.Context()) // not worth it yet: 0.7 MB
	if got := wantKeys(t, c, "checkpoints", 0, last); got != before || once != 1 {
		t.Fatalf("%d records of %d", got, before)
	}
	for k, v := range writeKeys(t, c, "checkpoints", 0, 20, 60, 100) {
		last[k] = v
	}
	_, next, err = bounds(c, "checkpoints", 0)
	must(t, err)
	l.trim(t.Context())
	after := wantKeys(t, c, "checkpoints", 0, last)
	if after > 60 {
		t.Errorf("%d records are left of 21 keys", after)
	}
	if _, end, err := bounds(c, "checkpoints", 0); err != nil || end != next {
		t.Errorf("next offset %d after compaction, %d before, %v", end, next, err)
	}
	wantKeys(t, c, "checkpoints", 1, one)
	wantBounds(t, c, "events", 0, boundary(segmentsOf(t, l, "events", 0), events-1), events)
	for _, name := range []string{linkingName, compactingName, compactedName} {
		if _, err := os.Stat(filepath.Join(cfg.DataDir, name)); !os.IsNotExist(err) {
			t.Errorf("%s was left behind: %v", name, err)
		}
	}
	must(t, l.Close())
	l = openLog(t, cfg)
	if got := wantKeys(t, client(l, t), "checkpoints", 0, last); got != after {
		t.Errorf("%d records after reopening, %d before", got, after)
	}
}

// A compaction that died half-way: the old files are put back.
func TestCompactionInterrupted(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "checkpoints", 1, "cleanup.policy", "compact", "segment.bytes", "65536"))
	last := writeKeys(t, c, "checkpoints", 0, 20, 0, 60)
	_, next, err := bounds(c, "checkpoints", 0)
	must(t, err)
	must(t, l.Close())
	dir := filepath.Join(l.dir, "partitions", "checkpoints-0")
	must(t, linkPartition(dir, filepath.Join(cfg.DataDir, compactingName, "checkpoints-0")))
	must(t, linkPartition(dir, filepath.Join(cfg.DataDir, linkingName, "checkpoints-0"))) // rubbish of an earlier death
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files[1:] {
		must(t, os.Remove(filepath.Join(dir, f.Name())))
	}
	must(t, os.WriteFile(filepath.Join(dir, "0.dat"+"x"), nil, 0o600))
	must(t, os.Remove(filepath.Join(dir, files[0].Name())))
	must(t, os.WriteFile(filepath.Join(dir, files[0].Name()), []byte("half a segm"), 0o600))
	l = openLog(t, cfg)
	c = client(l, t)
	wantKeys(t, c, "checkpoints", 0, last)
	wantBounds(t, c, "checkpoints", 0, 0, next)
	if _, err := os.Stat(filepath.Join(cfg.DataDir, compactingName)); !os.IsNotExist(err) {
		t.Error("the links were left behind")
	}
}

// A compaction that could not write everything: the log takes nothing more, and the next start has all of it.
func TestCompactionFails(t *testing.T) {
	cfg := testConfig(t.TempDir())
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "checkpoints", 1, "cleanup.policy", "compact", "segment.bytes", "65536"))
	last := writeKeys(t, c, "checkpoints", 0, 20, 0, 60)
	l.afterCompact = func() { // the end of the last file did not fit on the disk
		segments := segmentsOf(t, l, "checkpoints", 0)
		end := segments[len(segments)-1]
		must(t, os.Truncate(end.name(filepath.Join(l.dir, "partitions", "checkpoints-0"), ".dat"), end.bytes-1))
	}
	err := l.compact(t.Context(), 0)
	if err == nil {
		t.Fatal("a compaction that could not write has no error")
	}
	if _, err := produce(c, "checkpoints", 0, record("k", "v")); err == nil {
		t.Error("the log takes records that it will lose")
	}
	must(t, l.Close())
	l = openLog(t, cfg)
	wantKeys(t, client(l, t), "checkpoints", 0, last)
}

func TestCompactWithoutTopics(t *testing.T) {
	l := openLog(t, testConfig(t.TempDir()))
	must(t, l.compact(t.Context(), 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.compact(ctx, 0); err == nil {
		t.Error("no error with a cancelled context")
	}
}
