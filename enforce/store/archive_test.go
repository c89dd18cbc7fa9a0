package store

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
)

func sorted(s []string) string {
	slices.Sort(s)
	return strings.Join(s, "\n")
}

func randomPosition(r *rand.Rand, v ingest.Vehicle, at int64) ingest.Event {
	e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.Source(r.IntN(6)), Flags: ingest.Flags(r.IntN(4)), Vehicle: v, Time: at, Received: at + int64(r.IntN(5000))}
	e.Position = ingest.Position{Lat: r.Int32() - 1<<30, Lon: r.Int32() - 1<<30, Alarm: r.Uint32(), Status: r.Uint32(), VideoAlarm: r.Uint32(),
		Mileage: r.Uint32(), Speed: uint16(r.Uint32()), RecorderSpeed: uint16(r.Uint32()), Course: uint16(r.Uint32()), Altitude: int16(r.Uint32()),
		Fuel: uint16(r.Uint32()), Satellites: uint8(r.Uint32()), RSSI: uint8(r.Uint32()), Located: r.IntN(2) == 0, ACC: r.IntN(2) == 0}
	if n := r.IntN(4); n > 0 {
		e.Position.Extras = make([]byte, n*9)
		for i := range e.Position.Extras {
			e.Position.Extras[i] = byte(r.Uint32())
		}
	}
	return e
}

func (s *Store) insertPositions(t testing.TB, events ...ingest.Event) {
	t.Helper()
	s.insertPositionsAt(t, 0, events...)
}

// insertPositionsAt inserts positions that stand in the log from offset on.
func (s *Store) insertPositionsAt(t testing.TB, offset int64, events ...ingest.Event) {
	t.Helper()
	var b PositionBlock
	for i := range events {
		b.Add(&events[i], "ok", Place{3, offset + int64(i)})
	}
	must(t, s.Insert(t.Context(), &b))
}

// track reads a vehicle's whole track through pages of an odd size.
func (s *Store) track(t testing.TB, v ingest.Vehicle) (out []TrackPosition) {
	t.Helper()
	f := TrackFilter{Vehicle: v, From: minTime, To: maxTime, Limit: 7}
	for {
		p, err := s.Track(t.Context(), f)
		must(t, err)
		out = append(out, p.Positions...)
		if f.Cursor = p.Next; f.Cursor == "" {
			return out
		}
	}
}

// Every field comes back as it went in.
func TestPositionRoundTrip(t *testing.T) {
	s := newStore(t)
	r := rand.New(rand.NewPCG(1, 2))
	v := vehicle(t, "晋E1'\\\";--", 2)
	var b PositionBlock
	var want []TrackPosition
	for i := range 100 {
		e := randomPosition(r, v, base+int64(i/3)*1000) // three at the same time
		q := []string{"ok", "", "speed"}[i%3]
		b.Add(&e, q, Place{i % 5, 1 << 40})
		want = append(want, TrackPosition{e, q, Place{i % 5, 1 << 40}})
	}
	must(t, s.Insert(t.Context(), &b))
	got := s.track(t, v)
	if len(got) != len(want) {
		t.Fatalf("%d positions, want %d", len(got), len(want))
	}
	key := func(p TrackPosition) string { return fmt.Sprintf("%d %+v", p.Event.Time, p) }
	slices.SortFunc(got, func(a, b TrackPosition) int { return strings.Compare(key(a), key(b)) })
	slices.SortFunc(want, func(a, b TrackPosition) int { return strings.Compare(key(a), key(b)) })
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	for _, other := range []ingest.Vehicle{vehicle(t, "晋E1", 2), vehicle(t, "晋E1'\\\";--", 1)} {
		if n := len(s.track(t, other)); n != 0 {
			t.Errorf("%s has %d positions", other, n)
		}
	}
	b.Reset()
	if b.Rows() != 0 || b.Size() != 0 {
		t.Errorf("%d rows, %d bytes after Reset", b.Rows(), b.Size())
	}
}

