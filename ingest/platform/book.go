package platform

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Errors of the Book.
var (
	ErrUnknown  = errors.New("there is no such request")
	ErrAnswered = errors.New("the request is answered already")
	ErrFull     = errors.New("too many requests wait for an answer")
	ErrConflict = errors.New("another process changed the request at the same time")
)

// BookConfig bounds what the book keeps.
type BookConfig struct {
	// Keep is how long requests are kept after they were asked, once they are answered, failed or overdue.
	Keep time.Duration `yaml:"keep"`
	// MaxRequests and MaxBytes bound the book: over them the oldest that do not wait are dropped, and new ones are refused
	// where all wait.
	MaxRequests int `yaml:"max_requests"`
	MaxBytes    int `yaml:"max_bytes"`
}

// DefaultBookConfig keeps a year: a supervision is shown beside its violation for that long.
func DefaultBookConfig() BookConfig {
	return BookConfig{Keep: 365 * 24 * time.Hour, MaxRequests: 100_000, MaxBytes: 256 << 20}
}

// Validate names the first setting that can't be used.
func (c *BookConfig) Validate() error {
	switch {
	case c.Keep < time.Hour:
		return fmt.Errorf("requests.keep: %v; at least 1h", c.Keep)
	case c.MaxRequests < 100:
		return fmt.Errorf("requests.max_requests: %d; at least 100", c.MaxRequests)
	case c.MaxBytes < 4*maxContent:
		return fmt.Errorf("requests.max_bytes: %d; at least %d", c.MaxBytes, 4*maxContent)
	}
	return nil
}

// Book knows the requests between platforms. Every change is in the log before it shows. Several processes may share one
// topic: each follows what the others write (Run), and of two changes at the same time the one that is further counts.
//
// Its methods may be called at the same time. Lock order: a key of writing, then mu.
type Book struct {
	cfg     BookConfig
	pages   Pages
	log     *slog.Logger
	metrics *bookMetrics
	self    string // this process, as it is written into records

	mu          sync.RWMutex
	byID        map[string]*entry
	all         []*entry // by asked and id
	byPlatform  map[string][]*entry
	byViolation map[string][]*entry
	waiting     map[string]*entry
	bytes       int
	waitBytes   int      // of those that wait
	dead        []string // dropped, and still in the log

	keys    sync.Mutex
	writing map[string]*keyLock
}

// entry is a request in the book. The Request is replaced, never changed.
type entry struct {
	id      string
	asked   int64
	r       *Request
	size    int
	writer  string        // the process that wrote it
	changed chan struct{} // closed when r is replaced or dropped; nil while nobody waits
}

type keyLock struct {
	free  chan struct{}
	users int
}

// NewBook makes an empty book; Load fills it.
func NewBook(log Pages, l *slog.Logger, reg prometheus.Registerer) *Book {
	return &Book{cfg: DefaultBookConfig(), pages: log, log: l, metrics: newBookMetrics(reg), self: rand.Text(), byID: map[string]*entry{},
		byPlatform: map[string][]*entry{}, byViolation: map[string][]*entry{}, waiting: map[string]*entry{}, writing: map[string]*keyLock{}}
}

// Limit sets the bounds. It must be called before Load.
func (b *Book) Limit(cfg BookConfig) { b.cfg = cfg }

// Load reads what the log holds.
func (b *Book) Load(ctx context.Context) error {
	return b.pages.Load(ctx, func(key, value []byte) error {
		b.take(key, value)
		return nil
	})
}

// Run follows what is written to the log until ctx ends. Pages that can't be followed have one process.
func (b *Book) Run(ctx context.Context) error {
	f, ok := b.pages.(Follower)
	if !ok {
		<-ctx.Done()
		return nil
	}
	return f.Follow(ctx, func(key, value []byte) error {
		if !b.take(key, value) {
			return nil
		}
		// A process that starts later would read the wrong one.
		_, err := b.change(ctx, string(key), func(r *Request) (*Request, error) { return r, nil })
		if err != nil && ctx.Err() == nil {
			b.log.Warn("two processes changed a request at the same time, and the log keeps the lesser change", "request", string(key), "err", err)
		}
		return nil
	})
}

