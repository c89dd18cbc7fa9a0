package recheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/bus"
)

// base is 2026-05-01 08:00:00 Beijing time, Unix ms.
const base = int64(1777593600000)

// fakeLog keeps what is written, and says what was committed.
type fakeLog struct {
	archived int64 // of the events
	written  map[string][]bus.KeyedMessage
	err      error
}

func (l *fakeLog) Assign(context.Context, string, string, bool, func(context.Context, bus.Assignment) error) error {
	return errors.New("not used")
}

func (l *fakeLog) ConsumeOrIdle(context.Context, string, int, int64, func(context.Context, []bus.Message) error, func(context.Context) error) error {
	return errors.New("not used")
}

func (l *fakeLog) CommittedOffsets(_ context.Context, group, topic string) (map[int]int64, error) {
	if l.err != nil {
		return nil, l.err
	}
	if topic == worker.EventsTopic && group == "archive" {
		return map[int]int64{0: l.archived}, nil
	}
	return map[int]int64{0: int64(len(l.written[topic]))}, nil
}

func (l *fakeLog) Bounds(_ context.Context, topic string) (first, next map[int]int64, err error) {
	return map[int]int64{0: 0}, map[int]int64{0: int64(len(l.written[topic]))}, nil
}

func (l *fakeLog) Partitions(context.Context, string) (int, error) { return 1, nil }

func (l *fakeLog) WriteKeyed(_ context.Context, topic string, messages ...bus.KeyedMessage) error {
	if l.err != nil {
		return l.err
	}
	l.written[topic] = append(l.written[topic], messages...)
	return nil
}

// fakeArchive has the events of some vehicles and the record.
type fakeArchive struct {
	events     []ingest.Event
	record     map[string]detect.Violation
	asked      []store.HistoryFilter
	err        error
	tooMany    int64          // a history that begins before this is too long
	damaged    ingest.Vehicle // can't be read
	room       int            // vehicles that fit into a batch; 0: all
	batches    []int          // how many were asked for
	hangs      bool           // until the time is up
	others     []int          // of other vehicles
	mostOthers int            // that fit; 0: all

	segments []detect.DrivingSegment
	totals   []store.DriverTotal
	since    []int64 // of the calls of DriverTotals
}

func (a *fakeArchive) Licenses(_ context.Context, list []store.Span) ([][]string, error) {
	out := make([][]string, len(list))
	for i, s := range list {
		for _, e := range a.events {
			if e.Vehicle == s.Vehicle && e.Kind == ingest.KindDriverCard && e.Driver.On && e.Driver.License != "" && e.Time >= s.From && e.Time <= s.To {
				out[i] = append(out[i], e.Driver.License)
			}
		}
	}
	return out, nil
}

// Histories has room for some of the vehicles, in order of their plates.
func (a *fakeArchive) Histories(ctx context.Context, of []store.HistoryFilter, _ int) ([][]store.ArchivedEvent, error) {
	a.batches = append(a.batches, len(of))
	if a.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	out := make([][]store.ArchivedEvent, len(of))
	order := make([]int, len(of))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return of[i].Vehicle.Compare(&of[j].Vehicle) })
	for n, i := range order {
		f := of[i]
		a.asked = append(a.asked, f)
		if a.err != nil {
			return nil, a.err
		}
		if f.Vehicle == a.damaged {
			return nil, errors.New("damaged")
		}
		if f.From < a.tooMany {
			return nil, store.ErrTooMany
		}
		if a.room > 0 && n >= a.room {
			continue
		}
		out[i] = []store.ArchivedEvent{}
		for _, e := range a.events {
			if e.Vehicle == f.Vehicle && e.Time >= f.From && e.Time <= f.To {
				out[i] = append(out[i], store.ArchivedEvent{Event: e, Place: store.Place{Offset: e.Received}})
			}
		}
	}
	return out, nil
}

func (a *fakeArchive) EventsOfEach(_ context.Context, list []store.Span, lead int64, most int) (map[ingest.Vehicle][]store.ArchivedEvent, error) {
	out := map[ingest.Vehicle][]store.ArchivedEvent{}
	a.others = append(a.others, len(list))
	if a.others[len(a.others)-1] > a.mostOthers && a.mostOthers > 0 {
		return nil, store.ErrTooMany
	}
	for _, s := range list {
		for _, e := range a.events {
			from := s.From
			if e.Kind != ingest.KindPosition {
				from -= lead
			}
			if e.Vehicle == s.Vehicle && e.Time >= from && e.Time <= s.To {
				out[s.Vehicle] = append(out[s.Vehicle], store.ArchivedEvent{Event: e, Place: store.Place{Offset: e.Received}})
			}
		}
	}
	return out, nil
}

