package jt809

import wire "lushao/ingest/fields"

// Video between platforms, JT/T 1078-2016 clause 10: signalling only, no media goes over these links.

// Results of the messages of JT/T 1078.
const (
	VideoOK           uint8 = 0
	VideoFailed       uint8 = 1
	VideoUnsupported  uint8 = 2
	VideoSessionEnded uint8 = 3
	VideoWrongToken   uint8 = 4
	VideoNotInRegion  uint8 = 5
)

var (
	videoResults = meanings{VideoOK: "ok", VideoFailed: "failed", VideoUnsupported: "not supported", VideoSessionEnded: "session ended",
		VideoWrongToken: "wrong token", VideoNotInRegion: "cross-region condition not met"}
	avTypes      = meanings{0: "audio and video", 1: "audio", 2: "video"}
	avTypesAsked = meanings{0: "audio and video", 1: "audio", 2: "video", 3: "video, or audio and video"}
	streamTypes  = meanings{0: "all", 1: "main", 2: "sub"}
	memoryTypes  = meanings{0: "all", 1: "main store", 2: "disaster store"}
)

// tokenSize is the size of a time-limited token (时效口令): letters and digits.
const tokenSize = 64

// Tokens is 0x1701: the tokens of the day.
type Tokens struct {
	PlatformID     Text // 11 bytes
	AuthorizeCode1 Text // 64 bytes; for the home region
	AuthorizeCode2 Text // 64 bytes; for other regions
}

func (m *Tokens) walk(f *fields) {
	f.platformID("platform_id", &m.PlatformID)
	f.Text("authorize_code_1", tokenSize, zeroEnd, &m.AuthorizeCode1)
	f.Text("authorize_code_2", tokenSize, zeroEnd, &m.AuthorizeCode2)
}

// TokenReply is 0x9702. The standard counts two fields and lists none; these two fit. It may be empty.
type TokenReply struct {
	PlatformID    Text // 11 bytes
	AuthorizeCode Text // 64 bytes
}

func (m *TokenReply) walk(f *fields) {
	if !f.More("platform_id", m.PlatformID != "" || m.AuthorizeCode != "") {
		return
	}
	f.platformID("platform_id", &m.PlatformID)
	f.Text("authorize_code", tokenSize, zeroEnd, &m.AuthorizeCode)
}

// VideoStart is 0x9801: live video.
type VideoStart struct {
	ChannelID     uint8 // 0 all
	AVItemType    uint8
	AuthorizeCode Text // 64 bytes
	Crossing
}

func (m *VideoStart) walk(f *fields) {
	f.U8("channel_id", &m.ChannelID)
	f.Code8("avitem_type", &m.AVItemType, avTypes)
	f.Text("authorize_code", tokenSize, zeroEnd, &m.AuthorizeCode)
	m.Crossing.walk(f)
}

// Crossing is the position of the vehicle within 5 minutes after it came into the region of who asks for its video. It is
// there in requests across regions only.
type Crossing struct {
	HasLocation bool
	Location    Location
}

func (m *Crossing) walk(f *fields) {
	if m.HasLocation = f.More("location", m.HasLocation); m.HasLocation {
		f.gnss36("location", &m.Location)
	}
}

// VideoStartReply is 0x1801: where to fetch it.
type VideoStartReply struct {
	Result     uint8
	ServerIP   Text // 32 bytes
	ServerPort uint16
}

func (m *VideoStartReply) walk(f *fields) {
	f.Code8("result", &m.Result, videoResults)
	f.Text("server_ip", 32, zeroEnd, &m.ServerIP)
	f.U16("server_port", &m.ServerPort)
}

// VideoStop is 0x9802.
type VideoStop struct {
	ChannelID  uint8
	AVItemType uint8
}

func (m *VideoStop) walk(f *fields) {
	f.U8("channel_id", &m.ChannelID)
	f.Code8("avitem_type", &m.AVItemType, avTypes)
}

// VideoResult is 0x1802, 0x1A02 and 0x1B03.
type VideoResult struct{ Result uint8 }

