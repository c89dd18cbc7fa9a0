package jt809

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	wire "lushao/ingest/fields"
	"lushao/ingest/jt808"
)

func TestMessageIDs(t *testing.T) {
	names := map[string]MessageID{}
	for _, id := range MessageIDs() {
		info, ok := id.Info()
		if !ok || info.Name == "" || info.Name != strings.ToLower(info.Name) || info.Name != id.Name() {
			t.Errorf("%s: name %q", id, info.Name)
		}
		if other, twice := names[info.Name]; twice {
			t.Errorf("%s and %s are both %q", id, other, info.Name)
		}
		names[info.Name] = id
		// 0x9xxx goes down and 0x1xxx up, but for the logins and heartbeats, whose answers have the other direction.
		if link := id &^ 0x8000; link > 0x1010 && info.Up != (id < 0x8000) {
			t.Errorf("%s: up is %v", id, info.Up)
		}
		if info.Answer != 0 {
			answer, ok := info.Answer.Info()
			if !ok || answer.Up == info.Up {
				t.Errorf("%s is answered by %s, up %v", id, info.Answer, answer.Up)
			}
		}
		if c := id.Container(); c != 0 && !c.IsContainer() {
			t.Errorf("%s is in %s, which is no container", id, c)
		}
		if id.IsContainer() && id.Container() != 0 {
			t.Errorf("%s is in %s", id, id.Container())
		}
	}
	for id, want := range map[MessageID]MessageID{IDLogin: 0, IDSerialNoticeDown: 0, IDPosition: IDExchangeUp,
		IDDriverQuery: IDExchangeDown, IDDownloadControl: IDDownloadDown, IDExchangeUp: 0} {
		if got := id.Container(); got != want {
			t.Errorf("%s is in %s, want %s", id, got, want)
		}
	}
	if id := MessageID(0x1240); id.Name() != "" || NewBody(id, Edition2019, 10) != nil {
		t.Errorf("%s is not of the standard, but has name %q", id, id.Name())
	}
	if _, ok := MessageID(0x1204).Info(); ok {
		t.Error("0x1204 does not exist")
	}
}

func TestErrorsNameFieldAndPlace(t *testing.T) {
	for _, c := range []struct {
		id   MessageID
		ed   Edition
		body string
		want string
	}{
		{IDLogin, Edition2011, "00094ee7576b37", "jt809: password at byte 4: 8 bytes wanted, 3 left"},
		{IDLogin, Edition2019, strings.Repeat("00", 49), "jt809: down_link_port at byte 48: 2 bytes wanted, 1 left"},
		{IDLoginReply, Edition2011, "004d", "jt809: verify_code at byte 1: 4 bytes wanted, 1 left"},
		{IDHeartbeat, Edition2011, "", ""},
		{IDSerialNoticeUp, Edition2019, "03" + strings.Repeat("00", 14), "jt809: count at byte 0: says 3, the body ends after 1"},
		{IDSerialNoticeUp, Edition2019, "01120200000001", "jt809: time at byte 7: 8 bytes wanted, 0 left"},
		{IDRegistration, Edition2019, strings.Repeat("30", 60), "jt809: terminal_imei at byte 52: 15 bytes wanted, 8 left"},
		{IDRegistration, Edition2013, strings.Repeat("30", 55), "jt809: terminal_simcode at byte 49: 12 bytes wanted, 6 left"},
		{IDSupervisionReply, Edition2019, "000000070000", "jt809: src_msg_sn at byte 6: 4 bytes wanted, 0 left"},
		{IDAlarmReport, Edition2011, "010002000000006660", "jt809: warn_time at byte 3: 8 bytes wanted, 6 left"},
	} {
		b := unhex(t, c.body)
		err := Decode(b, c.ed, NewBody(c.id, c.ed, len(b)))
		switch {
		case err == nil && c.want == "":
		case err == nil || err.Error() != c.want || KindOf(err) != ErrShort:
			t.Errorf("%s: %v\nwant %s", c.id, err, c.want)
		}
	}
	if KindOf(errors.New("x")) != 0 {
		t.Error("an error of others has a kind")
	}
}

