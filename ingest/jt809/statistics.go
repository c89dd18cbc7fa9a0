package jt809

import wire "lushao/ingest/fields"

// PositionCount is 0x9101, and 0x1101 as some have it in 2019: how many positions were received (2011, 2013: the superior
// tells), or sent (2019: the inferior tells).
type PositionCount struct {
	Total      uint32
	Start, End Seconds
}

func (m *PositionCount) walk(f *fields) {
	f.U32("dynamic_info_total", &m.Total)
	f.seconds("start_time", &m.Start)
	f.seconds("end_time", &m.End)
}

// TransferQuery is 0x9102: the superior asks for the figures of a platform. 2019 only.
type TransferQuery struct {
	PlatformID         Text // 11 bytes
	StartTime, EndTime Seconds
}

func (m *TransferQuery) walk(f *fields) {
	f.platformID("platform_id", &m.PlatformID)
	f.seconds("start_time", &m.StartTime)
	f.seconds("end_time", &m.EndTime)
}

// TransferReport is 0x1102, the answer to 0x9102. 2019 only.
type TransferReport struct {
	PlatformID         Text // 11 bytes
	StartTime, EndTime Seconds
	LostDynamicSum     uint32 // positions that were lost
	DisconnectNum      uint8
	DisconnectTime     uint32 // s in all
}

func (m *TransferReport) walk(f *fields) {
	f.platformID("platform_id", &m.PlatformID)
	f.seconds("start_time", &m.StartTime)
	f.seconds("end_time", &m.EndTime)
	f.U32("lost_dynamic_sum", &m.LostDynamicSum)
	f.U8("disconnect_num", &m.DisconnectNum)
	f.U32("disconnect_time", &m.DisconnectTime)
}

// SerialNotice is 0x9103 and 0x1103: the serials that were reached before a break. 2019 only.
type SerialNotice struct{ Items []SerialItem }

// SerialItem is the last serial of one sub-message.
type SerialItem struct {
	SubType MessageID
	MsgSN   uint32
	Time    Seconds // of that message
}

func (m *SerialNotice) walk(f *fields) {
	wire.List(f, "count", "items", 1, &m.Items, func(f *fields, i *SerialItem) {
		f.id("sub_type", &i.SubType)
		f.U32("msg_sn", &i.MsgSN)
		f.seconds("time", &i.Time)
	})
}
