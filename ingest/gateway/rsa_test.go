package gateway

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest/jt808"
)

func TestEncryptedBodies(t *testing.T) {
	cfg := testConfig()
	cfg.RSAKeyFile = filepath.Join(t.TempDir(), "rsa")
	if err := EnsureRSAKey(cfg.RSAKeyFile); err != nil {
		t.Fatal(err)
	}
	log := newFakeLog()
	g, _ := startGateway(t, cfg, log, nil)
	for _, ed := range []jt808.Edition{jt808.Edition2013, jt808.Edition2019} {
		c := dial(t, g.Addr().String(), "1", ed)
		c.login(v1)
		own, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		m, err := jt808.PublicKeyOf(&own.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		c.send(c.frame(jt808.IDTerminalKey, jt808.AppendBody(nil, ed, &m)))
		h, body := c.message()
		var platform jt808.PublicKey
		if err := jt808.Decode(body, ed, &platform); err != nil || h.ID != jt808.IDPlatformKey || h.Phone != c.phone {
			t.Fatalf("%+v %v", h, err)
		}
		if k := sessionOf(g, c).memory.key; k == nil || *k != m {
			t.Error("the terminal's key is not stored")
		}
		public, err := platform.RSA()
		if err != nil || !public.Equal(&g.rsa.PublicKey) {
			t.Fatalf("the platform's key: %v", err)
		}
		encrypted := func(id jt808.MessageID, body []byte) []byte {
			h := jt808.Header{ID: id, Phone: c.phone, Serial: c.serial, Encryption: jt808.EncryptionRSA}
			if ed == jt808.Edition2019 {
				h.Edition, h.Version = ed, 1
			}
			b, err := jt808.EncryptBody(nil, rand.Reader, public, body)
			if err != nil {
				t.Fatal(err)
			}
			c.serial += uint16(jt808.Frames(len(b)))
			return jt808.AppendFrame(nil, &h, b)
		}
		at := int64(1000 * int(ed))
		l := locationAt(at)
		c.send(encrypted(jt808.IDLocation, jt808.AppendLocation(nil, &l)))
		c.want(c.serial-1, jt808.IDLocation, jt808.ResultOK)
		c.send(encrypted(jt808.IDHeartbeat, nil))
		c.want(c.serial-1, jt808.IDHeartbeat, jt808.ResultOK)
		var ls []jt808.Location
		want := []int64{at}
		for i := range int64(60) {
			ls = append(ls, locationAt(at+1+i))
			want = append(want, at+1+i)
		}
		first := c.serial
		c.send(encrypted(jt808.IDBatch, jt808.AppendBatch(nil, jt808.BatchBlindSpots, ls)))
		for s := first; s != c.serial; s++ {
			c.want(s, jt808.IDBatch, jt808.ResultOK)
		}
		if got := log.positions(v1); !slices.Equal(got[len(got)-61:], want) {
			t.Errorf("%v: positions %v", ed, got)
		}
		// Wrong padding, half a block, no cipher text at all.
		before := testutil.ToFloat64(g.metrics.refused[refusedDecryption])
		for _, bad := range [][]byte{bytes.Repeat([]byte{1}, 128), make([]byte, 64), make([]byte, 1023)} {
			h := jt808.Header{ID: jt808.IDLocation, Phone: c.phone, Serial: c.serial, Encryption: jt808.EncryptionRSA}
			c.serial++
			c.send(jt808.AppendFrame(nil, &h, bad))
			c.want2(c.serial-1, jt808.ResultMalformed)
		}
		if n := testutil.ToFloat64(g.metrics.refused[refusedDecryption]) - before; n != 3 {
			t.Errorf("%v counted, want 3", n)
		}
		// Another cipher is not known.
		h = jt808.Header{ID: jt808.IDLocation, Phone: c.phone, Serial: c.serial, Encryption: 2}
		c.serial++
		c.send(jt808.AppendFrame(nil, &h, make([]byte, 128)))
		c.want2(c.serial-1, jt808.ResultNotSupported)
		m.N[127] &= 0xfe
		for _, bad := range [][]byte{nil, make([]byte, 132), jt808.AppendBody(nil, ed, &m)} {
			c.send(c.frame(jt808.IDTerminalKey, bad))
			c.want2(c.serial-1, jt808.ResultMalformed)
		}
		c.ping(at + 500)
	}
}

// want2 is want for the result alone.
func (c *terminal) want2(serial uint16, result uint8) {
	c.t.Helper()
	r, err := c.read()
	if err != nil || r.ack.Serial != serial || r.ack.Result != result {
		c.t.Fatalf("%+v %v, want result %d for serial %d", r, err, result, serial)
	}
}

func TestRSAKeyFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rsa")
	if err := EnsureRSAKey(file); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v", info.Mode())
	}
	if err := EnsureRSAKey(file); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(file); !bytes.Equal(first, again) {
		t.Error("a key that was there is another now")
	}
	os.WriteFile(filepath.Join(dir, "text"), []byte("no key"), 0o600)
	os.WriteFile(filepath.Join(dir, "cut"), append(first[:60:60], "\n-----END PRIVATE KEY-----\n"...), 0o600)
	for name, want := range map[string]string{"rsa": "", "none": "no such file", "text": "is no PEM", "cut": "holds no RSA private key"} {
		c := Config{RSAKeyFile: filepath.Join(dir, name)}
		switch key, err := c.rsaKey(); {
		case want == "" && (err != nil || key == nil):
			t.Errorf("%s: %v", name, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), "gateway.rsa_key_file: ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	g, _ := startGateway(t, testConfig(), newFakeLog(), nil) // without a key
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	c.send(c.frame(jt808.IDTerminalKey, make([]byte, 132)))
	c.want2(c.serial-1, jt808.ResultNotSupported)
}
