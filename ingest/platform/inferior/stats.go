package inferior

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// stats are the figures of a peer: for people, for the count notices and for 0x1102.
type stats struct {
	bad atomic.Uint64 // positions without a time

	live, missed, uncounted atomic.Uint64
	lastPosition            atomic.Int64 // when the one that was sent last was received; Unix ms

	rate rate

	mu        sync.Mutex
	proven    uint64
	lastProof int64
	countedAt int64 // Unix ms
	breaks    []span
	losses    []loss
}

// span is a break of the main link, Unix ms; to 0: it lasts.
type span struct{ from, to int64 }

// loss is what the log has dropped unread.
type loss struct {
	at       int64
	messages uint64
}

// maxSpans is how many breaks and losses are remembered for 0x9102.
const maxSpans = 4096

func (s *stats) linkUp(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.countedAt == 0 {
		s.countedAt = now.UnixMilli()
	}
	if n := len(s.breaks); n > 0 && s.breaks[n-1].to == 0 {
		s.breaks[n-1].to = now.UnixMilli()
	}
}

func (s *stats) linkDown(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.breaks) == maxSpans {
		s.breaks = append(s.breaks[:0], s.breaks[1:]...)
	}
	s.breaks = append(s.breaks, span{from: now.UnixMilli()})
}

func (s *stats) lose(now time.Time, messages uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.losses) == maxSpans {
		s.losses = append(s.losses[:0], s.losses[1:]...)
	}
	s.losses = append(s.losses, loss{now.UnixMilli(), messages})
}

// sent counts positions that were sent; the last of them was received at last.
func (s *stats) sent(now time.Time, last int64, live, missed int) {
	s.live.Add(uint64(live))
	s.missed.Add(uint64(missed))
	s.uncounted.Add(uint64(live + missed))
	s.lastPosition.Store(last)
	s.rate.add(now, uint64(live+missed))
}

func (s *stats) prove(now time.Time, positions uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proven += positions
	s.lastProof = now.UnixMilli()
}

// between adds up the breaks and losses of a period in Unix ms.
func (s *stats) between(from, to, now int64) (breaks int, broken time.Duration, lost uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.breaks {
		end := b.to
		if end == 0 {
			end = now
		}
		begin, end := max(b.from, from), min(end, to)
		if b.from >= to || end < begin {
			continue
		}
		breaks++
		broken += time.Duration(end-begin) * time.Millisecond
	}
	for _, l := range s.losses {
		if l.at >= from && l.at < to {
			lost += l.messages
		}
	}
	return breaks, broken, lost
}

// sendCount tells a superior of 2019 how many positions were sent since the last time.
func (p *peer) sendCount() {
	if p.edition != jt809.Edition2019 {
		return
	}
	now := p.i.now().UnixMilli()
	p.stats.mu.Lock()
	from := p.stats.countedAt
	p.stats.countedAt = now
	p.stats.mu.Unlock()
	n := p.stats.uncounted.Swap(0)
	e := envelope(p.countID)
	if _, err := p.send(p.i.hard, &e, &jt809.PositionCount{Total: uint32(n), Start: jt809.SecondsOf(from), End: jt809.SecondsOf(now)}); err != nil {
		p.stats.uncounted.Add(n) // told next time
		p.stats.mu.Lock()
		p.stats.countedAt = from
		p.stats.mu.Unlock()
	}
}

// takeTransferQuery answers 0x9102.
func (p *peer) takeTransferQuery(m *jt809.TransferQuery) {
	breaks, broken, lost := p.stats.between(m.StartTime.UnixMilli(), m.EndTime.UnixMilli(), p.i.now().UnixMilli())
	id := m.PlatformID
	if id.Trimmed() == "" {
		id = jt808.Text(p.cfg.PlatformID)
	}
	p.reply(envelope(jt809.IDTransferReport), &jt809.TransferReport{PlatformID: id, StartTime: m.StartTime, EndTime: m.EndTime,
		LostDynamicSum: uint32(min(lost, 1<<32-1)), DisconnectNum: uint8(min(breaks, 255)), DisconnectTime: uint32(broken / time.Second)})
}

// state tells of the peer.
func (p *peer) state() platform.Peer {
	ctx, cancel := context.WithTimeout(context.Background(), lagTimeout)
	defer cancel()
	s := platform.Peer{Name: p.cfg.Name, Role: platform.RoleInferior, Edition: p.edition.String(), Encrypted: p.cfg.Encrypt, AccessCode: p.cfg.AccessCode,
		LagMessages: p.lag(ctx), BadPositions: p.stats.bad.Load(), BackfillPositions: p.stats.missed.Load(), LastPosition: platform.Time(p.stats.lastPosition.Load())}
	s.Positions = p.stats.live.Load() + s.BackfillPositions
	p.stats.mu.Lock()
	s.Proven, s.LastProof = p.stats.proven, platform.Time(p.stats.lastProof)
	p.stats.mu.Unlock()
	s.PositionsPerS = p.stats.rate.perSecond(p.i.now())
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Main, s.Sub = p.states[0], p.states[1]
	for n, l := range []*platform.LinkState{&s.Main, &s.Sub} {
		if c := [2]*link.Conn{p.main, p.sub}[n]; c != nil {
			l.LastRead, l.LastWrite = platform.Time(c.LastRead().UnixMilli()), platform.Time(c.LastWrite().UnixMilli())
		}
		c := p.counts[n].Counts()
		l.FramesIn, l.FramesOut, l.BytesIn, l.BytesOut, l.BadFrames = c.FramesIn, c.FramesOut, c.BytesIn, c.BytesOut, c.BadFrames
	}
	for _, sender := range p.senders {
		s.Vehicles += int(sender.count.Load())
	}
	if p.run != nil {
		s.Unproven = p.run.unproven()
	}
	s.Gaps = append(s.Gaps, p.gaps...)
	s.CountedByPeer, s.LastLogin = p.counted, platform.Time(p.lastLogin)
	s.LastFailed, s.FailedWhy = platform.Time(p.failedAt), p.failedWhy
	return s
}
