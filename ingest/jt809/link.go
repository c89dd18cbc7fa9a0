package jt809

// Results of LoginReply.
const (
	LoginOK          uint8 = 0
	LoginBadAddress  uint8 = 1
	LoginBadCentre   uint8 = 2
	LoginBadUser     uint8 = 3
	LoginBadPassword uint8 = 4
	LoginBusy        uint8 = 5 // no resources, or connected already: try again later
	LoginOther       uint8 = 6 // 2011, 2013
	LoginOther2019   uint8 = 0xFF
)

var loginResults = meanings{LoginOK: "ok", LoginBadAddress: "wrong address", LoginBadCentre: "wrong centre id",
	LoginBadUser: "user not registered", LoginBadPassword: "wrong password", LoginBusy: "no resources, try again later",
	LoginOther: "other", LoginOther2019: "other"}

// Login is 0x1001: the inferior platform logs in, and says where its server of the sub link is.
type Login struct {
	UserID       uint32
	Password     Text // 8 bytes
	CentreID     uint32
	DownLinkIP   Text // 32 bytes
	DownLinkPort uint16
	// Layout is the length of the data where they have the layout of another edition: 46 or 50 bytes, the latter with the
	// centre id. 0 is the edition's own.
	Layout uint16
}

const (
	loginSize     = 46
	loginSize2019 = 50
)

func (m *Login) walk(f *fields) {
	usual := loginSize
	if f.has(FeatureLoginCentre) {
		usual = loginSize2019
	}
	size := f.layoutSize(&m.Layout, usual, loginSize, loginSize2019)
	f.U32("user_id", &m.UserID)
	f.Text("password", 8, zeroEnd, &m.Password)
	if size == loginSize2019 {
		f.U32("centre_id", &m.CentreID)
	}
	f.Text("down_link_ip", 32, zeroEnd, &m.DownLinkIP)
	f.U16("down_link_port", &m.DownLinkPort)
}

// LoginReply is 0x1002.
type LoginReply struct {
	Result     uint8
	VerifyCode uint32 // to be repeated on the sub link; of no meaning after a failure
}

func (m *LoginReply) walk(f *fields) {
	f.Code8("result", &m.Result, loginResults)
	f.U32("verify_code", &m.VerifyCode)
}

// Logout is 0x1003.
type Logout struct {
	UserID   uint32
	Password Text // 8 bytes
}

func (m *Logout) walk(f *fields) {
	f.U32("user_id", &m.UserID)
	f.Text("password", 8, zeroEnd, &m.Password)
}

// Codes of MainBroken.
const (
	MainBrokenLink      uint8 = 0
	MainBrokenOther     uint8 = 1 // 2011, 2013
	MainBrokenOther2019 uint8 = 0xFF
)

// MainBroken is 0x1007: the inferior tells on the sub link that the main link broke.
type MainBroken struct{ ErrorCode uint8 }

func (m *MainBroken) walk(f *fields) {
	f.Code8("error_code", &m.ErrorCode, meanings{MainBrokenLink: "main link broken", MainBrokenOther: "other",
		MainBrokenOther2019: "other"})
}

// Reasons of InferiorCloses and SuperiorCloses.
const (
	ClosesRestart   uint8 = 0
	ClosesOther     uint8 = 1 // 2011, 2013
	ClosesOther2019 uint8 = 0xFF
)

var closeReasons = meanings{ClosesRestart: "gateway restart", ClosesOther: "other", ClosesOther2019: "other"}

// InferiorCloses is 0x1008: the inferior, the server of the sub link, will close both links.
type InferiorCloses struct{ ReasonCode uint8 }

func (m *InferiorCloses) walk(f *fields) { f.Code8("reason_code", &m.ReasonCode, closeReasons) }

// SuperiorCloses is 0x9008: the superior, the server of the main link, will close both links.
type SuperiorCloses struct{ ReasonCode uint8 }

func (m *SuperiorCloses) walk(f *fields) { f.Code8("reason_code", &m.ReasonCode, closeReasons) }

// SubLogin is 0x9001: the superior logs in at the inferior's server of the sub link, with the code of the last 0x1002.
type SubLogin struct{ VerifyCode uint32 }

func (m *SubLogin) walk(f *fields) { f.U32("verify_code", &m.VerifyCode) }

// Results of SubLoginReply.
const (
	SubLoginOK        uint8 = 0
	SubLoginBadCode   uint8 = 1
	SubLoginBusy      uint8 = 2 // no resources, or connected already
	SubLoginOther     uint8 = 3 // 2011, 2013
	SubLoginOther2019 uint8 = 0xFF
)

// SubLoginReply is 0x9002.
type SubLoginReply struct{ Result uint8 }

func (m *SubLoginReply) walk(f *fields) {
	f.Code8("result", &m.Result, meanings{SubLoginOK: "ok", SubLoginBadCode: "wrong verify code",
		SubLoginBusy: "no resources", SubLoginOther: "other", SubLoginOther2019: "other"})
}

// SubLogout is 0x9003.
type SubLogout struct{ VerifyCode uint32 }

func (m *SubLogout) walk(f *fields) { f.U32("verify_code", &m.VerifyCode) }

// Codes of SubBroken.
const (
	SubUnreachable     uint8 = 0 // the address that 0x1001 gave cannot be reached
	SubDisconnected    uint8 = 1
	SubBrokenOther     uint8 = 2 // 2011, 2013
	SubBrokenOther2019 uint8 = 0xFF
)

// SubBroken is 0x9007: the superior tells on the main link that the sub link is lost.
type SubBroken struct{ ErrorCode uint8 }

func (m *SubBroken) walk(f *fields) {
	f.Code8("error_code", &m.ErrorCode, meanings{SubUnreachable: "address cannot be reached",
		SubDisconnected: "disconnected", SubBrokenOther: "other", SubBrokenOther2019: "other"})
}
