package fields

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// walk is a protocol with one message that has every kind of field.
type walk struct {
	Walker
	modern bool
}

type message struct {
	A       uint8
	B       uint16
	C       uint32
	D       uint64
	Kind    uint8
	Lat     uint32
	Fixed   Text
	Front   Text
	Spaces  Text
	Digits  Text
	Counted Text
	Loose   Text
	Raw     [3]byte
	Data    []byte
	Ids     []uint16
	Items   []item
	Inner   item
	Extra   uint16
	HasMore bool
	Rest    []item
}

type item struct {
	ID   uint8
	Name Text
	Sub  []item
}

func (i *item) walk(f *walk) {
	f.U8("id", &i.ID)
	f.TextLen("name_len", "name", 1, &i.Name)
	if f.modern {
		List(f, "sub_count", "subs", 1, &i.Sub, func(f *walk, s *item) { f.U8("sub_id", &s.ID) })
	}
}

func (m *message) walk(f *walk) {
	f.U8("a", &m.A)
	f.U16("b", &m.B)
	f.U32("c", &m.C)
	f.U64("d", &m.D)
	f.Code8("kind", &m.Kind, Meanings{1: "one"})
	f.Degrees("lat", &m.Lat, m.A == 1)
	f.Text("fixed", 6, ZeroEnd, &m.Fixed)
	f.Text("front", 4, ZeroFront, &m.Front)
	f.Text("spaces", 4, SpaceEnd, &m.Spaces)
	f.Text("digits", 4, DigitFront, &m.Digits)
	f.TextLen("counted_len", "counted", 2, &m.Counted)
	f.Array("raw", m.Raw[:])
	f.BytesLen("data_len", "data", 2, &m.Data)
	Numbers(f, "id_count", "ids", 1, 2, &m.Ids)
	List(f, "item_count", "items", 2, &m.Items, func(f *walk, i *item) { i.walk(f) })
	f.Struct("inner", func() { f.Within(7, "inner", func() { m.Inner.walk(f) }) })
	f.TextLoose("loose_len", "loose", 1, &m.Loose)
	if m.HasMore = f.More("extra", m.HasMore); m.HasMore {
		f.U16("extra", &m.Extra)
		ListRest(f, "rest", &m.Rest, func(f *walk, i *item) { f.U8("id", &i.ID) })
	}
}

func sample() message {
	return message{A: 1, B: 0x0203, C: 0x04050607, D: 1 << 60, Kind: 1, Lat: 25040678, Fixed: "ab\x00\x00\x00\x00", Front: "\x00\x00cd",
		Spaces: "e   ", Digits: "0012", Counted: GBK("昆明\"\n"), Raw: [3]byte{1, 2, 3}, Data: []byte{9, 8}, Ids: []uint16{7, 65535},
		Items: []item{{1, "x", []item{{ID: 5}, {ID: 6}}}, {2, "", nil}}, Inner: item{3, "four", nil}, Loose: "z", HasMore: true,
		Extra: 77, Rest: []item{{ID: 1}, {ID: 2}}}
}

const sampleHex = "01" + "0203" + "04050607" + "1000000000000000" + "01" + "017e1726" + "616200000000" + "00006364" + "65202020" +
	"30303132" + "0006" + "c0a5c3f7220a" + "010203" + "0002" + "0908" + "02" + "0007ffff" +
	"0002" + "01" + "0178" + "02" + "0506" + "02" + "00" + "00" + "03" + "04666f7572" + "00" + "017a" + "004d" + "0102"

