package detect

import (
	"math"
	"slices"

	"lushao/ingest"
)

// DrivingExplained is a part of what a driver has driven, or of what was between.
type DrivingExplained struct {
	// What is driving, stop (shorter than a rest) or rest.
	What     string `json:"what"`
	From     Time   `json:"from"`
	To       Time   `json:"to"`
	DrivingS int64  `json:"driving_s"` // within; short stops that are not shown do not count
	NightS   int64  `json:"night_s,omitempty"`
	Vehicle  string `json:"vehicle,omitempty"` // plate/color, where it is another one
	// AssumedS is, of driving, the least that a gap without fixes allows; of a stop or rest, the time without fixes that is taken for it.
	AssumedS int64 `json:"assumed_s,omitempty"`
	Text     Text  `json:"text"`
}

// maxDriving bounds the parts that are shown: shorter stops are not shown where there are more.
const maxDriving = 120

func drivingRule(x *explainer) []Text {
	d := &x.s.Settings.Driving
	return []Text{
		say("驾驶时间按驾驶员计：车内最后插入的驾驶员卡为驾驶员；未插卡的按车辆计。连续静止%s及以上为一次休息；较短的停车既不计驾驶也不中断连续驾驶。",
			"Driving time is the driver's: who put in the last card, or the vehicle before any. A rest is %s or more of standing in one piece; shorter stops neither count as driving nor end the stretch.", inSeconds(d.RestS)),
		say("相邻定位点相隔%s以内的，两点均行驶计为驾驶，一行一停各半。相隔更久的，只按直线距离以%s计最少驾驶，其余视为静止；其中足够一次休息的，不计驾驶。",
			"Between fixes at most %s apart driving counts where both move, half of it where one does. Of a longer gap only the straight distance at %s is driving and the rest is standing; one that holds a rest adds no driving.",
			inSeconds(d.GapS), sayKmh(d.GapSpeed)),
	}
}

func fatigueRule(first func(x *explainer) Text) func(x *explainer) []Text {
	return func(x *explainer) []Text { return append([]Text{first(x)}, drivingRule(x)...) }
}

var (
	fatigueContinuousWords = kindWords{
		name: Text{"连续驾驶超时", "driving too long without a rest"},
		rule: fatigueRule(func(x *explainer) Text {
			return say("自上次休息以来的驾驶时间合计超过%s，即为连续驾驶超时；至休息或换人时结束。", "The driver has driven for more than %s since his last rest; it ends with a rest or a change of drivers.", inSeconds(x.s.Settings.FatigueContinuous.LimitS))
		}),
		facts: stretchFacts, opened: stretchOpened, closed: fatigueClosed,
	}
	fatigueNightWords = kindWords{
		name: Text{"夜间连续驾驶超时", "driving too long at night without a rest"},
		rule: fatigueRule(func(x *explainer) Text {
			return say("客车在同一夜间（%s）内、自上次休息以来的驾驶时间合计超过%s，即为夜间连续驾驶超时；至休息、换人或夜间结束时结束。",
				"A coach's driver has driven for more than %[2]s since his last rest within one night (%[1]s); it ends with a rest, a change of drivers or the night.", x.s.night, inSeconds(x.s.Settings.FatigueNight.LimitS))
		}),
		facts: stretchFacts, opened: stretchOpened, closed: fatigueClosed,
	}
	fatigueSevereWords = kindWords{
		name: Text{"严重疲劳驾驶", "severe fatigue"},
		rule: fatigueRule(func(x *explainer) Text {
			s := &x.s.Settings.FatigueSevere
			return say("重型货车驾驶员连续驾驶超过%s，或者在连续驾驶超时认定后%s以内再次连续驾驶超时，即为严重疲劳驾驶（本地口径）。",
				"A heavy truck's driver has driven for more than %s without a rest, or has driven too long without a rest again within %s after the first time (a local definition).", inSeconds(s.LimitS), inSeconds(s.RepeatedS))
		}),
		facts: func(x *explainer) {
			stretchFacts(x)
			if x.detail("cause") == fatigueRepeated.cause() {
				x.earlierFatigue()
			}
		},
		opened: stretchOpened, closed: fatigueClosed,
	}
	fatigueDailyWords = kindWords{
		name: Text{"24小时累计驾驶超时", "driving too much in 24 hours"},
		rule: fatigueRule(func(x *explainer) Text {
			s := &x.s.Settings.FatigueDaily
			return say("客车驾驶员在任意%s内累计驾驶超过%s，即为累计驾驶超时；以合计仍超过时的最后一个行驶定位点为结束。",
				"A coach's driver has driven for more than %[2]s in a rolling %[1]s; it ends with the last driving fix while the sum is over.", inSeconds(s.WindowS), inSeconds(s.LimitS))
		}),
		facts: sumFacts, opened: sumOpened, closed: fatigueClosed,
	}
	fatigueWeeklyWords = kindWords{
		name: Text{"7日累计驾驶超时", "driving too much in 7 days"},
		rule: fatigueRule(func(x *explainer) Text {
			s := &x.s.Settings.FatigueWeekly
			return say("客车驾驶员在任意%s内累计驾驶超过%s，即为累计驾驶超时；以合计仍超过时的最后一个行驶定位点为结束。",
				"A coach's driver has driven for more than %[2]s in a rolling %[1]s; it ends with the last driving fix while the sum is over.", inSeconds(s.WindowS), inSeconds(s.LimitS))
		}),
		facts: sumFacts, opened: sumOpened, closed: fatigueClosed,
	}
)

