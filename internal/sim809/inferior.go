package sim809

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/internal/sim"
)

// runInferior lets the platforms report until all is done.
func (s *Sim) runInferior(ctx context.Context) (Report, error) {
	drive, ctx := s.fleet.Open(ctx)
	inner, stop := context.WithCancel(ctx)
	var err error
	var platforms sync.WaitGroup
	for i := range s.cfg.Platforms {
		p := s.newPlatform(drive, i)
		if err = p.listen(ctx); err != nil {
			break
		}
		platforms.Go(func() { p.run(inner) })
	}
	if err != nil {
		stop()
	}
	platforms.Wait()
	stop()
	s.work.Wait()
	fleet, failed := drive.Close()
	r := s.report()
	r.Fleet = fleet
	return r, errors.Join(err, failed)
}

// platform is an operators' platform.
type platform struct {
	s       *Sim
	drive   *sim.Drive
	feed    *sim.Feed
	centre  uint32
	user    uint32
	id      string // platform id: administrative code and number
	members map[ingest.Vehicle]*sim.Member
	byIndex map[int]*sim.Member
	serials *serials
	ln      net.Listener
	signal  chan struct{} // something has changed that the pump waits for
	left    chan struct{} // 0x1004 came

	mu      sync.Mutex
	changed *sync.Cond // verify or joining
	main    *wire
	sub     *wire
	login   uint64 // counts main links that stood
	joining bool   // 0x1001 is on its way
	verify  uint32
	over    bool // everything is done
	got     *received

	// waiting is what was sent, or stored, and is not proven to have arrived; in the order of the fleet. base is how many came before.
	waiting []said
	base    uint64
	asked   *wire // heartbeat without an answer, and what it will prove
	askedAt time.Time
	proves  uint64

	// Of the pump alone.
	registered map[int]bool
	newest     map[int]int64 // time of each vehicle's newest position, Unix ms
	total      uint32        // positions that were sent, and since when
	since      jt809.Seconds
	sinceLast  int // positions since the last alarm
	alarms     uint32
	lastLogin  jt809.Seconds
}

// said is an item on its way.
type said struct {
	item   *sim.Item
	sub    jt809.MessageID
	serial uint32 // of its last message
}

func (s *Sim) newPlatform(drive *sim.Drive, i int) *platform {
	p := &platform{s: s, drive: drive, feed: drive.Share(i, s.cfg.Platforms), centre: s.cfg.AccessCode + uint32(i), user: s.cfg.User + uint32(i),
		id: fmt.Sprintf("140598%05d", i+1), members: map[ingest.Vehicle]*sim.Member{}, byIndex: map[int]*sim.Member{}, serials: newSerials(s.edition),
		got: newReceived(s.edition), signal: make(chan struct{}, 1), left: make(chan struct{}, 1), registered: map[int]bool{}, newest: map[int]int64{}, since: now()}
	p.changed = sync.NewCond(&p.mu)
	all := p.feed.Members()
	for k := range all {
		p.members[all[k].Vehicle], p.byIndex[all[k].Index] = &all[k], &all[k]
	}
	return p
}

// listen opens the door for the sub link.
func (p *platform) listen(ctx context.Context) error {
	host, port, err := net.SplitHostPort(p.s.cfg.SubListen)
	if err != nil {
		return fmt.Errorf("sim809: sub_listen: %w", err)
	}
	n, _ := strconv.Atoi(port)
	if n != 0 {
		n += int(p.centre - p.s.cfg.AccessCode)
	}
	var lc net.ListenConfig
	if p.ln, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(n))); err != nil {
		return fmt.Errorf("sim809: sub_listen: %w", err)
	}
	if p.s.cfg.OnListen != nil {
		p.s.cfg.OnListen(p.ln.Addr())
	}
	return nil
}

// run reports what the vehicles say until all of it is proven to have arrived, or ctx ends.
func (p *platform) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	var jobs sync.WaitGroup
	jobs.Go(func() { p.acceptSubs(ctx) })
	jobs.Go(func() { p.keepMain(ctx) })
	p.pump(ctx)
	p.leave(ctx)
	stop()
	p.ln.Close()
	jobs.Wait()
}

