package jt808

import (
	"errors"
	"fmt"
)

// ErrorKind classes what can be wrong with a frame or a body. Its text is the value of a metric label.
type ErrorKind uint8

const (
	ErrEscape   ErrorKind = iota + 1 // 0x7D followed by neither 0x01 nor 0x02
	ErrChecksum                      // the XOR does not fit
	ErrTooLong                       // no closing 0x7E within the limit
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

// Error says what is wrong, in which field, and where.
type Error struct {
	Kind   ErrorKind
	Field  string // snake_case name of the standard's field
	Offset int    // in the frame without its delimiters for the framer and the header, else in the body
	Detail string
}

func (e *Error) Error() string {
	return fmt.Sprintf("jt808: %s at byte %d: %s", e.Field, e.Offset, e.Detail)
}

// KindOf returns the kind of an error of this package, wrapped or not; 0 for any other.
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}
