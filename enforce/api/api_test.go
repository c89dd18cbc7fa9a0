package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/httpx"
)

const base = int64(1777593600000) // 2026-05-01 08:00 Beijing time

// fakeStore remembers what it was asked and answers with what it is given.
type fakeStore struct {
	list   store.ViolationFilter
	track  store.TrackFilter
	page   store.Page
	record *store.Record
	points store.TrackPage
	visits store.VisitFilter
	shadow store.ShadowFilter
	visit  *store.VisitRecord
	seen   []store.Seen
	err    error
	wait   bool // until the context ends
}

func (f *fakeStore) fail(ctx context.Context) error {
	if f.wait {
		<-ctx.Done()
		return errors.New("code: 159, message: Timeout exceeded")
	}
	return f.err
}

func (f *fakeStore) ListViolations(ctx context.Context, q store.ViolationFilter) (store.Page, error) {
	f.list = q
	return f.page, f.fail(ctx)
}

func (f *fakeStore) Violation(ctx context.Context, id string) (*store.Record, error) {
	if err := f.fail(ctx); err != nil {
		return nil, err
	}
	if f.record == nil || f.record.ID != id {
		return nil, store.ErrNotFound
	}
	return f.record, nil
}

func (f *fakeStore) Track(ctx context.Context, q store.TrackFilter) (store.TrackPage, error) {
	f.track = q
	return f.points, f.fail(ctx)
}

func (f *fakeStore) CompareShadow(ctx context.Context, q store.ShadowFilter) (map[string]store.ShadowCounts, error) {
	f.shadow = q
	return map[string]store.ShadowCounts{"speeding": {InForce: 3, Shadow: 5, Both: 4, OnlyInForce: 1, OnlyShadow: 1}}, f.fail(ctx)
}

func (f *fakeStore) ListVisits(ctx context.Context, q store.VisitFilter) (store.VisitPage, error) {
	f.visits = q
	if f.visit == nil {
		return store.VisitPage{}, f.fail(ctx)
	}
	return store.VisitPage{Visits: []store.VisitRecord{*f.visit}, Next: "more"}, f.fail(ctx)
}

func (f *fakeStore) Visit(ctx context.Context, id string) (*store.VisitRecord, error) {
	if f.visit == nil || f.visit.ID != id {
		return nil, store.ErrNotFound
	}
	return f.visit, f.fail(ctx)
}

func (f *fakeStore) Colors(ctx context.Context, _ string) ([]store.Seen, error) {
	return f.seen, f.fail(ctx)
}

func (f *fakeStore) Vehicle(ctx context.Context, v ingest.Vehicle, _ time.Time) (*store.VehicleSummary, error) {
	if err := f.fail(ctx); err != nil {
		return nil, err
	}
	for _, s := range f.seen {
		if s.Vehicle == v {
			return &store.VehicleSummary{Seen: s, Days30: map[string]uint64{}, Days365: map[string]uint64{"speeding": 2}}, nil
		}
	}
	return nil, store.ErrNotFound
}

