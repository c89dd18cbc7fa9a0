package gateway

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Names and help are what dashboards and alerts are made of: a change here is one there.
func TestMetricsPage(t *testing.T) {
	reg := prometheus.NewRegistry()
	newMetrics(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		labels := ""
		for _, l := range f.Metric[0].Label {
			labels += " " + l.GetName()
		}
		lines = append(lines, fmt.Sprintf("%s (%s%s) %s", f.GetName(), strings.ToLower(f.GetType().String()), labels, f.GetHelp()))
	}
	sort.Strings(lines)
	want := `lushao_gateway_accept_errors_total (counter) Connections that the system could not accept, such as for want of file descriptors.
lushao_gateway_ack_seconds (histogram) Time from the read of a message to the log's acknowledgement of its events.
lushao_gateway_broken_extras_total (counter) Positions whose additional items are malformed; they are kept.
lushao_gateway_closed_connections_total (counter reason) Connections that ended, by reason.
lushao_gateway_connections (gauge) Open connections.
lushao_gateway_dropped_datagrams_total (counter reason) Datagrams that were dropped unread, by reason.
lushao_gateway_dropped_partial_messages_total (counter) Messages that were given up because parts of them were missing.
lushao_gateway_events_total (counter kind) Events that the log acknowledged, by kind.
lushao_gateway_frame_errors_total (counter kind) Bad frames by what is wrong with them.
lushao_gateway_frames_total (counter id) Good frames by message id.
lushao_gateway_garbage_bytes_total (counter) Bytes that were in no good frame.
lushao_gateway_read_bytes_total (counter) Bytes read from terminals.
lushao_gateway_refused_messages_total (counter reason) Messages, or positions inside of one, that were not taken, by reason.
lushao_gateway_repeated_messages_total (counter) Messages that the log had already and that were acknowledged again.
lushao_gateway_replies_total (counter result) Replies to terminals by result: 0 done, 1 failed or refused, 2 malformed, 3 not supported; a registration's reply counts as 0 or 1.
lushao_gateway_resend_requests_total (counter) Requests to terminals for the missing parts of a message.
lushao_gateway_resent_parts_total (counter) Parts of messages that terminals asked for again and got.
lushao_gateway_sessions (gauge) Authenticated terminals.
lushao_gateway_throttled_seconds_total (counter) Time that connections were not read because of their frame rate.
lushao_gateway_turned_away_connections_total (counter reason) Connections that were refused when they came, by limit.
lushao_gateway_written_bytes_total (counter) Bytes written to terminals.`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
