package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"lushao/ingest"
)

// Notes that more than one rule writes.
const (
	noteEndOfData    = "end_of_data"   // closed because the data end, not because it ended
	noteFenceRemoved = "fence_removed" // closed because its fence is no longer in the reference data
	noteRouteRemoved = "route_removed" // likewise, its route
	noteLatePaper    = "late_paper"    // retracted because a paper that came late allows it

	noteGapAssumedRest   = "gap_assumed_rest"   // the rest that ended it is, in part, a time without fixes
	noteCardChangeMoving = "card_change_moving" // another card was put in while moving: it counts at the next stop only
)

// violationID is the identity of a violation: the first 16 bytes of SHA-256 over its parts, each text with its length
// before it; the name of a shadow is the last. The same violation found again has the same id.
func violationID(v *ingest.Vehicle, kind Kind, start int64, subject, shadow string) string {
	b := make([]byte, 0, 96)
	text := func(s string) {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	text(v.Plate())
	b = append(b, byte(v.Color))
	text(string(kind))
	b = binary.LittleEndian.AppendUint64(b, uint64(start))
	text(subject)
	if shadow != "" {
		text(shadow)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// begin makes the record of a violation with all that does not depend on its kind. The record stays in the engine until
// finish.
func (e *Engine) begin(v *vehicle, kind Kind, s *span, subject string) *Violation {
	e.touched(v)
	id := e.idOf(v)
	o := &Violation{ID: violationID(&id, kind, s.start, subject, e.whole.shadow), Shadow: e.whole.shadow, Kind: kind, Plate: id.Plate(), Color: id.Color,
		Class: v.class.String(), Start: Time(s.start), RuleVersion: e.snap.RuleVersion, Notes: []string{}, Detail: map[string]any{}}
	if r := e.snap.register[id]; r != nil {
		if r.Operator != "" {
			o.Operator = &r.Operator
		}
		if r.Region != "" {
			o.Region = &r.Region
		}
		if s.driver != 0 {
			d := e.drivers.card(s.driver)
			o.Driver = &d
		}
	}
	return o
}

// finish completes the record of a violation that fixes prove and hands it out.
func (e *Engine) finish(o *Violation, state State, s *span, at tally, notes []string) {
	o.State = state
	o.StartLat, o.StartLon = degrees(s.startLat), degrees(s.startLon)
	if state == StateClosed {
		o.End = ptr(Time(at.time))
		o.EndLat, o.EndLon = degrees(at.lat), degrees(at.lon)
	}
	o.DurationS = seconds(at.time - s.start)
	o.DistanceM = int64(at.metres + 0.5)
	o.Fixes = int64(at.fixes)
	o.EvidenceHash = hex.EncodeToString(at.evidence[:])
	o.Notes = append(o.Notes, notes...)
	e.emit(o)
}

// emit hands a record out. Of several records of one violation at one event only the last counts.
func (e *Engine) emit(o *Violation) {
	if e.whole.records != nil && !e.whole.records[o.Kind] && !e.closing { // a shadow
		return
	}
	o.Version = e.version
	if e.trace != nil {
		e.trace.hand(o)
	}
	for i := e.mark; i < len(e.out); i++ {
		if e.out[i].ID == o.ID {
			e.out[i] = *o
			return
		}
	}
	e.out = append(e.out, *o)
}

func ptr[T any](v T) *T { return &v }

func degrees(micro int32) *float64 { return ptr(float64(micro) / 1e6) }

// seconds rounds ms to whole seconds, half to even.
func seconds(ms int64) int64 { return divHalfEven(ms, 1000) }

// divHalfEven is a/b for b > 0, rounded to the nearest, half to even.
func divHalfEven(a, b int64) int64 {
	q, r := a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	switch {
	case 2*r > b, 2*r == b && q&1 != 0:
		return q + 1
	}
	return q
}

// tenthsOf returns a value that is given in 1/(10·per) with one decimal.
func tenthsOf(v, per int64) *float64 { return ptr(float64(divHalfEven(v, per)) / 10) }

// overPct returns how much a value is over its limit in percent with one decimal, and the band of the exact ratio; null
// where there is no limit.
func overPct(over, limit int64) (*float64, *string) {
	if limit <= 0 {
		return nil, nil
	}
	band := ">=70"
	switch pct := over * 100; {
	case pct < 10*limit:
		band = "<10"
	case pct < 20*limit:
		band = "10-20"
	case pct < 50*limit:
		band = "20-50"
	case pct < 70*limit:
		band = "50-70"
	}
	return tenthsOf(over*1000, limit), &band
}
