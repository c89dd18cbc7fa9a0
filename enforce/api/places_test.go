package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lushao/detect/reference"
	"lushao/detect/reference/edit"
	"lushao/enforce/store"
	"lushao/ingest"
)

const token = "0123456789abcdef"

// fakeArchive answers with events and remembers what it was asked.
type fakeArchive struct {
	events  []ingest.Event
	filter  store.EventsFilter
	boxes   []store.Box
	history store.HistoryFilter
	near    []store.Presence
	all     uint64
	err     error
	wait    chan struct{} // closed when the answer may come
	asked   chan struct{}
}

func (f *fakeArchive) VehiclesIn(_ context.Context, boxes []store.Box, _, _ int64, _ int) ([]store.Presence, uint64, error) {
	f.boxes = boxes
	return f.near, f.all, f.err
}

func (f *fakeArchive) Events(_ context.Context, q store.EventsFilter, fn func(*ingest.Event) error) error {
	f.filter = q
	if f.wait != nil {
		close(f.asked)
		<-f.wait
	}
	for i := range f.events {
		if err := fn(&f.events[i]); err != nil {
			return err
		}
	}
	return f.err
}

func (f *fakeArchive) History(_ context.Context, q store.HistoryFilter) (out []store.ArchivedEvent, err error) {
	f.history = q
	for _, e := range f.events {
		out = append(out, store.ArchivedEvent{Event: e})
	}
	return out, f.err
}

func newPlaces(t testing.TB, archive Archive) (*API, string) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Tokens = []string{token}
	cfg.MaxBody = 1 << 20
	return newPlacesWith(t, cfg, archive)
}

