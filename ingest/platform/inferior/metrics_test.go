package inferior

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt809"
)

// The names and labels of the metrics are an interface: who has alarms on them must hear of a change.
func TestMetrics(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{})
	x.superior.up()
	x.superior.send(jt809.IDPlatformText, nil, &jt809.PlatformText{InfoID: 1})
	x.superior.message(jt809.IDPlatformTextReply, 1)
	x.events.put(position(v, 1))
	x.proven()
	families, err := x.deps.Registerer.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	values := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "lushao_inferior_") {
			continue
		}
		line := f.GetName()
		for _, l := range f.GetMetric()[0].GetLabel() {
			line += " " + l.GetName()
		}
		for _, m := range f.GetMetric() {
			values[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		got = append(got, line)
	}
	want := []string{
		"lushao_inferior_alarms_total peer",
		"lushao_inferior_failed_logins_total peer",
		"lushao_inferior_link_breaks_total link peer",
		"lushao_inferior_link_up link peer",
		"lushao_inferior_logins_total peer",
		"lushao_inferior_lost_messages_total peer",
		"lushao_inferior_positions_total peer way",
		"lushao_inferior_proven_positions_total peer",
		"lushao_inferior_registrations_total peer",
		"lushao_inferior_requests_total kind peer",
		"lushao_inferior_turned_away_connections_total",
		"lushao_inferior_undecodable_messages_total",
		"lushao_inferior_unsent_answers_total peer",
		"lushao_inferior_visiting_positions_total peer",
		"lushao_inferior_wrong_verify_codes_total",
	}
	if !slices.Equal(got, want) {
		t.Errorf("metrics:\n%s", strings.Join(got, "\n"))
	}
	for name, want := range map[string]float64{"link_up": 2, "logins_total": 1, "positions_total": 1, "proven_positions_total": 1, "registrations_total": 1, "requests_total": 1} {
		if got := values["lushao_inferior_"+name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// Encrypted coordinates stay marked.
func TestEncryptedPositions(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2013, jt809.Edition2019} {
		s := &sender{p: &peer{edition: ed}}
		e := position(vehicle(t, "云H00001"), 1)
		e.Flags = ingest.FlagEncrypted
		var r jt809.PositionReader
		var got ingest.Event
		if err := r.Reset(jt809.IDPosition, s.appendPosition(nil, &e), ed); err != nil {
			t.Fatal(err)
		}
		if ok, err := r.Next(&got); !ok || err != nil || got.Flags&ingest.FlagEncrypted == 0 || got.Time != e.Time {
			t.Errorf("%v: %+v %v", ed, got, err)
		}
	}
}
