package jt808

import (
	"bytes"
	"testing"
)

func TestHeaderLayouts(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		edition     Edition
		phone       string
		body        string
		kind        ErrorKind
	}{
		{"2013", "0200 0002 013800138000 0007 aabb", EditionAuto, "013800138000", "aabb", 0},
		{"2013 part", "0200 2002 013800138000 0007 0003 0002 aabb", EditionAuto, "013800138000", "aabb", 0},
		{"2019", "0200 4002 01 00000000013800138000 0007 aabb", Edition2019, "00000000013800138000", "aabb", 0},
		{"2019 part", "0200 6002 01 00000000013800138000 0007 0003 0002 aabb", Edition2019, "00000000013800138000", "aabb", 0},
		{"2019 without the flag", "0200 0002 01 00000000013800138000 0007 aabb", Edition2019, "00000000013800138000", "aabb", 0},
		{"2013 with a stray flag", "0200 4002 013800138000 0007 aabb", EditionAuto, "013800138000", "aabb", 0},
		{"reserved bit", "0200 8002 013800138000 0007 aabb", EditionAuto, "013800138000", "aabb", 0},
		{"RSA", "0200 0402 013800138000 0007 aabb", EditionAuto, "013800138000", "aabb", 0},
		{"binary phone", "0200 0000 35a1b2c3d4ff 0007", EditionAuto, "35a1b2c3d4ff", "", 0},
		{"too short body", "0200 0003 013800138000 0007 aabb", EditionAuto, "013800138000", "", ErrLength},
		{"too long body", "0200 4001 01 00000000013800138000 0007 aabb", Edition2019, "00000000013800138000", "", ErrLength},
		{"cut", "0200 0002 0138001380", EditionAuto, "", "", ErrShort},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame := unhex(t, c.frame)
			var h Header
			body, err := h.Decode(frame)
			if KindOf(err) != c.kind || h.Edition != c.edition || h.Phone.String() != c.phone {
				t.Fatalf("%+v, %v", h, err)
			}
			if c.kind != 0 {
				return
			}
			if !bytes.Equal(body, unhex(t, c.body)) {
				t.Errorf("body %x", body)
			}
			if again := append(h.append(nil, len(body)), body...); !bytes.Equal(again, frame) {
				t.Errorf("encoded again %x", again)
			}
			if h.Size()+len(body) != len(frame) {
				t.Errorf("Size %d", h.Size())
			}
			if a := h.Answer(IDPlatformAck, 3); a.odd != 0 || a.Phone != h.Phone || a.Version != h.Version || a.Packaged() {
				t.Errorf("answer %+v", a)
			}
		})
	}
	for n := range 12 {
		var h Header
		if _, err := h.Decode(make([]byte, n)); KindOf(err) != ErrShort {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestPhone(t *testing.T) {
	short, long := mustPhone(t, "13800138000", Edition2013), mustPhone(t, "13800138000", Edition2019)
	if short.String() != "013800138000" || long.String() != "00000000013800138000" || string(short.AppendDigits(nil)) != short.String() {
		t.Error(short, long)
	}
	if short == long || short.Canonical() != long || long.Canonical() != long || short.Trimmed() != long.Trimmed() {
		t.Error("the same terminal under two editions")
	}
	if short.Trimmed() != "13800138000" || short.IsZero() || !(Phone{size: 6}).IsZero() {
		t.Error(short.Trimmed())
	}
	if !bytes.Equal(short.BCD(), unhex(t, "013800138000")) {
		t.Errorf("%x", short.BCD())
	}
	for _, s := range []string{"", "1234567890123", "12 34", "1380013800x"} {
		if _, err := ParsePhone(s, Edition2013); err == nil {
			t.Errorf("%q passes", s)
		}
	}
}

func TestGuessEdition(t *testing.T) {
	for _, s := range samples() {
		switch s.id {
		case IDRegister, IDDriverIdentity, IDMediaData, IDStoredMediaList:
		default:
			continue
		}
		h := Header{ID: s.id}
		if s.ed == Edition2019 {
			h.Edition = Edition2019
		}
		body := AppendBody(nil, s.ed, s.m)
		if got := GuessEdition(&h, body); got != s.ed {
			t.Errorf("%s: guessed %s", s, got)
		}
	}
	h := Header{ID: IDLocation}
	if e := GuessEdition(&h, nil); e != Edition2013 {
		t.Errorf("guessed %s", e)
	}
	for _, e := range []Edition{EditionAuto, Edition2011, Edition2013, Edition2019} {
		if p, ok := ParseEdition(e.String()); !ok || p != e {
			t.Error(e)
		}
	}
	if _, ok := ParseEdition("2016"); ok {
		t.Error("2016 is no edition")
	}
}
