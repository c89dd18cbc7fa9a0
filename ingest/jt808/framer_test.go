package jt808

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// readAll runs a framer over a stream that comes in chunks, through a buffer as a connection has it.
func readAll(t testing.TB, f *Framer, stream []byte, chunk func(left int) int) (frames [][]byte, errs []ErrorKind) {
	t.Helper()
	var buf []byte
	for len(stream) > 0 {
		c := min(max(chunk(len(stream)), 1), len(stream))
		buf = append(buf, stream[:c]...)
		stream = stream[c:]
		for {
			frame, n, err := f.Next(buf)
			if n < 0 || n > len(buf) {
				t.Fatalf("%d of %d bytes consumed", n, len(buf))
			}
			if frame != nil {
				frames = append(frames, bytes.Clone(frame))
			}
			if err != nil {
				if frame != nil || KindOf(err) == 0 {
					t.Fatalf("frame %x, error %v", frame, err)
				}
				errs = append(errs, KindOf(err))
			}
			buf = append(buf[:0], buf[n:]...)
			if frame == nil && err == nil {
				break
			}
			if n == 0 {
				t.Fatal("no progress")
			}
		}
		limit := f.MaxFrame
		if limit == 0 {
			limit = MaxFrameSize - 2
		}
		if len(buf) > limit+2 {
			t.Fatalf("%d bytes are kept, more than the limit of %d", len(buf), limit)
		}
	}
	return frames, errs
}

func whole(left int) int { return left }

func TestFramerChopped(t *testing.T) {
	var stream []byte
	want := 0
	for _, raw := range workedFrames(t) {
		stream = append(stream, raw...)
		want++
	}
	for size := 1; size < 200; size++ {
		var f Framer
		frames, errs := readAll(t, &f, stream, func(int) int { return size })
		if len(frames) != want || len(errs) != 0 || f.Skipped != 0 {
			t.Fatalf("in pieces of %d: %d frames, errors %v, %d bytes skipped", size, len(frames), errs, f.Skipped)
		}
	}
}

func TestFramerStreams(t *testing.T) {
	raw := AppendFrame(nil, &Header{ID: IDHeartbeat, Phone: mustPhone(t, "13800138000", Edition2013), Serial: 7}, nil)
	inner := raw[1 : len(raw)-1]
	cat := func(parts ...any) (b []byte) {
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				b = append(b, unhex(t, p)...)
			case []byte:
				b = append(b, p...)
			}
		}
		return b
	}
	bad := bytes.Clone(raw)
	bad[2] ^= 0x40
	longer := bytes.Clone(inner[:len(inner)-1])
	longer = append(longer, 9)
	longer = append(longer, xor(longer))
	for name, c := range map[string]struct {
		stream  []byte
		frames  int
		errs    []ErrorKind
		skipped uint64
	}{
		"one":                       {cat(raw), 1, nil, 0},
		"empty frames":              {cat("7e7e7e", raw, "7e7e", raw), 2, nil, 0},
		"shared delimiter":          {cat("7e", inner, "7e", inner, "7e"), 2, nil, 0},
		"garbage before":            {cat("010203", raw), 1, nil, 3},
		"garbage between":           {cat(raw, "010203", raw), 2, []ErrorKind{ErrShort}, 3},
		"wrong checksum":            {cat(bad, raw), 1, []ErrorKind{ErrChecksum}, uint64(len(inner))},
		"bad escape":                {cat("7e0102", "7d03", "7e", raw), 1, []ErrorKind{ErrEscape}, 4},
		"longer than it says":       {cat("7e", longer, "7e", raw), 1, []ErrorKind{ErrLength}, uint64(len(longer))},
		"closing delimiter missing": {cat("7e", inner, raw), 2, nil, 0}, // the opening one of the next closes it
		"nothing":                   {nil, 0, nil, 0},
		"only delimiters":           {cat("7e7e7e7e"), 0, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 1 << 20} {
				var f Framer
				frames, errs := readAll(t, &f, c.stream, func(int) int { return size })
				if len(frames) != c.frames || !sameKinds(errs, c.errs) || f.Skipped != c.skipped {
					t.Errorf("in pieces of %d: %d frames, errors %v, %d bytes skipped; want %d, %v, %d", size, len(frames),
						errs, f.Skipped, c.frames, c.errs, c.skipped)
				}
			}
		})
	}
}

