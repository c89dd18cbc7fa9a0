package detect

import (
	"errors"
	"strconv"

	"lushao/ingest"
)

// What assistance systems see (T/JSATL 12-2017 items 0x64, 0x65 and 0x67): driver_behavior (驾驶员不良行为) from the driver monitor,
// collision_risk (主动安全预警) from the driver assistance and the blind-spot monitor. One machine follows both, by word: from the
// first start to the flag of the end, or, where none comes, to 60 s after the last start.

// safetyWord is a word of the rule book.
type safetyWord struct {
	system, word string
	kind         Kind
}

// safetyWords are the words that make a violation. What else the systems report, such as snapshots, makes none.
var safetyWords = []safetyWord{
	{"dsm", "fatigue", KindDriverBehavior},
	{"dsm", "phone", KindDriverBehavior},
	{"dsm", "smoking", KindDriverBehavior},
	{"dsm", "distraction", KindDriverBehavior},
	{"dsm", "abnormal", KindDriverBehavior},
	{"dsm", "seat_belt", KindDriverBehavior},
	{"dsm", "hands_off", KindDriverBehavior},
	{"adas", "forward", KindCollisionRisk},
	{"adas", "lane", KindCollisionRisk},
	{"adas", "distance", KindCollisionRisk},
	{"adas", "pedestrian", KindCollisionRisk},
	{"adas", "lane_change", KindCollisionRisk},
	{"adas", "sign", KindCollisionRisk},
	{"adas", "obstacle", KindCollisionRisk},
	{"bsd", "rear", KindCollisionRisk},
	{"bsd", "left_rear", KindCollisionRisk},
	{"bsd", "right_rear", KindCollisionRisk},
}

func safetyWordOf(s *ingest.Safety) (n uint8, ok bool) {
	for i := range safetyWords {
		if w := &safetyWords[i]; w.word == s.Kind && w.system == s.System {
			return uint8(i), true
		}
	}
	return 0, false
}

type safetyPhase uint8

const (
	safetyRunning safetyPhase = iota // since the last start no end has come, nor has its time run out
	safetyExpired                    // its time has run out; the flag of its end may still come
	safetyFlagged                    // the flag of its end has come, or will not be its own any more
)

// safetyCase is one word of one vehicle. It is kept after its end for what may come late: its flag, another start that merges, and
// fixes.
type safetyCase struct {
	word   uint8 // number in safetyWords
	phase  safetyPhase
	level  uint8  // greatest
	id     uint32 // of the first start
	lastID uint32 // of the last start
	starts uint32
	wake   int64 // for when it has asked to be woken; 0: it has not
	reach  reach // held.time is that of the last start
}

// settings returns the numbers for the word's kind.
func (c *safetyCase) settings(s *Settings) *SafetySettings {
	if safetyWords[c.word].kind == KindDriverBehavior {
		return &s.DriverBehavior
	}
	return &s.CollisionRisk
}

// expires is when the last start runs out.
func (c *safetyCase) expires(s *Settings) int64 {
	return c.reach.held.time + int64(c.settings(s).LastS)*1000
}

// safetyEvent takes an alarm of an assistance system. One whose clock is wrong is not believed, as with positions.
func safetyEvent(e *Engine, v *vehicle, ev *ingest.Event) {
	if !e.snap.gate.believes(ev) {
		return
	}
	e.safetyPass(v, ev.Time)
	word, ok := safetyWordOf(ev.Safety)
	if !ok {
		return
	}
	s := &e.snap.Settings
	var last *safetyCase // of the word
	if v.side != 0 {
		sd := e.sides[v.side-1]
		for i := range sd.safety {
			if sd.safety[i].word == word {
				last = &sd.safety[i]
			}
		}
	}
	if last != nil && ev.Time < last.reach.held.time { // late
		return
	}
	if ev.Safety.Flag == "end" {
		if last != nil {
			e.safetyFlag(v, last, ev)
		}
		return
	}
	if last == nil || ev.Time-last.ends(s) >= int64(last.settings(s).MergeS)*1000 {
		c := safetyCase{word: word, level: ev.Safety.Level, id: ev.Safety.AlarmID, lastID: ev.Safety.AlarmID, starts: 1, reach: e.beginReach(v, ev.Time)}
		if !c.settings(s).Enabled {
			return
		}
		if last != nil {
			last.phase = safetyFlagged
		}
		c.ask(e, v)
		sd := e.rareOf(v)
		sd.safety = append(e.spare.safety.room(sd.safety), c)
		e.recordSafety(v, &c, StateOpen, &c.reach.held)
		return
	}
	changed := last.phase != safetyRunning || ev.Safety.Level > last.level
	last.phase, last.reach.end = safetyRunning, tally{}
	last.level, last.lastID, last.starts = max(last.level, ev.Safety.Level), ev.Safety.AlarmID, last.starts+1
	last.reach.hold(ev.Time)
	last.ask(e, v)
	if changed {
		e.recordSafety(v, last, StateOpen, &last.reach.held)
	}
}

// ends is the end as it stands.
func (c *safetyCase) ends(s *Settings) int64 {
	if c.phase == safetyRunning {
		return c.expires(s)
	}
	return c.reach.end.time
}

// ask asks to be woken, once.
func (c *safetyCase) ask(e *Engine, v *vehicle) {
	if c.wake == 0 {
		c.wake = c.expires(&e.snap.Settings)
		e.wakeAt(v, wakeSafety, c.wake)
	}
}