// What is delivered or sent again is there once, and it is the first received that stays, whatever came first to us and
// whether ClickHouse has merged or not.
func TestPositionsOnce(t *testing.T) {
	for _, order := range []string{"first first", "first last"} {
		t.Run(order, func(t *testing.T) {
			s := newStore(t)
			r := rand.New(rand.NewPCG(3, 4))
			v := vehicle(t, "晋E00001", 2)
			var events, again []ingest.Event
			for i := range 50 {
				e := randomPosition(r, v, base+int64(i)*1000)
				e.Flags, e.Source = 0, ingest.SourceJT808
				events = append(events, e)
				e.Received += []int64{3_600_000, -5}[i%2] // of two doors the later may have the earlier clock
				e.Flags, e.Source = ingest.FlagBackfill, ingest.SourceJT809
				again = append(again, e)
			}
			if order == "first last" {
				s.insertPositionsAt(t, 1000, again...)
			}
			s.insertPositions(t, events...)
			s.insertPositions(t, events...)              // the same block
			s.insertPositionsAt(t, 20, events[20:]...)   // one that overlaps
			s.insertPositionsAt(t, 1000, again...)       // sent again by the vehicle
			s.insertPositionsAt(t, 1<<40, again[10:]...) // and once more
			check := func(when string) {
				got := s.track(t, v)
				if len(got) != len(events) {
					t.Fatalf("%s: %d positions, want %d", when, len(got), len(events))
				}
				for i := range got {
					if !reflect.DeepEqual(got[i].Event, events[i]) {
						t.Fatalf("%s: got %+v\nwant %+v", when, got[i].Event, events[i])
					}
				}
			}
			check("before the merge")
			must(t, s.db.Exec(t.Context(), "OPTIMIZE TABLE positions FINAL"))
			check("after the merge")
			if n := s.countRows(t, "SELECT count() FROM positions"); n != 50 {
				t.Errorf("%d rows after the merge", n)
			}
		})
	}
}

// Terminals that think it is any month of two centuries cost one partition together, and what they sent is kept.
func TestWrongClocks(t *testing.T) {
	s := newStore(t)
	v := vehicle(t, "晋E00001", 2)
	var events []ingest.Event
	for i := range 400 {
		e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: int64(i) * 18_000_000_000, Received: base}
		e.Position.Reset()
		events = append(events, e)
	}
	s.insertPositions(t, events...)
	if n := s.countRows(t, "SELECT uniqExact(partition) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'positions'"); n > 15 {
		t.Errorf("%d partitions", n)
	}
	if n := len(s.track(t, v)); n != len(events) {
		t.Errorf("%d positions, want %d", n, len(events))
	}
	// Sent again over a year later it falls into another partition, and is still the same.
	again := slices.Clone(events)
	for i := range again {
		again[i].Received += 500 * 86400_000
	}
	s.insertPositionsAt(t, 1000, again...)
	got := s.track(t, v)
	if len(got) != len(events) || got[0].Event.Received != base {
		t.Errorf("%d positions, want %d, the first of each in the log", len(got), len(events))
	}
	var b EventBlocks
	for _, at := range []int64{-1, maxTime, 1 << 62, -1 << 62} {
		e := events[0]
		e.Time = at
		if err := b.Add(&e, "ok", Place{}); err == nil || !strings.Contains(err.Error(), "time") {
			t.Errorf("time %d: %v", at, err)
		}
		e.Time, e.Received = base, at
		if err := b.Add(&e, "ok", Place{}); err == nil || !strings.Contains(err.Error(), "received") {
			t.Errorf("received %d: %v", at, err)
		}
	}
	if b.Positions.Rows() != 0 {
		t.Error("a refused event is in the block")
	}
}

