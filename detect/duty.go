package detect

import (
	"math"
	"sort"
)

// duty is what one driver has driven, or one vehicle whose driver is not known: his stretch, which is his driving since he last
// had not driven for 20 min. Durations are ms. It is flat and small; every vehicle has one.
type duty struct {
	from       stamp  // where the stretch begins; 0: none goes on
	to         stamp  // end of the last driving; 0: none yet
	continuous stamp  // when the last fatigue_continuous opened, the first of its stretch; 0: never
	driven     brief  // in the stretch
	atNight    brief  // driven in the stretch within one night
	restBefore brief  // how long he had not driven before the stretch; 0: not known
	night      uint32 // beginning of that night, in minutes since 1970
	stops      uint8  // in the stretch, of less than a rest; no more than 255 are counted
	gaps       uint8  // in the stretch, of which all but the least driving is taken for standing; likewise
	counted    bool   // fatigue_continuous has opened in this stretch
	warned     uint8  // of which kinds the driver was warned in this stretch: fatigueKind.warned
}

// brief is a duration in ms of less than seven weeks; longer ones are as long as that.
type brief uint32

func briefly(ms int64) brief { return brief(min(ms, math.MaxUint32)) }

func (b brief) ms() int64 { return int64(b) }

// nightFrom is when the night began that atNight is of; 0: none was driven in.
func (d *duty) nightFrom() int64 { return int64(d.night) * minuteMs }

// drive adds driving. Of two vehicles that one driver is said to drive at a time, the one that is heard of first counts.
func (d *duty) drive(a, b int64, s *drivingRules) (from int64) {
	last := d.to.ms()
	a = max(a, last)
	if a >= b {
		return b
	}
	switch {
	case d.from.isZero() || a-last >= s.rest:
		before := int64(0)
		if last != 0 && a-last >= s.rest {
			before = a - last
		}
		*d = duty{from: stampOf(a), restBefore: briefly(before), continuous: d.continuous}
	case a > last && d.stops < math.MaxUint8:
		d.stops++
	}
	d.driven = briefly(d.driven.ms() + b - a)
	d.to = stampOf(b)
	for t := a; t < b; {
		from, to := s.night.around(t)
		if t < from { // by day
			t = from
			continue
		}
		if from != d.nightFrom() {
			d.night, d.atNight = uint32(from/minuteMs), 0
		}
		d.atNight = briefly(d.atNight.ms() + min(to, b) - t)
		t = to
	}
	return a
}

// ends says that the stretch has ended.
func (d *duty) ends() {
	d.from, d.driven, d.atNight, d.counted, d.stops, d.gaps, d.warned = stamp{}, 0, 0, false, 0, 0, 0
}

// around returns the window that holds t, or else the next one after t.
func (h hours) around(t int64) (from, to int64) {
	day := dayStart(t)
	for _, start := range [...]int64{day - dayMs, day, day + dayMs} {
		from, to = start+int64(h.from)*minuteMs, start+int64(h.to)*minuteMs
		if h.to <= h.from {
			to += dayMs
		}
		if t < to {
			return from, to
		}
	}
	return from, to
}

// dutyLog is what a driver has driven in the last days, as pieces in order of time: sums of them are exact.
type dutyLog struct {
	base int64 // Unix ms
	list []dutyPiece
}

// dutyPiece is driving in one piece, in ms since the base: four weeks fit well.
type dutyPiece struct{ from, to, before uint32 } // before: driven in all pieces before

// maxDutyPieces bounds the pieces of a driver, to a piece every 5 min for a week. When there are more, the oldest half is forgotten.
const maxDutyPieces = 2048

func (p *dutyPiece) length() uint32 { return p.to - p.from }

// add adds driving that begins no earlier than the last ended. keep is how long sums go back.
func (l *dutyLog) add(a, b, keep int64) {
	n := len(l.list)
	if n > 0 && (b-l.base >= 4*keep+dayMs || n == cap(l.list) || n >= maxDutyPieces) {
		l.forget(b - keep)
		if n = len(l.list); n >= maxDutyPieces {
			l.drop(n / 2)
			n = len(l.list)
		}
	}
	if n == 0 {
		l.base = a
	}
	from, to := uint32(a-l.base), uint32(b-l.base)
	switch {
	case n == 0:
		l.list = append(l.list, dutyPiece{from, to, 0})
	case l.list[n-1].to == from:
		l.list[n-1].to = to
	default:
		last := &l.list[n-1]
		l.list = append(l.list, dutyPiece{from, to, last.before + last.length()})
	}
}

// forget drops what had ended at t.
func (l *dutyLog) forget(t int64) {
	l.drop(sort.Search(len(l.list), func(i int) bool { return l.base+int64(l.list[i].to) > t }))
}

// drop drops the first n pieces.
func (l *dutyLog) drop(n int) {
	if n == 0 {
		return
	}
	if n == len(l.list) {
		l.list = l.list[:0]
		return
	}
	first := l.list[n]
	for i, p := range l.list[n:] {
		l.list[i] = dutyPiece{p.from - first.from, p.to - first.from, p.before - first.before}
	}
	l.list = l.list[:len(l.list)-n]
	l.base += int64(first.from)
}

// until returns what was driven until t, since what is forgotten.
func (l *dutyLog) until(t int64) int64 {
	lo, hi := 0, len(l.list)
	for lo < hi { // by hand: this is asked at every fix
		if mid := (lo + hi) / 2; l.base+int64(l.list[mid].from) < t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0
	}
	p := &l.list[lo-1]
	return int64(p.before) + min(t-l.base, int64(p.to)) - int64(p.from)
}

// sum returns what was driven in the window that ends at t.
func (l *dutyLog) sum(t, window int64) int64 { return l.until(t) - l.until(t-window) }

// rests counts the times of 20 min and more without driving in the window that ends at t, after its first driving.
func (l *dutyLog) rests(t, window, rest int64) (n int64) {
	for i := 1; i < len(l.list); i++ {
		if a, b := l.base+int64(l.list[i-1].to), l.base+int64(l.list[i].from); a >= t-window && b <= t && b-a >= rest {
			n++
		}
	}
	return n
}

// dutySums is what rolling sums need.
type dutySums struct {
	log  dutyLog
	over [sumCount]int64 // when each sum last came to be over its limit and has not fallen since; 0: it is not
}

// The rolling sums.
const (
	sumDaily = iota
	sumWeekly
	sumCount
)

// dutyOf returns the duty of who drives a vehicle, and what his sums need: nil where none are kept, of vehicles of this class or, as
// the settings say, without a card.
func (e *Engine) dutyOf(v *vehicle, driver uint32) (*duty, *dutySums) {
	logged := e.snap.driving.logged.Has(v.class)
	if driver != 0 {
		d := e.drivers.of(driver)
		if d.sums == nil && logged {
			d.sums = new(dutySums)
		}
		return &d.duty, d.sums
	}
	d := e.store.dutyAt(v.slot)
	if !e.snap.driving.sumsWithoutCard || !logged {
		return d, nil
	}
	sums := e.sumsOf[v.slot]
	if sums == nil {
		sums = new(dutySums)
		e.sumsOf[v.slot] = sums
	}
	return d, sums
}

// settle makes a vehicle the home of a driver: the one with whose state his is kept.
func (e *Engine) settle(v *vehicle, driver uint32) {
	d := e.drivers.of(driver)
	if d.home == v.slot+1 {
		return
	}
	if d.home != 0 {
		e.tellSegment(driver)
		d.segment = segment{}
		e.drivers.leave(driver)
	}
	e.drivers.settle(driver, v.slot)
}