const sampleJSON = `{"a":1,"b":515,"c":67438087,"d":1152921504606846976,"kind":1,"kind_meaning":"one","lat":25040678,"lat_deg":-25.040678,` +
	`"fixed":"ab","front":"cd","spaces":"e","digits":"0012","counted_len":6,"counted":"昆明\"\u000a","raw":"010203","data_len":2,` +
	`"data":"0908","id_count":2,"ids":[7,65535],"item_count":2,"items":[{"id":1,"name_len":1,"name":"x","sub_count":2,` +
	`"subs":[{"sub_id":5},{"sub_id":6}]},{"id":2,"name_len":0,"name":"","sub_count":0,"subs":[]}],` +
	`"inner":{"id":3,"name_len":4,"name":"four","sub_count":0,"subs":[]},"loose_len":1,"loose":"z","extra":77,` +
	`"rest":[{"id":1},{"id":2}]}`

func decode(b []byte, m *message) (int, error) {
	f := walk{Reader(b), true}
	m.walk(&f)
	return f.At, f.Err
}

func encode(m *message) []byte {
	f := walk{Writer([]byte("kept")), true}
	m.walk(&f)
	return bytes.TrimPrefix(f.Out, []byte("kept"))
}

func describe(m *message) string {
	f := walk{Describer(nil), true}
	f.Object(func() { m.walk(&f) })
	return string(f.Out)
}

func fill(js string, m *message) error {
	f := walk{modern: true}
	return f.Fill("body", []byte(js), func() { m.walk(&f) })
}

