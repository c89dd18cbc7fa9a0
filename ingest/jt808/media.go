package jt808

import wire "lushao/ingest/fields"

const mediaHeadSize = 8

var (
	mediaTypes   = meanings{0: "image", 1: "audio", 2: "video"}
	mediaFormats = meanings{0: "JPEG", 1: "TIF", 2: "MP3", 3: "WAV", 4: "WMV"}
	mediaEvents  = meanings{0: "platform order", 1: "timed", 2: "robbery alarm", 3: "collision/rollover alarm",
		4: "door opened", 5: "door closed", 6: "door closed and speed above 20 km/h", 7: "by distance"}
	keepDelete = meanings{0: "keep", 1: "delete"}
)

// MediaHead says what a piece of media is. It is the body of 0x0800.
type MediaHead struct {
	ID      uint32 // > 0
	Type    uint8  // 0 image, 1 audio, 2 video
	Format  uint8
	Event   uint8
	Channel uint8
}

func (m *MediaHead) walk(f *fields) {
	f.U32("media_id", &m.ID)
	f.Code8("media_type", &m.Type, mediaTypes)
	f.Code8("format", &m.Format, mediaFormats)
	f.Code8("event", &m.Event, mediaEvents)
	f.U8("channel", &m.Channel)
}

// MediaData is 0x0801. Only its first sub-package has the head: reassemble, then decode.
type MediaData struct {
	MediaHead
	Location Location // where it was recorded, without additional items; not in 2011
	Data     []byte
}

func (m *MediaData) walk(f *fields) {
	m.MediaHead.walk(f)
	if f.has(FeatureMediaLocation) {
		f.locationBase("location", &m.Location)
	}
	f.BytesRest("data", &m.Data)
}

// MediaAck is 0x8800. When everything arrived it is the id alone.
type MediaAck struct {
	ID       uint32
	Packages []uint16 // to be sent again, at most 125
}

func (m *MediaAck) walk(f *fields) {
	f.U32("media_id", &m.ID)
	if f.More("pkg_ids", len(m.Packages) > 0) {
		wire.Numbers(f, "count", "pkg_ids", 1, 2, &m.Packages)
	}
}

// Shoot is 0x8801.
type Shoot struct {
	Channel    uint8
	Command    uint16 // 0 stop, 0xFFFF video, else the count of photos
	Interval   uint16 // s
	Save       uint8  // 1 store, 0 upload at once
	Resolution uint8
	Quality    uint8 // 1 least loss, 10 most compression
	Brightness uint8
	Contrast   uint8 // 0 to 127
	Saturation uint8 // 0 to 127
	Chroma     uint8
}

func (m *Shoot) walk(f *fields) {
	f.U8("channel", &m.Channel)
	f.U16("command", &m.Command)
	f.U16("interval", &m.Interval)
	f.Code8("save_flag", &m.Save, meanings{0: "upload at once", 1: "store"})
	f.Code8("resolution", &m.Resolution, meanings{0: "lowest", 1: "320x240", 2: "640x480", 3: "800x600", 4: "1024x768",
		5: "176x144", 6: "352x288", 7: "704x288", 8: "704x576", 0xFF: "highest"})
	f.U8("quality", &m.Quality)
	f.U8("brightness", &m.Brightness)
	f.U8("contrast", &m.Contrast)
	f.U8("saturation", &m.Saturation)
	f.U8("chroma", &m.Chroma)
}

// ShootReply is 0x0805.
type ShootReply struct {
	Serial uint16 // of the 0x8801
	Result uint8
	Media  []uint32 // only when the result is 0
}

func (m *ShootReply) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.Code8("result", &m.Result, meanings{0: "ok", 1: "failed", 2: "channel not supported"})
	if m.Result == 0 {
		wire.Numbers(f, "count", "media_ids", 2, 4, &m.Media)
	}
}

// MediaSearch is what 0x8802 asks for and 0x8803 orders.
type MediaSearch struct {
	Type       uint8
	Channel    uint8 // 0 all
	Event      uint8
	Start, End Time // both zero: no limit
}

func (m *MediaSearch) walk(f *fields) {
	f.Code8("media_type", &m.Type, mediaTypes)
	f.U8("channel", &m.Channel)
	f.Code8("event", &m.Event, mediaEvents)
	f.time("start_time", &m.Start)
	f.time("end_time", &m.End)
}

// UploadMedia is 0x8803.
type UploadMedia struct {
	MediaSearch
	Delete uint8 // 0 keep, 1 delete after the upload
}

func (m *UploadMedia) walk(f *fields) {
	m.MediaSearch.walk(f)
	f.Code8("delete_flag", &m.Delete, keepDelete)
}

// UploadMediaItem is 0x8805.
type UploadMediaItem struct {
	ID     uint32
	Delete uint8
}

func (m *UploadMediaItem) walk(f *fields) {
	f.U32("media_id", &m.ID)
	f.Code8("delete_flag", &m.Delete, keepDelete)
}

// RecordSound is 0x8804.
type RecordSound struct {
	Command uint8  // 0 stop, 1 start
	Seconds uint16 // 0 record on
	Save    uint8
	Rate    uint8
}

func (m *RecordSound) walk(f *fields) {
	f.Code8("command", &m.Command, meanings{0: "stop", 1: "start"})
	f.U16("seconds", &m.Seconds)
	f.Code8("save_flag", &m.Save, meanings{0: "upload at once", 1: "store"})
	f.Code8("sample_rate", &m.Rate, meanings{0: "8K", 1: "11K", 2: "23K", 3: "32K"})
}

// StoredMediaList is 0x0802. Its count is that of all sub-packages: reassemble, then decode.
type StoredMediaList struct {
	Serial uint16 // of the 0x8802
	Items  []StoredMedia
}

// StoredMedia is an item of StoredMediaList.
type StoredMedia struct {
	ID       uint32 // not in 2011
	Type     uint8
	Channel  uint8
	Event    uint8
	Location Location // at the start of the recording, without additional items
}

func (m *StoredMediaList) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	wire.List(f, "count", "items", 2, &m.Items, func(f *fields, i *StoredMedia) {
		if f.has(FeatureMediaLocation) {
			f.U32("media_id", &i.ID)
		}
		f.Code8("media_type", &i.Type, mediaTypes)
		f.U8("channel", &i.Channel)
		f.Code8("event", &i.Event, mediaEvents)
		f.locationBase("location", &i.Location)
	})
}

// mediaItems2011 reports whether the items of 0x0802 have the 31 bytes of 2011, not 35.
func mediaItems2011(body []byte) bool {
	if len(body) < 4 {
		return false
	}
	n := int(be16(body[2:]))
	return n > 0 && len(body)-4 == 31*n
}
