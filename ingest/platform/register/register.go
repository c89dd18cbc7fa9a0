package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/platform"
)

// Topic is the compacted topic of the records, of one partition.
const Topic = "platform-vehicles"

// ErrFull is the error of a vehicle for which there is no room.
var ErrFull = errors.New("the register of the platforms' vehicles is full")

const (
	maxVehicles  = 2_000_000
	confirmEvery = 24 * time.Hour      // how often it is written that nothing has changed
	believedFor  = 30 * 24 * time.Hour // then another platform may take a vehicle over
)

// Register knows the vehicles. Every change is in the log before it shows. Its methods may be called at the same time.
type Register struct {
	pages platform.Pages
	log   *slog.Logger

	mu      sync.RWMutex
	records map[ingest.Vehicle]*Record // replaced, never changed
	version uint64
	limit   int
	writing [64]chan struct{} // by hash of the vehicle: one change of a vehicle at a time

	known  prometheus.Gauge
	writes prometheus.Counter
	bad    prometheus.Counter
	full   prometheus.Counter
}

// New makes an empty register; Load fills it.
func New(pages platform.Pages, log *slog.Logger, reg prometheus.Registerer) *Register {
	r := &Register{pages: pages, log: log, records: map[ingest.Vehicle]*Record{}, limit: maxVehicles,
		known:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_register_vehicles", Help: "Vehicles that platforms have made known."}),
		writes: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_register_writes_total", Help: "Records of the platforms' vehicles that were written because something changed."}),
		bad:    prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_register_bad_records_total", Help: "Records of the topic of the platforms' vehicles that can't be read; they are passed over."}),
		full:   prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_register_refused_vehicles_total", Help: "Vehicles of platforms for which there was no room."}),
	}
	reg.MustRegister(r.known, r.writes, r.bad, r.full)
	for i := range r.writing {
		r.writing[i] = make(chan struct{}, 1)
	}
	return r
}

// Load reads what the log holds.
func (r *Register) Load(ctx context.Context) error {
	return r.pages.Load(ctx, func(key, value []byte) error { r.take(key, value); return nil })
}

// Run follows what is written to the log until ctx ends. The last record of a vehicle in the log is the one that counts.
func (r *Register) Run(ctx context.Context) error {
	f, ok := r.pages.(platform.Follower)
	if !ok {
		<-ctx.Done()
		return nil
	}
	return f.Follow(ctx, func(key, value []byte) error { r.take(key, value); return nil })
}

func (r *Register) take(key, value []byte) {
	if len(value) == 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		for v := range r.records { // rare: nothing here deletes
			if v.String() == string(key) {
				delete(r.records, v)
				r.version++
				r.known.Set(float64(len(r.records)))
			}
		}
		return
	}
	n := new(Record)
	err := json.Unmarshal(value, n)
	var v ingest.Vehicle
	if err == nil {
		v, err = n.Vehicle()
	}
	if err == nil && v.String() != string(key) {
		err = errors.New("plate and color: not the key of the record")
	}
	if err == nil {
		err = n.check()
	}
	if err != nil {
		r.bad.Inc()
		r.log.Warn("a record of the platforms' vehicles can't be read; it is passed over", "key", fmt.Sprintf("%.80q", key), "err", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.store(v, n)
}

// check is for what other versions of the program, and others, have written.
func (r *Record) check() error {
	for _, t := range r.texts() {
		if clean(*t) != *t {
			return fmt.Errorf("%.40q: a text with control characters, or of more than %d bytes", *t, maxText)
		}
	}
	if r.Region != cleanRegion(r.Region) || r.Phone != cleanPhone(r.Phone) {
		return errors.New("region or phone: no digits")
	}
	if len(r.Routes) > maxRoutes {
		return fmt.Errorf("routes: %d; at most %d", len(r.Routes), maxRoutes)
	}
	for i := range r.Routes {
		route := &r.Routes[i]
		bad := func(p [2]int32) bool {
			return p[0] < -90_000_000 || p[0] > 90_000_000 || p[1] < -180_000_000 || p[1] > 180_000_000
		}
		if i > 0 && r.Routes[i-1].ID >= route.ID || len(route.Line) < 2 || len(route.Line) > maxPoints || !(route.WidthM > 0 && route.WidthM <= 255) || slices.ContainsFunc(route.Line, bad) ||
			clean(route.Name) != route.Name {
			return fmt.Errorf("routes: number %d is no line with a width", i+1)
		}
	}
	return nil
}

// store puts a record in. mu is held.
func (r *Register) store(v ingest.Vehicle, n *Record) {
	old := r.records[v]
	if old == nil && len(r.records) >= r.limit {
		r.full.Inc()
		return
	}
	r.records[v] = n
	if old == nil || !same(old, n) {
		r.version++
	}
	r.known.Set(float64(len(r.records)))
}

// Put notes what a platform says. It returns once a change is in the log; what was known already is not written.
//
// The platform that told of a vehicle first is believed, until it has not told of it for 30 days and another one does; what
// others say meanwhile fills what it leaves open.
func (r *Register) Put(ctx context.Context, report Report) error {
	v := report.Vehicle
	lock := r.writing[v.Hash()%uint64(len(r.writing))]
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return fmt.Errorf("register: %w", ctx.Err())
	}
	told := report.record()
	if _, err := told.Vehicle(); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	r.mu.RLock()
	old, room := r.records[v], len(r.records) < r.limit
	r.mu.RUnlock()
	n := told
	switch {
	case old == nil && !room:
		r.full.Inc()
		return ErrFull
	case old == nil:
	case old.Platform == told.Platform:
		n = old.merged(&told, true)
		if n.Confirmed = max(old.Confirmed, told.Confirmed); same(old, &n) && int64(n.Confirmed-old.Confirmed) < confirmEvery.Milliseconds() {
			return nil
		}
	case int64(told.Confirmed-old.Confirmed) > believedFor.Milliseconds(): // taken over
	default:
		if n = old.merged(&told, false); same(old, &n) {
			return nil
		}
	}
	value, err := json.Marshal(&n)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if err := r.pages.Write(ctx, []byte(v.String()), value); err != nil {
		return fmt.Errorf("register: the log does not take it: %w", err)
	}
	r.writes.Inc()
	r.mu.Lock()
	r.store(v, &n)
	r.mu.Unlock()
	return nil
}

// Known reports whether static data of the vehicle have come.
func (r *Register) Known(v ingest.Vehicle) bool {
	n, ok := r.Get(v)
	return ok && n.Static
}

// Get returns what is known of a vehicle. Its routes must not be changed.
func (r *Register) Get(v ingest.Vehicle) (Record, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if n := r.records[v]; n != nil {
		return *n, true
	}
	return Record{}, false
}

// Version changes with every change of what the records say.
func (r *Register) Version() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.version
}

// Records returns all records by plate and colour, and their version. Their routes must not be changed.
func (r *Register) Records() ([]Record, uint64) {
	r.mu.RLock()
	out := make([]Record, 0, len(r.records))
	for _, n := range r.records {
		out = append(out, *n)
	}
	version := r.version
	r.mu.RUnlock()
	slices.SortFunc(out, func(a, b Record) int {
		if c := strings.Compare(a.Plate, b.Plate); c != 0 {
			return c
		}
		return int(a.Color) - int(b.Color)
	})
	return out, version
}
