package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

type tokenAllowed string

func (a tokenAllowed) Allowed(r *http.Request) bool {
	return r.Header.Get("Authorization") == "Bearer "+string(a)
}

const httpToken = "0123456789abcdef"

type commandServer struct {
	t    *testing.T
	url  string
	done chan response
}

type response struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func serveCommands(t *testing.T, g *Gateway, areas func(ingest.Vehicle) []Area) *commandServer {
	t.Helper()
	p, _ := startPrompter(t, g, newFakePrompts(), func(c *PromptsConfig) { c.Intervals = map[string]time.Duration{StaffPrompt: 0} })
	mux := http.NewServeMux()
	NewCommands(CommandsDeps{Gateway: g, Prompter: p, Allowed: tokenAllowed(httpToken), Areas: areas, Logger: slog.New(slog.DiscardHandler)}).Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &commandServer{t: t, url: s.URL + "/v1/vehicles/", done: make(chan response, 1)}
}

// do asks in the background; answer waits.
func (s *commandServer) do(method, path, body string) {
	go func() {
		r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Authorization", "Bearer "+httpToken)
		if method != "GET" {
			r.Header.Set("Content-Type", "application/json")
		}
		s.done <- fetch(r)
	}()
}

func fetch(r *http.Request) (out response) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return response{raw: err.Error()}
	}
	defer res.Body.Close()
	b := new(bytes.Buffer)
	b.ReadFrom(res.Body)
	out = response{status: res.StatusCode, header: res.Header, raw: b.String()}
	json.Unmarshal(b.Bytes(), &out.body)
	return out
}

func (s *commandServer) answer(status int, want ...string) response {
	s.t.Helper()
	r := <-s.done
	if r.status != status || r.body == nil {
		s.t.Errorf("%d %s, want %d", r.status, r.raw, status)
	}
	for _, w := range want {
		if !strings.Contains(r.raw, w) {
			s.t.Errorf("%s: want %s", r.raw, w)
		}
	}
	return r
}

func TestHTTPCommands(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2013, jt808.Edition2019} {
		t.Run(ed.String(), func(t *testing.T) {
			g, c, _ := online(t, ed, nil)
			s := serveCommands(t, g, nil)
			plate := v1.Plate()

			s.do("POST", plate+"/prompts", `{"text":"请停车休息","urgent":true}`)
			c.ack(c.spoken("请停车休息"), 0)
			s.answer(200, `"outcome":"done"`, `"result":0`, `"text":"请停车休息"`, fmt.Sprintf(`"color":%d`, v1.Color))

			s.do("POST", plate+"/position-query", `{}`)
			m := c.readCommand()
			if m.head.ID != jt808.IDQueryLocation || len(m.body) != 0 {
				t.Fatalf("%+v", m)
			}
			reply := jt808.LocationReply{Serial: m.head.Serial, Location: locationAt(7)}
			c.send(c.frame(jt808.IDLocationReply, jt808.AppendBody(nil, ed, &reply)))
			s.answer(200, `"outcome":"done"`, `"result":null`, `"lat":35.500000`, `2026-05-01T08:00:07`)

			parameters := jt808.Parameters{Items: []jt808.Parameter{jt808.Uint32Param(jt808.ParamMaxSpeed, 100), jt808.TextParam(jt808.ParamPlate, jt808.GBK("晋A1"))}}
			s.do("GET", plate+"/parameters?id=max_speed,0x0083", "")
			m = c.readCommand()
			var query jt808.QueryParameters
			if err := jt808.Decode(m.body, ed, &query); err != nil || m.head.ID != jt808.IDQueryParameters || fmt.Sprint(query.IDs) != "[85 131]" {
				t.Fatalf("%+v %v", m, query)
			}
			c.send(c.frame(jt808.IDParametersReply, jt808.AppendBody(nil, ed, &jt808.ParametersReply{Serial: m.head.Serial, Parameters: parameters})))
			s.answer(200, `"name":"max_speed","len":4,"value":100}`, `"value":"晋A1"`, `"outcome":"done"`)

			s.do("GET", plate+fmt.Sprintf("/parameters?color=%d", v1.Color), "")
			if m = c.readCommand(); m.head.ID != jt808.IDQueryAllParameters {
				t.Fatalf("%+v", m)
			}
			c.send(c.frame(jt808.IDParametersReply, append([]byte{byte(m.head.Serial >> 8), byte(m.head.Serial)}, 3, 0, 0, 0, 1, 4, 0, 0, 0, 60, 0, 0)))
			s.answer(200, `"value":60}]`, `"problem":"`)

			s.do("PUT", plate+"/parameters", `{"parameters":{"0x0083":"晋A2","max_speed":90}}`)
			m = c.readCommand()
			var set jt808.SetParameters
			if err := jt808.Decode(m.body, ed, &set); err != nil || len(set.Items) != 2 || set.Items[0].ID != jt808.ParamMaxSpeed || set.Items[1].Text().String() != "晋A2" {
				t.Fatalf("%+v %+v", m, set)
			}
			c.ack(m, 3)
			s.answer(200, `"outcome":"not_supported"`, `"result":3`)
		})
	}
}

