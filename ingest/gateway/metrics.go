package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// Why a connection ended. Link events say the same in fewer words: see linkReason.
const (
	reasonClosed          = "closed"
	reasonTimeout         = "timeout"
	reasonReplaced        = "replaced"
	reasonError           = "error"
	reasonShutdown        = "shutdown"
	reasonGarbage         = "garbage"
	reasonUnauthenticated = "unauthenticated"
	reasonSlowReader      = "slow_reader"
	reasonDeregistered    = "deregistered" // of a session only
)

var closeReasons = []string{reasonClosed, reasonTimeout, reasonReplaced, reasonError, reasonShutdown, reasonGarbage,
	reasonUnauthenticated, reasonSlowReader}

// Why a message was not taken.
const (
	refusedUnauthenticated = "unauthenticated"
	refusedRegistration    = "registration"
	refusedAuthCode        = "auth_code"
	refusedNoDate          = "no_date"
	refusedMalformed       = "malformed"
	refusedUnsupported     = "unsupported"
	refusedEncrypted       = "encrypted"
	refusedPackaged        = "packaged"
	refusedSessions        = "too_many_sessions"
	refusedLog             = "log"
	refusedNotHeld         = "not_held"
	refusedDecryption      = "decryption"
	refusedFile            = "file"
	refusedTooLarge        = "too_large"
)

var refusals = []string{refusedUnauthenticated, refusedRegistration, refusedAuthCode, refusedNoDate, refusedMalformed,
	refusedUnsupported, refusedEncrypted, refusedPackaged, refusedSessions, refusedLog, refusedNotHeld, refusedDecryption, refusedFile, refusedTooLarge}

// Why a connection was refused when it came.
const (
	turnedAwayFull    = "max_connections"
	turnedAwayAddress = "max_connections_per_address"
	turnedAwayProxy   = "proxy_header"
)

const otherID = "other"

type metrics struct {
	connections  prometheus.Gauge
	sessions     prometheus.Gauge
	turnedAway   map[string]prometheus.Counter
	acceptErrors prometheus.Counter
	closed       map[string]prometheus.Counter
	frames       map[jt808.MessageID]prometheus.Counter
	otherFrames  prometheus.Counter
	frameErrors  map[jt808.ErrorKind]prometheus.Counter
	events       [ingest.KindLink + 1]prometheus.Counter
	extrasErrors prometheus.Counter
	replies      [5]prometheus.Counter // by result
	refused      map[string]prometheus.Counter
	readBytes    prometheus.Counter
	writtenBytes prometheus.Counter
	garbage      prometheus.Counter
	throttled    prometheus.Counter
	ackTime      prometheus.Histogram
	transportMetrics
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_gateway_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_gateway_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_gateway_" + name, Help: help}, []string{label})
		reg.MustRegister(c)
		return c
	}
	children := func(v *prometheus.CounterVec, labels []string) map[string]prometheus.Counter {
		m := map[string]prometheus.Counter{}
		for _, l := range labels {
			m[l] = v.WithLabelValues(l)
		}
		return m
	}
	m := &metrics{
		connections:  gauge("connections", "Open connections."),
		sessions:     gauge("sessions", "Authenticated terminals."),
		turnedAway:   children(vec("turned_away_connections_total", "Connections that were refused when they came, by limit.", "reason"), []string{turnedAwayFull, turnedAwayAddress, turnedAwayProxy}),
		acceptErrors: counter("accept_errors_total", "Connections that the system could not accept, such as for want of file descriptors."),
		closed:       children(vec("closed_connections_total", "Connections that ended, by reason.", "reason"), closeReasons),
		frames:       map[jt808.MessageID]prometheus.Counter{},
		frameErrors:  map[jt808.ErrorKind]prometheus.Counter{},
		extrasErrors: counter("broken_extras_total", "Positions whose additional items are malformed; they are kept."),
		refused:      children(vec("refused_messages_total", "Messages, or positions inside of one, that were not taken, by reason.", "reason"), refusals),
		readBytes:    counter("read_bytes_total", "Bytes read from terminals."),
		writtenBytes: counter("written_bytes_total", "Bytes written to terminals."),
		garbage:      counter("garbage_bytes_total", "Bytes that were in no good frame."),
		throttled:    counter("throttled_seconds_total", "Time that connections were not read because of their frame rate."),
		ackTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lushao_gateway_ack_seconds", Help: "Time from the read of a message to the log's acknowledgement of its events.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
	}
	reg.MustRegister(m.ackTime)
	m.transportMetrics = newTransportMetrics(counter)
	m.droppedDatagrams = children(vec("dropped_datagrams_total", "Datagrams that were dropped unread, by reason.", "reason"), datagramDrops)
	frames := vec("frames_total", "Good frames by message id.", "id")
	for _, r := range routes {
		m.frames[r.id] = frames.WithLabelValues(r.id.String())
	}
	m.otherFrames = frames.WithLabelValues(otherID)
	frameErrors := vec("frame_errors_total", "Bad frames by what is wrong with them.", "kind")
	for _, k := range jt808.ErrorKinds {
		m.frameErrors[k] = frameErrors.WithLabelValues(k.String())
	}
	events := vec("events_total", "Events that the log acknowledged, by kind.", "kind")
	for _, k := range []ingest.Kind{ingest.KindPosition, ingest.KindDriverCard, ingest.KindWaybill, ingest.KindSafety, ingest.KindLink} {
		m.events[k] = events.WithLabelValues(k.String())
	}
	replies := vec("replies_total", "Replies to terminals by result: 0 done, 1 failed or refused, 2 malformed, 3 not supported; a registration's reply counts as 0 or 1.", "result")
	for i, l := range []string{"0", "1", "2", "3", "4"} {
		m.replies[i] = replies.WithLabelValues(l)
	}
	return m
}

// linkReason is the reason in a link event.
func linkReason(reason string) string {
	switch reason {
	case reasonGarbage, reasonUnauthenticated, reasonSlowReader:
		return reasonError
	}
	return reason
}
