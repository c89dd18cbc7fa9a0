package superior

import (
	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
)

// Why a link ended.
const (
	reasonShutdown   = "shutdown"
	reasonSilence    = "silence"
	reasonReplaced   = "replaced"
	reasonSlowReader = "slow_reader"
	reasonLogout     = "logout"
	reasonRefused    = "login_refused"
	reasonNoLogin    = "no_login"
	reasonAlone      = "main_link_lost"
	reasonTold       = "peer_says_broken"
	reasonGoodbye    = "peer_closes"
	reasonOther      = "closed"
)

// Why a connection was refused when it came.
const (
	turnedAwayFull    = "max_connections"
	turnedAwayAddress = "max_connections_per_address"
	turnedAwayPending = "max_pending"
)

// Why a position or a message was not taken.
const (
	refusedVehicle   = "vehicle"
	refusedMalformed = "malformed"
	refusedNoDate    = "no_date"
	refusedTooLarge  = "too_large"
	refusedFile      = "file"
)

var refusals = []string{refusedVehicle, refusedMalformed, refusedNoDate, refusedTooLarge, refusedFile}

// Results of logins, by the code of 0x1002.
var loginResults = map[uint8]string{0: "ok", 1: "address", 2: "access_code", 3: "user", 4: "password", 5: "connected_already", 6: "other"}

type metrics struct {
	connections prometheus.Gauge
	turnedAway  *prometheus.CounterVec
	logins      *prometheus.CounterVec
	ended       *prometheus.CounterVec
	logErrors   prometheus.Counter
	overdue     *prometheus.CounterVec
	requests    *prometheus.CounterVec
	up          *prometheus.GaugeVec
	positions   *prometheus.CounterVec
	events      *prometheus.CounterVec
	refused     *prometheus.CounterVec
	missing     *prometheus.CounterVec
	outages     *prometheus.CounterVec
}

// peerMetrics are the children of one peer.
type peerMetrics struct {
	mainUp, subUp       prometheus.Gauge
	positions, backfill prometheus.Counter
	events              [ingest.KindLink + 1]prometheus.Counter
	refused             map[string]prometheus.Counter
	missing, outages    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	const prefix = "lushao_superior_"
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "connections", Help: "Open connections to the door of main links."}),
		logErrors:   prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "log_errors_total", Help: "Links that were closed because the log refused events for good."}),
		up:          prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "link_up", Help: "1 while the link is logged in."}, []string{"peer", "link"}),
		turnedAway:  vec("turned_away_connections_total", "Connections that were refused when they came, by limit.", "reason"),
		logins:      vec("logins_total", "Logins of main links, by result; the peer is empty where the access code is unknown.", "peer", "result"),
		ended:       vec("ended_links_total", "Links that ended, by reason.", "peer", "link", "reason"),
		overdue:     vec("overdue_requests_total", "Requests to platforms that were not answered by their deadline.", "peer", "kind"),
		requests:    vec("requests_total", "Requests that were sent to platforms.", "peer", "kind"),
		positions:   vec("positions_total", "Positions from platforms; late ones are back-fill.", "peer", "late"),
		events:      vec("events_total", "Events from platforms that the log acknowledged, by kind.", "peer", "kind"),
		refused:     vec("refused_total", "Positions and messages that were not taken, by reason.", "peer", "reason"),
		missing:     vec("missing_messages_total", "Messages that are missing by their serials, 2019.", "peer"),
		outages:     vec("outages_total", "Times in which a platform had no link.", "peer"),
	}
	reg.MustRegister(m.connections, m.logErrors, m.up)
	return m
}

func (m *metrics) of(peer string) peerMetrics {
	pm := peerMetrics{
		mainUp: m.up.WithLabelValues(peer, "main"), subUp: m.up.WithLabelValues(peer, "sub"),
		positions: m.positions.WithLabelValues(peer, "no"), backfill: m.positions.WithLabelValues(peer, "yes"),
		refused: map[string]prometheus.Counter{}, missing: m.missing.WithLabelValues(peer), outages: m.outages.WithLabelValues(peer),
	}
	for _, why := range refusals {
		pm.refused[why] = m.refused.WithLabelValues(peer, why)
	}
	for k := ingest.KindPosition; k <= ingest.KindLink; k++ {
		pm.events[k] = m.events.WithLabelValues(peer, k.String())
	}
	return pm
}
