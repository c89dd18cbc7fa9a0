package superior

import (
	"slices"
	"sync"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
)

// received are the serials of what a peer of 2019 sends: each message has its own, so that a gap says what was lost. Some
// count everything with one counter; a message then follows the one before it, whatever that was.
type received struct {
	mu     sync.Mutex
	by     map[link.Message]*lastSerial
	any    uint32 // of the message before, of any kind
	begun  bool
	single bool // one counter for all
	gaps   []serialGap
	count  uint64 // messages that are missing
}

type lastSerial struct {
	serial uint32
	at     int64 // Unix ms
}

// serialGap is a run of serials that did not come.
type serialGap struct {
	link.Message
	from, to uint32
	at       int64 // Unix ms
	asked    bool
}

const (
	maxGaps = 64
	// maxJump is the longest run that counts as lost: what jumps further has begun to count anew.
	maxJump = 100_000
	// maxKinds bounds the messages whose serials are remembered; the standard has 98.
	maxKinds = 512
)

// track takes note of a serial. Serials never lead to a refusal.
func (p *peer) track(id, sub jt809.MessageID, serial uint32, now int64) {
	key := link.Message{ID: id, Sub: sub}
	r := &p.seen
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.by[key]
	if last == nil {
		if len(r.by) >= maxKinds {
			return
		}
		if r.by == nil {
			r.by = map[link.Message]*lastSerial{}
		}
		r.single = r.single || r.begun && serial == r.any+1 && serial > 1
		r.by[key] = &lastSerial{serial, now}
		r.any, r.begun = serial, true
		return
	}
	follows := serial == last.serial+1
	if !follows && r.begun && serial == r.any+1 {
		r.single = true
		follows = true
	}
	before := last.serial
	if r.single {
		before = r.any
	}
	missing := serial - before - 1
	r.any = serial
	switch {
	case follows || int32(serial-before) > 0 && missing == 0:
	case int32(serial-before) <= 0: // sent again, or counted anew
		r.fill(key, serial)
		if before-serial < maxJump {
			r.any = before
			return
		}
	case missing <= maxJump:
		r.count += uint64(missing)
		p.metrics.missing.Add(float64(missing))
		if len(r.gaps) >= maxGaps {
			r.gaps = r.gaps[1:]
		}
		r.gaps = append(r.gaps, serialGap{Message: key, from: before + 1, to: serial - 1, at: now})
	}
	last.serial, last.at = serial, now
}

// fill takes a serial that came after all out of the gaps. mu is held.
func (r *received) fill(key link.Message, serial uint32) {
	for i := range r.gaps {
		g := &r.gaps[i]
		if g.Message != key && !r.single || serial-g.from > g.to-g.from {
			continue
		}
		if r.count > 0 {
			r.count--
		}
		switch {
		case g.from == g.to:
			r.gaps = slices.Delete(r.gaps, i, i+1)
		case serial == g.from:
			g.from++
		case serial == g.to:
			g.to--
		}
		return
	}
}

func (r *received) missing() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// notice is what 0x9103 tells: the last serial of each sub-message that came.
func (r *received) notice() []jt809.SerialItem {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []jt809.SerialItem
	for m, l := range r.by {
		if m.Sub != 0 && len(list) < 255 {
			list = append(list, jt809.SerialItem{SubType: m.Sub, MsgSN: l.serial, Time: jt809.SecondsOf(l.at)})
		}
	}
	slices.SortFunc(list, func(a, b jt809.SerialItem) int { return int(a.SubType) - int(b.SubType) })
	return list
}

// tellSerials tells a peer of 2019 the serials that were reached before the break (0x9103).
func (p *peer) tellSerials() {
	if p.ed() != jt809.Edition2019 {
		return
	}
	if items := p.seen.notice(); len(items) > 0 {
		p.send(jt809.IDSerialNoticeDown, nil, &jt809.SerialNotice{Items: items})
	}
}

