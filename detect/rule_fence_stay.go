package detect

// Overstaying (区域超时停留): inside a max_stay fence for longer than its max_stay_s. It starts with the entry.
var fenceStayRule = insideRule{
	enabled: func(s *Settings) bool { return s.FenceStay.Enabled },
	means:   func(_ *Engine, _ *vehicle, fc *fence) bool { return fc.MaxStayS != 0 },
	opens: func(_ *Engine, _ *vehicle, fc *fence, c *fenceCase) (now, never bool) {
		return c.span.held.time-c.span.start > int64(fc.MaxStayS)*1000, false
	},
	record: func(e *Engine, v *vehicle, c *fenceCase, fc *fence, id string, state State, at tally, notes []string) {
		o := e.recordInside(v, KindFenceStay, c, id)
		stayed := at.time - c.span.start
		o.Measured, o.Unit = tenthsOf(stayed, minuteMs/10), ptr("min")
		if fc != nil {
			most := int64(fc.MaxStayS) * 1000
			o.Limit = tenthsOf(most, minuteMs/10)
			o.OverPct, o.Band = overPct(stayed-most, most)
		}
		o.Basis = []string{}
		e.finish(o, state, &c.span, at, notes)
	},
}
