package kafkalog

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	registerer  prometheus.Registerer
	bytes       *prometheus.GaugeVec
	held        *prometheus.GaugeVec
	start       *prometheus.GaugeVec
	next        *prometheus.GaugeVec
	trims       prometheus.Counter
	trimmed     prometheus.Counter
	compactions prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registerer: r,
		bytes: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lushao_kafkalog_bytes", Help: "Bytes of a topic of the embedded log on disk, at the janitor's last pass."}, []string{"topic"}),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lushao_kafkalog_held_bytes", Help: "Bytes of a topic beyond its retention that a group has not read yet."}, []string{"topic"}),
		start: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lushao_kafkalog_start_offset", Help: "First offset of a partition of the embedded log."}, []string{"topic", "partition"}),
		next: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "lushao_kafkalog_next_offset", Help: "Offset of the next record of a partition of the embedded log."}, []string{"topic", "partition"}),
		trims: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lushao_kafkalog_trims_total", Help: "Trims of partitions of the embedded log."}),
		trimmed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lushao_kafkalog_trimmed_bytes_total", Help: "Bytes that were trimmed from the embedded log."}),
		compactions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "lushao_kafkalog_compactions_total", Help: "Compactions of the compacted topics of the embedded log."}),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range m.collectors() {
		errs = append(errs, r.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		m.unregister()
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.bytes, m.held, m.start, m.next, m.trims, m.trimmed, m.compactions}
}

// unregister makes room for a later Open in the same process.
func (m *metrics) unregister() {
	if m.registerer != nil {
		for _, c := range m.collectors() {
			m.registerer.Unregister(c)
		}
	}
}