// takeSerials takes 0x1103: our numbering goes on from there. It never goes back, so that no serial is used twice.
func takeSerials(w *worker, m *up) error {
	at := map[link.Message]uint32{}
	for _, l := range w.p.serials.Snapshot() {
		at[l.Message] = l.Last
	}
	for _, item := range m.body.(*jt809.SerialNotice).Items {
		id, sub := containerOf(item.SubType)
		if _, known := item.SubType.Info(); known && id >= 0x9000 && int32(item.MsgSN-at[link.Message{ID: id, Sub: sub}]) > 0 {
			w.p.serials.Set(id, sub, item.MsgSN)
		}
	}
	return nil
}

// askAfter is how long a gap waits before it is asked for: messages that go over two links may overtake each other.
const askAfter = 5 * time.Second

// askSerials asks for what is missing (0x9303), where the settings say so.
func (p *peer) askSerials(now time.Time) {
	if !p.cfg.Retransmit {
		return
	}
	var ask []serialGap
	p.seen.mu.Lock()
	for i := range p.seen.gaps {
		if g := &p.seen.gaps[i]; !g.asked && now.UnixMilli()-g.at >= askAfter.Milliseconds() {
			g.asked = true
			ask = append(ask, *g)
		}
	}
	p.seen.mu.Unlock()
	for _, g := range ask {
		// The layout that the standard prints, without the sub-message: see 0x9303 of package jt809.
		p.send(jt809.IDRetransmitDown, nil, &jt809.Retransmit{Short: true, BeginMsgSN: g.from, EndMsgSN: g.to})
	}
}

// sentRing keeps what was sent last, for 0x1303.
type sentRing struct {
	max   int
	list  []sentMessage
	next  int
	bytes int
}

type sentMessage struct {
	env    jt809.Envelope
	serial uint32
	at     int64 // Unix s
}

// maxSentBytes bounds the data in a sentRing.
const maxSentBytes = 1 << 20

// add keeps a message, whose data are the ring's from now on.
func (r *sentRing) add(e *jt809.Envelope, serial uint32, at int64) {
	if len(e.Data) > maxSentBytes/8 {
		return
	}
	m := sentMessage{*e, serial, at}
	m.env.Data = slices.Clone(e.Data)
	r.bytes += len(m.env.Data)
	if len(r.list) < r.max && r.bytes <= maxSentBytes {
		r.list = append(r.list, m)
		return
	}
	for len(r.list) > 0 {
		if r.next >= len(r.list) {
			r.next = 0
		}
		old := &r.list[r.next]
		r.bytes -= len(old.env.Data)
		if r.bytes <= maxSentBytes {
			*old = m
			r.next++
			return
		}
		old.env.Data = nil
		old.env.ID = 0 // its place is empty
		r.next++
	}
}

// lost returns what a 0x1303 asks for, oldest first.
func (r *sentRing) lost(m *jt809.Retransmit) (list []sentMessage) {
	for i := range r.list {
		s := r.list[(r.next+i)%len(r.list)]
		if s.env.ID == 0 || m.RetranDataType != 0 && s.env.Message() != m.RetranDataType {
			continue
		}
		byTime := m.BeginMsgSN == 0 && m.EndMsgSN == 0 && m.Time != 0
		if byTime && s.at >= m.Time.UnixMilli()/1000 || !byTime && s.serial-m.BeginMsgSN <= m.EndMsgSN-m.BeginMsgSN {
			list = append(list, s)
		}
	}
	return list
}

// takeRetransmit takes 0x1303: the messages are sent again under the serials that they had.
func takeRetransmit(w *worker, m *up) error {
	p := w.p
	p.mu.Lock()
	list := p.sent.lost(m.body.(*jt809.Retransmit))
	p.mu.Unlock()
	c := p.route()
	for i := range list {
		if c == nil || c.Resend(&list[i].env, list[i].serial) != nil {
			break
		}
	}
	p.s.logger.Info("a platform asked for lost messages", "peer", p.cfg.Name, "sent_again", len(list))
	return nil
}
