package detect

import (
	"bytes"
	"encoding/json"
	"slices"
)

// NoteLateData is the note of what was found, changed or taken back because of data that came late.
const NoteLateData = "late_data"

// Notes of what judging again corrects.
const (
	noteLateData   = NoteLateData // found, changed or taken back because of data that came late
	noteSuperseded = "superseded" // taken back because it began at another time: detail.superseded_by is the record that stands
)

// Correction says how far a correction goes.
type Correction struct {
	// Version is that of the records that are written: higher than any that was written from the events that were judged.
	Version uint64
	// Since is the start from which violations are corrected, Unix ms: what began before may look different because the events that
	// were judged do not go back far enough.
	Since int64
	// Leave says of a violation that stands in the record and was not found again whether it is to be left alone all the same, because
	// it was judged by rules or places that are no longer in force. nil: none is.
	Leave func(v *Violation) bool
}

// Correct compares the record of a vehicle with what Rejudge found, and returns the records that make it right: what was not known is
// added, what is different takes the place of what stands, and what was not found is retracted. Each says in its notes that data came
// late. What the live engine has written from later events than were judged stands: it is judged again in its turn.
func Correct(recorded, judged []Violation, c Correction) []Violation {
	stands := make(map[string]*Violation, len(recorded))
	for i := range recorded {
		stands[recorded[i].ID] = &recorded[i]
	}
	found := make(map[string]bool, len(judged))
	var out []Violation
	for i := range judged {
		v := judged[i]
		found[v.ID] = true
		old := stands[v.ID]
		if int64(v.Start) < c.Since || old != nil && (old.Version > c.Version || sameRecord(old, &v)) {
			continue
		}
		v.Version = c.Version
		v.Notes = withNote(v.Notes, noteLateData)
		out = append(out, v)
	}
	for i := range recorded {
		old := &recorded[i]
		if old.State == StateRetracted || found[old.ID] || int64(old.Start) < c.Since || old.Version > c.Version || c.Leave != nil && c.Leave(old) {
			continue
		}
		v := *old
		v.State, v.Version = StateRetracted, c.Version
		v.Notes = withNote(v.Notes, noteLateData)
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
	return out
}

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
	return bytes.Equal(comparable(old), comparable(v))
}

func comparable(v *Violation) []byte {
	c := *v
	c.Version, c.RuleVersion = 0, ""
	c.Notes = slices.DeleteFunc(slices.Clone(c.Notes), func(n string) bool { return n == noteLateData })
	b, err := json.Marshal(&c)
	if err != nil { // it was written as JSON before
		return nil
	}
	return b
}

// CorrectVisits is Correct for visits.
func CorrectVisits(recorded, judged []Visit, c Correction) []Visit {
	stands := make(map[string]*Visit, len(recorded))
	for i := range recorded {
		stands[recorded[i].ID] = &recorded[i]
	}
	found := make(map[string]bool, len(judged))
	var out []Visit
	for i := range judged {
		v := judged[i]
		found[v.ID] = true
		old := stands[v.ID]
		if int64(v.Entered) < c.Since || old != nil && (old.Version > c.Version || sameVisit(old, &v)) {
			continue
		}
		v.Version, v.Notes = c.Version, withNote(v.Notes, noteLateData)
		out = append(out, v)
	}
	for i := range recorded {
		v := recorded[i]
		if v.State == StateRetracted || found[v.ID] || int64(v.Entered) < c.Since || v.Version > c.Version {
			continue
		}
		v.State, v.Version, v.Notes = StateRetracted, c.Version, withNote(v.Notes, noteLateData)
		out = append(out, v)
	}
	return out
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

// Knows reports whether the snapshot has the fence and the section that a violation names: one whose place has gone can't be judged
// again.
func (s *Snapshot) Knows(v *Violation) bool {
	if v.Fence != nil {
		if _, ok := s.fenceByID[*v.Fence]; !ok {
			return false
		}
	}
	if v.Section != nil {
		if _, ok := s.sectionByID[*v.Section]; !ok {
			return false
		}
	}
	return true
}
