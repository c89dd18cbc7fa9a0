package superior

import (
	"bytes"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// positions is a stream of n frames of 0x1202, of 1,000 vehicles in turn.
func positions(tb testing.TB, ed jt809.Edition, c jt809.Cipher, key uint32, n int) (stream []byte) {
	for i := range n {
		v := plateOf(tb, i%1000)
		e := envelope(jt809.IDPosition, &v)
		e.Data = jt809.AppendPositionData(nil, ed, fix(v, noon+int64(i)*1000))
		h := jt809.Header{ID: e.ID, Serial: uint32(i), Centre: centre, Edition: ed, Time: 1717569012, Encrypted: key != 0, Key: key}
		stream = jt809.AppendFrame(stream, &h, c, e.Append(nil, ed))
	}
	return stream
}

// bare is a superior platform that does not listen, and a worker of its peer.
func bare(tb testing.TB) *worker {
	log := newLog()
	log.keep = false
	logger := slog.New(slog.DiscardHandler)
	reg := prometheus.NewRegistry()
	s, err := New(testConfig(), Deps{Log: log, Book: platform.NewBook(&pages{}, logger, reg), Logger: logger, Registerer: reg})
	if err != nil {
		tb.Fatal(err)
	}
	s.partitions = log.Partitions()
	return &worker{p: s.peers[0], metrics: s.peers[0].mainLink}
}

func TestAPositionAllocatesNothing(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		w := bare(t)
		const n = 1000
		stream := positions(t, ed, jt809.Cipher{}, 0, n)
		buf := make([]byte, len(stream))
		round := func() {
			copy(buf, stream)
			var f jt809.Framer
			var h jt809.Header
			for at := 0; at < len(buf); {
				frame, used, err := f.Next(buf[at:])
				if err != nil {
					t.Fatal(err)
				}
				at += used
				if frame == nil {
					break
				}
				body, err := h.Decode(frame, ed)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.take(&h, body); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.drained(); err != nil {
				t.Fatal(err)
			}
		}
		round()
		if got := testing.AllocsPerRun(10, round); got > 2 {
			t.Errorf("%v: %v allocations for %d positions", ed, got, n)
		}
		if got := w.p.positions.Load(); got == 0 || got%n != 0 {
			t.Errorf("%d positions", got)
		}
	}
}

// BenchmarkSuperior is one position from the socket to the log: over loopback, with a log in memory. The other side of the
// socket and the kernel are on the same machine.
func BenchmarkSuperior(b *testing.B) {
	for _, c := range []struct {
		name string
		ed   jt809.Edition
		key  uint32
	}{{"2011", jt809.Edition2011, 0}, {"2011 encrypted", jt809.Edition2011, 15241}, {"2019", jt809.Edition2019, 0}, {"2019 encrypted", jt809.Edition2019, 15241}} {
		cipher := jt809.Cipher{}
		if c.key != 0 {
			cipher = constants
		}
		b.Run("frames "+c.name, func(b *testing.B) { benchFrames(b, c.ed, cipher, c.key) })
		b.Run("socket "+c.name, func(b *testing.B) { benchSocket(b, c.ed, cipher, c.key) })
	}
}

// benchFrames is without the socket: framing, decryption, containers, positions, events to the log.
func benchFrames(b *testing.B, ed jt809.Edition, cipher jt809.Cipher, key uint32) {
	w := bare(b)
	const n = 1000
	stream := positions(b, ed, cipher, key, n)
	buf := make([]byte, len(stream))
	b.ReportAllocs()
	b.SetBytes(int64(len(stream) / n))
	var h jt809.Header
	for i := 0; i < b.N; {
		copy(buf, stream)
		var f jt809.Framer
		for at := 0; at < len(buf) && i < b.N; i++ {
			frame, used, _ := f.Next(buf[at:])
			at += used
			body, err := h.Decode(frame, ed)
			if err != nil {
				b.Fatal(err)
			}
			if h.Encrypted {
				cipher.Apply(h.Key, body)
			}
			if err := w.take(&h, body); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.drained(); err != nil {
			b.Fatal(err)
		}
	}
	if got := w.p.positions.Load(); got != uint64(b.N) {
		b.Fatalf("%d positions of %d", got, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "positions/s")
}

func benchSocket(b *testing.B, ed jt809.Edition, cipher jt809.Cipher, key uint32) {
	w := bare(b)
	s := w.p.s
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer theirs.Close()
	ours, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	const n = 1000
	stream := positions(b, ed, cipher, key, n)
	o := w.p.options(w.p.mainLink)
	o.Edition, o.Cipher = ed, cipher
	c := link.New(ours, o)
	m := &mainLink{s: s, conn: c}
	m.worker0 = *w
	m.worker0.conn = c
	ended := make(chan error, 1)
	b.ReportAllocs()
	b.SetBytes(int64(len(stream) / n))
	b.ResetTimer()
	go func() { ended <- c.Run(s.ctx, m) }()
	rounds := max(b.N/n, 1)
	go func() {
		big := bytes.Repeat(stream, 10)
		for left := rounds; left > 0; left -= 10 {
			theirs.Write(big[:min(left, 10)*len(stream)])
		}
		h := jt809.Header{ID: jt809.IDHeartbeat, Centre: centre, Edition: ed}
		theirs.Write(jt809.AppendFrame(nil, &h, jt809.Cipher{}, nil))
	}()
	theirs.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := theirs.Read(make([]byte, 64)); err != nil { // 0x1006
		b.Fatal(err)
	}
	b.StopTimer()
	if got := w.p.positions.Load(); got != uint64(rounds*n) {
		b.Fatalf("%d positions of %d", got, rounds*n)
	}
	b.ReportMetric(float64(rounds*n)/b.Elapsed().Seconds(), "positions/s")
	theirs.Close()
	<-ended
}

// idleConn is a connection that nobody reads from or writes to.
func idleConn(tb testing.TB) *link.Conn {
	a, b := net.Pipe()
	tb.Cleanup(func() { a.Close(); b.Close() })
	return link.New(a, link.Options{})
}
