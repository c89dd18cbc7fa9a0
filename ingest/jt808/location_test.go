package jt808

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"lushao/ingest"
)

func TestLocationEvent(t *testing.T) {
	l := sampleLocation()
	var e ingest.Event
	if !l.Event(&e) {
		t.Fatal("no time")
	}
	want := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT808, Time: 1777593630000,
		Position: ingest.Position{Lat: 35490712, Lon: 112851274, Alarm: 1 << 8, Status: 3, VideoAlarm: 1 << 4, Mileage: 1234567,
			Speed: 615, RecorderSpeed: 600, Course: 178, Altitude: -12, Fuel: 601, Satellites: 13, RSSI: 28, Located: true,
			ACC: true, Extras: l.Extras}}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}

	bare := sampleBase
	bare.Status |= StatusSouth | StatusWest | StatusEncrypted
	bare.Time = Time{}
	bare.Event(&e)
	p := e.Position
	if e.Time != 0 || e.Flags != ingest.FlagEncrypted || p.Lat != -35490712 || p.Lon != -112851274 || p.Mileage != ingest.NoMileage ||
		p.Fuel != ingest.NoFuel || p.Satellites != ingest.NoSatellites || p.RSSI != ingest.NoRSSI || p.RecorderSpeed != ingest.NoSpeed || p.VideoAlarm != 0 {
		t.Errorf("%+v", e)
	}
	if bare.Event(&e) {
		t.Error("zeros are a time")
	}
	for _, c := range []struct {
		raw    uint32
		status uint32
		want   int32
	}{{math.MaxUint32, 0, math.MaxInt32}, {math.MaxUint32, StatusSouth, -math.MaxInt32}, {90e6 + 1, 0, 90e6 + 1}, {1 << 31, StatusSouth, -math.MaxInt32}} {
		l := Location{Lat: c.raw, Status: c.status}
		if l.Event(&e); e.Position.Lat != c.want {
			t.Errorf("latitude %d is %d, want %d", c.raw, e.Position.Lat, c.want)
		}
	}
}

func TestSetCoordinates(t *testing.T) {
	for _, c := range [][2]int32{{35490712, 112851274}, {-1, -2}, {-90e6, 180e6}, {math.MinInt32 + 1, math.MaxInt32}} {
		l := Location{Status: StatusACC | StatusSouth | StatusWest}
		l.SetCoordinates(c[0], c[1])
		var e ingest.Event
		l.Event(&e)
		if e.Position.Lat != c[0] || e.Position.Lon != c[1] || !e.Position.ACC {
			t.Errorf("%v is %+v", c, l)
		}
	}
}

// Items of another length than the standard's are somebody else's; of an id that comes twice the last counts.
func TestItemLengthsAndRepeats(t *testing.T) {
	l := sampleBase
	l.Extras = AppendItem(nil, ItemMileage, []byte{1, 2})
	l.Extras = AppendItem8(l.Extras, ItemSatellites, 9)
	l.Extras = AppendItem8(l.Extras, ItemSatellites, 10)
	l.Extras = AppendItem16(l.Extras, ItemSatellites, 11)
	l.Extras = AppendItem(l.Extras, 0, nil)
	var e ingest.Event
	l.Event(&e)
	if e.Position.Mileage != ingest.NoMileage || e.Position.Satellites != 10 {
		t.Errorf("%+v", e.Position)
	}
	if v, ok := l.Extras.Get(ItemSatellites); !ok || !bytes.Equal(v, []byte{0, 11}) {
		t.Errorf("Get: %x", v)
	}
	if _, ok := l.Extras.Get(0x99); ok {
		t.Error("Get finds what is not there")
	}
	n := 0
	for range l.Extras.All() {
		n++
	}
	if n != 5 {
		t.Errorf("%d items", n)
	}
	for range l.Extras.All() {
		break
	}
	want := `"satellites":10,"extras":{"01":"0102","31":["09","0a","000b"],"00":""}}`
	if got := AppendLocationJSON(nil, &l); !bytes.HasSuffix(got, []byte(want)) || !json.Valid(got) {
		t.Errorf("%s\nwant … %s", got, want)
	}
}

