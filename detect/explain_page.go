package detect

import "fmt"

// Languages says in which languages a page is written.
type Languages uint8

const (
	Chinese Languages = 1 << iota
	English
	BothLanguages = Chinese | English
)

// Only returns a text without the other languages.
func (t Text) Only(l Languages) Text {
	if l&Chinese == 0 {
		t.Zh = ""
	}
	if l&English == 0 {
		t.En = ""
	}
	return t
}

// Only takes the other languages out of an explanation.
func (x *Explanation) Only(l Languages) {
	for _, t := range x.texts() {
		*t = t.Only(l)
	}
}

// texts returns every text of an explanation.
func (x *Explanation) texts() []*Text {
	out := []*Text{&x.Title, &x.Summary, &x.Timeline.Text, &x.Evidence.Text}
	for _, list := range [...][]Text{x.Rule, x.Facts} {
		for i := range list {
			out = append(out, &list[i])
		}
	}
	for i := range x.Basis {
		out = append(out, &x.Basis[i].Text)
	}
	if x.Limit != nil {
		out = append(out, &x.Limit.Text)
		for i := range x.Limit.Applied {
			out = append(out, &x.Limit.Applied[i].Text)
		}
	}
	for i := range x.Driving {
		out = append(out, &x.Driving[i].Text)
	}
	for i := range x.Moments {
		out = append(out, &x.Moments[i].Text)
	}
	for i := range x.Notes {
		out = append(out, &x.Notes[i].Text)
	}
	for i := range x.Timeline.Entries {
		out = append(out, &x.Timeline.Entries[i].Text)
	}
	return out
}

// momentWords name what happens at a moment.
var momentWords = map[string]Text{"began": {"开始", "began"}, "opened": {"认定", "opened"}, "extended": {"延续", "extended"}, "changed": {"更正", "changed"},
	"closed": {"结束", "closed"}, "retracted": {"撤销", "retracted"}}

// AppendPage appends the explanation as a page of plain text that can be printed into a case file, Chinese first.
func (x *Explanation) AppendPage(dst []byte, l Languages) []byte {
	first := true
	for _, one := range [...]Languages{Chinese, English} {
		if l&one == 0 {
			continue
		}
		if !first {
			dst = append(dst, "\n----------------------------------------\n\n"...)
		}
		first = false
		dst = x.appendPage(dst, one == Chinese)
	}
	return dst
}

func (x *Explanation) appendPage(dst []byte, zh bool) []byte {
	line := func(format string, args ...any) { dst = append(fmt.Appendf(dst, format, args...), '\n') }
	heading := func(t Text) { line("\n%s", t.In(zh)) }
	line("%s", say("违法记录说明：%s", "Explanation of a violation: %s", x.Title).In(zh))
	line("%s", say("记录编号%s，规则版本%s", "record %s, rules %s", x.ID, x.RuleVersion).In(zh))
	line("%s", x.Summary.In(zh))
	heading(Text{"【适用规则】", "Rule"})
	for _, t := range x.Rule {
		line("  %s", t.In(zh))
	}
	heading(Text{"【依据】", "Basis"})
	for _, b := range x.Basis {
		line("  %s", b.Text.In(zh))
	}
	if len(x.Basis) == 0 {
		line("  %s", say("规则书的判定口径，未引用条文", "the rule book's own definition; no article is cited").In(zh))
	}
	if x.Limit != nil {
		heading(Text{"【限值】", "Limit"})
		line("  %s", x.Limit.Text.In(zh))
		for _, a := range x.Limit.Applied {
			mark := Text{"适用", "applied"}
			if a.Counts {
				mark = Text{"采用", "counts"}
			}
			line("  - %s  %s  [%s]", inWords(sayKmh(a.Value), zh), a.Text.In(zh), mark.In(zh))
		}
	}
	heading(Text{"【事实】", "Facts"})
	for _, t := range x.Facts {
		line("  %s", t.In(zh))
	}
	if len(x.Driving) > 0 {
		heading(Text{"【驾驶时间】", "Driving"})
		for _, p := range x.Driving {
			line("  %s – %s  %s", inWords(p.From, zh), inWords(p.To, zh), p.Text.In(zh))
		}
	}
	heading(Text{"【判定经过】", "Moments"})
	for _, m := range x.Moments {
		line("  %s  [%s] %s", inWords(m.Time, zh), momentWords[m.What].In(zh), m.Text.In(zh))
	}
	if len(x.Notes) > 0 {
		heading(Text{"【备注】", "Notes"})
		for _, n := range x.Notes {
			line("  %s", n.Text.In(zh))
		}
	}
	heading(Text{"【证据】", "Evidence"})
	line("  %s", x.Evidence.Text.In(zh))
	line("  %s", say("记录的哈希：%s", "recorded: %s", x.Evidence.Recorded).In(zh))
	if x.Evidence.Computed != "" {
		line("  %s", say("复算的哈希：%s", "computed: %s", x.Evidence.Computed).In(zh))
	}
	heading(Text{"【时间线】", "Timeline"})
	line("  %s", x.Timeline.Text.In(zh))
	for i := range x.Timeline.Entries {
		e := &x.Timeline.Entries[i]
		place := ""
		if e.Lat != nil {
			place = fmt.Sprintf("%.6f,%.6f  ", *e.Lat, *e.Lon)
		}
		line("  %s  %s  %s%s", inWords(e.Time, zh), phaseWords[e.Phase].In(zh), place, e.Text.In(zh))
	}
	return dst
}
