package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
)

const deskToken = "0123456789abcdef"

type tokenAllowed string

func (a tokenAllowed) Allowed(r *http.Request) bool {
	return r.Header.Get("Authorization") == "Bearer "+string(a)
}

// sent is what a fakeSide was told to send.
type sent struct {
	peer     string
	vehicle  string
	id       jt809.MessageID
	json     string
	deadline time.Time
}

// fakeSide notes requests in the book as the roles do.
type fakeSide struct {
	role    string
	peers   []Peer
	book    *Book
	failed  error
	sent    []sent
	answers map[string]string
}

func (s *fakeSide) Peers() []Peer { return s.peers }

func (s *fakeSide) Do(ctx context.Context, peer string, v *ingest.Vehicle, id jt809.MessageID, m jt809.Body, deadline time.Time) (Request, error) {
	if s.failed != nil {
		return Request{}, fmt.Errorf("%s: %w", peer, s.failed)
	}
	ed := jt809.Edition2011
	for _, p := range s.peers {
		if p.Name == peer {
			ed, _ = jt809.ParseEdition(p.Edition)
		}
	}
	body := jt809.AppendBodyJSON(nil, ed, m)
	w := sent{peer: peer, id: id, json: string(body), deadline: deadline}
	kinds := map[jt809.MessageID]string{jt809.IDInspection: KindInspection, jt809.IDSupervision: KindSupervision}
	r := Request{Role: s.role, Platform: peer, Kind: kinds[id], Message: id.String(), Asked: t0.UnixMilli(), Deadline: deadline.UnixMilli(), Body: body}
	if r.Kind == "" {
		r.Kind = KindControl
	}
	if v != nil {
		w.vehicle = v.String()
		r.Plate, r.Color = v.Plate(), v.Color
	}
	s.sent = append(s.sent, w)
	return r, s.book.Put(ctx, &r)
}

func (s *fakeSide) Answer(ctx context.Context, id string, answer json.RawMessage) error {
	if s.failed != nil {
		return s.failed
	}
	s.answers[id] = string(answer)
	_, err := s.book.Answer(ctx, id, answer, "0x1301", t0)
	return err
}

type deskRig struct {
	t                  *testing.T
	url                string
	desk               *Desk
	book               *Book
	superior, inferior *fakeSide
}

func newDeskRig(t *testing.T) *deskRig {
	t.Helper()
	b := newBook(t, newMemoryLog())
	up := LinkState{State: LinkUp, Since: Time(t0.UnixMilli())}
	g := &deskRig{t: t, book: b,
		superior: &fakeSide{role: RoleSuperior, book: b, answers: map[string]string{}, peers: []Peer{{Name: "transport-co", Edition: "2019", AccessCode: 7, Main: up, Sub: up},
			{Name: "old-co", Edition: "2011"}, {Name: "both", Edition: "2019"}, {Name: "unseen", Edition: "auto"}}},
		inferior: &fakeSide{role: RoleInferior, book: b, answers: map[string]string{}, peers: []Peer{{Name: "city", Edition: "2019", Main: up}, {Name: "both", Edition: "2013"}}}}
	v, _ := ingest.NewVehicle("云A8K216", 2)
	g.desk = NewDesk(DeskDeps{Superior: g.superior, Inferior: g.inferior, Book: b, Allowed: tokenAllowed(deskToken), Logger: quiet(), Now: func() time.Time { return t0 },
		Violation: func(_ context.Context, id string) (Violation, bool, error) {
			switch id {
			case "v1":
				return Violation{"v1", v, "speeding", t0.UnixMilli()}, true, nil
			case "gone":
				return Violation{}, false, errLog
			}
			return Violation{}, false, nil
		},
		WarnType: func(kind string) uint16 { return map[string]uint16{"speeding": 1}[kind] }})
	mux := http.NewServeMux()
	g.desk.Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	g.url = s.URL
	return g
}

