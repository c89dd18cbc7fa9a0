package detect

import (
	"math"
	"slices"
)

// Driving time (疲劳驾驶): too long without a rest of 20 min (fatigue_continuous; coaches at night fatigue_night; heavy trucks
// fatigue_severe), and too much in a rolling 24 h or 7 days (fatigue_daily, fatigue_weekly). It is the driver who is tired: who put
// in the last card, or the vehicle before any. Basis: 道路交通安全法实施条例 art. 62 (7); GA/T 2372; 道路旅客运输企业安全管理规范 art. 38.

// fatigueKind is what a case of fatigue is about.
type fatigueKind uint8

const (
	fatigueContinuous fatigueKind = iota
	fatigueNight
	fatigueSevere   // the stretch is too long by far
	fatigueRepeated // the second fatigue_continuous within a day
	fatigueDaily
	fatigueWeekly
	fatigueCount
)

// sum is the number of the rolling sum.
func (k fatigueKind) sum() int { return int(k - fatigueDaily) }

var fatigueNames = [fatigueCount]Kind{KindFatigueContinuous, KindFatigueNight, KindFatigueSevere, KindFatigueSevere, KindFatigueDaily, KindFatigueWeekly}

var fatigueBasis = [fatigueCount][]string{{"driving-4h"}, {"driving-night", "monitoring-night"}, {"driving-4h", "plan-jincheng-severe"},
	{"driving-4h", "plan-jincheng-severe"}, {"driving-night", "monitoring-night"}, {"driving-7d"}}

// fatigueCause is the subject and detail of fatigue_severe.
func (k fatigueKind) cause() string {
	switch k {
	case fatigueSevere:
		return "stretch"
	case fatigueRepeated:
		return "repeated"
	}
	return ""
}

// fatigueCase is an open violation of driving time, in one vehicle by one driver.
type fatigueCase struct {
	kind       fatigueKind
	driver     uint32
	driven     int64 // measured, ms; of a sum the greatest
	total      int64 // driven in the stretch, ms
	from       int64 // beginning of the stretch
	restBefore int64 // ms; 0 not known
	stops      uint8
	gaps       uint8
	rests      int64 // of a sum, at its greatest
	until      int64 // end of the night
	over       int64 // of a sum: driverDuty.over
	drove      int64 // end of the last driving in this vehicle
	stop       tally // at the first stopped fix after it, or the last fix at which it held; time 0: none yet
	gap        bool  // since then a gap was taken for standing
	cardMoved  bool  // a card was put in while moving, and waits for a stop
	span       span
}

// drivingRules are the settings in ms.
type drivingRules struct {
	gap, rest, cardWindow int64
	perMetre              float64 // ms that the least driving of a gap takes for a metre
	keep                  int64   // how long sums go back
	classes               ClassSet
	night                 hours
	sumsWithoutCard       bool
	logged                ClassSet // whose driving is kept for sums
	of                    [fatigueCount]struct {
		enabled       bool
		classes       ClassSet
		limit, window int64
		prewarn       int64 // before the limit; 0: never
	}
	repeated int64
}

func compileDriving(s *Settings, night hours) drivingRules {
	ms := func(seconds int) int64 { return int64(seconds) * 1000 }
	d := &s.Driving
	r := drivingRules{gap: ms(d.GapS), rest: ms(d.RestS), cardWindow: ms(d.CardWindowS), perMetre: 3600 / d.GapSpeed, classes: classSet(d.Classes), night: night,
		sumsWithoutCard: d.SumsWithoutCard, repeated: ms(s.FatigueSevere.RepeatedS)}
	stretch := func(k fatigueKind, s *FatigueSettings) {
		r.of[k].enabled, r.of[k].classes, r.of[k].limit, r.of[k].prewarn = s.Enabled, classSet(s.Classes), ms(s.LimitS), ms(s.PrewarnS)
	}
	sum := func(k fatigueKind, s *FatigueSumSettings) {
		r.of[k].enabled, r.of[k].classes, r.of[k].limit, r.of[k].window = s.Enabled, classSet(s.Classes), ms(s.LimitS), ms(s.WindowS)
		if s.Enabled {
			r.keep = max(r.keep, ms(s.WindowS))
			r.logged |= classSet(s.Classes)
		}
	}
	stretch(fatigueContinuous, &s.FatigueContinuous)
	stretch(fatigueNight, &s.FatigueNight)
	severe := &s.FatigueSevere
	r.of[fatigueSevere].enabled, r.of[fatigueSevere].classes, r.of[fatigueSevere].limit = severe.Enabled, classSet(severe.Classes), ms(severe.LimitS)
	r.of[fatigueRepeated] = r.of[fatigueSevere]
	r.of[fatigueRepeated].limit = r.of[fatigueContinuous].limit
	sum(fatigueDaily, &s.FatigueDaily)
	sum(fatigueWeekly, &s.FatigueWeekly)
	return r
}

