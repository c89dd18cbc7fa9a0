package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/jt808"
)

// command is what a terminal got from the platform: its header and whole body.
type commanded struct {
	head jt808.Header // of the last frame
	body []byte
}

// readCommand reads the next message of the platform, sub-packages put together.
func (c *terminal) readCommand() commanded {
	c.t.Helper()
	var out commanded
	for {
		frame, n, err := c.framer.Next(c.buf)
		if err != nil {
			c.t.Fatal(err)
		}
		if frame == nil {
			c.buf = append([]byte(nil), c.buf[n:]...)
			chunk := make([]byte, 64<<10)
			c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
			k, err := c.nc.Read(chunk)
			if k == 0 && err != nil {
				c.t.Fatalf("waiting for a command: %v", err)
			}
			c.buf = append(c.buf, chunk[:k]...)
			continue
		}
		before := out.head
		body, err := out.head.Decode(frame)
		if err != nil {
			c.t.Fatal(err)
		}
		out.body = append(out.body, body...)
		c.buf = append([]byte(nil), c.buf[n:]...)
		if out.head.Packaged() && before.PackageNo > 0 && (out.head.Serial != before.Serial+1 || out.head.PackageNo != before.PackageNo+1) {
			c.t.Fatalf("sub-package %d has the serial %d after %d", out.head.PackageNo, out.head.Serial, before.Serial)
		}
		if !out.head.Packaged() || out.head.PackageNo == out.head.PackageTotal {
			return out
		}
	}
}

func (c *terminal) ack(m commanded, result uint8) {
	c.t.Helper()
	c.send(c.frame(jt808.IDTerminalAck, jt808.AppendAck(nil, jt808.Ack{Serial: m.head.Serial, ID: m.head.ID, Result: result})))
}

// sending runs Send and returns its outcome when asked.
func sending(g *Gateway, id jt808.MessageID, m jt808.Body, opts CommandOptions) func() Outcome {
	ch := make(chan Outcome, 1)
	go func() { ch <- g.Send(context.Background(), v1, id, m, opts) }()
	return func() Outcome { return <-ch }
}

func (g *Gateway) openCommands() int {
	g.commands.mu.Lock()
	defer g.commands.mu.Unlock()
	return g.commands.open
}

func online(t *testing.T, ed jt808.Edition, change func(*Config)) (*Gateway, *terminal, *prometheus.Registry) {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	g, reg := startGateway(t, cfg, newFakeLog(), nil)
	c := dial(t, g.Addr().String(), "13912345678", ed)
	c.login(v1)
	return g, c, reg
}

func TestCommandsInEveryEditionAndForm(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2011, jt808.Edition2013, jt808.Edition2019} {
		t.Run(ed.String(), func(t *testing.T) {
			g, c, _ := online(t, ed, nil)
			for i, test := range []struct {
				result uint8
				want   CommandState
			}{{0, CommandDone}, {1, CommandFailed}, {2, CommandMalformed}, {3, CommandNotSupported}, {77, CommandFailed}} {
				out := sending(g, jt808.IDText, textMessage(ed, jt808.GBK("请减速"), true), CommandOptions{})
				m := c.readCommand()
				if m.head.ID != jt808.IDText || m.head.Phone != c.phone || (m.head.Edition == jt808.Edition2019) != (ed == jt808.Edition2019) {
					t.Fatalf("%+v", m.head)
				}
				var text jt808.TextMessage
				if err := jt808.Decode(m.body, ed, &text); err != nil || text.Text.String() != "请减速" {
					t.Fatalf("%+v %v", text, err)
				}
				flags := jt808.TextDisplay | jt808.TextTTS | jt808.TextUrgent
				if ed == jt808.Edition2019 {
					flags = jt808.TextDisplay | jt808.TextTTS | jt808.TextUrgent2019
				}
				if text.Flags != flags || text.Type != map[bool]uint8{true: 1}[ed == jt808.Edition2019] {
					t.Errorf("flags %#x, type %d", text.Flags, text.Type)
				}
				c.ack(m, test.result)
				c.ack(m, 1) // again, and otherwise: the first counts
				if o := out(); o.State != test.want || o.Result != test.result {
					t.Errorf("%d: %+v, want %s", i, o, test.want)
				}
			}
			c.ping(1) // the second acknowledgements did no harm
			if n := g.openCommands(); n != 0 {
				t.Errorf("%d commands are open", n)
			}
			if n := testutil.ToFloat64(g.commands.metrics.stray); n != 5 {
				t.Errorf("%v stray answers", n)
			}
		})
	}
}

