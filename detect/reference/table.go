package reference

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

// row is a line of a CSV file, while its record is made.
type row struct {
	file  *file
	line  int
	cells []textform.Cell
	cell  map[string]int // by column, where the header has it
	bad   bool
}

// eachRow calls fn for every line after the header. The header has some of the columns, the first need of them at
// least. It returns false if lines are lost, so that nothing can be said of what the file does not have.
func (f *file) eachRow(columns []string, need int, fn func(*row)) (whole bool) {
	lines := textform.NewLines(f.r)
	fail := func(column int, field, format string, args ...any) {
		f.problems.add(&Error{File: f.path, Line: lines.Number(), Column: column, Field: field, Reason: fmt.Sprintf(format, args...)})
	}
	next := func() (line []byte, ok bool) {
		line, err := lines.Next()
		switch {
		case err == nil:
			return line, true
		case err == io.EOF:
		case errors.Is(err, textform.ErrLineLong), errors.Is(err, textform.ErrNotUTF8):
			fail(0, "", "%v", err)
		default:
			f.problems.add(fmt.Errorf("%s: %w", f.path, err))
		}
		return nil, false
	}
	split := func(line []byte, cells []textform.Cell) ([]textform.Cell, bool) {
		cells, err := textform.SplitCSV(line, cells)
		if c, ok := errors.AsType[*textform.CellError](err); ok {
			fail(c.Column, "", "%s", c.Reason)
		} else if err != nil {
			fail(0, "", "%v", err)
		}
		return cells, err == nil
	}

	before := len(f.problems.list)
	line, ok := next()
	if !ok {
		if len(f.problems.list) == before {
			f.problems.add(&Error{File: f.path, Reason: "empty; the first line is " + strings.Join(columns, ",") +
				"; remove the file where nothing is known"})
		}
		return false
	}
	header, ok := split(line, nil)
	if !ok {
		return false
	}
	r := &row{file: f, cell: make(map[string]int, len(columns))}
	for i, c := range header {
		name := string(c.Text)
		if !slices.Contains(columns, name) {
			fail(c.Column, name, "unknown column; want some of %s", strings.Join(columns, ","))
		} else if _, twice := r.cell[name]; twice {
			fail(c.Column, name, "the column is there twice")
		}
		r.cell[name] = i
	}
	for _, name := range columns[:need] {
		if _, ok := r.cell[name]; !ok {
			fail(0, name, "the column is missing")
		}
	}
	if len(f.problems.list) > before {
		return false
	}
	whole = true
	for !f.problems.full() {
		known := len(f.problems.list)
		line, ok := next()
		if !ok {
			return whole && len(f.problems.list) == known
		}
		r.line, r.bad = lines.Number(), false
		f.rows++
		if r.cells, ok = split(line, r.cells[:0]); !ok {
			whole = false
			continue
		}
		if len(r.cells) != len(header) {
			fail(0, "", "has %d cells, the header %d", len(r.cells), len(header))
			whole = false
			continue
		}
		fn(r)
	}
	return false
}

// text returns what stands in a column; empty where it is unknown.
func (r *row) text(column string) []byte {
	if i, ok := r.cell[column]; ok {
		return r.cells[i].Text
	}
	return nil
}

func (r *row) fail(column, format string, args ...any) {
	at := 0
	if i, ok := r.cell[column]; ok {
		at = r.cells[i].Column
	}
	r.bad = true
	r.file.problems.add(&Error{File: r.file.path, Line: r.line, Column: at, Field: column, Reason: fmt.Sprintf(format, args...)})
}

// get returns the value of a column; unknown where the cell is empty.
func get[T any](r *row, column string, parse parser[T], unknown T) T {
	text := r.text(column)
	if len(text) == 0 {
		return unknown
	}
	v, reason := parse(string(text))
	if reason != "" {
		r.fail(column, "%s", reason)
		return unknown
	}
	return v
}

// word returns a text that many records share.
func (r *row) word(column string) string {
	text := r.text(column)
	if s, ok := r.file.texts[string(text)]; ok {
		return s
	}
	return r.file.shared(get(r, column, parseText, ""))
}

// mention returns the id of a record of another file.
func (r *row) mention(column string, of idSet, in string) string {
	id := r.word(column)
	r.check(column, id, of, in)
	return id
}

func (r *row) check(column, id string, of idSet, in string) {
	if !r.file.mentioned(id, of, in) {
		r.fail(column, "%q is not in %s", id, in)
	}
}

// id returns the key of the record and notes it in set.
func (r *row) id(set idSet) string {
	id := get(r, "id", parseText, "")
	if id == "" {
		if !r.bad {
			r.fail("id", "missing")
		}
		return ""
	}
	if line, twice := set[id]; twice {
		r.fail("id", "%q is there twice, first in line %d", id, line)
		return id
	}
	set[id] = r.line
	return id
}

// vehicle returns the identity in plate and color, both of which are needed.
func (r *row) vehicle() ingest.Vehicle {
	for _, column := range []string{"plate", "color"} {
		if len(r.text(column)) == 0 {
			r.fail(column, "missing")
			return ingest.Vehicle{}
		}
	}
	color := get(r, "color", parseColor, 0)
	v, reason := newVehicle(string(r.text("plate")), color)
	if reason != "" {
		r.fail("plate", "%s", reason)
	}
	return v
}

// validity returns start and end.
func (r *row) validity() (start, end int64) {
	start, end = get(r, "start", parseTime, 0), get(r, "end", parseTime, 0)
	if start != 0 && end != 0 && end <= start {
		r.fail("end", "%s is not after the start, %s", r.text("end"), r.text("start"))
	}
	return start, end
}

// once refuses a record that is there already.
func once[T comparable](r *row, seen map[T]int, record T, column, what string) {
	if r.bad {
		return
	}
	if line, twice := seen[record]; twice {
		r.fail(column, "%s is there twice, first in line %d", what, line)
		return
	}
	seen[record] = r.line
}
