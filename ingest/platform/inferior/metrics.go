package inferior

import "github.com/prometheus/client_golang/prometheus"

// metrics of the role. Peers are those of the settings, so their number is bounded.
type metrics struct {
	turnedAway  prometheus.Counter
	wrongCodes  prometheus.Counter
	undecodable prometheus.Counter

	up            *prometheus.GaugeVec
	breaks        *prometheus.CounterVec
	logins        *prometheus.CounterVec
	failedLogins  *prometheus.CounterVec
	positions     *prometheus.CounterVec
	proven        *prometheus.CounterVec
	lost          *prometheus.CounterVec
	registrations *prometheus.CounterVec
	alarms        *prometheus.CounterVec
	requests      *prometheus.CounterVec
	visiting      *prometheus.CounterVec
	unsent        *prometheus.CounterVec
}

// peerMetrics are those of one peer.
type peerMetrics struct {
	up            [2]prometheus.Gauge // main, sub
	breaks        [2]prometheus.Counter
	logins        prometheus.Counter
	failedLogins  prometheus.Counter
	live, missed  prometheus.Counter
	proven        prometheus.Counter
	lost          prometheus.Counter
	registrations prometheus.Counter
	alarms        prometheus.Counter
	requests      *prometheus.CounterVec // by kind
	visiting      prometheus.Counter
	unsent        prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_inferior_" + name, Help: help}, append([]string{"peer"}, labels...))
		reg.MustRegister(v)
		return v
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_inferior_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		turnedAway:    counter("turned_away_connections_total", "Connections to the server of sub links that were refused because too many had not logged in."),
		wrongCodes:    counter("wrong_verify_codes_total", "Sub links that were refused because of their verify code."),
		undecodable:   counter("undecodable_messages_total", "Messages of the log that can't be read and were passed over."),
		breaks:        vec("link_breaks_total", "Links that ended after they were logged in.", "link"),
		logins:        vec("logins_total", "Logins that the superior accepted."),
		failedLogins:  vec("failed_logins_total", "Tries to connect and log in that failed."),
		positions:     vec("positions_total", "Positions sent, by the message: live (0x1202) or missed (0x1203).", "way"),
		proven:        vec("proven_positions_total", "Positions that were sent and are proven to have arrived."),
		lost:          vec("lost_messages_total", "Messages that the log dropped before they were forwarded."),
		registrations: vec("registrations_total", "Vehicles registered (0x1201)."),
		alarms:        vec("alarms_total", "Violations reported as alarms (0x1402)."),
		requests:      vec("requests_total", "Requests of the superior, by kind.", "kind"),
		visiting:      vec("visiting_positions_total", "Positions of visiting vehicles that came from the superior."),
		unsent:        vec("unsent_answers_total", "Answers that were dropped because too many waited for a link."),
	}
	m.up = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lushao_inferior_link_up", Help: "1 while the link is logged in."}, []string{"peer", "link"})
	reg.MustRegister(m.up)
	return m
}

func (m *metrics) of(peer string) *peerMetrics {
	p := &peerMetrics{
		logins: m.logins.WithLabelValues(peer), failedLogins: m.failedLogins.WithLabelValues(peer),
		live: m.positions.WithLabelValues(peer, "live"), missed: m.positions.WithLabelValues(peer, "missed"),
		proven: m.proven.WithLabelValues(peer), lost: m.lost.WithLabelValues(peer), registrations: m.registrations.WithLabelValues(peer),
		alarms: m.alarms.WithLabelValues(peer), visiting: m.visiting.WithLabelValues(peer), unsent: m.unsent.WithLabelValues(peer),
		requests: m.requests.MustCurryWith(prometheus.Labels{"peer": peer}),
	}
	for n, l := range []string{"main", "sub"} {
		p.up[n], p.breaks[n] = m.up.WithLabelValues(peer, l), m.breaks.WithLabelValues(peer, l)
	}
	return p
}
