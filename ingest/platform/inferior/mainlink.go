package inferior

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// refused is a login that the superior did not accept (0x1002).
type refused struct{ result uint8 }

// Results of 0x1002 from 1 on.
var loginRefusals = []string{1: "our address is not the one that it knows", 2: "wrong access code", 3: "the user is not registered", 4: "wrong password",
	5: "it has no resources, or we are connected already"}

func (r refused) Error() string {
	why := "for another reason"
	if int(r.result) < len(loginRefusals) {
		why = loginRefusals[r.result]
	}
	return fmt.Sprintf("the login was refused with result %d: %s", r.result, why)
}

// configuration reports whether somebody must change settings, here or there, before a login can succeed.
func (r refused) configuration() bool { return r.result >= 1 && r.result <= 4 }

const noteLogout = "logged out"

// dialLoop keeps the main link up until we are to stop.
func (p *peer) dialLoop() {
	backoff := p.i.cfg.BackoffMin
	for p.i.soft.Err() == nil {
		online, err := p.runMain()
		if p.i.soft.Err() != nil {
			return
		}
		wait := backoff
		backoff = min(2*backoff, p.i.cfg.BackoffMax)
		var r refused
		switch {
		case online:
			backoff = p.i.cfg.BackoffMin
			wait = backoff
		case errors.As(err, &r) && r.configuration():
			wait = p.i.cfg.RefusedBackoff
			p.log.Error("the superior platform refuses us; compare access_code, user, password and our address with it", "err", err, "again_in", wait)
		case errors.As(err, &r) && r.result == 5:
			wait = p.i.cfg.BusyBackoff
		}
		p.log.Warn("no main link", "err", err, "again_in", wait)
		if !pause(p.i.soft, wait) {
			return
		}
	}
}

// mainLink is one connection of the main link. It handles what the superior sends on it.
type mainLink struct {
	taker
	conn    *link.Conn
	address string
	login   uint64
	replies chan jt809.LoginReply // 0x1002
	logout  chan struct{}         // closed by 0x1004
	online  bool                  // the reader's: 0x1002 was good
	left    bool

	sending sync.Mutex // of 0x1005, so that beats are in the order of the queue
	mu      sync.Mutex
	beats   []beat
	count   uint64
	proved  chan struct{} // closed and made anew by each 0x1006
}

// beat is a 0x1005 that is not answered yet, and what its answer proves.
type beat struct {
	n     uint64 // counts them
	at    time.Time
	run   *run
	proof proof
}

// runMain dials, logs in and stays until the link ends. online says whether the login succeeded.
func (p *peer) runMain() (online bool, err error) {
	p.mu.Lock()
	p.setState(0, platform.LinkConnecting, p.states[0].Note)
	p.mu.Unlock()
	why := ""
	defer func() {
		if err != nil {
			why = err.Error()
		}
		p.mu.Lock()
		p.waiting = false
		if p.states[0].State != platform.LinkDown {
			p.setState(0, platform.LinkDown, why)
		}
		if !online && err != nil && p.i.soft.Err() == nil {
			p.failedAt, p.failedWhy = p.i.now().UnixMilli(), why
			p.metrics.failedLogins.Inc()
		}
		p.mu.Unlock()
		p.i.codesChanged()
	}()
	dial, cancel := context.WithTimeout(p.i.soft, p.i.cfg.LoginTimeout)
	nc, err := (&net.Dialer{}).DialContext(dial, "tcp", p.cfg.Address)
	cancel()
	if err != nil {
		return false, err
	}
	s := &mainLink{conn: link.New(nc, p.options(0)), address: nc.RemoteAddr().String(), replies: make(chan jt809.LoginReply, 1),
		logout: make(chan struct{}), proved: make(chan struct{})}
	s.taker.init(p, 0)
	p.mu.Lock()
	p.waiting = true
	p.setState(0, platform.LinkLogin, "")
	p.mu.Unlock()
	p.i.codesChanged()

	ctx, end := context.WithCancel(p.i.hard)
	defer end()
	done := make(chan error, 1)
	go func() { done <- s.conn.Run(ctx, s) }()

	m := &jt809.Login{UserID: p.cfg.User, Password: jt808.Text(p.password), CentreID: p.cfg.AccessCode}
	if a, err := netip.ParseAddrPort(p.cfg.SubAddress); err == nil && p.i.listener != nil {
		m.DownLinkIP, m.DownLinkPort = jt808.Text(a.Addr().String()), a.Port()
	}
	if _, err := s.conn.Send(&jt809.Envelope{ID: jt809.IDLogin}, m); err != nil {
		end()
		<-done
		return false, err
	}
	timeout := time.NewTimer(p.i.cfg.LoginTimeout)
	defer timeout.Stop()
	var reply jt809.LoginReply
	select {
	case reply = <-s.replies:
	case err = <-done:
		select { // it may have answered and hung up
		case reply = <-s.replies:
			done <- err
			err = nil
		default:
			return false, fmt.Errorf("the superior ended the connection before it answered the login: %w", err)
		}
	case <-timeout.C:
		err = fmt.Errorf("the login was not answered within %v", p.i.cfg.LoginTimeout)
	case <-p.i.soft.Done():
		err = p.i.soft.Err()
	}
	if err == nil && reply.Result != 0 {
		err = refused{reply.Result}
	}
	if err != nil {
		end()
		<-done
		return false, err
	}
	p.mainUp(s, reply.VerifyCode)
	p.mu.Lock()
	p.waiting = false
	p.mu.Unlock()
	p.i.codesChanged()
	p.log.Info("logged in to the superior platform", "address", s.address)
	s.announce()
	err = s.stay(end, done)
	why = "the connection ended"
	if err != nil {
		why = err.Error()
	}
	p.mainDown(s, why)
	return true, err
}

