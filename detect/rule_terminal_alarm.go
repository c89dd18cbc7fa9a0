package detect

import (
	"errors"
	"math/bits"
	"strconv"

	"lushao/ingest"
)

// Terminal alarm (终端报警): a bit of the alarm word of JT/T 808 0x0200 rises, and until it clears; the first position counts as a
// rise. Overcrowding (超员驾驶) is found by the same functions from bit 4 of the video alarms of JT/T 1078 (item 0x14).

// alarmNames are the bits that make an alarm. Those that are not there are faults of equipment, which make none, and those that
// prove tampering.
var alarmNames = [32]string{0: "emergency", 1: "overspeed", 2: "fatigue", 3: "danger_warning", 13: "overspeed_warning", 14: "fatigue_warning",
	15: "irregular_driving", 18: "daily_driving_time", 19: "overtime_parking", 20: "area_in_out", 21: "route_in_out", 22: "section_time",
	23: "route_deviation", 24: "vss_fault", 25: "fuel_abnormal", 26: "stolen", 27: "illegal_ignition", 28: "illegal_displacement",
	29: "collision_warning", 30: "rollover_warning", 31: "illegal_door_opening"}

// Bits that are judged: those of alarmNames, and one above them for overcrowding.
const (
	alarmBits      uint64 = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<13 | 1<<14 | 1<<15 | 0x3FFF<<18
	bitOvercrowded        = 32
	videoCrowded   uint32 = 1 << 4 // in the video alarms
)

// What a vehicle last said, in vehicle.said: of positions of one time it is one.
const (
	saidLocated     uint8 = 1 << iota // one of them is located
	saidRunning                       // by the first the vehicle moves, or its ignition is on
	saidRecorder                      // by the first the recorder's speed is over 0
	saidOvercrowded                   // one of them says so
)

// alarmCase is a bit of one vehicle that is set, or has cleared not long ago.
type alarmCase struct {
	bit     uint8
	cleared int64 // time of the position at which it cleared; 0: it is set
	reach   reach
}

func (c *alarmCase) merge(s *Settings) int64 {
	if c.bit == bitOvercrowded {
		return 0
	}
	return int64(s.TerminalAlarm.MergeS) * 1000
}

// alarmPosition judges the bits of a position, for both kinds and for tampering, and shows its time to the alarms of assistance
// systems.
func alarmPosition(e *Engine, v *vehicle, ev *ingest.Event) {
	p := &ev.Position
	same := !v.heard.isZero() && v.heard.ms() == ev.Time
	alarm, said := p.Alarm, e.saidBy(ev)
	if same {
		alarm |= v.alarm
		said = v.said | said&(saidLocated|saidOvercrowded)
	}
	if alarm != 0 || said&(saidLocated|saidOvercrowded) != saidLocated || v.side != 0 {
		s := &e.snap.Settings
		var set uint64
		if s.TerminalAlarm.Enabled {
			set = uint64(alarm) & alarmBits
		}
		if s.Overcrowding.Enabled && said&saidOvercrowded != 0 {
			set |= 1 << bitOvercrowded
		}
		if set != 0 || v.side != 0 && len(e.sides[v.side-1].alarms) > 0 {
			e.alarms(v, ev.Time, set)
		}
		e.tampering(v, ev.Time, alarm, said, same)
	}
	v.said = said
	e.safetyPass(v, ev.Time)
}

// saidBy is what one position says. Its own speed counts where the gate can believe it, the recorder's always.
func (e *Engine) saidBy(ev *ingest.Event) (said uint8) {
	p := &ev.Position
	if p.Located {
		said |= saidLocated
	}
	recorder := speedKnown(p.RecorderSpeed)
	if recorder && p.RecorderSpeed > 0 {
		said |= saidRecorder
	}
	if p.ACC || recorder && p.RecorderSpeed >= e.snap.moving ||
		speedKnown(p.Speed) && p.Speed >= e.snap.moving && e.snap.gate.stateless(ev) == QualityOK {
		said |= saidRunning
	}
	if p.VideoAlarm&videoCrowded != 0 {
		said |= saidOvercrowded
	}
	return said
}

