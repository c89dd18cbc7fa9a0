package reference

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// maxProblems bounds the errors that are reported at once.
const maxProblems = 20

// Error says where a file is bad, and why.
type Error struct {
	File         string // path
	Line, Column int    // from 1; column in characters, 0 where the whole line or file is meant
	Field        string // column or property; in GeoJSON with the feature before it
	Reason       string

	// Of GeoJSON also apart: the feature, from 1, 0 where it is not one that is to blame; its id, if it could be read; and the
	// property.
	Feature      int
	ID, Property string
}

func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d", place, e.Line)
	}
	if e.Column > 0 {
		place = fmt.Sprintf("%s:%d", place, e.Column)
	}
	if e.Field == "" {
		return place + ": " + e.Reason
	}
	return place + ": " + e.Field + ": " + e.Reason
}

// problems gathers errors, up to most.
type problems struct {
	list []error
	most int
}

func (p *problems) add(err error) {
	if !p.full() {
		p.list = append(p.list, err)
	}
}

// full reports that reading on is of no use.
func (p *problems) full() bool { return len(p.list) >= p.most }

// sort orders the errors from the given one on, which are those of one file, by their places.
func (p *problems) sort(from int) {
	slices.SortStableFunc(p.list[from:], func(a, b error) int {
		x, _ := errors.AsType[*Error](a)
		y, _ := errors.AsType[*Error](b)
		if x == nil || y == nil {
			return 0
		}
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
}
