package superior

import (
	"errors"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
)

// worker is what a link does with what it reads: it gathers events for the log, and answers when the log has them. The
// goroutine that reads owns it.
type worker struct {
	p        *peer
	conn     *link.Conn
	metrics  *link.Metrics
	received int64 // Unix ms; one look at the clock for each read; 0 between two

	batch    Batch
	events   [][]byte // wire form, by partition
	touched  []int    // partitions with events
	appended bool     // what the log was handed has not been waited for

	cache   map[[22]byte]*vehicle
	env     jt809.Envelope
	reader  jt809.PositionReader
	event   ingest.Event
	n, late uint64 // positions of this read, and those of them that came late
	bad     uint64
	counts  [ingest.KindLink + 1]int // events that were not waited for
	replies []reply
}

// reply is sent when the log has everything that was read before it.
type reply struct {
	id   jt809.MessageID
	v    ingest.Vehicle
	body jt809.Body
	back bool // over the link that the request came on, not where data go down
}

// flushSize is how many bytes of events are gathered for a partition before the log gets them.
const flushSize = 64 << 10

func (w *worker) begin() {
	if w.received == 0 {
		w.received = w.p.s.now().UnixMilli()
	}
}

// add takes an event of a vehicle for the log. It blocks while the log is slow.
func (w *worker) add(e *ingest.Event, partition int) error {
	if w.events == nil {
		w.events = make([][]byte, w.p.s.partitions)
	}
	if len(w.events[partition]) == 0 {
		w.touched = append(w.touched, partition)
	}
	w.events[partition] = ingest.AppendEvent(w.events[partition], e)
	w.counts[e.Kind]++
	if len(w.events[partition]) >= flushSize {
		return w.flush()
	}
	return nil
}

// errLog says that the log refused events for good: the link is closed, and the platform will send them again.
var errLog = errors.New("the log refuses events")

func (w *worker) flush() error {
	for _, p := range w.touched {
		if w.batch == nil {
			w.batch = w.p.s.log.NewBatch()
		}
		if err := w.batch.Append(w.p.s.ctx, p, w.events[p]); err != nil {
			return w.refused(err)
		}
		w.appended = true
		w.events[p] = w.events[p][:0]
	}
	w.touched = w.touched[:0]
	return nil
}

func (w *worker) refused(err error) error {
	w.batch, w.appended = nil, false
	if w.p.s.ctx.Err() != nil {
		return w.p.s.ctx.Err()
	}
	w.p.s.logger.Error("the log refuses what a platform reports; its link is closed", "peer", w.p.cfg.Name, "err", err)
	w.p.s.metrics.logErrors.Inc()
	return errors.Join(errLog, err)
}

// wait returns when the log has everything that was read so far.
func (w *worker) wait() error {
	if err := w.flush(); err != nil {
		return err
	}
	if w.appended {
		if err := w.batch.Wait(w.p.s.ctx); err != nil {
			return w.refused(err)
		}
		w.appended = false
	}
	for kind, n := range w.counts {
		if n > 0 {
			w.p.metrics.events[kind].Add(float64(n))
			w.counts[kind] = 0
		}
	}
	return nil
}

// maxReplies bounds what waits for the log within one read.
const maxReplies = 1024

// answer sends a message when the log has what was read before.
func (w *worker) answer(r reply) error {
	w.replies = append(w.replies, r)
	if len(w.replies) >= maxReplies {
		return w.reply()
	}
	return nil
}

func (w *worker) reply() error {
	if err := w.wait(); err != nil {
		return err
	}
	for i := range w.replies {
		r := &w.replies[i]
		c := w.conn
		if !r.back {
			c = w.p.route()
		}
		if c == nil {
			c = w.conn
		}
		w.p.sendOver(c, r.id, &r.v, r.body) // a link that is closing needs no answer
		w.replies[i] = reply{}
	}
	w.replies = w.replies[:0]
	return nil
}

// drained passes on what one read brought.
func (w *worker) drained() error {
	p := w.p
	if w.n > 0 {
		p.positions.Add(w.n)
		p.lastPosition.Store(w.received)
		p.metrics.positions.Add(float64(w.n - w.late))
		if w.late > 0 {
			p.backfill.Add(w.late)
			p.metrics.backfill.Add(float64(w.late))
		}
		w.count()
	}
	if w.bad > 0 {
		p.bad.Add(w.bad)
	}
	w.n, w.late, w.bad, w.received = 0, 0, 0, 0
	if len(w.replies) > 0 {
		return w.reply()
	}
	return w.flush()
}

// count answers with 0x9101 when the peer has sent as many positions as the settings say; in 2019 the peer counts.
func (w *worker) count() {
	p := w.p
	every := p.cfg.CountEvery
	if every <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.edition == jt809.Edition2019 {
		return
	}
	if p.count.since == 0 {
		p.count.since = w.received
	}
	if p.count.n += int(w.n); p.count.n < every {
		return
	}
	w.replies = append(w.replies, reply{id: jt809.IDPositionCount, body: &jt809.PositionCount{Total: uint32(p.count.n),
		Start: jt809.SecondsOf(p.count.since), End: jt809.SecondsOf(w.received)}})
	p.count = positionCount{since: w.received}
}

// end is called when the link has ended: what was read goes to the log, without an answer.
func (w *worker) end() {
	w.replies = nil
	w.wait() // an error is counted and logged
}
