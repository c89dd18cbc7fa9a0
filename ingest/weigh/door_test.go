package weigh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
)

// fakeLog is an events topic and a marks topic that can stall, fail and come back. Tests change it under mu.
type fakeLog struct {
	mu         sync.Mutex
	fail       error
	gate       chan struct{} // Wait blocks until it is closed; nil: open
	waiting    chan struct{} // gets a value when a Wait begins to block
	events     []ingest.Event
	partitions []int // of events
	marks      []Mark
	markFail   error
	markFirst  bool // a mark was written before its event
}

func newFakeLog() *fakeLog { return &fakeLog{waiting: make(chan struct{}, 100)} }

func (l *fakeLog) Partitions() int { return 4 }
func (l *fakeLog) NewBatch() Batch { return &fakeBatch{log: l} }

type fakeBatch struct {
	log        *fakeLog
	held       []ingest.Event
	partitions []int
}

func (b *fakeBatch) Append(ctx context.Context, partition int, payload []byte) error {
	for len(payload) > 0 {
		var e ingest.Event
		rest, err := ingest.DecodeEvent(bytes.Clone(payload), &e)
		if err != nil {
			return err
		}
		if !e.Unread() && e.Vehicle.Partition(4) != partition {
			return fmt.Errorf("%v in partition %d", e.Vehicle, partition)
		}
		b.held, b.partitions = append(b.held, e), append(b.partitions, partition)
		payload = payload[len(payload)-len(rest):]
	}
	return nil
}

func (b *fakeBatch) Wait(ctx context.Context) error {
	b.log.mu.Lock()
	gate := b.log.gate
	b.log.mu.Unlock()
	if gate != nil {
		b.log.waiting <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.log.mu.Lock()
	defer b.log.mu.Unlock()
	if b.log.fail != nil {
		return b.log.fail
	}
	b.log.events, b.log.partitions = append(b.log.events, b.held...), append(b.log.partitions, b.partitions...)
	b.held, b.partitions = nil, nil
	return nil
}

func (l *fakeLog) Load(ctx context.Context, fn func(Mark) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.marks {
		if err := fn(m); err != nil {
			return err
		}
	}
	return nil
}

func (l *fakeLog) Write(ctx context.Context, marks []Mark) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.markFail != nil {
		return l.markFail
	}
	for _, m := range marks {
		there := false
		for _, e := range l.events {
			there = there || bytes.Equal(topicKey(e.Weighing.Station, e.Weighing.Record), m.Key)
		}
		l.markFirst = l.markFirst || !there
		l.marks = append(l.marks, m)
	}
	return nil
}

func (l *fakeLog) records() (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		names = append(names, e.Weighing.Record)
	}
	return names
}

// byPartition returns the names of the records in each partition, in their order there.
func (l *fakeLog) byPartition() [][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([][]string, l.Partitions())
	for i, e := range l.events {
		names[l.partitions[i]] = append(names[l.partitions[i]], e.Weighing.Record)
	}
	return names
}

type register map[string]bool

func (r register) Known(s string) bool { return r[s] }

const token = "s3cret-of-the-north-gate"

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Tokens = []Token{{Name: "all", Token: token}, {Name: "two", Token: "only-s2", Stations: []string{"S002"}}}
	return cfg
}

// serveDoor starts a door behind a real server on loopback.
func serveDoor(t *testing.T, cfg Config, deps Deps) (*Door, *httptest.Server, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	deps.Registerer, deps.Logger = reg, slog.New(slog.DiscardHandler)
	if deps.Now == nil {
		deps.Now = time.Now
	}
	d, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	return d, srv, reg
}

func record(station, number string, grossKg int) string {
	return fmt.Sprintf(`{"plate":"晋E12345","color":2,"time":"2026-05-01T08:00:00+08:00","station":%q,"record":%q,"gross_kg":%d}`, station, number, grossKg)
}

