package jt808

import (
	"fmt"

	wire "lushao/ingest/fields"
)

// DescribeOptions are the choices of Describe.
type DescribeOptions struct {
	Edition Edition // taken as given; EditionAuto finds it out
}

// Describe appends one JSON object about a frame: its header and what its body says. The frame is as it was on the wire,
// escaped, with its delimiters or without; it is not changed. A bad frame gives an object with "error" and as much as could
// be read; of one whose checksum alone is wrong the body is described all the same. Equal frames give equal bytes.
//
// Numbers of the standard are numbers, in its units; an enumeration has its word under the same name with "_meaning", a
// coordinate its degrees under "_deg". Texts are UTF-8 without padding, raw bytes hex, dates RFC 3339 or null, with the
// digits under "_raw". The body of a sub-package other than the first cannot be told from raw bytes, and is so.
func Describe(dst []byte, frame []byte, opt DescribeOptions) []byte {
	f := fields{Walker: wire.Describer(dst)}
	f.Object(func() { describeFrame(&f, frame, opt) })
	return f.Out
}

func describeFrame(f *fields, frame []byte, opt DescribeOptions) {
	f.Note("protocol", "jt808")
	p := trimDelimiters(frame)
	b, err := unescape(append([]byte(nil), p...))
	if err != nil {
		// The header stands in front of most of what can be wrong with escapes; show it if it can be read.
		at := err.(*Error).Offset
		b, _ = unescape(append([]byte(nil), p[:at-1]...))
		var h Header
		if _, headErr := h.Decode(b); KindOf(headErr) != ErrShort {
			describeHeader(f, &h, shown(&h, nil, opt))
		}
		f.Note("error", err.Error())
		return
	}
	if len(b) == 0 {
		f.Note("error", (&Error{ErrShort, "frame", 0, "empty"}).Error())
		return
	}
	n := len(b) - 1
	var h Header
	long, fits := layout(b, n)
	if !fits && opt.Edition != EditionAuto {
		long = opt.Edition.Has(FeatureVersionFlag)
	}
	body, err := h.decode(b[:n], long, fits)
	if KindOf(err) == ErrShort {
		if n >= 2 {
			f.Note("id", h.ID.String())
			f.Note("name", nameOf(h.ID))
		}
		f.Note("error", err.Error())
		return
	}
	describeHeader(f, &h, shown(&h, body, opt))
	f.Truth("checksum_ok", xor(b) == 0)
	if h.Packaged() {
		f.Key("package")
		f.Object(func() {
			f.U16("total", &h.PackageTotal)
			f.U16("index", &h.PackageNo)
		})
	}
	if h.Encryption != EncryptionNone {
		f.Truth("encrypted", true)
		f.U8("encryption", &h.Encryption)
	}
	if err == nil {
		if x := xor(b); x != 0 {
			err = &Error{ErrChecksum, "checksum", n, fmt.Sprintf("0x%02x, want 0x%02x", b[n], b[n]^x)}
		}
	}
	f.Key("body")
	if bodyErr := describeBody(f, &h, body, opt); err == nil {
		err = bodyErr
	}
	if err != nil {
		f.Note("error", err.Error())
	}
}

func trimDelimiters(b []byte) []byte {
	for len(b) > 0 && b[0] == delimiter {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == delimiter {
		b = b[:len(b)-1]
	}
	return b
}

func shown(h *Header, body []byte, opt DescribeOptions) Edition {
	if opt.Edition != EditionAuto {
		return opt.Edition
	}
	return shownEdition(h, body)
}

func describeHeader(f *fields, h *Header, ed Edition) {
	f.Note("edition", ed.String())
	f.Note("id", h.ID.String())
	f.Note("name", nameOf(h.ID))
	if h.Edition == Edition2019 {
		f.U8("version", &h.Version)
	}
	f.Note("phone", h.Phone.String())
	f.U16("serial", &h.Serial)
}

func nameOf(id MessageID) string {
	if n := id.Name(); n != "" {
		return n
	}
	return "unknown"
}

// describeBody writes the value of "body". A body that cannot be decoded is raw.
func describeBody(f *fields, h *Header, b []byte, opt DescribeOptions) error {
	ed := opt.Edition
	if ed == EditionAuto {
		ed = GuessEdition(h, b)
	}
	m := NewBody(h.ID)
	part := h.PackageTotal > 1
	if m == nil || h.Encryption != EncryptionNone || part && h.PackageNo != 1 {
		f.Raw(b)
		return nil
	}
	n, err := decodeBody(b, ed, m)
	if err != nil {
		f.Raw(b)
		if part {
			return nil // the rest is in the other sub-packages
		}
		return err
	}
	f.ed = ed
	f.Object(func() {
		m.walk(f)
		if n < len(b) {
			f.Key("trailing")
			f.Out = wire.AppendHex(f.Out, b[n:])
		}
	})
	return nil
}

// AppendLocationJSON appends the location as the object that Describe has for it, for others that carry locations of
// JT/T 808: JT/T 809-2019 does.
func AppendLocationJSON(dst []byte, l *Location) []byte { return appendLocationJSON(dst, l) }
