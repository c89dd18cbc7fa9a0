package jt808

import (
	"fmt"

	"lushao/ingest"

	wire "lushao/ingest/fields"
)

// The lengths of the alarm mark: T/JSATL 12-2017, and T/GDRTA 002-2020 with its longer terminal id.
const (
	markSize     = 16
	markSizeLong = 40
)

// AlarmMark identifies an alarm towards the attachments that belong to it (T/JSATL 12-2017; T/GDRTA 002-2020).
type AlarmMark struct {
	TerminalID  Text // 7 bytes; 30 in T/GDRTA 002
	Time        Time
	Seq         uint8 // among the alarms of a second
	Attachments uint8
	Reserved    uint16 // one byte; two in T/GDRTA 002
}

func (m *AlarmMark) walk(f *fields, long bool) {
	id, reserved := 7, 1
	if long {
		id, reserved = 30, 2
	}
	f.Text("terminal_id", id, zeroEnd, &m.TerminalID)
	f.time("time", &m.Time)
	f.U8("seq", &m.Seq)
	f.U8("attachments", &m.Attachments)
	m.Reserved = uint16(f.Uint("reserved", reserved, uint64(m.Reserved)))
}

func (f *fields) mark(m *AlarmMark, long bool) {
	if f.Mode == wire.Describing {
		f.Key("mark")
		f.Object(func() { m.walk(f, long) })
		return
	}
	m.walk(f, long)
}

// AlarmPlace is where and when an alarm of an assistance system happened.
type AlarmPlace struct {
	Speed        uint8  // km/h
	Altitude     uint16 // m
	Lat, Lon     uint32 // 1e-6 degree
	Time         Time
	VehicleState uint16 // bit 0 ACC, 1 left turn, 2 right turn, 3 wiper, 4 braking, 5 card inserted, 10 located
	Mark         AlarmMark
	Long         bool // the mark is that of T/GDRTA 002-2020
}

func (m *AlarmPlace) walk(f *fields) {
	f.U8("speed", &m.Speed)
	f.U16("altitude", &m.Altitude)
	f.Degrees("lat", &m.Lat, false)
	f.Degrees("lon", &m.Lon, false)
	f.time("time", &m.Time)
	f.U16("vehicle_state", &m.VehicleState)
	f.mark(&m.Mark, m.Long)
}

// chooseMark tells the layouts apart by the length of the item: the ids 0x64 to 0x67 carry other things on terminals
// that do not follow either standard.
func (m *AlarmPlace) chooseMark(f *fields, short, long int) {
	if f.Mode != wire.Decoding {
		return
	}
	switch f.Left() {
	case short:
	case long:
		m.Long = true
	default:
		f.Fail(ErrLength, "len", fmt.Sprintf("item of %d bytes, want %d or %d", f.Left(), short, long))
	}
}

var (
	alarmFlags = meanings{0: "not applicable", 1: "start", 2: "end"}
	alarmLevel = meanings{1: "level 1", 2: "level 2"}
	adasKinds  = meanings{1: "forward collision", 2: "lane departure", 3: "headway too short", 4: "pedestrian collision",
		5: "frequent lane change", 6: "road-sign over-limit", 7: "obstacle", 0x10: "road-sign recognition event",
		0x11: "active snapshot event", 0x12: "solid-line lane change", 0x13: "pedestrian in the passenger aisle"}
	dsmKinds = meanings{1: "fatigue", 2: "phone", 3: "smoking", 4: "distraction", 5: "driver abnormal",
		0x10: "automatic snapshot event", 0x11: "driver change event"}
	dsmKindsLong = meanings{1: "fatigue", 2: "phone", 3: "smoking", 4: "not looking ahead", 5: "driver abnormal",
		6: "camera covered", 8: "overtime driving", 0x0A: "no seat belt", 0x0B: "infrared-blocking glasses",
		0x0C: "both hands off the wheel", 0x0D: "playing with phone", 0x10: "automatic snapshot event", 0x11: "driver change event"}
	bsdKinds = meanings{1: "rear approach", 2: "left rear approach", 3: "right rear approach"}
)

// ADAS is additional item 0x64: an alarm of the driver assistance, 47 bytes, 71 in T/GDRTA 002.
type ADAS struct {
	AlarmID       uint32
	Flag          uint8 // 0 not applicable, 1 start, 2 end
	Kind          uint8
	Level         uint8
	FrontSpeed    uint8 // km/h
	FrontDistance uint8 // 100 ms
	Deviation     uint8 // 1 left, 2 right
	SignType      uint8
	SignValue     uint8
	AlarmPlace
}

