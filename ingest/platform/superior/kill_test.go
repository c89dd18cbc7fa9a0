package superior

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"lushao/ingest"
	"lushao/ingest/jt809"
)

// TestWhatIsProvenIsInTheLog sends a stream while links are cut at any moment. What a 0x1006 proves is in the log when it
// comes; what is not proven is sent again after the next login; in the end everything is there.
func TestWhatIsProvenIsInTheLog(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := start(t, testConfig(), nil)
			ed := jt809.Edition2011
			if seed%2 == 1 {
				ed = jt809.Edition2019
			}
			rng := rand.New(rand.NewPCG(seed, 809))
			s := newScript(t, h, ed).both()
			const total = 600
			v := plateOf(t, 1)
			inLog := func() map[int64]bool {
				m := map[int64]bool{}
				for _, e := range h.log.of(ingest.KindPosition) {
					m[e.Time] = true
				}
				return m
			}
			sent, proven, cuts := 0, 0, 0
			for proven < total {
				for range 1 + rng.IntN(40) {
					if sent == total {
						break
					}
					e := envelope(jt809.IDPosition, &v)
					e.Data = jt809.AppendPositionData(nil, ed, fix(v, noon+int64(sent)*1000))
					s.serial++
					s.main.nc.Write(s.frame(s.serial, e, nil)) // it may be cut already
					sent++
				}
				switch rng.IntN(5) {
				case 0: // in the middle of a frame
					cuts++
					e := envelope(jt809.IDPosition, &v)
					e.Data = jt809.AppendPositionData(nil, ed, fix(v, noon-1000))
					b := s.frame(1, e, nil)
					s.main.nc.Write(b[:rng.IntN(len(b)-1)])
					s.main.nc.Close()
					if rng.IntN(2) == 0 {
						s.sub.nc.Close()
					}
					s.both()
					for at := proven; at < sent; at += 5 { // 0x1203, five at a time
						n := min(5, sent-at)
						e := envelope(jt809.IDPositionBatch, &v)
						e.Data = []byte{byte(n)}
						for i := range n {
							e.Data = jt809.AppendPositionData(e.Data, ed, fix(v, noon+int64(at+i)*1000))
						}
						s.serial++
						s.main.nc.Write(s.frame(s.serial, e, nil))
					}
				case 1: // the sub link only
					s.sub.nc.Close()
					s.sub = s.takeSub(0)
				default:
					s.proof()
					proven = sent
					got := inLog()
					for i := range proven {
						if !got[noon+int64(i)*1000] {
							t.Fatalf("position %d is proven and not in the log", i)
						}
					}
				}
			}
			if got := inLog(); len(got) != total {
				t.Errorf("%d positions in the log, want %d", len(got), total)
			}
			if cuts == 0 {
				t.Error("nothing was cut")
			}
		})
	}
}
