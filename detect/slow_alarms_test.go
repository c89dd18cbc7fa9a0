package detect_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// The slow reading of the rules about bits and assistance systems. As in slow_test.go: whole tracks, one pass for each question.

// slowSaid is what a vehicle said at one second: positions of one time are one, and the bits of all count.
type slowSaid struct {
	t        int64 // s
	alarm    uint32
	video    uint32
	located  bool // one of them is
	running  bool // the first moves, or its ignition is on
	recorder bool // the first has a recorder speed over 0
}

// slowSay makes groups of the positions that pass the gate's first test.
func slowSay(events []ingest.Event) (out []slowSaid) {
	events = slices.DeleteFunc(slices.Clone(events), func(e ingest.Event) bool {
		return e.Kind != ingest.KindPosition || e.Time > e.Received+300_000
	})
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received))
	})
	for i := range events {
		p := &events[i].Position
		if len(out) == 0 || out[len(out)-1].t != events[i].Time/1000 {
			rec := p.RecorderSpeed != ingest.NoSpeed
			believed := p.Located && p.Speed <= 2200 && p.Lat >= 3_850_000 && p.Lat <= 53_560_000 && events[i].Flags&ingest.FlagEncrypted == 0
			out = append(out, slowSaid{t: events[i].Time / 1000, recorder: rec && p.RecorderSpeed > 0,
				running: p.ACC || believed && p.Speed >= 50 || rec && p.RecorderSpeed >= 50})
		}
		h := &out[len(out)-1]
		h.alarm, h.video, h.located = h.alarm|p.Alarm, h.video|p.VideoAlarm, h.located || p.Located
	}
	return out
}

type slowAlarm struct {
	kind, subject string
	start, end    int64
	fixes         int
	metres        float64
	atEnd         bool
}

func (v slowAlarm) String() string {
	return fmt.Sprintf("%s %s %d..%d fixes=%d %.0f m end_of_data=%v", v.kind, v.subject, v.start-firstMs/1000, v.end-firstMs/1000, v.fixes, v.metres, v.atEnd)
}

// slowEdges finds the times from a rising edge to where it clears, with a merge time.
func slowEdges(heard []slowSaid, merge int64, is func(h slowSaid) bool) (out []slowAlarm) {
	for i := 0; i < len(heard); i++ {
		if !is(heard[i]) {
			continue
		}
		j := i
		for j+1 < len(heard) && is(heard[j+1]) {
			j++
		}
		o := slowAlarm{start: heard[i].t, end: heard[j].t, atEnd: j+1 == len(heard)}
		if !o.atEnd && heard[j+1].t-heard[j].t <= 300 {
			o.end = heard[j+1].t
		}
		if n := len(out); n > 0 && o.start-out[n-1].end < merge {
			out[n-1].end, out[n-1].atEnd = o.end, o.atEnd
		} else {
			out = append(out, o)
		}
		i = j
	}
	return out
}

// slowSustained finds the times that open when something held for 60 s, and end with the first of 60 s in which it did not.
func slowSustained(heard []slowSaid, is func(h slowSaid) bool) (out []slowAlarm) {
next:
	for i := 0; i < len(heard); i++ {
		if !is(heard[i]) {
			continue
		}
		opened := i
		for heard[opened].t-heard[i].t < 60 {
			opened++
			if opened == len(heard) || !is(heard[opened]) || heard[opened].t-heard[opened-1].t > 300 {
				continue next // of a run, any later beginning is as good
			}
		}
		held := opened
		for c := opened + 1; c < len(heard); c++ {
			if is(heard[c]) {
				held = c
				continue
			}
			d := c
			for d+1 < len(heard) && !is(heard[d+1]) && heard[d].t-heard[c].t < 60 {
				d++
			}
			if heard[d].t-heard[c].t < 60 {
				continue
			}
			o := slowAlarm{start: heard[i].t, end: heard[c].t}
			if heard[c].t-heard[held].t > 300 {
				o.end = heard[held].t
			}
			out = append(out, o)
			i = d
			continue next
		}
		return append(out, slowAlarm{start: heard[i].t, end: heard[held].t, atEnd: true})
	}
	return out
}

// slowLastFixes are the places at which the last fix that was known before second t may be judged: a moving fix at a stop has two,
// because the fix that tells is still to come.
func slowLastFixes(fixes []slowFix, t int64) []geo.Point {
	last := -1
	for i := range fixes {
		known := i // a believed jump is known with the third of them
		switch {
		case fixes[i].broken:
			known = i + 2
		case i > 0 && fixes[i-1].broken:
			known = i + 1
		}
		if fixes[known].t < t {
			last = i
		}
	}
	if last < 0 {
		return nil
	}
	prefix := slices.Clone(fixes[:last+1])
	slowMotion(prefix)
	out := []geo.Point{prefix[last].place}
	stood := append(slices.Clone(fixes[:last+1]), slowFix{t: fixes[last].t + 1, p: fixes[last].p})
	slowMotion(stood)
	return append(out, stood[last].place)
}

