package sim

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// TestDeterministic runs twice, and with another size and seed.
func TestDeterministic(t *testing.T) {
	a, b := run(t, offline(20, 2, 9)), run(t, offline(20, 2, 9))
	if !bytes.Equal(a.events, b.events) || !bytes.Equal(a.truth, b.truth) {
		t.Error("the same configuration gives other bytes")
	}
	if len(a.truth) == 0 {
		t.Error("no truth to compare")
	}
	if c := run(t, offline(20, 2, 10)); bytes.Equal(a.events, c.events) {
		t.Error("another seed gives the same bytes")
	}
	// A vehicle drives the same in a larger fleet.
	large := run(t, offline(30, 2, 9))
	small, more := byVehicle(t, a.events), byVehicle(t, large.events)
	for v, list := range small {
		other := more[v]
		if len(list) != len(other) {
			t.Fatalf("%v: %d events, in the larger fleet %d", v, len(list), len(other))
		}
		for i := range list {
			if list[i].Time != other[i].Time || list[i].Position.Lat != other[i].Position.Lat {
				t.Fatalf("%v: event %d differs in the larger fleet", v, i)
			}
		}
	}
}

// TestMessagesAreDeterministic compares the bodies that terminals send, which the events do not show.
func TestMessagesAreDeterministic(t *testing.T) {
	bodies := func() (out []byte) {
		c := offline(12, 1.5, 3)
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range s.fleet {
			tr := newTrack(s.world, v, &s.cfg)
			for it, ok := tr.next(); ok; it, ok = tr.next() {
				if it.kind != itemWeighing {
					_, out = it.appendMessage(out, v)
				}
			}
		}
		return out
	}
	if a, b := bodies(), bodies(); !bytes.Equal(a, b) || len(a) < 1000 {
		t.Errorf("%d and %d bytes, not the same", len(a), len(b))
	}
}

// TestPlausible holds every track against what vehicles can do.
func TestPlausible(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		d := run(t, offline(60, 2.5, seed))
		plausible(t, d)
	}
}

func plausible(t *testing.T, d driven) {
	t.Helper()
	moved, standing, night := 0, 0, 0
	classes := map[detect.Class]float64{}
	class := map[ingest.Vehicle]detect.Class{}
	for _, v := range d.sim.Reference().Vehicles {
		class[v.Vehicle] = v.Class
	}
	for v, list := range byVehicle(t, d.events) {
		fixes := positions(list)
		worst := 0.0
		var way float64
		for i := range fixes {
			p := &fixes[i].Position
			if p.Lat < 35_150_000 || p.Lat > 35_850_000 || p.Lon < 112_450_000 || p.Lon > 113_250_000 {
				t.Fatalf("%v: outside of the county: %+v", v, p)
			}
			if p.Altitude < 300 || p.Altitude > 1300 || p.Course >= 360 || !p.Located || p.Speed > 1700 {
				t.Fatalf("%v: %+v", v, p)
			}
			if i == 0 {
				continue
			}
			q := &fixes[i-1].Position
			dt := float64(fixes[i].Time-fixes[i-1].Time) / 1000
			if dt != d.sim.cfg.Interval.Seconds() {
				t.Fatalf("%v: %v s between two positions", v, dt)
			}
			dist := local(coord{q.Lat, q.Lon}, coord{p.Lat, p.Lon}).norm()
			way += dist
			if dist/dt*3.6 > 200 {
				t.Fatalf("%v at %s: %.0f km/h from place to place", v, clockText(fixes[i].Time), dist/dt*3.6)
			}
			mean := float64(p.Speed+q.Speed) / 2 / 36
			// Between the two the vehicle may have stopped at a light or turned a corner: then it came less far.
			off := dist - mean*dt
			if off > 45 || off < -75 {
				t.Errorf("%v at %s, from %v to %v: %.0f m in %v s at %.1f m/s", v, clockText(fixes[i].Time), at(&fixes[i-1]), at(&fixes[i]), dist, dt, mean)
			}
			worst = max(worst, math.Abs(off))
			if change := math.Abs(float64(p.Speed) - float64(q.Speed)); change/36/dt > 1.2 {
				t.Errorf("%v at %s: %.1f km/h in %v s", v, clockText(fixes[i].Time), change/10, dt)
			}
			if p.Mileage < q.Mileage || float64(p.Mileage-q.Mileage)*100 > dist+200 {
				t.Errorf("%v at %s: mileage from %d to %d, %.0f m", v, clockText(fixes[i].Time), q.Mileage, p.Mileage, dist)
			}
			if mean > 1.4 {
				moved++
			} else {
				standing++
			}
			if isNight(fixes[i].Time / 1000) {
				night++
			}
		}
		classes[class[v]] += way
		if driven := float64(fixes[len(fixes)-1].Position.Mileage-fixes[0].Position.Mileage) * 100; math.Abs(driven-way) > 0.03*way+400 {
			t.Errorf("%v: %.0f m by mileage, %.0f m by places", v, driven, way)
		}
	}
	if share := float64(moved) / float64(moved+standing); share < 0.5 || share > 0.95 {
		t.Errorf("vehicles move %.0f %% of the time", 100*share)
	}
	if len(classes) != classCount {
		t.Errorf("%d classes in the fleet, want %d", len(classes), classCount)
	}
	for c, way := range classes {
		if way < 1000 {
			t.Errorf("%v: %.0f m in all", c, way)
		}
	}
}

