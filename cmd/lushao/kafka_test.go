package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/sim"
	"lushao/internal/testport"
)

// The roles run as processes of their own on Apache Kafka: a gateway, two detectors that share the partitions, and the
// record. While the fleet drives, the gateway, then one of the detectors, then the record is killed; the violations are those
// of the truth file all the same. make kafka runs this with a broker.
func TestRolesOnKafka(t *testing.T) {
	broker := os.Getenv("TEST_KAFKA")
	if broker == "" {
		t.Skip("needs Apache Kafka: run it with make kafka")
	}
	dir := t.TempDir()
	fleet := testFleet(t, 40, 3*time.Hour)
	reference := filepath.Join(dir, "reference")
	writeFleetReference(t, reference, fleet)
	prefix := fmt.Sprintf("roles-%d.", time.Now().UnixNano())
	configure := func(name string) (file, http, gateway string) {
		http, gateway = testport.Reserve(t), testport.Reserve(t)
		file = filepath.Join(dir, name+".yaml")
		text := fmt.Sprintf("data: %s\nreference: {dir: %s}\nbus: {brokers: [%q], topic_prefix: %q}\nhttp: {listen: %q}\ngateway: {listen: %q}\n"+
			"detect: {checkpoint_interval: 500ms, shared: true}\nlog: {level: error}\n",
			filepath.Join(dir, name), reference, broker, prefix, http, gateway)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file, "http://" + http, gateway
	}
	gwFile, gwHTTP, gwAddr := configure("gateway")
	d1File, d1HTTP, _ := configure("detect1")
	d2File, d2HTTP, _ := configure("detect2")
	enFile, enHTTP, _ := configure("enforce")
	gw := startProcess(t, "gateway", gwFile, gwHTTP)
	d1 := startProcess(t, "detect", d1File, d1HTTP)
	d2 := startProcess(t, "detect", d2File, d2HTTP)
	en := startProcess(t, "enforce", enFile, enHTTP)

	var truth bytes.Buffer
	total := int64(fleet.Vehicles) * int64(fleet.Duration/fleet.Interval)
	var count atomic.Int64
	quarter := make(chan struct{}, 4)
	fleet.Gateway, fleet.WeighURL, fleet.WeighToken = gwAddr, gwHTTP+"/v1/weighings", weighToken(t, filepath.Join(dir, "gateway"))
	fleet.Truth, fleet.Logger = &truth, testLogger()
	fleet.BackoffMin, fleet.BackoffMax = 50*time.Millisecond, 500*time.Millisecond
	fleet.OnAck = func(ingest.Vehicle, int64) {
		if n := count.Add(1); n%(total/4) == 0 {
			quarter <- struct{}{}
		}
	}
	s, err := sim.New(fleet)
	if err != nil {
		t.Fatal(err)
	}
	driven := make(chan outcome, 1)
	go func() {
		r, err := s.Run(t.Context())
		driven <- outcome{r, err}
	}()
	<-quarter
	gw.kill(t)
	gw = startProcess(t, "gateway", gwFile, gwHTTP)
	<-quarter
	d1.kill(t) // its partitions go to the other one
	<-quarter
	en.kill(t)
	en = startProcess(t, "enforce", enFile, enHTTP)
	o := <-driven
	if o.err != nil || o.report.Unfinished != 0 {
		t.Fatalf("%+v %v", o.report, o.err)
	}
	d1 = startProcess(t, "detect", d1File, d1HTTP)
	caughtUpWith(t, []string{broker}, prefix)
	found := allViolations(t, enHTTP)
	var got []string
	for i := range found {
		got = append(got, keyOf(&found[i]))
	}
	sameSets(t, "violations in ClickHouse", got, truthKeys(t, truth.Bytes()))
	if o.report.Violations[detect.KindSpeeding] == 0 {
		t.Error("nothing was driven: the test would prove nothing")
	}
	for _, p := range []*process{gw, d1, d2, en} {
		p.terminate(t)
	}
}
