package detect_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// The slow reading of no_waybill: the whole track and all papers in memory. Times are ms.

type slowPaper struct{ start, end int64 }

func (p slowPaper) valid(t int64) bool { return p.start <= t && (p.end == 0 || t < p.end) }

type slowHaul struct {
	*slowVehicle
	in     []int  // number of the stop that a fix belongs to; -1 none
	load   []bool // known to be empty
	papers []slowPaper
}

func (h *slowHaul) ms(i int) int64 { return h.fixes[i].t * 1000 }

func (h *slowHaul) valid(t int64) bool {
	return slices.ContainsFunc(h.papers, func(p slowPaper) bool { return p.valid(t) })
}

func (h *slowHaul) moving(i int) bool { return h.in[i] < 0 && h.fixes[i].speed >= 0 }

// slowTime is a piece of time, moving or standing.
type slowTime struct {
	a, b int64
	to   int // the fix that it leads to; of standing the fix at which what it ends has ended
}

// pieces cuts the track into moving and standing.
func (h *slowHaul) pieces() (moving, standing []slowTime) {
	stand := func(a, b int64, end int) {
		if n := len(standing); n > 0 && standing[n-1].b == a && !slices.ContainsFunc(moving, func(m slowTime) bool { return m.a >= standing[n-1].a }) {
			standing[n-1].b = b
			return
		}
		standing = append(standing, slowTime{a, b, end})
	}
	for i := 1; i < len(h.fixes); i++ {
		a, b := h.ms(i-1), h.ms(i)
		mid, quarter := a+(b-a)/2, (b-a)/4
		move := func(a, b int64) { moving = append(moving, slowTime{a, b, i}) }
		switch {
		case h.fixes[i].broken: // neither
		case h.in[i] >= 0 && h.in[i] == h.in[i-1]:
			if n := len(standing); n > 0 && standing[n-1].b == a {
				standing[n-1].b = b
			} else {
				standing = append(standing, slowTime{a, b, i - 1})
			}
		case b-a > 600_000:
			least := min(int64(math.Round(geo.Distance(h.fixes[i-1].p, h.fixes[i].p)*36)), b-a)
			if b-a-least < 1200_000 {
				move(a, a+least)
			}
			standing = append(standing, slowTime{a + least, b, i - 1})
			if h.in[i] < 0 { // nothing joins it
				standing = append(standing, slowTime{b, b, i})
			}
		case h.in[i] >= 0 && h.in[i-1] >= 0:
			stand(a, a+quarter, i-1)
			move(a+quarter, b-quarter)
			standing = append(standing, slowTime{b - quarter, b, i})
		case h.in[i] >= 0:
			if h.moving(i - 1) {
				move(a, mid)
			}
			standing = append(standing, slowTime{mid, b, i})
		case h.in[i-1] >= 0:
			stand(a, mid, i-1)
			if h.moving(i) {
				move(mid, b)
			}
		case h.moving(i-1) && h.moving(i):
			move(a, b)
		case h.moving(i - 1):
			move(a, mid)
		case h.moving(i):
			move(mid, b)
		}
	}
	return moving, standing
}

