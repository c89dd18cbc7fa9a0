package detect

import (
	"fmt"
	"math"
	"strings"

	"lushao/geo"
)

func insideRuleWords(x *explainer) Text {
	s := &x.s.Settings.FenceEntry
	return say("连续%s个定位点在围栏内为进入；连续%[1]s个定位点在围栏外%[2]s及以上为离开；在边界上视为在外；停车按停车位置判定，漂移不算进出。",
		"%s fixes in a row inside are an entry; %[1]s in a row outside by %[2]s or more are an exit; on the border is outside; a stop is judged at its place, so that drifting enters and leaves nothing.",
		s.Fixes, sayMetres(s.Leave))
}

var fenceEntryWords = kindWords{
	name: Text{"驶入禁行区域", "entering a forbidden area"},
	rule: func(x *explainer) []Text {
		return []Text{say("在对该车适用且在生效时段内的禁行区域内，即为驶入禁行区域。", "The vehicle is inside of a forbidden area that means it and is in force."), insideRuleWords(x)}
	},
	facts: func(x *explainer) { x.fenceFacts() }, opened: insideOpened, closed: insideClosed,
}

var fenceStayWords = kindWords{
	name: Text{"区域超时停留", "staying too long in an area"},
	rule: func(x *explainer) []Text {
		return []Text{say("在限时停留区域内的时间超过该区域的最长停留时间，即为超时停留；自进入时起算。", "The vehicle is inside of an area for longer than its longest stay, counted from the entry."), insideRuleWords(x)}
	},
	facts: func(x *explainer) {
		fc := x.fenceFacts()
		if fc == nil {
			x.limit("fence", "%s", "%s", amount(x.o.Limit, x.o.Unit))
			return
		}
		x.limit("fence", "围栏%s的最长停留时间%s", "longest stay in area %s: %s", named(fc.ID, fc.Name), inSeconds(int(fc.MaxStayS)))
		x.fact("自%s进入，至%s共停留%s", "entered at %s, until %s: %s", Time(x.start), Time(x.end), sayDuration(x.end-x.start))
	},
	opened: func(x *explainer, h *handedOut) Text {
		return say("自进入起已%s，超过%s", "%s since the entry: more than %s", sayDuration(h.cause.time-x.start), amount(x.o.Limit, x.o.Unit))
	},
	closed: insideClosed,
}

var unfiledEntryWords = kindWords{
	name: Text{"外籍危货车辆未备案入境", "dangerous goods from elsewhere without a filing"},
	rule: func(x *explainer) []Text {
		return []Text{say("登记地不属于本辖区的危险货物运输车辆，进入辖区时没有有效备案，即为未备案入境；离开或备案生效时结束。",
			"A vehicle with dangerous goods of another region enters a jurisdiction without a valid filing; it ends when it leaves or a filing becomes valid."), insideRuleWords(x)}
	},
	facts: func(x *explainer) {
		fc := x.fenceFacts()
		if r := x.s.register[x.id]; r != nil && fc != nil {
			x.fact("车辆登记地%s，辖区%s，二者互不包含", "the vehicle is of region %s, the jurisdiction is %s, and neither holds the other", r.Region, fc.Region)
		}
		if len(x.s.filings[x.id]) == 0 {
			x.fact("无任何备案", "it has no filing")
		}
		for _, f := range x.s.filings[x.id] {
			region := Text{f.Region, f.Region}
			if f.Region == "" {
				region = say("全部区域", "all regions")
			}
			x.fact("备案%s，区域%s，有效期%s", "filing %s for %s, valid %s", f.Number, region, validity(f.Start, f.End))
		}
	},
	opened: func(x *explainer, h *handedOut) Text {
		return join([]Text{insideOpened(x, h), say("进入期间无有效备案", "no filing was valid at any moment of the entry")}, "；", "; ")
	},
	closed: func(x *explainer, h *handedOut) Text {
		for _, f := range x.s.filings[x.id] {
			if f.Start == x.closedAt(h) {
				return say("备案%s生效", "filing %s became valid", f.Number)
			}
		}
		return insideClosed(x, h)
	},
}

// fenceOf returns the fence of the record; nil where the reference data no longer have it.
func (x *explainer) fenceOf() *fence {
	if x.o.Fence == nil {
		return nil
	}
	if n, ok := x.s.fenceByID[known(x.o.Fence)]; ok {
		return &x.s.fences[n]
	}
	return nil
}

