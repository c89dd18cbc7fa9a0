package sim

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"lushao/detect"
	"lushao/ingest"
)

// TestTruth compares the truth with what the slow checker finds in the events, over days and nights, seeds and intervals.
func TestTruth(t *testing.T) {
	for _, c := range []struct {
		vehicles        int
		hours           float64
		seed            uint64
		interval, begin time.Duration // begin: after 08:00
		mix             string
	}{
		{40, 2.5, 1, 10 * time.Second, 0, "speeding=0.1,fence_entry=0.15,overload=0.2"},
		{40, 2.5, 2, 10 * time.Second, 9 * time.Hour, "speeding=0.3,fence_entry=0.5,overload=0.5"},
		{30, 10, 3, 30 * time.Second, 11 * time.Hour, "speeding=0.3,fence_entry=0.4,overload=0.2"},
		{60, 6, 4, time.Minute, 0, "speeding=0.4,fence_entry=0.6,overload=0.2"},
		{12, 1, 5, time.Second, 0, "speeding=1,fence_entry=1,overload=1"},
		{40, 2, 6, 15 * time.Second, 0, "none"},
	} {
		t.Run(fmt.Sprintf("seed %d every %v", c.seed, c.interval), func(t *testing.T) {
			t.Parallel()
			cfg := offline(c.vehicles, c.hours, c.seed)
			cfg.Interval, cfg.Start = c.interval, cfg.Start.Add(c.begin)
			mix, err := ParseMix(c.mix)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Violations = mix
			d := run(t, cfg)
			ref := d.sim.Reference()
			events := byVehicle(t, d.events)
			check := newChecker(ref)
			var want []string
			for i := range ref.Vehicles {
				for _, f := range check.check(&ref.Vehicles[i], events[ref.Vehicles[i].Vehicle]) {
					want = append(want, f.String())
				}
			}
			truth := readTruth(t, d.truth)
			var got []string
			for _, f := range truth {
				got = append(got, f.String())
			}
			slices.Sort(want)
			slices.Sort(got)
			for _, g := range got {
				if !slices.Contains(want, g) {
					t.Errorf("truth has, the checker does not find: %s", g)
				}
			}
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("the checker finds, truth has not: %s", w)
				}
			}
			for kind, share := range mix {
				if share > 0 && d.report.Planned[kind] == 0 {
					t.Errorf("no %s was driven", kind)
				}
			}
			for kind, n := range d.report.Planned {
				if d.report.Violations[kind] != n {
					t.Errorf("%s: %d planned, %d proven", kind, n, d.report.Violations[kind])
				}
			}
			if d.report.Unfinished != 0 {
				t.Errorf("%d violations had not ended with the run", d.report.Unfinished)
			}
			apart(t, cfg, truth, events)
			t.Logf("%d positions, planned %v", d.report.Positions.Sent, d.report.Planned)
		})
	}
}

// apart proves that violations keep away from each other, from areas without radio and from the end of the run.
func apart(t *testing.T, cfg Config, truth []found, events map[ingest.Vehicle][]ingest.Event) {
	t.Helper()
	type span struct{ from, to int64 }
	driven := map[ingest.Vehicle][]span{}
	end := cfg.Start.Add(cfg.Duration).UnixMilli()
	for _, f := range truth {
		v, err := ingest.NewVehicle(f.Plate, ingest.Color(f.Color))
		if err != nil {
			t.Fatal(err)
		}
		from, to := f.span(t)
		if to >= end || from < cfg.Start.UnixMilli() {
			t.Errorf("%v: outside of the run", f)
		}
		for _, e := range events[v] {
			if e.Flags&ingest.FlagBackfill != 0 && e.Time > from-600_000 && e.Time < to+600_000 {
				t.Errorf("%v: a stored position at %s", f, clockText(e.Time))
				break
			}
		}
		if f.Kind == string(detect.KindOverload) {
			continue
		}
		for _, s := range driven[v] {
			if from < s.to+300_000 && s.from < to+300_000 {
				t.Errorf("%v: less than five minutes from another", f)
			}
		}
		driven[v] = append(driven[v], span{from, to})
	}
}

