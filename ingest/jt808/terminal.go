package jt808

import (
	"strings"

	wire "lushao/ingest/fields"
)

// Commands of TerminalControl.
const (
	ControlUpgrade  uint8 = 1
	ControlConnect  uint8 = 2
	ControlPowerOff uint8 = 3
	ControlReset    uint8 = 4
	ControlFactory  uint8 = 5
	ControlCloseNet uint8 = 6
	ControlCloseAll uint8 = 7
)

var controlCommands = meanings{ControlUpgrade: "wireless upgrade", ControlConnect: "connect to a given server",
	ControlPowerOff: "power off", ControlReset: "reset", ControlFactory: "factory settings",
	ControlCloseNet: "close data communication", ControlCloseAll: "close all wireless communication"}

// TerminalControl is 0x8105.
type TerminalControl struct {
	Command uint8
	Args    Text // fields joined by ';', numbers in decimal
}

func (m *TerminalControl) walk(f *fields) {
	f.Code8("command", &m.Command, controlCommands)
	if f.More("args", m.Args != "") {
		f.TextRest("args", &m.Args)
	}
}

// Arguments are the fields of Args in UTF-8.
func (m *TerminalControl) Arguments() []string {
	if m.Args == "" {
		return nil
	}
	return strings.Split(m.Args.String(), ";")
}

// Attributes is 0x0107, the answer to 0x8107.
type Attributes struct {
	TerminalType uint16 // bit 0 passenger, 1 hazmat, 2 freight, 3 taxi, 6 hard disk, 7 separate units, 8 trailers
	Maker        Text   // 5 bytes; some devices of 2019 send 11
	Model        Text   // 20 bytes, 30 in 2019
	TerminalID   Text   // 7 bytes, 30 in 2019
	ICCID        [10]byte
	Hardware     Text
	Firmware     Text
	GNSS         uint8 // bit 0 GPS, 1 BeiDou, 2 GLONASS, 3 Galileo
	Comm         uint8 // bit 0 GPRS, 1 CDMA, 2 TD-SCDMA, 3 WCDMA, 4 CDMA2000, 5 TD-LTE, 7 other
}

func (m *Attributes) walk(f *fields) {
	maker, model, id := 5, 20, 7
	if f.has(FeatureLongIDs) {
		model, id = 30, 30
		if len(m.Maker) > 5 || f.Mode == wire.Decoding && !attributesFit(f.B[f.At:f.End], 5) && attributesFit(f.B[f.At:f.End], 11) {
			maker = 11
		}
	}
	f.U16("terminal_type", &m.TerminalType)
	f.Text("maker_id", maker, zeroEnd, &m.Maker)
	f.Text("model", model, zeroEnd, &m.Model)
	f.Text("terminal_id", id, zeroEnd, &m.TerminalID)
	f.Array("iccid", m.ICCID[:])
	f.TextLen("hw_len", "hw_version", 1, &m.Hardware)
	f.TextLen("fw_len", "fw_version", 1, &m.Firmware)
	f.U8("gnss_props", &m.GNSS)
	f.U8("comm_props", &m.Comm)
}

// attributesFit reports whether a body of 2019 with a maker of that size ends exactly where its lengths say.
func attributesFit(b []byte, maker int) bool {
	at := 2 + maker + 30 + 30 + 10
	for range 2 {
		if at >= len(b) {
			return false
		}
		at += 1 + int(b[at])
	}
	return at+2 == len(b)
}

var upgradeTypes = meanings{0: "terminal", 12: "IC card reader", 52: "satellite positioning module", 0x64: "ADAS",
	0x65: "DSM", 0x66: "TPMS", 0x67: "BSD"}

// UpgradePackage is 0x8108.
type UpgradePackage struct {
	Type    uint8
	Maker   Text // 5 bytes
	Version Text
	Data    []byte
}

func (m *UpgradePackage) walk(f *fields) {
	f.Code8("upgrade_type", &m.Type, upgradeTypes)
	f.Text("maker_id", 5, zeroEnd, &m.Maker)
	f.TextLen("version_len", "version", 1, &m.Version)
	f.BytesLen("data_len", "data", 4, &m.Data)
}

// UpgradeResult is 0x0108.
type UpgradeResult struct {
	Type   uint8
	Result uint8
}

func (m *UpgradeResult) walk(f *fields) {
	f.Code8("upgrade_type", &m.Type, upgradeTypes)
	f.Code8("result", &m.Result, meanings{0: "ok", 1: "failed", 2: "cancelled", 0x10: "device not found",
		0x11: "hardware not supported", 0x12: "same version", 0x13: "version not supported"})
}

// UpgradeProgress is 0x1FC4 of T/GDRTA 002-2020.
type UpgradeProgress struct {
	Serial  uint16
	Type    uint8
	State   uint8
	Percent uint8
	Error   uint8
}

func (m *UpgradeProgress) walk(f *fields) {
	f.U16("serial", &m.Serial)
	f.Code8("upgrade_type", &m.Type, upgradeTypes)
	f.Code8("state", &m.State, meanings{1: "downloading", 2: "downloaded", 3: "download failed", 4: "installing",
		5: "installed", 6: "install failed", 7: "no device", 8: "hardware unsupported", 9: "same version",
		10: "version unsupported", 11: "other"})
	f.U8("percent", &m.Percent)
	f.U8("error", &m.Error)
}