// driver returns the driver of the record, as driving is kept by.
func (x *explainer) driver() drivenBy {
	if x.o.Driver != nil {
		return byWhom(x.e.drivers.find(*x.o.Driver), x.id)
	}
	// A vehicle that is in no register has a driver all the same; the record does not name him.
	who := byWhom(0, x.id)
	for i := x.t.firstAt(x.tr.list, x.start+1) - 1; i >= 0 && x.s.register[x.id] == nil; i-- {
		if ev := x.event(&x.tr.list[i]); ev.Kind == ingest.KindDriverCard && ev.Driver.On && ev.Driver.Result == 0 {
			return byWhom(x.e.drivers.find(Driver{License: ev.Driver.License, Name: ev.Driver.Name}), x.id)
		}
	}
	return who
}

// driven returns what the driver has driven in a time, cut to it.
func (x *explainer) driven(from, to int64) (out []drivenTrace) {
	for _, p := range x.t.driven[x.driver()] {
		if p.from, p.to = max(p.from, from), min(p.to, to); p.from < p.to {
			out = append(out, p)
		}
	}
	return out
}

func drivenSum(list []drivenTrace) (ms int64) {
	for _, p := range list {
		ms += p.to - p.from
	}
	return ms
}

// stretchFacts tells how a stretch adds up.
func stretchFacts(x *explainer) {
	x.limit("setting", "%s（规则设定）", "%s (set by the rules)", amount(x.o.Limit, x.o.Unit))
	from := x.instant("stretch_start")
	list := x.driven(from, x.end)
	x.tellDriving(list)
	sum := drivenSum(list)
	if x.o.Kind == KindFatigueNight {
		x.fact("自%s起的连续驾驶合计%s，其中夜间（%s）%s", "the stretch began at %s: %s driven, %[4]s of it at night (%[3]s)", Time(from), sayDuration(sum), x.s.night, amount(x.o.Measured, x.o.Unit))
	} else {
		x.fact("自%s起的连续驾驶合计%s（%s）", "the stretch began at %s: %s driven (%s)", Time(from), sayDuration(sum), amount(x.o.Measured, x.o.Unit))
	}
	if n := int64(x.number("stops")); n > 0 {
		x.fact("其间停车%s次，每次均不足%s，不构成休息，也不计入驾驶时间", "stops in it: %s, each shorter than %s: no rest, and not counted as driving", n, inSeconds(x.s.Settings.Driving.RestS))
	}
	if n := int64(x.number("gaps_assumed")); n > 0 {
		x.fact("其间有%s处超过%s无定位点，除最少驾驶外均视为静止，有利于驾驶人", "times without a fix for more than %[2]s: %[1]s; all but the least driving is taken for standing, for the driver's benefit", n, inSeconds(x.s.Settings.Driving.GapS))
	}
	if before := x.number("rest_before_s"); before > 0 {
		x.fact("此前有%s未驾驶", "before it he had not driven for %s", sayDuration(before*1000))
	} else {
		x.fact("此前是否休息，数据中不可知", "whether he had rested before it the data do not tell")
	}
}

