package detect_test

import (
	"bytes"
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

// longTrack is some days of a driver's life: hours of driving, stops about 20 min, gaps about 10 min, lost speeds.
func longTrack(rng *rand.Rand, v ingest.Vehicle, from, to int64) (out []ingest.Event) {
	lat, lon := 35.5, 112.8
	heading := rng.Float64() * 360
	every := []int64{30, 60, 60, 120, 300, 301, 599}
	s := from
	kmh := 0.0
	put := func(dt int64, speed float64, metres float64) {
		s += dt
		heading += rng.Float64()*40 - 20
		if geo.Distance(geo.Point{Lat: 35500000, Lon: 112800000}, geo.Point{Lat: int32(lat * 1e6), Lon: int32(lon * 1e6)}) > 300_000 {
			heading = math.Atan2(112.8-lon, 35.5-lat) * 180 / math.Pi
		}
		lat, lon = shift(lat, lon, metres, heading)
		e := position(v, s, lat, lon, speed)
		switch rng.IntN(150) {
		case 0:
			e.Position.Speed = ingest.NoSpeed
		case 1:
			e.Position.Lat += 2_000_000
		case 2:
			e.Position.Located = false
		case 3:
			if rng.IntN(6) == 0 { // carried away
				lat += 1
			}
		}
		out = append(out, e)
	}
	put(0, 0, 0)
	for s < to {
		dt := every[rng.IntN(3)]
		if rng.IntN(3) == 0 {
			dt = every[rng.IntN(len(every))]
		}
		// Drive for a while.
		for n := rng.IntN(int(12000/dt)) + 1; n > 0 && s < to; n-- {
			kmh = 20 + rng.Float64()*70
			put(dt, kmh, kmh/3.6*float64(dt)*0.9)
			switch rng.IntN(60) {
			case 0: // a gap
				long := int64(601 + rng.IntN(2400))
				kmh = []float64{0, 50}[rng.IntN(2)]
				put(long, kmh, rng.Float64()*float64(long)*[]float64{0, 0.2, 25}[rng.IntN(3)])
			case 1:
				put(dt, 0, 30)
				put(dt, 8, 20)
				put(dt, 0, 10)
			case 2:
				put(dt, 0, 30)
				put(dt, 0, 300)
			case 3:
				put(dt, 12, 100)
			}
		}
		// And stand for about as long as a rest takes, or the night.
		long := []int64{60, 240, 290, 300, 900, 1140, 1170, 1199, 1200, 1201, 1260, 1800, 3600 * 5}[rng.IntN(13)]
		step := []int64{30, 60, 240, 900}[rng.IntN(4)]
		begin := s
		put(30, 0, 50)
		for s+step < begin+long && s < to {
			put(step, rng.Float64()*4, rng.Float64()*20)
		}
		if rest := begin + long - s; rest > 0 {
			put(rest, 0, 5)
		}
	}
	put(60, 0, 20)
	put(60, 0, 5)
	return out
}

func TestDrivingTimeAgreesWithASlowReading(t *testing.T) {
	worlds := many(1000, 100)
	seen := map[string]int{}
	for n := range worlds {
		rng := rand.New(rand.NewPCG(uint64(n), 11))
		set := detect.DefaultSettings()
		if rng.IntN(3) > 0 { // limits that short tracks reach
			set.FatigueContinuous.LimitS = 3600 + rng.IntN(7200)
			set.FatigueNight.LimitS = 1800 + rng.IntN(3600)
			set.FatigueDaily.LimitS, set.FatigueDaily.WindowS = 2*3600+rng.IntN(7200), 6*3600
			set.FatigueWeekly.LimitS, set.FatigueWeekly.WindowS = 4*3600+rng.IntN(7200), 12*3600
			set.FatigueSevere.LimitS = 2*3600 + rng.IntN(7200)
			set.FatigueSevere.RepeatedS = 6 * 3600
		}
		set.Driving.SumsWithoutCard = rng.IntN(4) == 0
		data := &detect.ReferenceData{}
		var events []ingest.Event
		classes := []detect.Class{detect.ClassCoachLine, detect.ClassCoachTour, detect.ClassHeavyTruck, detect.ClassHeavyTruck, detect.ClassHazmat, detect.ClassOther}
		from := int64(rng.IntN(86400))
		for i := range 1 + rng.IntN(3) {
			v := vehicleOf(t, fmt.Sprintf("晋E0000%d", i))
			rec := detect.VehicleRecord{Vehicle: v, Class: classes[rng.IntN(len(classes))], NightExempt: rng.IntN(8) == 0}
			data.Vehicles = append(data.Vehicles, rec)
			to := from + int64(3600*(4+rng.IntN(16)))
			if n%250 == 0 {
				to = from + int64(86400*(2+rng.IntN(7)))
			}
			track := longTrack(rng, v, from, to)
			if rng.IntN(8) == 0 {
				track = append(track, randomTrack(rng, vehicleOf(t, "晋E99999"))...)
			}
			for k := range rng.IntN(5) {
				if k == 0 || rng.IntN(2) == 0 {
					at := track[rng.IntN(len(track))].Time + 500
					if k == 0 && rng.IntN(2) == 0 {
						at = track[0].Time + 500
					}
					on := ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: at, Received: at,
						Driver: &ingest.DriverCard{On: true, License: fmt.Sprint("D", rng.IntN(3)), Name: "甲"}}
					track = append(track, on)
				}
			}
			for _, e := range track {
				if e.Vehicle == v {
					events = append(events, e)
				}
			}
			from = to + 3600*6 + 900*int64(rng.IntN(3))
			if rng.IntN(2) == 0 {
				data.Fences = append(data.Fences, detect.Fence{ID: fmt.Sprint("R", i), Kind: detect.FenceRelay, Geometry: square(35.5, 112.8, 0.05+0.3*rng.Float64())})
			}
			if rng.IntN(3) == 0 {
				start := int64(firstMs) + (from-int64(rng.IntN(20*3600)))*1000
				data.Permits = append(data.Permits, detect.Permit{Number: fmt.Sprint("P", i), Vehicle: v, Kind: detect.PermitRelay, Start: start, End: start + int64(rng.IntN(4*3600))*1000})
			}
		}
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		fleet := &slowFleet{set: &set}
		want := fleet.read(t, data, slices.Clone(events))
		snap, err := detect.Compile(data, set, "", 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		found, _ := detect.Replay(snap, slices.Clone(events), true)
		if n%50 == 1 {
			restarted, _ := viaCheckpoints(t, snap, slices.Clone(events), true)
			if a, b := asJSON(t, found), asJSON(t, restarted); !bytes.Equal(a, b) {
				t.Fatalf("world %d: with a checkpoint after every event:\n%s\nwithout:\n%s", n, b, a)
			}
		}
		var got []slowDriving
		for i := range found {
			f := &found[i]
			if !strings.HasPrefix(string(f.Kind), "fatigue_") && f.Kind != detect.KindNightDriving {
				continue
			}
			o := slowDriving{plate: f.Plate, kind: string(f.Kind), start: int64(f.Start), end: int64(*f.End), fixes: int(f.Fixes)}
			if f.Kind == detect.KindNightDriving {
				o.hours = fmt.Sprintf("%.1f", *f.Measured)
			} else {
				o.hours = fmt.Sprintf("%.2f", *f.Measured)
				if f.Driver != nil {
					o.driver = f.Driver.License
				}
			}
			if f.Kind != detect.KindNightDriving && f.Kind != detect.KindFatigueDaily && f.Kind != detect.KindFatigueWeekly {
				o.stretch, o.seconds = int64(f.Detail["stretch_start"].(detect.Time)), f.Detail["driving_s"].(int64)
				if c, ok := f.Detail["cause"]; ok {
					o.cause = c.(string)
				}
			}
			notes := slices.Sorted(slices.Values(f.Notes))
			o.notes = strings.Join(notes, " ")
			got = append(got, o)
			seen[o.kind+" "+o.cause]++
			for _, note := range f.Notes {
				seen[note]++
			}
		}
		if d := differences(got, want); d != "" {
			t.Fatalf("world %d:\n%s", n, d)
		}
	}
	t.Logf("%d worlds: %v", worlds, seen)
	for _, k := range []string{"fatigue_continuous ", "fatigue_night ", "fatigue_daily ", "fatigue_weekly ", "fatigue_severe stretch", "fatigue_severe repeated", "night_driving ",
		"end_of_data", "gap_assumed_rest", "card_change_moving"} {
		if seen[k] < worlds/50 {
			t.Errorf("the worlds made only %d of %s: they prove little", seen[k], k)
		}
	}
}