// do asks and wants a status and texts in the answer.
func (g *deskRig) do(method, path, body string, status int, want ...string) map[string]any {
	g.t.Helper()
	r, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+deskToken)
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	out := map[string]any{}
	if err := json.Unmarshal(b, &out); err != nil || res.StatusCode != status || res.Header.Get("Cache-Control") != "no-store" {
		g.t.Errorf("%s %s %s: %d %s, want %d", method, path, body, res.StatusCode, b, status)
	}
	for _, w := range want {
		if !strings.Contains(string(b), w) {
			g.t.Errorf("%s %s %s: %s, want %s", method, path, body, b, w)
		}
	}
	return out
}

func TestDeskPlatforms(t *testing.T) {
	g := newDeskRig(t)
	r := ask("transport-co", KindInspection, t0, time.Minute)
	if err := g.book.Put(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if got := g.do("GET", "/v1/platforms", "", 200, `"name":"transport-co"`, `"role":"superior"`, `"since":"2026-05-01T16:00:00+08:00"`, `"gaps":[]`, `"waiting":1`); len(got["platforms"].([]any)) != 6 {
		t.Errorf("%v", got)
	}
	if got := g.do("GET", "/v1/platforms?role=inferior", "", 200); len(got["platforms"].([]any)) != 2 {
		t.Errorf("%v", got)
	}
	g.do("GET", "/v1/platforms/city", "", 200, `"name":"city"`, `"role":"inferior"`, `"last_proof":null`)
	g.do("GET", "/v1/platforms/both?role=inferior", "", 200, `"edition":"2013"`)
	g.do("GET", "/v1/platforms/both", "", 400, `"field":"role"`)
	g.do("GET", "/v1/platforms/both?role=x", "", 400, `"field":"role"`)
	g.do("GET", "/v1/platforms/city?role=superior", "", 404, "not_found")
	g.do("GET", "/v1/platforms/nobody", "", 404, "not_found")
	g.do("GET", "/v1/platforms?x=1", "", 400, "unknown_parameter")
	g.do("POST", "/v1/platforms", "{}", 405, "use GET")
	g.desk.Inferior = nil
	if got := g.do("GET", "/v1/platforms", "", 200); len(got["platforms"].([]any)) != 4 {
		t.Errorf("%v", got)
	}
	res, err := http.Get(g.url + "/v1/platforms")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("without a token: %d", res.StatusCode)
	}
	for range cap(g.desk.slots) {
		g.desk.slots <- struct{}{}
	}
	g.do("GET", "/v1/platforms", "", 429, "busy")
}

