package jt809

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
)

const (
	headFlag = 0x5b
	tailFlag = 0x5d

	// The escapes (4.5.1): 5B is sent as 5A 01, 5A as 5A 02, 5D as 5E 01, 5E as 5E 02.
	headEscape = 0x5a
	tailEscape = 0x5e

	crcSize = 2

	// DefaultMaxFrame is the MaxFrame of a Framer that has none: a picture travels in one frame.
	DefaultMaxFrame = 4 << 20
)

// Framer finds frames in the byte stream of a connection (4.5.1), however it is chopped. The zero value is ready.
//
// The caller owns a read buffer and hands Next what is in it. Bytes that Next has consumed may be dropped, bytes that it
// has not must be handed to it again, followed by what came after them: each byte is looked at once.
//
//	frame, n, err := f.Next(buf)
//	buf = buf[n:]
//	// frame != nil: a frame; err != nil: a bad frame was dropped; neither: read more
//
// What stands before a head flag is passed over. A head flag within a frame means that what came before it was none.
type Framer struct {
	// MaxFrame is the most bytes between the flags, as sent; 0 means DefaultMaxFrame. A buffer of MaxFrame+2 bytes is
	// always enough to make progress.
	MaxFrame int
	// Skipped counts the bytes that were in no good frame.
	Skipped uint64

	open    bool // a head flag was seen; what follows is a frame
	scanned int  // bytes after it that were searched for flags and not consumed
}

// Next returns the first frame of buf, unescaped, header and body, its CRC proven and stripped. It is made in place and
// aliases buf; it is valid until the caller overwrites those bytes. n bytes of buf are consumed, whatever is returned.
// A bad frame gives an *Error, and scanning goes on after it.
func (f *Framer) Next(buf []byte) (frame []byte, n int, err error) {
	limit := f.MaxFrame
	if limit <= 0 {
		limit = DefaultMaxFrame
	}
	if !f.open {
		i := bytes.IndexByte(buf, headFlag)
		if i < 0 {
			f.Skipped += uint64(len(buf))
			return nil, len(buf), nil
		}
		f.Skipped += uint64(i)
		n = i + 1
		f.open, f.scanned = true, 0
	}
	b := buf[n:]
	from := min(f.scanned, len(b))
	end := bytes.IndexByte(b[from:], tailFlag)
	whole := end >= 0
	if whole {
		end += from
	} else {
		end = len(b)
	}
	// The last head flag before the end is the one that counts.
	if bytes.IndexByte(b[from:end], headFlag) >= 0 {
		at := from + bytes.LastIndexByte(b[from:end], headFlag) + 1
		f.Skipped += uint64(at)
		n += at
		b, end = b[at:], end-at
	}
	if !whole {
		if len(b) > limit {
			f.open, f.scanned = false, 0
			f.Skipped += uint64(len(b)) + 1
			return nil, len(buf), tooLong(limit)
		}
		f.scanned = len(b)
		return nil, n, nil
	}
	f.open, f.scanned = false, 0
	n += end + 1
	if end > limit {
		f.Skipped += uint64(end) + 2
		return nil, n, tooLong(limit)
	}
	if frame, err = openFrame(b[:end]); err != nil {
		f.Skipped += uint64(end) + 2
		return nil, n, err
	}
	return frame, n, nil
}

// Reset makes f ready for another stream.
func (f *Framer) Reset() { *f = Framer{MaxFrame: f.MaxFrame} }

func tooLong(limit int) error {
	return &Error{ErrTooLong, "frame", limit, "no 0x5d within the limit"}
}

// openFrame unescapes p, the bytes between two flags, in place, and proves the CRC.
func openFrame(p []byte) ([]byte, error) {
	b := unescape(p)
	n := len(b) - crcSize
	if n < shortHeader {
		return nil, shortFrame(max(n, 0), shortHeader)
	}
	if err := checkCRC(b); err != nil {
		return nil, err
	}
	return b[:n:n], nil
}

