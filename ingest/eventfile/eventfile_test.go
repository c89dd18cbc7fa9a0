package eventfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"lushao/ingest"
)

// readAll returns the events of a text as NDJSON, and the error that ended it unless it is io.EOF.
func readAll(r io.Reader, name string) (string, error) {
	var out []byte
	var e ingest.Event // one for all: nothing may be left over from the event before
	rd := NewReader(r, name)
	for {
		if err := rd.Read(&e); err == io.EOF {
			return string(out), nil
		} else if err != nil {
			if again := rd.Read(&e); again != err {
				return "", fmt.Errorf("the error was %w, and then %v", err, again)
			}
			return string(out), err
		}
		out = append(AppendJSON(out, &e), '\n')
	}
}

func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.*")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".want") {
			continue
		}
		seen++
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		wantText, err := os.ReadFile(strings.TrimSuffix(file, filepath.Ext(file)) + ".want")
		if err != nil {
			t.Fatal(err)
		}
		want := string(wantText)
		noEnd := strings.TrimRight(string(text), "\n")
		for how, r := range map[string]io.Reader{
			"as it is":   bytes.NewReader(text),
			"chopped":    iotest.OneByteReader(bytes.NewReader(text)),
			"BOM, CR LF": strings.NewReader("\ufeff\r\n" + strings.ReplaceAll(string(text), "\n", "\r\n")),
			"no end":     strings.NewReader(noEnd),
			"its output": strings.NewReader(want),
		} {
			got, err := readAll(r, file)
			if err != nil {
				t.Errorf("%s, %s: %v", file, how, err)
			} else if got != want {
				t.Errorf("%s, %s:\n%s\nwant\n%s", file, how, got, want)
			}
		}
	}
	if seen < 3 {
		t.Errorf("%d good files", seen)
	}
}

// Every bad file has its message beside it, and its good lines are read before.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.want")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stem := strings.TrimSuffix(file, "want")
		name := stem + "ndjson"
		if _, err := os.Stat(name); err != nil {
			name = stem + "csv"
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(f, filepath.Base(name))
		f.Close()
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if err.Error()+"\n" != string(want) {
			t.Errorf("%s:\n%v\nwant\n%s", name, err, want)
		}
		var at *Error
		if !errors.As(err, &at) {
			t.Errorf("%s: %T", name, err)
		} else if n := strings.Count(got, "\n"); at.Line > 1 && n == 0 && at.Line > 2 {
			t.Errorf("%s: line %d is bad, and nothing before it was read", name, at.Line)
		}
	}
	if len(files) < 5 {
		t.Errorf("%d bad files", len(files))
	}
}

