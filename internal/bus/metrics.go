package bus

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	produced     *prometheus.CounterVec
	producedSize *prometheus.CounterVec
	pending      prometheus.Gauge
	produceTime  *prometheus.HistogramVec
	refused      *prometheus.CounterVec
	consumed     *prometheus.CounterVec
	retries      prometheus.Counter
	gaps         *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		produced:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_bus_produced_messages_total", Help: "Messages that the log acknowledged."}, []string{"topic"}),
		producedSize: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_bus_produced_bytes_total", Help: "Bytes of messages that the log acknowledged, before compression."}, []string{"topic"}),
		pending:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_bus_pending_bytes", Help: "Bytes handed over and not yet acknowledged by the log."}),
		produceTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lushao_bus_produce_seconds", Help: "Time of one request to the log until its acknowledgement.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"topic"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_bus_refused_payloads_total", Help: "Payloads that the log refused for good."}, []string{"topic"}),
		consumed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_bus_consumed_messages_total", Help: "Messages read from the log."}, []string{"topic"}),
		retries:  prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_bus_retries_total", Help: "Requests to the log that failed and were tried again."}),
		gaps:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_bus_lost_messages_total", Help: "Messages that the log had dropped before they were read: its retention is too short."}, []string{"topic"}),
	}
	reg.MustRegister(m.produced, m.producedSize, m.pending, m.produceTime, m.refused, m.consumed, m.retries, m.gaps)
	return m
}
