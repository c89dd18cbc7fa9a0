package gateway

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

var (
	v1 = vehicle("晋E12345", 2)
	v2 = vehicle("晋E54321", 2)
)

func TestEveryEditionReportsAndIsAnsweredInItsOwn(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2011, jt808.Edition2013, jt808.Edition2019} {
		log := newFakeLog()
		g, _ := startGateway(t, testConfig(), log, nil)
		c := dial(t, g.Addr().String(), "13800138000", ed)
		begun := time.Now().UnixMilli()
		c.login(v1)
		c.ping(1)
		c.send(c.frame(jt808.IDHeartbeat, nil))
		c.want(c.serial-1, jt808.IDHeartbeat, jt808.ResultOK)
		batch := jt808.AppendBatch(nil, jt808.BatchBlindSpots, []jt808.Location{locationAt(-20), locationAt(-10)})
		c.send(c.frame(jt808.IDBatch, batch))
		c.want(c.serial-1, jt808.IDBatch, jt808.ResultOK)
		card := jt808.DriverIdentity{State: jt808.CardInserted, Time: jt808.TimeOf(base), Name: jt808.GBK("张三"), Licence: "140502198001010011", Org: jt808.GBK("晋城")}
		c.send(c.frame(jt808.IDDriverIdentity, jt808.AppendBody(nil, ed, &card)))
		c.want(c.serial-1, jt808.IDDriverIdentity, jt808.ResultOK)
		c.send(c.frame(jt808.IDTerminalAck, jt808.AppendAck(nil, jt808.Ack{})), c.frame(0x0800, make([]byte, 8)), c.frame(0x0F77, nil))
		c.want(c.serial-2, 0x0800, jt808.ResultNotSupported)
		c.want(c.serial-1, 0x0F77, jt808.ResultNotSupported)
		c.nc.Close()
		log.await(func() bool { return len(log.linksLocked()) == 2 })

		if got, want := log.positions(v1), []int64{1, -20, -10}; !slices.Equal(got, want) {
			t.Errorf("%v: positions %v, want %v", ed, got, want)
		}
		if got, want := log.links(), []string{"晋E12345 online=true authenticated", "晋E12345 online=false closed"}; !slices.Equal(got, want) {
			t.Errorf("%v: links %q, want %q", ed, got, want)
		}
		for _, e := range log.events {
			if e.Source != ingest.SourceJT808 || e.Received < begun || e.Received > time.Now().UnixMilli() {
				t.Errorf("%v: %v event from %v received at %d", ed, e.Kind, e.Source, e.Received)
			}
			if e.Kind == ingest.KindPosition {
				p := e.Position
				if p.Lat != 35_500_000 || p.Speed != 605 || p.Mileage != 1234567 || (e.Flags&ingest.FlagBackfill != 0) != (e.Time < base) {
					t.Errorf("%v: position %+v flags %v", ed, p, e.Flags)
				}
			}
			if e.Kind == ingest.KindDriverCard && (e.Driver.Name != "张三" || !e.Driver.On || e.Time != map[bool]int64{true: e.Received, false: base}[ed == jt808.Edition2011]) {
				t.Errorf("%v: driver %+v", ed, e.Driver)
			}
		}
	}
}

func TestNoReplyBeforeTheLogHasIt(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	honest := dial(t, g.Addr().String(), "2", jt808.Edition2013)
	honest.login(v2)

	resume := log.stall()
	c.send(c.position(1), c.position(2))
	log.await(func() bool { return log.waiting == 1 })
	c.nc.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // nothing to wait for: the event is that nothing comes
	if n, err := c.nc.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
		t.Fatalf("%d bytes before the log had the positions (%v)", n, err)
	}
	if n := len(log.positions(v1)); n != 0 {
		t.Fatalf("%d positions in a log that is stalled", n)
	}
	resume()
	c.want(c.serial-2, jt808.IDLocation, jt808.ResultOK)
	c.want(c.serial-1, jt808.IDLocation, jt808.ResultOK)

	// Refused for good: result 1, never 0; and when it is back the same connection goes on.
	log.setRefuse(errRefused)
	c.send(c.position(3))
	c.want(c.serial-1, jt808.IDLocation, jt808.ResultFailed)
	c.send(c.frame(jt808.IDHeartbeat, nil))
	c.want(c.serial-1, jt808.IDHeartbeat, jt808.ResultOK)
	log.setRefuse(nil)
	c.ping(4)
	honest.ping(5)
	if got, want := log.positions(v1), []int64{1, 2, 4}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// countingConn counts the platform's writes, for a connection that the test serves itself.
type countingConn struct {
	net.Conn
	writes chan int
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes <- len(b)
	return c.Conn.Write(b)
}

