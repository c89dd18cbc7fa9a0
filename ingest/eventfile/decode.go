package eventfile

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"

	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

const (
	statusACC     = 1 << 0 // JT/T 808-2019 8.18 table 24: ACC on
	statusLocated = 1 << 1 // positioned

	// maxAxles bounds the list of axle masses.
	maxAxles = math.MaxUint8
	// maxExtras bounds the additional items in bytes: the wire form has no room for more.
	maxExtras = 0xFFFF
)

// decode makes the event of the line.
func (s *fields) decode(e *ingest.Event) *fieldError {
	e.Kind = s.kind
	unread := s.unread()
	for _, f := range [...]field{fPlate, fColor, fTime} {
		if s.value[f] == nil && !(f == fColor && unread) {
			s.fail(f, "missing; every event has plate, color and time")
		}
	}
	if e.Vehicle = (ingest.Vehicle{}); !unread {
		s.vehicle(e)
	}
	e.Time = s.time(fTime, 0)
	e.Received = s.time(fReceived, e.Time)
	e.Source = s.source()
	e.Flags = 0
	if s.truth(fBackfill, false) {
		e.Flags |= ingest.FlagBackfill
	}
	if s.truth(fEncrypted, false) {
		e.Flags |= ingest.FlagEncrypted
	}
	switch e.Kind {
	case ingest.KindPosition:
		s.position(&e.Position)
	case ingest.KindDriverCard:
		e.Driver = fresh(e.Driver)
		s.driver(e.Driver)
	case ingest.KindWeighing:
		if e.Weighing == nil {
			e.Weighing = new(ingest.Weighing)
		}
		s.weighing(e.Weighing)
	case ingest.KindWaybill:
		e.Waybill = fresh(e.Waybill)
		s.waybill(e.Waybill)
	case ingest.KindSafety:
		e.Safety = fresh(e.Safety)
		s.safety(e.Safety)
	case ingest.KindLink:
		e.Link = fresh(e.Link)
		s.link(e.Link)
	}
	return s.err
}

// fresh empties what p points to, or makes one.
func fresh[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	*p = *new(T)
	return p
}

// unread reports whether it is a weighing whose plate could not be read, by the same words as at the stations' door. What is said of
// the plate's colour then does not count.
func (s *fields) unread() bool {
	return s.kind == ingest.KindWeighing && s.value[fPlate] != nil && ingest.PlateUnread(s.text(fPlate)) && s.err == nil
}

func (s *fields) vehicle(e *ingest.Event) {
	color := ingest.Color(s.whole(fColor, 0, math.MaxUint8, 0))
	plate := s.text(fPlate)
	if s.err != nil {
		return
	}
	if strings.TrimSpace(plate) != plate {
		s.fail(fPlate, "%q has white space around it", describe([]byte(plate)))
		return
	}
	v, err := ingest.NewVehicle(plate, color)
	if err != nil {
		s.fail(fPlate, "%s", strings.TrimPrefix(err.Error(), "plate: "))
		return
	}
	e.Vehicle = v
}

// source returns the door by its name. The field is ours; in a file from elsewhere it may be a foreign one of the same
// name, so an unknown word is not an error.
func (s *fields) source() ingest.Source {
	if s.value[fSource] == nil {
		return ingest.SourceFile
	}
	name := s.text(fSource)
	for v := ingest.SourceUnknown; v <= ingest.SourceFile; v++ {
		if v.String() == name {
			return v
		}
	}
	return ingest.SourceFile
}