func newAPI(t testing.TB, cfg Config, s Store) *API {
	t.Helper()
	a, err := New(cfg, s, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	a.now = func() time.Time { return time.UnixMilli(base + 3600_000) }
	return a
}

func get(t testing.TB, h http.Handler, target string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 0 && !json.Valid(b) {
		t.Fatalf("%s: no JSON: %s", target, b)
	}
	return w.Result(), string(b)
}

func record(t testing.TB, raw string) *store.Record {
	t.Helper()
	r := &store.Record{JSON: json.RawMessage(raw)}
	if err := json.Unmarshal(r.JSON, &r.Violation); err != nil {
		t.Fatal(err)
	}
	return r
}

const closedViolation = `{"id":"a1","version":7,"state":"closed","kind":"speeding","plate":"晋E00001","color":2,"start":"2026-05-01T08:00:00+08:00","end":"2026-05-01T08:02:30+08:00","later":{"x":12345678901234567}}`

func vehicle(t testing.TB, plate string, color ingest.Color) ingest.Vehicle {
	t.Helper()
	v, err := ingest.NewVehicle(plate, color)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFilterParameters(t *testing.T) {
	f := &fakeStore{}
	a := newAPI(t, DefaultConfig(), f)
	q := "kind=speeding,overload&kind=fence_entry&plate=" + url.QueryEscape("晋E00001") + "&color=2&class=hazmat&operator=O17&region=140502&state=open&state=retracted" +
		"&from=2026-05-01T08:00:00+08:00&to=2026-05-02&band=" + url.QueryEscape("<10") + ",20-50&station=S1&fence=F1&shadow=stricter-stretch&min_over_pct=12.5&limit=1000&cursor=abc"
	res, body := get(t, a, "/v1/violations?"+q)
	if res.StatusCode != 200 || strings.TrimSpace(body) != `{"violations":[],"next":null}` {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if res.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		t.Errorf("header %v", res.Header)
	}
	g := f.list
	if *g.Color != 2 || *g.MinOverPct != 12.5 {
		t.Errorf("color %d, min_over_pct %v", *g.Color, *g.MinOverPct)
	}
	g.Color, g.MinOverPct = nil, nil
	want := store.ViolationFilter{Kinds: []string{"speeding", "overload", "fence_entry"}, Classes: []string{"hazmat"}, Bands: []string{"<10", "20-50"}, Plate: "晋E00001",
		Operator: "O17", Station: "S1", Fence: "F1", Shadow: "stricter-stretch", Region: "140502", States: []detect.State{"open", "retracted"}, From: base, To: base + 16*3600_000, Limit: 1000, Cursor: "abc"}
	if fmt.Sprintf("%#v", g) != fmt.Sprintf("%#v", want) {
		t.Errorf("got  %#v\nwant %#v", g, want)
	}
	get(t, a, "/v1/violations")
	if f.list.Limit != 100 || f.list.States != nil {
		t.Errorf("defaults %+v", f.list)
	}
}

func TestBadRequests(t *testing.T) {
	f := &fakeStore{record: record(t, closedViolation)}
	a := newAPI(t, DefaultConfig(), f)
	for _, c := range []struct {
		target string
		status int
		field  string
	}{
		{"/v1/violations?colour=2", 400, "colour"},
		{"/v1/violations?limit=0", 400, "limit"},
		{"/v1/violations?limit=1001", 400, "limit"},
		{"/v1/violations?limit=99999999999999999999", 400, "limit"},
		{"/v1/violations?limit=1e3", 400, "limit"},
		{"/v1/violations?limit=1&limit=2", 400, "limit"},
		{"/v1/violations?limit=", 400, "limit"},
		{"/v1/violations?color=-1", 400, "color"},
		{"/v1/violations?color=256", 400, "color"},
		{"/v1/violations?kind=", 400, "kind"},
		{"/v1/violations?kind=a%27%20OR%201", 400, "kind"},
		{"/v1/violations?kind=" + strings.Repeat("a,", 70) + "a", 400, "kind"},
		{"/v1/violations?class=lorry", 400, "class"},
		{"/v1/violations?state=shut", 400, "state"},
		{"/v1/violations?band=5", 400, "band"},
		{"/v1/violations?from=yesterday", 400, "from"},
		{"/v1/violations?from=2026-02-30", 400, "from"},
		{"/v1/violations?from=9999-01-01", 400, "from"},
		{"/v1/violations?from=0001-01-01T00:00:00Z", 400, "from"},
		{"/v1/violations?from=2026-05-02&to=2026-05-01", 400, "to"},
		{"/v1/violations?min_over_pct=NaN", 400, "min_over_pct"},
		{"/v1/violations?shadow=A%20B", 400, "shadow"},
		{"/v1/violations?shadow=", 400, "shadow"},
		{"/v1/violations?min_over_pct=Inf", 400, "min_over_pct"},
		{"/v1/violations?plate=" + strings.Repeat("x", 23), 400, "plate"},
		{"/v1/violations?plate=%ff", 400, "plate"},
		{"/v1/violations?plate=a%00b", 400, "plate"},
		{"/v1/violations?operator=" + strings.Repeat("x", 200), 400, "operator"},
		{"/v1/violations?cursor=" + strings.Repeat("x", 300), 400, "cursor"},
		{"/v1/violations?a=%zz", 400, ""},
		{"/v1/violations/a1?x=1", 400, "x"},
		{"/v1/violations/a1/track?margin_s=-1", 400, "margin_s"},
		{"/v1/violations/a1/track?margin_s=86401", 400, "margin_s"},
		{"/v1/violations/a1/track?limit=20001", 400, "limit"},
		{"/v1/violations/" + strings.Repeat("a", 65), 404, ""},
		{"/v1/violations/nope", 404, ""},
		{"/v1/violations/nope/track", 404, ""},
		{"/v1/vehicles/%ff", 400, "plate"},
		{"/v1/vehicles/" + strings.Repeat("x", 23), 400, "plate"},
		{"/v1/vehicles/x?color=red", 400, "color"},
		{"/v1/vehicles/x?colour=1", 400, "colour"},
		{"/v1/vehicles/x", 404, "plate"},
		{"/v1/vehicles/x?color=1", 404, ""},
		{"/v1/other", 404, ""},
		{"/", 404, ""},
	} {
		res, body := get(t, a, c.target)
		var e httpx.ErrorBody
		if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Code == "" || e.Error.Message == "" || !strings.Contains(body, `"field":`) {
			t.Errorf("%.80s: %s", c.target, body)
			continue
		}
		field := ""
		if e.Error.Field != nil {
			field = *e.Error.Field
		}
		if res.StatusCode != c.status || field != c.field {
			t.Errorf("%.80s: %d, field %q; want %d, %q: %s", c.target, res.StatusCode, field, c.status, c.field, e.Error.Message)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	a := newAPI(t, DefaultConfig(), &fakeStore{})
	for _, m := range []string{"POST", "DELETE", "PUT"} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(m, "/v1/violations", nil))
		if w.Code != 405 || w.Header().Get("Allow") == "" || !strings.Contains(w.Body.String(), "method_not_allowed") {
			t.Errorf("%s: %d %s", m, w.Code, w.Body)
		}
	}
}

func TestStoreErrors(t *testing.T) {
	f := &fakeStore{err: errors.New("code: 60, message: table secret_table of host 10.0.0.1 does not exist")}
	cfg := DefaultConfig()
	a := newAPI(t, cfg, f)
	res, body := get(t, a, "/v1/violations")
	if res.StatusCode != 503 || strings.Contains(body, "secret") || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	f.err = store.ErrCursor
	if res, body = get(t, a, "/v1/violations?cursor=x"); res.StatusCode != 400 || !strings.Contains(body, `"field":"cursor"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	cfg.Timeout = time.Millisecond
	f.wait = true
	if res, body = get(t, newAPI(t, cfg, f), "/v1/violations"); res.StatusCode != 504 || !strings.Contains(body, "timeout") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

// More than max_concurrent are told to come again at once; they do not pile up before ClickHouse.
func TestBusy(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxConcurrent = 1
	a := newAPI(t, cfg, &fakeStore{})
	a.slots <- struct{}{}
	if res, body := get(t, a, "/v1/violations"); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	<-a.slots
	if res, body := get(t, a, "/v1/violations"); res.StatusCode != 200 || len(a.slots) != 0 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("# readers\n\nabcdefghijklmnop\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Tokens, cfg.TokensFile = []string{"0123456789abcdef"}, file
	a := newAPI(t, cfg, &fakeStore{})
	for header, want := range map[string]int{
		"Bearer 0123456789abcdef":  200,
		"bearer 0123456789abcdef":  200,
		"Bearer abcdefghijklmnop":  200,
		"Bearer 0123456789abcdeF":  401,
		"Bearer 0123456789abcde":   401,
		"Bearer 0123456789abcdefg": 401,
		"Basic 0123456789abcdef":   401,
		"0123456789abcdef":         401,
		"Bearer":                   401,
		"Bearer # readers":         401,
		"":                         401,
	} {
		res, body := get(t, a, "/v1/violations", "Authorization", header)
		if res.StatusCode != want || (want == 401) != (res.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%q: %d %s", header, res.StatusCode, body)
		}
	}
	if res, _ := get(t, a, "/v1/other"); res.StatusCode != 401 {
		t.Errorf("an unknown path tells of itself without a token: %d", res.StatusCode)
	}
}

func TestConfigValidate(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		listen string
		change func(*Config)
		want   string
	}{
		{"127.0.0.1:8080", nil, ""},
		{"[::1]:8080", nil, ""},
		{"localhost:8080", nil, ""},
		{":8080", nil, "api.tokens"},
		{"0.0.0.0:8080", nil, "api.tokens"},
		{"0.0.0.0:8080", func(c *Config) { c.AllowAnonymous = true }, ""},
		{"0.0.0.0:8080", func(c *Config) { c.Tokens = []string{"0123456789abcdef"} }, ""},
		{"127.0.0.1:1", func(c *Config) { c.Tokens = []string{"short"} }, "number 1 has 5 bytes"},
		{"127.0.0.1:1", func(c *Config) { c.TokensFile = empty }, "holds no token"},
		{"127.0.0.1:1", func(c *Config) { c.TokensFile = empty + "x" }, "api.tokens_file"},
		{"127.0.0.1:1", func(c *Config) { c.Timeout = 0 }, "api.timeout"},
		{"127.0.0.1:1", func(c *Config) { c.MaxConcurrent = 0 }, "api.max_concurrent"},
	} {
		cfg := DefaultConfig()
		if c.change != nil {
			c.change(&cfg)
		}
		err := cfg.Validate(c.listen)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.listen, err, c.want)
		}
	}
}

func TestViolationAndETag(t *testing.T) {
	a := newAPI(t, DefaultConfig(), &fakeStore{record: record(t, closedViolation)})
	res, body := get(t, a, "/v1/violations/a1")
	if res.StatusCode != 200 || strings.TrimSpace(body) != closedViolation {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	tag := res.Header.Get("ETag")
	if tag != `"a1-7"` || res.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("header %v", res.Header)
	}
	for header, want := range map[string]int{tag: 304, `"x", ` + tag: 304, "W/" + tag: 304, "*": 304, `"a1-6"`: 200} {
		if res, body := get(t, a, "/v1/violations/a1", "If-None-Match", header); res.StatusCode != want || (want == 304) != (body == "") {
			t.Errorf("If-None-Match %s: %d %s", header, res.StatusCode, body)
		}
	}
}

func TestTrack(t *testing.T) {
	point := func(at int64, quality string) store.TrackPosition {
		e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT808, Vehicle: vehicle(t, "晋E00001", 2), Time: at, Received: at}
		e.Position.Reset()
		e.Position.Lat, e.Position.Lon, e.Position.Speed, e.Position.Located, e.Position.ACC = 35490712, 112851274, 615, true, true
		return store.TrackPosition{Event: e, Quality: quality}
	}
	f := &fakeStore{record: record(t, closedViolation), points: store.TrackPage{Next: "more", Positions: []store.TrackPosition{
		point(base-1, "ok"), point(base, "ok"), point(base+150_999, `sp"eed`), point(base+151_000, "")}}}
	a := newAPI(t, DefaultConfig(), f)
	res, body := get(t, a, "/v1/violations/a1/track")
	if res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if f.track.From != base-300_000 || f.track.To != base+450_999 || f.track.Vehicle != vehicle(t, "晋E00001", 2) || f.track.Limit != 5000 {
		t.Errorf("asked for %+v", f.track)
	}
	var got struct {
		Violation string
		Next      string
		Positions []map[string]any
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Violation != "a1" || got.Next != "more" || len(got.Positions) != 4 {
		t.Fatalf("got %s", body)
	}
	for i, want := range []string{"false ok", "true ok", `true sp"eed`, "false <nil>"} {
		p := got.Positions[i]
		if fmt.Sprint(p["in_violation"], " ", p["quality"]) != want || p["type"] != "position" || p["plate"] != "晋E00001" || p["lat"] != 35.490712 || p["speed_kmh"] != 61.5 {
			t.Errorf("position %d: %v, want %s", i, p, want)
		}
	}
	// Of one that is still open the track goes on to the end of the day.
	f.record = record(t, `{"id":"a1","version":1,"state":"open","kind":"speeding","plate":"晋E00001","color":2,"start":"2026-05-01T08:00:00+08:00","end":null}`)
	_, body = get(t, a, "/v1/violations/a1/track?margin_s=0&limit=2&cursor=x")
	if f.track.From != base || f.track.To != base+86400_000 || f.track.Limit != 2 || f.track.Cursor != "x" || !strings.Contains(body, `"in_violation":true`) {
		t.Errorf("asked for %+v: %s", f.track, body)
	}
}

func TestVehicles(t *testing.T) {
	f := &fakeStore{seen: []store.Seen{{Vehicle: vehicle(t, "晋E/1'", 1), First: base, Last: base + 1000}}}
	a := newAPI(t, DefaultConfig(), f)
	target := "/v1/vehicles/" + url.PathEscape("晋E/1'")
	for _, q := range []string{"", "?color=1"} {
		res, body := get(t, a, target+q)
		if want := `{"plate":"晋E/1'","color":1,"first_seen":"2026-05-01T08:00:00+08:00","last_seen":"2026-05-01T08:00:01+08:00","last_position":null,"counts":{"days_30":{},"days_365":{"speeding":2}},"violations":[]}`; res.StatusCode != 200 || strings.TrimSpace(body) != want {
			t.Errorf("%s: %d %s", q, res.StatusCode, body)
		}
	}
	f.seen = append(f.seen, store.Seen{Vehicle: vehicle(t, "晋E/1'", 2), First: base, Last: base})
	res, body := get(t, a, target)
	var got struct{ Choices []choice }
	if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != 300 || len(got.Choices) != 2 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	for i, c := range got.Choices {
		if res, body := get(t, a, c.Href); res.StatusCode != 200 && i == 1 || !strings.Contains(body, fmt.Sprintf(`"color":%d`, i+1)) {
			t.Errorf("%s: %d %s", c.Href, res.StatusCode, body)
		}
	}
}
