//go:build linux && amd64

package chengine

import (
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
)

func code(err error) int32 {
	var ex *clickhouse.Exception
	if errors.As(err, &ex) {
		return ex.Code
	}
	return -1
}

// each runs a test over both transports, each with a database of its own.
func each(t *testing.T, f func(t *testing.T, c clickhouse.Conn, o *clickhouse.Options)) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			c, o := database(t, transport)
			f(t, c, o)
		})
	}
}

func TestHello(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := c.ServerVersion()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(engine.Version(), fmt.Sprintf("%d.%d.", v.Version.Major, v.Version.Minor)) || v.Revision != 0 || v.Timezone.String() != engine.timezone {
			t.Fatalf("hello says %+v; engine is %s in %s", v, engine.Version(), engine.timezone)
		}
	})
}

func TestAllTypesRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		execute(t, c, `CREATE TABLE f (id UInt64, s String, lc LowCardinality(String), lcn LowCardinality(Nullable(String)), d Date, d32 Date32,
			dt DateTime, dt64 DateTime64(3,'UTC'), n Nullable(Int32), arr Array(UInt16), m Map(String, UInt64), u UUID, ip IPv4, ip6 IPv6,
			en Enum8('a'=1,'b'=2), f32 Float32, b Bool, fs FixedString(4), t Tuple(Int32, String), nest Nested(k String, v Int32), i128 Int128,
			al UInt64 ALIAS id+1, df String DEFAULT 'zz') ENGINE=MergeTree ORDER BY id`)
		now := time.Now().UTC().Truncate(time.Millisecond)
		const id = "0b6a1d5e-7a3c-4b8e-9f1d-2c3b4a5d6e7f"
		b, err := c.PrepareBatch(t.Context(), "INSERT INTO f (id,s,lc,lcn,d,d32,dt,dt64,n,arr,m,u,ip,ip6,en,f32,b,fs,t,nest.k,nest.v,i128)")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			var n *int32
			if i%2 == 0 {
				v := int32(i)
				n = &v
			}
			s := "str'\\\n晋E\x00" + fmt.Sprint(i)
			if err := b.Append(uint64(i), s, "lc", &s, now, now, now, now, n, []uint16{1, 2, 3}, map[string]uint64{"a": 1}, id, net.ParseIP("1.2.3.4"),
				net.ParseIP("::1"), "b", float32(1.5), true, "abcd", []any{int32(1), "x"}, []string{"k"}, []int32{5}, big.NewInt(7)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
		var (
			s, lcn, en, df, u string
			dt64              time.Time
			n                 *int32
			arr               []uint16
			m                 map[string]uint64
			ip                net.IP
			flag              bool
			al                uint64
			i128              big.Int
		)
		if err := c.QueryRow(t.Context(), "SELECT s,lcn,en,df,toString(u),dt64,n,arr,m,ip,b,al,i128 FROM f WHERE id = ?", uint64(4)).
			Scan(&s, &lcn, &en, &df, &u, &dt64, &n, &arr, &m, &ip, &flag, &al, &i128); err != nil {
			t.Fatal(err)
		}
		if s != "str'\\\n晋E\x004" || lcn != s || !dt64.Equal(now) || n == nil || *n != 4 || !slices.Equal(arr, []uint16{1, 2, 3}) || m["a"] != 1 || u != id ||
			!ip.Equal(net.ParseIP("1.2.3.4")) || !flag || al != 5 || df != "zz" || en != "b" || i128.Int64() != 7 {
			t.Fatalf("back came %q %q %v %v %v %v %v %v %v %v %v %v %v", s, lcn, en, df, u, dt64, n, arr, m, ip, flag, al, &i128)
		}
		if got := number(t, c, "SELECT count() FROM f"); got != 1000 {
			t.Fatalf("%d rows", got)
		}
	})
}

func TestParameters(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		now := time.UnixMilli(1780000000123).UTC()
		var n uint64
		if err := c.QueryRow(t.Context(), `SELECT count() FROM (SELECT number AS id, 'lc' AS lc, {t:DateTime64(3)} AS t FROM numbers(1000))
			WHERE id < {lim:UInt64} AND t = {t:DateTime64(3)} AND lc = {lc:String} AND lc != {bad:String} AND has({ids:Array(UInt64)}, id)`,
			clickhouse.Named("lim", uint64(10)), clickhouse.DateNamed("t", now, clickhouse.MilliSeconds), clickhouse.Named("lc", "lc"),
			clickhouse.Named("bad", "a'b\\c\nd"), clickhouse.Named("ids", []uint64{1, 2, 3})).Scan(&n); err != nil || n != 3 {
			t.Fatalf("server-side parameters: n = %d, %v", n, err)
		}
		var s string
		ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"x": "hello ' 晋"}))
		if err := c.QueryRow(ctx, "SELECT {x:String}").Scan(&s); err != nil || s != "hello ' 晋" {
			t.Fatalf("WithParameters: %q, %v", s, err)
		}
		if err := c.QueryRow(t.Context(), "SELECT toUInt64(@id)", clickhouse.Named("id", 5)).Scan(&n); err != nil || n != 5 {
			t.Fatalf("bound in the client: %d, %v", n, err)
		}
		if err := c.QueryRow(t.Context(), "SELECT {absent:UInt64}").Scan(&n); code(err) != 456 {
			t.Fatalf("absent parameter: %v; want code 456", err)
		}
	})
}

