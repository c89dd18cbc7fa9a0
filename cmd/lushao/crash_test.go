package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/embed/chengine"
	"lushao/internal/sim"
	"lushao/internal/testport"
)

// asLushao makes the test's own binary be lushao, so that a process can be killed.
const asLushao = "TEST_AS_LUSHAO"

func TestMain(m *testing.M) {
	if os.Getenv(asLushao) != "" {
		main()
	}
	if os.Getenv(asLoad) != "" {
		loadMain()
	}
	os.Exit(m.Run())
}

// kills is how often the process is killed.
const kills = 10

// The process is killed ten times while a fleet drives, and started again on the same folder each time. Afterwards every
// position that was acknowledged is in ClickHouse once, and every violation of the truth file is there once.
func TestKilledTenTimes(t *testing.T) {
	dir := t.TempDir()
	fleet := testFleet(t, 60, 3*time.Hour)
	writeFleetReference(t, filepath.Join(dir, "reference"), fleet)
	gatewayAddr, httpAddr, logAddr := testport.Reserve(t), testport.Reserve(t), testport.Reserve(t)
	configFile := filepath.Join(dir, "lushao.yaml")
	config := fmt.Sprintf("data: %s\nhttp: {listen: %q}\ngateway: {listen: %q}\nembedded: {log: {listen: %q}}\ndetect: {checkpoint_interval: 500ms}\nlog: {level: error}\n",
		dir, httpAddr, gatewayAddr, logAddr)
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	base := "http://" + httpAddr
	p := startProcess(t, "up", configFile, base)

	var truth bytes.Buffer
	acked := newAckSet()
	fleet.Gateway, fleet.WeighURL, fleet.WeighToken = gatewayAddr, base+"/v1/weighings", weighToken(t, dir)
	fleet.Truth, fleet.Logger = &truth, testLogger()
	fleet.BackoffMin, fleet.BackoffMax = 50*time.Millisecond, 500*time.Millisecond
	pace := newPace(t, fleet)
	fleet.OnAck = func(v ingest.Vehicle, at int64) {
		acked.add(v, at)
		pace.acked(at)
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	s, err := sim.New(fleet)
	if err != nil {
		t.Fatal(err)
	}
	driven := make(chan outcome, 1)
	go func() {
		r, err := s.Run(t.Context())
		driven <- outcome{r, err}
	}()
	for i := range kills { // somewhere in the i-th part of the drive; the last part is driven in peace
		part := 1 / float64(kills+1)
		pace.await(t, pace.drive(part*(float64(i)+rng.Float64()), part*float64(i+1)), driven, fmt.Sprint("kill ", i+1))
		p.kill(t)
		p = startProcess(t, "up", configFile, base)
	}
	pace.release()
	o := <-driven
	if o.err != nil {
		t.Fatal(o.err)
	}
	t.Logf("%d positions acknowledged, %d messages sent again, %d connections broke", o.report.Positions.Acknowledged, o.report.Resent, o.report.Breaks)
	if o.report.Breaks < kills || o.report.Positions.Acknowledged != o.report.Positions.Sent || o.report.Unfinished != 0 {
		t.Errorf("the fleet reports %+v", o.report)
	}
	caughtUp(t, []string{logAddr})
	found := allViolations(t, base)
	var got []string
	for i := range found {
		got = append(got, keyOf(&found[i]))
	}
	sameSets(t, "violations in ClickHouse", got, truthKeys(t, truth.Bytes()))
	for k := range fleet.Violations {
		if o.report.Violations[k] == 0 {
			t.Errorf("the fleet drove no %s: the test would prove nothing of it", k)
		}
	}
	p.terminate(t)

	// With the process gone its folder can be opened here.
	c := testConfig(dir)
	engine, err := chengine.Open(c.Embedded.ClickHouse)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background())
	record, err := store.Open(t.Context(), c.Store, engine)
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	acked.compare(t, record, fleet)
}

type process struct {
	cmd  *exec.Cmd
	done chan error
	out  *bytes.Buffer
}

// startProcess starts a command of lushao and waits until it is ready.
func startProcess(t *testing.T, command, configFile, base string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(exe, command, "--config", configFile), done: make(chan error, 1), out: new(bytes.Buffer)}
	p.cmd.Env = append(os.Environ(), asLushao+"=1")
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() { p.cmd.Process.Kill() })
	deadline := time.After(time.Minute)
	for {
		res, err := http.Get(base + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p
			}
		}
		select {
		case err := <-p.done:
			t.Fatalf("lushao ended while starting: %v\n%s", err, p.out)
		case <-deadline:
			t.Fatalf("lushao is not ready after a minute:\n%s", p.out)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

func (p *process) terminate(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		t.Errorf("lushao ended with %v:\n%s", err, p.out)
	}
}
