package jt808

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// parts makes the frames of a message, in order.
func parts(t testing.TB, serial uint16, body []byte) (headers []Header, bodies [][]byte) {
	t.Helper()
	h := Header{ID: IDMediaData, Phone: mustPhone(t, "13800138000", Edition2013), Serial: serial}
	var f Framer
	frames, errs := readAll(t, &f, AppendFrame(nil, &h, body), whole)
	if len(errs) != 0 {
		t.Fatal(errs)
	}
	for _, frame := range frames {
		var p Header
		b, err := p.Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		headers, bodies = append(headers, p), append(bodies, b)
	}
	return headers, bodies
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

func TestReassembleInAnyOrder(t *testing.T) {
	want := pattern(4321)
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		headers, bodies := parts(t, 0xFFFE, want) // serials wrap
		order := rnd.Perm(len(headers))
		var r Reassembler
		for i, k := range order {
			h := headers[k]
			msg, done, err := r.Add(&h, bodies[k], 1000)
			if err != nil || done != (i == len(order)-1) {
				t.Fatalf("part %d: %v, done %v", k, err, done)
			}
			if !done && rnd.IntN(2) == 0 { // a duplicate
				h := headers[k]
				if _, done, err := r.Add(&h, bodies[k], 1000); done || err != nil {
					t.Fatal("a duplicate counts")
				}
			}
			if done && (!bytes.Equal(msg, want) || h.Serial != 0xFFFE || h.Packaged() || h.ID != IDMediaData) {
				t.Fatalf("%d bytes, %+v", len(msg), h)
			}
		}
		if r.Bytes() != 0 || len(slices.Collect(r.Waiting)) != 0 {
			t.Fatal("something is left")
		}
		h := headers[0]
		if _, done, err := r.Add(&h, bodies[0], 2000); done || err != nil || r.Bytes() != 0 {
			t.Fatal("a late duplicate begins anew")
		}
		// After a time the same serials are another message.
		for i := range headers {
			h := headers[i]
			if _, done, err := r.Add(&h, bodies[i], 2000+defaultMaxAge); err != nil || done != (i == len(headers)-1) {
				t.Fatalf("the serials came round: part %d, %v, %v", i, done, err)
			}
		}
	}
}

func TestReassembleMissing(t *testing.T) {
	headers, bodies := parts(t, 10, pattern(5500))
	var r Reassembler
	for _, i := range []int{1, 4} {
		h := headers[i]
		if _, _, err := r.Add(&h, bodies[i], int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	waiting := slices.Collect(r.Waiting)
	if len(waiting) != 1 {
		t.Fatalf("%d wait", len(waiting))
	}
	p := waiting[0]
	if p.Header.Serial != 10 || p.Got != 2 || p.Begun != 1 || p.Last != 4 {
		t.Errorf("%+v", p)
	}
	if got := p.Missing(nil, 255); !slices.Equal(got, []uint16{1, 3, 4, 6}) {
		t.Errorf("missing %v", got)
	}
	if got := p.Missing(nil, 2); !slices.Equal(got, []uint16{1, 3}) {
		t.Errorf("missing %v", got)
	}
}

func TestReassembleLimits(t *testing.T) {
	add := func(r *Reassembler, serial, total, no uint16, size int, now int64) error {
		h := Header{ID: IDMediaData, Serial: serial, PackageTotal: total, PackageNo: no}
		_, _, err := r.Add(&h, make([]byte, size), now)
		return err
	}
	r := Reassembler{MaxParts: 10, MaxBytes: 1000, MaxMessages: 3, MaxAge: 100}
	for _, c := range []struct {
		total, no uint16
		size      int
		kind      ErrorKind
	}{{10, 0, 1, ErrValue}, {10, 11, 1, ErrValue}, {0, 1, 1, ErrValue}, {11, 1, 1, ErrLimit}, {10, 1, 1001, ErrLimit}, {65535, 65535, 1, ErrLimit}} {
		if err := add(&r, 1, c.total, c.no, c.size, 0); KindOf(err) != c.kind || r.Bytes() != 0 {
			t.Errorf("%+v: %v, %d bytes", c, err, r.Bytes())
		}
	}
	for i := range uint16(4) {
		if err := add(&r, i*100, 10, 1, 200, 0); err != nil {
			t.Fatal(err)
		}
	}
	if r.Dropped != 1 || r.Bytes() != 600 {
		t.Errorf("of four messages %d were dropped, %d bytes wait", r.Dropped, r.Bytes())
	}
	// The bytes run out: the oldest others go.
	if err := add(&r, 301, 10, 2, 700, 10); err != nil {
		t.Fatal(err)
	}
	if r.Dropped != 3 || r.Bytes() != 900 {
		t.Errorf("%d dropped, %d bytes", r.Dropped, r.Bytes())
	}
	// The message alone is too much.
	if err := add(&r, 302, 10, 3, 700, 20); KindOf(err) != ErrLimit || r.Bytes() != 0 || r.Dropped != 4 {
		t.Errorf("%v, %d bytes, %d dropped", err, r.Bytes(), r.Dropped)
	}
	if err := add(&r, 1, 2, 1, 10, 1000); err != nil {
		t.Fatal(err)
	}
	if n := r.Expire(1100); n != 0 {
		t.Errorf("%d expired in time", n)
	}
	if n := r.Expire(1101); n != 1 || r.Bytes() != 0 {
		t.Errorf("%d expired, %d bytes", n, r.Bytes())
	}
	plain := Header{ID: IDLocation}
	if msg, done, err := r.Add(&plain, []byte{1}, 0); err != nil || !done || len(msg) != 1 {
		t.Error("a message that is whole")
	}
}

func TestReassembleKeepsCopies(t *testing.T) {
	want := pattern(1500)
	headers, bodies := parts(t, 1, bytes.Clone(want))
	var r Reassembler
	buf := make([]byte, 1100)
	for i := range headers {
		h := headers[i]
		b := buf[:copy(buf, bodies[i])]
		msg, done, err := r.Add(&h, b, 0)
		if err != nil {
			t.Fatal(err)
		}
		clear(buf) // the read buffer is used again
		if done && !bytes.Equal(msg, want) {
			t.Error("the message aliases the read buffer")
		}
	}
}

func FuzzReassembler(f *testing.F) {
	f.Add([]byte{1, 3, 1, 2, 3, 2, 3, 3, 3}, uint16(20))
	f.Fuzz(func(t *testing.T, script []byte, size uint16) {
		r := Reassembler{MaxParts: 20, MaxBytes: 2000, MaxMessages: 4, MaxAge: 50}
		now := int64(0)
		for ; len(script) >= 3; script = script[3:] {
			h := Header{ID: IDMediaData, Serial: uint16(script[0]), PackageTotal: uint16(script[1]), PackageNo: uint16(script[2])}
			now += int64(script[0] & 15)
			msg, done, err := r.Add(&h, make([]byte, int(size)%700), now)
			if done && err != nil || done && h.Packaged() || !done && msg != nil {
				t.Fatalf("%d bytes, done %v, %v", len(msg), done, err)
			}
			held, n := 0, 0
			for p := range r.Waiting {
				n++
				held += p.bytes
				if p.Got != len(p.parts) || len(p.Missing(nil, 1000)) != int(p.key.total)-p.Got || p.Got >= int(p.key.total) {
					t.Fatalf("%+v", p)
				}
			}
			if held != r.Bytes() || held > r.MaxBytes || n > r.MaxMessages {
				t.Fatalf("%d messages, %d bytes, counted %d", n, held, r.Bytes())
			}
		}
	})
}
