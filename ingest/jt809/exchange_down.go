package jt809

// Results of RegistrationReply and RouteAck.
const (
	RecordNoted    uint8 = 0
	RecordApproved uint8 = 1
	RecordWrong    uint8 = 2
	RecordRefused  uint8 = 3
)

// RegistrationReply is 0x9201, the answer to 0x1201. 2019 only.
type RegistrationReply struct {
	Source
	Result uint8
}

func (m *RegistrationReply) walk(f *fields) {
	f.source(&m.Source)
	f.Code8("result", &m.Result, meanings{RecordNoted: "registered, with remark", RecordApproved: "approved and registered",
		RecordWrong: "wrong data, not registered", RecordRefused: "refused"})
}

// VehicleInfo is 0x9204: what is known of a vehicle from elsewhere that came into the area, as KEY:=value pairs.
type VehicleInfo struct {
	Info    Info // what CarInfo says; encoded where CarInfo is empty
	CarInfo Text // as it came
}

func (m *VehicleInfo) walk(f *fields) { f.info("car_info", &m.CarInfo, &m.Info) }

// Reasons of ExchangeStart.
const (
	StartEntered   uint8 = 0
	StartByHand    uint8 = 1
	StartEmergency uint8 = 2
)

// ReasonOther is the reason "other" of 0x9205 and 0x9206 in 2019; 2011 has 3 and 4.
const ReasonOther uint8 = 0xFF

// ExchangeStart is 0x9205: positions of the vehicle are to be exchanged from now on.
type ExchangeStart struct{ ReasonCode uint8 }

func (m *ExchangeStart) walk(f *fields) {
	f.Code8("reason_code", &m.ReasonCode, meanings{StartEntered: "vehicle entered the area", StartByHand: "ordered by hand",
		StartEmergency: "emergency return of positions", 3: "other", ReasonOther: "other"})
}

// Reasons of ExchangeEnd.
const (
	EndLeft      uint8 = 0
	EndByHand    uint8 = 1
	EndEmergency uint8 = 2
	EndOffline   uint8 = 3
)

// ExchangeEnd is 0x9206: the exchange of positions ends.
type ExchangeEnd struct{ ReasonCode uint8 }

func (m *ExchangeEnd) walk(f *fields) {
	f.Code8("reason_code", &m.ReasonCode, meanings{EndLeft: "vehicle left the area", EndByHand: "stopped by hand",
		EndEmergency: "emergency over", EndOffline: "vehicle off-line", 4: "other", ReasonOther: "other"})
}

// ApplyReply is 0x9207, 0x9208 and 0x9209: what the superior says to an application for the positions of a vehicle
// (0x1207), to its end (0x1208), and to one for what was missed (0x1209). Its results are those of the message.
type ApplyReply struct {
	Source
	Result uint8

	kind MessageID // of the answer, for the meanings; 0 where the edition's Source says it
}

// Results of ApplyReply.
const (
	ApplyGranted  uint8 = 0 // 0x9208: cancelled; 0x9209: sent now
	ApplyNoData   uint8 = 1 // 0x9208: no such application
	HistoryLater  uint8 = 1 // 0x9209: sent later
	HistoryNoData uint8 = 2
	HistoryWrong  uint8 = 3
	HistoryOther  uint8 = 4
)

var applyResults = map[MessageID]meanings{
	IDApplyStartReply: {ApplyGranted: "granted", ApplyNoData: "no data of this vehicle", 2: "wrong period", 3: "other"},
	IDApplyEndReply:   {0: "cancelled", 1: "no such application", 2: "other"},
	IDApplyHistoryReply: {0: "ok, sent now", HistoryLater: "ok, sent later", HistoryNoData: "no such data",
		HistoryWrong: "wrong request", HistoryOther: "other"},
}

func (m *ApplyReply) walk(f *fields) {
	f.source(&m.Source)
	f.Code8("result", &m.Result, applyResults[m.kind])
}

// Flags of DriverQuery.
const (
	DriverLast uint8 = 0
	DriverNow  uint8 = 1
)

// DriverQuery is 0x920A: who drives? Without data before 2019.
type DriverQuery struct{ Flag uint8 }

func (m *DriverQuery) walk(f *fields) {
	if f.has(FeatureDriverFlag) {
		f.Code8("flag", &m.Flag, meanings{DriverLast: "the last one received", DriverNow: "fetch from the terminal now"})
	}
}

// RouteAck is 0x920D: what became of a route that was reported. 2019 only.
type RouteAck struct {
	DrvlineID uint32 // route_id of the route
	Result    uint8
	Reason    Text // why it was refused
}

func (m *RouteAck) walk(f *fields) {
	f.U32("drvline_id", &m.DrvlineID)
	f.Code8("result", &m.Result, meanings{RecordNoted: "recorded", RecordApproved: "approved and recorded",
		RecordWrong: "wrong data, not recorded", RecordRefused: "refused"})
	f.TextLoose("reason_length", "reason", 2, &m.Reason)
}
