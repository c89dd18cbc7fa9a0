package register

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
)

type page struct{ key, value string }

type memoryLog struct {
	mu     sync.Mutex
	pages  []page
	failed error
}

func (m *memoryLog) Load(_ context.Context, fn func(key, value []byte) error) error {
	for _, p := range m.pages {
		if err := fn([]byte(p.key), []byte(p.value)); err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryLog) Write(_ context.Context, key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return m.failed
	}
	m.pages = append(m.pages, page{string(key), string(value)})
	return nil
}

func open(t *testing.T, log *memoryLog) *Register {
	t.Helper()
	r := New(log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

var v1, _ = ingest.NewVehicle("云A8K216", 2)

const day = int64(24 * time.Hour / time.Millisecond)

const t0 = 1777622400000

func info(s string) jt809.Info { return jt809.ParseInfo(jt808.GBK(s)) }

func TestRegister(t *testing.T) {
	log := &memoryLog{}
	r := open(t, log)
	put := func(s Report, writes int) {
		t.Helper()
		if s.Vehicle.IsZero() {
			s.Vehicle = v1
		}
		before := len(log.pages)
		if err := r.Put(t.Context(), s); err != nil || len(log.pages)-before != writes {
			t.Fatalf("%+v: %d writes, %v", s, len(log.pages)-before, err)
		}
	}
	want := func(platform, region, operator, phone, class string) {
		t.Helper()
		n, ok := r.Get(v1)
		if !ok || n.Platform != platform || n.Region != region || n.OperatorID+"/"+n.OperatorName != operator || n.Phone != phone || n.Class() != class {
			t.Errorf("%+v (class %q)", n, n.Class())
		}
	}
	if r.Known(v1) {
		t.Error("an empty register knows a vehicle")
	}
	put(Report{Platform: "a", Phone: "013987650042", Model: "KX-900B", Received: t0}, 1)
	if r.Known(v1) {
		t.Error("the terminal alone is no static data")
	}
	static := info("VIN:=云A8K216;VEHICLE_COLOR:=2;VEHICLE_TYPE:=40;TRANS_TYPE:=030;VEHICLE_NATIONALITY:=530100;OWERS_ID:=17;OWERS_NAME:=云南某危货公司;OWERS_TEL:=0871")
	put(Report{Platform: "a", Info: static, Received: t0}, 1)
	if !r.Known(v1) {
		t.Error("static data came, and the vehicle is not known")
	}
	want("a", "530100", "17/云南某危货公司", "13987650042", "hazmat")
	version := r.Version()
	put(Report{Platform: "a", Info: static, Received: t0 + day/2}, 0)
	put(Report{Platform: "a", Info: static, Received: t0 + day}, 1) // the day is noted, and nothing changes by it
	if r.Version() != version {
		t.Error("the version changed, and the content did not")
	}
	// Another platform fills what is open, and no more.
	put(Report{Platform: "b", Info: info("TRANS_TYPE:=012;OWERS_NAME:=别家"), IMEI: "860000000000001", Received: t0 + 2*day}, 1)
	want("a", "530100", "17/云南某危货公司", "13987650042", "hazmat")
	put(Report{Platform: "b", Info: info("TRANS_TYPE:=012;OWERS_NAME:=别家"), IMEI: "860000000000002", Received: t0 + 2*day}, 0)
	// Operator id and name go together.
	put(Report{Platform: "a", Info: info("OWERS_NAME:=新公司"), Received: t0 + 3*day}, 1)
	want("a", "530100", "/新公司", "13987650042", "hazmat")
	// After a month without a word of the first, the second is believed.
	put(Report{Platform: "b", Info: info("TRANS_TYPE:=012;OWERS_NAME:=别家"), Operator: "not used", Region: "530200", Received: t0 + 40*day}, 1)
	want("b", "530200", "/别家", "", "coach_charter")
	// What can't be right is left out.
	put(Report{Platform: "b", Info: info("VEHICLE_NATIONALITY:=53;OWERS_TEL:=" + strings.Repeat("1", 200)), Phone: "abc", Received: t0 + 40*day}, 0)
	want("b", "530200", "/别家", "", "coach_charter")

	again := open(t, log)
	x, _ := r.Records()
	if y, _ := again.Records(); !reflect.DeepEqual(x, y) || len(x) != 1 {
		t.Errorf("loaded again:\n%+v\n%+v", x, y)
	}
	log.failed = errors.New("gone")
	if err := r.Put(t.Context(), Report{Vehicle: v1, Platform: "b", Phone: "1", Received: t0 + 40*day}); !errors.Is(err, log.failed) {
		t.Errorf("a log that is gone: %v", err)
	}
	want("b", "530200", "/别家", "", "coach_charter")
	if err := r.Put(t.Context(), Report{Platform: "b"}); !errors.Is(err, ingest.ErrPlateEmpty) {
		t.Errorf("no vehicle: %v", err)
	}
}

func TestRegisterRoutes(t *testing.T) {
	log := &memoryLog{}
	r := open(t, log)
	point := func(lat, lon uint32) jt808.RoutePoint { return jt808.RoutePoint{Lat: lat, Lon: lon, Width: 40} }
	route := func(id uint32, points ...jt808.RoutePoint) Report {
		return Report{Vehicle: v1, Platform: "a", Received: t0, Route: &jt809.Route{Drvline: jt808.Route{ID: id, Name: jt808.GBK("昆明到大理"), Points: points}}}
	}
	for _, s := range []Report{route(9, point(25_000_000, 102_000_000), point(25_000_000, 102_000_000), point(25_100_000, 102_100_000)), route(3, point(1, 2), jt808.RoutePoint{Lat: 3, Lon: 4, Width: 60, Props: jt808.SectionSouth | jt808.SectionWest}),
		route(9, point(25_000_000, 102_000_000), point(25_200_000, 102_100_000)), route(1), route(2, point(1, 1)), route(4, point(1, 1), point(99_000_000, 1))} {
		if err := r.Put(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	n, _ := r.Get(v1)
	want := []Route{{3, "昆明到大理", 60, [][2]int32{{1, 2}, {-3, -4}}}, {9, "昆明到大理", 40, [][2]int32{{25_000_000, 102_000_000}, {25_200_000, 102_100_000}}}}
	if !reflect.DeepEqual(n.Routes, want) || len(log.pages) != 3 {
		t.Errorf("%+v, %d writes", n.Routes, len(log.pages))
	}
	for id := range uint32(40) {
		if err := r.Put(t.Context(), route(100+id, point(1, 2), point(3, 4))); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := r.Get(v1); len(n.Routes) != maxRoutes {
		t.Errorf("%d routes", len(n.Routes))
	}
	if again, _ := open(t, log).Get(v1); len(again.Routes) != maxRoutes {
		t.Errorf("%d routes after a start", len(again.Routes))
	}
}

func TestRegisterRefuses(t *testing.T) {
	log := &memoryLog{}
	log.pages = append(log.pages, []page{{"k", "{"}, {"x/1", `{"plate":"y","color":1}`}, {"/0", `{}`}, {"y/1", `{"plate":"y","color":1,"region":"x"}`}, {"y/1", `{"plate":"y","color":1,"model":"a\u0001"}`},
		{"y/1", `{"plate":"y","color":1,"routes":[{"id":1,"width_m":9,"line":[[1,1]]}]}`}, {"y/1", `{"plate":"y","color":1,"routes":[{"id":1,"width_m":0,"line":[[1,1],[2,2]]}]}`}}...)
	log.pages = append(log.pages, page{"y/1", `{"plate":"y","color":1,"member_of_later":1}`}, page{"z/1", `{"plate":"z","color":1}`}, page{"z/1", ""})
	r := open(t, log)
	if all, _ := r.Records(); len(all) != 1 || all[0].Plate != "y" || testutil.ToFloat64(r.bad) != 7 {
		t.Errorf("%+v, %v refused", all, testutil.ToFloat64(r.bad))
	}
	r.limit = 3
	for n := range 5 {
		v, _ := ingest.NewVehicle(fmt.Sprintf("云A%05d", n), 1)
		if err := r.Put(t.Context(), Report{Vehicle: v, Platform: "a", Phone: "1"}); (err != nil) != (n >= 2) || err != nil && !errors.Is(err, ErrFull) {
			t.Errorf("vehicle %d: %v", n, err)
		}
	}
}

func TestRegisterConcurrently(t *testing.T) {
	r := open(t, &memoryLog{})
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			for i := range 50 {
				v, _ := ingest.NewVehicle(fmt.Sprintf("云A%05d", i), 1)
				if err := r.Put(t.Context(), Report{Vehicle: v, Platform: "a", Phone: fmt.Sprint(n%2 + 1), Received: t0}); err != nil {
					t.Error(err)
				}
				r.Records()
			}
		})
	}
	wait.Wait()
	if all, version := r.Records(); len(all) != 50 || version < 50 || version != r.Version() {
		t.Errorf("%d records, version %d", len(all), version)
	}
}