func newPlacesWith(t testing.TB, cfg Config, archive Archive) (*API, string) {
	t.Helper()
	a := newAPI(t, cfg, &fakeStore{})
	writers, err := NewTokens(cfg, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a.MountPlaces(edit.New(dir, edit.MinKeep, 1), writers, archive)
	return a, dir
}

// do sends a request with the token and X-Officer.
func do(t testing.TB, h http.Handler, method, target, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Officer", "张三")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(b)
}

// want checks a status and, unless it is empty, that the body holds a text.
func want(t testing.TB, res *http.Response, body string, status int, text string) {
	t.Helper()
	if res.StatusCode != status || !strings.Contains(body, text) {
		t.Errorf("%d %s\nwant %d with %s", res.StatusCode, body, status, text)
	}
}

// fence is a square 0.01 degree wide.
func fence(id string, lon, lat float64) string {
	return fmt.Sprintf(`{"type":"Feature","properties":{"id":%q,"kind":"forbidden"},"geometry":{"type":"Polygon","coordinates":[[[%[2]v,%[3]v],[%[4]v,%[3]v],[%[4]v,%[5]v],[%[2]v,%[5]v],[%[2]v,%[3]v]]]}}`,
		id, lon, lat, lon+0.01, lat+0.01)
}

func fences(features ...string) string {
	return `{"type":"FeatureCollection","features":[` + strings.Join(features, ",") + `]}`
}

const crossing = `{"type":"Feature","properties":{"id":"eight","kind":"forbidden"},"geometry":{"type":"Polygon","coordinates":[[[112,35],[112.02,35.02],[112.02,35],[112,35.02],[112,35]]]}}`

func TestPlaces(t *testing.T) {
	a, dir := newPlaces(t, nil)
	const path = "/v1/reference/fences"
	res, body := do(t, a, "GET", path, "")
	want(t, res, body, 200, `"features":[`)
	if res.Header.Get("ETag") != `"0"` || res.Header.Get("Content-Type") != "application/geo+json; charset=utf-8" {
		t.Errorf("%v", res.Header)
	}
	res, body = do(t, a, "PUT", path, fences(fence("A", 112, 35)))
	want(t, res, body, 428, `"code":"if_match_needed"`)
	res, body = do(t, a, "PUT", path, fences(fence("A", 112, 35)), "If-Match", `"0"`)
	want(t, res, body, 200, `{"version":1,"present":1,"dry_run":false,"added":["A"],"changed":[],"removed":[]`)
	if res.Header.Get("ETag") != `"1"` {
		t.Errorf("%v", res.Header)
	}
	res, body = do(t, a, "PUT", path, fences(fence("B", 112, 35)), "If-Match", `"0"`)
	want(t, res, body, 412, `"code":"changed"`)
	if res.Header.Get("ETag") != `"1"` {
		t.Errorf("%v", res.Header)
	}
	res, body = do(t, a, "POST", path+"?dry_run=true", fence("B", 113, 35))
	want(t, res, body, 200, `{"version":null,"present":1,"dry_run":true,"added":["B"]`)
	res, body = do(t, a, "POST", path+"?comment=school", fences(fence("B", 113, 35), fence("A", 112, 36)), "X-Officer", "%E6%9D%8E%E5%9B%9B")
	want(t, res, body, 200, `"added":["B"],"changed":["A"]`)
	res, body = do(t, a, "GET", path+"?id=B", "")
	want(t, res, body, 200, `"id":"B"`)
	if strings.Contains(body, `"id":"A"`) {
		t.Error("A was not asked for")
	}
	res, body = do(t, a, "GET", path+"?id=X", "")
	want(t, res, body, 404, `"code":"not_found"`)
	res, body = do(t, a, "GET", path+"?bbox=112,36,112.5,36.5", "")
	if want(t, res, body, 200, `"id":"A"`); strings.Contains(body, `"id":"B"`) {
		t.Error("B is not in the box")
	}
	res, body = do(t, a, "GET", path+"?version=1", "")
	if want(t, res, body, 200, `[112,35]`); strings.Contains(body, `"id":"B"`) {
		t.Error("B is younger")
	}
	res, body = do(t, a, "GET", path, "", "If-None-Match", `"2"`)
	want(t, res, body, 304, "")
	for _, bad := range []string{"?version=0", "?version=x", "?bbox=1,2,3", "?bbox=3,3,1,1", "?datum=wgs", "?colour=red"} {
		res, body = do(t, a, "GET", path+bad, "")
		want(t, res, body, 400, `"field":"`)
	}
	res, body = do(t, a, "GET", path+"?version=77", "")
	want(t, res, body, 404, "")
	res, body = do(t, a, "DELETE", path+"/A", "")
	want(t, res, body, 200, `"removed":["A"]`)
	res, body = do(t, a, "DELETE", path+"/A", "")
	want(t, res, body, 404, "")

	res, body = do(t, a, "GET", "/v1/reference/versions?limit=2", "")
	want(t, res, body, 200, `"version":3`)
	if strings.Contains(body, `"version":1`) || !strings.Contains(body, `"next":"2"`) {
		t.Error(body)
	}
	res, body = do(t, a, "GET", "/v1/reference/versions?limit=2&cursor=2", "")
	want(t, res, body, 200, `"version":1`)
	if !strings.Contains(body, `"next":null`) {
		t.Error(body)
	}
	res, body = do(t, a, "GET", "/v1/reference/versions/2", "")
	want(t, res, body, 200, `"who":"李四 (token 9f9f5111)"`)
	want(t, res, body, 200, `"comment":"school"`)
	res, body = do(t, a, "GET", "/v1/reference/versions/9", "")
	want(t, res, body, 404, "")
	res, body = do(t, a, "POST", "/v1/reference/versions/2/restore", "")
	want(t, res, body, 200, `{"version":4,"present":4,"dry_run":false,"added":["A"]`)

	for _, wrong := range []struct{ method, path, allow string }{{"PATCH", path, "GET, PUT, POST"}, {"GET", path + "/trial", "POST"}} {
		res, body = do(t, a, wrong.method, wrong.path, "")
		if want(t, res, body, 405, "method_not_allowed"); wrong.path == path && res.Header.Get("Allow") != wrong.allow {
			t.Errorf("%s %s: %v", wrong.method, wrong.path, res.Header)
		}
	}
	res, body = do(t, a, "GET", "/v1/reference/stations", "")
	want(t, res, body, 404, "")
	res, body = do(t, a, "GET", "/v1/reference/a/b/c", "")
	want(t, res, body, 404, "")

	if err := os.WriteFile(filepath.Join(dir, reference.Fences), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	res, body = do(t, a, "GET", path, "")
	want(t, res, body, 409, `"code":"broken"`)
	res, body = do(t, a, "PUT", path, fences(fence("N", 1, 1)), "If-Match", "*")
	want(t, res, body, 200, `"added":["N"]`)
}

func TestPlacesRefuse(t *testing.T) {
	a, dir := newPlaces(t, nil)
	const path = "/v1/reference/fences"
	res, body := do(t, a, "POST", path, fences(fence("A", 1, 1), crossing))
	want(t, res, body, 422, `"field":"geometry","problems":[{"index":1,"id":"eight","field":"geometry"`)
	want(t, res, body, 422, `"at":[112.01,35.01]`)
	res, body = do(t, a, "POST", path+"?repair=true", fences(fence("A", 1, 1), crossing))
	want(t, res, body, 200, `"repaired":[{"index":1,"id":"eight","crossings":[[112.01,35.01]],"polygons":2}]`)
	for text, status := range map[string]int{"": 400, "{": 400, "[]": 400, "\xff": 400, `{"type":"Feature"}`: 422, fences(`1`): 422, fences(fence("", 1, 1)): 422,
		strings.Repeat(" ", 1<<20+1): 413} {
		res, body = do(t, a, "POST", path, text)
		want(t, res, body, status, `{"error":{"code":"`)
	}
	for _, h := range []string{`"x"`, "abc"} {
		res, body = do(t, a, "PUT", path, fences(), "If-Match", h)
		want(t, res, body, 400, `"field":"If-Match"`)
	}
	for _, name := range []string{strings.Repeat("x", 65), "a%0ab", "\xff"} {
		res, body = do(t, a, "POST", path, fence("B", 1, 1), "X-Officer", name)
		want(t, res, body, 400, `"field":"X-Officer"`)
	}
	if err := os.WriteFile(filepath.Join(dir, reference.Permits), []byte("plate\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	res, body = do(t, a, "POST", path, fence("B", 1, 1))
	want(t, res, body, 422, "permits.csv")
}

// Drawn on a shifted map and shown on one.
func TestPlacesDatum(t *testing.T) {
	a, _ := newPlaces(t, nil)
	const path = "/v1/reference/fences"
	drawn := fence("A", 112.856, 35.497)
	res, body := do(t, a, "POST", path+"?datum=gcj02", drawn)
	want(t, res, body, 200, `"added":["A"]`)
	if _, body = do(t, a, "GET", path, ""); strings.Contains(body, "112.856") {
		t.Errorf("not converted: %s", body)
	}
	res, body = do(t, a, "GET", path+"?datum=gcj02", "")
	want(t, res, body, 200, "[112.856,35.497]")
	res, body = do(t, a, "GET", path+"?datum=gcj02&bbox=112.8655,35.4975,112.9,35.6", "")
	want(t, res, body, 200, `"id":"A"`)
	res, body = do(t, a, "POST", path+"?datum=mars", drawn)
	want(t, res, body, 400, `"field":"datum"`)
}

// Reading may be for everybody; changing needs a token.
func TestPlacesRights(t *testing.T) {
	cfg := DefaultConfig()
	cfg.AllowAnonymous = true
	a := newAPI(t, cfg, &fakeStore{})
	writers, err := NewTokens(cfg, "0.0.0.0:8080")
	if err != nil {
		t.Fatal(err)
	}
	a.MountPlaces(edit.New(t.TempDir(), edit.MinKeep, 1), writers, nil)
	res, body := do(t, a, "GET", "/v1/reference/fences", "")
	want(t, res, body, 200, "")
	for _, x := range [][2]string{{"POST", "fences"}, {"PUT", "fences"}, {"DELETE", "fences/A"}, {"POST", "versions/1/restore"}, {"POST", "import"}} {
		res, body = do(t, a, x[0], "/v1/reference/"+x[1], fence("A", 1, 1), "If-Match", "*")
		want(t, res, body, 401, "unauthorized")
	}
	b, _ := newPlaces(t, nil)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/reference/fences", nil)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	if w.Code != 401 {
		t.Errorf("without a token: %d", w.Code)
	}
}

// drive is a vehicle that goes east along latitude 35.005 from 111.99 by 0.001 degree, about 91 m, every 5 s.
func drive(t testing.TB, plate string, n int) (out []ingest.Event) {
	v := vehicle(t, plate, 2)
	for i := range n {
		e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: base + int64(i)*5000, Received: base + int64(i)*5000}
		e.Position.Reset()
		e.Position.Lat, e.Position.Lon = 35_005_000, 111_990_000+int32(i)*1000
		e.Position.Speed, e.Position.Located, e.Position.ACC = 650, true, true
		out = append(out, e)
	}
	return out
}

type found struct {
	Violations []struct{ Kind, Fence, Plate string }
	Kinds      map[string]int
	Vehicles   map[string]map[string]int
	Fences     map[string]map[string]int
	LookedAt   struct {
		NearM        *int    `json:"near_m"`
		VehiclesNear *uint64 `json:"vehicles_near"`
		Vehicles     int
		Complete     bool
		Positions    int
	} `json:"looked_at"`
}

func trialBody(more string, features ...string) string {
	return `{"features":[` + strings.Join(features, ",") + `],"from":"2026-05-01T08:00:00+08:00","to":"2026-05-01T10:00:00+08:00"` + more + `}`
}

func TestTrial(t *testing.T) {
	archive := &fakeArchive{events: drive(t, "晋E00001", 40), near: []store.Presence{{Vehicle: vehicle(t, "晋E00001", 2)}}, all: 3}
	a, dir := newPlaces(t, archive)
	const path = "/v1/reference/fences/trial"
	res, body := do(t, a, "POST", "/v1/reference/fences", fence("OLD", 112.005, 35))
	want(t, res, body, 200, "")
	res, body = do(t, a, "POST", path, trialBody("", fence("NEW", 112, 35)))
	var f found
	if err := json.Unmarshal([]byte(body), &f); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if len(f.Violations) != 1 || f.Violations[0].Kind != "fence_entry" || f.Violations[0].Fence != "NEW" || f.Kinds["fence_entry"] != 1 ||
		f.Vehicles["晋E00001/2"]["fence_entry"] != 1 || f.Fences["NEW"]["fence_entry"] != 1 || len(f.Fences) != 1 {
		t.Errorf("%s", body)
	}
	if l := f.LookedAt; l.NearM == nil || *l.NearM != 1000 || l.VehiclesNear == nil || *l.VehiclesNear != 3 || l.Vehicles != 1 || l.Complete || l.Positions != 40 {
		t.Errorf("%s", body)
	}
	// One kilometre round the new fence, not round the old one.
	if b := archive.boxes; len(b) != 1 || b[0].MinLat > 34_991_000 || b[0].MinLat < 34_990_000 || b[0].MinLon > 111_989_100 || b[0].MinLon < 111_988_000 || b[0].MaxLon > 112_022_000 {
		t.Errorf("%+v", archive.boxes)
	}
	// With plates, nobody is looked for.
	archive.boxes = nil
	res, body = do(t, a, "POST", path, trialBody(`,"plates":["晋E00001/2","晋E00001/2"]`, fence("NEW", 112, 35)))
	want(t, res, body, 200, `"near_m":null,"vehicles_near":null,"vehicles":1,"complete":true`)
	if archive.boxes != nil || len(archive.filter.Vehicles) != 1 || archive.filter.MaxPositions != a.cfg.Trial.MaxPositions || archive.filter.Lead != trialLead {
		t.Errorf("%+v", archive.filter)
	}
	// A fence far away finds nothing, and rules can be changed for the trial.
	res, body = do(t, a, "POST", path, trialBody(`,"plates":["晋E00001/2"]`, fence("NEW", 120, 35)))
	want(t, res, body, 200, `{"violations":[],"visits":[],"truncated":false,"kinds":{},"vehicles":{},"fences":{}`)
	if err := os.WriteFile(filepath.Join(dir, reference.Rules), []byte("speeding: {sustained_s: 30, class_cap_kmh: {coach_line: 90}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	plain := ruleVersion(t, body)
	_, body = do(t, a, "POST", path, trialBody(`,"plates":["晋E00001/2"]`, fence("NEW", 112, 35)))
	own := ruleVersion(t, body)
	_, body = do(t, a, "POST", path, trialBody(`,"plates":["晋E00001/2"],"rules":{"speeding":{"sustained_s":120}}`, fence("NEW", 112, 35)))
	if over := ruleVersion(t, body); plain == own || own == over {
		t.Errorf("rules %s, %s, %s", plain, own, over)
	}
	// Nothing of it stays.
	res, body = do(t, a, "GET", "/v1/reference/fences", "")
	if want(t, res, body, 200, "OLD"); strings.Contains(body, "NEW") {
		t.Error("a trial changed the fences")
	}
}

func ruleVersion(t testing.TB, body string) string {
	t.Helper()
	var v struct {
		LookedAt struct {
			RuleVersion string `json:"rule_version"`
		} `json:"looked_at"`
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.LookedAt.RuleVersion == "" {
		t.Fatalf("%s", body)
	}
	return v.LookedAt.RuleVersion
}

func TestTrialRefuses(t *testing.T) {
	archive := &fakeArchive{}
	cfg := DefaultConfig()
	cfg.Tokens, cfg.Trial.MaxHours, cfg.Trial.MaxVehicles = []string{token}, 2, 2
	a, _ := newPlacesWith(t, cfg, archive)
	const path = "/v1/reference/fences/trial"
	good := fence("NEW", 112, 35)
	many := strings.Repeat(good+",", maxTrialFeatures) + good
	for body, field := range map[string]string{
		trialBody(""):       "features",
		trialBody("", many): "features",
		trialBody(`,"plates":["晋E00001"]`, good):                              "plates[0]",
		trialBody(`,"plates":["a/1","b/1","c/1"]`, good):                      "plates",
		trialBody(`,"rules":{"speeding":{"x":1}}`, good):                      "rules",
		trialBody(`,"rules":[1]`, good):                                       "rules",
		strings.Replace(trialBody("", good), "T10:00:00", "T10:00:01", 1):     "to",
		strings.Replace(trialBody("", good), "T10:00:00", "T08:00:00", 1):     "to",
		strings.Replace(trialBody("", good), "2026-05-01T08", "yesterday", 1): "from",
	} {
		res, answer := do(t, a, "POST", path, body)
		want(t, res, answer, 400, fmt.Sprintf(`"field":%q`, field))
	}
	res, answer := do(t, a, "POST", path, trialBody(`,"colour":1`, good))
	want(t, res, answer, 400, "colour")
	res, answer = do(t, a, "POST", path, trialBody("", crossing))
	want(t, res, answer, 422, `"id":"eight"`)
	archive.near = []store.Presence{{Vehicle: vehicle(t, "晋E00001", 2)}}
	archive.err = store.ErrTooMany
	res, answer = do(t, a, "POST", path, trialBody(`,"plates":["晋E00001/2"]`, good))
	want(t, res, answer, 400, "api.trial.max_positions")
	archive.err = errors.New("clickhouse: table lushao.positions")
	if res, answer = do(t, a, "POST", path, trialBody("", good)); res.StatusCode != 503 || strings.Contains(answer, "table") {
		t.Errorf("%d %s", res.StatusCode, answer)
	}
}

// One at a time.
func TestTrialBusy(t *testing.T) {
	archive := &fakeArchive{wait: make(chan struct{}), asked: make(chan struct{})}
	a, _ := newPlaces(t, archive)
	body := trialBody(`,"plates":["晋E00001/2"]`, fence("NEW", 112, 35))
	first := make(chan int)
	go func() {
		res, _ := do(t, a, "POST", "/v1/reference/fences/trial", body)
		first <- res.StatusCode
	}()
	select {
	case <-archive.asked:
	case <-time.After(20 * time.Second):
		t.Fatal("the first trial does not begin")
	}
	res, answer := do(t, a, "POST", "/v1/reference/fences/trial", body)
	want(t, res, answer, 429, `"code":"busy"`)
	close(archive.wait)
	if status := <-first; status != 200 {
		t.Errorf("the first: %d", status)
	}
}

func TestPlacesImport(t *testing.T) {
	a, _ := newPlaces(t, nil)
	const path = "/v1/reference/import"
	kml := `<kml><Placemark id="E"><name>八</name><Polygon><outerBoundaryIs><LinearRing><coordinates>112,35 112.02,35.02 112.02,35 112,35.02 112,35</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark><Placemark id="P"><Point><coordinates>112,35</coordinates></Point></Placemark></kml>`
	res, body := do(t, a, "POST", path+"?kind=bound&file=x.kml", kml)
	want(t, res, body, 422, `{"error":{"code":"refused","message":"2 places are refused, so nothing is taken","field":"geometry","problems":[{"file":"x.kml","place":1,"name":"八","id":"E","field":"geometry"`)
	res, body = do(t, a, "POST", path+"?kind=bound&file=x.kml&repair=true&radius=50&dry_run=true", kml)
	want(t, res, body, 200, `"version":null`)
	res, body = do(t, a, "POST", path+"?kind=bound&file=x.kml&repair=true&radius=50", kml)
	want(t, res, body, 200, `"repaired":[{"file":"x.kml","place":1,"name":"八","index":0,"id":"E","crossings":[[112.01,35.01]],"polygons":2}]`)
	want(t, res, body, 200, `"files":[{"name":"x.kml","format":"KML","places":2,"remarks":[]}],"taken":2`)
	want(t, res, body, 200, `"version":1`)
	res, body = do(t, a, "POST", path+"?kind=bound&skip_bad=true&replace=true", strings.ReplaceAll(kml, `id="P"`, `id="Q"`)+"")
	want(t, res, body, 422, `"problems"`)
	res, body = do(t, a, "GET", "/v1/reference/versions", "")
	want(t, res, body, 200, `"how":"import"`)
	for query, status := range map[string]string{"?as=roads": `"field":"as"`, "?datum=x": `"field":"datum"`, "?radius=-1": `"field":"radius"`, "?colour=red": "unknown_parameter"} {
		res, body = do(t, a, "POST", path+query, kml)
		want(t, res, body, 400, status)
	}
	for _, bad := range []string{"%PDF", "<kml/>", "PK\x03\x04xxxx"} {
		res, body = do(t, a, "POST", path, bad)
		want(t, res, body, 400, `"code":"bad_file"`)
	}
}