func TestDeskRequests(t *testing.T) {
	g := newDeskRig(t)
	for n := range 5 {
		r := ask([]string{"transport-co", "city"}[n%2], KindInspection, t0.Add(time.Duration(n)*time.Second), time.Minute)
		r.Role = []string{RoleSuperior, RoleInferior}[n%2]
		if n == 4 {
			r.Kind, r.Plate, r.Color, r.Violation = KindSupervision, "云A8K216", 2, "v9"
		}
		if err := g.book.Put(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{
		"": 5, "?role=inferior": 2, "?kind=supervision,text": 1, "?state=waiting": 5, "?state=overdue&state=late": 0, "?plate=云A8K216": 1, "?plate=云A8K216&color=1": 0,
		"?since=2026-05-01T16:00:03%2B08:00": 2, "?until=2026-05-01T16:00:03%2B08:00": 3, "?violation=v9": 1, "?limit=3": 3,
	} {
		if got := g.do("GET", "/v1/platform-requests"+query, "", 200); len(got["requests"].([]any)) != want {
			t.Errorf("%s: %d, want %d", query, len(got["requests"].([]any)), want)
		}
	}
	page := g.do("GET", "/v1/platforms/transport-co/requests?limit=2", "", 200)
	next := g.do("GET", "/v1/platforms/transport-co/requests?limit=2&cursor="+page["next"].(string), "", 200, `"next":null`)
	if len(page["requests"].([]any)) != 2 || len(next["requests"].([]any)) != 1 {
		t.Errorf("%v, %v", page, next)
	}
	for query, field := range map[string]string{"kind=x": "kind", "state=x": "state", "role=x": "role", "plate=": "plate", "color=300": "color", "since=x": "since", "limit=0": "limit",
		"cursor=x": "cursor", "wait=1s": "wait"} {
		g.do("GET", "/v1/platform-requests?"+query, "", 400, `"field":"`+field+`"`)
	}
	g.do("GET", "/v1/platforms/nobody/requests", "", 404)
	id := g.book.List(Filter{})[0].ID
	g.do("GET", "/v1/platform-requests/"+id, "", 200, `"kind":"supervision"`, `"answer":null`, `"body":{"info_id":7}`, `"asked":"2026-05-01T16:00:04+08:00"`)
	g.do("GET", "/v1/platform-requests/nobody", "", 404)
	g.do("GET", "/v1/platform-requests/"+id+"?wait=2m", "", 400, `"field":"wait"`)
	g.do("POST", "/v1/platform-requests/"+id, "{}", 405)
	go g.book.Answer(context.Background(), id, json.RawMessage(`{"result":1}`), "0x1401", t0)
	g.do("GET", "/v1/platform-requests/"+id+"?wait=20s", "", 200, `"state":"answered"`)
}

func TestDeskPostsRequests(t *testing.T) {
	g := newDeskRig(t)
	g.do("POST", "/v1/platforms/transport-co/requests", `{"message":"0x9501","plate":"云A8K216","color":2,"body":{"monitor_tel":"13800000000"}}`, 202, `"state":"waiting"`, `"message":"0x9501"`, `"platform":"transport-co"`)
	last := g.superior.sent[0]
	if last.vehicle != "云A8K216/2" || last.id != jt809.IDMonitorCall || !strings.Contains(last.json, `"monitor_tel":"13800000000"`) || !last.deadline.Equal(t0.Add(10*time.Minute)) {
		t.Errorf("%+v", last)
	}
	g.do("POST", "/v1/platforms/transport-co/requests", `{"message":"driver_query","plate":"云A8K216","color":2,"within":"30s"}`, 202)
	if last := g.superior.sent[1]; last.id != jt809.IDDriverQuery || !last.deadline.Equal(t0.Add(30*time.Second)) {
		t.Errorf("%+v", last)
	}
	g.do("POST", "/v1/platforms/city/requests", `{"message":"0x1207","plate":"云A8K216","color":2,"body":{}}`, 202, `"role":"inferior"`)
	go func() { // the answer comes while the client waits
		for {
			if r, ok := g.book.Find(func(r *Request) bool { return r.Message == "0x9302" }); ok {
				g.book.Answer(context.Background(), r.ID, json.RawMessage(`{"info_id":1}`), "0x1302", t0)
				return
			}
		}
	}()
	g.do("POST", "/v1/platforms/transport-co/requests?wait=20s", `{"message":"platform text","body":{"object_type":1,"object_id":"1","info_id":1,"info_content":"天气预警"}}`, 200, `"state":"answered"`)

	before := len(g.superior.sent) + len(g.inferior.sent)
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"transport-co", `{"message":"x"}`, 400, `"field":"message"`},
		{"transport-co", `{"message":"0x1207","plate":"云A8K216","color":2}`, 400, "goes up"},
		{"city", `{"message":"0x9501","plate":"云A8K216","color":2}`, 400, "goes down"},
		{"transport-co", `{"message":"0x9001"}`, 400, "links"},
		{"transport-co", `{"message":"0x9103"}`, 400, "links"},
		{"transport-co", `{"message":"0x9300"}`, 400, "by itself"},
		{"transport-co", `{"message":"0x7777"}`, 400, "no message"},
		{"transport-co", `{"message":"0x9207","plate":"云A8K216","color":2}`, 400, "answers"},
		{"transport-co", `{"message":"0x9202","plate":"云A8K216","color":2}`, 400, "by itself"},
		{"old-co", `{"message":"0x9102"}`, 400, "2019"},
		{"transport-co", `{"message":"0x9501"}`, 400, `"field":"plate"`},
		{"transport-co", `{"message":"0x9501","color":2}`, 400, `"field":"plate"`},
		{"transport-co", `{"message":"0x9501","plate":"云A8K216"}`, 400, `"field":"color"`},
		{"transport-co", `{"message":"0x9501","plate":"x\u0000","color":2}`, 400, `"field":"plate"`},
		{"transport-co", `{"message":"0x9301","plate":"云A8K216","color":2}`, 400, `"field":"plate"`},
		{"transport-co", `{"message":"0x9501","plate":"云A8K216","color":2,"within":"1ms"}`, 400, `"field":"within"`},
		{"transport-co", `{"message":"0x9501","plate":"云A8K216","color":2,"body":{"nothing":1}}`, 400, "nothing"},
		{"transport-co", `{"message":"0x9501","plate":"云A8K216","color":2,"body":[]}`, 400, `"field":"body"`},
		{"transport-co", `{"messages":"0x9501"}`, 400, "bad_json"},
		{"transport-co", `{}{}`, 400, "bad_json"},
		{"transport-co", `{"message":"` + strings.Repeat("x", maxDeskBody) + `"}`, 413, "too_large"},
		{"transport-co?wait=x", `{}`, 400, `"field":"wait"`},
		{"both", `{"message":"0x9102"}`, 400, `"field":"role"`},
		{"unseen", `{"message":"0x9102"}`, 503, "edition"},
		{"nobody", `{"message":"0x9102"}`, 404, "not_found"},
	} {
		path, query, _ := strings.Cut(c.path, "?")
		g.do("POST", "/v1/platforms/"+path+"/requests?"+query, c.body, c.status, c.want)
	}
	if after := len(g.superior.sent) + len(g.inferior.sent); after != before {
		t.Errorf("%d of the refused ones were sent", after-before)
	}
	good := `{"message":"0x9501","plate":"云A8K216","color":2}`
	for err, status := range map[error]int{ErrOffline: 503, ErrUnsupported: 422, ErrNoPeer: 404, ErrFull: 503, ErrConflict: 409, errors.New("secret"): 503} {
		g.superior.failed = err
		out := g.do("POST", "/v1/platforms/transport-co/requests", good, status)
		if strings.Contains(fmt.Sprint(out), "secret") {
			t.Errorf("%v tells what went wrong inside", out)
		}
	}
	r, _ := http.NewRequest("POST", g.url+"/v1/platforms/transport-co/requests", strings.NewReader(good))
	r.Header.Set("Authorization", "Bearer "+deskToken)
	r.Header.Set("Content-Type", "text/plain")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 415 {
		t.Errorf("no JSON: %d", res.StatusCode)
	}
	g.do("DELETE", "/v1/platforms/transport-co/requests", "", 405, "GET or POST")
}

