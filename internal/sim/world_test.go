package sim

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// TestForbiddenGround proves that nobody comes near a forbidden fence but on the road that goes through it, and that this road can be
// avoided.
func TestForbiddenGround(t *testing.T) {
	w := newWorld(8)
	closed := make([]float64, len(w.edges))
	for i, e := range w.edges {
		closed[i] = 1
		if e.forbidden >= 0 || e.blind >= 0 {
			closed[i] = math.Inf(1)
		}
		if e.forbidden >= 0 {
			if s := w.insideLength(e) / (design[e.kind] * 0.8); s < 4.5*60 {
				t.Errorf("%s–%s: %.0f s inside; too few for positions every minute", w.nodes[e.a].name, w.nodes[e.b].name, s)
			}
		}
	}
	for i := range w.fences {
		f := &w.fences[i]
		if f.Kind != detect.FenceForbidden {
			continue
		}
		for _, e := range w.edges {
			if e.forbidden == i {
				continue
			}
			for _, p := range e.pts {
				if d := f.shape.signed(coordOf(p)); d < 150 {
					t.Errorf("%s–%s passes %s at %.0f m", w.nodes[e.a].name, w.nodes[e.b].name, f.Name, d)
					break
				}
			}
		}
		for _, n := range w.nodes {
			if d := f.shape.signed(coordOf(n.at)); d < 150 {
				t.Errorf("node %s is %.0f m from %s", n.name, d, f.Name)
			}
		}
	}
	reached := 0
	for _, a := range w.depots {
		for _, b := range w.depots {
			if a != b && w.route(a, b, closed) != nil {
				reached++
			}
		}
	}
	// One depot lies behind a cutting without radio.
	if n := len(w.depots); reached < (n-1)*(n-2) {
		t.Errorf("%d ways between %d depots without forbidden ground and with radio all along", reached, n)
	}
}

func TestRoadsMeet(t *testing.T) {
	w := newWorld(maxStations)
	for _, e := range w.edges {
		if e.pts[0].distance(w.nodes[e.a].at) > 0.01 || e.pts[len(e.pts)-1].distance(w.nodes[e.b].at) > 0.01 {
			t.Errorf("%s–%s does not reach its nodes", w.nodes[e.a].name, w.nodes[e.b].name)
		}
		for i := 1; i < len(e.pts); i++ {
			if d := e.pts[i].distance(e.pts[i-1]); d > e.step*1.01 || d < e.step*0.9 {
				t.Errorf("%s–%s: %.1f m between vertices %d and %d, want %.1f", w.nodes[e.a].name, w.nodes[e.b].name, d, i-1, i, e.step)
			}
		}
		for _, s := range e.stations {
			if e.forbidden >= 0 || e.blind >= 0 || s.vertex < 3 || s.vertex > len(e.pts)-4 {
				t.Errorf("%s–%s: no place for a weigh station", w.nodes[e.a].name, w.nodes[e.b].name)
			}
		}
	}
	if len(w.stations) != maxStations {
		t.Errorf("%d stations, want %d", len(w.stations), maxStations)
	}
}

// TestShapes compares signed and contains, and both with plain cases.
func TestShapes(t *testing.T) {
	c := coordOf(point{0, 0})
	disc := circle(c, 500)
	square := polygon(coordsOf([]point{{-500, -500}, {500, -500}, {500, 500}, {-500, 500}}))
	way := corridor(coordsOf([]point{{-500, 0}, {500, 0}}), 100)
	for _, x := range []struct {
		name string
		s    shape
		p    point
		want float64
	}{
		{"disc", disc, point{0, 0}, -500}, {"disc", disc, point{510, 0}, 10}, {"disc", disc, point{300, 400.1}, 0.06}, {"disc", disc, point{9e3, 0}, farAway},
		{"square", square, point{0, 0}, -500}, {"square", square, point{520, 0}, 20}, {"square", square, point{530, 540}, 50}, {"square", square, point{490, 3}, -10},
		{"way", way, point{0, 30}, -20}, {"way", way, point{0, 70}, 20}, {"way", way, point{570, 0}, 20},
	} {
		at := coordOf(x.p)
		if got := x.s.signed(at); math.Abs(got-x.want) > 0.2 {
			t.Errorf("%s %v: %.2f m, want %.2f", x.name, x.p, got, x.want)
		}
		if in := x.s.contains(at); in != (x.want < 0) {
			t.Errorf("%s %v: inside %v", x.name, x.p, in)
		}
	}
	for _, corner := range square.ring {
		if square.contains(corner) {
			t.Error("a corner is inside")
		}
	}
	if square.contains(coord{square.ring[0].lat, c.lon}) {
		t.Error("the border is inside")
	}
}