var slowWords = map[string][]string{
	"dsm":  {"fatigue", "phone", "smoking", "distraction", "abnormal", "seat_belt", "hands_off"},
	"adas": {"forward", "lane", "distance", "pedestrian", "lane_change", "sign", "obstacle"},
	"bsd":  {"rear", "left_rear", "right_rear"},
}

// slowSafety finds what the assistance systems saw of one word. now is as far as the data reach.
func slowSafety(events []ingest.Event, system, word string, now int64) (out []slowAlarm) {
	events = slices.DeleteFunc(slices.Clone(events), func(e ingest.Event) bool {
		return e.Kind != ingest.KindSafety || e.Safety.System != system || e.Safety.Kind != word || e.Time > e.Received+300_000
	})
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received))
	})
	kind := "driver_behavior"
	if system != "dsm" {
		kind = "collision_risk"
	}
	var last ingest.Event // start
	ended := false        // by its flag
	for _, e := range events {
		t := e.Time / 1000
		n := len(out) - 1
		switch {
		case e.Safety.Flag != "end" && n >= 0 && t-out[n].end < 60:
			out[n].end, last, ended = t+60, e, false
		case e.Safety.Flag != "end":
			out = append(out, slowAlarm{kind: kind, subject: fmt.Sprintf("%s/%d", word, e.Safety.AlarmID), start: t, end: t + 60})
			last, ended = e, false
		case n < 0 || ended:
		case t <= last.Time/1000+60 || e.Safety.AlarmID == last.Safety.AlarmID && t <= last.Time/1000+3600:
			out[n].end, ended = t, true
		}
	}
	if n := len(out) - 1; n >= 0 && !ended && out[n].end > now {
		out[n].end, out[n].atEnd = last.Time/1000, true
	}
	return out
}

// slowAlarms reads the track of a vehicle.
func slowAlarms(events []ingest.Event, blind *geo.Shape) (out []slowAlarm) {
	heard := slowSay(events)
	fixes := slowGate(slices.DeleteFunc(slices.Clone(events), func(e ingest.Event) bool { return e.Kind != ingest.KindPosition }))
	add := func(kind, subject string, found []slowAlarm) {
		for _, o := range found {
			o.kind, o.subject = kind, subject
			out = append(out, o)
		}
	}
	for _, bit := range []int{0, 1, 2, 3, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31} {
		add("terminal_alarm", fmt.Sprint(bit), slowEdges(heard, 60, func(h slowSaid) bool { return h.alarm>>bit&1 == 1 }))
	}
	add("overcrowding", "", slowEdges(heard, 0, func(h slowSaid) bool { return h.video>>4&1 == 1 }))
	add("tampering", "main_power", slowSustained(heard, func(h slowSaid) bool { return h.running && h.alarm>>8&1 == 1 }))
	add("tampering", "antenna", slowSustained(heard, func(h slowSaid) bool {
		return h.running && !h.located && (h.alarm>>4&1 == 1 || h.alarm>>5&1 == 1 || h.alarm>>6&1 == 1)
	}))
	add("tampering", "no_fix", slowSustained(heard, func(h slowSaid) bool {
		return h.running && !h.located && h.recorder && !slices.ContainsFunc(slowLastFixes(fixes, h.t), func(p geo.Point) bool { return blind.Contains(p) })
	}))
	var now int64
	for _, e := range events {
		if e.Time <= e.Received+300_000 {
			now = max(now, e.Time/1000, e.Received/1000)
		}
	}
	for system, words := range slowWords {
		for _, word := range words {
			out = append(out, slowSafety(events, system, word, now)...)
		}
	}
	for i := range out {
		o := &out[i]
		last := -1
		for k, f := range fixes {
			if f.t < o.start || f.t > o.end {
				continue
			}
			if last >= 0 && !f.broken {
				o.metres += geo.Distance(fixes[last].p, f.p)
			}
			o.fixes++
			last = k
		}
	}
	return out
}

