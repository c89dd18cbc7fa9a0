package detect

import (
	"strconv"

	"lushao/ingest"
)

var tamperCauseWords = map[string]Text{causeNames[causeMainPower]: {"主电源掉电", "main power lost"},
	causeNames[causeAntenna]: {"天线未接、短路或卫星定位模块故障，且未定位", "antenna open or short, or receiver faulty, and not located"},
	causeNames[causeNoFix]:   {"未定位而行驶记录仪有速度", "not located though the recorder has a speed"}}

var tamperingWords = kindWords{
	name: Text{"人为干扰、屏蔽信号", "tampering with the terminal"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.Tampering
		return []Text{say("车辆行驶或点火期间，持续%s及以上：主电源掉电；或天线未接、短路、定位模块故障且未定位；或在无信号区域以外未定位而行驶记录仪有速度。每种原因各立一案，连续%s恢复正常时结束。",
			"The vehicle moves or its ignition is on, and for %s or more its main power is lost; or its antenna is open or short or its receiver faulty while it is not located; or it is not located while the recorder has a speed, outside of areas without signal. One violation for each cause, until %s are clear of it.",
			inSeconds(s.SustainedS), inSeconds(s.ClearS))}
	},
	facts: func(x *explainer) {
		x.fact("原因：%s", "cause: %s", tamperCauseWords[x.detail("cause")])
		n, shows := 0, 0
		for i := x.t.firstAt(x.tr.list, x.start); i < len(x.tr.list) && x.time(&x.tr.list[i]) <= x.end; i++ {
			f := &x.tr.list[i]
			if !x.heard(f) {
				continue
			}
			n++
			shows += truth(x.tampers(&x.event(f).Position))
		}
		x.fact("自%s至%s的%s条位置报告中，%s条显示该原因", "of %[3]s positions from %[1]s to %[2]s %[4]s show it", Time(x.start), Time(x.end), n, shows)
	},
	opened: func(x *explainer, h *handedOut) Text {
		return say("已持续%s，达到%s", "it has lasted for %s: at least %s", sayDuration(h.cause.time-x.start), inSeconds(x.s.Settings.Tampering.SustainedS))
	},
	closed: func(x *explainer, h *handedOut) Text {
		if x.holdsAt(x.closedAt(h), x.tampers) {
			return say("其后长时间无位置报告，以最后一次成立为结束；此后恢复正常", "nothing came for long: it ends at the last position at which it held; then it was clear")
		}
		return say("恢复正常并持续%s，以首条正常位置为结束", "clear of it for %s: it ends at the first clear position", inSeconds(x.s.Settings.Tampering.ClearS))
	},
}

// tampers reports whether a position shows the cause of the record.
func (x *explainer) tampers(p *ingest.Position) bool {
	switch x.detail("cause") {
	case causeNames[causeMainPower]:
		return p.Alarm&alarmMainPower != 0
	case causeNames[causeAntenna]:
		return p.Alarm&alarmsOfAntenna != 0 && !p.Located
	}
	return !p.Located && speedKnown(p.RecorderSpeed) && p.RecorderSpeed > 0
}

