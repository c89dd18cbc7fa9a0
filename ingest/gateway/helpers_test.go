package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

const fakePartitions = 4

// fakeLog is an events topic that can stall, refuse and come back.
type fakeLog struct {
	mu      sync.Mutex
	changed *sync.Cond
	refuse  error
	stalled chan struct{} // Wait blocks until it is closed; nil: not stalled
	waiting int           // Waits that blocked
	events  []ingest.Event
	places  []int // of each event
	taken   int   // places
	largest int   // bytes of the largest payload
}

var errRefused = errors.New("the log refuses")

func newFakeLog() *fakeLog {
	l := &fakeLog{}
	l.changed = sync.NewCond(&l.mu)
	return l
}

func (l *fakeLog) Partitions() int { return fakePartitions }
func (l *fakeLog) NewBatch() Batch { return &fakeBatch{log: l} }

func (l *fakeLog) stall() (resume func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan struct{})
	l.stalled = ch
	return func() {
		l.mu.Lock()
		l.stalled = nil
		l.mu.Unlock()
		close(ch)
	}
}

func (l *fakeLog) setRefuse(err error) {
	l.mu.Lock()
	l.refuse = err
	l.mu.Unlock()
}

// await blocks until cond holds; the test's own timeout ends it when it never does.
func (l *fakeLog) await(cond func() bool) {
	l.mu.Lock()
	for !cond() {
		l.changed.Wait()
	}
	l.mu.Unlock()
}

// fakeBatch takes a place in the log with Append, as a real one does; the log has it after Wait.
type fakeBatch struct {
	log    *fakeLog
	held   []ingest.Event
	places []int // of each in the log
}

func (b *fakeBatch) Append(ctx context.Context, partition int, payload []byte) error {
	b.log.mu.Lock()
	b.log.largest = max(b.log.largest, len(payload))
	b.log.mu.Unlock()
	payload = bytes.Clone(payload)
	for len(payload) > 0 {
		var e ingest.Event
		rest, err := ingest.DecodeEvent(payload, &e)
		if err != nil {
			return err
		}
		if e.Vehicle.Partition(fakePartitions) != partition {
			return fmt.Errorf("%v in partition %d", e.Vehicle, partition)
		}
		b.log.mu.Lock()
		b.log.taken++
		b.held, b.places = append(b.held, e), append(b.places, b.log.taken)
		b.log.mu.Unlock()
		payload = rest
	}
	return nil
}

