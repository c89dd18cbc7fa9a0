package gateway

import (
	"strings"
	"testing"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

func TestAuthentication(t *testing.T) {
	register, err := NewRegister([]Terminal{{v1, "013800138000"}, {v2, ""}})
	if err != nil {
		t.Fatal(err)
	}
	other, vin := vehicle("晋E00001", 2), vehicle("LZZ5ELSD0NN123456", 0)
	for _, c := range []struct {
		name, phone   string
		claim         ingest.Vehicle
		unknown       string
		register      Register
		result        uint8
		wantedVehicle ingest.Vehicle
	}{
		{"of the register", "13800138000", v1, Refuse, register, jt808.RegisterOK, v1},
		{"of the register, other colour", "13800138000", vehicle("晋E12345", 93), Refuse, register, jt808.RegisterOK, v1},
		{"of the register, by VIN", "13800138000", vin, Refuse, register, jt808.RegisterOK, v1},
		{"of the register, other plate", "13800138000", other, Accept, register, jt808.RegisterTerminalRegistered, v1},
		{"plate of another phone", "13900000000", v1, Accept, register, jt808.RegisterVehicleRegistered, v1},
		{"unknown, taken", "13900000000", other, Accept, register, jt808.RegisterOK, other},
		{"unknown, not taken", "13900000000", other, Refuse, register, jt808.RegisterNoVehicle, other},
		{"unknown terminal of a known vehicle", "13900000000", v2, Refuse, register, jt808.RegisterNoTerminal, v2},
		{"no register", "13900000000", other, Accept, nil, jt808.RegisterOK, other},
		{"no register, by VIN", "13900000000", vin, Accept, nil, jt808.RegisterOK, vin},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig()
			cfg.UnknownTerminals = c.unknown
			log := newFakeLog()
			g, _ := startGateway(t, cfg, log, c.register)
			term := dial(t, g.Addr().String(), c.phone, jt808.Edition2019)
			r := term.register(c.claim)
			if r.Result != c.result {
				t.Fatalf("result %d, want %d", r.Result, c.result)
			}
			if r.Result != jt808.RegisterOK {
				if r.AuthCode != "" {
					t.Fatal("refused, with a code")
				}
				return
			}
			if len(r.AuthCode) > 50 || strings.ContainsFunc(string(r.AuthCode), func(c rune) bool { return c <= ' ' || c > '~' }) {
				t.Errorf("code %q is not 50 printable characters", r.AuthCode)
			}
			term.send(term.authFrame(string(r.AuthCode)))
			term.want(term.serial-1, jt808.IDAuthenticate, jt808.ResultOK)
			term.ping(1)
			if len(log.positions(c.wantedVehicle)) != 1 {
				t.Errorf("the position is not of %v", c.wantedVehicle)
			}
		})
	}
}

func TestWrongCodes(t *testing.T) {
	register, _ := NewRegister([]Terminal{{v1, "1"}})
	for _, foreign := range []string{Refuse, Accept} {
		cfg := testConfig()
		cfg.ForeignAuthCodes = foreign
		g, _ := startGateway(t, cfg, newFakeLog(), register)
		mine := dial(t, g.Addr().String(), "7", jt808.Edition2013)
		mine.register(v2)
		for _, code := range []string{"", "5kQ-0731", mine.code[:len(mine.code)-1] + "~", strings.ToLower(mine.code), mine.code + "A"} {
			c := dial(t, g.Addr().String(), "7", jt808.Edition2013)
			c.send(c.authFrame(code))
			c.want(0, jt808.IDAuthenticate, jt808.ResultFailed)
		}
		stolen := dial(t, g.Addr().String(), "8", jt808.Edition2013)
		stolen.send(stolen.authFrame(mine.code))
		stolen.want(0, jt808.IDAuthenticate, jt808.ResultFailed)
		// A terminal of the register with another platform's code.
		known := dial(t, g.Addr().String(), "1", jt808.Edition2013)
		known.send(known.authFrame("5kQ-0731"))
		want := jt808.ResultFailed
		if foreign == Accept {
			want = jt808.ResultOK
		}
		known.want(0, jt808.IDAuthenticate, want)
	}
}

func TestCodeOutlivesRestartUntilTheRegisterChanges(t *testing.T) {
	g, _ := startGateway(t, testConfig(), newFakeLog(), nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.register(v1)

	log := newFakeLog()
	g, _ = startGateway(t, testConfig(), log, nil)
	again := dial(t, g.Addr().String(), "0001", jt808.Edition2019) // its firmware became 2019: the same phone
	again.send(again.authFrame(c.code))
	again.want(0, jt808.IDAuthenticate, jt808.ResultOK)
	again.ping(1)
	if len(log.positions(v1)) != 1 {
		t.Error("the position is of another vehicle")
	}
	moved, _ := NewRegister([]Terminal{{v2, "1"}})
	g.SetRegister(moved)
	late := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	late.send(late.authFrame(c.code))
	late.want(0, jt808.IDAuthenticate, jt808.ResultFailed)

	cfg := testConfig()
	cfg.AuthSecret = "another secret, also long enough"
	g, _ = startGateway(t, cfg, newFakeLog(), nil)
	foreign := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	foreign.send(foreign.authFrame(c.code))
	foreign.want(0, jt808.IDAuthenticate, jt808.ResultFailed)
}
