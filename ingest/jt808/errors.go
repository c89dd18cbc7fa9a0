package jt808

import (
	"errors"
	"fmt"

	wire "lushao/ingest/fields"
)

// ErrorKind classes what can be wrong with a frame or a body. Its text is the value of a metric label.
type ErrorKind = wire.ErrorKind

const (
	ErrEscape   = wire.ErrEscape   // 0x7D followed by neither 0x01 nor 0x02
	ErrChecksum = wire.ErrChecksum // the XOR does not fit
	ErrTooLong  = wire.ErrTooLong  // no closing 0x7E within the limit
	ErrLength   = wire.ErrLength   // the length in the header does not fit the frame
	ErrShort    = wire.ErrShort    // a field is cut off by the end of its space
	ErrValue    = wire.ErrValue    // a value that the standard does not allow
	ErrLimit    = wire.ErrLimit    // a limit of the receiver: parts, bytes
)

// ErrorKinds lists every kind, for whoever registers a metric by kind.
var ErrorKinds = wire.ErrorKinds

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

// own makes an error of the walker one of this package.
func own(err error) error {
	if e, ok := err.(*wire.Error); ok {
		return (*Error)(e)
	}
	return err
}
