package ingest

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The wire form of an event on the bus. Numbers are little-endian. The value of a Kafka message of the
// events topic is a concatenation of such events, all of one partition, and nothing else.
//
//	head, 48 bytes
//	 0  u32  size of this event in bytes, head included
//	 4  u8   version: 1, or 2 of a weighing without a vehicle
//	 5  u8   kind
//	 6  u8   source
//	 7  u8   flags
//	 8  i64  time, Unix ms
//	16  i64  received, Unix ms
//	24  22 B plate, UTF-8, zero-padded
//	46  u8   length of the plate
//	47  u8   colour
//
//	position (kind 1), 40 bytes and the extras
//	48  i32  latitude     64  u32  video alarm     74  u16  recorder speed   82  u8   satellites
//	52  i32  longitude    68  u32  mileage         76  u16  course           83  u8   rssi
//	56  u32  alarm        72  u16  speed           78  i16  altitude         84  u8   bit 0 located, bit 1 ACC on
//	60  u32  status                                80  u16  fuel             85  u8   0
//	                                                                         86  u16  length of the extras; 88 extras
//
// The other kinds are rare. Their fields follow the head in the order of the struct: numbers in their width, truths as
// one byte, a list as a u16 count and its elements, a text as a u16 length and its bytes in UTF-8.
//
// Version 2 has the same layout and says that there is no vehicle: plate, its length and colour are 0. Only a weighing whose plate
// could not be read has it. A decoder refuses versions that it does not know: a reader must be upgraded before the writers.
const (
	wireVersion       = 1
	wireVersionUnread = 2
	headSize          = 48
	positionSize      = 40
)

// MaxEventSize bounds one event on the wire, in bytes.
const MaxEventSize = 1 << 18

// WireError says where in an event's bytes the trouble is.
type WireError struct {
	Offset int    // in the event
	Field  string // as in the layout
	Reason string
}

func (e *WireError) Error() string {
	return fmt.Sprintf("event: %s at byte %d: %s", e.Field, e.Offset, e.Reason)
}

