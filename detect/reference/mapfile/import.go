package mapfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lushao/detect/reference/edit"
)

// Report says what was taken, what was repaired and what was refused.
type Report struct {
	Files    []FileReport
	Taken    int // features
	Repaired []Repair
	Refused  []Problem
	Remarks  []string

	// Result is what came of the change; nil if there was none.
	Result *edit.Result
}

// FileReport tells of one file.
type FileReport struct {
	Name    string   `json:"name"`
	Format  string   `json:"format"`
	Places  int      `json:"places"`
	Remarks []string `json:"remarks"`
}

// Where names a place of a file.
type Where struct {
	File  string `json:"file"`
	Place int    `json:"place"` // in the file, from 1; 0: it is not about one
	Name  string `json:"name"`
}

// Problem is why a place was refused.
type Problem struct {
	Where
	ID      string      `json:"id"`
	Field   string      `json:"field"`
	Message string      `json:"message"`
	At      *[2]float64 `json:"at,omitempty"` // WGS-84 degrees, longitude first
}

func (p *Problem) Error() string {
	if p.Place == 0 {
		return p.Message
	}
	return fmt.Sprintf("%s: %s: %s", p.Where.text(p.ID), p.Field, p.Message)
}

// text names a place for people.
func (w Where) text(id string) string {
	s := fmt.Sprintf("%s: place %d (%q", w.File, w.Place, id)
	if w.Name != "" && w.Name != id {
		s += ", " + w.Name
	}
	return s + ")"
}

// Repair is what was made of a place whose outline crossed itself.
type Repair struct {
	Where
	edit.Repair
}

// String says it in a line.
func (r *Repair) String() string {
	var at []string
	for i, c := range r.Crossings {
		if i == 5 {
			at = append(at, fmt.Sprintf("and %d more", len(r.Crossings)-i))
			break
		}
		at = append(at, fmt.Sprintf("%.6f,%.6f", c[0], c[1]))
	}
	return fmt.Sprintf("%s: its outline crossed itself at %s (longitude,latitude): cut into %d polygons", r.Where.text(r.ID), strings.Join(at, "; "), r.Polygons)
}

// FileError says that a file as a whole can't be taken.
type FileError struct{ reason string }

func (e *FileError) Error() string { return e.reason }

// RefusedError says that places were refused, so that nothing was taken.
type RefusedError struct{ Refused []Problem }

func (e *RefusedError) Error() string {
	if len(e.Refused) == 1 {
		return e.Refused[0].Error()
	}
	return fmt.Sprintf("%d places are refused, so nothing is taken", len(e.Refused))
}

func problemAt(o origin, p edit.Problem) Problem {
	return Problem{Where: o.where(), ID: p.ID, Field: p.Field, Message: p.Message, At: p.At}
}

func (o *origin) where() Where {
	if o.file == nil {
		return Where{}
	}
	return Where{File: o.file.Name, Place: o.place.Number, Name: o.name}
}

// Import takes files into a reference directory as one version. With a *RefusedError nothing was changed; the report says in any
// case what there was.
func Import(dir *edit.Dir, files []File, o Options) (*Report, error) {
	datum, err := edit.ParseDatum(o.Datum)
	if err != nil {
		return nil, err
	}
	rep := &Report{Repaired: []Repair{}, Refused: []Problem{}, Remarks: []string{}}
	places := 0
	for i := range files {
		f := &files[i]
		if f.Unplaced && o.Datum == "" {
			return nil, &FileError{f.Name + ": there is no .prj that says what its coordinates are; add it, or say which datum they have: wgs84, gcj02 or bd09"}
		}
		places += len(f.Places)
		rep.Files = append(rep.Files, FileReport{f.Name, f.Format, len(f.Places), append([]string{}, f.Remarks...)})
	}
	c := convert(files, &o)
	for _, name := range sortedCounts(c.passed) {
		rep.Remarks = append(rep.Remarks, fmt.Sprintf("the attribute %q of %d places has no meaning here and is passed over", name, c.passed[name]))
	}
	change := edit.Change{Layer: o.Layer, Features: c.features, Replace: o.Replace, Datum: datum, Repair: o.Repair, SkipBad: o.SkipBad, DryRun: o.DryRun,
		Who: o.Who, How: edit.HowImport, Comment: o.Comment}
	if change.Comment == "" {
		var names []string
		for i := range rep.Files {
			names = append(names, rep.Files[i].Name)
		}
		change.Comment = strings.Join(names, ", ")
	}
	if len(c.refused) > 0 && !o.SkipBad { // it will not be made; what else is wrong shall be said with it
		change.SkipBad, change.DryRun = true, true
	}
	if places == 0 {
		return rep, &FileError{"the files hold no places"}
	}
	rep.Refused = append(rep.Refused, c.refused...)
	if len(c.features) == 0 {
		return rep, &RefusedError{rep.Refused}
	}
	if o.Replace && o.SkipBad { // nothing of all must not replace everything
		probe := change
		probe.DryRun = true
		if res, err := dir.Apply(probe); err == nil && len(res.Refused) == len(c.features) {
			c.note(rep, res.Refused)
			return rep, &RefusedError{rep.Refused}
		}
	}
	res, err := dir.Apply(change)
	var bad *edit.RefusedError
	switch {
	case errors.As(err, &bad):
		c.note(rep, bad.Problems)
		return rep, &RefusedError{rep.Refused}
	case err != nil:
		return rep, err
	}
	c.note(rep, res.Refused)
	if len(rep.Refused) > 0 && !o.SkipBad {
		return rep, &RefusedError{rep.Refused}
	}
	rep.Result = res
	rep.Taken = len(c.features) - len(res.Refused)
	rep.Remarks = append(rep.Remarks, res.Warnings...)
	for _, r := range res.Repaired {
		rep.Repaired = append(rep.Repaired, Repair{c.origins[r.Index].where(), r})
	}
	return rep, nil
}

// note adds what the reference directory refused.
func (c *converted) note(rep *Report, problems []edit.Problem) {
	for _, p := range problems {
		var o origin
		if p.Index >= 0 {
			o = c.origins[p.Index]
		}
		rep.Refused = append(rep.Refused, problemAt(o, p))
	}
	slices.SortStableFunc(rep.Refused, func(a, b Problem) int {
		if n := strings.Compare(a.File, b.File); n != 0 {
			return n
		}
		return a.Place - b.Place
	})
}

func sortedCounts(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
