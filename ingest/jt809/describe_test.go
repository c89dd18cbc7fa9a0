package jt809

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"lushao/ingest/jt808"
)

func describe(t testing.TB, frame []byte, opt DescribeOptions) map[string]any {
	t.Helper()
	before := bytes.Clone(frame)
	text := Describe(nil, frame, opt)
	if !bytes.Equal(frame, before) {
		t.Fatalf("the frame was changed: %x", frame)
	}
	if again := Describe([]byte("x"), frame, opt); string(again) != "x"+string(text) {
		t.Fatalf("described twice:\n%s\n%s", text, again[1:])
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if m["protocol"] != "jt809" {
		t.Fatalf("%s", text)
	}
	return m
}

// A frame says the same however it was written down.
func TestDescribeForms(t *testing.T) {
	for _, name := range frameNames(t) {
		raw := readFrame(t, name)
		want := string(Describe(nil, raw, DescribeOptions{Cipher: &workedCipher}))
		inner := raw[1 : len(raw)-1]
		plain := unescape(bytes.Clone(inner))
		for form, b := range map[string][]byte{
			"no flags":              inner,
			"unescaped":             append(append([]byte{headFlag}, plain...), tailFlag),
			"unescaped, no flags":   plain,
			"head flag only":        raw[:len(raw)-1],
			"something around it":   append(append([]byte("rubbish"), raw...), "more"...),
			"a cut frame before it": append([]byte{headFlag, 1, 2, 3}, raw...),
		} {
			if got := string(Describe(nil, b, DescribeOptions{Cipher: &workedCipher})); got != want {
				t.Errorf("%s, %s:\n got %s\nwant %s", name, form, got, want)
			}
			if !ChecksumFits(b) {
				t.Errorf("%s, %s: the checksum does not fit", name, form)
			}
		}
	}
}

func TestDescribeBadFrames(t *testing.T) {
	good := readFrame(t, "04-position-2011")
	has := func(m map[string]any, field, want string) {
		t.Helper()
		s, _ := m[field].(string)
		if !strings.Contains(s, want) || want == "" && s != "" {
			t.Errorf("%s is %q, want %q in it: %v", field, s, want, m)
		}
	}
	// The CRC alone is wrong.
	b := bytes.Clone(good)
	b[len(b)-2] ^= 0xff
	m := describe(t, b, DescribeOptions{})
	if has(m, "error", "crc at byte 86: 0xe6e2, want 0xe61d"); m["checksum_ok"] != false || m["plate"] != "云A8K216" {
		t.Errorf("%v", m)
	}
	if at := m["body"].(map[string]any)["location"].(map[string]any); at["lat"] != 25.040678 {
		t.Errorf("%v", m)
	}
	// The length alone is wrong.
	h, body := openOne(t, good, Cipher{})
	sent := AppendFrame(nil, &h, Cipher{}, body)
	plain := unescape(bytes.Clone(sent[1 : len(sent)-1]))
	plain[3]--
	c := crc(plain[:len(plain)-2])
	plain[len(plain)-2], plain[len(plain)-1] = byte(c>>8), byte(c)
	m = describe(t, append(append([]byte{headFlag}, escape(plain, 0)...), tailFlag), DescribeOptions{})
	if has(m, "error", "msg_length at byte 0: says 89, the frame has 90"); m["checksum_ok"] != true || m["sub_id"] != "0x1202" || m["body"].(map[string]any)["location"] == nil {
		t.Errorf("%v", m)
	}
	// Cut off anywhere, and with any bit wrong, it is described.
	for n := range good {
		m := describe(t, good[:n], DescribeOptions{})
		if m["error"] == nil && n < len(good)-1 { // but for the tail flag it is whole
			t.Errorf("%d bytes: no error: %v", n, m)
		}
		b := bytes.Clone(good)
		b[n] ^= 0x10
		if n > 0 && n < len(good)-1 && describe(t, b, DescribeOptions{})["error"] == nil {
			t.Errorf("byte %d wrong: no error", n)
		}
	}
	has(describe(t, nil, DescribeOptions{}), "error", "header")
	has(describe(t, []byte{headFlag, tailFlag}, DescribeOptions{}), "error", "header")
}

func TestDescribeEncrypted(t *testing.T) {
	raw := readFrame(t, "06-text-encrypted-2011")
	m := describe(t, raw, DescribeOptions{})
	if m["key_missing"] != true || m["encrypted"] != true || m["error"] != nil || m["plate"] != nil || m["checksum_ok"] != true ||
		m["name"] != "control message down" || m["body"].(map[string]any)["raw"] == nil {
		t.Errorf("without a key: %v", m)
	}
	m = describe(t, raw, DescribeOptions{Cipher: &Cipher{1, 2, 3}})
	if e, _ := m["error"].(string); !strings.Contains(e, "is the key the right one") || m["sub_id"] != nil || m["plate"] != nil ||
		m["body"].(map[string]any)["raw"] == nil {
		t.Errorf("with a wrong key: %v", m)
	}
	// An empty body and one of a byte are encrypted as any.
	for n, id := range []MessageID{IDHeartbeat, IDMainBroken} {
		h := Header{ID: id, Edition: Edition2019, Time: 1717569012, Encrypted: true, Key: 9}
		raw := AppendFrame(nil, &h, workedCipher, make([]byte, n))
		m := describe(t, raw, DescribeOptions{Cipher: &workedCipher})
		if m["error"] != nil || m["edition"] != "2019" || m["encrypted"] != true {
			t.Errorf("%d bytes: %v", n, m)
		}
		if m := describe(t, raw, DescribeOptions{}); (m["key_missing"] == true) != (n > 0) || m["error"] != nil {
			t.Errorf("%d bytes without a key: %v", n, m)
		}
	}
	// A key in the header of a plain frame means nothing.
	h := Header{ID: IDMainBroken, Edition: Edition2011, Key: 77}
	m = describe(t, AppendFrame(nil, &h, workedCipher, []byte{1}), DescribeOptions{Cipher: &workedCipher})
	if m["encrypted"] != false || m["body"].(map[string]any)["error_code"] != 1.0 {
		t.Errorf("%v", m)
	}
}

func TestDescribeEditions(t *testing.T) {
	car := Envelope{ID: IDExchangeUp, Plate: jt808.GBK("晋E12345"), Color: 2, HasVehicle: true}
	short := Header{Edition: Edition2011}
	for _, c := range []struct {
		name string
		h    Header
		id   MessageID
		sub  MessageID
		data []byte
		want string
	}{
		{"registration of 2011", short, IDExchangeUp, IDRegistration, make([]byte, 49), "2011"},
		{"registration of 2013", short, IDExchangeUp, IDRegistration, make([]byte, 61), "2013"},
		{"driver, unasked", short, IDExchangeUp, IDDriverReport, make([]byte, 276), "2013"},
		{"alarm result", short, IDAlarmUp, IDAlarmResult, make([]byte, 5), "2013"},
		{"recorder, period", short, IDControlDown, IDRecorderRequest, make([]byte, 16), "2011"},
		{"recorder, command", short, IDControlDown, IDRecorderRequest, []byte{7}, "2013"},
		{"recorder data of 2011", short, IDControlUp, IDRecorderReply, []byte{0, 0, 0, 1, 9}, "2011"},
		{"recorder data of 2013", short, IDControlUp, IDRecorderReply, []byte{7, 0, 0, 0, 1, 9}, "2013"},
		{"inspection of 2011", short, IDPlatformDown, IDInspection, []byte{0, 0, 0, 7, 0, 0, 0, 1, 'x'}, "2011"},
		{"inspection of 2013", short, IDPlatformDown, IDInspection, append(make([]byte, 20), 1, 'x'), "2013"},
		{"inspection of 2019", Header{Edition: Edition2019, Time: 1717569012}, IDPlatformDown, IDInspection, append(make([]byte, 29), 1, 'x'), "2019"},
	} {
		e := car
		e.ID, e.Sub, e.Data = c.id, c.sub, c.data
		c.h.ID = c.id
		raw := AppendFrame(nil, &c.h, Cipher{}, e.Append(nil, c.h.Edition))
		m := describe(t, raw, DescribeOptions{})
		if m["edition"] != c.want || m["error"] != nil || m["sub_id"] != c.sub.String() {
			t.Errorf("%s: %v", c.name, m)
		}
	}
	// 2011's header around the login of 2019, and the other way.
	for _, c := range []struct {
		ed   Edition
		n    int
		want string
	}{{Edition2011, 50, "2011"}, {Edition2019, 46, "2019"}} {
		h := Header{ID: IDLogin, Edition: c.ed, Time: 1717569012}
		m := describe(t, AppendFrame(nil, &h, Cipher{}, make([]byte, c.n)), DescribeOptions{})
		if m["edition"] != c.want || m["error"] != nil {
			t.Errorf("login of %d bytes: %v", c.n, m)
		}
	}
}

// What is not known is raw.
func TestDescribeUnknown(t *testing.T) {
	e := Envelope{ID: IDExchangeUp, Sub: 0x1240, Plate: jt808.GBK("晋E12345"), Color: 2, HasVehicle: true, Data: []byte{1, 2, 3}}
	h := Header{ID: IDExchangeUp, Edition: Edition2011}
	m := describe(t, AppendFrame(nil, &h, Cipher{}, e.Append(nil, Edition2011)), DescribeOptions{})
	if m["name"] != "unknown" || m["sub_id"] != "0x1240" || m["plate"] != "晋E12345" || m["body"].(map[string]any)["raw"] != "010203" || m["error"] != nil {
		t.Errorf("%v", m)
	}
	h.ID = 0x3456
	m = describe(t, AppendFrame(nil, &h, Cipher{}, []byte{9}), DescribeOptions{})
	if m["name"] != "unknown" || m["id"] != "0x3456" || m["body"].(map[string]any)["raw"] != "09" {
		t.Errorf("%v", m)
	}
}

// Whatever the bytes, the answer is one object, the same each time.
func FuzzDescribe(f *testing.F) {
	for _, name := range frameNames(f) {
		raw := readFrame(f, name)
		f.Add(raw, uint8(0), true)
		h, body := openOne(f, raw, workedCipher)
		f.Add(append([]byte{byte(h.ID >> 8), byte(h.ID)}, body...), uint8(h.Edition), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, ed uint8, frame bool) {
		opt := DescribeOptions{Edition: Edition(ed % 4), Cipher: &workedCipher}
		if frame {
			describe(t, b, opt)
			return
		}
		// A frame with a right CRC around the bytes, so that bodies are reached.
		if len(b) < 2 {
			return
		}
		h := Header{ID: MessageID(b[0])<<8 | MessageID(b[1]), Edition: opt.Edition, Time: 1717569012}
		m := describe(t, AppendFrame(nil, &h, Cipher{}, b[2:]), opt)
		if m["checksum_ok"] != true {
			t.Fatalf("%v", m)
		}
	})
}