func (a *fakeArchive) ViolationsSince(_ context.Context, list []store.Since) (map[ingest.Vehicle][]store.Record, error) {
	out := map[ingest.Vehicle][]store.Record{}
	for _, s := range list {
		for _, o := range a.record {
			if o.Plate == s.Vehicle.Plate() && int64(o.Start) >= s.From {
				out[s.Vehicle] = append(out[s.Vehicle], store.Record{Violation: o})
			}
		}
	}
	return out, nil
}

func (a *fakeArchive) VisitsSince(context.Context, []store.Since) (map[ingest.Vehicle][]store.VisitRecord, error) {
	return nil, nil
}

func (a *fakeArchive) CardUses(_ context.Context, cards []string, from, to int64) (out []store.CardUse, err error) {
	for _, e := range a.events {
		if e.Kind == ingest.KindDriverCard && slices.Contains(cards, e.Driver.License) && e.Time >= from && e.Time <= to {
			out = append(out, store.CardUse{License: e.Driver.License, Vehicle: e.Vehicle, At: e.Time})
		}
	}
	return out, nil
}

func (a *fakeArchive) WeighedAt(_ context.Context, stations []string, from, to int64) (out []store.Weighed, err error) {
	for _, e := range a.events {
		if e.Kind == ingest.KindWeighing && slices.Contains(stations, e.Weighing.Station) && e.Time >= from && e.Time <= to {
			out = append(out, store.Weighed{Station: e.Weighing.Station, Vehicle: e.Vehicle, At: e.Time})
		}
	}
	return out, nil
}

func (a *fakeArchive) VehiclesAt(_ context.Context, scenes []store.Scene, _ int) ([][]ingest.Vehicle, error) {
	out := make([][]ingest.Vehicle, len(scenes))
	for i, b := range scenes {
		for _, e := range a.events {
			p := &e.Position
			if e.Kind == ingest.KindPosition && !slices.Contains(out[i], e.Vehicle) && e.Time >= b.From && e.Time <= b.To && p.Lat >= b.MinLat && p.Lat <= b.MaxLat && p.Lon >= b.MinLon && p.Lon <= b.MaxLon {
				out[i] = append(out[i], e.Vehicle)
			}
		}
	}
	return out, nil
}

func (a *fakeArchive) StopsAt(_ context.Context, scenes []store.Scene) (out []store.Stop, err error) {
	for _, x := range scenes {
		for _, v := range a.record {
			lat, lon := int32(*v.StartLat*1e6), int32(*v.StartLon*1e6)
			if v.Kind == detect.KindFenceStop && v.State != detect.StateRetracted && int64(v.Start) <= x.To && (v.End == nil || int64(*v.End) >= x.From) &&
				lat >= x.MinLat && lat <= x.MaxLat && lon >= x.MinLon && lon <= x.MaxLon {
				id, err := ingest.NewVehicle(v.Plate, v.Color)
				if err != nil {
					return nil, err
				}
				out = append(out, store.Stop{Vehicle: id, Start: int64(v.Start)})
			}
		}
	}
	return out, nil
}

func (a *fakeArchive) SegmentsSince(_ context.Context, list []store.Since) (map[ingest.Vehicle][]detect.DrivingSegment, error) {
	out := map[ingest.Vehicle][]detect.DrivingSegment{}
	for _, v := range list {
		for _, s := range a.segments {
			if s.Plate == v.Vehicle.Plate() && s.Cell >= v.From {
				out[v.Vehicle] = append(out[v.Vehicle], s)
			}
		}
	}
	return out, nil
}

func (a *fakeArchive) DriverTotals(_ context.Context, since int64, l store.DriverLimits) (out []store.DriverTotal, err error) {
	a.since = append(a.since, since)
	return a.totals, a.err
}

type fixedSnapshot struct{ snap *detect.Snapshot }

func (s *fixedSnapshot) Current() *detect.Snapshot { return s.snap }

// bench is a queue with all around it.
type bench struct {
	*queue
	t         *testing.T
	log       *fakeLog
	archive   *fakeArchive
	snapshot  *fixedSnapshot
	clock     time.Time
	committed []int64
	offset    int64
}

