package jt808

import (
	"encoding/binary"
	"iter"
)

// Ids of the additional items of a location (JT/T 808-2013 8.18, JT/T 1078-2016, T/JSATL 12-2017).
const (
	ItemMileage         uint8 = 0x01 // DWORD, 0.1 km
	ItemFuel            uint8 = 0x02 // WORD, 0.1 L
	ItemRecorderSpeed   uint8 = 0x03 // WORD, 0.1 km/h
	ItemAlarmEvent      uint8 = 0x04 // WORD
	ItemTyrePressure    uint8 = 0x05 // BYTE[30]; 2019
	ItemTemperature     uint8 = 0x06 // WORD, °C; 2019
	ItemOverspeed       uint8 = 0x11
	ItemArea            uint8 = 0x12
	ItemSection         uint8 = 0x13
	ItemVideoAlarm      uint8 = 0x14 // DWORD; JT/T 1078
	ItemVideoLost       uint8 = 0x15 // DWORD
	ItemVideoOccluded   uint8 = 0x16 // DWORD
	ItemStorageFault    uint8 = 0x17 // WORD
	ItemAbnormalDriving uint8 = 0x18
	ItemSignals         uint8 = 0x25 // DWORD
	ItemIO              uint8 = 0x2A // WORD
	ItemAnalog          uint8 = 0x2B // DWORD
	ItemRSSI            uint8 = 0x30 // BYTE
	ItemSatellites      uint8 = 0x31 // BYTE
	ItemADAS            uint8 = 0x64 // T/JSATL 12
	ItemDSM             uint8 = 0x65
	ItemTPMS            uint8 = 0x66
	ItemBSD             uint8 = 0x67
)

// Extras are additional items, {id BYTE, length BYTE, content} each.
type Extras []byte

// Next returns the first item and the items after it. ok is false at the end, and where the rest is malformed. content
// aliases x.
func (x Extras) Next() (id uint8, content []byte, rest Extras, ok bool) {
	if len(x) < 2 || len(x) < 2+int(x[1]) {
		return 0, nil, nil, false
	}
	n := 2 + int(x[1])
	return x[0], x[2:n:n], x[n:], true
}

// All ranges over the well-formed items in their order; an id may come more than once.
func (x Extras) All() iter.Seq2[uint8, []byte] {
	return func(yield func(uint8, []byte) bool) {
		for {
			id, v, rest, ok := x.Next()
			if !ok || !yield(id, v) {
				return
			}
			x = rest
		}
	}
}

// Get returns the content of the last item with the id, nil and false without one.
func (x Extras) Get(id uint8) (content []byte, ok bool) {
	for {
		i, v, rest, more := x.Next()
		if !more {
			return content, ok
		}
		if i == id {
			content, ok = v, true
		}
		x = rest
	}
}

// AppendItem appends an item; a content of more than 255 bytes is cut.
func AppendItem(dst Extras, id uint8, content []byte) Extras {
	content = content[:min(len(content), 255)]
	return append(append(dst, id, uint8(len(content))), content...)
}

// AppendItem8 appends an item of one byte.
func AppendItem8(dst Extras, id, v uint8) Extras { return append(dst, id, 1, v) }

// AppendItem16 appends an item of a WORD.
func AppendItem16(dst Extras, id uint8, v uint16) Extras {
	return binary.BigEndian.AppendUint16(append(dst, id, 2), v)
}

// AppendItem32 appends an item of a DWORD.
func AppendItem32(dst Extras, id uint8, v uint32) Extras {
	return binary.BigEndian.AppendUint32(append(dst, id, 4), v)
}

// sized returns the content of the last item with the id and the length.
func (x Extras) sized(id uint8, n int) (content []byte, ok bool) {
	for i, v := range x.All() {
		if i == id && len(v) == n {
			content, ok = v, true
		}
	}
	return content, ok
}
