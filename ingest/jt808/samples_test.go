package jt808

// samples has a filled body of every message of the index, by edition where the layout differs. Texts have the padding
// that comes from the wire, so that what is decoded is what was encoded.

type sample struct {
	id MessageID
	ed Edition
	m  Body
}

func fixed(s Text, n int) Text { return s + Text(make([]byte, n-len(s))) }

var (
	sampleTime  = Time{0x26, 0x05, 0x01, 0x08, 0x00, 0x30}
	sampleTime2 = Time{0x26, 0x05, 0x01, 0x18, 0x59, 0x59}
	sampleBase  = Location{Alarm: 1 << 8, Status: StatusACC | StatusLocated, Lat: 35490712, Lon: 112851274, Altitude: -12,
		Speed: 615, Direction: 178, Time: sampleTime, Extras: Extras{}}
	sampleMark     = AlarmMark{TerminalID: "Z900171", Time: sampleTime, Seq: 3, Attachments: 2, Reserved: 1}
	sampleMarkLong = AlarmMark{TerminalID: fixed("JC2024000731", 30), Time: sampleTime, Seq: 3, Attachments: 2, Reserved: 0x0102}
	samplePlace    = AlarmPlace{Speed: 72, Altitude: 880, Lat: 35497210, Lon: 112851634, Time: sampleTime2, VehicleState: 0x401, Mark: sampleMark}
	samplePlaceL   = AlarmPlace{Speed: 72, Altitude: 880, Lat: 35497210, Lon: 112851634, Time: sampleTime2, VehicleState: 0x401,
		Mark: sampleMarkLong, Long: true}
	sampleQuality = VideoQuality{Mode: 1, Resolution: 5, KeyInterval: 50, FPS: 25, Bitrate: 2048}
	sampleShots   = AlarmShots{LevelSpeed: 50, VideoSeconds: 5, Photos: 3, PhotoGap: 2}
	sampleCamera  = CameraParams{30, 6, 1, 60, 200, 3, 2, 5, 6, 0x00010FFF, 3}
	sampleAreas   = AreaRule{ID: 900001, Props: AreaTimed | AreaSpeed | AreaSouth, Start: Time{3: 6}, End: Time{3: 0x22},
		MaxSpeed: 40, OverspeedSeconds: 10}
	sampleAreas19 = AreaRule{ID: 900001, Props: AreaTimed | AreaSpeed | AreaWest, Start: Time{3: 6}, End: Time{3: 0x22},
		MaxSpeed: 40, OverspeedSeconds: 10, NightMaxSpeed: 30, Name: GBK("危化品停车场")}
	samplePlainArea = AreaRule{ID: 7, Name: GBK("无限制")}
)

func sampleLocation() Location {
	l := sampleBase
	x := AppendItem32(nil, ItemMileage, 1234567)
	x = AppendItem16(x, ItemFuel, 601)
	x = AppendItem16(x, ItemRecorderSpeed, 600)
	x = AppendItem32(x, ItemSignals, 0x10)
	x = AppendItem8(x, ItemRSSI, 28)
	x = AppendItem8(x, ItemSatellites, 13)
	x = AppendItem32(x, ItemVideoAlarm, 1<<4)
	l.Extras = x
	return l
}

