package detect

// Displacement while offline (离线位移): two fixes in a row that are 30 minutes or more and more than 20 km apart, neither in a blind
// fence. It is decided when the clock is 2 hours past the second's received, because what was stored on the way may still come.
// Where three jumps became fixes nobody knows how the vehicle came there: that is not judged.

// offlineCase is a displacement that is not yet decided.
type offlineCase struct {
	second   int64 // time of the second fix
	received int64 // when it came
	at       int64 // when it is decided; 0: the second fix is not judged yet
	metres   float64
	span     span
}

func offlineAdmitted(e *Engine, v *vehicle, f *fix, received int64) {
	s := &e.snap.Settings.OfflineDisplacement
	if last := e.lastOf(v).time; last == 0 || f.time-last < int64(s.SilentS)*1000 || !s.Enabled || !e.monitored(v) {
		return
	}
	sd := e.rareOf(v)
	sd.offline = append(sd.offline, offlineCase{second: f.time, received: received})
}

func offlineFix(e *Engine, m *moment) {
	v, f := m.v, m.f
	if v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	for i := range sd.offline {
		c := &sd.offline[i]
		if c.at != 0 || c.second != f.time {
			continue
		}
		s := &e.snap.Settings.OfflineDisplacement
		first := &v.judged
		if m.segment <= s.Least || // also where no segment leads here
			e.blindAmong(v, m.hits, f.time) || e.blindAt(v, m.from, first.time) {
			sd.offline = append(sd.offline[:i], sd.offline[i+1:]...)
			return
		}
		c.metres, c.at, c.span = m.segment, c.received+int64(s.DecideS)*1000, e.beginSpan(v, first)
		c.span.extend(f, m.segment)
		e.wakeAt(v, wakeOffline, c.at)
		return
	}
}

func offlineDue(e *Engine, v *vehicle, what wake, _ int64) {
	if what != wakeOffline || v.side == 0 {
		return
	}
	sd := e.sides[v.side-1]
	kept := sd.offline[:0]
	for i := range sd.offline {
		c := &sd.offline[i]
		if c.at == 0 || c.at > e.clock {
			kept = append(kept, *c)
			continue
		}
		o := e.begin(v, KindOfflineDisplacement, &c.span, "")
		o.Measured, o.Unit = ptr(tenth(c.metres/1000)), ptr("km")
		o.Basis = []string{"monitoring-online"}
		e.finish(o, StateClosed, &c.span, c.span.now, nil)
	}
	sd.offline = kept
}

func offlineLoad(e *Engine, v *vehicle) {
	if v.side == 0 {
		return
	}
	for i := range e.sides[v.side-1].offline {
		if c := &e.sides[v.side-1].offline[i]; c.at != 0 {
			e.wakeAt(v, wakeOffline, c.at)
		}
	}
}
