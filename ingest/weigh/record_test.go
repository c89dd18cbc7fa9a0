package weigh

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"lushao/ingest"
)

const good = `{"type":"weighing","plate":"晋E12345","color":2,"time":"2026-05-01T08:00:00+08:00","station":"S001","record":"S00120260501080000123",
"lat":35.5,"lon":112.851274,"axles":6,"combination":true,"single_drive_axle":false,"gross_kg":61000,"axle_kg":[7000,10000,11000,11000,11000,11000],
"length_mm":17000,"width_mm":2500,"height_mm":3900,"speed_kmh":12.0,"lane":1,"method":"dynamic","evaded":false}`

var received = time.Date(2026, 5, 1, 0, 0, 2, 0, time.UTC).UnixMilli()

const tolerance = 5 * 60_000

func TestParseEveryField(t *testing.T) {
	var e ingest.Event
	if r := Parse([]byte(good), received, received+tolerance, &e); r != nil {
		t.Fatal(r)
	}
	v, _ := ingest.NewVehicle("晋E12345", 2)
	want := ingest.Event{Kind: ingest.KindWeighing, Source: ingest.SourceHTTP, Vehicle: v, Time: received - 2000, Received: received,
		Weighing: &ingest.Weighing{Station: "S001", Record: "S00120260501080000123", Lat: 35500000, Lon: 112851274, Axles: 6,
			Combination: ingest.Yes, SingleDriveAxle: ingest.No, GrossKg: 61000, AxleKg: []uint32{7000, 10000, 11000, 11000, 11000, 11000},
			LengthMm: 17000, WidthMm: 2500, HeightMm: 3900, Speed: 120, Lane: 1, Method: ingest.MethodDynamic}}
	if !reflect.DeepEqual(e, want) {
		t.Fatalf("got  %+v %+v\nwant %+v %+v", e, e.Weighing, want, want.Weighing)
	}
}

func TestParseAbsentIsUnknown(t *testing.T) {
	var e ingest.Event
	raw := `{"plate":"晋E12345","color":2,"time":"2026-05-01T00:00:00Z","station":"S","record":"1","gross_kg":100,"axles":null,"news":{"x":1}}`
	if r := Parse([]byte(raw), received, received+tolerance, &e); r != nil {
		t.Fatal(r)
	}
	if want := (ingest.Weighing{Station: "S", Record: "1", GrossKg: 100, Speed: ingest.NoSpeed}); !reflect.DeepEqual(*e.Weighing, want) {
		t.Fatalf("got %+v, want %+v", *e.Weighing, want)
	}
}

