package jt808

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// unhex reads hex with white space in it.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readFrame(t testing.TB, name string) []byte {
	t.Helper()
	s, err := os.ReadFile(filepath.Join("testdata", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	return unhex(t, string(s))
}

func workedFrames(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(names) == 0 {
		t.Fatal("no frames in testdata", err)
	}
	frames := map[string][]byte{}
	for _, n := range names {
		n = strings.TrimSuffix(filepath.Base(n), ".hex")
		frames[n] = readFrame(t, n)
	}
	return frames
}

// openOne takes the only frame of a stream apart.
func openOne(t testing.TB, raw []byte) (h Header, body []byte) {
	t.Helper()
	var f Framer
	frame, n, err := f.Next(append([]byte(nil), raw...))
	if err != nil || frame == nil || n != len(raw) {
		t.Fatalf("Next: frame %x, %d of %d bytes, %v", frame, n, len(raw), err)
	}
	if body, err = h.Decode(frame); err != nil {
		t.Fatal(err)
	}
	return h, body
}

func TestWorkedFrames(t *testing.T) {
	for name, raw := range workedFrames(t) {
		t.Run(name, func(t *testing.T) {
			got := append(Describe(nil, raw, DescribeOptions{}), '\n')
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("Describe:\n got %s\nwant %s", got, want)
			}
			h, body := openOne(t, raw)
			out := body
			if h.PackageNo == 0 {
				ed := GuessEdition(&h, body)
				m := NewBody(h.ID)
				if err := DecodeBody(body, ed, m); err != nil {
					t.Fatal(err)
				}
				out = AppendBody(nil, ed, m)
			}
			if again := AppendFrame(nil, &h, out); !bytes.Equal(again, raw) {
				t.Errorf("encoded again:\n got %x\nwant %x", again, raw)
			}
		})
	}
}

// The values that the worked frames stand for, so that a golden file written anew proves something.
func TestWorkedValues(t *testing.T) {
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	var reg Register
	h, body := openOne(t, readFrame(t, "01-register-2011"))
	check("edition", GuessEdition(&h, body), Edition2011)
	if err := Decode(body, Edition2011, &reg); err != nil {
		t.Fatal(err)
	}
	check("phone", h.Phone.Trimmed(), "13955510021")
	check("plate", reg.Plate.String(), "皖A5K821")
	check("model", reg.Model.String(), "TX-100")
	check("terminal_id", reg.TerminalID.String(), "A10203C")
	check("city", reg.City, uint16(104))

	h, body = openOne(t, readFrame(t, "02-register-2013"))
	check("edition", GuessEdition(&h, body), Edition2013)
	if err := Decode(body, Edition2013, &reg); err != nil {
		t.Fatal(err)
	}
	check("plate", reg.Plate.String(), "湘F6Q033")
	check("color", reg.Color, uint8(1))
	check("model", reg.Model.String(), "MDT-7E")

	h, body = openOne(t, readFrame(t, "03-register-2019"))
	check("edition", GuessEdition(&h, body), Edition2019)
	if err := Decode(body, Edition2019, &reg); err != nil {
		t.Fatal(err)
	}
	check("phone", h.Phone.String(), "00000000018735601188")
	check("version", h.Version, uint8(1))
	check("plate", reg.Plate.String(), "LZZ5ELSD0NN123456")
	check("maker", reg.Maker.String(), "14052570118")
	check("model", reg.Model.String(), "NV19-PRO")
	check("terminal_id", reg.TerminalID.String(), "JC2024000731")

	var auth Authenticate
	_, body = openOne(t, readFrame(t, "04-authenticate-2019"))
	if err := Decode(body, Edition2019, &auth); err != nil {
		t.Fatal(err)
	}
	check("auth_code", auth.AuthCode.String(), "5kQ-0731")
	check("imei", auth.IMEI.String(), "861234050099317")
	check("software", auth.Software.String(), "V2.4.11")

	var order OrderAttachments
	_, body = openOne(t, readFrame(t, "05-order-attachments"))
	if err := Decode(body, Edition2013, &order); err != nil {
		t.Fatal(err)
	}
	check("ip", order.IP.String(), "10.20.30.40")
	check("tcp_port", order.TCPPort, uint16(7611))
	check("mark id", order.Mark.TerminalID.String(), "Z90017")
	check("mark time", order.Mark.Time.String(), "2025-06-11T08:30:15+08:00")
	check("attachments", order.Mark.Attachments, uint8(3))
	check("alarm_no", order.AlarmNo.String(), "20250611083015000042")

	var l Location
	_, body = openOne(t, readFrame(t, "07-location-2019-video-adas"))
	if err := DecodeLocation(body, &l); err != nil {
		t.Fatal(err)
	}
	alarms := AppendSafety(nil, l.Extras)
	if len(alarms) != 1 {
		t.Fatalf("safety alarms %+v", alarms)
	}
	a := alarms[0]
	check("system", a.System, "adas")
	check("kind", a.Kind, "lane")
	check("level", a.Level, uint8(2))
	check("alarm id", a.AlarmID, uint32(5))
	check("speed", a.Speed, uint16(720))
	check("flag", a.Flag, "")
	check("time", a.Time.String(), "2025-06-11T08:30:15+08:00")

	var params SetParameters
	_, body = openOne(t, readFrame(t, "09-parameters-2019"))
	if err := Decode(body, Edition2019, &params); err != nil {
		t.Fatal(err)
	}
	if len(params.Items) != 6 || params.Err != nil {
		t.Fatalf("%d parameters, %v", len(params.Items), params.Err)
	}
	v, _ := params.Items[0].Uint()
	check("heartbeat", v, uint64(60))
	check("main_server", params.Items[1].Text().String(), "218.76.4.9:8808;pt.example.cn:8808")
	check("forbidden_hours", hex.EncodeToString(params.Items[3].Value), "02000500")

	var circles SetCircles
	_, body = openOne(t, readFrame(t, "10-circle-2019"))
	if err := Decode(body, Edition2019, &circles); err != nil {
		t.Fatal(err)
	}
	c := circles.Areas[0]
	check("area_id", c.ID, uint32(900001))
	check("props", c.Props, uint16(0x012B))
	check("center_lat", c.Lat, uint32(29441200))
	check("radius", c.Radius, uint32(350))
	check("daily", c.Start.Daily(), true)
	check("night_max_speed", c.NightMaxSpeed, uint16(30))
	check("name", c.Name.String(), "氯碱厂限行圈")

	var parts Reassembler
	var media MediaData
	for i, name := range []string{"12-media-2-of-2", "11-media-1-of-2"} {
		h, body := openOne(t, readFrame(t, name))
		msg, done, err := parts.Add(&h, body, 0)
		if err != nil || done != (i == 1) {
			t.Fatalf("%s: %v, done %v", name, err, done)
		}
		if !done {
			continue
		}
		check("serial", h.Serial, uint16(144))
		check("edition", GuessEdition(&h, msg), Edition2013)
		if err := Decode(msg, Edition2013, &media); err != nil {
			t.Fatal(err)
		}
	}
	check("media_id", media.ID, uint32(17))
	check("data", hex.EncodeToString(media.Data), "ffd8ffe000104a464946000101007d7e1122ffd9")
}
