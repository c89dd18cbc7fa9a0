package inferior

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
	"lushao/internal/bus"
)

// flow is a topic that is forwarded to the peer, and how far that is proven. Two run beside each other: positions and
// alarms; the same barriers prove both.
type flow struct {
	source Source
	group  string
	from   string // where to begin without a committed offset
	take   func(ctx context.Context, r *run, part partition, batch []bus.Message) error

	mu        sync.Mutex
	loaded    bool
	proven    []int64 // next offset to forward, by partition
	committed []int64
	first     []int64 // of the log when it was looked at last
	end       []int64
}

// partition is a partition of a flow in a run. Offsets before live were in the log when the run began: they were missed.
type partition struct {
	flow   int // index
	number int
	live   int64
}

// open looks at the log and returns where a run begins. lost is how many messages the log has dropped unread.
func (f *flow) open(ctx context.Context) (begin, live []int64, lost int64, err error) {
	first, next, err := f.source.Bounds(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.loaded {
		committed, err := f.source.Committed(ctx, f.group)
		if err != nil {
			return nil, nil, 0, err
		}
		f.proven, f.committed = make([]int64, len(first)), make([]int64, len(first))
		for n := range f.proven {
			c, ok := committed[n]
			if !ok {
				c = -1
			}
			f.proven[n], f.committed[n] = c, c
			if c < 0 && f.from == FromBeginning {
				f.proven[n] = first[n]
			} else if c < 0 {
				f.proven[n] = next[n]
			}
		}
		f.loaded = true
	}
	f.first, f.end = make([]int64, len(f.proven)), make([]int64, len(f.proven))
	for n := range f.proven {
		f.first[n], f.end[n] = first[n], next[n]
		if gap := first[n] - f.proven[n]; gap > 0 {
			lost += gap
			f.proven[n] = first[n]
		}
	}
	return slices.Clone(f.proven), slices.Clone(f.end), lost, nil
}

// prove notes that everything before next has arrived.
func (f *flow) prove(next []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range next {
		f.proven[n] = max(f.proven[n], next[n])
	}
}

// uncommitted returns what is proven and not committed.
func (f *flow) uncommitted() map[int]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := map[int]int64{}
	for n, next := range f.proven {
		if next > f.committed[n] {
			m[n] = next
		}
	}
	return m
}

func (f *flow) committedTo(next map[int]int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, o := range next {
		f.committed[n] = max(f.committed[n], o)
	}
}

// run is the forwarding from what is proven, beginning with a login, to the next login or until both links are down. It
// survives the loss of the main link as long as the sub link is up; then nothing that it sends is proven any more.
type run struct {
	p      *peer
	login  uint64
	conn   *link.Conn // the main link at its beginning; nil: it began on the sub link
	main   *mainLink
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	failed chan struct{} // closed when reading fails

	mu          sync.Mutex
	ready       bool
	tainted     bool      // something went over another link than conn
	next        [][]int64 // sent up to here, by flow and partition
	sent        proof     // positions and messages so far
	asked       uint64    // messages at the last barrier
	outstanding int       // barriers that are not answered
	proven      uint64    // positions
	err         error
}

// proof is what the answer to a barrier proves; next is nil where it proves nothing.
type proof struct {
	next      [][]int64
	positions uint64
	messages  uint64
}

// forwardLoop has a run whenever a link carries data.
func (p *peer) forwardLoop() {
	defer close(p.forwarded)
	var cur *run
	for {
		changed, data, logins := p.await()
		if p.i.soft.Err() != nil {
			if cur != nil {
				cur.stop()
			}
			return
		}
		if cur != nil && (data == nil || cur.login != logins || cur.broken()) {
			cur.stop()
			if err := cur.err; err != nil {
				p.log.Error("forwarding failed and begins again at what is proven", "err", err)
				if !pause(p.i.soft, p.i.cfg.BackoffMin) {
					return
				}
			}
			cur = nil
			continue
		}
		if cur == nil && data != nil {
			cur = p.startRun()
		}
		var failed chan struct{}
		if cur != nil {
			failed = cur.failed
		}
		select {
		case <-changed:
		case <-failed:
		case <-p.i.soft.Done():
		}
	}
}

// waitForwarded waits until nothing is forwarded any more.
func (p *peer) waitForwarded() {
	select {
	case <-p.forwarded:
	case <-p.i.hard.Done():
	}
}

// runOf returns the run whose barriers go over the connection.
func (p *peer) runOf(c *link.Conn) *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil && p.run.conn == c {
		return p.run
	}
	return nil
}

func (p *peer) startRun() *run {
	r := &run{p: p, failed: make(chan struct{}), next: make([][]int64, len(p.flows))}
	r.ctx, r.cancel = context.WithCancel(p.i.soft)
	p.mu.Lock()
	r.login, r.conn, r.main = p.logins, p.main, p.session
	p.run = r
	p.mu.Unlock()
	r.wg.Go(r.open)
	return r
}

