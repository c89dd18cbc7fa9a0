package reference

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

// A parser makes a value of a text that is not empty, or says what is wrong with it. The same parsers serve CSV cells
// and JSON strings and numbers.
type parser[T any] func(text string) (v T, reason string)

func parseText(s string) (string, string) {
	if strings.TrimSpace(s) != s {
		return "", fmt.Sprintf("%q has white space around it", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return "", fmt.Sprintf("%q has control characters", s)
		}
	}
	return s, ""
}

// parseRouteID is parseText for ids that stand in lists.
func parseRouteID(s string) (string, string) {
	if strings.Contains(s, ";") {
		return "", fmt.Sprintf("%q has a semicolon, which separates the routes of a vehicle", s)
	}
	return parseText(s)
}

// parseColor takes the colours of JT/T 697.7, and 0 for a vehicle without a plate.
func parseColor(s string) (ingest.Color, string) {
	n, reason := whole(s, 0, math.MaxUint8)
	if reason != "" {
		return 0, reason
	}
	switch {
	case n <= 5, n == 9, n >= 91 && n <= 94:
		return ingest.Color(n), ""
	}
	return 0, fmt.Sprintf("%s is no plate colour; want 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91 to 94, or 0 without a plate", s)
}

// parseVehicle reads "plate/color".
func parseVehicle(s string) (ingest.Vehicle, string) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return ingest.Vehicle{}, fmt.Sprintf(`%q is no vehicle; want "plate/color", like "晋E12345/2"`, s)
	}
	color, reason := parseColor(s[i+1:])
	if reason != "" {
		return ingest.Vehicle{}, reason
	}
	return newVehicle(s[:i], color)
}

func newVehicle(plate string, color ingest.Color) (ingest.Vehicle, string) {
	if _, reason := parseText(plate); reason != "" {
		return ingest.Vehicle{}, reason
	}
	v, err := ingest.NewVehicle(plate, color)
	if err != nil {
		return v, fmt.Sprintf("%q: %s", plate, strings.TrimPrefix(err.Error(), "plate: "))
	}
	return v, ""
}

func parseClass(s string) (detect.Class, string) {
	c, ok := detect.ParseClass(s)
	if !ok {
		return 0, fmt.Sprintf("%q is no class; want %s", s, oneOf(classNames()))
	}
	return c, ""
}

func classNames() []string {
	names := make([]string, 0, 9)
	for c := detect.ClassOther; c <= detect.ClassSchoolBus; c++ {
		names = append(names, c.String())
	}
	return names
}

func oneOf[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// parseWord returns a parser of one of some words.
func parseWord[T ~string](words ...T) parser[T] {
	return func(s string) (T, string) {
		for _, w := range words {
			if s == string(w) {
				return w, ""
			}
		}
		return "", fmt.Sprintf("%q is unknown; want %s", s, oneOf(words))
	}
}

func parseBool(s string) (bool, string) {
	switch s {
	case "true":
		return true, ""
	case "false":
		return false, ""
	}
	return false, fmt.Sprintf("%q; want true or false", s)
}

func parseTri(s string) (ingest.Tri, string) {
	v, reason := parseBool(s)
	return ingest.TriOf(v), reason
}

func parseMethod(s string) (ingest.Method, string) {
	for _, m := range []ingest.Method{ingest.MethodDynamic, ingest.MethodStatic} {
		if s == m.String() {
			return m, ""
		}
	}
	return 0, fmt.Sprintf("%q; want dynamic or static", s)
}

// parsePhone takes the digits of a terminal's phone number, leading zeros off: editions of JT/T 808 pad it differently.
func parsePhone(s string) (string, string) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return "", fmt.Sprintf("%q; want digits only", s)
		}
	}
	t := strings.TrimLeft(s, "0")
	const most = 20 // JT/T 808-2019: BCD[10]
	if t == "" || len(t) > most {
		return "", fmt.Sprintf("%q; want 1 to %d digits that are not all 0", s, most)
	}
	return t, ""
}