func TestOneWalkServesAllWays(t *testing.T) {
	want := sample()
	if got := hex.EncodeToString(encode(&want)); got != sampleHex {
		t.Errorf("encoded\n got %s\nwant %s", got, sampleHex)
	}
	b, _ := hex.DecodeString(sampleHex)
	var got message
	if n, err := decode(b, &got); err != nil || n != len(b) {
		t.Fatalf("%d of %d bytes, %v", n, len(b), err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded\n got %+v\nwant %+v", got, want)
	}
	if got := describe(&want); got != sampleJSON || !json.Valid([]byte(got)) {
		t.Errorf("described\n got %s\nwant %s", got, sampleJSON)
	}
	if !reflect.DeepEqual(want, sample()) {
		t.Error("the message has changed")
	}
	var filled message
	if err := fill(sampleJSON, &filled); err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(encode(&filled)); got != sampleHex {
		t.Errorf("filled and encoded\n got %s\nwant %s", got, sampleHex)
	}
}

func TestPrefixes(t *testing.T) {
	b, _ := hex.DecodeString(sampleHex)
	whole := map[int]bool{len(b) - 4: true, len(b) - 2: true, len(b) - 1: true, len(b): true} // what follows may be missing
	whole[len(b)-5] = true                                                                    // the loose text
	for n := range len(b) + 1 {
		var m message
		took, err := decode(append(make([]byte, 0, n), b[:n]...), &m)
		var e *Error
		switch {
		case whole[n] && err == nil && took == n:
		case whole[n] || !errors.As(err, &e) || e.Kind != ErrShort || e.Field == "" || e.Offset > n:
			t.Errorf("%d of %d bytes: took %d, %v", n, len(b), took, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		walk func(w *walk)
		hex  string
		want string
	}{
		{func(w *walk) { var v uint32; w.U32("n", &v) }, "0102", "n at byte 0: 4 bytes wanted, 2 left"},
		{func(w *walk) { var v Text; w.TextLen("len", "t", 1, &v) }, "0541", "t at byte 1: 5 bytes wanted, 1 left"},
		{func(w *walk) { var v []byte; w.BytesLen("len", "d", 4, &v) }, "ffffffff41", "d at byte 4: 4294967295 bytes wanted, 1 left"},
		{func(w *walk) { var v []uint32; Numbers(w, "count", "ids", 4, 4, &v) }, "ffffffff41",
			"count at byte 0: says 4294967295, the body has 1 bytes for them"},
		{func(w *walk) {
			var v []item
			List(w, "count", "ids", 4, &v, func(f *walk, i *item) { f.U8("id", &i.ID) })
		}, "ffffffff41",
			"count at byte 0: says 4294967295, the body ends after 1"},
		{func(w *walk) { w.Within(9, "inner", func() {}) }, "00", "inner at byte 0: 9 bytes wanted, 1 left"},
		{func(w *walk) { w.Within(-1, "inner", func() {}) }, "00", "inner at byte 0: -1 bytes wanted, 1 left"},
		{func(w *walk) { w.Take(-1, "x") }, "00", "x at byte 0: -1 bytes wanted, 1 left"},
		{func(w *walk) {
			w.Fail(ErrValue, "first", "bad")
			w.Fail(ErrValue, "second", "bad")
		}, "", "first at byte 0: bad"},
	} {
		b, _ := hex.DecodeString(c.hex)
		w := walk{Walker: Reader(b)}
		c.walk(&w)
		if w.Err == nil || w.Err.Error() != c.want {
			t.Errorf("%v, want %s", w.Err, c.want)
		}
	}
}

// A structure with a space of its own leaves what it does not know, and reads nothing behind it.
func TestWithin(t *testing.T) {
	w := walk{Walker: Reader([]byte{1, 2, 3, 4})}
	var v uint8
	w.Within(3, "inner", func() { w.U8("v", &v) })
	var next uint8
	w.U8("next", &next)
	if v != 1 || next != 4 || w.Err != nil {
		t.Errorf("%d, %d, %v", v, next, w.Err)
	}
	w = walk{Walker: Reader([]byte{1, 2, 3, 4})}
	var wide uint16
	w.Within(1, "inner", func() { w.U16("wide", &wide) })
	if w.Err == nil {
		t.Error("read behind the space")
	}
}

func TestEncodersCut(t *testing.T) {
	long := message{Fixed: GBK("一二三四"), Counted: Text(strings.Repeat("x", 70000)), Ids: make([]uint16, 300), Data: make([]byte, 70000),
		Items: make([]item, 70000), Loose: Text(strings.Repeat("y", 300)), Inner: item{Name: "four"}}
	b := encode(&long)
	var m message
	if n, err := decode(b, &m); err != nil || n != len(b) {
		t.Fatalf("%d of %d, %v", n, len(b), err)
	}
	if m.Fixed != GBK("一二三") || len(m.Counted) != 65535 || len(m.Ids) != 255 || len(m.Data) != 65535 || len(m.Items) != 65535 ||
		len(m.Loose) != 255 {
		t.Errorf("%q %d %d %d %d %d", m.Fixed, len(m.Counted), len(m.Ids), len(m.Data), len(m.Items), len(m.Loose))
	}
}

func TestLooseLength(t *testing.T) {
	w := walk{Walker: Reader([]byte{200, 'a', 'b'})}
	var v Text
	w.TextLoose("len", "t", 1, &v)
	if v != "ab" || w.Err != nil {
		t.Errorf("%q, %v", v, w.Err)
	}
}

func TestFillRefuses(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`{"a":256}`, "body.a: want a number from 0 to 255"},
		{`{"a":"1"}`, "body.a: want a number from 0 to 255"},
		{`{"a":1.5}`, "body.a: want a number from 0 to 255"},
		{`{"d":18446744073709551616}`, "body.d: want a number from 0 to 18446744073709551615"},
		{`{"b":"0x1_0"}`, "body.b: want a number from 0 to 65535"},
		{`{"fixed":"seven77"}`, "body.fixed: want at most 6 bytes in GBK, have 7"},
		{`{"counted":["x"]}`, "body.counted: want a text"},
		{`{"raw":"0102"}`, "body.raw: want 3 bytes as hex, have 2"},
		{`{"raw":"xx"}`, "body.raw: want bytes as hex"},
		{`{"ids":[1,2,"x"]}`, "body.ids[2]: want a number from 0 to 65535"},
		{`{"ids":7}`, "body.ids: want a list"},
		{`{"items":[{"subs":[{"sub_id":1},{"sub_id":900}]}]}`, "body.items[0].subs[1].sub_id: want a number from 0 to 255"},
		{`{"items":[{"name":"x","colour":1}]}`, "body.items[0].colour: no such field"},
		{`{"inner":[]}`, "body.inner: want an object"},
		{`{"inner":{"idd":1}}`, "body.inner.idd: no such field"},
		{`{"extra_meaning":1,"a_deg":2,"b_raw":"x","c_meanings":1}`, "body.c_meanings: no such field"},
		{`{"extra":null,"a":null}`, ""},
		{`{"b":"0x01ff","extra":5}`, ""},
		{strings.Repeat(" ", MaxJSON+1), "body: 16777217 bytes, at most 16777216 are taken"},
		{`{"a":1`, "body: want an object"},
	} {
		m := message{A: 9}
		err := fill(c.json, &m)
		if err == nil && c.want == "" {
			if m.A != 9 {
				t.Errorf("null has set a to %d", m.A)
			}
			continue
		}
		if err == nil || err.Error() != c.want || !IsFillError(err) {
			t.Errorf("%.60s: %v, want %s", c.json, err, c.want)
		}
	}
}

// A layout that stands in itself ends at a depth.
func TestFillDepth(t *testing.T) {
	var nested func(f *walk, _ *item)
	nested = func(f *walk, _ *item) {
		var v []item
		List(f, "count", "x", 1, &v, nested)
	}
	deep := strings.Repeat(`{"x":[`, 40) + strings.Repeat(`]}`, 40)
	f := walk{}
	err := f.Fill("body", []byte(deep), func() { nested(&f, nil) })
	if err == nil || !strings.HasSuffix(err.Error(), ": too deep") {
		t.Errorf("%v", err)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"昆明", "昆明"}, {" a ", "a"}, {"한a", "?a"}, {"", ""}, {"\x00\x00ab\x00", "ab"},
	} {
		if got := GBK(c.in).String(); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	if got := Text("\xff\xff").String(); !strings.Contains(got, "\ufffd") {
		t.Errorf("no GBK: %q", got)
	}
}

func TestJSONHelpers(t *testing.T) {
	if got := string(AppendString(nil, "a\"\\\x00\x7f\u2028é\xff")); got != `"a\"\\\u0000\u007f\u2028é`+"\ufffd\"" {
		t.Error(got)
	}
	if got := string(AppendTenths(nil, -15)); got != "-1.5" {
		t.Error(got)
	}
	if got := string(AppendDegrees(nil, 5, true)) + string(AppendDegrees(nil, 0, true)); got != "-0.0000050.000000" {
		t.Error(got)
	}
}

func TestErrorKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range ErrorKinds {
		if seen[k.String()] || k.String() == "unknown" {
			t.Errorf("%d is %s", k, k)
		}
		seen[k.String()] = true
	}
	if ErrorKind(0).String() != "unknown" || ErrorKind(99).String() != "unknown" {
		t.Error("a kind that is none")
	}
}

// Whatever is given as JSON is taken or refused by name, and what is taken can be written and read.
func FuzzFill(f *testing.F) {
	f.Add(sampleJSON)
	f.Add(`{"items":[{"id":1},{"name":"x"}],"extra":1}`)
	f.Fuzz(func(t *testing.T, js string) {
		var m message
		err := fill(js, &m)
		if err != nil {
			if !IsFillError(err) || !strings.HasPrefix(err.Error(), "body") {
				t.Fatalf("%v", err)
			}
			return
		}
		m.Inner.Name = m.Inner.Name.Cut(4)
		m.Inner.Sub = nil
		if m.Inner.Name = m.Inner.Name + Text(bytes.Repeat([]byte{'.'}, 4-len(m.Inner.Name))); len(m.Inner.Name) != 4 {
			t.Fatal(m.Inner.Name)
		}
		var again message
		b := encode(&m)
		if n, err := decode(b, &again); err != nil || n != len(b) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	})
}
