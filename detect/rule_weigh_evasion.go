package detect

import (
	"cmp"
	"slices"

	"lushao/ingest"
)

// Evasion of the scales (逃避检测): a station marked its record as evasion; or a heavy truck entered the approach of a station and,
// within 30 min, a bypass of it, and 30 min on either side of entering the bypass no record of the plate is there, nor one whose plate
// could not be read, which may be its own. It is decided when the clock is 30 min past entering the bypass; a record that comes later
// disproves it. Basis: 公路安全保护条例 art. 67; 公路货运车辆不停车超限超载检测系统 appendix B.
//
// What the rule book leaves open is decided for the driver: the 30 min run from entering the one to entering the other, and the approach
// must have been entered first: at one and the same fix nobody knows which came first. One approach proves one evasion.

// approach is a station's approach that was entered.
type approach struct {
	station, fence string
	time           int64 // Unix ms, of the first fix inside
}

// evasionCase is a bypass that was entered after an approach.
type evasionCase struct {
	station  string
	fence    string // the bypass
	approach approach
	start    tally // at the first fix inside of the bypass
	driver   uint32
	at       int64 // when it is decided; told: when it is forgotten
	told     bool
}

// evasionAt leads to an evasion of a station that was told.
type evasionAt struct {
	time  int64
	v     *vehicle
	fence string
}

const (
	noteWeighed = "weighed"      // retracted because a record of the plate came late
	noteUnread  = "plate_unread" // retracted because a record came late whose plate could not be read
)

var approachRule = insideRule{
	enabled: func(s *Settings) bool { return s.WeighEvasion.Enabled },
	means:   mayEvade,
	opens: func(e *Engine, v *vehicle, fc *fence, c *fenceCase) (now, never bool) {
		sd := e.rareOf(v)
		sd.approaches = append(sd.approaches, approach{fc.Station, fc.ID, c.span.start})
		return false, true
	},
}

var bypassRule = insideRule{
	enabled: func(s *Settings) bool { return s.WeighEvasion.Enabled },
	means:   mayEvade,
	opens: func(e *Engine, v *vehicle, fc *fence, c *fenceCase) (now, never bool) {
		e.bypasses(v, fc, c)
		return false, true
	},
}

func mayEvade(e *Engine, v *vehicle, fc *fence) bool {
	return fc.Station != "" && e.snap.evaders.Has(v.class)
}

// bypasses looks whether a vehicle that has entered a bypass entered the station's approach before.
func (e *Engine) bypasses(v *vehicle, fc *fence, c *fenceCase) {
	s := &e.snap.Settings.WeighEvasion
	sd := e.rareOf(v)
	var from approach
	kept := sd.approaches[:0]
	for _, a := range sd.approaches {
		if a.station != fc.Station || a.time >= c.span.start {
			kept = append(kept, a)
		} else if c.span.start-a.time <= int64(s.ApproachS)*1000 && a.time > from.time {
			from = a
		}
	}
	sd.approaches = kept
	if from.time == 0 {
		return
	}
	x := evasionCase{station: fc.Station, fence: fc.ID, approach: from, start: c.leaveAt, driver: c.span.driver, at: c.span.start + int64(s.RecordS)*1000}
	sd.evasions = append(sd.evasions, x)
	e.wakeAt(v, wakeEvasion, x.at)
}

// forgetApproaches lets go of those that are too long ago for any bypass, but for one in which a first fix lies already.
func (e *Engine) forgetApproaches(sd *side, now int64) {
	within := int64(e.snap.Settings.WeighEvasion.ApproachS) * 1000
	sd.approaches = slices.DeleteFunc(sd.approaches, func(a approach) bool {
		return now-a.time > within && !slices.ContainsFunc(sd.fences, func(c fenceCase) bool {
			fc := &e.snap.fences[c.fence]
			return c.phase == fenceCandidate && fc.Kind == FenceBypass && fc.Station == a.station
		})
	})
}

func weighEvasionWeighing(e *Engine, v *vehicle, ev *ingest.Event) {
	w := ev.Weighing
	e.retractEvasions(v, w.Station, ev.Time, noteWeighed)
	if !e.snap.Settings.WeighEvasion.Enabled || !w.Evaded {
		return
	}
	o := e.beginWeighing(v, KindWeighEvasion, ev)
	o.Basis = []string{"weigh-evasion", "weigh-evaded-mark"}
	o.Detail["cause"] = "marked"
	e.emit(o)
}

func weighEvasionDue(e *Engine, v *vehicle, what wake, _ int64) {
	if what != wakeEvasion || v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	kept := sd.evasions[:0]
	for i := range sd.evasions {
		c := &sd.evasions[i]
		switch {
		case c.at > e.clock:
		case c.told:
			e.unlistEvasion(v, c)
			continue
		case !e.snap.Settings.WeighEvasion.Enabled || e.weighedThere(v, c):
			continue
		default:
			c.told = true
			c.at += backfillKeepMs
			e.listEvasion(v, c)
			e.wakeAt(v, wakeEvasion, c.at)
			e.recordEvasion(v, c, StateClosed)
		}
		kept = append(kept, *c)
	}
	sd.evasions = kept
}

