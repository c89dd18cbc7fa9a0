package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest/jt809"
)

var constants = jt809.Cipher{M1: 10000000, IA1: 20000000, IC1: 30000000}

// recorder is a handler that copies what it is given.
type recorder struct {
	frames  chan message
	drained chan int
	fail    error
	block   chan struct{} // frames wait until it is closed, and say so on entered
	entered chan struct{}
	n       int
}

type message struct {
	head jt809.Header
	body []byte
}

func newRecorder() *recorder {
	return &recorder{frames: make(chan message, 100_000), drained: make(chan int, 100_000)}
}

func (r *recorder) Frame(h *jt809.Header, body []byte) error {
	if r.block != nil {
		r.entered <- struct{}{}
		<-r.block
	}
	r.n++
	r.frames <- message{*h, slices.Clone(body)}
	return r.fail
}

func (r *recorder) Drained() error { r.drained <- r.n; return nil }

// pair returns both ends of a loopback connection.
func pair(t *testing.T) (ours, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

// run starts a connection and returns what its end will be.
func run(t *testing.T, nc net.Conn, o Options, h Handler) (*Conn, chan error) {
	t.Helper()
	c := New(nc, o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() { defer close(done); ended <- c.Run(ctx, h) }()
	t.Cleanup(func() { cancel(); <-done })
	return c, ended
}

func frameOf(ed jt809.Edition, c jt809.Cipher, key uint32, serial uint32, id jt809.MessageID, body []byte) []byte {
	h := jt809.Header{Serial: serial, ID: id, Centre: 7, Edition: ed, Time: 1717569012, Encrypted: key != 0, Key: key}
	return jt809.AppendFrame(nil, &h, c, body)
}

func get(t *testing.T, r *recorder) message {
	t.Helper()
	select {
	case m := <-r.frames:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no frame within 10 s")
		panic(0)
	}
}

func endOf(t *testing.T, ended chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the connection did not end within 20 s")
		return nil
	}
}

func TestReadsBothEditionsPlainAndEncryptedHoweverChopped(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		for _, key := range []uint32{0, 12345} {
			ours, theirs := pair(t)
			r := newRecorder()
			_, ended := run(t, ours, Options{Edition: ed, Cipher: constants}, r)
			bodies := [][]byte{{}, {0x5b}, {0x5a, 0x5d, 0x5e}, bytes.Repeat([]byte{0x5e, 1}, 40_000), {1, 2, 3}}
			var wire []byte
			for i, b := range bodies {
				wire = append(wire, frameOf(ed, constants, key, uint32(i), jt809.IDExchangeUp, b)...)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			for len(wire) > 0 {
				n := min(1+rng.IntN(5000), len(wire))
				theirs.Write(wire[:n])
				wire = wire[n:]
			}
			for i, want := range bodies {
				m := get(t, r)
				if m.head.Serial != uint32(i) || !bytes.Equal(m.body, want) {
					t.Errorf("edition %v key %d: frame %d: serial %d, %d bytes; want %d bytes", ed, key, i, m.head.Serial, len(m.body), len(want))
				}
			}
			theirs.Close()
			if err := endOf(t, ended); !errors.Is(err, io.EOF) {
				t.Errorf("ended with %v, want EOF", err)
			}
		}
	}
}

func TestBadFramesAreDroppedAndTheLinkStays(t *testing.T) {
	ours, theirs := pair(t)
	r := newRecorder()
	m := NewVectors(prometheus.NewRegistry(), "superior").Of("p", Main)
	c, _ := run(t, ours, Options{Edition: jt809.Edition2011, MaxFrame: 64 << 10, Metrics: m}, r)
	good := frameOf(jt809.Edition2011, jt809.Cipher{}, 0, 9, jt809.IDHeartbeat, nil)
	bad := slices.Clone(good)
	bad[5] ^= 1
	var wire []byte
	wire = append(wire, "GET / HTTP/1.1\r\n\r\n"...)
	wire = append(wire, bad...)
	wire = append(wire, good[:10]...)             // half a frame
	wire = append(wire, good...)                  // 1
	wire = append(wire, make([]byte, 200_000)...) // outside of any frame
	wire = append(wire, bytes.Repeat([]byte{0x5b}, 100_000)...)
	wire = append(wire, good...) // 2
	wire = append(wire, 0x5b)
	wire = append(wire, make([]byte, 200_000)...) // a frame that never ends
	wire = append(wire, 0x5d)
	wire = append(wire, frameOf(jt809.Edition2011, constants, 5, 9, jt809.IDExchangeUp, []byte("no constants are known"))...)
	wire = append(wire, good...) // 3
	if _, err := theirs.Write(wire); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got := get(t, r); got.head.ID != jt809.IDHeartbeat {
			t.Fatalf("got %v", got.head)
		}
	}
	if k := m.Counts(); k.FramesIn > 3 || k.BadFrames < 3 {
		t.Errorf("counts %+v", k)
	}
	if c.LastRead().IsZero() {
		t.Error("no last read")
	}
}