// AppendEvent appends the wire form of e to dst. Texts longer than 65,535 bytes and lists longer than 65,535 elements
// are cut: no protocol can carry them.
func AppendEvent(dst []byte, e *Event) []byte {
	start := len(dst)
	var head [headSize + positionSize]byte
	if head[4] = wireVersion; e.Unread() {
		head[4] = wireVersionUnread
	}
	head[5] = byte(e.Kind)
	head[6] = byte(e.Source)
	head[7] = byte(e.Flags)
	binary.LittleEndian.PutUint64(head[8:], uint64(e.Time))
	binary.LittleEndian.PutUint64(head[16:], uint64(e.Received))
	copy(head[24:46], e.Vehicle.plate[:])
	head[46] = e.Vehicle.size
	head[47] = byte(e.Vehicle.Color)
	switch e.Kind {
	case KindPosition:
		p := &e.Position
		b := head[headSize:]
		binary.LittleEndian.PutUint32(b[0:], uint32(p.Lat))
		binary.LittleEndian.PutUint32(b[4:], uint32(p.Lon))
		binary.LittleEndian.PutUint32(b[8:], p.Alarm)
		binary.LittleEndian.PutUint32(b[12:], p.Status)
		binary.LittleEndian.PutUint32(b[16:], p.VideoAlarm)
		binary.LittleEndian.PutUint32(b[20:], p.Mileage)
		binary.LittleEndian.PutUint16(b[24:], p.Speed)
		binary.LittleEndian.PutUint16(b[26:], p.RecorderSpeed)
		binary.LittleEndian.PutUint16(b[28:], p.Course)
		binary.LittleEndian.PutUint16(b[30:], uint16(p.Altitude))
		binary.LittleEndian.PutUint16(b[32:], p.Fuel)
		b[34], b[35] = p.Satellites, p.RSSI
		if p.Located {
			b[36] |= 1
		}
		if p.ACC {
			b[36] |= 2
		}
		x := p.Extras[:min(len(p.Extras), 0xFFFF)]
		binary.LittleEndian.PutUint16(b[38:], uint16(len(x)))
		binary.LittleEndian.PutUint32(head[0:], uint32(headSize+positionSize+len(x)))
		return append(append(dst, head[:]...), x...)
	case KindDriverCard:
		d := e.Driver
		dst = append(dst, head[:headSize]...)
		dst = append(dst, truth(d.On), d.Result)
		dst = appendTexts(dst, d.License, d.Name, d.Org)
	case KindWeighing:
		w := e.Weighing
		dst = append(dst, head[:headSize]...)
		for _, v := range [...]uint32{uint32(w.Lat), uint32(w.Lon), w.GrossKg, w.LengthMm, w.WidthMm, w.HeightMm} {
			dst = binary.LittleEndian.AppendUint32(dst, v)
		}
		dst = binary.LittleEndian.AppendUint16(dst, w.Speed)
		dst = append(dst, w.Axles, byte(w.Combination), byte(w.SingleDriveAxle), w.Lane, byte(w.Method), truth(w.Evaded))
		axles := w.AxleKg[:min(len(w.AxleKg), 0xFFFF)]
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(axles)))
		for _, kg := range axles {
			dst = binary.LittleEndian.AppendUint32(dst, kg)
		}
		dst = appendTexts(dst, w.Station, w.Record)
	case KindWaybill:
		w := e.Waybill
		dst = append(dst, head[:headSize]...)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(w.Start))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(w.End))
		dst = appendTexts(dst, w.Number, w.CargoClass, w.Route, w.Text)
	case KindSafety:
		s := e.Safety
		dst = append(dst, head[:headSize]...)
		dst = binary.LittleEndian.AppendUint32(dst, s.AlarmID)
		dst = binary.LittleEndian.AppendUint16(dst, s.Speed)
		dst = append(dst, s.Level)
		dst = appendTexts(dst, s.System, s.Kind, s.Flag)
	case KindLink:
		dst = append(dst, head[:headSize]...)
		dst = append(dst, truth(e.Link.Online))
		dst = appendTexts(dst, e.Link.Reason)
	default:
		dst = append(dst, head[:headSize]...)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendTexts(dst []byte, texts ...string) []byte {
	for _, s := range texts {
		if len(s) > 0xFFFF {
			s = strings.ToValidUTF8(s[:0xFFFF], "")
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// DecodeEvent decodes the first event of b into e and returns the bytes after it. Position.Extras alias b and are valid
// as long as b is not changed; everything else is copied. A position allocates nothing. On an error e is undefined; the
// rest is nil, because the event's size can't be trusted then.
func DecodeEvent(b []byte, e *Event) (rest []byte, err error) {
	if len(b) < headSize {
		return nil, &WireError{len(b), "head", "cut short"}
	}
	size := binary.LittleEndian.Uint32(b)
	if size < headSize || uint64(size) > uint64(len(b)) || size > MaxEventSize {
		return nil, &WireError{0, "size", fmt.Sprintf("%d, of %d bytes there", size, len(b))}
	}
	rest, b = b[size:], b[:size]
	unread := b[4] == wireVersionUnread
	if b[4] != wireVersion && !unread {
		return nil, &WireError{4, "version", fmt.Sprintf("%d, want %d or %d: this reader is older than the writer", b[4], wireVersion, wireVersionUnread)}
	}
	e.Kind, e.Source, e.Flags = Kind(b[5]), Source(b[6]), Flags(b[7])
	e.Time = int64(binary.LittleEndian.Uint64(b[8:]))
	e.Received = int64(binary.LittleEndian.Uint64(b[16:]))
	copy(e.Vehicle.plate[:], b[24:46])
	e.Vehicle.size = b[46]
	e.Vehicle.Color = Color(b[47])
	switch {
	case unread && e.Kind != KindWeighing:
		return nil, &WireError{5, "kind", fmt.Sprintf("a %s without a vehicle", e.Kind)}
	case unread && e.Vehicle.Color != 0:
		return nil, &WireError{47, "colour", fmt.Sprintf("%d, of no vehicle", e.Vehicle.Color)}
	case unread != (e.Vehicle.size == 0) || e.Vehicle.size > MaxPlate:
		return nil, &WireError{46, "plate length", fmt.Sprint(e.Vehicle.size)}
	}
	for _, c := range e.Vehicle.plate[e.Vehicle.size:] {
		if c != 0 {
			return nil, &WireError{24, "plate", "not zero-padded"}
		}
	}
	if e.Kind == KindPosition {
		if len(b) < headSize+positionSize {
			return nil, &WireError{len(b), "position", "cut short"}
		}
		p, f := &e.Position, b[headSize:headSize+positionSize]
		p.Lat = int32(binary.LittleEndian.Uint32(f[0:]))
		p.Lon = int32(binary.LittleEndian.Uint32(f[4:]))
		p.Alarm = binary.LittleEndian.Uint32(f[8:])
		p.Status = binary.LittleEndian.Uint32(f[12:])
		p.VideoAlarm = binary.LittleEndian.Uint32(f[16:])
		p.Mileage = binary.LittleEndian.Uint32(f[20:])
		p.Speed = binary.LittleEndian.Uint16(f[24:])
		p.RecorderSpeed = binary.LittleEndian.Uint16(f[26:])
		p.Course = binary.LittleEndian.Uint16(f[28:])
		p.Altitude = int16(binary.LittleEndian.Uint16(f[30:]))
		p.Fuel = binary.LittleEndian.Uint16(f[32:])
		p.Satellites, p.RSSI = f[34], f[35]
		p.Located, p.ACC = f[36]&1 != 0, f[36]&2 != 0
		if n := int(binary.LittleEndian.Uint16(f[38:])); n != len(b)-headSize-positionSize {
			return nil, &WireError{86, "length of the extras", fmt.Sprintf("%d, of %d bytes there", n, len(b)-headSize-positionSize)}
		}
		p.Extras = b[headSize+positionSize:]
		return rest, nil
	}
	r := wireReader{b: b, at: headSize}
	switch e.Kind {
	case KindDriverCard:
		if e.Driver == nil {
			e.Driver = new(DriverCard)
		}
		d := e.Driver
		d.On, d.Result = r.truth("on"), r.u8("result")
		d.License, d.Name, d.Org = r.text("license"), r.text("name"), r.text("org")
	case KindWeighing:
		if e.Weighing == nil {
			e.Weighing = new(Weighing)
		}
		w := e.Weighing
		w.Lat, w.Lon, w.GrossKg = int32(r.u32("lat")), int32(r.u32("lon")), r.u32("gross")
		w.LengthMm, w.WidthMm, w.HeightMm = r.u32("length"), r.u32("width"), r.u32("height")
		w.Speed, w.Axles = r.u16("speed"), r.u8("axles")
		w.Combination, w.SingleDriveAxle = Tri(r.u8("combination")), Tri(r.u8("single drive axle"))
		w.Lane, w.Method, w.Evaded = r.u8("lane"), Method(r.u8("method")), r.truth("evaded")
		w.AxleKg = w.AxleKg[:0]
		for n := r.u16("count of axle masses"); n > 0 && r.err == nil; n-- {
			w.AxleKg = append(w.AxleKg, r.u32("axle mass"))
		}
		w.Station, w.Record = r.text("station"), r.text("record")
	case KindWaybill:
		if e.Waybill == nil {
			e.Waybill = new(Waybill)
		}
		w := e.Waybill
		w.Start, w.End = int64(r.u64("start")), int64(r.u64("end"))
		w.Number, w.CargoClass, w.Route, w.Text = r.text("number"), r.text("cargo class"), r.text("route"), r.text("text")
	case KindSafety:
		if e.Safety == nil {
			e.Safety = new(Safety)
		}
		s := e.Safety
		s.AlarmID, s.Speed, s.Level = r.u32("alarm id"), r.u16("speed"), r.u8("level")
		s.System, s.Kind, s.Flag = r.text("system"), r.text("kind"), r.text("flag")
	case KindLink:
		if e.Link == nil {
			e.Link = new(Link)
		}
		e.Link.Online, e.Link.Reason = r.truth("online"), r.text("reason")
	default:
		return nil, &WireError{5, "kind", fmt.Sprintf("%d is unknown", e.Kind)}
	}
	if r.err == nil && r.at != len(b) {
		r.fail("end", fmt.Sprintf("%d bytes left over", len(b)-r.at))
	}
	if r.err != nil {
		return nil, r.err
	}
	return rest, nil
}

// wireReader reads fields one after another and keeps the first error.
type wireReader struct {
	b   []byte
	at  int
	err error
}

func (r *wireReader) fail(field, reason string) {
	if r.err == nil {
		r.err = &WireError{r.at, field, reason}
	}
}

func (r *wireReader) take(n int, field string) []byte {
	if r.err != nil || len(r.b)-r.at < n {
		r.fail(field, "cut short")
		return make([]byte, min(n, 8))
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *wireReader) u8(field string) uint8   { return r.take(1, field)[0] }
func (r *wireReader) u16(field string) uint16 { return binary.LittleEndian.Uint16(r.take(2, field)) }
func (r *wireReader) u32(field string) uint32 { return binary.LittleEndian.Uint32(r.take(4, field)) }
func (r *wireReader) u64(field string) uint64 { return binary.LittleEndian.Uint64(r.take(8, field)) }

func (r *wireReader) truth(field string) bool {
	v := r.u8(field)
	if v > 1 {
		r.fail(field, fmt.Sprintf("%d is no truth", v))
	}
	return v == 1
}

func (r *wireReader) text(field string) string {
	n := int(r.u16(field))
	if r.err != nil {
		return ""
	}
	return string(r.take(n, field))
}