func samples() []sample {
	location := sampleLocation()
	adas := ADAS{5, 1, 2, 2, 60, 15, 1, 0, 0, samplePlace}
	dsm := DSM{6, 2, 1, 1, 7, [4]byte{1, 2, 3, 4}, samplePlaceL}
	bsd := BSD{7, 0, 3, samplePlace}
	tpms := TPMS{AlarmID: 8, Flag: 1, AlarmPlace: samplePlace, Tyres: []Tyre{{0, 1 << 1, 900, 60, 80}, {5, 1 << 5, 700, 61, 81}}}
	tpmsLong := TPMS{AlarmID: 8, AlarmPlace: samplePlaceL, Tyres: []Tyre{{0x102, 1 << 6, 900, 60, 80}}, WidePosition: true}
	alarmed := sampleBase
	for _, x := range []struct {
		id uint8
		m  Body
	}{{ItemADAS, &adas}, {ItemDSM, &dsm}, {ItemBSD, &bsd}, {ItemTPMS, &tpms}, {ItemTPMS, &tpmsLong},
		{ItemOverspeed, &OverspeedItem{1, 9}}, {ItemOverspeed, &OverspeedItem{}}, {ItemArea, &AreaItem{4, 8, 1}},
		{ItemSection, &SectionItem{3, 600, 1}}, {ItemAbnormalDriving, &AbnormalDriving{Kinds: 3, Fatigue: 40}}} {
		alarmed.Extras = AppendItem(alarmed.Extras, x.id, AppendBody(nil, EditionAuto, x.m))
	}
	route := Route{ID: 12, Props: AreaTimed | AreaEnterPlatform, Start: sampleTime, End: sampleTime2, Points: []RoutePoint{
		{ID: 1, SectionID: 2, Lat: 35490712, Lon: 112851274, Width: 50, Props: SectionTimed | SectionSpeed | SectionSouth,
			TooLong: 600, TooShort: 60, MaxSpeed: 80, OverspeedSeconds: 10},
		{ID: 2, SectionID: 3, Lat: 35490713, Lon: 112851275, Width: 30}}}
	route19 := route
	route19.Points = append([]RoutePoint(nil), route.Points...)
	route19.Points[0].NightMaxSpeed = 60
	route19.Name = GBK("晋城环线")
	polygon := Polygon{AreaRule: sampleAreas, Vertices: []Vertex{{1, 2}, {3, 4}, {5, 6}}}
	polygon19 := Polygon{AreaRule: sampleAreas19, Vertices: []Vertex{{1, 2}, {3, 4}, {5, 6}}}
	circles := []Circle{{sampleAreas, 29441200, 113180500, 350}, {AreaRule{ID: 3}, 1, 2, 3}}
	circles19 := []Circle{{sampleAreas19, 29441200, 113180500, 350}, {samplePlainArea, 1, 2, 3}}
	rectangles := []Rectangle{{sampleAreas, 4, 1, 2, 3}, {AreaRule{ID: 3}, 5, 6, 7, 8}}
	rectangles19 := []Rectangle{{sampleAreas19, 4, 1, 2, 3}, {samplePlainArea, 5, 6, 7, 8}}
	resource := QueryResources{1, sampleTime, sampleTime2, 1 << 33, 2, 1, 2}
	stored := StoredMedia{Type: 1, Channel: 2, Event: 3, Location: sampleBase}
	stored13 := stored
	stored13.ID = 99
	params := Parameters{Items: []Parameter{Uint32Param(ParamHeartbeat, 60), TextParam(ParamMainServer, "218.76.4.9"),
		Uint16Param(ParamFenceRadius, 300), Uint8Param(ParamPlateColor, 2), TextParam(ParamPlate, GBK("晋E12345")),
		{ParamForbiddenHours, []byte{2, 0, 5, 0}}, {0x0115, make([]byte, 8)}, {0xF001, []byte{1, 2, 3}},
		StructParam(ParamAV, &AVParams{sampleQuality, sampleQuality, 3, 1}),
		StructParam(ParamAVChannels, &AVChannels{1, 1, 0, []AVChannel{{1, 1, 0, 1}, {2, 33, 1, 0}}}),
		StructParam(ParamChannelVideo, &ChannelVideoList{[]ChannelVideo{{1, sampleQuality, sampleQuality, 7}}}),
		StructParam(ParamSpecialRecording, &SpecialRecording{20, 5, 1}),
		StructParam(ParamVideoAnalysis, &VideoAnalysis{45, 60}),
		StructParam(ParamSleepWake, &SleepWake{Mode: 2, Days: 0x1F, Periods: 1}),
		StructParam(ParamADAS, &ADASParams{CameraParams: sampleCamera, Obstacle: sampleShots}),
		StructParam(ParamADAS, &ADASParams{CameraParams: sampleCamera, Aisle: sampleShots, Long: true}),
		StructParam(ParamDSM, &DSMParams{CameraParams: sampleCamera, Fatigue: sampleShots}),
		StructParam(ParamDSM, &DSMParams{CameraParams: sampleCamera, PhonePlay: sampleShots, Long: true}),
		StructParam(ParamTPMS, &TPMSParams{TyreModel: fixed("900R20", 12), PressureUnit: 3, LowPressure: 110}),
		StructParam(ParamBSD, &BSDParams{2, 3})}}
	params.Count = uint8(len(params.Items))
	state := AppendPeripherals(nil, PassPeripheralState, []Peripheral{{ID: 0x64, State: PeripheralState{1, 1 << 4}}, {ID: 0x65, State: PeripheralState{4, 1}}})
	info := AppendPeripherals(nil, PassPeripheralInfo, []Peripheral{{ID: 0x64, Info: PeripheralInfo{"acme", "A1", "h", "s", "0001", ""}}})

	return []sample{
		{IDTerminalAck, Edition2011, &Ack{7, IDText, ResultNotSupported}},
		{IDHeartbeat, Edition2011, &Empty{}},
		{IDDeregister, Edition2011, &Empty{}},
		{IDDeregisterMisprint, Edition2011, &Empty{}},
		{IDQueryTime, Edition2019, &Empty{}},
		{IDTerminalResend, Edition2019, &Resend{9, []uint16{1, 3, 300}}},
		{IDRegister, Edition2011, &Register{14, 525, "HF001", "TX-100  ", "A10203C", 2, GBK("晋E12345")}},
		{IDRegister, Edition2013, &Register{14, 525, "CS077", fixed("MDT-7E", 20), fixed("Z90017", 7), 1, GBK("晋E12345")}},
		{IDRegister, Edition2019, &Register{14, 525, "14052570118", fixed("", 22) + "NV19-PRO", fixed("JC2024000731", 30), 0, "LZZ5ELSD0NN123456"}},
		{IDAuthenticate, Edition2013, &Authenticate{AuthCode: "abc123"}},
		{IDAuthenticate, Edition2019, &Authenticate{"5kQ-0731", "861234050099317", fixed("V2.4.11", 20)}},
		{IDParametersReply, Edition2013, &ParametersReply{4, params}},
		{IDAttributes, Edition2013, &Attributes{1, "CS077", fixed("MDT-7E", 20), fixed("Z90017", 7), [10]byte{0x89, 0x86, 9: 0x1F}, "H1", "F2", 3, 1}},
		{IDAttributes, Edition2019, &Attributes{1, "CS077", fixed("MDT-7E", 30), fixed("Z90017", 30), [10]byte{0x89, 0x86}, "H1", "F2", 3, 1}},
		{IDAttributes, Edition2019, &Attributes{1, "14052570118", fixed("MDT-7E", 30), fixed("Z90017", 30), [10]byte{0x89, 0x86}, "H1", "F2", 3, 1}},
		{IDUpgradeResult, Edition2013, &UpgradeResult{0x64, 0x12}},
		{IDLocation, Edition2011, &location},
		{IDLocation, Edition2013, &alarmed},
		{IDLocationReply, Edition2013, &LocationReply{8, location}},
		{IDEventReport, Edition2013, &EventReport{3}},
		{IDQuestionAnswer, Edition2013, &QuestionAnswer{3, 1}},
		{IDInfoOrder, Edition2013, &InfoOrder{3, 1}},
		{IDVehicleControlled, Edition2013, &LocationReply{8, location}},
		{IDAreaData, Edition2019, &AreaData{Type: QueryCircles, Count: 2, Circles: []SetCircles{{1, circles19}, {2, circles19[:1]}}}},
		{IDAreaData, Edition2019, &AreaData{Type: QueryCircles, Count: 2, Bare: true, Circles: []SetCircles{{0, circles19}}}},
		{IDAreaData, Edition2019, &AreaData{Type: QueryRectangles, Count: 1, Rectangles: []SetRectangles{{1, rectangles19}}}},
		{IDAreaData, Edition2019, &AreaData{Type: QueryRectangles, Count: 2, Bare: true, Rectangles: []SetRectangles{{0, rectangles19}}}},
		{IDAreaData, Edition2019, &AreaData{Type: QueryPolygons, Count: 1, Polygons: []Polygon{polygon19}}},
		{IDAreaData, Edition2019, &AreaData{Type: QueryRoutes, Count: 1, Routes: []Route{route19}}},
		{IDAreaData, Edition2019, &AreaData{Type: QueryRoutes, Count: 1, Raw: []byte{1, 2, 3}}},
		{IDRecorderData, Edition2013, &RecorderData{3, 8, []byte{0x55, 0x7A, 8, 0, 0}}},
		{IDWaybill, Edition2013, &Waybill{[]byte(GBK("电子运单"))}},
		{IDDriverIdentity, Edition2011, &DriverIdentity{Name: GBK("王五"), IDCard: fixed("140502199001011234", 20), Licence: fixed("140502001", 40), Org: GBK("晋城市交通运输局")}},
		{IDDriverIdentity, Edition2013, &DriverIdentity{State: CardInserted, Time: sampleTime, Name: GBK("王五"), Licence: fixed("140502001", 20), Org: GBK("晋城"), Expiry: Date{0x20, 0x30, 0x12, 0x31}}},
		{IDDriverIdentity, Edition2013, &DriverIdentity{State: CardPulled, Time: sampleTime}},
		{IDDriverIdentity, Edition2013, &DriverIdentity{State: CardInserted, Time: sampleTime, ICResult: 2}},
		{IDDriverIdentity, Edition2019, &DriverIdentity{State: CardInserted, Time: sampleTime, Name: GBK("王五"), Licence: fixed("140502001", 20), Org: GBK("晋城"), Expiry: Date{0x20, 0x30, 0x12, 0x31}, IDCard: fixed("140502199001011234", 20)}},
		{IDDriverIdentity, Edition2019, &DriverIdentity{State: CardPulled, Time: sampleTime, Licence: fixed("", 20), IDCard: fixed("", 20), FaceMatch: 1, UID: fixed("u1", 20)}},
		{IDBatch, Edition2013, &BatchReport{Count: 2, Kind: BatchBlindSpots, Locations: []Location{sampleBase, location}}},
		{IDCANData, Edition2013, &CANData{[5]byte{0x08, 0x30, 0x15, 0x01, 0x23}, []CANItem{{1 << 30, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}, {7, [8]byte{}}}}},
		{IDMediaEvent, Edition2013, &MediaHead{1, 0, 1, 5, 2}},
		{IDMediaData, Edition2011, &MediaData{MediaHead: MediaHead{1, 0, 0, 0, 2}, Data: []byte{0xFF, 0xD8, 0xFF}}},
		{IDMediaData, Edition2013, &MediaData{MediaHead{1, 0, 0, 0, 2}, sampleBase, []byte{0xFF, 0xD8, 0xFF}}},
		{IDStoredMediaList, Edition2011, &StoredMediaList{3, []StoredMedia{stored, stored}}},
		{IDStoredMediaList, Edition2013, &StoredMediaList{3, []StoredMedia{stored13}}},
		{IDShootReply, Edition2013, &ShootReply{3, 0, []uint32{1, 70000}}},
		{IDShootReply, Edition2013, &ShootReply{3, 2, nil}},
		{IDUplink, Edition2013, &PassThrough{PassPeripheralState, state}},
		{IDUplink, Edition2013, &PassThrough{PassPeripheralInfo, info}},
		{IDUplink, Edition2013, &PassThrough{PassSerial1, []byte{1, 2, 3}}},
		{IDCompressed, Edition2013, &Compressed{[]byte{0x1f, 0x8b, 8}}},
		{IDTerminalKey, Edition2013, &PublicKey{65537, [128]byte{1, 127: 2}}},
		{IDPlatformAck, Edition2013, &Ack{7, IDLocation, ResultAlarmHandled}},
		{IDPlatformResend, Edition2013, &Resend{9, []uint16{1, 3, 300}}},
		{IDPlatformResend, Edition2019, &Resend{9, []uint16{1, 3, 300}}},
		{IDServerTime, Edition2019, &ServerTime{Time{0x17, 0x03, 0x15, 0x17, 0x09, 0x23}}},
		{IDRegisterReply, Edition2013, &RegisterReply{1, RegisterOK, "code"}},
		{IDRegisterReply, Edition2013, &RegisterReply{1, RegisterNoVehicle, ""}},
		{IDSetParameters, Edition2019, &params},
		{IDQueryAllParameters, Edition2013, &Empty{}},
		{IDTerminalControl, Edition2013, &TerminalControl{ControlConnect, "1;code;apn;;;10.1.1.1;7611;0;60"}},
		{IDTerminalControl, Edition2013, &TerminalControl{ControlReset, ""}},
		{IDQueryParameters, Edition2013, &QueryParameters{[]uint32{1, 0x13, 0xF364}}},
		{IDQueryAttributes, Edition2013, &Empty{}},
		{IDUpgradePackage, Edition2013, &UpgradePackage{0, "CS077", "1.2", []byte{1, 2, 3}}},
		{IDQueryLocation, Edition2013, &Empty{}},
		{IDTracking, Edition2013, &Tracking{10, 3600}},
		{IDTracking, Edition2013, &Tracking{}},
		{IDConfirmAlarm, Edition2013, &ConfirmAlarm{9, 1 << 20}},
		{IDLinkCheck, Edition2019, &Empty{}},
		{IDText, Edition2013, &TextMessage{Flags: TextUrgent | TextTTS, Text: GBK("您已超速，请减速")}},
		{IDText, Edition2019, &TextMessage{TextNotice2019 | TextTTS, 1, GBK("您已超速，请减速")}},
		{IDSetEvents, Edition2013, &SetEvents{Action: 1, Events: []EventItem{{1, GBK("堵车")}, {2, GBK("事故")}}}},
		{IDSetEvents, Edition2013, &SetEvents{}},
		{IDSetEvents, Edition2013, &SetEvents{Action: 4, Events: []EventItem{{1, ""}, {2, ""}}}},
		{IDSetEvents, Edition2013, &SetEvents{Action: 4, Events: []EventItem{{1, ""}, {2, ""}}, Lengths: true}},
		{IDQuestion, Edition2013, &Question{8, GBK("到哪里了"), []AnswerItem{{1, GBK("到了")}, {2, GBK("路上")}}}},
		{IDInfoMenu, Edition2013, &InfoMenu{1, []InfoItem{{1, GBK("天气")}}}},
		{IDInfoMenu, Edition2013, &InfoMenu{}},
		{IDInfoContent, Edition2013, &InfoContent{1, GBK("晴")}},
		{IDCallBack, Edition2013, &CallBack{1, "13800138000"}},
		{IDPhoneBook, Edition2013, &PhoneBook{1, []Contact{{3, "13800138000", GBK("调度")}}}},
		{IDVehicleControl, Edition2013, &VehicleControl{Flags: 1}},
		{IDVehicleControl, Edition2019, &VehicleControl{Controls: []ControlItem{{ControlDoors, []byte{1}}, {0xF001, []byte{2}}, {ControlDoors, []byte{0}}}}},
		{IDVehicleControl, Edition2019, &VehicleControl{Controls: []ControlItem{{ControlDoors, []byte{1}}, {0xF001, []byte{2, 3, 4}}}}},
		{IDSetCircles, Edition2013, &SetCircles{1, circles}},
		{IDSetCircles, Edition2019, &SetCircles{1, circles19}},
		{IDDeleteCircles, Edition2013, &DeleteAreas{[]uint32{1, 2}}},
		{IDSetRectangles, Edition2013, &SetRectangles{1, rectangles}},
		{IDSetRectangles, Edition2019, &SetRectangles{1, rectangles19}},
		{IDDeleteRectangles, Edition2013, &DeleteAreas{}},
		{IDSetPolygon, Edition2013, &polygon},
		{IDSetPolygon, Edition2019, &polygon19},
		{IDDeletePolygons, Edition2013, &DeleteAreas{[]uint32{1}}},
		{IDSetRoute, Edition2013, &route},
		{IDSetRoute, Edition2019, &route19},
		{IDDeleteRoutes, Edition2013, &DeleteAreas{[]uint32{1}}},
		{IDQueryAreas, Edition2019, &QueryAreas{QueryRoutes, []uint32{5}}},
		{IDRecorderCollect, Edition2013, &RecorderCommand{8, []byte{0xAA, 0x75}}},
		{IDRecorderCollect, Edition2011, &RecorderCommand{8, nil}},
		{IDRecorderSet, Edition2013, &RecorderCommand{0xC2, []byte{1}}},
		{IDRequestDriver, Edition2013, &Empty{}},
		{IDMediaAck, Edition2013, &MediaAck{17, nil}},
		{IDMediaAck, Edition2013, &MediaAck{17, []uint16{2, 5}}},
		{IDShoot, Edition2013, &Shoot{1, 0xFFFF, 10, 1, 8, 5, 125, 60, 61, 120}},
		{IDSearchMedia, Edition2013, &MediaSearch{0, 1, 3, sampleTime, Time{}}},
		{IDUploadMedia, Edition2013, &UploadMedia{MediaSearch{0, 1, 3, sampleTime, sampleTime2}, 1}},
		{IDRecordSound, Edition2013, &RecordSound{1, 60, 1, 3}},
		{IDUploadMediaItem, Edition2013, &UploadMediaItem{17, 1}},
		{IDDownlink, Edition2013, &PassThrough{PassPeripheralState, AppendBody(nil, EditionAuto, &PeripheralQuery{[]uint8{0x64, 0x65}})}},
		{IDPlatformKey, Edition2013, &PublicKey{65537, [128]byte{1, 127: 2}}},

		{IDAVAttributes, Edition2013, &AVAttributes{6, 1, 0, 1, 320, 1, 98, 2, 4}},
		{IDPassengerFlow, Edition2013, &PassengerFlow{sampleTime, sampleTime2, 12, 9}},
		{IDResourceList, Edition2013, &ResourceList{3, []Resource{{resource, 1 << 20}, {resource, 7}}}},
		{IDFileUploaded, Edition2013, &FileUploaded{3, 1}},
		{IDQueryAVAttributes, Edition2013, &Empty{}},
		{IDStartStream, Edition2013, &StartStream{"183.60.8.7", 1078, 0, 1, 0, 1}},
		{IDControlStream, Edition2013, &ControlStream{1, 1, 2, 1}},
		{IDStreamStatus, Edition2013, &StreamStatus{1, 5}},
		{IDStartPlayback, Edition2013, &StartPlayback{"183.60.8.7", 1078, 0, 1, 0, 1, 2, 1, 3, sampleTime, sampleTime2}},
		{IDControlPlayback, Edition2013, &ControlPlayback{1, 5, 0, sampleTime}},
		{IDQueryResources, Edition2013, &resource},
		{IDUploadFile, Edition2013, &UploadFile{"ftp.example.cn", 21, "u", "p", "/a", resource, 3}},
		{IDControlUpload, Edition2013, &ControlUpload{3, 2}},
		{IDPTZRotate, Edition2013, &PTZRotate{1, 2, 100}},
		{IDPTZFocus, Edition2013, &PTZAdjust{1, 1}},
		{IDPTZAperture, Edition2013, &PTZAdjust{1, 0}},
		{IDPTZWiper, Edition2013, &PTZSwitch{1, 1}},
		{IDInfraredLight, Edition2013, &PTZSwitch{1, 0}},
		{IDPTZZoom, Edition2013, &PTZAdjust{1, 1}},

		{IDAttachments, Edition2013, &Attachments{"Z900171", sampleMark, fixed("20250611083015000042", 32), 0, []Attachment{{"00_65_6502_1_2025.jpg", 70000}, {"02.mp4", 9}}, false}},
		{IDAttachments, Edition2019, &Attachments{fixed("JC2024000731", 30), sampleMarkLong, fixed("20250611083015000042", 32), 1, []Attachment{{"a.bin", 1}}, true}},
		{IDFileInfo, Edition2013, &FileInfo{"a.jpg", 0, 70000}},
		{IDFileDone, Edition2013, &FileInfo{"a.jpg", 0, 70000}},
		{IDUpgradeProgress, Edition2019, &UpgradeProgress{1, 0x64, 4, 50, 0}},
		{IDOrderAttachments, Edition2013, &OrderAttachments{"10.20.30.40", 7611, 0, sampleMark, fixed("42", 32), [16]byte{15: 1}, false}},
		{IDOrderAttachments, Edition2019, &OrderAttachments{"10.20.30.40", 7611, 0, sampleMarkLong, fixed("42", 32), [16]byte{15: 1}, true}},
		{IDFileDoneReply, Edition2013, &FileDoneReply{"a.jpg", 0, 1, []FilePart{{0, 100}, {65536, 7}}}},
		{IDFileDoneReply, Edition2013, &FileDoneReply{"a.jpg", 0, 0, nil}},
	}
}
