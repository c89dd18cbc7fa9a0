package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// What judging again needs of a vehicle, and nothing that came after the place in the log up to which is judged.
func TestHistory(t *testing.T) {
	s := newStore(t)
	v, w := vehicle(t, "晋E00001", 2), vehicle(t, "晋E00002", 2)
	var b EventBlocks
	add := func(e ingest.Event, offset int64) { must(t, b.Add(&e, "ok", Place{3, offset})) }
	const day = 24 * 3600_000
	event := func(kind ingest.Kind, v ingest.Vehicle, time int64) ingest.Event {
		e := ingest.Event{Kind: kind, Vehicle: v, Time: time, Received: time}
		switch kind {
		case ingest.KindDriverCard:
			e.Driver = &ingest.DriverCard{On: true, License: fmt.Sprint("D", (time-base-500)/day), Name: "甲"}
		case ingest.KindWeighing:
			e.Weighing = &ingest.Weighing{Station: "S1", Record: fmt.Sprint(v.Plate(), (time-base)/1000), GrossKg: 1}
		case ingest.KindWaybill:
			e.Waybill = &ingest.Waybill{Number: fmt.Sprint(time), Start: time}
		case ingest.KindSafety:
			e.Safety = &ingest.Safety{System: "dsm", Kind: "phone"}
		case ingest.KindLink:
			e.Link = &ingest.Link{Online: true}
		}
		return e
	}
	for _, x := range []ingest.Vehicle{v, w} {
		for i := range int64(10) {
			add(at(t, x.Plate(), x.Color, base+i*1000, int32(i), 0), 10+i)
		}
		for _, days := range []int64{-400, -300, -40, -20, -2, 0} {
			for _, kind := range []ingest.Kind{ingest.KindDriverCard, ingest.KindWeighing, ingest.KindWaybill, ingest.KindSafety, ingest.KindLink} {
				add(event(kind, x, base+days*day+500), 5)
			}
			loaded := at(t, x.Plate(), x.Color, base+days*day-3600_000, 7, 0)
			loaded.Position.Status = 3 << 8
			add(loaded, 4)
		}
	}
	unread := event(ingest.KindWeighing, v, base+700)
	unread.Vehicle, unread.Weighing.Record = ingest.Vehicle{}, "u1"
	add(unread, 99)
	unread.Time, unread.Weighing = base-day, &ingest.Weighing{Station: "S1", Record: "u2"}
	add(unread, 99)
	pulled := event(ingest.KindDriverCard, v, base-day)
	pulled.Driver.On = false
	add(pulled, 5)
	for _, x := range b.All() {
		must(t, s.Insert(t.Context(), x))
	}
	kinds := func(list []ArchivedEvent) (out []string) {
		for _, e := range EventsOf(list) {
			if e.Unread() {
				out = append(out, "unread "+e.Weighing.Record)
				continue
			}
			if e.Vehicle != v {
				t.Errorf("%s", e.Vehicle)
			}
			text := fmt.Sprintf("%v %+d", e.Kind, (e.Time-base)/1000)
			if e.Kind != ingest.KindPosition {
				text = fmt.Sprintf("%v %+dd", e.Kind, (e.Time-base-500)/day)
			}
			out = append(out, text)
		}
		return out
	}
	f := HistoryFilter{Vehicle: v, From: base, To: base + 3000, Before: Place{3, 12}}
	got, err := s.History(t.Context(), f)
	must(t, err)
	P, W, D, B, S := ingest.KindPosition, ingest.KindWeighing, ingest.KindDriverCard, ingest.KindWaybill, ingest.KindSafety
	want := []string{fmt.Sprint(W, " -300d"), fmt.Sprint(W, " -40d"), fmt.Sprint(W, " -20d"), fmt.Sprint(B, " -20d"), fmt.Sprint(W, " -2d"), fmt.Sprint(D, " -2d"), fmt.Sprint(B, " -2d"),
		fmt.Sprint(P, " -3600"), fmt.Sprint(P, " +0"), fmt.Sprint(W, " +0d"), fmt.Sprint(D, " +0d"), fmt.Sprint(B, " +0d"), fmt.Sprint(S, " +0d"), fmt.Sprint(P, " +1"), "unread u1"}
	g := kinds(got)
	slices.Sort(g)
	slices.Sort(want)
	if !slices.Equal(g, want) {
		t.Errorf("got  %q\nwant %q", g, want)
	}
	if !slices.IsSortedFunc(got, func(a, b ArchivedEvent) int { return int(a.Event.Time - b.Event.Time) }) {
		t.Error("not in order of time")
	}
	f.Before = Place{}
	if all, err := s.History(t.Context(), f); err != nil || len(all) != len(got)+2 {
		t.Errorf("%d without a place in the log, %v", len(all), err)
	}
	f.MaxPositions = 5
	if _, err := s.History(t.Context(), f); !errors.Is(err, ErrTooMany) {
		t.Errorf("more than may be read: %v", err)
	}

	cards, err := s.CardVehicles(t.Context(), []string{"D-2", "D-20"}, base-30*day, base)
	must(t, err)
	if !slices.Equal(cards, []ingest.Vehicle{v, w}) {
		t.Errorf("cards in %v", cards)
	}
	for _, none := range [][]string{nil, {"D-1"}, {"D-400"}} {
		if cards, err := s.CardVehicles(t.Context(), none, base-30*day, base); err != nil || len(cards) > 0 {
			t.Errorf("%v: cards in %v, %v", none, cards, err)
		}
	}
	weighed, err := s.WeighedVehicles(t.Context(), "S1", base, base+1000)
	must(t, err)
	if !slices.Equal(weighed, []ingest.Vehicle{v, w}) {
		t.Errorf("weighed %v", weighed)
	}
}

func TestRecordOfAVehicle(t *testing.T) {
	s := newStore(t)
	s.addViolations(t,
		violationJSON("a", "speeding", "晋E00001", base),
		violationJSON("a", "speeding", "晋E00001", base, `"version":1`, `"version":2`, `"state":"closed"`, `"state":"retracted"`),
		violationJSON("b", "speeding", "晋E00001", base+1000),
		violationJSON("c", "speeding", "晋E00001", base-1000),
		violationJSON("d", "speeding", "晋E00002", base+1000),
		violationJSON("e", "speeding", "晋E00001", base+1000, `"color":2`, `"color":1`))
	got, err := s.VehicleViolations(t.Context(), vehicle(t, "晋E00001", 2), base)
	must(t, err)
	if len(got) != 2 || got[0].ID != "a" || got[0].State != detect.StateRetracted || got[1].ID != "b" {
		t.Errorf("%+v", got)
	}
}
