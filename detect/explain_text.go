package detect

import (
	"fmt"
	"strconv"
	"strings"
)

// Text is one text in Chinese and in English. Where only one language was asked for the other is empty.
type Text struct {
	Zh string `json:"zh,omitempty"`
	En string `json:"en,omitempty"`
}

// In returns the text in Chinese, else in English.
func (t Text) In(chinese bool) string {
	if chinese {
		return t.Zh
	}
	return t.En
}

func (t Text) empty() bool { return t.Zh == "" && t.En == "" }

// say makes a text of two formats, which take the same arguments as %s, each in its language.
func say(zh, en string, args ...any) Text {
	if len(args) == 0 {
		return Text{zh, en}
	}
	in := func(format string, chinese bool) string {
		words := make([]any, len(args))
		for i, a := range args {
			words[i] = inWords(a, chinese)
		}
		return fmt.Sprintf(format, words...)
	}
	return Text{in(zh, true), in(en, false)}
}

// What arguments of say may be, beside texts, names and whole numbers.
type (
	sayKmh      float64 // km/h
	sayDuration int64   // ms
	sayMetres   float64
	sayKg       int64
	sayPct      float64
)

func inWords(a any, chinese bool) string {
	switch a := a.(type) {
	case Text:
		return a.In(chinese)
	case Time:
		return a.Std().Format("2006-01-02 15:04:05")
	case sayKmh:
		return strconv.FormatFloat(float64(a), 'f', 1, 64) + Text{"公里/小时", " km/h"}.In(chinese)
	case sayDuration:
		return durationInWords(int64(a), chinese)
	case sayMetres:
		if a >= 10_000 {
			return strconv.FormatFloat(float64(a)/1000, 'f', 1, 64) + Text{"公里", " km"}.In(chinese)
		}
		return strconv.FormatFloat(float64(a), 'f', 0, 64) + Text{"米", " m"}.In(chinese)
	case sayKg:
		return strconv.FormatInt(int64(a), 10) + Text{"千克", " kg"}.In(chinese)
	case sayPct:
		return strconv.FormatFloat(float64(a), 'f', -1, 64) + "%"
	}
	return fmt.Sprint(a)
}

// durationInWords writes a duration in hours, minutes and seconds.
func durationInWords(ms int64, chinese bool) string {
	s := seconds(ms)
	if s == 0 {
		return Text{"0秒", "0 s"}.In(chinese)
	}
	var parts []string
	for _, u := range [...]struct {
		size int64
		name Text
	}{{3600, Text{"小时", " h"}}, {60, Text{"分", " min"}}, {1, Text{"秒", " s"}}} {
		if n := s / u.size; n > 0 {
			parts = append(parts, strconv.FormatInt(n, 10)+u.name.In(chinese))
			s %= u.size
		}
	}
	if chinese {
		if last := parts[len(parts)-1]; strings.HasSuffix(last, "分") { // 5分钟, but 5分30秒
			parts[len(parts)-1] = last + "钟"
		}
		return strings.Join(parts, "")
	}
	return strings.Join(parts, " ")
}

// together joins texts: 、 or a comma and a space between them.
func together(list []Text) Text {
	return join(list, "、", ", ")
}

func join(list []Text, zh, en string) (out Text) {
	for i, t := range list {
		if i > 0 {
			out.Zh, out.En = out.Zh+zh, out.En+en
		}
		out.Zh, out.En = out.Zh+t.Zh, out.En+t.En
	}
	return out
}

// tenthsKmh is a speed of an event or a setting of the snapshot, in 0.1 km/h.
func tenthsKmh[T uint16 | uint32 | int](v T) sayKmh { return sayKmh(float64(v) / 10) }

func inSeconds(s int) sayDuration { return sayDuration(s) * 1000 }

// classWords names the classes of vehicles.
var classWords = [classCount]Text{{"其他车辆", "other vehicle"}, {"班线客车", "line coach"}, {"包车客车", "charter coach"}, {"旅游客车", "tour coach"},
	{"危险货物运输车辆", "vehicle with dangerous goods"}, {"重型货车", "heavy truck"}, {"货车", "truck"}, {"渣土车（自卸货车）", "dump truck"}, {"校车", "school bus"}}

// classesInWords names the classes of a set; everybody where it is empty.
func classesInWords(s ClassSet) Text {
	var list []Text
	for c := range classCount {
		if s.Has(c) {
			list = append(list, classWords[c])
		}
	}
	if len(list) == 0 {
		return Text{"所有车辆", "all vehicles"}
	}
	return together(list)
}

// fenceKindWords names the kinds of fences.
var fenceKindWords = map[FenceKind]Text{FenceForbidden: {"禁行区域", "forbidden area"}, FenceBound: {"限定区域", "area to stay in"},
	FenceNoStop: {"禁停区域", "no-stopping area"}, FenceMaxStay: {"限时停留区域", "area with a longest stay"}, FenceSpeed: {"限速区域", "speed zone"},
	FenceJurisdiction: {"辖区", "jurisdiction"}, FenceRelay: {"接驳区域", "relay area"}, FenceBlind: {"无信号区域", "area without signal"},
	FenceHazmatParking: {"危货停车场", "parking for dangerous goods"}, FenceRegion: {"区域", "area"},
	FenceApproach: {"检测站前方区域", "approach of a weigh station"}, FenceBypass: {"检测站绕行区域", "bypass of a weigh station"}}

// named is an id with a name where there is one.
func named(id, name string) string {
	if name == "" || name == id {
		return id
	}
	return id + "（" + name + "）"
}

// String writes a daily window.
func (h hours) String() string {
	return fmt.Sprintf("%02d:%02d–%02d:%02d", h.from/60, h.from%60, h.to/60, h.to%60)
}
