package jt809

import (
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// downSample is a filled body of the messages of bodies_b.go.
type downSample struct {
	id MessageID
	ed Edition
	m  Body
}

// padded is a text with the padding of its field, so that what is decoded is what was encoded.
func padded(s string, n int) Text {
	t := jt808.GBK(s)
	return t + Text(make([]byte, n-len(t)))
}

var (
	sampleFrom  = SecondsOf(1777593600000) // 2026-05-01T08:00:00+08:00
	sampleTo    = SecondsOf(1777597200000)
	sampleToken = Text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
)

func samplePosition(ed Edition) Location {
	e := ingest.Event{Time: 1777593600000}
	e.Position.Reset()
	p := &e.Position
	p.Lat, p.Lon, p.Speed, p.Course, p.Altitude, p.Mileage, p.RecorderSpeed = 35490712, 112851274, 610, 178, 750, 12340, 600
	p.Located, p.ACC = true, true
	p.Status, p.Alarm = 3, 1<<8
	return LocationOf(&e, ed)
}

var allEditions = []Edition{Edition2011, Edition2013, Edition2019}

// downSamples are the samples of every message in every edition that has it, and in every variant.
func downSamples() []downSample {
	var list []downSample
	all := func(id MessageID, m func(Edition) Body) {
		for _, ed := range allEditions {
			list = append(list, downSample{id, ed, m(ed)})
		}
	}
	same := func(id MessageID, m func() Body) { all(id, func(Edition) Body { return m() }) }
	only19 := func(id MessageID, m Body) { list = append(list, downSample{id, Edition2019, m}) }
	source := func(ed Edition, id MessageID) Source {
		if ed == Edition2019 {
			return Source{id, 70001}
		}
		return Source{}
	}
	info := Info{{"VIN", "晋E12345"}, {"VEHICLE_COLOR", "2"}, {"TRANS_TYPE", "030"}, {"OWERS_TEL", ""}}

	only19(IDRegistrationReply, &RegistrationReply{Source{IDRegistration, 5}, RecordApproved})
	same(IDVehicleInfo, func() Body { return &VehicleInfo{info, info.Text()} })
	same(IDExchangeStart, func() Body { return &ExchangeStart{StartByHand} })
	same(IDExchangeEnd, func() Body { return &ExchangeEnd{ReasonOther} })
	all(IDApplyStartReply, func(ed Edition) Body { return &ApplyReply{source(ed, IDApplyStart), 2, IDApplyStartReply} })
	all(IDApplyEndReply, func(ed Edition) Body { return &ApplyReply{source(ed, IDApplyEnd), 1, IDApplyEndReply} })
	all(IDApplyHistoryReply, func(ed Edition) Body {
		return &ApplyReply{source(ed, IDApplyHistory), HistoryLater, IDApplyHistoryReply}
	})
	all(IDDriverQuery, func(ed Edition) Body {
		if ed == Edition2019 {
			return &DriverQuery{DriverNow}
		}
		return &DriverQuery{}
	})
	for _, id := range []MessageID{IDWaybillQuery, IDStaticQuery, IDTokenQuery} {
		same(id, func() Body { return &Empty{} })
	}
	only19(IDRouteQuery, &Empty{})
	only19(IDRouteAck, &RouteAck{9999, RecordRefused, jt808.GBK("线路不通")})

	question := jt808.GBK("17加25等于多少？")
	all(IDInspection, func(ed Edition) Body {
		m := &Inspection{InfoID: 7, InfoContent: question}
		switch ed {
		case Edition2013:
			m.ObjectType, m.ObjectID = ObjectPlatform, padded("53010000417", 12)
		case Edition2019:
			m.ObjectType, m.ObjectID, m.AnswerTime = ObjectOperator, padded("53010000417", 20), 60
		}
		return m
	})
	all(IDInspectionReply, func(ed Edition) Body {
		m := &InspectionReply{InfoID: 7, InfoContent: "42"}
		switch ed {
		case Edition2013:
			m.ObjectType, m.ObjectID = ObjectPlatform, padded("53010000417", 12)
		case Edition2019:
			m = &InspectionReply{ObjectOperator, padded("王五", 16), padded("13800138000", 20), padded("53010000417", 20), 0, Source{IDInspection, 16}, "42", 0}
		}
		return m
	})
	all(IDPlatformText, func(ed Edition) Body {
		m := &PlatformText{InfoID: 8, InfoContent: jt808.GBK("今夜有雪")}
		switch ed {
		case Edition2013:
			m.ObjectType, m.ObjectID = 4, padded("53010000417", 12)
		case Edition2019:
			m.ObjectType, m.ObjectID = 9, padded("53010000417", 20)
		}
		return m
	})
	only19(IDPlatformText, &PlatformText{1, padded("53010000417", 12), 8, jt808.GBK("今夜有雪"), 21})
	list = append(list, downSample{IDInspection, Edition2013, &Inspection{InfoID: 7, InfoContent: question, Layout: 8}},
		downSample{IDInspection, Edition2011, &Inspection{1, padded("53010000417", 12), 0, 7, question, 21}},
		downSample{IDInspectionReply, Edition2013, &InspectionReply{InfoID: 7, InfoContent: "42", Layout: 8}},
		downSample{IDPlatformText, Edition2013, &PlatformText{InfoID: 7, InfoContent: "42", Layout: 8}},
		downSample{IDRecorderReply, Edition2013, &RecorderReply{TraveldataInfo: []byte{0x55, 0x7A}, Layout: 4}},
		downSample{IDRecorderReply, Edition2011, &RecorderReply{CommandType: 3, TraveldataInfo: []byte{0x55, 0x7A}, Layout: 5}})
	all(IDPlatformTextReply, func(ed Edition) Body {
		if ed == Edition2019 {
			return &PlatformTextReply{0, Source{IDPlatformText, 9}}
		}
		return &PlatformTextReply{InfoID: 8}
	})
	only19(IDRetransmitUp, &Retransmit{IDVehicleText, 3, 10, 12, 0, false})
	only19(IDRetransmitUp, &Retransmit{IDVehicleText, 0, 0, 0, sampleFrom, false})
	only19(IDRetransmitDown, &Retransmit{BeginMsgSN: 10, EndMsgSN: 12, Short: true})
	only19(IDRetransmitDown, &Retransmit{IDPosition, 3, 10, 12, 0, false})

	same(IDMonitorCall, func() Body { return &MonitorCall{padded("01088886666-12", 20)} })
	all(IDMonitorCallReply, func(ed Edition) Body {
		return &ControlReply{source(ed, IDMonitorCall), ControlFailed, IDMonitorCallReply}
	})
	same(IDPhotoRequest, func() Body { return &PhotoRequest{3, 6} })
	photo := []byte("\xff\xd8\xff\xe0 not much of a photo")
	all(IDPhotoReply, func(ed Edition) Body {
		return &PhotoReply{source(ed, IDPhotoRequest), PhotoDone, samplePosition(ed), 3, 6, PhotoJPEG, photo, false}
	})
	all(IDPhotoReply, func(ed Edition) Body {
		return &PhotoReply{source(ed, IDPhotoRequest), PhotoOffline, samplePosition(ed), 3, 0, 0, nil, false}
	})
	only19(IDPhotoReply, &PhotoReply{source(Edition2019, IDPhotoRequest), PhotoFailed, samplePosition(Edition2011), 3, 0, 0, nil, true})
	only19(IDPhotoReply, &PhotoReply{source(Edition2019, 0), PhotoUnsupported, samplePosition(Edition2011), 3, 1, PhotoJPEG, photo, true})
	same(IDVehicleText, func() Body { return &VehicleText{88, TextNormal, jt808.GBK("前方雾区，请减速")} })
	all(IDVehicleTextReply, func(ed Edition) Body {
		if ed == Edition2019 {
			return &VehicleTextReply{0, source(ed, IDVehicleText), ControlFailed}
		}
		return &VehicleTextReply{MsgID: 88, Result: ControlFailed}
	})
	list = append(list, downSample{IDRecorderRequest, Edition2011, &RecorderRequest{StartTime: sampleFrom, EndTime: sampleTo}},
		downSample{IDRecorderRequest, Edition2013, &RecorderRequest{CommandType: 3}},
		downSample{IDRecorderRequest, Edition2013, &RecorderRequest{sampleFrom, sampleTo, 0x10, 5556, 15}},
		downSample{IDRecorderRequest, Edition2013, &RecorderRequest{StartTime: sampleFrom, EndTime: sampleTo, Layout: 16}},
		downSample{IDRecorderRequest, Edition2019, &RecorderRequest{StartTime: sampleFrom, EndTime: sampleTo, CommandType: 0x08}},
		downSample{IDRecorderRequest, Edition2019, &RecorderRequest{CommandType: 0x15, Layout: 1}})
	all(IDRecorderReply, func(ed Edition) Body {
		m := &RecorderReply{source(ed, IDRecorderRequest), 0x08, []byte{0x55, 0x7A, 0x08, 0, 0, 0, 0x27}, 0}
		if ed == Edition2011 {
			m.CommandType = 0
		}
		return m
	})
	same(IDEmergencyAccess, func() Body {
		return &EmergencyAccess{[10]byte{'5', 'k', 'Q', '-', '0', '7', '3', '1'}, padded("cmnet", 20), padded("card", 49), padded("card", 22),
			padded("203.0.113.24", 32), 9808, 9809, sampleTo}
	})
	all(IDEmergencyAccessReply, func(ed Edition) Body {
		return &ControlReply{source(ed, IDEmergencyAccess), EmergencyUnknown, IDEmergencyAccessReply}
	})

	all(IDStaticData, func(ed Edition) Body { return &StaticData{source(ed, IDStaticQuery), info, info.Text()} })

	platform := Text("53010000417")
	same(IDTokens, func() Body { return &Tokens{platform, sampleToken, padded("abc", 64)} })
	same(IDTokenReply, func() Body { return &TokenReply{} })
	same(IDTokenReply, func() Body { return &TokenReply{platform, sampleToken} })
	for _, c := range []Crossing{{}, {true, samplePosition(Edition2011)}} {
		same(IDVideoStart, func() Body { return &VideoStart{1, 2, sampleToken, c} })
		same(IDRecordingQuery, func() Body { return &RecordingQuery{1, sampleFrom, 0, 1 << 33, 3, 1, 2, sampleToken, c} })
		same(IDPlaybackStart, func() Body { return &PlaybackStart{1, 0, 1, 2, sampleFrom, sampleTo, sampleToken, c} })
		same(IDDownloadStart, func() Body { return &DownloadStart{1, sampleFrom, sampleTo, 2, 2, 1, 1, 1 << 20, sampleToken, c} })
	}
	same(IDVideoStartReply, func() Body { return &VideoStartReply{VideoWrongToken, padded("203.0.113.24", 32), 8080} })
	same(IDVideoStop, func() Body { return &VideoStop{1, 1} })
	for _, id := range []MessageID{IDVideoStopReply, IDPlaybackControlReply, IDDownloadControlReply} {
		same(id, func() Body { return &VideoResult{VideoSessionEnded} })
	}
	items := []Recording{{3, sampleFrom, sampleTo, 1<<38 | 2, 2, 1, 2, 1 << 20}, {4, sampleTo, sampleTo + 60, 0, 0, 1, 1, 7}}
	same(IDRecordingList, func() Body { return &RecordingList{items} })
	same(IDRecordingListReply, func() Body { return &RecordingListReply{VideoOK, 2} })
	same(IDRecordingQueryReply, func() Body { return &RecordingQueryReply{VideoOK, items[:1]} })
	same(IDRecordingQueryReply, func() Body { return &RecordingQueryReply{Result: VideoUnsupported} })
	same(IDPlaybackStartReply, func() Body { return &PlaybackStartReply{padded("203.0.113.24", 32), 8080, VideoNotInRegion} })
	same(IDPlaybackControl, func() Body { return &PlaybackControl{5, 0, sampleFrom} })
	same(IDDownloadStartReply, func() Body { return &DownloadStartReply{VideoOK, 900} })
	same(IDDownloadDone, func() Body {
		return &DownloadDone{VideoOK, 900, padded("203.0.113.24", 32), 21, padded("ftp", 49), padded("secret", 22), padded("/a/b.mp4", 200)}
	})
	same(IDDownloadDoneReply, func() Body { return &DownloadDoneReply{VideoFailed, 900} })
	same(IDDownloadControl, func() Body { return &DownloadControl{900, 2} })
	return list
}
