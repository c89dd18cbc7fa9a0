package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"lushao/ingest/jt808"
)

// terminal is the terminal of one vehicle. It lives in one goroutine, which waits for three things at once by the deadline of its read:
// for answers, for the next message to be due, for a time to run out.
type terminal struct {
	s     *Sim
	v     *vehicle
	track *track
	phone jt808.Phone
	auth  jt808.Text // what the platform gave at registration; empty: not registered
	rng   *rand.Rand // of waits only: what is driven must not depend on it

	serial  uint16
	waiting []message // sent and not acknowledged, or to be sent again, in the order of the track
	head    *item     // taken from the track and not yet due
	over    bool      // the track has ended

	chaos   *chaos   // when it misbehaves; nil: never
	relay   *relay   // that it speaks over; nil: a connection of its own
	cuts    []int    // places in out before which to pause
	gap     gap      // a sub-package that was left out
	twin    net.Conn // another connection with its phone
	moment  int64    // of the storm that it knows of
	holding bool     // a message is held back
	fresh   int      // messages that were sent for the first time and for which the connection is yet to suffer
	barged  bool     // it reported before it authenticated

	ended   <-chan struct{}
	conn    net.Conn
	framer  jt808.Framer
	in      []byte // read and not yet consumed
	out     []byte
	body    []byte
	skipped uint64 // bytes of garbage at the last good frame
}

// message is an item on its way.
type message struct {
	item   item
	serial uint16
	id     jt808.MessageID
	sentAt time.Time
	state  messageState
	again  bool // it was sent before
}

type messageState uint8

const (
	toSend messageState = iota
	inFlight
	answered
	heldBack // until the next message was sent
)

// maxGarbage is how many bytes a platform may send that are in no frame before the terminal tries another connection.
const maxGarbage = 64 << 10

// imei is what 2019 wants beside the code of authentication; the phone's digits follow it.
const imei = "8612"

func newTerminal(s *Sim, v *vehicle) *terminal {
	t := &terminal{s: s, v: v, track: newTrack(s.world, v, &s.cfg), rng: rand.New(rand.NewPCG(s.cfg.Seed, ^uint64(v.index)))}
	t.phone, _ = jt808.ParsePhone(v.Phone, v.edition) // 11 digits always fit
	return t
}

