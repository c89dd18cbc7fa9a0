package jt809

import (
	"encoding/binary"
	"fmt"
	"math"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// PositionReader reads the positions of 0x1202, 0x1203, 0x9202 and 0x9203 into events. It allocates nothing.
//
//	err := r.Reset(sub, data, edition)
//	for err == nil {
//		var ok bool
//		if ok, err = r.Next(&e); !ok {
//			break
//		}
//	}
type PositionReader struct {
	rest  []byte
	at    int // of rest in the data
	short bool
	flags ingest.Flags
}

// Reset begins with the data of a sub-message. Which form the positions have, their length says; the edition is asked
// where it does not. The error, an *Error, says that there is no position.
func (r *PositionReader) Reset(sub MessageID, data []byte, ed Edition) error {
	*r = PositionReader{}
	batch := sub == IDPositionBatch || sub == IDPositionBatchDown
	if batch {
		r.flags = ingest.FlagBackfill
	}
	if len(data) == 0 {
		field := "gnss_data"
		if batch {
			field = "gnss_cnt"
		}
		return &Error{ErrShort, field, 0, "no data"}
	}
	r.at, r.short = positionLayout(data, batch, ed)
	r.rest = data[r.at:]
	return nil
}

// positionLayout finds where the positions begin and whether they are of 36 bytes. Peers of 2019 send those too; one
// leaves out gnss_cnt and the last alarm word.
func positionLayout(data []byte, batch bool, ed Edition) (at int, short bool) {
	if !batch {
		switch {
		case len(data) == gnssSize:
			return 0, true
		case fits2019(data):
			return 0, false
		}
		return 0, !ed.Has(FeaturePosition2019)
	}
	n := len(data) - 1
	switch {
	case n > 0 && n%gnssSize == 0 && (int(data[0]) == n/gnssSize || !fits2019(data[1:])):
		return 1, true
	case n > 0 && fits2019(data[1:]):
		return 1, false
	case fits2019(data):
		return 0, false
	case len(data)%gnssSize == 0 && hasDate36(data[1:]):
		return 0, true
	}
	return 1, !ed.Has(FeaturePosition2019)
}

// fits2019 reports whether b is a row of pos2019, but for the last alarm word.
func fits2019(b []byte) bool {
	for {
		n, ok := size2019(b)
		if !ok {
			return lacksAlarm(b)
		}
		if b = b[n:]; len(b) == 0 {
			return true
		}
	}
}

// lacksAlarm reports whether b is a pos2019 without its last alarm word.
func lacksAlarm(b []byte) bool {
	return len(b) >= pos2019Front+pos2019Tail-4 &&
		uint64(binary.BigEndian.Uint32(b[1:])) == uint64(len(b)-(pos2019Front+pos2019Tail-4))
}

// hasDate36 reports whether b begins with the date of a gnss36 behind its first byte, in the years 2000 to 2099.
func hasDate36(b []byte) bool {
	if len(b) < gnssSize-1 {
		return false
	}
	var g GNSS36
	g.decode(b)
	_, ok := g.UnixMilli()
	return ok && g.Year/100 == 20
}

// next returns the bytes of the next position; both nil at the end.
func (r *PositionReader) next() (item []byte, err error) {
	b := r.rest
	if len(b) == 0 {
		return nil, nil
	}
	n, at := gnssSize, r.at
	if !r.short {
		var ok bool
		if n, ok = size2019(b); !ok {
			if !lacksAlarm(b) {
				r.rest = nil
				return nil, &Error{ErrShort, "gnss_data", at, brokenPosition(b)}
			}
			n = len(b)
		}
	}
	if len(b) < n {
		r.rest = nil
		if len(b) < gnssSize && at > 1 {
			return nil, nil // a tail, after positions that are whole
		}
		return nil, &Error{ErrShort, "gnss_data", at, fmt.Sprintf("%d bytes wanted, %d left", n, len(b))}
	}
	r.rest, r.at = b[n:], at+n
	return b[:n:n], nil
}

// Next reads the next position into e: kind, source, flags, time and position; the vehicle and the time of receipt are the
// caller's. Position.Extras alias the data. e.Time is 0 where the date is none; the caller decides then what stands for it.
// ok is false at the end. An error with ok is of this position alone, and e is not to be used; the next can be read.
func (r *PositionReader) Next(e *ingest.Event) (ok bool, err error) {
	b, err := r.next()
	if b == nil {
		return false, err
	}
	if r.short {
		var g GNSS36
		g.decode(b[1:])
		g.event(b[0], e)
	} else {
		n := pos2019Front + int(binary.BigEndian.Uint32(b[1:]))
		alarm := binary.BigEndian.Uint32(b[n+11:]) | binary.BigEndian.Uint32(b[n+26:])
		if len(b) == n+pos2019Tail {
			alarm |= binary.BigEndian.Uint32(b[n+41:])
		}
		if !eventOf808(b[0], b[pos2019Front:n:n], alarm, e) {
			return true, &Error{ErrShort, "gnss", r.at - len(b) + pos2019Front, fmt.Sprintf("position of %d bytes, at least 28 are needed", n-pos2019Front)}
		}
	}
	e.Flags |= r.flags
	return true, nil
}

// event fills e with the position. Numbers that no vehicle has stay so impossible: the quality gate judges them.
func (g *GNSS36) event(encrypt uint8, e *ingest.Event) {
	e.Kind, e.Source = ingest.KindPosition, ingest.SourceJT809
	e.Flags = flagsOf(encrypt, g.State)
	e.Time, _ = g.UnixMilli()
	p := &e.Position
	p.Reset()
	p.Lat = signed(g.Lat, g.State&jt808.StatusSouth != 0)
	p.Lon = signed(g.Lon, g.State&jt808.StatusWest != 0)
	p.Alarm, p.Status = g.Alarm, g.State
	p.Speed = tenths(g.Vec1)
	// What a terminal does not have is sent as 0 (4.4.2); the terminal's own speed it must have.
	if g.Vec2 != 0 {
		p.RecorderSpeed = tenths(g.Vec2)
	}
	if g.Vec3 != 0 && g.Vec3 != math.MaxUint32 {
		p.Mileage = uint32(min(uint64(g.Vec3)*10, math.MaxUint32-1))
	}
	p.Course, p.Altitude = g.Direction, int16(g.Altitude)
	p.Located = g.State&jt808.StatusLocated != 0
	p.ACC = g.State&jt808.StatusACC != 0
}

func flagsOf(encrypt uint8, status uint32) ingest.Flags {
	if encrypt == 1 || status&jt808.StatusEncrypted != 0 {
		return ingest.FlagEncrypted
	}
	return 0
}

// tenths makes km/h tenths of it.
func tenths(v uint16) uint16 {
	if v == math.MaxUint16 {
		return ingest.NoSpeed
	}
	return uint16(min(uint32(v)*10, uint32(ingest.NoSpeed-1)))
}

// signed makes a coordinate signed; what does not fit is clamped, and stays as impossible as it was.
func signed(v uint32, negative bool) int32 {
	v = min(v, math.MaxInt32)
	if negative {
		return -int32(v)
	}
	return int32(v)
}

// gnss35 is a gnss36 whose first byte stands in front of its length: one maker's reading of 2019.
const gnss35 = gnssSize - 1

const base808 = 28

// eventOf808 fills e from the body of an 808 position report as peers of 2019 send it. Without one it is a position of
// which only the alarms of the platforms are known. It reports false where the body is too short to be one.
func eventOf808(encrypt uint8, b []byte, alarms uint32, e *ingest.Event) bool {
	if g, ok := gnssInside(b); ok {
		g.event(encrypt, e)
		return true
	}
	if len(b) == 0 {
		e.Kind, e.Source = ingest.KindPosition, ingest.SourceJT809
		e.Flags, e.Time = flagsOf(encrypt, 0), 0
		e.Position.Reset()
		e.Position.Alarm = alarms
		return true
	}
	if len(b) < base808 {
		return false
	}
	var l jt808.Location
	if jt808.DecodeLocation(wellFormed(b), &l) != nil {
		return false
	}
	l.Event(e)
	e.Source = ingest.SourceJT809
	e.Flags |= flagsOf(encrypt, 0)
	return true
}

// wellFormed cuts a tail that is no additional item off an 808 position report.
func wellFormed(b []byte) []byte {
	at := base808
	for at+2 <= len(b) && at+2+int(b[at+1]) <= len(b) {
		at += 2 + int(b[at+1])
	}
	return b[:at:at]
}

// gnssInside returns the gnss36 that stands where the 808 body should be, with or without its first byte. Only what
// cannot be an 808 body is read so.
func gnssInside(b []byte) (g GNSS36, ok bool) {
	if len(b) != gnss35 && len(b) != gnssSize {
		return g, false
	}
	if _, dated := jt808.Time(b[22:28]).UnixMilli(); dated {
		return g, false
	}
	if b = b[len(b)-gnss35:]; !hasDate36(b) {
		return g, false
	}
	g.decode(b)
	return g, true
}

// fromEvent is the inverse of event, as far as the form goes.
func (g *GNSS36) fromEvent(e *ingest.Event) {
	p := &e.Position
	g.setTime(e.Time)
	g.Lat, g.Lon = magnitude(p.Lat), magnitude(p.Lon)
	g.State, g.Alarm = statusOf(p), p.Alarm
	g.Vec1 = math.MaxUint16
	if p.Speed != ingest.NoSpeed {
		g.Vec1 = uint16((uint32(p.Speed) + 5) / 10)
	}
	g.Vec2, g.Vec3 = 0, 0
	if p.RecorderSpeed != ingest.NoSpeed {
		g.Vec2 = uint16((uint32(p.RecorderSpeed) + 5) / 10)
	}
	if p.Mileage != ingest.NoMileage {
		g.Vec3 = p.Mileage / 10
	}
	g.Direction, g.Altitude = p.Course, uint16(p.Altitude)
}

func magnitude(v int32) uint32 {
	if v < 0 {
		return uint32(-int64(v))
	}
	return uint32(v)
}

// statusOf is the status word, its bits as the other fields have them.
func statusOf(p *ingest.Position) uint32 {
	s := setBit(p.Status, jt808.StatusLocated, p.Located)
	s = setBit(s, jt808.StatusACC, p.ACC)
	if p.Lat != 0 {
		s = setBit(s, jt808.StatusSouth, p.Lat < 0)
	}
	if p.Lon != 0 {
		s = setBit(s, jt808.StatusWest, p.Lon < 0)
	}
	return s
}

func setBit(s, bit uint32, on bool) uint32 {
	if on {
		return s | bit
	}
	return s &^ bit
}

// AppendPositionData appends the position of an event as one gnss36, or as one pos2019 without platforms: the data of
// 0x1202 and 0x9202. What is not known of it is 0 in the first and absent in the second. The latter carries the additional
// items as they are; an event without any has them made from its fields.
func AppendPositionData(dst []byte, ed Edition, e *ingest.Event) []byte {
	encrypt := byte(0)
	if e.Flags&ingest.FlagEncrypted != 0 {
		encrypt = 1
	}
	dst = append(dst, encrypt)
	if !ed.Has(FeaturePosition2019) {
		var g GNSS36
		g.fromEvent(e)
		return g.append(dst)
	}
	dst = appendGNSS(dst, e)
	var tail [pos2019Tail]byte
	binary.BigEndian.PutUint32(tail[platformSize:], e.Position.Alarm)
	return append(dst, tail[:]...)
}

// appendGNSS appends gnss_len and the body of an 808 position report.
func appendGNSS(dst []byte, e *ingest.Event) []byte {
	p := &e.Position
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	l := jt808.Location{Alarm: p.Alarm, Status: statusOf(p), Lat: magnitude(p.Lat), Lon: magnitude(p.Lon), Altitude: p.Altitude,
		Speed: p.Speed, Direction: p.Course, Extras: p.Extras}
	if e.Time > 0 {
		l.Time = jt808.TimeOf(e.Time)
	}
	dst = jt808.AppendLocation(dst, &l)
	if len(p.Extras) == 0 {
		dst = appendItems(dst, p)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// appendItems appends the additional items that say what p knows.
func appendItems(dst []byte, p *ingest.Position) []byte {
	x := jt808.Extras(dst)
	if p.Mileage != ingest.NoMileage {
		x = jt808.AppendItem32(x, jt808.ItemMileage, p.Mileage)
	}
	if p.Fuel != ingest.NoFuel {
		x = jt808.AppendItem16(x, jt808.ItemFuel, p.Fuel)
	}
	if p.RecorderSpeed != ingest.NoSpeed {
		x = jt808.AppendItem16(x, jt808.ItemRecorderSpeed, p.RecorderSpeed)
	}
	if p.VideoAlarm != 0 {
		x = jt808.AppendItem32(x, jt808.ItemVideoAlarm, p.VideoAlarm)
	}
	if p.RSSI != ingest.NoRSSI {
		x = jt808.AppendItem8(x, jt808.ItemRSSI, p.RSSI)
	}
	if p.Satellites != ingest.NoSatellites {
		x = jt808.AppendItem8(x, jt808.ItemSatellites, p.Satellites)
	}
	return x
}
