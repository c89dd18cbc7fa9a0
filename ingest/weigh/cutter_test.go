package weigh

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func hexOf(d [16]byte) string { return hex.EncodeToString(d[:]) }

// cutAll returns records and refusals as texts, and the text of what ended it.
func cutAll(r io.Reader, lines bool) (got []string, end string) {
	c := cutter{r: bufio.NewReaderSize(r, 16), lines: lines}
	for {
		raw, refusal, err := c.next()
		switch {
		case err == io.EOF:
			return got, ""
		case err != nil:
			return got, err.Error()
		case refusal != nil:
			got = append(got, "refused "+refusal.Code)
		default:
			got = append(got, string(raw))
		}
	}
}

func TestCutter(t *testing.T) {
	deep := strings.Repeat("[", 9) + strings.Repeat("]", 9)
	huge := `{"a":"` + strings.Repeat("x", maxRecordSize) + `"}`
	for _, c := range []struct {
		body  string
		lines bool
		want  string // records and refusals, then what ended it
	}{
		{`{"a":1}`, false, `{"a":1}|`},
		{"\xef\xbb\xbf {\"a\":1}\r\n", false, `{"a":1}|`},
		{`[]`, false, `|`},
		{"[{\"a\":1},\n {\"b\":\"]},\\\"\"}]\n", false, `{"a":1}|{"b":"]},\""}|`},
		{`[1, "x", null, [2], {}]`, false, `1|"x"|null|[2]|{}|`},
		{`{"a":1}{"b":2}` + "\n" + `{"c":3}`, false, `{"a":1}|{"b":2}|{"c":3}|`},
		{`[{"a":` + deep + `},{"b":1}]`, false, `refused too_deep|{"b":1}|`},
		{`[` + huge + `,{"b":1}]`, false, `refused too_large|{"b":1}|`},
		{``, false, `|the body is empty: send a JSON object, a list of objects, or one object a line`},
		{" \n", true, `|the body is empty: send a JSON object, a list of objects, or one object a line`},
		{`hello`, false, `|body: byte 0: 'h' begins no JSON object and no list`},
		{`5`, false, `|body: byte 0: '5' begins no JSON object and no list`},
		{`[{"a":1}`, false, `{"a":1}|body: byte 8: ends in the middle`},
		{`[{"a":1},`, false, `{"a":1}|body: byte 9: ends in the middle`},
		{`[{"a":1},]`, false, `{"a":1}|body: byte 9: the list ends after a comma`},
		{`[{"a":1} {"b":1}]`, false, `{"a":1}|body: byte 9: '{', want a comma or the end of the list`},
		{`[{"a":1}] x`, false, `{"a":1}|body: byte 10: 'x' after the end of the list`},
		{`[,]`, false, `|body: byte 1: what ends here is not JSON: invalid character ',' looking for beginning of value`},
		{`[{"a":1},{"b":[}]}]`, false, `{"a":1}|body: byte 16: what ends here is not JSON: invalid character '}' looking for beginning of value`},
		{`{"a":1} x`, false, `{"a":1}|body: byte 8: 'x', want an object`},
		{"{\"a\":1}\r\n\n{\"b\":\n{\"c\":3}", true, `{"a":1}|refused not_json|{"c":3}|`},
		{"junk\n" + huge + "\n{\"a\":" + deep + "}\n{\"c\":3}\n", true, `refused not_json|refused too_large|refused too_deep|{"c":3}|`},
		{`[{"a":1}]`, true, `{"a":1}|`},
	} {
		for _, chopped := range []bool{false, true} {
			var r io.Reader = strings.NewReader(c.body)
			if chopped {
				r = iotest.OneByteReader(r)
			}
			got, end := cutAll(r, c.lines)
			if s := strings.Join(got, "|") + "|" + end; s != c.want {
				t.Errorf("%.60q lines=%v chopped=%v:\n got %.200s\nwant %.200s", c.body, c.lines, chopped, s, c.want)
			}
		}
	}
}

// A body without end must cost one record's memory, and no more.
func TestCutterMemoryIsBounded(t *testing.T) {
	for _, fill := range []string{"[", "x", `{"a":`, `"\`} {
		endless := io.LimitReader(repeat(fill), 4<<20)
		c := cutter{r: bufio.NewReader(io.MultiReader(strings.NewReader(`[{"a":"`), endless))}
		_, _, err := c.next()
		var brk *breakError
		if !errors.As(err, &brk) || brk.status != http.StatusBadRequest {
			t.Errorf("%q: %v", fill, err)
		}
		if cap(c.buf) > 2*maxRecordSize {
			t.Errorf("%q: %d bytes held", fill, cap(c.buf))
		}
	}
}

type repeater struct {
	s  string
	at int
}

func repeat(s string) io.Reader { return &repeater{s: s} }

func (r *repeater) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.s[r.at]
		r.at = (r.at + 1) % len(r.s)
	}
	return len(p), nil
}

func FuzzCutter(f *testing.F) {
	for _, s := range []string{good, "[" + good + "," + good + "]", good + "\n" + good, "[[[[", "{\"\\", "\xef\xbb\xbf[1 ,2]"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		whole, end := cutAll(strings.NewReader(string(body)), lines)
		chopped, end2 := cutAll(iotest.OneByteReader(strings.NewReader(string(body))), lines)
		if fmt.Sprint(whole, end) != fmt.Sprint(chopped, end2) {
			t.Fatalf("%q:\n whole   %q %s\n chopped %q %s", body, whole, end, chopped, end2)
		}
	})
}
