package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/ingest"
)

// fixedSnapshot is reference data that do not change.
type fixedSnapshot struct{ snap *detect.Snapshot }

func (f fixedSnapshot) Current() *detect.Snapshot { return f.snap }

func snapshotFor(t testing.TB, v ingest.Vehicle, change func(*detect.Settings)) *detect.Snapshot {
	t.Helper()
	s := detect.DefaultSettings()
	if change != nil {
		change(&s)
	}
	snap, err := detect.Compile(&detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: detect.ClassHazmat}}}, s, "d1", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// speeder drives at 97.3 km/h for three fixes of five, from base on, 30 s apart.
func speeder(t testing.TB, v ingest.Vehicle) []ingest.Event {
	t.Helper()
	var out []ingest.Event
	for i, speed := range []uint16{700, 973, 973, 973, 700} {
		e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: base + int64(i)*30_000, Received: base + int64(i)*30_000}
		e.Position.Reset()
		e.Position.Lat, e.Position.Lon, e.Position.Speed, e.Position.Located, e.Position.ACC = 35_500_000, 112_800_000+int32(i)*8000, speed, true, true
		out = append(out, e)
	}
	return out
}

// recordOf is the only violation of some events as the archive has it.
func recordOf(t testing.TB, snap *detect.Snapshot, events []ingest.Event) *store.Record {
	t.Helper()
	found, _ := detect.Replay(snap, slices.Clone(events), false)
	if len(found) != 1 {
		t.Fatalf("%d violations", len(found))
	}
	b, err := json.Marshal(&found[0])
	if err != nil {
		t.Fatal(err)
	}
	return record(t, string(b))
}

// explained is an answer as a client sees it.
type explained struct {
	Reproduced  bool
	Violation   struct{ ID string }
	Explanation struct {
		Title    detect.Text
		Moments  []struct{ What string }
		Evidence struct {
			Recorded, Computed string
			Equal              bool
			Fixes              int
		}
		Timeline struct{ Total int }
	}
	Differences []struct {
		Field         string
		Recorded, Now any
	}
	Why         []detect.Text
	Instead     []struct{ ID string }
	NotLookedAt []detect.Text           `json:"not_looked_at"`
	LookedAt    struct{ Positions int } `json:"looked_at"`
}

