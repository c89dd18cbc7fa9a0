package detect_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/geo"
	"lushao/ingest"
)

// The slow reading of driving time: whole tracks and all cards in memory; every sum is counted anew from the pieces of driving.
// Times are ms.

type slowChange struct {
	at     int64
	driver string // "" none yet
}

// slowPiece is driving in one piece, of one vehicle and driver.
type slowPiece struct {
	a, b   int64
	driver string
}

type slowDuty struct {
	rec     *detect.VehicleRecord
	fixes   []slowFix
	stop    []int // number of the stop that a fix belongs to; -1 none
	changes []slowChange
	pieces  []slowPiece
	pending [][2]int64 // when a card was waiting for a stop
}

type slowFleet struct {
	set    *detect.Settings
	duties []*slowDuty
	breaks map[string][]int64 // by driver
}

type slowDriving struct {
	plate, kind, cause, driver string
	start, end                 int64
	hours                      string
	fixes                      int
	notes                      string
	stretch, seconds           int64
}

func (v slowDriving) String() string {
	return fmt.Sprintf("%s %s %s of %s %.3f..%.3f %s, %d fixes, stretch %.2f %d s %s", v.plate, v.kind, v.cause, v.driver, float64(v.start-firstMs)/1000,
		float64(v.end-firstMs)/1000, v.hours, v.fixes, float64(v.stretch-firstMs)/1000, v.seconds, v.notes)
}

// hundredths writes ms as a number of units with two decimals, half to even.
func hundredths(ms, unit int64) string {
	n, rest := ms*100/unit, ms*100%unit
	if 2*rest > unit || 2*rest == unit && n%2 == 1 {
		n++
	}
	return fmt.Sprintf("%d.%02d", n/100, n%100)
}

func (d *slowDuty) ms(i int) int64 { return d.fixes[i].t * 1000 }

// state is m moving, s in a stop, - neither.
func (d *slowDuty) state(i int) byte {
	switch {
	case d.stop[i] >= 0:
		return 's'
	case d.fixes[i].speed < 0:
		return '-'
	}
	return 'm'
}

func (d *slowDuty) driverAt(t int64) (driver string) {
	for _, c := range d.changes {
		if c.at <= t {
			driver = c.driver
		}
	}
	return driver
}

// slowCards says when cards count.
func (d *slowDuty) slowCards(cards []slowChange) {
	stopped := func(i int) bool { return d.fixes[i].speed >= 0 && d.fixes[i].speed < 50 }
	for n, c := range cards {
		if d.driverAt(c.at) == c.driver {
			continue
		}
		before, after := -1, -1
		for i := range d.fixes {
			if d.ms(i) <= c.at && stopped(i) {
				before = i
			}
			if d.ms(i) > c.at && after < 0 {
				after = i
			}
		}
		if before >= 0 && c.at-d.ms(before) <= 300_000 || after >= 0 && stopped(after) {
			d.changes = append(d.changes, c)
			continue
		}
		until := int64(math.MaxInt64)
		if n+1 < len(cards) {
			until = cards[n+1].at
		}
		for i := range d.fixes {
			if d.ms(i) > c.at && d.ms(i) < until && stopped(i) {
				d.changes = append(d.changes, slowChange{d.ms(i), c.driver})
				until = d.ms(i)
			}
		}
		d.pending = append(d.pending, [2]int64{c.at, until})
	}
}

// drives finds the pieces of driving.
func (d *slowDuty) drives(set *detect.Settings) {
	add := func(a, b int64) {
		for _, c := range d.changes {
			if c.at > a && c.at < b {
				d.pieces = append(d.pieces, slowPiece{a, c.at, d.driverAt(a)})
				a = c.at
			}
		}
		if a < b {
			d.pieces = append(d.pieces, slowPiece{a, b, d.driverAt(a)})
		}
	}
	for i := 1; i < len(d.fixes); i++ {
		a, b := d.ms(i-1), d.ms(i)
		long := b - a
		same := d.stop[i] >= 0 && d.stop[i] == d.stop[i-1]
		switch {
		case d.fixes[i].broken || same:
		case long > int64(set.Driving.GapS)*1000:
			least := min(int64(math.Round(geo.Distance(d.fixes[i-1].p, d.fixes[i].p)*3600/set.Driving.GapSpeed)), long)
			if long-least < int64(set.Driving.RestS)*1000 {
				add(a, a+least)
			}
		default:
			switch string([]byte{d.state(i - 1), d.state(i)}) {
			case "mm":
				add(a, b)
			case "ms", "m-":
				add(a, a+long/2)
			case "sm", "-m":
				add(a+long/2, b)
			case "ss":
				add(a+long/4, b-long/4)
			}
		}
	}
}

