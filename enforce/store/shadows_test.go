package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestCompareShadow(t *testing.T) {
	s := newStore(t)
	tried := func(id, kind, plate string, start int64, change ...string) string {
		return violationJSON(id, kind, plate, start, append([]string{`"version":1`, `"version":1,"shadow":"strict"`}, change...)...)
	}
	s.addViolations(t, // each lasts 150 s
		violationJSON("a", "speeding", "晋E00001", base),
		tried("b", "speeding", "晋E00001", base-20_000),                                                 // a
		tried("c", "speeding", "晋E00001", base+151_000),                                                // alone
		violationJSON("d", "speeding", "晋E00002", base),                                                // alone
		tried("e", "speeding", "晋E00003", base, `"fence":"F12"`, `"fence":"F13"`),                      // another fence than f
		violationJSON("f", "speeding", "晋E00003", base),                                                // alone
		tried("g", "speeding", "晋E00004", base, `"state":"closed"`, `"state":"retracted"`),             // in no count
		violationJSON("h", "overload", "晋E00001", base),                                                // a kind of which the shadow found none
		tried("i", "fence_entry", "晋E00001", base+7*86400_000),                                         // later
		violationJSON("j", "fence_stop", "晋E00001", base, `"version":1`, `"version":1,"shadow":"lax"`), // another shadow
	)
	for _, c := range []struct {
		f    ShadowFilter
		want string
	}{
		{ShadowFilter{Name: "strict"}, "map[fence_entry:{0 1 0 0 1} speeding:{3 3 1 2 2}]"},
		{ShadowFilter{Name: "strict", To: base + 86400_000}, "map[speeding:{3 3 1 2 2}]"},
		{ShadowFilter{Name: "strict", From: base + 100_000, To: base + 86400_000}, "map[speeding:{0 1 0 0 1}]"},
		{ShadowFilter{Name: "strict", Kinds: []string{"overload"}}, "map[overload:{1 0 0 1 0}]"},
		{ShadowFilter{Name: "' OR 1=1 --"}, "map[]"},
	} {
		got, err := s.CompareShadow(t.Context(), c.f)
		must(t, err)
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %v, want %s", c.f, got, c.want)
		}
	}
}

// The sweep counts as comparing each with each does.
func TestShadowCountsAgainstEachWithEach(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		var group []spanOf
		for range r.IntN(8) {
			start := r.Int64N(20)
			group = append(group, spanOf{r.IntN(2) == 0, start, start + r.Int64N(8)})
		}
		slices.SortFunc(group, func(a, b spanOf) int { return int(a.start - b.start) })
		var got, want ShadowCounts
		got.add(group)
		for _, v := range group {
			same := slices.ContainsFunc(group, func(o spanOf) bool { return o.tried != v.tried && o.start <= v.end && v.start <= o.end })
			switch {
			case v.tried && same:
				want.Shadow, want.Both = want.Shadow+1, want.Both+1
			case v.tried:
				want.Shadow, want.OnlyShadow = want.Shadow+1, want.OnlyShadow+1
			case same:
				want.InForce++
			default:
				want.InForce, want.OnlyInForce = want.InForce+1, want.OnlyInForce+1
			}
		}
		if got != want {
			t.Fatalf("%+v: %+v, want %+v", group, got, want)
		}
	}
}