// The digest is part of the identity on disk: a change would double what is sent again.
func TestPositionDigestIsFixed(t *testing.T) {
	e := ingest.Event{Vehicle: vehicle(t, "晋E00001", 2), Time: base}
	e.Position = ingest.Position{Lat: 35490712, Lon: 112851274, Alarm: 1, Status: 3, VideoAlarm: 4, Mileage: 12345, Speed: 615, RecorderSpeed: 600, Course: 178, Altitude: 750,
		Fuel: 601, Satellites: 14, RSSI: 31, Located: true, ACC: true}
	digest := positionDigest(&e)
	if digest != wantDigest {
		t.Errorf("digest %#x, want %#x", digest, uint64(wantDigest))
	}
	same := func(what string, change func(e *ingest.Event)) {
		t.Helper()
		c := e
		change(&c)
		if positionDigest(&c) != digest {
			t.Errorf("%s is in the digest", what)
		}
	}
	same("how it came", func(e *ingest.Event) { e.Received, e.Source, e.Flags = base+1, ingest.SourceJT809, ingest.FlagBackfill })
	same("what JT/T 809-2011 does not carry", func(e *ingest.Event) {
		p := &e.Position
		p.Extras, p.VideoAlarm, p.Fuel, p.Satellites, p.RSSI = []byte{0x30, 1, 31}, 0, ingest.NoFuel, ingest.NoSatellites, ingest.NoRSSI
	})
	same("what JT/T 809-2011 rounds", func(e *ingest.Event) {
		e.Position.Speed, e.Position.RecorderSpeed, e.Position.Mileage = 620, ingest.NoSpeed, 12340
	})
	same("a bit that another field says", func(e *ingest.Event) { e.Position.Status = 0x4 })
	for what, change := range map[string]func(e *ingest.Event){
		"latitude": func(e *ingest.Event) { e.Position.Lat++ }, "longitude": func(e *ingest.Event) { e.Position.Lon = -e.Position.Lon },
		"alarm": func(e *ingest.Event) { e.Position.Alarm = 0 }, "status": func(e *ingest.Event) { e.Position.Status |= 1 << 10 }, "course": func(e *ingest.Event) { e.Position.Course++ },
		"altitude": func(e *ingest.Event) { e.Position.Altitude = -e.Position.Altitude }, "fix": func(e *ingest.Event) { e.Position.Located = false }, "ignition": func(e *ingest.Event) { e.Position.ACC = false },
		"encryption": func(e *ingest.Event) { e.Flags = ingest.FlagEncrypted },
	} {
		c := e
		if change(&c); positionDigest(&c) == digest {
			t.Errorf("another %s has the same digest", what)
		}
	}
}

const wantDigest = 0xc29bd21433b0f155

// A vehicle that reports by JT/T 808 and once more through a platform by JT/T 809 is one track, whichever came first; what
// stays is what was first in the log, for the evidence of violations is made of that.
func TestOneVehicleOverTwoProtocols(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2013, jt809.Edition2019} {
		for _, first := range []ingest.Source{ingest.SourceJT808, ingest.SourceJT809} {
			t.Run(ed.String()+" "+first.String()+" first", func(t *testing.T) {
				s := newStore(t)
				v := vehicle(t, "晋E00001", 2)
				var direct, through []ingest.Event
				for i := range 20 {
					at := base + int64(i)*1000
					l := jt808.Location{Alarm: 2, Status: jt808.StatusACC | jt808.StatusLocated | 1<<18, Lat: 35490712 + uint32(i), Lon: 112851274, Altitude: int16(i) - 3, Speed: 613 + uint16(i), Direction: 271,
						Time: jt808.TimeOf(at), Extras: jt808.Extras{1, 4, 0, 0, 0x30, 0x39, 3, 2, 2, 0x65, 0x30, 1, 31}}
					if i == 7 {
						l.Status |= jt808.StatusSouth | jt808.StatusWest
					}
					if i == 9 {
						l.Status |= jt808.StatusEncrypted
					}
					var e, f ingest.Event
					l.Event(&e)
					var r jt809.PositionReader
					must(t, r.Reset(jt809.IDPosition, jt809.AppendPositionData(nil, ed, &e), ed))
					if ok, err := r.Next(&f); !ok || err != nil {
						t.Fatal(ok, err)
					}
					e.Vehicle, e.Received = v, at+700
					f.Vehicle, f.Received = v, at+300 // another machine's clock
					direct, through = append(direct, e), append(through, f)
				}
				want := direct
				if first == ingest.SourceJT808 {
					s.insertPositionsAt(t, 500, through...)
					s.insertPositionsAt(t, 100, direct...)
				} else {
					want = through
					s.insertPositionsAt(t, 100, through...)
					s.insertPositionsAt(t, 500, direct...)
				}
				got := s.track(t, v)
				if len(got) != len(want) {
					t.Fatalf("%d positions, want %d", len(got), len(want))
				}
				events, err := s.VehicleEvents(t.Context(), v, minTime, maxTime-1)
				must(t, err)
				for i := range got {
					w := &want[i]
					if p := got[i].Event.Position; got[i].Event.Source != first || p.Speed != w.Position.Speed || p.Mileage != w.Position.Mileage || got[i].Event.Received != w.Received ||
						events[i].Event.Source != first || events[i].Event.Position.Speed != p.Speed {
						t.Errorf("got %+v\nwant %+v", got[i].Event, *w)
					}
				}
			})
		}
	}
}

