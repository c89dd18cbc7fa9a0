package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/worker"
	"lushao/internal/bus"
	"lushao/internal/sim"
)

// testConfig is lushao up on free ports and below dir.
func testConfig(dir string) *Config {
	c := DefaultConfig()
	c.Data = dir
	c.HTTP.Listen, c.Gateway.Listen = "127.0.0.1:0", "127.0.0.1:0"
	c.Detect.CheckpointInterval = 300 * time.Millisecond
	c.Log.Level = "error"
	c.settle()
	return &c
}

// testFleet is a fleet that drives in the past, as fast as it is acknowledged.
func testFleet(t testing.TB, vehicles int, d time.Duration) sim.Config {
	t.Helper()
	c := sim.DefaultConfig()
	c.Vehicles, c.Stations, c.Seed = vehicles, 3, 7
	c.Start = time.Date(2026, 5, 1, 6, 0, 0, 0, detect.Beijing)
	c.Duration, c.Rate = d, 0
	c.Violations = sim.Mix{detect.KindSpeeding: 0.3, detect.KindFenceEntry: 0.6, detect.KindOverload: 0.3}
	return c
}

func writeFleetReference(t testing.TB, dir string, c sim.Config) {
	t.Helper()
	fleet, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := reference.Write(dir, fleet.Reference()); err != nil {
		t.Fatal(err)
	}
}

// startApp runs the app in this process until the test ends or stop is called.
func startApp(t testing.TB, c *Config) (a *app, stop func()) {
	t.Helper()
	a, err := newApp(c, new(bytes.Buffer), roleGateway, roleDetect, roleEnforce)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- a.run(ctx, func(context.Context) error { close(ready); return nil })
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("lushao ended with: %v", err)
		}
	}
	t.Cleanup(stop)
	select {
	case <-ready:
	case err := <-done:
		stopped = true
		t.Fatal(err)
	}
	return a, stop
}

// caughtUp waits until everything in the log has been judged and stored.
func caughtUp(t testing.TB, brokers []string) {
	t.Helper()
	caughtUpWith(t, brokers, "")
}

func caughtUpWith(t testing.TB, brokers []string, prefix string) {
	t.Helper()
	caughtUpGroups(t, brokers, prefix, [2]string{worker.Group, worker.EventsTopic}, [2]string{"archive", worker.EventsTopic},
		[2]string{"violations-sink", worker.ViolationsTopic})
}

// caughtUpGroups waits until groups have committed all that their topics hold, one group after another; each is a name and a topic.
// A group that goes on is waited for, however slow the machine is.
func caughtUpGroups(t testing.TB, brokers []string, prefix string, groups ...[2]string) {
	t.Helper()
	c := bus.DefaultConfig()
	c.Brokers, c.TopicPrefix = brokers, prefix
	client, err := bus.Open(c, testLogger(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, g := range groups {
		group, topic := g[0], g[1]
		const patience = 2 * time.Minute // without a commit
		least, since := int64(-1), time.Now()
		for {
			_, next, err := client.Bounds(t.Context(), topic)
			if err != nil {
				t.Fatal(err)
			}
			done, err := client.CommittedOffsets(t.Context(), group, topic)
			if err != nil {
				t.Fatal(err)
			}
			behind, sum := int64(0), int64(0)
			for p := range next {
				sum += max(done[p], 0)
				behind += next[p] - max(done[p], 0)
			}
			if behind == 0 {
				break
			}
			if sum > least {
				least, since = sum, time.Now()
			} else if time.Since(since) > patience {
				t.Fatalf("group %s is still %d messages behind on %s, and has committed nothing for %v", group, behind, topic, patience)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}

// get asks the API and decodes the answer.
func get(t *testing.T, url string, into any) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	decodeAnswer(t, res, into)
}

// post sends JSON to the API and decodes the answer.
func post(t *testing.T, url, body string, into any) {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	decodeAnswer(t, res, into)
}

func decodeAnswer(t *testing.T, res *http.Response, into any) {
	t.Helper()
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		b := new(bytes.Buffer)
		b.ReadFrom(res.Body)
		t.Fatalf("%s: %s: %s", res.Request.URL, res.Status, b)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatalf("%s: %v", res.Request.URL, err)
	}
}

// await asks again and again until ok, for half a minute.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// allViolations asks the API page by page.
func allViolations(t *testing.T, base string) []detect.Violation {
	t.Helper()
	var out []detect.Violation
	more := ""
	for {
		var page struct {
			Violations []detect.Violation `json:"violations"`
			Next       *string            `json:"next"`
		}
		get(t, base+"/v1/violations?limit=137"+more, &page)
		out = append(out, page.Violations...)
		if page.Next == nil {
			return out
		}
		more = "&cursor=" + url.QueryEscape(*page.Next)
	}
}

// key is what the truth file says of a violation, as one comparable text.
func key(kind, plate string, color int, start, end detect.Time, measured, limit *float64, fence, station string, record any) string {
	number := func(f *float64) string {
		if f == nil {
			return "-"
		}
		return fmt.Sprint(*f)
	}
	if record == nil {
		record = ""
	}
	end_ := "-"
	if end != 0 {
		end_ = end.Std().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s %s/%d %s..%s %s>%s fence=%s station=%s record=%v", kind, plate, color, start.Std().Format(time.RFC3339), end_,
		number(measured), number(limit), fence, station, record)
}

func keyOf(v *detect.Violation) string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	var end detect.Time
	if v.End != nil {
		end = *v.End
	}
	return key(string(v.Kind), v.Plate, int(v.Color), v.Start, end, v.Measured, v.Limit, text(v.Fence), text(v.Station), v.Detail["record"])
}

// truthKeys reads a truth file.
func truthKeys(t *testing.T, b []byte) []string {
	t.Helper()
	var out []string
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if line == "" {
			continue
		}
		var v struct {
			Type, Kind, Plate, Fence, Station, Record string
			Color                                     int
			Start, End                                detect.Time
			Measured, Limit                           *float64
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Type != "violation" {
			t.Fatalf("truth: %s: %v", line, err)
		}
		var record any
		if v.Record != "" {
			record = v.Record
		}
		out = append(out, key(v.Kind, v.Plate, v.Color, v.Start, v.End, v.Measured, v.Limit, v.Fence, v.Station, record))
	}
	return out
}

// sameSets compares lists whatever their order, each element as often as it is there.
func sameSets(t *testing.T, what string, got, want []string) {
	t.Helper()
	count := map[string]int{}
	for _, s := range got {
		count[s]++
	}
	for _, s := range want {
		count[s]--
	}
	shown := 0
	for s, n := range count {
		if n == 0 {
			continue
		}
		if shown++; shown > 20 {
			t.Errorf("%s: and more", what)
			return
		}
		if n > 0 {
			t.Errorf("%s: too much (%d×): %s", what, n, s)
		} else {
			t.Errorf("%s: missing (%d×): %s", what, -n, s)
		}
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func weighToken(t testing.TB, data string) string {
	t.Helper()
	return strings.TrimSpace(string(readFile(t, filepath.Join(data, "secrets", "weighings"))))
}
