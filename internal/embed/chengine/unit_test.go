//go:build linux && amd64

package chengine

import (
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestDefaultLibrary(t *testing.T) {
	for _, k := range []struct{ engine, lushao, xdg, home, want string }{
		{"/opt/libchdb.so", "/l", "/x", "/h", "/opt/libchdb.so"},
		{"", "/l", "/x", "/h", "/l/lushao/engine/" + EngineVersion + "/libchdb.so"},
		{"", "", "/x", "/h", "/x/lushao/engine/" + EngineVersion + "/libchdb.so"},
		{"", "", "", "/h", "/h/.cache/lushao/engine/" + EngineVersion + "/libchdb.so"},
	} {
		t.Setenv("LUSHAO_ENGINE", k.engine)
		t.Setenv("LUSHAO_CACHE", k.lushao)
		t.Setenv("XDG_CACHE_HOME", k.xdg)
		t.Setenv("HOME", k.home)
		if got := DefaultLibrary(); got != k.want {
			t.Errorf("%+v: %s", k, got)
		}
	}
}

// The version that is fetched is the one that is looked for.
func TestFetchScriptAgrees(t *testing.T) {
	script, err := os.ReadFile("../fetch-engine.mjs")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^const VERSION = '([^']+)';$`).FindSubmatch(script)
	if m == nil || string(m[1]) != EngineVersion {
		t.Fatalf("fetch-engine.mjs fetches %q, this package wants %s", m, EngineVersion)
	}
}

func TestMissingLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libchdb.so")
	if err := checkLibrary(path); err == nil || !strings.Contains(err.Error(), "make engine") || !strings.Contains(err.Error(), path) {
		t.Errorf("missing library: %v; want the path and `make engine`", err)
	}
	if err := checkLibrary(t.TempDir()); err == nil {
		t.Error("a folder as library")
	}
	if err := checkLibrary(engine.cfg.Library); err != nil {
		t.Error(err)
	}
	// One process, one library.
	if err := loadLibrary(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a second library: %v", err)
	}
}

