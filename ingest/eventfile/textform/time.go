package textform

import (
	"errors"
	"time"
)

// ErrTime is the error of ParseTime.
var ErrTime = errors.New("not a time of RFC 3339; write it like 2026-05-01T08:00:00+08:00")

// ParseTime reads a date and time of RFC 3339 section 5.6 into Unix milliseconds; finer fractions of a second are cut.
// The zone is needed. A leap second is refused: the protocols have none.
func ParseTime(b []byte) (ms int64, err error) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, ErrTime
	}
	var bad bool
	num := func(at, n int) (v int) {
		for _, c := range b[at : at+n] {
			bad = bad || !isDigit(c)
			v = v*10 + int(c) - '0'
		}
		return v
	}
	year, month, day := num(0, 4), num(5, 2), num(8, 2)
	hour, minute, second := num(11, 2), num(14, 2), num(17, 2)
	at := 19
	if b[at] == '.' {
		at++
		begin := at
		for unit := int64(100); at < len(b) && isDigit(b[at]); at++ {
			ms += unit * int64(b[at]-'0')
			unit /= 10
		}
		if at == begin {
			return 0, ErrTime
		}
	}
	offset := 0 // minutes
	switch zone := b[at:]; {
	case len(zone) == 1 && zone[0]|0x20 == 'z':
	case len(zone) == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':':
		h, m := num(at+1, 2), num(at+4, 2)
		bad = bad || h > 23 || m > 59
		offset = h*60 + m
		if zone[0] == '-' {
			offset = -offset
		}
	default:
		return 0, ErrTime
	}
	if bad || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, ErrTime
	}
	seconds := ((days(year, month, day)*24+int64(hour))*60+int64(minute-offset))*60 + int64(second)
	return seconds*1000 + ms, nil
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days counts the days from 1970-01-01 in the Gregorian calendar. Years begin in March, so that the leap day is last.
func days(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
		m += 12
	}
	y += 400 // no negative years below
	era := y / 400
	yearOfEra := y % 400
	dayOfYear := (153*(m-3)+2)/5 + int64(day) - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468 - 146097
}

// beijing is the zone of every time that is written: China has one zone and no summer time.
var beijing = time.FixedZone("CST", 8*3600)

// AppendTime appends Unix milliseconds as RFC 3339 with +08:00, with .mmm where the second is not whole. The form has
// room for the years 0 to 9999.
func AppendTime(dst []byte, ms int64) []byte {
	layout := "2006-01-02T15:04:05-07:00"
	if ms%1000 != 0 {
		layout = "2006-01-02T15:04:05.000-07:00"
	}
	return time.UnixMilli(ms).In(beijing).AppendFormat(dst, layout)
}
