package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"lushao/ingest/jt809"
)

// One object a line, in order; a bad line says what is wrong with it, and the next goes on.
func TestDecodeCommand(t *testing.T) {
	in := strings.Join([]string{
		"7E 00 02 00 00 01 36 87 30 04 56 00 01 D1 7E",
		"",
		"7e000200000136873004560001d17e\r",
		"7e 00 02 0x",
		"7e0",
		"no hex at all",
		"7E 00 02 00 00 01 36 87 30 04 56 00 01 D2 7E",
		strings.Repeat("7e", 100_000),
		"7e 0002 0000 013687300456 0001 d1 7e", // without a newline at the end
	}, "\n")
	var out bytes.Buffer
	if err := decode(strings.NewReader(in), &out, decodeOptions{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{`"name":"heartbeat"`, `"name":"heartbeat"`, `hex: character 8, \"x\", is no hex digit`, `hex: 3 characters`, `hex: character 1, \"n\", is no hex digit`,
		`"checksum_ok":false`, `"error":`, `"serial":1`}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), out.String())
	}
	for i, line := range lines {
		if !json.Valid([]byte(line)) || !strings.Contains(line, want[i]) {
			t.Errorf("line %d: %s\nwant %s in it", i+1, line, want[i])
		}
	}
}

func TestReadLineBoundsMemory(t *testing.T) {
	var out bytes.Buffer
	in := strings.Repeat("0", maxHexLine+2) + "\n7e000200000136873004560001d17e\n"
	if err := decode(strings.NewReader(in), &out, decodeOptions{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "longer than") || !strings.Contains(lines[1], "heartbeat") {
		t.Errorf("%.300s", out.String())
	}
}

// Frames of both protocols, in every form in which people have them.
func TestDecodeBothProtocols(t *testing.T) {
	heartbeat := "0000001a000000071005000123450102 0f0000000000 f7cb" // JT/T 809, no flags
	position := "5B 00 00 00 5A 02 00 00 00 76 12 00 01 34 66 1E 01 02 0F 00 00 00 00 00 D4 C6 41 38 4B 32 31 36" +
		" 00 00 00 00 00 00 00 00 00 00 00 00 00 02 12 02 00 00 00 24 00 05 06 07 E8 0E 1E 09 06 1F 44 19" +
		" 01 7E 17 26 00 3D 00 3C 00 02 CE D6 01 12 07 65 00 00 00 03 00 00 00 02 E6 1D 5D"
	encrypted := "5B 00 00 00 4F 00 00 00 1F 95 00 01 34 66 1E 01 02 0F 01 00 00 30 39 36 46 20 D6 A9 14 98 F8 17" +
		" 53 B5 2A 4C 02 20 B8 90 82 96 20 AF BF C3 37 90 D3 EF EB BE 2E 4B FA F3 BB 39 30 A0 AA 71 A2 2E" +
		" 73 0B 28 37 4E 64 A2 EA 20 99 EA 9A 88 9E 5D"
	cipher := &jt809.Cipher{M1: 10000000, IA1: 20000000, IC1: 30000000}
	for _, c := range []struct {
		name, frame string
		opt         decodeOptions
		want        []string
	}{
		{"jt808", "7e000200000136873004560001d17e", decodeOptions{}, []string{`"protocol":"jt808"`, `"phone"`}},
		{"jt808 without flags", "000200000136873004560001d1", decodeOptions{}, []string{`"protocol":"jt808"`, `"checksum_ok":true`}},
		{"jt809", "5b" + heartbeat + "5d", decodeOptions{}, []string{`"protocol":"jt809"`, `"access_code":74565`, `"checksum_ok":true`}},
		{"jt809 without flags", heartbeat, decodeOptions{}, []string{`"protocol":"jt809"`, `"name":"heartbeat"`, `"checksum_ok":true`}},
		{"jt809 without flags, wrong CRC", heartbeat[:len(heartbeat)-1] + "c", decodeOptions{}, []string{`"protocol":"jt809"`, `"checksum_ok":false`}},
		{"jt809 that is bad", "5b00015d", decodeOptions{}, []string{`"protocol":"jt809"`, `"error"`}},
		{"taken as jt809", "7e000200000136873004560001d17e", decodeOptions{protocol: "jt809"}, []string{`"protocol":"jt809"`, `"error"`}},
		{"taken as jt808", "5b" + heartbeat + "5d", decodeOptions{protocol: "jt808"}, []string{`"protocol":"jt808"`, `"error"`}},
		{"position", position, decodeOptions{}, []string{`"sub_id":"0x1202"`, `"plate":"云A8K216"`, `"lat":25.040678`, `"checksum_ok":true`}},
		{"unescaped position", strings.Replace(position, "5A 02", "5A", 1), decodeOptions{}, []string{`"sub_id":"0x1202"`, `"checksum_ok":true`}},
		{"no key", encrypted, decodeOptions{}, []string{`"key_missing":true`, `"body":{"raw":"364620`, `"checksum_ok":true`}},
		{"key", encrypted, decodeOptions{jt809: jt809.DescribeOptions{Cipher: cipher}}, []string{`"msg_content":"前方雾区，请减速"`, `"encrypted":true`}},
	} {
		var out bytes.Buffer
		if err := decode(strings.NewReader(c.frame), &out, c.opt); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out.Bytes()) {
			t.Errorf("%s: %s", c.name, out.String())
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %s\nwant %s in it", c.name, out.String(), want)
			}
		}
	}
}

func TestDecodeFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // in the error; empty: none
	}{
		{[]string{"--protocol", "jt809", "--key", "0x989680,20000000,30000000", "--edition", "2019"}, ""},
		{[]string{"--key", "1,2"}, "--key: cipher: 2 numbers"},
		{[]string{"--key", "1,2,x"}, "IC1"},
		{[]string{"--protocol", "jt810"}, "auto, jt808, jt809"},
		{[]string{"--edition", "2020"}, "auto, 2011, 2013, 2019"},
	} {
		cmd := newDecode()
		cmd.SetArgs(c.args)
		cmd.SetIn(strings.NewReader(""))
		cmd.SetOut(new(bytes.Buffer))
		cmd.SetErr(new(bytes.Buffer))
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		err := cmd.Execute()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}
