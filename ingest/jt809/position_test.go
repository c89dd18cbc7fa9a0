package jt809

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

func positions(t testing.TB, sub MessageID, data []byte, ed Edition) (events []ingest.Event, err error) {
	t.Helper()
	var r PositionReader
	if err := r.Reset(sub, data, ed); err != nil {
		return nil, err
	}
	for {
		var e ingest.Event
		ok, err := r.Next(&e)
		if err != nil || !ok {
			return events, err
		}
		events = append(events, e)
	}
}

func dataOf(t testing.TB, name string) []byte {
	t.Helper()
	h, body := openOne(t, readFrame(t, name), workedCipher)
	var e Envelope
	if err := e.Decode(h.ID, body, h.Edition); err != nil {
		t.Fatal(err)
	}
	return e.Data
}

func TestPositionValues(t *testing.T) {
	want := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT809, Time: 1717569009000}
	want.Position.Reset()
	p := &want.Position
	p.Lat, p.Lon, p.Alarm, p.Status, p.Course, p.Altitude = 25040678, 102712345, 2, 3, 274, 1893
	p.Speed, p.RecorderSpeed, p.Mileage, p.Located, p.ACC = 610, 600, 1840220, true, true
	data := dataOf(t, "04-position-2011")
	for _, ed := range []Edition{Edition2011, Edition2013, Edition2019, EditionAuto} {
		got, err := positions(t, IDPosition, data, ed)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%v: %+v, %v\nwant %+v", ed, got, err, want)
		}
	}
	block := dataOf(t, "08-position-2019")
	p.Speed, p.RecorderSpeed, p.Mileage, p.RSSI, p.Satellites = 613, 605, 1840221, 27, 14
	p.Extras = block[5+28 : 5+44]
	for _, ed := range []Edition{Edition2011, Edition2019} {
		got, err := positions(t, IDPositionDown, block, ed)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%v: %+v, %v\nwant %+v", ed, got, err, want)
		}
	}
	// A batch of both, as either peer sends it, and as one that leaves out the count and the last alarm word.
	want.Flags = ingest.FlagBackfill
	three := bytes.Repeat(block, 3)
	for name, data := range map[string][]byte{
		"as it should be":   append([]byte{3}, three...),
		"wrong count":       append([]byte{1}, three...),
		"no count, no tail": three[:len(three)-4],
		"no tail":           append([]byte{3}, three[:len(three)-4]...),
	} {
		for _, sub := range []MessageID{IDPositionBatch, IDPositionBatchDown} {
			got, err := positions(t, sub, data, Edition2019)
			if err != nil || len(got) != 3 || !reflect.DeepEqual(got[2], want) {
				t.Errorf("%s: %d positions, %+v, %v", name, len(got), got, err)
			}
			var m PositionBatch
			if err := Decode(data, Edition2019, &m); err != nil || len(m.Locations) != 3 {
				t.Errorf("%s: as a body %+v, %v", name, m, err)
			}
		}
	}
	short := bytes.Repeat(data, 5)
	for name, data := range map[string][]byte{"36": append([]byte{5}, short...), "36, wrong count": append([]byte{2}, short...), "36, no count": short} {
		got, err := positions(t, IDPositionBatchDown, data, Edition2019)
		if err != nil || len(got) != 5 || got[4].Position.Lon != 102712345 || got[4].Flags != ingest.FlagBackfill {
			t.Errorf("%s: %d positions, %+v, %v", name, len(got), got, err)
		}
	}
	if got, err := positions(t, IDPositionBatch, []byte{0}, Edition2019); err != nil || len(got) != 0 {
		t.Errorf("an empty batch: %v, %v", got, err)
	}
}