func post(t *testing.T, url, token, contentType, body string) (int, Answer, http.Header) {
	t.Helper()
	status, a, h, err := tryPost(url, token, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return status, a, h
}

func tryPost(url, token, contentType string, body io.Reader) (int, Answer, http.Header, error) {
	req, err := http.NewRequest(http.MethodPost, url, body)
	if err != nil {
		return 0, Answer{}, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, Answer{}, nil, err
	}
	defer res.Body.Close()
	var a Answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return 0, a, nil, err
	}
	return res.StatusCode, a, res.Header, nil
}

func TestAnswersAndLog(t *testing.T) {
	log := newFakeLog()
	_, srv, reg := serveDoor(t, testConfig(), Deps{Log: log, Marks: log, Stations: register{"S001": true, "S002": true}})
	unread := strings.Replace(record("S001", "u", 20000), "晋E12345", "无牌", 1)
	steps := []struct {
		name, contentType, body, token string
		status                         int
		want                           string // taken, duplicate, refused as index:record:field:code
	}{
		{"object", "application/json", record("S001", "1", 20000), token, 200, "1 0"},
		{"again", "application/json", record("S001", "1", 20000), token, 200, "0 1"},
		{"another under its number", "application/json", record("S001", "1", 20001), token, 200, "0 0 0:1:record:conflict"},
		{"same number elsewhere", "application/json", record("S002", "1", 20001), token, 200, "1 0"},
		{"list with all sorts", "application/json", "[" + record("S001", "2", 1) + "," + record("S001", "3", 20000) + "," + record("S001", "3", 20000) + "," +
			record("S001", "3", 20002) + "," + unread + "," + record("S009", "4", 20000) + ",7]", token, 200,
			"2 1 0:2:gross_kg:out_of_range 3:3:record:conflict 5:4:station:unknown_station 6::record:wrong_type"},
		{"a refused number is free", "", record("S001", "2", 20000), token, 200, "1 0"},
		{"ndjson with a broken line", "application/x-ndjson; charset=utf-8", "\xef\xbb\xbf" + record("S001", "5", 20000) + "\r\n{\"a\n" + record("S001", "6", 20000), token, 200,
			"2 0 1::record:not_json"},
		{"token of another station", "", record("S001", "7", 20000), "only-s2", 403, "0 0 0:7:station:station_not_allowed"},
		{"token of one of the stations", "", record("S001", "7", 20000) + record("S002", "7", 20000), "only-s2", 200, "1 0 0:7:station:station_not_allowed"},
		{"no JSON", "application/json", "plate=晋E12345", token, 400, "0 0"},
		{"no JSON in lines", "application/x-ndjson", "one\ntwo\n", token, 400, "0 0 0::record:not_json 1::record:not_json"},
		{"broken in the middle", "application/json", "[" + record("S001", "8", 20000) + ",{", token, 400, "1 0"},
		{"empty list", "application/json", "[]", token, 200, "0 0"},
		{"no token", "application/json", record("S001", "9", 20000), "", 401, "0 0"},
		{"wrong token", "application/json", record("S001", "9", 20000), token + "x", 401, "0 0"},
		{"other content", "application/xml", record("S001", "9", 20000), token, 415, "0 0"},
		{"other charset", "application/json; charset=gbk", record("S001", "9", 20000), token, 415, "0 0"},
	}
	for _, s := range steps {
		status, a, h := post(t, srv.URL, s.token, s.contentType, s.body)
		got := fmt.Sprint(a.Taken, " ", a.Duplicate)
		for _, r := range a.Refused {
			code, _, _ := strings.Cut(r.Reason, ":")
			got += fmt.Sprintf(" %d:%s:%s:%s", r.Index, r.Record, r.Field, code)
		}
		if status != s.status || got != s.want {
			t.Errorf("%s: %d %s, want %d %s", s.name, status, got, s.status, s.want)
		}
		if (status != 200) != (a.Error != "") {
			t.Errorf("%s: status %d, error %q", s.name, status, a.Error)
		}
		if status == 401 && h.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", s.name)
		}
	}
	// The log keeps an order within a partition only, and so does the door. All the records are of one vehicle, but one of nobody.
	vehicle, err := ingest.NewVehicle("晋E12345", 2)
	if err != nil {
		t.Fatal(err)
	}
	own := vehicle.Partition(4)
	for p, records := range log.byPartition() {
		want := "[u]"
		if p == own {
			want = "[1 1 3 u 2 5 6 7 8]"
		}
		if got := fmt.Sprint(records); got != want {
			t.Errorf("partition %d of the log has %s, want %s", p, got, want)
		}
	}
	if log.markFirst {
		t.Error("a mark was written before its event was in the log")
	}
	if n := testutil.CollectAndCount(reg, "lushao_weigh_refused_records_total"); n != len(codes) {
		t.Errorf("%d refusal codes in the metrics, want %d", n, len(codes))
	}
}

