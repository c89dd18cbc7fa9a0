package weigh

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	requests  *prometheus.CounterVec
	taken     prometheus.Counter
	unread    prometheus.Counter
	duplicate prometheus.Counter
	refused   map[string]prometheus.Counter
	bodyBytes prometheus.Counter
	ackTime   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, known func() float64) *metrics {
	m := &metrics{
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_weigh_requests_total", Help: "Requests to the weighing door by HTTP status."}, []string{"status"}),
		bodyBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_weigh_body_bytes_total", Help: "Bytes of bodies that were read."}),
		ackTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_weigh_ack_seconds", Help: "Time from the end of a body to the log's acknowledgement of its records.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		refused: map[string]prometheus.Counter{},
	}
	records := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_weigh_records_total", Help: "Records that were answered, by result."}, []string{"result"})
	m.taken, m.duplicate = records.WithLabelValues("taken"), records.WithLabelValues("duplicate")
	m.unread = prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_weigh_unread_records_total", Help: "Records that were taken although their plate could not be read; they are among those that were taken."})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_weigh_refused_records_total", Help: "Records that were refused, by reason."}, []string{"reason"})
	for _, c := range codes {
		m.refused[c] = refused.WithLabelValues(c)
	}
	memory := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "lushao_weigh_known_records", Help: "Records that are known for telling repeated ones."}, known)
	reg.MustRegister(m.requests, m.bodyBytes, m.ackTime, records, m.unread, refused, memory)
	return m
}
