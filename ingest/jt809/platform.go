package jt809

import (
	"slices"

	wire "lushao/ingest/fields"
)

// Types of the object of an inspection (查岗).
const (
	ObjectPlatform  uint8 = 1 // the connected inferior platform; the id is its platform id
	ObjectOperator  uint8 = 2 // one operator; the id is the number of its business licence
	ObjectOperators uint8 = 3 // all operators of the platform
)

var inspected = meanings{ObjectPlatform: "connected platform", ObjectOperator: "one operator", ObjectOperators: "all operators"}

// Sizes of the id of an object.
const (
	shortObjectID = 12
	longObjectID  = 20
)

// Lengths of the data without the text, which are those of the layouts.
const (
	textOf2011       = 8  // number and length: 0x9301, 0x1301, 0x9302
	textOf2013       = 21 // and the object, with an id of 12 bytes
	platformText2019 = 29
	inspection2019   = 30
	answer2019       = 67
)

// textLayout chooses between the layouts of a message that ends with a text, by their lengths without it: the length of the
// text, which stands right before it, tells. Otherwise it is as layoutSize.
func (f *fields) textLayout(v *uint16, usual int, others ...int) int {
	if f.Mode == wire.Decoding {
		size := usual
		if !f.lengthFits(usual-4, 0) {
			for _, s := range others {
				if f.lengthFits(s-4, 0) {
					size = s
					break
				}
			}
		}
		f.keepLayout(v, usual, size)
		return size
	}
	f.describeLayout(v)
	if slices.Contains(others, int(*v)) {
		return int(*v)
	}
	return usual
}

// usualText is the length of the edition's layout.
func (f *fields) usualText(of2019 int) int {
	switch {
	case f.has(FeatureLongObjectID):
		return of2019
	case f.has(FeatureObject):
		return textOf2013
	}
	return textOf2011
}

// Inspection is 0x9301: a question to whoever should be at his post.
type Inspection struct {
	ObjectType  uint8  // not in 2011
	ObjectID    Text   // not in 2011; 12 bytes in 2013, 20 in 2019
	AnswerTime  uint8  // s from the time in the header; 2019
	InfoID      uint32 // of the question
	InfoContent Text
	// Layout is the length of the data without the text where they have another layout than the edition's: 8 as in 2011,
	// 21 as in 2013, 30 as in 2019. 0 is the edition's own.
	Layout uint16
}

func (m *Inspection) walk(f *fields) {
	size := f.textLayout(&m.Layout, f.usualText(inspection2019), textOf2011, textOf2013, inspection2019)
	switch size {
	case textOf2013:
		f.object(&m.ObjectType, &m.ObjectID, inspected, shortObjectID)
	case inspection2019:
		f.object(&m.ObjectType, &m.ObjectID, inspected, longObjectID)
		f.U8("answer_time", &m.AnswerTime)
	}
	f.U32("info_id", &m.InfoID)
	f.TextLoose("info_length", "info_content", 4, &m.InfoContent)
}

// object is what a message of 0x1300 or 0x9300 is for.
func (f *fields) object(kind *uint8, id *Text, m meanings, size int) {
	f.Code8("object_type", kind, m)
	f.Text("object_id", size, zeroEnd, id)
}

// InspectionReply is 0x1301, one for each object that was asked.
type InspectionReply struct {
	ObjectType   uint8  // as asked; not in 2011
	Responder    Text   // 16 bytes; 2019, as the next one
	ResponderTel Text   // 20 bytes
	ObjectID     Text   // as asked; not in 2011
	InfoID       uint32 // as asked; not in 2019, where Source says it
	Source
	InfoContent Text
	Layout      uint16 // as of Inspection: 8, 21, 67
}

func (m *InspectionReply) walk(f *fields) {
	size := f.textLayout(&m.Layout, f.usualText(answer2019), textOf2011, textOf2013, answer2019)
	switch size {
	case textOf2011:
		f.U32("info_id", &m.InfoID)
	case textOf2013:
		f.object(&m.ObjectType, &m.ObjectID, inspected, shortObjectID)
		f.U32("info_id", &m.InfoID)
	case answer2019:
		f.Code8("object_type", &m.ObjectType, inspected)
		f.Text("responder", 16, zeroEnd, &m.Responder)
		f.Text("responder_tel", 20, zeroEnd, &m.ResponderTel)
		f.Text("object_id", longObjectID, zeroEnd, &m.ObjectID)
		f.sourceFields(&m.Source)
	}
	f.TextLoose("info_length", "info_content", 4, &m.InfoContent)
}

// PlatformText is 0x9302: a text to platforms.
type PlatformText struct {
	ObjectType  uint8 // not in 2011
	ObjectID    Text  // not in 2011; 12 bytes in 2013, 20 in 2019
	InfoID      uint32
	InfoContent Text
	Layout      uint16 // as of Inspection: 8, 21, which some have in 2019, 29
}

var addressed = meanings{0: "one platform below", 1: "the connected platform", 2: "one operator", 3: "all operators",
	4: "all platforms below", 5: "all platforms and operators", 6: "all government platforms", 7: "all enterprise platforms",
	8: "all commercial enterprise platforms", 9: "all non-commercial enterprise platforms"}

func (m *PlatformText) walk(f *fields) {
	size := f.textLayout(&m.Layout, f.usualText(platformText2019), textOf2011, textOf2013, platformText2019)
	switch size {
	case textOf2013:
		f.object(&m.ObjectType, &m.ObjectID, addressed, shortObjectID)
	case platformText2019:
		f.object(&m.ObjectType, &m.ObjectID, addressed, longObjectID)
	}
	f.U32("info_id", &m.InfoID)
	f.TextLoose("info_length", "info_content", 4, &m.InfoContent)
}

// PlatformTextReply is 0x1302: the text arrived.
type PlatformTextReply struct {
	InfoID uint32 // not in 2019, where Source says it
	Source
}

func (m *PlatformTextReply) walk(f *fields) {
	if !f.has(FeatureSource) {
		f.U32("info_id", &m.InfoID)
	}
	f.source(&m.Source)
}

// Retransmit is 0x1303 and 0x9303: send again what was lost. Either the serials or the time are given, the others are 0.
// 2019 only.
type Retransmit struct {
	RetranDataType MessageID // not in 0x9303 as one source has it
	SerialCount    uint8     // EndMsgSN - BeginMsgSN + 1; not in 0x9303 as one source has it
	BeginMsgSN     uint32
	EndMsgSN       uint32
	Time           Seconds // from this time on

	Short bool // 0x9303 as one source has it, which names no sub-message
}

// retransmitShort is the size of Retransmit without the sub-message.
const retransmitShort = 16

func (m *Retransmit) walk(f *fields) {
	if !f.variant("short", &m.Short, f.Left() == retransmitShort) {
		f.id("retran_data_type", &m.RetranDataType)
		f.U8("serial_count", &m.SerialCount)
	}
	f.U32("begin_msg_sn", &m.BeginMsgSN)
	f.U32("end_msg_sn", &m.EndMsgSN)
	f.seconds("time", &m.Time)
}