// A record whose plate could not be read is in every partition before it is answered, once, however often and in whatever words it is
// sent; if one partition fails, nothing is claimed.
func TestUnreadPlateGoesToEveryPartition(t *testing.T) {
	log := newFakeLog()
	log.fail = errors.New("one broker is down")
	_, srv, reg := serveDoor(t, testConfig(), Deps{Log: log, Marks: log})
	unread := func(number, plate string) string {
		return strings.Replace(record("S001", number, 20000), "晋E12345", plate, 1)
	}
	if status, a, _ := post(t, srv.URL, token, "", unread("u", "无牌")); status != 503 || a.Taken != 0 {
		t.Errorf("the log refuses: %d %+v", status, a)
	}
	log.mu.Lock()
	log.fail = nil
	log.mu.Unlock()
	for i, want := range []string{"1 0", "0 1"} {
		status, a, _ := post(t, srv.URL, token, "", unread("u", [2]string{"无牌", "未识别"}[i]))
		if got := fmt.Sprint(a.Taken, " ", a.Duplicate); status != 200 || got != want {
			t.Errorf("sent %d times: %d %s, want %s", i+1, status, got, want)
		}
	}
	var list []string
	for i := range 3000 {
		list = append(list, unread(fmt.Sprint("f", i), ""))
	}
	if status, a, _ := post(t, srv.URL, token, "", "["+strings.Join(list, ",")+"]"); status != 200 || a.Taken != 3000 {
		t.Errorf("a flood: %d, %d taken", status, a.Taken)
	}
	if status, a, _ := post(t, srv.URL, token, "", record("S001", "u", 20000)); status != 200 || len(a.Refused) != 1 || !strings.HasPrefix(a.Refused[0].Reason, CodeConflict) {
		t.Errorf("read after all, under the same number: %d %+v", status, a)
	}
	seen := map[int]int{}
	for i, e := range log.events {
		if !e.Unread() {
			t.Errorf("%+v has a vehicle", e)
		}
		seen[log.partitions[i]]++
	}
	for p := range 4 {
		if seen[p] != 3001 {
			t.Errorf("partition %d has %d of 3001 records", p, seen[p])
		}
	}
	if n := testutil.CollectAndCount(reg, "lushao_weigh_unread_records_total"); n != 1 {
		t.Errorf("%d metrics of unread plates", n)
	}
}

func TestEveryRecordIsReceivedByTheServersClock(t *testing.T) {
	log := newFakeLog()
	now := time.Date(2026, 5, 1, 0, 3, 0, 0, time.UTC)
	_, srv, _ := serveDoor(t, testConfig(), Deps{Log: log, Now: func() time.Time { return now }})
	body := strings.Replace(record("S", "1", 20000), "}", `,"received":"2020-01-01T00:00:00Z"}`, 1)
	if status, a, _ := post(t, srv.URL, token, "", body); status != 200 || a.Taken != 1 {
		t.Fatal(status, a)
	}
	if got := log.events[0].Received; got != now.UnixMilli() {
		t.Errorf("received %d, want %d", got, now.UnixMilli())
	}
	future := strings.Replace(record("S", "2", 20000), "08:00:00+08:00", "08:08:01+08:00", 1)
	if _, a, _ := post(t, srv.URL, token, "", future); len(a.Refused) != 1 || !strings.HasPrefix(a.Refused[0].Reason, CodeInFuture) {
		t.Errorf("5 min and 1 s ahead: %+v", a)
	}
}

