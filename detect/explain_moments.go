package detect

import "slices"

// The moments at which a rule decided: they are read off the records that it handed out, one after another, and what each came of.

// tellMoments adds the moments. Where the record was not found again, there are only those that it says itself.
func (x *explainer) tellMoments() {
	if !x.reproduced() {
		x.moment(x.start, "began", say("记录的开始时间", "the record's start"))
		if x.o.End != nil {
			x.moment(x.end, "closed", say("记录的结束时间", "the record's end"))
		}
		return
	}
	first := x.handed[0].cause.at(x)
	if x.start < first && x.handed[0].cause.what != causeClock {
		x.moment(x.start, "began", say("自此条件成立，尚待证实", "from here on the condition holds; it is not yet proved"))
	}
	state := State("")
	for i := range x.handed {
		h := &x.handed[i]
		at := h.cause.at(x)
		switch {
		case h.v.State == StateRetracted:
			x.moment(at, "retracted", join([]Text{say("撤销", "retracted"), x.noteWords(h)}, "：", ": "))
		case state == "" || state == StateRetracted:
			x.moment(at, "opened", x.opened(h))
			if h.v.State == StateClosed {
				x.moment(max(at, x.closedAt(h)), "closed", x.closed(h))
			}
		case h.v.State == StateOpen && state == StateClosed:
			x.moment(at, "extended", say("又起，与上次结束相隔不足并入时间，并入本记录", "begun again before the merge time had passed since its end: the same violation goes on"))
		case h.v.State == StateClosed && state == StateOpen:
			x.moment(x.closedAt(h), "closed", x.closed(h))
		case h.v.State == StateClosed && i > 0 && *h.v.End != *x.handed[i-1].v.End:
			x.moment(x.closedAt(h), "changed", say("结束时间更正为%s", "the end is now %s", *h.v.End))
		}
		state = h.v.State
	}
	slices.SortStableFunc(x.out.Moments, func(a, b Moment) int { return int(max(min(int64(a.Time-b.Time), 1), -1)) })
}

func (x *explainer) moment(at int64, what string, t Text) {
	x.out.Moments = append(x.out.Moments, Moment{Time(at), what, t})
	x.decides(at)
}

// at is when a record came out: the fix, event or clock that it came of; at the end of the data the last time that it knows.
func (c cause) at(x *explainer) int64 {
	switch {
	case c.what == causeEnd:
		return x.end
	case c.what == causeClock && x.words.due != nil: // the clock may have gone far beyond it at once
		return x.words.due(x)
	}
	return c.time
}

// closedAt is the end of a record.
func (x *explainer) closedAt(h *handedOut) int64 {
	if h.v.End == nil {
		return x.end
	}
	return int64(*h.v.End)
}

func (x *explainer) opened(h *handedOut) Text {
	if x.words.opened != nil {
		return x.words.opened(x, h)
	}
	return say("条件已成立，予以认定", "the condition is met: the violation opens")
}

// closed says why a violation ended: by a note, because nothing is known any more, or as its kind says.
func (x *explainer) closed(h *handedOut) Text {
	for _, n := range h.v.Notes {
		switch n {
		case noteEndOfData, noteFenceRemoved, noteRouteRemoved, noteLatePaper:
			return noteText(n)
		}
	}
	end := x.closedAt(h)
	if x.words.closed == nil {
		return say("即时成立，当场结束", "it is over at once")
	}
	if next := x.fixAfter(end); next != nil && x.fixAt(end) != nil {
		gap := x.time(next) - end
		switch {
		case next.is(traceBroken):
			return say("其后的定位点不能与之相连（位置跳变，经连续核实后采信），以最后一个成立的定位点为结束", "the fixes after it can't be joined to it (jumps that were believed): it ends at the last fix at which it held")
		case gap > int64(x.s.Settings.Movement.RunGapS)*1000 && h.cause.what == causeFix && h.cause.time == x.time(next):
			return say("其后%s无定位点，以最后一个成立的定位点为结束", "no fix followed for %s: it ends at the last fix at which it held", sayDuration(gap))
		}
	}
	return x.words.closed(x, h)
}

// noteWords are the notes of a record in words.
func (x *explainer) noteWords(h *handedOut) Text {
	var list []Text
	for _, n := range h.v.Notes {
		list = append(list, noteText(n))
	}
	if len(list) == 0 {
		return say("条件不再成立", "the condition no longer holds")
	}
	return join(list, "；", "; ")
}

// notes in words.
var noteTexts = map[string]Text{
	noteEndOfData:        {"数据到此为止，据此结束，并非行为终止", "closed because the data end here, not because it ended"},
	noteFenceRemoved:     {"所依据的围栏已从基础数据中删除，以最后一个成立的定位点为结束", "its fence is no longer in the reference data: it ends at the last fix at which it held"},
	noteRouteRemoved:     {"所依据的线路已从基础数据中删除，以最后一个成立的定位点为结束", "its route is no longer in the reference data: it ends at the last fix at which it held"},
	noteLatePaper:        {"后来得知的有效证件（许可、备案或运单）允许该行为", "a valid paper (permit, filing or waybill) that became known later allows it"},
	noteSwitchedOff:      {"现行规则不再认定此类行为，以最后一个成立的定位点为结束", "the rules in force no longer look for it: it ends at the last fix at which it held"},
	NoteJointly:          {"另有其他车辆在场（由另一检测分区掌握），经一并判定后更正或撤销", "others were there, of whom another engine knows: it was corrected or taken back when all were judged together"},
	NoteLateData:         {"有数据迟到，经重新判定而得出、更正或撤销", "data came late: it was found, corrected or taken back when the vehicle was judged again"},
	noteSuperseded:       {"实际开始于另一时刻，由 detail.superseded_by 所指记录取代", "it began at another time: the record that detail.superseded_by names stands instead"},
	noteGapAssumedRest:   {"结束它的休息中有一段没有定位点，按规则视为静止，有利于驾驶人", "the rest that ended it is, in part, a time without fixes; the rule takes it for standing, for the driver's benefit"},
	noteCardChangeMoving: {"行驶中插入了另一张驾驶员卡，换人自下次停车起计", "another driver's card was put in while moving; the change counts from the next stop on"},
	noteHeard:            {"该时段内的位置后来补传到达，证明终端并未失联", "positions of that time came later and show that the terminal was not silent"},
	noteNear:             {"下一个定位点距离太近，不足以认定行驶中失联", "the next fix is too near for a vehicle that was on its way"},
	noteStop:             {"最后一个定位点属于停车中的孤立漂移点", "the last fix belongs to a stop"},
	noteStationAtFault:   {"同一站点短时间内与多辆车矛盾，系站点位置或时钟有误", "too many vehicles contradict this station within a short time: its place or clock is wrong"},
	noteWeighed:          {"后来到达该车在该站的称重记录", "a weigh record of the plate at that station came later"},
	noteUnread:           {"后来到达该站一条未识别车牌的记录，可能即为该车", "a weigh record of that station came later whose plate could not be read: it may be this vehicle's"},
	noteFixAgrees:        {"后来的定位点与称重记录相符", "a fix that came later agrees with the weighing"},
	noteSameTime:         {"同一时刻的另一条位置报告否定了它", "another position of the same time disproves it"},
}

// noteText returns a note in words; one that this version does not know is shown as it is.
func noteText(code string) Text {
	if t, ok := noteTexts[code]; ok {
		return t
	}
	return Text{code, code}
}
