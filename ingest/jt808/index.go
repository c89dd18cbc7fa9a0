package jt808

// message is a row of the index: what a message is called, and its body.
type message struct {
	name string
	body func() Body
}

func body[T any, P interface {
	*T
	Body
}]() Body {
	return P(new(T))
}

// index is the list of messages: JT/T 808 (annex B of each edition), JT/T 1078-2016, T/JSATL 12-2017.
var index = map[MessageID]message{
	IDTerminalAck:        {"terminal general ack", body[Ack]},
	IDHeartbeat:          {"heartbeat", body[Empty]},
	IDDeregister:         {"deregister", body[Empty]},
	IDDeregisterMisprint: {"deregister", body[Empty]},
	IDQueryTime:          {"query server time", body[Empty]},
	IDTerminalResend:     {"terminal resend request", body[Resend]},
	IDRegister:           {"register", body[Register]},
	IDAuthenticate:       {"authenticate", body[Authenticate]},
	IDParametersReply:    {"parameters reply", body[ParametersReply]},
	IDAttributes:         {"attributes reply", body[Attributes]},
	IDUpgradeResult:      {"upgrade result", body[UpgradeResult]},
	IDLocation:           {"location report", body[Location]},
	IDLocationReply:      {"location query reply", body[LocationReply]},
	IDEventReport:        {"event report", body[EventReport]},
	IDQuestionAnswer:     {"question answer", body[QuestionAnswer]},
	IDInfoOrder:          {"info order/cancel", body[InfoOrder]},
	IDVehicleControlled:  {"vehicle control result", body[LocationReply]},
	IDAreaData:           {"area/route data reply", body[AreaData]},
	IDRecorderData:       {"recorder data", body[RecorderData]},
	IDWaybill:            {"e-waybill", body[Waybill]},
	IDDriverIdentity:     {"driver identity", body[DriverIdentity]},
	IDBatch:              {"batch location", body[BatchReport]},
	IDCANData:            {"CAN data", body[CANData]},
	IDMediaEvent:         {"media event", body[MediaHead]},
	IDMediaData:          {"media data", body[MediaData]},
	IDStoredMediaList:    {"stored media list", body[StoredMediaList]},
	IDShootReply:         {"shoot reply", body[ShootReply]},
	IDUplink:             {"uplink pass-through", body[PassThrough]},
	IDCompressed:         {"compressed data", body[Compressed]},
	IDTerminalKey:        {"terminal RSA key", body[PublicKey]},
	IDPlatformAck:        {"platform general ack", body[Ack]},
	IDPlatformResend:     {"platform resend request", body[Resend]},
	IDServerTime:         {"server time", body[ServerTime]},
	IDRegisterReply:      {"register reply", body[RegisterReply]},
	IDSetParameters:      {"set parameters", body[SetParameters]},
	IDQueryAllParameters: {"query all parameters", body[Empty]},
	IDTerminalControl:    {"terminal control", body[TerminalControl]},
	IDQueryParameters:    {"query listed parameters", body[QueryParameters]},
	IDQueryAttributes:    {"query attributes", body[Empty]},
	IDUpgradePackage:     {"upgrade package", body[UpgradePackage]},
	IDQueryLocation:      {"query location", body[Empty]},
	IDTracking:           {"temporary tracking", body[Tracking]},
	IDConfirmAlarm:       {"manual alarm confirm", body[ConfirmAlarm]},
	IDLinkCheck:          {"link check", body[Empty]},
	IDText:               {"text to driver", body[TextMessage]},
	IDSetEvents:          {"set events", body[SetEvents]},
	IDQuestion:           {"ask question", body[Question]},
	IDInfoMenu:           {"info menu", body[InfoMenu]},
	IDInfoContent:        {"info content", body[InfoContent]},
	IDCallBack:           {"call back", body[CallBack]},
	IDPhoneBook:          {"phone book", body[PhoneBook]},
	IDVehicleControl:     {"vehicle control", body[VehicleControl]},
	IDSetCircles:         {"set circles", body[SetCircles]},
	IDDeleteCircles:      {"delete circles", body[DeleteAreas]},
	IDSetRectangles:      {"set rectangles", body[SetRectangles]},
	IDDeleteRectangles:   {"delete rectangles", body[DeleteAreas]},
	IDSetPolygon:         {"set polygon", body[Polygon]},
	IDDeletePolygons:     {"delete polygons", body[DeleteAreas]},
	IDSetRoute:           {"set route", body[Route]},
	IDDeleteRoutes:       {"delete routes", body[DeleteAreas]},
	IDQueryAreas:         {"query areas/routes", body[QueryAreas]},
	IDRecorderCollect:    {"recorder collect", body[RecorderCommand]},
	IDRecorderSet:        {"recorder set", body[RecorderCommand]},
	IDRequestDriver:      {"request driver identity", body[Empty]},
	IDMediaAck:           {"media data ack", body[MediaAck]},
	IDShoot:              {"shoot now", body[Shoot]},
	IDSearchMedia:        {"search stored media", body[MediaSearch]},
	IDUploadMedia:        {"upload stored media", body[UploadMedia]},
	IDRecordSound:        {"record sound", body[RecordSound]},
	IDUploadMediaItem:    {"upload one stored item", body[UploadMediaItem]},
	IDDownlink:           {"downlink pass-through", body[PassThrough]},
	IDPlatformKey:        {"platform RSA key", body[PublicKey]},

	IDAVAttributes:      {"A/V attributes", body[AVAttributes]},
	IDPassengerFlow:     {"passenger flow", body[PassengerFlow]},
	IDResourceList:      {"A/V resource list", body[ResourceList]},
	IDFileUploaded:      {"file upload done", body[FileUploaded]},
	IDQueryAVAttributes: {"query A/V attributes", body[Empty]},
	IDStartStream:       {"start live stream", body[StartStream]},
	IDControlStream:     {"control live stream", body[ControlStream]},
	IDStreamStatus:      {"live stream status", body[StreamStatus]},
	IDStartPlayback:     {"start playback", body[StartPlayback]},
	IDControlPlayback:   {"control playback", body[ControlPlayback]},
	IDQueryResources:    {"query resources", body[QueryResources]},
	IDUploadFile:        {"FTP upload order", body[UploadFile]},
	IDControlUpload:     {"control upload", body[ControlUpload]},
	IDPTZRotate:         {"PTZ rotate", body[PTZRotate]},
	IDPTZFocus:          {"PTZ focus", body[PTZAdjust]},
	IDPTZAperture:       {"PTZ aperture", body[PTZAdjust]},
	IDPTZWiper:          {"PTZ wiper", body[PTZSwitch]},
	IDInfraredLight:     {"infrared light", body[PTZSwitch]},
	IDPTZZoom:           {"PTZ zoom", body[PTZAdjust]},

	IDAttachments:      {"alarm attachment list", body[Attachments]},
	IDFileInfo:         {"file info", body[FileInfo]},
	IDFileDone:         {"file done", body[FileInfo]},
	IDUpgradeProgress:  {"upgrade progress", body[UpgradeProgress]},
	IDOrderAttachments: {"order attachments", body[OrderAttachments]},
	IDFileDoneReply:    {"file done reply", body[FileDoneReply]},
}

// NewBody makes the body of a message, ready for decoding; nil for a message that is in none of the standards.
func NewBody(id MessageID) Body {
	if m := index[id]; m.body != nil {
		return m.body()
	}
	return nil
}

// DecodeBody decodes into a body that NewBody made.
func DecodeBody(b []byte, ed Edition, m Body) error {
	_, err := decodeBody(b, ed, m)
	return err
}

// Name is what the message is called, empty for one that is in none of the standards. The ranges that they leave to
// makers have a name too.
func (id MessageID) Name() string {
	if m, ok := index[id]; ok {
		return m.name
	}
	switch {
	case id >= 0x0F00 && id <= 0x0FFF:
		return "reserved uplink"
	case id >= 0x8F00 && id <= 0x8FFF:
		return "reserved downlink"
	case id >= 0xE000 && id <= 0xEFFF:
		return "vendor uplink"
	case id >= 0xF000:
		return "vendor downlink"
	}
	return ""
}
