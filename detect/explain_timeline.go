package detect

import (
	"strconv"

	"lushao/ingest"
)

// Timeline is what the vehicle reported, from some time before the start to some time after the end.
type Timeline struct {
	Entries []TimelineEntry `json:"entries"`
	Total   int             `json:"total"`
	LeftOut int             `json:"left_out"` // of the total; what is around the deciding moments is not
	Text    Text            `json:"text"`
}

// TimelineEntry is one event.
type TimelineEntry struct {
	Time     Time     `json:"time"`
	Type     string   `json:"type"` // as in files of events
	Lat      *float64 `json:"lat,omitempty"`
	Lon      *float64 `json:"lon,omitempty"`
	SpeedKmh *float64 `json:"speed_kmh,omitempty"`
	// Quality is, of a position, ok or why the gate refused it as a fix.
	Quality string `json:"quality,omitempty"`
	// State is, of a fix, any of moving, stopped, no_speed, new_stop, waited (judged when the next fix was there), spike, lone (moving,
	// but of the stop around it), believed (a jump that became a fix), no_segment (nothing leads to it) and gap (nothing came for long before it).
	State []string `json:"state,omitempty"`
	// Phase is what the violation was then: before, candidate, open or after.
	Phase string `json:"phase"`
	Text  Text   `json:"text"`
}

// around is how many entries on either side of a deciding moment are always shown.
const around = 8

// timeline lists the events. Of a long one the deciding moments are shown whole and the rest is thinned.
func (x *explainer) timeline() Timeline {
	list := x.tr.list
	from := x.t.firstAt(list, x.start-x.options.Margin)
	to := x.t.firstAt(list, x.end+x.options.Margin+1)
	shown := list[from:to]
	keep := make([]bool, len(shown))
	n := 0
	mark := func(i int) {
		if i >= 0 && i < len(keep) && !keep[i] {
			keep[i] = true
			n++
		}
	}
	if len(shown) <= x.options.Entries {
		for i := range shown {
			mark(i)
		}
	} else {
		// The deciding moments themselves first, then what is around them, nearest first.
		deciding := append([]int64{x.start, x.end}, x.deciding...)
		for r := 0; r <= around; r++ {
			for _, at := range deciding {
				i := x.t.firstAt(list, at) - from
				for _, j := range [2]int{i - r, i + r} {
					if n < x.options.Entries*3/4 {
						mark(j)
					}
				}
			}
		}
		rest := x.options.Entries - n
		step := max(1, (len(shown)+rest-1)/max(rest, 1))
		for i := 0; i < len(shown) && n < x.options.Entries; i += step {
			mark(i)
		}
	}
	out := Timeline{Entries: []TimelineEntry{}, Total: len(shown), LeftOut: len(shown) - n}
	for i := range shown {
		if keep[i] {
			out.Entries = append(out.Entries, x.entry(&shown[i]))
		}
	}
	out.Text = say("自%s至%s共%s条报告", "%[3]s reports from %[1]s to %[2]s", Time(x.start-x.options.Margin), Time(x.end+x.options.Margin), out.Total)
	if out.LeftOut > 0 {
		out.Text = join([]Text{out.Text, say("其中%s条未列出，关键时刻前后的均已列出", "%s of them are left out, none around the deciding moments", out.LeftOut)}, "，", "; ")
	}
	return out
}

// phase is what the violation was at a time.
func (x *explainer) phase(at int64) string {
	switch {
	case at < x.start:
		return "before"
	case at > x.end || at == x.end && x.o.End != nil && x.end > x.start:
		return "after"
	case x.reproduced() && x.handed[0].cause.what != causeClock && at < x.handed[0].cause.at(x):
		return "candidate"
	}
	return "open"
}

var phaseWords = map[string]Text{"before": {"此前", "before"}, "candidate": {"待证实", "candidate"}, "open": {"违法中", "open"}, "after": {"此后", "after"}}

