package jt808

import wire "lushao/ingest/fields"

// Time is a BCD[6] of the standard, YY-MM-DD-hh-mm-ss in Beijing time (GMT+8), the year from 2000 on. The bytes are
// kept: some fields allow what is no date, such as 00-00-00 for every day.
type Time [6]byte

const beijingMillis = 8 * 3600 * 1000

// TimeOf makes the Time of an instant in Unix ms; parts of a second are dropped.
func TimeOf(ms int64) Time { return bcdTime(ms + beijingMillis) }

func bcdTime(ms int64) (t Time) {
	s := floorDiv(ms, 1000)
	days := floorDiv(s, 86400)
	s -= days * 86400
	y, m, d := civil(days)
	for i, v := range [...]int64{y - 2000, m, d, s / 3600, s / 60 % 60, s % 60} {
		v = ((v % 100) + 100) % 100
		t[i] = byte(v/10<<4 | v%10)
	}
	return t
}

// UnixMilli returns the instant in Unix ms UTC; ok is false, and the instant 0, where the bytes are no date.
func (t Time) UnixMilli() (ms int64, ok bool) {
	ms, ok = t.utcMilli()
	if !ok {
		return 0, false
	}
	return ms - beijingMillis, true
}

// IsZero reports whether all bytes are 0, which stands for "no limit" and "no fix yet".
func (t Time) IsZero() bool { return t == Time{} }

// Daily reports whether the date part is 00-00-00, which stands for every day in areas and routes.
func (t Time) Daily() bool { return t[0] == 0 && t[1] == 0 && t[2] == 0 }

var monthDays = [13]uint8{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// utcMilli reads the digits as if they were UTC.
func (t Time) utcMilli() (int64, bool) {
	var v [6]int64
	for i, b := range t {
		if b>>4 > 9 || b&15 > 9 {
			return 0, false
		}
		v[i] = int64(b>>4)*10 + int64(b&15)
	}
	y, m, d := v[0], v[1], v[2]
	if m < 1 || m > 12 || d < 1 || v[3] > 23 || v[4] > 59 || v[5] > 59 {
		return 0, false
	}
	last := int64(monthDays[m])
	leap := y%4 == 0 // 2000 to 2099: 2000 is a leap year
	if m == 2 && leap {
		last = 29
	}
	if d > last {
		return 0, false
	}
	return ((daysSince1970(2000+y, m, d)*24+v[3])*60+v[4])*60000 + v[5]*1000, true
}

// daysSince1970 counts days in the Gregorian calendar, by years that begin in March so that the leap day is the last.
func daysSince1970(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 719469
}

// civil is the inverse of daysSince1970.
func civil(days int64) (y, m, d int64) {
	days += 719468
	era := floorDiv(days, 146097)
	doe := days - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// String is RFC 3339 with +08:00, or the digits where the bytes are no date.
func (t Time) String() string { return string(t.append(nil, "+08:00")) }

func (t Time) append(dst []byte, zone string) []byte {
	if _, ok := t.utcMilli(); !ok {
		for _, b := range t {
			dst = append(dst, wire.HexDigit(b>>4), wire.HexDigit(b&15))
		}
		return dst
	}
	dst = append(dst, '2', '0')
	for i, b := range t {
		dst = append(dst, '0'+b>>4, '0'+b&15)
		if i < 5 {
			dst = append(dst, "--T::"[i])
		}
	}
	return append(dst, zone...)
}

// clock is hh:mm:ss of the digits.
func (t Time) clock() string {
	return string([]byte{wire.HexDigit(t[3] >> 4), wire.HexDigit(t[3] & 15), ':', wire.HexDigit(t[4] >> 4), wire.HexDigit(t[4] & 15), ':',
		wire.HexDigit(t[5] >> 4), wire.HexDigit(t[5] & 15)})
}
