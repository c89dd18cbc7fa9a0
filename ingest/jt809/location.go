package jt809

import (
	"encoding/binary"
	"fmt"
	"time"

	wire "lushao/ingest/fields"

	"lushao/ingest"
)

const (
	gnssSize     = 36 // gnss36
	pos2019Front = 5  // encrypt, gnss_len
	pos2019Tail  = 45 // three platforms and their alarms
	platformSize = 11
)

// Location is a position inside a message: the 36 bytes of 2011 (gnss36), or the block of 2019 around the body of an 808
// position report (pos2019).
type Location struct {
	Encrypt uint8 // 1: the coordinates are obfuscated by the plug-in of the state's map
	// Short says that the position is in GNSS36; else it is in GNSS.
	Short  bool
	GNSS36 GNSS36
	// GNSS is the body of an 808 position report, empty where there is no position. It aliases what was decoded.
	GNSS      []byte
	Platforms [3]PlatformAlarm // 2019: the operator's platform, the city's, the province's
}

// GNSS36 is the position of 2011 behind its first byte. Date and time are in Beijing, in plain numbers.
type GNSS36 struct {
	Day, Month           uint8
	Year                 uint16
	Hour, Minute, Second uint8
	Lon, Lat             uint32 // 1e-6 degree; the hemispheres are in State
	Vec1, Vec2           uint16 // km/h by the terminal, and by the driving recorder
	Vec3                 uint32 // km
	Direction            uint16 // degrees
	Altitude             uint16 // m
	State, Alarm         uint32 // status and alarm words of JT/T 808
}

// PlatformAlarm is what a platform that the position went through has added to it.
type PlatformAlarm struct {
	ID    Text   // platform_id
	Alarm uint32 // alarm word of JT/T 808
}

func (g *GNSS36) decode(b []byte) {
	g.Day, g.Month, g.Year = b[0], b[1], binary.BigEndian.Uint16(b[2:])
	g.Hour, g.Minute, g.Second = b[4], b[5], b[6]
	g.Lon, g.Lat = binary.BigEndian.Uint32(b[7:]), binary.BigEndian.Uint32(b[11:])
	g.Vec1, g.Vec2 = binary.BigEndian.Uint16(b[15:]), binary.BigEndian.Uint16(b[17:])
	g.Vec3 = binary.BigEndian.Uint32(b[19:])
	g.Direction, g.Altitude = binary.BigEndian.Uint16(b[23:]), binary.BigEndian.Uint16(b[25:])
	g.State, g.Alarm = binary.BigEndian.Uint32(b[27:]), binary.BigEndian.Uint32(b[31:])
}

func (g *GNSS36) append(dst []byte) []byte {
	dst = append(dst, g.Day, g.Month)
	dst = binary.BigEndian.AppendUint16(dst, g.Year)
	dst = append(dst, g.Hour, g.Minute, g.Second)
	dst = binary.BigEndian.AppendUint32(dst, g.Lon)
	dst = binary.BigEndian.AppendUint32(dst, g.Lat)
	dst = binary.BigEndian.AppendUint16(dst, g.Vec1)
	dst = binary.BigEndian.AppendUint16(dst, g.Vec2)
	dst = binary.BigEndian.AppendUint32(dst, g.Vec3)
	dst = binary.BigEndian.AppendUint16(dst, g.Direction)
	dst = binary.BigEndian.AppendUint16(dst, g.Altitude)
	dst = binary.BigEndian.AppendUint32(dst, g.State)
	return binary.BigEndian.AppendUint32(dst, g.Alarm)
}