// earlierFatigue names the first of two times.
func (x *explainer) earlierFatigue() {
	for i := len(x.t.ids) - 1; i >= 0; i-- {
		h := x.t.handed[x.t.ids[i]]
		v := &h[len(h)-1].v
		if v.Kind != KindFatigueContinuous || int64(v.Start) >= x.start || !sameDriver(v, x.o) {
			continue
		}
		if since := x.start - int64(v.Start); since <= x.s.driving.repeated {
			x.fact("前一次连续驾驶超时（记录%s）于%s认定，与本次相隔%s，不超过%s", "the first time (%s) opened at %s, %s before this one: not more than %s", v.ID, v.Start, sayDuration(since), sayDuration(x.s.driving.repeated))
			return
		}
	}
}

func sameDriver(a, b *Violation) bool {
	if a.Driver == nil || b.Driver == nil {
		return a.Driver == b.Driver && a.Plate == b.Plate && a.Color == b.Color
	}
	return *a.Driver == *b.Driver
}

func stretchOpened(x *explainer, h *handedOut) Text {
	list := x.driven(x.instant("stretch_start"), h.cause.time)
	sum := drivenSum(list)
	if x.o.Kind == KindFatigueNight {
		from, to := x.s.night.around(h.cause.time)
		sum = 0
		for _, p := range list {
			sum += max(0, min(p.to, to)-max(p.from, from))
		}
	}
	return say("至此定位点已驾驶%s，超过%s", "%s driven at this fix: more than %s", sayDuration(sum), amount(x.o.Limit, x.o.Unit))
}

func fatigueClosed(x *explainer, h *handedOut) Text {
	end := x.closedAt(h)
	f := x.fixAt(end)
	_, nightEnd := x.s.night.around(x.start)
	switch {
	case x.o.Kind == KindFatigueDaily || x.o.Kind == KindFatigueWeekly:
		return say("此后在窗口内的合计降到限值以内，以合计仍超过时的最后一个行驶定位点为结束", "after it the sum fell to the limit: this is the last driving fix while it was over")
	case x.o.Kind == KindFatigueNight && end == nightEnd:
		return say("夜间时段结束", "the night ended")
	case f != nil && f.is(traceStopped):
		return say("停车休息%s及以上，以停车的第一个定位点为结束", "a rest of %s or more: it ends at the first stopped fix", inSeconds(x.s.Settings.Driving.RestS))
	case f == nil:
		return say("驾驶员更换", "the driver changed")
	}
	return say("其后休息，或换人，以最后一个成立的定位点为结束", "a rest or a change of drivers followed: it ends at the last fix at which it held")
}

// sumFacts tells how a rolling sum adds up where it was greatest.
func sumFacts(x *explainer) {
	x.limit("setting", "任意%s内%s（规则设定）", "%[2]s in a rolling %[1]s (set by the rules)", sayDuration(x.number("window_s")*1000), amount(x.o.Limit, x.o.Unit))
	at, sum := x.greatestSum()
	from := at - int64(x.number("window_s"))*1000
	x.tellDriving(x.driven(from, at))
	x.fact("合计最大处：自%s至%s累计驾驶%s（%s），其间休息%s次", "where the sum was greatest, from %s to %s, %s were driven (%s), with %s rests", Time(from), Time(at), sayDuration(sum), amount(x.o.Measured, x.o.Unit), int64(x.number("rests")))
	if x.driver().driver == 0 {
		x.fact("未插驾驶员卡，按车辆合计", "no card was put in: the sum is the vehicle's")
	}
}

// greatestSum returns the end of the window in which most was driven while the violation went on, and how much.
func (x *explainer) greatestSum() (at, sum int64) {
	window := int64(x.number("window_s")) * 1000
	ask := []int64{x.start, x.end}
	if next := x.fixAfter(x.end); next != nil { // half of the way to a stop is driving too
		ask = append(ask, x.time(next))
	}
	for _, f := range x.fixes(x.start, x.end) {
		ask = append(ask, x.time(f))
	}
	slices.Sort(ask)
	for _, t := range slices.Compact(ask) {
		if s := drivenSum(x.driven(t-window, t)); s > sum {
			at, sum = t, s
		}
	}
	if at == 0 {
		at = x.end
	}
	return at, sum
}

