package detect

import (
	"cmp"
	"math"
	"slices"

	"lushao/ingest"
)

// DrivingSegment is what a driver with a card has driven in one vehicle within ten minutes of the clock: what his driving time over
// several vehicles is summed up from, when these are judged by different engines. It is written when the ten minutes are over or the
// vehicle stands, and again, with a higher version, when there is more.
type DrivingSegment struct {
	License  string       `json:"license"`
	Name     string       `json:"name"`
	Plate    string       `json:"plate"`
	Color    ingest.Color `json:"color"`
	Class    string       `json:"class"`
	Cell     int64        `json:"cell"`  // Unix ms: when the ten minutes begin
	Start    int64        `json:"start"` // Unix ms: of the first driving in them
	End      int64        `json:"end"`   // of the last
	DrivenMs int64        `json:"driven_ms"`
	Version  uint64       `json:"version"`
}

// segmentCell is ten minutes, ms.
const segmentCell = 10 * minuteMs

// segment is the one that a driver is in. It is one in the vehicle that is his home.
type segment struct {
	start, end stamp
	driven     int32 // ms
	told       int32 // of it, in the last record
}

// cell is when its ten minutes begin, Unix ms.
func (s *segment) cell() int64 { return s.start.ms() - s.start.ms()%segmentCell }

// logSegment takes driving of a driver into account.
func (e *Engine) logSegment(driver uint32, a, b int64) {
	s := &e.drivers.of(driver).segment
	for a < b {
		cell := a - a%segmentCell
		to := min(b, cell+segmentCell)
		if s.driven > 0 && s.cell() != cell {
			e.tellSegment(driver)
			*s = segment{}
		}
		if s.driven == 0 {
			*s = segment{start: stampOf(a)}
		}
		s.driven += int32(to - a)
		s.end = stampOf(to)
		a = to
	}
}

// tellSegment hands out a driver's segment, if there is anything new in it.
func (e *Engine) tellSegment(driver uint32) {
	d := e.drivers.of(driver)
	s := &d.segment
	if s.driven == s.told || d.home == 0 {
		return
	}
	s.told = s.driven
	v, card := e.store.at(d.home-1), e.drivers.card(driver)
	id := e.idOf(v)
	e.segments = append(e.segments, DrivingSegment{License: card.License, Name: card.Name, Plate: id.Plate(), Color: id.Color, Class: v.class.String(),
		Cell: s.cell(), Start: s.start.ms(), End: s.end.ms(), DrivenMs: int64(s.driven), Version: e.version})
}

// DrivingSegments returns what drivers have driven, as the last call of Process or Finish made it, valid until the next one.
func (e *Engine) DrivingSegments() []DrivingSegment { return e.segments }

// RejudgeSegments is Rejudge for driving segments.
func RejudgeSegments(snap *Snapshot, events []ingest.Event, of ingest.Vehicle) []DrivingSegment {
	type key struct {
		license, name string
		cell          int64
	}
	found := map[key]DrivingSegment{}
	sortByTime(events)
	e := New(snap)
	e.frozen = true
	keep := func() {
		for _, s := range e.segments {
			if s.Plate == of.Plate() && s.Color == of.Color {
				found[key{s.License, s.Name, s.Cell}] = s
			}
		}
	}
	for len(events) > 0 {
		n := min(len(events), maxBatch)
		e.Process(events[:n], 0)
		keep()
		events = events[n:]
	}
	e.segments = e.segments[:0]
	for i := range uint32(e.drivers.list.count) {
		e.tellSegment(i + 1)
	}
	keep()
	out := make([]DrivingSegment, 0, len(found))
	for _, s := range found {
		out = append(out, s)
	}
	slices.SortFunc(out, compareSegments)
	return out
}

func compareSegments(a, b DrivingSegment) int {
	return cmp.Or(cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.License, b.License), cmp.Compare(a.Name, b.Name))
}

// CorrectSegments compares the driving segments of a vehicle that stand with what was found, as Correct does: what was not found is
// written with nothing driven.
func CorrectSegments(recorded, judged []DrivingSegment, c Correction) []DrivingSegment {
	same := func(a, b *DrivingSegment) bool { return a.Cell == b.Cell && a.License == b.License && a.Name == b.Name }
	var out []DrivingSegment
	for i := range judged {
		s := judged[i]
		n := slices.IndexFunc(recorded, func(o DrivingSegment) bool { return same(&o, &s) })
		if s.Cell < c.Since || n >= 0 && (recorded[n].Version > c.Version || recorded[n].DrivenMs == s.DrivenMs && recorded[n].Start == s.Start && recorded[n].End == s.End) {
			continue
		}
		s.Version = c.Version
		out = append(out, s)
	}
	for i := range recorded {
		s := recorded[i]
		if s.Cell < c.Since || s.Version > c.Version || s.DrivenMs == 0 || slices.ContainsFunc(judged, func(o DrivingSegment) bool { return same(&o, &s) }) {
			continue
		}
		s.DrivenMs, s.End, s.Version = 0, s.Start, c.Version
		out = append(out, s)
	}
	return out
}

func (w *stateWriter) segment(s *segment) {
	for _, t := range [...]int64{s.cell(), s.start.ms(), s.end.ms()} {
		w.u64(uint64(t))
	}
	w.u32(uint32(s.driven))
	w.u32(uint32(s.told))
}

func (r *stateReader) segment(s *segment) {
	_ = r.u64() // the cell
	s.start, s.end, s.driven, s.told = stampOf(int64(r.u64())), stampOf(int64(r.u64())), int32(r.u32()), int32(r.u32())
}

// DriverLimits are the limits of driving time, ms, each the lowest that any class has.
type DriverLimits struct {
	Stretch, Night, Daily, Weekly, Rest int64
	DailyWindow, WeeklyWindow           int64
	NightFrom, NightTo                  int // minutes of the day in Beijing time
}

// DriverLimits returns them; what is switched off is beyond reach.
func (s *Snapshot) DriverLimits() DriverLimits {
	out := DriverLimits{Stretch: math.MaxInt64, Night: math.MaxInt64, Daily: math.MaxInt64, Weekly: math.MaxInt64, Rest: s.driving.rest,
		DailyWindow: s.driving.of[fatigueDaily].window, WeeklyWindow: s.driving.of[fatigueWeekly].window, NightFrom: int(s.driving.night.from), NightTo: int(s.driving.night.to)}
	for _, o := range s.of {
		least := func(limit *int64, k fatigueKind) {
			if of := &o.driving.of[k]; of.enabled {
				*limit = min(*limit, of.limit)
			}
		}
		least(&out.Stretch, fatigueContinuous)
		least(&out.Stretch, fatigueSevere)
		least(&out.Night, fatigueNight)
		least(&out.Daily, fatigueDaily)
		least(&out.Weekly, fatigueWeekly)
	}
	return out
}