func classSet(names []string) (set ClassSet) {
	for _, n := range names {
		if c, ok := ParseClass(n); ok {
			set = set.With(c)
		}
	}
	return set
}

// noGap is Engine.gapFrom where no gap leads to the fix.
const noGap = math.MaxInt64

// drivenPiece is driving on the way to a fix.
type drivenPiece struct{ a, b int64 }

// drivenTo returns the driving on the segment or gap that leads to a fix; a is b where there is none. gap says that all else of it is
// taken for standing.
func (e *Engine) drivenTo(m *moment) (p drivenPiece, gap bool) {
	s, v, f := &e.snap.driving, m.v, m.f
	from := v.judged.time
	if from == 0 || m.broken {
		return p, false
	}
	long := f.time - from
	stopped := v.has(flagStopped) && speedKnown(f.speed)
	oneStop := m.stopped && stopped && !m.newStop
	if long > s.gap {
		if oneStop {
			return p, true
		}
		least := min(int64(math.Round(m.segment*s.perMetre)), long)
		if long-least >= s.rest { // it holds a rest
			return p, true
		}
		return drivenPiece{from, from + least}, true
	}
	wasMoving := speedKnown(v.judged.speed) && !m.stopped
	moving := speedKnown(f.speed) && !stopped
	switch {
	case wasMoving && moving:
		return drivenPiece{from, f.time}, false
	case wasMoving:
		return drivenPiece{from, from + long/2}, false
	case moving:
		return drivenPiece{from + long/2, f.time}, false
	case m.stopped && stopped && !oneStop: // from one stop to another
		return drivenPiece{from + long/4, f.time - long/4}, false
	}
	return p, false
}

func fatigueFix(e *Engine, m *moment) {
	s, v, f := &e.snap.driving, m.v, m.f
	if !s.classes.Has(v.class) {
		if v.side != 0 && len(e.sides[v.side-1].fatigue) > 0 {
			e.endFatigue(v, func(*fatigueCase) bool { return true }, true)
		}
		return
	}
	driver := v.driver
	if len(e.changes) > 0 {
		driver = e.changes[0].from
	}
	if m.broken { // nobody knows what was between: every run ends
		e.endFatigue(v, func(c *fatigueCase) bool { return c.kind < fatigueDaily }, true)
		d, _ := e.dutyOf(v, v.driver)
		d.ends()
	}
	p, gap := e.drivenTo(m)
	e.gapFrom = noGap
	if gap {
		e.gapFrom = max(p.b, v.judged.time)
	}
	drove := false
	a := p.a
	for i := range e.changes {
		c := &e.changes[i]
		if a < p.b && c.at > a {
			e.drive(m, driver, a, min(c.at, p.b))
			a = min(c.at, p.b)
		}
		e.pass(m, c.at)
		e.changeDriver(m, c)
		driver = c.to
	}
	if a < p.b {
		e.drive(m, driver, a, p.b)
		drove = true
	}
	if !drove && driver != 0 {
		e.tellSegment(driver)
	}
	d, card := e.dutyOf(v, driver)
	if gap && !d.from.isZero() && d.gaps < math.MaxUint8 {
		d.gaps++
	}
	stopped := v.has(flagStopped) && speedKnown(f.speed)
	if v.side != 0 && len(e.sides[v.side-1].fatigue) > 0 {
		e.reach(m, stopped)
	}
	if !d.from.isZero() && f.time-d.to.ms() >= s.rest {
		d.ends()
	}
	if card != nil {
		for k := fatigueDaily; k <= fatigueWeekly; k++ {
			if card.over[k.sum()] != 0 && card.log.sum(f.time, s.of[k].window) <= s.of[k].limit {
				card.over[k.sum()] = 0
			}
		}
	}
	if m.broken || stopped || !speedKnown(f.speed) {
		return
	}
	e.holdFatigue(m)
	if !d.from.isZero() {
		e.openStretches(m, d, driver)
	}
	if drove && card != nil && s.logged.Has(v.class) {
		e.openSums(m, d, card)
	}
}