func TestAllRepliesOfOneReadInOneWrite(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close() })
	counted := &countingConn{there, make(chan int, 100)}
	g.admit(counted)
	c := onConn(t, here, "1", jt808.Edition2013)
	c.login(v1)
	for len(counted.writes) > 0 {
		<-counted.writes
	}
	// Two reads, however a pipe delivers them: the gateway's buffer of 2 KiB takes all of this at once.
	var frames []byte
	for i := range 20 {
		frames = append(frames, c.position(int64(i))...)
	}
	if len(frames) >= minBuffer {
		t.Fatalf("%d bytes do not fit into one read", len(frames))
	}
	c.send(frames)
	for i := range 20 {
		c.want(c.serial-20+uint16(i), jt808.IDLocation, jt808.ResultOK)
	}
	if n := len(counted.writes); n != 1 {
		t.Errorf("%d writes for the replies of one read", n)
	}
}

func TestEveryChopping(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2019)
	c.login(v1)
	for _, size := range []int{1, 2, 3, 7, 17, 50, 1000} {
		var stream []byte
		for i := range 5 {
			stream = append(stream, c.position(int64(i))...)
		}
		for at := 0; at < len(stream); at += size {
			c.send(stream[at:min(at+size, len(stream))])
		}
		for i := range 5 {
			c.want(c.serial-5+uint16(i), jt808.IDLocation, jt808.ResultOK)
		}
	}
	if n := len(log.positions(v1)); n != 35 {
		t.Errorf("%d positions, want 35", n)
	}
}

func TestUnauthenticatedIsClosed(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	var frames []byte
	for range 12 {
		frames = append(frames, c.position(1)...)
	}
	c.send(frames)
	replies := c.wantEnd()
	if len(replies) != 10 {
		t.Errorf("%d replies before the end, want 10", len(replies))
	}
	for _, r := range replies {
		if r.ack.Result != jt808.ResultFailed {
			t.Errorf("reply %+v", r.ack)
		}
	}
	if len(log.events) != 0 {
		t.Errorf("%d events in the log", len(log.events))
	}
	for _, id := range []jt808.MessageID{jt808.IDRegister, jt808.IDAuthenticate, jt808.IDTerminalAck, 0x0F77} {
		c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
		m := jt808.Register{Color: 2, Plate: jt808.GBK(v1.Plate())}
		body, frames := jt808.AppendBody(nil, c.ed, &m), []byte(nil)
		for range 10 {
			frames = append(frames, c.frame(id, body)...)
		}
		c.send(frames)
		if n, want := len(c.wantEnd()), 10; id != jt808.IDTerminalAck && n != want {
			t.Errorf("%v: %d replies, want %d", id, n, want)
		}
	}
}

// discard is a connection that takes everything.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }
func (discard) SetReadDeadline(time.Time) error  { return nil }

// sink is a log that keeps nothing.
type sink struct{}

func (sink) Partitions() int                           { return fakePartitions }
func (s sink) NewBatch() Batch                         { return s }
func (sink) Append(context.Context, int, []byte) error { return nil }
func (sink) Wait(context.Context) error                { return nil }

func TestTakingPositionsAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector sync.Pool forgets at random, so that there are allocations")
	}
	g, _ := startGateway(t, testConfig(), sink{}, nil)
	c := newConn(g, discard{}, netip.Addr{})
	c.bucket.rate = 0
	c.buf = getBuffer(minBuffer)
	term := onConn(t, nil, "1", jt808.Edition2013)
	feed := func(frames []byte) {
		c.held = copy(c.buf, frames)
		if reason := c.take(time.Now()); reason != "" {
			t.Fatal(reason)
		}
	}
	feed(term.authFrame(g.signer.code("1", v1)))
	reads := make([][]byte, 300) // all different: what is repeated is not taken again
	for i := range reads {
		for k := range 10 {
			reads[i] = append(reads[i], term.position(int64(10*i+k))...)
		}
	}
	next := func() {
		feed(reads[0])
		reads = reads[1:]
	}
	for range 10 {
		next()
	}
	if n := testing.AllocsPerRun(200, next); n > 0 {
		t.Errorf("%v allocations for a read of 10 positions", n)
	}
	if n := testutil.ToFloat64(g.metrics.events[ingest.KindPosition]); n < 2000 {
		t.Errorf("%v positions were taken", n)
	}
}

func TestBadPositions(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	send := func(id jt808.MessageID, body []byte, want uint8) {
		t.Helper()
		c.send(c.frame(id, body))
		c.want(c.serial-1, id, want)
	}
	l := locationAt(1)
	whole := jt808.AppendLocation(nil, &l)
	send(jt808.IDLocation, whole[:27], jt808.ResultMalformed)
	send(jt808.IDLocation, nil, jt808.ResultMalformed)
	send(jt808.IDLocation, append(slices.Clone(whole), 0x03, 9, 1), jt808.ResultOK) // broken extras: kept
	noDate := locationAt(2)
	noDate.Time = jt808.Time{0x26, 0x13, 0x41, 0, 0, 0}
	send(jt808.IDLocation, jt808.AppendLocation(nil, &noDate), jt808.ResultMalformed)
	send(jt808.IDBatch, jt808.AppendBatch(nil, 0, []jt808.Location{noDate}), jt808.ResultMalformed)
	send(jt808.IDBatch, jt808.AppendBatch(nil, 0, []jt808.Location{noDate, locationAt(3)}), jt808.ResultOK)
	send(jt808.IDBatch, []byte{0}, jt808.ResultMalformed)
	send(jt808.IDBatch, []byte{0, 1, 0, 0, 2, 1, 1}, jt808.ResultMalformed)
	send(jt808.IDDriverIdentity, []byte{1, 0x26, 0x05}, jt808.ResultMalformed)
	if got, want := log.positions(v1), []int64{1, 3}; !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
	if n := testutil.ToFloat64(g.metrics.refused[refusedNoDate]); n != 3 {
		t.Errorf("%v counted for no date, want 3", n)
	}
	if n := testutil.ToFloat64(g.metrics.extrasErrors); n != 1 {
		t.Errorf("%v counted for broken extras, want 1", n)
	}
}

