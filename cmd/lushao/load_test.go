package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect/worker"
	"lushao/ingest"
	"lushao/internal/bus"
	"lushao/internal/embed/kafkalog"
	"lushao/internal/testport"
)

// Fifteen thousand terminals, or as many as the machine's limit of open files allows, report every ten seconds for two minutes;
// then all hang up and connect again at once. None is refused, every position is acknowledged, and the log has every one. The
// server, the terminals and the log are in processes of their own; figures are logged.
func TestLoad(t *testing.T) {
	if os.Getenv("TEST_LOAD") == "" {
		t.Skip("takes three minutes and a machine of its own: run it with make load")
	}
	files, err := raiseFileLimit()
	if err != nil {
		t.Fatal(err)
	}
	const reserve = 1000 // files of a process that are no connections
	if files < 2*reserve {
		t.Skipf("only %d files may be open: raise the limit (ulimit -Hn)", files)
	}
	driveLoad(t, loadSpec{Terminals: int(min(15_000, files-reserve)), Interval: 10 * time.Second, Rounds: 12, After: 2})
}

// The same with few terminals, so that it is tried every time.
func TestLoadSmall(t *testing.T) {
	driveLoad(t, loadSpec{Terminals: 200, Interval: 200 * time.Millisecond, Rounds: 3, After: 2})
}

