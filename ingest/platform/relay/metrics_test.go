package relay

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/gateway"
	"lushao/ingest/jt809"
)

func TestMetricsPage(t *testing.T) {
	s := newSetup(nil)
	s.Do(context.Background(), here, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{})
	s.terminals.outcome.State = gateway.CommandBusy
	s.Do(context.Background(), here, jt809.IDPhotoRequest, jt809.Edition2011, &jt809.PhotoRequest{})
	s.Do(context.Background(), gone, jt809.IDVideoStart, jt809.Edition2011, &jt809.VideoStart{})
	s.Do(context.Background(), below, jt809.IDVideoStart, jt809.Edition2011, &jt809.VideoStart{}) // which gives no answer
	s.Do(context.Background(), here, 0x9507, jt809.Edition2011, &jt809.Empty{})                   // is not carried
	const page = `
# HELP lushao_relay_requests_total Requests of superior platforms for vehicles by message, who got them, and outcome; answered says that there was an answer, not that it was done.
# TYPE lushao_relay_requests_total counter
lushao_relay_requests_total{message="0x9501",outcome="answered",to="terminal"} 1
lushao_relay_requests_total{message="0x9502",outcome="busy",to="terminal"} 1
lushao_relay_requests_total{message="0x9801",outcome="failed",to="platform"} 1
lushao_relay_requests_total{message="0x9801",outcome="unknown_vehicle",to="nobody"} 1
`
	if err := testutil.GatherAndCompare(s.reg, strings.NewReader(page)); err != nil {
		t.Error(err)
	}
}
