package waybill

import (
	"strings"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

func TestParse(t *testing.T) {
	start := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	end := start + 24*3600*1000
	whole := ingest.Waybill{Number: "D-1", Start: start, End: end, CargoClass: "3", Route: "R1"}
	long := strings.Repeat("x", maxField+1)
	for text, want := range map[string]ingest.Waybill{
		`{"number":"D-1","start":"2026-05-01T08:00:00+08:00","end":"2026-05-02 08:00:00","cargo_class":"3","route":"R1"}`:         whole,
		` {"Waybill_No":"D-1","start_time":"2026-05-01T00:00:00Z","END":20260502080000,"货物类别":3,"线路":"R1","more":{"number":"X"}}`: whole,
		`number:=D-1;start:=20260501080000;end:=2026-05-02 08:00;cargo_class:=3;route:=R1`:                                        whole,
		"运单编号:= D-1 ;开始时间:=2026-05-01T08:00:00;截止时间:=2026-05-02 08:00:00;危险货物类别:=3;路线:=R1;":                                       whole,
		`NUMBER:=a:=b;x;;start:=never`:                   {Number: "a:=b"},
		`{"number":"D-1","start":"2026-02-30 00:00:00"}`: {Number: "D-1"},
		`{"number":"D-1","number":"D-2"}`:                {Number: "D-2"},
		`{"number":null,"route":"R1"}`:                   {},
		`{"number":["D-1"]}`:                             {},
		`{"number":"D\u0000-1"}`:                         {},
		`{"number":"` + long + `"}`:                      {},
		`number:=` + long:                                {},
		`{"number":"D-1"`:                                {}, // cut off
		`["number","D-1"]`:                               {},
		`route:=R1;start:=20260501080000`:                {}, // without a number
		`已装货`:                                            {},
		``:                                               {},
		strings.Repeat(`{"a":`, 20000):                   {},
	} {
		want.Text = text
		if got := Parse(text); got != want {
			t.Errorf("%.80s:\n%+v, want\n%+v", text, got, want)
		}
	}
	if got := Text([]byte(jt808.GBK("运单号"))); got != "运单号" {
		t.Errorf("GBK: %q", got)
	}
	if got := Text([]byte("运单号:=D-1\x00")); got != "运单号:=D-1" {
		t.Errorf("UTF-8: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"number":"D-1","start":"2026-05-01T08:00:00+08:00"}`))
	f.Add([]byte("number:=D-1;start:=20260501080000"))
	f.Fuzz(func(t *testing.T, content []byte) {
		text := Text(content)
		w := Parse(text)
		if w.Text != text || len(w.Number) > maxField || w.Number == "" && (w.Start != 0 || w.Route != "") {
			t.Errorf("%+v", w)
		}
	})
}