// What a terminal missed of a command it may ask for again (0x0005), and gets it as it was.
func TestPartsOfACommandAgain(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2019, nil)
	out := sending(g, jt808.IDSetPolygon, &jt808.Polygon{AreaRule: jt808.AreaRule{ID: 7}, Vertices: make([]jt808.Vertex, 300)}, CommandOptions{})
	m := c.readCommand()
	c.send(c.frame(jt808.IDTerminalResend, jt808.AppendBody(nil, jt808.Edition2019, &jt808.Resend{FirstSerial: m.head.Serial - 2, Packages: []uint16{3}})))
	again := c.readCommand()
	if again.head != m.head || !bytes.HasSuffix(m.body, again.body) || len(again.body) == 0 {
		t.Errorf("%+v, want %+v", again.head, m.head)
	}
	c.ack(m, 0)
	if o := out(); o.State != CommandDone {
		t.Errorf("%+v", o)
	}
}

// The serials of the platform go on through replies and commands, and a message in sub-packages is answered by any of its
// serials.
func TestLongCommandGoesInSubPackages(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2013, nil)
	for _, back := range []uint16{0, 1, 2} {
		polygon := &jt808.Polygon{AreaRule: jt808.AreaRule{ID: 7}, Vertices: make([]jt808.Vertex, 300)}
		out := sending(g, jt808.IDSetPolygon, polygon, CommandOptions{})
		m := c.readCommand()
		var got jt808.Polygon
		if err := jt808.Decode(m.body, jt808.Edition2013, &got); err != nil || len(got.Vertices) != 300 || m.head.PackageTotal != 3 {
			t.Fatalf("%+v %d %v", m.head, len(got.Vertices), err)
		}
		m.head.Serial -= back
		wrong := m
		wrong.head.Serial -= 3
		c.ack(wrong, 1)
		wrong = m
		wrong.head.ID = jt808.IDText
		c.ack(wrong, 1)
		c.ack(m, 0)
		if o := out(); o.State != CommandDone {
			t.Errorf("answered by the serial %d before the last: %+v", back, o)
		}
	}
}

func TestAnswerThatIsAMessageOfItsOwn(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2013, nil)
	reply := func(m commanded, items ...jt808.Parameter) []byte {
		return jt808.AppendBody(nil, jt808.Edition2013, &jt808.ParametersReply{Serial: m.head.Serial, Parameters: jt808.Parameters{Items: items}})
	}
	answer := func(id jt808.MessageID, body []byte) {
		w := getWork(g.sessions.of(v1).conn, 0)
		defer w.put()
		h := jt808.Header{ID: id, Phone: c.phone}
		w.answered(g.sessions.of(v1).peer, &h, body)
	}
	// 0x0001 says that the question came; the answer comes later. Other serials are for others.
	out := sending(g, jt808.IDQueryAllParameters, &jt808.Empty{}, CommandOptions{KeepReply: true})
	m := c.readCommand()
	c.ack(m, 0)
	c.ping(1)
	other := m
	other.head.Serial++
	answer(jt808.IDParametersReply, reply(other, jt808.Uint32Param(1, 9)))
	answer(jt808.IDParametersReply, []byte{1})
	answer(jt808.IDParametersReply, reply(m, jt808.Uint32Param(1, 60)))
	o := out()
	var got jt808.ParametersReply
	if err := jt808.Decode(o.Reply, jt808.Edition2013, &got); err != nil || o.State != CommandDone || o.ReplyID != jt808.IDParametersReply || len(got.Items) != 1 {
		t.Fatalf("%+v %+v %v", o, got, err)
	}
	// A terminal that refuses the question.
	out = sending(g, jt808.IDQueryAllParameters, &jt808.Empty{}, CommandOptions{})
	c.ack(c.readCommand(), 3)
	if o := out(); o.State != CommandNotSupported {
		t.Errorf("%+v", o)
	}
	// An answer without a serial is for the oldest question.
	first := sending(g, jt808.IDQueryAttributes, &jt808.Empty{}, CommandOptions{KeepReply: true})
	c.readCommand()
	second := sending(g, jt808.IDQueryAttributes, &jt808.Empty{}, CommandOptions{KeepReply: true})
	c.readCommand()
	answer(jt808.IDAttributes, []byte("one"))
	if o := first(); string(o.Reply) != "one" {
		t.Errorf("%+v", o)
	}
	answer(jt808.IDAttributes, []byte("two"))
	if o := second(); string(o.Reply) != "two" {
		t.Errorf("%+v", o)
	}
	// 0x9201: 0x1205 by the text, 0x0001 of many devices.
	out = sending(g, jt808.IDStartPlayback, &jt808.Empty{}, CommandOptions{})
	c.ack(c.readCommand(), 0)
	if o := out(); o.State != CommandDone || o.ReplyID != 0 {
		t.Errorf("%+v", o)
	}
	if n := g.openCommands(); n != 0 {
		t.Errorf("%d commands are open", n)
	}
}

