package detect_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// evasionData is a station with an approach and, where it is asked for, a bypass, and a heavy truck.
func evasionData(t *testing.T, bypass bool) (*detect.ReferenceData, ingest.Vehicle) {
	v := vehicleOf(t, "晋E12345")
	data := &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHeavyTruck}},
		Fences: []detect.Fence{{ID: "A", Kind: detect.FenceApproach, Station: "S1", Geometry: square(35.5, 112.8, 0.01)}}}
	if bypass {
		data.Fences = append(data.Fences, detect.Fence{ID: "B", Kind: detect.FenceBypass, Station: "S1", Geometry: square(35.5, 112.85, 0.01)})
	}
	return data, v
}

// goesRound is a truck that enters the approach at second s, and the bypass 5 minutes later.
func goesRound(v ingest.Vehicle, s int64) []ingest.Event {
	return []ingest.Event{position(v, s, 35.5, 112.8, 40), position(v, s+60, 35.5, 112.803, 40), position(v, s+300, 35.5, 112.85, 40),
		position(v, s+360, 35.5, 112.853, 40), position(v, s+420, 35.5, 112.87, 40), position(v, s+480, 35.5, 112.88, 40)}
}

func unreadWeighing(s int64, station string) ingest.Event {
	e := position(ingest.Vehicle{}, s, 0, 0, 0)
	return ingest.Event{Kind: ingest.KindWeighing, Time: e.Time, Received: e.Time, Weighing: &ingest.Weighing{Station: station, Record: fmt.Sprint("U", s), Evaded: true}}
}

func evasions(vs []detect.Violation) (out []string) {
	for _, v := range vs {
		if v.Kind == detect.KindWeighEvasion {
			out = append(out, strings.TrimSpace(fmt.Sprint(v.State, " ", (int64(v.Start)-firstMs)/1000, " ", strings.Join(v.Notes, " "))))
		}
	}
	return out
}

// What could not be read makes no vehicle and no violation, whatever its record says.
func TestUnreadIsNoVehicle(t *testing.T) {
	data, _ := evasionData(t, true)
	e := detect.New(compile(t, data, 1))
	w := unreadWeighing(0, "S1")
	w.Weighing.GrossKg, w.Weighing.Axles, w.Weighing.Combination, w.Weighing.HeightMm = 120_000, 6, ingest.Yes, 6000
	link := ingest.Event{Kind: ingest.KindLink, Link: &ingest.Link{}} // no door makes one without a vehicle
	if out := e.Process([]ingest.Event{w, w, link}, 1); len(out) != 0 {
		t.Errorf("found %s", dump(out))
	}
	if s := e.Stats(); e.Vehicles() != 0 || s.Unread != 2 || s.Weighings != 0 || s.Repeated != 0 || s.Other != 1 {
		t.Errorf("%d vehicles, %+v", e.Vehicles(), s)
	}
	if out := e.Finish(2, true); len(out) != 0 {
		t.Errorf("at the end %s", dump(out))
	}
}

// A camera that fails for a day, and a flood of stations that nobody knows: little is kept, and the answers stay right.
func TestUnreadFloodIsBounded(t *testing.T) {
	data, v := evasionData(t, true)
	snap := compile(t, data, 1)
	e := detect.New(snap)
	feed := func(events ...ingest.Event) []string { return evasions(e.Process(events, 1)) }
	for s := int64(0); s < 86400; s += 7 {
		feed(unreadWeighing(s, "S1"), unreadWeighing(s, fmt.Sprint("no", s)))
	}
	state, _ := e.AppendState(nil, 0, math.MaxInt)
	if len(state) > 1000 {
		t.Errorf("a day of what is unread takes %d bytes", len(state))
	}
	if again := detect.New(snap); again.LoadState(state) != nil {
		t.Error("it can't be read back")
	} else {
		e = again
	}
	if got := feed(goesRound(v, 86400+1300)...); got != nil { // the bypass 1,604 s after the last
		t.Errorf("within 30 min of the flood: %v", got)
	}
	tick := vehicleOf(t, "晋E99999")
	if got := feed(position(tick, 100_000, 36, 113, 0)); got != nil {
		t.Errorf("30 min later: %v", got)
	}
	if got := feed(append(goesRound(v, 100_000), position(tick, 110_000, 36, 113, 0))...); fmt.Sprint(got) != "[closed 100300]" {
		t.Errorf("long after the flood: %v", got)
	}
	// A week later it is forgotten; who entered before then is accused of nothing by an engine that does not know any more.
	feed(position(tick, 110_000+8*86400, 36, 113, 0), unreadWeighing(110_000+8*86400, "S1"))
	if after, _ := e.AppendState(nil, 0, 1); len(after) >= len(state)+600 {
		t.Errorf("a week later %d bytes, before %d", len(after), len(state))
	}
	late := goesRound(v, 110_000+86400)
	for i := range late {
		late[i].Received += 8 * 86_400_000
	}
	if got := feed(append(late, position(tick, 120_000+9*86400, 36, 113, 0))...); got != nil {
		t.Errorf("of eight days ago: %v", got)
	}
}

