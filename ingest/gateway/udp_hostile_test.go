package gateway

import (
	"bytes"
	"testing"

	"lushao/ingest/jt808"
)

// Datagrams that are bad in every way stand beside an honest terminal, which must lose nothing.
func TestHostileDatagrams(t *testing.T) {
	g, log := startUDP(t, nil)
	honest := dialUDP(t, g, "1", jt808.Edition2019)
	honest.login(v1)
	good := honest.position(99)
	honest.serial--
	wrong := bytes.Clone(good)
	wrong[len(wrong)-2] ^= 1
	for i, bad := range [][]byte{{}, {0x7e}, {0x7e, 0x7e}, bytes.Repeat([]byte{0x7e}, 60000), append([]byte{0x7e}, bytes.Repeat([]byte{0x7d}, 60000)...),
		good[:len(good)-1], good[1:], wrong, append(bytes.Clone(wrong), 0x7e, 1, 2, 3), append([]byte{0x7e}, make([]byte, 3000)...)} {
		dialUDP(t, g, "2", jt808.Edition2013).nc.Write(bad)
		honest.nc.Write(bad) // its own datagrams, damaged on the way, are no reason to end either
		honest.ping(int64(i))
	}
	for _, s := range log.positions(v1) {
		if s == 99 {
			t.Error("a damaged report was taken")
		}
	}
	if n := len(log.positions(v1)); n != 10 {
		t.Errorf("%d positions, want 10", n)
	}
	if n := len(log.links()); n != 1 {
		t.Errorf("links %q", log.links())
	}
}
