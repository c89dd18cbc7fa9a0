package jt808

import wire "lushao/ingest/fields"

// Flags of TextMessage in 2011 and 2013. 2019 makes bits 0 and 1 a number: 1 service, 2 urgent, 3 notice.
const (
	TextUrgent  uint8 = 1 << 0
	TextDisplay uint8 = 1 << 2
	TextTTS     uint8 = 1 << 3
	TextScreen  uint8 = 1 << 4

	TextService2019 uint8 = 1
	TextUrgent2019  uint8 = 2
	TextNotice2019  uint8 = 3
)

// TextMessage is 0x8300: text to the driver, spoken with TextTTS.
type TextMessage struct {
	Flags uint8
	Type  uint8 // 1 notice, 2 service; 2019
	Text  Text  // at most 1,024 bytes
}

func (m *TextMessage) walk(f *fields) {
	f.U8("flags", &m.Flags)
	if f.has(FeatureTextType) {
		f.Code8("text_type", &m.Type, meanings{1: "notice", 2: "service"})
	}
	f.TextRest("text", &m.Text)
}

var (
	eventActions = meanings{0: "delete all", 1: "update", 2: "append", 3: "modify", 4: "delete the listed"}
	menuActions  = meanings{0: "delete all", 1: "update", 2: "append", 3: "modify"}
)

// SetEvents is 0x8301: events that the driver may report by a key.
type SetEvents struct {
	Action uint8
	Events []EventItem
	// Lengths: the items of action 4 carry their length of 0, which the standard leaves open.
	Lengths bool
}

// EventItem is an event of SetEvents.
type EventItem struct {
	ID      uint8
	Content Text
}

func (m *SetEvents) walk(f *fields) {
	const deleteListed = 4
	f.Code8("action", &m.Action, eventActions)
	if !f.More("events", m.Action != 0 || len(m.Events) > 0) {
		return
	}
	if f.Mode == wire.Decoding && f.Left() > 0 {
		m.Lengths = m.Action == deleteListed && f.Left()-1 != int(f.B[f.At])
	}
	wire.List(f, "count", "events", 1, &m.Events, func(f *fields, e *EventItem) {
		f.U8("id", &e.ID)
		if m.Action != deleteListed || m.Lengths {
			f.TextLen("len", "content", 1, &e.Content)
		}
	})
}

// EventReport is 0x0301.
type EventReport struct{ ID uint8 }

func (m *EventReport) walk(f *fields) { f.U8("event_id", &m.ID) }

// Question is 0x8302.
type Question struct {
	Flags    uint8 // bit 0 urgent, 3 TTS, 4 advertising screen
	Question Text
	Answers  []AnswerItem
}

// AnswerItem is an answer to choose from.
type AnswerItem struct {
	ID      uint8
	Content Text
}

func (m *Question) walk(f *fields) {
	f.U8("flags", &m.Flags)
	f.TextLen("question_len", "question", 1, &m.Question)
	wire.ListRest(f, "answers", &m.Answers, func(f *fields, a *AnswerItem) {
		f.U8("id", &a.ID)
		f.TextLen("len", "content", 2, &a.Content)
	})
}

// QuestionAnswer is 0x0302.
type QuestionAnswer struct {
	Serial uint16 // of the 0x8302
	Answer uint8
}

func (m *QuestionAnswer) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.U8("answer_id", &m.Answer)
}

// InfoMenu is 0x8303.
type InfoMenu struct {
	Action uint8
	Items  []InfoItem
}

// InfoItem is an information service on offer.
type InfoItem struct {
	Type uint8
	Name Text
}

func (m *InfoMenu) walk(f *fields) {
	f.Code8("action", &m.Action, menuActions)
	if !f.More("items", m.Action != 0 || len(m.Items) > 0) {
		return
	}
	wire.List(f, "count", "items", 1, &m.Items, func(f *fields, i *InfoItem) {
		f.U8("info_type", &i.Type)
		f.TextLen("len", "name", 2, &i.Name)
	})
}

// InfoOrder is 0x0303.
type InfoOrder struct {
	Type uint8
	Flag uint8 // 0 cancel, 1 order
}

