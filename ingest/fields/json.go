package fields

import (
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// AppendString appends s as a JSON string. Only what JSON demands is escaped: Chinese stays readable.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029:
			dst = append(dst, '\\', 'u', HexDigit(byte(r>>12)), HexDigit(byte(r>>8&15)), HexDigit(byte(r>>4&15)), HexDigit(byte(r&15)))
		default:
			dst = utf8.AppendRune(dst, r) // U+FFFD for a byte that is not UTF-8
		}
		i += n
	}
	return append(dst, '"')
}

// AppendHex appends b as a JSON string of hex digits.
func AppendHex(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, b)
	return append(dst, '"')
}

// AppendTenths appends v/10 with one decimal.
func AppendTenths(dst []byte, v int64) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	dst = strconv.AppendInt(dst, v/10, 10)
	return append(dst, '.', '0'+byte(v%10))
}

// AppendDegrees appends v*1e-6 with six decimals.
func AppendDegrees(dst []byte, v uint32, negative bool) []byte {
	if negative && v != 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendUint(dst, uint64(v/1e6), 10)
	dst = append(dst, '.')
	for p := uint32(1e5); p > 0; p /= 10 {
		dst = append(dst, '0'+byte(v/p%10))
	}
	return dst
}

// HexDigit is the digit of the lower four bits.
func HexDigit(b byte) byte { return "0123456789abcdef"[b&15] }