// A bypass that is drawn now accuses nobody by what was not looked at before; and a wider or narrower time neither.
func TestBypassDrawnLater(t *testing.T) {
	without, v := evasionData(t, false)
	with, _ := evasionData(t, true)
	tick := vehicleOf(t, "晋E99999")
	for _, restart := range []bool{false, true} {
		snaps := []*detect.Snapshot{compile(t, without, 1), compile(t, with, 2)}
		e := detect.New(snaps[0])
		feed := func(events ...ingest.Event) []string { return evasions(e.Process(events, 1)) }
		feed(unreadWeighing(0, "S1"), position(v, 30, 35.5, 112.8, 40))
		if restart {
			state, _ := e.AppendState(nil, 0, math.MaxInt)
			e = detect.New(snaps[1])
			if err := e.LoadState(state); err != nil {
				t.Fatal(err)
			}
		} else {
			e.Use(snaps[1])
		}
		if got := feed(append(goesRound(v, 60), position(tick, 5000, 36, 113, 0))...); got != nil {
			t.Errorf("restart %v: what was unread before the fence was drawn is not known: %v", restart, got)
		}
		if got := feed(append(goesRound(v, 5000), position(tick, 9000, 36, 113, 0))...); fmt.Sprint(got) != "[closed 5300]" {
			t.Errorf("restart %v: later %v", restart, got)
		}
	}

	// Of times that were let go for wide questions, narrow ones can't be asked.
	narrow := detect.DefaultSettings()
	narrow.WeighEvasion.RecordS = 60
	snap, err := detect.Compile(with, narrow, "", 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, restart := range []bool{false, true} {
		e := detect.New(compile(t, with, 2))
		feed := func(events ...ingest.Event) []string { return evasions(e.Process(events, 1)) }
		for _, s := range []int64{0, 300, 600} { // the one in the middle is let go
			feed(unreadWeighing(s, "S1"))
		}
		if restart {
			state, _ := e.AppendState(nil, 0, math.MaxInt)
			e = detect.New(snap)
			if err := e.LoadState(state); err != nil {
				t.Fatal(err)
			}
		} else {
			e.Use(snap)
		}
		if got := feed(append(goesRound(v, 10), position(tick, 3000, 36, 113, 0))...); got != nil {
			t.Errorf("restart %v: %v", restart, got)
		}
	}
}

// A record comes late: what was told is taken back, for a week; in another partition the copy of an unread one finds its own vehicles.
func TestEvasionIsTakenBack(t *testing.T) {
	data, v := evasionData(t, true)
	tick := vehicleOf(t, "晋E99999")
	plated := func(s, received int64) ingest.Event {
		e := unreadWeighing(s, "S1")
		e.Vehicle, e.Received, e.Weighing.Evaded = v, firstMs+received*1000, false
		return e
	}
	unread := func(s, received int64) ingest.Event {
		e := unreadWeighing(s, "S1")
		e.Received = firstMs + received*1000
		return e
	}
	const week = 7 * 86400
	for _, c := range []struct {
		name string
		late ingest.Event
		want string
	}{
		{"its own record", plated(300+1800, 9000), "[retracted 300 weighed]"},
		{"an unread one", unread(300-1800, 9000), "[retracted 300 plate_unread]"},
		{"its own, a second too late", plated(300+1801, 9000), "[]"},
		{"an unread one, a second too early", unread(300-1801, 9000), "[]"},
		{"an unread one within a week", unread(300, 2099+week), "[retracted 300 plate_unread]"},
		{"an unread one after a week", unread(300, 2100+week), "[]"},
		{"its own after a week", plated(300, 2100+week), "[]"},
	} {
		e := detect.New(compile(t, data, 1))
		feed := func(events ...ingest.Event) []string { return evasions(e.Process(events, 1)) }
		feed(goesRound(v, 0)...)
		if got := feed(position(tick, 2099, 36, 113, 0)); got != nil {
			t.Errorf("%s: too early %v", c.name, got)
		}
		if got := feed(position(tick, 2100, 36, 113, 0)); fmt.Sprint(got) != "[closed 300]" {
			t.Errorf("%s: told %v", c.name, got)
		}
		state, _ := e.AppendState(nil, 0, math.MaxInt)
		e = detect.New(compile(t, data, 1))
		if err := e.LoadState(state); err != nil {
			t.Fatal(err)
		}
		if got := feed(c.late); fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
		if got := feed(c.late); got != nil {
			t.Errorf("%s: again %v", c.name, got)
		}
	}
}

// A truck that drives about in approaches and bypasses costs no allocation, nor does what is unread once it is known.
func TestApproachesAllocateNothing(t *testing.T) {
	data, v := evasionData(t, true)
	e := detect.New(compile(t, data, 1))
	e.Process(goesRound(v, 0), 1)
	e.Process([]ingest.Event{unreadWeighing(1, "S1")}, 1)
	events := append(goesRound(v, 0)[:2:2], unreadWeighing(1, "S1"))
	s := int64(600)
	if n := testing.AllocsPerRun(500, func() {
		for i := range events[:2] {
			s += 30
			events[i].Time, events[i].Received = firstMs+s*1000, firstMs+s*1000
		}
		e.Process(events, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
