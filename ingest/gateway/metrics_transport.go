package gateway

import "github.com/prometheus/client_golang/prometheus"

// transportMetrics are about what lies below the messages: parts, datagrams, headers of proxies, keys, repetitions.
type transportMetrics struct {
	droppedPartials  prometheus.Counter
	resendRequests   prometheus.Counter
	resentParts      prometheus.Counter
	droppedDatagrams map[string]prometheus.Counter
	repeated         prometheus.Counter
}

func newTransportMetrics(counter func(name, help string) prometheus.Counter) transportMetrics {
	return transportMetrics{
		droppedPartials: counter("dropped_partial_messages_total", "Messages that were given up because parts of them were missing."),
		resendRequests:  counter("resend_requests_total", "Requests to terminals for the missing parts of a message."),
		resentParts:     counter("resent_parts_total", "Parts of messages that terminals asked for again and got."),
		repeated:        counter("repeated_messages_total", "Messages that the log had already and that were acknowledged again."),
	}
}
