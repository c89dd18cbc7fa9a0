//go:build linux && amd64

package chengine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/internal/embed/datadir"
)

// child runs the test binary again in another part.
func child(t *testing.T, part string, arguments ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, arguments...)
	c.Env = append(os.Environ(), childVariable+"="+part, "TZ=Asia/Shanghai") // the engine must not care
	c.Dir = t.TempDir()
	return c
}

func runChild(t *testing.T, part string, arguments ...string) {
	t.Helper()
	if out, err := child(t, part, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// statement runs one over an Engine without clickhouse-go.
func statement(ctx context.Context, e *Engine, text string, body io.Reader) (string, error) {
	address := "http://embedded/"
	if body != nil {
		address, text = address+"?query="+strings.ReplaceAll(text, " ", "+"), ""
	} else {
		body = strings.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return "", err
	}
	resp, err := e.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, out)
	}
	return string(out), err
}

func TestLifecycle(t *testing.T) { runChild(t, "lifecycle", t.TempDir()) }

// lifecycleChild opens and closes engines.
func lifecycleChild(arguments []string) error {
	// A configuration in the working directory is not read.
	if err := os.WriteFile("config.xml", []byte("<clickhouse><path>/nonexistent</path><max_server_memory_usage>1</max_server_memory_usage></clickhouse>"), 0o600); err != nil {
		return err
	}
	ctx := context.Background()
	first, second := filepath.Join(arguments[0], "first folder <&>"), filepath.Join(arguments[0], "second")
	cfg := testConfig(first)
	cfg.Registerer = prometheus.NewRegistry()
	e, err := Open(cfg)
	if err != nil {
		return err
	}
	if _, err := Open(testConfig(second)); err == nil || !strings.Contains(err.Error(), "one engine") {
		return fmt.Errorf("a second engine: %v", err)
	}
	if out, err := statement(ctx, e, "SELECT timezone(), toString(toDateTime(0))", nil); err != nil || !strings.Contains(out, "UTC\t1970-01-01 00:00:00") {
		return fmt.Errorf("TZ of the machine counts: %q, %v", out, err)
	}
	if time.Unix(0, 0).Hour() != 8 {
		return fmt.Errorf("time.Local is no longer that of TZ: %s", time.Unix(0, 0))
	}
	for _, s := range []string{"CREATE DATABASE d", "CREATE TABLE d.t (a UInt64, d Date DEFAULT toDate(toDateTime(a))) ENGINE=MergeTree PARTITION BY d ORDER BY a", "INSERT INTO d.t (a) VALUES (72000)"} {
		if _, err := statement(ctx, e, s, nil); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}

	// Close waits for a result that is being read, and refuses what comes later.
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://embedded/", strings.NewReader("SELECT number FROM numbers(300000)"))
	resp, err := e.RoundTrip(r)
	if err != nil {
		return err
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close(ctx) }()
	for {
		if _, err := statement(ctx, e, "SELECT 1", nil); err != nil {
			if !strings.Contains(err.Error(), "status 503: Code: 210.") {
				return fmt.Errorf("a statement while closing: %w", err)
			}
			break
		}
	}
	select {
	case err := <-closed:
		return fmt.Errorf("Close did not wait for a result that is read: %v", err)
	default:
	}
	n, err := bufio.NewReader(resp.Body).WriteTo(lineCounter{})
	resp.Body.Close()
	if err != nil || n == 0 {
		return fmt.Errorf("the result that Close waits for: %d bytes, %v", n, err)
	}
	if err := <-closed; err != nil {
		return err
	}
	if err := e.Close(ctx); err != nil {
		return fmt.Errorf("second Close: %w", err)
	}
	if _, err := statement(ctx, e, "SELECT 1", nil); err == nil {
		return errors.New("a closed engine answers")
	}

	// Again, with the same registry; the data are there, stored by UTC days.
	if e, err = Open(cfg); err != nil {
		return fmt.Errorf("reopen: %w", err)
	}
	if out, err := statement(ctx, e, "SELECT a, d FROM d.t", nil); err != nil || out != "72000\t1970-01-01\n" {
		return fmt.Errorf("after reopening: %q, %v", out, err)
	}
	if n := testutil.ToFloat64(e.metrics.statements.WithLabelValues(kindSelect, outcomeOK)); n != 1 {
		return fmt.Errorf("metrics count %v statements", n)
	}

	// Close with an end: everything is killed, whatever it waits for.
	var wg sync.WaitGroup
	errs := make(chan error, 3)
	pr, pw := io.Pipe()
	wg.Go(func() {
		_, err := statement(ctx, e, "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1", nil)
		errs <- err
	})
	wg.Go(func() { _, err := statement(ctx, e, "INSERT INTO d.t (a) FORMAT Native", pr); errs <- err })
	if _, err := pw.Write(block(0, 10)); err != nil {
		return err
	}
	r, _ = http.NewRequestWithContext(ctx, http.MethodPost, "http://embedded/", strings.NewReader("SELECT number FROM numbers(100000000000)"))
	unread, err := e.RoundTrip(r)
	if err != nil {
		return err
	}
	for e.busy() < 3 {
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := e.Close(over); err != nil {
		return fmt.Errorf("Close with an end: %w", err)
	}
	wg.Wait()
	for range 2 {
		if err := <-errs; err == nil {
			return errors.New("a killed statement has no error")
		}
	}
	if _, err := io.Copy(io.Discard, unread.Body); err == nil {
		return errors.New("a killed result ends as if it were whole")
	}
	if e, err = Open(testConfig(second)); err != nil {
		return fmt.Errorf("another folder after Close: %w", err)
	}
	if out, err := statement(ctx, e, "SELECT count() FROM system.tables WHERE database = 'd'", nil); err != nil || out != "0\n" {
		return fmt.Errorf("the other folder has %q, %v", out, err)
	}
	if err := e.Close(ctx); err != nil {
		return err
	}
	if e, err = Open(cfg); err != nil {
		return err
	}
	if out, err := statement(ctx, e, "SELECT count() FROM d.t", nil); err != nil || out != "1\n" {
		return fmt.Errorf("the insert that was killed left %q, %v", out, err)
	}
	return e.Close(ctx)
}

func (e *Engine) busy() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.active
}

