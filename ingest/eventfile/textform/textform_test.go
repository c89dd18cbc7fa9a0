package textform

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"
)

func TestParseDecimal(t *testing.T) {
	for _, c := range []struct {
		in     string
		places int
		want   int64
		exact  bool
	}{
		{"61.5", 1, 615, true}, {"61", 1, 610, true}, {"-0", 3, 0, true}, {"35.490712", 6, 35490712, true},
		{"112.8512745", 6, 112851274, false}, {"112.8512735", 6, 112851274, false}, // half to even
		{"112.85127450000000001", 6, 112851275, false}, {"-0.0000005", 6, 0, false}, {"-0.0000015", 6, -2, false},
		{"6.15e1", 1, 615, true}, {"6150E-2", 1, 615, true}, {"0e99999999999999999999", 6, 0, true},
		{"1e-99999999999999999999", 6, 0, false}, {"9e-8", 6, 0, false}, {"5e-7", 6, 0, false}, {"6e-7", 6, 1, false},
		{"+007", 0, 7, true}, {"0.1", 1, 1, true}, {"0.25", 1, 2, false}, {"0.35", 1, 4, false},
		{"9223372036854775799", 0, 9223372036854775799, true}, {"0." + strings.Repeat("0", 400) + "1", 6, 0, false},
	} {
		got, exact, err := ParseDecimal([]byte(c.in), c.places)
		if got != c.want || exact != c.exact || err != nil {
			t.Errorf("ParseDecimal(%q, %d) = %d, %t, %v; want %d, %t", c.in, c.places, got, exact, err, c.want, c.exact)
		}
	}
	for _, s := range []string{"", "-", "+", ".5", "5.", "1e", "1e+", "0x10", "1 ", " 1", "1,5", "--1", "NaN", "Inf", "1_0", "1e5e5", "١"} {
		if v, _, err := ParseDecimal([]byte(s), 1); err != ErrNumber {
			t.Errorf("ParseDecimal(%q) = %d, %v; want ErrNumber", s, v, err)
		}
	}
	for _, s := range []string{"9223372036854775810", "1e19", "1e99999999999999999999", "-99999999999999999999"} {
		if v, _, err := ParseDecimal([]byte(s), 0); err != ErrRange {
			t.Errorf("ParseDecimal(%q) = %d, %v; want ErrRange", s, v, err)
		}
	}
}

// Against rational numbers of any size, which are slow and obvious.
func TestParseDecimalAgainstRational(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		s := fmt.Sprintf("%d", rnd.Int64N(1e9)-5e8)
		if rnd.IntN(3) > 0 {
			s += fmt.Sprintf(".%0*d", 1+rnd.IntN(8), rnd.IntN(10)*5)
		}
		if rnd.IntN(3) == 0 {
			s += fmt.Sprintf("e%d", rnd.IntN(16)-10)
		}
		places := rnd.IntN(4)
		got, exact, err := ParseDecimal([]byte(s), places)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		r, _ := new(big.Rat).SetString(s)
		r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)))
		want := halfEven(r)
		if !want.IsInt64() || got != want.Int64() || exact != r.IsInt() {
			t.Fatalf("ParseDecimal(%s, %d) = %d, %t; want %s, %t", s, places, got, exact, want, r.IsInt())
		}
		if back, exact, err := ParseDecimal(AppendDecimal(nil, got, places), places); back != got || !exact || err != nil {
			t.Fatalf("%d with %d places is written %s and read %d", got, places, AppendDecimal(nil, got, places), back)
		}
	}
}

func halfEven(r *big.Rat) *big.Int {
	n, rest := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int)) // floor
	switch c := rest.Lsh(rest, 1).Cmp(r.Denom()); {
	case c > 0, c == 0 && n.Bit(0) == 1:
		n.Add(n, big.NewInt(1))
	}
	return n
}

