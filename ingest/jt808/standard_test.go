package jt808

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A golden of the standard is testdata/golden/NAME.txt: the body of a message, written field by field from the tables of
// the standard, so that a person who holds it can check every line. NAME.json has what Describe says of it, an edition a
// line.
//
//	message 0x8003
//	editions 2013 2019
//	# a remark
//	0003  # count BYTE = 3
//	0269  # speed WORD as speed_kmh = 61.7
//	# located = true
//
// The value behind "=" is what the field means, under the name of the field (of the last part of a dotted one) or the
// one behind "as". It is the word of the tables against the decoder: each must stand in the JSON under its name.
type standardGolden struct {
	name     string
	id       MessageID
	editions []Edition
	body     []byte
	values   []namedValue
}

type namedValue struct {
	name, value string
	line        int
}

func standardGoldens(t testing.TB) []standardGolden {
	t.Helper()
	names, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no goldens of the standard", err)
	}
	var all []standardGolden
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := parseStandardGolden(string(b))
		if err != nil {
			t.Fatalf("%s:%v", name, err)
		}
		g.name = strings.TrimSuffix(filepath.Base(name), ".txt")
		if !strings.HasPrefix(g.name, g.id.hexName()) {
			t.Fatalf("%s is of message %s", name, g.id.hexName())
		}
		all = append(all, g)
	}
	return all
}

func (id MessageID) hexName() string { return fmt.Sprintf("0x%04X", uint16(id)) }

func parseStandardGolden(text string) (g standardGolden, err error) {
	for i, line := range strings.Split(text, "\n") {
		fail := func(err error) (standardGolden, error) { return g, fmt.Errorf("%d: %w: %q", i+1, err, line) }
		data, comment, _ := strings.Cut(line, "#")
		switch key, rest, _ := strings.Cut(strings.TrimSpace(data), " "); key {
		case "message":
			id, err := strconv.ParseUint(rest, 0, 16)
			if err != nil {
				return fail(err)
			}
			g.id = MessageID(id)
		case "editions":
			for word := range strings.FieldsSeq(rest) {
				ed, ok := ParseEdition(word)
				if !ok {
					return fail(fmt.Errorf("no edition %s", word))
				}
				g.editions = append(g.editions, ed)
			}
		default:
			b, err := hex.DecodeString(strings.Join(strings.Fields(data), ""))
			if err != nil {
				return fail(err)
			}
			g.body = append(g.body, b...)
		}
		what, value, ok := strings.Cut(comment, " = ")
		if !ok {
			continue
		}
		words := strings.Fields(what)
		if len(words) == 0 {
			return fail(fmt.Errorf("a value without a name"))
		}
		name := words[0]
		if n := slices.Index(words, "as"); n >= 0 && n == len(words)-2 {
			name = words[n+1]
		}
		if value == `""` {
			value = ""
		}
		g.values = append(g.values, namedValue{name, value, i + 1})
	}
	if g.id == 0 || len(g.editions) == 0 {
		return g, fmt.Errorf("1: message or editions missing")
	}
	return g, nil
}

const (
	standardSerial  = 0x7E7D // both bytes are escaped
	standardPhone   = "013955510021"
	standardPhone19 = "00000000018735601188"
)

// frame builds the frame of the golden by clause 4.4 alone, without the encoder.
func (g *standardGolden) frame(t testing.TB, ed Edition) []byte {
	t.Helper()
	if len(g.body) > 1023 {
		t.Fatalf("a body of %d bytes fits no frame", len(g.body))
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(g.id))
	if ed == Edition2019 {
		b = binary.BigEndian.AppendUint16(b, 1<<14|uint16(len(g.body)))
		b = append(append(b, 1), unhex(t, standardPhone19)...)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(g.body)))
		b = append(b, unhex(t, standardPhone)...)
	}
	b = binary.BigEndian.AppendUint16(b, standardSerial)
	b = append(b, g.body...)
	sum := byte(0)
	for _, c := range b {
		sum ^= c
	}
	b = append(b, sum)
	b = bytes.ReplaceAll(b, []byte{0x7D}, []byte{0x7D, 1})
	b = bytes.ReplaceAll(b, []byte{0x7E}, []byte{0x7D, 2})
	return append(append([]byte{0x7E}, b...), 0x7E)
}

// Messages whose edition a frame of 2011 or 2013 shows by its layout.
var toldApart = []MessageID{IDRegister, IDDriverIdentity, IDMediaData, IDStoredMediaList}

func TestStandard(t *testing.T) {
	for _, g := range standardGoldens(t) {
		t.Run(g.name, func(t *testing.T) {
			var got []byte
			for _, ed := range g.editions {
				raw := g.frame(t, ed)
				line := Describe(nil, raw, DescribeOptions{Edition: ed})
				got = append(append(got, line...), '\n')
				g.checkValues(t, ed, line)
				g.checkFrame(t, ed, raw)
			}
			file := filepath.Join("testdata", "golden", g.name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("Describe:\n got %s\nwant %s", got, want)
			}
		})
	}
}

