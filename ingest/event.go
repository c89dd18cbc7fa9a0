// Package ingest holds the vocabulary of what vehicles, platforms and weigh stations report: the Event and its
// kinds, its packed binary form on the bus and its text form in files.
//
// Units are fixed by the names and never converted after the codec: latitude and longitude in 1e-6 degree (WGS-84 as
// received), speed in 0.1 km/h, mass in kg, length in mm, times in Unix milliseconds UTC.
package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind says what an Event reports. The numbers are part of the wire form.
type Kind uint8

const (
	KindPosition   Kind = 1
	KindDriverCard Kind = 2
	KindWeighing   Kind = 3
	KindWaybill    Kind = 4
	KindSafety     Kind = 5
	KindLink       Kind = 6
)

// kindNames are the values of "type" in the text form.
var kindNames = [...]string{KindPosition: "position", KindDriverCard: "driver", KindWeighing: "weighing",
	KindWaybill: "waybill", KindSafety: "safety", KindLink: "link"}

func (k Kind) String() string { return nameOf(kindNames[:], uint8(k)) }

// Source says which door an event came through. The numbers are part of the wire form.
type Source uint8

const (
	SourceUnknown Source = 0
	SourceJT808   Source = 1
	SourceJT809   Source = 2
	SourceHTTP    Source = 3
	SourceFile    Source = 4
)

var sourceNames = [...]string{"unknown", "jt808", "jt809", "http", "file"}

func (s Source) String() string { return nameOf(sourceNames[:], uint8(s)) }

func nameOf(names []string, i uint8) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// Flags qualify an event.
type Flags uint8

const (
	// FlagBackfill marks what a terminal stored and sent later: JT/T 808 0x0704 type 1, JT/T 809 0x1203.
	FlagBackfill Flags = 1 << 0
	// FlagEncrypted marks a position whose coordinates are encrypted (JT/T 808 status bit 5, JT/T 809 ENCRYPT): it is
	// archived and not judged.
	FlagEncrypted Flags = 1 << 1
)

// MaxPlate is the longest plate in bytes of UTF-8; a VIN, which stands for the plate of a vehicle without one, has 17.
const MaxPlate = 22

// Vehicle is a plate and its colour: the identity of a vehicle in every protocol, and the partition key. It holds no
// pointer and is comparable, so that it can be a map key and live in flat state.
type Vehicle struct {
	plate [MaxPlate]byte // zero-padded
	size  uint8
	Color Color
}

// Color is a plate colour by JT/T 697.7: 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other; 91 to 94 are the farm
// and new-energy colours. 0 means no plate: the plate is then the VIN.
type Color uint8

// Errors of NewVehicle.
var (
	ErrPlateEmpty   = errors.New("plate: empty")
	ErrPlateTooLong = fmt.Errorf("plate: longer than %d bytes", MaxPlate)
	ErrPlateText    = errors.New("plate: not UTF-8, or with control characters")
)

// NewVehicle makes the identity of a vehicle from its plate in UTF-8, without separators, and its colour.
func NewVehicle(plate string, color Color) (Vehicle, error) {
	var v Vehicle
	switch {
	case plate == "":
		return v, ErrPlateEmpty
	case len(plate) > MaxPlate:
		return v, ErrPlateTooLong
	case !utf8.ValidString(plate):
		return v, ErrPlateText
	}
	for _, r := range plate {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return v, ErrPlateText
		}
	}
	v.size = uint8(copy(v.plate[:], plate))
	v.Color = color
	return v, nil
}

// Plate returns the plate in UTF-8. It allocates.
func (v *Vehicle) Plate() string { return string(v.plate[:v.size]) }

// AppendPlate appends the plate in UTF-8 to dst.
func (v *Vehicle) AppendPlate(dst []byte) []byte { return append(dst, v.plate[:v.size]...) }

// IsZero reports whether no vehicle is set.
func (v *Vehicle) IsZero() bool { return v.size == 0 }

// String is "plate/color", the form of a vehicle in lists.
func (v Vehicle) String() string { return fmt.Sprintf("%s/%d", v.plate[:v.size], v.Color) }

// Compare orders vehicles by plate, then colour.
func (v *Vehicle) Compare(w *Vehicle) int {
	if c := bytes.Compare(v.plate[:v.size], w.plate[:w.size]); c != 0 {
		return c
	}
	return int(v.Color) - int(w.Color)
}