func vehicle(t *testing.T, plate string) ingest.Vehicle {
	t.Helper()
	v, err := ingest.NewVehicle(plate, 2)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newBench(t *testing.T, data *detect.ReferenceData, change func(*Config, *detect.Settings)) *bench {
	t.Helper()
	cfg, set := DefaultConfig(), detect.DefaultSettings()
	if change != nil {
		change(&cfg, &set)
	}
	snap, err := detect.Compile(data, set, "", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, log: &fakeLog{written: map[string][]bus.KeyedMessage{}}, archive: &fakeArchive{record: map[string]detect.Violation{}},
		snapshot: &fixedSnapshot{snap}, clock: time.UnixMilli(base)}
	r, err := New(cfg, b.log, b.archive, b.snapshot, Sinks{Events: "archive", Violations: "v", Visits: "w"}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	r.partitions, r.records, r.now = 1, 1, func() time.Time { return b.clock }
	r.inForce.is = snap.Digest + " " + snap.RuleVersion // for ever
	b.queue = &queue{Rechecker: r, waiting: map[ingest.Vehicle]*request{}, commit: func(_ context.Context, next map[int]int64) error {
		b.committed = append(b.committed, next[0])
		return nil
	}}
	return b
}

// ask puts messages on the topic.
func (b *bench) ask(messages ...any) {
	b.t.Helper()
	var batch []bus.Message
	for _, m := range messages {
		value, ok := m.(string)
		if !ok {
			text, err := json.Marshal(m)
			if err != nil {
				b.t.Fatal(err)
			}
			value = string(text)
		}
		batch = append(batch, bus.Message{Offset: b.offset, Value: []byte(value)})
		b.offset++
	}
	if err := b.take(b.t.Context(), batch); err != nil {
		b.t.Fatal(err)
	}
}

// after lets time go by.
func (b *bench) after(d time.Duration) {
	b.t.Helper()
	b.clock = b.clock.Add(d)
	if err := b.work(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// corrections are those that were written since the last call; they stand in the record then.
func (b *bench) corrections() (out []string) {
	b.t.Helper()
	for _, m := range b.log.written[worker.ViolationsTopic] {
		var v detect.Violation
		if err := json.Unmarshal(m.Value, &v); err != nil {
			b.t.Fatal(err)
		}
		if string(m.Key) != v.ID {
			b.t.Errorf("key %s of %s", m.Key, v.ID)
		}
		b.archive.record[v.ID] = v
		out = append(out, fmt.Sprintf("%s %s %s %d %s", v.State, v.Kind, v.Start.Std().Format("15:04:05"), v.Version, strings.Join(v.Notes, ",")))
	}
	b.log.written[worker.ViolationsTopic] = nil
	return out
}

// drive makes fixes 30 s apart from a time of 08:00:00 on, km/h.
func drive(v ingest.Vehicle, from int64, kmh ...float64) (out []ingest.Event) {
	for i, speed := range kmh {
		at := base + (from+int64(i)*30)*1000
		e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: at, Received: at}
		e.Position = ingest.Position{Lat: 35_500_000, Lon: 112_800_000 + int32((at-base)/1000*200), Located: true, ACC: true, Speed: uint16(speed * 10),
			RecorderSpeed: ingest.NoSpeed, Course: ingest.NoCourse, Altitude: ingest.NoAltitude, Mileage: ingest.NoMileage}
		out = append(out, e)
	}
	return out
}

func hazmat(v ...ingest.Vehicle) *detect.ReferenceData {
	d := &detect.ReferenceData{}
	for _, v := range v {
		d.Vehicles = append(d.Vehicles, detect.VehicleRecord{Vehicle: v, Class: detect.ClassHazmat})
	}
	return d
}

func late(v ingest.Vehicle, from, to, offset int64) worker.Recheck {
	return worker.Recheck{Plate: v.Plate(), Color: v.Color, From: base + from*1000, To: base + to*1000, Wide: true, Offset: offset, Clock: base + 600_000}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestWaitsForQuietAndForTheArchive(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, hazmat(v), nil)
	b.archive.events = drive(v, 0, 70, 90, 91, 70, 60)
	b.ask(late(v, 30, 60, 10))
	b.after(2 * time.Second)
	b.ask(late(v, 60, 90, 12)) // more comes: it must be quiet for three seconds
	b.after(2 * time.Second)
	if len(b.archive.asked) > 0 {
		t.Fatal("judged while more was coming")
	}
	b.after(time.Second)
	b.log.archived = 11
	b.after(time.Minute)
	if len(b.archive.asked) > 0 || len(b.committed) > 0 {
		t.Fatal("judged before all had reached the archive, or committed")
	}
	b.log.err = errors.New("the log is away")
	b.after(time.Second)
	b.log.err = nil
	b.log.archived = 12
	b.after(time.Second)
	same(t, "corrections", b.corrections(), []string{fmt.Sprintf("closed speeding 08:00:30 %d late_data", worker.CorrectionVersion(12))})
	if !slices.Equal(b.committed, []int64{2}) {
		t.Errorf("committed %v", b.committed)
	}
	f := b.archive.asked[0]
	if f.Vehicle != v || f.From != base+30_000-48*3600_000 || f.Before.Offset != 12 {
		t.Errorf("read %+v", f)
	}
	if n := testutil.ToFloat64(b.metrics.waiting); n != 0 {
		t.Errorf("%v wait", n)
	}
	// The same again: there is nothing to correct.
	b.ask(late(v, 30, 60, 12))
	b.after(3 * time.Second)
	same(t, "again", b.corrections(), nil)
	if !slices.Equal(b.committed, []int64{2, 3}) {
		t.Errorf("committed %v", b.committed)
	}
}

func TestDoesNotWaitForQuietForEver(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, hazmat(v), nil)
	b.log.archived = 1 << 40
	for i := range int64(70) {
		b.ask(late(v, i, i, i+1))
		b.clock = b.clock.Add(time.Second)
		if judged := len(b.archive.asked) > 0; judged != (i > 60) && i != 60 {
			t.Fatalf("after %d s of requests judged: %v", i, judged)
		}
	}
}

func TestRetractsAndAmendsWithItsReason(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, hazmat(v), nil)
	b.log.archived = 100
	// Live were heard 85 85 and 60 after a while; stored were slower ones between, and some of an earlier run.
	onTime := append(drive(v, 120, 85), drive(v, 180, 85, 60)...)
	live, _ := detect.Replay(b.snapshot.snap, slices.Clone(onTime), false)
	if len(live) != 1 {
		t.Fatalf("live are found %v", live)
	}
	live[0].Version = 5
	b.archive.record[live[0].ID] = live[0]
	b.archive.events = append(slices.Clone(onTime), drive(v, 150, 70)...)
	b.ask(late(v, 150, 150, 20))
	b.after(5 * time.Second)
	same(t, "disproved", b.corrections(), []string{fmt.Sprintf("retracted speeding 08:02:00 %d late_data", worker.CorrectionVersion(20))})

	b.archive.record[live[0].ID] = live[0]
	b.archive.events = append(slices.Clone(onTime), drive(v, 90, 86)...)
	b.ask(late(v, 90, 90, 21))
	b.after(5 * time.Second)
	version := worker.CorrectionVersion(21)
	same(t, "amended", b.corrections(), []string{fmt.Sprintf("closed speeding 08:01:30 %d late_data", version), fmt.Sprintf("retracted speeding 08:02:00 %d late_data,superseded", version)})
	if by := b.archive.record[live[0].ID].Detail["superseded_by"]; b.archive.record[fmt.Sprint(by)].State != detect.StateClosed {
		t.Errorf("superseded by %v", by)
	}
	// What the engine has written of later events stands until it is judged again in its turn.
	live[0].Version = worker.CorrectionVersion(22) + 1
	b.archive.record[live[0].ID] = live[0]
	b.ask(late(v, 90, 90, 22))
	b.after(5 * time.Second)
	same(t, "later", b.corrections(), nil)
}

func TestFailuresAreTriedAgain(t *testing.T) {
	v, w := vehicle(t, "晋E12345"), vehicle(t, "晋E99999")
	b := newBench(t, hazmat(v, w), func(c *Config, _ *detect.Settings) { c.Workers = 1 })
	b.archive.events = drive(v, 0, 70, 90, 91, 70, 60)
	b.log.archived = 100
	b.archive.err = errors.New("ClickHouse is away")
	b.ask(late(v, 0, 0, 1))
	b.after(3 * time.Second)
	b.archive.err = nil
	b.ask(late(w, 0, 0, 2)) // another one is not held up
	b.after(time.Second)
	if len(b.committed) > 0 || len(b.archive.asked) != 1 {
		t.Fatalf("committed %v, asked %d times", b.committed, len(b.archive.asked))
	}
	b.after(3 * time.Second)
	if got := b.corrections(); len(got) != 1 {
		t.Errorf("corrections %q", got)
	}
	if !slices.Equal(b.committed, []int64{1, 2}) || testutil.ToFloat64(b.metrics.judged.WithLabelValues("failed")) != 1 {
		t.Errorf("committed %v", b.committed)
	}
	// The log refuses the corrections: nothing is committed.
	b.archive.record = map[string]detect.Violation{}
	b.ask(late(v, 0, 0, 3))
	b.archive.err = nil
	real := b.log
	b.queue.log = &refusing{real}
	b.after(3 * time.Second)
	if !slices.Equal(b.committed, []int64{1, 2}) {
		t.Errorf("committed %v", b.committed)
	}
	b.queue.log = real
	b.after(time.Minute)
	if got := b.corrections(); len(got) != 1 || !slices.Equal(b.committed, []int64{1, 2, 3}) {
		t.Errorf("corrections %q, committed %v", got, b.committed)
	}
}

// refusing is a log that takes nothing.
type refusing struct{ *fakeLog }

func (refusing) WriteKeyed(context.Context, string, ...bus.KeyedMessage) error {
	return errors.New("no leader")
}

func TestBadMessagesArePassedOver(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, hazmat(v), nil)
	b.log.archived = 100
	b.ask("{", `{"plate":"晋E12345","color":"x"}`, `{"plate":"`+strings.Repeat("晋", 200)+`","color":2,"offset":1}`, late(v, 0, 0, 1))
	b.after(3 * time.Second)
	if n := testutil.ToFloat64(b.metrics.bad); n != 3 || len(b.archive.asked) != 1 || !slices.Equal(b.committed, []int64{3, 4}) {
		t.Errorf("%v bad, %d judged, committed %v", n, len(b.archive.asked), b.committed)
	}
}

