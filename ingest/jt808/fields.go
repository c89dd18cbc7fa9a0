package jt808

import (
	"encoding/binary"
	"time"

	wire "lushao/ingest/fields"
)

// fields is the walker of the bodies, with what is of JT/T 808 alone: see package fields.
type fields struct {
	wire.Walker
	ed Edition
}

// meanings are the words of an enumeration by code.
type meanings = wire.Meanings

// The ways of padding.
const (
	zeroEnd   = wire.ZeroEnd
	zeroFront = wire.ZeroFront
	spaceEnd  = wire.SpaceEnd
)

// Body is the body of a message, or a structure inside of one.
type Body interface{ walk(f *fields) }

// Decode reads the body of a message into m, whatever m held before; EditionAuto is read as 2013, see GuessEdition.
// Bytes after the last field of the standard are left alone: later editions and makers append. The error is an *Error;
// the fields before its place are set.
func Decode[T any, P interface {
	*T
	Body
}](b []byte, ed Edition, m P) error {
	var zero T
	*m = zero
	_, err := decodeBody(b, ed, m)
	return err
}

// decodeBody decodes into m, which must be zero, and returns how many bytes it took.
func decodeBody(b []byte, ed Edition, m Body) (int, error) {
	f := fields{Walker: wire.Reader(b), ed: ed}
	m.walk(&f)
	return f.At, own(f.Err)
}

// AppendBody appends the body of m as the edition has it. Texts that are longer than their field, and lists longer than
// their count can say, are cut: the protocol cannot carry them.
func AppendBody(dst []byte, ed Edition, m Body) []byte {
	f := fields{Walker: wire.Writer(dst), ed: ed}
	m.walk(&f)
	return f.Out
}

// AppendBodyJSON appends the body of m as the JSON object that Describe has for it.
func AppendBodyJSON(dst []byte, ed Edition, m Body) []byte {
	f := fields{Walker: wire.Describer(dst), ed: ed}
	f.Object(func() { m.walk(&f) })
	return f.Out
}

// AppendMessage appends m as one frame, or as Frames sub-packages, in the edition of the header.
func AppendMessage(dst []byte, h *Header, m Body) []byte {
	ed := h.Edition
	if h.Phone.size == longPhone {
		ed = Edition2019
	}
	return AppendFrame(dst, h, AppendBody(nil, ed, m))
}

func (f *fields) has(x Feature) bool { return f.ed.Has(x) }

// id is the id of a message.
func (f *fields) id(name string, v *MessageID) {
	f.U16(name, (*uint16)(v))
	if f.Mode == wire.Describing {
		word := v.String()
		if n := v.Name(); n != "" {
			word += " " + n
		}
		f.Note(name+"_meaning", word)
	}
}

// time is a BCD[6]. JSON has RFC 3339, or null and the digits where they are no date.
func (f *fields) time(name string, v *Time) { f.timeZone(name, v, "+08:00") }

func (f *fields) timeZone(name string, v *Time, zone string) {
	switch f.Mode {
	default:
		f.Array(name, v[:])
		return
	case wire.Filling:
		f.fillTime(name, v)
		return
	case wire.Describing:
	}
	f.Key(name)
	if _, ok := v.utcMilli(); ok {
		f.Out = append(f.Out, '"')
		f.Out = v.append(f.Out, zone)
		f.Out = append(f.Out, '"')
		return
	}
	f.Out = append(f.Out, "null"...)
	f.Key(name + "_raw")
	f.Out = wire.AppendHex(f.Out, v[:])
}

// fillTime takes the wall clock of the zone that is written.
func (f *fields) fillTime(name string, v *Time) {
	s, ok := f.MemberText(name)
	if !ok {
		f.Array(name+"_raw", v[:])
		return
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 2000 || t.Year() > 2099 {
		f.Refuse(name, "want a time such as 2026-03-01T08:00:00+08:00")
		return
	}
	_, offset := t.Zone()
	*v = bcdTime(t.UnixMilli() + int64(offset)*1000)
}

// locationBase is the 28 bytes of a location without additional items (8.18).
func (f *fields) locationBase(name string, l *Location) {
	if f.Mode == wire.Encoding {
		base := *l
		base.Extras = nil
		f.location(name, &base, locationBaseSize)
		return
	}
	f.location(name, l, locationBaseSize)
}

// locationRest is a location with its additional items to the end of the space.
func (f *fields) locationRest(name string, l *Location) { f.location(name, l, f.Left()) }

func (f *fields) location(name string, l *Location, n int) {
	switch f.Mode {
	case wire.Decoding:
		at := f.At
		p := f.Take(min(max(n, 0), max(f.Left(), 0)), name)
		if f.Err != nil {
			return
		}
		if err := DecodeLocation(p, l); err != nil {
			f.Err = err
			err.(*Error).Offset += at
		} else if l.ExtrasErr != nil {
			l.ExtrasErr.(*Error).Offset += at
		}
	case wire.Encoding:
		f.Out = AppendLocation(f.Out, l)
	case wire.Describing:
		f.Key(name)
		f.Out = appendLocationJSON(f.Out, l)
	case wire.Filling:
		if f.Member(name) != nil {
			f.Refuse(name, "cannot be given as JSON")
		}
	}
}

// struct1 is a structure that has a name: an object in JSON, its fields on the wire.
func (f *fields) struct1(name string, m Body) { f.Struct(name, func() { m.walk(f) }) }

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
