package detect

import (
	"github.com/paulmach/orb"

	"lushao/ingest"
)

// Class is what a vehicle is used for; the rules differ by it.
type Class uint8

const (
	ClassOther Class = iota // also every vehicle that is in no register
	ClassCoachLine
	ClassCoachCharter
	ClassCoachTour
	ClassHazmat
	ClassHeavyTruck
	ClassTruck
	ClassDumpTruck
	ClassSchoolBus
	classCount
)

var classNames = [classCount]string{"other", "coach_line", "coach_charter", "coach_tour", "hazmat", "heavy_truck", "truck",
	"dump_truck", "school_bus"}

func (c Class) String() string { return classNames[c] }

// ParseClass returns the class of a name of the reference data.
func ParseClass(s string) (Class, bool) {
	for i, n := range classNames {
		if n == s {
			return Class(i), true
		}
	}
	return 0, false
}

// Coach reports whether the class carries passengers between places.
func (c Class) Coach() bool {
	return c == ClassCoachLine || c == ClassCoachCharter || c == ClassCoachTour
}

// ClassSet is a set of classes.
type ClassSet uint16

func (s ClassSet) Has(c Class) bool      { return s&(1<<c) != 0 }
func (s ClassSet) With(c Class) ClassSet { return s | 1<<c }
func (s ClassSet) Empty() bool           { return s == 0 }

// ReferenceData is what is known beforehand: the reference directory as records, checked and in the order of the files.
// An empty text, 0 or Unknown is "not known". Times are Unix ms; a validity is [Start, End), 0 is open.
type ReferenceData struct {
	Vehicles  []VehicleRecord
	Operators []Operator
	Fences    []Fence
	Routes    []Route
	Sections  []Section
	Stations  []Station
	Filings   []Filing
	Waybills  []WaybillRecord
	Permits   []Permit
}

// VehicleRecord is a line of the vehicle register.
type VehicleRecord struct {
	Vehicle         ingest.Vehicle
	Class           Class
	Operator        string
	Region          string // GB/T 2260
	Axles           uint8
	Combination     ingest.Tri
	SingleDriveAxle ingest.Tri
	GrossLimitKg    uint32
	MaxSpeed        uint16 // 0.1 km/h; 0 unknown
	Phone           string // of the terminal, digits without leading zeros
	NightExempt     bool
	Routes          []string
}

// Operator is a transport company (运输企业).
type Operator struct{ ID, Name, Region string }

// FenceKind is what a fence is for.
type FenceKind string

const (
	FenceForbidden     FenceKind = "forbidden"
	FenceBound         FenceKind = "bound"
	FenceNoStop        FenceKind = "no_stop"
	FenceMaxStay       FenceKind = "max_stay"
	FenceSpeed         FenceKind = "speed"
	FenceJurisdiction  FenceKind = "jurisdiction"
	FenceRelay         FenceKind = "relay"
	FenceBlind         FenceKind = "blind"
	FenceHazmatParking FenceKind = "hazmat_parking"
	FenceRegion        FenceKind = "region"
	FenceApproach      FenceKind = "approach"
	FenceBypass        FenceKind = "bypass"
)

// FenceKinds lists every kind of fence.
var FenceKinds = []FenceKind{FenceForbidden, FenceBound, FenceNoStop, FenceMaxStay, FenceSpeed, FenceJurisdiction,
	FenceRelay, FenceBlind, FenceHazmatParking, FenceRegion, FenceApproach, FenceBypass}

// Road is the kind of road inside a fence.
type Road uint8

const (
	RoadUnknown Road = iota
	RoadExpressway
	RoadOther
)

// Fence is an area with a rule. Geometry is one of: orb.Point with RadiusM, orb.LineString with WidthM (whole width),
// orb.Polygon, orb.MultiPolygon; WGS-84 degrees, longitude first.
type Fence struct {
	ID              string
	Name            string
	Kind            FenceKind
	Geometry        orb.Geometry
	RadiusM, WidthM float64
	Classes         ClassSet         // whom it means: those in any of these four; all empty: everybody
	Vehicles        []ingest.Vehicle // property "plates"
	Operators       []string         // ids
	Regions         []string         // GB/T 2260, of the vehicle; 140500 holds 140502
	Schedule        []Window         // in force in any of these; empty: always
	SpeedLimit      uint16           // 0.1 km/h; 0 none
	NightSpeedLimit uint16           // 0.1 km/h; 0 as by day
	MaxStayS        uint32
	Road            Road
	Region          string // of a jurisdiction
	Station         string // of an approach or a bypass
}

// Window is a weekly window of a schedule in Beijing time. It belongs to the day on which it begins: [From, To), over
// midnight when To <= From; From = To is 24 hours.
type Window struct {
	Days uint8  // bit 0 Monday … bit 6 Sunday
	From uint16 // minutes of the day, 0 to 1440
	To   uint16
	// FirstDay and LastDay bound the days on which it may begin, both inclusive, as days since 1970-01-01 in Beijing; 0 is open.
	FirstDay, LastDay int32
}

// Route is a line that a vehicle must keep to. WidthM is the whole width.
type Route struct {
	ID, Name string
	Line     orb.LineString
	WidthM   float64
}

// Section is the way between two gates, for average speed.
type Section struct {
	ID, Name    string
	Line        orb.LineString
	LengthM     float64
	SpeedLimit  uint16 // 0.1 km/h
	GateRadiusM float64
	Classes     ClassSet
}

// Station is a weigh station.
type Station struct {
	ID, Name        string
	Lat, Lon        int32 // 1e-6 degree; both 0 unknown
	Method          ingest.Method
	TolerancePct    float64 // -1 unknown
	SizeToleranceMm int32   // -1 unknown
}

// Filing is the registration (备案) of a vehicle from elsewhere.
type Filing struct {
	Vehicle    ingest.Vehicle
	Region     string
	Start, End int64
	Number     string
}

// WaybillRecord is an electronic waybill from a file or another system.
type WaybillRecord struct {
	Number     string
	Vehicle    ingest.Vehicle
	Start, End int64
	CargoClass string
	Route      string
}

// PermitKind is what a permit allows.
type PermitKind string

const (
	PermitOversize PermitKind = "oversize"
	PermitCharter  PermitKind = "charter"
	PermitRelay    PermitKind = "relay"
)

// Permit is a paper that widens or narrows what a vehicle may do; 0 and empty do not limit.
type Permit struct {
	Number                      string
	Vehicle                     ingest.Vehicle
	Kind                        PermitKind
	Start, End                  int64
	GrossKg                     uint32
	LengthMm, WidthMm, HeightMm uint32
	Route, Fence                string
}