// of returns the pieces of a driver; one without a card is the vehicle.
func (w *slowFleet) of(d *slowDuty, driver string) (out []slowPiece) {
	for _, o := range w.duties {
		for _, p := range o.pieces {
			if p.driver == driver && (driver != "" || o == d) {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(a, b slowPiece) int { return int(a.a - b.a) })
	return out
}

func between2(pieces []slowPiece, from, to int64) (sum int64) {
	for _, p := range pieces {
		sum += max(0, min(p.b, to)-max(p.a, from))
	}
	return sum
}

// stretch returns the beginning of the stretch that goes on at t, and what of it was driven up to t; 0 where none does.
func (w *slowFleet) stretch(d *slowDuty, driver string, pieces []slowPiece, t int64) (from, driven int64) {
	rest := int64(w.set.Driving.RestS) * 1000
	key := driver
	if key == "" {
		key = d.rec.Vehicle.Plate()
	}
	last := int64(0)
	for _, p := range pieces {
		if p.a >= t {
			break
		}
		broken := slices.ContainsFunc(w.breaks[key], func(b int64) bool { return b >= last && b <= p.a })
		if from == 0 || p.a-last >= rest || broken {
			from = p.a
		}
		last = min(p.b, t)
	}
	if from == 0 || t-last >= rest || slices.ContainsFunc(w.breaks[key], func(b int64) bool { return b >= last && b <= t }) {
		return 0, 0
	}
	return from, between2(pieces, from, t)
}

// night returns the night that holds t.
func slowNight(t int64) (from, to int64, in bool) {
	const day = 86400_000
	midnight := (t+8*3600_000)/day*day - 8*3600_000
	for _, from := range []int64{midnight - 2*3600_000, midnight + 22*3600_000} {
		if t >= from && t < from+8*3600_000 {
			return from, from + 8*3600_000, true
		}
	}
	return 0, 0, false
}

// measure is what a kind that looks at a stretch counts at t, and where its window ends; -1 where it is not judged.
type slowMeasure func(pieces []slowPiece, d *slowDuty, driver string, t int64) (ms, until int64)

func (w *slowFleet) continuous(pieces []slowPiece, d *slowDuty, driver string, t int64) (int64, int64) {
	_, driven := w.stretch(d, driver, pieces, t)
	return driven, math.MaxInt64
}

func (w *slowFleet) atNight(pieces []slowPiece, d *slowDuty, driver string, t int64) (int64, int64) {
	n0, n1, in := slowNight(t)
	from, _ := w.stretch(d, driver, pieces, t)
	if !in || from == 0 {
		return -1, 0
	}
	return between2(pieces, max(from, n0), t), n1
}

// stretches finds the violations of one kind that looks at stretches.
func (w *slowFleet) stretches(d *slowDuty, kind, cause string, limit int64, measure slowMeasure) (out []slowDriving) {
	rest := int64(w.set.Driving.RestS) * 1000
	of := map[string][]slowPiece{}
	for i := 0; i < len(d.fixes); i++ {
		driver := d.driverAt(d.ms(i))
		pieces, ok := of[driver]
		if !ok {
			pieces = w.of(d, driver)
			of[driver] = pieces
		}
		ms, until := measure(pieces, d, driver, d.ms(i))
		if d.state(i) != 'm' || d.fixes[i].broken || ms <= limit {
			continue
		}
		o := slowDriving{plate: d.rec.Vehicle.Plate(), kind: kind, cause: cause, driver: driver, start: d.ms(i), end: -1}
		o.stretch, _ = w.stretch(d, driver, pieces, o.start)
		held := i
		// lastDriven is until when the vehicle was driven, before t.
		lastDriven := func(t int64) (last int64) {
			for _, p := range d.pieces {
				if p.a < t {
					last = max(last, min(p.b, t))
				}
			}
			return last
		}
		change := int64(math.MaxInt64)
		for _, c := range d.changes {
			if c.at > o.start && c.driver != driver {
				change = min(change, c.at)
			}
		}
		hole, drove := int64(math.MaxInt64), int64(0)
		for _, p := range append(slices.Clone(d.pieces), slowPiece{a: math.MaxInt64}) {
			if p.a > o.start && p.a-lastDriven(p.a) >= rest && lastDriven(p.a) >= lastDriven(o.start) {
				if h := lastDriven(p.a) + rest; h > o.start {
					hole, drove = h, lastDriven(p.a)
					break
				}
			}
		}
		var effective int64
		gap := false
		k := i + 1
		for ; k < len(d.fixes) && o.end < 0; k++ {
			a, b := d.ms(k-1), d.ms(k)
			own := func(t int64) int64 {
				if b-a > 300_000 {
					return d.ms(held)
				}
				return t
			}
			if d.fixes[k].broken {
				o.end, effective = d.ms(held), a
				continue
			}
			if change <= a { // at the very fix
				panic("a change that was overlooked")
			}
			switch first := min(change, hole, until); {
			case first > b:
			case first == hole:
				effective = drove
				o.end = d.ms(held)
				for j := i + 1; j <= k; j++ {
					if d.state(j) == 's' && d.ms(j) >= drove && (j < k || lastDriven(b) <= drove) {
						if d.ms(j)-d.ms(j-1) <= 300_000 {
							o.end = d.ms(j)
						}
						break
					}
				}
				for j := 1; j <= k; j++ {
					same := d.stop[j] >= 0 && d.stop[j] == d.stop[j-1]
					gap = gap || d.ms(j) > drove && d.ms(j)-d.ms(j-1) > int64(w.set.Driving.GapS)*1000 && !d.fixes[j].broken && !same || d.ms(j) > drove && same && d.ms(j)-d.ms(j-1) > int64(w.set.Driving.GapS)*1000
				}
			case first == change:
				effective, o.end = change, own(change)
			default:
				effective, o.end = until, own(until)
			}
			if o.end < 0 && d.state(k) == 'm' {
				held = k
			}
		}
		notes := []string{}
		if o.end < 0 {
			o.end, effective = d.ms(held), d.ms(len(d.fixes)-1)
			notes = append(notes, "end_of_data")
		}
		if gap {
			notes = append(notes, "gap_assumed_rest")
		}
		last := min(effective, max(lastDriven(effective), o.start))
		if kind == "fatigue_night" {
			n0, n1, _ := slowNight(o.start)
			o.hours = hundredths(between2(pieces, max(o.stretch, n0), min(last, n1)), 3600_000)
		} else {
			o.hours = hundredths(between2(pieces, o.stretch, last), 3600_000)
		}
		o.seconds = int64(math.RoundToEven(float64(between2(pieces, o.stretch, last)) / 1000))
		for j := i; j < k && j < len(d.fixes); j++ { // a card that waited while it went on
			for _, p := range d.pending {
				if p[0] <= d.ms(j) && p[1] > d.ms(j) && d.driverAt(d.ms(j)) == driver && !slices.Contains(notes, "card_change_moving") && (o.end >= d.ms(j) || j < k-1) {
					notes = append(notes, "card_change_moving")
				}
			}
		}
		slices.Sort(notes)
		o.notes = strings.Join(notes, " ")
		for j := range d.fixes {
			if d.ms(j) >= o.start && d.ms(j) <= o.end {
				o.fixes++
			}
		}
		out = append(out, o)
		if k >= len(d.fixes) && slices.Contains(notes, "end_of_data") {
			break
		}
		i = max(i, k-2) // the fix that ended it may begin another
	}
	return out
}

// sums finds the violations of a rolling sum.
func (w *slowFleet) sums(d *slowDuty, kind string, set *detect.FatigueSumSettings) (out []slowDriving) {
	limit, window := int64(set.LimitS)*1000, int64(set.WindowS)*1000
	drivers := map[string]bool{}
	for _, c := range d.changes {
		drivers[c.driver] = true
	}
	if w.set.Driving.SumsWithoutCard {
		drivers[""] = true
	}
	for driver := range drivers {
		var pieces []slowPiece // in coaches
		for _, o := range w.duties {
			for _, p := range o.pieces {
				if p.driver == driver && o.rec.Class.Coach() && (driver != "" || o == d) {
					pieces = append(pieces, p)
				}
			}
		}
		sum := func(t int64) int64 { return between2(pieces, t-window, t) }
		fallen := func(from, to int64) bool {
			return slices.ContainsFunc(pieces, func(p slowPiece) bool { return p.a > from && p.a <= to && sum(p.a) <= limit })
		}
		var cur *slowDriving
		top, moved := int64(0), false
		finish := func(notes string) {
			if moved {
				notes = strings.TrimSpace("card_change_moving " + notes)
			}
			moved = false
			cur.hours, cur.notes = hundredths(top, 3600_000), notes
			for j := range d.fixes {
				if d.ms(j) >= cur.start && d.ms(j) <= cur.end {
					cur.fixes++
				}
			}
			out = append(out, *cur)
			cur = nil
		}
		for i := range d.fixes {
			t := d.ms(i)
			if cur != nil && (fallen(cur.end, t) || sum(t) <= limit) {
				finish("")
			}
			over := d.state(i) == 'm' && !d.fixes[i].broken && d.driverAt(t) == driver && sum(t) > limit
			inSegment := i > 0 && slices.ContainsFunc(d.pieces, func(p slowPiece) bool { return p.driver == driver && p.b > d.ms(i-1) && p.a < t })
			switch {
			case over && cur == nil && inSegment:
				cur, top = &slowDriving{plate: d.rec.Vehicle.Plate(), kind: kind, driver: driver, start: t, end: t}, 0
			case over && cur != nil:
				cur.end = t
			}
			if cur != nil {
				top = max(top, sum(t))
				waits := slices.ContainsFunc(d.pending, func(p [2]int64) bool { return p[0] <= t && t < p[1] })
				moved = moved || over && waits
			}
		}
		if cur != nil {
			finish("end_of_data")
		}
	}
	return out
}

// fatigue finds everything about driving time.
func (w *slowFleet) fatigue() (out []slowDriving) {
	set := w.set
	opened := map[string][]slowDriving{} // continuous, by driver or plate
	for _, d := range w.duties {
		if d.rec.Class == detect.ClassOther {
			continue
		}
		found := w.stretches(d, "fatigue_continuous", "", int64(set.FatigueContinuous.LimitS)*1000, w.continuous)
		for _, o := range found {
			key := o.driver
			if key == "" {
				key = o.plate
			}
			opened[key] = append(opened[key], o)
		}
		out = append(out, found...)
		if d.rec.Class.Coach() {
			out = append(out, w.stretches(d, "fatigue_night", "", int64(set.FatigueNight.LimitS)*1000, w.atNight)...)
			out = append(out, w.sums(d, "fatigue_daily", &set.FatigueDaily)...)
			out = append(out, w.sums(d, "fatigue_weekly", &set.FatigueWeekly)...)
		}
		if d.rec.Class == detect.ClassHeavyTruck {
			out = append(out, w.stretches(d, "fatigue_severe", "stretch", int64(set.FatigueSevere.LimitS)*1000, w.continuous)...)
		}
	}
	for _, list := range opened {
		slices.SortFunc(list, func(a, b slowDriving) int { return int(a.start - b.start) })
		// The first of each stretch counts.
		var firsts []slowDriving
		for _, o := range list {
			if len(firsts) > 0 && firsts[len(firsts)-1].stretch == o.stretch {
				continue
			}
			heavy := slices.ContainsFunc(w.duties, func(d *slowDuty) bool {
				return d.rec.Vehicle.Plate() == o.plate && d.rec.Class == detect.ClassHeavyTruck
			})
			if heavy && len(firsts) > 0 && o.start-firsts[len(firsts)-1].start <= int64(set.FatigueSevere.RepeatedS)*1000 {
				again := o
				again.kind, again.cause = "fatigue_severe", "repeated"
				out = append(out, again)
			}
			firsts = append(firsts, o)
		}
	}
	return out
}

func (w *slowFleet) read(t *testing.T, data *detect.ReferenceData, events []ingest.Event) []slowDriving {
	t.Helper()
	w.breaks = map[string][]int64{}
	for i := range data.Vehicles {
		d := &slowDuty{rec: &data.Vehicles[i]}
		var positions []ingest.Event
		var cards []slowChange
		for _, e := range events {
			switch {
			case e.Vehicle != d.rec.Vehicle:
			case e.Kind == ingest.KindPosition:
				positions = append(positions, e)
			case e.Kind == ingest.KindDriverCard && e.Driver.On:
				cards = append(cards, slowChange{e.Time, e.Driver.License})
			}
		}
		slices.SortStableFunc(cards, func(a, b slowChange) int { return int(a.at - b.at) })
		d.fixes = slowGate(positions)
		slowMotion(d.fixes)
		d.stop = slices.Repeat([]int{-1}, len(d.fixes))
		for n, s := range slowStops(d.fixes) {
			for _, k := range s.of {
				d.stop[k] = n
			}
		}
		d.slowCards(cards)
		d.drives(w.set)
		for k, f := range d.fixes {
			if f.broken {
				key := d.driverAt(d.ms(k))
				if key == "" {
					key = d.rec.Vehicle.Plate()
				}
				w.breaks[key] = append(w.breaks[key], d.ms(k))
			}
		}
		w.duties = append(w.duties, d)
	}
	return append(w.fatigue(), w.nights(data)...)
}
