package detect

// limitSource says which limit is the least.
type limitSource uint8

const (
	limitNone limitSource = iota
	limitFence
	limitVehicle
	limitClassCap
	limitNight
)

var limitSourceNames = [...]string{"", "fence", "vehicle", "class_cap", "night"}

func (l limitSource) String() string { return limitSourceNames[l] }

// speedLimit is what a vehicle may drive at a fix: the key of a run of speeding.
type speedLimit struct {
	limit  uint32 // 0.01 km/h; a tenth of a percent of a limit in 0.1 km/h is exact in it
	source limitSource
	fence  int32 // number in the snapshot; -1 where the source is no fence
}

// effectiveLimit returns the least of the limits that apply at a fix; source is limitNone where there is none. Of equal
// limits the first in the order fence, vehicle, class_cap, night is named; of equal fences the one with the least id.
func (e *Engine) effectiveLimit(m *moment) speedLimit {
	s, v := e.snap, m.v
	night := s.night.contains(m.f.time)
	best := speedLimit{fence: -1}
	var day uint32 // the least day limit, for coaches at night
	var expressway, other bool
	least := func(limit uint32, source limitSource, fence int32) {
		if e.trace != nil && limit != 0 {
			e.trace.applies(limit, source, fence)
		}
		if limit != 0 && (best.source == limitNone || limit < best.limit) {
			best = speedLimit{limit, source, fence}
		}
	}
	leastDay := func(limit uint32) {
		if limit != 0 && (day == 0 || limit < day) {
			day = limit
		}
	}
	for _, n := range m.hits {
		f := &s.fences[n]
		switch f.Road {
		case RoadExpressway:
			expressway = true
		case RoadOther:
			other = true
		}
		if f.Kind != FenceSpeed || f.day == 0 && f.nightCap == 0 || !f.applies(e, v) {
			continue
		}
		if ok, _ := inForce(f.Schedule, m.f.time); !ok {
			continue
		}
		limit := f.day
		if night && f.nightCap != 0 {
			limit = f.nightCap
		}
		if best.source == limitFence && limit == best.limit && f.ID < s.fences[best.fence].ID {
			best.fence = n
		}
		least(limit, limitFence, n)
		leastDay(f.day)
	}
	least(uint32(v.maxSpeed)*10, limitVehicle, -1)
	leastDay(uint32(v.maxSpeed) * 10)
	classCap := s.classCap[v.class]
	if v.class == ClassHazmat {
		switch {
		case expressway: // the higher where both apply
			classCap = s.hazmat.expressway
			if other {
				classCap = max(classCap, s.hazmat.other)
			}
		case other:
			classCap = s.hazmat.other
		default:
			classCap = s.hazmat.unknown
		}
	}
	least(classCap, limitClassCap, -1)
	leastDay(classCap)
	if night && v.class.Coach() && day != 0 {
		least(day*uint32(s.Settings.Speeding.CoachNight)/100, limitNight, -1)
	}
	return best
}
