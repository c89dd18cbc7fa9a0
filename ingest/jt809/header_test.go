package jt809

import (
	"bytes"
	"encoding/hex"
	"testing"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

func made(t testing.TB, h Header, c Cipher, body []byte) []byte {
	t.Helper()
	var f Framer
	frame, _, err := f.Next(AppendFrame(nil, &h, c, body))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(frame)
}

// Nothing in a frame says its edition.
func TestHeaderFindsTheEdition(t *testing.T) {
	car := Envelope{ID: IDExchangeUp, Sub: IDPosition, Plate: jt808.GBK("晋E12345"), Color: 2, HasVehicle: true, Data: make([]byte, 36)}
	position36 := car.Append(nil, Edition2011)
	for _, c := range []struct {
		name string
		h    Header
		body []byte
	}{
		{"heartbeat", Header{ID: IDHeartbeat}, nil},
		{"login of 2011", Header{ID: IDLogin}, make([]byte, 46)},
		{"login of 2019", Header{ID: IDLogin}, make([]byte, 50)},
		{"login reply", Header{ID: IDLoginReply}, []byte{0, 1, 2, 3, 4}},
		{"count", Header{ID: IDPositionCount}, append([]byte{0, 0, 2, 0}, make([]byte, 16)...)},
		{"position", Header{ID: IDExchangeUp}, position36},
		{"position, encrypted", Header{ID: IDExchangeUp, Encrypted: true, Key: 77}, position36},
		{"heartbeat, encrypted", Header{ID: IDSubHeartbeat, Encrypted: true, Key: 77}, nil},
		{"wrong data_length", Header{ID: IDExchangeUp}, append(bytes.Clone(position36), 1, 2, 3)},
		{"unknown", Header{ID: 0x1C00}, make([]byte, 40)},
		{"unknown and empty", Header{ID: 0x3000}, nil},
	} {
		for _, ed := range []Edition{Edition2011, Edition2019} {
			c.h.Edition = ed
			c.h.Time = 0
			if ed == Edition2019 {
				c.h.Time = 1717569012
			}
			c.h.Serial, c.h.Centre, c.h.Version = 7, 20211230, [3]byte{1, 2, 15}
			frame := made(t, c.h, workedCipher, c.body)
			var h Header
			body, err := h.Decode(frame, EditionAuto)
			if err != nil {
				t.Fatal(err)
			}
			if h.Encrypted {
				workedCipher.Apply(h.Key, body)
			}
			if err := h.CheckLength(len(body)); err != nil {
				t.Error(err)
			}
			c.h.Length = h.Length
			if h != c.h || !bytes.Equal(body, c.body) {
				t.Errorf("%s, %v: %+v, body %x\nwant %+v, body %x", c.name, ed, h, body, c.h, c.body)
			}
		}
	}
	// Without a time that can be believed, the lengths within tell.
	frame := made(t, Header{ID: IDExchangeUp, Edition: Edition2019, Time: 1717569012000}, Cipher{}, position36)
	var h Header
	if _, err := h.Decode(frame, EditionAuto); err != nil || h.Edition != Edition2019 || h.Time != 1717569012000 {
		t.Errorf("time in ms: %+v, %v", h, err)
	}
	// A given edition is not doubted.
	if body, err := h.Decode(frame, Edition2011); err != nil || len(body) != len(position36)+8 {
		t.Errorf("taken as 2011: %d bytes, %v", len(body), err)
	}
}

func TestHeaderShort(t *testing.T) {
	for n := range longHeader {
		var h Header
		_, err := h.Decode(make([]byte, n), Edition2019)
		if KindOf(err) != ErrShort {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, err := h.Decode(make([]byte, n), Edition2011); (err == nil) != (n >= shortHeader) {
			t.Errorf("%d bytes as 2011: %v", n, err)
		}
	}
	h := Header{Length: 27, Edition: Edition2011}
	if err := h.CheckLength(0); KindOf(err) != ErrLength {
		t.Errorf("msg_length 27 of 26: %v", err)
	}
}

// The containers of every edition, and what peers make of them.
func TestEnvelopeDecode(t *testing.T) {
	const car = "bdfa45313233343500000000000000000000000000 02" // 晋E12345, yellow
	for _, c := range []struct {
		name string
		id   MessageID
		body string
		ed   Edition
		sub  MessageID
		car  bool
		data string
	}{
		{"none", IDLoginReply, "0001020304", Edition2011, 0, false, "0001020304"},
		{"vehicle", IDExchangeUp, car + "1208 00000000", Edition2011, IDApplyEnd, true, ""},
		{"vehicle with data", IDControlDown, car + "9501 00000002 aabb", Edition2019, IDMonitorCall, true, "aabb"},
		{"data_length too large", IDControlDown, car + "9501 00000006 aabb", Edition2019, IDMonitorCall, true, "aabb"},
		{"data_length 0 and data", IDControlDown, car + "9501 00000000 aabb", Edition2019, IDMonitorCall, true, "aabb"},
		{"data_length and a tail", IDControlDown, car + "9501 00000001 aabb", Edition2019, IDMonitorCall, true, "aa"},
		{"no data_length", IDExchangeDown, car + "920b", Edition2011, IDWaybillQuery, true, ""},
		{"no vehicle", IDPlatformDown, "9301 00000002 aabb", Edition2011, IDInspection, false, "aabb"},
		{"platform message with a vehicle", IDPlatformDown, car + "9301 00000002 aabb", Edition2011, IDInspection, true, "aabb"},
		{"alarm of 2011", IDAlarmUp, car + "1401 00000001 aa", Edition2011, IDSupervisionReply, true, "aa"},
		{"alarm of 2011 in 2019", IDAlarmUp, car + "1401 00000001 aa", Edition2019, IDSupervisionReply, true, "aa"},
		{"alarm of 2019", IDAlarmUp, "1401 00000001 aa", Edition2019, IDSupervisionReply, false, "aa"},
		{"supervision under the other id", IDAlarmUp, "9401 00000001 aa", Edition2019, IDSupervision, false, "aa"},
		{"registration reply", IDExchangeDown, "9201 00000007 12010000000101", Edition2019, IDRegistrationReply, false, "12010000000101"},
		{"registration reply with a vehicle", IDExchangeDown, car + "9201 00000007 12010000000101", Edition2019, IDRegistrationReply, true, "12010000000101"},
		{"exchange reply of 2011", IDExchangeUp, car + "1205 00000000", Edition2011, IDExchangeStartReply, true, ""},
		{"exchange reply, length behind", IDExchangeUp, car + "1205 920500000007 00000000", Edition2019, IDExchangeStartReply, true, "920500000007"},
		{"exchange reply, length behind and right", IDExchangeUp, car + "1206 920600000007 00000006", Edition2019, IDExchangeEndReply, true, "920600000007"},
		{"exchange reply, length in front", IDExchangeUp, car + "1206 00000006 920600000007", Edition2019, IDExchangeEndReply, true, "920600000007"},
		{"tokens as printed", IDTokenUp, "1701 3533303130", Edition2011, IDTokens, false, "3533303130"},
		{"tokens with a length", IDTokenUp, "1701 00000005 3533303130", Edition2011, IDTokens, false, "3533303130"},
		{"tokens with a vehicle", IDTokenUp, car + "1701 00000005 3533303130", Edition2011, IDTokens, true, "3533303130"},
		{"transfer report", IDTransferReport, "1102 00000001 aa", Edition2019, IDTransferReport, false, "aa"},
		{"transfer report without a container", IDTransferReport, "3533303130303030343137aa", Edition2019, 0, false, "3533303130303030343137aa"},
		{"serials with a wrong id", IDSerialNoticeUp, "2766 00000001 00", Edition2019, IDSerialNoticeUp, false, "00"},
		{"a province's own", IDExchangeUp, car + "1210 00000001 aa", Edition2019, 0x1210, true, "aa"},
		{"a province's own message", 0x1C00, car + "1c01 00000001 aa", Edition2019, 0x1c01, true, "aa"},
		{"no vehicle is concerned", IDControlUp, "00000000000000000000000000000000000000000000 1501 00000001 aa", Edition2019, IDMonitorCallReply, true, "aa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e Envelope
			if err := e.Decode(c.id, unhex(t, c.body), c.ed); err != nil {
				t.Fatal(err)
			}
			if e.ID != c.id || e.Sub != c.sub || e.HasVehicle != c.car || hex.EncodeToString(e.Data) != c.data {
				t.Errorf("%+v", e)
			}
			if v, err := e.Vehicle(); c.car && c.name != "no vehicle is concerned" && (err != nil || v.String() != "晋E12345/2") {
				t.Errorf("vehicle %v, %v", v, err)
			} else if !c.car && err != ingest.ErrPlateEmpty {
				t.Errorf("no vehicle: %v, %v", v, err)
			}
			var again Envelope
			if err := again.Decode(e.ID, e.Append(nil, c.ed), c.ed); err != nil {
				t.Fatal(err)
			}
			if again.Message() != e.Message() || !bytes.Equal(again.Data, e.Data) {
				t.Errorf("encoded and decoded %+v", again)
			}
		})
	}
	for _, c := range []struct {
		id   MessageID
		body string
	}{{IDExchangeUp, ""}, {IDExchangeUp, "bdfa45"}, {IDExchangeUp, car + "12"}, {IDPlatformUp, "13"}, {IDSerialNoticeUp, ""}} {
		var e Envelope
		if err := e.Decode(c.id, unhex(t, c.body), Edition2019); KindOf(err) != ErrShort {
			t.Errorf("%v %s: %v", c.id, c.body, err)
		}
	}
}

// A plate survives, whatever it is padded with, and the key of a position is that of other messages.
func TestEnvelopeVehicle(t *testing.T) {
	v, err := ingest.NewVehicle("云AD55881", 93)
	if err != nil {
		t.Fatal(err)
	}
	e := Envelope{ID: IDExchangeUp, Sub: IDPosition, Data: make([]byte, 36)}
	e.SetVehicle(v)
	body := e.Append(nil, Edition2011)
	var d Envelope
	if n := testing.AllocsPerRun(100, func() {
		if err := d.Decode(IDExchangeUp, body, Edition2011); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a position", n)
	}
	w, err := d.Vehicle()
	if err != nil || w != v || d.Key() != e.Key() || d.PlateText() != "云AD55881" {
		t.Errorf("%v, %v, %q, key %x, want %x", w, err, d.PlateText(), d.Key(), e.Key())
	}
	if again := d.Append(nil, Edition2011); !bytes.Equal(again, body) {
		t.Errorf("again %x\nwant %x", again, body)
	}
	for _, pad := range []string{"  晋E12345  ", "\x00\x00晋E12345", "晋E12345\x00rubbish"} {
		if v, err := VehicleOf(jt808.GBK(pad), 2); err != nil || v.String() != "晋E12345/2" {
			t.Errorf("%q: %v, %v", pad, v, err)
		}
	}
	long := Envelope{ID: IDExchangeUp, Sub: IDApplyEnd, Plate: jt808.GBK("一二三四五六七八九十甲乙")}
	if k := long.Key(); k[19] == 0 || k[20] != 0 {
		t.Errorf("half a character: %x", k)
	}
}
