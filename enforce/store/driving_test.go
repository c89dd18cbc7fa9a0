package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

func segmentJSON(t *testing.T, s detect.DrivingSegment) []byte {
	t.Helper()
	b, err := json.Marshal(s)
	must(t, err)
	return b
}

// Sums over several vehicles, as a loop over the pieces finds them.
func TestDriverTotals(t *testing.T) {
	s := newStore(t)
	l := DriverLimits{StretchMs: 4 * 3600_000, NightMs: 2 * 3600_000, DailyMs: 8 * 3600_000, WeeklyMs: 44 * 3600_000, RestMs: 1200_000,
		DailyWindowMs: 86400_000, WeeklyWindowMs: 7 * 86400_000, NightFrom: 22 * 60, NightTo: 6 * 60}
	r := rand.New(rand.NewPCG(8, 9))
	const cell = 600_000
	since := base - base%cell
	var b DrivingBlock
	var want []string
	over := 0
	for d := range 120 {
		license := fmt.Sprintf("D%03d", d)
		type piece struct{ start, end, driven int64 }
		var pieces []piece
		vehicles := map[string]bool{}
		last, recent := "", false
		at := since - int64(r.IntN(9*144))*cell
		busy := r.IntN(3)
		one := r.IntN(4) == 0
		plate := "晋E00001"
		for at < since+6*cell {
			if !one && r.IntN(40) == 0 {
				plate = fmt.Sprintf("晋E0000%d", 1+r.IntN(4))
			}
			start, end := at, at+cell
			if r.IntN(4) == 0 {
				start += int64(r.IntN(300)) * 1000
			}
			if r.IntN(4) == 0 {
				end -= int64(1+r.IntN(290)) * 1000
			}
			x := detect.DrivingSegment{License: license, Name: "甲", Plate: plate, Color: 2, Class: "coach_line", Cell: at, Start: start, End: end, DrivenMs: end - start, Version: 7}
			must(t, b.Add(segmentJSON(t, x), base, Place{}))
			recent = recent || at >= since-cell
			if r.IntN(20) == 0 { // it was less, and was told before
				old := x
				old.DrivenMs, old.End, old.Version = 1, start+1, 6
				must(t, b.Add(segmentJSON(t, old), base, Place{}))
			}
			if r.IntN(20) == 0 { // it was taken back
				x.DrivenMs, x.End, x.Version = 0, start, 8
				must(t, b.Add(segmentJSON(t, x), base, Place{}))
			} else if at >= since-7*86400_000-cell {
				pieces = append(pieces, piece{start, end, end - start})
				vehicles[plate], last = true, plate
			}
			at += cell
			if r.IntN(4+20*busy) == 0 {
				at += int64(r.IntN(60)) * cell
			}
			if at >= since+6*cell {
				break
			}
		}
		if !recent || len(vehicles) < 2 {
			continue
		}
		x := DriverTotal{License: license, Name: "甲", Vehicle: vehicle(t, last, 2), Vehicles: uint64(len(vehicles)), End: pieces[len(pieces)-1].end}
		evening := (x.End+8*3600_000-22*3600_000)/86400_000*86400_000 + 14*3600_000
		stretch := 0
		for i := range pieces {
			if i > 0 && pieces[i].start-pieces[i-1].end >= 1200_000 {
				stretch = i
			}
		}
		for i, p := range pieces {
			if i >= stretch {
				x.StretchMs += p.driven
				if p.end > evening && p.start < evening+8*3600_000 {
					x.NightMs += p.driven
				}
			}
			if p.end > x.End-86400_000 {
				x.DailyMs += p.driven
			}
			if p.end > x.End-7*86400_000 {
				x.WeeklyMs += p.driven
			}
		}
		x.Over = x.StretchMs > 4*3600_000 || x.NightMs > 2*3600_000 || x.DailyMs > 8*3600_000 || x.WeeklyMs > 44*3600_000
		if x.Over {
			over++
		}
		want = append(want, fmt.Sprintf("%+v", x))
	}
	must(t, s.Insert(t.Context(), &b))
	list, err := s.DriverTotals(t.Context(), since, l)
	must(t, err)
	var got []string
	for _, x := range list {
		got = append(got, fmt.Sprintf("%+v", x))
	}
	if len(want) < 20 || over < 5 || over == len(want) {
		t.Errorf("%d drivers, %d over a limit: the test proves little", len(want), over)
	}
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("got  %s\nwant %s", g, w)
		}
	}
}

func TestDrivingBlock(t *testing.T) {
	s := newStore(t)
	good := detect.DrivingSegment{License: "D1", Name: "甲", Plate: "晋E00001", Color: 2, Class: "coach_line", Cell: base - base%600_000, Start: base, End: base + 60_000, DrivenMs: 60_000, Version: 5}
	var b DrivingBlock
	for want, change := range map[string]func(*detect.DrivingSegment){
		"license":   func(s *detect.DrivingSegment) { s.License, s.Name = "", "" },
		"name":      func(s *detect.DrivingSegment) { s.Name = strings.Repeat("甲", 100) },
		"plate":     func(s *detect.DrivingSegment) { s.Plate = "" },
		"driven_ms": func(s *detect.DrivingSegment) { s.DrivenMs = 600_001 },
		"end":       func(s *detect.DrivingSegment) { s.End = 1 << 60 },
	} {
		bad := good
		change(&bad)
		if err := b.Add(segmentJSON(t, bad), base, Place{}); err == nil || !strings.Contains(err.Error(), want) || b.Rows() > 0 {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := b.Add([]byte("{"), base, Place{}); err == nil {
		t.Error("no JSON was taken")
	}
	must(t, b.Add(segmentJSON(t, good), base, Place{}))
	must(t, s.Insert(t.Context(), &b))
	v, w := vehicle(t, "晋E00001", ingest.Color(2)), vehicle(t, "晋E00002", ingest.Color(2))
	for from, want := range map[int64]int{good.Cell: 1, good.Cell + 1: 0} {
		for _, list := range [][]Since{{{v, from}}, {{w, from}, {v, from}}} {
			got, err := s.SegmentsSince(t.Context(), list)
			must(t, err)
			if len(got) != want || want == 1 && !slices.Equal(got[v], []detect.DrivingSegment{good}) {
				t.Errorf("%+v", got)
			}
		}
	}
}
