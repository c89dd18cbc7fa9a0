package detect

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestStamp(t *testing.T) {
	for _, ms := range []int64{0, 1, -1, 1_777_000_000_123, -62_000_000_000_000, 1<<47 - 1, -1 << 47, 1<<32 - 1, 1 << 32, 65535, -65536} {
		if got := stampOf(ms); got.ms() != ms || got.isZero() != (ms == 0) {
			t.Errorf("%d came back as %d", ms, got.ms())
		}
	}
}

// The queue gives what is due in order of time, and of one time in the order in which it was asked for, as a sorted list does: also
// what is asked for years ahead, before everything else, and when the clock jumps.
func TestTimersAgreeWithASortedList(t *testing.T) {
	type asked struct {
		at    int64
		order int
		whom  uint32
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 20 {
		var q timers
		var list []asked
		now, order := int64(1_777_000_000_000), 0
		for range 4000 {
			for range rng.IntN(4) {
				at := now + int64(rng.IntN(20))*1000
				switch rng.IntN(40) {
				case 0:
					at = now + rng.Int64N(800*dayMs)
				case 1:
					at = now - rng.Int64N(3*dayMs) // at once
				case 2:
					at = now + 49*dayMs + rng.Int64N(2*dayMs)
				}
				order++
				q.push(at, uint32(order))
				list = append(list, asked{at, order, uint32(order)})
			}
			now += int64(rng.IntN(15)) * 1000
			if rng.IntN(500) == 0 {
				now += rng.Int64N(60 * dayMs)
			}
			slices.SortFunc(list, func(a, b asked) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
			for {
				got, at, ok := q.due(now)
				if want := len(list) > 0 && list[0].at <= now; ok != want {
					t.Fatalf("round %d: something is due: %v, want %v", round, ok, want)
				}
				if !ok {
					break
				}
				if want := list[0]; at != want.at || got.whom != want.whom {
					t.Fatalf("round %d: number %d at %d, want %d at %d", round, got.whom, at, want.whom, want.at)
				}
				list = list[1:]
			}
		}
	}
}

// Drivers are found again by both of their names, whatever these hold.
func TestDriversAgreeWithAMap(t *testing.T) {
	ds := newDrivers()
	numbers := map[Driver]uint32{}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		d := Driver{License: fmt.Sprint("1405", rng.IntN(3000)), Name: strings.Repeat("甲", rng.IntN(3))}
		switch rng.IntN(50) {
		case 0:
			d = Driver{License: d.License + d.Name}
		case 1:
			d = Driver{Name: d.License + d.Name}
		case 2:
			d.Name = strings.Repeat("长", 20_000+rng.IntN(20_000)) // longer than a chunk
		}
		want, known := numbers[d]
		if got := ds.find(d); got != want {
			t.Fatalf("driver %.20v has number %d, want %d", d, got, want)
		}
		got := ds.number(d)
		if !known {
			numbers[d] = got
		}
		if got != numbers[d] || got == 0 {
			t.Fatalf("driver %.20v has number %d, want %d", d, got, numbers[d])
		}
	}
	for d, n := range numbers {
		if ds.card(n) != d {
			t.Fatalf("number %d is %.20v, want %.20v", n, ds.card(n), d)
		}
	}
}

// The drivers whose home a vehicle is are in the order in which they came, whoever leaves.
func TestHomesOfDrivers(t *testing.T) {
	ds := newDrivers()
	rng := rand.New(rand.NewPCG(7, 8))
	const vehicles, people = 5, 12
	want := [vehicles][]uint32{}
	for i := range people {
		ds.number(Driver{License: fmt.Sprint(i)})
	}
	for range 5000 {
		n, slot := uint32(1+rng.IntN(people)), uint32(rng.IntN(vehicles))
		if d := ds.of(n); d.home != 0 {
			want[d.home-1] = slices.DeleteFunc(want[d.home-1], func(o uint32) bool { return o == n })
			ds.leave(n)
		}
		ds.settle(n, slot)
		want[slot] = append(want[slot], n)
		for slot := range want {
			var got []uint32
			for at := ds.homes.get(uint32(slot)); at != 0; at = ds.of(at).next {
				got = append(got, at)
			}
			if !slices.Equal(got, want[slot]) {
				t.Fatalf("vehicle %d is the home of %v, want %v", slot, got, want[slot])
			}
		}
	}
}

// What is held for a few slots is there whatever comes and goes, and a burst leaves no room behind.
func TestFewAgreesWithAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	var f few[int]
	want := map[uint32]int{}
	for round := range 6 {
		slots, keep := uint32(20), uint32(3)
		if round%2 == 1 {
			slots, keep = 20_000, 50
		}
		for n := range 60_000 {
			slot := rng.Uint32N(slots)
			if rng.IntN(3) > 0 {
				f.set(slot, n)
				want[slot] = n
			} else {
				f.drop(slot)
				delete(want, slot)
			}
		}
		for slot := range slots { // the burst is over
			if slot >= keep {
				f.drop(slot)
				delete(want, slot)
			}
			if got := f.get(slot); got != want[slot] {
				t.Fatalf("slot %d has %d, want %d", slot, got, want[slot])
			}
		}
		if len(f.m) != len(want) || f.most > max(fewKept, 8*len(want)) {
			t.Errorf("%d are held, with room for %d, want %d", len(f.m), f.most, len(want))
		}
	}
}
