package jt808

import (
	"encoding/binary"
	"fmt"
)

// Kinds of a Batch, 0x0704.
const (
	BatchNormal     uint8 = 0
	BatchBlindSpots uint8 = 1 // stored while there was no link
)

const batchHead = 3

// Batch reads the body of 0x0704, locations one after another, without allocating. The tables of 2013 and 2019 print the
// kind at byte 1, inside of the count; it is at byte 2.
//
//	if err := batch.Decode(body); err == nil {
//		for batch.Next(&l) { … }
//		// batch.Err: the first item that was bad
//	}
type Batch struct {
	Count uint16 // of the items, as it is said; not relied upon
	Kind  uint8
	// Items that were no location, and why the first of them was none.
	Bad int
	Err error

	b    []byte
	at   int
	read int // locations returned
}

// Decode begins to read b, which must stay unchanged until the last Next.
func (m *Batch) Decode(b []byte) error {
	*m = Batch{}
	switch {
	case len(b) < 2:
		return &Error{ErrShort, "count", 0, fmt.Sprintf("2 bytes wanted, %d left", len(b))}
	case len(b) < batchHead:
		return &Error{ErrShort, "kind", 2, "1 byte wanted, 0 left"}
	}
	m.Count, m.Kind = binary.BigEndian.Uint16(b), b[2]
	m.b, m.at = b, batchHead
	return nil
}

// Next reads the next location into l, whose Extras then alias the body, and reports whether there was one. It goes on
// to the end of the body, whatever the count says. An item shorter than a location is passed over and counted; one that
// the end of the body cuts keeps its position, with l.ExtrasErr set.
func (m *Batch) Next(l *Location) bool {
	for m.at < len(m.b) {
		start := m.at
		rest := m.b[start:]
		if len(rest) < 2 {
			m.at = len(m.b)
			m.bad(&Error{ErrShort, "len", start, "2 bytes wanted, 1 left"})
			return false
		}
		n := int(binary.BigEndian.Uint16(rest))
		p := rest[2:]
		cut := n > len(p)
		if !cut {
			p = p[:n]
		}
		m.at = start + 2 + len(p)
		if err := DecodeLocation(p, l); err != nil {
			err.(*Error).Offset += start + 2
			m.bad(err)
			continue
		}
		if l.ExtrasErr != nil {
			l.ExtrasErr.(*Error).Offset += start + 2
		} else if cut {
			l.ExtrasErr = &Error{ErrShort, "body", start, fmt.Sprintf("item of %d bytes, %d left", n, len(p))}
		}
		m.read++
		return true
	}
	return false
}

func (m *Batch) bad(err error) {
	m.Bad++
	if m.Err == nil {
		m.Err = err
	}
}

// AppendBatch appends the body of 0x0704. More than 65,535 locations, and one of more than 65,535 bytes, are cut.
func AppendBatch(dst []byte, kind uint8, locations []Location) []byte {
	locations = locations[:min(len(locations), 0xFFFF)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(locations)))
	dst = append(dst, kind)
	for i := range locations {
		at := len(dst)
		dst = append(dst, 0, 0)
		dst = AppendLocation(dst, &locations[i])
		dst = dst[:min(len(dst), at+2+0xFFFF)]
		binary.BigEndian.PutUint16(dst[at:], uint16(len(dst)-at-2))
	}
	return dst
}
