package jt808

import (
	"encoding/binary"

	wire "lushao/ingest/fields"
)

// Results of a general acknowledgement, 0x0001 and 0x8001.
const (
	ResultOK           uint8 = 0
	ResultFailed       uint8 = 1
	ResultMalformed    uint8 = 2
	ResultNotSupported uint8 = 3
	ResultAlarmHandled uint8 = 4 // of the platform only
)

var ackResults = meanings{ResultOK: "ok", ResultFailed: "failed", ResultMalformed: "message malformed",
	ResultNotSupported: "not supported", ResultAlarmHandled: "alarm handled"}

// Ack is a general acknowledgement: 0x0001 of the terminal, 0x8001 of the platform. Devices append bytes to it; they
// are ignored.
type Ack struct {
	Serial uint16    // of the message that is answered
	ID     MessageID // of the message that is answered
	Result uint8
}

func (m *Ack) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	f.id("ack_id", &m.ID)
	f.Code8("result", &m.Result, ackResults)
}

// AppendAck appends the body of a general acknowledgement. Unlike AppendBody it allocates nothing.
func AppendAck(dst []byte, m Ack) []byte {
	dst = binary.BigEndian.AppendUint16(dst, m.Serial)
	dst = binary.BigEndian.AppendUint16(dst, uint16(m.ID))
	return append(dst, m.Result)
}

// Empty is a body without fields: 0x0002, 0x0003, 0x0004, 0x8104, 0x8107, 0x8201, 0x8204, 0x8702, 0x9003. What devices
// put there is ignored.
type Empty struct{}

func (*Empty) walk(*fields) {}

// Resend asks for sub-packages again: 0x8003 of the platform (since 2013), 0x0005 of the terminal (2019).
type Resend struct {
	FirstSerial uint16 // of the first sub-package of the message
	Packages    []uint16
}

func (m *Resend) walk(f *fields) {
	size := 1
	if f.has(FeatureWideResend) {
		size = 2
	}
	f.U16("first_serial", &m.FirstSerial)
	wire.Numbers(f, "count", "pkg_ids", size, 2, &m.Packages)
}

// ServerTime is 0x8004 (2019): the only time of the protocol that is UTC, not Beijing time.
type ServerTime struct{ Time Time }

// ServerTimeAt makes the answer for an instant in Unix ms.
func ServerTimeAt(ms int64) ServerTime { return ServerTime{bcdTime(ms)} }

func (m *ServerTime) walk(f *fields) { f.timeZone("server_time", &m.Time, "Z") }
