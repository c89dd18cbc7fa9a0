package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"lushao/geo"
	"lushao/ingest"
)

// A checkpoint is the engine's state as records of vehicles, each complete in itself: drivers and fences stand in it by
// name, not by number, so that it can be read with another snapshot and in any grouping. Numbers are little-endian.
//
// stateVersion changes with the layout. A state of another version is refused: the caller then goes back in the log.
const stateVersion = 7

// ErrStateVersion says that a checkpoint was written by another version of the engine.
var ErrStateVersion = errors.New("checkpoint: written by another version of the engine")

// AppendState appends the state of vehicles from (by order of first appearance) until their bytes reach limit, or all are
// there; one vehicle at least, where there is one. It returns the next vehicle to go on with; Vehicles() when done. An engine without
// vehicles may have state too: it is written with the first call.
func (e *Engine) AppendState(dst []byte, from, limit int) (out []byte, next int) {
	start := len(dst)
	w := stateWriter{b: append(dst, stateVersion)}
	w.u64(uint64(e.clock))
	e.writeShadows(&w)
	w.truth(from == 0) // what belongs to no vehicle is with the first
	if from == 0 {
		e.writeUnread(&w)
		for _, sh := range e.shadows {
			sh.writeUnread(&w)
		}
	}
	for next = from; next < e.store.count && (next == from || len(w.b)-start < limit); next++ {
		e.writeVehicle(&w, e.store.at(uint32(next)))
		e.writeShadowed(&w, e.store.at(uint32(next)))
	}
	return w.b, next
}

// LoadState adds vehicles that AppendState wrote. Vehicles that are there already are an error.
func (e *Engine) LoadState(b []byte) error {
	if len(b) == 0 {
		return errors.New("checkpoint: empty")
	}
	if b[0] != stateVersion {
		return ErrStateVersion
	}
	r := stateReader{b: b[1:]}
	e.clock = max(e.clock, int64(r.u64()))
	e.out, e.mark, e.visits = e.out[:0], 0, e.visits[:0]
	shadows := e.readShadows(&r)
	if r.truth() {
		e.readUnread(&r)
		for _, sh := range shadows {
			sh.readUnread(&r)
		}
	}
	for len(r.b) > 0 && r.err == nil {
		e.loadVehicle(&r)
		e.readShadowed(&r, shadows)
	}
	e.keepRebased()
	e.keepShadowed(shadows)
	return r.err
}

// loadVehicle reads a vehicle and asks again for what its rules had asked for.
func (e *Engine) loadVehicle(r *stateReader) {
	before := e.store.count
	e.readVehicle(r)
	if r.err == nil && e.store.count > before {
		v := e.store.at(uint32(before))
		for _, o := range e.whole.rules {
			if o.load != nil {
				o.load(e, v)
			}
		}
	}
}