type lineCounter struct{}

func (lineCounter) Write(b []byte) (int, error) { return len(b), nil }

func TestLocked(t *testing.T) { runChild(t, "locked", engine.cfg.DataDir, t.TempDir()) }

// lockedChild meets a folder that its parent has open, and others that cannot be opened.
func lockedChild(arguments []string) error {
	if _, err := Open(testConfig(arguments[0])); !errors.Is(err, datadir.ErrInUse) {
		return fmt.Errorf("a folder in use: %v", err)
	}
	file := filepath.Join(arguments[1], "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	if _, err := Open(testConfig(file)); err == nil {
		return errors.New("a file as data folder was opened")
	}
	if _, err := Open(Config{}); err == nil || !strings.Contains(err.Error(), "data_dir") || !strings.Contains(err.Error(), "max_concurrent") {
		return fmt.Errorf("empty configuration: %v", err)
	}
	// None of it keeps the process from opening one that is good.
	e, err := Open(testConfig(filepath.Join(arguments[1], "good")))
	if err != nil {
		return err
	}
	return e.Close(context.Background())
}

func TestSignals(t *testing.T) { runChild(t, "signals", t.TempDir()) }

// signalsChild: Go keeps its signal handlers beside the engine. Nil dereferences stay panics, preemption and profiling work, and
// a signal for the program reaches it.
func signalsChild(arguments []string) error {
	ctx := context.Background()
	before, err := dispositions()
	if err != nil {
		return err
	}
	e, err := Open(testConfig(arguments[0]))
	if err != nil {
		return err
	}
	if err := sameDispositions(before); err != nil {
		return err
	}
	var profile bytes.Buffer
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	if err := pprof.StartCPUProfile(&profile); err != nil {
		return err
	}
	if before, err = dispositions(); err != nil { // with the profile's
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for g := range 4 {
		wg.Go(func() {
			for i := range 15 { // settings of its own: new connections all the time
				text := fmt.Sprintf("SELECT sum(sipHash64(number)) FROM numbers(200000) SETTINGS max_block_size = %d", 1000+g*100+i)
				if _, err := statement(ctx, e, text, nil); err != nil {
					errs <- err
					return
				}
				if c, err := connect(e.arguments); err != nil {
					errs <- err
					return
				} else {
					c.close()
				}
			}
		})
		wg.Go(func() {
			for range 200 {
				if err := dereferenceNil(); err == nil {
					errs <- errors.New("a nil dereference is no panic")
					return
				}
			}
		})
	}
	wg.Wait()
	if err := sameDispositions(before); err != nil {
		return err
	}
	pprof.StopCPUProfile()
	select {
	case err := <-errs:
		return err
	default:
	}
	if profile.Len() == 0 {
		return errors.New("no profile")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		return err
	}
	<-heard
	return e.Close(ctx)
}

func dereferenceNil() (err error) {
	defer func() { err, _ = recover().(error) }()
	var p *[1 << 10]int
	p[5] = 1
	return nil
}

// crashRows is the size of a block: more than one granule, so that a part of it would be seen.
const crashRows = 20000

// TestCrash kills a process that inserts, again and again. What it was told is stored must be there, whole; nothing may be there in part.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	acknowledged, next := map[uint64]bool{}, 0
	for round := range 4 {
		c := child(t, "crash", dir, strconv.Itoa(next))
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines, seen := bufio.NewScanner(out), 0
		for lines.Scan() { // the child lives until it has said so much, then dies at a moment that nobody chose
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("child says %q", lines.Text())
			}
			acknowledged[n] = true
			next = int(n) + 2
			if seen++; seen == 5+3*round {
				time.AfterFunc(time.Duration(time.Now().UnixNano()%30)*time.Millisecond, func() { _ = c.Process.Kill() })
			}
		}
		if err := c.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		if seen < 5+3*round {
			t.Fatalf("round %d: the child died after %d blocks", round, seen)
		}
		next += 100 // blocks that were not acknowledged keep numbers of their own
	}
	if len(acknowledged) < 20 {
		t.Fatalf("only %d blocks were acknowledged", len(acknowledged))
	}
	out, err := child(t, "crash", dir, "report").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var n, rows uint64
		if _, err := fmt.Sscan(line, &n, &rows); err != nil {
			t.Fatalf("report says %q", line)
		}
		if rows != crashRows {
			t.Errorf("block %d is there with %d rows of %d", n, rows, crashRows)
		}
		delete(acknowledged, n)
	}
	if len(acknowledged) > 0 {
		t.Errorf("acknowledged blocks that are lost: %v", acknowledged)
	}
}

