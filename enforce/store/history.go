package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"lushao/ingest"
)

// HistoryFilter says how far a vehicle's history is asked for.
type HistoryFilter struct {
	Span // its time is that of positions and alarms
	// Loads says that it may matter whether the vehicle carried something before: it does for hazmat.
	Loads bool
	// MaxPositions bounds what is read; more is ErrTooMany. 0: no limit.
	MaxPositions int
}

const (
	dayMs = 86400 * 1000
	// A card, or a load, that is older than that is not looked for.
	stateLead = 31 * dayMs
	// A waybill is sent when the goods are loaded; one that is older than that is none of this trip.
	waybillLead = 31 * dayMs
	// Overloads of the last year are counted.
	weighingLead = 365 * dayMs
)

// loadLeads are how far before From a load is looked for: who reports loads has mostly done so in the last two days, and a month is much to
// read.
var loadLeads = [...]int64{2 * dayMs, stateLead}

// History returns what judging a vehicle's events again needs: all that it reported from From to To, and of what was before the
// card that was put in last, the waybills that may still be valid, the weighings of a year, and the last position with a load; and the
// weighings from From to To whose plate could not be read. The events stand in the order of time, then of receipt and of the log. Additional items of positions are left out.
func (s *Store) History(ctx context.Context, f HistoryFilter) ([]ArchivedEvent, error) {
	list, err := s.Histories(ctx, []HistoryFilter{f}, f.MaxPositions)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// Histories is History for several vehicles, of which none is in the list twice, with one question for each kind of events. most bounds the
// events that are read of all of them; 0 does not. Of those that fit no more the history is nil, and is to be asked for again; where none fits,
// or not even all that is rare, it is ErrTooMany. The filters' own bounds are not used.
func (s *Store) Histories(ctx context.Context, of []HistoryFilter, most int) ([][]ArchivedEvent, error) {
	list, loads := make([]Span, len(of)), []Span(nil)
	for i := range of {
		list[i] = of[i].Span
		if of[i].Loads {
			loads = append(loads, of[i].Span)
		}
	}
	index := indexOf(list)
	rest := make([][]ArchivedEvent, len(of)) // all but the positions of the time that is asked for
	n := 0
	take := func(i int, e ArchivedEvent) error {
		if n++; most > 0 && n > most {
			return ErrTooMany
		}
		rest[i] = append(rest[i], e)
		return nil
	}
	if err := s.lastLoads(ctx, loads, func(e ArchivedEvent) error { return take(index[e.Event.Vehicle], e) }); err != nil {
		return nil, err
	}
	if err := s.rareHistory(ctx, list, take); err != nil {
		return nil, err
	}
	limit := 0
	if most > 0 {
		limit = most - n + 1
	}
	out := make([][]ArchivedEvent, len(of))
	var run []ArchivedEvent // the positions of one vehicle
	end := func(i int) {
		all := append(append(make([]ArchivedEvent, 0, len(run)+len(rest[i])), run...), rest[i]...)
		slices.SortStableFunc(all, func(a, b ArchivedEvent) int {
			return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), cmp.Compare(a.Event.Received, b.Event.Received), cmp.Compare(a.Place.Offset, b.Place.Offset))
		})
		out[i], rest[i], run = all, nil, run[:0]
	}
	positions, full := 0, false
	err := s.spanPositions(ctx, list, limit, func(p TrackPosition, _ uint64) error {
		if len(run) > 0 && run[0].Event.Vehicle != p.Event.Vehicle {
			end(index[run[0].Event.Vehicle])
		}
		if positions++; positions == limit {
			full = true
		}
		run = append(run, ArchivedEvent{p.Event, p.Place})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !full {
		for i := range of {
			if len(run) > 0 && run[0].Event.Vehicle == list[i].Vehicle {
				end(i)
			}
		}
		for i := range of {
			if out[i] == nil { // it has no positions
				end(i)
			}
		}
		return out, nil
	}
	// The vehicle that was being read, and those after it, are not there whole.
	last := run[0].Event.Vehicle
	run = run[:0]
	done := false
	for i := range of {
		if out[i] == nil && list[i].Vehicle.Compare(&last) < 0 {
			end(i)
		}
		done = done || out[i] != nil
	}
	if !done {
		return nil, ErrTooMany
	}
	return out, nil
}

// lastLoads calls fn for the last position with a load before the time of each span.
func (s *Store) lastLoads(ctx context.Context, list []Span, fn func(e ArchivedEvent) error) error {
	found := map[ingest.Vehicle]int64{}
	for i, lead := range loadLeads {
		var asked []Span
		for _, v := range list {
			if _, ok := found[v.Vehicle]; !ok {
				late := int64(0) // what was looked at before
				if i > 0 {
					late = loadLeads[i-1]
				}
				asked = append(asked, Span{Vehicle: v.Vehicle, From: v.From - lead, To: v.From - late - 1})
			}
		}
		if len(asked) == 0 {
			break
		}
		if err := s.lastLoadTimes(ctx, asked, found); err != nil {
			return err
		}
	}
	var at []Span
	for _, v := range list {
		if t, ok := found[v.Vehicle]; ok {
			at = append(at, Span{Vehicle: v.Vehicle, From: t, To: t})
		}
	}
	if len(at) == 0 {
		return nil
	}
	taken := map[ingest.Vehicle]bool{}
	return s.spanPositions(ctx, at, 0, func(p TrackPosition, _ uint64) error {
		if e := &p.Event; e.Position.Status&768 == 0 || !isPlausible(e) || taken[e.Vehicle] {
			return nil
		}
		taken[p.Event.Vehicle] = true
		return fn(ArchivedEvent{p.Event, p.Place})
	})
}

// lastLoadTimes finds when vehicles reported a load last.
func (s *Store) lastLoadTimes(ctx context.Context, list []Span, found map[ingest.Vehicle]int64) error {
	keys := new(conditions)
	keys.spans("time", list, 0)
	rows, err := s.db.Query(ctx, "SELECT plate, color, toUnixTimestamp64Milli(max(time)) FROM positions FINAL PREWHERE"+keys.and()+
		" WHERE bitAnd(status, 768) != 0 AND "+plausible+" GROUP BY plate, color", keys.params...)
	if err != nil {
		return fmt.Errorf("store: look for loads: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var plate string
		var color uint8
		var at int64
		if err := rows.Scan(&plate, &color, &at); err != nil {
			return fmt.Errorf("store: look for loads: %w", err)
		}
		v, err := ingest.NewVehicle(plate, ingest.Color(color))
		if err != nil {
			return fmt.Errorf("store: look for loads: %w", err)
		}
		found[v] = at
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: look for loads: %w", err)
	}
	return nil
}

// rareHistory calls fn for the events but positions of the histories of vehicles, with the number of the vehicle in the list.
func (s *Store) rareHistory(ctx context.Context, list []Span, fn func(i int, e ArchivedEvent) error) error {
	index := indexOf(list)
	mine := func(e ArchivedEvent) error { return fn(index[e.Event.Vehicle], e) }
	for _, k := range rareKinds {
		lead := int64(0)
		switch k.kind {
		case ingest.KindWaybill:
			lead = waybillLead
		case ingest.KindWeighing:
			lead = weighingLead
		case ingest.KindLink:
			continue // no rule uses it
		}
		c := new(conditions)
		c.spans("time", list, lead)
		c.before(list)
		if err := s.eachRare(ctx, mine, k, c); err != nil {
			return err
		}
		switch k.kind {
		case ingest.KindWeighing: // those whose plate could not be read may be its own
			if err := s.unreadWeighings(ctx, list, k, fn); err != nil {
				return err
			}
		case ingest.KindDriverCard:
			if err := s.lastCards(ctx, list, mine); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) unreadWeighings(ctx context.Context, list []Span, k rareKind, fn func(i int, e ArchivedEvent) error) error {
	from, to := int64(maxTime), int64(minTime)
	for i := range list {
		from, to = min(from, list[i].From), max(to, list[i].To)
	}
	c := new(conditions)
	c.text = append(c.text, "plate = ''")
	c.time("time", ">=", from)
	c.time("time", "<=", to)
	return s.eachRare(ctx, func(e ArchivedEvent) error {
		for i := range list {
			if e.Event.Time < list[i].From || e.Event.Time > list[i].To {
				continue
			}
			if err := fn(i, e); err != nil {
				return err
			}
		}
		return nil
	}, k, c)
}

// lastCards calls fn for the card that was put in last before the time of each span.
func (s *Store) lastCards(ctx context.Context, list []Span, fn func(e ArchivedEvent) error) error {
	earlier := make([]Span, len(list))
	for i := range list {
		earlier[i] = Span{Vehicle: list[i].Vehicle, From: list[i].From - stateLead, To: list[i].From - 1}
	}
	c := new(conditions)
	c.spans("time", earlier, 0)
	c.text = append(c.text, "on_duty")
	return s.eachRare(ctx, fn, kindOf(ingest.KindDriverCard), c, " ORDER BY plate, color, time DESC LIMIT 1 BY plate, color")
}

func kindOf(kind ingest.Kind) rareKind {
	return rareKinds[slices.IndexFunc(rareKinds, func(k rareKind) bool { return k.kind == kind })]
}

// Licenses lists for each vehicle the cards that were put in during its time, and before it last.
func (s *Store) Licenses(ctx context.Context, list []Span) ([][]string, error) {
	out, index := make([][]string, len(list)), indexOf(list)
	if len(list) == 0 {
		return out, nil
	}
	take := func(e ArchivedEvent) error {
		i := index[e.Event.Vehicle]
		if d := e.Event.Driver; d.On && d.License != "" && !slices.Contains(out[i], d.License) {
			out[i] = append(out[i], d.License)
		}
		return nil
	}
	c := new(conditions)
	c.spans("time", list, 0)
	c.before(list)
	if err := s.eachRare(ctx, take, kindOf(ingest.KindDriverCard), c); err != nil {
		return nil, err
	}
	return out, s.lastCards(ctx, list, take)
}

// EventsOfEach returns what vehicles reported, each in its time, which for events other than positions begins lead ms earlier: of each in the
// order of time, receipt and the log. More than most of them, of all vehicles, is ErrTooMany; 0: no limit. Additional items of positions are
// left out.
func (s *Store) EventsOfEach(ctx context.Context, list []Span, lead int64, most int) (map[ingest.Vehicle][]ArchivedEvent, error) {
	out := make(map[ingest.Vehicle][]ArchivedEvent, len(list))
	if len(list) == 0 {
		return out, nil
	}
	n := 0
	take := func(e ArchivedEvent) error {
		if n++; most > 0 && n > most {
			return ErrTooMany
		}
		out[e.Event.Vehicle] = append(out[e.Event.Vehicle], e)
		return nil
	}
	limit := 0
	if most > 0 {
		limit = most + 1
	}
	if err := s.spanPositions(ctx, list, limit, func(p TrackPosition, _ uint64) error { return take(ArchivedEvent{p.Event, p.Place}) }); err != nil {
		return nil, err
	}
	for _, k := range rareKinds {
		c := new(conditions)
		c.spans("time", list, lead)
		c.before(list)
		if err := s.eachRare(ctx, take, k, c); err != nil {
			return nil, err
		}
	}
	for _, events := range out {
		slices.SortStableFunc(events, compareArchived)
	}
	return out, nil
}

// EventsOf returns the events without their places in the log.
func EventsOf(list []ArchivedEvent) []ingest.Event {
	out := make([]ingest.Event, len(list))
	for i := range list {
		out[i] = list[i].Event
	}
	return out
}
