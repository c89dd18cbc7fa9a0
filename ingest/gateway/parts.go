package gateway

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"lushao/ingest/jt808"
)

// parts are the sub-packaged messages of one terminal: those of which parts are missing, and the last ones that became
// whole. They are the terminal's own, so that it can take no room from others on its connection.
type parts struct {
	jt808.Reassembler
	asked   []asked
	done    [8]wholeMessage // the last ones; a part may come again after its message was whole
	next    int
	counted uint64 // of Dropped in the metrics
	bytes   int64  // as counted in Gateway.partial
	files   int64  // of them those of files, as counted in Gateway.partialFiles
}

// messageKey tells a terminal's sub-packaged messages apart.
type messageKey struct {
	id    jt808.MessageID
	first uint16 // serial of the first part
	total uint16
}

// asked is how often the missing parts of a message were asked for.
type asked struct {
	key   messageKey
	tries int   // since the last part came
	got   int   // parts when it was asked
	at    int64 // Unix ms
}

type wholeMessage struct {
	key    messageKey
	answer answer
}

// part takes a sub-package. Its bytes are in memory only, so none is acknowledged before the message is whole and in the
// log; then every part is, because some terminals wait for each and some for the last.
func (w *work) part(r *route, p *peer, h *jt808.Header, body []byte) answer {
	c, g := w.c, w.c.g
	if g.partial.Load()+int64(len(body)) > int64(g.cfg.MaxPartialTotal) || !g.roomForFile(h.ID, len(body)) {
		return answer{result: jt808.ResultFailed, refused: refusedPackaged}
	}
	if p.parts == nil {
		p.parts = &parts{Reassembler: jt808.Reassembler{MaxBytes: g.cfg.MaxPartial, MaxAge: g.cfg.PartialTimeout.Milliseconds()}}
	}
	p.parts.limit(g, h.ID)
	key := messageKey{h.ID, h.Serial - (h.PackageNo - 1), h.PackageTotal}
	part := *h
	msg, whole, err := p.parts.Add(h, body, w.received)
	p.parts.count(g)
	switch {
	case err != nil:
		*h = part
		return answer{result: jt808.ResultFailed, refused: refusedPackaged}
	case !whole:
		for waiting := range p.parts.Waiting {
			if keyOf(waiting) == key {
				c.askAt(min(w.received+g.cfg.ResendAfter.Milliseconds(), waiting.Begun+g.cfg.PartialTimeout.Milliseconds()))
				if g.isMedia(h.ID) {
					return done
				}
				return answer{silent: true}
			}
		}
		// Of a message that was whole before, and whose acknowledgement did not arrive.
		for i := range p.parts.done {
			if p.parts.done[i].key == key {
				a := p.parts.done[i].answer
				a.mediaKept = a.mediaKept && h.PackageNo == h.PackageTotal // one 0x8800, also when all come again
				return a
			}
		}
		return answer{result: jt808.ResultFailed, refused: refusedPackaged}
	}
	p.parts.forgetAsked(key)
	a := w.handle(r, p, h, msg)
	if g.isMedia(h.ID) { // the other parts have theirs
		w.reply(p, &part, a)
	} else {
		for i := range key.total {
			part.Serial = key.first + i
			w.reply(p, &part, a)
		}
	}
	if a.mediaKept {
		w.mediaAck(p, &part, a.media)
	}
	if p.parts != nil { // the message may have ended the session
		again := a
		again.refused = "" // counted once
		p.parts.done[p.parts.next%len(p.parts.done)] = wholeMessage{key, again}
		p.parts.next++
	}
	a.silent = true
	return a
}

func keyOf(p *jt808.Partial) messageKey {
	return messageKey{p.Header.ID, p.Header.Serial, p.Header.PackageTotal}
}