func TestDeskInspections(t *testing.T) {
	g := newDeskRig(t)
	g.do("POST", "/v1/platforms/transport-co/inspections", `{"question":"17加25等于多少？","object_id":"53010000417","within":"90s"}`, 202, `"kind":"inspection"`)
	last := g.superior.sent[0]
	for _, w := range []string{`"object_type":1`, `"object_id":"53010000417"`, `"answer_time":90`, `"info_content":"17加25等于多少？"`} {
		if !strings.Contains(last.json, w) {
			t.Errorf("%s: want %s", last.json, w)
		}
	}
	if strings.Contains(last.json, `"info_id":0`) || !last.deadline.Equal(t0.Add(90*time.Second)) {
		t.Errorf("%+v", last)
	}
	g.do("POST", "/v1/platforms/old-co/inspections", `{"question":"在岗吗"}`, 202)
	for body, field := range map[string]string{`{}`: "question", `{"question":" "}`: "question", `{"question":"a","object_type":9}`: "object_type", `{"question":"a","within":"x"}`: "within",
		`{"question":"a","object_id":"123456789012345678901"}`: "object_id", `{"question":"` + strings.Repeat("问", 501) + `"}`: "question", `{"question":"a\u0000"}`: "question"} {
		g.do("POST", "/v1/platforms/transport-co/inspections", body, 400, `"field":"`+field+`"`)
	}
	g.do("POST", "/v1/platforms/old-co/inspections", `{"question":"a","object_id":"1234567890123"}`, 400, `"field":"object_id"`)
	g.do("POST", "/v1/platforms/city/inspections", `{"question":"a"}`, 400, "goes down")
	g.do("GET", "/v1/platforms/city/inspections", "", 405, "use POST")
}