// TestBackfill sees that positions without radio are stored and come later, by the edition's own way, and that every vehicle reports on
// time after all.
func TestBackfill(t *testing.T) {
	c := offline(60, 5, 11)
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[jt808.Edition]int{}
	for _, v := range s.fleet {
		tr := newTrack(s.world, v, &s.cfg)
		var times []int64
		lastAt, lastLive := int64(0), int64(0)
		for it, ok := tr.next(); ok; it, ok = tr.next() {
			if it.at < lastAt {
				t.Fatalf("%s: an item of %d is sent after one of %d", v.plate, it.at, lastAt)
			}
			lastAt = it.at
			if it.at < it.latest()*1000 {
				t.Fatalf("%s: sent before it happened", v.plate)
			}
			for _, f := range it.fixes() {
				times = append(times, f.t)
				if f.t < lastLive {
					stored[v.edition]++
					if !s.world.blindAt(coord{f.lat, f.lon}) {
						t.Fatalf("%s: stored where there is radio", v.plate)
					}
				}
				lastLive = max(lastLive, f.t)
			}
			if it.kind == itemBatch && v.edition == jt808.Edition2011 {
				t.Fatalf("%s: 0x0704 by the edition of 2011", v.plate)
			}
		}
		slices.Sort(times)
		if len(times) != int(c.Duration/c.Interval) {
			t.Fatalf("%s: %d positions, want %d", v.plate, len(times), c.Duration/c.Interval)
		}
		for i, u := range times {
			if u != c.Start.Unix()+v.phase+int64(i)*10 {
				t.Fatalf("%s: position %d is of %d", v.plate, i, u)
			}
		}
	}
	for _, e := range []jt808.Edition{jt808.Edition2011, jt808.Edition2013, jt808.Edition2019} {
		if stored[e] == 0 {
			t.Errorf("edition %v stored nothing", e)
		}
	}
}

// TestStoredAtTheEnd cuts runs at every minute: what is stored then is sent after all.
func TestStoredAtTheEnd(t *testing.T) {
	cut := 0
	for minutes := 20; minutes < 80; minutes += 5 {
		c := offline(40, 1, 11)
		c.Duration = time.Duration(minutes) * time.Minute
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range s.fleet {
			tr := newTrack(s.world, v, &s.cfg)
			n := 0
			for it, ok := tr.next(); ok; it, ok = tr.next() {
				n += len(it.fixes())
				if it.at >= c.Start.Add(c.Duration).UnixMilli() {
					cut++
				}
			}
			if n != int(c.Duration/c.Interval) {
				t.Fatalf("%s after %d minutes: %d positions, want %d", v.plate, minutes, n, c.Duration/c.Interval)
			}
		}
	}
	if cut == 0 {
		t.Error("no run ended in an area without radio")
	}
}

