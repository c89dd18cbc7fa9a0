package reference

import (
	"bytes"
	"encoding/json"
	"io"
	"runtime"
	"slices"
	"syscall"
	"unicode/utf8"

	"lushao/ingest/eventfile/textform"
)

// A file of a hundred thousand features is read beside a detector that judges on the same cores and must not wait for the scheduler,
// which interrupts after 10 ms only. So what takes time by the size of the file is done in pieces, and others are let go on between.

// pieceBytes is the text after which others are let go on.
const pieceBytes = 64 << 10

// pace counts the text that was gone through.
type pace struct{ bytes int }

func (p *pace) did(bytes int) {
	if p.bytes += bytes; p.bytes >= pieceBytes {
		p.bytes = 0
		runtime.Gosched()
	}
}

// largeText is from which size on the text of a file is kept outside of the collector's memory.
const largeText = 1 << 20

// readAll reads to the end, in pieces: a checksum over all at once can't be interrupted. release must be called when the text is
// used no more.
//
// The room of a large text is the system's: tens of megabytes at once would take the collector to the end of its plan, and it would
// make everybody who allocates, the detector among them, help it out before they go on.
func readAll(r io.Reader, size int64) (text []byte, release func(), err error) {
	size = min(size, 1<<30) + bytes.MinRead
	release = func() {}
	var b []byte
	if size >= largeText {
		if room, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE); err == nil {
			b, release = room[:0], func() { syscall.Munmap(room) } // of what Mmap returned it can't fail
		}
	}
	if b == nil {
		b = make([]byte, 0, size)
	}
	const piece = 256 << 10
	for {
		if len(b) == cap(b) { // longer than it was said to be
			b = slices.Grow(b, piece)
		}
		n, err := r.Read(b[len(b):min(cap(b), len(b)+piece)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, release, nil
		}
		if err != nil {
			return b, release, err
		}
	}
}

// skeleton is the text of a GeoJSON file without what is in its list of features.
type skeleton struct {
	text []byte
	// The list's inside is whole[from:to], and from is also where it is missing in text; both are beyond the text where there is no
	// list that could be taken out.
	from, to int
	features int
}

// offset returns the place in the file of a place in the skeleton.
func (s *skeleton) offset(at int) int {
	if at >= s.from {
		return at + s.to - s.from
	}
	return at
}

// checkJSON is textform.CheckJSON for a GeoJSON file. Features are checked one by one, and what is round them by itself; only
// where that finds no list of good features, all is checked at once.
func checkJSON(text []byte) (skeleton, error) {
	if s, ok := checkFeatures(text); ok {
		return s, nil
	}
	return skeleton{text: text, from: len(text) + 1, to: len(text) + 1}, textform.CheckJSON(text)
}

// checkFeatures goes through the members of the top object to the list of features and through that. It follows quotes and brackets
// only, so that each feature and the rest must be good JSON by themselves: then the whole is.
func checkFeatures(text []byte) (s skeleton, ok bool) {
	w := walker{text: text}
	if !w.eat('{') {
		return s, false
	}
	for {
		key := w.value()
		if len(key) < 2 || key[0] != '"' || !w.eat(':') {
			return s, false
		}
		if string(key) == `"features"` {
			break
		}
		if w.value() == nil || !w.eat(',') {
			return s, false
		}
	}
	if !w.eat('[') {
		return s, false
	}
	s.from = w.at
	if w.to(); !w.eat(']') {
		for {
			if v := w.value(); v == nil || !json.Valid(v) {
				return s, false
			}
			s.features++
			if w.eat(']') {
				break
			}
			if !w.eat(',') {
				return s, false
			}
		}
	}
	s.to = w.at - 1
	s.text = append(append(make([]byte, 0, len(text)-(s.to-s.from)), text[:s.from]...), text[s.to:]...)
	return s, json.Valid(s.text)
}

// walker goes through a text that may be no JSON.
type walker struct {
	text []byte
	at   int
	pace pace
}

// to goes to the next byte that is not white space.
func (w *walker) to() {
	for w.at < len(w.text) {
		switch w.text[w.at] {
		case ' ', '\t', '\n', '\r':
			w.at++
		default:
			return
		}
	}
}

// eat goes over c, if that is what comes next.
func (w *walker) eat(c byte) bool {
	w.to()
	if w.at == len(w.text) || w.text[w.at] != c {
		return false
	}
	w.at++
	return true
}

// value goes over a value and returns it; nil where the text ends before it does, or none is there.
func (w *walker) value() []byte {
	w.to()
	start, depth := w.at, 0
	for w.at < len(w.text) {
		c := w.text[w.at]
		switch c {
		case '"':
			for w.at++; w.at < len(w.text) && w.text[w.at] != '"'; w.at++ {
				if w.text[w.at] == '\\' {
					w.at++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		// A number or a word is ended by what follows it, anything else by itself.
		if depth < 0 || depth == 0 && (c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			break
		}
		w.at++
		if depth == 0 && (c == '"' || c == '}' || c == ']') {
			break
		}
	}
	if w.at > len(w.text) || w.at == start {
		w.at = min(w.at, len(w.text))
		return nil
	}
	w.pace.did(w.at - start)
	return w.text[start:w.at]
}

// notUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func notUTF8(b []byte) int {
	var pace pace
	for at := 0; at < len(b); {
		end := min(at+pieceBytes, len(b))
		for back := 0; back < utf8.UTFMax-1 && end < len(b) && !utf8.RuneStart(b[end]); back++ {
			end--
		}
		if !utf8.Valid(b[at:end]) {
			for {
				r, size := utf8.DecodeRune(b[at:])
				if r == utf8.RuneError && size <= 1 {
					return at
				}
				at += size
			}
		}
		pace.did(end - at)
		at = end
	}
	return -1
}