func TestDeskSupervisions(t *testing.T) {
	g := newDeskRig(t)
	first := g.do("POST", "/v1/platforms/old-co/supervisions", `{"violation":"v1","within":"2h","level":0,"supervisor":"王五","supervisor_tel":"0871-123","supervisor_email":"a@b.cn"}`, 202,
		`"violation":"v1"`, `"kind":"supervision"`, `"plate":"云A8K216"`)
	last := g.superior.sent[0]
	for _, w := range []string{`"warn_src":3`, `"warn_type":1`, `"warn_time":"2026-05-01T16:00:00+08:00"`, `"supervision_end_time":"2026-05-01T18:00:00+08:00"`, `"supervision_level":0`, `"supervisor":"王五"`} {
		if !strings.Contains(last.json, w) {
			t.Errorf("%s: want %s", last.json, w)
		}
	}
	if last.vehicle != "云A8K216/2" {
		t.Errorf("%+v", last)
	}
	g.do("POST", "/v1/platforms/old-co/supervisions", `{"violation":"v1"}`, 409, first["id"].(string))
	g.do("POST", "/v1/platforms/transport-co/supervisions", `{"violation":"v1"}`, 202) // another platform may be asked too
	g.do("POST", "/v1/platforms/old-co/supervisions", `{"plate":"云A8K216","color":2,"kind":"fatigue","time":"2026-05-01T08:00:00+08:00","warn_type":2}`, 202, `"violation":""`)
	if last := g.superior.sent[2]; !strings.Contains(last.json, `"warn_type":2`) {
		t.Errorf("%+v", last)
	}
	for body, want := range map[string]string{
		`{}`: `"field":"violation"`, `{"violation":"v1","plate":"云A8K216","color":2}`: `"field":"violation"`, `{"plate":"云A8K216","color":2,"kind":"x"}`: `"field":"time"`,
		`{"plate":"云A8K216","color":2,"time":"2026-05-01T08:00:00+08:00"}`: `"field":"kind"`, `{"plate":"云A8K216","color":2,"kind":"x","time":"x"}`: "bad_json",
		`{"plate":"云A8K216","kind":"x","time":"2026-05-01T08:00:00+08:00"}`: `"field":"color"`, `{"violation":"` + strings.Repeat("x", 65) + `"}`: `"field":"violation"`,
	} {
		g.do("POST", "/v1/platforms/old-co/supervisions", body, 400, want)
	}
	base := `{"plate":"云A8K216","color":2,"kind":"x","time":"2026-05-01T08:00:00+08:00",`
	for rest, field := range map[string]string{`"level":2`: "level", `"within":"99999h"`: "within", `"supervisor":"` + strings.Repeat("王", 9) + `"`: "supervisor",
		`"supervisor_tel":"` + strings.Repeat("1", 21) + `"`: "supervisor_tel", `"supervisor_email":"` + strings.Repeat("1", 33) + `"`: "supervisor_email", `"src_platform_id":"123456789012"`: "src_platform_id"} {
		g.do("POST", "/v1/platforms/old-co/supervisions", base+rest+"}", 400, `"field":"`+field+`"`)
	}
	g.do("POST", "/v1/platforms/old-co/supervisions", `{"violation":"none"}`, 404, `"field":"violation"`)
	g.do("POST", "/v1/platforms/old-co/supervisions", `{"violation":"gone"}`, 503)
	g.do("POST", "/v1/platforms/city/supervisions", `{"violation":"v1"}`, 400, "goes down")
	g.desk.Violation = nil
	g.do("POST", "/v1/platforms/old-co/supervisions", `{"violation":"v1"}`, 400, `"field":"violation"`)
}

