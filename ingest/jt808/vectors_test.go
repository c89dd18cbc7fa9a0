package jt808

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// publicVectors reads the frames of a public test suite that stand beside the project, where they do.
func publicVectors(t testing.TB) []vector {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
	name := filepath.Join(dir, "..", "shared", "vectors", "jt808_yezhihao.jsonl")
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		t.Skipf("the public vectors are not beside the project: %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []vector
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

type vector struct {
	File, Layer, Hex string
	Line             int
	Spec             *struct {
		ID       string `json:"msg_id"`
		BodyLen  int    `json:"body_len"`
		Flag     bool   `json:"version_flag"`
		Version  *uint8 `json:"protocol_version"`
		Encrypt  uint8
		Phone    string
		BCD      string `json:"phone_bcd"`
		Serial   uint16
		Total    uint16 `json:"pkg_total"`
		No       uint16 `json:"pkg_no"`
		Checksum bool   `json:"checksum_ok"`
		Location *vectorLocation
		Reply    *uint16 `json:"reply_serial"`
		Count    *uint16 `json:"batch_count"`
		Kind     *uint8  `json:"batch_type"`
		Items    []vectorLocation
	}
}

type vectorLocation struct {
	Alarm, Status uint32
	ACC, Located  bool
	LatRaw        uint32 `json:"lat_raw"`
	LonRaw        uint32 `json:"lon_raw"`
	Lat, Lon      float64
	Altitude      int16   `json:"altitude_m"`
	Speed         float64 `json:"speed_kmh"`
	Course        uint16
	Time          *string
	Ext           map[string]any
	Mileage       *float64 `json:"mileage_km"`
	Fuel          *float64 `json:"fuel_l"`
	Recorder      *float64 `json:"recorder_speed_kmh"`
}

func TestPublicVectors(t *testing.T) {
	frames := 0
	for _, v := range publicVectors(t) {
		raw := unhex(t, v.Hex)
		describe(t, raw, EditionAuto)
		if v.Layer != "frame" || v.Spec == nil || !v.Spec.Checksum {
			continue
		}
		frames++
		t.Run(fmt.Sprintf("%s:%d", filepath.Base(v.File), v.Line), func(t *testing.T) {
			h, body := openOne(t, raw)
			s := v.Spec
			version := uint8(0)
			if s.Version != nil {
				version = *s.Version
			}
			if h.ID.String() != s.ID || len(body) != s.BodyLen || (h.Edition == Edition2019) != s.Flag || h.Version != version ||
				h.Encryption != s.Encrypt || h.Phone.String() != s.BCD || h.Phone.Trimmed() != s.Phone || h.Serial != s.Serial ||
				h.PackageTotal != s.Total || h.PackageNo != s.No {
				t.Errorf("header %+v, want %+v", h, *s)
			}
			if h.Packaged() {
				if again := AppendFrame(nil, &h, body); !bytes.Equal(again, raw) {
					t.Errorf("encoded again %x", again)
				}
				return
			}
			ed := GuessEdition(&h, body)
			m := NewBody(h.ID)
			if m == nil {
				t.Fatalf("%s is not in the index", h.ID)
			}
			n, err := decodeBody(body, ed, m)
			if err != nil || n != len(body) {
				t.Fatalf("%d of %d bytes, %v", n, len(body), err)
			}
			if again := AppendFrame(nil, &h, AppendBody(nil, ed, m)); !bytes.Equal(again, raw) {
				t.Errorf("encoded again\n got %x\nwant %x", again, raw)
			}
			checkVectorBody(t, m, &v)
		})
	}
	if frames < 250 {
		t.Errorf("%d frames only", frames)
	}
}

func checkVectorBody(t *testing.T, m Body, v *vector) {
	t.Helper()
	switch m := m.(type) {
	case *Location:
		checkVectorLocation(t, m, v.Spec.Location)
	case *LocationReply:
		if v.Spec.Reply == nil || m.Serial != *v.Spec.Reply {
			t.Errorf("ack_serial %d", m.Serial)
		}
		checkVectorLocation(t, &m.Location, v.Spec.Location)
	case *BatchReport:
		if m.Count != *v.Spec.Count || m.Kind != *v.Spec.Kind || m.Err != nil || len(m.Locations) != len(v.Spec.Items) {
			t.Fatalf("%+v", m)
		}
		for i := range m.Locations {
			checkVectorLocation(t, &m.Locations[i], &v.Spec.Items[i])
		}
	}
}

func checkVectorLocation(t *testing.T, l *Location, want *vectorLocation) {
	t.Helper()
	if want == nil {
		t.Fatal("the vector has no location")
	}
	if l.Alarm != want.Alarm || l.Status != want.Status || l.Lat != want.LatRaw || l.Lon != want.LonRaw ||
		l.Altitude != want.Altitude || l.Direction != want.Course || l.ExtrasErr != nil {
		t.Errorf("%+v, want %+v", l, *want)
	}
	var got struct {
		vectorLocation
		Extras map[string]any
	}
	if err := json.Unmarshal(AppendLocationJSON(nil, l), &got); err != nil {
		t.Fatal(err)
	}
	near := func(name string, a, b *float64) {
		t.Helper()
		if (a == nil) != (b == nil) || a != nil && math.Abs(*a-*b) > 1e-9 {
			t.Errorf("%s %v, want %v", name, a, b)
		}
	}
	near("lat", &got.Lat, &want.Lat)
	near("lon", &got.Lon, &want.Lon)
	near("speed_kmh", &got.Speed, &want.Speed)
	near("mileage_km", got.Mileage, want.Mileage)
	near("fuel_l", got.Fuel, want.Fuel)
	near("recorder_speed_kmh", got.Recorder, want.Recorder)
	if got.ACC != want.ACC || got.Located != want.Located || (got.Time == nil) != (want.Time == nil) || got.Time != nil && *got.Time != *want.Time {
		t.Errorf("%+v, want %+v", got, *want)
	}
	if fmt.Sprint(got.Extras) != fmt.Sprint(want.Ext) {
		t.Errorf("extras %v\nwant %v", got.Extras, want.Ext)
	}
}