// The fields of these messages are all fixed: no prefix may pass, unless it is as long as another layout.
func TestFixedBodiesRefuseEveryPrefix(t *testing.T) {
	layouts := map[MessageID][]int{IDLogin: {46, 50}, IDRegistration: {49, 61, 110}, IDSupervision: {90, 92, 102},
		IDSupervisionReply: {5, 7, 11}, IDDriverReport: {264, 276, 284}, IDDriverReply: {264, 270, 282, 290}, IDExchangeStartReply: {0},
		IDExchangeEndReply: {0}, IDLoginReply: nil, IDLogout: nil, IDMainBroken: nil, IDInferiorCloses: nil, IDSubLogin: nil,
		IDSubLoginReply: nil, IDSubLogout: nil, IDSubBroken: nil, IDSuperiorCloses: nil, IDPositionCount: nil,
		IDPositionCountUp: nil, IDTransferQuery: nil, IDTransferReport: nil, IDSerialNoticeUp: nil, IDSerialNoticeDown: nil,
		IDPosition: {36, 90}, IDApplyStart: nil, IDApplyHistory: nil, IDSupervisionAnswered: nil, IDAlarmHandled: nil, IDSupervisionSent: nil}
	for _, g := range goldens(t) {
		others, fixed := layouts[g.id]
		if !fixed || g.tolerated {
			continue
		}
		for _, ed := range g.editions {
			for n := range g.body {
				if slices.Contains(others, n) {
					continue
				}
				// A body of another edition's layout that is cut may hold the shorter one of its own edition, and a tail.
				own := AppendBody(nil, ed, NewBody(g.id, ed, -1))
				if n >= len(own) && len(own) < len(g.body) && strings.Contains(g.name, "-as-") {
					continue
				}
				if err := Decode(g.body[:n], ed, NewBody(g.id, ed, n)); KindOf(err) == 0 {
					t.Errorf("%s in %s: %d of %d bytes pass: %v", g.name, ed, n, len(g.body), err)
				}
			}
		}
	}
}