// Settings hold for one statement and leave nothing in the session that the next one gets.
func TestSettings(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		read := func(settings clickhouse.Settings, name string) string {
			t.Helper()
			var v string
			ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(settings), clickhouse.WithQueryID("q-1"))
			if err := c.QueryRow(ctx, "SELECT toString(getSetting('"+name+"'))").Scan(&v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		initial := read(nil, "max_block_size")
		for i := range 30 { // more than there are sessions: they are brought from one to the other
			v := fmt.Sprint(1000 + i)
			if got := read(clickhouse.Settings{"max_block_size": v}, "max_block_size"); got != v {
				t.Fatalf("set %s, got %s", v, got)
			}
		}
		if got := read(nil, "max_block_size"); got != initial {
			t.Fatalf("max_block_size stayed at %s; want %s", got, initial)
		}
		if got := read(clickhouse.Settings{"async_insert": 1}, "async_insert"); got != "true" && got != "1" {
			t.Fatalf("async_insert = %s with the setting", got)
		}
		if got := read(nil, "async_insert"); got != "false" && got != "0" {
			t.Fatalf("async_insert = %s without", got)
		}
		if got := read(clickhouse.Settings{"log_comment": `a'b\c`}, "log_comment"); got != `a'b\c` {
			t.Fatalf("log_comment = %q", got)
		}
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"readonly": 1}))
		if err := c.Exec(ctx, "CREATE TABLE ro (a UInt8) ENGINE=Memory"); code(err) != 164 {
			t.Fatalf("DDL with readonly=1: %v; want code 164", err)
		}
		execute(t, c, "CREATE TABLE ro (a UInt8) ENGINE=Memory")
		ctx = clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"no_such_setting": 1}))
		if err := c.Exec(ctx, "SELECT 1"); code(err) != 115 {
			t.Fatalf("unknown setting: %v; want code 115", err)
		}
		ctx = clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_threads=1, readonly": 1}))
		if err := c.Exec(ctx, "SELECT 1"); code(err) != 115 {
			t.Fatalf("setting that is no name: %v; want code 115", err)
		}
	})
}

// Nor does a statement that changes its session.
func TestSessionsDoNotLeak(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, o *clickhouse.Options) {
		for _, s := range []string{"SET max_block_size = 77", "/* c */ set max_block_size = 77", "USE system", "CREATE TEMPORARY TABLE leaked (a UInt8)"} {
			for range 20 {
				execute(t, c, s)
			}
		}
		for range 20 {
			if n := number(t, c, "SELECT toUInt64(getSetting('max_block_size'))"); n == 77 {
				t.Fatal("SET stayed in a session")
			}
			if n := number(t, c, "SELECT toUInt64(currentDatabase() = '"+o.Auth.Database+"')"); n != 1 {
				t.Fatal("USE stayed in a session")
			}
		}
		if err := c.Exec(t.Context(), "SELECT * FROM leaked"); code(err) != 60 {
			t.Fatalf("temporary table of another request: %v; want code 60", err)
		}
	})
}

func TestSelect(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		var out []struct {
			ID uint64 `ch:"id"`
			S  string `ch:"s"`
		}
		if err := c.Select(t.Context(), &out, "SELECT number AS id, toString(number) AS s FROM numbers(10)"); err != nil || len(out) != 10 || out[9].S != "9" {
			t.Fatalf("%v, %v", out, err)
		}
		rows, err := c.Query(t.Context(), "SELECT number AS id, toString(number) AS s FROM numbers(10) WHERE id > 1e9;")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(rows.Columns(), ","); got != "id,s" || rows.Next() || rows.Err() != nil {
			t.Fatalf("empty result: columns %s, %v", got, rows.Err())
		}
		rows.Close()
		var n uint64
		if err := c.QueryRow(t.Context(), "SELECT number FROM numbers(1) WHERE number > 5").Scan(&n); !errors.Is(err, sql.ErrNoRows) {
			t.Fatalf("no row: %v", err)
		}
		for _, q := range []string{"WITH x AS (SELECT 1 AS v) SELECT v FROM x", "SHOW DATABASES", "DESCRIBE TABLE system.one", "EXISTS TABLE system.one", "EXPLAIN SELECT 1",
			"(SELECT 1) UNION ALL (SELECT 2)", "SHOW CREATE DATABASE system", "-- c\nSELECT 1", "/* c */ SELECT 1", "  select 1 ;", "SELECT 1 -- SELECT"} {
			rows, err := c.Query(t.Context(), q)
			if err != nil {
				t.Errorf("%s: %v", q, err)
				continue
			}
			n := 0
			for rows.Next() {
				n++
			}
			if rows.Err() != nil || n == 0 {
				t.Errorf("%s: %d rows, %v", q, n, rows.Err())
			}
			rows.Close()
		}
	})
}

