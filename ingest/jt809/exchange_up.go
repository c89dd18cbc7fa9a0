package jt809

import (
	"strings"
	"unicode/utf8"

	wire "lushao/ingest/fields"
	"lushao/ingest/jt808"
)

// Registration is 0x1201: a terminal has logged in at the inferior platform.
type Registration struct {
	PlatformID        Text // 11 bytes
	ProducerID        Text // 11 bytes
	TerminalModelType Text // 8 bytes, 20 in 2013, 30 in 2019
	TerminalIMEI      Text // 15 bytes; 2019
	TerminalID        Text // 7 bytes, 30 in 2019
	TerminalSimcode   Text // 12 digits, 13 in 2019
	// Layout is the length of the data where they have the layout of another edition: 49 of 2011, 61 of 2013, 110 of 2019.
	// 0 is the edition's own.
	Layout uint16
}

const (
	registrationSize2011 = 49
	registrationSize2013 = 61
	registrationSize2019 = 110
)

func (m *Registration) walk(f *fields) {
	usual := registrationSize2011
	switch {
	case f.has(FeatureLongIDs):
		usual = registrationSize2019
	case f.has(FeatureLongModel):
		usual = registrationSize2013
	}
	model, id, phone := 8, 7, 12
	size := f.layoutSize(&m.Layout, usual, registrationSize2011, registrationSize2013, registrationSize2019)
	switch size {
	case registrationSize2013:
		model = 20
	case registrationSize2019:
		model, id, phone = 30, 30, 13
	}
	f.platformID("platform_id", &m.PlatformID)
	f.platformID("producer_id", &m.ProducerID)
	f.Text("terminal_model_type", model, zeroEnd, &m.TerminalModelType)
	if size == registrationSize2019 {
		f.Text("terminal_imei", 15, zeroEnd, &m.TerminalIMEI)
	}
	f.Text("terminal_id", id, zeroEnd, &m.TerminalID)
	f.Text("terminal_simcode", phone, digitFront, &m.TerminalSimcode)
}

// ExchangeReply is 0x1205 and 0x1206, the answer to 0x9205 and 0x9206. It has no data before 2019.
type ExchangeReply struct {
	Source
	// Bare says that an answer of 2019 has no data.
	Bare bool
}

func (m *ExchangeReply) walk(f *fields) {
	if !f.has(FeatureSource) || f.variant("bare", &m.Bare, f.Left() == 0) {
		return
	}
	f.source(&m.Source)
}

// Period is 0x1207 and 0x1209: the inferior asks for the positions of a vehicle between two times.
type Period struct{ Start, End Seconds }

func (m *Period) walk(f *fields) {
	f.seconds("start_time", &m.Start)
	f.seconds("end_time", &m.End)
}

// Driver is 0x120C: who drives.
type Driver struct {
	DriverName Text    // 16 bytes
	DriverID   Text    // 20 bytes: number of the identity card
	Licence    Text    // 40 bytes: qualification certificate
	OrgName    Text    // 200 bytes: who issued it
	ValidDate  Seconds // until when it is valid; 2019
	// Layout is the length of the data behind Source where they have another layout than the edition's: 264 with a licence
	// of 20 bytes, 276 without a date, 284. 0 is the edition's own.
	Layout uint16
}

const (
	driverSizeShort = 264 // 2019 with a licence of 20 bytes
	driverSize      = 276
	driverSize2019  = 284
)

func (m *Driver) walk(f *fields) {
	usual := driverSize
	if f.has(FeatureValidDate) {
		usual = driverSize2019
	}
	size := f.layoutSize(&m.Layout, usual, driverSizeShort, driverSize, driverSize2019)
	licence := 40
	if size == driverSizeShort {
		licence = 20
	}
	f.Text("driver_name", 16, zeroEnd, &m.DriverName)
	f.Text("driver_id", 20, zeroEnd, &m.DriverID)
	f.Text("licence", licence, zeroEnd, &m.Licence)
	f.Text("org_name", 200, zeroEnd, &m.OrgName)
	if size != driverSize {
		f.seconds("valid_date", &m.ValidDate)
	}
}

