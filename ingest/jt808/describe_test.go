package jt808

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func describe(t testing.TB, raw []byte, ed Edition) map[string]any {
	t.Helper()
	before := bytes.Clone(raw)
	out := Describe([]byte("x"), raw, DescribeOptions{Edition: ed})
	if out[0] != 'x' || !bytes.Equal(raw, before) {
		t.Fatal("Describe changed what it was given")
	}
	var m map[string]any
	if err := json.Unmarshal(out[1:], &m); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if again := Describe(nil, raw, DescribeOptions{Edition: ed}); !bytes.Equal(again, out[1:]) {
		t.Fatal("another time it is something else")
	}
	return m
}

// recheck puts the right checksum behind a frame that was changed.
func recheck(inner []byte) []byte {
	dst := appendEscaped([]byte{delimiter}, inner)
	return append(appendEscapedByte(dst, xor(inner)), delimiter)
}

func TestDescribeBadFrames(t *testing.T) {
	raw := readFrame(t, "06-location-2013-escapes")
	wrongSum := bytes.Clone(raw)
	wrongSum[len(wrongSum)-2] ^= 1
	badEscape := bytes.Clone(raw)
	badEscape[bytes.LastIndexByte(badEscape, escape)+1] = 9
	inner, err := unescape(bytes.Clone(raw[1 : len(raw)-2]))
	if err != nil {
		t.Fatal(err)
	}
	long := recheck(append(bytes.Clone(inner), 1, 2, 3))
	for name, c := range map[string]struct {
		frame []byte
		error string
		keys  string
	}{
		"empty":          {nil, "jt808: frame at byte 0: empty", "protocol error"},
		"delimiters":     {[]byte{0x7e, 0x7e}, "jt808: frame at byte 0: empty", "protocol error"},
		"one byte":       {[]byte{2}, "jt808: msg_id at byte 0: frame ends", "protocol error"},
		"cut header":     {raw[:12], "jt808: serial at byte 10: frame ends", "protocol id name error"},
		"wrong checksum": {wrongSum, "jt808: checksum at byte 66: 0x68, want 0x69", "protocol edition id name phone serial checksum_ok body error"},
		"bad escape":     {badEscape, "jt808: escape at byte 29: 0x7d 0x09, want 0x01 or 0x02", "protocol edition id name phone serial error"},
		"trailing bytes": {long, "jt808: body_len at byte 2: says 54, the body has 57 bytes", "protocol edition id name phone serial checksum_ok body error"},
	} {
		t.Run(name, func(t *testing.T) {
			m := describe(t, c.frame, EditionAuto)
			if m["error"] != c.error {
				t.Errorf("error %v\nwant %s", m["error"], c.error)
			}
			keys := strings.Fields(c.keys)
			for _, k := range keys {
				if _, ok := m[k]; !ok {
					t.Errorf("no %s in %v", k, m)
				}
			}
			if len(m) != len(keys) {
				t.Errorf("keys of %v, want %s", m, c.keys)
			}
		})
	}
	m := describe(t, wrongSum, EditionAuto)
	if m["checksum_ok"] != false || m["body"].(map[string]any)["location"].(map[string]any)["lat"] != 28.933648 {
		t.Errorf("%v", m)
	}
	for n := range raw {
		if m := describe(t, raw[:n], EditionAuto); m["error"] == nil && n < len(raw)-1 {
			t.Errorf("%d bytes of the frame have no error: %v", n, m)
		}
	}
	if got, want := describe(t, raw[1:len(raw)-1], EditionAuto), describe(t, raw, EditionAuto); got["error"] != nil || got["serial"] != want["serial"] {
		t.Errorf("without delimiters: %v", got)
	}
}

