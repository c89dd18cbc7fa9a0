package jt809

import "fmt"

// MessageID is the id of a message, in the header, or of a sub-message (data_type).
type MessageID uint16

// Links, logins and heartbeats.
const (
	IDLogin             MessageID = 0x1001
	IDLoginReply        MessageID = 0x1002
	IDLogout            MessageID = 0x1003
	IDLogoutReply       MessageID = 0x1004
	IDHeartbeat         MessageID = 0x1005
	IDHeartbeatReply    MessageID = 0x1006
	IDMainBroken        MessageID = 0x1007
	IDInferiorCloses    MessageID = 0x1008
	IDSubLogin          MessageID = 0x9001
	IDSubLoginReply     MessageID = 0x9002
	IDSubLogout         MessageID = 0x9003
	IDSubLogoutReply    MessageID = 0x9004
	IDSubHeartbeat      MessageID = 0x9005
	IDSubHeartbeatReply MessageID = 0x9006
	IDSubBroken         MessageID = 0x9007
	IDSuperiorCloses    MessageID = 0x9008
)

// Statistics and serials.
const (
	IDPositionCountUp  MessageID = 0x1101
	IDTransferReport   MessageID = 0x1102
	IDSerialNoticeUp   MessageID = 0x1103
	IDPositionCount    MessageID = 0x9101
	IDTransferQuery    MessageID = 0x9102
	IDSerialNoticeDown MessageID = 0x9103
)

// Containers: the sub-message in them has its id as data_type.
const (
	IDExchangeUp     MessageID = 0x1200
	IDPlatformUp     MessageID = 0x1300
	IDAlarmUp        MessageID = 0x1400
	IDControlUp      MessageID = 0x1500
	IDStaticUp       MessageID = 0x1600
	IDTokenUp        MessageID = 0x1700
	IDVideoUp        MessageID = 0x1800
	IDRecordingsUp   MessageID = 0x1900
	IDPlaybackUp     MessageID = 0x1A00
	IDDownloadUp     MessageID = 0x1B00
	IDExchangeDown   MessageID = 0x9200
	IDPlatformDown   MessageID = 0x9300
	IDAlarmDown      MessageID = 0x9400
	IDControlDown    MessageID = 0x9500
	IDStaticDown     MessageID = 0x9600
	IDTokenDown      MessageID = 0x9700
	IDVideoDown      MessageID = 0x9800
	IDRecordingsDown MessageID = 0x9900
	IDPlaybackDown   MessageID = 0x9A00
	IDDownloadDown   MessageID = 0x9B00
)

// Vehicle data (0x1200, 0x9200).
const (
	IDRegistration       MessageID = 0x1201
	IDPosition           MessageID = 0x1202
	IDPositionBatch      MessageID = 0x1203
	IDExchangeStartReply MessageID = 0x1205
	IDExchangeEndReply   MessageID = 0x1206
	IDApplyStart         MessageID = 0x1207
	IDApplyEnd           MessageID = 0x1208
	IDApplyHistory       MessageID = 0x1209
	IDDriverReply        MessageID = 0x120A
	IDWaybillReply       MessageID = 0x120B
	IDDriverReport       MessageID = 0x120C
	IDWaybillReport      MessageID = 0x120D
	IDRouteReport        MessageID = 0x120E
	IDRegistrationReply  MessageID = 0x9201
	IDPositionDown       MessageID = 0x9202
	IDPositionBatchDown  MessageID = 0x9203
	IDVehicleInfo        MessageID = 0x9204
	IDExchangeStart      MessageID = 0x9205
	IDExchangeEnd        MessageID = 0x9206
	IDApplyStartReply    MessageID = 0x9207
	IDApplyEndReply      MessageID = 0x9208
	IDApplyHistoryReply  MessageID = 0x9209
	IDDriverQuery        MessageID = 0x920A
	IDWaybillQuery       MessageID = 0x920B
	IDRouteQuery         MessageID = 0x920C
	IDRouteAck           MessageID = 0x920D
	IDRouteExchange      MessageID = 0x920E
)

