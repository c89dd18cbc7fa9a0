package weigh

import (
	"fmt"
	"sort"
	"strings"
	"sync/atomic"
	"testing"

	"io"

	"github.com/prometheus/client_golang/prometheus"
)

// counting counts what was read from r; another goroutine may look.
type counting struct {
	r io.Reader
	n atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Names and help are what dashboards and alerts are made of: a change here is one there.
func TestMetricsPage(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newMetrics(reg, func() float64 { return 0 })
	m.requests.WithLabelValues("200").Inc()
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
	want := `lushao_weigh_ack_seconds (histogram) Time from the end of a body to the log's acknowledgement of its records.
lushao_weigh_body_bytes_total (counter) Bytes of bodies that were read.
lushao_weigh_known_records (gauge) Records that are known for telling repeated ones.
lushao_weigh_records_total (counter result) Records that were answered, by result.
lushao_weigh_refused_records_total (counter reason) Records that were refused, by reason.
lushao_weigh_requests_total (counter status) Requests to the weighing door by HTTP status.
lushao_weigh_unread_records_total (counter) Records that were taken although their plate could not be read; they are among those that were taken.`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