func TestBrokenTailKeepsThePosition(t *testing.T) {
	good := sampleLocation()
	b := AppendLocation(nil, &good)
	var l Location
	for n := range b {
		err := DecodeLocation(b[:n:n], &l)
		if n < locationBaseSize {
			if KindOf(err) != ErrShort {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		if err != nil || l.Lat != good.Lat || l.Time != good.Time || len(l.Extras) != n-locationBaseSize {
			t.Fatalf("%d bytes: %v, %+v", n, err, l)
		}
		if again := AppendLocation(nil, &l); !bytes.Equal(again, b[:n]) {
			t.Fatalf("%d bytes are encoded as %x", n, again)
		}
	}
	if err := DecodeLocation(append(b, 0xE1, 9, 1), &l); err != nil {
		t.Fatal(err)
	}
	want := "jt808: content at byte 62: additional item 0xe1 of 9 bytes, 1 left"
	if len(b) != 60 || l.ExtrasErr == nil || l.ExtrasErr.Error() != want {
		t.Errorf("%d bytes: %v", len(b), l.ExtrasErr)
	}
	var e ingest.Event
	if l.Event(&e); e.Position.Mileage != 1234567 || len(e.Position.Extras) != len(l.Extras) {
		t.Errorf("the items before are lost: %+v", e.Position)
	}
	if out := AppendLocationJSON(nil, &l); !bytes.Contains(out, []byte(`"extras_error":"`+want+`"`)) || !bytes.Contains(out, []byte(`"mileage_km":123456.7`)) {
		t.Errorf("%s", out)
	}
	if err := DecodeLocation(append(b, 0xE1), &l); err != nil || l.ExtrasErr == nil {
		t.Error("one byte left over", err, l.ExtrasErr)
	}
	if err := DecodeLocation(b, &l); err != nil || l.ExtrasErr != nil {
		t.Error("the error of the last message stays", l.ExtrasErr)
	}
	reply := append([]byte{0, 1}, append(b, 0xE1, 9)...)
	var r LocationReply
	if err := Decode(reply, Edition2013, &r); err != nil || r.Location.ExtrasErr.(*Error).Offset != 2+62 {
		t.Errorf("%v, %v", err, r.Location.ExtrasErr)
	}
}

func TestBatch(t *testing.T) {
	a, b := sampleBase, sampleLocation()
	body := AppendBatch(nil, BatchBlindSpots, []Location{a, b, a})
	read := func(body []byte) (got []Location, m Batch) {
		t.Helper()
		if err := m.Decode(body); err != nil {
			t.Fatal(err)
		}
		var l Location
		for m.Next(&l) {
			got = append(got, l)
		}
		if m.Next(&l) {
			t.Error("Next goes on after the end")
		}
		return got, m
	}
	got, m := read(body)
	if len(got) != 3 || m.Count != 3 || m.Kind != BatchBlindSpots || m.Bad != 0 || m.Err != nil || !bytes.Equal(got[1].Extras, b.Extras) {
		t.Fatalf("%d locations, %+v", len(got), m)
	}
	for _, count := range []byte{0, 1, 200} { // read to the end, whatever the count says
		lying := bytes.Clone(body)
		lying[1] = count
		if got, _ := read(lying); len(got) != 3 {
			t.Errorf("count %d: %d locations", count, len(got))
		}
	}
	// An item that is no location costs itself only.
	bad := append(bytes.Clone(body[:3]), 0, 5, 1, 2, 3, 4, 5)
	bad = append(bad, body[3:]...)
	got, m = read(bad)
	if len(got) != 3 || m.Bad != 1 || m.Err == nil || m.Err.Error() != "jt808: status at byte 9: location of 5 bytes, at least 28 are needed" {
		t.Errorf("%d locations, %d bad, %v", len(got), m.Bad, m.Err)
	}
	// One that is cut keeps its position.
	got, m = read(body[:len(body)-30-5])
	if len(got) != 2 || m.Bad != 0 || got[1].ExtrasErr == nil {
		t.Errorf("%d locations, %+v, %v", len(got), m, got[len(got)-1].ExtrasErr)
	}
	for n := 3; n < len(body); n++ {
		got, m := read(body[:n:n])
		if len(got)+m.Bad > 3 {
			t.Errorf("%d bytes: %d locations, %d bad", n, len(got), m.Bad)
		}
	}
	for n := range 3 {
		if err := new(Batch).Decode(body[:n]); KindOf(err) != ErrShort {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if got := AppendBatch(nil, 0, []Location{{Extras: make([]byte, 70000)}}); len(got) != 3+2+0xFFFF {
		t.Errorf("%d bytes", len(got))
	}
}

// hotLocations are the bodies of 0x0200 that fill the days of a fleet.
func hotLocations() map[string][]byte {
	seven := sampleBase
	x := AppendItem32(nil, ItemMileage, 1234567)
	x = AppendItem16(x, ItemFuel, 601)
	x = AppendItem16(x, ItemRecorderSpeed, 600)
	x = AppendItem32(x, ItemSignals, 0x10)
	x = AppendItem32(x, ItemAnalog, 0x01020304)
	x = AppendItem8(x, ItemRSSI, 28)
	seven.Extras = AppendItem8(x, ItemSatellites, 13)
	adas := seven
	alarm := AppendBody(nil, EditionAuto, &ADAS{AlarmID: 5, Flag: 1, Kind: 2, Level: 2, Deviation: 1, AlarmPlace: samplePlace})
	adas.Extras = AppendItem(append(Extras(nil), seven.Extras...), ItemADAS, alarm)
	return map[string][]byte{"seven": AppendLocation(nil, &seven), "adas": AppendLocation(nil, &adas)}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	var l Location
	var e ingest.Event
	var safety []SafetyAlarm
	for name, body := range hotLocations() {
		t.Run(name, func(t *testing.T) {
			decode := func() {
				if err := DecodeLocation(body, &l); err != nil {
					t.Fatal(err)
				}
				l.Event(&e)
				safety = AppendSafety(safety[:0], l.Extras)
			}
			decode() // safety grows once
			if n := testing.AllocsPerRun(100, decode); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if alarms := len(safety); (alarms == 1) != (name == "adas") || e.Position.Mileage != 1234567 || e.Position.Satellites != 13 {
				t.Errorf("%d alarms, %+v", alarms, e.Position)
			}
		})
	}
	one := sampleLocation()
	batch := AppendBatch(nil, BatchNormal, []Location{one, one, one})
	var m Batch
	if n := testing.AllocsPerRun(100, func() {
		if err := m.Decode(batch); err != nil {
			t.Fatal(err)
		}
		for m.Next(&l) {
			l.Event(&e)
		}
	}); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}

func TestAppendSafety(t *testing.T) {
	var l Location
	for _, s := range samples() {
		if p, ok := s.m.(*Location); ok && s.ed == Edition2013 {
			l = *p
		}
	}
	l.Extras = AppendItem(l.Extras, ItemBSD, []byte("lock")) // another maker's item
	var got [][3]string
	for _, a := range AppendSafety(nil, l.Extras) {
		if a.Time != sampleTime2 || a.Speed != 720 {
			t.Errorf("%+v", a)
		}
		got = append(got, [3]string{a.System, a.Kind, a.Flag})
	}
	want := [][3]string{{"adas", "lane", "start"}, {"dsm", "fatigue", "end"}, {"bsd", "right_rear", ""},
		{"tpms", "pressure_high", "start"}, {"tpms", "imbalance", "start"}, {"tpms", "slow_leak", ""}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for kind, word := range map[uint8]string{0x0A: "seat_belt", 0x0C: "hands_off", 0x0D: "phone"} {
		long := AppendItem(nil, ItemDSM, AppendBody(nil, EditionAuto, &DSM{Kind: kind, AlarmPlace: samplePlaceL}))
		if a := AppendSafety(nil, long); len(a) != 1 || a[0].Kind != word {
			t.Errorf("kind 0x%02x: %+v", kind, a)
		}
		short := AppendItem(nil, ItemDSM, AppendBody(nil, EditionAuto, &DSM{Kind: kind, AlarmPlace: samplePlace}))
		if a := AppendSafety(nil, short); len(a) != 1 || a[0].Kind == word {
			t.Errorf("kind 0x%02x is the maker's own in T/JSATL 12: %+v", kind, a)
		}
	}
}

func BenchmarkLocation(b *testing.B) {
	bodies := hotLocations()
	for _, name := range []string{"seven", "adas"} {
		b.Run(name, func(b *testing.B) {
			body := bodies[name]
			var l Location
			var e ingest.Event
			safety := make([]SafetyAlarm, 0, 1)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if err := DecodeLocation(body, &l); err != nil {
					b.Fatal(err)
				}
				l.Event(&e)
				if name == "adas" {
					safety = AppendSafety(safety[:0], l.Extras)
				}
			}
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	raw := readFrame(b, "06-location-2013-escapes")
	buf := make([]byte, len(raw))
	var f Framer
	var h Header
	var l Location
	var e ingest.Event
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, raw)
		frame, _, err := f.Next(buf)
		if err != nil {
			b.Fatal(err)
		}
		body, err := h.Decode(frame)
		if err != nil {
			b.Fatal(err)
		}
		if err := DecodeLocation(body, &l); err != nil {
			b.Fatal(err)
		}
		l.Event(&e)
	}
}