// with returns the good record with one field replaced; "-" leaves it out.
func with(t *testing.T, field, value string) []byte {
	t.Helper()
	m := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(good), &m); err != nil {
		t.Fatal(err)
	}
	m = maps.Clone(m)
	delete(m, field)
	if value != "-" {
		m[field] = json.RawMessage(value)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A plate that could not be read makes an event without a vehicle, whatever is said of its colour; nothing else is forgiven.
func TestParseUnreadPlate(t *testing.T) {
	for _, plate := range []string{`""`, `"  "`, `null`, `"-"`, `"无牌"`, `"无牌车"`, `"未识别"`, `"无法识别"`, `"未知"`, `"0000000"`, `"*****"`, `"Unknown"`} {
		for _, color := range []string{"2", "0", "7", `"?"`, "null"} {
			m := map[string]json.RawMessage{}
			if err := json.Unmarshal(with(t, "plate", plate), &m); err != nil {
				t.Fatal(err)
			}
			m["color"] = json.RawMessage(color)
			raw, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var e ingest.Event
			if r := Parse(raw, received, received+tolerance, &e); r != nil || !e.Unread() || e.Vehicle != (ingest.Vehicle{}) || e.Weighing.GrossKg != 61000 {
				t.Errorf("plate %s, colour %s: %+v, %v", plate, color, e, r)
			}
		}
	}
	var e ingest.Event
	bad := strings.Replace(string(with(t, "plate", `""`)), `"gross_kg":61000`, `"gross_kg":61`, 1)
	if r := Parse([]byte(bad), received, received+tolerance, &e); r == nil || r.Field != "gross_kg" {
		t.Errorf("%s: %v", bad, r)
	}
}

func TestParseRefusals(t *testing.T) {
	long := `"` + strings.Repeat("1", 65) + `"`
	for _, c := range []struct{ field, value, wantField, wantCode string }{
		{"plate", `-`, "plate", CodeMissing},
		{"plate", `["无牌"]`, "plate", CodeWrongType},
		{"plate", `"晋E·12345"`, "plate", CodeBadValue},
		{"plate", `"晋E 12345"`, "plate", CodeBadValue},
		{"plate", `"晋E12345\u0000"`, "plate", CodeBadValue},
		{"plate", `"晋晋晋晋晋晋晋晋"`, "plate", CodeBadValue},
		{"plate", `12345`, "plate", CodeWrongType},
		{"color", `-`, "color", CodeMissing},
		{"color", `0`, "color", CodeBadValue},
		{"color", `7`, "color", CodeBadValue},
		{"color", `"2"`, "color", CodeWrongType},
		{"color", `2.5`, "color", CodeBadValue},
		{"color", `-1`, "color", CodeOutOfRange},
		{"time", `-`, "time", CodeMissing},
		{"time", `"2026-05-01 08:00:00"`, "time", CodeBadValue},
		{"time", `"2026-05-01T08:00:00"`, "time", CodeBadValue},
		{"time", `1777593600`, "time", CodeWrongType},
		{"time", `"2026-05-01T00:05:03Z"`, "time", CodeInFuture},
		{"time", `"1999-12-31T23:59:59Z"`, "time", CodeOutOfRange},
		{"station", `-`, "station", CodeMissing},
		{"station", long, "station", CodeBadValue},
		{"station", `"S\n1"`, "station", CodeBadValue},
		{"record", `""`, "record", CodeMissing},
		{"record", long, "record", CodeBadValue},
		{"record", `"a\u0000b"`, "record", CodeBadValue},
		{"record", `17`, "record", CodeWrongType},
		{"gross_kg", `-`, "gross_kg", CodeMissing},
		{"gross_kg", `99`, "gross_kg", CodeOutOfRange},
		{"gross_kg", `1000001`, "gross_kg", CodeOutOfRange},
		{"gross_kg", `61.5`, "gross_kg", CodeOutOfRange},
		{"gross_kg", `6100.5`, "gross_kg", CodeBadValue},
		{"gross_kg", `1e999`, "gross_kg", CodeOutOfRange},
		{"gross_kg", `"61000"`, "gross_kg", CodeWrongType},
		{"axles", `1`, "axles", CodeOutOfRange},
		{"axles", `33`, "axles", CodeOutOfRange},
		{"axles", `5`, "axle_kg", CodeBadValue},
		{"axle_kg", `[1,2,3,4,5,6,7]`, "axle_kg", CodeBadValue},
		{"axle_kg", `[1,2,3,4,5,"6"]`, "axle_kg[5]", CodeWrongType},
		{"axle_kg", `[1,2,null,4,5,6]`, "axle_kg[2]", CodeMissing},
		{"axle_kg", `[0,2,3,4,5,6]`, "axle_kg[0]", CodeOutOfRange},
		{"axle_kg", `7000`, "axle_kg", CodeWrongType},
		{"axle_kg", `[` + strings.Repeat("1,", 32) + `1]`, "axle_kg", CodeOutOfRange},
		{"length_mm", `0`, "length_mm", CodeOutOfRange},
		{"width_mm", `20001`, "width_mm", CodeOutOfRange},
		{"height_mm", `-5`, "height_mm", CodeOutOfRange},
		{"speed_kmh", `301`, "speed_kmh", CodeOutOfRange},
		{"lane", `256`, "lane", CodeOutOfRange},
		{"method", `"wim"`, "method", CodeBadValue},
		{"evaded", `"no"`, "evaded", CodeWrongType},
		{"combination", `1`, "combination", CodeWrongType},
		{"lat", `90.1`, "lat", CodeOutOfRange},
		{"lon", `-`, "lat", CodeMissing},
		{"type", `"position"`, "type", CodeBadValue},
	} {
		var e ingest.Event
		r := Parse(with(t, c.field, c.value), received, received+tolerance, &e)
		if r == nil {
			t.Errorf("%s=%s: taken", c.field, c.value)
			continue
		}
		if r.Field != c.wantField || r.Code != c.wantCode {
			t.Errorf("%s=%s: %v, want field %s, code %s", c.field, c.value, r, c.wantField, c.wantCode)
		}
		if c.field != "record" && r.Record != "S00120260501080000123" {
			t.Errorf("%s=%s: record %q is not named", c.field, c.value, r.Record)
		}
	}
}

func TestParseBoundaries(t *testing.T) {
	for _, c := range []struct{ field, value string }{
		{"gross_kg", `100`}, {"gross_kg", `1000000`}, {"gross_kg", `61000.0`}, {"gross_kg", `6.1e4`}, {"lane", `0`}, {"lane", `255`},
		{"time", `"2026-05-01T00:05:02Z"`}, {"color", `94`}, {"plate", `"晋AD12345"`}, {"plate", `"晋E1234挂"`}, {"axle_kg", "-"}, {"axle_kg", `[7000,10000]`}, {"axles", "-"},
		{"record", `"` + strings.Repeat("重", 64) + `"`},
	} {
		var e ingest.Event
		if r := Parse(with(t, c.field, c.value), received, received+tolerance, &e); r != nil {
			t.Errorf("%s=%s: %v", c.field, c.value, r)
		}
	}
}

func TestDigestTellsEveryField(t *testing.T) {
	parse := func(raw []byte, received int64) *ingest.Event {
		var e ingest.Event
		if r := Parse(raw, received, received+tolerance, &e); r != nil {
			t.Fatal(r)
		}
		return &e
	}
	first := Digest(parse([]byte(good), received))
	if Digest(parse(with(t, "news", `1`), received+60_000)) != first {
		t.Error("the time of receipt or an unknown field changes the digest")
	}
	for field, value := range map[string]string{"plate": `"晋E12346"`, "color": "1", "time": `"2026-05-01T08:00:01+08:00"`, "station": `"S2"`,
		"record": `"2"`, "lat": "35.6", "lon": "112.9", "axle_kg": "[7000,10000,11000,11000,11000,11001]", "combination": "false",
		"single_drive_axle": "-", "gross_kg": "61001", "length_mm": "1", "width_mm": "1", "height_mm": "1", "speed_kmh": "12.1", "lane": "2",
		"method": `"static"`, "evaded": "true"} {
		if Digest(parse(with(t, field, value), received)) == first {
			t.Errorf("%s does not change the digest", field)
		}
	}
	// It is stored in a topic: this value must stay.
	if got, want := hexOf(first), "d1df1de11a1043e6c0bcdd123f9f0ded"; got != want {
		t.Errorf("digest %s, want %s: records of before would all be refused", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"plate":"\ud800","axle_kg":[[[]]]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e, back ingest.Event
		if Parse(raw, received, received+tolerance, &e) != nil {
			return
		}
		rest, err := ingest.DecodeEvent(ingest.AppendEvent(nil, &e), &back)
		if err != nil || len(rest) != 0 || Digest(&back) != Digest(&e) {
			t.Fatalf("%s: %v does not survive the log: %v", raw, e.Weighing, err)
		}
	})
}
