package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/embed/chengine"
)

// BenchmarkTrial asks over HTTP what ten new fences in a town would have found in a day of 2,000 vehicles that report every 30 s,
// 5.76 million positions in the embedded ClickHouse. Beside the time: the most memory of the process's heap, sampled.
func BenchmarkTrial(b *testing.B) {
	for _, vehicles := range []int{500, 2000} {
		b.Run(fmt.Sprint(vehicles), func(b *testing.B) { benchmarkTrial(b, vehicles) })
	}
}

func benchmarkTrial(b *testing.B, vehicles int) {
	cfg := chengine.DefaultConfig()
	cfg.DataDir, cfg.SyncWrites = b.TempDir(), false
	engine, err := chengine.Open(cfg)
	if err != nil {
		b.Fatalf("this benchmark needs the embedded ClickHouse: run make engine\n%v", err)
	}
	defer engine.Close(context.Background())
	st, err := store.Open(b.Context(), store.DefaultConfig(), engine)
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	const every, day = 30_000, 24 * 3600_000 // ms
	from := base - base%day
	positions := insertDay(b, st, vehicles, from, every, day)

	a := DefaultConfig()
	a.Tokens, a.Trial.MaxVehicles, a.Trial.MaxPositions, a.Trial.Timeout = []string{token}, vehicles, positions, time.Hour
	handler, _ := newPlacesWith(b, a, st)
	var features []string
	for i := range 10 {
		features = append(features, fence(fmt.Sprintf("NEW%d", i), 112+0.01*float64(i), 35))
	}
	body := trialBody("", features...)
	var in map[string]any
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		b.Fatal(err)
	}
	in["from"], in["to"] = time.UnixMilli(from).UTC().Format(time.RFC3339), time.UnixMilli(from+day).UTC().Format(time.RFC3339)
	text, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	var most atomic.Uint64
	stop := make(chan struct{})
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapAlloc))
			}
		}
	}()
	defer close(stop)
	runtime.GC()
	b.ReportAllocs()
	for b.Loop() {
		res, answer := do(b, handler, "POST", "/v1/reference/fences/trial", string(text))
		var out trialAnswer
		if err := json.Unmarshal([]byte(answer), &out); err != nil || res.StatusCode != 200 || out.LookedAt.Positions < positions*9/10 || len(out.Violations) == 0 {
			b.Fatalf("%d: %d positions of %d, %d violations; %.300s", res.StatusCode, out.LookedAt.Positions, positions, len(out.Violations), answer)
		}
		b.ReportMetric(float64(out.LookedAt.Positions), "positions")
		b.ReportMetric(float64(len(out.Violations)), "violations")
	}
	b.ReportMetric(float64(most.Load())/1e6, "peak-MB")
}

// insertDay lets vehicles drive to and fro through a town.
func insertDay(b *testing.B, st *store.Store, vehicles int, from, every, day int64) (n int) {
	r := rand.New(rand.NewPCG(21, 22))
	phase := make([]float64, vehicles)
	ids := make([]ingest.Vehicle, vehicles)
	for i := range phase {
		phase[i] = 2 * math.Pi * r.Float64()
		ids[i] = vehicle(b, fmt.Sprintf("晋E%05d", i), 2)
	}
	var block store.PositionBlock
	flush := func() {
		if err := st.Insert(b.Context(), &block); err != nil {
			b.Fatal(err)
		}
		block.Reset()
	}
	for t := from; t < from+day; t += every {
		for i := range ids {
			at := t + int64(i)*every/int64(vehicles)
			w := phase[i] + float64(at-from)/3600_000
			e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT808, Vehicle: ids[i], Time: at, Received: at + 1000}
			e.Position.Reset()
			e.Position.Lon, e.Position.Lat = int32(112e6+80e3*math.Cos(w)), int32(35e6+60e3*math.Sin(w)*math.Cos(phase[i]))
			e.Position.Speed, e.Position.Located, e.Position.ACC, e.Position.Status = 300, true, true, 3
			e.Position.Extras = []byte{1, 4, 0, 0, 48, 57, 0x30, 1, 31, 0x31, 1, 14}
			block.Add(&e, "ok", store.Place{Offset: int64(n)})
			if n++; n%50_000 == 0 {
				flush()
			}
		}
	}
	flush()
	return n
}