// take puts a record of the log into the book. It reports whether what the book has must be written again, because this
// process has written a lesser record behind it.
func (b *Book) take(key, value []byte) (again bool) {
	if len(value) == 0 {
		b.mu.Lock()
		b.drop(string(key))
		b.mu.Unlock()
		return false
	}
	r := new(Request)
	err := json.Unmarshal(value, r)
	if err == nil {
		err = r.Validate()
	}
	if err == nil && r.ID != string(key) {
		err = errors.New("id: not the key of the record")
	}
	var by struct{ Writer string }
	if err == nil {
		err = json.Unmarshal(value, &by)
	}
	if err != nil {
		b.metrics.bad.Inc()
		b.log.Warn("a record of the requests between platforms can't be read; it is passed over", "key", fmt.Sprintf("%.80q", key), "err", err)
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.byID[r.ID]
	if e == nil || better(r, e.r) {
		b.store(r, by.Writer)
		return false
	}
	// Others' records come in the order of the log. So what is better than our own record stands before it, and the log would
	// keep the lesser one; whoever wrote that mends it.
	return by.Writer == b.self && e.writer != b.self
}

// better reports whether a counts when both are of the same request: the one that is further, then the one that was changed
// more often. It orders all records of a request, so that every process decides the same.
func better(a, b *Request) bool {
	if x, y := stateRank[a.State], stateRank[b.State]; x != y {
		return x > y
	}
	if a.Revision != b.Revision {
		return a.Revision > b.Revision
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) > string(y)
}

// Put writes a request; it is in the log when Put returns. Without an id it gets one. A request of the same id is
// replaced, but its outcome stays: an answer that came in between is not undone by a Put that still says "waiting".
func (b *Book) Put(ctx context.Context, r *Request) error {
	if r.ID == "" {
		id, err := newID(r.Asked)
		if err != nil {
			return err
		}
		r.ID = id
	}
	if r.State == "" {
		r.State = StateWaiting
	}
	kept, err := b.change(ctx, r.ID, func(old *Request) (*Request, error) {
		n := r.clone()
		if old == nil {
			if !b.room(len(n.Body) + len(n.Answer)) {
				return nil, ErrFull
			}
			n.Revision = 0
			return &n, nil
		}
		n.Revision = old.Revision
		if n.State == StateWaiting && old.State != StateWaiting {
			n.State, n.Answered, n.Answer, n.AnswerMessage, n.Note = old.State, old.Answered, old.Answer, old.AnswerMessage, old.Note
		}
		return &n, nil
	})
	if err != nil {
		return err
	}
	*r = kept
	return nil
}

// Update changes a request: fn gets a copy. A state that is not as far as it was is an error.
func (b *Book) Update(ctx context.Context, id string, fn func(r *Request) error) (Request, error) {
	return b.change(ctx, id, func(old *Request) (*Request, error) {
		if old == nil {
			return nil, ErrUnknown
		}
		n := old.clone()
		if err := fn(&n); err != nil {
			return nil, err
		}
		n.ID = id
		return &n, nil
	})
}

// Answer notes the final answer of a request. After the deadline it is late, and so it is where the request was found overdue
// already, be it in the same millisecond. The first answer counts: for a second one the
// request and ErrAnswered are returned.
func (b *Book) Answer(ctx context.Context, id string, answer json.RawMessage, message string, at time.Time) (Request, error) {
	r, err := b.Update(ctx, id, func(r *Request) error {
		if r.State == StateAnswered || r.State == StateLate {
			return ErrAnswered
		}
		late := r.State == StateOverdue || r.Deadline != 0 && at.UnixMilli() > r.Deadline
		r.State = StateAnswered
		if late {
			r.State = StateLate
		}
		r.Answer, r.AnswerMessage, r.Answered = answer, message, at.UnixMilli()
		return nil
	})
	if errors.Is(err, ErrAnswered) {
		r, _ = b.Get(id)
	}
	return r, err
}

// Progress notes an answer that is not the final one, such as "in progress": the request goes on waiting.
func (b *Book) Progress(ctx context.Context, id string, answer json.RawMessage, message, note string) (Request, error) {
	return b.Update(ctx, id, func(r *Request) error {
		if r.Done() {
			return ErrAnswered
		}
		r.Answer, r.AnswerMessage, r.Note = answer, message, note
		return nil
	})
}

// Fail notes that nothing will become of a request, and why.
func (b *Book) Fail(ctx context.Context, id, why string) (Request, error) {
	return b.Update(ctx, id, func(r *Request) error {
		if r.Done() {
			return ErrAnswered
		}
		r.State, r.Note = StateFailed, why
		return nil
	})
}

// maxDeleted bounds what one Expire deletes from the log.
const maxDeleted = 1000

// Expire marks what waits beyond its deadline as overdue and returns it, oldest first; several processes may each return
// it. It also deletes what is older than the settings keep. It is to be called every few seconds.
func (b *Book) Expire(ctx context.Context, now time.Time) ([]Request, error) {
	ms := now.UnixMilli()
	var ids []string
	b.mu.Lock()
	for id, e := range b.waiting {
		if e.r.Deadline != 0 && e.r.Deadline <= ms {
			ids = append(ids, id)
		}
	}
	oldest := ms - b.cfg.Keep.Milliseconds()
	old := []string{}
	for _, e := range b.all {
		if e.asked >= oldest || len(old) == maxDeleted {
			break
		}
		if e.r.State != StateWaiting {
			old = append(old, e.id)
		}
	}
	for _, id := range old {
		b.drop(id)
		b.dead = append(b.dead, id)
	}
	dead := slices.Clone(b.dead[:min(len(b.dead), maxDeleted)])
	b.mu.Unlock()

	var out []Request
	var failed error
	for _, id := range ids {
		r, err := b.Update(ctx, id, func(r *Request) error {
			if r.State != StateWaiting || r.Deadline == 0 || r.Deadline > ms {
				return errNotDue
			}
			r.State = StateOverdue
			return nil
		})
		switch {
		case err == nil:
			b.metrics.overdue.WithLabelValues(r.Platform, r.Kind).Inc()
			out = append(out, r)
		case errors.Is(err, errNotDue), errors.Is(err, ErrUnknown), errors.Is(err, ErrConflict):
		default:
			failed = err
		}
		if failed != nil {
			break
		}
	}
	slices.SortFunc(out, func(x, y Request) int {
		if x.before(y.Asked, y.ID) {
			return -1
		}
		return 1
	})
	for n, id := range dead {
		if failed != nil {
			break
		}
		if failed = b.pages.Write(ctx, []byte(id), nil); failed != nil {
			dead = dead[:n]
		}
	}
	if failed != nil && len(dead) == 0 {
		return out, failed
	}
	b.mu.Lock()
	b.dead = slices.DeleteFunc(b.dead, func(id string) bool { return slices.Contains(dead, id) })
	b.mu.Unlock()
	return out, failed
}

var errNotDue = errors.New("not due")

// change replaces a request by what fn makes of it, first in the log. One change of a request is under way at a time; the
// wait for another one ends with ctx. fn gets nil for an unknown id.
func (b *Book) change(ctx context.Context, id string, fn func(old *Request) (*Request, error)) (Request, error) {
	unlock, err := b.lockKey(ctx, id)
	if err != nil {
		return Request{}, err
	}
	defer unlock()
	b.mu.RLock()
	var old *Request
	if e := b.byID[id]; e != nil {
		old = e.r
	}
	b.mu.RUnlock()
	made, err := fn(old)
	if err != nil {
		return Request{}, err
	}
	if made == nil {
		return Request{}, ErrUnknown
	}
	if old != nil && stateRank[made.State] < stateRank[old.State] {
		return Request{}, fmt.Errorf("state: %s after %s; a request does not go back", made.State, old.State)
	}
	n := made.clone()
	n.Revision++
	if err := n.Validate(); err != nil {
		return Request{}, fmt.Errorf("request: %w", err)
	}
	value, err := json.Marshal(recordJSON{n.json(), b.self})
	if err != nil {
		return Request{}, fmt.Errorf("request: %w", err)
	}
	if err := b.pages.Write(ctx, []byte(id), value); err != nil {
		return Request{}, fmt.Errorf("request: the log does not take it: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := b.byID[id]; {
	case e == nil || better(&n, e.r):
		b.store(&n, b.self)
	case e.writer != b.self: // else Run was quicker to read it
		return e.r.clone(), ErrConflict
	}
	return n.clone(), nil
}

func (b *Book) lockKey(ctx context.Context, id string) (unlock func(), err error) {
	b.keys.Lock()
	k := b.writing[id]
	if k == nil {
		k = &keyLock{free: make(chan struct{}, 1)}
		b.writing[id] = k
	}
	k.users++
	b.keys.Unlock()
	leave := func() {
		b.keys.Lock()
		if k.users--; k.users == 0 {
			delete(b.writing, id)
		}
		b.keys.Unlock()
	}
	select {
	case k.free <- struct{}{}:
		return func() { <-k.free; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fmt.Errorf("request: %w", ctx.Err())
	}
}

// newID makes an id that sorts by time.
func newID(asked int64) (string, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("request: %w", err)
	}
	return fmt.Sprintf("%011x", uint64(max(asked, 0))&(1<<44-1)) + hex.EncodeToString(random[:]), nil
}
