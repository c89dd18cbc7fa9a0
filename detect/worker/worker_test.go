package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/bus"
	"lushao/internal/embed/kafkalog"
)

// rig is a log with the worker's topics, and reference data.
type rig struct {
	t      *testing.T
	ctx    context.Context
	client *bus.Client
	dir    string // reference data
}

func newRig(t *testing.T) *rig {
	t.Helper()
	c := kafkalog.DefaultConfig()
	c.DataDir = t.TempDir()
	l, err := kafkalog.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	cfg := bus.DefaultConfig()
	cfg.Brokers = []string{l.Addr()}
	client, err := bus.Open(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	r := &rig{t: t, ctx: ctx, client: client, dir: t.TempDir()}
	compacted := map[string]string{"cleanup.policy": "compact"}
	if err := client.EnsureTopics(ctx, bus.Topic{Name: EventsTopic, Partitions: 2, Replication: 1}, bus.Topic{Name: ViolationsTopic, Partitions: 2, Replication: 1},
		bus.Topic{Name: RechecksTopic, Partitions: 2, Replication: 1}, bus.Topic{Name: DrivingTopic, Partitions: 2, Replication: 1},
		bus.Topic{Name: CheckpointsTopic, Partitions: 2, Replication: 1, Config: compacted}); err != nil {
		t.Fatal(err)
	}
	r.write("vehicles.csv", "plate,color,class\n晋E12345,2,hazmat\n")
	return r
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	tmp := filepath.Join(r.dir, "."+name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) reference(reg prometheus.Registerer, log *slog.Logger) *Reference {
	r.t.Helper()
	c := DefaultReferenceConfig()
	c.Dir = r.dir
	ref := NewReference(c, log, reg)
	if err := ref.Load(); err != nil {
		r.t.Fatal(err)
	}
	return ref
}

// run runs a worker until stop, which returns its error.
func (r *rig) run(ref Snapshots, reg prometheus.Registerer) (stop func() error) {
	c := DefaultConfig()
	c.CheckpointInterval = 100 * time.Millisecond
	w := New(c, r.client, ref, slog.New(slog.DiscardHandler), reg)
	ctx, cancel := context.WithCancel(r.ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() error { cancel(); return <-done }
}

var hazmat, _ = ingest.NewVehicle("晋E12345", 2)

// fix is a position at second s of 2026-05-01, moving east.
func fix(s int64, kmh int) ingest.Event {
	e := ingest.Event{Kind: ingest.KindPosition, Vehicle: hazmat, Time: 1777564800000 + s*1000, Received: 1777564800000 + s*1000}
	e.Position.Reset()
	e.Position.Lat, e.Position.Lon = 35500000, int32(112800000+s*200)
	e.Position.Speed, e.Position.Located, e.Position.ACC = uint16(kmh*10), true, true
	return e
}

func (r *rig) send(events ...ingest.Event) {
	r.t.Helper()
	p, err := r.client.NewProducer(r.ctx, EventsTopic)
	if err != nil {
		r.t.Fatal(err)
	}
	var ack bus.Ack
	for i := range events {
		if err := p.Append(r.ctx, events[i].Vehicle.Partition(2), ingest.AppendEvent(nil, &events[i]), &ack); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := errors.Join(ack.Wait(r.ctx), p.Close(r.ctx)); err != nil {
		r.t.Fatal(err)
	}
}

// committed waits until the group has committed everything.
func (r *rig) committed() {
	r.t.Helper()
	for {
		_, next, err := r.client.Bounds(r.ctx, EventsTopic)
		if err != nil {
			r.t.Fatal(err)
		}
		done, err := r.client.CommittedOffsets(r.ctx, Group, EventsTopic)
		if err != nil {
			r.t.Fatal(err)
		}
		n := hazmat.Partition(2)
		if done[n] == next[n] {
			return
		}
		if !wait(r.ctx) {
			r.t.Fatalf("committed %v of %v", done, next)
		}
	}
}

func wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}

func (r *rig) violations() (out []detect.Violation) {
	r.t.Helper()
	err := r.client.ReadAll(r.ctx, ViolationsTopic, func(m bus.Message) error {
		var v detect.Violation
		if err := json.Unmarshal(m.Value, &v); err != nil {
			return err
		}
		if string(m.Key) != v.ID {
			return fmt.Errorf("key %s of violation %s", m.Key, v.ID)
		}
		out = append(out, v)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// A worker that stops is followed by one that goes on in the middle of a run of speeding; the record is one violation whose
// versions grow.
func TestGoesOnFromTheCheckpoint(t *testing.T) {
	r := newRig(t)
	ref := r.reference(prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	stop := r.run(ref, prometheus.NewRegistry())
	r.send(fix(0, 85), fix(30, 90), fix(60, 86))
	r.committed()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	r.send(fix(90, 88))
	reg := prometheus.NewRegistry()
	stop = r.run(ref, reg)
	r.send(fix(120, 60))
	r.committed()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	vs := r.violations()
	if len(vs) != 2 || vs[0].ID != vs[1].ID || vs[0].State != detect.StateOpen || vs[1].State != detect.StateClosed || vs[1].Version <= vs[0].Version {
		t.Fatalf("%+v", vs)
	}
	if v := vs[1]; *v.Measured != 90 || v.Fixes != 5 || v.DurationS != 120 {
		t.Errorf("measured %v, %d fixes, %d s", *v.Measured, v.Fixes, v.DurationS)
	}
	// Only what came after the checkpoint was read again.
	if n := testutil.ToFloat64(metricOf(t, reg, "lushao_detect_positions_total", "ok")); n != 2 {
		t.Errorf("the second worker saw %v positions, want 2", n)
	}
}

func metricOf(t *testing.T, reg *prometheus.Registry, name, quality string) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			if m.Label[0].GetValue() == quality {
				c := prometheus.NewCounter(prometheus.CounterOpts{Name: "x"})
				c.Add(m.Counter.GetValue())
				return c
			}
		}
	}
	t.Fatalf("no metric %s{%s}", name, quality)
	return nil
}

// Without a checkpoint that can be read, everything that the log holds is judged again, and the records are the same.
func TestUnreadableCheckpoint(t *testing.T) {
	r := newRig(t)
	ref := r.reference(prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	stop := r.run(ref, prometheus.NewRegistry())
	r.send(fix(0, 85), fix(30, 90), fix(60, 60))
	r.committed()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	before := r.violations()
	// State of a version that does not exist, in both slots.
	n := hazmat.Partition(2)
	for _, slot := range []string{"A", "B"} {
		chunk := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 1000), 7)
		commit, _ := json.Marshal(commitRecord{Generation: 1000, Writer: 7, Slot: slot, Chunks: 1, Offset: 1})
		if err := r.client.WriteKeyed(r.ctx, CheckpointsTopic, bus.KeyedMessage{Partition: n, Key: []byte(slot + "/0"), Value: append(chunk, 99)},
			bus.KeyedMessage{Partition: n, Key: []byte(slot), Value: commit}); err != nil {
			t.Fatal(err)
		}
	}
	stop = r.run(ref, prometheus.NewRegistry())
	r.send(fix(90, 60))
	for len(r.violations()) < 2*len(before) {
		if !wait(r.ctx) {
			t.Fatal("the log was not judged again")
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again := r.violations()[len(before):]
	for i := range before {
		a, _ := json.Marshal(before[i])
		b, _ := json.Marshal(again[i])
		if !bytes.Equal(a, b) {
			t.Errorf("first:\n%s\nagain:\n%s", a, b)
		}
	}
}

// Of two slots the newest whole one counts: chunks of another generation or writer spoil a slot.
func TestNewestWholeCheckpoint(t *testing.T) {
	slot := func(into map[string][]byte, name string, generation, writer uint64, chunks int, offset int64) {
		for i := range chunks {
			b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, generation), writer)
			into[fmt.Sprintf("%s/%d", name, i)] = append(b, byte(i))
		}
		into[name], _ = json.Marshal(commitRecord{Generation: generation, Writer: writer, Slot: name, Chunks: chunks, Offset: offset})
	}
	fresh := func() map[string][]byte {
		m := map[string][]byte{}
		slot(m, "A", 6, 1, 2, 60)
		slot(m, "B", 7, 1, 3, 70)
		return m
	}
	for name, c := range map[string]struct {
		change func(m map[string][]byte)
		offset int64 // -1: none
	}{
		"both whole":                 {func(map[string][]byte) {}, 70},
		"being written":              {func(m map[string][]byte) { m["B/1"][0] = 9 }, 60},
		"another writer":             {func(m map[string][]byte) { m["B/2"][8] = 2 }, 60},
		"a chunk is missing":         {func(m map[string][]byte) { delete(m, "B/0") }, 60},
		"no commit record yet":       {func(m map[string][]byte) { delete(m, "B") }, 60},
		"rubbish":                    {func(m map[string][]byte) { m["B"] = []byte("{") }, 60},
		"nothing":                    {func(m map[string][]byte) { clear(m) }, -1},
		"both spoiled":               {func(m map[string][]byte) { m["B/1"][0], m["A/1"][0] = 9, 9 }, -1},
		"more chunks than committed": {func(m map[string][]byte) { m["B/3"] = []byte("old") }, 70},
	} {
		m := fresh()
		c.change(m)
		s, err := newestWhole(m, func(string, error) {})
		switch {
		case c.offset < 0 && !errors.Is(err, errNoState):
			t.Errorf("%s: %v", name, err)
		case c.offset >= 0 && (err != nil || s.Offset != c.offset):
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
}

// Changed reference data are used from the next events on; bad data are not, and are reported once.
func TestReferenceReload(t *testing.T) {
	r := newRig(t)
	var logged syncBuffer
	reg := prometheus.NewRegistry()
	ref := r.reference(reg, slog.New(slog.NewTextHandler(&logged, nil)))
	stop := r.run(ref, prometheus.NewRegistry())
	r.send(fix(0, 70), fix(30, 70)) // legal for hazmat on an unknown road
	r.committed()

	good := ref.Current()
	r.write("fences.geojson", `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"Z","kind":"speed","speed_limit_kmh":"sixty"},"geometry":null}]}`)
	ref.poll()
	ref.poll()
	if ref.Current() != good {
		t.Error("bad reference data are in force")
	}
	if n := strings.Count(logged.String(), "stays in force"); n != 1 || !strings.Contains(logged.String(), "fences.geojson") {
		t.Errorf("reported %d times:\n%s", n, logged.String())
	}
	r.write("fences.geojson", `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"Z","kind":"speed","speed_limit_kmh":60,"radius_m":50000},"geometry":{"type":"Point","coordinates":[112.8,35.5]}}]}`)
	ref.poll()
	if ref.Current() == good || ref.Current().Fences() != 1 {
		t.Fatalf("the mended data are not in force:\n%s", logged.String())
	}
	r.send(fix(60, 70), fix(90, 70), fix(120, 50))
	r.committed()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	vs := r.violations()
	if len(vs) != 2 || vs[1].Fence == nil || *vs[1].Fence != "Z" || vs[1].DurationS != 60 {
		t.Errorf("%+v", vs)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A message that is no events is counted and passed over; what comes after it is judged.
func TestUndecodableMessage(t *testing.T) {
	r := newRig(t)
	ref := r.reference(prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	n := hazmat.Partition(2)
	if err := r.client.WriteKeyed(r.ctx, EventsTopic, bus.KeyedMessage{Partition: n, Value: []byte("rubbish")}); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	stop := r.run(ref, reg)
	r.send(fix(0, 85), fix(30, 90), fix(60, 60))
	r.committed()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if vs := r.violations(); len(vs) != 2 {
		t.Errorf("%+v", vs)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader("# HELP lushao_detect_undecodable_events_total Events of the log that can't be read.\n"+
		"# TYPE lushao_detect_undecodable_events_total counter\nlushao_detect_undecodable_events_total 1\n"), "lushao_detect_undecodable_events_total"); err != nil {
		t.Error(err)
	}
}

// Changed rules come into force without a restart, for what is open too; broken ones do not, and are reported once with their lines.
func TestRulesReload(t *testing.T) {
	r := newRig(t)
	var logged syncBuffer
	reg, own := prometheus.NewRegistry(), prometheus.NewRegistry()
	ref := r.reference(reg, slog.New(slog.NewTextHandler(&logged, nil)))
	stop := r.run(ref, own)
	r.send(fix(0, 85), fix(20, 85)) // over 80, not yet for 30 s
	r.committed()

	good := ref.Current()
	r.write("rules.yaml", "speeding:\n  sustained_s: 20s\n  merge: 5\n")
	ref.poll()
	ref.poll()
	if ref.Current() != good {
		t.Error("bad rules are in force")
	}
	if s := logged.String(); strings.Count(s, "stays in force") != 1 || !strings.Contains(s, `rules.yaml:2:16: speeding.sustained_s`) || !strings.Contains(s, "rules.yaml:3:3: speeding.merge: unknown; did you mean merge_s?") {
		t.Errorf("reported:\n%s", s)
	}
	if n := testutil.ToFloat64(ref.reloads.WithLabelValues("failed")); n != 1 {
		t.Errorf("%v failures counted", n)
	}
	r.write("rules.yaml", "classes: {hazmat: {speeding: {sustained_s: 25}}}\nshadow: {lax: {speeding: {sustained_s: 300}}, stricter: {classes: {hazmat: {speeding: {sustained_s: 10}}}}}\n")
	ref.poll()
	byClass := ref.Current()
	if byClass == good || byClass.RuleVersion == good.RuleVersion {
		t.Fatalf("the mended rules are not in force:\n%s", logged.String())
	}
	r.send(fix(25, 85)) // sustained by the new number, not by the old one
	r.committed()
	r.write("rules.yaml", "speeding: {enabled: false}\n")
	ref.poll()
	r.send(fix(26, 85), fix(60, 85))
	r.committed()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var found []detect.Violation
	for _, v := range r.violations() {
		if v.Shadow == "" {
			found = append(found, v)
		} else if v.Shadow != "stricter" {
			t.Errorf("shadow %q found %+v", v.Shadow, v)
		}
	}
	if len(found) != 2 || found[0].State != detect.StateOpen || found[0].RuleVersion != byClass.RuleVersion || found[0].DurationS != 25 ||
		found[1].ID != found[0].ID || found[1].State != detect.StateClosed || found[1].RuleVersion != ref.Current().RuleVersion || !slices.Contains(found[1].Notes, "switched_off") {
		t.Errorf("%+v", found)
	}
	if n := testutil.CollectAndCount(own, "lushao_detect_shadow_records_total"); n != 0 {
		t.Errorf("the shadows that began within the run found %d kinds of records", n)
	}
}
