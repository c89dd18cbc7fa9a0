package jt809

import wire "lushao/ingest/fields"

// MonitorCall is 0x9501: the terminal calls a number, so that somebody can listen.
type MonitorCall struct {
	MonitorTel Text // 20 bytes; '-' before an extension
}

func (m *MonitorCall) walk(f *fields) { f.Text("monitor_tel", 20, zeroEnd, &m.MonitorTel) }

// Results of ControlReply and VehicleTextReply.
const (
	ControlDone      uint8 = 0
	ControlFailed    uint8 = 1 // 0x1501, 0x1503
	EmergencyUnknown uint8 = 1 // 0x1505: no such vehicle
	EmergencyFailed  uint8 = 2 // 0x1505
)

// ControlReply is 0x1501 and 0x1505.
type ControlReply struct {
	Source
	Result uint8

	kind MessageID // of the answer, for the meanings
}

var controlResults = map[MessageID]meanings{
	IDMonitorCallReply:     {ControlDone: "ok", ControlFailed: "failed"},
	IDEmergencyAccessReply: {ControlDone: "the terminal got the order", EmergencyUnknown: "no such vehicle", EmergencyFailed: "other failure"},
}

func (m *ControlReply) walk(f *fields) {
	f.source(&m.Source)
	f.Code8("result", &m.Result, controlResults[m.kind])
}

var photoSizes = meanings{0: "none", 1: "320x240", 2: "640x480", 3: "800x600", 4: "1024x768", 5: "176x144", 6: "352x288",
	7: "704x288", 8: "704x576"}

// PhotoRequest is 0x9502.
type PhotoRequest struct {
	LensID   uint8 // channel of the camera
	SizeType uint8 // as the resolution of JT/T 808's 0x8801
}

func (m *PhotoRequest) walk(f *fields) {
	f.U8("lens_id", &m.LensID)
	f.Code8("size_type", &m.SizeType, photoSizes)
}

// Flags of PhotoReply. Real photos come with PhotoUnsupported as well: the content counts.
const (
	PhotoUnsupported uint8 = 0
	PhotoDone        uint8 = 1
	PhotoLater       uint8 = 2
	PhotoOffline     uint8 = 3
	PhotoNoLens      uint8 = 4
	PhotoFailed      uint8 = 5
	PhotoWrongPlate  uint8 = 9
)

// Types of the file of PhotoReply.
const (
	PhotoJPEG uint8 = 1
	PhotoGIF  uint8 = 2
	PhotoTIFF uint8 = 3
	PhotoPNG  uint8 = 4
)

// PhotoReply is 0x1502.
type PhotoReply struct {
	Source
	PhotoRspFlag uint8
	Location     Location // where it was taken
	LensID       uint8
	SizeType     uint8 // 0 where there is no photo, as Type
	Type         uint8
	Photo        []byte
	Short        bool // of 2019, with the 36 bytes of 2011 as position
}

func (m *PhotoReply) walk(f *fields) {
	f.source(&m.Source)
	f.Code8("photo_rsp_flag", &m.PhotoRspFlag, meanings{PhotoUnsupported: "not supported", PhotoDone: "done",
		PhotoLater: "done, photo follows later", PhotoOffline: "not done, off-line", PhotoNoLens: "not done, lens unusable",
		PhotoFailed: "not done, other", PhotoWrongPlate: "wrong plate"})
	short := !f.has(FeaturePosition2019)
	if !short {
		short = f.variant("short_position", &m.Short, !f.photoFits() && f.lengthFits(gnssSize+1, 2))
	}
	if short {
		f.gnss36("location", &m.Location)
	} else {
		f.position("location", &m.Location)
	}
	f.U8("lens_id", &m.LensID)
	n := f.Uint("photo_len", 4, uint64(len(m.Photo)))
	f.Code8("size_type", &m.SizeType, photoSizes)
	f.Code8("type", &m.Type, meanings{0: "none", PhotoJPEG: "jpg", PhotoGIF: "gif", PhotoTIFF: "tiff", PhotoPNG: "png"})
	f.sized("photo", n, &m.Photo)
}

// Priorities of VehicleText.
const (
	TextUrgent uint8 = 0
	TextNormal uint8 = 1
)

// VehicleText is 0x9503.
type VehicleText struct {
	MsgSequence uint32 // of this text
	MsgPriority uint8
	MsgContent  Text // at most 1024 bytes
}

func (m *VehicleText) walk(f *fields) {
	f.U32("msg_sequence", &m.MsgSequence)
	f.Code8("msg_priority", &m.MsgPriority, meanings{TextUrgent: "urgent", TextNormal: "normal"})
	f.TextLoose("msg_length", "msg_content", 4, &m.MsgContent)
}

// VehicleTextReply is 0x1503: did the text reach the vehicle?
type VehicleTextReply struct {
	MsgID uint32 // the sequence of the text; not in 2019, where Source says it
	Source
	Result uint8
}

func (m *VehicleTextReply) walk(f *fields) {
	if !f.has(FeatureSource) {
		f.U32("msg_id", &m.MsgID)
	}
	f.source(&m.Source)
	f.Code8("result", &m.Result, meanings{ControlDone: "sent", ControlFailed: "failed"})
}

