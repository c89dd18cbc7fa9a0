package recheck

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/bus"
	"lushao/internal/embed/chengine"
)

const (
	benchPartitions = 4
	benchEvery      = 30_000 // ms between two positions of a vehicle
	benchFrom       = base - 8*hour
)

// BenchmarkRecheck is an outage of a platform: its vehicles, which report every 30 s, have a day in the embedded ClickHouse, the four hours
// from 10:00 to 14:00 of which came at 14:00, and are all asked for at once. Each tenth is a coach whose driver has a card.
func BenchmarkRecheck(b *testing.B) {
	cfg := chengine.DefaultConfig()
	cfg.DataDir, cfg.SyncWrites = b.TempDir(), false
	engine, err := chengine.Open(cfg)
	if err != nil {
		b.Fatalf("this benchmark needs the embedded ClickHouse: run make engine\n%v", err)
	}
	defer engine.Close(context.Background())
	for _, vehicles := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(vehicles), func(b *testing.B) { benchmarkRecheck(b, engine, vehicles) })
	}
}

func benchmarkRecheck(b *testing.B, engine *chengine.Engine, vehicles int) {
	c := store.DefaultConfig()
	c.Database = fmt.Sprint("bench_", vehicles)
	st, err := store.Open(b.Context(), c, engine)
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	data := &detect.ReferenceData{}
	ids := make([]ingest.Vehicle, vehicles)
	for i := range ids {
		if ids[i], err = ingest.NewVehicle(fmt.Sprintf("晋E%05d", i), 2); err != nil {
			b.Fatal(err)
		}
		class := detect.ClassHeavyTruck
		if i%10 == 9 {
			class = detect.ClassCoachLine
		}
		data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: ids[i], Class: class, Axles: 6, Combination: ingest.Yes})
	}
	insertOutage(b, st, ids)
	snap, err := detect.Compile(data, detect.DefaultSettings(), "", 1, 1)
	if err != nil {
		b.Fatal(err)
	}
	log := &countingLog{}
	r, err := New(DefaultConfig(), log, st, &fixedSnapshot{snap}, Sinks{Events: "archive", Violations: "v", Visits: "w"}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	r.partitions, r.records = benchPartitions, benchPartitions
	r.inForce.is = snap.Digest + " " + snap.RuleVersion // for ever
	messages := make([][]bus.Message, benchPartitions)
	for i := range ids {
		ask := worker.Recheck{Plate: ids[i].Plate(), Color: ids[i].Color, From: benchFrom + 10*hour, To: benchFrom + 14*hour, Wide: true, Offset: 1 << 40, Clock: benchFrom + 24*hour}
		text, err := json.Marshal(&ask)
		if err != nil {
			b.Fatal(err)
		}
		p := ids[i].Partition(benchPartitions)
		messages[p] = append(messages[p], bus.Message{Partition: p, Offset: int64(len(messages[p])), Value: text})
	}
	var peak atomic.Uint64
	stop := make(chan struct{})
	defer close(stop)
	go sampleHeap(&peak, stop)
	runtime.GC()
	b.ResetTimer()
	for range b.N {
		var clock atomic.Int64
		r.now = func() time.Time { return time.UnixMilli(base + 48*hour + clock.Load()) }
		var all sync.WaitGroup
		for p := range messages {
			if len(messages[p]) == 0 {
				continue
			}
			q := &queue{Rechecker: r, partition: p, waiting: map[ingest.Vehicle]*request{}, commit: func(context.Context, map[int]int64) error { return nil }}
			if err := q.take(b.Context(), messages[p]); err != nil {
				b.Fatal(err)
			}
			all.Go(func() {
				for len(q.waiting) > 0 && !b.Failed() {
					clock.Add(10_000)
					if err := q.work(b.Context()); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
	}
	b.ReportMetric(float64(vehicles*b.N)/b.Elapsed().Seconds(), "vehicles/s")
	b.ReportMetric(float64(log.records.Load())/float64(b.N), "corrections")
	b.ReportMetric(float64(peak.Load())/1e6, "peak-MB")
}

// countingLog has everything archived and counts what is written.
type countingLog struct {
	fakeLog
	records atomic.Int64
}

func (l *countingLog) CommittedOffsets(context.Context, string, string) (map[int]int64, error) {
	out := map[int]int64{}
	for p := range benchPartitions {
		out[p] = math.MaxInt64
	}
	return out, nil
}

func (l *countingLog) Bounds(context.Context, string) (first, next map[int]int64, err error) {
	return map[int]int64{}, map[int]int64{}, nil
}

func (l *countingLog) WriteKeyed(_ context.Context, topic string, messages ...bus.KeyedMessage) error {
	if topic == worker.ViolationsTopic {
		l.records.Add(int64(len(messages)))
	}
	return nil
}

func sampleHeap(peak *atomic.Uint64, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
		}
	}
}

// insertOutage lets vehicles drive to and fro for a day, too fast at times, with a weighing each and the cards of coaches.
func insertOutage(b *testing.B, st *store.Store, ids []ingest.Vehicle) {
	r := rand.New(rand.NewPCG(21, 22))
	phase := make([]float64, len(ids))
	for i := range phase {
		phase[i] = 2 * math.Pi * r.Float64()
	}
	var blocks store.EventBlocks
	n := 0
	add := func(e *ingest.Event) {
		e.Source, e.Received = ingest.SourceJT809, e.Time+1000
		if benchFrom+10*hour <= e.Time && e.Time < benchFrom+14*hour {
			e.Received = benchFrom + 14*hour
		}
		if err := blocks.Add(e, "ok", store.Place{Partition: e.Vehicle.Partition(benchPartitions), Offset: int64(n)}); err != nil {
			b.Fatal(err)
		}
		n++
	}
	flush := func() {
		for _, x := range blocks.All() {
			if err := st.Insert(b.Context(), x); err != nil {
				b.Fatal(err)
			}
			x.Reset()
		}
	}
	for at := benchFrom; at < benchFrom+24*hour; at += benchEvery {
		for i, v := range ids {
			since := at - benchFrom
			if since == 6*hour && i%10 == 9 {
				add(&ingest.Event{Kind: ingest.KindDriverCard, Vehicle: v, Time: at, Driver: &ingest.DriverCard{On: true, License: fmt.Sprint("D", i), Name: "甲"}})
			}
			if since == 12*hour {
				add(&ingest.Event{Kind: ingest.KindWeighing, Vehicle: v, Time: at + 1, Weighing: &ingest.Weighing{Station: "S1", Record: fmt.Sprint(i), GrossKg: 61_000, Method: ingest.MethodDynamic, Speed: ingest.NoSpeed}})
			}
			e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: at + int64(i)*benchEvery/int64(len(ids))}
			e.Position.Reset()
			w := phase[i] + float64(since)/float64(hour)/3
			e.Position.Lon, e.Position.Lat = int32(112e6+80e3*math.Cos(w)), int32(35e6+60e3*math.Sin(w)*math.Cos(phase[i]))
			e.Position.Located, e.Position.ACC, e.Position.Status = true, true, 3
			if (since/hour+int64(i))%5 != 0 { // else it rests for an hour
				e.Position.Speed = 300
				if r.IntN(3000) == 0 {
					e.Position.Speed = 900
				}
			}
			e.Position.Extras = []byte{1, 4, 0, 0, 48, 57, 0x30, 1, 31, 0x31, 1, 14}
			add(&e)
		}
		if blocks.Positions.Rows() >= 50_000 {
			flush()
		}
	}
	flush()
}
