package chengine

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	registerer prometheus.Registerer
	statements *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	bytes      *prometheus.CounterVec
	running    prometheus.Gauge
	sessions   prometheus.Gauge
}

// Label values of kind and result.
const (
	kindSelect = "select"
	kindInsert = "insert"
	kindOther  = "other"

	outcomeOK        = "ok"
	outcomeError     = "error"
	outcomeCancelled = "cancelled"
)

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registerer: r,
		statements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lushao_chengine_statements_total", Help: "Statements of the embedded ClickHouse by kind and result."}, []string{"kind", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lushao_chengine_statement_seconds", Help: "Time of statements of the embedded ClickHouse, the wait for a turn included.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100}}, []string{"kind"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lushao_chengine_bytes_total", Help: "Bytes of data in and out of the embedded ClickHouse, uncompressed."}, []string{"direction"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lushao_chengine_running_statements", Help: "Statements of the embedded ClickHouse under way, those that wait included."}),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lushao_chengine_idle_sessions", Help: "Idle sessions of the embedded ClickHouse."}),
	}
	for _, kind := range []string{kindSelect, kindInsert, kindOther} { // present from the start, so that a rate exists
		for _, result := range []string{outcomeOK, outcomeError, outcomeCancelled} {
			m.statements.WithLabelValues(kind, result)
		}
		m.seconds.WithLabelValues(kind)
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
		return nil, fmt.Errorf("metrics of the embedded ClickHouse: %w", err)
	}
	return m, nil
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.statements, m.seconds, m.bytes, m.running, m.sessions}
}

// unregister makes room for a later Open in the same process.
func (m *metrics) unregister() {
	if m.registerer != nil {
		for _, c := range m.collectors() {
			m.registerer.Unregister(c)
		}
	}
}
