package sim809

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/eventfile"
	"lushao/ingest/jt809"
)

// superior is a superior platform.
type superior struct {
	s     *Sim
	peers map[uint32]*peer // by access code; never changes

	mu     sync.Mutex
	events *bufio.Writer
	buf    []byte
	err    error
	stop   context.CancelFunc
}

// peer is an inferior platform as its superior sees it.
type peer struct {
	p       *superior
	centre  uint32
	user    uint32
	serials *serials

	mu      sync.Mutex
	main    *wire
	sub     *wire
	verify  uint32
	dialing context.CancelFunc // ends the care for the present sub link
	check   *check
	open    []*request
	counted int // positions since the last 0x9101
	total   uint32
	since   jt809.Seconds
	number  uint32 // of the next question, supervision or text
}

func (s *Sim) runSuperior(ctx context.Context) (Report, error) {
	p := &superior{s: s, peers: map[uint32]*peer{}}
	ctx, p.stop = context.WithCancel(ctx)
	defer p.stop()
	if s.cfg.Duration > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, s.cfg.Duration)
		defer done()
	}
	if s.cfg.Events != nil {
		p.events = bufio.NewWriterSize(s.cfg.Events, 64<<10)
	}
	for i := range uint32(s.cfg.Platforms) {
		q := &peer{p: p, centre: s.cfg.AccessCode + i, user: s.cfg.User + i, serials: newSerials(s.edition), since: now()}
		q.check = newCheck(s, p)
		p.peers[q.centre] = q
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return s.report(), fmt.Errorf("sim809: listen: %w", err)
	}
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	if s.cfg.OnListen != nil {
		s.cfg.OnListen(ln.Addr())
	}
	var jobs sync.WaitGroup
	for _, q := range p.peers {
		jobs.Go(func() { q.ask(ctx) })
	}
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			s.log.Warn("a main link could not be accepted", "err", err)
			if !sleep(ctx, s.cfg.BackoffMin) {
				break
			}
			continue
		}
		jobs.Go(func() { p.serve(ctx, nc, &jobs) })
	}
	jobs.Wait()
	s.work.Wait()
	return p.end()
}

