package fields

import "fmt"

// Padding says how a fixed field is filled when a text is shorter.
type Padding uint8

const (
	ZeroEnd    Padding = iota // 0x00 behind
	ZeroFront                 // 0x00 in front
	SpaceEnd                  // spaces behind
	DigitFront                // the digit 0 in front of what is not empty; 0x00 otherwise
)

// Text is a text of n bytes.
func (w *Walker) Text(name string, n int, pad Padding, v *Text) {
	switch w.Mode {
	case Decoding:
		*v = Text(w.Take(n, name))
	case Encoding:
		w.Out = appendPadded(w.Out, v.Cut(n), n, pad)
	case Describing:
		w.Note(name, v.String())
	case Filling:
		w.fillText(name, n, v)
	}
}

func appendPadded(dst []byte, t Text, n int, pad Padding) []byte {
	fill := byte(0)
	switch {
	case pad == SpaceEnd:
		fill = ' '
	case pad == DigitFront && t != "":
		fill = '0'
	}
	if pad == ZeroFront || fill == '0' {
		for range n - len(t) {
			dst = append(dst, fill)
		}
		return append(dst, t...)
	}
	dst = append(dst, t...)
	for range n - len(t) {
		dst = append(dst, fill)
	}
	return dst
}

// TextRest is a text to the end of the space.
func (w *Walker) TextRest(name string, v *Text) {
	switch w.Mode {
	case Decoding:
		*v = Text(w.Take(max(w.Left(), 0), name))
	case Encoding:
		w.Out = append(w.Out, *v...)
	case Describing:
		w.Note(name, v.String())
	case Filling:
		w.fillText(name, MaxJSON, v)
	}
}

// TextLen is a text with its length in front, a number of size bytes.
func (w *Walker) TextLen(lenName, name string, size int, v *Text) {
	w.textLen(lenName, name, size, v, false)
}

// TextLoose is as TextLen; a length beyond the end of the space is read as one up to the end: some peers count
// characters of another encoding.
func (w *Walker) TextLoose(lenName, name string, size int, v *Text) {
	w.textLen(lenName, name, size, v, true)
}

func (w *Walker) textLen(lenName, name string, size int, v *Text, loose bool) {
	if w.Mode == Filling {
		w.know(lenName)
		w.fillText(name, MaxUint(size), v)
		return
	}
	t := *v
	if w.Mode == Encoding {
		t = t.Cut(MaxUint(size))
	}
	n := int(w.Uint(lenName, size, uint64(len(t))))
	switch w.Mode {
	case Decoding:
		if loose {
			n = min(n, max(w.Left(), 0))
		}
		*v = Text(w.Take(n, name))
	case Encoding:
		w.Out = append(w.Out, t...)
	case Describing:
		w.Note(name, v.String())
	}
}

// MaxUint is the greatest number of size bytes, up to 4.
func MaxUint(size int) int { return 1<<(8*size) - 1 }

// Array is n bytes whose order has no more meaning here, or BCD digits; JSON has them as hex.
func (w *Walker) Array(name string, v []byte) {
	switch w.Mode {
	case Decoding:
		clear(v)
		copy(v, w.Take(len(v), name))
	case Encoding:
		w.Out = append(w.Out, v...)
	case Describing:
		w.Key(name)
		w.Out = AppendHex(w.Out, v)
	case Filling:
		if b, ok := w.fillHex(name); ok {
			if len(b) != len(v) {
				w.Refuse(name, fmt.Sprintf("want %d bytes as hex, have %d", len(v), len(b)))
				return
			}
			copy(v, b)
		}
	}
}

// BytesRest is raw to the end of the space; it aliases the body.
func (w *Walker) BytesRest(name string, v *[]byte) {
	switch w.Mode {
	case Decoding:
		*v = w.Take(max(w.Left(), 0), name)
	case Encoding:
		w.Out = append(w.Out, *v...)
	case Describing:
		w.Key(name)
		w.Out = AppendHex(w.Out, *v)
	case Filling:
		if b, ok := w.fillHex(name); ok {
			*v = b
		}
	}
}

// BytesLen is raw with its length in front, a number of size bytes; it aliases the body.
func (w *Walker) BytesLen(lenName, name string, size int, v *[]byte) {
	if w.Mode == Filling {
		w.know(lenName)
		w.BytesRest(name, v)
		return
	}
	p := (*v)[:min(len(*v), MaxUint(size))]
	n := w.Uint(lenName, size, uint64(len(p)))
	if w.Mode == Decoding {
		if n > uint64(max(w.Left(), 0)) {
			w.Fail(ErrShort, name, fmt.Sprintf("%d bytes wanted, %d left", n, w.Left()))
			n = 0
		}
		*v = w.Take(int(n), name)
		return
	}
	w.BytesRest(name, &p)
}
