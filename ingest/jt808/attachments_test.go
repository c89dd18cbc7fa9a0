package jt808

import (
	"bytes"
	"reflect"
	"testing"
)

func TestFileStream(t *testing.T) {
	want := FileStream{fixed("00_65_6502_1_2025.jpg", 50), 65536, pattern(300)}
	b := AppendFileStream(nil, &want)
	stream := append(bytes.Clone(b), "next"...)
	var got FileStream
	n, need, err := DecodeFileStream(stream, &got)
	if err != nil || n != len(b) || need != 0 || !reflect.DeepEqual(got, want) || got.Name.String() != "00_65_6502_1_2025.jpg" {
		t.Errorf("%d, %d, %v, %+v", n, need, err, got)
	}
	for n := range b {
		took, need, err := DecodeFileStream(b[:n:n], &got)
		if err != nil || took != 0 || need <= n || need > len(b) {
			t.Fatalf("%d bytes: %d, %d, %v", n, took, need, err)
		}
	}
	b[0] = delimiter
	if _, _, err := DecodeFileStream(b, &got); KindOf(err) != ErrValue {
		t.Errorf("a frame is no packet: %v", err)
	}
}

func TestStateBlock(t *testing.T) {
	want := StateBlock{Total: 2, Index: 1, Alarm: 1, Status: 3, Lat: 35490712, Lon: 112851274, Altitude: -3, Speed: 615,
		Direction: 178, Time: sampleTime, Acceleration: [3]int16{-100, 2, 3}, Gyro: [3]int16{4, -5, 6}, PulseSpeed: 600,
		OBDSpeed: 601, Gear: 4, Accelerator: 50, RPM: 1500, Steering: -90, TurnSignal: 1}
	b := AppendBody([]byte("before"), EditionAuto, &want)[6:]
	var got StateBlock
	if err := Decode(b, EditionAuto, &got); err != nil || len(b) != StateBlockSize || got != want {
		t.Errorf("%d bytes, %v, %+v", len(b), err, got)
	}
	b[10] ^= 1
	if err := Decode(b, EditionAuto, &got); KindOf(err) != ErrChecksum {
		t.Errorf("%v", err)
	}
	if err := Decode(b[:63], EditionAuto, &got); KindOf(err) != ErrShort {
		t.Errorf("%v", err)
	}
}

func TestPeripherals(t *testing.T) {
	want := []Peripheral{{ID: 0x64, State: PeripheralState{1, 1 << 4}}, {ID: 0x65, State: PeripheralState{4, 1}}}
	p := PassThrough{PassPeripheralState, AppendPeripherals(nil, PassPeripheralState, want)}
	var got Peripherals
	if err := DecodePeripherals(&p, &got); err != nil || !reflect.DeepEqual(got.Items, want) {
		t.Errorf("%v, %+v", err, got)
	}
	p.Content = p.Content[:len(p.Content)-1]
	if err := DecodePeripherals(&p, &got); KindOf(err) != ErrShort {
		t.Errorf("%v", err)
	}
}

func TestParameterValues(t *testing.T) {
	for _, p := range []Parameter{Uint32Param(1, 7), Uint16Param(1, 7), Uint8Param(1, 7), {1, []byte{0, 0, 0, 0, 0, 0, 0, 7}}} {
		if v, ok := p.Uint(); !ok || v != 7 { // devices send parameter 0x0090 with four bytes for one
			t.Errorf("%+v is %d, %v", p, v, ok)
		}
	}
	for _, p := range []Parameter{{1, nil}, {1, make([]byte, 9)}} {
		if _, ok := p.Uint(); ok {
			t.Errorf("%+v is a number", p)
		}
	}
	want := &VideoAnalysis{45, 60}
	p := StructParam(ParamVideoAnalysis, want)
	if got := p.Struct(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	p.Value = append(p.Value, 0)
	if got := p.Struct(); got != nil {
		t.Errorf("of another length it is %+v", got)
	}
	for kind := range ErrorKinds {
		if s := ErrorKinds[kind].String(); s == "" || s == "unknown" {
			t.Errorf("kind %d has no name", kind)
		}
	}
	if got := (&TerminalControl{ControlConnect, "1;;x"}).Arguments(); !reflect.DeepEqual(got, []string{"1", "", "x"}) {
		t.Errorf("%q", got)
	}
}
