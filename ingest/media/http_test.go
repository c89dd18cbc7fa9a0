package media

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestHandler(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	now := time.Now().UnixMilli()
	v := vehicle(t, "晋E/1")
	r := photo(v, now, "<script>alert(1)</script>")
	e := put(t, s, r)
	blue := v
	blue.Color = 1
	put(t, s, photo(blue, now-1, "of the blue one"))
	token := "Bearer right"
	mux := http.NewServeMux()
	h := s.Handler(func(r *http.Request) bool { return r.Header.Get("Authorization") == token })
	for _, p := range Patterns {
		mux.Handle(p, h)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	get := func(path string, head ...string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest("GET", srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		for i := 0; i < len(head); i += 2 {
			req.Header.Set(head[i], head[i+1])
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	base := "/v1/vehicles/" + url.PathEscape("晋E/1") + "/media"
	var list struct {
		Media []struct {
			Name, Plate, Href, Received string
			Color                       int
		}
		More bool
	}
	resp, body := get(base)
	if err := json.Unmarshal([]byte(body), &list); err != nil || resp.StatusCode != 200 || len(list.Media) != 2 || list.More {
		t.Fatalf("%d %s %v", resp.StatusCode, body, err)
	}
	if m := list.Media[0]; m.Name != e.Name || m.Plate != "晋E/1" || m.Color != 2 {
		t.Errorf("%+v", m)
	}
	if _, body := get(base + "?color=1&limit=1"); strings.Count(body, `"name"`) != 1 || !strings.Contains(body, `"color":1`) {
		t.Error(body)
	}
	resp, body = get(list.Media[0].Href)
	if resp.StatusCode != 200 || body != "<script>alert(1)</script>" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	for k, want := range map[string]string{"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff",
		"Content-Disposition": `attachment; filename="` + e.File + `"`, "Content-Security-Policy": "default-src 'none'; sandbox"} {
		if got := resp.Header.Get(k); got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
	if resp, body := get(list.Media[0].Href, "Range", "bytes=1-6"); resp.StatusCode != 206 || body != "script" {
		t.Errorf("range: %d %q", resp.StatusCode, body)
	}
	for path, want := range map[string]int{
		base + "?colour=2":        400,
		base + "?color=2&color=1": 400,
		base + "?color=256":       400,
		base + "?from=yesterday":  400,
		base + "?limit=0":         400,
		base + "?limit=1001":      400,
		base + "?%zz":             400,
		base + "?from=9999-12-31T23:59:59-12:00&to=0000-01-01T00:00:00Z":  200,
		"/v1/vehicles/" + strings.Repeat("x", 30) + "/media":              400,
		"/v1/vehicles/nobody/media":                                       200,
		base + "/2026-05-01/" + e.File:                                    400, // without a color
		base + "/2026-05-01/" + e.File + "?color=9":                       404,
		base + "/..%2F..%2Fetc/passwd?color=2":                            404,
		base + "/" + e.Day + "/..%2F..%2F..%2Fetc%2Fpasswd?color=2":       404,
		base + "/" + e.Day + "/" + e.Name + ".json?color=2":               200,
		base + "/" + e.Day + "/0801-undated-0123456789abcdef.jpg?color=2": 404,
	} {
		if resp, body := get(path); resp.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", path, resp.StatusCode, body, want)
		} else if want >= 400 && !strings.HasPrefix(body, `{"error":{"code":"`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if resp, body := get(base, "Authorization", "Bearer wrong"); resp.StatusCode != 401 || strings.Contains(body, e.Name) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := get(list.Media[0].Href, "Authorization", ""); resp.StatusCode != 401 {
		t.Errorf("a file without a token: %d", resp.StatusCode)
	}
}
