package detect

import (
	"encoding/hex"

	"lushao/ingest"
)

// evidence computes the evidence hash again from the events: of a weighing over its event, else over every fix from start to end.
func (x *explainer) evidence() EvidenceExplained {
	out := EvidenceExplained{Of: "fixes", Recorded: x.o.EvidenceHash}
	if w := x.weighing(); x.detail("record") != "" {
		out.Of = "weighing"
		if w == nil {
			out.Text = say("数据中没有该称重记录，无法复算", "the weighing is not among the events: the hash can't be computed again")
			return out
		}
		h := weighingEvidence(w)
		out.Computed = hex.EncodeToString(h[:])
	} else {
		h, last := evidenceSeed(&x.id), x.end
		if last%1000 == 0 { // a record that was read back tells whole seconds
			last += 999
		}
		for i := x.t.firstAt(x.tr.list, x.start); i < len(x.tr.list); i++ {
			f := &x.tr.list[i]
			if x.time(f) > last || int64(out.Fixes) == x.o.Fixes && x.time(f) > x.end {
				break
			}
			if f.is(traceJudged) {
				as := fixOf(x.event(f))
				h = chainEvidence(h, &as)
				out.Fixes++
			}
		}
		out.Computed = hex.EncodeToString(h[:])
	}
	out.Equal = out.Computed == out.Recorded
	switch {
	case out.Equal && out.Of == "weighing":
		out.Text = say("证据哈希由称重记录原文复算，与记录一致", "the evidence hash, computed again from the weighing, is that of the record")
	case out.Equal:
		out.Text = say("证据哈希由自%s至%s的%s个定位点复算，与记录一致", "the evidence hash, computed again from %[3]s fixes from %[1]s to %[2]s, is that of the record", Time(x.start), Time(x.end), out.Fixes)
	case out.Of == "weighing":
		out.Text = say("由称重记录复算的证据哈希与记录不一致：该称重记录已不是当时的内容", "the evidence hash, computed again from the weighing, differs: the weighing is not what it was")
	default:
		out.Text = say("由自%s至%s的%s个定位点复算的证据哈希与记录不一致（记录含%s个）：数据有增减或改动", "the evidence hash, computed again from %[3]s fixes from %[1]s to %[2]s, differs (the record has %[4]s): fixes were added, left out or changed",
			Time(x.start), Time(x.end), out.Fixes, x.o.Fixes)
	}
	return out
}

// weighing returns the event of the weighing that the record is about: of a station's record number the first. nil: there is none.
func (x *explainer) weighing() *ingest.Event {
	record := x.detail("record")
	if x.o.Station == nil || record == "" {
		return nil
	}
	for i := range x.tr.list {
		if ev := x.event(&x.tr.list[i]); ev.Kind == ingest.KindWeighing && ev.Weighing.Station == *x.o.Station && ev.Weighing.Record == record {
			return ev
		}
	}
	return nil
}
