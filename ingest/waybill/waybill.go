// Package waybill makes a waybill of the text that JT/T 808 (0x0701) and JT/T 809 (0x120B, 0x120D) carry, whose form they leave open.
package waybill

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// MaxText is the longest text of a waybill in bytes of UTF-8: what an event can hold.
const MaxText = 0xFFFF

// maxField is the longest value in bytes that is taken out of the text.
const maxField = 256

// Text is the content of a waybill in UTF-8. The standard says GBK; what is no GBK but UTF-8 is taken as that.
func Text(content []byte) string {
	text := jt808.Text(content).String()
	if strings.ContainsRune(text, utf8.RuneError) && utf8.Valid(content) {
		return strings.Trim(string(content), "\x00 ")
	}
	return text
}

// keys are the names that a value goes by, in lower case.
var keys = map[string]func(w *ingest.Waybill, v string){
	"number": number, "no": number, "waybill_no": number, "waybillno": number,
	"运单号": number, "运单编号": number, "电子运单号": number,
	"start": start, "start_time": start, "starttime": start, "开始时间": start, "起始时间": start,
	"end": end, "end_time": end, "endtime": end, "结束时间": end, "截止时间": end,
	"cargo_class": cargo, "cargoclass": cargo, "货物类别": cargo, "危险货物类别": cargo,
	"route": route, "线路": route, "路线": route,
}

func number(w *ingest.Waybill, v string) { w.Number = v }
func start(w *ingest.Waybill, v string)  { w.Start = timeOf(v) }
func end(w *ingest.Waybill, v string)    { w.End = timeOf(v) }
func cargo(w *ingest.Waybill, v string)  { w.CargoClass = v }
func route(w *ingest.Waybill, v string)  { w.Route = v }

// Parse makes a waybill of a text, which is always kept as it is. The protocols leave its form open; two shapes
// are known, with the names of keys, in capitals or not, in any order:
//
//	{"number":"D-1","start":"2026-05-01T08:00:00+08:00","end":"2026-05-02 08:00:00","cargo_class":"3","route":"R1"}
//	number:=D-1;start:=20260501080000;end:=2026-05-02 08:00:00;cargo_class:=3;route:=R1
//
// A time without a zone is Beijing time. Other names are passed over, as are values that are longer than 256 bytes or
// hold control characters, and times that are none. A text without a number is no waybill that could be found again: it
// is text only.
func Parse(text string) ingest.Waybill {
	w := ingest.Waybill{Text: text}
	set := func(key, value string) {
		f := keys[strings.ToLower(strings.TrimSpace(key))]
		value = strings.TrimSpace(value)
		if f != nil && len(value) <= maxField && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
			f(&w, value)
		}
	}
	if !fromJSON(text, set) {
		for pair := range strings.SplitSeq(text, ";") {
			if key, value, ok := strings.Cut(pair, ":="); ok {
				set(key, value)
			}
		}
	}
	if w.Number == "" {
		return ingest.Waybill{Text: text}
	}
	return w
}

// fromJSON hands over the texts and numbers of a JSON object, in the order in which they stand; false where the text
// is none.
func fromJSON(text string, set func(key, value string)) bool {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") || !json.Valid([]byte(text)) {
		return false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	d.Token() // the brace
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return true
		}
		name, _ := key.(string)
		var s string
		switch value = bytes.TrimSpace(value); {
		case value[0] == '"':
			if json.Unmarshal(value, &s) == nil {
				set(name, s)
			}
		case value[0] == '-' || value[0] >= '0' && value[0] <= '9':
			set(name, string(value))
		}
	}
	return true
}

var beijing = time.FixedZone("", 8*3600)

// timeOf is Unix ms, 0 for what is no time.
func timeOf(s string) int64 {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, s, beijing); err == nil {
			return t.UnixMilli()
		}
	}
	return 0
}
