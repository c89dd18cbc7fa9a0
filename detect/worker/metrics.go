package worker

import (
	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
)

type metrics struct {
	positions      map[detect.Quality]prometheus.Counter
	believed       prometheus.Counter
	weighings      prometheus.Counter
	unread         prometheus.Counter
	stationFaults  *prometheus.GaugeVec
	unjudged       prometheus.Counter
	repeated       prometheus.Counter
	undecodable    prometheus.Counter
	rechecks       prometheus.Counter
	prompts        prometheus.Counter
	droppedPrompts prometheus.Counter
	warnings       *prometheus.CounterVec
	violations     *prometheus.CounterVec
	shadowed       *prometheus.CounterVec
	visits         *prometheus.CounterVec
	vehicles       *prometheus.GaugeVec
	offset         *prometheus.GaugeVec
	batchTime      prometheus.Histogram
	checkpointTime prometheus.Histogram
	checkpointSize *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"partition"})
		reg.MustRegister(g)
		return g
	}
	m := &metrics{
		positions: map[detect.Quality]prometheus.Counter{},
		believed:  counter("lushao_detect_believed_jumps_total", "Positions that were held for jumps and became fixes after all."),
		weighings: counter("lushao_detect_weighings_total", "Weighings seen."),
		unread:    counter("lushao_detect_unread_weighings_total", "Weighings seen whose plate could not be read; every partition has a copy of each."),
		stationFaults: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lushao_detect_station_faults",
			Help: "Conflicts of position that are the fault of the weigh station, by station of the register."}, []string{"station"}),
		unjudged:       counter("lushao_detect_unjudged_weighings_total", "Weighings without the axles or the build that a limit needs."),
		repeated:       counter("lushao_detect_repeated_weighings_total", "Weighings whose station and record number were there before."),
		undecodable:    counter("lushao_detect_undecodable_events_total", "Events of the log that can't be read."),
		rechecks:       counter("lushao_detect_rechecks_total", "Vehicles that were asked to be judged again, because something came late to them."),
		prompts:        counter("lushao_detect_prompts_total", "Prompts to drivers that were written to the log."),
		droppedPrompts: counter("lushao_detect_dropped_prompts_total", "Prompts to drivers that the log did not take in time."),
		warnings: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_detect_warnings_total",
			Help: "Limits of driving time that came near, by the kind of violation that is ahead; whether the driver was told is in the prompts."}, []string{"kind"}),
		violations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_detect_violation_records_total",
			Help: "Records of violations written: opened, closed, retracted."}, []string{"kind", "state"}),
		shadowed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_detect_shadow_records_total",
			Help: "Records of violations that shadows found, at most 8 shadows at a time."}, []string{"shadow", "kind", "state"}),
		visits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_detect_visit_records_total",
			Help: "Records of visits written: open when the vehicle has entered, closed when it has left."}, []string{"state"}),
		vehicles: gauge("lushao_detect_vehicles", "Vehicles that there is state of."),
		offset:   gauge("lushao_detect_next_offset", "Offset of the events topic to be read next."),
		batchTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_detect_batch_seconds",
			Help:    "Time to judge a batch of at most 256 events, with the switch to new reference data that it waited for.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1}}),
		checkpointTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_detect_checkpoint_seconds",
			Help: "Time to write a checkpoint.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		checkpointSize: gauge("lushao_detect_checkpoint_bytes", "Size of the last checkpoint."),
	}
	positions := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_detect_positions_total",
		Help: "Positions by what the quality gate said of them."}, []string{"quality"})
	reg.MustRegister(positions, m.stationFaults, m.warnings, m.violations, m.shadowed, m.visits, m.batchTime, m.checkpointTime)
	for _, q := range detect.Qualities() {
		m.positions[q] = positions.WithLabelValues(q.String())
	}
	return m
}
