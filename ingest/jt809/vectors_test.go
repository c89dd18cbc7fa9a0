package jt809

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vector is a frame or a body of a public test suite of another implementation, and what that reads in it.
type vector struct {
	File, Test, Kind, Layer, Hex string
	Line                         int
	Version                      *string `json:"version_hint"`
	Expected                     map[string]any
	Spec                         *struct {
		Length    uint32  `json:"msg_len"`
		Serial    uint32  `json:"msg_sn"`
		ID        string  `json:"msg_id"`
		Centre    uint32  `json:"gnss_center_id"`
		Version   string  `json:"version"`
		Encrypt   uint8   `json:"encrypt_flag"`
		Key       uint32  `json:"encrypt_key"`
		CRC       bool    `json:"crc_ok"`
		LengthOK  bool    `json:"len_ok"`
		Edition   string  `json:"edition"`
		Plate     *string `json:"vehicle_no"`
		Sub       *string `json:"sub_id"`
		SubLength *bool   `json:"sub_len_ok"`
	}
}

func (v *vector) place() string { return fmt.Sprintf("%s:%d", filepath.Base(v.File), v.Line) }

// allVectors reads the vectors that stand beside the project, where they do.
func allVectors(t testing.TB) (all []vector) {
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
	name := filepath.Join(dir, "..", "shared", "vectors", "jt809_smallchi.jsonl")
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		t.Skipf("the public vectors are not beside the project: %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
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

// Every frame with a right CRC is taken apart as an independent reading has it.
func TestPublicFrames(t *testing.T) {
	good, bad := 0, 0
	for _, v := range allVectors(t) {
		if v.Layer != "frame" {
			continue
		}
		raw := unhex(t, v.Hex)
		m := describe(t, raw, DescribeOptions{})
		if v.Spec == nil || !v.Spec.CRC {
			if m["error"] == nil && m["key_missing"] == nil {
				t.Errorf("%s: a bad frame without an error: %v", v.place(), m)
			}
			bad++
			continue
		}
		good++
		s := v.Spec
		check := func(name string, want any) {
			t.Helper()
			if m[name] != want {
				t.Errorf("%s: %s is %v, want %v", v.place(), name, m[name], want)
			}
		}
		check("checksum_ok", true)
		check("id", s.ID)
		check("serial", float64(s.Serial))
		check("access_code", float64(s.Centre))
		check("version", s.Version)
		check("encrypted", s.Encrypt == 1)
		check("key", float64(s.Key))
		// That reading knows one container only; where it does not fit, it says so, and what it says of the rest is nothing.
		if ed := m["edition"].(string); (s.SubLength == nil || *s.SubLength) && vectorDeviations[v.place()] == "" && (ed == "2019") != (s.Edition == "2019") {
			t.Errorf("%s: edition %s, want %s", v.place(), ed, s.Edition)
		}
		if s.SubLength != nil && *s.SubLength {
			check("sub_id", *s.Sub)
			if s.Plate != nil && *s.Plate != "" {
				check("plate", *s.Plate)
			}
		}
		if s.LengthOK && m["error"] != nil {
			t.Errorf("%s: %v", v.place(), m["error"])
		}
		var f Framer
		if frame, _, err := f.Next(bytes.Clone(raw)); err != nil || frame == nil {
			t.Errorf("%s: the framer: %v", v.place(), err)
		}
	}
	t.Logf("%d frames with a right CRC, %d with a wrong one", good, bad)
	if good < 15 {
		t.Errorf("only %d frames", good)
	}
}

var vectorFile = regexp.MustCompile(`0x([0-9A-F]{4})(?:_0x([0-9A-F]{4}))?Test\.cs$`)

// bodyOf is the message of a vector that is a body: its id, and whether the container is with it.
func (v *vector) bodyOf() (id MessageID, contained, ok bool) {
	m := vectorFile.FindStringSubmatch(v.File)
	if m == nil || v.Layer != "body" {
		return 0, false, false
	}
	n, _ := strconv.ParseUint(m[1], 16, 16)
	if m[2] == "" {
		return MessageID(n), true, true
	}
	n, _ = strconv.ParseUint(m[2], 16, 16)
	return MessageID(n), false, true
}

// readBody describes a body in the edition that takes all of its bytes, which the vectors do not always name.
func (v *vector) readBody(id MessageID, contained bool, b []byte) (out map[string]any, err error) {
	e := Envelope{Sub: id, Data: b}
	if contained {
		if err = e.Decode(id, b, Edition2011); err != nil {
			return nil, err
		}
	}
	editions := []Edition{GuessEdition(&Header{Edition: Edition2011}, &e), Edition2011, Edition2013, Edition2019}
	if v.Version != nil {
		editions = []Edition{Edition2019}
	}
	for _, ed := range editions {
		e := Envelope{Sub: id, Data: b}
		if contained {
			if err = e.Decode(id, b, ed); err != nil {
				continue
			}
		}
		m := NewBody(e.Message(), ed, len(e.Data))
		if m == nil {
			return nil, fmt.Errorf("%v is not known", e.Message())
		}
		var n int
		if n, err = decodeBody(e.Data, ed, m); err != nil {
			continue
		}
		if n < len(e.Data) {
			err = fmt.Errorf("%d of %d bytes taken", n, len(e.Data))
			continue
		}
		text := AppendBodyJSON(nil, ed, m)
		if err := json.Unmarshal(text, &out); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		out["plate"], out["color"], out["data_length"] = e.PlateText(), float64(e.Color), float64(len(e.Data))
		return out, nil
	}
	return nil, err
}

// vectorNames are names of the other implementation that are not those of the standard.
var vectorNames = map[string]string{
	"vehicleno": "plate", "vehiclecolor": "color", "plateformid": "platformid", "msggnsscenterid": "centreid", "imieid": "terminalimei",
	"sourcemsgsn": "srcmsgsn", "sourcedatatype": "srcdatatype", "sourceplatformid": "srcplatformid",
	"destinationplatformid": "targetplatformid", "gnsscount": "gnsscnt", "routeproperty": "props", "count": "pointcount", "subbusinesstype": "subtype",
	"inflectionpointid": "pointid", "inflectionpointlat": "lat", "inflectionpointlng": "lon", "sectionwidth": "width",
	"sectionproperty": "props", "sectionlongdrivingthreshold": "toolongseconds", "sectiondrivingunderthreshold": "tooshortseconds",
	"max": "maxrecords", "sectionhighestspeed": "maxspeed", "sectionoverspeedduration": "overspeedseconds",
}

// vectorDeviations are values of the other implementation that are not those of the standard, and why.
var vectorDeviations = map[string]string{
	"JT809_0x9200_0x9201Test.cs:26":  "a frame of 2019 whose container has no vehicle, taken for one of 2011",
	"JT809_0x9200_0x9201Test.cs:45":  "a frame of 2019 whose container has no vehicle, taken for one of 2011",
	"JT809_0x1600_0x1602Test.cs:74":  "sets values that its own properties say are not there",
	"JT809_0x1102Test.cs:32":         "an argument of the test, no message",
	"JT809_0x1102Test.cs:55":         "an argument of the test, no message",
	"JT809_0x1200_0x1201Test.cs:117": "an argument of the test, no message",
	"JT809_0x1200_0x1201Test.cs:143": "an argument of the test, no message",
}

// vectorMissing are values that the other implementation has in its structs and not in the bytes, by message and name.
var vectorMissing = map[string]string{
	"0x9102 subbusinesstype": "the id of the container, wrong there on purpose",
	"0x9301 objectid":        "2011 has none",
	"0x1300 infoid":          "2019 names the request by src_msg_sn",
	"0x1301 infoid":          "2019 names the request by src_msg_sn",
	"0x1302 infoid":          "2019 names the request by src_msg_sn",
	"0x1602 starttime":       "bit 0 of its route_property says that there is none",
	"0x1602 endtime":         "bit 0 of its route_property says that there is none",
}

// Bodies say what the other implementation says, where that is a plain value.
func TestPublicBodies(t *testing.T) {
	vectors := allVectors(t)
	longest := map[string]int{}
	for _, v := range vectors {
		k := v.File + v.Test
		longest[k] = max(longest[k], len(v.Hex))
	}
	count := map[string]int{}
	leave := func(v *vector, why string) {
		count[why]++
		t.Logf("not compared: %s: %s", v.place(), why)
	}
	values, missing := 0, 0
	for _, v := range vectors {
		if v.Layer == "frame" {
			continue
		}
		id, contained, ok := v.bodyOf()
		if !ok {
			// A container tells.
			b := unhex(t, v.Hex)
			for _, at := range []int{0, vehicleSize} {
				if sub := subAt(b, at); sub.Name() != "" && sub.Container() != 0 {
					id, contained, ok = sub.Container(), true, true
				}
			}
		}
		switch {
		case !ok:
			leave(&v, "neither the test nor the bytes name the message")
			continue
		case len(v.Hex) < longest[v.File+v.Test] && v.Kind != "analyze":
			leave(&v, "an argument of the test, no message")
			continue
		}
		if why := vectorDeviations[v.place()]; why != "" {
			leave(&v, why)
			continue
		}
		got, err := v.readBody(id, contained, unhex(t, v.Hex))
		if err != nil {
			t.Errorf("%s: %s: %v", v.place(), v.Hex, err)
			continue
		}
		ours := map[string][]any{"datalength": {got["data_length"]}}
		flatten(ours, "", got)
		compared := 0
		expected(v.Expected, "", func(name string, want any) {
			have := append(slices.Clone(ours[name]), ours[vectorNames[name]]...)
			if len(have) == 0 && vectorMissing[id.String()+" "+name] != "" {
				missing++
				return
			}
			if len(have) == 0 {
				t.Errorf("%s: no %s (%v) in %v", v.place(), name, want, got)
				return
			}
			if !slices.ContainsFunc(have, func(x any) bool { return sameValue(x, want) }) {
				t.Errorf("%s: %s is %v, want %v in %v", v.place(), name, have, want, got)
				return
			}
			compared++
		})
		values += compared
		if compared == 0 {
			leave(&v, "no plain value to compare, read only")
			continue
		}
		count["compared"]++
	}
	t.Logf("%d values, %d more that are in no byte; %v", values, missing, count)
	if count["compared"] < 160 || values < 780 {
		t.Errorf("only %d bodies with %d values were compared", count["compared"], values)
	}
}

func plainName(s string) string {
	s = strings.TrimSuffix(strings.TrimSuffix(s, ".ToByteValue()"), ".ToUInt16Value()")
	s = s[strings.LastIndexByte(s, '.')+1:]
	return strings.ToLower(strings.NewReplacer("_", "", "(", "", ")", "").Replace(s))
}

func flatten(out map[string][]any, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(out, plainName(k), x)
		}
		wireValues(out, v)
	case []any:
		for _, x := range v {
			flatten(out, name, x)
		}
	default:
		out[name] = append(out[name], v)
	}
}