func TestBadFields(t *testing.T) {
	position := `{"type":"position","plate":"A1","color":1,"time":"2026-05-01T00:00:00Z"`
	of := func(kind string) string { return strings.Replace(position, "position", kind, 1) }
	for _, c := range []struct{ line, want string }{
		{position, "line: JSON: byte 71: unexpected end of JSON input"},
		{position + `} {}`, "line: JSON: byte 74: invalid character '{' after top-level value"},
		{`{"plate":"A1"}`, `type: missing; every line has one, like "type":"position"`},
		{`{"type":1}`, "type: want a text, got 1"},
		{`{"type":"position","color":1}`, "plate: missing; every event has plate, color and time"},
		{`{"type":"link","plate":"A1","time":"2026-05-01T00:00:00Z"}`, "color: missing; every event has plate, color and time"},
		{`{"type":"link","plate":"A1","color":2,"time":null}`, "time: missing; every event has plate, color and time"},
		{strings.Replace(position, "A1", "", 1) + "}", "plate: empty"},
		{strings.Replace(position, "A1", "A1 ", 1) + "}", `plate: "A1 " has white space around it`},
		{strings.Replace(position, "A1", `A\u00001`, 1) + "}", "plate: not UTF-8, or with control characters"},
		{strings.Replace(position, "A1", `\ud800`, 1) + "}", "plate: not UTF-8, or with control characters"},
		{strings.Replace(position, "A1", strings.Repeat("晋", 8), 1) + "}", "plate: longer than 22 bytes"},
		{strings.Replace(position, `"A1"`, `12`, 1) + "}", "plate: want a text in quotes, got 12"},
		{position + `,"color":256}`, "color: 256 is out of range; want 0 to 255"},
		{position + `,"color":1.5}`, "color: want a whole number, got 1.5"},
		{position + `,"color":"2"}`, `color: want a number, got "2"`},
		{position + `,"time":"2026-05-01T00:00:00"}`, `time: "2026-05-01T00:00:00" is not a time of RFC 3339; write it like 2026-05-01T08:00:00+08:00`},
		{position + `,"time":1777593600}`, `time: want a time in quotes, got 1777593600`},
		{position + `,"received":""}`, `received: "" is not a time of RFC 3339; write it like 2026-05-01T08:00:00+08:00`},
		{position + `,"speed_kmh":-1}`, "speed_kmh: -1 is out of range; want 0 to 6553.4"},
		{position + `,"speed_kmh":6553.45}`, ""},
		{position + `,"speed_kmh":6553.5}`, "speed_kmh: 6553.5 is out of range; want 0 to 6553.4"},
		{position + `,"speed_kmh":"61.5"}`, `speed_kmh: want a number, got "61.5"`},
		{position + `,"speed_kmh":true}`, `speed_kmh: want a number, got true`},
		{position + `,"lat":2147.483648}`, "lat: 2147.483648 is out of range; want -2147.483648 to 2147.483647"},
		{position + `,"lon":1e300}`, "lon: 1e300 is out of range; want -2147.483648 to 2147.483647"},
		{position + `,"lon":[112.85]}`, "lon: want a number, got [112.85]"},
		{position + `,"altitude_m":-32768}`, "altitude_m: -32768 is out of range; want -32767 to 32767"},
		{position + `,"course":65535}`, "course: 65535 is out of range; want 0 to 65534"},
		{position + `,"mileage_km":429496729.5}`, "mileage_km: 429496729.5 is out of range; want 0 to 429496729.4"},
		{position + `,"satellites":255}`, "satellites: 255 is out of range; want 0 to 254"},
		{position + `,"alarm":4294967296}`, "alarm: 4294967296 is out of range; want 0 to 4294967295"},
		{position + `,"status":-1}`, "status: -1 is out of range; want 0 to 4294967295"},
		{position + `,"acc":1}`, "acc: want true or false, got 1"},
		{position + `,"located":"true"}`, `located: want true or false, got "true"`},
		{position + `,"backfill":"no"}`, `backfill: want true or false, got "no"`},
		{position + `,"extras":"2500"}`, `extras: want an object of hexadecimal texts by id, got "2500"`},
		{position + `,"extras":{"2":"00"}}`, "extras.2: want an id of two hexadecimal digits"},
		{position + `,"extras":{"25":"0"}}`, `extras.25: want hexadecimal digits, two a byte, got "0"`},
		{position + `,"extras":{"25":["00",1]}}`, "extras.25[1]: want a hexadecimal text, got 1"},
		{position + `,"extras":{"25":"` + strings.Repeat("00", 256) + `"}}`, "extras.25: 256 bytes; an item has at most 255"},
		{position + `,"extras":{"25":[` + strings.Repeat(`"`+strings.Repeat("00", 255)+`",`, 255) + `""]}}`, "extras: more than 65535 bytes"},
		{position + `,"extras_tail":"xy"}`, "extras_tail: want hexadecimal digits"},
		{of("driver") + `}`, `event: missing; want "on" or "off"`},
		{of("driver") + `,"event":"online"}`, `event: want "on" or "off", got "online"`},
		{of("driver") + `,"event":"on","license":140502}`, "license: want a text in quotes, got 140502"},
		{of("driver") + `,"event":"on","name":"` + strings.Repeat("张", 21846) + `"}`, "name: longer than 65535 bytes"},
		{of("link") + `,"event":"on"}`, `event: want "online" or "offline", got "on"`},
		{of("weighing") + `,"method":"moving"}`, `method: want "dynamic" or "static", got "moving"`},
		{of("weighing") + `,"gross_kg":-5}`, "gross_kg: -5 is out of range; want 0 to 4294967295"},
		{of("weighing") + `,"axles":6.5}`, "axles: want a whole number, got 6.5"},
		{of("weighing") + `,"axle_kg":7000}`, "axle_kg: want a list of numbers, got 7000"},
		{of("weighing") + `,"axle_kg":[7000,null]}`, "axle_kg[1]: want a number, got null"},
		{of("weighing") + `,"axle_kg":[` + strings.Repeat("1,", 255) + `1]}`, "axle_kg: more than 255 axles"},
		{of("waybill") + `,"cargo_class":3}`, "cargo_class: want a text in quotes, got 3"},
		{of("waybill") + `,"start":"2026-05-01"}`, `start: "2026-05-01" is not a time of RFC 3339; write it like 2026-05-01T08:00:00+08:00`},
		{of("safety") + `,"flag":"begin"}`, `flag: want "start" or "end", got "begin"`},
		{of("safety") + `,"level":"` + strings.Repeat("高", 20) + `"}`, `level: want a number, got "` + strings.Repeat("高", 13) + "…"},
		{`[1]`, "line: not a JSON object; every line of the file is one"},
		{strings.Repeat("[", 100000), "line: JSON: byte 10001: invalid character '[' exceeded max depth"},
	} {
		_, err := readAll(strings.NewReader(position+"}\n"+c.line+"\n"+position+"}\n"), "f")
		want := "f:2: " + c.want
		if c.want == "" {
			want = "<nil>"
		}
		if fmt.Sprint(err) != want {
			t.Errorf("%.200s\n got: %v\nwant: %s", c.line, err, want)
		}
	}
}

