// Package eventfile reads and writes events as text: NDJSON, one object a line, for every kind, and CSV for positions.
// It is the form of `lushao replay`, `lushao sim --truth` and `lushao tail`.
//
// Numbers go from decimal text to the exact integers of package ingest. Measures (degrees, km/h, km, litres, kg, mm, m)
// may have more decimals than are kept; they are rounded half to even: latitude and longitude to 1e-6 degree, speeds to
// 0.1 km/h, mileage to 0.1 km, fuel to 0.1 L, the others to 1. Bits, counts and numbers of things must be whole. The
// reader takes every value that an Event can hold, also impossible places and speeds: those are for the gate of package
// detect to refuse, vehicle by vehicle.
package eventfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

// Error says where a file of events is bad, and why.
type Error struct {
	Name   string // of the file, as given to NewReader
	Line   int    // from 1
	Column int    // in characters from 1, where the cell begins; 0 in NDJSON and where the whole line is meant
	Field  string // as in the file
	Reason string
}

func (e *Error) Error() string {
	place := fmt.Sprintf("%s:%d", e.Name, e.Line)
	if e.Column > 0 {
		place = fmt.Sprintf("%s:%d", place, e.Column)
	}
	return fmt.Sprintf("%s: %s: %s", place, e.Field, e.Reason)
}

// Reader reads the events of one file in their order. It is for one goroutine.
type Reader struct {
	name     string
	lines    *textform.Lines
	fields   fields
	header   []field // of CSV, by cell; noField for a column that is passed over
	cells    []textform.Cell
	begun    bool
	received bool
	err      error
}

// NewReader returns a reader of r. The name is for errors. The format is NDJSON if the first byte that is not blank is
// a brace, else CSV.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{name: name, lines: textform.NewLines(r)}
}

// Line is the number of the line that Read gave last, from 1.
func (r *Reader) Line() int { return r.lines.Number() }

// HasReceived reports whether any event so far said when it was received. Where none does, Received is Time everywhere,
// and tells nothing of the order of arrival.
func (r *Reader) HasReceived() bool { return r.received }

// Read reads the next event into e; what the pointers of e point to is kept and overwritten, and nothing of e refers to
// the reader. Lines of unknown type are passed over. At the end it returns io.EOF. What is absent has the default of
// the text form: located and acc true, received = time, a status made of the two, source file; all else unknown. After
// an error e is undefined, and the error comes again at every later call: an *Error where the text is bad.
func (r *Reader) Read(e *ingest.Event) error {
	for r.err == nil {
		line, err := r.lines.Next()
		if err != nil {
			r.err = r.lineError(err)
			break
		}
		if !r.begun {
			r.begun = true
			if b := bytes.TrimLeft(line, " \t"); b[0] != '{' {
				r.err = r.readHeader(line)
				continue
			}
		}
		known := true
		if r.header != nil {
			err = r.splitCSV(line)
		} else {
			known, err = r.splitJSON(line)
		}
		switch {
		case err != nil:
			r.err = err
		case known:
			if err := r.fields.decode(e); err != nil {
				r.err = r.fieldError(err)
				break
			}
			r.received = r.received || r.fields.value[fReceived] != nil
			return nil
		}
	}
	return r.err
}

// lineError gives an error of the lines its place.
func (r *Reader) lineError(err error) error {
	switch {
	case err == io.EOF:
		return err
	case errors.Is(err, textform.ErrLineLong), errors.Is(err, textform.ErrNotUTF8):
		reason := strings.TrimPrefix(err.Error(), "line: ")
		return &Error{Name: r.name, Line: r.lines.Number(), Field: "line", Reason: reason}
	}
	return fmt.Errorf("%s:%d: reading the next line: %w", r.name, r.lines.Number(), err)
}

// fieldError gives an error of a field its place.
func (r *Reader) fieldError(err *fieldError) error {
	e := &Error{Name: r.name, Line: r.lines.Number(), Field: err.path(), Reason: err.reason}
	for i, f := range r.header {
		if f == err.field {
			e.Column = r.cells[i].Column
		}
	}
	return e
}

// splitJSON puts the members of an object into r.fields. It returns false if the type is unknown.
func (r *Reader) splitJSON(line []byte) (known bool, err error) {
	fail := func(name, reason string) (bool, error) {
		return false, &Error{Name: r.name, Line: r.lines.Number(), Field: name, Reason: reason}
	}
	line = bytes.TrimSpace(line)
	if err := textform.CheckJSON(line); err != nil {
		return fail("line", err.Error())
	}
	if line[0] != '{' {
		return fail("line", "not a JSON object; every line of the file is one")
	}
	r.fields.reset(false)
	at := 0
	for {
		var m textform.Member
		var ok bool
		if m, at, ok = textform.NextMember(line, at); !ok {
			break
		}
		key := m.Key
		if bytes.IndexByte(key, '\\') >= 0 {
			key = []byte(textform.Text(key))
		}
		f, ok := fieldNumbers[string(key)]
		if !ok {
			continue
		}
		// The last of several wins. null is unknown, like a field that is absent.
		if m.Value[0] == 'n' {
			m.Value = nil
		}
		r.fields.value[f] = m.Value
	}
	kind := r.fields.value[fType]
	switch {
	case kind == nil:
		return fail("type", `missing; every line has one, like "type":"position"`)
	case kind[0] != '"':
		return fail("type", "want a text, got "+describe(kind))
	}
	r.fields.kind = kinds[textform.Text(kind[1:len(kind)-1])]
	return r.fields.kind != 0, nil
}

// readHeader takes the first line of a CSV file.
func (r *Reader) readHeader(line []byte) error {
	fail := func(column int, name, reason string) error {
		return &Error{Name: r.name, Line: r.lines.Number(), Column: column, Field: name, Reason: reason}
	}
	cells, err := textform.SplitCSV(line, nil)
	if err != nil {
		return r.cellError(err)
	}
	r.header = make([]field, len(cells))
	seen := make(map[field]bool)
	for i, c := range cells {
		f, ok := fieldNumbers[string(c.Text)]
		if !ok || !columns[f] {
			r.header[i] = noField
			continue
		}
		if seen[f] {
			return fail(c.Column, string(c.Text), "the column is there twice")
		}
		seen[f] = true
		r.header[i] = f
	}
	for _, f := range requiredColumns {
		if !seen[f] {
			return fail(0, fieldNames[f], "the column is missing; a CSV file begins with "+csvHeader+
				", and an NDJSON file with a brace")
		}
	}
	return nil
}

// splitCSV puts the cells of a line into r.fields.
func (r *Reader) splitCSV(line []byte) error {
	var err error
	if r.cells, err = textform.SplitCSV(line, r.cells[:0]); err != nil {
		return r.cellError(err)
	}
	if len(r.cells) != len(r.header) {
		return &Error{Name: r.name, Line: r.lines.Number(), Field: "line",
			Reason: fmt.Sprintf("has %d cells, the header %d", len(r.cells), len(r.header))}
	}
	r.fields.reset(true)
	r.fields.kind = ingest.KindPosition
	for i, c := range r.cells {
		if f := r.header[i]; f != noField && len(c.Text) > 0 {
			r.fields.value[f] = c.Text
		}
	}
	return nil
}

func (r *Reader) cellError(err error) error {
	e := &Error{Name: r.name, Line: r.lines.Number(), Field: "line", Reason: err.Error()}
	if c, ok := errors.AsType[*textform.CellError](err); ok {
		e.Column, e.Reason = c.Column, c.Reason
	}
	return e
}