// By GA 36: seven characters, or eight for new energy.
var (
	plate7     = regexp.MustCompile(`^晋[A-HJ-NP-Z][A-HJ-NP-Z0-9]{5}$`)
	plateLarge = regexp.MustCompile(`^晋[A-HJ-NP-Z][0-9]{5}[DABCEFGHJK]$`)
	plateSmall = regexp.MustCompile(`^晋[A-HJ-NP-Z][DABCEFGHJK][A-HJ-NP-Z0-9][0-9]{4}$`)
)

func TestFleet(t *testing.T) {
	for _, seed := range []uint64{0, 1, 1<<64 - 1} {
		fleet, err := newFleet(20_000, seed, []jt808.Edition{jt808.Edition2011, jt808.Edition2013, jt808.Edition2019}, 10)
		if err != nil {
			t.Fatal(err)
		}
		plates, phones := map[string]bool{}, map[string]bool{}
		colors, editions := map[uint8]int{}, map[jt808.Edition]int{}
		for _, v := range fleet {
			if plates[v.plate] || phones[v.Phone] {
				t.Fatalf("%s, %s: given twice", v.plate, v.Phone)
			}
			plates[v.plate], phones[v.Phone] = true, true
			colors[v.color]++
			editions[v.edition]++
			pattern := plate7
			switch v.color {
			case yellowGreen:
				pattern = plateLarge
			case gradient:
				pattern = plateSmall
			}
			if !pattern.MatchString(v.plate) {
				t.Fatalf("plate %q of colour %d", v.plate, v.color)
			}
			if len(v.Phone) != 11 || strings.HasPrefix(v.Phone, "0") {
				t.Fatalf("phone %q", v.Phone)
			}
			if v.weighed() && v.massLimit() <= v.tareKg+1000 {
				t.Fatalf("%s: %d kg empty, %d allowed", v.plate, v.tareKg, v.massLimit())
			}
		}
		if len(colors) != 4 || len(editions) != 3 {
			t.Errorf("colours %v, editions %v", colors, editions)
		}
	}
}

func TestMassLimits(t *testing.T) {
	for _, c := range []struct {
		axles               uint8
		combination, single bool
		own, want           uint32
	}{
		{2, false, false, 0, 18000}, {2, false, false, 12000, 12000}, {2, false, false, 20000, 18000}, {3, false, false, 9, 25000}, {4, false, false, 0, 31000},
		{2, true, false, 0, 27000}, {3, true, false, 0, 27000}, {4, true, false, 0, 36000}, {5, true, false, 0, 43000}, {6, true, false, 0, 49000},
		{6, true, true, 0, 46000}, {8, false, true, 0, 49000}, {0, false, false, 0, 0}, {1, true, false, 0, 0},
	} {
		if got := massLimit(c.axles, c.combination, c.single, c.own); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	for _, c := range []struct {
		s    detect.Station
		want uint32
	}{
		{detect.Station{TolerancePct: -1, Method: ingest.MethodDynamic}, 5}, {detect.Station{TolerancePct: -1, Method: ingest.MethodStatic}, 0},
		{detect.Station{TolerancePct: 0, Method: ingest.MethodDynamic}, 0}, {detect.Station{TolerancePct: 10, Method: ingest.MethodStatic}, 10},
	} {
		if got := tolerance(&c.s); got != c.want {
			t.Errorf("%+v: %d", c.s, got)
		}
	}
}
