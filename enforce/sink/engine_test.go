package sink

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"lushao/enforce/store"
	"lushao/internal/embed/chengine"
)

// faulty fails before or after the store has done its work: the answer that is lost is the one that doubles rows.
type faulty struct {
	*store.Store
	mu   sync.Mutex
	rand *rand.Rand
	left int // faults that are still to come
}

func (f *faulty) Insert(ctx context.Context, b store.Block) error {
	f.mu.Lock()
	fate := 0
	if f.left > 0 {
		fate = f.rand.IntN(4)
	}
	if fate > 0 {
		f.left--
	}
	f.mu.Unlock()
	switch fate {
	case 1:
		return errDown
	case 2:
		if err := f.Store.Insert(ctx, b); err != nil {
			return err
		}
		return errDown
	}
	return f.Store.Insert(ctx, b)
}

// Against the real engine, with faults and with stops in the middle: at every commit all that is committed is in the
// record, and at the end everything is there exactly once.
func TestNothingLostNothingTwice(t *testing.T) {
	engineCfg := chengine.DefaultConfig()
	engineCfg.DataDir, engineCfg.SyncWrites = t.TempDir(), false
	engine, err := chengine.Open(engineCfg)
	if err != nil {
		t.Fatalf("this test needs the embedded ClickHouse: run make engine\n%v", err)
	}
	defer engine.Close(context.Background())
	cfg := store.DefaultConfig()
	cfg.Database = "sink"
	st, err := store.Open(t.Context(), cfg, engine)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded"}, Auth: clickhouse.Auth{Database: "sink"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return engine, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	count := func(query string, params ...any) (n uint64) {
		t.Helper()
		if err := db.QueryRow(context.Background(), query, params...).Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}

	r := rand.New(rand.NewPCG(1, 2))
	l := newFakeLog(3)
	l.onCommit = func(topic string, next map[int]int64) {
		if topic != "events" {
			return
		}
		for p, n := range next {
			if have := count("SELECT uniqExact(log_offset) FROM (SELECT log_offset FROM positions WHERE log_partition = {p:UInt32} AND log_offset < {n:UInt64} UNION ALL SELECT log_offset FROM dead_letters WHERE log_partition = {p:UInt32} AND log_offset < {n:UInt64})",
				clickhouse.Named("p", uint32(p)), clickhouse.Named("n", uint64(n))); have != uint64(n) {
				t.Errorf("committed %d of partition %d, %d messages are in the record", n, p, have)
			}
		}
	}
	f := &faulty{Store: st, rand: r, left: 40}
	sinkCfg := testConfig()
	sinkCfg.Archive.MaxRows, sinkCfg.Archive.MaxDelay = 40, 2*time.Millisecond
	positions, dead, offsets := 0, 0, map[int]int{}
	for round := range 4 {
		for range 60 {
			p := r.IntN(3)
			var value []byte
			for range 1 + r.IntN(5) {
				value = append(value, position(fmt.Sprintf("晋E%05d", p), base+int64(positions)*1000)...)
				positions++
			}
			if r.IntN(5) == 0 {
				value = append(value, "rubbish"...)
				dead++
			}
			l.write("events", p, value)
			offsets[p]++
			l.write("violations", 0, violation(fmt.Sprint("v", len(l.topics["violations"][0])%100)))
		}
		_, changed := l.done("events") // from before the sink begins: it may be done with all before we look
		stop := start(t, newSink(t, sinkCfg, l, f))
		if round < 3 { // stopped as soon as something is committed
			select {
			case <-changed:
			case <-time.After(time.Minute):
				t.Fatal("nothing is committed after a minute")
			}
		} else {
			l.waitDone(t, "events", "violations")
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{
		"SELECT count() FROM positions FINAL":    positions,
		"SELECT count() FROM dead_letters FINAL": dead,
		"SELECT count() FROM violations FINAL":   100,
	} {
		if n := count(query); n != uint64(want) {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	if f.left == 40 {
		t.Error("no fault happened")
	}
}
