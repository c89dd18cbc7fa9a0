package detect

import "slices"

// noteSwitchedOff: closed because the rules in force no longer look for its kind; in a shadow, because that does not record it any
// more, or is gone.
const noteSwitchedOff = "switched_off"

// closeSwitchedOff closes what is open of kinds that are no longer looked for, at the last fix at which it held. was are the kinds
// that were recorded until now; nil: all.
func (e *Engine) closeSwitchedOff(v *vehicle, sd *side, was map[Kind]bool) {
	recorded := func(k Kind) bool { return was == nil || was[k] }
	off := func(k Kind) bool {
		return !e.snap.enabled[k] || e.whole.records != nil && recorded(k) && !e.whole.records[k]
	}
	e.closing = true
	defer func() { e.closing = false }()
	sd.speeding = slices.DeleteFunc(sd.speeding, func(c speedCase) bool {
		if off(KindSpeeding) && c.phase == speedOpen && recorded(KindSpeeding) {
			e.emitSpeeding(v, &c, StateClosed, c.span.held, noteSwitchedOff)
		}
		return off(KindSpeeding)
	})
	for i := range sd.fences { // the stay goes on: it may be a visit
		c := &sd.fences[i]
		fc := &e.snap.fences[c.fence]
		if k := kindInside(fc.Kind); off(k) && c.opened && !c.over {
			if c.over = true; recorded(k) {
				fc.inside.record(e, v, c, fc, fc.ID, StateClosed, c.span.held, []string{noteSwitchedOff})
			}
		}
	}
	sd.outside = slices.DeleteFunc(sd.outside, func(c outsideCase) bool {
		if off(c.kind) && c.phase != outsideCandidate && recorded(c.kind) {
			e.recordOutside(v, &c, StateClosed, c.span.held, noteSwitchedOff)
		}
		return off(c.kind)
	})
	sd.stops = slices.DeleteFunc(sd.stops, func(c stopCase) bool {
		if off(KindFenceStop) && recorded(KindFenceStop) {
			e.endStop(v, &c, c.span.held, noteSwitchedOff)
		}
		return off(KindFenceStop)
	})
	sd.sections = slices.DeleteFunc(sd.sections, func(sectionCase) bool { return off(KindSectionSpeeding) })
	sd.fatigue = slices.DeleteFunc(sd.fatigue, func(c fatigueCase) bool {
		k := fatigueNames[c.kind]
		if off(k) && recorded(k) {
			e.recordFatigue(v, &c, StateClosed, c.span.held, noteSwitchedOff)
		}
		return off(k)
	})
	sd.nights = slices.DeleteFunc(sd.nights, func(c nightRun) bool {
		if off(KindNightDriving) && recorded(KindNightDriving) {
			e.endNight(v, &c, c.span.held, noteSwitchedOff)
		}
		return off(KindNightDriving)
	})
	sd.bills = slices.DeleteFunc(sd.bills, func(c billCase) bool {
		if off(KindNoWaybill) && c.open && recorded(KindNoWaybill) {
			e.recordNoWaybill(v, &c, StateClosed, c.span.held, noteSwitchedOff)
		}
		return off(KindNoWaybill)
	})
	sd.dark = slices.DeleteFunc(sd.dark, func(c darkCase) bool {
		if off(KindGoneDark) && c.told && c.end == 0 && recorded(KindGoneDark) {
			e.recordDark(v, &c, StateClosed, noteSwitchedOff)
		}
		return off(KindGoneDark)
	})
	sd.offline = slices.DeleteFunc(sd.offline, func(offlineCase) bool { return off(KindOfflineDisplacement) })
	sd.frozen = slices.DeleteFunc(sd.frozen, func(c frozenCase) bool {
		if off(KindFrozenPosition) && c.opened && recorded(KindFrozenPosition) {
			e.recordFrozen(v, &c, StateClosed, c.span.held, noteSwitchedOff)
		}
		return off(KindFrozenPosition)
	})
	// What was told of weighings is closed already; positions that come late may still disprove it.
	sd.unmonitored = slices.DeleteFunc(sd.unmonitored, func(c unmonitoredCase) bool { return off(KindUnmonitoredRunning) && !c.told })
	if off(KindWeighEvasion) {
		sd.approaches = sd.approaches[:0]
		sd.evasions = slices.DeleteFunc(sd.evasions, func(c evasionCase) bool { return !c.told })
	}
	sd.alarms = slices.DeleteFunc(sd.alarms, func(c alarmCase) bool {
		k := KindTerminalAlarm
		if c.bit == bitOvercrowded {
			k = KindOvercrowding
		}
		if off(k) && c.cleared == 0 && recorded(k) {
			e.recordAlarm(v, &c, StateClosed, &c.reach.held, noteSwitchedOff)
		}
		return off(k)
	})
	sd.tampering = slices.DeleteFunc(sd.tampering, func(c tamperCase) bool {
		if off(KindTampering) && c.told == StateOpen && recorded(KindTampering) {
			e.recordTampering(v, &c, StateClosed, &c.reach.held, noteSwitchedOff)
		}
		return off(KindTampering)
	})
	sd.safety = slices.DeleteFunc(sd.safety, func(c safetyCase) bool {
		k := safetyWords[c.word].kind
		if off(k) && c.phase == safetyRunning && recorded(k) {
			e.recordSafety(v, &c, StateClosed, &c.reach.held, noteSwitchedOff)
		}
		return off(k)
	})
}

// kindInside is the kind of violation that being inside of a kind of fence makes.
func kindInside(k FenceKind) Kind {
	switch k {
	case FenceForbidden:
		return KindFenceEntry
	case FenceMaxStay:
		return KindFenceStay
	}
	return KindUnfiledEntry
}
