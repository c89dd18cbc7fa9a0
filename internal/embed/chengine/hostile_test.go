//go:build linux && amd64

package chengine

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// post sends a request as any HTTP client would and returns status and body.
func post(t *testing.T, parameters url.Values, body io.Reader, header http.Header) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://embedded/?"+parameters.Encode(), body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	resp, err := engine.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// block is a Native block of one UInt64 column a.
func block(from, n int) []byte {
	var b chproto.Buffer
	b.PutUVarInt(1)
	b.PutUVarInt(uint64(n))
	b.PutString("a")
	b.PutString("UInt64")
	for i := range n {
		b.PutUInt64(uint64(from + i))
	}
	return b.Buf
}

// cutBody gives its data and then an error.
type cutBody struct {
	io.Reader
	err error
}

func (c cutBody) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if err == io.EOF {
		err = c.err
	}
	return n, err
}

// An insert whose data end badly leaves no row, wherever the cut falls.
func TestInsertCut(t *testing.T) {
	c, o := database(t, "roundtrip")
	execute(t, c, "CREATE TABLE cut (a UInt64) ENGINE=MergeTree ORDER BY a")
	whole := bytes.Join([][]byte{block(0, 100000), block(100000, 100000), block(200000, 100000)}, nil)
	boundary := len(block(0, 100000)) + len(block(100000, 100000))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(whole); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var frames bytes.Buffer
	w := compress.NewWriter(compress.LevelZero, compress.LZ4)
	for _, b := range [][]byte{block(0, 100000), block(100000, 100000), block(200000, 100000)} {
		if err := w.Compress(b); err != nil {
			t.Fatal(err)
		}
		frames.Write(w.Data)
	}
	parameters := func(more ...string) url.Values {
		q := url.Values{"query": {"INSERT INTO cut (a) FORMAT Native"}, "database": {o.Auth.Database}}
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return q
	}
	gz := http.Header{"Content-Encoding": {"gzip"}}
	for _, k := range []struct {
		name   string
		q      url.Values
		body   io.Reader
		header http.Header
	}{
		{"error between blocks", parameters(), cutBody{bytes.NewReader(whole[:boundary]), errors.New("connection reset")}, nil},
		{"unexpected end between blocks", parameters(), cutBody{bytes.NewReader(whole[:boundary]), io.ErrUnexpectedEOF}, nil},
		{"error in a block", parameters(), cutBody{bytes.NewReader(whole[:boundary+1000]), errors.New("connection reset")}, nil},
		{"end in a block", parameters(), bytes.NewReader(whole[:boundary+1000]), nil},
		{"end in a header", parameters(), bytes.NewReader(whole[:boundary+5]), nil},
		{"error at once", parameters(), cutBody{strings.NewReader(""), errors.New("connection reset")}, nil},
		{"gzip cut", parameters(), bytes.NewReader(zipped.Bytes()[:zipped.Len()-20]), gz},
		{"gzip that is none", parameters(), strings.NewReader("no gzip"), gz},
		{"gzip damaged", parameters(), bytes.NewReader(append(bytes.Clone(zipped.Bytes()[:zipped.Len()-8]), 1, 2, 3, 4, 5, 6, 7, 8)), gz},
		{"unknown encoding", parameters(), bytes.NewReader(whole), http.Header{"Content-Encoding": {"br"}}},
		{"LZ4 frame cut", parameters("decompress", "1"), bytes.NewReader(frames.Bytes()[:frames.Len()-100]), nil},
		{"LZ4 frame damaged", parameters("decompress", "1"), bytes.NewReader(append(bytes.Clone(frames.Bytes()[:frames.Len()-4]), 1, 2, 3, 4)), nil},
		{"rubbish", parameters(), strings.NewReader(strings.Repeat("\xff", 100000)), nil},
		{"another column", parameters("query", "INSERT INTO cut (nope) FORMAT Native"), bytes.NewReader(whole), nil},
		{"unknown format", parameters("query", "INSERT INTO cut (a) FORMAT Nope"), bytes.NewReader(whole), nil},
	} {
		status, text := post(t, k.q, k.body, k.header)
		if status != http.StatusInternalServerError || !strings.HasPrefix(text, "Code: ") {
			t.Errorf("%s: status %d, %.200q; want 500 and an exception", k.name, status, text)
		}
		if n := number(t, c, "SELECT count() FROM cut"); n != 0 {
			t.Fatalf("%s: %d rows were inserted", k.name, n)
		}
	}
	// The same data, whole, in every way.
	for i, k := range []struct {
		q      url.Values
		body   io.Reader
		header http.Header
	}{
		{parameters(), bytes.NewReader(whole), nil}, {parameters(), bytes.NewReader(zipped.Bytes()), gz}, {parameters("decompress", "1"), bytes.NewReader(frames.Bytes()), nil},
		{url.Values{"database": {o.Auth.Database}}, io.MultiReader(strings.NewReader("INSERT INTO cut (a) FORMAT Native\n"), bytes.NewReader(whole)), nil},
	} {
		if status, text := post(t, k.q, k.body, k.header); status != http.StatusOK {
			t.Fatalf("whole data, way %d: status %d, %s", i, status, text)
		}
		if n := number(t, c, "SELECT count() FROM cut"); n != uint64(300000*(i+1)) {
			t.Fatalf("whole data, way %d: %d rows", i, n)
		}
	}
}

