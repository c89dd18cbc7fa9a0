package textform

import (
	"errors"
	"strconv"
)

// Errors of ParseDecimal.
var (
	ErrNumber = errors.New("not a decimal number")
	ErrRange  = errors.New("out of range")
)

// ParseDecimal returns the decimal number of b times 10 to the power of places: "61.5" with 1 place is 615. It never
// goes through binary floating point. What lies beyond the places is rounded half to even, and exact is then false.
// The form is that of JSON with a leading + and leading zeros allowed.
func ParseDecimal(b []byte, places int) (v int64, exact bool, err error) {
	i, negative := 0, false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		negative = b[i] == '-'
		i++
	}
	digits := b[i:]
	point := 0 // digits before the decimal point
	for point < len(digits) && isDigit(digits[point]) {
		point++
	}
	end := point // of the digits, the point included
	if point == 0 {
		return 0, false, ErrNumber
	}
	if end < len(digits) && digits[end] == '.' {
		end++
		for end < len(digits) && isDigit(digits[end]) {
			end++
		}
		if end == point+1 {
			return 0, false, ErrNumber
		}
	}
	exponent, ok := parseExponent(digits[end:])
	if !ok {
		return 0, false, ErrNumber
	}
	keep := point + exponent + places // digits that make the integer
	var n uint64
	var first byte // first digit that is dropped
	var sticky bool
	k := 0
	for _, c := range digits[:end] {
		if c == '.' {
			continue
		}
		c -= '0'
		switch {
		case k < keep:
			if n > (1<<63-10)/10 {
				return 0, false, ErrRange
			}
			n = n*10 + uint64(c)
		case k == keep:
			first = c
		default:
			sticky = sticky || c != 0
		}
		k++
	}
	for ; k < keep && n != 0; k++ {
		if n > (1<<63-10)/10 {
			return 0, false, ErrRange
		}
		n *= 10
	}
	if first > 5 || first == 5 && (sticky || n&1 == 1) {
		n++
	}
	v = int64(n)
	if negative {
		v = -v
	}
	return v, first == 0 && !sticky, nil
}

// parseExponent reads "", "e5", "E-5". It saturates: no line holds as many digits as would bring such a number back.
func parseExponent(b []byte) (exponent int, ok bool) {
	if len(b) == 0 {
		return 0, true
	}
	if b[0] != 'e' && b[0] != 'E' {
		return 0, false
	}
	b, negative := b[1:], false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		exponent = min(exponent*10+int(c-'0'), 1<<30)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// AppendDecimal appends v divided by 10 to the power of places, in its shortest exact form: 615 with 1 place is 61.5,
// 600 is 60.
func AppendDecimal(dst []byte, v int64, places int) []byte {
	u := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		u = -u
	}
	scale := uint64(1)
	for range places {
		scale *= 10
	}
	dst = strconv.AppendUint(dst, u/scale, 10)
	rest := u % scale
	if rest == 0 {
		return dst
	}
	dst = append(dst, '.')
	for rest != 0 {
		scale /= 10
		dst = append(dst, byte('0'+rest/scale))
		rest %= scale
	}
	return dst
}
