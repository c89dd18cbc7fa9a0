package weigh

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lushao/ingest"
)

// Codes of a refusal. They are few, begin the reason in the answer and double as values of a metric's label.
const (
	CodeMissing    = "missing"
	CodeWrongType  = "wrong_type"
	CodeBadValue   = "bad_value"
	CodeOutOfRange = "out_of_range"
	CodeInFuture   = "in_future"
	CodeNotJSON    = "not_json"
	CodeTooDeep    = "too_deep"
	CodeTooLarge   = "too_large"
	CodeStation    = "unknown_station"
	CodeNotAllowed = "station_not_allowed"
	CodeConflict   = "conflict"
)

var codes = []string{CodeMissing, CodeWrongType, CodeBadValue, CodeOutOfRange, CodeInFuture, CodeNotJSON,
	CodeTooDeep, CodeTooLarge, CodeStation, CodeNotAllowed, CodeConflict}

// Refusal says why one record is not taken.
type Refusal struct {
	Record string // its number, as far as it could be read
	Field  string
	Code   string
	Text   string // how to mend it
}

func (r *Refusal) Error() string { return r.Field + ": " + r.Reason() }

// Reason is the code and the text.
func (r *Refusal) Reason() string {
	if r.Text == "" {
		return r.Code
	}
	return r.Code + ": " + r.Text
}

// Limits of a record's fields. They are wider than any vehicle that could stand on a scale and narrow enough to catch
// tonnes sent as kilograms, grams, or centimetres.
const (
	maxName      = 64 // characters of a record's number and of a station
	minGrossKg   = 100
	maxGrossKg   = 1_000_000
	maxAxleKg    = 200_000
	minAxles     = 2
	maxAxles     = 32
	maxLengthMm  = 200_000
	maxWidthMm   = 20_000
	maxHeightMm  = 20_000
	maxSpeedKmh  = 300
	earliestTime = 946_684_800_000 // 2000-01-01T00:00:00Z in Unix ms: before it no clock was set
)

// Parse decodes one JSON object with the fields of a weighing event into e and checks them. received and the latest
// acceptable time are in Unix ms. Unknown fields are passed over, null is absent, of a repeated field the last counts.
// Texts are copied: e keeps nothing of raw. A plate that could not be read makes an event without a vehicle. The returned refusal names the first field that can't be accepted.
func Parse(raw []byte, received, latest int64, e *ingest.Event) *Refusal {
	f := fields{}
	if !utf8.Valid(raw) {
		return &Refusal{Field: "record", Code: CodeNotJSON, Text: "the text is not UTF-8"}
	}
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return &Refusal{Field: "record", Code: CodeWrongType, Text: "want a JSON object, have " + kindOf(trimmed)}
	}
	if err := json.Unmarshal(raw, &f.m); err != nil {
		return &Refusal{Field: "record", Code: CodeNotJSON, Text: err.Error()}
	}
	f.record = f.name("record")
	w := &ingest.Weighing{Record: f.record, Speed: ingest.NoSpeed}
	if t := f.text("type"); f.refusal == nil && t != "" && t != "weighing" {
		f.refuse("type", CodeBadValue, fmt.Sprintf("%q; this door takes weighing only", t))
	}
	w.Station = f.name("station")
	vehicle := f.vehicle()
	at := f.time(latest)

	w.Lat, w.Lon = f.degrees("lat", 90), f.degrees("lon", 180)
	if f.has("lat") != f.has("lon") {
		f.refuse("lat", CodeMissing, "lat and lon come together")
	}
	w.GrossKg = uint32(f.whole("gross_kg", minGrossKg, maxGrossKg, "kg"))
	if !f.has("gross_kg") {
		f.refuse("gross_kg", CodeMissing, "want the gross mass in kg")
	}
	w.Axles = uint8(f.whole("axles", minAxles, maxAxles, "axles"))
	w.AxleKg = f.axleKg()
	// Some stations weigh groups of axles, or not all of them: fewer masses than axles are taken, more are a mistake.
	if f.has("axles") && len(w.AxleKg) > int(w.Axles) {
		f.refuse("axle_kg", CodeBadValue, fmt.Sprintf("%d masses for %d axles; send at most one for each axle", len(w.AxleKg), w.Axles))
	}
	w.Combination, w.SingleDriveAxle = f.tri("combination"), f.tri("single_drive_axle")
	w.LengthMm = uint32(f.whole("length_mm", 1, maxLengthMm, "mm"))
	w.WidthMm = uint32(f.whole("width_mm", 1, maxWidthMm, "mm"))
	w.HeightMm = uint32(f.whole("height_mm", 1, maxHeightMm, "mm"))
	if v, ok := f.number("speed_kmh", 0, maxSpeedKmh, "km/h"); ok {
		w.Speed = uint16(math.Round(v * 10))
	}
	w.Lane = uint8(f.whole("lane", 0, math.MaxUint8, "lanes"))
	switch m := f.text("method"); m {
	case "":
	case ingest.MethodDynamic.String():
		w.Method = ingest.MethodDynamic
	case ingest.MethodStatic.String():
		w.Method = ingest.MethodStatic
	default:
		f.refuse("method", CodeBadValue, fmt.Sprintf("%q; one of dynamic, static", m))
	}
	w.Evaded = f.tri("evaded") == ingest.Yes
	if f.refusal != nil {
		f.refusal.Record = f.record
		return f.refusal
	}
	*e = ingest.Event{Kind: ingest.KindWeighing, Source: ingest.SourceHTTP, Vehicle: vehicle, Time: at, Received: received, Weighing: w}
	return nil
}

