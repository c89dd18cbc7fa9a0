package relay

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest/jt809"
)

// Who got a request.
const (
	toTerminal = "terminal"
	toPlatform = "platform"
	toNobody   = "nobody"
)

type metrics struct{ requests *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_relay_requests_total",
		Help: "Requests of superior platforms for vehicles by message, who got them, and outcome; answered says that there was an answer, not that it was done."},
		[]string{"message", "to", "outcome"})}
	reg.MustRegister(m.requests)
	return m
}

func (m *metrics) count(id jt809.MessageID, to string, err error) {
	outcome := "failed"
	switch {
	case err == nil:
		outcome = "answered"
	case errors.Is(err, ErrUnknownVehicle):
		outcome = "unknown_vehicle"
	case errors.Is(err, ErrUnsupported):
		outcome = "unsupported"
	case errors.Is(err, ErrTimeout):
		outcome = "timeout"
	case errors.Is(err, ErrBusy):
		outcome = "busy"
	}
	m.requests.WithLabelValues(id.String(), to, outcome).Inc()
}
