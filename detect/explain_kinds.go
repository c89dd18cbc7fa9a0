package detect

import "strconv"

// kindTexts tell every kind of the rule book.
var kindTexts = map[Kind]*kindWords{
	KindSpeeding:        &speedingWords,
	KindSectionSpeeding: &sectionWords,

	KindFatigueContinuous: &fatigueContinuousWords,
	KindFatigueNight:      &fatigueNightWords,
	KindFatigueDaily:      &fatigueDailyWords,
	KindFatigueWeekly:     &fatigueWeeklyWords,
	KindFatigueSevere:     &fatigueSevereWords,
	KindNightDriving:      &nightDrivingWords,

	KindFenceEntry:     &fenceEntryWords,
	KindFenceCrossing:  &fenceCrossingWords,
	KindFenceExit:      &fenceExitWords,
	KindFenceStop:      &fenceStopWords,
	KindFenceStay:      &fenceStayWords,
	KindRouteDeviation: &routeDeviationWords,
	KindUnfiledEntry:   &unfiledEntryWords,

	KindOverload:       &overloadWords,
	KindHundredTonne:   &hundredTonneWords,
	KindOversize:       &oversizeWords,
	KindPermitMismatch: &permitMismatchWords,
	KindWeighEvasion:   &weighEvasionWords,
	KindNoWaybill:      &noWaybillWords,

	KindGoneDark:            &goneDarkWords,
	KindOfflineDisplacement: &offlineWords,
	KindUnmonitoredRunning:  &unmonitoredWords,
	KindPositionConflict:    &conflictWords,
	KindFrozenPosition:      &frozenWords,

	KindTampering:      &tamperingWords,
	KindOvercrowding:   &overcrowdingWords,
	KindTerminalAlarm:  &terminalAlarmWords,
	KindDriverBehavior: &driverBehaviorWords,
	KindCollisionRisk:  &collisionRiskWords,
}

// wordsOf returns how a kind is told. A record of a kind that this version does not know is told by what it says itself.
func wordsOf(k Kind) *kindWords {
	if w := kindTexts[k]; w != nil {
		return w
	}
	return &kindWords{name: Text{string(k), string(k)}, rule: func(*explainer) []Text {
		return []Text{say("本版本不含该种类的规则文字，请以规则书为准", "this version has no words for this kind; see the rule book")}
	}}
}

// unitWords are the units of records.
var unitWords = map[string]Text{"km/h": {"公里/小时", " km/h"}, "h": {"小时", " h"}, "min": {"分钟", " min"}, "kg": {"千克", " kg"}, "mm": {"毫米", " mm"},
	"m": {"米", " m"}, "km": {"公里", " km"}, "s": {"秒", " s"}}

// known is a value of a record, nothing where the record has none.
func known[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// amount is a value of a record with its unit; a dash where it has none.
func amount(v *float64, unit *string) Text {
	if v == nil {
		return Text{"—", "—"}
	}
	n := strconv.FormatFloat(*v, 'f', -1, 64)
	if unit == nil {
		return Text{n, n}
	}
	u, ok := unitWords[*unit]
	if !ok {
		u = Text{*unit, " " + *unit}
	}
	return Text{n + u.Zh, n + u.En}
}

var colorWords = map[uint8]Text{1: {"蓝", "blue"}, 2: {"黄", "yellow"}, 3: {"黑", "black"}, 4: {"白", "white"}, 5: {"绿", "green"}, 9: {"其他颜色", "other colour"},
	91: {"农黄", "farm yellow"}, 92: {"农绿", "farm green"}, 93: {"黄绿", "yellow-green"}, 94: {"渐变绿", "shaded green"}}

// summary is the violation in a sentence: who, when, what, how much.
func (x *explainer) summary() Text {
	o := x.o
	color, ok := colorWords[uint8(o.Color)]
	if !ok {
		color = say("颜色%s", "colour %s", uint8(o.Color))
	}
	class, _ := ParseClass(o.Class)
	parts := []Text{say("%s（%s牌，%s）", "%s (%s plate, %s)", o.Plate, color, classWords[class])}
	if o.Driver != nil {
		parts = append(parts, say("驾驶员%s（从业资格证号%s）", "driver %s (licence %s)", o.Driver.Name, o.Driver.License))
	}
	switch {
	case o.End == nil:
		parts = append(parts, say("自%s起", "since %s", o.Start))
	case *o.End == o.Start:
		parts = append(parts, say("于%s", "at %s", o.Start))
	default:
		parts = append(parts, say("自%s至%s", "from %s to %s", o.Start, *o.End))
	}
	parts = append(parts, x.words.name)
	if o.Measured != nil {
		parts = append(parts, say("实测%s", "measured %s", amount(o.Measured, o.Unit)))
	}
	if o.Limit != nil {
		parts = append(parts, say("限值%s", "limit %s", amount(o.Limit, o.Unit)))
	}
	if o.OverPct != nil {
		parts = append(parts, say("超过%s", "over by %s", sayPct(*o.OverPct)))
	}
	if o.State == StateRetracted {
		parts = append(parts, say("已撤销", "retracted"))
	}
	return join(parts, "，", ", ")
}
