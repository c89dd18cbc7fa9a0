package jt809

import (
	"strings"

	"lushao/ingest/jt808"
)

// Keys of Info that are read here. VIN is the number plate, and OWERS the standard's own spelling.
const (
	InfoPlate        = "VIN"
	InfoColor        = "VEHICLE_COLOR"
	InfoVehicleType  = "VEHICLE_TYPE" // JT/T 415-2006 5.4.9
	InfoTransType    = "TRANS_TYPE"   // JT/T 415-2006 5.2.1; see ClassOfTransType
	InfoNationality  = "VEHICLE_NATIONALITY"
	InfoScope        = "BUSINESSSCOPECODE"
	InfoOperatorID   = "OWERS_ID"
	InfoOperatorName = "OWERS_NAME"
	InfoOperatorTel  = "OWERS_TEL"
)

// infoNationalit is how the standard's own example spells InfoNationality.
const infoNationalit = "VEHICLE_NATIONALIT"

// InfoItem is a key and its value, in UTF-8.
type InfoItem struct{ Key, Value string }

// Info is the text "KEY:=value;KEY:=value" of 0x1601 and 0x9204, in its order.
type Info []InfoItem

// maxInfoItems is how many pairs are read of a text: the standard has 28 keys.
const maxInfoItems = 256

// ParseInfo reads the text of 0x1601 or 0x9204. It takes what platforms write: blanks and line ends around keys and values,
// the full-width "；" and "：＝", "=" without a colon, a key without a value, an empty pair.
func ParseInfo(t jt808.Text) Info {
	s := t.String()
	var info Info
	for len(s) > 0 && len(info) < maxInfoItems {
		pair := s
		if i := strings.IndexAny(s, ";；"); i >= 0 {
			pair, s = s[:i], strings.TrimPrefix(s[i:], "；")
			s = strings.TrimPrefix(s, ";")
		} else {
			s = ""
		}
		pair = strings.TrimSpace(pair)
		if pair == "" {
			continue
		}
		key, value := pair, ""
		if i := strings.IndexAny(pair, "=＝"); i >= 0 {
			value = strings.TrimPrefix(strings.TrimPrefix(pair[i:], "="), "＝")
			key = strings.TrimRight(pair[:i], ":： \t")
		}
		key = strings.TrimSpace(key)
		if key == "" {
			continue
		}
		if key == infoNationalit {
			key = InfoNationality
		}
		info = append(info, InfoItem{key, strings.TrimSpace(value)})
	}
	return info
}

// Get returns the value of a key, "" where it has none; of a key that is there twice the first value that is not empty.
func (m Info) Get(key string) string {
	for _, i := range m {
		if i.Value != "" && strings.EqualFold(i.Key, key) {
			return i.Value
		}
	}
	return ""
}

// infoText replaces what would end a key or a value.
var infoText = strings.NewReplacer(";", "，", "；", "，", "\r", " ", "\n", " ")

// Append appends the pairs as the text of the standard, in GBK. A ';' within a value becomes a comma: the text has no way to
// write it.
func (m Info) Append(dst []byte) []byte {
	for n, i := range m {
		if n > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, jt808.GBK(infoText.Replace(i.Key))...)
		dst = append(dst, ":="...)
		dst = append(dst, jt808.GBK(infoText.Replace(i.Value))...)
	}
	return dst
}

// Text is the pairs as the text of the standard.
func (m Info) Text() jt808.Text { return jt808.Text(m.Append(nil)) }

// ClassOfTransType is the class that the transport business (JT/T 415-2006 5.2.1) of a vehicle gives it, "" where it gives
// none: the regulated coaches (两客) and hazardous goods (一危), and freight as truck, which may be a heavier one.
func ClassOfTransType(code string) string {
	switch code = strings.TrimSpace(code); {
	case len(code) != 3:
	case code == "011":
		return "coach_line"
	case code == "012":
		return "coach_charter"
	case code == "013", code == "014":
		return "coach_tour"
	case code == "030", code == "031", code == "032":
		return "hazmat"
	case code[:2] == "02" && '0' <= code[2] && code[2] <= '9':
		return "truck"
	}
	return ""
}