// TestLawfulOtherwise looks at rules beyond the three kinds, over a day: no alarm bits, drivers rest, coaches do not drive at night and
// not for longer than allowed, hazmat trucks have papers.
func TestLawfulOtherwise(t *testing.T) {
	cfg := offline(40, 26, 7)
	cfg.Interval = 30 * time.Second
	d := run(t, cfg)
	events := byVehicle(t, d.events)
	bills := map[ingest.Vehicle]bool{}
	ref := d.sim.Reference()
	for _, w := range ref.Waybills {
		bills[w.Vehicle] = w.Start == 0 && w.End == 0
	}
	longest, mostCoach := int64(0), int64(0)
	for _, v := range ref.Vehicles {
		if v.Class == detect.ClassHazmat && !bills[v.Vehicle] {
			t.Errorf("%v: no waybill", v.Vehicle)
		}
		list := positions(events[v.Vehicle])
		var stretch, standing, day, night int64
		for i := 1; i < len(list); i++ {
			a, b := &list[i-1], &list[i]
			if b.Position.Alarm != 0 {
				t.Fatalf("%v: alarm bits %x", v.Vehicle, b.Position.Alarm)
			}
			if b.Time-a.Time > 600_000 {
				t.Fatalf("%v: nothing from %s to %s", v.Vehicle, clockText(a.Time), clockText(b.Time))
			}
			h := time.UnixMilli(b.Time).In(detect.Beijing).Hour()
			if b.Position.Speed < 50 {
				if standing += b.Time - a.Time; standing >= 1_200_000 {
					stretch, night = 0, 0
				}
				continue
			}
			standing = 0
			stretch += b.Time - a.Time
			day += b.Time - a.Time
			longest = max(longest, stretch)
			if stretch > 4*3_600_000 {
				t.Fatalf("%v: drives for more than four hours until %s", v.Vehicle, clockText(b.Time))
			}
			if v.Class.Coach() && h < 6 {
				t.Fatalf("%v: a coach drives at %s", v.Vehicle, clockText(b.Time))
			}
			if h >= 22 || h < 6 {
				if night += b.Time - a.Time; v.Class.Coach() && night > 2*3_600_000 {
					t.Fatalf("%v: a coach drives for more than two hours of the night", v.Vehicle)
				}
			}
		}
		if v.Class.Coach() {
			mostCoach = max(mostCoach, day)
		}
	}
	if longest < 3_600_000 || mostCoach == 0 {
		t.Errorf("longest stretch %d ms, most driving of a coach %d ms: the test sees nobody drive", longest, mostCoach)
	}
	drivers := coachHours(d, events)
	for name, ms := range drivers {
		if ms > 8*3_600_000 {
			t.Errorf("driver %s drives a coach for %.1f h in a day", name, float64(ms)/3_600_000)
		}
	}
}

// coachHours sums the driving of each driver of a coach.
func coachHours(d driven, events map[ingest.Vehicle][]ingest.Event) map[string]int64 {
	out := map[string]int64{}
	for _, v := range d.sim.Reference().Vehicles {
		if !v.Class.Coach() {
			continue
		}
		driver := "before any card, " + v.Vehicle.String()
		last := int64(0)
		for _, e := range events[v.Vehicle] {
			switch {
			case e.Kind == ingest.KindDriverCard && e.Driver.On:
				driver = e.Driver.License
			case e.Kind == ingest.KindPosition:
				if e.Position.Speed >= 50 && last != 0 && d.sim.fleetEdition(v.Vehicle) != "2011" {
					out[driver] += e.Time - last
				}
				last = e.Time
			}
		}
	}
	return out
}

func (s *Sim) fleetEdition(v ingest.Vehicle) string {
	for _, f := range s.fleet {
		if f.Vehicle == v {
			return f.edition.String()
		}
	}
	return ""
}

func TestTruthJSON(t *testing.T) {
	start := time.Date(2026, 5, 1, 8, 0, 0, 0, detect.Beijing).Unix()
	for _, c := range []struct {
		t    Truth
		want string
	}{
		{Truth{Kind: detect.KindSpeeding, Plate: "晋E12345", Color: 2, Start: start, End: start + 90, Measured: 850, Limit: 800, LimitSource: "class_cap"},
			`{"type":"violation","kind":"speeding","plate":"晋E12345","color":2,"start":"2026-05-01T08:00:00+08:00","end":"2026-05-01T08:01:30+08:00","measured":85,"limit":80,"over_pct":6.2,"limit_source":"class_cap"}`},
		{Truth{Kind: detect.KindFenceEntry, Plate: "晋E12345", Color: 93, Start: start, End: start + 300, Fence: "JX1"},
			`{"type":"violation","kind":"fence_entry","plate":"晋E12345","color":93,"start":"2026-05-01T08:00:00+08:00","end":"2026-05-01T08:05:00+08:00","measured":null,"limit":null,"fence":"JX1"}`},
		{Truth{Kind: detect.KindOverload, Plate: `晋"E`, Color: 2, Start: start, End: start, Measured: 61000, Limit: 49000, Station: "S001", Record: "S0011"},
			`{"type":"violation","kind":"overload","plate":"晋\"E","color":2,"start":"2026-05-01T08:00:00+08:00","end":"2026-05-01T08:00:00+08:00","measured":61000,"limit":49000,"over_pct":24.5,"station":"S001","record":"S0011"}`},
	} {
		if got := string(c.t.AppendJSON(nil)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestHalfEven(t *testing.T) {
	for _, c := range [][3]int64{{25, 10, 2}, {35, 10, 4}, {26, 10, 3}, {24, 10, 2}, {50, 800, 0}, {50000, 800, 62}, {52000, 800, 65}, {0, 7, 0}} {
		if got := halfEven(c[0], c[1]); got != c[2] {
			t.Errorf("halfEven(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}
