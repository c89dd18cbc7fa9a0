package superior

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// subLink is a sub link: dialled by us, of no use until its 0x9002 came.
type subLink struct {
	p       *peer
	conn    *link.Conn
	code    uint32
	worker0 worker
	up      atomic.Bool
	refused uint8        // result of 0x9002
	beat    atomic.Int64 // when 0x9005 was sent last, Unix ns
}

func (l *subLink) worker() *worker {
	if l == nil {
		return nil
	}
	return &l.worker0
}

func (l *subLink) lastAsk() time.Time  { return time.Unix(0, l.beat.Load()) }
func (l *subLink) asked(now time.Time) { l.beat.Store(now.UnixNano()) }

// dialContext ends when dialling is to end: at the next login, or at Shutdown.
func (s *Superior) dialContext() (context.Context, context.CancelFunc) {
	return context.WithCancel(s.closing)
}

// dial keeps the sub link of one login up: at once, then after redial_delay; after redial_tries that failed the peer is
// told by 0x9007, and it is dialled more slowly (7.7).
func (p *peer) dial(ctx context.Context, address string, code uint32) {
	cfg := &p.s.cfg
	tries, told, connected := 0, false, false
	for ctx.Err() == nil {
		p.mu.Lock()
		online := p.main != nil
		if online && p.sub == nil {
			p.setState(&p.subState, platform.LinkConnecting, address, p.subState.Note)
		}
		p.mu.Unlock()
		if !online {
			break // the next login dials anew
		}
		up, err := p.runSub(ctx, address, code)
		if ctx.Err() != nil {
			break
		}
		if up {
			tries, told, connected = 0, false, true
		} else {
			tries++
		}
		p.mu.Lock()
		if p.sub == nil {
			p.setState(&p.subState, platform.LinkConnecting, address, err.Error())
		}
		main := p.main
		p.mu.Unlock()
		p.s.logger.Info("a platform's sub link is not up", "peer", p.cfg.Name, "address", address, "tries", tries, "err", err)
		delay := cfg.RedialDelay
		if tries >= cfg.RedialTries {
			delay = cfg.RedialSlow
			if !told && main != nil {
				told = true
				m := &jt809.SubBroken{ErrorCode: jt809.SubUnreachable}
				if connected {
					m.ErrorCode = jt809.SubDisconnected
				}
				main.conn.Send(&jt809.Envelope{ID: jt809.IDSubBroken}, m)
			}
		}
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub == nil && p.main == nil {
		p.setState(&p.subState, platform.LinkOff, "", p.subState.Note)
	}
}

// runSub dials, logs in and reads the sub link until it ends. It reports whether it was up.
func (p *peer) runSub(ctx context.Context, address string, code uint32) (up bool, err error) {
	s := p.s
	d := net.Dialer{Timeout: s.cfg.DialTimeout}
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false, err
	}
	l := &subLink{p: p, code: code, conn: link.New(nc, p.options(p.subLink))}
	l.worker0 = worker{p: p, conn: l.conn, metrics: p.subLink}
	l.asked(s.now())
	l.conn.Send(&jt809.Envelope{ID: jt809.IDSubLogin}, &jt809.SubLogin{VerifyCode: code})
	// Before it is up it ends with its dialler; then it may outlive it, until the next login's sub link is there.
	early := context.AfterFunc(ctx, func() {
		if !l.up.Load() {
			l.conn.Close(reasonReplaced)
		}
	})
	defer early()
	hurry := time.AfterFunc(s.cfg.LoginTimeout, func() {
		if !l.up.Load() {
			l.conn.Close(reasonNoLogin)
		}
	})
	err = l.conn.Run(s.ctx, l)
	hurry.Stop()
	l.worker0.end()
	if !l.up.Load() {
		if l.refused != 0 {
			return false, fmt.Errorf("0x9002: the platform refused our login, result %d", l.refused)
		}
		return false, fmt.Errorf("no login: %w", err)
	}
	p.subEnded(l, err)
	return true, err
}

// Frame implements link.Handler.
func (l *subLink) Frame(h *jt809.Header, body []byte) error {
	if !l.up.Load() {
		if h.ID != jt809.IDSubLoginReply {
			return nil
		}
		var m jt809.SubLoginReply
		if err := jt809.Decode(body, h.Edition, &m); err != nil {
			return err
		}
		if m.Result != jt809.SubLoginOK {
			l.refused = m.Result
			return errors.New("refused")
		}
		return l.p.subOnline(l)
	}
	switch h.ID {
	case jt809.IDSubLoginReply, jt809.IDSubHeartbeatReply:
		return nil
	case jt809.IDSubLogoutReply:
		l.conn.Close(reasonLogout)
		return nil
	case jt809.IDHeartbeat:
		return l.worker0.answer(reply{id: jt809.IDHeartbeatReply, back: true})
	case jt809.IDMainBroken:
		// The peer has lost the main link; where we have not seen it yet, its next login would find it alive.
		l.p.mu.Lock()
		main := l.p.main
		l.p.mu.Unlock()
		if main != nil {
			main.conn.Close(reasonTold)
		}
		return nil
	case jt809.IDInferiorCloses:
		l.p.closeBoth(reasonGoodbye)
		return nil
	}
	return l.worker0.take(h, body)
}

// Drained implements link.Handler.
func (l *subLink) Drained() error {
	if !l.up.Load() {
		return nil
	}
	return l.worker0.drained()
}

// subOnline makes a sub link that of the peer; one of an earlier login is closed.
func (p *peer) subOnline(l *subLink) error {
	p.mu.Lock()
	if p.left {
		p.mu.Unlock()
		return errors.New("shutting down")
	}
	if l.code != p.verify {
		p.mu.Unlock()
		return errors.New("of an earlier login")
	}
	old := p.sub
	p.sub = l
	l.up.Store(true)
	p.setState(&p.subState, platform.LinkUp, l.conn.RemoteAddr().String(), "")
	p.mu.Unlock()
	if old != nil {
		old.conn.Close(reasonReplaced)
	}
	p.s.logger.Info("a platform's sub link is up", "peer", p.cfg.Name, "address", l.conn.RemoteAddr())
	p.tellSerials()
	return nil
}

// subEnded is called when a sub link that was up has ended.
func (p *peer) subEnded(l *subLink, err error) {
	p.s.metrics.ended.WithLabelValues(p.cfg.Name, link.Sub, reasonOf(err)).Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != l {
		return
	}
	p.sub = nil
	p.setState(&p.subState, platform.LinkDown, "", noteOf(err))
	p.subState.LastRead, p.subState.LastWrite = timeOf(l.conn.LastRead()), timeOf(l.conn.LastWrite())
	if p.main == nil {
		p.cut(l.conn.LastRead())
	}
}