// parseTime takes an end of a validity. 0 stands for an open end, so the times before 1970 are refused.
func parseTime(s string) (int64, string) {
	ms, err := textform.ParseTime([]byte(s))
	switch {
	case err != nil:
		return 0, fmt.Sprintf("%q is %v", s, err)
	case ms <= 0:
		return 0, fmt.Sprintf("%q is before 1970; leave it empty where it is open", s)
	}
	return ms, ""
}

// decimal reads a number times 10 to the power of places.
func decimal(s string, places int, least, most int64) (n int64, exact bool, reason string) {
	n, exact, err := textform.ParseDecimal([]byte(s), places)
	switch {
	case err == textform.ErrNumber:
		return 0, false, fmt.Sprintf("%q; want a number", s)
	case err != nil || n < least || n > most:
		return 0, false, fmt.Sprintf("%s is out of range; want %s to %s", s,
			textform.AppendDecimal(nil, least, places), textform.AppendDecimal(nil, most, places))
	}
	return n, exact, ""
}

func whole(s string, least, most int64) (int64, string) {
	n, exact, reason := decimal(s, 0, least, most)
	if reason == "" && !exact {
		reason = fmt.Sprintf("%s; want a whole number", s)
	}
	return n, reason
}

// parseAmount takes a whole number of kg, mm or s. 0 stands for unknown, so it is refused.
func parseAmount(s string) (uint32, string) {
	n, reason := whole(s, 1, math.MaxUint32)
	return uint32(n), reason
}

func parseAxles(s string) (uint8, string) {
	n, reason := whole(s, 1, math.MaxUint8)
	return uint8(n), reason
}

// parseSpeed takes a limit in km/h. 0 stands for none, so it is refused.
func parseSpeed(s string) (uint16, string) {
	n, exact, reason := decimal(s, 1, 1, math.MaxUint16)
	if reason == "" && !exact {
		reason = fmt.Sprintf("%s has more than one decimal", s)
	}
	return uint16(n), reason
}

func parseLat(s string) (int32, string) {
	n, _, reason := decimal(s, 6, -90e6, 90e6)
	return int32(n), reason
}

func parseLon(s string) (int32, string) {
	n, _, reason := decimal(s, 6, -180e6, 180e6)
	return int32(n), reason
}

func parseSizeTolerance(s string) (int32, string) {
	n, reason := whole(s, 0, math.MaxInt32)
	return int32(n), reason
}

// parseFloat takes a finite decimal number.
func parseFloat(s string) (float64, string) {
	if _, _, err := textform.ParseDecimal([]byte(s), 0); err == textform.ErrNumber {
		return 0, fmt.Sprintf("%q; want a number", s)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, s + " is out of range"
	}
	return v, ""
}

func parsePercent(s string) (float64, string) {
	v, reason := parseFloat(s)
	if reason == "" && !(v >= 0 && v <= 100) {
		reason = s + " is out of range; want 0 to 100"
	}
	return v + 0, reason // no negative zero
}

// parseMetres takes a length that is over 0.
func parseMetres(s string) (float64, string) {
	v, reason := parseFloat(s)
	if reason == "" && !(v > 0) {
		reason = s + "; want more than 0 m"
	}
	return v, reason
}

// parseClock reads a time of day, "00:00" to "24:00", as minutes.
func parseClock(s string) (uint16, string) {
	digit := func(i int) int { return int(s[i]) - '0' }
	if len(s) == 5 && s[2] == ':' {
		good := true
		for _, i := range []int{0, 1, 3, 4} {
			good = good && s[i] >= '0' && s[i] <= '9'
		}
		h, m := digit(0)*10+digit(1), digit(3)*10+digit(4)
		if good && m < 60 && h*60+m <= 24*60 {
			return uint16(h*60 + m), ""
		}
	}
	return 0, fmt.Sprintf(`%q is no time of day; want "00:00" to "24:00"`, s)
}
