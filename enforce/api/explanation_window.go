package api

import (
	"time"

	"lushao/detect"
)

// window is what must be judged again around a violation: from so long before its start to so long after its end.
type window struct{ before, after time.Duration }

// usualWindow is enough for what is decided by a few fixes: a stop, a run, a fence. What comes after ends or disproves it.
var usualWindow = window{2 * time.Hour, time.Hour}

// windows are those of kinds that look farther; the numbers of the settings that they follow are added in windowOf.
var windows = map[detect.Kind]window{
	detect.KindFatigueContinuous: {24 * time.Hour, 2 * time.Hour},
	detect.KindFatigueNight:      {24 * time.Hour, 2 * time.Hour},
	detect.KindFatigueSevere:     {48 * time.Hour, 2 * time.Hour}, // the first of two may be a day before, and has a stretch of its own
	detect.KindFatigueDaily:      {24 * time.Hour, 24 * time.Hour},
	detect.KindFatigueWeekly:     {24 * time.Hour, 24 * time.Hour},
	detect.KindNoWaybill:         {24 * time.Hour, 3 * time.Hour}, // whether the vehicle ever reported a load

	detect.KindOfflineDisplacement: {2 * time.Hour, 3 * time.Hour},
	detect.KindWeighEvasion:        {2 * time.Hour, 2 * time.Hour},
	detect.KindPositionConflict:    {3 * time.Hour, 3 * time.Hour},
}

// windowOf returns what must be judged again around a violation.
func windowOf(v *detect.Violation, s *detect.Settings) (w window) {
	w, ok := windows[v.Kind]
	if !ok {
		w = usualWindow
	}
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	switch v.Kind {
	case detect.KindFatigueDaily: // a sum is over until it has fallen: as long as it goes back
		w.before, w.after = w.before+seconds(s.FatigueDaily.WindowS), w.after+seconds(s.FatigueDaily.WindowS)
	case detect.KindFatigueWeekly:
		w.before, w.after = w.before+seconds(s.FatigueWeekly.WindowS), w.after+seconds(s.FatigueWeekly.WindowS)
	case detect.KindFatigueContinuous, detect.KindFatigueNight, detect.KindFatigueSevere:
		if t, ok := v.Detail["stretch_start"].(string); ok { // since the rest before the stretch
			var from detect.Time
			if from.UnmarshalJSON([]byte(`"`+t+`"`)) == nil && from < v.Start {
				w.before = max(w.before, time.Duration(v.Start-from)*time.Millisecond+2*seconds(s.Driving.RestS)+time.Hour)
			}
		}
		w.after = max(w.after, 2*seconds(s.Driving.RestS))
	case detect.KindNoWaybill:
		w.after = max(w.after, seconds(s.NoWaybill.StopS)+time.Hour)
	case detect.KindOfflineDisplacement:
		w.after = max(w.after, seconds(s.OfflineDisplacement.DecideS)+time.Hour)
	}
	return w
}
