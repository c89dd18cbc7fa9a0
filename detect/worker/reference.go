package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/reference/edit"
)

// ReferenceConfig says where the reference directory is.
type ReferenceConfig struct {
	Dir  string        `yaml:"dir"`
	Poll time.Duration `yaml:"poll"` // how often the files are looked at for a change
	// Versions is how many versions of the places are kept, in the directory's folder .history.
	Versions int `yaml:"versions"`
}

// DefaultReferenceConfig returns the usual settings; the directory is the caller's to give.
func DefaultReferenceConfig() ReferenceConfig {
	return ReferenceConfig{Poll: 2 * time.Second, Versions: 1000}
}

// Validate names the first setting that can't be used.
func (c *ReferenceConfig) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("reference.dir: empty; give the folder with vehicles.csv, fences.geojson and the other files")
	case c.Poll < 100*time.Millisecond:
		return fmt.Errorf("reference.poll: %v; at least 100ms", c.Poll)
	case c.Versions < edit.MinKeep:
		return fmt.Errorf("reference.versions: %d; at least %d", c.Versions, edit.MinKeep)
	}
	return nil
}

// Reference is the reference directory as it is now: loaded, compiled, and loaded again when it changes. A change that has
// errors is logged and counted, and what was in force stays in force.
type Reference struct {
	cfg     ReferenceConfig
	log     *slog.Logger
	current atomic.Pointer[detect.Snapshot]
	data    atomic.Pointer[detect.ReferenceData]
	info    *reference.Info
	number  uint32 // of the last snapshot
	seen    string // the last directory's digest that could not be loaded, so that it is reported once
	changed []func(*detect.ReferenceData)

	reloads *prometheus.CounterVec
	loaded  prometheus.Gauge
	records *prometheus.GaugeVec
}

// NewReference makes a Reference without data. onChange functions are called with every new data, from Load and Run, one
// after another.
func NewReference(cfg ReferenceConfig, log *slog.Logger, reg prometheus.Registerer, onChange ...func(*detect.ReferenceData)) *Reference {
	r := &Reference{cfg: cfg, log: log, changed: onChange,
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_reference_loads_total", Help: "Attempts to load the reference directory."}, []string{"outcome"}),
		loaded:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_reference_loaded_timestamp_seconds", Help: "When the reference data in force were loaded."}),
		records: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lushao_reference_records", Help: "Records of the reference data in force."}, []string{"file"}),
	}
	reg.MustRegister(r.reloads, r.loaded, r.records)
	return r
}

// Current returns the snapshot in force; nil before Load.
func (r *Reference) Current() *detect.Snapshot { return r.current.Load() }

// Data returns the reference data in force, which must not be changed; nil before Load.
func (r *Reference) Data() *detect.ReferenceData { return r.data.Load() }

// Load loads the directory for the first time. Errors are the user's to mend: nothing works without.
func (r *Reference) Load() error { return r.load() }

func (r *Reference) load() error {
	data, info, err := reference.Load(r.cfg.Dir)
	for try := 0; errors.Is(err, reference.ErrChanged) && try < 3; try++ {
		data, info, err = reference.Load(r.cfg.Dir)
	}
	if err != nil {
		return err
	}
	settings, err := LoadRules(filepath.Join(r.cfg.Dir, reference.Rules))
	if err != nil {
		return err
	}
	snap, err := detect.Compile(data, *settings, info.Digest, r.number+1, max(1, runtime.GOMAXPROCS(0)-1))
	if err != nil {
		return fmt.Errorf("%s: %w", r.cfg.Dir, err)
	}
	for _, w := range info.Warnings {
		r.log.Warn("reference data", "remark", w)
	}
	r.number++
	r.info = info
	r.current.Store(snap)
	r.data.Store(data)
	for _, f := range r.changed {
		f(data)
	}
	r.reloads.WithLabelValues("ok").Inc()
	r.loaded.SetToCurrentTime()
	for _, name := range reference.FileNames {
		if f := info.File(name); f != nil && name != reference.Rules {
			r.records.WithLabelValues(name).Set(float64(f.Rows))
		}
	}
	r.log.Info("reference data in force", "dir", r.cfg.Dir, "vehicles", snap.Vehicles(), "fences", snap.Fences(), "rules", snap.RuleVersion, "digest", info.Digest[:12])
	return nil
}

// LoadRules reads a rules.yaml; a file that is absent means the defaults.
func LoadRules(path string) (*detect.Settings, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("rules: %w", err)
	}
	s, err := detect.ParseSettings(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Run watches the directory until ctx ends.
func (r *Reference) Run(ctx context.Context) error {
	t := time.NewTicker(r.cfg.Poll)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			r.poll()
		}
	}
}

func (r *Reference) poll() {
	changed, err := reference.Changed(r.cfg.Dir, r.info)
	if err == nil && !changed {
		r.seen = ""
		return
	}
	if err == nil {
		err = r.load()
	}
	if err != nil && err.Error() != r.seen {
		r.seen = err.Error()
		r.reloads.WithLabelValues("failed").Inc()
		r.log.Error("the changed reference data are not used; what was in force stays in force", "dir", r.cfg.Dir, "err", err)
	}
}
