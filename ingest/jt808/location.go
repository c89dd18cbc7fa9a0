package jt808

import (
	"encoding/binary"
	"fmt"
	"math"

	"lushao/ingest"
)

const (
	locationBaseSize   = 28
	locationTimeOffset = 22 // the tables of all three editions print 21
)

// Bits of Location.Status (JT/T 808-2013 8.18, table of status bits).
const (
	StatusACC       uint32 = 1 << 0
	StatusLocated   uint32 = 1 << 1
	StatusSouth     uint32 = 1 << 2
	StatusWest      uint32 = 1 << 3
	StatusStopped   uint32 = 1 << 4 // out of service
	StatusEncrypted uint32 = 1 << 5 // coordinates encrypted by the confidentiality plug-in
	StatusLocked    uint32 = 1 << 12
	StatusGPS       uint32 = 1 << 18
	StatusBeiDou    uint32 = 1 << 19
	StatusGLONASS   uint32 = 1 << 20
	StatusGalileo   uint32 = 1 << 21
	StatusMoving    uint32 = 1 << 22 // 2019
)

// Bits of Location.Alarm (JT/T 808-2013 8.18, table of alarm flags).
const (
	AlarmEmergency    uint32 = 1 << 0
	AlarmOverspeed    uint32 = 1 << 1
	AlarmFatigue      uint32 = 1 << 2
	AlarmDanger       uint32 = 1 << 3
	AlarmGNSSFault    uint32 = 1 << 4
	AlarmAntennaOpen  uint32 = 1 << 5
	AlarmAntennaShort uint32 = 1 << 6
	AlarmPowerLow     uint32 = 1 << 7
	AlarmPowerLost    uint32 = 1 << 8
)

// Location is the body of 0x0200, and the location inside other messages: 28 bytes and additional items.
type Location struct {
	Alarm     uint32
	Status    uint32
	Lat       uint32 // 1e-6 degree; south when StatusSouth
	Lon       uint32 // 1e-6 degree; west when StatusWest
	Altitude  int16  // m; unsigned in the text, two's complement below the sea on devices
	Speed     uint16 // 0.1 km/h
	Direction uint16 // degrees, 0 north, clockwise
	Time      Time   // Beijing time
	// Extras are the additional items as received, to the end of the space, a malformed tail included. They alias the
	// body that was decoded.
	Extras Extras
	// ExtrasErr says what is wrong with the tail of Extras; the items before it can be read.
	ExtrasErr error
}

// DecodeLocation reads a location: the body of 0x0200, or an item of 0x0704. Only a body shorter than the 28 bytes of
// the base is an error; a malformed item keeps the base and sets l.ExtrasErr. It allocates nothing.
func DecodeLocation(b []byte, l *Location) error {
	if len(b) < locationBaseSize {
		return shortLocation(len(b))
	}
	l.Alarm = binary.BigEndian.Uint32(b)
	l.Status = binary.BigEndian.Uint32(b[4:])
	l.Lat = binary.BigEndian.Uint32(b[8:])
	l.Lon = binary.BigEndian.Uint32(b[12:])
	l.Altitude = int16(binary.BigEndian.Uint16(b[16:]))
	l.Speed = binary.BigEndian.Uint16(b[18:])
	l.Direction = binary.BigEndian.Uint16(b[20:])
	l.Time = Time(b[22:28])
	l.Extras = Extras(b[locationBaseSize:])
	l.ExtrasErr = nil
	for x := l.Extras; len(x) > 0; {
		if len(x) < 2 || len(x) < 2+int(x[1]) {
			l.ExtrasErr = brokenItem(len(b)-len(x), x)
			break
		}
		x = x[2+int(x[1]):]
	}
	return nil
}

func shortLocation(n int) error {
	field, at := "time", locationTimeOffset
	for _, f := range [...]struct {
		name string
		end  int
	}{{"alarm", 4}, {"status", 8}, {"lat", 12}, {"lon", 16}, {"altitude", 18}, {"speed", 20}, {"direction", 22}} {
		if n < f.end {
			field = f.name
			break
		}
		at = f.end
	}
	if field == "alarm" {
		at = 0
	}
	return &Error{ErrShort, field, at, fmt.Sprintf("location of %d bytes, at least %d are needed", n, locationBaseSize)}
}