// safetyFlag takes the flag of an end. While the last start has not run out any will do; later it must be that of the same alarm,
// for only that proves that it went on.
func (e *Engine) safetyFlag(v *vehicle, c *safetyCase, ev *ingest.Event) {
	s := &e.snap.Settings
	switch {
	case c.phase == safetyFlagged:
		return
	case ev.Time <= c.expires(s):
	case ev.Safety.AlarmID != c.lastID || ev.Time-c.reach.held.time > int64(c.settings(s).FlagS)*1000:
		return
	}
	c.phase = safetyFlagged
	c.reach.end = tally{}
	c.reach.endAt(ev.Time)
	e.recordSafety(v, c, StateClosed, &c.reach.end)
}

// safetyPass ends what has run out by a time that the vehicle has come to, and forgets what can't change any more.
func (e *Engine) safetyPass(v *vehicle, t int64) {
	if v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	if len(sd.safety) == 0 {
		return
	}
	s := &e.snap.Settings
	kept := sd.safety[:0]
	for i := range sd.safety {
		c := &sd.safety[i]
		set := c.settings(s)
		if c.phase == safetyRunning && t >= c.expires(s) {
			e.safetyExpire(v, c)
		}
		if c.phase != safetyRunning && t-c.reach.end.time >= int64(set.MergeS)*1000 && !e.mayGrow(v, &c.reach) &&
			(c.phase == safetyFlagged || t-c.reach.held.time > int64(set.FlagS)*1000) {
			continue
		}
		kept = append(kept, *c)
	}
	sd.safety = kept
}

// safetyExpire ends a case when its last start has run out.
func (e *Engine) safetyExpire(v *vehicle, c *safetyCase) {
	c.phase = safetyExpired
	c.reach.endAt(c.expires(&e.snap.Settings))
	e.recordSafety(v, c, StateClosed, &c.reach.end)
}

func safetyDue(e *Engine, v *vehicle, what wake, at int64) {
	if what != wakeSafety || v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	for i := range sd.safety {
		c := &sd.safety[i]
		if c.wake != at {
			continue
		}
		c.wake = 0
		switch {
		case c.phase != safetyRunning:
		case c.expires(&e.snap.Settings) <= e.clock:
			e.safetyExpire(v, c)
		default: // there was another start since
			c.ask(e, v)
		}
	}
}

// safetyLoad asks again for what was asked for when the state was written.
func safetyLoad(e *Engine, v *vehicle) {
	if v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	for i := range sd.safety {
		if c := &sd.safety[i]; c.phase == safetyRunning {
			c.ask(e, v)
		}
	}
}

func (e *Engine) safetyFix(v *vehicle, sd *side, f *fix, segment float64) {
	for i := range sd.safety {
		c := &sd.safety[i]
		if !c.reach.count(f, segment) {
			continue
		}
		if c.phase == safetyRunning {
			e.recordSafety(v, c, StateOpen, &c.reach.held)
		} else {
			e.recordSafety(v, c, StateClosed, &c.reach.end)
		}
	}
}

func safetyEnd(e *Engine, v *vehicle, close bool) {
	sd := e.sides[v.side-1]
	for i := range sd.safety {
		switch c := &sd.safety[i]; {
		case c.phase != safetyRunning:
		case close:
			e.recordSafety(v, c, StateClosed, &c.reach.held, noteEndOfData)
		default:
			e.recordSafety(v, c, StateOpen, &c.reach.held)
		}
	}
}

func (e *Engine) recordSafety(v *vehicle, c *safetyCase, state State, at *tally, notes ...string) {
	w := &safetyWords[c.word]
	o := e.recordReach(v, w.kind, &c.reach, safetySubject(w.word, c.id))
	what := "behavior"
	o.Basis = []string{"plan-shangdang-behavior"}
	if w.kind == KindCollisionRisk {
		what, o.Basis = "warning", []string{"plan-jincheng-warning"}
	}
	o.Detail[what], o.Detail["system"], o.Detail["alarm_id"], o.Detail["starts"] = w.word, w.system, c.id, c.starts
	if c.level != 0 {
		o.Detail["level"] = int(c.level)
	}
	e.finishReach(o, state, &c.reach, at, notes...)
}

func (e *Engine) writeSafety(w *stateWriter, sd *side) {
	w.u32(uint32(len(sd.safety)))
	for i := range sd.safety {
		c := &sd.safety[i]
		w.text(safetyWords[c.word].word)
		w.u8(byte(c.phase))
		w.u8(c.level)
		w.u32(c.id)
		w.u32(c.lastID)
		w.u32(c.starts)
		e.writeReach(w, &c.reach)
	}
}

func (e *Engine) readSafety(r *stateReader, sd *side) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		word := r.text()
		var c safetyCase
		c.phase, c.level, c.id, c.lastID, c.starts = safetyPhase(r.u8()), r.u8(), r.u32(), r.u32(), r.u32()
		e.readReach(r, &c.reach)
		known := false
		for i := range safetyWords {
			if safetyWords[i].word == word {
				c.word, known = uint8(i), true
			}
		}
		if !known || c.phase > safetyFlagged {
			r.fail(errors.New("an assistance system's alarm of an unknown kind"))
		}
		if r.err == nil {
			sd.safety = append(sd.safety, c)
		}
	}
}

func safetySubject(word string, id uint32) string {
	return word + "\x00" + strconv.FormatUint(uint64(id), 10)
}
