package fields

import (
	"fmt"
	"strconv"
)

// Mode is what a walk does.
type Mode uint8

const (
	Decoding Mode = iota
	Encoding
	Describing
	Filling
)

// Walker is the state of a walk. Reader, Writer and Describer make one; Fill is for filling.
type Walker struct {
	Mode Mode

	B   []byte // decoding: the body
	At  int    // in B
	End int    // of the space that is read now
	Err error

	Out   []byte // encoding: the body; describing: JSON
	Comma bool   // describing: a member came before

	obj *object // filling: the object that is read now
}

// Holder is a type that embeds Walker.
type Holder interface{ Base() *Walker }

// Base returns w, for generic functions over types that embed it.
func (w *Walker) Base() *Walker { return w }

// Reader decodes b.
func Reader(b []byte) Walker { return Walker{B: b, End: len(b)} }

// Writer encodes behind dst.
func Writer(dst []byte) Walker { return Walker{Mode: Encoding, Out: dst} }

// Describer writes JSON behind dst.
func Describer(dst []byte) Walker { return Walker{Mode: Describing, Out: dst} }

// Fail keeps an error at the present place, unless there is one.
func (w *Walker) Fail(kind ErrorKind, name, detail string) { w.FailAt(kind, w.At, name, detail) }

// FailAt keeps an error, unless there is one.
func (w *Walker) FailAt(kind ErrorKind, at int, name, detail string) {
	if w.Err == nil {
		w.Err = &Error{kind, name, at, detail}
	}
}

// Left is how many bytes of the space have not been read.
func (w *Walker) Left() int { return w.End - w.At }

// Rest is what has not been read of the space; it stays unread.
func (w *Walker) Rest() []byte { return w.B[min(w.At, w.End):w.End:w.End] }

// More reports whether a field follows that is there only when bytes remain; name is the field's, or of the first of
// several. present answers for the way out.
func (w *Walker) More(name string, present bool) bool {
	switch w.Mode {
	case Decoding:
		return w.Err == nil && w.Left() > 0
	case Filling:
		w.know(name)
		return present || w.has(name)
	}
	return present
}

// Take reads n bytes, which alias B; nil after an error, and with one when they are not there.
func (w *Walker) Take(n int, name string) []byte {
	if w.Err != nil {
		return nil
	}
	if n < 0 || n > w.Left() {
		w.Fail(ErrShort, name, fmt.Sprintf("%d bytes wanted, %d left", n, w.Left()))
		return nil
	}
	w.At += n
	return w.B[w.At-n : w.At : w.At]
}

// Uint is a number of size bytes; it returns what is read, or v.
func (w *Walker) Uint(name string, size int, v uint64) uint64 {
	switch w.Mode {
	case Decoding:
		v = 0
		for _, c := range w.Take(size, name) {
			v = v<<8 | uint64(c)
		}
	case Encoding:
		w.Out = AppendUint(w.Out, size, v)
	case Describing:
		w.Key(name)
		w.Out = strconv.AppendUint(w.Out, v, 10)
	case Filling:
		v = w.fillUint(name, size, v)
	}
	return v
}

// AppendUint appends a number of size bytes.
func AppendUint(dst []byte, size int, v uint64) []byte {
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

// U8 is a number of one byte.
func (w *Walker) U8(name string, v *uint8) { *v = uint8(w.Uint(name, 1, uint64(*v))) }

// U16 is a number of two bytes.
func (w *Walker) U16(name string, v *uint16) { *v = uint16(w.Uint(name, 2, uint64(*v))) }

// U32 is a number of four bytes.
func (w *Walker) U32(name string, v *uint32) { *v = uint32(w.Uint(name, 4, uint64(*v))) }

// U64 is a number of eight bytes.
func (w *Walker) U64(name string, v *uint64) { *v = w.Uint(name, 8, *v) }

// Degrees is a coordinate in 1e-6 degree; negative tells the hemisphere, which another field holds. JSON has the degrees
// under the name with _deg.
func (w *Walker) Degrees(name string, v *uint32, negative bool) {
	w.U32(name, v)
	if w.Mode == Describing {
		w.Key(name + "_deg")
		w.Out = AppendDegrees(w.Out, *v, negative)
	}
}

// Meanings are the words of an enumeration by code.
type Meanings map[uint8]string

// Code8 is an enumeration of one byte. JSON has the code, and the word under the name with _meaning.
func (w *Walker) Code8(name string, v *uint8, m Meanings) {
	w.U8(name, v)
	if w.Mode == Describing {
		word, ok := m[*v]
		if !ok {
			word = "unknown"
		}
		w.Note(name+"_meaning", word)
	}
}

// Note is a text of the JSON form only; filling passes it over.
func (w *Walker) Note(name, text string) {
	switch w.Mode {
	case Describing:
		w.Key(name)
		w.Out = AppendString(w.Out, text)
	case Filling:
		w.know(name)
	}
}

// Truth is a yes or no of the JSON form only.
func (w *Walker) Truth(name string, v bool) {
	if w.Mode == Describing {
		w.Key(name)
		w.Out = strconv.AppendBool(w.Out, v)
	} else {
		w.know(name)
	}
}

// Tenths is v/10 with one decimal, of the JSON form only.
func (w *Walker) Tenths(name string, v int64) {
	if w.Mode == Describing {
		w.Key(name)
		w.Out = AppendTenths(w.Out, v)
	} else {
		w.know(name)
	}
}

// Int is a number of the JSON form only.
func (w *Walker) Int(name string, v int64) {
	if w.Mode == Describing {
		w.Key(name)
		w.Out = strconv.AppendInt(w.Out, v, 10)
	} else {
		w.know(name)
	}
}

// Raw is an object with b as hex under "raw", of the JSON form only; a key came before.
func (w *Walker) Raw(b []byte) {
	w.Object(func() {
		w.Key("raw")
		w.Out = AppendHex(w.Out, b)
	})
}

// Key begins a member of an object that is described.
func (w *Walker) Key(name string) {
	if w.Comma {
		w.Out = append(w.Out, ',')
	}
	w.Out = append(w.Out, '"')
	w.Out = append(w.Out, name...)
	w.Out = append(w.Out, '"', ':')
	w.Comma = true
}

// Object describes what walk describes as an object.
func (w *Walker) Object(walk func()) {
	w.Out = append(w.Out, '{')
	w.Comma = false
	walk()
	w.Out = append(w.Out, '}')
	w.Comma = true
}

// Struct is a structure that has a name: an object in JSON, its fields on the wire.
func (w *Walker) Struct(name string, walk func()) {
	switch w.Mode {
	case Describing:
		w.Key(name)
		w.Object(walk)
	case Filling:
		if b := w.Member(name); b != nil {
			w.fillObject(name, -1, b, walk)
		}
	default:
		walk()
	}
}

// Within reads a structure that has a space of n bytes; what it leaves of it is passed over.
func (w *Walker) Within(n int, name string, walk func()) {
	if w.Mode != Decoding {
		walk()
		return
	}
	if w.Err != nil {
		return
	}
	if n < 0 || n > w.Left() {
		w.Fail(ErrShort, name, fmt.Sprintf("%d bytes wanted, %d left", n, w.Left()))
		return
	}
	end := w.End
	w.End = w.At + n
	walk()
	if w.Err == nil {
		w.At = w.End
	}
	w.End = end
}