// checkCRC proves the CRC in the last two bytes of b.
func checkCRC(b []byte) error {
	// The CRC of bytes and their CRC is 0.
	if crc(b) == 0 {
		return nil
	}
	n := len(b) - crcSize
	return &Error{ErrChecksum, "crc", n, fmt.Sprintf("0x%04x, want 0x%04x", binary.BigEndian.Uint16(b[n:]), crc(b[:n]))}
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// unescape takes the escapes out of p, in place. 5A and 5E that are no escape stand for themselves: the CRC decides.
func unescape(p []byte) []byte {
	r, w := 0, 0
	for {
		// Eight bytes at a time to the next 5A or 5E, which differ in one bit.
		for len(p)-r >= 8 {
			x := binary.LittleEndian.Uint64(p[r:])
			y := (x | everyByte*(headEscape^tailEscape)) ^ everyByte*(headEscape|tailEscape)
			if found := (y - everyByte) &^ y & highBits; found != 0 {
				k := bits.TrailingZeros64(found) / 8
				if w != r {
					for i := range k {
						p[w+i] = p[r+i]
					}
				}
				r, w = r+k, w+k
				goto escape
			}
			if w != r {
				binary.LittleEndian.PutUint64(p[w:], x) // over bytes that were read only: w < r
			}
			r, w = r+8, w+8
		}
		for ; r < len(p); r, w = r+1, w+1 {
			if p[r]|(headEscape^tailEscape) == headEscape|tailEscape {
				goto escape
			}
			p[w] = p[r]
		}
		return p[:w]
	escape:
		c := p[r]
		r++
		if r < len(p) {
			switch {
			case c == headEscape && p[r] == 1:
				c, r = headFlag, r+1
			case c == tailEscape && p[r] == 1:
				c, r = tailFlag, r+1
			case p[r] == 2:
				r++
			}
		}
		p[w] = c
		w++
	}
}

// AppendFrame appends the message to dst, flags and escapes included. Its length is computed, h.Length is not used; the
// header's edition says which header it is. When h.Encrypted, a copy of the body is encrypted with the key of the header.
func AppendFrame(dst []byte, h *Header, c Cipher, body []byte) []byte {
	dst = append(dst, headFlag)
	from := len(dst)
	dst = h.append(dst, len(body))
	at := len(dst)
	dst = append(dst, body...)
	if h.Encrypted {
		c.Apply(h.Key, dst[at:])
	}
	dst = binary.BigEndian.AppendUint16(dst, crc(dst[from:]))
	dst = escape(dst, from)
	return append(dst, tailFlag)
}

func (h *Header) append(dst []byte, n int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Size()+n+frameOverhead))
	dst = binary.BigEndian.AppendUint32(dst, h.Serial)
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.ID))
	dst = binary.BigEndian.AppendUint32(dst, h.Centre)
	dst = append(dst, h.Version[:]...)
	encrypted := byte(0)
	if h.Encrypted {
		encrypted = 1
	}
	dst = append(dst, encrypted)
	dst = binary.BigEndian.AppendUint32(dst, h.Key)
	if h.Edition.Has(FeatureHeaderTime) {
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Time))
	}
	return dst
}

// special reports whether c must be escaped: 5A, 5B, 5D, 5E.
func special(c byte) bool { return c-headEscape <= tailEscape-headEscape && c != 0x5c }

// escape escapes b from from on, growing it.
func escape(b []byte, from int) []byte {
	count := 0
	for _, c := range b[from:] {
		if special(c) {
			count++
		}
	}
	r := len(b)
	for range count {
		b = append(b, 0)
	}
	// From the end on, so that nothing is overwritten that was not moved.
	for w := len(b); w > r; {
		r--
		c := b[r]
		if !special(c) {
			w--
			b[w] = c
			continue
		}
		w -= 2
		switch c {
		case headFlag:
			b[w], b[w+1] = headEscape, 1
		case headEscape:
			b[w], b[w+1] = headEscape, 2
		case tailFlag:
			b[w], b[w+1] = tailEscape, 1
		case tailEscape:
			b[w], b[w+1] = tailEscape, 2
		}
	}
	return b
}