// alarmingTrack is a randomTrack whose bits flicker, whose receiver loses its way and whose camera sees things.
func alarmingTrack(rng *rand.Rand, v ingest.Vehicle) (out []ingest.Event) {
	bits := []int{0, 1, 3, 4, 5, 8, 8, 13, 18, 19, 28, 31}
	var alarm, video uint32
	lost, acc, recorder := false, true, true
	last := int64(0)
	track := randomTrack(rng, v)
	slices.SortStableFunc(track, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) })
	for i := range track {
		e := &track[i]
		if rng.IntN(4) == 0 {
			alarm ^= 1 << bits[rng.IntN(len(bits))]
		}
		if rng.IntN(10) == 0 {
			video ^= 1 << (3 + rng.IntN(2))
		}
		if rng.IntN(8) == 0 {
			lost = !lost
		}
		if rng.IntN(15) == 0 {
			acc = !acc
		}
		if rng.IntN(15) == 0 {
			recorder = !recorder
		}
		p := &e.Position
		p.Alarm, p.VideoAlarm, p.ACC = alarm, video, acc
		if lost {
			p.Located = false
		}
		p.RecorderSpeed = []uint16{0, ingest.NoSpeed, 49, 50}[rng.IntN(4)]
		if recorder {
			p.RecorderSpeed = 400
		}
		out = append(out, *e)
		if rng.IntN(10) == 0 { // the same second says something else
			again := *e
			again.Received += int64(rng.IntN(3)) * 1000
			again.Position.Alarm ^= 1 << bits[rng.IntN(len(bits))]
			again.Position.VideoAlarm ^= 1 << 4
			again.Position.Located = rng.IntN(2) == 0
			again.Position.ACC = rng.IntN(2) == 0
			out = append(out, again)
		}
		for rng.IntN(4) == 0 {
			s := *e
			s.Kind, s.Position = ingest.KindSafety, ingest.Position{}
			s.Time += []int64{0, 0, 7000, 59000, 60000, 61000, 119000, 120000, 3600000}[rng.IntN(9)]
			s.Received = s.Time + int64(rng.IntN(4))*1000
			s.Safety = &ingest.Safety{System: []string{"dsm", "dsm", "adas", "bsd", ""}[rng.IntN(5)], AlarmID: uint32(rng.IntN(3)), Flag: []string{"start", "end", ""}[rng.IntN(3)]}
			s.Safety.Kind = []string{"phone", "fatigue", "forward", "left_rear", "snapshot"}[rng.IntN(5)]
			if s.Time/1000 != last { // of one second the order is that of arrival: not shuffled
				last = s.Time / 1000
				out = append(out, s)
			}
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func alarmsOf(found []detect.Violation) (out []slowAlarm) {
	for i := range found {
		f := &found[i]
		o := slowAlarm{kind: string(f.Kind), start: int64(f.Start) / 1000, fixes: int(f.Fixes), metres: float64(f.DistanceM), atEnd: slices.Contains(f.Notes, "end_of_data")}
		if f.End != nil {
			o.end = int64(*f.End) / 1000
		}
		switch f.Kind {
		case "terminal_alarm":
			o.subject = fmt.Sprint(f.Detail["alarm"].(map[string]any)["bit"])
		case "overcrowding":
		case "tampering":
			o.subject = f.Detail["cause"].(string)
		case "driver_behavior":
			o.subject = fmt.Sprintf("%s/%d", f.Detail["behavior"], f.Detail["alarm_id"])
		case "collision_risk":
			o.subject = fmt.Sprintf("%s/%d", f.Detail["warning"], f.Detail["alarm_id"])
		default:
			continue
		}
		out = append(out, o)
	}
	return out
}

func TestAlarmsAgreeWithASlowReading(t *testing.T) {
	tracks := many(3000, 300)
	v := vehicleOf(t, "晋E12345")
	data := &detect.ReferenceData{Fences: []detect.Fence{{ID: "B", Kind: detect.FenceBlind, Geometry: orb.Point{112.81, 35.5}, RadiusM: 2500}}}
	blind, err := geo.Compile(data.Fences[0].Geometry, 2500, 0)
	if err != nil {
		t.Fatal(err)
	}
	snap := compile(t, data, 1)
	seen := map[string]int{}
	lines := func(vs []slowAlarm) []string {
		var out []string
		for _, v := range vs {
			out = append(out, v.String())
		}
		slices.Sort(out)
		return out
	}
	for n := range tracks {
		rng := rand.New(rand.NewPCG(uint64(n), 606))
		events := alarmingTrack(rng, v)
		want := lines(slowAlarms(events, blind))
		found, _ := detect.Replay(snap, slices.Clone(events), true)
		ours := alarmsOf(found)
		for _, o := range ours {
			seen[o.kind+" "+strings.Split(o.subject, "/")[0]]++
		}
		got := lines(ours)
		var diff []string
		for _, l := range got {
			if !slices.Contains(want, l) {
				diff = append(diff, "engine: "+l)
			}
		}
		for _, l := range want {
			if !slices.Contains(got, l) {
				diff = append(diff, "slow:   "+l)
			}
		}
		if len(diff) > 0 || len(got) != len(want) {
			t.Fatalf("track %d: %d and %d violations:\n%s", n, len(got), len(want), strings.Join(diff, "\n"))
		}
		if n%100 == 0 {
			restarted, _ := viaCheckpoints(t, snap, slices.Clone(events), true)
			if a, b := asJSON(t, found), asJSON(t, restarted); !bytes.Equal(a, b) {
				t.Fatalf("track %d: with a checkpoint after every event:\n%s\nwithout:\n%s", n, b, a)
			}
		}
		// With the clock running, the end is the same.
		if live := lines(alarmsOf(runLive(snap, events))); !slices.Equal(live, got) {
			t.Fatalf("track %d: with a running clock\n%s\nwithout\n%s", n, strings.Join(live, "\n"), strings.Join(got, "\n"))
		}
	}
	for _, k := range []string{"terminal_alarm 0", "terminal_alarm 31", "overcrowding ", "tampering main_power", "tampering antenna", "tampering no_fix", "driver_behavior phone", "collision_risk left_rear"} {
		if seen[k] < tracks/4 {
			t.Errorf("the tracks made only %d of %s: they prove little", seen[k], k)
		}
	}
	t.Logf("%d tracks: %v", tracks, seen)
}

// runLive feeds events in order of time to an engine whose clock runs, and returns what stands at the end.
func runLive(snap *detect.Snapshot, events []ingest.Event) []detect.Violation {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received))
	})
	e := detect.New(snap)
	latest := map[string]detect.Violation{}
	keep := func(vs []detect.Violation) {
		for _, v := range vs {
			latest[v.ID] = v
		}
	}
	for i := range events {
		keep(e.Process(events[i:i+1], 1))
	}
	keep(e.Finish(1, true))
	return slices.DeleteFunc(slices.Collect(maps.Values(latest)), func(v detect.Violation) bool { return v.State == detect.StateRetracted })
}

