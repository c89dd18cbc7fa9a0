package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lushao/detect"
	"lushao/ingest"
)

// noisy spoils what a fleet reports as real receivers, terminals and networks do, and returns it in order of arrival:
//   - what stands drifts by up to 50 m and shows up to 4 km/h; what moves lies up to 10 m beside the road;
//   - single positions, sometimes two, jump by 1 to 60 km;
//   - single speeds show 35 to 120 km/h more than they are;
//   - clocks of some run ahead by up to 3 min, in which no vehicle comes 5 km far, those of others by so much now and then that the gate refuses them;
//   - reports come twice, in reversed order, and half an hour late.
func noisy(rng *rand.Rand, events []ingest.Event) []ingest.Event {
	const earth = 111_320.0 // m in a degree
	move := func(p *ingest.Position, metres, heading float64) {
		p.Lat += int32(metres * math.Cos(heading) / earth * 1e6)
		p.Lon += int32(metres * math.Sin(heading) / earth / math.Cos(float64(p.Lat)/1e6*math.Pi/180) * 1e6)
	}
	ahead, late := map[ingest.Vehicle]int64{}, map[ingest.Vehicle]int64{}
	type arrival struct {
		ingest.Event
		at int64
	}
	var out []arrival
	before := map[ingest.Vehicle]int64{}
	for _, e := range events {
		v := e.Vehicle
		if _, ok := ahead[v]; !ok {
			ahead[v] = 0
			if rng.IntN(5) == 0 {
				ahead[v] = rng.Int64N(180_000)
			}
		}
		if e.Received == 0 || e.Received == e.Time {
			e.Received = e.Time + 500
		}
		at := e.Received
		if e.Kind == ingest.KindPosition {
			p := &e.Position
			e.Time += ahead[v]
			switch standing := p.Speed < 50; {
			case standing:
				move(p, 50*math.Sqrt(rng.Float64())*rng.Float64(), 2*math.Pi*rng.Float64())
				p.Speed = uint16(rng.IntN(41))
			default:
				move(p, 10*rng.Float64(), 2*math.Pi*rng.Float64())
			}
			switch rng.IntN(400) {
			case 0: // a jump
				move(p, 1000+59_000*rng.Float64(), 2*math.Pi*rng.Float64())
			case 1: // two, one after another, in different directions: the next one too
				move(p, 20_000+40_000*rng.Float64(), math.Pi*rng.Float64())
			case 2, 3:
				if p.Speed >= 50 && e.Time-before[v] <= 30_000 {
					p.Speed += uint16(350 + rng.IntN(850))
				}
			case 4:
				e.Time = e.Received + 301_000 + rng.Int64N(86400_000)
			case 5: // no signal for a while
				late[v] = at + 1800_000
			case 6:
				p.Located = false
			}
			before[v] = e.Time
		}
		if late[v] > at {
			at = late[v]
		}
		out = append(out, arrival{e, at})
		if rng.IntN(60) == 0 {
			out = append(out, arrival{e, at + rng.Int64N(600_000)})
		}
		if rng.IntN(40) == 0 && len(out) > 8 { // a bunch in reversed order
			n := len(out)
			for i := range 4 {
				out[n-8+i].at, out[n-1-i].at = out[n-1-i].at, out[n-8+i].at
			}
		}
	}
	end := events[len(events)-1].Time + 60_000 // else who reports nothing after the end of all would have fallen silent
	for i := range out {
		out[i].at = min(out[i].at, end)
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	list := make([]ingest.Event, len(out))
	for i := range out {
		list[i] = out[i].Event
		list[i].Received = max(list[i].Received, out[i].at)
	}
	return list
}

// A fleet that breaks no rule is found to break none, however bad its receivers, clocks and networks are.
func TestNoiseMakesNoViolations(t *testing.T) {
	for seed, begin := range map[uint64]time.Duration{51: 0, 52: 9 * time.Hour} {
		c := offline(60, 4, seed)
		c.Start = c.Start.Add(begin)
		c.Violations = Mix{}
		d := run(t, c)
		snap, events := d.written(t)
		slices.SortStableFunc(events, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) })
		events = noisy(rand.New(rand.NewPCG(seed, 9)), events)
		violations, stats := detect.Replay(snap, events, true)
		for _, v := range violations {
			t.Errorf("seed %d: %s %s from %s to %s, measured %v: %v", seed, v.Kind, v.Plate, v.Start.Std(), v.End.Std(), text(v.Measured), v.Detail)
		}
		t.Logf("seed %d: %d positions: %v", seed, len(events), stats.Positions)
		for q, least := range map[detect.Quality]uint64{detect.QualityDuplicate: 100, detect.QualityJump: 100, detect.QualityFuture: 50, detect.QualityUnlocated: 50} {
			if stats.Positions[q] < least {
				t.Errorf("seed %d: only %d positions are %s: the test proves little", seed, stats.Positions[q], q)
			}
		}
	}
}

func text(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}
