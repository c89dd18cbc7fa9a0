package worker

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/detect"
	"lushao/ingest"
)

// Partitions add up; a station is told of once an hour, and only while its conflicts grow; stations that nobody knows share a label.
func TestStationFaults(t *testing.T) {
	var lines bytes.Buffer
	gauge := newMetrics(prometheus.NewRegistry()).stationFaults
	s := newStationFaults(slog.New(slog.NewTextHandler(&lines, nil)), gauge)
	now := time.UnixMilli(1777564800000)
	s.now = func() time.Time { return now }
	registered := func(station string) bool { return strings.HasPrefix(station, "S") }
	for i, c := range []struct {
		partition int
		counts    map[string]uint64
		later     time.Duration
		told      string
		gauge     string
	}{
		{0, nil, 0, "", "0 0 0"},
		{0, map[string]uint64{"S1": 4}, 0, "station=S1 conflicts=4 registered=true", "4 0 0"},
		{0, map[string]uint64{"S1": 5}, time.Minute, "", "5 0 0"},
		{1, map[string]uint64{"S1": 4, "S2": 4, "X": 4, "Y": 5}, 0, "station=S2 conflicts=4 registered=true station=X conflicts=4 registered=false station=Y conflicts=5 registered=false", "9 4 9"},
		{1, map[string]uint64{"S2": 4, "X": 4, "Y": 5}, time.Hour, "", "5 4 9"}, // cleared: no reason to tell
		{0, map[string]uint64{"S1": 6}, 0, "station=S1 conflicts=6 registered=true", "6 4 9"},
		{0, map[string]uint64{"S1": 7}, time.Hour - 1, "", "7 4 9"},
		{0, map[string]uint64{"S1": 8}, 1, "station=S1 conflicts=8 registered=true", "8 4 9"},
		{1, nil, 0, "", "8 0 0"},
		{0, nil, 0, "", "0 0 0"},
	} {
		now = now.Add(c.later)
		lines.Reset()
		s.set(c.partition, c.counts, registered)
		var told []string
		for line := range strings.Lines(lines.String()) {
			told = append(told, strings.TrimSpace(line[strings.Index(line, "station="):]))
		}
		got := fmt.Sprint(testutil.ToFloat64(gauge.WithLabelValues("S1")), testutil.ToFloat64(gauge.WithLabelValues("S2")), testutil.ToFloat64(gauge.WithLabelValues(unregistered)))
		if strings.Join(told, " ") != c.told || got != c.gauge {
			t.Errorf("step %d: told [%s], want [%s]; gauge %s, want %s", i, strings.Join(told, " "), c.told, got, c.gauge)
		}
	}
}

// Through the worker: four lorries are weighed where they can't be. It is in the metrics, also of the worker that follows, and nobody is
// accused.
func TestWorkerTellsOfStations(t *testing.T) {
	r := newRig(t)
	r.write("stations.csv", "id,name,lat,lon\nS1,北石店,35.5,112.8\n")
	var events []ingest.Event
	partition := hazmat.Partition(2)
	for n := 10000; len(events) < 8; n++ {
		v, _ := ingest.NewVehicle(fmt.Sprint("晋E", n), 2)
		if v.Partition(2) != partition {
			continue
		}
		e := fix(0, 0)
		e.Vehicle, e.Position.Lon = v, 113_200_000 // 36 km away
		w := ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Time: e.Time + 900_000, Received: e.Time + 900_000, Weighing: &ingest.Weighing{Station: "S1", Record: fmt.Sprint(n), Speed: ingest.NoSpeed}}
		events = append(events, e, w)
	}
	for _, batch := range [][]ingest.Event{events, {fix(1000, 0)}} { // a restart in between
		reg := prometheus.NewRegistry()
		stop := r.run(r.reference(reg, slog.New(slog.DiscardHandler)), reg)
		r.send(batch...)
		r.committed()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := ""
		for _, f := range families {
			if f.GetName() == "lushao_detect_station_faults" {
				found = fmt.Sprint(f.Metric[0].Label[0].GetValue(), " ", f.Metric[0].Gauge.GetValue())
			}
		}
		if found != "S1 4" {
			t.Errorf("the metrics say %q", found)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := testutil.CollectAndCount(reg, "lushao_detect_station_faults"); n != 0 {
			t.Errorf("a worker that ended still counts %d stations", n)
		}
	}
	last := map[string]detect.State{}
	for _, v := range r.violations() {
		if v.Kind == detect.KindPositionConflict {
			last[v.Plate] = v.State
		}
	}
	for plate, state := range last {
		if state != detect.StateRetracted {
			t.Errorf("%s is %s", plate, state)
		}
	}
}
