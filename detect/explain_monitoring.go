package detect

import (
	"math"

	"lushao/geo"
	"lushao/ingest"
)

// positionBefore and positionAfter return the next position before or after a time, located or not, that the gate's first test lets
// through; nil where there is none.
func (x *explainer) positionBefore(at int64) *traced {
	for i := x.t.firstAt(x.tr.list, at) - 1; i >= 0; i-- {
		if f := &x.tr.list[i]; x.heard(f) {
			return f
		}
	}
	return nil
}

func (x *explainer) positionAfter(at int64) *traced {
	for i := x.t.firstAt(x.tr.list, at+1); i < len(x.tr.list); i++ {
		if f := &x.tr.list[i]; x.heard(f) {
			return f
		}
	}
	return nil
}

func (x *explainer) heard(f *traced) bool {
	return x.event(f).Kind == ingest.KindPosition && f.quality != QualityFuture && f.quality != QualityPast
}

// monitoredFact says why the vehicle must be monitored.
func (x *explainer) monitoredFact() {
	x.fact("%s属于须全程动态监控的车辆", "this class must be monitored all the time: %s", classWords[x.v.class])
}

var goneDarkWords = kindWords{
	name: Text{"脱离动态监控", "gone dark"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.GoneDark
		return []Text{say("须动态监控的车辆，最后一个定位点车速%s及以上且不在无信号区域，此后%s及以上没有任何位置报告（含未定位的），即为脱离动态监控；下一个定位点须在%s及以外，下一条位置到达时结束。",
			"A vehicle that must be monitored was last at %s or more outside of areas without signal, and then no position came, located or not, for %s or more. The next fix must be %s away or more; it ends with the next position.",
			sayKmh(s.MinSpeed), inSeconds(s.SilentS), sayMetres(s.Least))}
	},
	facts: func(x *explainer) {
		x.monitoredFact()
		last := x.fixAt(x.start)
		if last == nil {
			return
		}
		x.fact("最后一个定位点：%s，车速%s，不在无信号区域", "the last fix: %s at %s, in no area without signal", Time(x.start), speedWords(x.speed(last)))
		next := x.positionAfter(x.start)
		if next == nil {
			x.fact("此后数据中再无位置报告", "no position follows in the data")
			return
		}
		x.decides(x.time(next))
		x.fact("下一条位置：%s，静默%s，不少于%s", "the next position: %s, after %s of silence: not less than %s", Time(x.time(next)), sayDuration(x.time(next)-x.start), inSeconds(x.s.Settings.GoneDark.SilentS))
		if f := x.fixAfter(x.start); f != nil {
			x.fact("下一个定位点：%s，相距%s，不少于%s", "the next fix: %s, %s away: not less than %s", Time(x.time(f)), sayMetres(math.Round(geo.Distance(x.point(last), x.point(f)))), sayMetres(x.s.Settings.GoneDark.Least))
		}
	},
	opened: func(x *explainer, h *handedOut) Text {
		if h.cause.what == causeClock {
			return say("时钟已过最后位置的接收时间%s，仍无位置报告", "the clock was %s past the last position's reception, and nothing had come", inSeconds(x.s.Settings.GoneDark.SilentS))
		}
		return say("下一条位置表明此前静默%s及以上", "the next position shows that nothing had come for %s or more", inSeconds(x.s.Settings.GoneDark.SilentS))
	},
	closed: func(*explainer, *handedOut) Text { return say("下一条位置到达", "the next position came") },
	due: func(x *explainer) int64 {
		return x.received(x.fixAt(x.start)) + x.e.darkAfter()
	},
}

// received is when a position came; the start where there is none.
func (x *explainer) received(f *traced) int64 {
	if f == nil {
		return x.start
	}
	return x.event(f).Received
}

func speedWords(speed uint16) Text {
	if !speedKnown(speed) {
		return say("未报速度", "no speed")
	}
	return say("%s", "%s", tenthsKmh(speed))
}

