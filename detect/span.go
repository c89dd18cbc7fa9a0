package detect

import (
	"crypto/sha256"
	"encoding/binary"

	"lushao/ingest"
)

// tally is what a violation has gathered from its start up to one of its fixes.
type tally struct {
	time     int64 // of that fix
	lat, lon int32
	fixes    uint32
	metres   float64 // straight segments
	evidence [sha256.Size]byte
}

// span is the extent of something that goes on: from its first fix to the latest one that the rules have seen, and to the
// last one at which it held.
type span struct {
	start              int64
	startLat, startLon int32
	driver             uint32
	now, held          tally
	before             tally // now as it was at the fix before; good while a fix is judged
}

func (e *Engine) beginSpan(v *vehicle, f *fix) span {
	id := e.idOf(v)
	s := span{start: f.time, startLat: f.lat, startLon: f.lon, driver: v.driver}
	s.now = tally{time: f.time, lat: f.lat, lon: f.lon, fixes: 1, evidence: chainEvidence(evidenceSeed(&id), f)}
	s.held = s.now
	return s
}

// extend counts a fix that came after the start, whether or not the condition holds at it.
func (s *span) extend(f *fix, segment float64) {
	s.before = s.now
	s.now.time, s.now.lat, s.now.lon = f.time, f.lat, f.lon
	s.now.fixes++
	s.now.metres += segment
	s.now.evidence = chainEvidence(s.now.evidence, f)
}

// hold says that the condition holds at the latest fix.
func (s *span) hold() { s.held = s.now }

// at returns the tally at an instant after the fix before the latest one and not after the latest one: what ends at an instant
// of its own, as clock windows and papers do, counts the fixes up to then.
func (s *span) at(t int64) tally {
	out := s.before
	if t >= s.now.time {
		out = s.now
	}
	out.time = t
	return out
}

// The evidence hash of a violation that fixes prove is a chain of SHA-256 over every fix with start <= time <= end in
// order of time, so that a person can compute it again from the archived positions and see that none was changed, added or
// left out. Of several reports of one instant the first in the log is the fix; the archive keeps that one of equal reports:
//
//	h = SHA-256("lushao evidence 1" ‖ plate in UTF-8 ‖ colour, one byte)
//	for each fix: h = SHA-256(h ‖ time i64 ‖ latitude i32 ‖ longitude i32 ‖ alarm u32 ‖ status u32 ‖ mileage u32 ‖
//	              speed u16 ‖ recorder speed u16 ‖ course u16 ‖ altitude i16 ‖ bits u8)
//
// Numbers are little-endian, in the units of package ingest with its values for what is not known; the bits are 1 located,
// 2 ACC on. That of a weighing is SHA-256 over its event in the wire form of package ingest, received and source set to 0.
const evidenceName = "lushao evidence 1"

func evidenceSeed(v *ingest.Vehicle) [sha256.Size]byte {
	var b [len(evidenceName) + ingest.MaxPlate + 1]byte
	out := v.AppendPlate(append(b[:0], evidenceName...))
	return sha256.Sum256(append(out, byte(v.Color)))
}

func chainEvidence(h [sha256.Size]byte, f *fix) [sha256.Size]byte {
	var b [sha256.Size + 37]byte
	copy(b[:], h[:])
	le := binary.LittleEndian
	x := b[sha256.Size:]
	le.PutUint64(x[0:], uint64(f.time))
	le.PutUint32(x[8:], uint32(f.lat))
	le.PutUint32(x[12:], uint32(f.lon))
	le.PutUint32(x[16:], f.alarm)
	le.PutUint32(x[20:], f.status)
	le.PutUint32(x[24:], f.mileage)
	le.PutUint16(x[28:], f.speed)
	le.PutUint16(x[30:], f.recorder)
	le.PutUint16(x[32:], f.course)
	le.PutUint16(x[34:], uint16(f.altitude))
	x[36] = f.bits
	return sha256.Sum256(b[:])
}

func weighingEvidence(ev *ingest.Event) [sha256.Size]byte {
	e := *ev
	e.Received, e.Source, e.Flags = 0, 0, 0
	return sha256.Sum256(ingest.AppendEvent(nil, &e))
}
