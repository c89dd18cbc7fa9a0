package jt809

import (
	"errors"
	"fmt"

	wire "lushao/ingest/fields"
)

// ErrorKind classes what can be wrong with a frame or a body. Its text is the value of a metric label.
type ErrorKind = wire.ErrorKind

// The kinds, as package fields has them.
const (
	ErrEscape   = wire.ErrEscape
	ErrChecksum = wire.ErrChecksum
	ErrTooLong  = wire.ErrTooLong
	ErrLength   = wire.ErrLength
	ErrShort    = wire.ErrShort
	ErrValue    = wire.ErrValue
	ErrLimit    = wire.ErrLimit
)

// ErrorKinds lists every kind, for whoever registers a metric by kind.
var ErrorKinds = wire.ErrorKinds

// Error says what is wrong, in which field, and where.
type Error struct {
	Kind   ErrorKind
	Field  string // snake_case name of the standard's field
	Offset int    // in the frame without its flags for the framer and the header, else in the body or the data
	Detail string
}

func (e *Error) Error() string {
	return fmt.Sprintf("jt809: %s at byte %d: %s", e.Field, e.Offset, e.Detail)
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