func rareEvents(v ingest.Vehicle) []ingest.Event {
	head := func(k ingest.Kind) ingest.Event {
		return ingest.Event{Kind: k, Source: ingest.SourceJT808, Vehicle: v, Time: base, Received: base + 1000}
	}
	d, w, wb, sf, l := head(ingest.KindDriverCard), head(ingest.KindWeighing), head(ingest.KindWaybill), head(ingest.KindSafety), head(ingest.KindLink)
	d.Driver = &ingest.DriverCard{On: true, License: "140502", Name: "张三", Org: "晋城", Result: 1}
	w.Weighing = &ingest.Weighing{Station: "S1", Record: "R1", Lat: 1, Lon: 2, Axles: 6, Combination: ingest.Yes, SingleDriveAxle: ingest.No, GrossKg: 61000,
		AxleKg: []uint32{7000, 10000}, LengthMm: 17000, WidthMm: 2500, HeightMm: 3900, Speed: 120, Lane: 1, Method: ingest.MethodDynamic, Evaded: true}
	wb.Waybill = &ingest.Waybill{Number: "N1", Start: 1, End: 2, CargoClass: "3", Route: "R", Text: "电子运单\x00'"}
	sf.Safety = &ingest.Safety{System: "dsm", Kind: "phone", Level: 2, Flag: "start", AlarmID: 7, Speed: 500}
	l.Link = &ingest.Link{Online: true, Reason: "closed"}
	return []ingest.Event{d, w, wb, sf, l}
}

// The rare kinds: every field is in the table, twice the same is once, first received wins.
func TestRareKinds(t *testing.T) {
	s := newStore(t)
	v := vehicle(t, "晋E00001", 2)
	var b EventBlocks
	add := func(events []ingest.Event) {
		for i := range events {
			must(t, b.Add(&events[i], "", Place{1, 2}))
		}
	}
	first, again := rareEvents(v), rareEvents(v)
	for i := range again {
		again[i].Received, again[i].Source = base+9000, ingest.SourceHTTP
	}
	again[1].Weighing.GrossKg = 1 // same station and record: the first wins all the same
	add(again)
	add(first)
	for range 2 {
		for _, blk := range b.All() {
			must(t, s.Insert(t.Context(), blk))
		}
	}
	for q, want := range map[string]string{
		"SELECT toString(tuple(plate, color, on_duty, license, name, org, result, flags, source, log_partition, log_offset)) FROM driver_cards FINAL":                                                           "('晋E00001',2,true,'140502','张三','晋城',1,0,'jt808',1,2)",
		"SELECT toString(tuple(station, record, lat, lon, axles, combination, single_drive_axle, gross_kg, axle_kg, length_mm, width_mm, height_mm, speed, lane, method, evaded, source)) FROM weighings FINAL": "('S1','R1',1,2,6,2,1,61000,[7000,10000],17000,2500,3900,120,1,1,true,'jt808')",
		"SELECT toString(tuple(number, valid_start, valid_end, cargo_class, route, text, source)) FROM waybills FINAL":                                                                                          `('N1',1,2,'3','R','电子运单\0\'','jt808')`,
		"SELECT toString(tuple(system, kind, level, flag, alarm_id, speed, source)) FROM safety_events FINAL":                                                                                                   "('dsm','phone',2,'start',7,500,'jt808')",
		"SELECT toString(tuple(online, reason, toUnixTimestamp64Milli(time), toUnixTimestamp64Milli(received))) FROM links FINAL":                                                                               "(true,'closed',1777593600000,1777593601000)",
	} {
		rows, err := s.db.Query(t.Context(), q)
		must(t, err)
		var got []string
		for rows.Next() {
			var g string
			must(t, rows.Scan(&g))
			got = append(got, g)
		}
		must(t, rows.Err())
		rows.Close()
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s\n got  %q\n want %q", q, got, want)
		}
	}
}