func TestDriversOtherVehicles(t *testing.T) {
	v, w := vehicle(t, "晋E12345"), vehicle(t, "晋E99999")
	data := &detect.ReferenceData{}
	for _, x := range []ingest.Vehicle{v, w} {
		data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: x, Class: detect.ClassCoachLine})
	}
	b := newBench(t, data, func(_ *Config, s *detect.Settings) { s.FatigueDaily.LimitS = 600 })
	b.log.archived = 100
	card := func(v ingest.Vehicle, at int64) ingest.Event {
		return ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: base + at*1000, Received: base + at*1000, Driver: &ingest.DriverCard{On: true, License: "D1", Name: "甲"}}
	}
	six := []float64{0, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 60, 0} // 6 min
	b.archive.events = slices.Concat([]ingest.Event{card(w, 0)}, drive(w, 0, six...), []ingest.Event{card(v, 900)}, drive(v, 900, six...))
	r := late(v, 900, 930, 7)
	r.Clock = base + 3600_000
	b.ask(r)
	b.after(3 * time.Second)
	got := b.corrections()
	if len(got) != 1 || !strings.HasPrefix(got[0], "open fatigue_daily") {
		t.Errorf("the driver drove 6 min here and 6 min there, limit 10: %q", got)
	}
	// The other vehicle is asked for, and asks for nobody.
	asked := b.log.written[worker.RechecksTopic]
	if len(asked) != 1 || string(asked[0].Key) != w.String() {
		t.Fatalf("asked for %v", asked)
	}
	b.log.written[worker.RechecksTopic] = nil
	b.archive.asked = nil
	b.queue.place = worker.Recheck{}
	b.ask(string(asked[0].Value))
	b.after(time.Minute)
	if len(b.archive.asked) > 0 {
		t.Error("judged without knowing how far the engine has come")
	}
	b.ask(worker.Recheck{Offset: 9, Clock: base + 3600_000})
	b.after(time.Second)
	if len(b.archive.asked) == 0 || b.archive.asked[0].Vehicle != w || b.archive.asked[0].Before.Offset != 9 {
		t.Errorf("read %+v", b.archive.asked)
	}
	if n := len(b.log.written[worker.RechecksTopic]); n > 0 {
		t.Errorf("asked for %d more", n)
	}
}