func TestSubPackages(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	var ls []jt808.Location
	for i := range 100 {
		ls = append(ls, locationAt(int64(i)))
	}
	body := jt808.AppendBatch(nil, jt808.BatchBlindSpots, ls)
	n := uint16(jt808.Frames(len(body)))
	first := c.serial
	parts := splitFrames(c.frame(jt808.IDBatch, body))
	if len(parts) != int(n) || n < 3 {
		t.Fatalf("%d parts of %d", len(parts), n)
	}
	slices.Reverse(parts)
	c.send(parts[:n-1]...)
	// A part is in memory only, so nothing may be said yet: the heartbeat's reply comes first.
	c.send(c.frame(jt808.IDHeartbeat, nil))
	c.want(c.serial-1, jt808.IDHeartbeat, jt808.ResultOK)
	log.setRefuse(errRefused)
	c.send(parts[n-1])
	for i := range n {
		c.want(first+i, jt808.IDBatch, jt808.ResultFailed)
	}
	log.setRefuse(nil)
	c.send(parts...)
	for i := range n {
		c.want(first+i, jt808.IDBatch, jt808.ResultOK)
	}
	c.send(parts[0]) // its acknowledgement did not arrive
	c.want(first+n-1, jt808.IDBatch, jt808.ResultOK)
	if got := log.positions(v1); len(got) != 100 {
		t.Errorf("%d positions, want 100", len(got))
	}
	if b := g.partial.Load(); b != 0 {
		t.Errorf("%d bytes of parts held", b)
	}
	// A flood of first parts is bounded, by what each connection and all of them may hold.
	h := jt808.Header{ID: jt808.IDBatch, Phone: c.phone, PackageTotal: 4000, PackageNo: 1}
	for i := range 500 {
		h.Serial = uint16(i) * 100
		c.send(jt808.AppendFrame(nil, &h, make([]byte, 1000)))
	}
	c.ping(200)
	if b := g.partial.Load(); b <= 0 || b > int64(g.cfg.MaxPartial) {
		t.Errorf("%d bytes of parts held, at most %d", b, g.cfg.MaxPartial)
	}
	c.nc.Close()
	log.await(func() bool { return len(log.linksLocked()) == 2 })
	if b := g.partial.Load(); b != 0 {
		t.Errorf("%d bytes of parts held after the connection ended", b)
	}
}

// splitFrames cuts a stream into its frames, delimiters included.
func splitFrames(stream []byte) (frames [][]byte) {
	for len(stream) > 0 {
		end := bytes.IndexByte(stream[1:], 0x7e) + 2
		frames = append(frames, stream[:end])
		stream = stream[end:]
	}
	return frames
}

func TestShutdownAcknowledgesWhatWasRead(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	idle := dial(t, g.Addr().String(), "2", jt808.Edition2013)
	c.login(v1)
	idle.login(v2)
	resume := log.stall()
	c.send(c.position(1))
	log.await(func() bool { return log.waiting == 1 })
	ended := make(chan error, 1)
	go func() { ended <- g.Shutdown(t.Context()) }()
	for g.Ready() {
		runtime.Gosched()
	}
	select {
	case err := <-ended:
		t.Fatalf("Shutdown returned before the log had what was read: %v", err)
	default:
	}
	resume()
	c.want(c.serial-1, jt808.IDLocation, jt808.ResultOK)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	c.wantEnd()
	idle.wantEnd()
	if nc, err := net.Dial("tcp", g.Addr().String()); err == nil {
		nc.Close()
		t.Error("it still listens")
	}
	if got := log.links(); len(got) != 4 || !strings.Contains(strings.Join(got[2:], " "), "online=false shutdown") {
		t.Errorf("links %q", got)
	}
}

func TestShutdownGivesUpAStalledLog(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	defer log.stall()()
	c.send(c.position(1))
	log.await(func() bool { return log.waiting == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Shutdown(ctx); err == nil {
		t.Error("Shutdown did not say that it gave up")
	}
	if replies := c.wantEnd(); len(replies) != 0 {
		t.Errorf("%d replies for what is not in the log", len(replies))
	}
}

func TestEveryRouteIsInTheTableOnce(t *testing.T) {
	seen := map[jt808.MessageID]bool{}
	for _, r := range routes {
		if seen[r.id] {
			t.Errorf("%v twice", r.id)
		}
		seen[r.id] = true
		if !reflect.DeepEqual(routeOf[r.id].id, r.id) {
			t.Errorf("%v is found as another", r.id)
		}
	}
}
