package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/embed/chengine"
)

// The whole way: rows in the real engine, answers over HTTP.
func TestOverTheEngine(t *testing.T) {
	cfg := chengine.DefaultConfig()
	cfg.DataDir, cfg.SyncWrites = t.TempDir(), false
	engine, err := chengine.Open(cfg)
	if err != nil {
		t.Fatalf("this test needs the embedded ClickHouse: run make engine\n%v", err)
	}
	defer engine.Close(context.Background())
	st, err := store.Open(t.Context(), store.DefaultConfig(), engine)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const plate = "晋E'\\\"%1"
	v := vehicle(t, plate, 2)
	var positions store.PositionBlock
	for i := range 40 { // one every 15 s from 6 minutes before
		e := ingest.Event{Kind: ingest.KindPosition, Vehicle: v, Time: base + int64(i-24)*15_000, Received: base + int64(i-24)*15_000}
		e.Position.Reset()
		e.Position.Extras = []byte{0x30, 1, 31}
		positions.Add(&e, "ok", store.Place{})
	}
	var violations store.ViolationBlock
	quoted, err := json.Marshal(plate)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		raw := strings.Replace(closedViolation, `"晋E00001"`, string(quoted), 1)
		raw = strings.Replace(raw, `"a1"`, fmt.Sprintf(`"a%02d"`, i), 1)
		if err := violations.Add([]byte(raw), base, store.Place{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range []store.Block{&positions, &violations} {
		if err := st.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	a := newAPI(t, DefaultConfig(), st)

	var ids []string
	next := ""
	for {
		target := "/v1/violations?limit=10&plate=" + url.QueryEscape(plate)
		if next != "" {
			target += "&cursor=" + next
		}
		res, body := get(t, a, target)
		var page struct {
			Violations []struct{ ID, Plate string }
			Next       *string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		for _, v := range page.Violations {
			if v.Plate != plate {
				t.Errorf("plate %q", v.Plate)
			}
			ids = append(ids, v.ID)
		}
		if page.Next == nil {
			break
		}
		next = *page.Next
		if len(ids) > 100 {
			t.Fatal("the pages do not end")
		}
	}
	if len(ids) != 25 || ids[0] != "a00" || ids[24] != "a24" {
		t.Errorf("ids %v", ids)
	}
	if res, body := get(t, a, "/v1/violations?cursor="+next); res.StatusCode != 400 {
		t.Errorf("a cursor of another question: %d %s", res.StatusCode, body)
	}
	if _, body := get(t, a, "/v1/violations?plate="+url.QueryEscape("' OR 1=1 --")); !strings.HasPrefix(body, `{"violations":[],`) {
		t.Errorf("hostile plate: %s", body)
	}
	if res, body := get(t, a, "/v1/violations/a07"); res.StatusCode != 200 || !strings.Contains(body, `"later":{"x":12345678901234567}`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	res, body := get(t, a, "/v1/violations/a07/track")
	var track struct {
		Positions []struct {
			InViolation bool `json:"in_violation"`
		}
	}
	if err := json.Unmarshal([]byte(body), &track); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	in := 0
	for _, p := range track.Positions {
		if p.InViolation {
			in++
		}
	}
	if len(track.Positions) != 36 || in != 11 { // from -300 s; from 0 to 150 s
		t.Errorf("%d positions, %d in the violation", len(track.Positions), in)
	}
	res, body = get(t, a, "/v1/vehicles/"+url.PathEscape(plate))
	if res.StatusCode != 200 || !strings.Contains(body, `"days_30":{"speeding":25}`) || !strings.Contains(body, `"last_position":{"type":"position"`) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	tryOverTheEngine(t, st)
	explainOverTheEngine(t, st)
}

// A new fence, tried over what is in the tables: a vehicle that goes through it, and one that stays away.
func tryOverTheEngine(t *testing.T, st *store.Store) {
	var b store.PositionBlock
	for _, e := range drive(t, "晋E00007", 40) {
		b.Add(&e, "ok", store.Place{})
		e.Vehicle = vehicle(t, "晋E00008", 2)
		e.Position.Lat += 100_000
		b.Add(&e, "ok", store.Place{})
	}
	if err := st.Insert(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	p, _ := newPlaces(t, st)
	res, body := do(t, p, "POST", "/v1/reference/fences/trial", trialBody("", fence("NEW", 112, 35)))
	var f found
	if err := json.Unmarshal([]byte(body), &f); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if l := f.LookedAt; *l.VehiclesNear != 1 || !l.Complete || l.Positions != 40 || f.Vehicles["晋E00007/2"]["fence_entry"] != 1 {
		t.Errorf("%s", body)
	}
}
