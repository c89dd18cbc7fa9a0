package detect

import (
	"cmp"
	"math"
	"slices"

	"lushao/geo"
	"lushao/ingest"
)

// Conflict of position (疑似套牌/轨迹造假): the last fix before a weighing or the first one after it, within 2 hours, is farther from the
// station than 5 km and than 120 km/h can reach. Where more than 3 vehicles are in conflict with one station within an hour, the
// station's place or clock is wrong: that is counted in Stats, and not held against the vehicles. An engine sees the vehicles of its
// own partition only.

// conflictCase is a weighing and the fixes around it. It is forgotten when they agree with it, else after a day: until then other
// vehicles may show that the station is at fault.
type conflictCase struct {
	weighedAt
	received      int64
	before, after mark // time 0: none
	listed        bool // a fix disagrees: it stands in Engine.conflicts
	faulty        bool // together with others of the station
	told          bool // its record was handed out and not taken back
}

// stationConflict leads to a case in conflict with a station.
type stationConflict struct {
	time   int64
	v      *vehicle
	record string
}

// conflictKeepMs is how long a case is kept.
const conflictKeepMs = dayMs

// noteStationAtFault says that too many vehicles were in conflict with the station.
const (
	noteStationAtFault = "station_at_fault"
	noteFixAgrees      = "fix_agrees" // a fix that came later
)

func conflictWeighing(e *Engine, v *vehicle, ev *ingest.Event) {
	// A weighing that comes after later fixes is late: what was before it is no longer known.
	if !e.snap.Settings.PositionConflict.Enabled || !e.credible(ev) || e.lastOf(v).time > ev.Time {
		return
	}
	c := conflictCase{weighedAt: e.weighedAt(v, ev), received: ev.Received}
	if !c.placed() {
		return
	}
	sd := e.rareOf(v)
	e.forgetConflicts(v, sd, ev.Time)
	last := e.lastOf(v)
	c.before = mark{last.time, last.lat, last.lon, last.speed}
	sd.conflicts = append(sd.conflicts, c)
	e.wakeAt(v, wakeConflict, ev.Received+conflictKeepMs)
	e.weighConflict(v, &sd.conflicts[len(sd.conflicts)-1])
}

// conflictAdmitted takes the next fix of a vehicle.
func conflictAdmitted(e *Engine, v *vehicle, f *fix) {
	sd := e.sides[v.side-1]
	for i := range sd.conflicts {
		switch c := &sd.conflicts[i]; {
		case c.after.time != 0:
		case f.time <= c.time: // reported late, or believed only now
			c.before = mark{f.time, f.lat, f.lon, f.speed}
			e.weighConflict(v, c)
		default:
			c.after = mark{f.time, f.lat, f.lon, f.speed}
			e.weighConflict(v, c)
		}
	}
	sd.conflicts = slices.DeleteFunc(sd.conflicts, func(c conflictCase) bool { return c.after.time != 0 && !c.listed })
}

func conflictDue(e *Engine, v *vehicle, what wake, _ int64) {
	if what != wakeConflict || v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	e.forgetConflicts(v, sd, e.clock)
}

// forgetConflicts drops what nothing can change any more. What others' cases were judged by stays judged.
func (e *Engine) forgetConflicts(v *vehicle, sd *side, now int64) {
	kept := sd.conflicts[:0]
	for i := range sd.conflicts {
		c := &sd.conflicts[i]
		if max(c.time, c.received)+conflictKeepMs <= now {
			if c.listed {
				e.unlistConflict(v, c)
			}
			continue
		}
		kept = append(kept, *c)
	}
	sd.conflicts = kept
}

func conflictLoad(e *Engine, v *vehicle) {
	if v.side == 0 {
		return
	}
	for i := range e.sides[v.side-1].conflicts {
		c := &e.sides[v.side-1].conflicts[i]
		if c.listed {
			e.listConflict(v, c)
		}
		if c.faulty {
			e.countStationFault(c.station, true)
		}
		e.wakeAt(v, wakeConflict, c.received+conflictKeepMs)
	}
}

// far returns how far a fix is from the station, where it can't have been there at the time of the weighing; else 0.
func (c *conflictCase) far(m *mark, s *PositionConflictSettings) float64 {
	apart := c.time - m.time
	if apart < 0 {
		apart = -apart
	}
	if m.time == 0 || apart > int64(s.WindowS)*1000 {
		return 0
	}
	d := geo.Distance(c.point(), m.point())
	if d <= s.Least || d <= s.Speed/3.6*float64(apart)/1000 {
		return 0
	}
	return d
}

