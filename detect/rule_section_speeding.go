package detect

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"

	"lushao/geo"
)

// Section speeding (区间超速): from the first vertex of a section's line to its last, the mean speed is over the section's limit. A
// gate is passed on a segment of 60 s at most, both ends moving, that comes within gate_radius_m, at its nearest point, linear in
// distance. Every fix between lies within 200 m of the line, and no two are more than 5 min apart. Basis: 临县方案附件7（六）1.

// section is a section as the engine uses it.
type section struct {
	*Section
	line        []geo.Point
	first, last geo.Point
	lengthMm    int64
	sum         uint64 // of the line: after a restart it tells whether it is still the same
}

// sectionCase is one vehicle between the gates of one section.
type sectionCase struct {
	section int32
	entered float64 // Unix ms, of the first gate
	lat     int32   // where
	lon     int32
	metres  float64 // from the gate to the first fix after it
	miss    float64 // metres of the section that the pass of the first gate does not prove
	out     gatePass
	leaving bool // out is a pass of the last gate at the last fix: the next segment may pass it nearer
	span    span // of the fixes after the gate; while leaving, held is what lies between the gates
}

// gateCells tells quickly that no gate is near: a bit for each cell of the grid in which a segment may end that passes one,
// by a hash of the cell. Cells are wide enough that a segment of a minute at the gate's greatest speed spans at most two.
type gateCells struct {
	bits [1 << 10]uint64
	list map[gateCell][]int32 // sections with a gate in the cell or beside it
}

type gateCell struct{ lat, lon int32 }

const gateCellSize = 100_000 // 1e-6 degree: 11 km, at the country's northern end 6.6 km from west to east

func gateCellOf(p geo.Point) gateCell { return gateCell{p.Lat / gateCellSize, p.Lon / gateCellSize} }

func (c gateCell) bit() uint32 {
	return (uint32(c.lat)*2654435761 ^ uint32(c.lon)*2246822519) >> 16
}

func (g *gateCells) add(p geo.Point, n int32) {
	at := gateCellOf(p)
	for dLat := int32(-1); dLat <= 1; dLat++ {
		for dLon := int32(-1); dLon <= 1; dLon++ {
			c := gateCell{at.lat + dLat, at.lon + dLon}
			g.bits[c.bit()>>6] |= 1 << (c.bit() & 63)
			if l := g.list[c]; len(l) == 0 || l[len(l)-1] != n {
				g.list[c] = append(l, n)
			}
		}
	}
}

func (g *gateCells) near(p geo.Point) []int32 {
	c := gateCellOf(p)
	if b := c.bit(); g.bits[b>>6]&(1<<(b&63)) == 0 {
		return nil
	}
	return g.list[c]
}

// gatePass is when and where a gate was passed.
type gatePass struct {
	at       float64 // Unix ms
	p        geo.Point
	fraction float64 // of the segment
	rest     float64 // metres from there to the end of the segment
	miss     float64 // metres of the section that the pass does not prove: nearest at a fix, the vehicle may have turned there
}

// passes returns where the segment that leads to the fix passes a gate.
func (m *moment) passes(gate geo.Point, radius float64) (gatePass, bool) {
	from, to := m.v.judged.point(), m.f.point()
	fraction, metres, ok := geo.GatePass(from, to, gate, radius)
	if !ok {
		return gatePass{}, false
	}
	dt := float64(m.f.time - m.v.judged.time)
	p := gatePass{at: float64(m.v.judged.time) + float64(fraction*dt), p: geo.Interpolate(from, to, fraction), fraction: fraction,
		rest: float64((1 - fraction) * m.segment)}
	if fraction == 0 || fraction == 1 {
		p.miss = metres
	}
	return p, true
}

func sectionSpeedingFix(e *Engine, m *moment) {
	s := &e.snap.Settings.SectionSpeeding
	v, f := m.v, m.f
	moving := func(f *fix) bool { return speedKnown(f.speed) && f.speed >= e.snap.moving }
	p := &e.passing
	p.before = v.has(flagPassing)
	p.now = !m.broken && v.judged.time != 0 && s.Enabled && f.time-v.judged.time <= int64(s.SegmentS)*1000 && moving(f) && moving(&v.judged)
	v.set(flagPassing, p.now)
	following := v.side != 0 && len(e.sides[v.side-1].sections) > 0
	if e.snap.gates == nil && !following {
		return
	}
	e.near = e.near[:0]
	if following {
		sd := e.sides[v.side-1]
		kept := sd.sections[:0]
		for i := range sd.sections {
			c := sd.sections[i]
			e.near = append(e.near, c.section)
			if e.sectionGoesOn(m, &c, true) {
				kept = append(kept, c)
			}
		}
		sd.sections = kept
	}
	if !p.now {
		return
	}
	for _, n := range e.snap.gates.near(f.point()) {
		sec := &e.snap.sections[n]
		if !sec.Classes.Empty() && !sec.Classes.Has(v.class) || slices.Contains(e.near, n) {
			continue
		}
		c := sectionCase{section: n}
		if e.sectionGoesOn(m, &c, false) {
			sd := e.placesOf(v)
			sd.sections = append(e.spare.sections.room(sd.sections), c)
		}
	}
}

// passing says whether a gate may be passed on the segment that leads to the fix, and on the one before.
type passing struct{ now, before bool }