var monthDays = [13]uint8{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// UnixMilli is the instant of the date in Unix ms; ok is false, and the instant 0, where it is no date since 1970.
func (g *GNSS36) UnixMilli() (ms int64, ok bool) {
	if g.Month < 1 || g.Month > 12 || g.Day < 1 || g.Day > monthDays[g.Month] || g.Hour > 23 || g.Minute > 59 || g.Second > 59 ||
		g.Year < 1970 || g.Year > 9999 {
		return 0, false
	}
	if g.Month == 2 && g.Day == 29 && (g.Year%4 != 0 || g.Year%100 == 0 && g.Year%400 != 0) {
		return 0, false
	}
	// Days in the Gregorian calendar, by years that begin in March so that the leap day is the last.
	y, m := int64(g.Year), int64(g.Month)
	if m <= 2 {
		y--
		m += 12
	}
	days := 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + int64(g.Day) - 719469
	s := (days*24+int64(g.Hour))*3600 + int64(g.Minute)*60 + int64(g.Second)
	return s*1000 - beijingMillis, true
}

const beijingMillis = 8 * 3600 * 1000

// setTime sets the date to an instant in Unix ms; what is no time leaves it 0.
func (g *GNSS36) setTime(ms int64) {
	if ms <= 0 {
		g.Day, g.Month, g.Year, g.Hour, g.Minute, g.Second = 0, 0, 0, 0, 0, 0
		return
	}
	t := time.UnixMilli(ms + beijingMillis).UTC()
	y, m, d := t.Date()
	h, min, s := t.Clock()
	g.Day, g.Month, g.Year = uint8(d), uint8(m), uint16(y)
	g.Hour, g.Minute, g.Second = uint8(h), uint8(min), uint8(s)
}

// Event fills e with the position as PositionReader does.
func (l *Location) Event(e *ingest.Event) {
	if l.Short {
		g := l.GNSS36
		g.event(l.Encrypt, e)
		return
	}
	eventOf808(l.Encrypt, l.GNSS, l.Platforms[0].Alarm|l.Platforms[1].Alarm|l.Platforms[2].Alarm, e)
}

// LocationOf is the position of an event, as the edition has positions.
func LocationOf(e *ingest.Event, ed Edition) Location {
	var l Location
	if ed.Has(FeaturePosition2019) {
		l.decode2019(AppendPositionData(nil, ed, e))
	} else {
		l.decode36(AppendPositionData(nil, ed, e))
	}
	return l
}

func (l *Location) decode36(b []byte) {
	*l = Location{Encrypt: b[0], Short: true}
	l.GNSS36.decode(b[1:])
}

// decode2019 reads an item whose length fits its gnss_len; the last alarm may be missing.
func (l *Location) decode2019(b []byte) {
	*l = Location{Encrypt: b[0]}
	n := pos2019Front + int(binary.BigEndian.Uint32(b[1:]))
	if n > pos2019Front {
		l.GNSS = b[pos2019Front:n:n]
	}
	for i := range l.Platforms {
		p := &l.Platforms[i]
		p.ID = Text(b[n : n+platformSize])
		n += platformSize
		if len(b) >= n+4 {
			p.Alarm = binary.BigEndian.Uint32(b[n:])
		}
		n += 4
	}
}

// append36 and append2019 turn a position of the other form into theirs.
func (l *Location) append36(dst []byte) []byte {
	dst = append(dst, l.Encrypt)
	g := l.GNSS36
	if !l.Short {
		g = GNSS36{}
		if len(l.GNSS) > 0 {
			var e ingest.Event
			l.Event(&e)
			g.fromEvent(&e)
		}
	}
	return g.append(dst)
}

func (l *Location) append2019(dst []byte) []byte {
	dst = append(dst, l.Encrypt)
	if l.Short {
		var e ingest.Event
		l.Event(&e)
		dst = appendGNSS(dst, &e)
	} else {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.GNSS)))
		dst = append(dst, l.GNSS...)
	}
	for i := range l.Platforms {
		p := &l.Platforms[i]
		var id [platformSize]byte
		copy(id[:], cutText(p.ID, platformSize))
		dst = append(dst, id[:]...)
		dst = binary.BigEndian.AppendUint32(dst, p.Alarm)
	}
	return dst
}

// gnss36 is a position of 36 bytes in every edition.
func (f *fields) gnss36(name string, l *Location) {
	switch f.Mode {
	case wire.Decoding:
		if b := f.Take(gnssSize, name); b != nil {
			l.decode36(b)
		}
	case wire.Encoding:
		f.Out = l.append36(f.Out)
	case wire.Describing:
		f.Key(name)
		f.Out = appendPositionJSON(f.Out, l)
	case wire.Filling:
		f.fillLocation(name, l, true)
	}
}

