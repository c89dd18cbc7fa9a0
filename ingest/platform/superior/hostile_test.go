package superior

import (
	"math/rand/v2"
	"testing"

	"lushao/ingest/jt809"
)

// TestBodiesOfAnyContent gives every message, in both layouts, data of any length and content: nothing but counters may
// come of it, and no message may end the link.
func TestBodiesOfAnyContent(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2013, jt809.Edition2019} {
		w := bare(t)
		w.p.s.partitions = 4
		w.p.edition = ed
		w.conn = idleConn(t)
		for id := range takes {
			v := plateOf(t, 1)
			for n := range 60 {
				e := envelope(id, &v)
				e.Data = make([]byte, rng.IntN(120))
				for i := range e.Data {
					e.Data[i] = byte(rng.Uint32())
				}
				if n%2 == 0 { // zeros let lengths and counts through
					clear(e.Data[:rng.IntN(len(e.Data)+1)])
				}
				body := e.Append(nil, ed)
				body = body[:len(body)-rng.IntN(min(len(body), 30)+1)]
				h := jt809.Header{ID: e.ID, Serial: rng.Uint32N(100), Edition: ed, Centre: centre}
				if err := w.take(&h, body); err != nil {
					t.Fatalf("%v: %v", id, err)
				}
			}
			if err := w.drained(); err != nil {
				t.Fatalf("%v: %v", id, err)
			}
		}
	}
}

// FuzzTake is one message of any content from a peer that has logged in.
func FuzzTake(f *testing.F) {
	f.Add(uint16(jt809.IDExchangeUp), uint8(3), []byte("0123456789012345678901\x12\x02\x00\x00\x00\x24"))
	f.Add(uint16(jt809.IDAlarmUp), uint8(3), []byte("\x14\x02\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, id uint16, ed uint8, body []byte) {
		w := bare(t)
		w.conn = idleConn(t)
		h := jt809.Header{ID: jt809.MessageID(id), Serial: 1, Edition: jt809.Edition(1 + ed%3), Centre: centre}
		w.p.edition = h.Edition
		if err := w.take(&h, body); err != nil {
			t.Fatal(err)
		}
		if err := w.drained(); err != nil {
			t.Fatal(err)
		}
	})
}
