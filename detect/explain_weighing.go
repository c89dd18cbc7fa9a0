package detect

import (
	"math"
	"strconv"

	"lushao/ingest"
)

var overloadWords = kindWords{
	name: Text{"超限超载", "overload"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.Overload
		return []Text{
			say("车货总质量×100 超过 限值×（100＋允许误差），即为超限超载。有效超限运输许可所载质量代替轴数限值；两轴货车登记的核定总质量较低的，从其规定。",
				"Gross mass × 100 exceeds limit × (100 + tolerance). A valid oversize permit's mass replaces the table by axles; of a two-axle truck the mass of the register counts where it is lower."),
			say("允许误差取站点自身的设定，否则动态称重%s、静态称重%s。罚款为估算：超过%s以内不罚，否则每满1000千克%s元，至多%s元。",
				"The tolerance is the station's own, else %s for dynamic and %s for static weighing. The fine is an estimate: none up to %s over, else %s yuan for each full 1000 kg, at most %s.",
				sayPct(s.DynamicPct), sayPct(s.StaticPct), sayKg(s.FineFreeKg), s.FinePerTonne, s.FineMax),
		}
	},
	facts: func(x *explainer) {
		source := ""
		if x.o.LimitSource != nil {
			source = *x.o.LimitSource
		}
		ev := x.weighed()
		if ev == nil {
			x.limit(source, "限值%s（来源见记录）", "limit %s (its source stands in the record)", amount(x.o.Limit, x.o.Unit))
			return
		}
		limit, by, permit := x.e.massLimit(x.v, ev)
		axles, combination, single := x.e.build(x.v, ev.Weighing)
		switch {
		case permit != nil:
			x.limit(source, "有效超限运输许可%s所载质量%s", "mass of the valid oversize permit %s: %s", permit.Number, sayKg(limit))
		case by == "vehicle":
			x.limit(source, "两轴货车，登记的核定总质量%s低于轴数限值", "two-axle truck; the mass of the register, %s, is lower than that of the table", sayKg(limit))
		default:
			x.limit(source, "%s轴%s的限值%s", "%s axles, %s: %s", axles, buildWords(combination, single, axles), sayKg(limit))
		}
		x.buildFacts(ev)
		tolerance := x.e.tolerance(ev.Weighing, x.s.stations[ev.Weighing.Station])
		x.toleranceFact(ev, tolerance)
		gross := int64(ev.Weighing.GrossKg)
		x.fact("%s×100＝%s，超过 %s×（100＋%s）＝%s", "%s × 100 = %s exceeds %s × (100 + %s) = %s", gross, gross*100, limit, hundredths(tolerance), hundredths(limit*(10000+tolerance)))
		x.fact("超限%s，占限值的%s；罚款估算%s元；此前一年内超限%s次", "%s over, %s of the limit; estimated fine %s yuan; %s overloads in the year before", sayKg(gross-limit), sayPct(known(x.o.OverPct)),
			x.s.Settings.Overload.fine(gross-limit), int64(x.number("overloads_last_year")))
	},
	opened: weighingOpened,
}

// hundredths writes a number that is given in 0.01.
func hundredths(v int64) string { return strconv.FormatFloat(float64(v)/100, 'f', -1, 64) }

// weighed returns the weighing of the record and tells where and when it was; nil where the events do not have it.
func (x *explainer) weighed() *ingest.Event {
	ev := x.weighing()
	if ev == nil {
		x.fact("数据中没有该称重记录", "the weighing is not among the events")
		return nil
	}
	w := ev.Weighing
	station := w.Station
	if s := x.s.stations[station]; s != nil {
		station = named(s.ID, s.Name)
	}
	x.fact("%s于站点%s称重，记录%s，总质量%s", "weighed at %s at station %s, record %s: gross mass %s", Time(ev.Time), station, w.Record, sayKg(w.GrossKg))
	return ev
}

func buildWords(combination, single ingest.Tri, axles uint8) Text {
	switch {
	case combination == ingest.No:
		return say("货车", "truck")
	case combination == ingest.Unknown:
		return say("车型结构不明", "build not known")
	case axles >= 6 && single == ingest.Yes:
		return say("汽车列车（单驱动轴）", "combination with a single drive axle")
	}
	return say("汽车列车", "combination")
}