// position is a position as the edition has it.
func (f *fields) position(name string, l *Location) {
	switch f.Mode {
	case wire.Decoding:
		// The first bytes of gnss36 are a date, which is no length that fits.
		rest := f.Rest()
		n, ok := size2019(rest)
		switch {
		case f.Err != nil:
		case ok && (f.ed.Has(FeaturePosition2019) || fits2019(rest)):
			l.decode2019(f.Take(n, name))
		case !f.ed.Has(FeaturePosition2019):
			f.gnss36(name, l)
		case lacksAlarm(rest):
			l.decode2019(f.Take(len(rest), name))
		default:
			f.Fail(ErrShort, name, brokenPosition(rest))
		}
	case wire.Encoding:
		if f.ed.Has(FeaturePosition2019) {
			f.Out = l.append2019(f.Out)
			return
		}
		f.Out = l.append36(f.Out)
	case wire.Describing:
		f.Key(name)
		f.Out = appendPositionJSON(f.Out, l)
	case wire.Filling:
		f.fillLocation(name, l, !f.ed.Has(FeaturePosition2019))
	}
}

// size2019 is the length of the pos2019 that b begins with; ok is false where b is too short for it.
func size2019(b []byte) (n int, ok bool) {
	if len(b) < pos2019Front+pos2019Tail {
		return 0, false
	}
	gnss := binary.BigEndian.Uint32(b[1:])
	if uint64(gnss) > uint64(len(b)-pos2019Front-pos2019Tail) {
		return 0, false
	}
	return pos2019Front + int(gnss) + pos2019Tail, true
}

func brokenPosition(b []byte) string {
	if len(b) < pos2019Front {
		return fmt.Sprintf("position of %d bytes", len(b))
	}
	return fmt.Sprintf("gnss_len says %d, %d bytes are left for it and what follows", binary.BigEndian.Uint32(b[1:]), len(b)-pos2019Front)
}

// maxPositions is what a count of one byte can say. The standard allows 5.
const maxPositions = 255

// positions is a row of positions with their count in front. What peers send instead, positionLayout knows.
func (f *fields) positions(countName, name string, v *[]Location) {
	switch f.Mode {
	case wire.Decoding:
		f.decodePositions(countName, v)
		return
	case wire.Filling:
		f.Note(countName, "")
		f.fillLocations(name, v)
		return
	}
	items := (*v)[:min(len(*v), maxPositions)]
	f.Uint(countName, 1, uint64(len(items)))
	if f.Mode == wire.Describing {
		f.Key(name)
		f.Out = append(f.Out, '[')
	}
	for i := range items {
		switch {
		case f.Mode == wire.Describing:
			if i > 0 {
				f.Out = append(f.Out, ',')
			}
			f.Out = appendPositionJSON(f.Out, &items[i])
		case f.ed.Has(FeaturePosition2019):
			f.Out = items[i].append2019(f.Out)
		default:
			f.Out = items[i].append36(f.Out)
		}
	}
	if f.Mode == wire.Describing {
		f.Out = append(f.Out, ']')
	}
}

func (f *fields) decodePositions(countName string, v *[]Location) {
	at := f.At
	if f.Left() <= 0 {
		f.U8(countName, new(uint8)) // says what is missing
		return
	}
	data := f.Take(f.Left(), countName)
	if f.Err != nil {
		return
	}
	var r PositionReader
	r.at, r.short = positionLayout(data, true, f.ed)
	r.rest = data[r.at:]
	for {
		b, err := r.next()
		if b == nil {
			if e, ok := err.(*Error); ok {
				f.FailAt(e.Kind, at+e.Offset, e.Field, e.Detail)
			}
			return
		}
		var l Location
		if r.short {
			l.decode36(b)
		} else {
			l.decode2019(b)
		}
		*v = append(*v, l)
	}
}