func TestReadErrorIsNotHidden(t *testing.T) {
	broken := errors.New("disk gone")
	text := "plate,color,time,lat,lon,speed_kmh\nA1,1,2026-05-01T00:00:00Z,35,112,1\nA1,1,2026-05-01T00:00:30Z,35,112,10"
	got, err := readAll(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "f")
	if !errors.Is(err, broken) || strings.Count(got, "\n") != 1 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestHasReceived(t *testing.T) {
	text := `{"type":"link","plate":"A1","color":1,"time":"2026-05-01T00:00:00Z","event":"online"}
{"type":"link","plate":"A1","color":1,"time":"2026-05-01T00:00:00Z","received":"2026-05-01T00:00:00Z","event":"online"}
`
	r := NewReader(strings.NewReader(text), "f")
	var e ingest.Event
	for i, want := range []bool{false, true} {
		if err := r.Read(&e); err != nil || r.HasReceived() != want || r.Line() != i+1 {
			t.Errorf("event %d: %v, received %t, line %d", i, err, r.HasReceived(), r.Line())
		}
	}
}

// The bytes that an event holds are its own: another event read into it leaves those handed on alone.
func TestExtrasAreOwned(t *testing.T) {
	line := `{"type":"position","plate":"A1","color":1,"time":"2026-05-01T00:00:00Z","extras":{"25":"%s"}}` + "\n"
	r := NewReader(strings.NewReader(fmt.Sprintf(line, "01")+fmt.Sprintf(line, "02")), "f")
	var e ingest.Event
	if err := r.Read(&e); err != nil {
		t.Fatal(err)
	}
	first := e.Position.Extras
	if err := r.Read(&e); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, []byte{0x25, 1, 1}) || !bytes.Equal(e.Position.Extras, []byte{0x25, 1, 2}) {
		t.Errorf("%x, %x", first, e.Position.Extras)
	}
}

func TestExtrasGroupedAndTail(t *testing.T) {
	var e ingest.Event
	e.Kind, e.Source = ingest.KindPosition, ingest.SourceJT808
	e.Vehicle, _ = ingest.NewVehicle("A1", 1)
	e.Position.Reset()
	for extras, want := range map[string]string{
		"\x01\x01a\x30\x00\x01\x02bc": `"extras":{"01":["61","6263"],"30":""},"source"`,
		"\x01\x01a\x30\x05abc":        `"extras":{"01":"61"},"extras_tail":"3005616263","source"`,
		"\x01":                        `"extras_tail":"01","source"`,
	} {
		e.Position.Extras = []byte(extras)
		if got := string(AppendJSON(nil, &e)); !strings.Contains(got, want) {
			t.Errorf("%x: %s; want %s", extras, got, want)
		}
	}
}

