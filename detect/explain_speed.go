package detect

import (
	"math"

	"lushao/geo"
)

var speedingWords = kindWords{
	name: Text{"超速驾驶", "speeding"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.Speeding
		return []Text{
			say("车速超过有效限速，在连续两个及以上定位点上均成立，首尾相隔%s及以上，相邻两点相隔不超过%s，即为超速；允许误差为0。",
				"Speeding is a speed over the effective limit at every one of two or more fixes in a row, first to last %s apart or more, none more than %s from the next. The tolerance is 0.",
				inSeconds(s.SustainedS), inSeconds(x.s.Settings.Movement.RunGapS)),
			say("有效限速取围栏限速、车辆核定限速、车型限速（客车夜间为日间限速的%s）中的最小值；相等时依此顺序取其来源。",
				"The effective limit is the least of those of fences, of the vehicle, of its class, and of coaches at night (%s of the day limit); of equal ones the first in this order.", sayPct(s.CoachNight)),
			say("结束后%s内以同一限速、来源和围栏再次超速的，并入同一条记录。比%s内前后两点都高出%s以上的孤立速度不采信。",
				"A run of the same limit, source and fence that begins less than %s after the end extends it. A speed that is higher than both neighbours' within %s by more than %s is not believed.",
				inSeconds(s.MergeS), inSeconds(s.SpikeWindowS), sayKmh(s.Spike)),
		}
	},
	facts: func(x *explainer) {
		x.speedLimits()
		limit := uint32(math.Round(known(x.o.Limit) * 100))
		over, top, last := 0, (*traced)(nil), x.end
		if end := x.fixAt(x.end); end != nil && x.o.End != nil && x.limitAt(end).limit != limit {
			last-- // what ended it was another limit
		}
		for _, f := range x.fixes(x.start, last) {
			if f.is(traceSpike) || !speedKnown(x.speed(f)) || uint32(x.speed(f))*10 <= limit {
				continue
			}
			over++
			if top == nil || x.speed(f) > x.speed(top) {
				top = f
			}
		}
		if top != nil {
			x.decides(x.time(top))
			x.fact("最高车速%s，出现于%s；其间%s个定位点超过限速", "the top speed was %s, at %s; %s fixes were over the limit", tenthsKmh(x.speed(top)), Time(x.time(top)), over)
		}
		if x.o.OverPct != nil {
			x.fact("超速比例：（%s－%s）÷%[2]s＝%[3]s（取一位小数），档次%[4]s", "over by (%s − %s) ÷ %[2]s = %[3]s (to one decimal), band %[4]s", sayKmh(known(x.o.Measured)), sayKmh(known(x.o.Limit)), sayPct(known(x.o.OverPct)), known(x.o.Band))
		}
	},
	opened: func(x *explainer, h *handedOut) Text {
		n, first, last := 0, int64(0), int64(0)
		for _, f := range x.fixes(x.start, h.cause.time) {
			if f.is(traceSpike) || !speedKnown(x.speed(f)) {
				continue
			}
			if n == 0 {
				first = x.time(f)
			}
			n, last = n+1, x.time(f)
		}
		return say("连续%s个定位点车速均超过%s，首尾相隔%s，达到%s", "%s fixes in a row over %s, %s apart: at least %s",
			n, sayKmh(known(h.v.Limit)), sayDuration(last-first), inSeconds(x.s.Settings.Speeding.SustainedS))
	},
	closed: func(x *explainer, h *handedOut) Text {
		f := x.fixAt(x.closedAt(h))
		switch {
		case f == nil || !speedKnown(x.speed(f)):
		case float64(x.speed(f))/10 <= known(h.v.Limit):
			return say("车速%s，不再超过%s", "%s: no longer over %s", tenthsKmh(x.speed(f)), sayKmh(known(h.v.Limit)))
		default:
			if now := x.limitAt(f); now.source != limitNone {
				return say("适用的限速变为%s（%s）", "another limit applies: %s (%s)", sayKmh(float64(now.limit)/100), x.limitWords(appliedLimit(now), f))
			}
			return say("此处不再有限速", "no limit applies here any more")
		}
		return say("超速不再成立", "it no longer holds")
	},
}

// limitAt asks the engine for the effective limit at a fix. What applied stands in x.t.limits.
func (x *explainer) limitAt(f *traced) speedLimit {
	as := fixOf(x.event(f))
	x.t.limits = x.t.limits[:0]
	return x.e.effectiveLimit(&moment{v: x.v, f: &as, hits: x.s.index.Lookup(f.place, nil)})
}

