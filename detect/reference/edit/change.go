package edit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/geo"
)

var beijing = detect.Beijing

// Change is what is asked for.
type Change struct {
	Layer    Layer
	Features []Feature
	Remove   []string // ids that must be there
	// Replace makes the features all of the layer; else they are added, or take the place of those with their ids.
	Replace bool
	Datum   Datum // of the features; empty: WGS84
	Repair  bool  // cut outlines that cross themselves into such that do not
	SkipBad bool  // refuse bad features one by one, and take the others
	DryRun  bool  // only try
	If      *uint64
	Who     string
	How     string
	Comment string
}

// Result is what came of a change.
type Result struct {
	// Version is what was made; nil after a dry run, and where nothing is different.
	Version                 *Version
	Present                 uint64 // version of the layer after the change
	Added, Changed, Removed []string
	Repaired                []Repair
	Refused                 []Problem // with SkipBad
	Warnings                []string  // of the loader, about the whole directory
}

// maxSkips bounds how often a change is tried anew without the features that were refused.
const maxSkips = 50

// Apply makes a change, or tries it. A *RefusedError says that features, or the directory with them, are bad; a *MovedError that
// the layer is not the version If.
func (d *Dir) Apply(c Change) (*Result, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	for try := 0; ; try++ {
		r, err := d.apply(&c)
		if (errors.Is(err, errChangedByHand) || errors.Is(err, reference.ErrChanged)) && try < 3 {
			continue
		}
		return r, err
	}
}

func (d *Dir) apply(c *Change) (*Result, error) {
	h, err := d.openHistory()
	if err != nil {
		return nil, err
	}
	defer h.close()
	if err := h.noteHand(); err != nil {
		return nil, err
	}
	present := latest(h.versions, c.Layer, 0)
	var now uint64
	if present != nil {
		now = present.Number
	}
	if c.If != nil && *c.If != now {
		return nil, &MovedError{Want: *c.If, Now: now}
	}
	var before []Feature
	if !c.Replace || present == nil || present.Broken == "" { // what is broken can only be replaced as a whole
		if before, err = d.features(present); err != nil {
			return nil, err
		}
	}
	for _, id := range c.Remove {
		if !slices.ContainsFunc(before, func(f Feature) bool { return f.ID == id }) {
			return nil, fmt.Errorf("%w: %q", ErrNoFeature, id)
		}
	}
	r := &Result{Present: now}
	after, err := d.try(c, before, r)
	if err != nil {
		return nil, err
	}
	r.Added, r.Changed, r.Removed = difference(before, after)
	text := Compose(after)
	if present != nil && !present.Absent && present.Broken == "" && len(r.Added)+len(r.Changed)+len(r.Removed) == 0 || c.DryRun {
		return r, nil
	}
	v := &Version{Who: c.Who, How: c.How, Comment: c.Comment}
	h.describe(v, c.Layer, before, after, text)
	if err := h.commit(v, present, text); err != nil {
		return nil, err
	}
	r.Version, r.Present = v, v.Number
	return r, nil
}

// try returns the layer as it would be, if all is well with it.
func (d *Dir) try(c *Change, before []Feature, r *Result) ([]Feature, error) {
	fresh, problems := prepare(c, r)
	for skips := 0; ; skips++ {
		if len(problems) > 0 {
			r.Refused = append(r.Refused, problems...)
			slices.SortStableFunc(r.Refused, func(a, b Problem) int { return a.Index - b.Index })
			if !c.SkipBad || skips == maxSkips || problems[0].Index < 0 {
				return nil, &RefusedError{r.Refused}
			}
			fresh = without(fresh, problems)
		}
		base := before
		if c.Replace {
			base = nil
		}
		after := merge(base, fresh, c.Remove)
		data, info, bad, err := d.load(c.Layer, after)
		if err != nil {
			return nil, err
		}
		if problems = bad; len(problems) > 0 {
			continue
		}
		if err := d.compile(data, info); err != nil {
			return nil, &RefusedError{[]Problem{{Index: -1, Message: err.Error()}}}
		}
		r.Warnings = info.Warnings
		if r.Repaired = slices.DeleteFunc(r.Repaired, func(x Repair) bool {
			return slices.ContainsFunc(r.Refused, func(p Problem) bool { return p.Index == x.Index })
		}); len(r.Repaired) == 0 {
			r.Repaired = nil
		}
		return after, nil
	}
}