func TestRestartRemembers(t *testing.T) {
	log := newFakeLog()
	_, srv, _ := serveDoor(t, testConfig(), Deps{Log: log, Marks: log})
	post(t, srv.URL, token, "", record("S", "1", 20000))
	log.marks = append(log.marks, Mark{Key: []byte("no separator"), Value: []byte("of another time")})

	_, srv, _ = serveDoor(t, testConfig(), Deps{Log: log, Marks: log})
	if _, a, _ := post(t, srv.URL, token, "", record("S", "1", 20000)); a.Duplicate != 1 || a.Taken != 0 {
		t.Errorf("the same after a restart: %+v", a)
	}
	if _, a, _ := post(t, srv.URL, token, "", record("S", "1", 30000)); len(a.Refused) != 1 {
		t.Errorf("another after a restart: %+v", a)
	}
	if got := log.records(); len(got) != 1 {
		t.Errorf("the log has %v", got)
	}
}

func TestLogFailsAndComesBack(t *testing.T) {
	log := newFakeLog()
	_, srv, _ := serveDoor(t, testConfig(), Deps{Log: log, Marks: log})
	body := "[" + record("S", "1", 20000) + "," + record("S", "2", 7) + "]"
	for _, set := range []func(error){func(err error) { log.fail = err }, func(err error) { log.markFail = err }} {
		set(errors.New("the disk is full"))
		status, a, h := post(t, srv.URL, token, "", body)
		if status != 503 || h.Get("Retry-After") == "" || a.Taken != 0 || a.Duplicate != 0 || len(a.Refused) != 0 {
			t.Errorf("%d %+v, Retry-After %q: want 503 and nothing claimed", status, a, h.Get("Retry-After"))
		}
		set(nil)
	}
	if status, a, _ := post(t, srv.URL, token, "", body); status != 200 || a.Taken != 1 || len(a.Refused) != 1 {
		t.Errorf("after it came back: %d %+v", status, a)
	}
}

func TestAckTimeout(t *testing.T) {
	log := newFakeLog()
	log.gate = make(chan struct{})
	cfg := testConfig()
	cfg.AckTimeout = 20 * time.Millisecond
	_, srv, _ := serveDoor(t, cfg, Deps{Log: log})
	if status, a, _ := post(t, srv.URL, token, "", record("S", "1", 20000)); status != 503 || a.Taken != 0 {
		t.Errorf("%d %+v", status, a)
	}
}

// The answer must wait for the log, and a second request with the same record for the first one's outcome.
func TestAnswerWaitsForTheLog(t *testing.T) {
	for _, ok := range []bool{true, false} {
		log := newFakeLog()
		log.gate = make(chan struct{})
		d, srv, _ := serveDoor(t, testConfig(), Deps{Log: log})
		type result struct {
			status int
			answer Answer
		}
		results := make(chan result, 4)
		send := func(body string) {
			status, a, _, err := tryPost(srv.URL, token, "", strings.NewReader(body))
			if err != nil {
				t.Error(err)
			}
			results <- result{status, a}
		}
		go send(record("S", "1", 20000))
		<-log.waiting
		go send(record("S", "2", 20000) + record("S", "1", 20000))
		<-log.waiting // the second is at the log with its own record
		go send(record("S", "1", 20000))
		go send(record("S", "1", 30000))
		for len(d.room) < 4 && len(results) == 0 { // these two have nothing of their own to wait for
			runtime.Gosched()
		}
		select {
		case r := <-results:
			t.Fatalf("answered before the log did: %+v", r)
		default:
		}
		log.mu.Lock()
		if !ok {
			log.fail = errors.New("no")
		}
		log.mu.Unlock()
		close(log.gate)
		var taken, dup, failed int
		var refused int
		for range 4 {
			r := <-results
			refused += len(r.answer.Refused)
			taken += r.answer.Taken
			dup += r.answer.Duplicate
			if r.status == 503 {
				failed++
			}
		}
		if ok && (taken != 2 || dup != 2 || refused != 1 || failed != 0) || !ok && (taken != 0 || failed != 4) {
			t.Errorf("log ok=%v: taken %d, duplicate %d, refused %d, failed %d", ok, taken, dup, refused, failed)
		}
	}
}

