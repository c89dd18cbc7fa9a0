package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"lushao/ingest"
)

func at(t testing.TB, plate string, color ingest.Color, time int64, lat, lon int32) ingest.Event {
	e := ingest.Event{Kind: ingest.KindPosition, Vehicle: vehicle(t, plate, color), Time: time, Received: time + 1000}
	e.Position.Reset()
	e.Position.Lat, e.Position.Lon = lat, lon
	return e
}

// Who was in one of the boxes at the time, as a loop over all rows finds it.
func TestVehiclesIn(t *testing.T) {
	s := newStore(t)
	r := rand.New(rand.NewPCG(5, 6))
	boxes := []Box{{100, 100, 200, 300}, {-50, -50, 50, 0}, {150, 200, 170, 220}}
	from, to := base+20_000, base+80_000
	var b PositionBlock
	want := map[string]uint64{}
	for i := range 3000 {
		e := at(t, fmt.Sprintf("晋E%05d", r.IntN(40)), ingest.Color(1+r.IntN(2)), base+int64(i%100)*1000, int32(r.IntN(1000)-300), int32(r.IntN(1000)-300))
		e.Position.Mileage = uint32(i) // no two are the same
		quality := "ok"
		switch i % 10 {
		case 0:
			quality = "jump"
		case 1:
			e.Received = e.Time - 3600_000
		case 2:
			quality = ""
		}
		b.Add(&e, quality, Place{})
		in := false
		for _, x := range boxes {
			in = in || e.Position.Lat >= x.MinLat && e.Position.Lat <= x.MaxLat && e.Position.Lon >= x.MinLon && e.Position.Lon <= x.MaxLon
		}
		if in && i%10 > 1 && e.Time >= from && e.Time <= to {
			want[e.Vehicle.String()]++
		}
	}
	must(t, s.Insert(t.Context(), &b))
	must(t, s.Insert(t.Context(), &b)) // delivered twice
	got, all, err := s.VehiclesIn(t.Context(), boxes, from, to, 1000)
	must(t, err)
	if len(got) != len(want) || all != uint64(len(want)) {
		t.Fatalf("%d vehicles of %d, want %d", len(got), all, len(want))
	}
	for i, p := range got {
		if p.Positions != want[p.Vehicle.String()] || p.First < from || p.Last > to || p.Last < p.First {
			t.Errorf("%+v, want %d", p, want[p.Vehicle.String()])
		}
		if i > 0 && p.Positions > got[i-1].Positions {
			t.Errorf("%+v after %+v", p, got[i-1])
		}
	}
	few, all, err := s.VehiclesIn(t.Context(), boxes, from, to, 3)
	must(t, err)
	if len(few) != 3 || all != uint64(len(want)) || few[2] != got[2] {
		t.Errorf("%+v of %d", few, all)
	}
	if none, all, err := s.VehiclesIn(t.Context(), []Box{{9000, 9000, 9001, 9001}}, from, to, 3); err != nil || len(none) != 0 || all != 0 {
		t.Errorf("%v %d %v", none, all, err)
	}
}