func (m *InfoOrder) walk(f *fields) {
	f.U8("info_type", &m.Type)
	f.Code8("flag", &m.Flag, meanings{0: "cancel", 1: "order"})
}

// InfoContent is 0x8304.
type InfoContent struct {
	Type    uint8
	Content Text
}

func (m *InfoContent) walk(f *fields) {
	f.U8("info_type", &m.Type)
	f.TextLen("len", "content", 2, &m.Content)
}

// CallBack is 0x8400.
type CallBack struct {
	Flag  uint8 // 0 normal, 1 monitoring
	Phone Text  // at most 20 bytes
}

func (m *CallBack) walk(f *fields) {
	f.Code8("flag", &m.Flag, meanings{0: "normal call", 1: "monitoring"})
	f.TextRest("phone", &m.Phone)
}

// PhoneBook is 0x8401.
type PhoneBook struct {
	Action   uint8
	Contacts []Contact
}

// Contact is an entry of a PhoneBook.
type Contact struct {
	Flag  uint8 // 1 incoming, 2 outgoing, 3 both
	Phone Text
	Name  Text
}

func (m *PhoneBook) walk(f *fields) {
	f.Code8("action", &m.Action, menuActions)
	if !f.More("contacts", m.Action != 0 || len(m.Contacts) > 0) {
		return
	}
	wire.List(f, "count", "contacts", 1, &m.Contacts, func(f *fields, c *Contact) {
		f.Code8("flag", &c.Flag, meanings{1: "incoming", 2: "outgoing", 3: "both"})
		f.TextLen("phone_len", "phone", 1, &c.Phone)
		f.TextLen("name_len", "name", 1, &c.Name)
	})
}

// VehicleControl is 0x8500. In 2011 and 2013 it is a byte whose bit 0 locks the doors; in 2019 a list in which the
// doors, control 1, are 0 locked and 1 open: the other way round.
type VehicleControl struct {
	Flags    uint8 // 2011, 2013
	Controls []ControlItem
	// Uncounted says that the count is left out before the one control there is: some platforms of 2019 send it so. A body
	// of 3 bytes can't be anything else.
	Uncounted bool
}

// ControlDoors is the only control that 2019 defines.
const ControlDoors uint16 = 0x0001

// ControlItem is a control of 2019.
type ControlItem struct {
	ID    uint16
	Param []byte // one byte for ControlDoors; of the maker for others
}

func (m *VehicleControl) walk(f *fields) {
	if !f.has(FeatureControlList) {
		f.U8("flags", &m.Flags)
		return
	}
	if f.Mode == wire.Decoding {
		m.Uncounted = f.Left() == 3
	}
	if m.Uncounted && (f.Mode == wire.Decoding || len(m.Controls) == 1 && len(m.Controls[0].Param) == 1) {
		if f.Mode == wire.Decoding {
			m.Controls = []ControlItem{{}}
		}
		c := &m.Controls[0]
		f.U16("control_id", &c.ID)
		switch f.Mode {
		case wire.Decoding:
			c.Param = f.Take(1, "param")
		case wire.Describing:
			f.Int("param", int64(c.Param[0]))
		default:
			f.BytesRest("param", &c.Param)
		}
		return
	}
	left := 0
	if f.Mode == wire.Decoding && f.Left() >= 2 {
		left = int(be16(f.B[f.At:]))
	}
	wire.List(f, "count", "controls", 2, &m.Controls, func(f *fields, c *ControlItem) {
		left--
		f.U16("control_id", &c.ID)
		switch {
		case f.Mode == wire.Describing && len(c.Param) == 1:
			f.Int("param", int64(c.Param[0]))
			return
		case f.Mode != wire.Decoding:
			f.BytesRest("param", &c.Param)
			return
		}
		// The length of a maker's control is not told. Where one byte each does not come out, the rest is one's own.
		n := 1
		if c.ID != ControlDoors && f.Left() != 1+3*left {
			n = max(f.Left(), 0)
		}
		c.Param = f.Take(n, "param")
	})
}
