package gateway

import (
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// work is what one read brought: the events for the log, and the replies that wait for it. It is pooled, so that an idle
// connection holds nothing but its read buffer.
type work struct {
	c        *conn
	received int64 // Unix ms; one look at the clock for each read

	events    [][]byte // wire form, by partition
	touched   []int    // partitions with events
	appended  bool     // events were handed to the log
	appendErr error
	counts    [ingest.KindLink + 1]int
	leaving   []*session
	replies   []reply
	marks     []mark // what to remember once the log has it
	cost      int    // frames of the connection's rate that decryption counts for
	refused   bool   // the log refused events for good

	head     jt808.Header // of the message at hand; this and the next are reused
	event    ingest.Event
	link     ingest.Link
	location jt808.Location
	alarms   []jt808.SafetyAlarm
	out      []byte
	body     []byte
}

// reply is a reply that is written when the log has everything that was read with its message.
type reply struct {
	head   jt808.Header // of the reply
	serial uint16       // of the message
	id     jt808.MessageID
	result uint8
	logged bool        // result 0 stands for events: it becomes 1 when the log refuses them
	code   *jt808.Text // of a registration
	body   []byte      // of any other message, encoded
	raw    []byte      // whole frames, written as they are
}

// flushSize is how many bytes of events are gathered for a partition before the log gets them.
const flushSize = 64 << 10

var works = sync.Pool{New: func() any { return new(work) }}

func getWork(c *conn, received int64) *work {
	w := works.Get().(*work)
	w.c, w.received = c, received
	if len(w.events) < c.g.partitions {
		w.events = make([][]byte, c.g.partitions)
	}
	return w
}

func (w *work) put() {
	for i := range w.replies {
		w.replies[i] = reply{}
	}
	for _, p := range w.touched {
		w.events[p] = w.events[p][:0]
	}
	w.event = ingest.Event{} // its extras alias a read buffer
	w.location = jt808.Location{}
	w.c, w.touched, w.leaving, w.replies = nil, w.touched[:0], w.leaving[:0], w.replies[:0]
	clear(w.marks) // they hold memories of terminals
	w.marks = w.marks[:0]
	w.cost = 0
	w.appended, w.appendErr, w.refused, w.counts = false, nil, false, [ingest.KindLink + 1]int{}
	works.Put(w)
}

// add takes an event of a vehicle for the log.
func (w *work) add(e *ingest.Event) { w.gather(e, flushSize) }

// gather is add with another limit of the bytes that are gathered, at most half of what the log takes at once.
func (w *work) gather(e *ingest.Event, limit int) {
	p := e.Vehicle.Partition(w.c.g.partitions)
	if len(w.events[p]) == 0 {
		w.touched = append(w.touched, p)
	}
	w.events[p] = ingest.AppendEvent(w.events[p], e)
	w.counts[e.Kind]++
	w.full(p, limit)
}

// full hands the events to the log where a partition has reached the limit.
func (w *work) full(p, limit int) {
	if len(w.events[p]) >= limit {
		w.flush()
	}
}

// addLink takes a link event that happened now.
func (w *work) addLink(v ingest.Vehicle, online bool, reason string) {
	w.link = ingest.Link{Online: online, Reason: reason}
	w.add(&ingest.Event{Kind: ingest.KindLink, Source: ingest.SourceJT808, Vehicle: v, Time: w.received, Received: w.received, Link: &w.link})
}

// offline takes the terminal's session offline.
func (w *work) offline(p *peer, reason string) {
	if p.session == nil {
		return
	}
	if w.c.g.sessions.leave(p.session) {
		w.c.g.commands.gone(p.session)
		w.addLink(p.session.vehicle, false, reason)
		w.leaving = append(w.leaving, p.session)
	}
	p.dropParts(w.c.g)
	w.c.g.memories.keep(p.session.memory)
	p.session = nil
}

// flush hands the events to the log. It blocks while the log is slow.
func (w *work) flush() {
	c := w.c
	for _, p := range w.touched {
		if w.appendErr == nil {
			if c.batch == nil {
				c.batch = c.g.log.NewBatch()
			}
			w.appendErr = c.batch.Append(c.g.ctx, p, w.events[p])
			w.appended = true
		}
		w.events[p] = w.events[p][:0]
	}
	w.touched = w.touched[:0]
}

// left ends the sessions whose offline events were handed to the log.
func (w *work) left() {
	for _, s := range w.leaving {
		w.c.g.sessions.left(s)
	}
	w.leaving = w.leaving[:0]
}

// commit waits until the log has the events, then writes the replies in one write. It returns why the connection must
// end, if it must.
func (w *work) commit() (reason string) {
	c, g := w.c, w.c.g
	w.flush()
	w.left()
	if w.appended {
		err := w.appendErr
		if err == nil {
			err = c.batch.Wait(g.ctx)
		}
		if g.ctx.Err() != nil {
			c.batch = nil
			return reasonShutdown
		}
		if w.refused = err != nil; w.refused {
			c.batch = nil
			c.forgetParts() // what comes again would be taken for a repetition
			n := 0
			for _, k := range w.counts {
				n += k
			}
			g.metrics.refused[refusedLog].Add(float64(n))
			if !g.refusing.Swap(true) { // once, and not for every read of every terminal
				g.logger.Error("the log refuses events for good; their messages are answered with result 1", "events", n, "err", err)
			}
		} else {
			if g.refusing.Load() && g.refusing.Swap(false) {
				g.logger.Info("the log takes events again")
			}
			for _, k := range w.marks {
				k.memory.add(k.sum)
			}
			g.metrics.ackTime.Observe(float64(time.Now().UnixMilli()-w.received) / 1000)
			for kind, n := range w.counts {
				if n > 0 {
					g.metrics.events[kind].Add(float64(n))
				}
			}
		}
	}
	if len(w.replies) == 0 {
		return ""
	}
	w.out = w.out[:0]
	for i := range w.replies {
		w.encode(&w.replies[i])
	}
	if err := c.write(w.out); err != nil {
		return writeReason(err)
	}
	return ""
}

func (w *work) encode(r *reply) {
	switch {
	case r.raw != nil:
		w.out = append(w.out, r.raw...)
		return
	case r.body != nil:
		w.out = jt808.AppendFrame(w.out, &r.head, r.body)
		return
	}
	result := r.result
	if r.logged && w.refused && result == jt808.ResultOK {
		result = jt808.ResultFailed
	}
	counted := result
	if r.head.ID == jt808.IDRegisterReply {
		m := jt808.RegisterReply{Serial: r.serial, Result: result}
		if r.code != nil {
			m.AuthCode = *r.code
		}
		w.body = jt808.AppendBody(w.body[:0], r.head.Edition, &m)
		counted = min(counted, 1)
	} else {
		w.body = jt808.AppendAck(w.body[:0], jt808.Ack{Serial: r.serial, ID: r.id, Result: result})
	}
	w.out = jt808.AppendFrame(w.out, &r.head, w.body)
	w.c.g.metrics.replies[counted].Inc()
}
