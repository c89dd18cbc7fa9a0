package detect

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Notes of what judging again corrects.
const (
	NoteLateData   = "late_data"      // found, changed or taken back because of data that came late
	NoteJointly    = "judged_jointly" // because of what others reported, of whom the engine that judged it does not know
	noteSuperseded = "superseded"     // taken back because it began at another time: detail.superseded_by is the record that stands
)

// correctionNote reports whether a note says that a record was corrected.
func correctionNote(note string) bool { return note == NoteLateData || note == NoteJointly }

// WithoutCorrection returns notes without those that say that a record was corrected.
func WithoutCorrection(notes []string) []string {
	return slices.DeleteFunc(slices.Clone(notes), correctionNote)
}

// JointKinds are those about which other vehicles decide: who stands in a jam is not to blame, nor is who is in conflict with a station
// that too many are. An engine knows the vehicles of its own partition only, so that of several engines' findings those of these kinds are to
// be judged again with all vehicles.
var JointKinds = []Kind{KindFenceStop, KindPositionConflict}

// Correction says how far a correction goes.
type Correction struct {
	// Version is that of the records that are written: higher than any that was written from the events that were judged.
	Version uint64
	// Since is the start from which violations are corrected, Unix ms: what began before may look different because the events that
	// were judged do not go back far enough.
	Since int64
	// Changed is when the rules and places of now came into force, Unix ms, or the earliest of which that is known. What began before is
	// corrected only where late data make the difference, and not other rules or places. 0: they always were.
	Changed int64
	// Note says why; empty: NoteLateData.
	Note string
}

func (c *Correction) note() string {
	if c.Note == "" {
		return NoteLateData
	}
	return c.Note
}

// Correct compares the record of a vehicle with what Rejudge found, and returns the records that make it right: what late data have hidden is
// added, what they change takes the place of what stands, and what they disprove is retracted. Each says so in its notes. lived is
// what Relive found: where it agrees with judged about what began before Changed, late data change nothing, and what stands in the record
// stands, by other rules or in other places than those of now; left counts these. What the live engine has written from later events than were judged stands too: it
// is judged again in its turn.
func Correct(recorded, judged, lived []Violation, c Correction) (out []Violation, left int) {
	stands, live, found := byID(recorded), byID(lived), make(map[string]bool, len(judged))
	for i := range judged {
		v := judged[i]
		found[v.ID] = true
		old, before := stands[v.ID], live[v.ID]
		if int64(v.Start) < c.Since || old != nil && (old.Version > c.Version || sameRecord(old, &v)) {
			continue
		}
		if int64(v.Start) < c.Changed && before != nil && (old == nil || sameRecord(before, &v) && !corrected(old)) {
			left++
			continue
		}
		v.Version = c.Version
		v.Notes = withNote(v.Notes, c.note())
		out = append(out, v)
	}
	for i := range recorded {
		old := &recorded[i]
		if old.State == StateRetracted || found[old.ID] || int64(old.Start) < c.Since || old.Version > c.Version {
			continue
		}
		if int64(old.Start) < c.Changed && live[old.ID] == nil && !corrected(old) {
			left++
			continue
		}
		v := *old
		v.State, v.Version = StateRetracted, c.Version
		v.Notes = withNote(v.Notes, c.note())
		if by := instead(old, judged); by != nil {
			v.Notes = withNote(v.Notes, noteSuperseded)
			detail := map[string]any{}
			for k, d := range v.Detail {
				detail[k] = d
			}
			detail["superseded_by"] = by.ID
			v.Detail = detail
		}
		out = append(out, v)
	}
	return out, left
}

func byID(list []Violation) map[string]*Violation {
	out := make(map[string]*Violation, len(list))
	for i := range list {
		out[list[i].ID] = &list[i]
	}
	return out
}

// corrected reports whether a record is one that Correct wrote.
func corrected(v *Violation) bool { return slices.ContainsFunc(v.Notes, correctionNote) }

// instead finds the violation that stands for one that was not found again: of its kind, about the same thing, at the same time.
func instead(old *Violation, judged []Violation) *Violation {
	for i := range judged {
		v := &judged[i]
		if v.Kind == old.Kind && sameText(v.Fence, old.Fence) && sameText(v.Section, old.Section) && sameText(v.Station, old.Station) &&
			(old.End == nil || v.Start <= *old.End) && (v.End == nil || *v.End >= old.Start) {
			return v
		}
	}
	return nil
}

func sameText(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func withNote(notes []string, note string) []string {
	if slices.Contains(notes, note) {
		return notes
	}
	return append(slices.Clone(notes), note)
}

// sameRecord reports whether a record needs no correction. While a violation goes on, its record is that of the moment at which it was
// written last; and what was written by other rules with the same outcome stands.
func sameRecord(old, v *Violation) bool {
	if old.State != v.State {
		return false
	}
	if v.State == StateOpen {
		return true
	}
	return bytes.Equal(textOf(old), textOf(v))
}

// textOf is a record without what does not tell two of them apart.
func textOf(v *Violation) []byte {
	c := *v
	c.Version, c.RuleVersion = 0, ""
	c.Notes = WithoutCorrection(c.Notes)
	b, err := json.Marshal(&c)
	if err != nil { // it was written as JSON before
		return nil
	}
	return b
}

// CorrectVisits is Correct for visits.
func CorrectVisits(recorded, judged, lived []Visit, c Correction) (out []Visit, left int) {
	index := func(list []Visit) map[string]*Visit {
		m := make(map[string]*Visit, len(list))
		for i := range list {
			m[list[i].ID] = &list[i]
		}
		return m
	}
	stands, live, found := index(recorded), index(lived), index(judged)
	for i := range judged {
		v := judged[i]
		old, before := stands[v.ID], live[v.ID]
		switch {
		case int64(v.Entered) < c.Since || old != nil && (old.Version > c.Version || sameVisit(old, &v)):
			continue
		case int64(v.Entered) < c.Changed && before != nil && (old == nil || sameVisit(before, &v) && !slices.ContainsFunc(old.Notes, correctionNote)):
			left++
			continue
		}
		v.Version, v.Notes = c.Version, withNote(v.Notes, c.note())
		out = append(out, v)
	}
	for i := range recorded {
		v := recorded[i]
		switch {
		case v.State == StateRetracted || found[v.ID] != nil || int64(v.Entered) < c.Since || v.Version > c.Version:
			continue
		case int64(v.Entered) < c.Changed && live[v.ID] == nil && !slices.ContainsFunc(v.Notes, correctionNote):
			left++
			continue
		}
		v.State, v.Version, v.Notes = StateRetracted, c.Version, withNote(v.Notes, c.note())
		out = append(out, v)
	}
	return out, left
}

func sameVisit(old, v *Visit) bool {
	if old.State != v.State {
		return false
	}
	text := func(v *Visit) []byte {
		c := *v
		c.Version, c.Notes = 0, nil
		b, err := json.Marshal(&c)
		if err != nil { // it was written as JSON before
			return nil
		}
		return b
	}
	return v.State == StateOpen || bytes.Equal(text(old), text(v))
}
