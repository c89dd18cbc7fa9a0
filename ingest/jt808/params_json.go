package jt808

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	wire "lushao/ingest/fields"
)

// paramWidths are the lengths in bytes of the numbers that are no DWORD.
var paramWidths = map[uint32]int{0x0031: 2, 0x005B: 2, 0x005C: 2, 0x005D: 2, 0x005E: 2, 0x0081: 2, 0x0082: 2, 0x0084: 1, 0x0090: 1,
	0x0091: 1, 0x0092: 1, 0x0094: 1, 0x0101: 2, 0x0103: 2, 0xF370: 1}

// paramIDs finds an id by its name.
var paramIDs = func() map[string]uint32 {
	m := make(map[string]uint32, len(paramTypes))
	for id, t := range paramTypes {
		m[t.name] = id
	}
	return m
}()

// AppendParameterJSON appends the parameter as the object that Describe has for it: id, name, len, value.
func AppendParameterJSON(dst []byte, p *Parameter) []byte {
	f := fields{Walker: wire.Describer(dst)}
	f.Object(func() { walkParameter(&f, p) })
	return f.Out
}

// ParseParameterID reads the name of a parameter, or its number, decimal or with 0x.
func ParseParameterID(s string) (uint32, error) {
	if id, ok := paramIDs[s]; ok {
		return id, nil
	}
	id, err := strconv.ParseUint(s, 0, 32)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%q is no parameter; give a name such as max_speed, or a number such as 0x0055", s)
	}
	return uint32(id), nil
}

// ParseParameter makes a parameter of a value in JSON: a number where the standard has one, in its width; a text where it
// has one; for all others hex digits. What is of no known type may be given as hex digits or, with 4 bytes, as a number.
func ParseParameter(id uint32, value json.RawMessage) (Parameter, error) {
	t, known := paramTypes[id]
	var text string
	isText := json.Unmarshal(value, &text) == nil && len(value) > 0 && value[0] == '"'
	number, err := strconv.ParseUint(string(value), 10, 64)
	isNumber := err == nil
	switch {
	case known && t.kind == paramText:
		if !isText {
			return Parameter{}, fmt.Errorf("%s is a text", t.name)
		}
		return textParameter(id, t.name, text)
	case isNumber && (!known || t.kind == paramNumber):
		width := paramWidths[id]
		if width == 0 {
			width = 4
		}
		if number >= 1<<(8*width) {
			return Parameter{}, fmt.Errorf("%s: %d does not fit into %d bytes", paramName(id), number, width)
		}
		return Parameter{id, wire.AppendUint(nil, width, number)}, nil
	case known && t.kind == paramNumber:
		return Parameter{}, fmt.Errorf("%s is a whole number, not negative", t.name)
	case isText:
		b, err := hex.DecodeString(text)
		if err != nil || len(b) > 255 {
			return Parameter{}, fmt.Errorf("%s is given as hex digits, at most 255 bytes", paramName(id))
		}
		return Parameter{id, b}, nil
	}
	return Parameter{}, fmt.Errorf("%s is given as hex digits, at most 255 bytes", paramName(id))
}

func textParameter(id uint32, name, s string) (Parameter, error) {
	g := GBK(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return Parameter{}, fmt.Errorf("%s: not a text", name)
	case len(g) > 255:
		return Parameter{}, fmt.Errorf("%s: %d bytes in GBK; at most 255", name, len(g))
	case strings.Count(string(g), "?") != strings.Count(s, "?"):
		return Parameter{}, fmt.Errorf("%s: has a character that GBK has not", name)
	}
	return TextParam(id, g), nil
}

func paramName(id uint32) string {
	if t, ok := paramTypes[id]; ok {
		return t.name
	}
	return fmt.Sprintf("0x%04X", id)
}
