package jt809

import (
	wire "lushao/ingest/fields"
	"lushao/ingest/jt808"
)

// Body is the data of a message or of a sub-message: what stands behind the container.
type Body interface{ walk(f *fields) }

// fields is the walker of the bodies, with what is of JT/T 809 alone. A walk is one for all ways: see package fields.
type fields struct {
	wire.Walker
	ed Edition
}

// meanings are the words of an enumeration by code.
type meanings = wire.Meanings

// Text is a text of the standard, GBK as it stands on the wire.
type Text = jt808.Text

// NewBody returns an empty body for the message: the id of the sub-message, or of the message where it has none. n is the
// length of the data, which chooses between readings of one id; -1 is the edition's own. nil: the message is not known.
func NewBody(id MessageID, ed Edition, n int) Body {
	if b := newBodyA(id, ed, n); b != nil {
		return b
	}
	return newBodyB(id, ed, n)
}

// Decode reads data into m, which the caller has reset; texts are copied, raw bytes alias b. Bytes after the last field
// are left alone: peers append. The error is an *Error; the fields before its place are set.
func Decode(b []byte, ed Edition, m Body) error {
	_, err := decodeBody(b, ed, m)
	return err
}

// decodeBody decodes and returns how many bytes it took.
func decodeBody(b []byte, ed Edition, m Body) (int, error) {
	f := fields{Walker: wire.Reader(b), ed: ed}
	m.walk(&f)
	return f.At, own(f.Err)
}

// AppendBody appends the data of m as the edition has it. Texts that are longer than their field, and lists longer than
// their count can say, are cut: the protocol cannot carry them.
func AppendBody(dst []byte, ed Edition, m Body) []byte {
	f := fields{Walker: wire.Writer(dst), ed: ed}
	m.walk(&f)
	return f.Out
}

// AppendBodyJSON appends m as a JSON object under the names of the standard.
func AppendBodyJSON(dst []byte, ed Edition, m Body) []byte {
	f := fields{Walker: wire.Describer(dst), ed: ed}
	f.Object(func() { m.walk(&f) })
	return f.Out
}

// FillBody sets the fields of m that the JSON object names, in the form that AppendBodyJSON writes; counts, lengths and
// members for people (_meaning, _deg) are passed over. An unknown or a bad member is an error that names it.
func FillBody(m Body, ed Edition, json []byte) error {
	f := fields{ed: ed}
	return f.Fill("body", json, func() { m.walk(&f) })
}

// Empty is the body of messages without data.
type Empty struct{}

func (*Empty) walk(*fields) {}

// Source names the request that an answer of 2019 belongs to: its id (src_data_type) and its serial (src_msg_sn). The
// editions before do not have it.
type Source struct {
	Type   MessageID
	Serial uint32
}

// source is the request that an answer belongs to.
func (f *fields) source(s *Source) {
	if f.has(FeatureSource) {
		f.sourceFields(s)
	}
}

func (f *fields) sourceFields(s *Source) {
	f.id("src_data_type", &s.Type)
	f.U32("src_msg_sn", &s.Serial)
}

// id is the id of a message. JSON has the number, and the id as it is written, with its name, under _meaning.
func (f *fields) id(name string, v *MessageID) {
	f.U16(name, (*uint16)(v))
	if f.Mode == wire.Describing {
		word := v.String()
		if n := v.Name(); n != "" {
			word += " " + n
		}
		f.Note(name+"_meaning", word)
	}
}

func (f *fields) has(x Feature) bool { return f.ed.Has(x) }

// The ways of padding.
const (
	zeroEnd    = wire.ZeroEnd
	digitFront = wire.DigitFront
)