func (h *slowHaul) violations() (out []slowPlace) {
	moving, standing := h.pieces()
	// rested returns the piece of 2 h that fix i is the first, or one of the next, to know of; nil: none.
	rested := func(i int) *slowTime {
		for k := range standing {
			s := &standing[k]
			if i > 0 && s.b > h.ms(i-1) && s.a <= h.ms(i) && min(s.b, h.ms(i))-s.a >= 7200_000 && !h.fixes[i].broken {
				return s
			}
		}
		return nil
	}
	became := func(i int) (first int64) {
		for _, p := range h.papers {
			if i > 0 && p.start > h.ms(i-1) && p.start <= h.ms(i) && (p.end == 0 || p.end > p.start) && (first == 0 || p.start < first) {
				first = p.start
			}
		}
		return first
	}
	// since is the instant from which on moving counts, at fix i.
	since := func(i int) (t int64) {
		for k := 0; k <= i; k++ {
			if s := rested(k); s != nil {
				t = max(t, min(s.b, h.ms(k)))
			}
			if h.fixes[k].broken || h.load[k] || h.valid(h.ms(k)) || k > 0 && h.load[k-1] {
				t = max(t, h.ms(k))
			}
		}
		for _, p := range h.papers {
			if p.end != 0 && p.end <= h.ms(i) && p.start < p.end {
				t = max(t, p.end)
			}
		}
		return t
	}
	for i := 0; i < len(h.fixes); i++ {
		if h.load[i] || h.valid(h.ms(i)) {
			continue
		}
		from, start, sum := since(i), -1, int64(0)
		for k := i; k >= 0 && h.ms(k) >= from; k-- {
			if h.moving(k) && !h.load[k] && !h.valid(h.ms(k)) {
				start = k
			}
		}
		for _, m := range moving {
			if m.to <= i {
				sum += max(0, m.b-max(m.a, from))
			}
		}
		if start < 0 || sum < 600_000 {
			continue
		}
		end, at := int64(-1), len(h.fixes)
		for j := i + 1; j < len(h.fixes) && end < 0; j++ {
			at = j
			gap := h.ms(j)-h.ms(j-1) > 300_000
			switch s := rested(j); {
			case h.fixes[j].broken:
				end = h.ms(j - 1)
			case s != nil:
				end = h.ms(s.to)
			case became(j) != 0 && !gap:
				end = became(j)
			case became(j) != 0:
				end = h.ms(j - 1)
			case h.load[j] && !gap:
				end = h.ms(j)
			case h.load[j]:
				end = h.ms(j - 1)
			}
		}
		atEnd := end < 0
		if atEnd {
			end, at = h.ms(len(h.fixes)-1), len(h.fixes)
		}
		o := h.found("no_waybill", "", h.fixes[start].t, end/1000)
		o.measured, o.atEnd = minutes(end/1000-h.fixes[start].t), atEnd
		out = append(out, o)
		i = at - 1 // it may begin another
	}
	return out
}

// haulTrack drives, stands, falls silent, loses its speed or its place, loads and unloads.
func haulTrack(rng *rand.Rand, v ingest.Vehicle, bits bool) (out []ingest.Event) {
	at := geo.Point{Lat: 35500000, Lon: 112800000}
	s, status := int64(rng.IntN(600)), uint32(3)
	load := func() {
		status = 3
		if bits {
			status |= []uint32{0, 0, 1, 3}[rng.IntN(4)] << 8
		}
	}
	add := func(kmh float64, words ...int) {
		e := position(v, s, float64(at.Lat)/1e6, float64(at.Lon)/1e6, kmh)
		e.Position.Status = status
		switch rng.IntN(60) {
		case 0:
			e.Position.Speed = ingest.NoSpeed
		case 1:
			e.Position.Located = false
			e.Position.Status ^= 2
		case 2:
			e.Received = e.Time - 301_000
		case 3:
			if bits {
				e.Position.Status = 3 | uint32(rng.IntN(4))<<8
			}
		}
		out = append(out, e)
	}
	step := func(metres float64) {
		lat, lon := shift(float64(at.Lat)/1e6, float64(at.Lon)/1e6, metres, rng.Float64()*90)
		at = geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)}
	}
	for range 4 + rng.IntN(12) {
		switch rng.IntN(7) {
		case 0, 1, 2: // drives
			dt := []int64{10, 30, 60, 60, 300}[rng.IntN(5)]
			for range 1 + rng.IntN(25) {
				s += dt
				kmh := 20 + rng.Float64()*50
				step(kmh / 3.6 * float64(dt))
				add(kmh)
			}
		case 3: // stands, up to about 2 h, drifting now and then
			dt := []int64{60, 120, 299, 301, 599, 600}[rng.IntN(6)]
			left := []int64{120, 900, 3600, 7100, 7200, 7300, 10000}[rng.IntN(7)]
			for ; left > 0; left -= dt {
				s += dt
				if rng.IntN(60) == 0 {
					step(250)
				}
				kmh := rng.Float64() * 4.9
				if rng.IntN(25) == 0 {
					kmh = 6 // alone
				}
				add(kmh)
			}
		case 4: // silent
			s += []int64{500, 601, 700, 1500, 6000, 7200, 7300, 9000}[rng.IntN(8)]
			step([]float64{0, 50, 500, 5000}[rng.IntN(4)])
			add([]float64{0, 40}[rng.IntN(2)])
		case 5:
			load()
		case 6: // carried away
			if rng.IntN(3) == 0 {
				at.Lat += 500000
			}
		}
	}
	return out
}

