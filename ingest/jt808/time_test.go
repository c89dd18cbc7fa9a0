package jt808

import (
	"testing"
	"time"
)

func TestTimeAgainstTheLibrary(t *testing.T) {
	beijing := time.FixedZone("", 8*3600)
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, beijing)
	for end := time.Date(2100, 1, 1, 0, 0, 0, 0, beijing); at.Before(end); at = at.Add(11*time.Hour + 7*time.Minute + 13*time.Second) {
		bcd := TimeOf(at.UnixMilli())
		if got := at.Format("2006-01-02T15:04:05-07:00"); bcd.String() != got {
			t.Fatalf("%s is %s", got, bcd)
		}
		if ms, ok := bcd.UnixMilli(); !ok || ms != at.UnixMilli() {
			t.Fatalf("%s is %d, %v", at, ms, ok)
		}
	}
}

func TestTimesThatAreNone(t *testing.T) {
	for _, s := range []string{"000000000000", "260001000000", "261301000000", "260100000000", "260230000000", "250229000000",
		"260431000000", "260101240000", "260101006000", "260101000060", "2a0101000000", "26010100000f", "ffffffffffff"} {
		b := Time(unhex(t, s))
		if ms, ok := b.UnixMilli(); ok || ms != 0 {
			t.Errorf("%s is %d", s, ms)
		}
		if b.String() != s {
			t.Errorf("%s is written %s", s, b)
		}
	}
	if ms, ok := (Time{0x24, 0x02, 0x29, 0x00, 0x00, 0x00}).UnixMilli(); !ok || ms != time.Date(2024, 2, 28, 16, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("leap day: %d, %v", ms, ok)
	}
	if !(Time{3: 8}).Daily() || (Time{1: 1}).Daily() || !(Time{}).IsZero() {
		t.Error("Daily, IsZero")
	}
	if s := ServerTimeAt(time.Date(2017, 3, 15, 17, 9, 23, 0, time.UTC).UnixMilli()); s.Time != (Time{0x17, 0x03, 0x15, 0x17, 0x09, 0x23}) {
		t.Errorf("server time %s", s.Time)
	}
}

func TestText(t *testing.T) {
	for _, s := range []string{"", "ABC", "皖A5K821", "氯碱厂限行圈"} {
		if got := GBK(s).String(); got != s {
			t.Errorf("%q is %q", s, got)
		}
	}
	for raw, want := range map[Text]string{"\x00\x00AB \x00": "AB", "  ": "", "\xcd\xeeA": "皖A", "A\xff": "A\uFFFD", "0012": "0012"} {
		if raw.String() != want {
			t.Errorf("%q is %q, want %q", string(raw), raw.String(), want)
		}
	}
	if got := GBK("a\U0001F600b皖").String(); got != "a?b皖" {
		t.Errorf("a character that GBK has not: %q", got)
	}
}
