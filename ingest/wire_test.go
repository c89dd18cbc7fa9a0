package ingest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func mustVehicle(t testing.TB, plate string, color Color) Vehicle {
	t.Helper()
	v, err := NewVehicle(plate, color)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// examples has an event of every kind, with every field set.
func examples(t testing.TB) []Event {
	base := Event{Source: SourceJT808, Flags: FlagBackfill, Vehicle: mustVehicle(t, "晋E12345", 2), Time: 1777593600000, Received: 1777593602000}
	with := func(k Kind, f func(e *Event)) Event {
		e := base
		e.Kind = k
		f(&e)
		return e
	}
	return []Event{
		with(KindPosition, func(e *Event) {
			e.Position = Position{Lat: 35490712, Lon: -112851274, Alarm: 1, Status: 0x4c0003, VideoAlarm: 16, Mileage: 12345, Speed: 615, RecorderSpeed: 600,
				Course: 178, Altitude: -12, Fuel: 601, Satellites: 14, RSSI: 31, Located: true, ACC: true, Extras: []byte{0x25, 4, 0, 0, 0, 0}}
		}),
		with(KindDriverCard, func(e *Event) {
			e.Driver = &DriverCard{On: true, License: "140502001", Name: "张三", Org: "晋城市交通运输局", Result: 1}
		}),
		with(KindWeighing, func(e *Event) {
			e.Weighing = &Weighing{Station: "S001", Record: "S00120260501080000123", Lat: 35500000, Lon: 112850000, Axles: 6, Combination: Yes, SingleDriveAxle: No,
				GrossKg: 61000, AxleKg: []uint32{7000, 10000}, LengthMm: 17000, WidthMm: 2500, HeightMm: 3900, Speed: 120, Lane: 1, Method: MethodDynamic, Evaded: true}
		}),
		with(KindWaybill, func(e *Event) {
			e.Waybill = &Waybill{Number: "W1", Start: 1, End: 2, CargoClass: "3", Route: "R1", Text: "液氯"}
		}),
		with(KindSafety, func(e *Event) {
			e.Safety = &Safety{System: "dsm", Kind: "phone", Level: 2, Flag: "start", AlarmID: 7, Speed: 500}
		}),
		with(KindLink, func(e *Event) { e.Link = &Link{Online: false, Reason: "closed"} }),
		with(KindWeighing, func(e *Event) { // its plate could not be read
			e.Vehicle, e.Weighing = Vehicle{}, &Weighing{Station: "S001", Record: "7", GrossKg: 61000, Speed: NoSpeed, Lane: 2, Evaded: true}
		}),
	}
}

// The layout is a promise to readers of other versions: these bytes must not change while the version is 1.
func TestWireGolden(t *testing.T) {
	golden := map[Kind]string{
		KindPosition: "5e00000001010101" + "00c8d5e09d010000" + "d0cfd5e09d010000" + "e6998b45313233343500000000000000000000000000" + "0902" +
			"988b1d02" + "b60646f9" + "01000000" + "03004c00" + "10000000" + "39300000" + "6702" + "5802" + "b200" + "f4ff" + "5902" + "0e" + "1f" + "03" + "00" + "0600" + "250400000000",
		KindLink: "3900000001060101" + "00c8d5e09d010000" + "d0cfd5e09d010000" + "e6998b45313233343500000000000000000000000000" + "0902" + "00" + "0600" + hex.EncodeToString([]byte("closed")),
	}
	for _, e := range examples(t) {
		want, ok := golden[e.Kind]
		if !ok {
			continue
		}
		if got := hex.EncodeToString(AppendEvent(nil, &e)); got != want {
			t.Errorf("%v:\ngot  %s\nwant %s", e.Kind, got, want)
		}
	}
	unread := "5b00000002030101" + "00c8d5e09d010000" + "d0cfd5e09d010000" + strings.Repeat("00", 24) + "00000000" + "00000000" + "48ee0000" + strings.Repeat("00", 12) + "ffff" +
		"00" + "00" + "00" + "02" + "00" + "01" + "0000" + "0400" + hex.EncodeToString([]byte("S001")) + "0100" + hex.EncodeToString([]byte("7"))
	if got := hex.EncodeToString(AppendEvent(nil, &examples(t)[6])); got != unread {
		t.Errorf("a weighing without a vehicle:\ngot  %s\nwant %s", got, unread)
	}
}

func TestWireRoundTrip(t *testing.T) {
	var packed []byte
	all := examples(t)
	for i := range all {
		packed = AppendEvent(packed, &all[i])
	}
	// Twice into the same structs: nothing may be left of the first time.
	var got [7]Event
	for range 2 {
		rest := packed
		for i := range all {
			var err error
			if rest, err = DecodeEvent(rest, &got[i]); err != nil {
				t.Fatal(err)
			}
			if all[i].Kind != KindPosition {
				got[i].Position = Position{}
			}
			if !reflect.DeepEqual(got[i], all[i]) {
				t.Errorf("%v:\ngot  %+v\nwant %+v", all[i].Kind, got[i], all[i])
			}
		}
		if len(rest) != 0 {
			t.Errorf("%d bytes left", len(rest))
		}
	}
	// A struct that held a longer list must not keep its end.
	var e Event
	long, short := all[2], all[2]
	w := *short.Weighing
	w.AxleKg = nil
	short.Weighing = &w
	for _, ev := range []*Event{&long, &short} {
		if _, err := DecodeEvent(AppendEvent(nil, ev), &e); err != nil {
			t.Fatal(err)
		}
	}
	if len(e.Weighing.AxleKg) != 0 {
		t.Errorf("axles of the weighing before: %v", e.Weighing.AxleKg)
	}
}

// Every prefix of every event is refused, with the offset and the field.
func TestWirePrefixes(t *testing.T) {
	for _, ev := range examples(t) {
		b := AppendEvent(nil, &ev)
		for n := range b {
			var e Event
			_, err := DecodeEvent(b[:n], &e)
			var we *WireError
			if !errors.As(err, &we) || we.Field == "" {
				t.Fatalf("%v cut to %d of %d bytes: %v", ev.Kind, n, len(b), err)
			}
		}
	}
}

func TestWireRefuses(t *testing.T) {
	b := AppendEvent(nil, &examples(t)[0])
	for want, change := range map[string]func(b []byte){
		"version at byte 4":               func(b []byte) { b[4] = 3 },
		"kind at byte 5: a position":      func(b []byte) { b[4] = 2 },
		"kind at byte 5":                  func(b []byte) { b[5] = 99 },
		"size at byte 0":                  func(b []byte) { b[0], b[3] = 1, 0 },
		"size at byte 0: 4278190174":      func(b []byte) { b[3] = 0xff },
		"plate length at byte 46":         func(b []byte) { b[46] = 23 },
		"plate at byte 24: not zero":      func(b []byte) { b[45] = 'x' },
		"length of the extras at byte 86": func(b []byte) { b[86] = 7 },
	} {
		c := bytes.Clone(b)
		change(c)
		var e Event
		if _, err := DecodeEvent(c, &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// Only a weighing may be without a vehicle, and it says so by its version: a reader that does not know it must refuse it.
func TestWireRefusesNoVehicle(t *testing.T) {
	all := examples(t)
	unread, plated := AppendEvent(nil, &all[6]), AppendEvent(nil, &all[2])
	for want, change := range map[string]func() []byte{
		"plate length at byte 46: 0": func() []byte { unread[4] = 1; return unread },
		"colour at byte 47: 2":       func() []byte { unread[47] = 2; return unread },
		"plate at byte 24: not zero": func() []byte { unread[30] = 'x'; return unread },
		"plate length at byte 46: 9": func() []byte { plated[4], plated[47] = 2, 0; return plated },
	} {
		u, p := bytes.Clone(unread), bytes.Clone(plated)
		var e Event
		if _, err := DecodeEvent(change(), &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		unread, plated = u, p
	}
	for i := range all {
		e := all[i]
		e.Vehicle = Vehicle{}
		var back Event
		if _, err := DecodeEvent(AppendEvent(nil, &e), &back); (err == nil) != (e.Kind == KindWeighing) {
			t.Errorf("a %s without a vehicle: %v", e.Kind, err)
		}
	}
}

func TestAppendEventCutsTexts(t *testing.T) {
	e := examples(t)[3]
	e.Waybill = &Waybill{Text: strings.Repeat("危", 30000)} // 90,000 bytes
	var got Event
	if _, err := DecodeEvent(AppendEvent(nil, &e), &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Waybill.Text); n > 0xFFFF || n < 0xFFFF-3 || strings.Trim(got.Waybill.Text, "危") != "" {
		t.Errorf("%d bytes, ends with %q", n, got.Waybill.Text[n-6:])
	}
}

func TestPositionsAllocateNothing(t *testing.T) {
	ev := examples(t)[0]
	b := AppendEvent(nil, &ev)
	var e Event
	if n := testing.AllocsPerRun(100, func() {
		if _, err := DecodeEvent(b, &e); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("decoding allocates %v times", n)
	}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = AppendEvent(buf[:0], &ev) }); n != 0 {
		t.Errorf("encoding allocates %v times", n)
	}
}

func TestNewVehicle(t *testing.T) {
	for plate, want := range map[string]error{"晋E12345": nil, "LZZ5ELSD0NN123456": nil, "": ErrPlateEmpty, "晋E12345678901234567890": ErrPlateTooLong,
		"a\x00b": ErrPlateText, "\xff\xfe": ErrPlateText, "a\x7f": ErrPlateText} {
		if v, err := NewVehicle(plate, 2); !errors.Is(err, want) || err == nil && v.Plate() != plate {
			t.Errorf("%q: %v, want %v", plate, err, want)
		}
	}
	a, b := mustVehicle(t, "晋E12345", 2), mustVehicle(t, "晋E12345", 1)
	if a == b || a.Hash() == b.Hash() || a.Compare(&b) <= 0 || a.String() != "晋E12345/2" {
		t.Errorf("%v and %v", a, b)
	}
	// The partition of a vehicle is written into every log there is.
	if h := a.Hash(); h != 0xaecdcc8e72d145c || a.Partition(4) != int(h%4) {
		t.Errorf("hash %#x, partition %d of 4", h, a.Partition(4))
	}
}

// Vehicles spread evenly over partitions, also with plates that differ in one digit.
func TestPartitionsAreEven(t *testing.T) {
	const n, vehicles = 16, 100000
	var count [n]int
	for i := range vehicles {
		v := mustVehicle(t, "晋E"+strings.Repeat("0", 5-len(itoa(i)))+itoa(i), 2)
		count[v.Partition(n)]++
	}
	for p, c := range count {
		if c < vehicles/n*9/10 || c > vehicles/n*11/10 {
			t.Errorf("partition %d has %d of %d vehicles", p, c, vehicles)
		}
	}
}

func itoa(i int) string {
	var b []byte
	for {
		b = append([]byte{byte('0' + i%10)}, b...)
		if i /= 10; i == 0 {
			return string(b)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, ev := range examples(f) {
		f.Add(AppendEvent(nil, &ev))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		for rest := b; len(rest) > 0; {
			before := rest
			var err error
			if rest, err = DecodeEvent(rest, &e); err != nil {
				return
			}
			if len(rest) >= len(before) {
				t.Fatal("no progress")
			}
			// What was read writes the same event again, whatever was in the bytes that mean nothing.
			var again Event
			if _, err := DecodeEvent(AppendEvent(nil, &e), &again); err != nil {
				t.Fatalf("%+v can't be read again: %v", e, err)
			}
			if !bytes.Equal(AppendEvent(nil, &again), AppendEvent(nil, &e)) {
				t.Fatalf("%+v becomes %+v", e, again)
			}
		}
	})
}

func BenchmarkAppendPosition(b *testing.B) {
	ev := examples(b)[0]
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(buf[:0], &ev)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodePosition(b *testing.B) {
	// A message of some hundred different positions, as it comes off the log.
	ev := examples(b)[0]
	var msg []byte
	const n = 500
	for range n {
		ev.Position.Lat, ev.Position.Lon = rand.Int32N(50e6), rand.Int32N(130e6)
		msg = AppendEvent(msg, &ev)
	}
	var e Event
	b.ReportAllocs()
	rest := msg
	for b.Loop() {
		if len(rest) == 0 {
			rest = msg
		}
		var err error
		if rest, err = DecodeEvent(rest, &e); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(msg) / n))
}
