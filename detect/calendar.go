package detect

// Beijing time is computed by hand: the zone has been UTC+8 without summer time since 1992, and the hot path can't afford
// package time.
const (
	beijingMs = 8 * 3600 * 1000
	dayMs     = 86400 * 1000
	minuteMs  = 60 * 1000
)

// dayStart returns the Unix ms of the Beijing midnight at or before t.
func dayStart(t int64) int64 {
	local := t + beijingMs
	d := local % dayMs
	if d < 0 {
		d += dayMs
	}
	return t - d
}

// weekday returns 0 for Monday to 6 for Sunday, in Beijing.
func weekday(t int64) int {
	days := (dayStart(t) + beijingMs) / dayMs
	return int(((days+3)%7 + 7) % 7) // 1970-01-01 was a Thursday
}

// hours is a daily window in minutes of the day, [from, to), over midnight when to <= from.
type hours struct{ from, to uint16 }

func (h hours) contains(t int64) bool {
	m := uint16((t - dayStart(t)) / minuteMs)
	if h.from < h.to {
		return h.from <= m && m < h.to
	}
	return m >= h.from || m < h.to
}

// inForce reports whether t lies in one of the windows, and if so until when: the greatest end of the windows that hold
// t. No window at all means always, with end 0.
func inForce(windows []Window, t int64) (ok bool, until int64) {
	if len(windows) == 0 {
		return true, 0
	}
	for _, w := range windows {
		if in, end := w.at(t); in {
			ok, until = true, max(until, end)
		}
	}
	if !ok {
		return false, 0
	}
	// Windows that touch or overlap are one: the end that counts is where none goes on.
	for again := true; again; {
		again = false
		for _, w := range windows {
			if in, end := w.at(until); in && end > until && end-t <= 8*dayMs {
				until, again = end, true
			}
		}
	}
	return true, until
}

// at reports whether t lies in the window, and its end. The window belongs to the day on which it begins: that may have
// been yesterday.
func (w Window) at(t int64) (bool, int64) {
	today := dayStart(t)
	for day := today; day >= today-dayMs; day -= dayMs {
		if w.Days&(1<<weekday(day)) == 0 || !w.hasDay(day) {
			continue
		}
		start := day + int64(w.From)*minuteMs
		end := day + int64(w.To)*minuteMs
		if w.To <= w.From {
			end += dayMs
		}
		if start <= t && t < end {
			return true, end
		}
	}
	return false, 0
}

// hasDay reports whether a day, by its midnight, is one of those between the window's first and last.
func (w Window) hasDay(day int64) bool {
	n := DayNumber(day)
	return n >= w.FirstDay && (w.LastDay == 0 || n <= w.LastDay)
}

// DayNumber is the number of the Beijing day that holds a time, from 1970-01-01.
func DayNumber(t int64) int32 { return int32((dayStart(t) + beijingMs) / dayMs) }