func (m *VideoResult) walk(f *fields) { f.Code8("result", &m.Result, videoResults) }

// Recording is an item of RecordingList and RecordingQueryReply.
type Recording struct {
	ChannelID  uint8
	StartTime  Seconds
	EndTime    Seconds
	AlarmType  uint64 // bits 0 to 31: JT/T 808's alarm word; from 32 on: video alarms of JT/T 1078
	AVItemType uint8
	StreamType uint8
	MemType    uint8
	FileSize   uint32 // bytes
}

func (m *Recording) walk(f *fields) {
	f.U8("channel_id", &m.ChannelID)
	f.seconds("start_time", &m.StartTime)
	f.seconds("end_time", &m.EndTime)
	f.U64("alarm_type", &m.AlarmType)
	f.Code8("avitem_type", &m.AVItemType, avTypesAsked)
	f.Code8("stream_type", &m.StreamType, streamTypes)
	f.Code8("mem_type", &m.MemType, memoryTypes)
	f.U32("file_size", &m.FileSize)
}

// RecordingList is 0x1901: recordings of special alarms, unasked.
type RecordingList struct{ ItemList []Recording }

func (m *RecordingList) walk(f *fields) {
	wire.List(f, "item_num", "item_list", 4, &m.ItemList, func(f *fields, i *Recording) { i.walk(f) })
}

// RecordingListReply is 0x9901.
type RecordingListReply struct {
	Result     uint8
	ItemNumber uint8 // items received
}

func (m *RecordingListReply) walk(f *fields) {
	f.Code8("result", &m.Result, videoResults)
	f.U8("item_number", &m.ItemNumber)
}

// RecordingQuery is 0x9902.
type RecordingQuery struct {
	ChannelID     uint8   // 0 all
	StartTime     Seconds // 0 no limit
	EndTime       Seconds // 0 no limit
	AlarmType     uint64  // as in Recording; 0 any
	AVItemType    uint8
	StreamType    uint8
	MemType       uint8
	AuthorizeCode Text // 64 bytes
	Crossing
}

func (m *RecordingQuery) walk(f *fields) {
	f.U8("channel_id", &m.ChannelID)
	f.seconds("start_time", &m.StartTime)
	f.seconds("end_time", &m.EndTime)
	f.U64("alarm_type", &m.AlarmType)
	f.Code8("avitem_type", &m.AVItemType, avTypesAsked)
	f.Code8("stream_type", &m.StreamType, streamTypes)
	f.Code8("mem_type", &m.MemType, memoryTypes)
	f.Text("authorize_code", tokenSize, zeroEnd, &m.AuthorizeCode)
	m.Crossing.walk(f)
}

// RecordingQueryReply is 0x1902.
type RecordingQueryReply struct {
	Result   uint8
	ItemList []Recording
}

func (m *RecordingQueryReply) walk(f *fields) {
	f.Code8("result", &m.Result, videoResults)
	wire.List(f, "item_num", "item_list", 4, &m.ItemList, func(f *fields, i *Recording) { i.walk(f) })
}

// PlaybackStart is 0x9A01.
type PlaybackStart struct {
	ChannelID         uint8
	AVItemType        uint8
	StreamType        uint8
	MemType           uint8
	PlaybackStartTime Seconds
	PlaybackEndTime   Seconds
	AuthorizeCode     Text // 64 bytes
	Crossing
}

func (m *PlaybackStart) walk(f *fields) {
	f.U8("channel_id", &m.ChannelID)
	f.Code8("avitem_type", &m.AVItemType, avTypesAsked)
	f.Code8("stream_type", &m.StreamType, streamTypes)
	f.Code8("mem_type", &m.MemType, memoryTypes)
	f.seconds("playback_start_time", &m.PlaybackStartTime)
	f.seconds("playback_end_time", &m.PlaybackEndTime)
	f.Text("authorize_code", tokenSize, zeroEnd, &m.AuthorizeCode)
	m.Crossing.walk(f)
}