// DriverReply is 0x120A, the answer to 0x920A.
type DriverReply struct {
	Source
	Driver
}

func (m *DriverReply) walk(f *fields) {
	f.source(&m.Source)
	m.Driver.walk(f)
}

// WaybillReport is 0x120D: an electronic waybill, a text without a form.
type WaybillReport struct{ EwaybillInfo Text }

func (m *WaybillReport) walk(f *fields) {
	f.TextLoose("ewaybill_length", "ewaybill_info", 4, &m.EwaybillInfo)
}

// WaybillReply is 0x120B, the answer to 0x920B.
type WaybillReply struct {
	Source
	EwaybillInfo Text
}

func (m *WaybillReply) walk(f *fields) {
	f.source(&m.Source)
	f.TextLoose("ewaybill_length", "ewaybill_info", 4, &m.EwaybillInfo)
}

// Route is 0x120E, 0x1602 and 0x920E: the planned route of a vehicle. 2019 only.
type Route struct {
	Drvline jt808.Route
	// Older says that the route has the layout of JT/T 808-2013, without name and speeds at night.
	Older bool
	// Raw are the data where they are no route of JT/T 808.
	Raw []byte
}

// routeSize is the least that a route has: its id.
const routeSize = 4

func (m *Route) walk(f *fields) {
	switch f.Mode {
	case wire.Decoding:
		b := f.Take(max(f.Left(), routeSize), "drvline")
		if f.Err == nil && !m.read(b) {
			*m = Route{Raw: b}
		}
	case wire.Encoding:
		if m.Raw != nil {
			f.BytesRest("drvline", &m.Raw)
			return
		}
		f.Out = jt808.AppendBody(f.Out, m.edition(), &m.Drvline)
	case wire.Describing:
		if m.Raw != nil {
			f.BytesRest("raw", &m.Raw)
			return
		}
		f.variant("older", &m.Older, false)
		f.Key("drvline")
		f.Out = jt808.AppendBodyJSON(f.Out, m.edition(), &m.Drvline)
	case wire.Filling:
		f.BytesRest("raw", &m.Raw)
		f.variant("older", &m.Older, false)
		if b := f.Member("drvline"); b != nil && f.Err == nil {
			f.Err = m.Drvline.FillJSON("body.drvline", b)
		}
	}
}

func (m *Route) edition() jt808.Edition {
	if m.Older {
		return jt808.Edition2013
	}
	return jt808.Edition2019
}

// read reads a route in the edition of JT/T 808 whose layout takes all of b.
func (m *Route) read(b []byte) bool {
	for _, m.Older = range []bool{false, true} {
		r := &m.Drvline
		if jt808.Decode(b, m.edition(), r) != nil || len(jt808.AppendBody(nil, m.edition(), r)) != len(b) {
			continue
		}
		if isChineseUTF8(string(r.Name)) {
			r.Name = jt808.GBK(string(r.Name)) // seen in names
		}
		return true
	}
	return false
}

// isChineseUTF8 tells UTF-8 from GBK. Bytes of GBK that are UTF-8 by chance make letters of other alphabets, of two bytes.
func isChineseUTF8(s string) bool {
	return utf8.ValidString(s) && strings.ContainsFunc(s, func(r rune) bool { return r >= 0x2e80 })
}

// Position is 0x1202 and 0x9202. PositionReader reads it faster.
type Position struct{ Location Location }

func (m *Position) walk(f *fields) {
	if f.Mode == wire.Decoding && f.Left() == gnssSize {
		f.gnss36("location", &m.Location) // peers of 2019 send it too
		return
	}
	f.position("location", &m.Location)
}

// PositionBatch is 0x1203 and 0x9203: positions that are late, at most five by the standard.
type PositionBatch struct{ Locations []Location }

func (m *PositionBatch) walk(f *fields) { f.positions("gnss_cnt", "locations", &m.Locations) }