// Digest is a hash over what a record says, for telling a repeated record from another one under the same number. When
// and how it came does not count. It is stored: its form must not change.
func Digest(e *ingest.Event) (d [16]byte) {
	w := e.Weighing
	b := fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%t", e.Vehicle.Plate(), e.Vehicle.Color, e.Time,
		w.Station, w.Record, w.Lat, w.Lon, w.Axles, w.Combination, w.SingleDriveAxle, w.GrossKg, w.LengthMm, w.WidthMm, w.HeightMm,
		w.Speed, w.Lane, w.Method, w.Evaded)
	for _, kg := range w.AxleKg {
		b = fmt.Appendf(b, ",%d", kg)
	}
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d
}

// fields reads the fields of one object and keeps the first refusal.
type fields struct {
	m       map[string]json.RawMessage
	record  string
	refusal *Refusal
}

func (f *fields) refuse(field, code, text string) {
	if f.refusal == nil {
		f.refusal = &Refusal{Field: field, Code: code, Text: text}
	}
}

func (f *fields) has(field string) bool {
	v, ok := f.m[field]
	return ok && string(v) != "null"
}

func (f *fields) wrongType(field, want string) {
	f.refuse(field, CodeWrongType, "want "+want+", have "+kindOf(f.m[field]))
}

// text returns "" where the field is absent.
func (f *fields) text(field string) (s string) {
	if !f.has(field) {
		return ""
	}
	if json.Unmarshal(f.m[field], &s) != nil {
		f.wrongType(field, "a string")
	}
	return s
}

// name is a text that must be there: 1 to 64 printable characters.
func (f *fields) name(field string) string {
	s := f.text(field)
	switch n := utf8.RuneCountInString(s); {
	case f.refusal != nil:
		return ""
	case n == 0:
		f.refuse(field, CodeMissing, "want 1 to 64 printable characters")
	case n > maxName:
		f.refuse(field, CodeBadValue, fmt.Sprintf("%d characters; at most %d", n, maxName))
		return string([]rune(s)[:maxName])
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }):
		f.refuse(field, CodeBadValue, "characters that can't be printed")
		return ""
	}
	return s
}