// A weighing whose plate could not be read has no vehicle, whatever is said of the colour; of other events the plate must be there.
func TestUnreadPlate(t *testing.T) {
	const rest = `,"time":"2026-05-01T08:00:00+08:00","station":"S1","record":"R1"}`
	for _, c := range []struct{ line, want string }{
		{`{"type":"weighing","plate":"","color":0` + rest, ""},
		{`{"type":"weighing","plate":""` + rest, ""},
		{`{"type":"weighing","plate":"无牌","color":2` + rest, ""},
		{`{"type":"weighing","plate":" 未识别 ","color":9` + rest, ""},
		{`{"type":"weighing","plate":"00000000"` + rest, ""},
		{`{"type":"weighing","plate":null,"color":2` + rest, "f:1: plate: missing; every event has plate, color and time"},
		{`{"type":"weighing","color":2` + rest, "f:1: plate: missing; every event has plate, color and time"},
		{`{"type":"weighing","plate":0,"color":2` + rest, "f:1: plate: want a text in quotes, got 0"},
		{`{"type":"weighing","plate":"晋E12345"` + rest, "f:1: color: missing; every event has plate, color and time"},
		{`{"type":"position","plate":"","color":2` + rest, "f:1: plate: empty"},
	} {
		e := ingest.Event{}
		e.Vehicle, _ = ingest.NewVehicle("晋E99999", 2) // of the event before
		err := NewReader(strings.NewReader(c.line), "f").Read(&e)
		if c.want != "" {
			if err == nil || err.Error() != c.want {
				t.Errorf("%s: %v, want %s", c.line, err, c.want)
			}
			continue
		}
		if err != nil || !e.Unread() || e.Vehicle != (ingest.Vehicle{}) || e.Weighing.Record != "R1" {
			t.Errorf("%s: %+v, %v", c.line, e, err)
		}
		text := AppendJSON(nil, &e)
		var again ingest.Event
		if err := NewReader(bytes.NewReader(text), "f").Read(&again); err != nil || !bytes.Equal(wire(&again), wire(&e)) {
			t.Errorf("%s comes back as %+v, %v", text, again, err)
		}
	}
}

// wire is an event in its binary form, which has everything that an event of the kind has.
func wire(e *ingest.Event) []byte { return ingest.AppendEvent(nil, e) }

func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	var text []byte
	var want [][]byte
	for range 20000 {
		e := randomEvent(rnd)
		text = append(AppendJSON(text, e), '\n')
		want = append(want, wire(e))
	}
	r := NewReader(bytes.NewReader(text), "f")
	var e ingest.Event
	for i, w := range want {
		if err := r.Read(&e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if !bytes.Equal(wire(&e), w) {
			var sent ingest.Event
			if _, err := ingest.DecodeEvent(w, &sent); err != nil {
				t.Fatal(err)
			}
			t.Fatalf("event %d:\n got %s\nwant %s", i, AppendJSON(nil, &e), AppendJSON(nil, &sent))
		}
	}
	if err := r.Read(&e); err != io.EOF {
		t.Error(err)
	}
}

func randomEvent(rnd *rand.Rand) *ingest.Event {
	text := func() string {
		const alphabet = "晋E1 \"\\\n\u2028é<\x01🚚,"
		runes := []rune(alphabet)
		s := ""
		for range rnd.IntN(6) {
			s += string(runes[rnd.IntN(len(runes))])
		}
		return s
	}
	// u is often at an end of its range.
	u := func(most uint64) uint64 {
		switch rnd.IntN(6) {
		case 0:
			return 0
		case 1:
			return most
		}
		return rnd.Uint64N(most)
	}
	at := func() int64 { return rnd.Int64N(4e12) + int64(rnd.IntN(2)) }
	tri := func() ingest.Tri { return ingest.Tri(rnd.IntN(3)) }
	one := func(words ...string) string { return words[rnd.IntN(len(words))] }
	e := &ingest.Event{Kind: ingest.Kind(1 + rnd.IntN(6)), Source: ingest.Source(rnd.IntN(5)), Flags: ingest.Flags(rnd.IntN(4)),
		Time: at(), Received: at()}
	var err error
	if e.Vehicle, err = ingest.NewVehicle(one("晋E12345", "LSVAA4182E2123456", `A"\1`, "x"), ingest.Color(u(255))); err != nil {
		panic(err)
	}
	switch e.Kind {
	case ingest.KindPosition:
		p := &e.Position
		*p = ingest.Position{Lat: int32(u(math.MaxUint32)), Lon: int32(u(math.MaxUint32)), Alarm: uint32(u(math.MaxUint32)),
			Status: uint32(u(math.MaxUint32)), VideoAlarm: uint32(u(math.MaxUint32)), Mileage: uint32(u(math.MaxUint32)),
			Speed: uint16(u(0xFFFF)), RecorderSpeed: uint16(u(0xFFFF)), Course: uint16(u(0xFFFF)), Altitude: int16(u(0xFFFF)),
			Fuel: uint16(u(0xFFFF)), Satellites: uint8(u(255)), RSSI: uint8(u(255)), Located: u(1) == 1, ACC: u(1) == 1}
		for id := rnd.IntN(40); id < 40 && rnd.IntN(3) > 0; id += rnd.IntN(3) {
			content := make([]byte, u(255))
			for i := range content {
				content[i] = byte(rnd.Uint32())
			}
			p.Extras = append(append(p.Extras, byte(id), byte(len(content))), content...)
		}
	case ingest.KindDriverCard:
		e.Driver = &ingest.DriverCard{On: u(1) == 1, License: text(), Name: text(), Org: text(), Result: uint8(u(255))}
	case ingest.KindWeighing:
		e.Weighing = &ingest.Weighing{Station: text(), Record: text(), Lat: int32(u(math.MaxUint32)), Lon: int32(u(math.MaxUint32)),
			Axles: uint8(u(255)), Combination: tri(), SingleDriveAxle: tri(), GrossKg: uint32(u(math.MaxUint32)),
			LengthMm: uint32(u(math.MaxUint32)), WidthMm: uint32(u(math.MaxUint32)), HeightMm: uint32(u(math.MaxUint32)),
			Speed: uint16(u(0xFFFF)), Lane: uint8(u(255)), Method: ingest.Method(rnd.IntN(3)), Evaded: u(1) == 1}
		for range rnd.IntN(8) {
			e.Weighing.AxleKg = append(e.Weighing.AxleKg, uint32(u(math.MaxUint32)))
		}
	case ingest.KindWaybill:
		e.Waybill = &ingest.Waybill{Number: text(), Start: at(), End: at(), CargoClass: text(), Route: text(), Text: text()}
	case ingest.KindSafety:
		e.Safety = &ingest.Safety{System: text(), Kind: text(), Level: uint8(u(255)), Flag: one("", "start", "end"),
			AlarmID: uint32(u(math.MaxUint32)), Speed: uint16(u(0xFFFF))}
	case ingest.KindLink:
		e.Link = &ingest.Link{Online: u(1) == 1, Reason: text()}
	}
	return e
}