// drive adds driving of a vehicle by a driver.
func (e *Engine) drive(m *moment, driver uint32, a, b int64) {
	s, v := &e.snap.driving, m.v
	e.pass(m, a)
	d, card := e.dutyOf(v, driver)
	if driver != 0 {
		e.settle(v, driver)
	}
	from := d.drive(a, b, s)
	if driver != 0 {
		e.logSegment(driver, from, b)
	}
	if e.trace != nil {
		e.trace.drove(e, v, driver, from, b)
	}
	if card != nil && s.logged.Has(v.class) && from < b {
		for k := fatigueDaily; k <= fatigueWeekly; k++ {
			if card.over[k.sum()] != 0 && card.log.sum(from, s.of[k].window) <= s.of[k].limit {
				card.over[k.sum()] = 0
			}
		}
		card.log.add(from, b, s.keep)
	}
	if v.side == 0 {
		return
	}
	for i := range e.sides[v.side-1].fatigue {
		c := &e.sides[v.side-1].fatigue[i]
		c.drove, c.stop.time, c.gap = b, 0, false
		if c.driver == driver && c.from == d.from.ms() {
			c.take(d)
		}
	}
}

// take notes what a stretch has come to.
func (c *fatigueCase) take(d *duty) {
	c.total, c.stops, c.gaps, c.restBefore = d.driven.ms(), d.stops, d.gaps, d.restBefore.ms()
	switch {
	case c.kind == fatigueNight:
		if d.night == 0 || d.nightFrom() < c.until { // not yet the next night
			c.driven = d.atNight.ms()
		}
	case c.kind < fatigueDaily:
		c.driven = d.driven.ms()
	}
}

// pass ends what has ended at an instant on the way to a fix, nothing having been driven since: by a rest, or with the night.
func (e *Engine) pass(m *moment, t int64) {
	v := m.v
	if v.side == 0 {
		return
	}
	rest := e.snap.driving.rest
	list := e.sides[v.side-1].fatigue
	kept := list[:0]
	for i := range list {
		c := &list[i]
		c.gap = c.gap || t > e.gapFrom
		switch resting := t - c.drove; {
		case c.kind >= fatigueDaily:
		case resting >= rest && (c.until == 0 || c.drove+rest <= c.until):
			e.rested(v, c)
			continue
		case c.until != 0 && t >= c.until:
			c.total -= max(0, c.drove-c.until)
			e.recordFatigue(v, c, StateClosed, e.instant(m, &c.span, c.until))
			continue
		}
		kept = append(kept, *c)
	}
	e.sides[v.side-1].fatigue = kept
}

// instant returns the tally at an instant on the way to a fix; after a gap over 5 min that of the last fix at which it held.
func (e *Engine) instant(m *moment, s *span, t int64) tally {
	if m.f.time-m.v.judged.time > int64(e.snap.Settings.Movement.RunGapS)*1000 {
		return s.held
	}
	return s.at(t)
}

// rested closes a case by a rest: at its first stopped fix.
func (e *Engine) rested(v *vehicle, c *fatigueCase) {
	at := c.stop
	if at.time == 0 {
		at = c.span.held
	}
	if c.gap {
		e.recordFatigue(v, c, StateClosed, at, noteGapAssumedRest)
	} else {
		e.recordFatigue(v, c, StateClosed, at)
	}
}

