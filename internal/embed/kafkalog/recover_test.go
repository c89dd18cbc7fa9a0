package kafkalog

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func readSnapshot(t *testing.T, dir string) (s snapshot) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "snapshot.json"))
	must(t, err)
	must(t, json.Unmarshal(raw, &s))
	return s
}

// closedLog is a log of one partition of several segments after a clean end, with the folder of the partition.
func closedLog(t *testing.T) (cfg Config, dir string, next int64) {
	t.Helper()
	cfg = testConfig(t.TempDir())
	l := openLog(t, cfg)
	c := client(l, t)
	must(t, createTopic(c, "events", 1))
	next = fill(t, c, "events", 0, 5)
	must(t, l.Close())
	return cfg, filepath.Join(l.dir, "partitions", "events-0"), next
}

// What is worked out from the files is what the broker itself writes at a clean end. A change of its format shows here.
func TestRecoverEqualsCleanEnd(t *testing.T) {
	_, dir, _ := closedLog(t)
	clean := readSnapshot(t, dir)
	if clean.Version != snapshotVersion || len(clean.Segments) < 3 {
		t.Fatalf("%+v", clean)
	}
	must(t, recoverPartition(dir)) // it fits: nothing to do
	must(t, os.Remove(filepath.Join(dir, "snapshot.json")))
	must(t, recoverPartition(dir))
	got := readSnapshot(t, dir)
	got.CreatedAt = clean.CreatedAt // the broker has the moment of creation, the files that of the first record
	if !reflect.DeepEqual(got, clean) {
		t.Errorf("from the files %+v\nby the broker %+v", got, clean)
	}
}

// Whatever a kill has left of the last segment, the whole batches are there afterwards, and the log goes on behind them.
func TestRecoverTorn(t *testing.T) {
	source, dir, next := closedLog(t)
	segments, err := listSegments(dir)
	must(t, err)
	last := segments[len(segments)-1]
	whole, err := os.ReadFile(last.name(dir, ".dat"))
	must(t, err)
	index, err := os.ReadFile(last.name(dir, ".idx"))
	must(t, err)
	batches := int64(len(index) / 15) // the size of an entry
	if batches == 0 || (next-last.base)%batches != 0 {
		t.Fatalf("%d batches in %d records", batches, next-last.base)
	}
	one := (next - last.base) / batches
	batchBytes := len(whole) / int(batches)
	damage := map[string][]byte{"empty": {}, "zeros": append(append([]byte(nil), whole...), make([]byte, 4096)...),
		"garbage": append(append([]byte(nil), whole...), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)}
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)-1] ^= 1
	damage["flipped"] = flipped
	want := map[string]int64{"empty": last.base, "zeros": next, "garbage": next, "flipped": next - one}
	for _, cut := range []int{1, 11, 12, 20, 21, 60, 61, 62, batchBytes - 1, batchBytes, batchBytes + 1, len(whole) - 1} {
		name := "cut " + string(rune('a'+len(damage)))
		damage[name] = whole[:cut]
		want[name] = last.base + int64(cut/batchBytes)*one
	}
	for name, content := range damage {
		t.Run(name, func(t *testing.T) {
			cfg := source
			cfg.DataDir = t.TempDir()
			must(t, os.CopyFS(cfg.DataDir, os.DirFS(source.DataDir)))
			dir := filepath.Join(cfg.DataDir, "kafka", "partitions", "events-0")
			must(t, os.Remove(filepath.Join(dir, "snapshot.json")))
			must(t, os.WriteFile(last.name(dir, ".dat"), content, 0o600))
			must(t, os.WriteFile(last.name(dir, ".idx"), append(append([]byte(nil), index...), make([]byte, 40)...), 0o600))
			must(t, recoverPartition(dir))
			if now, err := listSegments(dir); err != nil || !readSnapshot(t, dir).matches(now) {
				t.Fatalf("the snapshot does not fit %+v, %v: the broker would read all records", now, err)
			}
			for range 2 { // and once more after an append and a clean end
				l := openLog(t, cfg)
				c := client(l, t)
				wantBounds(t, c, "events", 0, 0, want[name])
				all, err := read(c, "events", 0, 0)
				if err != nil || int64(len(all)) != want[name] {
					t.Fatalf("%d records, %v; want %d", len(all), err, want[name])
				}
				want[name] += 10
				if after := fill(t, c, "events", 0, 1); after != want[name] {
					t.Fatalf("went on to %d; want %d", after, want[name])
				}
				must(t, l.Close())
			}
		})
	}
}

// What this package does not know is left to the broker, untouched.
func TestRecoverForeign(t *testing.T) {
	_, dir, _ := closedLog(t)
	segments, err := listSegments(dir)
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "snapshot.json")))
	name := segments[0].name(dir, ".dat")
	whole, err := os.ReadFile(name)
	must(t, err)
	for what, change := range map[string]func(b []byte) []byte{
		"a transaction":       func(b []byte) []byte { b[batchAttributes+1] |= 0x10; return b },
		"an offset too large": func(b []byte) []byte { b[batchLastDelta] = 0x7f; return b },
		"a hole":              func(b []byte) []byte { return b[:len(b)-1] },
	} {
		changed := change(append([]byte(nil), whole...))
		must(t, os.WriteFile(name, changed, 0o600))
		if err := recoverPartition(dir); !errors.Is(err, errForeign) {
			t.Errorf("%s: %v", what, err)
		}
		if now, err := os.ReadFile(name); err != nil || string(now) != string(changed) {
			t.Errorf("%s: the segment was changed", what)
		}
		if _, err := os.Stat(filepath.Join(dir, "snapshot.json")); err == nil {
			t.Errorf("%s: a snapshot was written", what)
		}
	}
}

func TestListPartitions(t *testing.T) {
	dir := t.TempDir()
	if list, err := listPartitions(dir); err != nil || list != nil {
		t.Errorf("no folder: %v, %v", list, err)
	}
	for _, name := range []string{"events-0", "a-b-12", "with%2Fslash-3", "odd", "x-y", "%zz-1", "big-99999999999"} {
		must(t, os.MkdirAll(filepath.Join(dir, "partitions", name), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "partitions", "file-1"), nil, 0o600))
	list, err := listPartitions(dir)
	must(t, err)
	got := map[string]int32{}
	for _, p := range list {
		got[p.topic] = p.number
	}
	if !reflect.DeepEqual(got, map[string]int32{"events": 0, "a-b": 12, "with/slash": 3}) {
		t.Errorf("%v", got)
	}
}