func driveLoad(t *testing.T, spec loadSpec) {
	dir := t.TempDir()
	logConfig := kafkalog.DefaultConfig()
	logConfig.DataDir, logConfig.SyncWrites, logConfig.Logger = filepath.Join(dir, "log"), true, testLogger()
	broker, err := kafkalog.Open(logConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	httpAddr, gatewayAddr := testport.Reserve(t), testport.Reserve(t)
	file := filepath.Join(dir, "lushao.yaml")
	config := fmt.Sprintf("data: %s\nbus: {brokers: [%q]}\nhttp: {listen: %q}\ngateway: {listen: %q}\nlog: {level: warn}\n",
		filepath.Join(dir, "gateway"), broker.Addr(), httpAddr, gatewayAddr)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server := startProcess(t, "gateway", file, "http://"+httpAddr)
	defer func() {
		if t.Failed() {
			t.Logf("the server says:\n%s", server.out)
		}
	}()
	pid := server.cmd.Process.Pid
	spec.Addr = gatewayAddr
	spec.Base = time.Now().Add(-time.Hour).Truncate(time.Second).UnixMilli()
	fleet := startLoad(t, spec)
	n := int64(spec.Terminals)
	before := residentBytes(t, pid)
	perConnection := func(when string) {
		rss := residentBytes(t, pid)
		t.Logf("%s: server %.1f MiB, %.1f KiB for each connection over the %.1f MiB without any", when, mib(rss), float64(rss-before)/1024/float64(n), mib(before))
	}
	r := fleet.await(t, loadLinked)
	t.Logf("%d terminals connected and authenticated in %v", n, r.Took.Round(time.Millisecond))
	perConnection("connected")
	r = fleet.await(t, loadSteady)
	t.Logf("%d positions in %v acknowledged, the slowest after %v", r.Acknowledged, r.Took.Round(time.Millisecond), r.Slowest.Round(time.Millisecond))
	perConnection("after the rounds")
	fleet.order(t, "storm")
	r = fleet.await(t, loadBack)
	t.Logf("storm: all are authenticated again after %v; the slowest report took %v", r.Took.Round(time.Millisecond), r.Slowest.Round(time.Millisecond))
	r = fleet.await(t, loadDone)
	if want := n * int64(spec.positions()); r.Acknowledged != want {
		t.Errorf("%d positions acknowledged, want %d", r.Acknowledged, want)
	}
	for what, k := range r.Refused {
		t.Errorf("%d times %s", k, what)
	}
	perConnection("after the storm")
	metrics := "http://" + httpAddr + "/metrics"
	m := scrape(t, metrics)
	for deadline := time.Now().Add(time.Minute); m["lushao_gateway_connections"] != float64(n) && time.Now().Before(deadline); m = scrape(t, metrics) {
		time.Sleep(20 * time.Millisecond) // the server may still be ending connections of before the storm
	}
	t.Logf("connections now %v, turned away %v, errors of accepting %v, heap in use %.1f MiB, stacks %.1f MiB", m["lushao_gateway_connections"],
		m["lushao_gateway_turned_away_connections_total"], m["lushao_gateway_accept_errors_total"], mib(int64(m["go_memstats_heap_inuse_bytes"])),
		mib(int64(m["go_memstats_stack_inuse_bytes"])))
	if m["lushao_gateway_connections"] != float64(n) || m["lushao_gateway_turned_away_connections_total"] != 0 {
		t.Errorf("%v connections, %v turned away; want %d and none", m["lushao_gateway_connections"], m["lushao_gateway_turned_away_connections_total"], n)
	}
	fleet.order(t, "end")
	if err := fleet.cmd.Wait(); err != nil {
		t.Errorf("the terminals ended with %v", err)
	}
	server.terminate(t)
	inLog(t, broker.Addr(), &spec)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// inLog proves that the log has every position of every terminal: all were acknowledged.
func inLog(t *testing.T, addr string, spec *loadSpec) {
	t.Helper()
	c := bus.DefaultConfig()
	c.Brokers = []string{addr}
	client, err := bus.Open(c, testLogger(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	per := spec.positions()
	times := make([]uint8, spec.Terminals*per) // how often each is there
	links := map[string]int{}
	var e ingest.Event
	err = client.ReadAll(t.Context(), worker.EventsTopic, func(m bus.Message) (err error) {
		for b := m.Value; len(b) > 0; {
			if b, err = ingest.DecodeEvent(b, &e); err != nil {
				return err
			}
			number, ok := loadVehicle(e.Vehicle)
			k := int(e.Time-spec.Base) / loadStep
			switch {
			case e.Kind == ingest.KindLink:
				links[e.Link.Reason]++
			case e.Kind != ingest.KindPosition || !ok || number >= spec.Terminals || k < 0 || k >= per:
				return fmt.Errorf("an event that nobody sent: %v of %v", e.Kind, e.Vehicle)
			default:
				times[number*per+k]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lost, again := 0, 0
	for _, k := range times {
		switch {
		case k == 0:
			lost++
		case k > 1:
			again++
		}
	}
	t.Logf("in the log: %d positions, %d of them more than once; links by reason %v", len(times)-lost, again, links)
	if lost > 0 {
		t.Errorf("%d acknowledged positions are not in the log", lost)
	}
}

// loadProcess is the process of the terminals.
type loadProcess struct {
	cmd   *exec.Cmd
	in    io.Writer
	lines chan loadReport
}

func startLoad(t *testing.T, spec loadSpec) *loadProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	p := &loadProcess{cmd: exec.Command(exe), lines: make(chan loadReport)}
	p.cmd.Env = append(os.Environ(), asLoad+"="+string(b))
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			var r loadReport
			if json.Unmarshal(s.Bytes(), &r) != nil {
				return
			}
			select {
			case p.lines <- r:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return p
}

// await waits until the load has come to a state.
func (p *loadProcess) await(t *testing.T, state string) loadReport {
	t.Helper()
	select {
	case r, ok := <-p.lines:
		if !ok || r.State != state {
			t.Fatalf("the terminals are %q, want %q; see above for why", r.State, state)
		}
		return r
	case <-time.After(5 * time.Minute):
		t.Fatalf("the terminals are not %s after five minutes", state)
	}
	panic("unreachable")
}

func (p *loadProcess) order(t *testing.T, what string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, what); err != nil {
		t.Fatal(err)
	}
}

// residentBytes is the memory that a process has, by the system.
func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no way to see the memory of a process: %v", err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		t.Fatalf("no VmRSS in the status of process %d", pid)
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// scrape reads a metrics page; the values of a name are summed over its labels.
func scrape(t *testing.T, url string) map[string]float64 {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	sums := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if name, _, _ := strings.Cut(line[:max(at, 0)], "{"); err == nil {
			sums[name] += v
		}
	}
	return sums
}