// A client that goes away in the middle of its rows.
func TestInsertClientGone(t *testing.T) {
	c, o := database(t, "loopback")
	execute(t, c, "CREATE TABLE gone (a UInt64) ENGINE=MergeTree ORDER BY a")
	served := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		engine.ServeHTTP(w, r)
		close(served)
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	q := url.Values{"query": {"INSERT INTO gone (a) FORMAT Native"}, "database": {o.Auth.Database}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/?"+q.Encode(), pr)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	for i := range 20 {
		if _, err := pw.Write(block(i*100000, 100000)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	pw.CloseWithError(context.Canceled) // the client waits for its own body otherwise
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Fatalf("client: %v", err)
	}
	<-served
	if n := number(t, c, "SELECT count() FROM gone"); n != 0 {
		t.Fatalf("%d rows of an insert that was broken off", n)
	}
}

// running counts statements of the engine that contain a text.
func running(t *testing.T, c clickhouse.Conn, text string) uint64 {
	return number(t, c, "SELECT count() FROM system.processes WHERE position(query, '"+text+"') > 0 AND position(query, 'system.processes') = 0")
}

// awaitGone waits until no statement with the text runs; a statement that is not killed keeps the test until its deadline.
func awaitGone(t *testing.T, c clickhouse.Conn, text string) {
	t.Helper()
	for running(t, c, text) > 0 {
		if t.Context().Err() != nil {
			t.Fatalf("statements with %s still run", text)
		}
	}
}

func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		// In the middle of an aggregation that would take minutes, before it has a row.
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			var n uint64
			done <- c.QueryRow(ctx, "SELECT count() FROM numbers(100000000001) WHERE sipHash64(number) % 7 = 3").Scan(&n)
		}()
		for running(t, c, "100000000001") == 0 {
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled aggregation: %v", err)
		}
		awaitGone(t, c, "100000000001")

		// In the middle of a result.
		ctx, cancel = context.WithCancel(t.Context())
		rows, err := c.Query(ctx, "SELECT number FROM numbers(100000000002)")
		if err != nil {
			t.Fatal(err)
		}
		for range 100000 {
			if !rows.Next() {
				t.Fatal(rows.Err())
			}
		}
		cancel()
		rows.Close()
		awaitGone(t, c, "100000000002")

		// A body that is closed while the statement has nothing to write.
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://embedded/",
			strings.NewReader("SELECT 1 UNION ALL SELECT count() FROM numbers(100000000005) WHERE sipHash64(number) % 7 = 3"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := engine.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		awaitGone(t, c, "100000000005")

		// A statement that is not a SELECT.
		execute(t, c, "CREATE TABLE copy (a UInt64) ENGINE=MergeTree ORDER BY a")
		ctx, cancel = context.WithCancel(t.Context())
		go func() {
			done <- c.Exec(ctx, "INSERT INTO copy SELECT sipHash64(number) FROM numbers(100000000003)")
		}()
		for running(t, c, "100000000003") == 0 {
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled INSERT SELECT: %v", err)
		}
		awaitGone(t, c, "100000000003")

		// A context that is over before the statement begins.
		if err := c.Exec(ctx, "SELECT 1"); err == nil {
			t.Error("a statement with a cancelled context ran")
		}
		if n := number(t, c, "SELECT toUInt64(1)"); n != 1 {
			t.Error("the engine does not answer after cancellations")
		}
	})
}

// A result that nobody reads holds a turn until its body is closed; the others wait for theirs, and can give up waiting.
func TestTurns(t *testing.T) {
	var bodies []io.ReadCloser
	for range cap(engine.slots) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://embedded/", strings.NewReader("SELECT number FROM numbers(100000000004)"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := engine.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, resp.Body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://embedded/", strings.NewReader("SELECT 1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a statement beyond MaxConcurrent: %v; want to wait until its deadline", err)
	}
	for _, b := range bodies {
		b.Close()
	}
	if status, text := post(t, nil, strings.NewReader("SELECT 1"), nil); status != 200 || text != "1\n" {
		t.Errorf("afterwards: %d %q", status, text)
	}
}

func TestBigResult(t *testing.T) {
	each(t, func(t *testing.T, c clickhouse.Conn, _ *clickhouse.Options) {
		rows, err := c.Query(t.Context(), "SELECT number, toString(number) FROM numbers(1000000)")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var sum, a uint64
		var s string
		for rows.Next() {
			if err := rows.Scan(&a, &s); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(a) != s {
				t.Fatalf("row %d has %s", a, s)
			}
			sum += a
		}
		if sum != 1000000*999999/2 || rows.Err() != nil {
			t.Fatalf("sum %d, %v", sum, rows.Err())
		}
	})
}

