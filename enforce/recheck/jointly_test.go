package recheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/ingest"
)

// alone puts into the record what an engine finds of each vehicle that knows of no other.
func (b *bench) alone(vehicles ...ingest.Vehicle) {
	b.t.Helper()
	for _, v := range vehicles {
		events := slices.DeleteFunc(slices.Clone(b.archive.events), func(e ingest.Event) bool { return e.Vehicle != v })
		found, _ := detect.Replay(b.snapshot.snap, events, false)
		for _, o := range found {
			b.archive.record[o.ID] = o
		}
	}
}

// asked takes what was written to the topic of rechecks, and says it.
func (b *bench) asked() (messages []any, names []string) {
	b.t.Helper()
	for _, m := range b.log.written[worker.RechecksTopic] {
		var r worker.Recheck
		if err := json.Unmarshal(m.Value, &r); err != nil {
			b.t.Fatal(err)
		}
		if !r.Linked || r.Wide || r.Why != worker.WhyJointly {
			b.t.Errorf("asked: %s", m.Value)
		}
		messages, names = append(messages, r), append(names, r.Plate)
	}
	b.log.written[worker.RechecksTopic] = nil
	slices.Sort(names)
	return messages, names
}

// stands lists the vehicles that a kind is held against.
func (b *bench) stands(kind detect.Kind) (plates []string) {
	for _, v := range b.archive.record {
		if v.Kind == kind && v.State != detect.StateRetracted {
			plates = append(plates, v.Plate)
		}
	}
	slices.Sort(plates)
	return plates
}

func joint(v ingest.Vehicle, from, offset int64) worker.Recheck {
	return worker.Recheck{Plate: v.Plate(), Color: v.Color, From: base + from*1000, To: base + from*1000, Why: worker.WhyJointly, Offset: offset, Clock: base + 3*hour}
}

// A station whose place is wrong is contradicted by every vehicle. Engines that know a few of them each accuse these; judged again with all, the
// fourth shows that the station is at fault, and the three before are no longer accused.
func TestAStationAtFaultAcrossPartitions(t *testing.T) {
	for n, want := range map[int]int{3: 3, 4: 0, 6: 0} {
		data := &detect.ReferenceData{Stations: []detect.Station{{ID: "S1", Lat: 35_900_000, Lon: 112_800_000, TolerancePct: -1, SizeToleranceMm: -1}}}
		var fleet []ingest.Vehicle
		var events []ingest.Event
		for i := range n {
			v := vehicle(t, fmt.Sprintf("晋E%05d", i+1))
			fleet = append(fleet, v)
			data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: v, Class: detect.ClassHeavyTruck, Axles: 6, Combination: ingest.Yes})
			at := base + int64(i+1)*300_000
			events = append(events, drive(v, int64(i+1)*300-60, 40, 40, 40, 40, 40)...)
			events = append(events, ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Time: at, Received: at,
				Weighing: &ingest.Weighing{Station: "S1", Record: fmt.Sprint(i), GrossKg: 30_000, Method: ingest.MethodDynamic, Speed: ingest.NoSpeed}})
		}
		b := newBench(t, data, nil)
		b.log.archived = 1000
		for i, v := range fleet { // one after the other, as they are weighed
			b.archive.events = slices.DeleteFunc(slices.Clone(events), func(e ingest.Event) bool { return e.Time > base+int64(i+1)*300_000+100_000 })
			b.alone(v)
			b.ask(joint(v, int64(i+1)*300, int64(i+1)))
			b.after(3 * time.Second)
			for range 2 { // what is asked for then asks for nobody
				b.corrections()
				more, names := b.asked()
				if i == 3 && len(names) > 0 && !slices.Equal(names, []string{"晋E00001", "晋E00002", "晋E00003"}) {
					t.Errorf("%d vehicles: asked for %v", n, names)
				}
				if len(more) > 0 {
					b.place = worker.Recheck{Offset: int64(i + 1), Clock: base + 3*hour}
					b.ask(more...)
					b.after(3 * time.Second)
				}
			}
		}
		if got := b.stands(detect.KindPositionConflict); len(got) != want {
			t.Errorf("of %d vehicles %v are accused, want %d", n, got, want)
		}
		for _, v := range b.archive.record {
			if v.State == detect.StateRetracted && !slices.Equal(v.Notes, []string{detect.NoteJointly}) {
				t.Errorf("retracted with %v", v.Notes)
			}
		}
	}
}

// Vehicles stand in a tunnel behind an accident. What one of them reports only when it is out of it shows that they were enough for a jam:
// nobody is blamed.
func TestAJamThatLateDataShow(t *testing.T) {
	data := &detect.ReferenceData{Fences: []detect.Fence{{ID: "T", Kind: detect.FenceNoStop, Geometry: orb.Point{112.8, 35.5}, RadiusM: 2000}}}
	b := newBench(t, data, nil)
	b.log.archived = 1000
	var fleet []ingest.Vehicle
	for i := range 5 {
		v := vehicle(t, fmt.Sprintf("晋E%05d", i+1))
		fleet = append(fleet, v)
		track := drive(v, int64(i), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 60)
		for j := range track {
			p := &track[j].Position
			p.Lon = 112_800_000 + int32(max(0, j-19))*3000
			if i == 4 {
				p.Lat += 50_000 // far from the tunnel
			}
			if i == 3 {
				track[j].Received = base + hour
			}
		}
		b.archive.events = append(b.archive.events, track...)
	}
	b.alone(fleet...)
	same(t, "blamed by engines that know of nobody else", b.stands(detect.KindFenceStop), []string{"晋E00001", "晋E00002", "晋E00003", "晋E00004"})
	delete(b.archive.record, func() string {
		for id, v := range b.archive.record {
			if v.Plate == "晋E00004" {
				return id
			}
		}
		return ""
	}()) // nothing of it was heard
	r := late(fleet[3], 0, 640, 7)
	r.Clock = base + 3*hour
	b.ask(r)
	b.after(3 * time.Second)
	b.corrections()
	more, names := b.asked()
	same(t, "asked for", names, []string{"晋E00001", "晋E00002", "晋E00003"})
	b.place = worker.Recheck{Offset: 7, Clock: base + 3*hour}
	b.ask(more...)
	b.after(3 * time.Second)
	if got := b.corrections(); len(got) != 3 || !strings.Contains(got[0], "retracted fence_stop") {
		t.Errorf("corrections %v", got)
	}
	if got := b.stands(detect.KindFenceStop); len(got) != 0 {
		t.Errorf("blamed in the end: %v", got)
	}
	if more, _ := b.asked(); len(more) > 0 {
		t.Errorf("asked again: %v", more)
	}
}