var offlineWords = kindWords{
	name: Text{"离线位移", "moved while offline"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.OfflineDisplacement
		return []Text{say("须动态监控的车辆，相邻两个定位点相隔%s及以上且相距超过%s，均不在无信号区域，即为离线位移；在第二点接收%s之后判定，以待补传。",
			"Two fixes in a row of a vehicle that must be monitored are %s or more and more than %s apart, neither in an area without signal. It is decided %s after the second was received, because stored reports may still come.",
			inSeconds(s.SilentS), sayMetres(s.Least), inSeconds(s.DecideS))}
	},
	facts: func(x *explainer) {
		x.monitoredFact()
		x.fact("两个定位点：%s与%s，相隔%s，相距%s", "the two fixes: %s and %s, %s and %s apart", Time(x.start), Time(x.end), sayDuration(x.end-x.start), amount(x.o.Measured, x.o.Unit))
	},
	opened: func(x *explainer, _ *handedOut) Text {
		return say("第二点接收后已过%s，其间无补传", "%s have passed since the second was received, and nothing was filled in", inSeconds(x.s.Settings.OfflineDisplacement.DecideS))
	},
	closed: func(*explainer, *handedOut) Text {
		return say("以第二个定位点为结束", "it ends with the second fix")
	},
}

var unmonitoredWords = kindWords{
	name: Text{"未上线运行", "running without being monitored"},
	rule: func(x *explainer) []Text {
		near := inSeconds(x.s.Settings.UnmonitoredRunning.SilentS)
		return []Text{say("须动态监控的车辆有称重记录，而前后各%s内没有任何位置报告（含未定位的），即为未上线运行；时钟过后%[1]s判定，补传可撤销。",
			"A vehicle that must be monitored was weighed, and no position, located or not, is known within %s on either side; decided when the clock is %[1]s past it, and taken back by what comes later.", near)}
	},
	facts: func(x *explainer) {
		x.monitoredFact()
		x.weighed()
		for _, side := range [...]struct {
			f      *traced
			zh, en string
			none   Text
		}{{x.positionBefore(x.start), "此前最近的位置：%s，相隔%s", "the last position before it: %s, %s apart", say("此前数据中无位置报告", "no position is known before it")},
			{x.positionAfter(x.start), "此后最近的位置：%s，相隔%s", "the first position after it: %s, %s apart", say("此后数据中无位置报告", "no position is known after it")}} {
			if side.f == nil {
				x.out.Facts = append(x.out.Facts, side.none)
				continue
			}
			apart := x.time(side.f) - x.start
			x.fact(side.zh, side.en, Time(x.time(side.f)), sayDuration(max(apart, -apart)))
		}
	},
	opened: func(x *explainer, _ *handedOut) Text {
		return say("时钟已过称重%s，前后均无位置报告", "the clock was %s past the weighing, and there was no position on either side", inSeconds(x.s.Settings.UnmonitoredRunning.SilentS))
	},
	due: func(x *explainer) int64 {
		at := x.start
		if ev := x.weighing(); ev != nil {
			at = max(at, ev.Received)
		}
		return at + int64(x.s.Settings.UnmonitoredRunning.SilentS)*1000
	},
}

var conflictWords = kindWords{
	name: Text{"疑似套牌或轨迹造假", "position contradicts the weighing"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.PositionConflict
		return []Text{say("称重时刻前最后一个或后第一个定位点（%s以内）距站点超过%s，且以%s也无法到达的，即为位置矛盾；%s内多于%s辆车与同一站点矛盾的，系站点有误。",
			"The last fix before a weighing or the first after it, within %s, is farther from the station than %s and than %s can reach. Where within %s more than %s vehicles contradict one station, it is the station that is wrong.",
			inSeconds(s.WindowS), sayMetres(s.Least), sayKmh(s.Speed), inSeconds(s.StationWindowS), s.StationVehicles)}
	},
	facts: func(x *explainer) {
		ev := x.weighed()
		if ev == nil {
			return
		}
		w := x.e.weighedAt(x.v, ev)
		for _, side := range [...]struct {
			f      *traced
			before Text
		}{{x.fixUpTo(x.start), say("称重前最后一个定位点", "the last fix before it")}, {x.fixAfter(x.start), say("称重后第一个定位点", "the first fix after it")}} {
			if side.f == nil {
				x.out.Facts = append(x.out.Facts, join([]Text{side.before, say("数据中没有", "none is known")}, "：", ": "))
				continue
			}
			x.reach(side.before, side.f, &w)
		}
		x.fact("其他车辆与该站点的矛盾，仅就本次所用数据查核", "other vehicles' contradictions with the station were looked at in these data only")
	},
	opened: func(*explainer, *handedOut) Text {
		return say("定位点与称重地点不能并存", "the fix and the place of the weighing can't both be true")
	},
}

