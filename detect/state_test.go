package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	"lushao/ingest"
)

// A million vehicles must not take more than 256 MB with what only some have, and a timer and a place in the table for each; and the garbage collector must have nothing to look at in them.
func TestVehicleIsSmallAndFlat(t *testing.T) {
	if n := unsafe.Sizeof(vehicle{}) + unsafe.Sizeof(duty{}); n > 152 {
		t.Errorf("a vehicle is %d bytes", n)
	}
	var flat func(typ reflect.Type, path string)
	flat = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Struct:
			for i := range typ.NumField() {
				flat(typ.Field(i).Type, path+"."+typ.Field(i).Name)
			}
		case reflect.Array:
			flat(typ.Elem(), path)
		case reflect.Pointer, reflect.Slice, reflect.String, reflect.Map, reflect.Interface, reflect.Chan, reflect.Func:
			t.Errorf("%s holds a pointer", path)
		}
	}
	flat(reflect.TypeFor[vehicle](), "vehicle")
	flat(reflect.TypeFor[duty](), "duty")
	flat(reflect.TypeFor[timer](), "timer")
	flat(reflect.TypeFor[weighed](), "weighed")
}

// The table agrees with a Go map, also when it grows and when hashes collide in their upper half.
func TestStoreAgreesWithAMap(t *testing.T) {
	s := newStore()
	slots := map[ingest.Vehicle]uint32{}
	rng := rand.New(rand.NewPCG(1, 2))
	hash := func(v *ingest.Vehicle) uint64 { return v.Hash() }
	for range 20_000 {
		plate := fmt.Sprintf("晋E%05d", rng.IntN(8000))
		if rng.IntN(10) == 0 { // too long for a short form
			plate = fmt.Sprintf("LZYTBGBW0J%07d", rng.IntN(800))
		}
		v, err := ingest.NewVehicle(plate, ingest.Color(rng.IntN(3)))
		if err != nil {
			t.Fatal(err)
		}
		want, known := slots[v]
		slot, ok := s.find(&v, hash(&v))
		if ok != known || ok && slot != want {
			t.Fatalf("%s: slot %d %v, want %d %v", v, slot, ok, want, known)
		}
		if !known {
			slots[v] = s.add(&v, hash(&v))
		}
	}
	if s.count != len(slots) {
		t.Errorf("%d vehicles, want %d", s.count, len(slots))
	}
	for v, want := range slots {
		if slot, ok := s.find(&v, hash(&v)); !ok || slot != want || s.id(s.at(slot)) != v {
			t.Fatalf("%s is not found again", v)
		}
	}
}

// When many vehicles set out at a time, each holds a fix back; afterwards hardly any is left of their side records, and what goes on in
// those that are left goes on.
func TestSideRecordsAfterABurst(t *testing.T) {
	const vehicles = 2 * packAt
	data, fleet := &ReferenceData{}, make([]ingest.Vehicle, vehicles)
	for i := range fleet {
		v, err := ingest.NewVehicle(fmt.Sprintf("晋E%05d", i), 2)
		if err != nil {
			t.Fatal(err)
		}
		fleet[i] = v
		data.Vehicles = append(data.Vehicles, VehicleRecord{Vehicle: v, Class: ClassCoachLine})
	}
	snap, err := Compile(data, DefaultSettings(), "", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	e := New(snap)
	const at = int64(1_777_564_800_000)
	open, closed := map[string]bool{}, map[string]bool{}
	most := 0
	for s := range int64(20) {
		var events []ingest.Event
		for i, r := range fleet {
			ev := ingest.Event{Kind: ingest.KindPosition, Vehicle: r, Time: at + s*10_000, Received: at + s*10_000}
			ev.Position.Reset()
			ev.Position.Lat, ev.Position.Lon, ev.Position.Located, ev.Position.ACC = 35_500_000+int32(s)*400, 112_800_000, true, true
			ev.Position.Speed = 0
			if s > 0 {
				ev.Position.Speed = 500
			}
			if i%200 == 0 && s > 2 && s < 15 { // over 100 km/h
				ev.Position.Speed = 1100
			}
			events = append(events, ev)
		}
		for len(events) > 0 {
			n := min(len(events), 256)
			for _, v := range e.Process(events[:n], 1) {
				switch {
				case v.Kind == KindSpeeding && v.State == StateOpen:
					open[v.ID] = true
				case v.Kind == KindSpeeding && v.State == StateClosed:
					closed[v.ID] = true
				}
			}
			events = events[n:]
			most = max(most, len(e.sides))
		}
		for n, sd := range e.sides {
			if sd != nil && (sd.owner.side != uint32(n+1)) {
				t.Fatalf("side record %d belongs to a vehicle with %d", n+1, sd.owner.side)
			}
		}
	}
	if most < vehicles/2 || len(e.sides) > vehicles/8 {
		t.Errorf("%d side records at most, %d in the end", most, len(e.sides))
	}
	if want := (vehicles + 199) / 200; len(open) != want || len(closed) != want {
		t.Errorf("%d violations opened, %d closed, want %d", len(open), len(closed), want)
	}
}
