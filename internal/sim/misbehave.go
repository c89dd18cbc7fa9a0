package sim

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"lushao/ingest/jt808"
)

const (
	stormEvery  = 5 * 60 * 1000 // ms of simulated time
	slowBeats   = 1000
	bargeMost   = 3        // reports before authentication
	garbageMost = 200      // bytes
	gpsRollover = 1024 * 7 // days
)

// Ends of a connection that are the terminal's own doing.
var (
	errStorm = errors.New("a storm of reconnections")
	errSlow  = errors.New("hung up on unread answers")
)

// gap is the sub-package that was left out of a message.
type gap struct {
	serial uint16 // of the first part
	no     uint16
	frame  []byte
}

// misbehave puts what is broken before a message whose frame is the next.
func (t *terminal) misbehave(m *message, body []byte) {
	c := t.chaos
	if c.strikes(FaultHalf) {
		whole := t.encode(m.id, body)
		t.out = append(t.out, whole[:len(whole)/2]...)
		t.cuts = append(t.cuts, len(t.out))
	}
	if c.strikes(FaultChecksum) {
		whole := t.encode(m.id, body)
		whole[1] ^= 1 // the first byte of the id; no id that terminals send becomes a delimiter or an escape by it
		t.out = append(t.out, whole...)
	}
	if c.strikes(FaultOversize) {
		t.out = append(t.out, 0x7e)
		for range jt808.MaxFrameSize + c.IntN(jt808.MaxFrameSize) {
			t.out = append(t.out, byte(0x41+c.IntN(26)))
		}
		t.out = append(t.out, 0x7e)
	}
	if c.strikes(FaultGarbage) {
		t.garbage()
	}
	if c.strikes(FaultClock) && m.item.kind == itemPosition {
		wrong := m.item
		wrong.fix.t = t.wrongTime(wrong.fix.t)
		_, b := wrong.appendMessage(nil, t.v)
		t.put(m.id, b)
	}
	if c.strikes(FaultParts) && len(body) <= jt808.MaxBody { // what is longer goes in parts anyway
		t.parts(m.id, body)
	}
	if c.strikes(FaultExtras) && m.item.kind == itemPosition {
		t.put(m.id, append(slices.Clone(body), jt808.ItemADAS, 47, 0, 0, 0, 1)) // four bytes of 47
	}
}

// garbage puts bytes that no reader can take for a frame: none of them gives a length that fits between two delimiters.
func (t *terminal) garbage() {
	for n := 1 + t.chaos.IntN(garbageMost); n > 0; n-- {
		switch t.chaos.IntN(20) {
		case 0:
			t.out = append(t.out, 0x7e)
		case 1:
			t.out = append(t.out, 0x7d)
		default:
			t.out = append(t.out, byte(0xd0+t.chaos.IntN(0x30)))
		}
	}
}

// wrongTime is a time in Unix s that a terminal may believe in whose clock is wrong.
func (t *terminal) wrongTime(unix int64) int64 {
	hour := time.Now().Unix() + int64(2+t.chaos.IntN(20))*3600
	switch t.chaos.IntN(4) {
	case 0:
		return time.Date(2000, 1, 1, 0, 0, t.chaos.IntN(60), 0, time.UTC).Unix()
	case 1:
		return max(unix-gpsRollover*86400, 946684800) // the protocol begins with 2000
	case 2:
		return hour
	}
	return hour + int64(1+t.chaos.IntN(9))*365*86400
}

// parts puts the message in sub-packages of two to five, in any order, every other time with one left out.
func (t *terminal) parts(id jt808.MessageID, body []byte) {
	n := min(2+t.chaos.IntN(4), len(body))
	if n < 2 {
		return
	}
	h := t.header(id)
	first := t.serial
	t.serial += uint16(n)
	missing := 0
	if t.chaos.IntN(2) == 0 {
		missing = 1 + t.chaos.IntN(n)
	}
	for _, i := range t.chaos.Perm(n) {
		h.PackageTotal, h.PackageNo, h.Serial = uint16(n), uint16(i+1), first+uint16(i)
		part := body[i*len(body)/n : (i+1)*len(body)/n]
		if i+1 == missing {
			t.gap = gap{first, h.PackageNo, jt808.AppendFrame(nil, &h, part)}
			continue
		}
		t.out = jt808.AppendFrame(t.out, &h, part)
	}
}

// fill answers a request for sub-packages (0x8003); false where it asks for none that was left out.
func (t *terminal) fill(body []byte) bool {
	var m jt808.Resend
	if t.gap.frame == nil || jt808.Decode(body, t.v.edition, &m) != nil || m.FirstSerial != t.gap.serial || !slices.Contains(m.Packages, t.gap.no) {
		return false
	}
	t.out = append(t.out, t.gap.frame...)
	t.gap = gap{}
	return true
}