func brokenItem(at int, x Extras) error {
	if len(x) < 2 {
		return &Error{ErrShort, "len", at + 1, fmt.Sprintf("additional item 0x%02x has no length, the body ends", x[0])}
	}
	return &Error{ErrShort, "content", at + 2,
		fmt.Sprintf("additional item 0x%02x of %d bytes, %d left", x[0], x[1], len(x)-2)}
}

// AppendLocation appends the location: the body of 0x0200.
func AppendLocation(dst []byte, l *Location) []byte {
	dst = binary.BigEndian.AppendUint32(dst, l.Alarm)
	dst = binary.BigEndian.AppendUint32(dst, l.Status)
	dst = binary.BigEndian.AppendUint32(dst, l.Lat)
	dst = binary.BigEndian.AppendUint32(dst, l.Lon)
	dst = binary.BigEndian.AppendUint16(dst, uint16(l.Altitude))
	dst = binary.BigEndian.AppendUint16(dst, l.Speed)
	dst = binary.BigEndian.AppendUint16(dst, l.Direction)
	dst = append(dst, l.Time[:]...)
	return append(dst, l.Extras...)
}

// walk makes *Location the body of 0x0200.
func (l *Location) walk(f *fields) { f.locationRest("location", l) }

// Located reports whether the receiver had a fix.
func (l *Location) Located() bool { return l.Status&StatusLocated != 0 }

// SetCoordinates sets latitude, longitude (1e-6 degree, south and west negative) and the hemisphere bits.
func (l *Location) SetCoordinates(lat, lon int32) {
	l.Status &^= StatusSouth | StatusWest
	if lat < 0 {
		l.Status |= StatusSouth
	}
	if lon < 0 {
		l.Status |= StatusWest
	}
	l.Lat, l.Lon = magnitude(lat), magnitude(lon)
}

func magnitude(v int32) uint32 {
	if v < 0 {
		return uint32(-int64(v))
	}
	return uint32(v)
}

// signed makes a coordinate signed. What does not fit is clamped, so that it stays as impossible as it was: the quality
// gate judges it, not the codec.
func signed(v uint32, negative bool) int32 {
	if v > math.MaxInt32 {
		v = math.MaxInt32
	}
	if negative {
		return -int32(v)
	}
	return int32(v)
}

// Event fills e with the position: kind, source JT/T 808, time and position; the vehicle, the time of receipt and the
// backfill flag are the caller's. Position.Extras alias what l.Extras alias. It reports false, with e.Time 0, where the
// time is no date; then the caller decides what time stands for it. An additional item of another length than the
// standard's is not read; of an id that comes twice the last counts. It allocates nothing.
func (l *Location) Event(e *ingest.Event) (timeOK bool) {
	e.Kind = ingest.KindPosition
	e.Source = ingest.SourceJT808
	e.Flags = 0
	if l.Status&StatusEncrypted != 0 {
		e.Flags = ingest.FlagEncrypted
	}
	e.Time, timeOK = l.Time.UnixMilli()
	p := &e.Position
	p.Reset()
	p.Lat = signed(l.Lat, l.Status&StatusSouth != 0)
	p.Lon = signed(l.Lon, l.Status&StatusWest != 0)
	p.Alarm, p.Status = l.Alarm, l.Status
	p.Speed, p.Course, p.Altitude = l.Speed, l.Direction, l.Altitude
	p.Located = l.Status&StatusLocated != 0
	p.ACC = l.Status&StatusACC != 0
	p.Extras = l.Extras
	for x := l.Extras; ; {
		id, v, rest, ok := x.Next()
		if !ok {
			break
		}
		x = rest
		switch {
		case id == ItemMileage && len(v) == 4:
			p.Mileage = be32(v)
		case id == ItemFuel && len(v) == 2:
			p.Fuel = be16(v)
		case id == ItemRecorderSpeed && len(v) == 2:
			p.RecorderSpeed = be16(v)
		case id == ItemVideoAlarm && len(v) == 4:
			p.VideoAlarm = be32(v)
		case id == ItemRSSI && len(v) == 1:
			p.RSSI = v[0]
		case id == ItemSatellites && len(v) == 1:
			p.Satellites = v[0]
		}
	}
	return timeOK
}