// Between platforms (0x1300, 0x9300).
const (
	IDInspectionReply   MessageID = 0x1301
	IDPlatformTextReply MessageID = 0x1302
	IDRetransmitUp      MessageID = 0x1303
	IDInspection        MessageID = 0x9301
	IDPlatformText      MessageID = 0x9302
	IDRetransmitDown    MessageID = 0x9303
)

// Alarms (0x1400, 0x9400).
const (
	IDSupervisionReply    MessageID = 0x1401
	IDAlarmReport         MessageID = 0x1402
	IDAlarmResult         MessageID = 0x1403
	IDSupervisionAnswered MessageID = 0x1411
	IDAlarmHandled        MessageID = 0x1412
	IDSupervisionSent     MessageID = 0x1413
	IDSupervision         MessageID = 0x9401
	IDAlarmTip            MessageID = 0x9402
	IDAlarmExchange       MessageID = 0x9403
)

// Control of vehicles (0x1500, 0x9500).
const (
	IDMonitorCallReply     MessageID = 0x1501
	IDPhotoReply           MessageID = 0x1502
	IDVehicleTextReply     MessageID = 0x1503
	IDRecorderReply        MessageID = 0x1504
	IDEmergencyAccessReply MessageID = 0x1505
	IDMonitorCall          MessageID = 0x9501
	IDPhotoRequest         MessageID = 0x9502
	IDVehicleText          MessageID = 0x9503
	IDRecorderRequest      MessageID = 0x9504
	IDEmergencyAccess      MessageID = 0x9505
)

// Static data (0x1600, 0x9600).
const (
	IDStaticData  MessageID = 0x1601
	IDRouteReply  MessageID = 0x1602
	IDStaticQuery MessageID = 0x9601
)

// Video signalling of JT/T 1078-2016, used with every edition (0x1700 to 0x1B00, 0x9700 to 0x9B00).
const (
	IDTokens               MessageID = 0x1701
	IDTokenQuery           MessageID = 0x1702
	IDVideoStartReply      MessageID = 0x1801
	IDVideoStopReply       MessageID = 0x1802
	IDRecordingList        MessageID = 0x1901
	IDRecordingQueryReply  MessageID = 0x1902
	IDPlaybackStartReply   MessageID = 0x1A01
	IDPlaybackControlReply MessageID = 0x1A02
	IDDownloadStartReply   MessageID = 0x1B01
	IDDownloadDone         MessageID = 0x1B02
	IDDownloadControlReply MessageID = 0x1B03
	IDTokenReply           MessageID = 0x9702
	IDVideoStart           MessageID = 0x9801
	IDVideoStop            MessageID = 0x9802
	IDRecordingListReply   MessageID = 0x9901
	IDRecordingQuery       MessageID = 0x9902
	IDPlaybackStart        MessageID = 0x9A01
	IDPlaybackControl      MessageID = 0x9A02
	IDDownloadStart        MessageID = 0x9B01
	IDDownloadDoneReply    MessageID = 0x9B02
	IDDownloadControl      MessageID = 0x9B03
)

// MessageInfo is what the standard says of a message as a whole.
type MessageInfo struct {
	Name   string
	Up     bool      // from the inferior platform to the superior
	Main   bool      // its own link is the main link; every data message may come on the other
	Since  Edition   // the first edition that has it
	Answer MessageID // 0: needs none, or is an answer
}

func (id MessageID) String() string { return fmt.Sprintf("0x%04x", uint16(id)) }

// Info returns what is known of a message; ok is false for one outside of the standard.
func (id MessageID) Info() (m MessageInfo, ok bool) {
	m, ok = messages[id]
	return m, ok
}

// Name is the English name in lower-case words; empty for a message that is not known.
func (id MessageID) Name() string { return messages[id].Name }

// Container is the message that carries a sub-message, 0 where the id is itself one of the header: 0x1202 is carried by
// 0x1200.
func (id MessageID) Container() MessageID {
	if id&0x0f00 < 0x0200 || id&0xff == 0 {
		return 0
	}
	return id & 0xff00
}

// IsContainer reports whether the message carries sub-messages.
func (id MessageID) IsContainer() bool {
	_, ok := messages[id]
	return ok && id&0xff == 0
}