func sumOpened(x *explainer, h *handedOut) Text {
	window := int64(x.number("window_s")) * 1000
	return say("至此定位点，%s内已驾驶%s，超过%s", "%[2]s driven in the %[1]s up to this fix: more than %[3]s", sayDuration(window),
		sayDuration(drivenSum(x.driven(h.cause.time-window, h.cause.time))), amount(x.o.Limit, x.o.Unit))
}

// tellDriving lists driving and what is between.
func (x *explainer) tellDriving(list []drivenTrace) {
	rest := x.s.driving.rest
	for _, least := range [...]int64{0, minuteMs, 2 * minuteMs, 5 * minuteMs, 10 * minuteMs, rest, 4 * rest, math.MaxInt64} {
		out := x.drivingParts(list, least)
		if len(out) <= maxDriving || least == math.MaxInt64 {
			x.out.Driving = out
			return
		}
	}
}

// drivingParts joins driving with stops between of less than least.
func (x *explainer) drivingParts(list []drivenTrace, least int64) (out []DrivingExplained) {
	for i := 0; i < len(list); {
		from, j := list[i], i
		for j+1 < len(list) && list[j+1].vehicle == from.vehicle && list[j+1].from-list[j].to < max(least, 1) {
			j++
		}
		if i > 0 {
			out = append(out, x.drivingBreak(list[i-1].to, from.from))
		}
		part := DrivingExplained{What: "driving", From: Time(from.from), To: Time(list[j].to)}
		if from.vehicle != x.id {
			part.Vehicle = from.vehicle.String()
		}
		var driven, night, assumed int64
		for ; i <= j; i++ {
			p := list[i]
			driven += p.to - p.from
			night += x.s.night.within(p.from, p.to)
			if p.assumed {
				assumed += p.to - p.from
			}
		}
		part.DrivingS, part.NightS, part.AssumedS = seconds(driven), seconds(night), seconds(assumed)
		words := []Text{say("驾驶%s", "%s driven", sayDuration(driven))}
		if stood := int64(part.To-part.From) - driven; stood >= 1000 {
			words = append(words, say("其间短暂停车%s，不计", "short stops of %s between, not counted", sayDuration(stood)))
		}
		if night > 0 {
			words = append(words, say("其中夜间%s", "%s of it at night", sayDuration(night)))
		}
		if assumed > 0 {
			words = append(words, say("其中%s为无定位点期间按距离推算的最少驾驶", "%s of it is the least driving of times without fixes", sayDuration(assumed)))
		}
		if part.Vehicle != "" {
			words = append(words, say("驾驶另一车辆%s", "in another vehicle, %s", part.Vehicle))
		}
		part.Text = join(words, "，", ", ")
		out = append(out, part)
	}
	return out
}

// drivingBreak is what is between two parts of driving.
func (x *explainer) drivingBreak(from, to int64) DrivingExplained {
	out := DrivingExplained{What: "stop", From: Time(from), To: Time(to)}
	unheard := x.unheard(from, to)
	out.AssumedS = seconds(unheard)
	words := []Text{}
	if to-from >= x.s.driving.rest {
		out.What = "rest"
		words = append(words, say("未驾驶%s，构成休息", "%s without driving: a rest", sayDuration(to-from)))
	} else {
		words = append(words, say("停车%s，不足%s，不构成休息", "a stop of %s, shorter than %s: no rest", sayDuration(to-from), sayDuration(x.s.driving.rest)))
	}
	if unheard > 0 {
		words = append(words, say("其中%s无定位点，视为静止", "%s of it without fixes, taken for standing", sayDuration(unheard)))
	}
	out.Text = join(words, "，", ", ")
	return out
}

// unheard returns for how long within a time the vehicle had no fix, where that was longer than a gap.
func (x *explainer) unheard(from, to int64) (ms int64) {
	at := x.fixBefore(from + 1)
	for at != nil && x.time(at) < to {
		next := x.fixAfter(x.time(at))
		if next == nil {
			break
		}
		if x.time(next)-x.time(at) > x.s.driving.gap {
			ms += min(x.time(next), to) - max(x.time(at), from)
		}
		at = next
	}
	return ms
}

// within returns how much of a time lies in the daily window.
func (h hours) within(from, to int64) (ms int64) {
	for t := from; t < to; {
		a, b := h.around(t)
		ms += max(0, min(b, to)-max(a, from))
		t = b
	}
	return ms
}

