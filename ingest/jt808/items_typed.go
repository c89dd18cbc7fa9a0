package jt808

import wire "lushao/ingest/fields"

// OverspeedItem is additional item 0x11.
type OverspeedItem struct {
	PlaceType uint8
	AreaID    uint32 // area or section; absent without a place
}

var placeTypes = meanings{0: "no place", 1: "circle", 2: "rectangle", 3: "polygon", 4: "section"}

func (m *OverspeedItem) walk(f *fields) {
	f.Code8("place_type", &m.PlaceType, placeTypes)
	if f.More("area_id", m.PlaceType != 0 || m.AreaID != 0) {
		f.U32("area_id", &m.AreaID)
	}
}

// AreaItem is additional item 0x12: an area or route was entered or left.
type AreaItem struct {
	PlaceType uint8
	AreaID    uint32
	Direction uint8 // 0 in, 1 out
}

func (m *AreaItem) walk(f *fields) {
	f.Code8("place_type", &m.PlaceType, meanings{1: "circle", 2: "rectangle", 3: "polygon", 4: "route"})
	f.U32("area_id", &m.AreaID)
	f.Code8("direction", &m.Direction, meanings{0: "in", 1: "out"})
}

// SectionItem is additional item 0x13: the time that a section of a route took.
type SectionItem struct {
	SectionID uint32
	Seconds   uint16
	Result    uint8 // 0 too short, 1 too long
}

func (m *SectionItem) walk(f *fields) {
	f.U32("section_id", &m.SectionID)
	f.U16("seconds", &m.Seconds)
	f.Code8("result", &m.Result, meanings{0: "too short", 1: "too long"})
}

// AbnormalDriving is additional item 0x18 (JT/T 1078-2016; its table prints a length of 2 for 3 bytes).
type AbnormalDriving struct {
	Kinds   uint16 // bit 0 fatigue, 1 phone, 2 smoking
	Fatigue uint8  // 0 to 100
	Short   bool   // the item has the printed length, and no Fatigue
}

func (m *AbnormalDriving) walk(f *fields) {
	f.U16("kinds", &m.Kinds)
	if f.Mode == wire.Decoding {
		m.Short = f.Left() == 0
	}
	if !m.Short {
		f.U8("fatigue", &m.Fatigue)
	}
}

// describeItems tells what the items of the standard's length say; an item that is absent gives no member.
func describeItems(f *fields, x Extras) {
	if v, ok := x.sized(ItemMileage, 4); ok {
		f.Tenths("mileage_km", int64(be32(v)))
	}
	if v, ok := x.sized(ItemFuel, 2); ok {
		f.Tenths("fuel_l", int64(be16(v)))
	}
	if v, ok := x.sized(ItemRecorderSpeed, 2); ok {
		f.Tenths("recorder_speed_kmh", int64(be16(v)))
	}
	if v, ok := x.sized(ItemSatellites, 1); ok {
		f.U8("satellites", &v[0])
	}
	if v, ok := x.sized(ItemRSSI, 1); ok {
		f.U8("rssi", &v[0])
	}
	describeNumber(f, x, ItemAlarmEvent, "alarm_event_id", 2)
	if v, ok := x.sized(ItemTyrePressure, 30); ok {
		f.Array("tyre_pressure", v)
	}
	if v, ok := x.sized(ItemTemperature, 2); ok {
		f.Int("carriage_temperature_c", int64(int16(be16(v))))
	}
	describeItem[OverspeedItem](f, x, ItemOverspeed, "overspeed")
	describeItem[AreaItem](f, x, ItemArea, "area")
	describeItem[SectionItem](f, x, ItemSection, "section")
	describeNumber(f, x, ItemVideoAlarm, "video_alarm", 4)
	describeNumber(f, x, ItemVideoLost, "video_lost", 4)
	describeNumber(f, x, ItemVideoOccluded, "video_occluded", 4)
	describeNumber(f, x, ItemStorageFault, "storage_fault", 2)
	describeItem[AbnormalDriving](f, x, ItemAbnormalDriving, "abnormal_driving")
	describeNumber(f, x, ItemSignals, "signals", 4)
	describeNumber(f, x, ItemIO, "io", 2)
	describeNumber(f, x, ItemAnalog, "analog", 4)
	describeItem[ADAS](f, x, ItemADAS, "adas")
	describeItem[DSM](f, x, ItemDSM, "dsm")
	describeItem[TPMS](f, x, ItemTPMS, "tpms")
	describeItem[BSD](f, x, ItemBSD, "bsd")
}

func describeNumber(f *fields, x Extras, id uint8, name string, size int) {
	if v, ok := x.sized(id, size); ok {
		in := fields{Walker: wire.Reader(v)}
		f.Uint(name, size, in.Uint(name, size, 0))
	}
}

// describeItem describes the items of the id that have the standard's layout, as a list when there are several: one
// report can carry several alarms.
func describeItem[T any, P interface {
	*T
	Body
}](f *fields, x Extras, id uint8, name string) {
	var items []T
	for i, v := range x.All() {
		var m T
		if i != id {
			continue
		}
		if n, err := decodeBody(v, EditionAuto, P(&m)); err == nil && n == len(v) {
			items = append(items, m)
		}
	}
	switch len(items) {
	case 0:
	case 1:
		f.struct1(name, P(&items[0]))
	default:
		wire.ListRest(f, name, &items, func(f *fields, m *T) { P(m).walk(f) })
	}
}
