package gateway

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// CommandState is how a command to a terminal ended. Its text is the value of a metric label and of the JSON answers.
type CommandState string

// The ends of a command. Only CommandDone says that the terminal did it.
const (
	CommandDone         CommandState = "done"          // 0x0001 with result 0, or the answer that the message asks for
	CommandFailed       CommandState = "failed"        // 0x0001 with result 1, or one that the standard has not
	CommandMalformed    CommandState = "malformed"     // 0x0001 with result 2
	CommandNotSupported CommandState = "not_supported" // 0x0001 with result 3
	CommandTimeout      CommandState = "timeout"       // no answer in time; the terminal may have done it
	CommandOffline      CommandState = "offline"       // no such terminal is online here; nothing was sent
	CommandGone         CommandState = "gone"          // the terminal went before it answered; it may have done it
	CommandBusy         CommandState = "busy"          // a limit of open commands or of the write queue; nothing was sent
	CommandTooLong      CommandState = "too_long"      // longer than the write queue can ever take; nothing was sent
	CommandCancelled    CommandState = "cancelled"     // who sent it waits no more
)

// Outcome is how a command ended.
type Outcome struct {
	State  CommandState
	Result uint8 // of the terminal's 0x0001, where that ended it
	// Reply is the answer that the message asks for, such as 0x0104 to 0x8104, where CommandOptions.KeepReply is set: its
	// header and a copy of its body. ReplyID is 0 where a 0x0001 ended the command.
	ReplyID   jt808.MessageID
	ReplyHead jt808.Header
	Reply     []byte
}

// CommandOptions are the choices of a command.
type CommandOptions struct {
	Timeout   time.Duration // 0: the setting gateway.command_timeout
	KeepReply bool          // the answer's body is wanted
}

// specialReply is the message that answers a command. An entry without it is answered by 0x0001.
type specialReply struct {
	id     jt808.MessageID
	serial bool // it begins with the command's serial
	// early: 0x0001 with result 0 says that the command came, and the answer comes later; where it is false a 0x0001
	// with result 0 is the answer of terminals that do not send their own (JT/T 1078's 0x9201).
	early bool
}

var specialReplies = map[jt808.MessageID]specialReply{
	jt808.IDQueryAllParameters: {jt808.IDParametersReply, true, true},
	jt808.IDQueryParameters:    {jt808.IDParametersReply, true, true},
	jt808.IDQueryAttributes:    {jt808.IDAttributes, false, true},
	jt808.IDQueryLocation:      {jt808.IDLocationReply, true, true},
	jt808.IDQuestion:           {jt808.IDQuestionAnswer, true, true},
	jt808.IDVehicleControl:     {jt808.IDVehicleControlled, true, true},
	jt808.IDQueryAreas:         {jt808.IDAreaData, false, true},
	jt808.IDRecorderCollect:    {jt808.IDRecorderData, true, true},
	jt808.IDRequestDriver:      {jt808.IDDriverIdentity, false, true},
	jt808.IDShoot:              {jt808.IDShootReply, true, false}, // 2011 has 0x0001 alone
	jt808.IDSearchMedia:        {jt808.IDStoredMediaList, true, true},
	jt808.IDQueryAVAttributes:  {jt808.IDAVAttributes, false, true},
	jt808.IDStartPlayback:      {jt808.IDResourceList, true, false},
	jt808.IDQueryResources:     {jt808.IDResourceList, true, true},
}

// command is one that waits for its answer. It belongs to commands.mu, but for what is set when it is made.
type command struct {
	session *session
	id      jt808.MessageID
	first   uint16 // serial of its first frame
	frames  uint16
	keep    bool
	expects specialReply
	timer   *time.Timer
	done    func(Outcome) // called once, without a lock; must not block
	ended   bool
}

// has reports whether one of the command's frames had the serial: of a message in sub-packages terminals quote the last
// one's, and the standard does not say which.
func (c *command) has(serial uint16) bool { return serial-c.first < c.frames }

// commands are the open ones of all sessions. Who holds mu takes no other lock of the gateway but a connection's outMu.
type commands struct {
	mu          sync.Mutex
	open        int
	maxTotal    int
	maxTerminal int
	metrics     *commandMetrics
}

// Send sends a message to the terminal of a vehicle and waits for its answer, for the time-out, or for the end of ctx. It
// goes out in the terminal's own edition, in sub-packages where it is long.
func (g *Gateway) Send(ctx context.Context, v ingest.Vehicle, id jt808.MessageID, m jt808.Body, opts CommandOptions) Outcome {
	ch := make(chan Outcome, 1)
	c := g.start(v, id, func(jt808.Edition) jt808.Body { return m }, opts, func(o Outcome) { ch <- o })
	select {
	case o := <-ch:
		return o
	case <-ctx.Done():
	}
	if c != nil {
		g.commands.end(c, Outcome{State: CommandCancelled})
	}
	return <-ch
}