// What other rules or places have found is not taken back by those of now, and what those of now would have found is not added: only what
// late data change is.
func TestOtherRulesAndPlacesStand(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, hazmat(v), func(_ *Config, s *detect.Settings) { s.NoWaybill.Enabled, s.GoneDark.Enabled = false, false })
	b.inForce.is = "others"
	b.log.archived = 100
	b.clock = time.UnixMilli(base + 3600_000)
	late50 := drive(v, 30, 50)[0]
	late50.Received = base + 900_000
	hidden := drive(v, 600, 90, 91)
	for i := range hidden {
		hidden[i].Received = base + 901_000
	}
	b.archive.events = slices.Concat(drive(v, 0, 85), drive(v, 60, 85, 60), []ingest.Event{late50}, // live it was one run, and was none
		drive(v, 300, 90, 91, 60),                    // the rules of now find it, with late data and without
		drive(v, 570, 60), hidden, drive(v, 660, 60), // the late data hold it
		drive(v, 1200, 70, 70, 70))
	at := func(id string, from int64, change func(*detect.Violation)) {
		o := detect.Violation{ID: id, Version: 1, State: detect.StateClosed, Kind: detect.KindSpeeding, Plate: v.Plate(), Color: 2, Start: detect.Time(base + from*1000),
			RuleVersion: "old", Notes: []string{}, Detail: map[string]any{}}
		end := o.Start + 30_000
		o.End = &end
		change(&o)
		b.archive.record[id] = o
	}
	live, _ := detect.Relive(b.snapshot.snap, slices.Clone(b.archive.events[:3]), base+600_000, v)
	if len(live) != 1 {
		t.Fatalf("live are found %v", live)
	}
	b.archive.record[live[0].ID] = live[0]
	at("stricter", 1200, func(*detect.Violation) {}) // a limit of then
	at("ours", 1260, func(o *detect.Violation) { o.Notes = []string{"late_data"} })
	at("long ago", -90000, func(*detect.Violation) {})
	at("known", 0, func(o *detect.Violation) { o.State = "retracted" })
	r := late(v, 30, 630, 5)
	r.Clock = base + 3600_000
	b.ask(r)
	b.after(3 * time.Second)
	version := worker.CorrectionVersion(5)
	got := b.corrections()
	slices.Sort(got)
	same(t, "corrections", got, []string{fmt.Sprintf("closed speeding 08:10:00 %d late_data", version), fmt.Sprintf("retracted speeding 08:00:00 %d late_data", version),
		fmt.Sprintf("retracted speeding 08:21:00 %d late_data", version)})
	if n := testutil.ToFloat64(b.metrics.left); n != 2 {
		t.Errorf("%v were left", n)
	}
	// Had they been in force for long, what they find would be right.
	b.inForce.since = 0
	b.ask(r)
	b.after(3 * time.Second)
	got = b.corrections()
	slices.Sort(got)
	same(t, "corrections", got, []string{fmt.Sprintf("closed speeding 08:05:00 %d late_data", version), fmt.Sprintf("retracted speeding 08:20:00 %d late_data", version)})
}

