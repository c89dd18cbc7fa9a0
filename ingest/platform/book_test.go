package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestBookKeepsWhatTheLogHolds(t *testing.T) {
	ctx, log := testContext(t), newMemoryLog()
	b := newBook(t, log)
	var ids []string
	for n := range 30 {
		r := ask([]string{"city", "province"}[n%2], Kinds[n%len(Kinds)], t0.Add(time.Duration(n/3)*time.Second), time.Minute)
		r.Violation = fmt.Sprintf("v%d", n%5)
		if n%4 == 0 {
			r.Plate, r.Color = "云A8K216", 2
		}
		if err := b.Put(ctx, &r); err != nil {
			t.Fatal(err)
		}
		if r.ID == "" || r.State != StateWaiting || r.Revision != 1 {
			t.Fatalf("put made %+v", r)
		}
		ids = append(ids, r.ID)
	}
	if _, err := b.Answer(ctx, ids[3], json.RawMessage(`{"text":"42"}`), "0x1301", t0.Add(30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Answer(ctx, ids[4], json.RawMessage(`{"text":"42"}`), "0x1301", t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Fail(ctx, ids[5], "the link is down"); err != nil {
		t.Fatal(err)
	}
	over, err := b.Expire(ctx, t0.Add(61*time.Second))
	if err != nil || len(over) == 0 || len(over) >= 27 {
		t.Fatalf("%d overdue, %v", len(over), err)
	}
	for n := 1; n < len(over); n++ {
		if over[n].before(over[n-1].Asked, over[n-1].ID) {
			t.Fatal("overdue ones are not oldest first")
		}
	}
	want := b.List(Filter{})
	if len(want) != 30 {
		t.Fatalf("%d requests", len(want))
	}
	for _, pages := range []Pages{log, log.compacted(), noFollow{log}} {
		c := newBook(t, pages)
		if got := c.List(Filter{}); !reflect.DeepEqual(got, want) {
			t.Errorf("a book loaded again differs:\n%+v\n%+v", got, want)
		}
		for _, f := range []Filter{{Platform: "city"}, {States: []string{StateOverdue, StateLate}}, {Violation: "v3"}, {Plate: "云A8K216", Platform: "city"}, {Kinds: []string{KindText}}} {
			if got := c.List(f); len(got) == 0 || !reflect.DeepEqual(got, b.List(f)) {
				t.Errorf("%+v: %d requests, others than before", f, len(got))
			}
		}
		if c.Count("city", RoleSuperior) != b.Count("city", RoleSuperior) || c.Count("", RoleInferior) != (RequestCounts{}) {
			t.Error("counts differ")
		}
	}
}

func TestBookPages(t *testing.T) {
	ctx, b := testContext(t), newBook(t, newMemoryLog())
	for n := range 25 {
		r := ask("city", KindInspection, t0.Add(time.Duration(n/4)*time.Second), 0) // several at one time
		if err := b.Put(ctx, &r); err != nil {
			t.Fatal(err)
		}
	}
	all := b.List(Filter{})
	var got []Request
	for f, pages := (Filter{Platform: "city", Limit: 7}), 0; ; pages++ {
		page, next, err := b.Page(f)
		if err != nil || pages > 5 {
			t.Fatal(pages, err)
		}
		got = append(got, page...)
		if next == "" {
			break
		}
		f.Cursor = next
		if pages == 1 { // what comes in between shifts nothing
			r := ask("city", KindInspection, t0.Add(time.Hour), 0)
			if err := b.Put(ctx, &r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !reflect.DeepEqual(got, all) {
		t.Errorf("%d by pages, %d at once", len(got), len(all))
	}
	for n := 1; n < len(all); n++ {
		if !all[n].before(all[n-1].Asked, all[n-1].ID) {
			t.Fatal("not the latest first")
		}
	}
	for _, c := range []string{"x", "AA", "%%%", strings.Repeat("A", 500)} {
		if _, _, err := b.Page(Filter{Cursor: c}); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %q: %v", c, err)
		}
	}
	if got := b.List(Filter{Since: t0.Add(3 * time.Second).UnixMilli(), Until: t0.Add(5 * time.Second).UnixMilli()}); len(got) != 8 {
		t.Errorf("%d of 8 between two times", len(got))
	}
}

func TestBookAnswers(t *testing.T) {
	ctx, b := testContext(t), newBook(t, newMemoryLog())
	put := func() string {
		r := ask("city", KindSupervision, t0, time.Minute)
		if err := b.Put(ctx, &r); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	answer := json.RawMessage(`{"result":1}`)

	id := put()
	if r, err := b.Progress(ctx, id, json.RawMessage(`{"result":0}`), "0x1401", "in progress"); err != nil || r.State != StateWaiting || string(r.Answer) != `{"result":0}` {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err := b.Answer(ctx, id, answer, "0x1401", t0.Add(time.Minute)); err != nil || r.State != StateAnswered || r.Answered != t0.Add(time.Minute).UnixMilli() {
		t.Errorf("at the deadline: %+v, %v", r, err)
	}
	if r, err := b.Answer(ctx, id, json.RawMessage(`{"result":2}`), "0x1401", t0); !errors.Is(err, ErrAnswered) || string(r.Answer) != `{"result":1}` {
		t.Errorf("a second answer: %+v, %v", r, err)
	}
	if _, err := b.Progress(ctx, id, answer, "0x1401", ""); !errors.Is(err, ErrAnswered) {
		t.Errorf("progress of what is answered: %v", err)
	}

	id = put()
	if over, err := b.Expire(ctx, t0.Add(59*time.Second)); err != nil || len(over) != 0 {
		t.Errorf("before the deadline: %v, %v", over, err)
	}
	if over, err := b.Expire(ctx, t0.Add(time.Minute)); err != nil || len(over) != 1 || over[0].ID != id {
		t.Errorf("at the deadline: %v, %v", over, err)
	}
	if over, err := b.Expire(ctx, t0.Add(time.Hour)); err != nil || len(over) != 0 {
		t.Errorf("overdue a second time: %v, %v", over, err)
	}
	if n := testutil.ToFloat64(b.metrics.overdue.WithLabelValues("city", KindSupervision)); n != 1 {
		t.Errorf("%v overdue counted", n)
	}
	if r, err := b.Answer(ctx, id, answer, "0x1401", t0.Add(2*time.Minute)); err != nil || r.State != StateLate {
		t.Errorf("after the deadline: %+v, %v", r, err)
	}
	for at, want := range map[time.Time]string{t0.Add(time.Minute - time.Millisecond): StateAnswered, t0.Add(time.Minute): StateAnswered, t0.Add(time.Minute + time.Millisecond): StateLate} {
		if r, err := b.Answer(ctx, put(), answer, "0x1401", at); err != nil || r.State != want {
			t.Errorf("answered at %v: %+v, %v; want %s", at, r, err, want)
		}
	}
	// In the millisecond of the deadline: late where it was overdue before.
	id = put()
	if _, err := b.Expire(ctx, t0.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if r, err := b.Answer(ctx, id, answer, "0x1401", t0.Add(time.Minute)); err != nil || r.State != StateLate {
		t.Errorf("overdue, and answered in the same millisecond: %+v, %v", r, err)
	}

	if _, err := b.Answer(ctx, "nobody", answer, "0x1401", t0); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := b.Answer(ctx, put(), json.RawMessage(`{`), "0x1401", t0); err == nil || !strings.Contains(err.Error(), "answer") {
		t.Errorf("an answer that is no JSON: %v", err)
	}

	// An answer that comes between two Puts stays.
	r := ask("city", KindControl, t0, time.Minute)
	if err := b.Put(ctx, &r); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Answer(ctx, r.ID, answer, "0x1501", t0); err != nil {
		t.Fatal(err)
	}
	r.Serial = 99
	if err := b.Put(ctx, &r); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.Get(r.ID); got.State != StateAnswered || got.Serial != 99 || string(got.Answer) != string(answer) || !reflect.DeepEqual(got, r) {
		t.Errorf("after the second put: %+v", got)
	}
	if got, ok := b.Find(func(q *Request) bool { return q.Serial == 99 }); !ok || got.ID != r.ID {
		t.Errorf("find: %v, %v", got, ok)
	}
}

func TestBookConcurrentAnswers(t *testing.T) {
	ctx, log := testContext(t), newMemoryLog()
	b := newBook(t, log)
	r := ask("city", KindInspection, t0, 0)
	if err := b.Put(ctx, &r); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	first := ""
	for n := range 20 {
		wait.Go(func() {
			answer := fmt.Sprintf(`{"by":%d}`, n)
			_, err := b.Answer(ctx, r.ID, json.RawMessage(answer), "0x1301", t0)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && first == "":
				first = answer
			case err == nil:
				t.Error("two answers were taken")
			case !errors.Is(err, ErrAnswered):
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got, _ := b.Get(r.ID); string(got.Answer) != first || got.Revision != 2 {
		t.Errorf("%+v, want the answer %s", got, first)
	}
	if len(log.pages) != 2 || len(b.writing) != 0 {
		t.Errorf("%d pages, %d locks left", len(log.pages), len(b.writing))
	}
}

func TestBookWhoseLogStalls(t *testing.T) {
	ctx, log := testContext(t), newMemoryLog()
	b := newBook(t, log)
	r := ask("city", KindInspection, t0, time.Minute)
	if err := b.Put(ctx, &r); err != nil {
		t.Fatal(err)
	}
	stall := make(chan struct{})
	log.set(stall, nil)
	short, cancel := context.WithCancel(ctx)
	answered, blocked := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := b.Answer(ctx, r.ID, json.RawMessage(`1`), "0x1301", t0)
		answered <- err
	}()
	go func() {
		q := ask("city", KindText, t0, 0)
		blocked <- b.Put(short, &q)
	}()
	cancel()
	if err := <-blocked; !errors.Is(err, context.Canceled) {
		t.Errorf("a put that was given up: %v", err)
	}
	if got, ok := b.Get(r.ID); !ok || got.State != StateWaiting { // reading goes on, and shows nothing that is not in the log
		t.Errorf("while the log stalls: %+v", got)
	}
	waiting, giveUp := context.WithCancel(ctx)
	giveUp()
	if got, err := b.Wait(waiting, r.ID); err != nil || got.State != StateWaiting {
		t.Errorf("given up: %+v, %v", got, err)
	}
	done := make(chan Request, 1)
	go func() {
		got, _ := b.Wait(ctx, r.ID)
		done <- got
	}()
	log.set(nil, nil)
	close(stall)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if got := <-done; got.State != StateAnswered {
		t.Errorf("waited for: %+v", got)
	}
	log.set(nil, errLog)
	q := ask("city", KindText, t0, 0)
	if err := b.Put(ctx, &q); !errors.Is(err, errLog) {
		t.Errorf("a log that is gone: %v", err)
	}
	if got := b.List(Filter{}); len(got) != 1 {
		t.Errorf("%d requests, want the one that is in the log", len(got))
	}
}

func TestBookIsBounded(t *testing.T) {
	ctx, log := testContext(t), newMemoryLog()
	b := newBook(t, log)
	cfg := BookConfig{Keep: time.Hour, MaxRequests: 100, MaxBytes: 8 << 20}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	b.Limit(cfg)
	for n := range 250 {
		r := ask("city", KindInspection, t0.Add(time.Duration(n)*time.Second), time.Minute)
		if err := b.Put(ctx, &r); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Answer(ctx, r.ID, json.RawMessage(`1`), "0x1301", t0); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.List(Filter{}); len(got) != 100 || got[99].Asked != t0.Add(150*time.Second).UnixMilli() {
		t.Errorf("%d kept, the oldest of %v", len(got), Time(got[len(got)-1].Asked))
	}
	if _, err := b.Expire(ctx, t0.Add(200*time.Second)); err != nil {
		t.Fatal(err)
	}
	if c := log.compacted(); len(c.pages) != 100 {
		t.Errorf("%d in the log", len(c.pages))
	}
	// What is old goes, what waits stays.
	w := ask("city", KindText, t0.Add(time.Minute), 0)
	if err := b.Put(ctx, &w); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Expire(ctx, t0.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := b.List(Filter{}); len(got) != 1 || got[0].ID != w.ID || len(log.compacted().pages) != 1 {
		t.Errorf("%d left, %d in the log", len(got), len(log.compacted().pages))
	}
	if b.bytes != sizeOf(b.all[0].r) || b.waitBytes != b.bytes || len(b.byPlatform) != 1 || len(b.dead) != 0 {
		t.Errorf("the accounts are wrong: %d bytes, %d dead", b.bytes, len(b.dead))
	}
	var err error
	for n := 0; n < 200 && err == nil; n++ {
		r := ask("city", KindText, t0, 0)
		err = b.Put(ctx, &r)
	}
	if !errors.Is(err, ErrFull) || len(b.all) != 100 {
		t.Errorf("%d that wait, %v", len(b.all), err)
	}
}

func TestBookBadRecords(t *testing.T) {
	ctx, log := testContext(t), newMemoryLog()
	b := newBook(t, log)
	good := ask("city", KindText, t0, 0)
	if err := b.Put(ctx, &good); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{`{`, `[]`, `{"id":"k"}`, `{"id":"other","role":"superior","platform":"p","kind":"text","state":"waiting"}`,
		`{"id":"k","role":"superior","platform":"p","kind":"text","state":"gone"}`, `{"id":"k","role":"superior","platform":"p","kind":"text","state":"waiting","asked":"yesterday"}`} {
		if err := log.Write(ctx, []byte("k"), []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	c := NewBook(log, quiet(), prometheus.NewRegistry())
	if err := c.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if got := c.List(Filter{}); len(got) != 1 || testutil.ToFloat64(c.metrics.bad) != 6 {
		t.Errorf("%d taken, %v refused", len(got), testutil.ToFloat64(c.metrics.bad))
	}
	for field, change := range map[string]func(*Request){
		"role": func(r *Request) { r.Role = "x" }, "kind": func(r *Request) { r.Kind = "x" }, "state": func(r *Request) { r.State = "x" },
		"platform": func(r *Request) { r.Platform = "a b" }, "id": func(r *Request) { r.ID = strings.Repeat("x", 65) }, "plate": func(r *Request) { r.Plate = "a\x00" },
		"body": func(r *Request) { r.Body = []byte("{") }, "note": func(r *Request) { r.Note = strings.Repeat("x", maxNote+1) },
		"deadline": func(r *Request) { r.Deadline = 1 << 62 },
	} {
		r := ask("city", KindText, t0, 0)
		change(&r)
		if err := b.Put(ctx, &r); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("bad %s: %v", field, err)
		}
	}
}

// TestBooksOfSeveralProcesses lets three books change the same requests at random. When all is read, they agree, and so
// does one that begins with the compacted log.
func TestBooksOfSeveralProcesses(t *testing.T) {
	ctx, log := testContext(t), newMemoryLog()
	first := newBook(t, log)
	var ids []string
	for n := range 8 {
		r := ask("city", KindInspection, t0.Add(time.Duration(n)*time.Millisecond), time.Minute)
		if err := first.Put(ctx, &r); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	follow, stop := context.WithCancel(ctx)
	defer stop()
	var books []*Book
	for range 3 {
		b := newBook(t, log)
		books = append(books, b)
		go b.Run(follow)
	}
	var wait sync.WaitGroup
	for n, b := range books {
		rnd := rand.New(rand.NewPCG(1, uint64(n)))
		wait.Go(func() {
			for range 200 {
				id := ids[rnd.IntN(len(ids))]
				var err error
				switch rnd.IntN(10) {
				case 0:
					_, err = b.Answer(ctx, id, json.RawMessage(fmt.Sprint(n)), "0x1301", t0.Add(time.Duration(rnd.IntN(90))*time.Second))
				case 1:
					_, err = b.Expire(ctx, t0.Add(2*time.Minute))
				default:
					_, err = b.Update(ctx, id, func(r *Request) error { r.Note = fmt.Sprint(n, rnd.IntN(3)); return nil })
				}
				if err != nil && !errors.Is(err, ErrAnswered) && !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	// The books agree once a last record of each has reached all: what follows is in order.
	for tries := 0; ; tries++ {
		agreed := true
		for _, b := range books {
			agreed = agreed && reflect.DeepEqual(b.List(Filter{}), books[0].List(Filter{}))
		}
		last := newBook(t, log.compacted())
		if agreed && reflect.DeepEqual(last.List(Filter{}), books[0].List(Filter{})) {
			break
		}
		log.mu.Lock()
		grown := log.grown
		log.mu.Unlock()
		select {
		case <-grown:
		case <-time.After(10 * time.Millisecond):
		}
		if tries == 500 {
			t.Fatalf("the books do not agree:\n%+v\n%+v", books[0].List(Filter{}), last.List(Filter{}))
		}
	}
	for _, id := range ids {
		if r, _ := books[0].Get(id); r.State == StateWaiting {
			t.Errorf("%s waits still", id)
		}
	}
}
