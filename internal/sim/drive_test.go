package sim

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/eventfile"
)

func driveConfig(by Carrier) Config {
	c := DefaultConfig()
	c.Gateway, c.Vehicles, c.Duration, c.Carrier = "", 30, 3*time.Hour, by
	c.Start = time.Date(2025, 3, 4, 8, 0, 0, 0, time.UTC)
	return c
}

// alone is what the fleet says and what that proves, without anybody who takes it.
func alone(t *testing.T, c Config) (events, truth []string) {
	t.Helper()
	var e, tr bytes.Buffer
	c.Events, c.Truth = &e, &tr
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sortedLines(e.String()), sortedLines(tr.String())
}

func sortedLines(s string) []string {
	l := strings.Split(strings.TrimSpace(s), "\n")
	slices.Sort(l)
	return l
}

// TestFeeds: feeds among which the fleet is shared say what the fleet says, each in the order of time.
func TestFeeds(t *testing.T) {
	for _, by := range []Carrier{CarrierNone, CarrierCoarse, CarrierFull} {
		c := driveConfig(by)
		wantEvents, wantTruth := alone(t, c)
		var e, tr, own bytes.Buffer
		c.Events, c.Truth = &e, &tr
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := s.Open(t.Context())
		members, positions := 0, int64(0)
		for i := range 3 {
			f := d.Share(i, 3)
			for _, m := range f.Members() {
				members++
				if m.Index%3 != i || m.OperatorName == "" || len(m.Drivers) == 0 || len(m.Drivers) != len(m.IDCards) {
					t.Errorf("member of feed %d: %+v", i, m)
				}
			}
			last := int64(0)
			for it, ok := f.Next(); ok; it, ok = f.Next() {
				if it.it.at < last {
					t.Fatalf("feed %d goes back from %d to %d", i, last, it.it.at)
				}
				last = it.it.at
				positions += int64(it.Positions())
				d.Events(it, func(e *ingest.Event) { own.Write(append(eventfile.AppendJSON(nil, e), '\n')) })
				d.Sent(it)
				if it.Kind() != ingest.KindWeighing {
					d.Acked(it)
				}
			}
		}
		r, err := d.Close()
		if err != nil {
			t.Fatal(err)
		}
		if members != 30 || r.Positions.Sent != positions || r.Positions.Acknowledged != positions || positions != 30*3*360 {
			t.Errorf("%d members, %d positions; %+v", members, positions, r.Positions)
		}
		if got := sortedLines(e.String()); !slices.Equal(got, wantEvents) || !slices.Equal(sortedLines(own.String()), wantEvents) {
			t.Errorf("carrier %d: %d events, want %d that are the same", by, len(got), len(wantEvents))
		}
		if got := sortedLines(tr.String()); !slices.Equal(got, wantTruth) || len(got) < 3 {
			t.Errorf("carrier %d: truth of %d lines, want %d that are the same", by, len(got), len(wantTruth))
		}
	}
}

// TestCarriers: what is driven is the same on every way; only the coarse one rounds, and truth follows it.
func TestCarriers(t *testing.T) {
	_, own := alone(t, driveConfig(CarrierNone))
	_, full := alone(t, driveConfig(CarrierFull))
	if !slices.Equal(own, full) {
		t.Error("truth over a way without loss differs")
	}
	_, coarse := alone(t, driveConfig(CarrierCoarse))
	kinds := func(lines []string) map[detect.Kind]int {
		n := map[detect.Kind]int{}
		for _, l := range lines {
			for _, k := range violationOrder {
				if strings.Contains(l, string(k)) {
					n[k]++
				}
			}
		}
		return n
	}
	a, b := kinds(own), kinds(coarse)
	for _, k := range violationOrder {
		if a[k] == 0 || a[k] != b[k] {
			t.Errorf("%s: %d, over the coarse way %d", k, a[k], b[k])
		}
	}
	for _, l := range coarse {
		if strings.Contains(l, `"speeding"`) && strings.Contains(l[strings.Index(l, `"measured":`):strings.Index(l, `,"limit"`)], ".") {
			t.Errorf("a measured speed that is not in whole km/h: %s", l)
		}
	}
}