func TestAppendDecimal(t *testing.T) {
	for _, c := range []struct {
		v      int64
		places int
		want   string
	}{{615, 1, "61.5"}, {600, 1, "60"}, {0, 6, "0"}, {-1, 6, "-0.000001"}, {35490700, 6, "35.4907"}, {-1 << 63, 1, "-922337203685477580.8"}, {7, 0, "7"}} {
		if got := string(AppendDecimal(nil, c.v, c.places)); got != c.want {
			t.Errorf("AppendDecimal(%d, %d) = %s; want %s", c.v, c.places, got, c.want)
		}
	}
}

func TestParseTime(t *testing.T) {
	for s, want := range map[string]int64{
		"2026-05-01T08:00:00+08:00":       1777593600000,
		"2026-05-01T00:00:00Z":            1777593600000,
		"2026-05-01t00:00:00.25z":         1777593600250,
		"2026-04-30T23:59:59.9999999Z":    1777593599999, // finer than ms is cut
		"2026-04-30T19:30:00-04:30":       1777593600000,
		"1969-12-31T23:59:59.5Z":          -500,
		"2024-02-29T00:00:00.000Z":        1709164800000,
		"0000-01-01T00:00:00Z":            -62167219200000,
		"9999-12-31T23:59:59.999999999Z":  253402300799999,
		"2026-05-01T08:00:00.0015+08:00":  1777593600001,
		"2026-05-01T08:00:00.100000+8:00": -1, "2026-05-01 08:00:00+08:00": -1, "2026-05-01T08:00:00": -1,
		"2026-05-01T08:00:00,5Z": -1, "2026-05-01T08:00:00.Z": -1, "2026-02-29T00:00:00Z": -1, "2026-13-01T00:00:00Z": -1,
		"2026-00-01T00:00:00Z": -1, "2026-04-31T00:00:00Z": -1, "2026-05-01T24:00:00Z": -1, "2026-05-01T23:59:60Z": -1,
		"2026-05-01T08:00:00+24:00": -1, "2026-05-01T08:00:00+08:60": -1, "2026-05-01T08:00:00+0800": -1, "": -1,
		"2026-05-01": -1, "20260501T080000+08:00": -1, "2026-05-01T08:00:00Z ": -1, "2026-05-01T08:00:0٠Z": -1, "-026-05-01T08:00:00Z": -1,
	} {
		got, err := ParseTime([]byte(s))
		if want == -1 {
			if err != ErrTime {
				t.Errorf("ParseTime(%q) = %d, %v; want an error", s, got, err)
			}
		} else if got != want || err != nil {
			t.Errorf("ParseTime(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestTimeAgainstPackageTime(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		ms := rnd.Int64N(253402300800000+62135596800000) - 62135596800000
		zone := time.FixedZone("", (rnd.IntN(24*60)-12*60)*60)
		at := time.UnixMilli(ms).In(zone)
		if at.Year() < 1 || at.Year() > 9999 {
			continue
		}
		if got, err := ParseTime([]byte(at.Format(time.RFC3339Nano))); got != ms || err != nil {
			t.Fatalf("%s = %d, %v; want %d", at.Format(time.RFC3339Nano), got, err, ms)
		}
		if y := at.In(beijing).Year(); y < 1 || y > 9999 {
			continue
		}
		if got, err := ParseTime(AppendTime(nil, ms)); got != ms || err != nil {
			t.Fatalf("%s = %d, %v; want %d", AppendTime(nil, ms), got, err, ms)
		}
	}
	if got := string(AppendTime(nil, 1777593600000)); got != "2026-05-01T08:00:00+08:00" {
		t.Error(got)
	}
	if got := string(AppendTime(nil, 1777593600050)); got != "2026-05-01T08:00:00.050+08:00" {
		t.Error(got)
	}
}

func allLines(r io.Reader) (lines []string, numbers []int, err error) {
	l := NewLines(r)
	for {
		b, err := l.Next()
		if err != nil {
			_, again := l.Next()
			if again != err {
				return nil, nil, fmt.Errorf("the error was %v, and then %v", err, again)
			}
			return lines, numbers, err
		}
		lines = append(lines, string(b))
		numbers = append(numbers, l.Number())
	}
}

func TestLines(t *testing.T) {
	text := "\ufeff\r\n one\r\n\n \t\ntwo\nthree"
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "chopped": iotest.OneByteReader(strings.NewReader(text))} {
		lines, numbers, err := allLines(r)
		if fmt.Sprintf("%q %v %v", lines, numbers, err) != `[" one" "two" "three"] [2 5 6] EOF` {
			t.Errorf("%s: %q %v %v", name, lines, numbers, err)
		}
	}
	if lines, _, err := allLines(strings.NewReader("")); lines != nil || err != io.EOF {
		t.Error(lines, err)
	}
	longest := strings.Repeat("x", MaxLine)
	for _, end := range []string{"", "\n", "\r\n"} {
		lines, _, err := allLines(strings.NewReader("a\n" + longest + end + "b\n"))
		if end == "" {
			if err != ErrLineLong {
				t.Errorf("a line one byte too long: %v", err)
			}
			continue
		}
		if err != io.EOF || len(lines) != 3 || lines[1] != longest {
			t.Errorf("the longest line with end %q: %d lines, %v", end, len(lines), err)
		}
	}
	if lines, _, err := allLines(strings.NewReader("a\n" + strings.Repeat(longest, 3))); err != ErrLineLong || len(lines) != 1 {
		t.Errorf("an endless line: %d lines, %v", len(lines), err)
	}
	if lines, _, err := allLines(strings.NewReader("a\n\xbd\xfaE12345\n")); err != ErrNotUTF8 || len(lines) != 1 {
		t.Errorf("GBK: %q, %v", lines, err)
	}
	// Half a line before a read error is not given out.
	broken := errors.New("broken")
	lines, _, err := allLines(io.MultiReader(strings.NewReader("a\n12"), iotest.ErrReader(broken)))
	if err != broken || fmt.Sprint(lines) != "[a]" {
		t.Errorf("read error: %q, %v", lines, err)
	}
}

func TestSplitCSV(t *testing.T) {
	for in, want := range map[string]string{
		``:                      `[1:]`,
		`a,b`:                   `[1:a 3:b]`,
		`晋E1, b ,`:              `[1:晋E1 5:b 9:]`,
		`"a,""b""",c`:           `[1:a,"b" 11:c]`,
		` "x" ,"",  y"z `:       `[1:x 7: 10:y"z]`,
		`"a`:                    "column 1: quote: not closed",
		`a, "b""`:               "column 4: quote: not closed",
		`"a"b,c`:                "column 4: quote: text after it",
		`,,`:                    `[1: 2: 3:]`,
		`"` + "\u3000" + `" ,z`: "[1:\u3000 6:z]",
	} {
		cells, err := SplitCSV([]byte(in), nil)
		got := ""
		if err != nil {
			got = err.Error()
			if !strings.HasPrefix(got, want) {
				t.Errorf("SplitCSV(%s) = %s; want %s", in, got, want)
			}
			continue
		}
		for i, c := range cells {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("%d:%s", c.Column, c.Text)
		}
		if "["+got+"]" != want {
			t.Errorf("SplitCSV(%s) = [%s]; want %s", in, got, want)
		}
	}
}

func TestCellsAgainstEncodingCSV(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	alphabet := []string{"a", "晋", ",", `"`, " ", ";", "\t", "1.5"}
	for range 5000 {
		texts := make([]string, 1+rnd.IntN(5))
		var line []byte
		for i := range texts {
			for range rnd.IntN(5) {
				texts[i] += alphabet[rnd.IntN(len(alphabet))]
			}
			if i > 0 {
				line = append(line, ',')
			}
			line = AppendCell(line, texts[i])
		}
		cells, err := SplitCSV(line, nil)
		if err != nil || len(cells) != len(texts) {
			t.Fatalf("%q as %s: %v", texts, line, err)
		}
		for i, c := range cells {
			if string(c.Text) != texts[i] {
				t.Fatalf("%q as %s: cell %d is %q", texts, line, i, c.Text)
			}
		}
		if len(line) == 0 {
			continue // to encoding/csv a line that is empty is none
		}
		theirs, err := csv.NewReader(bytes.NewReader(line)).Read()
		if err != nil || fmt.Sprint(theirs) != fmt.Sprint(texts) {
			t.Fatalf("%q as %s: encoding/csv reads %q, %v", texts, line, theirs, err)
		}
	}
}

func TestJSONWalk(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:      ``,
		"{ \n}":   ``,
		`{"a":1}`: `a=1@5 `,
		"{ \"a\" :\t1.5 , \"b\": \"x,}\\\"\" ,\"c\":[{\"d\":[]},2 ], \"e\" : null }": `a=1.5@8 b="x,}\""@19 c=[{"d":[]},2 ]@32 e=null@53 `,
		`{"a":{"b":"]"},"a":true}`: `a={"b":"]"}@5 a=true@19 `,
	} {
		if err := CheckJSON([]byte(in)); err != nil {
			t.Fatal(err)
		}
		got := ""
		for at := 0; ; {
			m, next, ok := NextMember([]byte(in), at)
			if !ok {
				break
			}
			got += fmt.Sprintf("%s=%s@%d ", m.Key, m.Value, m.At)
			at = next
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{`[]`: ``, `[ ]`: ``, `[1]`: `1;`, `[ [1,2] , {"a":[3]},"]" ,4 ]`: `[1,2];{"a":[3]};"]";4;`, `[[]]`: `[];`, `[[[]],[]]`: `[[]];[];`} {
		got := ""
		for at := 0; ; {
			v, next, ok := NextElement([]byte(in), at)
			if !ok {
				break
			}
			if !bytes.HasPrefix([]byte(in)[v.At:], v.Value) {
				t.Errorf("%s: %s is not at %d", in, v.Value, v.At)
			}
			got += string(v.Value) + ";"
			at = next
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	var bad *JSONError
	if err := CheckJSON([]byte(`{"a":1,}`)); !errors.As(err, &bad) || bad.Offset != 8 {
		t.Errorf("%v", err)
	}
}

func TestAppendString(t *testing.T) {
	for _, s := range []string{"", "晋E12345", "a\"b\\c\n\x00\x1f\x7f<>&\u2028", "🚚"} {
		b := AppendString(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil || got != s {
			t.Errorf("%q is written %s and read %q, %v", s, b, got, err)
		}
		if got := Text(b[1 : len(b)-1]); got != s {
			t.Errorf("%q is written %s and read %q", s, b, got)
		}
	}
	if got := string(AppendString(nil, "a\xffb")); got != "\"a\ufffdb\"" {
		t.Error(got)
	}
}

// FuzzJSONWalk: walking over what encoding/json takes finds what encoding/json finds.
func FuzzJSONWalk(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"}"}],"c":"\"","d":-1e5,"e":{}}`))
	f.Add([]byte(`[[],{},"]",1 ,true]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.TrimSpace(b)
		if !utf8.Valid(b) || CheckJSON(b) != nil {
			return
		}
		switch b[0] {
		case '{':
			var want map[string]json.RawMessage
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			got := make(map[string]json.RawMessage)
			for at := 0; ; {
				m, next, ok := NextMember(b, at)
				if !ok {
					break
				}
				if !bytes.HasPrefix(b[m.At:], m.Value) || next <= at {
					t.Fatalf("member at %d, next %d after %d", m.At, next, at)
				}
				got[Text(m.Key)] = m.Value
				at = next
			}
			if len(got) != len(want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			for k, v := range want {
				if !bytes.Equal(got[k], v) {
					t.Fatalf("%q: got %q, want %q", k, got[k], v)
				}
			}
		case '[':
			var want []json.RawMessage
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			n := 0
			for at := 0; ; n++ {
				v, next, ok := NextElement(b, at)
				if !ok {
					break
				}
				if n >= len(want) || !bytes.Equal(v.Value, want[n]) {
					t.Fatalf("element %d: got %q of %q", n, v.Value, want)
				}
				at = next
			}
			if n != len(want) {
				t.Fatalf("%d elements, want %d", n, len(want))
			}
		}
	})
}