// Everything of a vehicle comes back as it went in, in order of time, and nothing of another one.
func TestVehicleEvents(t *testing.T) {
	s := newStore(t)
	v := vehicle(t, "晋E00001", 2)
	r := rand.New(rand.NewPCG(9, 10))
	var b EventBlocks
	var want []ArchivedEvent
	for _, e := range rareEvents(v) {
		e.Time += int64(len(want)) * 1000
		want = append(want, ArchivedEvent{e, Place{1, 2}})
	}
	for range 10 {
		want = append(want, ArchivedEvent{randomPosition(r, v, base+int64(len(want))*1000), Place{1, 2}})
	}
	for i := range want {
		must(t, b.Add(&want[i].Event, "speed", Place{1, 2}))
	}
	for _, e := range append(rareEvents(vehicle(t, "晋E00001", 1)), rareEvents(vehicle(t, "晋E00002", 2))...) {
		if e.Weighing != nil {
			e.Weighing.Record += e.Vehicle.String()
		}
		must(t, b.Add(&e, "", Place{}))
	}
	for range 2 {
		for _, blk := range b.All() {
			must(t, s.Insert(t.Context(), blk))
		}
	}
	got, err := s.VehicleEvents(t.Context(), v, base, base+14_000)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	got, err = s.VehicleEvents(t.Context(), v, base+1000, base+2000)
	must(t, err)
	if len(got) != 2 || got[0].Event.Weighing == nil || got[1].Event.Waybill == nil {
		t.Errorf("of two seconds: %+v", got)
	}
}

// A weighing whose plate could not be read comes once from every partition of the log, and is one row; whoever asks for a vehicle's events
// gets it too, since it may be the vehicle's.
func TestUnreadWeighingIsOneRow(t *testing.T) {
	s := newStore(t)
	v := vehicle(t, "晋E00001", 2)
	unread := rareEvents(ingest.Vehicle{})[1]
	own, other := rareEvents(v)[1], rareEvents(vehicle(t, "晋E00002", 2))[1]
	own.Weighing.Record, other.Weighing.Record = "R2", "R3"
	own.Time += 1000
	own.Received += 1000
	for p := range 8 { // eight partitions, one of them twice
		var b EventBlocks
		for _, e := range []ingest.Event{unread, own, other} {
			if p == 0 || e.Unread() {
				must(t, b.Add(&e, "", Place{p, int64(p * 100)}))
			}
		}
		must(t, s.Insert(t.Context(), &b.Weighings))
		if p == 3 {
			must(t, s.Insert(t.Context(), &b.Weighings))
		}
	}
	if n := s.countRows(t, "SELECT count() FROM weighings FINAL WHERE plate = ''"); n != 1 {
		t.Errorf("%d rows of one record", n)
	}
	got, err := s.VehicleEvents(t.Context(), v, base, base+1000)
	must(t, err)
	if len(got) != 2 || !got[0].Event.Unread() || got[1].Event.Vehicle != v {
		t.Fatalf("of the vehicle: %+v", got)
	}
	unread.Source = got[0].Event.Source
	if !reflect.DeepEqual(got[0].Event, unread) {
		t.Errorf("got  %+v\nwant %+v", got[0].Event, unread)
	}
	events, err := eventsOf(t, s, EventsFilter{Vehicles: []ingest.Vehicle{v}, From: base, To: base + 1000})
	must(t, err)
	if len(events) != 2 || !events[0].Unread() || events[1].Vehicle != v {
		t.Errorf("of a list of vehicles: %+v", events)
	}
	if got, err = s.VehicleEvents(t.Context(), v, base+1, base+1000); err != nil || len(got) != 1 {
		t.Errorf("of a second: %+v, %v", got, err)
	}
	if seen, err := s.Colors(t.Context(), ""); err == nil && len(seen) > 0 {
		t.Errorf("it is a vehicle: %+v", seen)
	}
}