func TestCommandsEndWithTheTerminal(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2013, nil)
	if o := g.Send(t.Context(), v2, jt808.IDText, &jt808.TextMessage{}, CommandOptions{}); o.State != CommandOffline {
		t.Errorf("to who is not there: %+v", o)
	}
	// It hangs up.
	out := sending(g, jt808.IDText, &jt808.TextMessage{Text: "x"}, CommandOptions{})
	c.readCommand()
	c.nc.Close()
	if o := out(); o.State != CommandGone {
		t.Errorf("hung up: %+v", o)
	}
	// It comes back on another connection: the old session's commands are not the new one's.
	a := dial(t, g.Addr().String(), "13912345678", jt808.Edition2013)
	a.login(v1)
	out = sending(g, jt808.IDText, &jt808.TextMessage{Text: "x"}, CommandOptions{})
	m := a.readCommand()
	b := dial(t, g.Addr().String(), "13912345678", jt808.Edition2013)
	b.login(v1)
	if o := out(); o.State != CommandGone {
		t.Errorf("replaced: %+v", o)
	}
	b.ack(m, 0)
	b.ping(1)
	// It signs off, and its connection goes on.
	out = sending(g, jt808.IDText, &jt808.TextMessage{Text: "x"}, CommandOptions{})
	b.readCommand()
	b.send(b.frame(jt808.IDDeregister, nil))
	if o := out(); o.State != CommandGone {
		t.Errorf("signed off: %+v", o)
	}
	b.want(b.serial-1, jt808.IDDeregister, 0)
	if o := g.Send(t.Context(), v1, jt808.IDText, &jt808.TextMessage{}, CommandOptions{}); o.State != CommandOffline {
		t.Errorf("after it signed off: %+v", o)
	}
	if n := g.openCommands(); n != 0 {
		t.Errorf("%d commands are open", n)
	}
}

// Two terminals of one vehicle: the later is meant, and when it goes, the other.
func TestTwoTerminalsOfAVehicle(t *testing.T) {
	g, a, _ := online(t, jt808.Edition2013, nil)
	b := dial(t, g.Addr().String(), "13900000002", jt808.Edition2013)
	b.login(v1)
	out := sending(g, jt808.IDText, &jt808.TextMessage{Text: "x"}, CommandOptions{})
	b.ack(b.readCommand(), 0)
	if o := out(); o.State != CommandDone {
		t.Errorf("%+v", o)
	}
	b.send(b.frame(jt808.IDDeregister, nil))
	b.want(b.serial-1, jt808.IDDeregister, 0)
	out = sending(g, jt808.IDText, &jt808.TextMessage{Text: "x"}, CommandOptions{})
	a.ack(a.readCommand(), 0)
	if o := out(); o.State != CommandDone {
		t.Errorf("%+v", o)
	}
	a.send(a.frame(jt808.IDDeregister, nil))
	a.want(a.serial-1, jt808.IDDeregister, 0)
	if len(g.sessions.byVehicle) != 0 {
		t.Error("a vehicle is still known")
	}
}

