package store

import (
	"strings"
	"testing"
	"testing/fstest"
)

func sqlFiles(list ...string) fstest.MapFS {
	fs := fstest.MapFS{}
	for i := 0; i+1 < len(list); i += 2 {
		fs["migrations/"+list[i]] = &fstest.MapFile{Data: []byte(list[i+1])}
	}
	return fs
}

// three are the tables that applyRetention needs.
const three = `CREATE TABLE IF NOT EXISTS positions (received DateTime64(3)) ENGINE = MergeTree ORDER BY tuple() TTL toDateTime(received) + toIntervalMonth(12);
CREATE TABLE IF NOT EXISTS links AS positions;
CREATE TABLE IF NOT EXISTS safety_events AS positions;
`

func TestMigrate(t *testing.T) {
	s := openEmpty(t, testConfig(t))
	for range 2 { // the second time it finds all done
		must(t, s.Migrate(t.Context()))
	}
	all, err := readMigrations(migrationFiles)
	must(t, err)
	if n := s.countRows(t, "SELECT count() FROM schema_migrations"); n != uint64(len(all)) {
		t.Errorf("%d rows in schema_migrations, want %d", n, len(all))
	}
	// What a block says of its columns and what the tables have must be the same.
	for _, tab := range []*table{positionTable, weighingTable, driverCardTable, waybillTable, safetyTable, linkTable, deadLetterTable, violationTable, visitTable} {
		var want, got []string
		for _, c := range tab.columns {
			want = append(want, c.Name+" "+string(c.Type))
		}
		rows, err := s.db.Query(t.Context(), "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '"+tab.name+"' AND default_kind = '' ORDER BY position")
		must(t, err)
		for rows.Next() {
			var name, typ string
			must(t, rows.Scan(&name, &typ))
			got = append(got, name+" "+typ)
		}
		must(t, rows.Err())
		rows.Close()
		if g, w := sorted(got), sorted(want); g != w {
			t.Errorf("%s:\n has  %s\n want %s", tab.name, g, w)
		}
	}
}

func TestMigrateRefusals(t *testing.T) {
	first := sqlFiles("0001_a.sql", three)
	for _, c := range []struct {
		name string
		then fstest.MapFS
		want string
	}{
		{"changed", sqlFiles("0001_a.sql", three+"-- x\n"), "0001_a was changed after it was applied"},
		{"newer", sqlFiles(), "has migration 1 (a), this binary knows 0"},
		{"gap", sqlFiles("0001_a.sql", three, "0003_b.sql", ""), "number 3, want 2"},
		{"name", sqlFiles("0001_a.sql", three, "two.sql", ""), "the name must be like"},
		{"bad SQL", sqlFiles("0001_a.sql", three, "0002_b.sql", "CREATE TABLE IF NOT EXISTS x (a UInt8) ENGINE = MergeTree ORDER BY a;\nNONSENSE;\n"), "migration 0002_b, statement 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openEmpty(t, testConfig(t))
			must(t, s.migrate(t.Context(), first))
			err := s.migrate(t.Context(), c.then)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A migration that was cut short is done again and completed.
func TestMigrateAfterBreak(t *testing.T) {
	s := openEmpty(t, testConfig(t))
	bad := sqlFiles("0001_a.sql", three, "0002_b.sql", "CREATE TABLE IF NOT EXISTS x (a UInt8) ENGINE = MergeTree ORDER BY a;\nNONSENSE;\n")
	if err := s.migrate(t.Context(), bad); err == nil {
		t.Fatal("nonsense was taken")
	}
	must(t, s.db.Exec(t.Context(), "INSERT INTO x VALUES (1)"))
	good := sqlFiles("0001_a.sql", three, "0002_b.sql", "CREATE TABLE IF NOT EXISTS x (a UInt8) ENGINE = MergeTree ORDER BY a;\nALTER TABLE x ADD COLUMN IF NOT EXISTS b UInt8;\n")
	must(t, s.migrate(t.Context(), good))
	if n := s.countRows(t, "SELECT count() FROM x WHERE b = 0"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestRetention(t *testing.T) {
	cfg := testConfig(t)
	s := openEmpty(t, cfg)
	must(t, s.Migrate(t.Context()))
	s.cfg.PositionsKeepMonths = 7
	must(t, s.Migrate(t.Context()))
	for _, name := range expiring {
		if n := s.countRows(t, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = '"+name+"' AND engine_full LIKE '%toIntervalMonth(7)%'"); n != 1 {
			t.Errorf("%s keeps its old time", name)
		}
	}
	if n := s.countRows(t, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('violations', 'weighings') AND engine_full LIKE '%TTL%'"); n != 0 {
		t.Errorf("violations or weighings expire")
	}
}

// There is no cluster to test on; but what is sent to one must at least be SQL.
func TestClusterStatementsParse(t *testing.T) {
	s := newStore(t)
	all, err := readMigrations(migrationFiles)
	must(t, err)
	n := 0
	for _, m := range all {
		for _, q := range m.statements("c1") {
			if strings.Contains(q, "$") || !strings.Contains(q, "ON CLUSTER 'c1'") || strings.Contains(q, "CREATE TABLE") && !strings.Contains(q, "ReplicatedReplacingMergeTree") {
				t.Errorf("%04d_%s: %.80s…", m.number, m.name, q)
			}
			rows, err := s.db.Query(t.Context(), "EXPLAIN AST "+q)
			if err != nil {
				t.Errorf("%04d_%s: %.80s…: %v", m.number, m.name, q, err)
				continue
			}
			rows.Close()
			n++
		}
	}
	if n < 8 {
		t.Errorf("%d statements", n)
	}
}