func (m *ADAS) walk(f *fields) {
	m.chooseMark(f, 31+markSize, 31+markSizeLong)
	f.U32("alarm_id", &m.AlarmID)
	f.Code8("flag", &m.Flag, alarmFlags)
	f.Code8("kind", &m.Kind, adasKinds)
	f.Code8("level", &m.Level, alarmLevel)
	f.U8("front_speed", &m.FrontSpeed)
	f.U8("front_distance", &m.FrontDistance)
	f.Code8("deviation", &m.Deviation, meanings{0: "none", 1: "left", 2: "right"})
	f.Code8("sign_type", &m.SignType, meanings{0: "none", 1: "speed limit", 2: "height limit", 3: "weight limit",
		4: "no entry", 5: "no stopping"})
	f.U8("sign_value", &m.SignValue)
	m.AlarmPlace.walk(f)
}

// DSM is additional item 0x65: an alarm of the driver monitor, 47 bytes, 71 in T/GDRTA 002.
type DSM struct {
	AlarmID  uint32
	Flag     uint8
	Kind     uint8
	Level    uint8
	Fatigue  uint8 // 1 to 10
	Reserved [4]byte
	AlarmPlace
}

func (m *DSM) walk(f *fields) {
	m.chooseMark(f, 31+markSize, 31+markSizeLong)
	f.U32("alarm_id", &m.AlarmID)
	f.Code8("flag", &m.Flag, alarmFlags)
	kinds := dsmKinds
	if m.Long {
		kinds = dsmKindsLong
	}
	f.Code8("kind", &m.Kind, kinds)
	f.Code8("level", &m.Level, alarmLevel)
	f.U8("fatigue", &m.Fatigue)
	f.Array("reserved", m.Reserved[:])
	m.AlarmPlace.walk(f)
}

// BSD is additional item 0x67: an alarm of the blind-spot monitor, 41 bytes, 65 in T/GDRTA 002.
type BSD struct {
	AlarmID uint32
	Flag    uint8
	Kind    uint8
	AlarmPlace
}

func (m *BSD) walk(f *fields) {
	m.chooseMark(f, 25+markSize, 25+markSizeLong)
	f.U32("alarm_id", &m.AlarmID)
	f.Code8("flag", &m.Flag, alarmFlags)
	f.Code8("kind", &m.Kind, bsdKinds)
	m.AlarmPlace.walk(f)
}

// TPMS is additional item 0x66: an alarm of the tyre monitor, 41 bytes and 9 a tyre; T/GDRTA 002 65 and 10 a tyre.
type TPMS struct {
	AlarmID uint32
	Flag    uint8
	AlarmPlace
	Tyres []Tyre
	// WidePosition: the position of a tyre has two bytes, as the printed offsets of T/JSATL 12 want it too.
	WidePosition bool
}

// Tyre is a tyre of TPMS.
type Tyre struct {
	Position    uint16
	Kinds       uint16 // bit 0 periodic, 1 pressure high, 2 low, 3 temperature high, 4 sensor, 5 imbalance, 6 leak, 7 battery
	Pressure    uint16 // kPa
	Temperature uint16 // °C
	Battery     uint16 // %
}

func (m *TPMS) walk(f *fields) {
	if f.Mode == wire.Decoding {
		m.Long, m.WidePosition, _ = tpmsLayout(f.B[f.At:f.End])
	}
	f.U32("alarm_id", &m.AlarmID)
	f.Code8("flag", &m.Flag, alarmFlags)
	m.AlarmPlace.walk(f)
	size := 1
	if m.WidePosition {
		size = 2
	}
	wire.List(f, "count", "tyres", 1, &m.Tyres, func(f *fields, t *Tyre) {
		t.Position = uint16(f.Uint("position", size, uint64(t.Position)))
		f.U16("kinds", &t.Kinds)
		f.U16("pressure", &t.Pressure)
		f.U16("temperature", &t.Temperature)
		f.U16("battery", &t.Battery)
	})
	if f.Mode == wire.Decoding && f.Left() != 0 {
		f.Fail(ErrLength, "len", fmt.Sprintf("item of %d bytes fits no count of tyres", f.End))
	}
}

// tpmsLayout finds the layout that the length of the item fits exactly.
func tpmsLayout(b []byte) (long, wide, ok bool) {
	for _, m := range [...]struct {
		long, wide bool
		head, tyre int
	}{{false, false, 40, 9}, {true, true, 64, 10}, {false, true, 40, 10}, {true, false, 64, 9}} {
		if len(b) > m.head && len(b) == m.head+1+int(b[m.head])*m.tyre {
			return m.long, m.wide, true
		}
	}
	return false, false, false
}

