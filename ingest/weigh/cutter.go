package weigh

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// Limits of one record in a body. A weighing has some 400 bytes and one list in an object.
const (
	maxRecordSize  = 64 << 10
	maxRecordDepth = 8
)

// A breakError ends the reading of a body: what came before it is good, what follows can't be told apart any more.
type breakError struct {
	status int // of HTTP
	text   string
}

func (e *breakError) Error() string { return e.text }

// cutter cuts a body into records without decoding them, so that memory stays bounded whatever is sent: it holds one
// record. It takes a list, an object, objects one after another, and, in lines mode, NDJSON, where a bad line costs that
// line only.
type cutter struct {
	r     *bufio.Reader
	lines bool
	list  bool
	begun bool
	ended bool
	at    int64  // offset in the body, for errors
	buf   []byte // of the record at hand; reused
}

// next returns the next record, valid until the call after. A refusal costs that record only. The error is io.EOF at the
// end, or a *breakError.
func (c *cutter) next() (raw []byte, refusal *Refusal, err error) {
	if !c.begun {
		if err := c.begin(); err != nil {
			return nil, nil, err
		}
	}
	if c.lines {
		return c.line()
	}
	b, err := c.skipSpace()
	if c.list && err == nil && !c.ended {
		switch {
		case b == ']':
			c.ended = true
			b, err = c.skipSpace()
		case c.buf != nil: // a record came before
			if b != ',' {
				return nil, nil, c.broken("%q, want a comma or the end of the list", b)
			}
			if b, err = c.skipSpace(); err == nil && b == ']' {
				return nil, nil, c.broken("the list ends after a comma")
			}
		}
	}
	switch {
	case err == io.EOF && (!c.list || c.ended):
		return nil, nil, io.EOF
	case err != nil:
		return nil, nil, c.readError(err)
	case c.ended:
		return nil, nil, c.broken("%q after the end of the list", b)
	case !c.list && b != '{':
		return nil, nil, c.broken("%q, want an object", b)
	}
	return c.value(b)
}

func (c *cutter) begin() error {
	c.begun = true
	if mark, err := c.r.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		c.r.Discard(3)
		c.at += 3
	}
	b, err := c.skipSpace()
	switch {
	case err == io.EOF:
		return &breakError{http.StatusBadRequest, "the body is empty: send a JSON object, a list of objects, or one object a line"}
	case err != nil:
		return c.readError(err)
	case b == '[':
		c.list, c.lines = true, false
		return nil
	case b != '{' && !c.lines:
		return c.broken("%q begins no JSON object and no list", b)
	}
	c.unread()
	return nil
}

// value scans one JSON value whose first byte is b. It looks at quotes and brackets only; json.Valid does the rest.
func (c *cutter) value(b byte) (raw []byte, refusal *Refusal, err error) {
	c.buf = append(c.buf[:0], b)
	var depth, deepest, size int
	var quoted, escaped, done bool
	step := func(b byte) {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped = b == '\\'
			quoted = b != '"'
			done = !quoted && depth == 0
		case b == '"':
			quoted = true
		case b == '{' || b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}' || b == ']':
			depth--
			done = depth <= 0
		}
	}
	step(b)
	size = 1
	for scalar := depth == 0 && !quoted; !done; {
		if b, err = c.readByte(); err != nil {
			if err == io.EOF && scalar {
				break
			}
			return nil, nil, c.readError(err)
		}
		if scalar && (isSpace(b) || b == ',' || b == ']' || b == '}') {
			c.unread()
			break
		}
		size++
		if size <= maxRecordSize {
			c.buf = append(c.buf, b)
		}
		if !scalar {
			step(b)
		}
	}
	switch {
	case size > maxRecordSize:
		return nil, tooLarge(size), nil
	case deepest > maxRecordDepth:
		return nil, tooDeep(deepest), nil
	case !json.Valid(c.buf):
		return nil, nil, c.broken("what ends here is not JSON: %v", json.Unmarshal(c.buf, new(json.RawMessage)))
	}
	return c.buf, nil, nil
}

// line returns the next line that is not blank.
func (c *cutter) line() (raw []byte, refusal *Refusal, err error) {
	for {
		c.buf = c.buf[:0]
		size := 0
		for {
			b, err := c.readByte()
			if err == io.EOF && size > 0 || err == nil && b == '\n' {
				break
			}
			if err == io.EOF {
				return nil, nil, io.EOF
			}
			if err != nil {
				return nil, nil, c.readError(err)
			}
			size++
			if size <= maxRecordSize {
				c.buf = append(c.buf, b)
			}
		}
		line := bytes.TrimSpace(c.buf)
		switch deepest := depthOf(line); {
		case size > maxRecordSize:
			return nil, tooLarge(size), nil
		case len(line) == 0:
			continue
		case deepest > maxRecordDepth:
			return nil, tooDeep(deepest), nil
		case !json.Valid(line):
			return nil, &Refusal{Field: "record", Code: CodeNotJSON, Text: fmt.Sprint(json.Unmarshal(line, new(json.RawMessage)))}, nil
		}
		return line, nil, nil
	}
}

func depthOf(b []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"':
			quoted = !quoted
		case quoted:
		case b[i] == '{' || b[i] == '[':
			depth++
			deepest = max(deepest, depth)
		case b[i] == '}' || b[i] == ']':
			depth--
		}
	}
	return deepest
}

func tooLarge(size int) *Refusal {
	return &Refusal{Field: "record", Code: CodeTooLarge, Text: fmt.Sprintf("%d bytes; at most %d", size, maxRecordSize)}
}

func tooDeep(depth int) *Refusal {
	return &Refusal{Field: "record", Code: CodeTooDeep, Text: fmt.Sprintf("%d levels of brackets; at most %d", depth, maxRecordDepth)}
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func (c *cutter) skipSpace() (byte, error) {
	for {
		b, err := c.readByte()
		if err != nil || !isSpace(b) {
			return b, err
		}
	}
}

func (c *cutter) readByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.at++
	}
	return b, err
}

func (c *cutter) unread() {
	c.r.UnreadByte()
	c.at--
}

func (c *cutter) broken(format string, args ...any) error {
	return &breakError{http.StatusBadRequest, fmt.Sprintf("body: byte %d: ", max(c.at-1, 0)) + fmt.Sprintf(format, args...)}
}

func (c *cutter) readError(err error) error {
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return &breakError{http.StatusRequestEntityTooLarge, fmt.Sprintf("body: longer than %d bytes: send fewer records at once", tooBig.Limit)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &breakError{http.StatusRequestTimeout, fmt.Sprintf("body: byte %d: the rest did not come in time", c.at)}
	case err == io.EOF:
		return &breakError{http.StatusBadRequest, fmt.Sprintf("body: byte %d: ends in the middle", c.at)}
	}
	return &breakError{http.StatusBadRequest, fmt.Sprintf("body: byte %d: %v", c.at, err)}
}
