package jt808

import wire "lushao/ingest/fields"

// The messages of JT/T 1078-2016 on the 808 link.

var (
	avKinds      = meanings{0: "audio and video", 1: "audio", 2: "video", 3: "video or audio and video"}
	streamKinds  = meanings{0: "all", 1: "main", 2: "sub"}
	liveStreams  = meanings{0: "main", 1: "sub"}
	storageKinds = meanings{0: "all", 1: "main", 2: "disaster backup"}
	codecs       = meanings{0: "reserved", 1: "G.721", 2: "G.722", 3: "G.723", 4: "G.728", 5: "G.729", 6: "G.711A",
		7: "G.711U", 8: "G.726", 9: "G.729A", 10: "DVI4_3", 11: "DVI4_4", 12: "DVI4_8K", 13: "DVI4_16K", 14: "LPC",
		15: "S16BE_STEREO", 16: "S16BE_MONO", 17: "MPEGAUDIO", 18: "LPCM", 19: "AAC", 20: "WMA9STD", 21: "HEAAC",
		22: "PCM_VOICE", 23: "PCM_AUDIO", 24: "AACLC", 25: "MP3", 26: "ADPCMA", 27: "MP4AUDIO", 28: "AMR",
		91: "pass-through", 98: "H.264", 99: "H.265", 100: "AVS", 101: "SVAC"}
)

// AVAttributes is 0x1003.
type AVAttributes struct {
	AudioCodec       uint8
	AudioTracks      uint8
	SampleRate       uint8
	SampleBits       uint8
	AudioFrameLen    uint16
	AudioOut         uint8
	VideoCodec       uint8
	MaxAudioChannels uint8
	MaxVideoChannels uint8
}

func (m *AVAttributes) walk(f *fields) {
	f.Code8("audio_codec", &m.AudioCodec, codecs)
	f.U8("audio_tracks", &m.AudioTracks)
	f.Code8("sample_rate", &m.SampleRate, meanings{0: "8 kHz", 1: "22.05 kHz", 2: "44.1 kHz", 3: "48 kHz"})
	f.Code8("sample_bits", &m.SampleBits, meanings{0: "8 bit", 1: "16 bit", 2: "32 bit"})
	f.U16("audio_frame_len", &m.AudioFrameLen)
	f.Code8("audio_out", &m.AudioOut, meanings{0: "no", 1: "yes"})
	f.Code8("video_codec", &m.VideoCodec, codecs)
	f.U8("max_audio_channels", &m.MaxAudioChannels)
	f.U8("max_video_channels", &m.MaxVideoChannels)
}

// PassengerFlow is 0x1005.
type PassengerFlow struct {
	Start, End          Time
	Boarding, Alighting uint16
}

func (m *PassengerFlow) walk(f *fields) {
	f.time("start_time", &m.Start)
	f.time("end_time", &m.End)
	f.U16("boarding", &m.Boarding)
	f.U16("alighting", &m.Alighting)
}

// StartStream is 0x9101.
type StartStream struct {
	IP               Text
	TCPPort, UDPPort uint16 // 0 unused
	Channel          uint8
	DataType         uint8
	Stream           uint8 // 0 main, 1 sub
}

func (m *StartStream) walk(f *fields) {
	f.TextLen("ip_len", "ip", 1, &m.IP)
	f.U16("tcp_port", &m.TCPPort)
	f.U16("udp_port", &m.UDPPort)
	f.U8("channel", &m.Channel)
	f.Code8("data_type", &m.DataType, meanings{0: "audio and video", 1: "video", 2: "two-way talk", 3: "listen",
		4: "broadcast", 5: "pass-through"})
	f.Code8("stream", &m.Stream, liveStreams)
}

// ControlStream is 0x9102.
type ControlStream struct {
	Channel uint8
	Command uint8
	Close   uint8
	Stream  uint8
}

func (m *ControlStream) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.Code8("command", &m.Command, meanings{0: "close", 1: "switch stream", 2: "pause", 3: "resume", 4: "close two-way talk"})
	f.Code8("close_kind", &m.Close, meanings{0: "both", 1: "audio only", 2: "video only"})
	f.Code8("stream", &m.Stream, liveStreams)
}

// StreamStatus is 0x9105.
type StreamStatus struct {
	Channel uint8
	Loss    uint8 // % of packets
}

func (m *StreamStatus) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.U8("loss", &m.Loss)
}

// QueryResources is 0x9205.
type QueryResources struct {
	Channel    uint8 // 0 all
	Start, End Time  // zero: no limit
	AlarmMask  uint64
	Type       uint8
	Stream     uint8
	Storage    uint8
}

