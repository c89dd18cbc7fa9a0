package jt808

// LocationReply is 0x0201, the answer to 0x8201, and 0x0500, the result of a vehicle control, whose success is read from
// the status bits.
type LocationReply struct {
	Serial   uint16 // of the 0x8201 or 0x8500
	Location Location
}

func (m *LocationReply) walk(f *fields) {
	f.u16("ack_serial", &m.Serial)
	f.locationRest("location", &m.Location)
}

// Tracking is 0x8202: reports in a fixed interval for a while.
type Tracking struct {
	Interval uint16 // s; 0 stops
	Validity uint32 // s; may be left out when Interval is 0
}

func (m *Tracking) walk(f *fields) {
	f.u16("interval", &m.Interval)
	if f.more(m.Interval != 0 || m.Validity != 0) {
		f.u32("validity", &m.Validity)
	}
}

// ConfirmAlarm is 0x8203: a person has seen alarms.
type ConfirmAlarm struct {
	Serial uint16 // of the report; 0 every report of the types
	Types  uint32 // bits of the alarm flags: 0, 3, 20, 21, 22, 27, 28
}

func (m *ConfirmAlarm) walk(f *fields) {
	f.u16("alarm_serial", &m.Serial)
	f.u32("alarm_types", &m.Types)
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
	switch f.mode {
	case decoding:
		var r Batch
		if err := r.Decode(f.b[f.at:f.end]); err != nil {
			f.err = err
			return
		}
		f.at = f.end
		m.Count, m.Kind = r.Count, r.Kind
		var l Location
		for r.Next(&l) {
			m.Locations = append(m.Locations, l)
		}
		m.Bad, m.Err = r.Bad, r.Err
	case encoding:
		f.out = AppendBatch(f.out, m.Kind, m.Locations)
	case describing:
		f.u16("count", &m.Count)
		f.code8("kind", &m.Kind, meanings{BatchNormal: "normal batch", BatchBlindSpots: "blind-area supplement"})
		listRest(f, "locations", &m.Locations, func(f *fields, l *Location) { describeLocation(f, l) })
		if m.Err != nil {
			f.note("locations_error", m.Err.Error())
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
	at := f.at
	n := uint16(f.uint("count", 2, uint64(min(len(m.Items), 0xFFFF))))
	f.array("time", m.Time[:])
	items := m.Items[:min(len(m.Items), 0xFFFF)]
	if f.mode != decoding {
		listRest(f, "items", &items, walkCANItem)
		return
	}
	for i := uint16(0); i < n && f.err == nil; i++ {
		if f.left() <= 0 {
			f.failAt(ErrShort, at, "count", "more items than the body has")
			return
		}
		decodeItem(f, &m.Items, walkCANItem)
	}
}

func walkCANItem(f *fields, m *CANItem) {
	f.u32("can_id", &m.ID)
	f.array("data", m.Data[:])
}

// Waybill is 0x0701; the standard leaves the form of the content open.
type Waybill struct{ Content []byte }

func (m *Waybill) walk(f *fields) {
	f.bytesLen("len", "content", 4, &m.Content)
	if f.mode == describing {
		f.note("content_text", Text(m.Content).String())
	}
}
