package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/ingest/platform"
	"lushao/ingest/platform/inferior"
	"lushao/ingest/platform/superior"
	"lushao/internal/embed/chengine"
	"lushao/internal/sim"
	"lushao/internal/testport"
)

// asDay makes TestForwarding a day of a thousand vehicles: make platforms.
const asDay = "TEST_PLATFORMS_DAY"

// Terminals report to one lushao, which reports to another by JT/T 809, encrypted, over both links. While they drive, the main
// link is cut, then the sub link, both at once, the inferior process is killed, then the superior one; and all that again.
// What ClickHouse holds at the superior in the end is what the terminals were acknowledged, each position once, and from its log
// the violations are found that were driven.
func TestForwarding(t *testing.T) {
	for _, edition := range []string{"2011", "2019"} {
		if os.Getenv(asDay) != "" && edition == "2011" {
			continue
		}
		t.Run(edition, func(t *testing.T) { testForwarding(t, edition) })
	}
}

func testForwarding(t *testing.T, edition string) {
	dir := t.TempDir()
	fleet := testFleet(t, 40, 90*time.Minute)
	rounds := 1
	if os.Getenv(asDay) != "" {
		fleet = testFleet(t, 1000, 24*time.Hour)
		fleet.Interval = 30 * time.Second
		rounds = 3
	}
	reference := filepath.Join(dir, "reference")
	writeFleetReference(t, reference, fleet)

	superiorAddr, subAddr := testport.Reserve(t), testport.Reserve(t)
	mainLink, subLink := newCutter(t, superiorAddr), newCutter(t, subAddr)
	configure := func(name, more string) (file, base, terminals, log string) {
		base, terminals, log = testport.Reserve(t), testport.Reserve(t), testport.Reserve(t)
		file = filepath.Join(dir, name+".yaml")
		text := fmt.Sprintf("data: %s\nreference: {dir: %s}\nhttp: {listen: %q}\ngateway: {listen: %q}\nembedded: {log: {listen: %q}}\n"+
			"detect: {checkpoint_interval: 500ms}\nlog: {level: error}\n%s", filepath.Join(dir, name), reference, base, terminals, log, more)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file, "http://" + base, terminals, log
	}
	const cipher = "m1: 10000000, ia1: 20000000, ic1: 30000000, encrypt: true"
	upFile, upBase, _, upLog := configure("superior", fmt.Sprintf(
		"superior:\n  listen: %q\n  redial_delay: 100ms\n  redial_slow: 200ms\n  replace_after: 100ms\n  tick: 50ms\n  peers:\n"+
			"    - {name: county, access_code: 1001, user: 7, password: secret, edition: %q, %s, count_every: 1000, platform_id: \"14050000001\"}\n",
		superiorAddr, edition, cipher))
	downFile, downBase, terminals, downLog := configure("inferior", fmt.Sprintf(
		"inferior:\n  listen: %q\n  heartbeat: 200ms\n  backoff_min: 50ms\n  backoff_max: 500ms\n  busy_backoff: 200ms\n  refused_backoff: 500ms\n  peers:\n"+
			"    - {name: city, address: %q, access_code: 1001, user: 7, password: secret, edition: %q, %s, sub_address: %q, from: beginning,\n"+
			"       platform_id: \"14050200001\", forward: {all: true}, alarms: {kinds: [all]}}\n",
		subAddr, mainLink.addr, edition, cipher, subLink.addr))
	up := startProcess(t, "up", upFile, upBase)
	down := startProcess(t, "up", downFile, downBase)

	var truth bytes.Buffer
	acked := newAckSet()
	pace := newPace(t, fleet)
	fleet.Gateway, fleet.WeighURL, fleet.WeighToken = terminals, downBase+"/v1/weighings", weighToken(t, filepath.Join(dir, "inferior"))
	fleet.Truth, fleet.Logger = &truth, testLogger()
	fleet.BackoffMin, fleet.BackoffMax = 50*time.Millisecond, 500*time.Millisecond
	fleet.OnAck = func(v ingest.Vehicle, at int64) {
		acked.add(v, at)
		pace.acked(at)
	}
	// Each fault strikes when a vehicle is in the middle of its part of the drive. All wait at the end of the part until the
	// fault is over, and the last part comes after all faults: who drives as fast as he can would else be at his end before,
	// and a superior that was started again would never hear of him.
	driven := make(chan outcome, 1)
	faults := []func(half, end float64){
		func(_, _ float64) { mainLink.cut() },
		func(_, _ float64) { subLink.cut() },
		func(_, _ float64) { mainLink.cut(); subLink.cut() },
		func(_, _ float64) { down.kill(t); down = startProcess(t, "up", downFile, downBase) },
		func(half, end float64) {
			up.kill(t)
			pace.await(t, pace.drive(half, end), driven, "where it is to be while the superior is away") // what is missed then
			up = startProcess(t, "up", upFile, upBase)
		},
	}
	parts := float64(rounds*len(faults) + 1)
	s, err := sim.New(fleet)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		r, err := s.Run(t.Context())
		driven <- outcome{r, err}
	}()
	for i := range rounds * len(faults) {
		begin := float64(i)
		pace.await(t, pace.drive((begin+0.5)/parts, (begin+0.75)/parts), driven, fmt.Sprint("fault ", i+1))
		faults[i%len(faults)]((begin+0.9)/parts, (begin+1)/parts)
	}
	pace.release()
	o := <-driven
	if o.err != nil || o.report.Positions.Acknowledged != o.report.Positions.Sent || o.report.Unfinished != 0 {
		t.Fatalf("%+v %v", o.report, o.err)
	}
	caughtUpGroups(t, []string{downLog}, "", [2]string{worker.Group, worker.EventsTopic}, [2]string{inferior.ForwardGroup("city"), worker.EventsTopic},
		[2]string{inferior.AlarmsGroup("city"), worker.ViolationsTopic})
	caughtUp(t, []string{upLog})

	var platforms struct{ Platforms []platform.Peer }
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the superior's process says:\n%s\nthe inferior's:\n%s", up.out, down.out)
		}
	})
	get(t, upBase+"/v1/platforms", &platforms)
	if len(platforms.Platforms) != 1 || platforms.Platforms[0].Vehicles != fleet.Vehicles || platforms.Platforms[0].Main.State != platform.LinkUp {
		t.Errorf("the superior says %+v of a fleet of %d", platforms.Platforms, fleet.Vehicles)
	}
	// A vehicle of which something came late is judged again some seconds later, and alarms may come of it.
	await(t, "nothing of the inferior waits for its proof", func() bool {
		get(t, downBase+"/v1/platforms", &platforms)
		p := platforms.Platforms[0]
		return p.Unproven == 0 && p.LagMessages == 0
	})
	if p := platforms.Platforms[0]; p.Proven == 0 || p.BackfillPositions == 0 {
		t.Errorf("the inferior says %+v", p)
	}
	t.Logf("%d positions acknowledged by terminals; since its last start the inferior sent %d, %d of them again or late; main links broken %d times",
		o.report.Positions.Acknowledged, platforms.Platforms[0].Positions, platforms.Platforms[0].BackfillPositions, mainLink.cuts.Load())

	// What was driven is found from what was forwarded, judged in order of time: what was sent again after an outage came
	// late. Weigh records don't travel by JT/T 809, and 2011 has whole km/h.
	if edition == "2019" {
		dump := filepath.Join(dir, "forwarded.ndjson")
		f, err := os.Create(dump)
		if err != nil {
			t.Fatal(err)
		}
		c := testConfig(t.TempDir())
		c.Bus.Brokers = []string{upLog}
		if err := tail(t.Context(), c, f, "events", true, true); err != nil {
			t.Fatal(err)
		}
		f.Close()
		var found bytes.Buffer
		if err := replay(nil, &found, io.Discard, replayOptions{dir: reference, close: true}, []string{dump}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range bytes.Split(bytes.TrimSpace(found.Bytes()), []byte("\n")) {
			var v detect.Violation
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatal(err)
			}
			got = append(got, keyOf(&v))
		}
		sameSets(t, "violations from what was forwarded", got, slices.DeleteFunc(truthKeys(t, truth.Bytes()),
			func(k string) bool { return strings.HasPrefix(k, string(detect.KindOverload)+" ") }))
	}
	down.terminate(t)
	up.terminate(t)
	engine, err := chengine.Open(testConfig(filepath.Join(dir, "superior")).Embedded.ClickHouse)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background())
	record, err := store.Open(t.Context(), DefaultConfig().Store, engine)
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	acked.compare(t, record, fleet)
}