func explain(t *testing.T, a *API, target string) (out explained) {
	t.Helper()
	res, body := get(t, a, target)
	if res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExplanation(t *testing.T) {
	v := vehicle(t, "晋E00001", 2)
	snap, events := snapshotFor(t, v, nil), speeder(t, v)
	rec := recordOf(t, snap, events)
	archive := &fakeArchive{events: events}
	newOne := func(snap *detect.Snapshot) *API {
		a := newAPI(t, DefaultConfig(), &fakeStore{record: rec})
		a.MountExplanations(fixedSnapshot{snap}, archive)
		return a
	}
	a := newOne(snap)
	path := "/v1/violations/" + rec.ID + "/explanation"

	x := explain(t, a, path)
	if !x.Reproduced || !x.Explanation.Evidence.Equal || len(x.Differences)+len(x.Why)+len(x.Instead) != 0 || x.Violation.ID != rec.ID || x.LookedAt.Positions != 5 {
		t.Errorf("%+v", x)
	}
	if x.Explanation.Title.Zh != "超速驾驶" || x.Explanation.Title.En != "speeding" {
		t.Errorf("both languages: %+v", x.Explanation.Title)
	}
	if f := archive.history; f.Vehicle != v || f.From > base-3600_000 || f.To < base+120_000 || f.MaxPositions != a.cfg.Explanation.MaxPositions {
		t.Errorf("asked the archive for %+v", archive.history)
	}
	if x := explain(t, a, path+"?lang=en"); x.Explanation.Title.Zh != "" || x.Explanation.Title.En == "" {
		t.Errorf("English only: %+v", x.Explanation.Title)
	}

	// The rules have changed: it is no violation now, and what the record and the track say is still told.
	x = explain(t, newOne(snapshotFor(t, v, func(s *detect.Settings) { s.Speeding.HazmatCap.Unknown = 100 })), path)
	if x.Reproduced || len(x.Differences) != 1 || x.Differences[0].Field != "id" || len(x.Why) != 2 || !strings.Contains(x.Why[0].En, rec.RuleVersion) ||
		x.Explanation.Timeline.Total != 5 || !x.Explanation.Evidence.Equal || len(x.Explanation.Moments) != 2 {
		t.Errorf("rules have changed: %+v", x)
	}
	// A fix came late: the evidence is another, and why is said.
	late := slices.Clone(events)
	more := late[2]
	more.Time += 10_000
	more.Position.Lon += 2700
	archive.events = append(late, more)
	if x = explain(t, a, path); x.Reproduced || x.Explanation.Evidence.Equal || len(x.Why) != 1 || !slices.ContainsFunc(x.Differences, func(d struct {
		Field         string
		Recorded, Now any
	}) bool {
		return d.Field == "fixes" && d.Recorded == 4.0 && d.Now == 5.0
	}) {
		t.Errorf("a fix came late: %+v", x)
	}
	// It began earlier: another id, named instead.
	archive.events = slices.Clone(events)
	archive.events[0].Position.Speed = 973
	if x = explain(t, a, path); x.Reproduced || len(x.Instead) != 1 || x.Instead[0].ID == rec.ID {
		t.Errorf("it began earlier: %+v", x)
	}
	// The archive has let go of it.
	archive.events = nil
	if x = explain(t, a, path); x.Reproduced || x.LookedAt.Positions != 0 || len(x.Why) != 2 || !strings.Contains(x.Why[0].En, "expired") || x.Explanation.Title.En != "speeding" {
		t.Errorf("expired: %+v", x)
	}
}

// What was open when it was recorded has gone on since: the record is reproduced as it was then.
func TestExplanationOfAnOpenOne(t *testing.T) {
	v := vehicle(t, "晋E00001", 2)
	snap, events := snapshotFor(t, v, nil), speeder(t, v)
	rec := recordOf(t, snap, events[:3])
	if rec.State != detect.StateOpen {
		t.Fatalf("state %s", rec.State)
	}
	a := newAPI(t, DefaultConfig(), &fakeStore{record: rec})
	a.MountExplanations(fixedSnapshot{snap}, &fakeArchive{events: events})
	x := explain(t, a, "/v1/violations/"+rec.ID+"/explanation")
	if e := x.Explanation.Evidence; e.Recorded != rec.EvidenceHash || e.Computed != rec.EvidenceHash || e.Fixes != int(rec.Fixes) {
		t.Errorf("the evidence is that of another state of it: %+v, the record has %s of %d fixes", e, rec.EvidenceHash, rec.Fixes)
	}
	if last := x.Explanation.Moments[len(x.Explanation.Moments)-1]; !x.Reproduced || len(x.Differences) != 0 || last.What != "closed" {
		t.Errorf("%+v", x)
	}
}

func TestExplanationAsAPage(t *testing.T) {
	v := vehicle(t, "晋E00001", 2)
	snap, events := snapshotFor(t, v, nil), speeder(t, v)
	rec := recordOf(t, snap, events)
	a := newAPI(t, DefaultConfig(), &fakeStore{record: rec})
	a.MountExplanations(fixedSnapshot{snap}, &fakeArchive{events: events})
	path := "/v1/violations/" + rec.ID + "/explanation"
	for _, c := range []struct {
		target, accept string
		text, zh, en   bool
	}{
		{path + "?format=text", "", true, true, true},
		{path + "?format=text&lang=zh", "", true, true, false},
		{path + "?lang=en", "text/plain", true, false, true},
		{path + "?format=json", "text/plain", false, true, true},
		{path, "application/json, text/plain", false, true, true},
	} {
		res, body := do(t, a, "GET", c.target, "", "Accept", c.accept)
		if res.StatusCode != 200 || strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") != c.text {
			t.Errorf("%s (%s): %d %s", c.target, c.accept, res.StatusCode, res.Header.Get("Content-Type"))
		}
		if !c.text {
			continue
		}
		zh, en := strings.Contains(body, "违法记录说明：超速驾驶") && strings.Contains(body, "证据一致"), strings.Contains(body, "Explanation of a violation: speeding") && strings.Contains(body, "with the same evidence")
		if zh != c.zh || en != c.en || zh && en && strings.Index(body, "违法记录说明") > strings.Index(body, "Explanation of") {
			t.Errorf("%s: Chinese %v, English %v:\n%s", c.target, zh, en, body)
		}
	}
}