// Weighings without a record number are told apart by what they say.
func TestWeighingsWithoutNumber(t *testing.T) {
	s := newStore(t)
	v := vehicle(t, "晋E00001", 2)
	var b WeighingBlock
	for i := range 3 {
		e := rareEvents(v)[1]
		e.Weighing.Record = ""
		e.Time += int64(i)
		b.Add(&e, Place{})
		b.Add(&e, Place{})
	}
	must(t, s.Insert(t.Context(), &b))
	if n := s.countRows(t, "SELECT count() FROM weighings FINAL"); n != 3 {
		t.Errorf("%d weighings, want 3", n)
	}
}

func TestDeadLetters(t *testing.T) {
	s := newStore(t)
	var b DeadLetterBlock
	raw := []byte("\x00\xff'x")
	for range 2 {
		b.Add(DeadLetter{Topic: "events", At: Place{1, 7}, Position: 48, Written: base, Reason: "kind 9", Raw: raw})
		b.Add(DeadLetter{Topic: "events", At: Place{1, 7}, Position: 96, Written: -1 << 60, Reason: "kind 9", Raw: nil})
		must(t, s.Insert(t.Context(), &b))
	}
	if n := s.countRows(t, "SELECT count() FROM dead_letters FINAL"); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
	var got string
	must(t, s.db.QueryRow(t.Context(), "SELECT raw FROM dead_letters FINAL WHERE position = 48").Scan(&got))
	if got != string(raw) {
		t.Errorf("raw %q", got)
	}
}

func TestPositionBlockAllocations(t *testing.T) {
	var b PositionBlock
	r := rand.New(rand.NewPCG(5, 6))
	e := randomPosition(r, vehicle(t, "晋E00001", 2), base)
	e.Source = ingest.SourceJT808
	fill := func() {
		b.Reset()
		for range 1000 {
			b.Add(&e, "ok", Place{})
		}
	}
	fill()
	if n := testing.AllocsPerRun(10, fill); n != 0 {
		t.Errorf("%.0f allocations for 1000 positions", n)
	}
}

func BenchmarkInsertPositions(b *testing.B) {
	s := newStore(b)
	r := rand.New(rand.NewPCG(7, 8))
	const rows = 50_000
	var block PositionBlock
	n := 0
	for b.Loop() {
		block.Reset()
		for range rows {
			v, _ := ingest.NewVehicle(fmt.Sprintf("晋E%05d", n%100_000), 2)
			e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT808, Vehicle: v, Time: base + int64(n/100_000)*30_000, Received: base + int64(n/100_000)*30_000 + int64(r.IntN(2000))}
			e.Position = ingest.Position{Lat: 35_000_000 + int32(r.IntN(1_000_000)), Lon: 112_000_000 + int32(r.IntN(1_000_000)), Status: 3, Mileage: uint32(n),
				Speed: uint16(r.IntN(1000)), RecorderSpeed: uint16(r.IntN(1000)), Course: uint16(r.IntN(360)), Altitude: 750, Fuel: ingest.NoFuel,
				Satellites: 14, RSSI: 31, Located: true, ACC: true, Extras: []byte{1, 4, 0, 0, 48, 57, 0x30, 1, 31, 0x31, 1, 14}}
			block.Add(&e, "ok", Place{n % 8, int64(n)})
			n++
		}
		if err := s.Insert(b.Context(), &block); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(s.countRows(b, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'positions'"))/float64(n), "disk-B/row")
}