// checkFrame decodes the frame and encodes what came out to the same bytes again.
func (g *standardGolden) checkFrame(t *testing.T, ed Edition, raw []byte) {
	t.Helper()
	h, body := openOne(t, raw)
	phone, version := standardPhone, uint8(0)
	if ed == Edition2019 {
		phone, version = standardPhone19, 1
	}
	if h.ID != g.id || h.Serial != standardSerial || h.Phone.String() != phone || h.Version != version || !bytes.Equal(body, g.body) {
		t.Fatalf("%s: header %+v, body %x", ed, h, body)
	}
	if slices.Contains(toldApart, g.id) {
		if guess := GuessEdition(&h, body); guess != ed {
			t.Errorf("%s: taken for %s", ed, guess)
		}
	}
	m := NewBody(h.ID)
	n, err := decodeBody(body, ed, m)
	if err != nil || n != len(body) {
		t.Fatalf("%s: decoded %d of %d bytes, %v", ed, n, len(body), err)
	}
	out := AppendBody(nil, ed, m)
	if !bytes.Equal(out, body) {
		t.Fatalf("%s: encoded again\n got %x\nwant %x", ed, out, body)
	}
	if again := AppendFrame(nil, &h, out); !bytes.Equal(again, raw) {
		t.Errorf("%s: frame encoded again\n got %x\nwant %x", ed, again, raw)
	}
	trimTexts(reflect.ValueOf(m))
	if again := AppendBody(nil, ed, m); !bytes.Equal(again, body) {
		t.Errorf("%s: encoded from texts without padding\n got %x\nwant %x", ed, again, body)
	}
	// The body ends with its last field: without its last byte it cannot say the same.
	if len(body) > 0 {
		short := NewBody(h.ID)
		if _, err := decodeBody(body[:len(body)-1:len(body)-1], ed, short); err == nil {
			if again := AppendBody(nil, ed, short); bytes.Equal(again, body) {
				t.Errorf("%s: the last byte makes no difference", ed)
			}
		}
	}
}

// trimTexts takes the padding from every text, as it is in a body that did not come from the wire: the encoder must fill
// the field as the standard does.
func trimTexts(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		trimTexts(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				trimTexts(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			trimTexts(v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.Trim(v.String(), "\x00 "))
	}
}

// checkValues finds every value of the golden in the JSON under its name, each in a place of its own.
func (g *standardGolden) checkValues(t *testing.T, ed Edition, line []byte) {
	t.Helper()
	var frame struct {
		Error *string
		Body  json.RawMessage
	}
	if err := json.Unmarshal(line, &frame); err != nil {
		t.Fatal(err)
	}
	if frame.Error != nil || bytes.Contains(line, []byte(`_error":`)) || bytes.Contains(line, []byte(`"trailing":`)) {
		t.Errorf("%s: %s", ed, line)
	}
	members := scalars(t, frame.Body)
	for _, v := range g.values {
		// What a dotted name is about stands in its last part: vertices[1].lat.
		name := v.name[strings.LastIndexByte(v.name, '.')+1:]
		name, _, _ = strings.Cut(name, "[")
		i := slices.IndexFunc(members, func(m namedValue) bool { return m.name == name })
		if i < 0 {
			t.Errorf("%s: line %d: no %s = %s in %s", ed, v.line, name, v.value, frame.Body)
			continue
		}
		if !sameValue(members[i].value, v.value) {
			t.Errorf("%s: line %d: %s = %s, want %s", ed, v.line, name, members[i].value, v.value)
		}
		members = slices.Delete(members, i, i+1)
	}
	for _, m := range members {
		if !strings.HasSuffix(m.name, "_meaning") && m.name != "lat_deg" && m.name != "lon_deg" {
			t.Errorf("%s: %s = %s is in no line of the golden", ed, m.name, m.value)
		}
	}
}

func sameValue(got, want string) bool {
	if got == want {
		return true
	}
	a, err1 := strconv.ParseFloat(got, 64)
	b, err2 := strconv.ParseFloat(want, 64)
	return err1 == nil && err2 == nil && strings.Contains(got+want, ".") && a == b
}

// scalars are the members of all objects of the JSON, in their order; an element of a list has the name of the list.
func scalars(t *testing.T, b []byte) (all []namedValue) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var value func(name string)
	value = func(name string) {
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch tok {
		case json.Delim('{'):
			for dec.More() {
				key, err := dec.Token()
				if err != nil {
					t.Fatal(err)
				}
				value(key.(string))
			}
		case json.Delim('['):
			for dec.More() {
				value(name)
			}
		case nil:
			all = append(all, namedValue{name: name, value: "null"})
			return
		default:
			all = append(all, namedValue{name: name, value: fmt.Sprint(tok)})
			return
		}
		if _, err := dec.Token(); err != nil { // the end of the object or list
			t.Fatal(err)
		}
	}
	value("")
	return all
}