func TestCommandTimeoutAndLimits(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2013, func(cfg *Config) { cfg.MaxCommandsPerTerminal, cfg.MaxCommands = 2, 3 })
	if o := g.Send(t.Context(), v1, jt808.IDText, &jt808.TextMessage{}, CommandOptions{Timeout: time.Millisecond}); o.State != CommandTimeout {
		t.Errorf("%+v", o)
	}
	late := c.readCommand()
	c.ack(late, 0)
	c.ping(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o := g.Send(ctx, v1, jt808.IDText, &jt808.TextMessage{}, CommandOptions{}); o.State != CommandCancelled {
		t.Errorf("%+v", o)
	}
	c.readCommand()
	one := sending(g, jt808.IDText, &jt808.TextMessage{}, CommandOptions{})
	m1 := c.readCommand()
	two := sending(g, jt808.IDText, &jt808.TextMessage{}, CommandOptions{})
	m2 := c.readCommand()
	if o := g.Send(t.Context(), v1, jt808.IDText, &jt808.TextMessage{}, CommandOptions{}); o.State != CommandBusy {
		t.Errorf("the third of the terminal: %+v", o)
	}
	d := dial(t, g.Addr().String(), "13900000002", jt808.Edition2013)
	d.login(v2)
	var end sync.WaitGroup
	end.Add(1)
	g.start(v2, jt808.IDText, func(jt808.Edition) jt808.Body { return &jt808.TextMessage{} }, CommandOptions{}, func(Outcome) { end.Done() })
	if o := g.Send(t.Context(), v2, jt808.IDText, &jt808.TextMessage{}, CommandOptions{}); o.State != CommandBusy {
		t.Errorf("the fourth of all: %+v", o)
	}
	c.ack(m2, 0)
	c.ack(m1, 0)
	d.ack(d.readCommand(), 0)
	one()
	two()
	end.Wait()
	if n := g.openCommands(); n != 0 {
		t.Errorf("%d commands are open", n)
	}
}

// silentConn is a socket whose other side takes nothing.
type silentConn struct {
	net.Conn
	writing chan struct{}
	once    sync.Once
	closed  chan struct{}
}

func (s *silentConn) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.writing) })
	<-s.closed
	return 0, net.ErrClosed
}
func (s *silentConn) SetWriteDeadline(time.Time) error { return nil }
func (s *silentConn) SetReadDeadline(time.Time) error  { return nil }
func (s *silentConn) Close() error                     { close(s.closed); return nil }

// A terminal that takes nothing has a full queue; who sends to it does not wait, and others are served.
func TestSlowTerminalHoldsNobodyUp(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2013, func(cfg *Config) { cfg.MaxWriteQueue = 4096; cfg.MaxCommandsPerTerminal = 1000 })
	nc := &silentConn{writing: make(chan struct{}), closed: make(chan struct{})}
	slow := newConn(g, nc, netip.Addr{})
	phone, _ := jt808.ParsePhone("13900000002", jt808.Edition2013)
	p := &peer{phone: phone.Canonical()}
	s := &session{conn: slow, phone: p.phone, vehicle: v2, peer: p, head: jt808.Header{Phone: phone}}
	g.sessions.enter(s, nil)
	p.session = s
	states := map[CommandState]int{}
	text := &jt808.TextMessage{Text: jt808.Text(strings.Repeat("x", 100))}
	var mu sync.Mutex
	for range 100 {
		g.start(v2, jt808.IDText, func(jt808.Edition) jt808.Body { return text }, CommandOptions{}, func(o Outcome) {
			mu.Lock()
			states[o.State]++
			mu.Unlock()
		})
	}
	<-nc.writing
	mu.Lock()
	if states[CommandBusy] < 60 || len(states) != 1 || slow.out.held > 4096 {
		t.Errorf("%v, %d bytes held", states, slow.out.held)
	}
	mu.Unlock()
	huge := &jt808.Polygon{Vertices: make([]jt808.Vertex, 1000)}
	if o := g.Send(t.Context(), v2, jt808.IDSetPolygon, huge, CommandOptions{}); o.State != CommandTooLong {
		t.Errorf("%+v", o)
	}
	out := sending(g, jt808.IDText, text, CommandOptions{})
	c.ack(c.readCommand(), 0)
	if o := out(); o.State != CommandDone {
		t.Errorf("the other terminal: %+v", o)
	}
	nc.Close()
	slow.closeQueue()
	if slow.stopReason() == "" {
		t.Error("the connection of the slow terminal goes on")
	}
	if !g.sessions.leave(s) {
		t.Fatal("not online")
	}
	g.commands.gone(s)
	g.sessions.left(s)
	if o := g.Send(t.Context(), v2, jt808.IDText, text, CommandOptions{}); o.State != CommandOffline {
		t.Errorf("%+v", o)
	}
	if n := g.openCommands(); n != 0 || states[CommandGone]+states[CommandBusy] != 100 {
		t.Errorf("%d commands are open; %v", n, states)
	}
}

