package detect

import (
	"crypto/sha256"
	"encoding/hex"

	"lushao/ingest"
)

// Visit is one stay of a hazmat vehicle of another region in a jurisdiction: entered where and when, how far driven, left
// where and when. The way between is the vehicle's track of that time. A visit is written when the vehicle has entered and
// again, with the same id, when it has left.
type Visit struct {
	ID       string       `json:"id"`      // 32 hex digits: hash of vehicle, start and fence
	Version  uint64       `json:"version"` // grows with the log; the highest is the record
	State    State        `json:"state"`
	Plate    string       `json:"plate"`
	Color    ingest.Color `json:"color"`
	Class    string       `json:"class"`
	Operator *string      `json:"operator"`
	Region   *string      `json:"region"` // the vehicle's home
	Driver   *Driver      `json:"driver"`

	Fence        string   `json:"fence"`
	Jurisdiction string   `json:"jurisdiction"` // the fence's region
	Filing       *string  `json:"filing"`       // number of the filing that was valid at the entry
	Entered      Time     `json:"entered"`
	EnteredLat   *float64 `json:"entered_lat"`
	EnteredLon   *float64 `json:"entered_lon"`
	Left         *Time    `json:"left"`
	LeftLat      *float64 `json:"left_lat"`
	LeftLon      *float64 `json:"left_lon"`

	DurationS    int64    `json:"duration_s"`
	DistanceM    int64    `json:"distance_m"`
	Fixes        int64    `json:"fixes"`
	EvidenceHash string   `json:"evidence_hash"` // as of a violation from entered to left
	Notes        []string `json:"notes"`
}

// kindVisit takes the place of a violation's kind in the id of a visit.
const kindVisit Kind = "visit"

// recordVisit hands out the record of a visit. fc is nil where the fence is gone.
func (e *Engine) recordVisit(v *vehicle, c *fenceCase, fc *fence, id string, state State, at tally, notes []string) {
	o := e.begin(v, kindVisit, &c.span, id)
	x := Visit{ID: o.ID, Version: e.version, State: state, Plate: o.Plate, Color: o.Color, Class: o.Class, Operator: o.Operator, Region: o.Region,
		Driver: o.Driver, Fence: id, Entered: o.Start, EnteredLat: degrees(c.span.startLat), EnteredLon: degrees(c.span.startLon),
		DurationS: seconds(at.time - c.span.start), DistanceM: int64(at.metres + 0.5), Fixes: int64(at.fixes),
		EvidenceHash: hex.EncodeToString(at.evidence[:sha256.Size]), Notes: append([]string{}, notes...)}
	if fc != nil {
		x.Jurisdiction = fc.Region
		if f := e.snap.filed(e.idOf(v), fc.Region, c.span.start); f != nil {
			x.Filing = &f.Number
		}
	}
	if state == StateClosed {
		x.Left = ptr(Time(at.time))
		x.LeftLat, x.LeftLon = degrees(at.lat), degrees(at.lon)
	}
	e.visits = append(e.visits, x)
}

// Visits returns the records of visits that the last call of Process or Finish made, valid until the next one.
func (e *Engine) Visits() []Visit { return e.visits }
