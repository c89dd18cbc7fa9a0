package jt808

import (
	"fmt"

	wire "lushao/ingest/fields"
)

// The messages of T/JSATL 12-2017 about the attachments of alarms, and their files.

// OrderAttachments is 0x9208.
type OrderAttachments struct {
	IP               Text
	TCPPort, UDPPort uint16
	Mark             AlarmMark // copied from the alarm
	AlarmNo          Text      // 32 bytes, unique on the platform
	Reserved         [16]byte
	Long             bool // the mark is that of T/GDRTA 002-2020
}

func (m *OrderAttachments) walk(f *fields) {
	const tail = 32 + 16
	f.TextLen("ip_len", "ip", 1, &m.IP)
	f.U16("tcp_port", &m.TCPPort)
	f.U16("udp_port", &m.UDPPort)
	if f.Mode == wire.Decoding {
		m.Long = f.Left() == markSizeLong+tail || f.Left() != markSize+tail && f.has(FeatureLongIDs)
	}
	f.mark(&m.Mark, m.Long)
	f.Text("alarm_no", 32, zeroEnd, &m.AlarmNo)
	f.Array("reserved", m.Reserved[:])
}

// Attachments is 0x1210.
type Attachments struct {
	TerminalID Text // 7 bytes; 30 in T/GDRTA 002
	Mark       AlarmMark
	AlarmNo    Text  // 32 bytes
	InfoType   uint8 // 0 normal, 1 supplement
	Files      []Attachment
	Long       bool // as in T/GDRTA 002-2020
}

// Attachment is a file of Attachments.
type Attachment struct {
	Name Text
	Size uint32 // bytes
}

func (m *Attachments) walk(f *fields) {
	if f.Mode == wire.Decoding {
		b := f.B[f.At:f.End]
		// T/GDRTA 002 is built on 2019: its layout is meant where neither ends at the end of the body.
		m.Long = !attachmentsFit(b, 7+markSize) && (attachmentsFit(b, 30+markSizeLong) || f.has(FeatureLongIDs))
	}
	id := 7
	if m.Long {
		id = 30
	}
	f.Text("terminal_id", id, zeroEnd, &m.TerminalID)
	f.mark(&m.Mark, m.Long)
	f.Text("alarm_no", 32, zeroEnd, &m.AlarmNo)
	f.Code8("info_type", &m.InfoType, meanings{0: "normal", 1: "supplement"})
	wire.List(f, "count", "files", 1, &m.Files, func(f *fields, a *Attachment) {
		f.TextLen("name_len", "name", 1, &a.Name)
		f.U32("size", &a.Size)
	})
}

// attachmentsFit reports whether the list of files behind a head of that size ends exactly at the end of the body.
func attachmentsFit(b []byte, head int) bool {
	at := head + 32 + 1
	if at >= len(b) {
		return false
	}
	n := int(b[at])
	at++
	for ; n > 0 && at < len(b); n-- {
		at += 1 + int(b[at]) + 4
	}
	return n == 0 && at == len(b)
}

var fileTypes = meanings{0: "image", 1: "audio", 2: "video", 3: "text", 4: "other"}

// FileInfo is 0x1211 before a file, and 0x1212 after it.
type FileInfo struct {
	Name Text
	Type uint8
	Size uint32 // bytes
}

func (m *FileInfo) walk(f *fields) {
	f.TextLen("name_len", "name", 1, &m.Name)
	f.Code8("file_type", &m.Type, fileTypes)
	f.U32("size", &m.Size)
}

// FileDoneReply is 0x9212.
type FileDoneReply struct {
	Name    Text
	Type    uint8
	Result  uint8 // 0 complete, 1 supplement needed
	Missing []FilePart
}

// FilePart is a part of a file that did not arrive.
type FilePart struct{ Offset, Len uint32 }

func (m *FileDoneReply) walk(f *fields) {
	f.TextLen("name_len", "name", 1, &m.Name)
	f.Code8("file_type", &m.Type, fileTypes)
	f.Code8("result", &m.Result, meanings{0: "complete", 1: "supplement needed"})
	wire.List(f, "count", "missing", 1, &m.Missing, func(f *fields, p *FilePart) {
		f.U32("offset", &p.Offset)
		f.U32("len", &p.Len)
	})
}

// FileStreamMagic begins a packet of a file, in the place of a delimiter: 30 31 63 64.
const FileStreamMagic uint32 = 0x30316364

const fileStreamHead = 62

