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
	"lushao/ingest/platform/register"
)

// ReferenceConfig says where the reference directory is.
type ReferenceConfig struct {
	Dir  string        `yaml:"dir"`
	Poll time.Duration `yaml:"poll"` // how often the files are looked at for a change
	// Platforms adds vehicles, operators and routes that platforms of JT/T 809 made known; what the directory says counts.
	Platforms bool `yaml:"platforms"`
	// PlatformsInterval is how often that is done at most, however many come.
	PlatformsInterval time.Duration `yaml:"platforms_interval"`
	// Versions is how many versions of the places are kept, in the directory's folder .history.
	Versions int `yaml:"versions"`
}

// DefaultReferenceConfig returns the usual settings; the directory is the caller's to give.
func DefaultReferenceConfig() ReferenceConfig {
	return ReferenceConfig{Poll: 2 * time.Second, Platforms: true, PlatformsInterval: 30 * time.Second, Versions: 1000}
}

// Validate names the first setting that can't be used.
func (c *ReferenceConfig) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("reference.dir: empty; give the folder with vehicles.csv, fences.geojson and the other files")
	case c.Poll < 100*time.Millisecond:
		return fmt.Errorf("reference.poll: %v; at least 100ms", c.Poll)
	case c.PlatformsInterval < time.Second:
		return fmt.Errorf("reference.platforms_interval: %v; at least 1s", c.PlatformsInterval)
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

	platforms Platforms // nil: none
	directory *detect.ReferenceData
	settings  *detect.Settings
	laid      uint64    // version of the platforms' records that are in force
	laidAt    time.Time // when they were looked at last
	now       func() time.Time

	bad     prometheus.Gauge
	reloads *prometheus.CounterVec
	took    prometheus.Histogram
	loaded  prometheus.Gauge
	records *prometheus.GaugeVec
}

// NewReference makes a Reference without data. onChange functions are called with every new data, from Load and Run, one
// after another.
func NewReference(cfg ReferenceConfig, log *slog.Logger, reg prometheus.Registerer, onChange ...func(*detect.ReferenceData)) *Reference {
	r := &Reference{cfg: cfg, log: log, changed: onChange, now: time.Now,
		bad:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_reference_platform_bad_records", Help: "Records of vehicles that platforms made known and that can't be used."}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_reference_loads_total", Help: "Attempts to load the reference directory."}, []string{"outcome"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_reference_load_seconds",
			Help: "Time to read, check and compile the reference directory, whatever came of it.", Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}}),
		loaded:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_reference_loaded_timestamp_seconds", Help: "When the reference data in force were loaded."}),
		records: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lushao_reference_records", Help: "Records of the reference data in force."}, []string{"file"}),
	}
	reg.MustRegister(r.reloads, r.took, r.loaded, r.records, r.bad)
	return r
}

// UsePlatforms sets where the vehicles come from that platforms made known. It must be called before Load; with platforms
// off in the settings it does nothing.
func (r *Reference) UsePlatforms(p Platforms) {
	if r.cfg.Platforms {
		r.platforms = p
	}
}

// Current returns the snapshot in force; nil before Load.
func (r *Reference) Current() *detect.Snapshot { return r.current.Load() }

// Data returns the reference data in force, which must not be changed; nil before Load.
func (r *Reference) Data() *detect.ReferenceData { return r.data.Load() }

// Load loads the directory for the first time. Errors are the user's to mend: nothing works without.
func (r *Reference) Load() error { return r.load() }

func (r *Reference) load() error {
	begun := r.now()
	defer func() { r.took.Observe(r.now().Sub(begun).Seconds()) }()
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
	if err := r.use(data, info, settings); err != nil {
		return err
	}
	for _, w := range info.Warnings {
		r.log.Warn("reference data", "remark", w)
	}
	r.info, r.directory, r.settings = info, data, settings
	for _, name := range reference.FileNames {
		if f := info.File(name); f != nil && name != reference.Rules {
			r.records.WithLabelValues(name).Set(float64(f.Rows))
		}
	}
	return nil
}

// use puts data of the directory in force, with what platforms made known under them.
func (r *Reference) use(data *detect.ReferenceData, info *reference.Info, settings *detect.Settings) error {
	o := overlay{data: data, digest: info.Digest}
	var version uint64
	if r.platforms != nil {
		var records []register.Record
		records, version = r.platforms.Records()
		o = layUnder(data, info.Digest, records)
		r.bad.Set(float64(o.bad))
	}
	snap := r.current.Load()
	if snap != nil && data == r.directory && o.digest == snap.Digest { // what came says nothing that counts
		r.laid, r.laidAt = version, r.now()
		return nil
	}
	snap, err := detect.Compile(o.data, *settings, o.digest, r.number+1, max(1, runtime.GOMAXPROCS(0)-1))
	if err != nil {
		return fmt.Errorf("%s: %w", r.cfg.Dir, err)
	}
	r.number++
	r.laid, r.laidAt = version, r.now()
	r.current.Store(snap)
	r.data.Store(o.data)
	for _, f := range r.changed {
		f(o.data)
	}
	r.reloads.WithLabelValues("ok").Inc()
	r.loaded.SetToCurrentTime()
	if r.platforms != nil {
		r.records.WithLabelValues("platforms").Set(float64(o.added))
	}
	r.log.Info("reference data in force", "dir", r.cfg.Dir, "vehicles", snap.Vehicles(), "of_platforms", o.added, "completed_by_platforms", o.filled,
		"fences", snap.Fences(), "rules", snap.RuleVersion, "shadows", snap.Shadows(), "digest", o.digest[:12])
	return nil
}

// LoadRules reads a rules.yaml; a file that is absent means the defaults. The error names file and line of all that is wrong.
func LoadRules(path string) (*detect.Settings, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return detect.ParseSettingsFile(path, b)
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
		r.pollPlatforms()
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

// pollPlatforms looks whether platforms made something known, at most every so often.
func (r *Reference) pollPlatforms() {
	if r.platforms == nil || r.platforms.Version() == r.laid || r.now().Sub(r.laidAt) < r.cfg.PlatformsInterval {
		return
	}
	if err := r.use(r.directory, r.info, r.settings); err != nil {
		r.laidAt = r.now()
		r.reloads.WithLabelValues("failed").Inc()
		r.log.Error("what platforms made known of vehicles is not used", "err", err)
	}
}