func (b *fakeBatch) Wait(ctx context.Context) error {
	l := b.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch := l.stalled; ch != nil {
		l.waiting++
		l.changed.Broadcast()
		l.mu.Unlock()
		select {
		case <-ch:
		case <-ctx.Done():
		}
		l.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if l.refuse != nil {
		return l.refuse
	}
	for i, e := range b.held {
		at, _ := slices.BinarySearch(l.places, b.places[i])
		l.events, l.places = slices.Insert(l.events, at, e), slices.Insert(l.places, at, b.places[i])
	}
	b.held, b.places = nil, nil
	l.changed.Broadcast()
	return nil
}

// positions are the times of a vehicle's positions in the log, in seconds after base.
func (l *fakeLog) positions(v ingest.Vehicle) (seconds []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.events {
		if e := &l.events[i]; e.Kind == ingest.KindPosition && e.Vehicle == v {
			seconds = append(seconds, (e.Time-base)/1000)
		}
	}
	return seconds
}

// links are the link events in the log.
func (l *fakeLog) links() (s []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.linksLocked()
}

func (l *fakeLog) linksLocked() (s []string) {
	for _, e := range l.events {
		if e.Kind == ingest.KindLink {
			s = append(s, fmt.Sprintf("%s online=%v %s", e.Vehicle.Plate(), e.Link.Online, e.Link.Reason))
		}
	}
	return s
}

// base is 2026-05-01T08:00:00+08:00.
var base = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

func vehicle(plate string, color ingest.Color) ingest.Vehicle {
	v, err := ingest.NewVehicle(plate, color)
	if err != nil {
		panic(err)
	}
	return v
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.AuthSecret = "a secret of the tests, long enough"
	return cfg
}

func startGateway(t testing.TB, cfg Config, log Log, register Register) (*Gateway, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	g, err := New(cfg, Deps{Log: log, Register: register, Logger: slog.New(slog.DiscardHandler), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		g.Shutdown(ctx)
	})
	return g, reg
}

// terminal is a client with one phone on one connection.
type terminal struct {
	t      testing.TB
	nc     net.Conn
	phone  jt808.Phone
	ed     jt808.Edition
	serial uint16
	framer jt808.Framer
	buf    []byte
	code   string
	shaken int // replies that were read
}

func dial(t testing.TB, addr string, phone string, ed jt808.Edition) *terminal {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return onConn(t, nc, phone, ed)
}

func onConn(t testing.TB, nc net.Conn, phone string, ed jt808.Edition) *terminal {
	t.Helper()
	p, err := jt808.ParsePhone(phone, ed)
	if err != nil {
		t.Fatal(err)
	}
	return &terminal{t: t, nc: nc, phone: p, ed: ed}
}

func (c *terminal) frame(id jt808.MessageID, body []byte) []byte {
	h := jt808.Header{ID: id, Phone: c.phone, Serial: c.serial}
	if c.ed == jt808.Edition2019 {
		h.Edition, h.Version = c.ed, 1
	}
	c.serial += uint16(jt808.Frames(len(body)))
	return jt808.AppendFrame(nil, &h, body)
}

func (c *terminal) send(frames ...[]byte) {
	c.t.Helper()
	if _, err := c.nc.Write(bytes.Join(frames, nil)); err != nil {
		c.t.Fatal(err)
	}
}

type got struct {
	head jt808.Header
	ack  jt808.Ack           // of 0x8001
	reg  jt808.RegisterReply // of 0x8100
}

// read returns the next reply.
func (c *terminal) read() (got, error) {
	for {
		frame, n, err := c.framer.Next(c.buf)
		if err != nil {
			return got{}, err
		}
		if frame != nil {
			var g got
			body, err := g.head.Decode(frame)
			if err == nil && g.head.ID == jt808.IDRegisterReply {
				err = jt808.Decode(body, c.ed, &g.reg)
			} else if err == nil {
				err = jt808.Decode(body, c.ed, &g.ack)
			}
			c.buf = append([]byte(nil), c.buf[n:]...)
			c.shaken++
			return g, err
		}
		c.buf = c.buf[n:]
		chunk := make([]byte, 64<<10)
		c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err = c.nc.Read(chunk)
		if n == 0 && err != nil {
			return got{}, err
		}
		c.buf = append(c.buf, chunk[:n]...)
	}
}

// want reads a general acknowledgement of the serial and checks its result.
func (c *terminal) want(serial uint16, id jt808.MessageID, result uint8) {
	c.t.Helper()
	r, err := c.read()
	if err != nil {
		c.t.Fatalf("reply to %v: %v", id, err)
	}
	if r.head.ID != jt808.IDPlatformAck || r.ack != (jt808.Ack{Serial: serial, ID: id, Result: result}) || r.head.Phone != c.phone {
		c.t.Fatalf("reply %v %+v to phone %v, want result %d to %v, serial %d", r.head.ID, r.ack, r.head.Phone, result, id, serial)
	}
}

// wantEnd reads until the platform hangs up; the replies before it are returned.
func (c *terminal) wantEnd() (replies []got) {
	c.t.Helper()
	for {
		r, err := c.read()
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				c.t.Fatal("the platform does not hang up")
			}
			return replies
		}
		replies = append(replies, r)
	}
}

func (c *terminal) register(v ingest.Vehicle) jt808.RegisterReply {
	c.t.Helper()
	m := jt808.Register{Maker: "HF001", Model: "TX-100", TerminalID: "A10203C", Color: uint8(v.Color), Plate: jt808.GBK(v.Plate())}
	c.send(c.frame(jt808.IDRegister, jt808.AppendBody(nil, c.ed, &m)))
	r, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	if r.head.ID != jt808.IDRegisterReply || r.reg.Serial != c.serial-1 {
		c.t.Fatalf("reply to the registration: %+v", r)
	}
	c.code = string(r.reg.AuthCode)
	return r.reg
}

func (c *terminal) authFrame(code string) []byte {
	return c.frame(jt808.IDAuthenticate, jt808.AppendBody(nil, c.ed, &jt808.Authenticate{AuthCode: jt808.Text(code), IMEI: "861234050099317", Software: "V2"}))
}

// login registers and authenticates.
func (c *terminal) login(v ingest.Vehicle) {
	c.t.Helper()
	if r := c.register(v); r.Result != jt808.RegisterOK {
		c.t.Fatalf("registration: result %d", r.Result)
	}
	c.send(c.authFrame(c.code))
	c.want(c.serial-1, jt808.IDAuthenticate, jt808.ResultOK)
}

func locationAt(seconds int64) jt808.Location {
	l := jt808.Location{Status: jt808.StatusACC | jt808.StatusLocated, Speed: 605, Time: jt808.TimeOf(base + seconds*1000),
		Extras: jt808.Extras{0x01, 4, 0, 0x12, 0xD6, 0x87}}
	l.SetCoordinates(35_500_000, 112_850_000)
	return l
}

func (c *terminal) position(seconds int64) []byte {
	l := locationAt(seconds)
	return c.frame(jt808.IDLocation, jt808.AppendLocation(nil, &l))
}

// ping proves that the terminal is served: a position goes in and is acknowledged.
func (c *terminal) ping(seconds int64) {
	c.t.Helper()
	c.send(c.position(seconds))
	c.want(c.serial-1, jt808.IDLocation, jt808.ResultOK)
}

func readAll(nc net.Conn) ([]byte, error) {
	nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	return io.ReadAll(nc)
}