// Who stands at a place of which nothing is known is nowhere.
func TestAlarmWithoutAPlace(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	e := position(v, 0, 35.5, 112.8, 0)
	e.Position.Located, e.Position.Alarm = false, 1
	found, _ := detect.Replay(compile(t, &detect.ReferenceData{}, 1), []ingest.Event{e}, false)
	if len(found) != 1 || found[0].StartLat != nil || found[0].EndLat != nil || found[0].Fixes != 0 || found[0].State != detect.StateOpen {
		t.Errorf("found %s", dump(found))
	}
}

// bitsOf reads numbers of bits, as in 0,8.
func bitsOf(t *testing.T, text string) (word uint32) {
	t.Helper()
	for n := range strings.SplitSeq(text, ",") {
		word |= 1 << uint(number(t, n))
	}
	return word
}

// safety reads a line of a track that an assistance system wrote: see the README beside the scenarios.
func (s *scenario) safety(t *testing.T, v ingest.Vehicle, f []string) ingest.Event {
	t.Helper()
	ms := s.clock(t, f[0])
	a := &ingest.Safety{System: f[1], Kind: f[2], Speed: ingest.NoSpeed}
	e := ingest.Event{Kind: ingest.KindSafety, Source: ingest.SourceFile, Vehicle: v, Time: ms, Received: ms, Safety: a}
	for _, w := range f[3:] {
		switch k, val, _ := strings.Cut(w, "="); k {
		case "start", "end":
			a.Flag = w
		case "id":
			a.AlarmID = uint32(number(t, val))
		case "level":
			a.Level = uint8(number(t, val))
		case "received":
			e.Received = s.clock(t, val)
		default:
			t.Fatalf("track of %s: unknown word %q", v, w)
		}
	}
	return e
}

// What goes on allocates nothing: bits that stay set, a receiver that stays lost, an alarm that starts again and again.
func TestAlarmsAllocateNothing(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	e := detect.New(compile(t, &detect.ReferenceData{}, 1))
	s := int64(0)
	next := func() []ingest.Event {
		s += 10
		p := position(v, s, 35.5, 112.8+float64(s%1000)*1e-6, 50)
		p.Position.Alarm, p.Position.VideoAlarm, p.Position.RecorderSpeed = 1<<0|1<<5|1<<8|1<<19, 1<<4, 500
		p.Position.Located = s < 300
		phone := p
		phone.Kind, phone.Safety = ingest.KindSafety, &ingest.Safety{System: "dsm", Kind: "phone", Flag: "start"}
		clear := p
		clear.Time++
		return []ingest.Event{p, phone, clear}
	}
	for range 60 {
		e.Process(next(), 1)
	}
	batches := make([][]ingest.Event, 110)
	for i := range batches {
		batches[i] = next()
	}
	i, records := 0, 0
	if n := testing.AllocsPerRun(20, func() { records += len(e.Process(batches[i], 1)); i++ }); n != 0 {
		t.Errorf("%v allocations, %d records", n, records)
	}
}
