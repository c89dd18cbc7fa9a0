package jt808

import wire "lushao/ingest/fields"

// RecorderCommand is 0x8700, which asks the driving recorder, and 0x8701, which sets it. The packet of GB/T 19056 is
// kept as it is.
type RecorderCommand struct {
	Command uint8  // command word of GB/T 19056
	Data    []byte // not in 0x8700 of 2011
}

func (m *RecorderCommand) walk(f *fields) {
	f.Code8("command", &m.Command, recorderCommands)
	if f.More("data", len(m.Data) > 0) {
		f.BytesRest("data", &m.Data)
	}
}

// RecorderData is 0x0700.
type RecorderData struct {
	Serial  uint16 // of the 0x8700
	Command uint8
	Data    []byte
}

func (m *RecorderData) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.Code8("command", &m.Command, recorderCommands)
	if f.More("data", len(m.Data) > 0) {
		f.BytesRest("data", &m.Data)
	}
}

var recorderCommands = meanings{0x00: "standard year", 0x01: "driver licence", 0x02: "time", 0x03: "mileage",
	0x04: "pulse coefficient", 0x05: "vehicle", 0x06: "signal names", 0x07: "recorder", 0x08: "speed records",
	0x09: "position records", 0x10: "accident records", 0x11: "overtime driving records", 0x12: "driver records",
	0x13: "power records", 0x14: "parameter changes", 0x15: "speed state log", 0x82: "set vehicle", 0x83: "set install time",
	0x84: "set signal names", 0xC2: "set time", 0xC3: "set pulse coefficient", 0xC4: "set first mileage"}

// Types of PassThrough.
const (
	PassGNSS            uint8 = 0x00
	PassICCard          uint8 = 0x0B
	PassSerial1         uint8 = 0x41
	PassSerial2         uint8 = 0x42
	PassPeripheralState uint8 = 0xF7 // T/JSATL 12
	PassPeripheralInfo  uint8 = 0xF8
)

// PassThrough is 0x0900 up and 0x8900 down.
type PassThrough struct {
	Type    uint8
	Content []byte
}

func (m *PassThrough) walk(f *fields) {
	f.Code8("type", &m.Type, meanings{PassGNSS: "GNSS module data", PassICCard: "transport permit IC card",
		PassSerial1: "serial port 1", PassSerial2: "serial port 2", PassPeripheralState: "peripheral state",
		PassPeripheralInfo: "peripheral information"})
	if f.More("content", len(m.Content) > 0) {
		f.BytesRest("content", &m.Content)
	}
	if f.Mode != wire.Describing || m.Type != PassPeripheralState && m.Type != PassPeripheralInfo {
		return
	}
	// Up and down have different contents under the same type; the one that takes exactly all of it is meant.
	var reply Peripherals
	reply.info = m.Type == PassPeripheralInfo
	if n, err := decodeBody(m.Content, f.ed, &reply); err == nil && n == len(m.Content) && len(reply.Items) > 0 {
		reply.walk(f)
		return
	}
	var query PeripheralQuery
	if n, err := decodeBody(m.Content, f.ed, &query); err == nil && n == len(m.Content) {
		query.walk(f)
	}
}

// PeripheralQuery is the content of 0x8900 with type PassPeripheralState or PassPeripheralInfo (T/JSATL 12-2017).
type PeripheralQuery struct{ IDs []uint8 }

func (m *PeripheralQuery) walk(f *fields) { wire.Numbers(f, "count", "peripheral_ids", 1, 1, &m.IDs) }

// Peripherals is the content of 0x0900 with those types.
type Peripherals struct {
	Items []Peripheral
	info  bool
}

// Peripheral is what a peripheral says of itself: its state, or its kind.
type Peripheral struct {
	ID    uint8 // 0x64 ADAS, 0x65 DSM, 0x66 TPMS, 0x67 BSD
	State PeripheralState
	Info  PeripheralInfo
}

// DecodePeripherals reads the content of a PassThrough from a terminal.
func DecodePeripherals(p *PassThrough, m *Peripherals) error {
	*m = Peripherals{info: p.Type == PassPeripheralInfo}
	_, err := decodeBody(p.Content, EditionAuto, m)
	return err
}

// AppendPeripherals appends the content of a PassThrough of the type.
func AppendPeripherals(dst []byte, kind uint8, items []Peripheral) []byte {
	return AppendBody(dst, EditionAuto, &Peripherals{Items: items, info: kind == PassPeripheralInfo})
}

func (m *Peripherals) walk(f *fields) {
	wire.List(f, "count", "items", 1, &m.Items, func(f *fields, p *Peripheral) {
		f.U8("peripheral_id", &p.ID)
		var inner Body = &p.State
		if m.info {
			inner = &p.Info
		}
		n := 0
		if f.Mode != wire.Decoding {
			n = len(AppendBody(nil, f.ed, inner))
		}
		n = int(f.Uint("len", 1, uint64(n)))
		f.Within(n, "content", func() { inner.walk(f) })
	})
}

// PeripheralState is how a peripheral does.
type PeripheralState struct {
	Work  uint8
	Alarm uint32 // bit 0 camera, 1 main storage, 2 auxiliary, 3 infrared, 4 speaker, 5 battery, 10 radio, 11 positioning
}

func (m *PeripheralState) walk(f *fields) {
	f.Code8("work_state", &m.Work, meanings{1: "normal", 2: "standby", 3: "upgrading", 4: "abnormal", 0x10: "disconnected"})
	f.U32("alarm_state", &m.Alarm)
}

// PeripheralInfo is what a peripheral is.
type PeripheralInfo struct{ Company, Model, Hardware, Software, DeviceID, Customer Text }

func (m *PeripheralInfo) walk(f *fields) {
	f.TextLen("company_len", "company", 1, &m.Company)
	f.TextLen("model_len", "model", 1, &m.Model)
	f.TextLen("hw_len", "hw_version", 1, &m.Hardware)
	f.TextLen("sw_len", "sw_version", 1, &m.Software)
	f.TextLen("device_id_len", "device_id", 1, &m.DeviceID)
	f.TextLen("customer_len", "customer", 1, &m.Customer)
}

// Compressed is 0x0901. The data are GZIP; of what, a body or a frame, the standard does not say.
type Compressed struct{ Data []byte }

func (m *Compressed) walk(f *fields) { f.BytesLen("len", "data", 4, &m.Data) }

// PublicKey is the RSA key of 0x8A00 and 0x0A00.
type PublicKey struct {
	E uint32
	N [128]byte
}

func (m *PublicKey) walk(f *fields) {
	f.U32("e", &m.E)
	f.Array("n", m.N[:])
}
