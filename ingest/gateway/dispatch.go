package gateway

import (
	"strings"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// route is what the gateway does with a message.
type route struct {
	id   jt808.MessageID
	open bool // also before the terminal is authenticated
	// handle takes a whole, readable message and says how to reply. p is the terminal; it is nil for open messages of a
	// terminal that is met for the first time.
	handle func(w *work, p *peer, h *jt808.Header, body []byte) answer
}

// answer is how a message is replied to.
type answer struct {
	result  uint8
	refused string // why it was not taken, for the metric; empty: it was
	logged  bool   // result 0 stands for events
	silent  bool   // no reply
	custom  bool   // the handler made the reply itself
	// mediaKept: the media of that id is on the disk, which 0x8800 says after the acknowledgement.
	mediaKept bool
	media     uint32
}

var (
	done      = answer{result: jt808.ResultOK}
	recorded  = answer{result: jt808.ResultOK, logged: true}
	malformed = answer{result: jt808.ResultMalformed, refused: refusedMalformed}
	noDate    = answer{result: jt808.ResultMalformed, refused: refusedNoDate}
	noRoom    = answer{result: jt808.ResultFailed, refused: refusedSessions}

	unsupported = answer{result: jt808.ResultNotSupported, refused: refusedUnsupported}
)

// routes are the messages that the gateway takes. Any other is answered with result 3 and counted: to take one more, add
// its line.
var routes = []route{
	{jt808.IDTerminalAck, false, takeAck},
	{jt808.IDRegister, true, takeRegister},
	{jt808.IDAuthenticate, true, takeAuthenticate},
	{jt808.IDHeartbeat, false, takeHeartbeat},
	{jt808.IDDeregister, false, takeDeregister},
	{jt808.IDDeregisterMisprint, false, takeDeregister},
	{jt808.IDLocation, false, takeLocation},
	{jt808.IDBatch, false, takeBatch},
	{jt808.IDDriverIdentity, false, takeDriver},
	{jt808.IDLocationReply, false, takeLocationReply},
	{jt808.IDVehicleControlled, false, takeLocationReply},
	{jt808.IDWaybill, false, takeWaybill},
	{jt808.IDMediaData, false, takeMediaData},
	{jt808.IDMediaEvent, false, takeMediaEvent},
	{jt808.IDRecorderData, false, takeRecorderData},
	{jt808.IDUplink, false, takeUplink},
	{jt808.IDCompressed, false, takeCompressed},
	{jt808.IDQueryTime, false, takeQueryTime},
	{jt808.IDUpgradeResult, false, takeNotice},
	{jt808.IDEventReport, false, takeNotice},
	{jt808.IDInfoOrder, false, takeNotice},
	{jt808.IDCANData, false, takeNotice},
	{jt808.IDPassengerFlow, false, takeNotice},
	{jt808.IDFileUploaded, false, takeNotice},
	{jt808.IDParametersReply, false, takeAnswer},
	{jt808.IDAttributes, false, takeAnswer},
	{jt808.IDQuestionAnswer, false, takeAnswerAcked},
	{jt808.IDAreaData, false, takeAnswer},
	{jt808.IDStoredMediaList, false, takeAnswer},
	{jt808.IDShootReply, false, takeAnswer},
	{jt808.IDAVAttributes, false, takeAnswer},
	{jt808.IDResourceList, false, takeAnswerAcked},
	{jt808.IDTerminalResend, false, takeResend},
	{jt808.IDTerminalKey, false, takeKey},
}

// routeOf finds a route by the id of the message.
var routeOf = func() map[jt808.MessageID]*route {
	m := map[jt808.MessageID]*route{}
	for i := range routes {
		m[routes[i].id] = &routes[i]
	}
	return m
}()

// frame handles one frame and returns why the connection must end, if it must.
func (w *work) frame(frame []byte) (reason string) {
	c, g := w.c, w.c.g
	h := &w.head
	body, err := h.Decode(frame)
	if err != nil { // the framer has proven the lengths, so this is not to be expected
		g.metrics.frameErrors[jt808.ErrLength].Inc()
		return ""
	}
	r := routeOf[h.ID]
	if r != nil {
		g.metrics.frames[h.ID].Inc()
	} else {
		g.metrics.otherFrames.Inc()
	}
	p := c.peer(h.Phone.Canonical())
	if p != nil {
		p.seen = w.received
		if p.session != nil && p.session.replaced.Load() {
			p.dropParts(g)
			p.session = nil // it goes on elsewhere
		}
	}
	var a answer
	switch {
	case (r == nil || !r.open) && (p == nil || p.session == nil):
		a = answer{result: jt808.ResultFailed, refused: refusedUnauthenticated, silent: h.ID == jt808.IDTerminalAck}
	case h.Encryption != jt808.EncryptionNone && !g.decrypts(h.Encryption):
		a = answer{result: jt808.ResultNotSupported, refused: refusedEncrypted}
	case r == nil:
		a = answer{result: jt808.ResultNotSupported, refused: refusedUnsupported}
	case h.Packaged() && r.open: // short messages: who splits them wants something else
		a = answer{result: jt808.ResultNotSupported, refused: refusedPackaged}
	case h.Packaged():
		a = w.part(r, p, h, body)
	default:
		a = w.handle(r, p, h, body)
	}
	if a.refused != "" {
		g.metrics.refused[a.refused].Inc()
	}
	if !a.silent && !a.custom {
		w.reply(c.peer(h.Phone.Canonical()), h, a)
		if a.mediaKept {
			w.mediaAck(p, h, a.media)
		}
	}
	// Whoever sends without being let in is cut off, whatever it is that he sends: also registrations that he never uses.
	if p = c.peer(h.Phone.Canonical()); p == nil || p.session == nil {
		if c.strikes++; c.strikes >= g.cfg.MaxUnauthenticated {
			return reasonUnauthenticated
		}
	}
	return ""
}

// reply queues the general acknowledgement of a message.
func (w *work) reply(p *peer, h *jt808.Header, a answer) {
	w.replies = append(w.replies, reply{head: h.Answer(jt808.IDPlatformAck, w.nextSerial(p)), serial: h.Serial, id: h.ID, result: a.result, logged: a.logged})
}

// nextSerial is the serial of the next message to a terminal.
func (w *work) nextSerial(p *peer) (s uint16) {
	if p != nil {
		return p.serials(1)
	}
	s = w.c.serial // a terminal that has not said who it is
	w.c.serial++
	return s
}

// serials takes n serials, one after another, and returns the first.
func (p *peer) serials(n int) uint16 { return uint16(p.serial.Add(uint32(n)) - uint32(n)) }

func takeHeartbeat(*work, *peer, *jt808.Header, []byte) answer { return done }

// takeRegister answers 0x0100 with 0x8100.
func takeRegister(w *work, _ *peer, h *jt808.Header, body []byte) answer {
	p := w.c.meet(h.Phone.Canonical(), w.received)
	if p == nil {
		return noRoom
	}
	var m jt808.Register
	p.edition = jt808.GuessEdition(h, body)
	if err := jt808.Decode(body, p.edition, &m); err != nil {
		return malformed
	}
	g := w.c.g
	v, result := admit(*g.register.Load(), g.cfg.UnknownTerminals == Accept, p.digits, &m)
	r := reply{head: h.Answer(jt808.IDRegisterReply, w.nextSerial(p)), serial: h.Serial, result: result}
	a := answer{custom: true}
	if result == jt808.RegisterOK {
		code := jt808.Text(g.signer.code(p.digits, v))
		r.code = &code
	} else {
		a.refused = refusedRegistration
	}
	w.replies = append(w.replies, r)
	return a
}

// takeAuthenticate opens a session.
func takeAuthenticate(w *work, _ *peer, h *jt808.Header, body []byte) answer {
	p := w.c.meet(h.Phone.Canonical(), w.received)
	if p == nil {
		return noRoom
	}
	v, ok := w.c.authenticate(p, h, body)
	if !ok {
		return answer{result: jt808.ResultFailed, refused: refusedAuthCode}
	}
	w.c.strikes = 0
	if p.session != nil && p.session.vehicle == v {
		return done // it was online already
	}
	// Who waits for others to leave must not himself be waited for: a terminal may leave and come back in one read.
	if len(w.leaving) > 0 {
		w.flush()
		w.left()
	}
	s := &session{conn: w.c, phone: p.phone, vehicle: v, peer: p, head: *h, edition: h.Edition, memory: w.c.g.memories.of(p.phone)}
	if s.edition == jt808.EditionAuto {
		s.edition = p.edition
	}
	if old := w.c.g.sessions.enter(s, w.c.g.ctx.Done()); old != nil {
		w.c.g.commands.gone(old)
		w.addLink(old.vehicle, false, reasonReplaced)
	}
	p.session = s
	w.addLink(v, true, "authenticated")
	return recorded
}

// authenticate finds the vehicle of a terminal by its code.
func (c *conn) authenticate(p *peer, h *jt808.Header, body []byte) (ingest.Vehicle, bool) {
	g := c.g
	register, acceptUnknown := *g.register.Load(), g.cfg.UnknownTerminals == Accept
	// Some terminals of 2019 send the code alone, as in the editions before.
	codes := []string{jt808.Text(body).String()}
	var m jt808.Authenticate
	if h.Edition.Has(jt808.FeatureAuthDetails) {
		if jt808.Decode(body, h.Edition, &m) == nil || m.AuthCode != "" {
			codes = append(codes, m.AuthCode.String())
		}
	}
	for _, code := range codes {
		if v, ok := g.signer.check(p.digits, strings.TrimSpace(code)); ok {
			return v, entitled(register, acceptUnknown, p.digits, v)
		}
	}
	if g.cfg.ForeignAuthCodes == Accept && register != nil {
		return register.ByPhone(p.digits)
	}
	return ingest.Vehicle{}, false
}

// takeDeregister ends the session; the terminal registers again after it was removed or changed (0x0003).
func takeDeregister(w *work, p *peer, _ *jt808.Header, _ []byte) answer {
	w.offline(p, reasonDeregistered)
	return recorded
}

func takeLocation(w *work, p *peer, _ *jt808.Header, body []byte) answer {
	if err := jt808.DecodeLocation(body, &w.location); err != nil {
		return malformed
	}
	if !w.position(p, 0) {
		return noDate
	}
	return recorded
}

// takeBatch takes what is good of a batch. The reply is for the whole: result 2 would make the terminal send it all again,
// so it is for batches of which nothing could be taken.
func takeBatch(w *work, p *peer, _ *jt808.Header, body []byte) answer {
	var b jt808.Batch
	if err := b.Decode(body); err != nil {
		return malformed
	}
	flags := ingest.Flags(0)
	if b.Kind == jt808.BatchBlindSpots {
		flags = ingest.FlagBackfill
	}
	good, undated := 0, 0
	for b.Next(&w.location) {
		if w.position(p, flags) {
			good++
		} else {
			undated++
		}
	}
	m := w.c.g.metrics
	switch {
	case good > 0:
		m.refused[refusedNoDate].Add(float64(undated))
		m.refused[refusedMalformed].Add(float64(b.Bad))
		return recorded
	case undated > 0:
		m.refused[refusedNoDate].Add(float64(undated - 1)) // the last is counted with the reply
		m.refused[refusedMalformed].Add(float64(b.Bad))
		return noDate
	case b.Bad > 0:
		m.refused[refusedMalformed].Add(float64(b.Bad - 1))
		return malformed
	}
	return done // of no positions at all
}

// position takes w.location as an event. It reports false where its time is no date: such a position belongs nowhere.
func (w *work) position(p *peer, flags ingest.Flags) bool {
	e := &w.event
	if !w.location.Event(e) {
		return false
	}
	if w.location.ExtrasErr != nil {
		w.c.g.metrics.extrasErrors.Inc()
	}
	e.Flags |= flags
	e.Vehicle, e.Received = p.session.vehicle, w.received
	w.gather(e, 2*flushSize) // the alarms that came with it go into the same payload
	w.safety(e)
	w.full(e.Vehicle.Partition(w.c.g.partitions), flushSize)
	return true
}

func takeDriver(w *work, p *peer, h *jt808.Header, body []byte) answer {
	var m jt808.DriverIdentity
	if err := jt808.Decode(body, jt808.GuessEdition(h, body), &m); err != nil {
		return malformed
	}
	w.answeredIfAsked(p, h, body)
	card, at := m.Card(), w.received
	if card == nil {
		// 2011 says who drives, and neither since when nor whether he begins or ends: he drives now. Without a name and a
		// number it says nothing.
		if m.Licence.Trimmed() == "" && m.Name.Trimmed() == "" {
			return done
		}
		card = &ingest.DriverCard{On: true, License: m.Licence.String(), Name: m.Name.String(), Org: m.Org.String()}
	} else {
		var ok bool
		if at, ok = m.Time.UnixMilli(); !ok {
			return noDate
		}
	}
	w.add(&ingest.Event{Kind: ingest.KindDriverCard, Source: ingest.SourceJT808, Vehicle: p.session.vehicle, Time: at, Received: w.received, Driver: card})
	return recorded
}