// speedLimits lists the limits that applied when it opened, and says which is the least.
func (x *explainer) speedLimits() {
	source := ""
	if x.o.LimitSource != nil {
		source = *x.o.LimitSource
	}
	f := x.fixAt(x.start)
	if f == nil {
		x.limit(source, "限速%s（来源见记录）", "the limit is %s (its source stands in the record)", amount(x.o.Limit, x.o.Unit))
		return
	}
	least := x.limitAt(f)
	x.limit(source, "有效限速%s：%s", "the effective limit is %s: %s", sayKmh(float64(least.limit)/100), x.limitWords(appliedLimit(least), f))
	for _, a := range x.t.limits {
		x.out.Limit.Applied = append(x.out.Limit.Applied, LimitApplied{Value: float64(a.limit) / 100, Source: a.source.String(), Fence: x.s.fenceID(a.fence),
			Counts: a == appliedLimit(least), Text: x.limitWords(a, f)})
	}
}

// limitWords says where a limit comes from.
func (x *explainer) limitWords(a appliedLimit, f *traced) Text {
	switch a.source {
	case limitFence:
		fc := &x.s.fences[a.fence]
		if x.s.night.contains(x.time(f)) && fc.nightCap != 0 {
			return say("限速区域%s的夜间限速（%s）", "night limit (%[2]s) of speed zone %[1]s", named(fc.ID, fc.Name), x.s.night)
		}
		return say("限速区域%s的限速", "limit of speed zone %s", named(fc.ID, fc.Name))
	case limitVehicle:
		return say("车辆登记的限速", "limit of this vehicle in the register")
	case limitClassCap:
		if x.v.class == ClassHazmat {
			return x.hazmatRoad(f)
		}
		return say("%s的限速", "limit of the class: %s", classWords[x.v.class])
	case limitNight:
		return say("客车夜间（%s）为日间限速的%s", "coaches at night (%s): %s of the day limit", x.s.night, sayPct(x.s.Settings.Speeding.CoachNight))
	}
	return say("无限速", "no limit")
}

// hazmatRoad says by which road a vehicle with dangerous goods is judged.
func (x *explainer) hazmatRoad(f *traced) Text {
	for _, road := range [...]Road{RoadExpressway, RoadOther} {
		for _, n := range x.s.index.Lookup(f.place, nil) {
			switch fc := &x.s.fences[n]; {
			case fc.Road != road:
			case road == RoadExpressway:
				return say("危险货物运输车辆在高速公路上的限速（道路依围栏%s）", "limit of vehicles with dangerous goods on expressways (the road by fence %s)", named(fc.ID, fc.Name))
			default:
				return say("危险货物运输车辆在其他道路上的限速（道路依围栏%s）", "limit of vehicles with dangerous goods on other roads (the road by fence %s)", named(fc.ID, fc.Name))
			}
		}
	}
	return say("危险货物运输车辆在道路类型不明处的限速", "limit of vehicles with dangerous goods where the road is not known")
}

var sectionWords = kindWords{
	name: Text{"区间超速", "speeding in a section"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.SectionSpeeding
		return []Text{say("自区间起点驶至终点，区间长度除以所用时间的平均车速超过区间限速，即为区间超速。通过时刻取两端均在行驶、相隔不超过%s的两个定位点之间距卡口最近处，按距离线性推算；其间各定位点须在区间线路%s以内，相邻不超过%s。",
			"The mean speed from the first gate of a section to its last, its length over the time taken, is over its limit. A gate is passed between two moving fixes at most %s apart, at the nearest point, linear in distance; every fix between lies within %s of the line, none more than %s from the next.",
			inSeconds(s.SegmentS), sayMetres(s.OffLine), inSeconds(x.s.Settings.Movement.RunGapS))}
	},
	facts: func(x *explainer) {
		id := known(x.o.Section)
		n, ok := x.s.sectionByID[id]
		if !ok {
			x.limit("section", "区间%s的限速", "limit of section %s", id)
			return
		}
		sec := &x.s.sections[n]
		x.limit("section", "区间%s的限速%s", "limit of section %s: %s", named(id, sec.Name), tenthsKmh(sec.SpeedLimit))
		x.fact("%s通过起点卡口，%s通过终点卡口，用时%s；区间长%s米，平均车速%s", "passed the first gate at %s and the last at %s, in %s; the section is %s m long: %s on average",
			Time(x.start), Time(x.end), sayDuration(x.end-x.start), float64(sec.lengthMm)/1000, sayKmh(known(x.o.Measured)))
		worst := 0.0
		list := x.fixes(x.start, x.end)
		for _, f := range list {
			d, _, _ := geo.LinePoint(x.point(f), sec.line)
			worst = max(worst, d)
		}
		x.fact("其间%s个定位点，距区间线路最远%s", "%s fixes between, at most %s from the line", len(list), sayMetres(math.Round(worst)))
	},
	opened: func(x *explainer, _ *handedOut) Text {
		return say("已通过终点卡口，平均车速%s超过限速%s", "the last gate is passed: %s on average, over the limit of %s", sayKmh(known(x.o.Measured)), sayKmh(known(x.o.Limit)))
	},
}