func TestFillNamesTheField(t *testing.T) {
	for _, c := range []struct {
		id   MessageID
		ed   Edition
		json string
		want string
	}{
		{IDAlarmReport, Edition2019, `{"info_content":7}`, "body.info_content: want a text"},
		{IDAlarmReport, Edition2019, `{"warn_type":70000}`, "body.warn_type: want a number from 0 to 65535"},
		{IDAlarmReport, Edition2019, `{"warn_type":-1}`, "body.warn_type: want a number from 0 to 65535"},
		{IDAlarmReport, Edition2019, `{"warn_time":"yesterday"}`, "body.warn_time: want a time such as 2026-03-01T08:00:00+08:00"},
		{IDAlarmReport, Edition2019, `{"warn_time":1717569012}`, "body.warn_time: want a text"},
		{IDAlarmReport, Edition2019, `{"info_id":1}`, "body.info_id: no such field"},
		{IDAlarmReport, Edition2011, `{"info_id":1,"info_length":9,"warn_type_meaning":"x"}`, ""},
		{IDAlarmReport, Edition2019, `{"src_platform_id":"530100004170"}`, "body.src_platform_id: want at most 11 bytes in GBK, have 12"},
		{IDLogin, Edition2011, `{"user_id":"0x10","password":null}`, ""},
		{IDLogin, Edition2011, `[1]`, "body: want an object"},
		{IDLogin, Edition2011, `null`, "body: want an object"},
		{IDLogin, Edition2011, `{"user_id":1} {}`, "body: want an object"},
		{IDLogin, Edition2011, `{`, "body: want an object"},
		{IDSerialNoticeUp, Edition2019, `{"items":{}}`, "body.items: want a list"},
		{IDSerialNoticeUp, Edition2019, `{"items":[{"sub_type":1},{"msg_sn":"a"}]}`, "body.items[1].msg_sn: want a number from 0 to 4294967295"},
		{IDSerialNoticeUp, Edition2019, `{"items":[{},{"more":"a"}]}`, "body.items[1].more: no such field"},
		{IDSerialNoticeUp, Edition2019, `{"items":[7]}`, "body.items[0]: want an object"},
		{IDSerialNoticeUp, Edition2019, `{"items":[` + strings.Repeat("{},", 255) + `{}]}`, "body.items: want at most 255 items, have 256"},
		{IDHeartbeat, Edition2011, `{}`, ""},
		{IDHeartbeat, Edition2011, `{"x":null}`, "body.x: no such field"},
		{IDRouteReport, Edition2019, `{"drvline":{"route_id":7,"points":[{"lat":"x"}]}}`, "body.drvline.points[0].lat: want a number from 0 to 4294967295"},
		{IDRouteReport, Edition2019, `{"raw":"abc"}`, "body.raw: want bytes as hex"},
	} {
		err := FillBody(NewBody(c.id, c.ed, -1), c.ed, []byte(c.json))
		got := ""
		if err != nil {
			if got = err.Error(); !wire.IsFillError(err) {
				t.Errorf("%s: %T", c.json, err)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.json, got, c.want)
		}
	}
	m := new(AlarmReport)
	m.VehicleColor = 2
	if err := FillBody(m, Edition2019, []byte(`{"vehicle_no":"云AD55881","warn_time":"2024-06-05T06:30:12Z"}`)); err != nil ||
		m.VehicleColor != 2 || m.VehicleNo.String() != "云AD55881" || m.WarnTime != 1717569012 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestSeconds(t *testing.T) {
	for _, c := range []struct {
		s    Seconds
		ms   int64
		text string
	}{
		{0, 0, "0"},
		{1263085674, 1263085674000, "2010-01-10T09:07:54+08:00"},
		{1717569012345, 1717569012345, "2024-06-05T14:30:12.345+08:00"},
		{100000000000, 100000000000000, "5138-11-16T17:46:40+08:00"},
		{math.MaxUint64, math.MaxInt64, "18446744073709551615"},
		{maxMillis + 1, int64(maxMillis) + 1, "253402300800000"},
	} {
		if got := c.s.UnixMilli(); got != c.ms {
			t.Errorf("%d: %d ms, want %d", uint64(c.s), got, c.ms)
		}
		if got := c.s.String(); got != c.text {
			t.Errorf("%d: %s, want %s", uint64(c.s), got, c.text)
		}
		m := PositionCount{Start: c.s}
		js := AppendBodyJSON(nil, Edition2011, &m)
		var again PositionCount
		if err := FillBody(&again, Edition2011, js); err != nil || again != m {
			t.Errorf("%s: %+v, %v", js, again, err)
		}
	}
	at := time.Date(2026, 3, 1, 8, 0, 0, 999e6, time.UTC)
	if got := SecondsOf(at.UnixMilli()); got != Seconds(at.Unix()) {
		t.Errorf("%d", got)
	}
	if SecondsOf(-1) != 0 {
		t.Error("before 1970")
	}
}

// What an edition does not have is not sent, and what it has is there, whatever layout the data came in.
func TestEncodeInEveryEdition(t *testing.T) {
	for _, c := range []struct {
		m                   Body
		old, edition13, new int
	}{
		{&Login{}, 46, 46, 50},
		{&Registration{}, 49, 61, 110},
		{&ExchangeReply{}, 0, 0, 6},
		{&DriverReply{}, 276, 276, 290},
		{&Driver{}, 276, 276, 284},
		{&WaybillReply{}, 4, 4, 10},
		{&Position{}, 36, 36, 50},
		{&SupervisionReply{}, 5, 5, 11},
		{&Supervision{}, 92, 92, 102},
		{&AlarmReport{}, 19, 19, 78},
		{&AlarmTip{}, 15, 15, 78},
		{&AlarmTip{up: true}, 78, 78, 78},
		{&AlarmHandled{}, 7, 7, 7},
		{&SupervisionSent{}, 102, 102, 102},
		{&Login{Layout: 999}, 46, 46, 50}, // a layout that does not exist
	} {
		for ed, want := range map[Edition]int{Edition2011: c.old, Edition2013: c.edition13, Edition2019: c.new, EditionAuto: c.edition13} {
			if got := len(AppendBody(nil, ed, c.m)); got != want {
				t.Errorf("%T in %s: %d bytes, want %d", c.m, ed, got, want)
			}
		}
	}
}

func TestVariantsOfAlarmResult(t *testing.T) {
	for _, c := range []struct {
		ed   Edition
		n    int
		want Body
	}{
		{Edition2013, -1, &AlarmResult{}}, {Edition2013, 5, &AlarmResult{}}, {Edition2019, 5, &AlarmResult{}},
		{Edition2013, 3, &AlarmResult{}}, {Edition2019, 3, &AlarmTip{up: true}}, {Edition2019, -1, &AlarmTip{up: true}},
		{Edition2011, 95, &AlarmTip{up: true}},
	} {
		if got := NewBody(IDAlarmResult, c.ed, c.n); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, %d bytes: %#v", c.ed, c.n, got)
		}
	}
}