// fenceFacts tells which fence it is, whom it means, when it is in force, and where the vehicle came in.
func (x *explainer) fenceFacts() *fence {
	fc := x.fenceOf()
	if fc == nil {
		x.fact("围栏%s已不在基础数据中", "fence %s is no longer in the reference data", known(x.o.Fence))
		return nil
	}
	x.fact("%s%s，适用于%s，%s", "%s %s; it means %s; %s", fenceKindWords[fc.Kind], named(fc.ID, fc.Name), x.meant(fc), scheduleWords(fc, x.start))
	entry := x.fixes(x.start, x.openedAt())
	for i, f := range entry {
		if i == 3 && len(entry) > 6 {
			x.fact("……", "…")
		}
		if i < 3 || i >= len(entry)-3 {
			x.fact("%s：%s", "%s: %s", Time(x.time(f)), borderWords(fc.shape, f.place))
		}
	}
	return fc
}

// openedAt is when the violation opened, as far as these events tell.
func (x *explainer) openedAt() int64 {
	if !x.reproduced() {
		return x.start
	}
	return min(x.handed[0].cause.at(x), x.end)
}

// borderWords tells on which side of a border a place is, and how far.
func borderWords(s *geo.Shape, p geo.Point) Text {
	d := sayMetres(math.Round(s.DistanceToBorder(p)))
	if s.Contains(p) {
		return say("在围栏内，距边界%s", "inside, %s from the border", d)
	}
	return say("在围栏外，距边界%s", "outside, %s from the border", d)
}

// meant says by what a fence means the vehicle.
func (x *explainer) meant(fc *fence) Text {
	switch r := x.s.register[x.id]; {
	case fc.everybody:
		return say("所有车辆", "all vehicles")
	case fc.Classes.Has(x.v.class):
		return say("车型%s，本车在内", "the classes %s, this vehicle's among them", classesInWords(fc.Classes))
	case fc.vehicles[x.id]:
		return say("指定车辆，本车在内", "named vehicles, this one among them")
	case r != nil && fc.applies(x.e, x.v):
		return say("指定企业或登记地的车辆，本车在内（企业%s，登记地%s）", "vehicles of named operators or regions, this one among them (operator %s, region %s)", r.Operator, r.Region)
	}
	return say("其他车辆", "other vehicles")
}

// scheduleWords says when a fence is in force, and the window that holds t.
func scheduleWords(fc *fence, t int64) Text {
	if len(fc.Schedule) == 0 {
		return say("全时生效", "always in force")
	}
	for _, w := range fc.Schedule {
		if in, end := w.at(t); in {
			return say("生效时段%s，至%s止", "in force %s, here until %s", windowWords(w), Time(end))
		}
	}
	return say("当时不在生效时段内", "not in force then")
}

func windowWords(w Window) Text {
	days := [2][7]string{{"一", "二", "三", "四", "五", "六", "日"}, {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}}
	var list [2][]string
	for d := range 7 {
		if w.Days&(1<<d) != 0 {
			list[0], list[1] = append(list[0], days[0][d]), append(list[1], days[1][d])
		}
	}
	clock := fmt.Sprintf("%02d:%02d–%02d:%02d", w.From/60, w.From%60, w.To/60, w.To%60)
	if len(list[0]) == 7 {
		return Text{"每日" + clock, "daily " + clock}
	}
	return Text{"每周" + strings.Join(list[0], "、") + " " + clock, strings.Join(list[1], ", ") + " " + clock}
}

func insideOpened(x *explainer, h *handedOut) Text {
	n := len(x.fixes(x.start, h.cause.time))
	return say("连续%s个定位点在围栏%s内", "%s fixes in a row inside of fence %s", n, known(h.v.Fence))
}

func insideClosed(x *explainer, h *handedOut) Text {
	fc, f := x.fenceOf(), x.fixAt(x.closedAt(h))
	switch {
	case fc != nil && f != nil && !fc.shape.Contains(f.place):
		return join([]Text{say("驶离", "it left"), borderWords(fc.shape, f.place)}, "：", ": ")
	case f == nil:
		return say("生效时段结束", "the fence was no longer in force")
	}
	return say("围栏对该车不再适用，或不再生效，以最后一个成立的定位点为结束", "the fence meant it no longer, or was no longer in force: it ends at the last fix at which it held")
}

