package sink

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of both pipelines; the label topic tells them apart.
type metrics struct {
	rows        *prometheus.CounterVec
	blocks      *prometheus.CounterVec
	insert      *prometheus.HistogramVec
	retries     *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	lag         *prometheus.GaugeVec
	pending     *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_sink_rows_total",
			Help: "Rows that ClickHouse has taken, also those that were delivered twice."}, []string{"topic", "table"}),
		blocks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_sink_blocks_total",
			Help: "Blocks whose offsets are committed."}, []string{"topic"}),
		insert: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lushao_sink_insert_seconds",
			Help: "Time to write the rows of a block to one table.", Buckets: prometheus.ExponentialBuckets(0.002, 2.5, 11)}, []string{"topic"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_sink_retries_total",
			Help: "Tries that failed and were made again, by what was tried: insert, commit, read."}, []string{"topic", "operation"}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_sink_dead_letters_total",
			Help: "Pieces of messages that could not be read and went to the table dead_letters."}, []string{"topic"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lushao_sink_lag_messages",
			Help: "Messages of a partition that are in the log and not yet committed as written."}, []string{"topic", "partition"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lushao_sink_pending_blocks",
			Help: "Blocks that are full and not yet committed."}, []string{"topic"}),
	}
	if reg != nil {
		reg.MustRegister(m.rows, m.blocks, m.insert, m.retries, m.deadLetters, m.lag, m.pending)
	}
	return m
}

// of makes the children of a topic, so that they are there from the start.
func (m *metrics) of(topic string) *topicMetrics {
	t := &topicMetrics{
		all:         m,
		topic:       topic,
		blocks:      m.blocks.WithLabelValues(topic),
		insert:      m.insert.WithLabelValues(topic),
		deadLetters: m.deadLetters.WithLabelValues(topic),
		pending:     m.pending.WithLabelValues(topic),
		retryInsert: m.retries.WithLabelValues(topic, "insert"),
		retryCommit: m.retries.WithLabelValues(topic, "commit"),
		retryRead:   m.retries.WithLabelValues(topic, "read"),
	}
	return t
}

type topicMetrics struct {
	all                                 *metrics
	topic                               string
	blocks, deadLetters                 prometheus.Counter
	retryInsert, retryCommit, retryRead prometheus.Counter
	insert                              prometheus.Observer
	pending                             prometheus.Gauge
}

func (t *topicMetrics) rows(table string, n int) {
	t.all.rows.WithLabelValues(t.topic, table).Add(float64(n))
}

func (t *topicMetrics) lag(partition int, n int64) {
	t.all.lag.WithLabelValues(t.topic, strconv.Itoa(partition)).Set(float64(max(n, 0)))
}