// alarms takes the bits of a position that are judged. Rises come out first, the emergency first of all.
func (e *Engine) alarms(v *vehicle, t int64, set uint64) {
	s := &e.snap.Settings
	sd := e.sideOf(v)
	rising := set
	for i := range sd.alarms {
		c := &sd.alarms[i]
		if c.cleared == 0 || c.cleared == t || t-c.reach.end.time < c.merge(s) {
			rising &^= 1 << c.bit
		}
	}
	for ; rising != 0; rising &= rising - 1 {
		c := alarmCase{bit: uint8(bits.TrailingZeros64(rising)), reach: e.beginReach(v, t)}
		e.recordAlarm(v, &c, StateOpen, &c.reach.held)
		sd.alarms = append(e.spare.alarms.room(sd.alarms), c)
	}
	kept := sd.alarms[:0]
	for i := range sd.alarms {
		c := &sd.alarms[i]
		r := &c.reach
		goesOn := c.cleared == 0 || c.cleared == t || t-r.end.time < c.merge(s)
		switch on := set>>c.bit&1 != 0; {
		case on && goesOn:
			was := c.cleared
			c.cleared, r.end = 0, tally{}
			r.hold(t)
			if was != 0 {
				e.recordAlarm(v, c, StateOpen, &r.held)
			}
		case c.cleared == 0 && r.held.time != t: // else another position of this time has said it
			c.cleared = t
			if t-r.held.time > int64(s.Movement.RunGapS)*1000 {
				r.endAt(r.held.time)
			} else {
				r.endAt(t)
			}
			e.recordAlarm(v, c, StateClosed, &r.end)
		case c.cleared != 0 && !goesOn && !e.mayGrow(v, r):
			continue
		}
		kept = append(kept, *c)
	}
	sd.alarms = kept
}

// alarmFix counts a fix for everything that bits and assistance systems have found.
func alarmFix(e *Engine, m *moment) {
	v := m.v
	if v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	for i := range sd.alarms {
		if c := &sd.alarms[i]; c.reach.count(m.f, m.segment) {
			if c.cleared == 0 {
				e.recordAlarm(v, c, StateOpen, &c.reach.held)
			} else {
				e.recordAlarm(v, c, StateClosed, &c.reach.end)
			}
		}
	}
	e.tamperingFix(v, sd, m.f, m.segment)
	e.safetyFix(v, sd, m.f, m.segment)
}

func alarmEnd(e *Engine, v *vehicle, close bool) {
	sd := e.sides[v.side-1]
	for i := range sd.alarms {
		switch c := &sd.alarms[i]; {
		case c.cleared != 0:
		case close:
			e.recordAlarm(v, c, StateClosed, &c.reach.held, noteEndOfData)
		default:
			e.recordAlarm(v, c, StateOpen, &c.reach.held)
		}
	}
}

func (e *Engine) recordAlarm(v *vehicle, c *alarmCase, state State, at *tally, notes ...string) {
	if c.bit == bitOvercrowded {
		o := e.recordReach(v, KindOvercrowding, &c.reach, "4")
		o.Basis = []string{"overcrowding", "plan-shangdang-behavior"}
		e.finishReach(o, state, &c.reach, at, notes...)
		return
	}
	o := e.recordReach(v, KindTerminalAlarm, &c.reach, strconv.Itoa(int(c.bit)))
	o.Basis = []string{"jtt808-alarm"}
	o.Detail["alarm"] = map[string]any{"bit": int(c.bit), "name": alarmNames[c.bit]}
	e.finishReach(o, state, &c.reach, at, notes...)
}

func (e *Engine) writeAlarms(w *stateWriter, sd *side) {
	w.u32(uint32(len(sd.alarms)))
	for i := range sd.alarms {
		c := &sd.alarms[i]
		w.u8(c.bit)
		w.u64(uint64(c.cleared))
		e.writeReach(w, &c.reach)
	}
}

func (e *Engine) readAlarms(r *stateReader, sd *side) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := alarmCase{bit: r.u8(), cleared: int64(r.u64())}
		e.readReach(r, &c.reach)
		if c.bit > bitOvercrowded || (alarmBits|1<<bitOvercrowded)>>c.bit&1 == 0 {
			r.fail(errors.New("an alarm of an unknown bit"))
		}
		if r.err == nil {
			sd.alarms = append(sd.alarms, c)
		}
	}
}
