package jt808

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseParameter(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"heartbeat_interval", "60", "0000003c"},
		{"0x0055", "120", "00000078"},
		{"85", "4294967295", "ffffffff"},
		{"85", "4294967296", "!max_speed: 4294967296 does not fit into 4 bytes"},
		{"plate_color", "2", "02"},
		{"plate_color", "256", "!plate_color: 256 does not fit into 1 bytes"},
		{"province_id", "14", "000e"},
		{"max_speed", "-1", "!max_speed is a whole number"},
		{"max_speed", "1.5", "!max_speed is a whole number"},
		{"max_speed", `"80"`, "!max_speed is a whole number"},
		{"max_speed", "null", "!max_speed is a whole number"},
		{"max_speed", "", "!max_speed is a whole number"},
		{"plate", `"晋E1?"`, "bdfa45313f"},
		{"plate", `""`, ""},
		{"plate", "1", "!plate is a text"},
		{"plate", `"😀"`, "!plate: has a character"},
		{"plate", `"` + strings.Repeat("x", 256) + `"`, "!plate: 256 bytes"},
		{"plate", `"\u0000"`, "!plate: not a text"},
		{"forbidden_hours", `"16321000"`, "16321000"},
		{"forbidden_hours", "5", "!forbidden_hours is given as hex"},
		{"adas_params", `"zz"`, "!adas_params is given as hex"},
		{"0xF999", `"00ff"`, "00ff"},
		{"0xF999", "7", "00000007"},
		{"0xF999", "[]", "!0xF999 is given as hex"},
		{"0xF999", `"` + strings.Repeat("00", 256) + `"`, "!0xF999 is given as hex"},
	} {
		id, err := ParseParameterID(c.name)
		if err != nil {
			t.Error(err)
			continue
		}
		p, err := ParseParameter(id, json.RawMessage(c.value))
		if want, fails := strings.CutPrefix(c.want, "!"); fails {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s=%s: %v, want %q", c.name, c.value, err, want)
			}
			continue
		}
		if err != nil || p.ID != id || hex.EncodeToString(p.Value) != c.want {
			t.Errorf("%s=%s: %x %v, want %s", c.name, c.value, p.Value, err, c.want)
		}
		if b := AppendParameterJSON(nil, &p); !json.Valid(b) {
			t.Errorf("%s", b)
		}
	}
	for _, s := range []string{"", "0", "speed", "-1", "0x1FFFFFFFF", "max_speed "} {
		if _, err := ParseParameterID(s); err == nil {
			t.Errorf("%q is a parameter", s)
		}
	}
	p := Uint32Param(ParamMaxSpeed, 100)
	if got := string(AppendParameterJSON([]byte("x"), &p)); !strings.HasPrefix(got, `x{"id":`) || !strings.HasSuffix(got, `"name":"max_speed","len":4,"value":100}`) {
		t.Error(got)
	}
}
