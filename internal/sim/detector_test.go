package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/ingest"
	"lushao/ingest/eventfile"
)

// TestDetector writes a fleet's register and events, reads them back and has the detector judge them: it must find the truth and
// nothing else.
func TestDetector(t *testing.T) {
	for seed, begin := range map[uint64]time.Duration{31: 0, 32: 12 * time.Hour} {
		c := offline(50, 2.5, seed)
		c.Start = c.Start.Add(begin)
		c.Violations = Mix{detect.KindSpeeding: 0.5, detect.KindFenceEntry: 0.7, detect.KindOverload: 0.3}
		d := run(t, c)
		snap, events := d.written(t)
		violations, _ := detect.Replay(snap, events, true)
		var got, want []string
		for _, v := range violations {
			line, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var f found
			if err := json.Unmarshal(line, &f); err != nil {
				t.Fatal(err)
			}
			got = append(got, bare(f))
		}
		for _, f := range readTruth(t, d.truth) {
			want = append(want, bare(f))
		}
		slices.Sort(got)
		slices.Sort(want)
		if len(want) == 0 {
			t.Errorf("seed %d: no truth", seed)
		}
		for _, g := range got {
			if !slices.Contains(want, g) {
				t.Errorf("seed %d: the detector finds %s", seed, g)
			}
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("seed %d: the detector misses %s", seed, w)
			}
		}
	}
}

// written is what a fleet wrote, read back: its register as the detector has it, and its events.
func (d *driven) written(t *testing.T) (*detect.Snapshot, []ingest.Event) {
	t.Helper()
	dir := t.TempDir()
	if err := reference.Write(dir, d.sim.Reference()); err != nil {
		t.Fatal(err)
	}
	ref, _, err := reference.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := detect.Compile(ref, detect.DefaultSettings(), "", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	var events []ingest.Event
	r := eventfile.NewReader(bytes.NewReader(d.events), "events")
	for {
		var e ingest.Event
		if err := r.Read(&e); errors.Is(err, io.EOF) {
			return snap, events
		} else if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

// bare leaves out what truth and violations have in different places.
func bare(f found) string {
	f.Record = ""
	if f.Kind == string(detect.KindOverload) {
		f.LimitSource = ""
	}
	return f.String()
}
