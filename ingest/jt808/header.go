package jt808

import (
	"encoding/binary"
	"fmt"
)

// Encryptions in the header (4.4.3).
const (
	EncryptionNone uint8 = 0
	EncryptionRSA  uint8 = 1
)

const (
	propBody     = 1<<10 - 1
	propEncrypt  = 7 << 10
	propPackaged = 1 << 13
	propVersion  = 1 << 14

	shortHeader = 12 // 2011, 2013
	longHeader  = 17 // 2019
	packageSize = 4

	// MaxBody is the longest body of one frame, in bytes: 10 bits of the header.
	MaxBody = propBody
	// MaxHeader is the longest header, in bytes: 2019 with sub-packaging.
	MaxHeader = longHeader + packageSize
	// MaxFrameSize is the longest frame in bytes with both delimiters, every byte escaped.
	MaxFrameSize = 2*(MaxHeader+MaxBody+1) + 2
)

// Header is the header of a message (4.4.3).
type Header struct {
	ID         MessageID
	Edition    Edition // Edition2019 for a header of 17 bytes; EditionAuto where decoded from one of 12
	Version    uint8   // of the protocol, from 1; 2019 only
	Encryption uint8   // of the body: 0 none, 1 RSA, others reserved
	Phone      Phone   // its length decides the layout when encoding
	Serial     uint16
	// PackageTotal is the count of the sub-packages that make up the message; 0 when it is whole. PackageNo is from 1.
	PackageTotal uint16
	PackageNo    uint16
	// odd holds the bits of the properties that differ from what this header should have: a version flag forgotten or
	// stray, reserved bits. They are kept so that a header encodes to the bytes it came from.
	odd uint16
	// zeroOfZero says that the frame calls itself part 0 of 0: a whole message, whose header is kept as it came.
	zeroOfZero bool
}

// Packaged reports whether the frame carries a part of a message.
func (h *Header) Packaged() bool { return h.PackageTotal != 0 || h.PackageNo != 0 }

// numbered reports whether the header has the fields of a part.
func (h *Header) numbered() bool { return h.Packaged() || h.zeroOfZero }

// Size is the length of the header in bytes.
func (h *Header) Size() int {
	n := shortHeader
	if h.Phone.size == longPhone {
		n = longHeader
	}
	if h.numbered() {
		n += packageSize
	}
	return n
}

// Answer is the header of a message to the same terminal, in its edition.
func (h *Header) Answer(id MessageID, serial uint16) Header {
	return Header{ID: id, Edition: h.Edition, Version: h.Version, Phone: h.Phone, Serial: serial}
}

// layout finds the layout of the header in a frame of n bytes without its checksum. Which header it is follows from the
// version flag; where the lengths fit the other one only, they are believed: some devices forget the flag, one maker
// sets it on the short header. ok is false where neither fits.
func layout(b []byte, n int) (long, ok bool) {
	if len(b) < 4 {
		return false, false
	}
	props := binary.BigEndian.Uint16(b[2:])
	rest := n - int(props&propBody)
	if props&propPackaged != 0 {
		rest -= packageSize
	}
	switch {
	case rest == shortHeader:
		return false, true
	case rest == longHeader:
		return true, true
	}
	return props&propVersion != 0, false
}

// Decode reads the header of an unescaped frame without checksum, as Framer returns it, and returns the body, which
// aliases frame. On an error the fields that could be read are set.
func (h *Header) Decode(frame []byte) (body []byte, err error) {
	long, fits := layout(frame, len(frame))
	return h.decode(frame, long, fits)
}

func (h *Header) decode(b []byte, long, fits bool) ([]byte, error) {
	*h = Header{}
	if len(b) < 2 {
		return nil, &Error{ErrShort, "msg_id", 0, "frame ends"}
	}
	h.ID = MessageID(binary.BigEndian.Uint16(b))
	if len(b) < 4 {
		return nil, &Error{ErrShort, "props", 2, "frame ends"}
	}
	props := binary.BigEndian.Uint16(b[2:])
	h.Encryption = uint8(props & propEncrypt >> 10)
	at, phone := 4, shortPhone
	if long {
		h.Edition = Edition2019
		phone = longPhone
		if len(b) < 5 {
			return nil, &Error{ErrShort, "version", at, "frame ends"}
		}
		h.Version = b[4]
		at++
	}
	if len(b) < at+phone {
		return nil, &Error{ErrShort, "phone", at, "frame ends"}
	}
	h.Phone = phoneOf(b[at : at+phone])
	at += phone
	if len(b) < at+2 {
		return nil, &Error{ErrShort, "serial", at, "frame ends"}
	}
	h.Serial = binary.BigEndian.Uint16(b[at:])
	at += 2
	if props&propPackaged != 0 {
		if len(b) < at+packageSize {
			return nil, &Error{ErrShort, "pkg_total", at, "frame ends"}
		}
		h.PackageTotal = binary.BigEndian.Uint16(b[at:])
		h.PackageNo = binary.BigEndian.Uint16(b[at+2:])
		h.zeroOfZero = !h.Packaged()
		at += packageSize
	}
	h.odd = (props ^ h.props()) &^ propBody
	if !fits {
		return b[at:], &Error{ErrLength, "body_len", 2, fmt.Sprintf("says %d, the body has %d bytes", props&propBody, len(b)-at)}
	}
	return b[at:], nil
}

// props are the properties of the header with a body length of 0.
func (h *Header) props() uint16 {
	p := uint16(h.Encryption&7) << 10
	if h.numbered() {
		p |= propPackaged
	}
	if h.Phone.size == longPhone {
		p |= propVersion
	}
	return p
}

// append appends the header for a body of n bytes.
func (h *Header) append(dst []byte, n int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.ID))
	dst = binary.BigEndian.AppendUint16(dst, h.props()^h.odd|uint16(n))
	size := shortPhone
	if h.Phone.size == longPhone {
		dst = append(dst, h.Version)
		size = longPhone
	}
	dst = append(dst, h.Phone.bcd[:size]...)
	dst = binary.BigEndian.AppendUint16(dst, h.Serial)
	if h.numbered() {
		dst = binary.BigEndian.AppendUint16(dst, h.PackageTotal)
		dst = binary.BigEndian.AppendUint16(dst, h.PackageNo)
	}
	return dst
}
