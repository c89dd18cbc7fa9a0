package jt809

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func (s downSample) String() string { return fmt.Sprintf("%s_%s_%T", s.id, s.ed, s.m) }

// elsewhere are the messages of bodies_b.go whose struct is another file's, and tested with it.
var elsewhere = map[MessageID]bool{IDPositionDown: true, IDPositionBatchDown: true, IDRouteExchange: true, IDRouteReply: true}

func TestEveryDownMessageHasASample(t *testing.T) {
	have := map[MessageID]bool{}
	for _, s := range downSamples() {
		have[s.id] = true
		if m := NewBody(s.id, s.ed, -1); reflect.TypeOf(m) != reflect.TypeOf(s.m) {
			t.Errorf("%s: NewBody makes %T", s, m)
		}
		if s.id.Name() == "" {
			t.Errorf("%s has no name", s.id)
		}
	}
	for id := range MessageID(0xFFFF) {
		if newBodyB(id, Edition2019, -1) != nil && !have[id] && !elsewhere[id] {
			t.Errorf("%s %s has no sample", id, id.Name())
		}
	}
	if len(have) != 50 {
		t.Errorf("%d messages", len(have))
	}
}

func TestDownBodiesRoundTrip(t *testing.T) {
	for _, s := range downSamples() {
		t.Run(s.String(), func(t *testing.T) {
			b := AppendBody([]byte("kept"), s.ed, s.m)
			if !bytes.HasPrefix(b, []byte("kept")) {
				t.Fatal("the bytes before are gone")
			}
			b = b[4:]
			m := NewBody(s.id, s.ed, len(b))
			for range 2 { // a second time into the same struct
				n, err := decodeBody(b, s.ed, m)
				if err != nil || n != len(b) {
					t.Fatalf("decoded %d of %d bytes: %v\n%x", n, len(b), err, b)
				}
				if !same(m, s.m) {
					t.Fatalf("decoded\n got %+v\nwant %+v", m, s.m)
				}
				resetItems(m)
			}
			if again := AppendBody(nil, s.ed, s.m); !bytes.Equal(again, b) {
				t.Errorf("encoded again\n got %x\nwant %x", again, b)
			}
			described := AppendBodyJSON(nil, s.ed, s.m)
			if !json.Valid(described) {
				t.Fatalf("no JSON: %s", described)
			}
			filled := NewBody(s.id, s.ed, -1)
			if err := FillBody(filled, s.ed, described); err != nil {
				t.Fatalf("%v\n%s", err, described)
			}
			if got := AppendBody(nil, s.ed, filled); !bytes.Equal(got, b) {
				t.Errorf("filled from JSON\n got %x\nwant %x\nfrom %s", got, b, described)
			}
			if got := AppendBodyJSON(nil, s.ed, filled); !bytes.Equal(got, described) {
				t.Errorf("described again\n got %s\nwant %s", got, described)
			}
		})
	}
}

// resetItems empties the lists: resetting is the caller's, and a list grows.
func resetItems(m Body) {
	switch m := m.(type) {
	case *RecordingList:
		m.ItemList = nil
	case *RecordingQueryReply:
		m.ItemList = nil
	}
}

// same compares bodies; a slice without elements is the same as none.
func same(a, b Body) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

// An error of a cut body names a field at a place inside of it; what is legal when cut takes no more than is there.
func TestDownBodiesPrefixes(t *testing.T) {
	for _, s := range downSamples() {
		b := AppendBody(nil, s.ed, s.m)
		for n := range b {
			p := append(make([]byte, 0, n), b[:n]...) // no bytes behind that a mistake could read
			m := NewBody(s.id, s.ed, n)
			took, err := decodeBody(p, s.ed, m)
			if err == nil {
				if took > n {
					t.Errorf("%s: %d bytes of %d taken", s, took, n)
				}
				if d := AppendBodyJSON(nil, s.ed, m); !json.Valid(d) {
					t.Errorf("%s cut to %d bytes: no JSON: %s", s, n, d)
				}
				continue
			}
			e, ok := err.(*Error)
			if !ok || e.Field == "" || e.Offset < 0 || e.Offset > n {
				t.Errorf("%s cut to %d bytes: %#v", s, n, err)
			}
		}
	}
}

// The fields of these are all fixed, or their length is told: no prefix passes.
func TestFixedDownBodiesRefuseEveryPrefix(t *testing.T) {
	loose := map[MessageID]bool{IDVehicleInfo: true, IDStaticData: true, // to the end
		IDInspection: true, IDInspectionReply: true, IDPlatformText: true, IDVehicleText: true, IDRouteAck: true, // lengths that peers count wrong
		IDRetransmitUp: true, IDRetransmitDown: true, IDRecorderRequest: true, // by length
		IDTokenReply: true, IDVideoStart: true, IDRecordingQuery: true, IDPlaybackStart: true, IDDownloadStart: true} // with and without
	for _, s := range downSamples() {
		if loose[s.id] {
			continue
		}
		b := AppendBody(nil, s.ed, s.m)
		for n := range b {
			if err := Decode(b[:n:n], s.ed, NewBody(s.id, s.ed, n)); KindOf(err) == 0 {
				t.Errorf("%s: %d of %d bytes pass", s, n, len(b))
			}
		}
	}
}

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is said of a text is clamped to what is there: peers count characters of another encoding.
func TestTextsLongerThanTheData(t *testing.T) {
	var m VehicleText
	if err := Decode(fromHex(t, "00000058 01 00000018 C7B0B7BD"), Edition2011, &m); err != nil || m.MsgContent.String() != "前方" {
		t.Errorf("%+v %v", m, err)
	}
}

func TestFillDownBodies(t *testing.T) {
	var r RecorderRequest
	if err := FillBody(&r, Edition2013, []byte(`{"command_type":8,"start_time":"2026-05-01T08:00:00+08:00","end_time":"2026-05-01T09:00:00+08:00","max_records":3}`)); err != nil {
		t.Fatal(err)
	}
	if got := AppendBody(nil, Edition2013, &r); !bytes.Equal(got, fromHex(t, "08 260501080000 260501090000 0003")) {
		t.Errorf("%x", got)
	}
	r = RecorderRequest{}
	if err := FillBody(&r, Edition2013, []byte(`{"command_type":"0x02"}`)); err != nil {
		t.Fatal(err)
	}
	if got := AppendBody(nil, Edition2013, &r); !bytes.Equal(got, []byte{2}) {
		t.Errorf("%x", got)
	}
	for body, want := range map[string]string{
		`{"layout":"x"}`:     `body.layout: want a number from 0 to 65535`,
		`{"info_content":7}`: `body.info_content: want a text`,
		`{"answer":1}`:       `body.answer: no such field`,
	} {
		if err := FillBody(new(PlatformText), Edition2019, []byte(body)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	var s StaticData
	if err := FillBody(&s, Edition2011, []byte(`{"car_info":"VIN:=晋E12345;VEHICLE_COLOR:=2"}`)); err != nil || s.Info.Get(InfoPlate) != "晋E12345" {
		t.Errorf("%+v %v", s, err)
	}
}
