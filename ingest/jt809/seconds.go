package jt809

import (
	"math"
	"strconv"
	"time"

	wire "lushao/ingest/fields"
)

// Seconds is a time_t of the standard: seconds since 1970 UTC; 0 is no time. Peers are seen to send milliseconds: what is
// too great for seconds is read so.
type Seconds uint64

// maxSeconds is the year 5138. The least number of milliseconds taken as such is in 1973.
const maxSeconds Seconds = 1e11

// maxMillis is the end of the year 9999, the last that RFC 3339 can write.
const maxMillis Seconds = 253402300799999

// SecondsOf makes the Seconds of an instant in Unix ms; parts of a second are dropped, and an instant before 1970 is 0.
func SecondsOf(unixMs int64) Seconds { return Seconds(max(unixMs, 0) / 1000) }

// UnixMilli returns the instant in Unix ms; the greatest there is for what is beyond.
func (s Seconds) UnixMilli() int64 {
	if s <= maxSeconds {
		return int64(s) * 1000
	}
	return int64(min(s, math.MaxInt64))
}

var beijing = time.FixedZone("", 8*3600)

// appendText appends RFC 3339 in +08:00; ok is false where the instant cannot be written.
func (s Seconds) appendText(dst []byte) (out []byte, ok bool) {
	if s == 0 || s > maxMillis {
		return dst, false
	}
	return time.UnixMilli(s.UnixMilli()).In(beijing).AppendFormat(dst, time.RFC3339Nano), true
}

// String is RFC 3339 in +08:00, or the number.
func (s Seconds) String() string {
	if b, ok := s.appendText(nil); ok {
		return string(b)
	}
	return strconv.FormatUint(uint64(s), 10)
}

// seconds is a time of eight bytes. JSON has RFC 3339, and null for 0. What is not in seconds, or no date, stands under
// _raw as well.
func (f *fields) seconds(name string, v *Seconds) {
	switch f.Mode {
	default:
		f.U64(name, (*uint64)(v))
	case wire.Describing:
		f.Key(name)
		out, ok := v.appendText(append(f.Out, '"'))
		if ok {
			f.Out = append(out, '"')
		} else {
			f.Out = append(f.Out, "null"...)
		}
		if *v > maxSeconds {
			f.U64(name+"_raw", (*uint64)(v))
		}
	case wire.Filling:
		f.fillSeconds(name, v)
	}
}

func (f *fields) fillSeconds(name string, v *Seconds) {
	s, ok := f.MemberText(name)
	if ok {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil || t.UnixMilli() < 0 {
			f.Refuse(name, "want a time such as 2026-03-01T08:00:00+08:00")
			return
		}
		*v = SecondsOf(t.UnixMilli())
	}
	f.U64(name+"_raw", (*uint64)(v))
}
