package jt808

import wire "lushao/ingest/fields"

// The parameters of JT/T 1078-2016.

// VideoQuality is how one stream is coded.
type VideoQuality struct {
	Mode        uint8 // 0 CBR, 1 VBR, 2 ABR
	Resolution  uint8
	KeyInterval uint16 // frames
	FPS         uint8
	Bitrate     uint32 // kbit/s
}

var (
	rateModes   = meanings{0: "CBR", 1: "VBR", 2: "ABR"}
	resolutions = meanings{0: "QCIF", 1: "CIF", 2: "WCIF", 3: "D1", 4: "WD1", 5: "720P", 6: "1080P"}
)

func (m *VideoQuality) walk(f *fields, prefix string) {
	f.Code8(prefix+"_mode", &m.Mode, rateModes)
	f.Code8(prefix+"_resolution", &m.Resolution, resolutions)
	f.U16(prefix+"_key_interval", &m.KeyInterval)
	f.U8(prefix+"_fps", &m.FPS)
	f.U32(prefix+"_bitrate", &m.Bitrate)
}

// AVParams is parameter 0x0075.
type AVParams struct {
	Live, Store VideoQuality
	OSD         uint16 // bit 0 time, 1 plate, 2 channel, 3 place, 4 recorder speed, 5 GNSS speed, 6 driving time
	AudioOut    uint8
}

func (m *AVParams) walk(f *fields) {
	m.Live.walk(f, "live")
	m.Store.walk(f, "store")
	f.U16("osd", &m.OSD)
	f.Code8("audio_out", &m.AudioOut, meanings{0: "off", 1: "on"})
}

// AVChannels is parameter 0x0076. The three counts are those of the channels by kind.
type AVChannels struct {
	AV, Audio, Video uint8
	Channels         []AVChannel
}

// AVChannel is a channel of AVChannels.
type AVChannel struct {
	Physical uint8
	Logical  uint8
	Kind     uint8 // 0 audio and video, 1 audio, 2 video
	PTZ      uint8
}

func (m *AVChannels) walk(f *fields) {
	f.U8("av_count", &m.AV)
	f.U8("audio_count", &m.Audio)
	f.U8("video_count", &m.Video)
	wire.ListRest(f, "channels", &m.Channels, func(f *fields, c *AVChannel) {
		f.U8("physical", &c.Physical)
		f.U8("logical", &c.Logical)
		f.Code8("kind", &c.Kind, avKinds)
		f.Code8("ptz", &c.PTZ, meanings{0: "no", 1: "yes"})
	})
}

// ChannelVideoList is parameter 0x0077.
type ChannelVideoList struct{ Channels []ChannelVideo }

// ChannelVideo is how a channel is coded.
type ChannelVideo struct {
	Logical     uint8
	Live, Store VideoQuality
	OSD         uint16
}

func (m *ChannelVideoList) walk(f *fields) {
	wire.List(f, "count", "channels", 1, &m.Channels, func(f *fields, c *ChannelVideo) {
		f.U8("logical", &c.Logical)
		c.Live.walk(f, "live")
		c.Store.walk(f, "store")
		f.U16("osd", &c.OSD)
	})
}

// SpecialRecording is parameter 0x0079.
type SpecialRecording struct {
	Threshold  uint8 // % of the main storage
	MaxMinutes uint8
	PreMinutes uint8
}

func (m *SpecialRecording) walk(f *fields) {
	f.U8("storage_threshold", &m.Threshold)
	f.U8("max_minutes", &m.MaxMinutes)
	f.U8("pre_minutes", &m.PreMinutes)
}

// VideoAnalysis is parameter 0x007B.
type VideoAnalysis struct {
	PassengerLimit   uint8 // more than this is overcrowding
	FatigueThreshold uint8
}

func (m *VideoAnalysis) walk(f *fields) {
	f.U8("passenger_limit", &m.PassengerLimit)
	f.U8("fatigue_threshold", &m.FatigueThreshold)
}

// SleepWake is parameter 0x007C.
type SleepWake struct {
	Mode      uint8 // bit 0 by condition, 1 timed, 2 manual
	Condition uint8 // bit 0 emergency, 1 collision, 2 door
	Days      uint8 // bit 0 Monday
	Periods   uint8 // bit 0 to 3
	Times     [4]struct{ Wake, Close [2]byte }
}

func (m *SleepWake) walk(f *fields) {
	f.U8("wake_mode", &m.Mode)
	f.U8("wake_condition", &m.Condition)
	f.U8("wake_days", &m.Days)
	f.U8("periods_enabled", &m.Periods)
	for i := range m.Times {
		digit := string(rune('1' + i))
		f.Array("wake"+digit, m.Times[i].Wake[:])
		f.Array("close"+digit, m.Times[i].Close[:])
	}
}