// stay keeps the link alive until it ends or we are to stop.
func (s *mainLink) stay(end func(), done <-chan error) error {
	tick := time.NewTicker(s.p.i.cfg.Heartbeat)
	defer tick.Stop()
	count := time.NewTicker(s.p.i.cfg.CountInterval)
	defer count.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			now := s.p.i.now()
			if silent := now.Sub(s.conn.LastRead()); silent >= s.p.i.cfg.Silence {
				end()
				<-done
				return fmt.Errorf("nothing came from the superior for %v", silent.Round(time.Second))
			}
			if at := s.oldestBeat(); !at.IsZero() && now.Sub(at) >= s.p.i.cfg.Silence {
				end()
				<-done
				return fmt.Errorf("the superior did not answer a heartbeat for %v, so nothing that was sent can be proven", now.Sub(at).Round(time.Second))
			}
			s.beat(s.conn.Send)
		case <-count.C:
			s.p.i.rest.Go(s.p.sendCount) // it may wait for room
		case <-s.p.i.soft.Done():
			s.p.waitForwarded()
			s.leave(done)
			return errors.New(noteLogout)
		}
	}
}

// leave proves what was sent, logs out, and closes the link.
func (s *mainLink) leave(done <-chan error) {
	timeout := time.NewTimer(s.p.i.cfg.LogoutTimeout)
	defer timeout.Stop()
	s.beat(s.conn.Send)
	for ok := true; ok && !s.oldestBeat().IsZero(); {
		s.mu.Lock()
		proved, open := s.proved, len(s.beats) > 0
		s.mu.Unlock()
		if !open {
			break
		}
		select {
		case <-proved:
		case <-done:
			return
		case <-timeout.C:
			ok = false
		case <-s.p.i.hard.Done():
			ok = false
		}
	}
	timeout.Reset(s.p.i.cfg.LogoutTimeout)
	if _, err := s.conn.Send(&jt809.Envelope{ID: jt809.IDLogout}, &jt809.Logout{UserID: s.p.cfg.User, Password: jt808.Text(s.p.password)}); err == nil {
		select {
		case <-s.logout:
		case <-done:
			return
		case <-timeout.C:
		case <-s.p.i.hard.Done():
		}
	}
	s.conn.Close("logout")
	<-done
}

// beat sends 0x1005. Its answer proves what the run that uses this link has sent before. send says whether room in the queue is
// waited for; who only keeps the link alive need not: what fills the queue does so as well.
func (s *mainLink) beat(send func(*jt809.Envelope, jt809.Body) (uint32, error)) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	b := beat{at: s.p.i.now()}
	if r := s.p.runOf(s.conn); r != nil {
		b.run, b.proof = r, r.snapshot()
	}
	// Noted before it is sent, because the answer may be quick.
	s.mu.Lock()
	s.count++
	b.n = s.count
	s.beats = append(s.beats, b)
	s.mu.Unlock()
	_, err := send(&jt809.Envelope{ID: jt809.IDHeartbeat}, nil)
	if err != nil {
		s.mu.Lock()
		s.beats = slices.DeleteFunc(s.beats, func(o beat) bool { return o.n == b.n })
		s.mu.Unlock()
		if b.run != nil {
			b.run.unsend(&b.proof)
		}
	}
	return err
}

func (s *mainLink) oldestBeat() (at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.beats) > 0 {
		at = s.beats[0].at
	}
	return at
}

// beaten takes 0x1006. Answers come in the order of the questions.
func (s *mainLink) beaten() {
	s.mu.Lock()
	if len(s.beats) == 0 { // nobody asked
		s.mu.Unlock()
		return
	}
	b := s.beats[0]
	s.beats = append(s.beats[:0], s.beats[1:]...)
	close(s.proved)
	s.proved = make(chan struct{})
	s.mu.Unlock()
	if b.run != nil {
		b.run.prove(&b.proof)
	}
}

// Frame implements link.Handler.
func (s *mainLink) Frame(h *jt809.Header, body []byte) error {
	if !s.online {
		if h.ID != jt809.IDLoginReply { // 7.2
			return nil
		}
		var m jt809.LoginReply
		if err := jt809.Decode(body, s.p.edition, &m); err != nil {
			return fmt.Errorf("the answer to the login can't be read: %w", err)
		}
		s.online = m.Result == 0
		select {
		case s.replies <- m:
		default:
		}
		return nil
	}
	switch h.ID {
	case jt809.IDHeartbeatReply:
		s.beaten()
	case jt809.IDLoginReply:
	case jt809.IDLogoutReply:
		if !s.left {
			s.left = true
			close(s.logout)
		}
	case jt809.IDSubBroken:
		s.p.log.Warn("the superior has lost the sub link, or can't reach it; see sub_address", "body", s.describe(h, body))
	case jt809.IDSuperiorCloses:
		s.p.log.Warn("the superior closes both links", "body", s.describe(h, body))
		s.p.mu.Lock()
		sub := s.p.sub
		s.p.mu.Unlock()
		if sub != nil {
			sub.Close("closed by the superior")
		}
		s.conn.Close("closed by the superior")
	default:
		return s.take(h, body)
	}
	return nil
}