func TestExplanationRefuses(t *testing.T) {
	v := vehicle(t, "晋E00001", 2)
	snap := snapshotFor(t, v, nil)
	rec := recordOf(t, snap, speeder(t, v))
	for _, c := range []struct {
		name, target string
		archive      *fakeArchive
		snap         *detect.Snapshot
		status       int
		text         string
	}{
		{"an unknown id", "/v1/violations/0123/explanation", &fakeArchive{}, snap, 404, "not_found"},
		{"an endless id", "/v1/violations/" + strings.Repeat("a", 1000) + "/explanation", &fakeArchive{}, snap, 404, "not_found"},
		{"a bad language", "/v1/violations/" + rec.ID + "/explanation?lang=fr", &fakeArchive{}, snap, 400, "lang"},
		{"a bad format", "/v1/violations/" + rec.ID + "/explanation?format=pdf", &fakeArchive{}, snap, 400, "format"},
		{"an unknown parameter", "/v1/violations/" + rec.ID + "/explanation?x=1", &fakeArchive{}, snap, 400, "x"},
		{"too many positions", "/v1/violations/" + rec.ID + "/explanation", &fakeArchive{err: store.ErrTooMany}, snap, 422, "api.explanation.max_positions"},
		{"the archive fails", "/v1/violations/" + rec.ID + "/explanation", &fakeArchive{err: fmt.Errorf("broken")}, snap, 503, "unavailable"},
		{"no reference data yet", "/v1/violations/" + rec.ID + "/explanation", &fakeArchive{}, nil, 503, "reference data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAPI(t, DefaultConfig(), &fakeStore{record: rec})
			a.MountExplanations(fixedSnapshot{c.snap}, c.archive)
			res, body := get(t, a, c.target)
			want(t, res, body, c.status, c.text)
		})
	}
	a := newAPI(t, DefaultConfig(), &fakeStore{record: rec})
	a.MountExplanations(fixedSnapshot{snap}, &fakeArchive{})
	res, body := do(t, a, "POST", "/v1/violations/"+rec.ID+"/explanation", "")
	want(t, res, body, http.StatusMethodNotAllowed, "GET")
	cfg := DefaultConfig()
	cfg.Explanation.Timeout = time.Nanosecond
	a = newAPI(t, cfg, &fakeStore{record: rec})
	a.MountExplanations(fixedSnapshot{snap}, &fakeArchive{})
	res, body = get(t, a, "/v1/violations/"+rec.ID+"/explanation")
	want(t, res, body, http.StatusGatewayTimeout, "timeout")
}

// What a kind looks back on is loaded: a stretch since the rest before it, a sum as long as it goes back.
func TestExplanationWindows(t *testing.T) {
	s := detect.DefaultSettings()
	for _, c := range []struct {
		kind          detect.Kind
		stretch       string
		before, after time.Duration
	}{
		{detect.KindSpeeding, "", 2 * time.Hour, time.Hour},
		{detect.KindFatigueContinuous, "", 24 * time.Hour, 2 * time.Hour},
		{detect.KindFatigueContinuous, "2026-04-29T08:00:00+08:00", 49*time.Hour + 40*time.Minute, 2 * time.Hour},
		{detect.KindFatigueContinuous, "2027-01-01T00:00:00+08:00", 24 * time.Hour, 2 * time.Hour}, // after its start: not believed
		{detect.KindFatigueDaily, "", 48 * time.Hour, 48 * time.Hour},
		{detect.KindFatigueWeekly, "", 8 * 24 * time.Hour, 8 * 24 * time.Hour},
		{detect.KindNoWaybill, "", 24 * time.Hour, 3 * time.Hour},
		{detect.KindOverload, "", 2 * time.Hour, time.Hour},
		{"a_later_kind", "", 2 * time.Hour, time.Hour},
	} {
		v := &detect.Violation{Kind: c.kind, Start: detect.Time(base)}
		if c.stretch != "" {
			v.Detail = map[string]any{"stretch_start": c.stretch}
		}
		w := windowOf(v, &s)
		if w.before != c.before || w.after != c.after {
			t.Errorf("%s (%s): %v before, %v after; want %v, %v", c.kind, c.stretch, w.before, w.after, c.before, c.after)
		}
	}
}

// explainOverTheEngine explains what is in the tables.
func explainOverTheEngine(t *testing.T, st *store.Store) {
	v := vehicle(t, "晋E00009", 2)
	snap, events := snapshotFor(t, v, nil), speeder(t, v)
	var positions store.PositionBlock
	for i := range events {
		positions.Add(&events[i], "ok", store.Place{Offset: int64(i)})
	}
	var violations store.ViolationBlock
	rec := recordOf(t, snap, events)
	if err := violations.Add(rec.JSON, base, store.Place{}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []store.Block{&positions, &violations} {
		if err := st.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	a := newAPI(t, DefaultConfig(), st)
	a.MountExplanations(fixedSnapshot{snap}, st)
	if x := explain(t, a, "/v1/violations/"+url.PathEscape(rec.ID)+"/explanation"); !x.Reproduced || !x.Explanation.Evidence.Equal || len(x.Differences) != 0 {
		t.Errorf("%+v", x)
	}
	cfg := DefaultConfig()
	cfg.Explanation.MaxPositions = 4
	a = newAPI(t, cfg, st)
	a.MountExplanations(fixedSnapshot{snap}, st)
	res, body := get(t, a, "/v1/violations/"+rec.ID+"/explanation")
	want(t, res, body, http.StatusUnprocessableEntity, "more than 4 positions")
}
