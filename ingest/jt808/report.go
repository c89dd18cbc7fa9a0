package jt808

import wire "lushao/ingest/fields"

// LocationReply is 0x0201, the answer to 0x8201, and 0x0500, the result of a vehicle control, whose success is read from
// the status bits.
type LocationReply struct {
	Serial   uint16 // of the 0x8201 or 0x8500
	Location Location
}

func (m *LocationReply) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.locationRest("location", &m.Location)
}

// Tracking is 0x8202: reports in a fixed interval for a while.
type Tracking struct {
	Interval uint16 // s; 0 stops
	Validity uint32 // s; may be left out when Interval is 0
}

func (m *Tracking) walk(f *fields) {
	f.U16("interval", &m.Interval)
	if f.More("validity", m.Interval != 0 || m.Validity != 0) {
		f.U32("validity", &m.Validity)
	}
}

// ConfirmAlarm is 0x8203: a person has seen alarms.
type ConfirmAlarm struct {
	Serial uint16 // of the report; 0 every report of the types
	Types  uint32 // bits of the alarm flags: 0, 3, 20, 21, 22, 27, 28
}

func (m *ConfirmAlarm) walk(f *fields) {
	f.U16("alarm_serial", &m.Serial)
	f.U32("alarm_types", &m.Types)
}

// BatchReport is 0x0704 as a whole, for whoever makes or shows one; Batch reads it without allocating.
type BatchReport struct {
	Count     uint16 // as decoded; encoding counts the locations
	Kind      uint8
	Locations []Location
	Bad       int   // items that were no location
	Err       error // what the first of them was
}

func (m *BatchReport) walk(f *fields) {
	switch f.Mode {
	case wire.Decoding:
		var r Batch
		if err := r.Decode(f.B[f.At:f.End]); err != nil {
			f.Err = err
			return
		}
		f.At = f.End
		m.Count, m.Kind = r.Count, r.Kind
		var l Location
		for r.Next(&l) {
			m.Locations = append(m.Locations, l)
		}
		m.Bad, m.Err = r.Bad, r.Err
	case wire.Encoding:
		f.Out = AppendBatch(f.Out, m.Kind, m.Locations)
	case wire.Describing:
		f.U16("count", &m.Count)
		f.Code8("kind", &m.Kind, meanings{BatchNormal: "normal batch", BatchBlindSpots: "blind-area supplement"})
		wire.ListRest(f, "locations", &m.Locations, func(f *fields, l *Location) { describeLocation(f, l) })
		if m.Err != nil {
			f.Note("locations_error", m.Err.Error())
		}
	}
}

// CANData is 0x0705.
type CANData struct {
	Time  [5]byte // BCD hh mm ss and 4 digits of ms: when the first was received
	Items []CANItem
}

// CANItem is a frame of a CAN bus.
type CANItem struct {
	ID   uint32 // bit 31 channel, 30 extended, 29 mean over the interval, 0 to 28 the id
	Data [8]byte
}

func (m *CANData) walk(f *fields) {
	// The time stands between the count and the items.
	at := f.At
	n := uint16(f.Uint("count", 2, uint64(min(len(m.Items), 0xFFFF))))
	f.Array("time", m.Time[:])
	items := m.Items[:min(len(m.Items), 0xFFFF)]
	if f.Mode != wire.Decoding {
		wire.ListRest(f, "items", &items, walkCANItem)
		return
	}
	for i := uint16(0); i < n && f.Err == nil; i++ {
		if f.Left() <= 0 {
			f.FailAt(ErrShort, at, "count", "more items than the body has")
			return
		}
		wire.DecodeItem(f, &m.Items, walkCANItem)
	}
}

func walkCANItem(f *fields, m *CANItem) {
	f.U32("can_id", &m.ID)
	f.Array("data", m.Data[:])
}

// Waybill is 0x0701; the standard leaves the form of the content open.
type Waybill struct{ Content []byte }

func (m *Waybill) walk(f *fields) {
	f.BytesLen("len", "content", 4, &m.Content)
	if f.Mode == wire.Describing {
		f.Note("content_text", Text(m.Content).String())
	}
}
