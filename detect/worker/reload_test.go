package worker

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/ingest"
)

// drawFences writes a reference directory with n fences of 20 vertices in 200 towns.
func drawFences(t testing.TB, n int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(11, 12))
	towns := make([]orb.Point, 200)
	for i := range towns {
		towns[i] = orb.Point{105 + 15*r.Float64(), 25 + 15*r.Float64()}
	}
	kinds := []detect.FenceKind{detect.FenceForbidden, detect.FenceSpeed, detect.FenceNoStop, detect.FenceRegion}
	data := &detect.ReferenceData{}
	for i := range n {
		town := towns[r.IntN(len(towns))]
		c := orb.Point{town[0] + 0.1*r.NormFloat64(), town[1] + 0.1*r.NormFloat64()}
		ring := make(orb.Ring, 0, 21)
		for k := range 20 {
			a, far := 2*math.Pi*float64(k)/20, 0.001+0.002*r.Float64()
			ring = append(ring, orb.Point{math.Round((c[0]+far*math.Cos(a))*1e6) / 1e6, math.Round((c[1]+far*math.Sin(a))*1e6) / 1e6})
		}
		f := detect.Fence{ID: fmt.Sprintf("F%06d", i), Kind: kinds[i%len(kinds)], Geometry: orb.Polygon{append(ring, ring[0])}}
		if f.Kind == detect.FenceSpeed {
			f.SpeedLimit = 600
		}
		data.Fences = append(data.Fences, f)
	}
	dir := t.TempDir()
	if err := reference.Write(dir, data); err != nil {
		t.Fatal(err)
	}
	return dir
}

// judge is a detector at full load: it judges one batch after another and notes how long each takes.
type judge struct {
	r      *Reference
	engine *detect.Engine
	events []ingest.Event
	at     int
	took   [2][]time.Duration // without and with a reload going on
	use    time.Duration      // longest Use of a new snapshot
	phase  atomic.Int32       // of took
	stop   atomic.Bool
	done   chan struct{}
}

func startJudge(t testing.TB, r *Reference, vehicles int) *judge {
	t.Helper()
	rnd := rand.New(rand.NewPCG(13, 14))
	fences := r.Data().Fences
	j := &judge{r: r, engine: detect.New(r.Current()), done: make(chan struct{})}
	for i := range j.took {
		j.took[i] = make([]time.Duration, 0, 1<<19)
	}
	for i := range vehicles {
		v, err := ingest.NewVehicle(fmt.Sprintf("晋E%05d", i), 2)
		if err != nil {
			t.Fatal(err)
		}
		c := fences[rnd.IntN(len(fences))].Geometry.(orb.Polygon)[0][0]
		e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: 1777593600000}
		e.Position.Reset()
		e.Position.Lat, e.Position.Lon, e.Position.Speed, e.Position.Located = int32(c[1]*1e6), int32(c[0]*1e6), 500, true
		e.Received = e.Time
		j.events = append(j.events, e)
	}
	go j.run()
	return j
}

func (j *judge) run() {
	defer close(j.done)
	for !j.stop.Load() {
		var use time.Duration // the next batch waits for it
		if snap := j.r.Current(); snap != j.engine.Snapshot() {
			start := time.Now()
			j.engine.Use(snap)
			use = time.Since(start)
			j.use = max(j.use, use)
		}
		part := j.events[j.at:min(j.at+batchEvents, len(j.events))]
		for i := range part {
			e := &part[i]
			e.Time += 10_000
			e.Received = e.Time
			e.Position.Lat += int32(j.at%7-3) * 100
		}
		took := &j.took[j.phase.Load()]
		start := time.Now()
		j.engine.Process(part, 1)
		if len(*took) < cap(*took) {
			*took = append(*took, use+time.Since(start))
		}
		if j.at += batchEvents; j.at >= len(j.events) {
			j.at = 0
		}
	}
}

// end stops the judge and waits for it.
func (j *judge) end() {
	j.stop.Store(true)
	<-j.done
}

func newLoaded(t testing.TB, dir string) *Reference {
	t.Helper()
	cfg := DefaultReferenceConfig()
	cfg.Dir = dir
	r := NewReference(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err := r.Load(); err != nil {
		t.Fatal(err)
	}
	return r
}

// A reload while batches are judged: the engine goes over to the new snapshot, and goes on judging all the while.
func TestReloadUnderLoad(t *testing.T) {
	r := newLoaded(t, drawFences(t, 2000))
	first := r.Current()
	j := startJudge(t, r, 2000)
	for range 3 {
		if err := r.Load(); err != nil {
			t.Error(err)
		}
	}
	last := r.Current()
	j.end()
	if last == first || last.Fences() != 2000 || last.Generation() != first.Generation()+3 {
		t.Errorf("generation %d after %d, %d fences", last.Generation(), first.Generation(), last.Fences())
	}
	if n := len(j.took[0]); n == 0 || j.engine.Vehicles() != min(2000, n*batchEvents) {
		t.Errorf("%d batches, %d vehicles", n, j.engine.Vehicles())
	}
}

// How long batches and loads took is exported, so that an operator sees a stall and what it coincides with.
func TestBatchesAndLoadsAreTimed(t *testing.T) {
	r := newRig(t)
	reg := prometheus.NewRegistry()
	count := func(name string) uint64 {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == name {
				return f.GetMetric()[0].GetHistogram().GetSampleCount()
			}
		}
		t.Fatalf("no metric %s", name)
		return 0
	}
	ref := r.reference(reg, slog.New(slog.DiscardHandler))
	stop := r.run(ref, reg)
	r.send(fix(0, 50), fix(30, 50), fix(60, 50))
	r.committed()
	if n := count("lushao_detect_batch_seconds"); n < 1 || n > 3 {
		t.Errorf("%d batches of 3 events", n)
	}
	r.write("fences.geojson", "{")
	if err := ref.Load(); err == nil {
		t.Error("loaded what is no JSON")
	}
	if n := count("lushao_reference_load_seconds"); n != 2 {
		t.Errorf("%d loads timed of 2", n)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// BenchmarkReload loads and compiles 100,000 fences while a detector judges batches of 256 positions as fast as it can. The aim is that
// no batch takes 20 ms. After each reload the same time passes without one: what quiet- says is what the machine itself adds, in
// the same run.
func BenchmarkReload(b *testing.B) {
	r := newLoaded(b, drawFences(b, 100_000))
	j := startJudge(b, r, 20_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		j.phase.Store(1)
		if err := r.Load(); err != nil {
			b.Fatal(err)
		}
		j.phase.Store(0)
		b.StopTimer()
		time.Sleep(time.Since(start)) // nothing to wait for: a time without a reload is what is measured
		b.StartTimer()
	}
	runtime.ReadMemStats(&after)
	j.end()
	for i, name := range []string{"quiet-", ""} {
		took := j.took[i]
		slices.Sort(took)
		var sum time.Duration
		for _, d := range took {
			sum += d
		}
		b.ReportMetric(float64(took[len(took)-1])/1e6, name+"longest-ms")
		b.ReportMetric(float64(took[len(took)*999/1000])/1e6, name+"p99.9-ms")
		b.ReportMetric(float64(len(took)*batchEvents)/sum.Seconds(), name+"positions/s")
	}
	b.ReportMetric(float64(j.use)/1e6, "switch-ms")
	b.ReportMetric(float64(after.NumGC-before.NumGC)/float64(b.N), "gc/op")
}
