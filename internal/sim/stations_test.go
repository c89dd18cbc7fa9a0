package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/weigh"
)

// office takes weigh records as the platform does, after a number of failures.
type office struct {
	t        *testing.T
	mu       sync.Mutex
	failures []func(w http.ResponseWriter)
	taken    map[string]string // line by record number
	again    int
	refuse   string // number of a record that is refused, or "first"
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Authorization") != "Bearer open" || r.Header.Get("Content-Type") != "application/x-ndjson" {
		o.t.Errorf("a request without body, token or type: %v %v", err, r.Header)
	}
	lost := false
	if len(o.failures) > 0 {
		f := o.failures[0]
		o.failures = o.failures[1:]
		if f != nil {
			f(w)
			return
		}
		lost = true // it is taken, but the answer does not arrive
	}
	type refusal struct {
		Index  int    `json:"index"`
		Field  string `json:"field"`
		Reason string `json:"reason"`
	}
	answer := struct {
		Taken     int       `json:"taken"`
		Duplicate int       `json:"duplicate"`
		Refused   []refusal `json:"refused"`
	}{}
	for i, line := range strings.Split(strings.TrimSpace(string(body)), "\n") {
		var e ingest.Event
		if refusal := weigh.Parse([]byte(line), time.Now().UnixMilli(), time.Now().UnixMilli(), &e); refusal != nil {
			o.t.Errorf("%s: %v", line, refusal)
		}
		n := e.Weighing.Record
		if o.refuse == "first" {
			o.refuse = n
		}
		if n == o.refuse {
			answer.Refused = append(answer.Refused, refusal{i, "station", "unknown_station"})
			continue
		}
		if old, ok := o.taken[n]; ok {
			if old != line {
				o.t.Errorf("record %s came twice with other content", n)
			}
			o.again++
			answer.Duplicate++
			continue
		}
		o.taken[n] = line
		answer.Taken++
	}
	if lost {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func weighing(t *testing.T, o *office) (Config, *httptest.Server) {
	t.Helper()
	o.t, o.taken = t, map[string]string{}
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	c := offline(20, 2, 3)
	c.WeighURL, c.WeighToken, c.Stations = srv.URL+"/v1/weighings", "open", 12
	c.BackoffMin, c.BackoffMax = time.Millisecond, 5*time.Millisecond
	return c, srv
}

// TestWeighings posts through every kind of failure; each record is taken once, and what is overloaded is truth.
func TestWeighings(t *testing.T) {
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { http.Error(w, "busy", code) }
	}
	o := &office{failures: []func(http.ResponseWriter){status(503), status(429), status(500), nil,
		func(w http.ResponseWriter) { fmt.Fprint(w, "no JSON") }, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, status(408)}}
	c, _ := weighing(t, o)
	_, wait, _ := start(t, c)
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Weighings.Sent == 0 || r.Weighings.Acknowledged != r.Weighings.Sent || int64(len(o.taken)) != r.Weighings.Sent || r.Resent == 0 || o.again == 0 {
		t.Errorf("%d taken, %d again, report %+v", len(o.taken), o.again, r)
	}
	c.WeighURL = ""
	if want := run(t, c).report; want.Weighings.Sent != r.Weighings.Sent || fmt.Sprint(want.Violations) != fmt.Sprint(r.Violations) || r.Violations["overload"] == 0 {
		t.Errorf("report %+v, without sockets %+v", r, want)
	}
}

func TestWeighingRefused(t *testing.T) {
	o := &office{refuse: "first"}
	c, _ := weighing(t, o)
	_, wait, _ := start(t, c)
	r, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Weighings.Refused != 1 || r.Weighings.Acknowledged != r.Weighings.Sent-1 {
		t.Errorf("report %+v", r)
	}
}

// TestWeighingHopeless ends the run at once where the platform will never take a record.
func TestWeighingHopeless(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such token", http.StatusUnauthorized) }))
	defer srv.Close()
	c := offline(40, 24, 3)
	c.WeighURL = srv.URL
	_, wait, _ := start(t, c)
	if _, err := wait(); err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "no such token") {
		t.Errorf("error %v", err)
	}
}