// cutter carries connections and cuts them.
type cutter struct {
	addr   string
	target string
	cuts   atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{addr: l.Addr().String(), target: target, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() { l.Close(); c.cut() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			c.mu.Lock()
			c.conns[near], c.conns[far] = struct{}{}, struct{}{}
			c.mu.Unlock()
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					io.Copy(way[0], way[1])
					way[0].Close()
					way[1].Close()
					c.mu.Lock()
					delete(c.conns, way[0])
					c.mu.Unlock()
				}()
			}
		}
	}()
	return c
}

// cut ends all connections without a goodbye.
func (c *cutter) cut() {
	c.cuts.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

// The HTTP interface of both roles, over real links between two processes: an inspection that is answered automatically, a
// text, a supervision that staff answers.
func TestPlatformsTalk(t *testing.T) {
	dir := t.TempDir()
	superiorAddr, subAddr, httpAddr, terminals := testport.Reserve(t), testport.Reserve(t), testport.Reserve(t), testport.Reserve(t)
	c := testConfig(filepath.Join(dir, "up"))
	c.Superior.Listen, c.Superior.Tick = superiorAddr, 50*time.Millisecond
	c.Superior.Peers = []superior.PeerConfig{{Name: "county", AccessCode: 1001, User: 7, Password: "secret", PlatformID: "14050000001"}}
	a, _ := startApp(t, c)
	up, down := "http://"+a.http.Addr().String(), "http://"+httpAddr
	file := filepath.Join(dir, "down.yaml")
	text := fmt.Sprintf("data: %s\nhttp: {listen: %q}\ngateway: {listen: %q}\nembedded: {log: {listen: %q}}\nlog: {level: error}\n"+
		"inferior:\n  listen: %q\n  heartbeat: 100ms\n  backoff_min: 50ms\n  peers:\n"+
		"    - {name: city, address: %q, access_code: 1001, user: 7, password: secret, edition: \"2019\", platform_id: \"14050200001\", sub_address: %q,\n"+
		"       forward: {all: true}, inspection: {answer: auto, responder: 张三, responder_tel: \"13800138000\"}}\n",
		filepath.Join(dir, "down"), httpAddr, terminals, testport.Reserve(t), subAddr, superiorAddr, subAddr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	process := startProcess(t, "up", file, down)
	var peers struct{ Platforms []platform.Peer }
	await(t, "both links", func() bool {
		get(t, up+"/v1/platforms", &peers)
		return peers.Platforms[0].Main.State == platform.LinkUp && peers.Platforms[0].Sub.State == platform.LinkUp
	})
	var r platform.Request
	post(t, up+"/v1/platforms/county/inspections?wait=10s", `{"question":"17加25等于多少？","object_type":1,"object_id":"14050200001","within":"1m"}`, &r)
	if r.State != platform.StateAnswered || !strings.Contains(string(r.Answer), "42") || !strings.Contains(string(r.Answer), "张三") {
		t.Errorf("the inspection: %s: %s", r.State, r.Answer)
	}
	post(t, up+"/v1/platforms/county/requests?wait=10s", `{"message":"0x9302","body":{"object_type":1,"object_id":"14050200001","info_id":5,"info_content":"今晚有雪"},"within":"1m"}`, &r)
	if r.State != platform.StateAnswered {
		t.Errorf("the text: %s %s", r.State, r.Note)
	}
	post(t, up+"/v1/platforms/county/supervisions", `{"plate":"晋E12345","color":2,"kind":"speeding","time":"2026-05-01T08:00:00+08:00","within":"1h","level":0,"supervisor":"李四"}`, &r)
	// It arrives below, where staff says what became of it.
	var below struct{ Requests []platform.Request }
	await(t, "the supervision below", func() bool {
		get(t, down+"/v1/platform-requests?kind=supervision", &below)
		return len(below.Requests) == 1
	})
	var answered platform.Request
	post(t, down+"/v1/platform-requests/"+below.Requests[0].ID+"/answer", `{"result":"done","note":"已教育"}`, &answered)
	await(t, "the answer above", func() bool {
		get(t, up+"/v1/platform-requests/"+r.ID, &r)
		return r.State == platform.StateAnswered
	})
	process.terminate(t)
	await(t, "the logout", func() bool {
		get(t, up+"/v1/platforms/county", &peers.Platforms[0])
		return peers.Platforms[0].Main.State != platform.LinkUp
	})
}
