package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
	f := HistoryFilter{Span: Span{Vehicle: v, From: base, To: base + 3000, Before: Place{3, 12}}, Loads: true}
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

	uses, err := s.CardUses(t.Context(), []string{"D-2", "D-20"}, base-30*day, base)
	must(t, err)
	if want := []CardUse{{"D-20", v, base - 20*day + 500}, {"D-2", v, base - 2*day + 500}, {"D-20", w, base - 20*day + 500}, {"D-2", w, base - 2*day + 500}}; !slices.Equal(uses, want) {
		t.Errorf("cards in %v", uses)
	}
	for _, none := range [][]string{nil, {"D-1"}, {"D-400"}} {
		if uses, err := s.CardUses(t.Context(), none, base-30*day, base); err != nil || len(uses) > 0 {
			t.Errorf("%v: cards in %v, %v", none, uses, err)
		}
	}
	weighed, err := s.WeighedAt(t.Context(), []string{"S1", "S2"}, base, base+1000)
	must(t, err)
	if want := []Weighed{{"S1", v, base + 500}, {"S1", w, base + 500}}; !slices.Equal(weighed, want) {
		t.Errorf("weighed %v", weighed)
	}
	for from, want := range map[int64]string{base: "[[D0 D-2] [D-2]]", base + 600: "[[D0] [D-2]]"} {
		cards, err := s.Licenses(t.Context(), []Span{{Vehicle: v, From: from, To: base + 3000}, {Vehicle: w, From: base - day, To: base - 1000}})
		if err != nil || fmt.Sprint(cards) != want {
			t.Errorf("licenses from %d: %v, %v", from-base, cards, err)
		}
	}
}