var fenceCrossingWords = kindWords{
	name: Text{"穿越禁行区域", "crossing a forbidden area"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.FenceCrossing
		return []Text{say("相邻两个在外的定位点之间，或其间仅一个定位点在内，路段穿过禁行区域%s及以上，即为穿越。路段须不长于%s，长度为平均车速乘以时间的%s至%s（±%s），方可视为直线行驶。",
			"Between two fixes outside, or two with a single one inside, %s or more lie inside of a forbidden area. A segment takes %s at most and is %s to %s as long as the mean of its speeds times its time (± %s): then it was driven straight.",
			sayMetres(s.Least), inSeconds(s.SegmentS), sayPct(100-s.Ratio), sayPct(100+s.Ratio), sayMetres(s.Slack))}
	},
	facts: func(x *explainer) {
		fc := x.fenceOf()
		if fc == nil {
			x.fact("围栏%s已不在基础数据中", "fence %s is no longer in the reference data", known(x.o.Fence))
			return
		}
		x.fact("%s%s，适用于%s，%s", "%s %s; it means %s; %s", fenceKindWords[fc.Kind], named(fc.ID, fc.Name), x.meant(fc), scheduleWords(fc, x.start))
		list := x.fixes(x.start, x.end)
		for i, f := range list {
			x.fact("%s：%s", "%s: %s", Time(x.time(f)), borderWords(fc.shape, f.place))
			if i == 0 {
				continue
			}
			from := list[i-1]
			driven := float64(int(x.speed(from))+int(x.speed(f))) / 2 / 36 * float64(x.time(f)-x.time(from)) / 1000
			x.fact("至此路段用时%s，长%s，按平均车速应为%s，相符，视为直线行驶", "the segment to it took %s and is %s long; by the mean speed it is %s: driven straight",
				sayDuration(x.time(f)-x.time(from)), sayMetres(math.Round(geo.Distance(from.place, f.place))), sayMetres(math.Round(driven)))
		}
		x.fact("区域内长度%s米，达到%s", "%s m of it lie inside: at least %s", known(x.o.Measured), sayMetres(x.s.Settings.FenceCrossing.Least))
	},
	opened: func(x *explainer, _ *handedOut) Text {
		return say("驶出至区域外的定位点，证明已穿越%s米", "a fix outside on the other side: %s m were crossed", known(x.o.Measured))
	},
}

func outsideRule(s *OutsideSettings) Text {
	far := say("在外", "outside")
	if s.Outside > 0 {
		far = say("在外%s及以上", "outside by %s or more", sayMetres(s.Outside))
	}
	return say("连续%s个定位点%s且首尾相隔%s及以上认定；连续%[1]s个定位点回到其内结束。", "It opens with %s fixes in a row %s that are %s apart or more, and closes with %[1]s in a row back inside.", s.Fixes, far, inSeconds(s.SustainedS))
}

var fenceExitWords = kindWords{
	name: Text{"驶出限定区域", "leaving the area to stay in"},
	rule: func(x *explainer) []Text {
		return []Text{say("在对该车适用的全部限定区域（含有效包车许可的区域）之外，即为驶出限定区域。", "The vehicle is outside of all areas that it must stay in, taken together; that of a valid charter permit is one."), outsideRule(&x.s.Settings.FenceExit)}
	},
	facts: func(x *explainer) { x.boundFacts() }, opened: outsideOpened, closed: outsideClosed,
}

var routeDeviationWords = kindWords{
	name: Text{"不按规定线路行驶", "leaving the assigned route"},
	rule: func(x *explainer) []Text {
		return []Text{say("在指定给该车的全部线路（登记、有效运单、有效许可）的走廊之外，即为不按规定线路行驶；未指定线路的不判定。",
			"The vehicle is outside of the corridors of all routes that are assigned to it: by the register, a valid waybill or a valid permit. Where none is, nothing is judged."), outsideRule(&x.s.Settings.RouteDeviation)}
	},
	facts: func(x *explainer) {
		x.limit("route", "线路%s走廊的半宽%s", "half width of the corridor of route %s: %s", x.detail("route"), amount(x.o.Limit, x.o.Unit))
		x.boundFacts()
		x.fact("距最近的线路中心线最远%s", "at most %s from the nearest centre line", amount(x.o.Measured, x.o.Unit))
	},
	opened: outsideOpened, closed: outsideClosed,
}