func TestEncodersCutWhatDoesNotFit(t *testing.T) {
	long := jt808.GBK(strings.Repeat("一", 300))
	for _, m := range []Body{
		&Login{Password: long, DownLinkIP: long},
		&Registration{PlatformID: long, TerminalModelType: long, TerminalSimcode: long},
		&SerialNotice{make([]SerialItem, 300)},
		&Driver{DriverName: long, OrgName: long},
		&AlarmReport{VehicleNo: long, InfoContent: long},
	} {
		for _, ed := range []Edition{Edition2011, Edition2019} {
			b := AppendBody(nil, ed, m)
			again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(Body)
			if n, err := decodeBody(b, ed, again); err != nil || n != len(b) {
				t.Errorf("%T: %d of %d bytes, %v", m, n, len(b), err)
			}
			if js := AppendBodyJSON(nil, ed, again); bytes.Contains(js, []byte("\ufffd")) {
				t.Errorf("%T: half a character: %s", m, js)
			}
		}
	}
}

func TestSimcodeIsFilledInFront(t *testing.T) {
	b := AppendBody(nil, Edition2019, &Registration{TerminalSimcode: "13987650042"})
	if got := string(b[97:]); got != "0013987650042" {
		t.Errorf("%q", got)
	}
	b = AppendBody(nil, Edition2011, &Registration{})
	if got := b[37:]; !bytes.Equal(got, make([]byte, 12)) {
		t.Errorf("no number is %q", got)
	}
}

func FuzzBodies(f *testing.F) {
	for _, g := range goldens(f) {
		for _, ed := range g.editions {
			f.Add(uint16(g.id), uint8(ed), g.body)
		}
	}
	f.Fuzz(func(t *testing.T, id uint16, edition uint8, b []byte) {
		ed := Edition(edition % 4)
		m := NewBody(MessageID(id), ed, len(b))
		if m == nil {
			return
		}
		before := bytes.Clone(b)
		n, err := decodeBody(b, ed, m)
		if !bytes.Equal(b, before) {
			t.Fatal("decoding changed the data")
		}
		js := AppendBodyJSON(nil, ed, m)
		if !json.Valid(js) {
			t.Fatalf("no JSON: %s", js)
		}
		out := AppendBody(nil, ed, m)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Field == "" || e.Offset < 0 || e.Offset > len(b) {
				t.Fatalf("%#v", err)
			}
			return
		}
		if n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		// What was read can be written, and read again as the same.
		again := NewBody(MessageID(id), ed, len(out))
		if err := Decode(out, ed, again); err != nil {
			t.Fatalf("%x\nencoded %x: %v", b, out, err)
		}
		if third := AppendBody(nil, ed, again); !bytes.Equal(third, out) {
			t.Fatalf("%x\nencoded %x\n   then %x", b, out, third)
		}
		filled := NewBody(MessageID(id), ed, len(b))
		if err := FillBody(filled, ed, js); err != nil {
			t.Logf("not filled: %v", err) // texts that are not GBK
		}
	})
}
