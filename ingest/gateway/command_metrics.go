package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest/jt808"
)

// commandIDs are the messages down whose outcomes are counted by their id; others count as "other".
var commandIDs = []jt808.MessageID{jt808.IDSetParameters, jt808.IDQueryAllParameters, jt808.IDTerminalControl, jt808.IDQueryParameters,
	jt808.IDQueryAttributes, jt808.IDQueryLocation, jt808.IDText, jt808.IDSetCircles, jt808.IDDeleteCircles, jt808.IDSetRectangles,
	jt808.IDDeleteRectangles, jt808.IDSetPolygon, jt808.IDDeletePolygons, jt808.IDSetRoute, jt808.IDDeleteRoutes}

type commandMetrics struct {
	open     prometheus.Gauge
	outcomes *prometheus.CounterVec
	byID     map[jt808.MessageID]string
	stray    prometheus.Counter
}

func newCommandMetrics(reg prometheus.Registerer) *commandMetrics {
	m := &commandMetrics{
		open: prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_gateway_open_commands", Help: "Commands to terminals that wait for their answer."}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_gateway_commands_total",
			Help: "Commands to terminals by message id and outcome."}, []string{"id", "outcome"}),
		byID: map[jt808.MessageID]string{},
		stray: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_gateway_stray_answers_total",
			Help: "Answers of terminals that fit no open command: repeated or too late."}),
	}
	reg.MustRegister(m.open, m.outcomes, m.stray)
	for _, id := range commandIDs {
		m.byID[id] = id.String()
	}
	return m
}

func (m *commandMetrics) count(id jt808.MessageID, state CommandState) {
	label, ok := m.byID[id]
	if !ok {
		label = otherID
	}
	m.outcomes.WithLabelValues(label, string(state)).Inc()
}
