package sim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/eventfile"
)

// driven is a run without sockets, as files would hold it.
type driven struct {
	sim    *Sim
	report Report
	events []byte
	truth  []byte
}

// offline is the configuration of a run without sockets on a day that is past.
func offline(vehicles int, hours float64, seed uint64) Config {
	c := DefaultConfig()
	c.Gateway, c.Vehicles, c.Seed, c.Rate = "", vehicles, seed, 0
	c.Start = time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC) // 08:00 in Beijing
	c.Duration = time.Duration(hours * float64(time.Hour)).Truncate(time.Second)
	return c
}

func run(t testing.TB, c Config) driven {
	t.Helper()
	var events, truth bytes.Buffer
	c.Events, c.Truth = &events, &truth
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return driven{s, r, events.Bytes(), truth.Bytes()}
}

// byVehicle reads events and sorts those of each vehicle by time.
func byVehicle(t testing.TB, ndjson []byte) map[ingest.Vehicle][]ingest.Event {
	t.Helper()
	out := map[ingest.Vehicle][]ingest.Event{}
	r := eventfile.NewReader(bytes.NewReader(ndjson), "events")
	for {
		var e ingest.Event
		err := r.Read(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out[e.Vehicle] = append(out[e.Vehicle], e)
	}
	for _, list := range out {
		slices.SortStableFunc(list, func(a, b ingest.Event) int { return cmp.Compare(a.Time, b.Time) })
	}
	return out
}

func positions(list []ingest.Event) []ingest.Event {
	var out []ingest.Event
	for _, e := range list {
		if e.Kind == ingest.KindPosition {
			out = append(out, e)
		}
	}
	return out
}

// found is one line of truth, in the form in which it is compared.
type found struct {
	Type        string   `json:"type"`
	Kind        string   `json:"kind"`
	Plate       string   `json:"plate"`
	Color       uint8    `json:"color"`
	Start       string   `json:"start"`
	End         string   `json:"end"`
	Measured    *float64 `json:"measured"`
	Limit       *float64 `json:"limit"`
	OverPct     *float64 `json:"over_pct"`
	LimitSource string   `json:"limit_source"`
	Fence       string   `json:"fence"`
	Station     string   `json:"station"`
	Record      string   `json:"record"`
}

func (f found) String() string {
	n := func(p *float64) string {
		if p == nil {
			return "-"
		}
		return fmt.Sprintf("%.1f", *p)
	}
	return fmt.Sprint(f.Plate, "/", f.Color, " ", f.Kind, " ", f.Start, " ", f.End, " ", n(f.Measured), " ", n(f.Limit), " ", n(f.OverPct), " ", f.LimitSource, " ",
		f.Fence, " ", f.Station, " ", f.Record)
}

func (f found) span(t testing.TB) (from, to int64) {
	t.Helper()
	a, err := time.Parse(time.RFC3339, f.Start)
	b, err2 := time.Parse(time.RFC3339, f.End)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return a.UnixMilli(), b.UnixMilli()
}

func readTruth(t testing.TB, ndjson []byte) []found {
	t.Helper()
	var out []found
	dec := json.NewDecoder(bytes.NewReader(ndjson))
	for {
		var f found
		if err := dec.Decode(&f); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if f.Type != "violation" {
			t.Fatalf("type %q", f.Type)
		}
		out = append(out, f)
	}
}

// checker is the rule book once more, slow and plain: whole tracks in memory, every fence tried for every position.
type checker struct {
	ref   *detect.ReferenceData
	boxes map[string]orb.Bound // of fences, wider than any radius or width here
}

func newChecker(ref *detect.ReferenceData) *checker {
	c := &checker{ref, map[string]orb.Bound{}}
	for _, f := range ref.Fences {
		c.boxes[f.ID] = f.Geometry.Bound().Pad(0.05)
	}
	return c
}

// metresFrom is how far p is outside of a fence, negative inside.
func (c *checker) metresFrom(f *detect.Fence, p orb.Point) float64 {
	const flat, radius = 1 / 298.257223563, 6378137.0
	// Everything is laid out in metres around p, where a plane is good enough.
	flatten := func(q orb.Point) orb.Point {
		mid := (p[1] + q[1]) / 2 * math.Pi / 180
		e2 := flat * (2 - flat)
		w := math.Sqrt(1 - e2*math.Pow(math.Sin(mid), 2))
		return orb.Point{(q[0] - p[0]) * math.Pi / 180 * radius / w * math.Cos(mid), (q[1] - p[1]) * math.Pi / 180 * radius * (1 - e2) / (w * w * w)}
	}
	origin := orb.Point{0, 0}
	if !c.boxes[f.ID].Contains(p) {
		return math.Inf(1)
	}
	switch g := f.Geometry.(type) {
	case orb.Point:
		return planar.Distance(origin, flatten(g)) - f.RadiusM
	case orb.LineString:
		line := orb.LineString{}
		for _, q := range g {
			line = append(line, flatten(q))
		}
		return planar.DistanceFrom(line, origin) - f.WidthM/2
	case orb.Polygon:
		line := orb.LineString{}
		for _, q := range g[0] {
			line = append(line, flatten(q))
		}
		d := planar.DistanceFrom(line, origin)
		if planar.PolygonContains(g, p) {
			return -d
		}
		return d
	}
	panic("a geometry that the simulator does not make")
}

func at(e *ingest.Event) orb.Point {
	return orb.Point{float64(e.Position.Lon) / 1e6, float64(e.Position.Lat) / 1e6}
}

// effective is the limit in 0.1 km/h with its source and fence.
func (c *checker) effective(v *detect.VehicleRecord, e *ingest.Event) (value float64, source, fence string) {
	h := time.UnixMilli(e.Time).In(detect.Beijing).Hour()
	night := h >= 22 || h < 6
	value = math.Inf(1)
	day := math.Inf(1)
	express, other := false, false
	for i := range c.ref.Fences {
		f := &c.ref.Fences[i]
		if c.metresFrom(f, at(e)) >= 0 {
			continue
		}
		express = express || f.Road == detect.RoadExpressway
		other = other || f.Road == detect.RoadOther
		if f.Kind != detect.FenceSpeed || !f.Classes.Empty() && !f.Classes.Has(v.Class) {
			continue
		}
		day = min(day, float64(f.SpeedLimit))
		limit := float64(f.SpeedLimit)
		if night && f.NightSpeedLimit != 0 {
			limit = float64(f.NightSpeedLimit)
		}
		if limit < value {
			value, source, fence = limit, "fence", f.ID
		}
	}
	try := func(limit float64, s string) {
		day = min(day, limit)
		if limit < value {
			value, source, fence = limit, s, ""
		}
	}
	if v.MaxSpeed != 0 {
		try(float64(v.MaxSpeed), "vehicle")
	}
	switch v.Class {
	case detect.ClassHazmat:
		if other && !express {
			try(600, "class_cap")
		} else {
			try(800, "class_cap")
		}
	case detect.ClassSchoolBus, detect.ClassOther:
	default:
		try(1000, "class_cap")
	}
	if night && v.Class.Coach() && 0.8*day < value {
		value, source, fence = 0.8*day, "night", ""
	}
	return value, source, fence
}

func clockText(ms int64) string {
	return time.UnixMilli(ms).In(detect.Beijing).Format("2006-01-02T15:04:05-07:00")
}

func tenth(x float64) *float64 {
	x = math.RoundToEven(x*10) / 10
	return &x
}

// check finds every violation of the three kinds in the events of a vehicle.
func (c *checker) check(v *detect.VehicleRecord, list []ingest.Event) (out []found) {
	base := found{Type: "violation", Plate: v.Vehicle.Plate(), Color: uint8(v.Vehicle.Color)}
	fixes := positions(list)

	// Speeding: runs of equal limits, then those that are sustained.
	type over struct {
		value         float64
		source, fence string
		yes           bool
	}
	marks := make([]over, len(fixes))
	for i := range fixes {
		m := &marks[i]
		m.value, m.source, m.fence = c.effective(v, &fixes[i])
		m.yes = float64(fixes[i].Position.Speed) > m.value
	}
	for i := 0; i < len(fixes); {
		if !marks[i].yes {
			i++
			continue
		}
		j, top := i, uint16(0)
		for j < len(fixes) && marks[j] == marks[i] {
			top = max(top, fixes[j].Position.Speed)
			j++
		}
		if fixes[j-1].Time-fixes[i].Time >= 30_000 {
			f := base
			f.Kind, f.Start, f.LimitSource, f.Fence = "speeding", clockText(fixes[i].Time), marks[i].source, marks[i].fence
			f.End = "after the end"
			if j < len(fixes) {
				f.End = clockText(fixes[j].Time)
			}
			f.Measured, f.Limit = tenth(float64(top)/10), tenth(marks[i].value/10)
			f.OverPct = tenth(100 * (float64(top) - marks[i].value) / marks[i].value)
			out = append(out, f)
		}
		i = j
	}

	if v.Class == detect.ClassHazmat {
		for k := range c.ref.Fences {
			fence := &c.ref.Fences[k]
			if fence.Kind != detect.FenceForbidden {
				continue
			}
			d := make([]float64, len(fixes))
			for i := range fixes {
				d[i] = c.metresFrom(fence, at(&fixes[i]))
			}
			for i := 0; i+1 < len(d); i++ {
				if d[i] >= 0 || d[i+1] >= 0 {
					continue
				}
				j := i + 2
				for j+1 < len(d) && !(d[j] >= 20 && d[j+1] >= 20) {
					j++
				}
				f := base
				f.Kind, f.Fence, f.Start, f.End = "fence_entry", fence.ID, clockText(fixes[i].Time), "after the end"
				if j+1 < len(d) {
					f.End = clockText(fixes[j].Time)
				}
				out = append(out, f)
				i = j
			}
		}
	}

	for i := range list {
		if list[i].Kind != ingest.KindWeighing {
			continue
		}
		w := list[i].Weighing
		limit := c.mass(v, w)
		pct := 0.0
		for _, s := range c.ref.Stations {
			if s.ID == w.Station {
				pct = s.TolerancePct
				if pct < 0 {
					pct = map[ingest.Method]float64{ingest.MethodDynamic: 5, ingest.MethodStatic: 0}[w.Method]
				}
			}
		}
		if float64(w.GrossKg)*100 <= limit*(100+pct) {
			continue
		}
		f := base
		f.Kind, f.Station, f.Record = "overload", w.Station, w.Record
		f.Start, f.End = clockText(list[i].Time), clockText(list[i].Time)
		g := float64(w.GrossKg)
		f.Measured, f.Limit, f.OverPct = &g, &limit, tenth(100*(g-limit)/limit)
		out = append(out, f)
	}
	return out
}

func (c *checker) mass(v *detect.VehicleRecord, w *ingest.Weighing) float64 {
	axles, comb, single := w.Axles, w.Combination, w.SingleDriveAxle
	if axles == 0 {
		axles = v.Axles
	}
	if comb == ingest.Unknown {
		comb = v.Combination
	}
	if single == ingest.Unknown {
		single = v.SingleDriveAxle
	}
	if comb == ingest.Yes {
		if axles >= 6 && single == ingest.Yes {
			return 46000
		}
		return map[uint8]float64{2: 27000, 3: 27000, 4: 36000, 5: 43000, 6: 49000}[min(axles, 6)]
	}
	limit := map[uint8]float64{2: 18000, 3: 25000, 4: 31000, 5: 43000, 6: 49000}[min(axles, 6)]
	if axles == 2 && v.GrossLimitKg != 0 {
		limit = min(limit, float64(v.GrossLimitKg))
	}
	return limit
}