// weighConflict looks whether the fixes that are known disagree with the weighing.
func (e *Engine) weighConflict(v *vehicle, c *conflictCase) {
	s := &e.snap.Settings.PositionConflict
	disagree := max(c.far(&c.before, s), c.far(&c.after, s)) > 0
	switch {
	case disagree && !c.listed:
		c.listed = true
		e.listConflict(v, c)
		e.judgeStation(c.station, c.time)
	case disagree && c.told:
		e.recordConflict(v, c, StateClosed)
	case !disagree && c.listed:
		c.listed = false
		e.unlistConflict(v, c)
		if c.told {
			c.told = false
			e.recordConflict(v, c, StateRetracted, noteFixAgrees)
		}
		if c.faulty {
			c.faulty = false
			e.countStationFault(c.station, false)
		}
		e.judgeStation(c.station, c.time)
	}
}

// listConflict puts a case into its station's list, which is in order of time.
func (e *Engine) listConflict(v *vehicle, c *conflictCase) {
	if e.conflicts == nil {
		e.conflicts = map[string][]stationConflict{}
	}
	list := e.conflicts[c.station]
	e.conflicts[c.station] = slices.Insert(list, firstConflict(list, c.time+1), stationConflict{c.time, v, c.record})
}

// firstConflict returns the place in a list of the first conflict at a time or later.
func firstConflict(list []stationConflict, t int64) int {
	i, _ := slices.BinarySearchFunc(list, t, func(o stationConflict, t int64) int { return cmp.Compare(o.time, t) })
	return i
}

func (e *Engine) unlistConflict(v *vehicle, c *conflictCase) {
	list := e.conflicts[c.station]
	for i := firstConflict(list, c.time); i < len(list) && list[i].time == c.time; i++ {
		if list[i].v == v && list[i].record == c.record {
			list = slices.Delete(list, i, i+1)
			break
		}
	}
	if len(list) == 0 {
		delete(e.conflicts, c.station)
		return
	}
	e.conflicts[c.station] = list
}

// judgeStation looks again at the conflicts of a station that one at a time may touch, as it came or went.
func (e *Engine) judgeStation(station string, at int64) {
	s := &e.snap.Settings.PositionConflict
	hour := int64(s.StationWindowS) * 1000
	list := e.conflicts[station]
	until := int64(math.MinInt64) // conflicts up to then are the station's fault
	for i := firstConflict(list, at-2*hour); i < len(list) && list[i].time <= at+hour; i++ {
		t := list[i].time
		if crowded(list[i:], hour, s.StationVehicles) {
			until = t + hour
		}
		if t >= at-hour {
			e.blameStation(&list[i], station, t <= until)
		}
	}
}

// crowded reports whether more than so many vehicles are in conflict within the time from the first of a list on.
func crowded(list []stationConflict, within int64, most int) bool {
	n := 0
	for i := range list {
		if list[i].time > list[0].time+within {
			return false
		}
		if !slices.ContainsFunc(list[:i], func(o stationConflict) bool { return o.v == list[i].v }) {
			if n++; n > most {
				return true
			}
		}
	}
	return false
}

// blameStation says whose fault a conflict is.
func (e *Engine) blameStation(o *stationConflict, station string, fault bool) {
	defer func(was *Snapshot) { e.snap = was }(e.snap) // who asked goes on
	e.turnTo(o.v)
	sd := e.sides[o.v.side-1]
	i := slices.IndexFunc(sd.conflicts, func(c conflictCase) bool {
		return c.listed && c.time == o.time && c.station == station && c.record == o.record
	})
	if i < 0 { // a state that no engine wrote
		return
	}
	c := &sd.conflicts[i]
	if fault != c.faulty {
		c.faulty = fault
		e.countStationFault(station, fault)
	}
	switch {
	case fault && c.told:
		c.told = false
		e.recordConflict(o.v, c, StateRetracted, noteStationAtFault)
	case !fault && !c.told:
		c.told = true
		e.recordConflict(o.v, c, StateClosed)
	}
}

// countStationFault counts a conflict that is a station's own fault, or no longer is.
func (e *Engine) countStationFault(station string, fault bool) {
	if e.stats.StationFaults == nil {
		e.stats.StationFaults = map[string]uint64{}
	}
	switch n := e.stats.StationFaults[station]; {
	case fault:
		e.stats.StationFaults[station] = n + 1
	case n > 1:
		e.stats.StationFaults[station] = n - 1
	default:
		delete(e.stats.StationFaults, station)
	}
}

func (e *Engine) recordConflict(v *vehicle, c *conflictCase, state State, notes ...string) {
	s := &e.snap.Settings.PositionConflict
	o := e.beginWeighed(v, KindPositionConflict, &c.weighedAt, state)
	km := 0.0
	for name, m := range map[string]*mark{"fix_before": &c.before, "fix_after": &c.after} {
		d := c.far(m, s)
		km = max(km, d/1000)
		if d > 0 {
			o.Detail[name] = map[string]any{"time": Time(m.time).Std().Format("2006-01-02T15:04:05-07:00"), "lat": *degrees(m.lat), "lon": *degrees(m.lon), "km": tenth(d / 1000)}
		}
	}
	if km > 0 {
		o.Measured, o.Unit = ptr(tenth(km)), ptr("km")
	}
	o.Basis = []string{}
	o.Notes = append(o.Notes, notes...)
	e.emit(o)
}