// crashChild inserts numbered blocks and prints the number of each once it is acknowledged; with "report" it prints what is stored.
func crashChild(arguments []string) error {
	ctx := context.Background()
	e, err := Open(testConfig(arguments[0]))
	if err != nil {
		return err
	}
	if arguments[1] == "report" {
		out, err := statement(ctx, e, "SELECT b, count() FROM crash.t GROUP BY b ORDER BY b", nil)
		if err != nil {
			return err
		}
		fmt.Print(out)
		return e.Close(ctx)
	}
	next, err := strconv.ParseUint(arguments[1], 10, 64)
	if err != nil {
		return err
	}
	c, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded"}, TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e, nil }})
	if err != nil {
		return err
	}
	for _, s := range []string{"CREATE DATABASE IF NOT EXISTS crash", "CREATE TABLE IF NOT EXISTS crash.t (b UInt64, i UInt64, s String) ENGINE=MergeTree ORDER BY (b, i)"} {
		if err := c.Exec(ctx, s); err != nil {
			return err
		}
	}
	numbers, index, text := make([]uint64, crashRows), make([]uint64, crashRows), make([]string, crashRows)
	for i := range index {
		index[i], text[i] = uint64(i), fmt.Sprintf("row %d", i)
	}
	for ; ; next++ {
		for i := range numbers {
			numbers[i] = next
		}
		b, err := c.PrepareBatch(ctx, "INSERT INTO crash.t")
		if err != nil {
			return err
		}
		for i, column := range []any{numbers, index, text} {
			if err := b.Column(i).Append(column); err != nil {
				return err
			}
		}
		if err := b.Send(); err != nil {
			return err
		}
		fmt.Println(next)
	}
}