func (m *QueryResources) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.time("start_time", &m.Start)
	f.time("end_time", &m.End)
	f.U64("alarm_mask", &m.AlarmMask)
	f.Code8("media_type", &m.Type, avKinds)
	f.Code8("stream", &m.Stream, streamKinds)
	f.Code8("storage", &m.Storage, storageKinds)
}

// ResourceList is 0x1205. Its count is that of all sub-packages: reassemble, then decode.
type ResourceList struct {
	Serial uint16 // of the 0x9205 or 0x9201
	Items  []Resource
}

// Resource is a recording of ResourceList.
type Resource struct {
	QueryResources
	Size uint32 // bytes
}

func (m *ResourceList) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	wire.List(f, "count", "items", 4, &m.Items, func(f *fields, r *Resource) {
		r.QueryResources.walk(f)
		f.U32("file_size", &r.Size)
	})
}

// StartPlayback is 0x9201.
type StartPlayback struct {
	IP               Text
	TCPPort, UDPPort uint16 // 0 unused
	Channel          uint8
	Type             uint8
	Stream           uint8
	Storage          uint8
	Mode             uint8
	Speed            uint8
	Start, End       Time
}

var playSpeeds = meanings{0: "invalid", 1: "x1", 2: "x2", 3: "x4", 4: "x8", 5: "x16"}

func (m *StartPlayback) walk(f *fields) {
	f.TextLen("ip_len", "ip", 1, &m.IP)
	f.U16("tcp_port", &m.TCPPort)
	f.U16("udp_port", &m.UDPPort)
	f.U8("channel", &m.Channel)
	f.Code8("media_type", &m.Type, avKinds)
	f.Code8("stream", &m.Stream, streamKinds)
	f.Code8("storage", &m.Storage, storageKinds)
	f.Code8("mode", &m.Mode, meanings{0: "normal", 1: "fast forward", 2: "key-frame rewind", 3: "key-frame play", 4: "single frame"})
	f.Code8("speed", &m.Speed, playSpeeds)
	f.time("start_time", &m.Start)
	f.time("end_time", &m.End)
}

// ControlPlayback is 0x9202.
type ControlPlayback struct {
	Channel  uint8
	Command  uint8
	Speed    uint8
	Position Time // of command 5
}

func (m *ControlPlayback) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.Code8("command", &m.Command, meanings{0: "start", 1: "pause", 2: "end", 3: "fast forward", 4: "key-frame rewind",
		5: "drag", 6: "key-frame play"})
	f.Code8("speed", &m.Speed, playSpeeds)
	f.time("position", &m.Position)
}

// UploadFile is 0x9206.
type UploadFile struct {
	Host       Text
	Port       uint16
	User       Text
	Password   Text
	Path       Text
	Query      QueryResources
	Conditions uint8 // bit 0 Wi-Fi, 1 LAN, 2 mobile
}

func (m *UploadFile) walk(f *fields) {
	f.TextLen("host_len", "host", 1, &m.Host)
	f.U16("port", &m.Port)
	f.TextLen("user_len", "user", 1, &m.User)
	f.TextLen("password_len", "password", 1, &m.Password)
	f.TextLen("path_len", "path", 1, &m.Path)
	m.Query.walk(f)
	f.U8("conditions", &m.Conditions)
}

// FileUploaded is 0x1206.
type FileUploaded struct {
	Serial uint16 // of the 0x9206
	Result uint8
}

func (m *FileUploaded) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.Code8("result", &m.Result, meanings{0: "ok", 1: "failed"})
}

// ControlUpload is 0x9207.
type ControlUpload struct {
	Serial  uint16 // of the 0x9206
	Command uint8
}

func (m *ControlUpload) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.Code8("command", &m.Command, meanings{0: "pause", 1: "continue", 2: "cancel"})
}

// PTZRotate is 0x9301.
type PTZRotate struct {
	Channel   uint8
	Direction uint8
	Speed     uint8
}

func (m *PTZRotate) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.Code8("direction", &m.Direction, meanings{0: "stop", 1: "up", 2: "down", 3: "left", 4: "right"})
	f.U8("speed", &m.Speed)
}

// PTZAdjust is 0x9302 focus, 0x9303 aperture and 0x9306 zoom: 0 larger, 1 smaller.
type PTZAdjust struct{ Channel, Value uint8 }

func (m *PTZAdjust) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.Code8("value", &m.Value, meanings{0: "larger", 1: "smaller"})
}

// PTZSwitch is 0x9304 wiper and 0x9305 infrared light: 0 stop, 1 start.
type PTZSwitch struct{ Channel, Value uint8 }

func (m *PTZSwitch) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.Code8("value", &m.Value, meanings{0: "stop", 1: "start"})
}
