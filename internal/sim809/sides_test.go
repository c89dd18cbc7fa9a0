package sim809

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/eventfile"
	"lushao/ingest/jt809"
)

// fast is a configuration of both sides for a run of a second or so.
func fast(side Side, edition string, encrypt bool) Config {
	c := DefaultConfig()
	c.Side, c.Edition, c.Encrypt = side, edition, encrypt
	if encrypt {
		c.Cipher = jt809.Cipher{M1: 56107078, IA1: 37382110, IC1: 50361430}
	}
	c.Listen, c.SubListen = "127.0.0.1:0", "127.0.0.1:0"
	c.Platforms, c.Fleet.Vehicles = 2, 20
	c.Fleet.WeighURL = ""
	c.Fleet.Start = time.Date(2025, 3, 4, 8, 0, 0, 0, time.UTC)
	c.Fleet.Duration, c.Fleet.Rate = time.Hour, 0
	c.FaultPause, c.Prove = 5*time.Millisecond, 50*time.Millisecond
	c.Heartbeat, c.AckTimeout, c.Silence = 200*time.Millisecond, time.Minute, time.Minute
	c.BackoffMin, c.BackoffMax = 5*time.Millisecond, 50*time.Millisecond
	c.InspectEvery, c.SuperviseEvery, c.ExchangeEvery, c.ControlEvery = 20*time.Millisecond, 25*time.Millisecond, 30*time.Millisecond, 10*time.Millisecond
	c.CountEvery, c.AlarmEvery, c.Window = 500, 100, 2000
	return c
}

// key is what a position is known by.
type key struct {
	vehicle ingest.Vehicle
	time    int64
}

// meeting is a superior and inferior platforms that report to it.
type meeting struct {
	up, down Report // of the inferior and the superior side
	truth    bytes.Buffer
	sent     bytes.Buffer
	came     bytes.Buffer

	mu    sync.Mutex
	acked map[key]bool
	taken map[key]bool
	early int // positions acknowledged before they were taken
}

// meet lets both sides work until the inferior one is done. change, if set, changes the configuration of both. enough, if set, says
// that the superior has asked what it was to ask: before, the fleet does not come to its end.
func meet(t *testing.T, edition string, encrypt bool, change func(*Config), enough func(superior *Sim) bool) *meeting {
	t.Helper()
	m := &meeting{acked: map[key]bool{}, taken: map[key]bool{}}
	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
	defer stop()
	logger := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	address := make(chan net.Addr, 1)
	sc := fast(Superior, edition, encrypt)
	sc.Logger = logger
	if change != nil {
		change(&sc)
	}
	sc.OnListen = func(a net.Addr) { address <- a }
	sc.Events = &m.came
	sc.OnTake = func(e *ingest.Event) {
		m.mu.Lock()
		m.taken[key{e.Vehicle, e.Time}] = true
		m.mu.Unlock()
	}
	superior, err := New(sc)
	if err != nil {
		t.Fatal(err)
	}
	working, done := context.WithCancel(ctx)
	defer done()
	ended := make(chan error, 1)
	go func() {
		var err error
		m.down, err = superior.Run(working)
		ended <- err
	}()
	ic := fast(Inferior, edition, encrypt)
	ic.Logger = logger
	if change != nil {
		change(&ic)
	}
	select {
	case a := <-address:
		ic.Gateway = a.String()
	case err := <-ended:
		t.Fatal("the superior ended: ", err)
	}
	ic.Fleet.Truth, ic.Fleet.Events = &m.truth, &m.sent
	if enough != nil {
		ic.Fleet.Events = &gate{ctx: ctx, w: &m.sent, from: ic.Platforms * ic.Window, open: func() bool { return enough(superior) }}
	}
	ic.Fleet.OnAck = func(v ingest.Vehicle, at int64) {
		m.mu.Lock()
		m.acked[key{v, at}] = true
		if !m.taken[key{v, at}] {
			m.early++
		}
		m.mu.Unlock()
	}
	inferior, err := New(ic)
	if err != nil {
		t.Fatal(err)
	}
	if m.up, err = inferior.Run(ctx); err != nil {
		t.Fatalf("inferior: %v; %+v", err, m.up)
	}
	done()
	if err := <-ended; err != nil {
		t.Fatal("superior: ", err)
	}
	if m.early > 0 {
		t.Errorf("%d positions were acknowledged that had not arrived", m.early)
	}
	return m
}

// gate is a writer of events that holds the fleet up, after so many of them, until it is open. Where that many are more than may wait for
// their proof, some have been proven by then: the links stand.
type gate struct {
	ctx  context.Context
	w    io.Writer
	from int
	open func() bool
	seen int
}

func (g *gate) Write(b []byte) (int, error) {
	g.seen += bytes.Count(b, []byte("\n"))
	for g.seen > g.from && !g.open() && sleep(g.ctx, time.Millisecond) {
	}
	return g.w.Write(b)
}

// onTheWay is how many messages to the superior may have been on their way when the goodbye for both links came: answers.
func onTheWay(superior *Report) int64 {
	return superior.Unanswered + superior.Sent[jt809.IDSubHeartbeat] - superior.Received[jt809.IDSubHeartbeatReply]
}