// buildFacts tells where axles and build come from.
func (x *explainer) buildFacts(ev *ingest.Event) {
	from := func(record bool) Text {
		if record {
			return say("称重记录", "the weigh record")
		}
		return say("车辆登记资料", "the register")
	}
	axles, combination, single := x.e.build(x.v, ev.Weighing)
	if axles != 0 {
		x.fact("轴数%s，依%s；%s，依%s", "%s axles, by %s; %s, by %s", axles, from(ev.Weighing.Axles != 0), buildWords(combination, single, axles), from(ev.Weighing.Combination != ingest.Unknown))
	}
}

func (x *explainer) toleranceFact(ev *ingest.Event, tolerance int64) {
	switch s := x.s.stations[ev.Weighing.Station]; {
	case s != nil && s.TolerancePct >= 0:
		x.fact("允许误差%s%%，依站点设定", "tolerance %s%%, the station's own", hundredths(tolerance))
	case ev.Weighing.Method == ingest.MethodStatic || ev.Weighing.Method == ingest.MethodUnknown && s != nil && s.Method == ingest.MethodStatic:
		x.fact("允许误差%s%%，静态称重", "tolerance %s%%, static weighing", hundredths(tolerance))
	default:
		x.fact("允许误差%s%%，动态称重或方式不明", "tolerance %s%%, dynamic weighing or not known", hundredths(tolerance))
	}
}

func weighingOpened(*explainer, *handedOut) Text {
	return say("称重记录即可证明", "the weighing proves it")
}

var hundredTonneWords = kindWords{
	name: Text{"百吨王", "a hundred tonnes"},
	rule: func(x *explainer) []Text {
		return []Text{say("车货总质量达到%s及以上，且没有有效的、能覆盖该质量的超限运输许可，即为百吨王；与超限超载并立。",
			"A gross mass of %s or more, and no valid oversize permit that covers it; in addition to the overload.", sayKg(x.s.Settings.HundredTonne.LimitKg))}
	},
	facts: func(x *explainer) {
		x.limit("setting", "%s（规则设定）", "%s (set by the rules)", amount(x.o.Limit, x.o.Unit))
		if x.weighed() == nil {
			return
		}
		x.fact("总质量%s，不低于%s", "gross mass %s, not under %s", amount(x.o.Measured, x.o.Unit), amount(x.o.Limit, x.o.Unit))
		x.papers(PermitOversize)
	},
	opened: weighingOpened,
}

var dimensionWords = map[string]Text{"length": {"车长", "length"}, "width": {"车宽", "width"}, "height": {"车高", "height"}}

var oversizeWords = kindWords{
	name: Text{"超限（外廓尺寸）", "oversize"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.Oversize
		return []Text{say("车货总长超过%s毫米、总宽超过%s毫米或总高超过%s毫米，且超出部分大于站点的允许误差（未设定的，长、宽%s毫米，高%s毫米），又无有效超限运输许可的，即为超限；取超出最多的一项。",
			"The length is over %s mm, the width over %s mm or the height over %s mm, by more than the station's tolerance (where it has none, %s mm; of the height %s mm), and there is no valid oversize permit. The greatest excess counts.",
			s.LengthMm, s.WidthMm, s.HeightMm, s.ToleranceMm, s.HeightToleranceMm)}
	},
	facts: func(x *explainer) {
		x.limit("setting", "%s限值%s（规则设定）", "limit of the %s: %s (set by the rules)", dimensionWords[x.detail("dimension")], amount(x.o.Limit, x.o.Unit))
		ev := x.weighed()
		if ev == nil {
			return
		}
		x.outlineFacts(x.e.outline(ev.Weighing))
		x.papers(PermitOversize)
	},
	opened: weighingOpened,
}

// outlineFacts compares what was measured with its limits.
func (x *explainer) outlineFacts(outline [3]dimension) {
	for _, d := range outline {
		switch {
		case d.measured == 0 || d.limit == math.MaxUint32:
		case d.over() > 0:
			x.fact("%s：%s－%s＝%s毫米，大于允许误差%s毫米", "%s: %s − %s = %s mm, more than the tolerance of %s mm", dimensionWords[d.name], d.measured, d.limit, d.measured-d.limit, d.tolerance)
		default:
			x.fact("%s%s毫米，限值%s毫米，未超过", "%s: %s mm, limit %s mm, not exceeded", dimensionWords[d.name], d.measured, d.limit)
		}
	}
}