// A weighing that came late touches what weighings prove, and nothing else.
func TestNarrow(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHeavyTruck, Axles: 6, Combination: ingest.Yes}}}, nil)
	b.log.archived = 100
	b.archive.events = append(drive(v, 0, 120, 120, 120, 0), ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Time: base, Received: base,
		Weighing: &ingest.Weighing{Station: "S1", Record: "1", GrossKg: 61000, Method: ingest.MethodDynamic, Speed: ingest.NoSpeed}})
	r := late(v, 0, 0, 5)
	r.Wide = false
	b.ask(r)
	b.after(3 * time.Second)
	if got := b.corrections(); len(got) != 1 || !strings.HasPrefix(got[0], "closed overload") {
		t.Errorf("corrections %q", got)
	}
}

// A vehicle with more positions than may be read is judged by fewer hours, and corrected for fewer.
func TestTooManyPositions(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, hazmat(v), nil)
	b.log.archived = 100
	b.archive.tooMany = base - 10*3600_000
	b.archive.events = drive(v, 0, 70, 90, 91, 70, 60)
	b.ask(late(v, 0, 60, 5))
	b.after(3 * time.Second)
	if got := b.corrections(); len(got) != 1 || testutil.ToFloat64(b.metrics.shortened) != 3 {
		t.Errorf("corrections %q after %d tries", got, len(b.archive.asked))
	}
	b.archive.tooMany = 1 << 60
	b.ask(late(v, 0, 60, 5))
	b.after(3 * time.Second)
	if testutil.ToFloat64(b.metrics.judged.WithLabelValues("failed")) != 1 {
		t.Error("what can't be read at all is not reported")
	}
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"recheck.group":           func(c *Config) { c.Group = "" },
		"recheck.longest":         func(c *Config) { c.Longest = time.Second },
		"recheck.workers":         func(c *Config) { c.Workers = -1 },
		"recheck.share":           func(c *Config) { c.Share = 1.1 },
		"recheck.batch":           func(c *Config) { c.Batch = 0 },
		"recheck.timeout":         func(c *Config) { c.Timeout = 0 },
		"recheck.context":         func(c *Config) { c.Context = time.Hour },
		"recheck.sums_context":    func(c *Config) { c.SumsContext = 30 * time.Hour },
		"recheck.max_positions":   func(c *Config) { c.MaxPositions = 1 },
		"recheck.totals_interval": func(c *Config) { c.TotalsInterval = 0 },
		"recheck.max_others":      func(c *Config) { c.MaxOthers = -1 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// What was driven in a vehicle is corrected too, and only what is different.
func TestCorrectsDrivingSegments(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, &detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassCoachLine}}}, nil)
	b.log.archived = 100
	b.archive.events = append([]ingest.Event{{Kind: ingest.KindDriverCard, Vehicle: v, Time: base, Received: base, Driver: &ingest.DriverCard{On: true, License: "D1", Name: "甲"}}},
		drive(v, 0, 0, 60, 60, 60, 0, 0)...)
	b.archive.segments = []detect.DrivingSegment{{License: "D2", Name: "乙", Plate: v.Plate(), Color: 2, Cell: base, Start: base, End: base + 60_000, DrivenMs: 60_000, Version: 1}}
	b.ask(late(v, 30, 60, 5))
	b.after(3 * time.Second)
	var got []string
	for _, m := range b.log.written[worker.DrivingTopic] {
		var s detect.DrivingSegment
		if err := json.Unmarshal(m.Value, &s); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %d %v", s.License, s.DrivenMs, s.Version == worker.CorrectionVersion(5)))
	}
	same(t, "segments", got, []string{"D1 105000 true", "D2 0 true"})
}