// read is the positions of an events file.
func read(t *testing.T, r io.Reader) map[key]ingest.Event {
	t.Helper()
	all := map[key]ingest.Event{}
	rd := eventfile.NewReader(r, "events")
	var e ingest.Event
	for {
		err := rd.Read(&e)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != ingest.KindPosition {
			continue
		}
		k := key{e.Vehicle, e.Time}
		if _, twice := all[k]; twice {
			t.Errorf("%v at %d is written twice", e.Vehicle, e.Time)
		}
		e.Received, e.Flags = 0, 0 // differ as they must
		e.Position.Extras = bytes.Clone(e.Position.Extras)
		all[k] = e
	}
}

// same compares what was sent with what arrived.
func (m *meeting) same(t *testing.T) {
	t.Helper()
	sent, came := read(t, &m.sent), read(t, &m.came)
	if len(sent) == 0 || len(sent) != len(came) {
		t.Errorf("%d positions were sent, %d arrived", len(sent), len(came))
	}
	wrong := 0
	for k, a := range sent {
		b, ok := came[k]
		if x, y := string(eventfile.AppendJSON(nil, &a)), string(eventfile.AppendJSON(nil, &b)); !ok || x != y {
			if wrong++; wrong <= 3 {
				t.Errorf("sent    %s\narrived %s", x, y)
			}
		}
	}
	if wrong > 3 {
		t.Errorf("%d positions did not arrive as they were sent", wrong)
	}
	if n := m.up.Fleet.Positions; n.Sent != int64(len(sent)) || n.Acknowledged != n.Sent || int64(len(m.acked)) != n.Sent {
		t.Errorf("positions: %+v, acknowledged by callback %d; want %d of all", n, len(m.acked), len(sent))
	}
	if m.down.Positions != int64(len(sent)) {
		t.Errorf("the superior counts %d positions of %d", m.down.Positions, len(sent))
	}
}

func TestWhatArrivesIsWhatWasSent(t *testing.T) {
	for _, edition := range []string{"2011", "2013", "2019"} {
		for _, encrypt := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,encrypted=%t", edition, encrypt), func(t *testing.T) {
				t.Parallel()
				// The fleet can be at its end before the superior has called back over both sub links.
				m := meet(t, edition, encrypt, nil, func(superior *Sim) bool { return superior.n.subLinks.Load() >= 2 })
				m.same(t)
				if m.down.Duplicates+m.down.Disordered+m.down.BadFrames+m.up.BadFrames+m.down.Repeated+m.down.Unregistered != 0 || m.down.Gaps > onTheWay(&m.down) {
					t.Errorf("without faults: %+v", m.down)
				}
				if m.down.Logins != 2 || m.up.Logins != 2 || m.down.SubLinks != 2 || m.up.Breaks+m.down.Breaks != 0 || m.up.Proofs == 0 {
					t.Errorf("links: up %+v down %+v", m.up, m.down)
				}
				if got := m.down.Received[jt809.IDRegistration]; got != 20 {
					t.Errorf("%d registrations, want one of each vehicle", got)
				}
				if m.down.Unmatched != 0 {
					t.Errorf("%d answers had no request", m.down.Unmatched)
				}
			})
		}
	}
}

// TestRequests lets the fleet drive until everything has been asked and answered several times.
func TestRequests(t *testing.T) {
	for _, edition := range []string{"2011", "2013", "2019"} {
		t.Run(edition, func(t *testing.T) {
			t.Parallel()
			var want []jt809.MessageID
			for asked := range answerOf {
				if edition == "2019" || asked != jt809.IDTransferQuery && asked != jt809.IDRouteQuery {
					want = append(want, asked) // 2011 and 2013 have no such message
				}
			}
			m := meet(t, edition, true, func(c *Config) { c.Fleet.Duration, c.Window = 20*time.Minute, 200 }, func(superior *Sim) bool {
				return !slices.ContainsFunc(want, func(id jt809.MessageID) bool { return superior.answers(id) < 5 })
			})
			m.same(t)
			total := int64(0)
			for _, asked := range want {
				a, b := m.down.Asked[asked], m.down.Answered[asked]
				if total += a; b == 0 || b > a {
					t.Errorf("%v: %d asked, %d answered", asked, a, b)
				}
			}
			// At the end some may be on their way: all that were asked while the other side did not come to the processor.
			if m.down.Unmatched != 0 || m.down.Unanswered > total/4 {
				t.Errorf("%d answers without a request, %d requests of %d without an answer", m.down.Unmatched, m.down.Unanswered, total)
			}
		})
	}
}

func TestTruthIsThatOf808(t *testing.T) {
	// The same seed and start give the same violations; 2019 carries what terminals say without loss.
	m := meet(t, "2019", false, func(c *Config) { c.Fleet.Duration = 4 * time.Hour }, nil)
	c := fast(Inferior, "2019", false).Fleet
	c.Duration = 4 * time.Hour
	want := truthOf(t, c)
	got := lines(t, m.truth.Bytes())
	if len(want) == 0 {
		t.Fatal("nothing was driven")
	}
	for l := range want {
		if !got[l] {
			t.Errorf("missing: %s", l)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d violations, want %d", len(got), len(want))
	}
}

func lines(t *testing.T, b []byte) map[string]bool {
	t.Helper()
	m := map[string]bool{}
	for l := range bytes.Lines(b) {
		if !json.Valid(l) {
			t.Fatalf("not JSON: %s", l)
		}
		m[string(bytes.TrimSpace(l))] = true
	}
	return m
}
