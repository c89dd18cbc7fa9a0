package jt809

import (
	"encoding/binary"
	"time"

	wire "lushao/ingest/fields"
	"lushao/ingest/jt808"
)

// variant is a layout that peers use beside that of the edition. When decoding, guess says whether the data have it; JSON
// has the name with true where it is meant.
func (f *fields) variant(name string, v *bool, guess bool) bool {
	switch f.Mode {
	case wire.Decoding:
		*v = guess
	case wire.Describing:
		if *v {
			f.Truth(name, true)
		}
	case wire.Filling:
		switch b := f.Member(name); string(b) {
		case "":
		case "true", "false":
			*v = string(b) == "true"
		default:
			f.Refuse(name, "want true or false")
		}
	}
	return *v
}

// lengthFits reports, when decoding, whether the length of four bytes at that place of what is left, and as much behind
// it and gap bytes more, end where the data end.
func (f *fields) lengthFits(at, gap int) bool {
	if f.Mode != wire.Decoding || f.Left() < at+4+gap {
		return false
	}
	return uint64(binary.BigEndian.Uint32(f.Rest()[at:]))+uint64(at+4+gap) == uint64(f.Left())
}

// sized is raw of n bytes, where other fields stand between its length and it.
func (f *fields) sized(name string, n uint64, v *[]byte) {
	if f.Mode != wire.Decoding {
		f.BytesRest(name, v)
		return
	}
	if n > uint64(max(f.Left(), 0)) {
		f.Take(f.Left()+1, name) // says what is missing
		return
	}
	*v = f.Take(int(n), name)
}

// bcdTime is a time as JT/T 808 has it, BCD in Beijing time. Digits that are no date are read as no time.
func (f *fields) bcdTime(name string, v *Seconds) {
	switch f.Mode {
	case wire.Decoding:
		var t jt808.Time
		f.Array(name, t[:])
		ms, _ := t.UnixMilli()
		*v = SecondsOf(ms)
	case wire.Encoding:
		var t jt808.Time
		if ms := v.UnixMilli(); ms > 0 && time.UnixMilli(ms).In(beijing).Year()/100 == 20 {
			t = jt808.TimeOf(ms)
		}
		f.Array(name, t[:])
	default:
		f.seconds(name, v)
	}
}

// info is a text of pairs to the end of the data. JSON has the text, and the pairs as an object under "info".
func (f *fields) info(name string, text *Text, info *Info) {
	t := *text
	if t == "" {
		t = info.Text()
	}
	switch f.Mode {
	case wire.Encoding:
		f.TextRest(name, &t)
	case wire.Describing:
		f.TextRest(name, &t)
		f.Key("info")
		f.Object(func() { info.describe(f) })
	default:
		f.TextRest(name, text)
		f.Note("info", "")
		*info = ParseInfo(*text)
	}
}

// describe writes the pairs as members, a key that is there twice once.
func (m Info) describe(f *fields) {
	seen := map[string]bool{}
	for _, i := range m {
		if seen[i.Key] {
			continue
		}
		seen[i.Key] = true
		if f.Comma {
			f.Out = append(f.Out, ',')
		}
		f.Out = append(wire.AppendString(f.Out, i.Key), ':')
		f.Out = wire.AppendString(f.Out, m.Get(i.Key))
		f.Comma = true
	}
}
