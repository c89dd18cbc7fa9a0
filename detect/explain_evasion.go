package detect

var weighEvasionWords = kindWords{
	name: Text{"逃避检测", "evasion of the scales"},
	rule: func(x *explainer) []Text {
		s := &x.s.Settings.WeighEvasion
		return []Text{say("检测站标记为逃避检测；或者%[3]s驶入检测站前方区域后%[1]s以内驶入其绕行区域，且驶入绕行区域前后各%[2]s内该站既无该车的称重记录，也无未识别车牌的记录，即为逃避检测。",
			"The station marked the record as evasion; or a vehicle (%[3]s) enters the approach of a station and, within %[1]s, a bypass of it, and the station has no record of its plate, nor one whose plate could not be read, %[2]s on either side of entering the bypass.",
			inSeconds(s.ApproachS), inSeconds(s.RecordS), classesInWords(x.s.evaders))}
	},
	facts: func(x *explainer) {
		if x.detail("record") != "" {
			if x.weighed() != nil {
				x.fact("该记录由检测站标记为逃避检测", "the station marked this record as evasion")
			}
			return
		}
		x.fact("检测站%s；前方区域%s，于%s驶入", "station %s; its approach %s was entered at %s", known(x.o.Station), x.detail("approach"), Time(x.instant("approached")))
		x.fact("其后%s驶入绕行区域%s，相隔%s，不超过%s", "at %s it entered the bypass %s, %s later: not more than %s", Time(x.start), known(x.o.Fence),
			sayDuration(x.start-x.instant("approached")), inSeconds(x.s.Settings.WeighEvasion.ApproachS))
		x.decides(x.instant("approached"))
		x.fact("前后各%s内，数据中该站无该车的记录，也无未识别车牌的记录", "%s on either side the data have no record of the plate there, nor one that could not be read", inSeconds(x.s.Settings.WeighEvasion.RecordS))
	},
	opened: func(x *explainer, h *handedOut) Text {
		if h.cause.what == causeClock {
			return say("时钟已过驶入绕行区域%s，仍无称重记录", "the clock was %s past entering the bypass, and there was no record", inSeconds(x.s.Settings.WeighEvasion.RecordS))
		}
		return weighingOpened(x, h)
	},
	due: func(x *explainer) int64 { return x.start + int64(x.s.Settings.WeighEvasion.RecordS)*1000 },
}