// changeDriver closes what the driver before is to blame for. The sums are his wherever he is.
func (e *Engine) changeDriver(m *moment, ch *driverChange) {
	v := m.v
	e.settle(v, ch.to)
	if v.side == 0 {
		return
	}
	list := e.sides[v.side-1].fatigue
	kept := list[:0]
	for i := range list {
		c := &list[i]
		if c.kind < fatigueDaily && c.driver != ch.to {
			e.recordFatigue(v, c, StateClosed, e.instant(m, &c.span, ch.at))
			continue
		}
		kept = append(kept, *c)
	}
	e.sides[v.side-1].fatigue = kept
}

// reach takes what goes on to a fix.
func (e *Engine) reach(m *moment, stopped bool) {
	v, f := m.v, m.f
	list := e.sides[v.side-1].fatigue
	for i := range list {
		c := &list[i]
		if stopped && c.stop.time == 0 && c.kind < fatigueDaily {
			c.stop = c.span.now
			if f.time-v.judged.time > int64(e.snap.Settings.Movement.RunGapS)*1000 {
				c.stop = c.span.held
			}
		}
	}
	e.pass(m, f.time)
	// Sums that have fallen.
	list = e.sides[v.side-1].fatigue
	kept := list[:0]
	for i := range list {
		c := &list[i]
		if c.kind >= fatigueDaily {
			_, d := e.dutyOf(v, c.driver)
			k := &e.snap.driving.of[c.kind]
			if d == nil { // sums are no longer kept
				e.recordFatigue(v, c, StateClosed, c.span.held)
				continue
			}
			sum := d.log.sum(f.time, k.window)
			if d.over[c.kind.sum()] != c.over || sum <= k.limit || !k.enabled {
				e.recordFatigue(v, c, StateClosed, c.span.held)
				continue
			}
			if sum > c.driven {
				c.driven, c.rests = sum, d.log.rests(f.time, k.window, e.snap.driving.rest)
			}
		}
		kept = append(kept, *c)
	}
	e.sides[v.side-1].fatigue = kept
}

// holdFatigue says at a moving fix that what goes on holds.
func (e *Engine) holdFatigue(m *moment) {
	v := m.v
	if v.side == 0 {
		return
	}
	for i := range e.sides[v.side-1].fatigue {
		c := &e.sides[v.side-1].fatigue[i]
		if c.driver == v.driver {
			c.span.hold()
			c.cardMoved = c.cardMoved || v.has(flagPending)
		}
	}
}

// openStretches opens at a moving fix what the driver's stretch has come to.
func (e *Engine) openStretches(m *moment, d *duty, driver uint32) {
	s, v, f := &e.snap.driving, m.v, m.f
	for k := fatigueContinuous; k <= fatigueSevere; k++ {
		of := &s.of[k]
		if !of.enabled || !of.classes.Has(v.class) {
			continue
		}
		c := fatigueCase{kind: k, driver: driver}
		driven := d.driven.ms()
		if k == fatigueNight {
			from, until := s.night.around(f.time)
			if f.time < from || d.nightFrom() != from {
				continue
			}
			driven, c.until = d.atNight.ms(), until
		}
		e.warn(m, d, driver, k, driven)
		if driven <= of.limit || e.isOpen(v, k, driver) {
			continue
		}
		e.openFatigue(m, d, c)
		if k != fatigueContinuous || d.counted {
			continue
		}
		again := &s.of[fatigueRepeated]
		if !d.continuous.isZero() && f.time-d.continuous.ms() <= s.repeated && again.enabled && again.classes.Has(v.class) {
			e.openFatigue(m, d, fatigueCase{kind: fatigueRepeated, driver: driver})
		}
		d.continuous, d.counted = stampOf(f.time), true
	}
}

func (e *Engine) isOpen(v *vehicle, k fatigueKind, driver uint32) bool {
	return v.side != 0 && slices.ContainsFunc(e.sides[v.side-1].fatigue, func(c fatigueCase) bool { return c.kind == k && c.driver == driver })
}

func (e *Engine) openFatigue(m *moment, d *duty, c fatigueCase) {
	v := m.v
	c.span, c.from, c.drove, c.cardMoved = e.beginSpan(v, m.f), d.from.ms(), d.to.ms(), v.has(flagPending)
	c.take(d)
	sd := e.rareOf(v)
	sd.fatigue = append(sd.fatigue, c)
	e.recordFatigue(v, &sd.fatigue[len(sd.fatigue)-1], StateOpen, c.span.held)
}