// wireValues adds the numbers of a position as they stand on the wire, under the names that others have for them.
func wireValues(out map[string][]any, location map[string]any) {
	for _, c := range []struct {
		member string
		scale  float64
		names  []string
	}{{"lat", 1e6, []string{"lat"}}, {"lon", 1e6, []string{"lon", "lng"}}, {"speed_kmh", 1, []string{"vec1"}}, {"speed_kmh", 10, []string{"speed"}},
		{"recorder_speed_kmh", 1, []string{"vec2"}}, {"mileage_km", 1, []string{"vec3"}}, {"mileage_km", 10, []string{"mileage"}},
		{"fuel_l", 10, []string{"oil"}}, {"course", 1, []string{"direction"}}, {"altitude_m", 1, []string{"altitude"}},
		{"status", 1, []string{"state", "statusflag"}}, {"alarm", 1, []string{"alarmflag"}}} {
		if f, ok := location[c.member].(float64); ok {
			for _, name := range c.names {
				out[name] = append(out[name], math.Round(f*c.scale))
			}
		}
	}
	if s, ok := location["time"].(string); ok && location["lat"] != nil {
		out["gpstime"] = append(out["gpstime"], s)
		if at, err := time.Parse(time.RFC3339, s); err == nil {
			for name, n := range map[string]int{"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "hour": at.Hour(), "minute": at.Minute(), "second": at.Second()} {
				out[name] = append(out[name], float64(n))
			}
		}
	}
}