func TestDeskAnswers(t *testing.T) {
	g := newDeskRig(t)
	put := func(role, kind string) string {
		r := ask("city", kind, t0, time.Minute)
		r.Role = role
		if err := g.book.Put(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	path := func(id string) string { return "/v1/platform-requests/" + id + "/answer" }

	id := put(RoleInferior, KindInspection)
	for body, want := range map[string]string{`{}`: `"field":"text"`, `{"text":"42","responder":"12345678901234567"}`: `"field":"responder"`, `{"text":"42","responder_tel":"123456789012345678901"}`: `"field":"responder_tel"`,
		`{"answer":"42"}`: "bad_json", `[]`: "bad_json", `{`: "bad_json"} {
		g.do("POST", path(id), body, 400, want)
	}
	g.inferior.failed = ErrOffline
	g.do("POST", path(id), `{"text":"42"}`, 503, "offline")
	g.inferior.failed = nil
	g.do("POST", path(id), `{"responder":"张三","responder_tel":"13800000000","text":"42"}`, 200, `"state":"answered"`)
	if got := g.inferior.answers[id]; got != `{"responder":"张三","responder_tel":"13800000000","text":"42"}` {
		t.Error(got)
	}
	g.do("POST", path(id), `{"text":"43"}`, 409, "conflict")

	for body, want := range map[string]string{`{"result":1,"note":"已处罚"}`: `{"result":1,"note":"已处罚"}`, `{"result":"no_need"}`: `{"result":2,"note":""}`, `{"result":"in_progress"}`: `{"result":0,"note":""}`} {
		id := put(RoleInferior, KindSupervision)
		g.do("POST", path(id), body, 200)
		if got := g.inferior.answers[id]; got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
	id = put(RoleInferior, KindSupervision)
	for body, want := range map[string]string{`{}`: `"field":"result"`, `{"result":9}`: "bad_json", `{"result":"x"}`: "bad_json", `{"result":1,"note":"` + strings.Repeat("x", maxNote+1) + `"}`: `"field":"note"`} {
		g.do("POST", path(id), body, 400, want)
	}
	id = put(RoleInferior, KindControl)
	g.do("POST", path(id), `7`, 400, "bad_json")
	g.do("POST", path(id), `null`, 400, "bad_json")
	g.do("POST", path(id), `{"result":0}`, 200)
	g.do("POST", path(put(RoleSuperior, KindInspection)), `{"text":"42"}`, 409, "not asked of us")
	g.do("POST", path("nobody"), `{"text":"42"}`, 404)
	g.do("GET", path(id), "", 405)
	g.desk.Inferior = nil
	g.do("POST", path(put(RoleInferior, KindInspection)), `{"text":"42"}`, 409)
}

func TestRequestJSON(t *testing.T) {
	r := ask("city", KindControl, t0, time.Minute)
	r.ID, r.State, r.Plate, r.Color, r.Answer, r.Answered, r.Note = "x", StateAnswered, "云A8K216", 2, json.RawMessage(`{"a":[1]}`), t0.UnixMilli()+1, "ok"
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Request
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(back); string(again) != string(b) || back.Validate() != nil {
		t.Errorf("%s\n%s", b, again)
	}
	for _, word := range []string{`"x"`, `1`, `"2026-05-01"`} {
		if new(Time).UnmarshalJSON([]byte(word)) == nil {
			t.Errorf("%s is taken for a time", word)
		}
	}
}