// FuzzReader: whatever comes in, the reader ends, and what it takes is written and read again unchanged.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), "fuzz")
		var e, back ingest.Event
		for {
			err := r.Read(&e)
			if err == io.EOF {
				return
			}
			if err != nil {
				if at, ok := errors.AsType[*Error](err); !ok || at.Line < 1 || at.Field == "" || at.Reason == "" {
					t.Fatalf("%#v", err)
				}
				return
			}
			line := AppendJSON(nil, &e)
			if err := NewReader(bytes.NewReader(line), "back").Read(&back); err != nil {
				t.Fatalf("%s\n%v", line, err)
			}
			if again := AppendJSON(nil, &back); !bytes.Equal(again, line) {
				t.Fatalf("%s\n%s", line, again)
			}
		}
	})
}

func TestPositionAllocations(t *testing.T) {
	line := `{"type":"position","plate":"晋E12345","color":2,"time":"2026-05-01T08:00:00+08:00","lat":35.5,"lon":112.85,"speed_kmh":61.5}` + "\n"
	r := NewReader(strings.NewReader(strings.Repeat(line, 2000)), "f")
	var e ingest.Event
	buf := make([]byte, 0, 1024)
	if err := r.Read(&e); err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(1000, func() {
		if err := r.Read(&e); err != nil {
			t.Fatal(err)
		}
	})
	if n > 2 {
		t.Errorf("reading a position allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { buf = AppendJSON(buf[:0], &e) }); n > 1 {
		t.Errorf("writing a position allocates %v times", n)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"contract.good.ndjson", "positions.good.csv"} {
		b.Run(filepath.Ext(name)[1:], func(b *testing.B) {
			file, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				b.Fatal(err)
			}
			first, rest, _ := strings.Cut(string(file), "\n")
			head, line := "", first+"\n"
			if strings.HasSuffix(name, "csv") {
				second, _, _ := strings.Cut(rest, "\n")
				head, line = first+"\n", second+"\n"
			}
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			r := NewReader(strings.NewReader(head+strings.Repeat(line, b.N)), "f")
			var e ingest.Event
			for b.Loop() {
				if err := r.Read(&e); err == io.EOF {
					r = NewReader(strings.NewReader(head+strings.Repeat(line, 10000)), "f")
				} else if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	e := randomEvent(rand.New(rand.NewPCG(1, 1)))
	for e.Kind != ingest.KindPosition || len(e.Position.Extras) > 0 {
		e = randomEvent(rand.New(rand.NewPCG(uint64(b.N), uint64(e.Time))))
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendJSON(buf[:0], e)
	}
}
