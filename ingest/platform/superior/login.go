package superior

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// login is what a login comes to: a peer, or the result of 0x1002 and why.
type login struct {
	peer   *peer
	result uint8
	why    string
}

// check examines a login in the order of the standard (4.5.3.1): address, access code, user, password, connected already.
func (s *Superior) check(address netip.Addr, h *jt809.Header, m *jt809.Login) login {
	centre := h.Centre
	if centre == 0 {
		centre = m.CentreID // headers with 0 are seen
	}
	p := s.byCentre[centre]
	switch {
	case p == nil && !s.allowed(address), p != nil && !p.allows(address):
		return login{p, jt809.LoginBadAddress, fmt.Sprintf("address %v is not among those of the settings", address)}
	case p == nil:
		return login{nil, jt809.LoginBadCentre, fmt.Sprintf("access code %d is nobody's", centre)}
	case m.CentreID != 0 && m.CentreID != centre:
		return login{p, jt809.LoginBadCentre, fmt.Sprintf("access code %d in the header, %d in the body", centre, m.CentreID)}
	case m.UserID != p.cfg.User:
		return login{p, jt809.LoginBadUser, fmt.Sprintf("user %d, another is set", m.UserID)}
	case !p.knows(string(m.Password.Trimmed())):
		return login{p, jt809.LoginBadPassword, "wrong password"}
	}
	return login{peer: p}
}

// allowed reports whether any peer may log in from the address.
func (s *Superior) allowed(address netip.Addr) bool {
	for _, p := range s.peers {
		if p.allows(address) {
			return true
		}
	}
	return false
}

func (p *peer) allows(address netip.Addr) bool {
	if len(p.prefixes) == 0 {
		return true
	}
	for _, n := range p.prefixes {
		if n.Contains(address) {
			return true
		}
	}
	return false
}

func (p *peer) knows(password string) bool {
	return subtle.ConstantTimeCompare([]byte(password), []byte(p.password)) == 1
}

// otherOf is the result "other" of an edition.
func otherOf(ed jt809.Edition) uint8 {
	if ed == jt809.Edition2019 {
		return jt809.LoginOther2019
	}
	return jt809.LoginOther
}

var errRefused = errors.New("login refused")

// takeLogin takes 0x1001, the first message of a main link.
func (l *mainLink) takeLogin(h *jt809.Header, body []byte) error {
	s := l.s
	var m jt809.Login
	result := login{result: otherOf(h.Edition), why: "the message can't be read"}
	if err := jt809.Decode(body, h.Edition, &m); err == nil {
		result = s.check(l.conn.RemoteAddr(), h, &m)
	} else {
		result.peer = s.byCentre[h.Centre]
	}
	l.conn.SetEdition(h.Edition)
	if p := result.peer; p != nil {
		o := p.options(p.mainLink)
		if o.Edition == jt809.EditionAuto || p.cfg.edition() == jt809.EditionAuto {
			o.Edition = h.Edition
			if p.ed() == jt809.Edition2013 && h.Edition == jt809.Edition2011 { // known from an earlier login
				o.Edition = jt809.Edition2013
			}
		}
		l.conn.Adopt(o)
		if result.result == jt809.LoginOK {
			if why := p.enter(l, o.Edition, &m); why != "" {
				result.result, result.why = jt809.LoginBusy, why
			}
		}
	}
	s.loggedIn(l, &result)
	if result.result != jt809.LoginOK {
		if result.result != jt809.LoginBusy { // who guesses passwords is to wait
			t := time.NewTimer(s.cfg.RefusedDelay)
			select {
			case <-t.C:
			case <-s.closing.Done():
			}
			t.Stop()
		}
		l.conn.Send(&jt809.Envelope{ID: jt809.IDLoginReply}, &jt809.LoginReply{Result: result.result})
		l.conn.Close(reasonRefused)
		return errRefused
	}
	return nil
}