func (e *Engine) writeVehicle(w *stateWriter, v *vehicle) {
	id := e.idOf(v)
	w.text(id.Plate())
	w.u8(byte(id.Color))
	w.fix(&v.judged)
	if held := e.heldOf(v); held != nil {
		w.fix(held)
	} else {
		w.fix(&fix{})
	}
	w.u32(uint32(v.stopLat))
	w.u32(uint32(v.stopLon))
	w.u16(v.flags)
	w.u64(uint64(v.stoppedAt.ms()))
	w.u64(uint64(v.heard.ms()))
	w.u64(uint64(v.received.ms()))
	w.u32(v.alarm)
	w.u32(v.status)
	w.u8(v.said)
	w.u64(uint64(e.newestOf(v)))
	e.writeDriver(w, v.driver)
	e.writeDriver(w, e.pending.get(v.slot))
	e.writeDuties(w, v)
	e.writeWeighed(w, v)
	if v.side == 0 {
		w.u8(0)
		return
	}
	w.u8(1)
	sd := e.sides[v.side-1]
	w.u32(uint32(len(sd.jumps)))
	for i := range sd.jumps {
		w.fix(&sd.jumps[i])
	}
	w.u32(uint32(len(sd.speeding)))
	for i := range sd.speeding {
		c := &sd.speeding[i]
		w.u32(c.key.limit)
		w.u8(byte(c.key.source))
		w.text(e.snap.fenceID(c.key.fence))
		w.u8(byte(c.phase))
		w.u16(c.top)
		w.tally(&c.end)
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.fences)))
	for i := range sd.fences {
		c := &sd.fences[i]
		fc := &e.snap.fences[c.fence]
		w.text(fc.ID)
		w.text(string(fc.Kind))
		w.u8(byte(c.phase))
		w.u8(c.count)
		w.truth(c.opened)
		w.truth(c.over)
		w.tally(&c.leaveAt)
		w.u64(uint64(c.until))
		w.fix(&c.before)
		w.u32(uint32(c.from.Lat))
		w.u32(uint32(c.from.Lon))
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.outside)))
	for i := range sd.outside {
		c := &sd.outside[i]
		w.truth(c.kind == KindRouteDeviation)
		w.u8(byte(c.phase))
		w.u8(c.count)
		w.tally(&c.backAt)
		w.u64(uint64(c.until))
		w.text(c.id)
		w.text(c.permit)
		w.f64(c.worst)
		w.f64(c.half)
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.stops)))
	for i := range sd.stops {
		c := &sd.stops[i]
		w.text(e.snap.fences[c.fence].ID)
		w.truth(c.opened)
		w.u64(uint64(c.until))
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.sections)))
	for i := range sd.sections {
		c := &sd.sections[i]
		w.text(e.snap.sections[c.section].ID)
		w.u64(e.snap.sections[c.section].sum)
		w.f64(c.entered)
		w.u32(uint32(c.lat))
		w.u32(uint32(c.lon))
		w.f64(c.metres)
		w.f64(c.miss)
		w.truth(c.leaving)
		w.f64(c.out.at)
		w.u32(uint32(c.out.p.Lat))
		w.u32(uint32(c.out.p.Lon))
		w.f64(c.out.miss)
		e.writeSpan(w, &c.span)
	}
	w.u32(uint32(len(sd.waybills)))
	for _, b := range sd.waybills {
		w.text(b.number)
		w.u64(uint64(b.start))
		w.u64(uint64(b.end))
		w.text(b.route)
	}
	e.writeBills(w, sd)
	e.writeMonitoring(w, sd)
	e.writeEvasions(w, sd)
	e.writeDriving(w, sd)
	e.writeAlarms(w, sd)
	e.writeTampering(w, sd)
	e.writeSafety(w, sd)
	e.writeLate(w, sd)
}

