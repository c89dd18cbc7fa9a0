package superior

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest/platform/link"
)

// Names and help are what dashboards and alerts are made of: a change here is one there.
func TestMetricsPage(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMetrics(reg)
	m.of("alpha")
	link.NewVectors(reg, "superior").Of("alpha", link.Main)
	link.NewVectors(reg, "inferior").Of("alpha", link.Main) // both roles may be there
	m.turnedAway.WithLabelValues(turnedAwayFull)
	m.logins.WithLabelValues("alpha", "ok")
	m.ended.WithLabelValues("alpha", link.Main, reasonSilence)
	m.overdue.WithLabelValues("alpha", "inspection")
	m.requests.WithLabelValues("alpha", "inspection")
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
	want := `lushao_platform_bad_frames_total (counter kind link peer role) Frames that were dropped, by what is wrong with them.
lushao_platform_garbage_bytes_total (counter link peer role) Bytes from platforms that were in no good frame.
lushao_platform_read_bytes_total (counter link peer role) Bytes read from platforms.
lushao_platform_read_frames_total (counter link peer role) Good frames of JT/T 809 that were read.
lushao_platform_unknown_messages_total (counter link peer role) Good frames with a message that is not known or can't be read; they are logged and not answered.
lushao_platform_written_bytes_total (counter link peer role) Bytes written to platforms.
lushao_platform_written_frames_total (counter link peer role) Frames of JT/T 809 that were written.
lushao_superior_connections (gauge) Open connections to the door of main links.
lushao_superior_ended_links_total (counter link peer reason) Links that ended, by reason.
lushao_superior_events_total (counter kind peer) Events from platforms that the log acknowledged, by kind.
lushao_superior_link_up (gauge link peer) 1 while the link is logged in.
lushao_superior_log_errors_total (counter) Links that were closed because the log refused events for good.
lushao_superior_logins_total (counter peer result) Logins of main links, by result; the peer is empty where the access code is unknown.
lushao_superior_missing_messages_total (counter peer) Messages that are missing by their serials, 2019.
lushao_superior_outages_total (counter peer) Times in which a platform had no link.
lushao_superior_overdue_requests_total (counter kind peer) Requests to platforms that were not answered by their deadline.
lushao_superior_positions_total (counter late peer) Positions from platforms; late ones are back-fill.
lushao_superior_refused_total (counter peer reason) Positions and messages that were not taken, by reason.
lushao_superior_requests_total (counter kind peer) Requests that were sent to platforms.
lushao_superior_turned_away_connections_total (counter reason) Connections that were refused when they came, by limit.`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
