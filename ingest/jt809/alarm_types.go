package jt809

// Types of alarms, warn_type (JT/T 809-2011 table, 809-2019, JT/T 1078-2016). Provinces reuse numbers for others of their
// own.
const (
	WarnOverspeed        uint16 = 0x0001
	WarnFatigue          uint16 = 0x0002
	WarnEmergency        uint16 = 0x0003
	WarnEnterArea        uint16 = 0x0004
	WarnLeaveArea        uint16 = 0x0005
	WarnRoadBlocked2011  uint16 = 0x0006 // 2019 has WarnRoadBlocked
	WarnDangerRoad2011   uint16 = 0x0007 // 2019 has WarnDangerRoad
	WarnOutOfBounds      uint16 = 0x0008
	WarnTheft            uint16 = 0x0009
	WarnRobbery          uint16 = 0x000A
	WarnOffRoute         uint16 = 0x000B
	WarnMoved            uint16 = 0x000C
	WarnOvertimeDriving  uint16 = 0x000D
	WarnIllegalDriving   uint16 = 0x0010 // this and what follows, but WarnOther: 2019
	WarnForwardCollision uint16 = 0x0011
	WarnLaneDeparture    uint16 = 0x0012
	WarnTyrePressure     uint16 = 0x0013
	WarnAbnormalData     uint16 = 0x0014
	WarnOther            uint16 = 0x00FF
	WarnVideoLost        uint16 = 0x0101 // this and what follows to WarnRecordingFull: JT/T 1078
	WarnVideoOccluded    uint16 = 0x0102
	WarnStorageFault     uint16 = 0x0103
	WarnVideoFault       uint16 = 0x0104
	WarnOvercrowded      uint16 = 0x0105
	WarnAbnormalDriving  uint16 = 0x0106
	WarnRecordingFull    uint16 = 0x0107
	WarnOvertimeParking  uint16 = 0xA001
	WarnReportTime       uint16 = 0xA002
	WarnReportDistance   uint16 = 0xA003
	WarnPlatformCutOff   uint16 = 0xA004
	WarnPlatformTransfer uint16 = 0xA005
	WarnRoadBlocked      uint16 = 0xA006
	WarnDangerRoad       uint16 = 0xA007
	WarnRainOrSnow       uint16 = 0xA008
	WarnDriverIdentity   uint16 = 0xA009
	WarnTerminal         uint16 = 0xA00A
	WarnPlatformAccess   uint16 = 0xA00B
	WarnCoreData         uint16 = 0xA00C
	WarnOtherPlatform    uint16 = 0xA0FF
)

var warnNames = map[uint16]string{WarnOverspeed: "overspeed", WarnFatigue: "fatigue", WarnEmergency: "emergency",
	WarnEnterArea: "enter_area", WarnLeaveArea: "leave_area", WarnRoadBlocked2011: "road_blocked",
	WarnDangerRoad2011: "dangerous_section", WarnOutOfBounds: "out_of_bounds", WarnTheft: "theft", WarnRobbery: "robbery",
	WarnOffRoute: "off_route", WarnMoved: "vehicle_moved", WarnOvertimeDriving: "overtime_driving",
	WarnIllegalDriving: "illegal_driving", WarnForwardCollision: "forward_collision", WarnLaneDeparture: "lane_departure",
	WarnTyrePressure: "tyre_pressure", WarnAbnormalData: "abnormal_data", WarnOther: "other",
	WarnVideoLost: "video_lost", WarnVideoOccluded: "video_occluded", WarnStorageFault: "storage_fault",
	WarnVideoFault: "video_fault", WarnOvercrowded: "overcrowded", WarnAbnormalDriving: "abnormal_driving",
	WarnRecordingFull: "recording_full", WarnOvertimeParking: "overtime_parking", WarnReportTime: "report_interval",
	WarnReportDistance: "report_distance", WarnPlatformCutOff: "platform_cut_off",
	WarnPlatformTransfer: "platform_transfer", WarnRoadBlocked: "road_blocked", WarnDangerRoad: "dangerous_section",
	WarnRainOrSnow: "rain_or_snow", WarnDriverIdentity: "driver_identity", WarnTerminal: "terminal_fault",
	WarnPlatformAccess: "platform_access", WarnCoreData: "core_data", WarnOtherPlatform: "other"}

// WarnName is the name of a type of alarm in snake_case; "unknown" where the standards have none.
func WarnName(t uint16) string {
	if n, ok := warnNames[t]; ok {
		return n
	}
	return "unknown"
}

// warnType is the type of an alarm.
func (f *fields) warnType(v *uint16) {
	f.U16("warn_type", v)
	f.Note("warn_type_meaning", WarnName(*v))
}

// Sources of alarms, warn_src.
const (
	WarnByTerminal   uint8 = 1
	WarnByEnterprise uint8 = 2
	WarnByGovernment uint8 = 3
	WarnByOther      uint8 = 9
)

var warnSources = meanings{WarnByTerminal: "vehicle terminal", WarnByEnterprise: "enterprise platform",
	WarnByGovernment: "government platform", WarnByOther: "other"}

// Results of the handling of an alarm.
const (
	HandlingInProgress uint8 = 0
	HandlingDone       uint8 = 1
	HandlingNotNeeded  uint8 = 2
	HandlingLater      uint8 = 3
	HandlingNone2019   uint8 = 0xFF
)

var handlings = meanings{HandlingInProgress: "in progress", HandlingDone: "done", HandlingNotNeeded: "no handling needed",
	HandlingLater: "later", HandlingNone2019: "not handled"}

// Levels of Supervision.
const (
	LevelUrgent uint8 = 0
	LevelNormal uint8 = 1
)

var levels = meanings{LevelUrgent: "urgent", LevelNormal: "normal"}