// 2011 has no question for some parameters: it is asked for all, and the answer is what was wanted of them.
func TestSomeParametersOf2011(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2011, nil)
	s := serveCommands(t, g, nil)
	s.do("GET", v1.Plate()+"/parameters?id=max_speed&id=heartbeat_interval", "")
	m := c.readCommand()
	if m.head.ID != jt808.IDQueryAllParameters || len(m.body) != 0 {
		t.Fatalf("%+v", m)
	}
	c.send(c.frame(jt808.IDParametersReply, jt808.AppendBody(nil, c.ed, &jt808.ParametersReply{Serial: m.head.Serial, Parameters: jt808.Parameters{
		Items: []jt808.Parameter{jt808.Uint32Param(1, 60), jt808.Uint32Param(2, 5), jt808.Uint32Param(jt808.ParamMaxSpeed, 100)}}})))
	r := s.answer(200, `"heartbeat_interval"`, `"max_speed"`)
	if strings.Contains(r.raw, "tcp_timeout") {
		t.Error(r.raw)
	}
	// An answer that is none ends nothing, and is told to the terminal.
	s.do("GET", v1.Plate()+"/parameters", "")
	m = c.readCommand()
	c.send(c.frame(jt808.IDParametersReply, []byte{1}))
	c.want(c.serial-1, jt808.IDParametersReply, jt808.ResultMalformed)
	c.ack(m, 2)
	s.answer(200, `"outcome":"malformed"`, `"result":2`)
}

func TestHTTPCommandsRefuse(t *testing.T) {
	g, _, _ := online(t, jt808.Edition2013, nil)
	blue := vehicle(v1.Plate(), 93)
	d := dial(t, g.Addr().String(), "13900000002", jt808.Edition2013)
	d.login(blue)
	s := serveCommands(t, g, func(ingest.Vehicle) []Area { return nil })
	plate := v1.Plate()
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", plate + "/prompts", `{"text":"x"}`, 400, `"field":"color"`},
		{"POST", plate + "/prompts?color=x", `{"text":"x"}`, 400, `"field":"color"`},
		{"POST", plate + "/prompts?color=256", `{"text":"x"}`, 400, `"field":"color"`},
		{"POST", "%00/prompts", `{"text":"x"}`, 400, `"field":"plate"`},
		{"POST", strings.Repeat("x", 100) + "/prompts", `{"text":"x"}`, 400, `"field":"plate"`},
		{"POST", "京A1/prompts?color=2", `{"text":""}`, 400, `"field":"text"`},
		{"POST", "京A1/prompts?color=2", `{"text":"\u0007"}`, 400, `"field":"text"`},
		{"POST", "京A1/prompts?color=2", `{"text":"` + strings.Repeat("慢", 513) + `"}`, 400, `1026 bytes in GBK`},
		{"POST", "京A1/prompts?color=2", `{"text":"x","loud":1}`, 400, `bad_json`},
		{"POST", "京A1/prompts?color=2", `{"text":"x"}{}`, 400, `bad_json`},
		{"POST", "京A1/prompts?color=2", ``, 400, `bad_json`},
		{"POST", "京A1/prompts?color=2", `{"text":"` + strings.Repeat("x", 70000) + `"}`, 413, `too_large`},
		{"POST", "京A1/prompts?color=2", `{"text":"x"}`, 200, `"outcome":"offline"`},
		{"POST", "京A1/prompts", `{"text":"x"}`, 200, `"outcome":"offline"`},
		{"POST", "京A1/position-query", `{}`, 200, `"outcome":"offline"`},
		{"GET", "京A1/prompts", ``, 405, `use POST`},
		{"DELETE", "京A1/parameters", ``, 405, `use GET or PUT`},
		{"GET", "京A1/parameters?id=speed", ``, 400, `"field":"id"`},
		{"GET", "京A1/parameters?id=", ``, 400, `"field":"id"`},
		{"PUT", "京A1/parameters", `{"parameters":{}}`, 400, `from 1 to 255`},
		{"PUT", "京A1/parameters", `{"parameters":{"max_speed":1,"0x55":2}}`, 400, `are the same`},
		{"PUT", "京A1/parameters", `{"parameters":{"max_speed":"1"}}`, 400, `max_speed is a whole number`},
		{"POST", "京A1/fences?color=2", `{"fences":["no"]}`, 200, `"outcome":"unknown"`},
	} {
		s.do(c.method, c.path, c.body)
		if r := s.answer(c.status, c.want); r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s may be cached", c.method, c.path)
		}
	}
	for _, c := range []struct {
		authorization, content string
		status                 int
	}{{"", "application/json", 401}, {"Bearer x", "application/json", 401}, {"Bearer " + httpToken, "text/plain", 415}, {"Bearer " + httpToken, "", 415}} {
		r, _ := http.NewRequest("POST", s.url+plate+"/position-query?color=93", strings.NewReader("{}"))
		r.Header.Set("Authorization", c.authorization)
		r.Header.Set("Content-Type", c.content)
		if got := fetch(r); got.status != c.status {
			t.Errorf("%+v: %d %s", c, got.status, got.raw)
		}
	}
	// Who went away while the terminal thinks leaves nothing behind.
	h := NewCommands(CommandsDeps{Gateway: g, Allowed: tokenAllowed(httpToken), Logger: slog.New(slog.DiscardHandler)})
	for range maxCommandRequests {
		h.slots <- struct{}{}
	}
	rec, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Authorization", "Bearer "+httpToken)
	h.serve(h.postPosition)(rec, r)
	if rec.Code != 429 {
		t.Errorf("%d", rec.Code)
	}
	if n := g.openCommands(); n != 0 {
		t.Errorf("%d commands are open", n)
	}
}