func (e *Engine) readVehicle(r *stateReader) {
	plate := r.text()
	color := r.u8()
	if r.err != nil {
		return
	}
	id, err := ingest.NewVehicle(plate, ingest.Color(color))
	if err != nil {
		r.fail(err)
		return
	}
	hash := id.Hash()
	if _, ok := e.store.find(&id, hash); ok {
		r.fail(fmt.Errorf("vehicle %s is there twice", id))
		return
	}
	v := e.store.at(e.store.add(&id, hash))
	r.fix(&v.judged)
	var held fix
	r.fix(&held)
	v.stopLat, v.stopLon = int32(r.u32()), int32(r.u32())
	v.flags, v.stoppedAt = r.u16()&^(flagHeld|flagPending|flagNewer), stampOf(int64(r.u64()))
	if held.time != 0 {
		e.hold(v, &held)
	}
	v.heard, v.received, v.alarm, v.status, v.said = stampOf(int64(r.u64())), stampOf(int64(r.u64())), r.u32(), r.u32(), r.u8()
	if newest := int64(r.u64()); newest > v.heard.ms() {
		e.setNewest(v, newest)
	}
	v.driver = e.readDriver(r)
	e.setPending(v, e.readDriver(r))
	e.turnTo(v)
	e.readDuties(r, v)
	e.readWeighed(r, v)
	if r.u8() == 0 {
		return
	}
	e.placesOf(v)
	e.papersOf(v)
	sd := e.rareOf(v)
	for n := r.count(); n > 0 && r.err == nil; n-- {
		var f fix
		r.fix(&f)
		sd.jumps = append(sd.jumps, f)
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := speedCase{key: speedLimit{limit: r.u32(), source: limitSource(r.u8()), fence: -1}}
		fence := r.text()
		c.phase, c.top = speedPhase(r.u8()), r.u16()
		r.tally(&c.end)
		e.readSpan(r, &c.span)
		if c.key.source > limitNight || c.phase > speedCooling {
			r.fail(errors.New("a run of speeding of an unknown kind"))
		}
		if r.err == nil && c.rebase(e, v, fence) {
			sd.speeding = append(sd.speeding, c)
		}
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		var c fenceCase
		id, kind := r.text(), FenceKind(r.text())
		c.phase, c.count, c.opened, c.over = fencePhase(r.u8()), r.u8(), r.truth(), r.truth()
		r.tally(&c.leaveAt)
		c.until = int64(r.u64())
		r.fix(&c.before)
		c.from = geo.Point{Lat: int32(r.u32()), Lon: int32(r.u32())}
		e.readSpan(r, &c.span)
		if c.phase > fenceLeaving {
			r.fail(errors.New("an entry of an unknown kind"))
		}
		if r.err == nil && c.rebase(e, v, id, kind) {
			sd.fences = append(sd.fences, c)
		}
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		c := outsideCase{kind: KindFenceExit}
		if r.truth() {
			c.kind = KindRouteDeviation
		}
		c.phase, c.count = outsidePhase(r.u8()), r.u8()
		r.tally(&c.backAt)
		c.until, c.id, c.permit = int64(r.u64()), r.text(), r.text()
		c.worst, c.half = r.f64(), r.f64()
		e.readSpan(r, &c.span)
		if c.phase > outsideReturning {
			r.fail(errors.New("a way outside of an unknown kind"))
		}
		if r.err == nil {
			sd.outside = append(sd.outside, c)
		}
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		var c stopCase
		id := r.text()
		c.opened, c.until = r.truth(), int64(r.u64())
		e.readSpan(r, &c.span)
		if r.err == nil && c.rebase(e, v, id) {
			sd.stops = append(sd.stops, c)
		}
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		var c sectionCase
		id, sum := r.text(), r.u64()
		c.entered, c.lat, c.lon, c.metres, c.miss, c.leaving = r.f64(), int32(r.u32()), int32(r.u32()), r.f64(), r.f64(), r.truth()
		c.out = gatePass{at: r.f64(), p: geo.Point{Lat: int32(r.u32()), Lon: int32(r.u32())}, miss: r.f64()}
		e.readSpan(r, &c.span)
		if r.err == nil && c.rebase(e, id, sum) {
			sd.sections = append(sd.sections, c)
		}
	}
	for n := r.count(); n > 0 && r.err == nil; n-- {
		sd.waybills = append(sd.waybills, waybill{r.text(), int64(r.u64()), int64(r.u64()), r.text()})
	}
	e.readBills(r, sd)
	e.readMonitoring(r, sd)
	e.readEvasions(r, sd)
	e.readDriving(r, v, sd)
	e.readAlarms(r, sd)
	e.readTampering(r, sd)
	e.readSafety(r, sd)
	e.readLate(r, v, sd)
	if r.err == nil {
		outsideRebase(e, v, sd, nil) // asks for the waybills
		e.closeSwitchedOff(v, sd, e.recorded)
	}
	e.tidy(v)
}

func (e *Engine) writeDriver(w *stateWriter, n uint32) {
	if n == 0 {
		w.u8(0)
		return
	}
	w.u8(1)
	license, name := e.drivers.names.at(e.drivers.of(n).name)
	w.bytes(license)
	w.bytes(name)
}