// A statement that wants too much memory fails alone; the memory of the rest of the process does not count.
func TestMemoryLimit(t *testing.T) {
	c, _ := database(t, "roundtrip")
	var n uint64
	err := c.QueryRow(t.Context(), "SELECT length(groupArray(repeat('x', 100) || toString(number))) FROM numbers(100000000) SETTINGS max_threads = 2").Scan(&n)
	if code(err) != 241 {
		t.Errorf("a statement beyond the limit: %v; want code 241", err)
	}
	ours := make([]byte, 1500<<20)
	for i := 0; i < len(ours); i += 4096 {
		ours[i] = 1
	}
	if n := number(t, c, "SELECT uniqExact(number) FROM numbers(1000000)"); n != 1000000 {
		t.Errorf("n = %d", n)
	}
	runtime.KeepAlive(ours)
}

func TestHTTP(t *testing.T) {
	s := httptest.NewServer(engine)
	defer s.Close()
	resp, err := http.Get(s.URL + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || string(b) != "Ok.\n" {
		t.Errorf("/ping: %d %q", resp.StatusCode, b)
	}
	for _, k := range []struct {
		q      url.Values
		body   string
		status int
		want   string // prefix
	}{
		{url.Values{"query": {"SELECT 1"}}, "", 200, "1\n"},
		{url.Values{"query": {"SELECT 1"}}, "+ 1", 200, "2\n"},
		{nil, "SELECT 1 FORMAT JSONEachRow", 200, `{"1":1}`},
		{url.Values{"default_format": {"CSV"}}, "SELECT 'a', 'b'", 200, `"a","b"`},
		{nil, "SELECT timezone(), toString(toDateTime(0))", 200, engine.timezone + "\t1970-01-01 00:00:00\n"},
		{nil, "", 500, "Code: 62."},
		{nil, "  \n", 500, "Code: 62."},
		{nil, "1 + 1", 500, "Code: 62."},
		{nil, "SELECT 1; DROP TABLE x", 500, "Code: "},
		{url.Values{"database": {"x`; SELECT 1; --"}}, "SELECT 1", 500, "Code: 81."},
		{url.Values{"param_x": {"a\x00b'\\"}}, "SELECT length({x:String})", 500, "Code: "},
		{url.Values{"x_format": {"CSV"}}, "SELECT 1", 500, "Code: 115."},
		{url.Values{"max_threads": {"many"}}, "SELECT 1", 500, "Code: "},
		{nil, "SELECT \xff\xfe\x01", 500, "Code: 62."},
		{nil, strings.Repeat("(", 100000), 500, "Code: "},
		{nil, "SELECT '" + strings.Repeat("x", 1<<20) + "'", 500, "Code: 62."}, // max_query_size of ClickHouse
	} {
		status, text := post(t, k.q, strings.NewReader(k.body), nil)
		if status != k.status || !strings.HasPrefix(text, k.want) {
			t.Errorf("%v %.40q: %d %.200q; want %d %q", k.q, k.body, status, text, k.status, k.want)
		}
	}
	engine.mu.Lock()
	defer engine.mu.Unlock()
	if n := len(engine.idle); n > 2*cap(engine.slots) {
		t.Errorf("%d idle sessions", n)
	}
}

// Statements of all kinds at once, half of them broken off. Nothing may hang, crash or stay behind.
func TestStorm(t *testing.T) {
	c, o := database(t, "roundtrip")
	execute(t, c, "CREATE TABLE storm (a UInt64) ENGINE=MergeTree ORDER BY a")
	q := url.Values{"query": {"INSERT INTO storm (a) FORMAT Native"}, "database": {o.Auth.Database}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	inserted := 0
	for g := range 12 {
		wg.Go(func() {
			for i := range 12 {
				ctx, cancel := context.WithCancel(t.Context())
				if (g+i)%2 == 0 {
					time.AfterFunc(time.Duration((g*7+i*3)%20)*time.Millisecond, cancel)
				}
				if g%3 == 0 {
					r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://embedded/?"+q.Encode(), bytes.NewReader(block(0, 50000)))
					if resp, err := engine.RoundTrip(r); err == nil {
						if _, err := io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode == 200 {
							mu.Lock()
							inserted++
							mu.Unlock()
						}
						resp.Body.Close()
					}
				} else {
					text := []string{"SELECT sum(sipHash64(number)) FROM numbers(3000000)", "SELECT number FROM numbers(3000000)"}[g%3-1]
					r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://embedded/", strings.NewReader(text))
					if resp, err := engine.RoundTrip(r); err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
				}
				cancel()
			}
		})
	}
	wg.Wait()
	rows := number(t, c, "SELECT count() FROM storm")
	if rows%50000 != 0 {
		t.Errorf("%d rows: an insert is there in part", rows)
	}
	if inserted == 0 || rows < uint64(inserted)*50000 {
		t.Errorf("%d inserts were acknowledged, %d rows are there", inserted, rows)
	}
	awaitGone(t, c, "numbers(3000000)")
}