// fixUpTo returns the last fix at a time or before; nil where there is none.
func (x *explainer) fixUpTo(at int64) *traced { return x.fixBefore(at + 1) }

// reach says whether the vehicle can have come from a fix to the station, or from there to it.
func (x *explainer) reach(what Text, f *traced, w *weighedAt) {
	s := &x.s.Settings.PositionConflict
	apart := x.time(f) - w.time
	apart = max(apart, -apart)
	d := geo.Distance(w.point(), x.point(f))
	reachable := s.Speed / 3.6 * float64(apart) / 1000
	verdict := say("可以到达", "it can be")
	c := conflictCase{weighedAt: *w}
	switch {
	case apart > int64(s.WindowS)*1000:
		verdict = say("相隔太久，不作比较", "too long apart to compare")
	case c.far(&mark{time: x.time(f), lat: x.point(f).Lat, lon: x.point(f).Lon}, s) > 0:
		verdict = say("不能到达", "it can't be")
		x.decides(x.time(f))
	}
	x.fact("%s：%s，相隔%s，距站点%s；以%s可行驶%s：%s", "%s: %s, %s apart and %s from the station; %s reach %s: %s", what, Time(x.time(f)), sayDuration(apart), sayMetres(math.Round(d)),
		sayKmh(s.Speed), sayMetres(math.Round(reachable)), verdict)
}

var frozenWords = kindWords{
	name: Text{"定位冻结", "frozen position"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.FrozenPosition
		return []Text{say("须动态监控的车辆，位置与首点相差不超过%s度达%s及以上，而各点车速均为%s及以上，或里程比首点增加%s公里及以上，即为定位冻结；位置变化时结束。",
			"The place of a vehicle that must be monitored stays within %s degree of the first fix for %s or more, though every fix shows %s or more, or the mileage has grown by %s km or more. It ends when the place changes.",
			s.Place, inSeconds(s.SustainedS), sayKmh(s.MinSpeed), s.MileageKm)}
	},
	facts: func(x *explainer) {
		x.monitoredFact()
		list := x.fixes(x.start, x.end)
		if len(list) == 0 {
			return
		}
		var same []*traced
		least, most := uint16(math.MaxUint16), uint16(0)
		for _, f := range list {
			p := &x.event(f).Position
			first := &x.event(list[0]).Position
			if !x.e.samePlace(first.Lat, first.Lon, &fix{lat: p.Lat, lon: p.Lon}) {
				continue
			}
			same = append(same, f)
			if speedKnown(p.Speed) {
				least, most = min(least, p.Speed), max(most, p.Speed)
			}
		}
		last := same[len(same)-1]
		x.fact("自%s至%s，%s个定位点的位置相同", "from %s to %s %s fixes have the same place", Time(x.start), Time(x.time(last)), len(same))
		if x.detail("sign") == frozenCauses[true] {
			a, b := x.event(list[0]).Position.Mileage, x.event(last).Position.Mileage
			if a != ingest.NoMileage && b != ingest.NoMileage {
				x.fact("其间里程由%s公里增至%s公里", "the mileage grew from %s km to %s km", float64(a)/10, float64(b)/10)
			}
		} else if most > 0 {
			x.fact("其间车速为%s至%s", "the speeds were %s to %s", tenthsKmh(least), tenthsKmh(most))
		}
	},
	opened: func(x *explainer, h *handedOut) Text {
		return say("位置不变已%s，达到%s", "the place has not changed for %s: at least %s", sayDuration(h.cause.time-x.start), inSeconds(x.s.Settings.FrozenPosition.SustainedS))
	},
	closed: func(*explainer, *handedOut) Text { return say("位置变化", "the place changed") },
}