// openSums opens at a moving fix what the driver's sums have come to.
func (e *Engine) openSums(m *moment, d *duty, sums *dutySums) {
	s, v, f := &e.snap.driving, m.v, m.f
	for k := fatigueDaily; k <= fatigueWeekly; k++ {
		of := &s.of[k]
		if !of.enabled || !of.classes.Has(v.class) {
			continue
		}
		sum := sums.log.sum(f.time, of.window)
		if sum <= of.limit {
			continue
		}
		if sums.over[k.sum()] == 0 {
			sums.over[k.sum()] = f.time
		}
		if !e.isOpen(v, k, v.driver) {
			e.openFatigue(m, d, fatigueCase{kind: k, driver: v.driver, driven: sum, over: sums.over[k.sum()], rests: sums.log.rests(f.time, of.window, s.rest)})
		}
	}
}

// endFatigue closes cases at the last fix at which they held.
func (e *Engine) endFatigue(v *vehicle, which func(c *fatigueCase) bool, close bool, notes ...string) {
	if v.side == 0 {
		return
	}
	list := e.sides[v.side-1].fatigue
	kept := list[:0]
	for i := range list {
		c := &list[i]
		if which(c) {
			if close {
				e.recordFatigue(v, c, StateClosed, c.span.held, notes...)
				continue
			}
			e.recordFatigue(v, c, StateOpen, c.span.held, notes...)
		}
		kept = append(kept, *c)
	}
	e.sides[v.side-1].fatigue = kept
}

func fatigueEnd(e *Engine, v *vehicle, close bool) {
	all := func(*fatigueCase) bool { return true }
	if close {
		e.endFatigue(v, all, true, noteEndOfData)
	} else {
		e.endFatigue(v, all, false)
	}
}

// fatigueRebase ends what is not the vehicle's new class's.
func fatigueRebase(e *Engine, v *vehicle, sd *side, _ *Snapshot) {
	s := &e.snap.driving
	if len(sd.fatigue) > 0 {
		e.endFatigue(v, func(c *fatigueCase) bool {
			k := &s.of[c.kind]
			return !k.classes.Has(v.class) || !s.classes.Has(v.class)
		}, true)
	}
}

// hundredthsOfHours returns a duration in hours with two decimals, half to even.
func hundredthsOfHours(ms int64) *float64 {
	return ptr(float64(divHalfEven(ms, 36_000)) / 100)
}

func (e *Engine) recordFatigue(v *vehicle, c *fatigueCase, state State, at tally, notes ...string) {
	of := &e.snap.driving.of[c.kind]
	o := e.begin(v, fatigueNames[c.kind], &c.span, c.kind.cause())
	o.Measured, o.Limit, o.Unit = hundredthsOfHours(c.driven), hundredthsOfHours(of.limit), ptr("h")
	o.OverPct, o.Band = overPct(c.driven-of.limit, of.limit)
	o.Basis = fatigueBasis[c.kind]
	if c.kind >= fatigueDaily {
		o.Detail["driving_s"], o.Detail["window_s"], o.Detail["rests"] = seconds(c.driven), of.window/1000, c.rests
		o.Detail["stretch_start"] = Time(c.from)
		o.Detail["gaps_assumed"] = int64(c.gaps)
	} else {
		o.Detail["stretch_start"], o.Detail["driving_s"], o.Detail["stops"], o.Detail["gaps_assumed"] = Time(c.from), seconds(c.total), int64(c.stops), int64(c.gaps)
		o.Detail["rest_before_s"] = nil
		if c.restBefore != 0 {
			o.Detail["rest_before_s"] = seconds(c.restBefore)
		}
		if cause := c.kind.cause(); cause != "" {
			o.Detail["cause"] = cause
		}
	}
	if c.cardMoved {
		o.Notes = append(o.Notes, noteCardChangeMoving)
	}
	e.finish(o, state, &c.span, at, notes)
}