// Who is over a limit in several vehicles is asked for when he has driven on, and when what he drove has left a sum.
func TestDriversOverALimitInSeveralVehicles(t *testing.T) {
	v, w := vehicle(t, "晋E12345"), vehicle(t, "晋E99999")
	b := newBench(t, hazmat(v, w), nil)
	s := totals{Rechecker: b.Rechecker, over: map[[2]string]*driverState{}}
	sum := func(clock int64) (out []string) {
		t.Helper()
		b.advance(base + clock)
		if err := s.sum(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, m := range b.log.written[worker.RechecksTopic] {
			var r worker.Recheck
			if err := json.Unmarshal(m.Value, &r); err != nil {
				t.Fatal(err)
			}
			if !r.Wide || !r.Linked || r.Offset != 0 || r.From != r.To-12*hour {
				t.Errorf("%+v", r)
			}
			out = append(out, fmt.Sprintf("%s %d", r.Plate, (r.To-base)/60_000))
		}
		b.log.written[worker.RechecksTopic] = nil
		return out
	}
	if err := s.sum(t.Context()); err != nil || len(b.archive.since) > 0 { // nothing is known of the stream yet
		t.Fatal(err, b.archive.since)
	}
	d := func(v ingest.Vehicle, end int64, over bool) store.DriverTotal {
		return store.DriverTotal{License: "D1", Name: "甲", Vehicle: v, Vehicles: 2, End: base + end*60_000, Over: over}
	}
	const minute = 60_000
	b.archive.totals = []store.DriverTotal{d(v, 0, false), {License: "D2", Vehicle: w, End: base}}
	same(t, "not over", sum(minute), nil)
	b.archive.totals[0] = d(v, 1, true)
	same(t, "over", sum(2*minute), []string{"晋E12345 1"})
	b.archive.totals[0] = d(v, 9, true)
	same(t, "drives on", sum(10*minute), nil)
	b.archive.err = errors.New("ClickHouse is away")
	b.advance(base + 12*minute)
	if err := s.sum(t.Context()); err == nil {
		t.Error("a sum that failed was not reported")
	}
	b.archive.err = nil
	b.archive.totals[0] = d(w, 12, true)
	same(t, "in another vehicle", sum(13*minute), []string{"晋E99999 12"})
	b.archive.totals = nil
	same(t, "25 min later", sum(40*minute), []string{"晋E99999 12"})
	same(t, "nothing new", sum(60*minute), nil)
	same(t, "12 h later", sum(13*hour), []string{"晋E99999 12"})
	same(t, "a day later", sum(26*hour), []string{"晋E99999 12"})
	same(t, "a week later", sum(9*24*hour), []string{"晋E99999 12"})
	same(t, "and no more", sum(10*24*hour), nil)
	if len(s.over) > 0 {
		t.Errorf("%d are remembered for ever", len(s.over))
	}
	if since := b.archive.since; since[0] != base+minute-7*24*hour || since[1] != base+minute-hour || since[3] != base+10*minute-hour || since[4] != since[3] {
		t.Errorf("asked since %v", since)
	}
}

// What a shadow finds is neither added nor taken back.
func TestShadowsAreLeftAlone(t *testing.T) {
	v := vehicle(t, "晋E12345")
	b := newBench(t, hazmat(v), func(_ *Config, s *detect.Settings) {
		tried := detect.DefaultSettings()
		tried.Speeding.SustainedS = 10
		s.Shadows = []detect.ShadowSettings{{Name: "stricter", Settings: tried}}
	})
	b.log.archived = 100
	b.archive.events = drive(v, 0, 70, 90, 91, 70, 60)
	found, _ := detect.Replay(b.snapshot.snap, slices.Clone(b.archive.events), true)
	if len(found) != 2 {
		t.Fatalf("found in force and in the shadow: %v", found)
	}
	gone := found[0]
	gone.ID, gone.Shadow, gone.Start = "of-a-shadow-that-is-gone", "older", gone.Start-60_000
	b.archive.record[gone.ID] = gone
	b.ask(late(v, 30, 60, 10))
	b.after(5 * time.Second)
	same(t, "corrections", b.corrections(), []string{fmt.Sprintf("closed speeding 08:00:30 %d late_data", worker.CorrectionVersion(10))})
}

// A waybill that a file brings late takes back what was found without it; what other kinds say stays as it is.
func TestPapersThatFilesBringLate(t *testing.T) {
	v, w := vehicle(t, "晋E12345"), vehicle(t, "晋E99999")
	data := hazmat(v, w)
	b := newBench(t, data, nil)
	b.log.archived = 100
	ten := make([]float64, 30)
	for i := range ten {
		ten[i] = 50
	}
	b.archive.events = drive(v, 0, append(ten, 90, 90, 50)...)
	found, _ := detect.Replay(b.snapshot.snap, slices.Clone(b.archive.events), false)
	for _, o := range found {
		if o.Kind == detect.KindNoWaybill {
			b.archive.record[o.ID] = o
		}
	}
	if len(found) != 2 || len(b.archive.record) != 1 {
		t.Fatalf("found %v", found)
	}
	b.clock = time.UnixMilli(base + 24*hour)
	data.Waybills = []detect.WaybillRecord{{Number: "W1", Vehicle: v, Start: base - 3600_000, End: base + 3600_000}, {Number: "W2", Vehicle: w, Start: base + 48*hour}}
	data.Filings = []detect.Filing{{Vehicle: w, Region: "140500", Start: base - 90*24*hour, End: base - 80*24*hour}}
	old := b.snapshot.snap
	snap, err := detect.Compile(data, detect.DefaultSettings(), "other", 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	b.snapshot.snap = snap
	if err := b.askForPapers(t.Context(), old, snap); err != nil {
		t.Fatal(err)
	}
	asked := b.log.written[worker.RechecksTopic]
	if len(asked) != 1 || string(asked[0].Key) != v.String() {
		t.Fatalf("asked for %v", asked)
	}
	if err := b.askForPapers(t.Context(), snap, snap); err != nil || len(b.log.written[worker.RechecksTopic]) != 1 {
		t.Error("asked again without a change")
	}
	b.ask(worker.Recheck{Offset: 7, Clock: base + 24*hour}, string(asked[0].Value))
	b.after(3 * time.Second)
	same(t, "corrections", b.corrections(), []string{fmt.Sprintf("retracted no_waybill 08:00:00 %d late_data", worker.CorrectionVersion(7))})

	// The same where positions come late at the same time: both are seen to, whichever is asked first.
	b.archive.events[31].Received = base + 23*hour // of the two fixes that speed the second
	r := late(v, 930, 930, 8)
	r.Clock = base + 24*hour
	for _, ask := range [][]any{{string(asked[0].Value), r}, {r, string(asked[0].Value)}} {
		clear(b.archive.record)
		for _, o := range found {
			if o.Kind == detect.KindNoWaybill {
				b.archive.record[o.ID] = o
			}
		}
		b.ask(ask...)
		b.after(3 * time.Second)
		got := b.corrections()
		slices.Sort(got)
		version := worker.CorrectionVersion(8)
		same(t, "both", got, []string{fmt.Sprintf("closed speeding 08:15:00 %d late_data", version), fmt.Sprintf("retracted no_waybill 08:00:00 %d late_data", version)})
	}
}
