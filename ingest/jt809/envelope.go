package jt809

import (
	"encoding/binary"
	"fmt"
	"strings"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

const (
	plateSize   = 21
	vehicleSize = plateSize + 1
)

// container is how a sub-message, or the vehicle that it is about, stands in front of the data.
type container uint8

const (
	bare   container = iota // the data are the body
	ofCar                   // vehicle_no, vehicle_color, data_type, data_length
	plain                   // data_type, data_length
	closed                  // vehicle_no, vehicle_color, data_type, and data_length behind the data: 0x1205 and 0x1206 in 2019
	headed                  // data_type and no length: 0x1701 as it is printed
)

// head is the length of what stands before data_length, or before the data where that comes later or not at all.
func (c container) head() int {
	switch c {
	case ofCar, closed:
		return vehicleSize + 2
	case plain, headed:
		return 2
	}
	return 0
}

func (c container) vehicle() bool { return c == ofCar || c == closed }

// Envelope is a body taken out of its container, or to be put into one: the vehicle that it is about, the id of the
// sub-message, its data.
type Envelope struct {
	ID  MessageID // of the header
	Sub MessageID // data_type; 0 where the message has no container
	// Plate is GBK as it came. Decode leaves it empty for positions, of which there are many, so as to allocate nothing:
	// Key and Vehicle work for every message.
	Plate      jt808.Text
	Color      uint8 // JT/T 697.7, and 91 to 94
	HasVehicle bool  // the container has a vehicle; its plate may be empty all the same
	// Data aliases the body that was decoded.
	Data []byte

	key [vehicleSize]byte // vehicle_no and vehicle_color of a position that was decoded; Plate wins
}

// Message is the id that says what the data are: Sub, or ID where there is none.
func (e *Envelope) Message() MessageID {
	if e.Sub != 0 {
		return e.Sub
	}
	return e.ID
}

// isContainer reports whether messages with the id hold sub-messages, the unknown ones of provinces too.
func isContainer(id MessageID) bool {
	family := id &^ 0x8000 >> 8
	return id&0xff == 0 && family >= 0x12 && family <= 0x1f
}

// containerOf finds the container of a body. Editions and peers differ, and the data_type stands where it must be: the
// high byte of a sub-message is that of its message, and no plate begins with such a byte.
func containerOf(id MessageID, body []byte, ed Edition) container {
	switch id {
	case IDTransferReport, IDTransferQuery, IDSerialNoticeUp, IDSerialNoticeDown:
		if subAt(body, 0) == id || len(body) == 0 || countsRest(body, plain.head()) {
			return plain
		}
		return bare
	}
	if !isContainer(id) {
		return bare
	}
	// Some send what goes down under the id of what goes up.
	family := id | 0x8000
	if sub := subAt(body, 0); (sub|0x8000)&0xff00 == family {
		if sub == IDTokens && !countsRest(body, plain.head()) {
			return headed
		}
		return plain
	}
	if sub := subAt(body, vehicleSize); (sub|0x8000)&0xff00 == family {
		if (sub == IDExchangeStartReply || sub == IDExchangeEndReply) && !countsRest(body, ofCar.head()) {
			return closed
		}
		return ofCar
	}
	return layoutOf(id, 0, ed)
}

// layoutOf is the container that the edition has for a message.
func layoutOf(id, sub MessageID, ed Edition) container {
	switch id {
	case IDTransferReport, IDTransferQuery, IDSerialNoticeUp, IDSerialNoticeDown:
		return plain
	case IDPlatformUp, IDPlatformDown:
		return plain
	case IDAlarmUp, IDAlarmDown:
		if ed.Has(FeatureBareAlarms) {
			return plain
		}
	}
	if !isContainer(id) {
		return bare
	}
	switch sub {
	case IDRegistrationReply:
		return plain
	case IDTokens:
		return headed
	case IDExchangeStartReply, IDExchangeEndReply:
		if ed.Has(FeatureSource) {
			return closed
		}
	}
	return ofCar
}

func subAt(body []byte, at int) MessageID {
	if len(body) < at+2 {
		return 0
	}
	return MessageID(binary.BigEndian.Uint16(body[at:]))
}

// Decode takes the body of a frame, decrypted, out of its container. It finds the container by what stands in it; the
// edition decides only where that says nothing. A data_length that is larger than what is left is taken as that: the CRC
// has proven the frame. The error, an *Error, says that there is no data_type. Texts are copied, Data aliases body.
func (e *Envelope) Decode(id MessageID, body []byte, ed Edition) error {
	*e = Envelope{ID: id}
	c := containerOf(id, body, ed)
	if c == bare {
		e.Data = body
		return nil
	}
	at := c.head()
	if len(body) < at {
		e.Data = body
		field, place := "data_type", at-2
		if len(body) < plateSize && c.vehicle() {
			field, place = "vehicle_no", 0
		}
		return &Error{ErrShort, field, place, fmt.Sprintf("body of %d bytes, at least %d are needed", len(body), at)}
	}
	if e.Sub = subAt(body, at-2); !isContainer(id) {
		e.Sub = id // which is what data_type repeats
	}
	if c.vehicle() {
		e.HasVehicle = true
		e.Color = body[plateSize]
		if isPosition(e.Sub) {
			e.key = [vehicleSize]byte(body)
		} else {
			e.Plate = jt808.Text(trimText(body[:plateSize]))
		}
	}
	rest := body[at:]
	switch c {
	case headed:
	case closed:
		// Behind the data stands their length, 0 or right, or nothing.
		rest = rest[:min(len(rest), 6)]
	default:
		if len(rest) < 4 {
			rest = rest[len(rest):]
			break
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if n > 0 && uint64(n) < uint64(len(rest)) {
			rest = rest[:n:n]
		}
	}
	e.Data = rest
	return nil
}

func isPosition(sub MessageID) bool {
	switch sub {
	case IDPosition, IDPositionBatch, IDPositionDown, IDPositionBatchDown:
		return true
	}
	return false
}

// trimText takes 0x00 and blanks off both ends and cuts at the first 0x00.
func trimText(b []byte) []byte {
	for len(b) > 0 && (b[0] == 0 || b[0] == ' ') {
		b = b[1:]
	}
	for i, c := range b {
		if c == 0 {
			b = b[:i]
			break
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// Append appends the body to dst: the container that the edition has for the message, and the data.
func (e *Envelope) Append(dst []byte, ed Edition) []byte {
	c := layoutOf(e.ID, e.Sub, ed)
	if c == bare {
		return append(dst, e.Data...)
	}
	if c.vehicle() {
		k := e.Key()
		dst = append(dst, k[:]...)
	}
	sub := e.Sub
	if !isContainer(e.ID) {
		sub = e.ID
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(sub))
	switch c {
	case ofCar, plain:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(e.Data)))
	}
	dst = append(dst, e.Data...)
	if c == closed {
		dst = binary.BigEndian.AppendUint32(dst, 0)
	}
	return dst
}

// Key is vehicle_no and vehicle_color as they stand in the container, for whoever keeps vehicles by them; all 0 without a
// vehicle. Peers pad as they like, so a vehicle may have more than one.
func (e *Envelope) Key() [vehicleSize]byte {
	if e.Plate == "" {
		k := e.key
		k[plateSize] = e.Color
		return k
	}
	var k [vehicleSize]byte
	copy(k[:plateSize], cutText(e.Plate, plateSize))
	k[plateSize] = e.Color
	return k
}

// cutText returns at most n bytes of t, and no half character at the end.
func cutText(t jt808.Text, n int) jt808.Text {
	if len(t) <= n {
		return t
	}
	i := 0
	for {
		step := 1
		if t[i] > 0x80 {
			step = 2
		}
		if i+step > n {
			return t[:i]
		}
		i += step
	}
}

// Vehicle is the vehicle of the container; the error is one of ingest.NewVehicle. It allocates.
func (e *Envelope) Vehicle() (ingest.Vehicle, error) {
	return ingest.NewVehicle(e.PlateText(), ingest.Color(e.Color))
}

// PlateText is the plate in UTF-8, whatever message it is of.
func (e *Envelope) PlateText() string {
	if e.Plate == "" {
		return jt808.Text(trimText(e.key[:plateSize])).String()
	}
	return jt808.Text(trimText([]byte(e.Plate))).String()
}

// VehicleOf makes the identity of a vehicle from vehicle_no and vehicle_color, in a container or in a body.
func VehicleOf(plate jt808.Text, color uint8) (ingest.Vehicle, error) {
	return ingest.NewVehicle(jt808.Text(trimText([]byte(plate))).String(), ingest.Color(color))
}

// SetVehicle puts the vehicle into the container.
func (e *Envelope) SetVehicle(v ingest.Vehicle) {
	e.HasVehicle = true
	e.Plate = PlateOf(v)
	e.Color = uint8(v.Color)
}

// PlateOf is vehicle_no of a vehicle.
func PlateOf(v ingest.Vehicle) jt808.Text { return jt808.GBK(strings.TrimSpace(v.Plate())) }
