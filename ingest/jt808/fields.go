package jt808

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// fields walks the fields of a body in the order of the standard's table. One walk per layout serves all three ways, so
// that they cannot drift apart: it decodes into the struct, encodes it, or describes it as JSON. Conditions on fields
// that stand before are plain ifs in the walk.
//
// When decoding, the first error is kept and every later field is 0.
type fields struct {
	mode mode
	ed   Edition

	b   []byte // decoding: the body
	at  int
	end int // of the space that is read now
	err error

	out   []byte // encoding: the body; describing: JSON
	comma bool   // describing: a member came before
}

type mode uint8

const (
	decoding mode = iota
	encoding
	describing
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
	f := fields{ed: ed, b: b, end: len(b)}
	m.walk(&f)
	return f.at, f.err
}

// AppendBody appends the body of m as the edition has it. Texts that are longer than their field, and lists longer than
// their count can say, are cut: the protocol cannot carry them.
func AppendBody(dst []byte, ed Edition, m Body) []byte {
	f := fields{mode: encoding, ed: ed, out: dst}
	m.walk(&f)
	return f.out
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

func (f *fields) fail(kind ErrorKind, name, detail string) {
	f.failAt(kind, f.at, name, detail)
}

func (f *fields) failAt(kind ErrorKind, at int, name, detail string) {
	if f.err == nil {
		f.err = &Error{kind, name, at, detail}
	}
}

// left is how many bytes of the space have not been read.
func (f *fields) left() int { return f.end - f.at }

// more reports whether a field follows that is there only when bytes remain; present answers for the way out.
func (f *fields) more(present bool) bool {
	if f.mode == decoding {
		return f.err == nil && f.left() > 0
	}
	return present
}

func (f *fields) take(n int, name string) []byte {
	if f.err != nil {
		return nil
	}
	if n > f.left() {
		f.fail(ErrShort, name, fmt.Sprintf("%d bytes wanted, %d left", n, f.left()))
		return nil
	}
	f.at += n
	return f.b[f.at-n : f.at : f.at]
}

// uint is a number of size bytes.
func (f *fields) uint(name string, size int, v uint64) uint64 {
	switch f.mode {
	case decoding:
		v = 0
		for _, c := range f.take(size, name) {
			v = v<<8 | uint64(c)
		}
	case encoding:
		f.out = appendUint(f.out, size, v)
	case describing:
		f.key(name)
		f.out = strconv.AppendUint(f.out, v, 10)
	}
	return v
}

func appendUint(dst []byte, size int, v uint64) []byte {
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

func (f *fields) u8(name string, v *uint8)   { *v = uint8(f.uint(name, 1, uint64(*v))) }
func (f *fields) u16(name string, v *uint16) { *v = uint16(f.uint(name, 2, uint64(*v))) }
func (f *fields) u32(name string, v *uint32) { *v = uint32(f.uint(name, 4, uint64(*v))) }
func (f *fields) u64(name string, v *uint64) { *v = f.uint(name, 8, *v) }

// degrees is a coordinate in 1e-6 degree; negative tells the hemisphere, which another field holds.
func (f *fields) degrees(name string, v *uint32, negative bool) {
	f.u32(name, v)
	if f.mode == describing {
		f.key(name + "_deg")
		f.out = appendDegrees(f.out, *v, negative)
	}
}

// meanings are the words of an enumeration by code.
type meanings map[uint8]string

// code8 is an enumeration of one byte. JSON has the code, and the word under the name with _meaning.
func (f *fields) code8(name string, v *uint8, m meanings) {
	f.u8(name, v)
	if f.mode == describing {
		word, ok := m[*v]
		if !ok {
			word = "unknown"
		}
		f.note(name+"_meaning", word)
	}
}

// id is the id of a message.
func (f *fields) id(name string, v *MessageID) {
	*v = MessageID(f.uint(name, 2, uint64(*v)))
	if f.mode == describing {
		word := v.String()
		if n := v.Name(); n != "" {
			word += " " + n
		}
		f.note(name+"_meaning", word)
	}
}

// note is a member of the JSON form only.
func (f *fields) note(name, text string) {
	if f.mode == describing {
		f.key(name)
		f.out = appendString(f.out, text)
	}
}

// padding says how a fixed field is filled when a text is shorter.
type padding uint8

const (
	zeroEnd   padding = iota // 0x00 behind
	zeroFront                // 0x00 in front
	spaceEnd                 // spaces behind
)

// text is a text of n bytes.
func (f *fields) text(name string, n int, pad padding, v *Text) {
	switch f.mode {
	case decoding:
		*v = Text(f.take(n, name))
	case encoding:
		t := v.cut(n)
		if pad == zeroFront {
			f.out = append(f.out, make([]byte, n-len(t))...)
		}
		f.out = append(f.out, t...)
		for range n - len(t) {
			switch pad {
			case zeroEnd:
				f.out = append(f.out, 0)
			case spaceEnd:
				f.out = append(f.out, ' ')
			}
		}
	case describing:
		f.note(name, v.String())
	}
}

// textRest is a text to the end of the space.
func (f *fields) textRest(name string, v *Text) {
	switch f.mode {
	case decoding:
		*v = Text(f.take(max(f.left(), 0), name))
	case encoding:
		f.out = append(f.out, *v...)
	case describing:
		f.note(name, v.String())
	}
}

// textLen is a text with its length in front, a number of size bytes.
func (f *fields) textLen(lenName, name string, size int, v *Text) {
	t := *v
	if f.mode == encoding {
		t = t.cut(maxUint(size))
	}
	n := int(f.uint(lenName, size, uint64(len(t))))
	switch f.mode {
	case decoding:
		*v = Text(f.take(n, name))
	case encoding:
		f.out = append(f.out, t...)
	case describing:
		f.note(name, v.String())
	}
}

func maxUint(size int) int { return 1<<(8*size) - 1 }

// array is n bytes whose order has no more meaning here, or BCD digits; JSON has them as hex.
func (f *fields) array(name string, v []byte) {
	switch f.mode {
	case decoding:
		clear(v)
		copy(v, f.take(len(v), name))
	case encoding:
		f.out = append(f.out, v...)
	case describing:
		f.key(name)
		f.out = appendHex(f.out, v)
	}
}

// bytesRest is raw to the end of the space.
func (f *fields) bytesRest(name string, v *[]byte) {
	switch f.mode {
	case decoding:
		*v = f.take(max(f.left(), 0), name)
	case encoding:
		f.out = append(f.out, *v...)
	case describing:
		f.key(name)
		f.out = appendHex(f.out, *v)
	}
}

// bytesLen is raw with its length in front, a number of size bytes.
func (f *fields) bytesLen(lenName, name string, size int, v *[]byte) {
	p := (*v)[:min(len(*v), maxUint(size))]
	n := f.uint(lenName, size, uint64(len(p)))
	if f.mode == decoding {
		if n > uint64(max(f.left(), 0)) {
			f.fail(ErrShort, name, fmt.Sprintf("%d bytes wanted, %d left", n, f.left()))
			n = 0
		}
		*v = f.take(int(n), name)
		return
	}
	f.bytesRest(name, &p)
}

// time is a BCD[6]. JSON has RFC 3339, or null and the digits where they are no date.
func (f *fields) time(name string, v *Time) { f.timeZone(name, v, "+08:00") }

func (f *fields) timeZone(name string, v *Time, zone string) {
	if f.mode != describing {
		f.array(name, v[:])
		return
	}
	f.key(name)
	if _, ok := v.utcMilli(); ok {
		f.out = append(f.out, '"')
		f.out = v.append(f.out, zone)
		f.out = append(f.out, '"')
		return
	}
	f.out = append(f.out, "null"...)
	f.key(name + "_raw")
	f.out = appendHex(f.out, v[:])
}

// list is a list with its count in front, a number of size bytes.
func list[T any](f *fields, countName, name string, size int, v *[]T, item func(*fields, *T)) {
	items := (*v)[:min(len(*v), maxUint(size))]
	at := f.at
	n := f.uint(countName, size, uint64(len(items)))
	if f.mode == decoding {
		for i := uint64(0); i < n && f.err == nil; i++ {
			if f.left() <= 0 {
				f.failAt(ErrShort, at, countName, fmt.Sprintf("says %d, the body ends after %d", n, i))
				return
			}
			decodeItem(f, v, item)
		}
		return
	}
	listRest(f, name, &items, item)
}

// listRest is a list to the end of the space.
func listRest[T any](f *fields, name string, v *[]T, item func(*fields, *T)) {
	switch f.mode {
	case decoding:
		for f.err == nil && f.left() > 0 {
			decodeItem(f, v, item)
		}
	case encoding:
		for i := range *v {
			item(f, &(*v)[i])
		}
	case describing:
		f.key(name)
		f.out = append(f.out, '[')
		for i := range *v {
			if i > 0 {
				f.out = append(f.out, ',')
			}
			f.object(func() { item(f, &(*v)[i]) })
		}
		f.out = append(f.out, ']')
	}
	f.comma = true
}

// decodeItem appends an item that could be read whole.
func decodeItem[T any](f *fields, v *[]T, item func(*fields, *T)) {
	var x T
	item(f, &x)
	if f.err == nil {
		*v = append(*v, x)
	}
}

// numbers is a list of numbers of itemSize bytes with its count in front.
func numbers[T ~uint8 | ~uint16 | ~uint32](f *fields, countName, name string, size, itemSize int, v *[]T) {
	items := (*v)[:min(len(*v), maxUint(size))]
	at := f.at
	n := f.uint(countName, size, uint64(len(items)))
	switch f.mode {
	case decoding:
		if n*uint64(itemSize) > uint64(max(f.left(), 0)) {
			f.failAt(ErrShort, at, countName, fmt.Sprintf("says %d, the body has %d bytes for them", n, f.left()))
			return
		}
		for range n {
			*v = append(*v, T(f.uint(name, itemSize, 0)))
		}
	case encoding:
		for _, x := range items {
			f.out = appendUint(f.out, itemSize, uint64(x))
		}
	case describing:
		f.key(name)
		f.out = append(f.out, '[')
		for i, x := range items {
			if i > 0 {
				f.out = append(f.out, ',')
			}
			f.out = strconv.AppendUint(f.out, uint64(x), 10)
		}
		f.out = append(f.out, ']')
	}
}

// within reads a structure that has a space of n bytes; what it leaves of it is passed over.
func (f *fields) within(n int, name string, walk func()) {
	if f.mode != decoding {
		walk()
		return
	}
	if f.err != nil {
		return
	}
	if n > f.left() {
		f.fail(ErrShort, name, fmt.Sprintf("%d bytes wanted, %d left", n, f.left()))
		return
	}
	end := f.end
	f.end = f.at + n
	walk()
	if f.err == nil {
		f.at = f.end
	}
	f.end = end
}

// locationBase is the 28 bytes of a location without additional items (8.18).
func (f *fields) locationBase(name string, l *Location) {
	if f.mode == encoding {
		base := *l
		base.Extras = nil
		f.location(name, &base, locationBaseSize)
		return
	}
	f.location(name, l, locationBaseSize)
}

// locationRest is a location with its additional items to the end of the space.
func (f *fields) locationRest(name string, l *Location) { f.location(name, l, f.left()) }

func (f *fields) location(name string, l *Location, n int) {
	switch f.mode {
	case decoding:
		at := f.at
		p := f.take(min(max(n, 0), max(f.left(), 0)), name)
		if f.err != nil {
			return
		}
		if err := DecodeLocation(p, l); err != nil {
			f.err = err
			err.(*Error).Offset += at
		} else if l.ExtrasErr != nil {
			l.ExtrasErr.(*Error).Offset += at
		}
	case encoding:
		f.out = AppendLocation(f.out, l)
	case describing:
		f.key(name)
		f.out = appendLocationJSON(f.out, l)
	}
}

// key begins a member of an object.
func (f *fields) key(name string) {
	if f.comma {
		f.out = append(f.out, ',')
	}
	f.out = append(f.out, '"')
	f.out = append(f.out, name...)
	f.out = append(f.out, '"', ':')
	f.comma = true
}

// object describes what walk describes as an object.
func (f *fields) object(walk func()) {
	f.out = append(f.out, '{')
	f.comma = false
	walk()
	f.out = append(f.out, '}')
	f.comma = true
}

// struct1 is a structure that has a name: an object in JSON, its fields on the wire.
func (f *fields) struct1(name string, m Body) {
	if f.mode == describing {
		f.key(name)
		f.object(func() { m.walk(f) })
		return
	}
	m.walk(f)
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