func without(list []Feature, bad []Problem) []Feature {
	out := make(map[int]bool, len(bad))
	for i := range bad {
		out[bad[i].Index] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(f Feature) bool { return out[f.Index] })
}

// prepare converts, repairs and checks the features by themselves.
func prepare(c *Change, r *Result) (fresh []Feature, problems []Problem) {
	datum := c.Datum
	if datum == "" {
		datum = WGS84
	}
	first := map[string]int{}
	for _, f := range c.Features {
		if i, twice := first[f.ID]; twice && f.ID != "" {
			problems = append(problems, Problem{Index: f.Index, ID: f.ID, Field: "id", Message: fmt.Sprintf("is there twice, first at feature %d", i)})
			continue
		}
		first[f.ID] = f.Index
		f.Raw = compact(f.Raw)
		f = f.Convert(datum, WGS84)
		if c.Repair {
			fixed, rep, err := f.repaired()
			if err != nil {
				problems = append(problems, geometryProblem(&f, err))
				continue
			}
			if f = fixed; rep != nil {
				r.Repaired = append(r.Repaired, *rep)
			}
		}
		fresh = append(fresh, f)
	}
	more := checkAlone(c.Layer, fresh)
	if len(more) == 0 { // else records and features may not stand side by side
		more = checkShapes(c.Layer, fresh)
	} else {
		more = append(more, checkShapes(c.Layer, without(fresh, more))...)
	}
	return fresh, append(problems, more...)
}

// checkAlone reads the features as the loader does.
func checkAlone(l Layer, list []Feature) []Problem {
	if len(list) == 0 {
		return nil
	}
	_, errs := reference.Check(l.File(), Compose(list), 10*len(list)+100)
	var out []Problem
	for _, err := range errs {
		out = append(out, problemOf(l, list, err))
	}
	return out
}

// checkShapes compiles the shapes of features that the loader takes.
func checkShapes(l Layer, list []Feature) (out []Problem) {
	if len(list) == 0 {
		return nil
	}
	data, errs := reference.Check(l.File(), Compose(list), 1)
	if len(errs) > 0 {
		return []Problem{problemOf(l, list, errs[0])}
	}
	for i := range list {
		var err error
		switch l {
		case Routes:
			_, err = geo.CompileCorridor(data.Routes[i].Line, data.Routes[i].WidthM)
		case Sections:
			_, err = geo.CompileLine(data.Sections[i].Line)
		default:
			f := &data.Fences[i]
			_, err = geo.Compile(f.Geometry, f.RadiusM, f.WidthM)
		}
		if err != nil {
			out = append(out, geometryProblem(&list[i], err))
		}
	}
	return out
}

func geometryProblem(f *Feature, err error) Problem {
	p := Problem{Index: f.Index, ID: f.ID, Field: "geometry", Message: err.Error()}
	if c, ok := errors.AsType[*geo.CrossingError](err); ok {
		at := degrees(c.At)
		p.At = &at
	}
	return p
}

// problemOf says of an error of the loader which of the features that it read is meant.
func problemOf(l Layer, list []Feature, err error) Problem {
	e, ok := errors.AsType[*reference.Error](err)
	if !ok || filepath.Base(e.File) != l.File() || e.Feature < 1 || e.Feature > len(list) || list[e.Feature-1].Index < 0 {
		return Problem{Index: -1, Message: err.Error()}
	}
	f := &list[e.Feature-1]
	return Problem{Index: f.Index, ID: f.ID, Field: e.Property, Message: e.Reason}
}

