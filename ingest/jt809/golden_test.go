package jt809

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is testdata/golden/NAME.txt: the data of a message, written field by field from the tables of the standard, so
// that a person who holds it can check every line. NAME.json has what AppendBodyJSON says of it, an edition a line.
//
//	message 0x1201
//	editions 2013
//	# a remark
//	3533303130303030343137  # platform_id s11 = 53010000417
//	003D  # vec1 u16 as speed_kmh = 61.0
//
// The value behind "=" is what the field means, under the name of the field or the one behind "as": it must stand in the
// JSON under its name. A line "tolerated" says that no encoder writes such data.
type golden struct {
	name      string
	id        MessageID
	editions  []Edition
	tolerated bool
	body      []byte
	values    []namedValue
}

type namedValue struct {
	name, value string
	line        int
}

func goldens(t testing.TB) []golden {
	t.Helper()
	names, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatal("no goldens", err)
	}
	var all []golden
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := parseGolden(string(b))
		if err != nil {
			t.Fatalf("%s:%v", name, err)
		}
		g.name = strings.TrimSuffix(filepath.Base(name), ".txt")
		if !strings.HasPrefix(g.name, fmt.Sprintf("%04X", uint16(g.id))) {
			t.Fatalf("%s is of message %s", name, g.id)
		}
		all = append(all, g)
	}
	return all
}

func parseGolden(text string) (g golden, err error) {
	for i, line := range strings.Split(text, "\n") {
		fail := func(err error) (golden, error) { return g, fmt.Errorf("%d: %w: %q", i+1, err, line) }
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
		case "tolerated":
			g.tolerated = true
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
		words := strings.FieldsFunc(what, func(r rune) bool { return r == ' ' || r == ',' })
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

// collect gathers the scalars of JSON by the name that they stand under.
func collect(v any, name string, into map[string][]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			collect(x, k, into)
		}
	case []any:
		for _, x := range v {
			collect(x, name, into)
		}
	case nil:
		into[name] = append(into[name], "null")
	default:
		into[name] = append(into[name], fmt.Sprint(v))
	}
}

// sub-tests by message and edition.
func eachGolden(t *testing.T, fn func(t *testing.T, g *golden, ed Edition)) {
	for _, g := range goldens(t) {
		for _, ed := range g.editions {
			t.Run(g.name+"/"+ed.String(), func(t *testing.T) { fn(t, &g, ed) })
		}
	}
}

func (g *golden) decode(t *testing.T, ed Edition) Body {
	t.Helper()
	m := NewBody(g.id, ed, len(g.body))
	if m == nil {
		t.Fatalf("no body for %s", g.id)
	}
	n, err := decodeBody(g.body, ed, m)
	if err != nil || n != len(g.body) && !g.tolerated {
		t.Fatalf("decoded %d of %d bytes: %v", n, len(g.body), err)
	}
	return m
}

func TestGoldenValues(t *testing.T) {
	eachGolden(t, func(t *testing.T, g *golden, ed Edition) {
		m := g.decode(t, ed)
		out := AppendBodyJSON([]byte("kept"), ed, m)
		if !bytes.HasPrefix(out, []byte("kept")) {
			t.Fatal("the bytes before are gone")
		}
		d := json.NewDecoder(bytes.NewReader(out[4:]))
		d.UseNumber()
		var doc any
		if err := d.Decode(&doc); err != nil || d.More() {
			t.Fatalf("no JSON: %v: %s", err, out)
		}
		have := map[string][]string{}
		collect(doc, "", have)
		for _, v := range g.values {
			if !slices.Contains(have[v.name], v.value) {
				t.Errorf("line %d: %s is %q, want %q", v.line, v.name, have[v.name], v.value)
			}
		}
		file := filepath.Join("testdata/golden", g.name+"_"+ed.String()+".json")
		got := append(out[4:], '\n')
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
			t.Errorf("JSON\n got %s\nwant %s", got, want)
		}
	})
}