func TestValidate(t *testing.T) {
	good := DefaultConfig()
	good.DataDir = "x"
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := Config{MaxConcurrent: -1, MaxMemoryBytes: 1, Threads: -1, BackgroundThreads: 0}
	err := bad.Validate()
	for _, field := range []string{"data_dir", "max_concurrent", "max_memory_bytes", "threads", "background_threads"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

func TestEngineFile(t *testing.T) {
	cfg := DefaultConfig()
	cfg.DataDir = filepath.Join(t.TempDir(), "a <b> & 'c'")
	if err := os.Mkdir(cfg.DataDir, 0o750); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(cfg.DataDir, "engine.log")
	if err := os.WriteFile(log, make([]byte, engineLogLimit+1), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments, err := cfg.engineFile()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(log + ".1"); err != nil {
		t.Error("the long log was not set aside:", err)
	}
	raw, err := os.ReadFile(filepath.Join(cfg.DataDir, "engine.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Log   string `xml:"logger>log"`
		Ratio string `xml:"max_server_memory_usage_to_ram_ratio"`
		Fsync int    `xml:"merge_tree>fsync_after_insert"`
	}
	if err := xml.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	if file.Log != log || file.Ratio != "0.5" || file.Fsync != 1 {
		t.Errorf("%+v", file)
	}
	if len(arguments) != 2 || arguments[0] != "--path="+filepath.Join(cfg.DataDir, "clickhouse") || arguments[1] != "--config-file="+filepath.Join(cfg.DataDir, "engine.xml") {
		t.Errorf("arguments %q", arguments)
	}
}

func TestStatements(t *testing.T) {
	for _, k := range []struct {
		text   string
		kind   string
		spoils bool
	}{
		{"SELECT 1", kindSelect, false}, {"  ( select 1)", kindSelect, false}, {"-- x\nWITH 1 AS a SELECT a", kindSelect, false}, {"/* SELECT */ SHOW TABLES", kindOther, false},
		{"SELECTED", kindOther, false}, {"INSERT INTO t VALUES (1)", kindInsert, false}, {"/*a*//*b*/insert into t select 1", kindInsert, false}, {"-- only a comment", kindOther, false},
		{"SET a = 1", kindOther, true}, {" use x", kindOther, true}, {"SETTINGS", kindOther, false}, {"CREATE TABLE t (a UInt8)", kindOther, false},
		{"CREATE OR REPLACE TEMPORARY TABLE t (a UInt8)", kindOther, true}, {"SELECT 1; SET a = 1", kindSelect, true}, {"SELECT 1 ;\n ", kindSelect, false}, {"", kindOther, false},
	} {
		if got := statementKind(k.text); got != k.kind {
			t.Errorf("statementKind(%q) = %s", k.text, got)
		}
		if got := spoils(k.text); got != k.spoils {
			t.Errorf("spoils(%q) = %v", k.text, got)
		}
	}
	for _, k := range []struct{ text, statement, format string }{
		{"INSERT INTO t (a) FORMAT Native", "INSERT INTO t (a)", "Native"}, {"INSERT INTO t\nformat\nCSV ;", "INSERT INTO t", "CSV"}, {"INSERT INTO t", "INSERT INTO t", ""},
	} {
		if statement, format := splitFormat(k.text); statement != k.statement || format != k.format {
			t.Errorf("splitFormat(%q) = %q, %q", k.text, statement, format)
		}
	}
	for _, k := range []struct {
		text, statement, data string
		ok                    bool
	}{
		{"INSERT INTO t FORMAT Native\n\x01\x02", "INSERT INTO t FORMAT Native", "\x01\x02", true},
		{"insert into `d`.\"t\" (a, b) SETTINGS x = 1 format CSV 1,2", "insert into `d`.\"t\" (a, b) SETTINGS x = 1 format CSV", "1,2", true},
		{"INSERT INTO t FORMAT Values (1)", "", "", false}, {"INSERT INTO t VALUES ('FORMAT CSV 1')", "", "", false}, {"INSERT INTO t FORMAT Native", "", "", false},
		{"INSERT INTO t SELECT 1 FORMAT Native x", "", "", false}, {"SELECT 1 FORMAT CSV x", "", "", false},
	} {
		if statement, data, ok := splitInline(k.text); statement != k.statement || data != k.data || ok != k.ok {
			t.Errorf("splitInline(%q) = %q, %q, %v", k.text, statement, data, ok)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, k := range []struct {
		err  error
		code string
		text string
	}{
		{&engineError{"Code: 60. DB::Exception: x. (UNKNOWN_TABLE)"}, "60", "Code: 60. DB::Exception: x. (UNKNOWN_TABLE)"},
		{&engineError{"Code: 33. DB::Exception: Code: 33. DB::Exception: x. (Y)\n"}, "33", "Code: 33. DB::Exception: x. (Y)"},
		{ErrClosed, "210", "Code: 210. DB::Exception: the embedded ClickHouse is shutting down. (NETWORK_ERROR)"},
		{errors.New("odd, it says Code: 5. here"), "1000", "Code: 1000. DB::Exception: odd, it says Code: 5. here. (POCO_EXCEPTION)"},
	} {
		if code, text := describe(k.err); code != k.code || text != k.text {
			t.Errorf("describe(%v) = %s, %q", k.err, code, text)
		}
	}
}

func TestQuote(t *testing.T) {
	if got := quote("a'b\\c\x00"); got != `'a\'b\\c\0'` {
		t.Error(got)
	}
	if got := quoteName("a`b\\"); got != "`a\\`b\\\\`" {
		t.Error(got)
	}
}

func TestMetrics(t *testing.T) {
	before := testutil.ToFloat64(engine.metrics.statements.WithLabelValues(kindOther, outcomeError))
	c, _ := database(t, "roundtrip")
	if err := c.Exec(t.Context(), "DROP TABLE nope"); err == nil {
		t.Fatal("no error")
	}
	if got := testutil.ToFloat64(engine.metrics.statements.WithLabelValues(kindOther, outcomeError)); got != before+1 {
		t.Errorf("statements_total{other,error} went from %v to %v", before, got)
	}
	names, err := registry.Gather()
	if err != nil || len(names) != 5 {
		t.Errorf("%d metrics, %v", len(names), err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
