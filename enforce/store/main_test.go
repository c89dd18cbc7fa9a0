package store

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/embed/chengine"
)

// One engine serves all tests of the process: the library holds no more than one. Each test has a database of its own.
var engine *chengine.Engine

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "store-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		cfg := chengine.DefaultConfig()
		cfg.DataDir, cfg.SyncWrites = dir, false
		engine, err = chengine.Open(cfg)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "these tests need the embedded ClickHouse: run make engine\n%v\n", err)
		return 1
	}
	defer engine.Close(context.Background())
	return m.Run()
}

var notName = regexp.MustCompile(`[^A-Za-z0-9]+`)

func testConfig(t testing.TB) Config {
	cfg := DefaultConfig()
	cfg.Database = "t_" + notName.ReplaceAllString(t.Name(), "_")
	if len(cfg.Database) > 60 {
		cfg.Database = cfg.Database[:60]
	}
	return cfg
}

// openEmpty opens a store on a database that is not there yet.
func openEmpty(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg, engine)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.server.Exec(context.Background(), "DROP DATABASE IF EXISTS "+cfg.Database+" SYNC")
		s.Close()
	})
	return s
}

func newStore(t testing.TB) *Store {
	t.Helper()
	s := openEmpty(t, testConfig(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *Store) countRows(t testing.TB, query string) (n uint64) {
	t.Helper()
	must(t, s.db.QueryRow(t.Context(), query).Scan(&n))
	return n
}

func vehicle(t testing.TB, plate string, color ingest.Color) ingest.Vehicle {
	t.Helper()
	v, err := ingest.NewVehicle(plate, color)
	must(t, err)
	return v
}

// base is 2026-05-01 08:00:00 Beijing time, Unix ms.
const base = int64(1777593600000)

func violationJSON(id, kind, plate string, start int64, change ...string) string {
	s := fmt.Sprintf(`{"id":%q,"version":1,"state":"closed","kind":%q,"plate":%q,"color":2,"class":"hazmat","operator":"O17","region":"140502","driver":{"license":"1405","name":"张三"},"start":%q,"end":%q,"start_lat":35.5,"start_lon":112.85,"end_lat":35.6,"end_lon":112.9,"measured":97.3,"limit":80,"unit":"km/h","over_pct":21.6,"band":"20-50","limit_source":"class_cap","fence":"F12","station":null,"section":null,"permit":null,"duration_s":150,"distance_m":3920,"fixes":6,"basis":["haz-speed"],"rule_version":"r1","evidence_hash":"ab","notes":["n"],"detail":{"x":12345678901234567}}`,
		id, kind, plate, detect.Time(start).Std().Format("2006-01-02T15:04:05-07:00"), detect.Time(start+150_000).Std().Format("2006-01-02T15:04:05-07:00"))
	for i := 0; i+1 < len(change); i += 2 {
		if !strings.Contains(s, change[i]) {
			panic("no " + change[i] + " in " + s)
		}
		s = strings.Replace(s, change[i], change[i+1], 1)
	}
	return s
}

func (s *Store) addViolations(t testing.TB, list ...string) {
	t.Helper()
	var b ViolationBlock
	for i, v := range list {
		must(t, b.Add([]byte(v), base, Place{0, int64(i)}))
	}
	must(t, s.Insert(t.Context(), &b))
}