func TestLearnsTheEditionFromTheLogin(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		ours, theirs := pair(t)
		r := newRecorder()
		c, _ := run(t, ours, Options{}, r)
		body := jt809.AppendBody(nil, ed, &jt809.Login{})
		theirs.Write(append(frameOf(ed, jt809.Cipher{}, 0, 1, jt809.IDLogin, body), frameOf(ed, jt809.Cipher{}, 0, 2, jt809.IDHeartbeat, nil)...))
		get(t, r)
		if m := get(t, r); m.head.ID != jt809.IDHeartbeat {
			t.Errorf("%v: got %v", ed, m.head.ID)
		}
		if c.Edition() != ed {
			t.Errorf("edition %v, want %v", c.Edition(), ed)
		}
	}
}

func TestWritesInTheOrderOfSerialsFromManyGoroutines(t *testing.T) {
	ours, theirs := pair(t)
	c, _ := run(t, ours, Options{Edition: jt809.Edition2011, Centre: 42, Cipher: constants, Encrypt: true}, newRecorder())
	other := newRecorder()
	run(t, theirs, Options{Edition: jt809.Edition2011, Cipher: constants}, other)
	const senders, each = 8, 500
	for range senders {
		go func() {
			for range each {
				if _, err := c.SendWait(context.Background(), &jt809.Envelope{ID: jt809.IDSubBroken}, &jt809.SubBroken{ErrorCode: 1}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for i := range senders * each {
		m := get(t, other)
		if m.head.Serial != uint32(i+1) || m.head.Centre != 42 || !m.head.Encrypted || !bytes.Equal(m.body, []byte{1}) {
			t.Fatalf("frame %d: %+v %x", i, m.head, m.body)
		}
	}
}

func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // has no buffers: nobody reads it
		defer theirs.Close()
		c, ended := run(t, ours, Options{Edition: jt809.Edition2011, MaxQueue: 100_000, WriteTimeout: 5 * time.Second}, newRecorder())
		e := &jt809.Envelope{ID: jt809.IDPlatformDown, Sub: jt809.IDPlatformText, Data: make([]byte, 10_000)}
		// Send refuses what does not fit; it never blocks.
		for i := 0; ; i++ {
			if _, err := c.Send(e, nil); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if i > 10_000 {
				t.Fatal("the queue has no bound")
			}
		}
		if n := c.Pending(); n > 100_000 {
			t.Errorf("%d bytes wait", n)
		}
		// SendData waits, until the peer is cut off.
		if err := func() (err error) {
			for err == nil {
				_, err = c.SendData(context.Background(), e)
			}
			return err
		}(); !errors.Is(err, ErrClosed) {
			t.Errorf("SendData: %v", err)
		}
		if err := endOf(t, ended); !errors.Is(err, ErrSlowReader) {
			t.Errorf("ended with %v", err)
		}
		if _, err := c.Send(e, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Send after the end: %v", err)
		}
	})
}

func TestSendWaitEndsWithItsContext(t *testing.T) {
	ours, _ := pair(t)
	c := New(ours, Options{MaxQueue: 1000}) // nobody writes
	e := &jt809.Envelope{ID: jt809.IDPlatformDown, Sub: jt809.IDPlatformText, Data: make([]byte, 900)}
	if _, err := c.Send(e, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.SendWait(ctx, e, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCloseWritesWhatWaits(t *testing.T) {
	ours, theirs := pair(t)
	r := newRecorder()
	c, ended := run(t, ours, Options{Edition: jt809.Edition2011}, r)
	theirs.Write(frameOf(jt809.Edition2011, jt809.Cipher{}, 0, 1, jt809.IDHeartbeat, nil))
	get(t, r)
	for range 200 {
		if _, err := c.Send(&jt809.Envelope{ID: jt809.IDHeartbeatReply}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.Close("shutdown")
	// What comes now is not read: it must not reset the connection before the peer has read the rest.
	theirs.Write(frameOf(jt809.Edition2011, jt809.Cipher{}, 0, 1, jt809.IDHeartbeat, nil))
	b, err := io.ReadAll(theirs)
	if n := bytes.Count(b, []byte{0x5b}); n != 200 || err != nil {
		t.Errorf("%d frames, %v", n, err)
	}
	theirs.Close()
	if err := endOf(t, ended); !errors.Is(err, ErrClosed) || err.Error() != ErrClosed.Error()+": shutdown" {
		t.Error(err)
	}
}

func TestAHandlersErrorEndsTheConnectionAndItsAnswerIsWritten(t *testing.T) {
	ours, theirs := pair(t)
	r := newRecorder()
	r.fail = errors.New("no such centre")
	c, ended := run(t, ours, Options{Edition: jt809.Edition2011}, r)
	c.Send(&jt809.Envelope{ID: jt809.IDLoginReply}, &jt809.LoginReply{Result: 2})
	theirs.Write(frameOf(jt809.Edition2011, jt809.Cipher{}, 0, 1, jt809.IDHeartbeat, nil))
	if err := endOf(t, ended); err != r.fail {
		t.Error(err)
	}
	if b, _ := io.ReadAll(theirs); len(b) < 26 {
		t.Errorf("%x", b)
	}
}

func TestAHandlerAtWorkIsNoSilence(t *testing.T) {
	ours, theirs := pair(t)
	var now atomic.Int64
	now.Store(1000)
	r := newRecorder()
	r.entered, r.block = make(chan struct{}), make(chan struct{})
	c, ended := run(t, ours, Options{Edition: jt809.Edition2011, Now: func() time.Time { return time.Unix(now.Load(), 0) }}, r)
	theirs.Write(frameOf(jt809.Edition2011, jt809.Cipher{}, 0, 1, jt809.IDHeartbeat, nil))
	<-r.entered
	now.Store(2000)
	if got := c.LastRead().Unix(); got != 2000 {
		t.Errorf("last read %d while the handler is at work", got)
	}
	close(r.block)
	get(t, r)
	theirs.Close()
	endOf(t, ended)
	now.Store(3000)
	if got := c.LastRead().Unix(); got != 2000 {
		t.Errorf("last read %d after it", got)
	}
	if !c.Ending() {
		t.Error("not ending after its end")
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	ours, _ := pair(t)
	for _, key := range []uint32{0, 99} {
		frames := bytes.Repeat(frameOf(jt809.Edition2011, constants, key, 1, jt809.IDExchangeUp, make([]byte, 64)), 100)
		c := New(ours, Options{Edition: jt809.Edition2011, Cipher: constants})
		h := &counting{}
		f := jt809.Framer{}
		buf := make([]byte, len(frames))
		if n := testing.AllocsPerRun(10, func() {
			copy(buf, frames)
			if used, err := c.take(&f, h, buf); used != len(buf) || err != nil {
				t.Fatal(used, err)
			}
		}); n != 0 {
			t.Errorf("key %d: %v allocations", key, n)
		}
		if h.n == 0 || h.n%100 != 0 {
			t.Errorf("%d frames", h.n)
		}
	}
}

func TestAFlood(t *testing.T) {
	ours, theirs := pair(t)
	const n = 50_000
	h := &counting{done: make(chan struct{}), want: n}
	_, ended := run(t, ours, Options{Edition: jt809.Edition2011, Cipher: constants}, h)
	flood := bytes.Repeat(frameOf(jt809.Edition2011, constants, 99, 1, jt809.IDExchangeUp, make([]byte, 64)), 1000)
	go func() {
		for range n / 1000 {
			theirs.Write(flood)
		}
	}()
	select {
	case <-h.done:
	case err := <-ended:
		t.Fatal(err)
	}
}

type counting struct {
	n, want, drains int
	done            chan struct{}
}

func (c *counting) Frame(*jt809.Header, []byte) error {
	if c.n++; c.n == c.want {
		close(c.done)
	}
	return nil
}
func (c *counting) Drained() error { c.drains++; return nil }

func TestSerials(t *testing.T) {
	s := NewSerials(jt809.Edition2011)
	if a, b := s.Next(jt809.IDExchangeDown, jt809.IDExchangeStart), s.Next(jt809.IDSubHeartbeat, 0); a != 1 || b != 2 {
		t.Errorf("2011: %d, %d", a, b)
	}
	s.Set(0, 0, 0xFFFFFFFF)
	if n := s.Next(jt809.IDSubHeartbeat, 0); n != 0 {
		t.Errorf("after the largest comes %d", n)
	}
	s = NewSerials(jt809.Edition2019)
	s.Next(jt809.IDExchangeDown, jt809.IDExchangeStart)
	s.Next(jt809.IDExchangeDown, jt809.IDExchangeStart)
	s.Next(jt809.IDSubHeartbeat, 0)
	s.Set(jt809.IDPlatformDown, jt809.IDInspection, 70)
	s.SetEdition(jt809.Edition2019) // keeps them
	if n := s.Next(jt809.IDPlatformDown, jt809.IDInspection); n != 71 {
		t.Errorf("continues with %d", n)
	}
	want := []Serial{{Message{jt809.IDSubHeartbeat, 0}, 1}, {Message{jt809.IDExchangeDown, jt809.IDExchangeStart}, 2}, {Message{jt809.IDPlatformDown, jt809.IDInspection}, 71}}
	if got := s.Snapshot(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
