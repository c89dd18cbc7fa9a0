package httpx

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReadJSON(t *testing.T) {
	for _, c := range []struct {
		contentType, body string
		status            int // 0: taken
	}{
		{"application/json", `{"a":1}`, 0},
		{"application/json; charset=utf-8", ` {"a":1} `, 0},
		{"text/plain", `{"a":1}`, 415},
		{"", `{"a":1}`, 415},
		{"application/json", `{"b":1}`, 400},
		{"application/json", `{"a":"x"}`, 400},
		{"application/json", `{"a":1}{}`, 400},
		{"application/json", ``, 400},
		{"application/json", `{"a":` + strings.Repeat("1", 200) + `}`, 413},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		var m struct {
			A int `json:"a"`
		}
		err := ReadJSON(httptest.NewRecorder(), r, 100, &m)
		var e *Error
		switch {
		case c.status == 0 && (err != nil || m.A != 1):
			t.Errorf("%q %.40s: %v", c.contentType, c.body, err)
		case c.status != 0 && (!errors.As(err, &e) || e.Status != c.status):
			t.Errorf("%q %.40s: %v, want %d", c.contentType, c.body, err, c.status)
		}
	}
}

func TestWriteError(t *testing.T) {
	for status, header := range map[int]string{401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After", 400: "Cache-Control"} {
		w := httptest.NewRecorder()
		w.Header().Set("ETag", `"x"`)
		WriteError(w, Refuse(status, "code", "a message", ""))
		var b ErrorBody
		if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil || w.Code != status || w.Header().Get(header) == "" || w.Header().Get("ETag") != "" || b.Error.Code != "code" || b.Error.Field != nil {
			t.Errorf("%d: %v %s", status, w.Header(), w.Body)
		}
	}
	w := httptest.NewRecorder()
	WriteError(w, BadParameter("color", "%d", 300).(*Error))
	if w.Code != 400 || !strings.Contains(w.Body.String(), `"message":"color: 300","field":"color"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	WriteJSON(w, 200, func() {})
	if w.Code != 500 || !json.Valid(w.Body.Bytes()) {
		t.Errorf("what has no JSON: %d %s", w.Code, w.Body)
	}
}

func TestParams(t *testing.T) {
	read := func(query string) *Params {
		p := ReadParams(&http.Request{URL: &url.URL{RawQuery: query}})
		return &p
	}
	p := read("a=1&b=x,y&b=z&t=2026-05-01&u=2026-05-01T08:00:00+08:00&n=1.5")
	zone := time.FixedZone("", 8*3600)
	if a := p.Integer("a", 7, 0, 9); a != 1 {
		t.Error(a)
	}
	if b := p.Many("b", OneOf([]string{"x", "y", "z"})); !reflect.DeepEqual(b, []string{"x", "y", "z"}) {
		t.Error(b)
	}
	if at := p.Time("t"); at != time.Date(2026, 5, 1, 0, 0, 0, 0, zone).UnixMilli() {
		t.Error(at)
	}
	if at := p.Time("u"); at != time.Date(2026, 5, 1, 8, 0, 0, 0, zone).UnixMilli() {
		t.Error(at)
	}
	if n := p.Number("n"); n == nil || *n != 1.5 {
		t.Error(n)
	}
	if n := p.Integer("absent", 7, 0, 9); n != 7 || p.Number("gone") != nil || p.Time("never") != 0 {
		t.Error("what is absent has a value")
	}
	if err := p.Finish(); err != nil {
		t.Error(err)
	}
	for query, field := range map[string]string{"a=x": "a", "a=": "a", "a=1&a=2": "a", "a=" + strings.Repeat("1", 30): "a", "a=10": "a", "b=q": "b", "t=x": "t", "t=2300-01-01": "t", "n=NaN": "n", "zz=1": "zz",
		"b=" + strings.Repeat("x,", 100) + "x": "b", strings.Repeat("z", 100) + "=1": strings.Repeat("z", 64) + "…"} {
		p := read(query)
		p.Integer("a", 0, 0, 9)
		p.Many("b", OneOf([]string{"x"}))
		p.Time("t")
		p.Number("n")
		var e *Error
		if err := p.Finish(); !errors.As(err, &e) || e.Status != 400 || e.Field != field {
			t.Errorf("%.40s: %v", query, err)
		}
	}
	if err := read("%zz").Finish(); err == nil || !strings.Contains(err.Error(), "query string") {
		t.Error(err)
	}
	if err := read("x=1").Finish(); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Error(err)
	}
}
