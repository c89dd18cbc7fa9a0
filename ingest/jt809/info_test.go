package jt809

import (
	"reflect"
	"strings"
	"testing"

	"lushao/ingest/jt808"
)

func TestParseInfo(t *testing.T) {
	for text, want := range map[string]Info{
		"":                                  nil,
		" ; ;；":                             nil,
		":=nothing":                         nil,
		"VIN:=晋E12345;VEHICLE_COLOR:=2":     {{"VIN", "晋E12345"}, {"VEHICLE_COLOR", "2"}},
		"VIN:=晋E12345; VEHICLE_COLOR := 2;": {{"VIN", "晋E12345"}, {"VEHICLE_COLOR", "2"}},
		"VIN:=晋E12345；OWERS_NAME：＝安达；":              {{"VIN", "晋E12345"}, {"OWERS_NAME", "安达"}},
		"\r\nVIN:=晋E12345;\r\nOWERS_TEL:=\r\n;RTPN": {{"VIN", "晋E12345"}, {"OWERS_TEL", ""}, {"RTPN", ""}},
		"VEHICLE_NATIONALIT:=330108":                {{"VEHICLE_NATIONALITY", "330108"}},
		"VIN=晋E12345;TRANS_TYPE: = 030":             {{"VIN", "晋E12345"}, {"TRANS_TYPE", "030"}},
		"DRIVER_INFO:=张三|1405|138,李四|1406|139":      {{"DRIVER_INFO", "张三|1405|138,李四|1406|139"}},
		"URL:=a=b:=c": {{"URL", "a=b:=c"}},
	} {
		if got := ParseInfo(jt808.GBK(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := ParseInfo(Text(strings.Repeat("A:=1;", 100_000))); len(got) != maxInfoItems {
		t.Errorf("%d pairs of a hostile text", len(got))
	}
}

func TestInfoGetAndAppend(t *testing.T) {
	info := Info{{"VIN", ""}, {"vin", "晋E12345"}, {"VIN", "other"}, {"OWERS_NAME", "安达；货运;部\n"}}
	if info.Get(InfoPlate) != "晋E12345" || info.Get(InfoOperatorTel) != "" {
		t.Errorf("%q %q", info.Get(InfoPlate), info.Get(InfoOperatorTel))
	}
	text := info.Text()
	if text.String() != "VIN:=;vin:=晋E12345;VIN:=other;OWERS_NAME:=安达，货运，部" {
		t.Errorf("%q", text)
	}
	if again := ParseInfo(text); again[3].Value != "安达，货运，部" || len(again) != 4 {
		t.Errorf("%q", again)
	}
	m := StaticData{Info: Info{{InfoPlate, "晋E12345"}}} // without the text, the pairs are the text
	if b := AppendBody(nil, Edition2011, &m); Text(b).String() != "VIN:=晋E12345" {
		t.Errorf("%q", b)
	}
}

func TestClassOfTransType(t *testing.T) {
	for code, want := range map[string]string{"010": "", "011": "coach_line", "012": "coach_charter", "013": "coach_tour", "014": "coach_tour",
		"020": "truck", "021": "truck", " 023": "truck", "030": "hazmat", "031": "hazmat", "032": "hazmat", "033": "", "": "", "02x": "", "0200": "", "30": ""} {
		if got := ClassOfTransType(code); got != want {
			t.Errorf("%q: %q, want %q", code, got, want)
		}
	}
}
