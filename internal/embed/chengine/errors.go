package chengine

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// engineError is what ClickHouse says: "Code: 60. DB::Exception: … (UNKNOWN_TABLE)".
type engineError struct{ message string }

func (e *engineError) Error() string { return e.message }

// ErrClosed is what a statement gets once Close was called.
var ErrClosed = errors.New("the embedded ClickHouse is shutting down")

// Codes of ClickHouse (src/Common/ErrorCodes.cpp) for what this package refuses itself.
const (
	codeNotImplemented  = 48
	codeUnknownSetting  = 115
	codeIncorrectData   = 117
	codeNetworkError    = 210
	codeQueryTooLarge   = 62 // SYNTAX_ERROR: what a server answers beyond max_query_size
	codeQueryCancelled  = 394
	codeUnknownFallback = 1000
)

// refuse makes an error in ClickHouse's own form, so that clients find code and name where they look for them.
func refuse(code int, name, format string, arguments ...any) error {
	return &engineError{fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, arguments...), name)}
}

var (
	codePattern    = regexp.MustCompile(`Code: (\d+)\. `)
	wrappedPattern = regexp.MustCompile(`^Code: \d+\. DB::Exception: (Code: \d+\. )`)
)

// describe returns code and text of an error for the wire. The library wraps some messages twice: "Code: 33. DB::Exception: Code: 33. …".
func describe(err error) (code, text string) {
	text = strings.TrimSpace(err.Error())
	if m := wrappedPattern.FindStringSubmatchIndex(text); m != nil {
		text = text[m[2]:]
	}
	if m := codePattern.FindStringSubmatch(text); m != nil && strings.HasPrefix(text, m[0]) {
		return m[1], text
	}
	number, name := codeUnknownFallback, "POCO_EXCEPTION"
	if errors.Is(err, ErrClosed) {
		number, name = codeNetworkError, "NETWORK_ERROR"
	}
	return strconv.Itoa(number), fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", number, text, name)
}
