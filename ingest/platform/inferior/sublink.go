package inferior

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
)

// acceptLoop is the server of the sub links of all peers. They are told apart by their verify code.
func (i *Inferior) acceptLoop() {
	guests := make(chan struct{}, i.cfg.MaxSubLogins)
	for {
		nc, err := i.listener.Accept()
		if err != nil {
			if i.soft.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			i.log.Warn("a sub link could not be accepted", "err", err)
			if !pause(i.soft, 100*time.Millisecond) {
				return
			}
			continue
		}
		select {
		case guests <- struct{}{}:
		default:
			i.metrics.turnedAway.Inc()
			nc.Close()
			continue
		}
		i.subs.Go(func() { i.runSub(nc, func() { <-guests }) })
	}
}

// subLink is one connection to our server of sub links; the peer of its taker is nil until 0x9001.
type subLink struct {
	taker
	i       *Inferior
	conn    *link.Conn
	address string
	up      chan struct{} // closed by a good 0x9001
	guest   bool          // no good 0x9001 yet
}

func (i *Inferior) runSub(nc net.Conn, loggedIn func()) {
	from, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
	s := &subLink{i: i, address: nc.RemoteAddr().String(), up: make(chan struct{}), guest: true}
	s.conn = link.New(nc, link.Options{Name: "sub link of " + s.address, MaxFrame: i.cfg.MaxFrame, MaxQueue: i.cfg.MaxQueue,
		WriteTimeout: i.cfg.WriteTimeout, Now: i.now, Logger: i.log,
		CipherOf: func(centre uint32) jt809.Cipher { return i.cipherOf(centre, from.Addr().Unmap()) }})
	ctx, end := context.WithCancel(i.hard)
	defer end()
	watched := make(chan struct{})
	defer func() { end(); <-watched }()
	silent := false // read after watched
	go func() {
		defer close(watched)
		login := time.NewTimer(i.cfg.LoginTimeout)
		defer login.Stop()
		up := s.up
		var tick <-chan time.Time
		for {
			select {
			case <-up:
				loggedIn()
				t := time.NewTicker(i.cfg.Heartbeat)
				defer t.Stop()
				tick, up = t.C, nil
			case <-login.C:
				if up != nil {
					s.conn.Close("no login")
				}
			case <-tick:
				if i.now().Sub(s.conn.LastRead()) >= i.cfg.Silence {
					silent = true
					end()
				}
			case <-ctx.Done():
				if up != nil {
					loggedIn()
				}
				return
			}
		}
	}()
	err := s.conn.Run(ctx, s)
	if s.p == nil {
		return
	}
	end()
	<-watched
	why := err.Error()
	if silent {
		why = "nothing came from the superior for " + i.cfg.Silence.String()
	}
	s.p.subDown(s.conn, why)
	if i.soft.Err() == nil {
		s.p.log.Warn("the sub link ended", "why", why)
	}
}

// cipherOf finds the constants for an encrypted 0x9001: by the centre, which superiors may leave out, then by the address.
func (i *Inferior) cipherOf(centre uint32, from netip.Addr) jt809.Cipher {
	var byAddress *peer
	for _, p := range i.peers {
		if centre != 0 && p.cfg.AccessCode == centre {
			return p.cfg.cipher()
		}
		if a, err := netip.ParseAddrPort(p.cfg.Address); err == nil && a.Addr().Unmap() == from || len(i.peers) == 1 {
			byAddress = p
		}
	}
	if byAddress == nil {
		return jt809.Cipher{}
	}
	return byAddress.cfg.cipher()
}

// codesChanged tells who waits for a verify code.
func (i *Inferior) codesChanged() {
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.codes)
	i.codes = make(chan struct{})
}

// byCode finds the peer that gave us the code. The superior may dial the sub link before we have read the 0x1002 with
// the code: while a login is on its way, it is waited for.
func (i *Inferior) byCode(code, centre uint32) *peer {
	timeout := time.NewTimer(i.cfg.VerifyGrace)
	defer timeout.Stop()
	for {
		i.mu.Lock()
		changed := i.codes
		i.mu.Unlock()
		var found *peer
		waiting := false
		for _, p := range i.peers {
			p.mu.Lock()
			match := p.hasCode && p.code == code
			waiting = waiting || p.waiting
			p.mu.Unlock()
			if match && (found == nil || p.cfg.AccessCode == centre) {
				found = p
			}
		}
		if found != nil || !waiting {
			return found
		}
		select {
		case <-changed:
		case <-timeout.C:
			return nil
		case <-i.soft.Done():
			return nil
		}
	}
}

// Results of 0x9002.
const (
	subAccepted  = 0
	subWrongCode = 1
)

// Frame implements link.Handler.
func (s *subLink) Frame(h *jt809.Header, body []byte) error {
	if s.guest {
		if h.ID != jt809.IDSubLogin { // 7.2
			return nil
		}
		return s.login(h, body)
	}
	switch h.ID {
	case jt809.IDSubLogin: // renewed
		result := uint8(subAccepted)
		var m jt809.SubLogin
		if err := jt809.Decode(body, s.p.edition, &m); err != nil || s.i.byCode(m.VerifyCode, h.Centre) != s.p {
			result = subWrongCode
		}
		s.conn.Send(&jt809.Envelope{ID: jt809.IDSubLoginReply}, &jt809.SubLoginReply{Result: result})
		if result != subAccepted {
			s.conn.Close("wrong verify code")
		}
	case jt809.IDSubHeartbeat:
		s.conn.Send(&jt809.Envelope{ID: jt809.IDSubHeartbeatReply}, nil)
	case jt809.IDSubLogout:
		var m jt809.SubLogout
		if err := jt809.Decode(body, s.p.edition, &m); err != nil || s.i.byCode(m.VerifyCode, h.Centre) != s.p {
			s.p.log.Warn("a logout of the sub link with a wrong verify code was passed over")
			return nil
		}
		s.conn.Send(&jt809.Envelope{ID: jt809.IDSubLogoutReply}, nil)
		s.conn.Close("logged out by the superior")
	case jt809.IDHeartbeatReply:
		// Some superiors send it on both links; it proves nothing of what went over the main link.
	default:
		return s.take(h, body)
	}
	return nil
}

// Drained implements link.Handler.
func (s *subLink) Drained() error {
	if s.guest {
		return nil
	}
	return s.taker.Drained()
}

func (s *subLink) login(h *jt809.Header, body []byte) error {
	var m jt809.SubLogin
	var p *peer
	err := jt809.Decode(body, h.Edition, &m)
	if err == nil {
		p = s.i.byCode(m.VerifyCode, h.Centre)
	}
	if p == nil {
		s.i.metrics.wrongCodes.Inc()
		s.i.log.Warn("a sub link was refused: its verify code is none of a superior that we are logged in to", "address", s.address, "centre", h.Centre)
		s.conn.SetEdition(h.Edition)
		s.conn.Send(&jt809.Envelope{ID: jt809.IDSubLoginReply}, &jt809.SubLoginReply{Result: subWrongCode})
		s.conn.Close("wrong verify code")
		return nil
	}
	s.conn.Adopt(p.options(1))
	if _, err := s.conn.Send(&jt809.Envelope{ID: jt809.IDSubLoginReply}, &jt809.SubLoginReply{Result: subAccepted}); err != nil {
		return err
	}
	s.taker.init(p, 1)
	s.guest = false
	close(s.up)
	p.subUp(s.conn, s.address)
	p.log.Info("the sub link is up", "address", s.address)
	return nil
}
