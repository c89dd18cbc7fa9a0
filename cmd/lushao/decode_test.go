package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"lushao/ingest/jt808"
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
	if err := decode(strings.NewReader(in), &out, jt808.DescribeOptions{}); err != nil {
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
	if err := decode(strings.NewReader(in), &out, jt808.DescribeOptions{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "longer than") || !strings.Contains(lines[1], "heartbeat") {
		t.Errorf("%.300s", out.String())
	}
}