// Hash is a 64-bit FNV-1a-like hash of plate and colour with a final mix. It chooses the partition, so it must never
// change: a vehicle's events would no longer be in one partition.
func (v *Vehicle) Hash() uint64 {
	h := uint64(14695981039346656037)
	for _, b := range v.plate[:v.size] {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h = (h ^ uint64(v.Color)) * 1099511628211
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Partition is the partition of the vehicle's events among n.
func (v *Vehicle) Partition(n int) int { return int(v.Hash() % uint64(n)) }

// PlateUnread reports whether a plate is one of the ways in which cameras say that they could not read it: nothing at all,
// a text with 牌 (无牌, 无车牌) or 识别 (未识别, 无法识别), 未知, or nothing but filler.
func PlateUnread(plate string) bool {
	plate = strings.TrimSpace(plate)
	switch strings.ToLower(plate) {
	case "", "无", "未知", "none", "null", "unknown":
		return true
	}
	return strings.Contains(plate, "牌") || strings.Contains(plate, "识别") || strings.Trim(plate, "0-_*?#") == ""
}

// Event is one fact about one vehicle. Position is used when Kind is KindPosition; of the pointers the one of the kind
// is set. A struct that is decoded into again keeps and overwrites what its pointers point to.
//
// A weighing whose plate could not be read is the one exception: its Vehicle is zero, and since nobody knows which vehicle it
// was, a copy of it stands in every partition of the log.
type Event struct {
	Kind     Kind
	Source   Source
	Flags    Flags
	Vehicle  Vehicle
	Time     int64 // when it happened, by the terminal; Unix ms
	Received int64 // when it reached the platform; Unix ms

	Position Position
	Driver   *DriverCard
	Weighing *Weighing
	Waybill  *Waybill
	Safety   *Safety
	Link     *Link
}

// Unread reports whether e is a weighing whose plate could not be read.
func (e *Event) Unread() bool { return e.Kind == KindWeighing && e.Vehicle.IsZero() }

// Values that stand for "not reported" in a Position.
const (
	NoSpeed      = uint16(0xFFFF)
	NoCourse     = uint16(0xFFFF)
	NoAltitude   = int16(-32768)
	NoMileage    = uint32(0xFFFFFFFF)
	NoFuel       = uint16(0xFFFF)
	NoSatellites = uint8(0xFF)
	NoRSSI       = uint8(0xFF)
)

// Position is a report of place and movement: JT/T 808 0x0200 and 0x0704, JT/T 809 0x1202 and 0x1203.
type Position struct {
	Lat           int32  // 1e-6 degree, south negative
	Lon           int32  // 1e-6 degree, west negative
	Alarm         uint32 // alarm bits of JT/T 808 0x0200
	Status        uint32 // status bits of JT/T 808 0x0200
	VideoAlarm    uint32 // JT/T 1078 item 0x14
	Mileage       uint32 // 0.1 km, odometer; NoMileage
	Speed         uint16 // 0.1 km/h; NoSpeed
	RecorderSpeed uint16 // 0.1 km/h, by the driving recorder; NoSpeed
	Course        uint16 // degrees, 0 north, clockwise; NoCourse
	Altitude      int16  // m; NoAltitude
	Fuel          uint16 // 0.1 L; NoFuel
	Satellites    uint8  // used; NoSatellites
	RSSI          uint8  // radio signal; NoRSSI
	Located       bool   // the receiver has a fix
	ACC           bool   // ignition on
	// Extras holds the additional items of 0x0200 as received, {id, length, content} each, also those decoded above.
	Extras []byte
}

// Reset makes p a position of which nothing is known.
func (p *Position) Reset() {
	*p = Position{Mileage: NoMileage, Speed: NoSpeed, RecorderSpeed: NoSpeed, Course: NoCourse, Altitude: NoAltitude,
		Fuel: NoFuel, Satellites: NoSatellites, RSSI: NoRSSI}
}

// DriverCard reports that a driver went on or off duty: JT/T 808 0x0702.
type DriverCard struct {
	On      bool
	License string // qualification certificate number
	Name    string
	Org     string // issuing body
	Result  uint8  // result of reading the card: 0 read; JT/T 808-2013 table of 0x0702
}

// Method says how a weighing was made.
type Method uint8

const (
	MethodUnknown Method = 0
	MethodDynamic Method = 1
	MethodStatic  Method = 2
)

var methodNames = [...]string{"unknown", "dynamic", "static"}

func (m Method) String() string { return nameOf(methodNames[:], uint8(m)) }

// Weighing is the record of a weigh station.
type Weighing struct {
	Station         string
	Record          string // number of the record, unique at its station
	Lat, Lon        int32  // 1e-6 degree; both 0 unknown
	Axles           uint8  // 0 unknown
	Combination     Tri
	SingleDriveAxle Tri
	GrossKg         uint32
	AxleKg          []uint32
	LengthMm        uint32 // 0 unknown, as the next two
	WidthMm         uint32
	HeightMm        uint32
	Speed           uint16 // 0.1 km/h; NoSpeed
	Lane            uint8
	Method          Method
	Evaded          bool // marked so by the station
}

// Tri is a truth that may be unknown.
type Tri uint8

const (
	Unknown Tri = 0
	No      Tri = 1
	Yes     Tri = 2
)

// TriOf is Yes or No.
func TriOf(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

// Waybill is an electronic waybill that a vehicle reports: JT/T 808 0x0701, JT/T 809 0x120B and 0x120D.
type Waybill struct {
	Number     string
	Start, End int64 // validity, Unix ms; 0 unknown
	CargoClass string
	Route      string
	Text       string // as received; the protocols leave its form open
}

// Safety is an alarm of an assistance system: T/JSATL 12 items 0x64 to 0x67.
type Safety struct {
	System  string // adas, dsm, tpms, bsd
	Kind    string // word of the rule book, such as phone or forward
	Level   uint8  // 1 or 2; 0 unknown
	Flag    string // start, end, or empty
	AlarmID uint32
	Speed   uint16 // 0.1 km/h; NoSpeed
}

// Link says that a vehicle came online or went offline, and why.
type Link struct {
	Online bool
	Reason string
}