// load loads the directory with a layer as it would be.
func (d *Dir) load(l Layer, after []Feature) (*detect.ReferenceData, *reference.Info, []Problem, error) {
	data, info, err := reference.LoadInstead(d.path, map[string][]byte{l.File(): Compose(after)})
	if errors.Is(err, reference.ErrChanged) {
		return nil, nil, nil, err
	}
	var problems []Problem
	for _, e := range reference.Errors(err) {
		problems = append(problems, problemOf(l, after, e))
	}
	// What no feature of the change is to blame for comes first: leaving features out does not mend it.
	slices.SortStableFunc(problems, func(a, b Problem) int { return min(a.Index, 0) - min(b.Index, 0) })
	return data, info, problems, nil
}

// compile tries whether the detector would take the data.
func (d *Dir) compile(data *detect.ReferenceData, info *reference.Info) error {
	settings, err := d.Settings()
	if err != nil {
		return err
	}
	_, err = detect.Compile(data, *settings, info.Digest, 1, d.workers)
	return err
}

// Settings reads the directory's rules.
func (d *Dir) Settings() (*detect.Settings, error) {
	path := filepath.Join(d.path, reference.Rules)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return detect.ParseSettingsFile(path, b)
}

// Preview returns the reference data as they would be after a change, which is not made, and what was said of it.
func (d *Dir) Preview(c Change) (*detect.ReferenceData, *reference.Info, *Result, error) {
	before, v, err := d.Read(c.Layer, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	r := &Result{Present: v.Number}
	fresh, problems := prepare(&c, r)
	if len(problems) > 0 {
		return nil, nil, nil, &RefusedError{problems}
	}
	after := merge(before, fresh, c.Remove)
	data, info, problems, err := d.load(c.Layer, after)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(problems) > 0 {
		return nil, nil, nil, &RefusedError{problems}
	}
	r.Added, r.Changed, r.Removed = difference(before, after)
	return data, info, r, nil
}

// Restore makes an old version the present one of its layer, as a new version, if it still loads. An absent file is restored as
// an absent file.
func (d *Dir) Restore(n uint64, ifVersion *uint64, who, comment string, dryRun bool) (*Result, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	h, err := d.openHistory()
	if err != nil {
		return nil, err
	}
	defer h.close()
	if err := h.noteHand(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(h.versions, func(v Version) bool { return v.Number == n })
	if i < 0 {
		return nil, ErrNoVersion
	}
	old := h.versions[i]
	present := latest(h.versions, old.Layer, 0)
	if ifVersion != nil && *ifVersion != present.Number {
		return nil, &MovedError{Want: *ifVersion, Now: present.Number}
	}
	text, err := d.content(&old)
	if err != nil {
		return nil, err
	}
	after, err := d.features(&old)
	if err != nil {
		return nil, err
	}
	var before []Feature
	if present.Broken == "" {
		if before, err = d.features(present); err != nil {
			return nil, err
		}
	}
	for j := range after {
		after[j].Index = -1
	}
	data, info, err := reference.LoadInstead(d.path, map[string][]byte{old.File: text})
	if err == nil {
		err = d.compile(data, info)
	}
	if err != nil {
		return nil, &RefusedError{[]Problem{{Index: -1, Message: fmt.Sprintf("version %d does not fit to what there is now: %v", n, err)}}}
	}
	r := &Result{Present: present.Number, Warnings: info.Warnings}
	r.Added, r.Changed, r.Removed = difference(before, after)
	if present.SHA256 == old.SHA256 || dryRun {
		return r, nil
	}
	v := &Version{Who: who, How: HowRestore, Comment: comment, Restored: n}
	h.describe(v, old.Layer, before, after, text)
	if err := h.commit(v, present, text); err != nil {
		return nil, err
	}
	r.Version, r.Present = v, v.Number
	return r, nil
}

func marshalLine(v *Version) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(b, '\n'), err
}