// leave says goodbye (7.4), if it can, and ends.
func (p *platform) leave(ctx context.Context) {
	p.mu.Lock()
	p.over = true
	main := p.main
	p.mu.Unlock()
	if main == nil || ctx.Err() != nil {
		return
	}
	if main.say(jt809.IDLogout, &jt809.Logout{UserID: p.user, Password: jt808.Text(p.s.cfg.Password)}) != nil {
		return
	}
	t := time.NewTimer(p.s.cfg.AckTimeout)
	defer t.Stop()
	select {
	case <-p.left:
	case <-main.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

func (p *platform) ring() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// errRefused is a login that was answered by a result other than 0.
var errRefused = errors.New("login refused")

// keepMain dials the superior and reads the main link, again and again.
func (p *platform) keepMain(ctx context.Context) {
	wait := p.s.cfg.BackoffMin
	for ctx.Err() == nil {
		if p.s.chaos.strikes(FaultWrongPassword) {
			p.intrude(ctx)
		}
		linked, err := p.session(ctx)
		p.mu.Lock()
		over := p.over
		p.mu.Unlock()
		if over || ctx.Err() != nil {
			return
		}
		if linked {
			p.s.n.breaks.Add(1)
			wait = p.s.cfg.BackoffMin
		}
		p.s.log.Info("the main link ended and will be dialled again", "centre", p.centre, "err", err)
		if !sleep(ctx, wait/2+time.Duration(p.s.chaos.below(int(wait)))) {
			return
		}
		wait = min(2*wait, p.s.cfg.BackoffMax)
	}
}

// dial opens a main link and sends the login with the password.
func (p *platform) dial(ctx context.Context, password string, serials *serials) (*wire, error) {
	dialer := net.Dialer{Timeout: p.s.cfg.AckTimeout}
	nc, err := dialer.DialContext(ctx, "tcp", p.s.cfg.Gateway)
	if err != nil {
		return nil, err
	}
	w := p.s.newWire(nc, p.centre, serials)
	here := p.ln.Addr().(*net.TCPAddr)
	ip := here.IP
	if ip.IsUnspecified() {
		ip = nc.LocalAddr().(*net.TCPAddr).IP
	}
	return w, w.say(jt809.IDLogin, &jt809.Login{UserID: p.user, Password: jt808.Text(password), CentreID: p.centre,
		DownLinkIP: jt808.Text(ip.String()), DownLinkPort: uint16(here.Port)})
}

// intrude tries to log in with another password.
func (p *platform) intrude(ctx context.Context) {
	wrong := []byte(p.s.cfg.Password)
	wrong[len(wrong)-1] ^= 1
	w, err := p.dial(ctx, string(wrong), newSerials(p.s.edition))
	if err != nil {
		if w != nil {
			w.close()
		}
		return
	}
	defer time.AfterFunc(p.s.cfg.AckTimeout, w.close).Stop()
	w.read(ctx, func(f *frame) error {
		var m jt809.LoginReply
		if f.sub() != jt809.IDLoginReply || f.decode(&m) != nil {
			return nil
		}
		if m.Result == 0 {
			p.s.n.letIn.Add(1)
			p.s.log.Error("a login with a wrong password was accepted", "centre", p.centre)
		} else {
			p.s.n.refused.Add(1)
		}
		return errRefused
	})
}

// session is one main link; linked says that it stood.
func (p *platform) session(ctx context.Context) (linked bool, err error) {
	p.mu.Lock()
	p.joining = true
	p.mu.Unlock()
	joined := func() {
		p.mu.Lock()
		p.joining = false
		p.changed.Broadcast()
		p.mu.Unlock()
	}
	w, err := p.dial(ctx, p.s.cfg.Password, p.serials)
	if err != nil {
		joined()
		if w != nil {
			w.close()
		}
		return false, err
	}
	mute := p.s.chaos.strikes(FaultNoHeartbeat)
	late := time.AfterFunc(p.s.cfg.AckTimeout, w.close)
	defer late.Stop()
	err = w.read(ctx, func(f *frame) error {
		if linked {
			p.take(f)
			return nil
		}
		var m jt809.LoginReply
		if f.sub() != jt809.IDLoginReply || f.decode(&m) != nil {
			return nil
		}
		if m.Result != 0 {
			p.s.n.refused.Add(1)
			return fmt.Errorf("%w: result %d", errRefused, m.Result)
		}
		linked = true
		late.Stop()
		p.s.n.logins.Add(1)
		p.mu.Lock()
		p.verify, p.joining = m.VerifyCode, false
		if !mute {
			p.main = w
			p.login++
		}
		p.changed.Broadcast()
		p.mu.Unlock()
		p.ring()
		return nil
	})
	if !linked {
		joined()
	}
	p.mu.Lock()
	if p.main == w {
		p.main = nil
	}
	if p.asked == w {
		p.asked = nil
	}
	sub, over := p.sub, p.over
	p.mu.Unlock()
	p.ring()
	if linked && sub != nil && !over && ctx.Err() == nil {
		sub.say(jt809.IDMainBroken, &jt809.MainBroken{})
	}
	return linked, err
}

// acceptSubs takes the connections that the superior dials back.
func (p *platform) acceptSubs(ctx context.Context) {
	defer context.AfterFunc(ctx, func() { p.ln.Close() })()
	var subs sync.WaitGroup
	defer subs.Wait()
	for {
		nc, err := p.ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			p.s.log.Warn("a sub link could not be accepted", "err", err)
			if !sleep(ctx, p.s.cfg.BackoffMin) {
				return
			}
			continue
		}
		subs.Go(func() { p.serveSub(ctx, nc) })
	}
}

// serveSub is one sub link.
func (p *platform) serveSub(ctx context.Context, nc net.Conn) {
	w := p.s.newWire(nc, p.centre, p.serials)
	late := time.AfterFunc(p.s.cfg.AckTimeout, w.close)
	defer late.Stop()
	up := false
	err := w.read(ctx, func(f *frame) error {
		if up {
			p.take(f)
			return nil
		}
		var m jt809.SubLogin
		if f.sub() != jt809.IDSubLogin || f.decode(&m) != nil {
			return nil
		}
		late.Stop()
		if !p.proven(m.VerifyCode) || p.s.chaos.strikes(FaultWrongVerify) {
			p.s.n.refused.Add(1)
			w.say(jt809.IDSubLoginReply, &jt809.SubLoginReply{Result: 1})
			w.finish()
			return nil
		}
		up = true
		p.s.n.subLinks.Add(1)
		w.say(jt809.IDSubLoginReply, &jt809.SubLoginReply{})
		p.mu.Lock()
		old := p.sub
		p.sub = w
		p.mu.Unlock()
		if old != nil {
			old.close()
		}
		p.tellSerials()
		p.ring()
		return nil
	})
	p.mu.Lock()
	broke := p.sub == w
	if broke {
		p.sub = nil
	}
	over := p.over
	p.mu.Unlock()
	p.ring()
	if broke && !over && ctx.Err() == nil {
		p.s.n.subBreaks.Add(1)
		p.s.log.Info("the sub link ended", "centre", p.centre, "err", err)
	}
}

// proven compares a verify code with that of the last login. The superior may dial before its answer to the login has been read: then
// it is waited for.
func (p *platform) proven(code uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for code != p.verify && p.joining {
		p.changed.Wait()
	}
	return code == p.verify && p.login > 0
}

// tellSerials reports which serials came before the break (2019).
func (p *platform) tellSerials() {
	if p.s.edition != jt809.Edition2019 {
		return
	}
	p.mu.Lock()
	m, link := p.got.notice(now()), p.data()
	p.mu.Unlock()
	if link != nil && len(m.Items) > 0 {
		link.send(&jt809.Envelope{ID: jt809.IDSerialNoticeUp, Sub: jt809.IDSerialNoticeUp}, m, plainly)
	}
}

// data is the link that data go up on: main, or sub while there is no main (7.5). With mu held.
func (p *platform) data() *wire {
	if p.main != nil {
		return p.main
	}
	return p.sub
}