// count brings what the parts hold and what was given up into the gateway's books.
func (q *parts) count(g *Gateway) {
	held, files := int64(0), int64(0)
	for m := range q.Waiting {
		n := int64(m.Bytes() + m.Got*partOverhead)
		held += n
		if g.isFile(m.Header.ID) {
			files += n
		}
	}
	g.partial.Add(held - q.bytes)
	g.partialFiles.Add(files - q.files)
	q.bytes, q.files = held, files
	g.metrics.droppedPartials.Add(float64(q.Dropped - q.counted))
	q.counted = q.Dropped
}

func (q *parts) forgetAsked(key messageKey) {
	q.asked = slices.DeleteFunc(q.asked, func(a asked) bool { return a.key == key })
}

// dropParts gives up what waits for parts of the terminal, and what is held to be sent to it again.
func (p *peer) dropParts(g *Gateway) {
	if q := p.parts; q != nil {
		for range q.Waiting {
			g.metrics.droppedPartials.Inc()
		}
		p.forgetParts(g)
	}
	if p.session != nil {
		p.session.sent.drop(g)
	}
}

// forgetParts gives up what waits, and forgets what was whole, of all terminals: the log refused what they made.
func (c *conn) forgetParts() {
	for _, p := range c.peers {
		p.forgetParts(c.g)
	}
}

// askAt sees to it that missing parts are looked after not later than at the time, in Unix ms.
func (c *conn) askAt(at int64) {
	if c.ask == 0 || at < c.ask {
		c.ask = at
	}
}

// askMissing asks for the parts that are missing for too long, and gives up the messages for which that was of no use.
func (w *work) askMissing() {
	c := w.c
	if c.ask == 0 || w.received < c.ask {
		return
	}
	c.ask = 0
	for _, p := range c.peers {
		if p.parts != nil {
			w.askTerminal(p)
		}
	}
}

func (w *work) askTerminal(p *peer) {
	c, g, q := w.c, w.c.g, p.parts
	after, longest := g.cfg.ResendAfter.Milliseconds(), g.cfg.PartialTimeout.Milliseconds()
	var lost []*jt808.Partial
	for m := range q.Waiting {
		key := keyOf(m)
		i := slices.IndexFunc(q.asked, func(a asked) bool { return a.key == key })
		if i < 0 {
			q.asked = append(q.asked, asked{key: key, at: m.Last})
			i = len(q.asked) - 1
		}
		a := &q.asked[i]
		if a.got != m.Got { // it goes on
			a.got, a.tries, a.at = m.Got, 0, m.Last
		}
		end := m.Begun + longest
		if due := a.at + after; w.received >= due || w.received >= end {
			if a.tries >= g.cfg.ResendTries || w.received >= end {
				lost = append(lost, m)
				continue
			}
			a.tries++
			a.at = w.received
			w.askFor(p, m)
		}
		c.askAt(min(a.at+after, end))
	}
	for _, m := range lost {
		q.Drop(m)
	}
	// Also what the reassembler gave up to make room has to be forgotten here.
	q.asked = slices.DeleteFunc(q.asked, func(a asked) bool {
		for m := range q.Waiting {
			if keyOf(m) == a.key {
				return false
			}
		}
		return true
	})
	q.count(g)
}

// Limits of what one resend request lists: a count of one byte before 2019, and what fits one frame.
const (
	maxMissing      = 255
	maxMissing2019  = 500
	maxMissingMedia = 125 // of 0x8800
)

// askFor sends 0x8003, or for media, which the terminals of 2011 know too, 0x8800 with the parts that are missing.
func (w *work) askFor(p *peer, m *jt808.Partial) {
	limit := maxMissing
	if m.Header.Edition.Has(jt808.FeatureWideResend) {
		limit = maxMissing2019
	}
	id := jt808.IDPlatformResend
	var body jt808.Body
	missing := m.Missing(nil, limit)
	if first := m.First(); m.Header.ID == jt808.IDMediaData && len(first) >= 4 {
		id = jt808.IDMediaAck
		body = &jt808.MediaAck{ID: binary.BigEndian.Uint32(first), Packages: missing[:min(len(missing), maxMissingMedia)]}
	} else {
		body = &jt808.Resend{FirstSerial: m.Header.Serial, Packages: missing}
	}
	w.replies = append(w.replies, reply{head: m.Header.Answer(id, w.nextSerial(p)), body: jt808.AppendBody(nil, m.Header.Edition, body)})
	w.c.g.metrics.resendRequests.Inc()
}