// MessageIDs lists the messages of the standard, containers too, in no order.
func MessageIDs() []MessageID {
	ids := make([]MessageID, 0, len(messages))
	for id := range messages {
		ids = append(ids, id)
	}
	return ids
}

// messages is the list of JT/T 809-2011 with its supplement of 2013, JT/T 809-2019 and JT/T 1078-2016.
var messages = map[MessageID]MessageInfo{
	IDLogin:                {Name: "login", Up: true, Main: true, Since: Edition2011, Answer: IDLoginReply},
	IDLoginReply:           {Name: "login reply", Main: true, Since: Edition2011},
	IDLogout:               {Name: "logout", Up: true, Main: true, Since: Edition2011, Answer: IDLogoutReply},
	IDLogoutReply:          {Name: "logout reply", Main: true, Since: Edition2011},
	IDHeartbeat:            {Name: "heartbeat", Up: true, Main: true, Since: Edition2011, Answer: IDHeartbeatReply},
	IDHeartbeatReply:       {Name: "heartbeat reply", Main: true, Since: Edition2011},
	IDMainBroken:           {Name: "main link broken", Up: true, Since: Edition2011},
	IDInferiorCloses:       {Name: "inferior closes both links", Up: true, Since: Edition2011},
	IDSubLogin:             {Name: "sub link login", Since: Edition2011, Answer: IDSubLoginReply},
	IDSubLoginReply:        {Name: "sub link login reply", Up: true, Since: Edition2011},
	IDSubLogout:            {Name: "sub link logout", Since: Edition2011, Answer: IDSubLogoutReply},
	IDSubLogoutReply:       {Name: "sub link logout reply", Up: true, Since: Edition2011},
	IDSubHeartbeat:         {Name: "sub link heartbeat", Since: Edition2011, Answer: IDSubHeartbeatReply},
	IDSubHeartbeatReply:    {Name: "sub link heartbeat reply", Up: true, Since: Edition2011},
	IDSubBroken:            {Name: "sub link broken", Main: true, Since: Edition2011},
	IDSuperiorCloses:       {Name: "superior closes both links", Main: true, Since: Edition2011},
	IDPositionCountUp:      {Name: "count of positions sent", Up: true, Main: true, Since: Edition2019},
	IDTransferReport:       {Name: "transfer report", Up: true, Main: true, Since: Edition2019},
	IDSerialNoticeUp:       {Name: "serial notice up", Up: true, Main: true, Since: Edition2019},
	IDPositionCount:        {Name: "count of positions", Since: Edition2011},
	IDTransferQuery:        {Name: "transfer query", Since: Edition2019, Answer: IDTransferReport},
	IDSerialNoticeDown:     {Name: "serial notice down", Since: Edition2019},
	IDExchangeUp:           {Name: "vehicle data up", Up: true, Main: true, Since: Edition2011},
	IDPlatformUp:           {Name: "platform message up", Up: true, Main: true, Since: Edition2011},
	IDAlarmUp:              {Name: "alarm message up", Up: true, Main: true, Since: Edition2011},
	IDControlUp:            {Name: "control message up", Up: true, Main: true, Since: Edition2011},
	IDStaticUp:             {Name: "static data up", Up: true, Main: true, Since: Edition2011},
	IDTokenUp:              {Name: "token message up", Up: true, Main: true, Since: Edition2011},
	IDVideoUp:              {Name: "live video message up", Up: true, Main: true, Since: Edition2011},
	IDRecordingsUp:         {Name: "recordings message up", Up: true, Main: true, Since: Edition2011},
	IDPlaybackUp:           {Name: "playback message up", Up: true, Main: true, Since: Edition2011},
	IDDownloadUp:           {Name: "download message up", Up: true, Main: true, Since: Edition2011},
	IDExchangeDown:         {Name: "vehicle data down", Since: Edition2011},
	IDPlatformDown:         {Name: "platform message down", Since: Edition2011},
	IDAlarmDown:            {Name: "alarm message down", Since: Edition2011},
	IDControlDown:          {Name: "control message down", Since: Edition2011},
	IDStaticDown:           {Name: "static data down", Since: Edition2011},
	IDTokenDown:            {Name: "token message down", Since: Edition2011},
	IDVideoDown:            {Name: "live video message down", Since: Edition2011},
	IDRecordingsDown:       {Name: "recordings message down", Since: Edition2011},
	IDPlaybackDown:         {Name: "playback message down", Since: Edition2011},
	IDDownloadDown:         {Name: "download message down", Since: Edition2011},
	IDRegistration:         {Name: "vehicle registration", Up: true, Main: true, Since: Edition2011, Answer: IDRegistrationReply},
	IDPosition:             {Name: "position", Up: true, Main: true, Since: Edition2011},
	IDPositionBatch:        {Name: "back-filled positions", Up: true, Main: true, Since: Edition2011},
	IDExchangeStartReply:   {Name: "exchange start reply", Up: true, Main: true, Since: Edition2011},
	IDExchangeEndReply:     {Name: "exchange end reply", Up: true, Main: true, Since: Edition2011},
	IDApplyStart:           {Name: "apply for positions", Up: true, Main: true, Since: Edition2011, Answer: IDApplyStartReply},
	IDApplyEnd:             {Name: "end of application for positions", Up: true, Main: true, Since: Edition2011, Answer: IDApplyEndReply},
	IDApplyHistory:         {Name: "apply for missed positions", Up: true, Main: true, Since: Edition2011, Answer: IDApplyHistoryReply},
	IDDriverReply:          {Name: "driver query reply", Up: true, Main: true, Since: Edition2011},
	IDWaybillReply:         {Name: "e-waybill query reply", Up: true, Main: true, Since: Edition2011},
	IDDriverReport:         {Name: "driver report", Up: true, Main: true, Since: Edition2013},
	IDWaybillReport:        {Name: "e-waybill report", Up: true, Main: true, Since: Edition2013},
	IDRouteReport:          {Name: "route report", Up: true, Main: true, Since: Edition2019, Answer: IDRouteAck},
	IDRegistrationReply:    {Name: "vehicle registration reply", Since: Edition2019},
	IDPositionDown:         {Name: "exchanged position", Since: Edition2011},
	IDPositionBatchDown:    {Name: "exchanged missed positions", Since: Edition2011},
	IDVehicleInfo:          {Name: "exchanged static data", Since: Edition2011},
	IDExchangeStart:        {Name: "exchange start", Since: Edition2011, Answer: IDExchangeStartReply},
	IDExchangeEnd:          {Name: "exchange end", Since: Edition2011, Answer: IDExchangeEndReply},
	IDApplyStartReply:      {Name: "apply for positions reply", Since: Edition2011},
	IDApplyEndReply:        {Name: "end of application reply", Since: Edition2011},
	IDApplyHistoryReply:    {Name: "apply for missed positions reply", Since: Edition2011},
	IDDriverQuery:          {Name: "driver query", Since: Edition2011, Answer: IDDriverReply},
	IDWaybillQuery:         {Name: "e-waybill query", Since: Edition2011, Answer: IDWaybillReply},
	IDRouteQuery:           {Name: "route query", Since: Edition2019, Answer: IDRouteReport},
	IDRouteAck:             {Name: "route reply", Since: Edition2019},
	IDRouteExchange:        {Name: "exchanged route", Since: Edition2019},
	IDInspectionReply:      {Name: "inspection reply", Up: true, Main: true, Since: Edition2011},
	IDPlatformTextReply:    {Name: "platform text reply", Up: true, Main: true, Since: Edition2011},
	IDRetransmitUp:         {Name: "retransmission request up", Up: true, Main: true, Since: Edition2019},
	IDInspection:           {Name: "inspection", Since: Edition2011, Answer: IDInspectionReply},
	IDPlatformText:         {Name: "platform text", Since: Edition2011, Answer: IDPlatformTextReply},
	IDRetransmitDown:       {Name: "retransmission request down", Since: Edition2019},
	IDSupervisionReply:     {Name: "supervision reply", Up: true, Main: true, Since: Edition2011},
	IDAlarmReport:          {Name: "alarm report", Up: true, Main: true, Since: Edition2011},
	IDAlarmResult:          {Name: "alarm result or tip", Up: true, Main: true, Since: Edition2013},
	IDSupervisionAnswered:  {Name: "supervision answered", Up: true, Main: true, Since: Edition2019},
	IDAlarmHandled:         {Name: "alarm handled", Up: true, Main: true, Since: Edition2019},
	IDSupervisionSent:      {Name: "supervision sent", Up: true, Main: true, Since: Edition2019},
	IDSupervision:          {Name: "supervision", Since: Edition2011, Answer: IDSupervisionReply},
	IDAlarmTip:             {Name: "alarm tip", Since: Edition2011},
	IDAlarmExchange:        {Name: "exchanged alarm", Since: Edition2011},
	IDMonitorCallReply:     {Name: "monitor call reply", Up: true, Main: true, Since: Edition2011},
	IDPhotoReply:           {Name: "photo reply", Up: true, Main: true, Since: Edition2011},
	IDVehicleTextReply:     {Name: "vehicle text reply", Up: true, Main: true, Since: Edition2011},
	IDRecorderReply:        {Name: "recorder reply", Up: true, Main: true, Since: Edition2011},
	IDEmergencyAccessReply: {Name: "emergency access reply", Up: true, Main: true, Since: Edition2011},
	IDMonitorCall:          {Name: "monitor call", Since: Edition2011, Answer: IDMonitorCallReply},
	IDPhotoRequest:         {Name: "photo request", Since: Edition2011, Answer: IDPhotoReply},
	IDVehicleText:          {Name: "vehicle text", Since: Edition2011, Answer: IDVehicleTextReply},
	IDRecorderRequest:      {Name: "recorder request", Since: Edition2011, Answer: IDRecorderReply},
	IDEmergencyAccess:      {Name: "emergency access", Since: Edition2011, Answer: IDEmergencyAccessReply},
	IDStaticData:           {Name: "static data", Up: true, Main: true, Since: Edition2011},
	IDRouteReply:           {Name: "route query reply", Up: true, Main: true, Since: Edition2019},
	IDStaticQuery:          {Name: "static data query", Since: Edition2011, Answer: IDStaticData},
	IDTokens:               {Name: "video tokens", Up: true, Main: true, Since: Edition2011},
	IDTokenQuery:           {Name: "video token query", Up: true, Main: true, Since: Edition2011, Answer: IDTokenReply},
	IDVideoStartReply:      {Name: "live video start reply", Up: true, Main: true, Since: Edition2011},
	IDVideoStopReply:       {Name: "live video stop reply", Up: true, Main: true, Since: Edition2011},
	IDRecordingList:        {Name: "recording list", Up: true, Main: true, Since: Edition2011, Answer: IDRecordingListReply},
	IDRecordingQueryReply:  {Name: "recording query reply", Up: true, Main: true, Since: Edition2011},
	IDPlaybackStartReply:   {Name: "playback start reply", Up: true, Main: true, Since: Edition2011},
	IDPlaybackControlReply: {Name: "playback control reply", Up: true, Main: true, Since: Edition2011},
	IDDownloadStartReply:   {Name: "download start reply", Up: true, Main: true, Since: Edition2011},
	IDDownloadDone:         {Name: "download done", Up: true, Main: true, Since: Edition2011, Answer: IDDownloadDoneReply},
	IDDownloadControlReply: {Name: "download control reply", Up: true, Main: true, Since: Edition2011},
	IDTokenReply:           {Name: "video token reply", Since: Edition2011},
	IDVideoStart:           {Name: "live video start", Since: Edition2011, Answer: IDVideoStartReply},
	IDVideoStop:            {Name: "live video stop", Since: Edition2011, Answer: IDVideoStopReply},
	IDRecordingListReply:   {Name: "recording list reply", Since: Edition2011},
	IDRecordingQuery:       {Name: "recording query", Since: Edition2011, Answer: IDRecordingQueryReply},
	IDPlaybackStart:        {Name: "playback start", Since: Edition2011, Answer: IDPlaybackStartReply},
	IDPlaybackControl:      {Name: "playback control", Since: Edition2011, Answer: IDPlaybackControlReply},
	IDDownloadStart:        {Name: "download start", Since: Edition2011, Answer: IDDownloadStartReply},
	IDDownloadDoneReply:    {Name: "download done reply", Since: Edition2011},
	IDDownloadControl:      {Name: "download control", Since: Edition2011, Answer: IDDownloadControlReply},
}