func TestHTTPFences(t *testing.T) {
	square := []Point{{35_000_000, 112_000_000}, {35_000_000, 113_000_000}, {36_000_000, 113_000_000}, {36_000_000, 112_000_000}, {35_000_000, 112_000_000}}
	areas := []Area{
		{ID: "F1", Name: "学校", Circle: &Point{35_500_000, 112_850_000}, RadiusM: 300, Limit: 300, OnEnter: true, Daily: []DailyHours{{7 * 60, 9 * 60}, {22 * 60, 24 * 60}}},
		{ID: "F2", Polygons: [][]Point{square}, OnLeave: true},
		{ID: "F3", Polygons: [][]Point{square[:3]}, OnEnter: true},
		{ID: "R1", Line: square[:3], WidthM: 200, OnLeave: true, Limit: 805},
		{ID: "F4", Polygons: [][]Point{square}, Holes: true, OnEnter: true},
	}
	g, c, _ := online(t, jt808.Edition2019, nil)
	s := serveCommands(t, g, func(v ingest.Vehicle) []Area {
		if v != v1 {
			return nil
		}
		return areas
	})
	s.do("POST", v1.Plate()+"/fences", `{"replace":true}`)
	var ids []string
	for i := range 9 {
		m := c.readCommand()
		ids = append(ids, m.head.ID.String())
		c.ack(m, map[bool]uint8{true: 1}[i == 8])
		switch i {
		case 4, 5:
			var got jt808.SetCircles
			if err := jt808.Decode(m.body, c.ed, &got); err != nil || len(got.Areas) != 1 {
				t.Fatal(err)
			}
			a := got.Areas[0]
			if a.Lat != 35_500_000 || a.Lon != 112_850_000 || a.Radius != 300 || a.MaxSpeed != 30 || a.NightMaxSpeed != 30 || a.Name.String() != "学校" ||
				a.Props != jt808.AreaTimed|jt808.AreaSpeed|jt808.AreaEnterDriver || got.Action != 1 {
				t.Errorf("%+v", got)
			}
			hours := fmt.Sprintf("%x %x", a.Start[:], a.End[:])
			if hours != []string{"000000070000 000000090000", "000000220000 000000235959"}[i-4] {
				t.Error(hours)
			}
		case 6:
			var got jt808.SetRectangles
			if err := jt808.Decode(m.body, c.ed, &got); err != nil || got.Areas[0].Top != 36_000_000 || got.Areas[0].Left != 112_000_000 || got.Areas[0].Bottom != 35_000_000 ||
				got.Areas[0].Right != 113_000_000 || got.Areas[0].Props != jt808.AreaLeaveDriver {
				t.Errorf("%+v %v", got, err)
			}
		case 7:
			var got jt808.Polygon
			if err := jt808.Decode(m.body, c.ed, &got); err != nil || len(got.Vertices) != 3 {
				t.Errorf("%+v %v", got, err)
			}
		case 8:
			var got jt808.Route
			if err := jt808.Decode(m.body, c.ed, &got); err != nil || len(got.Points) != 3 || got.Points[1].Width != 200 || got.Points[1].MaxSpeed != 80 || got.Props != jt808.AreaLeaveDriver {
				t.Errorf("%+v %v", got, err)
			}
		}
	}
	if got := strings.Join(ids, " "); got != "0x8601 0x8603 0x8605 0x8607 0x8600 0x8600 0x8602 0x8604 0x8606" {
		t.Error(got)
	}
	s.answer(200, `"sent":5`, `"done":4`, `"outcome":"impossible"`, `it has a hole`, `"kind":"route","area_id":`, `"outcome":"failed","result":1`)
	// A terminal that goes: what comes after is not sent.
	s.do("POST", v1.Plate()+"/fences", `{"fences":["F1","F2"]}`)
	c.readCommand()
	c.nc.Close()
	s.answer(200, `"outcome":"gone"`, `"outcome":"not_sent"`, `"sent":3`, `"done":0`)
}