// Limits of the sub-packaged messages to one terminal that are held to be sent again.
const (
	maxSentMessages = 4
	maxSentBytes    = 64 << 10
)

// sentParts are the last sub-packaged messages to a terminal: it may ask for parts of them again (0x0005).
type sentParts struct {
	mu    sync.Mutex // a message may be queued by others than the connection
	held  []sentMessage
	bytes int64
	ended bool
}

type sentMessage struct {
	first  uint16
	frames [][]byte
	bytes  int64
}

// keep holds the frames of a message of more than one part, as they are sent, for 0x0005. The message is copied. What is
// too long, or finds no room, is not held: the terminal asks in vain then.
func (s *sentParts) keep(g *Gateway, first uint16, stream []byte) {
	n := int64(len(stream))
	if n > maxSentBytes || g.partial.Load()+n > int64(g.cfg.MaxPartialTotal) {
		return
	}
	m := sentMessage{first: first, bytes: n}
	for stream = slices.Clone(stream); len(stream) > 0; {
		end := bytes.IndexByte(stream[1:], 0x7e) + 2
		if end < 2 {
			return
		}
		m.frames = append(m.frames, stream[:end:end])
		stream = stream[end:]
	}
	if len(m.frames) < 2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	for len(s.held) > 0 && (len(s.held) >= maxSentMessages || s.bytes+n > maxSentBytes) {
		s.bytes -= s.held[0].bytes
		g.partial.Add(-s.held[0].bytes)
		s.held = slices.Delete(s.held, 0, 1)
	}
	s.held = append(s.held, m)
	s.bytes += n
	g.partial.Add(n)
}

// frames returns the frames of the parts that are held; false where the message is not.
func (s *sentParts) frames(first uint16, numbers []uint16) (out [][]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.held) - 1; i >= 0; i-- {
		m := &s.held[i]
		if m.first != first {
			continue
		}
		seen := make([]bool, len(m.frames)) // who names a part often gets it once
		for _, no := range numbers {
			if no >= 1 && int(no) <= len(m.frames) && !seen[no-1] {
				seen[no-1] = true
				out = append(out, m.frames[no-1])
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}

func (s *sentParts) drop(g *Gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.partial.Add(-s.bytes)
	s.held, s.bytes, s.ended = nil, 0, true
}

// takeResend answers 0x0005 with the parts that it names, unchanged.
func takeResend(w *work, p *peer, h *jt808.Header, body []byte) answer {
	var m jt808.Resend
	if err := jt808.Decode(body, jt808.Edition2019, &m); err != nil {
		return malformed
	}
	frames, ok := p.session.sent.frames(m.FirstSerial, m.Packages)
	if !ok {
		return answer{result: jt808.ResultFailed, refused: refusedNotHeld}
	}
	for _, f := range frames {
		w.replies = append(w.replies, reply{raw: f})
	}
	w.c.g.metrics.resentParts.Add(float64(len(frames)))
	return answer{custom: true}
}

// woken looks after missing parts when a read's deadline was set for them. It reports false where the deadline was that
// of the connection.
func (c *conn) woken(now time.Time) (again bool, reason string) {
	if c.ask == 0 || now.UnixMilli() < c.ask || c.lastFrame.IsZero() || !now.Before(c.lastFrame.Add(c.g.cfg.IdleTimeout)) {
		return false, ""
	}
	w := getWork(c, now.UnixMilli())
	defer w.put()
	w.askMissing()
	if reason = w.commit(); reason != "" {
		return false, reason
	}
	return true, ""
}