// PlaybackStartReply is 0x1A01: as VideoStartReply, the result last.
type PlaybackStartReply struct {
	ServerIP   Text // 32 bytes
	ServerPort uint16
	Result     uint8
}

func (m *PlaybackStartReply) walk(f *fields) {
	f.Text("server_ip", 32, zeroEnd, &m.ServerIP)
	f.U16("server_port", &m.ServerPort)
	f.Code8("result", &m.Result, videoResults)
}

// PlaybackControl is 0x9A02.
type PlaybackControl struct {
	ControlType uint8
	FastTime    uint8   // for fast forward and rewind, else 0
	DateTime    Seconds // where to seek
}

func (m *PlaybackControl) walk(f *fields) {
	f.Code8("control_type", &m.ControlType, meanings{0: "play", 1: "pause", 2: "stop", 3: "fast forward", 4: "key-frame rewind",
		5: "seek", 6: "key-frame play"})
	f.Code8("fast_time", &m.FastTime, meanings{0: "none", 1: "x1", 2: "x2", 3: "x4", 4: "x8", 5: "x16"})
	f.seconds("date_time", &m.DateTime)
}

// DownloadStart is 0x9B01.
type DownloadStart struct {
	ChannelID     uint8
	StartTime     Seconds
	EndTime       Seconds
	AlarmType     uint64 // as in Recording
	AVItemType    uint8
	StreamType    uint8
	MemType       uint8
	FileSize      uint32 // bytes
	AuthorizeCode Text   // 64 bytes
	Crossing
}

func (m *DownloadStart) walk(f *fields) {
	f.U8("channel_id", &m.ChannelID)
	f.seconds("start_time", &m.StartTime)
	f.seconds("end_time", &m.EndTime)
	f.U64("alarm_type", &m.AlarmType)
	f.Code8("avitem_type", &m.AVItemType, avTypesAsked)
	f.Code8("stream_type", &m.StreamType, streamTypes)
	f.Code8("mem_type", &m.MemType, memoryTypes)
	f.U32("file_size", &m.FileSize)
	f.Text("authorize_code", tokenSize, zeroEnd, &m.AuthorizeCode)
	m.Crossing.walk(f)
}

// DownloadStartReply is 0x1B01.
type DownloadStartReply struct {
	Result    uint8
	SessionID uint16 // where the result is VideoOK
}

func (m *DownloadStartReply) walk(f *fields) {
	f.Code8("result", &m.Result, videoResults)
	f.U16("session_id", &m.SessionID)
}

// DownloadDone is 0x1B02: the file is ready on an FTP server.
type DownloadDone struct {
	Result    uint8
	SessionID uint16
	ServerIP  Text // 32 bytes
	TCPPort   uint16
	Username  Text // 49 bytes
	Password  Text // 22 bytes
	FilePath  Text // 200 bytes
}

func (m *DownloadDone) walk(f *fields) {
	f.Code8("result", &m.Result, videoResults)
	f.U16("session_id", &m.SessionID)
	f.Text("server_ip", 32, zeroEnd, &m.ServerIP)
	f.U16("tcp_port", &m.TCPPort)
	f.Text("username", 49, zeroEnd, &m.Username)
	f.Text("password", 22, zeroEnd, &m.Password)
	f.Text("file_path", 200, zeroEnd, &m.FilePath)
}

// DownloadDoneReply is 0x9B02. The standard's name for it begins with UP_; it goes down.
type DownloadDoneReply struct {
	Result    uint8
	SessionID uint16
}

func (m *DownloadDoneReply) walk(f *fields) {
	f.Code8("result", &m.Result, videoResults)
	f.U16("session_id", &m.SessionID)
}

// DownloadControl is 0x9B03.
type DownloadControl struct {
	SessionID uint16
	Type      uint8
}

func (m *DownloadControl) walk(f *fields) {
	f.U16("session_id", &m.SessionID)
	f.Code8("type", &m.Type, meanings{0: "pause", 1: "continue", 2: "cancel"})
}
