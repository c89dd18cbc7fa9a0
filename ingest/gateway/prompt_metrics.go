package gateway

import "github.com/prometheus/client_golang/prometheus"

type promptMetrics struct {
	outcomes   *prometheus.CounterVec
	kinds      map[string]bool
	elsewhere  prometheus.Counter
	unrecorded prometheus.Counter
}

func newPromptMetrics(reg prometheus.Registerer, templates map[string]template) *promptMetrics {
	m := &promptMetrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_gateway_prompts_total",
			Help: "Prompts to drivers by kind, of those with a template, and outcome."}, []string{"kind", "outcome"}),
		kinds: map[string]bool{StaffPrompt: true},
		elsewhere: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_gateway_foreign_prompts_total",
			Help: "Prompts for vehicles that are not online here."}),
		unrecorded: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_gateway_unrecorded_prompt_outcomes_total",
			Help: "Outcomes of prompts that the log did not take."}),
	}
	reg.MustRegister(m.outcomes, m.elsewhere, m.unrecorded)
	for kind := range templates {
		m.kinds[kind] = true
	}
	return m
}

// count counts an outcome. The kinds are those of the configuration: what the topic brings must not make more labels.
func (m *promptMetrics) count(kind string, state CommandState) {
	if !m.kinds[kind] {
		kind = otherID
	}
	m.outcomes.WithLabelValues(kind, string(state)).Inc()
}