func (x *explainer) entry(f *traced) TimelineEntry {
	ev := x.event(f)
	out := TimelineEntry{Time: Time(ev.Time), Type: ev.Kind.String(), Phase: x.phase(ev.Time)}
	switch ev.Kind {
	case ingest.KindPosition:
		x.positionEntry(f, &out)
	case ingest.KindDriverCard:
		if ev.Driver.On {
			out.Text = say("驾驶员卡插入：%s（%s）", "driver's card put in: %s (%s)", ev.Driver.Name, ev.Driver.License)
		} else {
			out.Text = say("驾驶员卡拔出", "driver's card pulled out")
		}
	case ingest.KindWeighing:
		out.Text = say("在站点%s称重，记录%s，总质量%s", "weighed at station %s, record %s, gross mass %s", ev.Weighing.Station, ev.Weighing.Record, sayKg(ev.Weighing.GrossKg))
	case ingest.KindWaybill:
		out.Text = say("上报电子运单%s", "waybill %s reported", ev.Waybill.Number)
	case ingest.KindSafety:
		out.Text = say("%s报警%s，%s，报警号%s", "alarm of %s: %s, %s, number %s", ev.Safety.System, ev.Safety.Kind, flagWords(ev.Safety.Flag), strconv.FormatUint(uint64(ev.Safety.AlarmID), 10))
	case ingest.KindLink:
		if ev.Link.Online {
			out.Text = say("终端上线", "terminal online")
		} else {
			out.Text = say("终端离线（%s）", "terminal offline (%s)", ev.Link.Reason)
		}
	default:
		out.Text = Text{ev.Kind.String(), ev.Kind.String()}
	}
	return out
}

func flagWords(flag string) Text {
	switch flag {
	case "start":
		return Text{"开始", "start"}
	case "end":
		return Text{"结束", "end"}
	}
	return Text{"无起止标志", "no flag"}
}

// qualityWords say why a position is no fix.
var qualityWords = [qualityCount]Text{QualityFuture: {"时间超前于接收时间，不采信", "its time is ahead of when it was received: not believed"},
	QualityPast:      {"时间过早，终端时钟有误，不采信", "far too old: its clock is wrong, not believed"},
	QualityEncrypted: {"坐标加密，不作判定", "coordinates encrypted: not judged"}, QualityUnlocated: {"未定位", "not located"},
	QualityPlace: {"位置在国境之外，不采信", "outside of the country: not believed"}, QualitySpeed: {"速度不可能，不采信", "an impossible speed: not believed"},
	QualityDuplicate: {"同一时刻重复报告，以先到者为准", "one of this time was there before: that one counts"}, QualityLate: {"迟到", "late"},
	QualityJump: {"位置跳变，不采信", "a jump: not believed"}}

// stateWords say how a fix was judged.
var stateWords = map[string]Text{"moving": {"行驶", "moving"}, "stopped": {"停车", "stopped"}, "no_speed": {"未报速度", "no speed reported"},
	"new_stop": {"停车开始", "a stop begins"}, "waited": {"待后一点判定", "judged with the next fix"}, "spike": {"速度突跳，不采信", "a spike: the speed is not believed"},
	"lone": {"停车中的孤立漂移点", "belongs to the stop around it"}, "believed": {"跳变经连续核实后采信", "a jump that is believed"},
	"no_segment": {"与前点不相连", "not joined to the fix before"}, "gap": {"此前长时间无定位点", "no fix for long before it"}}

func (x *explainer) positionEntry(f *traced, out *TimelineEntry) {
	p := &x.event(f).Position
	out.Quality = f.quality.String()
	if f.quality != QualityUnlocated && f.quality != QualityEncrypted {
		out.Lat, out.Lon = degrees(p.Lat), degrees(p.Lon)
	}
	var words []Text
	if speedKnown(p.Speed) {
		out.SpeedKmh = ptr(float64(p.Speed) / 10)
		words = append(words, say("%s", "%s", tenthsKmh(p.Speed)))
	}
	if f.quality != QualityOK {
		words = append(words, qualityWords[f.quality])
	}
	gap := false
	if f.is(traceJudged) {
		before := x.fixBefore(x.time(f))
		gap = before != nil && x.time(f)-x.time(before) > x.s.driving.gap
	}
	for _, s := range [...]struct {
		so   bool
		name string
	}{{f.is(traceMoving), "moving"}, {f.is(traceStopped), "stopped"}, {f.is(traceJudged) && !speedKnown(p.Speed), "no_speed"}, {f.is(traceNewStop), "new_stop"},
		{f.is(traceWaited), "waited"}, {f.is(traceSpike), "spike"}, {f.is(traceLone), "lone"}, {f.is(traceBelieved), "believed"}, {f.is(traceBroken), "no_segment"}, {gap, "gap"}} {
		if s.so {
			out.State = append(out.State, s.name)
			words = append(words, stateWords[s.name])
		}
	}
	if p.Alarm != 0 {
		words = append(words, say("报警标志0x%s", "alarm bits 0x%s", strconv.FormatUint(uint64(p.Alarm), 16)))
	}
	out.Text = join(words, "，", ", ")
	if out.Text.empty() {
		out.Text = say("位置", "position")
	}
}