// Commands from many sides while the terminal reports: every frame is whole, every outcome comes.
func TestCommandsBesideReplies(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2019, nil)
	const senders, each = 4, 25
	var wg sync.WaitGroup
	outcomes := make(chan CommandState, senders*each)
	for range senders {
		wg.Go(func() {
			for range each {
				outcomes <- g.Send(context.Background(), v1, jt808.IDText, &jt808.TextMessage{Text: "}~}~"}, CommandOptions{}).State
			}
		})
	}
	serials := map[uint16]bool{}
	for commands, replies := 0, 0; commands < senders*each || replies < commands; {
		m := c.readCommand()
		if serials[m.head.Serial] {
			t.Fatalf("serial %d twice", m.head.Serial)
		}
		serials[m.head.Serial] = true
		if m.head.ID == jt808.IDPlatformAck {
			replies++
			continue
		}
		commands++
		c.send(c.position(int64(commands)), c.frame(jt808.IDTerminalAck, jt808.AppendAck(nil, jt808.Ack{Serial: m.head.Serial, ID: m.head.ID})))
	}
	wg.Wait()
	close(outcomes)
	for s := range outcomes {
		if s != CommandDone {
			t.Fatal(s)
		}
	}
}

// Whatever a terminal says about commands, it can end nothing but its own.
func TestHostileAnswers(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2013, nil)
	out := sending(g, jt808.IDText, &jt808.TextMessage{}, CommandOptions{})
	m := c.readCommand()
	d := dial(t, g.Addr().String(), "13900000002", jt808.Edition2013)
	d.ack(m, 1) // not authenticated
	d.login(v2)
	d.ack(m, 1)
	for n := range 5 {
		d.send(d.frame(jt808.IDTerminalAck, make([]byte, n)))
		c.send(c.frame(jt808.IDTerminalAck, make([]byte, n)))
	}
	d.ping(1)
	c.ping(1)
	c.ack(m, 0)
	if o := out(); o.State != CommandDone {
		t.Errorf("%+v", o)
	}
	// What waits when the gateway stops is gone.
	out = sending(g, jt808.IDText, &jt808.TextMessage{}, CommandOptions{})
	c.readCommand()
	go io.Copy(io.Discard, c.nc)
	go io.Copy(io.Discard, d.nc)
	if err := g.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if o := out(); o.State != CommandGone {
		t.Errorf("%+v", o)
	}
}

func TestCommandMetricsPage(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := newCommandMetrics(reg)
	m.count(jt808.IDText, CommandDone)
	m.count(0x9999, CommandOffline)
	p := newPromptMetrics(reg, map[string]template{"speeding": nil})
	p.count("speeding", CommandDone)
	p.count("made up", CommandDone)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		for _, metric := range f.Metric {
			labels := ""
			for _, l := range metric.Label {
				labels += " " + l.GetName() + "=" + l.GetValue()
			}
			lines = append(lines, fmt.Sprintf("%s (%s%s) %s", f.GetName(), strings.ToLower(f.GetType().String()), labels, f.GetHelp()))
		}
	}
	sort.Strings(lines)
	want := `lushao_gateway_commands_total (counter id=0x8300 outcome=done) Commands to terminals by message id and outcome.
lushao_gateway_commands_total (counter id=other outcome=offline) Commands to terminals by message id and outcome.
lushao_gateway_foreign_prompts_total (counter) Prompts for vehicles that are not online here.
lushao_gateway_open_commands (gauge) Commands to terminals that wait for their answer.
lushao_gateway_prompts_total (counter kind=other outcome=done) Prompts to drivers by kind, of those with a template, and outcome.
lushao_gateway_prompts_total (counter kind=speeding outcome=done) Prompts to drivers by kind, of those with a template, and outcome.
lushao_gateway_stray_answers_total (counter) Answers of terminals that fit no open command: repeated or too late.
lushao_gateway_unrecorded_prompt_outcomes_total (counter) Outcomes of prompts that the log did not take.`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
