package fields

import (
	"errors"
	"fmt"
)

// ErrorKind classes what can be wrong with a frame or a body. Its text is the value of a metric label.
type ErrorKind uint8

const (
	ErrEscape   ErrorKind = iota + 1 // an escape character followed by what the protocol does not have
	ErrChecksum                      // the checksum does not fit
	ErrTooLong                       // no closing delimiter within the limit
	ErrLength                        // the length in the header does not fit the frame
	ErrShort                         // a field is cut off by the end of its space
	ErrValue                         // a value that the standard does not allow
	ErrLimit                         // a limit of the receiver: parts, bytes
)

var errorKindNames = [...]string{ErrEscape: "escape", ErrChecksum: "checksum", ErrTooLong: "too_long",
	ErrLength: "length", ErrShort: "short", ErrValue: "value", ErrLimit: "limit"}

func (k ErrorKind) String() string {
	if k == 0 || int(k) >= len(errorKindNames) {
		return "unknown"
	}
	return errorKindNames[k]
}

// ErrorKinds lists every kind, for whoever registers a metric by kind.
var ErrorKinds = []ErrorKind{ErrEscape, ErrChecksum, ErrTooLong, ErrLength, ErrShort, ErrValue, ErrLimit}

// Error says what is wrong, in which field, and where. A protocol makes its own error of it by conversion.
type Error struct {
	Kind   ErrorKind
	Field  string // snake_case name of the standard's field
	Offset int    // in the bytes that the walk reads
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d: %s", e.Field, e.Offset, e.Detail) }

// FillError is a member of a JSON object that Fill cannot take.
type FillError struct {
	Path   string // body.items[2].sub_type
	Detail string
}

func (e *FillError) Error() string { return e.Path + ": " + e.Detail }

// IsFillError reports whether the error, wrapped or not, is about what was given as JSON.
func IsFillError(err error) bool {
	var e *FillError
	return errors.As(err, &e)
}