var nightDrivingWords = kindWords{
	name: Text{"凌晨2至5时违规运行", "driving in the hours in which coaches must stand"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.NightDriving
		return []Text{say("客车在禁行时段（%s）内以%s及以上行驶，持续%s及以上，且未豁免、不在接驳区域、无有效接驳许可，即为违规运行。不足%s的停车不中断尚未认定的持续时间；停车%s及以上结束。",
			"A coach drives at %[2]s or more within the hours in which its class must stand (%[1]s), for %[3]s or more; it is not exempt, in no relay area, and has no valid relay permit. Stops under %[4]s do not break it; one of %[5]s ends it.",
			x.nightHours(), sayKmh(s.Speed), inSeconds(s.SustainedS), inSeconds(s.LightS), inSeconds(s.StopS))}
	},
	facts: func(x *explainer) {
		x.limit("setting", "该时段内不得运行", "it must not drive at all within these hours")
		stood := int64(x.number("stopped_s")) * 1000
		x.fact("自%s至%s共%s，扣除停车%s，运行%s", "from %s to %s are %s; less stops of %s it drove for %s", Time(x.start), Time(x.end), sayDuration(x.end-x.start), sayDuration(stood), sayDuration(x.end-x.start-stood))
		if r := x.s.register[x.id]; r != nil && !r.NightExempt {
			x.fact("登记资料中该车未豁免", "the register does not exempt it")
		}
		x.papers(PermitRelay)
	},
	opened: func(x *explainer, h *handedOut) Text {
		return say("自%s起以%s及以上行驶，已持续%s，达到%s", "at %[2]s or more since %[1]s, for %[3]s: at least %[4]s", Time(x.start), sayKmh(x.s.Settings.NightDriving.Speed),
			sayDuration(h.cause.time-x.start), inSeconds(x.s.Settings.NightDriving.SustainedS))
	},
	closed: func(x *explainer, h *handedOut) Text {
		f := x.fixAt(x.closedAt(h))
		_, until := x.s.resting.windows[x.v.class].hours.around(x.start)
		switch {
		case x.closedAt(h) == until:
			return say("禁行时段结束", "the hours ended")
		case f == nil:
			return say("接驳许可生效", "a relay permit became valid")
		case f.is(traceStopped):
			return say("停车%s及以上，以停车的第一个定位点为结束", "it stopped for %s or more: it ends at the first stopped fix", inSeconds(x.s.Settings.NightDriving.StopS))
		}
		for _, n := range x.s.index.Lookup(f.place, nil) {
			if fc := &x.s.fences[n]; fc.Kind == FenceRelay && fc.applies(x.e, x.v) {
				return say("进入接驳区域%s", "it entered relay area %s", named(fc.ID, fc.Name))
			}
		}
		return say("以最后一个成立的定位点为结束", "it ends at the last fix at which it held")
	},
}

// nightHours are the hours in which the vehicle's class must stand.
func (x *explainer) nightHours() Text {
	w := &x.s.resting.windows[x.v.class]
	if !w.judged {
		return say("该车型无", "none for this class")
	}
	s := w.hours.String()
	return Text{s, s}
}

// papers lists the vehicle's permits of a kind, or says that there are none.
func (x *explainer) papers(kind PermitKind) {
	words := map[PermitKind]Text{PermitRelay: {"接驳许可", "relay permit"}, PermitCharter: {"包车许可", "charter permit"}, PermitOversize: {"超限运输许可", "oversize permit"}}[kind]
	found := false
	for _, p := range x.s.permits[x.id] {
		if p.Kind == kind {
			found = true
			x.fact("%s%s，有效期%s", "%s %s, valid %s", words, p.Number, validity(p.Start, p.End))
		}
	}
	if !found {
		x.fact("无%s", "it has no %s", words)
	}
}

// validity writes [start, end); 0 is open.
func validity(start, end int64) Text {
	switch {
	case start == 0 && end == 0:
		return say("不限", "without bounds")
	case end == 0:
		return say("自%s起", "from %s", Time(start))
	case start == 0:
		return say("至%s止", "until %s", Time(end))
	}
	return say("自%s至%s止", "from %s until %s", Time(start), Time(end))
}