// Each scene as if it were asked about alone.
func TestVehiclesAt(t *testing.T) {
	s := newStore(t)
	r := rand.New(rand.NewPCG(7, 8))
	var b PositionBlock
	for i := range 3000 {
		e := at(t, fmt.Sprintf("晋E%05d", r.IntN(40)), ingest.Color(1+r.IntN(2)), base+int64(i%100)*1000, int32(r.IntN(1000)-300), int32(r.IntN(1000)-300))
		e.Position.Mileage = uint32(i) // no two are the same
		if i%9 == 0 {
			e.Received = e.Time - 3600_000
		}
		b.Add(&e, []string{"ok", "", "jump"}[i%3], Place{})
	}
	must(t, s.Insert(t.Context(), &b))
	must(t, s.Insert(t.Context(), &b)) // delivered twice
	scenes := []Scene{{Box{100, 100, 200, 300}, base, base + 50_000}, {Box{9000, 9000, 9001, 9001}, base, base + 100_000}, {Box{150, 150, 350, 350}, base + 40_000, base + 90_000},
		{Box{100, 100, 200, 300}, base + 70_000, base + 80_000}}
	for _, limit := range []int{5, 1000} {
		got, err := s.VehiclesAt(t.Context(), scenes, limit)
		must(t, err)
		for i, x := range scenes {
			alone, _, err := s.VehiclesIn(t.Context(), []Box{x.Box}, x.From, x.To, limit)
			must(t, err)
			var want []ingest.Vehicle
			for _, p := range alone {
				want = append(want, p.Vehicle)
			}
			if !slices.Equal(got[i], want) || (len(want) == 0) != (i == 1) {
				t.Errorf("scene %d: %v, alone %v", i, got[i], want)
			}
		}
	}
	if none, err := s.VehiclesAt(t.Context(), nil, 1); err != nil || len(none) > 0 {
		t.Errorf("%v %v", none, err)
	}
	if _, err := s.VehiclesAt(t.Context(), scenes, 0); err == nil {
		t.Error("no limit")
	}
}

// eventsOf gathers what Events passes on.
func eventsOf(t *testing.T, s *Store, f EventsFilter) (list []ingest.Event, err error) {
	err = s.Events(t.Context(), f, func(e *ingest.Event) error {
		list = append(list, *e)
		return nil
	})
	return list, err
}

func TestEventsOfVehicles(t *testing.T) {
	s := newStore(t)
	v, w := vehicle(t, "晋E00001", 2), vehicle(t, "晋E00002", 2)
	var b EventBlocks
	add := func(e ingest.Event) { must(t, b.Add(&e, "ok", Place{})) }
	for _, x := range []ingest.Vehicle{v, w, vehicle(t, "晋E00001", 1), vehicle(t, "晋E00003", 2)} {
		for i := range 10 {
			e := at(t, x.Plate(), x.Color, base+int64(i)*1000, int32(i), 0)
			e.Position.Extras = []byte{0x30, 1, 31}
			add(e)
		}
		for _, e := range rareEvents(x) {
			e.Time = base - 10_000
			if e.Weighing != nil {
				e.Weighing.Record = x.String()
			}
			add(e)
		}
	}
	for range 2 {
		for _, blk := range b.All() {
			must(t, s.Insert(t.Context(), blk))
		}
	}
	f := EventsFilter{Vehicles: []ingest.Vehicle{w, v, v}, From: base + 2000, To: base + 5000, Lead: 20_000, MaxPositions: 8}
	got, err := eventsOf(t, s, f)
	must(t, err)
	if len(got) != 2*(4+5) {
		t.Fatalf("%d events", len(got))
	}
	for i := range got {
		if e := &got[i]; e.Vehicle != v && e.Vehicle != w || e.Position.Extras != nil || i > 0 && e.Time < got[i-1].Time || (e.Kind == ingest.KindPosition) != (i >= 10) {
			t.Errorf("%d: %+v", i, e)
		}
	}
	if got[10].Vehicle != v || got[11].Vehicle != w {
		t.Errorf("at the same time: %v, %v", got[10].Vehicle, got[11].Vehicle)
	}
	f.MaxPositions = 7
	if _, err := eventsOf(t, s, f); !errors.Is(err, ErrTooMany) {
		t.Errorf("8 positions where 7 may be read: %v", err)
	}
	f.Lead, f.MaxPositions = 0, 8
	if got, err = eventsOf(t, s, f); err != nil || len(got) != 8 {
		t.Errorf("without lead: %d events, %v", len(got), err)
	}
	if got, err = eventsOf(t, s, EventsFilter{From: base, To: base}); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v %v", got, err)
	}
	stop, n := errors.New("enough"), 0
	f.Lead = 20_000
	if err := s.Events(t.Context(), f, func(*ingest.Event) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("went on to %d events: %v", n, err)
	}
}
