package detect

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestDayAndWeekdayAgreeWithTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		ms := rng.Int64N(4_000_000_000_000) - 1_000_000_000_000 // 1938 to 2065
		std := time.UnixMilli(ms).In(Beijing)
		if got, want := dayStart(ms), time.Date(std.Year(), std.Month(), std.Day(), 0, 0, 0, 0, Beijing).UnixMilli(); got != want {
			t.Fatalf("dayStart(%v) = %v, want %v", std, got, want)
		}
		if got, want := weekday(ms), (int(std.Weekday())+6)%7; got != want {
			t.Fatalf("weekday(%v) = %d, want %d", std, got, want)
		}
	}
}

// slowInForce asks every day around t with package time.
func slowInForce(windows []Window, at time.Time) bool {
	if len(windows) == 0 {
		return true
	}
	for back := range 3 {
		day := at.AddDate(0, 0, -back)
		midnight := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, Beijing)
		for _, w := range windows {
			if w.Days&(1<<((int(midnight.Weekday())+6)%7)) == 0 {
				continue
			}
			from, to := midnight.Add(time.Duration(w.From)*time.Minute), midnight.Add(time.Duration(w.To)*time.Minute)
			if w.To <= w.From {
				to = to.Add(24 * time.Hour)
			}
			if !at.Before(from) && at.Before(to) {
				return true
			}
		}
	}
	return false
}

func TestInForceAgreesWithASlowReading(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	begin := time.Date(2026, 4, 27, 0, 0, 0, 0, Beijing)
	for range 3000 {
		var windows []Window
		for range rng.IntN(4) {
			w := Window{Days: uint8(1 + rng.IntN(127)), From: uint16(rng.IntN(24)) * 60, To: uint16(rng.IntN(25)) * 60}
			windows = append(windows, w)
		}
		at := begin.Add(time.Duration(rng.Int64N(int64(14 * 24 * time.Hour)))).Truncate(time.Second)
		if rng.IntN(2) == 0 {
			at = at.Truncate(time.Hour) // on the borders
		}
		in, until := inForce(windows, at.UnixMilli())
		if want := slowInForce(windows, at); in != want {
			t.Fatalf("%v at %v: %v, want %v", windows, at, in, want)
		}
		if !in || len(windows) == 0 {
			continue
		}
		// In force at every quarter of an hour until the end, and not at the end, unless the windows go round the week.
		end := time.UnixMilli(until).In(Beijing)
		for q := at; q.Before(end); q = q.Add(15 * time.Minute) {
			if !slowInForce(windows, q) {
				t.Fatalf("%v at %v: in force until %v, but not at %v", windows, at, end, q)
			}
		}
		if end.Sub(at) < 7*24*time.Hour && slowInForce(windows, end) {
			t.Fatalf("%v at %v: in force until %v, and still so then", windows, at, end)
		}
	}
}

func TestHours(t *testing.T) {
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, Beijing)
	for _, c := range []struct {
		h    hours
		at   string
		want bool
	}{
		{hours{22 * 60, 6 * 60}, "21:59:59", false}, {hours{22 * 60, 6 * 60}, "22:00:00", true}, {hours{22 * 60, 6 * 60}, "05:59:59", true},
		{hours{22 * 60, 6 * 60}, "06:00:00", false}, {hours{120, 300}, "02:00:00", true}, {hours{120, 300}, "05:00:00", false}, {hours{120, 300}, "01:59:59", false},
	} {
		at, err := time.Parse("15:04:05", c.at)
		if err != nil {
			t.Fatal(err)
		}
		ms := day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second).UnixMilli()
		if got := c.h.contains(ms); got != c.want {
			t.Errorf("%v at %s: %v", c.h, c.at, got)
		}
	}
}

func TestRounding(t *testing.T) {
	for _, c := range []struct{ a, b, want int64 }{{5, 10, 0}, {15, 10, 2}, {25, 10, 2}, {26, 10, 3}, {24, 10, 2}, {-5, 10, 0}, {-15, 10, -2}, {-25, 10, -2}, {0, 7, 0}, {7, 2, 4}, {5, 2, 2}} {
		if got := divHalfEven(c.a, c.b); got != c.want {
			t.Errorf("%d/%d = %d, want %d", c.a, c.b, got, c.want)
		}
	}
	for _, c := range []struct {
		over, limit int64
		pct         float64
		band        string
	}{{5, 80, 6.2, "<10"}, {8, 80, 10, "10-20"}, {16, 80, 20, "20-50"}, {40, 80, 50, "50-70"}, {56, 80, 70, ">=70"}, {7999, 80000, 10, "<10"}, {15999, 80000, 20, "10-20"}} {
		pct, band := overPct(c.over, c.limit)
		if *pct != c.pct || *band != c.band {
			t.Errorf("%d over %d: %v %s, want %v %s", c.over, c.limit, *pct, *band, c.pct, c.band)
		}
	}
	if pct, band := overPct(1, 0); pct != nil || band != nil {
		t.Error("without a limit there is no percentage")
	}
}

// A window with first and last day holds on those days and the night after the last.
func TestWindowOfDates(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, Beijing)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	day := func(s string) int32 { return DayNumber(at(s + " 12:00")) }
	w := []Window{{Days: 0x7f, From: 22 * 60, To: 5 * 60, FirstDay: day("2026-10-01"), LastDay: day("2026-10-07")}}
	for s, want := range map[string]bool{
		"2026-09-30 23:00": false, "2026-10-01 04:00": false, "2026-10-01 21:59": false, "2026-10-01 22:00": true,
		"2026-10-07 23:59": true, "2026-10-08 04:59": true, "2026-10-08 05:00": false, "2026-10-08 22:00": false,
	} {
		if got, _ := inForce(w, at(s)); got != want {
			t.Errorf("%s: in force %v, want %v", s, got, want)
		}
	}
	if _, until := inForce(w, at("2026-10-07 23:00")); until != at("2026-10-08 05:00") {
		t.Errorf("until %v", Time(until).Std())
	}
	if DayNumber(0) != 0 || DayNumber(at("1970-01-02 00:00")) != 1 {
		t.Error("days are not counted from 1970-01-01")
	}
}
