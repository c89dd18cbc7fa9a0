package detect_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// The slow reading of the rule book: the whole track in memory, one pass for each question, nothing clever. It shares only
// geo's exact shapes and the calendar with the engine.

type slowFix struct {
	t      int64 // s
	p      geo.Point
	speed  int // 0.1 km/h; -1 unknown
	broken bool
	spike  bool
	place  geo.Point
}

type slowViolation struct {
	kind, fence string
	start, end  int64
	top         int
	fixes       int
	metres      float64
	atEnd       bool
}

func (v slowViolation) String() string {
	return fmt.Sprintf("%s fence=%s %d..%d top=%d fixes=%d %.0f m end_of_data=%v", v.kind, v.fence, v.start, v.end, v.top, v.fixes, v.metres, v.atEnd)
}

// slowGate makes fixes of events in order of (time, received, arrival).
func slowGate(events []ingest.Event) []slowFix {
	slices.SortStableFunc(events, func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Received, b.Received))
	})
	var fixes, jumps []slowFix
	near := func(a, b slowFix) bool {
		return geo.Distance(a.p, b.p) <= 200.0/3.6*math.Abs(float64(b.t-a.t))
	}
	for _, e := range events {
		f := slowFix{t: e.Time / 1000, p: geo.Point{Lat: e.Position.Lat, Lon: e.Position.Lon}, speed: int(e.Position.Speed)}
		if e.Position.Speed == ingest.NoSpeed {
			f.speed = -1
		}
		if e.Time > e.Received+300_000 || !e.Position.Located || f.speed > 2200 {
			continue
		}
		same := func(o slowFix) bool { return o.t == f.t }
		if slices.ContainsFunc(fixes, same) || slices.ContainsFunc(jumps, same) {
			continue
		}
		if len(fixes) == 0 || near(fixes[len(fixes)-1], f) {
			fixes, jumps = append(fixes, f), nil
			continue
		}
		if len(jumps) > 0 && !near(jumps[len(jumps)-1], f) {
			jumps = nil
		}
		if jumps = append(jumps, f); len(jumps) == 3 {
			jumps[0].broken = true
			fixes, jumps = append(fixes, jumps...), nil
		}
	}
	return fixes
}

// slowMotion answers which speeds are spikes, and where fences judge each fix.
func slowMotion(fixes []slowFix) {
	for i := 1; i+1 < len(fixes); i++ {
		a, f, b := fixes[i-1], &fixes[i], fixes[i+1]
		f.spike = !f.broken && !b.broken && a.speed >= 0 && f.speed >= 0 && b.speed >= 0 && f.t-a.t <= 60 && b.t-f.t <= 60 &&
			f.speed > a.speed+300 && f.speed > b.speed+300
	}
	stopped := false
	var place geo.Point
	for i := range fixes {
		f := &fixes[i]
		f.place = f.p
		if f.broken {
			stopped = false
		}
		switch {
		case f.speed < 0:
		case f.speed < 50:
			if !stopped || geo.Distance(place, f.p) > 200 {
				stopped, place = true, f.p
			}
			f.place = place
		case stopped && geo.Distance(place, f.p) <= 200 && i+1 < len(fixes) && !fixes[i+1].broken && fixes[i+1].speed >= 0 && fixes[i+1].speed < 50:
			f.place = place
		default:
			stopped = false
		}
	}
}

// between counts the fixes and metres from fix a to fix b.
func between(fixes []slowFix, a, b int) (n int, metres float64) {
	for i := a + 1; i <= b; i++ {
		if !fixes[i].broken {
			metres += geo.Distance(fixes[i-1].p, fixes[i].p)
		}
	}
	return b - a + 1, metres
}

type slowFence struct {
	id    string
	limit int // 0.1 km/h; 0 forbidden
	shape *geo.Shape
}