func TestAreas(t *testing.T) {
	south := []Point{{-35_000_000, -60_000_000}, {-35_000_000, -59_000_000}, {-34_000_000, -59_500_000}}
	a := Area{ID: "S", Polygons: [][]Point{south, south}, OnEnter: true}
	m, err := a.messages()
	if err != nil || len(m) != 2 || m[0].number == m[1].number {
		t.Fatalf("%+v %v", m, err)
	}
	p := m[0].body.(*jt808.Polygon)
	if p.Props != jt808.AreaEnterDriver|jt808.AreaSouth|jt808.AreaWest || p.Vertices[0] != (jt808.Vertex{Lat: 35_000_000, Lon: 60_000_000}) {
		t.Errorf("%+v", p)
	}
	if again, _ := a.messages(); again[0].number != m[0].number {
		t.Error("the number of an area changes")
	}
	if _, _, is := rectangle([]Point{{0, 0}, {1, 1}, {0, 1}, {1, 0}}); is {
		t.Error("a bow tie is a rectangle")
	}
	if _, _, is := rectangle([]Point{{0, 0}, {0, 1}, {0, 0}, {0, 1}}); is {
		t.Error("a line is a rectangle")
	}
	for want, a := range map[string]Area{
		"it has no shape":                {OnEnter: true},
		"its schedule differs":           {Circle: &Point{}, RadiusM: 5, OnEnter: true, OddDays: true},
		"a terminal has nothing":         {Circle: &Point{}, RadiusM: 5},
		"its radius of 0 m":              {Circle: &Point{}, OnEnter: true},
		"its radius of 1e+07 m":          {Circle: &Point{}, RadiusM: 1e7, OnEnter: true},
		"a polygon of it has 2":          {Polygons: [][]Point{south[:2]}, OnEnter: true},
		"a polygon of it has 2001":       {Polygons: [][]Point{make([]Point, 2002)}, OnEnter: true},
		"a place of it is nowhere":       {Circle: &Point{91_000_000, 0}, RadiusM: 5, OnEnter: true},
		"it crosses the equator":         {Polygons: [][]Point{{{1, 1}, {-1, 1}, {1, 2}}}, OnEnter: true},
		"its width of 256 m":             {Line: south, WidthM: 256, OnEnter: true},
		"its line has 1 points":          {Line: south[:1], WidthM: 5, OnEnter: true},
		"it has too many parts":          {Polygons: make([][]Point, 33), Daily: make([]DailyHours, 1), OnEnter: true},
		"it has no shape that terminals": {Circle: &Point{}, Line: south, OnEnter: true},
	} {
		if _, err := a.messages(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	// Two ids with one number: neither may take the other's place.
	_, answers, err := planAreas([]Area{{ID: "X", Circle: &Point{}, RadiusM: 5, OnEnter: true}, {ID: "X", Circle: &Point{}, RadiusM: 5, OnEnter: true}}, nil)
	if err != nil || len(answers) != 2 || answers[1].Outcome != areaImpossible {
		t.Errorf("%+v %v", answers, err)
	}
	var many []Area
	for i := range maxAreaMessages + 1 {
		many = append(many, Area{ID: fmt.Sprint(i), Circle: &Point{}, RadiusM: 5, OnEnter: true})
	}
	if _, _, err := planAreas(many, nil); err == nil {
		t.Error("too many areas are sent")
	}
}
