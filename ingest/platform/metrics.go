package platform

import "github.com/prometheus/client_golang/prometheus"

// bookMetrics has the label platform, which the settings bound.
type bookMetrics struct {
	requests *prometheus.GaugeVec
	overdue  *prometheus.CounterVec
	bad      prometheus.Counter
	deleted  prometheus.Counter
}

func newBookMetrics(reg prometheus.Registerer) *bookMetrics {
	m := &bookMetrics{
		requests: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lushao_platform_requests",
			Help: "Requests between platforms in the book by platform, kind and state."}, []string{"platform", "kind", "state"}),
		overdue: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_platform_overdue_requests_total",
			Help: "Requests between platforms that were not answered by their deadline."}, []string{"platform", "kind"}),
		bad: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_platform_bad_requests_total",
			Help: "Records of the topic of requests that can't be read; they are passed over."}),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_platform_deleted_requests_total",
			Help: "Requests that were dropped from the book because they are old or too many."}),
	}
	reg.MustRegister(m.requests, m.overdue, m.bad, m.deleted)
	return m
}
