package jt809

// newBodyB makes the bodies of 0x9200, 0x1300 and 0x9300, 0x1500 and 0x9500, 0x1600 and 0x9600, and of JT/T 1078
// (0x17xx to 0x1Bxx, 0x97xx to 0x9Bxx); nil where the id is none of them. Which variant the data have, the walks see for
// themselves.
func newBodyB(id MessageID, _ Edition, _ int) Body {
	switch id {
	case IDRegistrationReply:
		return new(RegistrationReply)
	case IDPositionDown:
		return new(Position)
	case IDPositionBatchDown:
		return new(PositionBatch)
	case IDVehicleInfo:
		return new(VehicleInfo)
	case IDExchangeStart:
		return new(ExchangeStart)
	case IDExchangeEnd:
		return new(ExchangeEnd)
	case IDApplyStartReply:
		return &ApplyReply{kind: IDApplyStartReply}
	case IDApplyEndReply:
		return &ApplyReply{kind: IDApplyEndReply}
	case IDApplyHistoryReply:
		return &ApplyReply{kind: IDApplyHistoryReply}
	case IDDriverQuery:
		return new(DriverQuery)
	case IDWaybillQuery, IDRouteQuery, IDStaticQuery, IDTokenQuery:
		return new(Empty)
	case IDRouteAck:
		return new(RouteAck)
	case IDRouteExchange, IDRouteReply:
		return new(Route)

	case IDInspection:
		return new(Inspection)
	case IDInspectionReply:
		return new(InspectionReply)
	case IDPlatformText:
		return new(PlatformText)
	case IDPlatformTextReply:
		return new(PlatformTextReply)
	case IDRetransmitUp, IDRetransmitDown:
		return new(Retransmit)

	case IDMonitorCall:
		return new(MonitorCall)
	case IDMonitorCallReply:
		return &ControlReply{kind: IDMonitorCallReply}
	case IDPhotoRequest:
		return new(PhotoRequest)
	case IDPhotoReply:
		return new(PhotoReply)
	case IDVehicleText:
		return new(VehicleText)
	case IDVehicleTextReply:
		return new(VehicleTextReply)
	case IDRecorderRequest:
		return new(RecorderRequest)
	case IDRecorderReply:
		return new(RecorderReply)
	case IDEmergencyAccess:
		return new(EmergencyAccess)
	case IDEmergencyAccessReply:
		return &ControlReply{kind: IDEmergencyAccessReply}

	case IDStaticData:
		return new(StaticData)

	case IDTokens:
		return new(Tokens)
	case IDTokenReply:
		return new(TokenReply)
	case IDVideoStart:
		return new(VideoStart)
	case IDVideoStartReply:
		return new(VideoStartReply)
	case IDVideoStop:
		return new(VideoStop)
	case IDVideoStopReply, IDPlaybackControlReply, IDDownloadControlReply:
		return new(VideoResult)
	case IDRecordingList:
		return new(RecordingList)
	case IDRecordingListReply:
		return new(RecordingListReply)
	case IDRecordingQuery:
		return new(RecordingQuery)
	case IDRecordingQueryReply:
		return new(RecordingQueryReply)
	case IDPlaybackStart:
		return new(PlaybackStart)
	case IDPlaybackStartReply:
		return new(PlaybackStartReply)
	case IDPlaybackControl:
		return new(PlaybackControl)
	case IDDownloadStart:
		return new(DownloadStart)
	case IDDownloadStartReply:
		return new(DownloadStartReply)
	case IDDownloadDone:
		return new(DownloadDone)
	case IDDownloadDoneReply:
		return new(DownloadDoneReply)
	case IDDownloadControl:
		return new(DownloadControl)
	}
	return nil
}
