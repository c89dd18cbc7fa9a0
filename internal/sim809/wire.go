package sim809

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"lushao/ingest/jt809"
)

// maxFrame is the longest frame that is taken, in bytes: photos travel in one.
const maxFrame = 4 << 20

// maxQueue is how many bytes may wait for a slow reader before positions wait too. Answers never do.
const maxQueue = 256 << 10

// errClosed is what sending on a connection gives that has ended.
var errClosed = errors.New("connection closed")

// wire is one connection between two platforms. A goroutine of its own writes, so that who reads never waits for a reader.
type wire struct {
	s       *Sim
	nc      net.Conn
	centre  uint32
	serials *serials

	lastRead, lastWrite atomic.Int64 // Unix ns
	done                chan struct{}
	once                sync.Once

	mu     sync.Mutex
	room   *sync.Cond
	queue  []chunk
	queued int
	ending bool // close once the queue is written
	closed bool
	wake   chan struct{}
}

// chunk is what is written at once.
type chunk struct {
	b     []byte
	pause bool // before it
	chop  bool // byte by byte
}

// newWire starts to work on a connection. read must be called, or close.
func (s *Sim) newWire(nc net.Conn, centre uint32, serials *serials) *wire {
	w := &wire{s: s, nc: nc, centre: centre, serials: serials, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	w.room = sync.NewCond(&w.mu)
	w.lastRead.Store(time.Now().UnixNano())
	w.lastWrite.Store(time.Now().UnixNano())
	s.work.Go(w.write)
	return w
}

// close ends the connection at once: what is queued is lost.
func (w *wire) close() {
	w.once.Do(func() {
		w.mu.Lock()
		w.closed = true
		w.room.Broadcast()
		w.mu.Unlock()
		close(w.done)
		w.nc.Close()
	})
}

// cut ends the connection as an outage does: without a goodbye, and with what the kernel still holds.
func (w *wire) cut() {
	if tcp, ok := w.nc.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	w.close()
}

// finish ends the connection once everything is written.
func (w *wire) finish() {
	w.mu.Lock()
	w.ending = true
	w.mu.Unlock()
	w.signal()
}

func (w *wire) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// write writes what is queued, until the connection ends.
func (w *wire) write() {
	for {
		w.mu.Lock()
		queue, ending := w.queue, w.ending
		w.queue, w.queued = nil, 0
		w.room.Broadcast()
		w.mu.Unlock()
		if len(queue) == 0 {
			if ending {
				w.close()
			}
			select {
			case <-w.wake:
				continue
			case <-w.done:
				return
			}
		}
		for _, c := range queue {
			if !w.put(c) {
				w.close()
				return
			}
		}
	}
}

func (w *wire) put(c chunk) bool {
	if c.pause {
		select {
		case <-time.After(w.s.cfg.FaultPause):
		case <-w.done:
			return false
		}
	}
	step := len(c.b)
	if c.chop {
		step = 1
	}
	for b := c.b; len(b) > 0; b = b[step:] {
		w.nc.SetWriteDeadline(time.Now().Add(w.s.cfg.Silence))
		if _, err := w.nc.Write(b[:step]); err != nil {
			return false
		}
	}
	w.lastWrite.Store(time.Now().UnixNano())
	return true
}

// care says how a message is sent.
type care uint8

const (
	plainly care = 0
	spoiled care = 1 << iota // with faults of data messages
	patient                  // waits while too much is queued
)

// send puts a message on the line and returns its serial. m may be nil: then e.Data is the payload.
func (w *wire) send(e *jt809.Envelope, m jt809.Body, how care) (uint32, error) {
	ed := w.s.edition
	if m != nil {
		e.Data = jt809.AppendBody(nil, ed, m)
	}
	return w.sendBody(e.ID, e.Sub, e.Append(nil, ed), how)
}

// say sends a message of links, which has no container.
func (w *wire) say(id jt809.MessageID, m jt809.Body) error {
	_, err := w.sendBody(id, 0, jt809.AppendBody(nil, w.s.edition, m), plainly)
	return err
}

// sendBody sends a body that is complete.
func (w *wire) sendBody(id, sub jt809.MessageID, body []byte, how care) (uint32, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for how&patient != 0 && w.queued > maxQueue && !w.closed {
		w.room.Wait()
	}
	if w.closed || w.ending {
		return 0, errClosed
	}
	h := jt809.Header{Serial: w.serials.next(id, sub), ID: id, Centre: w.centre, Version: [3]byte{1, 2, 15}, Edition: w.s.edition}
	if w.s.edition == jt809.Edition2019 {
		h.Time = time.Now().Unix()
	}
	if w.s.cfg.Encrypt {
		h.Encrypted, h.Key = true, rand.Uint32()
	}
	if how&spoiled != 0 {
		w.spoil(&h, body)
	} else {
		w.append(chunk{b: jt809.AppendFrame(nil, &h, w.s.cfg.Cipher, body)})
	}
	w.s.sent(id, sub)
	w.signal()
	return h.Serial, nil
}

// append queues a chunk, as part of the one before where nothing sets them apart.
func (w *wire) append(c chunk) {
	w.queued += len(c.b)
	if n := len(w.queue); n > 0 && !c.pause && !c.chop && !w.queue[n-1].chop && len(w.queue[n-1].b) < 64<<10 {
		w.queue[n-1].b = append(w.queue[n-1].b, c.b...)
		return
	}
	w.queue = append(w.queue, c)
}

// spoil queues a frame and what faults make of it.
func (w *wire) spoil(h *jt809.Header, body []byte) {
	c, cipher := w.s.chaos, w.s.cfg.Cipher
	if c.strikes(FaultDeviation) {
		switch {
		case c.below(2) == 0:
			h.Version = [3]byte{}
		case !h.Encrypted:
			h.Key = rand.Uint32() // with encrypt_flag 0
		case w.s.cfg.Side == Superior:
			h.Centre = 0
		}
	}
	frame := jt809.AppendFrame(nil, h, cipher, body)
	if c.strikes(FaultGarbage) {
		w.append(chunk{b: c.garbage()})
	}
	if c.strikes(FaultUnknown) {
		w.append(chunk{b: w.unknown(h)})
	}
	if c.strikes(FaultWrongKey) {
		other := *h
		other.Encrypted = true
		w.append(chunk{b: jt809.AppendFrame(nil, &other, jt809.Cipher{M1: cipher.M1 ^ 0x5a5a5a, IA1: cipher.IA1 ^ 0x1234567, IC1: ^cipher.IC1}, body)})
	}
	if c.strikes(FaultWrongLength) {
		raw := inside(frame)
		binary.BigEndian.PutUint32(raw, binary.BigEndian.Uint32(raw)+uint32(1+c.below(100)))
		w.append(chunk{b: outside(reseal(raw))})
	}
	if c.strikes(FaultBadChecksum) {
		raw := inside(frame)
		raw[len(raw)-1] ^= byte(1 + c.below(255))
		w.append(chunk{b: outside(raw)})
	}
	if c.strikes(FaultBadEscape) {
		w.append(chunk{b: badEscape(frame, c.below(len(frame)))})
	}
	if c.strikes(FaultHalfFrame) {
		w.append(chunk{b: frame[:len(frame)/2]})
		w.append(chunk{b: frame, pause: true})
	} else {
		w.append(chunk{b: frame, chop: c.strikes(FaultChopped)})
	}
	if c.strikes(FaultDuplicate) {
		w.append(chunk{b: frame})
	}
}

// Ids outside the standard, as provinces and products have them.
var (
	unknownUp   = []jt809.MessageID{0x120f, 0x1210, 0x1242, 0x1305, 0x1404, 0x1408, 0x1421, 0x1507, 0x1605, 0x1c01}
	unknownDown = []jt809.MessageID{0x920f, 0x9242, 0x9305, 0x9306, 0x9404, 0x9406, 0x9421, 0x9506, 0x9507, 0x9602, 0x9607, 0x9c01}
)

// unknown is a frame with an id that the standard does not have.
func (w *wire) unknown(like *jt809.Header) []byte {
	ids := unknownUp
	if w.s.cfg.Side == Superior {
		ids = unknownDown
	}
	sub := ids[w.s.chaos.below(len(ids))]
	data := make([]byte, w.s.chaos.below(64))
	for i := range data {
		data[i] = byte(w.s.chaos.below(256))
	}
	// Plate, colour, data_type, data_length: the container of most of them.
	body := append(make([]byte, 0, 28+len(data)), "\xbd\xfaE00000\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	body = append(body[:21], 2, byte(sub>>8), byte(sub))
	body = append(binary.BigEndian.AppendUint32(body, uint32(len(data))), data...)
	h := *like
	h.ID = sub &^ 0xff
	h.Serial = w.serials.next(h.ID, sub)
	return jt809.AppendFrame(nil, &h, w.s.cfg.Cipher, body)
}

// frame is a message as it came.
type frame struct {
	jt809.Header
	jt809.Envelope
	w *wire
}

// request says what an answer of 2019 answers.
func (f *frame) request() jt809.Source { return jt809.Source{Type: f.sub(), Serial: f.Header.Serial} }

// sub is the id of the sub-message, or of the message where it has none.
func (f *frame) sub() jt809.MessageID {
	if f.Envelope.Sub != 0 {
		return f.Envelope.Sub
	}
	return f.Header.ID
}

// decode reads the data into m.
func (f *frame) decode(m jt809.Body) error {
	if err := jt809.Decode(f.Data, f.w.s.edition, m); err != nil {
		return fmt.Errorf("%v: %w", f.sub(), err)
	}
	return nil
}

// read hands every good frame to take, until the connection ends or take fails. It closes the connection. What take gets is valid
// during the call.
func (w *wire) read(ctx context.Context, take func(f *frame) error) error {
	defer w.close()
	defer context.AfterFunc(ctx, w.close)()
	framer := jt809.Framer{MaxFrame: maxFrame}
	buf := make([]byte, 0, 64<<10)
	var f frame
	for {
		if len(buf) == cap(buf) {
			bigger := make([]byte, len(buf), 2*cap(buf))
			copy(bigger, buf)
			buf = bigger
		}
		w.nc.SetReadDeadline(time.Now().Add(w.s.cfg.Silence))
		n, err := w.nc.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		rest := buf
		for len(rest) > 0 {
			raw, used, bad := framer.Next(rest)
			rest = rest[used:]
			if bad != nil {
				w.s.n.bad.Add(1)
				w.s.log.Debug("a bad frame was dropped", "peer", w.nc.RemoteAddr(), "err", bad)
				continue
			}
			if raw == nil {
				break
			}
			if err := w.take(&f, raw, take); err != nil {
				return err
			}
			if w.s.chaos.strikes(FaultSlowReader) {
				select {
				case <-time.After(w.s.cfg.FaultPause):
				case <-w.done:
				}
			}
		}
		buf = buf[:copy(buf[:cap(buf)], rest)]
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
	}
}

// take understands a frame. What can't be understood is counted and passed over.
func (w *wire) take(f *frame, raw []byte, take func(f *frame) error) error {
	w.lastRead.Store(time.Now().UnixNano())
	f.w, f.Header, f.Envelope = w, jt809.Header{}, jt809.Envelope{}
	body, err := f.Header.Decode(raw, w.s.edition)
	if err == nil {
		if f.Encrypted {
			w.s.cfg.Cipher.Apply(f.Header.Key, body)
		}
		err = f.Envelope.Decode(f.Header.ID, body, w.s.edition)
	}
	if err != nil {
		w.s.n.bad.Add(1)
		w.s.log.Debug("a frame was not understood", "peer", w.nc.RemoteAddr(), "err", err)
		return nil
	}
	w.s.got(f.sub())
	return take(f)
}
