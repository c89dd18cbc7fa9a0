package detect

import (
	"math"

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
}

// sectionCase is one vehicle between the gates of one section.
type sectionCase struct {
	section int32
	entered float64 // Unix ms, of the first gate
	lat     int32   // where
	lon     int32
	metres  float64 // from the gate to the first fix after it
	out     gatePass
	leaving bool // out is a pass of the last gate at the last fix: the next segment may pass it nearer
	span    span // of the fixes after the gate; its last held fix is the last one before the other gate
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
	metres   float64 // from the gate
	fraction float64 // of the segment
	rest     float64 // metres from there to the end of the segment
}

// passes returns where the segment that leads to the fix passes a gate.
func (m *moment) passes(gate geo.Point, radius float64) (gatePass, bool) {
	from, to := m.v.judged.point(), m.f.point()
	fraction, metres, ok := geo.GatePass(from, to, gate, radius)
	if !ok {
		return gatePass{}, false
	}
	dt := float64(m.f.time - m.v.judged.time)
	return gatePass{float64(m.v.judged.time) + float64(fraction*dt), geo.Interpolate(from, to, fraction), metres, fraction, float64((1 - fraction) * m.segment)}, true
}

func sectionSpeedingFix(e *Engine, m *moment) {
	s := &e.snap.Settings.SectionSpeeding
	v, f := m.v, m.f
	following := v.side != 0 && len(e.sides[v.side-1].sections) > 0
	if e.snap.gates == nil && !following {
		return
	}
	moving := func(f *fix) bool { return speedKnown(f.speed) && f.speed >= e.snap.moving }
	passing := !m.broken && v.judged.time != 0 && s.Enabled && f.time-v.judged.time <= int64(s.SegmentS)*1000 && moving(f) && moving(&v.judged)
	if following {
		e.sectionsGoOn(m, passing)
	}
	if !passing {
		return
	}
	for _, n := range e.snap.gates.near(f.point()) {
		sec := &e.snap.sections[n]
		if !sec.Classes.Empty() && !sec.Classes.Has(v.class) {
			continue
		}
		in, ok := m.passes(sec.first, sec.GateRadiusM)
		if !ok {
			continue
		}
		c := sectionCase{section: n, entered: in.at, lat: in.p.Lat, lon: in.p.Lon, metres: in.rest, span: beginSpan(v, f)}
		// Both gates of a short section may lie on one segment.
		if out, ok := m.passes(sec.last, sec.GateRadiusM); ok && out.at > in.at {
			c.span.held = tally{metres: in.rest - out.rest, evidence: evidenceSeed(&v.id)}
			c.metres, c.out = 0, out
			e.passed(v, sec, &c)
			continue
		}
		if d, _, _ := geo.LinePoint(f.point(), sec.line); d > s.OffLine {
			continue
		}
		e.sectionOf(v, n, c)
	}
}

// sectionOf begins to follow a vehicle from a section's first gate; the last pass of it counts.
func (e *Engine) sectionOf(v *vehicle, n int32, c sectionCase) {
	sd := e.sideOf(v)
	for i := range sd.sections {
		if o := &sd.sections[i]; o.section == n {
			// Nearest at the fix that the segment before led to: it passed the gate there, or nearer.
			if o.span.now.fixes > 2 || c.entered > float64(o.span.start) {
				*o = c
			}
			return
		}
	}
	sd.sections = append(sd.sections, c)
}

// sectionsGoOn takes the sections that the vehicle is in to the next fix.
func (e *Engine) sectionsGoOn(m *moment, passing bool) {
	s := &e.snap.Settings.SectionSpeeding
	v, f := m.v, m.f
	gap := int64(e.snap.Settings.Movement.RunGapS) * 1000
	sd := &e.sides[v.side-1]
	kept := sd.sections[:0]
	for i := range sd.sections {
		c := &sd.sections[i]
		sec := &e.snap.sections[c.section]
		lost := m.broken || !s.Enabled || f.time-v.judged.time > gap
		out, passed := gatePass{}, false
		if passing && !lost {
			out, passed = m.passes(sec.last, sec.GateRadiusM)
		}
		if c.leaving && (!passed || out.metres >= c.out.metres) {
			e.passed(v, sec, c)
			continue
		}
		if lost {
			continue
		}
		if passed {
			c.out, c.leaving = out, out.fraction == 1
			if !c.leaving {
				c.span.held.metres += float64(m.segment - out.rest)
				e.passed(v, sec, c)
				continue
			}
		}
		if d, _, _ := geo.LinePoint(f.point(), sec.line); d > s.OffLine && !c.leaving {
			continue
		}
		c.span.hold()
		kept = append(kept, *c)
	}
	sd.sections = kept
}

// passed judges the way from gate to gate.
func (e *Engine) passed(v *vehicle, sec *section, c *sectionCase) {
	ms := int64(math.RoundToEven(c.out.at - c.entered))
	if ms <= 0 {
		return
	}
	// In 0.1 km/h the mean is 36 × mm / ms.
	limit := int64(sec.SpeedLimit)
	if 36*sec.lengthMm <= limit*ms {
		return
	}
	c.span.start, c.span.startLat, c.span.startLon = int64(math.RoundToEven(c.entered)), c.lat, c.lon
	at := c.span.held
	at.metres += c.metres
	at.time, at.lat, at.lon = c.span.start+ms, c.out.p.Lat, c.out.p.Lon
	o := e.begin(v, KindSectionSpeeding, &c.span, sec.ID)
	o.Section = ptr(sec.ID)
	o.Measured, o.Limit, o.Unit = tenthsOf(36*sec.lengthMm, ms), tenthsOf(limit, 1), ptr("km/h")
	o.OverPct, o.Band = overPct(36*sec.lengthMm-limit*ms, limit*ms)
	o.Basis = []string{"road-speed", "plan-linxian-section"}
	o.Detail["length_m"] = float64(sec.lengthMm) / 1000
	e.finish(o, StateClosed, &c.span, at, nil)
}

// sectionsEnd judges what waited for a segment that does not come.
func sectionsEnd(e *Engine, v *vehicle, _ bool) {
	for i := range e.sides[v.side-1].sections {
		if c := &e.sides[v.side-1].sections[i]; c.leaving {
			e.passed(v, &e.snap.sections[c.section], c)
		}
	}
}

func sectionsRebase(e *Engine, v *vehicle, sd *side, old *Snapshot) {
	kept := sd.sections[:0]
	for i := range sd.sections {
		c := sd.sections[i]
		if c.rebase(e, old.sections[c.section].Section) {
			kept = append(kept, c)
		}
	}
	sd.sections = kept
}

// rebase finds a section again; one whose line is another is begun anew at its first gate.
func (c *sectionCase) rebase(e *Engine, was *Section) bool {
	n, ok := e.snap.sectionByID[was.ID]
	if !ok || was.Line != nil && !was.Line.Equal(e.snap.sections[n].Line) {
		return false
	}
	c.section = n
	return true
}