func (e *Engine) readDriver(r *stateReader) uint32 {
	if r.u8() == 0 {
		return 0
	}
	d := Driver{License: r.text(), Name: r.text()}
	if r.err != nil {
		return 0
	}
	return e.drivers.number(d)
}

func (e *Engine) writeSpan(w *stateWriter, s *span) {
	w.u64(uint64(s.start))
	w.u32(uint32(s.startLat))
	w.u32(uint32(s.startLon))
	e.writeDriver(w, s.driver)
	w.tally(&s.now)
	w.tally(&s.held)
}

func (e *Engine) readSpan(r *stateReader, s *span) {
	s.start, s.startLat, s.startLon = int64(r.u64()), int32(r.u32()), int32(r.u32())
	s.driver = e.readDriver(r)
	r.tally(&s.now)
	r.tally(&s.held)
}

type stateWriter struct{ b []byte }

func (w *stateWriter) u8(v uint8)   { w.b = append(w.b, v) }
func (w *stateWriter) u16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *stateWriter) u32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *stateWriter) u64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }
func (w *stateWriter) text(s string) {
	w.u32(uint32(len(s)))
	w.b = append(w.b, s...)
}
func (w *stateWriter) bytes(b []byte) {
	w.u32(uint32(len(b)))
	w.b = append(w.b, b...)
}
func (w *stateWriter) truth(b bool) {
	if b {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

func (w *stateWriter) f64(v float64) { w.u64(math.Float64bits(v)) }

func (w *stateWriter) fix(f *fix) {
	w.u64(uint64(f.time))
	for _, v := range [...]uint32{uint32(f.lat), uint32(f.lon), f.alarm, f.status, f.mileage} {
		w.u32(v)
	}
	for _, v := range [...]uint16{f.speed, f.recorder, f.course, uint16(f.altitude)} {
		w.u16(v)
	}
	w.u8(f.bits)
}

func (w *stateWriter) tally(t *tally) {
	w.u64(uint64(t.time))
	w.u32(uint32(t.lat))
	w.u32(uint32(t.lon))
	w.u32(t.fixes)
	w.u64(math.Float64bits(t.metres))
	w.b = append(w.b, t.evidence[:]...)
}

// stateReader reads what stateWriter wrote and keeps the first error.
type stateReader struct {
	b   []byte
	err error
}

func (r *stateReader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("checkpoint: %w", err)
	}
}

var errCutShort = errors.New("cut short")

func (r *stateReader) take(n int) []byte {
	if r.err != nil || len(r.b) < n {
		r.fail(errCutShort)
		return make([]byte, min(n, 32))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *stateReader) u8() uint8   { return r.take(1)[0] }
func (r *stateReader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *stateReader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *stateReader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func (r *stateReader) f64() float64 { return math.Float64frombits(r.u64()) }

func (r *stateReader) truth() bool {
	b := r.u8()
	if b > 1 {
		r.fail(errors.New("neither true nor false"))
	}
	return b == 1
}

// count reads the length of a list; no element is smaller than a byte, so a greater one is an error and not a reason to
// loop for long.
func (r *stateReader) count() int {
	n := int(r.u32())
	if n > len(r.b) {
		r.fail(errCutShort)
		return 0
	}
	return n
}

func (r *stateReader) text() string {
	n := r.count()
	if r.err != nil {
		return ""
	}
	return string(r.take(n))
}

func (r *stateReader) fix(f *fix) {
	f.time = int64(r.u64())
	f.lat, f.lon = int32(r.u32()), int32(r.u32())
	f.alarm, f.status, f.mileage = r.u32(), r.u32(), r.u32()
	f.speed, f.recorder, f.course, f.altitude = r.u16(), r.u16(), r.u16(), int16(r.u16())
	f.bits = r.u8()
}

func (r *stateReader) tally(t *tally) {
	t.time = int64(r.u64())
	t.lat, t.lon = int32(r.u32()), int32(r.u32())
	t.fixes = r.u32()
	t.metres = math.Float64frombits(r.u64())
	copy(t.evidence[:], r.take(len(t.evidence)))
}