// holdsAt reports whether a position of a time shows something.
func (x *explainer) holdsAt(at int64, shows func(p *ingest.Position) bool) bool {
	for i := x.t.firstAt(x.tr.list, at); i < len(x.tr.list) && x.time(&x.tr.list[i]) == at; i++ {
		if f := &x.tr.list[i]; x.heard(f) && shows(&x.event(f).Position) {
			return true
		}
	}
	return false
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

var overcrowdingWords = kindWords{
	name: Text{"超员", "overcrowding"},
	rule: func(*explainer) []Text {
		return []Text{say("终端视频报警（JT/T 1078）第4位（客车超员）置位期间，即为超员。", "Bit 4 of the video alarms of JT/T 1078 (overcrowded) is set.")}
	},
	facts: func(x *explainer) {
		x.bitFacts()
	},
	opened: bitOpened, closed: bitClosed,
}

// alarmWords names the bits of the alarm word of JT/T 808 0x0200.
var alarmWords = map[string]Text{"emergency": {"紧急报警", "emergency"}, "overspeed": {"超速报警", "overspeed"}, "fatigue": {"疲劳驾驶报警", "fatigue"},
	"danger_warning": {"危险预警", "danger warning"}, "overspeed_warning": {"超速预警", "overspeed warning"}, "fatigue_warning": {"疲劳驾驶预警", "fatigue warning"},
	"irregular_driving": {"违规行驶报警", "irregular driving"}, "daily_driving_time": {"当天累计驾驶超时", "driving time of the day exceeded"}, "overtime_parking": {"超时停车", "parked too long"},
	"area_in_out": {"进出区域", "area entered or left"}, "route_in_out": {"进出路线", "route entered or left"}, "section_time": {"路段行驶时间不足或过长", "time on a road section too short or too long"},
	"route_deviation": {"路线偏离报警", "off the route"}, "vss_fault": {"车辆VSS故障", "speed sensor faulty"}, "fuel_abnormal": {"车辆油量异常", "fuel abnormal"}, "stolen": {"车辆被盗", "stolen"},
	"illegal_ignition": {"车辆非法点火", "unlawful ignition"}, "illegal_displacement": {"车辆非法位移", "unlawful displacement"}, "collision_warning": {"碰撞预警", "collision warning"},
	"rollover_warning": {"侧翻预警", "rollover warning"}, "illegal_door_opening": {"非法开门报警", "unlawful door opening"}}

// uncountedBits are those that double rules of our own: they are in no count of violations.
const uncountedBits uint32 = 1<<1 | 1<<2 | 1<<18 | 1<<20 | 1<<21 | 1<<22 | 1<<23

var terminalAlarmWords = kindWords{
	name: Text{"终端报警", "alarm of the terminal"},
	rule: func(x *explainer) []Text {
		return []Text{say("终端位置信息（JT/T 808 0x0200）的报警标志位由0变1时认定（首条位置视为变化），清零时结束；结束后%s内再次置位的并入。",
			"A bit of the alarm word of JT/T 808 0x0200 rises (the first position counts as a rise), until it clears; one that rises again less than %s after extends it.", inSeconds(x.s.Settings.TerminalAlarm.MergeS))}
	},
	facts: func(x *explainer) {
		bit, name := x.alarm()
		words, ok := alarmWords[name]
		if !ok {
			words = Text{name, name}
		}
		x.fact("报警标志第%s位：%s", "alarm bit %s: %s", bit, words)
		if bit < 32 && uncountedBits>>bit&1 != 0 {
			x.fact("该报警与本系统自有规则重复，不计入违法统计", "it doubles a rule of this system: it is in no count of violations")
		}
		x.bitFacts()
	},
	opened: bitOpened, closed: bitClosed,
}

// alarm returns the bit of the record and its name, also of one that was read back from JSON.
func (x *explainer) alarm() (bit int, name string) {
	a, _ := x.o.Detail["alarm"].(map[string]any)
	switch n := a["bit"].(type) {
	case int:
		bit = n
	case float64:
		bit = int(min(max(n, 0), 31))
	}
	name, _ = a["name"].(string)
	return bit, name
}

// bitSet reports whether a position has the bit of the record set.
func (x *explainer) bitSet(p *ingest.Position) bool {
	if x.o.Kind == KindOvercrowding {
		return p.VideoAlarm&videoCrowded != 0
	}
	bit, _ := x.alarm()
	return p.Alarm>>bit&1 != 0
}

// bitFacts counts the positions at which the bit is set.
func (x *explainer) bitFacts() {
	n, all := 0, 0
	for i := x.t.firstAt(x.tr.list, x.start); i < len(x.tr.list) && x.time(&x.tr.list[i]) <= x.end; i++ {
		if f := &x.tr.list[i]; x.heard(f) {
			all++
			n += truth(x.bitSet(&x.event(f).Position))
		}
	}
	x.fact("自%s至%s的%s条位置报告中，%s条该位置位", "of %[3]s positions from %[1]s to %[2]s %[4]s have it set", Time(x.start), Time(x.end), all, n)
}

func bitOpened(*explainer, *handedOut) Text { return say("该位置位", "the bit is set") }

func bitClosed(x *explainer, h *handedOut) Text {
	if x.holdsAt(x.closedAt(h), x.bitSet) {
		return say("其后长时间无位置报告，以最后一次置位为结束；此后该位清零", "nothing came for long: it ends at the last position at which the bit was set; then it was clear")
	}
	return say("该位清零", "the bit is clear")
}

// safetyWordTexts name what assistance systems see.
var safetyWordTexts = map[string]Text{"fatigue": {"疲劳", "fatigue"}, "phone": {"接打电话", "on the phone"}, "smoking": {"抽烟", "smoking"}, "distraction": {"分神", "distracted"},
	"abnormal": {"驾驶员异常", "driver abnormal"}, "seat_belt": {"未系安全带", "no seat belt"}, "hands_off": {"双手脱离方向盘", "hands off the wheel"},
	"forward": {"前向碰撞预警", "forward collision"}, "lane": {"车道偏离预警", "lane departure"}, "distance": {"车距过近预警", "too near to the vehicle ahead"}, "pedestrian": {"行人碰撞预警", "pedestrian"},
	"lane_change": {"频繁变道预警", "frequent lane changes"}, "sign": {"道路标识超限预警", "traffic sign exceeded"}, "obstacle": {"障碍物预警", "obstacle"},
	"rear": {"后方接近预警", "vehicle behind"}, "left_rear": {"左后方接近预警", "vehicle behind on the left"}, "right_rear": {"右后方接近预警", "vehicle behind on the right"}}

var systemWords = map[string]Text{"dsm": {"驾驶员状态监测系统", "the driver monitor"}, "adas": {"高级驾驶辅助系统", "the driver assistance"}, "bsd": {"盲区监测系统", "the blind-spot monitor"}}

func safetyRule(what Text, settings func(s *Settings) *SafetySettings) func(x *explainer) []Text {
	return func(x *explainer) []Text {
		s := settings(&x.s.Settings)
		return []Text{say("%s；自首次报警开始，至报警结束标志，无结束标志的至最后一次开始后%s；结束后%s内同一行为再次报警的并入。", "%s; from its first start to the flag of its end, else to %s after the last start; the same word again less than %s after extends it.",
			what, inSeconds(s.LastS), inSeconds(s.MergeS))}
	}
}

var driverBehaviorWords = kindWords{
	name:  Text{"驾驶员不良行为", "bad behaviour of the driver"},
	rule:  safetyRule(Text{"驾驶员状态监测系统（T/JSATL 12）报告的行为", "What the driver monitor (T/JSATL 12) reports"}, func(s *Settings) *SafetySettings { return &s.DriverBehavior }),
	facts: safetyFacts, opened: safetyOpened, closed: safetyClosed,
}

var collisionRiskWords = kindWords{
	name: Text{"主动安全预警", "warning of active safety"},
	rule: safetyRule(Text{"驾驶辅助或盲区监测系统（T/JSATL 12）报告的预警，不计入违法统计", "What the driver assistance or the blind-spot monitor (T/JSATL 12) warns of; it is in no count of violations"},
		func(s *Settings) *SafetySettings { return &s.CollisionRisk }),
	facts: safetyFacts, opened: safetyOpened, closed: safetyClosed,
}

func (x *explainer) safetyWord() string {
	if w := x.detail("behavior"); w != "" {
		return w
	}
	return x.detail("warning")
}

func safetyFacts(x *explainer) {
	word := x.safetyWord()
	words, ok := safetyWordTexts[word]
	if !ok {
		words = Text{word, word}
	}
	x.fact("%s报告：%s，报警号%s，共%s次开始", "%s reported: %s, number %s, %s starts in all", systemWords[x.detail("system")], words,
		strconv.FormatInt(int64(x.number("alarm_id")), 10), int64(x.number("starts")))
	if level := int(x.number("level")); level != 0 {
		x.fact("最高报警级别%s级", "the highest level was %s", level)
	}
}

func safetyOpened(*explainer, *handedOut) Text {
	return say("系统报告开始", "the system reported a start")
}

func safetyClosed(x *explainer, h *handedOut) Text {
	end := x.closedAt(h)
	for i := x.t.firstAt(x.tr.list, end); i < len(x.tr.list) && x.time(&x.tr.list[i]) == end; i++ {
		if ev := x.event(&x.tr.list[i]); ev.Kind == ingest.KindSafety && ev.Safety.Kind == x.safetyWord() && ev.Safety.Flag == "end" {
			return say("系统报告结束", "the system reported the end")
		}
	}
	return say("无结束标志，自最后一次开始起按规定时间结束", "no end was reported: it ends the set time after the last start")
}