// end makes the report.
func (p *superior) end() (Report, error) {
	r := p.s.report()
	for _, q := range p.peers {
		q.mu.Lock()
		r.Gaps += q.check.serials.gaps()
		r.Repeated += q.check.serials.repeated
		r.Unanswered += int64(len(q.open))
		q.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events != nil {
		if err := p.events.Flush(); err != nil && p.err == nil {
			p.err = fmt.Errorf("sim809: events: %w", err)
		}
	}
	return r, p.err
}

// write writes an event down. A writer that fails ends the run.
func (p *superior) write(e *ingest.Event) {
	if p.events == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = append(eventfile.AppendJSON(p.buf[:0], e), '\n')
	if _, err := p.events.Write(p.buf); err != nil && p.err == nil {
		p.err = fmt.Errorf("sim809: events: %w", err)
		p.stop()
	}
}

// serve is one main link.
func (p *superior) serve(ctx context.Context, nc net.Conn, jobs *sync.WaitGroup) {
	w := p.s.newWire(nc, 0, newSerials(p.s.edition))
	late := time.AfterFunc(p.s.cfg.AckTimeout, w.close)
	defer late.Stop()
	var q *peer
	leaving := false
	err := w.read(ctx, func(f *frame) error {
		if q != nil {
			leaving = leaving || f.sub() == jt809.IDLogout
			return q.take(f)
		}
		var m jt809.Login
		if f.sub() != jt809.IDLogin || f.decode(&m) != nil {
			return nil
		}
		late.Stop()
		found, result := p.admit(f, &m)
		if result != 0 {
			p.s.n.refused.Add(1)
			p.s.log.Info("a login was refused", "centre", f.Centre, "result", result)
			w.centre = f.Centre
			w.say(jt809.IDLoginReply, &jt809.LoginReply{Result: result})
			w.finish()
			return nil
		}
		q = found
		q.note(f)
		p.s.n.logins.Add(1)
		w.mu.Lock()
		w.centre, w.serials = q.centre, q.serials
		w.mu.Unlock()
		q.join(ctx, w, net.JoinHostPort(m.DownLinkIP.String(), strconv.Itoa(int(m.DownLinkPort))), jobs)
		return nil
	})
	if q == nil {
		return
	}
	q.mu.Lock()
	mine := q.main == w
	if mine {
		q.main = nil
	}
	sub, care := q.sub, q.dialing
	q.mu.Unlock()
	if mine && leaving {
		// The goodbye is for both links.
		care()
		if sub != nil {
			sub.close()
		}
	} else if ctx.Err() == nil {
		p.s.n.breaks.Add(1)
		p.s.log.Info("a main link ended", "centre", q.centre, "err", err)
	}
}

// admit checks a login in the order of 7.2. Addresses are not restricted.
func (p *superior) admit(f *frame, m *jt809.Login) (*peer, uint8) {
	q := p.peers[f.Centre]
	if q == nil {
		return nil, 2
	}
	if m.UserID != q.user {
		return nil, 3
	}
	if m.Password.String() != p.s.cfg.Password {
		return nil, 4
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.main != nil {
		select {
		case <-q.main.done:
		default:
			if time.Since(time.Unix(0, q.main.lastRead.Load())) < p.s.cfg.Heartbeat {
				return nil, 5
			}
			q.main.close()
		}
	}
	return q, 0
}

// join makes w the main link and begins to care for a sub link.
func (q *peer) join(ctx context.Context, w *wire, address string, jobs *sync.WaitGroup) {
	ctx, stop := context.WithCancel(ctx)
	q.mu.Lock()
	q.main, q.verify = w, rand.Uint32()
	verify, old, sub := q.verify, q.dialing, q.sub
	q.dialing = stop
	q.mu.Unlock()
	if old != nil {
		old()
	}
	if sub != nil {
		sub.close()
	}
	w.say(jt809.IDLoginReply, &jt809.LoginReply{VerifyCode: verify})
	jobs.Go(func() {
		defer stop()
		q.keepSub(ctx, address, verify)
	})
}

// keepSub dials the sub link, again and again: three times quickly, then 0x9007, then slowly (7.4, 7.7). It ends with the next login.
func (q *peer) keepSub(ctx context.Context, address string, verify uint32) {
	s := q.p.s
	failed, stood := 0, false
	for ctx.Err() == nil {
		if s.chaos.strikes(FaultWrongVerify) {
			q.dialSub(ctx, address, verify^1, true)
		}
		linked, err := q.dialSub(ctx, address, verify, false)
		if ctx.Err() != nil {
			return
		}
		q.mu.Lock()
		main := q.main
		q.mu.Unlock()
		if linked {
			s.n.subBreaks.Add(1)
			failed, stood = 0, true
		} else if failed++; failed == 3 && main != nil {
			m := jt809.SubBroken{}
			if stood {
				m.ErrorCode = 1
			}
			main.say(jt809.IDSubBroken, &m)
		}
		s.log.Info("the sub link ended and will be dialled again", "centre", q.centre, "err", err)
		wait := s.cfg.BackoffMin
		if failed > 3 {
			wait = s.cfg.BackoffMax
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// dialSub is one sub link; linked says that it stood. An intruder uses another verify code and hopes to be refused.
func (q *peer) dialSub(ctx context.Context, address string, verify uint32, intruder bool) (linked bool, err error) {
	s := q.p.s
	dialer := net.Dialer{Timeout: s.cfg.AckTimeout}
	nc, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false, err
	}
	w := s.newWire(nc, q.centre, q.serials)
	if err := w.say(jt809.IDSubLogin, &jt809.SubLogin{VerifyCode: verify}); err != nil {
		w.close()
		return false, err
	}
	late := time.AfterFunc(s.cfg.AckTimeout, w.close)
	defer late.Stop()
	beat := time.NewTicker(s.cfg.Heartbeat)
	defer beat.Stop()
	err = w.read(ctx, func(f *frame) error {
		if linked {
			return q.take(f)
		}
		var m jt809.SubLoginReply
		if f.sub() != jt809.IDSubLoginReply || f.decode(&m) != nil {
			return nil
		}
		if m.Result != 0 {
			s.n.refused.Add(1)
			return fmt.Errorf("%w: result %d", errRefused, m.Result)
		}
		if intruder {
			s.n.letIn.Add(1)
			s.log.Error("a sub link with a wrong verify code was accepted", "centre", q.centre)
			return errRefused
		}
		linked = true
		q.note(f)
		late.Stop()
		s.n.subLinks.Add(1)
		q.mu.Lock()
		q.sub = w
		var notice *jt809.SerialNotice
		if s.edition == jt809.Edition2019 {
			notice = q.check.serials.notice(now())
		}
		q.mu.Unlock()
		if notice != nil && len(notice.Items) > 0 {
			w.send(&jt809.Envelope{ID: jt809.IDSerialNoticeDown, Sub: jt809.IDSerialNoticeDown}, notice, plainly)
		}
		s.work.Go(func() {
			for {
				select {
				case <-beat.C:
					w.say(jt809.IDSubHeartbeat, &jt809.Empty{})
				case <-w.done:
					return
				}
			}
		})
		return nil
	})
	q.mu.Lock()
	if q.sub == w {
		q.sub = nil
	}
	q.mu.Unlock()
	return linked, err
}

// note takes the serial of a frame.
func (q *peer) note(f *frame) {
	q.mu.Lock()
	q.check.serials.note(f.Header.ID, f.Envelope.Sub, f.Header.Serial)
	q.mu.Unlock()
}

// data is the link that data go down on: sub, or main while there is no sub (7.5). With mu held.
func (q *peer) data() *wire {
	if q.sub != nil {
		return q.sub
	}
	return q.main
}

// errLeft ends a link whose peer said goodbye.
var errLeft = errors.New("the peer left")