// What is read of many vehicles at once is what is read of each alone, kind after kind.
func TestHistoriesAgainstOneByOne(t *testing.T) {
	s := newStore(t)
	rng := rand.New(rand.NewPCG(5, 6))
	const day = 24 * 3600_000
	var vehicles []ingest.Vehicle
	for i := range 6 { // also plates that differ in their colour only
		vehicles = append(vehicles, vehicle(t, fmt.Sprintf("晋E%05d", i/2), ingest.Color(1+i%2)))
	}
	var b EventBlocks
	for n := range int64(1200) {
		v := vehicles[rng.IntN(len(vehicles))]
		time := base - rng.Int64N(3*day)
		if rng.IntN(4) == 0 {
			time = base - rng.Int64N(400*day)
		}
		time -= time % 60_000 // equal times are seen
		e := ingest.Event{Vehicle: v, Time: time, Received: time + rng.Int64N(3)*day}
		switch rng.IntN(8) {
		case 0:
			e.Kind, e.Driver = ingest.KindDriverCard, &ingest.DriverCard{On: rng.IntN(2) == 0, License: fmt.Sprint("D", rng.IntN(4))}
		case 1:
			e.Kind, e.Weighing = ingest.KindWeighing, &ingest.Weighing{Station: "S1", Record: fmt.Sprint(rng.IntN(300)), GrossKg: uint32(n)}
			if rng.IntN(3) == 0 {
				e.Vehicle = ingest.Vehicle{}
			}
		case 2:
			e.Kind, e.Waybill = ingest.KindWaybill, &ingest.Waybill{Number: fmt.Sprint(n), Start: time}
		case 3:
			e.Kind, e.Safety = ingest.KindSafety, &ingest.Safety{System: "dsm", Kind: "phone", AlarmID: uint32(n)}
		default:
			e = at(t, v.Plate(), v.Color, time, int32(rng.IntN(3)), 0)
			e.Received = time + rng.Int64N(3)*day - rng.Int64N(2)*600_000 // some have a wrong clock
			if rng.IntN(3) == 0 {
				e.Position.Status |= uint32(rng.IntN(4)) << 8
			}
			e.Position.Extras = []byte{1, 1, 1}
		}
		must(t, b.Add(&e, "ok", Place{int(v.Color), n}))
	}
	for _, x := range b.All() {
		must(t, s.Insert(t.Context(), x))
	}
	text := func(list []ArchivedEvent) (out []string) {
		for _, e := range list {
			detail, err := json.Marshal([]any{e.Event.Driver, e.Event.Weighing, e.Event.Waybill, e.Event.Safety, e.Event.Position})
			must(t, err)
			out = append(out, fmt.Sprintf("%v %s %d %d %v %s", e.Event.Kind, e.Event.Vehicle, e.Event.Time, e.Event.Received, e.Place, detail))
		}
		return out
	}
	filters := func(n int) (of []HistoryFilter) {
		for _, i := range rng.Perm(len(vehicles))[:n] {
			from := base - rng.Int64N(5*day)
			f := HistoryFilter{Span: Span{Vehicle: vehicles[i], From: from, To: from + rng.Int64N(4*day)}, Loads: true}
			if rng.IntN(2) == 0 {
				f.Before = Place{1, rng.Int64N(1200)}
			}
			of = append(of, f)
		}
		return of
	}
	events, cut := 0, 0
	for range 10 {
		of := filters(1 + rng.IntN(len(vehicles)))
		got, err := s.Histories(t.Context(), of, 0)
		must(t, err)
		all := 0
		var want [][]string
		for i := range of {
			one, err := s.slowHistory(t.Context(), of[i])
			must(t, err)
			want = append(want, text(one))
			if !slices.Equal(text(got[i]), want[i]) {
				t.Fatalf("%+v of %d vehicles:\n%q\nalone\n%q", of[i], len(of), text(got[i]), want[i])
			}
			all += len(one)
		}
		events += all
		// With less room some are there whole, and the others not at all.
		most := all/2 + rng.IntN(all/2+1)
		got, err = s.Histories(t.Context(), of, most)
		if errors.Is(err, ErrTooMany) {
			continue
		}
		must(t, err)
		n, whole := 0, 0
		for i := range got {
			if got[i] == nil {
				continue
			}
			whole++
			n += len(got[i])
			if !slices.Equal(text(got[i]), want[i]) {
				t.Fatalf("%+v of %d vehicles in the room of %d:\n%q\nalone\n%q", of[i], len(of), most, text(got[i]), want[i])
			}
		}
		if n > most || whole == 0 || whole < len(of) && most >= all {
			t.Errorf("%d vehicles of %d with %d events of %d in the room of %d", whole, len(of), n, all, most)
		}
		if whole < len(of) {
			cut++
		}
	}
	if events < 1000 || cut < 3 {
		t.Errorf("%d events, %d cut short: the test proves little", events, cut)
	}
	// Of one vehicle all fit, or it is said that they don't.
	for range 3 {
		f := filters(1)[0]
		one, err := s.slowHistory(t.Context(), f)
		must(t, err)
		for _, most := range []int{len(one) - 1, len(one)} {
			if most < 1 {
				continue
			}
			f.MaxPositions = most
			if _, err := s.History(t.Context(), f); errors.Is(err, ErrTooMany) != (most < len(one)) {
				t.Errorf("%d events in the room of %d: %v", len(one), most, err)
			}
		}
	}
}