// SafetyAlarm is an alarm of an assistance system in the words of the rule book, and its own time.
type SafetyAlarm struct {
	ingest.Safety
	Time Time
}

var (
	adasWords = meanings{1: "forward", 2: "lane", 3: "distance", 4: "pedestrian", 5: "lane_change", 6: "sign",
		7: "obstacle", 0x10: "sign_event", 0x11: "snapshot"}
	adasWordsLong = meanings{0x12: "solid_line", 0x13: "aisle_pedestrian"}
	dsmWords      = meanings{1: "fatigue", 2: "phone", 3: "smoking", 4: "distraction", 5: "abnormal", 0x10: "snapshot",
		0x11: "driver_change"}
	// 0x0D, playing with the phone, is the use of a phone as 0x02 is.
	dsmWordsLong = meanings{6: "camera_covered", 8: "overtime", 0x0A: "seat_belt", 0x0B: "glasses", 0x0C: "hands_off",
		0x0D: "phone"}
	bsdWords  = meanings{1: "rear", 2: "left_rear", 3: "right_rear"}
	tyreWords = [...]string{1: "pressure_high", 2: "pressure_low", 3: "temperature_high", 4: "sensor_fault",
		5: "imbalance", 6: "slow_leak", 7: "battery_low"}
	flagWords = meanings{1: "start", 2: "end"}
)

// AppendSafety appends what the items 0x64 to 0x67 report; items of another length than the standards' are passed over.
// A tyre item gives one alarm for each kind that any of its tyres has. With room in dst it allocates nothing, but for
// the name of a kind that has no word.
func AppendSafety(dst []SafetyAlarm, x Extras) []SafetyAlarm {
	for {
		id, v, rest, ok := x.Next()
		if !ok {
			return dst
		}
		if id >= ItemADAS && id <= ItemBSD {
			dst = appendSafety(dst, id, v)
		}
		x = rest
	}
}

// appendSafety reads at the offsets of the tables: a fleet with such systems sends these items all day, and Decode
// allocates.
func appendSafety(dst []SafetyAlarm, id uint8, v []byte) []SafetyAlarm {
	switch id {
	case ItemADAS:
		if long := len(v) == 31+markSizeLong; long || len(v) == 31+markSize {
			dst = append(dst, safetyAlarm("adas", safetyWord(v[5], adasWords, adasWordsLong, long), v, v[6], v[12:]))
		}
	case ItemDSM:
		if long := len(v) == 31+markSizeLong; long || len(v) == 31+markSize {
			dst = append(dst, safetyAlarm("dsm", safetyWord(v[5], dsmWords, dsmWordsLong, long), v, v[6], v[12:]))
		}
	case ItemBSD:
		if len(v) == 25+markSize || len(v) == 25+markSizeLong {
			dst = append(dst, safetyAlarm("bsd", safetyWord(v[5], bsdWords, nil, false), v, 0, v[6:]))
		}
	case ItemTPMS:
		long, wide, ok := tpmsLayout(v)
		if !ok {
			break
		}
		at, size := 24+markSize+1, 9
		if long {
			at = 24 + markSizeLong + 1
		}
		if wide {
			at, size = at+1, 10
		}
		var kinds uint16
		for at++; at+1 < len(v); at += size {
			kinds |= be16(v[at:])
		}
		for bit, word := range tyreWords {
			if word != "" && kinds&(1<<bit) != 0 {
				dst = append(dst, safetyAlarm("tpms", word, v, 0, v[5:]))
			}
		}
	}
	return dst
}

func safetyWord(kind uint8, words, longWords meanings, long bool) string {
	if w, ok := words[kind]; ok {
		return w
	}
	if w, ok := longWords[kind]; ok && long {
		return w
	}
	return fmt.Sprintf("kind_0x%02x", kind)
}

// safetyAlarm makes the alarm from what every item begins with, alarm_id and flag, and from its place: speed, altitude,
// lat, lon, time.
func safetyAlarm(system, kind string, item []byte, level uint8, place []byte) SafetyAlarm {
	return SafetyAlarm{ingest.Safety{System: system, Kind: kind, Level: level, Flag: flagWords[item[4]], AlarmID: be32(item),
		Speed: uint16(place[0]) * 10}, Time(place[11:17])}
}