func TestExceptions(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, o *clickhouse.Options) {
		execute(t, c, "CREATE TABLE cons (a UInt64, CONSTRAINT x CHECK a < 10) ENGINE=MergeTree ORDER BY a")
		for _, k := range []struct {
			name string
			code int32
			do   func() error
		}{
			{"unknown table", 60, func() error { return c.Exec(t.Context(), "SELECT * FROM nope") }},
			{"syntax", 62, func() error { _, err := c.Query(t.Context(), "SELEC 1"); return err }},
			{"batch into an unknown table", 60, func() error { _, err := c.PrepareBatch(t.Context(), "INSERT INTO nope"); return err }},
			{"batch against a constraint", 469, func() error {
				b, err := c.PrepareBatch(t.Context(), "INSERT INTO cons")
				if err == nil {
					err = b.Append(uint64(100))
				}
				if err != nil {
					return err
				}
				return b.Send()
			}},
			{"in the middle of a result", 395, func() error {
				rows, err := c.Query(t.Context(), "SELECT throwIf(number = 3000000, 'boom') FROM numbers(10000000) SETTINGS max_threads=1, max_block_size=65536")
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
				}
				return rows.Err()
			}},
			{"external table", 48, func() error {
				table, err := ext.NewTable("ext1", ext.Column("col1", "UInt8"))
				if err != nil {
					return err
				}
				if err := table.Append(uint8(1)); err != nil {
					return err
				}
				_, err = c.Query(clickhouse.Context(t.Context(), clickhouse.WithExternalTable(table)), "SELECT * FROM ext1")
				return err
			}},
			{"unknown database", 81, func() error {
				other := *o
				other.Auth.Database = "no`such"
				return open(t, &other).Exec(t.Context(), "SELECT 1")
			}},
		} {
			if err := k.do(); code(err) != k.code {
				t.Errorf("%s: %v; want code %d", k.name, err, k.code)
			}
		}
		if n := number(t, c, "SELECT count() FROM cons"); n != 0 {
			t.Errorf("the refused batch left %d rows", n)
		}
	})
}

func TestInserts(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		execute(t, c, "CREATE TABLE st (a UInt64, b String) ENGINE=MergeTree ORDER BY a")
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		b, err := c.PrepareBatch(t.Context(), "INSERT INTO st (a, b)")
		must(err)
		must(b.AppendStruct(&struct {
			A uint64 `ch:"a"`
			B string `ch:"b"`
		}{1, "x"}))
		must(b.Send())
		b, err = c.PrepareBatch(t.Context(), "INSERT INTO st")
		must(err)
		must(b.Column(0).Append([]uint64{2, 3}))
		must(b.Column(1).Append([]string{"y", "z"}))
		must(b.Send())
		known := clickhouse.WithColumnNamesAndTypes([]clickhouse.ColumnNameAndType{{Name: "a", Type: "UInt64"}, {Name: "b", Type: "String"}})
		b, err = c.PrepareBatch(clickhouse.Context(t.Context(), known), "INSERT INTO st (a, b)")
		must(err)
		must(b.Append(uint64(4), "q"))
		must(b.Send())
		must(c.Exec(t.Context(), "INSERT INTO st VALUES (5,'a;b\nc'),(6,'FORMAT Native')"))
		must(c.Exec(clickhouse.Context(t.Context(), clickhouse.WithAsync(true)), "INSERT INTO st VALUES (7,'d')"))
		b, err = c.PrepareBatch(clickhouse.Context(t.Context(), clickhouse.WithAsync(true)), "INSERT INTO st")
		must(err)
		must(b.Append(uint64(8), "async"))
		must(b.Send())
		must(c.Exec(t.Context(), "INSERT INTO st SELECT a+100, b FROM st"))
		var got []string
		must(c.QueryRow(t.Context(), "SELECT groupArray(b) FROM (SELECT b FROM st WHERE a < 100 ORDER BY a)").Scan(&got))
		if want := []string{"x", "y", "z", "q", "a;b\nc", "FORMAT Native", "d", "async"}; !slices.Equal(got, want) {
			t.Fatalf("rows %q; want %q", got, want)
		}
		if n := number(t, c, "SELECT count() FROM st"); n != 16 {
			t.Fatalf("%d rows; want 16", n)
		}
		must(c.Exec(clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": "t1"})), "INSERT INTO st VALUES (200,'x')"))
	})
}