func TestNoWaybillAgreesWithASlowReading(t *testing.T) {
	hauls := many(4000, 500)
	seen := map[bool]int{}
	for n := range hauls {
		rng := rand.New(rand.NewPCG(uint64(n), 41))
		v := vehicleOf(t, "晋E12345")
		data := &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}}
		events := haulTrack(rng, v, rng.IntN(2) == 0)
		if len(events) == 0 {
			continue
		}
		last := slices.MaxFunc(events, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) }).Time
		instant := func() int64 { return firstMs + rng.Int64N((last-firstMs)/1000+1)*1000 }
		h := &slowHaul{}
		for i := range max(0, rng.IntN(6)-2) { // papers of other systems
			b := detect.WaybillRecord{Number: fmt.Sprint("W", i), Vehicle: v, Start: instant()}
			b.End = b.Start + int64(rng.IntN(7200)-60)*1000
			if rng.IntN(5) == 0 {
				b.Start = 0
			}
			if rng.IntN(5) == 0 {
				b.End = 0
			}
			data.Waybills = append(data.Waybills, b)
			h.papers = append(h.papers, slowPaper{b.Start, b.End})
		}
		reported := map[string]slowPaper{}
		var bills []ingest.Event
		for range max(0, rng.IntN(6)-2) { // papers that the vehicle reports: before, during and after they are valid; corrected later
			w := &ingest.Waybill{Number: fmt.Sprint("E", rng.IntN(3)), Start: instant()}
			w.End = w.Start + int64(rng.IntN(7200))*1000
			at := instant()
			bills = append(bills, ingest.Event{Kind: ingest.KindWaybill, Vehicle: v, Time: at, Received: at, Waybill: w})
		}
		slices.SortStableFunc(bills, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) })
		for _, b := range bills {
			reported[b.Waybill.Number] = slowPaper{b.Waybill.Start, b.Waybill.End}
		}
		for _, p := range reported {
			h.papers = append(h.papers, p)
		}

		loadSince := int64(math.MaxInt64)
		empties := map[int64]bool{}
		for _, e := range events {
			if e.Time > e.Received+300_000 {
				continue
			}
			if e.Position.Status&0x300 != 0 {
				loadSince = min(loadSince, e.Time)
			} else if e.Position.Located {
				empties[e.Time/1000] = true
			}
		}
		h.slowVehicle = &slowVehicle{rec: &data.Vehicles[0], fixes: slowGate(slices.Clone(events))}
		slowMotion(h.fixes)
		for i := range h.fixes {
			h.in = append(h.in, -1)
			h.load = append(h.load, empties[h.fixes[i].t] && h.ms(i) >= loadSince)
		}
		for n, s := range slowStops(h.fixes) {
			for k := s.of[0]; k < len(h.fixes) && (s.next < 0 || k < s.next); k++ {
				h.in[k] = n
			}
		}
		var want []string
		for _, o := range h.violations() {
			want = append(want, o.String())
		}

		all := append(slices.Clone(events), bills...)
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		snap := compile(t, data, 1)
		found, _ := detect.Replay(snap, slices.Clone(all), true)
		found = slices.DeleteFunc(found, func(o detect.Violation) bool { return o.Kind != detect.KindNoWaybill })
		var got []string
		for i := range found {
			f := &found[i]
			o := slowPlace{vehicle: v, kind: string(f.Kind), start: int64(f.Start), end: int64(*f.End), measured: fmt.Sprintf("%.1f", *f.Measured), limit: "-",
				fixes: int(f.Fixes), metres: float64(f.DistanceM), atEnd: slices.Contains(f.Notes, "end_of_data")}
			got = append(got, o.String())
			seen[o.atEnd]++
		}
		slices.Sort(got)
		slices.Sort(want)
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			for i, f := range h.fixes {
				t.Logf("%d %d speed %d in %d broken %v empty %v valid %v", i, f.t-firstMs/1000, f.speed, h.in[i], f.broken, h.load[i], h.valid(h.ms(i)))
			}
			t.Fatalf("haul %d: the engine finds\n%s\nthe slow reading\n%s", n, g, w)
		}
		if n%50 == 0 {
			restarted, _ := viaCheckpoints(t, snap, slices.Clone(all), true)
			restarted = slices.DeleteFunc(restarted, func(o detect.Violation) bool { return o.Kind != detect.KindNoWaybill })
			if a, b := asJSON(t, found), asJSON(t, restarted); !bytes.Equal(a, b) {
				t.Fatalf("haul %d: with a checkpoint after every event:\n%s\nwithout:\n%s", n, b, a)
			}
		}
	}
	if seen[false] < hauls/4 || seen[true] < hauls/20 {
		t.Errorf("the hauls made only %v: they prove little", seen)
	}
	t.Logf("%d hauls: %v", hauls, seen)
}
