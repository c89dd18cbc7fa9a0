package fields

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// List is a list with its count in front, a number of size bytes.
func List[F Holder, T any](f F, countName, name string, size int, v *[]T, item func(F, *T)) {
	w := f.Base()
	if w.Mode == Filling {
		w.know(countName)
		fillList(f, name, MaxUint(size), v, item)
		return
	}
	items := (*v)[:min(len(*v), MaxUint(size))]
	at := w.At
	n := w.Uint(countName, size, uint64(len(items)))
	if w.Mode == Decoding {
		for i := uint64(0); i < n && w.Err == nil; i++ {
			if w.Left() <= 0 {
				w.FailAt(ErrShort, at, countName, fmt.Sprintf("says %d, the body ends after %d", n, i))
				return
			}
			DecodeItem(f, v, item)
		}
		return
	}
	ListRest(f, name, &items, item)
}

// ListRest is a list to the end of the space.
func ListRest[F Holder, T any](f F, name string, v *[]T, item func(F, *T)) {
	w := f.Base()
	switch w.Mode {
	case Decoding:
		for w.Err == nil && w.Left() > 0 {
			DecodeItem(f, v, item)
		}
	case Encoding:
		for i := range *v {
			item(f, &(*v)[i])
		}
	case Describing:
		w.Key(name)
		w.Out = append(w.Out, '[')
		for i := range *v {
			if i > 0 {
				w.Out = append(w.Out, ',')
			}
			w.Object(func() { item(f, &(*v)[i]) })
		}
		w.Out = append(w.Out, ']')
	case Filling:
		fillList(f, name, MaxJSON, v, item)
	}
	w.Comma = true
}

// DecodeItem appends an item that could be read whole.
func DecodeItem[F Holder, T any](f F, v *[]T, item func(F, *T)) {
	var x T
	item(f, &x)
	if f.Base().Err == nil {
		*v = append(*v, x)
	}
}

func fillList[F Holder, T any](f F, name string, most int, v *[]T, item func(F, *T)) {
	w := f.Base()
	items, ok := w.fillArray(name, most)
	if !ok {
		return
	}
	*v = make([]T, len(items))
	for i, b := range items {
		w.fillObject(name, i, b, func() { item(f, &(*v)[i]) })
	}
}

// Numbers is a list of numbers of itemSize bytes with its count in front, a number of size bytes.
func Numbers[F Holder, T ~uint8 | ~uint16 | ~uint32](f F, countName, name string, size, itemSize int, v *[]T) {
	w := f.Base()
	if w.Mode == Filling {
		w.know(countName)
		items, ok := w.fillArray(name, MaxUint(size))
		if !ok {
			return
		}
		*v = make([]T, len(items))
		for i, b := range items {
			(*v)[i] = T(w.number(fmt.Sprintf("%s[%d]", name, i), b, itemSize))
		}
		return
	}
	items := (*v)[:min(len(*v), MaxUint(size))]
	at := w.At
	n := w.Uint(countName, size, uint64(len(items)))
	switch w.Mode {
	case Decoding:
		if n*uint64(itemSize) > uint64(max(w.Left(), 0)) {
			w.FailAt(ErrShort, at, countName, fmt.Sprintf("says %d, the body has %d bytes for them", n, w.Left()))
			return
		}
		for range n {
			*v = append(*v, T(w.Uint(name, itemSize, 0)))
		}
	case Encoding:
		for _, x := range items {
			w.Out = AppendUint(w.Out, itemSize, uint64(x))
		}
	case Describing:
		w.Key(name)
		w.Out = append(w.Out, '[')
		for i, x := range items {
			if i > 0 {
				w.Out = append(w.Out, ',')
			}
			w.Out = strconv.AppendUint(w.Out, uint64(x), 10)
		}
		w.Out = append(w.Out, ']')
	}
}

func (w *Walker) fillArray(name string, most int) ([]json.RawMessage, bool) {
	b := w.Member(name)
	if b == nil {
		return nil, false
	}
	var items []json.RawMessage
	if json.Unmarshal(b, &items) != nil {
		w.Refuse(name, "want a list")
		return nil, false
	}
	if len(items) > most {
		w.Refuse(name, fmt.Sprintf("want at most %d items, have %d", most, len(items)))
		return nil, false
	}
	return items, true
}
