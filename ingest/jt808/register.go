package jt808

import "lushao/ingest"

// registerFixed2013 is the length of 0x0100 of 2013 without the plate; a body of 2011 is 25 bytes and a plate.
const registerFixed2013 = 37

var plateColors = meanings{0: "no plate", 1: "blue", 2: "yellow", 3: "black", 4: "white", 5: "green", 9: "other",
	91: "farm yellow", 92: "farm green", 93: "yellow-green", 94: "gradient green"}

// Register is 0x0100: who the terminal is, and whose.
type Register struct {
	Province   uint16 // first 2 digits of GB/T 2260 as a number; 0 unknown
	City       uint16 // last 4 digits
	Maker      Text   // 5 bytes, 11 in 2019
	Model      Text   // 8, 20, 30 bytes
	TerminalID Text   // 7, 7, 30 bytes
	Color      uint8  // of the plate, ingest.Color; 0 no plate
	Plate      Text   // the VIN where there is no plate
}

func (m *Register) walk(f *fields) {
	f.U16("province_id", &m.Province)
	f.U16("city_id", &m.City)
	switch {
	case f.has(FeatureLongIDs):
		f.Text("maker_id", 11, zeroEnd, &m.Maker)
		f.Text("model", 30, zeroFront, &m.Model)
		f.Text("terminal_id", 30, zeroEnd, &m.TerminalID)
	case f.has(FeatureLongModel):
		f.Text("maker_id", 5, zeroEnd, &m.Maker)
		f.Text("model", 20, zeroEnd, &m.Model)
		f.Text("terminal_id", 7, zeroEnd, &m.TerminalID)
	default:
		f.Text("maker_id", 5, zeroEnd, &m.Maker)
		f.Text("model", 8, spaceEnd, &m.Model)
		f.Text("terminal_id", 7, zeroEnd, &m.TerminalID)
	}
	f.Code8("plate_color", &m.Color, plateColors)
	f.TextRest("plate", &m.Plate)
}

// Vehicle is the identity that the terminal claims; without a plate the VIN, of colour 0.
func (m *Register) Vehicle() (ingest.Vehicle, error) {
	return ingest.NewVehicle(m.Plate.String(), ingest.Color(m.Color))
}

// Results of RegisterReply.
const (
	RegisterOK                 uint8 = 0
	RegisterVehicleRegistered  uint8 = 1
	RegisterNoVehicle          uint8 = 2
	RegisterTerminalRegistered uint8 = 3
	RegisterNoTerminal         uint8 = 4
)

var registerResults = meanings{RegisterOK: "ok", RegisterVehicleRegistered: "vehicle already registered",
	RegisterNoVehicle: "no such vehicle", RegisterTerminalRegistered: "terminal already registered",
	RegisterNoTerminal: "no such terminal"}

// RegisterReply is 0x8100.
type RegisterReply struct {
	Serial   uint16 // of the 0x0100
	Result   uint8
	AuthCode Text // only when the result is RegisterOK
}

func (m *RegisterReply) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.Code8("result", &m.Result, registerResults)
	if m.Result == RegisterOK {
		f.TextRest("auth_code", &m.AuthCode)
	}
}

// Authenticate is 0x0102: the first message on every connection.
type Authenticate struct {
	AuthCode Text
	IMEI     Text // 15 digits; 2019
	Software Text // version of the maker; 2019
}

func (m *Authenticate) walk(f *fields) {
	if !f.has(FeatureAuthDetails) {
		f.TextRest("auth_code", &m.AuthCode)
		return
	}
	f.TextLen("auth_len", "auth_code", 1, &m.AuthCode)
	f.Text("imei", 15, zeroEnd, &m.IMEI)
	f.Text("software", 20, zeroEnd, &m.Software)
}