// block is a pos2019 around what stands where the 808 body should.
func block(encrypt byte, gnss []byte, alarms ...uint32) []byte {
	b := binary.BigEndian.AppendUint32([]byte{encrypt}, uint32(len(gnss)))
	b = append(b, gnss...)
	for i := range 3 {
		b = append(b, make([]byte, platformSize)...)
		v := uint32(0)
		if i < len(alarms) {
			v = alarms[i]
		}
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// What peers of 2019 send in place of an 808 body.
func TestPositionDeviations(t *testing.T) {
	gnss := dataOf(t, "08-position-2019")[5 : 5+44]
	base := gnss[:28:28]
	short := dataOf(t, "04-position-2011")
	for _, c := range []struct {
		name  string
		data  []byte
		check func(e *ingest.Event) bool
	}{
		{"a byte FF behind", block(0, append(base, 0xff)), func(e *ingest.Event) bool { return e.Position.Speed == 613 && len(e.Position.Extras) == 0 }},
		{"seven bytes behind", block(0, append(base, 1, 4, 0, 0, 0, 9, 0xff)), func(e *ingest.Event) bool {
			return e.Position.Speed == 613 && e.Position.Mileage == 9 && len(e.Position.Extras) == 6
		}},
		{"an item cut off", block(0, append(base, 0x30, 1, 7, 1, 4, 0)), func(e *ingest.Event) bool { return e.Position.RSSI == 7 && len(e.Position.Extras) == 3 }},
		{"gnss36 without its first byte", block(0, short[1:]), func(e *ingest.Event) bool {
			return e.Position.Speed == 610 && e.Position.Lat == 25040678 && e.Time == 1717569009000
		}},
		{"the same, encrypted", block(1, short[1:]), func(e *ingest.Event) bool { return e.Flags == ingest.FlagEncrypted }},
		{"a whole gnss36", block(0, short), func(e *ingest.Event) bool { return e.Position.Speed == 610 }},
		{"no position", block(0, nil, 1, 2, 4), func(e *ingest.Event) bool {
			return e.Time == 0 && !e.Position.Located && e.Position.Alarm == 7 && e.Position.Speed == ingest.NoSpeed
		}},
		{"mileage unknown", block(0, append(base, 1, 4, 255, 255, 255, 255)), func(e *ingest.Event) bool { return e.Position.Mileage == ingest.NoMileage }},
		{"encrypted", block(1, gnss), func(e *ingest.Event) bool { return e.Flags == ingest.FlagEncrypted }},
		{"encrypted by status", block(0, append([]byte{0, 0, 0, 0, 0, 0, 0, 0x20}, gnss[8:]...)), func(e *ingest.Event) bool { return e.Flags == ingest.FlagEncrypted }},
		{"no date", block(0, append(append([]byte{}, gnss[:22]...), 0, 0, 0, 0, 0, 0)), func(e *ingest.Event) bool { return e.Time == 0 && e.Position.Speed == 613 }},
		{"no date in gnss36", append([]byte{0, 31, 2}, short[3:]...), func(e *ingest.Event) bool { return e.Time == 0 && e.Position.Speed == 610 }},
		{"29 February 2023", append([]byte{0, 29, 2, 7, 0xe7}, short[5:]...), func(e *ingest.Event) bool { return e.Time == 0 }},
		{"29 February 2024", append([]byte{0, 29, 2, 7, 0xe8}, short[5:]...), func(e *ingest.Event) bool { return e.Time == 1709188209000 }},
		{"impossible numbers", append(append(append([]byte{}, short[:8]...), bytes.Repeat([]byte{0xff}, 8)...), append([]byte{0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, short[24:]...)...), func(e *ingest.Event) bool {
			p := &e.Position
			return p.Lat == math.MaxInt32 && p.Lon == math.MaxInt32 && p.Speed == ingest.NoSpeed-1 && p.RecorderSpeed == ingest.NoSpeed && p.Mileage == ingest.NoMileage
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := positions(t, IDPosition, c.data, Edition2019)
			if err != nil || len(got) != 1 || !c.check(&got[0]) {
				t.Errorf("%+v, %v", got, err)
			}
			// The walk reads what the reader reads.
			m := new(Position)
			if err := Decode(c.data, Edition2019, m); err != nil {
				t.Fatal(err)
			}
			var e ingest.Event
			m.Location.Event(&e)
			if len(got) == 1 && !reflect.DeepEqual(e, got[0]) {
				t.Errorf("the body says %+v\nthe reader %+v", e, got[0])
			}
			text := AppendBodyJSON(nil, Edition2019, m)
			if !json.Valid(text) {
				t.Fatalf("no JSON: %s", text)
			}
			filled := new(Position)
			if !m.Location.Short {
				if err := FillBody(filled, Edition2019, text); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				if again := AppendBody(nil, Edition2019, filled); !bytes.Equal(again, c.data) {
					t.Errorf("from %s\n got %x\nwant %x", text, again, c.data)
				}
			} else if err := FillBody(filled, Edition2011, text); err != nil {
				t.Fatalf("%s: %v", text, err)
			} else if again := AppendBody(nil, Edition2011, filled); !bytes.Equal(again, c.data) {
				t.Errorf("from %s\n got %x\nwant %x", text, again, c.data)
			}
		})
	}
}

func TestPositionErrors(t *testing.T) {
	good := dataOf(t, "08-position-2019")
	for _, sub := range []MessageID{IDPosition, IDPositionBatch} {
		if _, err := positions(t, sub, nil, Edition2019); KindOf(err) != ErrShort {
			t.Errorf("%v without data: %v", sub, err)
		}
	}
	for n := 1; n < len(good); n++ {
		if n == gnssSize || n == len(good)-4 {
			continue
		}
		if got, err := positions(t, IDPosition, good[:n], Edition2019); KindOf(err) != ErrShort || len(got) != 0 {
			t.Errorf("%d bytes: %v, %v", n, got, err)
		}
	}
	// A broken position in a batch costs itself; one whose length is wrong all that follow.
	batch := append(append(append([]byte{3}, good...), block(0, make([]byte, 20))...), good...)
	var r PositionReader
	if err := r.Reset(IDPositionBatch, batch, Edition2019); err != nil {
		t.Fatal(err)
	}
	var e ingest.Event
	for i, bad := range []bool{false, true, false} {
		if ok, err := r.Next(&e); !ok || (err != nil) != bad {
			t.Errorf("position %d: %v, %v", i, ok, err)
		}
	}
	if ok, err := r.Next(&e); ok || err != nil {
		t.Errorf("the end: %v, %v", ok, err)
	}
	batch = append(append([]byte{3}, good...), good[:60]...)
	if got, err := positions(t, IDPositionBatch, batch, Edition2019); KindOf(err) != ErrShort || len(got) != 1 {
		t.Errorf("a batch cut off: %d positions, %v", len(got), err)
	}
	short := dataOf(t, "04-position-2011")
	if got, err := positions(t, IDPositionBatch, append([]byte{2}, short[:30]...), Edition2011); KindOf(err) != ErrShort || len(got) != 0 {
		t.Errorf("a batch of 2011 cut off: %d positions, %v", len(got), err)
	}
}

func randomEvent(rng *rand.Rand) (e ingest.Event) {
	e.Kind, e.Source = ingest.KindPosition, ingest.SourceJT809
	e.Time = (946_656_000 + rng.Int64N(3_000_000_000)) * 1000
	p := &e.Position
	p.Reset()
	p.Lat, p.Lon = rng.Int32N(180_000_000)-90_000_000, rng.Int32N(360_000_000)-180_000_000
	p.Alarm = rng.Uint32()
	p.Status = rng.Uint32() &^ jt808.StatusEncrypted
	p.Located, p.ACC = p.Status&jt808.StatusLocated != 0, p.Status&jt808.StatusACC != 0
	p.Status = setBit(setBit(p.Status, jt808.StatusSouth, p.Lat < 0), jt808.StatusWest, p.Lon < 0)
	p.Course, p.Altitude, p.Speed = uint16(rng.IntN(360)), int16(rng.IntN(9000)-400), uint16(rng.IntN(2000))
	if rng.IntN(2) == 0 {
		p.Mileage = rng.Uint32() >> 2
	}
	if rng.IntN(2) == 0 {
		p.RecorderSpeed = uint16(rng.IntN(2000))
	}
	if rng.IntN(3) == 0 {
		p.Fuel, p.VideoAlarm, p.RSSI, p.Satellites = uint16(rng.IntN(5000)), rng.Uint32(), uint8(rng.IntN(32)), uint8(rng.IntN(40))
	}
	if rng.IntN(4) == 0 {
		e.Flags = ingest.FlagEncrypted
	}
	return e
}

// What is forwarded arrives: all of it in 2019, in 2011 what 36 bytes can carry.
func TestPositionRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 3000 {
		e := randomEvent(rng)
		data := AppendPositionData(nil, Edition2019, &e)
		got, err := positions(t, IDPosition, data, Edition2019)
		if err != nil || len(got) != 1 {
			t.Fatal(err)
		}
		want := e
		if len(want.Position.Extras) == 0 {
			want.Position.Extras = got[0].Position.Extras
		}
		if !reflect.DeepEqual(got[0], want) {
			t.Fatalf("2019:\n got %+v\nwant %+v", got[0], want)
		}
		// And the items that were made are sent on as they are.
		if again := AppendPositionData(nil, Edition2019, &got[0]); !bytes.Equal(again, data) {
			t.Fatalf("2019, again:\n got %x\nwant %x", again, data)
		}
		short := AppendPositionData(nil, Edition2011, &e)
		got, err = positions(t, IDPosition, short, Edition2011)
		if err != nil || len(got) != 1 || len(short) != gnssSize {
			t.Fatal(err)
		}
		want = e
		p := &want.Position
		p.Fuel, p.RSSI, p.Satellites, p.VideoAlarm, p.Extras = ingest.NoFuel, ingest.NoRSSI, ingest.NoSatellites, 0, nil
		p.Speed = (p.Speed + 5) / 10 * 10
		if p.Mileage != ingest.NoMileage {
			if p.Mileage = p.Mileage / 10 * 10; p.Mileage == 0 {
				p.Mileage = ingest.NoMileage
			}
		}
		if p.RecorderSpeed != ingest.NoSpeed {
			if p.RecorderSpeed = (p.RecorderSpeed + 5) / 10 * 10; p.RecorderSpeed == 0 {
				p.RecorderSpeed = ingest.NoSpeed
			}
		}
		if !reflect.DeepEqual(got[0], want) {
			t.Fatalf("2011:\n got %+v\nwant %+v", got[0], want)
		}
		// One form made of the other.
		l := LocationOf(&e, Edition2011)
		if again := l.append36(nil); !bytes.Equal(again, short) {
			t.Fatalf("gnss36 again: %x, want %x", again, short)
		}
		l = LocationOf(&e, Edition2019)
		if again := l.append36(nil); !bytes.Equal(again, short) {
			t.Fatalf("gnss36 of pos2019: %x, want %x", again, short)
		}
	}
	var unknown ingest.Event
	unknown.Position.Reset()
	got, err := positions(t, IDPosition, AppendPositionData(nil, Edition2011, &unknown), Edition2011)
	if err != nil || got[0].Time != 0 || !reflect.DeepEqual(got[0].Position, unknown.Position) {
		t.Errorf("of nothing known: %+v, %v", got, err)
	}
}

// readPosition is the whole way of a position from the bytes of a socket into an event.
type readPosition struct {
	buf, raw []byte
	f        Framer
	h        Header
	env      Envelope
	r        PositionReader
	e        ingest.Event
	key      [vehicleSize]byte
}

func (p *readPosition) run(t testing.TB, ed Edition) {
	copy(p.buf, p.raw)
	frame, _, err := p.f.Next(p.buf)
	if err != nil {
		t.Fatal(err)
	}
	body, err := p.h.Decode(frame, ed)
	if err != nil {
		t.Fatal(err)
	}
	if p.h.Encrypted {
		workedCipher.Apply(p.h.Key, body)
	}
	if err := p.env.Decode(p.h.ID, body, ed); err != nil {
		t.Fatal(err)
	}
	p.key = p.env.Key()
	if err := p.r.Reset(p.env.Sub, p.env.Data, ed); err != nil {
		t.Fatal(err)
	}
	if ok, err := p.r.Next(&p.e); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

func positionPaths(t testing.TB) map[string]*readPosition {
	t.Helper()
	paths := map[string]*readPosition{}
	for name, file := range map[string]string{"2011": "04-position-2011", "2019": "08-position-2019"} {
		raw := readFrame(t, file)
		paths[name] = &readPosition{raw: raw, buf: make([]byte, len(raw))}
		h, body := openOne(t, raw, Cipher{})
		h.Encrypted, h.Key = true, 12345
		raw = AppendFrame(nil, &h, workedCipher, body)
		paths[name+"-encrypted"] = &readPosition{raw: raw, buf: make([]byte, len(raw))}
	}
	return paths
}

func TestPositionAllocates(t *testing.T) {
	for name, p := range positionPaths(t) {
		for _, ed := range []Edition{EditionAuto, Edition2011, Edition2019} {
			if ed != EditionAuto && ed.String() != name[:4] {
				continue
			}
			if n := testing.AllocsPerRun(100, func() { p.run(t, ed) }); n != 0 {
				t.Errorf("%s, %v: %v allocations", name, ed, n)
			}
		}
		out := make([]byte, 0, 256)
		if n := testing.AllocsPerRun(100, func() { out = AppendPositionData(out[:0], p.h.Edition, &p.e) }); n != 0 {
			t.Errorf("%s, encoding: %v allocations", name, n)
		}
	}
	batch := append([]byte{2}, bytes.Repeat(block(0, append(make([]byte, 28), 0xff)), 2)...)
	var r PositionReader
	var e ingest.Event
	if n := testing.AllocsPerRun(100, func() {
		if err := r.Reset(IDPositionBatch, batch, Edition2019); err != nil {
			t.Fatal(err)
		}
		for {
			if ok, err := r.Next(&e); !ok || err != nil {
				break
			}
		}
	}); n != 0 {
		t.Errorf("a batch: %v allocations", n)
	}
}

func BenchmarkPosition(b *testing.B) {
	for _, name := range []string{"2011", "2011-encrypted", "2019", "2019-encrypted"} {
		b.Run(name, func(b *testing.B) {
			p := positionPaths(b)[name]
			ed, _ := ParseEdition(name[:4])
			b.SetBytes(int64(len(p.raw)))
			b.ReportAllocs()
			for b.Loop() {
				p.run(b, ed)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "positions/s")
		})
	}
}

func BenchmarkAppendPosition(b *testing.B) {
	for _, name := range []string{"2011", "2019"} {
		b.Run(name, func(b *testing.B) {
			p := positionPaths(b)[name]
			ed, _ := ParseEdition(name)
			p.run(b, ed)
			var data, body, out []byte
			b.ReportAllocs()
			for b.Loop() {
				data = AppendPositionData(data[:0], ed, &p.e)
				p.env.Data = data
				body = p.env.Append(body[:0], ed)
				out = AppendFrame(out[:0], &p.h, Cipher{}, body)
			}
		})
	}
}

// No data make the reader fail, and what it reads the walk reads too.
func FuzzPositions(f *testing.F) {
	one := dataOf(f, "08-position-2019")
	short := dataOf(f, "04-position-2011")
	f.Add(one, false)
	f.Add(short, false)
	f.Add(append([]byte{2}, append(one, one...)...), true)
	f.Add(append([]byte{2}, append(short, short...)...), true)
	f.Add(block(0, short[1:]), false)
	f.Add(block(1, nil, 1, 2), false)
	f.Fuzz(func(t *testing.T, data []byte, batch bool) {
		sub := IDPosition
		if batch {
			sub = IDPositionBatch
		}
		for _, ed := range []Edition{Edition2011, Edition2019} {
			got, err := positions(t, sub, data, ed)
			for i := range got {
				for _, to := range []Edition{Edition2011, Edition2019} {
					again, err := positions(t, IDPosition, AppendPositionData(nil, to, &got[i]), to)
					if err != nil || len(again) != 1 {
						t.Fatalf("%+v cannot be sent on: %v", got[i], err)
					}
				}
			}
			m := NewBody(sub, ed, len(data))
			if bodyErr := Decode(data, ed, m); bodyErr != nil || err != nil {
				continue
			}
			if b, ok := m.(*PositionBatch); ok && len(b.Locations) != len(got) {
				t.Fatalf("%d positions, the body has %d", len(got), len(b.Locations))
			}
			if text := AppendBodyJSON(nil, ed, m); !json.Valid(text) {
				t.Fatalf("no JSON: %s", text)
			}
		}
	})
}
