package detect

// What the rules about monitoring remember of a vehicle, in a checkpoint.

func (e *Engine) writeMonitoring(w *stateWriter, sd *side) {
	w.u32(uint32(len(sd.dark)))
	for i := range sd.dark {
		c := &sd.dark[i]
		w.u64(uint64(c.end))
		w.truth(c.told)
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.offline)))
	for i := range sd.offline {
		c := &sd.offline[i]
		w.u64(uint64(c.second))
		w.u64(uint64(c.received))
		w.u64(uint64(c.at))
		w.f64(c.metres)
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.frozen)))
	for i := range sd.frozen {
		c := &sd.frozen[i]
		w.truth(c.byMileage)
		w.truth(c.opened)
		w.u32(c.mileage)
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.unmonitored)))
	for i := range sd.unmonitored {
		c := &sd.unmonitored[i]
		e.writeWeighedAt(w, &c.weighedAt)
		w.u64(uint64(c.at))
		w.truth(c.told)
		w.truth(c.settled)
	}
	w.u32(uint32(len(sd.conflicts)))
	for i := range sd.conflicts {
		c := &sd.conflicts[i]
		e.writeWeighedAt(w, &c.weighedAt)
		w.u64(uint64(c.received))
		w.mark(&c.before)
		w.mark(&c.after)
		w.truth(c.listed)
		w.truth(c.faulty)
		w.truth(c.told)
	}
}

func (e *Engine) readMonitoring(r *stateReader, sd *side) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := darkCase{end: int64(r.u64()), told: r.truth()}
		e.readSpan(r, &c.span)
		sd.dark = append(sd.dark, c)
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := offlineCase{second: int64(r.u64()), received: int64(r.u64()), at: int64(r.u64()), metres: r.f64()}
		e.readSpan(r, &c.span)
		sd.offline = append(sd.offline, c)
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := frozenCase{byMileage: r.truth(), opened: r.truth(), mileage: r.u32()}
		e.readSpan(r, &c.span)
		sd.frozen = append(sd.frozen, c)
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := unmonitoredCase{weighedAt: e.readWeighedAt(r)}
		c.at, c.told, c.settled = int64(r.u64()), r.truth(), r.truth()
		sd.unmonitored = append(sd.unmonitored, c)
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := conflictCase{weighedAt: e.readWeighedAt(r), received: int64(r.u64()), before: r.mark(), after: r.mark()}
		c.listed, c.faulty, c.told = r.truth(), r.truth(), r.truth()
		sd.conflicts = append(sd.conflicts, c)
	}
}
