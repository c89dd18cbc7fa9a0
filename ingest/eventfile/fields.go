package eventfile

import (
	"fmt"

	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

// field is a name of the text form.
type field uint8

const (
	fType field = iota
	fPlate
	fColor
	fTime
	fReceived
	fLat
	fLon
	fSpeed
	fCourse
	fAltitude
	fLocated
	fACC
	fAlarm
	fStatus
	fVideoAlarm
	fMileage
	fRecorderSpeed
	fSatellites
	fFuel
	fRSSI
	fExtras
	fExtrasTail
	fEvent
	fLicense
	fName
	fOrg
	fResult
	fStation
	fRecord
	fAxles
	fCombination
	fSingleDriveAxle
	fGross
	fAxleKg
	fLength
	fWidth
	fHeight
	fLane
	fMethod
	fEvaded
	fNumber
	fStart
	fEnd
	fCargoClass
	fRoute
	fText
	fSystem
	fKind
	fLevel
	fFlag
	fAlarmID
	fReason
	fSource
	fBackfill
	fEncrypted
	fieldCount

	noField = fieldCount
)

var fieldNames = [fieldCount]string{
	fType: "type", fPlate: "plate", fColor: "color", fTime: "time", fReceived: "received",
	fLat: "lat", fLon: "lon", fSpeed: "speed_kmh", fCourse: "course", fAltitude: "altitude_m", fLocated: "located",
	fACC: "acc", fAlarm: "alarm", fStatus: "status", fVideoAlarm: "video_alarm", fMileage: "mileage_km",
	fRecorderSpeed: "recorder_speed_kmh", fSatellites: "satellites", fFuel: "fuel_l", fRSSI: "rssi",
	fExtras: "extras", fExtrasTail: "extras_tail",
	fEvent: "event", fLicense: "license", fName: "name", fOrg: "org", fResult: "result",
	fStation: "station", fRecord: "record", fAxles: "axles", fCombination: "combination",
	fSingleDriveAxle: "single_drive_axle", fGross: "gross_kg", fAxleKg: "axle_kg", fLength: "length_mm",
	fWidth: "width_mm", fHeight: "height_mm", fLane: "lane", fMethod: "method", fEvaded: "evaded",
	fNumber: "number", fStart: "start", fEnd: "end", fCargoClass: "cargo_class", fRoute: "route", fText: "text",
	fSystem: "system", fKind: "kind", fLevel: "level", fFlag: "flag", fAlarmID: "alarm_id", fReason: "reason",
	fSource: "source", fBackfill: "backfill", fEncrypted: "encrypted",
}

var fieldNumbers = numbersOf(fieldNames[:])

func numbersOf(names []string) map[string]field {
	m := make(map[string]field, len(names))
	for i, n := range names {
		m[n] = field(i)
	}
	return m
}

// kinds are the events that the text form has.
var kinds = map[string]ingest.Kind{
	ingest.KindPosition.String():   ingest.KindPosition,
	ingest.KindDriverCard.String(): ingest.KindDriverCard,
	ingest.KindWeighing.String():   ingest.KindWeighing,
	ingest.KindWaybill.String():    ingest.KindWaybill,
	ingest.KindSafety.String():     ingest.KindSafety,
	ingest.KindLink.String():       ingest.KindLink,
}

// columns are the fields that CSV has: those of a position that are one number, truth or time.
var columns = [fieldCount]bool{fPlate: true, fColor: true, fTime: true, fReceived: true, fLat: true, fLon: true,
	fSpeed: true, fCourse: true, fAltitude: true, fLocated: true, fACC: true, fAlarm: true, fStatus: true,
	fVideoAlarm: true, fMileage: true, fRecorderSpeed: true, fSatellites: true, fFuel: true, fRSSI: true,
	fBackfill: true, fEncrypted: true}

var requiredColumns = [...]field{fPlate, fColor, fTime, fLat, fLon, fSpeed}

const csvHeader = "plate,color,time,lat,lon,speed_kmh"

// fields are the values of one line, as they stand in it, and the first error that their reading met. nil is unknown.
type fields struct {
	kind  ingest.Kind
	csv   bool // every value is bare text; else a JSON value
	value [fieldCount][]byte
	err   *fieldError
}

type fieldError struct {
	field  field
	detail string // behind the field's name: the place in a list or an object
	reason string
}

func (e *fieldError) path() string { return fieldNames[e.field] + e.detail }

func (s *fields) reset(csv bool) {
	*s = fields{csv: csv}
}

func (s *fields) fail(f field, format string, args ...any) {
	s.failAt(f, "", format, args...)
}

func (s *fields) failAt(f field, detail, format string, args ...any) {
	if s.err == nil {
		s.err = &fieldError{f, detail, fmt.Sprintf(format, args...)}
	}
}

// describe names what stands in the place of something else.
func describe(value []byte) string {
	const most = 40
	if len(value) > most {
		// Cut between characters.
		n := most
		for n > 0 && value[n]&0xC0 == 0x80 {
			n--
		}
		return string(value[:n]) + "…"
	}
	return string(value)
}

// maxText bounds a text in bytes: the wire form has no room for more.
const maxText = 0xFFFF

// text returns a text; "" where it is unknown.
func (s *fields) text(f field) string {
	v := s.value[f]
	var text string
	switch {
	case v == nil:
		return ""
	case s.csv:
		text = string(v)
	case v[0] != '"':
		s.fail(f, "want a text in quotes, got %s", describe(v))
		return ""
	default:
		text = textform.Text(v[1 : len(v)-1])
	}
	if len(text) > maxText {
		s.fail(f, "longer than %d bytes", maxText)
		return ""
	}
	return text
}

// isNumber reports whether a value is a number by its form; in CSV everything may be one.
func isNumber(v []byte, csv bool) bool { return csv || v[0] == '-' || v[0] >= '0' && v[0] <= '9' }

// measure returns a number times 10 to the power of places, rounded half to even; absent where it is unknown.
func (s *fields) measure(f field, places int, least, most, absent int64) int64 {
	v := s.value[f]
	if v == nil {
		return absent
	}
	n, _ := s.number(f, "", v, places, least, most)
	return n
}

// whole returns a number that has no fraction; absent where it is unknown.
func (s *fields) whole(f field, least, most, absent int64) int64 {
	v := s.value[f]
	if v == nil {
		return absent
	}
	n, exact := s.number(f, "", v, 0, least, most)
	if !exact && s.err == nil {
		s.fail(f, "want a whole number, got %s", describe(v))
	}
	return n
}

func (s *fields) number(f field, detail string, v []byte, places int, least, most int64) (n int64, exact bool) {
	if !isNumber(v, s.csv) {
		s.failAt(f, detail, "want a number, got %s", describe(v))
		return 0, true
	}
	n, exact, err := textform.ParseDecimal(v, places)
	switch {
	case err == textform.ErrNumber:
		s.failAt(f, detail, "want a number, got %s", describe(v))
	case err != nil || n < least || n > most:
		s.failAt(f, detail, "%s is out of range; want %s to %s", describe(v),
			textform.AppendDecimal(nil, least, places), textform.AppendDecimal(nil, most, places))
	default:
		return n, exact
	}
	return 0, true
}

// tri returns a truth that may be unknown.
func (s *fields) tri(f field) ingest.Tri {
	switch v := s.value[f]; string(v) {
	case "":
		return ingest.Unknown
	case "true":
		return ingest.Yes
	case "false":
		return ingest.No
	default:
		s.fail(f, "want true or false, got %s", describe(v))
		return ingest.Unknown
	}
}

// truth returns a truth; absent where it is unknown.
func (s *fields) truth(f field, absent bool) bool {
	switch s.tri(f) {
	case ingest.Yes:
		return true
	case ingest.No:
		return false
	}
	return absent
}

// time returns Unix milliseconds; absent where it is unknown.
func (s *fields) time(f field, absent int64) int64 {
	v := s.value[f]
	if v == nil {
		return absent
	}
	if !s.csv {
		if v[0] != '"' {
			s.fail(f, "want a time in quotes, got %s", describe(v))
			return 0
		}
		v = v[1 : len(v)-1]
	}
	ms, err := textform.ParseTime(v)
	if err != nil {
		s.fail(f, "%q is %v", describe(v), err)
	}
	return ms
}