// sectionGoesOn takes a section to the next fix. between tells whether the vehicle has passed the first gate, and the result
// whether it is between the gates now.
//
// Of a way that comes near a gate on several segments one after another the nearest point is the pass: a pass at the
// beginning of a segment is none where the segment before could pass too, and one of the last gate at the end of a segment
// waits for the next.
func (e *Engine) sectionGoesOn(m *moment, c *sectionCase, between bool) bool {
	s := &e.snap.Settings.SectionSpeeding
	v, f := m.v, m.f
	sec := &e.snap.sections[c.section]
	var in, out gatePass
	enters, leaves := false, false
	if e.passing.now {
		in, enters = m.passes(sec.first, sec.GateRadiusM)
		out, leaves = m.passes(sec.last, sec.GateRadiusM)
	}
	if between && c.leaving {
		if !leaves || out.fraction == 0 {
			e.passed(v, sec, c, c.span.held)
			between = false
		}
		c.leaving = false
	}
	enters = enters && !(in.fraction == 0 && e.passing.before)
	leaves = leaves && !(out.fraction == 0 && e.passing.before)
	if m.broken || !s.Enabled || f.time-v.judged.time > int64(e.snap.Settings.Movement.RunGapS)*1000 {
		between = false
	}
	if enters && (!leaves || in.at < out.at) { // the last pass of the first gate counts
		c.enter(e, m, in)
		between, enters = true, false
	}
	if between && leaves && out.at > c.entered {
		c.out = out
		at := c.span.now
		if millis(out.at) < f.time {
			at = c.span.before
			at.metres += m.segment
		}
		at.metres -= out.rest
		if out.fraction == 1 {
			c.leaving, c.span.held = true, at
			return true
		}
		e.passed(v, sec, c, at)
		between = false
	}
	if enters {
		c.enter(e, m, in)
		between = true
	}
	if !between {
		return false
	}
	d, _, _ := geo.LinePoint(f.point(), sec.line)
	return d <= s.OffLine
}

// enter says that the vehicle passes the first gate on the segment that leads to the fix.
func (c *sectionCase) enter(e *Engine, m *moment, in gatePass) {
	*c = sectionCase{section: c.section, entered: in.at, lat: in.p.Lat, lon: in.p.Lon, metres: in.rest, miss: in.miss}
	if millis(in.at) <= m.v.judged.time { // at the fix before, which counts then
		c.span = e.beginSpan(m.v, &m.v.judged)
		c.span.extend(m.f, m.segment)
		c.metres -= m.segment
		return
	}
	c.span = e.beginSpan(m.v, m.f)
	id := e.idOf(m.v)
	c.span.before = tally{metres: -m.segment, evidence: evidenceSeed(&id)}
}

// millis rounds Unix ms to whole ones.
func millis(t float64) int64 { return int64(math.RoundToEven(t)) }

// passed judges the way from gate to gate; at is what lies between.
func (e *Engine) passed(v *vehicle, sec *section, c *sectionCase, at tally) {
	start, end := millis(c.entered), millis(c.out.at)
	ms := end - start
	if ms <= 0 {
		return
	}
	// In 0.1 km/h the mean is 36 × mm / ms.
	limit := int64(sec.SpeedLimit)
	if 36*(sec.lengthMm-int64(math.Round((c.miss+c.out.miss)*1000))) <= limit*ms {
		return
	}
	s := c.span
	s.start, s.startLat, s.startLon = start, c.lat, c.lon
	at.metres += c.metres
	at.time, at.lat, at.lon = end, c.out.p.Lat, c.out.p.Lon
	o := e.begin(v, KindSectionSpeeding, &s, sec.ID)
	o.Section = ptr(sec.ID)
	o.Measured, o.Limit, o.Unit = tenthsOf(36*sec.lengthMm, ms), tenthsOf(limit, 1), ptr("km/h")
	o.OverPct, o.Band = overPct(36*sec.lengthMm-limit*ms, limit*ms)
	o.Basis = []string{"road-speed", "plan-linxian-section"}
	o.Detail["length_m"] = float64(sec.lengthMm) / 1000
	e.finish(o, StateClosed, &s, at, nil)
}

// sectionsEnd judges what waited for a segment that does not come.
func sectionsEnd(e *Engine, v *vehicle, _ bool) {
	for i := range e.sides[v.side-1].sections {
		if c := &e.sides[v.side-1].sections[i]; c.leaving {
			e.passed(v, &e.snap.sections[c.section], c, c.span.held)
		}
	}
}

func sectionsRebase(e *Engine, v *vehicle, sd *side, old *Snapshot) {
	kept := sd.sections[:0]
	for i := range sd.sections {
		c := &sd.sections[i]
		if was := &old.sections[c.section]; c.rebase(e, was.ID, was.sum) {
			kept = append(kept, *c)
		}
	}
	sd.sections = kept
}

// rebase finds a section again; one whose line is another is begun anew at its first gate.
func (c *sectionCase) rebase(e *Engine, id string, sum uint64) bool {
	n, ok := e.snap.sectionByID[id]
	if !ok || e.snap.sections[n].sum != sum {
		return false
	}
	c.section = n
	return true
}

func sumOf(line []geo.Point) uint64 {
	h := fnv.New64a()
	for _, p := range line {
		h.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(p.Lat)), uint32(p.Lon)))
	}
	return h.Sum64()
}