func TestTooLongIsCut(t *testing.T) {
	log := newFakeLog()
	cfg := testConfig()
	cfg.MaxBody = 1 << 16
	cfg.MaxRecords = 3
	_, srv, _ := serveDoor(t, cfg, Deps{Log: log})

	status, a, _ := post(t, srv.URL, token, "", strings.Repeat(" ", 1<<16)+record("S", "1", 20000))
	if status != 413 || a.Taken != 0 {
		t.Errorf("announced: %d %+v", status, a)
	}
	// A gigabyte without an announced length: the server must hang up near the limit.
	sent := &counting{r: io.LimitReader(io.MultiReader(strings.NewReader("["+record("S", "1", 20000)+","), repeat(" ")), 1<<30)}
	status, a, _, err := tryPost(srv.URL, token, "", sent)
	if err == nil && (status != 413 || a.Taken != 1) {
		t.Errorf("not announced: %d %+v", status, a)
	}
	if got := log.records(); len(got) != 1 {
		t.Errorf("what came before the cut: %v, want it taken", got)
	}
	if n := sent.n.Load(); n > 64<<20 {
		t.Errorf("%d bytes were read of a body that is limited to %d", n, cfg.MaxBody)
	}
	status, a, _ = post(t, srv.URL, token, "", record("S", "2", 20000)+record("S", "3", 20000)+record("S", "4", 20000)+record("S", "5", 20000))
	if status != 413 || a.Taken != 3 || !strings.Contains(a.Error, "3 records") {
		t.Errorf("too many records: %d %+v", status, a)
	}
}

func TestSlowSenderIsCutAndOthersGoOn(t *testing.T) {
	log := newFakeLog()
	cfg := testConfig()
	cfg.ReadTimeout = 50 * time.Millisecond
	_, srv, _ := serveDoor(t, cfg, Deps{Log: log})
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first := record("S", "slow", 20000)
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100000\r\n\r\n[%s,", token, first)
	if status, a, _ := post(t, srv.URL, token, "", record("S", "honest", 20000)); status != 200 || a.Taken != 1 {
		t.Errorf("beside a slow sender: %d %+v", status, a)
	}
	answer, err := io.ReadAll(c) // ends when the server hangs up
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 408")) || !bytes.Contains(answer, []byte(`"taken":1`)) {
		t.Errorf("slow sender got %s", answer)
	}
}

func TestTooManyAtATime(t *testing.T) {
	log := newFakeLog()
	log.gate = make(chan struct{})
	cfg := testConfig()
	cfg.MaxConcurrent = 1
	d, srv, _ := serveDoor(t, cfg, Deps{Log: log})
	done := make(chan int, 1)
	go func() {
		status, _, _, _ := tryPost(srv.URL, token, "", strings.NewReader(record("S", "1", 20000)))
		done <- status
	}()
	<-log.waiting
	if status, _, h := post(t, srv.URL, token, "", record("S", "2", 20000)); status != 429 || h.Get("Retry-After") == "" {
		t.Errorf("second request: %d", status)
	}
	// Shutdown waits for who is inside and turns away who comes.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if d.Shutdown(ended) == nil {
		t.Error("Shutdown did not wait for the request under way")
	}
	close(log.gate)
	if status := <-done; status != 200 {
		t.Errorf("first request: %d", status)
	}
	if err := d.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if status, _, _ := post(t, srv.URL, token, "", record("S", "3", 20000)); status != 503 {
		t.Errorf("after Shutdown: %d", status)
	}
}

func TestStationsAreSwapped(t *testing.T) {
	log := newFakeLog()
	d, srv, _ := serveDoor(t, testConfig(), Deps{Log: log, Stations: register{}})
	if _, a, _ := post(t, srv.URL, token, "", record("S", "1", 20000)); a.Taken != 0 {
		t.Errorf("unknown station: %+v", a)
	}
	d.SetStations(register{"S": true})
	if _, a, _ := post(t, srv.URL, token, "", record("S", "1", 20000)); a.Taken != 1 {
		t.Errorf("known station: %+v", a)
	}
}
