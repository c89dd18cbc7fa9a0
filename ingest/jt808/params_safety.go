package jt808

import wire "lushao/ingest/fields"

// The parameters of the assistance systems of T/JSATL 12-2017. All bits set leave a setting as it is.
// T/GDRTA 002-2020 has longer layouts for the first two; they are told apart by their length.

const (
	adasParamsLong = 64
	dsmParamsLong  = 66
)

// AlarmShots is what an alarm records.
type AlarmShots struct {
	LevelSpeed   uint8 // km/h; level 2 above
	VideoSeconds uint8 // before and after
	Photos       uint8
	PhotoGap     uint8 // 100 ms
}

func (m *AlarmShots) walk(f *fields, prefix string) {
	f.U8(prefix+"_level_speed", &m.LevelSpeed)
	m.shots(f, prefix)
}

func (m *AlarmShots) shots(f *fields, prefix string) {
	f.U8(prefix+"_video_s", &m.VideoSeconds)
	f.U8(prefix+"_photos", &m.Photos)
	f.U8(prefix+"_photo_gap", &m.PhotoGap)
}

// CameraParams begins ADASParams and DSMParams.
type CameraParams struct {
	EnableSpeed     uint8 // km/h
	Volume          uint8 // 0 to 8
	ActivePhoto     uint8
	PhotoPeriod     uint16 // s
	PhotoDistance   uint16 // m
	PhotoCount      uint8
	PhotoGap        uint8 // 100 ms
	PhotoResolution uint8
	VideoResolution uint8
	AlarmEnable     uint32
	EventEnable     uint32
}

func (m *CameraParams) walk(f *fields) {
	f.U8("enable_speed", &m.EnableSpeed)
	f.U8("volume", &m.Volume)
	f.Code8("active_photo", &m.ActivePhoto, meanings{0: "off", 1: "timed", 2: "by distance", 3: "card inserted"})
	f.U16("photo_period", &m.PhotoPeriod)
	f.U16("photo_distance", &m.PhotoDistance)
	f.U8("photo_count", &m.PhotoCount)
	f.U8("photo_gap", &m.PhotoGap)
	f.Code8("photo_resolution", &m.PhotoResolution, meanings{1: "352x288", 2: "704x288", 3: "704x576", 4: "640x480",
		5: "1280x720", 6: "1920x1080"})
	f.Code8("video_resolution", &m.VideoResolution, meanings{1: "CIF", 2: "HD1", 3: "D1", 4: "WD1", 5: "VGA", 6: "720P",
		7: "1080P"})
	f.U32("alarm_enable", &m.AlarmEnable)
	f.U32("event_enable", &m.EventEnable)
}

// ADASParams is parameter 0xF364.
type ADASParams struct {
	CameraParams
	Reserved1             uint8
	ObstacleThreshold     uint8 // 100 ms
	Obstacle              AlarmShots
	LaneChangeWindow      uint8 // s
	LaneChangeCount       uint8
	LaneChange            AlarmShots
	Departure             AlarmShots
	CollisionThreshold    uint8 // 100 ms
	Collision             AlarmShots
	PedestrianThreshold   uint8      // 100 ms
	PedestrianEnableSpeed uint8      // km/h
	Pedestrian            AlarmShots // no LevelSpeed
	HeadwayThreshold      uint8      // 100 ms
	Headway               AlarmShots
	SignPhotos            uint8
	SignPhotoGap          uint8
	SolidLine             AlarmShots // T/GDRTA 002, as the next
	Aisle                 AlarmShots
	Reserved2             [4]byte
	Long                  bool // as in T/GDRTA 002-2020
}

