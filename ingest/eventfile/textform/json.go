package textform

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// CheckJSON reports whether b, which is UTF-8, is one JSON value and nothing else. The error is a *JSONError.
func CheckJSON(b []byte) error {
	if json.Valid(b) {
		return nil
	}
	var v json.RawMessage
	err := json.Unmarshal(b, &v)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &JSONError{int(syntax.Offset), syntax.Error()}
	}
	return &JSONError{len(b), fmt.Sprint(err)}
}

// JSONError says where a text is no JSON.
type JSONError struct {
	Offset int // bytes, from 1
	Reason string
}

func (e *JSONError) Error() string { return fmt.Sprintf("JSON: byte %d: %s", e.Offset, e.Reason) }

// Member is a member of a JSON object, or an element of an array. Its bytes alias the text.
type Member struct {
	Key   []byte // without quotes, escapes as they are; nil in an array
	Value []byte // without white space around
	At    int    // offset of the value from the first byte of the object or array
}

// NextMember returns the member of a JSON object that follows offset at, and the offset to go on from. Begin with 0; ok
// is false behind the last one. The object must have passed CheckJSON and begin with its brace.
func NextMember(object []byte, at int) (m Member, next int, ok bool) {
	at = skip(object, at) // brace or comma, and white space
	if object[at] != '"' {
		return m, at, false
	}
	end := valueEnd(object, at)
	m.Key = object[at+1 : end-1]
	at = skip(object, end-1) // the closing quote and white space; the colon is next
	at = skip(object, at)
	end = valueEnd(object, at)
	m.Value, m.At = object[at:end], at
	return m, skip(object, end-1), true
}

// NextElement is NextMember for the elements of a JSON array.
func NextElement(array []byte, at int) (m Member, next int, ok bool) {
	at = skip(array, at)
	if array[at] == ']' || at == len(array)-1 {
		return m, at, false
	}
	end := valueEnd(array, at)
	return Member{Value: array[at:end], At: at}, skip(array, end-1), true
}

// skip returns the offset of the first byte behind the one at at that is not white space, or the last offset.
func skip(b []byte, at int) int {
	for at++; at < len(b); at++ {
		if c := b[at]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return at
		}
	}
	return len(b) - 1
}

// valueEnd returns the offset behind the value that begins at at.
func valueEnd(b []byte, at int) int {
	depth := 0
	for i := at; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // a number or word, ended by what holds it
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// Text returns the text of a JSON string, or of a key, without its quotes. Half a surrogate pair becomes U+FFFD.
func Text(inner []byte) string {
	for _, c := range inner {
		if c == '\\' {
			quoted := append(append([]byte{'"'}, inner...), '"')
			var s string
			if err := json.Unmarshal(quoted, &s); err != nil {
				return string(utf8.RuneError) // not reached with what passed CheckJSON
			}
			return s
		}
	}
	return string(inner)
}

// AppendString appends s as a JSON string to dst. What is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}
