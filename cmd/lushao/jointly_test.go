package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/bus"
)

// Eight trucks stand in a tunnel behind an accident, two in each partition of the log: no engine knows of enough of them to see a jam. One more
// stands alone in another tunnel. In the end the record is that of a replay, in which all are judged together: only the last is to blame.
func TestAJamAcrossPartitions(t *testing.T) {
	c := testConfig(t.TempDir())
	c.Recheck.Quiet, c.Recheck.Longest = 300*time.Millisecond, 5*time.Second
	data := &detect.ReferenceData{Fences: []detect.Fence{
		{ID: "T1", Kind: detect.FenceNoStop, Geometry: orb.Point{112.8, 35.5}, RadiusM: 1000},
		{ID: "T2", Kind: detect.FenceNoStop, Geometry: orb.Point{113.8, 35.5}, RadiusM: 1000}}}
	var fleet []ingest.Vehicle
	in := make([]int, c.Topics.Partitions)
	for n := 0; len(fleet) < 2*c.Topics.Partitions; n++ {
		v, err := ingest.NewVehicle(fmt.Sprintf("晋E%05d", n), 2)
		if err != nil {
			t.Fatal(err)
		}
		if p := v.Partition(c.Topics.Partitions); in[p] < 2 {
			in[p]++
			fleet = append(fleet, v)
		}
	}
	alone, err := ingest.NewVehicle("晋EALONE", 2)
	if err != nil {
		t.Fatal(err)
	}
	fleet = append(fleet, alone)
	for _, v := range fleet {
		data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: v, Class: detect.ClassHeavyTruck})
	}
	if err := reference.Write(c.Reference.Dir, data); err != nil {
		t.Fatal(err)
	}
	a, stop := startApp(t, c)
	ctx := t.Context()
	producer, err := a.bus.NewProducer(ctx, worker.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 5, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600)).UnixMilli()
	write := func(from, to int64) { // in minutes
		t.Helper()
		var ack bus.Ack
		for s := from * 60; s < to*60; s += 30 {
			for _, v := range fleet {
				e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: begin + s*1000, Received: begin + s*1000, Source: ingest.SourceJT808}
				e.Position.Reset()
				e.Position.Lat, e.Position.Lon, e.Position.Located, e.Position.ACC, e.Position.Speed = 35_500_000, 112_800_000, true, true, 0
				if v == alone {
					e.Position.Lon += 1_000_000
				}
				if s >= 20*60 { // the road is free
					e.Position.Speed, e.Position.Lat = 600, e.Position.Lat+int32(s-20*60)*150
				}
				if err := producer.Append(ctx, v.Partition(producer.Partitions()), ingest.AppendEvent(nil, &e), &ack); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := ack.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		for range 3 { // requests come before corrections, and these before they are stored; the next requests come after
			caughtUpGroups(t, a.cfg.Bus.Brokers, "", [2]string{worker.Group, worker.EventsTopic}, [2]string{"archive", worker.EventsTopic},
				[2]string{"recheck", worker.RechecksTopic}, [2]string{"violations-sink", worker.ViolationsTopic})
		}
	}
	blamed := func() (plates []string) {
		for _, v := range allViolations(t, "http://"+a.http.Addr().String()) {
			if v.Kind == detect.KindFenceStop {
				plates = append(plates, v.Plate+" "+string(v.State))
			}
		}
		return plates
	}
	write(0, 15)
	if got := blamed(); !slices.Equal(got, []string{"晋EALONE open"}) {
		t.Errorf("while they stand %v are blamed", got)
	}
	write(15, 25) // the engines write the end of what they think they know
	if got := blamed(); !slices.Equal(got, []string{"晋EALONE closed"}) {
		t.Errorf("when they have gone %v are blamed", got)
	}
	if err := producer.Close(ctx); err != nil {
		t.Fatal(err)
	}
	page, err := a.store.ListViolations(ctx, store.ViolationFilter{States: []detect.State{detect.StateRetracted}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Violations {
		if v := &page.Violations[i]; !slices.Contains(v.Notes, detect.NoteJointly) {
			t.Errorf("%s of %s was retracted with %v", v.Kind, v.Plate, v.Notes)
		}
	}
	if len(page.Violations) != 2*c.Topics.Partitions {
		t.Errorf("%d were blamed for a while: the test proves little", len(page.Violations))
	}
	dump := dumpEvents(t, a)
	found := allViolations(t, "http://"+a.http.Addr().String())
	stop()
	var replayed bytes.Buffer
	if err := replay(nil, &replayed, io.Discard, replayOptions{dir: c.Reference.Dir}, []string{dump}); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for i := range found {
		got = append(got, keyOf(&found[i]))
	}
	for _, v := range violationsOf(t, replayed.Bytes()) {
		want = append(want, keyOf(&v))
	}
	sameSets(t, "record", got, want)
}
