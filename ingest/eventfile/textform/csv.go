package textform

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Cell is a cell of a line of CSV.
type Cell struct {
	Text   []byte
	Column int // where it begins in the line: characters, from 1
}

// CellError says where in a line of CSV the trouble is.
type CellError struct {
	Column int // characters, from 1
	Reason string
}

func (e *CellError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Reason) }

// SplitCSV appends the cells of a line to cells. It is RFC 4180 but for two things: blanks round a cell that is not
// quoted are taken off, and a cell holds no line break. The cells alias line. The error is a *CellError.
func SplitCSV(line []byte, cells []Cell) ([]Cell, error) {
	column := 1
	for {
		text, size, quoted := line, len(line), false
		if i := bytes.IndexByte(line, ','); i >= 0 {
			text, size = line[:i], i
		}
		if t := bytes.TrimLeft(text, " \t"); len(t) > 0 && t[0] == '"' {
			lead := len(text) - len(t)
			body, used, ok := unquote(line[lead:])
			if !ok {
				return cells, &CellError{column + lead, `quote: not closed on its line; a cell begins and ends with ", and a " in it is doubled`}
			}
			quoted, size = true, lead+used
			for size < len(line) && (line[size] == ' ' || line[size] == '\t') {
				size++
			}
			if size < len(line) && line[size] != ',' {
				return cells, &CellError{column + utf8.RuneCount(line[:size]), "quote: text after it; a cell is quoted as a whole"}
			}
			text = body
		}
		if !quoted {
			text = bytes.TrimSpace(text)
		}
		cells = append(cells, Cell{text, column})
		if size == len(line) {
			return cells, nil
		}
		column += utf8.RuneCount(line[:size]) + 1
		line = line[size+1:]
	}
}

// unquote returns what stands in the quotes at the beginning of b, and how many bytes that took, quotes included.
func unquote(b []byte) (body []byte, used int, ok bool) {
	doubled := false
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] != '"':
		case i+1 < len(b) && b[i+1] == '"':
			doubled = true
			i++
		default:
			body = b[1:i]
			if doubled {
				body = bytes.ReplaceAll(body, []byte(`""`), []byte(`"`))
			}
			return body, i + 1, true
		}
	}
	return nil, 0, false
}

// AppendCell appends text as a cell of CSV to dst, quoted where needed. It cannot carry line breaks.
func AppendCell(dst []byte, text string) []byte {
	if !strings.ContainsAny(text, "\",") && strings.TrimSpace(text) == text {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(text, `"`, `""`)...)
	return append(dst, '"')
}
