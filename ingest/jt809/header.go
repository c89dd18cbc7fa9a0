package jt809

import (
	"encoding/binary"
	"fmt"
)

const (
	shortHeader = 22 // 2011, 2013
	longHeader  = 30 // 2019

	// frameOverhead is what msg_length counts beside header and body: two flags and the CRC.
	frameOverhead = 4
)

// Header is the header of a message (4.5.2).
type Header struct {
	Length    uint32 // msg_length as it came: the whole frame before escaping, flags and CRC included
	Serial    uint32 // msg_sn
	ID        MessageID
	Centre    uint32  // msg_gnsscenterid: the access code of the inferior platform, in both directions
	Version   [3]byte // version_flag; says nothing of the edition
	Encrypted bool
	Key       uint32  // encrypt_key; may be set where Encrypted is not
	Time      int64   // when the frame was sent, Unix s; 2019 only
	Edition   Edition // Edition2011 or Edition2013 for a header of 22 bytes, Edition2019 for one of 30
}

// Size is the length of the header in bytes.
func (h *Header) Size() int {
	if h.Edition.Has(FeatureHeaderTime) {
		return longHeader
	}
	return shortHeader
}

// Decode reads the header of an unescaped frame without flags and CRC, as Framer returns it, and returns the body, which
// aliases frame and is encrypted when h.Encrypted. With EditionAuto the layout is found out; h.Edition is then
// Edition2011 or Edition2019. Only a frame that is too short for a header is an error: whether msg_length fits, CheckLength
// says, and a frame whose CRC is right need not be refused for it.
func (h *Header) Decode(frame []byte, ed Edition) (body []byte, err error) {
	*h = Header{}
	if len(frame) < shortHeader {
		h.Edition = ed
		return nil, shortFrame(len(frame), shortHeader)
	}
	h.Length = binary.BigEndian.Uint32(frame)
	h.Serial = binary.BigEndian.Uint32(frame[4:])
	h.ID = MessageID(binary.BigEndian.Uint16(frame[8:]))
	h.Centre = binary.BigEndian.Uint32(frame[10:])
	h.Version = [3]byte(frame[14:17])
	h.Encrypted = frame[17] == 1
	h.Key = binary.BigEndian.Uint32(frame[18:])
	if ed == EditionAuto {
		ed = Edition2011
		if longLayout(h.ID, h.Encrypted, frame) {
			ed = Edition2019
		}
	}
	h.Edition = ed
	if !ed.Has(FeatureHeaderTime) {
		return frame[shortHeader:], nil
	}
	if len(frame) < longHeader {
		return nil, shortFrame(len(frame), longHeader)
	}
	h.Time = int64(binary.BigEndian.Uint64(frame[22:]))
	return frame[longHeader:], nil
}

func shortFrame(n, want int) error {
	return &Error{ErrShort, "header", n, fmt.Sprintf("frame of %d bytes, at least %d are needed", n+frameOverhead, want+frameOverhead)}
}

// CheckLength says whether msg_length fits a body of n bytes.
func (h *Header) CheckLength(n int) error {
	want := h.Size() + n + frameOverhead
	if uint64(h.Length) == uint64(want) {
		return nil
	}
	return &Error{ErrLength, "msg_length", 0, fmt.Sprintf("says %d, the frame has %d bytes before escaping", h.Length, want)}
}

// Header times that are believed, in Unix s: the years 2000 to 2099.
const (
	earliestTime = 946_684_800
	latestTime   = 4_102_444_799
)

// longLayout reports whether the header is that of 2019. Nothing in a frame says so; but what stands where 2019 has the
// time is no time in any body of 2011, and the lengths within the body fit one of the layouts only.
func longLayout(id MessageID, encrypted bool, frame []byte) bool {
	if len(frame) < longHeader {
		return false
	}
	short := fits(id, encrypted, frame[shortHeader:])
	long := fits(id, encrypted, frame[longHeader:])
	if short != long {
		return long
	}
	t := binary.BigEndian.Uint64(frame[shortHeader:])
	return t >= earliestTime && t <= latestTime
}

// fits reports whether the body has the length that the standard says or that it says itself.
func fits(id MessageID, encrypted bool, body []byte) bool {
	n := len(body)
	switch id {
	case IDLogin:
		return n == 46 || n == 50
	case IDLoginReply:
		return n == 5
	case IDLogout:
		return n == 12
	case IDLogoutReply, IDHeartbeat, IDHeartbeatReply, IDSubLogoutReply, IDSubHeartbeat, IDSubHeartbeatReply:
		return n == 0
	case IDMainBroken, IDInferiorCloses, IDSubBroken, IDSuperiorCloses, IDSubLoginReply:
		return n == 1
	case IDSubLogin, IDSubLogout:
		return n == 4
	case IDPositionCount, IDPositionCountUp:
		return n == 20
	}
	if encrypted {
		return false
	}
	if c := containerOf(id, body, EditionAuto); c != bare {
		at := c.head()
		return n >= at+4 && c != closed && uint64(binary.BigEndian.Uint32(body[at:])) == uint64(n-at-4)
	}
	return false
}