// start sends a message and calls done once with its outcome, maybe before it returns. The body is made when the edition
// of the terminal is known. It returns nil where nothing was sent.
func (g *Gateway) start(v ingest.Vehicle, id jt808.MessageID, body func(jt808.Edition) jt808.Body, opts CommandOptions, done func(Outcome)) *command {
	s := g.sessions.of(v)
	if s == nil {
		g.commands.metrics.count(id, CommandOffline)
		done(Outcome{State: CommandOffline})
		return nil
	}
	timeout := opts.Timeout
	if timeout <= 0 {
		timeout = g.cfg.CommandTimeout
	}
	ed := s.edition
	b := jt808.AppendBody(nil, ed, body(ed))
	c := &command{session: s, id: id, frames: uint16(jt808.Frames(len(b))), keep: opts.KeepReply, expects: specialReplies[id], done: done}
	state := g.commands.begin(c, b, timeout)
	if state != "" {
		g.commands.metrics.count(id, state)
		done(Outcome{State: state})
		return nil
	}
	return c
}

// begin makes the command open and puts its frames in the connection's queue. It returns why it could not.
func (r *commands) begin(c *command, body []byte, timeout time.Duration) CommandState {
	s := c.session
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s.gone:
		return CommandOffline
	case r.open >= r.maxTotal || len(s.open) >= r.maxTerminal:
		return CommandBusy
	}
	// The serials are taken and the frames queued in one go, so that the frames of a connection go out in their order.
	state := s.conn.queue(func() []byte {
		c.first = s.peer.serials(int(c.frames))
		h := s.head.Answer(c.id, c.first)
		frames := jt808.AppendFrame(nil, &h, body)
		if c.frames > 1 {
			s.sent.keep(s.conn.g, c.first, frames)
		}
		return frames
	}, 2*(len(body)+int(c.frames)*(jt808.MaxHeader+1)+int(c.frames)))
	if state != "" {
		return state
	}
	s.open = append(s.open, c)
	r.open++
	r.metrics.open.Inc()
	c.timer = time.AfterFunc(timeout, func() { r.end(c, Outcome{State: CommandTimeout}) })
	return ""
}

// end ends a command that is still open.
func (r *commands) end(c *command, o Outcome) {
	r.mu.Lock()
	ended := r.endLocked(c)
	r.mu.Unlock()
	if ended {
		r.metrics.count(c.id, o.State)
		c.done(o)
	}
}

func (r *commands) endLocked(c *command) bool {
	if c.ended {
		return false
	}
	c.ended = true
	c.timer.Stop()
	s := c.session
	for i := range s.open {
		if s.open[i] == c {
			s.open = append(s.open[:i], s.open[i+1:]...)
			break
		}
	}
	if len(s.open) == 0 {
		s.open = nil
	}
	r.open--
	r.metrics.open.Dec()
	return true
}

// gone ends every command of a session that is online no more.
func (r *commands) gone(s *session) {
	r.mu.Lock()
	s.gone = true
	open := append([]*command(nil), s.open...)
	for _, c := range open {
		r.endLocked(c)
	}
	r.mu.Unlock()
	for _, c := range open {
		r.metrics.count(c.id, CommandGone)
		c.done(Outcome{State: CommandGone})
	}
}

// answered ends the command that a message of a terminal answers: 0x0001, or one that a command asks for, whole and
// readable. An answer that fits no open command is a repeated or a late one, and nothing but counted.
func (w *work) answered(p *peer, h *jt808.Header, body []byte) {
	if p == nil || p.session == nil {
		return
	}
	r := &w.c.g.commands
	c, o := r.match(p.session, h, body)
	switch {
	case c != nil:
		r.metrics.count(c.id, o.State)
		c.done(o)
	case o.State == "":
		r.metrics.stray.Inc()
	}
}

// match finds the command that a message answers, and takes it from the open ones. Without one, a state of CommandDone
// says that the message fits a command that goes on waiting.
func (r *commands) match(s *session, h *jt808.Header, body []byte) (*command, Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.ID == jt808.IDTerminalAck {
		var ack jt808.Ack
		if jt808.Decode(body, h.Edition, &ack) != nil {
			return nil, Outcome{}
		}
		for _, c := range s.open {
			if c.id != ack.ID || !c.has(ack.Serial) {
				continue
			}
			if ack.Result == jt808.ResultOK && c.expects.early {
				return nil, Outcome{State: CommandDone}
			}
			r.endLocked(c)
			return c, Outcome{State: ackState(ack.Result), Result: ack.Result}
		}
		return nil, Outcome{}
	}
	for _, c := range s.open { // in the order in which they were sent
		if c.expects.id != h.ID || c.expects.serial && (len(body) < 2 || !c.has(binary.BigEndian.Uint16(body))) {
			continue
		}
		r.endLocked(c)
		o := Outcome{State: CommandDone, ReplyID: h.ID}
		if c.keep {
			o.ReplyHead, o.Reply = *h, append([]byte(nil), body...)
		}
		return c, o
	}
	return nil, Outcome{}
}

func ackState(result uint8) CommandState {
	switch result {
	case jt808.ResultOK:
		return CommandDone
	case jt808.ResultMalformed:
		return CommandMalformed
	case jt808.ResultNotSupported:
		return CommandNotSupported
	}
	return CommandFailed
}

// takeAck takes 0x0001, the terminal's answer to a message of ours.
func takeAck(w *work, p *peer, h *jt808.Header, body []byte) answer {
	w.answered(p, h, body)
	return answer{silent: true}
}