// open starts a reader for each partition.
func (r *run) open() {
	var readers []func()
	for n, f := range r.p.flows {
		begin, live, lost, err := f.open(r.ctx)
		if err != nil {
			r.fail(err)
			return
		}
		if lost > 0 {
			r.p.stats.lose(r.p.i.now(), uint64(lost))
			r.p.metrics.lost.Add(float64(lost))
			r.p.log.Error("the log dropped messages before they were forwarded: its retention is shorter than the outage was", "group", f.group, "messages", lost)
		}
		r.next[n] = begin
		for number, offset := range begin {
			part := partition{flow: n, number: number, live: live[number]}
			readers = append(readers, func() {
				err := f.source.Follow(r.ctx, number, offset, func(ctx context.Context, batch []bus.Message) error {
					return r.take(ctx, f, part, batch)
				})
				if err != nil {
					r.fail(fmt.Errorf("%s partition %d: %w", f.group, number, err))
				}
			})
		}
	}
	r.mu.Lock()
	r.ready = true
	r.mu.Unlock()
	// Where a new peer begins is worth a commit: after a crash before the first proof it is to begin there too.
	r.p.commitSoon()
	for _, read := range readers {
		r.wg.Go(read)
	}
}

// chunkBytes is how much of the log is sent before it counts as sent.
const chunkBytes = 256 << 10

// take sends a batch piece by piece.
func (r *run) take(ctx context.Context, f *flow, part partition, batch []bus.Message) error {
	for len(batch) > 0 {
		n, size := 1, len(batch[0].Value)
		for n < len(batch) && size+len(batch[n].Value) <= chunkBytes {
			size += len(batch[n].Value)
			n++
		}
		if err := f.take(ctx, r, part, batch[:n]); err != nil {
			return err
		}
		if err := r.advance(ctx, part, batch[n-1].Offset+1); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// advance notes that everything before next was sent, and asks for a proof when much is unproven.
func (r *run) advance(ctx context.Context, part partition, next int64) error {
	r.mu.Lock()
	r.next[part.flow][part.number] = next
	due := !r.tainted && r.conn != nil && r.outstanding == 0 && r.sent.messages-r.asked >= uint64(r.p.i.cfg.MaxUnproven)
	if due {
		r.asked = r.sent.messages // so that no other partition asks too
	}
	r.mu.Unlock()
	if due {
		// A link that ends is no failure of the run: the loop sees it.
		if err := r.main.beat(func(e *jt809.Envelope, m jt809.Body) (uint32, error) { return r.main.conn.SendWait(ctx, e, m) }); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// on notes what was sent over c.
func (r *run) on(c *link.Conn, positions int) {
	r.mu.Lock()
	r.tainted = r.tainted || c != r.conn
	r.sent.messages++
	r.sent.positions += uint64(positions)
	r.mu.Unlock()
}

// snapshot is what the answer to a barrier that is sent after it will prove.
func (r *run) snapshot() proof {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tainted || !r.ready {
		return proof{}
	}
	s := r.sent
	s.next = make([][]int64, len(r.next))
	for n := range r.next {
		s.next[n] = slices.Clone(r.next[n])
	}
	r.asked = r.sent.messages
	r.outstanding++
	return s
}

// unsend takes a snapshot back whose barrier could not be sent.
func (r *run) unsend(s *proof) {
	if s.next == nil {
		return
	}
	r.mu.Lock()
	r.outstanding--
	r.mu.Unlock()
}

// prove takes the answer to a barrier.
func (r *run) prove(s *proof) {
	if s.next == nil {
		return
	}
	r.mu.Lock()
	r.outstanding--
	fresh := s.positions - min(r.proven, s.positions)
	r.proven += fresh
	r.mu.Unlock()
	for n, f := range r.p.flows {
		f.prove(s.next[n])
	}
	r.p.stats.prove(r.p.i.now(), fresh)
	r.p.metrics.proven.Add(float64(fresh))
	r.p.commitSoon()
}

func (p *peer) commitSoon() {
	select {
	case p.commits <- struct{}{}:
	default:
	}
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() == nil && r.err == nil {
		r.err = err
		close(r.failed)
	}
}

func (r *run) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err != nil
}

func (r *run) stop() {
	r.cancel()
	r.wg.Wait()
}

// unproven is how many positions were sent in this run and are not proven.
func (r *run) unproven() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent.positions - r.proven
}

// lag is how many messages of the log were not sent yet when it was looked at last, and how many came since, as far as
// they were read.
func (p *peer) lag(ctx context.Context) int64 {
	var lag int64
	for _, f := range p.flows {
		_, next, err := f.source.Bounds(ctx)
		if err != nil {
			return -1
		}
		f.mu.Lock()
		for n, proven := range f.proven {
			lag += max(next[n]-proven, 0)
		}
		f.mu.Unlock()
	}
	return lag
}

// lagTimeout bounds how long Peers waits for the log.
const lagTimeout = 2 * time.Second