func (m *ADASParams) walk(f *fields) {
	if f.Mode == wire.Decoding {
		m.Long = f.Left() == adasParamsLong
	}
	m.CameraParams.walk(f)
	f.U8("reserved1", &m.Reserved1)
	f.U8("obstacle_threshold", &m.ObstacleThreshold)
	m.Obstacle.walk(f, "obstacle")
	f.U8("lane_change_window", &m.LaneChangeWindow)
	f.U8("lane_change_count", &m.LaneChangeCount)
	m.LaneChange.walk(f, "lane_change")
	m.Departure.walk(f, "departure")
	f.U8("collision_threshold", &m.CollisionThreshold)
	m.Collision.walk(f, "collision")
	f.U8("pedestrian_threshold", &m.PedestrianThreshold)
	f.U8("pedestrian_enable_speed", &m.PedestrianEnableSpeed)
	m.Pedestrian.shots(f, "pedestrian")
	f.U8("headway_threshold", &m.HeadwayThreshold)
	m.Headway.walk(f, "headway")
	f.U8("sign_photos", &m.SignPhotos)
	f.U8("sign_photo_gap", &m.SignPhotoGap)
	if m.Long {
		m.SolidLine.walk(f, "solid_line")
		m.Aisle.walk(f, "aisle")
	}
	f.Array("reserved2", m.Reserved2[:])
}

// DSMParams is parameter 0xF365.
type DSMParams struct {
	CameraParams
	SmokeWindow       uint16 // s
	PhoneWindow       uint16 // s
	Reserved1         [3]byte
	Fatigue           AlarmShots
	Phone             AlarmShots
	Smoke             AlarmShots
	Distract          AlarmShots
	Abnormal          AlarmShots
	IdentifyTrigger   uint8
	CoveredLevelSpeed uint8 // T/GDRTA 002, as the next four
	Belt              AlarmShots
	Glasses           AlarmShots
	HandsOff          AlarmShots
	PhonePlay         AlarmShots
	Reserved2         [2]byte
	Long              bool // as in T/GDRTA 002-2020
}

func (m *DSMParams) walk(f *fields) {
	if f.Mode == wire.Decoding {
		m.Long = f.Left() == dsmParamsLong
	}
	m.CameraParams.walk(f)
	f.U16("smoke_window", &m.SmokeWindow)
	f.U16("phone_window", &m.PhoneWindow)
	f.Array("reserved1", m.Reserved1[:])
	m.Fatigue.walk(f, "fatigue")
	m.Phone.walk(f, "phone")
	m.Smoke.walk(f, "smoke")
	m.Distract.walk(f, "distract")
	m.Abnormal.walk(f, "abnormal")
	f.Code8("identify_trigger", &m.IdentifyTrigger, meanings{0: "off", 1: "timed", 2: "by distance", 3: "card inserted"})
	if m.Long {
		f.U8("covered_level_speed", &m.CoveredLevelSpeed)
		m.Belt.walk(f, "belt")
		m.Glasses.walk(f, "glasses")
		m.HandsOff.walk(f, "hands_off")
		m.PhonePlay.walk(f, "phone_play")
	}
	f.Array("reserved2", m.Reserved2[:])
}

// TPMSParams is parameter 0xF366.
type TPMSParams struct {
	TyreModel       Text   // 12 bytes
	PressureUnit    uint16 // 0 kg/cm², 1 bar, 2 kPa, 3 PSI; of the pressures below
	NormalPressure  uint16
	Imbalance       uint16 // %
	SlowLeak        uint16 // %
	LowPressure     uint16
	HighPressure    uint16
	HighTemperature uint16 // °C
	Battery         uint16 // %
	ReportPeriod    uint16 // s
	Reserved        [6]byte
}

func (m *TPMSParams) walk(f *fields) {
	f.Text("tyre_model", 12, zeroEnd, &m.TyreModel)
	f.U16("pressure_unit", &m.PressureUnit)
	f.U16("normal_pressure", &m.NormalPressure)
	f.U16("imbalance", &m.Imbalance)
	f.U16("slow_leak", &m.SlowLeak)
	f.U16("low_pressure", &m.LowPressure)
	f.U16("high_pressure", &m.HighPressure)
	f.U16("high_temperature", &m.HighTemperature)
	f.U16("battery", &m.Battery)
	f.U16("report_period", &m.ReportPeriod)
	f.Array("reserved", m.Reserved[:])
}

// BSDParams is parameter 0xF367.
type BSDParams struct {
	RearThreshold     uint8 // s
	SideRearThreshold uint8 // s
}

func (m *BSDParams) walk(f *fields) {
	f.U8("rear_threshold", &m.RearThreshold)
	f.U8("side_rear_threshold", &m.SideRearThreshold)
}
