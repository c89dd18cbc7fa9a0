package jt808

import "fmt"

// MessageID is the id of a message.
type MessageID uint16

// The messages of JT/T 808 (annex B).
const (
	IDTerminalAck        MessageID = 0x0001
	IDHeartbeat          MessageID = 0x0002
	IDDeregister         MessageID = 0x0003
	IDQueryTime          MessageID = 0x0004
	IDTerminalResend     MessageID = 0x0005
	IDRegister           MessageID = 0x0100
	IDDeregisterMisprint MessageID = 0x0101 // what annex B of 2011 prints for 0x0003
	IDAuthenticate       MessageID = 0x0102
	IDParametersReply    MessageID = 0x0104
	IDAttributes         MessageID = 0x0107
	IDUpgradeResult      MessageID = 0x0108
	IDLocation           MessageID = 0x0200
	IDLocationReply      MessageID = 0x0201
	IDEventReport        MessageID = 0x0301
	IDQuestionAnswer     MessageID = 0x0302
	IDInfoOrder          MessageID = 0x0303
	IDVehicleControlled  MessageID = 0x0500
	IDAreaData           MessageID = 0x0608
	IDRecorderData       MessageID = 0x0700
	IDWaybill            MessageID = 0x0701
	IDDriverIdentity     MessageID = 0x0702
	IDBatch              MessageID = 0x0704
	IDCANData            MessageID = 0x0705
	IDMediaEvent         MessageID = 0x0800
	IDMediaData          MessageID = 0x0801
	IDStoredMediaList    MessageID = 0x0802
	IDShootReply         MessageID = 0x0805
	IDUplink             MessageID = 0x0900
	IDCompressed         MessageID = 0x0901
	IDTerminalKey        MessageID = 0x0A00
	IDPlatformAck        MessageID = 0x8001
	IDPlatformResend     MessageID = 0x8003
	IDServerTime         MessageID = 0x8004
	IDRegisterReply      MessageID = 0x8100
	IDSetParameters      MessageID = 0x8103
	IDQueryAllParameters MessageID = 0x8104
	IDTerminalControl    MessageID = 0x8105
	IDQueryParameters    MessageID = 0x8106
	IDQueryAttributes    MessageID = 0x8107
	IDUpgradePackage     MessageID = 0x8108
	IDQueryLocation      MessageID = 0x8201
	IDTracking           MessageID = 0x8202
	IDConfirmAlarm       MessageID = 0x8203
	IDLinkCheck          MessageID = 0x8204
	IDText               MessageID = 0x8300
	IDSetEvents          MessageID = 0x8301
	IDQuestion           MessageID = 0x8302
	IDInfoMenu           MessageID = 0x8303
	IDInfoContent        MessageID = 0x8304
	IDCallBack           MessageID = 0x8400
	IDPhoneBook          MessageID = 0x8401
	IDVehicleControl     MessageID = 0x8500
	IDSetCircles         MessageID = 0x8600
	IDDeleteCircles      MessageID = 0x8601
	IDSetRectangles      MessageID = 0x8602
	IDDeleteRectangles   MessageID = 0x8603
	IDSetPolygon         MessageID = 0x8604
	IDDeletePolygons     MessageID = 0x8605
	IDSetRoute           MessageID = 0x8606
	IDDeleteRoutes       MessageID = 0x8607
	IDQueryAreas         MessageID = 0x8608
	IDRecorderCollect    MessageID = 0x8700
	IDRecorderSet        MessageID = 0x8701
	IDRequestDriver      MessageID = 0x8702
	IDMediaAck           MessageID = 0x8800
	IDShoot              MessageID = 0x8801
	IDSearchMedia        MessageID = 0x8802
	IDUploadMedia        MessageID = 0x8803
	IDRecordSound        MessageID = 0x8804
	IDUploadMediaItem    MessageID = 0x8805
	IDDownlink           MessageID = 0x8900
	IDPlatformKey        MessageID = 0x8A00
)

// The messages of JT/T 1078-2016.
const (
	IDAVAttributes      MessageID = 0x1003
	IDPassengerFlow     MessageID = 0x1005
	IDResourceList      MessageID = 0x1205
	IDFileUploaded      MessageID = 0x1206
	IDQueryAVAttributes MessageID = 0x9003
	IDStartStream       MessageID = 0x9101
	IDControlStream     MessageID = 0x9102
	IDStreamStatus      MessageID = 0x9105
	IDStartPlayback     MessageID = 0x9201
	IDControlPlayback   MessageID = 0x9202
	IDQueryResources    MessageID = 0x9205
	IDUploadFile        MessageID = 0x9206
	IDControlUpload     MessageID = 0x9207
	IDPTZRotate         MessageID = 0x9301
	IDPTZFocus          MessageID = 0x9302
	IDPTZAperture       MessageID = 0x9303
	IDPTZWiper          MessageID = 0x9304
	IDInfraredLight     MessageID = 0x9305
	IDPTZZoom           MessageID = 0x9306
)

// The messages of T/JSATL 12-2017, and one of T/GDRTA 002-2020.
const (
	IDAttachments      MessageID = 0x1210
	IDFileInfo         MessageID = 0x1211
	IDFileDone         MessageID = 0x1212
	IDUpgradeProgress  MessageID = 0x1FC4 // T/GDRTA 002
	IDOrderAttachments MessageID = 0x9208
	IDFileDoneReply    MessageID = 0x9212
)

func (id MessageID) String() string { return fmt.Sprintf("0x%04x", uint16(id)) }
