package jt809

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var updateFrames = flag.Bool("update-frames", false, "write the golden files of the frames anew")

// unhex reads hex with white space in it.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readFrame(t testing.TB, name string) []byte {
	t.Helper()
	s, err := os.ReadFile(filepath.Join("testdata", "frames", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	return unhex(t, string(s))
}

func frameNames(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/frames/*.hex")
	if err != nil || len(names) == 0 {
		t.Fatal("no frames in testdata", err)
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(filepath.Base(n), ".hex")
	}
	return names
}

var workedCipher = Cipher{M1: 10000000, IA1: 20000000, IC1: 30000000}

// openOne takes the only frame of a stream apart; the body is decrypted with c.
func openOne(t testing.TB, raw []byte, c Cipher) (h Header, body []byte) {
	t.Helper()
	var f Framer
	frame, n, err := f.Next(bytes.Clone(raw))
	if err != nil || frame == nil || n != len(raw) {
		t.Fatalf("Next: frame %x, %d of %d bytes, %v", frame, n, len(raw), err)
	}
	if body, err = h.Decode(frame, EditionAuto); err != nil {
		t.Fatal(err)
	}
	if h.Encrypted {
		c.Apply(h.Key, body)
	}
	return h, body
}

// Every worked frame is described as its golden file says, and encodes to its own bytes: the frame from its header, the
// container from its data, the data from their struct.
func TestWorkedFrames(t *testing.T) {
	for _, name := range frameNames(t) {
		t.Run(name, func(t *testing.T) {
			raw := readFrame(t, name)
			got := append(Describe(nil, raw, DescribeOptions{Cipher: &workedCipher}), '\n')
			golden := filepath.Join("testdata", "frames", name+".json")
			if *updateFrames {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("Describe:\n got %s\nwant %s", got, want)
			}
			h, body := openOne(t, raw, workedCipher)
			if err := h.CheckLength(len(body)); err != nil {
				t.Error(err)
			}
			if again := AppendFrame(nil, &h, workedCipher, body); !bytes.Equal(again, raw) {
				t.Errorf("frame encoded again:\n got %x\nwant %x", again, raw)
			}
			var e Envelope
			if err := e.Decode(h.ID, body, h.Edition); err != nil {
				t.Fatal(err)
			}
			if again := e.Append(nil, h.Edition); !bytes.Equal(again, body) {
				t.Errorf("container encoded again:\n got %x\nwant %x", again, body)
			}
			ed := GuessEdition(&h, &e)
			m := NewBody(e.Message(), ed, len(e.Data))
			if err := Decode(e.Data, ed, m); err != nil {
				t.Fatal(err)
			}
			if again := AppendBody(nil, ed, m); !bytes.Equal(again, e.Data) {
				t.Errorf("data encoded again:\n got %x\nwant %x", again, e.Data)
			}
		})
	}
}

// However the stream is chopped, the same frames come out, and the same bytes are skipped.
func TestFramerChopped(t *testing.T) {
	var stream []byte
	var want []string
	for i, name := range frameNames(t) {
		raw := readFrame(t, name)
		var f Framer
		frame, _, err := f.Next(bytes.Clone(raw))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, string(frame))
		stream = append(stream, raw...)
		switch i % 4 {
		case 0:
			stream = append(stream, "garbage between"...)
		case 1:
			stream = append(stream, headFlag, 'c', 'u', 't') // and no end: the next head flag starts anew
		case 2:
			stream = append(stream, tailFlag, headFlag, headFlag)
		}
	}
	// Garbage: 15 bytes three times, a cut frame of 4 twice, 5D 5B 5B twice. The cut frame at the end may still go on.
	const skipped = 3*15 + 2*4 + 2*3
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		var f Framer
		var got []string
		buf := make([]byte, 0, len(stream))
		for at := 0; at < len(stream); {
			n := 1
			if round > 0 {
				n = 1 + rng.IntN(1+round)
			}
			n = min(n, len(stream)-at)
			buf = append(buf, stream[at:at+n]...)
			at += n
			for {
				frame, n, err := f.Next(buf)
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				if frame != nil {
					got = append(got, string(frame))
				}
				buf = buf[n:]
				if frame == nil {
					break
				}
			}
			buf = append(make([]byte, 0, len(stream)), buf...)
		}
		if len(got) != len(want) {
			t.Fatalf("round %d: %d frames, want %d", round, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("round %d: frame %d\n got %x\nwant %x", round, i, got[i], want[i])
			}
		}
		if f.Skipped != skipped {
			t.Fatalf("round %d: %d bytes skipped, want %d", round, f.Skipped, skipped)
		}
	}
}

// A bad frame costs itself only.
func TestFramerHostile(t *testing.T) {
	good := readFrame(t, "04-position-2011")
	wrongCRC := bytes.Clone(good)
	wrongCRC[len(wrongCRC)-2] ^= 1
	truncated := append(bytes.Clone(good[:20]), tailFlag)
	for _, c := range []struct {
		name string
		bad  []byte
		kind ErrorKind
	}{
		{"wrong CRC", wrongCRC, ErrChecksum},
		{"truncated", truncated, ErrShort},
		{"empty", []byte{headFlag, tailFlag}, ErrShort},
		{"escape at the end", []byte{headFlag, 1, 2, headEscape, tailFlag}, ErrShort},
		{"other escape at the end", append(append([]byte{headFlag}, bytes.Repeat([]byte{tailEscape}, 40)...), tailFlag), ErrChecksum},
		{"oversized", append(append([]byte{headFlag}, make([]byte, 301)...), tailFlag), ErrTooLong},
		{"flood of head flags", bytes.Repeat([]byte{headFlag}, 5000), 0},
		{"flood of tail flags", bytes.Repeat([]byte{tailFlag}, 5000), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Framer{MaxFrame: 300}
			buf := append(bytes.Clone(c.bad), good...)
			var kind ErrorKind
			for {
				frame, n, err := f.Next(buf)
				if err != nil {
					kind = KindOf(err)
				} else if frame == nil {
					t.Fatal("the good frame did not come")
				}
				buf = buf[n:]
				if frame != nil {
					break
				}
			}
			if kind != c.kind || len(buf) != 0 || f.Skipped != uint64(len(c.bad)) {
				t.Errorf("kind %v, want %v; %d bytes left; %d skipped, want %d", kind, c.kind, len(buf), f.Skipped, len(c.bad))
			}
		})
	}
}

// A frame that never ends is given up at the limit, in whatever pieces it comes, and never needs more buffer.
func TestFramerBoundsBuffer(t *testing.T) {
	f := Framer{MaxFrame: 300}
	buf := []byte{headFlag}
	failed := 0
	for range 10_000 {
		buf = append(buf, 'x')
		if len(buf) > f.MaxFrame+2 {
			t.Fatalf("%d bytes are kept", len(buf))
		}
		_, n, err := f.Next(buf)
		if err != nil {
			if KindOf(err) != ErrTooLong {
				t.Fatal(err)
			}
			failed++
		}
		buf = buf[n:]
	}
	if failed != 1 || f.Skipped != 10_001 {
		t.Errorf("%d errors, %d bytes skipped", failed, f.Skipped)
	}
	good := readFrame(t, "01-login-2011")
	if frame, _, err := f.Next(append(buf, good...)); frame == nil || err != nil {
		t.Errorf("after it: %x, %v", frame, err)
	}
}

// 5A and 5E before anything but 01 and 02 stay as they are.
func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"5a01":                               "5b",
		"5a02":                               "5a",
		"5e01":                               "5d",
		"5e02":                               "5e",
		"5a":                                 "5a",
		"005e":                               "005e",
		"5a5a01":                             "5a5b",
		"5a0201":                             "5a01",
		"5a035e005aff":                       "5a035e005aff",
		"00112233445566778899aa5a01bb":       "00112233445566778899aa5bbb",
		"5e0200112233445566778899aabb5e02cc": "5e00112233445566778899aabb5ecc",
		"5a015a025e015e02":                   "5b5a5d5e",
		"00000000000000015a0100000000000000000000005e0211": "00000000000000015b00000000000000000000005e11",
	} {
		b := unhex(t, in)
		if got := hex.EncodeToString(unescape(b)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	// Against the obvious way.
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		b := make([]byte, rng.IntN(60))
		for i := range b {
			b[i] = [...]byte{0x5a, 0x5b, 0x5d, 0x5e, 1, 2, 0x5c, byte(rng.Uint32())}[rng.IntN(8)]
		}
		var want []byte
		for i := 0; i < len(b); i++ {
			if (b[i] == 0x5a || b[i] == 0x5e) && i+1 < len(b) && (b[i+1] == 1 || b[i+1] == 2) {
				want = append(want, map[[2]byte]byte{{0x5a, 1}: 0x5b, {0x5a, 2}: 0x5a, {0x5e, 1}: 0x5d, {0x5e, 2}: 0x5e}[[2]byte{b[i], b[i+1]}])
				i++
				continue
			}
			want = append(want, b[i])
		}
		if got := unescape(bytes.Clone(b)); !bytes.Equal(got, want) {
			t.Fatalf("%x: %x, want %x", b, got, want)
		}
		sent := escape(bytes.Clone(b), 0)
		if bytes.ContainsAny(sent, "\x5b\x5d") || !bytes.Equal(unescape(bytes.Clone(sent)), b) {
			t.Fatalf("%x is sent as %x", b, sent)
		}
	}
}

func TestFramerAllocates(t *testing.T) {
	raw := readFrame(t, "08-position-2019")
	buf := make([]byte, len(raw))
	var f Framer
	var h Header
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, raw)
		frame, _, err := f.Next(buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Decode(frame, Edition2019); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	body := make([]byte, 100)
	out := make([]byte, 0, 400)
	h = Header{ID: IDExchangeUp, Edition: Edition2019, Encrypted: true, Key: 7}
	if n := testing.AllocsPerRun(100, func() { out = AppendFrame(out[:0], &h, workedCipher, body) }); n != 0 {
		t.Errorf("%v allocations a frame that is made", n)
	}
}

// Chopped or whole, a stream gives the same frames, and what comes out can be sent again.
func FuzzFramer(f *testing.F) {
	for _, name := range frameNames(f) {
		f.Add(readFrame(f, name), uint8(7))
	}
	f.Add([]byte{headFlag, headFlag, tailFlag, headEscape, 1, tailFlag}, uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		whole := framesOf(bytes.Clone(stream), len(stream)+1)
		chopped := framesOf(bytes.Clone(stream), int(step)+1)
		if strings.Join(whole, "|") != strings.Join(chopped, "|") {
			t.Fatalf("whole %q\nchopped %q", whole, chopped)
		}
		for _, s := range whole {
			if strings.HasPrefix(s, "!") {
				continue
			}
			var h Header
			body, err := h.Decode([]byte(s), EditionAuto)
			if err != nil {
				continue
			}
			var g Framer
			sent := AppendFrame(nil, &h, Cipher{}, body)
			again, _, err := g.Next(sent)
			if err != nil || len(again) != len(s) {
				t.Fatalf("sent again: %x, %v", again, err)
			}
		}
	})
}

func framesOf(stream []byte, step int) (out []string) {
	f := Framer{MaxFrame: 1000}
	var buf []byte
	for len(stream) > 0 {
		n := min(step, len(stream))
		buf = append(bytes.Clone(buf), stream[:n]...)
		stream = stream[n:]
		for {
			frame, n, err := f.Next(buf)
			buf = buf[n:]
			if err != nil {
				if KindOf(err) != ErrTooLong { // where it is given up depends on the pieces
					out = append(out, "!"+err.Error())
				}
				continue
			}
			if frame == nil {
				break
			}
			out = append(out, string(frame))
		}
	}
	return out
}
