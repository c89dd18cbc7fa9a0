package recheck

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	judged      *prometheus.CounterVec
	corrections *prometheus.CounterVec
	left        prometheus.Counter
	shortened   prometheus.Counter
	bad         prometheus.Counter
	waiting     prometheus.Gauge
	seconds     prometheus.Histogram // of a batch
	reading     prometheus.Histogram // of that, ClickHouse's answers
	batch       prometheus.Histogram // vehicles
	waited      prometheus.Histogram // of a vehicle
	sums        *prometheus.CounterVec
	drivers     prometheus.Counter
}

// newMetrics registers the metrics; oldest is how long the vehicle that has waited longest does so, s.
func newMetrics(reg prometheus.Registerer, oldest func() float64) *metrics {
	times := []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &metrics{
		judged: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_recheck_vehicles_total",
			Help: "Vehicles that were judged again, by outcome: right, corrected, failed (it is tried again)."}, []string{"outcome"}),
		corrections: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_recheck_corrections_total",
			Help: "Records that judging again wrote: added, amended, retracted, visit."}, []string{"what"}),
		left: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_recheck_left_total",
			Help: "Violations and visits that the rules and places of now find otherwise than the record, though not because of late data: the record stands."}),
		shortened: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_recheck_shortened_total",
			Help: "Vehicles of which less was read than recheck.context says, because they have more than recheck.max_positions."}),
		bad: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_recheck_bad_messages_total",
			Help: "Messages of the topic rechecks that can't be read."}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_recheck_waiting_vehicles", Help: "Vehicles that wait to be judged again."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_recheck_seconds",
			Help: "Time to judge a batch of vehicles again, from the first question to ClickHouse until what is corrected is in the log.", Buckets: times}),
		reading: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_recheck_read_seconds",
			Help: "Time of the questions to ClickHouse about a batch of vehicles.", Buckets: times}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_recheck_batch_vehicles", Help: "Vehicles that were judged again in one batch.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_recheck_wait_seconds",
			Help: "Time from the first request for a vehicle until it was judged again, recheck.quiet included.", Buckets: []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}}),
	}
	m.sums = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_recheck_driver_sums_total",
		Help: "Times that the driving of drivers of several vehicles was summed up, by outcome: done, failed."}, []string{"outcome"})
	m.drivers = prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_recheck_drivers_total",
		Help: "Times that a driver over a limit in several vehicles was asked for."})
	reg.MustRegister(m.sums, m.drivers, m.judged, m.corrections, m.left, m.shortened, m.bad, m.waiting, m.seconds, m.reading, m.batch, m.waited,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "lushao_recheck_oldest_seconds",
			Help: "How long the vehicle that has waited longest waits to be judged again; 0: none waits."}, oldest))
	return m
}