func weighEvasionLoad(e *Engine, v *vehicle) {
	if v.side == 0 {
		return
	}
	for i := range e.sides[v.side-1].evasions {
		c := &e.sides[v.side-1].evasions[i]
		if c.told {
			e.listEvasion(v, c)
		}
		e.wakeAt(v, wakeEvasion, c.at)
	}
}

// weighedThere reports whether the vehicle was weighed at the station after all, or may have been.
func (e *Engine) weighedThere(v *vehicle, c *evasionCase) bool {
	station, near := e.stationNumber(stationHash(c.station)), int64(e.snap.Settings.WeighEvasion.RecordS)*1000
	for n := e.weighedOf(v); n != 0; n = e.weighings.at(n - 1).next {
		if o := e.weighings.at(n - 1); o.station == station && o.time.ms() >= c.start.time-near && o.time.ms() <= c.start.time+near {
			return true
		}
	}
	return e.maybeUnread(c.station, c.start.time-near, c.start.time+near)
}

// retractEvasions takes back what a record of the vehicle disproves.
func (e *Engine) retractEvasions(v *vehicle, station string, at int64, note string) {
	if v.side == 0 || len(e.sides[v.side-1].evasions) == 0 {
		return
	}
	near := int64(e.snap.Settings.WeighEvasion.RecordS) * 1000
	sd := e.sides[v.side-1]
	kept := sd.evasions[:0]
	for i := range sd.evasions {
		c := &sd.evasions[i]
		if c.station == station && at >= c.start.time-near && at <= c.start.time+near {
			if c.told {
				e.unlistEvasion(v, c)
				e.recordEvasion(v, c, StateRetracted, note)
			}
			continue
		}
		kept = append(kept, *c)
	}
	sd.evasions = kept
}

// excuse takes back what a record disproves whose plate could not be read.
func (e *Engine) excuse(station string, at int64) {
	near := int64(e.whole.Settings.WeighEvasion.RecordS) * 1000
	for { // what is taken back leaves the list
		list := e.evaded[station]
		i := firstEvasion(list, at-near)
		if i == len(list) || list[i].time > at+near {
			return
		}
		v := list[i].v
		e.turnTo(v)
		e.retractEvasions(v, station, at, noteUnread)
		e.tidy(v)
	}
}

// listEvasion puts a case that was told into its station's list, which is in order of time.
func (e *Engine) listEvasion(v *vehicle, c *evasionCase) {
	if e.evaded == nil {
		e.evaded = map[string][]evasionAt{}
	}
	list := e.evaded[c.station]
	e.evaded[c.station] = slices.Insert(list, firstEvasion(list, c.start.time+1), evasionAt{c.start.time, v, c.fence})
}

func (e *Engine) unlistEvasion(v *vehicle, c *evasionCase) {
	list := slices.DeleteFunc(e.evaded[c.station], func(o evasionAt) bool { return o.v == v && o.time == c.start.time && o.fence == c.fence })
	if len(list) == 0 {
		delete(e.evaded, c.station)
		return
	}
	e.evaded[c.station] = list
}

// firstEvasion returns the place in a list of the first evasion at a time or later.
func firstEvasion(list []evasionAt, t int64) int {
	i, _ := slices.BinarySearchFunc(list, t, func(o evasionAt, t int64) int { return cmp.Compare(o.time, t) })
	return i
}

func (e *Engine) recordEvasion(v *vehicle, c *evasionCase, state State, notes ...string) {
	s := span{start: c.start.time, startLat: c.start.lat, startLon: c.start.lon, driver: c.driver}
	o := e.begin(v, KindWeighEvasion, &s, c.fence)
	o.Fence, o.Station = ptr(c.fence), ptr(c.station)
	o.Basis = []string{"weigh-evasion"}
	o.Detail["cause"] = "bypassed"
	o.Detail["approach"], o.Detail["approached"] = c.approach.fence, Time(c.approach.time)
	e.finish(o, state, &s, c.start, notes)
}

func (e *Engine) writeEvasions(w *stateWriter, sd *side) {
	approached := func(a *approach) {
		w.text(a.station)
		w.text(a.fence)
		w.u64(uint64(a.time))
	}
	w.u32(uint32(len(sd.approaches)))
	for i := range sd.approaches {
		approached(&sd.approaches[i])
	}
	w.u32(uint32(len(sd.evasions)))
	for i := range sd.evasions {
		c := &sd.evasions[i]
		w.text(c.station)
		w.text(c.fence)
		approached(&c.approach)
		w.tally(&c.start)
		e.writeDriver(w, c.driver)
		w.u64(uint64(c.at))
		w.truth(c.told)
	}
}

func (e *Engine) readEvasions(r *stateReader, sd *side) {
	approached := func() approach { return approach{r.text(), r.text(), int64(r.u64())} }
	for n := r.count(); n > 0 && r.err == nil; n-- {
		sd.approaches = append(sd.approaches, approached())
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := evasionCase{station: r.text(), fence: r.text(), approach: approached()}
		r.tally(&c.start)
		c.driver, c.at, c.told = e.readDriver(r), int64(r.u64()), r.truth()
		sd.evasions = append(sd.evasions, c)
	}
}
