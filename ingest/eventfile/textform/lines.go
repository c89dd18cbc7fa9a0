// Package textform reads and writes the plain texts that event files and the reference directory are made of: lines,
// CSV cells, exact decimal numbers, RFC 3339 times and the members of JSON objects. It knows nothing of what they mean.
package textform

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxLine bounds a line in bytes, its end not counted.
const MaxLine = 1 << 20

// Errors of Lines.Next that are the text's fault. Any other error is the reader's.
var (
	ErrLineLong = fmt.Errorf("line: longer than %d bytes", MaxLine)
	ErrNotUTF8  = errors.New("line: not UTF-8; convert the file, from GB18030 for example")
)

// Lines gives the lines of a text in UTF-8 one by one. A byte order mark is taken off, lines end with LF or CR LF, the
// last one needs no end, and blank lines are passed over but counted.
type Lines struct {
	r    *bufio.Reader
	long []byte // a line that does not fit the buffer of r
	n    int
	err  error
}

// NewLines returns the lines of r.
func NewLines(r io.Reader) *Lines { return &Lines{r: bufio.NewReaderSize(r, 64<<10)} }

// Number is the number of the line that Next gave last, from 1.
func (l *Lines) Number() int { return l.n }

// Next returns the next line that is not blank, without its end. The bytes are valid until the next call. At the end
// it returns io.EOF; an error comes again at every later call.
func (l *Lines) Next() ([]byte, error) {
	for l.err == nil {
		line, err := l.read()
		if err != nil {
			l.err = err
			break
		}
		if l.n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !utf8.Valid(line) {
			l.err = ErrNotUTF8
			break
		}
		return line, nil
	}
	return nil, l.err
}

// read returns one line without its end. What stands before a read error is dropped: half a line may look like a whole
// one.
func (l *Lines) read() ([]byte, error) {
	const end = 2 // CR LF
	line, err := l.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		l.long = l.long[:0]
		for err == bufio.ErrBufferFull && len(l.long) <= MaxLine+end {
			l.long = append(l.long, line...)
			line, err = l.r.ReadSlice('\n')
		}
		l.long = append(l.long, line...)
		line = l.long
	}
	switch {
	case err == io.EOF && len(line) == 0:
		return nil, io.EOF
	case err != nil && err != io.EOF && err != bufio.ErrBufferFull:
		return nil, err
	}
	l.n++
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > MaxLine {
		return nil, ErrLineLong
	}
	return line, nil
}
