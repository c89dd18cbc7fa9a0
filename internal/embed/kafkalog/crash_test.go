package kafkalog

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// killed runs a child of the test binary and kills it, at a moment that nobody chose, after it has printed so many lines. It returns all
// lines that were printed.
func killed(t *testing.T, part, dir string, after int) (lines []string) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(t.Context(), self, dir)
	c.Env = append(os.Environ(), childVariable+"="+part)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	s := bufio.NewScanner(out)
	for s.Scan() {
		if lines = append(lines, s.Text()); len(lines) == after {
			time.AfterFunc(time.Duration(time.Now().UnixNano()%20)*time.Millisecond, func() { _ = c.Process.Kill() })
		}
	}
	if err := c.Wait(); err == nil || len(lines) < after {
		t.Fatalf("the child ended by itself after %d lines: %v", len(lines), err)
	}
	return lines
}

const crashBatch = 50

// TestCrash kills a process that produces, commits and trims. Every acknowledged record is there, in its place, whole; commits are kept;
// the janitor passed no group.
func TestCrash(t *testing.T) {
	for _, sync := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			dir := t.TempDir()
			part := "produce"
			if sync {
				t.Setenv("LUSHAO_TEST_SYNC", "1")
			}
			trimmed := false
			for round := range 5 {
				var next [2]int64
				var offset int64
				for _, line := range killed(t, part, dir, 60+40*round) {
					f := strings.Fields(line)
					if len(f) != 3 {
						continue // cut by the kill
					}
					p, _ := strconv.Atoi(f[1])
					n, err := strconv.ParseInt(f[2], 10, 64)
					must(t, err)
					if f[0] == "produced" {
						next[p] = n
					} else {
						offset = n
					}
				}
				l := openLog(t, crashConfig(dir))
				c := client(l, t)
				for p := range next {
					first, end, err := bounds(c, "events", p)
					must(t, err)
					if end < next[p] {
						t.Fatalf("round %d, partition %d: acknowledged up to %d, there is %d", round, p, next[p], end)
					}
					all, err := read(c, "events", p, first)
					must(t, err)
					if int64(len(all)) != end-first {
						t.Fatalf("round %d, partition %d: %d records from %d to %d", round, p, len(all), first, end)
					}
					for _, m := range all {
						if want := crashValue(p, m.offset); m.value != want {
							t.Fatalf("round %d, partition %d, offset %d: %.30q", round, p, m.offset, m.value)
						}
					}
					trimmed = trimmed || first > 0
					got := committed(t, c, "g", "events", p)
					if p == 0 && got < offset {
						t.Fatalf("round %d: committed %d, there is %d", round, offset, got)
					}
					if first > max(0, got) {
						t.Fatalf("round %d, partition %d: begins at %d, the group is at %d", round, p, first, got)
					}
				}
				must(t, l.Close())
			}
			if !trimmed {
				t.Error("the janitor trimmed nothing: the test shows less than it should")
			}
		})
	}
}

func crashConfig(dir string) Config {
	cfg := testConfig(dir)
	cfg.RetainBytes, cfg.SegmentBytes = 100<<10, 64<<10
	cfg.SyncWrites = os.Getenv("LUSHAO_TEST_SYNC") != ""
	return cfg
}

// crashValue says of a record which it is.
func crashValue(partition int, offset int64) string {
	return fmt.Sprintf("%d/%d %0200d", partition, offset, offset)
}

func produceChild(arguments []string) error {
	cfg := crashConfig(arguments[0])
	cfg.TrimInterval = 10 * time.Millisecond
	l, err := Open(cfg)
	if err != nil {
		return err
	}
	l.Follow("events", "g")
	c := client(l, nil)
	if err := createTopic(c, "events", 2); err != nil && !strings.Contains(err.Error(), "exist") {
		return err
	}
	errs := make(chan error)
	for p := range 2 {
		go func() {
			_, next, err := bounds(c, "events", p)
			for err == nil {
				var records []kafka.Record
				for i := range int64(crashBatch) {
					records = append(records, record("", crashValue(p, next+i)))
				}
				if next, err = produce(c, "events", p, records...); err == nil {
					fmt.Println("produced", p, next)
				}
				if p == 0 && err == nil { // the group reads one of the two, and not its end
					offset := max(0, next-3*crashBatch)
					_, err = c.OffsetCommit(context.Background(), &kafka.OffsetCommitRequest{GroupID: "g", GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{"events": {{Partition: 0, Offset: offset}}}})
					if err == nil {
						fmt.Println("committed", 0, offset)
					}
				}
			}
			errs <- err
		}()
	}
	return <-errs
}

const compactKeys = 40

// TestCrashCompacting kills a process that writes keys and compacts all the time. No key may fall back behind what was acknowledged.
func TestCrashCompacting(t *testing.T) {
	dir := t.TempDir()
	acknowledged, restored := -1, 0
	for round := range 8 {
		for _, line := range killed(t, "compact", dir, 15+5*round) {
			if n, err := strconv.Atoi(strings.TrimPrefix(line, "round ")); err == nil && strings.HasPrefix(line, "round ") {
				acknowledged = max(acknowledged, n)
			}
		}
		if _, err := os.Stat(dir + "/" + compactingName); err == nil {
			restored++
		}
		l := openLog(t, testConfig(dir))
		c := client(l, t)
		first, next, err := bounds(c, "checkpoints", 0)
		must(t, err)
		all, err := read(c, "checkpoints", 0, first)
		must(t, err)
		rounds := map[string]int{}
		for _, m := range all {
			var n int
			if _, err := fmt.Sscanf(m.value, "round %d ", &n); err != nil {
				t.Fatalf("offset %d has %.20q", m.offset, m.value)
			}
			rounds[m.key] = n
		}
		if len(rounds) != compactKeys || next < int64((acknowledged+1)*compactKeys) {
			t.Fatalf("round %d: %d keys of %d, next offset %d after %d acknowledged rounds", round, len(rounds), compactKeys, next, acknowledged+1)
		}
		for key, n := range rounds {
			if n < acknowledged {
				t.Fatalf("round %d: %s is of round %d, %d was acknowledged", round, key, n, acknowledged)
			}
		}
		must(t, l.Close())
	}
	t.Logf("%d rounds of keys, %d of 8 kills fell into a compaction", acknowledged+1, restored)
}

func compactChild(arguments []string) error {
	l, err := Open(testConfig(arguments[0]))
	if err != nil {
		return err
	}
	c := client(l, nil)
	if err := createTopic(c, "checkpoints", 1, "cleanup.policy", "compact", "segment.bytes", "65536"); err != nil && !strings.Contains(err.Error(), "exist") {
		return err
	}
	_, next, err := bounds(c, "checkpoints", 0)
	if err != nil {
		return err
	}
	errs := make(chan error)
	go func() {
		for {
			if err := l.compact(context.Background(), 0); err != nil {
				errs <- err
			}
		}
	}()
	go func() {
		for n := (next + compactKeys - 1) / compactKeys; ; n++ {
			var records []kafka.Record
			for k := range compactKeys {
				records = append(records, record(fmt.Sprint("key ", k), fmt.Sprintf("round %d %0512d", n, k)))
			}
			if _, err := produce(c, "checkpoints", 0, records...); err != nil {
				errs <- err
			}
			fmt.Println("round", n)
		}
	}()
	return <-errs
}
