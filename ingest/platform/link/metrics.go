package link

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest/jt809"
)

// The two links of a peer, as labels.
const (
	Main = "main"
	Sub  = "sub"
)

// KindNoKey is the kind of a bad frame that is encrypted with constants that are not known.
const KindNoKey = "no_key"

// Vectors are the metrics of all links of one role. Peers are those of the configuration, so their number is bounded.
type Vectors struct {
	readFrames, readBytes, writtenFrames, writtenBytes, garbage, unknown, bad *prometheus.CounterVec
}

// NewVectors registers the metrics for a role, superior or inferior, which is a label of each.
func NewVectors(reg prometheus.Registerer, role string) *Vectors {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_platform_" + name, Help: help,
			ConstLabels: prometheus.Labels{"role": role}}, append([]string{"peer", "link"}, labels...))
		reg.MustRegister(v)
		return v
	}
	return &Vectors{
		readFrames:    vec("read_frames_total", "Good frames of JT/T 809 that were read."),
		readBytes:     vec("read_bytes_total", "Bytes read from platforms."),
		writtenFrames: vec("written_frames_total", "Frames of JT/T 809 that were written."),
		writtenBytes:  vec("written_bytes_total", "Bytes written to platforms."),
		garbage:       vec("garbage_bytes_total", "Bytes from platforms that were in no good frame."),
		unknown:       vec("unknown_messages_total", "Good frames with a message that is not known or can't be read; they are logged and not answered."),
		bad:           vec("bad_frames_total", "Frames that were dropped, by what is wrong with them.", "kind"),
	}
}

// Of returns the metrics of a peer's link.
func (v *Vectors) Of(peer, link string) *Metrics {
	m := &Metrics{
		readFrames: v.readFrames.WithLabelValues(peer, link), readBytes: v.readBytes.WithLabelValues(peer, link),
		writtenFrames: v.writtenFrames.WithLabelValues(peer, link), writtenBytes: v.writtenBytes.WithLabelValues(peer, link),
		garbage: v.garbage.WithLabelValues(peer, link), unknown: v.unknown.WithLabelValues(peer, link),
		bad: map[string]prometheus.Counter{KindNoKey: v.bad.WithLabelValues(peer, link, KindNoKey)},
	}
	for _, k := range jt809.ErrorKinds {
		m.bad[k.String()] = v.bad.WithLabelValues(peer, link, k.String())
	}
	m.other = v.bad.WithLabelValues(peer, link, "other")
	return m
}

// Metrics are those of one link.
type Metrics struct {
	readFrames, readBytes, writtenFrames, writtenBytes, garbage, unknown prometheus.Counter

	bad   map[string]prometheus.Counter
	other prometheus.Counter

	counts struct{ framesIn, framesOut, bytesIn, bytesOut, badFrames atomic.Uint64 }
}

// Counts are what has passed over one link, over all its connections.
type Counts struct{ FramesIn, FramesOut, BytesIn, BytesOut, BadFrames uint64 }

// Counts returns what was counted.
func (m *Metrics) Counts() Counts {
	return Counts{m.counts.framesIn.Load(), m.counts.framesOut.Load(), m.counts.bytesIn.Load(), m.counts.bytesOut.Load(), m.counts.badFrames.Load()}
}

func (m *Metrics) read(frames, bytes int) {
	m.readFrames.Add(float64(frames))
	m.readBytes.Add(float64(bytes))
	m.counts.framesIn.Add(uint64(frames))
	m.counts.bytesIn.Add(uint64(bytes))
}

func (m *Metrics) wrote(frames, bytes int) {
	m.writtenFrames.Add(float64(frames))
	m.writtenBytes.Add(float64(bytes))
	m.counts.framesOut.Add(uint64(frames))
	m.counts.bytesOut.Add(uint64(bytes))
}

// noMetrics count where nobody looks.
var noMetrics = NewVectors(prometheus.NewRegistry(), "").Of("", "")

// Unknown counts a message that is not known, or can't be read.
func (m *Metrics) Unknown() { m.unknown.Inc() }

func (m *Metrics) badFrame(kind string) {
	m.counts.badFrames.Add(1)
	if c := m.bad[kind]; c != nil {
		c.Inc()
		return
	}
	m.other.Inc()
}
