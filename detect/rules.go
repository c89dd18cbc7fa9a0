package detect

import "lushao/ingest"

// rule is one kind of violation. Its functions open, extend and close violations through Engine.emit; each is nil where the
// rule has no use for it.
type rule struct {
	kind Kind
	// fix sees every fix of a vehicle, in order of time.
	fix func(e *Engine, m *moment)
	// position sees every position that passes the gate's first test, located or not, in order of time, before its fix. Of
	// positions of one time it sees all. What is in the vehicle is still of the position before.
	position func(e *Engine, v *vehicle, ev *ingest.Event)
	// safety sees every alarm of an assistance system.
	safety func(e *Engine, v *vehicle, ev *ingest.Event)
	// due is called when the clock has come to a time that was asked for with wakeAt; it looks at what itself asked for.
	due func(e *Engine, v *vehicle, what wake, at int64)
	// load asks for the wakes of a vehicle again, whose state was read back.
	load func(e *Engine, v *vehicle)
	// weighing sees every weighing of a vehicle.
	weighing func(e *Engine, v *vehicle, ev *ingest.Event)
	// rebase puts what is going on onto a new snapshot: numbers of fences change with it.
	rebase func(e *Engine, v *vehicle, sd *side, old *Snapshot)
	// end closes what is open because there are no more data, or shows it as open; the vehicle has a side record.
	end func(e *Engine, v *vehicle, close bool)
}

// rules is the list of all rules, in the order in which they see an event. fence_stay, unfiled_entry and the bypasses of
// weigh_evasion are found by the same functions as fence_entry: what being inside of a fence means, its kind says (inside.go).
var rules = []rule{
	{kind: KindSpeeding, fix: speedingFix, rebase: speedingRebase, end: speedingEnd},
	{kind: KindSectionSpeeding, fix: sectionSpeedingFix, rebase: sectionsRebase, end: sectionsEnd},
	{kind: KindFenceEntry, fix: insideFix, rebase: insideRebase, end: insideEnd},
	{kind: KindFenceStay},
	{kind: KindUnfiledEntry},
	{kind: KindFenceCrossing, fix: fenceCrossingFix},
	{kind: KindFenceExit, fix: fenceExitFix, rebase: outsideRebase, end: outsideEnd},
	{kind: KindRouteDeviation, fix: routeDeviationFix}, // taken on and ended with fence_exit
	{kind: KindFenceStop, fix: fenceStopFix, rebase: stopsRebase, end: stopsEnd},
	{kind: KindOverload, weighing: overloadWeighing},
	{kind: KindFatigueContinuous, fix: fatigueFix, rebase: fatigueRebase, end: fatigueEnd}, // and the next four
	{kind: KindFatigueNight},
	{kind: KindFatigueDaily},
	{kind: KindFatigueWeekly},
	{kind: KindFatigueSevere},
	{kind: KindNightDriving, fix: nightDrivingFix, rebase: nightDrivingRebase, end: nightDrivingEnd},
	{kind: KindHundredTonne, weighing: hundredTonneWeighing},
	{kind: KindOversize, weighing: oversizeWeighing},
	{kind: KindPermitMismatch, weighing: permitMismatchWeighing},
	{kind: KindWeighEvasion, weighing: weighEvasionWeighing, due: weighEvasionDue, load: weighEvasionLoad}, // bypasses are found with fence_entry
	{kind: KindNoWaybill, position: noWaybillPosition, fix: noWaybillFix, load: noWaybillPapers, rebase: noWaybillRebase, end: noWaybillEnd},
	{kind: KindGoneDark, fix: goneDarkFix, position: goneDarkPosition, due: goneDarkDue, load: goneDarkLoad, end: goneDarkEnd},
	{kind: KindOfflineDisplacement, fix: offlineFix, due: offlineDue, load: offlineLoad},
	{kind: KindUnmonitoredRunning, weighing: unmonitoredWeighing, position: unmonitoredPosition, due: unmonitoredDue, load: unmonitoredLoad},
	{kind: KindPositionConflict, weighing: conflictWeighing, due: conflictDue, load: conflictLoad},
	{kind: KindFrozenPosition, fix: frozenFix, end: frozenEnd},
	{kind: KindTerminalAlarm, position: alarmPosition, fix: alarmFix, end: alarmEnd}, // position and fix are those of all five
	{kind: KindOvercrowding},
	{kind: KindTampering, end: tamperingEnd},
	{kind: KindDriverBehavior, safety: safetyEvent, due: safetyDue, load: safetyLoad, end: safetyEnd}, // and the next
	{kind: KindCollisionRisk},
}

// Kinds lists the kinds of violations that the engine finds.
func Kinds() []Kind {
	out := make([]Kind, len(rules))
	for i := range rules {
		out[i] = rules[i].kind
	}
	return out
}
