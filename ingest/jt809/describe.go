package jt809

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	wire "lushao/ingest/fields"
)

// DescribeOptions are the choices of Describe.
type DescribeOptions struct {
	Edition Edition // taken as given; EditionAuto finds it out
	Cipher  *Cipher // of the two platforms; nil: the bodies of encrypted frames stay raw
}

// Describe appends one JSON object about a frame: its header and what its body says. The frame is as it was on the wire,
// with its flags or without, or as logs have it, unescaped already; which, the CRC decides. It is not changed. A bad frame
// gives an object with "error" and as much as could be read; of one whose CRC or length alone is wrong the body is
// described all the same. Equal frames give equal bytes.
//
// Numbers of the standard are numbers, in its units; an enumeration has its word under the same name with "_meaning".
// Texts are UTF-8 without padding, raw bytes hex, dates RFC 3339 in Beijing time or null.
func Describe(dst []byte, frame []byte, opt DescribeOptions) []byte {
	f := fields{Walker: wire.Describer(dst)}
	f.Object(func() { describeFrame(&f, frame, opt) })
	return f.Out
}

// ChecksumFits reports whether the bytes are a frame in one of the forms that Describe reads, with a right CRC.
func ChecksumFits(frame []byte) bool {
	_, ok := openDump(frame)
	return ok
}

// openDump finds header, body and CRC in a frame, in whatever form it was written down. ok is false where no reading has
// a right CRC; b is then the likeliest.
func openDump(frame []byte) (b []byte, ok bool) {
	inner := frame
	if len(inner) > 0 && inner[0] == headFlag {
		inner = inner[1:]
	}
	if len(inner) > 0 && inner[len(inner)-1] == tailFlag && len(inner) < len(frame) {
		inner = inner[:len(inner)-1]
	}
	readings := [][]byte{inner}
	if len(inner) < len(frame) {
		readings = append(readings, frame)
	}
	// The frame that a receiver would find, where something stands around it.
	if end := bytes.IndexByte(frame, tailFlag); end >= 0 {
		if start := bytes.LastIndexByte(frame[:end], headFlag); start >= 0 && end-start-1 < len(inner) {
			readings = append(readings, frame[start+1:end])
		}
	}
	var likely []byte
	for _, r := range readings {
		unescaped := unescape(bytes.Clone(r))
		for _, b := range [...][]byte{unescaped, r} {
			if len(b) >= shortHeader+crcSize && crc(b) == 0 {
				return b, true
			}
			if likely == nil && len(b) >= 4 && uint64(binary.BigEndian.Uint32(b)) == uint64(len(b)+2) {
				likely = b
			}
		}
	}
	if likely == nil {
		likely = unescape(bytes.Clone(inner))
	}
	return likely, false
}

func describeFrame(f *fields, frame []byte, opt DescribeOptions) {
	f.Note("protocol", "jt809")
	b, ok := openDump(frame)
	var failed error
	if !ok && len(b) >= crcSize {
		failed = checkCRC(b)
	}
	var h Header
	body, err := h.Decode(b[:max(len(b)-crcSize, 0)], opt.Edition)
	if err != nil {
		if len(b) >= 10 {
			id := MessageID(binary.BigEndian.Uint16(b[8:]))
			f.Note("id", id.String())
			f.Note("name", nameOf(id))
		}
		f.Note("error", err.Error())
		return
	}
	if failed == nil {
		failed = h.CheckLength(len(body))
	}
	locked := h.Encrypted && opt.Cipher == nil && len(body) > 0
	if h.Encrypted && !locked {
		body = bytes.Clone(body)
		if opt.Cipher != nil {
			opt.Cipher.Apply(h.Key, body)
		}
	}
	var e Envelope
	if !locked {
		if err := e.Decode(h.ID, body, h.Edition); err != nil && failed == nil {
			failed = err
		}
	}
	ed := opt.Edition
	if ed == EditionAuto {
		ed = GuessEdition(&h, &e)
	}
	m, n, err := readBody(&h, &e, ed, body)
	if err != nil && failed == nil && !locked {
		failed = err
	}
	f.ed = ed
	f.Note("edition", ed.String())
	f.Note("id", h.ID.String())
	message := h.ID
	if e.Sub != 0 {
		message = e.Sub
		f.Note("sub_id", e.Sub.String())
	}
	f.Note("name", nameOf(message))
	f.U32("serial", &h.Serial)
	f.U32("access_code", &h.Centre)
	f.Note("version", fmt.Sprintf("%d.%d.%d", h.Version[0], h.Version[1], h.Version[2]))
	if h.Edition.Has(FeatureHeaderTime) {
		describeTime(f, h.Time)
	}
	f.Truth("checksum_ok", ok)
	f.Truth("encrypted", h.Encrypted)
	f.U32("key", &h.Key)
	if locked {
		f.Truth("key_missing", true)
	}
	describeVehicle(f, &e, m)
	f.Key("body")
	switch {
	case locked:
		f.Raw(body)
	case m == nil:
		f.Raw(e.Data)
	default:
		f.Object(func() {
			m.walk(f)
			if n < len(e.Data) {
				f.Key("trailing")
				f.Out = wire.AppendHex(f.Out, e.Data[n:])
			}
		})
	}
	if failed != nil {
		f.Note("error", failed.Error())
	}
}

func nameOf(id MessageID) string {
	if n := id.Name(); n != "" {
		return n
	}
	return "unknown"
}

// describeTime is the time of the header: seconds, whatever peers send.
func describeTime(f *fields, unix int64) {
	f.Key("time")
	if unix <= 0 || unix > int64(maxSeconds) {
		f.Out = append(f.Out, "null"...)
		if unix != 0 {
			f.Int("time_raw", unix)
		}
		return
	}
	f.Out = append(f.Out, '"')
	f.Out = time.Unix(unix, 0).In(beijing).AppendFormat(f.Out, time.RFC3339)
	f.Out = append(f.Out, '"')
}

// describeVehicle is the vehicle of the container, or that of an alarm of 2019, which has it among its data.
func describeVehicle(f *fields, e *Envelope, m Body) {
	plate, color := e.PlateText(), e.Color
	has := e.HasVehicle
	if !has {
		var no Text
		switch m := m.(type) {
		case *AlarmReport:
			no, color = m.VehicleNo, m.VehicleColor
		case *AlarmTip:
			no, color = m.VehicleNo, m.VehicleColor
		}
		plate = Text(trimText([]byte(no))).String()
		has = plate != ""
	}
	if has {
		f.Note("plate", plate)
		f.U8("color", &color)
	}
}

// readBody decodes the data of a message and says how many bytes it took; nil where it is not known, or cannot be read.
func readBody(h *Header, e *Envelope, ed Edition, body []byte) (m Body, n int, err error) {
	if e.Sub != 0 && isContainer(e.ID) && (e.Sub^e.ID)&0x7f00 != 0 {
		at := containerOf(e.ID, body, h.Edition).head() - 2
		detail := fmt.Sprintf("%s is no sub-message of %s", e.Sub, e.ID)
		if h.Encrypted {
			detail += "; is the key the right one?"
			*e = Envelope{ID: e.ID} // rubbish
		}
		e.Data = body
		return nil, 0, &Error{ErrValue, "data_type", at, detail}
	}
	if m = NewBody(e.Message(), ed, len(e.Data)); m == nil {
		return nil, 0, nil
	}
	if n, err = decodeBody(e.Data, ed, m); err != nil {
		return nil, 0, err
	}
	return m, n, nil
}
