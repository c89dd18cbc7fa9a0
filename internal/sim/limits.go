package sim

import (
	"time"

	"lushao/detect"
	"lushao/ingest"
)

// The rule book's limits, written down here a second time and on purpose: the truth that the simulator prints is there to
// check the detector, so it shares none of its code.

// limit is the effective speed limit at a place; value 0 is none.
type limit struct {
	value  uint16 // 0.1 km/h
	source string // fence, vehicle, class_cap or night
	fence  string
}

// coachNight is the share of the day limit that a coach may drive at night, in tenths.
const coachNight = 8

// limitAt is the effective speed limit at p. maxSpeed is the vehicle's own (0.1 km/h, 0 none).
func (w *world) limitAt(class detect.Class, maxSpeed uint16, p coord, night bool) limit {
	var best limit
	day := uint16(0) // the least limit that holds by day
	least := func(v uint16, source, fence string) {
		if v != 0 && (best.value == 0 || v < best.value) {
			best = limit{v, source, fence}
		}
	}
	expressway, other := false, false
	for i := range w.fences {
		f := &w.fences[i]
		speed := f.Kind == detect.FenceSpeed && f.means(class)
		if !speed && (f.Road == detect.RoadUnknown || class != detect.ClassHazmat) || !f.shape.contains(p) {
			continue
		}
		expressway = expressway || f.Road == detect.RoadExpressway
		other = other || f.Road == detect.RoadOther
		if !speed {
			continue
		}
		if f.SpeedLimit != 0 && (day == 0 || f.SpeedLimit < day) {
			day = f.SpeedLimit
		}
		if v := f.NightSpeedLimit; night && v != 0 {
			least(v, "fence", f.ID)
		} else {
			least(f.SpeedLimit, "fence", f.ID)
		}
	}
	own := func(v uint16, source string) {
		if v != 0 && (day == 0 || v < day) {
			day = v
		}
		least(v, source, "")
	}
	own(maxSpeed, "vehicle")
	own(classCap(class, expressway, other), "class_cap")
	if night && class.Coach() && day != 0 {
		least(day*coachNight/10, "night", "") // exact: every limit here is a multiple of 0.5 km/h
	}
	return best
}

// classCap is the speed that the law allows a class without any sign, in 0.1 km/h; 0 none.
func classCap(class detect.Class, expressway, other bool) uint16 {
	switch {
	case class == detect.ClassHazmat && other && !expressway:
		return 600
	case class == detect.ClassHazmat:
		return 800
	case class == detect.ClassSchoolBus || class == detect.ClassOther:
		return 0
	}
	return 1000
}

// massLimit is the greatest lawful gross mass in kg by axles and build; 0 where it is not judged.
func massLimit(axles uint8, combination, singleDrive bool, own uint32) uint32 {
	switch {
	case axles == 2 && !combination && own != 0:
		return min(18000, own)
	case axles == 2 && !combination:
		return 18000
	case axles == 3 && !combination:
		return 25000
	case axles == 4 && !combination:
		return 31000
	case axles == 2 || axles == 3:
		return 27000
	case axles == 4:
		return 36000
	case axles == 5:
		return 43000
	case axles >= 6 && combination && singleDrive:
		return 46000
	case axles >= 6:
		return 49000
	}
	return 0
}

// tolerance is how much over the limit a station lets pass, in percent.
func tolerance(s *detect.Station) uint32 {
	switch {
	case s.TolerancePct >= 0:
		return uint32(s.TolerancePct)
	case s.Method == ingest.MethodDynamic:
		return 5
	}
	return 0
}

// minuteOfDay is the minute of the day in Beijing.
func minuteOfDay(unix int64) int { return int((unix + 8*3600) % 86400 / 60) }

// isNight reports whether unix is in [22:00, 06:00) Beijing time.
func isNight(unix int64) bool {
	m := minuteOfDay(unix)
	return m >= 22*60 || m < 6*60
}

func beijing(unix int64) time.Time { return time.Unix(unix, 0).In(detect.Beijing) }
