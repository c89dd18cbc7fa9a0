package detect

// Fence entry (驶入禁行区域): inside a forbidden fence that means the vehicle and is in force. Basis: 危险货物道路运输安全管理办法
// art. 49; 公路安全保护条例 art. 42; 道路交通安全法 art. 39.
var fenceEntryRule = insideRule{
	enabled: func(s *Settings) bool { return s.FenceEntry.Enabled || s.FenceCrossing.Enabled },
	opens: func(e *Engine, _ *vehicle, _ *fence, _ *fenceCase) (now, never bool) {
		on := e.snap.Settings.FenceEntry.Enabled
		return on, !on
	},
	record: func(e *Engine, v *vehicle, c *fenceCase, _ *fence, id string, state State, at tally, notes []string) {
		o := e.recordInside(v, KindFenceEntry, c, id)
		o.Basis = restrictedAreaBasis(v.class)
		e.finish(o, state, &c.span, at, notes)
	},
}

func restrictedAreaBasis(c Class) []string {
	if c == ClassHazmat {
		return []string{"haz-restricted-area", "road-protection"}
	}
	return []string{"restricted-area"}
}
