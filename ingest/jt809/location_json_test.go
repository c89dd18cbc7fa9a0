package jt809

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// The JSON of a position makes the same bytes again, in both forms, alone and in a row.
func TestFillPositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, ed := range []Edition{Edition2011, Edition2019} {
		for range 300 {
			var data []byte
			n := 1 + rng.IntN(5)
			data = append(data, byte(n))
			for range n {
				e := randomEvent(rng)
				data = AppendPositionData(data, ed, &e)
			}
			var m, filled PositionBatch
			if err := Decode(data, ed, &m); err != nil {
				t.Fatal(err)
			}
			text := AppendBodyJSON(nil, ed, &m)
			if err := FillBody(&filled, ed, text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if again := AppendBody(nil, ed, &filled); !bytes.Equal(again, data) {
				t.Fatalf("from %s\n got %x\nwant %x", text, again, data)
			}
		}
	}
}

// A position can be given without what its additional items are called by number.
func TestFillPositionByHand(t *testing.T) {
	var m Position
	text := `{"location":{"status":3,"lat":35.490712,"lon":-112.851274,"altitude_m":-7,"speed_kmh":61.5,"course":178,
		"time":"2026-05-01T08:00:00+08:00","mileage_km":1234.5,"fuel_l":60.1,"recorder_speed_kmh":60,"satellites":14,"rssi":31}}`
	if err := FillBody(&m, Edition2019, []byte(text)); err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(AppendBodyJSON(nil, Edition2019, &m), &got); err != nil {
		t.Fatal(err)
	}
	at := got["location"]
	for name, want := range map[string]any{"lat": 35.490712, "lon": -112.851274, "altitude_m": -7.0, "speed_kmh": 61.5, "course": 178.0,
		"time": "2026-05-01T08:00:00+08:00", "mileage_km": 1234.5, "fuel_l": 60.1, "recorder_speed_kmh": 60.0, "satellites": 14.0,
		"rssi": 31.0, "located": true, "status": float64(3 | 1<<3)} {
		if at[name] != want {
			t.Errorf("%s is %v, want %v", name, at[name], want)
		}
	}
}

func TestFillPositionErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"location":7}`:                               "object",
		`{"location":{"latitude":3}}`:                  "latitude: no such field",
		`{"location":{"lat":"north"}}`:                 "lat",
		`{"location":{"lat":5000}}`:                    "lat: want a number",
		`{"location":{"lat":1,"time":"yesterday"}}`:    "time: want a time",
		`{"location":{"lat":1,"extras":{"1":"x"}}}`:    "extras",
		`{"location":{"lat":1,"speed_kmh":7000}}`:      "speed_kmh: want a number",
		`{"location":{"alarm":-1}}`:                    "alarm",
		`{"location":{"gnss":"zz"}}`:                   "gnss: want bytes as hex",
		`{"location":{"platform_id2":"123456789012"}}`: "platform_id2: want at most 11",
	} {
		var m Position
		if err := FillBody(&m, Edition2019, []byte(text)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "location") {
			t.Errorf("%s: %v, want %q in it", text, err, want)
		}
	}
	var b PositionBatch
	if err := FillBody(&b, Edition2011, []byte(`{"locations":[{},{"course":-1}]}`)); err == nil || !strings.Contains(err.Error(), "locations[1]") {
		t.Errorf("%v", err)
	}
	if err := FillBody(&b, Edition2011, []byte(`{"locations":[`+strings.Repeat("{},", 255)+`{}]}`)); err == nil || !strings.Contains(err.Error(), "at most 255") {
		t.Errorf("%v", err)
	}
}
