package jt809

import (
	"encoding/binary"
	"slices"

	wire "lushao/ingest/fields"
)

// Lengths of the layouts of an alarm up to its text.
const (
	alarmTip2011    = 15 // warn_src, warn_type, warn_time
	alarmReport2011 = 19 // the same, and info_id
	alarmNoTarget   = 67 // 2019 without target_platform_id
	alarmTwoTimes   = 70 // 2019 without one of the times
	alarmSize2019   = 78
)

// alarm points to what the messages about one alarm share in 2019.
type alarm struct {
	platform       *Text
	kind           *uint16
	at, start, end *Seconds
	plate          *Text
	color          *uint8
	target         *Text
	route          *uint32
}

// alarm walks a layout of 2019 up to the text.
func (f *fields) alarm(a alarm, layout int) {
	f.platformID("src_platform_id", a.platform)
	f.warnType(a.kind)
	f.seconds("warn_time", a.at)
	if layout != alarmTwoTimes {
		f.seconds("start_time", a.start)
	}
	f.seconds("end_time", a.end)
	f.Text("vehicle_no", plateSize, zeroEnd, a.plate)
	f.U8("vehicle_color", a.color)
	if layout != alarmNoTarget {
		f.platformID("target_platform_id", a.target)
	}
	f.U32("drvline_id", a.route)
}

// layoutBefore chooses the layout of what stands before a text with its length in four bytes: the one in which that fits
// the end of the data, or comes nearest to it: some count the text in another encoding.
func (f *fields) layoutBefore(v *uint16, usual int, sizes ...int) int {
	switch f.Mode {
	case wire.Decoding:
		best, off := usual, -1
		for _, size := range append([]int{usual}, sizes...) {
			if f.Left() < size {
				continue
			}
			n := int(binary.BigEndian.Uint32(f.Rest()[size-4:])) - (f.Left() - size)
			if n = max(n, -n); off < 0 || n < off {
				best, off = size, n
			}
		}
		if f.Left() < usual && off > 0 {
			best = usual // cut off
		}
		f.keepLayout(v, usual, best)
	default:
		f.describeLayout(v)
	}
	if !slices.Contains(sizes, int(*v)) {
		return usual
	}
	return int(*v)
}

// AlarmReport is 0x1402: the inferior reports an alarm.
type AlarmReport struct {
	WarnSrc          uint8 // not in 2019
	SrcPlatformID    Text  // 11 bytes: the platform that raised it; 2019
	WarnType         uint16
	WarnTime         Seconds
	StartTime        Seconds // of what it is about; 2019, as what follows
	EndTime          Seconds
	VehicleNo        Text // 21 bytes; empty where it is about no vehicle
	VehicleColor     uint8
	TargetPlatformID Text   // 11 bytes: the platform that it is about
	DrvlineID        uint32 // of the route
	InfoID           uint32 // of the alarm; not in 2019, where the serial of the message is
	InfoContent      Text
	// Layout is the length of the data up to the text where they have another layout than the edition's: 67 without
	// TargetPlatformID, 70 without StartTime, 78, or 19 of 2011. 0 is the edition's own.
	Layout uint16
}

func (m *AlarmReport) walk(f *fields) {
	usual := alarmReport2011
	if f.has(FeatureAlarmPeriod) {
		usual = alarmSize2019
	}
	layout := f.layoutBefore(&m.Layout, usual, alarmReport2011, alarmNoTarget, alarmTwoTimes, alarmSize2019)
	if layout == alarmReport2011 {
		f.Code8("warn_src", &m.WarnSrc, warnSources)
		f.warnType(&m.WarnType)
		f.seconds("warn_time", &m.WarnTime)
		f.U32("info_id", &m.InfoID)
	} else {
		f.alarm(alarm{&m.SrcPlatformID, &m.WarnType, &m.WarnTime, &m.StartTime, &m.EndTime, &m.VehicleNo, &m.VehicleColor,
			&m.TargetPlatformID, &m.DrvlineID}, layout)
	}
	f.TextLoose("info_length", "info_content", 4, &m.InfoContent)
}

// AlarmTip is 0x9402 and 0x9403, alarms that the superior passes on, and in 2019 0x1403, one that the inferior passes on.
type AlarmTip struct {
	WarnSrc          uint8 // not in 2019
	SrcPlatformID    Text  // 11 bytes: the platform that raised it; 2019
	WarnType         uint16
	WarnTime         Seconds
	StartTime        Seconds // of what it is about; 2019, as what follows
	EndTime          Seconds
	VehicleNo        Text // 21 bytes; empty where it is about no vehicle
	VehicleColor     uint8
	TargetPlatformID Text   // 11 bytes: the platform that it is about
	DrvlineID        uint32 // of the route
	WarnContent      Text   // info_content in 0x1403
	// Layout is the length of the data up to the text where they have another layout than the edition's: 67 without
	// TargetPlatformID, 70 without StartTime, 78, or 15 of 2011. 0 is the edition's own.
	Layout uint16

	up bool // 0x1403
}

func (m *AlarmTip) walk(f *fields) {
	usual := alarmTip2011
	if f.has(FeatureAlarmPeriod) || m.up {
		usual = alarmSize2019
	}
	layout := f.layoutBefore(&m.Layout, usual, alarmTip2011, alarmNoTarget, alarmTwoTimes, alarmSize2019)
	if layout == alarmTip2011 {
		f.Code8("warn_src", &m.WarnSrc, warnSources)
		f.warnType(&m.WarnType)
		f.seconds("warn_time", &m.WarnTime)
	} else {
		f.alarm(alarm{&m.SrcPlatformID, &m.WarnType, &m.WarnTime, &m.StartTime, &m.EndTime, &m.VehicleNo, &m.VehicleColor,
			&m.TargetPlatformID, &m.DrvlineID}, layout)
	}
	length, content := "warn_length", "warn_content"
	if m.up {
		length, content = "info_length", "info_content"
	}
	f.TextLoose(length, content, 4, &m.WarnContent)
}

// AlarmResult is 0x1403 in 2013: how an alarm was handled.
type AlarmResult struct {
	InfoID uint32 // of the 0x1402
	Result uint8
}

const alarmResultSize = 5

func (m *AlarmResult) walk(f *fields) {
	f.U32("info_id", &m.InfoID)
	f.Code8("result", &m.Result, handlings)
}

// AlarmHandled is 0x1412: how the alarm of Source was handled. 2019 only.
type AlarmHandled struct {
	Source
	Result uint8
}

func (m *AlarmHandled) walk(f *fields) {
	f.sourceFields(&m.Source)
	f.Code8("result", &m.Result, handlings)
}

// SupervisionAnswered is 0x1411: the supervision request of Source was answered. 2019 only.
type SupervisionAnswered struct {
	Source
	Result uint8
}

func (m *SupervisionAnswered) walk(f *fields) {
	f.sourceFields(&m.Source)
	f.Code8("result", &m.Result, handlings)
}
