package api

import (
	"encoding/json"
	"strings"
	"testing"

	"lushao/enforce/store"
)

const visitJSON = `{"id":"v1","version":7,"state":"closed","plate":"湘F00001","color":2,"fence":"J","jurisdiction":"430603","entered":"2026-05-01T08:00:00+08:00","left":"2026-05-01T08:30:00+08:00","of":"later"}`

func TestVisits(t *testing.T) {
	v := &store.VisitRecord{JSON: json.RawMessage(visitJSON)}
	if err := json.Unmarshal(v.JSON, &v.Visit); err != nil {
		t.Fatal(err)
	}
	f := &fakeStore{}
	a := newAPI(t, DefaultConfig(), f)
	if res, body := get(t, a, "/v1/visits"); res.StatusCode != 200 || strings.TrimSpace(body) != `{"visits":[],"next":null}` {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	f.visit = v
	res, body := get(t, a, "/v1/visits?plate=湘F00001&color=2&region=430600&jurisdiction=430603&filed=false&inside=true&from=2026-05-01&to=2026-05-02&limit=1&cursor=x")
	if res.StatusCode != 200 || strings.TrimSpace(body) != `{"visits":[`+visitJSON+`],"next":"more"}` {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if q := f.visits; q.Plate != "湘F00001" || *q.Color != 2 || q.Region != "430600" || q.Jurisdiction != "430603" || *q.Filed || !*q.Inside ||
		q.To-q.From != 86400_000 || q.Limit != 1 || q.Cursor != "x" {
		t.Errorf("asked for %+v", q)
	}
	for q, field := range map[string]string{"filed=yes": "filed", "from=2026-05-02&to=2026-05-01": "to", "state=open": "state"} {
		if res, body := get(t, a, "/v1/visits?"+q); res.StatusCode != 400 || !strings.Contains(body, `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", q, res.StatusCode, body)
		}
	}
	res, body = get(t, a, "/v1/visits/v1")
	if res.StatusCode != 200 || strings.TrimSpace(body) != visitJSON || res.Header.Get("ETag") != `"v1-7"` {
		t.Errorf("%d %s %s", res.StatusCode, res.Header.Get("ETag"), body)
	}
	if res, _ := get(t, a, "/v1/visits/v2"); res.StatusCode != 404 {
		t.Errorf("one that is not there: %d", res.StatusCode)
	}
	res, body = get(t, a, "/v1/visits/v1/track?margin_s=60")
	if res.StatusCode != 200 || !strings.Contains(body, `"visit":"v1"`) || f.track.From != int64(v.Entered)-60_000 || f.track.To != int64(*v.Left)+60_999 {
		t.Errorf("%d %s: asked for %+v", res.StatusCode, body, f.track)
	}
}