func TestGoldenRoundTrip(t *testing.T) {
	eachGolden(t, func(t *testing.T, g *golden, ed Edition) {
		m := g.decode(t, ed)
		again := AppendBody([]byte("kept"), ed, m)
		if !bytes.HasPrefix(again, []byte("kept")) {
			t.Fatal("the bytes before are gone")
		}
		again = again[4:]
		if !g.tolerated && !bytes.Equal(again, g.body) {
			t.Errorf("encoded again\n got %x\nwant %x", again, g.body)
		}
		if !reflect.DeepEqual(m, g.decode(t, ed)) {
			t.Error("encoding changed the message")
		}
		// Into the same struct again: nothing of the message before must show.
		v := reflect.ValueOf(m).Elem()
		first := reflect.New(v.Type()).Elem()
		first.Set(v)
		v.Set(reflect.ValueOf(NewBody(g.id, ed, len(g.body))).Elem())
		if err := Decode(g.body, ed, m); err != nil || !reflect.DeepEqual(v.Interface(), first.Interface()) {
			t.Errorf("decoded again %+v, %v\nwant %+v", v, err, first)
		}
	})
}

// What the JSON says makes the same data again.
func TestGoldenFill(t *testing.T) {
	eachGolden(t, func(t *testing.T, g *golden, ed Edition) {
		m := g.decode(t, ed)
		b := AppendBody(nil, ed, m)
		js := AppendBodyJSON(nil, ed, m)
		filled := NewBody(g.id, ed, len(g.body))
		if err := FillBody(filled, ed, js); err != nil {
			t.Fatalf("%v in %s", err, js)
		}
		if got := AppendBody(nil, ed, filled); !g.tolerated && !bytes.Equal(got, b) {
			t.Errorf("filled\n got %x\nwant %x\nfrom %s", got, b, js)
		}
		var doc map[string]any
		if err := json.Unmarshal(js, &doc); err != nil {
			t.Fatal(err)
		}
		doc["nonsense"] = 1
		bad, _ := json.Marshal(doc)
		if err := FillBody(NewBody(g.id, ed, len(g.body)), ed, bad); err == nil || err.Error() != "body.nonsense: no such field" {
			t.Errorf("an unknown field: %v", err)
		}
	})
}

// An error of data that are cut must name a field at a place inside of them; data that are legal when cut must be whole.
func TestGoldenPrefixes(t *testing.T) {
	eachGolden(t, func(t *testing.T, g *golden, ed Edition) {
		for n := range g.body {
			p := append(make([]byte, 0, n), g.body[:n]...) // no bytes behind that a mistake could read
			m := NewBody(g.id, ed, n)
			took, err := decodeBody(p, ed, m)
			if err == nil {
				if took > n {
					t.Errorf("%d bytes of %d taken", took, n)
				}
				if js := AppendBodyJSON(nil, ed, m); !json.Valid(js) {
					t.Errorf("cut to %d: no JSON: %s", n, js)
				}
				continue
			}
			if e, ok := err.(*Error); !ok || e.Kind == 0 || e.Field == "" || e.Offset < 0 || e.Offset > n {
				t.Errorf("cut to %d bytes: %#v", n, err)
			}
		}
	})
}

// Every message of the standard has a body, and every one of the links, of 0x1200, and of the alarms a golden for each
// edition that has it.
func TestEveryMessageHasAGolden(t *testing.T) {
	have := map[string]bool{}
	for _, g := range goldens(t) {
		for _, ed := range g.editions {
			have[g.id.String()+ed.String()] = true
		}
	}
	for _, id := range MessageIDs() {
		if id.IsContainer() {
			if m := NewBody(id, Edition2019, -1); m != nil {
				t.Errorf("%s is a container and has a body %T", id, m)
			}
			continue
		}
		info, _ := id.Info()
		for _, ed := range []Edition{Edition2011, Edition2013, Edition2019} {
			if ed < info.Since {
				continue
			}
			if NewBody(id, ed, -1) == nil {
				t.Errorf("%s %s has no body", id, info.Name)
			}
			if newBodyA(id, ed, -1) != nil && !have[id.String()+ed.String()] {
				t.Errorf("%s %s has no golden of %s", id, info.Name, ed)
			}
		}
	}
}
