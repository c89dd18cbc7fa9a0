package api

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCompareShadow(t *testing.T) {
	f := &fakeStore{}
	a := newAPI(t, DefaultConfig(), f)
	res, body := get(t, a, "/v1/shadows/stricter-stretch?kind=speeding,overload&from=2026-05-01T08:00:00%2B08:00&to=2026-05-02")
	if res.StatusCode != 200 || strings.TrimSpace(body) != `{"shadow":"stricter-stretch","kinds":{"speeding":{"in_force":3,"shadow":5,"both":4,"only_in_force":1,"only_shadow":1}}}` {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if g := f.shadow; g.Name != "stricter-stretch" || !slices.Equal(g.Kinds, []string{"speeding", "overload"}) || g.From != base || g.To != base+16*3600_000 {
		t.Errorf("%+v", g)
	}
	for path, want := range map[string]int{"/v1/shadows/A%20B": 404, "/v1/shadows/a?to=x": 400, "/v1/shadows/a?from=2026-05-02&to=2026-05-01": 400,
		"/v1/shadows/a?kind=%27": 400, "/v1/shadows/a?other=1": 400, "/v1/shadows/": 404} {
		if res, body := get(t, a, path); res.StatusCode != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	f.err = errors.New("no answer")
	if res, _ := get(t, a, "/v1/shadows/a"); res.StatusCode != 503 {
		t.Errorf("%d", res.StatusCode)
	}
}
