package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/sim"
)

func testLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// A fleet drives over real sockets into everything in one process: what ClickHouse holds at the end is what was driven, kind
// by kind, none missing and none extra; every acknowledged position is there once; and a replay of the log's events finds
// the same.
func TestEndToEnd(t *testing.T) {
	dir := t.TempDir()
	c := testConfig(dir)
	fleet := testFleet(t, 60, 2*time.Hour)
	writeFleetReference(t, c.Reference.Dir, fleet)
	a, stop := startApp(t, c)
	base := "http://" + a.http.Addr().String()

	var truth, events bytes.Buffer
	acked := newAckSet()
	fleet.Gateway, fleet.WeighURL, fleet.WeighToken = a.gateway.Addr().String(), base+"/v1/weighings", weighToken(t, dir)
	fleet.Truth, fleet.Events, fleet.OnAck, fleet.Logger = &truth, &events, acked.add, testLogger()
	s, err := sim.New(fleet)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Positions.Acknowledged != r.Positions.Sent || r.Positions.Sent == 0 || r.Unfinished != 0 {
		t.Fatalf("the fleet reports %+v", r)
	}
	for k := range fleet.Violations {
		if r.Violations[k] == 0 {
			t.Errorf("the fleet drove no %s: the test would prove nothing of it", k)
		}
	}
	caughtUp(t, a.cfg.Bus.Brokers)

	found := allViolations(t, base)
	var got []string
	for i := range found {
		got = append(got, keyOf(&found[i]))
	}
	sameSets(t, "violations in ClickHouse", got, truthKeys(t, truth.Bytes()))
	acked.compare(t, a.store, fleet)
	if t.Failed() {
		return
	}
	// One by id, with its track.
	v := found[len(found)/2]
	var one detect.Violation
	get(t, base+"/v1/violations/"+v.ID, &one)
	if keyOf(&one) != keyOf(&v) {
		t.Errorf("by id: %s\nin the list: %s", keyOf(&one), keyOf(&v))
	}

	// The log as NDJSON, judged by `lushao replay`.
	dump := dumpEvents(t, a)
	stop()
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := replay(nil, out, io.Discard, replayOptions{dir: c.Reference.Dir, close: true}, []string{dump}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two replays differ")
	}
	sameSets(t, "replay of the log", wholeRecords(t, first.Bytes()), wholeRecordsOf(t, found))

	// And of the events as the fleet wrote them down.
	sent := filepath.Join(t.TempDir(), "sent.ndjson")
	if err := os.WriteFile(sent, events.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var fromSent bytes.Buffer
	if err := replay(nil, &fromSent, io.Discard, replayOptions{dir: c.Reference.Dir, close: true}, []string{sent}); err != nil {
		t.Fatal(err)
	}
	got = got[:0]
	for _, line := range bytes.Split(bytes.TrimSpace(fromSent.Bytes()), []byte("\n")) {
		var v detect.Violation
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		got = append(got, keyOf(&v))
	}
	sameSets(t, "replay of what was sent", got, truthKeys(t, truth.Bytes()))
}

// dumpEvents writes the log's events to a file, as lushao tail prints them.
func dumpEvents(t *testing.T, a *app) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "events.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := testConfig(t.TempDir())
	c.Bus.Brokers = a.cfg.Bus.Brokers
	if err := tail(t.Context(), c, f, "events", true, true); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// wholeRecords are records with everything but the version.
func wholeRecords(t *testing.T, ndjson []byte) []string {
	t.Helper()
	return wholeRecordsOf(t, violationsOf(t, ndjson))
}

func violationsOf(t *testing.T, ndjson []byte) (vs []detect.Violation) {
	t.Helper()
	for _, line := range bytes.Split(bytes.TrimSpace(ndjson), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var v detect.Violation
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		vs = append(vs, v)
	}
	return vs
}

func wholeRecordsOf(t *testing.T, vs []detect.Violation) []string {
	t.Helper()
	var out []string
	for _, v := range vs {
		v.Version = 0
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// ackSet is the positions that the platform acknowledged.
type ackSet struct {
	mu  sync.Mutex
	set map[ingest.Vehicle]map[int64]bool
}

func newAckSet() *ackSet { return &ackSet{set: map[ingest.Vehicle]map[int64]bool{}} }

func (s *ackSet) add(v ingest.Vehicle, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set[v] == nil {
		s.set[v] = map[int64]bool{}
	}
	s.set[v][at] = true
}

// compare reads every vehicle's track: each acknowledged position must be in it, and each time once.
func (s *ackSet) compare(t *testing.T, record *store.Store, fleet sim.Config) {
	t.Helper()
	if len(s.set) == 0 {
		t.Error("nothing was acknowledged")
	}
	for v, times := range s.set {
		have := map[int64]int{}
		f := store.TrackFilter{Vehicle: v, From: fleet.Start.Add(-time.Hour).UnixMilli(), To: fleet.Start.Add(fleet.Duration + time.Hour).UnixMilli(), Limit: 5000}
		for {
			page, err := record.Track(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Positions {
				have[page.Positions[i].Event.Time]++
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				break
			}
		}
		for at := range times {
			if have[at] != 1 {
				t.Errorf("%s: the acknowledged position of %s is in the record %d times", v, detect.Time(at).Std(), have[at])
			}
		}
		for at, n := range have {
			if n != 1 {
				t.Errorf("%s: a position of %s is in the record %d times", v, detect.Time(at).Std(), n)
			}
		}
	}
}