func TestCompression(t *testing.T) {
	each(t, func(t *testing.T, base clickhouse.Conn, o *clickhouse.Options) {
		execute(t, base, "CREATE TABLE st (a UInt64, b String) ENGINE=MergeTree ORDER BY a")
		for i, method := range []clickhouse.CompressionMethod{clickhouse.CompressionLZ4, clickhouse.CompressionZSTD, clickhouse.CompressionGZIP, clickhouse.CompressionDeflate} {
			own := *o
			own.Compression = &clickhouse.Compression{Method: method, Level: 3}
			c := open(t, &own)
			rows, err := c.Query(t.Context(), "SELECT number, repeat(toString(number), 20) FROM numbers(100000)")
			if err != nil {
				t.Fatalf("%s: %v", method, err)
			}
			k := 0
			for rows.Next() {
				k++
			}
			if k != 100000 || rows.Err() != nil {
				t.Fatalf("%s: %d rows, %v", method, k, rows.Err())
			}
			rows.Close()
			b, err := c.PrepareBatch(t.Context(), "INSERT INTO st")
			if err != nil {
				t.Fatalf("%s: %v", method, err)
			}
			for j := range 10000 {
				if err := b.Append(uint64(j), method.String()); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Send(); err != nil {
				t.Fatalf("%s: %v", method, err)
			}
			if n := number(t, c, "SELECT count() FROM st"); n != uint64(10000*(i+1)) {
				t.Fatalf("%s: %d rows", method, n)
			}
			if err := c.Exec(t.Context(), "SELECT * FROM nope"); code(err) != 60 {
				t.Fatalf("%s: %v; want code 60", method, err)
			}
		}
	})
}

func TestDatabaseSQL(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, o *clickhouse.Options) {
		execute(t, c, "CREATE TABLE st (a UInt64, b String) ENGINE=MergeTree ORDER BY a")
		db := clickhouse.OpenDB(o)
		defer db.Close()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		st, err := tx.Prepare("INSERT INTO st (a, b)")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if _, err := st.Exec(uint64(i), "sql"); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow("SELECT count() FROM st WHERE a < $1", 50).Scan(&n); err != nil || n != 50 {
			t.Fatalf("%d, %v", n, err)
		}
	})
}

func TestConcurrent(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		execute(t, c, "CREATE TABLE st (g UInt64, i UInt64) ENGINE=MergeTree ORDER BY (g, i)")
		var wg sync.WaitGroup
		for g := range 16 { // more than MaxConcurrent
			wg.Go(func() {
				ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 1000 + g%3}))
				for i := range 10 {
					if err := c.Exec(ctx, fmt.Sprintf("INSERT INTO st VALUES (%d, %d)", g, i)); err != nil {
						t.Error(err)
						return
					}
					var n, size uint64
					if err := c.QueryRow(ctx, "SELECT count(), toUInt64(getSetting('max_block_size')) FROM st WHERE g = ?", g).Scan(&n, &size); err != nil || n != uint64(i+1) || size != uint64(1000+g%3) {
						t.Errorf("goroutine %d: %d rows after %d inserts, block size %d, %v", g, n, i+1, size, err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestServerSettings(t *testing.T) {
	c, _ := database(t, "roundtrip")
	for name, want := range map[string]string{"max_server_memory_usage": "1073741824", "background_pool_size": "2", "mark_cache_size": "134217728", "memory_worker_use_cgroup": "0"} {
		var got string
		if err := c.QueryRow(t.Context(), "SELECT value FROM system.server_settings WHERE name = ?", name).Scan(&got); err != nil || got != want {
			t.Errorf("server setting %s = %q, %v; want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"fsync_after_insert", "fsync_part_directory"} {
		var got string
		if err := c.QueryRow(t.Context(), "SELECT value FROM system.merge_tree_settings WHERE name = ?", name).Scan(&got); err != nil || got != "1" {
			t.Errorf("merge tree setting %s = %q, %v; want 1", name, got, err)
		}
	}
	if n := number(t, c, "SELECT count() FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'"); n != 0 {
		t.Errorf("%d system.*_log tables", n)
	}
}