// loggedIn counts and logs what a login has come to.
func (s *Superior) loggedIn(l *mainLink, r *login) {
	name := ""
	if r.peer != nil {
		name = r.peer.cfg.Name
	}
	text, ok := loginResults[r.result]
	if !ok {
		text = "other"
	}
	s.metrics.logins.WithLabelValues(name, text).Inc()
	if r.result == jt809.LoginOK {
		return
	}
	s.logger.Warn("a platform's login was refused", "peer", name, "address", l.conn.RemoteAddr(), "result", r.result, "why", r.why)
	if p := r.peer; p != nil {
		p.mu.Lock()
		p.lastFailed, p.failedWhy = s.now(), r.why
		p.mu.Unlock()
	}
}

// enter is online, which it tries again when the link that is in the way ends within replace_grace: a platform that lost its
// link may be back before we have handled what it sent last and seen the end.
func (p *peer) enter(l *mainLink, ed jt809.Edition, m *jt809.Login) (why string) {
	grace := time.NewTimer(p.s.cfg.ReplaceGrace)
	defer grace.Stop()
	for {
		old, why := p.online(l, ed, m)
		if old == nil {
			return why
		}
		select {
		case <-old.ended:
		case <-grace.C:
			return why
		case <-p.s.closing.Done():
			return why
		}
	}
}

// online makes a main link that of the peer, answers 0x1002 and begins to dial the sub link. It returns why not, and the link
// that is in the way, where the peer is online and alive.
func (p *peer) online(l *mainLink, ed jt809.Edition, m *jt809.Login) (inTheWay *mainLink, why string) {
	s := p.s
	now := s.now()
	p.mu.Lock()
	old := p.main
	switch {
	case p.left:
		p.mu.Unlock()
		return nil, "this platform is being shut down"
	case old != nil && !old.conn.Ending() && now.Sub(old.conn.LastRead()) < s.cfg.ReplaceAfter:
		p.mu.Unlock()
		return old, "it is logged in already, and that link is alive"
	}
	p.edition = ed
	p.verify = newCode()
	p.main = l
	p.lastLogin = now
	p.mainLost = time.Time{}
	p.setState(&p.mainState, platform.LinkUp, l.address(), "")
	p.subAddress = p.subTarget(m, l.conn.RemoteAddr())
	first := p.outages.over(now)
	code, target := p.verify, p.subAddress
	if p.stopDial != nil {
		p.stopDial()
	}
	ctx, stop := s.dialContext()
	p.stopDial = stop
	p.mu.Unlock()

	l.worker0.p, l.worker0.metrics = p, p.mainLink
	if old != nil {
		old.conn.Close(reasonReplaced)
	}
	l.conn.Send(&jt809.Envelope{ID: jt809.IDLoginReply}, &jt809.LoginReply{Result: jt809.LoginOK, VerifyCode: code})
	s.logger.Info("a platform has logged in", "peer", p.cfg.Name, "address", l.address(), "edition", ed, "sub_link", target, "outage", first)
	if target == "" {
		p.mu.Lock()
		p.setState(&p.subState, platform.LinkOff, "", "")
		p.mu.Unlock()
		p.tellSerials()
	} else {
		s.running.Go(func() { p.dial(ctx, target, code) })
	}
	s.running.Go(p.sendStored)
	return nil, ""
}

// subTarget is where the sub link is dialled; empty: nowhere.
func (p *peer) subTarget(m *jt809.Login, remote netip.Addr) string {
	switch p.cfg.SubLink.Dial {
	case DialNever:
		return ""
	case DialAsTold:
		host := m.DownLinkIP.String()
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = remote.String()
		}
		if m.DownLinkPort == 0 {
			return ""
		}
		return net.JoinHostPort(host, strconv.Itoa(int(m.DownLinkPort)))
	}
	return p.cfg.SubLink.Dial
}

// newCode makes a verify_code, which nobody can guess; never 0.
func newCode() uint32 {
	for {
		var b [4]byte
		rand.Read(b[:]) // never fails
		if n := binary.BigEndian.Uint32(b[:]); n != 0 {
			return n
		}
	}
}
