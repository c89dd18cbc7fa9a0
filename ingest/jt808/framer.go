package jt808

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

const (
	delimiter = 0x7e
	escape    = 0x7d
)

// Framer finds frames in the byte stream of a connection (4.4.1, 4.4.2), however it is chopped. The zero value is ready.
//
// The caller owns a read buffer and hands Next what is in it. Bytes that Next has consumed may be dropped, bytes that it
// has not must be handed to it again, followed by what came after them: each byte is looked at once.
//
//	frame, n, err := f.Next(buf)
//	buf = buf[n:]
//	// frame != nil: a frame; err != nil: a bad frame was dropped; neither: read more
//
// What stands between two delimiters is a frame, so a delimiter may end one frame and begin the next. Empty frames are
// passed over, and so is everything before the first delimiter.
type Framer struct {
	// MaxFrame is the most bytes between two delimiters; 0 means what the longest frame can have. A buffer of
	// MaxFrame+2 bytes is always enough to make progress.
	MaxFrame int
	// Skipped counts the bytes that were in no good frame.
	Skipped uint64

	open    bool // a delimiter was seen; what follows is a frame
	scanned int  // bytes after it that were searched for the next one and not consumed
}

// Next returns the first frame of buf, unescaped, header to body, its checksum proven and stripped. It is made in place
// and aliases buf; it is valid until the caller overwrites those bytes. n bytes of buf are consumed, whatever is returned.
// A bad frame gives an *Error, and scanning goes on after it.
func (f *Framer) Next(buf []byte) (frame []byte, n int, err error) {
	limit := f.MaxFrame
	if limit <= 0 {
		limit = MaxFrameSize - 2
	}
	for {
		if !f.open {
			i := bytes.IndexByte(buf[n:], delimiter)
			if i < 0 {
				f.Skipped += uint64(len(buf) - n)
				return nil, len(buf), nil
			}
			f.Skipped += uint64(i)
			n += i + 1
			f.open, f.scanned = true, 0
		}
		b := buf[n:]
		f.scanned = min(f.scanned, len(b))
		i := bytes.IndexByte(b[f.scanned:], delimiter)
		if i < 0 {
			if len(b) > limit {
				f.open, f.scanned = false, 0
				f.Skipped += uint64(len(b))
				return nil, len(buf), tooLong(limit)
			}
			f.scanned = len(b)
			return nil, n, nil
		}
		i += f.scanned
		f.scanned = 0
		if i == 0 {
			n++
			continue
		}
		n += i + 1
		if i > limit {
			f.Skipped += uint64(i)
			return nil, n, tooLong(limit)
		}
		frame, err = openFrame(b[:i])
		if err != nil {
			f.Skipped += uint64(i)
			return nil, n, err
		}
		return frame, n, nil
	}
}

// Reset makes f ready for another stream.
func (f *Framer) Reset() { *f = Framer{MaxFrame: f.MaxFrame} }

func tooLong(limit int) error {
	return &Error{ErrTooLong, "frame", limit, "no 0x7e within the limit"}
}

// openFrame unescapes p, the bytes between two delimiters, in place, and proves checksum and length.
func openFrame(p []byte) ([]byte, error) {
	b, err := unescape(p)
	if err != nil {
		return nil, err
	}
	n := len(b) - 1 // without the checksum
	if n < shortHeader {
		return nil, &Error{ErrShort, "header", len(b), fmt.Sprintf("frame of %d bytes, at least %d are needed", len(b), shortHeader+1)}
	}
	if x := xor(b); x != 0 {
		return nil, &Error{ErrChecksum, "checksum", n, fmt.Sprintf("0x%02x, want 0x%02x", b[n], b[n]^x)}
	}
	if _, ok := layout(b, n); !ok {
		var h Header
		_, err := h.Decode(b[:n])
		return nil, err
	}
	return b[:n], nil
}

// unescape replaces 7D 01 by 7D and 7D 02 by 7E in place. A last 7D stands for itself: some devices leave a checksum of
// 7D unescaped; the checksum decides then whether it fits.
func unescape(p []byte) ([]byte, error) {
	w := bytes.IndexByte(p, escape)
	if w < 0 {
		return p, nil
	}
	for r := w; r < len(p); r++ {
		c := p[r]
		if c == escape && r+1 < len(p) {
			r++
			switch p[r] {
			case 1:
				c = escape
			case 2:
				c = delimiter
			default:
				return nil, &Error{ErrEscape, "escape", r, fmt.Sprintf("0x7d 0x%02x, want 0x01 or 0x02", p[r])}
			}
		}
		p[w] = c
		w++
	}
	return p[:w], nil
}

// xor is the checksum of b (4.4.4).
func xor(b []byte) byte {
	var x uint64
	for len(b) >= 8 {
		x ^= binary.LittleEndian.Uint64(b)
		b = b[8:]
	}
	x ^= x >> 32
	x ^= x >> 16
	x ^= x >> 8
	c := byte(x)
	for _, v := range b {
		c ^= v
	}
	return c
}

// maxPart is the body of a sub-package: what devices use, a little less than what the header could say.
const maxPart = 1000

// Frames is the count of frames, and so of serials, that AppendFrame makes of a body of n bytes.
func Frames(n int) int {
	if n <= MaxBody {
		return 1
	}
	return (n + maxPart - 1) / maxPart
}

// AppendFrame appends the message to dst, delimiters and escapes included. A body longer than MaxBody goes in Frames
// sub-packages, whose serials follow h.Serial (4.4.3); a body of more than 65,535 sub-packages is no message and is cut.
// A header that says it is a part already takes at most MaxBody bytes, the rest is cut.
func AppendFrame(dst []byte, h *Header, body []byte) []byte {
	if h.Packaged() {
		return appendFrame(dst, h, body[:min(len(body), MaxBody)])
	}
	n := min(Frames(len(body)), 0xFFFF)
	if n == 1 {
		return appendFrame(dst, h, body)
	}
	part := *h
	part.PackageTotal = uint16(n)
	for i := range n {
		part.PackageNo = uint16(i + 1)
		p := body[i*maxPart : min((i+1)*maxPart, len(body))]
		dst = appendFrame(dst, &part, p)
		part.Serial++
	}
	return dst
}

func appendFrame(dst []byte, h *Header, body []byte) []byte {
	var buf [MaxHeader]byte
	head := h.append(buf[:0], len(body))
	sum := xor(head) ^ xor(body)
	dst = append(dst, delimiter)
	dst = appendEscaped(dst, head)
	dst = appendEscaped(dst, body)
	dst = appendEscapedByte(dst, sum)
	return append(dst, delimiter)
}

func appendEscaped(dst, p []byte) []byte {
	from := 0
	for i, c := range p {
		if c == escape || c == delimiter {
			dst = append(dst, p[from:i]...)
			dst = appendEscapedByte(dst, c)
			from = i + 1
		}
	}
	return append(dst, p[from:]...)
}

func appendEscapedByte(dst []byte, c byte) []byte {
	switch c {
	case escape:
		return append(dst, escape, 1)
	case delimiter:
		return append(dst, escape, 2)
	}
	return append(dst, c)
}