func (s *fields) position(p *ingest.Position) {
	p.Reset()
	p.Lat = int32(s.measure(fLat, 6, math.MinInt32, math.MaxInt32, 0))
	p.Lon = int32(s.measure(fLon, 6, math.MinInt32, math.MaxInt32, 0))
	p.Speed = s.speed(fSpeed)
	p.RecorderSpeed = s.speed(fRecorderSpeed)
	p.Course = uint16(s.measure(fCourse, 0, 0, int64(ingest.NoCourse)-1, int64(ingest.NoCourse)))
	p.Altitude = int16(s.measure(fAltitude, 0, int64(ingest.NoAltitude)+1, math.MaxInt16, int64(ingest.NoAltitude)))
	p.Mileage = uint32(s.measure(fMileage, 1, 0, int64(ingest.NoMileage)-1, int64(ingest.NoMileage)))
	p.Fuel = uint16(s.measure(fFuel, 1, 0, int64(ingest.NoFuel)-1, int64(ingest.NoFuel)))
	p.Satellites = uint8(s.whole(fSatellites, 0, int64(ingest.NoSatellites)-1, int64(ingest.NoSatellites)))
	p.RSSI = uint8(s.whole(fRSSI, 0, int64(ingest.NoRSSI)-1, int64(ingest.NoRSSI)))
	p.Located = s.truth(fLocated, true)
	p.ACC = s.truth(fACC, true)
	p.Alarm = s.u32(fAlarm)
	p.VideoAlarm = s.u32(fVideoAlarm)
	if s.value[fStatus] != nil {
		p.Status = s.u32(fStatus)
	} else {
		if p.ACC {
			p.Status |= statusACC
		}
		if p.Located {
			p.Status |= statusLocated
		}
	}
	p.Extras = s.extras()
}

func (s *fields) speed(f field) uint16 {
	return uint16(s.measure(f, 1, 0, int64(ingest.NoSpeed)-1, int64(ingest.NoSpeed)))
}

func (s *fields) u32(f field) uint32 { return uint32(s.whole(f, 0, math.MaxUint32, 0)) }
func (s *fields) u8(f field) uint8   { return uint8(s.whole(f, 0, math.MaxUint8, 0)) }

// mass and size are measures that are kept in whole kg and mm; 0 is unknown.
func (s *fields) mass(f field) uint32 { return uint32(s.measure(f, 0, 0, math.MaxUint32, 0)) }
func (s *fields) size(f field) uint32 { return uint32(s.measure(f, 0, 0, math.MaxUint32, 0)) }

// extras returns the additional items {id, length, content} of the object of hexadecimal texts by id, and the tail that
// is no item. The bytes are new: those of the event may belong to another buffer.
func (s *fields) extras() []byte {
	object, tail := s.value[fExtras], s.value[fExtrasTail]
	if object == nil && tail == nil {
		return nil
	}
	var items []byte
	if object != nil && object[0] != '{' {
		s.fail(fExtras, "want an object of hexadecimal texts by id, got %s", describe(object))
		return nil
	}
	for at := 0; object != nil && s.err == nil; {
		m, next, ok := textform.NextMember(object, at)
		if !ok {
			break
		}
		at = next
		key := textform.Text(m.Key)
		detail := "." + describe([]byte(key))
		id, err := hex.DecodeString(key)
		if err != nil || len(id) != 1 {
			s.failAt(fExtras, detail, "want an id of two hexadecimal digits")
			return nil
		}
		if m.Value[0] != '[' {
			items = s.appendItem(items, id[0], detail, m.Value)
			continue
		}
		for at, i := 0, 0; s.err == nil; i++ {
			v, next, ok := textform.NextElement(m.Value, at)
			if !ok {
				break
			}
			at = next
			items = s.appendItem(items, id[0], fmt.Sprintf("%s[%d]", detail, i), v.Value)
		}
	}
	if tail != nil && s.err == nil {
		b, err := hex.DecodeString(s.text(fExtrasTail))
		if err != nil {
			s.fail(fExtrasTail, "want hexadecimal digits")
			return nil
		}
		items = append(items, b...)
	}
	if len(items) > maxExtras {
		s.fail(fExtras, "more than %d bytes", maxExtras)
		return nil
	}
	return items
}

func (s *fields) appendItem(items []byte, id byte, detail string, v []byte) []byte {
	if v[0] != '"' {
		s.failAt(fExtras, detail, "want a hexadecimal text, got %s", describe(v))
		return items
	}
	content, err := hex.DecodeString(textform.Text(v[1 : len(v)-1]))
	switch {
	case err != nil:
		s.failAt(fExtras, detail, "want hexadecimal digits, two a byte, got %s", describe(v))
	case len(content) > math.MaxUint8:
		s.failAt(fExtras, detail, "%d bytes; an item has at most %d", len(content), math.MaxUint8)
	}
	if s.err != nil {
		return items
	}
	items = append(items, id, byte(len(content)))
	return append(items, content...)
}