// boundFacts lists what bounded the vehicle when it left, and how far away it was.
func (x *explainer) boundFacts() {
	list := x.e.boundsAt(x.v, x.o.Kind, x.start, nil)
	if len(list) == 0 {
		x.fact("基础数据中已无约束该车的区域或线路", "the reference data no longer have an area or route that bounds the vehicle")
	}
	f := x.fixAt(x.start)
	for _, b := range list {
		by := say("依围栏的适用范围", "by whom the fence means")
		if x.o.Kind == KindRouteDeviation {
			by = say("依车辆登记", "by the register")
		}
		switch {
		case b.permit != nil:
			by = say("依许可%s", "by permit %s", b.permit.Number)
		case b.until != 0 && x.o.Kind == KindRouteDeviation:
			by = say("依运单，至%s止", "by a waybill, until %s", Time(b.until))
		}
		name, d := b.id, 0.0
		if n, ok := x.s.fenceByID[b.id]; ok && x.o.Kind == KindFenceExit {
			name = named(b.id, x.s.fences[n].Name)
		} else if r := x.s.routes[b.id]; r != nil {
			name = named(b.id, r.Name)
		}
		if f == nil {
			x.fact("%s（%s）", "%s (%s)", name, by)
			continue
		}
		if d = b.shape.DistanceToBorder(f.place); x.o.Kind == KindRouteDeviation {
			x.fact("线路%s（%s）：%s距中心线%s", "route %s (%s): at %s it was %s from the centre line", name, by, Time(x.start), sayMetres(math.Round(b.shape.DistanceToLine(f.place))))
			continue
		}
		x.fact("限定区域%s（%s）：%s距边界%s", "area %s (%s): at %s it was %s from the border", name, by, Time(x.start), sayMetres(math.Round(d)))
	}
}

func outsideOpened(x *explainer, h *handedOut) Text {
	s := &x.s.Settings.FenceExit
	if x.o.Kind == KindRouteDeviation {
		s = &x.s.Settings.RouteDeviation
	}
	return say("连续%s个定位点在外，首尾相隔%s，达到%s", "%s fixes in a row outside, %s apart: at least %s", len(x.fixes(x.start, h.cause.time)), sayDuration(h.cause.time-x.start), inSeconds(s.SustainedS))
}

func outsideClosed(x *explainer, h *handedOut) Text {
	f := x.fixAt(x.closedAt(h))
	if f == nil {
		return say("约束该车的区域、线路或证件不再有效", "the areas, routes or papers that bounded the vehicle were no longer valid")
	}
	if whereIs(f.place, x.e.boundsAt(x.v, x.o.Kind, x.time(f), nil), 0) == within {
		return say("已回到其内", "it was back inside")
	}
	return say("以最后一个成立的定位点为结束", "it ends at the last fix at which it held")
}

var fenceStopWords = kindWords{
	name: Text{"禁停区域停车", "stopping where it is forbidden"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.FenceStop
		return []Text{say("在对该车适用且生效的禁停区域内停车%s及以上，即为禁停区域停车；%s内有多于%s辆车停驶的，视为拥堵，此前的时间不计。驶离或移动时结束。",
			"The vehicle stands for %s or more in an area in which it must not stop. While more than %[3]s vehicles stand within %[2]s it is a traffic jam, and the time until then is not counted. It ends when the vehicle moves or leaves.",
			inSeconds(s.StopS), sayMetres(s.CrowdRadius), s.Crowd)}
	},
	facts: func(x *explainer) {
		x.limit("setting", "%s（规则设定）", "%s (set by the rules)", amount(x.o.Limit, x.o.Unit))
		fc := x.fenceOf()
		f := x.fixAt(x.start)
		if fc != nil {
			x.fact("%s%s，适用于%s，%s", "%s %s; it means %s; %s", fenceKindWords[fc.Kind], named(fc.ID, fc.Name), x.meant(fc), scheduleWords(fc, x.start))
		}
		if fc != nil && f != nil {
			x.fact("停车位置：%s", "the stop's place: %s", borderWords(fc.shape, f.place))
		}
		if at := x.fixAt(x.openedAt()); at != nil && at.crowd > 0 {
			x.fact("认定时%s内有%s辆车停驶（含本车），未超过%s辆，不视为拥堵", "when it opened %[2]s vehicles stood within %[1]s, this one included: not more than %[3]s, so no traffic jam",
				sayMetres(x.s.Settings.FenceStop.CrowdRadius), int(at.crowd), x.s.Settings.FenceStop.Crowd)
		}
		x.fact("自%s至%s停车%s", "it stood from %s to %s, for %s", Time(x.start), Time(x.end), sayDuration(x.end-x.start))
	},
	opened: func(x *explainer, h *handedOut) Text {
		return say("已停车%s，达到%s", "it has stood for %s: at least %s", sayDuration(h.cause.time-x.start), inSeconds(x.s.Settings.FenceStop.StopS))
	},
	closed: func(x *explainer, h *handedOut) Text {
		f := x.fixAt(x.closedAt(h))
		switch {
		case f == nil:
			return say("生效时段结束", "the fence was no longer in force")
		case f.is(traceMoving):
			return say("车辆移动", "it moved")
		case f.is(traceNewStop):
			return say("停到另一处", "it stood at another place")
		}
		return say("以最后一个成立的定位点为结束", "it ends at the last fix at which it held")
	},
}