// slowSpeeding finds the runs of speeding of a hazmat vehicle: 80 km/h, or a zone's limit.
func slowSpeeding(fixes []slowFix, fences []slowFence) (out []slowViolation) {
	type key struct {
		limit int
		fence string
	}
	type run struct {
		key              key
		first, last, end int // indices; end is the fix that ends it
		top              int
		atEnd            bool
	}
	keyAt := func(f slowFix) key {
		k := key{800, ""}
		for _, z := range fences {
			if z.limit != 0 && z.shape.Contains(f.place) && (z.limit < k.limit || z.limit == k.limit && (k.fence == "" || z.id < k.fence)) {
				k = key{z.limit, z.id}
			}
		}
		return k
	}
	var runs []run
	var cur *run
	finish := func(end int, held bool, atEnd bool) {
		cur.end, cur.atEnd = end, atEnd
		if held {
			cur.end = cur.last
		}
		runs = append(runs, *cur)
		cur = nil
	}
	brokenSince := func(a, b int) bool {
		for i := a + 1; i <= b; i++ {
			if fixes[i].broken {
				return true
			}
		}
		return false
	}
	for i, f := range fixes {
		if f.spike || f.speed < 0 {
			continue
		}
		k := keyAt(f)
		over := f.speed > k.limit
		if cur != nil && (f.t-fixes[cur.last].t > 300 || brokenSince(cur.last, i)) {
			finish(0, true, false)
		}
		if cur != nil && (!over || k != cur.key) {
			finish(i, false, false)
		}
		switch {
		case !over:
		case cur == nil:
			cur = &run{key: k, first: i, last: i, top: f.speed}
		default:
			cur.last, cur.top = i, max(cur.top, f.speed)
		}
	}
	if cur != nil {
		// A break or more than 5 minutes of fixes that don't count end it before the data do.
		last := len(fixes) - 1
		finish(0, true, !(brokenSince(cur.last, last) || fixes[last].t-fixes[cur.last].t > 300))
	}
	type violation struct {
		run
		ended int64
	}
	var vs []violation
next:
	for _, r := range runs {
		if r.last == r.first || fixes[r.last].t-fixes[r.first].t < 30 {
			continue
		}
		for i := range vs {
			if v := &vs[i]; v.key == r.key && fixes[r.first].t-v.ended < 60 {
				v.end, v.top, v.atEnd, v.ended = r.end, max(v.top, r.top), r.atEnd, fixes[r.end].t
				continue next
			}
		}
		vs = append(vs, violation{r, fixes[r.end].t})
	}
	for _, v := range vs {
		o := slowViolation{kind: "speeding", fence: v.key.fence, start: fixes[v.first].t, end: v.ended, top: v.top, atEnd: v.atEnd}
		o.fixes, o.metres = between(fixes, v.first, v.end)
		out = append(out, o)
	}
	return out
}

// slowEntries finds the entries into forbidden fences.
func slowEntries(fixes []slowFix, fences []slowFence) (out []slowViolation) {
	for _, z := range fences {
		if z.limit != 0 {
			continue
		}
		for i := 0; i+1 < len(fixes); i++ {
			if !z.shape.Contains(fixes[i].place) || fixes[i+1].broken || !z.shape.Contains(fixes[i+1].place) {
				continue
			}
			first, held, leaving, end := i, i+1, -1, -1
			j := i + 2
			for ; j < len(fixes) && end < 0; j++ {
				switch {
				case fixes[j].broken:
					end = held
				case z.shape.Contains(fixes[j].place) || !z.shape.OutsideBy(fixes[j].place, 20):
					held, leaving = j, -1
				case leaving < 0:
					leaving = j
				case fixes[leaving].t-fixes[held].t > 300:
					end = held
				default:
					end = leaving
				}
			}
			o := slowViolation{kind: "fence_entry", fence: z.id, start: fixes[first].t, atEnd: end < 0}
			if end < 0 {
				end = held
			}
			o.end = fixes[end].t
			o.fixes, o.metres = between(fixes, first, end)
			out = append(out, o)
			i = j - 2 // the fix that ended it may begin another
		}
	}
	return out
}

