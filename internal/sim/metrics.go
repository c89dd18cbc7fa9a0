package sim

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// register puts the counters on a metrics page; a nil registerer is fine.
func (n *counters) register(to prometheus.Registerer) error {
	if to == nil {
		return nil
	}
	var errs []error
	counter := func(name, help string, labels prometheus.Labels, v *atomic.Int64) {
		errs = append(errs, to.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(v.Load()) })))
	}
	for _, c := range []struct {
		name, what string
		v          *struct{ sent, acked, refused atomic.Int64 }
	}{{"positions", "Positions", &n.positions}, {"cards", "Driver cards", &n.cards}, {"weighings", "Weigh records", &n.weighings}} {
		for _, s := range []struct {
			state string
			v     *atomic.Int64
		}{{"sent", &c.v.sent}, {"acknowledged", &c.v.acked}, {"refused", &c.v.refused}} {
			counter("lushao_sim_"+c.name+"_total", c.what+" of the simulated fleet by what became of them.", prometheus.Labels{"state": s.state}, s.v)
		}
	}
	counter("lushao_sim_resent_total", "Messages and weigh records that were sent again.", nil, &n.resent)
	counter("lushao_sim_connections_total", "Connections that terminals opened.", nil, &n.connections)
	counter("lushao_sim_breaks_total", "Connections that ended before their work was done.", nil, &n.breaks)
	counter("lushao_sim_prompts_total", "Texts for drivers that terminals received.", nil, &n.prompts)
	for i, k := range violationOrder {
		counter("lushao_sim_violations_total", "Violations that were driven and acknowledged, by kind.", prometheus.Labels{"kind": string(k)}, &n.found[i])
	}
	for i, f := range faultOrder {
		counter("lushao_sim_faults_total", "How often terminals misbehaved on purpose, by fault.", prometheus.Labels{"fault": string(f)}, &n.faults[i])
	}
	errs = append(errs, to.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "lushao_sim_sessions", Help: "Terminals that are authenticated now."},
		func() float64 { return float64(n.linked.Load()) })))
	return errors.Join(errs...)
}
