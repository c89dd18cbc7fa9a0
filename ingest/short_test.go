package ingest

import (
	"strings"
	"testing"
)

// Every vehicle whose plate has at most 14 bytes comes back from its short form, and only these have one.
func TestShortVehicle(t *testing.T) {
	for _, plate := range []string{"晋E12345", "晋AD12345", "粤Z1234港", "WJ晋12345", "a", "12345678901234", "123456789012345", "LZYTBGBW0J1012345", strings.Repeat("长", 7)} {
		for _, color := range []Color{0, 2, 94} {
			v, err := NewVehicle(plate, color)
			if err != nil {
				t.Fatal(err)
			}
			s, ok := v.Short()
			if want := len(plate) <= 14; ok != want {
				t.Errorf("%s: a short form %v, want %v", v, ok, want)
			}
			if got := s.Vehicle(); ok && got != v {
				t.Errorf("%s came back as %s", v, got)
			}
			if s.IsZero() == ok {
				t.Errorf("%s: zero %v, a short form %v", v, s.IsZero(), ok)
			}
		}
	}
}