// FileStream is a packet of a file on the link of the attachments: no delimiters, no escapes, no acknowledgement.
type FileStream struct {
	Name   Text // 50 bytes
	Offset uint32
	Data   []byte
}

// DecodeFileStream reads the first packet of b. n is its length; when b has not all of it, n is 0 with need the bytes that
// b must have at least. The data alias b. The caller bounds need: 64 KiB of data are usual.
func DecodeFileStream(b []byte, m *FileStream) (n, need int, err error) {
	if len(b) < fileStreamHead {
		return 0, fileStreamHead, nil
	}
	if be32(b) != FileStreamMagic {
		return 0, 0, &Error{ErrValue, "magic", 0, fmt.Sprintf("0x%08x, want 0x%08x", be32(b), FileStreamMagic)}
	}
	size := int64(fileStreamHead) + int64(be32(b[58:]))
	if int64(len(b)) < size {
		return 0, int(size), nil
	}
	m.Name = Text(b[4:54])
	m.Offset = be32(b[54:])
	m.Data = b[fileStreamHead:size:size]
	return int(size), 0, nil
}

// AppendFileStream appends the packet.
func AppendFileStream(dst []byte, m *FileStream) []byte {
	f := fields{Walker: wire.Writer(wire.AppendUint(dst, 4, uint64(FileStreamMagic)))}
	f.Text("name", 50, zeroEnd, &m.Name)
	f.U32("offset", &m.Offset)
	f.BytesLen("len", "data", 4, &m.Data)
	return f.Out
}

// StateBlock is 64 bytes of the vehicle state record that comes with an alarm as a file of type 3.
type StateBlock struct {
	Total, Index  uint32
	Alarm, Status uint32 // as in Location
	Lat, Lon      uint32 // 1e-6 degree
	Altitude      int16  // m
	Speed         uint16 // 0.1 km/h
	Direction     uint16
	Time          Time
	Acceleration  [3]int16 // 0.01 g
	Gyro          [3]int16 // 0.01 °/s
	PulseSpeed    uint16   // 0.1 km/h
	OBDSpeed      uint16   // 0.1 km/h
	Gear          uint8
	Accelerator   uint8 // %
	BrakePedal    uint8 // %
	Brake         uint8
	RPM           uint16
	Steering      int16 // degrees, clockwise
	TurnSignal    uint8
	Reserved      [2]byte
}

// StateBlockSize is the length of a StateBlock in bytes.
const StateBlockSize = 64

func (m *StateBlock) walk(f *fields) {
	start, out := f.At, len(f.Out)
	f.U32("total", &m.Total)
	f.U32("index", &m.Index)
	f.U32("alarm", &m.Alarm)
	f.U32("status", &m.Status)
	f.Degrees("lat", &m.Lat, m.Status&StatusSouth != 0)
	f.Degrees("lon", &m.Lon, m.Status&StatusWest != 0)
	f.i16("altitude", &m.Altitude)
	f.U16("speed", &m.Speed)
	f.U16("direction", &m.Direction)
	f.time("time", &m.Time)
	for i, name := range [...]string{"acc_x", "acc_y", "acc_z"} {
		f.i16(name, &m.Acceleration[i])
	}
	for i, name := range [...]string{"gyro_x", "gyro_y", "gyro_z"} {
		f.i16(name, &m.Gyro[i])
	}
	f.U16("pulse_speed", &m.PulseSpeed)
	f.U16("obd_speed", &m.OBDSpeed)
	f.U8("gear", &m.Gear)
	f.U8("accelerator", &m.Accelerator)
	f.U8("brake_pedal", &m.BrakePedal)
	f.U8("brake", &m.Brake)
	f.U16("rpm", &m.RPM)
	f.i16("steering", &m.Steering)
	f.U8("turn_signal", &m.TurnSignal)
	f.Array("reserved", m.Reserved[:])
	switch f.Mode {
	case wire.Decoding:
		if f.Err != nil {
			return
		}
		want := sum(f.B[start:f.At])
		if got := byte(f.Uint("checksum", 1, 0)); got != want && f.Err == nil {
			f.FailAt(ErrChecksum, f.At-1, "checksum", fmt.Sprintf("0x%02x, want 0x%02x", got, want))
		}
	case wire.Encoding:
		f.Out = append(f.Out, sum(f.Out[out:]))
	}
}

// i16 is a number in two's complement.
func (f *fields) i16(name string, v *int16) {
	if f.Mode == wire.Describing {
		f.Int(name, int64(*v))
		return
	}
	*v = int16(f.Uint(name, 2, uint64(uint16(*v))))
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}