// run works until everything is acknowledged or ctx ends.
func (t *terminal) run(ctx context.Context) {
	if t.s.cfg.Gateway == "" {
		t.drain(ctx)
		return
	}
	defer t.closeTwin()
	wait := t.s.cfg.BackoffMin
	for ctx.Err() == nil {
		linked, err := t.session(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		t.s.n.breaks.Add(1)
		if errors.Is(err, errStorm) {
			continue // at once, as all the others
		}
		t.s.warn("a terminal lost its connection and will connect again", "plate", t.v.plate, "err", err)
		if linked {
			wait = t.s.cfg.BackoffMin
		}
		timer := time.NewTimer(wait/2 + time.Duration(t.rng.Int64N(int64(wait))))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		wait = min(2*wait, t.s.cfg.BackoffMax)
	}
}

// drain lets a vehicle drive whose terminal has no gateway: only its weigh records go out.
func (t *terminal) drain(ctx context.Context) {
	for ctx.Err() == nil && t.peek() {
		if wait := time.Until(t.s.due(t.head)); wait > 0 {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
		it := *t.head
		t.head = nil
		t.s.sent(&it, t.v)
		if it.kind == itemWeighing {
			t.s.post(ctx, it, t.v)
			continue
		}
		t.s.acked(&it, t.v)
	}
}

// peek makes sure that head is the next item; false at the end of the track.
func (t *terminal) peek() bool {
	if t.head == nil && !t.over {
		if it, ok := t.track.next(); ok {
			t.head = &it
		} else {
			t.over = true
		}
	}
	return t.head != nil
}

// session is one connection. linked says that the terminal was authenticated; a nil error that there is nothing left to do.
func (t *terminal) session(ctx context.Context) (linked bool, err error) {
	var conn net.Conn
	if t.relay != nil {
		conn, err = t.relay.dial(ctx, t.phone.Canonical())
	} else {
		conn, err = t.s.dial(ctx)
	}
	if err != nil {
		return false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })() // a read or write that hangs ends with it
	t.attach(ctx, conn)
	t.barge()
	if err := t.login(); err != nil {
		return false, err
	}
	t.closeTwin()
	t.barged = false
	t.s.n.linked.Add(1)
	defer t.s.n.linked.Add(-1)
	return true, t.work(ctx)
}

// attach begins to work on a connection.
func (t *terminal) attach(ctx context.Context, conn net.Conn) {
	t.ended, t.conn, t.framer, t.skipped = ctx.Done(), conn, jt808.Framer{}, 0
	if t.in == nil {
		t.in = make([]byte, 0, 2<<10+jt808.MaxFrameSize)
	}
	t.in, t.out, t.cuts = t.in[:0], t.out[:0], t.cuts[:0]
}

// dial opens a connection to the gateway.
func (s *Sim) dial(ctx context.Context) (net.Conn, error) {
	select {
	case s.dials <- struct{}{}: // so that a fleet does not knock all at once
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.dials }()
	dialer := net.Dialer{Timeout: s.cfg.AckTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", s.cfg.Gateway)
	if err == nil {
		s.n.connections.Add(1)
	}
	return conn, err
}

// login authenticates, and registers before where there is no code, or where it is refused.
func (t *terminal) login() error {
	for range 2 {
		if t.auth == "" {
			if err := t.register(); err != nil {
				return err
			}
		}
		m := jt808.Authenticate{AuthCode: t.auth, IMEI: jt808.Text(imei + t.v.Phone), Software: "LS-1.0"}
		serial := t.put(jt808.IDAuthenticate, jt808.AppendBody(nil, t.v.edition, &m))
		var ack jt808.Ack
		err := t.ask(func(h *jt808.Header, body []byte) (bool, error) {
			if h.ID != jt808.IDPlatformAck || jt808.Decode(body, t.v.edition, &ack) != nil || ack.ID != jt808.IDAuthenticate {
				return false, nil
			}
			return ack.Serial == serial, nil
		})
		if err != nil {
			return fmt.Errorf("authentication: %w", err)
		}
		if ack.Result == jt808.ResultOK {
			return nil
		}
		t.auth = ""
	}
	return errors.New("authentication: the code just given was refused")
}

func (t *terminal) register() error {
	m := jt808.Register{Province: 14, City: 598, Maker: "LUSHA", Model: "LS-808", TerminalID: jt808.Text(fmt.Sprintf("T%06d", t.v.index)),
		Color: t.v.color, Plate: jt808.GBK(t.v.plate)}
	serial := t.put(jt808.IDRegister, jt808.AppendBody(nil, t.v.edition, &m))
	var reply jt808.RegisterReply
	err := t.ask(func(h *jt808.Header, body []byte) (bool, error) {
		if h.ID != jt808.IDRegisterReply {
			return false, nil
		}
		err := jt808.Decode(body, t.v.edition, &reply)
		return err == nil && reply.Serial == serial, err
	})
	if err != nil {
		return fmt.Errorf("registration: %w", err)
	}
	if reply.Result != jt808.RegisterOK || reply.AuthCode == "" {
		return fmt.Errorf("registration: result %d for phone %s; the platform's register must have the fleet", reply.Result, t.v.Phone)
	}
	t.auth = reply.AuthCode
	t.s.n.registered.Add(1)
	return nil
}

// ask sends what is in out and reads until done says that a frame is the answer.
func (t *terminal) ask(done func(h *jt808.Header, body []byte) (bool, error)) error {
	deadline := time.Now().Add(t.s.cfg.AckTimeout)
	for {
		if err := t.flush(); err != nil {
			return err
		}
		found := false
		err := t.read(deadline, func(h *jt808.Header, body []byte) error {
			ok, err := done(h, body)
			if found = found || ok; !ok && err == nil {
				t.obey(h, body)
			}
			return err
		})
		if found || err != nil {
			return err
		}
	}
}

// work sends what is due and takes answers, until the track is over and acknowledged.
func (t *terminal) work(ctx context.Context) error {
	// What was answered before what stands in front of it is done.
	t.waiting = slices.DeleteFunc(t.waiting, func(m message) bool { return m.state == answered })
	for i := range t.waiting {
		t.waiting[i].state, t.waiting[i].again = toSend, true
	}
	t.holding, t.fresh = false, 0
	lastSent := time.Now()
	beating := time.Time{} // when the heartbeat was sent that is not answered yet
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := time.Now()
		wake := now.Add(t.s.cfg.AckTimeout)
		t.resend(now)
		for len(t.waiting) < t.s.cfg.Window && t.peek() {
			due := t.s.due(t.head)
			if due.After(now) {
				wake = earlier(wake, due)
				break
			}
			if t.storm(t.head.at) {
				return errStorm
			}
			it := *t.head
			t.head = nil
			t.s.sent(&it, t.v)
			if it.kind == itemWeighing {
				t.s.post(ctx, it, t.v)
				continue
			}
			t.waiting = append(t.waiting, message{item: it})
			if m := &t.waiting[len(t.waiting)-1]; !t.hold(m) {
				t.transmit(m, now)
				t.release(now)
			}
		}
		if t.over {
			t.release(now)
		}
		if t.over && len(t.waiting) == 0 {
			return nil
		}
		if len(t.out) > 0 {
			lastSent = now
		} else if beat := lastSent.Add(t.s.cfg.Heartbeat); !beat.After(now) {
			t.put(jt808.IDHeartbeat, nil)
			lastSent = now
			if beating.IsZero() {
				beating = now
			}
		} else {
			wake = earlier(wake, beat)
		}
		if err := t.flush(); err != nil {
			return err
		}
		if err := t.act(ctx); err != nil {
			return err
		}
		oldest := beating
		for i := range t.waiting {
			if m := &t.waiting[i]; m.state == inFlight {
				if oldest.IsZero() || m.sentAt.Before(oldest) {
					oldest = m.sentAt
				}
				break
			}
		}
		if !oldest.IsZero() {
			late := oldest.Add(t.s.cfg.AckTimeout)
			if !late.After(now) {
				return fmt.Errorf("no answer for %v", t.s.cfg.AckTimeout)
			}
			wake = earlier(wake, late)
		}
		err := t.read(wake, func(h *jt808.Header, body []byte) error {
			var ack jt808.Ack
			if h.ID != jt808.IDPlatformAck {
				t.obey(h, body)
				return nil
			}
			if jt808.Decode(body, t.v.edition, &ack) != nil {
				return nil
			}
			if ack.ID == jt808.IDHeartbeat {
				beating = time.Time{}
			}
			return t.answer(ack)
		})
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return err
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// resend puts what an older connection left unanswered, in order.
func (t *terminal) resend(now time.Time) {
	for i := range t.waiting {
		if m := &t.waiting[i]; m.state == toSend {
			t.transmit(m, now)
		}
	}
}

func (t *terminal) transmit(m *message, now time.Time) {
	var body []byte
	m.id, body = m.item.appendMessage(t.body[:0], t.v)
	t.body = body
	spoil := t.chaos != nil && !m.again
	if spoil {
		t.misbehave(m, body)
		t.fresh++
	}
	from := len(t.out)
	m.serial = t.put(m.id, body)
	if spoil && t.chaos.strikes(FaultDuplicate) {
		t.out = append(t.out, t.out[from:]...)
	}
	m.sentAt, m.state = now, inFlight
	if m.again {
		t.s.n.resent.Add(1)
	}
}

// errRefused ends a connection on which the platform could not take a message.
var errRefused = errors.New("the platform failed to take a message")

// answer notes an acknowledgement. Failure (1) may pass, so the message is sent again on a new connection; malformed (2) and not
// supported (3) will not.
func (t *terminal) answer(ack jt808.Ack) error {
	for i := range t.waiting {
		m := &t.waiting[i]
		if m.state != inFlight || m.serial != ack.Serial || m.id != ack.ID {
			continue
		}
		switch ack.Result {
		case jt808.ResultOK, jt808.ResultAlarmHandled:
			t.s.acked(&m.item, t.v)
		case jt808.ResultMalformed, jt808.ResultNotSupported:
			t.s.refused(&m.item)
			t.s.warn("the platform refused a message for good", "plate", t.v.plate, "message", m.id.String(), "result", ack.Result)
		default:
			return fmt.Errorf("%w: %v, result %d", errRefused, m.id, ack.Result)
		}
		m.state = answered
		break
	}
	n := 0
	for n < len(t.waiting) && t.waiting[n].state == answered {
		n++
	}
	if n > 0 {
		left := copy(t.waiting, t.waiting[n:])
		clear(t.waiting[left:])
		t.waiting = t.waiting[:left]
	}
	return nil
}

// obey answers what the platform asks of the terminal. The answer goes out with the next flush.
func (t *terminal) obey(h *jt808.Header, body []byte) {
	result := jt808.ResultNotSupported
	switch h.ID {
	case jt808.IDPlatformAck, jt808.IDRegisterReply, jt808.IDServerTime, jt808.IDMediaAck:
		return // an answer, to nothing that is still of interest
	case jt808.IDPlatformResend:
		if t.fill(body) {
			return
		}
	case jt808.IDText:
		t.s.n.prompts.Add(1)
		result = jt808.ResultOK
	case jt808.IDSetParameters, jt808.IDConfirmAlarm, jt808.IDLinkCheck, jt808.IDTracking:
		result = jt808.ResultOK
	}
	if len(t.out) < maxGarbage { // who asks without end gets no answer without end
		t.put(jt808.IDTerminalAck, jt808.AppendAck(nil, jt808.Ack{Serial: h.Serial, ID: h.ID, Result: result}))
	}
}

// put adds a frame to what is sent with the next flush and returns its serial.
func (t *terminal) put(id jt808.MessageID, body []byte) uint16 {
	h := t.header(id)
	t.serial += uint16(jt808.Frames(len(body)))
	t.out = jt808.AppendFrame(t.out, &h, body)
	return h.Serial
}

// header is that of the next message.
func (t *terminal) header(id jt808.MessageID) jt808.Header {
	h := jt808.Header{ID: id, Phone: t.phone, Serial: t.serial}
	if t.v.edition.Has(jt808.FeatureVersionFlag) {
		h.Edition, h.Version = jt808.Edition2019, 1
	}
	return h
}

// encode is the next message as put would send it.
func (t *terminal) encode(id jt808.MessageID, body []byte) []byte {
	h := t.header(id)
	return jt808.AppendFrame(nil, &h, body)
}

func (t *terminal) flush() error {
	if len(t.out) == 0 {
		return nil
	}
	from := 0
	for _, at := range t.cuts {
		if err := t.write(t.out[from:at]); err != nil {
			return err
		}
		t.pause()
		from = at
	}
	err := t.write(t.out[from:])
	t.out, t.cuts = t.out[:0], t.cuts[:0]
	return err
}

func (t *terminal) write(b []byte) error {
	if err := t.conn.SetWriteDeadline(time.Now().Add(t.s.cfg.AckTimeout)); err != nil {
		return err
	}
	_, err := t.conn.Write(b)
	return err
}

// read waits until deadline for bytes and calls fn with each frame in them; body is valid during the call. Bad frames are passed over.
func (t *terminal) read(deadline time.Time, fn func(h *jt808.Header, body []byte) error) error {
	if err := t.conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	n, err := t.conn.Read(t.in[len(t.in):cap(t.in)])
	t.in = t.in[:len(t.in)+n]
	rest := t.in
	for {
		frame, used, bad := t.framer.Next(rest)
		rest = rest[used:]
		if frame == nil && bad == nil {
			break
		}
		if bad != nil {
			continue
		}
		t.skipped = t.framer.Skipped
		var h jt808.Header
		body, bad := h.Decode(frame)
		if bad != nil {
			continue
		}
		if err := fn(&h, body); err != nil {
			return err
		}
	}
	t.in = t.in[:copy(t.in, rest)]
	if t.framer.Skipped-t.skipped > maxGarbage {
		return fmt.Errorf("%d bytes that are in no frame", t.framer.Skipped-t.skipped)
	}
	return err
}
