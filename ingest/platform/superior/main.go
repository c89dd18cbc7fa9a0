package superior

import (
	"context"
	"errors"
	"io"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// mainLink is a main link: dialled by the inferior, nobody's until its 0x1001 was accepted.
type mainLink struct {
	s       *Superior
	conn    *link.Conn
	worker0 worker
	done    bool // logged out, or refused: nothing is taken any more
	counted bool // among the pending ones of the Superior
	ended   chan struct{}
}

// worker returns the link's worker; nil for a nil link.
func (l *mainLink) worker() *worker {
	if l == nil {
		return nil
	}
	return &l.worker0
}

func (l *mainLink) address() string { return l.conn.RemoteAddr().String() }

// runMain reads a main link until it ends.
func (s *Superior) runMain(c *link.Conn) {
	l := &mainLink{s: s, conn: c, counted: true, ended: make(chan struct{}), worker0: worker{conn: c}}
	hurry := time.AfterFunc(s.cfg.LoginTimeout, func() {
		s.mu.Lock()
		late := l.counted
		s.mu.Unlock()
		if late {
			c.Close(reasonNoLogin)
		}
	})
	err := c.Run(s.ctx, l)
	hurry.Stop()
	l.settled()
	if p := l.worker0.p; p != nil {
		l.worker0.end()
		p.mainEnded(l, err)
	}
	close(l.ended)
}

// settled takes the link out of those that have not logged in.
func (l *mainLink) settled() {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.counted {
		l.counted = false
		l.s.pending--
	}
}

// Frame implements link.Handler.
func (l *mainLink) Frame(h *jt809.Header, body []byte) error {
	if l.done {
		return nil
	}
	if l.worker0.p == nil {
		if h.ID != jt809.IDLogin {
			return nil
		}
		err := l.takeLogin(h, body)
		l.settled()
		l.done = err != nil
		return err
	}
	switch h.ID {
	case jt809.IDLogin:
		return nil // it is logged in
	case jt809.IDHeartbeat:
		return l.worker0.answer(reply{id: jt809.IDHeartbeatReply, back: true})
	case jt809.IDLogout:
		return l.takeLogout(h, body)
	case jt809.IDInferiorCloses:
		l.worker0.p.closeBoth(reasonGoodbye)
		return nil
	}
	return l.worker0.take(h, body)
}

// Drained implements link.Handler.
func (l *mainLink) Drained() error {
	if l.worker0.p == nil {
		return nil
	}
	return l.worker0.drained()
}

// takeLogout takes 0x1003: answered when the log has everything, then both links are closed.
func (l *mainLink) takeLogout(h *jt809.Header, body []byte) error {
	w, p := &l.worker0, l.worker0.p
	var m jt809.Logout
	if jt809.Decode(body, h.Edition, &m) != nil || m.UserID != p.cfg.User || !p.knows(string(m.Password.Trimmed())) {
		w.metrics.Unknown()
		p.s.logger.Warn("a platform's logout has the wrong user or password; it is not followed", "peer", p.cfg.Name)
		return nil
	}
	l.done = true
	w.replies = append(w.replies, reply{id: jt809.IDLogoutReply, back: true})
	if err := w.reply(); err != nil {
		return err
	}
	p.mu.Lock()
	sub := p.sub
	if p.stopDial != nil {
		p.stopDial()
	}
	p.mu.Unlock()
	if sub != nil {
		sub.conn.Send(&jt809.Envelope{ID: jt809.IDSubLogout}, &jt809.SubLogout{VerifyCode: sub.code})
		sub.conn.Close(reasonLogout)
	}
	l.conn.Close(reasonLogout)
	return nil
}

// mainEnded is called when a main link that had logged in has ended.
func (p *peer) mainEnded(l *mainLink, err error) {
	reason := reasonOf(err)
	p.s.metrics.ended.WithLabelValues(p.cfg.Name, link.Main, reason).Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.main != l { // replaced
		return
	}
	now := p.s.now()
	p.main = nil
	p.mainLost = now
	p.setState(&p.mainState, platform.LinkDown, "", noteOf(err))
	p.mainState.LastRead, p.mainState.LastWrite = timeOf(l.conn.LastRead()), timeOf(l.conn.LastWrite())
	if p.sub == nil {
		p.cut(l.conn.LastRead())
		if p.stopDial != nil {
			p.stopDial() // who is not logged in is not dialled
		}
	}
	p.s.logger.Warn("a platform's main link has ended", "peer", p.cfg.Name, "reason", reason, "err", err)
}

// reasonOf is why a link ended, as the value of a label.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return reasonOther
	case errors.Is(err, link.ErrSlowReader):
		return reasonSlowReader
	case errors.Is(err, context.Canceled):
		return reasonShutdown
	case errors.Is(err, errLog):
		return "log"
	case errors.Is(err, link.ErrClosed):
		for _, r := range []string{reasonShutdown, reasonSilence, reasonReplaced, reasonSlowReader, reasonLogout, reasonAlone, reasonTold, reasonGoodbye} {
			if err.Error() == link.ErrClosed.Error()+": "+r {
				return r
			}
		}
	}
	return "error"
}

// noteOf is why a link ended, for people.
func noteOf(err error) string {
	if errors.Is(err, io.EOF) {
		return "the platform has closed it"
	}
	return err.Error()
}
