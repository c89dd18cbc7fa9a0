package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	"lushao/ingest"
)

// A million vehicles must not take much more than 256 MB, and the garbage collector must have nothing to look at in them.
func TestVehicleIsSmallAndFlat(t *testing.T) {
	if n := unsafe.Sizeof(vehicle{}) + unsafe.Sizeof(duty{}); n > 192 {
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
}

// The table agrees with a Go map, also when it grows and when hashes collide in their upper half.
func TestStoreAgreesWithAMap(t *testing.T) {
	s := newStore()
	slots := map[ingest.Vehicle]uint32{}
	rng := rand.New(rand.NewPCG(1, 2))
	hash := func(v *ingest.Vehicle) uint64 { return v.Hash() }
	for range 20_000 {
		v, err := ingest.NewVehicle(fmt.Sprintf("晋E%05d", rng.IntN(8000)), ingest.Color(rng.IntN(3)))
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
		if slot, ok := s.find(&v, hash(&v)); !ok || slot != want || s.at(slot).id != v {
			t.Fatalf("%s is not found again", v)
		}
	}
}
