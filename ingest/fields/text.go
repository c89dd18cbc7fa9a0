package fields

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Text is a STRING of the standard as it stands on the wire: GBK, with whatever padding came with it, so that a
// message that is decoded and encoded again has the same bytes. A literal in ASCII is a Text as it is; GBK makes any other.
type Text string

// GBK makes a Text from UTF-8. Characters that GBK has not become '?'.
func GBK(s string) Text {
	if isASCII(s) {
		return Text(s)
	}
	enc := simplifiedchinese.GBK.NewEncoder()
	if b, err := enc.Bytes([]byte(s)); err == nil {
		return Text(b)
	}
	var out []byte
	for _, r := range s {
		enc.Reset()
		b, err := enc.Bytes(utf8.AppendRune(nil, r))
		if err != nil || r == utf8.RuneError {
			b = []byte{'?'}
		}
		out = append(out, b...)
	}
	return Text(out)
}

// String returns the text in UTF-8, without 0x00 and spaces at either end; bytes that are not GBK become U+FFFD.
func (t Text) String() string {
	s := t.Trimmed()
	if isASCII(string(s)) {
		return string(s)
	}
	b, err := simplifiedchinese.GBK.NewDecoder().Bytes([]byte(s))
	if err != nil {
		return string(utf8.RuneError)
	}
	return string(b)
}

// Trimmed returns the bytes of t without 0x00 and spaces at either end: 2019 pads some fields in front, and devices pad
// as they like.
func (t Text) Trimmed() Text {
	for len(t) > 0 && (t[0] == 0 || t[0] == ' ') {
		t = t[1:]
	}
	for len(t) > 0 && (t[len(t)-1] == 0 || t[len(t)-1] == ' ') {
		t = t[:len(t)-1]
	}
	return t
}

// Cut returns at most n bytes of t, and no half character at the end.
func (t Text) Cut(n int) Text {
	if len(t) <= n {
		return t
	}
	i := 0
	for i < n {
		step := 1
		if t[i] > 0x80 {
			step = 2
		}
		if i+step > n {
			break
		}
		i += step
	}
	return t[:i]
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