// expected calls fn for every plain value; C# expressions are none.
func expected(v any, name string, fn func(name string, want any)) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["expr"]; ok {
			return
		}
		for k, x := range v {
			expected(x, plainName(k), fn)
		}
	case []any:
		for _, x := range v {
			expected(x, name, fn)
		}
	case nil:
	default:
		fn(name, v)
	}
}

func sameValue(have, want any) bool {
	h, w := strings.ToLower(fmt.Sprint(have)), strings.ToLower(fmt.Sprint(want))
	if h == w {
		return true
	}
	// 2018-09-27T10:24:00+08:00 is 2018-09-27 10:24:00 there, and midnight the day alone.
	if s := strings.TrimSuffix(strings.Replace(h, "t", " ", 1), "+08:00"); s == w || s == w+" 00:00:00" {
		return true
	}
	if n, err := strconv.ParseUint(w, 16, 32); err == nil && len(w) == 8 && have == float64(n) {
		return true
	}
	number := func(v any, s string) (float64, error) {
		if f, ok := v.(float64); ok {
			return f, nil
		}
		if digits, ok := strings.CutPrefix(s, "0x"); ok {
			n, err := strconv.ParseUint(digits, 16, 64)
			return float64(n), err
		}
		return strconv.ParseFloat(s, 64)
	}
	a, errA := number(have, h)
	b, errB := number(want, w)
	return errA == nil && errB == nil && a == b
}