// TestMessagesSayTheSame decodes what terminals send and compares it with the events.
func TestMessagesSayTheSame(t *testing.T) {
	c := offline(20, 2, 4)
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[jt808.MessageID]int{}
	for _, v := range s.fleet {
		tr := newTrack(s.world, v, &s.cfg)
		for it, ok := tr.next(); ok; it, ok = tr.next() {
			if it.kind == itemWeighing {
				continue
			}
			id, body := it.appendMessage(nil, v)
			if len(body) > jt808.MaxBody {
				t.Fatalf("%v: %d bytes", id, len(body))
			}
			kinds[id]++
			var want []ingest.Event
			it.events(v, func(e *ingest.Event) {
				cp := *e
				cp.Position.Extras = slices.Clone(e.Position.Extras)
				want = append(want, cp)
			})
			var got []ingest.Event
			add := func(l *jt808.Location) {
				e := ingest.Event{Kind: ingest.KindPosition}
				if !l.Event(&e) {
					t.Fatalf("%v: no time", id)
				}
				got = append(got, e)
			}
			var l jt808.Location
			switch id {
			case jt808.IDLocation:
				if err := jt808.DecodeLocation(body, &l); err != nil {
					t.Fatal(err)
				}
				add(&l)
			case jt808.IDBatch:
				var b jt808.Batch
				if err := b.Decode(body); err != nil || b.Kind != jt808.BatchBlindSpots {
					t.Fatal(err, b.Kind)
				}
				for b.Next(&l) {
					add(&l)
				}
			case jt808.IDDriverIdentity:
				var m jt808.DriverIdentity
				if err := jt808.Decode(body, v.edition, &m); err != nil {
					t.Fatal(err)
				}
				if v.edition == jt808.Edition2011 {
					if m.Name.String() != it.card.name || m.Licence.String() != it.card.licence {
						t.Fatalf("driver %q %q, want %+v", m.Name, m.Licence, it.card)
					}
					continue
				}
				card := m.Card()
				ms, _ := m.Time.UnixMilli()
				if *card != *want[0].Driver || ms != want[0].Time {
					t.Fatalf("card %+v at %d, want %+v at %d", card, ms, want[0].Driver, want[0].Time)
				}
				continue
			}
			if len(got) != len(want) {
				t.Fatalf("%v: %d positions, want %d", id, len(got), len(want))
			}
			for i := range got {
				g, w := &got[i], &want[i]
				if !bytes.Equal(g.Position.Extras, w.Position.Extras) || g.Time != w.Time {
					t.Fatalf("extras %x, want %x; time %d, want %d", g.Position.Extras, w.Position.Extras, g.Time, w.Time)
				}
				gp, wp := g.Position, w.Position
				gp.Extras, wp.Extras = nil, nil
				if !equalPositions(gp, wp) {
					t.Fatalf("edition %v:\ngot  %+v\nwant %+v", v.edition, gp, wp)
				}
			}
		}
	}
	for _, id := range []jt808.MessageID{jt808.IDLocation, jt808.IDBatch, jt808.IDDriverIdentity} {
		if kinds[id] == 0 {
			t.Errorf("no message %v", id)
		}
	}
}

func equalPositions(a, b ingest.Position) bool {
	x := ingest.AppendEvent(nil, &ingest.Event{Kind: ingest.KindPosition, Position: a})
	y := ingest.AppendEvent(nil, &ingest.Event{Kind: ingest.KindPosition, Position: b})
	return bytes.Equal(x, y)
}

// TestWaysAreDriven follows trips vertex by vertex: what vmax promises can be braked for.
func TestWaysAreDriven(t *testing.T) {
	c := offline(40, 1, 21)
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	trips := 0
	for _, v := range s.fleet {
		tr := newTrack(s.world, v, &s.cfg)
		tr.rng = rand.New(rand.NewPCG(1, uint64(v.index)))
		for range 20 {
			p := tr.choose(c.Start.Unix())
			if p == nil {
				t.Fatal("no trip")
			}
			trips++
			if p.vmax[p.vertices()-1] != 0 {
				t.Fatal("a trip does not end at rest")
			}
			for k, l := range p.legs {
				if k > 0 && p.legs[k-1].to() != l.from() {
					t.Fatal("legs do not meet")
				}
				for i := range len(l.pts) - 1 {
					j := p.first[k] + i
					a, b := float64(p.vmax[j]), float64(p.vmax[j+1])
					if a > math.Sqrt(b*b+2*brake*l.step)+1e-3 || p.vmax[j] > p.caps[j] {
						t.Fatalf("vertex %d: %v m/s, then %v", j, a, b)
					}
				}
			}
			tr.node = p.dest
		}
	}
	if trips == 0 {
		t.Fatal("no trips")
	}
}

func BenchmarkDrive(b *testing.B) {
	c := offline(100, 1e5, 1)
	s, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	var all []*track
	for _, v := range s.fleet {
		all = append(all, newTrack(s.world, v, &s.cfg))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ok := all[i%len(all)].next(); !ok {
			b.Fatal("the run ended")
		}
	}
}

func TestIsNight(t *testing.T) {
	for _, c := range []struct {
		h, m int
		want bool
	}{{21, 59, false}, {22, 0, true}, {0, 0, true}, {5, 59, true}, {6, 0, false}, {12, 0, false}} {
		if got := isNight(time.Date(2026, 5, 1, c.h, c.m, 0, 0, detect.Beijing).Unix()); got != c.want {
			t.Errorf("%02d:%02d: %v", c.h, c.m, got)
		}
	}
}