func TestDescribeBodies(t *testing.T) {
	phone, phone19 := mustPhone(t, "13800138000", Edition2013), mustPhone(t, "13800138000", Edition2019)
	frame := func(h Header, body string) []byte { return AppendFrame(nil, &h, unhex(t, body)) }
	for name, c := range map[string]struct {
		frame []byte
		ed    Edition
		want  string
	}{
		"unknown": {frame(Header{ID: 0x0304, Phone: phone}, "0102"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x0304","name":"unknown","phone":"013800138000","serial":0,"checksum_ok":true,"body":{"raw":"0102"}}`},
		"vendor": {frame(Header{ID: 0xF123, Phone: phone19, Version: 1}, ""), EditionAuto,
			`{"protocol":"jt808","edition":"2019","id":"0xf123","name":"vendor downlink","version":1,"phone":"00000000013800138000","serial":0,"checksum_ok":true,"body":{"raw":""}}`},
		"trailing": {frame(Header{ID: IDHeartbeat, Phone: phone}, "640a01"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x0002","name":"heartbeat","phone":"013800138000","serial":0,"checksum_ok":true,"body":{"trailing":"640a01"}}`},
		"encrypted": {frame(Header{ID: IDLocation, Phone: phone, Encryption: EncryptionRSA}, "0102"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x0200","name":"location report","phone":"013800138000","serial":0,"checksum_ok":true,"encrypted":true,"encryption":1,"body":{"raw":"0102"}}`},
		"ack": {frame(Header{ID: IDTerminalAck, Phone: phone, Serial: 9}, "0007820103"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x0001","name":"terminal general ack","phone":"013800138000","serial":9,"checksum_ok":true,"body":{"ack_serial":7,"ack_id":33281,"ack_id_meaning":"0x8201 query location","result":3,"result_meaning":"not supported"}}`},
		"edition given": {frame(Header{ID: IDPlatformResend, Phone: phone}, "0001000200010003"), Edition2019,
			`{"protocol":"jt808","edition":"2019","id":"0x8003","name":"platform resend request","phone":"013800138000","serial":0,"checksum_ok":true,"body":{"first_serial":1,"count":2,"pkg_ids":[1,3]}}`},
		"body cut": {frame(Header{ID: IDTracking, Phone: phone}, "00"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x8202","name":"temporary tracking","phone":"013800138000","serial":0,"checksum_ok":true,"body":{"raw":"00"},"error":"jt808: interval at byte 0: 2 bytes wanted, 1 left"}`},
		"a first part that ends in a list": {frame(Header{ID: IDResourceList, Phone: phone, PackageTotal: 2, PackageNo: 1}, "000700000002"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x1205","name":"A/V resource list","phone":"013800138000","serial":0,"checksum_ok":true,"package":{"total":2,"index":1},"body":{"raw":"000700000002"}}`},
		"no date": {frame(Header{ID: IDPassengerFlow, Phone: phone}, "000000000000260501080000"+"00010002"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x1005","name":"passenger flow","phone":"013800138000","serial":0,"checksum_ok":true,"body":{"start_time":null,"start_time_raw":"000000000000","end_time":"2026-05-01T08:00:00+08:00","boarding":1,"alighting":2}}`},
		"server time": {frame(Header{ID: IDServerTime, Phone: phone19, Version: 1}, "170315170923"), EditionAuto,
			`{"protocol":"jt808","edition":"2019","id":"0x8004","name":"server time","version":1,"phone":"00000000013800138000","serial":0,"checksum_ok":true,"body":{"server_time":"2017-03-15T17:09:23Z"}}`},
		"control characters": {frame(Header{ID: IDText, Phone: phone}, "08"+"22415c0a42ff"), EditionAuto,
			`{"protocol":"jt808","edition":"2011","id":"0x8300","name":"text to driver","phone":"013800138000","serial":0,"checksum_ok":true,"body":{"flags":8,"text":"\"A\\\u000aB` + "\uFFFD" + `"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Describe(nil, c.frame, DescribeOptions{Edition: c.ed}); string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Every message, and every prefix of its body in a good frame, is described as JSON.
func TestDescribeEveryMessage(t *testing.T) {
	for _, s := range samples() {
		h := Header{ID: s.id, Phone: mustPhone(t, "13800138000", s.ed), Version: 1}
		body := AppendBody(nil, s.ed, s.m)
		for n := 0; n <= len(body); n += max(1, len(body)/40) {
			m := describe(t, appendFrame(nil, &h, body[:n]), s.ed)
			if m["edition"] != s.ed.String() || m["checksum_ok"] != true {
				t.Fatalf("%s: %v", s, m)
			}
		}
		m := describe(t, appendFrame(nil, &h, body), s.ed)
		if m["error"] != nil || m["name"] != s.id.Name() {
			t.Errorf("%s: %v", s, m)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	for _, raw := range workedFrames(f) {
		f.Add(raw, uint8(0))
	}
	for _, s := range samples() {
		h := Header{ID: s.id, Phone: mustPhone(f, "13800138000", s.ed), Version: 1}
		f.Add(AppendMessage(nil, &h, s.m), uint8(s.ed))
	}
	f.Fuzz(func(t *testing.T, raw []byte, ed uint8) {
		describe(t, raw, Edition(ed%4))
	})
}

// FuzzBodies decodes anything as any message: no panic, an error inside of the body, and what was decoded encodes to
// something that decodes to the same bytes again.
func FuzzBodies(f *testing.F) {
	for _, s := range samples() {
		f.Add(uint16(s.id), uint8(s.ed), AppendBody(nil, s.ed, s.m))
	}
	for _, g := range standardGoldens(f) {
		for _, ed := range g.editions {
			f.Add(uint16(g.id), uint8(ed), g.body)
		}
	}
	f.Fuzz(func(t *testing.T, id uint16, e uint8, b []byte) {
		ed := Edition(e % 4)
		m := NewBody(MessageID(id))
		if m == nil {
			return
		}
		n, err := decodeBody(b, ed, m)
		if n < 0 || n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		if err != nil {
			if e := err.(*Error); e.Offset < 0 || e.Offset > len(b) || e.Field == "" {
				t.Fatalf("%#v", e)
			}
			return
		}
		again := AppendBody(nil, ed, m)
		m2 := NewBody(MessageID(id))
		if _, err := decodeBody(again, ed, m2); err != nil {
			t.Fatalf("%s: %x is encoded as %x: %v", MessageID(id), b, again, err)
		}
		if third := AppendBody(nil, ed, m2); !bytes.Equal(third, again) {
			t.Fatalf("%s: %x is encoded as %x, then %x", MessageID(id), b, again, third)
		}
	})
}
