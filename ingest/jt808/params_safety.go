package jt808

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
	f.u8(prefix+"_level_speed", &m.LevelSpeed)
	m.shots(f, prefix)
}

func (m *AlarmShots) shots(f *fields, prefix string) {
	f.u8(prefix+"_video_s", &m.VideoSeconds)
	f.u8(prefix+"_photos", &m.Photos)
	f.u8(prefix+"_photo_gap", &m.PhotoGap)
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
	f.u8("enable_speed", &m.EnableSpeed)
	f.u8("volume", &m.Volume)
	f.code8("active_photo", &m.ActivePhoto, meanings{0: "off", 1: "timed", 2: "by distance", 3: "card inserted"})
	f.u16("photo_period", &m.PhotoPeriod)
	f.u16("photo_distance", &m.PhotoDistance)
	f.u8("photo_count", &m.PhotoCount)
	f.u8("photo_gap", &m.PhotoGap)
	f.code8("photo_resolution", &m.PhotoResolution, meanings{1: "352x288", 2: "704x288", 3: "704x576", 4: "640x480",
		5: "1280x720", 6: "1920x1080"})
	f.code8("video_resolution", &m.VideoResolution, meanings{1: "CIF", 2: "HD1", 3: "D1", 4: "WD1", 5: "VGA", 6: "720P",
		7: "1080P"})
	f.u32("alarm_enable", &m.AlarmEnable)
	f.u32("event_enable", &m.EventEnable)
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
	if f.mode == decoding {
		m.Long = f.left() == adasParamsLong
	}
	m.CameraParams.walk(f)
	f.u8("reserved1", &m.Reserved1)
	f.u8("obstacle_threshold", &m.ObstacleThreshold)
	m.Obstacle.walk(f, "obstacle")
	f.u8("lane_change_window", &m.LaneChangeWindow)
	f.u8("lane_change_count", &m.LaneChangeCount)
	m.LaneChange.walk(f, "lane_change")
	m.Departure.walk(f, "departure")
	f.u8("collision_threshold", &m.CollisionThreshold)
	m.Collision.walk(f, "collision")
	f.u8("pedestrian_threshold", &m.PedestrianThreshold)
	f.u8("pedestrian_enable_speed", &m.PedestrianEnableSpeed)
	m.Pedestrian.shots(f, "pedestrian")
	f.u8("headway_threshold", &m.HeadwayThreshold)
	m.Headway.walk(f, "headway")
	f.u8("sign_photos", &m.SignPhotos)
	f.u8("sign_photo_gap", &m.SignPhotoGap)
	if m.Long {
		m.SolidLine.walk(f, "solid_line")
		m.Aisle.walk(f, "aisle")
	}
	f.array("reserved2", m.Reserved2[:])
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
	if f.mode == decoding {
		m.Long = f.left() == dsmParamsLong
	}
	m.CameraParams.walk(f)
	f.u16("smoke_window", &m.SmokeWindow)
	f.u16("phone_window", &m.PhoneWindow)
	f.array("reserved1", m.Reserved1[:])
	m.Fatigue.walk(f, "fatigue")
	m.Phone.walk(f, "phone")
	m.Smoke.walk(f, "smoke")
	m.Distract.walk(f, "distract")
	m.Abnormal.walk(f, "abnormal")
	f.code8("identify_trigger", &m.IdentifyTrigger, meanings{0: "off", 1: "timed", 2: "by distance", 3: "card inserted"})
	if m.Long {
		f.u8("covered_level_speed", &m.CoveredLevelSpeed)
		m.Belt.walk(f, "belt")
		m.Glasses.walk(f, "glasses")
		m.HandsOff.walk(f, "hands_off")
		m.PhonePlay.walk(f, "phone_play")
	}
	f.array("reserved2", m.Reserved2[:])
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
	f.text("tyre_model", 12, zeroEnd, &m.TyreModel)
	f.u16("pressure_unit", &m.PressureUnit)
	f.u16("normal_pressure", &m.NormalPressure)
	f.u16("imbalance", &m.Imbalance)
	f.u16("slow_leak", &m.SlowLeak)
	f.u16("low_pressure", &m.LowPressure)
	f.u16("high_pressure", &m.HighPressure)
	f.u16("high_temperature", &m.HighTemperature)
	f.u16("battery", &m.Battery)
	f.u16("report_period", &m.ReportPeriod)
	f.array("reserved", m.Reserved[:])
}

// BSDParams is parameter 0xF367.
type BSDParams struct {
	RearThreshold     uint8 // s
	SideRearThreshold uint8 // s
}

func (m *BSDParams) walk(f *fields) {
	f.u8("rear_threshold", &m.RearThreshold)
	f.u8("side_rear_threshold", &m.SideRearThreshold)
}
