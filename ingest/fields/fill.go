package fields

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MaxJSON is how many bytes of JSON Fill takes: the greatest frames have a few MiB, and twice as many digits of hex.
const MaxJSON = 16 << 20

// maxDepth bounds how deep objects stand in one another. No layout of a standard comes near.
const maxDepth = 16

// object is a JSON object that is read.
type object struct {
	path    string
	depth   int
	members map[string]json.RawMessage
	known   map[string]bool // by the walk, in the object or not
}

// Fill sets what walk walks over from a JSON object. Members that are not there, or null, leave the struct as it is.
// Counts, lengths, notes, and the forms for people under _meaning, _deg and _raw are passed over. root is the name of the
// object in errors, which are *FillError.
func (w *Walker) Fill(root string, b []byte, walk func()) error {
	w.Mode = Filling
	if len(b) > MaxJSON {
		return &FillError{root, fmt.Sprintf("%d bytes, at most %d are taken", len(b), MaxJSON)}
	}
	w.obj = nil
	w.fillObject(root, -1, b, walk)
	return w.Err
}

// fillObject reads b, the member or the item of a list under that name, as an object.
func (w *Walker) fillObject(name string, index int, b []byte, walk func()) {
	if w.Err != nil {
		return
	}
	o := &object{path: name, known: map[string]bool{}}
	if index >= 0 {
		o.path = fmt.Sprintf("%s[%d]", name, index)
	}
	outer := w.obj
	if outer != nil {
		o.path, o.depth = outer.path+"."+o.path, outer.depth+1
	}
	if o.depth > maxDepth {
		w.Err = &FillError{o.path, "too deep"}
		return
	}
	if json.Unmarshal(b, &o.members) != nil || o.members == nil {
		w.Err = &FillError{o.path, "want an object"}
		return
	}
	w.obj = o
	walk()
	w.obj = outer
	if w.Err != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if !o.knows(name) {
			w.Err = &FillError{o.path + "." + name, "no such field"}
			return
		}
	}
}

func (o *object) knows(name string) bool {
	if o.known[name] {
		return true
	}
	for _, suffix := range []string{"_meaning", "_deg", "_raw"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && o.known[base] {
			return true
		}
	}
	return false
}

// know notes a name that may be in the object.
func (w *Walker) know(name string) {
	if w.obj != nil {
		w.obj.known[name] = true
	}
}

// Member returns the value of a member as JSON; nil where it is not there, or null, or after an error.
func (w *Walker) Member(name string) json.RawMessage {
	w.know(name)
	if w.Err != nil || !w.has(name) {
		return nil
	}
	return w.obj.members[name]
}

func (w *Walker) has(name string) bool {
	if w.obj == nil {
		return false
	}
	b := w.obj.members[name]
	return b != nil && string(b) != "null"
}

// Refuse keeps an error about a member, unless there is one.
func (w *Walker) Refuse(name, detail string) {
	if w.Err == nil {
		w.Err = &FillError{w.obj.path + "." + name, detail}
	}
}

func (w *Walker) fillUint(name string, size int, v uint64) uint64 {
	if b := w.Member(name); b != nil {
		return w.number(name, b, size)
	}
	return v
}

// number reads a number of JSON, or a text of hex digits with 0x in front.
func (w *Walker) number(name string, b []byte, size int) uint64 {
	s, base := string(b), 10
	if digits, ok := strings.CutPrefix(s, `"0x`); ok {
		s, base = strings.TrimSuffix(digits, `"`), 16
	}
	v, err := strconv.ParseUint(s, base, 8*size)
	if err != nil {
		w.Refuse(name, fmt.Sprintf("want a number from 0 to %d", ^uint64(0)>>(64-8*size)))
	}
	return v
}

// MemberText is a member that is a text, in UTF-8.
func (w *Walker) MemberText(name string) (s string, ok bool) {
	b := w.Member(name)
	if b == nil {
		return "", false
	}
	if json.Unmarshal(b, &s) != nil {
		w.Refuse(name, "want a text")
		return "", false
	}
	return s, true
}

func (w *Walker) fillText(name string, most int, v *Text) {
	s, ok := w.MemberText(name)
	if !ok {
		return
	}
	t := GBK(s)
	if len(t) > most {
		w.Refuse(name, fmt.Sprintf("want at most %d bytes in GBK, have %d", most, len(t)))
		return
	}
	*v = t
}

func (w *Walker) fillHex(name string) ([]byte, bool) {
	s, ok := w.MemberText(name)
	if !ok {
		return nil, false
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		w.Refuse(name, "want bytes as hex")
		return nil, false
	}
	return b, true
}