// hold keeps a message back until the next one was sent.
func (t *terminal) hold(m *message) bool {
	if t.holding || t.s.cfg.Window < 2 || !t.chaos.strikes(FaultOrder) {
		return false
	}
	t.holding, m.state = true, heldBack
	return true
}

// release sends what was held back.
func (t *terminal) release(now time.Time) {
	if !t.holding {
		return
	}
	t.holding = false
	for i := range t.waiting {
		if m := &t.waiting[i]; m.state == heldBack {
			t.transmit(m, now)
		}
	}
}

// storm reports whether the terminal hangs up before what it sends at a simulated time in Unix ms.
func (t *terminal) storm(at int64) bool {
	if t.chaos == nil || t.relay != nil {
		return false
	}
	moment := at / stormEvery
	passed := t.moment != 0 && t.moment != moment
	t.moment = moment
	return passed && t.chaos.strikes(FaultStorm)
}

// act does what is wrong with the connection and not with its bytes, after messages were sent for the first time.
func (t *terminal) act(ctx context.Context) error {
	if t.relay != nil {
		return nil
	}
	for ; t.fresh > 0; t.fresh-- {
		if t.chaos.strikes(FaultTwo) {
			t.second(ctx)
		}
		if t.chaos.strikes(FaultSlow) {
			if err := t.dawdle(); err != nil {
				return err
			}
		}
	}
	return nil
}

// second opens another connection for the same phone, which stays until the first has come back.
func (t *terminal) second(ctx context.Context) {
	conn, err := t.s.dial(ctx)
	if err != nil {
		return // the platform is away: the first connection will learn of it
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	twin := &terminal{s: t.s, v: t.v, phone: t.phone, auth: t.auth, conn: conn, in: make([]byte, 0, 2<<10+jt808.MaxFrameSize), ended: t.ended}
	if err := twin.login(); err != nil {
		conn.Close()
		return
	}
	t.auth = twin.auth
	t.closeTwin()
	t.twin = conn
}

func (t *terminal) closeTwin() {
	if t.twin != nil {
		t.twin.Close()
		t.twin = nil
	}
}

// dawdle sends heartbeats and does not read.
func (t *terminal) dawdle() error {
	if c, ok := t.conn.(*net.TCPConn); ok {
		_ = c.SetReadBuffer(4 << 10) // a hint: what matters is that nobody reads
	}
	for range slowBeats {
		t.put(jt808.IDHeartbeat, nil)
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.pause()
	if t.chaos.IntN(2) == 0 {
		return errSlow
	}
	return nil
}

// pause waits as long as broken terminals do.
func (t *terminal) pause() {
	timer := time.NewTimer(t.s.cfg.FaultPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ended:
	}
}

// barge puts reports in front of the authentication; not twice in a row, so that a platform that hangs up on it is reached all the same.
func (t *terminal) barge() {
	if t.barged {
		t.barged = false
		return
	}
	if t.chaos == nil || !t.peek() || t.head.kind == itemWeighing || !t.chaos.strikes(FaultUnauthenticated) {
		return
	}
	t.barged = true
	id, body := t.head.appendMessage(nil, t.v)
	for range 1 + t.chaos.IntN(bargeMost) {
		t.put(id, body)
	}
}

// intrude lets a terminal report that never authenticates, until its track or driving ends, which ends with ctx at the latest.
func (t *terminal) intrude(ctx, driving context.Context) {
	wait := t.s.cfg.BackoffMin
	for driving.Err() == nil && t.peek() {
		if conn, err := t.s.dial(driving); err == nil {
			t.intrusion(ctx, driving, conn)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-driving.Done():
			timer.Stop()
		}
		wait = min(2*wait, t.s.cfg.BackoffMax)
	}
}

// intrusion is one connection of a terminal that never authenticates. Stations weigh its vehicle all the same.
func (t *terminal) intrusion(ctx, driving context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(driving, func() { conn.Close() })()
	t.attach(driving, conn)
	for driving.Err() == nil && t.peek() {
		deadline := t.s.due(t.head)
		if now := time.Now(); !deadline.After(now) {
			it := *t.head
			t.head = nil
			if it.kind == itemWeighing {
				t.s.sent(&it, t.v)
				t.s.post(ctx, it, t.v)
				continue
			}
			id, body := it.appendMessage(t.body[:0], t.v)
			t.body = body
			t.put(id, body)
			if t.flush() != nil {
				return
			}
			deadline = now.Add(t.s.cfg.AckTimeout)
		}
		err := t.read(deadline, func(*jt808.Header, []byte) error { return nil })
		var timeout net.Error
		if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			return
		}
	}
}