// recorderCommands are the command words of GB/T 19056. 809 numbers those from 10 on in decimal in its table, and means
// the hexadecimal words.
var recorderCommands = meanings{0x00: "version", 0x01: "driver", 0x02: "clock", 0x03: "total mileage", 0x04: "pulse factor",
	0x05: "vehicle", 0x06: "signal set-up", 0x07: "unique number", 0x08: "driving speed", 0x09: "positions", 0x10: "accidents",
	0x11: "overtime driving", 0x12: "driver log-ins", 0x13: "power", 0x14: "parameter changes", 0x15: "speed status log"}

// Layouts of RecorderRequest; their numbers are their lengths.
const (
	recorderCommand = 1  // 2013: the command alone
	recorderBCD     = 15 // 2013: with a period and a count
	recorderPeriod  = 16 // 2011: a period alone
	recorderBoth    = 17 // 2019
)

// RecorderRequest is 0x9504: data of the driving recorder (GB/T 19056).
type RecorderRequest struct {
	StartTime   Seconds
	EndTime     Seconds
	CommandType uint8  // not in 2011
	MaxRecords  uint16 // data blocks wanted; of 2013 with a period only
	// Layout is the length of the data where they have another layout than the edition's: 1, 15, 16 or 17. 0 is the
	// edition's own: in 2013 that is 15 where a period is set, else 1.
	Layout uint16
}

// usual is the length of the edition's layout.
func (m *RecorderRequest) usual(f *fields) int {
	switch {
	case !f.has(FeatureRecorderPeriod):
		return recorderPeriod
	case f.has(FeatureSource):
		return recorderBoth
	case f.Mode == wire.Decoding:
		return recorderCommand
	case m.StartTime != 0 || m.EndTime != 0 || m.MaxRecords != 0, f.Mode == wire.Filling && f.More("start_time", false):
		return recorderBCD
	}
	return recorderCommand
}

func (m *RecorderRequest) walk(f *fields) {
	size := f.layoutSize(&m.Layout, m.usual(f), recorderCommand, recorderBCD, recorderPeriod, recorderBoth)
	if size <= recorderBCD {
		f.Code8("command_type", &m.CommandType, recorderCommands)
	}
	if size == recorderCommand {
		return
	}
	if size == recorderBCD {
		f.bcdTime("start_time", &m.StartTime)
		f.bcdTime("end_time", &m.EndTime)
		f.U16("max_records", &m.MaxRecords)
		return
	}
	f.seconds("start_time", &m.StartTime)
	f.seconds("end_time", &m.EndTime)
	if size == recorderBoth {
		f.Code8("command_type", &m.CommandType, recorderCommands)
	}
}

// Lengths of 0x1504 without the recorder's data.
const (
	recorderReply2011 = 4
	recorderReply2013 = 5
	recorderReply2019 = 11
)

// RecorderReply is 0x1504.
type RecorderReply struct {
	Source
	CommandType    uint8  // as asked; not in 2011
	TraveldataInfo []byte // the recorder's answer by GB/T 19056, from 55 7A on
	// Layout is the length of the data without the recorder's where they have another layout than the edition's: 4 as in
	// 2011, 5 as in 2013, 11 as in 2019. 0 is the edition's own.
	Layout uint16
}

func (m *RecorderReply) walk(f *fields) {
	usual := recorderReply2011
	switch {
	case f.has(FeatureSource):
		usual = recorderReply2019
	case f.has(FeatureRecorderPeriod):
		usual = recorderReply2013
	}
	size := f.textLayout(&m.Layout, usual, recorderReply2011, recorderReply2013, recorderReply2019)
	if size == recorderReply2019 {
		f.sourceFields(&m.Source)
	}
	if size >= recorderReply2013 {
		f.Code8("command_type", &m.CommandType, recorderCommands)
	}
	f.BytesLen("traveldata_length", "traveldata_info", 4, &m.TraveldataInfo)
}

// EmergencyAccess is 0x9505: the terminal is to leave for the platform of a regulator. The standard's name for it begins
// with UP_; it goes down.
type EmergencyAccess struct {
	AuthenticationCode [10]byte // for JT/T 808 there
	AccessPointName    Text     // 20 bytes; of CDMA the number to dial
	Username           Text     // 49 bytes; of the dial-up
	Password           Text     // 22 bytes
	ServerIP           Text     // 32 bytes; address or name
	TCPPort            uint16
	UDPPort            uint16
	EndTime            Seconds // 0: for good
}

func (m *EmergencyAccess) walk(f *fields) {
	f.Array("authentication_code", m.AuthenticationCode[:])
	f.Text("access_point_name", 20, zeroEnd, &m.AccessPointName)
	f.Text("username", 49, zeroEnd, &m.Username)
	f.Text("password", 22, zeroEnd, &m.Password)
	f.Text("server_ip", 32, zeroEnd, &m.ServerIP)
	f.U16("tcp_port", &m.TCPPort)
	f.U16("udp_port", &m.UDPPort)
	f.seconds("end_time", &m.EndTime)
}

// photoFits reports, when decoding, whether the lengths of a 0x1502 of 2019 fit its data, from the position on.
func (f *fields) photoFits() bool {
	if f.Mode != wire.Decoding {
		return false
	}
	n, ok := size2019(f.Rest())
	return ok && f.lengthFits(n+1, 2)
}