func (f *fields) number(field string, low, high float64, unit string) (float64, bool) {
	if !f.has(field) {
		return 0, false
	}
	raw := f.m[field]
	if kindOf(raw) != "a number" {
		f.wrongType(field, "a number")
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v < low || v > high {
		f.refuse(field, CodeOutOfRange, fmt.Sprintf("%.32s; want %v to %v %s", raw, bound(low), bound(high), unit))
		return 0, false
	}
	return v, true
}

// bound prints 1000000 as such and not as 1e+06.
func bound(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// whole is a number without a fraction; 0 where absent.
func (f *fields) whole(field string, low, high float64, unit string) float64 {
	v, ok := f.number(field, low, high, unit)
	if ok && v != math.Trunc(v) {
		f.refuse(field, CodeBadValue, fmt.Sprintf("%.32s; want a whole number of %s", f.m[field], unit))
		return 0
	}
	return v
}

// degrees returns 1e-6 degree; 0 where absent.
func (f *fields) degrees(field string, limit float64) int32 {
	v, _ := f.number(field, -limit, limit, "degrees")
	return int32(math.Round(v * 1e6))
}

func (f *fields) tri(field string) ingest.Tri {
	if !f.has(field) {
		return ingest.Unknown
	}
	var b bool
	if json.Unmarshal(f.m[field], &b) != nil {
		f.wrongType(field, "true or false")
		return ingest.Unknown
	}
	return ingest.TriOf(b)
}

func (f *fields) axleKg() []uint32 {
	if !f.has("axle_kg") {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(f.m["axle_kg"], &list) != nil {
		f.wrongType("axle_kg", "a list of numbers")
		return nil
	}
	if len(list) > maxAxles {
		f.refuse("axle_kg", CodeOutOfRange, fmt.Sprintf("%d masses; at most %d", len(list), maxAxles))
		return nil
	}
	out := make([]uint32, len(list))
	for i, raw := range list {
		one := fields{m: map[string]json.RawMessage{"": raw}}
		if out[i] = uint32(one.whole("", 1, maxAxleKg, "kg")); one.refusal == nil && !one.has("") {
			one.refuse("", CodeMissing, "null; leave the list out where masses are unknown")
		}
		if one.refusal != nil {
			f.refuse(fmt.Sprintf("axle_kg[%d]", i), one.refusal.Code, one.refusal.Text)
			return nil
		}
	}
	return out
}

func (f *fields) time(latest int64) int64 {
	s := f.text("time")
	if f.refusal != nil {
		return 0
	}
	if s == "" {
		f.refuse("time", CodeMissing, "want RFC 3339, such as 2026-05-01T08:00:00+08:00")
		return 0
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		f.refuse("time", CodeBadValue, fmt.Sprintf("%.40q; want RFC 3339 with a zone, such as 2026-05-01T08:00:00+08:00", s))
		return 0
	}
	ms := t.UnixMilli()
	switch {
	case ms > latest:
		f.refuse("time", CodeInFuture, s+" is later than the platform's clock allows; check the station's clock and zone")
	case ms < earliestTime:
		f.refuse("time", CodeOutOfRange, s+" is before the year 2000; check the station's clock")
	}
	return ms
}

// vehicle reads plate and color. It is no vehicle where the plate could not be read; what color says of that does not count.
func (f *fields) vehicle() (v ingest.Vehicle) {
	// A field that is not there at all is more likely another name for it than a camera that saw nothing.
	if _, ok := f.m["plate"]; !ok {
		f.refuse("plate", CodeMissing, `want the plate, or "" where it could not be read`)
		return v
	}
	plate := f.text("plate")
	if f.refusal != nil || ingest.PlateUnread(plate) {
		return v
	}
	if i := strings.IndexFunc(plate, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(plate[i:])
		f.refuse("plate", CodeBadValue, fmt.Sprintf("%.60q has %q in it; send letters and digits only, without separators", plate, r))
		return v
	}
	color := f.whole("color", 0, math.MaxUint8, "by JT/T 697.7")
	switch c := ingest.Color(color); {
	case f.refusal != nil:
	case !f.has("color"):
		f.refuse("color", CodeMissing, "want the plate's colour by JT/T 697.7: "+colorList)
	case !plateColor(c):
		f.refuse("color", CodeBadValue, fmt.Sprintf("%d; want the plate's colour by JT/T 697.7: %s", c, colorList))
	default:
		var err error
		if v, err = ingest.NewVehicle(plate, c); err != nil {
			f.refuse("plate", CodeBadValue, strings.TrimPrefix(err.Error(), "plate: "))
		}
	}
	return v
}

const colorList = "1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91 to 94 farm and new energy"

func plateColor(c ingest.Color) bool {
	return c >= 1 && c <= 5 || c == 9 || c >= 91 && c <= 94
}

// kindOf names the kind of a JSON value for an error's text.
func kindOf(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a truth"
	case 'n':
		return "null"
	}
	return "a number"
}