// slowHistory is History of one vehicle with a question for each piece of it.
func (s *Store) slowHistory(ctx context.Context, f HistoryFilter) ([]ArchivedEvent, error) {
	during := func(from int64) *conditions {
		c := new(conditions)
		c.vehicle(f.Vehicle)
		c.time("time", ">=", from)
		c.time("time", "<=", f.To)
		if f.Before.Offset > 0 {
			c.text = append(c.text, fmt.Sprintf("(log_partition != %d OR log_offset < %d)", f.Before.Partition, f.Before.Offset))
		}
		return c
	}
	var list []ArchivedEvent
	take := func(e ArchivedEvent) error {
		if f.MaxPositions > 0 && len(list) == f.MaxPositions {
			return ErrTooMany
		}
		e.Event.Position.Extras = nil
		list = append(list, e)
		return nil
	}
	position := func(p TrackPosition, _ uint64) error { return take(ArchivedEvent{p.Event, p.Place}) }
	c := during(f.From)
	if err := s.eachPosition(ctx, position, positionSelect+" FINAL"+c.where(), c.params...); err != nil {
		return nil, err
	}
	earlier := new(conditions)
	earlier.vehicle(f.Vehicle)
	earlier.time("time", "<", f.From)
	earlier.time("time", ">=", f.From-31*dayMs)
	loaded := *earlier
	loaded.text = append(slices.Clone(loaded.text), "bitAnd(status, 768) != 0", plausible)
	if err := s.eachPosition(ctx, position, positionSelect+" FINAL"+loaded.where()+" ORDER BY time DESC LIMIT 1", loaded.params...); err != nil {
		return nil, err
	}
	for _, k := range rareKinds {
		from := f.From
		switch k.kind {
		case ingest.KindWaybill:
			from -= waybillLead
		case ingest.KindWeighing:
			from -= weighingLead
		case ingest.KindLink:
			continue // no rule uses it
		}
		if err := s.eachRare(ctx, take, k, during(from)); err != nil {
			return nil, err
		}
		if k.kind == ingest.KindWeighing { // those whose plate could not be read may be its own
			unread := new(conditions)
			unread.text = append(unread.text, "plate = ''")
			unread.time("time", ">=", f.From)
			unread.time("time", "<=", f.To)
			if err := s.eachRare(ctx, take, k, unread); err != nil {
				return nil, err
			}
		}
		if k.kind == ingest.KindDriverCard {
			last := *earlier
			last.text = append(slices.Clone(last.text), "on_duty")
			if err := s.eachRare(ctx, take, k, &last, " ORDER BY time DESC LIMIT 1"); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(list, func(a, b ArchivedEvent) int {
		return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), cmp.Compare(a.Event.Received, b.Event.Received), cmp.Compare(a.Place.Offset, b.Place.Offset))
	})
	return list, nil
}

// Each vehicle's events in its time, of kinds other than positions from earlier on.
func TestEventsOfEach(t *testing.T) {
	s := newStore(t)
	v, w := vehicle(t, "晋E00001", 2), vehicle(t, "晋E00002", 2)
	var b EventBlocks
	for _, x := range []ingest.Vehicle{v, w} {
		for i := range int64(10) {
			e := at(t, x.Plate(), x.Color, base+i*1000, int32(i), 0)
			must(t, b.Add(&e, "ok", Place{3, i}))
			must(t, b.Add(&ingest.Event{Kind: ingest.KindSafety, Vehicle: x, Time: base + i*1000, Received: base + i*1000, Safety: &ingest.Safety{Kind: "phone"}}, "", Place{3, i}))
		}
	}
	for _, x := range b.All() {
		must(t, s.Insert(t.Context(), x))
	}
	list := []Span{{Vehicle: w, From: base + 8000, To: base + 20_000}, {Vehicle: v, From: base + 3000, To: base + 4000}}
	got, err := s.EventsOfEach(t.Context(), list, 1000, 10)
	must(t, err)
	for x, want := range map[ingest.Vehicle]string{v: "2 safety, 3 safety, 3 position, 4 safety, 4 position", w: "7 safety, 8 safety, 8 position, 9 safety, 9 position"} {
		var text []string
		for _, e := range got[x] {
			text = append(text, fmt.Sprint((e.Event.Time-base)/1000, " ", e.Event.Kind))
		}
		if g := strings.Join(text, ", "); g != want {
			t.Errorf("%s: %s", x, g)
		}
	}
	if _, err := s.EventsOfEach(t.Context(), list, 1000, 9); !errors.Is(err, ErrTooMany) {
		t.Errorf("more than may be read: %v", err)
	}
	if none, err := s.EventsOfEach(t.Context(), nil, 0, 1); err != nil || len(none) > 0 {
		t.Errorf("%v, %v", none, err)
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
	v, w := vehicle(t, "晋E00001", 2), vehicle(t, "晋E00002", 2)
	for _, list := range [][]Since{{{v, base}}, {{w, base + 2000}, {v, base}}} {
		got, err := s.ViolationsSince(t.Context(), list)
		must(t, err)
		if of := got[v]; len(got) != 1 || len(of) != 2 || of[0].ID != "a" || of[0].State != detect.StateRetracted || of[1].ID != "b" {
			t.Errorf("%+v", got)
		}
	}
}