// randomTrack is a day in the life of a vehicle with bad luck: odd intervals, standing drift, spikes, jumps, lost speeds,
// repeated seconds, in no order.
func randomTrack(rng *rand.Rand, v ingest.Vehicle) []ingest.Event {
	var out []ingest.Event
	lat, lon, heading, kmh := 35.5, 112.8, rng.Float64()*360, 60.0
	s := int64(0)
	intervals := []int64{1, 5, 10, 15, 29, 30, 30, 30, 31, 60, 61, 120, 299, 300, 301, 500}
	standing := 0
	for range 60 + rng.IntN(200) {
		dt := intervals[rng.IntN(len(intervals))]
		s += dt
		switch {
		case standing > 0:
			standing--
			kmh = rng.Float64() * 6
		case rng.IntN(15) == 0:
			standing = 1 + rng.IntN(6)
			kmh = 0
		default:
			kmh = min(max(kmh+rng.Float64()*30-15, 4), 110)
			if rng.IntN(4) == 0 {
				kmh = 70 + rng.Float64()*25
			}
		}
		heading += rng.Float64()*60 - 30
		if geo.Distance(geo.Point{Lat: 35500000, Lon: 112800000}, geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)}) > 4000 {
			heading = math.Atan2(112.8-lon, 35.5-lat) * 180 / math.Pi // back to where the fences are
		}
		// On the spot or along the way, with noise, so that it often lies about a border.
		lat, lon = shift(lat, lon, math.Min(kmh/3.6*float64(dt), 1500)*rng.Float64(), heading)
		e := position(v, s, lat+(rng.Float64()-0.5)*2e-4, lon+(rng.Float64()-0.5)*2e-4, kmh)
		switch rng.IntN(40) {
		case 0:
			e.Position.Speed = ingest.NoSpeed
		case 1:
			e.Position.Speed += 600
		case 2:
			e.Position.Lat += 900000
		case 3:
			e.Position.Located = false
		case 4:
			e.Received = e.Time - 301_000
		case 5: // carried away, and believed if it stays there
			lat += 0.5
		case 6:
			lat = 35.5
		}
		out = append(out, e)
		if rng.IntN(20) == 0 {
			again := e
			again.Received += 1000
			again.Position.Speed = 1500
			out = append(out, again)
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestEngineAgreesWithASlowReading(t *testing.T) {
	tracks := many(4000, 400)
	seen := map[string]int{}
	v := vehicleOf(t, "晋E12345")
	for n := range tracks {
		rng := rand.New(rand.NewPCG(uint64(n), 99))
		data := &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}}
		var fences []slowFence
		for i := range 1 + rng.IntN(5) {
			f := detect.Fence{ID: fmt.Sprint("F", i), Kind: detect.FenceForbidden}
			if rng.IntN(2) == 0 {
				f.Kind, f.SpeedLimit = detect.FenceSpeed, uint16(400+100*rng.IntN(5))
			}
			at := orb.Point{112.8 + (rng.Float64()-0.5)*0.06, 35.5 + (rng.Float64()-0.5)*0.06}
			if rng.IntN(2) == 0 {
				f.Geometry, f.RadiusM = at, 200+rng.Float64()*2000
			} else {
				f.Geometry = square(at[1], at[0], 0.002+rng.Float64()*0.02)
			}
			shape, err := geo.Compile(f.Geometry, f.RadiusM, 0)
			if err != nil {
				t.Fatal(err)
			}
			data.Fences = append(data.Fences, f)
			fences = append(fences, slowFence{f.ID, int(f.SpeedLimit), shape})
		}
		events := randomTrack(rng, v)
		fixes := slowGate(slices.Clone(events))
		slowMotion(fixes)
		want := append(slowSpeeding(fixes, fences), slowEntries(fixes, fences)...)
		found, _ := detect.Replay(compile(t, data, 1), events, true)
		var got []slowViolation
		for i := range found {
			f := &found[i]
			if f.Kind != detect.KindSpeeding && f.Kind != detect.KindFenceEntry { // the others have slow readings of their own
				continue
			}
			o := slowViolation{kind: string(f.Kind), start: int64(f.Start) / 1000, end: int64(*f.End) / 1000, fixes: int(f.Fixes), metres: float64(f.DistanceM)}
			if f.Fence != nil {
				o.fence = *f.Fence
			}
			if f.Measured != nil {
				o.top = int(math.Round(*f.Measured * 10))
			}
			o.atEnd = slices.Contains(f.Notes, "end_of_data")
			got = append(got, o)
			seen[o.kind]++
		}
		text := func(vs []slowViolation) string {
			var lines []string
			for _, v := range vs {
				lines = append(lines, v.String())
			}
			slices.Sort(lines)
			return strings.Join(lines, "\n")
		}
		if g, w := text(got), text(want); g != w {
			t.Fatalf("track %d: the engine finds\n%s\nthe slow reading\n%s", n, g, w)
		}
	}
	if seen["speeding"] < tracks/2 || seen["fence_entry"] < tracks/4 {
		t.Errorf("the tracks made only %v: they prove little", seen)
	}
	t.Logf("%d tracks: %v", tracks, seen)
}