func (s *fields) driver(d *ingest.DriverCard) {
	d.On = s.either("on", "off")
	d.License, d.Name, d.Org = s.text(fLicense), s.text(fName), s.text(fOrg)
	d.Result = s.u8(fResult)
}

// either reads the field event, which is needed and one of two words.
func (s *fields) either(yes, no string) bool {
	if s.value[fEvent] == nil {
		s.fail(fEvent, "missing; want %q or %q", yes, no)
		return false
	}
	switch word := s.text(fEvent); {
	case word == yes:
		return true
	case word != no:
		s.fail(fEvent, "want %q or %q, got %q", yes, no, describe([]byte(word)))
	}
	return false
}

func (s *fields) weighing(w *ingest.Weighing) {
	*w = ingest.Weighing{AxleKg: w.AxleKg[:0]}
	w.Station, w.Record = s.text(fStation), s.text(fRecord)
	w.Lat = int32(s.measure(fLat, 6, math.MinInt32, math.MaxInt32, 0))
	w.Lon = int32(s.measure(fLon, 6, math.MinInt32, math.MaxInt32, 0))
	w.Axles = s.u8(fAxles)
	w.Combination, w.SingleDriveAxle = s.tri(fCombination), s.tri(fSingleDriveAxle)
	w.GrossKg = s.mass(fGross)
	w.AxleKg = s.masses(fAxleKg, w.AxleKg)
	w.LengthMm, w.WidthMm, w.HeightMm = s.size(fLength), s.size(fWidth), s.size(fHeight)
	w.Speed = s.speed(fSpeed)
	w.Lane = s.u8(fLane)
	w.Method = s.method()
	w.Evaded = s.truth(fEvaded, false)
}

func (s *fields) method() ingest.Method {
	switch word := s.text(fMethod); word {
	case "":
	case ingest.MethodDynamic.String():
		return ingest.MethodDynamic
	case ingest.MethodStatic.String():
		return ingest.MethodStatic
	default:
		s.fail(fMethod, `want "dynamic" or "static", got %q`, describe([]byte(word)))
	}
	return ingest.MethodUnknown
}

// masses appends the numbers of a list in kg to dst.
func (s *fields) masses(f field, dst []uint32) []uint32 {
	list := s.value[f]
	if list == nil {
		return dst
	}
	if list[0] != '[' {
		s.fail(f, "want a list of numbers, got %s", describe(list))
		return dst
	}
	for at := 0; s.err == nil; {
		v, next, ok := textform.NextElement(list, at)
		if !ok {
			break
		}
		at = next
		if len(dst) == maxAxles {
			s.fail(f, "more than %d axles", maxAxles)
			break
		}
		kg, _ := s.number(f, fmt.Sprintf("[%d]", len(dst)), v.Value, 0, 0, math.MaxUint32)
		dst = append(dst, uint32(kg))
	}
	return dst
}

func (s *fields) waybill(w *ingest.Waybill) {
	w.Number, w.CargoClass, w.Route, w.Text = s.text(fNumber), s.text(fCargoClass), s.text(fRoute), s.text(fText)
	w.Start, w.End = s.time(fStart, 0), s.time(fEnd, 0)
}

func (s *fields) safety(a *ingest.Safety) {
	a.System, a.Kind = s.text(fSystem), s.text(fKind)
	a.Level = s.u8(fLevel)
	switch a.Flag = s.text(fFlag); a.Flag {
	case "", "start", "end":
	default:
		s.fail(fFlag, `want "start" or "end", got %q`, describe([]byte(a.Flag)))
	}
	a.AlarmID = s.u32(fAlarmID)
	a.Speed = s.speed(fSpeed)
}

func (s *fields) link(l *ingest.Link) {
	l.Online = s.either("online", "offline")
	l.Reason = s.text(fReason)
}