var permitMismatchWords = kindWords{
	name: Text{"大件车证不符", "not what its permit allows"},
	rule: func(*explainer) []Text {
		return []Text{say("超过有效超限运输许可所载的质量或尺寸，且大于允许误差，即为车证不符；有多个许可的，取覆盖最多的一个。",
			"The mass or the size that a valid oversize permit allows is exceeded by more than the tolerance; of several permits the one counts that covers most.")}
	},
	facts: func(x *explainer) {
		ev := x.weighed()
		x.papers(PermitOversize)
		if ev == nil || x.o.Permit == nil {
			return
		}
		for _, p := range x.s.validPermits(x.id, PermitOversize, ev.Time) {
			if p.Number != *x.o.Permit {
				continue
			}
			tolerance := x.e.tolerance(ev.Weighing, x.s.stations[ev.Weighing.Station])
			if gross := int64(ev.Weighing.GrossKg); p.GrossKg != 0 {
				over := say("未超过", "not exceeded")
				if !p.coversMass(gross, tolerance) {
					over = say("超过", "exceeded")
				}
				x.fact("总质量%s，许可%s，允许误差%s%%：%s", "gross mass %s, permit %s, tolerance %s%%: %s", sayKg(gross), sayKg(p.GrossKg), hundredths(tolerance), over)
			}
			x.outlineFacts(p.permitted(x.e.outline(ev.Weighing)))
		}
	},
	opened: weighingOpened,
}

var noWaybillWords = kindWords{
	name: Text{"危货无电子运单运行", "dangerous goods without a waybill"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.NoWaybill
		return []Text{
			say("不知为空载的危险货物运输车辆，自上次停车%[2]s或上一有效运单以来，行驶合计%[1]s及以上而没有有效电子运单，即为无电子运单运行；自其中第一个行驶定位点起算，至运单生效、停车%[2]s或知其空载时结束。",
				"A vehicle with dangerous goods that is not known to be empty has moved for %s or more since its last stop of %s or its last valid waybill. It starts with the first moving fix of these, and ends when a waybill becomes valid, with such a stop, or when it is known to be empty.",
				inSeconds(s.MovingS), inSeconds(s.StopS)),
			say("载货状态位为空载的，自该车首次报告非空载以后方可采信。", "That the load bits say empty is believed only from the first position on that says otherwise."),
		}
	},
	facts: func(x *explainer) {
		x.fact("自%s至%s共%s，无有效运单", "from %s to %s, for %s, no waybill was valid", Time(x.start), Time(x.end), sayDuration(x.end-x.start))
		if known, _ := x.o.Detail["load_known"].(bool); known {
			x.fact("该车报告载货状态，未报告空载", "the vehicle reports its load, and did not report to be empty")
		} else {
			x.fact("该车从未报告非空载，空载位不可采信", "the vehicle has never reported a load: that it is empty can't be believed")
		}
		x.waybills()
	},
	opened: func(x *explainer, h *handedOut) Text {
		return say("行驶合计达到%s，其间无有效运单", "it has moved for %s in all without a valid waybill", inSeconds(x.s.Settings.NoWaybill.MovingS))
	},
	closed: func(x *explainer, h *handedOut) Text {
		end := x.closedAt(h)
		f := x.fixAt(end)
		known, _ := h.v.Detail["load_known"].(bool)
		switch {
		case x.waybillFrom(end):
			return say("运单生效", "a waybill became valid")
		case f != nil && known && loadOf(x.event(f).Position.Status) == 0:
			return say("车辆报告空载", "the vehicle reported to be empty")
		case f != nil && f.is(traceStopped):
			return say("停车%s及以上，以停车的第一个定位点为结束", "it stopped for %s or more: it ends at the first stopped fix", inSeconds(x.s.Settings.NoWaybill.StopS))
		}
		return say("以最后一个成立的定位点为结束", "it ends at the last fix at which it held")
	},
}

// waybills lists the vehicle's waybills, of files and of events.
func (x *explainer) waybills() {
	n := 0
	for _, w := range x.s.waybills[x.id] {
		n++
		x.fact("运单%s（基础数据），有效期%s", "waybill %s (reference data), valid %s", w.Number, validity(w.Start, w.End))
	}
	if x.v.side != 0 {
		for _, w := range x.e.sides[x.v.side-1].waybills {
			n++
			x.fact("运单%s（车辆上报），有效期%s", "waybill %s (reported), valid %s", w.number, validity(w.start, w.end))
		}
	}
	if n == 0 {
		x.fact("无任何已知运单", "no waybill is known")
	}
}

// waybillFrom reports whether a waybill becomes valid at an instant.
func (x *explainer) waybillFrom(t int64) bool {
	for _, w := range x.s.waybills[x.id] {
		if w.Start == t {
			return true
		}
	}
	if x.v.side != 0 {
		for _, w := range x.e.sides[x.v.side-1].waybills {
			if w.start == t {
				return true
			}
		}
	}
	return false
}