func sameKinds(a, b []ErrorKind) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func mustPhone(t testing.TB, s string, ed Edition) Phone {
	t.Helper()
	p, err := ParsePhone(s, ed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The example of the standard (4.4.2): 30 7E 08 7D 55 goes as 30 7D 02 08 7D 01 55.
func TestEscapes(t *testing.T) {
	plain, wire := unhex(t, "307e087d55"), unhex(t, "307d02087d0155")
	if got := appendEscaped(nil, plain); !bytes.Equal(got, wire) {
		t.Errorf("escaped %x", got)
	}
	if got, err := unescape(bytes.Clone(wire)); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("unescaped %x, %v", got, err)
	}
}

// Some devices leave a checksum of 0x7D as it is.
func TestChecksumLeftUnescaped(t *testing.T) {
	h := Header{ID: IDHeartbeat, Phone: mustPhone(t, "13800138000", Edition2013)}
	for serial := range 256 {
		h.Serial = uint16(serial)
		raw := AppendFrame(nil, &h, nil)
		if raw[len(raw)-3] != escape {
			continue
		}
		if raw[len(raw)-2] != 1 {
			continue
		}
		lone := append(bytes.Clone(raw[:len(raw)-2]), delimiter)
		var f Framer
		frame, _, err := f.Next(lone)
		if err != nil {
			t.Fatalf("%x: %v", lone, err)
		}
		var got Header
		if _, err := got.Decode(frame); err != nil || got.Serial != h.Serial {
			t.Errorf("%+v, %v", got, err)
		}
		return
	}
	t.Fatal("no serial gave a checksum of 0x7d")
}

func TestFramerIsBounded(t *testing.T) {
	raw := AppendFrame(nil, &Header{ID: IDHeartbeat, Phone: mustPhone(t, "13800138000", Edition2013)}, nil)
	for name, filler := range map[string]byte{"escapes": escape, "zeros": 0, "ones": 1} {
		for _, open := range []bool{false, true} {
			garbage := bytes.Repeat([]byte{filler}, 1<<20)
			if open {
				garbage[0] = delimiter
			}
			stream := append(garbage, raw...)
			for _, size := range []int{1, 700, 4096} {
				var f Framer
				frames, errs := readAll(t, &f, stream, func(int) int { return size })
				wantErrs := 0
				skipped := uint64(1 << 20)
				if open {
					wantErrs, skipped = 1, skipped-1
				}
				if len(frames) != 1 || len(errs) != wantErrs || f.Skipped != skipped {
					t.Errorf("%s, open %v, in pieces of %d: %d frames, errors %v, %d skipped", name, open, size, len(frames), errs, f.Skipped)
				}
				if len(errs) == 1 && errs[0] != ErrTooLong {
					t.Errorf("%s: %v", name, errs)
				}
			}
		}
	}
}

// The longest frame there is must pass, in whatever pieces.
func TestFramerLongest(t *testing.T) {
	h := Header{ID: 0x7e7e, Version: 0x7e, Phone: phoneOf(bytes.Repeat([]byte{0x7d}, 10)), Serial: 0x7d7d, PackageTotal: 0x7e7e, PackageNo: 0x7d7d}
	body := bytes.Repeat([]byte{0x7e}, MaxBody)
	raw := AppendFrame(nil, &h, body)
	for _, size := range []int{1, 1000, 1 << 20} {
		var f Framer
		frames, errs := readAll(t, &f, raw, func(int) int { return size })
		if len(frames) != 1 || len(errs) != 0 {
			t.Fatalf("%d frames, errors %v", len(frames), errs)
		}
		var got Header
		b, err := got.Decode(frames[0])
		if err != nil || !bytes.Equal(b, body) || got.PackageNo != h.PackageNo || got.Phone != h.Phone {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestFramerAllocatesNothing(t *testing.T) {
	raw := readFrame(t, "06-location-2013-escapes")
	buf := make([]byte, len(raw))
	var f Framer
	var h Header
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, raw)
		frame, _, err := f.Next(buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Decode(frame); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	ack := h.Answer(IDPlatformAck, 1)
	out := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		var body [5]byte
		out = AppendFrame(out[:0], &ack, AppendAck(body[:0], Ack{h.Serial, h.ID, ResultOK}))
	}); n != 0 {
		t.Errorf("%v allocations an acknowledgement", n)
	}
}

func TestAppendFrameSplits(t *testing.T) {
	body := make([]byte, 2500)
	for i := range body {
		body[i] = byte(i)
	}
	h := Header{ID: IDText, Phone: mustPhone(t, "13800138000", Edition2019), Version: 1, Serial: 0xFFFF}
	if n := Frames(len(body)); n != 3 {
		t.Fatalf("%d frames", n)
	}
	var f Framer
	frames, errs := readAll(t, &f, AppendFrame(nil, &h, body), whole)
	if len(frames) != 3 || len(errs) != 0 {
		t.Fatalf("%d frames, %v", len(frames), errs)
	}
	var r Reassembler
	for i, frame := range frames {
		var part Header
		b, err := part.Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		if part.Serial != uint16(0xFFFF+i) || part.PackageTotal != 3 || part.PackageNo != uint16(i+1) {
			t.Errorf("part %d: %+v", i, part)
		}
		msg, done, err := r.Add(&part, b, 0)
		if err != nil || done != (i == 2) {
			t.Fatal(done, err)
		}
		if done && !bytes.Equal(msg, body) {
			t.Error("put together it is something else")
		}
	}
	if Frames(MaxBody) != 1 || Frames(MaxBody+1) != 2 {
		t.Error("Frames at the limit")
	}
}

// Whatever comes in whatever pieces: the same frames and errors as in one piece, except that garbage longer than the
// limit may be given up earlier or later, bounded memory, and every byte accounted for.
func FuzzFramer(f *testing.F) {
	for _, raw := range workedFrames(f) {
		f.Add(raw, uint64(1))
		f.Add(append(raw[:len(raw)/2], raw...), uint64(2))
	}
	f.Add(bytes.Repeat([]byte{0x7d}, 300), uint64(3))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		var one, many Framer
		frames, errs := readAll(t, &one, stream, whole)
		rnd := rand.New(rand.NewPCG(seed, 1))
		got, gotErrs := readAll(t, &many, stream, func(left int) int { return 1 + rnd.IntN(left) })
		if len(stream) <= MaxFrameSize-2 {
			if len(frames) != len(got) || !sameKinds(errs, gotErrs) || one.Skipped != many.Skipped {
				t.Fatalf("in one piece %d frames, %v; in many %d, %v", len(frames), errs, len(got), gotErrs)
			}
		}
		for i := range min(len(frames), len(got)) {
			if len(stream) <= MaxFrameSize-2 && !bytes.Equal(frames[i], got[i]) {
				t.Fatalf("frame %d is %x, was %x", i, got[i], frames[i])
			}
		}
		for _, frame := range frames {
			var h Header
			body, err := h.Decode(frame)
			if err != nil {
				t.Fatalf("%x passed the framer: %v", frame, err)
			}
			if again, errs := readAll(t, new(Framer), appendFrame(nil, &h, body), whole); len(errs) != 0 || len(again) != 1 || !bytes.Equal(again[0], frame) {
				t.Fatalf("%x was framed as %x, %v", frame, again, errs)
			}
		}
	})
}
