package gateway

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// maxWaybillText is the longest text of a waybill in bytes of UTF-8: what an event can hold.
const maxWaybillText = 0xFFFF

// maxWaybillField is the longest value in bytes that is taken out of the text.
const maxWaybillField = 256

// waybillText is the content of a waybill in UTF-8. The standard says GBK; what is no GBK but UTF-8 is taken as that.
func waybillText(content []byte) string {
	text := jt808.Text(content).String()
	if strings.ContainsRune(text, utf8.RuneError) && utf8.Valid(content) {
		return strings.Trim(string(content), "\x00 ")
	}
	return text
}

// waybillKeys are the names that a value goes by, in lower case.
var waybillKeys = map[string]func(w *ingest.Waybill, v string){
	"number": waybillNumber, "no": waybillNumber, "waybill_no": waybillNumber, "waybillno": waybillNumber,
	"运单号": waybillNumber, "运单编号": waybillNumber, "电子运单号": waybillNumber,
	"start": waybillStart, "start_time": waybillStart, "starttime": waybillStart, "开始时间": waybillStart, "起始时间": waybillStart,
	"end": waybillEnd, "end_time": waybillEnd, "endtime": waybillEnd, "结束时间": waybillEnd, "截止时间": waybillEnd,
	"cargo_class": waybillCargo, "cargoclass": waybillCargo, "货物类别": waybillCargo, "危险货物类别": waybillCargo,
	"route": waybillRoute, "线路": waybillRoute, "路线": waybillRoute,
}

func waybillNumber(w *ingest.Waybill, v string) { w.Number = v }
func waybillStart(w *ingest.Waybill, v string)  { w.Start = waybillTime(v) }
func waybillEnd(w *ingest.Waybill, v string)    { w.End = waybillTime(v) }
func waybillCargo(w *ingest.Waybill, v string)  { w.CargoClass = v }
func waybillRoute(w *ingest.Waybill, v string)  { w.Route = v }

// parseWaybill makes a waybill of a text, which is always kept as it is. The protocols leave its form open; two shapes
// are known, with the names of waybillKeys, in capitals or not, in any order:
//
//	{"number":"D-1","start":"2026-05-01T08:00:00+08:00","end":"2026-05-02 08:00:00","cargo_class":"3","route":"R1"}
//	number:=D-1;start:=20260501080000;end:=2026-05-02 08:00:00;cargo_class:=3;route:=R1
//
// A time without a zone is Beijing time. Other names are passed over, as are values that are longer than 256 bytes or
// hold control characters, and times that are none. A text without a number is no waybill that could be found again: it
// is text only.
func parseWaybill(text string) ingest.Waybill {
	w := ingest.Waybill{Text: text}
	set := func(key, value string) {
		f := waybillKeys[strings.ToLower(strings.TrimSpace(key))]
		value = strings.TrimSpace(value)
		if f != nil && len(value) <= maxWaybillField && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
			f(&w, value)
		}
	}
	if !waybillJSON(text, set) {
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

// waybillJSON hands over the texts and numbers of a JSON object, in the order in which they stand; false where the text
// is none.
func waybillJSON(text string, set func(key, value string)) bool {
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

var waybillZone = time.FixedZone("", 8*3600)

// waybillTime is Unix ms, 0 for what is no time.
func waybillTime(s string) int64 {
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, s, waybillZone); err == nil {
			return t.UnixMilli()
		}
	}
	return 0
}
