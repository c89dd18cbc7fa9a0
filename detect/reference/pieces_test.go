package reference

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"lushao/ingest/eventfile/textform"
)

// A file that is checked feature by feature is good where it is good as a whole, and what is wrong is told alike.
func TestCheckJSONInPieces(t *testing.T) {
	good := []string{
		`{"type":"FeatureCollection","features":[]}`,
		` {"features" : [ {"a":[1,2,{"b":"]}\"\\"}]} , 7,"x", null ] , "type" : "FeatureCollection", "bbox":[1,2] } `,
		`{"type":"FeatureCollection","name":"\"features\":[","features":[{"type":"Feature","properties":{"id":"a,b]"}}]}`,
		`{"features":[1],"features":[2]}`,
		`{"x":{"features":[1,2]},"features":[{}]}`,
		`{"features":{"a":1}}`, `[1,2]`, `3`, `{}`, `{"type":"x"}`,
	}
	check := func(text string) (in skeleton) {
		t.Helper()
		want := textform.CheckJSON([]byte(text))
		in, err := checkJSON([]byte(text))
		if (err == nil) != json.Valid([]byte(text)) || (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Fatalf("%q: %v, want %v", text, err, want)
		}
		return in
	}
	for _, text := range good {
		check(text)
		for i := range text {
			check(text[:i])
		}
	}
	for _, c := range []struct {
		text     string
		features int
		frame    string
	}{
		{good[0], 0, good[0]},
		{good[1], 4, ` {"features" : [] , "type" : "FeatureCollection", "bbox":[1,2] } `},
		{good[2], 1, `{"type":"FeatureCollection","name":"\"features\":[","features":[]}`},
		{good[4], 1, `{"x":{"features":[1,2]},"features":[]}`},
		{good[5], 0, good[5]},
	} {
		in := check(c.text)
		if in.features != c.features || string(in.text) != c.frame {
			t.Errorf("%s: %d features in %s", c.text, in.features, in.text)
		}
		for i := range in.text {
			if at := in.offset(i); c.text[at] != in.text[i] {
				t.Errorf("%s: offset %d leads to %d", c.text, i, at)
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	const bytes = `{}[]",:\ 1n` + "\n"
	left := 0
	for range 40_000 {
		text := []byte(good[r.IntN(len(good))])
		for range 1 + r.IntN(3) {
			at := r.IntN(len(text))
			switch r.IntN(3) {
			case 0:
				text[at] = bytes[r.IntN(len(bytes))]
			case 1:
				text = append(text[:at], text[at+1:]...)
			default:
				text = append(text[:at], append([]byte{bytes[r.IntN(len(bytes))]}, text[at:]...)...)
			}
			if len(text) == 0 {
				break
			}
		}
		if check(string(text)); json.Valid(text) {
			left++
		}
	}
	if left < 1000 {
		t.Errorf("only %d of the changed texts are good", left)
	}
}

// UTF-8 is checked in pieces, whose ends may fall into a character.
func TestNotUTF8InPieces(t *testing.T) {
	for lead := range 4 {
		text := strings.Repeat("x", lead) + strings.Repeat("晋𠀀é", pieceBytes/4)
		if at := notUTF8([]byte(text)); at != -1 {
			t.Errorf("lead %d: bad at %d", lead, at)
		}
		for _, near := range []int{pieceBytes - 4, pieceBytes - 2, pieceBytes - 1, pieceBytes, pieceBytes + 1, len(text) - 1} {
			for _, bad := range []byte{0xff, 0x80, 0xe6} {
				b := []byte(text)
				b[near] = bad
				want := -1
				for i := 0; i < len(b); {
					c, size := utf8.DecodeRune(b[i:])
					if c == utf8.RuneError && size == 1 {
						want = i
						break
					}
					i += size
				}
				if at := notUTF8(b); at != want {
					t.Errorf("lead %d, %x at %d: found at %d, want %d", lead, bad, near, at, want)
				}
			}
		}
	}
}

// What stands behind the list of features is found where it is.
func TestPlacesBehindTheFeatures(t *testing.T) {
	list := "{\"features\":[\n{\"type\":\"Feature\",\"properties\":{\"id\":\"A\",\"kind\":\"region\",\"radius_m\":5},\"geometry\":{\"type\":\"Point\",\"coordinates\":[112,35]}}\n]"
	for tail, want := range map[string]string{
		`, "type":"Feature"}`: `fences.geojson:3:11: type: want "FeatureCollection"`,
		`, "type":"FeatureCollection", "crs":{"name":"EPSG:4490"}}`:           `fences.geojson:3:38: crs: {"name":"EPSG:4490"}: want WGS-84; save the file as RFC 7946 GeoJSON`,
		`, "type":"FeatureCollection", "bbox":1, "bbox":2}`:                   `fences.geojson:3:49: bbox: is there twice`,
		",\n\"type\":\"FeatureCollection\", \"features\":[{\"type\":\"A\"}]}": `fences.geojson:4:40: features: is there twice`,
		`, "type":"FeatureCollection"}`:                                       "",
	} {
		data, errs := Check(Fences, []byte(list+tail), 20)
		got := ""
		if len(errs) > 0 {
			got = errs[0].Error()
		}
		if got != want || want == "" && len(data.Fences) != 1 {
			t.Errorf("%s: %q, want %q", tail, got, want)
		}
	}
}

// Of an object with many members each that is there twice is found.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[112,35]},"properties":{"id":"A","kind":"region","radius_m":5`)
	for i := range 1000 {
		fmt.Fprintf(&b, ",\n\"x%d\":1", i)
	}
	b.WriteString(",\n\"radius_m\":6,\n\"x7\":2,\n\"\\u0078999\":2}}]}")
	_, errs := Check(Fences, []byte(b.String()), 100_000)
	var twice []string
	for _, err := range errs {
		if strings.Contains(err.Error(), "is there twice") {
			twice = append(twice, err.Error())
		}
	}
	want := []string{`fences.geojson:1002:12: feature 1: properties: radius_m: is there twice`,
		`fences.geojson:1003:6: feature 1: properties: x7: is there twice`, `fences.geojson:1004:13: feature 1: properties: x999: is there twice`}
	if len(errs) != 1003 || !slices.Equal(twice, want) {
		t.Errorf("%d errors, twice %q", len(errs), twice)
	}
}

// The records of a large file live on without its text.
func TestLargeFile(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(`{"type":"FeatureCollection","features":[`)
	const n = 8000
	for i := range n {
		fmt.Fprintf(&b, "%s\n{\"type\":\"Feature\",\"properties\":{\"id\":\"F%d\",\"name\":\"围栏%d\",\"kind\":\"speed\",\"speed_limit_kmh\":60,\"radius_m\":%d,\"region\":\"R%d\",\"plates\":[\"晋E%05d/2\"],\"operators\":[\"O%d\"]},\"geometry\":{\"type\":\"Point\",\"coordinates\":[112.%06d,35]}}",
			[]string{"", ","}[min(i, 1)], i, i, 100+i, i, i, i%7, i)
	}
	b.WriteString("]}")
	if b.Len() < largeText {
		t.Fatalf("%d bytes are no large file", b.Len())
	}
	path := filepath.Join(dir, Fences)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	data, info, err := Load(dir)
	if err != nil || len(data.Fences) != n || info.File(Fences).Rows != n {
		t.Fatalf("%d fences, %v", len(data.Fences), err)
	}
	for i, f := range data.Fences {
		p, _ := f.Geometry.(orb.Point)
		if got, want := fmt.Sprint(f.ID, f.Name, f.Kind, f.RadiusM, f.Region, f.Vehicles, f.Operators, p), fmt.Sprintf("F%d围栏%dspeed%dR%d[晋E%05d/2] [O%d] [%v 35]", i, i, 100+i, i, i, i%7, 112+float64(i)/1e6); got != want {
			t.Fatalf("fence %d: %s, want %s", i, got, want)
		}
	}
	// The size is what the file system says: a file that grows meanwhile is read to its end all the same.
	text, release, err := readAll(strings.NewReader(b.String()), largeText)
	if err != nil || string(text) != b.String() {
		t.Errorf("%d bytes of %d, %v", len(text), b.Len(), err)
	}
	release()
	if err := os.WriteFile(path, []byte(b.String()[:b.Len()-1]+"x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err = Load(dir); err == nil || !strings.Contains(err.Error(), "fences.geojson:8001:") || !strings.Contains(err.Error(), "no JSON") {
		t.Errorf("a bad end: %v", err)
	}
}
